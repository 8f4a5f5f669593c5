"""Where all units of a layer fire in an image, counted against all concepts, without making a single mask.

A unit fires at the pixels where its map, interpolated bilinearly, exceeds its threshold. Counting its pixels
by concept is a product of two matrices, (units, pixels) of noughts and ones by (pixels, concepts), and both
are nearly empty: a unit fires at one pixel in two hundred. So the product is summed up sparsely. Between four
neighbours of the map no pixel exceeds the largest of them, so whole cells fall out after one comparison; what
remains is interpolated and counted pixel by pixel, with the arithmetic of an image resized in 32-bit floats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from scenelens.errors import SceneLensError
from scenelens.networks.network import Network
from scenelens.networks.reach import RF

#: MERGED DOC: Labels for all units without a person: each unit's active region beside every annotated concept.
#
# Network Dissection's protocol: a unit is active where its interpolated map exceeds a threshold that only 0.5%
# of its responses exceed; its label is the concept with which these pixels overlap best. Images stream through
# the network once. Of each there remains what `active_pixels` counts, and one number per unit, the peak, which
# waits in a temporary file for the detection AP. Memory does not grow with the number of images, but for a few
# bytes each.
#
# The thresholds must be known before anything can be counted, so they come first, from a seeded sample of the
# images (all of them, where there are no more than the sample holds). The sample's maps are kept in memory as
# far as they fit, and then need no second forward pass.
#
#: MERGED DOC: A unit's top images as the network saw them: the frame, the place of the peak, the patch it could see.
#
# Section 2 and section 3 of the paper look at units through the images that drive them hardest. Every view
# of that kind (a figure, a widget, a page of the atlas) needs the same three things, and gets them here: the
# image cut exactly to the network's input, the centre of the position that peaked, and the box of the
# theoretical receptive field around it.
#
#: MERGED DOC: Where in an image a unit fires, in pixels (Figure 5 of the paper).
#
# A unit's responses live on its layer's coarse map. The paper brings them to pixels by the unit's own
# empirical receptive field, set down at every position above a threshold; Network Dissection later did it by
# bilinear interpolation, which needs no receptive field but ignores how large it is. Both are here.
#
#: MERGED DOC: One network's part of the atlas: the fields of its units that are held, and when they count as true.
#
# A field depends on weights, preprocessing, images, and the way it was estimated. All of it goes into the key
# under which the field is kept; that the images' pixels are the same, too, shows in the unit's peaks.
#
#: MERGED DOC: From a layer's map to boxes in the picture: where units fire, within their receptive fields.
#
# Neighbouring positions at which a unit fires belong together. Each stands for the unit's field, a square as
# large as the field that was measured; the box is what these squares span. Several units may find the same
# thing, so boxes of one concept that lie on each other become one.
#


class Axis(NamedTuple):
    """How the pixels along one side lie between a map's positions.

    first : (n + 1,) int64, the first pixel of every cell; a cell lies between positions i and i + 1.
    share : (length,) float64, how far a pixel is from position i towards i + 1, 0..1.
    """

    first: np.ndarray
    share: np.ndarray


def axis(n: int, length: int, start: float, stride: float) -> Axis:
    """The pixels of one side between positions at start + stride * i; beyond the ends, the end's value holds.

    Parameters
    ----------
    n : positions. length : pixels. start, stride : in pixels, pixel 0 being centred at 0.

    Examples
    --------
    >>> axis(2, 4, 0.5, 2.0).share.tolist()
    [0.0, 0.25, 0.75, 0.0]
    """
    at = np.clip((np.arange(length) - start) / stride, 0, n - 1)
    cell = np.floor(at).astype(np.int64)
    return Axis(np.searchsorted(cell, np.arange(n + 1)).astype(np.int64), at - cell)


def active_area(values: np.ndarray, threshold: float, axes: tuple[Axis, Axis]) -> np.ndarray:
    """Where a unit's map (h, w), interpolated bilinearly, exceeds a threshold: (H, W) bool.

    Examples
    --------
    >>> active_area(np.array([[0.0, 1.0]]), 0.4, (axis(1, 1, 0, 1), axis(2, 3, 0, 2)))
    array([[False,  True,  True]])
    """
    rows, columns = (pixel_weights(one, n) for one, n in zip(axes, values.shape, strict=True))
    return np.asarray(rows @ values.astype(float) @ columns.T > threshold)


def pixel_weights(along: Axis, n: int) -> np.ndarray:
    """What each of n positions contributes to each pixel of a side: (length, n) float64, rows sum to 1.

    Examples
    --------
    >>> pixel_weights(axis(2, 3, 0, 2), 2).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    cell = np.repeat(np.arange(n), np.diff(along.first))
    weights = np.zeros((len(along.share), n))
    pixels = np.arange(len(along.share))
    weights[pixels, cell] = 1 - along.share
    weights[pixels, np.minimum(cell + 1, n - 1)] += along.share
    return weights


def map_axes(network: Network, layer: str, placement: str = "receptive field") -> tuple[Axis, Axis]:
    """Where a layer's positions lie in the frame, for rows and for columns; see `label_units`."""
    if placement not in ("receptive field", "resize"):
        raise SceneLensError(f"no placement {placement!r}; take 'receptive field' or 'resize'.")
    shape, size = network.layer_shape(layer)[1:], network.input_size
    strides = [length / n for length, n in zip(size, shape, strict=True)]
    starts = [(stride - 1) / 2 for stride in strides]
    if placement == "receptive field":
        row = network.layers.set_index("layer").loc[layer] if layer in set(network.layers.layer) else None
        if (
            row is not None and not np.isnan(np.atleast_1d(row.rf_stride)).any()
        ):  # else as an image is resized
            strides, starts = (np.broadcast_to(value, 2).tolist() for value in (row.rf_stride, row.rf_start))
    rows, columns = (axis(*place) for place in zip(shape, size, starts, strides, strict=True))
    return rows, columns


def receptive_center(row: dict[str, Any], place: tuple[int, int]) -> tuple[float, float] | None:
    """Where in the frame a position of a layer looks: the first centre plus the stride times the position.

    Parameters
    ----------
    row : a row of `network.layers`: rf_start and rf_stride in pixels, map the layer's (rows, columns).
    place : (row, col) within the map.

    Returns
    -------
    (row, col) in pixels of the frame, or None where the layer has no map or its geometry is not known.

    Examples
    --------
    >>> receptive_center({"map": (6, 6), "rf_start": 33, "rf_stride": 32}, (2, 0))
    (97.0, 33.0)
    >>> receptive_center({"map": (1, 1), "rf_start": math.nan, "rf_stride": math.nan}, (0, 0)) is None
    True
    """
    if tuple(row["map"]) == (1, 1):
        return None
    start, stride = _both_directions(row["rf_start"]), _both_directions(row["rf_stride"])
    if any(math.isnan(v) for v in (*start, *stride)):
        return None
    return (start[0] + stride[0] * place[0], start[1] + stride[1] * place[1])


def receptive_box(
    row: dict[str, Any], center: tuple[float, float] | None, frame: tuple[int, int]
) -> tuple[float, float, float, float] | None:
    """The theoretical receptive field around a centre, cut off at the frame's edges.

    Returns
    -------
    (top, left, bottom, right) in pixel edges (pixel 0 lies between edges 0 and 1), or None where there is no
    centre, no known size, or nothing of the frame is left outside the box.

    Examples
    --------
    >>> receptive_box({"rf_size": 67}, (17.0, 97.0), (227, 227))
    (0.0, 64.0, 51.0, 131.0)
    """
    if center is None:
        return None
    half = [size / 2 for size in _both_directions(row["rf_size"])]
    if any(math.isnan(h) for h in half):
        return None
    low = [max(c + 0.5 - h, 0.0) for c, h in zip(center, half, strict=True)]
    high = [min(c + 0.5 + h, float(edge)) for c, h, edge in zip(center, half, frame, strict=True)]
    whole = low == [0.0, 0.0] and high == [float(edge) for edge in frame]
    return None if whole else (low[0], low[1], high[0], high[1])


def _both_directions(value: Any) -> tuple[float, float]:
    """A number for both directions, or (rows, columns)."""
    if isinstance(value, (tuple, list, np.ndarray)):
        return float(value[0]), float(value[1])
    return float(value), float(value)


def interpolated(values: np.ndarray, theoretical: RF, frame: tuple[int, int], level: float) -> np.ndarray:
    """Where a map, interpolated bilinearly, reaches a level above 0.

    Parameters
    ----------
    values : (h, w) responses, each standing at its theoretical centre. frame : (H, W) in pixels.

    Returns
    -------
    (H, W) bool.

    Examples
    --------
    >>> interpolated(np.array([[0.0, 1.0]]), RF(3, 4, 1), (1, 8), 0.5)[0].tolist()
    [False, False, False, True, True, True, True, True]
    """
    first, last = theoretical.center(0, 0), theoretical.center(1, 1)
    weights = [
        _bilinear(values.shape[axis], frame[axis], first[axis], last[axis] - first[axis]) for axis in (0, 1)
    ]
    pixels = weights[0] @ values @ weights[1].T
    return (pixels >= level) & (pixels > 0)


def _bilinear(n: int, length: int, first: float, step: float) -> np.ndarray:
    """(length, n) weights from positions at first + step * i to pixels; the nearest one beyond the ends."""
    at = np.clip((np.arange(length) - first) / (step or 1), 0, n - 1)
    return np.maximum(0.0, 1 - np.abs(at[:, None] - np.arange(n)))


def has_field(row: Any) -> bool:
    """Whether a layer has positions and a theoretical field, and its units do not all see everything."""
    return (
        tuple(row["map"]) != (1, 1)
        and not np.isnan(np.mean(row["rf_size"]))
        and np.mean(row["rf_stride"]) > 0
    )


class Grid(NamedTuple):
    """Where a layer's positions lie: (rows, columns) of the first and between them, in pixels."""

    start: tuple[float, float]
    stride: tuple[float, float]

    def center(self, row: float, col: float) -> tuple[float, float]:
        """The pixel (row, col), in fractions, that a position of the map stands for.

        >>> Grid((33, 33), (32, 32)).center(1, 0)
        (65, 33)
        """
        return self.start[0] + self.stride[0] * row, self.start[1] + self.stride[1] * col

    def cell(self, row: float, col: float, frame: tuple[int, int]) -> tuple[slice, slice]:
        """The pixels no farther than half a stride from a position's centre, at least one.

        >>> Grid((5, 5), (4, 4)).cell(0, 1, (227, 227))
        (slice(3, 8, None), slice(7, 12, None))
        """
        spans = []
        for center, stride, length in zip(self.center(row, col), self.stride, frame, strict=True):
            first = int(np.clip(np.ceil(center - stride / 2), 0, length - 1))
            last = int(np.clip(np.floor(center + stride / 2), first, length - 1))
            spans.append(slice(first, last + 1))
        return spans[0], spans[1]


def layer_grid(network: Network, layer: str) -> Grid:
    """A layer's grid: the centres of its theoretical receptive fields, or evenly spread where these are not
    known or all the same.

    Raises
    ------
    SceneLensError : an unknown layer, or one without a map.
    """
    shape = network.layer_shape(layer)[1:]
    if shape == (1, 1):
        raise SceneLensError(f"layer {layer!r} has no map, so its units have no place; take one with a map.")
    rows = network.layers[network.layers.layer == layer]
    if len(rows):
        start, stride = (np.broadcast_to(rows.iloc[0][name], 2) for name in ("rf_start", "rf_stride"))
        if np.isfinite(start).all() and (stride > 0).all():
            return Grid(_pair(start), _pair(stride))
    stride = np.divide(network.input_size, shape)
    return Grid(_pair((stride - 1) / 2), _pair(stride))


def _pair(values: Iterable[float]) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)
