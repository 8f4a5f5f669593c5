"""How good is it, and how sure are we: the numbers that the workbook puts under its figures.

Each function says first what happens at the edges (nothing to find, ties, no cases), because that is where
published implementations differ in silence. An undefined number is NaN, never 0 or 1: a mean over units
should leave it out (`np.nanmean`), not be pulled by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError


class PrecisionRecall(NamedTuple):
    """One entry per distinct score, from the highest down: (m,) float arrays."""

    precision: np.ndarray
    recall: np.ndarray
    threshold: np.ndarray


def iou(mask: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks.

    Edge cases: two empty masks give NaN (nothing was there and nothing was found); one empty mask gives 0.
    Over many images, add up intersections and unions first: a mean of IoUs weighs a speck like a wall.

    Parameters
    ----------
    mask, other : bool arrays of the same shape, or 0/1 arrays.

    Returns
    -------
    float in 0..1, or NaN.

    Examples
    --------
    >>> iou(np.array([1, 1, 0]), np.array([0, 1, 1]))
    0.3333333333333333
    """
    mask, other = np.asarray(mask).astype(bool), np.asarray(other).astype(bool)
    if mask.shape != other.shape:
        raise SceneLensError(
            f"two masks to compare have one shape; these have {mask.shape} and {other.shape}."
        )
    union = int(np.count_nonzero(mask | other))
    return int(np.count_nonzero(mask & other)) / union if union else math.nan


def precision_recall(present: np.ndarray, scores: np.ndarray) -> PrecisionRecall:
    """Precision and recall of "the score is at least t", for every t that makes a difference.

    Edge cases: equal scores stand or fall together, so they give one entry and the order of the images never
    matters; without a positive case recall is NaN; without any case the arrays are empty.

    Parameters
    ----------
    present : (n,) bool or 0/1: what is true.
    scores : (n,) finite numbers; higher means more surely present.

    Examples
    --------
    >>> precision_recall([1, 0, 1], [.9, .5, .5]).precision.round(2).tolist()
    [1.0, 0.67]
    """
    truth, values = _cases(present, scores)
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else np.zeros(0, int)
    hits = np.cumsum(truth[order])[last]
    positives = np.count_nonzero(truth)
    recall = hits / positives if positives else np.full(len(last), math.nan)
    return PrecisionRecall(hits / (last + 1), recall, ranked[last])


def average_precision(present: np.ndarray, scores: np.ndarray) -> float:
    """Area under the precision-recall steps: sum of precision times recall gained, as in scikit-learn.

    Edge cases: NaN without a positive case; equal scores stand or fall together (see `precision_recall`), so
    a constant score has the AP of its base rate. Nothing is interpolated.

    Examples
    --------
    >>> average_precision([1, 0, 1, 0], [4, 3, 2, 1])
    0.8333333333333333
    """
    curve = precision_recall(present, scores)
    if not np.any(np.asarray(present)):
        return math.nan
    return float(np.sum(curve.precision * np.diff(curve.recall, prepend=0.0)))


def wilson_interval(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share: where the true share lies, given k of n.

    Edge cases: n = 0 gives (0, 1), for nothing is known; k = 0 gives exactly 0 below, k = n exactly 1 above.

    Parameters
    ----------
    k, n : how many of how many; 0 <= k <= n.
    confidence : between 0 and 1.

    Returns
    -------
    (low, high), shares in 0..1.

    Examples
    --------
    >>> [round(end, 4) for end in wilson_interval(55, 100)]
    [0.4524, 0.6439]
    """
    if not 0 <= k <= n:
        raise SceneLensError(f"a share is k of n with 0 <= k <= n; got {k} of {n}.")
    z = NormalDist().inv_cdf(0.5 + _checked(confidence) / 2)
    if n == 0:
        return 0.0, 1.0
    centre, total = k + z * z / 2, n + z * z
    half = z * math.sqrt(k * (n - k) / n + z * z / 4)
    return (max(0.0, (centre - half) / total) if k else 0.0), (
        min(1.0, (centre + half) / total) if k < n else 1.0
    )


def bootstrap_interval(
    values: np.ndarray | Sequence[Any],
    statistic: Callable[[np.ndarray], float] = np.mean,
    seed: int = 0,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap: how far a statistic moves when the cases are drawn anew, with replacement.

    Edge cases: fewer than two cases give (NaN, NaN); resamples whose statistic is NaN (a correlation of equal
    numbers) are left out, and with more than half of them NaN so is the interval.

    Parameters
    ----------
    values : (n,) or (n, ...) array; whole rows are drawn, so pairs stay pairs.
    statistic : gets a resampled array of the same shape, gives a number.
    seed : the same seed gives the same interval.

    Returns
    -------
    (low, high) in the statistic's own unit.

    Examples
    --------
    >>> low, high = bootstrap_interval([1, 2, 3, 4, 5], seed=1)
    >>> 1 <= low < 3 < high <= 5
    True
    """
    cases = np.asarray(values)
    tail = (1 - _checked(confidence)) / 2
    if n_resamples < 1:
        raise SceneLensError(f"a bootstrap needs at least one resample, not {n_resamples}.")
    if len(cases) < 2:
        return math.nan, math.nan
    rng = np.random.default_rng(seed)
    found = np.array(
        [statistic(cases[rng.integers(len(cases), size=len(cases))]) for _ in range(n_resamples)]
    )
    return middle(found, tail)


def middle(found: np.ndarray, tail: float = 0.025) -> tuple[float, float]:
    """What lies between the tails of a statistic's resamples; the rules for NaN are `bootstrap_interval`'s.

    Examples
    --------
    >>> middle(np.arange(101.0), 0.1)
    (10.0, 90.0)
    """
    if np.isnan(found).mean() > 0.5:
        return math.nan, math.nan
    low, high = np.nanquantile(found, [tail, 1 - tail])
    return float(low), float(high)


def share_of_top(scores: np.ndarray, groups: Sequence[Any], n: int = 100) -> pd.DataFrame:
    """Which group the highest scores come from, beside what chance would give (paper, section 2, Figure 1).

    Edge cases: images whose score is NaN do not take part; with fewer than n of them all count; of equal
    scores the earlier image goes first, so that a result does not depend on a sorting algorithm.

    Parameters
    ----------
    scores : (n_images,) numbers, e.g. an index's `layer_scores`.
    groups : (n_images,) what each image belongs to, e.g. its source.
    n : how many of the highest scores are looked at.

    Returns
    -------
    DataFrame, one row per group in sorted order: group, n, count, share, low, high (Wilson, 95%), chance
    (the group's share of all images that take part).

    Examples
    --------
    >>> share_of_top([9, 8, 1, 0], ["scene", "object", "scene", "scene"], n=2)[["group", "share", "chance"]]
        group  share  chance
    0  object    0.5    0.25
    1   scene    0.5    0.75
    """
    values, names = np.asarray(scores, dtype=float), np.asarray(groups, dtype=object)
    if values.shape != names.shape or values.ndim != 1:
        raise SceneLensError(f"one group for each score; got shapes {names.shape} and {values.shape}.")
    if n < 1:
        raise SceneLensError(f"the top of a list has at least one entry, not {n}.")
    kept = ~np.isnan(values)
    values, names = values[kept], names[kept]
    top = names[np.argsort(-values, kind="stable")[:n]]
    rows = [
        _share(group, int(np.count_nonzero(top == group)), len(top)) for group in sorted(set(names), key=str)
    ]
    return pd.DataFrame(rows, columns=["group", "n", "count", "share", "low", "high"]).assign(
        chance=[np.count_nonzero(names == group) / len(names) for group in sorted(set(names), key=str)]
    )


def _share(group: Any, k: int, n: int) -> dict[str, Any]:
    low, high = wilson_interval(k, n)
    return {"group": group, "n": n, "count": k, "share": k / n, "low": low, "high": high}


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise SceneLensError(f"a confidence lies between 0 and 1 (0.95 is usual), not {confidence}.")
    return confidence


def _cases(present: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth, values = np.asarray(present).astype(bool), np.asarray(scores, dtype=float)
    if truth.ndim != 1 or truth.shape != values.shape:
        raise SceneLensError(f"one score for each case; got shapes {truth.shape} and {values.shape}.")
    if not np.isfinite(values).all():
        raise SceneLensError("scores must be finite numbers; leave out the images that could not be read.")
    return truth, values
