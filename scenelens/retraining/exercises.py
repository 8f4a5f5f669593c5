"""The exercises on the second half of notebook 05, What makes them emerge."""

from __future__ import annotations

import math

from scenelens.errors import CannotAnswerError
from scenelens.retraining.effects import edit_effects
from scenelens.retraining.tables import read_retraining
from scenelens.studies import Study
from scenelens.workbook import Verdict, check_choice, check_number


def _one_more_network(study: Study, answer: object) -> Verdict:
    """05.4: 2, 4 and 6 units; Student's quantile 4.3: how far from the mean may a fourth network lie?"""
    hint = "The fourth network varies, and so does the mean of the three: multiply by the root of 1 + 1/3."
    return check_number(answer, 4.3 * 2 * math.sqrt(1 + 1 / 3), 0.1, hint)


def _detectors_without_telling(study: Study, answer: object) -> Verdict:
    """05.5: as many detectors where objects tell nothing: for, against, or neither?"""
    hint = "What would the sentence predict for objects that tell nothing?"
    return check_choice(answer, "against", ("for", "against", "neither"), hint)


def _moves_most(study: Study, answer: object) -> Verdict:
    """05.6: the object whose best unit's AP moves most as expected when its diagnosticity changes."""
    effects = edit_effects(read_retraining())
    own = effects[(effects.kind == "diagnosticity") & (effects.measure == "ap")].set_index("object").toward
    if own.empty:
        raise CannotAnswerError("no world with another diagnosticity has been measured.")
    hint = "The column `toward` of `effects` is the change in the expected direction."
    return check_choice(answer, str(own.idxmax()), list(own.index), hint)


#: Number of the exercise -> its check, a function of the study and the answer.
CHECKS = {"05.4": _one_more_network, "05.5": _detectors_without_telling, "05.6": _moves_most}
