"""What a unit's response is worth: how often the concept it is named after is really there.

A response of 7.3 says nothing to a reader, and a response of 7.3 of two units says two things. So the units
are watched on annotated images that had no part in naming them: wherever one fires, is its concept there?
"There" means within the cell of the strongest position, no farther from its centre than half a stride. The
share of such hits, as a function of the response that may only rise, is the unit's confidence.

Isotonic regression fits that function: it pools neighbouring responses until their shares rise. Pools of
fewer than ten cases are joined with the next, and a pool of k hits in n cases stands for (k + 1) / (n + 2),
so that no confidence is 0 or 1 and few cases promise little. Between the pools' means it is interpolated.

Where boxes of one name merge, the most confident unit speaks for all, and whoever picks the most confident of
many is disappointed on average. So a second function of the same kind, one per layer, says how often merged
boxes that promise so much are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.isotonic import IsotonicRegression

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError, close_names
from scenelens.labels import Maps, check_labels
from scenelens.localization.boxes import OVERLAP, Fields, field_boxes, find_boxes, merge_boxes
from scenelens.localization.truth import ImageConcepts, iterate_annotated
from scenelens.networks import Grid, Network, layer_grid

POOL = 10  # cases, at least, behind every confidence
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
    pool : cases, at least, behind each value; with fewer in all there is one value.

    Raises
    ------
    SceneLensError : no case.

    Examples
    --------
    >>> curve = fit_curve([1, 1, 1, 1, 2, 2, 2, 2], [0, 0, 0, 0, 1, 1, 1, 0], pool=4)
    >>> curve(0.5).__round__(3), curve(1.5).__round__(3), curve(9).__round__(3)
    (0.167, 0.417, 0.667)
    """
    values, hits = np.asarray(responses, float), np.asarray(right, bool)
    if not len(values) or values.shape != hits.shape:
        raise SceneLensError(
            "a confidence needs a response and a hit or miss per case, of one case at least."
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
        (times that it fired), right (of them on its concept).
    curves : of the same units, confidence as a function of the response.
    merged : layer -> confidence after merging as a function of the most confident unit's.
    """

    network: str
    weights: str
    units: pd.DataFrame
    curves: tuple[Curve, ...]
    merged: dict[str, Curve] = field(default_factory=dict)

    def confidence(self, layer: str, unit: int, response: float) -> float:
        """What a response of a unit is worth, 0..1, before boxes are merged.

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
    fields: Fields | None = None,
    progress: bool = True,
) -> Calibration:
    """Watch labelled units on annotated images that had no part in naming them.

    Parameters
    ----------
    labels : in the schema of `labels.COLUMNS`, one row per unit, with a further column `threshold`: the
        response above which the unit fires. A column `kind` says among which concepts to look.
    images : ids in `annotations`; all without it.
    fields : layer -> unit -> empirical field, as the localizer will get them: they decide which boxes merge.

    Returns
    -------
    Calibration : of the units that fire on these images and whose concept these show; no others.

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
    watch = _Watch(network, tags, fields or {})
    for names, looked, maps in iterate_annotated(network, annotations, watch.layers, ids, progress):
        for k in range(len(names)):
            watch.add(looked[k], {layer: values[k] for layer, values in maps.items()})
    return watch.result()


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
    """Where labelled units fire, and whether their concepts are there."""

    def __init__(self, network: Network, tags: pd.DataFrame, fields: Fields) -> None:
        self.network = network
        self.tags = tags.assign(kind=tags.kind.fillna("") if "kind" in tags else "")
        self.layers = list(dict.fromkeys(tags.layer))
        self.grids: dict[str, Grid] = {layer: layer_grid(network, layer) for layer in self.layers}
        self.rows = {layer: np.flatnonzero(tags.layer == layer) for layer in self.layers}
        units = {layer: tags.unit.to_numpy(np.int64)[rows] for layer, rows in self.rows.items()}
        self.units = units
        self.fields = {
            layer: field_boxes(network, layer, own, fields.get(layer)) for layer, own in units.items()
        }
        self.present = np.zeros(len(tags), bool)
        self.fired: dict[str, list[_Fired]] = {layer: [] for layer in self.layers}

    def add(self, seen: ImageConcepts, maps: Maps) -> None:
        """Take one image."""
        tags = list(self.tags.itertuples())
        asked = np.array([seen.in_vocabulary(tag.concept) for tag in tags])
        shown = np.array([seen.contains(tag.concept, tag.kind) for tag in tags])
        self.present |= asked & shown
        height, width = self.network.input_size
        thresholds = self.tags.threshold.to_numpy(np.float32)
        for layer, rows in self.rows.items():
            grid, values = self.grids[layer], np.ascontiguousarray(maps[layer], np.float32)
            frame, fields = (float(height), float(width)), self.fields[layer]
            found = find_boxes(values, self.units[layer], thresholds[rows], fields, *grid, frame)
            owner, response, places, boxes = (one[asked[rows[found[0]]]] for one in found)
            cells = [grid.cell(place[0], place[1], (height, width)) for place in places.tolist()]
            right = [
                bool(shown[row]) and seen.contains(tags[row].concept, tags[row].kind, cell)
                for row, cell in zip(rows[owner], cells, strict=True)
            ]
            self.fired[layer].append(_Fired(rows[owner], response, boxes, np.array(right, bool)))

    def result(self) -> Calibration:
        """Curves of the units that fired and whose concept was on any image, then those of merged boxes."""
        everything = [one for several in self.fired.values() for one in several]
        rows, response, right = (
            np.concatenate([one[k] for one in everything]) if everything else np.zeros(0) for k in (0, 1, 3)
        )
        n = np.bincount(rows.astype(int), minlength=len(self.tags))
        kept = np.flatnonzero(self.present & (n > 0))
        if not len(kept):
            raise SceneLensError("none of the labels' concepts is on any of these images: nothing to watch.")
        curves = {int(row): fit_curve(response[rows == row], right[rows == row]) for row in kept}
        columns = [name for name in (*UNIT_TAG, "type", "kind", "threshold") if name in self.tags]
        units = self.tags.loc[kept, columns].reset_index(drop=True)
        hits = np.bincount(rows.astype(int), right, minlength=len(self.tags)).astype(int)
        units = units.assign(n=n[kept], right=hits[kept])
        weights = str(self.network.weights_hash)
        return Calibration(self.network.name, weights, units, tuple(curves.values()), self._merged(curves))

    def _merged(self, curves: dict[int, Curve]) -> dict[str, Curve]:
        names = np.unique(self.tags.concept.to_numpy(str), return_inverse=True)[1]
        found = {}
        for layer, several in self.fired.items():
            said, came = [], []
            for one in several:
                known = np.array([row in curves for row in one.rows], bool)
                rows, boxes, right = one.rows[known], one.boxes[known], one.right[known]
                promised = [curves[row](value) for row, value in zip(rows, one.response[known], strict=True)]
                confidence = np.array(promised, float)
                leader = merge_boxes(boxes, names[rows], confidence, OVERLAP)[0]
                first = leader == np.arange(len(leader))
                said += confidence[first].tolist()
                came += right[first].tolist()
            if said:
                found[layer] = fit_curve(np.array(said), np.array(came))
        return found


class _Fired(NamedTuple):
    """One image's groups of touching positions of one layer: the rows of their tags, highest responses,
    boxes, and whether the concept was there."""

    rows: np.ndarray
    response: np.ndarray
    boxes: np.ndarray
    right: np.ndarray
