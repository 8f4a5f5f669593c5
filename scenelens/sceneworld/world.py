"""A world: objects and background surfaces placed in space, ready to be rendered."""

from __future__ import annotations

import hashlib
import random
import struct
from dataclasses import dataclass, field

import numpy as np

from scenelens.errors import SceneLensError, close_names

# Object classes register themselves when their modules are imported. This is the one place that loads them, because
# every picture is made from a World.
from scenelens.sceneworld import objects  # noqa: F401
from scenelens.sceneworld.builder import Builder, ColourLike
from scenelens.sceneworld.frames import IDENTITY, Affine, Point, pose
from scenelens.sceneworld.palette import Palette
from scenelens.sceneworld.registry import resolve
from scenelens.sceneworld.shapes import Mesh

__all__ = ["REGIONS", "Placed", "Top", "World", "region_id", "stable_seed"]

REGIONS = (
    "sky", "wall", "floor", "ceiling", "grass", "sand", "road", "pavement", "water", "snow", "soil", "hill", "mountain",
    "forest", "building", "ground",
)  # fmt: skip
_TURNS: dict[str, Point] = {
    "front": (0, 0, 0),
    "left": (0, 90, 0),
    "right": (0, -90, 0),
    "up": (90, 0, 0),
    "down": (-90, 0, 0),
}
_PACK = struct.Struct("28d").pack


def stable_seed(*parts: object) -> int:
    """A seed made from anything printable; the same on every machine and in every process.

    Python's own `hash` differs from process to process, so it cannot be used.

    Parameters
    ----------
    *parts : object
        Values whose ``repr`` is stable: strings, numbers, tuples of them.

    Returns
    -------
    int
        Seed of 63 bits.

    Examples
    --------
    >>> stable_seed("bedroom", 3) == stable_seed("bedroom", 3) != stable_seed("bedroom", 4)
    True
    """
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def region_id(name: str) -> int:
    """The number of a background region in the object map.

    Parameters
    ----------
    name : str
        One of `REGIONS`.

    Returns
    -------
    int
        A negative number, so that it never meets an object's id; sky is -1.

    Raises
    ------
    SceneLensError
        If there is no such region.
    """
    if name not in REGIONS:
        raise SceneLensError(f"no background region named {name!r}; {close_names(name, REGIONS)}")
    return -1 - REGIONS.index(name)


@dataclass
class Top:
    """A level surface on which small things can stand.

    Attributes
    ----------
    centre : tuple of float
        Its middle in the world, metres.
    width, depth : float
        Its sides in metres.
    """

    centre: Point
    width: float
    depth: float


@dataclass
class Placed:
    """An object in a world.

    Attributes
    ----------
    id : int
        Its number in the object map, from 0.
    name : str
        Its class.
    look : str
        Its appearance.
    at : tuple of float
        Its origin in the world, metres.
    ry : float
        Its turn about the vertical axis, degrees.
    scale : float
        Factor on its usual size.
    parent : int or None
        Id of the object that it stands on.
    tops : list of Top
        Surfaces that it offers to small things.
    rows : tuple of int
        First row and end of its primitives in the instance table.
    """

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
    """Objects and background surfaces of one picture; the canvas that builders draw into.

    Parameters
    ----------
    palette : Palette
        Colours of the picture.
    seed : int
        Seed of everything random in it.
    detail : int, optional
        Segments round a curved primitive (default 12; single objects seen large need more).
    reach : float, optional
        Distance in metres over which near surfaces darken each other (default 0.35).

    Attributes
    ----------
    rows : list of tuple
        Instance table, one row of 28 numbers per primitive.
    objects : list of Placed
        The objects; an object's id is its place in the list.
    parts : list of tuple of str
        (object class or region, part) of each number in the part map.
    meshes : list of Mesh
        The different meshes used.
    fog : float
        Haze per metre (0: none).
    shadow_depth : float
        Distance from the camera, in metres, up to which shadows are computed.

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
        self.meshes: list[Mesh] = []
        self.fog = 0.0
        self.shadow_depth = 14.0
        self._part_numbers: dict[tuple[str, str], int] = {}
        # By identity: meshes are cached by their makers, so equal meshes are one object, and arrays have no cheap hash.
        self._mesh_numbers: dict[int, int] = {}
        # Its own random numbers: the background stays the same whatever objects are added.
        self._background = Builder(self, random.Random(seed ^ 0x5EED), IDENTITY, 0, "background")

    # -- what builders call (see `Canvas`) -----------------------------------------------------------------------
    def mesh_index(self, mesh: Mesh) -> int:
        """Number of a mesh in `meshes`.

        Parameters
        ----------
        mesh : Mesh
            The mesh; it is added if it is new.
        """
        number = self._mesh_numbers.get(id(mesh))
        if number is None:
            number = self._mesh_numbers[id(mesh)] = len(self.meshes)
            self.meshes.append(mesh)
        return number

    def part_index(self, label: str, part: str) -> int:
        """Number of a part in `parts`.

        Parameters
        ----------
        label : str
            Object class or background region.
        part : str
            Name of the part.
        """
        key = (label, part)
        number = self._part_numbers.get(key)
        if number is None:
            number = self._part_numbers[key] = len(self.parts)
            self.parts.append(key)
        return number

    def add_top(self, object_id: int, centre: Point, width: float, depth: float) -> None:
        """Note a surface of an object on which small things can stand.

        Parameters
        ----------
        object_id : int
            Id of the object; negative for background regions, whose surfaces are ignored.
        centre : tuple of float
            Middle of the surface in the world, metres.
        width, depth : float
            Sides of the surface in metres.
        """
        if object_id >= 0:
            self.objects[object_id].tops.append(Top(centre, width, depth))

    def draw_object(self, name: str, frame: Affine, chance: float, within: Builder | None = None) -> Placed | None:
        """Draw an object in a frame.

        Parameters
        ----------
        name : str
            Object class (``"lamp"``: a random look) or one look of it (``"lamp/floor"``).
        frame : tuple of float
            The object's frame in the world.
        chance : float
            Seed of everything random in the object.
        within : Builder, optional
            If given, what is drawn becomes parts of this builder's object; by default it is an object of its own.

        Returns
        -------
        Placed or None
            The new object; None if `within` is given.
        """
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
        """Place an object.

        Parameters
        ----------
        name : str
            Object class (``"lamp"``: a random look) or one look of it (``"lamp/floor"``).
        at : tuple of float
            Where its origin is put, metres.
        ry : float, optional
            Turn about the vertical axis in degrees (default 0: its front faces the viewer).
        scale : float, optional
            Factor on its usual size (default 1).
        seed : int, optional
            Seed of everything random in the object; by default the world draws one.

        Returns
        -------
        Placed
            The object.

        Raises
        ------
        SceneLensError
            If there is no such object class or look.
        """
        chance = self.rng.random() if seed is None else seed
        placed = self.draw_object(name, pose(at, ry, scale), chance)
        assert placed is not None  # only `within` gives None
        placed.ry, placed.scale = ry, scale
        return placed

    def surface(
        self, region: str, material: str, centre: Point, size: tuple[float, float], facing: str = "up",
        colour: ColourLike = None, colour2: ColourLike = None, pattern: str | None = None, pattern_size: float | None = None,
        casts: bool = False,
    ) -> None:  # fmt: skip
        """Add a flat background surface.

        Parameters
        ----------
        region : str
            One of `REGIONS`, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        centre : tuple of float
            The middle of a level surface, or the middle of the lower edge of a standing one, metres.
        size : tuple of float
            Width and height (or depth) in metres.
        facing : {'up', 'down', 'front', 'left', 'right'}, optional
            Direction of its visible side (default ``"up"``).
        colour, colour2 : str, tuple of float or None, optional
            First colour and colour of the pattern (default the material's own).
        pattern : str, optional
            One of `materials.PATTERNS` (default the material's own).
        pattern_size : float, optional
            Metres per pattern cell (default the material's own).
        casts : bool, optional
            Whether it throws a shadow (default False).

        Raises
        ------
        SceneLensError
            If the region, the material, the pattern or the direction is unknown.
        """
        b = self._background
        b.object_id, b.label = region_id(region), region
        x, y, z = centre
        if facing not in _TURNS:
            raise SceneLensError(f"no facing {facing!r}; {close_names(facing, _TURNS)}")
        # A panel turns about its lower edge; level surfaces are shifted so that `centre` becomes their middle.
        z += {"up": -size[1] / 2, "down": size[1] / 2}.get(facing, 0.0)
        # Ceilings glow a little: light that bounces off floors and walls is not simulated, and they would be too dark.
        b.panel(region, material, at=(x, y, z), size=size, rotate=_TURNS[facing], colour=colour, colour2=colour2, pattern=pattern,
                pattern_size=pattern_size, casts=casts, glow=0.25 if facing == "down" else 0.0)  # fmt: skip

    def region(self, name: str) -> Builder:
        """A builder for background solids: hills, far houses.

        Parameters
        ----------
        name : str
            One of `REGIONS`; everything drawn belongs to it.

        Returns
        -------
        Builder
            The builder, to be used before the next call of `region` or `surface`.
        """
        b = self._background
        b.object_id, b.label = region_id(name), name
        return b

    # -- what the renderer reads ---------------------------------------------------------------------------------
    def table(self) -> np.ndarray:
        """The instance table.

        Returns
        -------
        numpy.ndarray
            (primitives, 28) float64; the columns are named in `raster.COLUMNS`.
        """
        packed = bytearray().join([_PACK(*row) for row in self.rows])  # half the time that numpy takes for mixed numbers
        return np.frombuffer(packed, np.float64).reshape(-1, 28)
