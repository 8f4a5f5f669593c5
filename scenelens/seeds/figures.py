"""Figures of several trainings: thin for every network, thick for the study's own pair."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from scenelens.paper import CONTROL, PAIR
from scenelens.seeds.spread import _find_measure, _Measure, _one_training, _own_values, _seed_values
from scenelens.seeds.tables import SeedTables, read_seeds
from scenelens.sentences import percent
from scenelens.studies import Study
from scenelens.workbook import BODY, HAIR, INK, SMALL, SOFT, WIDTH, Plate, network_color

_LEFT, _RIGHT = 0.62, 1.6  # inches beside the axes: the scale, the networks' names
_KINDS = (*PAIR, CONTROL)


def figure_seeds(
    measure: str, study: Study, own: pd.DataFrame | None = None, tables: SeedTables | None = None
) -> Plate:
    """Draw one measure of all networks that were trained, and of the embedded study's own pair.

    Parameters
    ----------
    measure : str
        See `describe_seeds`.
    study : Study
        The study of the notebook.
    own : pandas.DataFrame, optional
        The notebook's table of the measure. It is drawn where the study is the embedded one.
    tables : SeedTables, optional
        What was measured (default: the tables that come with the package).

    Returns
    -------
    Plate
        The figure: a thin line for each network over the layers, or a small ring for each network where the
        measure is of a whole network; the study's own are thick.

    Raises
    ------
    SceneLensError
        If there is no such measure; CannotAnswerError if the tables are missing.
    """
    tables = tables or read_seeds()
    how = _find_measure(measure)
    values, mine = _seed_values(tables, measure), _own_values(tables, measure, study, own)
    chance = getattr(tables, how.table)[how.chance].mean() if how.chance else math.nan
    draw = _points if how.table == "networks" else _lines
    return draw(how, values, mine, chance)


def _caption(values: pd.DataFrame, mine: pd.DataFrame, mark: str, chance: float) -> str:
    counts = values.groupby("network", sort=False).seed.nunique()
    listed = ", ".join(f"{counts[kind]} {kind}" for kind in _KINDS if kind in counts.index)
    text = f"{mark}: networks of SceneWorld, each from a random start of its own ({listed})."
    if len(mine):
        text += " Thick: this study's own networks, which are wider and were trained for longer."
    return text if math.isnan(chance) else f"{text} Dashed: chance, {percent(chance)}."


def _lines(how: _Measure, values: pd.DataFrame, mine: pd.DataFrame, chance: float) -> Plate:
    layers = values.drop_duplicates("layer").sort_values("depth").layer.tolist()
    plate = Plate(_title(how.text), 3.0, _caption(values, mine, "Thin lines", chance))
    axes = plate.axes_at(_LEFT, 0.05, WIDTH - _LEFT - _RIGHT, 2.65)
    for (kind, _), rows in values.groupby(["network", "seed"], sort=False):
        x = [layers.index(layer) for layer in rows.layer]
        axes.plot(x, rows.value, color=network_color(str(kind)), lw=0.9, alpha=0.75, zorder=3, clip_on=False)
    for kind, rows in mine[mine.layer.isin(layers)].groupby("network", sort=False):
        x = [layers.index(layer) for layer in rows.layer]
        style = {"color": network_color(str(kind)), "lw": 2.4, "marker": "o", "ms": 5.5, "mec": "white"}
        axes.plot(x, rows.value, **style, zorder=4, clip_on=False)
    if not math.isnan(chance):
        axes.axhline(chance, color=SOFT, lw=1.0, ls=(0, (4, 3)), zorder=1)
    axes.set(xlim=(-0.2, len(layers) - 0.9))
    axes.set_xticks(range(len(layers)), layers)
    _scale(axes, how.unit)
    last = values[values.layer == layers[-1]] if layers else values
    _names(axes, last.groupby("network", sort=False).value.mean())
    return plate


def _points(how: _Measure, values: pd.DataFrame, mine: pd.DataFrame, chance: float) -> Plate:
    kinds = [kind for kind in _KINDS if kind in set(values.network) | set(mine.network)]
    height = 0.42 * max(1, len(kinds))
    plate = Plate(_title(how.text), height + 0.32, _caption(values, mine, "Rings", chance))
    axes = plate.axes_at(_RIGHT, 0.02, WIDTH - _RIGHT - 0.35, height)
    for place, kind in enumerate(kinds):
        own = values[values.network == kind].sort_values("seed").value.to_numpy()
        # Networks with equal values must all be seen, so each seed has its own height.
        heights = place + np.linspace(-0.22, 0.22, len(own)) if len(own) > 1 else np.full(len(own), place)
        axes.scatter(own, heights, s=26, facecolors="none", edgecolors=network_color(kind), linewidths=1.3)
        own = mine[mine.network == kind].value.to_numpy()
        style = {"s": 80, "color": network_color(kind), "edgecolors": "white", "zorder": 4}
        axes.scatter(own, np.full(len(own), place), **style)
    if not math.isnan(chance):
        axes.axvline(chance, color=SOFT, lw=1.0, ls=(0, (4, 3)), zorder=1)
    axes.set(ylim=(len(kinds) - 0.45, -0.5))
    axes.set_yticks(range(len(kinds)), [f"{kind} networks" for kind in kinds])
    _scale(axes, how.unit, axis="x")
    return plate


def _title(text: str) -> str:
    return f"Several trainings: {text}"


def _scale(axes: Axes, unit: str, axis: str = "y") -> None:
    """Per cent, pixels or plain numbers; shares and sizes from 0."""
    line = axes.yaxis if axis == "y" else axes.xaxis
    limits, values = (axes.set_ylim, axes.get_ylim()) if axis == "y" else (axes.set_xlim, axes.get_xlim())
    if unit != "r":
        limits(0, max(values[1], 0.05 if unit == "share" else 1.0))
    if unit == "share":
        line.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))  # a tick at 2.5% would be called 2%
        line.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    if unit == "pixels":
        line.set_major_formatter(lambda value, _: f"{value:.0f} px")
    if unit == "r":
        line.set_major_formatter(lambda value, _: f"{value:+.1f}")
        (axes.axvline if axis == "x" else axes.axhline)(0, color=SOFT, lw=0.9, ls=(0, (4, 3)), zorder=1)
    Plate.inner_ticks(axes, axis)
    line.grid(True, color=HAIR, lw=0.5)
    axes.set_axisbelow(True)


def _names(axes: Axes, ends: pd.Series) -> None:
    """The kinds' names next to the ends of their lines, pushed apart where they are close."""
    low, high = axes.get_ylim()
    gap, heights = 0.085 * (high - low), list[float]()
    for value in ends.sort_values():
        heights.append(max(float(value), heights[-1] + gap if heights else low))
    over = max(0.0, heights[-1] - high) if heights else 0.0
    for kind, height in zip(ends.sort_values().index, heights, strict=True):
        place = {"xy": (1, height - over), "xycoords": ("axes fraction", "data"), "xytext": (8, 0)}
        style = {"color": network_color(str(kind)), "weight": "bold", "size": BODY, "va": "center"}
        axes.annotate(f"{kind} networks", **place, textcoords="offset points", **style)


_PANELS = (
    ("right", "images", "right answers"),
    ("detectors", "units", "units that detect an object"),
    ("ap", "", "mean AP of best units"),
    ("boxes_right", "boxes", "right boxes"),
)


def figure_seen(tables: SeedTables | None = None) -> Plate:
    """Draw when they appear: accuracy, detectors, AP and right boxes of networks in training.

    Parameters
    ----------
    tables : SeedTables, optional
        What was measured (default: the tables that come with the package).

    Returns
    -------
    Plate
        The figure: four panels over the number of pictures seen; dashed is what chance gives.

    Raises
    ------
    CannotAnswerError
        If the tables are missing.
    """
    seen = (tables or read_seeds()).seen
    points = seen.groupby("network", sort=False).seen.nunique()
    listed = ", ".join(f"{kind}: {n} points" for kind, n in points.items()) or "nothing was measured"
    caption = (
        f"{_one_training(seen)}, measured on the way ({listed}). To the right: pictures seen, on a "
        "logarithmic scale. Dashed: mean AP of units that respond at random."
    )
    width, height = (WIDTH - _LEFT - 0.15 - 0.75) / 2, 1.45
    plate = Plate("When do they appear?", 2 * height + 1.2, caption)
    for k, (over, under, text) in enumerate(_PANELS):
        left, top = _LEFT + (k % 2) * (width + 0.75), 0.28 + (k // 2) * (height + 0.62)
        axes = plate.axes_at(left, top, width, height)
        plate.words(left, top - 0.08, text, size=BODY, color=INK, va="bottom")
        _seen_panel(axes, seen, over, under)
    return plate


def _seen_panel(axes: Axes, seen: pd.DataFrame, over: str, under: str) -> None:
    for kind, rows in seen.sort_values("seen").groupby("network", sort=False):
        value = rows[over] / rows[under] if under else rows[over]
        color = network_color(str(kind))
        axes.plot(rows.seen, value, color=color, lw=1.8, marker="o", ms=4, label=f"{kind} network")
        if over == "ap":
            axes.plot(rows.seen, rows.ap_chance, color=color, lw=1.0, ls=(0, (4, 3)))
    if len(seen):
        axes.set_xscale("log", base=2)
        points = sorted({int(n) for n in seen.seen})
        ticks = points[:: -(len(points) // 5 + 1)][::-1]  # the last one, and at most four before it
        axes.set_xticks(ticks, [f"{n / 1000:.0f},000" if n >= 1000 else str(n) for n in ticks])
        axes.minorticks_off()
    _scale(axes, "share")
    if over == "right" and len(seen):
        axes.legend(frameon=False, fontsize=SMALL, loc="lower right")
