"""A unit's top images as the network saw them: input pixels, position of the peak, receptive field there.

Sections 2 and 3 of the paper study units through the images to which they respond most strongly. Figures,
widgets and the atlas all need the same three things, and get them here: the image cut to the network's input,
the centre of the position that peaked, and the box of the theoretical receptive field around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scenelens.studies.study import Study

#: A box with sides below this share of the frame marks the position by itself.
_SMALL = 0.15


@dataclass(frozen=True)
class TopImage:
    """One of a unit's top images.

    Attributes
    ----------
    image : str
        Id of the image in its study.
    rank : int
        0 for the image with the highest peak.
    peak : float
        The unit's response at its peak, as recorded.
    frame : numpy.ndarray
        uint8 RGB, (H, W, 3): the pixels that the network was given, at its input size.
    center : tuple of float or None
        (row, col) of the peak's receptive centre in pixels of the frame; None in a fully connected layer.
    box : tuple of float or None
        (top, left, bottom, right) of the theoretical receptive field, cut off at the frame's edges. None in a
        fully connected layer, or where the field covers the whole frame: there is nothing to draw.
    source : str
        'scene-centric' or 'object-centric'.
    category : str
        The image's category in its study.
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
        """Where a ring is to be drawn: the centre, unless the box is so small that it marks it.

        Returns
        -------
        tuple of float or None
            (row, col) in pixels of the frame.
        """
        if self.center is None or self.box is None:
            return self.center
        top, left, bottom, right = self.box
        height, width = self.frame.shape[:2]
        small = max((bottom - top) / height, (right - left) / width) < _SMALL
        return None if small else self.center


def top_images(study: Study, network: str, layer: str, unit: int, n: int = 12) -> list[TopImage]:
    """The images to which one unit responds most strongly.

    Parameters
    ----------
    study : Study
        The open study. Its index of the network is built first where it is missing.
    network : str
        A name in `Study.networks`: 'scene', 'object', or another.
    layer : str
        A layer of that network.
    unit : int
        A unit of that layer, from 0.
    n : int, optional
        How many images (default 12). The list is shorter in a smaller study.

    Returns
    -------
    list of TopImage
        The highest peak first.

    Raises
    ------
    SceneLensError
        If there is no such network, layer or unit.
    """
    study.layer_row(network, layer, unit)  # raises where there is no such layer or unit
    table = study.index(network).top_images(layer, unit, n)
    about = study.images.set_index("image")
    return [_view(study, network, layer, found, about) for found in table.to_dict("records")]


def _view(study: Study, network: str, layer: str, found: dict[str, Any], about: Any) -> TopImage:
    frame = study.networks[network].show_input(study.load_image(found["image"]))
    field, place = study.networks[network].field(layer), (int(found["row"]), int(found["col"]))
    return TopImage(
        image=found["image"],
        rank=int(found["rank"]),
        peak=float(found["peak"]),
        frame=frame,
        center=field.center(*place) if field else None,
        box=field.box(*place, frame.shape[:2]) if field else None,
        source=str(about.at[found["image"], "source"]),
        category=str(about.at[found["image"], "category"]),
    )
