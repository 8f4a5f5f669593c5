"""Which images of a unit are shown, and how its responses are spread over all of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scenelens.intervals import wilson_interval
from scenelens.microscope.shards import _rounded
from scenelens.studies import ActivationIndex

_BINS = 32  # of a histogram
#: How many top images the categories are counted on, as in section 3.3 of the paper.
COUNTED = 60


class _Shown(NamedTuple):
    """Rows of the images that are shown of each unit of a layer.

    Attributes
    ----------
    top : numpy.ndarray
        (units, n) int, the highest peak first; ties in the order of the images, as in `top_images`.
    middle : numpy.ndarray
        (units, m) int, around the middle of the order.
    lowest : numpy.ndarray
        (units, m) int, the lowest peak first.
    """

    top: np.ndarray
    middle: np.ndarray
    lowest: np.ndarray

    @classmethod
    def of(cls, peaks: np.ndarray, n: int, m: int) -> _Shown:
        """Choose them.

        Parameters
        ----------
        peaks : numpy.ndarray
            (images, units) float; NaN for images that could not be read.
        n : int
            How many top images.
        m : int
            How many of the middle, and how many of the lowest.

        Returns
        -------
        _Shown
            Fewer where fewer images could be read.

        Examples
        --------
        >>> shown = _Shown.of(np.array([[1.0], [5.0], [3.0], [np.nan], [2.0]]), 2, 1)
        >>> shown.top.tolist(), shown.middle.tolist(), shown.lowest.tolist()
        ([[1, 2]], [[4]], [[0]])
        """
        rows = np.flatnonzero(~np.isnan(peaks).any(1))
        order = rows[np.argsort(-peaks[rows], axis=0, kind="stable")].T
        middle = max(0, (order.shape[1] - m + 1) // 2)
        return cls(order[:, :n], order[:, middle : middle + m], order[:, ::-1][:, :m])

    def mapped(self) -> np.ndarray:
        """(units, n + m) int, the images that are shown lit: the top ones, then those of the middle."""
        return np.concatenate([self.top, self.middle], axis=1)

    def images(self) -> np.ndarray:
        """All rows that are shown of some unit, sorted."""
        return np.unique(np.concatenate([one.ravel() for one in self]))


def _shown_rows(rows: np.ndarray, peaks: np.ndarray, places: np.ndarray) -> list[list[Any]]:
    """A unit's images: [row of the image, peak, row and column of the peak in the layer's map]."""
    return [[int(k), _rounded(peaks[k]), int(places[k, 0]), int(places[k, 1])] for k in rows]


def _histogram(peaks: np.ndarray, threshold: float | None) -> dict[str, Any]:
    """How a unit's peaks are spread over the images.

    Parameters
    ----------
    peaks : numpy.ndarray
        (images,) float; NaN for images that could not be read.
    threshold : float or None
        The response that the unit exceeds where it is active.

    Returns
    -------
    dict
        ``low`` and ``high`` (the ends), ``counts`` (images in each of the equal parts between them), ``n``,
        ``over`` (images whose peak exceeds the threshold; None without one).

    Examples
    --------
    >>> found = _histogram(np.array([0.0, 0.0, 1.0, 4.0]), 0.5)
    >>> found["low"], found["high"], found["counts"][0], found["counts"][-1], found["over"]
    (0, 4, 2, 1, 2)
    """
    known = peaks[~np.isnan(peaks)]
    if not len(known):
        return {"low": None, "high": None, "counts": [], "n": 0, "over": None}
    counts, edges = np.histogram(known, _BINS)
    over = None if threshold is None else int((known > threshold).sum())
    ends = {"low": _rounded(edges[0]), "high": _rounded(edges[-1])}
    return {**ends, "counts": counts.tolist(), "n": len(known), "over": over}


def _category_shares(rows: np.ndarray, categories: pd.Categorical, most: int = 6) -> list[list[Any]]:
    """The commonest categories among a unit's top images.

    Parameters
    ----------
    rows : numpy.ndarray
        (n,) int, the images that are counted.
    categories : pandas.Categorical
        The category of every image of the study.
    most : int, optional
        How many categories (default 6).

    Returns
    -------
    list of list
        [number of the category, count, lower and upper end of the share's 95% Wilson interval, the
        category's share of all images], the commonest first.

    Examples
    --------
    >>> _category_shares(np.array([0, 1, 2]), pd.Categorical(["bed", "bed", "sea", "sea"]))[0]
    [0, 2, 0.2077, 0.9385, 0.5]
    """
    codes = np.asarray(categories.codes)
    counts = np.bincount(codes[rows], minlength=len(categories.categories))
    share = np.bincount(codes, minlength=len(counts)) / max(len(codes), 1)
    best = [k for k in np.argsort(-counts, kind="stable")[:most] if counts[k]]
    found = []
    for k in best:
        low, high = wilson_interval(int(counts[k]), len(rows))
        found.append([int(k), int(counts[k]), _rounded(low), _rounded(high), _rounded(share[k])])
    return found


def _top_rows(index: ActivationIndex, layer: str, n: int, m: int) -> tuple[np.ndarray, _Shown]:
    """The peaks of a layer, and the images that are shown of its units."""
    peaks = index.peaks(layer)
    return peaks, _Shown.of(peaks, n, m)
