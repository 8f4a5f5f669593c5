"""Figure 6 of the paper: units with their names, how well these fit, and the images that drove them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scenelens.minimal_images import RIGHT, WRONG
from scenelens.sentences import Sentences, number, percent
from scenelens.studies import Study
from scenelens.unit_semantics.evidence import Evidence, agreeing, choose_units, evidence
from scenelens.unit_semantics.sources import LabelSet
from scenelens.workbook import HAIR, INK, SMALL, SOFT, WIDTH, Plate, dimmed, fit, network_color, show_tile

_GAP, _LINE = 0.06, 0.17  # inches between tiles, and from line to line

#: How a measure is spoken of.
SPOKEN = {
    "iou": "IoU",
    "ap": "average precision",
    "share_of_ceiling": "share of the highest possible IoU",
    "above_chance": "coverage above chance",
}


def or_why(draw: Callable[..., Plate]) -> Callable[..., Plate | Sentences]:
    """A figure of a label set, or the sentence that says why the set is empty."""

    @functools.wraps(draw)
    def drawn(labels: LabelSet, *args: Any, **options: Any) -> Plate | Sentences:
        return draw(labels, *args, **options) if labels else Sentences(labels.missing)

    return drawn


def source_words(labels: LabelSet) -> str:
    """A caption's first words: where the labels come from."""
    if set(labels.labels.source) != {"automatic"}:
        return f"From {labels.name}. "
    measure = SPOKEN.get(labels.measure, labels.measure)
    return f"From {labels.name}, chosen by {measure}: no person said any of it. " + (
        f"To choose from: {labels.note} " if labels.note else ""
    )


@or_why
def figure_6_units(
    labels: LabelSet, study: Study, network: str = "scene", n_units: int = 2, n_images: int = 6
) -> Plate:
    """Figure 6 of a live network: units of every layer with their automatic label, and their top images in
    full light where the unit is active.

    Parameters
    ----------
    labels : of `automatic_set`.
    n_units : of each layer, from the best by the set's measure down to the median.
    """
    tables = [labels.of(network, layer) for layer in labels.layers(network)]
    chosen = [choose_units(table, labels.measure, n_units) for table in tables]
    lines = [[(row, evidence(study, row, n_images)) for row in rows.itertuples()] for rows in chosen]
    side = (WIDTH - 1.95 - _GAP * n_images) / n_images
    height = sum(map(len, lines)) * (side + _GAP) + 0.14 * len(lines) - 0.2
    caption = _evidence_caption(labels, [shown for layer in lines for _, shown in layer])
    plate = Plate(f"What units are called: {network} network", height, caption, photo=True)
    top = 0.0
    for layer in lines:
        for row, shown in layer:
            _unit_words(plate, row, top, side)
            for k, one in enumerate(shown):
                color = None if one.fits is None else (RIGHT if one.fits else WRONG)
                axes = plate.axes_at(1.9 + k * (side + _GAP), top, side, side)
                show_tile(axes, dimmed(one.top.frame, one.mask), frame=color)
            top += side + _GAP
        top += 0.14
    return plate


def _unit_words(plate: Plate, row: Any, top: float, side: float) -> None:
    """Name, concept, type and measures of one unit, at the left of its line."""
    about = f"IoU {number(row.iou)}, fits {percent(row.precision)}"
    lines = [(f"{row.layer}:{row.unit}", SOFT, "normal"), (str(row.concept), INK, "bold"),
             (row.type, INK, "normal"), (about, SOFT, "normal")]  # fmt: skip
    start = top + max(0.0, side - _LINE * len(lines)) / 2
    for k, (text, color, weight) in enumerate(lines):
        room = 1.78 if weight == "normal" else 1.5  # bold is wider
        plate.words(0.08, start + _LINE * k, fit(text, room), size=SMALL, color=color, weight=weight)


def _evidence_caption(labels: LabelSet, shown: Sequence[Sequence[Evidence]]) -> str:
    fitting, judged = np.sum([agreeing(line) for line in shown], axis=0)
    text = source_words(labels) + (
        "Of each layer the unit whose label fits best, and others down to the median. In full light: "
        "where the unit is active. "
    )
    if judged:
        text += (
            f"Green frames: more than half of that lies on the concept ({fitting} of {judged}); red: less. "
        )
    else:
        text += "These images are not annotated: whether the concept fits, you have to see for yourself. "
    return text + "Fits: the share of its top annotated images that fit. After Figure 6."


@or_why
def figure_6_answers(
    labels: LabelSet, dissected: LabelSet | None = None, network: str = "scene", n: int = 3, seed: int = 0
) -> Plate:
    """Figure 6 without its images: what people said of units of the deepest layer, drawn by lot among those
    with a mean precision of 75% and more (left) and below (right).

    Parameters
    ----------
    dissected : Network Dissection's labels of the same units, set under the answers.
    n : units on each side.
    """
    table = labels.of(network)
    mean = table.groupby("unit").precision.mean()
    rng = np.random.default_rng(seed)
    sides = [mean.index[mean >= labels.least], mean.index[mean < labels.least]]
    drawn = [np.sort(rng.choice(side, min(n, len(side)), replace=False)) for side in sides]
    other = dissected.of(network).set_index("unit") if dissected else None
    answers = int(table.groupby("unit").size().max())
    block = _LINE * (answers + (2 if other is not None else 1)) + 0.12
    caption = source_words(labels) + (
        f"Each line is one person's answer: concept, type, and the share of the images that fit. On the left "
        f"units with a mean precision of at least {percent(labels.least)} ({len(sides[0])} of {len(mean)}), "
        f"on the right with less; {n} of each drawn by lot. After Figure 6, whose images were not released."
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
    """One unit: its name, an answer a line with a bar for its precision, the automatic label below."""
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
