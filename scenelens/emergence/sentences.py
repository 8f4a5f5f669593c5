"""Section 4.1 in sentences: what emerged in a study, with n and interval, next to the paper's numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from scenelens import paper
from scenelens.emergence.study_emergence import Emergence, _where_annotated
from scenelens.emergence.tables import DIFFERENCE
from scenelens.sentences import Sentences, gap_text, named, percent, share_text, words

_FEW = 10  # with fewer scene categories, the informativeness depends on a few objects


@_where_annotated
def describe_units(found: Emergence) -> Sentences:
    """How many units detect an object and how many none, network by network, and the paper's count.

    Parameters
    ----------
    found : Emergence
        Of `measure_emergence`.

    Returns
    -------
    Sentences
        A list in Markdown.
    """
    lines = []
    rows = {name: found.share(name) for name in found.automatic}
    for name, row in rows.items():
        share = share_text(row.share, row.low, row.high, row.n)
        lines.append(
            f"**The {named(name)} network**, {named(row.layer)}: {row.detectors} units detect {row.objects} "
            f"objects, {share}; {row['none']} detect none."
        )
    if {"scene", "object"} <= set(rows):
        lines.append(_compared(rows["scene"], rows["object"]))
    none, units = paper.NO_OBJECT["pool5"]
    lines.append(
        f"The paper: {none} of the {units} units of its scene network's pool5 detect none, so "
        f"{percent(1 - none / units)} do. There, people named the units; the rule here is: {found.rule}."
    )
    lines.append(_vocabulary(found))
    return Sentences("\n".join(f"- {line}" for line in lines))


def _vocabulary(found: Emergence) -> str:
    """Which objects the annotations contain, set by set: no unit can be found to detect anything else."""
    sets = []
    for name, one in found.study.annotation_sets.items():
        known = one.objects().object.nunique()
        sets.append(f"{len(one):,} images with {known} objects ({named(name)})")
    text = f"Only what is annotated can be found: {'; '.join(sets)}. Labels were chosen among {found.which}."
    if len(sets) > 1:
        text += " An object that one set never names counts as absent from its images, even if it is there."
    return text


def _compared(scene: pd.Series, other: pd.Series) -> str:
    more, less = ("scene", "object") if scene.share > other.share else ("object", "scene")
    gap = f"the {more} network has more object detectors than the {less} network"
    gap += ", as in the paper" if more == "scene" else ". The paper found the opposite"
    overlap = "these images do not show that either network has more detectors"
    return gap_text((scene.low, scene.high), (other.low, other.high), gap, overlap) + "."


@_where_annotated
def describe_informative(found: Emergence) -> Sentences:
    """How many scene categories an object identifies, the best and the worst, and which do not count.

    Parameters
    ----------
    found : Emergence
        Of `measure_emergence`.

    Returns
    -------
    Sentences
        A list in Markdown.
    """
    if found.informative is None:
        return Sentences(f"**No object can tell scenes apart here:** {found.why_not}")
    table, counted = found.informative.categories, found.informative.counted
    ordered = counted.sort_values("ap", ascending=False)
    unstable = counted[counted.stability < 0.5]
    lines = [
        f"**{len(counted)} of {len(table)} scene categories** have an object that identifies them better "
        f"than chance, {counted.object.nunique()} different objects in all; mean AP {counted.ap.mean():.2f}, "
        f"chance {counted.base.mean():.2f} (n = {found.informative.n_images:,} images, half of them for the "
        "test).",
        f"Identified best: {_category(ordered.iloc[0])}. Identified worst: {_category(ordered.iloc[-1])}.",
    ]
    if len(unstable):
        names = ", ".join(named(words(one)) for one in unstable.category)
        lines.append(f"Another random split would mostly choose another object for: {names}.")
    left = table[table.reason != ""]
    if len(left):
        reasons = "; ".join(
            f"{named(words(row.category))}: {row.reason}" for row in left.head(4).itertuples()
        )
        more = f"; and {len(left) - 4} more" if len(left) > 4 else ""
        lines.append(f"Not counted: {reasons}{more}.")
    return Sentences("\n".join(f"- {line}" for line in lines))


def _category(row: Any) -> str:
    category, name = named(words(row.category)), named(row.object)
    return f"{category} by {name}, AP {row.ap:.2f} ({row.low:.2f} to {row.high:.2f})"


@_where_annotated
def describe_correlations(found: Emergence, network: str = "scene") -> Sentences:
    """The paper's claim in this study: both correlations, their difference, and what limits them.

    Parameters
    ----------
    found : Emergence
        Of `measure_emergence`.
    network : str, optional
        The network's name in the study (default 'scene').

    Returns
    -------
    Sentences
        A list in Markdown.
    """
    rows = found.correlations.query("network == @network and objects == 'all'")
    rows = rows.set_index(["measure", "against"])
    lines = []
    for name in ("frequency", "informativeness"):
        pearson, spearman = rows.loc[("pearson", name)], rows.loc[("spearman", name)]
        quoted = "" if pearson.paper != pearson.paper else f"; the paper: {pearson.paper:.2f}"
        lines.append(f"**With {name}**: {_correlation(pearson)}{quoted}; by ranks {_correlation(spearman)}.")
    lines += [_difference(rows.loc[("pearson", DIFFERENCE)]), *_cautions(found)]
    lines.append(f"n counts {found.which}; labels were chosen among these only.")
    return Sentences("\n".join(f"- {line}" for line in lines))


def _correlation(row: pd.Series) -> str:
    if row.reason:
        return f"no correlation: {row.reason}"
    p = f"= {row.p:.3f}" if row.p >= 0.001 else "< 0.001"
    return f"r = {row.r:.2f} (95% interval {row.low:.2f} to {row.high:.2f}, p {p}, n = {row.n})"


def _difference(row: pd.Series) -> str:
    if row.reason:
        return f"**Their difference** does not exist: {row.reason}."
    text = f"**Their difference** is {row.r:.2f} (95% interval {row.low:.2f} to {row.high:.2f})"
    text += "" if row.paper != row.paper else f"; the paper's is {row.paper:.2f}"
    if row.low > 0:
        return text + ". The interval lies above 0: informativeness matters more here than frequency."
    if row.high < 0:
        return text + ". The interval lies below 0: frequency matters more here than informativeness."
    return text + ". The interval contains 0: these objects do not decide between the two."


def _cautions(found: Emergence) -> list[str]:
    """A warning where the informativeness rests on few scene categories."""
    if found.informative is None or len(found.informative.counted) >= _FEW:
        return []
    n = len(found.informative.counted)
    return [
        f"Caution: only {n} scene categories count, so at most {n} objects are informative at all. With so "
        "few the interval says little about other objects."
    ]
