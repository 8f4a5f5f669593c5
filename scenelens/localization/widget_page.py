"""What the widget that reads a picture draws on its page: boxes with their names, and scores as bars."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
from PIL import ImageDraw, ImageFont

from scenelens.localization.figures import BOX_COLORS, Spot, room_for
from scenelens.sentences import percent, words
from scenelens.workbook import INK, SOFT

SIDE, SCORES = 440, 370  # pixels: the picture, and the width of the scores beside it


def draw_boxes(draw: ImageDraw.ImageDraw, boxes: pd.DataFrame, frame: tuple[int, int], chosen: int) -> None:
    """Boxes in their colours, the one looked at thicker, with number and name where there is room."""
    scale = SIDE / np.array(frame, float)
    scaled = boxes.assign(
        top=boxes.top * scale[0],
        bottom=boxes.bottom * scale[0],
        left=boxes.left * scale[1],
        right=boxes.right * scale[1],
    )
    rows, taken = list(scaled.itertuples()), list[Spot]()
    for k, row in list(enumerate(rows))[::-1]:
        thick = 6 if k == chosen else 3
        edges = (row.left, row.top, min(row.right, SIDE - 1), min(row.bottom, SIDE - 1))
        draw.rectangle(edges, outline="black", width=thick + 2)
        draw.rectangle(
            [edges[0] + 1, edges[1] + 1, edges[2] - 1, edges[3] - 1], outline=color(k), width=thick
        )
    for k, row in enumerate(rows):
        name = f"{k + 1} {words(row.concept)}"
        size = (draw.textlength(name, font=font(15)) + 8, 20.0)
        x, y = room_for(row, size, (SIDE, SIDE), taken)
        taken.append((x, y, *size))
        draw.rectangle((x, y, x + size[0], y + size[1]), fill=color(k), outline="black")
        draw.text((x + 4, y + size[1] / 2), name, fill="black", font=font(15), anchor="lm")


def draw_scores(draw: ImageDraw.ImageDraw, scene: pd.DataFrame) -> None:
    """The most probable scenes as bars, to the right of the picture."""
    left, width = SIDE + 24, SCORES - 24
    draw.text((left, 6), "the scene, by its scores", fill=INK, font=font(17))
    for row in scene.itertuples():
        y = 44 + 56 * (row.rank - 1)
        draw.text((left, y), words(row.predicted), fill=INK, font=font(16))
        draw.text((left + width, y), percent(row.probability), fill=SOFT, font=font(16), anchor="ra")
        draw.rectangle((left, y + 24, left + width - 1, y + 33), fill="#eef0f2")
        draw.rectangle((left, y + 24, left + (width - 1) * row.probability, y + 33), fill="#0072b2")


def color(k: int) -> str:
    """The colour of the k-th box.

    >>> color(0)
    '#f0e442'
    """
    return BOX_COLORS[k % len(BOX_COLORS)]


@functools.cache
def font(size: int) -> Any:
    """The font in which pictures carry words, at a size in pixels."""
    return ImageFont.load_default(size)
