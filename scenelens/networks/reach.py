"""The theoretical receptive field: what part of the image a unit can see (section 3.2 of the paper).

It follows from the architecture alone. The occlusion experiments of `scenelens.receptive_fields` measure
which part of it a unit really uses; this is much smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.networks.graph import Slide, Step, layer_step
from scenelens.networks.grid import Grid
from scenelens.networks.tracing import Traced

_Number = float | tuple[float, float]
_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class RF:
    """A theoretical receptive field, in pixels of the network's input.

    Each attribute is one number, or (rows, columns) where the two differ. A unit that sees the whole image at
    every position (behind a fully connected layer) has the image's size, stride 0, and the image's centre.

    Attributes
    ----------
    size : float or tuple of float
        Side of the square that a unit sees; at the image's edges a part of it lies outside.
    stride : float or tuple of float
        Distance between the centres of neighbouring positions.
    start : float or tuple of float
        Centre of the first position's field; pixel 0 is centred at 0. It ends in .5 where the side is even.
    """

    size: _Number
    stride: _Number
    start: _Number

    def center(self, row: float, col: float) -> tuple[float, float]:
        """Return the centre of the field at a position of the map.

        Parameters
        ----------
        row : float
            The position's row in the map, from 0.
        col : float
            Its column.

        Returns
        -------
        tuple of float
            (row, column) in pixels.

        Examples
        --------
        >>> RF(195, 32, 33).center(2, 3)
        (97, 129)
        """
        return self.grid.center(row, col)

    @property
    def grid(self) -> Grid:
        """Where all positions lie."""
        return Grid(_both(self.start), _both(self.stride))

    def box(self, row: float, col: float, frame: tuple[int, int]) -> _Box | None:
        """Return the field at a position of the map, cut off at the frame's edges.

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
        tuple of float or None
            (top, left, bottom, right) in pixel edges: pixel 0 lies between the edges 0 and 1. None where the
            field covers the whole frame.

        Examples
        --------
        >>> RF(67, 8, 17).box(0, 10, (227, 227))
        (0.0, 64.0, 51.0, 131.0)
        """
        middle = [center + 0.5 for center in self.center(row, col)]
        half = [size / 2 for size in _both(self.size)]
        low = [max(m - h, 0.0) for m, h in zip(middle, half, strict=True)]
        high = [min(m + h, float(edge)) for m, h, edge in zip(middle, half, frame, strict=True)]
        whole = low == [0.0, 0.0] and high == [float(edge) for edge in frame]
        return None if whole else (low[0], low[1], high[0], high[1])

    @classmethod
    def of_layer(cls, row: Mapping[str, Any]) -> RF | None:
        """Return the field of a layer's units from its row in the table `Network.layers`.

        Parameters
        ----------
        row : mapping
            With ``map``, ``rf_size``, ``rf_stride`` and ``rf_start``.

        Returns
        -------
        RF or None
            None where the layer has no map, where its field is not known (NaN), and where all of its
            positions see everything (stride 0).

        Examples
        --------
        >>> RF.of_layer({"map": (6, 6), "rf_size": 195, "rf_stride": 32, "rf_start": 33}).center(2, 0)
        (97.0, 33.0)
        """
        size, stride, start = (
            tuple(np.broadcast_to(np.asarray(row[name], float), 2).tolist())
            for name in ("rf_size", "rf_stride", "rf_start")
        )
        known = np.isfinite((size, stride, start)).all() and min(stride) > 0
        return cls(size, stride, start) if known and tuple(row["map"]) != (1, 1) else None


@dataclass(frozen=True)
class _Reach:
    """Along one axis: the pixels low to high (included) that position 0 sees, the distance in pixels between
    positions, and how many positions there are."""

    low: int
    high: int
    stride: int
    length: int | None

    def slide(self, step: Step, axis: int) -> _Reach:
        slide = step.slide or Slide((1, 1))
        low = self.low - slide.padding[axis] * self.stride
        high = self.high + (slide.extent(axis) - 1 - slide.padding[axis]) * self.stride
        length = None if self.length is None else slide.out_size((self.length, self.length))[axis]
        return _Reach(low, high, self.stride * slide.stride[axis], length)


def theoretical_rf(network: Traced | nn.Module, layer: str, input_size: tuple[int, int] | None = None) -> RF:
    """Return the theoretical receptive field of a layer's units (first rows of Table 2).

    Parameters
    ----------
    network : Network or torch.nn.Module
        A network, or any torch module that torch.fx can trace.
    layer : str
        Any layer, also one inside a block, or a block as a whole; a module path where a module is given.
    input_size : tuple of int, optional
        (H, W) of the input in pixels; a Network knows its own. It is needed only behind adaptive pooling and
        fully connected layers.

    Returns
    -------
    RF
        Size, stride and start, in pixels.

    Raises
    ------
    SceneLensError
        If there is no such layer, if a module's reach is not known, or if the input size is missing.

    Notes
    -----
    It is computed from the live module. A window with kernel k, dilation d and padding p slides over a map
    whose positions are S pixels apart and whose position 0 sees the pixels low to high; then the window's
    position 0 sees low - p S to high + (d (k - 1) - p) S. Where branches meet (concatenation, residual) the
    range is the union of theirs. Functions of single positions (ReLU, BatchNorm, dropout) change nothing.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 11, stride=4), nn.ReLU(), nn.MaxPool2d(3, 2))
    >>> theoretical_rf(net, "2")
    RF(size=19, stride=8, start=9)
    """
    if input_size is None and not isinstance(network, nn.Module):
        input_size = network.input_size
    target = layer_step(network, layer)
    axes = [_reach(target, axis, input_size) for axis in (0, 1)]
    sizes = [one.high - one.low + 1 for one in axes]
    starts = [(one.low + one.high) / 2 for one in axes]
    return RF(_one(sizes), _one([one.stride for one in axes]), _one(starts))


def _reach(target: Step, axis: int, input_size: tuple[int, int] | None) -> _Reach:
    length = None if input_size is None else input_size[axis]
    reaches: dict[str, _Reach] = {}
    for step in target.ancestors():
        before = [reaches[one.name] for one in step.inputs]
        reaches[step.name] = _after(step, before, axis, length)
    return reaches[target.name]


def _after(step: Step, before: list[_Reach], axis: int, pixels: int | None) -> _Reach:
    if step.kind == "input":
        return _Reach(0, 0, 1, pixels)
    if step.kind == "slide":
        return before[0].slide(step, axis)
    if step.kind == "whole":
        return before[0] if _changes_nothing(step, before[0], axis) else _whole(step, pixels)
    if step.kind == "unknown":
        raise SceneLensError(
            f"the reach of {step.what} is not known, so no theoretical receptive field behind it."
        )
    return _union(before)


def _whole(step: Step, pixels: int | None) -> _Reach:
    if pixels is None:
        raise SceneLensError(f"{step.what} sees the whole image: give input_size=(H, W).")
    return _Reach(0, pixels - 1, 0, 1)


def _changes_nothing(step: Step, before: _Reach, axis: int) -> bool:
    """Whether it is an adaptive pooling to the size that the map has already, as in torchvision's AlexNet."""
    if not isinstance(step.module, nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d):
        return False
    size = step.module.output_size
    wanted = size[axis] if isinstance(size, tuple) else size
    return before.length is not None and wanted in (None, before.length)


def _union(parts: list[_Reach]) -> _Reach:
    if len({part.stride for part in parts}) > 1:
        raise SceneLensError(
            "branches with different strides meet: their receptive field has no single stride."
        )
    return _Reach(min(p.low for p in parts), max(p.high for p in parts), parts[0].stride, parts[0].length)


def _one(values: Sequence[float]) -> _Number:
    """One number where rows and columns agree, and whole numbers as int."""
    numbers = [int(value) if value == int(value) else value for value in values]
    return numbers[0] if numbers[0] == numbers[1] else (numbers[0], numbers[1])


def _both(value: _Number) -> tuple[float, float]:
    return value if isinstance(value, tuple) else (value, value)
