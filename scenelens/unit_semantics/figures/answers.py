"""Figures 7 and 8 of the paper: how well units' names fit, how much they mean, and of which types they are.

Each is drawn from any `LabelSet`: the paper's released answers, a study's automatic labels, your own answers.
For an empty set the result is its sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from scenelens.intervals import layer_mean_interval
from scenelens.labels import GROUPS, UNIT, Rule, current
from scenelens.sentences import number, percent
from scenelens.unit_semantics.figures.units import _source_words, _where_labelled
from scenelens.unit_semantics.sources import MEASURE_WORDS, LabelSet
from scenelens.unit_semantics.tables import LEVEL_NAMES, level_counts, type_shares
from scenelens.workbook import BODY, HAIR, SMALL, SOFT, WIDTH, Plate, network_color

_PER_CENT = ([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100%"])

# ------------------------------------------------------------------------------------------------ Figure 7


@_where_labelled
def figure_7_precision(labels: LabelSet) -> Plate:
    """Figure 7a: mean precision of each layer's units, both networks.

    Parameters
    ----------
    labels : LabelSet
        Labels of one source.

    Returns
    -------
    Plate
        The figure.
    """
    table = _layer_precision(labels)
    caption = _source_words(labels) + (
        "Mean over a layer's units; where not all have a value, with its 95% interval. "
        f"Dashed: {percent(0.75)}, from which the paper counts a unit. "
    )
    if labels.measure != "precision":
        caption += "An image fits only if more than half of the active area lies on the concept. "
    if "precision_chosen" in labels.labels:
        caption += (
            "Only images count that did not choose the name: half of the images chooses, the other judges. "
        )
    plate = Plate("How precisely do names fit?", 2.55, caption + _numbered(table) + "After Figure 7 (a).")
    axes = plate.axes_at(0.55, 0.05, WIDTH - 0.55 - 1.25, 2.1)
    axes.axhline(0.75, color=SOFT, lw=1.0, ls=(0, (4, 3)), zorder=1)
    for shift, (_, rows) in zip(_beside(labels, 0.12), table.groupby("network", sort=False), strict=True):
        _line(axes, rows, "precision", shift)
    axes.set_ylim(0, 1)
    axes.set_yticks(*_PER_CENT)
    _layer_axis(plate, axes, table, (0.55, 2.22))
    _network_key(plate, labels.networks, WIDTH - 1.15, 0.1)
    counts = table.groupby("network", sort=False).n_units.sum()
    for k, n in enumerate(counts):
        style = {"size": SMALL, "color": SOFT}
        plate.words(WIDTH - 1.15, 0.27 + 0.42 * k, f"n = {n:,} units", **style)
    return plate


def _layer_precision(labels: LabelSet) -> pd.DataFrame:
    """Mean precision of the units of each layer (Figure 7a).

    The columns: network, depth (0 is the earliest layer), layer, n_units (that have answers), precision (mean
    over units of the mean over a unit's answers, 0..1), low, high (95% interval of the layer's mean). For
    automatic labels precision is the share of a unit's top images in which more than half of its active area
    lies on the concept: a stricter condition than people applied. It is counted on images that did not
    choose the concept.
    """
    judged = current(labels.labels).dropna(subset=["precision"])
    values = judged.groupby(UNIT, sort=False).precision.mean().groupby(["network", "layer"])
    groups = {key: group.to_numpy() for key, group in values}
    rows = []
    for network, depth, layer, units in labels.places():
        found = groups.get((network, layer), np.zeros(0))
        mean = float(found.mean()) if len(found) else np.nan
        rows.append((network, depth, layer, len(found), mean, *layer_mean_interval(found, units)))
    return pd.DataFrame(rows, columns=["network", "depth", "layer", "n_units", "precision", "low", "high"])


def _beside(labels: LabelSet, step: float) -> list[float]:
    """How far each network's points are moved sideways, so that they do not hide each other."""
    n = len(labels.networks)
    return [step * (k - (max(n, 2) - 1) / 2) for k in range(n)]


def _line(axes: Axes, rows: pd.DataFrame, value: str, shift: float, **style: Any) -> None:
    """One network's values over depth with their intervals."""
    color = network_color(str(rows["network"].iloc[0]))
    y = rows[value].to_numpy(float)
    bars = np.nan_to_num([y - rows["low"].to_numpy(float), rows["high"].to_numpy(float) - y]).clip(0)
    style = {"lw": 1.6, "elinewidth": 1.0, "marker": "o", "ms": 4, "clip_on": False} | style
    axes.errorbar(rows["depth"].to_numpy(float) + shift, y, yerr=bars, color=color, **style)


def _layer_names(table: pd.DataFrame) -> list[str] | None:
    """The layers' names from early to deep where all networks share them, else None."""
    names = table.groupby("network", sort=False).layer.agg(lambda one: tuple(dict.fromkeys(one)))
    return list(names.iloc[0]) if names.nunique() == 1 else None


def _numbered(table: pd.DataFrame) -> str:
    """Where the networks' layers differ: which layer a number below an axis stands for."""
    if _layer_names(table) is not None:
        return ""
    lists = {
        str(name): list(dict.fromkeys(rows.layer)) for name, rows in table.groupby("network", sort=False)
    }
    parts = [f"{name} network: " + ", ".join(f"{k} {one}" for k, one in enumerate(layers, 1))
             for name, layers in lists.items()]  # fmt: skip
    return f"Layers: {'; '.join(parts)}. "


def _layer_axis(plate: Plate, axes: Axes, table: pd.DataFrame, at: tuple[float, float] | None) -> None:
    """A tick per depth, a light grid, and, at `at` (left, top in inches), the layers' names or numbers."""
    depths = int(table["depth"].max()) + 1
    axes.set(xlim=(-0.4, depths - 0.6), xticks=range(depths))
    axes.set_xticklabels([])
    axes.yaxis.grid(True, color=HAIR, lw=0.5)
    axes.set_axisbelow(True)
    if at is None:
        return
    names = _layer_names(table) or [str(k + 1) for k in range(depths)]
    step = axes.get_position().width * plate.get_size_inches()[0] / (depths - 0.2)
    for k, name in enumerate(names):
        short = Plate.layer_name(name, 0.8 * step)  # the last layer lies 0.4 steps from the page's edge
        plate.words(at[0] + step * (k + 0.4), at[1], short, size=SMALL, ha="center")


def _network_key(plate: Plate, networks: Sequence[str], left: float, top: float) -> None:
    for k, network in enumerate(networks):
        style = {"color": network_color(network), "weight": "bold", "size": BODY}
        plate.words(left, top + 0.42 * k, f"{network} network"[:16], **style)


@_where_labelled
def figure_7_levels(labels: LabelSet, rule: str | Rule = "majority", threshold: float | None = None) -> Plate:
    """Figure 7b and c: the share of each layer's units that have low, mid and high meaning.

    Parameters
    ----------
    labels : LabelSet
        Labels of one source.
    rule : str or callable, optional
        How several answers become one, see `level_counts` (default 'majority').
    threshold : float, optional
        How well a label has to fit to count (default the set's own).

    Returns
    -------
    Plate
        The figure.
    """
    table = level_counts(labels, rule, threshold)
    least = labels.least if threshold is None else threshold
    how = percent(least) if labels.measure == "precision" else number(least)
    said = f"{MEASURE_WORDS.get(labels.measure, labels.measure)} at least {how}"
    caption = _source_words(labels) + _rule_words(labels, rule) + (
        f"Full bars: units that count ({said}), as a share of all; their number stands above. Pale "
        "bars: all that would count without that threshold. Low: simple elements; mid: textures, surfaces, "
        "parts; high: objects, scenes. "
    )  # fmt: skip
    height = 1.45
    n = len(labels.networks)
    plate = Plate("Units of low, mid and high meaning", n * (height + 0.55) - 0.1,
                  caption + _numbered(table) + "After Figure 7 (b, c).")  # fmt: skip
    highest = max(0.05, float((table["named"] / table["of"]).max()), float(table["share"].max()))
    for k, (network, rows) in enumerate(table.groupby("network", sort=False)):
        top = k * (height + 0.55) + 0.2
        style = {"weight": "bold", "color": network_color(str(network)), "size": BODY}
        plate.words(0.55, top - 0.22, f"{network} network", **style)
        axes = plate.axes_at(0.55, top, WIDTH - 0.65, height)
        _level_bars(axes, rows, str(network))
        axes.set_ylim(0, min(1.0, 1.12 * highest))
        ticks = np.arange(0, 1.01, 0.25 if highest > 0.6 else 0.1)
        axes.set_yticks([t for t in ticks if t <= axes.get_ylim()[1]])
        axes.set_yticklabels([f"{100 * t:.0f}%" for t in axes.get_yticks()])
        _layer_axis(plate, axes, rows if _layer_names(table) else table, (0.55, top + height + 0.06))
    _level_key(plate)
    return plate


def _rule_words(labels: LabelSet, rule: str | Rule) -> str:
    """Which rule, where a unit has several answers."""
    if labels.labels.annotator.nunique() < 2:
        return ""
    return f"Rule: {rule if isinstance(rule, str) else getattr(rule, '__name__', 'your own')}. "


def _shade(network: str, level: str, pale: bool = False) -> tuple[float, float, float]:
    """A level's colour: the network's, lighter for lower meaning; pale nearly white."""
    strength = (0.4, 0.7, 1.0)[LEVEL_NAMES.index(level)] * (0.22 if pale else 1.0)
    return tuple(1 - strength * (1 - channel) for channel in to_rgb(network_color(network)))  # type: ignore[return-value]


def _level_bars(axes: Axes, rows: pd.DataFrame, network: str) -> None:
    for k, level in enumerate(LEVEL_NAMES):
        part = rows[rows["level"] == level]
        x = part["depth"].to_numpy(float) + 0.26 * (k - 1)
        share = part["share"].to_numpy(float)
        pale = part["named"].to_numpy(float) / part["of"].to_numpy(float)
        axes.bar(x, pale, 0.23, color=_shade(network, level, pale=True), zorder=2)
        axes.bar(x, share, 0.23, color=_shade(network, level), zorder=3)
        for place, high, n in zip(x, np.maximum(share, pale), part["n"], strict=True):
            axes.annotate(f"{n}", (place, high), (0, 1.5), textcoords="offset points", ha="center", size=7)


def _level_key(plate: Plate) -> None:
    left = 2.2
    for level in LEVEL_NAMES:
        axes = plate.axes_at(left, 0.02, 0.12, 0.1)
        axes.set(facecolor=_shade("untrained", level), xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)
        plate.words(left + 0.17, 0.0, f"{level} meaning", size=SMALL)
        left += 1.25


# ------------------------------------------------------------------------------------------------ Figure 8


@_where_labelled
def figure_8_types(labels: LabelSet, rule: str | Rule | None = None, threshold: float | None = None) -> Plate:
    """Figure 8: how often each of the six semantic types occurs in each layer, both networks.

    Parameters
    ----------
    labels : LabelSet
        Labels of one source.
    rule : str or callable, optional
        How several answers become one, see `type_shares`. None (default) counts every answer, whatever its
        precision, as the released `layerAverageCount` does.
    threshold : float, optional
        How well a label has to fit to count (default the set's own); not used without a rule.

    Returns
    -------
    Plate
        The figure.
    """
    table = type_shares(labels, rule, threshold)
    what = "a layer's labels" if rule is None else "a layer's units"
    if rule is None and labels.labels.annotator.nunique() > 1:
        what = "all answers about a layer (whatever their precision)"
    caption = _source_words(labels) + (_rule_words(labels, rule) if rule is not None else "") + (
        f"Each panel: the share of {what} that are of one type, early layers at the left. All are counted: "
        "there is no interval. "
    )  # fmt: skip
    width, height = (WIDTH - 0.15) / 3, 1.2
    names = _layer_names(table)
    names = names and [Plate.layer_name(one, 0.9) for one in names]
    foot = max(0.52, 0.1 + max(map(Plate.text_width, names))) if names else 0.25
    title = "Six kinds of meaning, layer by layer"
    plate = Plate(title, 2 * (height + 0.32) + foot + 0.15, caption + _numbered(table) + "After Figure 8.")
    highest = min(1.0, 1.05 * max(0.05, float(table["share"].max())))
    for k, (group, kind) in enumerate(GROUPS.items()):
        left, top = 0.08 + (k % 3) * width + 0.4, 0.42 + (k // 3) * (height + 0.32)
        plate.words(left - 0.3, top - 0.2, group, size=SMALL, weight="bold")
        axes = plate.axes_at(left, top, width - 0.5, height)
        if kind in labels.lacking:
            axes.text(0.5, 0.5, "none to choose from", transform=axes.transAxes, ha="center", size=SMALL)
        for shift, network in zip(_beside(labels, 0.16), labels.networks, strict=True):
            rows = table[(table["type"] == kind) & (table["network"] == network)]
            if kind not in labels.lacking:
                _line(axes, rows, "share", shift, lw=1.3, ms=3, elinewidth=0.8)
        axes.set_ylim(0, highest)
        axes.set_yticks([t for t in np.arange(0, 1.01, 0.2 if highest > 0.45 else 0.1) if t <= highest])
        axes.set_yticklabels([f"{100 * t:.0f}%" for t in axes.get_yticks()])
        _small_layers(axes, table, names, last=k > 2)
    for k, network in enumerate(labels.networks):
        style = {"color": network_color(network), "weight": "bold", "size": BODY}
        plate.words(0.18 + 1.35 * k, 0.0, f"{network} network", **style)
    return plate


def _small_layers(axes: Axes, table: pd.DataFrame, names: list[str] | None, last: bool) -> None:
    depths = int(table["depth"].max()) + 1
    axes.set(xlim=(-0.4, depths - 0.6), xticks=range(depths))
    labels = names or [str(k + 1) for k in range(depths)]
    axes.set_xticklabels(labels if last else [], rotation=90 if names else 0)
    axes.yaxis.grid(True, color=HAIR, lw=0.5)
    axes.set_axisbelow(True)
