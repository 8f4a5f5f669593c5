"""The exercises of notebook 02, Two networks."""

from __future__ import annotations

from scenelens.studies import Study
from scenelens.two_networks.tables import _lasting_gap, layer_pairs, layer_preference
from scenelens.workbook import Verdict, check_choice, check_number


def _chance_level(study: Study, answer: object) -> Verdict:
    """02.1: the share of object-centric images that a layer without any preference would show."""
    share = len(study.images_from("object-centric")) / len(study.images)
    hint = "A layer without preference draws at random: what share of all images is object-centric?"
    return check_number(answer, share, tolerance=0.005, hint=hint, share=True)


def _top_ten(study: Study, answer: object) -> Verdict:
    """02.2: the object network's share at its deepest layer when only the ten strongest images count."""
    _ = study.networks["object"]  # raises where there is none
    table = layer_preference(study, n=10)
    row = table[table["network"] == "object"].iloc[-1]
    hint = "Call sl.two_networks.layer_preference(study, n=10): the object network's last row, column share."
    return check_number(answer, float(row["share"]), tolerance=0.001, hint=hint, share=True)


def _wider_interval(study: Study, answer: object) -> Verdict:
    """02.3: whether the interval of ten images is wider or narrower than that of a hundred."""
    hint = "Fewer images say less about the layer: compare the columns low and high of both tables."
    return check_choice(answer, "wider", ["wider", "narrower", "equally wide"], hint)


def _where_they_part(study: Study, answer: object) -> Verdict:
    """02.4: the layer from which on the object network's share is the higher one to the end, or 'never'."""
    _ = study.networks["object"], study.networks["scene"]  # raises where one is missing
    expected = _lasting_gap(layer_preference(study))
    layers = layer_pairs(study)["scene"].tolist()
    hint = "Start at the deepest layer and go back, as long as the interval of the difference lies above 0."
    return check_choice(answer, "never" if expected is None else layers[expected], [*layers, "never"], hint)


CHECKS = {"02.1": _chance_level, "02.2": _top_ten, "02.3": _wider_interval, "02.4": _where_they_part}
