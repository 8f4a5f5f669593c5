"""Browse any unit of any layer of either network through its top images, each marked where the unit peaked.

`UnitBrowser` is the model: which unit is looked at, and the picture of it as bytes; it needs no notebook.
`browse_units` is the view: core ipywidgets bound to the model, and nothing else.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import traitlets
from PIL import Image, ImageDraw, ImageFont

from scenelens.sentences import number, words
from scenelens.studies import Study, TopImage, layer_row, top_images
from scenelens.workbook.style import INK, SOFT, SOURCE_COLORS
from scenelens.workbook.tour import deepest_map_layer
from scenelens.workbook.widgets.unit_view import UnitView, dropdown

SIDE, GAP, STRIP, COLUMNS = 168, 8, 24, 6  # pixels of a tile, between tiles, for its label; tiles per row


class UnitBrowser(traitlets.HasTraits):
    """The unit being looked at, and what there is to see of it.

    Parameters
    ----------
    study : an open study.
    network, layer, unit, n : where to begin; without a layer, at the network's deepest main layer with a map.

    Attributes
    ----------
    network, layer, unit, n : traits; set them with `choose`, which keeps them fitting each other.

    Raises
    ------
    SceneLensError : no such network, layer or unit.
    """

    network = traitlets.Unicode()
    layer = traitlets.Unicode()
    unit = traitlets.Int()
    n = traitlets.Int(12)

    def __init__(
        self, study: Study, network: str = "scene", layer: str | None = None, unit: int = 0, n: int = 12
    ) -> None:
        self.study = study
        super().__init__()
        self.choose(network=network, layer=layer or self.deepest(network), unit=unit, n=n)
        self.tops()  # a unit that does not exist is told at once

    def networks(self) -> list[str]:
        """Names of the study's networks."""
        return list(self.study.networks)

    def layers(self, network: str | None = None) -> list[str]:
        """Names of a network's layers, early ones first."""
        network = network or self.network
        if network not in self.study.networks:
            layer_row(self.study, network, "")  # says which names there are
        return list(self.study.networks[network].layers["layer"])

    def deepest(self, network: str) -> str:
        """The deepest main layer that still has a map, so that a peak has a place."""
        self.layers(network)
        return deepest_map_layer(self.study.networks[network])

    def units(self) -> int:
        """How many units the layer has."""
        return int(layer_row(self.study, self.network, self.layer)["units"])

    def choose(self, **wanted: Any) -> None:
        """Change some of network, layer, unit and n; what no longer fits moves to the nearest that does.

        Another network keeps the layer of the same name, or else takes the one at the same depth; a unit
        beyond the layer's last becomes its last.
        """
        network = wanted.get("network", self.network)
        layer = wanted.get("layer") or self._same_depth(network)
        last = int(layer_row(self.study, network, layer)["units"]) - 1
        unit = wanted.get("unit", min(self.unit, last))
        with self.hold_trait_notifications():
            self.network, self.layer, self.unit, self.n = network, layer, unit, wanted.get("n", self.n)

    def step(self, by: int) -> None:
        """Go to the next or an earlier unit of the layer, round the end."""
        self.choose(unit=(self.unit + by) % self.units())

    def _same_depth(self, network: str) -> str:
        names = self.layers(network)
        if self.layer in names or not self.layer:
            return self.layer or names[0]
        before = self.layers(self.network)
        return names[round(before.index(self.layer) / max(1, len(before) - 1) * (len(names) - 1))]

    def tops(self) -> list[TopImage]:
        """The unit's top images, best first."""
        return top_images(self.study, self.network, self.layer, self.unit, self.n)

    def sentence(self, tops: list[TopImage]) -> str:
        """What the picture shows, in one line."""
        name = f"{self.layer}:{self.unit} of the {self.network} network"
        if not tops:
            return f"{name}: no image of this study could be read"
        if tops[0].peak == tops[-1].peak == 0:
            return f"{name} responds to none of the {len(self.study.images):,} images"
        span = f"peaks from {number(tops[0].peak)} to {number(tops[-1].peak)}"
        place = "" if tops[0].center else " · a fully connected layer: a peak has no place"
        return f"{name} · {len(tops)} of {len(self.study.images):,} images · {span}{place}"


def mosaic(tops: list[TopImage], columns: int = COLUMNS, side: int = SIDE) -> np.ndarray:
    """The top images in rows, each with its peak marked and labelled with its category and peak.

    Returns
    -------
    uint8 RGB (rows * (side + label) ..., columns * side ..., 3): white where there is no tile.

    Examples
    --------
    >>> mosaic([], columns=2, side=50).shape
    (74, 108, 3)
    """
    rows = max(1, -(-len(tops) // columns))
    size = (columns * (side + GAP) - GAP, rows * (side + STRIP + GAP) - GAP)
    page = Image.new("RGB", size, "white")
    for k, top in enumerate(tops):
        corner = (k % columns * (side + GAP), k // columns * (side + STRIP + GAP))
        page.paste(tile(top, side), corner)
        _label(ImageDraw.Draw(page), top, corner[0], corner[1] + side + 3, side)
    return np.asarray(page)


def tile(top: TopImage, side: int = SIDE) -> Image.Image:
    """One top image, `side` pixels square, with a ring at the peak's centre and the receptive field's box."""
    frame = Image.fromarray(top.frame).resize((2 * side, 2 * side), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(frame)  # drawn at twice the size and then halved: smooth lines
    rows, columns = top.frame.shape[:2]
    for color, width in (("black", 6), ("white", 3)):  # light on dark is seen on any photograph
        inset = (6 - width) / 2
        if top.box is not None:
            y0, x0, y1, x1 = (v * 2 * side / (rows, columns)[k % 2] for k, v in enumerate(top.box))
            box = (x0 + inset, y0 + inset, max(x0, x1 - 1 - inset), max(y0, y1 - 1 - inset))
            draw.rectangle(box, outline=color, width=width)
        if top.ring is not None:
            y, x = ((c + 0.5) * 2 * side / edge for c, edge in zip(top.ring, (rows, columns), strict=True))
            r = 12 - inset
            draw.ellipse((x - r, y - r, x + r, y + r), outline=color, width=width)
    return frame.resize((side, side), Image.Resampling.BOX)


def _label(draw: ImageDraw.ImageDraw, top: TopImage, left: int, y: int, side: int) -> None:
    peak = number(top.peak)
    room = side - 6 - draw.textlength(peak, font=_font())
    text = words(top.category)
    while text and draw.textlength(text, font=_font()) > room:
        text = text.rstrip("…")[:-1].rstrip() + "…" if len(text.rstrip("…")) > 1 else ""
    draw.text((left, y), text, fill=SOURCE_COLORS.get(top.source, INK), font=_font())
    draw.text((left + side, y), peak, fill=SOFT, font=_font(), anchor="ra")


@functools.cache
def _font() -> Any:
    return ImageFont.load_default(15)


def browse_units(
    study: Study, network: str = "scene", layer: str | None = None, unit: int = 0, n: int = 12
) -> BrowseUnits:
    """A live view of a study's units: choose network, layer and unit, see its top images.

    Returns
    -------
    BrowseUnits, an ipywidgets.VBox that a notebook shows; `.model` is its `UnitBrowser`.

    Raises
    ------
    SceneLensError : no such network, layer or unit.
    """
    return BrowseUnits(UnitBrowser(study, network, layer, unit, n))


class BrowseUnits(UnitView):
    """The view of a `UnitBrowser`."""

    traits_shown = ("n",)
    rows = (("network", "layer", "n"), ("previous", "unit", "next"))

    def __init__(self, model: UnitBrowser) -> None:
        super().__init__(model, "sl-browse-units", "sl-mosaic")

    def more_controls(self) -> dict[str, Any]:
        """How many top images are shown."""
        return {"n": dropdown("Images", sorted({6, 12, 24, 60, self.model.n}), self.model.n)}

    def look(self) -> tuple[np.ndarray, str]:
        """The top images as a mosaic, and what it shows."""
        tops = self.model.tops()
        return mosaic(tops), self.model.sentence(tops)
