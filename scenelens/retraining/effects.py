"""What an edit changes, beside what chance changes: paired differences, the spread of seeds, intervals.

How the tables are read was decided before the networks were trained, and notebook 05 states it:

- An object of an edited world is compared with itself: its value in the network of that world, less its mean
  in the networks of the unchanged world. All of them are measured on the same annotated images.
- Noise is what the networks of the unchanged world differ by, from seed to seed. Three values say little
  about a spread, so that of single objects is pooled over all edited objects. The band is a prediction
  interval: where one more network of the unchanged world would lie, in 95 of 100 cases.
- An intervention counts with its mean over the objects, each in the direction in which the edit should move
  it. Its interval is Student's over objects, because every edited world was trained once.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from scenelens.intervals import welch_interval
from scenelens.retraining.tables import RetrainingTables, _value

#: Of one object: how many units detect it, and the AP of its best unit. Of a network: the share of its units
#: that detect an object, and the mean AP of the objects' best units.
_OF_OBJECTS, _OF_NETWORKS = ("units", "ap"), ("detectors", "ap")
_EDITED = ("diagnosticity", "frequency")
_CONFIDENCE = 0.95
_EFFECTS = [
    "run", "kind", "object", "measure", "expected", "value", "before", "unchanged", "low", "high", "change",
    "toward",
]  # fmt: skip
_NETWORKS = [
    "run", "kind", "task", "measure", "value", "chance", "before", "unchanged", "low", "high", "change",
]  # fmt: skip


def edit_effects(tables: RetrainingTables) -> pd.DataFrame:
    """Compare every edited object with itself in the unchanged world.

    Parameters
    ----------
    tables : RetrainingTables
        Of `read_retraining`. Networks may be missing.

    Returns
    -------
    pandas.DataFrame
        One row for each edited world and measure: ``run``, ``kind`` ('diagnosticity', 'frequency'),
        ``object``, ``measure`` ('units': how many detect the object; 'ap': of its best unit), ``expected`` (1
        where the object should gain, -1 where it should lose), ``value``; ``before``, the values of the
        networks of the unchanged world, a tuple, their mean ``unchanged``, and the 95% prediction interval
        ``low``, ``high`` of one more such network (NaN with one network alone); ``change``, and ``toward``,
        the change in the expected direction.

    Notes
    -----
    With the standard deviation s of the n networks, pooled over objects with f degrees of freedom in all, the
    prediction interval is mean ± t(f) s sqrt(1 + 1/n).
    """
    edits = tables.edits[tables.edits.kind.isin(_EDITED)]
    rows: list[dict[str, Any]] = []
    for measure in _OF_OBJECTS:
        before = {name: _before(tables, name, measure) for name in edits.object.unique()}
        half = _half_width([one for one in before.values() if len(one)])
        for one in edits.dropna(subset=[measure]).to_dict("records"):
            values, sign = before[one["object"]], int(one["expected"])
            if not len(values):
                continue
            mean = float(values.mean())
            reach, change = half * math.sqrt(1 + 1 / len(values)), one[measure] - mean
            row = {name: one[name] for name in ("run", "kind", "object")}
            row |= {"measure": measure, "expected": sign, "value": float(one[measure])}
            row |= {"before": tuple(values.tolist()), "unchanged": mean}
            row |= {"low": float(np.maximum(0.0, mean - reach)), "high": mean + reach}  # NaN stays NaN
            rows.append(row | {"change": change, "toward": sign * change})
    return pd.DataFrame(rows, columns=_EFFECTS)


def _before(tables: RetrainingTables, name: str, measure: str) -> np.ndarray:
    """The values of an object in the networks of the unchanged world."""
    unchanged = tables.networks.run[tables.networks.kind == "unchanged"]
    values, name = tables.objects.set_index(["run", "object"]), name.replace("_", " ")
    found = np.array([_value(values, run, name, measure) for run in unchanged], float)
    return found[~np.isnan(found)]


def _half_width(groups: list[np.ndarray]) -> float:
    """Student's quantile times the standard deviation within groups; NaN where no group has two values.

    >>> round(_half_width([np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0])]), 3)
    2.776
    """
    freedom = sum(len(one) - 1 for one in groups)
    if not freedom:
        return math.nan
    variance = sum(float(((one - one.mean()) ** 2).sum()) for one in groups) / freedom
    return float(stats.t.ppf((1 + _CONFIDENCE) / 2, freedom)) * math.sqrt(variance)


def mean_effects(effects: pd.DataFrame) -> pd.DataFrame:
    """Take the mean of each intervention over its objects, and of their difference.

    Parameters
    ----------
    effects : pandas.DataFrame
        Of `edit_effects`.

    Returns
    -------
    pandas.DataFrame
        One row for each measure and ``what``: 'diagnosticity', 'frequency', and 'difference' (the former less
        the latter, object by object): ``measure``, ``what``, ``n`` (objects), ``mean`` (of the change in the
        expected direction) with its 95% interval ``low``, ``high``, Student's over objects; NaN with fewer
        than two objects.

    Examples
    --------
    >>> toward = {"object": ["cat", "rug"], "kind": "diagnosticity", "measure": "ap", "toward": [0.1, 0.3]}
    >>> mean_effects(pd.DataFrame(toward)).round(2)[["what", "n", "mean", "low", "high"]].values.tolist()[3]
    ['diagnosticity', 2, 0.2, -1.07, 1.47]
    """
    rows = []
    for measure in _OF_OBJECTS:
        own = effects[effects.measure == measure].pivot(index="object", columns="kind", values="toward")
        own = own.reindex(columns=list(_EDITED)).astype(float)
        own["difference"] = own[_EDITED[0]] - own[_EDITED[1]]
        for what in own.columns:
            values = own[what].dropna().to_numpy()
            low, high = _mean_interval(values)
            mean = float(values.mean()) if len(values) else math.nan
            rows.append(
                {"measure": measure, "what": what, "n": len(values), "mean": mean, "low": low, "high": high}
            )
    return pd.DataFrame(rows)


def _mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Student's 95% interval of a mean; NaN of fewer than two values."""
    if len(values) < 2:
        return math.nan, math.nan
    reach = _half_width([values]) / math.sqrt(len(values))
    return float(values.mean()) - reach, float(values.mean()) + reach


def network_effects(tables: RetrainingTables, kind: str) -> pd.DataFrame:
    """Compare whole networks of one kind with those of the unchanged world.

    Parameters
    ----------
    tables : RetrainingTables
        Of `read_retraining`.
    kind : str
        'cue': worlds in which something besides objects tells the scenes; 'task': other tasks.

    Returns
    -------
    pandas.DataFrame
        One row for each network and measure: ``run``, ``kind``, ``task``, ``measure`` ('detectors': the share
        of units that detect an object; 'ap': mean over the objects' best units), ``value``, ``chance`` (the
        share of detectors with annotations of another scene of the same category; the AP of units that
        respond at random); ``before``, the values of the networks of the unchanged world, a tuple, their mean
        ``unchanged``, and the 95% prediction interval ``low``, ``high`` of one more such network (NaN with
        one, or without any spread); ``change``.
    """
    table = _with_shares(tables.networks)
    unchanged = table[table.kind == "unchanged"]
    rows: list[dict[str, Any]] = []
    for measure in _OF_NETWORKS:
        before = unchanged[measure].dropna().to_numpy(float)
        low, high = _prediction(before)
        mean = float(before.mean()) if len(before) else math.nan
        for one in table[(table.kind == kind) & table[measure].notna()].to_dict("records"):
            row = {name: one[name] for name in ("run", "kind", "task")} | {"measure": measure}
            row |= {"value": one[measure], "chance": one[f"{measure}_chance"], "unchanged": mean}
            row |= {"before": tuple(before.tolist()), "low": low, "high": high, "change": one[measure] - mean}
            rows.append(row)
    return pd.DataFrame(rows, columns=_NETWORKS)


def _with_shares(networks: pd.DataFrame) -> pd.DataFrame:
    """The networks, with the share of their units that detect an object in place of their number."""
    shares = networks.detectors / networks.units
    return networks.assign(detectors=shares, detectors_chance=networks.by_category / networks.units)


def _prediction(values: np.ndarray) -> tuple[float, float]:
    """Where one more value would lie, in 95 of 100 cases: NaN of fewer than two, or of equal values.

    >>> [round(end, 2) for end in _prediction(np.array([1.0, 2.0, 3.0]))]
    [0.0, 6.97]
    """
    if len(values) < 2 or np.ptp(values) == 0:
        return math.nan, math.nan
    reach = _half_width([values]) * math.sqrt(1 + 1 / len(values))
    return max(0.0, float(values.mean()) - reach), float(values.mean()) + reach


def because_tests(tables: RetrainingTables) -> pd.DataFrame:
    """Ask what the interventions say about the paper's sentence that objects emerge because they tell scenes.

    Parameters
    ----------
    tables : RetrainingTables
        Of `read_retraining`.

    Returns
    -------
    pandas.DataFrame
        One row for each question and measure: ``question``, ``measure``, ``n`` (objects, or networks of such
        worlds), ``mean`` (positive where it speaks for the sentence) with its 95% interval ``low``, ``high``.
        Rows of what was not measured have n = 0. The questions: 'diagnosticity', does an object gain when it
        comes to tell a scene, and lose when it no longer does? 'difference', by more than when it becomes
        more frequent, or rarer? 'objects', are there fewer detectors where objects tell nothing?
    """
    means = mean_effects(edit_effects(tables))
    rows = means[means.what != _EDITED[1]].rename(columns={"what": "question"}).to_dict("records")
    networks = _with_shares(tables.networks)
    alone = networks[(networks.kind == "cue") & ~_keeps_objects(networks)]
    unchanged = networks[networks.kind == "unchanged"]
    for measure in _OF_NETWORKS:
        before, now = (one[measure].dropna().to_numpy(float) for one in (unchanged, alone))
        mean = float(before.mean() - now.mean()) if len(before) and len(now) else math.nan
        low, high = welch_interval(before, now)
        if low == high:  # networks that are all alike show no spread, so nothing is known of the next one
            low, high = math.nan, math.nan
        rows.append(
            {"question": "objects", "measure": measure, "n": len(now), "mean": mean, "low": low, "high": high}
        )
    order = {question: place for place, question in enumerate((_EDITED[0], "difference", "objects"))}
    table = pd.DataFrame(rows)[["question", "measure", "n", "mean", "low", "high"]]
    return table.sort_values("question", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def _keeps_objects(networks: pd.DataFrame) -> pd.Series:
    """Whether objects go on telling the scenes, beside the cue of the world."""
    return networks.edits.map(
        lambda text: all(edit[2] for edit in json.loads(text or "[]") if edit[0] == "tell_by")
    ).astype(bool)
