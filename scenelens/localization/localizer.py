"""One forward pass says which scene a picture shows and where its objects are (section 4.2 of the paper).

Nothing is trained for it. The network's last layer names the scene; the units on the way there that have
become object detectors say, under the names they were given, what they have found, and where.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numba import njit

from scenelens.errors import SceneLensError, close_names
from scenelens.labels import Maps
from scenelens.localization.boxes import OVERLAP, Fields, field_boxes, find_boxes, merge_boxes
from scenelens.localization.calibration import Calibration, Curve, checked_tags
from scenelens.networks import Grid, Network, layer_grid, record

TOP, BATCH = 5, 32
SAME = Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]))  # merging changes nothing
COLUMNS = (
    *("layer", "concept", "type", "confidence", "top", "left", "bottom", "right"),
    *("row", "col", "unit", "units", "response"),
)


@dataclass(frozen=True)
class Localization:
    """What one forward pass said about one picture.

    Attributes
    ----------
    frame : uint8 RGB (H, W, 3), the picture as the network saw it.
    logits : (n_classes,) float32.
    classes : the names of the network's classes, an array of strings.
    """

    frame: np.ndarray
    logits: np.ndarray
    classes: Any
    _found: Mapping[str, Any]

    @cached_property
    def scene(self) -> pd.DataFrame:
        """The five most probable scenes: rank (1 ...), predicted, probability (0..1)."""
        scores = np.exp(self.logits - self.logits.max(), dtype=np.float64)
        best = np.argsort(-scores, kind="stable")[:TOP]
        table = {
            "rank": np.arange(1, len(best) + 1),
            "predicted": self.classes.take(best),
            "probability": scores[best] / scores.sum(),
        }
        return pd.DataFrame(table, copy=False)

    @cached_property
    def boxes(self) -> pd.DataFrame:
        """One row per box, layer by layer, most confident first; empty where no unit is above its threshold.

        layer, concept, type; confidence (0..1); top, left, bottom, right (edges in pixels of the frame); row,
        col (pixel of the strongest response); unit (the most confident one), units (all that are in the box),
        response (of that unit).
        """
        return pd.DataFrame(dict(self._found), copy=False)


@dataclass(frozen=True)
class _Units:
    """The labelled units of all layers read, layer by layer, as arrays for `find_boxes` and the table."""

    where: dict[str, slice]  # layer -> its units
    grids: dict[str, Grid]
    merged: dict[str, Curve]  # layer -> confidence after merging by confidence before
    order: np.ndarray  # (n,) int64, number of each unit's layer
    units: np.ndarray  # (n,) int64
    concepts: np.ndarray  # (n,) int64, one number per layer and name
    words: dict[str, Any]  # layer, concept, type: (n,) arrays of strings
    thresholds: np.ndarray  # (n,) float32
    fields: np.ndarray  # (n, 4) float64
    at: np.ndarray  # (n + 1,) int64, where each unit's curve begins
    curve: np.ndarray  # (2, points) float64, responses and confidences


class _Fired(NamedTuple):
    """What `find_boxes` found in one layer's maps of one image, its owners counted over all layers."""

    owner: np.ndarray
    response: np.ndarray
    centers: np.ndarray  # (n, 2) row, col in pixels
    boxes: np.ndarray


class Localizer:
    """A network with its units' names, fields and calibration, ready to read pictures.

    Parameters
    ----------
    network : the network.
    labels : what its units are called, in the schema of `labels.COLUMNS`; one row per unit counts.
    calibration : of these labels, see `scenelens.localization.calibration.calibrate`. Units that it does not know under
        their name stay silent (`silent` counts them).
    layers : those to read, of the labels'; all without it.
    fields : layer -> unit -> empirical field, as `NetworkAtlas.held` gives it. Where a unit's is missing, the
        middle half of its theoretical field is taken.
    least : boxes of lower confidence are left out, 0..1.

    Raises
    ------
    SceneLensError : labels of another network, unknown layers or units, a calibration with other weights.
    """

    def __init__(
        self,
        network: Network,
        labels: pd.DataFrame,
        calibration: Calibration,
        layers: Sequence[str] | None = None,
        fields: Fields | None = None,
        least: float = 0.0,
    ) -> None:
        if calibration.weights != str(network.weights_hash):
            raise SceneLensError(
                f"the calibration is of other weights than the {network.name} network's: calibrate again."
            )
        if not 0 <= least <= 1:
            raise SceneLensError(f"least={least} is a confidence, between 0 and 1.")
        self.network, self.calibration, self.least = network, calibration, least
        self.fields = {layer: dict(one) for layer, one in (fields or {}).items()}
        tags = checked_tags(network, labels)
        self.labels = self._calibrated(tags)
        self.silent = len(tags) - len(self.labels)
        self.layers = self._chosen(layers)
        self._units = self._ready()
        self._classes = pd.array(list(network.classes), dtype="str")
        columns = (
            self.labels.layer,
            self.labels.unit,
            self.labels.get("kind", pd.Series("", self.labels.index)),
        )
        self.kinds = {(layer, unit): kind for layer, unit, kind in zip(*columns, strict=True)}

    def _calibrated(self, tags: pd.DataFrame) -> pd.DataFrame:
        known = self.calibration.units.reset_index(names="curve")
        known = known[["layer", "unit", "concept", "threshold", "curve"]]
        tags = tags.drop(columns=["threshold", "curve"], errors="ignore")
        found = tags.merge(known, on=["layer", "unit", "concept"], how="inner")
        if found.empty:
            raise SceneLensError(
                "no labelled unit was calibrated under its name: calibrate with these labels."
            )
        return found

    def _chosen(self, layers: Sequence[str] | None) -> list[str]:
        if isinstance(layers, str):  # which is a sequence too, of its letters
            raise SceneLensError(f"layers={layers!r} is one name; give a list, [{layers!r}].")
        order = {layer: k for k, layer in enumerate(self.network.layers.layer)}
        there = sorted(set(self.labels.layer), key=lambda layer: order.get(layer, len(order)))
        for layer in layers or ():
            self.network.module_path(layer)  # an unknown one is told
            if layer not in there:
                raise SceneLensError(
                    f"no unit of {layer} is labelled and calibrated; {close_names(layer, there)}."
                )
        return [layer for layer in there if layers is None or layer in layers]

    def _ready(self) -> _Units:
        parts = {layer: self.labels[self.labels.layer == layer] for layer in self.layers}
        rows, edges = pd.concat(parts.values()), np.cumsum([0, *(len(part) for part in parts.values())])
        order = np.repeat(np.arange(len(parts)), np.diff(edges))
        curves = [self.calibration.curves[k] for k in rows.curve]
        squares = [
            field_boxes(self.network, layer, part.unit.to_numpy(), self.fields.get(layer))
            for layer, part in parts.items()
        ]
        return _Units(
            {layer: slice(*edges[k : k + 2].tolist()) for k, layer in enumerate(parts)},
            {layer: layer_grid(self.network, layer) for layer in parts},
            {layer: self.calibration.merged.get(layer, SAME) for layer in parts},
            order,
            rows.unit.to_numpy(np.int64),
            rows.groupby(["layer", "concept"]).ngroup().to_numpy(np.int64),
            {name: pd.array(rows[name].tolist(), dtype="str") for name in ("layer", "concept", "type")},
            rows.threshold.to_numpy(np.float32),
            np.concatenate(squares),
            np.cumsum([0, *(len(one.response) for one in curves)]).astype(np.int64),
            np.concatenate([np.stack([one.response, one.confidence]) for one in curves], 1),
        )

    def __call__(self, image: np.ndarray, framed: bool = False) -> Localization:
        """Read one picture, uint8 RGB (h, w, 3), in one forward pass.

        Parameters
        ----------
        framed : it comes from `network.show_input`: neither resize nor crop it again.
        """
        return self._read([image if framed else self.network.show_input(image)])[0]

    def several(self, images: Iterable[np.ndarray], framed: bool = False) -> list[Localization]:
        """Read many pictures, one forward pass for every 32 of them; the same as one by one."""
        frames = [one if framed else self.network.show_input(one) for one in images]
        return [one for at in range(0, len(frames), BATCH) for one in self._read(frames[at : at + BATCH])]

    def _read(self, frames: list[np.ndarray]) -> list[Localization]:
        with record(self.network, self.layers, keep=self._fired, stop=False) as fired, torch.no_grad():
            logits = self.network.module(self.network.prepare(np.stack(frames), framed=True))
        scores = logits.float().cpu().numpy()
        return [
            Localization(
                frame,
                scores[k],
                self._classes,
                self._table([fired[layer][k] for layer in self.layers]),
            )
            for k, frame in enumerate(frames)
        ]

    def _fired(self, layer: str, values: torch.Tensor) -> list[_Fired]:
        """What `find_boxes` finds in a layer's maps (N, units, h, w), image by image: looked up while the
        forward pass goes by, so that no map is kept."""
        return [self._boxes(layer, one) for one in values.float().cpu().numpy()]

    def _boxes(self, layer: str, maps: np.ndarray) -> _Fired:
        units, rows = self._units, self._units.where[layer]
        frame, (start, stride) = (*map(float, self.network.input_size),), units.grids[layer]
        owner, response, places, boxes = find_boxes(
            maps, units.units[rows], units.thresholds[rows], units.fields[rows], start, stride, frame
        )
        return _Fired(owner + rows.start, response, places * stride + start, boxes)

    def find(self, maps: Maps) -> dict[str, Any]:
        """The columns of the table of boxes, from one image's maps (units, h, w) by layer."""
        return self._table([self._boxes(layer, np.ascontiguousarray(maps[layer])) for layer in self.layers])

    def _table(self, fired: list[_Fired]) -> dict[str, Any]:
        units = self._units
        owner, response, centers, boxes = map(np.concatenate, zip(*fired, strict=True))
        confidence = _confidences(owner, response, units.at, units.curve)
        leader, merged = merge_boxes(boxes, units.concepts[owner], confidence, OVERLAP)
        edges = np.cumsum([0, *(len(one.owner) for one in fired)])
        for k, curve in enumerate(units.merged.values()):
            part = slice(edges[k], edges[k + 1])
            confidence[part] = np.interp(confidence[part], *curve)
        firsts = np.flatnonzero((leader == np.arange(len(leader))) & (confidence >= self.least))
        firsts = firsts[np.lexsort((-confidence[firsts], units.order[owner[firsts]]))]
        unit = owner[firsts]
        return {
            **{name: words.take(unit) for name, words in units.words.items()},
            "confidence": confidence[firsts],
            **dict(zip(("top", "left", "bottom", "right"), merged[firsts].T, strict=True)),
            **dict(zip(("row", "col"), centers[firsts].T, strict=True)),
            "unit": units.units[unit],
            "units": _members(leader, units.units[owner], firsts),
            "response": response[firsts],
        }


def _members(leader: np.ndarray, units: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """The units of each box, in the order of the layer, as an array of tuples."""
    members: dict[int, list[int]] = {}
    for box, unit in zip(leader.tolist(), units.tolist(), strict=True):
        members.setdefault(box, []).append(unit)
    found = np.empty(len(firsts), object)
    for k, first in enumerate(firsts.tolist()):
        several = members[first]
        found[k] = tuple(several if len(several) == 1 else dict.fromkeys(several))
    return found


@njit(cache=True, nogil=True)
def _confidences(owner, response, at, curve):
    """What each box's response is worth, (n,) float64: its unit's curve, interpolated."""
    found = np.empty(len(owner))
    for k in range(len(owner)):
        first, last = at[owner[k]], at[owner[k] + 1] - 1
        above = first
        while above <= last and curve[0, above] <= response[k]:  # a curve has a handful of points
            above += 1
        if above == first or above > last:
            found[k] = curve[1, min(above, last)]
            continue
        left, right = curve[0, above - 1], curve[0, above]
        share = (response[k] - left) / (right - left)
        found[k] = curve[1, above - 1] + share * (curve[1, above] - curve[1, above - 1])
    return found


def localize(
    network: Network,
    image: np.ndarray,
    labels: pd.DataFrame,
    calibration: Calibration,
    layers: Sequence[str] | None = None,
    fields: Fields | None = None,
    least: float = 0.0,
) -> Localization:
    """Name the scene and find objects, in one forward pass (Figure 10).

    Parameters
    ----------
    image : uint8 RGB (h, w, 3).

    Others are `Localizer`'s, which spares the preparation where there is more than one picture, and which
    `study_localization.localizer` makes for a study.

    Returns
    -------
    Localization : `.scene`, the top 5, and `.boxes`, with the names of the units that fire in them.

    Raises
    ------
    SceneLensError : labels of another network, unknown layers or units, a calibration with other weights.

    Notes
    -----
    Section 4.2. A unit fires where its response is above its threshold. Touching positions give one box, what
    their fields span. Boxes of one concept and layer merge: the most confident takes all that share half of
    the smaller one with it, and its edges become their mean, weighted by confidence. A box's confidence goes
    by its most confident unit, since units of one name are no independent witnesses; see
    `scenelens.localization.calibration`.

    Examples
    --------
    >>> from scenelens.networks import CaffeNet
    >>> from scenelens.localization.calibration import Curve
    >>> from scenelens.networks import Network
    >>> net = Network(CaffeNet(3, width=1 / 8, fc=16), "scene", ["attic", "beach", "cave"])
    >>> label = {"layer": ["pool5"], "unit": [3], "concept": ["bed"]}
    >>> units = pd.DataFrame({**label, "threshold": [1e9]})
    >>> known = Calibration("scene", net.weights_hash, units, (Curve(np.zeros(1), np.ones(1)),))
    >>> labels = pd.DataFrame({**label, "network": ["scene"], "type": ["object"]})
    >>> found = localize(net, np.zeros((90, 90, 3), np.uint8), labels, known)
    >>> len(found.scene), len(found.boxes)
    (3, 0)
    """
    return Localizer(network, labels, calibration, layers, fields, least)(image)
