"""Tables of made-up effects, worked out by hand."""

import numpy as np
import pytest

from scenelens.interventions import (
    ablation_by_category,
    ablation_curve,
    balanced_accuracies,
    effect_correlations,
    sentences,
    unit_effects,
)
from tests.interventions.made_up_effects import made_up_effects


@pytest.fixture(scope="module")
def found():
    return made_up_effects()


def test_the_fall_of_the_accuracy_by_whose_units_are_lost(found):
    # The whole network is right about a to e, and calls f an attic.
    assert found.right.tolist() == [True] * 5 + [False]
    table = ablation_curve(found).set_index(["k", "whose"])
    # a loses its own unit's answer, c its own, and e its own; b and d do not.
    assert table.change[1, "own"] == pytest.approx((1 + 0 + 1 + 0 + 1 + 0) / 6)
    # Another category's units change none of a to e; f is right without attic's unit, not without beach's.
    assert table.change[1, "other"] == pytest.approx((0 + 0 + 0 + 0 + 0 - 1 / 2) / 6)
    # In one of two draws, a is lost; in both, f is right.
    assert table.change[1, "random"] == pytest.approx((0.5 + 0 + 0 + 0 + 0 - 1) / 6)
    assert table.more[1, "own"] == pytest.approx(3 / 6 - (0.5 - 1) / 6)
    assert np.isnan(table.more[1, "random"])
    assert table.n[1, "own"] == 6
    assert table.categories[1, "own"] == 3


def test_own_units_are_compared_with_those_of_another_category(found):
    table = ablation_curve(found).set_index(["k", "whose"])
    own = table.loc[(1, "own")]
    assert own.apart == pytest.approx(own.change - table.change[1, "other"])
    assert own.apart_low <= own.apart <= own.apart_high
    assert np.isnan(table.apart[1, "other"])


def test_a_category_is_told_from_all_others(found):
    table = balanced_accuracies(found, k=1, way="label").set_index("category")
    # The whole network names both attics, and calls one of four other images an attic.
    assert table.before["attic"] == pytest.approx((1 + 3 / 4) / 2)
    # Without its unit it names one of them, and no other image.
    assert table.after["attic"] == pytest.approx((1 / 2 + 1) / 2)
    assert table.rest["attic"] == pytest.approx(3 / 4 - 1)  # it is right about f, now
    assert table.n["attic"] == 2
    assert table.others["attic"] == 4
    assert balanced_accuracies(found, k=20, way="label").empty


def test_only_images_of_categories_with_k_units_count(found):
    table = ablation_curve(found).set_index(["k", "whose"])
    assert table.n[2, "own"] == 2
    assert table.categories[2, "own"] == 1
    assert table.change[2, "own"] == 1
    assert table.change[2, "random"] == pytest.approx(0.25)
    # No other category has two units.
    assert np.isnan(table.change[2, "other"])
    assert table.n[2, "other"] == 0


def test_intervals_hold_their_means(found):
    table = ablation_curve(found)
    known = table.dropna(subset=["low"])
    assert (known.low <= known.change + 1e-12).all()
    assert (known.change <= known.high + 1e-12).all()


def test_the_rise_of_a_name_where_units_are_switched_on(found):
    table = ablation_curve(found, on=True).set_index(["k", "whose"])
    # Attic's unit: of c, d, e, f it was f that was called attic before; now c, d, e are, and f is not.
    attic = {"c": 1, "d": 1, "e": 1, "f": -1}
    beach = {"a": 0, "b": 1, "e": 0, "f": 0}
    mean = {image: (attic.get(image, 0) + beach.get(image, 0)) / 2 for image in "abcdef"}
    assert table.change[1, "own"] == pytest.approx(np.mean(list(mean.values())))
    # At random: e is called attic in one of two draws, f no longer in both.
    assert table.change[1, "random"] == pytest.approx(np.mean([0, 0, 0, 0, 0.5 / 2, -1 / 2]))
    assert set(table.index) == {(1, "own"), (1, "random")}
    assert table.categories[1, "own"] == 3


def test_what_each_category_loses(found):
    table = ablation_by_category(found, k=1).set_index("category")
    assert table.change.to_dict() == {"attic": 0.5, "beach": 0.5, "cave": 0.5}
    assert table.accuracy.to_dict() == {"attic": 1.0, "beach": 1.0, "cave": 0.5}
    assert table.left.to_dict() == {"attic": 0.5, "beach": 0.5, "cave": 0.0}
    assert table.objects.to_dict() == {"attic": "bed", "beach": "boat", "cave": "rock"}
    two = ablation_by_category(found, k=2)
    assert two[["category", "objects", "units", "change"]].to_numpy().tolist() == [
        ["attic", "bed, lamp", "0, 1", 1.0]
    ]
    assert ablation_by_category(found, k=3).empty


def test_each_unit_alone(found):
    table = unit_effects(found).set_index("unit")
    assert table.category.to_dict() == {0: "attic", 1: "attic", 2: "beach", 3: "cave", 4: ""}
    assert table.object.tolist() == ["bed", "lamp", "boat", "rock", ""]
    # Without unit 0 one of two attics is lost: its log-probability falls by 2.
    assert table.own[[0, 1, 2]].tolist() == pytest.approx([1.0, 0.0, 1.0])
    # The made-up log-probability of f was that of a right answer.
    assert table.own[3] == pytest.approx(2.0)
    assert table.accuracy[[0, 1, 2, 3]].tolist() == pytest.approx([0.5, 0.0, 0.5, 0.5])
    assert np.isnan(table.own[4])
    assert table.most_of[3] == "cave"
    assert table["all"].tolist() == pytest.approx([0.0, -1 / 6, 0.0, 1 / 6, -1 / 6])
    assert table.iou[:4].tolist() == [0.05, 0.01, 0.04, 0.2]
    assert table.human.dropna().to_dict() == {0: 0.8}


def test_correlations_are_over_units_with_both_values(found):
    table = effect_correlations(unit_effects(found)).set_index(["measure", "effect"])
    assert table.n["iou", "own"] == 4
    # IoU ranks 3 1 2 4, effects 2.5 1 2.5 4: Pearson of the ranks.
    x, y = np.array([3, 1, 2, 4.0]), np.array([2.5, 1, 2.5, 4])
    assert table.spearman["iou", "own"] == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert table.n["human", "own"] == 1
    assert np.isnan(table.spearman["human", "own"])


def test_without_labels_the_units_have_no_category():
    found = made_up_effects(labelled=False)
    table = unit_effects(found)
    assert (table.category == "").all()
    assert table[["own", "accuracy", "iou", "ap"]].isna().all(axis=None)
    assert table.most.notna().all()
    assert set(ablation_curve(found).way) == {"effect"}


def test_a_fall_that_rounds_to_nothing_has_no_sign():
    assert [sentences._points(one) for one in (-0.0004, 0.0004, -0.001, 0.253)] == [
        "0.0 points", "0.0 points", "−0.1 points", "25.3 points",
    ]  # fmt: skip
