"""Figures 10 and 11 of the paper: a picture as each layer reads it, and how well units find their objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from scenelens import paper
from scenelens.emergence import by_measure
from scenelens.errors import SceneLensError
from scenelens.images import load_image
from scenelens.localization.localizer import Localization
from scenelens.localization.pixels import fires
from scenelens.localization.study_localizer import StudyLocalizer
from scenelens.localization.tables import compare_networks, named_objects, objects_table, reliability_tables
from scenelens.localization.truth import plain_name
from scenelens.sentences import interval, percent
from scenelens.studies import Study
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
    text_width,
)

#: Light enough for black words, told apart by every kind of colour vision (after Okabe and Ito).
BOX_COLORS = ("#f0e442", "#56b4e9", "#e69f00", "#66d9b8", "#e8a0c8", "#ffffff")
#: Dark enough for thin lines on white.
LINE_COLORS = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#8a6d00", "#444444")
#: Left, top, width and height of a name that stands.
Spot = tuple[float, float, float, float]
_GAP, _HEAD = 0.12, 0.24  # inches between panels, and for the words above one


def best_boxes(seen: Localization, layer: str, n: int, least: float = 0.0) -> pd.DataFrame:
    """A layer's `n` most confident boxes, one of each concept first, then further ones."""
    boxes = seen.boxes[(seen.boxes.layer == layer) & (seen.boxes.confidence >= least)]
    again = boxes.duplicated("concept")
    return pd.concat([boxes[~again], boxes[again]]).head(n)


def figure_10_reading(
    seen: Localization, layers: Sequence[str], network: str = "scene", n: int = 5, least: float = 0.2
) -> Plate:
    """Figure 10: one picture as a network's layers read it: the scene's scores, then boxes with their names.

    Parameters
    ----------
    seen : what one forward pass said. layers : one panel each. n : boxes in a panel, at most.
    least : confidence that a box must have.
    """
    side = (WIDTH - 0.16 - _GAP) / 2
    panels = 1 + len(layers)
    lines = -(-panels // 2)
    caption = (
        f"One forward pass of the {network} network. First panel: its five most probable scenes. Others: the "
        f"{n} most confident boxes of a layer, from {percent(least)} on, one of each name first. A box is "
        "what the fields of touching positions span; the number is its calibrated confidence. After Figure "
        "10."
    )
    plate = Plate("One picture, read by each layer", lines * (side + _HEAD + _GAP), caption, photo=True)
    for k in range(panels):
        left, top = 0.08 + (k % 2) * (side + _GAP), (k // 2) * (side + _HEAD + _GAP)
        axes = plate.axes_at(left, top + _HEAD, side, side)
        show_tile(axes, seen.frame)
        if k == 0:
            plate.words(left, top + 0.03, "the scene", weight="bold", color=network_color(network))
            _scene_scores(axes, seen)
            continue
        boxes = best_boxes(seen, layers[k - 1], n, least)
        n_all = int((seen.boxes.layer == layers[k - 1]).sum())
        plate.words(left, top + 0.03, layers[k - 1], weight="bold", color=network_color(network))
        about = f"{len(boxes)} of {n_all} boxes" if n_all else "no unit above its threshold"
        plate.words(left + side, top + 0.03, about, color=SOFT, size=SMALL, ha="right")
        draw_boxes(axes, boxes, seen.frame.shape[:2], side)
    return plate


def _scene_scores(axes: Axes, seen: Localization) -> None:
    """Bars over the foot of the picture, darkened beneath them."""
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


def draw_boxes(axes: Axes, boxes: pd.DataFrame, frame: tuple[int, int], side: float) -> None:
    """Boxes over a picture, each with its name and confidence where no other name stands.

    Parameters
    ----------
    boxes : of `Localization.boxes`, the most important first. frame : the picture's (H, W). side : of the
        axes in inches.
    """
    scale = frame[1] / side
    taken: list[Spot] = []
    for k, row in list(enumerate(boxes.itertuples()))[::-1]:
        color = BOX_COLORS[k % len(BOX_COLORS)]
        corner, size = (row.left, row.top), (row.right - row.left, row.bottom - row.top)
        for edge, thick in (("black", 2.6), (color, 1.4)):
            axes.add_patch(Rectangle(corner, *size, fill=False, ec=edge, lw=thick, zorder=4))
    for k, row in enumerate(boxes.itertuples()):
        words = f"{fit(row.concept, 1.3)} {percent(row.confidence)}"
        width, height = (text_width(words) + 0.08) * scale, 0.165 * scale
        x, y = room_for(row, (width, height), frame, taken)
        taken.append((x, y, width, height))
        color = BOX_COLORS[k % len(BOX_COLORS)]
        axes.add_patch(Rectangle((x, y), width, height, fc=color, ec="black", lw=0.5, zorder=5))
        style: dict[str, Any] = {"size": SMALL, "color": "black", "ha": "center", "va": "center", "zorder": 6}
        axes.text(x + width / 2, y + height / 2, words, **style)


def room_for(
    box: Any, size: tuple[float, float], frame: tuple[int, int], taken: list[Spot]
) -> tuple[float, float]:
    """Left and top of a name: at one of the box's corners, inside it (outside where it is small), or else as
    near as there is room."""
    width, height = size
    small = box.bottom - box.top < 2 * height  # a name inside would hide it
    tops = [box.top - height, box.bottom] if small else [box.top, box.bottom - height]
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


def figure_11a_segmentations(study: Study, one: StudyLocalizer, n: int = 8) -> Plate:
    """Figure 11a: the regions that units find, in the judging image of each object where they fit it best.

    Parameters
    ----------
    n : objects, those with the highest AP among the ones that units were named after.

    Raises
    ------
    SceneLensError : no unit was named after an object that the judging images show.
    """
    named, network, columns = named_objects(one).head(n), one.localizer.network, 4
    if named.empty:
        raise SceneLensError(
            f"no unit of the {network.name} network bears an object's name: nothing to show."
        )
    table = one.scores.table(concepts=list(named.concept)).sort_values("ap", ascending=False)
    side = (WIDTH - 0.16 - 0.07 * (columns - 1)) / columns
    lines = [_measures(row) for row in table.itertuples()]
    step = side + 0.31 + 0.165 * max(map(len, lines))
    caption = (
        f"In full light: where the object's best {table.layer.iloc[0]} unit fires, in the image that it fits "
        f"best, so these are the best cases. J: Jaccard index of the pixels, AP: average precision of the "
        f"images, both over all {int(table.n.max()):,} judging images, with 95% intervals. After Figure 11a."
    )
    rows = -(-len(table) // columns)
    plate = Plate(f"What units of the {network.name} network find", step * rows, caption, photo=True)
    for k, row in enumerate(table.itertuples()):
        left, top = 0.08 + (k % columns) * (side + 0.07), (k // columns) * step
        frame, mask = _best_case(study, one, row)
        show_tile(plate.axes_at(left, top, side, side), dimmed(frame, mask))
        plate.words(left + side / 2, top + side + 0.03, fit(row.concept, side), ha="center", weight="bold")
        for number, words in enumerate(lines[k]):
            y = top + side + 0.21 + 0.165 * number
            plate.words(left + side / 2, y, words, ha="center", size=SMALL, color=SOFT)
    return plate


def _measures(row: Any) -> list[str]:
    """J and AP with their intervals, and the paper's where it shows the same object."""
    lines = [
        f"J {percent(row.jaccard)} ({interval(row.jaccard_low, row.jaccard_high)})",
        f"AP {percent(row.ap)} ({interval(row.ap_low, row.ap_high)})",
    ]
    theirs = paper.SEGMENTATIONS.get(plain_name(row.concept))
    return [*lines, f"paper: J {percent(theirs[0])}, AP {percent(theirs[1])}"] if theirs else lines


def _best_case(study: Study, one: StudyLocalizer, row: Any) -> tuple[np.ndarray, np.ndarray]:
    """The frame and the mask of the judging image whose object a detector's region fits best."""
    scores, network = one.scores, one.localizer.network
    shared, active, truth = scores.pixels[:, scores.find(row.concept, "best unit")].T.astype(float)
    fits = np.where(truth > 0, shared / np.maximum(active + truth - shared, 1), -1)
    image = scores.images[int(fits.argmax())]
    known = study.annotations
    assert known is not None
    frame = network.show_input(load_image(known.path(image)))
    levels = one.chosen.counts[row.layer].thresholds[list(row.units)]
    return frame, fires(network, row.layer, row.units, levels, frame)


def figure_11bc_precision(found: Mapping[str, StudyLocalizer], of: str = "scene", n: int = 6) -> Plate:
    """Figure 11b and c: precision and recall of some objects, and how the APs of all objects are distributed.

    Parameters
    ----------
    found : network -> its detectors. of : whose curves are drawn. n : curves, evenly spread over the ranks.
    """
    table, scores = named_objects(found[of]), found[of].scores
    theirs = [ap for _, ap in paper.SEGMENTATIONS.values()]
    caption = (
        "Each object's best unit of the deepest layer. Left: images ranked by the unit's peak, for objects "
        "evenly spread from the best AP to the worst of those that units were named after "
        f"({by_measure('iou').text}), n = {len(scores.images):,} images. Right: all objects; dark, those that units "
        "were named after. "
        "Lines: means, with 95% intervals over the objects; dotted: the mean of detectors that know nothing. "
        f"The paper prints APs for eight objects, from {percent(min(theirs))} to {percent(max(theirs))}. "
        "After Figure 11b and c."
    )
    plate = Plate("How well units find their objects", 3.1, caption)
    plate.words(0.1, 0.0, f"b  precision and recall, {of} network", weight="bold")
    axes = plate.axes_at(0.55, 0.3, 2.0, 2.3)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    axes.set_xlabel("recall", size=SMALL)
    axes.set_ylabel("precision", size=SMALL)
    rows = table.iloc[np.unique(np.linspace(0, len(table) - 1, min(n, len(table))).round().astype(int))]
    for k, row in enumerate(rows.itertuples()):
        curve, color = scores.curve(scores.find(row.concept)), LINE_COLORS[k % len(LINE_COLORS)]
        axes.plot(curve.recall, curve.precision, color=color, lw=1.3, clip_on=False)
        words = f"{fit(row.concept, 0.75)} {percent(row.ap)}"
        plate.words(2.62, 0.32 + 0.2 * k, words, color=color, size=SMALL)
    if table.empty:
        plate.words(0.75, 1.2, "no unit bears an object's name", color=SOFT, size=SMALL)
    plate.words(3.95, 0.0, "c  AP of all objects", weight="bold")
    _histograms(plate, found, 4.3, 0.3, WIDTH - 4.3 - 0.15, 2.44)
    return plate


def _histograms(
    plate: Plate, found: Mapping[str, StudyLocalizer], left: float, top: float, width: float, height: float
) -> None:
    rows = compare_networks(found).set_index("network")
    tables = {name: objects_table(one, intervals=False) for name, one in found.items()}
    edges = np.linspace(0, 1, 21)
    highest = max(np.histogram(one.ap, edges)[0].max(initial=1) for one in tables.values())
    step = height / len(tables)
    for k, (name, table) in enumerate(tables.items()):
        axes, color = plate.axes_at(left, top + k * step + 0.16, width, step - 0.3), network_color(name)
        axes.hist(table.ap, edges, color=color, alpha=0.3, lw=0)
        axes.hist(named_objects(found[name]).ap, edges, color=color, lw=0)
        axes.axvline(rows.ap[name], color=INK, lw=1.2)
        axes.axvline(rows.chance[name], color=INK, lw=1.0, ls=":")
        axes.set(xlim=(0, 1), ylim=(0, highest), xticks=(0, 0.5, 1), yticks=(0, int(highest)))
        if k < len(tables) - 1:
            axes.set_xticklabels([])
        row = rows.loc[name]
        between = f"{100 * row.ap_low:.0f}–{100 * row.ap_high:.0f}"
        words = f"{name}: mean {percent(row.ap)} ({between}), n = {int(row.objects)}"
        plate.words(left, top + k * step - 0.03, words, color=color, size=SMALL)
    axes.set_xlabel("average precision", size=SMALL)
    plate.words(left - 0.3, top + height / 2, "objects", size=SMALL, rotation=90, ha="center", va="center")


def reliability_figure(found: Mapping[str, StudyLocalizer]) -> Plate:
    """Whether confidence keeps its promise: the share of right boxes beside what was promised.

    A point is a group of boxes of about the same confidence; its bar is the 95% interval of the share.
    """
    table = reliability_tables(found)
    caption = (
        "Boxes on the judging images, in ten groups by confidence. Across: what they promise on average. "
        "Up: the share that is right, with its 95% interval: the concept shows within half a stride of "
        "the box's strongest position. On the line, promise and truth are the same."
    )
    networks = list(found)
    side = min(2.3, (WIDTH - 0.6 - 0.3 * len(networks)) / len(networks))
    plate = Plate("Does confidence mean what it says?", side + 0.75, caption)
    for k, name in enumerate(networks):
        rows, color, left = table[table.network == name], network_color(name), 0.6 + k * (side + 0.3)
        axes = plate.axes_at(left, 0.25, side, side)
        axes.plot([0, 1], [0, 1], color=HAIR, lw=1.2, zorder=1)
        bars = np.abs([rows.right - rows.low, rows.high - rows.right])
        axes.errorbar(rows.confidence, rows.right, yerr=bars, fmt="o", ms=4.5, lw=1.2, color=color)
        plate.words(left, 0.0, f"{name} network", color=color, weight="bold", size=BODY)
        axes.text(0.97, 0.04, f"{int(rows.n.sum()):,} boxes", color=SOFT, size=SMALL, ha="right")
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        axes.set_xlabel("promised: mean confidence", size=SMALL)
        if k == 0:
            axes.set_ylabel("kept: share that is right", size=SMALL)
        else:
            axes.set_yticklabels([])
    return plate
