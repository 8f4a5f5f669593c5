"""How good is it, and how sure are we: the numbers that the workbook puts under its figures.

Each function says first what happens at the edges (nothing to find, ties, no cases), because that is where
published implementations differ in silence. An undefined number is NaN, never 0 or 1: a mean over units
should leave it out (`np.nanmean`), not be pulled by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from scenelens.errors import SceneLensError

#: MERGED DOC: How well a detector finds its object: in the pixels, in the images, and whether its confidence is honest.
#
# Section 4.2 of the paper measures two things of a unit that has become an object detector: how well its region
# covers the object (Jaccard index), and how well its response ranks the images (average precision). Pixels are
# too many to sort, so they are counted in bins of their score; all pixels of one bin stand or fall together.
#
# What happens at the edges is `metrics`' policy: an undefined number is NaN, never 0 or 1.
#


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


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise SceneLensError(f"a confidence lies between 0 and 1 (0.95 is usual), not {confidence}.")
    return confidence


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
