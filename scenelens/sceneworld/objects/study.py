"""Study and school: bookcase, blackboard."""

from __future__ import annotations

from itertools import pairwise

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.palette import Colour, shade
from scenelens.sceneworld.registry import object_class

BINDINGS = ("accent", "accent2", "accent3", "red", "blue", "green", "brown", "yellow", "purple")
HOUSE = ((-1, 0, 0), (-1, 1, 0), (0, 1.75, 0), (1, 1, 0), (1, 0, 0))


@object_class(
    "bookcase",
    looks=("tall", "low"),
    size={"tall": (1.0, 2.0, 0.36), "low": (1.3, 0.86, 0.38)},
    place="against_wall",
)
def bookcase(b: Builder, look: str) -> None:
    """Shelves full of books, head-high or knee-high; the low one offers its top."""
    w, h, rows = (b.uniform(0.85, 1.0), 1.95, 5) if look == "tall" else (b.uniform(1.1, 1.3), 0.82, 2)
    wood, deep, foot = b.palette(b.choice(["wood", "wood", "darkwood", "white", "accent2"])), 0.32, 0.1
    b.box("base", "wood", size=(w, foot, deep - 0.03), colour=shade(wood, -0.25))
    for x in (-w / 2 + 0.02, w / 2 - 0.02):
        b.box("side", "wood", at=(x, 0, 0), size=(0.045, h, deep), colour=wood)
    b.box("back", "wood", at=(0, foot, deep / 2 - 0.02), size=(w - 0.04, h - foot, 0.02),
          colour=shade(wood, -0.45))  # fmt: skip
    b.box("top", "wood", at=(0, h, -0.01), size=(w + 0.05, 0.05, deep + 0.04), colour=wood, round=0.02)
    gap = (h - foot) / rows
    for row in range(rows):
        y = foot + row * gap
        b.box("shelf", "wood", at=(0, y, 0), size=(w - 0.06, 0.03, deep - 0.02), colour=shade(wood, 0.08))
        _books(b, y + 0.03, w - 0.1, gap - 0.05, row % 3 == 1)
    if look == "low":
        b.top(h + 0.05, w - 0.2, 0.24)


def _books(b: Builder, y: float, w: float, room: float, ornament: bool) -> None:
    """Runs of books, each one painted block of spines; one leans, or an ornament stands next to them."""
    full = 0.72 if ornament else 0.9
    cuts = [0.0, b.uniform(0.22, 0.4), b.uniform(0.58, 0.78), 1.0]
    for left, right in pairwise(cuts):
        size = ((right - left) * full * w - 0.005, room * b.uniform(0.66, 0.92), 0.2)
        b.box("book", "paper", at=(w * ((left + right) / 2 * full - 0.5), y, -0.02), size=size,
              colour=b.choice(BINDINGS), colour2=b.choice(BINDINGS), pattern="spines",
              pattern_size=b.uniform(0.04, 0.055), round=0.005)  # fmt: skip
    x = w / 2 - w * (1 - full) * 0.5
    if not ornament:
        b.box("book", "paper", at=(x + 0.01, y, 0), size=(0.04, room * 0.72, 0.19), rotate=(0, 0, 12),
              colour=b.choice(BINDINGS))  # fmt: skip
    elif b.chance(0.5):
        b.sphere("globe", "plastic", at=(x, y + 0.11, 0), radius=0.075, colour="blue", colour2="green",
                 pattern="flowers", pattern_size=0.1)  # fmt: skip
        b.cone("globe", "wood", at=(x, y, 0), r0=0.05, r1=0.02, height=0.05)
    else:
        b.lathe("vase", "ceramic", at=(x, y, 0), profile=((0, 0), (0.05, 0), (0.075, 0.08), (0.03, 0.16),
                (0.05, 0.2), (0, 0.2)), colour=b.choice(["accent", "accent2", "accent3"]))  # fmt: skip


@object_class("blackboard", size=(2.2, 1.25, 0.14), place="on_wall")
def blackboard(b: Builder, look: str) -> None:
    """A school board in a wooden frame with chalk drawings, a ledge, chalks and a sponge."""
    w, h = b.uniform(1.8, 2.2), b.uniform(1.0, 1.2)
    board = b.palette(b.choice(["black", "green", "green"]), vary=0.1)
    board, wood = shade(board, -0.45), b.palette("wood")
    _board(b, w, h, board, wood)


def _board(b: Builder, w: float, h: float, board: Colour, wood: Colour) -> None:
    b.box("board", "stone", at=(0, 0, -0.03), size=(w, h, 0.03), colour=board)
    for y in (-0.04, h - 0.03):
        b.box("frame", "wood", at=(0, y, -0.035), size=(w + 0.14, 0.07, 0.06), colour=wood)
    for x in (-w / 2 - 0.035, w / 2 + 0.035):
        b.box("frame", "wood", at=(x, -0.04, -0.035), size=(0.07, h + 0.08, 0.06), colour=wood)
    b.box("ledge", "wood", at=(0, -0.05, -0.09), size=(w * 0.8, 0.03, 0.12), colour=shade(wood, -0.12))
    for i in range(3):
        x = -0.3 * w + 0.17 * i
        b.rod("chalk", "stone", start=(x, -0.008, -0.1), stop=(x + 0.11, -0.008, -0.12), radius=0.014,
              colour=("white", "yellow", "pink")[i])  # fmt: skip
    b.box("sponge", "cloth", at=(0.28 * w, -0.02, -0.1), size=(0.18, 0.06, 0.08),
          colour=b.choice(["yellow", "accent"]))  # fmt: skip
    side = b.choice([-1, 1])
    b.panel("writing", "stone", at=(-side * 0.24 * w, 0.1 * h, -0.052), size=(0.46 * w, 0.8 * h),
            colour=board, colour2="white", pattern="text")  # fmt: skip
    _drawing(b, side * 0.25 * w, 0.16 * h, h * 0.6)


def _drawing(b: Builder, x: float, y: float, size: float) -> None:
    """A chalk house with a sun, a flower, or a sum of shapes."""
    what, first = b.choice(["house", "shapes", "flower"]), b.choice(["white", "yellow", "pink"])
    if what == "house":
        with b.at(x, y, -0.05, scale=size * 0.36):
            b.tube("drawing", "stone", path=HOUSE, loop=True, radius=0.04, colour=first)
            b.ring("drawing", "stone", at=(1.1, 1.9, 0), radius=0.22, tube=0.04, rotate=(90, 0, 0),
                   colour="yellow")  # fmt: skip
            b.extrude("drawing", "stone", outline="arch", size=(0.5, 0.7, 0.05), colour=first)
    elif what == "shapes":
        shapes = (("star", "yellow"), ("heart", "pink"), ("triangle", "white"), ("circle", "blue"))
        for i, (shape, colour) in enumerate(shapes):
            b.extrude("drawing", "stone", outline=shape,
                      at=(x + size * (0.25 if i % 2 else -0.25), y + size * 0.5 * (i // 2), -0.05),
                      size=(size * 0.36, size * 0.36, 0.02), colour=shade(b.palette(colour),
                      0.2))  # fmt: skip
    else:
        b.rod("drawing", "stone", start=(x, y, -0.05), stop=(x, y + size * 0.6, -0.05), radius=0.016,
              colour="white")  # fmt: skip
        for dx, dy in ((-1, 0), (1, 0), (0, 1), (0, -1)):
            r = size * 0.16
            b.ring("drawing", "stone", at=(x + dx * r, y + size * 0.7 + dy * r, -0.05), radius=r * 0.8,
                   tube=0.018, rotate=(90, 0, 0), colour=first)  # fmt: skip
