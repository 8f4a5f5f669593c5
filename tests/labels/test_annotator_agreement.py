"""Agreement against published worked examples and a second way of computing it."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelens.errors import SceneLensError
from scenelens.labels.annotator_agreement import (
    Agreement,
    _krippendorff_alpha,
    _type_table,
    score_student,
)

# Krippendorff's three coders and fifteen units with gaps; nominal alpha is .691 (as worked out on Wikipedia).
CODERS = ("*****34121133*3", "1*213343*******", "**21344*21133*4")


def pairwise_alpha(units: list[list[int]]) -> float:
    """Alpha from its definition: disagreement of pairs within units against pairs of any two answers."""
    units = [unit for unit in units if len(unit) > 1]
    n = sum(map(len, units))
    if n < 2:
        return math.nan
    within = sum(sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units) / n
    every = [answer for unit in units for answer in unit]
    anyhow = sum(a != b for a, b in permutations(every, 2)) / (n * (n - 1))
    return 1 - within / anyhow if anyhow else math.nan


def units_of(coders: tuple[str, ...]) -> list[list[int]]:
    return [[int(code) for code in unit if code != "*"] for unit in zip(*coders, strict=True)]


def counted(units: list[list[int]], n: int = 5) -> np.ndarray:
    return np.array([np.bincount(unit, minlength=n) for unit in units])


def test_krippendorffs_own_example():
    counts = counted(units_of(CODERS))
    assert counts[counts.sum(1) > 1].sum() == 26
    assert _krippendorff_alpha(counts) == pytest.approx(0.691, abs=5e-4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=6))
def test_alpha_by_counts_is_alpha_by_pairs(units):
    assert _krippendorff_alpha(counted(units)) == pytest.approx(pairwise_alpha(units), nan_ok=True)


def test_nothing_to_agree_on_is_nan():
    assert math.isnan(_krippendorff_alpha([[1, 0], [0, 1]]))  # nobody answered the same unit
    assert math.isnan(_krippendorff_alpha([[3, 0], [2, 0]]))  # one category only
    assert math.isnan(_krippendorff_alpha(np.zeros((0, 2))))


def test_wrong_counts_are_refused():
    for counts in ([1, 2], [[-1, 2]], [[0.5, 1]]):
        with pytest.raises(SceneLensError, match="whole numbers"):
            _krippendorff_alpha(counts)


def answers(**types: str) -> pd.DataFrame:
    """Annotator -> one letter per unit: o(bject), s(cene), - for no answer."""
    names = {"o": "object", "s": "scene"}
    rows = [
        ("scene", "pool5", unit, who, f"{names[letter]} word", names[letter], 0.5)
        for who, letters in types.items()
        for unit, letter in enumerate(letters)
        if letter != "-"
    ]
    columns = ["network", "layer", "unit", "annotator", "concept", "type", "precision"]
    return pd.DataFrame(rows, columns=columns)


def test_agreement_leaves_out_units_with_one_answer_and_follows_its_seed():
    labels = answers(a="ooss-o", b="oosoo-")
    found = Agreement.of(labels, seed=1, n_resamples=50)
    assert (found.n_units, found.n_answers, found.unanimous) == (4, 8, 0.75)
    assert found.alpha == pytest.approx(_krippendorff_alpha([[2, 0], [2, 0], [0, 2], [1, 1]]))
    assert found == Agreement.of(labels, seed=1, n_resamples=50)
    assert found.low <= found.alpha <= found.high


def test_agreement_without_answers():
    found = Agreement.of(answers(a="o"))
    assert found.n_units == 0
    assert math.isnan(found.alpha)
    assert math.isnan(found.unanimous)


def test_an_answer_given_again_counts_once():
    twice = pd.concat([answers(a="o", b="o"), answers(a="s").assign(when="2026")])
    assert _type_table(twice).iloc[0].tolist() == [1, 1, 0, 0, 0, 0]


def test_a_student_compared_with_three_workers():
    workers = answers(a="oos", b="oss", c="ooo")
    mine = answers(Ada="so-").assign(precision=0.75, concept=["Rooms", "a word"])
    table = score_student(mine, "Ada", pd.concat([workers, mine]))
    assert table.unit.tolist() == [0, 1]
    assert table.shared.tolist() == [0, pytest.approx(2 / 3)]
    assert table.expected.tolist() == [1, pytest.approx(1 / 3)]
    assert table.same_concept.tolist() == [0, 1]
    assert table.precision_difference.tolist() == [0.25, 0.25]


def test_a_student_whose_units_no_other_answered():
    with pytest.raises(SceneLensError, match="no answers by 'Bob'"):
        score_student(answers(Ada="o"), "Bob", answers(a="o"))
    with pytest.raises(SceneLensError, match="the others have not answered"):
        score_student(answers(Ada="o"), "Ada", answers(a="-o"))


def test_published_answers_are_about_other_networks():
    """A unit's number means another unit in another network: (scene, pool5, 0) here is not Places-CNN's."""
    mine = answers(Ada="o").assign(source="people")
    workers = answers(a="o", b="s").assign(source="released answers")
    with pytest.raises(SceneLensError, match="the paper's own scene network"):
        score_student(mine, "Ada", workers)
    assert len(score_student(workers, "a", workers)) == 1
    # Where both say that it is the paper's network, they are compared.
    named = [one.assign(network="places205-alexnet") for one in (mine, workers)]
    assert score_student(named[0], "Ada", named[1]).shared.tolist() == [0.5]
