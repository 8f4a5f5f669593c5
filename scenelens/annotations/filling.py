"""Outlines become pixels: the kernels that fill many outlines of one photograph at once.

All outlines lie behind each other in one array of points, so that a photograph with hundreds of objects costs
a few calls. `polygons` says which pixels belong to an outline. The points must be finite, and within the
reach that `polygons` cuts outlines to: the whole numbers of the kernels cannot overflow then.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

_MOST_KEPT = 200_000_000  # bytes of filled outlines that are kept in memory


class _FilledOutlines:
    """The pixels inside each of several outlines, each within its bounding box.

    Parameters
    ----------
    outlines : sequence of numpy.ndarray
        (n, 2) float64 each, x and y in pixels, C-contiguous; they may have no points.
    shape : tuple of int
        (H, W) of the frame. What lies outside is cut off.

    Attributes
    ----------
    boxes : numpy.ndarray
        (outlines, 4) int64: top, bottom, left, right of each bounding box within the frame.
    n_pixels : int
        The pixels of all boxes together.

    Examples
    --------
    >>> square = np.array([(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)])
    >>> filled = _FilledOutlines([square, square + 1], (4, 4))
    >>> filled.areas().tolist()
    [4, 4]
    >>> filled.paint([0, 1], [7, 8]).tolist()
    [[0, 0, 0, 0], [0, 7, 7, 0], [0, 7, 8, 8], [0, 0, 8, 8]]
    """

    def __init__(self, outlines: Sequence[np.ndarray], shape: tuple[int, int]) -> None:
        self._shape = shape
        self._points = np.concatenate([np.zeros((0, 2)), *outlines])
        self._starts = np.cumsum([0, *map(len, outlines)])
        self.boxes = _boxes(self._points, self._starts, *shape)
        sizes = (self.boxes[:, 1] - self.boxes[:, 0]) * (self.boxes[:, 3] - self.boxes[:, 2])
        self.n_pixels = int(sizes.sum())
        # Nearly always all are kept. One that does not fit is filled again where it is needed, in a place
        # behind the others that all of these share.
        ends = np.cumsum(sizes)
        fits = ends <= _MOST_KEPT
        self._kept = int(sizes[fits].sum())
        self._places = np.where(fits, ends - sizes, self._kept)
        self._inside = np.zeros(self._kept + int(sizes[~fits].max(initial=0)), np.uint8)

    def areas(self) -> np.ndarray:
        """Fill the outlines.

        Returns
        -------
        numpy.ndarray
            (outlines,) int64, the pixels inside each outline.
        """
        return _fill(self._points, self._starts, self.boxes, self._places, self._inside)

    def patch(self, k: int) -> np.ndarray:
        """The pixels inside one outline that was filled and kept.

        Parameters
        ----------
        k : int
            The outline's place in the list.

        Returns
        -------
        numpy.ndarray
            bool, of the shape of the outline's box.
        """
        top, bottom, left, right = self.boxes[k].tolist()
        start, size = int(self._places[k]), (bottom - top) * (right - left)
        return self._inside[start : start + size].view(bool).reshape(bottom - top, right - left)

    def paint(self, order: Sequence[int], values: Sequence[int]) -> np.ndarray:
        """Paint outlines that were filled over each other.

        Parameters
        ----------
        order : sequence of int
            The outlines in the order in which they are painted.
        values : sequence of int
            The value of each outline, in the order of the list.

        Returns
        -------
        numpy.ndarray
            (H, W) int32; 0 where there is no outline.
        """
        painted = np.zeros(self._shape, np.int32)
        orders, codes = np.array(order, np.int64), np.array(values, np.int32)
        _paint(self._points, self._starts, self.boxes, self._places, self._inside,
               self._kept, orders, codes, painted)  # fmt: skip
        return painted


@njit(cache=True, nogil=True)
def _boxes(points: np.ndarray, starts: np.ndarray, height: int, width: int) -> np.ndarray:
    """The rows and columns of pixel centres that each outline may contain: top, bottom, left, right."""
    boxes = np.zeros((len(starts) - 1, 4), np.int64)
    for k in range(len(boxes)):
        first, last = starts[k], starts[k + 1]
        if first == last:
            continue
        x0, y0 = points[first]
        x1, y1 = x0, y0
        for i in range(first + 1, last):
            x, y = points[i]
            x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
        top, left = min(max(np.ceil(y0), 0.0), float(height)), min(max(np.ceil(x0), 0.0), float(width))
        boxes[k, 0], boxes[k, 2] = int(top), int(left)
        boxes[k, 1] = int(min(max(np.floor(y1) + 1, top), float(height)))
        boxes[k, 3] = int(min(max(np.floor(x1) + 1, left), float(width)))
    return boxes


@njit(cache=True, nogil=True)
def _fill_one(points: np.ndarray, box: np.ndarray, inside: np.ndarray) -> int:
    """Fill one outline by the even-odd rule, and count its pixels. `inside` is all 0 before.

    First each edge flips, in every row of pixel centres that it crosses, the first column at or right of the
    crossing. Then the running XOR along a row is 1 between an odd and the next even crossing.
    """
    top, left, height, width = box[0], box[2], box[1] - box[0], box[3] - box[2]
    if height == 0 or width == 0:
        return 0
    for i in range(len(points)):
        after = i + 1 if i + 1 < len(points) else 0
        x0, y0 = points[i, 0] - left, points[i, 1] - top
        x1, y1 = points[after, 0] - left, points[after, 1] - top
        # Every edge runs downwards. So an edge that is passed in both directions (the slit to a hole) is
        # computed the same way twice, and its two crossings cancel exactly.
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        # The upper end belongs to the edge and the lower does not: a vertex on a row of centres, which two
        # edges share, then counts once.
        # np.ceil stays a float here; math.ceil is a whole number of 64 bits, which large values overflow.
        first = max(0.0, np.ceil(y0))
        last = min(float(height), np.ceil(y1))
        for row in range(int(first), int(last)):
            column = max(np.ceil(x0 + (row - y0) * (x1 - x0) / (y1 - y0)), 0.0)
            if column < width:
                inside[row * width + int(column)] ^= 1
    area = 0
    for row in range(height):
        odd = np.uint8(0)
        for at in range(row * width, (row + 1) * width):
            odd ^= inside[at]
            inside[at] = odd
            area += odd
    return area


@njit(cache=True, nogil=True)
def _fill(
    points: np.ndarray, starts: np.ndarray, boxes: np.ndarray, places: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    """Fill all outlines, each at its place; the number of pixels inside each."""
    areas = np.zeros(len(boxes), np.int64)
    for k in range(len(boxes)):
        size = (boxes[k, 1] - boxes[k, 0]) * (boxes[k, 3] - boxes[k, 2])
        own = inside[places[k] : places[k] + size]
        own[:] = 0
        areas[k] = _fill_one(points[starts[k] : starts[k + 1]], boxes[k], own)
    return areas


@njit(cache=True, nogil=True)
def _paint(
    points: np.ndarray, starts: np.ndarray, boxes: np.ndarray, places: np.ndarray, inside: np.ndarray,
    kept: int, order: np.ndarray, values: np.ndarray, painted: np.ndarray,
) -> None:  # fmt: skip
    """Paint filled outlines in an order; those whose place is not within `kept` are filled again."""
    for k in order:
        top, bottom, left, right = boxes[k]
        width = right - left
        own = inside[places[k] : places[k] + (bottom - top) * width]
        if places[k] >= kept:
            own[:] = 0
            _fill_one(points[starts[k] : starts[k + 1]], boxes[k], own)
        for row in range(bottom - top):
            for column in range(width):
                if own[row * width + column]:
                    painted[top + row, left + column] = values[k]
