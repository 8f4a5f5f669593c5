"""When is a unit an object detector? The rule decides how many there are, so it is an argument, never hidden.

Two kinds of rules. By people: their answers name an object, and say that it fits most of the unit's top
images. By a measure: of all annotated concepts an object suits the unit best, and well enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from scenelens.annotations import read_folding
from scenelens.errors import SceneLensError, close_names
from scenelens.labels import LEAST_IOU, TYPES, UNIT, check_labels, unit_types
from scenelens.networks import Network

#: What counts as an object: the paper's Figure 9 has sky, wall, floor and grass among its objects, and so
#: has Network Dissection, so surfaces count.
OBJECTS = ("object", "region or surface")
MEASURED = ("automatic", "Network Dissection")  # sources whose answers no person gave
COLUMNS = [*UNIT, "object", "score"]


@dataclass(frozen=True)
class DetectorRule:
    """A rule that picks the units which detect an object.

    Attributes
    ----------
    text : what it asks, for tables and captions.
    choose : checked labels to the rows that it picks, with a column score; one row per unit.
    """

    text: str
    choose: Callable[[pd.DataFrame], pd.DataFrame]


def by_people(
    rule: str = "majority", threshold: float = 0.75, types: tuple[str, ...] = OBJECTS
) -> DetectorRule:
    """People call it an object: by `labels.unit_types` with this rule and precision. Automatic rows say
    nothing here.

    Examples
    --------
    >>> by_people().text
    'majority of people, precision at least 0.75'
    """
    _known(types)

    def choose(table: pd.DataFrame) -> pd.DataFrame:
        told = unit_types(table[~table.source.isin(MEASURED)], rule, threshold)
        best = told[told.type.isin(types)].sort_values("precision", ascending=False, kind="stable")
        return best.drop_duplicates(UNIT).assign(score=best.precision)

    return DetectorRule(f"{rule} of people, precision at least {threshold:g}", choose)


def by_measure(measure: str, least: float, types: tuple[str, ...] = OBJECTS) -> DetectorRule:
    """The concept with the unit's highest value of a measure is an object, and the value exceeds `least`.

    Network Dissection's rule is the IoU above 0.04 (`by_iou`). An AP above a fixed value favours what is on
    most images anyway: a sky on 60% of them has an AP of 0.6 by chance.

    Examples
    --------
    >>> by_measure("iou", 0.04).text
    'IoU above 0.04'
    """
    _known(types)

    def choose(table: pd.DataFrame) -> pd.DataFrame:
        if measure not in table:
            raise SceneLensError(f"these labels have no column {measure!r}; {close_names(measure, table)}.")
        scored = table.assign(score=pd.to_numeric(table[measure])).dropna(subset=["score"])
        best = scored.sort_values("score", ascending=False, kind="stable").drop_duplicates(UNIT)
        return best[best.type.isin(types) & (best.score > least)]

    return DetectorRule(f"{_SPELLED.get(measure, measure)} above {least:g}", choose)


_SPELLED = {"iou": "IoU", "ap": "AP"}


def by_iou(least: float = LEAST_IOU) -> DetectorRule:
    """Network Dissection's rule."""
    return by_measure("iou", least)


def by_ap(least: float = 0.5) -> DetectorRule:
    """The unit's peak tells images with the object from images without it."""
    return by_measure("ap", least)


RULES: dict[str, Callable[[], DetectorRule]] = {
    "majority": by_people,
    "unanimous": lambda: by_people("unanimous"),
    "any": lambda: by_people("any"),
    "iou": by_iou,
    "ap": by_ap,
}


def _known(types: tuple[str, ...]) -> None:
    for kind in types:
        if kind not in TYPES:
            raise SceneLensError(f"no type {kind!r}; {close_names(kind, TYPES)}.")


def object_units(
    labels: pd.DataFrame,
    rule: str | DetectorRule = "iou",
    networks: Mapping[str, Network] | None = None,
    fold: Callable[[str], str] | None = None,
) -> pd.DataFrame:
    """The units that a rule calls object detectors, and the object each one detects.

    Parameters
    ----------
    labels : in the schema of `labels.COLUMNS`, with the rule's measure where it has one.
    rule : 'majority', 'unanimous', 'any' (people), 'iou', 'ap' (measures), or a `DetectorRule`.
    networks : where given, labels of other networks, layers or units are an error: see `check_units`.
    fold : concept to object; without it the package's table. People's answers are folded before they are
        compared, so that "tree" and "trees" agree.

    Returns
    -------
    DataFrame : network, layer, unit, object, score (the precision or the measure). One row per unit.

    Raises
    ------
    SceneLensError : no such rule, or labels that lack its measure.

    Examples
    --------
    >>> table = pd.DataFrame({"network": "scene", "layer": "pool5", "unit": [1, 1, 2], "iou": [.1, .2, .03],
    ...                       "concept": ["red", "paintings", "bed"], "precision": 0.5,
    ...                       "type": ["simple element or colour", "object", "object"]})
    >>> object_units(table, "iou")[["unit", "object", "score"]].values.tolist()
    [[1, 'painting', 0.2]]
    """
    chosen = RULES[rule]() if isinstance(rule, str) and rule in RULES else rule
    if not isinstance(chosen, DetectorRule):
        raise SceneLensError(
            f"no rule named {rule!r}; {close_names(rule, RULES)}, or a DetectorRule of your own."
        )
    table = check_labels(labels)
    if networks is not None:
        check_units(table, networks)
    fold = fold or read_folding()
    table = table.assign(concept=table.concept.map({name: fold(name) for name in table.concept.unique()}))
    found = chosen.choose(table).rename(columns={"concept": "object"})
    return found[COLUMNS].sort_values(UNIT, kind="stable").reset_index(drop=True)


def check_units(labels: pd.DataFrame, networks: Mapping[str, Network]) -> None:
    """Whether labels are about these networks' units.

    Raises
    ------
    SceneLensError : labels of another network, of a layer the network does not have, of a unit beyond its
        last one. The first is named, with what there is.

    Examples
    --------
    >>> check_units(pd.DataFrame({"network": ["scen"], "layer": "pool5", "unit": 1}), {"scene": None})
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: there are labels of a network 'scen', ... close names: scene.
    """
    for network, layers in labels.groupby("network", sort=False):
        if network not in networks:
            raise SceneLensError(
                f"there are labels of a network {network!r}, which is none of these; "
                f"{close_names(network, networks)}."
            )
        units = networks[network].layers.set_index("layer").units
        for layer, rows in layers.groupby("layer", sort=False):
            if layer not in units.index:
                raise SceneLensError(
                    f"there are labels of a layer {layer!r}, which the {network} network does not have; "
                    f"{close_names(layer, units.index)}."
                )
            if rows.unit.max() >= units[layer]:
                raise SceneLensError(
                    f"there is a label of {layer}:{rows.unit.max()}, but the {network} network's {layer} has "
                    f"{units[layer]} units, counted from 0."
                )
