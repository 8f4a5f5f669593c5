"""Whether people name units alike: agreement on types, and a student compared with the released workers.

The paper shows each unit to three workers and does not say how often they agree. This module uses
Krippendorff's alpha: 1 is perfect agreement, 0 is what chance gives, and below 0 is worse than chance.
Answers may be missing, and any number of people may have answered.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.intervals import bootstrap_interval
from scenelens.labels.published import PUBLISHED, ROLES
from scenelens.labels.rules import UNIT
from scenelens.labels.table import TYPES, current


class Agreement(NamedTuple):
    """How far the annotators agree on types.

    Attributes
    ----------
    n_units : int
        The units with at least two answers; all others are left out.
    n_answers : int
        How many answers these units have.
    unanimous : float
        The share of these units whose answers are all of one type, 0..1.
    alpha : float
        Krippendorff's alpha, nominal.
    low : float
        The lower end of its 95% bootstrap interval over units.
    high : float
        The upper end of that interval.
    """

    n_units: int
    n_answers: int
    unanimous: float
    alpha: float
    low: float
    high: float

    @classmethod
    def of(cls, labels: pd.DataFrame, seed: int = 0, n_resamples: int = 2000) -> Agreement:
        """How far annotators agree on the types of units, all sources of `labels` together.

        Parameters
        ----------
        labels : pandas.DataFrame
            Answers, usually of one network and layer; see `labels.check_labels`. Of an annotator's several
            answers about one unit the latest counts.
        seed : int, optional
            Seed of the bootstrap over units (default 0).
        n_resamples : int, optional
            How many bootstrap samples (default 2000).

        Returns
        -------
        Agreement
            Krippendorff's alpha with its interval, and the share of unanimous units.

        Notes
        -----
        Not in the paper. In the released answers for pool5 all three workers agree on the type of 23% (scene
        network) and 26% (object network) of the units.

        Examples
        --------
        >>> table = pd.DataFrame({"network": "scene", "layer": "pool5", "unit": [1, 1, 2, 2],
        ...     "concept": "bed", "annotator": list("abab"), "type": ["object", "scene", "object", "object"]})
        >>> Agreement.of(table).unanimous
        0.5
        """
        counts = _type_table(labels).to_numpy()
        counts = counts[counts.sum(1) > 1]
        low, high = bootstrap_interval(counts, _krippendorff_alpha, seed, n_resamples)
        unanimous = float((counts > 0).sum(1).__eq__(1).mean()) if len(counts) else math.nan
        return cls(len(counts), int(counts.sum()), unanimous, _krippendorff_alpha(counts), low, high)


def _type_table(labels: pd.DataFrame) -> pd.DataFrame:
    """How many answers of each type a unit got: index network, layer, unit; one int column per type.

    >>> table = pd.DataFrame({"network": "scene", "layer": "pool5", "unit": [1, 1], "annotator": ["a", "b"],
    ...                       "concept": "bed", "type": ["object", "scene"]})
    >>> _type_table(table).iloc[0].tolist()
    [1, 1, 0, 0, 0, 0]
    """
    counts = current(labels).groupby([*UNIT, "type"], sort=False).size().unstack(fill_value=0)
    return counts.reindex(columns=list(TYPES), fill_value=0)


def _krippendorff_alpha(counts: np.ndarray) -> float:
    """Krippendorff's alpha for categories.

    Units with fewer than two answers are left out, because nothing can be compared in them. Alpha is NaN if
    no pair of answers is left, or if all answers are of one category: then no difference was possible.

    Parameters
    ----------
    counts : array_like
        (n_units, n_categories), how many answers of each category each unit got.

    Notes
    -----
    alpha = 1 - (n - 1) sum_u [sum_(c != k) n_uc n_uk / (m_u - 1)] / sum_(c != k) n_c n_k, with m_u the
    answers of a unit, n_c those of a category, n all of them (Krippendorff, Content Analysis).

    Examples
    --------
    >>> _krippendorff_alpha([[2, 0], [0, 2]])
    1.0
    >>> _krippendorff_alpha([[1, 1], [1, 1]])
    -0.5
    """
    table = np.asarray(counts, dtype=float)
    if table.ndim != 2 or (table < 0).any() or (table % 1 != 0).any():
        raise SceneLensError(
            "agreement needs a count of answers per unit and category, whole numbers from 0 on."
        )
    table = table[table.sum(1) > 1]
    answers, totals = table.sum(1), table.sum(0)
    expected = totals.sum() ** 2 - (totals**2).sum()
    if not expected:
        return math.nan
    observed = ((answers**2 - (table**2).sum(1)) / (answers - 1)).sum()
    return float(1 - (totals.sum() - 1) * observed / expected)


def score_student(labels: pd.DataFrame, student: str, others: pd.DataFrame) -> pd.DataFrame:
    """Compare a student's answers with those of others (the released workers), unit by unit.

    Parameters
    ----------
    labels : pandas.DataFrame
        A table with the student's answers; see `labels.check_labels`.
    student : str
        The annotator's name in it.
    others : pandas.DataFrame
        Answers about the same units. Those of the student are left out.

    Returns
    -------
    pandas.DataFrame
        One row per unit that both have answered: ``network``, ``layer``, ``unit``; ``type``, ``concept`` and
        ``precision`` as the student gave them; ``shared`` (share of the others who give the same type);
        ``expected`` (the same share for one of the others, compared with the rest, so what a worker would
        have scored; NaN for a single other); ``same_concept`` (share of the others with a word in common);
        ``precision_difference`` (the student's minus their mean).

    Raises
    ------
    SceneLensError
        If the student has no answers, or none about the same units; or if one table is about the paper's
        own networks, which released answers are about, and the other is not.

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
        names = ", ".join(sorted(set(labels.annotator))) or "nobody"
        raise SceneLensError(f"no answers by {student!r}; there are answers by {names}.")
    rest: dict[tuple[str, str, int], list[Any]] = {}
    known = current(others).query("annotator != @student")
    _check_networks(own, known)
    for answer in known.itertuples():
        rest.setdefault((answer.network, answer.layer, answer.unit), []).append(answer)
    answered = {(answer.network, answer.layer, answer.unit): answer for answer in own.itertuples()}
    rows = [_scored(answer, rest[unit]) for unit, answer in answered.items() if unit in rest]
    if not rows:
        raise SceneLensError(
            f"the others have not answered any of the {len(answered)} units that {student!r} did."
        )
    return pd.DataFrame(rows)


def _check_networks(own: pd.DataFrame, others: pd.DataFrame) -> None:
    """Raise where one table has published answers about a network of the paper, and the other has none."""
    for network in sorted(set(own.network) & set(others.network) - set(ROLES)):
        published = [bool(set(table.source[table.network == network]) & PUBLISHED) for table in (own, others)]
        if published[0] != published[1]:
            raise SceneLensError(
                f"the published answers are about the paper's own {network} network, whose units are others "
                "than those of the same numbers in this study: nothing can be scored. (If yours is the "
                f"paper's network, call it {_paper_name(network)!r} in both tables.)"
            )


def _paper_name(role: str) -> str:
    """What the paper's network of a role is called in its own files."""
    return next((name for name, one in ROLES.items() if one == role), next(iter(ROLES)))


def _scored(own: Any, others: Sequence[Any]) -> dict[str, Any]:
    """One row of `score_student`."""
    counts, n = Counter(other.type for other in others), len(others)
    # Of all ordered pairs of two of the others, the share that agrees.
    pairs = sum(count * (count - 1) for count in counts.values()) / (n * (n - 1)) if n > 1 else math.nan
    words = _words(own.concept)
    precisions = np.array([other.precision for other in others])
    judged = np.count_nonzero(~np.isnan(precisions))
    return {
        **{name: getattr(own, name) for name in (*UNIT, "type", "concept", "precision")},
        "shared": counts[own.type] / n,
        "expected": pairs,
        "same_concept": sum(bool(words & _words(other.concept)) for other in others) / n,
        "precision_difference": own.precision - np.nansum(precisions) / judged if judged else math.nan,
    }


def _words(concept: str) -> set[str]:
    """A concept's words, without the s of a plural."""
    words = "".join(letter if letter.isalnum() else " " for letter in concept.lower()).split()
    return {word.removesuffix("s") if len(word) > 3 else word for word in words}
