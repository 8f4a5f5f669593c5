"""The hand that draws objects: primitives with a part name, a material and a place, in nested frames.

`scenelens.sceneworld.objects` explains it from an author's side.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scenelens.errors import SceneLensError, close_names
from scenelens.sceneworld import shapes
from scenelens.sceneworld.frames import Affine, Point, between, compose, move, move_stretch, point, rotation, stretch
from scenelens.sceneworld.outlines import extruded, outline_points
from scenelens.sceneworld.palette import Colour, hex_colour, shade
from scenelens.sceneworld.render.materials import MATERIALS, PATTERNS, material_index

if TYPE_CHECKING:
    from scenelens.sceneworld.world import World

__all__ = ["Builder"]

PATTERN_INDEX = {name: i for i, name in enumerate(PATTERNS)}
Look = str | Colour | None
Paint = tuple[tuple[float, ...], float, bool]


class Builder:
    """Draws one object (or one background surface) into a world; object functions receive it as `b`."""

    def __init__(self, world: World, rng: random.Random, frame: Affine, object_id: int, label: str) -> None:
        self.world, self.rng, self.object_id, self.label = world, rng, object_id, label
        self.frame = frame
        self.detail = world.detail
        self._colours: dict[str, Colour] = {}
        self._paints: dict[tuple, Paint] = {}
        self._seed = int(rng.random() * 1e6)
        self._part_seeds: dict[str, int] = {}

    # -- chance and colour ---------------------------------------------------------------------------------------
    def uniform(self, low: float, high: float) -> float:
        """A number between low and high."""
        return low + (high - low) * self.rng.random()

    def choice(self, options: Sequence[Any]) -> Any:
        """One of the options."""
        return options[int(self.rng.random() * len(options))]

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.rng.random() * (high - low + 1))

    def chance(self, share: float) -> bool:
        """True in the given share of cases."""
        return self.rng.random() < share

    def palette(self, role: str, vary: float = 0.25) -> Colour:
        """A colour of the picture's palette (linear RGB) with a little variation."""
        return self.world.palette(role, self.rng, vary)

    def colour(self, what: Look, default: str) -> Colour:
        """Turn a role name, '#rrggbb', RGB triple or None (the material's own, one per object) into a colour."""
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
        """Work in a frame moved to (x, y, z), turned by degrees, scaled evenly."""
        kept = self.frame
        frame = move(kept, x, y, z)
        if rx or ry or rz:
            frame = compose(frame, rotation(rx, ry, rz))
        self.frame = stretch(frame, scale, scale, scale) if scale != 1 else frame
        try:
            yield self
        finally:
            self.frame = kept

    def top(self, y: float, width: float, depth: float, x: float = 0, z: float = 0) -> None:
        """Say that small things can stand on a surface centred at (x, y, z)."""
        scale = (self.frame[0] ** 2 + self.frame[4] ** 2 + self.frame[8] ** 2) ** 0.5
        self.world.add_top(self.object_id, point(self.frame, (x, y, z)), width * scale, depth * scale)

    def use(self, name: str, at: Point = (0, 0, 0), ry: float = 0, scale: float = 1, as_object: bool = True) -> None:
        """Draw another object here: as an object of its own (default), or as parts of this one."""
        with self.at(*at, ry=ry, scale=scale):
            self.world.draw_object(name, self.frame, self.rng.random(), None if as_object else self)

    # -- primitives ----------------------------------------------------------------------------------------------
    def _put(
        self, mesh: shapes.Mesh, part: str, material: str, frame: Affine, colour: Look, colour2: Look, pattern: str | None,
        pattern_size: float | None, glow: float, round: float = 0.012, casts: bool = True,
    ) -> None:  # fmt: skip
        key = material, colour, colour2, pattern
        paint, size, opaque = self._paints.get(key) or self._paint(*key)
        world = self.world
        number, named = world.mesh_numbers.get(id(mesh)), world.part_numbers.get((self.label, part))
        self._seed += 1
        world.rows.append(
            frame
            + (world.mesh_index(mesh) if number is None else number,)
            + paint
            + (self.object_id, world.part_index(self.label, part) if named is None else named, glow, pattern_size or size, round,
               self._seed % 1048573, casts and opaque)
        )  # fmt: skip

    def _paint(self, material: str, colour: Look, colour2: Look, pattern: str | None) -> Paint:
        """Numbers of a material and a pattern, and the two colours: columns 13 to 20 of the instance table; size; opaque."""
        if material not in MATERIALS:
            raise SceneLensError(f"no material named {material!r}; {close_names(material, MATERIALS)}")
        look = MATERIALS[material]
        drawn = look.pattern if pattern is None else pattern
        if drawn not in PATTERN_INDEX:
            raise SceneLensError(f"no pattern named {drawn!r}; {close_names(drawn, PATTERNS)}")
        first = self.colour(colour, look.colour)
        second = first
        if drawn != "none":
            plain = colour2 is None and not look.second
            second = shade(first, -0.35) if plain else self.colour(colour2, look.second)
        paint = (material_index[material], PATTERN_INDEX[drawn], *first, *second), look.size, material != "glass"
        self._paints[material, colour, colour2, pattern] = paint
        return paint

    def _frame(self, at: Point, rotate: Point | None, sides: Point) -> Affine:
        if rotate is None:
            return move_stretch(self.frame, at, sides)
        return stretch(compose(move(self.frame, *at), rotation(*rotate)), *sides)

    def box(self, part: str, material: str, *, at: Point = (0, 0, 0), size: Point, rotate: Point | None = None,
            round: float = 0.012, colour: Look = None, colour2: Look = None, pattern: str | None = None,
            pattern_size: float | None = None, glow: float = 0, casts: bool = True) -> None:  # fmt: skip
        """A box of size (w, h, d); `at` is the centre of its bottom; `round`: radius of the edges that catch light."""
        frame = self._frame(at, rotate, size)
        self._put(shapes.box(), part, material, frame, colour, colour2, pattern, pattern_size, glow, round, casts)

    def cushion(self, part: str, material: str, *, at: Point = (0, 0, 0), size: Point, power: float = 0.5, rotate: Point | None = None,
                colour: Look = None, colour2: Look = None, pattern: str | None = None, pattern_size: float | None = None,
                glow: float = 0) -> None:  # fmt: skip
        """A pillow of size (w, h, d) on its bottom centre; power 1: an egg, 0.5: a pillow, 0.25: a mattress."""
        frame = self._frame(at, rotate, size)
        mesh = shapes.cushion(power, self.detail + 4)
        self._put(mesh, part, material, frame, colour, colour2, pattern, pattern_size, glow)

    def cylinder(self, part: str, material: str, *, at: Point = (0, 0, 0), radius: float, height: float, rotate: Point | None = None,
                 depth_radius: float | None = None, colour: Look = None, colour2: Look = None, pattern: str | None = None,
                 pattern_size: float | None = None, glow: float = 0) -> None:  # fmt: skip
        """An upright cylinder on `at`; depth_radius makes it oval."""
        self.cone(part, material, at=at, r0=radius, r1=radius, height=height, rotate=rotate, depth=(depth_radius or radius) / radius,
                  colour=colour, colour2=colour2, pattern=pattern, pattern_size=pattern_size, glow=glow)  # fmt: skip

    def cone(self, part: str, material: str, *, at: Point = (0, 0, 0), r0: float, r1: float = 0.0, height: float, sides: int = 0,
             depth: float = 1.0, rotate: Point | None = None, colour: Look = None, colour2: Look = None, pattern: str | None = None,
             pattern_size: float | None = None, glow: float = 0) -> None:  # fmt: skip
        """A (truncated) cone from radius r0 at the bottom to r1; sides=4: a pyramid, 6: a hexagonal post."""
        big = max(r0, r1)
        mesh = shapes.revolved(round(r0 / big, 1), round(r1 / big, 1), sides or self.detail)
        frame = self._frame(at, rotate, (big, height, big * depth))
        self._put(mesh, part, material, frame, colour, colour2, pattern, pattern_size, glow)

    def sphere(self, part: str, material: str, *, at: Point = (0, 0, 0), radius: float | Point, rotate: Point | None = None,
               colour: Look = None, colour2: Look = None, pattern: str | None = None, pattern_size: float | None = None,
               glow: float = 0) -> None:  # fmt: skip
        """A ball about its centre `at`; radius one number or (rx, ry, rz)."""
        frame = self._frame(at, rotate, _three(radius))
        self._put(shapes.sphere(self.detail), part, material, frame, colour, colour2, pattern, pattern_size, glow)

    def dome(self, part: str, material: str, *, at: Point = (0, 0, 0), radius: float | Point, rotate: Point | None = None,
             colour: Look = None, colour2: Look = None, pattern: str | None = None, pattern_size: float | None = None,
             glow: float = 0) -> None:  # fmt: skip
        """Half a ball, flat side down on `at`."""
        frame = self._frame(at, rotate, _three(radius))
        self._put(
            shapes.sphere(self.detail, 0.5),
            part,
            material,
            frame,
            colour,
            colour2,
            pattern,
            pattern_size,
            glow,
        )

    def blob(self, part: str, material: str, *, at: Point = (0, 0, 0), radius: float | Point, bumps: float = 0.25,
             rotate: Point | None = None, colour: Look = None, colour2: Look = None, pattern: str | None = None,
             pattern_size: float | None = None, glow: float = 0) -> None:  # fmt: skip
        """A bumpy ball about its centre (foliage, bush, cloud, rock)."""
        frame = self._frame(at, rotate, _three(radius))
        mesh = shapes.blob(bumps, self.integer(0, 5), self.detail)
        self._put(mesh, part, material, frame, colour, colour2, pattern, pattern_size, glow)

    def ring(self, part: str, material: str, *, at: Point = (0, 0, 0), radius: float, tube: float, rotate: Point | None = None,
             colour: Look = None, colour2: Look = None, pattern: str | None = None, pattern_size: float | None = None,
             glow: float = 0) -> None:  # fmt: skip
        """A torus lying flat about its centre; rotate=(90, 0, 0) stands it up facing the viewer."""
        frame = self._frame(at, rotate, (radius, radius, radius))
        mesh = shapes.torus(round(tube / radius, 2), self.detail + 6, 8)
        self._put(mesh, part, material, frame, colour, colour2, pattern, pattern_size, glow)

    def disc(self, part: str, material: str, *, at: Point = (0, 0, 0), radius: float, height: float = 0.01, rotate: Point | None = None,
             colour: Look = None, colour2: Look = None, pattern: str | None = None, pattern_size: float | None = None,
             glow: float = 0) -> None:  # fmt: skip
        """A thin round plate on `at`; rotate=(-90, 0, 0) makes its top face the viewer."""
        self.cone(part, material, at=at, r0=radius, r1=radius, height=height, rotate=rotate, colour=colour, colour2=colour2,
                  pattern=pattern, pattern_size=pattern_size, glow=glow)  # fmt: skip

    def panel(self, part: str, material: str, *, at: Point = (0, 0, 0), size: tuple[float, float], rotate: Point | None = None,
              colour: Look = None, colour2: Look = None, pattern: str | None = None, pattern_size: float | None = None,
              glow: float = 0, casts: bool = True) -> None:  # fmt: skip
        """A sheet (w, h) without thickness, upright on `at`, facing the viewer; seen from both sides."""
        frame = self._frame(at, rotate, (size[0], size[1], 1.0))
        self._put(shapes.panel(), part, material, frame, colour, colour2, pattern, pattern_size, glow, casts=casts)

    def wedge(self, part: str, material: str, *, at: Point = (0, 0, 0), size: Point, ridge: float = 1.0, lean: float = 0.0,
              rotate: Point | None = None, colour: Look = None, colour2: Look = None, pattern: str | None = None,
              pattern_size: float | None = None, glow: float = 0) -> None:  # fmt: skip
        """A roof of size (w, h, d), ridge along x over the middle; ridge < 1 hips the ends; lean 1 / -1: a ramp."""
        frame = self._frame(at, rotate, size)
        self._put(shapes.wedge(ridge, lean), part, material, frame, colour, colour2, pattern, pattern_size, glow)

    def lathe(self, part: str, material: str, *, at: Point = (0, 0, 0), profile: Sequence[tuple[float, float]], closed: bool = True,
              rotate: Point | None = None, colour: Look = None, colour2: Look = None, pattern: str | None = None,
              pattern_size: float | None = None, glow: float = 0) -> None:  # fmt: skip
        """Turn a profile of (radius, height) metres, bottom to top, about y; closed=False shows the inside (bowls)."""
        mesh = shapes.lathe(tuple((float(r), float(y)) for r, y in profile), self.detail, closed)
        self._put(
            mesh,
            part,
            material,
            self._frame(at, rotate, (1, 1, 1)),
            colour,
            colour2,
            pattern,
            pattern_size,
            glow,
        )

    def rod(self, part: str, material: str, *, start: Point, stop: Point, radius: float, end_radius: float | None = None,
            soft: bool = False, colour: Look = None, colour2: Look = None, pattern: str | None = None,
            pattern_size: float | None = None, glow: float = 0) -> None:  # fmt: skip
        """A round bar from start to stop, tapering to end_radius; soft=True rounds its ends (limbs)."""
        frame, length = between(start, stop)
        frame = compose(self.frame, frame)
        if soft:
            mesh = shapes.capsule(round(min(0.5, radius / length), 2), max(8, self.detail - 4))
            wide = radius / max(0.01, round(min(0.5, radius / length), 2))
            frame = stretch(frame, wide, length, wide)
        else:
            end = radius if end_radius is None else end_radius
            big = max(radius, end)
            mesh = shapes.revolved(round(radius / big, 1), round(end / big, 1), max(8, self.detail - 4))
            frame = stretch(frame, big, length, big)
        self._put(mesh, part, material, frame, colour, colour2, pattern, pattern_size, glow)

    def tube(self, part: str, material: str, *, path: Sequence[Point], radius: float, loop: bool = False, at: Point = (0, 0, 0),
             rotate: Point | None = None, colour: Look = None, colour2: Look = None, pattern: str | None = None,
             pattern_size: float | None = None, glow: float = 0) -> None:  # fmt: skip
        """A bent tube along points in metres (handles, rails); give fixed points where you can: each path is a mesh."""
        mesh = shapes.tube(tuple(tuple(map(float, p)) for p in path), radius, max(6, self.detail - 6), loop)
        self._put(
            mesh,
            part,
            material,
            self._frame(at, rotate, (1, 1, 1)),
            colour,
            colour2,
            pattern,
            pattern_size,
            glow,
        )

    def extrude(self, part: str, material: str, *, outline: str | Sequence[tuple[float, float]], at: Point = (0, 0, 0),
                size: Point = (1, 1, 1), rotate: Point | None = None, colour: Look = None, colour2: Look = None,
                pattern: str | None = None, pattern_size: float | None = None, glow: float = 0) -> None:  # fmt: skip
        """A slab cut along a named or given outline, upright on `at`, facing the viewer; size (w, h, thickness)."""
        mesh = extruded(outline_points(outline))  # type: ignore[arg-type]
        self._put(mesh, part, material, self._frame(at, rotate, size), colour, colour2, pattern, pattern_size, glow)


def _three(radius: float | Point) -> Point:
    return radius if isinstance(radius, tuple) else (radius, radius, radius)
