"""What switching units off shows, in sentences: what differs first, with n and interval."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenelens.interventions.effects import AblationEffects
from scenelens.interventions.tables import _no_label_points, _span, effect_correlations
from scenelens.sentences import Sentences, difference_text, named, percent

_HOW = {"label": "by label", "effect": "by effect"}
_MEASURES = {"iou": "the IoU", "ap": "the AP", "human": "people's precision"}


def describe_ablation(found: AblationEffects, curve: pd.DataFrame, k: int = 4) -> Sentences:
    """What a category loses without k units: its own, random ones, those of other categories.

    Parameters
    ----------
    found : AblationEffects
        Of `ablation_effects`.
    curve : pandas.DataFrame
        Of `ablation_curve`.
    k : int, optional
        The number of units (default 4; where that was not measured, the nearest below it).

    Returns
    -------
    Sentences
        A list in Markdown.
    """
    lines = []
    for way in ("label", "effect"):
        part = curve[curve.way == way]
        if part.empty:
            continue
        at = max([one for one in part.k.unique() if one <= k], default=part.k.min())
        own, other, random = (part[(part.k == at) & (part.whose == whose)].iloc[0] for whose in _ROWS)
        said = difference_text(
            own.change, random.change, (own.more_low, own.more_high), _names(int(at)), int(own.n),
            more="more costly", narrow=0.02,
        )  # fmt: skip
        lines.append(
            f"**{_counted(int(at))}, chosen {_HOW[way]}**: {said}. The units of another category cost an "
            f"image's own {_points(other.change)}."
        )
    if found.why_no_labels:
        lines.append(f"No units were chosen by their labels: {found.why_no_labels}.")
    lines.append(_singles(found))
    lines.append(
        "These are the units of one network. The intervals are over images, and say nothing of other "
        "trainings."
    )
    return Sentences("\n".join(f"- {line}" for line in lines))


_ROWS = ("own", "other", "random")


def _names(k: int) -> tuple[str, str]:
    one = "one unit" if k == 1 else f"{k} units"
    return f"losing {one} of its own category", f"losing {one} at random"


def _counted(k: int) -> str:
    return "One unit" if k == 1 else f"{k} units"


def _points(share: float) -> str:
    points = round(100 * share, 1) or 0.0  # a fall that rounds to nothing has no sign
    return f"{points:.1f} points".replace("-", "−")


def _singles(found: AblationEffects) -> str:
    """What single units cost: some class much, all classes together hardly anything (the claim of 2018)?"""
    rows = found.rows("single").index
    lost = found.right.astype(float) - found.right_of[rows]
    classes = found.images["class"].to_numpy()
    by_class = np.stack([lost[:, classes == number].mean(1) for number in np.unique(classes)], 1)
    return (
        f"**One unit alone**, each of all {found.n_units}: the accuracy over all {lost.shape[1]:,} images "
        f"falls by {_points(float(np.median(lost.mean(1))))} (median over the units; at most "
        f"{_points(float(lost.mean(1).max()))}), that of the category that loses most by "
        f"{_points(float(np.median(by_class.max(1))))} (median; at most {_points(float(by_class.max()))}, of "
        f"{_span(np.unique(classes, return_counts=True)[1])} images each, so a part of these is chance)."
    )


def describe_activation(found: AblationEffects, curve: pd.DataFrame) -> Sentences:
    """Whether images are called by a category's name when its units are set to a high response.

    Parameters
    ----------
    found : AblationEffects
        Of `ablation_effects`.
    curve : pandas.DataFrame
        Of `ablation_curve` with ``on=True``.

    Returns
    -------
    Sentences
        A sentence or two.
    """
    k = curve.k[curve.whose == "own"].max()
    own, random = (curve[(curve.k == k) & (curve.whose == whose)].iloc[0] for whose in ("own", "random"))
    units = "one unit" if k == 1 else f"{k} units"
    said = difference_text(
        own.change, random.change, (own.more_low, own.more_high),
        (f"switching on {units} of a category", f"switching on {units} at random"), int(own.n),
        more="more effective", narrow=0.02,
    )  # fmt: skip
    return Sentences(
        f"With {units}: the share of other categories' images that get the category's name changes by "
        f"{_points(own.change)}, over {int(own.n):,} images; {said}."
    )


def describe_unit_effects(found: AblationEffects, units: pd.DataFrame) -> Sentences:
    """Which measure of a label goes with what the unit does, unit by unit.

    Parameters
    ----------
    found : AblationEffects
        Of `ablation_effects`.
    units : pandas.DataFrame
        Of `unit_effects`.

    Returns
    -------
    Sentences
        A list in Markdown.

    Raises
    ------
    CannotAnswerError
        If no unit has a label.
    """
    if units.dropna(subset=["iou", "own"]).empty:
        raise _no_label_points(found)
    table = effect_correlations(units)
    lines = []
    for row in table[table.effect == "own"].itertuples():
        what = _MEASURES[str(row.measure)]
        if row.spearman != row.spearman:
            if row.measure != "human" or row.n:
                lines.append(
                    f"{what[0].upper()}{what[1:]}: {row.n} units have one, too few for a correlation."
                )
            continue
        goes = "shows no connection with"
        if not row.low <= 0 <= row.high:
            goes = "goes with" if row.low > 0 else "goes against"
        lines.append(
            f"**{what[0].upper()}{what[1:]}** {goes} the effect: Spearman's r = {_signed(row.spearman)} (95% "
            f"interval {_signed(row.low)} to {_signed(row.high)}, n = {row.n} units)."
        )
    best = units.dropna(subset=["own"]).sort_values("own", ascending=False).head(1)
    for row in best.itertuples():
        lines.append(
            f"Of all units whose label points to a category, unit {row.unit} ({named(row.object)}) matters "
            f"most to its own: without it the accuracy of {named(row.category)} falls by "
            f"{_points(row.accuracy)} (n = {row.n} images)."
        )
    same = units[units.category != ""]
    if len(same):
        agree = (same.category == same.most_of).mean()
        lines.append(
            f"The category that loses most without a unit is the one that its label points to for "
            f"{percent(agree)} of {len(same)} units; by chance it would be about "
            f"{percent(1 / max(1, found.images['class'].nunique()))}."
        )
    return Sentences("\n".join(f"- {line}" for line in lines))


def _signed(value: float) -> str:
    return f"{value + 0.0:.2f}".replace("-", "−")
