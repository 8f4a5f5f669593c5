"""The layout of one picture: the places that are taken, and the search for one more.

The search itself is a kernel (`tries.try_places`). This module turns stages, objects and rules into the records of plain
numbers that the kernel reads (`fits.ROOM`, `THING`, `HOST`, `TAKEN`), and draws an object where a place was found.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

import numpy as np

from scenelens.sceneworld.place.draws import Draws
from scenelens.sceneworld.place.fits import HOST, ROOM, TAKEN, THING
from scenelens.sceneworld.place.stages import Stage
from scenelens.sceneworld.place.tries import Way, try_places
from scenelens.sceneworld.registry import OBJECTS
from scenelens.sceneworld.world import Placed, Top, stable_seed

__all__ = ["NEXT_TO", "Layout", "Round", "Thing"]

# Greatest share of the picture's height that a thing may take, so that nothing stands right in front of the viewer.
_TALLEST = {"indoor": 0.62, "outdoor": 0.78, "wall": 0.76}
# Share of its box in the picture that a thing fills (default 1): what is thin or has holes hides little.
_SOLID = {
    "tree": 0.75, "parasol": 0.5, "swing": 0.3, "fence": 0.45, "scaffold": 0.4, "ferris_wheel": 0.5, "roller_coaster": 0.4,
    "crane": 0.3, "bicycle": 0.5, "chair": 0.5, "lamp": 0.35, "table": 0.5, "crib": 0.6, "traffic_light": 0.4, "sign": 0.6,
    "plant": 0.7, "person": 0.75, "deck_chair": 0.6, "desk": 0.7, "slide": 0.5, "lighthouse": 0.7,
}  # fmt: skip
# Share of its width and depth that a thing takes on the ground (default 1): a tree's crown is wider than its trunk.
_FOOT = {"tree": 0.42, "parasol": 0.2, "crane": 0.45, "lamp": 0.7, "plant": 0.8, "bush": 0.85}
NEXT_TO = {"chair": ("table", "desk", "counter", "piano")}  # what stands next to what
_FRONT_ONLY = ("desk", "counter", "piano")  # one sits at their front only
_VEHICLES = ("car", "truck", "bus", "boat", "bicycle")
_TURNS = {"fence": 12.0, "train": 9.0, "airplane": 20.0, "bus": 18.0}  # degrees, where 32 would be too much
_FRAMES = {Way.AGAINST_WALL: 0.85, Way.ON_WALL: 0.9}  # factors on the share of a thing that must be in the frame
_NEAREST = {"water": 4.0, "far": 8.0}  # metres from the viewer; 3.2 for other things
_HANGING = (Way.ON_WALL, Way.CEILING, Way.ON_TOP, Way.SKY)  # they take no ground
_FLAT = 0.06  # metres; lower things (rugs) are flat: others may stand on them
# Random words prepared for each try. A try takes fewer on average, even if some numbers are drawn again because they
# were out of range.
_WORDS = 32
_NO_HOSTS = np.empty(0, HOST)
_PACK = struct.Struct(f"{THING.itemsize // 8}d").pack


@dataclass(frozen=True)
class Round:
    """How strict a round of tries is.

    Attributes
    ----------
    tries : int
        Number of places to try for each thing.
    gap : float
        Least distance between two things on the ground in metres.
    hidden : float
        Greatest share of a thing's box, 0..1, that others may hide.
    frame : float
        Least share of a thing's box, 0..1, that lies in the picture.
    scale : float
        Factor on the usual size of things.
    """

    tries: int
    gap: float
    hidden: float
    frame: float
    scale: float


@dataclass(eq=False)
class Thing:
    """An instance that has no place yet.

    Attributes
    ----------
    name, look : str
        Object class and look.
    size : tuple of float
        Usual (width, height, depth) in metres.
    place : str
        Where it belongs, one of `registry.PLACES`.
    """

    name: str
    look: str
    size: tuple[float, float, float]
    place: str


class Layout:
    """The places taken in one picture so far.

    Parameters
    ----------
    stage : Stage
        Where the things are placed; they are drawn into its world.
    rng : random.Random
        Source of the random numbers, see `Draws`.
    most : int
        Number of things that will need a place.
    places : int, optional
        Seed of places that other pictures try first, too (default: every picture has its own). The first, second ...
        thing of each kind of place has the same tries in all of them; the objects' own random numbers stay the picture's.

    Attributes
    ----------
    placed : list of Placed
        The objects that have found a place.
    left_out : list of str
        Classes of those that have not.
    """

    def __init__(self, stage: Stage, rng: random.Random, most: int, places: int | None = None) -> None:
        self.stage, self._places = stage, places
        self.placed: list[Placed] = []
        self.left_out: list[str] = []
        self._draws = Draws(rng)
        self._room = _room(stage)
        # One record more than there are things: the kernel fills in the record after the last taken place while it tries.
        self._taken = np.zeros(most + 1, TAKEN)
        self._used_tops = np.zeros((most, 4))  # x, y, z, radius
        self._n_used = 0

    def place(self, thing: Thing, r: Round) -> bool:
        """Put a thing where it belongs, if there is a place.

        Parameters
        ----------
        thing : Thing
            The thing.
        r : Round
            How strict the search is.

        Returns
        -------
        bool
            Whether a place was found.
        """
        if not self.stage.indoor:
            return self._try({"sky": Way.SKY, "water": Way.WATER}.get(thing.place, Way.LAND), thing, r)
        if thing.place == "on_top" and self._put_on_top(thing, r):
            return True
        way = {"against_wall": Way.AGAINST_WALL, "on_wall": Way.ON_WALL, "ceiling": Way.CEILING}.get(thing.place, Way.FLOOR)
        if way == Way.FLOOR and thing.name in NEXT_TO and self._put_next_to(thing, r):
            return True
        return self._try(way, thing, r)

    def _put_next_to(self, thing: Thing, r: Round) -> bool:
        """Chairs stand next to tables where possible; half of the tries are enough, since the floor remains."""
        hosts = [_table(o) for o in self.placed if o.name in NEXT_TO[thing.name]]
        return bool(hosts) and self._try(Way.NEXT_TO, thing, r, np.array(hosts, HOST), tries=r.tries // 2)

    def _put_on_top(self, thing: Thing, r: Round) -> bool:
        """Small things stand on a table, a shelf or a cupboard where possible."""
        width, _, depth = (r.scale * side for side in thing.size)
        tops = [(i, top) for i, o in enumerate(self.placed) for top in o.tops if _carries(o, top, thing, width, depth)]
        # Radius that stays free of other things. It is smaller in the later rounds (scale < 1): there things may nearly touch.
        need = 0.42 * (width + depth) / 2 if r.scale < 1 else 0.5 * max(width, depth)
        hosts = [(i, *top.centre, self.placed[i].ry, top.width, top.depth, 1.0, 0.0) for i, top in tops]
        if not hosts or not self._try(Way.ON_TOP, thing, r, np.array(hosts, HOST), need):
            return False
        self._used_tops[self._n_used] = *self.placed[-1].at, need
        self._n_used += 1
        return True

    def _try(self, way: Way, thing: Thing, r: Round, hosts: np.ndarray = _NO_HOSTS, need: float = 0.0, tries: int | None = None) -> bool:
        """Try places, and draw the thing at the first that fits."""
        request, used, found = _request(self.stage, way, thing, r, need), self._used_tops[: self._n_used], np.empty(6)
        n, draws = len(self.placed), self._draws_of(way, r).ready(_WORDS * r.tries)
        if not try_places(int(way), tries or r.tries, self._room, request, hosts, used, self._taken, n, draws, found):
            return False
        x, y, z, ry, seed, host = found.tolist()
        full = f"{thing.name}/{thing.look}" if len(OBJECTS[thing.name].looks) > 1 else thing.name
        seed = int(seed) if self._places is None else stable_seed(self.stage.world.seed, n)
        placed = self.stage.world.add(full, (x, y, z), ry, r.scale, seed=seed)
        placed.parent = self.placed[int(host)].id if host >= 0 else None
        self.placed.append(placed)
        return True

    def _draws_of(self, way: Way, r: Round) -> Draws:
        """The random numbers of the next thing's tries."""
        if self._places is None:
            return self._draws
        return Draws(random.Random(stable_seed("places", self._places, len(self.placed), int(way), r.scale)))


def _room(stage: Stage) -> np.ndarray:
    """A stage as one record of `ROOM`."""
    near, far = stage.water or (0.0, 0.0)
    standing = _TALLEST[stage.setting] * 227, _TALLEST["wall"] * 227
    room = (
        stage.width, stage.depth, stage.height, stage.indoor, stage.wall_from(-1), stage.wall_from(1), stage.water is not None, near, far,
        *standing, *stage.view, stage.camera.width_at(0.5),
    )  # fmt: skip
    return np.array([room], ROOM)


def _request(stage: Stage, way: Way, thing: Thing, r: Round, need: float) -> np.ndarray:
    """A thing and the conditions for its place, as one record of `THING`."""
    width, height, depth = (r.scale * side for side in thing.size)
    flat, nearest = height < _FLAT, max(_NEAREST.get(thing.place, 3.2), stage.nearest + depth / 2)
    request = (
        width, height, depth, *thing.size, r.scale, r.gap, r.hidden, r.frame * _FRAMES.get(way, 1.0), way not in _HANGING,
        thing.place == "ceiling", flat, _FOOT.get(thing.name, 1.0), 0.0 if flat else _SOLID.get(thing.name, 1.0),
        _turn(way, thing, nearest), *_shares(thing), nearest, need if way == Way.ON_TOP else thing.name in _VEHICLES,
    )  # fmt: skip
    return np.frombuffer(bytearray(_PACK(*request)), THING)  # much faster than filling the record field by field


def _turn(way: Way, thing: Thing, nearest: float) -> float:
    """Standard deviation, in degrees, of a thing's turn: large things are turned less, so that they fit."""
    if way == Way.FLOOR:
        return 6.0 if thing.size[1] < _FLAT else 14.0 if max(thing.size) > 1.9 else 32.0
    if way == Way.ON_TOP:
        return 5.0 if thing.name == "computer" else 20.0
    return _TURNS.get(thing.name, 32.0 if nearest < 8 else 16.0)


def _shares(thing: Thing) -> tuple[float, float]:
    """Least and greatest share of the picture's height that a thing takes outdoors.

    The distance follows from the share: small things stand near, big ones far away, and all can be recognised.
    """
    if thing.place in ("far", "water"):
        return (0.36, 0.68) if thing.place == "far" else (0.18, 0.5)
    extent = max(thing.size[1], 0.75 * thing.size[0])
    if extent > 6:  # trains, buses and airplanes: long, so they may be near
        return 0.42, 0.72
    return (0.09, 0.22) if extent < 1.0 else (0.18, 0.42) if extent < 2.2 else (0.30, 0.60)


def _table(o: Placed) -> tuple[float, ...]:
    """A table that chairs stand next to, as a record of `HOST`."""
    width, _, depth = OBJECTS[o.name].sizes[o.look]
    return 0, *o.at, o.ry, width, depth, o.scale, o.name in _FRONT_ONLY


def _carries(host: Placed, top: Top, thing: Thing, width: float, depth: float) -> bool:
    """Whether a thing is small enough for a top; a computer belongs on a desk, however small that is."""
    if thing.name == "computer" and host.name == "desk":
        return True
    return width < 1.25 * top.width and depth < 1.5 * top.depth
