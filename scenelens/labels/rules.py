"""Rules that make one meaning of several answers about a unit.

A rule takes answers and the wanted precision, and returns the answers that speak for their unit: none where
it leaves the unit out. The rules here take the answers of many units at once, and treat each unit by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

UNIT = ["network", "layer", "unit"]

#: A unit's answers and the wanted precision -> the answers that speak for it.
Rule = Callable[[pd.DataFrame, float], pd.DataFrame]


def any_answer(answers: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Every answer of at least the wanted precision speaks: a unit may have several types."""
    return answers[answers.precision >= threshold].sort_values("precision", ascending=False, kind="stable")


def majority(answers: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The type of more than half of the answers, where the mean precision of all of them is high enough."""
    units = answers.groupby(UNIT)
    of_type = answers.groupby([*UNIT, "type"]).type.transform("size")
    mean = units.precision.transform("mean")
    chosen = (2 * of_type > units.type.transform("size")) & (mean >= threshold)
    return answers.assign(precision=mean)[chosen]


def unanimous(answers: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The type, where all answers share it and their mean precision is high enough."""
    units = answers.groupby(UNIT)
    mean = units.precision.transform("mean")
    chosen = (units.type.transform("nunique") == 1) & (mean >= threshold)
    return answers.assign(precision=mean)[chosen]


def most_precise(answers: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The answer of the highest precision alone, where it is high enough."""
    return any_answer(answers, threshold).groupby(UNIT, sort=False).head(1)


RULES: dict[str, Rule] = {
    "any": any_answer,
    "majority": majority,
    "unanimous": unanimous,
    "most precise": most_precise,
}


def select_answers(answers: pd.DataFrame, rule: Rule, threshold: float) -> pd.DataFrame:
    """The answers that speak by a rule, unit after unit in the order of `answers`.

    A rule that is none of `RULES` is asked unit by unit.
    """
    if answers.empty:
        return answers
    if any(rule is one for one in RULES.values()):
        chosen = rule(answers, threshold)
    else:
        chosen = pd.concat([rule(rows, threshold) for _, rows in answers.groupby(UNIT, sort=False)])
    place = answers.groupby(UNIT, sort=False).ngroup()
    return chosen.loc[place.reindex(chosen.index).sort_values(kind="stable").index]
