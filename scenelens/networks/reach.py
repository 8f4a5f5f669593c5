"""The theoretical receptive field: what part of the image a unit can see (section 3.2 of the paper).

It follows from the architecture alone. The occlusion experiments of `scenelens.receptive_fields` measure
which part of it a unit really uses; this is much smaller.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from scenelens.errors import SceneLensError, close_names
from scenelens.networks.grid import Grid
from scenelens.networks.points import Point, _Traced
from scenelens.networks.positions import _Span
from scenelens.networks.tracing import _watched

_Number = float | tuple[float, float]
_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class RF:
    """A theoretical receptive field, in pixels of the network's input.

    Each attribute is one number, or (rows, columns) where the two differ. A unit that sees the whole image at
    every position (behind a fully connected layer) has the image's size, stride 0, and the image's centre.
    Behind squeeze-and-excitation, attention, or a norm over positions a unit sees the whole image, too, but
    its map still has positions: then ``whole`` is true, the size is the image's, and stride and start say
    where the positions lie.

    Attributes
    ----------
    size : float or tuple of float
        Side of the square that a unit sees; at the image's edges a part of it lies outside.
    stride : float or tuple of float
        Distance between the centres of neighbouring positions.
    start : float or tuple of float
        Centre of the first position's field; pixel 0 is centred at 0. It ends in .5 where the side is even.
    whole : bool
        Whether every position sees the whole image, although it has a place of its own.
    """

    size: _Number
    stride: _Number
    start: _Number
    whole: bool = field(default=False, compare=False)

    def __repr__(self) -> str:
        whole = ", whole=True" if self.whole else ""
        return f"RF(size={self.size}, stride={self.stride}, start={self.start}{whole})"

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
        if self.whole:
            return None
        middle = [center + 0.5 for center in self.center(row, col)]
        half = [size / 2 for size in _both(self.size)]
        low = [max(m - h, 0.0) for m, h in zip(middle, half, strict=True)]
        high = [min(m + h, float(edge)) for m, h, edge in zip(middle, half, frame, strict=True)]
        whole = low == [0.0, 0.0] and high == [float(edge) for edge in frame]
        return None if whole else (low[0], low[1], high[0], high[1])


def theoretical_rf(network: _Traced | nn.Module, layer: str, input_size: tuple[int, int] | None = None) -> RF:
    """Return the theoretical receptive field of a layer's units (first rows of Table 2).

    Parameters
    ----------
    network : Network or torch.nn.Module
        A network, or any torch module that takes one batch of images.
    layer : str
        Any layer, also one inside a block, or a block as a whole; a module path where a module is given.
    input_size : tuple of int, optional
        (H, W) of the input in pixels; a Network knows its own. It is needed only where a unit sees the whole
        image, and for modules that do not take images of 256 x 256 pixels.

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
    It is computed while one image runs through the live module. A window with kernel k, dilation d and
    padding p slides over a map whose positions are S pixels apart and whose position 0 sees the pixels low to
    high; then the window's position 0 sees low - p S to high + (d (k - 1) - p) S. Where branches meet
    (concatenation, residual) the range is the union of theirs. Functions of single positions (ReLU,
    BatchNorm, dropout) change nothing. Where each position also reads from all others
    (squeeze-and-excitation, attention, norms over positions) the field is the whole image; see `RF`.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 11, stride=4), nn.ReLU(), nn.MaxPool2d(3, 2))
    >>> theoretical_rf(net, "2")
    RF(size=19, stride=8, start=9)
    """
    spans = _spans(network, layer, input_size)
    for span in spans:
        if span.why:
            raise SceneLensError(
                f"{span.why}, so the theoretical receptive field of {layer!r} is not known, either."
            )
    sizes = [span.pixels if span.whole else span.high - span.low + 1 for span in spans]
    starts = [(span.low + span.high) / 2 for span in spans]
    whole = any(span.whole and span.stride for span in spans)
    return RF(_one(sizes), _one([span.stride for span in spans]), _one(starts), whole)


def _spans(
    network: _Traced | nn.Module, layer: str, input_size: tuple[int, int] | None
) -> tuple[_Span, _Span]:
    if not isinstance(network, nn.Module) and input_size in (None, tuple(network.input_size)):
        return _of_point(network.points[network.module_path(layer)], layer)
    module = network if isinstance(network, nn.Module) else network.module
    path = layer if isinstance(network, nn.Module) else network.module_path(layer)
    known = [one for one, _ in module.named_modules() if one]
    if path.partition("#")[0] not in known:
        raise SceneLensError(f"no layer named {layer!r}; {close_names(layer, known)}.")
    spans = _of_point(_probed(module, path, input_size), layer)
    if input_size is None and any(span.whole and not span.why for span in spans):
        raise SceneLensError(f"{layer} sees the whole image: give input_size=(H, W).")
    return spans


def _of_point(point: Point, layer: str) -> tuple[_Span, _Span]:
    if point.spans is None:
        raise point.refusal(layer)
    return point.spans


_PROBE = (256, 256)  # pixels, where the question does not depend on the size
# A pass is watched once for each module, not for each of its layers.
_PROBED: weakref.WeakKeyDictionary[nn.Module, tuple[list[Any], dict[str, Point], str]] = (
    weakref.WeakKeyDictionary()
)


def _probed(module: nn.Module, path: str, input_size: tuple[int, int] | None) -> Point:
    """Where a module's plain output lies, from a pass with an image of this size."""
    looks = [input_size, *(look for one in module.modules() for look in (id(one), id(type(one).forward)))]
    looks += [id(one.__dict__.get("forward")) for one in module.modules()]
    known = _PROBED.get(module)
    if known is None or known[0] != looks:
        parameter = next(module.parameters(), torch.zeros(()))
        image = torch.zeros(1, _channels(module), *(input_size or _PROBE)).to(parameter)
        watch = _watched(module, [image], {}, input_size is not None, partly=True)
        known = _PROBED[module] = looks, watch.found, watch.failed
    if path not in known[1]:
        high, wide = input_size or _PROBE
        failed = f" ({known[2]})" if known[2] else ""
        raise SceneLensError(
            f"layer {path!r} does not run on an image of {high} x {wide} pixels{failed}, so its theoretical "
            "receptive field is not known: give the size that the module takes, input_size=(H, W)."
        )
    return known[1][path]


def _channels(module: nn.Module) -> int:
    first = next((one for one in module.modules() if isinstance(one, nn.Conv2d | nn.ConvTranspose2d)), None)
    return first.in_channels if first is not None else 3


def _one(values: Sequence[float]) -> _Number:
    """One number where rows and columns agree, and whole numbers as int."""
    numbers = [int(value) if value == int(value) else value for value in values]
    return numbers[0] if numbers[0] == numbers[1] else (numbers[0], numbers[1])


def _both(value: _Number) -> tuple[float, float]:
    return value if isinstance(value, tuple) else (value, value)
