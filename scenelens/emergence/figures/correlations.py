"""What the number of units per object goes with (section 4.1): objects as points, correlations as lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from scenelens import paper
from scenelens.emergence.study_emergence import Emergence
from scenelens.emergence.tables import READINGS
from scenelens.workbook import INK, SMALL, SOFT, WIDTH, Plate, fit, network_color

_ROW = 0.17  # inches, a line of a chart


def correlation_points(found: Emergence, network: str = "", names: int = 7) -> Plate:
    """Every object as a point: how many units detect it, by its frequency and by its informativeness.

    Parameters
    ----------
    found : Emergence
        Of `measure_emergence`.
    network : str, optional
        The network's name in the study (default its main one, see `StudyNetworks.main`).
    names : int, optional
        Number of objects that are named in each panel, those with most units first (default 7).

    Returns
    -------
    Plate
        The figure.
    """
    network = network or found.study.networks.main
    rows = found.correlated(network).query("measure == 'pearson'")
    plate = Plate(f"What the {network} network's detectors go with", 2.95, _points_caption(found, rows))
    for k, against in enumerate(("frequency", "informativeness")):
        row = rows[rows.against == against].iloc[0]
        left = 0.5 + 3.5 * k
        axes = plate.axes_at(left, 0.42, 3.05, 2.05)
        plate.words(left, 0.0, against, weight="bold")
        quoted = f"; the paper: {row.paper:.2f}" if row.paper == row.paper else ""
        plate.words(left, 0.19, _r_words(row) + quoted, size=SMALL, color=SOFT)
        axes.set(xticks=[], yticks=[])
        if found.table[against].notna().all():
            _points(axes, found.table, f"units_{network}", against, network_color(network), names)
        axes.set_xlabel("instances" if k == 0 else "scene categories", size=SMALL, color=SOFT)
        axes.set_ylabel("units" if k == 0 else "", size=SMALL, color=SOFT)
    return plate


def _r_words(row: Any) -> str:
    if row.reason:
        return "no correlation, see below"
    between = f"{_signed(row.low)} to {_signed(row.high)}" if row.low == row.low else "no interval"
    return f"r = {_signed(row.r)} ({between})"


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")  # no minus before zero


def _points(axes: Axes, table: pd.DataFrame, units: str, against: str, color: str, names: int) -> None:
    rng = np.random.default_rng(0)
    x, y = table[against].to_numpy(float), table[units].to_numpy(float)
    spread = rng.uniform(-0.13, 0.13, len(x)) if x.max() < 10 else 0.0
    axes.plot(x + spread, y, "o", ms=4, color=color, alpha=0.6, mew=0, clip_on=False)
    axes.set(ylim=(-0.04 * max(1, y.max()), 1.1 * max(1, y.max())))
    axes.set_xlim(-0.03 * max(1, x.max()) - (0.2 if x.max() < 10 else 0), 1.25 * max(1, x.max()))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    Plate.inner_ticks(axes)
    _names(axes, table.object.tolist(), x + spread, y, names)


def _names(axes: Axes, objects: list[str], x: np.ndarray, y: np.ndarray, most: int) -> None:
    """Name the points with most units, right or left of them, as far as there is room for the names."""
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    width, height = (length / axes.figure.dpi for length in axes.get_window_extent().size)
    across, up = (x - x0) / (x1 - x0) * width, (y - y0) / (y1 - y0) * height
    taken: list[tuple[float, float, float]] = []
    for k in np.lexsort((-x, -y)):
        wide = Plate.text_width(objects[k], 7.5) + 0.04
        for left, side in ((across[k] + 0.05, "left"), (across[k] - 0.05 - wide, "right")):
            if len(taken) >= most or y[k] == 0 or not _room(k, left, wide, across, up, taken, width):
                continue
            taken.append((left, left + wide, up[k]))
            shift = 3.5 if side == "left" else -3.5
            axes.annotate(
                objects[k], (x[k], y[k]), (shift, 0), textcoords="offset points",
                size=7.5, va="center", ha=side, color=INK,
            )  # fmt: skip
            break


def _room(
    k: int, left: float, wide: float, across: np.ndarray, up: np.ndarray, taken: list, width: float
) -> bool:
    """Whether a name lies inside of the axes, on no other name and on no other point; all in inches."""
    if left < 0 or left + wide > width + 0.1:
        return False
    if any(abs(up[k] - high) < 0.14 and left < b and a < left + wide for a, b, high in taken):
        return False
    under = (np.abs(up - up[k]) < 0.09) & (across > left - 0.03) & (across < left + wide + 0.03)
    return not np.delete(under, k).any()


def _points_caption(found: Emergence, rows: pd.DataFrame) -> str:
    n = int(rows.n.iloc[0]) if len(rows) else 0
    reasons = [f"{row.against}: {row.reason}" for row in rows.itertuples() if row.reason]
    text = (
        f"Each point is one of {n} {found.which}, including those that no unit detects. Pearson's "
        "correlation with its 95% interval over objects. "
    )
    if reasons:
        text += "There is no correlation with " + "; ".join(dict.fromkeys(reasons[:1])) + ". "
    if found.informative is not None and found.table["informativeness"].max() < 10:
        text += "Points at whole numbers are moved a little sideways, so that they do not hide each other."
    return text


def correlation_bars(found: Emergence, readings: bool = False) -> Plate:
    """All correlations with their intervals, together with the paper's.

    Both networks, all objects or only the detected ones, Pearson and Spearman. Or all readings of the paper's
    informativeness.

    Parameters
    ----------
    found : Emergence
        Of `measure_emergence`.
    readings : bool, optional
        Whether the readings are shown (default False), over all objects and by Pearson.

    Returns
    -------
    Plate
        The figure.
    """
    if (found.correlations.reason != "").all():
        found.correlated()  # raises: there is nothing to draw
    if readings:
        return _readings(found)
    groups = [(network, objects) for network in found.networks for objects in ("all", "detected")]
    block = 3 * 2 * _ROW + 0.42
    rows = -(-len(groups) // 2)
    ends = found.correlations[["low", "high"]].abs().max(axis=None)
    reach = max(1.2, ends + 0.1 if ends == ends else 0.0)
    plate = Plate("Frequent, or informative?", rows * block + 0.05, _forest_caption(found))
    for k, (network, objects) in enumerate(groups):
        part = found.correlations.query("network == @network and objects == @objects")
        left, top = 0.08 + (k % 2) * 3.62, (k // 2) * block
        n = int(part.n.iloc[0])
        text = "all objects" if objects == "all" else "only those it detects"
        plate.words(left, top, f"{network} network", weight="bold", color=network_color(network))
        plate.words(left + 3.4, top + 0.01, f"{text}, n = {n}", size=SMALL, color=SOFT, ha="right")
        axes = plate.axes_at(left + 1.2, top + 0.2, 2.2, 6 * _ROW)
        _forest(plate, axes, part, (left, top + 0.2), network_color(network))
        axes.set(xlim=(-reach, reach), xticks=[-1, 0, 1])
        axes.set_xticklabels([] if k // 2 < rows - 1 else ["−1", "0", "1"])
    return plate


def _readings(found: Emergence) -> Plate:
    """The correlation with informativeness by each reading of the paper's words, and with frequency."""
    rows = len(READINGS) + 1
    height = rows * 2 * _ROW
    plate = Plate("Informative, by which reading?", height + 0.55, _readings_caption(found))
    width = (WIDTH - 2.5) / len(found.networks) - 0.15
    for k, network in enumerate(found.networks):
        part = found.readings[found.readings.network == network]
        left = 2.35 + k * (width + 0.15)
        words = f"{network} network, n = {part.n.iloc[0]}"
        plate.words(left, 0.0, words, size=SMALL, weight="bold", color=network_color(network))
        axes = plate.axes_at(left, 0.25, width, height)
        _reading_lines(axes, part, network_color(network))
    for k, text in enumerate(["frequency", *READINGS.values()]):
        plate.words(2.25, 0.25 + (2 * k + 1) * _ROW, text, size=SMALL, ha="right", va="center")
    return plate


def _reading_lines(axes: Axes, part: pd.DataFrame, color: str) -> None:
    """One correlation in each row, frequency first."""
    axes.axvline(0, color=SOFT, lw=0.8)
    first = part[part.against == "frequency"].head(1)
    shown = [first, *(part[part.against == reading] for reading in READINGS)]
    for k, rows in enumerate(shown):
        row, y = rows.iloc[0], len(shown) - 1 - k
        if row.reason:
            axes.text(0.03, y, fit(row.reason, 2.0), size=6.5, va="center", color=SOFT)
            continue
        axes.plot([row.low, row.high], [y, y], color=color, lw=1.1)
        axes.plot(row.r, y, "o", ms=4.5, color=color)
        if row.paper == row.paper:
            axes.plot(row.paper, y, "D", ms=6.5, mfc="none", mec=INK, mew=1.1, zorder=1)
        axes.text(row.r, y + 0.2, _signed(row.r), size=6.5, ha="center", va="bottom", color=SOFT)
    axes.set(ylim=(-0.5, len(shown) - 0.3), xlim=(-1.1, 1.1), yticks=[], xticks=[-1, 0, 1])
    axes.set_xticklabels(["−1", "0", "1"])


def _readings_caption(found: Emergence) -> str:
    quoted = " and ".join(f"{value:.2f}" for value in paper.EMERGENCE_CORRELATION.values())
    return (
        f"Pearson's correlation, over {found.which}, of the number of units with frequency and with "
        "informativeness by four measures; lines: 95% intervals. Open diamonds: the paper's "
        f"scene network, {quoted}; its words do not fix the measure."
    )


def _forest(plate: Plate, axes: Axes, part: pd.DataFrame, corner: tuple[float, float], color: str) -> None:
    order = ["frequency", "informativeness", "difference"]
    axes.axvline(0, color=SOFT, lw=0.8)
    for row in part.itertuples():
        k = 2 * order.index(row.against) + (row.measure == "spearman")
        y = 5 - k
        if row.reason:
            words = fit(row.reason, 2.5)
            axes.text(
                0.02, (y + 0.6) / 6.2, words, transform=axes.transAxes, size=6.5, va="center", color=SOFT
            )
            continue
        face = color if row.measure == "pearson" else "white"
        axes.plot([row.low, row.high], [y, y], color=color, lw=1.1, clip_on=True)
        axes.plot(row.r, y, "o", ms=4.5, mfc=face, mec=color, mew=1.1)
        if row.paper == row.paper:
            axes.plot(row.paper, y, "D", ms=6.5, mfc="none", mec=INK, mew=1.1, zorder=1)
    axes.set(ylim=(-0.6, 5.6), yticks=[])
    for k, name in enumerate(order):
        plate.words(
            corner[0] + 1.12, corner[1] + (2 * k + 1) * _ROW, name, size=SMALL, ha="right", va="center"
        )


def _forest_caption(found: Emergence) -> str:
    quoted = " and ".join(f"{value:.2f}" for value in paper.EMERGENCE_CORRELATION.values())
    return (
        f"Correlation, over {found.which}, of the number of units with frequency and with informativeness, "
        "and the second less the first. Filled: Pearson; open: Spearman; lines: 95% intervals over "
        f"objects. Open diamonds: the paper's scene network, {quoted}."
    )
