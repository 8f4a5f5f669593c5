"""The exercises of notebook 06, Verdict."""

from __future__ import annotations

from scenelens.errors import CannotAnswerError
from scenelens.studies import Study
from scenelens.verdict.claims import HOLDS, UNTESTED, VERDICTS, _verdict
from scenelens.verdict.verdicts import judge_claims
from scenelens.workbook import Verdict, check_choice, check_number


def _several_rules(study: Study, answer: object) -> Verdict:
    """06.1: the verdict on a claim that holds by two rules, and does not by a third."""
    hint = "No rule is better than the others here: what decides whether the claim holds?"
    return check_choice(answer, _verdict([True, True, False]), VERDICTS, hint)


def _share_that_holds(study: Study, answer: object) -> Verdict:
    """06.2: of the claims that can be tested on the study, the share that holds."""
    verdicts = judge_claims(study)
    held, tested = verdicts.count(HOLDS), len(verdicts.rows) - verdicts.count(UNTESTED)
    if not tested:
        raise CannotAnswerError("none of the paper's claims can be tested on this study.")
    hint = "Count the rows of verdicts.table; those that cannot be tested do not count."
    return check_number(answer, held / tested, 0.005, hint, share=True)


def _one_network(study: Study, answer: object) -> Verdict:
    """06.3: what follows where other trainings lie on both sides of the paper's value."""
    hint = "The interval is over the units of one network. What do the other trainings say about the recipe?"
    return check_choice(answer, "this network", ("this network", "training on scenes", "nothing"), hint)


#: Number of the exercise -> its check, a function of the study and the answer.
CHECKS = {"06.1": _several_rules, "06.2": _share_that_holds, "06.3": _one_network}
