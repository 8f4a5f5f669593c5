"""Rules that decide when a unit is an object detector.

The number of object detectors depends on the rule, so every function takes the rule as an argument. There are
two kinds of rules. Rules by people use people's answers: they named an object, and it fits most of the unit's
top images. Rules by a measure compare the unit with all annotated concepts: the best one is an object, and
its value is high enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from scenelens.annotations import Folding
from scenelens.errors import SceneLensError, close_names
from scenelens.labels import LEAST_IOU, TYPES, UNIT, check_labels, unit_types
from scenelens.networks import Network

#: What counts as an object: the paper's Figure 9 has sky, wall, floor and grass among its objects, and so
#: has Network Dissection, so surfaces count.
OBJECTS = ("object", "region or surface")
_MEASURED = ("automatic", "Network Dissection")  # sources whose labels were computed, not given by people
_SPELLED = {"iou": "IoU", "ap": "AP"}
_COLUMNS = [*UNIT, "object", "score"]


@dataclass(frozen=True)
class DetectorRule:
    """A rule that picks the units which detect an object.

    Attributes
    ----------
    text : str
        The condition in words, for tables and captions.
    choose : callable
        Takes checked labels (DataFrame, folded names) and returns the rows that it picks, with a column
        ``score`` and one row per unit.
    measure : str, optional
        The measure that it compares, '' for a rule by people.
    least : float, optional
        The value that the measure must exceed.
    types : tuple of str, optional
        Which of the six types count as objects.
    """

    text: str
    choose: Callable[[pd.DataFrame], pd.DataFrame]
    measure: str = ""
    least: float = 0.0
    types: tuple[str, ...] = OBJECTS

    @classmethod
    def by_people(
        cls, rule: str = "majority", threshold: float = 0.75, types: tuple[str, ...] = OBJECTS
    ) -> DetectorRule:
        """People's answers say that the unit shows an object. Automatic labels are not used.

        Parameters
        ----------
        rule : str, optional
            How several answers become one: 'any', 'majority' (default), 'unanimous' or 'most precise'; see
            `scenelens.labels.unit_types`.
        threshold : float, optional
            Least precision, 0..1 (default 0.75, as in the paper).
        types : tuple of str, optional
            Which of the six types count as objects (default 'object' and 'region or surface').

        Returns
        -------
        DetectorRule
            The rule; its score is the precision.

        Raises
        ------
        SceneLensError
            If one of the types is unknown.

        Examples
        --------
        >>> DetectorRule.by_people().text
        'majority of people, precision at least 0.75'
        """
        _check_types(types)

        def choose(table: pd.DataFrame) -> pd.DataFrame:
            meanings = unit_types(table[~table.source.isin(_MEASURED)], rule, threshold)
            best = meanings[meanings.type.isin(types)].sort_values(
                "precision", ascending=False, kind="stable"
            )
            return best.drop_duplicates(UNIT).assign(score=best.precision)

        return cls(f"{rule} of people, precision at least {threshold:g}", choose, types=tuple(types))

    @classmethod
    def by_measure(
        cls, measure: str = "iou", least: float = LEAST_IOU, types: tuple[str, ...] = OBJECTS
    ) -> DetectorRule:
        """The unit's best concept by a measure is an object, and its value exceeds a threshold.

        Parameters
        ----------
        measure : str, optional
            A column of the labels (default 'iou': for automatic labels its value on images that did not
            choose the label, see `scenelens.labels.AutomaticLabels.labels`; 'iou_chosen' is its value on
            those that did, as in Network Dissection).
        least : float, optional
            The value to exceed (default 0.04, Network Dissection's for the IoU).
        types : tuple of str, optional
            Which of the six types count as objects (default 'object' and 'region or surface').

        Returns
        -------
        DetectorRule
            The rule; its score is the measure.

        Raises
        ------
        SceneLensError
            If one of the types is unknown; later, if the labels have no such column.

        Notes
        -----
        An AP above a fixed value favours objects that are on most images: a sky on 60% of them has an AP of
        0.6 by chance.

        Examples
        --------
        >>> DetectorRule.by_measure("iou", 0.04).text
        'IoU above 0.04'
        """
        _check_types(types)

        def choose(table: pd.DataFrame) -> pd.DataFrame:
            if measure not in table:
                raise SceneLensError(
                    f"these labels have no column {measure!r}; {close_names(measure, table)}."
                )
            scored = table.assign(score=pd.to_numeric(table[measure])).dropna(subset=["score"])
            # The best of all concepts is chosen first and its type is looked at after that: a unit that a
            # colour fits better than any object is no object detector.
            best = scored.sort_values("score", ascending=False, kind="stable").drop_duplicates(UNIT)
            return best[best.type.isin(types) & (best.score > least)]

        text = f"{_SPELLED.get(measure, measure)} above {least:g}"
        return cls(text, choose, measure, least, tuple(types))


#: The rules that go by a name.
RULES: dict[str, Callable[[], DetectorRule]] = {
    "majority": DetectorRule.by_people,
    "unanimous": partial(DetectorRule.by_people, "unanimous"),
    "any": partial(DetectorRule.by_people, "any"),
    "iou": DetectorRule.by_measure,
    "ap": partial(DetectorRule.by_measure, "ap", 0.5),
}


def _check_types(types: tuple[str, ...]) -> None:
    for kind in types:
        if kind not in TYPES:
            raise SceneLensError(f"no type {kind!r}; {close_names(kind, TYPES)}.")


def _detector_rule(rule: str | DetectorRule) -> DetectorRule:
    """The rule that a name means; a `DetectorRule` is returned as it is."""
    chosen = RULES[rule]() if isinstance(rule, str) and rule in RULES else rule
    if not isinstance(chosen, DetectorRule):
        raise SceneLensError(
            f"no rule named {rule!r}; {close_names(rule, RULES)}, or a DetectorRule of your own."
        )
    return chosen


def object_units(
    labels: pd.DataFrame,
    rule: str | DetectorRule = "iou",
    networks: Mapping[str, Network] | None = None,
    fold: Callable[[str], str] | None = None,
) -> pd.DataFrame:
    """The units that a rule calls object detectors, and the object that each one detects.

    Parameters
    ----------
    labels : pandas.DataFrame
        Labels with the columns of `scenelens.labels.COLUMNS`, and the rule's measure where it has one.
    rule : str or DetectorRule, optional
        'majority', 'unanimous', 'any' (by people), 'iou' (default), 'ap' (by a measure), or your own rule.
    networks : mapping of str to Network, optional
        Where given, every label must belong to a network, layer and unit of these.
    fold : callable, optional
        Raw concept name to object name (default: the package's table, `scenelens.annotations.Folding.read`).
        Names are folded before answers are compared, so that "tree" and "trees" agree.

    Returns
    -------
    pandas.DataFrame
        One row per unit: ``network``, ``layer``, ``unit`` (int), ``object``, ``score`` (the precision or the
        measure, float).

    Raises
    ------
    SceneLensError
        If the rule is unknown, if the labels lack its measure, or if they belong to other networks.

    Examples
    --------
    >>> table = pd.DataFrame({"network": "scene", "layer": "pool5", "unit": [1, 1, 2], "iou": [.1, .2, .03],
    ...                       "concept": ["red", "paintings", "bed"], "precision": 0.5,
    ...                       "type": ["simple element or colour", "object", "object"]})
    >>> object_units(table, "iou")[["unit", "object", "score"]].values.tolist()
    [[1, 'painting', 0.2]]
    """
    chosen = _detector_rule(rule)
    table = check_labels(labels)
    if networks is not None:
        _check_units(table, networks)
    fold = fold or Folding.read()
    # Each distinct name is folded once: there are thousands of labels and a few hundred names.
    table = table.assign(concept=table.concept.map({name: fold(name) for name in table.concept.unique()}))
    found = chosen.choose(table).rename(columns={"concept": "object"})
    return found[_COLUMNS].sort_values(UNIT, kind="stable").reset_index(drop=True)


def _check_units(labels: pd.DataFrame, networks: Mapping[str, Network]) -> None:
    """Raise where labels belong to another network, to an unknown layer, or to a unit beyond the last one."""
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
