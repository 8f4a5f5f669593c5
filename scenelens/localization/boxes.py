"""Boxes in the image, from a layer's maps: where labelled units are active, within their receptive fields.

Neighbouring positions at which a unit is active belong together. Each position stands for the unit's
receptive field, a square as large as the measured field. The box is the smallest one that holds all these
squares. Several units may find the same thing, so boxes of one concept that overlap are merged.

`LabelledUnits` is made once from a table of labels and then used by all steps of section 4.2: calibration,
localization and scoring. It has one `_LayerUnits` per layer, which knows everything that is needed to turn
this layer's maps into boxes: where the positions lie, which units count, their thresholds, and their fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numba import njit

from scenelens.errors import SceneLensError
from scenelens.labels import check_labels
from scenelens.networks import Axis, Grid, Network
from scenelens.receptive_fields import EmpiricalRF

#: Layer -> unit -> its measured (empirical) receptive field.
Fields = Mapping[str, Mapping[int, EmpiricalRF]]
# Side of a unit's square where its field was not measured, as a share of the theoretical field's side. Table
# 2 of the paper found about this share at pool2 to pool5 (.56, .46 and .37).
_ASSUMED_SHARE = 0.5
# Boxes of one concept merge where they share at least this part of the smaller box.
_OVERLAP = 0.5


@dataclass(frozen=True)
class _LayerUnits:
    """The labelled units of one layer, and all that turns the layer's maps into boxes.

    Attributes
    ----------
    layer : str
        The layer's name.
    rows : numpy.ndarray
        (k,) int64, the rows of `LabelledUnits.table` that describe these units.
    units : numpy.ndarray
        (k,) int64, the units' numbers in the layer.
    thresholds : numpy.ndarray
        (k,) float32, the response above which each unit is active; NaN where it is not known.
    squares : numpy.ndarray
        (k, 4) float64: top, left, bottom, right of each unit's receptive field in pixels, relative to the
        centre of a position.
    grid : Grid
        Where the layer's positions lie in the image, for boxes.
    axes : tuple of Axis
        Where the pixels of rows and columns lie between the positions, for the interpolation of maps.
    frame : tuple of int
        (height, width) in pixels of the image that the network sees.
    """

    layer: str
    rows: np.ndarray
    units: np.ndarray
    thresholds: np.ndarray
    squares: np.ndarray
    grid: Grid
    axes: tuple[Axis, Axis]
    frame: tuple[int, int]

    def find(self, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Find one box for each group of touching positions at which a unit is active.

        Positions touch also where they share only a corner.

        Parameters
        ----------
        maps : numpy.ndarray
            (all units of the layer, h, w) float32, one image's maps.

        Returns
        -------
        rows : numpy.ndarray
            (n,) int64, the row of `LabelledUnits.table` of each box's unit.
        responses : numpy.ndarray
            (n,) float32, the highest response in the group.
        places : numpy.ndarray
            (n, 2) int64, (row, column) of this response in the map.
        boxes : numpy.ndarray
            (n, 4) float64: top, left, bottom, right in pixel edges, cut off at the frame.
        """
        frame = (float(self.frame[0]), float(self.frame[1]))
        maps = np.ascontiguousarray(maps, np.float32)
        owner, *found = _find_boxes(maps, self.units, self.thresholds, self.squares, *self.grid, frame)
        return self.rows[owner], *found

    def cell(self, row: float, col: float) -> tuple[slice, slice]:
        """Return the pixels that a position stands for: no farther than half a stride from its centre.

        Parameters
        ----------
        row : float
            The position's row in the map.
        col : float
            The position's column in the map.

        Returns
        -------
        tuple of slice
            Rows and columns of the frame, at least one pixel.
        """
        return self.grid.cell(row, col, self.frame)

    @cached_property
    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """The pixels that all positions stand for: (h, 2) and (w, 2) int64, first and end of their rows and
        of their columns."""
        h, w = (len(axis.first) - 1 for axis in self.axes)
        rows = [self.cell(row, 0)[0] for row in range(h)]
        columns = [self.cell(0, col)[1] for col in range(w)]
        edges = [np.array([(one.start, one.stop) for one in part]) for part in (rows, columns)]
        return edges[0], edges[1]

    def cell_around(self, row: float, col: float) -> tuple[slice, slice]:
        """Return the pixels that a position stands for, from the position's centre in pixels.

        Parameters
        ----------
        row : float
            Row of the centre in the frame, in pixels.
        col : float
            Column of the centre in the frame, in pixels.

        Returns
        -------
        tuple of slice
            Rows and columns of the frame, as in `cell`.
        """
        (top, left), (down, across) = self.grid
        return self.cell((row - top) / down, (col - left) / across)


@dataclass(frozen=True)
class LabelledUnits:
    """A network's labelled units, ready to find boxes; made by `prepare`.

    Attributes
    ----------
    network : Network
        The network.
    table : pandas.DataFrame
        One row per unit, in the schema of ``labels.COLUMNS``: layer, unit, concept, type, kind ("" where it
        is not known), perhaps threshold, and more.
    layers : dict of str to _LayerUnits
        The units by layer.
    fields : dict of str to dict of int to EmpiricalRF
        The measured fields, by layer and unit.
    """

    network: Network
    table: pd.DataFrame
    layers: dict[str, _LayerUnits]
    fields: dict[str, dict[int, EmpiricalRF]]

    @classmethod
    def prepare(
        cls,
        network: Network,
        labels: pd.DataFrame,
        fields: Fields | None = None,
        layers: Sequence[str] = (),
    ) -> LabelledUnits:
        """Check labels against a network, and look up what its layers need to find boxes.

        Parameters
        ----------
        network : Network
            The network.
        labels : pandas.DataFrame
            What its units are called, in the schema of ``labels.COLUMNS``. Of several rows about a unit the
            first counts. A column ``threshold`` gives the response above which a unit is active. A column
            ``kind`` says among which concepts of the annotations to look for the unit's concept.
        fields : mapping of str to mapping of int to EmpiricalRF, optional
            Measured fields by layer and unit. A measured field becomes the square of the same area around its
            centre of gravity. For other units, half the side of the theoretical field is taken.
        layers : sequence of str, optional
            Layers to prepare even if none of their units has a label.

        Returns
        -------
        LabelledUnits
            The labelled units.

        Raises
        ------
        SceneLensError
            If no label is of this network, or a label is of an unknown layer, a layer without a map, or an
            unknown unit.
        """
        table = _own_labels(network, labels)
        table["kind"] = table.kind.fillna("") if "kind" in table else ""
        known = {layer: dict(one) for layer, one in (fields or {}).items()}
        names = dict.fromkeys([*layers, *table.layer])
        made = {layer: _layer_units(network, layer, table, known.get(layer, {})) for layer in names}
        return cls(network, table, made, known)

    def take(self, rows: np.ndarray, thresholds: np.ndarray) -> LabelledUnits:
        """Return some of these units with other thresholds.

        Parameters
        ----------
        rows : numpy.ndarray
            (k,) int, rows of `table`, in the order that the new table is to have.
        thresholds : numpy.ndarray
            (k,) float, the thresholds of these units.

        Returns
        -------
        LabelledUnits
            The chosen units, of the layers that still have one.
        """
        table = self.table.iloc[rows].assign(threshold=thresholds).reset_index(drop=True)
        layers = {}
        for layer in dict.fromkeys(table.layer):
            old, own = self.layers[layer], np.flatnonzero(table.layer == layer)
            at = np.searchsorted(old.rows, rows[own])  # a layer's rows ascend
            levels = np.asarray(thresholds, np.float32)[own]
            layers[layer] = replace(
                old, rows=own, units=old.units[at], thresholds=levels, squares=old.squares[at]
            )
        return LabelledUnits(self.network, table, layers, self.fields)

    def merge(self, rows: np.ndarray, boxes: np.ndarray, ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Merge the boxes of one layer and one concept that overlap.

        The strongest box takes all boxes that share with it at least half of the smaller box's area. Its
        edges become the mean of all their edges, weighted by strength. Then the strongest of the remaining
        boxes does the same, and so on.

        Parameters
        ----------
        rows : numpy.ndarray
            (n,) int64, each box's row of `table`.
        boxes : numpy.ndarray
            (n, 4) float64: top, left, bottom, right.
        ratios : numpy.ndarray
            (n,) float64, how strong each box is: its response in thresholds of its unit.

        Returns
        -------
        leader : numpy.ndarray
            (n,) int64, the number of the box that took each box; a leader's is its own number.
        merged : numpy.ndarray
            (n, 4) float64, the new edges of the leaders. The rows of other boxes have no meaning.
        """
        return _merge_boxes(boxes, self._groups[rows], np.asarray(ratios, float), _OVERLAP)

    def ratios(self, rows: np.ndarray, responses: np.ndarray) -> np.ndarray:
        """Return responses in thresholds of their units, by which units can be compared.

        Parameters
        ----------
        rows : numpy.ndarray
            (n,) int64, each response's row of `table`.
        responses : numpy.ndarray
            (n,) float.

        Returns
        -------
        numpy.ndarray
            (n,) float64.
        """
        return responses / self._levels[rows]

    @cached_property
    def _levels(self) -> np.ndarray:
        """(n,) float64, the thresholds; that of a silent unit is 0, by which nothing can be divided."""
        return np.maximum(self.table.threshold.to_numpy(float), 1e-6)

    @cached_property
    def _groups(self) -> np.ndarray:
        """(n,) int64, one number per layer and concept: boxes merge within it."""
        return self.table.groupby(["layer", "concept"]).ngroup().to_numpy(np.int64)


def _own_labels(network: Network, labels: pd.DataFrame) -> pd.DataFrame:
    """The labels of a network's units, one row per unit, checked against the network."""
    table = check_labels(labels)
    own = table[table.network == network.name].drop_duplicates(["layer", "unit"]).reset_index(drop=True)
    if own.empty:
        whose = ", ".join(sorted(set(table.network))) or "no network"
        raise SceneLensError(
            f"these are labels of {whose}, and the network is {network.name!r}: take its own, such as "
            f'study.automatic_labels("{network.name}").labels().'
        )
    for layer, rows in own.groupby("layer", sort=False):
        network.grid(str(layer))  # raises for an unknown layer, and for one without a map
        n = network.layer_shape(str(layer))[0]
        if rows.unit.max() >= n:
            raise SceneLensError(
                f"{layer} has units 0 to {n - 1}, and there is a label of {rows.unit.max()}."
            )
    return own


def _layer_units(
    network: Network, layer: str, table: pd.DataFrame, fields: Mapping[int, EmpiricalRF]
) -> _LayerUnits:
    rows = np.flatnonzero(table.layer == layer)
    units, grid = table.unit.to_numpy(np.int64)[rows], network.grid(layer)
    levels = table.threshold if "threshold" in table else pd.Series(np.nan, table.index)
    return _LayerUnits(
        layer,
        rows,
        units,
        levels.to_numpy(np.float32)[rows],
        _field_squares(network, layer, units, fields),
        grid,
        grid.axes(network.layer_shape(layer)[1:], network.input_size),
        network.input_size,
    )


def _field_squares(
    network: Network, layer: str, units: Sequence[int] | np.ndarray, fields: Mapping[int, EmpiricalRF]
) -> np.ndarray:
    """(k, 4) float64: each unit's field as a square around the centre of a position."""
    whole = np.array(network.input_size, float)
    rows = network.layers[network.layers.layer == layer]
    size = np.broadcast_to(rows.iloc[0]["rf_size"], 2) if len(rows) else np.full(2, np.nan)
    # A theoretical field may be larger than the image, or not be known: then the unit can see the whole
    # image.
    side = np.where(np.isfinite(size), np.minimum(size, whole), whole) * _ASSUMED_SHARE
    squares = np.tile(np.concatenate([-side / 2, side / 2]), (len(units), 1))
    for k, unit in enumerate(units):
        field = fields.get(int(unit))
        if field is not None and not field.reason and field.mask.any():
            # A square of the same area, because a box needs edges; around the centre of gravity, because a
            # field need not lie in the middle of what the unit could see.
            middle = np.argwhere(field.mask).mean(0) - (np.array(field.mask.shape) - 1) / 2
            squares[k] = np.concatenate([middle - field.size / 2, middle + field.size / 2])
    return squares


# The kernels below do what scipy.ndimage.label, find_objects and maximum_position do, and the tests compare
# the two. They are written out because localization must cost next to nothing on top of the forward pass, and
# SciPy takes 30 to 90 times as long here: it labels one map at a time, and a layer has hundreds of small
# maps, most of which have no active position at all (0.05 against 1.4 ms for 128 maps of 6x6, 0.09 against 10
# ms for 192 of 13x13).

# For what only kernels call: without the wrappers for calls from Python and C it is compiled sooner. Kernels
# read and write single numbers, because numba takes seconds to compile what works on rows or sorts.
_inner = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@njit(cache=True, nogil=True)
def _find_boxes(maps, chosen, thresholds, squares, start, stride, frame):
    """See `_LayerUnits.find`; the first result is each box's number in `chosen`."""
    h, w = maps.shape[1:]
    # Groups do not touch, so no more than every second position of every second row begins one.
    most = len(chosen) * ((h + 1) // 2) * ((w + 1) // 2)
    owner, response = np.empty(most, np.int64), np.empty(most, np.float32)
    places, boxes = np.empty((most, 2), np.int64), np.empty((most, 4))
    free, stack, span = np.empty((h, w), np.bool_), np.empty((h * w, 2), np.int64), np.empty(4, np.int64)
    n = 0
    for k in range(len(chosen)):
        values = maps[chosen[k]]
        if not _mark(values, thresholds[k], free):
            continue  # most units are active nowhere in an image
        for i in range(h):
            for j in range(w):
                if free[i, j]:
                    row, column = _group(values, free, i, j, stack, span)
                    owner[n], places[n, 0], places[n, 1], response[n] = k, row, column, values[row, column]
                    for edge in range(4):  # rows, columns, rows, columns
                        # + 0.5: a centre is a pixel's number, a box has pixel edges
                        at = start[edge % 2] + stride[edge % 2] * span[edge] + 0.5 + squares[k, edge]
                        # A field may lie outside of the frame: at least one pixel of it stays inside.
                        least, largest = (0.0, frame[edge % 2] - 1) if edge < 2 else (1.0, frame[edge % 2])
                        boxes[n, edge] = min(max(at, least), largest)
                    n += 1
    return owner[:n], response[:n], places[:n], boxes[:n]


@_inner
def _mark(values, threshold, free):
    """Mark in `free` where a map is above a threshold; return how many positions are."""
    n = 0
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            free[i, j] = values[i, j] > threshold
            n += free[i, j]
    return n


@_inner
def _group(values, free, i, j, stack, span):
    """Take the group of touching free positions around (i, j); return its highest place.

    `span` gets the group's first row, first column, last row and last column. A stack takes the place of
    recursion, which Numba compiles badly; a position leaves `free` when it is put on the stack, so that no
    position is put there twice and the stack never holds more than all of them.
    """
    row, column = i, j
    span[0], span[1], span[2], span[3] = i, j, i, j
    stack[0, 0], stack[0, 1], free[i, j], n = i, j, False, 1
    while n:
        n -= 1
        y, x = stack[n, 0], stack[n, 1]
        span[0], span[1] = min(span[0], y), min(span[1], x)
        span[2], span[3] = max(span[2], y), max(span[3], x)
        if values[y, x] > values[row, column]:
            row, column = y, x
        for b in range(max(0, y - 1), min(len(free), y + 2)):
            for a in range(max(0, x - 1), min(free.shape[1], x + 2)):
                if free[b, a]:
                    stack[n, 0], stack[n, 1], free[b, a] = b, a, False
                    n += 1
    return row, column


def _merge_boxes(boxes, concepts, ratios, overlap):
    """See `LabelledUnits.merge`; boxes merge only within one number of `concepts`, (n,) int64."""
    # Two stable sorts: concept by concept, and within a concept the strongest first. Of ties the box
    # that was found first leads, so the result does not depend on the machine.
    order = np.argsort(-ratios, kind="stable")
    order = order[np.argsort(concepts[order], kind="stable")]
    leader, merged = np.full(len(boxes), -1, np.int64), boxes.copy()
    _merge_in_order(order, boxes, concepts, ratios, overlap, leader, merged)
    return leader, merged


@njit(cache=True, nogil=True)
def _merge_in_order(order, boxes, concepts, ratios, overlap, leader, merged):
    """Fill in the number of each box's leader and the merged edges of leaders."""
    n = len(order)
    for place in range(n):
        first = order[place]
        if leader[first] >= 0:
            continue
        weight = max(ratios[first], 1e-6)  # a box of no strength still has edges
        leader[first] = first
        for edge in range(4):
            merged[first, edge] = weight * boxes[first, edge]
        for after in range(place + 1, n):  # stronger boxes have been taken, or lead
            k = order[after]
            if concepts[k] != concepts[first]:
                break
            # Overlap is measured with the leader's own edges, not the merged ones: a chain of boxes, each of
            # which overlaps the next, must not grow into one.
            if leader[k] < 0 and _shared(boxes[first], boxes[k]) >= overlap:
                leader[k] = first
                share = max(ratios[k], 1e-6)
                weight += share
                for edge in range(4):
                    merged[first, edge] += share * boxes[k, edge]
        for edge in range(4):
            merged[first, edge] /= weight


@_inner
def _shared(one, other):
    """The part of the smaller box that lies on the other one, 0..1."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    if height <= 0 or width <= 0:
        return 0.0
    areas = (one[2] - one[0]) * (one[3] - one[1]), (other[2] - other[0]) * (other[3] - other[1])
    return height * width / max(min(areas[0], areas[1]), 1e-9)
