"""Frames: where things lie in space, as 3x4 affine maps.

A map is a plain tuple of 12 floats, and every product is written out: a picture needs thousands of products, and for
matrices this small NumPy would spend its time on calls.
"""

from __future__ import annotations

import math
from functools import lru_cache

__all__ = ["IDENTITY", "Affine", "between", "compose", "move", "move_stretch", "point", "pose", "rotation", "stretch"]

Affine = tuple[float, ...]  # rows (a00 a01 a02 a03), (a10 ...), (a20 ...)
Point = tuple[float, float, float]
IDENTITY: Affine = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def compose(a: Affine, b: Affine) -> Affine:
    """The map that applies b first, then a.

    Parameters
    ----------
    a, b : tuple of float
        Two maps.

    Returns
    -------
    tuple of float
        Their product a b.
    """
    a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, aa, ab = a
    b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, ba, bb = b
    return (
        a0 * b0 + a1 * b4 + a2 * b8, a0 * b1 + a1 * b5 + a2 * b9, a0 * b2 + a1 * b6 + a2 * ba, a0 * b3 + a1 * b7 + a2 * bb + a3,
        a4 * b0 + a5 * b4 + a6 * b8, a4 * b1 + a5 * b5 + a6 * b9, a4 * b2 + a5 * b6 + a6 * ba, a4 * b3 + a5 * b7 + a6 * bb + a7,
        a8 * b0 + a9 * b4 + aa * b8, a8 * b1 + a9 * b5 + aa * b9, a8 * b2 + a9 * b6 + aa * ba, a8 * b3 + a9 * b7 + aa * bb + ab,
    )  # fmt: skip


def move(a: Affine, x: float, y: float, z: float) -> Affine:
    """The map that shifts first, then applies a.

    Parameters
    ----------
    a : tuple of float
        A map.
    x, y, z : float
        The shift.

    Returns
    -------
    tuple of float
        The map.
    """
    a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, aa, ab = a
    return (
        a0, a1, a2, a0 * x + a1 * y + a2 * z + a3,
        a4, a5, a6, a4 * x + a5 * y + a6 * z + a7,
        a8, a9, aa, a8 * x + a9 * y + aa * z + ab,
    )  # fmt: skip


def stretch(a: Affine, x: float, y: float, z: float) -> Affine:
    """The map that scales the axes first, then applies a.

    Parameters
    ----------
    a : tuple of float
        A map.
    x, y, z : float
        Factors on the axes.

    Returns
    -------
    tuple of float
        The map.
    """
    a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, aa, ab = a
    return (a0 * x, a1 * y, a2 * z, a3, a4 * x, a5 * y, a6 * z, a7, a8 * x, a9 * y, aa * z, ab)


def move_stretch(a: Affine, at: Point, sides: Point) -> Affine:
    """The map that scales the axes, then shifts, then applies a: `stretch(move(a, *at), *sides)` in one step.

    Parameters
    ----------
    a : tuple of float
        A map.
    at : tuple of float
        The shift.
    sides : tuple of float
        Factors on the axes.

    Returns
    -------
    tuple of float
        The map.
    """
    a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, aa, ab = a
    x, y, z = at
    sx, sy, sz = sides
    return (
        a0 * sx, a1 * sy, a2 * sz, a0 * x + a1 * y + a2 * z + a3,
        a4 * sx, a5 * sy, a6 * sz, a4 * x + a5 * y + a6 * z + a7,
        a8 * sx, a9 * sy, aa * sz, a8 * x + a9 * y + aa * z + ab,
    )  # fmt: skip


@lru_cache(maxsize=4096)
def rotation(rx: float, ry: float, rz: float) -> Affine:
    """A turn: first about z, then about x, then about y.

    Results are cached, because objects use few different angles.

    Parameters
    ----------
    rx : float
        Degrees about the x axis; positive tips away from the viewer.
    ry : float
        Degrees about the y axis; positive turns to the right.
    rz : float
        Degrees about the z axis; positive tips to the left.

    Returns
    -------
    tuple of float
        The map.
    """
    cx, sx = math.cos(math.radians(rx)), math.sin(math.radians(rx))
    cy, sy = math.cos(math.radians(ry)), math.sin(math.radians(ry))
    cz, sz = math.cos(math.radians(rz)), math.sin(math.radians(rz))
    return (
        cy * cz + sy * sx * sz, -cy * sz + sy * sx * cz, sy * cx, 0.0,
        cx * sz, cx * cz, -sx, 0.0,
        -sy * cz + cy * sx * sz, sy * sz + cy * sx * cz, cy * cx, 0.0,
    )  # fmt: skip


def pose(at: Point = (0, 0, 0), ry: float = 0.0, scale: float = 1.0) -> Affine:
    """The frame of an object: scaled, turned about the vertical axis, put at a place.

    Parameters
    ----------
    at : tuple of float, optional
        The place (default the origin).
    ry : float, optional
        Degrees about the y axis (default 0).
    scale : float, optional
        Factor on all sizes (default 1).

    Returns
    -------
    tuple of float
        The map.
    """
    c, s = math.cos(math.radians(ry)) * scale, math.sin(math.radians(ry)) * scale
    return (c, 0.0, s, at[0], 0.0, scale, 0.0, at[1], -s, 0.0, c, at[2])


def between(start: Point, stop: Point) -> tuple[Affine, float]:
    """The frame of a thing that reaches from one point to another, its y axis along the way.

    Parameters
    ----------
    start, stop : tuple of float
        The two points.

    Returns
    -------
    frame : tuple of float
        A turn and a shift, without scaling.
    length : float
        Distance of the points, at least a tiny positive number.
    """
    x0, y0, z0 = start
    x1, y1, z1 = stop
    x, y, z = x1 - x0, y1 - y0, z1 - z0
    length = math.sqrt(x * x + y * y + z * z) or 1e-6
    ux, uy, uz = x / length, y / length, z / length
    # The x axis is chosen level. For a vertical thing every level direction is right, and the formula would divide by 0.
    if abs(uy) > 0.999:
        sx, sy, sz = 1.0, 0.0, 0.0
    else:
        k = 1.0 / math.sqrt(ux * ux + uz * uz)
        sx, sy, sz = uz * k, 0.0, -ux * k
    tx, ty, tz = sy * uz - sz * uy, sz * ux - sx * uz, sx * uy - sy * ux
    return (sx, ux, tx, x0, sy, uy, ty, y0, sz, uz, tz, z0), length


def point(a: Affine, p: Point) -> Point:
    """Where a map takes a point.

    Parameters
    ----------
    a : tuple of float
        The map.
    p : tuple of float
        The point.

    Returns
    -------
    tuple of float
        The point's new place.
    """
    x, y, z = p
    return (
        a[0] * x + a[1] * y + a[2] * z + a[3],
        a[4] * x + a[5] * y + a[6] * z + a[7],
        a[8] * x + a[9] * y + a[10] * z + a[11],
    )
