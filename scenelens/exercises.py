"""The workbook's exercises: `check("02.1", study, answer)` tells right from wrong and gives a hint.

The question of an exercise is in its notebook. The right answer depends on the study, so it is computed from
the same results that the notebook shows. Every section room has the checks of its notebook in its file
``exercises.py``; they are collected here under their numbers.
"""

from __future__ import annotations

from scenelens.emergence import exercises as notebook_04_1
from scenelens.errors import CannotAnswerError, SceneLensError, close_names
from scenelens.interventions import exercises as notebook_05
from scenelens.localization import exercises as notebook_04_2
from scenelens.minimal_images import exercises as notebook_03_1
from scenelens.receptive_fields import exercises as notebook_03_2
from scenelens.retraining import exercises as notebook_05_world
from scenelens.studies import Study
from scenelens.two_networks import exercises as notebook_02
from scenelens.unit_semantics import exercises as notebook_03_3
from scenelens.verdict import exercises as notebook_06
from scenelens.workbook import Verdict
from scenelens.workbook import exercises_00 as notebook_00

_CHECKS = {
    **notebook_00.CHECKS,
    **notebook_02.CHECKS,
    **notebook_03_1.CHECKS,
    **notebook_03_2.CHECKS,
    **notebook_03_3.CHECKS,
    **notebook_04_1.CHECKS,
    **notebook_04_2.CHECKS,
    **notebook_05.CHECKS,
    **notebook_05_world.CHECKS,
    **notebook_06.CHECKS,
}


def check(exercise: str, study: Study, answer: object) -> Verdict:
    """Check an answer to one of the workbook's exercises.

    Parameters
    ----------
    exercise : str
        The notebook's number and the exercise's, such as ``"02.1"``.
    study : Study
        The open study that the answer is about.
    answer : object
        The reader's answer; ``...`` and None count as not answered yet.

    Returns
    -------
    Verdict
        Text that a notebook shows: right or wrong, with a hint. ``.right`` is True or False. Where the study
        lacks what the exercise is about, the text says what that is.

    Raises
    ------
    SceneLensError
        If there is no such exercise.

    Examples
    --------
    >>> check("02.1", None, ...)
    '✏️ Not answered yet: put your answer in place of the dots.'
    """
    if exercise not in _CHECKS:
        raise SceneLensError(f"no exercise {exercise!r}; {close_names(exercise, _CHECKS)}.")
    if answer is None or answer is ...:
        return Verdict.unanswered()
    try:
        return _CHECKS[exercise](study, answer)
    except CannotAnswerError as error:
        return Verdict(f"This exercise has no answer on this study: {error}")
