"""The exercises of notebook 04.2, Localization."""

from __future__ import annotations

from scenelens.localization.study_localizers import StudyLocalizer
from scenelens.studies import Study
from scenelens.workbook import Verdict, check_choice, check_number


def _jaccard_by_counting(study: Study, answer: object) -> Verdict:
    """04_2.1: the Jaccard index of a region of 300 pixels, an object of 500, and 200 that they share."""
    hint = "How many pixels belong to the region, or to the object, or to both?"
    return check_number(answer, 200 / 600, 0.005, hint)


def _wrong_boxes(study: Study, answer: object) -> Verdict:
    """04_2.2: of 50 boxes with an estimated share of 0.8, how many are expected to be wrong."""
    return check_number(answer, 10, hint="If the estimate is calibrated, 80% of such boxes are right.")


def _higher_least(study: Study, answer: object) -> Verdict:
    """04_2.3: which of precision and recall cannot rise when boxes need more confidence."""
    hint = "Fewer boxes remain. Can an object that had no box get one?"
    return check_choice(answer, "recall", ["precision", "recall"], hint)


def _best_object(study: Study, answer: object) -> Verdict:
    """04_2.4: the object whose best unit of the main network has the highest AP."""
    localizer = StudyLocalizer.of(study)
    table = localizer.objects(intervals=False)
    if table.empty:
        raise localizer.too_few()
    hint = 'Sort the table by the column "ap".'
    return check_choice(answer, table.concept[0], list(table.concept), hint)


CHECKS = {
    "04_2.1": _jaccard_by_counting,
    "04_2.2": _wrong_boxes,
    "04_2.3": _higher_least,
    "04_2.4": _best_object,
}
