"""How sure a number is: intervals of shares, of any statistic, and of differences between networks.

Each function says first what it does in edge cases (no cases, one case, NaN), because published
implementations differ there and do not say so. A number that is not defined is NaN, never 0 or 1, so that
means over units leave it out (`numpy.nanmean`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.stats import DegenerateDataWarning, bootstrap

from scenelens.errors import SceneLensError


def wilson_interval(k: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a share: where the true share lies, given k of n.

    Edge cases: n = 0 gives (0, 1), because nothing is known. With k = 0 the lower end is exactly 0, with
    k = n the upper end is exactly 1.

    Parameters
    ----------
    k : float
        How many cases have the property, 0 <= k <= n; a fraction where some of them are tied.
    n : int
        How many cases there are.
    confidence : float, optional
        Between 0 and 1 (default 0.95).

    Returns
    -------
    tuple of float
        (low, high), shares in 0..1.

    Raises
    ------
    SceneLensError
        If k is not in 0..n, or the confidence is not between 0 and 1.

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
    # Rounding would give an end such as 1e-17 where it is exactly 0 or 1.
    low = max(0.0, (centre - half) / total) if k else 0.0
    high = min(1.0, (centre + half) / total) if k < n else 1.0
    return low, high


def difference_interval(
    k1: float, n1: int, k2: float, n2: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Return Newcombe's hybrid score interval of k1/n1 - k2/n2, the difference of two independent shares.

    It is made of the two Wilson intervals (l1, u1) and (l2, u2) of the shares p1 and p2: with d = p1 - p2 it
    goes from d - sqrt((p1 - l1)^2 + (u2 - p2)^2) to d + sqrt((u1 - p1)^2 + (p2 - l2)^2); method 10 of
    Newcombe (1998), "Interval estimation for the difference between independent proportions". Two Wilson
    intervals may overlap while this one leaves out 0: 16 and 34 of 512 are such a pair.

    Edge cases: where n1 or n2 is 0 nothing is known, and the interval is (-1, 1). Cases that are the same in
    both shares are not independent: use `paired_difference_interval` for them.

    Parameters
    ----------
    k1 : float
        How many cases of the first kind have the property, 0 <= k1 <= n1; a fraction where some are tied.
    n1 : int
        How many cases of the first kind there are.
    k2 : float
        How many cases of the second kind have the property, 0 <= k2 <= n2.
    n2 : int
        How many cases of the second kind there are.
    confidence : float, optional
        Between 0 and 1 (default 0.95).

    Returns
    -------
    tuple of float
        (low, high), in -1..1; above 0 where the first share is larger.

    Raises
    ------
    SceneLensError
        If a k is not in 0..n, or the confidence is not between 0 and 1.

    Examples
    --------
    >>> [round(end, 4) for end in difference_interval(56, 70, 48, 80)]
    [0.0524, 0.3339]
    >>> difference_interval(34, 512, 16, 512)[0] > 0
    True
    """
    (low1, high1), (low2, high2) = wilson_interval(k1, n1, confidence), wilson_interval(k2, n2, confidence)
    if not (n1 and n2):
        return -1.0, 1.0
    first, second = k1 / n1, k2 / n2
    difference = first - second
    low = difference - math.hypot(first - low1, high2 - second)
    high = difference + math.hypot(high1 - first, second - low2)
    return max(-1.0, low), min(1.0, high)


def bootstrap_interval(
    values: np.ndarray | Sequence[Any],
    statistic: Callable[[np.ndarray], float] = np.mean,
    seed: int = 0,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a statistic: the cases are drawn anew, with replacement.

    Edge cases: fewer than two cases give (NaN, NaN). Resamples whose statistic is NaN (such as a correlation
    of equal numbers) are left out; where more than half are NaN, so is the interval.

    Parameters
    ----------
    values : array_like
        (n,) or (n, ...). Whole rows are drawn, so pairs stay pairs.
    statistic : callable, optional
        Gets a resampled array of the same shape and returns a number; the mean by default.
    seed : int, optional
        The same seed gives the same interval.
    n_resamples : int, optional
        How often the cases are drawn anew (default 2000).
    confidence : float, optional
        Between 0 and 1 (default 0.95).

    Returns
    -------
    tuple of float
        (low, high) in the statistic's own unit.

    Raises
    ------
    SceneLensError
        If the number of resamples is below 1, or the confidence is not between 0 and 1.

    Examples
    --------
    >>> low, high = bootstrap_interval([1, 2, 3, 4, 5], seed=1)
    >>> 1 <= low < 3 < high <= 5
    True
    """
    tail = (1 - _checked(confidence)) / 2
    return middle(_resampled(np.asarray(values), statistic, seed, n_resamples), tail)


def bca_interval(
    values: np.ndarray | Sequence[Any],
    statistic: Callable[[np.ndarray], float] = np.mean,
    seed: int = 0,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return the BCa bootstrap interval of a statistic: corrected for bias and skewness.

    The resamples are those of `bootstrap_interval`; SciPy (`scipy.stats.bootstrap`) moves the two ends for
    the bias of the statistic and for its skewness, which it measures by leaving out one case at a time.

    Edge cases: fewer than two cases give (NaN, NaN). Resamples whose statistic is NaN are left out; where
    more than half are NaN, so is the interval. It is NaN too where nothing can be corrected: the statistic is
    NaN with one case left out, or no resample lies below (or above) it, as with a minimum. Where all
    resamples give the same number, both ends are that number.

    Parameters
    ----------
    values : array_like
        (n,) or (n, ...). Whole rows are drawn, so pairs stay pairs.
    statistic : callable, optional
        Gets an array of the same form, with n or n - 1 rows, and returns a number; the mean by default.
    seed : int, optional
        The same seed gives the same interval.
    n_resamples : int, optional
        How often the cases are drawn anew (default 2000).
    confidence : float, optional
        Between 0 and 1 (default 0.95).

    Returns
    -------
    tuple of float
        (low, high) in the statistic's own unit.

    Raises
    ------
    SceneLensError
        If the number of resamples is below 1, or the confidence is not between 0 and 1.

    Examples
    --------
    >>> low, high = bca_interval([1, 2, 3, 4, 15], seed=1)
    >>> 1 <= low < 5 < high <= 15
    True
    """
    cases = np.asarray(values)
    found = _resampled(cases, statistic, seed, n_resamples)
    low, high = middle(found, (1 - _checked(confidence)) / 2)
    known = found[~np.isnan(found)]
    if math.isnan(low) or np.ptp(known) <= 1e-12 * np.abs(known).max():  # equal, but for rounding
        return low, high
    # SciPy gets the resamples drawn above, without those that are NaN, and the numbers of rows: it would
    # take further axes of `cases` for samples of their own.
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", DegenerateDataWarning)  # the interval is NaN then, and says so
        made = bootstrap(
            (np.arange(len(cases)),),
            lambda rows: statistic(cases[rows]),
            vectorized=False,
            n_resamples=0,
            bootstrap_result=SimpleNamespace(bootstrap_distribution=known),
            confidence_level=confidence,
            method="BCa",
        )
    return float(made.confidence_interval.low), float(made.confidence_interval.high)


def paired_difference_interval(
    first: np.ndarray | Sequence[float],
    second: np.ndarray | Sequence[float],
    statistic: Callable[[np.ndarray], float] = np.mean,
    seed: int = 0,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return the BCa bootstrap interval of statistic(first) - statistic(second), over the same cases.

    Pairs are drawn anew, with replacement, so what makes a case easy for both sides cancels out.

    Edge cases: pairs in which either value is NaN are left out; of fewer than two pairs the interval is
    (NaN, NaN). Where every pair has the same difference of means, both ends are that difference.

    Parameters
    ----------
    first : array_like
        (n,), one value a case.
    second : array_like
        (n,), the other value of the same cases, in the same order.
    statistic : callable, optional
        Gets the resampled values of one side, (n,), and returns a number; the mean by default.
    seed : int, optional
        The same seed gives the same interval.
    n_resamples : int, optional
        How often the pairs are drawn anew (default 2000).
    confidence : float, optional
        Between 0 and 1 (default 0.95).

    Returns
    -------
    tuple of float
        (low, high) in the statistic's own unit; above 0 where the first is larger.

    Raises
    ------
    SceneLensError
        If there are not as many first as second values, the number of resamples is below 1, or the
        confidence is not between 0 and 1.

    Examples
    --------
    >>> low, high = paired_difference_interval([5, 7, 9, 8], [4, 6, 7, 5])
    >>> 1 <= low < 1.75 < high <= 3
    True
    """
    one, other = np.asarray(first, float), np.asarray(second, float)
    if one.shape != other.shape:
        raise SceneLensError(f"pairs need as many first as second values; got {len(one)} and {len(other)}.")
    both = np.column_stack([one, other])
    both = both[~np.isnan(both).any(axis=1)]
    return bca_interval(
        both, lambda rows: statistic(rows[:, 0]) - statistic(rows[:, 1]), seed, n_resamples, confidence
    )


def middle(found: np.ndarray, tail: float = 0.025) -> tuple[float, float]:
    """Return what lies between the tails of a statistic's resamples.

    Parameters
    ----------
    found : numpy.ndarray
        The statistic of every resample; NaN counts as in `bootstrap_interval`. Of none, both ends are NaN.
    tail : float, optional
        The share of the resamples beyond each end (default 0.025, for a 95% interval).

    Returns
    -------
    tuple of float
        (low, high) in the statistic's own unit.

    Examples
    --------
    >>> middle(np.arange(101.0), 0.1)
    (10.0, 90.0)
    """
    if not len(found) or np.isnan(found).mean() > 0.5:
        return math.nan, math.nan
    low, high = np.nanquantile(found, [tail, 1 - tail])
    return float(low), float(high)


def _resampled(
    cases: np.ndarray, statistic: Callable[[np.ndarray], float], seed: int, n_resamples: int
) -> np.ndarray:
    """The statistic of each resample, (n_resamples,); of fewer than two cases none, (0,)."""
    if n_resamples < 1:
        raise SceneLensError(f"a bootstrap needs at least one resample, not {n_resamples}.")
    n = len(cases)
    rng = np.random.default_rng(seed)
    draws = n_resamples if n > 1 else 0
    return np.array([statistic(cases[rng.integers(n, size=n)]) for _ in range(draws)], float)


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise SceneLensError(f"a confidence lies between 0 and 1 (0.95 is usual), not {confidence}.")
    return confidence
