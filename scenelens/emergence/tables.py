"""Which objects emerge (section 4.1): units per object, beside how frequent and how telling the objects are.

The paper's claim: a scene network grows detectors not for what is frequent (correlation 0.54 with the number
of units) but rather for what tells scenes apart (0.84). Both numbers here come with an interval, and so does
their difference, which is what the claim is about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from scenelens import paper
from scenelens.emergence.detectors import DetectorRule, object_units
from scenelens.emergence.informativeness import Informativeness
from scenelens.errors import SceneLensError, close_names
from scenelens.intervals import middle, wilson_interval
from scenelens.networks import Network

FEWEST = 3  # objects that a correlation needs
DIFFERENCE = "difference"


def unit_counts(
    labels: pd.DataFrame,
    rule: str | DetectorRule = "iou",
    networks: Mapping[str, Network] | None = None,
    fold: Callable[[str], str] | None = None,
) -> pd.DataFrame:
    """Units per object class and layer (Figure 9c).

    Parameters
    ----------
    labels, rule, networks, fold : see `detectors.object_units`.

    Returns
    -------
    DataFrame : network, layer, object, n_units, units (their numbers, best first). Networks and layers in the
        order of the labels; within one the object with most units first, of equals in alphabetical order.

    Examples
    --------
    >>> table = pd.DataFrame({"network": "scene", "layer": "pool5", "unit": [1, 2, 3], "type": "object",
    ...                       "concept": ["lamp", "bed", "lamps"], "iou": [.1, .2, .3]})
    >>> unit_counts(table)[["object", "n_units", "units"]].values.tolist()
    [['lamp', 2, (3, 1)], ['bed', 1, (2,)]]
    """
    found = object_units(labels, rule, networks, fold).sort_values("score", ascending=False, kind="stable")
    grouped = found.groupby(["network", "layer", "object"]).unit.agg(n_units="size", units=tuple)
    table = grouped.reset_index()
    places = list(dict.fromkeys(zip(labels["network"], labels["layer"], strict=True)))
    depth = [places.index(place) for place in zip(table.network, table.layer, strict=True)]
    order = table.assign(depth=depth, by=-table.n_units).sort_values(["depth", "by", "object"]).index
    return table.loc[order].reset_index(drop=True)


def detector_share(
    labels: pd.DataFrame,
    networks: Mapping[str, Network],
    rule: str | DetectorRule = "iou",
    fold: Callable[[str], str] | None = None,
) -> pd.DataFrame:
    """How many units of each labelled layer detect an object, and how many do not.

    Returns
    -------
    DataFrame : network, layer, n (units of the layer), detectors, share with its 95% Wilson interval low and
        high, none (units that detect no object), objects (distinct ones).
    """
    counts = unit_counts(labels, rule, networks, fold)
    rows = []
    for network, layer in labels[["network", "layer"]].drop_duplicates().itertuples(index=False):
        own = counts[(counts.network == network) & (counts.layer == layer)]
        n, k = int(networks[network].layer_shape(layer)[0]), int(own.n_units.sum())
        low, high = wilson_interval(k, n)
        row = {"network": network, "layer": layer, "n": n, "detectors": k, "share": k / n}
        rows.append(row | {"low": low, "high": high, "none": n - k, "objects": len(own)})
    names = ["network", "layer", "n", "detectors", "share", "low", "high", "none", "objects"]
    return pd.DataFrame(rows, columns=names)


def emergence_table(
    counts: Mapping[str, pd.DataFrame], frequency: pd.DataFrame, informative: Informativeness | None = None
) -> pd.DataFrame:
    """All object classes with everything that is known about them, in one order for all figures.

    Parameters
    ----------
    counts : network to its rows of `unit_counts`, of one layer.
    frequency : of `object_frequency`. informative : of `informative_objects`; None where nothing is known.

    Returns
    -------
    DataFrame : object; units_<network> for each network; frequency (instances, 0 for an object that no image
        contains), images, area; informativeness (categories it tells best) and ap (its highest for any
        category), both NaN throughout without `informative`. Most units of the first network first, then of
        the next, then the more frequent.

    Examples
    --------
    >>> units = pd.DataFrame({"object": ["bed"], "n_units": [2]})
    >>> frequency = pd.DataFrame({"object": ["wall", "bed"], "instances": [9, 3], "images": [9, 3],
    ...                           "area": [0.5, 0.1]})
    >>> emergence_table({"scene": units}, frequency)[["object", "units_scene", "frequency"]].values.tolist()
    [['bed', 2, 3], ['wall', 0, 9]]
    """
    names = dict.fromkeys([*frequency.object, *(one for table in counts.values() for one in table.object)])
    table = pd.DataFrame({"object": list(names)})
    for network, own in counts.items():
        if own.object.duplicated().any():
            twice = own.object[own.object.duplicated()].iloc[0]
            raise SceneLensError(f"{twice!r} is counted twice for the {network} network; give one layer.")
        table[f"units_{network}"] = table.object.map(own.set_index("object").n_units).fillna(0).astype(int)
    about = frequency.set_index("object").rename(columns={"instances": "frequency"})
    table["frequency"] = table.object.map(about.frequency).fillna(0).astype(int)
    table["images"] = table.object.map(about.images).fillna(0).astype(int)
    table["area"] = table.object.map(about.area)
    if informative is None:
        table["informativeness"] = table["ap"] = math.nan
    else:
        told = informative.objects.set_index("object")
        table["informativeness"] = table.object.map(told.categories).fillna(0).astype(int)
        table["ap"] = table.object.map(told.ap)
    units = [f"units_{network}" for network in counts]
    order = table.sort_values([*units, "frequency", "object"], ascending=[*[False] * len(units), False, True])
    return order.reset_index(drop=True)


def correlations(
    table: pd.DataFrame,
    of: str = "units_scene",
    against: Sequence[str] = ("frequency", "informativeness"),
    seed: int = 0,
    n_resamples: int = 2000,
) -> pd.DataFrame:
    """How the number of units per object goes with the objects' frequency and informativeness.

    Parameters
    ----------
    table : one row per object, as `emergence_table` makes it. Which objects take part is a choice: all that
        are annotated, or only those that some unit detects, ``table[table.units_scene > 0]``.
    of, against : columns of it.
    seed, n_resamples : of the bootstrap over objects, and of the permutations.

    Returns
    -------
    DataFrame, for Pearson (as in the paper) and Spearman one row per entry of `against`, and for two of them
        a row 'difference' (the second less the first): measure, against, r, low, high (95% bootstrap), p
        (two-sided, by permutation; NaN for the difference), n (objects), paper (NaN where it gives none),
        reason (why there is no correlation, '' where there is; r, low, high and p are NaN then).

    Raises
    ------
    SceneLensError : a column there is not.

    Notes
    -----
    Section 4.1: 0.54 with frequency, 0.84 with informativeness. The p-value is (1 + permutations with at
    least as large an |r|) / (1 + permutations). Objects are drawn, images are not: the interval is about
    other objects of the same kind.

    Examples
    --------
    >>> table = pd.DataFrame({"units_scene": [3, 2, 1, 0], "frequency": [1, 2, 3, 4],
    ...                       "informativeness": [4, 3, 2, 1]})
    >>> found = correlations(table, n_resamples=50)
    >>> found[found.measure == "pearson"].r.round(2).tolist()
    [-1.0, 1.0, 2.0]
    """
    for name in (of, *against):
        if name not in table:
            raise SceneLensError(f"the table has no column {name!r}; {close_names(name, table.columns)}.")
    unknown = [name for name in against if len(table) and table[name].isna().all()]
    kept = table[[of, *against]].drop(columns=unknown).dropna()
    rows = []
    for measure in ("pearson", "spearman"):
        for name in against:
            rows.append(_row(kept, measure, of, name, seed, n_resamples))
        if len(against) == 2:
            rows.append(_difference(kept, measure, of, against, seed, n_resamples, rows[-2:]))
    return pd.DataFrame(rows)


def _row(table: pd.DataFrame, measure: str, of: str, name: str, seed: int, n_resamples: int) -> dict:
    known = paper.EMERGENCE_CORRELATION.get(name, math.nan) if measure == "pearson" else math.nan
    row = {"measure": measure, "against": name, "n": len(table), "paper": known}
    reason = _no_correlation(table, of, name)
    if reason:
        return row | {"r": math.nan, "low": math.nan, "high": math.nan, "p": math.nan, "reason": reason}
    values = table[[of, name]].to_numpy(float)
    low, high = middle(_r(_draws(values, seed, n_resamples), measure))
    p = permutation_p(values, measure, seed, n_resamples)
    return row | {"r": float(_r(values, measure)), "low": low, "high": high, "p": p, "reason": ""}


def _difference(
    table: pd.DataFrame, measure: str, of: str, against: Sequence[str], seed: int, n: int, rows: list[dict]
) -> dict:
    known = rows[1]["paper"] - rows[0]["paper"]
    row = {"measure": measure, "against": DIFFERENCE, "n": len(table), "paper": known, "p": math.nan}
    reason = next((one["reason"] for one in rows if one["reason"]), "")
    if reason:
        return row | {"r": math.nan, "low": math.nan, "high": math.nan, "reason": reason}
    drawn = _draws(table[[of, *against]].to_numpy(float), seed, n)
    low, high = middle(_r(drawn[..., [0, 2]], measure) - _r(drawn[..., [0, 1]], measure))
    return row | {"r": rows[1]["r"] - rows[0]["r"], "low": low, "high": high, "reason": ""}


def _draws(values: np.ndarray, seed: int, n_resamples: int) -> np.ndarray:
    """(n_resamples, n, columns): whole rows drawn anew, with replacement."""
    chosen = np.random.default_rng(seed).integers(len(values), size=(n_resamples, len(values)))
    return values[chosen]


def _no_correlation(table: pd.DataFrame, of: str, name: str) -> str:
    if name not in table:
        return f"{_words(name)} is not known"
    if len(table) < FEWEST:
        return f"{len(table)} object{'' if len(table) == 1 else 's'}: too few for a correlation"
    for column in (of, name):
        if table[column].nunique() == 1:
            return f"{_words(column)} is {table[column].iloc[0]:g} for all of {len(table)} objects"
    return ""


def _words(column: str) -> str:
    return "the number of units" if column.startswith("units_") else f"the {column}"


def _r(pairs: np.ndarray, measure: str) -> np.ndarray:
    """Pearson's or Spearman's correlation of (..., n, 2) pairs; NaN where one of the two is constant."""
    if measure == "spearman":
        pairs = rankdata(pairs, axis=-2)
    centred = pairs - pairs.mean(-2, keepdims=True)
    length = np.sqrt((centred**2).sum(-2))
    varies = (length > 1e-12).all(-1)
    product = np.where(varies, length.prod(-1), 1.0)
    return np.where(varies, centred.prod(-1).sum(-1) / product, math.nan)


def permutation_p(pairs: np.ndarray, measure: str = "pearson", seed: int = 0, n: int = 2000) -> float:
    """How often a correlation at least as strong arises by shuffling one column: (1 + how often) / (1 + n).

    Parameters
    ----------
    pairs : (n, 2), neither column constant. measure : 'pearson' or 'spearman'. n : shuffles.

    Examples
    --------
    >>> permutation_p([[k, k] for k in range(9)], n=999, seed=1)
    0.001
    """
    pairs = np.asarray(pairs, float)
    values = rankdata(pairs, axis=0) if measure == "spearman" else pairs
    left, right = (values - values.mean(0)).T
    shuffled = np.random.default_rng(seed).permuted(np.tile(left, (n, 1)), axis=1)
    reached = np.abs(shuffled @ right) >= abs(left @ right) * (1 - 1e-9)
    return float((1 + reached.sum()) / (1 + n))
