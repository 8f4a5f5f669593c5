"""What furniture is joined from: legs, door and drawer fronts, handles, and a frame for oval bowls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.frames import Point, stretch
from scenelens.sceneworld.palette import Colour, shade

__all__ = ["front", "knob", "legs", "pull", "stretched"]


def legs(
    b: Builder, width: float, depth: float, height: float, *, radius: float = 0.035, splay: float = 0.0,
    part: str = "leg", material: str = "wood", colour: str | Colour = "wood",
) -> None:  # fmt: skip
    """Four tapering legs under a rectangle (metres between their tops); splay 0.1: feet a tenth wider."""
    for x in (-width / 2, width / 2):
        for z in (-depth / 2, depth / 2):
            foot = (x * (1 + splay), 0.0, z * (1 + splay))
            b.rod(part, material, start=foot, stop=(x, height, z), radius=radius * 0.65, end_radius=radius,
                  colour=colour)  # fmt: skip


def front(
    b: Builder, part: str, x: float, y: float, z: float, width: float, height: float, colour: Colour, *,
    material: str = "wood", margin: float = 0.06,
) -> None:  # fmt: skip
    """A door or drawer front before the plane z, foot at (x, y); raised inside a margin (0: plain)."""
    b.box(part, material, at=(x, y, z - 0.012), size=(width - 0.015, height - 0.015, 0.03),
          colour=shade(colour, 0.06))  # fmt: skip
    if margin:
        size = (width - 2 * margin, height - 2 * margin, 0.02)
        b.box(part, material, at=(x, y + margin, z - 0.03), size=size, colour=shade(colour, 0.13))


def knob(b: Builder, x: float, y: float, z: float, *, radius: float = 0.022, colour: str | Colour = "gold") -> None:
    """A round knob standing out of the plane z."""
    b.sphere("handle", "metal", at=(x, y, z - radius * 1.5), radius=radius, colour=colour)


def pull(b: Builder, start: Point, stop: Point, *, radius: float = 0.014, colour: str | Colour = "metal") -> None:
    """A bar handle between two points."""
    b.rod("handle", "metal", start=start, stop=stop, radius=radius, colour=colour, soft=True)


@contextmanager
def stretched(b: Builder, x: float = 1.0, y: float = 1.0, z: float = 1.0, at: Point = (0, 0, 0)) -> Iterator[None]:
    """Work in a frame at a point that is stretched along its axes: turned shapes become oval."""
    with b.at(*at):
        b.frame = stretch(b.frame, x, y, z)
        yield
