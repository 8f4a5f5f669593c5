"""Figure 9 of the paper: which objects emerge, how frequent they are, how well they tell scenes apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from scenelens import paper
from scenelens.emergence.frequency import _Zipf
from scenelens.emergence.study_emergence import Emergence
from scenelens.emergence.views import _DetectorViews, _UnitView
from scenelens.intervals import wilson_interval
from scenelens.sentences import percent, share_text
from scenelens.workbook import BODY, HAIR, INK, SMALL, SOFT, WIDTH, Plate, fit, network_color, show_tile

# Inches: between tiles, a line of a bar chart, a network in the lower part of `detectors_by_layer`.
_GAP, _ROW, _NETWORK = 0.05, 0.185, 0.66


def zipf(found: Emergence, names: int = 8) -> Plate:
    """Figure 9b: how frequent each object is, by rank, and Zipf's law.

    Parameters
    ----------
    found : Emergence
        Of `measure_emergence`.
    names : int, optional
        Number of the most frequent objects that are named (default 8).

    Returns
    -------
    Plate
        The figure.
    """
    table, law = found.frequency, found.zipf
    caption = (
        f"{int(table.instances.sum()):,} instances of {law.n_objects} "
        f"object{'' if law.n_objects == 1 else 's'} on {law.n_images:,} annotated images of scenes. "
        f"{_law_words(law)}After Figure 9b."
    )
    plate = Plate("A few objects are everywhere, most are rare", 2.75, caption)
    axes = plate.axes_at(0.72, 0.0, 3.6, 2.3)
    shown = table[table.instances > 0]
    axes.loglog(shown["rank"], law.line(shown.instances.to_numpy()), color=SOFT, lw=1.2)
    axes.loglog(shown["rank"], shown.instances, "o", ms=3.5, color=INK)
    axes.set_xlabel("rank", size=SMALL, color=SOFT)
    axes.set_ylabel("instances", size=SMALL, color=SOFT)
    axes.minorticks_off()
    Plate.inner_ticks(axes)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    plate.words(4.75, 0.0, "the most frequent", weight="bold", size=BODY)
    for k, row in enumerate(shown.head(names).itertuples()):
        y = 0.25 + 0.2 * k
        plate.words(4.75, y, fit(row.object, 1.1), size=SMALL)
        plate.words(6.45, y, f"{row.instances:,}", size=SMALL, ha="right")
        plate.words(7.05, y, percent(row.share), size=SMALL, color=SOFT, ha="right")
    of = "of images" if found.seen.known is None else "of their sets"
    plate.words(7.05, 0.25 + 0.2 * min(names, len(shown)), of, size=SMALL, color=SOFT, ha="right")
    return plate


def _law_words(law: _Zipf) -> str:
    if law.exponent != law.exponent:
        return "A law about the order of objects needs two objects or more. "
    between = f"95% interval {law.low:.2f} to {law.high:.2f}, by drawing the images anew"
    between = between if law.low == law.low else "no interval"
    fit = f"; R² of the logarithms {law.fit:.2f}" if law.fit == law.fit else ""
    return f"Grey: Zipf's law with exponent {law.exponent:.2f} ({between}){fit}. "


def figure_9_units(found: Emergence, views: _DetectorViews) -> Plate:
    """Figure 9a: units grouped by the object they detect, the units of one object below each other.

    Parameters
    ----------
    found : Emergence
        Of `measure_emergence`.
    views : _DetectorViews
        What is shown, of `detector_views`.

    Returns
    -------
    Plate
        The figure.
    """
    network, n = views.network, views.n_images
    counts = found.of(network).object.value_counts()
    width = (WIDTH - 0.3) / 2
    side = (width - 0.5 - _GAP * (n - 1)) / n
    places, height = _columns([0.26 + len(units) * (side + _GAP) + 0.1 for units in views.objects.values()])
    title = f"Units of the {network} network, by the object they detect"
    plate = Plate(title, max(height, 0.3), _units_caption(found, views), photo=True)
    if not views.objects:
        plate.words(0.1, 0.0, f"No unit of {found.layers[network]} detects an object by this rule.")
    for (name, units), (column, top) in zip(views.objects.items(), places, strict=True):
        left = 0.08 + column * (width + 0.14)
        count = int(counts[name])
        words = f"{count} unit{'' if count == 1 else 's'}"
        words += "" if count == len(units) else f", {len(units)} shown"
        plate.words(left, top, fit(name, 2.0), weight="bold", color=network_color(network))
        plate.words(left + width, top + 0.01, words, size=SMALL, color=SOFT, ha="right")
        for k, unit in enumerate(units):
            _unit_line(plate, unit, left, top + 0.22 + k * (side + _GAP), side)
    return plate


def _columns(heights: list[float]) -> tuple[list[tuple[int, float]], float]:
    """(column, top) of blocks that go in order to the shorter of two columns, and the height of all."""
    filled, places = [0.0, 0.0], []
    for height in heights:
        column = int(filled[1] < filled[0] - 1e-6)
        places.append((column, filled[column]))
        filled[column] += height
    return places, max(filled)


def _unit_line(plate: Plate, view: _UnitView, left: float, top: float, side: float) -> None:
    plate.words(left, top + side / 2 - 0.15, f":{view.unit}", size=SMALL)
    plate.words(left, top + side / 2 + 0.02, f"{view.score:.2f}", size=SMALL, color=SOFT)
    n = len(view.images)
    if n:  # one image of them all: an axes for each would take seconds
        axes = plate.tile_at(left + 0.42, top, n * side + (n - 1) * _GAP, side)
        show_tile(axes, _strip(view.images, _GAP / side))


def _strip(images: Sequence[np.ndarray], gap: float) -> np.ndarray:
    """Images of one size next to each other on white; the gap is a share of their width."""
    height, width = images[0].shape[:2]
    between = np.full((height, round(gap * width), 3), 255, np.uint8)
    parts = [part for image in images for part in (between, image)]
    return np.concatenate(parts[1:], axis=1)


def _units_caption(found: Emergence, views: _DetectorViews) -> str:
    row = found.share(views.network)
    none, all_units = paper.NO_OBJECT["pool5"]
    share = share_text(row.share, row.low, row.high, row.n)
    one = f"one of {row.objects} objects" if row.objects > 1 else "an object"
    text = (
        f"{row.detectors} of the {row.n} units of {row.layer} detect {one}{_where(found)} by the "
        f"rule: {found.rule}. That is {share}; in the paper's scene network it is "
        f"{percent(1 - none / all_units)} (n = {all_units}). "
    )
    if not views.objects:
        return text + "After Figure 9a."
    return text + (
        f"{_those(len(views.objects))} with most units. Each unit in its {views.n_images} top images, in "
        "full light where it is active; below its number its score by the rule. After Figure 9a."
    )


def _where(found: Emergence) -> str:
    """The images on which units are counted."""
    return f" on {len(found.seen.images):,} scenes" if found.counts_scenes else ""


def figure_9_counts(found: Emergence, n: int = 26, n_missed: int = 8) -> Plate:
    """Figure 9b to d, all in one order of objects.

    For each object: the units of each network, how frequent it is, and for how many scene categories it is
    the best object.

    Parameters
    ----------
    found : Emergence
        Of `measure_emergence`.
    n : int, optional
        Number of objects that some unit detects, those with most units of the first network first (default
        26).
    n_missed : int, optional
        Number of the most frequent objects that no unit detects, shown below them (default 8).

    Returns
    -------
    Plate
        The figure.
    """
    units = [f"units_{name}" for name in found.networks]
    detected = found.table[found.table[units].sum(axis=1) > 0]
    missed = found.table[found.table[units].sum(axis=1) == 0].sort_values("frequency", ascending=False)
    parts = [detected.head(n), missed.head(n_missed)]
    heights = [_ROW * max(1, len(part)) for part in parts]
    head = 0.26 + 0.16 * max(1, len(found.networks) - 1)  # room for a line per network
    plate = Plate(
        "Which objects emerge", head + sum(heights) + 0.44, _counts_caption(found, detected, missed, n)
    )
    top = head
    for part, height, text in zip(parts, heights, ("", "frequent, and no unit detects them"), strict=True):
        if text:
            plate.words(0.08, top - 0.2, text, size=SMALL, color=SOFT)
        _bars(plate, found, part, top, height, first=not text)
        top += height + 0.32
    return plate


def _bars(plate: Plate, found: Emergence, part: pd.DataFrame, top: float, height: float, first: bool) -> None:
    """Three panels next to each other with one row per object."""
    panels = {"units": (1.35, 2.3), "frequency": (3.95, 1.5), "informativeness": (5.85, 1.15)}
    names = {"units": "units", "frequency": "instances", "informativeness": "informativeness"}
    y = np.arange(len(part))[::-1]
    for name, (left, width) in panels.items():
        axes = plate.axes_at(left, top, width, height)
        axes.set(ylim=(-0.6, max(1, len(part)) - 0.4), yticks=[], xticks=[])
        if first:
            plate.words(left, top - 0.22, names[name], weight="bold", size=SMALL)
        if name == "units":
            _unit_bars(axes, found, part, y)
        else:
            _value_bars(axes, part[name].to_numpy(float), y, float(found.table[name].max()))
    for place, one in zip(y, part.object, strict=True):
        middle = top + height * (len(part) - 0.4 - place) / max(1, len(part) + 0.2)
        plate.words(1.28, middle + 0.012, fit(one, 1.15), size=SMALL, ha="right", va="center")
    if first:
        for k, network in enumerate(found.networks):
            words = {"size": SMALL, "weight": "bold", "color": network_color(network), "ha": "right"}
            plate.words(
                3.65, top - 0.22 + 0.16 * (k + 1 - len(found.networks)), f"{network} network", **words
            )


def _unit_bars(axes: Axes, found: Emergence, part: pd.DataFrame, y: np.ndarray) -> None:
    n = len(found.networks)
    most = max(1, *(int(found.table[f"units_{name}"].max()) for name in found.networks))
    for k, network in enumerate(found.networks):
        values = part[f"units_{network}"].to_numpy(float)
        shift = 0.8 / n * ((n - 1) / 2 - k)
        axes.barh(y + shift, values, height=min(0.38, 0.76 / n), color=network_color(network))
        for place, value in zip(y[values > 0], values[values > 0], strict=True):
            axes.text(value + 0.02 * most, place + shift, f"{value:.0f}", size=6, va="center", color=SOFT)
    axes.set_xlim(0, 1.12 * most)


def _value_bars(axes: Axes, values: np.ndarray, y: np.ndarray, most: float) -> None:
    axes.barh(y, np.nan_to_num(values), height=0.6, color="#8d959e")
    most = most if most > 0 else 1.0
    for place, value in zip(y, values, strict=True):
        if value == value:
            axes.text(value + 0.03 * most, place, f"{value:,.0f}", size=6.5, va="center", color=SOFT)
    axes.set_xlim(0, 1.3 * most)


def _number_of(found: Emergence) -> str:
    n = len(found.table)
    return f"{n} {found.which}" if n != 1 else f"1 {found.which.replace('objects', 'object', 1)}"


def _counts_caption(found: Emergence, detected: pd.DataFrame, missed: pd.DataFrame, n: int) -> str:
    layers = " and ".join(dict.fromkeys(found.layers[name] for name in found.networks))
    left_out = f" Not shown: {len(detected) - n} with fewest units." if len(detected) > n else ""
    share, (low, high) = len(detected) / len(found.table), wilson_interval(len(detected), len(found.table))
    text = (
        f"Units of {layers} per object{_where(found)} ({found.rule}). Of {_number_of(found)} some unit "
        f"detects {len(detected)}, {share_text(share, low, high, len(found.table))}; none detects the other "
        f"{len(missed)}.{left_out} "
        f"Instances on the same {found.zipf.n_images:,} scenes. "
    )
    if found.informative is None:
        return text + f"No object can tell scenes apart: {found.why_not} After Figure 9."
    n_categories = len(found.informative.counted)
    return text + (
        f"Informativeness: for how many of {n_categories} scene categories the object's presence has the "
        "highest average precision, chosen and tested on separate halves of the images. After Figure 9."
    )


def _those(n: int) -> str:
    return f"The {n} objects" if n > 1 else "The object"


def detectors_by_layer(found: Emergence) -> Plate:
    """How many units of each layer detect an object, and how many would with other images' annotations.

    Parameters
    ----------
    found : Emergence
        Of `measure_emergence`.

    Returns
    -------
    Plate
        The figure. The second part only for rules by IoU.
    """
    none, units = paper.NO_OBJECT["pool5"]
    caption = (
        f"Share of all units of a layer that detect an object ({found.rule}) on all {found.n_annotated:,} "
        "annotated images; at the right the count in the deepest layer. Open diamond: "
        f"the paper's scene network, {units - none} of {units} units of pool5, by people."
    )
    chance = found.chance[found.chance.images == "scenes"]
    caption += _chance_caption(chance) if len(chance) else ""
    plate = Plate(
        "From layer to layer", 2.75 + (0.35 + _NETWORK * len(chance) if len(chance) else 0), caption
    )
    axes = plate.axes_at(0.55, 0.05, 5.2, 2.25)
    ticks: dict[int, list[str]] = {}
    ends = []
    for k, (network, rows) in enumerate(found.shares.groupby("network", sort=False)):
        x, color = np.arange(len(rows)), network_color(str(network))
        axes.plot(x + 0.06 * (k - 1), rows.share, "o-", ms=4, lw=1.2, color=color)
        for place, layer in zip(x, rows.layer, strict=True):
            ticks.setdefault(int(place), []).append(layer)
        last = rows.iloc[-1]
        ends.append((last.share, f"{network}: {last.detectors} of {last.n}", color))
    axes.plot(
        max(ticks) + 0.16, 1 - none / units, "D", ms=6.5, mfc="white", mec=network_color("scene"), mew=1.3
    )
    top = max(0.65, found.shares.share.max() * 1.05)
    axes.set(ylim=(0, top), xlim=(-0.3, max(ticks) + 0.3), xticks=list(ticks))
    axes.set_xticklabels([_tick(names, 5.2 / (max(ticks) + 0.6) - 0.06) for names in ticks.values()])
    axes.set_yticks(np.arange(0, top, 0.2))
    axes.set_yticklabels([f"{value:.0%}" for value in np.arange(0, top, 0.2)])
    axes.grid(axis="y", color=HAIR, lw=0.5)
    heights = _apart([0.05 + 2.25 * (1 - share / top) for share, _, _ in ends], 0.19)
    for (_, text, color), y in zip(ends, heights, strict=True):
        plate.words(5.85, y, text, size=SMALL, color=color, va="center")
    _by_chance(plate, chance, 3.15)
    return plate


def _by_chance(plate: Plate, rows: pd.DataFrame, top: float) -> None:
    """For each network how many detectors there are, and how many with other images' annotations."""
    if len(rows):
        words = f"On {int(rows.n_images.iloc[0]):,} scenes, with the right annotations and with shuffled ones"
        plate.words(0.08, top - 0.22, words, size=SMALL, weight="bold")
    for k, row in enumerate(rows.to_dict("records")):
        y, color = top + _NETWORK * k, network_color(row["network"])
        plate.words(0.08, y + 0.1, f"{row['network']} network", weight="bold", size=SMALL, color=color)
        plate.words(0.08, y + 0.26, f"{row['n']} units of {row['layer']}", size=SMALL, color=SOFT)
        _chance_bars(plate.axes_at(1.6, y, 3.3, 0.48), row, color)
        for place, text in enumerate(_chance_words(row)):
            plate.words(5.0, y + 0.01 + 0.165 * place, text, size=SMALL, color=SOFT if place else INK)


def _chance_bars(axes: Axes, row: dict, color: str) -> None:
    """Three bars: what was found, and the two nulls with their range over the shuffles."""
    values = [row["detectors"], row["category"], row["source"]]
    for place, (value, alpha) in enumerate(zip(values, (1.0, 0.5, 0.25), strict=True)):
        if value == value:
            axes.barh(2 - place, value, height=0.75, color=color, alpha=alpha)
    for place, null in enumerate(("category", "source")):
        if row[null] == row[null]:
            ends = [row[f"{null}_low"], row[f"{null}_high"]]
            axes.plot(ends, [1 - place] * 2, color=INK, lw=1.0, solid_capstyle="butt")
    axes.set(ylim=(-0.55, 2.55), xlim=(0, row["n"]), xticks=[0, row["n"]], yticks=[])
    axes.tick_params(labelsize=6.5, pad=1)


def _chance_words(row: dict) -> list[str]:
    nulls = {"category": "another image, same category", "source": "any other image"}
    known = {null: "–" if row[null] != row[null] else f"{row[null]:.0f}" for null in nulls}
    return [f"{row['detectors']} found", *(f"{known[null]}  {text}" for null, text in nulls.items())]


def _chance_caption(rows: pd.DataFrame) -> str:
    n = int(rows.n_images.iloc[0])
    return (
        f" Below: detectors on {n:,} annotated scenes, and the mean over 20 shuffles with annotations of "
        "another image of the same scene category, and of any other image; black: the fewest and the most. "
        "What the second bar has can be had without the object: from the category and the usual place."
    )


def _tick(names: list[str], room: float) -> str:
    """The layer's name in every network, one line each where they differ, at most `room` inches wide."""
    short = (Plate.layer_name(name.replace("features.", "f."), room) for name in names)
    return "\n".join(dict.fromkeys(short))


def _apart(heights: list[float], least: float) -> list[float]:
    """The same heights, moved down where two come nearer than `least`, so that no lines overlap."""
    moved = list(heights)
    order = np.argsort(heights, kind="stable")
    for upper, lower in pairwise(order):
        moved[lower] = max(moved[lower], moved[upper] + least)
    return moved
