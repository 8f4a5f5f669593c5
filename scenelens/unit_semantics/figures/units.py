"""Figure 6 of the paper: units with their labels, how well these fit, and the images behind them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scenelens.labels import names_text
from scenelens.sentences import number, percent
from scenelens.unit_semantics.evidence import _UnitEvidence
from scenelens.unit_semantics.sources import MEASURE_WORDS, LabelSet
from scenelens.workbook import HAIR, INK, SMALL, SOFT, WIDTH, Plate, dimmed, fit, network_color, show_tile

_GAP, _LINE = 0.06, 0.17  # inches between tiles, and from line to line
_BOLD_ROOM = 1.5  # inches of a line of bold text, which is wider


def _where_labelled(draw: Callable[..., Plate]) -> Callable[..., Plate]:
    """A figure of a label set; CannotAnswerError says why where the set is empty."""

    @functools.wraps(draw)
    def drawn(labels: LabelSet, *args: Any, **options: Any) -> Plate:
        labels.need()
        return draw(labels, *args, **options)

    return drawn


def _source_words(labels: LabelSet) -> str:
    """A caption's first words: where the labels come from."""
    if set(labels.labels.source) != {"automatic"}:
        return f"From {labels.name}. "
    measure = MEASURE_WORDS.get(labels.measure, labels.measure)
    return f"From {labels.name}, chosen by {measure}, without people. " + (
        f"Chosen from {labels.note} " if labels.note else ""
    )


@_where_labelled
def figure_6_units(labels: LabelSet, shown: Sequence[_UnitEvidence]) -> Plate:
    """Figure 6 of a live network: units with their automatic label and top images, lit where they are active.

    Parameters
    ----------
    labels : LabelSet
        Of `automatic_set`.
    shown : sequence of _UnitEvidence
        The units of one network, early layers first; of `collect_evidence`.

    Returns
    -------
    Plate
        The figure.
    """
    n_images = max(len(unit.images) for unit in shown)
    side = (WIDTH - 1.95 - _GAP * n_images) / n_images
    layers = len({unit.label.layer for unit in shown})
    height = len(shown) * (side + _GAP) + 0.14 * layers - 0.2
    title = f"What units are called: {shown[0].label.network} network"
    plate = Plate(title, height, _evidence_caption(labels, shown), photo=True)
    top = 0.0
    for k, unit in enumerate(shown):
        if k and unit.label.layer != shown[k - 1].label.layer:
            top += 0.14
        _unit_words(plate, unit.label, top, side)
        for column, one in enumerate(unit.images):
            axes = plate.tile_at(1.9 + column * (side + _GAP), top, side, side)
            show_tile(axes, dimmed(one.top.frame, one.mask), right=one.fits)
        top += side + _GAP
    return plate


def _unit_words(plate: Plate, row: Any, top: float, side: float) -> None:
    """Name, concept, type and measures of one unit, at the left of its line."""
    about = f"IoU {number(row.iou)}, fits {percent(row.precision)}"
    lines = [(f"{row.layer}:{row.unit}", SOFT, "normal"), (_names_line(row.names), INK, "bold"),
             (f"{row.type}, {row.images:,} images", INK, "normal"), (about, SOFT, "normal")]  # fmt: skip
    start = top + max(0.0, side - _LINE * len(lines)) / 2
    for k, (text, color, weight) in enumerate(lines):
        room = 1.78 if weight == "normal" else _BOLD_ROOM
        plate.words(0.08, start + _LINE * k, fit(text, room), size=SMALL, color=color, weight=weight)


def _names_line(names: Sequence[str]) -> str:
    """A unit's names as far as they fit into a line of bold text."""
    two, one = names_text(names, 2), names_text(names, 1)
    return two if fit(two, _BOLD_ROOM) == two else one


def _evidence_caption(labels: LabelSet, shown: Sequence[_UnitEvidence]) -> str:
    fitting, judged = sum(unit.fitting for unit in shown), sum(unit.judged for unit in shown)
    text = _source_words(labels) + (
        "For each layer the unit whose label fits best, and others down to the median. Lit: where the unit "
        "is active. "
    )
    if judged:
        text += (
            f"Check mark: more than half of the lit area lies on the concept ({fitting} of {judged}); cross: "
            "less. "
        )
    else:
        text += "These images are not annotated, so only your own eyes can say whether the concept fits. "
    return text + (
        "Several names: fewer than 95% of the halves of the images choose the same one. n images: those that "
        "show the concept. Fits: the share of its top annotated images that fit; both numbers are of images "
        "that did not choose the name. After Figure 6."
    )


@_where_labelled
def figure_6_answers(
    labels: LabelSet, dissected: LabelSet | None = None, network: str = "scene", n: int = 3, seed: int = 0
) -> Plate:
    """Figure 6 without its images: people's answers about random units of the deepest layer.

    On the left units with a mean precision of 75% and more, on the right units with less.

    Parameters
    ----------
    labels : LabelSet
        People's answers.
    dissected : LabelSet, optional
        Network Dissection's labels of the same units, shown below the answers.
    network : str, optional
        'scene' (default) or 'object'.
    n : int, optional
        Number of units on each side (default 3).
    seed : int, optional
        Seed of the random choice (default 0).

    Returns
    -------
    Plate
        The figure.
    """
    table = labels.of(network)
    mean = table.groupby("unit").precision.mean()
    rng = np.random.default_rng(seed)
    sides = [mean.index[mean >= labels.least], mean.index[mean < labels.least]]
    drawn = [np.sort(rng.choice(side, min(n, len(side)), replace=False)) for side in sides]
    other = dissected.of(network).set_index("unit") if dissected else None
    answers = int(table.groupby("unit").size().max())
    block = _LINE * (answers + (2 if other is not None else 1)) + 0.12
    caption = _source_words(labels) + (
        f"Each line is one person's answer: concept, type, and the share of the images that fit. On the left "
        f"units with a mean precision of at least {percent(labels.least)} ({len(sides[0])} of {len(mean)}), "
        f"on the right with less; {n} random ones of each. After Figure 6, whose images were not released."
    )  # fmt: skip
    layer = labels.deepest(network)
    title = f"What people called units of {layer}: {network} network"
    plate = Plate(title, block * max(map(len, drawn)), caption)
    for column, units in enumerate(drawn):
        for k, unit in enumerate(units):
            rows = table[table.unit == unit]
            label = None if other is None or unit not in other.index else other.loc[unit]
            _answers_block(plate, rows, label, 0.08 + 3.6 * column, k * block)
    return plate


def _answers_block(plate: Plate, rows: pd.DataFrame, label: Any, left: float, top: float) -> None:
    """One unit: its name, one line per answer with a bar for its precision, the automatic label below."""
    first = rows.iloc[0]
    name = f"{first.layer}:{first.unit}   mean {percent(rows.precision.mean())}"
    plate.words(left, top, name, size=SMALL, color=network_color(first.network), weight="bold")
    for k, row in enumerate(rows.itertuples(), start=1):
        y = top + _LINE * k
        plate.words(left, y, fit(str(row.concept), 1.25), size=SMALL)
        plate.words(left + 1.32, y, fit(row.type, 1.12), size=SMALL, color=SOFT)
        axes = plate.axes_at(left + 2.5, y + 0.03, 0.5, _LINE - 0.07)
        axes.barh([0, 0], [1, row.precision], height=1, color=[HAIR, network_color(first.network)])
        axes.set(xlim=(0, 1), ylim=(-0.5, 0.5), xticks=[], yticks=[])
        axes.set_axis_off()
        plate.words(left + 3.4, y, percent(row.precision), size=SMALL, ha="right")
    if label is not None:
        y = top + _LINE * (len(rows) + 1)
        text = f"Network Dissection: {label.concept} ({label.type}), IoU {number(label.iou)}"
        plate.words(left, y, fit(text, 3.4), size=SMALL, color=SOFT, style="italic")
