"""How much units mean, layer by layer: the tables behind Figures 7 and 8.

Every table has a row per network and layer (and level or type), with the number of units. All units of a
layer are counted, so a share has no interval: low and high equal it (rule 1 of `scenelens.intervals`). How
several answers about one unit become one is a rule of `scenelens.labels.RULES`, chosen by the caller: the
paper's main claim depends on it (`counts_by_rule`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError, close_names
from scenelens.labels import (
    LEVELS,
    RULES,
    TYPES,
    UNIT,
    AutomaticLabels,
    Rule,
    check_labels,
    current,
    unit_types,
)
from scenelens.metrics import average_precision
from scenelens.studies import Study
from scenelens.unit_semantics.sources import LabelSet

LEVEL_NAMES = tuple(dict.fromkeys(LEVELS.values()))  # low, mid, high


def _meaning(labels: LabelSet, rule: str | Rule, threshold: float) -> pd.DataFrame:
    """`unit_types`, where the precision of automatic labels is whatever measure chose them."""
    table = labels.labels
    if labels.measure != "precision":
        table = table.assign(precision=table[labels.measure].clip(0, 1))
    return unit_types(table, rule, threshold)


def level_counts(
    labels: LabelSet, rule: str | Rule = "majority", threshold: float | None = None
) -> pd.DataFrame:
    """Units of low, mid and high meaning in each layer (Figure 7b and c).

    Parameters
    ----------
    labels : LabelSet
        Labels of one source.
    rule : str or callable, optional
        How several answers become one, see `scenelens.labels.unit_types` (default 'majority').
    threshold : float, optional
        How well a label has to fit to count (default the set's own, `LabelSet.least`: a precision of 0.75 in
        the paper, an IoU of 0.04 for automatic labels).

    Returns
    -------
    pandas.DataFrame
        ``network``, ``depth``, ``layer``, ``level`` ('low', 'mid' or 'high'), ``n`` (units that count),
        ``named`` (units of that level without the threshold), ``of`` (units of the layer), ``share``,
        ``low``, ``high`` (all n / of: no interval, because all units are counted).

    Raises
    ------
    CannotAnswerError
        If there are no labels.

    Notes
    -----
    Section 3.3, Figure 7. With the rule 'any' a unit may count in several levels.
    """
    labels.need()
    least = labels.least if threshold is None else threshold
    # The second count has no threshold; the figure shows it as pale bars behind the first.
    counts = [_counted(_meaning(labels, rule, value), "level") for value in (least, 0.0)]
    rows = []
    for network, depth, layer, of in labels.places():
        for level in LEVEL_NAMES:
            n, named = (count.get((network, layer, level), 0) for count in counts)
            rows.append((network, depth, layer, level, n, named, of, *[n / of] * 3))
    columns = ["network", "depth", "layer", "level", "n", "named", "of", "share", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _counted(meanings: pd.DataFrame, what: str) -> dict[tuple[str, str, str], int]:
    """Units per network, layer and level (or type); a unit counts once in each."""
    once = meanings.drop_duplicates([*UNIT, what])
    return once.groupby(["network", "layer", what]).size().to_dict()


def type_shares(
    labels: LabelSet, rule: str | Rule | None = None, threshold: float | None = None
) -> pd.DataFrame:
    """The six semantic types in each layer (Figure 8).

    Parameters
    ----------
    labels : LabelSet
        Labels of one source.
    rule : str or callable, optional
        How several answers become one. None (default) counts all answers, whatever their precision, as the
        released `layerAverageCount` does; otherwise units are counted, as in `level_counts`.
    threshold : float, optional
        How well a label has to fit to count (default the set's own); not used without a rule.

    Returns
    -------
    pandas.DataFrame
        ``network``, ``depth``, ``layer``, ``type``, ``n``, ``of`` (answers, or units of the layer),
        ``share``, ``low``, ``high`` (all n / of: no interval, because all answers, or units, are counted).

    Raises
    ------
    CannotAnswerError
        If there are no labels.

    Notes
    -----
    Section 3.3, Figure 8.
    """
    labels.need()
    if rule is None:
        answers = _type_counts(current(labels.labels))
        found = {(*key, kind): int(row[kind]) for key, row in answers.iterrows() for kind in TYPES}
        totals = answers.sum(axis=1).to_dict()
    else:
        least = labels.least if threshold is None else threshold
        found, totals = _counted(_meaning(labels, rule, least), "type"), dict(labels.units)
    rows = []
    for network, depth, layer, _ in labels.places():
        of = int(totals.get((network, layer), 0))
        for kind in TYPES:
            n = found.get((network, layer, kind), 0)
            share = n / of if of else np.nan
            rows.append((network, depth, layer, kind, n, of, *[share] * 3))
    columns = ["network", "depth", "layer", "type", "n", "of", "share", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def counts_by_rule(labels: LabelSet, kind: str = "object", threshold: float | None = None) -> pd.DataFrame:
    """How many units of the deepest layer are of one type, by every rule.

    Parameters
    ----------
    labels : LabelSet
        Labels of one source.
    kind : str, optional
        The type (default 'object').
    threshold : float, optional
        How well a label has to fit to count (default the set's own).

    Returns
    -------
    pandas.DataFrame
        ``rule``, ``network``, ``layer``, ``n``, ``of``, ``share``, ``low``, ``high`` (all n / of).

    Raises
    ------
    SceneLensError
        If the type is unknown; CannotAnswerError if there are no labels.
    """
    if kind not in TYPES:
        raise SceneLensError(f"no type {kind!r}; {close_names(kind, TYPES)}.")
    tables = []
    for rule in RULES:
        table = type_shares(labels, rule, threshold)
        deepest = table.groupby("network").depth.transform("max")
        tables.append(table[(table.type == kind) & (table.depth == deepest)].assign(rule=rule))
    columns = ["rule", "network", "layer", "n", "of", "share", "low", "high"]
    return pd.concat(tables, ignore_index=True)[columns]


def measure_checks(study: Study, network: str = "", layer: str = "", seed: int = 0) -> pd.DataFrame:
    """Which measures notice that a concept's labels are wrong: the two tests of NeuronEval.

    A random half of a concept's labels is lost, or as many false labels are added at random. A measure that
    may choose a unit's label must fall in both tests.

    Parameters
    ----------
    study : Study
        An open study with annotations.
    network : str, optional
        The network's name (default the study's main one).
    layer : str, optional
        A layer of the automatic labels (default the deepest one).
    seed : int, optional
        Chooses the labels of images that are lost and added, for the average precision (default 0).

    Returns
    -------
    pandas.DataFrame
        One row per measure. ``ideal, half lost`` and ``ideal, as many added``: what is left of a value of 1,
        for a unit that is active exactly where its concept is. ``falls, half lost`` and ``falls, as many
        added``: the share of the real units for which the measure falls. ``n`` (these units; for the average
        precision those named after objects, on annotated images of the study), ``chooses`` (bool: whether it
        may choose a label).

    Raises
    ------
    SceneLensError
        If the study has no annotations, or no such network or layer.

    Notes
    -----
    Oikarinen, Yan and Weng, Evaluating Neuron Explanations: A Unified Framework with Sanity Checks (ICML
    2025). A measure falls where it loses more than 0.1% of its range.
    """
    found = study.automatic_labels(network or study.networks.main)
    layer = layer or found.layers[-1]
    table = found.check_measures(layer).set_index(["measure", "test"])
    tests = list(dict.fromkeys(table.index.get_level_values("test")))
    for test, (n, *means) in zip(tests, _ap_falls(study, found, layer, seed), strict=False):
        table.loc[("ap", test), ["n", "before", "after", "falls"]] = [n, *means]
    wide = {
        f"{what}, {test}": table[what].xs(test, level="test") for what in ("ideal", "falls") for test in tests
    }
    shown = pd.DataFrame(wide).assign(n=table.n.xs(tests[0], level="test").astype(int))
    shown.attrs["units"] = dict.fromkeys(wide, "share")
    shown["chooses"] = shown.index.isin(AutomaticLabels.CHOOSING)
    return shown.sort_values("chooses", ascending=False, kind="stable")


def _ap_falls(study: Study, found: AutomaticLabels, layer: str, seed: int) -> list[tuple]:
    """The two tests for the average precision of units that are named after objects; empty without any."""
    listed = [study.annotated(image) for image in study.images.image]
    rows = np.flatnonzero([bool(name) for name in listed])
    if not len(rows):
        return []
    peaks = study.index(found.network).peaks(layer)[rows]
    read = ~np.isnan(peaks).any(1)
    names = np.array(listed, object)[rows][read]
    shown = study.need_annotations().objects().groupby("object").image.agg(set)
    labels = found.labels(types=["object"]).query("layer == @layer and kind == 'objects'")
    rng, values = np.random.default_rng(seed), []
    for row in labels[labels.concept.isin(shown.index)].itertuples():
        present = np.isin(names, list(shown[row.concept]))
        own = peaks[read, row.unit]
        if not 2 <= present.sum() <= len(present) // 2:
            continue
        lost = present & (rng.random(len(present)) < 0.5)
        added = present | (rng.random(len(present)) < present.sum() / (~present).sum())
        values.append([average_precision(one, own) for one in (present, lost, added)])
    table = np.array(values).reshape(-1, 3)
    return [AutomaticLabels.falls(table[:, 0], table[:, k]) for k in (1, 2)] if len(table) else []


def _type_counts(labels: pd.DataFrame) -> pd.DataFrame:
    """How many answers each type got, whatever their precision (the released `layerAverageCount`).

    One row per network and layer (the index, in the table's order), one column per type.

    >>> table = pd.DataFrame([("scene", "pool5", 1, "bed", "object"), ("scene", "pool5", 2, "sky", "scene")],
    ...                      columns=["network", "layer", "unit", "concept", "type"])
    >>> _type_counts(table)["object"].tolist()
    [1]
    """
    table = check_labels(labels)
    counts = table.groupby(["network", "layer", "type"], sort=False).size().unstack(fill_value=0)
    counts = counts.reindex(columns=pd.Index(TYPES, name="type"), fill_value=0)
    return counts.reindex(pd.MultiIndex.from_frame(table[["network", "layer"]].drop_duplicates()))
