"""Houses and what is built near them: barn, lighthouse, tents, crane, scaffold, gravestones."""

from __future__ import annotations

from math import cos, radians, sin

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.palette import Colour, shade
from scenelens.sceneworld.registry import object_class


def house_window(b: Builder, x: float, y: float, z: float, shutters: Colour | None = None) -> None:
    """A window with a cross bar in a wall that faces the viewer at depth z; `y` is its sill."""
    b.box("window", "wood", at=(x, y, z - 0.02), size=(1.1, 1.25, 0.1), colour="white")
    b.box("window", "ceramic", at=(x, y + 0.08, z - 0.05), size=(0.94, 1.08, 0.08), colour="glass")
    b.box("window", "wood", at=(x, y + 0.08, z - 0.08), size=(0.06, 1.08, 0.06), colour="white")
    b.box("window", "wood", at=(x, y + 0.6, z - 0.08), size=(0.94, 0.06, 0.06), colour="white")
    if shutters:
        for side in (-0.78, 0.78):
            b.box("shutter", "wood", at=(x + side, y, z - 0.03), size=(0.4, 1.22, 0.08), colour=shutters)


def front_door(b: Builder, x: float, z: float, colour: Colour) -> None:
    """A door with a step, a frame and a knob."""
    b.box("door", "wood", at=(x, 0, z - 0.02), size=(1.15, 2.15, 0.1), colour="white")
    b.box("door", "wood", at=(x, 0, z - 0.06), size=(0.92, 2.0, 0.1), colour=colour)
    b.sphere("door", "metal", at=(x + 0.32, 1.0, z - 0.14), radius=0.06, colour="gold")
    b.box("step", "stone", at=(x, 0, z - 0.25), size=(1.3, 0.14, 0.5))


@object_class("house", looks=("cottage", "townhouse"), size={"cottage": (6.2, 5.6, 5.2), "townhouse": (5.2, 8.6, 5.2)}, place="far")
def house(b: Builder, look: str) -> None:
    tall = look == "townhouse"
    w, h, d = (4.6, 5.6, 4.6) if tall else (5.6, 2.8, 4.6)
    stuff = b.choice(["plaster", "brick", "stone"] if tall else ["plaster", "plaster", "brick", "wood"])
    trim = b.palette(b.choice(["accent", "accent3", "green", "blue"]), vary=1)
    b.box("wall", stuff, size=(w, h, d), colour=b.palette(b.choice(["wall", "cream", "paint"])) if stuff == "plaster" else None,
          pattern="planks" if stuff == "wood" else None, pattern_size=0.3 if stuff == "wood" else None)  # fmt: skip
    b.wedge("roof", "tile", at=(0, h, 0), size=(w + 0.8, 2.4, d + 0.8), colour=b.palette(b.choice(["roof", "roof", "grey"])),
            pattern="shingles", pattern_size=0.45, ridge=0.6 if tall else 1.0)  # fmt: skip
    b.box("chimney", "brick", at=(w * 0.28, h + 0.9, 0.5), size=(0.55, 1.9, 0.55))
    front_door(b, 0 if not tall else -w * 0.27, -d / 2, trim)
    for level in range(2 if tall else 1):
        for x in (-w * 0.31, w * 0.31):
            if not (tall and level == 0 and x < 0):
                house_window(b, x, 0.95 + 2.6 * level, -d / 2, trim)
        for turn in (90, -90):
            with b.at(ry=turn):
                house_window(b, 0, 0.95 + 2.6 * level, -w / 2)


@object_class("barn", size=(8.0, 6.4, 7.0), place="far")
def barn(b: Builder, look: str) -> None:
    paint = b.palette(b.choice(["red", "red", "brown"]), vary=1)
    gambrel = [(-0.5, 0), (0.5, 0), (0.5, 0.55), (0.33, 0.84), (0, 1), (-0.33, 0.84), (-0.5, 0.55)]
    b.extrude("wall", "wood", outline=gambrel, size=(7.0, 5.6, 6.2), colour=paint, pattern="planks", pattern_size=0.35)
    for left, right in (
        ((-0.56, 0.48), (-0.34, 0.86)),
        ((-0.34, 0.86), (0, 1.03)),
        ((0, 1.03), (0.34, 0.86)),
        ((0.34, 0.86), (0.56, 0.48)),
    ):
        slab = [left, right, (right[0], right[1] + 0.035), (left[0], left[1] + 0.035)]
        b.extrude("roof", "wood", outline=slab, size=(7.0, 5.6, 6.9), colour="grey", pattern="shingles", pattern_size=0.5)
    b.box("door", "wood", at=(0, 0, -3.1), size=(2.8, 2.8, 0.12), colour=shade(paint, -0.25))
    for turn in (42, -42):
        b.box("door", "wood", at=(0, 1.3, -3.2), size=(3.5, 0.14, 0.08), rotate=(0, 0, turn), colour="white")
    for x in (-1.4, 1.4):
        b.box("door", "wood", at=(x, 0, -3.2), size=(0.14, 2.8, 0.08), colour="white")
    b.box("door", "wood", at=(0, 2.75, -3.2), size=(2.95, 0.16, 0.08), colour="white")
    b.box("window", "wood", at=(0, 3.6, -3.15), size=(1.1, 1.0, 0.1), colour="white")
    b.box("window", "wood", at=(0, 3.7, -3.2), size=(0.86, 0.8, 0.1), colour="dark")
    if b.chance(0.6):
        b.cylinder("silo", "metal", at=(4.6, 0, 0.6), radius=1.15, height=5.4, colour="grey", pattern="bands", pattern_size=0.8)
        b.dome("silo", "metal", at=(4.6, 5.4, 0.6), radius=1.17, colour=paint)


@object_class("lighthouse", size=(3.6, 10.0, 3.6), place="far")
def lighthouse(b: Builder, look: str) -> None:
    paint = b.palette(b.choice(["red", "red", "blue", "dark"]), vary=1)
    b.cylinder("base", "stone", radius=1.8, height=0.6)
    n = 6
    for i in range(n):
        low, high = 1.5 - 0.62 * i / n, 1.5 - 0.62 * (i + 1) / n
        b.cone("tower", "plaster", at=(0, 0.6 + 1.15 * i, 0), r0=low, r1=high, height=1.16, colour="white" if i % 2 else paint)
    b.cylinder("gallery", "metal", at=(0, 7.5, 0), radius=1.25, height=0.18, colour="dark")
    b.ring("gallery", "metal", at=(0, 8.15, 0), radius=1.18, tube=0.05, colour="dark")
    for i in range(8):
        a = radians(45 * i)
        b.rod(
            "gallery",
            "metal",
            start=(1.18 * cos(a), 7.6, 1.18 * sin(a)),
            stop=(1.18 * cos(a), 8.15, 1.18 * sin(a)),
            radius=0.035,
            colour="dark",
        )
    b.cylinder("lantern", "light", at=(0, 7.65, 0), radius=0.62, height=1.15, glow=0.6, colour="yellow")
    b.dome("roof", "metal", at=(0, 8.8, 0), radius=(0.85, 0.75, 0.85), colour=paint)
    b.cone("roof", "metal", at=(0, 9.5, 0), r0=0.1, height=0.6, colour="dark")
    b.box("door", "wood", at=(0, 0.5, -1.5), size=(0.8, 1.5, 0.14), colour="darkwood")
    for y in (3.3, 5.4):
        b.box("window", "wood", at=(0, y, -1.2 + 0.09 * (y - 3.3)), size=(0.42, 0.62, 0.2), colour="dark")


@object_class("tent", looks=("camping", "circus"), size={"camping": (2.6, 1.7, 2.4), "circus": (7.0, 6.6, 7.0)},
              place={"camping": "ground", "circus": "far"})  # fmt: skip
def tent(b: Builder, look: str) -> None:
    cloth = b.palette(b.choice(["orange", "green", "blue", "accent", "red"]), vary=1)
    if look == "camping":
        b.wedge("canvas", "cloth", size=(2.3, 1.6, 2.2), rotate=(0, 90, 0), colour=cloth, ridge=1.0)
        b.extrude("opening", "cloth", outline="triangle", at=(0, 0, -1.17), size=(1.1, 1.28, 0.03), colour="dark")
        for side in (-1, 1):
            b.extrude("flap", "cloth", outline=[(-0.5, 0), (0.5, 0), (0.5 * side, 1)], at=(side * 0.62, 0.0, -1.24),
                      size=(0.55, 1.15, 0.03), colour=shade(cloth, 0.3), rotate=(0, -28 * side, 0))  # fmt: skip
            b.rod("rope", "cloth", start=(0, 1.58, side * 1.15), stop=(0, 0, side * 1.95), radius=0.02, colour="cream")
            b.rod("rope", "cloth", start=(side * 0.6, 0.85, -0.9), stop=(side * 1.6, 0.0, -1.2), radius=0.016, colour="cream")
        b.rod("pole", "wood", start=(0, 0, -1.18), stop=(0, 1.7, -1.18), radius=0.03)
        return
    cream = b.palette("cream")
    b.lathe("canvas", "cloth", profile=[(3.1, 0), (3.1, 2.3), (0, 2.3)], colour=cloth, colour2=cream, pattern="stripes", pattern_size=1.2)
    b.lathe("roof", "cloth", at=(0, 2.2, 0), profile=[(3.4, 0), (2.2, 0.95), (1.0, 2.2), (0.12, 3.7), (0, 3.75)], colour=cloth,
            colour2=cream, pattern="stripes", pattern_size=1.2)  # fmt: skip
    b.ring("trim", "cloth", at=(0, 2.25, 0), radius=3.35, tube=0.14, colour="yellow")
    b.extrude("opening", "cloth", outline="gothic", at=(0, 0, -3.1), size=(1.5, 2.0, 0.2), colour="dark")
    b.rod("pole", "wood", start=(0, 5.8, 0), stop=(0, 6.6, 0), radius=0.05)
    b.extrude("flag", "cloth", outline=[(-0.5, 0), (0.5, 0.5), (-0.5, 1)], at=(0.5, 6.15, 0), size=(0.95, 0.5, 0.04), colour="yellow")


@object_class("stall", size=(2.8, 2.6, 1.7), place="ground")
def stall(b: Builder, look: str) -> None:
    cloth, wares = b.palette(b.choice(["red", "green", "blue", "accent", "orange"]), vary=1), ["red", "orange", "green", "yellow", "purple"]
    for x in (-1.25, 1.25):
        for z, high in ((-0.65, 2.1), (0.65, 2.5)):
            b.rod("post", "wood", start=(x, 0, z), stop=(x, high, z), radius=0.045)
    b.box("counter", "wood", at=(0, 0, -0.35), size=(2.5, 0.85, 0.8), pattern="planks", pattern_size=0.2)
    b.box("awning", "cloth", at=(0, 2.22, -0.12), size=(2.8, 0.05, 1.85), rotate=(-14, 0, 0), colour=cloth, colour2="cream",
          pattern="stripes", pattern_size=0.4)  # fmt: skip
    b.box(
        "awning", "cloth", at=(0, 1.78, -1.02), size=(2.8, 0.26, 0.04), colour=cloth, colour2="cream", pattern="stripes", pattern_size=0.4
    )
    for i in range(4):
        x, fruit = -0.9 + 0.6 * i, b.palette(b.choice(wares), vary=1)
        b.box("tray", "wood", at=(x, 0.84, -0.4), size=(0.52, 0.12, 0.6), colour="straw")
        for j in range(5):
            b.sphere(
                "fruit", "food", at=(x - 0.15 + 0.15 * (j % 3), 1.0 + 0.03 * (j // 3), -0.56 + 0.2 * (j // 3)), radius=0.095, colour=fruit
            )
    b.top(0.86, 0.1, 0.1)


@object_class("crane", size=(7.5, 11.0, 2.0), place="far")
def crane(b: Builder, look: str) -> None:
    paint = b.palette(b.choice(["yellow", "orange", "red"]), vary=1)
    b.box("base", "stone", size=(2.0, 0.6, 2.0), colour="grey")
    for x in (-0.4, 0.4):
        for z in (-0.4, 0.4):
            b.box("mast", "metal", at=(x, 0.6, z), size=(0.15, 8.6, 0.15), colour=paint)
    for i in range(8):
        b.box("mast", "metal", at=(0, 1.1 + 1.05 * i, -0.42), size=(1.25, 0.1, 0.08), rotate=(0, 0, 45 if i % 2 else -45), colour=paint)
        b.box("mast", "metal", at=(0.42, 1.1 + 1.05 * i, 0), size=(0.08, 0.1, 1.25), rotate=(45 if i % 2 else -45, 0, 0), colour=paint)
    b.box("cab", "metal", at=(-0.1, 9.1, -0.1), size=(1.2, 1.0, 1.1), colour=paint)
    b.box("window", "glass", at=(-0.35, 9.35, -0.68), size=(0.6, 0.55, 0.05), colour="dark")
    for y, z in ((9.9, -0.25), (9.9, 0.25), (10.5, 0)):
        b.box("jib", "metal", at=(-1.7, y, z), size=(7.4, 0.13, 0.13), colour=paint)
    for i in range(10):
        b.box(
            "jib", "metal", at=(-5.0 + 0.72 * i, 10.22, -0.12), size=(0.85, 0.08, 0.08), rotate=(0, 0, 45 if i % 2 else -45), colour=paint
        )
    b.rod("tie", "metal", start=(0, 11.2, 0), stop=(-4.2, 10.5, 0), radius=0.04, colour="dark")
    b.rod("tie", "metal", start=(0, 11.2, 0), stop=(2.0, 10.0, 0), radius=0.04, colour="dark")
    b.box("mast", "metal", at=(0, 10.1, 0), size=(0.2, 1.1, 0.2), colour=paint)
    b.box("counterweight", "stone", at=(1.75, 9.3, 0), size=(0.9, 0.75, 0.9), colour="grey")
    b.rod("cable", "metal", start=(-4.2, 9.9, 0), stop=(-4.2, 6.0, 0), radius=0.035, colour="dark")
    b.box("hook", "metal", at=(-4.2, 5.7, 0), size=(0.3, 0.35, 0.3), colour="dark")


@object_class("scaffold", size=(4.6, 5.6, 1.6), place="far")
def scaffold(b: Builder, look: str) -> None:
    pole = b.palette(b.choice(["grey", "metal", "yellow"]))
    for x in (-2.1, 0.0, 2.1):
        for z in (-0.6, 0.6):
            b.box("pole", "metal", at=(x, 0, z), size=(0.11, 5.6, 0.11), colour=pole)
    for level in (1.6, 3.3, 5.0):
        b.box("deck", "wood", at=(0, level, 0), size=(4.5, 0.1, 1.25), colour="straw", pattern="planks", pattern_size=0.25)
        for y in (0.5, 0.95) if level < 5 else ():
            b.box("rail", "metal", at=(0, level + y, -0.62), size=(4.4, 0.07, 0.07), colour=pole)
    for i, level in enumerate((0.0, 1.7, 3.4)):
        b.rod("brace", "metal", start=(-2.1, level, 0.62), stop=(0, level + 1.6, 0.62), radius=0.045, colour="orange")
        b.rod("brace", "metal", start=(2.1, level, 0.62), stop=(0, level + 1.6, 0.62), radius=0.045, colour="orange")
        x = -1.5 if i % 2 else 1.4
        for side in (-0.18, 0.18):
            b.rod("ladder", "wood", start=(x + side, level, -0.75), stop=(x + side, level + 1.75, -0.6), radius=0.035)
        for k in range(5):
            b.box("ladder", "wood", at=(x, level + 0.25 + 0.32 * k, -0.73 + 0.03 * k), size=(0.36, 0.05, 0.05))
    b.box("net", "cloth", at=(1.05, 3.4, 0.66), size=(2.0, 1.6, 0.03), colour="green")


@object_class("gravestone", size=(0.95, 1.25, 0.8), place="ground")
def gravestone(b: Builder, look: str) -> None:
    stone = b.palette(b.choice(["stone", "grey", "rock"]), vary=1)
    b.box("plinth", "stone", size=(1.0, 0.2, 0.45), colour=shade(stone, -0.15))
    if b.chance(0.35):
        b.extrude("cross", "stone", outline="cross", at=(0, 0.18, 0), size=(0.85, 1.15, 0.18), colour=stone)
    else:
        b.extrude("slab", "stone", outline=b.choice(["arch", "arch", "gothic"]), at=(0, 0.18, 0), size=(0.75, 1.0, 0.2), colour=stone)
        for y in (0.52, 0.66, 0.8):
            b.box("inscription", "stone", at=(0, y, -0.1), size=(0.44, 0.045, 0.03), colour=shade(stone, -0.5))
    b.box("mound", "grass", at=(0, 0, -0.75), size=(0.8, 0.09, 1.1), round=0.05)
    b.blob("moss", "leaves", at=(b.choice([-0.4, 0.4]), 0.16, -0.2), radius=(0.16, 0.12, 0.14))


@object_class("crate", size=(0.8, 0.75, 0.7), place="ground")
def crate(b: Builder, look: str) -> None:
    wood = b.palette(b.choice(["wood", "straw", "brown"]), vary=1)
    b.box("box", "wood", size=(0.74, 0.6, 0.6), colour=shade(wood, -0.15), pattern="planks", pattern_size=0.15)
    for y in (0.0, 0.27, 0.54):
        b.box("slat", "wood", at=(0, y, 0), size=(0.8, 0.11, 0.67), colour=wood)
    for x in (-0.36, 0.36):
        for z in (-0.3, 0.3):
            b.box("post", "wood", at=(x, 0, z), size=(0.1, 0.66, 0.1), colour=shade(wood, 0.1))
    b.box("brace", "wood", at=(0, 0.28, -0.325), size=(0.86, 0.09, 0.03), rotate=(0, 0, 38), colour=shade(wood, 0.1))
    fruit = b.palette(b.choice(["red", "orange", "green", "yellow"]), vary=1)
    for i in range(b.choice([0, 7])):
        b.sphere("fruit", "food", at=(-0.24 + 0.16 * (i % 4), 0.65, -0.12 + 0.22 * (i // 4)), radius=0.11, colour=fruit)
    b.top(0.66, 0.6, 0.5)
