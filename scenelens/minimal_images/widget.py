"""A widget to take an image apart: step through the search, or switch segments off and on.

`_RemovalModel` is the model: which segments are kept, the scores of the class, and the pictures; it needs no
notebook. `_RemovalView` is the view, which `take_apart` makes. Every segment has a button with its number in
the picture.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import cv2
import ipywidgets
import numpy as np
import pandas as pd
import traitlets
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

from scenelens.images import load_image
from scenelens.minimal_images.cut_image import CutImage, _ClassScores
from scenelens.minimal_images.regions import Regions
from scenelens.minimal_images.search import MinimalImage, simplify
from scenelens.sentences import one_line, percent, words
from scenelens.workbook import CSS_WIDTH, WIDE, FindRow, Status, ToolRow, WidgetRoot, encode, uploaded

_SIDE, _GAP = 400, 10  # pixels of a picture, and between the two
_BUTTONS = 12  # in a row
_MOST_STEPS = 16  # on a page
_SHOWN, _ORDERS = ("all", "kept", "removed"), ("number", "name", "size")


def take_apart(cut: CutImage, found: MinimalImage | None = None) -> ipywidgets.VBox:
    """Return a live view of an image in segments: step through the search, or switch segments off and on.

    Parameters
    ----------
    cut : CutImage
        The image in segments.
    found : MinimalImage, optional
        The search for its minimal image, where it is done already; by default it is done now.

    Returns
    -------
    ipywidgets.VBox
        A view that a notebook shows. Its ``model`` holds ``kept``, a tuple of one bool per segment, which may
        be set.
    """
    return _RemovalView(_RemovalModel(cut, found))


class _RemovalModel(traitlets.HasTraits):
    """An image in segments, some of them kept, and the scores of its class.

    `kept` is a trait, a tuple of one bool per segment. `image` is a trait, which counts images. `segment` is
    a trait: the one that is looked at, from 0; -1 for none. `best` is (share, kept) of the smallest
    recognised choice that the reader has made so far, None before the first.
    """

    kept = traitlets.Tuple()
    image = traitlets.Int(0)
    segment = traitlets.Int(-1)

    def __init__(self, cut: CutImage, found: MinimalImage | None = None) -> None:
        super().__init__()
        self.begin(cut, found)

    def begin(self, cut: CutImage, found: MinimalImage | None = None) -> None:
        """Take another image."""
        self.cut, self.found = cut, found or simplify(cut)
        self.best: tuple[float, tuple[bool, ...]] | None = None
        # A reader goes back and forth between choices, so their scores are kept in memory, for this image
        # only.
        self._remembered = functools.lru_cache(maxsize=512)(lambda kept: cut.scores(np.array(kept)))
        self._numbered = _Numbered(cut.frame, cut.regions)
        # Another image may have as many segments: then `kept` alone would not tell that it is another one.
        with self.hold_trait_notifications():
            self.image += 1
            self.segment = -1
            self.kept = (True,) * len(cut.regions)

    def open(self, name: str, content: bytes) -> None:
        """Take a reader's own photograph, cut into edges and regions, as the predicted class."""
        self.begin(CutImage(self.cut.network, load_image(name, content)))

    def go_to(self, step: int) -> None:
        """Keep what the search kept after a step."""
        self.kept = tuple(self.found.kept_after(step).tolist())

    @property
    def step(self) -> int | None:
        """The step of the search after which just these segments were kept; None for a choice by hand."""
        removed = self.kept.count(False)
        on_the_way = removed <= self.steps and (self.found.kept_after(removed) == np.array(self.kept)).all()
        return removed if on_the_way else None

    # ---- what the row of tools asks for

    def state(self) -> tuple:
        """What is shown: the image with its search, the reader's best, what is kept, and what is looked
        at."""
        return self.cut, self.found, self.best, self.kept, self.segment

    def restore(self, state: tuple) -> None:
        """Show again what `state` has returned."""
        cut, found, best, kept, segment = state
        if cut is not self.cut:
            self.begin(cut, found)
        self.best = best
        with self.hold_trait_notifications():
            self.kept, self.segment = kept, segment

    def code(self) -> str:
        """Python that shows the same view, where `cut` is the image in segments."""
        removed = [k for k, keep in enumerate(self.kept) if not keep]
        return (
            "view = sl.minimal_images.take_apart(cut)\n"
            f"view.model.kept = tuple(k not in {removed} for k in range({len(self.kept)}))\n"
            f"view.model.segment = {self.segment}\nview"
        )

    def table(self) -> pd.DataFrame:
        """One row per segment: segment (from 1), name, share (of the pixels), kept."""
        regions = self.cut.regions
        numbers = range(1, len(regions) + 1)
        columns = {
            "segment": numbers,
            "name": list(regions.names),
            "share": regions.shares,
            "kept": self.kept,
        }
        return pd.DataFrame(columns)

    def file_stem(self) -> str:
        """A short name of what is shown."""
        return f"{self.cut.target} {self.kept.count(True)} of {len(self.kept)} segments"

    def find(self, text: str, shown: str, order: str) -> list[tuple[str, int]]:
        """The segments that a reader looks for, each in words.

        `text` is a part of the name, `shown` is 'all', 'kept' or 'removed', `order` is 'number', 'name' or
        'size'.
        """
        asked, regions = words(text).strip().casefold(), self.cut.regions
        names = [words(name) for name in regions.names]
        found = [k for k, name in enumerate(names) if asked in name.casefold()]
        if shown != "all":
            found = [k for k in found if self.kept[k] == (shown == "kept")]
        if order == "name":
            found.sort(key=lambda k: names[k].casefold())
        if order == "size":
            found.sort(key=lambda k: -regions.shares[k])
        return [(f"{k + 1} {one_line(names[k], 60)} · {percent(regions.shares[k])}", k) for k in found]

    def switch(self, segment: int, keep: bool) -> None:
        """Keep or remove one segment."""
        # What is shown says how good the choice is, so `best` is known before anybody is told of it.
        with self.hold_trait_notifications():
            self.kept = tuple(keep if k == segment else old for k, old in enumerate(self.kept))
            if self.recognised and (self.best is None or self.share < self.best[0]):
                self.best = self.share, self.kept

    @property
    def steps(self) -> int:
        """How many steps the search took."""
        return len(self.found.steps) - 1

    @property
    def share(self) -> float:
        """Share of the pixels whose segments are kept, 0..1."""
        return float(self.cut.regions.shares[list(self.kept)].sum())

    @property
    def scores(self) -> _ClassScores:
        """The scores of the class on the picture with the kept segments."""
        return self._remembered(self.kept)

    @property
    def recognised(self) -> bool:
        """Whether no other class has a higher score."""
        return bool(self.scores.rank[0] == 1)

    def pictures(self) -> np.ndarray:
        """Return the numbered segments and the picture with the kept ones, side by side, uint8 RGB."""
        left = self._numbered.draw(self.kept, self.segment)
        right = Image.fromarray(self.cut.picture(self.kept)).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        page = Image.new("RGB", (2 * _SIDE + _GAP, _SIDE), "white")
        page.paste(Image.fromarray(left), (0, 0))
        page.paste(right, (_SIDE + _GAP, 0))
        return np.asarray(page)

    def describe(self) -> str:
        """Return one line: the scores of the class, and how the reader compares with the search."""
        now, target = self.scores, words(self.cut.target)
        kept = f"{percent(self.share)} of the pixels kept"
        about = f"{target}: score {now.score[0]:.2f}, rank {now.rank[0]} · {kept}"
        if not self.recognised:
            seen = words(self.cut.network.classes[now.predicted[0]])
            about += f" · the network says {seen}"
        way = "your own choice" if self.step is None else f"step {self.step} of the search"
        return f"{about} · {way} · {self._describe_contest()}{self._describe_segment()}"

    def _describe_segment(self) -> str:
        """What there is to say of the segment that is looked at."""
        if self.segment < 0:
            return ""
        regions, k = self.cut.regions, self.segment
        name = words(one_line(regions.names[k], 60))
        return f" · segment {k + 1}, {name}: {percent(regions.shares[k])} of the pixels, framed in the image"

    def _describe_contest(self) -> str:
        if self.found.reason:
            return self.found.reason
        search = f"the search: {percent(self.found.share)}"
        if self.best is None:
            return search
        # The margin is for rounding: the same segments, added up in another order, are no victory.
        won = ": you beat it!" if self.best[0] < self.found.share - 1e-9 else ""
        return f"{search}, you: {percent(self.best[0])}{won}"


class _Numbered:
    """A frame with its segments' borders and numbers, ready to be drawn with other segments kept.

    What does not depend on the choice is computed once: a reader steps through dozens of choices.

    Parameters
    ----------
    frame : numpy.ndarray
        uint8 RGB.
    regions : Regions
        Its segments.
    """

    def __init__(self, frame: np.ndarray, regions: Regions) -> None:
        self._numbers = cv2.resize(regions.segment_map, (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST_EXACT)
        kept = cv2.resize(frame, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        borders = find_boundaries(self._numbers, mode="inner")
        self._versions = []  # of a pixel in a segment that is removed, and in one that is kept
        for version in (0.25 * kept + 0.75 * 245, kept):
            version[borders] = 255
            self._versions.append(version.round().clip(0, 255).astype(np.uint8))
        # The numbers' white outline, and the numbers.
        self._masks = [Image.new("L", (_SIDE, _SIDE)) for _ in range(2)]
        for mask, outline in zip(self._masks, (2, 0), strict=True):
            draw = ImageDraw.Draw(mask)
            for segment, (y, x) in enumerate(self._places(len(regions))):
                text = str(segment + 1)
                draw.text((x, y), text, 255, _font(), anchor="mm", stroke_width=outline)

    def _places(self, n: int) -> list[tuple[int, int]]:
        return [_inside(self._numbers == segment) for segment in range(n)]

    def draw(self, kept: Sequence[bool], looked_at: int = -1) -> np.ndarray:
        """Draw it.

        Parameters
        ----------
        kept : sequence of bool
            Whether each segment is kept; the others are pale.
        looked_at : int, optional
            The segment that is framed in black and white (default none).

        Returns
        -------
        numpy.ndarray
            uint8 RGB.
        """
        removed, whole = self._versions
        picture = np.where(np.array(kept)[self._numbers][..., None], whole, removed)
        if looked_at >= 0:
            depth = _depth(self._numbers == looked_at)
            picture[(depth > 3) & (depth <= 6)] = 255  # white within black is seen on any photograph
            picture[(depth > 0) & (depth <= 3)] = 0
        page = Image.fromarray(picture)
        for color, mask in zip(("white", "black"), self._masks, strict=True):
            page.paste(color, (0, 0), mask)
        return np.asarray(page)


@functools.cache
def _font() -> Any:
    return ImageFont.load_default(14)


def _depth(mask: np.ndarray) -> np.ndarray:
    """How far each pixel of a segment is from the segment's border, in pixels; 0 outside of it."""
    # Padded, because the border of the image is a border of the segment too.
    return cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]


def _inside(mask: np.ndarray) -> tuple[int, int]:
    """Return (row, col) of the point of a segment that is farthest from its border: its number fits there."""
    depth = _depth(mask)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(y), int(x)


class _RemovalView(WidgetRoot):
    """The view of a `_RemovalModel`.

    Its parts have CSS classes: sl-step, sl-all, sl-upload, sl-segments, and those of the `FindRow`, which
    finds segments by their names. A segment that is removed is struck out; a mark stands before the one that
    is looked at.
    """

    def __init__(self, model: _RemovalModel) -> None:
        self.model, self.status = model, Status()
        self.tools = ToolRow(model, self.status)
        self.picture = ipywidgets.Image(format="jpeg", layout={"max_width": "100%"}).add_class("sl-apart")
        self.picture.width = str(CSS_WIDTH)
        self.step = ipywidgets.IntSlider(description="Step", layout=WIDE).add_class("sl-step")
        self.all = ipywidgets.Button(description="Keep all", tooltip="Back to the image").add_class("sl-all")
        self.upload = ipywidgets.FileUpload(accept="image/*", description="My photo").add_class("sl-upload")
        self.segments = ipywidgets.VBox().add_class("sl-segments")
        self.buttons: list[ipywidgets.ToggleButton] = []
        self._image = -1  # of which image the buttons are
        self._shown: tuple | None = None
        # True while the view sets its own controls: what they then report must not change the model.
        self._updating = False
        hint = "a name of a segment"
        look_at = functools.partial(setattr, model, "segment")
        self.finder = FindRow(model.find, look_at, self.status, "segment", hint, _SHOWN, _ORDERS)
        guard = self.status.guarded
        self.step.observe(guard(self._stepped), "value")
        self.all.on_click(guard(lambda _: model.go_to(0)))
        self.upload.observe(guard(self._uploaded), "value")
        model.observe(guard(self._follow), ["kept", "image", "segment"])
        top = ipywidgets.HBox([self.step, self.all, self.upload])
        parts = [top, self.finder, self.status, self.picture, self.segments, self.tools]
        super().__init__("sl-take-apart", parts)
        self._follow()

    def page_steps(self) -> dict[str, Sequence[Any]]:
        """The steps of the search; of a long one, some.

        Returns
        -------
        dict of str to sequence
            The steps.
        """
        some = np.linspace(0, self.model.steps, min(_MOST_STEPS, self.model.steps + 1))
        return {"step": some.round().astype(int).tolist()} if len(some) > 1 else {}

    def draw_step(self, step: int) -> tuple[np.ndarray, str]:
        """The picture after a step of the search.

        Parameters
        ----------
        step : int
            The step.

        Returns
        -------
        picture : numpy.ndarray
            uint8 RGB, (H, W, 3).
        words : str
            The scores of the class.
        """
        other = _RemovalModel(self.model.cut, self.model.found)
        other.go_to(step)
        return other.pictures(), other.describe()

    def _make_buttons(self) -> None:
        """Make a button for each segment of the model's image."""
        made = [_button(k, name) for k, name in enumerate(self.model.cut.regions.names)]
        guard = self.status.guarded
        for k, button in enumerate(made):
            button.observe(guard(functools.partial(self._switched, k)), "value")
        self.buttons = made
        rows = [made[k : k + _BUTTONS] for k in range(0, len(made), _BUTTONS)]
        self.segments.children = [ipywidgets.HBox(row, layout={"flex_flow": "row wrap"}) for row in rows]
        self.parts_changed()
        self.step.max = self.model.steps
        self._image = self.model.image

    def _stepped(self, change: Any) -> None:
        if not self._updating:
            self.model.go_to(change["new"])

    def _switched(self, segment: int, change: Any) -> None:
        if not self._updating:
            self.model.switch(segment, change["new"])

    def _uploaded(self, change: Any) -> None:
        for file in uploaded(self.upload):
            self.status.show(f"cutting {one_line(file['name'])} ...")
            self.status.busy(True)
            self.model.open(file["name"], bytes(file["content"]))

    def _follow(self, change: Any = None) -> None:
        """Bring buttons, slider, picture and status in line with the model, once per state."""
        model = self.model
        state = model.image, model.kept, model.segment
        if state == self._shown:
            return
        self._updating = True
        try:
            if self._image != model.image:
                self._make_buttons()
            for k, (button, keep) in enumerate(zip(self.buttons, model.kept, strict=True)):
                button.value = keep
                button.description = f"{'▸ ' if k == model.segment else ''}{k + 1}"
                (button.remove_class if keep else button.add_class)("scenelens-off")
            # A choice by hand is no step of the search: then the slider shows no number.
            self.step.readout = model.step is not None
            self.step.value = self.step.value if model.step is None else model.step
            self.finder.follow(model.segment if model.segment >= 0 else None, (model.image, model.kept))
        finally:
            self._updating = False
        drawn = model.pictures()
        with self.picture.hold_sync():
            self.picture.value = encode(drawn)
        self.status.show(model.describe())
        self.status.busy(False)
        self._shown = state
        self.tools.note(drawn)


def _button(segment: int, name: str) -> ipywidgets.ToggleButton:
    made = ipywidgets.ToggleButton(value=True, description=str(segment + 1), tooltip=name)
    made.layout.width = "54px"
    return made.add_class(f"sl-segment-{segment + 1}")
