"""Rules that make one meaning of several answers about a unit.

A rule takes answers and the wanted precision, and returns the answers that count for their unit: none where
it leaves the unit out. The rules here take the answers about many units at once and treat each unit
separately.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

#: The columns that identify a unit.
UNIT = ["network", "layer", "unit"]

#: Takes answers and the wanted precision; returns the answers that count.
Rule = Callable[[pd.DataFrame, float], pd.DataFrame]


def _any_answer(answers: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Every answer of at least the wanted precision, so a unit may have several types."""
    return answers[answers.precision >= threshold].sort_values("precision", ascending=False, kind="stable")


def _majority(answers: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The type of more than half of the answers, where the mean precision of all of them is high enough."""
    units = answers.groupby(UNIT)
    of_type = answers.groupby([*UNIT, "type"]).type.transform("size")
    mean = units.precision.transform("mean")
    chosen = (2 * of_type > units.type.transform("size")) & (mean >= threshold)
    return answers.assign(precision=mean)[chosen]


def _unanimous(answers: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The type, where all answers have it and their mean precision is high enough."""
    units = answers.groupby(UNIT)
    mean = units.precision.transform("mean")
    chosen = (units.type.transform("nunique") == 1) & (mean >= threshold)
    return answers.assign(precision=mean)[chosen]


def _most_precise(answers: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The answer of the highest precision alone, where it is high enough."""
    return _any_answer(answers, threshold).groupby(UNIT, sort=False).head(1)


#: The rules by name.
RULES: dict[str, Rule] = {
    "any": _any_answer,
    "majority": _majority,
    "unanimous": _unanimous,
    "most precise": _most_precise,
}


def select_answers(answers: pd.DataFrame, rule: Rule, threshold: float) -> pd.DataFrame:
    """Select the answers that count by a rule.

    Parameters
    ----------
    answers : pandas.DataFrame
        Answers with the columns `UNIT`, ``type`` and ``precision``.
    rule : callable
        One of `RULES`, or a function of (the answers about one unit, threshold).
    threshold : float
        The wanted precision, 0..1.

    Returns
    -------
    pandas.DataFrame
        Rows of `answers`, unit after unit in the order of `answers`.

    Examples
    --------
    >>> answers = pd.DataFrame({"network": "scene", "layer": "pool5", "unit": 1, "concept": ["bed", "red"],
    ...                         "type": ["object", "simple element or colour"], "precision": [0.9, 0.4]})
    >>> select_answers(answers, RULES["any"], 0.75).concept.tolist()
    ['bed']
    """
    if answers.empty:
        return answers
    if any(rule is one for one in RULES.values()):
        chosen = rule(answers, threshold)
    else:  # a reader's own rule sees one unit at a time, so it need not know about groups
        chosen = pd.concat([rule(rows, threshold) for _, rows in answers.groupby(UNIT, sort=False)])
    # A rule may sort the answers; the units come back in their order, and the sorting stays within each.
    place = answers.groupby(UNIT, sort=False).ngroup()
    return chosen.loc[place.reindex(chosen.index).sort_values(kind="stable").index]
