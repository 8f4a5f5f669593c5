"""The paper's own networks, by what was published about their units: people's answers and measured labels.

The networks' weights are not needed for this. Both files come with this package, in data/published/.
"""

from __future__ import annotations

import functools

import pandas as pd

from scenelens import paper
from scenelens.emergence.detectors import DetectorRule, object_units
from scenelens.intervals import difference_interval
from scenelens.paper import PAIR
from scenelens.sentences import Sentences, difference_text, networks_text, share_text
from scenelens.unit_semantics import LabelSet, dissected_labels, released_answers

_UNITS = 256  # of pool5, and of conv5 whose channels they are


def _published_labels() -> dict[str, pd.DataFrame]:
    """The published labels, by source.

    'released answers' are people's labels of pool5, 'Network Dissection' are measured labels of conv5, whose
    channels are pool5's. The networks are called 'scene' and 'object'.
    """
    measured = dissected_labels(layer="conv5").labels
    return {"released answers": _people_of_pool5().copy(), "Network Dissection": measured}


@functools.cache
def _released() -> LabelSet:
    """The released answers, which are read once: reading them takes a second."""
    return released_answers()


@functools.cache
def _people_of_pool5() -> pd.DataFrame:
    """People's labels of pool5."""
    answers = _released().labels
    return answers[answers.layer == "pool5"].reset_index(drop=True)


def _rules() -> dict[str, DetectorRule]:
    """Which rule decides for which source.

    >>> _rules()["Network Dissection"].text
    'IoU above 0.04'
    """
    return {
        "released answers": DetectorRule.by_people(),
        "Network Dissection": DetectorRule.by_measure("iou"),
    }


def published_units(labels: dict[str, pd.DataFrame] | None = None) -> pd.DataFrame:
    """The units of the paper's own networks that detect an object, by what was published about them.

    Parameters
    ----------
    labels : dict of str to pandas.DataFrame, optional
        Labels by source, with the columns of `scenelens.labels.COLUMNS`. By default those that come with the
        package: 'released answers' (people's, of pool5) and 'Network Dissection' (measured, of conv5).

    Returns
    -------
    pandas.DataFrame
        One row per source and unit: ``source``, ``rule`` (in words), ``network`` ('scene' or 'object'),
        ``layer``, ``unit``, ``object``, ``score``.
    """
    labels = _published_labels() if labels is None else labels
    parts = []
    for source, table in labels.items():
        rule = _rules()[source]
        parts.append(object_units(table, rule).assign(source=source, rule=rule.text))
    names = ["source", "rule", "network", "layer", "unit", "object", "score"]
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame(columns=names)


def _published_shares(units: pd.DataFrame) -> pd.DataFrame:
    """How many of the paper's 256 units detect an object, from the table of `published_units`.

    One row per source and network: source, rule, network, n, detectors, none, share, low and high
    (equal to it: all units are counted), objects (distinct ones, after folding).
    """
    rows = []
    for source, found in units.groupby("source", sort=False):
        for network in PAIR:
            own = found[found.network == network]
            row = {"source": source, "rule": found.rule.iloc[0], "network": network, "n": _UNITS}
            row |= {"detectors": len(own), "none": _UNITS - len(own), "share": len(own) / _UNITS}
            rows.append(row | {"low": row["share"], "high": row["share"], "objects": own.object.nunique()})
    names = ["source", "rule", "network", "n", "detectors", "none", "share", "low", "high", "objects"]
    return pd.DataFrame(rows, columns=names)


def describe_published(units: pd.DataFrame) -> Sentences:
    """What the published labels say about the claim, source by source.

    Parameters
    ----------
    units : pandas.DataFrame
        Of `published_units`.

    Returns
    -------
    Sentences
        A list in Markdown.
    """
    lines = []
    for source, rows in _published_shares(units).groupby("source", sort=False):
        scene, other = (rows[rows.network == name].iloc[0] for name in ("scene", "object"))
        text = (
            f"**{source}** ({scene.rule}): in the scene network {_share_words(scene)}; in the object network "
        )
        ends = difference_interval(int(scene.detectors), _UNITS, int(other.detectors), _UNITS)
        names = ("the scene network", "the object network")
        compared = difference_text(scene.share, other.share, ends, names, brief=True)
        text += f"{_share_words(other)}. {compared[:1].upper()}{compared[1:]}."
        lines.append(text + _published_counts(source))
        lines += [_single_objects()] if source == "released answers" else []
    lines += [networks_text(PAIR, "units")] if lines else []
    return Sentences("\n".join(f"- {line}" for line in lines))


def _single_objects() -> str:
    """How many units people named by a word of the paper's three examples, beside the paper's counts."""
    answers, parts = _released(), []
    for (network, name), theirs in paper.UNITS_FOR.items():
        people = answers.people_by_unit(network, "pool5", paper.UNIT_WORDS[name])
        parts.append(
            f"{name} {(people >= 2).sum()} and {len(people)} in the {network} network (the paper: {theirs})"
        )
    return (
        "**Units for one object**, by the word in the released answers, two people or more and one or more: "
        f"{', '.join(parts)}."
    )


def _share_words(row: pd.Series) -> str:
    share = share_text(row.share, row.low, row.high, int(row.n))
    return f"{row.detectors} units detect {row.objects} objects, {share}; {row['none']} detect none"


def _published_counts(source: str) -> str:
    """The counts that were published for the same units."""
    if source != "Network Dissection":
        none, units = paper.NO_OBJECT["pool5"]
        return f" The paper, by its own count: {none} of {units} units of the scene network detect none."
    scene, other = paper.DISSECTED_OBJECTS.values()
    return (
        f" Published: {scene[0]} units over {scene[1]} classes, and {other[0]} over {other[1]}, "
        "before synonyms are folded."
    )
