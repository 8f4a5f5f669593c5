"""Looks of objects among units' top images: entropies by hand, and what chance and a preference give."""

import math

import numpy as np
import pytest

from scenelens.emergence.detectors import DetectorRule
from scenelens.emergence.looks import _differ, _entropy, _inside, _looks_table, describe_looks
from scenelens.emergence.study_emergence import measure_emergence
from scenelens.errors import CannotAnswerError
from tests.annotated_study import annotated_study

POOL = {"lamp": ["floor", "table", "ceiling"] * 20}


def test_entropy_by_hand():
    assert _entropy(np.array([1, 1, 2])) == pytest.approx(1.5)
    assert _entropy(np.array([[5, 0], [3, 3]])).tolist() == [0, 1]


def test_a_preference_is_found_and_chance_is_not():
    units = [["lamp", 7, ["floor"] * 30], ["lamp", 9, ["floor", "table", "ceiling"] * 10]]
    table = _looks_table(units, POOL).set_index("unit")
    assert table.entropy.tolist() == pytest.approx([0, math.log2(3)])
    assert table.p[7] == 1 / 1000
    assert table.p[9] > 0.5
    assert table.adjusted[7] == pytest.approx(2 / 1000)
    assert table.most[7] == "floor"
    assert table.share[7] == 1
    assert table.shuffled[7] == pytest.approx(table.shuffled[9], abs=0.02)
    assert (table.differ == 1 / 1000).all()
    text = describe_looks(table.reset_index())
    assert "Of 2 units whose object has several looks, **1** has top images with fewer looks" in text
    assert "lamp :7 floor (100%)" in text
    assert "Of 1 object with two units or more, 1 has units that differ" in text


def test_p_values_are_even_where_looks_are_random():
    """Of 200 units with random looks about a tenth has p below .1; ties make it a little fewer."""
    rng = np.random.default_rng(3)
    units = [["lamp", k, rng.choice(POOL["lamp"], 20).tolist()] for k in range(200)]
    low = (_looks_table(units, POOL).p <= 0.1).mean()
    assert 0.02 < low < 0.17


def test_few_images_or_one_look_are_left_out():
    units = [["lamp", 1, ["floor"] * 4], ["bed", 2, ["plain"] * 9]]
    assert _looks_table(units, POOL | {"bed": ["plain"] * 9}).empty
    assert "No unit detects an object that has several looks" in describe_looks(_looks_table([], {}))


def test_units_of_one_object_that_share_their_looks_do_not_differ():
    rng = np.random.default_rng(0)
    assert _differ([["a", "b"] * 10, ["b", "a"] * 10], rng) > 0.5
    assert _differ([["a"] * 10, ["b"] * 10], rng) == 1 / 1000
    assert math.isnan(_differ([["a"] * 10, ["b"] * 4], rng))


def test_how_far_inside():
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]])
    assert _inside((5, 5), [square]) == 5
    assert _inside((5, 13), [square]) == -3
    assert _inside((5, 13), [square, square + [0, 12]]) == 1
    assert _inside((5, 5), []) == -math.inf


def test_a_study_without_looks_says_so(tmp_path):
    found = measure_emergence(annotated_study(tmp_path, 5), DetectorRule.by_measure("iou", 0.0), 5)
    with pytest.raises(CannotAnswerError, match="do not say which of several looks"):
        found.looks()
