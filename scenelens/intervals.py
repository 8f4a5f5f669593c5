"""How sure a number is: intervals of shares, of any statistic, and of differences between networks.

Each function says first what it does in edge cases (no cases, one case, NaN), because published
implementations differ there and do not say so. A number that is not defined is NaN, never 0 or 1, so that
means over units leave it out (`numpy.nanmean`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

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
    """Return what lies between the tails of a statistic's resamples.

    Parameters
    ----------
    found : numpy.ndarray
        The statistic of every resample; NaN counts as in `bootstrap_interval`.
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
    if np.isnan(found).mean() > 0.5:
        return math.nan, math.nan
    low, high = np.nanquantile(found, [tail, 1 - tail])
    return float(low), float(high)


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise SceneLensError(f"a confidence lies between 0 and 1 (0.95 is usual), not {confidence}.")
    return confidence
