"""Intervals by hand, against SciPy and theory, and in edge cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from scenelens.errors import SceneLensError
from scenelens.intervals import bootstrap_interval, wilson_interval
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


def test_pairs_with_an_unknown_are_left_out():
    difference, low, high, n = _paired_difference([0.5, 0.7, np.nan, 0.9], [0.4, 0.4, 0.1, np.nan])
    assert (difference, n) == (pytest.approx(0.2), 2)
    assert low <= difference <= high
    assert _paired_difference([np.nan], [1.0])[3] == 0
    assert math.isnan(_paired_difference([0.5], [0.4])[1])
