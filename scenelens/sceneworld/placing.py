"""Where objects go: against walls, on tables, at the depth where they can be seen.

Positions are drawn and tried: an instance is put where it neither stands in another one nor hides it.
What finds no place after a number of tries is left out and named, so that the world's table can be held
against what the pictures really show.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from scenelens.sceneworld.registry import OBJECTS
from scenelens.sceneworld.stages import Stage
from scenelens.sceneworld.world import Placed

TRIES = 48
TALLEST = 0.8  # nothing on the floor may fill more than this share of the picture's height
HIDDEN = 0.7  # an object may be hidden by a nearer one up to this share of its box
OUTDOOR_ONLY = ("ground", "water", "far", "sky")
INDOOR_ONLY = ("ceiling", "on_wall", "against_wall", "on_top")
BESIDE = {"chair": ("table", "desk", "counter", "piano"), "computer": ("desk",)}


@dataclass
class Spot:
    """Where one instance was put: its box in the picture and its footprint on the ground, in metres."""

    name: str
    screen: tuple[float, float, float, float]  # left, top, right, bottom in pixels
    depth: float
    foot: tuple[float, float, float, float] | None  # x0, z0, x1, z1; None if it stands on nothing
    wall: str = ""
    flat: bool = False


@dataclass
class Layout:
    """The places taken in one picture so far."""

    stage: Stage
    rng: random.Random
    spots: list[Spot] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    used_tops: list[tuple[float, float, float, float]] = field(default_factory=list)  # x, y, z, radius


def choose_look(name: str, indoor: bool, rng: random.Random) -> str:
    """An appearance of the object that belongs indoors or outdoors; any, if none does."""
    known = OBJECTS[name]
    foreign = OUTDOOR_ONLY if indoor else INDOOR_ONLY
    fitting = [look for look in known.looks if known.places[look] not in foreign]
    if not indoor:  # a street lamp rather than a floor lamp
        fitting = [look for look in fitting if known.places[look] in OUTDOOR_ONLY] or fitting
    return rng.choice(fitting or list(known.looks))


def _named(name: str, indoor: bool, rng: random.Random) -> tuple[str, str]:
    """(object, look) of a name such as 'tent/camping', or of 'tent' with a look drawn."""
    head, _, look = name.partition("/")
    return head, look or choose_look(head, indoor, rng)


def place_all(stage: Stage, names: list[str], rng: random.Random) -> Layout:
    """Put the named objects on the stage, the big ones first, small things on top of them last."""
    layout = Layout(stage, rng)
    chosen = [_named(name, stage.indoor, rng) for name in names]
    chosen.sort(key=lambda pair: _order(*pair), reverse=True)
    for name, look in chosen:
        put = _putter(OBJECTS[name].places[look], stage.indoor)
        if not put(layout, name, look):
            layout.left_out.append(name)
    return layout


def _order(name: str, look: str) -> tuple[int, float]:
    """What stands comes first, the big before the small; then what hangs; then what goes on top or beside."""
    width, height, depth = OBJECTS[name].sizes[look]
    rank = {"on_top": 0, "on_wall": 2}.get(OBJECTS[name].places[look], 3)
    return (1 if name in BESIDE and rank == 3 else rank, width * max(depth, 0.3) * max(height, 0.2))


def _putter(place: str, indoor: bool):
    if indoor:
        return {"against_wall": _against_wall, "on_wall": _on_wall, "on_top": _on_top, "ceiling": _on_ceiling}.get(place, _on_floor)
    return {"sky": _in_sky, "water": _on_water, "far": _far}.get(place, _on_ground)


# ------------------------------------------------------------------------------------------- the checks


def _size(layout: Layout, name: str, look: str) -> tuple[float, float, float]:
    return OBJECTS[name].sizes[look]


def _turned(width: float, depth: float, ry: float) -> tuple[float, float]:
    """Sides of the axis-parallel box about a footprint turned by ry degrees."""
    c, s = abs(math.cos(math.radians(ry))), abs(math.sin(math.radians(ry)))
    return width * c + depth * s, width * s + depth * c


def _screen_box(stage: Stage, x: float, y: float, z: float, wide: float, high: float, deep: float):
    """The box (left, top, right, bottom) that encloses an upright block in the picture, and its depth."""
    (rx, ry, rz), (ux, uy, uz), (ax, ay, az) = stage.axes
    ex, ey, ez = stage.camera.eye
    left = top = math.inf
    right = bottom = -math.inf
    for sx in (-wide / 2, wide / 2):
        for sy in (0.0, high):
            for sz in (-deep / 2, deep / 2):
                dx, dy, dz = x + sx - ex, y + sy - ey, z + sz - ez
                ahead = ax * dx + ay * dy + az * dz
                if ahead < 0.4:  # beside or behind the viewer
                    return None, 0.0
                scale = stage.focal / ahead
                column = 113.5 + (rx * dx + ry * dy + rz * dz) * scale
                row = 113.5 - (ux * dx + uy * dy + uz * dz) * scale
                left, right = min(left, column), max(right, column)
                top, bottom = min(top, row), max(bottom, row)
    return (left, top, right, bottom), ax * (x - ex) + ay * (y - ey) + az * (z - ez)


def _covered(box, by) -> float:
    """Share of a box covered by another."""
    width = min(box[2], by[2]) - max(box[0], by[0])
    height = min(box[3], by[3]) - max(box[1], by[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / max(1e-6, (box[2] - box[0]) * (box[3] - box[1]))


def _in_frame(box, share: float) -> bool:
    return _covered(box, (0.0, 0.0, 227.0, 227.0)) >= share


def _clash(a, b, gap: float) -> bool:
    return a[0] < b[2] + gap and b[0] < a[2] + gap and a[1] < b[3] + gap and b[1] < a[3] + gap


def _free(layout: Layout, spot: Spot, gap: float = 0.02) -> bool:
    """Whether a spot stands in nothing, hides nothing and can be seen."""
    hidden = 0.0
    for other in layout.spots:
        if spot.foot and other.foot and not spot.flat and not other.flat and _clash(spot.foot, other.foot, gap):
            return False
        if spot.flat and other.flat and spot.foot and other.foot and _clash(spot.foot, other.foot, gap):
            return False
        if spot.wall and spot.wall == other.wall and _clash(spot.screen, other.screen, 3.0):
            return False
        if other.depth < spot.depth:
            hidden += _covered(spot.screen, other.screen)
        elif _covered(other.screen, spot.screen) > HIDDEN and not spot.flat:
            return False
    return hidden <= HIDDEN or spot.flat


def _put(layout: Layout, name: str, look: str, at, ry: float, spot: Spot, scale: float = 1.0) -> bool:
    seed = layout.rng.randrange(1 << 30)
    layout.placed.append(layout.stage.world.add(f"{name}/{look}" if len(OBJECTS[name].looks) > 1 else name, at, ry, scale, seed=seed))
    layout.spots.append(spot)
    return True


# --------------------------------------------------------------------------------------------- indoors


def _try_floor(layout: Layout, name: str, look: str, x: float, z: float, ry: float, wall: str = "", frame: float = 0.72) -> bool:
    stage, (width, height, depth) = layout.stage, _size(layout, name, look)
    wide, deep = _turned(width, depth, ry)
    if not wall and stage.indoor and (abs(x) + wide / 2 > stage.width / 2 or z + deep / 2 > stage.depth):
        return False
    box, away = _screen_box(stage, x, 0, z, wide, height, deep)
    if box is None or not _in_frame(box, frame) or box[3] - box[1] > TALLEST * 227:
        return False
    foot = (x - wide / 2, z - deep / 2, x + wide / 2, z + deep / 2)
    spot = Spot(name, box, away, foot, wall, flat=height < 0.06)
    return _free(layout, spot) and _put(layout, name, look, (x, 0.0, z), ry, spot)


def _against_wall(layout: Layout, name: str, look: str) -> bool:
    stage, rng, (width, _, depth) = layout.stage, layout.rng, _size(layout, name, look)
    for _ in range(TRIES):
        wall = rng.choice(["back", "back", "back", "left", "right"])
        if wall == "back":
            x, z, ry = rng.uniform(-1, 1) * (stage.width - width) / 2, stage.depth - depth / 2 - 0.03, 0.0
        else:
            side = -1 if wall == "left" else 1
            x, z, ry = side * (stage.width / 2 - depth / 2 - 0.03), rng.uniform(0.9, stage.depth - width / 2), 90.0 * side
        if _try_floor(layout, name, look, x, z, ry, wall, 0.6):
            return True
    return False


def _on_wall(layout: Layout, name: str, look: str) -> bool:
    stage, rng, (width, height, depth) = layout.stage, layout.rng, _size(layout, name, look)
    for _ in range(TRIES):
        wall = rng.choice(["back", "back", "left", "right"])
        low = rng.uniform(0.95, max(1.0, min(1.55, stage.height - height - 0.2)))
        if wall == "back":
            x, z, ry = rng.uniform(-1, 1) * (stage.width - width) / 2, stage.depth - 0.01, 0.0
        else:
            side = -1 if wall == "left" else 1
            x, z, ry = side * (stage.width / 2 - 0.01), rng.uniform(1.2, stage.depth - width / 2 - 0.1), 90.0 * side
        wide, deep = _turned(width, depth, ry)
        box, away = _screen_box(stage, x, low, z, wide, height, deep)
        if box is not None and _in_frame(box, 0.7):
            spot = Spot(name, box, away, None, wall)
            if _free(layout, spot):
                return _put(layout, name, look, (x, low, z), ry, spot)
    return False


def _on_floor(layout: Layout, name: str, look: str) -> bool:
    stage, rng = layout.stage, layout.rng
    if name in BESIDE and _beside(layout, name, look):
        return True
    for _ in range(TRIES):
        ry = rng.gauss(0, 35) if _size(layout, name, look)[1] > 0.06 else rng.gauss(0, 8)
        x, z = rng.uniform(-0.5, 0.5) * stage.width, rng.uniform(0.6, stage.depth - 0.3)
        if _try_floor(layout, name, look, x, z, ry):
            return True
    return False


def _beside(layout: Layout, name: str, look: str) -> bool:
    """Beside a table, facing it."""
    hosts = [o for o in layout.placed if o.name in BESIDE[name]]
    for _ in range(TRIES // 3 if hosts else 0):
        host = layout.rng.choice(hosts)
        width, _, depth = _size(layout, host.name, host.look)
        a = math.radians(layout.rng.choice([0, 90, 180, 270]) + layout.rng.gauss(0, 12) + host.ry)
        reach = 0.34 + (width * abs(math.sin(a)) + depth * abs(math.cos(a))) / 2
        x, z = host.at[0] + reach * math.sin(a), host.at[2] - reach * math.cos(a)
        if _try_floor(layout, name, look, x, z, math.degrees(math.atan2(x - host.at[0], z - host.at[2])) + layout.rng.gauss(0, 10)):
            return True
    return False


def _on_top(layout: Layout, name: str, look: str) -> bool:
    """On a table, a shelf or a cupboard with room on it; else on the floor."""
    width, height, depth = _size(layout, name, look)
    need = max(width, depth) / 2
    tops = [top for o in layout.placed for top in o.tops if min(top.width, top.depth) > 0.8 * need]
    for _ in range(TRIES if tops else 0):
        top = layout.rng.choice(tops)
        x = top.centre[0] + layout.rng.uniform(-0.5, 0.5) * max(0.0, min(top.width, top.depth * 3) - width)
        z = top.centre[2] + layout.rng.uniform(-0.5, 0.5) * max(0.0, top.depth - depth)
        y = top.centre[1]
        if any(abs(y - v) < 0.3 and math.hypot(x - u, z - w) < 0.8 * (need + r) for u, v, w, r in layout.used_tops):
            continue
        box, away = _screen_box(layout.stage, x, y, z, width, height, depth)
        if box is None or not _in_frame(box, 0.8):
            continue
        spot = Spot(name, box, away, None)
        if _free(layout, spot):
            layout.used_tops.append((x, y, z, need))
            return _put(layout, name, look, (x, y, z), layout.rng.gauss(0, 20), spot)
    return _on_floor(layout, name, look)


def _on_ceiling(layout: Layout, name: str, look: str) -> bool:
    stage, (width, height, depth) = layout.stage, _size(layout, name, look)
    for _ in range(TRIES):
        x, z = layout.rng.uniform(-0.35, 0.35) * stage.width, layout.rng.uniform(1.8, stage.depth - 0.8)
        box, away = _screen_box(stage, x, stage.height - height, z, width, height, depth)
        if box is not None and _in_frame(box, 0.75):
            spot = Spot(name, box, away, None, "ceiling")
            if _free(layout, spot):
                return _put(layout, name, look, (x, stage.height, z), 0.0, spot)
    return False


# -------------------------------------------------------------------------------------------- outdoors


def _depth_for(stage: Stage, size, share: float, low: float) -> float:
    """How far away an object must stand to take a share of the picture's height (or width)."""
    extent = max(size[1], 0.75 * size[0])
    return max(low, extent * stage.focal / (share * 227))


def _stand(layout: Layout, name: str, look: str, shares, nearest: float, turn: float, span=None) -> bool:
    stage, rng, size = layout.stage, layout.rng, _size(layout, name, look)
    nearest = max(nearest, stage.nearest + size[2] / 2)
    for i in range(TRIES):  # the foreground fills up: later tries go farther away
        z = _depth_for(stage, size, rng.uniform(*shares), nearest) * rng.uniform(1.0, 1.25 + 1.5 * i / TRIES)
        if span is not None:
            z = min(max(z, span[0] + size[2] / 2 + 0.3), span[1])
        z = min(z, 55.0)
        x = rng.uniform(-0.5, 0.5) * stage.camera.width_at(z) * 0.95
        ry = rng.gauss(0, turn) + (180 if name in ("car", "truck", "bus", "boat", "bicycle") and rng.random() < 0.5 else 0)
        if _try_floor(layout, name, look, x, z, ry):
            return True
    return False


def _on_ground(layout: Layout, name: str, look: str) -> bool:
    width, height, _ = _size(layout, name, look)
    extent = max(height, 0.75 * width)
    shares = (0.09, 0.24) if extent < 0.8 else (0.18, 0.44) if extent < 2.2 else (0.30, 0.62)
    return _stand(layout, name, look, shares, 3.2, 32)


def _far(layout: Layout, name: str, look: str) -> bool:
    return _stand(layout, name, look, (0.36, 0.72), 8.0, 16)


def _on_water(layout: Layout, name: str, look: str) -> bool:
    """Afloat where there is water; else drawn up on the shore."""
    return _stand(layout, name, look, (0.18, 0.5), 4.0, 30, layout.stage.water)


def _in_sky(layout: Layout, name: str, look: str) -> bool:
    stage, rng, size = layout.stage, layout.rng, _size(layout, name, look)
    for _ in range(TRIES):
        z = _depth_for(stage, size, rng.uniform(0.12, 0.3), 10.0)
        x = rng.uniform(-0.45, 0.45) * stage.camera.width_at(z)
        y = stage.camera.eye[1] + rng.uniform(0.1, 0.32) * stage.camera.width_at(z)
        box, away = _screen_box(stage, x, y, z, *size)
        if box is not None and _in_frame(box, 0.85):
            spot = Spot(name, box, away, None, "sky")
            if _free(layout, spot):
                return _put(layout, name, look, (x, y, z), rng.gauss(0, 30), spot)
    return False
