"""Where objects go: against walls, on tables, at the depth where they can be seen.

Places are drawn and tried: an instance is put where it neither stands in another one nor hides it. What
finds no place at first is tried again when all else stands, closer to its neighbours and a little smaller;
what finds none then is left out and named, so that the world's table can be held against the pictures.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from scenelens.sceneworld.registry import OBJECTS
from scenelens.sceneworld.spots import Spot, covered, footprint, in_frame, overlap, screen_box, share_wall
from scenelens.sceneworld.stages import Stage
from scenelens.sceneworld.world import Placed

__all__ = ["Layout", "choose_look", "place_all"]

TALLEST = {"indoor": 0.62, "outdoor": 0.78, "wall": 0.76}  # share of the picture's height: not before one's nose
OUTDOOR_ONLY = ("ground", "water", "far", "sky")
INDOOR_ONLY = ("ceiling", "on_wall", "against_wall", "on_top")
BESIDE = {"chair": ("table", "desk", "counter", "piano")}
FRONT_ONLY = ("desk", "counter", "piano")  # one sits at their front
HOSTS = ("table", "desk", "counter", "piano", "fireplace")
VEHICLES = ("car", "truck", "bus", "boat", "bicycle")
TURNS = {"fence": 12.0, "train": 9.0, "airplane": 20.0, "bus": 18.0}  # degrees, where 32 would be too much
# how much of its box a thing fills, and how much of its footprint is in the way of others
SOLID = {
    "tree": 0.75, "parasol": 0.5, "swing": 0.3, "fence": 0.45, "scaffold": 0.4, "ferris_wheel": 0.5, "roller_coaster": 0.4,
    "crane": 0.3, "bicycle": 0.5, "chair": 0.5, "lamp": 0.35, "table": 0.5, "crib": 0.6, "traffic_light": 0.4, "sign": 0.6,
    "plant": 0.7, "person": 0.75, "deck_chair": 0.6, "desk": 0.7, "slide": 0.5, "lighthouse": 0.7,
}  # fmt: skip
FOOT = {"tree": 0.42, "parasol": 0.2, "crane": 0.45, "lamp": 0.7, "plant": 0.8, "bush": 0.85}


@dataclass(frozen=True)
class Round:
    """How strict a round of tries is: gap in metres, shares hidden and in the frame, and the size of things."""

    tries: int
    gap: float
    hidden: float
    frame: float
    scale: float


ROUNDS = (Round(16, 0.04, 0.5, 0.78, 1.0), Round(16, 0.01, 0.62, 0.66, 0.9), Round(22, -0.02, 0.72, 0.55, 0.8))


@dataclass
class Layout:
    """The places taken in one picture so far."""

    stage: Stage
    rng: random.Random
    spots: list[Spot] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    used_tops: list[tuple[float, float, float, float]] = field(default_factory=list)  # x, y, z, radius


@dataclass(eq=False)
class Thing:
    """An instance that looks for its place."""

    name: str
    look: str
    size: tuple[float, float, float]
    place: str


Putter = Callable[[Layout, Thing, Round], bool]


def place_all(stage: Stage, names: list[str], rng: random.Random, common: Collection[str] = ()) -> Layout:
    """Put the named objects on the stage: what tells the scene first, then what is `common`, small things last."""
    layout = Layout(stage, rng)
    things = [_thing(name, names, stage.indoor, rng) for name in names]
    things.sort(key=lambda thing: _order(thing, thing.name in common), reverse=True)
    telling = [thing for thing in things if thing.name not in common and _order(thing, False)[0] > 1]
    for group in (telling, [thing for thing in things if thing not in telling]):
        for strictness in ROUNDS:
            group = [thing for thing in group if not _putter(thing.place, stage.indoor)(layout, thing, strictness)]
        layout.left_out += [thing.name for thing in group]
    return layout


def choose_look(name: str, indoor: bool, rng: random.Random, hosts: bool = True) -> str:
    """An appearance of the object that belongs indoors or outdoors; any, if none does.

    hosts : whether anything is there for small things to stand on.
    """
    known = OBJECTS[name]
    foreign = OUTDOOR_ONLY if indoor else INDOOR_ONLY
    fitting = [look for look in known.looks if known.places[look] not in foreign]
    if not indoor:  # a street lamp rather than a floor lamp
        fitting = [look for look in fitting if known.places[look] in OUTDOOR_ONLY] or fitting
    if not hosts:
        fitting = [look for look in fitting if known.places[look] != "on_top"] or fitting
    return rng.choice(fitting or list(known.looks))


def _thing(name: str, names: list[str], indoor: bool, rng: random.Random) -> Thing:
    """What a name such as 'tent/camping' means; of 'tent' a look is drawn."""
    head, _, look = name.partition("/")
    look = look or choose_look(head, indoor, rng, any(host in names for host in HOSTS))
    known = OBJECTS[head]
    return Thing(head, look, known.sizes[look], known.places[look])


def _order(thing: Thing, common: bool) -> tuple[float, float]:
    """Standing things come first, the big before the small; then what hangs; then what goes beside or on top."""
    width, height, depth = thing.size
    rank = {"on_top": 0, "on_wall": 2 if width < 2 else 5, "against_wall": 4.4}.get(thing.place, 4)
    rank = 1 if thing.name in BESIDE else rank
    return rank - (0.5 if common else 0), width * max(depth, 0.3) * max(height, 0.2)


def _putter(place: str, indoor: bool) -> Putter:
    if indoor:
        known = {"against_wall": _against_wall, "on_wall": _on_wall, "on_top": _on_top, "ceiling": _on_ceiling}
        return known.get(place, _on_floor)
    return {"sky": _in_sky, "water": _on_water, "far": _far}.get(place, _on_ground)


# ------------------------------------------------------------------------------------------- trying a place


def _try(
    layout: Layout, thing: Thing, r: Round, at: tuple[float, float, float], ry: float, scale: float, wall: str = "",
    stands: bool = True, frame: float = 1.0, host: Spot | None = None,
) -> bool:  # fmt: skip
    """Put the thing there if it fits; cheap checks come first."""
    stage, (x, y, z) = layout.stage, at
    width, height, depth = (scale * side for side in thing.size)
    foot = footprint(x, z, width, depth, ry)
    room = 0.0 if wall else 0.03
    if stands and stage.indoor and not _inside(stage, foot, room):
        return False
    flat, share = height < 0.06, FOOT.get(thing.name, 1.0)
    ground = (x, z, foot[2] * share, foot[3] * share, foot[4], foot[5]) if stands else None
    if ground and any(o.foot and o.flat == flat and overlap(ground, o.foot, r.gap) for o in layout.spots):
        return False
    low = y - height if thing.place == "ceiling" else y
    box, ahead = screen_box(stage.view, foot, low, height)
    if box is None or in_frame(box) < r.frame * frame:
        return False
    if stands and box[3] - box[1] > TALLEST["wall" if wall else stage.setting] * 227:
        return False
    spot = Spot(box, ahead, ground, wall, flat=flat, solid=0.0 if flat else SOLID.get(thing.name, 1.0))
    spot.allowed = 0.85 if flat else 0.75 if host else r.hidden
    if wall and not stands:
        along = x if wall == "back" else z
        spot.stretch = (along - width / 2, y, along + width / 2, y + height)
        if any(not o.foot and share_wall(spot, o, 0.05) for o in layout.spots):
            return False
    return _seen(layout, spot, r.hidden, host) and _put(layout, thing, at, ry, scale, spot)


def _inside(stage: Stage, foot, room: float) -> bool:
    x, z, w, d, c, s = foot
    wide, deep = w * abs(c) + d * abs(s), w * abs(s) + d * abs(c)
    return abs(x) + wide + room <= stage.width / 2 and z + deep + room <= stage.depth


def _seen(layout: Layout, spot: Spot, allowed: float, host: Spot | None) -> bool:
    """Whether enough can be seen of the new spot and of all it would stand before; if so, what it hides is noted.

    host : what it stands on, which does not hide it.
    """
    hides = []
    for other in layout.spots:
        if other is host:
            continue
        if other.depth < spot.depth:
            spot.hidden += other.solid * covered(spot.screen, other.screen)
            if spot.hidden > spot.allowed:
                return False
        elif more := spot.solid * covered(other.screen, spot.screen):
            if other.hidden + more > max(other.allowed, allowed):
                return False
            hides.append((other, more))
    for other, more in hides:
        other.hidden += more
    return True


def _put(layout: Layout, thing: Thing, at, ry: float, scale: float, spot: Spot) -> bool:
    seed = layout.rng.randrange(1 << 30)
    full = f"{thing.name}/{thing.look}" if len(OBJECTS[thing.name].looks) > 1 else thing.name
    layout.placed.append(layout.stage.world.add(full, at, ry, scale, seed=seed))
    layout.spots.append(spot)
    return True


# --------------------------------------------------------------------------------------------- indoors


def _wall_place(layout: Layout, width: float, off: float) -> tuple[str, float, float, float]:
    """A wall (back, left, right) and x, z, ry of a thing whose middle is `off` metres before it."""
    stage, rng = layout.stage, layout.rng
    wall = rng.choice(("back", "back", "left", "right"))
    side = -1 if wall == "left" else 1
    first, last = stage.wall_from(side) + 0.2 * width, stage.depth - width / 2 - 0.05
    if wall == "back" or first > last:
        return "back", rng.uniform(-1, 1) * max(0.0, stage.width - width - 0.06) / 2, stage.depth - off, 0.0
    return wall, side * (stage.width / 2 - off), rng.uniform(first, last), 90.0 * side


def _against_wall(layout: Layout, thing: Thing, r: Round) -> bool:
    width, _, depth = (r.scale * side for side in thing.size)
    for _ in range(r.tries):
        wall, x, z, ry = _wall_place(layout, width, depth / 2 + 0.03)
        if _try(layout, thing, r, (x, 0.0, z), ry, r.scale, wall, frame=0.85):
            return True
    return False


def _on_wall(layout: Layout, thing: Thing, r: Round) -> bool:
    width, height, _ = (r.scale * side for side in thing.size)
    room = layout.stage.height - height - 0.12
    for _ in range(r.tries):
        wall, x, z, ry = _wall_place(layout, width, 0.01)
        low = min(layout.rng.uniform(1.5, 1.85) - height / 2, room)
        if _try(layout, thing, r, (x, low, z), ry, r.scale, wall, stands=False, frame=0.9):
            return True
    return False


def _on_floor(layout: Layout, thing: Thing, r: Round) -> bool:
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
        if _try(layout, thing, r, (x, 0.0, z), rng.gauss(0, turn), r.scale):
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
        if _try(layout, thing, r, (host.at[0] + x, 0.0, host.at[2] + z), facing, r.scale):
            return True
    return False


def _turned(x: float, z: float, ry: float) -> tuple[float, float]:
    """A point of an object's own ground after the object is turned by ry degrees."""
    c, s = math.cos(math.radians(ry)), math.sin(math.radians(ry))
    return x * c + z * s, z * c - x * s


def _on_top(layout: Layout, thing: Thing, r: Round) -> bool:
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
        if _try(layout, thing, r, (x, y, z), turn, r.scale, stands=False, host=below):
            layout.used_tops.append((x, y, z, need))
            return True
    return _on_floor(layout, thing, r)


def _carries(host: Placed, top, thing: Thing, width: float, depth: float) -> bool:
    """Whether a thing may stand on a top; a computer has its place on a desk, however full that is."""
    if thing.name == "computer" and host.name == "desk":
        return True
    return width < 1.25 * top.width and depth < 1.5 * top.depth


def _on_ceiling(layout: Layout, thing: Thing, r: Round) -> bool:
    stage, rng = layout.stage, layout.rng
    for _ in range(r.tries):
        x, z = rng.uniform(-0.35, 0.35) * stage.width, rng.uniform(1.8, stage.depth - 0.8)
        if _try(layout, thing, r, (x, stage.height, z), 0.0, r.scale, "ceiling", stands=False):
            return True
    return False


# -------------------------------------------------------------------------------------------- outdoors


def _stand(layout: Layout, thing: Thing, r: Round, shares: tuple[float, float], nearest: float, afloat: bool = False) -> bool:
    """Where the thing takes such a share of the picture; the foreground fills up, so later tries go farther."""
    stage, rng, (width, height, depth) = layout.stage, layout.rng, (r.scale * side for side in thing.size)
    nearest = max(nearest, stage.nearest + depth / 2)
    turn = TURNS.get(thing.name, 32.0 if nearest < 8 else 16.0)
    for i in range(r.tries):
        away = max(height, 0.75 * width) * stage.focal / (rng.uniform(*shares) * 227)
        away = max(nearest, away) * rng.uniform(1.0, 1.2 + (1.3 + 0.6 * (r.scale < 1)) * i / r.tries)
        z = min(_ashore(stage, away, depth, nearest) if not afloat else _afloat(stage, away, depth), 58.0)
        x = rng.uniform(-0.5, 0.5) * stage.camera.width_at(z) * 0.92
        ry = rng.gauss(0, turn) + (180 if thing.name in VEHICLES and rng.random() < 0.5 else 0)
        if _try(layout, thing, r, (x, 0.0, z), ry, r.scale):
            return True
    return False


def _ashore(stage: Stage, z: float, depth: float, nearest: float) -> float:
    """A distance outside the water: the near bank if it is nearer and far enough from the viewer, or the far one."""
    if stage.water is None or not stage.water[0] - depth / 2 < z < stage.water[1] + depth / 2:
        return z
    near, far = stage.water[0] - depth / 2 - 0.3, stage.water[1] + depth / 2 + 0.5
    return near if near >= nearest and near > 0.7 * z else far + 0.3 * (z - stage.water[0])


def _afloat(stage: Stage, z: float, depth: float) -> float:
    """A distance on the water where there is some; boats are drawn up on land elsewhere."""
    return min(max(z, stage.water[0] + depth / 2 + 0.3), stage.water[1] - depth / 2) if stage.water else z


def _on_ground(layout: Layout, thing: Thing, r: Round) -> bool:
    extent = max(thing.size[1], 0.75 * thing.size[0])
    shares = (0.09, 0.22) if extent < 1.0 else (0.18, 0.42) if extent < 2.2 else (0.30, 0.60)
    shares = (0.42, 0.72) if extent > 6 else shares  # trains, buses and airplanes: long, so they may be near
    return _stand(layout, thing, r, shares, 3.2)


def _far(layout: Layout, thing: Thing, r: Round) -> bool:
    return _stand(layout, thing, r, (0.36, 0.68), 8.0)


def _on_water(layout: Layout, thing: Thing, r: Round) -> bool:
    return _stand(layout, thing, r, (0.18, 0.5), 4.0, afloat=True)


def _in_sky(layout: Layout, thing: Thing, r: Round) -> bool:
    stage, rng = layout.stage, layout.rng
    for _ in range(r.tries):
        z = max(10.0, thing.size[1] * stage.focal / (rng.uniform(0.12, 0.3) * 227))
        x = rng.uniform(-0.45, 0.45) * stage.camera.width_at(z)
        y = stage.camera.eye[1] + rng.uniform(0.1, 0.32) * stage.camera.width_at(z)
        if _try(layout, thing, r, (x, y, z), rng.gauss(0, 30), r.scale, stands=False):
            return True
    return False
