"""The exercises of notebook 03.2, Receptive fields."""

from __future__ import annotations

import numpy as np

from scenelens.networks import theoretical_rf
from scenelens.receptive_fields.atlas import open_atlas
from scenelens.receptive_fields.sizes import table_2
from scenelens.studies import Study
from scenelens.workbook import Verdict, check_choice, check_number


def _reach_by_hand(study: Study, answer: object) -> Verdict:
    """03_2.1: the theoretical size of the second layer compared, in the study's first network."""
    network = study.networks.main
    layer = open_atlas(study).example_layer(network)
    size = float(np.mean(theoretical_rf(study.networks[network], layer).size))
    hint = "Begin with 1 at the layer and go back to the image: at each step, (size - 1) × stride + kernel."
    return check_number(answer, size, hint=hint)


def _fewer_occluders(study: Study, answer: object) -> Verdict:
    """03_2.2: how many positions an occluder of 21 pixels has that moves by 5 pixels."""
    height, width = study.networks[study.networks.main].input_size
    count = ((height - 21) // 5 + 1) * ((width - 21) // 5 + 1)
    hint = "Along one side: how often do 5 pixels fit into what the occluder leaves free? And one more."
    return check_number(answer, float(count), hint=hint)


def _lower_threshold(study: Study, answer: object) -> Verdict:
    """03_2.3: what happens to the region when the threshold falls."""
    hint = "Move the widget's slider, and think: at which positions is the unit active at 0.2 and not at 0.8?"
    return check_choice(answer, "grows or stays", ["grows or stays", "shrinks or stays"], hint)


def _smallest_share(study: Study, answer: object) -> Verdict:
    """03_2.4: the layer in which the object network uses the smallest share of what it could see."""
    _ = study.networks["object"]  # raises where there is none
    table = table_2(open_atlas(study))
    rows = table[table["network"] == "object"].set_index("layer")
    hint = "Sort the object network's rows of the table by the column share."
    return check_choice(answer, rows["share"].idxmin(), list(rows.index), hint)


CHECKS = {
    "03_2.1": _reach_by_hand,
    "03_2.2": _fewer_occluders,
    "03_2.3": _lower_threshold,
    "03_2.4": _smallest_share,
}
