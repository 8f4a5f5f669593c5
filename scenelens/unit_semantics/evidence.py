"""What an automatic label rests on: a unit's top images, where it is active, whether the concept fits there.

For Figure 6. The active area is the one that automatic labelling counts (interpolated responses above the
unit's threshold), not the paper's, so that a picture shows what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scenelens.labels import SCENES, AnnotatedFrame, ConceptMaps
from scenelens.networks import interpolate, map_axes, responses
from scenelens.studies import Study, TopImage, top_images

FITS = 0.5  # more than this share of the active area lies on the concept


@dataclass(frozen=True)
class Evidence:
    """One of a unit's top images, segmented.

    top : the image, as the network sees it. mask : (H, W) bool, where the unit is active. fits : whether the
    unit's concept fits; None where the image is not annotated, so nobody can say.
    """

    top: TopImage
    mask: np.ndarray
    fits: bool | None


def evidence(study: Study, label: Any, n: int = 6) -> list[Evidence]:
    """A unit's `n` top images with its active area, each judged by the concept of its automatic label.

    Parameters
    ----------
    label : a row of `AutomaticLabels.labels()`: network, layer, unit, concept, kind.

    Raises
    ------
    SceneLensError : no such network, layer or unit; the study has no annotations.
    """
    found = study.automatic_labels(label.network)
    network = study.networks[label.network]
    axes = map_axes(network, label.layer)
    threshold = float(found.counts[label.layer].thresholds[label.unit])
    maps = ConceptMaps(study.annotations, network) if study.annotations is not None else None
    shown = []
    for top in top_images(study, label.network, label.layer, int(label.unit), n):
        values = responses(network, label.layer, int(label.unit), study.load_image(top.image))
        mask = interpolate(values, axes) > threshold
        shown.append(Evidence(top, mask, _judged(maps, label, top.image, mask)))
    return shown


def _judged(maps: ConceptMaps | None, label: Any, image: str, mask: np.ndarray) -> bool | None:
    if maps is None or image not in maps.annotations.images or not mask.any():
        return None
    return fits(maps.annotated_frame(image), maps, mask, label.kind, label.concept)


def fits(looked: AnnotatedFrame, maps: ConceptMaps, mask: np.ndarray, kind: str, concept: str) -> bool:
    """Whether more than half of a mask (H, W) lies on a concept of an image; a scene fits the whole of it."""
    table = maps.concepts
    found = table.index[(table.kind == kind) & (table.concept == concept)]
    if not len(found):
        return False
    number = int(found[0]) + 1
    if kind == SCENES:
        return looked.scene == number
    return bool((looked.codes[mask][:, maps.kinds.index(kind)] == number).mean() > FITS)


def choose_units(labels: pd.DataFrame, measure: str, n: int = 2) -> pd.DataFrame:
    """Some of a layer's labels, from the best by a measure down to the median, evenly spaced.

    Examples
    --------
    >>> table = pd.DataFrame({"unit": range(5), "iou": [0.1, 0.5, 0.3, 0.2, 0.4]})
    >>> choose_units(table, "iou").unit.tolist()
    [1, 2]
    """
    ranked = labels.sort_values(measure, ascending=False, kind="stable")
    places = np.unique(np.linspace(0, (len(ranked) - 1) // 2, min(n, len(ranked))).round().astype(int))
    return ranked.iloc[places]


def agreeing(shown: Sequence[Evidence]) -> tuple[int, int]:
    """How many of the judged images fit, and how many were judged."""
    judged = [one.fits for one in shown if one.fits is not None]
    return sum(judged), len(judged)
