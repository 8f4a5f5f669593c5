"""Section 4.1 in sentences: what emerged in a study, with n and interval, beside the paper's numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from scenelens import paper
from scenelens.emergence.study_emergence import Emergence, where_annotated
from scenelens.emergence.tables import DIFFERENCE
from scenelens.sentences import Sentences, apart, percent, share_text, words

#: Fewer scene categories than this, and "told best" is a matter of a few objects.
FEW = 10


@where_annotated
def describe_units(found: Emergence) -> Sentences:
    """How many units detect an object and how many none, network by network, and the paper's count."""
    lines = []
    rows = {name: _share(found, name) for name in found.automatic}
    for name, row in rows.items():
        share = share_text(row["share"], row["low"], row["high"], row["n"])
        lines.append(
            f"**The {name} network**, {row['layer']}: {row['detectors']} units detect {row['objects']} "
            f"objects, {share}; {row['none']} detect none."
        )
    if {"scene", "object"} <= set(rows):
        lines.append(_compared(rows["scene"], rows["object"]))
    none, units = paper.NO_OBJECT["pool5"]
    lines.append(
        f"The paper: {none} of the {units} units of its scene network's pool5 detect none, so "
        f"{percent(1 - none / units)} do. It asked people; the rule here is: {found.rule}."
    )
    lines.append(_vocabulary(found))
    return Sentences("\n".join(f"- {line}" for line in lines))


def _share(found: Emergence, network: str) -> dict[str, Any]:
    rows = found.shares[(found.shares.network == network) & (found.shares.layer == found.layers[network])]
    return rows.iloc[0].to_dict()


def _vocabulary(found: Emergence) -> str:
    """What the annotations know at all, set by set: no unit can be found to detect anything else."""
    told = []
    for name, one in found.study.annotation_sets.items():
        known = one.objects().object.nunique()
        told.append(f"{len(one):,} images with {known} objects ({name})")
    text = f"Only what is annotated can be found: {'; '.join(told)}. Units were asked about {found.which}."
    if len(told) > 1:
        text += " What one set never names counts as absent from its images, though it may be there."
    return text


def _compared(scene: dict[str, Any], other: dict[str, Any]) -> str:
    if not apart(scene["low"], scene["high"], other["low"], other["high"]):
        return "The intervals of the two overlap: on these images neither has shown more detectors."
    more, less = ("scene", "object") if scene["share"] > other["share"] else ("object", "scene")
    text = f"The intervals leave a gap: the {more} network has more object detectors than the {less} network"
    return text + (", as in the paper." if more == "scene" else ". The paper found the opposite.")


@where_annotated
def describe_informative(found: Emergence) -> Sentences:
    """How many scene categories are told by an object, which are told best and worst, which do not count."""
    if found.informative is None:
        return Sentences(f"**No object can be said to tell scenes apart here:** {found.why_not}")
    table, counted = found.informative.categories, found.informative.counted
    ordered = counted.sort_values("ap", ascending=False)
    shaky = counted[counted.stability < 0.5]
    lines = [
        f"**{len(counted)} of {len(table)} scene categories** have an object that tells them better than "
        f"chance, {counted.object.nunique()} different objects in all; mean AP {counted.ap.mean():.2f}, "
        f"chance {counted.base.mean():.2f} (n = {found.informative.n_images:,} images, half of them judge).",
        f"Told best: {_told(ordered.iloc[0])}. Told worst: {_told(ordered.iloc[-1])}.",
    ]
    if len(shaky):
        names = ", ".join(words(one) for one in shaky.category)
        lines.append(f"Another halving would mostly choose another object for: {names}.")
    left = table[table.reason != ""]
    if len(left):
        reasons = "; ".join(f"{words(row.category)}: {row.reason}" for row in left.head(4).itertuples())
        more = f"; and {len(left) - 4} more" if len(left) > 4 else ""
        lines.append(f"Left out: {reasons}{more}.")
    return Sentences("\n".join(f"- {line}" for line in lines))


def _told(row: Any) -> str:
    return f"{words(row.category)} by {row.object}, AP {row.ap:.2f} ({row.low:.2f} to {row.high:.2f})"


@where_annotated
def describe_correlations(found: Emergence, network: str = "scene") -> Sentences:
    """The paper's claim, as this study has it: both correlations, their difference, and what to beware of."""
    rows = found.correlations.query("network == @network and objects == 'all'").set_index(
        ["measure", "against"]
    )
    lines = []
    for name in ("frequency", "informativeness"):
        pearson, spearman = rows.loc[("pearson", name)], rows.loc[("spearman", name)]
        lines.append(
            f"**With {name}**: {_correlation(pearson)}{_quoted(pearson)}; by ranks {_correlation(spearman)}."
        )
    lines += [_difference(rows), *_cautions(found)]
    lines.append(f"n counts {found.which}; units were asked about no others.")
    return Sentences("\n".join(f"- {line}" for line in lines))


def _correlation(row: pd.Series) -> str:
    if row.reason:
        return f"no correlation: {row.reason}"
    p = f"= {row.p:.3f}" if row.p >= 0.001 else "< 0.001"
    return f"r = {row.r:.2f} (95% interval {row.low:.2f} to {row.high:.2f}, p {p}, n = {row.n})"


def _quoted(row: pd.Series) -> str:
    return "" if row.paper != row.paper else f"; the paper: {row.paper:.2f}"


def _difference(rows: pd.DataFrame) -> str:
    row = rows.loc[("pearson", DIFFERENCE)]
    if row.reason:
        return f"**Their difference** does not exist: {row.reason}."
    text = (
        f"**Their difference** is {row.r:.2f} (95% interval {row.low:.2f} to {row.high:.2f}); the paper's, "
    )
    text += f"{row.paper:.2f}. "
    if row.low > 0:
        return text + "The interval lies above 0: what tells scenes matters more here than what is frequent."
    if row.high < 0:
        return text + "The interval lies below 0: here it is frequency that matters more."
    return text + "The interval holds 0: these objects do not decide between the two."


def _cautions(found: Emergence) -> list[str]:
    if found.informative is None:
        return []
    n = len(found.informative.counted)
    if n >= FEW:
        return []
    return [
        f"Beware: only {n} scene categories could be asked, so {n} objects at most are informative at all. "
        "With so few the interval says little about other objects."
    ]
