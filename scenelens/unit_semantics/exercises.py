"""The exercises of notebook 03.3, What a unit means."""

from __future__ import annotations

import pandas as pd

from scenelens import paper
from scenelens.errors import CannotAnswerError
from scenelens.labels import RULES, TYPES, unit_types
from scenelens.studies import Study
from scenelens.unit_semantics.sources import automatic_set
from scenelens.unit_semantics.tables import type_shares
from scenelens.workbook import Verdict, check_choice, check_number

#: Exercise 2's three answers about one unit: type and precision.
_THREE = (("object", 0.9), ("object", 0.6), ("scene", 0.95))


def _precision_of_marks(study: Study, answer: object) -> Verdict:
    """03_3.1: the precision of an answer that marks the three catch trials and twelve further images."""
    real = paper.IMAGES_SHOWN - paper.CATCH_TRIALS
    hint = "Catch trials are not among the images that could fit: of how many real ones do how many fit?"
    return check_number(answer, (real - 12) / real, tolerance=0.005, hint=hint)


def _rules_that_say_object(study: Study, answer: object) -> Verdict:
    """03_3.2: by how many of the four rules a unit with the answers `_THREE` is an object unit."""
    unit = {"network": "scene", "layer": "pool5", "unit": 0, "concept": "bed"}
    rows = [unit | {"annotator": str(k), "type": kind, "precision": share}
            for k, (kind, share) in enumerate(_THREE)]  # fmt: skip
    said = [unit_types(pd.DataFrame(rows), rule, paper.PRECISION_WANTED) for rule in RULES]
    number = sum("object" in set(table.type) for table in said)
    hint = (
        "Take the rules one by one. The mean precision of all three is what majority and unanimous look at."
    )
    return check_number(answer, float(number), hint=hint)


def _highest_iou(study: Study, answer: object) -> Verdict:
    """03_3.3: the highest IoU of a unit active on 0.5% of the pixels with a concept on 20% of them."""
    hint = (
        "At best every active pixel lies on the concept. What is the intersection then, and what the union?"
    )
    return check_number(answer, 0.005 / 0.2, tolerance=0.0005, hint=hint)


def _commonest_type(study: Study, answer: object) -> Verdict:
    """03_3.4: the commonest type among the automatic labels of the scene network's deepest layer."""
    labels = automatic_set(study, networks=["scene"])
    table = type_shares(labels)
    rows = table[(table.network == "scene") & (table.layer == labels.deepest("scene"))].set_index("type")
    if not rows.n.sum():
        raise CannotAnswerError(f"no unit of the scene network's {labels.deepest('scene')} has a label.")
    hint = "Look at the right end of the scene network's lines in Figure 8: which is the highest?"
    return check_choice(answer, rows.n.idxmax(), TYPES, hint)


CHECKS = {
    "03_3.1": _precision_of_marks,
    "03_3.2": _rules_that_say_object,
    "03_3.3": _highest_iou,
    "03_3.4": _commonest_type,
}
