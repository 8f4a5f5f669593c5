"""What the interventions in the world change: a line for each object or network, beside the seeds' spread."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from scenelens.errors import CannotAnswerError
from scenelens.retraining.effects import _with_shares, network_effects
from scenelens.retraining.sentences import _CHANGED, _OF_NETWORKS, _name_of, _nothing_of
from scenelens.retraining.tables import RetrainingTables
from scenelens.sentences import percent, words
from scenelens.workbook import HAIR, INK, SMALL, SOFT, Plate, fit, network_color

_ROW = 0.25  # inches, a line
_MEASURES = {"units": "units that detect the object", "ap": "AP of the object's best unit"}
_TITLES = {
    "cue": "What if something besides objects tells the scenes?",
    "task": "Which other tasks grow detectors?",
}
_EDITED, _BAND = network_color("scene"), "#e4e7eb"


def edits_figure(effects: pd.DataFrame) -> Plate:
    """Draw what the two interventions change of each object, beside what another random start changes.

    Parameters
    ----------
    effects : pandas.DataFrame
        Of `edit_effects`.

    Returns
    -------
    Plate
        The figure: a column for each intervention, a row of panels for each measure.

    Raises
    ------
    CannotAnswerError
        If no edited world was measured.
    """
    if effects.empty:
        raise CannotAnswerError(_nothing_of(*_CHANGED))
    objects = list(dict.fromkeys(effects.sort_values("expected", kind="stable").object))
    height, below = _ROW * len(objects), 0.66
    plate = Plate("Two interventions in the world", 2 * (height + below) + 0.36, _edits_caption(effects))
    for column, (kind, text) in enumerate(_CHANGED.items()):
        left = 1.05 + 3.1 * column
        plate.words(left, 0.26, text.lower(), weight="bold", size=SMALL)
        for place, measure in enumerate(_MEASURES):
            rows = effects[effects.measure == measure]
            axes = plate.axes_at(left, 0.52 + place * (height + below), 2.75, height)
            _objects_panel(axes, rows[rows.kind == kind], objects, _highest(rows, measure))
            axes.set_xlabel(_MEASURES[measure], size=SMALL, color=SOFT)
            axes.set_yticks(
                range(len(objects)), [fit(words(one), 0.9) if not column else "" for one in objects]
            )
    _key(plate, effects.low.notna().any())
    return plate


def _highest(rows: pd.DataFrame, measure: str) -> float:
    """The right end of an axis that holds all values; a band of few networks may go on beyond it.

    An average precision is at most 1, whatever a prediction interval says.
    """
    end = _end([*rows.value, *(one for values in rows.before for one in values)], rows.high)
    return min(end, 1.0) if measure == "ap" else end


def _end(values: list[float], bands: pd.Series) -> float:
    """The right end of an axis.

    >>> round(_end([0.2, 0.4], pd.Series([2.8])), 3), round(_end([0.2, 0.4], pd.Series([0.5])), 3)
    (0.636, 0.53)
    """
    most = max([*values, 1e-3])
    band = float(bands.max()) if bands.notna().any() else 0.0
    return 1.06 * float(max(most, min(1.5 * most, band)))


def _objects_panel(axes: Axes, rows: pd.DataFrame, objects: list[str], most: float) -> None:
    for row in rows.itertuples():
        place = objects.index(str(row.object))
        _band(axes, row.low, row.high, place - 0.36, 0.72)
        axes.plot([row.unchanged, row.value], [place, place], color=_EDITED, lw=1.1, zorder=2)
        _rings(axes, np.array(row.before), place)
        mark = {1: ">", -1: "<"}.get(row.expected, "o")  # type: ignore[arg-type]
        axes.plot(
            row.value, place, mark, color=_EDITED, ms=6.5, mec="white", mew=0.6, zorder=4, clip_on=False
        )
    axes.set(xlim=(0, most), ylim=(len(objects) - 0.5, -0.5))
    axes.tick_params(axis="y", length=0)
    if not rows.empty:
        _grid(axes)
    else:
        axes.set_xticks([])
        style = {"size": SMALL, "color": SOFT, "ha": "center", "va": "center", "transform": axes.transAxes}
        axes.text(0.5, 0.5, "not measured yet", **style)


def _band(axes: Axes, low: float, high: float, bottom: float, height: float) -> None:
    if low == low:
        axes.add_patch(Rectangle((low, bottom), high - low, height, color=_BAND, lw=0, zorder=0))


def _rings(axes: Axes, values: np.ndarray, place: float) -> None:
    """A ring for each network; equal values at heights of their own, so that all are seen."""
    heights = place + np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.full(len(values), place)
    axes.scatter(
        values, heights, s=16, facecolors="none", edgecolors=SOFT, linewidths=1.0, zorder=3, clip_on=False
    )


def _grid(axes: Axes) -> None:
    """Lines at the ticks of the horizontal axis, behind all marks."""
    Plate.inner_ticks(axes, "x")
    axes.set_axisbelow(True)
    axes.grid(True, axis="x", color=HAIR, lw=0.4)


def _key(plate: Plate, with_band: bool) -> None:
    """What the marks mean, in one line above the panels."""
    text = "networks of the unchanged world" + (", and where one more would lie" if with_band else "")
    axes = plate.axes_at(0.1, 0.0, 7.0, 0.18)
    axes.axis("off")
    axes.set(xlim=(0, 7.0), ylim=(0, 1), xticks=[], yticks=[])
    if with_band:
        axes.add_patch(Rectangle((0.0, 0.1), 0.45, 0.8, color=_BAND, lw=0))
    axes.scatter([0.12, 0.22, 0.32], [0.5] * 3, s=16, facecolors="none", edgecolors=SOFT, linewidths=1.0)
    axes.text(0.53, 0.5, text, size=SMALL, va="center", color=INK)


def _edits_caption(effects: pd.DataFrame) -> str:
    counts = effects[effects.measure == effects.measure.iloc[0]].kind.value_counts()
    worlds = ", ".join(f"{kind} {counts.get(kind, 0)}" for kind in _CHANGED)
    n = max(len(one) for one in effects.before)
    band = "" if effects.low.isna().all() else (
        " Bands: 95% prediction interval of one more of them, with a standard deviation that is pooled over "
        "the objects."
    )  # fmt: skip
    return (
        f"Triangles: the object in the network of a world in which it alone was edited ({worlds}; one "
        "network each). They point to where the edit should move it: to more where the object comes to tell "
        f"scenes or becomes more frequent. Rings: {n} network{'s' * (n > 1)} of the unchanged world, from "
        f"other random starts.{band} All are measured on the same annotated images of the unchanged world."
    )


def networks_figure(tables: RetrainingTables, kind: str) -> Plate:
    """Draw how many detectors whole networks have, and how well they find objects, beside the unchanged ones.

    Parameters
    ----------
    tables : RetrainingTables
        Of `read_retraining`.
    kind : str
        'cue' or 'task', see `network_effects`.

    Returns
    -------
    Plate
        The figure: a line for each network, a panel for each measure.

    Raises
    ------
    CannotAnswerError
        If no network of this kind was measured.
    """
    effects = network_effects(tables, kind)
    if effects.empty:
        raise CannotAnswerError(_nothing_of(kind))
    networks = _with_shares(tables.networks)
    shown = networks[networks.kind == kind]
    names = ["unchanged, scenes", *(_name_of(row) for _, row in shown.iterrows())]
    height = _ROW * len(names)
    plate = Plate(_TITLES[kind], height + 0.72, _networks_caption(tables, kind))
    for column, (measure, (text, _)) in enumerate(_OF_NETWORKS.items()):
        axes = plate.axes_at(1.62 + 2.35 * column, 0.28, 2.1, height)
        rows = effects[effects.measure == measure].set_index("run")
        _networks_panel(axes, rows, list(shown.run), networks[networks.kind == "unchanged"][measure])
        axes.set_yticks(range(len(names)), [fit(one, 1.5) if not column else "" for one in names])
        axes.set_xlabel(text, size=SMALL, color=SOFT)
        if measure == "detectors":
            axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
    plate.words(6.95, 0.06, "right answers", size=SMALL, ha="right", color=SOFT)
    rights = [
        _accuracy(networks[networks.kind == "unchanged"]),
        *(_accuracy(one) for _, one in shown.groupby("run", sort=False)),
    ]
    for place, text in enumerate(rights):
        plate.words(6.95, 0.28 + (place + 0.5) * _ROW, text, size=SMALL, ha="right", va="center")
    _key(plate, effects.low.notna().any())
    return plate


def _networks_panel(axes: Axes, rows: pd.DataFrame, runs: list[str], unchanged: pd.Series) -> None:
    before = unchanged.dropna().to_numpy(float)
    if len(rows):
        first = rows.iloc[0]
        _band(axes, first.low, first.high, -0.5, len(runs) + 1)
    _rings(axes, before, 0)
    for place, run in enumerate(runs, start=1):
        if run in rows.index:
            row = rows.loc[run]
            axes.plot(
                row.value, place, "o", color=_EDITED, ms=6, mec="white", mew=0.6, zorder=4, clip_on=False
            )
            if row.chance == row.chance:
                axes.plot(row.chance, place, "|", color=INK, ms=9, mew=1.4, zorder=3, clip_on=False)
    axes.set(xlim=(0, _end([*rows.value, *before], rows.high)), ylim=(len(runs) + 0.5, -0.5))
    axes.tick_params(axis="y", length=0)
    _grid(axes)


def _accuracy(networks: pd.DataFrame) -> str:
    """The share of right answers of one network, or from the lowest to the highest of several."""
    shares = (networks.held_out_right / networks.held_out).dropna()
    if shares.empty:
        return "–"
    low, high = percent(shares.min()), percent(shares.max())
    return low if low == high else f"{low.removesuffix('%')} to {high}"


def _networks_caption(tables: RetrainingTables, kind: str) -> str:
    own, unchanged = (tables.networks[tables.networks.kind == one] for one in (kind, "unchanged"))
    n, images = len(unchanged), own.held_out.dropna()
    what = {
        "cue": "One network for each world. 'Alone': objects tell nothing there.",
        "task": "One network for each task, on the pictures of the unchanged world.",
    }[kind]
    held_out = (
        f" Right answers: of {int(images.iloc[0]):,} held-out pictures of its own." if len(images) else ""
    )
    band = "" if n < 2 else f" Band: 95% prediction interval of one more; of {n} networks it is wide."
    return (
        f"{what} Dots: the network, {int(own.units.iloc[0])} units of {own.layer.iloc[0]}. Strokes: chance, "
        "which is the detectors with annotations of another scene of the category, and the AP of units at "
        f"random. Rings: {n} network{'s' * (n != 1)} of the unchanged world.{band}{held_out} All are "
        "measured on the same annotated images of the unchanged world."
    )
