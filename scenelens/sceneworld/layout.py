"""The places taken in one picture so far, and the checks that a further thing has to pass."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from scenelens.sceneworld.registry import OBJECTS
from scenelens.sceneworld.spots import Foot, Spot, covered, footprint, in_frame, overlap, screen_box, share_wall
from scenelens.sceneworld.stages import Stage
from scenelens.sceneworld.world import Placed

__all__ = ["Layout", "Round", "Thing", "try_place"]

TALLEST = {"indoor": 0.62, "outdoor": 0.78, "wall": 0.76}  # share of the picture's height: not before one's nose
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


def try_place(
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
    if ground and not _free(layout, ground, flat, r.gap):
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


def _free(layout: Layout, ground: Foot, flat: bool, gap: float) -> bool:
    """Whether nothing stands where a thing would stand; flat things and others do not see each other."""
    for other in layout.spots:  # noqa: SIM110 (a plain loop: this is asked thousands of times a second)
        if other.foot and other.flat == flat and overlap(ground, other.foot, gap):
            return False
    return True


def _inside(stage: Stage, foot: Foot, room: float) -> bool:
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
