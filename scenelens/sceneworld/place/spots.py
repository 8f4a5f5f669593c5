"""Places that things take: their box in the picture, their footprint on the ground, what they hide.

Hundreds of places are tried for a picture, so all of this is plain arithmetic on floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["FRAME", "Box", "Foot", "Spot", "covered", "footprint", "in_frame", "near", "overlap", "screen_box", "share_wall"]

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
Foot = tuple[float, float, float, float, float, float]  # x, z, half width, half depth, cos, sin of the turn
FRAME: Box = (0.0, 0.0, 227.0, 227.0)  # the whole picture


@dataclass(slots=True)
class Spot:
    """Where one instance was put.

    screen : its box in the picture.  depth : metres ahead of the viewer.  foot : None if it stands on nothing.
    wall, stretch : the wall it hangs on, and (left, low, right, high) on that wall in metres.
    flat : a rug or the like, which others may stand on.  solid : how much of its box it really fills, 0 to 1.
    hidden : how much of it nearer things hide already; allowed : how much they may.
    """

    screen: Box
    depth: float
    foot: Foot | None = None
    wall: str = ""
    stretch: Box = (0.0, 0.0, 0.0, 0.0)
    flat: bool = False
    solid: float = 1.0
    hidden: float = 0.0
    allowed: float = 1.0


def footprint(x: float, z: float, width: float, depth: float, ry: float) -> Foot:
    """The ground that a thing at (x, z), turned by ry degrees, stands on."""
    a = math.radians(ry)
    return x, z, width / 2, depth / 2, math.cos(a), math.sin(a)


def overlap(a: Foot, b: Foot, gap: float) -> bool:
    """Whether two footprints come nearer than `gap` metres: separating axes of two turned rectangles.

    >>> overlap(footprint(0, 0, 2, 1, 0), footprint(0, 1.2, 2, 1, 0), gap=0.1)
    False
    >>> overlap(footprint(0, 0, 2, 1, 0), footprint(0, 1.2, 2, 1, 45), gap=0.1)
    True
    """
    xa, za, wa, da, ca, sa = a
    xb, zb, wb, db, cb, sb = b
    x, z = xb - xa, zb - za
    reach = wa + da + wb + db + 2 * abs(gap)  # farther apart, one of the four axes separates them
    if x * x + z * z >= reach * reach:
        return False
    cos, sin = abs(ca * cb + sa * sb), abs(sa * cb - ca * sb)
    return not (
        abs(x * ca - z * sa) >= wa + wb * cos + db * sin + gap
        or abs(x * sa + z * ca) >= da + wb * sin + db * cos + gap
        or abs(x * cb - z * sb) >= wb + wa * cos + da * sin + gap
        or abs(x * sb + z * cb) >= db + wa * sin + da * cos + gap
    )


def share_wall(a: Spot, b: Spot, gap: float) -> bool:
    """Whether two things on the same wall come nearer than `gap` metres."""
    return a.wall == b.wall and near(a.stretch, b.stretch, gap)


def near(p: Box, q: Box, gap: float) -> bool:
    """Whether two stretches of a wall come nearer than `gap` metres."""
    return p[0] < q[2] + gap and q[0] < p[2] + gap and p[1] < q[3] + gap and q[1] < p[3] + gap


def screen_box(view: tuple[float, ...], foot: Foot, y: float, high: float) -> tuple[Box, float] | tuple[None, float]:
    """The box in the picture about a block over a footprint from height y up, and its distance ahead.

    (None, 0.0) for what is beside or behind the viewer.  `view` is `Stage.view`.
    """
    rx, rz, ux, uy, uz, ax, ay, az, ex, ey, ez, focal = view
    x, z, w, d, c, s = foot
    dx, dy, dz = x - ex, y - ey, z - ez
    right, up, ahead = rx * dx + rz * dz, ux * dx + uy * dy + uz * dz, ax * dx + ay * dy + az * dz
    # the half sides of the block, (w c, -w s) and (d s, d c) on the ground, as the camera sees them
    wr, wu, wa = w * (rx * c - rz * s), w * (ux * c - uz * s), w * (ax * c - az * s)
    dr, du, da = d * (rx * s + rz * c), d * (ux * s + uz * c), d * (ax * s + az * c)
    columns: list[float] = []
    rows: list[float] = []
    for p, q in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        r, u, a = right + p * wr + q * dr, up + p * wu + q * du, ahead + p * wa + q * da
        top = a + ay * high
        if a < 0.4 or top < 0.4:
            return None, 0.0
        columns += (r / a, r / top)
        rows += (u / a, (u + uy * high) / top)
    left, low, wide, tall = min(columns), min(rows), max(columns), max(rows)
    return (113.5 + focal * left, 113.5 - focal * tall, 113.5 + focal * wide, 113.5 - focal * low), ahead


def covered(box: Box, by: Box) -> float:
    """Share of a box covered by another.

    >>> covered((0, 0, 10, 10), by=(5, 0, 20, 20))
    0.5
    """
    left, top, right, bottom = box
    width = (right if right < by[2] else by[2]) - (left if left > by[0] else by[0])
    height = (bottom if bottom < by[3] else by[3]) - (top if top > by[1] else by[1])
    if width <= 0.0 or height <= 0.0:
        return 0.0
    return width * height / ((right - left) * (bottom - top))


def in_frame(box: Box) -> float:
    """Share of a box that lies in the picture."""
    return covered(box, FRAME)
