"""The table of labels and the rules that make one meaning of several answers."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from scenelens.errors import SceneLensError
from scenelens.labels.table import (
    COLUMNS,
    GROUPS,
    LEVELS,
    TYPES,
    check_labels,
    current,
    merge,
    unit_types,
)
from scenelens.unit_semantics.sentences import _side_by_side
from scenelens.unit_semantics.tables import _type_counts


def answers(*rows: tuple, **common) -> pd.DataFrame:
    """Rows of annotator, concept, type, precision about one unit."""
    table = pd.DataFrame(list(rows), columns=["annotator", "concept", "type", "precision"])
    return table.assign(**({"network": "scene", "layer": "pool5", "unit": 3} | common))


THREE = answers(("a", "bed", "object", 0.8), ("b", "Bed", "object", 0.6), ("c", "bedroom", "scene", 0.9))


def test_every_type_has_one_group_and_a_level_and_levels_rise_with_the_groups():
    assert sorted(GROUPS.values()) == sorted(TYPES)
    assert [LEVELS[kind] for kind in GROUPS.values()] == ["low", "mid", "mid", "mid", "high", "high"]


def test_columns_come_in_the_schemas_order_and_measures_behind_them():
    table = check_labels(THREE.assign(iou=0.1))
    assert tuple(table.columns) == (*COLUMNS, "iou")
    assert table.when.tolist() == ["", "", ""]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("precision", 1.01, "0..1"),
        ("precision", -0.1, "0..1"),
        ("precision", math.inf, "0..1"),
        ("type", "objekt", "close names: object"),
        ("type", None, "one of six"),
        ("concept", "  ", "at least a word"),
        ("unit", -1, "whole number"),
        ("unit", 1.5, "whole number"),
    ],
)
def test_a_bad_value_is_named_with_its_row(column, value, words):
    with pytest.raises(SceneLensError, match=words) as caught:
        check_labels(answers(("a", "bed", "object", 0.8)).assign(**{column: value}))
    assert "scene pool5" in str(caught.value)


def test_a_missing_column_is_named():
    with pytest.raises(SceneLensError, match="concept"):
        check_labels(THREE.drop(columns="concept"))


def test_an_unjudged_precision_is_allowed():
    assert math.isnan(check_labels(answers(("a", "bed", "object", math.nan))).precision[0])


@pytest.mark.parametrize(
    ("rule", "threshold", "found"),
    [
        ("any", 0.75, [("scene", 0.9), ("object", 0.8)]),
        ("any", 0.85, [("scene", 0.9)]),
        ("majority", 0.75, [("object", 0.7667)]),  # the mean of all three, not of the two
        ("majority", 0.77, []),
        ("unanimous", 0.0, []),
        ("most precise", 0.75, [("scene", 0.9)]),
        (lambda rows, threshold: rows[rows.annotator == "b"], 0.75, [("object", 0.6)]),
    ],
)
def test_the_rule_decides_what_a_unit_is(rule, threshold, found):
    table = unit_types(THREE, rule, threshold)
    assert [(row.type, round(row.precision, 4)) for row in table.itertuples()] == found


def test_half_of_the_answers_is_not_a_majority():
    assert unit_types(THREE[1:], "majority", 0).empty


def test_units_that_agree_are_unanimous():
    assert unit_types(THREE[:2], "unanimous", 0.7).type.tolist() == ["object"]
    assert unit_types(THREE[:2], "unanimous", 0.71).empty


def test_an_unknown_rule_and_a_wrong_threshold():
    with pytest.raises(SceneLensError, match="close names: majority"):
        unit_types(THREE, "majorty")
    with pytest.raises(SceneLensError, match=r"0\.\.1"):
        unit_types(THREE, "any", 75)


def test_without_answers_there_are_no_units():
    assert list(unit_types(THREE[:0]).columns) == [
        "network",
        "layer",
        "unit",
        "type",
        "level",
        "concept",
        "precision",
    ]


def test_an_annotators_latest_answer_counts_and_others_stay():
    table = merge(THREE.assign(when="2026-01-01"), answers(("c", "bunk", "object", 0.5), when="2026-01-02"))
    assert len(table) == 4
    assert current(table).concept.tolist() == ["bed", "Bed", "bunk"]


def test_merging_twice_changes_nothing_and_sources_stay_apart():
    other = THREE.assign(source="other")
    assert len(merge(THREE, THREE, other)) == 6
    assert len(current(merge(THREE, other))) == 6
    assert merge().empty


def test_precision_decides_between_equally_common_concepts():
    same = THREE.assign(type="object")
    assert unit_types(same, "any", 0).concept.tolist() == ["bed"]
    assert unit_types(same[1:], "any", 0).concept.tolist() == ["bedroom"]


def test_counts_keep_the_tables_order_of_layers():
    table = pd.concat([THREE, answers(("a", "red", TYPES[5], 1.0), layer="conv1")])
    counts = _type_counts(table)
    assert [layer for _, layer in counts.index] == ["pool5", "conv1"]
    assert counts.loc[("scene", "pool5")].tolist() == [1, 2, 0, 0, 0, 0]
    assert counts.sum(axis=1).tolist() == [3, 1]


def test_side_by_side_shows_only_units_that_all_know():
    other = answers(("IoU", "bed", "object", math.nan), source="automatic")
    lone = answers(("IoU", "sky", TYPES[2], math.nan), source="automatic", unit=9)
    table = _side_by_side(THREE.assign(source="people"), pd.concat([other, lone]))
    assert len(table) == 1
    assert table.iloc[0][("automatic", "IoU")] == "bed (object)"
    assert table.iloc[0][("people", "c")] == "bedroom (scene)"
