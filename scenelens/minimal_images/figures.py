"""Figures of section 3.1: how segments are removed, what is left (Figure 2), which objects scenes keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from skimage.segmentation import find_boundaries

from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.minimal_images.cut_image import CutImage
from scenelens.minimal_images.regions import Regions
from scenelens.minimal_images.retention_search import LEAST, Retention
from scenelens.minimal_images.search import MinimalImage
from scenelens.sentences import percent, words
from scenelens.workbook import (
    BODY,
    HAIR,
    INK,
    RIGHT,
    SMALL,
    SOFT,
    WIDTH,
    WRONG,
    Plate,
    fit,
    network_color,
    show_tile,
)

_GAP, _LABEL = 0.08, 0.36  # inches between tiles, for two lines under one


def segmentations(frame: np.ndarray, ways: dict[str, Regions]) -> Plate:
    """Draw one image and the ways to cut it, side by side.

    Parameters
    ----------
    frame : numpy.ndarray
        uint8 RGB (H, W, 3).
    ways : dict of str to Regions
        The regions of the frame, by a few words on how it was cut.

    Returns
    -------
    Plate
        The figure.
    """
    texts = ["the image", *(f"{name}: {len(one)} segments" for name, one in ways.items())]
    pictures = [frame, *(_outlined(frame, one) for one in ways.values())]
    side = min(2.3, (WIDTH - 0.16 - 2 * _GAP) / max(3, len(pictures)))
    caption = "White lines are the borders between segments. The gradients at a pixel belong to its segment."
    title = {1: "One way", 2: "Two ways"}.get(len(ways), f"{len(ways)} ways")
    plate = Plate(f"{title} to cut an image", side + 0.22, caption, photo=True)
    for k, (picture, text) in enumerate(zip(pictures, texts, strict=True)):
        left = 0.08 + k * (side + _GAP)
        show_tile(plate.tile_at(left, 0, side, side), picture)
        plate.words(left + side / 2, side + 0.04, text, size=SMALL, ha="center")
    return plate


def _outlined(frame: np.ndarray, regions: Regions) -> np.ndarray:
    """Return a frame with the borders of its segments drawn on it, uint8 RGB."""
    picture = frame.copy()
    picture[find_boundaries(regions.segment_map, mode="inner")] = (255, 255, 255)
    return picture


def removal(cut: CutImage, found: MinimalImage, columns: int = 5) -> Plate:
    """Draw the search for one minimal image: pictures along the way, and the score at every step.

    Parameters
    ----------
    cut : CutImage
        The image in segments.
    found : MinimalImage
        The search in it.
    columns : int, optional
        How many pictures are shown.

    Returns
    -------
    Plate
        The figure. A check mark and a solid blue frame mean recognised; a cross and a dashed orange one,
        that another class is more probable.
    """
    steps = found.steps
    chosen = _chosen_steps(len(steps), columns)
    side = (WIDTH - 0.16 - _GAP * (columns - 1)) / columns
    title = f"Removing what matters least: {words(found.target)}"
    plate = Plate(title, side + _LABEL + 2.0, _removal_caption(found), photo=True)
    for k, step in enumerate(chosen):
        left = 0.08 + k * (side + _GAP)
        row = steps.iloc[step]
        picture = cut.picture(found.kept_after(int(step)))
        show_tile(plate.tile_at(left, 0, side, side), picture, right=bool(row.correct))
        for line, text in enumerate(_step_words(row)):
            plate.words(left + side / 2, side + 0.04 + 0.15 * line, fit(text, side), size=SMALL, ha="center")
    _score_line(plate.axes_at(0.62, side + _LABEL + 0.22, WIDTH - 0.8, 1.3), found)
    return plate


def _chosen_steps(n: int, columns: int) -> np.ndarray:
    """Return which of n steps are shown: evenly spread, the minimal image (the last but one) among them."""
    chosen = np.unique(np.linspace(0, n - 1, columns).round().astype(int))
    if n > 1 and n - 2 not in chosen:
        chosen = np.unique([*chosen[:-2], n - 2, n - 1])
    return chosen


def _step_words(row: Any) -> tuple[str, str]:
    removed = "the whole image" if row.step == 0 else f"{row.step} removed"
    return removed, f"score {row.score:.2f}" if row.correct else f"now: {words(row.predicted)}"


def _score_line(axes: Axes, found: MinimalImage) -> None:
    steps = found.steps
    axes.plot(steps.step, steps.score, color=INK, lw=1.4, zorder=2)
    for right, color, sign in ((True, RIGHT, "o"), (False, WRONG, "X")):
        rows = steps[steps.correct == right]
        axes.plot(rows.step, rows.score, sign, ms=5 if right else 7, color=color, zorder=3, clip_on=False)
    axes.set(ylim=(0, 1.03), xlim=(-0.2, max(1, len(steps) - 1) + 0.2))
    axes.set_xlabel("segments removed", fontsize=SMALL, color=SOFT)
    axes.set_ylabel("score", fontsize=SMALL, color=SOFT)
    axes.set(yticks=[0, 0.25, 0.5, 0.75, 1], xticks=np.arange(0, len(steps), max(1, len(steps) // 10)))


def _removal_caption(found: MinimalImage) -> str:
    if not found.simplified:
        return found.reason + "."
    kept, n, share = int(found.kept.sum()), len(found.kept), percent(found.share)
    text = f"Of {n} segments {kept} are left, on {share} of the pixels, with score {found.score:.2f}. "
    last = found.steps.iloc[-1]
    if not last.correct:
        text += f"One more removal ({words(last['name']) or 'a segment'}), and the network says "
        text += f"{words(last.predicted)}. "
    signs = "Check mark, dot: recognised; cross: another class is more probable. "
    return text + signs + "Score: the probability the network gives to the right class."


def figure_2_pairs(pairs: Sequence[tuple[str, MinimalImage]], columns: int = 2) -> Plate:
    """Draw Figure 2: original and minimal image, pair by pair.

    Parameters
    ----------
    pairs : sequence of tuple
        For each pair, a few words on how the image was cut, and its `MinimalImage`.
    columns : int, optional
        How many pairs stand in a row.

    Returns
    -------
    Plate
        The figure.
    """
    side = (WIDTH - 0.16 - _GAP * (2 * columns - 1) - 0.14 * (columns - 1)) / (2 * columns)
    rows = -(-len(pairs) // columns)
    height = rows * (side + _LABEL) - 0.02
    plate = Plate("What is left when all else can go", height, _pairs_caption(pairs), photo=True)
    for k, (way, found) in enumerate(pairs):
        left = 0.08 + k % columns * (2 * side + 2 * _GAP + 0.14)
        top = k // columns * (side + _LABEL)
        show_tile(plate.tile_at(left, top, side, side), found.original)
        show_tile(plate.tile_at(left + side + _GAP, top, side, side), found.image)
        about = f"{words(found.target)}: not recognised"
        if not found.reason:
            kept = f"{found.kept.sum()} of {len(found.kept)} segments"
            about = f"{words(found.target)}: {kept}, {percent(found.share)}"
        for line, text in enumerate((about, way)):
            plate.words(left, top + side + 0.03 + 0.15 * line, fit(text, 2 * side + _GAP), size=SMALL,
                        color=INK if line == 0 else SOFT)  # fmt: skip
    return plate


def _pairs_caption(pairs: Sequence[tuple[str, MinimalImage]]) -> str:
    whole = [bool(found.reason) for _, found in pairs]
    if pairs and all(whole):
        return "The network recognises none of these images, so nothing was removed. After Figure 2."
    return (
        "In each pair the image, and the last one that the network still recognised while segments were "
        "removed in the gradient domain. The percentage is the share of the pixels whose segments are left. "
        + ("From an image that it does not recognise, nothing was removed. " if any(whole) else "")
        + "After Figure 2."
    )


def retention_bars(found: dict[str, list[Retention]]) -> Plate:
    """Draw which objects the minimal images of scenes keep: a panel per category, a row per object.

    Parameters
    ----------
    found : dict of str to list of Retention
        Network name to one entry per category, as `compare_retention` returns it: the network itself, and
        perhaps another one with a linear head for scenes.

    Returns
    -------
    Plate
        The figure.

    Raises
    ------
    SceneLensError
        If nothing was counted.
    CannotAnswerError
        If no object is in enough of the images that the first network recognises.
    """
    if not any(found.values()):
        raise SceneLensError(
            "no retention to draw: compare_retention returns some for a study with annotated images."
        )
    panels = [one.compare_with_paper() for one in next(iter(found.values()))]
    if all(table.empty for table in panels):
        raise CannotAnswerError(
            f"the {next(iter(found))} network recognises too few of the annotated images to count which "
            f"objects their minimal images keep: it takes {LEAST} of one category with the same object."
        )
    width, between = (WIDTH - 0.25) / 2, 0.62
    pairs = [panels[k : k + 2] for k in range(0, len(panels), 2)]
    heights = [0.2 * max(1, *(len(one) for one in pair)) for pair in pairs]
    plate = Plate(
        "Which objects scenes keep", sum(heights) + between * len(pairs), _bars_caption(found, panels)
    )
    top = 0.26
    for row, height in enumerate(heights):
        for column, table in enumerate(pairs[row]):
            left = column * width + 0.1
            networks = {name: retentions[2 * row + column] for name, retentions in found.items()}
            counted = "images: " + ", ".join(f"{len(one.counted)}" for one in networks.values())
            category = next(iter(networks.values())).category
            plate.words(left + 0.02, top - 0.24, words(category), weight="bold", size=BODY)
            plate.words(left + width - 0.2, top - 0.23, counted, size=SMALL, color=SOFT, ha="right")
            _panel(plate.axes_at(left + 1.15, top, width - 1.4, 0.2 * max(1, len(table))), table, networks)
        top += height + between
    return plate


def _panel(axes: Axes, table: pd.DataFrame, networks: dict[str, Retention]) -> None:
    """Draw one category: the objects of the first network's table, and all networks' shares of them."""
    if table.empty:
        axes.axis("off")
        axes.text(0, 0.5, f"no object in {LEAST} of them", color=SOFT, size=SMALL, transform=axes.transAxes)
        return
    places = np.arange(len(table))[::-1]
    axes.barh(places, table.area, height=0.72, color="#e4e7ea", zorder=1)
    axes.plot(table.by_chance, places, "|", ms=9, mew=1.2, color=SOFT, zorder=2)
    # Two networks' points lie a little above and below their row, so that their intervals do not overlap.
    shifts = (0.14, -0.18) if len(networks) > 1 else (0.0,)
    for (name, one), shift in zip(networks.items(), shifts, strict=True):
        rows = one.table.set_index("object").reindex(table.object)
        known = (rows.n >= LEAST).to_numpy()  # the object network may recognise few images with this object
        share, low, high = (rows[column].to_numpy(float)[known] for column in ("share", "low", "high"))
        style: dict[str, Any] = {"fmt": "o", "ms": 4.5, "lw": 1, "zorder": 3, "clip_on": False}
        error = [share - low, high - share]
        axes.errorbar(share, places[known] + shift, xerr=error, color=network_color(name), **style)
    quoted = table.paper.notna().to_numpy()
    style = {"ms": 7, "mfc": "none", "mec": INK, "mew": 1.1, "zorder": 4, "clip_on": False}
    axes.plot(table.paper[quoted], places[quoted], "D", **style)
    axes.set(xlim=(0, 1), ylim=(-0.6, len(table) - 0.4), yticks=places, xticks=[0, 0.25, 0.5, 0.75, 1])
    axes.set_yticklabels([f"{words(row.object)} ({row.n})" for row in table.itertuples()])
    axes.set_xticklabels(["0", "25", "50", "75", "100%"])
    axes.grid(axis="x", color=HAIR, lw=0.5)
    axes.set_axisbelow(True)


def _bars_caption(found: dict[str, list[Retention]], panels: list[pd.DataFrame]) -> str:
    first, *others = found
    both = "".join(f"; orange the {name} network with a linear head for scenes" for name in others)
    quoted = any(table.paper.notna().any() for table in panels)
    color = {"scene": "Blue", "object": "Orange"}.get(first, "Dots")
    rule = {one.rule for one in found[first]}
    until = (
        "the score falls below half of what it was" if rule == {"half"} else "another class is more probable"
    )
    return (
        f"{color}: of the images that contain the object (their number in brackets) and that the {first} "
        f"network recognises, the share whose minimal image keeps it, with 95% Wilson intervals{both}. "
        f"Segments are removed until {until}. No point: the object is in fewer than {LEAST} images. "
        "Grey tick: what a random choice of as many segments would keep. Grey bar: the object's share of the "
        f"pixels.{' Open diamonds: the paper.' if quoted else ''} Images: how many were recognised and "
        "simplified."
    )
