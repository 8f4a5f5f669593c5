"""The builder: what an object function draws with.

A builder places primitives (boxes, lathes, tubes ...) with a part name, a material and a colour, in nested frames.
`scenelens.sceneworld.objects` describes the same from an author's side.

A builder writes into a `Canvas`, the part of a world that drawing needs. `World` is one; it imports this module, not
the other way round.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypedDict, Unpack

from scenelens.errors import SceneLensError, close_names
from scenelens.sceneworld import shapes
from scenelens.sceneworld.frames import Affine, Point, between, compose, move, move_stretch, point, rotation, stretch
from scenelens.sceneworld.materials import MATERIALS, PATTERNS, material_index
from scenelens.sceneworld.outlines import extruded, outline_points
from scenelens.sceneworld.palette import Colour, Palette, hex_colour, shade

__all__ = ["Builder", "Canvas", "ColourLike", "Paint"]

_PATTERN_INDEX = {name: i for i, name in enumerate(PATTERNS)}
ColourLike = str | Colour | None  # a palette role, '#rrggbb', a linear RGB triple, or None: the material's own colour


class Paint(TypedDict, total=False):
    """Keywords that all primitives take: how the surface is painted."""

    colour: ColourLike  # the first colour
    colour2: ColourLike  # the pattern's colour
    pattern: str | None  # one of `materials.PATTERNS`; None: the material's own pattern
    pattern_size: float | None  # metres per pattern cell; None: the material's own size
    glow: float  # light of its own, 0 to 1


class Canvas(Protocol):
    """What a builder needs of the world that it draws into.

    Attributes
    ----------
    detail : int
        Number of segments round a curved primitive.
    palette : Palette
        Colours of the picture.
    rows : list of tuple
        One row of 28 numbers per primitive, in the order of `raster.COLUMNS`; builders append to it.
    """

    detail: int
    palette: Palette
    rows: list[tuple]

    def mesh_index(self, mesh: shapes.Mesh) -> int:
        """Number of a mesh in the list of meshes.

        Parameters
        ----------
        mesh : Mesh
            The mesh; it is added to the list if it is new.
        """
        ...

    def part_index(self, label: str, part: str) -> int:
        """Number of a part in the list of parts.

        Parameters
        ----------
        label : str
            Object class or background region.
        part : str
            Name of the part.
        """
        ...

    def add_top(self, object_id: int, centre: Point, width: float, depth: float) -> None:
        """Note a level surface of an object on which small things can stand.

        Parameters
        ----------
        object_id : int
            Id of the object; negative for background regions, whose surfaces are ignored.
        centre : tuple of float
            Middle of the surface, world coordinates in metres.
        width, depth : float
            Sides of the surface in metres.
        """
        ...

    def draw_object(self, name: str, frame: Affine, chance: float, within: Builder | None = None) -> object:
        """Draw another object.

        Parameters
        ----------
        name : str
            Object class (``"lamp"``) or one look of it (``"lamp/floor"``).
        frame : tuple of float
            The object's frame in the world.
        chance : float
            Seed of everything random in the object.
        within : Builder, optional
            If given, what is drawn becomes parts of this builder's object; by default it is an object of its own.
        """
        ...


class Builder:
    """Draws one object (or one background surface) into a world; object functions receive it as `b`.

    Parameters
    ----------
    world : Canvas
        The world that receives the primitives.
    rng : random.Random
        Source of everything random in this object.
    frame : tuple of float
        Frame of the object in the world, see `frames`.
    object_id : int
        Id of the object in the object map; negative for background regions.
    label : str
        Object class or background region; it names the parts.

    Attributes
    ----------
    frame : tuple of float
        The current frame; `at` changes it for a while.
    detail : int
        Number of segments round a curved primitive.
    """

    def __init__(self, world: Canvas, rng: random.Random, frame: Affine, object_id: int, label: str) -> None:
        self.world, self.rng, self.object_id, self.label = world, rng, object_id, label
        self.frame = frame
        self.detail = world.detail
        self._colours: dict[str, Colour] = {}
        # Objects use few combinations of material and colours many times: each is looked up once.
        self._paints: dict[tuple, tuple[tuple[float, ...], float, bool]] = {}
        self._seed = int(rng.random() * 1e6)

    # -- chance and colour ---------------------------------------------------------------------------------------
    # Written out with `random()` alone, which is several times faster than the methods of Random.
    def uniform(self, low: float, high: float) -> float:
        """A random number.

        Parameters
        ----------
        low, high : float
            Ends of the range.
        """
        return low + (high - low) * self.rng.random()

    def choice(self, options: Sequence[Any]) -> Any:
        """One of the options, each equally likely.

        Parameters
        ----------
        options : sequence
            The options.
        """
        return options[int(self.rng.random() * len(options))]

    def integer(self, low: int, high: int) -> int:
        """A random whole number.

        Parameters
        ----------
        low, high : int
            Ends of the range, both included.
        """
        return low + int(self.rng.random() * (high - low + 1))

    def chance(self, share: float) -> bool:
        """True in the given share of cases.

        Parameters
        ----------
        share : float
            Probability, 0..1.
        """
        return self.rng.random() < share

    def palette(self, role: str, vary: float = 0.25) -> Colour:
        """A new colour for a role of the picture's palette.

        Parameters
        ----------
        role : str
            One of `palette.ROLES`, or ``"skin"``.
        vary : float, optional
            Strength of the random variation, 0..1 (default 0.25).

        Returns
        -------
        tuple of float
            Linear RGB.
        """
        return self.world.palette(role, self.rng, vary)

    def colour(self, what: ColourLike, default: str) -> Colour:
        """Turn any description of a colour into linear RGB.

        Parameters
        ----------
        what : str, tuple of float or None
            A palette role, ``"#rrggbb"``, linear RGB, or None for the default. A role that is used twice in one object
            gives the same colour both times.
        default : str
            Role to use for None: the material's own.

        Returns
        -------
        tuple of float
            Linear RGB.
        """
        if what is None:
            what = default
        if isinstance(what, str):
            if what.startswith("#"):
                return hex_colour(what)
            if what not in self._colours:
                self._colours[what] = self.world.palette(what, self.rng)
            return self._colours[what]
        return what

    # -- frames --------------------------------------------------------------------------------------------------
    @contextmanager
    def at(
        self,
        x: float = 0,
        y: float = 0,
        z: float = 0,
        rx: float = 0,
        ry: float = 0,
        rz: float = 0,
        scale: float = 1,
    ) -> Iterator[Builder]:
        """Work in a moved frame inside a ``with`` block.

        Parameters
        ----------
        x, y, z : float, optional
            Shift in metres (default 0).
        rx, ry, rz : float, optional
            Turn in degrees about the x, y and z axis (default 0); see `frames.rotation` for the order.
        scale : float, optional
            Factor on all sizes (default 1).

        Yields
        ------
        Builder
            This builder.
        """
        outer = self.frame
        frame = move(outer, x, y, z)
        if rx or ry or rz:
            frame = compose(frame, rotation(rx, ry, rz))
        self.frame = stretch(frame, scale, scale, scale) if scale != 1 else frame
        try:
            yield self
        finally:
            self.frame = outer

    def top(self, y: float, width: float, depth: float, x: float = 0, z: float = 0) -> None:
        """Declare a level surface on which small things can stand.

        Parameters
        ----------
        y : float
            Height of the surface in metres.
        width, depth : float
            Sides of the surface in metres.
        x, z : float, optional
            Middle of the surface in metres (default 0).
        """
        scale = (self.frame[0] ** 2 + self.frame[4] ** 2 + self.frame[8] ** 2) ** 0.5
        self.world.add_top(self.object_id, point(self.frame, (x, y, z)), width * scale, depth * scale)

    def use(self, name: str, at: Point = (0, 0, 0), ry: float = 0, scale: float = 1, as_object: bool = True) -> None:
        """Draw another object here.

        Parameters
        ----------
        name : str
            Object class (``"lamp"``) or one look of it (``"lamp/floor"``).
        at : tuple of float, optional
            Where its origin is put, metres (default the origin of the current frame).
        ry : float, optional
            Turn about the vertical axis in degrees (default 0).
        scale : float, optional
            Factor on its size (default 1).
        as_object : bool, optional
            True (default): it is an object of its own. False: it becomes parts of this object.
        """
        with self.at(*at, ry=ry, scale=scale):
            self.world.draw_object(name, self.frame, self.rng.random(), None if as_object else self)

    # -- primitives ----------------------------------------------------------------------------------------------
    def _put(
        self, mesh: shapes.Mesh, part: str, material: str, frame: Affine, colour: ColourLike = None, colour2: ColourLike = None,
        pattern: str | None = None, pattern_size: float | None = None, glow: float = 0, round: float = 0.012, casts: bool = True,
    ) -> None:  # fmt: skip
        """Append one row to the instance table."""
        key = material, colour, colour2, pattern
        paint, size, opaque = self._paints.get(key) or self._paint(*key)
        world = self.world
        # Each primitive has its own seed, so that the brush strokes of two boards of one table differ. The modulus
        # keeps it small enough for integer arithmetic in the kernels.
        self._seed += 1
        world.rows.append(
            frame
            + (world.mesh_index(mesh),)
            + paint
            + (self.object_id, world.part_index(self.label, part), glow, pattern_size or size, round, self._seed % 1048573,
               casts and opaque)
        )  # fmt: skip

    def _paint(self, material: str, colour: ColourLike, colour2: ColourLike, pattern: str | None) -> tuple[tuple[float, ...], float, bool]:
        """Columns 13 to 20 of the instance table (material, pattern, two colours), the pattern's size, whether opaque."""
        if material not in MATERIALS:
            raise SceneLensError(f"no material named {material!r}; {close_names(material, MATERIALS)}")
        look = MATERIALS[material]
        drawn = look.pattern if pattern is None else pattern
        if drawn not in _PATTERN_INDEX:
            raise SceneLensError(f"no pattern named {drawn!r}; {close_names(drawn, PATTERNS)}")
        first = self.colour(colour, look.colour)
        second = first
        if drawn != "none":
            plain = colour2 is None and not look.second
            second = shade(first, -0.35) if plain else self.colour(colour2, look.second)
        paint = (material_index[material], _PATTERN_INDEX[drawn], *first, *second), look.size, material != "glass"
        self._paints[material, colour, colour2, pattern] = paint
        return paint

    def _frame(self, at: Point, rotate: Point | None, sides: Point) -> Affine:
        if rotate is None:  # most primitives are not turned: one product fewer
            return move_stretch(self.frame, at, sides)
        return stretch(compose(move(self.frame, *at), rotation(*rotate)), *sides)

    def box(
        self, part: str, material: str, *, at: Point = (0, 0, 0), size: Point, rotate: Point | None = None, round: float = 0.012,
        casts: bool = True, **paint: Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw a box.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        at : tuple of float, optional
            The centre of the bottom, metres (default the origin).
        size : tuple of float
            Width, height and depth in metres.
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        round : float, optional
            Radius in metres of the edges, which catch the light (default 0.012).
        casts : bool, optional
            Whether it throws a shadow (default True).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        self._put(shapes.box(), part, material, self._frame(at, rotate, size), round=round, casts=casts, **paint)

    def cushion(
        self, part: str, material: str, *, at: Point = (0, 0, 0), size: Point, power: float = 0.5, rotate: Point | None = None,
        **paint: Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw a pillow.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        at : tuple of float, optional
            The centre of the bottom, metres (default the origin).
        size : tuple of float
            Width, height and depth in metres.
        power : float, optional
            Roundness: 1 is an egg, 0.5 (default) a pillow, 0.25 a mattress.
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        frame = self._frame(at, rotate, size)
        self._put(shapes.cushion(power, self.detail + 4), part, material, frame, **paint)

    def cylinder(
        self, part: str, material: str, *, at: Point = (0, 0, 0), radius: float, height: float, rotate: Point | None = None,
        depth_radius: float | None = None, **paint: Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw an upright cylinder.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        at : tuple of float, optional
            The centre of the bottom, metres (default the origin).
        radius : float
            Radius in metres.
        height : float
            Height in metres.
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        depth_radius : float, optional
            Radius along z, for an oval cylinder (default `radius`).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        depth = (depth_radius or radius) / radius
        self.cone(part, material, at=at, r0=radius, r1=radius, height=height, rotate=rotate, depth=depth, **paint)

    def cone(
        self, part: str, material: str, *, at: Point = (0, 0, 0), r0: float, r1: float = 0.0, height: float, sides: int = 0, depth:
        float = 1.0, rotate: Point | None = None, **paint: Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw an upright cone or truncated cone.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        at : tuple of float, optional
            The centre of the bottom, metres (default the origin).
        r0, r1 : float
            Radius at the bottom and at the top, metres (`r1`: default 0).
        height : float
            Height in metres.
        sides : int, optional
            Number of sides: 4 for a pyramid, 6 for a hexagonal post (default 0: round).
        depth : float, optional
            Factor on the radii along z (default 1).
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        big = max(r0, r1)
        # Rounded ratios, so that cones of nearly the same shape share one mesh.
        mesh = shapes.revolved(round(r0 / big, 1), round(r1 / big, 1), sides or self.detail)
        self._put(mesh, part, material, self._frame(at, rotate, (big, height, big * depth)), **paint)

    def sphere(
        self, part: str, material: str, *, at: Point = (0, 0, 0), radius: float | Point, rotate: Point | None = None, **paint:
        Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw a ball.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        at : tuple of float, optional
            The centre, metres (default the origin).
        radius : float or tuple of float
            One radius, or one along each axis, metres.
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        self._put(shapes.sphere(self.detail), part, material, self._frame(at, rotate, _three(radius)), **paint)

    def dome(
        self, part: str, material: str, *, at: Point = (0, 0, 0), radius: float | Point, rotate: Point | None = None, **paint:
        Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw half a ball, flat side down.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        at : tuple of float, optional
            The centre of the flat side, metres (default the origin).
        radius : float or tuple of float
            One radius, or one along each axis, metres.
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        self._put(shapes.sphere(self.detail, 0.5), part, material, self._frame(at, rotate, _three(radius)), **paint)

    def blob(
        self, part: str, material: str, *, at: Point = (0, 0, 0), radius: float | Point, bumps: float = 0.25, rotate: Point | None =
        None, **paint: Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw a bumpy ball: foliage, a bush, a cloud, a rock.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        at : tuple of float, optional
            The centre, metres (default the origin).
        radius : float or tuple of float
            One radius, or one along each axis, metres.
        bumps : float, optional
            Height of the bumps as a share of the radius (default 0.25).
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        frame = self._frame(at, rotate, _three(radius))
        mesh = shapes.blob(bumps, self.integer(0, 5), self.detail)
        self._put(mesh, part, material, frame, **paint)

    def ring(
        self, part: str, material: str, *, at: Point = (0, 0, 0), radius: float, tube: float, rotate: Point | None = None, **paint:
        Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw a ring that lies flat; rotate=(90, 0, 0) makes it stand and face the viewer.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        at : tuple of float, optional
            The centre, metres (default the origin).
        radius : float
            Radius of the ring in metres.
        tube : float
            Radius of its cross-section in metres.
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        frame = self._frame(at, rotate, (radius, radius, radius))
        self._put(shapes.torus(round(tube / radius, 2), self.detail + 6, 8), part, material, frame, **paint)

    def disc(
        self, part: str, material: str, *, at: Point = (0, 0, 0), radius: float, height: float = 0.01, rotate: Point | None = None,
        **paint: Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw a thin round plate; rotate=(-90, 0, 0) makes its top face the viewer.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        at : tuple of float, optional
            The centre of the bottom, metres (default the origin).
        radius : float
            Radius in metres.
        height : float, optional
            Thickness in metres (default 0.01).
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        self.cone(part, material, at=at, r0=radius, r1=radius, height=height, rotate=rotate, **paint)

    def panel(
        self, part: str, material: str, *, at: Point = (0, 0, 0), size: tuple[float, float], rotate: Point | None = None, casts: bool
        = True, **paint: Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw an upright sheet without thickness that faces the viewer; both sides are seen.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        at : tuple of float, optional
            The middle of the lower edge, metres (default the origin).
        size : tuple of float
            Width and height in metres.
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        casts : bool, optional
            Whether it throws a shadow (default True).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        self._put(shapes.panel(), part, material, self._frame(at, rotate, (size[0], size[1], 1.0)), casts=casts, **paint)

    def wedge(
        self, part: str, material: str, *, at: Point = (0, 0, 0), size: Point, ridge: float = 1.0, lean: float = 0.0, rotate: Point |
        None = None, **paint: Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw a roof, its ridge along x.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        at : tuple of float, optional
            The centre of the bottom, metres (default the origin).
        size : tuple of float
            Width, height and depth in metres.
        ridge : float, optional
            Length of the ridge as a share of the width (default 1); less than 1 makes a hipped roof.
        lean : float, optional
            Where the ridge lies: 0 (default) over the middle, 1 or -1 over the back or front edge (a ramp).
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        self._put(shapes.wedge(ridge, lean), part, material, self._frame(at, rotate, size), **paint)

    def lathe(
        self, part: str, material: str, *, at: Point = (0, 0, 0), profile: Sequence[tuple[float, float]], closed: bool = True, rotate:
        Point | None = None, **paint: Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw a profile turned about the y axis: vases, bowls, lamps.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        at : tuple of float, optional
            The origin of the profile, metres (default the origin).
        profile : sequence of tuple of float
            Points (radius, height) in metres, from bottom to top along the outside.
        closed : bool, optional
            True (default) for a solid; False shows the inside too (bowls).
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        mesh = shapes.lathe(tuple((float(r), float(y)) for r, y in profile), self.detail, closed)
        self._put(mesh, part, material, self._frame(at, rotate, (1, 1, 1)), **paint)

    def rod(
        self, part: str, material: str, *, start: Point, stop: Point, radius: float, end_radius: float | None = None, soft: bool =
        False, **paint: Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw a round bar between two points.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        start, stop : tuple of float
            Ends of the bar in metres.
        radius : float
            Radius in metres, at `start`.
        end_radius : float, optional
            Radius at `stop` (default `radius`).
        soft : bool, optional
            Whether the ends are round, as for limbs (default False); then `end_radius` has no effect.
        **paint : Unpack[Paint]
            See `Paint`.
        """
        frame, length = between(start, stop)
        frame = compose(self.frame, frame)
        if soft:
            ratio = round(min(0.5, radius / length), 2)
            wide = radius / max(0.01, ratio)
            mesh = shapes.capsule(ratio, max(8, self.detail - 4))
            frame = stretch(frame, wide, length, wide)
        else:
            end = radius if end_radius is None else end_radius
            big = max(radius, end)
            mesh = shapes.revolved(round(radius / big, 1), round(end / big, 1), max(8, self.detail - 4))
            frame = stretch(frame, big, length, big)
        self._put(mesh, part, material, frame, **paint)

    def tube(
        self, part: str, material: str, *, path: Sequence[Point], radius: float, loop: bool = False, at: Point = (0, 0, 0), rotate:
        Point | None = None, **paint: Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw a bent tube: handles, rails.

        Each path is a mesh of its own; paths without random numbers are made once for all pictures.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        path : sequence of tuple of float
            Points (x, y, z) in metres along its middle.
        radius : float
            Radius in metres.
        loop : bool, optional
            Whether the last point is joined to the first (default False).
        at : tuple of float, optional
            The origin of the path, metres (default the origin).
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        mesh = shapes.tube(tuple(tuple(map(float, p)) for p in path), radius, max(6, self.detail - 6), loop)
        self._put(mesh, part, material, self._frame(at, rotate, (1, 1, 1)), **paint)

    def extrude(
        self, part: str, material: str, *, outline: str | Sequence[tuple[float, float]], at: Point = (0, 0, 0), size: Point = (1, 1,
        1), rotate: Point | None = None, **paint: Unpack[Paint],
    ) -> None:  # fmt: skip
        """Draw a slab cut along an outline, upright, facing the viewer.

        Parameters
        ----------
        part : str
            Name of the part, the label of its pixels.
        material : str
            One of `materials.MATERIALS`.
        outline : str or sequence of tuple of float
            A name in `outlines.OUTLINES`, or points (x, y).
        at : tuple of float, optional
            The origin of the outline, metres (default the origin).
        size : tuple of float, optional
            Factors on the outline's width and height, and the thickness in metres (default 1).
        rotate : tuple of float, optional
            Turn (rx, ry, rz) in degrees about `at` (default none).
        **paint : Unpack[Paint]
            See `Paint`.
        """
        mesh = extruded(outline_points(outline))  # type: ignore[arg-type]
        self._put(mesh, part, material, self._frame(at, rotate, size), **paint)


def _three(radius: float | Point) -> Point:
    return radius if isinstance(radius, tuple) else (radius, radius, radius)
