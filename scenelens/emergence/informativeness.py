"""Which objects tell scenes apart (section 4.1, Figure 9d): for each scene category, the best single object.

An object's presence predicts a category: images with the object come first, all others after. The average
precision says how well that works. The best object is chosen on one half of the images and tested on the
other half: on the images that it was chosen on, the best of many looks better than it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations
from scenelens.emergence.presence import ObjectPresence
from scenelens.errors import SceneLensError
from scenelens.intervals import middle

_FEWEST = 4  # images that a category needs: two for the selection, two for the test
_SPLITS = 20  # further random splits, to see whether the same object would be chosen again


@dataclass(frozen=True)
class Informativeness:
    """The best single object of every scene category, and for how many categories each object is the best.

    Attributes
    ----------
    categories : pandas.DataFrame
        One row per category: ``category``; ``object`` (the best; '' where there is none); ``ap`` (on the test
        half, NaN where there is none) with its 95% bootstrap interval ``low``, ``high``; ``base`` (the AP of
        chance, the category's share of the test half); ``ap_chosen`` (on the selection half); ``stability``
        (share of further random splits that choose the same object); ``n_images`` (of the category);
        ``n_with`` (of them, with the object); ``reason`` (why the category does not count, '' where it does).
    objects : pandas.DataFrame
        One row per object, best first: ``object``, ``categories`` (number of categories whose best object it
        is), ``ap`` (its highest on the test half, over all categories), ``accuracy`` (of a classifier that
        knows only whether the object is there, on the test half, 0..1) and ``information`` (that this tells
        about the category, in bits).
    n_images : int
        Number of images that have a category.
    seed : int
        Seed of the random split.
    """

    categories: pd.DataFrame
    objects: pd.DataFrame
    n_images: int
    seed: int

    @property
    def counted(self) -> pd.DataFrame:
        """The rows of the categories that count."""
        return self.categories[self.categories.reason == ""]


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
    annotated : Annotations or ObjectPresence
        A set of annotated images, or the objects counted on them.
    images : iterable of str, optional
        Ids of the images to use (default all). Images without a category take no part.
    fold : callable, optional
        Raw name to object name (default: the package's table).
    seed : int, optional
        Seed of the random split into a selection half and a test half, within each category (default 0).
    n_resamples : int, optional
        Number of bootstrap draws over the test images (default 2000).

    Returns
    -------
    Informativeness
        A category does not count, with the reason in the table, if it has fewer than four images, if it is
        the only one, or if its best object is no better than chance on the test half.

    Raises
    ------
    SceneLensError
        If no image has a scene category.

    Notes
    -----
    Section 4.1. Of equally good objects the first in alphabetical order is chosen. The paper says only that
    informativeness follows from the "classification performance achieved by each object class". That can be
    read in three ways, which are all here: for how many categories the object's presence has the highest AP;
    how often the category is guessed right from the object's presence; how many bits it tells about it.

    Examples
    --------
    >>> seen = ObjectPresence(tuple("abcdefgh"), ("den",) * 4 + ("sea",) * 4, ("boat", "bed"),
    ...                       np.array([[0, 1]] * 4 + [[1, 0]] * 4), np.zeros((8, 2)))
    >>> informative_objects(seen).categories[["category", "object", "ap"]].values.tolist()
    [['den', 'bed', 1.0], ['sea', 'boat', 1.0]]
    """
    seen = ObjectPresence.of(annotated, images, fold)
    with_category = np.array([bool(name) for name in seen.categories], bool)
    if not with_category.any():
        raise SceneLensError(
            "none of the annotated images has a scene category, so no object can tell scenes apart; "
            "put the images of each scene in a folder of their own."
        )
    names = np.array(seen.categories, dtype=object)[with_category]
    categories = sorted(set(names))
    truth = np.array([names == category for category in categories]).T
    excluded = [_reason_to_exclude(int(n), len(categories)) for n in truth.sum(0)]
    halves = _Halves(truth, seen.present[with_category], tuple(seen.objects), excluded)
    rows = halves.rows(np.random.default_rng(seed), n_resamples)
    columns = [
        "object",
        "ap",
        "low",
        "high",
        "base",
        "ap_chosen",
        "stability",
        "n_images",
        "n_with",
        "reason",
    ]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(0, "category", categories)
    table.attrs["units"] = {"base": "share", "stability": "share"}
    return Informativeness(table, halves.by_object(table), len(names), seed)


def _ap_of_presence(both: np.ndarray, shown: np.ndarray, positives: np.ndarray, n: int) -> np.ndarray:
    """Average precision of a presence as the score: all images with the object first, then all others.

    A presence has two values only, so the curve has two steps and the AP follows from four counts. All images
    with the same value count as tied, as in `scenelens.metrics.average_precision`; NaN without positives.

    both: images of the category with the object; shown: images with the object; positives: images of the
    category; these three broadcast against each other. n: all images.

    >>> _ap_of_presence(np.array(2), np.array(2), np.array(4), 8).item()  # 2/4 at precision 1, 2/4 at 4/8
    0.75
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = np.where(positives > 0, both / positives, np.nan)
        precision = np.where(shown > 0, both / np.maximum(shown, 1), 0.0)
    return recall * precision + (1 - recall) * positives / max(n, 1)


def _reason_to_exclude(n: int, n_categories: int) -> str:
    """Why a category with n images does not count, or ''."""
    if n_categories == 1:
        return "the only category: there is nothing to tell it from"
    if n < _FEWEST:
        return f"{n} image{'' if n == 1 else 's'}: too few to choose by one half and judge by the other"
    return ""


class _Halves:
    """The images in a selection half and a test half.

    truth (images, categories) and present (images, objects) are bool. `excluded` says for each category why
    it does not count, or ''.
    """

    def __init__(
        self, truth: np.ndarray, present: np.ndarray, objects: tuple[str, ...], excluded: list[str]
    ) -> None:
        self.truth, self.present, self.objects, self.excluded = truth, present, objects, excluded
        self.test = np.zeros(len(truth), bool)

    def rows(self, rng: np.random.Generator, n_resamples: int) -> list[dict]:
        """One row per category; a row lacks the values that cannot be computed."""
        # The generator's draws have an order: first the split that counts, then the further ones, then the
        # bootstraps. Another order would give other numbers for the same seed.
        chosen, best, self.test = self._choose(rng)
        again = np.array([self._choose(rng)[0] for _ in range(_SPLITS)])
        tested = self._ap(self.test)
        rows = []
        for k, reason in enumerate(self.excluded):
            own = self.truth[:, k]
            row = {"object": "", "n_images": int(own.sum()), "n_with": 0, "reason": reason}
            row["base"] = float(own[self.test].mean()) if self.test.any() else math.nan
            if not reason and self.objects:
                row |= self._tested(k, int(chosen[k]), tested, rng, n_resamples)
                row |= {"ap_chosen": float(best[k]), "stability": float((again[:, k] == chosen[k]).mean())}
            elif not reason:
                row["reason"] = "no object is annotated"
            rows.append(row)
        return rows

    def _tested(self, k: int, one: int, ap: np.ndarray, rng: np.random.Generator, n: int) -> dict:
        """What the test half says of the object chosen for category k."""
        truth, shown = self.truth[self.test, k], self.present[self.test, one]
        low, high = _interval(truth, shown, rng, n)
        found, base = float(ap[k, one]), float(truth.mean())
        reason = "" if found > base else f"its best object, {self.objects[one]}, is no better than chance"
        n_with = int((self.truth[:, k] & self.present[:, one]).sum())
        row = {"object": self.objects[one], "ap": found, "low": low, "high": high}
        return row | {"n_with": n_with, "reason": reason}

    def _choose(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The best object of each category on a random half, its AP there, and the other half (bool)."""
        test = np.zeros(len(self.truth), bool)
        for column in self.truth.T:  # half of each category, so that small ones are in both halves
            own = rng.permutation(np.flatnonzero(column))
            test[own[: len(own) // 2]] = True
        ap = self._ap(~test)
        if not ap.shape[1]:
            return np.zeros(len(ap), int), np.full(len(ap), math.nan), test
        return ap.argmax(1), ap.max(1), test

    def _ap(self, half: np.ndarray) -> np.ndarray:
        """(categories, objects) on half of the images."""
        # One matrix product counts all pairs of category and object at once.
        truth, shown = self.truth[half].astype(float), self.present[half].astype(float)
        ap = _ap_of_presence(truth.T @ shown, shown.sum(0)[None], truth.sum(0)[:, None], len(truth))
        return np.nan_to_num(ap, nan=0.0)

    def by_object(self, table: pd.DataFrame) -> pd.DataFrame:
        """How many categories count for each object, and its highest AP on the test half."""
        counts = table[table.reason == ""].object.value_counts()
        included = np.array([not reason for reason in self.excluded])
        ap = self._ap(self.test)[included]
        highest = ap.max(0) if len(ap) else np.full(len(self.objects), np.nan)
        found = pd.DataFrame({"object": self.objects, "ap": highest})
        found.insert(1, "categories", counts.reindex(self.objects, fill_value=0).to_numpy(int))
        truth = self.truth[:, included]
        found["accuracy"] = _presence_accuracy(truth, self.present, self.test)
        found["information"] = _presence_information(truth, self.present)
        order = found.assign(by=-found.categories, then=-found.ap).sort_values(["by", "then", "object"]).index
        return found.loc[order].reset_index(drop=True)


def _presence_accuracy(truth: np.ndarray, present: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Accuracy, on the test images, of guessing the category from an object's presence alone.

    The guess is the most frequent category of the other images with the object, or of those without it.

    truth: (images, categories) bool; present: (images, objects) bool; test: (images,) bool. Images of no
    category do not count. Returns (objects,); NaN where one of the halves is empty.

    >>> truth = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], bool)
    >>> _presence_accuracy(truth, truth[:, :1], np.array([0, 0, 1, 1], bool)).tolist()
    [1.0]
    """
    counted = truth.any(1)
    learn, judge = counted & ~test, counted & test
    if not learn.any() or not judge.any():
        return np.full(present.shape[1], math.nan)
    right = np.zeros(present.shape[1])
    for shown in (present, ~present):
        guess = (truth[learn].T.astype(float) @ shown[learn]).argmax(0)
        right += (truth[judge][:, guess] & shown[judge]).sum(0)
    return right / judge.sum()


def _presence_information(truth: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Mutual information of an object's presence and the category, in bits.

    Chance makes it too large, by about (categories - 1) / (2 n ln 2) bits for n images (Miller and Madow).
    This is taken off; what is left is at least 0. Arguments as for `_presence_accuracy`.

    >>> truth = np.array([[1, 0], [0, 1]] * 50, bool)
    >>> _presence_information(truth, np.stack([truth[:, 0], truth.any(1)], 1)).round(2).tolist()
    [0.99, 0.0]
    """
    counted = truth.any(1)
    truth, present, n = truth[counted], present[counted], int(counted.sum())
    if not n:
        return np.full(present.shape[1], math.nan)
    found = np.zeros(present.shape[1])
    share = truth.mean(0)[:, None]
    for shown in (present, ~present):
        both, alone = truth.T.astype(float) @ shown / n, shown.mean(0)[None]
        with np.errstate(divide="ignore", invalid="ignore"):
            found += np.nan_to_num(both * np.log2(both / (share * alone)), nan=0.0).sum(0)
    varies = present.any(0) & ~present.all(0)
    return np.where(varies, np.maximum(found - (truth.shape[1] - 1) / (2 * n * math.log(2)), 0.0), 0.0)


def _interval(
    truth: np.ndarray, shown: np.ndarray, rng: np.random.Generator, n_resamples: int
) -> tuple[float, float]:
    """95% bootstrap interval of a presence's AP.

    There are only four kinds of images (in the category or not, with the object or not), so their numbers are
    drawn from a multinomial distribution: the same bootstrap as drawing images, at a fraction of its cost.
    """
    n = len(truth)
    cells = [(truth & shown).sum(), (~truth & shown).sum(), (truth & ~shown).sum(), (~truth & ~shown).sum()]
    both, only, missed, _ = rng.multinomial(n, np.array(cells) / n, n_resamples).T
    ap = _ap_of_presence(both, both + only, both + missed, n)
    return middle(ap)
