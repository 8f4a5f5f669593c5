"""The exercises of notebook 04.2, Localization."""

from __future__ import annotations

from scenelens.localization.study_localizer import study_localizer
from scenelens.localization.tables import ENOUGH, objects_table
from scenelens.studies import Study
from scenelens.workbook import Verdict, check_choice, check_number


def jaccard_by_hand(study: Study, answer: object) -> Verdict:
    """04_2.1: the Jaccard index of a region of 300 pixels, an object of 500, and 200 that they share."""
    hint = "How many pixels belong to the region, or to the object, or to both?"
    return check_number(answer, 200 / 600, 0.005, hint)


def wrong_boxes(study: Study, answer: object) -> Verdict:
    """04_2.2: of 50 boxes with a confidence of 0.8, how many are expected to be wrong."""
    return check_number(answer, 10, hint="If confidence keeps its promise, 80% of such boxes are right.")


def higher_least(study: Study, answer: object) -> Verdict:
    """04_2.3: what happens to precision and recall of boxes when more confidence is asked for."""
    hint = "Fewer boxes remain. Can an object that had no box get one?"
    return check_choice(answer, "recall", ["precision", "recall"], hint)


def best_object(study: Study, answer: object) -> Verdict:
    """04_2.4: the object whose best unit of the scene network has the highest AP."""
    if study.annotations is None:
        return Verdict.of(False, "This study has no annotations, so no object has been judged.")
    table = objects_table(study_localizer(study, "scene"), intervals=False)
    if table.empty:
        return Verdict.of(False, f"No object is on {ENOUGH} judging images and missing from {ENOUGH}.")
    hint = 'Sort the table by the column "ap".'
    return check_choice(answer, table.concept[0], list(table.concept), hint)


CHECKS = {
    "04_2.1": jaccard_by_hand,
    "04_2.2": wrong_boxes,
    "04_2.3": higher_least,
    "04_2.4": best_object,
}
