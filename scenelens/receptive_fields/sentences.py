"""What the tables of section 3.2 say, in sentences: the atlas, and the paper's two claims about Table 2.

The claims are reported as they were found, with n and interval, whether they hold or not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.installation import HERE
from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.field import HALF
from scenelens.receptive_fields.occlusion.occlude import SIZE
from scenelens.sentences import Sentences, difference_text, named, networks_text, number, percent


def describe_atlas(atlas: Atlas) -> Sentences:
    """Say how many units have been measured, and what the tables that follow are made of.

    Parameters
    ----------
    atlas : Atlas
        The atlas of a study.

    Returns
    -------
    Sentences
        Markdown text.
    """
    table = atlas.table()
    whole = table["cached"] >= table["units"]
    k = f"each averaged over its {atlas.n_images} top images"
    if whole.all():
        return Sentences(f"The atlas is complete: **{table['cached'].sum():,} receptive fields**, {k}.")
    counts = "; ".join(
        f"{named(network)} network "
        + ", ".join(f"{named(r.layer)} {r.cached} of {r.units}" for r in rows.itertuples())
        for network, rows in table.groupby("network", sort=False)
    )
    left_out = " Layers with 0 are left out below, because one unit takes minutes." * int(
        (table.cached == 0).any()
    )
    return Sentences(
        f"The atlas holds **{table['cached'].sum():,} of {table['units'].sum():,} receptive fields**, {k}: "
        f"{counts}. The units were chosen at random: what follows is a sample, given with its n. "
        f"`{HERE.call('atlas')}` computes the others; it can be stopped, and goes on where it stopped."
        f"{left_out}"
    )


def describe_table_2(table: pd.DataFrame) -> Sentences:
    """Compare the sizes with the paper's two claims and its numbers, what differs first.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `table_2`. Where it has several cuts, the sentences say what depends on the cut.

    Returns
    -------
    Sentences
        Markdown text, one item per claim and per layer that compares.
    """
    if table["cut"].nunique() > 1:
        return _listed(_describe_cuts(table))
    lines = [*_describe_paper(table), _describe_smaller(table), _describe_falls(table)]
    lines += _describe_networks(table)
    for row in table.dropna(subset=["paper"]).to_dict("records"):
        lines.append(
            f"{named(row['layer'])}, {named(row['network'])} network: {_mean_text(row)}; the paper: "
            f"{row['paper']:.1f} px, {_placed(row)}."
        )
    return _listed([*lines, *_describe_limits(table), *_describe_number_of_networks(table)])


def _describe_number_of_networks(table: pd.DataFrame) -> list[str]:
    """How many networks are compared; where every unit was measured, a mean has no interval."""
    text = networks_text(table["network"].unique())
    over = "The intervals are over units, not over networks"
    if _complete(table):
        over = "All units were measured, so these means have no interval"
    return [text.replace("The intervals are over images, not over networks", over)] if text else []


def _listed(lines: list[str]) -> Sentences:
    return Sentences("\n".join(f"- {line}" for line in lines))


def _complete(table: pd.DataFrame) -> bool:
    """Whether all units of all layers were measured: then a mean is known, and not estimated."""
    return bool((table["n"] + table["silent"] >= table["units"]).all())


def _describe_paper(table: pd.DataFrame) -> list[str]:
    """How far the means are from the paper's, and why they need not agree."""
    known = table.dropna(subset=["paper", "mean"])
    if known.empty:
        return []
    far = (known["mean"] - known["paper"]).abs()
    most = known.loc[far.idxmax()]
    side = "less" if most["mean"] < most["paper"] else "more"
    fewer = int((known["mean"] < known["paper"]).sum())
    return [
        f"**What differs from the paper**: the mean is smaller than the paper's in {fewer} of {len(known)} "
        f"rows, and farthest from it at {_row_name(most)}, with {far.max():.1f} px {side}. The paper does "
        "not say from which share of the maximum on a pixel belongs to the field. Here it is "
        f"{_cut_text(HALF)}."
    ]


def _describe_limits(table: pd.DataFrame) -> list[str]:
    """Which sizes say less than they seem to."""
    lines = []
    if table["paper"].isna().all():
        quoted = " / ".join(f"{value:.1f}" for value in paper.RF_SIZES.values())
        lines.append(
            "No layer here has the name and the geometry of one of the paper's. The paper found "
            f"{quoted} px at {', '.join(paper.RF_SIZES)}."
        )
    if "whole" in table:
        lines.append(
            f"In {_row_names(table[table['whole']])} a unit can see the whole image from every position: the "
            "theoretical size is that of the image."
        )
    small = table[table["theoretical"] < SIZE]
    if len(small):
        lines.append(
            f"In {_row_names(small)} the theoretical size is less than the occluder's {SIZE} px: what is "
            "measured there is the occluder, not the unit."
        )
    below = table[(table["below"] > 0) & (table["theoretical"] >= SIZE)]
    if len(below):
        counts = ", ".join(f"{row.below} of {row.n} in {_row_name(row)}" for row in below.itertuples())
        lines.append(
            f"**Below what can be measured**: the occluder is {SIZE} px wide, and nothing smaller can be "
            f"told apart. Units whose field measures less: {counts}. Of these only that is known: the field "
            "is small."
        )
    silent = int(table["silent"].sum())
    if silent:
        lines.append(f"{silent} units measured respond to no image or to no occluder, so they have no field.")
    return lines


def _row_name(row: Any) -> str:
    return f"{named(row.layer)} ({named(row.network)} network)"


def _row_names(rows: pd.DataFrame) -> str:
    return ", ".join(_row_name(row) for row in rows.itertuples())


def _cut_text(cut: float) -> str:
    return {0.5: "half of the maximum", 0.25: "a quarter", 0.1: "a tenth"}.get(cut, percent(cut))


def _describe_smaller(table: pd.DataFrame) -> str:
    verdicts = _smaller_than_theory(table)
    text = "**Smaller than they could be?** "
    if (verdicts == "yes").all():
        sure = "" if _complete(table) else ", and so does its interval where units are a sample"
        return f"{text}Yes: in every layer the mean lies below the theoretical size{sure}."
    parts = []
    for verdict, words in (
        ("no", "larger than the theoretical size"),
        ("open", "not distinguishable from it with so few units"),
    ):
        names = _row_names(table[verdicts == verdict])
        parts += [f"{words} in {names}"] if names else []
    return text + f"In {(verdicts == 'yes').sum()} of {len(table)} rows; {'; '.join(parts)}."


def _describe_falls(table: pd.DataFrame) -> str:
    parts = []
    for row in _falls_with_depth(table).itertuples():
        shares = ", ".join(percent(share) for share in row.shares)
        if len(row.shares) < 2:
            parts.append(f"in the {named(row.network)} network only one layer is compared ({shares})")
            continue
        steps = "falls at every step" if row.falls else "does not fall at every step"
        whole = _complete(table[table["network"] == row.network])
        sure = "" if whole else ", and the interval of their difference leaves out 0"
        ends = {
            "falls": f"the deepest layer's share lies below the first's{sure}",
            "rises": f"the deepest layer's share lies above the first's{sure}, against the paper",
            "open": "no difference is shown between the first and the deepest layer (its interval holds 0)",
            "unknown": "with so few units these layers have no intervals to compare",
        }[row.ends]
        parts.append(f"in the {named(row.network)} network it {steps} ({shares}), and {ends}")
    return "**Does the share of the possible size fall with depth?** As measured, " + "; ".join(parts) + "."


def _describe_networks(table: pd.DataFrame) -> list[str]:
    """By how much the two networks' means differ, layer by layer, and how the paper's did."""
    rows = {name: table[table["network"] == name].set_index("depth") for name in paper.PAIR}
    known = [rows[name].dropna(subset=["mean"]).index for name in paper.PAIR]
    shared = known[0].intersection(known[1])
    if shared.empty:
        return []
    scene, other = (rows[name].loc[shared] for name in paper.PAIR)
    difference = other["mean"] - scene["mean"]
    parts = [_compared(scene.loc[k], other.loc[k]) for k in shared]
    larger = int((difference > 0).sum())
    most = difference.abs().idxmax()
    text = (
        f"**Do the networks differ?** Mean in the scene and in the object network: {'; '.join(parts)}. The "
        f"object network's is the larger one in {larger} of {len(shared)}; the largest difference is "
        f"{number(abs(difference[most]))} px, at {named(scene['layer'][most])}."
    )
    theirs = (other["paper"] - scene["paper"]).dropna()
    if len(theirs):
        quoted = ", ".join(
            f"{named(scene['layer'][k])} {scene['paper'][k]:.1f} and {other['paper'][k]:.1f}"
            for k in theirs.index
        )
        text += (
            f" In the paper: {quoted} px, so the object network's is larger in {int((theirs > 0).sum())} of "
            f"{len(theirs)}, and no two differ by more than {theirs.abs().max():.1f} px."
        )
    return [text]


def _compared(scene: Any, other: Any) -> str:
    """One layer's two means; with an interval of their difference where one is that of a sample of units.

    The interval combines the distances from each mean to the ends of its interval (Zou and Donner, 2008).
    """
    means = other["mean"], scene["mean"]
    if scene["low"] == scene["high"] and other["low"] == other["high"]:
        return f"{named(scene['layer'])} {number(means[1])} and {number(means[0])} px"
    down = np.hypot(means[0] - other["low"], scene["high"] - means[1])
    up = np.hypot(other["high"] - means[0], means[1] - scene["low"])
    ends = means[0] - means[1] - down, means[0] - means[1] + up
    names, n = ("the object network", "the scene network"), (int(other["n"]), int(scene["n"]))
    text = difference_text(*means, ends, names, n, "px", "larger", narrow=None)
    return f"{named(scene['layer'])}: {text}"


def _describe_cuts(table: pd.DataFrame) -> list[str]:
    """What depends on the share of the maximum from which on a pixel belongs to a field."""
    lines = []
    for network, rows in table.groupby("network", sort=False):
        wide = rows.pivot(index="cut", columns="depth", values="mean").sort_index(ascending=False)
        wide = wide.dropna(axis="columns")  # a layer whose units have no field has no size
        if wide.empty:
            continue
        measured = rows[rows["depth"].isin(wide.columns)].sort_values("depth")
        names = ", ".join(named(name) for name in measured["layer"].unique())
        chosen = [cut for cut in _SAID if cut in wide.index] or list(wide.index)
        sizes = "; ".join(
            f"at {_cut_text(cut)} {', '.join(number(size) for size in wide.loc[cut])}" for cut in chosen
        )
        lines.append(f"**{named(network)} network**, mean side in px ({names}): {sizes}.")
        lines += _describe_fit(rows)
    return [*lines, _describe_claims(table)]


_SAID = (0.5, 0.25, 0.1)  # the cuts whose sizes are said; a figure shows the others


def _describe_fit(rows: pd.DataFrame) -> list[str]:
    """At which cut each layer would have the paper's size, and whether one cut would do for all."""
    known = rows.dropna(subset=["paper", "mean"])
    if known.empty:
        return []
    wide = known.pivot(index="cut", columns="depth", values="mean").sort_index()
    quoted, names = (known.groupby("depth")[column].first() for column in ("paper", "layer"))
    at = {depth: _reached(wide[depth], quoted[depth]) for depth in wide}
    parts = [
        f"{named(names[depth])} {percent(cut) if cut == cut else 'at none of these'}"
        for depth, cut in at.items()
    ]
    far = (wide / quoted - 1).abs().max(axis=1)
    best = far.idxmin()
    size = ", ".join(f"{wide.loc[best, depth]:.1f} (paper {quoted[depth]:.1f})" for depth in wide)
    return [
        f"The paper's sizes would be reached with the cut at {', '.join(parts)} of the maximum. "
        f"Of the cuts tried, {percent(best)} comes closest in all layers: {size} px, at most "
        f"{percent(far[best])} away. So most of the difference from the paper can come from the cut alone; "
        "which cut the paper used is not known."
        if far[best] < 0.5 * far.iloc[-1]
        else f"The paper's sizes would be reached with the cut at {', '.join(parts)} of the maximum. Of the "
        f"cuts tried, {percent(best)} comes closest in all layers, and is still up to {percent(far[best])} "
        "away: the cut alone does not explain the difference from the paper."
    ]


def _reached(sizes: pd.Series, wanted: float) -> float:
    """The cut at which a curve of sizes, by rising cut, has a wanted size; linear between, NaN beyond.

    >>> _reached(pd.Series([30.0, 20.0, 10.0], index=[0.1, 0.2, 0.4]), 15.0).round(2)
    np.float64(0.3)
    """
    falling = sizes.to_numpy()[::-1]
    return np.interp(wanted, falling, sizes.index.to_numpy()[::-1], left=np.nan, right=np.nan)


def _describe_claims(table: pd.DataFrame) -> str:
    """At how many of the cuts the paper's two claims hold."""
    cuts = [rows for _, rows in table.groupby("cut")]
    smaller = sum((_smaller_than_theory(rows) == "yes").all() for rows in cuts)
    falls = sum(_falls_with_depth(rows)["falls"].all() for rows in cuts)
    text = (
        f"**The two claims**: of {len(cuts)} cuts, the mean lies below the theoretical size in every layer "
        f"at {smaller}, and the share that is used falls at every step of depth in every network at {falls}."
    )
    larger = table[table["mean"] > table["theoretical"]]
    if larger.empty:
        return text
    names = ", ".join(dict.fromkeys(_row_name(row) for row in larger.itertuples()))
    return (
        f"{text} A field that measures more than the unit can see (here in {names}, at low cuts) is widened "
        f"by the occluder: it touches the field from up to {SIZE // 2} px outside."
    )


def _mean_text(row: dict[Any, Any]) -> str:
    spread = f" ± {row['sd']:.1f}" if row["sd"] == row["sd"] else ""
    what = "all" if row["n"] + row["silent"] >= row["units"] else f"{row['n']} of"
    about = f"mean ± s.d., {what} {row['units']} units, K = {row['n_images']} images, theoretical "
    return f"{number(row['mean'])}{spread} px ({about}{row['theoretical']:.0f})"


def _smaller_than_theory(table: pd.DataFrame) -> pd.Series:
    """Claim 1 for each row of `table_2`: is the mean smaller than the theoretical size?

    'yes' or 'no' where its interval lies wholly below or above that size, else 'open'.
    """
    found = np.where(table["high"] < table["theoretical"], "yes", "open")
    return pd.Series(np.where(table["low"] > table["theoretical"], "no", found), index=table.index)


def _falls_with_depth(table: pd.DataFrame) -> pd.DataFrame:
    """Claim 2 for each network: does the share of the theoretical size fall from each layer to the next?

    One row per network: network, shares (list, from early to deep), falls (bool, at every step), ends
    ('falls', 'rises' or 'open': whether the interval of the deepest layer's share less the first's leaves out
    0; 'unknown' where one of them has no interval).
    """
    rows = []
    for network, found in table.sort_values("depth").groupby("network", sort=False):
        shares = found["share"].to_numpy()
        low, high = (found[c].to_numpy() / found["theoretical"].to_numpy() for c in ("low", "high"))
        difference = shares[-1] - shares[0]
        least = difference - np.hypot(shares[-1] - low[-1], high[0] - shares[0])
        most = difference + np.hypot(high[-1] - shares[-1], shares[0] - low[0])
        ends = "falls" if most < 0 else "rises" if least > 0 else "open"
        ends = "unknown" if np.isnan([low[0], low[-1]]).any() else ends
        rows.append((network, list(shares), bool((np.diff(shares) < 0).all()), ends))
    return pd.DataFrame(rows, columns=["network", "shares", "falls", "ends"])


def _placed(row: dict[Any, Any]) -> str:
    if row["low"] != row["low"]:
        return "with one unit there is no interval to compare it with"
    if row["low"] == row["high"]:
        side = "more" if row["paper"] > row["mean"] else "less"
        return f"{abs(row['mean'] - row['paper']):.1f} px {side} than here"
    if row["low"] <= row["paper"] <= row["high"]:
        return "inside our interval for the mean"
    return f"outside our interval for the mean, {number(row['low'])} to {number(row['high'])} px"
