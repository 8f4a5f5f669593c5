"""Intervals by hand, against SciPy and theory, and in edge cases."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, norm, pearsonr, spearmanr, t, ttest_ind

from scenelens.errors import SceneLensError
from scenelens.intervals import (
    _Difference,
    _resampled,
    bca_interval,
    bootstrap_interval,
    correlation_interval,
    difference_interval,
    layer_mean_interval,
    paired_difference_interval,
    welch_interval,
    wilson_interval,
)
from scenelens.localization.sentences import _paired_difference


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_wilson_as_scipy_has_it(k, more, confidence):
    n = k + more
    low, high = wilson_interval(k, n, confidence)
    assert 0 <= low <= high <= 1
    if n:
        expected = binomtest(k, n).proportion_ci(confidence, method="wilson")
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)
        assert low <= k / n <= high


def test_wilson_at_the_edges():
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(0, 10)[0] == 0.0
    assert wilson_interval(10, 10)[1] == 1.0


@pytest.mark.parametrize(("k", "n", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 95)])
def test_wilson_refuses(k, n, confidence):
    with pytest.raises(SceneLensError):
        wilson_interval(k, n, confidence)


# Table II of Newcombe (1998), method 10.
@pytest.mark.parametrize(("shares", "interval"), [
    ((56, 70, 48, 80), (0.0524, 0.3339)), ((9, 10, 3, 10), (0.1705, 0.8090)),
    ((6, 7, 2, 7), (0.0582, 0.8062)), ((5, 56, 0, 29), (-0.0381, 0.1926)),
    ((0, 10, 0, 20), (-0.1611, 0.2775)), ((0, 10, 0, 10), (-0.2775, 0.2775)),
    ((10, 10, 0, 20), (0.6791, 1)), ((10, 10, 0, 10), (0.6075, 1)),
])  # fmt: skip
def test_difference_of_shares_as_published(shares, interval):
    assert difference_interval(*shares) == pytest.approx(interval, abs=5e-5)


@settings(deadline=None)
@given(*[st.integers(0, 60)] * 4, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_difference_of_shares_by_its_definition(k1, more1, k2, more2, confidence):
    """The ends lie where SciPy's Wilson intervals put them, and turn around with the shares."""
    low, high = difference_interval(k1, k1 + more1, k2, k2 + more2, confidence)
    assert difference_interval(k2, k2 + more2, k1, k1 + more1, confidence) == pytest.approx((-high, -low))
    if not (k1 + more1 and k2 + more2):
        assert (low, high) == (-1, 1)
        return
    one, other = (
        binomtest(k, k + more).proportion_ci(confidence, "wilson") for k, more in [(k1, more1), (k2, more2)]
    )
    p, q = k1 / (k1 + more1), k2 / (k2 + more2)
    assert low == pytest.approx(p - q - np.sqrt((p - one.low) ** 2 + (other.high - q) ** 2), abs=1e-9)
    assert high == pytest.approx(p - q + np.sqrt((one.high - p) ** 2 + (q - other.low) ** 2), abs=1e-9)
    assert -1 <= low <= p - q + 1e-12
    assert p - q - 1e-12 <= high <= 1


def test_two_wilson_intervals_may_overlap_where_the_difference_is_clear():
    assert wilson_interval(16, 512)[1] > wilson_interval(34, 512)[0]
    assert difference_interval(34, 512, 16, 512)[0] > 0
    with pytest.raises(SceneLensError):
        difference_interval(3, 2, 1, 2)


def test_bootstrap_of_a_mean_agrees_with_theory():
    values = np.random.default_rng(3).normal(10, 2, 400)
    low, high = bootstrap_interval(values, seed=1)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.1)
    assert (low, high) == bootstrap_interval(values, seed=1)
    assert (low, high) != bootstrap_interval(values, seed=2)


def test_bootstrap_keeps_pairs():
    pairs = np.column_stack([np.arange(20.0), 2 * np.arange(20.0)])
    assert bootstrap_interval(pairs, lambda rows: np.corrcoef(rows.T)[0, 1]) == pytest.approx((1, 1))


def test_bootstrap_at_the_edges():
    assert bootstrap_interval([5.0, 5.0]) == (5.0, 5.0)
    assert np.isnan(bootstrap_interval([5.0])).all()
    assert np.isnan(bootstrap_interval([1, 2, 3], lambda rows: math.nan)).all()
    with pytest.raises(SceneLensError, match="resample"):
        bootstrap_interval([1, 2], n_resamples=0)


def test_bca_as_scipy_has_it():
    values = np.random.default_rng(3).lognormal(0, 1, 40)
    level = 2 * norm.cdf(np.sqrt(40 / 39) * t.ppf(0.975, 39)) - 1  # Hesterberg's expanded interval
    made = bootstrap((values,), np.mean, n_resamples=9999, confidence_level=level, method="BCa", rng=1)
    expected = made.confidence_interval
    low, high = bca_interval(values, n_resamples=9999)
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=0.02)
    # The mean of a skewed sample: both ends lie higher than those of the percentile interval.
    percentile = bootstrap_interval(values, n_resamples=9999)
    assert low > percentile[0]
    assert high > percentile[1]


def test_bca_keeps_pairs():
    pairs = np.random.default_rng(1).multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 60)
    low, high = bca_interval(pairs, lambda rows: np.corrcoef(rows.T)[0, 1])
    assert 0.5 < low < np.corrcoef(pairs.T)[0, 1] < high < 0.95


def test_bca_at_the_edges():
    assert bca_interval([5.0, 5.0]) == (5.0, 5.0)
    assert np.isnan(bca_interval([5.0])).all()
    assert np.isnan(bca_interval([])).all()
    assert np.isnan(bca_interval([1, 2, 3], lambda rows: math.nan)).all()
    assert np.isnan(bca_interval([1, 2, 3, 4], np.min)).all()  # no resample is below the minimum
    with pytest.raises(SceneLensError, match="resample"):
        bca_interval([1, 2], n_resamples=0)


def test_bca_leaves_out_resamples_without_a_value():
    values = np.array([0.0, 0, 0, 1, 1, 1])
    half = lambda rows: math.nan if not rows.any() else rows[rows > 0].mean() + rows.mean()  # noqa: E731
    low, high = bca_interval(values, half)
    assert 1 < low < 1.5 < high <= 2


@pytest.mark.parametrize("statistic", [np.mean, np.median, np.sum])
@pytest.mark.parametrize("n", [2, 7, 150, 3001])
def test_resamples_drawn_at_once_are_those_drawn_one_by_one(statistic, n, monkeypatch):
    monkeypatch.setattr("scenelens.intervals._NUMBERS_AT_ONCE", 10_000)  # the last lot is smaller
    rng = np.random.default_rng(n)
    for cases in (rng.lognormal(size=n), rng.random(n) < 0.5, rng.integers(9, size=n)):
        slowly = _resampled(cases, lambda rows: statistic(rows), 1, 101)
        assert _resampled(cases, statistic, 1, 101).tobytes() == slowly.tobytes()
    pairs = rng.lognormal(size=(n, 2))
    slowly = _resampled(pairs, lambda rows: statistic(rows[:, 0]) - statistic(rows[:, 1]), 1, 101)
    assert _resampled(pairs, _Difference(statistic), 1, 101).tobytes() == slowly.tobytes()


def test_the_difference_of_pairs():
    low, high = paired_difference_interval([1.5, 2.5, np.nan, 9], [1, 2, 7, np.nan])
    assert (low, high) == (0.5, 0.5)
    assert np.isnan(paired_difference_interval([1, np.nan], [1, 2])).all()
    with pytest.raises(SceneLensError, match="as many"):
        paired_difference_interval([1, 2], [1])
    # What is hard for both cancels out: the pairs' interval is far narrower than that of two samples.
    rng = np.random.default_rng(5)
    hard = rng.normal(0, 10, 100)
    first, second = hard + rng.normal(1, 1, 100), hard + rng.normal(0, 1, 100)
    low, high = paired_difference_interval(first, second)
    assert 0.5 < low < high < 1.5
    assert paired_difference_interval(second, first) == pytest.approx((-high, -low), abs=0.05)


def test_the_interval_of_a_layers_mean_knows_when_nothing_is_left_to_chance():
    assert layer_mean_interval(np.array([3.0, 5.0]), 2) == (4.0, 4.0)
    low, high = layer_mean_interval(np.array([10.0, 12.0]), 1000)
    half = 12.706 * 1 * math.sqrt(1 - 2 / 1000)  # Student's t with one degree of freedom, s.e. 1
    assert (low, high) == (0.0, pytest.approx(11 + half, abs=0.01))  # never below 0
    assert np.isnan(layer_mean_interval(np.array([3.0]), 9)).all()
    assert np.isnan(layer_mean_interval(np.array([]), 9)).all()


@settings(max_examples=40, deadline=None)
@given(*2 * [st.lists(st.integers(0, 20), min_size=2, max_size=6)])
def test_the_interval_of_two_groups_is_welchs(first, second):
    if min(np.ptp(first), np.ptp(second)) == 0:  # scipy warns of these
        low, high = welch_interval(first, second)
        assert low <= np.mean(first) - np.mean(second) <= high
        return
    known = ttest_ind(first, second, equal_var=False).confidence_interval(0.9)
    assert welch_interval(first, second, 0.9) == pytest.approx((known.low, known.high))


def test_two_groups_without_spread_or_cases():
    assert welch_interval([0.5] * 5, [0.25] * 5) == (0.25, 0.25)
    assert np.isnan(welch_interval([1.0], [0.0, 0.5])).all()
    assert np.isnan(welch_interval([], [])).all()
    with pytest.raises(SceneLensError, match="between 0 and 1"):
        welch_interval([1, 2], [1, 2], confidence=95)


def test_a_share_over_clusters_by_hand():
    # Two images, with 3 of 4 and 0 of 2 boxes right: left out one at a time, 0 of 2 and 3 of 4.
    variance = 1 / 2 * 2 * 0.375**2
    cases = 0.5 * 0.5 / variance * (1.959964 / 12.7062) ** 2
    expected = wilson_interval(cases / 2, cases)
    assert wilson_interval([3, 0], [4, 2]) == pytest.approx(expected, abs=1e-6)
    assert wilson_interval([3, 0, 0], [4, 0, 2]) == pytest.approx(expected, abs=1e-6)  # one without a box


def test_a_share_over_clusters_at_the_edges():
    assert np.isnan(wilson_interval([1], [2])).all()
    assert np.isnan(wilson_interval([], [])).all()
    # None is right in 3 images, or all are: no spread is seen, and each image is one case.
    assert wilson_interval([0, 0, 0], [10, 10, 20]) == wilson_interval(0, 3)
    assert wilson_interval([10, 10, 20], [10, 10, 20]) == wilson_interval(3, 3)
    for wrong in (([3], [2]), ([1, 1], [1]), ([-1, 1], [2, 2])):
        with pytest.raises(SceneLensError, match="cluster"):
            wilson_interval(*wrong)


def test_boxes_of_as_many_images_are_independent():
    right = np.random.default_rng(0).random(900) < 0.3
    clustered = wilson_interval(right, np.ones(900))
    assert clustered == pytest.approx(wilson_interval(right.sum(), 900), abs=0.001)


def test_a_correlation_agrees_with_other_intervals_where_these_are_right():
    x, y = np.random.default_rng(4).multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 200).T
    low, high, p = correlation_interval(x, y)
    expected = pearsonr(x, y).confidence_interval()  # Fisher's
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.05)
    assert p == pytest.approx(1 / 2001)
    low, high, p = correlation_interval(np.exp(3 * x), y, "spearman")
    assert (low, high, p) == correlation_interval(x, y, "spearman")  # ranks only
    r = spearmanr(x, y).statistic
    assert low < r < high


def test_a_correlation_leaves_out_0_where_its_p_is_small():
    rng = np.random.default_rng(7)
    for _ in range(30):
        x, y = rng.lognormal(size=(2, 30)) + 0.5 * rng.lognormal(size=30)
        low, high, p = correlation_interval(x, y, n_permutations=199)
        assert low <= np.corrcoef(x, y)[0, 1] <= high
        assert (low <= 0 <= high) == (p > 0.05)


def test_the_p_of_a_correlation_counts_every_order_of_few_pairs():
    x, y = np.array([1.0, 2, 4, 8, 9]), np.array([2.0, 1, 3, 9, 7])
    u, v = x - x.mean(), y - y.mean()
    size = [abs(one @ v) / np.sqrt((one**2) @ (v**2)) for one in map(np.array, permutations(u))]
    exact = np.mean(np.array(size) >= size[0] * (1 - 1e-9))
    assert correlation_interval(x, y, n_permutations=20_000)[2] == pytest.approx(exact, abs=0.005)


def test_a_correlation_at_the_edges():
    assert np.isnan(correlation_interval([1, 2], [3, 4])).all()
    assert np.isnan(correlation_interval([1, 1, 1], [1, 2, 3])).all()
    assert np.isnan(correlation_interval([1, 2, np.nan], [1, 3, 2])).all()
    assert correlation_interval([1, 2, 3, 4], [1, 2, 3, 4])[:2] == (-1, 1)  # 2 of 24 orders: not rare
    assert correlation_interval(range(12), range(12))[:2] == pytest.approx((1, 1))
    for wrong in ({"method": "kendall"}, {"n_permutations": 0}, {"confidence": 95}):
        with pytest.raises(SceneLensError):
            correlation_interval([1, 2, 3], [1, 3, 2], **wrong)


def test_pairs_with_an_unknown_are_left_out():
    difference, low, high, n = _paired_difference([0.5, 0.7, np.nan, 0.9], [0.4, 0.4, 0.1, np.nan])
    assert (difference, n) == (pytest.approx(0.2), 2)
    assert low <= difference <= high
    assert _paired_difference([np.nan], [1.0])[3] == 0
    assert math.isnan(_paired_difference([0.5], [0.4])[1])
