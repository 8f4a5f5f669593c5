"""What several trainings say, in sentences: the networks, the difference of the kinds, the own pair."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from scenelens.paper import PAIR
from scenelens.seeds.spread import (
    _find_measure,
    _is_embedded,
    _one_training,
    _own_values,
    _seed_values,
    _spread,
)
from scenelens.seeds.tables import SeedTables, read_seeds
from scenelens.sentences import Sentences, difference_text, named, networks_text, percent
from scenelens.studies import Study

#: Of differences: the unit, and the smallest one that matters.
_UNITS = {"share": "points", "pixels": "px", "r": ""}
_NARROW = {"share": 0.05, "pixels": None, "r": 0.1}
_WIDTHS = {0.125: "an eighth", 0.25: "a quarter", 0.5: "half", 1.0: "all"}


def describe_seeds(
    measure: str, study: Study, own: pd.DataFrame | None = None, tables: SeedTables | None = None
) -> Sentences:
    """Say how far scene and object networks are apart over several trainings, and where a study's pair lies.

    Parameters
    ----------
    measure : str
        ``"accuracy"``, ``"preference"``, ``"fields"``, ``"detectors"``, ``"frequency"``,
        ``"informativeness"``, ``"ap"`` or ``"boxes"``.
    study : Study
        The study of the notebook.
    own : pandas.DataFrame, optional
        The notebook's table of the measure, with ``network`` and, where the measure is of layers, ``layer``.
    tables : SeedTables, optional
        What was measured (default: the tables that come with the package).

    Returns
    -------
    Sentences
        Markdown.

    Raises
    ------
    SceneLensError
        If there is no such measure; CannotAnswerError if the tables are missing.

    Notes
    -----
    The interval of a difference is Welch's, over networks; p is exact, by all divisions of the networks into
    two groups of these sizes.
    """
    tables = tables or read_seeds()
    how, table = _find_measure(measure), _spread(_seed_values(tables, measure))
    lines = [_line(row, how.unit) for row in table.to_dict("records")]
    return Sentences(
        "\n".join(
            [
                f"{_networks(table, tables)} {how.text[0].upper()}{how.text[1:]}:",
                "",
                *(lines or ["- nothing was measured of these networks."]),
                "",
                _verdict(table),
                "",
                _own_pair(tables, measure, study, own, table),
            ]
        )
    )


def _networks(table: pd.DataFrame, tables: SeedTables) -> str:
    """How many networks there are, and in what they are alike."""
    counts = {kind: int(table[f"{kind}_n"].max()) if len(table) else 0 for kind in PAIR}
    listed = ", ".join(f"{n} {kind} network{'' if n == 1 else 's'}" for kind, n in counts.items())
    width = _width(tables.about.get("seeds", {}).get("recipe", {}).get("width", math.nan))
    return (
        f"**SceneWorld, trained again from other random starts: {listed}** with {width} of the paper's "
        "channels, all of a kind on the same pictures."
    )


def _width(width: float) -> str:
    """A factor on the number of channels, in words.

    >>> _width(0.25), _width(0.3)
    ('a quarter', '0.3 times the number')
    """
    return _WIDTHS.get(width, f"{width:g} times the number")


def _line(row: Mapping[str, Any], unit: str) -> str:
    """One layer, or the whole network: the difference of the kinds, and the range of each."""
    where = f"{named(row['layer'])}: " if row["layer"] else ""
    ranges = "; ".join(_range(row, kind, unit) for kind in PAIR if row[f"{kind}_n"])
    if row["low"] != row["low"]:
        return f"- {where}{ranges}. Two networks of each kind are needed for an interval of the difference."
    if row["low"] == row["high"] == 0:
        return f"- {where}{ranges}: no network differs from another."
    names, n = ("the scene networks' mean", "the object networks' mean"), (row["scene_n"], row["object_n"])
    interval = row["low"], row["high"]
    found = difference_text(
        row["scene"], row["object"], interval, names, n, _UNITS[unit], narrow=_NARROW[unit]
    )
    return f"- {where}{found}; {ranges}; p = {row['p']:.2g}."


def _range(row: Mapping[str, Any], kind: str, unit: str) -> str:
    ends = [_value(row[f"{kind}_{end}"], unit) for end in ("low", "high")]
    if row[f"{kind}_n"] == 1:
        return f"{kind} {ends[0]}"
    return f"all {row[f'{kind}_n']} {kind} {ends[0]}" if ends[0] == ends[1] else f"{kind} {' to '.join(ends)}"


def _value(value: float, unit: str) -> str:
    """A value in its unit.

    >>> _value(0.131, "share"), _value(31.25, "pixels"), _value(-0.131, "r")
    ('13%', '31.2 px', '-0.13')
    >>> _value(0.9984, "share"), _value(1.0, "share")
    ('99.8%', '100%')
    """
    if unit == "share":
        return percent(value)
    return f"{value:.1f} px" if unit == "pixels" else f"{value:.2f}"


def _width_text(width: float, unit: str) -> str:
    return f"{100 * width:.0f} points" if unit == "share" else _value(width, unit)


def _verdict(table: pd.DataFrame) -> str:
    """Where the kinds differ by more than networks of a kind do, and what p can be at best."""
    known = table[table.low.notna()]
    if known.empty:
        return "How much of this is chance of one training is not known from one network of each kind."
    n, m = int(known.scene_n.min()), int(known.object_n.min())
    least = 2 / math.comb(n + m, n) if n == m else 1 / math.comb(n + m, n)
    apart = known[(known.low > 0) | (known.high < 0)]
    text = (
        f"Each network counts as one case (n = {n} and {m}): the interval is Welch's, p is exact over all "
        f"divisions of these networks into two groups, and never below {least:.2g}."
    )
    if "" in set(known.layer):
        shown = "The interval leaves out 0" if len(apart) else "The interval contains 0"
        return (
            f"{text} {shown}: {'the kinds differ' if len(apart) else 'no difference of the kinds is shown'}."
        )
    if apart.empty:
        return f"{text} In no layer does the interval leave out 0: no difference of the kinds is shown."
    layers = ", ".join(map(named, apart.layer))
    return f"{text} The interval leaves out 0 at {layers}" + (
        "." if len(apart) == len(known) else f", and contains it in the other {len(known) - len(apart)}."
    )


def _own_pair(
    tables: SeedTables, measure: str, study: Study, own: pd.DataFrame | None, table: pd.DataFrame
) -> str:
    """Where the embedded pair lies among the trainings; what another study's pair leaves open."""
    if not _is_embedded(tables, study):
        return _other_study(study, measure, table)
    values = _own_values(tables, measure, study, own)
    values = values[values.network.isin(PAIR)].merge(table, on="layer")
    if values.empty:
        return ""
    outside = [row for row in values.to_dict("records") if _is_outside(row)]
    unit = _find_measure(measure).unit
    width = _width(study.file.data["networks"][study.networks.main].get("width", 1.0))
    text = (
        f"**The workbook's own pair** has {width} of the paper's channels{_longer(tables)}, so it is no "
        "sixth training of the same networks. "
    )
    if not outside:
        return f"{text}Each of its {len(values)} values lies within the range of the others of its kind."
    listed = "; ".join(_outside_text(row, unit) for row in outside)
    verb = "lies" if len(outside) == 1 else "lie"
    return (
        f"{text}{len(outside)} of its {len(values)} values {verb} outside of the range of its kind: {listed}."
    )


def _longer(tables: SeedTables) -> str:
    """How much longer the embedded pair was trained: it is what ``seen`` measured on the way."""
    own, others = (tables.about.get(part, {}).get("presentations") for part in ("seen", "seeds"))
    return f" and was shown {own:,} pictures, the others {others:,}" if own and others else ""


def _is_outside(row: Mapping[str, Any]) -> bool:
    kind = row["network"]
    return bool(row[f"{kind}_n"] > 1) and not row[f"{kind}_low"] <= row["value"] <= row[f"{kind}_high"]


def _outside_text(row: Mapping[str, Any], unit: str) -> str:
    kind, where = row["network"], f"{named(row['layer'])} " if row["layer"] else ""
    low, high = _value(row[f"{kind}_low"], unit), _value(row[f"{kind}_high"], unit)
    return f"{where}{kind} {_value(row['value'], unit)} ({low} to {high})"


def _other_study(study: Study, measure: str, table: pd.DataFrame) -> str:
    """What the networks of any other study cannot say, and how large a spread can be."""
    own = networks_text(study.networks.compared, "images") or (
        f"**This study has one kind of network** ({', '.join(map(named, study.networks.compared))})."
    )
    if table.empty:
        return own
    widths = {kind: (table[f"{kind}_high"] - table[f"{kind}_low"]).round(9) for kind in PAIR}
    widest = max(PAIR, key=lambda kind: widths[kind].max())
    row = table.loc[widths[widest].idxmax()]
    if row[f"{widest}_n"] < 2:
        return own
    unit, where = _find_measure(measure).unit, f" at {named(row['layer'])}" if row["layer"] else ""
    size = _width_text(float(widths[widest].max()), unit)
    return (
        f"{own} The networks above show how large such a spread can be: {int(row[f'{widest}_n'])} {widest} "
        f"networks of one recipe differ by up to {size}{where}."
    )


def describe_seen(tables: SeedTables | None = None) -> Sentences:
    """Say when detectors appear: after how many pictures a network in training has half of its last number.

    Parameters
    ----------
    tables : SeedTables, optional
        What was measured (default: the tables that come with the package).

    Returns
    -------
    Sentences
        Markdown.

    Raises
    ------
    CannotAnswerError
        If the tables are missing.
    """
    tables = tables or read_seeds()
    seen = tables.seen
    if seen.empty:
        return Sentences(
            "When detectors appear was not measured: no network on the way comes with the tables."
        )
    lines = [_seen_line(kind, seen[seen.network == kind].sort_values("seen")) for kind in PAIR]
    limits = (
        f"{_one_training(seen)}, so others may differ. The networks were measured at a few points; what lies "
        "between them is not known. On the way the learning rate is still high: a training that ends after "
        "so many pictures does better than a longer one has done by then."
    )
    return Sentences("\n".join([*(line for line in lines if line), "", limits]))


def _seen_line(kind: str, rows: pd.DataFrame) -> str:
    if rows.empty:
        return ""
    first, last = rows.iloc[0], rows.iloc[-1]
    return f"- {kind} network: {_at(first)}; {_at(last)}. {_when(rows)}"


def _when(rows: pd.DataFrame) -> str:
    """When detectors come, or that they become fewer; ``rows`` are one network's, the earliest first."""
    first, last = rows.iloc[0], rows.iloc[-1]
    if last.detectors > first.detectors:
        half = rows[rows.detectors >= last.detectors / 2].iloc[0]
        return f"Half as many detectors as at the end are first there after {half.seen:,.0f} pictures."
    least = rows.loc[rows.detectors.idxmin()]
    if last.detectors == first.detectors == least.detectors:
        return "Their number is the same at both ends, and never lower."
    turn = "" if least.seen == last.seen else f", after {least.detectors:.0f} at {least.seen:,.0f} pictures"
    became = "as many as at first" if last.detectors == first.detectors else "fewer than at first"
    return f"At the end there are {became}: {first.detectors:.0f}, then {last.detectors:.0f}{turn}."


def _at(row: pd.Series) -> str:
    ap = "" if row.ap != row.ap else f", mean AP {row.ap:.3f} (chance {row.ap_chance:.3f})"
    boxes = (
        f", {percent(row.boxes_right / row.boxes)} of {row.boxes:,.0f} boxes are right" if row.boxes else ""
    )
    return (
        f"after {row.seen:,.0f} pictures {row.right:,.0f} of {row.images:,.0f} images are named right, "
        f"{row.detectors:.0f} of {row.units:.0f} units detect an object{ap}{boxes}"
    )
