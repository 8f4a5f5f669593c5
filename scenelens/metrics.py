"""How good a detector or a ranking is: precision and recall, Jaccard index, calibration.

Section 4.2 of the paper measures how well a unit's response ranks the images (`average_precision`). There
are too many pixels to sort, so they are counted in bins of their score (`PrecisionRecall.of_counts`).
`reliability` says whether a confidence of 0.8 is right in 80 of 100 cases. Which images a layer prefers
(section 2) is counted by the activation index; see `ActivationIndex.layer_preference`.

Each function says first what it does in edge cases (nothing to find, ties, no cases), because published
implementations differ there and do not say so. A number that is not defined is NaN, never 0 or 1, so that
means over units leave it out (`numpy.nanmean`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.intervals import wilson_interval


class PrecisionRecall(NamedTuple):
    """Precision and recall at every distinct score, from the highest score down.

    Attributes
    ----------
    precision : numpy.ndarray
        (m,) float: the share of true cases among those with at least this score.
    recall : numpy.ndarray
        (m,) float: the share of all true cases that have at least this score.
    threshold : numpy.ndarray
        (m,) float: the score.
    """

    precision: np.ndarray
    recall: np.ndarray
    threshold: np.ndarray

    @classmethod
    def of_cases(cls, present: np.ndarray, scores: np.ndarray) -> PrecisionRecall:
        """Return precision and recall of "the score is at least t", for every t that makes a difference.

        Edge cases: equal scores are accepted or rejected together, so they give one entry, and the order of
        the images never matters. Without a positive case recall is NaN. Without any case the arrays are
        empty.

        Parameters
        ----------
        present : array_like
            (n,) bool, or 0 and 1: what is true.
        scores : array_like
            (n,) finite numbers; a higher one means that the case is more likely to be true.

        Returns
        -------
        PrecisionRecall
            From the highest score down.

        Raises
        ------
        SceneLensError
            If the shapes differ, or a score is not finite.

        Examples
        --------
        >>> PrecisionRecall.of_cases([1, 0, 1], [.9, .5, .5]).precision.round(2).tolist()
        [1.0, 0.67]
        """
        truth, values = _cases(present, scores)
        order = np.argsort(-values, kind="stable")
        ranked = values[order]
        # The last place of every run of equal scores: there the whole run has been counted.
        last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else np.zeros(0, int)
        hits = np.cumsum(truth[order])[last]
        positives = np.count_nonzero(truth)
        recall = hits / positives if positives else np.full(len(last), math.nan)
        return cls(hits / (last + 1), recall, ranked[last])

    @classmethod
    def of_counts(cls, hits: np.ndarray, misses: np.ndarray) -> PrecisionRecall:
        """Return precision and recall from counts per bin of score, as `of_cases` from single cases.

        Edge cases: empty bins give no entry. Without a hit recall is NaN. Without any case the arrays are
        empty.

        Parameters
        ----------
        hits : array_like
            (n_bins,) int: cases of each bin that are true, such as pixels on the object; low scores first.
        misses : array_like
            (n_bins,) int: cases of each bin that are not true.

        Returns
        -------
        PrecisionRecall
            From the highest score down; ``threshold`` is the bin's number.

        Raises
        ------
        SceneLensError
            If the shapes differ, or a count is negative.

        Examples
        --------
        >>> curve = PrecisionRecall.of_counts([0, 1, 1], [1, 1, 0])
        >>> curve.precision.round(2).tolist(), round(curve.average_precision, 3)
        ([1.0, 0.67, 0.5], 0.833)
        """
        good, bad = (np.asarray(one, dtype=np.int64)[::-1] for one in (hits, misses))
        if good.shape != bad.shape or good.ndim != 1 or min(good.min(initial=0), bad.min(initial=0)) < 0:
            raise SceneLensError(f"one count of hits and misses per bin; got {good.shape} and {bad.shape}.")
        filled = np.flatnonzero(good + bad)
        found, all_of_them = np.cumsum(good)[filled], np.cumsum(good + bad)[filled]
        total = int(good.sum())
        recall = found / total if total else np.full(len(filled), math.nan)
        return cls(found / all_of_them, recall, (len(good) - 1 - filled).astype(float))

    @property
    def average_precision(self) -> float:
        """The area under the steps, 0..1: see `average_precision`. NaN where nothing is true."""
        if not len(self.recall):
            return math.nan
        return float(np.sum(self.precision * np.diff(self.recall, prepend=0.0)))


def average_precision(present: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the precision-recall steps: the sum of precision times recall gained.

    The same as in scikit-learn. Edge cases: NaN without a positive case. Equal scores are accepted or
    rejected together (see `PrecisionRecall.of_cases`), so a constant score has the AP of its base rate.
    Nothing is interpolated.

    Parameters
    ----------
    present : array_like
        (n,) bool, or 0 and 1: what is true.
    scores : array_like
        (n,) finite numbers; see `PrecisionRecall.of_cases`.

    Returns
    -------
    float
        In 0..1, or NaN.

    Examples
    --------
    >>> average_precision([1, 0, 1, 0], [4, 3, 2, 1])
    0.8333333333333333
    """
    return PrecisionRecall.of_cases(present, scores).average_precision


def all_equal(scores: np.ndarray) -> bool:
    """Return whether scores cannot rank anything: several of them, all equal.

    Parameters
    ----------
    scores : array_like
        Numbers; NaN is left out.

    Returns
    -------
    bool
        False for a single score.

    Examples
    --------
    >>> all_equal([0.0, 0.0, np.nan]), all_equal([0.0, 1.0]), all_equal([2.0])
    (True, False, False)
    """
    values = np.asarray(scores, dtype=float)
    values = values[~np.isnan(values)]
    return len(values) > 1 and bool((values == values[0]).all())


def _cases(present: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth, values = np.asarray(present).astype(bool), np.asarray(scores, dtype=float)
    if truth.ndim != 1 or truth.shape != values.shape:
        raise SceneLensError(f"one score for each case; got shapes {truth.shape} and {values.shape}.")
    if not np.isfinite(values).all():
        raise SceneLensError("scores must be finite numbers; leave out the images that could not be read.")
    return truth, values


def reliability(confidence: np.ndarray, right: np.ndarray, n_bins: int = 10) -> pd.DataFrame:
    """Compare confidence with how often it was right, in bins of equal width (a reliability diagram).

    Edge cases: a bin without a case gives no row. A confidence between two bins counts in the higher one.

    Parameters
    ----------
    confidence : array_like
        (n,) float in 0..1.
    right : array_like
        (n,) bool: whether the case was right.
    n_bins : int, optional
        How many bins there are between 0 and 1 (default 10).

    Returns
    -------
    pandas.DataFrame
        One row per bin, least confident first: ``n`` (int), ``confidence`` (float, its mean), ``right``
        (float, the share), ``low`` and ``high`` (Wilson interval of the share, 95%).

    Raises
    ------
    SceneLensError
        If the shapes differ, or a confidence is not in 0..1.

    Examples
    --------
    >>> reliability([.1, .1, .9, .9], [0, 0, 1, 0], 2)[["n", "confidence", "right"]].values.tolist()
    [[2.0, 0.1, 0.0], [2.0, 0.9, 0.5]]
    """
    stated, true = np.asarray(confidence, float), np.asarray(right, bool)
    if stated.shape != true.shape or stated.ndim != 1 or np.any((stated < 0) | (stated > 1)):
        raise SceneLensError("one confidence between 0 and 1 for each case.")
    columns = ["n", "confidence", "right", "low", "high"]
    if not len(stated):
        return pd.DataFrame(columns=columns)
    bins = np.minimum((stated * n_bins).astype(int), n_bins - 1)
    rows = []
    for number in np.unique(bins):
        chosen = bins == number
        k, n = int(true[chosen].sum()), int(chosen.sum())
        rows.append((n, float(stated[chosen].mean()), k / n, *wilson_interval(k, n)))
    return pd.DataFrame(rows, columns=columns)
