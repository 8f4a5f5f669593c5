"""The paper's own networks from what was published about their units: Figure 9c without their weights."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.errors import SceneLensError
from scenelens.sentences import share_text
from scenelens.workbook import SMALL, SOFT, Plate, fit, network_color

_ROW = 0.17  # inches, a line of a bar chart


_NETWORKS = {
    "scene": "scene network (Places205-AlexNet)",
    "object": "object network (ImageNet-AlexNet)",
}


def published_counts(units: pd.DataFrame, source: str, n: int = 30) -> Plate:
    """Units per object in the paper's own two networks, from what was published about them.

    Parameters
    ----------
    units : pandas.DataFrame
        Of `published_units`.
    source : str
        'released answers' or 'Network Dissection'.
    n : int, optional
        Largest number of objects (default 30).

    Returns
    -------
    Plate
        The figure.

    Raises
    ------
    SceneLensError
        If the table has no unit of the source.
    """
    own = units[units.source == source]
    if own.empty:
        known = ", ".join(units.source.unique()) or "none"
        raise SceneLensError(f"the table has no units of {source!r}; sources: {known}.")
    table = own.groupby(["object", "network"]).size().unstack(fill_value=0).rename_axis(index="name")
    table = table.reindex(columns=["scene", "object"], fill_value=0)
    table = table.sort_values(["scene", "object"], ascending=False, kind="stable")
    rule = own.rule.iloc[0]
    none, all_units = paper.NO_OBJECT["pool5"]
    totals = [_total(table[name], all_units, place) for name, place in _NETWORKS.items()]
    caption = (
        f"Units that detect an object ({rule}): {'; '.join(totals)}. The paper's own count for its scene "
        f"network: {all_units - none} units. "
    )
    if len(table) > n:
        caption += f"{len(table) - n} more objects, with fewer units, are not shown."
    shown = table.head(n)
    half = -(-len(shown) // 2)
    plate = Plate(f"The paper's own networks: {source}", half * _ROW * 1.15 + 0.28, caption)
    for k, network in enumerate(("scene", "object")):
        style = {"weight": "bold", "size": SMALL, "color": network_color(network)}
        plate.words(1.35 + 1.3 * k, 0.0, f"{network} network", **style)
    most = max(1, int(table.to_numpy().max(initial=1)))
    for column in range(2):
        part = shown.iloc[column * half : (column + 1) * half]
        if len(part):
            _paired(plate, part, 1.35 + 3.6 * column, (half * _ROW * 1.15, half), most)
    return plate


def _total(counts: pd.Series, n: int, place: str) -> str:
    """How many of a network's n units, over how many objects, and the share of all."""
    units, objects = int(counts.sum()), int((counts > 0).sum())
    share = share_text(units / n, units / n, units / n, n)
    return f"{units} units over {objects} object{'' if objects == 1 else 's'} in the {place}, {share}"


def _paired(plate: Plate, part: pd.DataFrame, left: float, size: tuple[float, int], most: int) -> None:
    height, rows = size
    axes = plate.axes_at(left, 0.24, 2.15, height)
    axes.set(ylim=(-0.5, rows - 0.5), xlim=(0, 1.12 * most), xticks=[], yticks=[])
    y = rows - 1 - np.arange(len(part))
    for k, network in enumerate(("scene", "object")):
        values = part[network].to_numpy(float)
        axes.barh(y + 0.2 - 0.4 * k, values, height=0.38, color=network_color(network))
        for place, value in zip(y[values > 0], values[values > 0], strict=True):
            spot = (value + 0.02 * most, place + 0.2 - 0.4 * k)
            axes.text(*spot, f"{value:.0f}", size=6, va="center", color=SOFT)
    for k, name in enumerate(part.index):
        middle = 0.24 + height * (k + 0.5) / rows
        plate.words(left - 0.07, middle, fit(name, 1.2), size=SMALL, ha="right", va="center")
