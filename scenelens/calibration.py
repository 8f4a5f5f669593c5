"""What a unit's response is worth: how often the concept it is named after is really there.

A response of 7.3 says nothing to a reader, and a response of 7.3 of two units says two things. So the units
are watched on annotated images that had no part in naming them: at the unit's peak, is its concept there?
"There" means within the cell of the peak's position, no farther from its centre than half a stride. The share
of such hits, as a function of the response that may only rise, is the unit's confidence.

Isotonic regression fits that function: it pools neighbouring responses until their shares rise. Pools of
fewer than ten images are joined with the next, and a pool of k hits in n images stands for (k + 1) / (n + 2),
so that no confidence is 0 or 1 and few images promise little. Between the pools' means it is interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError, close_names
from scenelens.labels import check_labels
from scenelens.layer_maps import Maps
from scenelens.seen_concepts import Seen, looks
from scenelens.unit_boxes import Grid, layer_grid

if TYPE_CHECKING:
    from scenelens.networks import Network

POOL = 10  # images, at least, behind every confidence
UNIT_TAG = ["layer", "unit", "concept"]


class Curve(NamedTuple):
    """Confidence as a function of the response: both (n,) float64, rising; beyond the ends it stays."""

    response: np.ndarray
    confidence: np.ndarray

    def __call__(self, response: float) -> float:
        """The confidence in 0..1 that a response deserves."""
        return float(np.interp(response, self.response, self.confidence))


def fit_curve(responses: np.ndarray, right: np.ndarray, pool: int = POOL) -> Curve:
    """The share of hits as a rising function of the response.

    Parameters
    ----------
    responses : (n,) finite numbers. right : (n,) bool, whether the concept was there.
    pool : images, at least, behind each value; with fewer in all there is one value.

    Raises
    ------
    SceneLensError : no image.

    Examples
    --------
    >>> curve = fit_curve([1, 1, 1, 1, 2, 2, 2, 2], [0, 0, 0, 0, 1, 1, 1, 0], pool=4)
    >>> curve(0.5).__round__(3), curve(1.5).__round__(3), curve(9).__round__(3)
    (0.167, 0.417, 0.667)
    """
    values, hits = np.asarray(responses, float), np.asarray(right, bool)
    if not len(values) or values.shape != hits.shape:
        raise SceneLensError(
            "a confidence needs one response and one hit or miss per image, of one at least."
        )
    fitted = IsotonicRegression().fit_transform(values, hits)
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(fitted[order]) > 0))
    sizes = np.diff(np.append(starts, len(values)))
    pools = [values[order][a : a + n] for a, n in zip(starts, sizes, strict=True)]
    counts = [hits[order][a : a + n] for a, n in zip(starts, sizes, strict=True)]
    pools, counts = _joined(pools, pool), _joined(counts, pool)
    shares = [(one.sum() + 1) / (len(one) + 2) for one in counts]
    return Curve(np.array([one.mean() for one in pools]), np.maximum.accumulate(shares))


def _joined(parts: list[np.ndarray], least: int) -> list[np.ndarray]:
    """Neighbouring parts joined, from the last (the highest) down, until each has at least that many."""
    joined: list[np.ndarray] = []
    for part in reversed(parts):
        if joined and len(joined[-1]) < least:
            joined[-1] = np.concatenate([part, joined[-1]])
        else:
            joined.append(part)
    if len(joined) > 1 and len(joined[-1]) < least:
        lowest = joined.pop()
        joined[-1] = np.concatenate([lowest, joined[-1]])
    return joined[::-1]


@dataclass(frozen=True)
class Calibration:
    """What some units' responses are worth.

    Attributes
    ----------
    network, weights : the network's name, and its weights' hash.
    units : DataFrame, one row per unit: layer, unit, concept, type, threshold (above which it fires), n
        (images it was watched on), present (of them show the concept), right (peaks that lie on it).
    curves : of the same units.
    """

    network: str
    weights: str
    units: pd.DataFrame
    curves: tuple[Curve, ...]

    def confidence(self, layer: str, unit: int, response: float) -> float:
        """What a response of a unit is worth, 0..1.

        Raises
        ------
        SceneLensError : the unit was not calibrated.
        """
        rows = np.flatnonzero((self.units.layer == layer) & (self.units.unit == unit))
        if not len(rows):
            known = close_names(layer, list(self.units.layer.unique()))
            raise SceneLensError(f"{layer}:{unit} of the {self.network} network was not calibrated; {known}.")
        return self.curves[rows[0]](response)


def calibrate(
    network: Network,
    annotations: Annotations,
    labels: pd.DataFrame,
    images: Sequence[str] | None = None,
    progress: bool = True,
) -> Calibration:
    """Watch labelled units on annotated images that had no part in naming them.

    Parameters
    ----------
    labels : in the schema of `labels.COLUMNS`, one row per unit, with a further column `threshold`: the
        response above which the unit fires. A column `kind` says among which concepts to look.
    images : ids in `annotations`; all without it.

    Returns
    -------
    Calibration : of the units whose concept these images show; the others' responses cannot be judged.

    Raises
    ------
    SceneLensError : labels of another network, an unknown layer or unit, no threshold; none of the concepts
        is on any image.

    Notes
    -----
    The paper shows "confidence based on the units' activation" (Figure 10) without saying how. This is ours.
    """
    tags = checked_tags(network, labels)
    if "threshold" not in tags:
        raise SceneLensError("the labels have no column threshold, so nobody knows when their units fire.")
    ids = list(annotations.images if images is None else images)
    watch = _Watch(network, tags)
    for names, looked, maps in looks(network, annotations, watch.layers, ids, progress):
        for k in range(len(names)):
            watch.add(looked[k], {layer: values[k] for layer, values in maps.items()})
    return watch.result(network)


def checked_tags(network: Network, labels: pd.DataFrame) -> pd.DataFrame:
    """The labels of a network's units, one row per unit, checked against the network.

    Raises
    ------
    SceneLensError : none is of this network, an unknown layer, one without a map, or an unknown unit.
    """
    table = check_labels(labels)
    own = table[table.network == network.name].drop_duplicates(["layer", "unit"]).reset_index(drop=True)
    if own.empty:
        whose = ", ".join(sorted(set(table.network))) or "nobody"
        raise SceneLensError(
            f"these are labels of {whose}, and the network is {network.name!r}: take its own, such as "
            f'study.automatic_labels("{network.name}").labels().'
        )
    for layer, rows in own.groupby("layer", sort=False):
        layer_grid(network, str(layer))  # an unknown layer is told, and one without a map
        n = network.layer_shape(str(layer))[0]
        if rows.unit.max() >= n:
            raise SceneLensError(
                f"{layer} has units 0 to {n - 1}, and there is a label of {rows.unit.max()}."
            )
    return own


class _Watch:
    """Each unit's peaks, and whether its concept is there."""

    def __init__(self, network: Network, tags: pd.DataFrame) -> None:
        self.tags = tags.assign(kind=tags.kind.fillna("") if "kind" in tags else "")
        self.layers = list(dict.fromkeys(tags.layer))
        self.grids: dict[str, Grid] = {layer: layer_grid(network, layer) for layer in self.layers}
        self.frame = network.input_size
        self.rows: list[list[tuple[float, bool, bool]]] = [[] for _ in range(len(tags))]

    def add(self, seen: Seen, maps: Maps) -> None:
        """Take one image."""
        for rows, tag in zip(self.rows, self.tags.itertuples(), strict=True):
            if not seen.asked(tag.concept):
                continue
            values = maps[tag.layer][tag.unit]
            row, col = np.unravel_index(int(values.argmax()), values.shape)
            present = seen.shows(tag.concept, tag.kind)
            cell = self.grids[tag.layer].cell(float(row), float(col), self.frame)
            rows.append(
                (float(values[row, col]), present and seen.shows(tag.concept, tag.kind, cell), present)
            )

    def result(self, network: Network) -> Calibration:
        """Curves of the units whose concept was on any image."""
        arrays = [np.array(rows, float).reshape(-1, 3) for rows in self.rows]
        kept = [k for k, one in enumerate(arrays) if one[:, 2].any()]
        if not kept:
            raise SceneLensError("none of the labels' concepts is on any of these images: nothing to watch.")
        columns = [name for name in (*UNIT_TAG, "type", "kind", "threshold") if name in self.tags]
        units = self.tags.loc[kept, columns].reset_index(drop=True)
        totals = np.array([arrays[k].sum(0) for k in kept]).astype(int)
        units = units.assign(n=[len(arrays[k]) for k in kept], present=totals[:, 2], right=totals[:, 1])
        curves = tuple(fit_curve(arrays[k][:, 0], arrays[k][:, 1] > 0) for k in kept)
        return Calibration(network.name, str(network.weights_hash), units, curves)
