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
from scenelens.receptive_fields.occlusion.occlude import SIZE
from scenelens.sentences import Sentences, named, number, percent


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
    """Compare the sizes with the paper's two claims and its numbers.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `table_2`.

    Returns
    -------
    Sentences
        Markdown text, one item per claim and per layer that compares.
    """
    lines = [_describe_smaller(table), _describe_falls(table), *_describe_networks(table)]
    for row in table.dropna(subset=["paper"]).to_dict("records"):
        lines.append(
            f"{named(row['layer'])}, {named(row['network'])} network: {_mean_text(row)}; the paper: "
            f"{row['paper']:.1f} px, {_placed(row)}."
        )
    if table["paper"].isna().all():
        quoted = " / ".join(f"{value:.1f}" for value in paper.RF_SIZES.values())
        names = ", ".join(paper.RF_SIZES)
        lines.append(
            "No layer here has the name and the geometry of one of the paper's. The paper found "
            f"{quoted} px at {names}."
        )
    if "whole" in table:
        names = ", ".join(_row_name(row) for row in table[table["whole"]].itertuples())
        lines.append(
            f"In {names} a unit can see the whole image from every position: the theoretical size is that of "
            "the image."
        )
    small = table[table["theoretical"] < SIZE]
    if len(small):
        names = ", ".join(_row_name(row) for row in small.itertuples())
        lines.append(
            f"In {names} the theoretical size is less than the occluder's {SIZE} px: what is measured "
            "there is the occluder, not the unit."
        )
    below = table[(table["mean"] < SIZE) & (table["theoretical"] >= SIZE)]
    if len(below):
        names = ", ".join(_row_name(row) for row in below.itertuples())
        lines.append(
            f"In {names} the mean is below the occluder's {SIZE} px: it says only that the fields are small."
        )
    silent = int(table["silent"].sum())
    if silent:
        lines.append(f"{silent} units measured respond to no image or to no occluder, so they have no field.")
    return Sentences("\n".join(f"- {line}" for line in lines))


def _row_name(row: Any) -> str:
    return f"{named(row.layer)} ({named(row.network)} network)"


def _describe_smaller(table: pd.DataFrame) -> str:
    verdicts = _smaller_than_theory(table)
    text = "**Smaller than they could be?** "
    if (verdicts == "yes").all():
        return (
            text
            + "Yes: in every layer the mean lies below the theoretical size, and so does its whole interval."
        )
    parts = []
    for verdict, words in (
        ("no", "larger than the theoretical size"),
        ("open", "not distinguishable from it with so few units"),
    ):
        names = [_row_name(row) for row in table[verdicts == verdict].itertuples()]
        parts += [f"{words} in {', '.join(names)}"] if names else []
    return text + f"In {(verdicts == 'yes').sum()} of {len(table)} rows; {'; '.join(parts)}."


def _describe_falls(table: pd.DataFrame) -> str:
    parts = []
    for row in _falls_with_depth(table).itertuples():
        shares = ", ".join(percent(share) for share in row.shares)
        if len(row.shares) < 2:
            parts.append(f"in the {named(row.network)} network only one layer is compared ({shares})")
            continue
        steps = "falls at every step" if row.falls else "does not fall at every step"
        ends = {
            "falls": "the deepest layer's interval lies below the first's",
            "rises": "the deepest layer's interval lies above the first's, against the paper",
            "open": "the intervals of the first and the deepest layer do not leave a gap",
            "unknown": "with so few units these layers have no intervals to compare",
        }[row.ends]
        parts.append(f"in the {named(row.network)} network it {steps} ({shares}), and {ends}")
    return "**Does the share of the possible size fall with depth?** As measured, " + "; ".join(parts) + "."


def _describe_networks(table: pd.DataFrame) -> list[str]:
    """How the two networks' fields compare in the deepest layer of both, and how the paper's did."""
    both = table[table["network"].isin(paper.PAIR)].pivot(index="depth", columns="network", values="mean")
    if not set(paper.PAIR) <= set(both) or both.dropna().empty:
        return []
    depth = both.dropna().index.max()
    found = table[table["depth"] == depth].set_index("network")
    parts = [
        f"{number(found.loc[name, 'mean'])} px in the {name} network ({named(found.loc[name, 'layer'])})"
        for name in paper.PAIR
    ]
    text = f"**Do the networks differ?** In the deepest layer that both have here: {' and '.join(parts)}."
    if found.loc[list(paper.PAIR), "paper"].notna().all():
        text += f" The paper: {found.loc['scene', 'paper']:.1f} and {found.loc['object', 'paper']:.1f} px."
    return [text]


def _mean_text(row: dict[Any, Any]) -> str:
    spread = f" ± {row['sd']:.1f}" if row["sd"] == row["sd"] else ""
    what = "all" if row["n"] + row["silent"] >= row["units"] else f"{row['n']} of"
    about = f"mean ± s.d., {what} {row['units']} units, theoretical {row['theoretical']:.0f}"
    return f"{number(row['mean'])}{spread} px ({about})"


def _smaller_than_theory(table: pd.DataFrame) -> pd.Series:
    """Claim 1 for each row of `table_2`: is the mean smaller than the theoretical size?

    'yes' or 'no' where its interval lies wholly below or above that size, else 'open'.
    """
    found = np.where(table["high"] < table["theoretical"], "yes", "open")
    return pd.Series(np.where(table["low"] > table["theoretical"], "no", found), index=table.index)


def _falls_with_depth(table: pd.DataFrame) -> pd.DataFrame:
    """Claim 2 for each network: does the share of the theoretical size fall from each layer to the next?

    One row per network: network, shares (list, from early to deep), falls (bool, at every step), ends
    ('falls', 'rises' or 'open': whether the first and the deepest layer's intervals leave a gap; 'unknown'
    where one of them has no interval).
    """
    rows = []
    for network, found in table.sort_values("depth").groupby("network", sort=False):
        shares = found["share"].to_numpy()
        low, high = (found[c].to_numpy() / found["theoretical"].to_numpy() for c in ("low", "high"))
        ends = "falls" if high[-1] < low[0] else "rises" if low[-1] > high[0] else "open"
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
