"""How much networks of one kind differ from each other, and the two kinds by more than that.

An interval over images, objects or units says how well one network is known. It does not say what another
training would give. Here a training counts as one case: with five networks of each kind, n is five.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from scenelens.errors import SceneLensError, close_names
from scenelens.intervals import welch_interval
from scenelens.paper import CONTROL, PAIR
from scenelens.seeds.tables import SeedTables, read_seeds
from scenelens.studies import Study


class _Measure(NamedTuple):
    """One thing that was measured of every network.

    Attributes
    ----------
    table : str
        The table of `SeedTables` that has it.
    over : str
        The column of the value, or of the numerator.
    under : str
        The column that it is divided by; '' where it is not.
    own : str
        The column that has the same of a study's own networks, in the table that its notebook makes.
    text : str
        What it is, in words.
    unit : str
        ``"share"``, ``"pixels"`` or ``"r"``.
    chance : str
        The column of what chance gives; '' where the table has none.
    """

    table: str
    over: str
    under: str
    own: str
    text: str
    unit: str = "share"
    chance: str = ""


MEASURES = {
    "accuracy": _Measure("networks", "right", "images", "share", "right answers on images of its own kind"),
    "preference": _Measure(
        *("layers", "object_centric", "", "share", "object-centric images among a layer's 100 strongest"),
        chance="chance",
    ),
    "fields": _Measure("fields", "mean", "", "mean", "mean size of a layer's receptive fields", "pixels"),
    "detectors": _Measure("layers", "detectors", "units", "share", "units that detect an object"),
    "frequency": _Measure(
        "networks", "r_frequency", "", "r", "correlation of units per object with frequency", "r"
    ),
    "informativeness": _Measure(
        "networks", "r_informativeness", "", "r", "correlation of units per object with informativeness", "r"
    ),
    "ap": _Measure("networks", "ap", "", "ap", "mean AP of the objects' best units", chance="ap_chance"),
    "boxes": _Measure("networks", "boxes_right", "boxes", "right", "right boxes among all boxes"),
}


def _find_measure(name: str) -> _Measure:
    """Return a measure by its name.

    Parameters
    ----------
    name : str
        A key of `MEASURES`.

    Returns
    -------
    Measure
        The measure.

    Raises
    ------
    SceneLensError
        If there is no such measure.
    """
    if name not in MEASURES:
        raise SceneLensError(f"no measure named {name!r}; {close_names(name, MEASURES)}.")
    return MEASURES[name]


def _seed_values(tables: SeedTables, measure: str) -> pd.DataFrame:
    """Return one measure of every network.

    Parameters
    ----------
    tables : SeedTables
        The tables.
    measure : str
        A key of `MEASURES`.

    Returns
    -------
    pandas.DataFrame
        ``network``, ``seed``, ``depth``, ``layer`` ('' where the measure is of the network), ``value``. What
        could not be measured is left out.
    """
    how = _find_measure(measure)
    table = getattr(tables, how.table)
    value = table[how.over] / table[how.under] if how.under else table[how.over]
    whole = how.table == "networks"
    found = table[["network", "seed"]].assign(
        depth=0 if whole else table["depth"], layer="" if whole else table["layer"], value=value.astype(float)
    )
    return found.dropna(subset="value").reset_index(drop=True)


def _spread(values: pd.DataFrame) -> pd.DataFrame:
    """Return how far the two kinds of network are apart, and the networks of a kind.

    Parameters
    ----------
    values : pandas.DataFrame
        The table of `_seed_values`.

    Returns
    -------
    pandas.DataFrame
        One row for each layer: ``depth``, ``layer``; for both kinds ``scene``, ``object`` (mean over
        networks), ``scene_low``, ``scene_high``, ``object_low``, ``object_high`` (the lowest and the highest
        network), ``scene_n``, ``object_n`` (networks); ``difference`` (scene minus object) with its 95% Welch
        t interval ``low``, ``high``, and ``p``, exact by permutation of the networks.
    """
    columns = ["depth", "layer", *(f"{kind}{end}" for kind in PAIR for end in ("", "_n", "_low", "_high"))]
    rows = []
    for (depth, layer), found in values.groupby(["depth", "layer"], sort=True):
        kinds = [found.value[found.network == kind].to_numpy() for kind in PAIR]
        row: dict[str, float | str] = {"depth": depth, "layer": layer}
        for kind, own in zip(PAIR, kinds, strict=True):
            row |= {kind: _mean(own), f"{kind}_n": len(own)}
            row |= {f"{kind}_low": min(own, default=math.nan), f"{kind}_high": max(own, default=math.nan)}
        low, high, p = _kind_difference(*kinds)
        rows.append(row | {"difference": _mean(kinds[0]) - _mean(kinds[1]), "low": low, "high": high, "p": p})
    return pd.DataFrame(rows, columns=[*columns, "difference", "low", "high", "p"])


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan


def _kind_difference(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """Return the interval of a difference of two means over networks, and how often chance gives as much.

    Parameters
    ----------
    first : numpy.ndarray
        (n,) float, one value for each network of a kind.
    second : numpy.ndarray
        (m,) float, those of the other kind.

    Returns
    -------
    low : float
        The lower end of the 95% interval of mean(first) - mean(second), Welch's; NaN with fewer than two
        networks of a kind.
    high : float
        The upper end.
    p : float
        The share of all ways to divide the same values into two such groups that give a difference at least
        as large, in either direction. Five and five can be divided in 252 ways, so no p is below 2/252.

    Notes
    -----
    The networks are not paired: a scene and an object network of one seed begin with other weights, because
    they have other numbers of classes. The interval supposes that values of networks are about normal, which
    five values cannot show; p supposes nothing of the kind. Where all networks of both kinds have equal
    values, the interval has no width.

    Examples
    --------
    >>> low, high, p = _kind_difference(np.array([3.0, 4.0, 5.0]), np.array([0.0, 1.0, 2.0]))
    >>> round(low, 2), round(high, 2), p
    (0.73, 5.27, 0.1)
    """
    if min(len(first), len(second)) < 2:
        return math.nan, math.nan, math.nan
    p = stats.permutation_test((first, second), _mean_difference, n_resamples=np.inf, vectorized=True).pvalue
    return *welch_interval(first, second), float(p)


def _mean_difference(first: np.ndarray, second: np.ndarray, axis: int = -1) -> np.ndarray:
    return first.mean(axis) - second.mean(axis)


def _own_values(tables: SeedTables, measure: str, study: Study, own: pd.DataFrame | None) -> pd.DataFrame:
    """Return one measure of the networks of the embedded study, to stand beside its other trainings.

    Parameters
    ----------
    tables : SeedTables
        The tables.
    measure : str
        A key of `MEASURES`.
    study : Study
        The study.
    own : pandas.DataFrame or None
        The table with the measure's column, as the notebook makes it.

    Returns
    -------
    pandas.DataFrame
        ``network``, ``layer``, ``value``; empty for any other study, whose networks learnt other things.
    """
    columns = ["network", "layer", "value"]
    if own is None or not _is_embedded(tables, study):
        return pd.DataFrame(columns=columns)
    how = _find_measure(measure)
    layered = how.table != "networks"
    found = own[own.network.isin([*PAIR, CONTROL])]
    if how.unit == "r":  # the table of `correlations` has other measures and other choices of objects, too
        found = found[(found.measure == "pearson") & (found.against == measure) & (found.objects == "all")]
    found = found.assign(layer=found["layer"] if layered else "", value=found[how.own].astype(float))
    return found[columns].dropna(subset="value").reset_index(drop=True)


def _is_embedded(tables: SeedTables, study: Study) -> bool:
    """Return whether a study is the one whose networks were trained again.

    Parameters
    ----------
    tables : SeedTables
        The tables.
    study : Study
        Any study.

    Returns
    -------
    bool
        True for the study of the package that the tables name, with both of its networks.
    """
    shipped = study.shipped_folder is not None and study.name == tables.about["study"]
    return shipped and set(PAIR) <= set(study.networks)


#: Key of a claim in the verdict -> the measure that it is about; of layers the deepest counts.
_CLAIMS = {
    "accuracy": "accuracy",
    "deepest": "preference",
    "detectors": "detectors",
    "more-detectors": "detectors",
    "frequency": "frequency",
    "informativeness": "informativeness",
    "discovered": "ap",
}


def further_trainings(study: Study, tables: SeedTables | None = None) -> pd.DataFrame | None:
    """Return what the further trainings of a study's networks gave, for the verdict on the paper's claims.

    Parameters
    ----------
    study : Study
        The study of the notebook.
    tables : SeedTables, optional
        What was measured (default: the tables that come with the package).

    Returns
    -------
    pandas.DataFrame or None
        ``claim``, ``network`` ('scene' or 'object'), ``seed``, ``value``: the table `trainings` of
        `judge_claims`. None for a study whose networks were not trained again.
    """
    tables = tables or read_seeds()
    if not _is_embedded(tables, study):
        return None
    rows = []
    for claim, measure in _CLAIMS.items():
        values = _seed_values(tables, measure)
        deepest = values[(values.depth == values.depth.max()) & values.network.isin(PAIR)]
        rows.append(deepest.assign(claim=claim))
    return pd.concat(rows, ignore_index=True)[["claim", "network", "seed", "value"]]


def _one_training(seen: pd.DataFrame) -> str:
    """Which networks were measured on the way, in words.

    >>> _one_training(pd.DataFrame({"network": ["scene", "scene"]}))
    'One training of a scene network'
    """
    kinds = seen.network.unique().tolist()
    if len(kinds) > 1:
        return "One training of each kind"
    return (
        f"One training of {'an' if kinds[0][0] in 'aeiou' else 'a'} {kinds[0]} network"
        if kinds
        else "No training"
    )
