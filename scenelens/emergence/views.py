"""What object detectors look at: the top images of all units of one object, and where each unit is active."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scenelens.labels import AutomaticLabels
from scenelens.networks import interpolate, map_axes, unit_maps
from scenelens.studies import Study, top_images
from scenelens.workbook import dimmed


@dataclass(frozen=True)
class DetectorView:
    """One unit: its number, the score its label has, and its top images with all but its active region dark
    (uint8 RGB, the network's frame); where nothing is active, the whole frame in full light."""

    unit: int
    score: float
    pictures: tuple[np.ndarray, ...]


def detector_views(
    study: Study, labels: AutomaticLabels, units: pd.DataFrame, objects: list[str], most: int = 3, n: int = 5
) -> dict[str, list[DetectorView]]:
    """The units of some objects, best first, with their top images.

    Parameters
    ----------
    labels : the network's automatic labels: a unit is active above the threshold that they were counted with.
    units : rows of `detectors.object_units` of one network and layer.
    objects : which to show. most : units of each. n : images of each unit.

    Returns
    -------
    Object to its `DetectorView`s; an object that no unit detects has none.
    """
    found: dict[str, list[DetectorView]] = {}
    for name in objects:
        own = units[units.object == name].sort_values("score", ascending=False, kind="stable").head(most)
        found[name] = [_view(study, labels, row.layer, row.unit, row.score, n) for row in own.itertuples()]
    return found


def _view(study: Study, labels: AutomaticLabels, layer: str, unit: int, score: float, n: int) -> DetectorView:
    network = study.networks[labels.network]
    frames = [top.frame for top in top_images(study, labels.network, layer, unit, n)]
    maps = unit_maps(network, layer, unit, frames)
    axes, threshold = map_axes(network, layer), float(labels.counts[layer].thresholds[unit])
    masks = [interpolate(one, axes) > threshold for one in maps]
    pictures = [
        dimmed(frame, mask) if mask.any() else frame for frame, mask in zip(frames, masks, strict=True)
    ]
    return DetectorView(int(unit), float(score), tuple(pictures))
