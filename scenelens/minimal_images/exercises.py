"""The exercises of notebook 03.1, Minimal images."""

from __future__ import annotations

from scenelens.errors import CannotAnswerError
from scenelens.minimal_images.examples import choose_categories
from scenelens.minimal_images.retention_search import LEAST
from scenelens.minimal_images.study_retention import category_retention
from scenelens.studies import Study
from scenelens.workbook import Verdict, check_choice, check_number


def _forward_passes(study: Study, answer: object) -> Verdict:
    """03_1.1: how many pictures a search of three removals looks at, among ten segments."""
    hint = "At the first step every segment is a candidate; at the next there is one candidate less."
    return check_number(answer, 10 + 9 + 8, hint=hint)


def _most_kept(study: Study, answer: object) -> Verdict:
    """03_1.2: the object that minimal images of the study's first category keep most often."""
    table = category_retention(study, choose_categories(study)[0]).table
    table = table[table.n >= LEAST]
    if table.empty:
        raise CannotAnswerError(
            "no object is in five annotated photographs that the network recognises: annotate more of them."
        )
    hint = "Look at the first panel: the rows are sorted."
    return check_choice(answer, table.object.iloc[0], list(table.object), hint)


def _random_keeps_more(study: Study, answer: object) -> Verdict:
    """03_1.3: why removal in random order keeps more than the search."""
    hint = "Both orders stop at the same event. How soon does a random removal meet a segment that matters?"
    choices = ["it stops early", "it is wiser", "it removes less area"]
    return check_choice(answer, choices[0], choices, hint)


def _nothing_left(study: Study, answer: object) -> Verdict:
    """03_1.4: what the picture shows when every segment is removed."""
    hint = "No gradients are left, only the means of the channels."
    return check_choice(answer, "one colour", ["black", "one colour", "noise", "the original"], hint)


CHECKS = {
    "03_1.1": _forward_passes,
    "03_1.2": _most_kept,
    "03_1.3": _random_keeps_more,
    "03_1.4": _nothing_left,
}
