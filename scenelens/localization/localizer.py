"""One forward pass says which scene an image shows and where its objects are (section 4.2 of the paper).

Nothing is trained for this. The network's last layer names the scene. The units before it that have become
object detectors say what they have found and where, under the names that were given to them.
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
from scenelens.localization.boxes import Fields, LabelledUnits
from scenelens.localization.calibration import FACTS, HERE, Calibration, Curve
from scenelens.localization.truth import ImageConcepts
from scenelens.networks import Network, record

#: The least confidence of a box that Figure 10 and the widget show, unless they are told another.
LEAST = 0.2
_TOP = 5  # scenes, as in the paper's Figure 10
_BATCH = 32  # images per forward pass
_WORDS = ("layer", "concept", "type")


@dataclass(frozen=True)
class Localization:
    """What one forward pass says about one image.

    Attributes
    ----------
    frame : numpy.ndarray
        uint8 RGB (H, W, 3), the image as the network saw it.
    logits : numpy.ndarray
        (n_classes,) float32, the network's class scores.
    classes : pandas.api.extensions.ExtensionArray
        The names of the network's classes, strings.
    found : mapping of str to array_like
        The columns of `boxes`.
    layers : tuple of str, optional
        The layers in which boxes were looked for, early ones first.
    network : str, optional
        The network's name.
    """

    frame: np.ndarray
    logits: np.ndarray
    classes: Any
    found: Mapping[str, Any]
    layers: tuple[str, ...] = ()
    network: str = ""

    @cached_property
    def scene(self) -> pd.DataFrame:
        """The five most probable scenes: rank (1 ...), predicted (str), probability (0..1)."""
        # Less the maximum: the exponential of a large score would overflow.
        scores = np.exp(self.logits - self.logits.max(), dtype=np.float64)
        best = np.argsort(-scores, kind="stable")[:_TOP]
        table = {
            "rank": np.arange(1, len(best) + 1),
            "predicted": self.classes.take(best),
            "probability": scores[best] / scores.sum(),
        }
        return pd.DataFrame(table, copy=False)

    # A table costs more than all boxes of an image, so both tables are made only when they are used.
    @cached_property
    def boxes(self) -> pd.DataFrame:
        """One row per box, layer by layer, the most confident first; empty if no unit is above its threshold.

        layer, concept, type; confidence (0..1, the lower end of the 95% interval of the next), estimate (the
        share of such boxes that are right), images (the calibration images behind it), by_category (how
        often such boxes would be right on other images of the same category: one whose confidence is not
        higher has shown no evidence of its own; NaN where this is not known); here, here_right (the boxes of
        this unit on calibration images of the scene that the network names, and how many were right; -1
        where no calibration image shows that scene); top, left, bottom, right
        (edges in pixels of the frame); row, col (centre of the position of the strongest response, in
        pixels); unit (the strongest one, by its response in thresholds), units (all units in the box),
        response (of that unit).
        """
        return pd.DataFrame(dict(self.found), copy=False)

    @property
    def doubtful(self) -> pd.Series:
        """Which `boxes` are by units that were never right on calibration images of the scene that the
        network names here, bool: what they know, they know of other scenes."""
        return (self.boxes.here >= 0) & (self.boxes.here_right == 0)

    def best_boxes(self, layer: str, n: int, least: float = 0.0) -> pd.DataFrame:
        """Return a layer's most confident boxes: the best one of each concept first, then others.

        Parameters
        ----------
        layer : str
            The layer.
        n : int
            Boxes at most.
        least : float, optional
            Least confidence, 0..1 (default 0).

        Returns
        -------
        pandas.DataFrame
            Rows of `boxes`, with their numbers there.
        """
        boxes = self.boxes[(self.boxes.layer == layer) & (self.boxes.confidence >= least)]
        again = boxes.duplicated("concept")
        return pd.concat([boxes[~again], boxes[again]]).head(n)


class _Active(NamedTuple):
    """The boxes of one layer in one image, before merging: their units' rows in the table of units,
    responses, centres of the strongest positions, (n, 2) row and column in pixels, and edges."""

    rows: np.ndarray
    responses: np.ndarray
    centers: np.ndarray
    boxes: np.ndarray


class Localizer:
    """A network with its units' names, fields and calibration, ready to find objects in images.

    Parameters
    ----------
    network : Network
        The network.
    labels : pandas.DataFrame or LabelledUnits
        What its units are called, in the schema of ``labels.COLUMNS``, or what was prepared from such a
        table.
    calibration : Calibration
        Made with the same labels. Units that it does not know under their name are not used; `silent` counts
        them. The thresholds are taken from it.
    layers : sequence of str, optional
        The layers in which to look for boxes; by default all that have calibrated units.
    fields : mapping of str to mapping of int to EmpiricalRF, optional
        Layer -> unit -> measured field. For a unit without one, half the side of the theoretical field is
        taken. Not used where `labels` is a `LabelledUnits`, which has fields of its own.
    least : float, optional
        Boxes of lower confidence are left out, 0..1 (default 0).

    Attributes
    ----------
    labels : pandas.DataFrame
        The labels that are used, one row per unit.
    units : LabelledUnits
        The units of the layers that are used.
    layers : list of str
        The layers in which boxes are looked for, early ones first.
    silent : int
        How many labelled units are not used, because they were not calibrated under their name.

    Raises
    ------
    SceneLensError
        If labels are of another network, or of unknown layers or units, if no labelled unit was calibrated,
        if the calibration was made with other weights, or if `least` is not in 0..1.
    """

    def __init__(
        self,
        network: Network,
        labels: pd.DataFrame | LabelledUnits,
        calibration: Calibration,
        layers: Sequence[str] | None = None,
        fields: Fields | None = None,
        least: float = 0.0,
    ) -> None:
        if calibration.weights != str(network.weights_hash):
            raise SceneLensError(
                f"the calibration was made with other weights than the {network.name} network's; "
                "calibrate again."
            )
        if not 0 <= least <= 1:
            raise SceneLensError(f"least={least} is a confidence, between 0 and 1.")
        prepared = labels
        if not isinstance(prepared, LabelledUnits):
            prepared = LabelledUnits.prepare(network, prepared, fields)
        if prepared.network is not network:
            raise SceneLensError(
                f"these units are prepared for another network than this {network.name} network."
            )
        self.network, self.calibration, self.least = network, calibration, least
        self.labels, rows = _calibrated(prepared.table, calibration)
        self.silent = len(prepared.table) - len(self.labels)
        self.layers = self._choose_layers(layers)
        # Layer by layer, so that the boxes of all layers can be merged and sorted in one go.
        chosen = np.concatenate([np.flatnonzero(self.labels.layer == layer) for layer in self.layers])
        self.units = prepared.take(rows[chosen], self.labels.threshold.to_numpy()[chosen])
        self._curves = _Curves([calibration.curves[k] for k in self.labels.curve.iloc[chosen]])
        table = self.units.table
        self._order = table.layer.map({layer: k for k, layer in enumerate(self.layers)}).to_numpy()
        self._numbers = table.unit.to_numpy(np.int64)
        self._before = _before(calibration.scenes, self.labels.curve.to_numpy()[chosen])
        self._words = {name: pd.array(table[name].tolist(), dtype="str") for name in _WORDS}
        self._classes = pd.array(list(network.classes), dtype="str")

    def _choose_layers(self, layers: Sequence[str] | None) -> list[str]:
        if isinstance(layers, str):  # which is a sequence too, of its letters
            raise SceneLensError(f"layers={layers!r} is one name; give a list, [{layers!r}].")
        order = {layer: k for k, layer in enumerate(self.network.layers.layer)}
        there = sorted(set(self.labels.layer), key=lambda layer: order.get(layer, len(order)))
        for layer in layers or ():
            self.network.module_path(layer)  # raises for an unknown layer, with close names
            if layer not in there:
                raise SceneLensError(
                    f"no unit of {layer} is labelled and calibrated; {close_names(layer, there)}."
                )
        return [layer for layer in there if layers is None or layer in layers]

    def __call__(self, image: np.ndarray, framed: bool = False) -> Localization:
        """Name the scene and find objects in one image, in one forward pass.

        Parameters
        ----------
        image : numpy.ndarray
            uint8 RGB (h, w, 3).
        framed : bool, optional
            Whether the image comes from ``network.show_input`` and is neither resized nor cropped again
            (default False).

        Returns
        -------
        Localization
            The scene and the boxes.
        """
        return self._localize([image if framed else self.network.show_input(image)])[0]

    def several(self, images: Iterable[np.ndarray], framed: bool = False) -> list[Localization]:
        """Name the scenes and find objects in many images, in one forward pass per 32 images.

        Parameters
        ----------
        images : iterable of numpy.ndarray
            uint8 RGB (h, w, 3) each.
        framed : bool, optional
            Whether the images come from ``network.show_input`` (default False).

        Returns
        -------
        list of Localization
            One per image, the same as one by one.
        """
        frames = [one if framed else self.network.show_input(one) for one in images]
        parts = (frames[at : at + _BATCH] for at in range(0, len(frames), _BATCH))
        return [one for part in parts for one in self._localize(part)]

    def _localize(self, frames: list[np.ndarray]) -> list[Localization]:
        # Boxes are found while the forward pass runs (`keep`), so that no layer's maps are kept; and the pass
        # goes on to the class scores (`stop=False`): it names the scene, too.
        with (
            record(self.network, self.layers, keep=self._find_in_batch, stop=False) as active,
            torch.no_grad(),
        ):
            logits = self.network.module(self.network.prepare(np.stack(frames), framed=True))
        scores, layers = logits.float().cpu().numpy(), tuple(self.layers)
        seen = []
        for k, frame in enumerate(frames):
            named = str(self._classes[int(scores[k].argmax())])
            columns = self._columns([active[layer][k] for layer in layers], named)
            seen.append(Localization(frame, scores[k], self._classes, columns, layers, self.network.name))
        return seen

    def _find_in_batch(self, layer: str, values: torch.Tensor) -> list[_Active]:
        return [self._find(layer, maps) for maps in values.float().cpu().numpy()]

    def _find(self, layer: str, maps: np.ndarray) -> _Active:
        units = self.units.layers[layer]
        rows, responses, places, boxes = units.find(maps)
        return _Active(rows, responses, places * units.grid.stride + units.grid.start, boxes)

    def find(self, maps: Maps, scene: str = "") -> dict[str, Any]:
        """Find objects in maps that were recorded before.

        Parameters
        ----------
        maps : mapping of str to numpy.ndarray
            Layer -> one image's maps, (units, h, w) float32, of all `layers`.
        scene : str, optional
            The scene category of the image, by which the units' earlier boxes are looked up.

        Returns
        -------
        dict of str to array_like
            The columns of `Localization.boxes`.
        """
        return self._columns([self._find(layer, maps[layer]) for layer in self.layers], scene)

    def _columns(self, active: list[_Active], scene: str) -> dict[str, Any]:
        """The columns of the table of boxes; arrays, since a DataFrame costs more than all the rest."""
        rows, responses, centers, boxes = map(np.concatenate, zip(*active, strict=True))
        leader, merged = self.units.merge(rows, boxes, self.units.ratios(rows, responses))
        firsts = np.flatnonzero(leader == np.arange(len(leader)))
        known = self._curves(rows[firsts], responses[firsts])
        shown = np.flatnonzero(known[0] >= self.least)
        shown = shown[np.lexsort((-known[0, shown], self._order[rows[firsts[shown]]]))]
        firsts, known = firsts[shown], known[:, shown]
        owner = rows[firsts]
        before = self._before.get(ImageConcepts.plain_name(scene))
        here = np.full((len(owner), 2), -1, np.int64) if before is None else before[owner]
        return {
            **{name: words.take(owner) for name, words in self._words.items()},
            **dict(zip(FACTS, known, strict=True)),
            "images": known[2].astype(np.int64),  # between two points rounded down
            **dict(zip(HERE, here.T, strict=True)),
            **dict(zip(("top", "left", "bottom", "right"), merged[firsts].T, strict=True)),
            **dict(zip(("row", "col"), centers[firsts].T, strict=True)),
            "unit": self._numbers[owner],
            "units": _members(leader, self._numbers[rows], firsts),
            "response": responses[firsts],
        }


def _calibrated(table: pd.DataFrame, calibration: Calibration) -> tuple[pd.DataFrame, np.ndarray]:
    """The labels whose units were calibrated under their name, with `threshold` and the number of their
    `curve`; and their rows in the table."""
    known = calibration.units.reset_index(names="curve")
    known = known[["layer", "unit", "concept", "threshold", "curve"]]
    own = table.drop(columns=["threshold", "curve"], errors="ignore").assign(_row=np.arange(len(table)))
    found = own.merge(known, on=["layer", "unit", "concept"], how="inner")
    if found.empty:
        raise SceneLensError("no labelled unit was calibrated under its name: calibrate with these labels.")
    return found.drop(columns="_row"), found._row.to_numpy()


def _before(scenes: pd.DataFrame, curves: np.ndarray) -> dict[str, np.ndarray]:
    """Plain name of a scene category -> (units, 2) int64: the boxes of each unit on its calibration images,
    and how many of them were right."""
    known: dict[str, np.ndarray] = {}
    size = max(int(curves.max(initial=-1)), int(scenes.curve.max()) if len(scenes) else -1) + 1
    for category, rows in scenes[scenes.category != ""].groupby("category"):
        counts = known.setdefault(ImageConcepts.plain_name(str(category)), np.zeros((size, 2), np.int64))
        counts[rows.curve.to_numpy()] += rows[["n", "right"]].to_numpy(np.int64)
    return {category: counts[curves] for category, counts in known.items()}


def _members(leader: np.ndarray, units: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """The units of each box, in the order of the layer, as an array of tuples."""
    members: dict[int, list[int]] = {}
    for box, unit in zip(leader.tolist(), units.tolist(), strict=True):
        members.setdefault(box, []).append(unit)
    found = np.empty(len(firsts), object)
    for k, first in enumerate(firsts.tolist()):
        several = members[first]
        # A unit with two groups of positions in one box counts once.
        found[k] = tuple(several if len(several) == 1 else dict.fromkeys(several))
    return found


class _Curves:
    """Many curves as one array, so that one call of a kernel gives what is known of all boxes."""

    def __init__(self, curves: list[Curve]) -> None:
        self.starts = np.cumsum([0, *(len(one.response) for one in curves)]).astype(np.int64)
        self.points = np.concatenate([one.points for one in curves], 1)

    def __call__(self, rows: np.ndarray, responses: np.ndarray) -> np.ndarray:
        return _interpolate(rows, responses, self.starts, self.points)


@njit(cache=True, nogil=True)
def _interpolate(rows, responses, starts, points):
    """(facts, n) float64: each box's unit's curve at its response, fact by fact as by np.interp."""
    found = np.empty((len(points) - 1, len(rows)))
    for k in range(len(rows)):
        first, last = starts[rows[k]], starts[rows[k] + 1] - 1
        above = first
        while above <= last and points[0, above] <= responses[k]:  # a curve has only a few points
            above += 1
        left, right, share = max(above - 1, first), min(above, last), 0.0
        if left < right:  # beyond the ends the end's value stays
            share = (responses[k] - points[0, left]) / (points[0, right] - points[0, left])
        for fact in range(len(found)):
            low = points[fact + 1, left]
            found[fact, k] = low + share * (points[fact + 1, right] - low)
    return found


def localize(
    network: Network,
    image: np.ndarray,
    labels: pd.DataFrame | LabelledUnits,
    calibration: Calibration,
    layers: Sequence[str] | None = None,
    fields: Fields | None = None,
    least: float = 0.0,
) -> Localization:
    """Name the scene and find objects in one image, in one forward pass (section 4.2, Figure 10).

    For more than one image, make a `Localizer` once and call it. `localization.open_localizers` makes those
    of a study.

    Parameters
    ----------
    network : Network
        The network.
    image : numpy.ndarray
        uint8 RGB (h, w, 3).
    labels : pandas.DataFrame or LabelledUnits
        What its units are called, in the schema of ``labels.COLUMNS``, or what was prepared from such a
        table.
    calibration : Calibration
        The confidence that the units' responses deserve, made with the same labels.
    layers : sequence of str, optional
        The layers in which to look for boxes; by default all that have calibrated units.
    fields : mapping of str to mapping of int to EmpiricalRF, optional
        Layer -> unit -> measured field. For a unit without one, half the side of the theoretical field is
        taken.
    least : float, optional
        Boxes of lower confidence are left out, 0..1 (default 0).

    Returns
    -------
    Localization
        ``.scene``, the five most probable scenes, and ``.boxes``, with the names of the units that are active
        in them.

    Raises
    ------
    SceneLensError
        If labels are of another network, or of unknown layers or units, if no labelled unit was calibrated,
        if the calibration was made with other weights, or if `least` is not in 0..1.

    Notes
    -----
    A unit is active where its response is above its threshold. Touching positions give one box, the smallest
    that holds their fields. Boxes of one concept and layer merge: the strongest one takes all that share half
    of the smaller one with it, and its edges become their mean, weighted by strength, the response in
    thresholds of the unit. The confidence of a box is that of its strongest unit, because units of one name
    are no independent evidence; see `localization.Calibration`.

    Examples
    --------
    >>> from scenelens.networks import CaffeNet, Network
    >>> net = Network(CaffeNet(3, width=1 / 8, fc=16), "scene", ["attic", "beach", "cave"])
    >>> label = {"layer": ["pool5"], "unit": [3], "concept": ["bed"]}
    >>> units = pd.DataFrame({**label, "threshold": [1e9]})
    >>> known = Calibration("scene", net.weights_hash, units, (Curve.of([0], [1]),))
    >>> labels = pd.DataFrame({**label, "network": ["scene"], "type": ["object"]})
    >>> found = localize(net, np.zeros((90, 90, 3), np.uint8), labels, known)
    >>> len(found.scene), len(found.boxes)
    (3, 0)
    """
    return Localizer(network, labels, calibration, layers, fields, least)(image)
