"""Any unit's receptive field, alive: an image, what an occluder changes in it, the average, the segmentation.

`FieldExplorer` is the model: which unit, which of its top images, which threshold, and the picture of it; it
needs no notebook. `explore_fields` is the view. What the atlas holds is shown at once; a discrepancy map is
computed when it is looked at; a whole field that is missing only where that is quick, or at a button's push.
"""

from __future__ import annotations

import functools
import time
from typing import Any

import ipywidgets
import numpy as np
import traitlets
from PIL import Image, ImageDraw, ImageFont

from scenelens.errors import SceneLensError
from scenelens.networks import row_grid
from scenelens.receptive_fields.atlas import Atlas, open_atlas
from scenelens.receptive_fields.field import EmpiricalRF
from scenelens.receptive_fields.occlusion.occlude import SIZE, STRIDE, Occlusion
from scenelens.receptive_fields.occlusion.records import Discrepancy
from scenelens.receptive_fields.unit_segmentation import segment_unit
from scenelens.sentences import number
from scenelens.studies import Study, TopImage, top_images
from scenelens.workbook import (
    INK,
    SOFT,
    WIDE,
    UnitBrowser,
    UnitView,
    dimmed,
    dropdown,
    guarded,
    heat,
    map_in_frame,
    over,
    tile,
)

QUICK = 3.0  # seconds that a reader waits without being asked
SIDE, GAP, STRIP = 256, 10, 26  # pixels of a panel, between panels, for the words under one
PANELS = ("image and peak", "what an occluder changes", "average field", "where the unit fires")


class FieldExplorer(UnitBrowser):
    """The unit being looked at, one of its top images, and what is known of its field.

    Parameters
    ----------
    atlas : of the study.
    network, layer, unit : where to begin.

    Attributes
    ----------
    network, layer, unit : traits; set them with `choose`.
    image : trait, which of the unit's top images, from 0. threshold : trait, a share of the unit's peak.

    Raises
    ------
    SceneLensError : no such network, layer or unit; a layer without a map.
    """

    image = traitlets.Int(0)
    threshold = traitlets.Float(0.5)

    def __init__(
        self, atlas: Atlas, network: str = "scene", layer: str | None = None, unit: int = 0, n: int = 12
    ) -> None:
        self.atlas = atlas
        self.seconds: dict[tuple[str, str], float] = {}  # per discrepancy map, as measured here
        self._tops = functools.lru_cache(maxsize=8)(self._find_tops)
        self._occlusion = functools.lru_cache(maxsize=4)(self._make_occlusion)
        self._map = functools.lru_cache(maxsize=64)(self._make_map)
        super().__init__(atlas.study, network, layer, unit, n)
        if self.layer not in self.layers():
            raise SceneLensError(f"{layer} of the {network} network has no map, and so no receptive field.")

    def networks(self) -> list[str]:
        """Names of the networks that the atlas is of."""
        return list(self.atlas.parts)

    def layers(self, network: str | None = None) -> list[str]:
        """The network's layers that have a map and a theoretical field, early ones first."""
        table = self.atlas.part(network or self.network).network.layers
        return [str(row["layer"]) for row in table.to_dict("records") if row_grid(row)]

    def tops(self) -> list[TopImage]:
        """The unit's top images, best first."""
        return list(self._tops(self.network, self.layer, self.unit))

    def _find_tops(self, network: str, layer: str, unit: int) -> tuple[TopImage, ...]:
        return tuple(top_images(self.study, network, layer, unit, self.n))

    def top(self) -> TopImage:
        """The top image being looked at; the last one where the study has fewer."""
        tops = self.tops()
        if not tops:
            raise SceneLensError(f"no image of study {self.study.name!r} could be read.")
        return tops[min(self.image, len(tops) - 1)]

    def field(self) -> EmpiricalRF | None:
        """The unit's average field, if the atlas holds it."""
        return self.atlas.part(self.network).held(self.layer).get(self.unit)

    def discrepancy(self) -> Discrepancy:
        """How the unit changes under occluders on the image; computed once."""
        return self._map(self.network, self.layer, self.unit, self.top().image)

    def _make_occlusion(self, network: str, layer: str) -> Occlusion:
        return Occlusion(self.study.networks[network], layer)

    def _make_map(self, network: str, layer: str, unit: int, image: str) -> Discrepancy:
        began = time.perf_counter()
        found = self._occlusion(network, layer).of(self.study.load_image(image), [unit])[0]
        self.seconds[network, layer] = time.perf_counter() - began
        return found

    def wait(self) -> float:
        """About how many seconds the average field would take now; 0 where it is held."""
        if self.field() is not None:
            return 0.0
        return self.seconds.get((self.network, self.layer), np.inf) * self.atlas.n_images

    def compute(self) -> None:
        """Compute the average field and keep it in the atlas."""
        self.atlas.part(self.network).field(self.layer, self.unit, progress=False)

    def panels(self) -> list[np.ndarray | None]:
        """The four pictures, uint8 RGB, None for what is not there: the field and what it would show."""
        top, found = self.top(), self.discrepancy()
        if self.wait() <= QUICK:
            self.compute()
        field, frame = self.field(), top.frame
        values = map_in_frame(found.map, frame.shape[:2], (SIZE, SIZE), STRIDE)
        first = [np.asarray(tile(top, SIDE)), over(frame, values)]
        if field is None or field.reason:
            return [*first, None, None]
        mask = segment_unit(self.study.networks[self.network], field, frame, self.threshold).mask
        return [*first, heat(field.map), dimmed(frame, mask)]

    def say(self) -> str:
        """What the picture shows, in one line."""
        field, name = self.field(), f"{self.layer}:{self.unit} of the {self.network} network"
        peak = f"image {min(self.image, len(self.tops()) - 1) + 1}, peak {number(self.top().peak)}"
        if field is None:
            return f"{name} · {peak} · its average is not in the atlas: about {self.wait():.0f} s to compute"
        if field.reason:
            return f"{name} · {peak} · {field.reason}"
        size = f"side {number(field.size)} of {np.mean(field.theoretical.size):.0f} px possible"
        return f"{name} · {peak} · {size}, from {len(field.peaks)} images"


def page(panels: list[np.ndarray | None], side: int = SIDE) -> np.ndarray:
    """The panels beside each other with their names beneath, uint8 RGB; a light grey field for None.

    Examples
    --------
    >>> page([None] * 4, side=50).shape
    (76, 230, 3)
    """
    width = len(panels) * (side + GAP) - GAP
    sheet = Image.new("RGB", (width, side + STRIP), "white")
    draw = ImageDraw.Draw(sheet)
    for k, panel in enumerate(panels):
        left = k * (side + GAP)
        if panel is None:
            draw.rectangle((left, 0, left + side - 1, side - 1), fill="#eef0f2")
        else:
            picture = Image.fromarray(panel).resize((side, side), Image.Resampling.BILINEAR)
            sheet.paste(picture, (left, 0))
        words = PANELS[k] if panel is not None else f"{PANELS[k]}: not computed"
        draw.text((left, side + 4), words, fill=SOFT if panel is None else INK, font=_font())
    return np.asarray(sheet)


@functools.cache
def _font() -> Any:
    return ImageFont.load_default(16)


def explore_fields(
    study: Study | Atlas, network: str = "scene", layer: str | None = None, unit: int = 0
) -> ExploreFields:
    """A live view of receptive fields: choose network, layer, unit, image and threshold.

    Parameters
    ----------
    study : an open study, or its `Atlas` where one is open already.

    Returns
    -------
    ExploreFields, an ipywidgets.VBox that a notebook shows; `.model` is its `FieldExplorer`.

    Raises
    ------
    SceneLensError : no such network, layer or unit.
    """
    atlas = study if isinstance(study, Atlas) else open_atlas(study)
    return ExploreFields(FieldExplorer(atlas, network, layer, unit))


class ExploreFields(UnitView):
    """The view of a `FieldExplorer`."""

    traits_shown = ("image", "threshold")
    rows = (("network", "layer", "image"), ("previous", "unit", "next"), ("threshold", "compute"))
    live = False

    def __init__(self, model: FieldExplorer) -> None:
        super().__init__(model, "sl-explore-fields", "sl-field")
        self.controls["compute"].on_click(guarded(self.status)(self._compute))

    def more_controls(self) -> dict[str, Any]:
        """Which top image, the threshold of the segmentation, and a button for a field that is not held."""
        images = [(str(k + 1), k) for k in range(self.model.n)]
        return {
            "image": dropdown("Image", images, self.model.image),
            "threshold": ipywidgets.FloatSlider(
                min=0.05, max=1, step=0.05, value=self.model.threshold, description="Threshold", layout=WIDE
            ),
            "compute": ipywidgets.Button(description="Compute the average", tooltip="Keeps it in the atlas"),
        }

    def look(self) -> tuple[np.ndarray, str]:
        """The four panels, and what they show."""
        picture = page(self.model.panels())
        self.controls["compute"].disabled = self.model.field() is not None
        return picture, self.model.say()

    def _compute(self, _: Any) -> None:
        self.status.show(f"computing {self.model.layer}:{self.model.unit} ...")
        self.model.compute()
        self._shown = None
        self.follow()
