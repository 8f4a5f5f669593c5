"""Metrics by hand, against scikit-learn, and by their properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, jaccard_score

from scenelens import metrics
from scenelens.errors import SceneLensError
from scenelens.intervals import wilson_interval
from scenelens.localization.scores import _jaccard
from scenelens.localization.sentences import _calibration_error
from scenelens.metrics import PrecisionRecall, average_precision
from scenelens.studies.index import _share_of_top

CASES = st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=1, max_size=30)


def test_precision_recall_by_hand():
    curve = PrecisionRecall.of_cases([1, 0, 1, 0], [4, 3, 3, 1])
    assert curve.precision.tolist() == [1.0, 2 / 3, 0.5]
    assert curve.recall.tolist() == [0.5, 1.0, 1.0]
    assert curve.threshold.tolist() == [4.0, 3.0, 1.0]


def test_without_a_positive_or_any_case():
    assert math.isnan(average_precision([0, 0], [1, 2]))
    assert np.isnan(PrecisionRecall.of_cases([0, 0], [1, 2]).recall).all()
    assert PrecisionRecall.of_cases([], []).precision.size == 0
    assert math.isnan(average_precision([], []))


@settings(deadline=None)
@given(CASES)
def test_average_precision_as_scikit_learn_has_it(pairs):
    present, scores = np.array(pairs).T
    if present.any():
        assert average_precision(present, scores) == pytest.approx(average_precision_score(present, scores))


@settings(deadline=None)
@given(CASES, st.randoms())
def test_average_precision_does_not_depend_on_the_order(pairs, random):
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


def test_share_of_top_by_hand():
    table = _share_of_top([5, 4, 3, 2, 1, 0], list("aabbbb"), n=3).set_index("group")
    assert table.loc["a", ["n", "count"]].tolist() == [3, 2]
    assert table.loc["a", "share"] == pytest.approx(2 / 3)
    assert table["chance"].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert table.loc["a", ["low", "high"]].tolist() == pytest.approx(wilson_interval(2, 3))


def test_share_of_top_leaves_out_unread_images():
    table = _share_of_top([3, np.nan, 2, 1], list("abca"), n=2).set_index("group")
    assert table["count"].to_dict() == {"a": 1, "c": 1}
    assert table["chance"].sum() == pytest.approx(1)


@pytest.mark.parametrize("scores", [[0, 0, 0, 0], [2.5] * 4, [-1, -1, np.nan, -1]])
@pytest.mark.parametrize("n", [1, 2, 100])
def test_equal_scores_prefer_nothing(scores, n):
    table = _share_of_top(scores, list("aabb"), n)
    assert table[["share", "low", "high"]].isna().all(axis=None)
    assert table["chance"].sum() == pytest.approx(1)


def test_ties_for_the_last_places_count_in_proportion_in_any_order():
    for groups in ("baaaab", "bbaaaa", "baabaa"):
        table = _share_of_top([9, 0, 0, 0, 0, 0], list(groups), n=3).set_index("group")
        assert table["count"].to_dict() == pytest.approx({"a": 2 * 4 / 5, "b": 1 + 2 / 5})
        assert ((table["low"] < table["share"]) & (table["share"] < table["high"])).all()
    whole = _share_of_top([9, 5, 5, 0], list("abab"), n=3)
    assert whole["count"].tolist() == [2, 1]
    assert whole["count"].dtype == int


def test_share_of_top_without_images_or_with_few():
    assert _share_of_top([], [], n=5).empty
    assert _share_of_top([1, 2], ["x", "x"], n=100)["n"].tolist() == [2]
    with pytest.raises(SceneLensError):
        _share_of_top([1], ["x"], n=0)
    with pytest.raises(SceneLensError):
        _share_of_top([1, 2], ["x"])


# ---- counted over many images, and calibration


def test_jaccard_by_hand():
    # image 1: 4 object pixels, 2 active, 1 shared; image 2: no object, 3 active. 1 / (2 + 4 - 1 + 3)
    assert _jaccard(np.array([(1, 2, 4), (0, 3, 0)])) == 1 / 8


@pytest.mark.parametrize(
    ("counts", "expected"),
    [(([0], [0], [0]), math.nan), (([0], [0], [5]), 0.0), (([0], [5], [0]), 0.0), (([5], [5], [5]), 1.0)],
)
def test_jaccard_at_the_edges(counts, expected):
    np.testing.assert_equal(_jaccard(np.array(counts).T), expected)


def test_jaccard_of_impossible_counts_is_an_error():
    with pytest.raises(SceneLensError, match="3 shared pixels do not fit"):
        _jaccard(np.array([(3, 2, 2)]))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_jaccard_as_scikit_learn(pixels):
    mask, truth = np.array(pixels).T
    ours = _jaccard(np.array([((mask & truth).sum(), mask.sum(), truth.sum())]))
    if mask.any() or truth.any():
        assert ours == pytest.approx(jaccard_score(truth, mask))
    else:
        assert math.isnan(ours)


def test_counted_precision_and_recall_by_hand():
    # scores 2, 1, 1, 0; on the object: 2 and one of the two 1s
    curve = PrecisionRecall.of_counts([0, 1, 1], [1, 1, 0])
    np.testing.assert_allclose(curve.precision, [1, 2 / 3, 2 / 4])
    np.testing.assert_allclose(curve.recall, [1 / 2, 1, 1])
    np.testing.assert_array_equal(curve.threshold, [2, 1, 0])
    # recall rises by 1/2 at precision 1 and by 1/2 at 2/3
    assert PrecisionRecall.of_counts([0, 1, 1], [1, 1, 0]).average_precision == pytest.approx(
        0.5 + 0.5 * 2 / 3
    )


def test_without_a_hit_the_result_is_nan():
    assert math.isnan(PrecisionRecall.of_counts([0, 0], [3, 1]).average_precision)
    assert np.isnan(PrecisionRecall.of_counts([0, 0], [3, 1]).recall).all()
    assert len(PrecisionRecall.of_counts([0], [0]).recall) == 0


def test_impossible_counts_are_an_error():
    with pytest.raises(SceneLensError, match="one count of hits and misses per bin"):
        PrecisionRecall.of_counts([1, 2], [1])
    with pytest.raises(SceneLensError, match="per bin"):
        PrecisionRecall.of_counts([-1], [1])


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=60))
def test_bins_say_what_single_cases_say(cases):
    truth, scores = np.array([one[0] for one in cases]), np.array([one[1] for one in cases])
    hits, misses = np.bincount(scores[truth], minlength=7), np.bincount(scores[~truth], minlength=7)
    ours, single = PrecisionRecall.of_counts(hits, misses), PrecisionRecall.of_cases(truth, scores)
    for mine, other in zip(ours, single, strict=True):
        np.testing.assert_allclose(mine, other)
    if truth.any():
        assert PrecisionRecall.of_counts(hits, misses).average_precision == pytest.approx(
            average_precision_score(truth, scores)
        )


def test_reliability_by_hand():
    table = metrics.reliability([0.1, 0.1, 0.3, 0.8, 0.9, 0.7], [0, 1, 0, 1, 1, 0], 2)
    assert table.n.tolist() == [3, 3]
    np.testing.assert_allclose(table.confidence, [0.5 / 3, 0.8])
    np.testing.assert_allclose(table.right, [1 / 3, 2 / 3])
    assert (table.low < table.right).all()
    error = _calibration_error([0.1, 0.1, 0.3, 0.8, 0.9, 0.7], [0, 1, 0, 1, 1, 0], 2)
    assert error == pytest.approx((abs(0.5 / 3 - 1 / 3) + abs(0.8 - 2 / 3)) / 2)


def test_equal_confidences_stay_together_and_no_box_gives_no_row():
    assert metrics.reliability([0.5] * 9, [1] * 4 + [0] * 5).n.tolist() == [9]
    assert metrics.reliability([], []).empty
    assert math.isnan(_calibration_error([], []))
    with pytest.raises(SceneLensError, match="between 0 and 1"):
        metrics.reliability([1.5], [1])
