"""How good is it, and how sure are we: the numbers that the workbook puts under its figures.

Each function says first what happens at the edges (nothing to find, ties, no cases), because that is where
published implementations differ in silence. An undefined number is NaN, never 0 or 1: a mean over units
should leave it out (`np.nanmean`), not be pulled by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.intervals import wilson_interval

#: MERGED DOC: How well a detector finds its object: in the pixels, in the images, and whether its confidence is honest.
#
# Section 4.2 of the paper measures two things of a unit that has become an object detector: how well its region
# covers the object (Jaccard index), and how well its response ranks the images (average precision). Pixels are
# too many to sort, so they are counted in bins of their score; all pixels of one bin stand or fall together.
#
# What happens at the edges is `metrics`' policy: an undefined number is NaN, never 0 or 1.
#


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


def _cases(present: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth, values = np.asarray(present).astype(bool), np.asarray(scores, dtype=float)
    if truth.ndim != 1 or truth.shape != values.shape:
        raise SceneLensError(f"one score for each case; got shapes {truth.shape} and {values.shape}.")
    if not np.isfinite(values).all():
        raise SceneLensError("scores must be finite numbers; leave out the images that could not be read.")
    return truth, values


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
