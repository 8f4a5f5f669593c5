"""Where the positions of a layer's map lie in the frame, in pixels.

A unit's responses live on the coarse map of its layer. To show them on the image, to compare them with
outlines, or to draw a box, every position needs a place in the frame. A `Grid` says where: the centre of the
first position and the distance between neighbouring ones. `Network.grid` gives a layer's: the centres of the
theoretical receptive fields, or an even spread where these are not known.

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

from typing import NamedTuple

import numpy as np


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
        >>> Grid((0, 0), (1, 2)).axes((1, 2), (1, 3))[1].weights().tolist()
        [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
        """
        positions = np.arange(len(self.first) - 1)
        # Taking the share from a pixel's place was exact, so adding it gives the same place again.
        place = np.repeat(positions, np.diff(self.first)) + self.share
        return np.maximum(0.0, 1 - np.abs(place[:, None] - positions))


def _axis(n: int, length: int, start: float, stride: float) -> Axis:
    """How the `length` pixels of a side lie between n positions at start + stride * i."""
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
            first = int(min(max(np.ceil(center - stride / 2), 0), length - 1))
            last = int(min(max(np.floor(center + stride / 2), first), length - 1))
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
        rows, columns = (_axis(*one) for one in zip(shape, frame, self.start, self.stride, strict=True))
        return rows, columns


def interpolate(values: np.ndarray, axes: tuple[Axis, Axis]) -> np.ndarray:
    """Return a map at every pixel of the frame, interpolated bilinearly between the positions.

    Parameters
    ----------
    values : numpy.ndarray
        (h, w): one unit's responses.
    axes : tuple of Axis
        Where the positions lie, from `Grid.axes` or `Network.axes`.

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
