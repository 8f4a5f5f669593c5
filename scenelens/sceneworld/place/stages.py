"""Stages: rooms and grounds, drawn without knowledge of the scene's category.

A stage is the background of a picture (floor, walls, sky, grass ...) with its camera and its light.  All indoor
categories take their stages from one distribution, and all outdoor categories from another, so that a background says
nothing about the category.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property

from scenelens.sceneworld.palette import Palette
from scenelens.sceneworld.place.cues import NO_CUE, Cue
from scenelens.sceneworld.render.camera import Camera
from scenelens.sceneworld.render.lighting import Light
from scenelens.sceneworld.world import World, stable_seed

# (material, palette role, pattern, metres per pattern cell)
_FLOORS = (
    ("wood", "floor", "planks", 0.17),
    ("wood", "darkwood", "planks", 0.13),
    ("tile", "tile", "tiles", 0.5),
    ("tile", "stone", "checks", 0.55),
    ("carpet", "carpet", "none", 0.1),
    ("stone", "stone", "tiles", 0.7),
)
_WALLS = (
    ("plaster", "wall", "none", 0.1),
    ("plaster", "plaster", "none", 0.1),
    ("paper", "wall", "stripes", 0.3),
    ("paper", "wall", "flowers", 0.42),
    ("paper", "cream", "dots", 0.34),
    ("brick", "brick", "bricks", 0.22),
    ("wood", "wall", "planks", 0.22),
    ("tile", "tile", "tiles", 0.3),
)
# Each option is drawn equally often; a repeated one more often.
_GROUNDS = ("grass", "grass", "sand", "pavement", "soil", "snow")
_BANDS = (None, "road", "water", "water", "pavement", "grass")
_FAR = ("hill", "mountain", "forest", "building", "water", "hill")


@dataclass
class Stage:
    """A background with everything that the placing of objects needs to know about it.

    Attributes
    ----------
    setting : str
        ``"indoor"`` or ``"outdoor"``.
    world : World
        The world that holds the background; objects are added to it.
    camera : Camera
        The camera.
    light : Light
        The light.
    width : float
        Metres between the side walls of a room.
    depth : float
        Metres to the back wall of a room, or to the farthest objects outdoors.
    height : float
        Metres to the ceiling of a room.
    water : tuple of float or None
        Nearest and farthest z of a stretch of water in metres; None if there is none.
    """

    setting: str
    world: World
    camera: Camera
    light: Light
    width: float
    depth: float
    height: float
    water: tuple[float, float] | None = None

    @cached_property
    def view(self) -> tuple[float, ...]:
        """The camera as twelve plain numbers: right (x, z), up, ahead, eye, focal length; `fits.ROOM` holds them."""
        (rx, _, rz), up, ahead = self.camera.axes().tolist()
        return rx, rz, *up, *ahead, *self.camera.eye, self.focal

    @cached_property
    def focal(self) -> float:
        """Focal length of the camera in pixels."""
        return self.camera.focal(227)

    @cached_property
    def nearest(self) -> float:
        """z of the ground seen at the bottom of the picture, metres: the feet of nearer things would be cut off."""
        seen = self.camera.ground_point(113.5, 222.0)
        return seen[2] if seen else 3.0

    def seen_half(self, z: float) -> float:
        """Half of the width that is seen at a depth.

        Parameters
        ----------
        z : float
            Depth in the world, metres.

        Returns
        -------
        float
            Metres from the middle of the picture to its side.
        """
        return self.camera.width_at(max(0.5, z - self.camera.eye[2])) / 2

    def wall_from(self, side: int) -> float:
        """z from which on a side wall of a room is seen.

        Parameters
        ----------
        side : int
            -1 for the left wall, 1 for the right one.

        Returns
        -------
        float
            Depth in metres.
        """
        ahead = (self.width / 2 - side * self.camera.eye[0]) / self.seen_half(self.camera.eye[2] + 1.0)
        return self.camera.eye[2] + ahead

    @property
    def indoor(self) -> bool:
        """Whether it is a room."""
        return self.setting == "indoor"


def build_stage(setting: str, seed: int, cue: Cue = NO_CUE) -> Stage:
    """Build the stage of one picture.

    Parameters
    ----------
    setting : {'indoor', 'outdoor'}
        Kind of stage.
    seed : int
        Seed of the picture. The category is not a parameter, so that it cannot matter.
    cue : Cue, optional
        What tells the category in an edited world (default: nothing, as in the shipped world).

    Returns
    -------
    Stage
        The stage.
    """
    rng = random.Random(stable_seed("stage", setting, seed))
    world = World(cue.palette(Palette(rng)), rng.randrange(1 << 30), reach=0.35 if setting == "indoor" else 0.7)
    return _room(world, rng, cue) if setting == "indoor" else _ground(world, rng, cue)


def _room(world: World, rng: random.Random, cue: Cue) -> Stage:
    width, depth, height = rng.uniform(4.1, 5.1), rng.uniform(3.7, 4.7), rng.uniform(2.45, 2.85)
    world.shadow_depth = depth + 5
    floor, wall = cue.material(_FLOORS, rng.choice(_FLOORS)), cue.material(_WALLS, rng.choice(_WALLS))
    long = depth + 4  # floor and walls continue behind the camera, which stands inside
    middle = depth - long / 2
    _finish(world, "floor", floor, (0, 0, middle), (width, long), "up")
    _finish(world, "ceiling", ("plaster", "ceiling", "none", 0.1), (0, height, middle), (width, long), "down")
    side = wall if rng.random() < 0.6 else ("plaster", "wall", "none", 0.1)
    _finish(world, "wall", wall, (0, 0, depth), (width, height), "front")
    _finish(world, "wall", side, (-width / 2, 0, middle), (long, height), "right")
    _finish(world, "wall", side, (width / 2, 0, middle), (long, height), "left")
    _trimmings(world, rng, width, depth, height, long)
    eye = (rng.uniform(-0.22, 0.22) * width, rng.uniform(1.35, 1.8), rng.uniform(-1.2, -0.8))
    target = (rng.uniform(-0.12, 0.12) * width, cue.pitch(rng, (0.8, 1.05), (0.2, 1.7)), depth * 0.6)
    camera = Camera(eye, target, cue.zoom(rng, (57, 64), (48, 76)))
    return Stage("indoor", world, camera, cue.light(Light.sample(rng)), width, depth, height)


def _finish(world, region, finish, centre, size, facing) -> None:
    material, colour, pattern, cell = finish
    colour2 = "white" if pattern == "checks" else None
    if pattern in ("stripes", "flowers", "dots"):
        colour2 = "cream"
    world.surface(region, material, centre, size, facing, colour=colour, colour2=colour2, pattern=pattern, pattern_size=cell)


def _trimmings(world: World, rng: random.Random, width: float, depth: float, height: float, long: float) -> None:
    """Skirting boards, and sometimes a dado rail or beams under the ceiling; they are parts of wall and ceiling."""
    b, paint = world.region("wall"), world.palette(rng.choice(["white", "wood", "cream"]), rng)
    z = depth - long / 2
    for y, high in ((0, 0.1), (0.95, 0.06)) if rng.random() < 0.3 else ((0, 0.1),):
        b.box("skirting", "wood", at=(0, y, depth - 0.02), size=(width, high, 0.04), colour=paint)
        for x in (-width / 2 + 0.02, width / 2 - 0.02):
            b.box("skirting", "wood", at=(x, y, z), size=(0.04, high, long), colour=paint)
    if rng.random() < 0.2:
        b = world.region("ceiling")
        for i in range(4):
            b.box("beam", "wood", at=(0, height - 0.16, depth * (0.15 + 0.25 * i)), size=(width, 0.16, 0.16), colour="darkwood")


def _ground(world: World, rng: random.Random, cue: Cue) -> Stage:
    world.fog, world.shadow_depth = rng.uniform(0.003, 0.008), 30
    near = cue.material(_GROUNDS, rng.choice(_GROUNDS))
    world.surface(near, near, (0, 0, 80), (320, 190), "up")
    water = _band(world, rng, rng.choice(_BANDS))
    _far_away(world, rng, rng.choice(_FAR))
    eye = (0.0, rng.uniform(1.5, 2.6), 0.0)
    target = (rng.uniform(-0.8, 0.8), eye[1] + cue.pitch(rng, (-0.5, 0.35), (-1.8, 1.2)), 8.0)
    camera = Camera(eye, target, cue.zoom(rng, (50, 58), (42, 70)))
    return Stage("outdoor", world, camera, cue.sky(cue.light(Light.sample(rng))), 40.0, 40.0, 20.0, water)


def _band(world: World, rng: random.Random, kind: str | None) -> tuple[float, float] | None:
    """A road, a square, a stretch of water across the middle distance, or a road that leads away."""
    if kind is None:
        return None
    start, deep = rng.uniform(8, 13), rng.uniform(4, 9)
    if kind == "water":  # a lake or a river, with a far bank for what is too big for the near one
        deep = rng.uniform(6, 14)
    elif kind in ("road", "pavement") and rng.random() < 0.4:
        x, w = rng.uniform(-4, 4), rng.uniform(2.4, 4)
        world.surface(kind, kind, (x, 0.012, 60), (w, 130), "up")
        return None
    world.surface(kind, kind, (0, 0.012, start + deep / 2), (320, deep), "up")
    return (start, start + deep) if kind == "water" else None


def _far_away(world: World, rng: random.Random, kind: str) -> None:
    """Hills, mountains, a forest, houses or the sea at the horizon, beyond everything else."""
    if kind == "water":
        world.surface("water", "water", (0, 0.02, 120), (600, 110), "up")
        return
    b = world.region(kind)
    n = {"hill": 5, "mountain": 5, "forest": 16, "building": 11}[kind]
    for i in range(n):
        x = (i - (n - 1) / 2) * 120 / n + rng.uniform(-3, 3)
        z = rng.uniform(78, 92)
        if kind == "hill":
            b.dome("hill", "grass", at=(x, -2, z), radius=(rng.uniform(20, 30), rng.uniform(6, 13), 12), colour="hill", pattern_size=1.5)
        elif kind == "mountain":
            b.cone(
                "mountain",
                "rock",
                at=(x, -2, z),
                r0=rng.uniform(15, 22),
                height=rng.uniform(14, 30),
                sides=7,
                colour="mountain",
                pattern_size=3,
            )
        elif kind == "forest":
            b.blob(
                "forest",
                "leaves",
                at=(x, 1, z),
                radius=(6, rng.uniform(5, 8), 4),
                bumps=0.4,
                colour=rng.choice(["leaf", "needle"]),
                pattern_size=1.2,
            )
        else:
            b.box("building", "plaster", at=(x, -1, z), size=(rng.uniform(5, 9), rng.uniform(7, 20), 6),
                  colour=rng.choice(["wall", "stone", "brick"]), pattern="windows", pattern_size=2.2, colour2="dark")  # fmt: skip
