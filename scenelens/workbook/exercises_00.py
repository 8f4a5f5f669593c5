"""The exercises of notebook 00, Start here."""

from __future__ import annotations

from scenelens.studies import Study
from scenelens.workbook.checks import Verdict, _unit_number, check_number
from scenelens.workbook.tour import deepest_map_layer, tidiest_unit, tidiness


def _units_in_deepest_layer(study: Study, answer: object) -> Verdict:
    """00.1: how many units the first network's deepest main layer with a map has."""
    network = study.networks.main
    layer = deepest_map_layer(study.networks[network])
    hint = f"Find the row {layer!r} of study.networks[{network!r}].layers, and its column units."
    return check_number(answer, float(study.layer_row(network, layer)["units"]), hint=hint)


def _another_tidy_unit(study: Study, answer: object) -> Verdict:
    """00.2: a unit, other than the one shown, among the ten whose top images agree best.

    Of ties, the unit with the lower number comes first, as in the notebook's solution.
    """
    layer, shown = tidiest_unit(study)
    shares = tidiness(study, study.networks.main, layer)
    ten = shares.nlargest(10)
    unit = _unit_number(answer, layer)
    if unit is None or unit not in shares.index:
        return Verdict.of(False, f"The answer is a unit of {layer}: its number, or {layer}:number.")
    if unit == shown:
        return Verdict.of(False, f"{shown} is the unit shown above; find another.")
    hint = "Its top images do not agree well enough; look for a unit whose images mostly have one label."
    if shares[unit] == ten.min():
        hint = "It is as good as the tenth, but has a higher number: of ties, the lower numbers count."
    right = unit in ten.index
    return Verdict.of(right, f"Right: {unit}." if right else f"Not {unit}. {hint}")


#: Number of the exercise -> its check, a function of the study and the answer.
CHECKS = {"00.1": _units_in_deepest_layer, "00.2": _another_tidy_unit}
