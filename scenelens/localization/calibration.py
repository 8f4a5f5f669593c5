"""The confidence that a unit's response deserves: how often the concept in its name is really there.

A response of 7.3 alone tells a reader nothing, and 7.3 of another unit means something else. So the labelled
units are observed on annotated images that had no part in choosing their names: wherever a unit is active, is
its concept there? "There" means within the cell of the strongest position, that is, no farther from its
centre than half a stride. Boxes of one concept are merged first, as the localizer does it; the strongest unit
of a merged box answers for it.

The share of such hits, as a function of the response that may only rise, is fitted unit by unit. Isotonic
regression pools neighbouring responses until their shares rise, and a pool of fewer than ten images is joined
with a neighbour. Boxes of one image are no independent cases, so they count together as one. A unit with few
images says little, so the layer's other units help: their share at responses as strong (in thresholds) counts
like some images more, 1 to 16, as many as make the calibration set most likely. A unit without any box gets
the layer's share.

What is shown is not the share but the lower end of its 95% interval (that of the beta distribution of k hits
in n images), so that few images never give a high confidence. The number of images stands beside it.

Often the category of the scene says what the box says. So each box is also compared with the annotations of
the other images of its category, at the same place (`_CategoryNull`). A unit whose confidence does not exceed
that share has shown no evidence of its own: it may know bookstores, and not bookcases.

The paper shows "confidence based on the units' activation" (Figure 10) and does not say how it was computed.
This method is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import betaincinv, betaln
from sklearn.isotonic import IsotonicRegression

from scenelens.annotations import Annotations
from scenelens.errors import CannotAnswerError, SceneLensError, close_names
from scenelens.localization.boxes import LabelledUnits
from scenelens.localization.category_null import _CategoryNull
from scenelens.localization.shared_frames import _SharedFrames
from scenelens.localization.truth import ImageConcepts
from scenelens.unfinished import Packed, Unfinished

_POOL = 10  # images, at least, behind a point of a unit's own curve
_STRENGTHS = 2.0 ** np.arange(0.0, 4.5, 0.5)  # images that the layer's share may count for: 1 to 16
_TAIL = 0.025  # of the probability below the lower end of a 95% interval
#: What is known of a response, one row of `Curve.points` each after the response itself.
FACTS = ("confidence", "estimate", "images", "by_category")
#: What is known of a unit's boxes on images of the same scene: how many there were, and how many were right.
HERE = ("here", "here_right")
#: The columns of `Calibration.scenes`.
SCENE_COLUMNS = ("curve", "category", "n", "right", "images")


class Curve(NamedTuple):
    """What a unit's response is worth, as a function of the response.

    Between two points everything is interpolated. Beyond the first and the last response it stays as it is
    there.

    Attributes
    ----------
    response : numpy.ndarray
        (n,) float64, rising.
    confidence : numpy.ndarray
        (n,) float64, 0..1, not falling: the lower end of the share's 95% interval.
    estimate : numpy.ndarray
        (n,) float64, 0..1, not falling: the share of boxes that are right.
    images : numpy.ndarray
        (n,) float64, the images behind the share.
    by_category : numpy.ndarray
        (n,) float64, 0..1: how often the same boxes would be right on other images of the same category; NaN
        where there was none.
    """

    response: np.ndarray
    confidence: np.ndarray
    estimate: np.ndarray
    images: np.ndarray
    by_category: np.ndarray

    def __call__(self, response: float) -> float:
        """Return the confidence in 0..1 that a response deserves."""
        return float(np.interp(response, self.response, self.confidence))

    @classmethod
    def of(cls, responses: Sequence[float], confidence: Sequence[float], images: int = 0) -> Curve:
        """Return a curve of confidences from elsewhere, about which no more is known.

        Parameters
        ----------
        responses : sequence of float
            Rising.
        confidence : sequence of float
            In 0..1, one for each response; also the estimate.
        images : int, optional
            The images behind each (default 0).

        Returns
        -------
        Curve
            Without a comparison with other images of the category.

        Examples
        --------
        >>> Curve.of([0, 1], [0.2, 0.6])(0.5)
        0.4
        """
        shares = np.array(confidence, float)
        nothing = np.full(len(shares), np.nan)
        return cls(np.array(responses, float), shares, shares, np.full(len(shares), float(images)), nothing)

    @property
    def points(self) -> np.ndarray:
        """(5, n) float64: the response, and what is known of it (`FACTS`)."""
        return np.stack(self)


class _Cases(NamedTuple):
    """Boxes of one layer after merging, on all images of a set.

    Attributes
    ----------
    rows : numpy.ndarray
        (n,) int64, each box's row of ``units.table``.
    responses : numpy.ndarray
        (n,) float64, its highest response.
    ratios : numpy.ndarray
        (n,) float64, the same in thresholds of its unit, by which the units of a layer can be compared.
    right : numpy.ndarray
        (n,) bool, whether its concept was there.
    by_category : numpy.ndarray
        (n,) float64, how often it would be right on the other images of the category; NaN without any.
    images : numpy.ndarray
        (n,) int64, the number of its image.
    """

    rows: np.ndarray
    responses: np.ndarray
    ratios: np.ndarray
    right: np.ndarray
    by_category: np.ndarray
    images: np.ndarray

    def take(self, chosen: np.ndarray) -> _Cases:
        """Return some of the boxes.

        Parameters
        ----------
        chosen : numpy.ndarray
            A mask (n,) bool, or their numbers, int.

        Returns
        -------
        _Cases
            Those.
        """
        return _Cases(*(one[chosen] for one in self))


class _Pool(NamedTuple):
    """Neighbouring responses of one unit: their mean, the images, the sum over the images of the share of
    right boxes, the share that the layer's other units have at such responses, and that by the scene
    alone."""

    response: float
    images: int
    hits: float
    prior: float
    by_category: float


def _fit_curves(cases: _Cases, rows: np.ndarray, levels: np.ndarray) -> dict[int, Curve]:
    """Fit the curves of units of a layer.

    Parameters
    ----------
    cases : _Cases
        All boxes of the layer's units on the calibration set.
    rows : numpy.ndarray
        (k,) int64, the units' rows of ``units.table``.
    levels : numpy.ndarray
        (k,) float64, the units' thresholds.

    Returns
    -------
    dict of int to Curve
        Row of ``units.table`` -> the unit's curve. A unit without a box has the layer's.
    """
    layer = _Layer(cases)
    pools = {row: _unit_pools(cases.take(cases.rows == row), *layer.others(row)) for row in rows.tolist()}
    strength = _strength([pool for one in pools.values() for pool in one])
    found = {}
    for (row, own), level in zip(pools.items(), levels.tolist(), strict=True):
        places, shares = layer.others(row)
        bare = [_Pool(level * x, 0, 0.0, share, np.nan) for x, share in zip(places, shares, strict=True)]
        found[row] = _curve(own or bare, strength)
    return found


class _Layer:
    """The share of right boxes as a rising function of the response in thresholds, over a layer's units."""

    def __init__(self, cases: _Cases) -> None:
        parts = _pooled(cases.ratios, cases.right, np.ones(len(cases.rows)), cases.images)
        self.places = np.array([cases.ratios[part].mean() for part in parts] or [0.0])
        self._number = np.zeros(len(cases.rows), np.int64)
        for k, part in enumerate(parts):
            self._number[part] = k
        self._cases = cases

    def others(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Places and shares over all units but one, which must not be a witness for itself.

        Where no other unit has a box nothing is known, and the share is a half.
        """
        other = self._cases.rows != row
        n = np.bincount(self._number[other], minlength=len(self.places))
        hits = np.bincount(self._number[other], self._cases.right[other], len(self.places))
        return self.places, np.maximum.accumulate((hits + 1) / (n + 2))


def _unit_pools(cases: _Cases, places: np.ndarray, shares: np.ndarray) -> list[_Pool]:
    """The pools of one unit's boxes, and what the other units of the layer lead us to expect of them."""
    found: list[_Pool] = []
    for part in _pooled(cases.responses, cases.right, _weights(cases.images), cases.images):
        pool = cases.take(part)
        weights = _weights(pool.images)  # boxes of one image are no independent cases: together they are one
        known = np.isfinite(pool.by_category)
        found.append(
            _Pool(
                float(pool.responses.mean()),
                round(weights.sum()),
                float(weights @ pool.right),
                float(np.average(np.interp(pool.ratios, places, shares), weights=weights)),
                float(np.average(pool.by_category[known], weights=weights[known])) if known.any() else np.nan,
            )
        )
    return found


def _weights(images: np.ndarray) -> np.ndarray:
    """(n,) float64: one over the number of boxes that the box's image has here."""
    _, number, n = np.unique(images, return_inverse=True, return_counts=True)
    return np.asarray(1 / n[number])


def _pooled(
    values: np.ndarray, hits: np.ndarray, weights: np.ndarray, images: np.ndarray
) -> list[np.ndarray]:
    """Pools of cases with rising values, whose shares of hits rise, of ten images each at least."""
    if not len(values):
        return []
    fitted = IsotonicRegression().fit_transform(values, hits, sample_weight=weights)
    # Cases with the same fitted share are one pool. The sort is stable, so equal responses stay together in
    # the order of the images, and the same cases always give the same curve.
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(fitted[order]) > 0))
    return _join_small(np.split(order, starts[1:]), images, _POOL)


def _join_small(parts: list[np.ndarray], images: np.ndarray, least: int) -> list[np.ndarray]:
    """Neighbouring parts joined until each has at least that many images; a single part may have fewer.

    It goes from the highest responses down. There a pool is small most often, one or two lucky peaks, and
    there it would do most harm: its confidence would be too high. Joined with the next lower pool, it is
    lower.
    """

    def few(part: np.ndarray) -> bool:
        return len(np.unique(images[part])) < least

    joined: list[np.ndarray] = []
    for part in reversed(parts):
        if joined and few(joined[-1]):
            joined[-1] = np.concatenate([part, joined[-1]])
        else:
            joined.append(part)
    if len(joined) > 1 and few(joined[-1]):  # the lowest has no lower neighbour
        lowest = joined.pop()
        joined[-1] = np.concatenate([lowest, joined[-1]])
    return joined[::-1]


def _strength(pools: Sequence[_Pool]) -> float:
    """How many images the layer's share counts for beside a unit's own: the most likely of `_STRENGTHS`.

    The units of a layer differ from the layer's share by a beta distribution. The more they differ, the less
    the layer's share says about one of them.
    """
    n, hits, prior = np.array([(pool.images, pool.hits, pool.prior) for pool in pools]).reshape(-1, 3).T
    likely = []
    for strength in _STRENGTHS:
        a, b = strength * prior, strength * (1 - prior)
        likely.append((betaln(hits + a, n - hits + b) - betaln(a, b)).sum())
    return float(_STRENGTHS[int(np.argmax(likely))])


def _curve(pools: Sequence[_Pool], strength: float) -> Curve:
    """The points of a unit's curve: its own images and `strength` images at the layer's share."""
    response, n, hits, prior, by_category = np.array(pools, float).T
    a, b = hits + strength * prior, n - hits + strength * (1 - prior)
    # Of two pools the upper one has the higher share of hits, but not always more images.
    low = np.maximum.accumulate(betaincinv(a, b, _TAIL))
    return Curve(response, low, np.maximum.accumulate(a / (a + b)), n, by_category)


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
        many boxes it was the strongest unit of), right (how often of these its concept was there), images (on
        how many).
    curves : tuple of Curve
        What the unit's responses are worth, one per row of `units`.
    scenes : pandas.DataFrame, optional
        How `units`' counts are spread over the scene categories: curve (the row of `units`), category, n,
        right, images.
    """

    network: str
    weights: str
    units: pd.DataFrame
    curves: tuple[Curve, ...]
    scenes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(SCENE_COLUMNS)))

    @classmethod
    def fit(
        cls,
        units: LabelledUnits,
        annotations: Annotations,
        images: Sequence[str] | None = None,
        progress: bool = True,
        work: Unfinished | None = None,
        frames: _SharedFrames | None = None,
    ) -> Calibration:
        """Observe labelled units on annotated images that had no part in choosing their names.

        Parameters
        ----------
        units : LabelledUnits
            The units, with thresholds.
        annotations : Annotations
            What is where on the images.
        images : sequence of str, optional
            Ids of images in `annotations`; by default all.
        progress : bool, optional
            Whether to show a progress bar (default True).
        work : Unfinished, optional
            Keeps what was observed so far, and has what an earlier process observed.
        frames : _SharedFrames, optional
            The frames of these annotations that are kept for several networks.

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
        observed, layers = _Observations(units, annotations), list(units.layers)
        if work is not None and work.done:
            observed.restore(work)
        for batch in ImageConcepts.batches(
            units.network, annotations, layers, ids, progress, work, observed.state, frames
        ):
            for k, (image, concepts) in enumerate(zip(*batch[:2], strict=True)):
                observed.add(image, concepts, {layer: values[k] for layer, values in batch[2].items()})
        return observed.result()

    def confidence(self, layer: str, unit: int, response: float) -> float:
        """Return the confidence that a unit's response deserves.

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
    the place of this response in the map, its edges, and whether its concept was there."""

    rows: np.ndarray
    responses: np.ndarray
    places: np.ndarray
    boxes: np.ndarray
    right: np.ndarray


_NOTHING = _Active(
    np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 2), np.int64), np.zeros((0, 4)), np.zeros(0, bool)
)


class _Observations:
    """Where labelled units are active, and whether their concepts are there; one image after the other."""

    def __init__(self, units: LabelledUnits, annotations: Annotations) -> None:
        self.units, self.annotations = units, annotations
        self.null, self.present = _CategoryNull(units), np.zeros(len(units.table), bool)
        self.active: dict[str, list[_Active]] = {layer: [] for layer in units.layers}
        self.categories: list[str] = []
        self._kept = 0  # images in the latest state on disk

    def add(self, image: str, concepts: ImageConcepts, maps: dict[str, np.ndarray]) -> None:
        """Take one image."""
        category, pairs = self.annotations.scene(image), self.null.pair_of
        known, shown = self.null.add(category, concepts)
        present = np.array([concepts.contains(*pair) for pair in self.null.pairs], bool)
        self.present |= (known & present)[pairs]
        self.categories.append(category)
        for layer, one in self.units.layers.items():
            found = one.find(maps[layer])
            # An image whose annotators never name the concept says nothing about it: neither a hit nor a
            # miss.
            rows, responses, places, boxes = (part[known[pairs[found[0]]]] for part in found)
            right = shown[layer][pairs[rows], places[:, 0], places[:, 1]]
            self.active[layer].append(_Active(rows, responses, places, boxes, right))

    def state(self) -> tuple[Packed, Packed]:
        """All that was observed, and what is new since the last call; see `Unfinished.save`."""
        fresh: dict[str, np.ndarray] = {}
        for k, several in enumerate(self.active.values()):
            new = several[self._kept :]
            for name in _Active._fields if new else ():
                fresh[f"{k} {name}"] = np.concatenate([getattr(one, name) for one in new])
            fresh[f"{k} ends"] = np.cumsum([len(one.rows) for one in new], dtype=np.int64)
        about, counts = self.categories[self._kept :], self.null.state()
        self._kept = len(self.categories)
        return (counts[0], {"present": self.present, **counts[1]}), (about, fresh)

    def restore(self, work: Unfinished) -> None:
        """Take over what an earlier process observed."""
        self.present = work.total[1]["present"].copy()
        self.null.restore(*work.total)
        for categories, part in work.parts:
            self.categories += categories
            for k, several in enumerate(self.active.values()):
                ends = part[f"{k} ends"]
                columns = [np.split(part[f"{k} {name}"], ends[:-1]) for name in _Active._fields if len(ends)]
                several += [_Active(*one) for one in zip(*columns, strict=True)]
        self._kept = len(self.categories)

    def result(self) -> Calibration:
        """The curves of the units that were active and whose concept was on any image."""
        curves: dict[int, Curve] = {}
        led = [self._led(layer) for layer in self.active]
        for cases, several in zip(led, self.active.values(), strict=True):
            active = np.unique(np.concatenate([_NOTHING.rows, *(one.rows for one in several)]))
            rows = active[self.present[active]]
            curves |= _fit_curves(cases, rows, self.units.table.threshold.to_numpy(float)[rows])
        if not curves:
            raise CannotAnswerError(
                f"no image shows any labelled concept where a unit of the {self.units.network.name} network "
                "is active, so no response can be turned into a confidence: annotate more images."
            )
        kept, network = sorted(curves), self.units.network
        names = ("layer", "unit", "concept", "type", "kind", "threshold")
        columns = [name for name in names if name in self.units.table]
        units = self.units.table.loc[kept, columns].reset_index(drop=True)
        by_scene = pd.concat([self._by_scene(cases) for cases in led], ignore_index=True)
        counts = by_scene.groupby("row")[["n", "right", "images"]].sum()
        counts = counts.reindex(kept, fill_value=0).reset_index(drop=True)
        return Calibration(
            network.name,
            str(network.weights_hash),
            pd.concat([units, counts], axis=1),
            tuple(curves[row] for row in kept),
            by_scene.assign(curve=np.searchsorted(kept, by_scene.row)).drop(columns="row"),
        )

    def _led(self, layer: str) -> _Cases:
        """The boxes of all images after merging, of the units whose concept was on any of them: a unit whose
        concept is on none could only miss, which says nothing about the unit."""
        kept = [self._merged(one) for one in self.active[layer]]
        rows, values, places, _, right = map(np.concatenate, zip(_NOTHING, *kept, strict=True))
        images = np.repeat(np.arange(len(kept)), [len(one.rows) for one in kept])
        categories = np.array([*self.categories, ""])[images]
        by_category = self.null.shares(categories, rows, places, right)
        return _Cases(rows, values, self.units.ratios(rows, values), right, by_category, images)

    def _merged(self, active: _Active) -> _Active:
        """The boxes of one image that take others, as the localizer merges them."""
        one = _Active(*(part[self.present[active.rows]] for part in active))
        leader = self.units.merge(one.rows, one.boxes, self.units.ratios(one.rows, one.responses))[0]
        return _Active(*(part[leader == np.arange(len(leader))] for part in one))

    def _by_scene(self, cases: _Cases) -> pd.DataFrame:
        """See `Calibration.scenes`; with the units' rows."""
        category = np.array([*self.categories, ""])[cases.images]
        table = pd.DataFrame({"row": cases.rows, "category": category, "right": cases.right})
        groups = table.assign(image=cases.images).groupby(["row", "category"], sort=False)
        counts = {"n": ("right", "size"), "right": ("right", "sum"), "images": ("image", "nunique")}
        return groups.agg(**counts).reset_index()
