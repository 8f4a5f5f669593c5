"""How often objects occur in scenes (section 4.1, Figure 9b), and how unevenly: a few are everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from scenelens.annotations import Annotations
from scenelens.emergence.presence import ObjectPresence
from scenelens.intervals import bootstrap_interval

_STEEPEST = 10.0  # the largest Zipf exponent that is tried; real scenes lie around 1


class _Zipf(NamedTuple):
    """A Zipf law fitted to counts: the frequency of the r-th most frequent object is as r to the -exponent.

    Attributes
    ----------
    exponent : float
        The fitted exponent; NaN for fewer than two objects.
    low : float
        Lower end of its 95% bootstrap interval over images.
    high : float
        Upper end of that interval.
    fit : float
        R squared of the logarithms: 1 where the law holds exactly, below 0 where it fits worse than a
        constant.
    n_objects : int
        Number of objects that it was fitted to.
    n_images : int
        Number of images that they were counted on.
    """

    exponent: float
    low: float
    high: float
    fit: float
    n_objects: int
    n_images: int

    @classmethod
    def fitted(cls, seen: ObjectPresence, seed: int = 0, n_resamples: int = 500) -> _Zipf:
        """Fit the law to the instances of objects; the interval comes from drawing the images anew.

        Parameters
        ----------
        seen : ObjectPresence
            Objects by images.
        seed : int, optional
            Seed of the bootstrap (default 0).
        n_resamples : int, optional
            Number of bootstrap draws (default 500).

        Returns
        -------
        _Zipf
            The fitted law.

        Examples
        --------
        >>> seen = ObjectPresence(("a", "b"), ("", ""), ("bed", "lamp"), np.array([[1, 2], [1, 2]]),
        ...                       np.zeros((2, 2)))
        >>> [round(value, 2) for value in _Zipf.fitted(seen)[:4]]
        [1.0, 1.0, 1.0, 1.0]
        """
        counts = seen.instances.sum(0)
        # Images are drawn, not instances: the objects of one image come together.
        low, high = bootstrap_interval(
            seen.instances, lambda drawn: _zipf_exponent(drawn.sum(0)), seed, n_resamples
        )
        exponent = _zipf_exponent(counts)
        r_squared = _r_squared(counts, exponent)
        return cls(exponent, low, high, r_squared, int((counts > 0).sum()), len(seen.images))

    def line(self, counts: np.ndarray) -> np.ndarray:
        """What the law expects of the 1st, 2nd, ... most frequent object, with the same sum as the counts.

        Parameters
        ----------
        counts : numpy.ndarray
            (n,) numbers from 0 on; objects counted 0 times take no part.

        Returns
        -------
        numpy.ndarray
            (m,) float, one value for each of the m objects that were counted at least once.

        Examples
        --------
        >>> _Zipf(1.0, 0.9, 1.1, 1.0, 2, 9).line(np.array([1, 2]))
        array([2., 1.])
        """
        return _zipf_line(counts, self.exponent)


def object_frequency(
    annotated: Annotations | ObjectPresence,
    images: Iterable[str] | None = None,
    fold: Callable[[str], str] | None = None,
    objects: Iterable[str] = (),
) -> pd.DataFrame:
    """How frequent each object is.

    Parameters
    ----------
    annotated : Annotations or ObjectPresence
        A set of annotated images, or the objects counted on them.
    images : iterable of str, optional
        Ids of the images to count on (default all).
    fold : callable, optional
        Raw name to object name (default: the package's table).
    objects : iterable of str, optional
        Names to list even where no image shows them; their numbers are 0.

    Returns
    -------
    pandas.DataFrame
        One row per object, most instances first, ties in alphabetical order: ``rank`` (from 1), ``object``,
        ``instances``, ``images`` (that show it), ``share`` (of the images whose annotators name
        it, 0..1), ``area`` (mean share of an image's pixels where it is shown; NaN for an object that no
        image shows).

    Notes
    -----
    Section 4.1. The paper's frequency is the number of instances in the annotated SUN database.

    Examples
    --------
    >>> seen = ObjectPresence(("a", "b"), ("", ""), ("bed", "lamp"), np.array([[1, 2], [0, 1]]),
    ...                       np.array([[.5, .25], [0, .25]]))
    >>> object_frequency(seen).drop(columns="rank").values.tolist()
    [['lamp', 3, 2, 1.0, 0.25], ['bed', 1, 1, 0.5, 0.5]]
    """
    seen = ObjectPresence.of(annotated, images, fold)
    shown = seen.present.sum(0)
    with np.errstate(invalid="ignore"):
        area = seen.area.sum(0) / shown
    judged = np.maximum(seen.judged.sum(0), 1)
    table = pd.DataFrame({"object": seen.objects, "instances": seen.instances.sum(0), "images": shown})
    table = table.assign(share=shown / judged, area=area)
    absent = [name for name in dict.fromkeys(objects) if name not in seen.objects]
    if absent:
        zeros = {"instances": 0, "images": 0, "share": 0.0, "area": math.nan}
        table = pd.concat([table, pd.DataFrame({"object": absent, **zeros})], ignore_index=True)
    table = table.sort_values(["instances", "object"], ascending=[False, True]).reset_index(drop=True)
    table.insert(0, "rank", table.index + 1)
    return table


def _zipf_exponent(counts: np.ndarray) -> float:
    """The exponent that makes counts likeliest under Zipf's law over as many ranks as there are objects.

    Objects counted 0 times take no part; NaN for fewer than two objects; equal counts give 0.

    Maximum likelihood: p(r) is r**-s divided by its sum over the n ranks, and s maximises the sum of
    count(r) log p(r). The usual straight line through the logarithms gives the rarest objects, which are most
    of all, too much weight.

    >>> round(_zipf_exponent([60, 30, 20, 15]), 3)
    1.0
    """
    ranked = np.sort(np.asarray(counts, float)[np.asarray(counts) > 0])[::-1]
    if len(ranked) < 2:
        return math.nan
    if ranked[0] == ranked[-1]:
        return 0.0
    logs = np.log(np.arange(1, len(ranked) + 1))
    share = ranked / ranked.sum()

    def loss(s: float) -> float:
        return s * float(share @ logs) + math.log(np.exp(-s * logs).sum())

    return float(minimize_scalar(loss, bounds=(0, _STEEPEST), method="bounded").x)


def _zipf_line(counts: np.ndarray, exponent: float) -> np.ndarray:
    counts = np.asarray(counts)[np.asarray(counts) > 0]
    line = np.arange(1, len(counts) + 1.0) ** -exponent
    return line / line.sum() * counts.sum()


def _r_squared(counts: np.ndarray, exponent: float) -> float:
    """R squared of the logarithms of the ranked counts; NaN without a law or without variation."""
    if math.isnan(exponent):
        return math.nan
    ranked = np.log(np.sort(counts[counts > 0])[::-1])
    spread = ((ranked - ranked.mean()) ** 2).sum()
    missed = ((ranked - np.log(_zipf_line(counts, exponent))) ** 2).sum()
    return float(1 - missed / spread) if spread > 0 else math.nan
