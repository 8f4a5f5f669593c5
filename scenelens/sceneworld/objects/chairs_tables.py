"""To sit on and to sit at: chair, table, desk."""

from __future__ import annotations

from math import cos, pi, sin

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.objects.joinery import front, knob, legs
from scenelens.sceneworld.palette import Colour, shade
from scenelens.sceneworld.registry import object_class


@object_class(
    "chair",
    looks=("wooden", "office", "stool"),
    size={"wooden": (0.5, 0.95, 0.52), "office": (0.68, 1.05, 0.66), "stool": (0.42, 0.7, 0.42)},
)
def chair(b: Builder, look: str) -> None:
    """A wooden chair, an office chair on castors, or a stool."""
    {"wooden": _wooden_chair, "office": _office_chair, "stool": _stool}[look](b)


def _wooden_chair(b: Builder) -> None:
    seat, back = 0.45, b.uniform(0.42, 0.54)
    wood = b.palette(b.choice(["wood", "wood", "darkwood", "white", "accent"]))
    style = b.choice(["slats", "bars", "heart"])
    legs(b, 0.38, 0.36, seat, radius=0.028, splay=0.1, colour=wood)
    b.box("rung", "wood", at=(0, 0.2, -0.19), size=(0.4, 0.025, 0.025), colour=wood)
    b.box("seat", "wood", at=(0, seat, 0), size=(0.47, 0.04, 0.45), colour=shade(wood, 0.08), round=0.02)
    for x in (-0.2, 0.2):
        b.rod("back", "wood", start=(x, seat, 0.18), stop=(x * 1.02, seat + back, 0.26), radius=0.025,
              colour=wood)  # fmt: skip
    b.box("back", "wood", at=(0, seat + back - 0.08, 0.25), size=(0.44, 0.11, 0.03), colour=wood, round=0.03)
    if style == "slats":
        for share in (0.3, 0.58):
            b.box("back", "wood", at=(0, seat + back * share, 0.19 + 0.08 * share), size=(0.39, 0.075, 0.025),
                  colour=wood)  # fmt: skip
    elif style == "bars":
        for x in (-0.1, 0.0, 0.1):
            b.rod("back", "wood", start=(x, seat, 0.18), stop=(x, seat + back - 0.06, 0.25), radius=0.016,
                  colour=wood)  # fmt: skip
    else:
        b.extrude("back", "wood", outline="heart", at=(0, seat + 0.08, 0.215),
                  size=(0.26, back - 0.14, 0.025), rotate=(8, 0, 0), colour=shade(wood, -0.12))  # fmt: skip
    if b.chance(0.55):
        b.cushion("cushion", "cloth", at=(0, seat + 0.03, -0.01), size=(0.43, 0.07, 0.41), power=0.4,
                  colour=b.choice(["accent", "accent2"]), pattern=b.choice(["none", "checks", "dots"]),
                  pattern_size=0.09)  # fmt: skip


def _office_chair(b: Builder) -> None:
    cloth = b.palette(b.choice(["dark", "accent", "accent2", "blue"]))
    base = b.palette(b.choice(["black", "metal"]))
    for i in range(5):
        turn = 2 * pi * (i + 0.25) / 5
        x, z = 0.29 * cos(turn), 0.29 * sin(turn)
        b.rod("leg", "metal", start=(0, 0.13, 0), stop=(x, 0.08, z), radius=0.028, end_radius=0.02,
              colour=base)  # fmt: skip
        b.sphere("castor", "rubber", at=(x, 0.035, z), radius=0.037, colour="black")
    b.cylinder("column", "metal", at=(0, 0.1, 0), radius=0.03, height=0.36, colour="metal")
    b.cushion("seat", "cloth", at=(0, 0.43, 0), size=(0.52, 0.11, 0.5), power=0.4, colour=cloth)
    b.box("spine", "metal", at=(0, 0.44, 0.27), size=(0.07, 0.26, 0.03), rotate=(6, 0, 0), colour=base)
    b.cushion("back", "cloth", at=(0, 0.57, 0.24), size=(0.48, b.uniform(0.44, 0.56), 0.1), power=0.4,
              rotate=(8, 0, 0), colour=cloth)  # fmt: skip
    if b.chance(0.75):
        for x in (-0.29, 0.29):
            b.box("arm", "plastic", at=(x, 0.64, -0.02), size=(0.06, 0.035, 0.3), colour=base, round=0.02)
            b.box("arm", "plastic", at=(x, 0.47, 0.06), size=(0.035, 0.18, 0.05), colour=base)


def _stool(b: Builder) -> None:
    high = b.uniform(0.46, 0.66)
    wood = b.palette(b.choice(["wood", "wood", "darkwood", "white"]))
    legs(b, 0.2, 0.2, high, radius=0.028, splay=0.65, colour=wood)
    for z in (-0.125, 0.125):
        b.box("rung", "wood", at=(0, high * 0.42, z), size=(0.26, 0.025, 0.025), colour=wood)
    for x in (-0.14, 0.14):
        b.box("rung", "wood", at=(x, high * 0.3, 0), size=(0.025, 0.025, 0.28), colour=wood)
    b.disc("seat", "wood", at=(0, high, 0), radius=0.19, height=0.045, colour=shade(wood, 0.1))
    if b.chance(0.6):
        b.lathe("cushion", "leather", at=(0, high + 0.04, 0),
                profile=[(0, 0), (0.175, 0), (0.185, 0.03), (0.15, 0.065), (0, 0.075)],
                colour=b.choice(["accent", "accent2", "red"]))  # fmt: skip


@object_class(
    "table",
    looks=("rectangular", "round"),
    size={"rectangular": (1.5, 0.76, 0.86), "round": (1.16, 0.76, 1.16)},
)
def table(b: Builder, look: str) -> None:
    """A table on four legs, or a round one on a turned foot; some wear a cloth."""
    wood = b.palette(b.choice(["wood", "wood", "darkwood", "white"]))
    cloth = {"colour": b.palette(b.choice(["cloth", "accent", "red"])), "colour2": "cream",
             "pattern_size": 0.1, "pattern": b.choice(["checks", "stripes", "dots", "none"])}  # fmt: skip
    covered = b.chance(0.4)
    if look == "rectangular":
        w = b.uniform(1.2, 1.5)
        legs(b, w - 0.14, 0.7, 0.71, radius=0.045, colour=wood)
        b.box("apron", "wood", at=(0, 0.62, 0), size=(w - 0.1, 0.09, 0.74), colour=shade(wood, -0.1))
        b.box("top", "wood", at=(0, 0.71, 0), size=(w, 0.045, 0.86), colour=shade(wood, 0.06), round=0.02)
        if covered:
            b.box("cloth", "cloth", at=(0, 0.59, 0), size=(w * 0.72, 0.17, 0.89), **cloth)
        elif b.chance(0.5):
            front(b, "drawer", 0, 0.625, -0.375, 0.5, 0.085, wood, margin=0)
            knob(b, 0, 0.665, -0.39)
    else:
        b.lathe("foot", "wood", colour=wood, profile=[(0, 0), (0.32, 0), (0.3, 0.05), (0.08, 0.11),
                (0.06, 0.28), (0.1, 0.42), (0.06, 0.68), (0.12, 0.71), (0, 0.71)])  # fmt: skip
        b.disc("top", "wood", at=(0, 0.705, 0), radius=0.53, height=0.045, colour=shade(wood, 0.06))
        if covered:
            b.cone("cloth", "cloth", at=(0, 0.43, 0), r0=0.6, r1=0.54, height=0.33, **cloth)
        else:
            b.cone("apron", "wood", at=(0, 0.63, 0), r0=0.4, r1=0.44, height=0.08, colour=shade(wood, -0.12))
    b.top(0.76, 0.9 if look == "round" else 1.1, 0.6)


@object_class("desk", size=(1.35, 0.9, 0.68))
def desk(b: Builder, look: str) -> None:
    """A writing desk: drawers on one side or both, a blotter and a pot of pencils."""
    wood = b.palette(b.choice(["wood", "wood", "darkwood", "white", "accent2"]))
    metal = b.choice(["gold", "metal", "dark"])
    both, side = b.chance(0.35), b.choice([-1, 1])
    b.box("top", "wood", at=(0, 0.71, 0), size=(1.35, 0.05, 0.68), colour=shade(wood, 0.1), round=0.02)
    b.box("back", "wood", at=(0, 0.3, 0.29), size=(1.24, 0.42, 0.03), colour=shade(wood, -0.15))
    for x in (-0.46, 0.46):
        if both or x * side > 0:
            _pedestal(b, x, wood, metal)
        else:
            for z in (-0.27, 0.27):
                b.box("leg", "wood", at=(x + 0.14 * (1 if x > 0 else -1), 0, z), size=(0.06, 0.71, 0.06),
                      colour=wood)  # fmt: skip
    b.box("drawer", "wood", at=(-0.46 * side * (not both), 0.61, -0.3), size=(0.5, 0.09, 0.04),
          colour=shade(wood, 0.12))  # fmt: skip
    knob(b, -0.46 * side * (not both), 0.655, -0.32, colour=metal)
    b.box("blotter", "leather", at=(0, 0.758, -0.08), size=(0.5, 0.008, 0.36),
          colour=b.choice(["green", "accent", "leather"]), round=0)  # fmt: skip
    b.box("paper", "paper", at=(0.03, 0.767, -0.08), size=(0.2, 0.004, 0.27),
          rotate=(0, b.uniform(-15, 15), 0), round=0)  # fmt: skip
    _pencils(b, -0.52 * side, 0.76, 0.16)
    b.top(0.76, 0.5, 0.26, z=0.18)


def _pedestal(b: Builder, x: float, wood: Colour, metal: str) -> None:
    b.box("pedestal", "wood", at=(x, 0, 0.02), size=(0.4, 0.71, 0.6), colour=wood)
    for i in range(3):
        front(b, "drawer", x, 0.06 + 0.215 * i, -0.28, 0.38, 0.21, wood, margin=0.04)
        knob(b, x, 0.16 + 0.215 * i, -0.31, radius=0.026, colour=metal)


def _pencils(b: Builder, x: float, y: float, z: float) -> None:
    b.cylinder("pot", "ceramic", at=(x, y, z), radius=0.045, height=0.1, colour="accent")
    for i, colour in enumerate(("yellow", "red", "blue")):
        lean = 0.03 * (i - 1)
        b.rod("pencil", "wood", start=(x + lean * 0.5, y + 0.05, z),
              stop=(x + lean * 1.6, y + 0.22 - 0.02 * i, z - 0.01), radius=0.012, colour=colour)  # fmt: skip
