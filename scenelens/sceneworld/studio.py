"""The studio: one object, large and alone, on a plain background that varies."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np

from scenelens.sceneworld.palette import Palette
from scenelens.sceneworld.registry import resolve
from scenelens.sceneworld.render.camera import Camera
from scenelens.sceneworld.render.lighting import Light
from scenelens.sceneworld.render.pipeline import Rendered, render_world
from scenelens.sceneworld.world import World, stable_seed

__all__ = ["render_object", "studio_picture"]

# Backgrounds indoors: (region, material, pattern) of the wall and of the floor.
_INDOOR = (
    (("wall", "plaster", "none"), ("floor", "wood", "planks")),
    (("wall", "paper", "none"), ("floor", "carpet", "none")),
    (("wall", "plaster", "none"), ("floor", "tile", "tiles")),
    (("wall", "brick", "bricks"), ("floor", "pavement", "none")),
)
# Backgrounds outdoors: (region, material) of the ground.
_OUTDOOR = (
    ("grass", "grass"),
    ("sand", "sand"),
    ("road", "road"),
    ("pavement", "pavement"),
    ("snow", "snow"),
    ("soil", "soil"),
)
_UNIT_CUBE = np.array(list(itertools.product((0.0, 1.0), repeat=3)))  # corners of the unit cube
_ROLES = {"wood": "floor", "plaster": "wall", "paper": "wall"}  # colour roles that materials take on a background


def render_object(name: str, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Render one object, large and alone: an object-centric picture.

    Parameters
    ----------
    name : str
        An object class (``"lamp"``: a random look) or one look of it (``"lamp/floor"``).
    seed : int
        The same name and seed give the same picture.

    Returns
    -------
    image : numpy.ndarray
        (227, 227, 3) uint8 RGB.
    masks : dict of str to numpy.ndarray
        For the object's class, and for classes that it brings along, bool (227, 227).

    Raises
    ------
    SceneLensError
        If there is no such object class or look.

    Examples
    --------
    >>> image, masks = render_object("chair/wooden", seed=1)
    >>> image.shape, bool(masks["chair"].any())
    ((227, 227, 3), True)
    """
    picture = studio_picture(name, seed)
    return picture.image, picture.masks()


def studio_picture(name: str, seed: int) -> Rendered:
    """Render one object, large and alone, with all label maps.

    Parameters
    ----------
    name : str
        An object class (``"lamp"``: a random look) or one look of it (``"lamp/floor"``).
    seed : int
        The same name and seed give the same picture.

    Returns
    -------
    Rendered
        Image and label maps.
    """
    known, look = resolve(name)
    rng = random.Random(stable_seed("studio", name, seed))
    look = look or known.looks[int(rng.random() * len(known.looks))]
    # The order of the random numbers below is part of the pictures: another order gives other pictures.
    place, size = known.places[look], known.sizes[look]
    palette, light = Palette(rng), Light.sample(rng)
    big = max(size)
    world = World(palette, rng.randrange(1 << 30), detail=18, reach=0.22 * big)
    world.shadow_depth = 6 * big
    turn = {"on_wall": rng.uniform(-4, 4), "far": rng.uniform(-15, 15)}.get(place, rng.uniform(-50, 50))
    full = f"{known.name}/{look}"
    foot = _foot(place, size)
    world.add(full, at=(0, foot, 0), ry=turn if place != "on_wall" else 0)
    corners = _corners(world)  # before the background, which the camera need not see whole
    _background(world, rng, place, size, big)
    return render_world(world, _camera(rng, place, corners), light)


def _foot(place: str, size: tuple[float, float, float]) -> float:
    """Height of the object's origin above the studio's floor."""
    return {"ceiling": size[1] * 1.25, "on_wall": size[1] * 0.4, "sky": size[1] * 1.2}.get(place, 0.0)


def _background(world: World, rng: random.Random, place: str, size, big: float) -> None:
    """A ground under the sky for what belongs outdoors (and now and then for small things), else a wall and a floor."""
    if place in ("ground", "sky", "far", "water") or (place in ("floor", "on_top") and rng.random() < 0.25):
        _ground(world, rng, place, big)
    else:
        _walls(world, rng, place, size, big)


def _ground(world: World, rng: random.Random, place: str, big: float) -> None:
    region, material = ("water", "water") if place == "water" else _OUTDOOR[int(rng.random() * len(_OUTDOOR))]
    world.fog = 0.02 / big
    world.surface(region, material, (0, 0, 18 * big), (90 * big, 50 * big), "up")
    if rng.random() < 0.6:
        hills = world.region("hill")
        for x in (-22, 4, 27):
            hills.dome("hill", "grass", at=((x + rng.uniform(-6, 6)) * big, -0.5 * big, 38 * big), colour="hill",
                       radius=(17 * big, rng.uniform(2.5, 6.5) * big, 6 * big), pattern_size=big)  # fmt: skip


def _walls(world: World, rng: random.Random, place: str, size, big: float) -> None:
    wall, floor = _INDOOR[int(rng.random() * len(_INDOOR))]
    back = 0.0 if place == "on_wall" else size[2] * 0.5 + big * rng.uniform(0.15, 0.9)
    cell = max(0.08, 0.13 * big)
    world.surface("wall", wall[1], (0, -3 * big, back), (14 * big, 12 * big), "front", colour=_ROLES.get(wall[1]),
                  pattern=wall[2], pattern_size=cell)  # fmt: skip
    if place not in ("on_wall", "ceiling"):
        world.surface("floor", floor[1], (0, 0, back - 5 * big), (14 * big, 10 * big), "up", colour=_ROLES.get(floor[1]),
                      pattern=floor[2], pattern_size=cell)  # fmt: skip
    if place == "ceiling":
        world.surface("ceiling", "plaster", (0, size[1] * 1.25, back - 5 * big), (14 * big, 10 * big), "down", colour="ceiling")


def _corners(world: World) -> np.ndarray:
    """Corners of the boxes round the primitives drawn so far, (8 * primitives, 3) metres."""
    table = world.table()
    meshes = [world.meshes[int(i)] for i in table[:, 12]]
    low = np.array([m.low for m in meshes])
    extent = np.array([m.extent for m in meshes])
    local = low[:, None] + _UNIT_CUBE[None] * extent[:, None]
    affine = table[:, :12].reshape(-1, 3, 4)
    return (local @ affine[:, :, :3].transpose(0, 2, 1) + affine[:, None, :, 3]).reshape(-1, 3)


def _camera(rng: random.Random, place: str, corners: np.ndarray) -> Camera:
    """A camera that sees the whole object, filling two thirds to nearly all of the frame, from a varied height."""
    low, high = corners.min(0), corners.max(0)
    middle, reach = (low + high) / 2, math.dist(high, low)
    distance = reach * rng.uniform(1.2, 1.9)
    below = {"ceiling": (-12, 4), "sky": (-16, -4), "on_wall": (-6, 10), "on_top": (10, 30), "far": (2, 6)}.get(place, (6, 24))
    rise = math.radians(rng.uniform(*below))
    eye = middle + distance * np.array([rng.uniform(-0.2, 0.2), math.sin(rise), -math.cos(rise)])
    if place not in ("ceiling", "on_wall", "sky"):
        eye[1] = max(eye[1], 0.08 * reach)
    # The camera first looks at the middle of the object. Seen from there, the object covers a rectangle; the camera is
    # then turned to its middle (with a random shift that leaves it in the frame) and zoomed until it fills the frame.
    right, up, ahead = axes = Camera(tuple(eye.tolist()), tuple(middle.tolist())).axes()
    x, y, away = axes @ (corners - eye).T
    (left, foot), (stop, top) = ((float(pick(x / away)), float(pick(y / away))) for pick in (np.min, np.max))
    half = max(stop - left, top - foot) / 2 / rng.uniform(0.68, 0.94)
    spare = [max(0.0, half - side / 2) * rng.uniform(-0.5, 0.5) for side in (stop - left, top - foot)]
    aim = ahead + right * ((left + stop) / 2 + spare[0]) + up * ((foot + top) / 2 + spare[1])
    fov = 2 * math.degrees(math.atan(half / math.hypot(*aim)))
    (ex, ey, ez), (tx, ty, tz) = eye.tolist(), (eye + aim).tolist()
    return Camera((ex, ey, ez), (tx, ty, tz), fov)
