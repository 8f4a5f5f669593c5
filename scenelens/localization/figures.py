"""Figures 10 and 11 of the paper: the boxes that each layer gives, and how well units find their objects.

The figures take tables and images that were computed before; they run no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from scenelens import paper
from scenelens.emergence import DetectorRule
from scenelens.errors import CannotAnswerError
from scenelens.localization.localizer import LEAST, Localization
from scenelens.localization.study_localizers import StudyLocalizer
from scenelens.localization.tables import _box_groups, _same_objects, compare_networks
from scenelens.localization.truth import ImageConcepts
from scenelens.sentences import interval, percent
from scenelens.workbook import (
    BODY,
    HAIR,
    INK,
    SMALL,
    SOFT,
    WIDTH,
    Plate,
    dimmed,
    fit,
    network_color,
    show_tile,
)

#: Colours of boxes: light enough for black words, told apart by every kind of colour vision (after Okabe and
#: Ito).
BOX_COLORS = ("#f0e442", "#56b4e9", "#e69f00", "#66d9b8", "#e8a0c8", "#ffffff")
# Colours of curves: dark enough for thin lines on white.
_LINE_COLORS = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#8a6d00", "#444444")
#: Left, top, width and height of a name that was placed.
Spot = tuple[float, float, float, float]
_GAP, _HEAD = 0.12, 0.24  # inches between panels, and for the words above one


def figure_10_reading(
    seen: Localization,
    layers: Sequence[str] | None = None,
    network: str = "",
    n: int = 5,
    least: float = LEAST,
    right: pd.Series | None = None,
) -> Plate:
    """Draw Figure 10: one image with the scene's scores, then with the boxes of each layer and their names.

    Parameters
    ----------
    seen : Localization
        What one forward pass said.
    layers : sequence of str, optional
        One panel each; by default all layers in which boxes were looked for.
    network : str, optional
        The network's name (default that in `seen`).
    n : int, optional
        Boxes per panel at most (default 5).
    least : float, optional
        Least confidence of a box, 0..1 (default 0.2).
    right : pandas.Series, optional
        Which boxes of `seen` are right, where this is known; see `example_images`.

    Returns
    -------
    Plate
        The figure.
    """
    layers, network = seen.layers if layers is None else layers, network or seen.network
    side = (WIDTH - 0.16 - _GAP) / 2
    panels = 1 + len(layers)
    lines = -(-panels // 2)
    plate = Plate(
        "One image, as each layer sees it" + ("" if right is None else ", and what is wrong"),
        lines * (side + _HEAD + _GAP),
        _reading_caption(seen, network, n, least, right is not None),
        photo=True,
    )
    for k in range(panels):
        left, top = 0.08 + (k % 2) * (side + _GAP), (k // 2) * (side + _HEAD + _GAP)
        axes = plate.tile_at(left, top + _HEAD, side, side)
        show_tile(axes, seen.frame)
        if k == 0:
            plate.words(left, top + 0.03, "the scene", weight="bold", color=network_color(network))
            _scene_scores(axes, seen)
            continue
        boxes = seen.best_boxes(layers[k - 1], n, least)
        n_all = int((seen.boxes.layer == layers[k - 1]).sum())
        plate.words(left, top + 0.03, layers[k - 1], weight="bold", color=network_color(network))
        about = f"{len(boxes)} of {n_all} boxes" if n_all else "no unit above its threshold"
        plate.words(left + side, top + 0.03, about, color=SOFT, size=SMALL, ha="right")
        doubtful, wrong = seen.doubtful[boxes.index], pd.Series(False, boxes.index)
        if right is not None:
            wrong = ~right.reindex(boxes.index).astype("boolean").fillna(True).astype(bool)
        marked = boxes.assign(doubtful=doubtful, wrong=wrong)
        _draw_boxes_in_axes(axes, marked, seen.frame.shape[:2], side)
    return plate


def _reading_caption(seen: Localization, network: str, n: int, least: float, judged: bool) -> str:
    classes = f"{len(seen.scene)} most probable classes" if len(seen.scene) > 1 else "only class"
    black = "Black names: wrong, by the annotations. " if judged else ""
    return (
        f"One forward pass of the {network} network. First panel: its {classes}. Others: the "
        f"{n} most confident boxes of a layer, from {percent(least)} on, the best of each name first. A box "
        "holds the fields of positions that touch. The percentage is its confidence, the lower end of the "
        "95% interval of how often such boxes are right; after the point stands the number of calibration "
        f"images behind it. {black}Dashed, with a question mark: the unit was never right on calibration "
        "images of the scene that the network names. After Figure 10."
    )


def _scene_scores(axes: Axes, seen: Localization) -> None:
    """Bars over the lower part of the image, which is darkened under them."""
    height, width = seen.frame.shape[:2]
    step, n = 0.075 * height, len(seen.scene)
    top = height - step * (n + 0.6)
    axes.add_patch(Rectangle((0, top), width, height - top, fc="black", alpha=0.62, lw=0, zorder=3))
    for row in seen.scene.itertuples():
        y = top + step * (row.rank - 0.2)
        length = 0.34 * width * row.probability
        axes.add_patch(
            Rectangle((0.03 * width, y - 0.3 * step), length, 0.6 * step, fc="#7fc4ff", lw=0, zorder=4)
        )
        words = f"{percent(row.probability)}  {fit(row.predicted, 1.7)}"
        x = 0.045 * width + length
        axes.text(x, y, words, color="white", size=SMALL, va="center", zorder=5)


def _draw_boxes_in_axes(axes: Axes, boxes: pd.DataFrame, frame: tuple[int, int], side: float) -> None:
    """Boxes over an image, the most important first, each with a name where no other name is.

    `frame` is the image's (height, width), `side` that of the axes in inches.
    """
    scale = frame[1] / side
    taken: list[Spot] = []
    for k, row in list(enumerate(boxes.itertuples()))[::-1]:  # the most important one on top
        color, line = BOX_COLORS[k % len(BOX_COLORS)], "--" if row.doubtful else "-"
        corner, size = (row.left, row.top), (row.right - row.left, row.bottom - row.top)
        for edge, thick in (("black", 2.6), (color, 1.4)):
            axes.add_patch(Rectangle(corner, *size, fill=False, ec=edge, lw=thick, ls=line, zorder=4))
    for k, row in enumerate(boxes.itertuples()):
        name = fit(row.concept, 1.3) + ("?" if row.doubtful else "")
        words = f"{name} {percent(row.confidence)} · {row.images}"
        width, height = (Plate.text_width(words) + 0.08) * scale, 0.165 * scale
        x, y = _room_for(row, (width, height), frame, taken)
        taken.append((x, y, width, height))
        color = "black" if row.wrong else BOX_COLORS[k % len(BOX_COLORS)]
        axes.add_patch(Rectangle((x, y), width, height, fc=color, ec="black", lw=0.5, zorder=5))
        ink = "white" if row.wrong else "black"
        style: dict[str, Any] = {"size": SMALL, "color": ink, "ha": "center", "va": "center", "zorder": 6}
        axes.text(x + width / 2, y + height / 2, words, **style)


def _room_for(
    box: Any, size: tuple[float, float], frame: tuple[int, int], taken: list[Spot]
) -> tuple[float, float]:
    """Return the place of a box's name: at a corner inside the box, or near it, where no other name is.

    Parameters
    ----------
    box : object
        The box, with the attributes top, left, bottom and right.
    size : tuple of float
        (width, height) of the name.
    frame : tuple of int
        (height, width) of the image.
    taken : list of tuple of float
        (left, top, width, height) of the names that were placed before.

    Returns
    -------
    left : float
        Left edge of the name.
    top : float
        Top edge of the name.
    """
    width, height = size
    small = box.bottom - box.top < 2 * height  # a name inside would hide it, so it is put outside
    tops = [box.top - height, box.bottom] if small else [box.top, box.bottom - height]
    # Then ever farther down, one line at a time, and ever farther up.
    tops += [box.top + k * height for k in range(1, 40)]
    tops += [box.top - k * height for k in range(1, 40)]
    for top in tops:
        for left in (box.left, box.right - width):
            x, y = np.clip(left, 0, frame[1] - width), np.clip(top, 0, frame[0] - height)
            if all(
                x >= a + w or a >= x + width or y >= b + h - 1e-9 or b >= y + height - 1e-9
                for a, b, w, h in taken
            ):
                return float(x), float(y)
    return float(box.left), float(box.top)


def figure_11a_segmentations(cases: pd.DataFrame) -> Plate:
    """Draw Figure 11a: the regions that units find, in the test image of each object where they fit it best.

    Parameters
    ----------
    cases : pandas.DataFrame
        What `best_cases` returned.

    Returns
    -------
    Plate
        The figure.
    """
    network, columns = cases.network.iloc[0], 4
    side = (WIDTH - 0.16 - 0.07 * (columns - 1)) / columns
    lines = [_measures(row) for row in cases.itertuples()]
    step = side + 0.31 + 0.165 * max(map(len, lines))
    caption = (
        f"Bright: where the object's best {cases.layer.iloc[0]} unit is active, in the image that it fits "
        f"best, so these are the best cases. J: Jaccard index of the pixels, AP: average precision of the "
        f"images, both over {_test_images(cases)}, with 95% intervals; chance: the share of these images "
        "that "
        "show it, which is the AP of a random response. After Figure 11a."
    )
    rows = -(-len(cases) // columns)
    plate = Plate(f"What units of the {network} network find", step * rows, caption, photo=True)
    for k, row in enumerate(cases.itertuples()):
        left, top = 0.08 + (k % columns) * (side + 0.07), (k // columns) * step
        show_tile(plate.tile_at(left, top, side, side), dimmed(row.frame, row.mask))
        plate.words(left + side / 2, top + side + 0.03, fit(row.concept, side), ha="center", weight="bold")
        for number, words in enumerate(lines[k]):
            y = top + side + 0.21 + 0.165 * number
            plate.words(left + side / 2, y, words, ha="center", size=SMALL, color=SOFT)
    return plate


def _test_images(table: pd.DataFrame) -> str:
    """Which images the scores of a table are over."""
    least, most = int(table.n.min()), int(table.n.max())
    if least == most:
        return f"{most:,} test images"
    return f"the test images whose annotators know the object ({least:,} to {most:,})"


def _measures(row: Any) -> list[str]:
    """J and AP with their intervals, chance and n, and the paper's where it shows the same object."""
    lines = [
        f"J {percent(row.jaccard)} ({interval(row.jaccard_low, row.jaccard_high)})",
        f"AP {percent(row.ap)} ({interval(row.ap_low, row.ap_high)})",
        f"chance {percent(row.share)}, n = {row.n}",
    ]
    theirs = paper.SEGMENTATIONS.get(ImageConcepts.plain_name(row.concept))
    return [*lines, f"paper: J {percent(theirs[0])}, AP {percent(theirs[1])}"] if theirs else lines


def figure_11bc_precision(localizers: Mapping[str, StudyLocalizer], of: str = "", n: int = 6) -> Plate:
    """Draw Figure 11b and c: precision and recall of some objects, and the distribution of all objects' APs.

    Parameters
    ----------
    localizers : mapping of str to StudyLocalizer
        By network, as `open_localizers` returns them.
    of : str, optional
        The network whose curves are drawn (default the scene network, or else the first).
    n : int, optional
        How many curves, of objects evenly spread over the ranks (default 6).

    Returns
    -------
    Plate
        The figure.
    """
    of, tables = (
        of or ("scene" if "scene" in localizers else next(iter(localizers))),
        _same_objects(localizers),
    )
    theirs = [ap for _, ap in paper.SEGMENTATIONS.values()]
    caption = (
        "Each object's best unit of the deepest layer. Left: images ranked by the unit's peak, for objects "
        "evenly spread from the best AP to the worst of those that units were named after "
        f"({DetectorRule.by_measure('iou').text}), with their AP and, in brackets, chance; over "
        f"{_test_images(tables[of])}. Right: the objects that all networks have; dark, those that units "
        "were named after. Lines: means, with 95% intervals over the objects; dotted: the mean of detectors "
        f"that respond at random. The paper prints APs for eight objects, from {percent(min(theirs))} to "
        f"{percent(max(theirs))}. After Figure 11b and c."
    )
    plate = Plate("How well units find their objects", 3.1, caption)
    _precision_curves(plate, localizers[of], of, n)
    plate.words(3.95, 0.0, "c  AP of all objects", weight="bold")
    _histograms(plate, localizers, tables, 4.3, 0.3, WIDTH - 4.3 - 0.15, 2.44)
    return plate


def _precision_curves(plate: Plate, localizer: StudyLocalizer, of: str, n: int) -> None:
    table, scores = localizer.named_objects(), localizer.scores
    plate.words(0.1, 0.0, f"b  precision and recall, {of} network", weight="bold")
    axes = plate.axes_at(0.55, 0.3, 2.0, 2.3)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    axes.set_xlabel("recall", size=SMALL)
    axes.set_ylabel("precision", size=SMALL)
    rows = table.iloc[np.unique(np.linspace(0, len(table) - 1, min(n, len(table))).round().astype(int))]
    for k, row in enumerate(rows.itertuples()):
        curve = scores.precision_recall(scores.find(row.concept))
        color = _LINE_COLORS[k % len(_LINE_COLORS)]
        axes.plot(curve.recall, curve.precision, color=color, lw=1.3, clip_on=False)
        words = f"{fit(row.concept, 0.6)} {percent(row.ap)} ({percent(row.share)})"
        plate.words(2.62, 0.32 + 0.2 * k, words, color=color, size=SMALL)
    if table.empty:
        plate.words(0.75, 1.2, "no unit has an object's name", color=SOFT, size=SMALL)


def _histograms(
    plate: Plate,
    localizers: Mapping[str, StudyLocalizer],
    tables: Mapping[str, pd.DataFrame],
    left: float,
    top: float,
    width: float,
    height: float,
) -> None:
    rows = compare_networks(localizers).set_index("network")
    edges = np.linspace(0, 1, 21)
    highest = max(np.histogram(one.ap, edges)[0].max(initial=1) for one in tables.values())
    step = height / len(tables)
    for k, (name, table) in enumerate(tables.items()):
        axes, color = plate.axes_at(left, top + k * step + 0.16, width, step - 0.3), network_color(name)
        axes.hist(table.ap, edges, color=color, alpha=0.3, lw=0)
        named = localizers[name].named_objects()
        axes.hist(named.ap[named.concept.isin(table.concept)], edges, color=color, lw=0)
        axes.axvline(rows.ap[name], color=INK, lw=1.2)
        axes.axvline(rows.chance[name], color=INK, lw=1.0, ls=":")
        axes.set(xlim=(0, 1), ylim=(0, highest), xticks=(0, 0.5, 1), yticks=(0, int(highest)))
        if k < len(tables) - 1:
            axes.set_xticklabels([])
        row = rows.loc[name]
        between = f" ({interval(row.ap_low, row.ap_high)})" if row.objects > 1 else ""
        words = f"{name}: mean {percent(row.ap)}{between}, n = {int(row.objects)}"
        plate.words(left, top + k * step - 0.03, words, color=color, size=SMALL)
    axes.set_xlabel("average precision", size=SMALL)
    plate.words(left - 0.3, top + height / 2, "objects", size=SMALL, rotation=90, ha="center", va="center")


def reliability_figure(localizers: Mapping[str, StudyLocalizer]) -> Plate:
    """Draw the share of right boxes against what was estimated of them (a reliability diagram).

    A point is a group of boxes of about the same estimate. Its bar is the 95% interval of the share.

    Parameters
    ----------
    localizers : mapping of str to StudyLocalizer
        By network, as `open_localizers` returns them.

    Returns
    -------
    Plate
        The figure.
    """
    if all(one.scores.boxes.empty for one in localizers.values()):
        raise CannotAnswerError(
            "no named unit is active on the test images, so there is no box whose confidence could be "
            "checked: "
            "more annotated images would give more."
        )
    caption = (
        "Boxes on the test images, in ten groups by the estimated share of right ones. Vertical: the share "
        "that is right, with its 95% interval over the images; a box is right where its concept shows within "
        "half a stride of its strongest position. Filled: against the estimate; on the line, the two are the "
        "same. Open: against the confidence that is shown, the lower end; it promises too much only right of "
        "the line. Crosses: how often the boxes would be right on the other images of the same category."
    )
    networks = list(localizers)
    side = min(2.3, (WIDTH - 0.6 - 0.3 * len(networks)) / len(networks))
    plate = Plate("Is the confidence kept?", side + 0.9, caption)
    for k, name in enumerate(networks):
        boxes, color, left = localizers[name].scores.boxes, network_color(name), 0.6 + k * (side + 0.3)
        rows = _box_groups(boxes)
        axes = plate.axes_at(left, 0.25, side, side)
        axes.plot([0, 1], [0, 1], color=HAIR, lw=1.2, zorder=1)
        bars = np.abs([rows.right - rows.low, rows.high - rows.right])
        axes.errorbar(rows.estimate, rows.right, yerr=bars, fmt="o", ms=4.5, lw=1.2, color=color)
        axes.plot(rows.confidence, rows.right, "o", ms=4.5, mfc="none", mec=color, mew=0.9)
        axes.plot(rows.estimate, rows.elsewhere, "x", ms=4.5, color=SOFT, mew=0.9)
        plate.words(left, 0.0, f"{name} network", color=color, weight="bold", size=BODY)
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        about = f"{len(boxes):,} boxes, {boxes.image.nunique():,} images"
        axes.set_xlabel(f"estimate, confidence\n{about}", size=SMALL)
        if k == 0:
            axes.set_ylabel("share that is right", size=SMALL)
        else:
            axes.set_yticklabels([])
    return plate
