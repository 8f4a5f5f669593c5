"""The paper's own networks, by what was published about their units: people's answers and measured labels.

Their weights are not needed for it. Neither file comes with this package; see `scenelens.assets`.
"""

from __future__ import annotations

import pandas as pd

from scenelens import paper
from scenelens.assets import advice
from scenelens.emergence.detectors import DetectorRule, by_iou, by_people, object_units
from scenelens.intervals import wilson_interval
from scenelens.sentences import Sentences, apart, share_text
from scenelens.unit_semantics import dissected_labels, released_answers

UNITS = 256  # of pool5, and of conv5 whose channels they are
#: Source -> the asset that holds it.
ASSETS = {"released answers": "unit_annotation", "Network Dissection": "netdissect"}


def published_labels() -> dict[str, pd.DataFrame]:
    """What is at hand, by source: 'released answers' of people about pool5, 'Network Dissection' of conv5.
    Networks go by their part, 'scene' and 'object'. Empty where nothing is at hand."""
    answers, measured = released_answers().labels, dissected_labels(layer="conv5").labels
    found = {"released answers": answers[answers.layer == "pool5"].reset_index(drop=True),
             "Network Dissection": measured}  # fmt: skip
    return {source: table for source, table in found.items() if len(table)}


def published_rules() -> dict[str, DetectorRule]:
    """Which rule speaks for which source.

    >>> published_rules()["Network Dissection"].text
    'IoU above 0.04'
    """
    return {"released answers": by_people(), "Network Dissection": by_iou()}


def published_units(labels: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The paper's units that detect an object, by either source.

    Returns
    -------
    DataFrame : source, rule, network, layer, unit, object, score.
    """
    parts = []
    for source, table in labels.items():
        rule = published_rules()[source]
        parts.append(object_units(table, rule).assign(source=source, rule=rule.text))
    names = ["source", "rule", "network", "layer", "unit", "object", "score"]
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame(columns=names)


def published_shares(labels: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """How many of the paper's 256 units detect an object.

    Returns
    -------
    DataFrame : source, rule, network, n, detectors, none, share with its 95% Wilson interval low and high,
        objects (distinct ones, after folding).
    """
    units = published_units(labels)
    rows = []
    for source, table in labels.items():
        for network in dict.fromkeys(table.network):
            own = units[(units.source == source) & (units.network == network)]
            low, high = wilson_interval(len(own), UNITS)
            row = {"source": source, "rule": published_rules()[source].text, "network": network, "n": UNITS}
            row |= {"detectors": len(own), "none": UNITS - len(own), "share": len(own) / UNITS}
            rows.append(row | {"low": low, "high": high, "objects": own.object.nunique()})
    names = ["source", "rule", "network", "n", "detectors", "none", "share", "low", "high", "objects"]
    return pd.DataFrame(rows, columns=names)


def describe_published(labels: dict[str, pd.DataFrame]) -> Sentences:
    """What the published labels say about the claim, source by source; what is missing and how to get it."""
    lines = []
    shares = published_shares(labels)
    for source, rows in shares.groupby("source", sort=False):
        scene, other = (rows[rows.network == name].iloc[0] for name in ("scene", "object"))
        gap = apart(scene.low, scene.high, other.low, other.high)
        text = f"**{source}** ({scene.rule}): in the scene network {_told(scene)}; in the object network "
        text += f"{_told(other)}. "
        text += "The intervals leave a gap." if gap else "The intervals overlap."
        lines.append(text + _beside(source, scene, other))
    lines += [advice(name) for source, name in ASSETS.items() if source not in labels]
    return Sentences("\n".join(f"- {line}" for line in lines))


def _told(row: pd.Series) -> str:
    share = share_text(row.share, row.low, row.high, int(row.n))
    return f"{row.detectors} units detect {row.objects} objects, {share}; {row['none']} detect none"


def _beside(source: str, scene: pd.Series, other: pd.Series) -> str:
    """What was published, for the units where the very same count was."""
    if source != "Network Dissection":
        none, units = paper.NO_OBJECT["pool5"]
        return f" The paper, by its own count: {none} of {units} units of the scene network detect none."
    told = list(paper.DISSECTED_OBJECTS.values())
    return (
        f" Published: {told[0][0]} units over {told[0][1]} classes, and {told[1][0]} over {told[1][1]}, "
        "before synonyms are folded."
    )
