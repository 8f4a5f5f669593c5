"""Which object is found in which scene: the annotations of a study as one figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from scenelens.sentences import words
from scenelens.workbook.style import INK, SMALL, WIDTH, Plate

_ROW = 0.152  # inches per object
_NAMES, _TOP = 1.25, 1.15  # inches for object names on the left, scene names above


def object_table(presence: pd.DataFrame, *, title: str = "", caption: str = "") -> Plate:
    """How often each object is in each kind of scene, dark for always, white for never.

    Parameters
    ----------
    presence : pandas.DataFrame
        Share of a category's images that show an object, in 0..1: one row per object, one column per scene
        category (see `object_presence`). Objects are drawn from the most to the least frequent.
    title : str, optional
        Title of the figure.
    caption : str, optional
        Caption of the figure; by default it explains the colours.

    Returns
    -------
    Plate
        The figure.

    Examples
    --------
    >>> plate = object_table(pd.DataFrame({"bedroom": [1.0, 0.2]}, index=["bed", "lamp"]))
    >>> [label.get_text() for label in plate.axes[0].get_yticklabels()]
    ['bed', 'lamp']
    """
    presence = presence.loc[presence.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    rows, columns = presence.shape
    counts = f"{rows} object{'s' * (rows != 1)}, {columns} scene{'s' * (columns != 1)}"
    scale = f"White: in no image of the scene; darkest: in every one. {counts}."
    plate = Plate(title, _TOP + _ROW * rows + 0.05, caption or scale)
    width = min(WIDTH - _NAMES - 0.7, 0.5 * columns)
    axes = plate.axes_at(_NAMES, _TOP, width, _ROW * rows)
    ramp = LinearSegmentedColormap.from_list("presence", ["#ffffff", "#9cc3e0", "#0072b2", "#06304d"])
    axes.imshow(presence.to_numpy(float), cmap=ramp, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    _draw_names_and_lines(axes, presence)
    return plate


def _draw_names_and_lines(axes: Axes, presence: pd.DataFrame) -> None:
    rows, columns = presence.shape
    axes.set_xticks(
        np.arange(columns),
        [words(c) for c in presence.columns],
        rotation=60,
        ha="left",
        rotation_mode="anchor",
    )
    axes.set_yticks(np.arange(rows), [words(i) for i in presence.index])
    axes.tick_params(
        top=True, labeltop=True, bottom=False, labelbottom=False, length=0, labelsize=SMALL - 0.5, pad=2
    )
    # White lines between the cells: neighbouring cells of similar colour stay distinct.
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", lw=0.8)
    axes.tick_params(which="minor", length=0)
    for spine in axes.spines.values():
        spine.set(visible=True, color=INK, linewidth=0.6)
