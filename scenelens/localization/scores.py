"""How well units do as detectors of objects, on images that had no part in choosing them (Figure 11).

A detector is one unit, or all the units that were given one name: their responses, each as a multiple of its
unit's threshold, and at every position the highest counts. A detector fires where that is above 1. Maps are
interpolated to pixels as for automatic labels, so that networks with and without measured fields compare.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError, close_names
from scenelens.intervals import bootstrap_interval
from scenelens.localization.localizer import Localizer
from scenelens.localization.pixels import BINS, count_scores
from scenelens.localization.truth import ImageConcepts, iterate_annotated
from scenelens.metrics import (
    PrecisionRecall,
    average_precision,
    counted_average_precision,
    counted_precision_recall,
    jaccard,
    precision_recall,
)
from scenelens.networks import Network, layer_grid, map_axes

HOW = ("unit", "best unit", "union")


class Detector(NamedTuple):
    """One unit or several, as a detector of an object.

    Attributes
    ----------
    concept, kind : what it is to detect. how : 'unit' (one that bears this name), 'best unit' (of the whole
        layer, by IoU), 'union' (of all that bear it).
    layer, units : which ones. thresholds : of the same units.
    """

    concept: str
    kind: str
    how: str
    layer: str
    units: tuple[int, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True)
class DetectorScores:
    """What was counted of some detectors, over the same images.

    Attributes
    ----------
    detectors : DataFrame: concept, kind, how, layer, units.
    images : ids. peaks : (n_images, n_detectors) float32, each detector's highest value, in thresholds.
    pixels : (n_images, n_detectors, 3) int64, shared by detector and object, the detector's, the object's;
        -1 where the image's annotators were never asked for the object: there nothing is judged.
    bins : (n_detectors, 2, 512) int64, pixels off and on the object by score, over all images, of every
        fourth pixel of every fourth row.
    boxes : DataFrame of a localizer's boxes on these images: layer, concept, confidence, right.
    """

    detectors: pd.DataFrame
    images: tuple[str, ...]
    peaks: np.ndarray
    pixels: np.ndarray
    bins: np.ndarray
    boxes: pd.DataFrame

    def __len__(self) -> int:
        return len(self.detectors)

    @property
    def present(self) -> np.ndarray:
        """(n_images, n_detectors) bool, whether the object is on the image."""
        return self.pixels[:, :, 2] > 0

    @property
    def asked(self) -> np.ndarray:
        """(n_images, n_detectors) bool, whether the image's annotations would name the object."""
        return self.pixels[:, :, 2] >= 0

    def find(self, concept: str, how: str = "best unit") -> int:
        """The number of a concept's detector.

        Raises
        ------
        SceneLensError : no image or no unit was judged for it (close names are given).
        """
        if how not in HOW:
            raise SceneLensError(f"no detectors of kind {how!r}; {close_names(how, HOW)}.")
        of_kind = self.detectors[self.detectors.how == how]
        rows = of_kind.index[of_kind.concept == concept]
        if not len(rows):
            known = close_names(concept, sorted(set(of_kind.concept)))
            raise SceneLensError(f"no {how} was judged as a detector of {concept!r}; {known}.")
        return int(rows[0])

    def curve(self, number: int, level: str = "images") -> PrecisionRecall:
        """Precision and recall of a detector over images (by its peak) or over pixels."""
        if level == "pixels":
            return counted_precision_recall(self.bins[number, 1], self.bins[number, 0])
        asked = self.asked[:, number]
        return precision_recall(self.present[asked, number], self.peaks[asked, number])

    def table(
        self, how: str = "best unit", intervals: bool = True, concepts: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """One row per detector: concept, kind, layer, units, n (images), images (that show it), share (of n);
        jaccard, ap (over images) with their 95% bootstrap intervals over images, pixel_ap.

        An object that no image shows has no AP (NaN); its Jaccard index is 0 where the detector fires.

        Parameters
        ----------
        how : which detectors. intervals : compute these too; it takes a while. concepts : only of these.
        """
        if how not in HOW:
            raise SceneLensError(f"no detectors of kind {how!r}; {close_names(how, HOW)}.")
        chosen = self.detectors.how == how
        if concepts is not None:
            chosen &= self.detectors.concept.isin(list(concepts))
        numbers = self.detectors.index[chosen]
        rows = [self._kept_row(int(number), intervals) for number in numbers]
        about = self.detectors.loc[numbers, ["concept", "kind", "layer", "units"]].reset_index(drop=True)
        return pd.concat([about, pd.DataFrame(rows, columns=_MEASURES)], axis=1)

    @cached_property
    def _rows(self) -> dict[tuple[int, bool], dict[str, Any]]:
        return {}

    def _kept_row(self, number: int, intervals: bool) -> dict[str, Any]:
        if (number, intervals) not in self._rows:
            self._rows[number, intervals] = self._row(number, intervals)
        return self._rows[number, intervals]

    def _row(self, number: int, intervals: bool) -> dict[str, Any]:
        asked = self.asked[:, number]
        present, pixels, peaks = (one[asked, number] for one in (self.present, self.pixels, self.peaks))
        share = float(present.mean()) if len(present) else np.nan
        row = {"n": len(present), "images": int(present.sum()), "share": share}
        row |= {"jaccard": _jaccard(pixels), "ap": average_precision(present, peaks)}
        row |= {"pixel_ap": counted_average_precision(self.bins[number, 1], self.bins[number, 0])}
        if not intervals:
            return row
        low, high = bootstrap_interval(pixels, _jaccard, n_resamples=200)
        row |= {"jaccard_low": low, "jaccard_high": high}
        cases = np.stack([present, peaks], 1)
        low, high = bootstrap_interval(cases, _ap, n_resamples=200)
        return row | {"ap_low": low, "ap_high": high}


_MEASURES = [
    *("n", "images", "share", "jaccard", "jaccard_low", "jaccard_high"),
    *("ap", "ap_low", "ap_high", "pixel_ap"),
]


def _jaccard(pixels: np.ndarray) -> float:
    return jaccard(pixels[:, 0], pixels[:, 1], pixels[:, 2])


def _ap(cases: np.ndarray) -> float:
    return average_precision(cases[:, 0], cases[:, 1])


def judge(
    network: Network,
    annotations: Annotations,
    detectors: Sequence[Detector],
    images: Iterable[str],
    localizer: Localizer | None = None,
    progress: bool = True,
) -> DetectorScores:
    """Count how detectors do on annotated images, in one forward pass per image.

    Parameters
    ----------
    images : ids in `annotations` that had no part in choosing or calibrating the detectors.
    localizer : its boxes are judged too: right where the concept shows within the cell of the box's strongest
        position.

    Raises
    ------
    SceneLensError : no detector, or none of the images can be read.
    """
    if not detectors:
        raise SceneLensError("there is no detector to judge: no unit was given the name of an object.")
    layers = list(dict.fromkeys([one.layer for one in detectors]))
    layers += [layer for layer in (localizer.layers if localizer else ()) if layer not in layers]
    run = _Judging(network, list(detectors), localizer)
    ids = list(images)
    for names, seen, maps in iterate_annotated(network, annotations, layers, ids, progress):
        for k, name in enumerate(names):
            run.add(name, seen[k], {layer: values[k] for layer, values in maps.items()})
    return run.result()


class _Judging:
    def __init__(self, network: Network, detectors: list[Detector], localizer: Localizer | None) -> None:
        self.detectors, self.localizer = detectors, localizer
        self.axes = {one.layer: map_axes(network, one.layer) for one in detectors}
        self.units = [np.array(one.units) for one in detectors]
        self.scales = [np.maximum(np.array(one.thresholds, np.float32), 1e-6) for one in detectors]
        self.grids = {layer: layer_grid(network, layer) for layer in (localizer.layers if localizer else ())}
        self.frame = network.input_size
        self.bins = np.zeros((len(detectors), 2, BINS), np.int64)
        self.names: list[str] = []
        self.peaks: list[np.ndarray] = []
        self.pixels: list[np.ndarray] = []
        self.boxes: list[tuple[str, str, float, bool]] = []

    def add(self, name: str, seen: ImageConcepts, maps: dict[str, np.ndarray]) -> None:
        """Take one image."""
        masks: dict[tuple[str, str], np.ndarray] = {}
        peaks = np.empty(len(self.detectors), np.float32)
        pixels = np.empty((len(self.detectors), 3), np.int64)
        for k, one in enumerate(self.detectors):
            key = (one.concept, one.kind)
            if key not in masks:
                masks[key] = seen.mask(*key)
            if not seen.in_vocabulary(one.concept):
                peaks[k], pixels[k] = 0, -1
                continue
            values = (maps[one.layer][self.units[k]] / self.scales[k][:, None, None]).max(0)
            pixels[k, :2] = count_scores(values, masks[key], self.axes[one.layer], self.bins[k])
            peaks[k], pixels[k, 2] = values.max(), np.count_nonzero(masks[key])
        self.names.append(name)
        self.peaks.append(peaks)
        self.pixels.append(pixels)
        if self.localizer is not None:
            self._judge_boxes(seen, self.localizer.find(maps))

    def _judge_boxes(self, seen: ImageConcepts, found: dict[str, Any]) -> None:
        kinds = self.localizer.kinds if self.localizer else {}
        for k, layer in enumerate(found["layer"]):
            grid, concept = self.grids[layer], found["concept"][k]
            place = [
                (found[name][k] - grid.start[i]) / grid.stride[i] for i, name in enumerate(("row", "col"))
            ]
            kind = kinds.get((layer, found["unit"][k]), "")
            if not seen.in_vocabulary(concept):
                continue
            right = seen.contains(concept, kind, grid.cell(place[0], place[1], self.frame))
            self.boxes.append((layer, concept, found["confidence"][k], right))

    def result(self) -> DetectorScores:
        if not self.names:
            raise SceneLensError("none of the images to judge detectors on could be read.")
        table = pd.DataFrame([one[:5] for one in self.detectors], columns=Detector._fields[:5])
        boxes = pd.DataFrame(self.boxes, columns=["layer", "concept", "confidence", "right"])
        pixels = np.stack(self.pixels)
        return DetectorScores(table, tuple(self.names), np.stack(self.peaks), pixels, self.bins, boxes)
