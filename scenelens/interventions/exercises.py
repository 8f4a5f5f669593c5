"""The exercises of notebook 05, What makes them emerge."""

from __future__ import annotations

from scenelens.errors import CannotAnswerError
from scenelens.interventions.effects import ablation_effects
from scenelens.interventions.tables import ablation_by_category
from scenelens.studies import Study
from scenelens.workbook import Verdict, check_choice, check_number


def _more_than_random(study: Study, answer: object) -> Verdict:
    """05.1: 48 of 60 images are right; 30 without a category's units, 45 without as many at random."""
    hint = "The whole network is right about 48 of 60. Subtract the two falls from each other, in points."
    return check_number(answer, 100 * (45 - 30) / 60, 0.05, hint)


def _loses_most(study: Study, answer: object) -> Verdict:
    """05.2: the category that loses most without its four units."""
    table = ablation_by_category(ablation_effects(study, progress=False))
    if table.empty:
        raise CannotAnswerError("no category of this study has four units.")
    first = list(table.category[table.change == table.change.max()])  # of ties each is right
    right = answer if answer in first else first[0]
    return check_choice(answer, str(right), list(table.category), 'Sort the table by the column "change".')


def _why_other_images(study: Study, answer: object) -> Verdict:
    """05.3: what goes wrong when the same images choose units by effect and measure the effect."""
    hint = "Without any true effect, what would the units that were chosen for their effect show?"
    choices = ["it looks larger than it is", "it looks smaller than it is", "nothing changes"]
    return check_choice(answer, choices[0], choices, hint)


CHECKS = {
    "05.1": _more_than_random,
    "05.2": _loses_most,
    "05.3": _why_other_images,
}
