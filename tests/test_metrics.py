"""Metrics by hand, against scikit-learn, and by their properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics as oracle

from scenelens.errors import SceneLensError
from scenelens.intervals import bootstrap_interval, wilson_interval
from scenelens.metrics import average_precision, iou, precision_recall, share_of_top

cases = st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=1, max_size=30)


def test_iou_by_hand():
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    a[:2], b[1:3] = True, True
    assert iou(a, b) == pytest.approx(4 / 12)


def test_iou_of_empty_masks():
    empty, full = np.zeros(5, bool), np.ones(5, bool)
    assert math.isnan(iou(empty, empty))
    assert iou(empty, full) == 0.0


def test_iou_refuses_masks_of_two_shapes():
    with pytest.raises(SceneLensError, match=r"\(2,\) and \(3,\)"):
        iou(np.ones(2), np.ones(3))


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_iou_as_scikit_learn_has_it(pairs):
    a, b = np.array(pairs).T
    found = iou(a, b)
    assert iou(b, a) == found or math.isnan(found)
    if (a | b).any():
        assert found == pytest.approx(oracle.jaccard_score(a, b, zero_division=0))


def test_precision_recall_by_hand():
    curve = precision_recall([1, 0, 1, 0], [4, 3, 3, 1])
    assert curve.precision.tolist() == [1.0, 2 / 3, 0.5]
    assert curve.recall.tolist() == [0.5, 1.0, 1.0]
    assert curve.threshold.tolist() == [4.0, 3.0, 1.0]


def test_without_a_positive_or_any_case():
    assert math.isnan(average_precision([0, 0], [1, 2]))
    assert np.isnan(precision_recall([0, 0], [1, 2]).recall).all()
    assert precision_recall([], []).precision.size == 0
    assert math.isnan(average_precision([], []))


@settings(deadline=None)
@given(cases)
def test_average_precision_as_scikit_learn_has_it(pairs):
    present, scores = np.array(pairs).T
    if present.any():
        assert average_precision(present, scores) == pytest.approx(
            oracle.average_precision_score(present, scores)
        )


@settings(deadline=None)
@given(cases, st.randoms())
def test_average_precision_knows_no_order(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    first, second = (average_precision(*np.array(some).T) for some in (pairs, shuffled))
    assert first == pytest.approx(second, nan_ok=True)


def test_a_constant_score_has_the_base_rate():
    assert average_precision([1, 0, 0, 0], [7, 7, 7, 7]) == 0.25


@pytest.mark.parametrize(
    ("present", "scores"), [([1, 0], [1]), ([1, 0], [1, np.nan]), ([[1, 0]], [[1, 2]]), ([1], [np.inf])]
)
def test_scores_that_cannot_be_ranked(present, scores):
    with pytest.raises(SceneLensError):
        average_precision(present, scores)


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


def test_share_of_top_by_hand():
    table = share_of_top([5, 4, 3, 2, 1, 0], list("aabbbb"), n=3).set_index("group")
    assert table.loc["a", ["n", "count"]].tolist() == [3, 2]
    assert table.loc["a", "share"] == pytest.approx(2 / 3)
    assert table["chance"].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert table.loc["a", ["low", "high"]].tolist() == pytest.approx(wilson_interval(2, 3))


def test_share_of_top_keeps_the_order_of_equals_and_leaves_out_the_unread():
    table = share_of_top([1, np.nan, 1, 1], list("abca"), n=2).set_index("group")
    assert table["count"].to_dict() == {"a": 1, "c": 1}
    assert table["chance"].sum() == pytest.approx(1)


def test_share_of_top_without_images_or_with_few():
    assert share_of_top([], [], n=5).empty
    assert share_of_top([1, 2], ["x", "x"], n=100)["n"].tolist() == [2]
    with pytest.raises(SceneLensError):
        share_of_top([1], ["x"], n=0)
    with pytest.raises(SceneLensError):
        share_of_top([1, 2], ["x"])
