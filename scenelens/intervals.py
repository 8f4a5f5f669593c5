"""How sure a number is: intervals of shares, of any statistic, of correlations, and of differences.

The whole workbook keeps four rules.

1. All units of a layer are a population. A count, a share or a mean of them is exact: in tables low and high
   equal it, figures have no bar, sentences say "of all 128". A random sample of the units has an interval of
   the mean over the layer (`layer_mean_interval`). How far people agree has one too: it is about people, and
   the units are the cases that they were asked about.
2. Two networks' layers are compared by the interval of the difference (`difference_interval`), as if their
   units had been drawn from all that such a training would make. What another training would give, only other
   trainings show; `sentences.networks_text` says so beside every such comparison.
3. A difference is claimed where the interval *of the difference* leaves out 0, never because two intervals
   do not overlap; `sentences.difference_text` words it.
4. Cases that come in clusters, such as the boxes of one image, are not independent: the clusters are what is
   resampled (`wilson_interval` of counts image by image).

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
from scipy.stats import DegenerateDataWarning, bootstrap, rankdata, t

from scenelens.errors import SceneLensError

#: Statistics that numpy computes of many rows at once, to the same bits as row by row.
_ALONG_AXES = (np.mean, np.median, np.sum)
_NUMBERS_AT_ONCE = 1 << 20  # of resamples that are in memory together


def wilson_interval(
    k: float | np.ndarray | Sequence[float],
    n: float | np.ndarray | Sequence[float],
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return Wilson's score interval of a share: where the true share lies, given k of n.

    Where cases come in clusters, such as boxes of images, k and n are counts cluster by cluster. Boxes of one
    image are right or wrong together, so 100 of them say less than 100 boxes of 100 images. How much less is
    measured by leaving out one cluster at a time (a jackknife). The interval is then that of as many
    independent cases as would have the same standard error, with Student's quantile for the number of
    clusters. Simulated, it covers the truth in 93 to 96% of the samples, also with 15 clusters, where drawing
    clusters anew (a bootstrap) reaches 89%; Wilson's interval over all boxes covers it in 36 to 86%
    (`tests/test_coverage.py`).

    Edge cases: n = 0 gives (0, 1), because nothing is known. With k = 0 the lower end is exactly 0, with
    k = n the upper end is exactly 1. Of clusters there must be two, else both ends are NaN; empty ones do not
    count. Where all clusters have the same share they show no spread, and each counts as one case.

    Parameters
    ----------
    k : float or array_like
        How many cases have the property, 0 <= k <= n; a fraction where some of them are tied. Or (m,), one
        such number a cluster.
    n : float or array_like
        How many cases there are, or (m,) a cluster.
    confidence : float, optional
        Between 0 and 1 (default 0.95).

    Returns
    -------
    tuple of float
        (low, high), shares in 0..1.

    Raises
    ------
    SceneLensError
        If a k is not in 0..n, or the confidence is not between 0 and 1.

    Examples
    --------
    >>> [round(end, 4) for end in wilson_interval(55, 100)]
    [0.4524, 0.6439]
    >>> [round(end, 4) for end in wilson_interval([10, 9, 8, 10, 9, 8, 1, 0, 0, 0], [10] * 10)]
    [0.261, 0.8088]
    """
    if np.ndim(k) or np.ndim(n):
        return _clustered(np.asarray(k, float), np.asarray(n, float), confidence)
    return _wilson(float(k), float(n), confidence)  # type: ignore[arg-type]


def _wilson(k: float, n: float, confidence: float) -> tuple[float, float]:
    if not 0 <= k <= n:
        raise SceneLensError(f"a share is k of n with 0 <= k <= n; got {k:g} of {n:g}.")
    z = NormalDist().inv_cdf(0.5 + _checked(confidence) / 2)
    if n == 0:
        return 0.0, 1.0
    centre, total = k + z * z / 2, n + z * z
    half = z * math.sqrt(k * (n - k) / n + z * z / 4)
    # Rounding would give an end such as 1e-17 where it is exactly 0 or 1.
    low = max(0.0, (centre - half) / total) if k else 0.0
    high = min(1.0, (centre + half) / total) if k < n else 1.0
    return low, high


def _clustered(k: np.ndarray, n: np.ndarray, confidence: float) -> tuple[float, float]:
    tail = (1 + _checked(confidence)) / 2
    if k.shape != n.shape or not ((k >= 0) & (k <= n)).all():
        raise SceneLensError("each cluster has k of n cases with 0 <= k <= n.")
    k, n = k[n > 0], n[n > 0]
    m = len(n)
    if m < 2:
        return math.nan, math.nan
    share, without = k.sum() / n.sum(), (k.sum() - k) / (n.sum() - n)
    variance = (m - 1) / m * float(((without - without.mean()) ** 2).sum())
    if variance < 1e-15:
        return _wilson(min(float(share), 1.0) * m, float(m), confidence)
    # Student's quantile in place of the normal one: as if there were that many cases fewer.
    narrower = (NormalDist().inv_cdf(tail) / float(t.ppf(tail, m - 1))) ** 2
    cases = float(share * (1 - share) / variance * narrower)
    return _wilson(float(share) * cases, cases, confidence)


def layer_mean_interval(
    values: np.ndarray | Sequence[float], units: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the interval of a mean over all units of a layer, from the values of some that were drawn.

    Student's interval, narrowed by the factor sqrt(1 - n / units), since the units are drawn without
    replacement: the more of the layer is known, the less is left to chance.

    Edge cases: with all units known both ends are the mean. With one of several units, or none, the interval
    is (NaN, NaN).

    Parameters
    ----------
    values : array_like
        (n,), one value of 0 or more for each unit drawn, such as a size or a share.
    units : int
        How many units the layer has.
    confidence : float, optional
        Between 0 and 1 (default 0.95).

    Returns
    -------
    tuple of float
        (low, high) in the values' own unit; the lower end is at least 0.

    Raises
    ------
    SceneLensError
        If the confidence is not between 0 and 1.

    Examples
    --------
    >>> layer_mean_interval([30, 40], units=2)
    (35.0, 35.0)
    >>> [round(end, 1) for end in layer_mean_interval([30, 40, 50], units=100)]
    [15.5, 64.5]
    """
    known, tail = np.asarray(values, float), (1 + _checked(confidence)) / 2
    n, mean = len(known), float(known.mean()) if len(known) else math.nan
    if n >= units:
        return mean, mean
    if n < 2:
        return math.nan, math.nan
    error = float(known.std(ddof=1)) / math.sqrt(n) * math.sqrt(1 - n / units)
    half = float(t.ppf(tail, n - 1)) * error
    return max(0.0, mean - half), mean + half


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


def welch_interval(
    first: np.ndarray | Sequence[float], second: np.ndarray | Sequence[float], confidence: float = 0.95
) -> tuple[float, float]:
    """Return Welch's t interval of mean(first) - mean(second), two independent groups of cases.

    The groups may have different spreads. The interval supposes that their values are about normal, which a
    few values cannot show.

    Edge cases: with fewer than two cases of a group the interval is (NaN, NaN). Where neither group has any
    spread, both ends are the difference: such an interval says nothing about further cases.

    Parameters
    ----------
    first : array_like
        (n,), one value a case.
    second : array_like
        (m,), those of the other group.
    confidence : float, optional
        Between 0 and 1 (default 0.95).

    Returns
    -------
    tuple of float
        (low, high) in the values' own unit; above 0 where the first mean is larger.

    Raises
    ------
    SceneLensError
        If the confidence is not between 0 and 1.

    Examples
    --------
    >>> [round(end, 2) for end in welch_interval([3, 4, 5], [0, 1, 2])]
    [0.73, 5.27]
    """
    tail = (1 + _checked(confidence)) / 2
    groups = [np.asarray(values, float) for values in (first, second)]
    if min(len(values) for values in groups) < 2:
        return math.nan, math.nan
    difference = float(groups[0].mean() - groups[1].mean())
    squares = [float(values.var(ddof=1)) / len(values) for values in groups]
    if not sum(squares):
        return difference, difference
    parts = [one**2 / (len(values) - 1) for one, values in zip(squares, groups, strict=True)]
    half = float(t.ppf(tail, sum(squares) ** 2 / sum(parts))) * math.sqrt(sum(squares))
    return difference - half, difference + half


def bootstrap_interval(
    values: np.ndarray | Sequence[Any],
    statistic: Callable[[np.ndarray], float] = np.mean,
    seed: int = 0,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a statistic: the cases are drawn anew, with replacement.

    Resamples of n cases vary less than samples do, by the factor sqrt((n - 1) / n), and a few cases do not
    say how much they vary. So the ends lie farther out than 2.5% and 97.5%, as far as Student's interval is
    wider than a normal one without that factor: the expanded percentile interval of Hesterberg (2015), "What
    teachers should know about the bootstrap". With 30 cases these are 1.9% and 98.1%, with 500 it is nothing.

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
    return middle(_resampled(cases, statistic, seed, n_resamples), _expanded_tail(len(cases), confidence))


def bca_interval(
    values: np.ndarray | Sequence[Any],
    statistic: Callable[[np.ndarray], float] = np.mean,
    seed: int = 0,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return the BCa bootstrap interval of a statistic: corrected for bias and skewness.

    The resamples and the ends to begin with are those of `bootstrap_interval`; SciPy
    (`scipy.stats.bootstrap`) moves the two ends for the bias of the statistic and for its skewness, which it
    measures by leaving out one case at a time.

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
    tail = _expanded_tail(len(cases), confidence)
    low, high = middle(found, tail)
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
            confidence_level=1 - 2 * tail,
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
    return bca_interval(
        _known_pairs(first, second),
        _Difference(statistic),
        seed,
        n_resamples,
        confidence,
    )


def correlation_interval(
    x: np.ndarray | Sequence[float],
    y: np.ndarray | Sequence[float],
    method: str = "pearson",
    seed: int = 0,
    n_permutations: int = 2000,
    confidence: float = 0.95,
) -> tuple[float, float, float]:
    """Return the interval of a correlation by inverting a permutation test, and the test's p.

    A correlation c belongs to the interval where the test does not reject it: with u and v the standardised x
    and y, the rest w = v - c u is uncorrelated with u if c is right. The statistic is the sum of u w, divided
    by the root of the sum of (u w)^2; w is shuffled against u. Dividing makes the test one of correlation
    only, not of independence (DiCiccio and Romano 2017, "Robust permutation tests for correlation"). So the
    interval and p never contradict each other.

    Where counts are heavy-tailed, as units per object are, this interval covers the truth in 94 to 98% of
    simulated samples of 97. The percentile bootstrap does in 76 to 93%, BCa in 81 to 94%, and Fisher's in
    51 to 99% (`tests/test_coverage.py`).

    Edge cases: pairs in which either value is NaN are left out. With fewer than three pairs, or where x or y
    is constant, all is NaN. With so few pairs that no order of them is rare, the interval is (-1, 1).

    Parameters
    ----------
    x : array_like
        (n,). The work is n times the number of permutations: meant for up to some thousand pairs.
    y : array_like
        (n,), in the order of x.
    method : str, optional
        'pearson' (default), or 'spearman' for the correlation of the ranks.
    seed : int, optional
        Of the permutations: the same seed gives the same interval.
    n_permutations : int, optional
        How often one side is shuffled (default 2000).
    confidence : float, optional
        Between 0 and 1 (default 0.95).

    Returns
    -------
    tuple of float
        (low, high, p): the interval, in -1..1, and the two-sided p of a correlation of 0. The interval of 95%
        leaves out 0 exactly where p is at most 0.05.

    Raises
    ------
    SceneLensError
        If the two have different lengths, the method is unknown, the number of permutations is below 1, or
        the confidence is not between 0 and 1.

    Examples
    --------
    >>> x = np.arange(20.0)
    >>> low, high, p = correlation_interval(x, x + 9 * np.sin(x))
    >>> low < 0.66 < high, p < 0.05
    (True, True)
    """
    alpha = 1 - _checked(confidence)
    if method not in ("pearson", "spearman") or n_permutations < 1:
        raise SceneLensError("a correlation is 'pearson' or 'spearman', by at least one permutation.")
    pairs = _known_pairs(x, y)
    if len(pairs) < 3 or (np.ptp(pairs, axis=0) == 0).any():
        return math.nan, math.nan, math.nan
    values = rankdata(pairs, axis=0) if method == "spearman" else pairs
    u, v = ((values - values.mean(0)) / values.std(0)).T
    shuffled = np.random.default_rng(seed).permuted(np.tile(u, (n_permutations, 1)), axis=1)
    squared, r = shuffled**2, float(np.clip(u @ v / len(u), -1, 1))

    def p_of(correlations: np.ndarray) -> np.ndarray:
        rest = v[:, None] - u[:, None] * correlations
        found, by_chance = u @ rest, np.abs(shuffled @ rest)
        scale, scales = np.sqrt(u**2 @ rest**2), np.sqrt(squared @ rest**2)
        # The tolerance keeps shuffles that equal the original from being missed by rounding.
        reached = by_chance * scale >= np.abs(found) * scales * (1 - 1e-9)
        return (1 + reached.sum(0)) / (1 + n_permutations)

    p = float(p_of(np.zeros(1))[0])
    # The test may reject a correlation and accept one beyond it. What is around r counts, and 0 as p says.
    near = [end * max(end * r, 0.0) if p > alpha else r for end in (-1.0, 1.0)]
    low, high = (_farthest(p_of, one, end, alpha) for one, end in zip(near, (-1.0, 1.0), strict=True))
    return low, high, p


def _farthest(p_of: Callable[[np.ndarray], np.ndarray], start: float, end: float, alpha: float) -> float:
    """How far the way from `start` to `end` goes on without a value that the test rejects."""
    steps = np.linspace(start, end, 60)
    if start * end < 0:  # 0 is on the way, and must not be passed where p rejects it
        steps = end * np.sort(end * np.append(steps, 0.0))
    rejected = p_of(steps) <= alpha
    rejected[0] = False  # rounding may say otherwise where r is 1 and nothing is left over
    if not rejected.any():
        return end
    first = int(np.argmax(rejected))
    inside, out = steps[first - 1], steps[first]
    for _ in range(12):
        half = (inside + out) / 2
        inside, out = (half, out) if p_of(np.array([half]))[0] > alpha else (inside, half)
    return float(inside)


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


def _expanded_tail(n: int, confidence: float) -> float:
    """The share of the resamples beyond each end; see `bootstrap_interval`.

    >>> [round(_expanded_tail(n, 0.95), 4) for n in (10, 30, 500)]
    [0.0086, 0.0188, 0.0246]
    """
    tail = (1 - _checked(confidence)) / 2
    if n < 2:
        return tail
    # Of two or three cases so little is known that no resample would lie far enough out.
    return max(NormalDist().cdf(math.sqrt(n / (n - 1)) * float(t.ppf(tail, n - 1))), tail / 25)


class _Difference:
    """The statistic of the first column minus that of the second; with an axis, of each resample."""

    def __init__(self, of: Callable[..., Any]) -> None:
        self.of = of

    def __call__(self, rows: np.ndarray, axis: int | None = None) -> Any:
        how = {} if axis is None else {"axis": axis}
        return self.of(rows[..., 0], **how) - self.of(rows[..., 1], **how)


def _resampled(cases: np.ndarray, statistic: Callable[..., Any], seed: int, n_resamples: int) -> np.ndarray:
    """The statistic of each resample, (n_resamples,); of fewer than two cases none, (0,)."""
    if n_resamples < 1:
        raise SceneLensError(f"a bootstrap needs at least one resample, not {n_resamples}.")
    n, rng = len(cases), np.random.default_rng(seed)
    draws = n_resamples if n > 1 else 0
    paired = isinstance(statistic, _Difference)
    plain = statistic.of if isinstance(statistic, _Difference) else statistic
    if cases.ndim != 1 + paired or not any(plain is one for one in _ALONG_AXES):
        return np.array([statistic(cases[rng.integers(n, size=n)]) for _ in range(draws)], float)
    # Many resamples at once, drawn in the same order: so the numbers are the same, bit for bit.
    step = max(1, _NUMBERS_AT_ONCE // max(1, cases.size))
    sizes = [min(step, draws - start) for start in range(0, draws, step)]
    found = [statistic(cases[rng.integers(n, size=(size, n))], axis=1) for size in sizes]
    return np.concatenate([np.empty(0), *found])


def _known_pairs(first: np.ndarray | Sequence[float], second: np.ndarray | Sequence[float]) -> np.ndarray:
    """Both as columns, (n, 2), without the pairs in which either is NaN."""
    one, other = np.asarray(first, float), np.asarray(second, float)
    if one.shape != other.shape:
        raise SceneLensError(f"pairs need as many first as second values; got {len(one)} and {len(other)}.")
    both = np.column_stack([one, other])
    return both[~np.isnan(both).any(axis=1)]


def _checked(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise SceneLensError(f"a confidence lies between 0 and 1 (0.95 is usual), not {confidence}.")
    return confidence
