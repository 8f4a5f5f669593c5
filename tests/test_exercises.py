import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.exercises import check
from scenelens.studies.study import open_study
from scenelens.two_networks import tables
from scenelens.workbook.checks import _plain, check_choice, check_number
from tests.tiny_study import write_tiny_study


@given(st.floats(-1e6, 1e6), st.floats(0.01, 10))
def test_a_number_is_right_exactly_inside_its_tolerance(expected, tolerance):
    assert check_number(expected + 0.99 * tolerance, expected, tolerance).right
    assert not check_number(expected + 1.01 * tolerance, expected, tolerance).right
    assert not check_number(expected - 1.01 * tolerance, expected, tolerance).right


@pytest.mark.parametrize("number", [np.float32(0.5), np.int64(3), 3, np.array(7.0)])
def test_numpy_numbers_count_as_numbers(number):
    assert check_number(number, float(number)).right


@pytest.mark.parametrize(
    "nonsense",
    ["many", "pool5", "1,37,6", "nan", "inf", "1e999", True, [1, 2], math.nan, math.inf, {}, b"1"],
)
def test_what_is_no_number_is_said_to_be_none(nonsense):
    verdict = check_number(nonsense, 1.0)
    assert not verdict.right
    assert "not one" in verdict


def test_a_number_too_large_for_a_float_is_wrong_and_no_error():
    assert not check_number(10**400, 1.0).right
    assert not check_number("9" * 400, 1.0).right


@pytest.mark.parametrize("ask", [
    lambda a: check_number(a, 1.0),
    lambda a: check_choice(a, "x", ["x"]),
])  # fmt: skip
@pytest.mark.parametrize("unanswered", [None, ...])
def test_an_untouched_exercise_is_not_called_wrong(ask, unanswered):
    verdict = ask(unanswered)
    assert not verdict.right
    assert "Not answered yet" in verdict


def test_a_wrong_number_tells_the_side_and_the_hint_but_not_the_answer():
    verdict = check_number(67, 131, hint="Count the strides.")
    assert verdict == "❌ 67 is too low. Count the strides."
    assert "131" not in check_number(700, 131)


def test_per_cent_in_place_of_a_fraction_is_told_apart_from_a_wrong_answer():
    assert "per cent" in check_number(47, 0.47, 0.005)
    assert "too high" in check_number(48, 0.47, 0.005)


def test_a_choice_forgives_spelling_not_meaning():
    choices = ["scene network", "object network"]
    assert check_choice("Scene_Network ", "scene network", choices).right
    assert not check_choice("object network", "scene network", choices).right
    assert "Choose one of: object network, scene network." in check_choice("both", "scene network", choices)


@given(st.text("abcdefghij", min_size=2, max_size=20), st.sampled_from([" ", "_", "-"]))
def test_plain_forgets_case_and_separators(word, separator):
    assert _plain(word[0] + separator + word[1:].upper() + " ") == _plain(word)


@given(st.text("abc", min_size=1), st.text("abc", min_size=1))
def test_plain_keeps_different_words_apart(one, other):
    assert (_plain(one) == _plain(other)) == (one == other)


def test_a_verdict_is_shown_as_markdown_and_is_a_string():
    verdict = check_number(1, 1)
    assert verdict._repr_markdown_() == str(verdict) == "✅ Right: 1."


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))


def test_every_exercise_has_a_right_answer_and_a_wrong_one(study):
    """The right answers, each worked out in another way than its check does."""
    pass  # moved
    from scenelens.workbook.tour import tidiest_unit, tidiness

    layer, shown = tidiest_unit(study)
    tidy = tidiness(study, "scene", layer).drop(shown)
    ten = tables.strongest_images(study, n=10)
    deep = ten[(ten["network"] == "object") & (ten["depth"] == ten["depth"].max())]
    right = {
        "00.1": study.networks["scene"].layer_shape("pool5")[0],
        "00.2": int(tidy.idxmax()),
        "02.1": 8 / 20,
        "02.2": (deep["source"] == "object-centric").sum() / 10,
        "02.3": "wider",
        "02.4": "never",  # two random networks do not part
    }
    wrong = {"00.1": 7, "00.2": shown, "02.1": 0.6, "02.2": 2, "02.3": "narrower", "02.4": "fc7"}
    for exercise, answer in right.items():
        assert check(exercise, study, answer).right, exercise
        assert not check(exercise, study, wrong[exercise]).right, exercise


def test_an_unknown_exercise_is_told():
    with pytest.raises(SceneLensError, match=r"no exercise '02\.9'"):
        check("02.9", None, 1)


@pytest.mark.parametrize(("gaps", "expected"), [
    ([False, True, True], 1), ([True, False, True], 2), ([True, True, True], 0), ([True, True, False], None),
])  # fmt: skip
def test_a_gap_must_last_to_the_end(gaps, expected):
    rows = []
    for depth, gap in enumerate(gaps):
        rows += [("scene", depth, math.nan), ("object", depth, 0.05 if gap else -0.02)]
    table = pd.DataFrame(rows, columns=["network", "depth", "difference_low"])
    assert tables._lasting_gap(table) == expected


@pytest.mark.parametrize("expected", [math.nan, math.inf])
def test_a_number_that_is_not_defined_has_no_answer(expected):
    with pytest.raises(CannotAnswerError, match="not defined here"):
        check_number(0.5, expected)
    assert check_number(..., expected).startswith("✏️")
