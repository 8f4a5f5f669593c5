"""What an automatic label is based on: a unit's top images, and whether the concept fits its active area.

For Figure 6. The active area is the one that automatic labelling counts (interpolated responses above the
unit's threshold), and not the paper's segmentation, so that the figure shows what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scenelens.errors import CannotAnswerError
from scenelens.labels import SCENES, AnnotatedFrame, AutomaticLabels, ConceptMaps
from scenelens.networks import interpolate, responses
from scenelens.studies import Study, TopImage, top_images
from scenelens.unit_semantics.sources import LabelSet

_FITS = 0.5  # the concept fits an image if more than this share of the active area lies on it


class _SegmentedImage(NamedTuple):
    """One of a unit's top images.

    top: the image, as the network sees it. mask: (H, W) bool, where the unit is active. fits: whether the
    unit's concept fits; None where this is not known, because the image is not annotated.
    """

    top: TopImage
    mask: np.ndarray
    fits: bool | None


@dataclass(frozen=True)
class _UnitEvidence:
    """A unit's automatic label and the top images that it can be checked on.

    Attributes
    ----------
    label : namedtuple
        A row of `LabelSet.labels`, with ``network``, ``layer``, ``unit``, ``concept``, ``type``, ``kind``,
        ``precision`` and the measures.
    images : tuple
        The unit's top images, strongest first. Each has ``top`` (TopImage), ``mask`` ((H, W) bool, where the
        unit is active) and ``fits`` (bool; None where the image is not annotated).
    """

    label: Any
    images: tuple[_SegmentedImage, ...]

    @property
    def fitting(self) -> int:
        """The number of annotated images that the concept fits."""
        return sum(one.fits for one in self.images if one.fits is not None)

    @property
    def judged(self) -> int:
        """The number of annotated images."""
        return sum(one.fits is not None for one in self.images)


def collect_evidence(
    labels: LabelSet, study: Study, network: str = "", n_units: int = 2, n_images: int = 6
) -> list[_UnitEvidence]:
    """Some units of every layer with their automatic labels and top images. This runs the network.

    Parameters
    ----------
    labels : LabelSet
        Of `automatic_set`.
    study : Study
        The study that the labels belong to.
    network : str, optional
        The network's name in the study (default its main one, see `StudyNetworks.main`).
    n_units : int, optional
        Number of units of each layer, evenly spaced from the best by the labels' measure down to the median
        (default 2).
    n_images : int, optional
        Number of images of each unit (default 6).

    Returns
    -------
    list of _UnitEvidence
        Early layers first; what `figures.figure_6_units` shows. A layer without any label is left out.

    Raises
    ------
    SceneLensError
        If the study has no such network; CannotAnswerError where there are no labels of it.
    """
    labels.need()
    network = study.networks[network or study.networks.main].name
    rows = labels.labels[labels.labels.network == network]
    if rows.empty:
        raise CannotAnswerError(f"no unit of the {network} network has a label: look at its weights.")
    tables = [rows[rows.layer == layer] for layer in labels.layers(network)]
    chosen = [_choose_units(table, labels.measure, n_units) for table in tables if len(table)]
    # Once for all units: to see whether these are still valid, every annotated image is looked at.
    found = study.automatic_labels(network)
    maps = ConceptMaps(study.annotations, study.networks[network]) if study.annotations is not None else None
    return [_evidence(study, found, maps, row, n_images) for table in chosen for row in table.itertuples()]


def _evidence(
    study: Study, found: AutomaticLabels, maps: ConceptMaps | None, label: Any, n_images: int
) -> _UnitEvidence:
    """A unit's top images with its active area, each judged by the concept of its automatic label."""
    network = study.networks[label.network]
    axes = network.axes(label.layer)
    threshold = float(found.counts[label.layer].thresholds[label.unit])
    images = []
    for top in top_images(study, label.network, label.layer, int(label.unit), n_images):
        values = responses(network, label.layer, int(label.unit), study.load_image(top.image))
        mask = interpolate(values, axes) > threshold
        images.append(_SegmentedImage(top, mask, _judged(maps, label, study.annotated(top.image), mask)))
    return _UnitEvidence(label, tuple(images))


def _judged(maps: ConceptMaps | None, label: Any, image: str, mask: np.ndarray) -> bool | None:
    """Whether the label's concept fits; None where the image is not annotated ('') or the unit not active."""
    if maps is None or not image or not mask.any():
        return None
    return _fits(maps.annotated_frame(image), maps, mask, label.kind, label.concept)


def _fits(frame: AnnotatedFrame, maps: ConceptMaps, mask: np.ndarray, kind: str, concept: str) -> bool:
    """Whether more than half of a mask (H, W) lies on a concept of an image; a scene fits the whole of it."""
    table = maps.concepts
    found = table.index[(table.kind == kind) & (table.concept == concept)]
    if not len(found):
        return False
    number = int(found[0]) + 1  # 0 stands for "no concept" in the maps
    if kind == SCENES:
        return frame.scene == number
    return bool((frame.codes[mask][:, maps.kinds.index(kind)] == number).mean() > _FITS)


def _choose_units(labels: pd.DataFrame, measure: str, n: int = 2) -> pd.DataFrame:
    """Some of a layer's labels, from the best by a measure down to the median, evenly spaced.

    >>> table = pd.DataFrame({"unit": range(5), "iou": [0.1, 0.5, 0.3, 0.2, 0.4]})
    >>> _choose_units(table, "iou").unit.tolist()
    [1, 2]
    """
    ranked = labels.sort_values(measure, ascending=False, kind="stable")
    places = np.unique(np.linspace(0, (len(ranked) - 1) // 2, min(n, len(ranked))).round().astype(int))
    return ranked.iloc[places]
