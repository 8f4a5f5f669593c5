"""Right answers in another spelling are right, and a refusal never tells which choice is the right one."""

import inspect
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelens import exercises
from scenelens.exercises import check
from scenelens.workbook import exercises_00
from scenelens.workbook.checks import _plain, _unit_number, check_choice, check_number

ONE = SimpleNamespace(networks=SimpleNamespace(main="scene"))  # a study of one network
WORDS = ("bed", "lamp", "art gallery", "window")


@pytest.mark.parametrize(("answer", "expected"), [
    ("128", 128), (" 12 ", 12), ("1,376", 1376), ("1 376", 1376), ("1_376", 1376), ("12,345,678", 12345678),
    ("0.35", 0.35), ("0,35", 0.35), (".35", 0.35), ("35%", 0.35), ("35 %", 0.35), ("35 per cent", 0.35),
    ("35 percent.", 0.35), ("128.", 128), ("-5", -5), ("\N{MINUS SIGN}5", -5), ("1e3", 1000), ("2.5%", 0.025),
    (np.str_("128"), 128),
])  # fmt: skip
def test_a_number_may_be_written_as_text(answer, expected):
    assert check_number(answer, expected).right
    assert not check_number(answer, expected + 1).right


@given(st.integers(0, 10**8))
def test_a_count_is_right_with_its_thousands_grouped(count):
    for text in (f"{count}", f"{count:,}", f"{count:_}", f" {count}. "):
        assert check_number(text, count).right
        assert not check_number(text, count + 1).right
        assert _plain(text) == _plain(count)


@pytest.mark.parametrize("share", [True, False])
def test_a_share_in_per_cent_is_right_if_the_answer_says_so(share):
    assert check_number("35%", 0.35, 0.001, share=share).right
    assert not check_number("36%", 0.35, 0.001, share=share).right
    assert not check_number("0.35%", 0.35, 0.001, share=share).right


@pytest.mark.parametrize("answer", [35, "35", 35.0])
def test_a_bare_per_cent_is_told_the_form_and_its_own_side(answer):
    nearly = check_number(answer, 0.35, 0.001, "Count.", share=True)
    assert not nearly.right
    assert "in per cent. Give the fraction between 0 and 1" in nearly
    for expected, side in [(0.4, "too low"), (0.3, "too high"), (1.0, "too low"), (0.0, "too high")]:
        verdict = check_number(answer, expected, 0.001, "Count.", share=True)
        assert not verdict.right
        assert f"The answer is a fraction between 0 and 1, not per cent; 0.35 is {side}. Count." in verdict


def test_a_share_of_one_is_told_from_a_hundred_per_cent():
    assert "in per cent" in check_number(100, 1.0, 0.001, share=True)
    assert check_number("100%", 1.0, 0.001, share=True).right
    assert check_number(1, 1.0, 0.001, share=True).right


def test_a_count_in_per_cent_is_told_that_none_is_asked_for():
    verdict = check_number("27%", 27, hint="Count.")
    assert not verdict.right
    assert "not per cent. Count." in verdict


@pytest.mark.parametrize(("exercise", "answer"), [
    ("02.3", "Wider."), ("03_1.1", "27"), ("03_1.3", "It stops early."), ("03_1.3", "stops early"),
    ("03_1.3", "Because it stops early!"), ("03_1.3", "it_stops-early"), ("03_1.4", "one color"),
    ("03_1.4", "One Colour."), ("03_1.4", "one-color"), ("03_2.3", "It grows or stays."),
    ("03_2.3", ' "grows or stays" '), ("03_3.1", "79%"), ("03_3.3", "2.5 %"),
    ("04_1.3", "Looks better than it is."), ("04_1.4", "60%"), ("04_2.1", "0,333"), ("04_2.2", "10."),
    ("04_2.3", "The recall."), ("05.1", "25,0"), ("05.3", "Looks larger than it is."),
    ("05.4", "9,9"), ("05.5", "Against."),
])  # fmt: skip
def test_a_right_answer_in_another_spelling_is_right(exercise, answer):
    assert check(exercise, None, answer).right


@pytest.mark.parametrize(("exercise", "answer"), [
    ("03_1.3", "It is wiser."), ("03_1.4", "The original."), ("03_1.4", "original"),
    ("02.3", "Equally-wide."),
])  # fmt: skip
def test_a_wrong_answer_in_another_spelling_is_known_and_wrong(exercise, answer):
    verdict = check(exercise, None, answer)
    assert not verdict.right
    assert "Choose one of" not in verdict


def test_a_choice_that_starts_with_an_article_needs_none():
    assert check_choice("original", "the original", ["the original", "black"]).right
    assert check_choice("the Theater.", "theatre", ["theatre", "attic"]).right


@given(
    st.sampled_from(["a", "an", "the", "it"]), st.sampled_from(WORDS), st.sampled_from(["", ".", "!", " "])
)
def test_articles_and_final_marks_do_not_matter(lead, word, mark):
    assert check_choice(f" {lead.title()} {word}{mark}", word, WORDS).right


@given(st.permutations(WORDS), st.sampled_from(WORDS))
def test_a_refusal_does_not_depend_on_the_right_choice_or_the_order(order, right):
    refusal = check_choice("zebra", right, order)
    assert refusal == "❌ Choose one of: art gallery, bed, lamp, window."


def ranked(words):
    """A stand-in for a table of objects, the best first."""
    return pd.DataFrame({"object": words, "concept": words, "n": range(len(words) + 8, 8, -1)})


def table_of_shares(words, names="layer"):
    """A stand-in for a table of all words, in which the first of `words` has the smallest share."""
    table = pd.DataFrame({names: sorted(words), "network": "object"})
    return table.assign(share=table[names].map({word: k for k, word in enumerate(words)}))


def stand_ins(exercise, words):
    """What to put in place of an exercise's results, so that the first of `words` is its right answer.

    Exercises with the same right answer in every study need nothing.
    """
    labels = SimpleNamespace(deepest=lambda network: "pool5")
    types = pd.DataFrame({"network": "scene", "layer": "pool5", "type": words, "n": range(len(words), 0, -1)})
    return {
        "02.4": {
            "layer_pairs": lambda study: pd.DataFrame({"scene": sorted(words)}),
            "layer_preference": lambda study: None,
            "_lasting_gap": lambda table: sorted(words).index(words[0]),
        },
        "03_1.2": {
            "choose_categories": lambda study: ["attic"],
            "category_retention": lambda study, category: SimpleNamespace(table=ranked(words)),
        },
        "03_2.4": {"open_atlas": lambda study: None, "table_2": lambda atlas: table_of_shares(words)},
        "03_3.4": {
            "automatic_set": lambda study, networks: labels,
            "type_shares": lambda labels: types,
            "TYPES": sorted(words),
        },
        "04_1.2": {
            "ObjectPresence": SimpleNamespace(of=lambda annotations, images: None),
            "object_frequency": lambda presence: ranked(words),
        },
        "04_2.4": {
            "StudyLocalizer": SimpleNamespace(
                of=lambda study: SimpleNamespace(objects=lambda intervals: ranked(words))
            ),
        },
        "05.2": {
            "ablation_effects": lambda study, progress: None,
            "ablation_by_category": lambda found: pd.DataFrame(
                {"category": words, "change": range(len(words), 0, -1)}
            ),
        },
        "05.6": {
            "read_retraining": lambda: None,
            "edit_effects": lambda tables: pd.DataFrame(
                {
                    "object": words,
                    "kind": "diagnosticity",
                    "measure": "ap",
                    "toward": range(len(words), 0, -1),
                }
            ),
        },
    }.get(exercise, {})


FIXED = {
    "02.3": "wider", "03_1.3": "it stops early", "03_1.4": "one colour", "03_2.3": "grows or stays",
    "04_1.3": "it looks better than it is", "04_2.3": "recall",
    "05.3": "it looks larger than it is", "05.5": "against", "06.1": "depends on the rule",
    "06.3": "this network",
}  # fmt: skip
FROM_STUDY = ["02.4", "03_1.2", "03_2.4", "03_3.4", "04_1.2", "04_2.4", "05.2", "05.6"]


def test_these_are_all_exercises_with_a_word_for_an_answer():
    found = [name for name, one in exercises._CHECKS.items() if "check_choice(" in inspect.getsource(one)]
    assert sorted(found) == sorted([*FIXED, *FROM_STUDY])


@pytest.mark.parametrize("exercise", FROM_STUDY)
@given(order=st.permutations(WORDS))
def test_the_refusal_of_a_word_from_the_study_is_the_same_for_every_right_answer(exercise, order):
    module = inspect.getmodule(exercises._CHECKS[exercise])
    networks = {"scene": None, "object": None}
    study = SimpleNamespace(annotations=True, scene_images=lambda: None, networks=networks)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stand_ins(exercise, order).items():
            patch.setattr(module, name, value)
        assert check(exercise, study, order[0]).right
        assert not check(exercise, study, order[1]).right
        refusal = check(exercise, study, "zebra")
    listed = sorted([*WORDS, "never"]) if exercise == "02.4" else sorted(WORDS)
    assert refusal == f"❌ Choose one of: {', '.join(listed)}."


@pytest.mark.parametrize("exercise", FIXED)
@given(data=st.data())
def test_the_refusal_of_a_fixed_word_is_the_same_for_every_right_answer(exercise, data):
    assert check(exercise, None, FIXED[exercise]).right
    refusal = check(exercise, None, "zebra")
    choices = refusal.removeprefix("❌ Choose one of: ").removesuffix(".").split(", ")
    assert choices == sorted(choices)
    right, module = data.draw(st.sampled_from(choices)), inspect.getmodule(exercises._CHECKS[exercise])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "check_choice", lambda a, e, c, hint: check_choice(a, right, c, hint))
        assert check(exercise, None, right).right
        assert check(exercise, None, "zebra") == refusal


@pytest.fixture
def layer_of_ties(monkeypatch):
    """The layer pool5 of 30 units: 20 is shown, five are tidy, and nine share the places from 7 on."""
    shares = pd.Series(0.1, index=pd.RangeIndex(30))
    shares[[20, 3, 11, 25, 28, 29]] = [1.0, 0.9, 0.9, 0.8, 0.8, 0.7]
    shares[[1, 5, 8, 12, 15, 18, 21, 24, 27]] = 0.5
    monkeypatch.setattr(exercises_00, "tidiest_unit", lambda study: ("pool5", 20))
    monkeypatch.setattr(exercises_00, "tidiness", lambda study, network, layer: shares)
    return shares


def test_nine_units_are_right_beside_the_one_shown(layer_of_ties):
    right = [unit for unit in range(30) if check("00.2", ONE, unit).right]
    assert right == [1, 3, 5, 8, 11, 12, 25, 28, 29]
    assert set(right) | {20} == set(layer_of_ties.nlargest(10).index)  # the notebook's solution
    assert "lower numbers" in check("00.2", ONE, 15)
    assert "do not agree well enough" in check("00.2", ONE, 0)
    assert "shown above" in check("00.2", ONE, "pool5:20")


@pytest.mark.parametrize("answer", [
    "3", " 3. ", 3.0, np.int64(3), "pool5:3", "Pool5 : 3", "pool5 unit 3", "unit 3", ("pool5", 3),
])  # fmt: skip
def test_a_unit_may_be_named_with_its_layer(layer_of_ties, answer):
    assert check("00.2", ONE, answer).right


@pytest.mark.parametrize("answer", [
    "conv4:3", "pool53", 3.5, -3, 300, True, "three", ("conv4", 3), [1, 2, 3], np.array([3, 5]), "3%", "",
])  # fmt: skip
def test_what_is_no_unit_of_the_layer_is_told_so(layer_of_ties, answer):
    verdict = check("00.2", ONE, answer)
    assert not verdict.right
    assert "The answer is a unit of pool5" in verdict


@given(st.integers(0, 5000))
def test_a_units_name_and_its_number_say_the_same(unit):
    assert _unit_number(f"pool5:{unit}", "pool5") == _unit_number(str(unit), "pool5") == unit
    assert _unit_number(f"pool5:{unit}", "conv5") is None
