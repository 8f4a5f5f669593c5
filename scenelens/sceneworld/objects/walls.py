"""What hangs on walls, is let into them or lies before them; backs at z = 0, facing the viewer."""

from __future__ import annotations

from math import cos, radians, sin

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.palette import shade
from scenelens.sceneworld.registry import object_class

TO_VIEWER = (-90, 0, 0)  # turns the top of a disc towards the viewer


@object_class("window", looks=("plain", "arched", "curtained"), place="on_wall",
              size={"plain": (1.3, 1.4, 0.12), "arched": (1.1, 1.7, 0.12), "curtained": (1.9, 1.7, 0.2)})  # fmt: skip
def window(b: Builder, look: str) -> None:
    frame, sky = b.palette(b.choice(["white", "white", "wood", "cream"])), b.palette("sky")
    w, h = (1.1, 1.7) if look == "arched" else (1.3, 1.4)
    outline = "arch" if look == "arched" else [(-0.5, 0), (0.5, 0), (0.5, 1), (-0.5, 1)]
    b.extrude("frame", "wood", outline=outline, at=(0, 0, -0.03), size=(w, h, 0.06), colour=frame)
    b.extrude("pane", "ceramic", outline=outline, at=(0, 0.07, -0.045), size=(w - 0.16, h - 0.15, 0.05), colour=shade(sky, 0.15))
    b.box("pane", "ceramic", at=(0, 0.08, -0.05), size=(w - 0.18, h * 0.24, 0.05), colour=b.palette("hill"))
    b.box("bar", "wood", at=(0, 0.06, -0.07), size=(0.05, h - 0.12, 0.05), colour=frame)
    for y in (0.36, 0.66) if look == "arched" else (0.5,):
        b.box("bar", "wood", at=(0, h * y, -0.07), size=(w - 0.1, 0.05, 0.05), colour=frame)
    b.box("sill", "wood", at=(0, -0.06, -0.09), size=(w + 0.16, 0.07, 0.18), colour=frame)
    if look == "curtained":
        cloth = b.palette(b.choice(["accent", "accent2", "cloth", "cream"]), vary=1)
        b.rod("rail", "metal", start=(-0.98, h + 0.12, -0.12), stop=(0.98, h + 0.12, -0.12), radius=0.025, colour="gold")
        for side in (-1, 1):
            for i in range(3):
                b.cone(
                    "curtain",
                    "cloth",
                    at=(side * (0.56 + 0.15 * i), -0.18, -0.12),
                    r0=0.11,
                    r1=0.075,
                    height=h + 0.3,
                    depth=0.6,
                    colour=cloth,
                )


@object_class("door", size=(1.1, 2.15, 0.12), place="against_wall")
def door(b: Builder, look: str) -> None:
    paint, frame = b.palette(b.choice(["wood", "darkwood", "accent3", "white", "green"]), vary=1), b.palette(b.choice(["white", "wood"]))
    b.box("frame", "wood", at=(0, 0, 0.02), size=(1.12, 2.16, 0.08), colour=frame)
    b.box("leaf", "wood", at=(0, 0, 0), size=(0.92, 2.05, 0.08), colour=paint)
    for y, high in ((0.15, 0.62), (0.9, 0.95)):
        for x in (-0.21, 0.21):
            b.box("panel", "wood", at=(x, y, -0.035), size=(0.32, high, 0.03), colour=shade(paint, -0.22), round=0.02)
    b.sphere("handle", "metal", at=(0.37, 1.0, -0.07), radius=0.045, colour="gold")


@object_class("painting", looks=("landscape", "portrait", "abstract"), place="on_wall",
              size={"landscape": (1.25, 0.9, 0.08), "portrait": (0.85, 1.1, 0.08), "abstract": (1.05, 1.05, 0.08)})  # fmt: skip
def painting(b: Builder, look: str) -> None:
    w, h = {"landscape": (1.25, 0.9), "portrait": (0.85, 1.1), "abstract": (1.05, 1.05)}[look]
    frame = b.palette(b.choice(["gold", "gold", "darkwood", "dark", "white"]))
    b.box("frame", "wood", at=(0, 0, -0.03), size=(w, h, 0.06), colour=frame, round=0.03)
    w, h = w - 0.16, h - 0.16
    with b.at(0, 0.08, -0.06):
        {"landscape": _landscape, "portrait": _portrait, "abstract": _abstract}[look](b, w, h)


def _landscape(b: Builder, w: float, h: float) -> None:
    b.box("canvas", "paint", size=(w, h, 0.02), colour=b.palette(b.choice(["sky", "yellow", "pink"])))
    for x, y, share, colour in ((-0.2, 0.3, 0.5, "mountain"), (0.22, 0.28, 0.42, "hill")):
        b.extrude("motif", "paint", outline="triangle", at=(x * w, y * h, -0.012), size=(share * w, share * h, 0.008), colour=colour)
    b.box("motif", "paint", at=(0, 0, -0.014), size=(w, 0.34 * h, 0.012), colour=b.palette(b.choice(["leaf", "water", "straw"])))
    b.extrude("motif", "paint", outline="circle", at=(b.uniform(-0.3, 0.3) * w, 0.68 * h, -0.014), size=(0.14, 0.14, 0.01), colour="orange")


def _portrait(b: Builder, w: float, h: float) -> None:
    b.box("canvas", "paint", size=(w, h, 0.02), colour=b.palette(b.choice(["dark", "green", "brown", "accent3"])))
    skin, coat = b.palette("skin"), b.palette(b.choice(["red", "blue", "accent", "white"]))
    b.extrude("motif", "paint", outline="half", at=(0, 0, -0.013), size=(0.78 * w, 0.4 * h, 0.01), colour=coat)
    b.extrude(
        "motif", "paint", outline="circle", at=(0, 0.42 * h, -0.014), size=(0.46 * w, 0.48 * h, 0.01), colour=b.palette("hair", vary=1)
    )
    b.extrude("motif", "paint", outline="circle", at=(0, 0.38 * h, -0.02), size=(0.36 * w, 0.4 * h, 0.012), colour=skin)
    for x in (-0.075, 0.075):
        b.box("motif", "paint", at=(x * w, 0.6 * h, -0.028), size=(0.04, 0.025, 0.01), colour="dark")
    b.box("motif", "paint", at=(0, 0.47 * h, -0.028), size=(0.08, 0.018, 0.01), colour="red")


def _abstract(b: Builder, w: float, h: float) -> None:
    b.box("canvas", "paint", size=(w, h, 0.02), colour=b.palette(b.choice(["cream", "white"])))
    for i in range(b.integer(5, 7)):
        size = b.uniform(0.18, 0.42)
        x, y = b.uniform(-0.5, 0.5) * (w - size), b.uniform(0, 1) * (h - size)
        colour = b.palette(b.choice(["red", "yellow", "blue", "dark", "accent", "orange"]))
        b.extrude("motif", "paint", outline=b.choice(["circle", "triangle", "diamond", "arch"]), at=(x, y, -0.012 - 0.004 * i),
                  size=(size, size, 0.01), colour=colour)  # fmt: skip


@object_class("mirror", size=(0.75, 1.1, 0.08), place="on_wall")
def mirror(b: Builder, look: str) -> None:
    outline = b.choice(["circle", "arch", [(-0.5, 0), (0.5, 0), (0.5, 1), (-0.5, 1)]])
    b.extrude(
        "frame",
        "wood",
        outline=outline,
        at=(0, 0, -0.03),
        size=(0.75, 1.1, 0.06),
        colour=b.palette(b.choice(["gold", "darkwood", "white", "metal"])),
    )
    b.extrude("glass", "ceramic", outline=outline, at=(0, 0.06, -0.05), size=(0.62, 0.97, 0.04), colour=shade(b.palette("glass"), 0.25))
    for x in (-0.08, 0.06):
        b.box("shine", "ceramic", at=(x, 0.36, -0.07), size=(0.045, 0.4, 0.01), rotate=(0, 0, -30), colour="white")


@object_class("clock", looks=("round", "grandfather"), size={"round": (0.55, 0.55, 0.1), "grandfather": (0.6, 2.0, 0.4)},
              place={"round": "on_wall", "grandfather": "against_wall"})  # fmt: skip
def clock(b: Builder, look: str) -> None:
    if look == "round":
        b.disc(
            "case",
            "wood",
            at=(0, 0.27, 0),
            radius=0.27,
            height=0.06,
            rotate=TO_VIEWER,
            colour=b.palette(b.choice(["accent", "dark", "red", "wood"])),
        )
        _dial(b, 0.27, -0.062, 0.22)
        return
    wood = b.palette(b.choice(["wood", "darkwood", "brown"]), vary=1)
    b.box("case", "wood", size=(0.56, 0.5, 0.36), colour=wood)
    b.box("case", "wood", at=(0, 0.5, 0), size=(0.42, 0.85, 0.3), colour=wood)
    b.box("case", "wood", at=(0, 1.35, 0), size=(0.56, 0.5, 0.36), colour=wood)
    b.wedge("case", "wood", at=(0, 1.85, 0), size=(0.6, 0.18, 0.38), rotate=(0, 90, 0), colour=shade(wood, -0.15))
    b.box("door", "wood", at=(0, 0.58, -0.15), size=(0.28, 0.7, 0.02), colour="dark")
    b.rod("pendulum", "metal", start=(0, 1.25, -0.17), stop=(0.04, 0.78, -0.17), radius=0.012, colour="gold")
    b.disc("pendulum", "metal", at=(0.04, 0.75, -0.165), radius=0.07, height=0.02, rotate=TO_VIEWER, colour="gold")
    _dial(b, 1.6, -0.19, 0.2)


def _dial(b: Builder, y: float, z: float, radius: float) -> None:
    b.disc("dial", "ceramic", at=(0, y, z), radius=radius, height=0.015, rotate=TO_VIEWER, colour="cream")
    for i in range(0, 12, 3):
        a = radians(30 * i)
        b.box(
            "mark", "metal", at=(radius * 0.8 * cos(a), y + radius * 0.8 * sin(a) - 0.02, z - 0.02), size=(0.025, 0.04, 0.01), colour="dark"
        )
    for length, turn in ((0.5, b.uniform(0, 360)), (0.72, b.uniform(0, 360))):
        a = radians(turn)
        b.rod(
            "hand",
            "metal",
            start=(0, y, z - 0.022),
            stop=(radius * length * cos(a), y + radius * length * sin(a), z - 0.022),
            radius=0.014,
            colour="dark",
        )


@object_class("rug", looks=("round", "rectangular"), size={"round": (1.9, 0.02, 1.9), "rectangular": (2.2, 0.02, 1.5)}, place="floor")
def rug(b: Builder, look: str) -> None:
    first, second = (
        b.palette(b.choice(["accent", "accent2", "red", "carpet", "blue"]), vary=1),
        b.palette(b.choice(["cream", "accent3", "straw"])),
    )
    if look == "round":
        for radius, part, colour in (
            (0.95, "border", second),
            (0.84, "field", first),
            (0.5, "border", second),
            (0.4, "medallion", shade(first, 0.25)),
        ):
            b.disc(part, "carpet", radius=radius, height=0.008 + 0.006 * (1 - radius), colour=colour)
        return
    b.box("border", "carpet", size=(2.2, 0.01, 1.5), colour=second)
    b.box("field", "carpet", size=(1.95, 0.014, 1.25), colour=first, colour2=second,
          pattern=b.choice(["stripes", "zigzag", "flowers", "checks", "none"]), pattern_size=0.25)  # fmt: skip
    b.box("medallion", "carpet", size=(0.55, 0.018, 0.55), rotate=(0, 45, 0), colour=shade(second, 0.2))
    for x in (-1.13, 1.13):
        b.box("fringe", "carpet", at=(x, 0, 0), size=(0.08, 0.006, 1.45), colour="cream", pattern="checks", pattern_size=0.05)


@object_class("television", size=(1.3, 1.25, 0.5), place="against_wall")
def television(b: Builder, look: str) -> None:
    wood, show = b.palette(b.choice(["wood", "darkwood", "white"]), vary=1), b.palette(b.choice(["blue", "sky", "green", "accent"]))
    b.box("cabinet", "wood", at=(0, 0.08, 0), size=(1.4, 0.42, 0.45), colour=wood)
    for x in (-0.35, 0.35):
        b.box("drawer", "wood", at=(x, 0.14, -0.23), size=(0.62, 0.3, 0.02), colour=shade(wood, 0.15))
        b.sphere("knob", "metal", at=(x, 0.29, -0.25), radius=0.03, colour="gold")
        b.box("foot", "wood", at=(1.7 * x, 0, 0), size=(0.1, 0.09, 0.3), colour="darkwood")
    b.box("stand", "plastic", at=(0, 0.5, 0), size=(0.3, 0.06, 0.2), colour="dark")
    b.box("case", "plastic", at=(0, 0.55, 0), size=(1.25, 0.74, 0.08), colour="dark", round=0.02)
    b.box(
        "screen",
        "plastic",
        at=(0, 0.6, -0.045),
        size=(1.14, 0.63, 0.012),
        colour=show,
        glow=0.5,
        pattern="picture",
        colour2="white",
        pattern_size=0.5,
    )
    b.top(0.5, 0.2, 0.1, x=0.55)
