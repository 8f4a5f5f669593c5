"""Section 4.1 for a whole study: what its networks detect, what its scenes hold, how the two go together."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from scenelens.annotations import read_folding
from scenelens.emergence.detectors import (
    OBJECTS,
    RULES,
    DetectorRule,
    by_ap,
    by_iou,
    by_people,
    check_units,
    object_units,
)
from scenelens.emergence.frequency import Zipf, object_frequency, zipf_fit
from scenelens.emergence.informativeness import Informativeness, informative_objects
from scenelens.emergence.presence import ObjectPresence, object_presence
from scenelens.emergence.tables import correlations, detector_share, emergence_table, unit_counts
from scenelens.errors import SceneLensError
from scenelens.labels import AutomaticLabels
from scenelens.paper import PAIR
from scenelens.sentences import Sentences
from scenelens.studies import Study, scene_images

N_RESAMPLES = 1000
LEAST_IMAGES = 5  # that show a concept, for units to be asked about it


@dataclass(frozen=True)
class Emergence:
    """What section 4.1 asks of a study.

    Attributes
    ----------
    study : it. rule : which units count as detectors, in words.
    automatic : network to its automatic labels, without concepts on too few images.
    layers : network to the layer that is counted, its deepest one that has a map.
    units : `object_units` of these layers. shares : `detector_share` of all labelled layers, all networks.
    seen : objects by scene images. frequency : `object_frequency` of them. zipf : the law fitted to it.
    informative : None where no object can tell scenes apart; then `why_not` says why.
    table : `emergence_table` of the scene and the object network, of the objects that units were asked about:
        those on at least `least_images` annotated images (and what people named).
    correlations : `correlations` for each of the two, with the columns network and objects: 'all' that are
        annotated or detected, or only those 'detected' by the network.
    """

    study: Study
    rule: str
    automatic: dict[str, AutomaticLabels]
    layers: dict[str, str]
    units: pd.DataFrame
    shares: pd.DataFrame
    seen: ObjectPresence
    frequency: pd.DataFrame
    zipf: Zipf
    informative: Informativeness | None
    why_not: str
    table: pd.DataFrame
    correlations: pd.DataFrame
    least_images: int

    @property
    def networks(self) -> list[str]:
        """Those of the pair that the study has."""
        return [name for name in PAIR if name in self.automatic]

    @property
    def which(self) -> str:
        """Which objects the table holds, in words.

        An object that units were never asked about has no unit by construction: it would only pretend that
        rare objects have none.
        """
        return f"objects on at least {self.least_images} images" if self.least_images > 1 else "objects"

    def of(self, network: str) -> pd.DataFrame:
        """The network's detectors."""
        return self.units[self.units.network == network]


def emergence_of(
    study: Study, rule: str | DetectorRule = "iou", least_images: int = LEAST_IMAGES
) -> Emergence | None:
    """Everything that section 4.1 asks, by one rule; None where the study has no annotations.

    Parameters
    ----------
    rule : see `detectors.object_units`. A rule by people counts the answers kept for this study.
    least_images : units are not asked about concepts on fewer annotated images. With many concepts and many
        units, some unit happens to be active on the only fire extinguisher there is.

    Notes
    -----
    Automatic labels look at all annotated images; frequency and informativeness at those that show scenes.
    """
    if study.annotations is None:
        return None
    automatic = {name: study.automatic_labels(name).shown_often(least_images) for name in study.networks}
    labels = study_answers(study, automatic)
    layers = {name: one.layers[-1] for name, one in automatic.items()}
    seen = object_presence(study.annotations, scene_images(study))
    informative, why_not = _informative(seen)
    frequency = object_frequency(seen)
    units = _deepest(object_units(labels, rule, study.networks), layers)
    counts = _deepest(unit_counts(labels, rule, study.networks), layers)
    pair = {name: counts[counts.network == name] for name in PAIR if name in automatic}
    table = _asked(emergence_table(pair, frequency, informative), automatic)
    return Emergence(
        study=study,
        rule=(rule if isinstance(rule, DetectorRule) else RULES[rule]()).text,
        automatic=automatic,
        layers=layers,
        units=units,
        shares=detector_share(labels, study.networks, rule),
        seen=seen,
        frequency=frequency,
        zipf=zipf_fit(seen),
        informative=informative,
        why_not=why_not,
        table=table,
        correlations=_correlations(table, list(pair)),
        least_images=least_images,
    )


def _asked(table: pd.DataFrame, automatic: dict[str, AutomaticLabels]) -> pd.DataFrame:
    """The objects that units were asked about, and those that somebody named."""
    fold = read_folding()
    asked = {fold(name) for one in automatic.values() for name in one.concepts.concept}
    units = [name for name in table if name.startswith("units_")]
    kept = table.object.isin(asked) | (table[units].sum(axis=1) > 0)
    return table[kept].reset_index(drop=True)


def where_annotated(view: Callable[..., Any]) -> Callable[..., Any]:
    """A view of an `Emergence` that says in a sentence that there is none, where a study has no annotations.

    Examples
    --------
    >>> where_annotated(lambda found: found.table)(None)
    'This study has no annotations: ...'
    """

    @functools.wraps(view)
    def shown(found: Emergence | None, *arguments: Any, **options: Any) -> Any:
        if found is None:
            return Sentences(
                "This study has no annotations: nobody can say which objects its scenes hold, nor which of "
                "them a unit has found. Add an [annotations] table to its study.toml."
            )
        return view(found, *arguments, **options)

    return shown


def study_answers(study: Study, automatic: dict[str, AutomaticLabels], by: str = "iou") -> pd.DataFrame:
    """Automatic labels of all networks and people's answers, in one table that has been held against the
    study's networks."""
    tables = [one.labels(by) for one in automatic.values()]
    people = study.answers.labels()
    labels = pd.concat([*tables, people] if len(people) else tables, ignore_index=True)
    check_units(labels, study.networks)
    return labels


def _deepest(table: pd.DataFrame, layers: dict[str, str]) -> pd.DataFrame:
    kept = [layers.get(row.network) == row.layer for row in table.itertuples()]
    return table[pd.Series(kept, index=table.index, dtype=bool)].reset_index(drop=True)


def _informative(seen: ObjectPresence) -> tuple[Informativeness | None, str]:
    try:
        found = informative_objects(seen)
    except SceneLensError as error:
        return None, str(error)
    if found.counted.empty:
        reasons = found.categories.reason.value_counts()
        return None, f"none of {len(found.categories)} scene categories counts ({reasons.index[0]})."
    return found, ""


def _correlations(table: pd.DataFrame, networks: list[str]) -> pd.DataFrame:
    parts = []
    for network in networks:
        of = f"units_{network}"
        for objects, rows in (("all", table), ("detected", table[table[of] > 0])):
            found = correlations(rows, of, n_resamples=N_RESAMPLES)
            if network != "scene":  # the paper's numbers are about its scene network
                found = found.assign(paper=math.nan)
            parts.append(found.assign(network=network, objects=objects))
    return pd.concat(parts, ignore_index=True)


@where_annotated
def by_rules(found: Emergence) -> pd.DataFrame:
    """The same counts by other rules: how much of the answer is the rule's doing.

    Returns
    -------
    DataFrame : rule, network, n (units of the layer), detectors, none, objects; on_images (mean share of the
        scenes' images that show what a detector detects); frequency and informativeness (Pearson's
        correlations over all objects; NaN where there is none). By people only where somebody has answered.
    """
    every = study_answers(found.study, found.automatic)
    best = {by: _among_objects(found, by) for by in ("iou", "ap")}
    ways = [
        (f"of all concepts, {by_iou().text}", every, by_iou()),
        (f"of objects, {by_iou().text}", best["iou"], by_iou()),
        (f"of objects, {by_ap().text}", best["ap"], by_ap()),
    ]
    if (every.source != "automatic").any():
        ways.append((by_people().text, every, by_people()))
    return pd.concat([_by_rule(found, *way) for way in ways], ignore_index=True)


def _among_objects(found: Emergence, by: str) -> pd.DataFrame:
    return pd.concat([one.labels(by, types=list(OBJECTS)) for one in found.automatic.values()])


def _by_rule(found: Emergence, text: str, labels: pd.DataFrame, rule: DetectorRule) -> pd.DataFrame:
    shares = _deepest(detector_share(labels, found.study.networks, rule), found.layers)
    counts = _deepest(unit_counts(labels, rule), found.layers)
    rows = []
    for share in shares.to_dict("records"):
        network, units = share["network"], f"units_{share['network']}"
        own = {network: counts[counts.network == network]}
        table = _asked(emergence_table(own, found.frequency, found.informative), found.automatic)
        r = correlations(table, units, n_resamples=1).set_index(["measure", "against"]).r
        found_on = (table[units] * table.images).sum() / max(share["detectors"], 1)
        row = {name: share[name] for name in ("network", "n", "detectors", "none", "objects")}
        row["on_images"] = found_on / len(found.seen.images) if share["detectors"] else math.nan
        rows.append(row | {name: r["pearson", name] for name in ("frequency", "informativeness")})
    table = pd.DataFrame(rows)
    table.insert(0, "rule", text)
    return table


@where_annotated
def told_by(found: Emergence) -> pd.DataFrame | Sentences:
    """The best object of every scene category, as `Informativeness.categories`; a sentence where none is."""
    return Sentences(found.why_not) if found.informative is None else found.informative.categories


@where_annotated
def finer_correlations(found: Emergence, network: str = "scene") -> pd.DataFrame:
    """The same correlations with a finer measure in place of informativeness, which for most objects is 0:
    each object's highest AP for any scene category."""
    return correlations(found.table, f"units_{network}", ("frequency", "ap"), n_resamples=N_RESAMPLES)
