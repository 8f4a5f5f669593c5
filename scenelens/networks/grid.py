"""Where the positions of a layer's map lie in the frame, in pixels.

A unit's responses live on the coarse map of its layer. To show them on the image, to compare them with
outlines, or to draw a box, every position needs a place in the frame. A `Grid` says where: the centre of the
first position and the distance between neighbouring ones, the same numbers as in the table `Network.layers`.
They are the centres of the theoretical receptive fields (see `scenelens.networks.reach`). Where the module
cannot be analysed, the positions are spread evenly, as if the map were the frame made smaller.

Between the positions values are interpolated bilinearly (`interpolate`). Network Dissection labels units in
this way: it needs no measured receptive field, but it ignores how large the field is.

>>> grid = Grid(start=(33.0, 33.0), stride=(32.0, 32.0))  # pool5 of the paper's networks
>>> grid.center(2, 0)
(97.0, 33.0)
>>> values = np.zeros((6, 6))
>>> values[2, 0] = 8.0
>>> interpolate(values, grid.axes(values.shape, (227, 227)))[[97, 105, 129], 33].tolist()
[8.0, 6.0, 0.0]
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from scenelens.errors import SceneLensError
from scenelens.networks.tracing import Traced

_PLACEMENTS = ("receptive field", "resize")


class Axis(NamedTuple):
    """How the pixels along one side of the frame lie between a map's positions; see `Grid.axes`.

    Beyond the first and the last position, the value of that position goes on.

    Attributes
    ----------
    first : numpy.ndarray
        (n + 1,) int64 for n positions: the first pixel of every cell. Cell i lies between the positions i and
        i + 1; the last cell has the pixels from the last position on.
    share : numpy.ndarray
        (length,) float64: how far each pixel is from position i towards i + 1, 0..1.
    """

    first: np.ndarray
    share: np.ndarray

    def weights(self) -> np.ndarray:
        """Return what each position contributes to each pixel.

        Returns
        -------
        numpy.ndarray
            (length, n) float64; each row has at most two numbers that are not 0, and their sum is 1.

        Examples
        --------
        >>> axis(2, 3, 0, 2).weights().tolist()
        [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
        """
        positions = np.arange(len(self.first) - 1)
        # Taking the share from a pixel's place was exact, so adding it gives the same place again.
        place = np.repeat(positions, np.diff(self.first)) + self.share
        return np.maximum(0.0, 1 - np.abs(place[:, None] - positions))


def axis(n: int, length: int, start: float, stride: float) -> Axis:
    """Return how the pixels of one side lie between positions at start + stride * i.

    Parameters
    ----------
    n : int
        How many positions there are.
    length : int
        The side's length in pixels; pixel 0 is centred at 0.
    start : float
        The first position's place in pixels.
    stride : float
        The distance between neighbouring positions in pixels.

    Returns
    -------
    Axis
        The pixels' cells, and their places in these.

    Examples
    --------
    >>> axis(2, 4, 0.5, 2.0).share.tolist()
    [0.0, 0.25, 0.75, 0.0]
    """
    # A unit that sees the whole image has stride 0; its single position counts everywhere.
    place = np.clip((np.arange(length) - start) / (stride or 1), 0, n - 1)
    cell = np.floor(place).astype(np.int64)
    return Axis(np.searchsorted(cell, np.arange(n + 1)).astype(np.int64), place - cell)


class Grid(NamedTuple):
    """Where a layer's positions lie in the frame, in pixels; pixel 0 is centred at 0.

    Attributes
    ----------
    start : tuple of float
        (row, column) of the first position's centre.
    stride : tuple of float
        The distance between neighbouring positions: (rows, columns).
    """

    start: tuple[float, float]
    stride: tuple[float, float]

    def center(self, row: float, col: float) -> tuple[float, float]:
        """Return the place that a position of the map stands for.

        Parameters
        ----------
        row : float
            The position's row in the map, from 0.
        col : float
            Its column.

        Returns
        -------
        tuple of float
            (row, column) in pixels of the frame.

        Examples
        --------
        >>> Grid((33, 33), (32, 32)).center(1, 0)
        (65, 33)
        """
        return self.start[0] + self.stride[0] * row, self.start[1] + self.stride[1] * col

    def cell(self, row: float, col: float, frame: tuple[int, int]) -> tuple[slice, slice]:
        """Return the pixels no farther than half a stride from a position's centre, at least one.

        Parameters
        ----------
        row : float
            The position's row in the map, from 0.
        col : float
            Its column.
        frame : tuple of int
            The frame's (height, width) in pixels.

        Returns
        -------
        tuple of slice
            Rows and columns of the frame.

        Examples
        --------
        >>> Grid((5, 5), (4, 4)).cell(0, 1, (227, 227))
        (slice(3, 8, None), slice(7, 12, None))
        """
        spans = []
        for center, stride, length in zip(self.center(row, col), self.stride, frame, strict=True):
            first = int(np.clip(np.ceil(center - stride / 2), 0, length - 1))
            last = int(np.clip(np.floor(center + stride / 2), first, length - 1))
            spans.append(slice(first, last + 1))
        return spans[0], spans[1]

    def axes(self, shape: tuple[int, ...], frame: tuple[int, int]) -> tuple[Axis, Axis]:
        """Return how the pixels of the frame lie between the positions, for rows and for columns.

        Parameters
        ----------
        shape : tuple of int
            The map's (height, width) in positions.
        frame : tuple of int
            The frame's (height, width) in pixels.

        Returns
        -------
        tuple of Axis
            For rows and for columns.
        """
        rows, columns = (axis(*one) for one in zip(shape, frame, self.start, self.stride, strict=True))
        return rows, columns


def interpolate(values: np.ndarray, axes: tuple[Axis, Axis]) -> np.ndarray:
    """Return a map at every pixel of the frame, interpolated bilinearly between the positions.

    Parameters
    ----------
    values : numpy.ndarray
        (h, w): one unit's responses.
    axes : tuple of Axis
        Where the positions lie, from `Grid.axes` or `map_axes`.

    Returns
    -------
    numpy.ndarray
        (H, W) float64. Beyond the outermost positions their value goes on.

    Examples
    --------
    >>> interpolate(np.array([[0.0, 1.0]]), Grid((0, 0), (1, 2)).axes((1, 2), (1, 3))).tolist()
    [[0.0, 0.5, 1.0]]
    """
    rows, columns = axes
    return np.asarray(rows.weights() @ values.astype(float) @ columns.weights().T)


def row_grid(row: Mapping[str, Any]) -> Grid | None:
    """Return a layer's grid from its row in the table `Network.layers`.

    Parameters
    ----------
    row : mapping
        With ``map``, the layer's (rows, columns), and ``rf_start`` and ``rf_stride`` in pixels, each one
        number or (rows, columns).

    Returns
    -------
    Grid or None
        None where the layer has no map, where its receptive field is not known (NaN), and where all of its
        positions see everything (stride 0).

    Examples
    --------
    >>> row_grid({"map": (6, 6), "rf_start": 33, "rf_stride": 32})
    Grid(start=(33.0, 33.0), stride=(32.0, 32.0))
    >>> row_grid({"map": (1, 1), "rf_start": math.nan, "rf_stride": math.nan}) is None
    True
    """
    start, stride = _pair(row["rf_start"]), _pair(row["rf_stride"])
    known = np.isfinite(start).all() and np.isfinite(stride).all() and min(stride) > 0
    return Grid(start, stride) if known and tuple(row["map"]) != (1, 1) else None


def layer_grid(network: Traced, layer: str) -> Grid:
    """Return where a layer's positions lie: at the centres of their theoretical receptive fields.

    Parameters
    ----------
    network : Network
        The network.
    layer : str
        A layer with a map, by its name in `Network.layers` or its module path.

    Returns
    -------
    Grid
        Where the receptive fields are not known, the positions are spread evenly over the frame.

    Raises
    ------
    SceneLensError
        If the network has no such layer, or if the layer has no map.
    """
    if network.layer_shape(layer)[1:] == (1, 1):
        raise SceneLensError(f"layer {layer!r} has no map, so its units have no place; take one with a map.")
    return _known_grid(network, layer) or _even_grid(network, layer)


def map_axes(network: Traced, layer: str, placement: str = "receptive field") -> tuple[Axis, Axis]:
    """Return how the pixels of the frame lie between a layer's positions, for rows and for columns.

    Parameters
    ----------
    network : Network
        The network.
    layer : str
        The layer's name. The single position of a layer without a map counts at every pixel.
    placement : {'receptive field', 'resize'}, optional
        Where the positions lie: at the centres of their theoretical receptive fields (default), or spread
        evenly, as an image is resized. The first is the same as the second where the fields are not known.

    Returns
    -------
    tuple of Axis
        For rows and for columns; see `interpolate`.

    Raises
    ------
    SceneLensError
        If the network has no such layer, or if the placement is unknown.
    """
    if placement not in _PLACEMENTS:
        raise SceneLensError(f"no placement {placement!r}; take 'receptive field' or 'resize'.")
    known = _known_grid(network, layer) if placement == "receptive field" else None
    grid = known or _even_grid(network, layer)
    return grid.axes(network.layer_shape(layer)[1:], network.input_size)


def _known_grid(network: Traced, layer: str) -> Grid | None:
    rows = network.layers[network.layers.layer == layer]
    return row_grid(rows.iloc[0]) if len(rows) else None  # a module path has no row


def _even_grid(network: Traced, layer: str) -> Grid:
    stride = np.divide(network.input_size, network.layer_shape(layer)[1:])
    return Grid(_pair((stride - 1) / 2), _pair(stride))


def receptive_box(
    row: Mapping[str, Any], center: tuple[float, float] | None, frame: tuple[int, int]
) -> tuple[float, float, float, float] | None:
    """Return the theoretical receptive field around a centre, cut off at the frame's edges.

    Parameters
    ----------
    row : mapping
        The layer's row in `Network.layers`; its ``rf_size`` is read, in pixels.
    center : tuple of float or None
        (row, column) in pixels of the frame, such as `Grid.center` gives.
    frame : tuple of int
        The frame's (height, width) in pixels.

    Returns
    -------
    tuple of float or None
        (top, left, bottom, right) in pixel edges: pixel 0 lies between the edges 0 and 1. None where there is
        no centre or no known size, and where the box covers the whole frame.

    Examples
    --------
    >>> receptive_box({"rf_size": 67}, (17.0, 97.0), (227, 227))
    (0.0, 64.0, 51.0, 131.0)
    """
    half = [size / 2 for size in _pair(row["rf_size"])]
    if center is None or any(math.isnan(h) for h in half):
        return None
    low = [max(c + 0.5 - h, 0.0) for c, h in zip(center, half, strict=True)]
    high = [min(c + 0.5 + h, float(edge)) for c, h, edge in zip(center, half, frame, strict=True)]
    whole = low == [0.0, 0.0] and high == [float(edge) for edge in frame]
    return None if whole else (low[0], low[1], high[0], high[1])


def _pair(value: float | Iterable[float]) -> tuple[float, float]:
    """One number for both directions, or (rows, columns), as two floats."""
    first, second = np.broadcast_to(np.asarray(value, float), 2)
    return float(first), float(second)
