"""The two tests of measures: by hand for an ideal unit, and against labels that are really lost and added."""

from __future__ import annotations

import numpy as np
import pytest

from scenelens.labels.checks import TESTS, _falls, _ideal_unit, _precision_falls, _real_units, _wrong_labels
from scenelens.labels.halves import _overlap
from tests.labels.test_halves import labelled

LOST, ADDED = TESTS
PASS = {"iou", "f1", "correlation", "ap"}


def test_an_ideal_unit_by_hand():
    """Active exactly on its concept, which has 5% of all pixels: the IoU is 1/2 after either test."""
    found = _ideal_unit().set_index(["measure", "test"]).ideal
    half = 0.5 / 1
    for test in TESTS:
        assert found["iou", test] == pytest.approx(half)
        assert found["f1", test] == pytest.approx(2 / 3)
        assert found["share_of_ceiling", test] == pytest.approx(1)  # does not notice anything
    assert found["coverage", LOST] == pytest.approx(0.5)
    assert found["coverage", ADDED] == pytest.approx(1)
    assert found["above_chance", LOST] == pytest.approx((0.5 - 0.025) / 0.975)
    assert found["above_chance", ADDED] == pytest.approx(1)
    # Pearson's r of two indicators, one within the other: sqrt(p (1 - q) / (q (1 - p))) for p < q.
    assert found["correlation", LOST] == pytest.approx(np.sqrt(0.025 * 0.95 / (0.05 * 0.975)))
    assert found["correlation", ADDED] == pytest.approx(np.sqrt(0.05 * 0.9 / (0.1 * 0.95)))
    assert found["ap", LOST] == pytest.approx(0.5)  # half of the top images, which are all equal
    assert found["ap", ADDED] == pytest.approx(0.5 + 0.5 * 100 / 1000)  # the rest is found with all images
    assert (found["precision", LOST], found["precision", ADDED]) == (0, 1)


def test_what_may_choose_is_what_falls_in_both_tests():
    found = _ideal_unit()
    fallen = found.groupby("measure").ideal.max() < 1 - 1e-9
    assert set(fallen.index[fallen]) == PASS == set(labelled().CHOOSING)


def test_the_expected_counts_are_those_of_labels_that_are_lost_and_added():
    rng = np.random.default_rng(0)
    n = 400_000
    active, truth = rng.random(n) < 0.02, rng.random(n) < 0.1
    truth |= active & (rng.random(n) < 0.5)
    counts = (active & truth).sum(), active.sum(), truth.sum()
    wrong = {
        LOST: truth & (rng.random(n) < 0.5),
        ADDED: truth | (rng.random(n) < truth.sum() / (~truth).sum()),
    }
    for test, labels in wrong.items():
        expected = _wrong_labels(*map(np.array, counts), n, test)
        measured = _overlap((active & labels).sum(), active.sum(), labels.sum(), n)
        for name, value in expected.items():
            assert value == pytest.approx(float(measured[name]), rel=0.02), name


def test_for_how_many_units_a_measure_falls():
    assert _falls(np.array([0.5, 0.2, 0.1]), np.array([0.2, 0.2, 0.3])) == (
        3, pytest.approx(0.8 / 3), pytest.approx(0.7 / 3), pytest.approx(1 / 3),
    )  # fmt: skip
    assert _falls(np.zeros(0), np.zeros(0))[0] == 0
    assert _falls(np.ones(2), np.ones(2))[3] == 0  # no range, so nothing falls
    table = _precision_falls(np.array([0.5, 0.0])).set_index("test")
    assert table.falls.to_dict() == {LOST: 0.5, ADDED: 0.0}


def test_real_units_of_a_layer():
    found = labelled()
    table = found.check_measures("pool5").set_index(["measure", "test"])
    iou = found.measures("pool5")["iou"]
    counts, best = found.counts["pool5"], iou.argmax(1)
    units = np.arange(len(best))
    truth = found.concepts.pixels.to_numpy()[best]
    own = _real_units(counts.shared[units, best], counts.active, truth, found.n_pixels)
    own = own.set_index(["measure", "test"])
    assert table.loc[("iou", LOST), "falls"] == own.loc[("iou", LOST), "falls"] == 1
    assert table.loc[("iou", LOST), "before"] == pytest.approx(iou.max(1).mean())
    assert table.loc[("coverage", ADDED), "falls"] == 0
    assert table.loc[("ap", LOST), "n"] == 0
    assert table.loc[("iou", LOST), "n"] == len(best)
