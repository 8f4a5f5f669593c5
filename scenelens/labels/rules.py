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
