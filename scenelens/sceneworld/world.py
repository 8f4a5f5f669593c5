"""A world: objects and background surfaces placed in space, ready to be rendered."""

from __future__ import annotations

import hashlib
import random
import struct
from dataclasses import dataclass, field

import numpy as np

from scenelens.errors import SceneLensError, close_names
from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.frames import IDENTITY, Affine, Point, pose
from scenelens.sceneworld.palette import Palette
from scenelens.sceneworld.registry import resolve
from scenelens.sceneworld.shapes import Mesh

__all__ = ["REGIONS", "Placed", "Top", "World", "region_id", "stable_seed"]

REGIONS = (
    "sky", "wall", "floor", "ceiling", "grass", "sand", "road", "pavement", "water", "snow", "soil", "hill", "mountain",
    "forest", "building", "ground",
)  # fmt: skip
PACK = struct.Struct("28d").pack


def stable_seed(*parts: object) -> int:
    """A 63-bit seed from anything printable; the same on every machine and in every process.

    >>> stable_seed("bedroom", 3) == stable_seed("bedroom", 3) != stable_seed("bedroom", 4)
    True
    """
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def region_id(name: str) -> int:
    """The negative id a background region has in the object map: sky is -1."""
    if name not in REGIONS:
        raise SceneLensError(f"no background region named {name!r}; {close_names(name, REGIONS)}")
    return -1 - REGIONS.index(name)


@dataclass
class Top:
    """A level surface on which small things can stand: its centre (world), width and depth in metres."""

    centre: Point
    width: float
    depth: float


@dataclass
class Placed:
    """An object in a world: its id in the object map, class, look, pose, and the surfaces it offers."""

    id: int
    name: str
    look: str
    at: Point
    ry: float
    scale: float
    parent: int | None = None
    tops: list[Top] = field(default_factory=list)
    rows: tuple[int, int] = (0, 0)


class World:
    """Objects and background surfaces of one picture.

    Parameters
    ----------
    palette : Palette of the picture.
    seed : int, for everything drawn by chance in it.
    detail : segments round a curved primitive (14; 20 for large single objects).
    reach : metres over which near surfaces darken each other.

    Examples
    --------
    >>> world = World(Palette(random.Random(0)), seed=1)
    >>> world.surface("floor", "wood", centre=(0, 0, 3), size=(6, 6))
    >>> chair = world.add("chair", at=(0, 0, 3), ry=20)
    >>> chair.name
    'chair'
    """

    def __init__(self, palette: Palette, seed: int, detail: int = 12, reach: float = 0.35) -> None:
        self.palette, self.seed, self.detail, self.reach = palette, seed, detail, reach
        self.rng = random.Random(seed)
        self.rows: list[tuple] = []
        self.objects: list[Placed] = []
        self.parts: list[tuple[str, str]] = []
        self.fog = 0.0
        self.shadow_depth = 14.0
        self.part_numbers: dict[tuple[str, str], int] = {}
        self.meshes: list[Mesh] = []
        self.mesh_numbers: dict[int, int] = {}
        self._background = Builder(self, random.Random(seed ^ 0x5EED), IDENTITY, 0, "background")

    # -- what builders call --------------------------------------------------------------------------------------
    def mesh_index(self, mesh: Mesh) -> int:
        """Number of a mesh in this world's list."""
        number = self.mesh_numbers.get(id(mesh))
        if number is None:
            number = self.mesh_numbers[id(mesh)] = len(self.meshes)
            self.meshes.append(mesh)
        return number

    def part_index(self, label: str, part: str) -> int:
        """Number of an object's part in `parts`."""
        key = (label, part)
        number = self.part_numbers.get(key)
        if number is None:
            number = self.part_numbers[key] = len(self.parts)
            self.parts.append(key)
        return number

    def add_top(self, object_id: int, centre: Point, width: float, depth: float) -> None:
        """Note a surface of an object for small things to stand on."""
        if object_id >= 0:
            self.objects[object_id].tops.append(Top(centre, width, depth))

    def draw_object(self, name: str, frame: Affine, chance: float, within: Builder | None = None) -> Placed | None:
        """Draw an object in a frame; `within` a builder: as parts of that builder's object."""
        known, look = resolve(name)
        rng = random.Random(stable_seed(known.name, chance))
        look = look or known.looks[int(rng.random() * len(known.looks))]
        if within is not None:
            builder = Builder(self, rng, frame, within.object_id, within.label)
            known.draw(builder, look)
            return None
        placed = Placed(len(self.objects), known.name, look, (frame[3], frame[7], frame[11]), 0.0, 1.0)
        self.objects.append(placed)
        start = len(self.rows)
        known.draw(Builder(self, rng, frame, placed.id, known.name), look)
        placed.rows = (start, len(self.rows))
        return placed

    # -- what scene authors call ---------------------------------------------------------------------------------
    def add(self, name: str, at: Point, ry: float = 0.0, scale: float = 1.0, seed: int | None = None) -> Placed:
        """Place an object ('lamp' or 'lamp/floor') with its origin at a point, turned by ry degrees."""
        chance = self.rng.random() if seed is None else seed
        placed = self.draw_object(name, pose(at, ry, scale), chance)
        assert placed is not None  # only `within` gives None
        placed.ry, placed.scale = ry, scale
        return placed

    def surface(
        self, region: str, material: str, centre: Point, size: tuple[float, float], facing: str = "up", colour=None, colour2=None,
        pattern: str | None = None, pattern_size: float | None = None, casts: bool = False,
    ) -> None:  # fmt: skip
        """Add a flat background surface of size (w, h or depth), facing 'up', 'down', 'front', 'left' or 'right'.

        `centre` is the middle of a level surface, or the middle of the foot of a standing one.
        """
        b = self._background
        b.object_id, b.label = region_id(region), region
        x, y, z = centre
        turns = {
            "front": (0, 0, 0),
            "left": (0, 90, 0),
            "right": (0, -90, 0),
            "up": (90, 0, 0),
            "down": (-90, 0, 0),
        }
        if facing not in turns:
            raise SceneLensError(f"no facing {facing!r}; {close_names(facing, turns)}")
        z += {"up": -size[1] / 2, "down": size[1] / 2}.get(facing, 0.0)
        b.panel(region, material, at=(x, y, z), size=size, rotate=turns[facing], colour=colour, colour2=colour2, pattern=pattern,
                pattern_size=pattern_size, casts=casts, glow=0.25 if facing == "down" else 0.0)  # fmt: skip

    def region(self, name: str) -> Builder:
        """A builder for background solids (hills, far houses): all it draws belongs to the region."""
        b = self._background
        b.object_id, b.label = region_id(name), name
        return b

    # -- what the renderer reads ---------------------------------------------------------------------------------
    def table(self) -> np.ndarray:
        """Instance table, (primitives, 28) float64; columns are named in `raster.COLUMNS`."""
        packed = bytearray().join([PACK(*row) for row in self.rows])  # half the time that numpy takes for numbers of mixed kinds
        return np.frombuffer(packed, np.float64).reshape(-1, 28)
