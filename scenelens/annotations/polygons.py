"""From a polygon to the pixels inside it, and from a mask back to polygons.

One convention holds everywhere. A pixel's centre has whole-number coordinates: pixel (row 2, column 5) covers
x from 4.5 to 5.5 and y from 1.5 to 2.5, and an image of H by W pixels reaches from -0.5 to W - 0.5 and
H - 0.5. A pixel belongs to a polygon when its centre lies inside by the even-odd rule: a point is inside when
a ray from it crosses the outline an odd number of times. MATLAB's `poly2mask`, and so the LabelMe toolbox,
does the same.

Why no library function: `cv2.fillPoly` and Pillow also paint the border, so that a shape is half a pixel too
large on every side. `skimage.draw.polygon` compares every pixel with every edge, which takes seconds for a
large photograph; the tests compare with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numba import njit

from scenelens.annotations.crossings import _has_crossing
from scenelens.annotations.filling import _FilledOutlines
from scenelens.errors import SceneLensError

_SAME_SHAPE = 0.97  # least IoU of a simplified outline with the exact one
# Coordinates, in pixels, beyond which an outline is cut off. No photograph is as large, and the whole numbers
# of the kernels cannot overflow within it.
_REACH = 1e7


class Polygon:
    """A closed outline.

    Parameters
    ----------
    points : array_like
        (n, 2) float, x and y in pixels.
    """

    def __init__(self, points: Sequence | np.ndarray) -> None:
        self.points = points

    def patch(
        self, shape: tuple[int, int], drawn_on: tuple[int, int] | None = None
    ) -> tuple[tuple[slice, slice], np.ndarray]:
        """The pixels inside, as an array no larger than the bounding box.

        What lies outside the frame is cut off.

        Parameters
        ----------
        shape : tuple of int
            (H, W) of the frame.
        drawn_on : tuple of int, optional
            (H, W) of the image that the polygon was drawn on; the polygon is rescaled from it to `shape`
            (default: no rescaling).

        Returns
        -------
        box : tuple of slice
            The rows and columns of the bounding box within an (H, W) array.
        inside : numpy.ndarray
            bool, of the box's shape (possibly empty).

        Examples
        --------
        >>> box, inside = Polygon([(1, 1), (4, 1), (4, 3), (1, 3)]).patch((5, 5))
        >>> box, inside.astype(int).tolist()
        ((slice(1, 4, None), slice(1, 5, None)), [[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]])
        """
        filled = _FilledOutlines([self.placed(shape, drawn_on)], shape)
        filled.areas()
        top, bottom, left, right = filled.boxes[0].tolist()
        return (slice(top, bottom), slice(left, right)), filled.patch(0)

    def placed(self, shape: tuple[int, int], drawn_on: tuple[int, int] | None = None) -> np.ndarray:
        """The points on a frame, as `_FilledOutlines` takes them.

        Parameters
        ----------
        shape : tuple of int
            (H, W) of the frame.
        drawn_on : tuple of int, optional
            (H, W) of the image that the polygon was drawn on; see `patch`.

        Returns
        -------
        numpy.ndarray
            (n, 2) float64, C-contiguous and within reach.
        """
        if drawn_on is None:
            return _as_polygon(self.points)
        return Polygon(_rescale(self.points, drawn_on, shape)).within_reach()

    def within_reach(self) -> np.ndarray:
        """The part that lies within 10 million pixels of the frame's corner. The points must be finite.

        Returns
        -------
        numpy.ndarray
            (m, 2) float; the same array where nothing is cut off, and no point where all is.

        Examples
        --------
        >>> Polygon([(0, 0), (4e20, 2e20), (0, 5)]).within_reach().tolist()
        [[0.0, 0.0], [10000000.0, 5000000.0], [10000000.0, 5000005.0], [0.0, 5.0]]
        """
        points = np.ascontiguousarray(self.points, np.float64)
        if _largest(points) <= _REACH:
            return points
        points = np.clip(points, -1e150, 1e150)  # so that differences and products stay finite
        # Sutherland and Hodgman: cut at one side of the window after the other.
        for axis in (0, 1):
            for side in (-1.0, 1.0):
                points = _cut(points, axis, side)
        return points

    def has_area(self) -> bool:
        """Whether it has three points that are not on one line.

        Returns
        -------
        bool
            False for a point or a line.

        Examples
        --------
        >>> Polygon([(0, 0), (4, 4), (9, 9)]).has_area(), Polygon([(0, 0), (4, 4), (9, 0)]).has_area()
        (False, True)
        """
        return _has_area(_as_polygon(self.points))

    def crosses_itself(self) -> bool | None:
        """Whether two edges properly cross. Edges that only touch do not.

        Returns
        -------
        bool or None
            True if two edges cross. A slit that is passed in both directions does not count. None where the
            outline is so intricate that the search would take too long, which no outline of fewer than 4,000
            points is.

        Examples
        --------
        >>> Polygon([(0, 0), (4, 4), (4, 0), (0, 4)]).crosses_itself()
        True
        """
        return _has_crossing(_as_polygon(self.points))


def _polygon_mask(polygon: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The pixels whose centres lie inside a polygon, as a bool (H, W) mask.

    >>> _polygon_mask([(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)], (4, 4)).sum()
    np.int64(4)
    """
    mask = np.zeros(shape, bool)
    box, inside = Polygon(polygon).patch(shape)
    mask[box] = inside
    return mask


def _as_polygon(polygon: Sequence | np.ndarray) -> np.ndarray:
    """A polygon as a float64 (n, 2) array of x and y, within reach."""
    try:
        points = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise SceneLensError("a polygon is a list of finite (x, y) points; got other values.") from None
    largest = _largest(np.ascontiguousarray(points)) if points.ndim == 2 and points.shape[1] == 2 else np.nan
    if len(points) == 0 or not np.isfinite(largest):
        raise SceneLensError(
            f"a polygon is a list of finite (x, y) points; got an array of shape {points.shape}."
        )
    return Polygon(points).within_reach()


@njit(cache=True, nogil=True)
def _largest(points: np.ndarray) -> float:
    """The largest distance of a coordinate from 0; NaN where one is NaN, and 0 without points."""
    largest = 0.0
    for i in range(len(points)):
        for axis in range(2):
            distance = abs(points[i, axis])
            if distance != distance:
                return distance
            largest = max(largest, distance)
    return largest


@njit(cache=True, nogil=True)
def _extent(points: np.ndarray) -> tuple[float, float, float, float]:
    """The smallest x and y and the largest x and y of an outline.

    Parameters
    ----------
    points : numpy.ndarray
        (n, 2) float64, finite, at least one point.

    Returns
    -------
    tuple of float
        Left, top, right, bottom, in pixels.
    """
    left, top = points[0]
    right, bottom = left, top
    for i in range(1, len(points)):
        left, right = min(left, points[i, 0]), max(right, points[i, 0])
        top, bottom = min(top, points[i, 1]), max(bottom, points[i, 1])
    return left, top, right, bottom


@njit(cache=True, nogil=True)
def _has_area(points: np.ndarray) -> bool:
    """Whether some triangle of the first point, the point farthest from it, and another one has an area."""
    far, farthest = 0, -1.0
    for i in range(len(points)):
        dx, dy = points[i, 0] - points[0, 0], points[i, 1] - points[0, 1]
        if dx * dx + dy * dy > farthest:
            far, farthest = i, dx * dx + dy * dy
    far_x, far_y = points[far, 0] - points[0, 0], points[far, 1] - points[0, 1]
    for i in range(len(points)):
        dx, dy = points[i, 0] - points[0, 0], points[i, 1] - points[0, 1]
        if abs(dx * far_y - dy * far_x) > 1e-9:
            return True
    return False


def _cut(points: np.ndarray, axis: int, side: float) -> np.ndarray:
    """The part of a polygon where side * coordinate <= _REACH."""
    if not len(points):
        return points
    after = np.roll(points, -1, axis=0)
    inside = side * points[:, axis] <= _REACH
    leaves = inside != np.roll(inside, -1)
    # Measured from the end inside, because the other one may be so far that it rounds the crossing away.
    near, far = np.where(inside[:, None], points, after), np.where(inside[:, None], after, points)
    with np.errstate(divide="ignore", invalid="ignore"):  # edges that do not cross the side are not used
        share = (side * _REACH - near[:, axis]) / (far[:, axis] - near[:, axis])
        crossing = near + share[:, None] * (far - near)
    crossing[:, axis] = side * _REACH
    both = np.stack([points, crossing], axis=1)
    return both[np.stack([inside, leaves], axis=1)]


def _rescale(polygon: Sequence | np.ndarray, source: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    """A polygon drawn on an image of `source` (H, W) pixels, moved to the same image at `target` (H, W).

    >>> _rescale([(-0.5, -0.5), (9.5, 4.5)], (5, 10), (10, 20)).tolist()
    [[-0.5, -0.5], [19.5, 9.5]]
    """
    # Images grow from their edges, which are half a pixel before the first centre.
    factor = np.array([target[1] / source[1], target[0] / source[0]])
    return (_as_polygon(polygon) + 0.5) * factor - 0.5


def mask_to_polygons(mask: np.ndarray, tolerance: float = 0.75, min_area: int = 1) -> list[np.ndarray]:
    """The outlines of a mask: one polygon for each connected piece (8-connected).

    A hole is joined to its outline by a slit, so that one polygon can describe both.

    Parameters
    ----------
    mask : numpy.ndarray
        (H, W) bool.
    tolerance : float, optional
        How far, in pixels, the outline may leave the pixels' true edges (default 0.75). 0 keeps every corner,
        so that painting the polygons gives the same mask. A piece whose IoU would fall below 0.97 keeps
        every corner anyway.
    min_area : int, optional
        Pieces of fewer pixels are left out (default 1).

    Returns
    -------
    list of numpy.ndarray
        (n, 2) float each, x and y in pixels. They lie on the pixels' edges, so exact ones end in .5.

    Raises
    ------
    SceneLensError
        If the mask is not two-dimensional.

    Examples
    --------
    >>> ring = np.ones((5, 5), bool); ring[2, 2] = False
    >>> outline, = mask_to_polygons(ring)
    >>> bool((_polygon_mask(outline, (5, 5)) == ring).all())
    True
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise SceneLensError(f"a mask has two dimensions (H, W); this one has the shape {mask.shape}.")
    pixels = (mask != 0).view(np.uint8)
    left, top, width, height = cv2.boundingRect(pixels)
    pixels = pixels[top : top + height, left : left + width]
    if not pixels.size:
        return []
    pieces = _pieces(pixels)
    outlines = (_outline(piece, tolerance, pixels.shape, min_area) for piece in pieces)
    return [outline + (left, top) for outline in outlines if outline is not None]


def _pieces(pixels: np.ndarray) -> list[list[np.ndarray]]:
    """The rings of each connected piece, on the pixels' edges: the outline first, then those of its holes."""
    # cv2 reports contours through pixel centres. In an image of double size each pixel is a block of 2 by 2,
    # and the contour runs through the block's outer pixels. (c + 1) // 2 - 0.5 maps these to pixel edges.
    doubled = cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, tree = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    rings = [(contour[:, 0] + 1) // 2 - 0.5 for contour in contours]
    parents = tree[
        0, :, 3
    ].tolist()  # -1 for an outline, else the number of the outline that the hole lies in
    pieces = {i: [ring] for i, ring in enumerate(rings) if parents[i] < 0}
    for ring, parent in zip(rings, parents, strict=True):
        if parent >= 0:
            pieces[parent].append(ring)
    return list(pieces.values())


def _outline(
    rings: list[np.ndarray], tolerance: float, shape: tuple[int, int], min_area: int
) -> np.ndarray | None:
    """One piece as one polygon, simplified where that hardly changes it; None when it is too small."""
    exact = _keyhole([_without_repeats(ring) for ring in rings])
    if tolerance <= 0 and min_area <= 1:
        return exact  # painting thousands of rings, one in the other, would take minutes
    box, inside = Polygon(exact).patch(shape)
    if inside.sum() < min_area:
        return None
    simple = [
        cv2.approxPolyDP(ring.astype(np.float32), tolerance, True)[:, 0].astype(float) for ring in rings
    ]
    if tolerance <= 0 or not Polygon(simple[0]).has_area():
        return exact
    outline = _keyhole([ring for ring in simple if Polygon(ring).has_area()])
    other = _polygon_mask(outline - (box[1].start, box[0].start), inside.shape)
    return outline if (inside & other).sum() >= _SAME_SHAPE * (inside | other).sum() else exact


def _without_repeats(ring: np.ndarray) -> np.ndarray:
    """A ring without repeated points and without points in the middle of a straight line."""
    ring = ring[(ring != np.roll(ring, 1, axis=0)).any(1)]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    return ring[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]


def _keyhole(rings: list[np.ndarray]) -> np.ndarray:
    """An outline and its holes as one polygon: along a slit to the hole, round it, back along the slit."""
    points = [rings[0]]
    for hole in rings[1:]:
        points += [rings[0][:1], hole, hole[:1]]
    return np.concatenate([*points, rings[0][:1]] if len(rings) > 1 else points)
