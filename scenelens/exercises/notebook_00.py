"""The exercises of notebook 00, Start here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenelens.exercises.checks import Verdict, check_by, check_number
from scenelens.top_images import layer_row
from scenelens.tour import deepest_map_layer, tidiest_unit, tidiness

if TYPE_CHECKING:
    from scenelens.studies import Study


def units_in_deepest_layer(study: Study, answer: object) -> Verdict:
    """00.1: how many units the scene network's deepest main layer with a map has."""
    layer = deepest_map_layer(study.networks["scene"])
    hint = f"Find the row {layer!r} of study.networks['scene'].layers, and its column units."
    return check_number(answer, float(layer_row(study, "scene", layer)["units"]), hint=hint)


def another_tidy_unit(study: Study, answer: object) -> Verdict:
    """00.2: a unit, other than the one shown, among the ten whose top images agree best."""
    layer, shown = tidiest_unit(study, "scene")
    ranked = tidiness(study, "scene", layer).drop(shown).nlargest(10, keep="all")
    hint = "Its top images do not agree enough; look for a row of labels that repeats itself."
    if answer == shown:
        return Verdict.of(False, f"{shown} is the unit shown above; find another.")
    return check_by(answer, lambda unit: unit in ranked.index, hint)


CHECKS = {"00.1": units_in_deepest_layer, "00.2": another_tidy_unit}
