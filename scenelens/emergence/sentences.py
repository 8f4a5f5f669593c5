"""Section 4.1 in sentences: what emerged in a study, with n and interval, next to the paper's numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from scenelens import paper
from scenelens.emergence.study_emergence import Emergence
from scenelens.emergence.tables import DIFFERENCE, READINGS
from scenelens.errors import CannotAnswerError
from scenelens.intervals import difference_interval
from scenelens.labels import LEAST_IMAGES
from scenelens.sentences import (
    Sentences,
    difference_text,
    named,
    networks_text,
    percent,
    share_text,
    words,
)

_FEW = 10  # with fewer scene categories, the informativeness depends on a few objects
# Objects from which a correlation can be significant at all: of the 120 orders of five, two are perfect.
_FEWEST_OBJECTS = 5
# What the interval of a difference is about: it draws the objects anew, never the network.
_HERE = " for the units of this one network"
_FEWEST_CATEGORIES = 3  # with fewer, one or two objects are informative, and any other two would do
#: Annotated images from which networks are compared: an object is on some of them and missing from others.
FEWEST = 2 * LEAST_IMAGES


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
    if len(found.networks) > 1:
        lines.append(_compared(found, rows))
    for name, row in rows.items():
        share = share_text(row.share, row.low, row.high, row.n)
        lines.append(
            f"**The {named(name)} network**, {named(row.layer)}: {_detecting(row)}, {share}; {row['none']} "
            f"detect none.{_with_close_ups(found, name)}"
        )
    lines.append(_papers_share(found))
    limit = networks_text(found.networks, "units")
    lines += [limit] if limit else []
    lines.append(_vocabulary(found))
    return Sentences("\n".join(f"- {line}" for line in lines))


def _with_close_ups(found: Emergence, network: str) -> str:
    """The counts on all annotated images: where some show no scene, and by labels judged on other images."""
    if found.chance.empty:
        return ""
    here = (found.shares.network == network) & (found.shares.layer == found.layers[network])
    own = found.chance[found.chance.network == network].set_index("images")
    text = f" Judged on scenes that did not choose the label: {own.judged['scenes']:.0f}."
    if "all" not in own.index:
        return text
    return (
        f"{text} Where the {_close_ups(found)} count, too: {own.detectors['all']}, or "
        f"{found.shares[here].detectors.iloc[0]} judged on images that did not choose the label."
    )


def _close_ups(found: Emergence) -> str:
    n = found.n_annotated - len(found.seen.images)
    return f"{n:,} close-up{'' if n == 1 else 's'} of objects"


def _papers_share(found: Emergence) -> str:
    """The paper's count of detectors, and what other rules count for the same network."""
    none, units = paper.NO_OBJECT["pool5"]
    dissected, majority = paper.DISSECTED_OBJECTS["places205-alexnet"][0], paper.MAJORITY_OBJECTS["scene"][0]
    return (
        f"The paper: {none} of the {units} units of its scene network's pool5 detect none, so "
        f"{percent(1 - none / units)} do. There, people named the units; the rule here is: {found.rule}. Two "
        "rules do not compare. For the paper's own network, an IoU above 0.04 (Network Dissection) counts "
        f"{dissected} of {units} units ({percent(dissected / units)}), and the majority of the three people "
        f"whose answers were released {majority} ({percent(majority / units)})."
    )


def _vocabulary(found: Emergence) -> str:
    """Which objects the annotations contain, set by set: no unit can be found to detect anything else."""
    sets = []
    for name, one in found.study.annotation_sets.items():
        known = one.objects().object.nunique()
        objects = f"{known} object{'' if known == 1 else 's'}"
        images = f"{len(one):,} image{'' if len(one) == 1 else 's'}"
        sets.append(f"{images} with {objects} ({named(name)})")
    text = f"Only what is annotated can be found: {'; '.join(sets)}. Labels were chosen among {found.which}."
    if len(sets) > 1:
        text += (
            " For a unit's IoU, and for what tells scenes apart, an object that one set never names counts "
            "as "
            "absent from its images, even if it is there."
        )
    return text


def _detecting(row: pd.Series) -> str:
    if row.detectors == 1:
        return "1 unit detects an object"
    return f"{row.detectors} units detect {row.objects} object{'' if row.objects == 1 else 's'}"


def _compared(found: Emergence, rows: Mapping[str, pd.Series]) -> str:
    """Which of the first two networks has more detectors, where the images can say."""
    if found.n_annotated < FEWEST:
        return (
            f"{found.n_annotated} annotated images do not show which network has more detectors: from "
            f"{FEWEST} on an object can be on {LEAST_IMAGES} of them and missing from {LEAST_IMAGES}."
        )
    names = found.networks[:2]
    (n1, k1), (n2, k2) = ((int(rows[name].n), round(rows[name].share * rows[name].n)) for name in names)
    low, high = difference_interval(k1, n1, k2, n2)
    said = [f"the {named(name)} network" for name in names]
    text = difference_text(k1 / n1, k2 / n2, (low, high), (said[0], said[1]), brief=True)
    text = f"Units that detect an object: {text}"
    if set(names) != set(paper.PAIR) or low <= 0 <= high:
        return f"{text}."
    as_paper = names[low < 0] == "scene"
    return f"{text}, as in the paper." if as_paper else f"{text}. The paper found the opposite."


def describe_chance(found: Emergence) -> Sentences:
    """How many detectors need the right image, network by network, and what the others show.

    Parameters
    ----------
    found : Emergence
        Of `measure_emergence`.

    Returns
    -------
    Sentences
        A list in Markdown.

    Raises
    ------
    CannotAnswerError
        If the rule is not one by IoU, so that nothing can be shuffled.
    """
    if found.chance.empty:
        raise CannotAnswerError(
            f"annotations are shuffled for the rule by IoU only; the rule here is: {found.rule}."
        )
    lines = []
    for name in found.automatic:
        rows = found.chance[found.chance.network == name].set_index("images")
        lines.append(_by_chance(name, rows.loc["scenes"]))
        if "all" in rows.index:
            row = rows.loc["all"]
            lines[-1] += (
                f" Where the {_close_ups(found)} count, too, {row.detectors} of {row.n} do. {_shuffled(row)}"
            )
    main = found.chance[found.chance.images == "scenes"].set_index("network").loc[found.study.networks.main]
    lines += _meaning(main)
    lines += [
        f"{_NULL_IN_WORDS[null].capitalize()}: not possible here, {why}." for null, why in _missing(found)
    ]
    return Sentences("\n".join(f"- {line}" for line in lines))


_NULL_IN_WORDS = {
    "category": "annotations of another image of the same category",
    "source": "annotations of any other image",
}


def _missing(found: Emergence) -> list[tuple[str, str]]:
    """The nulls that cannot be made in this study, with the reason."""
    reasons = found.scenes[found.study.networks.main].why_not
    return [(null, why) for null, why in reasons.items() if why]


def _shuffled(row: pd.Series) -> str:
    """How many detectors there are with shuffled annotations: the mean, the fewest and the most."""
    parts = []
    for null, text in (
        ("category", "of another image of the same category"),
        ("source", "of any other image"),
    ):
        low, high = row[f"{null}_low"], row[f"{null}_high"]
        if row[null] == row[null]:
            between = "" if low == high else f" ({low:.0f} to {high:.0f})"
            parts.append(f"with the annotations {text} {row[null]:.0f}{between} do")
    text = ", ".join(parts)
    return f"{text[:1].upper()}{text[1:]}, in 20 shuffles." if parts else "Annotations could not be shuffled."


def _by_chance(name: str, row: pd.Series) -> str:
    text = (
        f"**The {named(name)} network**: {row.detectors} of {row.n} units detect an object on "
        f"{row.n_images:,} scenes. {_shuffled(row)}"
    )
    if not row.tested or not row.detectors:
        return text
    pairs = f"{row.tested:,.0f} pairs of a unit and an object"
    if row.remain == row.remain:
        text += (
            f" {row.remain:.0f} of the {row.detectors} overlap with their object more than with the shuffled "
            f"ones (permutation test of {pairs}, false discovery rate 5%)."
        )
    else:
        text += f" 999 shuffles are too few to test {pairs}."
    return f"{text} {row.stronger:.0f} of {row.detectors} have at least 1.5 times the IoU of shuffled ones."


def _meaning(row: pd.Series) -> list[str]:
    """What the numbers of the main network mean."""
    if not row.detectors:
        return []
    if row["category"] != row["category"]:
        if row["source"] != row["source"] or row["source"] < 1:
            return []
        return [
            "**What it means**: with the annotations of any other image "
            f"{percent(row['source'] / row.detectors)} as many units pass. So much of the number of "
            "detectors is chance here; more annotated images would make it smaller."
        ]
    share = row["category"] / row.detectors
    text = (
        f"**What it means**: with the picture of another room or place of the same kind, {percent(share)} as "
        "many units pass. To pass, a unit needs to know the category and where its objects usually are, and "
        "no more. So the number of detectors alone says little about objects. "
    )
    if row.remain == row.remain:
        text += (
            f"It says more that {row.remain:.0f} of {row.detectors} overlap better with the right picture: "
            "these do find their object, or something that goes with it."
        )
    return [text.rstrip()]


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

    Raises
    ------
    CannotAnswerError
        If no object can tell scenes apart here.
    """
    table = found.categories
    counted = table[table.reason == ""]
    ordered = counted.sort_values("ap", ascending=False)
    unstable = counted[counted.stability < 0.5]
    lines = [
        f"**{len(counted)} of {len(table)} scene categories** have an object that identifies them better "
        f"than chance, {counted.object.nunique()} different objects in all; mean AP {counted.ap.mean():.2f}, "
        f"chance {counted.base.mean():.2f} (n = {int(table.n_images.sum()):,} images, half of them for the "
        "test).",
        f"Identified best: {_category(ordered.iloc[0])}. Identified worst: {_category(ordered.iloc[-1])}.",
    ]
    unsure = counted[counted.low <= counted.base]
    if len(unsure):
        names = ", ".join(named(words(one)) for one in unsure.category)
        lines.append(f"The interval contains chance, so other images may show no such object, for: {names}.")
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


def describe_correlations(found: Emergence, network: str = "") -> Sentences:
    """The paper's claim in this study: both correlations, their difference, and what limits them.

    Parameters
    ----------
    found : Emergence
        Of `measure_emergence`.
    network : str, optional
        The network's name in the study (default its main one, see `StudyNetworks.main`).

    Returns
    -------
    Sentences
        A list in Markdown.
    """
    rows = found.correlated(network)
    rows = rows.set_index(["measure", "against"])
    lines = []
    for name in ("frequency", "informativeness"):
        pearson, spearman = rows.loc[("pearson", name)], rows.loc[("spearman", name)]
        if pearson.reason and pearson.reason == spearman.reason:
            lines.append(f"**With {name}**: {_correlation(pearson)}.")
            continue
        lines.append(
            f"**With {name}**{_beside_paper(pearson)}: {_correlation(pearson)}; by ranks "
            f"{_correlation(spearman)}."
        )
    difference = rows.loc[("pearson", DIFFERENCE)]
    # The reason why a correlation does not exist was said; that of their difference is the same.
    lines += [] if difference.reason else [_difference(difference, found)]
    lines += [*_readings(found, network), *_informative_detectors(found, network), *_cautions(found)]
    lines.append(f"n counts {found.which}; labels were chosen among these only.{_populations(found)}")
    return Sentences("\n".join(f"- {line}" for line in lines))


def _correlation(row: pd.Series) -> str:
    if row.reason:
        return f"no correlation: {row.reason}"
    p = f"= {row.p:.3f}" if row.p >= 0.001 else "< 0.001"
    between = f"95% interval {row.low:.2f} to {row.high:.2f}, " if row.low == row.low else "no interval, "
    return f"r = {row.r:.2f} ({between}p {p}, n = {row.n})"


def _beside_paper(row: pd.Series) -> str:
    """The paper's correlation, and whether ours has the other sign."""
    if row.paper != row.paper:
        return ""
    other = "the sign is the opposite of the paper's" if row.r * row.paper < 0 else "the paper"
    return f", {other} ({row.paper:.2f})"


def _informative_detectors(found: Emergence, network: str) -> list[str]:
    """What a correlation hides: informative objects without a unit, and units for the other objects."""
    name = network or found.study.networks.main
    table = found.table.dropna(subset=["informativeness"])
    units, telling = table[f"units_{name}"], table["informativeness"] > 0
    if found.informative is None or not telling.any():
        return []
    missed, needless = int((units[telling] == 0).sum()), table[~telling & (units > 0)]
    text = (
        f"**Only informative objects?** Of the {telling.sum()} objects that identify a scene best, {missed} "
        f"have no unit in the {named(name)} network. Of the {(~telling).sum()} others, {len(needless)} have "
        "one"
    )
    if len(needless):
        first = needless.sort_values(f"units_{name}", ascending=False, kind="stable").head(4)
        listed = (f"{named(row.object)} {row.units}" for row in first.assign(units=units).itertuples())
        text += f" or more; most units: {', '.join(listed)}"
    lines = [f"{text}."]
    if table["informativeness"].max() == 1:
        lines.append(
            f"**Informativeness is 0 or 1 here** ({telling.sum()} objects have 1): no object identifies two "
            "scene categories best. A count of units cannot follow such a measure closely. Even if "
            "the objects with most units were the informative ones, r would be "
            f"{_highest_r(units, telling):.2f}. So its size does not compare with the paper's."
        )
    return lines


def _highest_r(units: pd.Series, telling: pd.Series) -> float:
    """The correlation if the objects with most units were those that tell scenes apart."""
    if units.nunique() < 2 or telling.nunique() < 2:
        return math.nan
    return float(np.corrcoef(np.sort(units.to_numpy(float)), np.sort(telling.to_numpy(float)))[0, 1])


def _readings(found: Emergence, network: str) -> list[str]:
    """Whether the result depends on how the paper's informativeness is read."""
    rows = found.readings[found.readings.network == (network or found.study.networks.main)]
    rows = rows[rows.reason == ""]
    own = [rows[(rows.reading == one) & (rows.against == one)] for one in READINGS]
    if any(part.empty for part in own):
        return []
    said = [
        f"{text} {part.r.iloc[0]:.2f} ({part.low.iloc[0]:.2f} to {part.high.iloc[0]:.2f})"
        for part, text in zip(own, READINGS.values(), strict=True)
    ]
    apart = rows[rows.against == DIFFERENCE]
    above, below = int((apart.low > 0).sum()), int((apart.high < 0).sum())
    return [
        f"**The result depends on what informativeness is.** r with its {len(READINGS)} readings: "
        f"{'; '.join(said)}. Less the r with frequency, the interval lies above 0 for {above} of them, "
        f"below 0 for {below}."
    ]


def _difference(row: pd.Series, found: Emergence) -> str:
    between = f"95% interval {row.low:.2f} to {row.high:.2f}" if row.low == row.low else "no interval"
    text = f"**Their difference** is {row.r:.2f} ({between})"
    text += "" if row.paper != row.paper else f"; the paper's is {row.paper:.2f}"
    if row.n < _FEWEST_OBJECTS or row.low != row.low:
        few = f"{row.n} object{'' if row.n == 1 else 's'}"
        return f"{text}. From {few} nothing follows: at least {_FEWEST_OBJECTS} are needed, better dozens."
    n = 0 if found.informative is None else len(found.informative.counted)
    if n < _FEWEST_CATEGORIES:
        return f"{text}. From {n} scene categor{'y' if n == 1 else 'ies'} nothing follows: more are needed."
    if row.low > 0:
        return f"{text}. The interval lies above 0: informativeness matters more than frequency{_HERE}."
    if row.high < 0:
        return f"{text}. The interval lies below 0: frequency matters more than informativeness{_HERE}."
    return text + ". The interval contains 0: these objects do not decide between the two."


def _populations(found: Emergence) -> str:
    """On which images units are labelled and objects are counted."""
    scenes = len(found.seen.images)
    if found.counts_scenes:
        return f" Units, frequency and informativeness are counted on the same {scenes:,} scenes."
    return f" People named the units; frequency and informativeness are counted on {scenes:,} scenes."


def _cautions(found: Emergence) -> list[str]:
    """A warning where the informativeness rests on few scene categories."""
    if found.informative is None or len(found.informative.counted) >= _FEW:
        return []
    n = len(found.informative.counted)
    return [
        f"Caution: only {n} scene categories count, so at most {n} objects are informative at all. With so "
        "few the interval says little about other objects."
    ]
