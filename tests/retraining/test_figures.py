"""Figures and sentences of made-up tables, whole and partial: words lie on the page and say what is there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scenelens.errors import CannotAnswerError
from scenelens.retraining import (
    describe_because,
    describe_edits,
    describe_networks,
    edit_effects,
    figures,
    read_retraining,
)
from scenelens.retraining.plan import _plan
from tests.figure_checks import assert_well_set, words_of
from tests.retraining.made_up_tables import made_up

PARTS = {
    "whole": (),
    "one unchanged": ("unchanged_1", "unchanged_2"),
    "one intervention": ("frequency", "diagnostic_cat"),
    "two networks": tuple(run.name for run in _plan() if run.name not in ("unchanged_0", "rarer_barn")),
}


@pytest.fixture(params=PARTS)
def tables(request, tmp_path):
    return made_up(tmp_path, PARTS[request.param])


def test_a_line_for_each_object(tables):
    effects = edit_effects(tables)
    plate = figures.edits_figure(effects)
    assert_well_set(plate)
    assert len(plate.axes) == 4 + 1
    shown = {text for text, _ in words_of(plate)}
    assert set(effects.object) <= shown
    has_both = set(effects.kind) == {"diagnosticity", "frequency"}
    assert ("not measured yet" in shown) == (not has_both)
    n = (tables.networks.kind == "unchanged").sum()
    assert f"Rings: {n} network" in plate.caption
    assert ("prediction interval" in plate.caption) == (n > 1)


@pytest.mark.parametrize("kind", ["cue", "task"])
def test_a_line_for_each_network(tables, kind):
    own = tables.networks[tables.networks.kind == kind]
    if own.empty:
        for make in (figures.networks_figure, describe_networks):
            with pytest.raises(CannotAnswerError, match=f"kind '{kind}' has been measured"):
                make(tables, kind)
        return
    plate = figures.networks_figure(tables, kind)
    assert_well_set(plate)
    assert "64 units of pool5" in plate.caption
    said = describe_networks(tables, kind)
    assert said.count("right 75% of 2,000") == len(own)
    assert ("no spread is known" in said) == ((tables.networks.kind == "unchanged").sum() < 2)


def test_sentences_say_what_the_tables_say(tmp_path):
    said = describe_edits(made_up(tmp_path))
    assert "units that detect the object: changed as expected, by 2.5 on average" in said
    assert "3 of 6 objects leave the band of the unchanged networks (as expected: blackboard" in said
    assert "changing diagnosticity is 1.50 more effective than changing frequency" in said
    assert "12 networks of edited worlds, one for each, and 3 networks of the unchanged one" in said
    assert "not measured" not in said


def test_an_interval_that_holds_0_shows_no_change_and_does_not_deny_one(tmp_path):
    """Of objects that move one way and the other, the mean has an interval around 0."""
    tables = made_up(tmp_path)
    way = tables.edits.groupby("kind").cumcount() % 2 * 6 - 3
    units = 3 + way * tables.edits.expected  # the unchanged networks have 3 on average
    said = describe_edits(replace(tables, edits=tables.edits.assign(units=units)))
    assert "units that detect the object: no change in the expected direction is shown, on average" in said
    assert "show no change" not in said


def test_what_is_missing_is_said_with_the_command(tables):
    said = describe_edits(tables)
    planned = [run.name for run in _plan() if run.kind in ("unchanged", "diagnosticity", "frequency")]
    missing = [name for name in planned if name not in set(tables.networks.run)]
    assert ("interventions goes on" in said) == bool(missing)
    assert all(name in said for name in missing)


def test_the_conclusion_counts_comparisons(tmp_path):
    assert "Of 6 comparisons 6 speak for the paper's *because*, 0 against it" in describe_because(
        made_up(tmp_path)
    )


def test_a_comparison_that_could_not_be_made_is_said(tmp_path):
    said = describe_because(made_up(tmp_path, ("cue",)))
    assert "Of 4 comparisons 4 speak" in said
    assert "2 more could not be made" in said
    nothing = made_up(tmp_path / "b", ("cue", "diagnosticity", "frequency"))
    for describe in (describe_because, describe_edits):
        with pytest.raises(CannotAnswerError, match="interventions"):
            describe(nothing)


def test_no_tables_are_one_plain_sentence(tmp_path):
    with pytest.raises(CannotAnswerError) as why:
        read_retraining(tmp_path)
    assert "no network of such a world has been measured" in str(why.value)
    assert "interventions" in str(why.value)
    assert "Errno" not in str(why.value)
