"""Each measure on a case worked by hand, then against scikit-learn or a second way of counting."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, jaccard_score

from scenelens import intervals, metrics
from scenelens.errors import SceneLensError
from scenelens.metrics import precision_recall


def test_jaccard_by_hand():
    # image 1: 4 object pixels, 2 active, 1 shared; image 2: no object, 3 active. 1 / (2 + 4 - 1 + 3)
    assert metrics.jaccard([1, 0], [2, 3], [4, 0]) == 1 / 8


@pytest.mark.parametrize(
    ("counts", "expected"),
    [(([0], [0], [0]), math.nan), (([0], [0], [5]), 0.0), (([0], [5], [0]), 0.0), (([5], [5], [5]), 1.0)],
)
def test_jaccard_at_the_edges(counts, expected):
    np.testing.assert_equal(metrics.jaccard(*counts), expected)


def test_jaccard_of_impossible_counts_is_told():
    with pytest.raises(SceneLensError, match="3 shared pixels do not fit"):
        metrics.jaccard([3], [2], [2])


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_jaccard_as_scikit_learn(pixels):
    mask, truth = np.array(pixels).T
    ours = metrics.jaccard([(mask & truth).sum()], [mask.sum()], [truth.sum()])
    if mask.any() or truth.any():
        assert ours == pytest.approx(jaccard_score(truth, mask))
    else:
        assert math.isnan(ours)


def test_counted_precision_and_recall_by_hand():
    # scores 2, 1, 1, 0; on the object: 2 and one of the two 1s
    curve = metrics.counted_precision_recall([0, 1, 1], [1, 1, 0])
    np.testing.assert_allclose(curve.precision, [1, 2 / 3, 2 / 4])
    np.testing.assert_allclose(curve.recall, [1 / 2, 1, 1])
    np.testing.assert_array_equal(curve.threshold, [2, 1, 0])
    # recall rises by 1/2 at precision 1 and by 1/2 at 2/3
    assert metrics.counted_precision_recall([0, 1, 1], [1, 1, 0]).average_precision == pytest.approx(
        0.5 + 0.5 * 2 / 3
    )


def test_without_a_hit_nothing_is_known():
    assert math.isnan(metrics.counted_precision_recall([0, 0], [3, 1]).average_precision)
    assert np.isnan(metrics.counted_precision_recall([0, 0], [3, 1]).recall).all()
    assert len(metrics.counted_precision_recall([0], [0]).recall) == 0


def test_counts_that_are_none_are_told():
    with pytest.raises(SceneLensError, match="one count of hits and misses per bin"):
        metrics.counted_precision_recall([1, 2], [1])
    with pytest.raises(SceneLensError, match="per bin"):
        metrics.counted_precision_recall([-1], [1])


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=60))
def test_bins_say_what_single_cases_say(cases):
    truth, scores = np.array([one[0] for one in cases]), np.array([one[1] for one in cases])
    hits, misses = np.bincount(scores[truth], minlength=7), np.bincount(scores[~truth], minlength=7)
    ours, single = metrics.counted_precision_recall(hits, misses), precision_recall(truth, scores)
    for mine, other in zip(ours, single, strict=True):
        np.testing.assert_allclose(mine, other)
    if truth.any():
        assert metrics.counted_precision_recall(hits, misses).average_precision == pytest.approx(
            average_precision_score(truth, scores)
        )


def test_reliability_by_hand():
    table = metrics.reliability([0.1, 0.1, 0.3, 0.8, 0.9, 0.7], [0, 1, 0, 1, 1, 0], 2)
    assert table.n.tolist() == [3, 3]
    np.testing.assert_allclose(table.confidence, [0.5 / 3, 0.8])
    np.testing.assert_allclose(table.right, [1 / 3, 2 / 3])
    assert (table.low < table.right).all()
    error = metrics.calibration_error([0.1, 0.1, 0.3, 0.8, 0.9, 0.7], [0, 1, 0, 1, 1, 0], 2)
    assert error == pytest.approx((abs(0.5 / 3 - 1 / 3) + abs(0.8 - 2 / 3)) / 2)


def test_equal_confidences_stay_together_and_no_box_gives_no_row():
    assert metrics.reliability([0.5] * 9, [1] * 4 + [0] * 5).n.tolist() == [9]
    assert metrics.reliability([], []).empty
    assert math.isnan(metrics.calibration_error([], []))
    with pytest.raises(SceneLensError, match="between 0 and 1"):
        metrics.reliability([1.5], [1])


def test_pairs_with_an_unknown_are_left_out():
    difference, low, high, n = intervals.paired_difference([0.5, 0.7, np.nan, 0.9], [0.4, 0.4, 0.1, np.nan])
    assert (difference, n) == (pytest.approx(0.2), 2)
    assert low <= difference <= high
    assert intervals.paired_difference([np.nan], [1.0])[3] == 0
    assert math.isnan(intervals.paired_difference([0.5], [0.4])[1])
