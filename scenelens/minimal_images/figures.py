"""Figures of section 3.1: how segments go, what is left (Figure 2), and which objects scenes keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from skimage.segmentation import find_boundaries

from scenelens.errors import SceneLensError
from scenelens.minimal_images.cut_image import CutImage
from scenelens.minimal_images.regions import Regions
from scenelens.minimal_images.retention_search import Retention
from scenelens.minimal_images.search import MinimalImage
from scenelens.minimal_images.sentences import beside_paper
from scenelens.sentences import words
from scenelens.workbook import BODY, HAIR, INK, SMALL, SOFT, WIDTH, Plate, fit, network_color, show_tile

_GAP, _LABEL = 0.08, 0.36  # inches between tiles, for two lines under one
RIGHT, WRONG = "#2e7d32", "#b3261e"


def outlined(frame: np.ndarray, regions: Regions) -> np.ndarray:
    """A frame with its segments' borders drawn on it, uint8 RGB."""
    picture = frame.copy()
    picture[find_boundaries(regions.labels, mode="inner")] = (255, 255, 255)
    return picture


def segmentations(frame: np.ndarray, ways: dict[str, Regions]) -> Plate:
    """One image and the ways to cut it, side by side.

    Parameters
    ----------
    frame : uint8 RGB (H, W, 3). ways : a few words to `Regions` of the frame.
    """
    words = ["the image", *(f"{name}: {len(one)} segments" for name, one in ways.items())]
    pictures = [frame, *(outlined(frame, one) for one in ways.values())]
    side = min(2.3, (WIDTH - 0.16 - 2 * _GAP) / max(3, len(pictures)))
    caption = "White lines are the borders between segments. A segment owns the gradients of its pixels."
    plate = Plate("Two ways to cut an image", side + 0.22, caption, photo=True)
    for k, (picture, text) in enumerate(zip(pictures, words, strict=True)):
        left = 0.08 + k * (side + _GAP)
        show_tile(plate.axes_at(left, 0, side, side), picture)
        plate.words(left + side / 2, side + 0.04, text, size=SMALL, ha="center")
    return plate


def removal(cut: CutImage, found: MinimalImage, columns: int = 5) -> Plate:
    """The search for one minimal image: pictures along the way, and the score at every step.

    Parameters
    ----------
    cut, found : the image in segments, and its search.
    columns : how many pictures.

    Returns
    -------
    Plate; a green frame means recognised, a red one that another class won.
    """
    steps = found.steps
    chosen = np.unique(np.linspace(0, len(steps) - 1, columns).round().astype(int))
    if len(steps) > 1 and len(steps) - 2 not in chosen:  # the minimal image itself is always among them
        chosen = np.unique([*chosen[:-2], len(steps) - 2, len(steps) - 1])
    side = (WIDTH - 0.16 - _GAP * (columns - 1)) / columns
    title = f"Removing what matters least: {words(found.target)}"
    plate = Plate(title, side + _LABEL + 2.0, _removal_caption(found), photo=True)
    for k, step in enumerate(chosen):
        left = 0.08 + k * (side + _GAP)
        row = steps.iloc[step]
        color = RIGHT if row.correct else WRONG
        show_tile(plate.axes_at(left, 0, side, side), cut.picture(found.kept_after(int(step))), frame=color)
        for line, text in enumerate(_step_words(row, len(steps))):
            plate.words(left + side / 2, side + 0.04 + 0.15 * line, fit(text, side), size=SMALL, ha="center")
    _score_line(plate.axes_at(0.62, side + _LABEL + 0.22, WIDTH - 0.8, 1.3), found)
    return plate


def _step_words(row: Any, n: int) -> tuple[str, str]:
    removed = "the whole image" if row.step == 0 else f"{row.step} removed"
    return removed, f"score {row.score:.2f}" if row.correct else f"now: {words(row.predicted)}"


def _score_line(axes: Axes, found: MinimalImage) -> None:
    steps = found.steps
    axes.plot(steps.step, steps.score, color=INK, lw=1.4, zorder=2)
    for right, color in ((True, RIGHT), (False, WRONG)):
        rows = steps[steps.correct == right]
        axes.plot(rows.step, rows.score, "o", ms=5, color=color, zorder=3, clip_on=False)
    axes.set(ylim=(0, 1.03), xlim=(-0.2, max(1, len(steps) - 1) + 0.2))
    axes.set_xlabel("segments removed", fontsize=SMALL, color=SOFT)
    axes.set_ylabel("score", fontsize=SMALL, color=SOFT)
    axes.set(yticks=[0, 0.25, 0.5, 0.75, 1], xticks=np.arange(0, len(steps), max(1, len(steps) // 10)))


def _removal_caption(found: MinimalImage) -> str:
    if not found.simplified:
        return found.reason + "."
    kept, n = int(found.kept.sum()), len(found.kept)
    text = (
        f"Of {n} segments {kept} are left, on {found.share:.0%} of the pixels, with score {found.score:.2f}. "
    )
    last = found.steps.iloc[-1]
    if not last.correct:
        text += f"One more ({words(last['name']) or 'a segment'}), and the network says "
        text += f"{words(last.predicted)}. "
    return text + "Score: the probability the network gives to the right class."


def figure_2_pairs(pairs: Sequence[tuple[str, MinimalImage]], columns: int = 2) -> Plate:
    """Figure 2: original and minimal image, pair by pair.

    Parameters
    ----------
    pairs : for each, a few words on how it was cut, and the minimal image.
    """
    side = (WIDTH - 0.16 - _GAP * (2 * columns - 1) - 0.14 * (columns - 1)) / (2 * columns)
    rows = -(-len(pairs) // columns)
    height = rows * (side + _LABEL) - 0.02
    plate = Plate("What is left when all else can go", height, _pairs_caption(), photo=True)
    for k, (way, found) in enumerate(pairs):
        left = 0.08 + k % columns * (2 * side + 2 * _GAP + 0.14)
        top = k // columns * (side + _LABEL)
        show_tile(plate.axes_at(left, top, side, side), found.original)
        show_tile(plate.axes_at(left + side + _GAP, top, side, side), found.image)
        about = f"{words(found.target)}: {found.kept.sum()} of {len(found.kept)} segments, {found.share:.0%}"
        for line, text in enumerate((about, way)):
            plate.words(left, top + side + 0.03 + 0.15 * line, fit(text, 2 * side + _GAP), size=SMALL,
                        color=INK if line == 0 else SOFT)  # fmt: skip
    return plate


def _pairs_caption() -> str:
    return (
        "In each pair the image, and the last one that the network still recognised while segments were "
        "removed in the gradient domain. The percentage is the share of the pixels whose segments are left. "
        "After Figure 2."
    )


def retention_bars(found: dict[str, list[Retention]]) -> Plate:
    """Which objects the minimal images of scenes keep: a panel per category, a row per object.

    Parameters
    ----------
    found : network name ('scene', and perhaps 'object') to its retentions, one per category.

    Raises
    ------
    SceneLensError : there is no retention to draw.
    """
    if not found or not found.get("scene"):
        raise SceneLensError(
            "no retention to draw: `kept_objects.compare` gives some where images are annotated."
        )
    panels = [beside_paper(one) for one in found["scene"]]
    width, between = (WIDTH - 0.25) / 2, 0.62
    pairs = [panels[k : k + 2] for k in range(0, len(panels), 2)]
    heights = [0.2 * max(1, *(len(one) for one in pair)) for pair in pairs]
    plate = Plate("Which objects scenes keep", sum(heights) + between * len(pairs), _bars_caption(found))
    top = 0.26
    for row, height in enumerate(heights):
        for column, table in enumerate(pairs[row]):
            k = 2 * row + column
            left = column * width + 0.1
            about = [ones[k] for ones in found.values()]
            counted = ", ".join(f"{len(one.counted)}" for one in about)
            plate.words(left + 0.02, top - 0.24, words(about[0].category), weight="bold", size=BODY)
            plate.words(
                left + width - 0.2, top - 0.23, f"images: {counted}", size=SMALL, color=SOFT, ha="right"
            )
            _panel(plate.axes_at(left + 1.15, top, width - 1.4, 0.2 * max(1, len(table))), table, about)
        top += height + between
    return plate


def _panel(axes: Axes, table: pd.DataFrame, about: Sequence[Retention]) -> None:
    places = np.arange(len(table))[::-1]
    axes.barh(places, table.area, height=0.72, color="#e4e7ea", zorder=1)
    axes.plot(table.by_chance, places, "|", ms=9, mew=1.2, color=SOFT, zorder=2)
    shifts = (0.14, -0.18) if len(about) > 1 else (0.0,)
    for name, one, shift in zip(("scene", "object"), about, shifts, strict=False):
        rows = one.table.set_index("object").reindex(table.object)
        there = rows.n.notna().to_numpy()
        share, y = rows.share.to_numpy(float)[there], places[there] + shift
        error = [share - rows.low.to_numpy(float)[there], rows.high.to_numpy(float)[there] - share]
        axes.errorbar(
            share, y, xerr=error, fmt="o", ms=4.5, lw=1, color=network_color(name), zorder=3, clip_on=False
        )
    quoted = table.paper.notna().to_numpy()
    axes.plot(
        table.paper[quoted], places[quoted], "D", ms=7, mfc="none", mec=INK, mew=1.1, zorder=4, clip_on=False
    )
    axes.set(xlim=(0, 1), ylim=(-0.6, len(table) - 0.4), yticks=places, xticks=[0, 0.25, 0.5, 0.75, 1])
    axes.set_yticklabels([f"{words(row.object)} ({row.n})" for row in table.itertuples()])
    axes.set_xticklabels(["0", "25", "50", "75", "100%"])
    axes.grid(axis="x", color=HAIR, lw=0.5)
    axes.set_axisbelow(True)


def _bars_caption(found: dict[str, list[Retention]]) -> str:
    both = "; orange the object network with a linear head for scenes" if len(found) > 1 else ""
    return (
        "Blue: of the images that contain the object (their number in brackets) and that the scene network "
        f"recognises, the share whose minimal image keeps it, with 95% Wilson intervals{both}. "
        "Grey tick: what as many segments drawn blindly would keep. Grey bar: the object's share of the "
        "pixels. Open diamonds: the paper. Images: how many were recognised and simplified."
    )
