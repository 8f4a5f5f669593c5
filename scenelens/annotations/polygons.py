"""Outlines and pixels: from a polygon to the pixels inside it, and from a mask back to polygons.

One convention holds for all of it: a pixel's centre has whole-number coordinates, so pixel (row 2, column 5)
covers x from 4.5 to 5.5 and y from 1.5 to 2.5, and an image of H by W pixels reaches from -0.5 to W - 0.5 and
H - 0.5. A pixel belongs to a polygon when its centre lies inside, by the even-odd rule: a border that crosses
itself encloses what an odd number of its turns surrounds, as MATLAB's `poly2mask` (and so the LabelMe
toolbox) has it.

Why not a library's polygon: `cv2.fillPoly` and Pillow also paint the border, half a pixel too fat on every
side; `skimage.draw.polygon` asks every pixel about every edge, seconds for a large photograph (it is the
tests' oracle).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numba import njit

from scenelens.errors import SceneLensError

# Painted before everything else, because annotators let them run under what stands in front of them.
BACKGROUND = frozenset(
    (
        *("sky", "road", "sidewalk", "pavement", "wall", "floor", "carpet", "ceiling"),
        *("ground", "grass", "water", "sea", "sand", "snow"),
    )
)


def polygon_patch(polygon: np.ndarray, shape: tuple[int, int]) -> tuple[tuple[slice, slice], np.ndarray]:
    """The pixels inside one polygon, only as large as its bounding box.

    Parameters
    ----------
    polygon : (n, 2) float, x and y in pixels; may reach outside the frame, which clips it.
    shape : (H, W) of the frame.

    Returns
    -------
    The box as two slices into an (H, W) array, and a bool array of the box's shape (possibly empty).

    Examples
    --------
    >>> box, inside = polygon_patch([(1, 1), (4, 1), (4, 3), (1, 3)], (5, 5))
    >>> box, inside.astype(int).tolist()
    ((slice(1, 4, None), slice(1, 5, None)), [[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]])
    """
    points = as_polygon(polygon)
    low = np.clip(np.ceil(points.min(0)), 0, (shape[1], shape[0])).astype(int)
    high = np.clip(np.floor(points.max(0)) + 1, low, (shape[1], shape[0])).astype(int)
    box = slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
    height, width = high[1] - low[1], high[0] - low[0]
    if height == 0 or width == 0:
        return box, np.zeros((height, width), bool)
    flips = np.zeros((height, width + 1), np.uint8)
    _flip_at_crossings(points - low, flips)
    odd = np.bitwise_xor.accumulate(flips, axis=1)[:, :width].view(bool)
    return box, odd


@njit(cache=True)
def _flip_at_crossings(points: np.ndarray, flips: np.ndarray) -> None:
    """Flip, wherever an edge crosses a row of pixel centres, the first column at or right of the crossing."""
    height, width = flips.shape
    for i in range(len(points)):
        x0, y0 = points[i]
        x1, y1 = points[(i + 1) % len(points)]
        if y0 > y1:  # every edge runs downwards: one walked there and back (a slit) cancels to the last bit
            x0, y0, x1, y1 = x1, y1, x0, y0
        top = max(0.0, math.ceil(y0))
        bottom = min(float(height), math.ceil(y1))
        for row in range(int(top), int(bottom)):
            column = math.ceil(x0 + (row - y0) * (x1 - x0) / (y1 - y0))
            flips[row, int(min(max(column, 0.0), width - 1.0))] ^= 1


def polygon_mask(polygon: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The pixels whose centres lie inside a polygon, as a bool (H, W) mask.

    >>> polygon_mask([(0.5, 0.5), (2.5, 0.5), (2.5, 2.5), (0.5, 2.5)], (4, 4)).sum()
    np.int64(4)
    """
    mask = np.zeros(shape, bool)
    box, inside = polygon_patch(polygon, shape)
    mask[box] = inside
    return mask


def as_polygon(polygon: Sequence | np.ndarray) -> np.ndarray:
    """A polygon as a float64 (n, 2) array of x and y; anything else is refused in one sentence."""
    points = np.asarray(polygon, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0 or not np.isfinite(points).all():
        raise SceneLensError(
            f"a polygon is a list of finite (x, y) points; got an array of shape {points.shape}."
        )
    return points


def has_area(polygon: np.ndarray) -> bool:
    """Whether a polygon has three points that are not on one line.

    >>> has_area([(0, 0), (4, 4), (9, 9)]), has_area([(0, 0), (4, 4), (9, 0)])
    (False, True)
    """
    points = as_polygon(polygon)
    far = points[np.argmax(((points - points[0]) ** 2).sum(1))] - points[0]
    away = points - points[0]
    return bool((np.abs(away[:, 0] * far[1] - away[:, 1] * far[0]) > 1e-9).any())


def crosses_itself(polygon: np.ndarray) -> bool:
    """Whether two edges of a polygon properly cross.

    Touching does not count, nor does a slit walked there and back.

    >>> crosses_itself([(0, 0), (4, 4), (4, 0), (0, 4)]), crosses_itself([(0, 0), (4, 0), (4, 4), (0, 4)])
    (True, False)
    """
    a = as_polygon(polygon)
    edges = np.concatenate([a, np.roll(a, -1, axis=0)], axis=1)
    known = {tuple(edge) for edge in edges.tolist()}
    edges = edges[[(x1, y1, x0, y0) not in known for x0, y0, x1, y1 in edges.tolist()]]
    return _any_crossing(edges)


@njit(cache=True)
def _any_crossing(edges: np.ndarray) -> bool:
    """Whether any two edges (x0, y0, x1, y1) have each other's ends strictly on both sides."""
    for i in range(len(edges)):
        x0, y0, x1, y1 = edges[i]
        for j in range(i):
            u0, v0, u1, v1 = edges[j]
            a, b, c, d = x1 - x0, y1 - y0, u1 - u0, v1 - v0
            across = (a * (v0 - y0) - b * (u0 - x0)) * (a * (v1 - y0) - b * (u1 - x0)) < 0
            if across and (c * (y0 - v0) - d * (x0 - u0)) * (c * (y1 - v0) - d * (x1 - u0)) < 0:
                return True
    return False


def rescale(polygon: np.ndarray, source: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    """A polygon drawn on an image of `source` (H, W) pixels, moved to the same image at `target` (H, W).

    >>> rescale([(-0.5, -0.5), (9.5, 4.5)], (5, 10), (10, 20)).tolist()
    [[-0.5, -0.5], [19.5, 9.5]]
    """
    factor = np.array([target[1] / source[1], target[0] / source[0]])
    return (as_polygon(polygon) + 0.5) * factor - 0.5


def mask_to_polygons(mask: np.ndarray, tolerance: float = 0.75, min_area: int = 1) -> list[np.ndarray]:
    """The outlines of a mask, one polygon for each connected piece (8-connected), holes cut in by a slit.

    Parameters
    ----------
    mask : (H, W) bool.
    tolerance : how far, in pixels, the outline may leave the pixels' true edges; 0 keeps every corner and
        makes the round trip exact. A piece whose IoU would fall below .97 keeps every corner anyway.
    min_area : pieces of fewer pixels are left out.

    Returns
    -------
    list of (n, 2) float arrays, x and y in pixels on the pixels' edges (so they end in .5).

    Examples
    --------
    >>> ring = np.ones((5, 5), bool); ring[2, 2] = False
    >>> outline, = mask_to_polygons(ring)
    >>> bool((polygon_mask(outline, (5, 5)) == ring).all())
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
    # Doubled, a pixel is a block of 2 by 2 whose two sides cv2 reports apart: they become the pixel's edges.
    doubled = cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    contours, tree = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    rings = [(contour[:, 0] + 1) // 2 - 0.5 for contour in contours]
    pieces = [
        [rings[i]] + [rings[j] for j in range(len(rings)) if tree[0, j, 3] == i]
        for i in range(len(rings))
        if tree[0, i, 3] < 0
    ]
    outlines = (_outline(piece, tolerance, pixels.shape, min_area) for piece in pieces)
    return [outline + (left, top) for outline in outlines if outline is not None]


def _outline(
    rings: list[np.ndarray], tolerance: float, shape: tuple[int, int], min_area: int
) -> np.ndarray | None:
    """One piece as one polygon, simplified where that costs next to nothing; None when it is too small."""
    exact = _keyhole([_without_repeats(ring) for ring in rings])
    box, inside = polygon_patch(exact, shape)
    if inside.sum() < min_area:
        return None
    simple = [
        cv2.approxPolyDP(ring.astype(np.float32), tolerance, True)[:, 0].astype(float) for ring in rings
    ]
    if tolerance <= 0 or not has_area(simple[0]):
        return exact
    outline = _keyhole([ring for ring in simple if has_area(ring)])
    other = polygon_mask(outline - (box[1].start, box[0].start), inside.shape)
    return outline if (inside & other).sum() >= 0.97 * (inside | other).sum() else exact


def _without_repeats(ring: np.ndarray) -> np.ndarray:
    """A ring without points said twice in a row and without points in the middle of a straight run."""
    ring = ring[(ring != np.roll(ring, 1, axis=0)).any(1)]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    return ring[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]


def _keyhole(rings: list[np.ndarray]) -> np.ndarray:
    """An outline and its holes as one polygon: out along a slit, round the hole, back along the same slit."""
    points = [rings[0]]
    for hole in rings[1:]:
        points += [rings[0][:1], hole, hole[:1]]
    return np.concatenate([*points, rings[0][:1]] if len(rings) > 1 else points)


def paint_order(names: Sequence[str], areas: Sequence[float]) -> list[int]:
    """In which order objects are painted over each other, when the annotation does not say.

    Background names (see `BACKGROUND`) come first, then larger before smaller; of equals the first written
    comes first. That an object more than 90% inside another lies on top of it needs no rule of its own: if it
    holds one way only, the inner one is the smaller.

    >>> paint_order(["lamp", "wall", "table"], [4, 9, 20])
    [1, 2, 0]
    """
    return sorted(range(len(names)), key=lambda i: (names[i] not in BACKGROUND, -areas[i], i))
