"""Table 2 of the paper: how large receptive fields are, against how large they could be.

Tables come from the atlas (see `scenelens.receptive_fields.atlas`): from all units of a layer where it is complete, and from a
sample drawn by lot until then. `read_...` turns a table into sentences, the paper's two claims among them,
reported as they were found.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from scenelens import paper
from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.occlusion.occlude import SIZE
from scenelens.receptive_fields.sizes import _placed, falls_with_depth, smaller_than_theory
from scenelens.sentences import Sentences, number, percent


def describe_atlas(atlas: Atlas) -> Sentences:
    """How many units the atlas holds, and what the tables that follow are made of."""
    table = atlas.table()
    whole = table["held"] >= table["units"]
    k = f"each averaged over its {atlas.n_images} top images"
    if whole.all():
        return Sentences(f"The atlas is complete: **{table['held'].sum():,} receptive fields**, {k}.")
    counts = "; ".join(
        f"{network} network " + ", ".join(f"{r.layer} {r.held} of {r.units}" for r in rows.itertuples())
        for network, rows in table.groupby("network", sort=False)
    )
    return Sentences(
        f"The atlas holds **{table['held'].sum():,} of {table['units'].sum():,} receptive fields**, {k}: "
        f"{counts}. They were drawn by lot: what follows is a sample, and says its n. `make atlas` computes "
        "the others, and goes on where it stopped."
    )


def describe_table_2(table: pd.DataFrame) -> Sentences:
    """The paper's two claims on the sizes measured here, reported as they were found, and its numbers."""
    lines = [_describe_smaller(table), _describe_falls(table)]
    for row in table.dropna(subset=["paper"]).to_dict("records"):
        lines.append(
            f"{row['layer']}, {row['network']} network: {_mean_text(row)}; the paper: {row['paper']:.1f} px, "
            f"{_placed(row)}."
        )
    if table["paper"].isna().all():
        quoted = " / ".join(f"{value:.1f}" for value in paper.RF_SIZES.values())
        names = ", ".join(paper.RF_SIZES)
        lines.append(f"The paper's layers have no namesake here. It found {quoted} px at {names}.")
    small = table[table["theoretical"] < SIZE]
    if len(small):
        names = ", ".join(f"{r.layer} ({r.network} network)" for r in small.itertuples())
        lines.append(
            f"In {names} the theoretical size is less than the occluder's {SIZE} px: what is measured "
            "there is the occluder, not the unit."
        )
    silent = int(table["silent"].sum())
    if silent:
        lines.append(f"{silent} units measured respond to no image or to no occluder: they have no field.")
    return Sentences("\n".join(f"- {line}" for line in lines))


def _describe_smaller(table: pd.DataFrame) -> str:
    verdicts = smaller_than_theory(table)
    text = "**Smaller than they could be?** "
    if (verdicts == "yes").all():
        return text + "Yes: in every layer the mean lies below the theoretical size, with its whole interval."
    parts = []
    for verdict, words in (
        ("no", "larger than the theoretical size"),
        ("open", "not told apart from it by so few units"),
    ):
        names = [f"{r.layer} ({r.network} network)" for r in table[verdicts == verdict].itertuples()]
        parts += [f"{words} in {', '.join(names)}"] if names else []
    return text + f"In {(verdicts == 'yes').sum()} of {len(table)} rows; {'; '.join(parts)}."


def _describe_falls(table: pd.DataFrame) -> str:
    parts = []
    for row in falls_with_depth(table).itertuples():
        shares = ", ".join(percent(share) for share in row.shares)
        steps = "falls at every step" if row.falls else "does not fall at every step"
        ends = {
            "falls": "the deepest layer's lies below the first's, intervals and all",
            "rises": "the deepest layer's lies above the first's, against the paper",
            "open": "the intervals of the first and the deepest layer do not leave a gap",
        }[row.ends]
        parts.append(f"in the {row.network} network it {steps} ({shares}), and {ends}")
    return "**Does the share of the possible size fall with depth?** As measured, " + "; ".join(parts) + "."


def _mean_text(row: dict[Any, Any]) -> str:
    spread = f" ± {row['sd']:.1f}" if row["sd"] == row["sd"] else ""
    what = "all" if row["n"] + row["silent"] >= row["units"] else f"{row['n']} of"
    about = f"mean ± s.d., {what} {row['units']} units, theoretical {row['theoretical']:.0f}"
    return f"{number(row['mean'])}{spread} px ({about})"
