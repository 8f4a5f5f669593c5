"""The tables of Figures 7 and 8: by hand, and against the counts known of the released answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat

from scenelens.errors import SceneLensError
from scenelens.installation import HERE
from scenelens.labels.table import TYPES
from scenelens.unit_semantics import tables
from scenelens.unit_semantics.figures.answers import _layer_precision
from scenelens.unit_semantics.sources import LabelSet, released_answers
from tests.made_up_labels import made_up_answers

#: unit: three types and precisions, as (first letter of the type, precision)
BY_HAND = {
    0: [("object", 0.9), ("object", 0.8), ("scene", 0.7)],  # an object by majority: mean 0.8
    1: [("object", 0.8), ("scene", 0.9), ("texture or material", 0.9)],  # three types, all precise
    2: [("object", 0.5), ("object", 0.5), ("object", 0.8)],  # unanimous, mean 0.6
}


@pytest.fixture
def three():
    rows = [
        ("scene", "pool5", unit, f"w{who}", "word", kind, share)
        for unit, answers in BY_HAND.items()
        for who, (kind, share) in enumerate(answers)
    ]
    columns = ["network", "layer", "unit", "annotator", "concept", "type", "precision"]
    return LabelSet("by hand", pd.DataFrame(rows, columns=columns), {("scene", "pool5"): 4})


def counts(table, what, value="n"):
    return dict(zip(table[what], table[value], strict=True))


def test_levels_by_hand(three):
    majority = tables.level_counts(three)
    assert counts(majority, "level") == {"low": 0, "mid": 0, "high": 1}
    assert counts(majority, "level", "named") == {"low": 0, "mid": 0, "high": 2}
    assert majority.of.tolist() == [4, 4, 4]  # the unit nobody answered is one of the layer's
    high = majority[majority.level == "high"].iloc[0]
    assert high.low == high.high == high.share == 0.25  # all units are counted: no interval
    any_answer = tables.level_counts(three, "any")
    assert counts(any_answer, "level") == {"low": 0, "mid": 1, "high": 3}  # textures are mid
    assert counts(tables.level_counts(three, "majority", 0.85), "level")["high"] == 0


def test_types_by_hand(three):
    answers = tables.type_shares(three)
    assert counts(answers, "type")["object"] == 6
    assert answers.of.tolist() == [9] * 6
    assert answers.share.sum() == pytest.approx(1)
    units = tables.type_shares(three, "any")
    assert (counts(units, "type")["object"], counts(units, "type")["scene"]) == (3, 1)
    assert units.of.tolist() == [4] * 6


def test_precision_is_a_mean_over_units_not_answers(three):
    one = three.labels.drop(index=[1, 2])  # unit 0 keeps one answer, of 0.9
    row = _layer_precision(LabelSet("by hand", one, three.units)).iloc[0]
    assert row.n_units == 3
    assert row.precision == pytest.approx((0.9 + 2.6 / 3 + 0.6) / 3)
    assert row.low <= row.precision <= row.high


def test_counts_by_rule_have_every_rule(three):
    table = tables.counts_by_rule(three)
    assert table.set_index("rule").n.to_dict() == {
        "any": 3, "majority": 1, "unanimous": 0, "most precise": 2,
    }  # fmt: skip
    with pytest.raises(SceneLensError, match="close names: object"):
        tables.counts_by_rule(three, "objects")


def test_another_measure_than_precision_decides_where_the_set_says_so(three):
    labels = three.labels[three.labels.annotator == "w0"].assign(precision=0.1, iou=[0.5, 0.03, 0.04])
    by_iou = LabelSet("automatic", labels, three.units, "iou", 0.04)
    assert counts(tables.type_shares(by_iou, "majority"), "type")["object"] == 2
    assert _layer_precision(by_iou).precision[0] == pytest.approx(0.1)


def test_layers_without_answers_count_as_nothing(three):
    units = {("scene", "conv1"): 2, **three.units}
    table = _layer_precision(LabelSet("by hand", three.labels, units))
    assert table.n_units.tolist() == [0, 3]
    assert np.isnan(table.precision[0])
    shares = tables.type_shares(LabelSet("by hand", three.labels, units))
    assert shares[shares.layer == "conv1"].share.isna().all()
    assert shares[shares.layer == "conv1"][["low", "high"]].isna().all(axis=None)


def test_depths_follow_the_order_of_the_layers():
    table = tables.level_counts(made_up_answers())
    assert table.drop_duplicates("layer").layer.tolist() == ["pool1", "conv3", "pool5"]
    assert set(zip(table.depth, table.layer, strict=True)) == {(0, "pool1"), (1, "conv3"), (2, "pool5")}


# ------------------------------------------------------------------------------------- the released answers


@pytest.fixture(scope="module")
def released():
    return released_answers()


def deepest(table, network, **where):
    rows = table[(table.network == network) & (table.layer == "pool5")]
    for name, value in where.items():
        rows = rows[rows[name] == value]
    return rows.iloc[0]


def test_the_released_types_are_the_published_averages(released):
    table = tables.type_shares(released)
    assert deepest(table, "scene", type="object").n == 293
    assert deepest(table, "object", type="object").n == 265
    for network, file in (("scene", "places205"), ("object", "imagenet")):
        path = HERE.published / "unit_annotation" / f"unitAnnotation_{file}-alexnet.mat"
        shares = table[table.network == network].pivot(index="depth", columns="type", values="share")
        np.testing.assert_allclose(shares[list(TYPES)], loadmat(path)["layerAverageCount"], atol=1e-12)


def test_the_released_counts_by_rule(released):
    table = tables.counts_by_rule(released).pivot(index="rule", columns="network", values="n")
    assert table.loc["any"].to_dict() == {"scene": 103, "object": 75}
    assert table.loc["majority"].to_dict() == {"scene": 59, "object": 30}


def test_the_released_precision_and_levels(released):
    precision = _layer_precision(released)
    assert round(deepest(precision, "scene").precision, 3) == 0.778
    assert round(deepest(precision, "object").precision, 3) == 0.712
    assert precision.n_units.tolist() == [96, 256, 384, 384, 256] * 2
    levels = tables.level_counts(released)
    types = tables.type_shares(released, "majority")
    high = deepest(types, "scene", type="object").n + deepest(types, "scene", type="scene").n
    assert deepest(levels, "scene", level="high").n == high  # a majority gives a unit one type only
    assert deepest(levels, "scene", level="high").n > deepest(levels, "object", level="high").n
