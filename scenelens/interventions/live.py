"""One image, asked again and again with other units switched off: what the widget shows."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets
from PIL import Image, ImageDraw, ImageFont

from scenelens.errors import SceneLensError
from scenelens.interventions.effects import AblationEffects
from scenelens.minimal_images import CutImage, simplify
from scenelens.networks import ablate
from scenelens.sentences import one_line, percent, words
from scenelens.workbook import HAIR, SOFT

_SIDE, _GAP = 400, 10  # pixels of a picture, and between the two
_TOP = 5  # classes whose scores are shown
_HINT = "The minimal image of the network\nas it is now: not searched for yet"
_MOST = 20  # units of a category that can be switched off


class _LiveAblation(traitlets.HasTraits):
    """An image, and units that are switched off: the best of one category, and others that a reader adds.

    `off` is a trait: the numbers of the units that are off. `image` and `target`, the class whose units are
    offered, are traits, too, and so are `unit`, the one that is looked at (-1 for none), and `more`, the
    units that the reader added.
    """

    image = traitlets.Unicode()
    target = traitlets.Int()
    off = traitlets.Tuple()
    unit = traitlets.Int(-1)
    more = traitlets.Tuple()

    def __init__(self, found: AblationEffects) -> None:
        super().__init__()
        self.found, self.network = found, found.study.networks[found.network]
        ranks = found.ranks[found.way]
        offered = [int(number) for number in ranks["class"].unique()]
        self.targets = [number for number in offered if (found.images["class"] == number).any()]
        self.ranks = ranks[ranks["class"].isin(self.targets) & (ranks["rank"] <= _MOST)]
        # A reader goes back and forth between choices: what the network said is kept in memory.
        self._frame = functools.lru_cache(maxsize=4)(self._load)
        self._scores = functools.lru_cache(maxsize=512)(self._asked)
        self.minimal: tuple[str, tuple[int, ...], np.ndarray, str] | None = None
        self.take(self.targets[0])

    def take(self, target: int) -> None:
        """Offer another category's units, and take its first image; all units are on."""
        if target not in self.targets:
            allowed = ", ".join(str(one) for one in self.targets)
            raise SceneLensError(f"class {target} has no units that were chosen here; allowed: {allowed}.")
        with self.hold_trait_notifications():
            self.off, self.more, self.unit = (), (), -1
            self.image, self.target = self.images(target)[0], target

    def look_at(self, unit: int) -> None:
        """Look at one unit of the layer; one that the category does not have is offered besides its own."""
        if not 0 <= unit < self.found.n_units:
            last = self.found.n_units - 1
            raise SceneLensError(f"{self.found.layer} has units 0 to {last}, not {unit}.")
        with self.hold_trait_notifications():
            if unit not in self.offered():
                self.more = (*self.more, unit)
            self.unit = unit

    def offered(self) -> dict[int, str]:
        """The units that can be switched: each with the object that it is named after, '' where none is."""
        own = {int(row.unit): str(row.object) for row in self.units.itertuples()}
        names = dict(zip(self.found.names.unit.astype(int), self.found.names.object, strict=True))
        others = [*self.more, *self.off]
        return own | {unit: str(names.get(unit, "")) for unit in others if unit not in own}

    def images(self, target: int) -> list[str]:
        """The images of a category that did not choose its units."""
        return self.found.images.image[self.found.images["class"] == target].tolist()

    @property
    def units(self) -> pd.DataFrame:
        """The units of the category, the best first: ``unit``, ``object``."""
        return self.ranks[self.ranks["class"] == self.target].sort_values("rank")

    def first(self, k: int) -> None:
        """Switch the category's first k units off, and all others on."""
        self.off = tuple(int(unit) for unit in self.units.unit[:k])

    def switch(self, unit: int, on: bool) -> None:
        """Switch one unit on or off, and look at it."""
        with self.hold_trait_notifications():
            self.look_at(unit)
            self.off = tuple(one for one in self.off if one != unit) + (() if on else (unit,))

    # ---- what the row of tools asks for

    def state(self) -> tuple:
        """What is shown: the category, the image, the units that are off, were added, and is looked at."""
        return self.target, self.image, self.off, self.more, self.unit

    def restore(self, state: tuple) -> None:
        """Show again what `state` has returned."""
        with self.hold_trait_notifications():
            self.target, self.image, self.off, self.more, self.unit = state

    def code(self) -> str:
        """Python that shows the same view, where `found` is of `ablation_effects`."""
        return (
            "view = sl.interventions.switch_units(found)\n"
            f"view.model.take({self.target})\n"
            f"view.model.image, view.model.off = {self.image!r}, {self.off!r}\nview"
        )

    def table(self) -> pd.DataFrame:
        """The scores that are shown, see `scores`, with network, layer, image and the units that are off."""
        off = " ".join(str(unit) for unit in self.off)
        return self.scores.assign(
            network=self.found.network, layer=self.found.layer, image=self.image, off=off
        )

    def file_stem(self) -> str:
        """A short name of what is shown."""
        return f"{self.found.network} {self.found.layer} {Path(self.image).stem} {len(self.off)} units off"

    @property
    def scores(self) -> pd.DataFrame:
        """The most probable classes: ``class`` (its name), ``now`` and ``whole`` (0..1)."""
        now, whole = self._scores(self.image, self.off), self._scores(self.image, ())
        best = np.argsort(-now, kind="stable")[:_TOP].tolist()
        best += [number for number in (self.target,) if number not in best]
        names = [self.network.classes[number] for number in best]
        return pd.DataFrame({"class": names, "now": now[best], "whole": whole[best]})

    def _asked(self, image: str, off: tuple[int, ...]) -> np.ndarray:
        with ablate(self.network, self.found.layer, off):
            logits = self.network(self._frame(image)[None], framed=True)
        return np.asarray(logits.float().softmax(1)[0].cpu())  # type: ignore[union-attr]

    def _load(self, image: str) -> np.ndarray:
        return self.network.show_input(self.found.study.load_image(image))

    def simplify(self) -> None:
        """Search for the minimal image of the network as it is now: with these units off."""
        with ablate(self.network, self.found.layer, self.off):
            cut = CutImage(self.network, self.found.study.load_image(self.image), target=self._named())
            made = simplify(cut)
            said = made.reason or f"minimal image: {percent(made.share)} of the pixels"
            self.minimal = self.image, self.off, np.asarray(made.image), said

    def _named(self) -> str:
        """The class that the changed network names: only what is recognised has a minimal image."""
        return str(self.network.classes[int(self._scores(self.image, self.off).argmax())])

    def picture(self) -> np.ndarray:
        """The image, and beside it the minimal one where it was searched for these units; uint8 RGB."""
        page = Image.new("RGB", (2 * _SIDE + _GAP, _SIDE), "white")
        known = self.minimal if self.minimal and self.minimal[:2] == (self.image, self.off) else None
        for left, pixels in ((0, self._frame(self.image)), (_SIDE + _GAP, known[2] if known else None)):
            if pixels is not None:
                shown = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
                page.paste(shown, (left, 0))
        if known is None:
            _write_hint(page)
        return np.asarray(page)

    def describe(self) -> str:
        """One line: what is off, and what the network says of the category."""
        table = self.scores
        own = table[table["class"] == self.network.classes[self.target]].iloc[0]
        n = len(self.off)
        units = "all units are on" if not n else f"{n} unit{'' if n == 1 else 's'} off"
        text = f"{units} · {words(own['class'])}: {percent(own.now)}, with all units {percent(own.whole)}"
        if table["class"][0] != own["class"]:
            text += f" · the network says {words(table['class'][0])}"
        known: Any = self.minimal
        if known and known[:2] == (self.image, self.off):
            text += f" · {known[3]}"
        return text + self._describe_unit()

    def _describe_unit(self) -> str:
        """What there is to say of the unit that is looked at."""
        if self.unit < 0:
            return ""
        name = one_line(self.offered().get(self.unit, ""))
        called = f" ({words(name)})" if name else ""
        return f" · {self.found.layer}:{self.unit}{called} is {'off' if self.unit in self.off else 'on'}"


def _write_hint(page: Image.Image) -> None:
    """Say in the empty half what it is for: a search takes seconds, so a reader asks for it."""
    draw, left = ImageDraw.Draw(page), _SIDE + _GAP
    draw.rectangle((left, 0, left + _SIDE - 1, _SIDE - 1), outline=HAIR)
    place = (left + _SIDE / 2, _SIDE / 2)
    draw.text(place, _HINT, fill=SOFT, font=ImageFont.load_default(16), anchor="mm", align="center")
