"""Flat outlines (a star, a heart, an arch, any polygon) and the slabs cut along them."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from scenelens.errors import SceneLensError, close_names
from scenelens.sceneworld.shapes import Mesh, Points, assemble

__all__ = ["OUTLINES", "extruded", "outline_points"]


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, stop: float, n: int) -> Points:
    """n points of an ellipse arc between two angles in degrees."""
    angles = np.radians(np.linspace(start, stop, n))
    return tuple((cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles)


def _star(points: int, inner: float) -> Points:
    radius = [0.5 if i % 2 == 0 else inner for i in range(2 * points)]
    turn = [math.pi / 2 + i * math.pi / points for i in range(2 * points)]
    return tuple((r * math.cos(a), 0.5 + r * math.sin(a)) for r, a in zip(radius, turn, strict=True))


def _heart() -> Points:
    t = np.linspace(0, 2 * math.pi, 25)[:-1]
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return tuple(zip((x / 32).tolist(), ((y + 17) / 29).tolist(), strict=True))


OUTLINES: dict[str, Points] = {
    "circle": _arc(0, 0.5, 0.5, 0.5, 0, 345, 24),
    "half": (*_arc(0, 0, 0.5, 1, 0, 180, 13),),
    "star": _star(5, 0.2),
    "heart": _heart(),
    "arch": ((-0.5, 0), (0.5, 0), *_arc(0, 0.6, 0.5, 0.4, 0, 180, 11)),
    "gothic": ((-0.5, 0), (0.5, 0), (0.5, 0.55), (0.38, 0.76), (0.2, 0.91), (0, 1), (-0.2, 0.91), (-0.38, 0.76), (-0.5, 0.55)),
    "triangle": ((-0.5, 0), (0.5, 0), (0, 1)),
    "diamond": ((0, 0), (0.5, 0.5), (0, 1), (-0.5, 0.5)),
    "hexagon": _arc(0, 0.5, 0.5, 0.5, 0, 300, 6),
    "gable": ((-0.5, 0), (0.5, 0), (0.5, 0.6), (0, 1), (-0.5, 0.6)),
    "leaf": ((0, 0), (0.3, 0.22), (0.42, 0.45), (0.32, 0.72), (0, 1), (-0.32, 0.72), (-0.42, 0.45), (-0.3, 0.22)),
    "drop": (*_arc(0, 0.33, 0.5, 0.33, -215, 35, 13), (0, 1)),
    "crescent": (*_arc(0, 0.5, 0.5, 0.5, 60, 300, 14), *_arc(0.2, 0.5, 0.36, 0.42, 285, 75, 11)),
    "arrow": ((-0.16, 0), (0.16, 0), (0.16, 0.55), (0.5, 0.55), (0, 1), (-0.5, 0.55), (-0.16, 0.55)),
    "cross": ((-0.17, 0), (0.17, 0), (0.17, 0.33), (0.5, 0.33), (0.5, 0.67), (0.17, 0.67), (0.17, 1), (-0.17, 1),
              (-0.17, 0.67), (-0.5, 0.67), (-0.5, 0.33), (-0.17, 0.33)),
    "fish": (*_arc(-0.1, 0.5, 0.4, 0.32, 30, 330, 13), (0.5, 0.1), (0.42, 0.5), (0.5, 0.9)),
    "ridge": ((-0.5, 0), (0.5, 0), (0.42, 0.25), (0.3, 0.42), (0.2, 0.72), (0.07, 0.86), (-0.02, 1), (-0.16, 0.68), (-0.28, 0.56),
              (-0.4, 0.22)),
}  # fmt: skip


def outline_points(outline: str | Points) -> Points:
    """The points of an outline.

    Parameters
    ----------
    outline : str or sequence of tuple of float
        A name in `OUTLINES`, or points (x, y).

    Returns
    -------
    tuple of tuple of float
        Points; a named outline has unit size, x in [-0.5, 0.5] and y in [0, 1].

    Raises
    ------
    SceneLensError
        If there is no outline of that name.
    """
    if not isinstance(outline, str):
        return tuple((float(x), float(y)) for x, y in outline)
    if outline not in OUTLINES:
        raise SceneLensError(f"no outline named {outline!r}; {close_names(outline, OUTLINES)}")
    return OUTLINES[outline]


@lru_cache(maxsize=1024)
def extruded(points: Points) -> Mesh:
    """A slab cut along an outline.

    Parameters
    ----------
    points : tuple of tuple of float
        The outline: a simple polygon (x, y), in either direction.

    Returns
    -------
    Mesh
        The slab, 1 thick, its middle at z = 0. Rounded runs of the outline are shaded smoothly.
    """
    flat = np.array(points, float)
    if _area(flat) < 0:  # clockwise: ears and side faces need the other direction
        flat = flat[::-1]
    front = np.column_stack([flat, np.full(len(flat), -0.5)])
    back = np.column_stack([flat, np.full(len(flat), 0.5)])
    cut = _ears(flat)
    return assemble([(front, cut[:, ::-1]), (back, cut), *_rim(front, back)])


def _area(flat: np.ndarray) -> float:
    x, y = flat.T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)


def _rim(front: np.ndarray, back: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The side faces, joined into one smooth piece where the outline turns by less than 35 degrees."""
    n = len(front)
    edge = np.roll(front, -1, 0) - front
    edge /= np.maximum(np.linalg.norm(edge, axis=1, keepdims=True), 1e-12)
    sharp = [i for i in range(n) if edge[i] @ edge[i - 1] < math.cos(math.radians(35))] or [0]
    pieces = []
    for start, stop in zip(sharp, [*sharp[1:], sharp[0] + n], strict=True):
        ring = [i % n for i in range(start, stop + 1)]
        points = np.concatenate([front[ring], back[ring]])
        m = len(ring)
        quads = [f for i in range(m - 1) for f in ((i, i + 1, m + i + 1), (i, m + i + 1, m + i))]
        pieces.append((points, np.array(quads, np.int32)))
    return pieces


def _ears(flat: np.ndarray) -> np.ndarray:
    """Triangles of a simple counter-clockwise polygon by cutting ears: corners whose triangle contains no other corner.

    Every simple polygon has an ear. The search is slow for large polygons, but outlines are small and made once.
    """
    left, triangles = list(range(len(flat))), []
    while len(left) > 3:
        for i in range(len(left)):
            a, b, c = left[i - 1], left[i], left[(i + 1) % len(left)]
            if _is_ear(flat, a, b, c, left):
                break
        triangles.append((a, b, c))
        left.remove(b)
    return np.array([*triangles, tuple(left)], np.int32)


def _is_ear(flat: np.ndarray, a: int, b: int, c: int, left: list[int]) -> bool:
    if _turns(flat[a], flat[b], flat[c]) <= 1e-12:
        return False
    return not any(
        _turns(flat[a], flat[b], flat[p]) >= 0 and _turns(flat[b], flat[c], flat[p]) >= 0 and _turns(flat[c], flat[a], flat[p]) >= 0
        for p in left
        if p not in (a, b, c)
    )


def _turns(o: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    return float((a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]))
