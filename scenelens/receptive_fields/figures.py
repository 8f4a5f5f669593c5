"""Figures 3, 4 and 5 and Table 2 of the paper: how receptive fields are found, how large they are, what they
show."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from scenelens.errors import SceneLensError
from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.field import EmpiricalRF, size_interval
from scenelens.receptive_fields.unit_segmentation import segment_unit
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
    bare,
    dimmed,
    heat,
    map_in_frame,
    mark_peak,
    network_color,
    patch,
    show_tile,
)

_GAP, _SCALE = 0.06, 0.6  # inches between tiles, and for an axis with its name
_EDGE = "#7fe0ff"  # outlines on heat: light blue is on none of its colours


def figure_3_pipeline(study: Study, network: str, field: EmpiricalRF, n: int = 4) -> Plate:
    """Figure 3: from images to a receptive field. Above, a unit's top images; in the middle their discrepancy
    maps; below, the maps moved to a common centre; at the right, their average.

    Parameters
    ----------
    field : with its single maps, as `estimate_rf` or `NetworkAtlas.compute` gives it.
    n : how many of its images to show; all are averaged.

    Raises
    ------
    SceneLensError : a unit without a field.
    """
    n = _shown(field, n)
    tops = top_images(study, network, field.layer, field.unit, int(field.images[:n].max()) + 1)
    side = min(1.15, (WIDTH - 2.9 - _GAP * n) / n)
    rows = ("image", "discrepancy", "re-centred")
    plate = Plate(
        f"How the receptive field of {field.layer}:{field.unit} ({network} network) is found",
        len(rows) * (side + _GAP), _pipeline_caption(field), photo=True,
    )  # fmt: skip
    for k, name in enumerate(rows):
        y = k * (side + _GAP) + side / 2
        plate.words(0.17, y, name, rotation=90, ha="center", va="center", weight="bold")
    for k in range(n):
        _pipeline_column(plate, tops[int(field.images[k])], field, k, 0.34 + k * (side + _GAP), side)
    large = min(2.9, WIDTH - 0.34 - n * (side + _GAP) - 0.3)
    axes = plate.axes_at(WIDTH - large - 0.08, 0.24, large, large)
    show_field(axes, field)
    middle = WIDTH - large / 2 - 0.08
    plate.words(middle, 0.0, f"average of {len(field.peaks)} images", ha="center", weight="bold")
    about = f"side {number(field.size)} px, of {np.mean(field.theoretical.size):.0f} possible"
    plate.words(middle, large + 0.3, about, ha="center", size=SMALL)
    return plate


def _shown(field: EmpiricalRF, n: int = 1) -> int:
    """How many of a field's images to show, at most n; a SceneLensError where it has none."""
    if field.reason:
        raise SceneLensError(f"there is no receptive field to draw: {field.reason}.")
    return max(1, min(n, len(field.peaks)))


def _pipeline_column(
    plate: Plate, top: TopImage, field: EmpiricalRF, k: int, left: float, side: float
) -> None:
    axes = [plate.axes_at(left, row * (side + _GAP), side, side) for row in range(3)]
    show_tile(axes[0], top.frame)
    mark_peak(axes[0], top)
    if k == 0:
        _draw_occluder(axes[0], field, top)
    frame = top.frame.shape[:2]
    show_tile(axes[1], heat(map_in_frame(field.maps[k], frame, field.occluder, field.stride)))
    mark_peak(axes[1], replace(top, center=None))  # the box alone: a ring would hide what it marks
    show_tile(axes[2], heat(field.recentered(k)))


def _draw_occluder(axes: Axes, field: EmpiricalRF, top: TopImage) -> None:
    """One occluder, drawn where it changes most: noise of the size and place it really had."""
    at = np.unravel_index(int(np.argmax(field.maps[0])), field.maps[0].shape)
    y, x = (int(place) * field.stride for place in at)
    height, width = field.occluder
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    axes.imshow(noise, extent=(x, x + width, y + height, y), interpolation="nearest", zorder=3)
    box = Rectangle((x, y), width, height, fill=False, edgecolor="#ff3b30", linewidth=1.2, zorder=4)
    axes.add_patch(box)
    axes.set(xlim=(0, top.frame.shape[1]), ylim=(top.frame.shape[0], 0))


def _pipeline_caption(field: EmpiricalRF) -> str:
    height, width = field.occluder
    count = field.maps.shape[1] * field.maps.shape[2]
    return (
        f"A patch of noise, {width} × {height} pixels (red box, drawn where it mattered most), is set on "
        f"{count:,} places, {field.stride} pixels apart. The lighter, the more the unit's peak changed. Ring "
        "and box: the peak's centre and all it could see. Below, each map is moved until that centre lies in "
        "the middle; grey was never covered. The outline at the right encloses at least half of the maximum. "
        "After Figure 3."
    )


def show_field(axes: Axes, field: EmpiricalRF) -> None:
    """A field in the middle of an empty frame: heat, the outline of its half, the box of what is possible."""
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
    """How a field settles as images are added: its size, and how much its map is like the final one."""
    _shown(field)
    curve = field.convergence()
    caption = (
        f"{field.layer}:{field.unit}, its images added one by one, best first. Above: size in pixels, and "
        f"the 95% interval of the last. Below: correlation with the map of all {len(curve)} images."
    )
    plate = Plate("How many images does it take?", 3.0, caption)
    above, below = (plate.axes_at(0.6, top, WIDTH - 0.8, 1.1) for top in (0.0, 1.4))
    interval = size_interval(field)
    above.axhspan(*interval, color=HAIR, alpha=0.5, lw=0)
    above.plot(curve["n_images"], curve["size"], color=INK, lw=1.6, marker="o", ms=3)
    below.plot(curve["n_images"], curve["similarity"], color=INK, lw=1.6, marker="o", ms=3)
    above.set(ylim=(0, max(interval[1], curve["size"].max()) * 1.15), ylabel="size (px)")
    below.set(ylim=(min(0.0, curve["similarity"].min()), 1.05), ylabel="similarity", xlabel="images (K)")
    for axes in (above, below):
        axes.set_xlim(0.5, len(curve) + 0.5)
        axes.set_xticks(np.unique(np.linspace(1, len(curve), min(len(curve), 9)).round()))
        _inner_ticks(axes)
        axes.yaxis.grid(True, color=HAIR, lw=0.5)
        axes.yaxis.label.set_size(SMALL)
        axes.xaxis.label.set_size(SMALL)
    above.set_xticklabels([])
    return plate


def _inner_ticks(axes: Axes) -> None:
    """Keep the heights' ticks that lie on the axis: matplotlib also makes one beyond either end."""
    low, high = axes.get_ylim()
    axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= high])


def table_2_sizes(table: pd.DataFrame, sizes: pd.DataFrame) -> Plate:
    """Table 2 as a figure: every unit measured, the mean of each layer, the theoretical size and the paper's.

    Parameters
    ----------
    table : of `field_sizes.table_2`. sizes : of `field_sizes.field_sizes`.
    """
    kind = table["n_images"].iloc[0]
    caption = (
        f"Each dot is a unit, its field averaged over {kind} images. Bars and numbers: mean and standard "
        "deviation, and how many of the layer's units were measured. Short black lines: the theoretical size."
    )
    if table["paper"].notna().any():
        caption += " Open diamonds: the mean that the paper found in its scene network."
    depths = table["depth"].nunique()
    plate = Plate("How large a field is, and how large it could be", 3.45, caption)
    axes = plate.axes_at(_SCALE, 0.2, WIDTH - _SCALE - 0.1, 2.7)
    rng, shifts = np.random.default_rng(0), dict(zip(table["network"].unique(), (-0.2, 0.2), strict=False))
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
    _inner_ticks(axes)
    axes.yaxis.grid(True, color=HAIR, lw=0.5)
    axes.set_axisbelow(True)
    _size_labels(plate, table, shifts, depths)
    return plate


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
        plate.words(
            _SCALE + (depth + 0.5) * step, 2.95, " · ".join(names), ha="center", weight="bold", size=SMALL
        )
    for k, network in enumerate(shifts):
        style = {"color": network_color(network), "weight": "bold", "size": BODY}
        plate.words(_SCALE + 0.12 + 1.3 * k, 0.0, f"{network} network", **style)


def figure_4_fields(study: Study, atlas: Atlas, network: str, n_units: int = 3, n_patches: int = 9) -> Plate:
    """Figure 4: the fields of some units of each layer, drawn by lot, and the patches that drive them most.

    A patch is as large as the unit's field, around the peak of one of its top images; a field is drawn in the
    frame of the whole image, so that the fields of different layers compare.
    """
    part = atlas.part(network)
    chosen = {layer: [one for one in part.sample(layer) if not one.reason][:n_units] for layer in part.layers}
    lines = sum(len(fields) for fields in chosen.values())
    side = (WIDTH - 0.5 - 1.0 - _GAP * (n_patches + 1)) / (n_patches + 1)
    height = lines * (side + _GAP) + 0.12 * len(chosen)
    caption = (
        "Left: the field in the frame of the whole image, its half outlined, dotted what the unit could see. "
        "Right: around the peaks of its top images, patches as large as the field. Units drawn by lot. "
        "After Figure 4."
    )
    plate = Plate(f"What units see: {network} network", max(height, side), caption, photo=True)
    y = 0.0
    for layer, fields in chosen.items():
        for field in fields:
            _field_line(plate, top_images(study, network, layer, field.unit, n_patches), field, y, side)
            y += side + _GAP
        middle = y - (side + _GAP) * len(fields) / 2
        style = {"ha": "center", "va": "center", "weight": "bold", "color": network_color(network)}
        plate.words(0.2, middle, layer, rotation=90, **style)
        y += 0.12
    return plate


def _field_line(plate: Plate, tops: list[TopImage], field: EmpiricalRF, y: float, side: float) -> None:
    plate.words(0.45, y + side / 2 - 0.08, f"{field.layer}:{field.unit}"[-14:], size=SMALL)
    plate.words(0.45, y + side / 2 + 0.08, f"{number(field.size)} px", size=SMALL, color=SOFT)
    show_field(plate.axes_at(1.42, y, side, side), field)
    for k, top in enumerate(top for top in tops if top.center is not None):
        left = 1.42 + (k + 1) * (side + _GAP)
        show_tile(plate.axes_at(left, y, side, side), patch(top.frame, top.center, field.size))  # type: ignore[arg-type]


def figure_5_segmentations(study: Study, atlas: Atlas, n: int = 4, threshold: float = 0.5) -> Plate:
    """Figure 5: where units fire in their top images: one unit of each layer, both networks side by side.

    Parameters
    ----------
    n : top images per unit. threshold : a share of the unit's peak over the images of its field.
    """
    pairs, networks = atlas.pairs(), list(atlas.parts)
    block = (WIDTH - 0.1) / len(networks)
    side = (block - 0.12 - _GAP * n) / n
    step = side + 0.3
    caption = (
        f"One unit of each layer, drawn by lot, in its {n} top images: in full light, the unit's field at "
        f"every place where it responds with at least {100 * threshold:.0f}% of its peak. After Figure 5."
    )
    plate = Plate("Where units fire", 0.25 + step * len(pairs), caption, photo=True)
    for b, network in enumerate(networks):
        left = 0.08 + b * block
        plate.words(left, 0.0, f"{network} network", weight="bold", color=network_color(network))
        for k, layer in enumerate(pairs[network]):
            fields = [field for field in atlas.parts[network].sample(layer) if not field.reason]
            if fields:
                _segmented_line(
                    plate, study, atlas, network, fields[0], (left, 0.25 + k * step), side, (n, threshold)
                )
    return plate


def _segmented_line(
    plate: Plate, study: Study, atlas: Atlas, network: str, field: EmpiricalRF,
    corner: tuple[float, float], side: float, how: tuple[int, float],
) -> None:  # fmt: skip
    net = atlas.parts[network].network
    left, top = corner
    plate.words(left, top, f"{field.layer}:{field.unit}", size=SMALL, color=INK)
    for k, one in enumerate(top_images(study, network, field.layer, field.unit, how[0])):
        mask = segment_unit(net, field, study.load_image(one.image), how[1]).mask
        axes = plate.axes_at(left + k * (side + _GAP), top + 0.18, side, side)
        show_tile(axes, dimmed(one.frame, mask))
        bare(axes)
