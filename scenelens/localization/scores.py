"""How well units do as detectors of objects, on images that had no part in choosing them (Figure 11).

A detector is one unit, or all units of one name. Their responses are taken as multiples of each unit's
threshold, and at every position the highest counts. A detector is active where this value is above 1. Maps
are interpolated to pixels as for automatic labels, so that networks with and without measured receptive
fields can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError, close_names
from scenelens.intervals import bootstrap_interval
from scenelens.localization.boxes import LabelledUnits, _LayerUnits
from scenelens.localization.calibration import FACTS, HERE
from scenelens.localization.category_null import _CategoryNull
from scenelens.localization.localizer import Localizer
from scenelens.localization.scored_detector import BINS, ScoredDetector
from scenelens.localization.shared_frames import _SharedFrames
from scenelens.localization.truth import ImageConcepts
from scenelens.metrics import (
    PrecisionRecall,
    average_precision,
)
from scenelens.unfinished import Packed, Unfinished

_KINDS = ("unit", "best unit", "union")
#: The columns of `DetectorScores.boxes`.
_SAID = (*FACTS, *HERE)
BOX_COLUMNS = ("image", "layer", "concept", "unit", *_SAID, "right", "elsewhere")


@dataclass(frozen=True)
class DetectorScores:
    """What was counted of some detectors, all over the same images; made by `measure`.

    Attributes
    ----------
    detectors : pandas.DataFrame
        One row per detector: concept, kind, how, layer, units.
    images : tuple of str
        The images' ids.
    peaks : numpy.ndarray
        (n_images, n_detectors) float32, each detector's highest value, in thresholds.
    pixels : numpy.ndarray
        (n_images, n_detectors, 3) int64: pixels shared by detector and object, the detector's, the object's.
        -1 where the image's annotations never name the object: nothing is scored there.
    bins : numpy.ndarray
        (n_detectors, 2, 512) int64, pixels off and on the object by score, over all images, of every fourth
        pixel of every fourth row.
    boxes : pandas.DataFrame
        A localizer's boxes on these images, one row each: image (its number in `images`), layer, concept,
        unit, confidence, estimate, images, by_category, here, here_right (as in `Localization.boxes`, by the
        annotated scene); right; elsewhere (how often the box would be right on the other test images of its
        category; NaN without any).
    """

    detectors: pd.DataFrame
    images: tuple[str, ...]
    peaks: np.ndarray
    pixels: np.ndarray
    bins: np.ndarray
    boxes: pd.DataFrame

    @classmethod
    def measure(
        cls,
        units: LabelledUnits,
        annotations: Annotations,
        detectors: Sequence[ScoredDetector],
        images: Iterable[str],
        localizer: Localizer | None = None,
        progress: bool = True,
        work: Unfinished | None = None,
        frames: _SharedFrames | None = None,
    ) -> DetectorScores:
        """Count how detectors do on annotated images, in one forward pass per image.

        Parameters
        ----------
        units : LabelledUnits
            The network's labelled units, prepared for the detectors' layers.
        annotations : Annotations
            What is where on the images.
        detectors : sequence of ScoredDetector
            The detectors.
        images : iterable of str
            Ids in `annotations`, of images that had no part in choosing or calibrating the detectors.
        localizer : Localizer, optional
            Made with the same units. Its boxes are scored too: a box is right where its concept shows within
            the cell of the box's strongest position.
        progress : bool, optional
            Whether to show a progress bar (default True).
        work : Unfinished, optional
            Keeps what was counted so far, and has what an earlier process counted.
        frames : _SharedFrames, optional
            The frames of these annotations that are kept for several networks.

        Returns
        -------
        DetectorScores
            The counts.

        Raises
        ------
        SceneLensError
            If there is no detector, a detector's layer was not prepared, or none of the images can be read.
        """
        if not detectors:
            raise SceneLensError("there is no detector to score: no unit was given the name of an object.")
        for one in detectors:
            if one.layer not in units.layers:
                near = close_names(one.layer, units.layers)
                raise SceneLensError(f"{one.layer} was not prepared in the labelled units; {near}.")
        layers = dict.fromkeys([*(one.layer for one in detectors), *(localizer.layers if localizer else ())])
        boxes = _Boxes(localizer, annotations) if localizer else None
        counts = _Counts(units.layers, list(detectors), boxes)
        if work is not None and work.done:
            counts.restore(work)
        batches = ImageConcepts.batches(
            units.network, annotations, list(layers), list(images), progress, work, counts.state, frames
        )
        for names, concepts, maps in batches:
            for k, name in enumerate(names):
                counts.add(name, concepts[k], {layer: values[k] for layer, values in maps.items()})
        return counts.result()

    def __len__(self) -> int:
        """Return the number of detectors."""
        return len(self.detectors)

    @property
    def present(self) -> np.ndarray:
        """(n_images, n_detectors) bool, whether the object is on the image."""
        return self.pixels[:, :, 2] > 0

    @property
    def in_vocabulary(self) -> np.ndarray:
        """(n_images, n_detectors) bool, whether the image's annotations would name the object if it were
        there."""
        return self.pixels[:, :, 2] >= 0

    def find(self, concept: str, how: str = "best unit") -> int:
        """Return the number of a concept's detector.

        Parameters
        ----------
        concept : str
            The concept.
        how : str, optional
            ``"unit"``, ``"best unit"`` (the default) or ``"union"``.

        Returns
        -------
        int
            Its row in `detectors`.

        Raises
        ------
        SceneLensError
            If no detector of this concept was scored, or `how` is unknown.
        """
        of_kind = self.detectors[self._of_kind(how)]
        rows = of_kind.index[of_kind.concept == concept]
        if not len(rows):
            known = close_names(concept, sorted(set(of_kind.concept)))
            raise SceneLensError(f"no {how} was scored as a detector of {concept!r}; {known}.")
        return int(rows[0])

    def _of_kind(self, how: str) -> pd.Series:
        if how not in _KINDS:
            raise SceneLensError(f"no detectors of kind {how!r}; {close_names(how, _KINDS)}.")
        return self.detectors.how == how

    def precision_recall(self, number: int, level: str = "images") -> PrecisionRecall:
        """Return precision and recall of a detector at all its thresholds.

        Parameters
        ----------
        number : int
            The detector's row in `detectors`; see `find`.
        level : str, optional
            ``"images"`` (the default), ranked by the detector's peak, or ``"pixels"``.

        Returns
        -------
        PrecisionRecall
            The curve.
        """
        if level == "pixels":
            return PrecisionRecall.of_counts(self.bins[number, 1], self.bins[number, 0])
        known = self.in_vocabulary[:, number]
        return PrecisionRecall.of_cases(self.present[known, number], self.peaks[known, number])

    def table(
        self, how: str = "best unit", intervals: bool = True, concepts: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Return the scores of detectors.

        Parameters
        ----------
        how : str, optional
            Which detectors: ``"unit"``, ``"best unit"`` (the default) or ``"union"``.
        intervals : bool, optional
            Whether to compute the intervals too, which takes a while (default True); else they are NaN.
        concepts : sequence of str, optional
            Only detectors of these concepts; by default of all.

        Returns
        -------
        pandas.DataFrame
            One row per detector: concept, kind, layer, units, n (images), images (that show the object),
            share (of n); jaccard and ap (average precision over images), each with a 95% bootstrap interval
            over the images (``_low``, ``_high``); pixel_ap. An object that no image shows has no AP (NaN);
            its Jaccard index is 0 where the detector is active.

        Raises
        ------
        SceneLensError
            If `how` is unknown.
        """
        chosen = self._of_kind(how)
        if concepts is not None:
            chosen &= self.detectors.concept.isin(list(concepts))
        numbers = self.detectors.index[chosen]
        rows = [self._cached_row(int(number), intervals) for number in numbers]
        about = self.detectors.loc[numbers, ["concept", "kind", "layer", "units"]].reset_index(drop=True)
        return pd.concat([about, pd.DataFrame(rows, columns=_MEASURES)], axis=1)

    @cached_property
    def _rows(self) -> dict[tuple[int, bool], dict[str, Any]]:
        return {}

    def _cached_row(self, number: int, intervals: bool) -> dict[str, Any]:
        # Several cells of the notebook need the same rows, and an interval takes 200 resamples.
        if (number, intervals) not in self._rows:
            self._rows[number, intervals] = self._row(number, intervals)
        return self._rows[number, intervals]

    def _row(self, number: int, intervals: bool) -> dict[str, Any]:
        known = self.in_vocabulary[:, number]
        present, pixels, peaks = (one[known, number] for one in (self.present, self.pixels, self.peaks))
        share = float(present.mean()) if len(present) else np.nan
        row = {"n": len(present), "images": int(present.sum()), "share": share}
        row |= {"jaccard": _jaccard(pixels), "ap": average_precision(present, peaks)}
        row |= {"pixel_ap": self.precision_recall(number, "pixels").average_precision}
        if not intervals:
            return row
        low, high = bootstrap_interval(pixels, _jaccard, n_resamples=200)
        row |= {"jaccard_low": low, "jaccard_high": high}
        cases = np.stack([present, peaks], 1)
        low, high = bootstrap_interval(cases, _ap, n_resamples=200)
        return row | {"ap_low": low, "ap_high": high}


_MEASURES = [
    "n",
    "images",
    "share",
    "jaccard",
    "jaccard_low",
    "jaccard_high",
    "ap",
    "ap_low",
    "ap_high",
    "pixel_ap",
]


def _jaccard(pixels: np.ndarray) -> float:
    """The Jaccard index over many images: all shared pixels over all pixels of either mask.

    A row is one image's pixels in both masks, in the detector's mask and in the object's. No pixel in either
    mask of any image gives NaN. An image without the object counts through the pixels that are active on it.
    Counts that are impossible, such as more shared than active pixels, raise SceneLensError.

    >>> _jaccard(np.array([(1, 2, 4), (0, 3, 0)]))  # 1 of 2 + 4 - 1, and 3 more on the second image
    0.125
    """
    both, active, truth = (int(column.sum()) for column in pixels.T)
    either = active + truth - both
    if both < 0 or either < both:
        raise SceneLensError(f"{both} shared pixels do not fit into {either} pixels of either mask.")
    return both / either if either else math.nan


def _ap(cases: np.ndarray) -> float:
    return average_precision(cases[:, 0], cases[:, 1])


class _Counts:
    """The counts of some detectors and of a localizer's boxes, one image after the other."""

    def __init__(
        self, layers: Mapping[str, _LayerUnits], detectors: list[ScoredDetector], boxes: _Boxes | None
    ) -> None:
        self.layers, self.detectors, self.boxes = layers, detectors, boxes
        self.bins = np.zeros((len(detectors), 2, BINS), np.int64)
        self.names: list[str] = []
        self.peaks: list[np.ndarray] = []
        self.pixels: list[np.ndarray] = []
        self._kept = 0  # images in the latest state on disk

    def add(self, name: str, concepts: ImageConcepts, maps: dict[str, np.ndarray]) -> None:
        """Take one image."""
        # Many detectors have the same concept: its pixels, and their number.
        masks: dict[tuple[str, str], tuple[np.ndarray, int]] = {}
        peaks = np.empty(len(self.detectors), np.float32)
        pixels = np.empty((len(self.detectors), 3), np.int64)
        for k, one in enumerate(self.detectors):
            if not concepts.in_vocabulary(one.concept):
                peaks[k], pixels[k] = 0, -1
                continue
            key = (one.concept, one.kind)
            if key not in masks:
                mask = concepts.mask(*key)
                masks[key] = mask, int(np.count_nonzero(mask))
            (mask, size), layer = masks[key], self.layers[one.layer]
            shared, active, peaks[k] = one.count_pixels(maps[one.layer], mask, layer, self.bins[k])
            pixels[k] = shared, active, size
        self.names.append(name)
        self.peaks.append(peaks)
        self.pixels.append(pixels)
        if self.boxes is not None:
            self.boxes.add(name, concepts, maps)

    def state(self) -> tuple[Packed, Packed]:
        """All that was counted, and what is new since the last call; see `Unfinished.save`."""
        names = self.names[self._kept :]
        fresh = {"peaks": np.array(self.peaks[self._kept :]), "pixels": np.array(self.pixels[self._kept :])}
        self._kept = len(self.names)
        total, part = self.boxes.state() if self.boxes else ((None, {}), (None, {}))
        arrays = {"bins": self.bins, **total[1]}
        return (total[0], arrays), ({"names": names, "boxes": part[0]}, {**fresh, **part[1]})

    def restore(self, work: Unfinished) -> None:
        """Take over what an earlier process counted."""
        self.bins = work.total[1]["bins"].copy()
        for about, arrays in work.parts:
            self.names += about["names"]
            self.peaks += list(arrays["peaks"])
            self.pixels += list(arrays["pixels"])
        if self.boxes:
            self.boxes.restore(work)
        self._kept = len(self.names)

    def result(self) -> DetectorScores:
        if not self.names:
            raise SceneLensError("none of the images on which to score detectors could be read.")
        table = pd.DataFrame([one[:5] for one in self.detectors], columns=ScoredDetector._fields[:5])
        boxes = self.boxes.table() if self.boxes else pd.DataFrame(columns=list(BOX_COLUMNS))
        pixels = np.stack(self.pixels)
        return DetectorScores(table, tuple(self.names), np.stack(self.peaks), pixels, self.bins, boxes)


class _Found(NamedTuple):
    """The judged boxes of one image: each one's row in the table of units, the place of its strongest
    position in the layer's map, what the calibration says of it, (n, facts), and whether it is right."""

    rows: np.ndarray
    places: np.ndarray
    facts: np.ndarray
    right: np.ndarray


class _Boxes:
    """The boxes of a localizer, and whether they are right; one image after the other."""

    def __init__(self, localizer: Localizer, annotations: Annotations) -> None:
        self.localizer, self.annotations = localizer, annotations
        self.null = _CategoryNull(localizer.units)
        self.found: list[_Found] = []
        self.categories: list[str] = []
        self._kept = 0  # images in the latest state on disk

    def add(self, image: str, concepts: ImageConcepts, maps: dict[str, np.ndarray]) -> None:
        """Take one image."""
        category = self.annotations.scene(image)
        known, shown = self.null.add(category, concepts)
        columns, parts = self.localizer.find(maps, category), []
        layers, facts = np.asarray(columns["layer"], str), np.stack([columns[name] for name in _SAID], 1)
        centers = np.stack([columns["row"], columns["col"]], 1)
        for layer, one in self.localizer.units.layers.items():
            own = np.flatnonzero(layers == layer)
            order = np.argsort(one.units)
            rows = one.rows[order[np.searchsorted(one.units[order], columns["unit"][own])]]
            places = np.rint((centers[own] - one.grid.start) / one.grid.stride).astype(np.int64)
            right = shown[layer][self.null.pair_of[rows], places[:, 0], places[:, 1]]
            # Where the annotators never name the concept, nobody knows whether the box is right.
            judged = known[self.null.pair_of[rows]]
            parts.append(_Found(*(one[judged] for one in (rows, places, facts[own], right))))
        self.categories.append(category)
        self.found.append(_Found(*map(np.concatenate, zip(*parts, strict=True))))

    def state(self) -> tuple[Packed, Packed]:
        """All that was counted, and what is new since the last call; see `Unfinished.save`."""
        new, categories = self.found[self._kept :], self.categories[self._kept :]
        fresh = {name: np.concatenate([getattr(one, name) for one in new]) for name in _Found._fields if new}
        fresh["ends"] = np.cumsum([len(one.rows) for one in new], dtype=np.int64)
        self._kept = len(self.found)
        return self.null.state(), (categories, fresh)

    def restore(self, work: Unfinished) -> None:
        """Take over what an earlier process counted."""
        self.null.restore(*work.total)
        for about, part in work.parts:
            self.categories += about["boxes"]
            columns = [
                np.split(part[name], part["ends"][:-1]) for name in _Found._fields if len(part["ends"])
            ]
            self.found += [_Found(*one) for one in zip(*columns, strict=True)]
        self._kept = len(self.found)

    def table(self) -> pd.DataFrame:
        """See `DetectorScores.boxes`."""
        rows, places, facts, right = map(np.concatenate, zip(*self.found, strict=True))
        image = np.repeat(np.arange(len(self.found)), [len(one.rows) for one in self.found])
        named = self.localizer.units.table.iloc[rows][["layer", "concept", "unit"]].reset_index(drop=True)
        said = pd.DataFrame(facts, columns=list(_SAID)).astype(dict.fromkeys(("images", *HERE), np.int64))
        elsewhere = self.null.shares(np.array(self.categories)[image], rows, places, right)
        judged = pd.DataFrame({"image": image, "right": right, "elsewhere": elsewhere})
        return pd.concat([named, said, judged], axis=1)[list(BOX_COLUMNS)]
