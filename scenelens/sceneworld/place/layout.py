"""The places taken in one picture so far, and what is asked of the place of a further thing."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

import numpy as np

from scenelens.sceneworld.place.draws import Draws
from scenelens.sceneworld.place.fits import HOST, ROOM, TAKEN, THING
from scenelens.sceneworld.place.spots import Spot
from scenelens.sceneworld.place.stages import Stage
from scenelens.sceneworld.place.tries import Way, try_places
from scenelens.sceneworld.registry import OBJECTS
from scenelens.sceneworld.world import Placed, Top

__all__ = ["BESIDE", "Layout", "Round", "Thing"]

WALLS = ("", "back", "left", "right", "ceiling")
TALLEST = {"indoor": 0.62, "outdoor": 0.78, "wall": 0.76}  # share of the picture's height: not before one's nose
# how much of its box a thing fills, and how much of its footprint is in the way of others
SOLID = {
    "tree": 0.75, "parasol": 0.5, "swing": 0.3, "fence": 0.45, "scaffold": 0.4, "ferris_wheel": 0.5, "roller_coaster": 0.4,
    "crane": 0.3, "bicycle": 0.5, "chair": 0.5, "lamp": 0.35, "table": 0.5, "crib": 0.6, "traffic_light": 0.4, "sign": 0.6,
    "plant": 0.7, "person": 0.75, "deck_chair": 0.6, "desk": 0.7, "slide": 0.5, "lighthouse": 0.7,
}  # fmt: skip
FOOT = {"tree": 0.42, "parasol": 0.2, "crane": 0.45, "lamp": 0.7, "plant": 0.8, "bush": 0.85}
BESIDE = {"chair": ("table", "desk", "counter", "piano")}
FRONT_ONLY = ("desk", "counter", "piano")  # one sits at their front
VEHICLES = ("car", "truck", "bus", "boat", "bicycle")
TURNS = {"fence": 12.0, "train": 9.0, "airplane": 20.0, "bus": 18.0}  # degrees, where 32 would be too much
FRAMES = {Way.AGAINST_WALL: 0.85, Way.ON_WALL: 0.9}  # factors on how much of a thing must be in the frame
NEAREST = {"water": 4.0, "far": 8.0}
HANGING = (Way.ON_WALL, Way.CEILING, Way.ON_TOP, Way.SKY)  # their footprint takes no ground
WORDS = 32  # more than a try takes on average, even if much is drawn again because it was too large
ALONE = np.empty(0, HOST)
PACK = struct.Struct(f"{THING.itemsize // 8}d").pack


@dataclass(frozen=True)
class Round:
    """How strict a round of tries is: gap in metres, shares hidden and in the frame, and the size of things."""

    tries: int
    gap: float
    hidden: float
    frame: float
    scale: float


@dataclass(eq=False)
class Thing:
    """An instance that looks for its place."""

    name: str
    look: str
    size: tuple[float, float, float]
    place: str


class Layout:
    """The places taken in one picture so far.

    Parameters
    ----------
    stage : where they are.
    rng : where places are drawn from; numbers are taken from it beforehand.
    most : number of things that will look for a place.
    """

    def __init__(self, stage: Stage, rng: random.Random, most: int) -> None:
        self.stage = stage
        self.placed: list[Placed] = []
        self.left_out: list[str] = []
        self._draws = Draws(rng)
        self._room = _room(stage)
        self._taken = np.zeros(most + 1, TAKEN)
        self._used_tops = np.zeros((most, 4))  # x, y, z, radius
        self._n_used = 0

    @property
    def spots(self) -> list[Spot]:
        """The places of `placed`, in the same order."""
        return [_spot(row) for row in self._taken[: len(self.placed)].tolist()]

    def place(self, thing: Thing, r: Round) -> bool:
        """Put the thing where its kind goes, if a place is found."""
        if not self.stage.indoor:
            return self._try({"sky": Way.SKY, "water": Way.WATER}.get(thing.place, Way.LAND), thing, r)
        if thing.place == "on_top" and self._put_on_top(thing, r):
            return True
        way = {"against_wall": Way.AGAINST_WALL, "on_wall": Way.ON_WALL, "ceiling": Way.CEILING}.get(thing.place, Way.FLOOR)
        if way == Way.FLOOR and thing.name in BESIDE and self._put_beside(thing, r):
            return True
        return self._try(way, thing, r)

    def _put_beside(self, thing: Thing, r: Round) -> bool:
        """A chair rather stands beside a table."""
        hosts = [_table(o) for o in self.placed if o.name in BESIDE[thing.name]]
        return bool(hosts) and self._try(Way.BESIDE, thing, r, np.array(hosts, HOST), tries=r.tries // 2)

    def _put_on_top(self, thing: Thing, r: Round) -> bool:
        """Small things rather stand on a table, a shelf or a cupboard."""
        width, _, depth = (r.scale * side for side in thing.size)
        tops = [(i, top) for i, o in enumerate(self.placed) for top in o.tops if _carries(o, top, thing, width, depth)]
        need = 0.42 * (width + depth) / 2 if r.scale < 1 else 0.5 * max(width, depth)
        hosts = [(i, *top.centre, self.placed[i].ry, top.width, top.depth, 1.0, 0.0) for i, top in tops]
        if not hosts or not self._try(Way.ON_TOP, thing, r, np.array(hosts, HOST), need):
            return False
        self._used_tops[self._n_used] = *self.placed[-1].at, need
        self._n_used += 1
        return True

    def _try(self, way: Way, thing: Thing, r: Round, hosts: np.ndarray = ALONE, need: float = 0.0, tries: int | None = None) -> bool:
        """Try places, and draw the thing where it fits."""
        asked, used, found = _asked(self.stage, way, thing, r, need), self._used_tops[: self._n_used], np.empty(6)
        n, draws = len(self.placed), self._draws.ready(WORDS * r.tries)
        if not try_places(int(way), tries or r.tries, self._room, asked, hosts, used, self._taken, n, draws, found):
            return False
        x, y, z, ry, seed, host = found.tolist()
        full = f"{thing.name}/{thing.look}" if len(OBJECTS[thing.name].looks) > 1 else thing.name
        placed = self.stage.world.add(full, (x, y, z), ry, r.scale, seed=int(seed))
        placed.parent = self.placed[int(host)].id if host >= 0 else None
        self.placed.append(placed)
        return True


def _room(stage: Stage) -> np.ndarray:
    """What kernels ask of a stage, one record of `ROOM`."""
    near, far = stage.water or (0.0, 0.0)
    standing = TALLEST[stage.setting] * 227, TALLEST["wall"] * 227
    room = (
        stage.width, stage.depth, stage.height, stage.indoor, stage.wall_from(-1), stage.wall_from(1), stage.water is not None, near, far,
        *standing, *stage.view, stage.camera.width_at(0.5),
    )  # fmt: skip
    return np.array([room], ROOM)


def _asked(stage: Stage, way: Way, thing: Thing, r: Round, need: float) -> np.ndarray:
    """What is asked of a place, one record of `THING`."""
    width, height, depth = (r.scale * side for side in thing.size)
    flat, nearest = height < 0.06, max(NEAREST.get(thing.place, 3.2), stage.nearest + depth / 2)
    ask = (
        width, height, depth, *thing.size, r.scale, r.gap, r.hidden, r.frame * FRAMES.get(way, 1.0), way not in HANGING,
        thing.place == "ceiling", flat, FOOT.get(thing.name, 1.0), 0.0 if flat else SOLID.get(thing.name, 1.0),
        _turn(way, thing, nearest), *_shares(thing), nearest, need if way == Way.ON_TOP else thing.name in VEHICLES,
    )  # fmt: skip
    return np.frombuffer(bytearray(PACK(*ask)), THING)


def _turn(way: Way, thing: Thing, nearest: float) -> float:
    """Spread of the angles, in degrees, by which things are turned."""
    if way == Way.FLOOR:
        return 6.0 if thing.size[1] < 0.06 else 14.0 if max(thing.size) > 1.9 else 32.0
    if way == Way.ON_TOP:
        return 5.0 if thing.name == "computer" else 20.0
    return TURNS.get(thing.name, 32.0 if nearest < 8 else 16.0)


def _shares(thing: Thing) -> tuple[float, float]:
    """How much of the picture's height a thing takes out of doors: the small stand near, the big far."""
    if thing.place in ("far", "water"):
        return (0.36, 0.68) if thing.place == "far" else (0.18, 0.5)
    extent = max(thing.size[1], 0.75 * thing.size[0])
    if extent > 6:  # trains, buses and airplanes: long, so they may be near
        return 0.42, 0.72
    return (0.09, 0.22) if extent < 1.0 else (0.18, 0.42) if extent < 2.2 else (0.30, 0.60)


def _table(o: Placed) -> tuple[float, ...]:
    """What a chair asks of a table, a record of `HOST`."""
    width, _, depth = OBJECTS[o.name].sizes[o.look]
    return 0, *o.at, o.ry, width, depth, o.scale, o.name in FRONT_ONLY


def _carries(host: Placed, top: Top, thing: Thing, width: float, depth: float) -> bool:
    """Whether a thing may stand on a top; a computer has its place on a desk, however full that is."""
    if thing.name == "computer" and host.name == "desk":
        return True
    return width < 1.25 * top.width and depth < 1.5 * top.depth


def _spot(row: tuple[float, ...]) -> Spot:
    """A record of `TAKEN` as a `Spot`."""
    left, top, right, bottom, ahead, stands, x, z, w, d, c, s, wall, start, low, stop, high, flat, solid, hidden, allowed, _ = row
    foot = (x, z, w, d, c, s) if stands else None
    return Spot((left, top, right, bottom), ahead, foot, WALLS[int(wall)], (start, low, stop, high), bool(flat), solid, hidden, allowed)
