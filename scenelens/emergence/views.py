"""What object detectors respond to: the top images of each object's units, and where the unit is active."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scenelens.emergence.study_emergence import Emergence
from scenelens.networks import interpolate, unit_maps
from scenelens.studies import top_images
from scenelens.workbook import dimmed


class _UnitView(NamedTuple):
    """One unit: its number, its score by the rule, and its top images, dark where it is not active."""

    unit: int
    score: float
    images: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class _DetectorViews:
    """Top images of the units of some objects (Figure 9a).

    Attributes
    ----------
    network : str
        The network's name in the study.
    objects : dict of str to list
        Object to its units, best first. Each has ``unit`` (int), ``score`` (float) and ``images`` (tuple of
        uint8 RGB arrays of the network's input size, dark where the unit is not active; where it is active
        nowhere, the whole image in full light).
    n_images : int
        Number of images of each unit.
    """

    network: str
    objects: dict[str, list[_UnitView]]
    n_images: int


def detector_views(
    found: Emergence, network: str = "", n_objects: int = 8, n_units: int = 3, n_images: int = 4
) -> _DetectorViews:
    """The top images of a network's detectors, for the objects with most units. This runs the network.

    Parameters
    ----------
    found : Emergence
        Of `measure_emergence`.
    network : str, optional
        The network's name in the study (default its main one, see `StudyNetworks.main`).
    n_objects : int, optional
        Number of objects, those with most units first, ties in alphabetical order (default 8).
    n_units : int, optional
        Largest number of units of each object, those with the highest scores (default 3).
    n_images : int, optional
        Number of images of each unit (default 4).

    Returns
    -------
    _DetectorViews
        What `figures.figure_9_units` shows.
    """
    network = network or found.study.networks.main
    units = found.of(network)
    counts = units.object.value_counts()
    order = sorted(counts.index, key=lambda name: (-counts[name], name))[:n_objects]
    shown = {}
    for name in order:
        own = units[units.object == name].sort_values("score", ascending=False, kind="stable").head(n_units)
        shown[name] = [_view(found, network, row, n_images) for row in own.to_dict("records")]
    return _DetectorViews(network, shown, n_images)


def _view(found: Emergence, name: str, row: dict, n_images: int) -> _UnitView:
    """One unit's top images, dark below the threshold that its automatic labels were counted with."""
    network, layer, unit = found.study.networks[name], row["layer"], row["unit"]
    frames = [top.frame for top in top_images(found.study, name, layer, unit, n_images)]
    threshold = float(found.automatic[name].counts[layer].thresholds[unit])
    axes = network.axes(layer)
    masks = [interpolate(one, axes) > threshold for one in unit_maps(network, layer, unit, frames)]
    images = [dimmed(frame, mask) if mask.any() else frame for frame, mask in zip(frames, masks, strict=True)]
    return _UnitView(int(unit), float(row["score"]), tuple(images))
