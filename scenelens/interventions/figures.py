"""What the loss of units costs: curves over their number, and each unit beside what its label is worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scenelens.interventions.effects import AblationEffects
from scenelens.interventions.tables import _no_label_points, _span
from scenelens.sentences import percent
from scenelens.workbook import HAIR, INK, SMALL, SOFT, Plate, fit, network_color

_WAYS = {"label": "chosen by label", "effect": "chosen by effect"}
_WHOSE = {"own": "of the image's category", "other": "of another category", "random": "at random"}
#: What a label is worth, and what it is compared with; in the order of the figure.
_MEASURES = {"iou": "IoU", "ap": "AP", "human": "people"}
_EFFECTS = {"own": "log-probability", "accuracy": "accuracy"}
_ROW = 0.2  # inches, a line of the forest


def ablation_figure(found: AblationEffects, curve: pd.DataFrame) -> Plate:
    """By how much accuracy falls with the number of units that are switched off.

    Parameters
    ----------
    found : AblationEffects
        Of `ablation_effects`.
    curve : pandas.DataFrame
        Of `ablation_curve`.

    Returns
    -------
    Plate
        The figure: a panel for each way in which units were chosen.
    """
    ways = [way for way in _WAYS if (curve.way == way).any()]
    title = f"What units of the {found.network} network's {found.layer} are for"
    plate = Plate(title, 3.05, _curve_caption(found, curve, ways))
    highest = max(0.1, np.nanmax(curve[["change", "high"]].to_numpy(float)))
    for k, way in enumerate(ways):
        left, width = 0.62 + 3.4 * k, 2.5
        part = curve[curve.way == way]
        plate.words(left, 0.0, f"units {_WAYS[way]}", weight="bold", size=SMALL)
        axes = plate.axes_at(left, 0.28, width, 2.25)
        _curves(axes, part, network_color(found.network))
        axes.set_ylim(min(-0.02, np.nanmin(curve.low.to_numpy(float))), 1.08 * highest)
        Plate.inner_ticks(axes)
        if k == 0:
            axes.set_ylabel("fall of the accuracy, points", size=SMALL, color=SOFT)
    _legend(plate, 0.62 + 3.4 * len(ways) - 0.45 if len(ways) < 2 else 4.15, 0.32, found, ways)
    return plate


def activation_figure(found: AblationEffects, curve: pd.DataFrame) -> Plate:
    """How often other images are called by a category's name when its units are set to a high response.

    Parameters
    ----------
    found : AblationEffects
        Of `ablation_effects`.
    curve : pandas.DataFrame
        Of `ablation_curve` with ``on=True``.

    Returns
    -------
    Plate
        The figure.
    """
    way = found.way
    caption = (
        f"The k units of a category, {_WAYS[way]}, or k units at random, respond everywhere as strongly as "
        f"they do at 0.5% of all positions. By how much the share rises of other categories' images that "
        f"get the category's name: mean over {_span(curve.n)} images and all categories that have k units "
        f"({_categories(curve)}); vertical lines: 95% intervals over images. {_of(found)}"
    )
    plate = Plate(f"Does the scene appear when {found.layer}'s units are switched on?", 2.75, caption)
    axes = plate.axes_at(0.62, 0.05, 3.4, 2.25)
    _curves(axes, curve, network_color(found.network))
    highest = 1.08 * max(0.1, np.nanmax(curve[["change", "high"]].to_numpy(float)))
    axes.set_ylim(min(-0.02, np.nanmin(curve.low.to_numpy(float))), highest)
    Plate.inner_ticks(axes)
    axes.set_ylabel("rise of the share, points", size=SMALL, color=SOFT)
    for k, whose in enumerate(("own", "random")):
        _mark(plate, 4.4, 0.2 + 0.24 * k, whose, network_color(found.network))
        text = "the category's units" if whose == "own" else "units at random"
        plate.words(4.6, 0.11 + 0.24 * k, text, size=SMALL)
    return plate


def _curves(axes: Axes, part: pd.DataFrame, color: str) -> None:
    """Mean and interval over the number of units, at even distances."""
    ks = sorted(part.k.unique())
    most = part.categories.max()
    for shift, (whose, style) in enumerate(_styles(color).items()):
        rows = part[(part.whose == whose) & part.change.notna()].sort_values("k")
        x = np.array([ks.index(k) for k in rows.k], float) + 0.07 * (shift - 1)
        axes.vlines(x, rows.low, rows.high, color=style["color"], lw=1.1)
        axes.plot(x, rows.change, lw=1.0, **style, marker="", zorder=1)
        for at, y, some in zip(x, rows.change, rows.categories, strict=True):
            face = style["color"] if some == most else "white"
            axes.plot(at, y, "o", ms=4.5, mfc=face, mec=style["color"], mew=1.1)
    axes.axhline(0, color=HAIR, lw=0.8, zorder=0)
    axes.set(xlim=(-0.35, len(ks) - 0.65), xticks=range(len(ks)))
    axes.set_xticklabels([str(k) for k in ks])
    axes.set_xlabel("units changed, k", size=SMALL, color=SOFT)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}".replace("-", "−"))


def _styles(color: str) -> dict[str, dict[str, str]]:
    return {
        "own": {"color": color, "ls": "-"},
        "other": {"color": SOFT, "ls": "--"},
        "random": {"color": INK, "ls": ":"},
    }


def _mark(plate: Plate, left: float, top: float, whose: str, color: str) -> None:
    style = _styles(color)[whose]
    axes = plate.axes_at(left, top - 0.05, 0.15, 0.1)
    axes.plot([0, 1], [0.5, 0.5], lw=1.2, **style)
    axes.plot(0.5, 0.5, "o", ms=4, color=style["color"])
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _legend(plate: Plate, left: float, top: float, found: AblationEffects, ways: list[str]) -> None:
    # In the left part of the last panel the curves are low.
    for k, (whose, text) in enumerate(_WHOSE.items()):
        _mark(plate, left, top + 0.09 + 0.2 * k, whose, network_color(found.network))
        plate.words(left + 0.2, top + 0.2 * k, fit(text, 1.6), size=SMALL)


def _curve_caption(found: AblationEffects, curve: pd.DataFrame, ways: list[str]) -> str:
    parts = [f"{_WAYS[way].removeprefix('chosen ')} {_categories(curve[curve.way == way])}" for way in ways]
    text = (
        f"By how much the accuracy of the whole network, {percent(found.right.mean())}, falls without k "
        f"units: mean over {_span(curve.n)} images that did not choose units; vertical lines: 95% intervals "
        "over images. "
        f"Categories that have k units: {'; '.join(parts)}; open where that is not all. {_of(found)}"
    )
    if found.why_no_labels:
        text += f" No units were chosen by their labels: {found.why_no_labels}."
    if found.why_whole:
        text += " Every pass was a whole one, of few images: the steps behind the layer are not followed."
    return text


def _categories(part: pd.DataFrame) -> str:
    """How many categories have k units: '24 (k = 1 to 4), 21 (8)'."""
    counts = part[part.whose == "own"].sort_values("k")[["k", "categories"]]
    groups: list[tuple[int, list[int]]] = []
    for row in counts.itertuples():
        if not groups or groups[-1][0] != row.categories:
            groups.append((int(row.categories), []))  # type: ignore[arg-type]
        groups[-1][1].append(int(row.k))  # type: ignore[arg-type]
    return ", ".join(
        f"{n} (k = {ks[0]})" if len(ks) == 1 else f"{n} (k = {ks[0]} to {ks[-1]})" for n, ks in groups
    )


def _of(found: AblationEffects) -> str:
    return f"{found.n_units} units of one network."


def effects_figure(found: AblationEffects, units: pd.DataFrame, correlations: pd.DataFrame) -> Plate:
    """Whether a better label means a larger effect: every unit as a point, and the correlations as lines.

    Parameters
    ----------
    found : AblationEffects
        Of `ablation_effects`.
    units : pandas.DataFrame
        Of `unit_effects`.
    correlations : pandas.DataFrame
        Of `effect_correlations`.

    Returns
    -------
    Plate
        The figure.

    Raises
    ------
    CannotAnswerError
        If no unit has a label.
    """
    known = units.dropna(subset=["iou", "own"])
    if known.empty:
        raise _no_label_points(found)
    shown = correlations[correlations.n > 0]
    rows = len(shown)
    plate = Plate("Does a better label mean a larger effect?", 2.75, _effects_caption(found, units, known))
    color = network_color(found.network)
    axes = plate.axes_at(0.62, 0.05, 2.75, 2.25)
    axes.axhline(0, color=HAIR, lw=0.8, zorder=0)
    axes.plot(known.iou, known.own, "o", ms=4, color=color, alpha=0.6, mew=0)
    axes.set_xlabel("IoU of the label", size=SMALL, color=SOFT)
    axes.set_ylabel("fall of the log-probability", size=SMALL, color=SOFT)
    axes.margins(0.05)
    Plate.inner_ticks(axes)
    forest = plate.axes_at(5.0, 0.28, 2.05, (rows + 0.5) * _ROW)
    forest.axvline(0, color=SOFT, lw=0.8)
    for k, row in enumerate(shown.itertuples()):
        y = rows - 1 - k
        plate.words(4.9, 0.28 + (k + 0.75) * _ROW, _line(row), size=SMALL, ha="right", va="center")
        if row.spearman != row.spearman:
            forest.text(0.04, y, fit(f"{row.n} units have it", 1.0), size=7, va="center", color=SOFT)
            continue
        forest.plot([row.low, row.high], [y, y], color=color, lw=1.1)
        forest.plot(row.spearman, y, "o", ms=4.5, color=color)
    forest.set(ylim=(-0.75, rows - 0.25), xlim=(-1.05, 1.05), yticks=[], xticks=[-1, 0, 1])
    forest.set_xticklabels(["−1", "0", "1"])
    plate.words(6.02, 0.0, "Spearman's correlation", size=SMALL, weight="bold", ha="center")
    return plate


def _line(row: object) -> str:
    return f"{_MEASURES[row.measure]}: {_EFFECTS[row.effect]}"  # type: ignore[attr-defined]


def _effects_caption(found: AblationEffects, units: pd.DataFrame, known: pd.DataFrame) -> str:
    named = units.human.notna().any()
    return (
        f"Each point is one of {len(known)} units of {found.layer} (of {len(units)}) whose label points to a "
        f"category. By how much the mean log-probability, or the accuracy, of this category falls without "
        f"the unit, over {_span(known.n)} images of each category that did not choose the label. Lines: "
        f"95% intervals over units, by shuffling. {'' if named else 'No person has named units here. '}One "
        "network."
    )
