"""Where things go in a room: against walls and on them, on the floor, on tables, under the ceiling.

Each function tries places for one thing and says whether it found one.
"""

from __future__ import annotations

import math

from scenelens.sceneworld.layout import Layout, Round, Thing, try_place
from scenelens.sceneworld.registry import OBJECTS
from scenelens.sceneworld.world import Placed, Top

__all__ = ["against_wall", "on_ceiling", "on_floor", "on_top", "on_wall"]

BESIDE = {"chair": ("table", "desk", "counter", "piano")}
FRONT_ONLY = ("desk", "counter", "piano")  # one sits at their front


def _wall_place(layout: Layout, width: float, off: float) -> tuple[str, float, float, float]:
    """A wall (back, left, right) and x, z, ry of a thing whose middle is `off` metres before it."""
    stage, rng = layout.stage, layout.rng
    wall = rng.choice(("back", "back", "left", "right"))
    side = -1 if wall == "left" else 1
    first, last = stage.wall_from(side) + 0.2 * width, stage.depth - width / 2 - 0.05
    if wall == "back" or first > last:
        return "back", rng.uniform(-1, 1) * max(0.0, stage.width - width - 0.06) / 2, stage.depth - off, 0.0
    return wall, side * (stage.width / 2 - off), rng.uniform(first, last), 90.0 * side


def against_wall(layout: Layout, thing: Thing, r: Round) -> bool:
    """Standing with its back to a wall."""
    width, _, depth = (r.scale * side for side in thing.size)
    for _ in range(r.tries):
        wall, x, z, ry = _wall_place(layout, width, depth / 2 + 0.03)
        if try_place(layout, thing, r, (x, 0.0, z), ry, r.scale, wall, frame=0.85):
            return True
    return False


def on_wall(layout: Layout, thing: Thing, r: Round) -> bool:
    """Hung on a wall, its middle about as high as the eyes."""
    width, height, _ = (r.scale * side for side in thing.size)
    room = layout.stage.height - height - 0.12
    for _ in range(r.tries):
        wall, x, z, ry = _wall_place(layout, width, 0.01)
        low = min(layout.rng.uniform(1.5, 1.85) - height / 2, room)
        if try_place(layout, thing, r, (x, low, z), ry, r.scale, wall, stands=False, frame=0.9):
            return True
    return False


def on_floor(layout: Layout, thing: Thing, r: Round) -> bool:
    """Standing free in the room; a chair rather beside a table."""
    stage, rng = layout.stage, layout.rng
    if thing.name in BESIDE and _beside(layout, thing, r):
        return True
    turn = 6 if thing.size[1] < 0.06 else 14 if max(thing.size) > 1.9 else 32
    bulky = min(thing.size) > 1.2  # a piano or drums leave room before and beside them
    first = 0.5 * stage.depth if bulky else 0.7
    for _ in range(r.tries):
        z = rng.uniform(first, stage.depth - 0.1 - r.scale * thing.size[2] / 2)
        half = min(stage.width / 2, 0.92 * stage.seen_half(z)) - 0.3 * thing.size[0]
        x = rng.choice((-half, half)) * rng.uniform(0.4, 1) if bulky else rng.uniform(-half, half)
        if try_place(layout, thing, r, (x, 0.0, z), rng.gauss(0, turn), r.scale):
            return True
    return False


def _beside(layout: Layout, thing: Thing, r: Round) -> bool:
    """Beside a table, facing it; at a desk or a piano before its front."""
    rng, hosts = layout.rng, [o for o in layout.placed if o.name in BESIDE[thing.name]]
    for _ in range(r.tries // 2 if hosts else 0):
        host = rng.choice(hosts)
        width, _, depth = OBJECTS[host.name].sizes[host.look]
        a = math.radians((0 if host.name in FRONT_ONLY else rng.choice((0, 90, 180, 270))) + rng.gauss(0, 10))
        reach = 0.36 + (width * abs(math.sin(a)) + depth * abs(math.cos(a))) / 2 * host.scale
        x, z = _turned(reach * math.sin(a), -reach * math.cos(a), host.ry)
        facing = math.degrees(math.atan2(x, z)) + rng.gauss(0, 8)
        if try_place(layout, thing, r, (host.at[0] + x, 0.0, host.at[2] + z), facing, r.scale):
            return True
    return False


def _turned(x: float, z: float, ry: float) -> tuple[float, float]:
    """A point of an object's own ground after the object is turned by ry degrees."""
    c, s = math.cos(math.radians(ry)), math.sin(math.radians(ry))
    return x * c + z * s, z * c - x * s


def on_top(layout: Layout, thing: Thing, r: Round) -> bool:
    """On a table, a shelf or a cupboard with room on it; else on the floor."""
    rng, (width, _, depth) = layout.rng, (r.scale * side for side in thing.size)
    pairs = zip(layout.placed, layout.spots, strict=True)
    tops = [(o, spot, top) for o, spot in pairs for top in o.tops if _carries(o, top, thing, width, depth)]
    for _ in range(r.tries if tops else 0):
        host, below, top = rng.choice(tops)
        x, z = _turned(
            rng.uniform(-0.5, 0.5) * max(0.0, top.width - width),
            rng.uniform(-0.5, 0.5) * (top.depth - depth) if depth < top.depth else (top.depth - depth) / 2,
            host.ry,
        )
        x, y, z = top.centre[0] + x, top.centre[1] + 0.008, top.centre[2] + z
        need = 0.42 * (width + depth) / 2 if r.scale < 1 else 0.5 * max(width, depth)
        if any(abs(y - v) < 0.3 and math.hypot(x - u, z - w) < need + n for u, v, w, n in layout.used_tops):
            continue
        turn = host.ry + rng.gauss(0, 5 if thing.name == "computer" else 20)
        if try_place(layout, thing, r, (x, y, z), turn, r.scale, stands=False, host=below):
            layout.used_tops.append((x, y, z, need))
            layout.placed[-1].parent = host.id
            return True
    return on_floor(layout, thing, r)


def _carries(host: Placed, top: Top, thing: Thing, width: float, depth: float) -> bool:
    """Whether a thing may stand on a top; a computer has its place on a desk, however full that is."""
    if thing.name == "computer" and host.name == "desk":
        return True
    return width < 1.25 * top.width and depth < 1.5 * top.depth


def on_ceiling(layout: Layout, thing: Thing, r: Round) -> bool:
    """Hung from the ceiling."""
    stage, rng = layout.stage, layout.rng
    for _ in range(r.tries):
        x, z = rng.uniform(-0.35, 0.35) * stage.width, rng.uniform(1.8, stage.depth - 0.8)
        if try_place(layout, thing, r, (x, stage.height, z), 0.0, r.scale, "ceiling", stands=False):
            return True
    return False
