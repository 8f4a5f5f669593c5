"""How well a detector finds its object: in the pixels, in the images, and whether its confidence is honest.

Section 4.2 of the paper measures two things of a unit that has become an object detector: how well its region
covers the object (Jaccard index), and how well its response ranks the images (average precision). Pixels are
too many to sort, so they are counted in bins of their score; all pixels of one bin stand or fall together.

What happens at the edges is `metrics`' policy: an undefined number is NaN, never 0 or 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.metrics import PrecisionRecall, bootstrap_interval, wilson_interval


def jaccard(shared: np.ndarray, active: np.ndarray, truth: np.ndarray) -> float:
    """Jaccard index over many images: all shared pixels over all pixels of either mask.

    Edge cases: no pixel in either mask of any image gives NaN. An image without the object counts through the
    pixels that are active on it.

    Parameters
    ----------
    shared, active, truth : (n_images,) pixels of both masks, of the detector's, of the object's.

    Examples
    --------
    >>> jaccard([1, 0], [2, 3], [4, 0])  # 1 of 2 + 4 - 1, and 3 more on the second image
    0.125
    """
    both = int(np.sum(shared))
    either = int(np.sum(active)) + int(np.sum(truth)) - both
    if both < 0 or either < both:
        raise SceneLensError(f"{both} shared pixels do not fit into {either} pixels of either mask.")
    return both / either if either else math.nan


def counted_precision_recall(hits: np.ndarray, misses: np.ndarray) -> PrecisionRecall:
    """Precision and recall from counts per bin of score, as `metrics.precision_recall` over the single cases.

    Edge cases: empty bins give no entry; without a hit recall is NaN; without any case the arrays are empty.

    Parameters
    ----------
    hits, misses : (bins,) how many cases of each score are on the object and off it, low scores first.

    Returns
    -------
    PrecisionRecall : from the highest score down; threshold is the bin's number.

    Examples
    --------
    >>> counted_precision_recall([0, 1, 1], [1, 1, 0]).precision.round(2).tolist()
    [1.0, 0.67, 0.5]
    """
    good, bad = (np.asarray(one, dtype=np.int64)[::-1] for one in (hits, misses))
    if good.shape != bad.shape or good.ndim != 1 or min(good.min(initial=0), bad.min(initial=0)) < 0:
        raise SceneLensError(f"one count of hits and misses per bin; got {good.shape} and {bad.shape}.")
    filled = np.flatnonzero(good + bad)
    found, all_of_them = np.cumsum(good)[filled], np.cumsum(good + bad)[filled]
    total = int(good.sum())
    recall = found / total if total else np.full(len(filled), math.nan)
    return PrecisionRecall(found / all_of_them, recall, (len(good) - 1 - filled).astype(float))


def counted_average_precision(hits: np.ndarray, misses: np.ndarray) -> float:
    """Average precision from counts per bin; NaN without a hit. See `counted_precision_recall`.

    Examples
    --------
    >>> counted_average_precision([0, 1, 1], [1, 1, 0]).__round__(3)
    0.833
    """
    if not np.sum(hits):
        return math.nan
    curve = counted_precision_recall(hits, misses)
    return float(np.sum(curve.precision * np.diff(curve.recall, prepend=0.0)))


def union_mask(masks: Sequence[np.ndarray]) -> np.ndarray:
    """The pixels of any of several masks (h, w): what a class's units cover together.

    Edge cases: of no mask there is no union, a SceneLensError.

    Examples
    --------
    >>> union_mask([np.array([1, 0, 0], bool), np.array([0, 0, 1], bool)]).tolist()
    [True, False, True]
    """
    if not len(masks):
        raise SceneLensError("a union needs at least one mask.")
    return np.logical_or.reduce([np.asarray(mask, dtype=bool) for mask in masks])


def reliability(confidence: np.ndarray, right: np.ndarray, n_bins: int = 10) -> pd.DataFrame:
    """Whether confidence means what it says: cases in bins of equal width, what was promised, what came.

    Edge cases: a bin without a case gives no row; a confidence between two bins counts in the higher.

    Parameters
    ----------
    confidence : (n,) in 0..1. right : (n,) bool.

    Returns
    -------
    DataFrame, least confident first: n, confidence (mean), right (share), low, high (Wilson, 95%).

    Examples
    --------
    >>> reliability([.1, .1, .9, .9], [0, 0, 1, 0], 2)[["n", "confidence", "right"]].values.tolist()
    [[2.0, 0.1, 0.0], [2.0, 0.9, 0.5]]
    """
    said, came = np.asarray(confidence, float), np.asarray(right, bool)
    if said.shape != came.shape or said.ndim != 1 or np.any((said < 0) | (said > 1)):
        raise SceneLensError("one confidence between 0 and 1 for each case.")
    columns = ["n", "confidence", "right", "low", "high"]
    if not len(said):
        return pd.DataFrame(columns=columns)
    bins = np.minimum((said * n_bins).astype(int), n_bins - 1)
    rows = []
    for number in np.unique(bins):
        chosen = bins == number
        k, n = int(came[chosen].sum()), int(chosen.sum())
        rows.append((n, float(said[chosen].mean()), k / n, *wilson_interval(k, n)))
    return pd.DataFrame(rows, columns=columns)


def calibration_error(confidence: np.ndarray, right: np.ndarray, n_bins: int = 10) -> float:
    """How far confidence is off on average (expected calibration error), 0..1; NaN without a case.

    Examples
    --------
    >>> calibration_error([.1, .1, .9, .9], [0, 0, 1, 0], 2).__round__(3)
    0.25
    """
    table = reliability(confidence, right, n_bins)
    if table.empty:
        return math.nan
    return float(np.average((table["confidence"] - table["right"]).abs(), weights=table["n"]))


def paired_difference(
    ours: np.ndarray, theirs: np.ndarray, statistic: Callable[[np.ndarray], float] = np.mean, seed: int = 0
) -> tuple[float, float, float, int]:
    """How much more of a measure one network has than another, over the same objects.

    Edge cases: pairs in which either is NaN are left out; with fewer than two pairs there is no interval.

    Returns
    -------
    (difference, low, high, n) : the mean difference, its 95% bootstrap interval over the objects, their
    number.

    Examples
    --------
    >>> paired_difference(np.array([.5, .7, np.nan]), np.array([.4, .4, .1]))[3]
    2
    """
    both = np.asarray(ours, float) - np.asarray(theirs, float)
    both = both[np.isfinite(both)]
    if not len(both):
        return math.nan, math.nan, math.nan, 0
    return (float(statistic(both)), *bootstrap_interval(both, statistic, seed), len(both))
