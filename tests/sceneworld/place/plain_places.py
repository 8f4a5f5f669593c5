"""Places in plain Python: the oracle of the kernels in `scenelens.sceneworld.place`."""

from dataclasses import dataclass

from scenelens.sceneworld.place.layout import Layout
from scenelens.sceneworld.place.spots import FRAME, Box, Foot, covered, near

WALLS = ("", "back", "left", "right", "ceiling")


@dataclass
class Spot:
    """Where one instance was put.

    screen: its box in the picture. depth: metres ahead of the viewer. foot: None if it stands on nothing.
    wall, stretch: the wall it hangs on, and (left, low, right, high) on that wall in metres. flat: a rug or
    the like, on which others may stand. solid: how much of its box it fills, 0 to 1. hidden: how much of it
    nearer things hide; allowed: how much they may.
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


def spots_of(layout: Layout) -> list[Spot]:
    """The places of `layout.placed`, in the same order."""
    return [_spot(row) for row in layout._taken[: len(layout.placed)]]


def _spot(row) -> Spot:
    foot = tuple(row[name].item() for name in ("x", "z", "w", "d", "c", "s"))
    return Spot(
        tuple(row[name].item() for name in ("left", "top", "right", "bottom")),
        row["ahead"].item(),
        foot if row["stands"] else None,
        WALLS[int(row["wall"])],
        tuple(row[name].item() for name in ("start", "low", "stop", "high")),
        bool(row["flat"]),
        *(row[name].item() for name in ("solid", "hidden", "allowed")),
    )


def share_wall(a: Spot, b: Spot, gap: float) -> bool:
    """Whether two things on the same wall come nearer than `gap` metres."""
    return a.wall == b.wall and near(a.stretch, b.stretch, gap)


def in_frame(box: Box) -> float:
    """Share of a box that lies in the picture."""
    return covered(box, FRAME)


def screen_box(
    view: tuple[float, ...], foot: Foot, y: float, high: float
) -> tuple[Box, float] | tuple[None, float]:
    """The box in the picture about a block over a footprint from height y up, and its distance ahead.

    (None, 0.0) for what is next to or behind the viewer. `view` is `Stage.view`.
    """
    rx, rz, ux, uy, uz, ax, ay, az, ex, ey, ez, focal = view
    x, z, w, d, c, s = foot
    dx, dy, dz = x - ex, y - ey, z - ez
    right, up, ahead = rx * dx + rz * dz, ux * dx + uy * dy + uz * dz, ax * dx + ay * dy + az * dz
    # the half sides of the block, (w c, -w s) and (d s, d c) on the ground, as the camera sees them
    wr, wu, wa = w * (rx * c - rz * s), w * (ux * c - uz * s), w * (ax * c - az * s)
    dr, du, da = d * (rx * s + rz * c), d * (ux * s + uz * c), d * (ax * s + az * c)
    columns, rows = [], []
    for p, q in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        r, u, a = right + p * wr + q * dr, up + p * wu + q * du, ahead + p * wa + q * da
        top = a + ay * high
        if a < 0.4 or top < 0.4:
            return None, 0.0
        columns += (r / a, r / top)
        rows += (u / a, (u + uy * high) / top)
    left, low, wide, tall = min(columns), min(rows), max(columns), max(rows)
    return (113.5 + focal * left, 113.5 - focal * tall, 113.5 + focal * wide, 113.5 - focal * low), ahead
