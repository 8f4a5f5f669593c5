"""Browse the units of any layer of any network through their top images, each marked where the unit peaked.

`UnitBrowser` is the model: it knows which unit is shown. `browse_units` gives the view, a `UnitView` bound to
it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import traitlets
from PIL import Image, ImageDraw, ImageFont

from scenelens.metrics import all_equal
from scenelens.sentences import number, words
from scenelens.studies import Study, TopImage, top_images
from scenelens.workbook.style import INK, SOFT, SOURCE_COLORS
from scenelens.workbook.tour import deepest_map_layer
from scenelens.workbook.widgets.unit_names import ANY, _UnitNames
from scenelens.workbook.widgets.unit_view import UnitView

SIDE, GAP, STRIP = 168, 8, 24  # pixels: side of a tile, between tiles, height of a label
_COLUMNS = 6  # tiles per row
_ON_PAGE = 5  # units


class UnitBrowser(traitlets.HasTraits):
    """Which unit is shown, and its top images.

    The parameters from `network` to `n` become traits. Change them with `choose`, which keeps them
    consistent.

    Parameters
    ----------
    study : Study
        The open study.
    network : str, optional
        The first network (default 'scene').
    layer : str, optional
        The first layer; by default the network's deepest main layer with a map.
    unit : int, optional
        The first unit, from 0.
    n : int, optional
        How many top images (default 12).

    Raises
    ------
    SceneLensError
        If there is no such network, layer or unit.
    """

    network = traitlets.Unicode()
    layer = traitlets.Unicode()
    unit = traitlets.Int()
    n = traitlets.Int(12)
    #: Traits besides network, layer and unit that a reader chooses.
    further: tuple[str, ...] = ("n",)

    def __init__(
        self, study: Study, network: str = "scene", layer: str | None = None, unit: int = 0, n: int = 12
    ) -> None:
        self.study = study
        self.names: _UnitNames | None = None
        super().__init__()
        self.choose(network=network, layer=layer or self.deepest(network), unit=unit, n=n)
        self.tops()  # raises here if the unit does not exist, and not later in a callback

    def networks(self) -> list[str]:
        """Names of the study's networks.

        Returns
        -------
        list of str
            In the order of the study's file.
        """
        return list(self.study.networks)

    def layers(self, network: str | None = None) -> list[str]:
        """Names of a network's layers.

        Parameters
        ----------
        network : str, optional
            The network; by default the one that is shown.

        Returns
        -------
        list of str
            Early layers first.

        Raises
        ------
        SceneLensError
            If there is no such network.
        """
        network = network or self.network
        if network not in self.study.networks:
            self.study.layer_row(network, "")  # raises, with close names
        return list(self.study.networks[network].layers["layer"])

    def deepest(self, network: str) -> str:
        """The deepest main layer of a network that has a map, so that a peak has a position.

        Parameters
        ----------
        network : str
            The network.

        Returns
        -------
        str
            The layer's name.

        Raises
        ------
        SceneLensError
            If there is no such network.
        """
        self.layers(network)
        return deepest_map_layer(self.study.networks[network])

    def units(self) -> int:
        """How many units the layer has.

        Returns
        -------
        int
            At least 1.
        """
        return int(self.study.layer_row(self.network, self.layer)["units"])

    def choose(self, **wanted: Any) -> None:
        """Change some of network, layer, unit and n; the others are adapted where they do not fit any more.

        Another network keeps the layer of the same name; if it has none, the layer at the same relative depth
        is taken. A unit beyond the layer's last becomes its last.

        Parameters
        ----------
        **wanted : object
            New values of ``network``, ``layer``, ``unit`` or ``n``.

        Raises
        ------
        SceneLensError
            If there is no such network or layer.
        """
        network = wanted.get("network", self.network)
        layer = wanted.get("layer") or self._same_depth(network)
        last = int(self.study.layer_row(network, layer)["units"]) - 1
        unit = wanted.get("unit", min(self.unit, last))
        # All at once: an observer never sees a layer of one network with the name of another.
        with self.hold_trait_notifications():
            self.network, self.layer, self.unit, self.n = network, layer, unit, wanted.get("n", self.n)

    def step(self, by: int) -> None:
        """Go to another unit of the layer, as far as there is one, as the slider does.

        Parameters
        ----------
        by : int
            How many units further; negative to go back.
        """
        self.choose(unit=min(max(0, self.unit + by), self.units() - 1))

    def some_units(self, n: int) -> list[int]:
        """Choose units for a page that can show only a few: the one that is shown, and some over the layer.

        Parameters
        ----------
        n : int
            How many at most.

        Returns
        -------
        list of int
            In their order.
        """
        others = sorted({*self.known_units()} - {self.unit})
        places = np.linspace(0, len(others) - 1, min(n - 1, len(others))).round().astype(int)
        return sorted({self.unit, *(others[place] for place in places)})

    def known_units(self) -> Iterable[int]:
        """The units of the layer whose picture does not take long.

        Returns
        -------
        iterable of int
            All of them.
        """
        return range(self.units())

    def read_names(self) -> None:
        """Read what units are called, as far as it is known; from now on it is said of each unit."""
        self.names = _UnitNames.of(self.study)

    def about(self) -> str:
        """What the unit is called.

        Returns
        -------
        str
            Such as 'bed (object, IoU 0.12)'; '' before `read_names`, or where nobody has named it.
        """
        return self.names.about(self.network, self.layer, self.unit) if self.names else ""

    def find(self, text: str, shown: str = ANY, order: str = "number") -> list[int]:
        """The units of the layer that a reader looks for.

        Parameters
        ----------
        text : str
            A part of the concept's name; '' for any.
        shown : str, optional
            'all' (default), 'with a name', a type, or 'never active'.
        order : str, optional
            'number' (default), 'name' or 'IoU'.

        Returns
        -------
        list of int
            The units.
        """
        self.read_names()
        assert self.names is not None
        return self.names.find(self.network, self.layer, text, shown, order)

    # ---- what the row of tools asks for

    def state(self) -> dict[str, Any]:
        """What is shown.

        Returns
        -------
        dict
            Network, layer and unit, and the values of `further`.
        """
        return {name: getattr(self, name) for name in ("network", "layer", "unit", *self.further)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Show again what `state` has returned.

        Parameters
        ----------
        state : mapping
            Of `state`.
        """
        with self.hold_trait_notifications():
            for name, value in state.items():
                setattr(self, name, value)

    def code(self) -> str:
        """Python that shows the same view, where `study` is the open study.

        Returns
        -------
        str
            One line.
        """
        return f"sl.browse_units(study, {self.network!r}, {self.layer!r}, {self.unit}, n={self.n})"

    def table(self) -> pd.DataFrame:
        """The unit's top images as numbers.

        Returns
        -------
        pandas.DataFrame
            One row per image, the highest peak first: network, layer, unit, rank, image, source, category,
            peak.
        """
        rows = [
            (self.network, self.layer, self.unit, rank, top.image, top.source, top.category, top.peak)
            for rank, top in enumerate(self.tops(), start=1)
        ]
        columns = ["network", "layer", "unit", "rank", "image", "source", "category", "peak"]
        return pd.DataFrame(rows, columns=columns)

    def file_stem(self) -> str:
        """A short name of what is shown.

        Returns
        -------
        str
            Such as 'scene pool5 17'.
        """
        return f"{self.network} {self.layer} {self.unit}"

    def _same_depth(self, network: str) -> str:
        names = self.layers(network)
        if self.layer in names or not self.layer:
            return self.layer or names[0]
        before = self.layers(self.network)
        return names[round(before.index(self.layer) / max(1, len(before) - 1) * (len(names) - 1))]

    def tops(self) -> list[TopImage]:
        """The unit's top images.

        Returns
        -------
        list of TopImage
            The highest peak first.
        """
        return top_images(self.study, self.network, self.layer, self.unit, self.n)

    def sentence(self, tops: list[TopImage]) -> str:
        """Say in one line what the picture shows.

        Parameters
        ----------
        tops : list of TopImage
            The images in it.

        Returns
        -------
        str
            A line of plain text.
        """
        name = f"{self.layer}:{self.unit} of the {self.network} network"
        if not tops:
            return f"{name}: no image of this study could be read; check the files in study.images"
        if tops[0].peak == tops[-1].peak == 0:
            return f"{name} responds to none of the {len(self.study.images):,} images"
        if all_equal(np.array([top.peak for top in tops])):
            same = f"the same peak, {number(tops[0].peak)}, in all of these images"
            return f"{name}: {same}; their order says nothing"
        span = f"peaks from {number(tops[0].peak)} to {number(tops[-1].peak)}"
        place = "" if tops[0].center else " · a fully connected layer: a peak has no place"
        said = f" · {self.about()}" if self.about() else ""
        return f"{name} · {len(tops)} of {len(self.study.images):,} images · {span}{place}{said}"


def _mosaic(tops: list[TopImage], columns: int = _COLUMNS, side: int = SIDE) -> np.ndarray:
    """The top images in rows, uint8 RGB: each with its peak marked, and labelled with category and peak.

    Examples
    --------
    >>> _mosaic([], columns=2, side=50).shape
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
    """One top image as a square, with a ring at the peak's centre and the box of the receptive field.

    Parameters
    ----------
    top : TopImage
        The image.
    side : int, optional
        Side of the square in pixels (default 168).

    Returns
    -------
    PIL.Image.Image
        RGB.
    """
    frame = Image.fromarray(top.frame).resize((side, side), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(frame)
    rows, columns = top.frame.shape[:2]
    if top.box is not None:
        y0, x0, y1, x1 = (round(v * side / (rows, columns)[k % 2]) for k, v in enumerate(top.box))
        for inset, color, width in ((0, "black", 3), (1, "white", 1)):  # seen on any photograph
            low, high = (x0 + inset, y0 + inset), (x1 - 1 - inset, y1 - 1 - inset)
            ends = [max(one, other) for one, other in zip(low, high, strict=True)]
            draw.rectangle((*low, *ends), outline=color, width=width)
    if top.ring is not None:
        y, x = (int((c + 0.5) * side / edge) for c, edge in zip(top.ring, (rows, columns), strict=True))
        for color, mask in zip(("black", "white"), _ring_masks(), strict=True):
            frame.paste(color, (x - mask.width // 2, y - mask.height // 2), mask)
    return frame


@functools.cache
def _ring_masks() -> list[Image.Image]:
    """A black ring and a white one within it; drawn at a larger size and then made smaller, so that they
    are smooth."""
    large, masks = 4, []
    for width, radius in ((3, 6), (1.5, 5.25)):
        mask = Image.new("L", (17 * large, 17 * large))
        low, high = large * (8.5 - radius), large * (8.5 + radius) - 1
        ImageDraw.Draw(mask).ellipse((low, low, high, high), outline=255, width=int(width * large))
        masks.append(mask.reduce(large))
    return masks


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
) -> UnitView:
    """A widget that browses a study's units: choose network, layer and unit, and see its top images.

    Parameters
    ----------
    study : Study
        The open study.
    network : str, optional
        The first network (default 'scene').
    layer : str, optional
        The first layer; by default the network's deepest main layer with a map.
    unit : int, optional
        The first unit, from 0.
    n : int, optional
        How many top images (default 12).

    Returns
    -------
    UnitView
        An ipywidgets.VBox, which a notebook shows; its ``model`` is a `UnitBrowser`.

    Raises
    ------
    SceneLensError
        If there is no such network, layer or unit.
    """
    return _BrowseUnits(UnitBrowser(study, network, layer, unit, n))


class _BrowseUnits(UnitView):
    """The view of a `UnitBrowser`."""

    traits_shown = ("n",)
    rows = (("network", "layer", "n"), ("previous", "unit", "next"))

    def __init__(self, model: UnitBrowser) -> None:
        super().__init__(model, "sl-browse-units", "sl-mosaic")

    def more_controls(self) -> dict[str, Any]:
        """How many top images are shown."""
        return {"n": UnitView.dropdown("Images", sorted({6, 12, 24, 60, self.model.n}), self.model.n)}

    def page_steps(self) -> dict[str, Sequence[Any]]:
        """A few units.

        Returns
        -------
        dict of str to sequence
            Their numbers.
        """
        return {"unit": self.model.some_units(_ON_PAGE)}

    def draw_step(self, unit: int) -> tuple[np.ndarray, str]:
        """The top images of another unit of the layer.

        Parameters
        ----------
        unit : int
            Its number.

        Returns
        -------
        picture : numpy.ndarray
            The mosaic.
        words : str
            What it shows.
        """
        one = self.model
        other = UnitBrowser(one.study, one.network, one.layer, unit, one.n)
        other.names = one.names
        tops = other.tops()
        return _mosaic(tops), other.sentence(tops)

    def look(self) -> tuple[np.ndarray, str]:
        """The top images as a mosaic, and what it shows."""
        tops = self.model.tops()
        return _mosaic(tops), self.model.sentence(tops)
