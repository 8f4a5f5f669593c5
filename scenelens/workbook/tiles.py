"""Figures made of image tiles: any images, one image per category, or the top images of one unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.path import Path
from PIL import Image

from scenelens.errors import SceneLensError
from scenelens.metrics import all_equal
from scenelens.sentences import number, words
from scenelens.studies import Study, TopImage, top_images
from scenelens.workbook.style import DPI, INK, SMALL, SOFT, SOURCE_COLORS, WIDTH, Plate

_GAP, _LABEL = 0.07, 0.19  # inches between tiles, and for a line under one
#: Of marks that say right or wrong: far apart for every kind of colour vision. They are the colours of both
#: networks, so each comes with a sign and a line of its own.
RIGHT, WRONG = SOURCE_COLORS["scene-centric"], SOURCE_COLORS["object-centric"]
_CHECK = Path([(-1.0, -0.1), (-0.3, -0.8), (1.0, 0.9)])
_CROSS = Path([(-0.8, -0.8), (0.8, 0.8), (-0.8, 0.8), (0.8, -0.8)], [1, 2, 1, 2])


def show_tile(axes: Axes, image: np.ndarray, frame: str | None = None, *, right: bool | None = None) -> None:
    """Draw an image into axes at the resolution in which it will be seen.

    Coordinates of the axes stay those of the image's pixels, so that marks can be drawn over it.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    image : numpy.ndarray
        uint8 RGB, (H, W, 3).
    frame : str, optional
        Colour of a border; by default there is none.
    right : bool, optional
        Draws a border that says so, for any colour vision: blue and solid with a check mark where True,
        orange and dashed with a cross where False. By default nothing is said.
    """
    # A photograph has far more pixels than its tile. Averaged down here, it looks better and makes a smaller
    # file than if matplotlib resampled it; `extent` keeps the coordinates of the original pixels.
    height, width = image.shape[:2]
    inches = axes.get_window_extent().width / DPI
    scale = min(1.0, inches * DPI / max(height, width))
    small = Image.fromarray(image)
    if scale < 1:
        small = small.resize(
            (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX
        )
    axes.imshow(np.asarray(small), extent=(0, width, height, 0), interpolation="lanczos")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=frame is not None, color=frame or "none", linewidth=1.6)
    if right is not None:
        _judge(axes, right)


def _judge(axes: Axes, right: bool) -> None:
    """Draw the border and the sign of right or wrong; the sign stands in the upper left corner."""
    color = RIGHT if right else WRONG
    for spine in axes.spines.values():
        spine.set(visible=True, color=color, linewidth=1.8, linestyle="-" if right else (0, (3.5, 1.8)))
    tile = axes.get_window_extent()
    place = [0.11 * DPI / tile.width], [1 - 0.11 * DPI / tile.height]
    style: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False, "scalex": False, "scaley": False}
    axes.plot(*place, "o", ms=10.5, color=color, mec="white", mew=0.8, zorder=6, **style)
    sign = _CHECK if right else _CROSS
    axes.plot(*place, marker=sign, ms=5, mfc="none", mec="white", mew=1.5, zorder=7, **style)


def mark_peak(axes: Axes, top: TopImage) -> None:
    """Mark where a unit peaked: a ring at the receptive centre, and a box for the theoretical field.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Axes in which `show_tile` drew the image's frame.
    top : TopImage
        The image.
    """
    for color, width in (("black", 2.4), ("white", 1.1)):  # white on black is visible on any photograph
        if top.box is not None:
            y0, x0, y1, x1 = top.box
            box = Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=color, linewidth=width)
            axes.add_patch(box)
        if top.ring is not None:
            row, col = (value + 0.5 for value in top.ring)
            axes.plot(col, row, "o", ms=6, mfc="none", mec=color, mew=width, clip_on=False)


def contact_sheet(
    images: Sequence[np.ndarray],
    labels: Sequence[str] | None = None,
    *,
    columns: int = 6,
    title: str = "",
    caption: str = "",
) -> Plate:
    """Images in rows, each with its label beneath.

    Parameters
    ----------
    images : sequence of numpy.ndarray
        uint8 RGB, (H, W, 3); sizes may differ.
    labels : sequence of str, optional
        One line of text per image, cut where the tile ends. By default there are none.
    columns : int, optional
        Tiles per row (default 6).
    title : str, optional
        Title of the figure.
    caption : str, optional
        Caption of the figure.

    Returns
    -------
    Plate
        The figure.

    Raises
    ------
    SceneLensError
        If there are no images, or not as many labels as images.

    Examples
    --------
    >>> page = contact_sheet([np.zeros((8, 8, 3), np.uint8)] * 3, ["a", "b", "c"], columns=3)
    >>> len(page.axes)
    3
    """
    if not len(images):
        raise SceneLensError("a contact sheet needs at least one image.")
    if labels is not None and len(labels) != len(images):
        raise SceneLensError(f"{len(images)} images but {len(labels)} labels; give one label per image.")
    side, places, height = _grid(len(images), columns, _LABEL if labels is not None else 0.0)
    plate = Plate(title, height, caption, photo=True)
    for k, (image, (left, top)) in enumerate(zip(images, places, strict=True)):
        show_tile(plate.tile_at(left, top, side, side), image)
        if labels is not None:
            text = fit(labels[k], side)
            plate.words(left + side / 2, top + side + 0.03, text, size=SMALL, ha="center")
    return plate


def category_sheet(study: Study, source: str, n: int = 24, columns: int = 6) -> Plate:
    """One image of each category, cut as the study's first network sees it.

    Where the images have one category or none, some of them are shown.

    Parameters
    ----------
    study : Study
        The open study.
    source : str
        'scene-centric' or 'object-centric'.
    n : int, optional
        The largest number of categories (default 24). Where there are more, they are chosen evenly from their
        alphabetical order.
    columns : int, optional
        Tiles per row (default 6).

    Returns
    -------
    Plate
        The figure.

    Raises
    ------
    CannotAnswerError
        If the study has no images of that source.
    """
    images = study.images_from(source)
    kinds = images["category"].nunique()
    # Images without categories are shown as they are: some of them, from the first to the last.
    first = images.drop_duplicates("category").sort_values("category") if kinds > 1 else images
    # Evenly spread and not at random: the figure is the same in every run.
    first = first.iloc[np.unique(np.linspace(0, len(first) - 1, min(n, len(first))).astype(int))]
    show = next(iter(study.networks.values())).show_input
    frames = [show(study.load_image(image)) for image in first["image"]]
    caption = _category_caption(images, len(first))
    return contact_sheet(frames, list(first["category"]), columns=columns, caption=caption)


def _category_caption(images: pd.DataFrame, shown: int) -> str:
    kinds, source = images["category"].nunique(), images["source"].iloc[0]
    if kinds > 1:
        which = f"each of the {kinds}" if shown == kinds else f"{shown} of the {kinds}"
        return f"One {source} image of {which} categories; {len(images):,} images in all."
    kind = words(images["category"].iloc[0])
    which = f"all of the category {kind}" if kind else "which have no categories"
    return f"{shown} of the study's {len(images):,} {source} images, {which}."


def unit_sheet(study: Study, network: str, layer: str, unit: int, n: int = 12, columns: int = 6) -> Plate:
    """The top images of one unit, each marked where the unit peaked: how section 3 of the paper shows a unit.

    A ring marks the receptive centre of the position that peaked. The box is the theoretical receptive field
    there, cut off at the edge of the frame. A unit of a fully connected layer sees the whole frame and gets
    no mark.

    Parameters
    ----------
    study : Study
        The open study.
    network : str
        A name in `Study.networks`.
    layer : str
        A layer of that network.
    unit : int
        A unit of that layer, from 0.
    n : int, optional
        How many images (default 12).
    columns : int, optional
        Tiles per row (default 6).

    Returns
    -------
    Plate
        The figure.

    Raises
    ------
    SceneLensError
        If there is no such network, layer or unit.
    """
    tops = top_images(study, network, layer, unit, n)
    side, places, height = _grid(len(tops), columns, _LABEL)
    plate = Plate(f"{layer}:{unit} of the {network} network", height, _unit_caption(study, tops), photo=True)
    for top, (left, y) in zip(tops, places, strict=True):
        axes = plate.tile_at(left, y, side, side)
        show_tile(axes, top.frame)
        mark_peak(axes, top)
        text = fit(top.category, side - Plate.text_width(number(top.peak)) - 0.08)
        plate.words(left, y + side + 0.03, text, size=SMALL, color=SOURCE_COLORS.get(top.source, INK))
        plate.words(left + side, y + side + 0.03, number(top.peak), size=SMALL, color=SOFT, ha="right")
    return plate


def _unit_caption(study: Study, tops: list[TopImage]) -> str:
    if not tops:
        return "No image of the study could be read."
    text = f"The {len(tops)} images with the highest peaks, of {len(study.images):,}; the number is the peak."
    if any(top.box for top in tops):
        text += " The box is what the position that peaked can see, its theoretical receptive field"
        text += "; the ring is its centre." if any(top.ring for top in tops) else "."
    elif tops[0].center is not None:
        text += " The ring is the centre of the position that peaked; it can see the whole frame."
    text += _about_ties([top.peak for top in tops])
    if not any(top.category for top in tops):
        return text
    if study.images["source"].nunique() < 2:
        return text + " The words are the images' categories."
    return text + " Blue names: scene-centric images; orange: object-centric."


def _about_ties(peaks: list[float]) -> str:
    """Which images stand where they do by chance; '' for none.

    >>> _about_ties([3.0, 2.0, 1.0]), _about_ties([0.5, 0.0, 0.0])
    ('', ' The last 2 have equal peaks: their order says nothing.')
    """
    last = sum(peak == peaks[-1] for peak in peaks)
    if all_equal(np.array(peaks)):
        return " The unit responds equally to all of them: their order says nothing."
    return f" The last {last} have equal peaks: their order says nothing." if last > 1 else ""


def _grid(count: int, columns: int, label: float) -> tuple[float, list[tuple[float, float]], float]:
    """Side of a tile, (left, top) of every tile, and the height they take, all in inches."""
    margin = 0.08
    side = (WIDTH - 2 * margin - _GAP * (columns - 1)) / columns
    step = side + _GAP + label
    places = [(margin + (side + _GAP) * (k % columns), step * (k // columns)) for k in range(count)]
    rows = max(1, -(-count // columns))
    return side, places, step * rows - _GAP


def fit(text: str, inches: float) -> str:
    """Cut a label to a width.

    Parameters
    ----------
    text : str
        The label; underscores become spaces.
    inches : float
        The width.

    Returns
    -------
    str
        The label; where something is missing, it ends with an ellipsis.
    """
    text = words(text)
    if Plate.text_width(text) <= inches:
        return text
    while len(text) > 1 and Plate.text_width(text + "…") > inches:
        text = text[:-1].rstrip()
    return text + "…"
