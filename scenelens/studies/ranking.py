"""A unit's top images as the network saw them: the frame, the place of the peak, the patch it could see.

Section 2 and section 3 of the paper look at units through the images that drive them hardest. Every view
of that kind (a figure, a widget, a page of the atlas) needs the same three things, and gets them here: the
image cut exactly to the network's input, the centre of the position that peaked, and the box of the
theoretical receptive field around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scenelens.errors import SceneLensError, close_names
from scenelens.networks import receptive_box, receptive_center
from scenelens.studies.study import Study


@dataclass(frozen=True)
class TopImage:
    """One of a unit's top images.

    Attributes
    ----------
    image : id of the image within its study.
    rank : 0 for the image with the highest peak.
    peak : the unit's response at its peak (in the layer's own units, as recorded).
    frame : uint8 RGB (H, W, 3), the pixels the network was given, H and W its input size.
    center : (row, col) of the peak's receptive centre in pixels of the frame; None if fully connected.
    box : (top, left, bottom, right) of the theoretical receptive field, cut off at the frame's edges; None
        where there is none to draw: in a fully connected layer, or where it covers the whole frame.
    source : 'scene-centric' or 'object-centric'.
    category : the image's category in its study.
    """

    image: str
    rank: int
    peak: float
    frame: np.ndarray
    center: tuple[float, float] | None
    box: tuple[float, float, float, float] | None
    source: str
    category: str

    @property
    def ring(self) -> tuple[float, float] | None:
        """The centre, if a ring is worth drawing: not in a box so small that it marks the place itself."""
        if self.center is None or self.box is None:
            return self.center
        top, left, bottom, right = self.box
        tiny = max((bottom - top) / self.frame.shape[0], (right - left) / self.frame.shape[1]) < 0.15
        return None if tiny else self.center


def top_images(study: Study, network: str, layer: str, unit: int, n: int = 12) -> list[TopImage]:
    """The `n` images of a study that drive one unit hardest, best first.

    Parameters
    ----------
    study : an open study; its index of `network` is built first where it is missing.
    network : 'scene', 'object', or another of `study.networks`.
    layer, unit : a layer of that network and a unit of that layer (from 0).
    n : number of images; fewer come back from a smaller study.

    Raises
    ------
    SceneLensError : no such network, layer or unit.
    """
    row = layer_row(study, network, layer)
    if not 0 <= unit < row["units"]:
        raise SceneLensError(
            f"{layer} of the {network} network has units 0 to {row['units'] - 1}, not {unit}."
        )
    table = study.index(network).top_images(layer, unit, n)
    about = study.images.set_index("image")
    return [_view(study, network, row, found, about) for found in table.to_dict("records")]


def layer_row(study: Study, network: str, layer: str) -> dict[str, Any]:
    """One row of a network's table of layers, as a dict.

    Raises
    ------
    SceneLensError : no such network or layer, with the close names.
    """
    if network not in study.networks:
        names = list(study.networks)
        raise SceneLensError(f"no network named {network!r} in this study; {close_names(network, names)}.")
    table = study.networks[network].layers
    rows = table[table["layer"] == layer]
    if rows.empty:
        names = list(table["layer"])
        raise SceneLensError(
            f"the {network} network has no layer {layer!r}; {close_names(layer, names)}. See network.layers."
        )
    return rows.iloc[0].to_dict()


def _view(study: Study, network: str, row: dict[str, Any], found: dict[str, Any], about: Any) -> TopImage:
    frame = study.networks[network].show_input(study.load_image(found["image"]))
    center = receptive_center(row, (int(found["row"]), int(found["col"])))
    return TopImage(
        image=found["image"],
        rank=int(found["rank"]),
        peak=float(found["peak"]),
        frame=frame,
        center=center,
        box=receptive_box(row, center, frame.shape[:2]),
        source=str(about.at[found["image"], "source"]),
        category=str(about.at[found["image"], "category"]),
    )
