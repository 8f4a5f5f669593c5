"""What the changed networks say, as tables: by number of units, by category, and unit by unit.

All intervals are over the images that judge. The same images judge every network, so differences are paired.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from scenelens.errors import CannotAnswerError
from scenelens.intervals import bca_interval, correlation_interval, paired_difference_interval
from scenelens.interventions.effects import AblationEffects
from scenelens.labels import unit_types

#: Whose units are switched off, seen from an image: those of its own category, and so on.
WHOSE = ("own", "other", "random")
_MEASURES = {"iou": "IoU", "ap": "AP", "human": "people's precision"}
_EFFECTS = {"own": "log-probability, own category", "accuracy": "accuracy, own category"}


def ablation_curve(found: AblationEffects, on: bool = False) -> pd.DataFrame:
    """By how much accuracy falls with the number of units that are switched off.

    Parameters
    ----------
    found : AblationEffects
        Of `ablation_effects`.
    on : bool, optional
        Whether units are set to their high response instead. Then the rise is counted of the share of the
        images of *other* categories that are called by the category's name (default False).

    Returns
    -------
    pandas.DataFrame
        One row for each way to choose units, each number of them, and each of `WHOSE`: ``way`` ('label' or
        'effect'; where units are set on, only the one of `AblationEffects.way`), ``k``, ``whose`` ('own':
        those of the image's category; 'other': those of another one, the mean over all others; 'random': the
        mean over the draws), ``n`` (images), ``categories``, ``change`` (-1..1, of the accuracy: by how much
        it falls) with its 95% interval ``low``, ``high``; ``more`` (by how much more than by random units,
        NaN for these) with ``more_low``, ``more_high``; of 'own' also ``apart`` (by how much more than by
        units of another category) with ``apart_low``, ``apart_high``. Only images of categories that have k
        units count.
        Where units are set on, there is no row 'other', an image counts with the mean over all other
        categories that have k units, and these are counted.
    """
    rows = []
    for way in ("label", "effect"):
        values = _turned_on(found, way) if on else _switched_off(found, way)
        for k, of in values.items():
            some = [{"way": way, "k": k, "whose": whose} | _row(found, of, whose) for whose in of]
            if on:  # every image is one of another category, and it is the targets that are counted
                runs = found.rows(way, on=True)
                some = [row | {"categories": int((runs.k == k).sum())} for row in some]
            rows += some
    return pd.DataFrame(rows, columns=_CURVE)


_CURVE = [
    "way", "k", "whose", "n", "categories", "change", "low", "high", "more", "more_low", "more_high", "apart",
    "apart_low", "apart_high",
]  # fmt: skip


def _row(found: AblationEffects, of: dict[str, np.ndarray], whose: str) -> dict[str, Any]:
    """The mean over images with its interval, and its difference to random units."""
    value, random = of[whose], of["random"]
    known = ~np.isnan(value)
    row: dict[str, Any] = {"n": int(known.sum()), "categories": found.images["class"][known].nunique()}
    if not known.any():
        return row
    row["change"] = float(value[known].mean())
    row["low"], row["high"] = bca_interval(value[known])
    if whose != "random":
        row["more"] = float((value - random)[known].mean())
        row["more_low"], row["more_high"] = paired_difference_interval(value, random)
    if whose == "own" and "other" in of and not np.isnan(of["other"][known]).all():
        row["apart"] = float(np.nanmean(value - of["other"]))
        row["apart_low"], row["apart_high"] = paired_difference_interval(value, of["other"])
    return row


def _switched_off(found: AblationEffects, way: str) -> dict[int, dict[str, np.ndarray]]:
    """k -> whose units -> (images,) by how much the image's being right fell; NaN where nothing is known."""
    classes, right = found.images["class"].to_numpy(), found.right.astype(float)
    values = {}
    for k, runs in found.rows(way).groupby("k"):
        lost = right - found.right_of[runs.index]  # (categories, images)
        own = runs["class"].to_numpy()[:, None] == classes
        has = own.any(0)
        others = (~own).sum(0)
        with np.errstate(invalid="ignore"):
            by_others = np.where(own, 0, lost).sum(0) / np.where(others > 0, others, np.nan)
        by_random = right - found.right_of[_random(found, int(k), False)].mean(0)  # type: ignore[call-overload]
        values[int(k)] = {  # type: ignore[call-overload]
            "own": np.where(has, np.where(own, lost, 0).sum(0), np.nan),
            "other": np.where(has, by_others, np.nan),
            "random": np.where(has, by_random, np.nan),
        }
    return values


def _turned_on(found: AblationEffects, way: str) -> dict[int, dict[str, np.ndarray]]:
    """k -> (images,) the rise of the share of other categories whose name the image is given."""
    classes = found.images["class"].to_numpy()
    values = {}
    for k, runs in found.rows(way, on=True).groupby("k"):
        targets = runs["class"].to_numpy()[:, None]  # (categories, 1)
        other = targets != classes
        before = found.named == targets
        drawn = found.named_of[_random(found, int(k), True)]  # type: ignore[call-overload]
        by_random = (drawn[:, None] == targets).mean(0) - before
        risen = (found.named_of[runs.index] == targets).astype(float) - before
        n = np.where(other.any(0), other.sum(0), np.nan)
        values[int(k)] = {  # type: ignore[call-overload]
            "own": np.where(other, risen, 0).sum(0) / n,
            "random": np.where(other, by_random, 0).sum(0) / n,
        }
    return values


def _random(found: AblationEffects, k: int, on: bool) -> np.ndarray:
    rows = found.rows("random", on)
    return rows.index[rows.k == k].to_numpy()


def balanced_accuracies(found: AblationEffects, k: int = 20, way: str = "effect") -> pd.DataFrame:
    """How well the images of a category are told from all others, with and without its own k units.

    Parameters
    ----------
    found : AblationEffects
        Of `ablation_effects`.
    k : int, optional
        How many units are switched off (default 20).
    way : str, optional
        How units were chosen, 'label' or 'effect' (default 'effect').

    Returns
    -------
    pandas.DataFrame
        One row per category that has k units: ``category``, ``n`` (its images), ``others`` (all other
        images), ``before`` and ``after`` (balanced accuracies, 0.5 by chance), and ``rest`` (by how much the
        accuracy of all other images falls).

    Notes
    -----
    Bau et al. (2020) test each class in this way. The balanced accuracy is the mean of the share of the
    category's images that get its name, and of the share of all other images that do not.
    """
    classes, rows = found.images["class"].to_numpy(), []
    runs = found.rows(way)
    for place, run in runs[runs.k == k].iterrows():
        own = classes == run["class"]
        if not own.any() or own.all():
            continue
        before, after = (
            (named[own] == run["class"]).mean() / 2 + (named[~own] != run["class"]).mean() / 2
            for named in (found.named, found.named_of[place])
        )
        rest = (found.right[~own].astype(float) - found.right_of[place][~own]).mean()
        rows.append((found.classes[run["class"]], int(own.sum()), int((~own).sum()), before, after, rest))
    return pd.DataFrame(rows, columns=["category", "n", "others", "before", "after", "rest"])


def ablation_by_category(found: AblationEffects, k: int = 4, way: str = "") -> pd.DataFrame:
    """What each category loses without its own k units.

    Parameters
    ----------
    found : AblationEffects
        Of `ablation_effects`.
    k : int, optional
        How many units are switched off (default 4).
    way : str, optional
        How units were chosen, 'label' or 'effect' (default: by label where that is possible).

    Returns
    -------
    pandas.DataFrame
        One row per category that has k units, the one that loses most first: ``category``, ``n`` (images),
        ``accuracy`` (of the network as it is), ``left`` (without the units), ``change`` (the fall) with its
        95% interval ``low``, ``high``, ``others`` (the fall for all other images), ``objects`` (that the
        units are named after) and ``units``.
    """
    classes, right, way = found.images["class"].to_numpy(), found.right.astype(float), way or found.way
    runs, rows = found.rows(way), []
    ranks = found.ranks[way]
    for place, run in runs[runs.k == k].iterrows():
        own = classes == run["class"]
        if not own.any():
            continue
        lost = right - found.right_of[place]
        low, high = bca_interval(lost[own])
        best = ranks[(ranks["class"] == run["class"]) & (ranks["rank"] <= k)].sort_values("rank")
        named = [name for name in dict.fromkeys(best.object) if name]
        rows.append(
            {
                "category": found.classes[run["class"]],
                "n": int(own.sum()),
                "accuracy": right[own].mean(),
                "left": right[own].mean() - lost[own].mean(),
                "change": lost[own].mean(),
                "low": low,
                "high": high,
                "others": lost[~own].mean() if (~own).any() else np.nan,
                "objects": ", ".join(named),
                "units": ", ".join(map(str, best.unit)),
            }
        )
    table = pd.DataFrame(rows, columns=_BY_CATEGORY)
    table.attrs["units"] = {"left": "share", "change": "points", "others": "points"}
    return table.sort_values("change", ascending=False, kind="stable").reset_index(drop=True)


_BY_CATEGORY = [
    "category", "n", "accuracy", "left", "change", "low", "high", "others", "objects", "units",
]  # fmt: skip


def unit_effects(found: AblationEffects) -> pd.DataFrame:
    """What it costs to lose each unit alone, beside what its label is worth.

    Parameters
    ----------
    found : AblationEffects
        Of `ablation_effects`, with units that have labels.

    Returns
    -------
    pandas.DataFrame
        One row per unit: ``unit``; ``category`` (that its label points to: the one for which it ranks highest
        by label, '' without one) and ``object``; ``n`` (images of that category); ``own`` and ``accuracy``
        (by how much the mean log-probability of the category, and its accuracy, fall without the unit; NaN
        without a category); ``most`` (the largest fall of any category's log-probability) and ``most_of``
        (which); ``all`` (the fall of the accuracy over all images); ``iou``, ``ap`` (of the label, on other
        images than chose it) and ``human`` (people's precision), NaN where they are not known.
    """
    singles = found.rows("single")
    classes = found.images["class"].to_numpy()
    fell = found.logp - found.logp_of[singles.index]
    lost = found.right.astype(float) - found.right_of[singles.index]
    present = np.unique(classes)
    by_class = np.stack([fell[:, classes == number].mean(1) for number in present], 1)
    names = np.array([found.classes[number] for number in present])
    table = pd.DataFrame({"unit": singles.draw.to_numpy()})
    table["most"], table["most_of"] = by_class.max(1), names[by_class.argmax(1)]
    table["all"] = lost.mean(1)
    pointed = found.ranks["label"]
    pointed = pointed[pointed["class"].isin(present)]
    best = pointed.sort_values("score", ascending=False).drop_duplicates("unit").set_index("unit")
    own = table.unit.map(best["class"]) if len(best) else pd.Series(np.nan, table.index)
    table["category"] = ["" if number != number else found.classes[int(number)] for number in own]
    table["object"] = table.unit.map(best.object).fillna("") if len(best) else ""
    masks = [classes == number for number in own]
    table["n"] = [int(mask.sum()) for mask in masks]
    for name, values in (("own", fell), ("accuracy", lost)):
        table[name] = [values[k, m].mean() if m.any() else np.nan for k, m in enumerate(masks)]
    return table.join(_meanings(found).reindex(table.unit).reset_index(drop=True))[_UNIT_COLUMNS]


_UNIT_COLUMNS = [
    "unit", "category", "object", "n", "own", "accuracy", "most", "most_of", "all", "iou", "ap", "human",
]  # fmt: skip


def _meanings(found: AblationEffects) -> pd.DataFrame:
    """unit -> ``iou`` and ``ap`` of its label, ``human`` precision."""
    labels = found.names.set_index("unit")[["iou", "ap"]].astype(float)
    people = found.study.answers.labels()
    people = (
        people[(people.network == found.network) & (people.layer == found.layer)] if len(people) else people
    )
    human = pd.Series(dtype=float)
    if len(people):
        human = unit_types(people, "majority", 0.0).groupby("unit").precision.max()
    every = labels.reindex(range(found.n_units))
    return every.assign(human=human.reindex(every.index).to_numpy(float))


def _no_label_points(found: AblationEffects) -> CannotAnswerError:
    """Why labels and effects cannot be compared, for raising."""
    why = found.why_no_labels or "no image of these categories judges"
    return CannotAnswerError(f"no label of a unit points to a category that it could be for: {why}.")


def _span(counts: pd.Series | np.ndarray) -> str:
    """From the fewest to the most of some counts that are not 0.

    >>> _span(np.array([0, 25, 1000])), _span(np.array([25, 25]))
    ('25 to 1,000', '25')
    """
    few, most = int(counts[counts > 0].min()), int(counts.max())
    return f"{most:,}" if few == most else f"{few:,} to {most:,}"


def effect_correlations(units: pd.DataFrame) -> pd.DataFrame:
    """Whether a better label means a larger effect, unit by unit.

    Parameters
    ----------
    units : pandas.DataFrame
        Of `unit_effects`.

    Returns
    -------
    pandas.DataFrame
        One row for each measure of a label and each effect: ``measure`` ('iou', 'ap', 'human'), ``effect``
        ('own': the fall of the log-probability of the label's category; 'accuracy'), ``n`` (units),
        ``spearman`` with its 95% interval ``low``, ``high`` and ``p`` (of no correlation, by shuffling); NaN
        for fewer than three units.
    """
    rows = []
    for measure in _MEASURES:
        for effect in _EFFECTS:
            pairs = units[[measure, effect]].astype(float).dropna()
            low, high, p = correlation_interval(pairs[measure], pairs[effect], method="spearman")
            r = pairs[measure].corr(pairs[effect], method="spearman") if len(pairs) > 2 else np.nan
            rows.append(
                {
                    "measure": measure,
                    "effect": effect,
                    "n": len(pairs),
                    "spearman": r,
                    "low": low,
                    "high": high,
                    "p": p,
                }
            )
    return pd.DataFrame(rows)
