"""How often objects occur in scenes (section 4.1, Figure 9b), and how unevenly: a few are everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from scenelens.annotations import Annotations
from scenelens.emergence.presence import ObjectPresence, object_presence
from scenelens.intervals import bootstrap_interval

STEEPEST = 10.0  # of Zipf exponents that are looked at; real scenes lie around 1


class Zipf(NamedTuple):
    """A Zipf law fitted to counts.

    exponent : s in "the r-th most frequent object is as frequent as r to the power of -s"; NaN for fewer than
    two objects. low, high : its 95% bootstrap interval over images. fit : R squared of the logarithms, 1
    where the law holds exactly; it may be below 0. n_objects, n_images : what it was fitted to.
    """

    exponent: float
    low: float
    high: float
    fit: float
    n_objects: int
    n_images: int


def object_frequency(
    annotated: Annotations | ObjectPresence,
    images: Iterable[str] | None = None,
    fold: Callable[[str], str] | None = None,
    objects: Iterable[str] = (),
) -> pd.DataFrame:
    """How frequent each object is.

    Parameters
    ----------
    annotated, images, fold : see `object_presence`.
    objects : names to list even where no image shows them; they stand in the table with zeros.

    Returns
    -------
    DataFrame, most instances first, of equals in alphabetical order: rank (from 1), object, instances, images
    (that show it), share (of all images, 0..1), area (mean share of an image's pixels where it is shown; NaN
    for an object that no image shows).

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
    seen = object_presence(annotated, images, fold)
    shown = seen.present.sum(0)
    with np.errstate(invalid="ignore"):
        area = seen.area.sum(0) / shown
    table = pd.DataFrame({"object": seen.objects, "instances": seen.instances.sum(0), "images": shown})
    table = table.assign(share=shown / len(seen.images), area=area)
    asked = [name for name in dict.fromkeys(objects) if name not in seen.objects]
    if asked:
        absent = {"instances": 0, "images": 0, "share": 0.0, "area": math.nan}
        table = pd.concat([table, pd.DataFrame({"object": asked, **absent})], ignore_index=True)
    table = table.sort_values(["instances", "object"], ascending=[False, True]).reset_index(drop=True)
    table.insert(0, "rank", table.index + 1)
    return table


def zipf_exponent(counts: np.ndarray) -> float:
    """The exponent that makes counts likeliest under Zipf's law over as many ranks as there are objects.

    Edge cases: objects counted 0 times take no part; NaN for fewer than two objects; equal counts give 0.

    Parameters
    ----------
    counts : (n,) numbers from 0 on, in any order.

    Notes
    -----
    Maximum likelihood: p(r) is r**-s divided by its sum over the n ranks, and s maximises the sum of
    count(r) log p(r); s is looked for in 0..10. A straight line through the logarithms, the usual way, lets
    the rarest objects decide.

    Examples
    --------
    >>> round(zipf_exponent([60, 30, 20, 15]), 3)
    1.0
    """
    ranked = np.sort(np.asarray(counts, float)[np.asarray(counts) > 0])[::-1]
    if len(ranked) < 2:
        return math.nan
    logs = np.log(np.arange(1, len(ranked) + 1))
    share = ranked / ranked.sum()

    def loss(s: float) -> float:
        return s * float(share @ logs) + math.log(np.exp(-s * logs).sum())

    if ranked[0] == ranked[-1]:
        return 0.0
    return float(minimize_scalar(loss, bounds=(0, STEEPEST), method="bounded").x)


def zipf_fit(seen: ObjectPresence, seed: int = 0, n_resamples: int = 500) -> Zipf:
    """Zipf's law for the instances of objects, with an interval by drawing the images anew.

    Examples
    --------
    >>> seen = ObjectPresence(("a", "b"), ("", ""), ("bed", "lamp"), np.array([[1, 2], [1, 2]]),
    ...                       np.zeros((2, 2)))
    >>> [round(value, 2) for value in zipf_fit(seen)[:4]]
    [1.0, 1.0, 1.0, 1.0]
    """
    counts = seen.instances.sum(0)
    low, high = bootstrap_interval(
        seen.instances, lambda drawn: zipf_exponent(drawn.sum(0)), seed, n_resamples
    )
    exponent = zipf_exponent(counts)
    n_objects = int((counts > 0).sum())
    return Zipf(exponent, low, high, _fit(counts, exponent), n_objects, len(seen.images))


def zipf_line(counts: np.ndarray, exponent: float) -> np.ndarray:
    """What the law expects of the 1st, 2nd, ... most frequent object, with the same sum as the counts.

    Examples
    --------
    >>> zipf_line(np.array([1, 2]), 1.0)
    array([2., 1.])
    """
    counts = np.asarray(counts)[np.asarray(counts) > 0]
    line = np.arange(1, len(counts) + 1.0) ** -exponent
    return line / line.sum() * counts.sum()


def _fit(counts: np.ndarray, exponent: float) -> float:
    if math.isnan(exponent):
        return math.nan
    ranked = np.log(np.sort(counts[counts > 0])[::-1])
    spread = ((ranked - ranked.mean()) ** 2).sum()
    missed = ((ranked - np.log(zipf_line(counts, exponent))) ** 2).sum()
    return float(1 - missed / spread) if spread > 0 else math.nan
