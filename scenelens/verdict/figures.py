"""The overview: the paper's numbers and ours, side by side, wherever both are numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from scenelens.errors import CannotAnswerError
from scenelens.sentences import one_line
from scenelens.verdict.claims import DEPENDS, DIFFERS, HOLDS, PIXELS, PLAIN, SHARE, UNTESTED
from scenelens.verdict.verdicts import Verdicts
from scenelens.workbook import HAIR, INK, SMALL, SOFT, Plate

_ROW = 0.2  # inches
_LEFT, _WIDE = 2.95, 4.1
#: The colours of verdicts; those of the cards, which also have a mark.
_TONES = {DIFFERS: "#b8430a", DEPENDS: "#8a5a9c", HOLDS: "#00694e", UNTESTED: "#6b7075"}
_SHAPES = {DIFFERS: "s", DEPENDS: "^", HOLDS: "o", UNTESTED: "D"}  # so that colour is not needed
_AXES = {SHARE: "share, per cent", PLAIN: "correlation, AP or exponent", PIXELS: "pixels"}


def paper_and_ours(verdicts: Verdicts) -> Plate:
    """Draw the paper's numbers and ours with their intervals, a panel for each unit.

    Parameters
    ----------
    verdicts : Verdicts
        Of `judge_claims`.

    Returns
    -------
    Plate
        The figure.

    Raises
    ------
    CannotAnswerError
        If no claim has a number of the paper and one of the study.
    """
    table = verdicts.numbers.dropna(subset=["paper", "ours"])
    if table.empty:
        raise CannotAnswerError(
            "no claim of the paper has a number here that stands beside the paper's, so there is nothing "
            "to draw."
        )
    panels = [(unit, table[table.unit == unit]) for unit in _AXES if (table.unit == unit).any()]
    body = sum(_ROW * len(rows) + 0.62 for _, rows in panels) + 0.3
    claims = table.place.nunique()
    plate = Plate(
        "The paper's numbers and ours",
        body,
        f"Black rings: the paper, or a later study. Filled marks: this study, with lines for 95% intervals "
        f"where there is one. {len(table)} numbers of {claims} claims; the number before a name is the "
        "claim's. Each mark rests on the networks, images and units that its card names.",
    )
    _legend(plate, [one for one in _TONES if one in set(table.verdict)])
    top = 0.3
    for unit, rows in panels:
        height = _ROW * len(rows)
        _draw(plate.axes_at(_LEFT, top, _WIDE, height), rows.reset_index(drop=True), unit)
        top += height + 0.62
    return plate


def _legend(plate: Plate, verdicts: list[str]) -> None:
    """Which mark is which verdict, in one line above the panels."""
    axes = plate.axes_at(0.1, 0.02, _LEFT + _WIDE - 0.1, 0.18)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
    axes.axis("off")
    axes.plot([0.01], [0.5], "o", markersize=7.5, markeredgewidth=1.3, color=INK, mfc="none")
    axes.text(0.028, 0.5, "the paper;   here:", fontsize=SMALL, color=INK, va="center")
    left = 0.22
    for verdict in verdicts:
        axes.plot([left], [0.5], _SHAPES[verdict], color=_TONES[verdict], markersize=5)
        axes.text(left + 0.018, 0.5, verdict, fontsize=SMALL, color=INK, va="center")
        left += 0.05 + 0.0112 * len(verdict)


def _draw(axes: Axes, rows: pd.DataFrame, unit: str) -> None:
    scale = 100 if unit == SHARE else 1
    for place, row in rows.iterrows():
        tone = _TONES[row.verdict]
        if row.low == row.low and row.high == row.high:
            axes.plot([scale * row.low, scale * row.high], [place, place], "-", color=tone, linewidth=1.4)
        axes.plot([scale * row.ours], [place], _SHAPES[row.verdict], color=tone, markersize=5)
        axes.plot(
            [scale * row.paper], [place], "o", markersize=7.5, markeredgewidth=1.3, color=INK, mfc="none"
        )
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows.itertuples()], fontsize=SMALL, color=INK)
    axes.set(ylim=(len(rows) - 0.4, -0.6))
    axes.set_xlabel(_AXES[unit], fontsize=SMALL, color=SOFT)
    axes.grid(axis="x", color=HAIR, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    if unit == SHARE:
        axes.set(xlim=(-3, 103))
    Plate.inner_ticks(axes, "x")
    if unit != SHARE and (rows[["paper", "ours", "low"]].min(axis=None)) < 0:
        axes.axvline(0, color=SOFT, linewidth=0.7)


def _label(row: Any) -> str:
    name = one_line(row.what, 44)
    return f"{row.place}  {name}"
