"""Table 2 of the paper: how large receptive fields are, against how large they could be.

Tables come from the atlas (see `scenelens.atlas`): from all units of a layer where it is complete, and from a
sample drawn by lot until then. `read_...` turns a table into sentences, the paper's two claims among them,
reported as they were found.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from scenelens import paper
from scenelens.errors import SceneLensError
from scenelens.occlusion import SIZE
from scenelens.readings import Reading, number, percent

if TYPE_CHECKING:
    from scenelens.atlas import Atlas

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


def read_atlas(atlas: Atlas) -> Reading:
    """How many units the atlas holds, and what the tables that follow are made of."""
    table = atlas.table()
    whole = table["held"] >= table["units"]
    k = f"each averaged over its {atlas.n_images} top images"
    if whole.all():
        return Reading(f"The atlas is complete: **{table['held'].sum():,} receptive fields**, {k}.")
    counts = "; ".join(
        f"{network} network " + ", ".join(f"{r.layer} {r.held} of {r.units}" for r in rows.itertuples())
        for network, rows in table.groupby("network", sort=False)
    )
    return Reading(
        f"The atlas holds **{table['held'].sum():,} of {table['units'].sum():,} receptive fields**, {k}: "
        f"{counts}. They were drawn by lot: what follows is a sample, and says its n. `make atlas` computes "
        "the others, and goes on where it stopped."
    )


def read_table_2(table: pd.DataFrame) -> Reading:
    """The paper's two claims on the sizes measured here, reported as they were found, and its numbers."""
    lines = [_read_smaller(table), _read_falls(table)]
    for row in table.dropna(subset=["paper"]).to_dict("records"):
        lines.append(
            f"{row['layer']}, {row['network']} network: {_mean_text(row)}; the paper: {row['paper']:.1f} px, "
            f"{_placed(row)}."
        )
    if table["paper"].isna().all():
        quoted = " / ".join(f"{value:.1f}" for value in paper.RF_SIZES.values())
        names = ", ".join(paper.RF_SIZES)
        lines.append(f"The paper's layers have no namesake here. It found {quoted} px at {names}.")
    small = table[table["theoretical"] < SIZE]
    if len(small):
        names = ", ".join(f"{r.layer} ({r.network} network)" for r in small.itertuples())
        lines.append(
            f"In {names} the theoretical size is less than the occluder's {SIZE} px: what is measured "
            "there is the occluder, not the unit."
        )
    silent = int(table["silent"].sum())
    if silent:
        lines.append(f"{silent} units measured respond to no image or to no occluder: they have no field.")
    return Reading("\n".join(f"- {line}" for line in lines))


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


def _read_smaller(table: pd.DataFrame) -> str:
    verdicts = smaller_than_theory(table)
    text = "**Smaller than they could be?** "
    if (verdicts == "yes").all():
        return text + "Yes: in every layer the mean lies below the theoretical size, with its whole interval."
    parts = []
    for verdict, words in (
        ("no", "larger than the theoretical size"),
        ("open", "not told apart from it by so few units"),
    ):
        names = [f"{r.layer} ({r.network} network)" for r in table[verdicts == verdict].itertuples()]
        parts += [f"{words} in {', '.join(names)}"] if names else []
    return text + f"In {(verdicts == 'yes').sum()} of {len(table)} rows; {'; '.join(parts)}."


def _read_falls(table: pd.DataFrame) -> str:
    parts = []
    for row in falls_with_depth(table).itertuples():
        shares = ", ".join(percent(share) for share in row.shares)
        steps = "falls at every step" if row.falls else "does not fall at every step"
        ends = {
            "falls": "the deepest layer's lies below the first's, intervals and all",
            "rises": "the deepest layer's lies above the first's, against the paper",
            "open": "the intervals of the first and the deepest layer do not leave a gap",
        }[row.ends]
        parts.append(f"in the {row.network} network it {steps} ({shares}), and {ends}")
    return "**Does the share of the possible size fall with depth?** As measured, " + "; ".join(parts) + "."


def _mean_text(row: dict[Any, Any]) -> str:
    spread = f" ± {row['sd']:.1f}" if row["sd"] == row["sd"] else ""
    what = "all" if row["n"] + row["silent"] >= row["units"] else f"{row['n']} of"
    about = f"mean ± s.d., {what} {row['units']} units, theoretical {row['theoretical']:.0f}"
    return f"{number(row['mean'])}{spread} px ({about})"


def _placed(row: dict[Any, Any]) -> str:
    if row["low"] != row["low"]:
        return "with one unit there is no interval to hold it against"
    if row["low"] == row["high"]:
        side = "more" if row["paper"] > row["mean"] else "less"
        return f"{abs(row['mean'] - row['paper']):.1f} px {side} than here"
    if row["low"] <= row["paper"] <= row["high"]:
        return "inside our interval for the mean"
    return f"outside our interval for the mean, {number(row['low'])} to {number(row['high'])} px"
