"""Which objects tell scenes apart (section 4.1, Figure 9d): for each scene category, the best single one.

An object's presence predicts a category: images with the object first, all others after. How well that works
is an average precision. The best object is chosen on one half of the images and judged on the other, for the
best of many is flattered by the images it was chosen on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations
from scenelens.emergence.presence import ObjectPresence, object_presence
from scenelens.errors import SceneLensError
from scenelens.intervals import middle

FEWEST = 4  # images that a category needs: two to choose by, two to judge by
SPLITS = 20  # further halvings, to see whether the same object would be chosen again
_COLUMNS = [
    *("category", "object", "ap", "low", "high", "base", "ap_chosen", "stability"),
    *("n_images", "n_with", "reason"),
]


@dataclass(frozen=True)
class Informativeness:
    """The best single object of every scene category, and for how many categories each object is it.

    Attributes
    ----------
    categories : one row per category: object (the best; '' where there is none), ap (on the judging half,
        NaN where nothing could be judged) with its 95% bootstrap interval low, high; base (the AP of chance,
        the category's share of that half); ap_chosen (on the choosing half); stability (share of further
        halvings that choose the same object); n_images (of the category), n_with (of them, with the object);
        reason (why the category does not count, '' where it does).
    objects : one row per object, best first: object, categories (how many count for it), ap (its highest on
        the judging half, over all categories).
    n_images : with a category. seed : of the halving.
    """

    categories: pd.DataFrame
    objects: pd.DataFrame
    n_images: int
    seed: int

    @property
    def counted(self) -> pd.DataFrame:
        """The categories that count."""
        return self.categories[self.categories.reason == ""]


def ap_of_presence(both: np.ndarray, shown: np.ndarray, positives: np.ndarray, n: int) -> np.ndarray:
    """Average precision of a presence as the score: all images with the object first, then all others.

    Equal scores stand or fall together, as in `metrics.average_precision`; NaN without positives.

    Parameters
    ----------
    both : images of the category with the object. shown : images with the object. positives : images of the
        category; these three broadcast against each other. n : all images.

    Examples
    --------
    >>> ap_of_presence(np.array(2), np.array(2), np.array(4), 8).item()  # 2/4 at precision 1, 2/4 at 4/8
    0.75
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = np.where(positives > 0, both / positives, np.nan)
        precision = np.where(shown > 0, both / np.maximum(shown, 1), 0.0)
    return recall * precision + (1 - recall) * positives / max(n, 1)


def informative_objects(
    annotated: Annotations | ObjectPresence,
    images: Iterable[str] | None = None,
    fold: Callable[[str], str] | None = None,
    seed: int = 0,
    n_resamples: int = 2000,
) -> Informativeness:
    """For every scene category the object whose presence has the highest AP for it.

    Parameters
    ----------
    annotated, images, fold : see `object_presence`. Images without a category take no part.
    seed : of the halves, which are drawn within each category.
    n_resamples : of the bootstrap over judged images.

    Returns
    -------
    Informativeness : a category does not count, and says why, if it has fewer than four images, if it is the
        only one, or if its best object is no better than chance on the judging half.

    Raises
    ------
    SceneLensError : no image has a scene category.

    Notes
    -----
    Section 4.1. The chosen object is the first in alphabetical order of equally good ones.

    Examples
    --------
    >>> seen = ObjectPresence(tuple("abcdefgh"), ("den",) * 4 + ("sea",) * 4, ("boat", "bed"),
    ...                       np.array([[0, 1]] * 4 + [[1, 0]] * 4), np.zeros((8, 2)))
    >>> informative_objects(seen).categories[["category", "object", "ap"]].values.tolist()
    [['den', 'bed', 1.0], ['sea', 'boat', 1.0]]
    """
    seen = object_presence(annotated, images, fold)
    kept = np.array([bool(name) for name in seen.categories], bool)
    if not kept.any():
        raise SceneLensError(
            "none of the annotated images has a scene category, so no object can tell scenes apart; "
            "put the images of each scene in a folder of their own."
        )
    names = np.array(seen.categories, dtype=object)[kept]
    categories = sorted(set(names))
    truth = np.array([names == category for category in categories]).T
    unfit = [_unfit(int(n), len(categories)) for n in truth.sum(0)]
    halves = _Halves(truth, seen.present[kept], tuple(seen.objects), unfit)
    rows = halves.rows(np.random.default_rng(seed), n_resamples)
    table = pd.DataFrame(rows, columns=_COLUMNS[1:])
    table.insert(0, "category", categories)
    return Informativeness(table, halves.by_object(table), len(names), seed)


def _unfit(n: int, n_categories: int) -> str:
    """Why a category with n images cannot be asked about, or ''."""
    if n_categories == 1:
        return "the only category: there is nothing to tell it from"
    if n < FEWEST:
        return f"{n} image{'' if n == 1 else 's'}: too few to choose by one half and judge by the other"
    return ""


class _Halves:
    """The images in two halves; truth (images, categories) and present (images, objects) are bool. `unfit`
    says why a category cannot be asked about, or ''."""

    def __init__(
        self, truth: np.ndarray, present: np.ndarray, objects: tuple[str, ...], unfit: list[str]
    ) -> None:
        self.truth, self.present, self.objects, self.unfit = truth, present, objects, unfit
        self.judging = np.zeros(len(truth), bool)

    def rows(self, rng: np.random.Generator, n_resamples: int) -> list[dict]:
        """One row per category; what could not be judged is missing in it."""
        chosen, best, self.judging = self._choose(rng)
        again = np.array([self._choose(rng)[0] for _ in range(SPLITS)])
        judged = self._ap(self.judging)
        rows = []
        for k, reason in enumerate(self.unfit):
            own = self.truth[:, k]
            row = {"object": "", "n_images": int(own.sum()), "n_with": 0, "reason": reason}
            row["base"] = float(own[self.judging].mean()) if self.judging.any() else math.nan
            if not reason and self.objects:
                row |= self._judged(k, int(chosen[k]), judged, rng, n_resamples)
                row |= {"ap_chosen": float(best[k]), "stability": float((again[:, k] == chosen[k]).mean())}
            elif not reason:
                row["reason"] = "no object is annotated"
            rows.append(row)
        return rows

    def _judged(self, k: int, one: int, ap: np.ndarray, rng: np.random.Generator, n: int) -> dict:
        """What the judging half says of the object chosen for category k."""
        truth, shown = self.truth[self.judging, k], self.present[self.judging, one]
        low, high = _interval(truth, shown, rng, n)
        found, base = float(ap[k, one]), float(truth.mean())
        reason = "" if found > base else f"its best object, {self.objects[one]}, is no better than chance"
        n_with = int((self.truth[:, k] & self.present[:, one]).sum())
        told = {"object": self.objects[one], "ap": found, "low": low, "high": high}
        return told | {"n_with": n_with, "reason": reason}

    def _choose(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The best object of each category on a random half, its AP there, and the other half (bool)."""
        judging = np.zeros(len(self.truth), bool)
        for column in self.truth.T:
            own = rng.permutation(np.flatnonzero(column))
            judging[own[: len(own) // 2]] = True
        ap = self._ap(~judging)
        if not ap.shape[1]:
            return np.zeros(len(ap), int), np.full(len(ap), math.nan), judging
        return ap.argmax(1), ap.max(1), judging

    def _ap(self, half: np.ndarray) -> np.ndarray:
        """(categories, objects) on half of the images."""
        truth, shown = self.truth[half].astype(float), self.present[half].astype(float)
        ap = ap_of_presence(truth.T @ shown, shown.sum(0)[None], truth.sum(0)[:, None], len(truth))
        return np.nan_to_num(ap, nan=0.0)

    def by_object(self, table: pd.DataFrame) -> pd.DataFrame:
        """How many categories count for each object, and its highest AP on the judging half."""
        counts = table[table.reason == ""].object.value_counts()
        fit = np.array([not reason for reason in self.unfit])
        ap = self._ap(self.judging)[fit]
        highest = ap.max(0) if len(ap) else np.full(len(self.objects), np.nan)
        found = pd.DataFrame({"object": self.objects, "ap": highest})
        found.insert(1, "categories", counts.reindex(self.objects, fill_value=0).to_numpy(int))
        order = found.assign(by=-found.categories, then=-found.ap).sort_values(["by", "then", "object"]).index
        return found.loc[order].reset_index(drop=True)


def _interval(
    truth: np.ndarray, shown: np.ndarray, rng: np.random.Generator, n_resamples: int
) -> tuple[float, float]:
    """95% bootstrap interval of a presence's AP: only four kinds of images, so their numbers are drawn."""
    n = len(truth)
    cells = [(truth & shown).sum(), (~truth & shown).sum(), (truth & ~shown).sum(), (~truth & ~shown).sum()]
    both, only, missed, _ = rng.multinomial(n, np.array(cells) / n, n_resamples).T
    ap = ap_of_presence(both, both + only, both + missed, n)
    return middle(ap)
