"""Figures 3, 4 and 5 and Table 2 of the paper: how receptive fields are measured, how large they are, and
what they show.

The figures take fields, tables and images. They run no network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.installation import HERE
from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.field import HALF, DiscrepancyMaps, EmpiricalRF
from scenelens.sentences import number
from scenelens.studies import Study, TopImage, top_images
from scenelens.workbook import (
    BODY,
    HAIR,
    INK,
    SMALL,
    SOFT,
    WIDTH,
    Plate,
    dimmed,
    heat,
    map_in_frame,
    mark_peak,
    network_color,
    show_tile,
)

_GAP, _SCALE = 0.06, 0.6  # inches between tiles, and for an axis with its name
_BOLDER = 1.15  # how much wider bold type is, about
_EDGE = "#7fe0ff"  # outlines on heat: light blue is on none of its colours


def figure_3_pipeline(study: Study, network: str, field: EmpiricalRF, n: int = 4) -> Plate:
    """Figure 3: from images to a receptive field.

    Above are a unit's top images, in the middle their discrepancy maps, below the maps moved to a common
    centre, and at the right their average.

    Parameters
    ----------
    study : Study
        An open study.
    network : str
        The network's name in the study.
    field : EmpiricalRF
        The field, with the single images' maps, as `_NetworkAtlas.compute` gives it.
    n : int, optional
        How many of its images to show; all are averaged.

    Returns
    -------
    Plate
        The figure.

    Raises
    ------
    SceneLensError
        If the unit has no field, or the field has no single maps.
    """
    maps = _maps_of(field)
    n = max(1, min(n, len(field.peaks)))
    tops = top_images(study, network, field.layer, field.unit, int(field.images[:n].max()) + 1)
    side = min(1.15, (WIDTH - 2.9 - _GAP * n) / n)
    rows = ("image", "discrepancy", "re-centred")
    plate = Plate(
        f"How the receptive field of {field.layer}:{field.unit} ({network} network) is found",
        len(rows) * (side + _GAP), _pipeline_caption(maps, field.theoretical.whole), photo=True,
    )  # fmt: skip
    for k, name in enumerate(rows):
        y = k * (side + _GAP) + side / 2
        plate.words(0.17, y, name, rotation=90, ha="center", va="center", weight="bold")
    for k in range(n):
        _pipeline_column(plate, tops[int(field.images[k])], maps, k, 0.34 + k * (side + _GAP), side)
    large = min(2.9, WIDTH - 0.34 - n * (side + _GAP) - 0.3)
    axes = plate.tile_at(WIDTH - large - 0.08, 0.24, large, large)
    _show_field(axes, field)
    middle = WIDTH - large / 2 - 0.08
    plate.words(middle, 0.0, f"average of {len(field.peaks)} images", ha="center", weight="bold")
    about = f"side {number(field.size)} px, of {np.mean(field.theoretical.size):.0f} possible"
    if field.theoretical.whole:
        about = f"side {number(field.size)} px; possible is the whole image"
    plate.words(middle, large + 0.3, about, ha="center", size=SMALL)
    return plate


def _maps_of(field: EmpiricalRF) -> DiscrepancyMaps:
    """The single images' maps of a field that can be drawn."""
    if field.reason:
        raise SceneLensError(f"there is no receptive field to draw: {field.reason}.")
    if field.evidence is None:
        raise SceneLensError(
            f"the atlas stores the average of {field.layer}:{field.unit} and not the single images' maps; "
            "compute the field anew with atlas.part(network).compute(layer, unit)."
        )
    return field.evidence


def _pipeline_column(
    plate: Plate, top: TopImage, evidence: DiscrepancyMaps, k: int, left: float, side: float
) -> None:
    axes = [plate.tile_at(left, row * (side + _GAP), side, side) for row in range(3)]
    show_tile(axes[0], top.frame)
    mark_peak(axes[0], top)
    if k == 0:
        _draw_occluder(axes[0], evidence, top)
    frame = top.frame.shape[:2]
    show_tile(axes[1], heat(map_in_frame(evidence.maps[k], frame, evidence.occluder, evidence.stride)))
    mark_peak(axes[1], replace(top, center=None))  # the box alone: a ring would hide what it marks
    show_tile(axes[2], heat(evidence.recentered(k)))


def _draw_occluder(axes: Axes, evidence: DiscrepancyMaps, top: TopImage) -> None:
    """One occluder, drawn where it changes most: noise of the size and place it really had."""
    at = np.unravel_index(int(np.argmax(evidence.maps[0])), evidence.maps[0].shape)
    y, x = (int(place) * evidence.stride for place in at)
    height, width = evidence.occluder
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    axes.imshow(noise, extent=(x, x + width, y + height, y), interpolation="nearest", zorder=3)
    box = Rectangle((x, y), width, height, fill=False, edgecolor="#ff3b30", linewidth=1.2, zorder=4)
    axes.add_patch(box)
    axes.set(xlim=(0, top.frame.shape[1]), ylim=(top.frame.shape[0], 0))


def _pipeline_caption(evidence: DiscrepancyMaps, whole: bool) -> str:
    height, width = evidence.occluder
    count = evidence.maps.shape[1] * evidence.maps.shape[2]
    marks = "Ring and box: the peak's centre, and all that the peak could see."
    if whole:
        marks = "Ring: the peak's centre; the unit could see the whole image."
    return (
        f"A patch of noise, {width} × {height} pixels (red box, drawn where it mattered most), is placed "
        f"at {count:,} positions, {evidence.stride} pixels apart. The lighter, the more the unit's peak "
        f"changed. {marks} Below, each map is moved until that centre lies in the middle; grey was never "
        "covered. The outline at the right encloses at least half of the maximum. After Figure 3."
    )


def _show_field(axes: Axes, field: EmpiricalRF) -> None:
    """A field in the middle of an empty frame: heat, the outline of its mask, the box of what the unit could
    see."""
    height, width = field.input_size
    show_tile(axes, heat(field.map))
    if field.mask.any():
        axes.contour(
            np.arange(width) + 0.5, np.arange(height) + 0.5, field.mask.astype(float), [0.5],
            colors=_EDGE, linewidths=1.0,
        )  # fmt: skip
    size = (
        field.theoretical.size if isinstance(field.theoretical.size, tuple) else (field.theoretical.size,) * 2
    )
    y, x = (max(0.0, (length - one) / 2) for length, one in zip((height, width), size, strict=True))
    box = Rectangle(
        (x, y), width - 2 * x, height - 2 * y, fill=False, edgecolor="white", linewidth=0.8, ls=":"
    )
    axes.add_patch(box)
    axes.set(xlim=(0, width), ylim=(height, 0))


def convergence(field: EmpiricalRF) -> Plate:
    """How a field settles as images are added: its size, and how similar its map is to the final one.

    Parameters
    ----------
    field : EmpiricalRF
        The field, with the single images' maps, as `_NetworkAtlas.compute` gives it.

    Returns
    -------
    Plate
        The figure.

    Raises
    ------
    SceneLensError
        If the unit has no field, or the field has no single maps.
    """
    curve = _maps_of(field).convergence()
    caption = (
        f"{field.layer}:{field.unit}, its images added one by one, best first. Above: size in pixels, and "
        f"the 95% interval of the last. Below: correlation with the map of all {len(curve)} images."
    )
    plate = Plate("How many images does it take?", 3.0, caption)
    above, below = (plate.axes_at(0.6, top, WIDTH - 0.8, 1.1) for top in (0.0, 1.4))
    interval = field.interval
    above.axhspan(*interval, color=HAIR, alpha=0.5, lw=0)
    above.plot(curve["n_images"], curve["size"], color=INK, lw=1.6, marker="o", ms=3)
    below.plot(curve["n_images"], curve["similarity"], color=INK, lw=1.6, marker="o", ms=3)
    above.set(ylim=(0, max(interval[1], curve["size"].max()) * 1.15), ylabel="size (px)")
    below.set(ylim=(min(0.0, curve["similarity"].min()), 1.05), ylabel="similarity", xlabel="images (K)")
    for axes in (above, below):
        axes.set_xlim(0.5, len(curve) + 0.5)
        axes.set_xticks(np.unique(np.linspace(1, len(curve), min(len(curve), 9)).round()))
        Plate.inner_ticks(axes, "y")
        axes.yaxis.grid(True, color=HAIR, lw=0.5)
        axes.yaxis.label.set_size(SMALL)
        axes.xaxis.label.set_size(SMALL)
    above.set_xticklabels([])
    return plate


def table_2_sizes(table: pd.DataFrame, sizes: pd.DataFrame) -> Plate:
    """Table 2 as a figure: every unit measured, the mean of each layer, the theoretical size and the paper's.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `table_2`.
    sizes : pandas.DataFrame
        Of `field_sizes`.

    Returns
    -------
    Plate
        The figure.
    """
    kind = table["n_images"].iloc[0]
    caption = (
        f"Each dot is a unit, its field averaged over {kind} images. Bars and numbers: mean and standard "
        "deviation, and how many of the layer's units were measured. Short black lines: the theoretical size."
    )
    if table["paper"].notna().any():
        caption += " Open diamonds: the mean that the paper found in its network of the same kind."
    depths = table["depth"].nunique()
    plate = Plate("How large a field is, and how large it could be", 3.45, caption)
    axes = plate.axes_at(_SCALE, 0.2, WIDTH - _SCALE - 0.1, 2.7)
    rng, shifts = np.random.default_rng(0), _shifts(table["network"].unique())
    for row in table.to_dict("records"):
        x, color = row["depth"] + shifts[row["network"]], network_color(row["network"])
        found = sizes[(sizes["network"] == row["network"]) & (sizes["depth"] == row["depth"])]["size"]
        axes.scatter(x + rng.uniform(-0.1, 0.1, len(found)), found, s=9, color=color, alpha=0.45, lw=0)
        axes.errorbar(
            x, row["mean"], yerr=_spread(row), color=color, marker="_", ms=18, mew=2, elinewidth=1.2
        )
        axes.plot([x - 0.16, x + 0.16], [row["theoretical"]] * 2, color="black", lw=1.6)
        if row["paper"] == row["paper"]:
            axes.scatter([x - 0.14], [row["paper"]], marker="D", s=40, fc="white", ec=color, lw=1.5, zorder=4)
    highest = max(table["theoretical"].max(), sizes["size"].max())
    axes.set(xlim=(-0.5, depths - 0.5), ylim=(0, highest * 1.08), xticks=[])
    axes.set_ylabel("side (px)", size=SMALL)
    Plate.inner_ticks(axes, "y")
    axes.yaxis.grid(True, color=HAIR, lw=0.5)
    axes.set_axisbelow(True)
    _size_labels(plate, table, shifts, depths)
    return plate


def size_by_cut(table: pd.DataFrame) -> Plate:
    """How the sizes of Table 2 depend on the share of the maximum from which on a pixel counts.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `table_2` for several cuts.

    Returns
    -------
    Plate
        The figure, with one panel for each layer.
    """
    depths = sorted(table["depth"].unique())
    caption = (
        f"Lines: mean over the units measured (n below the layer's name), K = {table['n_images'].iloc[0]} "
        "images; shades: one standard deviation. A field is the region of at least the given share of the "
        f"average's maximum; dots: {100 * HALF:.0f}%, the share in this workbook. Black: theoretical size."
    )
    if table["paper"].notna().any():
        caption += " Dashed: the paper, which gives no share."
    plate = Plate("A size depends on where a field is cut off", 2.85, caption)
    step = (WIDTH - _SCALE) / len(depths)
    width = step - 0.4
    names = list(dict.fromkeys(table["network"]))
    for k, depth in enumerate(depths):
        rows, left = table[table["depth"] == depth], _SCALE + k * step
        layers = " · ".join(dict.fromkeys(rows["layer"]))
        name = Plate.layer_name(layers, (step - 0.15) / _BOLDER, BODY)
        middle = left + width / 2
        plate.words(middle, 0.26, name, weight="bold", ha="center")
        counts = rows.groupby("network", sort=False)["n"].first()
        plate.words(middle, 0.44, "n = " + ", ".join(map(str, counts)), size=SMALL, color=SOFT, ha="center")
        axes = plate.axes_at(left, 0.66, width, 1.75)
        _cut_panel(axes, rows)
        if k == 0:
            axes.set_ylabel("side (px)", size=SMALL)
        plate.words(middle, 2.66, "share of the maximum", size=SMALL, color=SOFT, ha="center")
    for k, network in enumerate(names):
        style = {"color": network_color(network), "weight": "bold", "size": BODY}
        plate.words(_SCALE + 1.3 * k, 0.0, f"{network} network", **style)
    return plate


def _cut_panel(axes: Axes, rows: pd.DataFrame) -> None:
    """One layer: each network's sizes over the cut, and what they compare with."""
    for network, found in rows.sort_values("cut").groupby("network", sort=False):
        color, spread = network_color(str(network)), found["sd"].fillna(0)
        low, high = found["mean"] - spread, found["mean"] + spread
        axes.fill_between(found["cut"], low, high, color=color, alpha=0.12, lw=0)
        axes.plot(found["cut"], found["mean"], color=color, lw=1.6)
        half = found[found["cut"] == HALF]
        axes.plot(half["cut"], half["mean"], "o", color=color, ms=5)
        if found["paper"].notna().any():
            axes.axhline(found["paper"].iloc[0], color=color, lw=1.1, ls=(0, (4, 3)))
    axes.axhline(rows["theoretical"].iloc[0], color="black", lw=1.4)
    highest = (rows["mean"] + rows["sd"].fillna(0)).max()
    axes.set(ylim=(0, 1.08 * np.nanmax([highest, rows["theoretical"].iloc[0]])))
    cuts = sorted(rows["cut"].unique())
    axes.set_xlim(0, cuts[-1] * 1.04)
    axes.set_xticks([0.1, 0.3, 0.5], ["10%", "30%", "50%"])
    Plate.inner_ticks(axes, "y")
    axes.yaxis.grid(True, color=HAIR, lw=0.5)
    axes.set_axisbelow(True)


def _shifts(networks: Sequence[str]) -> dict[str, float]:
    """How far aside of their layer's middle the columns of each network lie.

    >>> _shifts(["scene", "object"]), _shifts(["scene"])
    ({'scene': -0.2, 'object': 0.2}, {'scene': 0.0})
    """
    if len(networks) == 1:
        return {networks[0]: 0.0}
    return dict(zip(networks, np.linspace(-0.2, 0.2, len(networks)).round(3).tolist(), strict=True))


def _spread(row: dict[Any, Any]) -> float:
    return row["sd"] if row["sd"] == row["sd"] else 0.0


def _size_labels(plate: Plate, table: pd.DataFrame, shifts: dict, depths: int) -> None:
    """Under each column: the layer's name, mean ± s.d., n of all; above, the networks by colour."""
    step = (WIDTH - _SCALE - 0.1) / depths
    for row in table.to_dict("records"):
        x = _SCALE + (row["depth"] + 0.5 + shifts[row["network"]]) * step
        spread = f" ± {row['sd']:.0f}" if row["sd"] == row["sd"] else ""
        mean = "–" if math.isnan(row["mean"]) else f"{row['mean']:.0f}{spread}"
        style = {"ha": "center", "size": SMALL, "color": network_color(row["network"])}
        plate.words(x, 3.12, mean, **style)
        of_all = "" if row["n"] == row["units"] else f"/{row['units']}"  # no room where all are there
        plate.words(x, 3.28, f"n={row['n']}{of_all}", **style | {"color": SOFT})
    for depth, rows in table.groupby("depth"):
        names = list(dict.fromkeys(rows["layer"]))
        room = (step - 0.06) / _BOLDER / len(names) - Plate.text_width(" · ") * (len(names) > 1)
        text = " · ".join(Plate.layer_name(name, room) for name in names)
        plate.words(_SCALE + (depth + 0.5) * step, 2.95, text, ha="center", weight="bold", size=SMALL)
    for k, network in enumerate(shifts):
        style = {"color": network_color(network), "weight": "bold", "size": BODY}
        plate.words(_SCALE + 0.12 + 1.3 * k, 0.0, f"{network} network", **style)


def figure_4_fields(study: Study, atlas: Atlas, network: str, n_units: int = 3, n_patches: int = 9) -> Plate:
    """Figure 4: the fields of some units of each layer, chosen at random, and the patches that drive them
    most.

    A patch is as large as the unit's field, around the peak in one of its top images. A field is drawn in the
    frame of the whole image, so that the fields of different layers compare.

    Parameters
    ----------
    study : Study
        An open study.
    atlas : Atlas
        Its atlas.
    network : str
        A trained network of the study.
    n_units : int, optional
        Units per layer.
    n_patches : int, optional
        Patches per unit.

    Returns
    -------
    Plate
        The figure; layers without a measured unit are left out.

    Raises
    ------
    CannotAnswerError
        If no unit has been measured.
    """
    part = atlas.part(network)
    measured = {layer: [one for one in part.sample(layer) if not one.reason] for layer in part.layers}
    chosen = {layer: fields[:n_units] for layer, fields in measured.items() if fields}
    lines = sum(len(fields) for fields in chosen.values())
    if not lines:
        raise CannotAnswerError(
            f"no unit of the {network} network has a receptive field yet: call atlas.grow(2), or run "
            f"{HERE.call('atlas')}."
        )
    side = (WIDTH - 0.5 - 1.0 - _GAP * (n_patches + 1)) / (n_patches + 1)
    height = lines * (side + _GAP) + 0.12 * len(chosen)
    caption = (
        "Left: the field in the frame of the whole image. The outline encloses at least half of the maximum, "
        "the dotted box what the unit could see. Right: patches as large as the field, around the peaks in "
        "the unit's top images. Units were chosen at random. After Figure 4."
    )
    plate = Plate(f"What units see: {network} network", max(height, side), caption, photo=True)
    y = 0.0
    for layer, fields in chosen.items():
        for field in fields:
            _field_line(plate, top_images(study, network, layer, field.unit, n_patches), field, y, side)
            y += side + _GAP
        middle = y - (side + _GAP) * len(fields) / 2
        style = {"ha": "center", "va": "center", "weight": "bold", "color": network_color(network)}
        # Beside a single unit there is no room for a long name, which the unit's own name begins with, too.
        if Plate.text_width(layer, BODY) * _BOLDER < (side + _GAP) * len(fields):
            plate.words(0.2, middle, layer, rotation=90, **style)
        y += 0.12
    return plate


def _field_line(plate: Plate, tops: list[TopImage], field: EmpiricalRF, y: float, side: float) -> None:
    plate.words(0.45, y + side / 2 - 0.08, f"{field.layer}:{field.unit}"[-14:], size=SMALL)
    plate.words(0.45, y + side / 2 + 0.08, f"{number(field.size)} px", size=SMALL, color=SOFT)
    _show_field(plate.tile_at(1.42, y, side, side), field)
    for k, top in enumerate(top for top in tops if top.center is not None):
        left = 1.42 + (k + 1) * (side + _GAP)
        show_tile(plate.tile_at(left, y, side, side), _patch(top.frame, top.center, field.size))  # type: ignore[arg-type]


def _patch(image: np.ndarray, center: tuple[float, float], side: float) -> np.ndarray:
    """A square part of an image, at least 8 pixels wide; white where it reaches beyond the image.

    >>> _patch(np.zeros((20, 20, 3), np.uint8), (0, 10), 9)[:, :, 0].mean(axis=1).tolist()
    [255.0, 255.0, 255.0, 255.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    n = max(8, round(side)) if side == side else 8  # a field without a size (NaN) gets the smallest patch
    top, left = (round(c - (n - 1) / 2) for c in center)
    page = np.full((n, n, 3), 255, np.uint8)
    rows, columns = (
        slice(max(0, at), max(0, min(length, at + n)))
        for at, length in ((top, image.shape[0]), (left, image.shape[1]))
    )
    part = image[rows, columns]
    page[
        rows.start - top : rows.start - top + part.shape[0],
        columns.start - left : columns.start - left + part.shape[1],
    ] = part
    return page


def figure_5_segmentations(examples: pd.DataFrame) -> Plate:
    """Figure 5: where units are active in their top images: one unit of each layer, networks side by side.

    Parameters
    ----------
    examples : pandas.DataFrame
        Of `segment_examples`.

    Returns
    -------
    Plate
        The figure.
    """
    networks = list(examples["network"].unique())
    n = int(examples.groupby(["network", "depth"]).size().max())
    block = (WIDTH - 0.1) / len(networks)
    side = (block - 0.12 - _GAP * n) / n
    step = side + 0.3
    share = 100 * examples["threshold"].iloc[0]
    caption = (
        f"One unit of each layer, chosen at random, in its {n} top images. In full light: the unit's field "
        f"at every position where it responds with at least {share:.0f}% of its peak. After Figure 5."
    )
    height = 0.25 + step * (examples["depth"].max() + 1)
    plate = Plate("Where units are active", height, caption, photo=True)
    for b, network in enumerate(networks):
        left = 0.08 + b * block
        plate.words(left, 0.0, f"{network} network", weight="bold", color=network_color(network))
        for depth, rows in examples[examples["network"] == network].groupby("depth"):
            _segmented_line(plate, rows, left, 0.25 + depth * step, side)
    return plate


def _segmented_line(plate: Plate, rows: pd.DataFrame, left: float, top: float, side: float) -> None:
    plate.words(left, top, f"{rows['layer'].iloc[0]}:{rows['unit'].iloc[0]}", size=SMALL, color=INK)
    for k, (frame, mask) in enumerate(zip(rows["frame"], rows["mask"], strict=True)):
        axes = plate.tile_at(left + k * (side + _GAP), top + 0.18, side, side)
        show_tile(axes, dimmed(frame, mask))
