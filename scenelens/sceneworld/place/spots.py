"""Rectangles on the ground, in the picture and on a wall: when two of them meet, and how much one covers the other.

Plain arithmetic on floats.  `fits` compiles these functions, because hundreds of places are tried for a picture.
"""

from __future__ import annotations

import math

__all__ = ["FRAME", "Box", "Foot", "covered", "footprint", "near", "overlap"]

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels; on a wall left, low, right, high in metres
Foot = tuple[float, float, float, float, float, float]  # x, z, half width, half depth, cos, sin of the turn
FRAME: Box = (0.0, 0.0, 227.0, 227.0)  # the whole picture


def footprint(x: float, z: float, width: float, depth: float, ry: float) -> Foot:
    """The rectangle on the ground that an object stands on.

    Parameters
    ----------
    x, z : float
        Its middle in metres.
    width, depth : float
        Its sides in metres, before it is turned.
    ry : float
        Its turn about the vertical axis in degrees.

    Returns
    -------
    tuple of float
        Middle (x, z), half width, half depth, cosine and sine of the turn: computed once, used in many comparisons.
    """
    a = math.radians(ry)
    return x, z, width / 2, depth / 2, math.cos(a), math.sin(a)


def overlap(a: Foot, b: Foot, gap: float) -> bool:
    """Whether two footprints come nearer to each other than a gap.

    Two convex shapes are apart exactly if a straight line separates them; for rectangles it is enough to try the
    directions of their four sides (the separating axis theorem).

    Parameters
    ----------
    a, b : tuple of float
        Two footprints.
    gap : float
        Required distance in metres; negative values allow some overlap.

    Returns
    -------
    bool
        True if they are too near.

    Examples
    --------
    >>> overlap(footprint(0, 0, 2, 1, 0), footprint(0, 1.2, 2, 1, 0), gap=0.1)
    False
    >>> overlap(footprint(0, 0, 2, 1, 0), footprint(0, 1.2, 2, 1, 45), gap=0.1)
    True
    """
    xa, za, wa, da, ca, sa = a
    xb, zb, wb, db, cb, sb = b
    x, z = xb - xa, zb - za
    # Most pairs are far apart. Beyond the sum of all half sides one of the four axes certainly separates them, so that
    # they need no products of their turns.
    reach = wa + da + wb + db + 2 * abs(gap)
    if x * x + z * z >= reach * reach:
        return False
    # Cosine and sine of the angle between the two rectangles. By symmetry only their magnitudes matter.
    cos, sin = abs(ca * cb + sa * sb), abs(sa * cb - ca * sb)
    # On each axis: the distance of the middles against the sum of the half extents.
    return not (
        abs(x * ca - z * sa) >= wa + wb * cos + db * sin + gap
        or abs(x * sa + z * ca) >= da + wb * sin + db * cos + gap
        or abs(x * cb - z * sb) >= wb + wa * cos + da * sin + gap
        or abs(x * sb + z * cb) >= db + wa * sin + da * cos + gap
    )


def near(p: Box, q: Box, gap: float) -> bool:
    """Whether two rectangles on a wall come nearer to each other than a gap.

    Parameters
    ----------
    p, q : tuple of float
        (left, low, right, high) in metres.
    gap : float
        Required distance in metres.

    Returns
    -------
    bool
        True if they are too near.
    """
    return p[0] < q[2] + gap and q[0] < p[2] + gap and p[1] < q[3] + gap and q[1] < p[3] + gap


def covered(box: Box, by: Box) -> float:
    """Share of a box that another box covers.

    Parameters
    ----------
    box : tuple of float
        The box; its area must not be 0.
    by : tuple of float
        The other box.

    Returns
    -------
    float
        Share, 0..1.

    Examples
    --------
    >>> covered((0, 0, 10, 10), by=(5, 0, 20, 20))
    0.5
    """
    left, top, right, bottom = box
    width = (right if right < by[2] else by[2]) - (left if left > by[0] else by[0])
    height = (bottom if bottom < by[3] else by[3]) - (top if top > by[1] else by[1])
    if width <= 0.0 or height <= 0.0:
        return 0.0
    return width * height / ((right - left) * (bottom - top))
