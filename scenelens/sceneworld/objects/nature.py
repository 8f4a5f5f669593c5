"""What grows, lies about or grazes outdoors."""

from __future__ import annotations

from math import atan2, cos, degrees, radians, sin

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.palette import Colour, shade
from scenelens.sceneworld.registry import object_class


@object_class(
    "tree",
    looks=("leafy", "pine", "palm"),
    size={"leafy": (3.4, 5.0, 3.4), "pine": (2.6, 5.6, 2.6), "palm": (3.4, 5.2, 3.4)},
    place="ground",
)
def tree(b: Builder, look: str) -> None:
    {"leafy": _leafy, "pine": _pine, "palm": _palm}[look](b)


def _leafy(b: Builder) -> None:
    b.cone("trunk", "bark", r0=0.24, r1=0.13, height=2.6)
    leaf = b.palette(b.choice(["leaf", "leaf", "leaf", "orange"]), vary=0.9)
    b.blob("crown", "leaves", at=(0, 3.6, 0), radius=(1.25, 1.05, 1.25), bumps=0.4, colour=leaf)
    for i in range(1, b.integer(5, 7)):
        turn, high = i * 2.4 + b.uniform(-0.4, 0.4), b.uniform(2.5, 4.0)
        x, z, r = 1.05 * cos(turn), 1.05 * sin(turn), b.uniform(0.8, 1.1)
        b.rod("branch", "bark", start=(0, 1.8, 0), stop=(x * 0.7, high - 0.3, z * 0.7), radius=0.08, end_radius=0.04)
        b.blob("crown", "leaves", at=(x, high, z), radius=(r, r * 0.86, r), bumps=0.4, colour=shade(leaf, b.uniform(-0.12, 0.14)))


def _pine(b: Builder) -> None:
    b.cone("trunk", "bark", r0=0.16, r1=0.1, height=1.2)
    green, tiers = b.palette("needle", vary=0.9), b.integer(4, 5)
    for i in range(tiers):
        t = i / tiers
        b.cone("crown", "leaves", at=(0, 0.8 + 4.2 * t, 0), r0=1.25 * (1 - t) + 0.22, r1=0.0, height=1.9 - 0.7 * t,
               rotate=(0, 50 * i, 0), colour=shade(green, 0.03 * i), pattern_size=0.2)  # fmt: skip


def _palm(b: Builder) -> None:
    lean, green = b.uniform(0.2, 0.7), b.palette("leaf", vary=0.9)
    for i in range(4):
        low, high = i / 4, (i + 1) / 4
        b.rod("trunk", "bark", start=(lean * low * low, 4.1 * low, 0), stop=(lean * high * high, 4.1 * high, 0),
              radius=0.19 - 0.03 * i, end_radius=0.14 - 0.02 * i, colour="straw")  # fmt: skip
    for i in range(9):
        a, drop = radians(40 * i + b.uniform(-9, 9)), b.uniform(0.35, 0.75)
        joint = (lean + 0.85 * cos(a), 4.35, 0.85 * sin(a))
        tip = (lean + 1.7 * cos(a), 4.2 - drop, 1.7 * sin(a))
        b.rod("frond", "leaves", start=(lean, 4.05, 0), stop=joint, radius=0.1, end_radius=0.26, colour=green)
        b.rod("frond", "leaves", start=joint, stop=tip, radius=0.26, end_radius=0.03, colour=shade(green, 0.08))
    for x, z in ((-0.16, -0.12), (0.16, -0.1), (0.0, 0.18)):
        b.sphere("coconut", "wood", at=(lean + x, 3.95, z), radius=0.14, colour="brown")


@object_class("bush", size=(1.3, 0.95, 1.0), place="ground")
def bush(b: Builder, look: str) -> None:
    green = b.palette(b.choice(["leaf", "needle"]), vary=1)
    for _ in range(b.integer(3, 5)):
        r = b.uniform(0.32, 0.46)
        b.blob("foliage", "leaves", at=(b.uniform(-0.38, 0.38), r * 0.85, b.uniform(-0.22, 0.22)), radius=r, bumps=0.4,
               colour=shade(green, b.uniform(-0.1, 0.15)))  # fmt: skip
    b.rod("branch", "bark", start=(0, 0, 0), stop=(0.1, 0.5, 0), radius=0.05)
    berry = b.palette(b.choice(["petal", "red", "white"]))
    for _ in range(b.choice([0, 0, 5])):
        b.sphere("berry", "flower", at=(b.uniform(-0.4, 0.4), b.uniform(0.4, 0.75), -0.36), radius=0.05, colour=berry)


@object_class("flower", size=(0.6, 0.55, 0.5), place="ground")
def flower(b: Builder, look: str) -> None:
    petal = b.palette(b.choice(["petal", "red", "yellow", "pink", "white", "purple"]), vary=1)
    for i in range(b.integer(4, 6)):
        x, z, high = b.uniform(-0.24, 0.24), b.uniform(-0.16, 0.16), b.uniform(0.28, 0.5)
        b.rod("stem", "leaves", start=(x * 0.6, 0, z * 0.6), stop=(x, high, z), radius=0.016)
        b.sphere("leaf", "leaves", at=(x * 0.8, high * 0.4, z), radius=(0.09, 0.03, 0.05), rotate=(0, 60 * i, 25))
        b.sphere(
            "petal", "flower", at=(x, high, z), radius=(0.12, 0.05, 0.12), rotate=(-35, 0, 0), colour=shade(petal, b.uniform(-0.1, 0.2))
        )
        b.sphere("centre", "flower", at=(x, high + 0.03, z - 0.035), radius=0.05, colour="yellow")


@object_class("rock", size=(1.2, 0.75, 0.9), place="ground")
def rock(b: Builder, look: str) -> None:
    stone = b.palette("rock", vary=1)
    b.blob(
        "boulder",
        "rock",
        at=(0, 0.22, 0),
        radius=(0.6, b.uniform(0.35, 0.55), 0.45),
        bumps=0.5,
        colour=stone,
        rotate=(0, b.uniform(0, 180), 0),
    )
    b.blob("boulder", "rock", at=(b.choice([-0.5, 0.5]), 0.1, -0.15), radius=b.uniform(0.16, 0.3), bumps=0.5, colour=shade(stone, 0.1))
    b.blob("pebble", "rock", at=(b.uniform(-0.4, 0.4), 0.03, -0.45), radius=0.09, bumps=0.4, colour=shade(stone, -0.1))
    b.blob("moss", "leaves", at=(b.uniform(-0.2, 0.2), 0.46, 0), radius=(0.3, 0.12, 0.25), bumps=0.4)


def _legs(b: Builder, coat: Colour, xs: tuple[float, float], z: float, high: float, thick: float) -> None:
    for x in xs:
        for side in (-z, z):
            b.rod(
                "leg",
                "fur",
                start=(x, high, side),
                stop=(x + b.uniform(-0.06, 0.06), 0.07, side),
                radius=thick,
                end_radius=thick * 0.7,
                colour=coat,
            )
            b.cone("hoof", "leather", at=(x, 0, side), r0=thick * 0.95, r1=thick * 0.8, height=0.1, colour="dark")


@object_class("cow", size=(2.1, 1.5, 0.8), place="ground")
def cow(b: Builder, look: str) -> None:
    coat, spots = (b.palette("white"), b.palette(b.choice(["black", "brown"])))
    if b.chance(0.3):
        coat = b.palette("brown", vary=1)
    b.cushion("body", "fur", at=(0.12, 0.62, 0), size=(1.6, 0.78, 0.72), power=0.6, colour=coat)
    for x, y, r in ((-0.25, 1.1, 0.24), (0.35, 1.18, 0.27), (0.6, 0.9, 0.17)):
        for side in (-0.24, 0.24):
            b.sphere("spot", "fur", at=(x + b.uniform(-0.08, 0.08), y - 0.06, side), radius=(r, r * 0.85, 0.14), colour=spots)
    _legs(b, coat, (-0.42, 0.68), 0.2, 0.75, 0.09)
    b.rod("neck", "fur", start=(-0.5, 1.12, 0), stop=(-0.86, 1.3, 0), radius=0.2, soft=True, colour=coat)
    b.sphere("head", "fur", at=(-0.95, 1.26, 0), radius=(0.28, 0.2, 0.17), rotate=(0, 0, 25), colour=spots)
    b.sphere("muzzle", "skin", at=(-1.16, 1.15, 0), radius=(0.13, 0.12, 0.13), colour="pink")
    for side in (-1, 1):
        b.cone("horn", "ceramic", at=(-0.82, 1.4, side * 0.12), r0=0.035, height=0.2, rotate=(side * 35, 0, 0))
        b.sphere("ear", "fur", at=(-0.78, 1.34, side * 0.24), radius=(0.06, 0.05, 0.13), colour=spots)
        b.sphere("eye", "rubber", at=(-1.04, 1.33, side * 0.13), radius=0.03, colour="black")
    b.sphere("udder", "skin", at=(0.5, 0.62, 0), radius=(0.2, 0.13, 0.16), colour="pink")
    b.rod("tail", "fur", start=(0.9, 1.25, 0), stop=(1.0, 0.6, 0.02), radius=0.03, colour=coat)
    b.sphere("tail", "fur", at=(1.0, 0.55, 0.02), radius=(0.05, 0.12, 0.05), colour=spots)


@object_class("horse", size=(2.3, 1.9, 0.7), place="ground")
def horse(b: Builder, look: str) -> None:
    coat, mane = b.palette(b.choice(["brown", "leather", "cream", "grey", "dark"]), vary=1), b.palette(b.choice(["dark", "cream", "straw"]))
    b.cushion("body", "fur", at=(0.12, 0.85, 0), size=(1.45, 0.62, 0.56), power=0.7, colour=coat)
    _legs(b, coat, (-0.38, 0.6), 0.16, 1.05, 0.08)
    b.rod("neck", "fur", start=(-0.42, 1.22, 0), stop=(-0.86, 1.72, 0), radius=0.21, end_radius=0.13, colour=coat)
    b.rod("head", "fur", start=(-0.8, 1.78, 0), stop=(-1.2, 1.5, 0), radius=0.15, end_radius=0.09, soft=True, colour=coat)
    b.sphere("muzzle", "fur", at=(-1.2, 1.48, 0), radius=(0.11, 0.1, 0.1), colour=shade(coat, -0.3))
    for t in range(4):
        b.sphere("mane", "hair", at=(-0.36 - 0.12 * t, 1.4 + 0.14 * t, 0), radius=(0.12, 0.17, 0.08), colour=mane)
    for side in (-1, 1):
        b.cone("ear", "fur", at=(-0.8, 1.84, side * 0.07), r0=0.045, height=0.16, colour=coat)
        b.sphere("eye", "rubber", at=(-0.95, 1.74, side * 0.12), radius=0.03, colour="black")
    b.rod("tail", "hair", start=(0.82, 1.35, 0), stop=(1.08, 0.6, 0), radius=0.06, end_radius=0.13, colour=mane)
    if b.chance(0.4):
        b.cushion("saddle", "leather", at=(0.05, 1.38, 0), size=(0.5, 0.16, 0.6), colour="brown")


@object_class("bird", size=(0.5, 0.45, 0.3), place="ground")
def bird(b: Builder, look: str) -> None:
    coat = b.palette(b.choice(["white", "grey", "blue", "brown", "red"]), vary=1)
    b.sphere("body", "feathers", at=(0, 0.24, 0), radius=(0.21, 0.14, 0.13), rotate=(0, 0, -18), colour=coat)
    b.sphere("head", "feathers", at=(-0.17, 0.37, 0), radius=0.095, colour=shade(coat, 0.15))
    b.cone("beak", "ceramic", at=(-0.24, 0.36, 0), r0=0.035, height=0.12, rotate=(0, 0, 95), colour="orange")
    for side in (-1, 1):
        b.sphere("wing", "feathers", at=(0.04, 0.26, side * 0.11), radius=(0.19, 0.09, 0.04), rotate=(0, 0, -24), colour=shade(coat, -0.3))
        b.rod("leg", "ceramic", start=(0.02, 0.14, side * 0.05), stop=(0.0, 0.0, side * 0.05), radius=0.014, colour="orange")
        b.sphere("eye", "rubber", at=(-0.21, 0.4, side * 0.075), radius=0.018, colour="black")
    b.box("tail", "feathers", at=(0.26, 0.2, 0), size=(0.2, 0.03, 0.1), rotate=(0, 0, -18), colour=shade(coat, -0.35))


@object_class("campfire", size=(1.1, 0.85, 1.1), place="ground")
def campfire(b: Builder, look: str) -> None:
    for i in range(9):
        a = radians(40 * i)
        b.blob("stone", "rock", at=(0.48 * cos(a), 0.07, 0.48 * sin(a)), radius=b.uniform(0.1, 0.14), bumps=0.4)
    for i in range(5):
        a = radians(72 * i + 20)
        b.rod("log", "bark", start=(0.36 * cos(a), 0.06, 0.36 * sin(a)), stop=(-0.08 * cos(a), 0.36, -0.08 * sin(a)), radius=0.06)
    for x, z, high, colour in (
        (0, 0, 0.85, "orange"),
        (-0.12, 0.05, 0.6, "red"),
        (0.13, -0.04, 0.65, "orange"),
        (0.0, -0.1, 0.5, "yellow"),
    ):
        b.lathe("flame", "light", at=(x, 0.1, z), colour=colour, glow=0.9,
                profile=[(0, 0), (0.13, 0.1 * high), (0.15, 0.25 * high), (0.07, 0.65 * high), (0, high)])  # fmt: skip


@object_class("hay_bale", size=(1.5, 1.35, 1.2), place="ground")
def hay_bale(b: Builder, look: str) -> None:
    b.cylinder("bale", "straw", at=(0, 0.66, -0.6), radius=0.66, height=1.2, rotate=(90, 0, 0))
    for radius in (0.5, 0.34, 0.18):
        b.ring("coil", "straw", at=(0, 0.66, -0.61), radius=radius, tube=0.022, rotate=(90, 0, 0), colour="gold")
    for z in (-0.3, 0.3):
        b.ring("string", "cloth", at=(0, 0.66, z), radius=0.665, tube=0.016, rotate=(90, 0, 0), colour="cream")
    for _ in range(4):
        x = b.uniform(-0.8, 0.8)
        b.rod("straw", "straw", start=(x, 0.02, -0.75), stop=(x + b.uniform(-0.25, 0.25), 0.05, -0.95), radius=0.018)


@object_class("parasol", size=(2.3, 2.3, 2.3), place="ground")
def parasol(b: Builder, look: str) -> None:
    first, second = b.palette(b.choice(["accent", "red", "blue", "accent2", "orange"]), vary=1), b.palette("cream")
    b.cylinder("pole", "wood", radius=0.035, height=2.2, colour="white")
    for i in range(8):  # eight segments, colours in turn
        a, c = radians(45 * i), radians(45 * (i + 1))
        b.extrude("canopy", "cloth", outline="triangle", at=(0.54 * (cos(a) + cos(c)), 1.72, 0.54 * (sin(a) + sin(c))),
                  size=(0.85, 1.12, 0.02), rotate=(62, -(45 * i + 22.5) - 90, 0), colour=first if i % 2 else second)  # fmt: skip
    b.sphere("knob", "wood", at=(0, 2.27, 0), radius=0.06)
    b.cone("foot", "stone", r0=0.22, r1=0.12, height=0.1)


@object_class("deck_chair", size=(0.75, 1.0, 1.25), place="ground")
def deck_chair(b: Builder, look: str) -> None:
    cloth = b.palette(b.choice(["accent", "red", "blue", "green", "accent2"]), vary=1)
    for x in (-0.32, 0.32):
        b.rod("frame", "wood", start=(x, 0.02, 0.45), stop=(x, 0.42, -0.6), radius=0.028)
        b.rod("frame", "wood", start=(x, 0.02, -0.5), stop=(x, 1.0, 0.62), radius=0.028)
        b.box("arm", "wood", at=(x, 0.52, -0.02), size=(0.07, 0.03, 0.55))
    for start, stop in (((0.34, -0.55), (0.26, -0.15)), ((0.26, -0.15), (0.42, 0.12)), ((0.42, 0.12), (0.96, 0.6))):
        (y0, z0), (y1, z1) = start, stop
        length = ((y1 - y0) ** 2 + (z1 - z0) ** 2) ** 0.5
        b.box("seat", "cloth", at=(0, y0, z0), size=(0.58, length, 0.02), rotate=(degrees(atan2(z1 - z0, y1 - y0)), 0, 0), colour=cloth,
              colour2="cream", pattern="stripes", pattern_size=0.16)  # fmt: skip
    b.rod("bar", "wood", start=(-0.34, 1.0, 0.62), stop=(0.34, 1.0, 0.62), radius=0.03)
    b.rod("bar", "wood", start=(-0.34, 0.36, -0.58), stop=(0.34, 0.36, -0.58), radius=0.03)


@object_class("balloon", size=(3.0, 4.4, 3.0), place="sky")
def balloon(b: Builder, look: str) -> None:
    first, second = b.palette(b.choice(["accent", "red", "orange", "blue"]), vary=1), b.palette(b.choice(["cream", "yellow", "accent2"]))
    b.lathe("envelope", "cloth", at=(0, 1.1, 0), colour=first, colour2=second, pattern=b.choice(["stripes", "bands", "zigzag", "checks"]),
            pattern_size=0.7, profile=[(0.28, 0), (0.75, 0.65), (1.3, 1.4), (1.48, 2.1), (1.25, 2.8), (0.7, 3.2), (0, 3.32)])  # fmt: skip
    b.ring("skirt", "cloth", at=(0, 1.1, 0), radius=0.28, tube=0.05, colour=second)
    b.box("basket", "straw", at=(0, 0, 0), size=(0.55, 0.42, 0.55), pattern="checks", pattern_size=0.08)
    b.ring("basket", "leather", at=(0, 0.42, 0), radius=0.31, tube=0.04)
    for x in (-0.24, 0.24):
        for z in (-0.24, 0.24):
            b.rod("rope", "cloth", start=(x, 0.4, z), stop=(x, 1.12, z), radius=0.014, colour="dark")
