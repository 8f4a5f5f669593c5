"""Effects of the interventions: means and intervals by hand, and partial tables."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from scenelens.retraining import because_tests, edit_effects, mean_effects, network_effects
from tests.retraining.made_up_tables import BEFORE, DETECTORS, made_up

ONE_SEED = ("unchanged_1", "unchanged_2")


def test_an_object_is_compared_with_itself_in_the_unchanged_world(tmp_path):
    effects = edit_effects(made_up(tmp_path))
    assert len(effects) == 2 * 12
    units = effects[effects.measure == "units"].set_index(["kind", "object"])
    barn = units.loc["diagnosticity", "barn"]
    assert (barn.value, barn.before, barn.unchanged) == (0, BEFORE, 3)  # 2 units less 3 are none
    assert (barn.expected, barn.change, barn.toward) == (-1, -3, 3)
    cat = units.loc["frequency", "cat"]
    assert (cat.value, cat.change, cat.toward) == (3, 0, 0)


def test_the_band_is_a_prediction_interval_with_a_pooled_spread(tmp_path):
    """All six objects have 2, 3 and 4 units: a standard deviation of 1, with 12 degrees of freedom."""
    effects = edit_effects(made_up(tmp_path))
    (low,), (high,) = (effects[effects.measure == "units"][end].unique() for end in ("low", "high"))
    reach = stats.t.ppf(0.975, 12) * math.sqrt(1 + 1 / 3)
    assert (low, high) == pytest.approx((3 - reach, 3 + reach))


def test_one_unchanged_network_has_no_band(tmp_path):
    effects = edit_effects(made_up(tmp_path, ONE_SEED))
    assert effects.low.isna().all()
    assert effects.high.isna().all()
    assert effects.toward.notna().all()


def test_means_are_over_objects_with_students_interval(tmp_path):
    effects = edit_effects(made_up(tmp_path))
    found = mean_effects(effects).set_index(["measure", "what"])
    toward = np.array([3, 3, 3, 2, 2, 2])  # from a mean of 3 to 0, and to 5
    row = found.loc["units", "diagnosticity"]
    wanted = stats.ttest_1samp(toward, 0).confidence_interval()
    assert (row.n, row["mean"]) == (6, 2.5)
    assert (row.low, row.high) == pytest.approx((wanted.low, wanted.high))
    less = np.array([2, 2, 2, 0, 0, 0])
    assert found.loc["units", "difference"]["mean"] == pytest.approx((toward - less).mean())


def test_only_objects_with_both_interventions_have_a_difference(tmp_path):
    tables = made_up(tmp_path, ("rarer_barn", "diagnostic_cat"))
    found = mean_effects(edit_effects(tables)).set_index(["measure", "what"])
    assert found.loc["units"].n.tolist() == [5, 5, 4]


def test_without_edited_worlds_there_is_no_mean(tmp_path):
    effects = edit_effects(made_up(tmp_path, ("diagnosticity", "frequency")))
    assert effects.empty
    assert mean_effects(effects).n.tolist() == [0] * 6


def test_whole_networks_are_compared_with_the_unchanged_ones(tmp_path):
    tables = made_up(tmp_path)
    found = network_effects(tables, "cue")
    assert len(found) == 2 * 6
    shares = found[found.measure == "detectors"].set_index("run")
    before = np.array([20, 21, 22]) / 64
    assert shares.loc["texture_alone"].value == DETECTORS["cue"] / 64
    assert shares.loc["texture_alone"].chance == 2.5 / 64
    reach = stats.t.ppf(0.975, 2) * before.std(ddof=1) * math.sqrt(4 / 3)
    assert shares.loc["colour_alone"].low == pytest.approx(before.mean() - reach)
    assert shares.loc["colour_alone"].change == pytest.approx(14 / 64 - before.mean())


def test_what_speaks_for_the_paper(tmp_path):
    tests = because_tests(made_up(tmp_path)).set_index(["question", "measure"])
    assert tests.loc["objects", "detectors"]["mean"] == pytest.approx((21 - 14) / 64)
    assert tests.loc["objects", "detectors"].n == 3  # of six worlds, objects tell nothing in three
    unchanged, alone = pd.Series([20, 21, 22]) / 64, pd.Series([14, 14, 14]) / 64
    wanted = stats.ttest_ind(unchanged, alone + [0, 0, 1e-9], equal_var=False).confidence_interval()
    assert tests.loc["objects", "detectors"].low == pytest.approx(wanted.low, abs=1e-6)
    assert (tests.low > 0).all()


@pytest.mark.parametrize(
    "without", [("cue",), ("diagnosticity", "frequency"), ("diagnosticity", "cue"), ONE_SEED]
)
def test_what_was_not_measured_has_no_cases(tmp_path, without):
    tests = because_tests(made_up(tmp_path, without)).set_index(["question", "measure"])
    assert len(tests) == 6
    empty = {"objects"} if "cue" in without else set()
    empty |= {"diagnosticity", "difference"} if "diagnosticity" in without else set()
    assert {question for question, _ in tests.index[tests.n == 0]} == empty
    assert tests.low[tests.n == 0].isna().all()
