"""The confidence that a unit's response deserves: how often the concept in its name is really there.

A response of 7.3 alone tells a reader nothing, and 7.3 of another unit means something else. So the labelled
units are observed on annotated images that had no part in choosing their names: wherever a unit is active, is
its concept there? "There" means within the cell of the strongest position, that is, no farther from its
centre than half a stride. The share of such hits, as a function of the response that may only rise, is the
confidence.

Isotonic regression fits this function: it pools neighbouring responses until their shares of hits rise. A
pool of fewer than ten cases is joined with a neighbour. A pool with k hits in n cases gets the confidence
(k + 1) / (n + 2), so that no confidence is 0 or 1 and a few cases never give an extreme one. Between the
mean responses of the pools, the confidence is interpolated.

Where boxes of one concept merge, the most confident unit gives the confidence of the merged box. The most
confident of many is too confident on average. So a second function of the same kind, one per layer, maps the
confidence before merging to the share of merged boxes that are right.

The paper shows "confidence based on the units' activation" (Figure 10) and does not say how it was computed.
This method is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression

from scenelens.annotations import Annotations
from scenelens.errors import CannotAnswerError, SceneLensError, close_names
from scenelens.localization.boxes import LabelledUnits
from scenelens.localization.truth import ImageConcepts
from scenelens.unfinished import Packed, Unfinished

_POOL = 10  # cases, at least, behind every confidence


class Curve(NamedTuple):
    """Confidence as a rising function of the response.

    Beyond the first and the last response it stays at the value there.

    Attributes
    ----------
    response : numpy.ndarray
        (n,) float64, rising.
    confidence : numpy.ndarray
        (n,) float64, 0..1, not falling.
    """

    response: np.ndarray
    confidence: np.ndarray

    def __call__(self, response: float) -> float:
        """Return the confidence in 0..1 that a response deserves."""
        return float(np.interp(response, self.response, self.confidence))

    @classmethod
    def fit(cls, responses: Sequence[float] | np.ndarray, right: Sequence[bool] | np.ndarray) -> Curve:
        """Fit the share of hits as a rising function of the response.

        Parameters
        ----------
        responses : array_like
            (n,) finite numbers, one per case.
        right : array_like
            (n,) bool, whether the concept was there.

        Returns
        -------
        Curve
            One point per pool of at least ten cases; one point in all where there are fewer than ten.

        Raises
        ------
        SceneLensError
            If there is no case, or the two arrays differ in length.

        Examples
        --------
        >>> curve = Curve.fit([1] * 10 + [2] * 10, [0] * 10 + [1] * 9 + [0])
        >>> curve(0.5).__round__(3), curve(1.5).__round__(3), curve(9).__round__(3)
        (0.083, 0.458, 0.833)
        """
        values, hits = np.asarray(responses, float), np.asarray(right, bool)
        if not len(values) or values.shape != hits.shape:
            raise SceneLensError(
                "a confidence needs a response and a hit or miss per case, of one case at least."
            )
        fitted = IsotonicRegression().fit_transform(values, hits)
        # Cases with the same fitted share are one pool. The sort is stable, so equal responses stay together
        # in the order of the images, and the same cases always give the same curve.
        order = np.argsort(values, kind="stable")
        starts = np.flatnonzero(np.append(True, np.diff(fitted[order]) > 0))
        pools = _join_small(np.split(order, starts[1:]), _POOL)
        shares = [(hits[pool].sum() + 1) / (len(pool) + 2) for pool in pools]
        # (k + 1) / (n + 2) may fall a little where the raw share k / n rises: a large pool keeps more of its
        # share than a small one. The running maximum makes the curve rise again.
        return cls(np.array([values[pool].mean() for pool in pools]), np.maximum.accumulate(shares))


def _join_small(parts: list[np.ndarray], least: int) -> list[np.ndarray]:
    """Neighbouring parts joined until each has at least that many cases; a single part may have fewer.

    It goes from the highest responses down. There a pool is small most often, one or two lucky peaks, and
    there it would do most harm: its confidence would be too high. Joined with the next lower pool, it is
    lower.
    """
    joined: list[np.ndarray] = []
    for part in reversed(parts):
        if joined and len(joined[-1]) < least:
            joined[-1] = np.concatenate([part, joined[-1]])
        else:
            joined.append(part)
    if len(joined) > 1 and len(joined[-1]) < least:  # the lowest has no lower neighbour
        lowest = joined.pop()
        joined[-1] = np.concatenate([lowest, joined[-1]])
    return joined[::-1]


@dataclass(frozen=True)
class Calibration:
    """The confidence that the responses of some units deserve; made by `fit`.

    Attributes
    ----------
    network : str
        The network's name.
    weights : str
        The hash of its weights.
    units : pandas.DataFrame
        One row per unit: layer, unit, concept, type, kind, threshold (above which the unit is active), n (how
        often it was active), right (how often of these its concept was there).
    curves : tuple of Curve
        Confidence as a function of the response, one per row of `units`.
    merged : dict of str to Curve, optional
        Layer -> confidence of a merged box as a function of its most confident unit's confidence.
    """

    network: str
    weights: str
    units: pd.DataFrame
    curves: tuple[Curve, ...]
    merged: dict[str, Curve] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        units: LabelledUnits,
        annotations: Annotations,
        images: Sequence[str] | None = None,
        progress: bool = True,
        work: Unfinished | None = None,
    ) -> Calibration:
        """Observe labelled units on annotated images that had no part in choosing their names.

        Parameters
        ----------
        units : LabelledUnits
            The units, with thresholds. Their fields should be those that the localizer gets, since they
            decide which boxes merge.
        annotations : Annotations
            What is where on the images.
        images : sequence of str, optional
            Ids of images in `annotations`; by default all.
        progress : bool, optional
            Whether to show a progress bar (default True).
        work : Unfinished, optional
            Keeps what was observed so far, and has what an earlier process observed.

        Returns
        -------
        Calibration
            Of the units that are active on some of these images and whose concept is on some of them.

        Raises
        ------
        SceneLensError
            If the labels have no thresholds, or no image shows any labelled concept.
        """
        if "threshold" not in units.table:
            raise SceneLensError(
                "labels need a column `threshold`, the response above which a unit is active; "
                "`StudyLocalizer.with_thresholds` adds it."
            )
        ids = list(annotations.images if images is None else images)
        observed, layers = _Observations(units), list(units.layers)
        if work is not None and work.done:
            observed.restore(work)
        for batch in ImageConcepts.batches(
            units.network, annotations, layers, ids, progress, work, observed.state
        ):
            for k, concepts in enumerate(batch[1]):
                observed.add(concepts, {layer: values[k] for layer, values in batch[2].items()})
        return observed.result()

    def confidence(self, layer: str, unit: int, response: float) -> float:
        """Return the confidence that a unit's response deserves before boxes are merged.

        Parameters
        ----------
        layer : str
            The unit's layer.
        unit : int
            Its number in the layer.
        response : float
            Its response.

        Returns
        -------
        float
            The confidence, 0..1.

        Raises
        ------
        SceneLensError
            If the unit was not calibrated.
        """
        rows = np.flatnonzero((self.units.layer == layer) & (self.units.unit == unit))
        if not len(rows):
            known = close_names(layer, list(self.units.layer.unique()))
            raise SceneLensError(f"{layer}:{unit} of the {self.network} network was not calibrated; {known}.")
        return self.curves[rows[0]](response)


class _Active(NamedTuple):
    """The boxes of one layer in one image, before merging: each one's row of the table, its highest response,
    its edges, and whether its concept was there."""

    rows: np.ndarray
    responses: np.ndarray
    boxes: np.ndarray
    right: np.ndarray


class _Observations:
    """Where labelled units are active, and whether their concepts are there; one image after the other."""

    def __init__(self, units: LabelledUnits) -> None:
        self.units, self.tags = units, list(units.table.itertuples())
        self.present = np.zeros(len(self.tags), bool)
        self.active: dict[str, list[_Active]] = {layer: [] for layer in units.layers}
        self._kept = 0  # images in the latest state on disk

    def add(self, concepts: ImageConcepts, maps: dict[str, np.ndarray]) -> None:
        """Take one image."""
        known = np.array([concepts.in_vocabulary(tag.concept) for tag in self.tags])
        shown = np.array([concepts.contains(tag.concept, tag.kind) for tag in self.tags])
        self.present |= known & shown
        for layer, one in self.units.layers.items():
            rows, *found = one.find(maps[layer])
            # An image whose annotators never name the concept says nothing about it: neither a hit nor a
            # miss.
            rows, responses, places, boxes = (part[known[rows]] for part in (rows, *found))
            right = [
                bool(shown[row]) and concepts.contains(self.tags[row].concept, self.tags[row].kind, cell)
                for row, cell in zip(rows, (one.cell(y, x) for y, x in places.tolist()), strict=True)
            ]
            self.active[layer].append(_Active(rows, responses, boxes, np.array(right, bool)))

    def state(self) -> tuple[Packed, Packed]:
        """All that was observed, and what is new since the last call; see `Unfinished.save`."""
        fresh: dict[str, np.ndarray] = {}
        for k, several in enumerate(self.active.values()):
            new = several[self._kept :]
            for name in _Active._fields if new else ():
                fresh[f"{k} {name}"] = np.concatenate([getattr(one, name) for one in new])
            fresh[f"{k} ends"] = np.cumsum([len(one.rows) for one in new], dtype=np.int64)
        self._kept = len(next(iter(self.active.values()), []))
        return (None, {"present": self.present}), (None, fresh)

    def restore(self, work: Unfinished) -> None:
        """Take over what an earlier process observed."""
        self.present = work.total[1]["present"].copy()
        for _, part in work.parts:
            for k, several in enumerate(self.active.values()):
                ends = part[f"{k} ends"]
                columns = [np.split(part[f"{k} {name}"], ends[:-1]) for name in _Active._fields if len(ends)]
                several += [_Active(*one) for one in zip(*columns, strict=True)]
        self._kept = len(next(iter(self.active.values()), []))

    def result(self) -> Calibration:
        """The curves of the units that were active and whose concept was on any image, then those of merged
        boxes."""
        rows, responses, right = self._cases()
        n = np.bincount(rows, minlength=len(self.tags))
        # A unit whose concept is on none of these images could only miss; this says nothing about the unit.
        kept = np.flatnonzero(self.present & (n > 0))
        if not len(kept):
            raise CannotAnswerError(
                f"no image shows any labelled concept where a unit of the {self.units.network.name} "
                "network is "
                "active, so no response can be turned into a confidence: annotate more images."
            )
        curves = {int(row): Curve.fit(responses[rows == row], right[rows == row]) for row in kept}
        names = ("layer", "unit", "concept", "type", "kind", "threshold")
        columns = [name for name in names if name in self.units.table]
        units = self.units.table.loc[kept, columns].reset_index(drop=True)
        hits = np.bincount(rows, right, minlength=len(self.tags)).astype(int)
        network = self.units.network
        return Calibration(
            network.name,
            str(network.weights_hash),
            units.assign(n=n[kept], right=hits[kept]),
            tuple(curves.values()),
            self._merged(curves),
        )

    def _cases(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, responses and hits of all boxes of all images."""
        active = [one for several in self.active.values() for one in several]
        if not active:
            return np.zeros(0, int), np.zeros(0, np.float32), np.zeros(0, bool)
        return (
            np.concatenate([one.rows for one in active]),
            np.concatenate([one.responses for one in active]),
            np.concatenate([one.right for one in active]),
        )

    def _merged(self, curves: dict[int, Curve]) -> dict[str, Curve]:
        """Layer -> the share of merged boxes that are right, by the confidence of their most confident unit.

        The boxes are merged image by image exactly as the localizer does it, on the same images on which the
        units' own curves were fitted.
        """
        found = {}
        for layer, several in self.active.items():
            confidences, hits = [], []
            for one in several:
                known = np.array([row in curves for row in one.rows], bool)
                rows, boxes, right = one.rows[known], one.boxes[known], one.right[known]
                own = [curves[row](value) for row, value in zip(rows, one.responses[known], strict=True)]
                confidence = np.array(own, float)
                leader = self.units.merge(rows, boxes, confidence)[0]
                first = leader == np.arange(len(leader))
                confidences += confidence[first].tolist()
                hits += right[first].tolist()
            if confidences:
                found[layer] = Curve.fit(np.array(confidences), np.array(hits))
        return found
