"""Table 2 of the paper: how large receptive fields are, compared with how large they could be.

The tables come from the atlas (see `scenelens.receptive_fields.atlas`): from all units of a layer where it is
complete, and from a random sample until then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from scenelens import paper
from scenelens.errors import CannotAnswerError
from scenelens.installation import HERE
from scenelens.intervals import layer_mean_interval
from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.field import HALF, EmpiricalRF
from scenelens.receptive_fields.occlusion.occlude import SIZE

_SIZES = [
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
#: Theoretical sizes in the paper's network, in pixels: elsewhere its measured sizes do not compare.
_PAPER_THEORETICAL = {"pool1": 19, "pool2": 67, "conv4": 131, "pool5": 195}


def field_sizes(atlas: Atlas, cut: float = HALF) -> pd.DataFrame:
    """The size of every field in each layer's sample.

    Parameters
    ----------
    atlas : Atlas
        The atlas of a study; see `open_atlas`.
    cut : float, optional
        The field is the region of at least this share of the average's maximum, in 0..1 (default: half).

    Returns
    -------
    pandas.DataFrame
        One row per unit, of the layers of which some unit has been measured: ``network``, ``depth``,
        ``layer``, ``unit``, ``n_images`` (the images on which it responds, K at most), ``size``, ``low``,
        ``high`` (pixels; 95% bootstrap interval over its images, known at half only), ``theoretical``
        (pixels), ``share`` (size / theoretical), ``reason`` (why size is NaN; else empty).

    Raises
    ------
    CannotAnswerError
        If no unit has been measured; ``atlas.grow(2, seconds=60)`` computes a sample.
    """
    return _sizes(_samples(atlas), cut)


#: (depth, network, layer) -> the fields of the layer's sample.
_Samples = dict[tuple[int, str, str], list[EmpiricalRF]]


def _samples(atlas: Atlas) -> _Samples:
    return {(depth, name, layer): atlas.parts[name].sample(layer) for depth, name, layer in atlas.layers()}


def _sizes(samples: _Samples, cut: float) -> pd.DataFrame:
    rows = []
    for (depth, network, layer), fields in samples.items():
        about = {"network": network, "depth": depth, "layer": layer}
        rows += [about | _row_at(field, cut) for field in fields]
    if not rows:
        raise CannotAnswerError(
            "no receptive field is there yet: call atlas.grow(2) for a sample, or run "
            f"{HERE.call('atlas')} for all."
        )
    return pd.DataFrame(rows)[_SIZES]


def _row_at(field: EmpiricalRF, cut: float) -> dict[str, Any]:
    """A unit's line of the table, with its size at another share of the maximum than half."""
    row = field.row
    if cut == HALF:
        return row
    size = field.side(cut)
    return row | {"size": size, "low": math.nan, "high": math.nan, "share": size / row["theoretical"]}


def table_2(atlas: Atlas, cut: float | Sequence[float] = HALF) -> pd.DataFrame:
    """Table 2: mean and standard deviation of the sizes per layer, next to the theoretical size and the
    paper's.

    Parameters
    ----------
    atlas : Atlas
        The atlas of a study; see `open_atlas`.
    cut : float or sequence of float, optional
        A field is the region of at least this share of the average's maximum, in 0..1 (default: half). For
        several shares, the table has the rows of each.

    Returns
    -------
    pandas.DataFrame
        One row per layer, network and cut: ``network``, ``depth``, ``layer``, ``theoretical``, ``mean``,
        ``sd``, ``low``, ``high`` (pixels; 95% interval of the mean), ``n`` (units measured), ``units`` (of
        the layer), ``silent`` (units measured that have no field), ``below`` (units whose field is smaller
        than the occluder), ``share`` (mean / theoretical), ``n_images`` (K), ``cut``, ``paper`` (mean in the
        paper's network of that name, for the same layer and geometry); only where a layer's units see the
        whole image from every position, ``whole`` (bool: whether they do).

    Raises
    ------
    CannotAnswerError
        If no unit has been measured.

    Notes
    -----
    The interval is Student's, narrowed by the factor sqrt(1 - n / units): where all units of a layer were
    measured nothing is left to chance, and low = mean = high. With one unit it is unknown.
    """
    rows, samples = [], _samples(atlas)
    for one in cut if isinstance(cut, Sequence) else (cut,):
        sizes = _sizes(samples, one)
        for (network, depth), found in sizes.groupby(["network", "depth"], sort=False):
            units = atlas.part(str(network)).units(found["layer"].iloc[0])
            row = {"network": network, "depth": depth, **_summary(found, units)}
            rows.append(row | {"n_images": atlas.n_images, "cut": one})
    table = pd.DataFrame(rows)
    table["paper"] = [_papers(row) for row in table.to_dict("records")]
    whole = [samples[row.depth, row.network, row.layer][0].theoretical.whole for row in table.itertuples()]
    if any(whole):
        table["whole"] = whole
    table.attrs["units"] = {"cut": "share", **dict.fromkeys(("theoretical", "mean", "sd", "paper"), "px")}
    return table


def _summary(found: pd.DataFrame, units: int) -> dict[str, Any]:
    known = found["size"].dropna().to_numpy()
    silent, theoretical = len(found) - len(known), float(found["theoretical"].iloc[0])
    low, high = layer_mean_interval(known, units - silent)
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
        "below": int((known < SIZE).sum()),
        "share": mean / theoretical,
    }


def _papers(row: dict[Any, Any]) -> float:
    """The paper's mean in its network of the same kind, where layer and theoretical size are the paper's."""
    known = {"scene": paper.RF_SIZES, "object": paper.RF_SIZES_OBJECT}.get(row["network"], {})
    same = _PAPER_THEORETICAL.get(row["layer"]) == row["theoretical"]
    return known.get(row["layer"], math.nan) if same else math.nan
