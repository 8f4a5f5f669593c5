"""Figure 1 of the paper: what each layer of the two networks prefers, as images and as shares."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scenelens.metrics import all_equal
from scenelens.sentences import percent
from scenelens.studies import Study
from scenelens.workbook import (
    BODY,
    HAIR,
    INK,
    SMALL,
    SOFT,
    SOURCE_COLORS,
    WIDTH,
    Plate,
    network_color,
    show_tile,
)

#: How far aside of their layer the points of each network lie, so that bars do not overlap.
_SHIFTS = (-0.05, 0.05, 0.0, -0.1, 0.1)
_LEFT, _GAP, _HEAD, _BETWEEN = 0.34, 0.06, 0.24, 0.14  # inches: name column, tiles, layer names, networks


def figure_1_top_images(study: Study, strongest: pd.DataFrame) -> Plate:
    """Draw Figure 1: the images that drive each layer of each network hardest, the strongest on top.

    Parameters
    ----------
    study : Study
        The study that the images come from.
    strongest : pandas.DataFrame
        The table of `strongest_images`: ``network``, ``depth``, ``layer``, ``rank``, ``image``, ``source``.

    Returns
    -------
    Plate
        The figure, with one column per depth. The frame of an image says whether it is scene-centric (blue)
        or object-centric (orange).
    """
    networks = list(dict.fromkeys(strongest["network"]))
    depths, ranks = strongest["depth"].nunique(), strongest["rank"].nunique()
    side = min(1.1, (WIDTH - _LEFT - 0.08 - _GAP * (depths - 1)) / depths)
    block = _HEAD + ranks * (side + _GAP) - _GAP
    title = "What each layer prefers: its strongest images, the strongest on top"
    height = len(networks) * (block + _BETWEEN) - _BETWEEN
    plate = Plate(title, height, _strongest_caption(study, strongest), photo=True)
    for k, network in enumerate(networks):
        rows = strongest[strongest["network"] == network]
        _network_block(plate, study, rows, k * (block + _BETWEEN), side)
    return plate


def _network_block(plate: Plate, study: Study, rows: pd.DataFrame, top: float, side: float) -> None:
    name = str(rows["network"].iloc[0])
    height = _HEAD + rows["rank"].nunique() * (side + _GAP)
    style = {"rotation": 90, "weight": "bold", "color": network_color(name), "ha": "center", "va": "center"}
    plate.words(0.17, top + height / 2 + _HEAD / 2, f"{name} network", **style)
    for found in rows.to_dict("records"):
        left = _LEFT + found["depth"] * (side + _GAP)
        y = top + _HEAD + found["rank"] * (side + _GAP)
        frame = study.networks[name].show_input(study.load_image(found["image"]))
        show_tile(plate.tile_at(left, y, side, side), frame, frame=SOURCE_COLORS[found["source"]])
        if found["rank"] == 0:
            layer = Plate.layer_name(found["layer"], side, BODY)
            plate.words(left + side / 2, top + _HEAD - 0.05, layer, ha="center", va="bottom")


def _strongest_caption(study: Study, strongest: pd.DataFrame) -> str:
    counts = study.images["source"].value_counts()
    frames = {"scene-centric": "blue", "object-centric": "orange"}
    among = " and ".join(
        f"{counts[source]:,} {source} ({frame} frame)" for source, frame in frames.items() if source in counts
    )
    return (
        f"The {strongest['rank'].nunique()} images with the largest response summed over all units and "
        f"positions of a layer, among {among} images. After Figure 1." + _equal_scores(strongest)
    )


def _equal_scores(strongest: pd.DataFrame) -> str:
    """A sentence about the layers that drive nothing hardest; '' where every layer ranks its images."""
    equal = [
        f"{layer} of the {network} network"
        for (network, layer), rows in strongest.groupby(["network", "layer"], sort=False)
        if all_equal(rows["score"].to_numpy())
    ]
    return (
        f" All images shown drive {' and '.join(equal)} equally: their order says nothing." if equal else ""
    )


def figure_1_preference(preference: pd.DataFrame) -> Plate:
    """Draw the share of object-centric images among each layer's strongest, with intervals and chance.

    Parameters
    ----------
    preference : pandas.DataFrame
        The table of `layer_preference`: ``network``, ``depth``, ``layer``, ``share``, ``low``, ``high``,
        ``n``, ``images``, ``chance``, ``paper``, and for a second panel ``shared`` and ``shared_by_chance``.
        Shares are fractions, 0..1.

    Returns
    -------
    Plate
        The figure. The paper's values are open diamonds at the layers that the paper names. The second panel
        shows how many images both networks prefer; it is missing where two networks are not compared.
    """
    n, images = int(preference["n"].max()), int(preference["images"].max())
    caption = (
        f"Each point: the share among the {n} images that drive the layer hardest, of {images:,}; bars are "
        "95% Wilson intervals. Dashed: chance, the share among all images."
    )
    if n == images:
        caption += " Here they are all images, so every share is chance."
    equal = preference[preference["share"].isna()]
    if len(equal):
        names_of_equal = ", ".join(f"{row.layer} of the {row.network} network" for row in equal.itertuples())
        caption += f" No point: {names_of_equal}; there all images drive the layer equally."
    if preference["paper"].notna().any():
        caption += " Open diamonds: the paper, from its own images and networks."
    both = preference[preference["network"] == "object"].sort_values("depth")
    both = both.dropna(subset=["shared"]) if "shared" in both else both.iloc[:0]
    if len(both):
        caption += " Below: how many images are on the lists of both the scene and the object network."
    names = preference.groupby("depth")["layer"].nunique().max()  # lines of layer names below the axes
    title = "Share of object-centric images among each layer's strongest"
    top = 2.87 + 0.17 * names
    plate = Plate(title, top + 1.45 * (len(both) > 0), caption)
    # The networks' names stand to the right of their lines. They are bold, so wider than measured.
    margin = 0.1 + 1.15 * max(Plate.text_width(f"{name} network", BODY) for name in preference["network"])
    axes = plate.axes_at(0.55, 0.05, WIDTH - 0.55 - margin, 2.75)
    axes.axhline(float(preference["chance"].iloc[0]), color=SOFT, lw=1.0, ls=(0, (4, 3)), zorder=1)
    # The networks' points lie a little to the left and right of their layer, so that bars do not overlap.
    shifts = dict(zip(preference["network"].unique(), itertools.cycle(_SHIFTS)))
    for network, rows in preference.groupby("network", sort=False):
        _network_line(axes, rows.sort_values("depth"), shifts[str(network)], network_color(str(network)))
    # The axis reaches a third of a step beyond the first and the last layer.
    _share_axis(axes, preference, (WIDTH - 0.55 - margin) / (preference["depth"].max() + 0.7))
    _direct_labels(axes, preference)
    if len(both):
        plate.words(0.55, top + 0.12, f"Images on both lists, of {n}", weight="bold", size=BODY)
        below = plate.axes_at(0.55, top + 0.4, WIDTH - 0.55 - margin, 0.95)
        _shared_line(below, both, n)
        below.set_xlim(axes.get_xlim())
    return plate


def _shared_line(axes: Axes, both: pd.DataFrame, n: int) -> None:
    """How many images both networks' lists have at each depth, with the number, and chance."""
    depth, shared = (both[name].to_numpy(float) for name in ("depth", "shared"))
    chance = float(both["shared_by_chance"].iloc[0])
    axes.axhline(chance, color=SOFT, lw=1.0, ls=(0, (4, 3)), zorder=1)
    axes.plot(depth, shared, color=INK, lw=1.8, marker="o", ms=5, clip_on=False, zorder=3)
    for x, y in zip(depth, shared, strict=True):
        # Above the point, and below it near the upper edge.
        place, side = ((0, 6), "bottom") if y < 0.8 * n else ((0, -7), "top")
        style: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": side, "size": SMALL}
        axes.annotate(f"{y:.0f}", (x, y), place, **style)
    axes.set(ylim=(0, n), xticks=depth, yticks=[0, n / 2, n])
    axes.set_yticklabels(["0", f"{n / 2:g}", f"{n}"])
    axes.set_xticklabels([""] * len(depth))
    axes.yaxis.grid(True, color=HAIR, lw=0.5, zorder=0)
    axes.set_axisbelow(True)
    style = {"color": SOFT, "size": BODY, "va": "center", "clip_on": False}
    axes.text(depth.max() + 0.42, max(chance, 0.08 * n), f"chance {chance:.3g}", **style)


def _network_line(axes: Axes, rows: pd.DataFrame, shift: float, color: str) -> None:
    x = rows["depth"].to_numpy(float) + shift
    share, low, high = (rows[c].to_numpy(float) for c in ("share", "low", "high"))
    style = {"color": color, "lw": 1.8, "elinewidth": 1.0, "marker": "o", "ms": 5, "clip_on": False}
    axes.errorbar(x, share, yerr=[share - low, high - share], **style)
    paper = rows["paper"].to_numpy(float)
    # A diamond lies further aside than our point, so that it does not cover the point's interval.
    known, aside = ~np.isnan(paper), np.sign(shift) * 0.09
    style = {"marker": "D", "s": 46, "facecolors": "white", "linewidths": 1.5, "zorder": 4}
    axes.scatter((x + aside)[known], paper[known], edgecolors=color, **style)


def _share_axis(axes: Axes, preference: pd.DataFrame, step: float) -> None:
    """Draw per cent on the left, a layer's name at every depth (both networks' names where they differ).

    `step` is how many inches lie between two depths.
    """
    axes.set(ylim=(0, 1), xlim=(-0.35, preference["depth"].max() + 0.35))
    axes.set_yticks(np.linspace(0, 1, 5), ["0%", "25%", "50%", "75%", "100%"])
    axes.yaxis.grid(True, color=HAIR, lw=0.5, zorder=0)
    axes.set_axisbelow(True)
    names = preference.pivot(index="depth", columns="network", values="layer")[preference["network"].unique()]
    axes.set_xticks(list(names.index), [""] * len(names))
    # Ticks have no labels of their own: two networks' layers may have different names, in two rows and
    # colours.
    rows = [names.iloc[:, 0]] if (names.nunique(axis=1) == 1).all() else [names[c] for c in names]
    for k, row in enumerate(rows):
        color = INK if len(rows) == 1 else network_color(str(row.name))
        for depth, name in row.items():
            style: dict[str, Any] = {"ha": "center", "va": "top", "size": SMALL, "color": color}
            short = Plate.layer_name(str(name), step - 0.06)
            axes.annotate(short, (depth, 0), (0, -8 - 12 * k), textcoords="offset points", **style)


def _direct_labels(axes: Axes, preference: pd.DataFrame) -> None:
    """Write the networks' names and the chance level next to the ends of their lines, moved apart."""
    last = preference[preference["depth"] == preference["depth"].max()]
    chance = float(preference["chance"].iloc[0])
    labels = [
        # The name of a network without a preference stands at chance.
        (chance if np.isnan(r.share) else r.share, f"{r.network} network", network_color(r.network), "bold")
        for r in last.itertuples()
    ]
    labels.append((chance, f"chance {percent(chance)}", SOFT, "normal"))
    labels.sort(key=lambda item: item[0])
    heights = _apart([item[0] for item in labels], 0.075)
    edge = preference["depth"].max() + 0.42
    for height, (_, text, color, weight) in zip(heights, labels, strict=True):
        axes.text(edge, height, text, color=color, weight=weight, size=BODY, va="center", clip_on=False)


def _apart(values: list[float], gap: float) -> list[float]:
    """Push ascending values apart to at least `gap`, moved as little as possible, within 0..1.

    Each pass pushes every pair that is too close by half of what is missing, to both sides, so a group of
    labels stays centred on its values. Sixty passes are more than four labels need.

    >>> [round(v, 3) for v in _apart([0.5, 0.52, 0.9], 0.1)]
    [0.46, 0.56, 0.9]
    """
    placed = list(values)
    for _ in range(60):
        for k in range(len(placed) - 1):
            missing = gap - (placed[k + 1] - placed[k])
            if missing > 1e-9:
                placed[k] -= missing / 2
                placed[k + 1] += missing / 2
        placed = [min(max(v, 0.02), 0.98) for v in placed]
    return placed


def transfer_dots(table: pd.DataFrame) -> Plate:
    """Draw how well each network's features serve each task, with intervals, chance and the paper's numbers.

    Parameters
    ----------
    table : pandas.DataFrame
        The table of `transfer`; tasks that could not be tried are left out.

    Returns
    -------
    Plate
        The figure.
    """
    tried = table[table["n"] > 0]
    tasks = list(dict.fromkeys(tried["task"]))
    counts = "; ".join(
        f"{task} task: {rows['categories'].iloc[0]} categories, {rows['n_train'].iloc[0]:,} images to learn "
        f"from, {rows['n'].iloc[0]:,} to test on"
        for task, rows in tried.groupby("task", sort=False)
    )
    caption = (
        f"Accuracy of a linear SVM on the deepest layer compared; {counts}. Bars: 95% Wilson intervals; "
        "short dashes: chance"
    )
    quoted = tried["paper"].notna().any()
    caption += "; open diamonds: the paper, on 205 scene categories." if quoted else "."
    height = 0.75 if tried["features"].nunique() < 3 else 1.05  # inches for each task
    plate = Plate("Whose features serve which task?", 0.4 + height * max(1, len(tasks)), caption)
    axes = plate.axes_at(1.35, 0.0, WIDTH - 1.35 - 1.5, 0.15 + height * max(1, len(tasks)))
    for place, task in enumerate(tasks):
        _task_dots(axes, tried[tried["task"] == task], place)
    axes.set(xlim=(0, 1), ylim=(max(1, len(tasks)) - 0.45, -0.5))
    axes.set_xticks(np.linspace(0, 1, 5), ["0%", "25%", "50%", "75%", "100%"])
    axes.set_yticks(range(len(tasks)), [f"{task} categories" for task in tasks])
    axes.xaxis.grid(True, color=HAIR, lw=0.5)
    axes.set_axisbelow(True)
    return plate


def _task_dots(axes: Axes, rows: pd.DataFrame, place: int) -> None:
    """Draw one task: a dot and bar per network, its name at the right edge, the paper's diamond."""
    axes.plot([rows["chance"].iloc[0]] * 2, [place - 0.3, place + 0.3], color=SOFT, lw=1.2, ls=(0, (3, 2)))
    reach = 0.16 if len(rows) < 3 else 0.24
    shifts = np.linspace(-reach, reach, len(rows)) if len(rows) > 1 else [0.0]
    for row, shift in zip(rows.to_dict("records"), shifts, strict=True):
        color, y = network_color(row["features"]), place + shift
        bars = [[row["share"] - row["low"]], [row["high"] - row["share"]]]
        axes.errorbar(row["share"], y, xerr=bars, color=color, marker="o", ms=6, elinewidth=1.2)
        style = {"color": color, "weight": "bold", "size": BODY, "va": "center", "clip_on": False}
        axes.text(1.02, y, f"{row['features']} network", **style)
        if row["paper"] == row["paper"]:
            style = {"marker": "D", "s": 46, "facecolors": "white", "edgecolors": color, "zorder": 4}
            axes.scatter([row["paper"]], [y], **style)
