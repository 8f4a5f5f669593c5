"""What further trainings gave, claim by claim: how far networks of one kind spread.

The package comes with small tables about several trainings of the embedded study's networks
(`scenelens.seeds`). Whoever has trained networks of another study hands `judge_claims` a table of the same
form.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from scenelens.errors import CannotAnswerError, SceneLensError, close_names
from scenelens.paper import PAIR
from scenelens.seeds import SeedTables, read_seeds
from scenelens.studies import Study

COLUMNS = ("claim", "network", "seed", "value")


def _ratio(over: str, under: str) -> Callable[[SeedTables], pd.DataFrame]:
    """One value for each network: a number of its row, divided by another one."""
    return lambda tables: tables.networks.assign(value=tables.networks[over] / tables.networks[under])


def _column(name: str, less: str = "") -> Callable[[SeedTables], pd.DataFrame]:
    """One value for each network: a number of its row, less another one."""

    def values(tables: SeedTables) -> pd.DataFrame:
        found = tables.networks[name] - (tables.networks[less] if less else 0)
        return tables.networks.assign(value=found)

    return values


def _deepest(tables: SeedTables) -> pd.DataFrame:
    """The share of object-centric images in each network's deepest layer."""
    table = tables.layers
    last = table[table.depth == table.groupby(["network", "seed"]).depth.transform("max")]
    return last.assign(value=last.object_centric)


#: Claim -> the kinds of network that it is about, and the value of each training.
_VALUES: dict[str, tuple[tuple[str, ...], Callable[[SeedTables], pd.DataFrame]]] = {
    "accuracy": (PAIR, _ratio("right", "images")),
    "deepest": (PAIR, _deepest),
    "detectors": (PAIR[:1], _ratio("detectors", "units")),
    "more-detectors": (PAIR, _ratio("detectors", "units")),
    "frequency": (PAIR[:1], _column("r_frequency")),
    "informativeness": (PAIR[:1], _column("r_informativeness")),
    "rather-informative": (PAIR[:1], _column("r_informativeness", less="r_frequency")),
    "one-pass": (PAIR[:1], _ratio("deep_boxes_right", "deep_boxes")),
    "discovered": (PAIR, _column("ap")),
}


def _from_tables(tables: SeedTables) -> pd.DataFrame:
    """The tables of several trainings in the form that `judge_claims` takes."""
    parts = []
    for claim, (kinds, values) in _VALUES.items():
        found = values(tables).dropna(subset=["value"])
        parts.append(found[found.network.isin(kinds)].assign(claim=claim)[list(COLUMNS)])
    return pd.concat(parts, ignore_index=True)


def _of_package(study: Study) -> pd.DataFrame:
    """What the package knows of further trainings; empty for all studies but the embedded one."""
    none = pd.DataFrame(columns=list(COLUMNS))
    if study.shipped_folder is None:
        return none
    try:
        tables = read_seeds()
    except CannotAnswerError:
        return none
    return _from_tables(tables) if study.name == tables.about["study"] else none


def _checked(trainings: pd.DataFrame, claims: list[str]) -> pd.DataFrame:
    """The table, or an error that names what is missing or unknown in it."""
    for name in COLUMNS:
        if name not in trainings:
            raise SceneLensError(f"the table of trainings has no column {name!r}; it needs {COLUMNS}.")
    for key in dict.fromkeys(trainings.claim):
        if key not in claims:
            raise SceneLensError(f"no claim {key!r}; {close_names(key, claims)}.")
    return trainings
