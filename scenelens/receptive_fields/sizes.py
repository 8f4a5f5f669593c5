"""Table 2 of the paper: how large receptive fields are, against how large they could be.

Tables come from the atlas (see `scenelens.receptive_fields.atlas`): from all units of a layer where it is complete, and from a
sample drawn by lot until then. `read_...` turns a table into sentences, the paper's two claims among them,
reported as they were found.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from scenelens import paper
from scenelens.errors import SceneLensError
from scenelens.receptive_fields.atlas import Atlas
from scenelens.sentences import number

SIZES = [
    "network",
    "depth",
    "layer",
    "unit",
    "n_images",
    "size",
    "low",
    "high",
    "theoretical",
    "share",
    "reason",
]
PAPER_THEORETICAL = {"pool1": 19, "pool2": 67, "conv4": 131, "pool5": 195}


def field_sizes(atlas: Atlas) -> pd.DataFrame:
    """The size of every field that the atlas holds of each layer's fair sample.

    Returns
    -------
    DataFrame, one row per unit: network, depth, layer, unit, n_images (K, the images on which it responds),
    size, low, high (pixels; 95% bootstrap interval over its images), theoretical (pixels), share (size /
    theoretical), reason (why size is NaN; else empty).

    Raises
    ------
    SceneLensError : a layer of which nothing is held; `atlas.grow(2, seconds=60)` computes a sample.
    """
    rows = []
    for pair in atlas.pairs().to_dict("records"):
        for network, part in atlas.parts.items():
            layer = pair[network]
            fields = part.sample(layer)
            if not fields:
                raise SceneLensError(
                    f"no receptive field of {layer} of the {network} network is there yet: call "
                    "atlas.grow(2, seconds=60) for a sample, or run make atlas for all."
                )
            about = {"network": network, "depth": pair["depth"], "layer": layer}
            rows += [about | field.row for field in fields]
    return pd.DataFrame(rows)[SIZES]


def table_2(atlas: Atlas) -> pd.DataFrame:
    """Table 2: mean and standard deviation of the sizes per layer, the theoretical size and the paper's
    beside them.

    Returns
    -------
    DataFrame, one row per layer and network: network, depth, layer, theoretical, mean, sd, low, high
    (pixels; 95% interval of the mean), n (units measured), units (of the layer), silent (units measured that
    have no field), share (mean / theoretical), n_images (K), paper (mean of the paper's scene network in the
    layer of the same name, where the geometry is the paper's).

    Notes
    -----
    The interval is Student's, narrowed by the factor sqrt(1 - n / units): where all units of a layer were
    measured nothing is left to chance, and low = mean = high. With one unit it is unknown.
    """
    sizes = field_sizes(atlas)
    rows = []
    for (network, depth), found in sizes.groupby(["network", "depth"], sort=False):
        units = atlas.part(str(network)).units(found["layer"].iloc[0])
        rows.append(
            {"network": network, "depth": depth, **_summary(found, units), "n_images": atlas.n_images}
        )
    table = pd.DataFrame(rows)
    table["paper"] = [_papers(row) for row in table.to_dict("records")]
    return table


def mean_interval(sizes: np.ndarray, units: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the mean over all `units` of a layer, when `sizes` are those of some drawn by lot; at
    least 0.

    Examples
    --------
    >>> mean_interval(np.array([30.0, 40.0]), units=2)
    (35.0, 35.0)
    >>> low, high = mean_interval(np.array([30.0, 40.0, 50.0]), units=100)
    >>> round(low, 1), round(high, 1)
    (15.5, 64.5)
    """
    n, mean = len(sizes), float(np.mean(sizes)) if len(sizes) else math.nan
    if n >= units:
        return mean, mean
    if n < 2:
        return math.nan, math.nan
    error = float(np.std(sizes, ddof=1)) / math.sqrt(n) * math.sqrt(1 - n / units)
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * error
    return max(0.0, mean - half), mean + half


def _summary(found: pd.DataFrame, units: int) -> dict[str, Any]:
    known = found["size"].dropna().to_numpy()
    silent, theoretical = len(found) - len(known), float(found["theoretical"].iloc[0])
    low, high = mean_interval(known, units - silent)
    mean = float(known.mean()) if len(known) else math.nan
    return {
        "layer": found["layer"].iloc[0],
        "theoretical": theoretical,
        "mean": mean,
        "sd": float(known.std(ddof=1)) if len(known) > 1 else math.nan,
        "low": low,
        "high": high,
        "n": len(known),
        "units": units,
        "silent": silent,
        "share": mean / theoretical,
    }


def _papers(row: dict[Any, Any]) -> float:
    """The paper's mean, where layer and theoretical size are the paper's; it gave the scene network's."""
    same = PAPER_THEORETICAL.get(row["layer"]) == row["theoretical"] and row["network"] == "scene"
    return paper.RF_SIZES[row["layer"]] if same else math.nan


def smaller_than_theory(table: pd.DataFrame) -> pd.Series:
    """Claim 1 per row of `table_2`: 'yes' or 'no' where the interval of the mean lies below or above the
    theoretical size, else 'open'."""
    found = np.where(table["high"] < table["theoretical"], "yes", "open")
    return pd.Series(np.where(table["low"] > table["theoretical"], "no", found), index=table.index)


def falls_with_depth(table: pd.DataFrame) -> pd.DataFrame:
    """Claim 2 per network: does the share of the theoretical size fall from each layer to the next?

    Returns
    -------
    DataFrame: network, shares (list, from early to deep), falls (bool, at every step), ends ('falls',
    'rises' or 'open': whether the first and the deepest layer's intervals leave a gap).
    """
    rows = []
    for network, found in table.sort_values("depth").groupby("network", sort=False):
        shares = found["share"].to_numpy()
        low, high = (found[c].to_numpy() / found["theoretical"].to_numpy() for c in ("low", "high"))
        ends = "falls" if high[-1] < low[0] else "rises" if low[-1] > high[0] else "open"
        rows.append((network, list(shares), bool((np.diff(shares) < 0).all()), ends))
    return pd.DataFrame(rows, columns=["network", "shares", "falls", "ends"])


def _placed(row: dict[Any, Any]) -> str:
    if row["low"] != row["low"]:
        return "with one unit there is no interval to hold it against"
    if row["low"] == row["high"]:
        side = "more" if row["paper"] > row["mean"] else "less"
        return f"{abs(row['mean'] - row['paper']):.1f} px {side} than here"
    if row["low"] <= row["paper"] <= row["high"]:
        return "inside our interval for the mean"
    return f"outside our interval for the mean, {number(row['low'])} to {number(row['high'])} px"
