"""Section 4.1 for a whole study: what its networks detect, what its scenes contain, how the two go together.

The data goes one way: labels -> detectors by one rule -> units per object -> shares and the table of objects
-> correlations. Each step takes the table of the step before.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import pandas as pd

from scenelens import paper
from scenelens.annotations import Folding
from scenelens.emergence.detectors import (
    OBJECTS,
    DetectorRule,
    _check_units,
    _detector_rule,
    object_units,
)
from scenelens.emergence.frequency import _Zipf, object_frequency
from scenelens.emergence.informativeness import Informativeness, informative_objects
from scenelens.emergence.looks import _unit_looks
from scenelens.emergence.nulls import _cache_path, _chance_table, _scene_counts, _SceneCounts
from scenelens.emergence.presence import ObjectPresence
from scenelens.emergence.tables import (
    READINGS,
    _counts_of,
    _detector_share,
    _emergence_table,
    _labelled_layers,
    correlations,
)
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.labels import LEAST_IMAGES, AutomaticLabels, LayerMaps
from scenelens.networks import Network
from scenelens.sentences import percent
from scenelens.studies import Study

_N_RESAMPLES = 1000
_RARE = 0.25  # objects on more scenes than this share have a high AP by chance
_MEASURED_ON_SCENES = ("iou", "ap")  # measures that `_SceneCounts` has
_SHOWN = 2 * LEAST_IMAGES  # images of an object: some choose a name, and as many judge it


@dataclass(frozen=True)
class Emergence:
    """What emerged in a study, by one rule (section 4.1). Made by `measure_emergence`.

    Attributes
    ----------
    study : Study
        The study.
    rule : str
        Which units count as detectors, in words.
    automatic : dict of str to AutomaticLabels
        Network to its automatic labels, without concepts on too few images.
    labels : pandas.DataFrame
        The automatic labels of all networks and people's answers, in one table.
    layers : dict of str to str
        Network to the layer that is counted, its deepest one that has a map.
    scenes : dict of str to _SceneCounts
        Network to the counts of this layer on scenes alone, and with shuffled annotations.
    units : pandas.DataFrame
        `object_units` of these layers, on scenes alone; by a rule by people, of all answers.
    shares : pandas.DataFrame
        One row per network and labelled layer, on all annotated images: ``network``, ``layer``, ``n``
        (units), ``detectors``, ``share``, ``low``, ``high`` (equal to it: all units are counted), ``none``
        (units that detect no object), ``objects``.
    on_scenes : pandas.DataFrame
        The same for the counted layer of each network, from `units`.
    chance : pandas.DataFrame
        How many units would be detectors with other images' annotations, see `_chance_table`; empty for
        another rule than one by IoU.
    seen : ObjectPresence
        Objects by scene images.
    frequency : pandas.DataFrame
        `object_frequency` of them.
    zipf : _Zipf
        The law fitted to it.
    informative : Informativeness or None
        The best object of every scene category; None where no object can tell scenes apart.
    why_not : str
        Why `informative` is None; '' where it is not.
    table : pandas.DataFrame
        One row per object on at least `least_images` annotated images, or named by people: ``object``,
        ``units_<network>`` for each of `networks`, ``frequency``, ``images``, ``area``,
        ``informativeness``, ``ap``.
    correlations : pandas.DataFrame
        `correlations` for each of `networks`, with the columns ``network`` and ``objects``: 'all' objects of
        the table, or only those 'detected' by the network.
    readings : pandas.DataFrame
        The same for each reading of informativeness, over all objects: ``network``, ``reading`` (a key of
        `READINGS`), ``against`` ('frequency', the reading or 'difference'), and the columns of
        `correlations` by Pearson.
    least_images : int
        Concepts on fewer annotated images have no label.
    counts_scenes : bool
        Whether `units` are counted on scenes alone; by a rule by people they are not.
    """

    study: Study
    rule: str
    automatic: dict[str, AutomaticLabels]
    labels: pd.DataFrame
    layers: dict[str, str]
    scenes: dict[str, _SceneCounts]
    units: pd.DataFrame
    shares: pd.DataFrame
    on_scenes: pd.DataFrame
    chance: pd.DataFrame
    seen: ObjectPresence
    frequency: pd.DataFrame
    zipf: _Zipf
    informative: Informativeness | None
    why_not: str
    table: pd.DataFrame
    correlations: pd.DataFrame
    readings: pd.DataFrame
    least_images: int
    counts_scenes: bool

    @property
    def networks(self) -> list[str]:
        """The names of the trained networks, the scene network first; see `StudyNetworks.compared`."""
        return [name for name in self.study.networks.compared if name in self.automatic]

    @property
    def n_annotated(self) -> int:
        """How many annotated images the labels come from."""
        return next(iter(self.automatic.values())).n_images

    @property
    def categories(self) -> pd.DataFrame:
        """The best object of every scene category, see `Informativeness.categories`.

        Raises CannotAnswerError where no object can tell scenes apart.
        """
        if self.informative is None:
            raise CannotAnswerError(self.why_not)
        return self.informative.categories

    @property
    def which(self) -> str:
        """Which objects the table contains, in words.

        An object that no label could name has no unit by construction; in the table it would only pretend
        that rare objects have no units.
        """
        return f"objects on at least {self.least_images} scenes" if self.least_images > 1 else "objects"

    def of(self, network: str) -> pd.DataFrame:
        """The network's detectors in its counted layer.

        Parameters
        ----------
        network : str
            The network's name in the study.

        Returns
        -------
        pandas.DataFrame
            Rows of `units`.

        Raises
        ------
        SceneLensError
            If the study has no such network.
        """
        self._check(network)
        return self.units[self.units.network == network]

    def share(self, network: str) -> pd.Series:
        """The share of detectors in the network's counted layer, on scenes.

        Parameters
        ----------
        network : str
            The network's name in the study.

        Returns
        -------
        pandas.Series
            The row of `on_scenes`.

        Raises
        ------
        SceneLensError
            If the study has no such network.
        """
        self._check(network)
        return self.on_scenes[self.on_scenes.network == network].iloc[0]

    def beside_paper(self) -> pd.DataFrame:
        """Shares of detectors by rule: the paper's scene network and this study's, each rule with its name.

        Two shares compare only where the rule is the same.

        Returns
        -------
        pandas.DataFrame
            One row per network and rule: ``network``, ``rule``, ``images``, ``detectors``, ``n`` (units),
            ``share``. All units are counted, so a share has no interval.
        """
        none, units = paper.NO_OBJECT["pool5"]
        theirs = {
            ("by people, as the paper counts", "its own"): (units - none, units),
            ("majority of people, precision at least 0.75", "its own"): paper.MAJORITY_OBJECTS["scene"],
            ("IoU above 0.04", "Broden"): (paper.DISSECTED_OBJECTS["places205-alexnet"][0], units),
        }
        rows = [("the paper's scene network", *rule, *counts) for rule, counts in theirs.items()]
        main = self.study.networks.main
        where = "scenes" if self.counts_scenes else "all"
        here = f"{main} network of {self.study.name}"
        for images, table in ((where, self.on_scenes), ("all", self.shares)):
            own = table[(table.network == main) & (table.layer == self.layers[main])].iloc[0]
            rows.append((here, self.rule, images, int(own.detectors), int(own.n)))
        names = ["network", "rule", "images", "detectors", "n"]
        found = pd.DataFrame(list(dict.fromkeys(rows)), columns=names)
        return found.assign(share=found.detectors / found.n)

    def looks(self, network: str = "") -> pd.DataFrame:
        """Which looks of their object the top images of a network's detectors show.

        Parameters
        ----------
        network : str, optional
            The network's name in the study (default its main one, see `StudyNetworks.main`).

        Returns
        -------
        pandas.DataFrame
            One row per unit whose object has several looks: ``object``, ``unit``, ``n`` (of its 60 top
            annotated images, those that show the object), ``looks`` (of the object), ``most`` (the most
            frequent look among the n, with its ``share``), ``entropy`` (of the looks among the n, in bits),
            ``shuffled`` (its mean for n looks drawn from images that show the object), ``p`` (how often that
            is as low, of 999 draws), ``adjusted`` (Benjamini-Hochberg) and ``differ`` (for an object with
            several units, the p-value of their having the same looks, by shuffling looks among them; NaN for
            a single unit).

        Raises
        ------
        SceneLensError
            If the study has no such network; CannotAnswerError if its annotations do not name looks: only
            those of a generated world do.
        """
        name = network or self.study.networks.main
        units = self.of(name)
        base = _cache_path(self.study, self.automatic, self.least_images)
        table = _unit_looks(self.study, name, self.layers[name], units, base)
        table.attrs["units"] = {"entropy": "bits", "shuffled": "bits"}
        return table

    def correlated(self, network: str = "") -> pd.DataFrame:
        """The correlations over all objects of one network.

        Parameters
        ----------
        network : str, optional
            The network's name in the study (default its main one).

        Returns
        -------
        pandas.DataFrame
            Rows of `correlations`.

        Raises
        ------
        SceneLensError
            If the study has no such network; CannotAnswerError where there is no correlation at all.
        """
        name = network or self.study.networks.main
        self._check(name)
        rows = self.correlations[self.correlations.network == name]
        rows = rows[rows.objects == "all"]
        if (rows.reason != "").all():
            raise CannotAnswerError(
                f"the units of the {name} network go with nothing here ({rows.reason.iloc[0]}): more units "
                "that detect an object, or more annotated objects, would show whether they do."
            )
        return rows

    def _check(self, network: str) -> None:
        """Raise the study's sentence about a network that it does not have."""
        if network not in self.layers:
            _ = self.study.networks[network]


class _Detectors(NamedTuple):
    """All layers' detectors by one rule, their number per object, and their share of each layer."""

    units: pd.DataFrame
    counts: pd.DataFrame
    shares: pd.DataFrame


def _detectors(
    labels: pd.DataFrame,
    rule: str | DetectorRule,
    networks: Mapping[str, Network],
    automatic: Mapping[str, AutomaticLabels],
) -> _Detectors:
    """Apply a rule once, and count what it picks."""
    # All layers that were measured: one in which no unit has a label must be in the table.
    measured = [(name, layer) for name, one in automatic.items() for layer in one.layers]
    layers = list(dict.fromkeys([*measured, *_labelled_layers(labels)]))
    units = object_units(labels, rule)
    counts = _counts_of(units, layers)
    return _Detectors(units, counts, _detector_share(counts, layers, networks))


def measure_emergence(
    study: Study, rule: str | DetectorRule = "iou", least_images: int = _SHOWN
) -> Emergence:
    """Everything that section 4.1 measures, by one rule.

    Parameters
    ----------
    study : Study
        An open study.
    rule : str or DetectorRule, optional
        Which units count as detectors, see `object_units` (default 'iou'). A rule by people uses the answers
        that were given in this study.
    least_images : int, optional
        Concepts on fewer annotated images are not used as labels (default 10: five that choose a name, and
        five that judge it). With many concepts and many units, some unit happens to be active on the only
        fire extinguisher of all images.

    Returns
    -------
    Emergence
        All of it.

    Raises
    ------
    SceneLensError
        CannotAnswerError where the study has no annotations, or none of a scene, or where no object is on
        enough images. Also if the rule is unknown, or if people's answers belong to other networks, layers
        or units.

    Notes
    -----
    The paper's section is about scenes. So units, frequency and informativeness are counted on the annotated
    images of scenes. Only the shares of the other layers (`Emergence.shares`) use all annotated images.
    """
    seen = _seen(study)
    every = {name: study.automatic_labels(name) for name in study.networks}
    automatic = {name: one.shown_often(least_images) for name, one in every.items()}
    labels = _all_labels(study, automatic)
    _check_objects(labels, every.values(), least_images)
    layers = {name: one.layers[-1] for name, one in automatic.items()}
    with _maps_shared(study):
        scenes = _scene_counts(study, every, least_images)
    detectors = _detectors(labels, rule, study.networks, automatic)
    deepest = _on_scenes(detectors, scenes, layers, _detector_rule(rule), study.networks)
    frequency = object_frequency(seen)
    informative, why_not = _informative(seen)
    counts = deepest.counts
    pair = {name: counts[counts.network == name] for name in study.networks.compared}
    table = _with_labels(_emergence_table(pair, frequency, informative), scenes.values())
    if table.empty:
        raise CannotAnswerError(
            "no object that a unit could be named after is on an annotated image of a scene."
        )
    return Emergence(
        study=study,
        rule=_detector_rule(rule).text,
        automatic=automatic,
        labels=labels,
        layers=layers,
        scenes=scenes,
        units=deepest.units,
        shares=detectors.shares,
        on_scenes=deepest.shares,
        chance=_chance_table(scenes, _detector_rule(rule), automatic),
        seen=seen,
        frequency=frequency,
        zipf=_Zipf.fitted(seen),
        informative=informative,
        why_not=why_not,
        table=table,
        correlations=_correlations(table, list(pair)),
        readings=_readings(table, list(pair)),
        least_images=least_images,
        counts_scenes=_detector_rule(rule).measure in _MEASURED_ON_SCENES,
    )


def _maps_shared(study: Study) -> AbstractContextManager[None]:
    """Keep the maps of this forward pass, unless they are kept already."""
    kept = any(LayerMaps.kept(study.networks[name]) is not None for name in study.networks)
    return contextlib.nullcontext() if kept else study.maps_kept()


def _on_scenes(
    detectors: _Detectors,
    scenes: Mapping[str, _SceneCounts],
    layers: dict[str, str],
    rule: DetectorRule,
    networks: Mapping[str, Network],
) -> _Detectors:
    """The detectors of the counted layers on scenes; by a rule by people, those of all answers."""
    places = list(layers.items())
    units = _counted_layers(detectors.units, layers)
    if rule.measure in _MEASURED_ON_SCENES:
        units = object_units(_scene_labels(scenes.values()), rule)
    counts = _counts_of(units, places)
    return _Detectors(units, counts, _detector_share(counts, places, networks))


def _scene_labels(scenes: Iterable[_SceneCounts], by: str = "iou", **options: Any) -> pd.DataFrame:
    return pd.concat([one.labels(by, **options) for one in scenes], ignore_index=True)


def _all_labels(study: Study, automatic: dict[str, AutomaticLabels]) -> pd.DataFrame:
    """Automatic labels of all networks and people's answers, checked against the study's networks."""
    # Rare concepts are gone already.
    tables = [one.labels("iou", least_images=0) for one in automatic.values()]
    people = study.answers.labels()
    labels = pd.concat([*tables, people] if len(people) else tables, ignore_index=True)
    # Answers may come from another study's file; labels are checked here, once for all that is made of them.
    _check_units(labels, study.networks)
    return labels


def _seen(study: Study) -> ObjectPresence:
    """The objects on the annotated images of scenes, whose categories a list of images may name, too."""
    seen = ObjectPresence.of(study.need_annotations(), study.scene_images())
    try:
        categories = study.scene_categories()
    except CannotAnswerError:  # without scenes there is no informativeness, which says so itself
        return seen
    return replace(seen, categories=tuple(categories.get(image, "") for image in seen.images))


def _check_objects(labels: pd.DataFrame, automatic: Iterable[AutomaticLabels], least_images: int) -> None:
    """Raise where nothing could be detected: no object is on enough images, and people named none."""
    if (labels.source != "automatic").any():
        return
    shown = [one.concepts.images[one.concepts.type.isin(OBJECTS)].max() for one in automatic]
    most, n = max((int(one) for one in shown if one == one), default=0), next(iter(automatic)).n_images
    if not most:
        raise CannotAnswerError(
            f"the annotations name no object on their {n} images, so no unit can be found to detect one: "
            "outline and name some objects."
        )
    if most < least_images:
        raise CannotAnswerError(
            f"no object is on more than {most} of the {n} annotated images, and with fewer than "
            f"{least_images} a unit's name would be chance: annotate {least_images} images or more that show "
            "the same object."
        )


def _counted_layers(table: pd.DataFrame, layers: dict[str, str]) -> pd.DataFrame:
    """The rows of the one layer of each network that is counted."""
    counted = [layers.get(row.network) == row.layer for row in table.itertuples()]
    return table[pd.Series(counted, index=table.index, dtype=bool)].reset_index(drop=True)


def _with_labels(table: pd.DataFrame, scenes: Iterable[_SceneCounts]) -> pd.DataFrame:
    """The objects that could be a unit's label, and those that people named."""
    fold = Folding.read()
    possible = {fold(name) for one in scenes for name in one.concepts.concept}
    units = [name for name in table if name.startswith("units_")]
    kept = table.object.isin(possible) | (table[units].sum(axis=1) > 0)
    return table[kept].reset_index(drop=True)


def _informative(seen: ObjectPresence) -> tuple[Informativeness | None, str]:
    """The informative objects, or None and why there are none."""
    try:
        found = informative_objects(seen)
    except SceneLensError as error:
        return None, str(error)
    if found.counted.empty:
        reasons = found.categories.reason.value_counts()
        return None, f"none of {len(found.categories)} scene categories counts ({reasons.index[0]})."
    return found, ""


def _correlations(table: pd.DataFrame, networks: list[str]) -> pd.DataFrame:
    """`correlations` of each network, over all objects and over those that it detects."""
    parts = []
    for network in networks:
        of = f"units_{network}"
        for objects, rows in (("all", table), ("detected", table[table[of] > 0])):
            found = correlations(rows, of, n_resamples=_N_RESAMPLES)
            if network != "scene":  # the paper's numbers are about its scene network
                found = found.assign(paper=math.nan)
            parts.append(found.assign(network=network, objects=objects))
    return pd.concat(parts, ignore_index=True)


def _readings(table: pd.DataFrame, networks: list[str]) -> pd.DataFrame:
    """Pearson's correlations of the number of units with each reading of informativeness."""
    parts = []
    for network in networks:
        for reading in READINGS:
            rows = correlations(
                table, f"units_{network}", ("frequency", reading), n_resamples=_N_RESAMPLES, by=("pearson",)
            )
            known = rows.paper if network == "scene" else math.nan  # the paper's are about its scene network
            parts.append(rows.assign(network=network, reading=reading, paper=known))
    return pd.concat(parts, ignore_index=True)


def rules_compared(found: Emergence) -> pd.DataFrame:
    """The same counts on scenes by other rules: how much of the result depends on the rule.

    Parameters
    ----------
    found : Emergence
        Of `measure_emergence`.

    Returns
    -------
    pandas.DataFrame
        One row per rule and network: ``rule``, ``network``, ``n`` (units of the layer), ``detectors``,
        ``none``, ``objects``; ``on_images`` (mean share, 0..1, of the scenes' images that show what a
        detector detects); ``chance`` (for a rule by AP, the highest AP, 0..1, that responses at random reach
        for one of its objects; NaN for other rules), ``by_chance`` (whether that exceeds the rule's
        threshold); ``frequency`` and ``informativeness`` (Pearson's
        correlations over all objects; NaN where there is none). The rule by people only where people have
        answered.

    Notes
    -----
    Responses at random have an AP equal to the share of the images that show the object, so a rule by AP may
    count units that know nothing: it stands here to show that. The other rule by AP leaves out what more than
    a quarter of the scenes show.
    """
    by_iou, by_ap = DetectorRule.by_measure("iou"), DetectorRule.by_measure("ap", 0.5)
    by_people = DetectorRule.by_people()
    scenes = found.scenes.values()
    by_peak = partial(_scene_labels, scenes, "ap", types=OBJECTS)
    rare = f"of objects on {percent(_RARE)} of the scenes or fewer, {by_ap.text}"
    rules = [
        (f"of all concepts, {by_iou.text}", _scene_labels(scenes), by_iou, math.nan),
        (f"of objects, {by_iou.text}", _scene_labels(scenes, types=OBJECTS), by_iou, math.nan),
        (f"of objects, {by_ap.text}", by_peak(), by_ap, _most_shown(scenes, 1.0)),
        (rare, by_peak(most_shown=_RARE), by_ap, _most_shown(scenes, _RARE)),
    ]
    if (found.labels.source != "automatic").any():
        rules.append((by_people.text, found.labels, by_people, math.nan))
    table = pd.concat([_by_rule(found, *one) for one in rules], ignore_index=True)
    table.attrs["units"] = {"on_images": "share"}
    return table


def _most_shown(scenes: Iterable[_SceneCounts], most: float) -> float:
    """The share of the scenes that show the most common object, of those that at most a given share show."""
    shares = [
        images / one.n_images["scenes"]
        for one in scenes
        for images in one.concepts.images[one.concepts.type.isin(OBJECTS)]
    ]
    return max((share for share in shares if share <= most), default=0.0)


def _by_rule(
    found: Emergence, text: str, labels: pd.DataFrame, rule: DetectorRule, chance: float
) -> pd.DataFrame:
    """One rule's row for each network."""
    places = list(found.layers.items())
    counts = _counts_of(_counted_layers(object_units(labels, rule), found.layers), places)
    rows = []
    for share in _detector_share(counts, places, found.study.networks).to_dict("records"):
        network, units = share["network"], f"units_{share['network']}"
        own = {network: counts[counts.network == network]}
        table = _emergence_table(own, found.frequency, found.informative)
        table = _with_labels(table, found.scenes.values())
        r = correlations(table, units, n_resamples=1).set_index(["measure", "against"]).r
        found_on = (table[units] * table.images).sum() / max(share["detectors"], 1)
        row = {name: share[name] for name in ("network", "n", "detectors", "none", "objects")}
        row["on_images"] = found_on / len(found.seen.images) if share["detectors"] else math.nan
        row |= {"chance": chance, "by_chance": chance > rule.least}
        rows.append(row | {name: r["pearson", name] for name in ("frequency", "informativeness")})
    table = pd.DataFrame(rows)
    table.insert(0, "rule", text)
    return table
