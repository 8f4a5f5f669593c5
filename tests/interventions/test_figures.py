"""Figures and sentences of made-up effects: all words lie on the page, and say what the tables say."""

from dataclasses import replace

import pytest

from scenelens.errors import CannotAnswerError
from scenelens.interventions import (
    ablation_curve,
    describe_ablation,
    describe_activation,
    describe_unit_effects,
    effect_correlations,
    figures,
    unit_effects,
)
from tests.figure_checks import assert_well_set, words_of
from tests.hostile_names import FORMULAS, SCRIPTS, SHAPES
from tests.interventions.made_up_effects import made_up_effects


@pytest.fixture(scope="module", params=[True, False], ids=["by label", "by effect"])
def found(request):
    return made_up_effects(request.param)


def test_curves(found):
    plate = figures.ablation_figure(found, ablation_curve(found))
    assert_well_set(plate)
    assert "5 units of one network" in plate.caption
    assert "2 to 6 images" in plate.caption
    assert "3 (k = 1), 1 (k = 2)" in plate.caption
    assert ("No units were chosen by their labels" in plate.caption) == bool(found.why_no_labels)
    assert len(plate.axes) == 1 + 3


def test_activation(found):
    curve = ablation_curve(found, on=True)
    plate = figures.activation_figure(found, curve)
    assert_well_set(plate)
    assert "6 images" in plate.caption
    assert "6 images" in describe_activation(found, curve)


def test_units_beside_their_labels():
    found = made_up_effects()
    units = unit_effects(found)
    plate = figures.effects_figure(found, units, effect_correlations(units))
    assert_well_set(plate)
    assert "4 units of pool5 (of 5)" in plate.caption
    assert "1 units have it" in [text for text, _ in words_of(plate)]


def test_without_labels_there_is_nothing_to_compare():
    found = made_up_effects(labelled=False)
    units = unit_effects(found)
    for make in (
        lambda: figures.effects_figure(found, units, effect_correlations(units)),
        lambda: describe_unit_effects(found, units),
    ):
        with pytest.raises(CannotAnswerError, match="no image is annotated, so no unit has a name"):
            make()


def test_sentences_say_what_the_tables_say():
    found = made_up_effects()
    text = describe_ablation(found, ablation_curve(found), k=1)
    assert "**One unit, chosen by label**" in text
    assert "50% against -8%" in text or "50% against −8%" in text
    assert "each of all 5" in text
    said = describe_unit_effects(found, unit_effects(found))
    assert "unit 3 (rock) matters most to its own" in said
    assert "accuracy of cave falls by 50.0 points (n = 2 images)" in said
    assert "n = 4 units" in said


@pytest.mark.parametrize("name", [SCRIPTS[0], SCRIPTS[4], FORMULAS[0], FORMULAS[1], *SHAPES[:5]])
def test_any_names(name):
    found = made_up_effects()
    ranks = {way: table.assign(object=name) for way, table in found.ranks.items()}
    found = replace(found, classes=[name, "beach", "cave"], ranks=ranks, network=name)
    assert_well_set(figures.ablation_figure(found, ablation_curve(found)))
    units = unit_effects(found)
    assert_well_set(figures.effects_figure(found, units, effect_correlations(units)))
    shown = describe_unit_effects(found, units)._repr_markdown_()
    assert not any(tag in shown for tag in ("<img", "<script", "<svg", "<a "))
