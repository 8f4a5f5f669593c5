"""How far the kinds are apart: against all divisions of the networks, counted one by one, and scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student
from scipy.stats import ttest_ind

from scenelens.errors import SceneLensError
from scenelens.seeds import further_trainings
from scenelens.seeds.spread import MEASURES, _kind_difference, _own_values, _seed_values, _spread
from scenelens.verdict.trainings import _checked
from scenelens.verdict.verdicts import _CLAIMS
from tests.seeds.made_up_tables import made_up

_VALUES = st.lists(st.integers(0, 20), min_size=2, max_size=5)


def _counted(first, second):
    """p by hand: every choice of as many of all values as the first group has."""
    both, n = [*first, *second], len(first)
    observed = abs(np.mean(first) - np.mean(second))
    chosen = list(itertools.combinations(range(len(both)), n))
    reached = 0
    for some in chosen:
        one = [both[k] for k in some]
        other = [both[k] for k in range(len(both)) if k not in some]
        reached += abs(np.mean(one) - np.mean(other)) >= observed - 1e-9
    return reached / len(chosen)


@settings(max_examples=40, deadline=None)
@given(_VALUES)
def test_p_is_the_share_of_all_divisions_into_equal_groups(values):
    rng = np.random.default_rng(len(values))
    second = [int(one) for one in rng.integers(0, 20, len(values))]
    p = _kind_difference(np.array(values, float), np.array(second, float))[2]
    assert p == pytest.approx(_counted(values, second))


@settings(max_examples=40, deadline=None)
@given(_VALUES, _VALUES)
def test_the_interval_is_welchs(first, second):
    one, other = np.array(first, float), np.array(second, float)
    low, high, _ = _kind_difference(one, other)
    if min(np.ptp(one), np.ptp(other)) == 0:  # scipy warns of these
        assert low <= one.mean() - other.mean() <= high
        return
    known = ttest_ind(one, other, equal_var=False).confidence_interval()
    assert (low, high) == pytest.approx((known.low, known.high))


def test_networks_that_are_all_alike_leave_no_doubt():
    assert _kind_difference(np.full(5, 0.5), np.full(5, 0.2)) == pytest.approx((0.3, 0.3, 2 / 252))
    low, high, _ = _kind_difference(np.array([1.0, 3.0]), np.zeros(2))  # by hand: 2 -+ 12.7062 with 1 degree
    assert (low, high) == pytest.approx((2 - 12.7062, 2 + 12.7062), abs=1e-4)


def test_five_and_five_that_do_not_meet_reach_the_least_p():
    p = _kind_difference(np.arange(5.0), np.arange(10.0, 15.0))[2]
    assert p == pytest.approx(2 / 252)


def test_one_network_of_a_kind_has_no_interval():
    assert np.isnan(_kind_difference(np.array([1.0]), np.array([0.0, 0.5]))).all()
    assert np.isnan(_kind_difference(np.array([]), np.array([]))).all()


def test_the_spread_of_a_layer_is_as_by_hand(tmp_path):
    tables = made_up(tmp_path)
    row = _spread(_seed_values(tables, "detectors")).set_index("layer").loc["pool5"]
    assert (row.scene, row.scene_low, row.scene_high, row.scene_n) == pytest.approx((0.54, 0.50, 0.58, 5))
    assert (row.object, row.object_low, row.object_high) == pytest.approx((0.24, 0.20, 0.28))
    # Both kinds have a variance of 0.001 and n = 5: the standard error is 0.02, with 8 degrees of freedom.
    half = student.ppf(0.975, 8) * 0.02
    assert (row.difference, row.low, row.high) == pytest.approx((0.30, 0.30 - half, 0.30 + half))
    assert row.p == pytest.approx(2 / 252)


def test_a_layer_without_a_map_has_no_detectors(tmp_path):
    tables = made_up(tmp_path)
    assert set(_seed_values(tables, "detectors").layer) == {"pool1", "pool5"}
    assert set(_seed_values(tables, "preference").layer) == {"pool1", "pool5", "fc7"}


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_has_a_value_of_every_network(measure, tmp_path):
    values = _seed_values(made_up(tmp_path), measure)
    assert values[values.network == "scene"].seed.nunique() == 5
    assert np.isfinite(values.value).all()


def test_an_unknown_measure_is_one_sentence(tmp_path):
    with pytest.raises(SceneLensError, match=r"no measure named 'detector'; close names: detectors"):
        _seed_values(made_up(tmp_path), "detector")


def test_only_the_embedded_pair_stands_beside_its_other_trainings(tmp_path, embedded, tiny):
    tables = made_up(tmp_path)
    own = pd.DataFrame(
        {"network": ["scene", "object", "untrained"], "layer": "pool5", "share": [0.5, 0.2, 0]}
    )
    assert _own_values(tables, "detectors", embedded, own).value.tolist() == [0.5, 0.2, 0]
    assert _own_values(tables, "detectors", tiny, own).empty
    assert _own_values(tables, "detectors", embedded, None).empty


def test_of_correlations_the_one_over_all_objects_is_taken(tmp_path, embedded):
    rows = [
        {"network": "scene", "measure": measure, "against": against, "objects": objects, "r": k / 10}
        for k, (measure, against, objects) in enumerate(
            itertools.product(("pearson", "spearman"), ("frequency", "informativeness"), ("all", "detected"))
        )
    ]
    found = _own_values(made_up(tmp_path), "informativeness", embedded, pd.DataFrame(rows))
    assert found.value.tolist() == [0.2]


def test_the_verdict_takes_the_trainings_of_the_embedded_study_alone(tmp_path, embedded, tiny):
    tables = made_up(tmp_path)
    assert further_trainings(tiny, tables) is None
    found = further_trainings(embedded, tables)
    assert _checked(found, [one.key for one in _CLAIMS]) is found  # known claims, and all columns
    assert set(found.network) == {"scene", "object"}
    own = found[(found.claim == "detectors") & (found.network == "scene")]
    assert own.sort_values("seed").value.tolist() == pytest.approx([0.50, 0.52, 0.54, 0.56, 0.58])
    deepest = found[(found.claim == "deepest") & (found.network == "object")]
    assert deepest.value.tolist() == [1.0] * 5  # fc7
