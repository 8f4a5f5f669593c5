"""Do people see the same thing in a unit? Agreement on types, and a student beside the released workers.

The paper shows three workers each unit and does not say how often they agree. Krippendorff's alpha is the
number used here: 1 is perfect, 0 is what chance alone gives, below 0 is worse; answers may be missing, and
any number of people may have answered. Fleiss' kappa is there to compare with other studies.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.intervals import bootstrap_interval
from scenelens.labels.rules import UNIT
from scenelens.labels.table import TYPES, current


class Agreement(NamedTuple):
    """How far the annotators agree on types.

    n_units : units with at least two answers, all others are left out; n_answers : theirs.
    unanimous : share of these units whose answers are all of one type.
    alpha : Krippendorff's, nominal; low, high : its 95% bootstrap interval over units.
    """

    n_units: int
    n_answers: int
    unanimous: float
    alpha: float
    low: float
    high: float


def type_table(labels: pd.DataFrame) -> pd.DataFrame:
    """How many answers of each type a unit got.

    Returns
    -------
    DataFrame : index network, layer, unit; one int column per type.

    Examples
    --------
    >>> table = pd.DataFrame({"network": "scene", "layer": "pool5", "unit": [1, 1], "annotator": ["a", "b"],
    ...                       "concept": "bed", "type": ["object", "scene"]})
    >>> type_table(table).iloc[0].tolist()
    [1, 1, 0, 0, 0, 0]
    """
    counts = current(labels).groupby([*UNIT, "type"], sort=False).size().unstack(fill_value=0)
    return counts.reindex(columns=list(TYPES), fill_value=0)


def krippendorff_alpha(counts: np.ndarray) -> float:
    """Krippendorff's alpha for categories, from how many answers of each category every unit got.

    Edge cases: units with fewer than two answers say nothing and are left out; NaN without any pair of
    answers, or where all answers are of one category (nothing was told apart, so nothing could be agreed on).

    Parameters
    ----------
    counts : (n_units, n_categories) whole numbers from 0 on.

    Notes
    -----
    alpha = 1 - (n - 1) sum_u [sum_(c != k) n_uc n_uk / (m_u - 1)] / sum_(c != k) n_c n_k, with m_u the
    answers of a unit, n_c those of a category, n all of them (Krippendorff, Content Analysis).

    Examples
    --------
    >>> krippendorff_alpha([[2, 0], [0, 2]])
    1.0
    >>> krippendorff_alpha([[1, 1], [1, 1]])
    -0.5
    """
    table = _counts(counts)
    table = table[table.sum(1) > 1]
    answers, totals = table.sum(1), table.sum(0)
    expected = totals.sum() ** 2 - (totals**2).sum()
    if not expected:
        return math.nan
    observed = ((answers**2 - (table**2).sum(1)) / (answers - 1)).sum()
    return float(1 - (totals.sum() - 1) * observed / expected)


def fleiss_kappa(counts: np.ndarray) -> float:
    """Fleiss' kappa, for units that all have the same number of answers.

    Edge cases: NaN where all answers are of one category, or without units.

    Raises
    ------
    SceneLensError : units have different numbers of answers, or fewer than two: take `krippendorff_alpha`.

    Examples
    --------
    >>> fleiss_kappa([[2, 0], [0, 2]])
    1.0
    """
    table = _counts(counts)
    if not len(table):
        return math.nan
    n = table[0].sum()
    if n < 2 or not (table.sum(1) == n).all():
        raise SceneLensError(
            "Fleiss' kappa wants equally many answers, two or more, for every unit; take alpha."
        )
    observed = (((table**2).sum(1) - n) / (n * (n - 1))).mean()
    chance = ((table.sum(0) / table.sum()) ** 2).sum()
    return float((observed - chance) / (1 - chance)) if chance < 1 else math.nan


def _counts(counts: np.ndarray) -> np.ndarray:
    table = np.asarray(counts, dtype=float)
    if table.ndim != 2 or (table < 0).any() or (table % 1 != 0).any():
        raise SceneLensError(
            "agreement needs a count of answers per unit and category, whole numbers from 0 on."
        )
    return table


def agreement(labels: pd.DataFrame, seed: int = 0, n_resamples: int = 2000) -> Agreement:
    """How far annotators agree on units' types, all sources of `labels` together.

    Parameters
    ----------
    labels : answers, usually of one network and layer; of an annotator's several about a unit the latest.
    seed, n_resamples : of the bootstrap over units.

    Notes
    -----
    Not in the paper. In the released answers for pool5 all three workers agree on the type of 23% (scene
    network) and 26% (object network) of the units.

    Examples
    --------
    >>> table = pd.DataFrame({"network": "scene", "layer": "pool5", "unit": [1, 1, 2, 2], "concept": "bed",
    ...     "annotator": ["a", "b"] * 2, "type": ["object", "scene", "object", "object"]})
    >>> agreement(table).unanimous
    0.5
    """
    counts = type_table(labels).to_numpy()
    counts = counts[counts.sum(1) > 1]
    low, high = bootstrap_interval(counts, krippendorff_alpha, seed, n_resamples)
    unanimous = float((counts > 0).sum(1).__eq__(1).mean()) if len(counts) else math.nan
    return Agreement(len(counts), int(counts.sum()), unanimous, krippendorff_alpha(counts), low, high)


def score_student(labels: pd.DataFrame, student: str, others: pd.DataFrame) -> pd.DataFrame:
    """A student's answers beside those of others (the released workers), unit by unit.

    Parameters
    ----------
    labels : the table that holds the student's answers.
    student : the annotator's name in it.
    others : answers about the same units; the student's own among them are left out.

    Returns
    -------
    DataFrame, one row per unit that both know: network, layer, unit; type, concept and precision as the
    student gave them; shared (share of the others who give the same type), expected (that share for one of
    the others, compared with the rest: what a worker would have scored; NaN for a single other), same_concept
    (share of the others with a word in common), precision_difference (student's less their mean).

    Raises
    ------
    SceneLensError : the student has no answers, or none about the same units.

    Examples
    --------
    >>> row = {"network": "scene", "layer": "pool5", "unit": 1, "precision": 0.5}
    >>> mine = pd.DataFrame([row | {"annotator": "Ada", "concept": "red bed", "type": "object"}])
    >>> workers = pd.DataFrame([row | {"annotator": "a", "concept": "Bed", "type": "object"},
    ...                         row | {"annotator": "b", "concept": "room", "type": "scene"}])
    >>> score_student(mine, "Ada", workers)[["shared", "expected", "same_concept"]].values.tolist()
    [[0.5, 0.0, 0.5]]
    """
    own = current(labels).query("annotator == @student")
    if own.empty:
        raise SceneLensError(f"no answers by {student!r}; there are answers by {', '.join(_names(labels))}.")
    rest = dict(list(current(others).query("annotator != @student").groupby(UNIT)))
    answered = {(answer.network, answer.layer, answer.unit): answer for answer in own.itertuples()}
    rows = [_scored(answer, rest[unit]) for unit, answer in answered.items() if unit in rest]
    if not rows:
        raise SceneLensError(
            f"nobody else has answered any of the {len(answered)} units that {student!r} did."
        )
    return pd.DataFrame(rows)


def _names(labels: pd.DataFrame) -> list[str]:
    return sorted(set(labels.annotator)) or ["nobody"]


def _scored(own, others: pd.DataFrame) -> dict:
    counts = others.type.value_counts().to_numpy()
    n = len(others)
    pairs = float((counts * (counts - 1)).sum() / (n * (n - 1))) if n > 1 else math.nan
    words = [bool(_words(own.concept) & _words(concept)) for concept in others.concept]
    return {
        **{name: getattr(own, name) for name in (*UNIT, "type", "concept", "precision")},
        "shared": float((others.type == own.type).mean()),
        "expected": pairs,
        "same_concept": float(np.mean(words)),
        "precision_difference": float(own.precision - others.precision.mean()),
    }


def _words(concept: str) -> set[str]:
    """A concept's words, without the s of a plural."""
    words = "".join(letter if letter.isalnum() else " " for letter in concept.lower()).split()
    return {word.removesuffix("s") if len(word) > 3 else word for word in words}
