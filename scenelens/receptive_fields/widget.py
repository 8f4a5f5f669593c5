"""A live view of any unit's receptive field: an image, what an occluder changes in it, the average, the
region.

The view draws what its model, a `_FieldExplorer`, computes, and binds the controls to it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import ipywidgets
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenelens.receptive_fields.atlas import Atlas, open_atlas
from scenelens.receptive_fields.live import _FieldExplorer
from scenelens.receptive_fields.occlusion.occlude import SIZE, STRIDE
from scenelens.studies import Study
from scenelens.workbook import (
    INK,
    SOFT,
    WIDE,
    UnitView,
    dimmed,
    heat,
    map_in_frame,
    tile,
)

_ON_PAGE, _THRESHOLDS = 4, (0.2, 0.35, 0.5, 0.65, 0.8)  # units of a page, and thresholds of each
_PAGE_SECONDS = 4.0  # that the maps of the further units may take
_SIDE, _GAP, _STRIP = 256, 10, 26  # pixels of a panel, between panels, for the words below one
_PANELS = ("image and peak", "what an occluder changes", "average field", "where the unit is active")


def explore_fields(
    study: Study | Atlas, network: str = "scene", layer: str | None = None, unit: int = 0
) -> UnitView:
    """Show a live view of receptive fields: choose network, layer, unit, image and threshold.

    Parameters
    ----------
    study : Study or Atlas
        An open study, or its atlas where one is open already.
    network : str, optional
        The network to begin with.
    layer : str, optional
        The layer to begin with; by default the deepest main layer with a map.
    unit : int, optional
        The unit to begin with.

    Returns
    -------
    UnitView
        An ipywidgets.VBox that a notebook shows; ``.model`` is its `_FieldExplorer`.

    Raises
    ------
    SceneLensError
        If there is no such network, layer or unit.
    """
    atlas = study if isinstance(study, Atlas) else open_atlas(study)
    return _FieldView(_FieldExplorer(atlas, network, layer, unit))


class _FieldView(UnitView):
    """The view of a `_FieldExplorer`."""

    traits_shown = ("image", "threshold")
    rows = (("network", "layer", "image"), ("previous", "unit", "next"), ("threshold", "compute"))
    live = False  # a discrepancy map takes too long to follow a slider while it is dragged

    def __init__(self, model: _FieldExplorer) -> None:
        super().__init__(model, "sl-explore-fields", "sl-field")
        self.controls["compute"].on_click(self.status.guarded(self._compute))

    def more_controls(self) -> dict[str, Any]:
        """Which top image, the threshold of the segmentation, and a button for a field that is missing."""
        images = [(str(k + 1), k) for k in range(self.model.n)]
        return {
            "image": UnitView.dropdown("Image", images, self.model.image),
            "threshold": ipywidgets.FloatSlider(
                min=0.05, max=1, step=0.05, value=self.model.threshold, description="Threshold", layout=WIDE
            ),
            "compute": ipywidgets.Button(description="Compute the average", layout={"width": "max-content"}),
        }

    def page_steps(self) -> dict[str, Sequence[Any]]:
        """A few units whose field is measured, as many as do not take long, each with some thresholds.

        Returns
        -------
        dict of str to sequence
            Units and thresholds; nothing where this unit's own field is not there.
        """
        field = self.model.field()
        if field is None or field.reason:
            return {}
        seconds = self.model.seconds.get((self.model.network, self.model.layer), np.inf)
        n = 1 + min(_ON_PAGE - 1, int(_PAGE_SECONDS / max(seconds, 0.001)))
        thresholds = sorted({*_THRESHOLDS, self.model.threshold})
        return {"unit": self.model.some_units(n), "threshold": thresholds}

    def draw_step(self, unit: int, threshold: float) -> tuple[np.ndarray, str]:
        """The panels of another unit of the layer, or at another threshold.

        Parameters
        ----------
        unit : int
            Its number.
        threshold : float
            A share of the unit's peak.

        Returns
        -------
        picture : numpy.ndarray
            The four panels.
        words : str
            What they show.
        """
        other = self.model.beside(unit, threshold)
        return _page(_panels(other)), other.describe()

    def look(self) -> tuple[np.ndarray, str]:
        """The four panels, and what they show."""
        picture = _page(_panels(self.model))
        self._offer()
        return picture, self.model.describe()

    def glance(self) -> tuple[np.ndarray, str] | None:
        """The panels that are there already; None where all are."""
        if self.model.is_known():
            return None
        self._offer()
        return _page(_panels(self.model, whole=False), missing="being computed"), self.model.glance()

    def _offer(self) -> None:
        """Offer to compute the average where it is missing."""
        button, there = self.controls["compute"], self.model.field() is not None
        button.disabled = there
        button.description = "The average is there" if there else "Compute the average"
        button.tooltip = "The atlas has it" if there else "The atlas keeps it"

    def _compute(self, _: Any) -> None:
        self.status.show(f"computing the average of {self.model.layer}:{self.model.unit} ...")
        self.status.busy(True)
        self._waiting.wait(self.status.guarded(self._computed))

    def _computed(self) -> None:
        self.model.compute()
        self._draw()


def _panels(model: _FieldExplorer, whole: bool = True) -> list[np.ndarray | None]:
    """The four pictures, uint8 RGB; None for the field and the region where there is no field, and, where not
    the `whole` is wanted, for what would have to be computed."""
    top, over = model.top(), None
    if whole:
        values = map_in_frame(model.discrepancy().map, top.frame.shape[:2], (SIZE, SIZE), STRIDE)
        over = _over(top.frame, values)
    field = model.quick_field() if whole else model.field()
    first = [np.asarray(tile(top, _SIDE)), over]
    if field is None or field.reason:
        return [*first, None, None]
    return [*first, heat(field.map), dimmed(top.frame, model.region(field))]


def _over(image: np.ndarray, values: np.ndarray, strength: float = 0.85) -> np.ndarray:
    """A map over an image of its size: the higher the value, the stronger its colour; the rest is grey."""
    grey = image.mean(axis=2, keepdims=True).repeat(3, 2) * 0.6
    top = np.nanmax(values) if not np.isnan(values).all() else 0.0
    share = np.nan_to_num(values / top) if top > 0 else np.zeros(values.shape)
    # The root lets middle values be seen: a discrepancy map has few high values and many low ones.
    weight = (strength * np.sqrt(np.clip(share, 0, 1)))[..., None]
    colors = heat(np.nan_to_num(values), float(top))
    return np.rint(grey * (1 - weight) + colors * weight).astype(np.uint8)


def _page(panels: list[np.ndarray | None], side: int = _SIDE, missing: str = "not computed") -> np.ndarray:
    """The panels next to each other with their names below, uint8 RGB; a light grey square for None.

    >>> _page([None] * 4, side=50).shape
    (76, 230, 3)
    """
    width = len(panels) * (side + _GAP) - _GAP
    sheet = Image.new("RGB", (width, side + _STRIP), "white")
    draw = ImageDraw.Draw(sheet)
    for k, panel in enumerate(panels):
        left = k * (side + _GAP)
        if panel is None:
            draw.rectangle((left, 0, left + side - 1, side - 1), fill="#eef0f2")
        else:
            picture = Image.fromarray(panel).resize((side, side), Image.Resampling.BILINEAR)
            sheet.paste(picture, (left, 0))
        words = _PANELS[k] if panel is not None else f"{_PANELS[k]}: {missing}"
        draw.text((left, side + 4), words, fill=SOFT if panel is None else INK, font=_font())
    return np.asarray(sheet)


@functools.cache
def _font() -> Any:
    return ImageFont.load_default(16)
