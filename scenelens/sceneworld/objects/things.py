"""Small things that stand on tables and shelves or lie about: vases, books, computers, guitars."""

from __future__ import annotations

from math import cos, radians, sin

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.palette import shade
from scenelens.sceneworld.registry import object_class

UPRIGHT = (90, 0, 0)  # stands a ring or a disc on its edge, facing the viewer


@object_class(
    "lamp",
    looks=("floor", "table", "pendant", "street"),
    size={"floor": (0.55, 1.62, 0.55), "table": (0.36, 0.55, 0.36), "pendant": (0.5, 0.9, 0.5), "street": (1.1, 4.2, 0.5)},
    place={"floor": "floor", "table": "on_top", "pendant": "ceiling", "street": "ground"},
)
def lamp(b: Builder, look: str) -> None:
    {"floor": _floor_lamp, "table": _table_lamp, "pendant": _pendant, "street": _street_lamp}[look](b)


def _floor_lamp(b: Builder) -> None:
    metal = b.palette(b.choice(["metal", "gold", "dark"]))
    b.cylinder("base", "metal", radius=0.18, height=0.03, colour=metal)
    b.cylinder("pole", "metal", at=(0, 0.03, 0), radius=0.018, height=1.32, colour=metal)
    b.cone("shade", "cloth", at=(0, 1.26, 0), r0=0.27, r1=b.uniform(0.13, 0.2), height=0.35, glow=b.uniform(0.25, 0.5),
           colour=b.palette(b.choice(["cream", "accent2", "accent"])))  # fmt: skip
    b.rod("cord", "cloth", start=(0.14, 1.28, -0.1), stop=(0.14, 1.08, -0.1), radius=0.008, colour="dark")


def _table_lamp(b: Builder) -> None:
    b.lathe("base", "ceramic", colour=b.palette(b.choice(["accent", "accent3", "ceramic", "blue"]), vary=1),
            profile=[(0, 0), (0.09, 0), (0.1, 0.02), (0.06, 0.05), (0.115, 0.14), (0.11, 0.2), (0.03, 0.28), (0, 0.33)])  # fmt: skip
    b.cylinder("pole", "metal", at=(0, 0.28, 0), radius=0.012, height=0.1, colour="gold")
    b.cone("shade", "cloth", at=(0, 0.3, 0), r0=0.18, r1=0.11, height=0.22, glow=b.uniform(0.25, 0.5),
           colour=b.palette(b.choice(["cream", "accent2", "accent"])))  # fmt: skip


def _pendant(b: Builder) -> None:
    b.cylinder("cord", "metal", at=(0, -0.55, 0), radius=0.01, height=0.55, colour="dark")
    b.lathe("shade", "metal", at=(0, -0.8, 0), colour=b.palette(b.choice(["accent", "accent2", "cream", "dark"])), closed=False, glow=0.1,
            profile=[(0.25, 0), (0.22, 0.08), (0.13, 0.18), (0.04, 0.22), (0.03, 0.27)])  # fmt: skip
    b.sphere("bulb", "light", at=(0, -0.74, 0), radius=0.08, glow=1.2)


def _street_lamp(b: Builder) -> None:
    iron, n = b.palette(b.choice(["dark", "green", "black"])), b.integer(1, 2)
    b.lathe("base", "metal", profile=[(0, 0), (0.22, 0), (0.2, 0.15), (0.1, 0.3), (0.07, 0.6), (0, 0.6)], colour=iron)
    b.cylinder("pole", "metal", at=(0, 0.5, 0), radius=0.06, height=3.1, colour=iron)
    for x in (0.0,) if n == 1 else (-0.42, 0.42):
        if x:
            b.rod("arm", "metal", start=(0, 3.35, 0), stop=(x, 3.55, 0), radius=0.045, colour=iron)
        b.cone("lantern", "light", at=(x, 3.55, 0), r0=0.13, r1=0.22, height=0.45, sides=6, glow=0.7)
        b.cone("cap", "metal", at=(x, 4.0, 0), r0=0.28, height=0.24, sides=6, colour=iron)
        b.disc("cap", "metal", at=(x, 3.53, 0), radius=0.16, height=0.05, colour=iron)


@object_class("plant", looks=("fern", "cactus", "rubber_tree"), place="floor",
              size={"fern": (0.9, 0.85, 0.9), "cactus": (0.6, 1.0, 0.5), "rubber_tree": (0.8, 1.5, 0.8)})  # fmt: skip
def plant(b: Builder, look: str) -> None:
    pot = b.palette(b.choice(["brick", "accent", "white", "accent2", "blue"]), vary=1)
    b.lathe("pot", "ceramic", profile=[(0, 0), (0.15, 0), (0.2, 0.26), (0.23, 0.27), (0.23, 0.32), (0, 0.32)], colour=pot)
    b.disc("soil", "soil", at=(0, 0.315, 0), radius=0.19)
    green = b.palette("leaf", vary=1)
    if look == "cactus":
        b.rod(
            "stem",
            "leaves",
            start=(0, 0.25, 0),
            stop=(0, 1.02, 0),
            radius=0.14,
            soft=True,
            colour=green,
            pattern="stripes",
            pattern_size=0.06,
        )
        for side, y in ((-1, 0.52), (1, 0.64)):
            b.rod("arm", "leaves", start=(0, y, 0), stop=(side * 0.27, y + 0.03, 0), radius=0.075, soft=True, colour=green)
            b.rod("arm", "leaves", start=(side * 0.27, y, 0), stop=(side * 0.27, y + 0.28, 0), radius=0.075, soft=True, colour=green)
        b.sphere("flower", "flower", at=(0, 1.06, 0), radius=(0.09, 0.06, 0.09), colour="pink")
    elif look == "fern":
        for i in range(12):
            a, out, high = radians(30 * i + b.uniform(-8, 8)), b.uniform(0.3, 0.46), b.uniform(0.58, 0.84)
            knee = (0.55 * out * cos(a), high, 0.55 * out * sin(a))
            b.rod("stem", "leaves", start=(0, 0.3, 0), stop=knee, radius=0.02, end_radius=0.05, colour=green)
            b.rod("frond", "leaves", start=knee, stop=(out * cos(a), high - 0.16, out * sin(a)), radius=0.06, end_radius=0.01,
                  colour=shade(green, b.uniform(-0.1, 0.15)))  # fmt: skip
    else:
        b.rod("stem", "bark", start=(0, 0.3, 0), stop=(0.03, 1.35, 0), radius=0.025)
        for i in range(12):
            a, y = radians(137 * i), 0.5 + 0.078 * i
            b.sphere("leaf", "leaves", at=(0.24 * cos(a), y + 0.08, 0.24 * sin(a)), radius=(0.2, 0.022, 0.09), rotate=(0, -137 * i, 24),
                     colour=shade(green, b.uniform(-0.12, 0.12)))  # fmt: skip


@object_class("vase", size=(0.35, 0.6, 0.35), place="on_top")
def vase(b: Builder, look: str) -> None:
    glaze = b.palette(b.choice(["blue", "accent", "white", "accent2", "copper"]), vary=1)
    neck, belly = b.uniform(0.035, 0.06), b.uniform(0.09, 0.13)
    b.lathe("body", "ceramic", colour=glaze, colour2="white", pattern=b.choice(["none", "bands", "flowers", "zigzag"]), pattern_size=0.06,
            profile=[(0, 0), (0.06, 0), (belly, 0.1), (belly * 0.9, 0.18), (neck, 0.26), (neck * 1.35, 0.31), (0, 0.31)])  # fmt: skip
    for i in range(b.integer(3, 5)):
        a, lean = radians(75 * i), b.uniform(0.05, 0.12)
        tip = (lean * cos(a), b.uniform(0.44, 0.58), lean * sin(a))
        b.rod("stem", "leaves", start=(0, 0.28, 0), stop=tip, radius=0.009)
        b.sphere("flower", "flower", at=tip, radius=(0.06, 0.05, 0.06), colour=b.palette(b.choice(["petal", "red", "yellow", "pink"])))
        b.sphere("centre", "flower", at=(tip[0], tip[1] + 0.03, tip[2] - 0.03), radius=0.022, colour="yellow")


@object_class("book", size=(0.36, 0.26, 0.28), place="on_top")
def book(b: Builder, look: str) -> None:
    y = 0.0
    for _ in range(b.integer(2, 4)):
        cover, thick = b.palette(b.choice(["red", "blue", "green", "accent", "brown", "accent2"]), vary=1), b.uniform(0.045, 0.075)
        with b.at(0, y, 0, ry=b.uniform(-18, 18)):
            b.box("cover", "leather", size=(0.32, thick, 0.23), colour=cover, round=0.006)
            b.box("pages", "paper", at=(0.012, 0.008, -0.006), size=(0.312, thick - 0.016, 0.236))
            b.box("cover", "leather", at=(0, thick - 0.008, 0), size=(0.33, 0.01, 0.245), colour=cover)
        y += thick + 0.002
    cover = b.palette(b.choice(["red", "accent", "yellow", "blue"]))
    for side in (-1, 1):  # an open one on top
        b.box(
            "pages",
            "paper",
            at=(side * 0.08, y + 0.03, 0),
            size=(0.16, 0.012, 0.22),
            rotate=(0, 0, side * 16),
            pattern="text",
            pattern_size=0.03,
        )
        b.box("cover", "leather", at=(side * 0.085, y + 0.015, 0), size=(0.18, 0.01, 0.235), rotate=(0, 0, side * 16), colour=cover)


@object_class("computer", looks=("desktop", "laptop"), size={"desktop": (0.75, 0.6, 0.5), "laptop": (0.42, 0.32, 0.4)}, place="on_top")
def computer(b: Builder, look: str) -> None:
    case, screen = b.palette(b.choice(["dark", "grey", "white", "cream"])), b.palette(b.choice(["sky", "blue", "green", "accent"]))
    if look == "laptop":
        b.box("keyboard", "metal", size=(0.4, 0.025, 0.28), colour=case)
        b.box(
            "keys",
            "plastic",
            at=(0, 0.024, 0.03),
            size=(0.34, 0.006, 0.15),
            colour="dark",
            pattern="tiles",
            pattern_size=0.035,
            colour2="grey",
        )
        b.box("screen", "metal", at=(0, 0.02, 0.14), size=(0.4, 0.28, 0.018), rotate=(16, 0, 0), colour=case)
        b.box("screen", "glass", at=(0, 0.035, 0.128), size=(0.36, 0.235, 0.012), rotate=(16, 0, 0), colour=screen, glow=0.5,
              pattern="text", pattern_size=0.05, colour2="white")  # fmt: skip
        return
    b.box("screen", "plastic", at=(0, 0.14, 0.1), size=(0.6, 0.4, 0.06), colour=case, round=0.02)
    b.box(
        "screen",
        "glass",
        at=(0, 0.165, 0.064),
        size=(0.54, 0.345, 0.012),
        colour=screen,
        glow=0.5,
        pattern="text",
        pattern_size=0.07,
        colour2="white",
    )
    b.box("stand", "plastic", at=(0, 0.02, 0.12), size=(0.08, 0.16, 0.04), colour=case)
    b.box("stand", "plastic", at=(0, 0, 0.1), size=(0.26, 0.02, 0.2), colour=case)
    b.box("keyboard", "plastic", at=(-0.04, 0, -0.16), size=(0.42, 0.025, 0.15), colour=case)
    b.box(
        "keys", "plastic", at=(-0.04, 0.022, -0.16), size=(0.38, 0.012, 0.12), colour=shade(case, 0.4), pattern="tiles", pattern_size=0.035
    )
    b.cushion("mouse", "plastic", at=(0.27, 0, -0.16), size=(0.06, 0.035, 0.1), colour=case)


@object_class("guitar", looks=("acoustic", "electric"), size=(0.42, 1.1, 0.35), place="floor")
def guitar(b: Builder, look: str) -> None:
    wood = b.palette(b.choice(["wood", "orange", "brown"]) if look == "acoustic" else b.choice(["red", "blue", "dark", "yellow"]), vary=1)
    with b.at(0, 0.12, 0, rx=12):  # leaning on its stand
        if look == "acoustic":
            b.cylinder("body", "wood", at=(0, 0.19, 0.05), radius=0.2, height=0.1, rotate=(-90, 0, 0), colour=wood)
            b.cylinder("body", "wood", at=(0, 0.43, 0.05), radius=0.145, height=0.1, rotate=(-90, 0, 0), colour=wood)
            b.disc("hole", "wood", at=(0, 0.36, -0.05), radius=0.06, rotate=(-90, 0, 0), colour="dark")
        else:
            shape = [(-0.5, 0.1), (-0.2, 0), (0.25, 0), (0.5, 0.15), (0.32, 0.5), (0.5, 0.95), (0.3, 0.9), (0.1, 0.68), (-0.12, 0.7),
                     (-0.3, 1.0), (-0.45, 0.92), (-0.33, 0.5)]  # fmt: skip
            b.extrude("body", "wood", outline=shape, size=(0.42, 0.55, 0.06), colour=wood)
            b.box("pickup", "metal", at=(0, 0.26, -0.04), size=(0.12, 0.04, 0.02))
        b.box("bridge", "wood", at=(0, 0.12, -0.05), size=(0.16, 0.03, 0.02), colour="dark")
        b.box("neck", "wood", at=(0, 0.4, -0.04), size=(0.055, 0.55, 0.03), colour="darkwood", pattern="bands", pattern_size=0.08)
        b.box("head", "wood", at=(0, 0.94, -0.035), size=(0.1, 0.15, 0.03), colour=shade(wood, -0.3))
        for side in (-1, 1):
            for y in (0.97, 1.02, 1.06):
                b.sphere("peg", "metal", at=(side * 0.06, y, -0.03), radius=0.014)
        for x in (-0.014, 0.0, 0.014):
            b.box("string", "metal", at=(x, 0.14, -0.062), size=(0.004, 0.82, 0.004), colour="white")
    for side in (-1, 1):
        b.rod("stand", "metal", start=(side * 0.12, 0.16, -0.08), stop=(side * 0.2, 0.0, -0.14), radius=0.014, colour="dark")
    b.rod("stand", "metal", start=(0, 0.5, 0.18), stop=(0, 0.0, 0.3), radius=0.014, colour="dark")


@object_class("sculpture", looks=("bust", "abstract"), size={"bust": (0.65, 1.75, 0.5), "abstract": (0.8, 1.8, 0.6)}, place="floor")
def sculpture(b: Builder, look: str) -> None:
    plinth = b.palette(b.choice(["white", "stone", "grey", "dark"]))
    b.box("plinth", "stone", size=(0.56, 0.9, 0.5), colour=plinth)
    b.box("plinth", "stone", size=(0.66, 0.1, 0.6), colour=plinth)
    b.box("plinth", "stone", at=(0, 0.88, 0), size=(0.62, 0.06, 0.56), colour=plinth)
    stone = b.palette(b.choice(["white", "stone", "copper", "cream"]))
    if look == "bust":
        b.cushion("shoulders", "stone", at=(0, 0.94, 0), size=(0.6, 0.34, 0.32), power=0.7, colour=stone)
        b.cone("neck", "stone", at=(0, 1.18, 0), r0=0.11, r1=0.085, height=0.16, colour=stone)
        b.sphere("head", "stone", at=(0, 1.48, 0), radius=(0.145, 0.19, 0.16), colour=stone)
        b.blob("hair", "stone", at=(0, 1.56, 0.04), radius=(0.165, 0.15, 0.16), bumps=0.5, colour=shade(stone, -0.08))
        b.sphere("nose", "stone", at=(0, 1.46, -0.165), radius=(0.03, 0.055, 0.04), colour=stone)
        for side in (-1, 1):
            b.sphere("eye", "stone", at=(side * 0.06, 1.5, -0.14), radius=(0.032, 0.02, 0.02), colour=shade(stone, -0.45))
    else:
        colour = b.palette(b.choice(["accent", "copper", "gold", "red"]))
        b.ring("ring", "metal", at=(0, 1.3, 0), radius=0.3, tube=0.085, rotate=(90, b.uniform(-40, 40), 0), colour=colour)
        b.sphere("ball", "metal", at=(b.uniform(-0.1, 0.1), 1.28, 0), radius=0.13, colour=b.palette(b.choice(["white", "accent2", "blue"])))
        b.cone("spire", "metal", at=(0, 1.62, 0), r0=0.09, height=0.42, rotate=(0, 0, b.uniform(-25, 25)), colour=colour)


@object_class("ball", looks=("beach", "football"), size={"beach": (0.5, 0.5, 0.5), "football": (0.34, 0.34, 0.34)}, place="floor")
def ball(b: Builder, look: str) -> None:
    if look == "football":
        b.sphere("skin", "leather", at=(0, 0.16, 0), radius=0.16, colour="white")
        for turn, tip in ((0, -90), (72, -30), (144, -60), (216, -20), (288, -55), (20, 10), (190, 30), (320, -5)):
            a, e = radians(turn), radians(tip)
            x, y, z = 0.135 * cos(e) * sin(a), 0.16 + 0.135 * sin(-e), -0.135 * cos(e) * cos(a)
            b.sphere("patch", "leather", at=(x, y, z), radius=0.045, colour="black")
        b.sphere("valve", "rubber", at=(0, 0.315, 0), radius=0.014, colour="dark")
        return
    colours = ["red", "white", "blue", "white", "yellow", "white"]
    for i, colour in enumerate(colours):
        a = radians(60 * i + 30)
        b.sphere("panel", "plastic", at=(0.022 * cos(a), 0.24, 0.022 * sin(a)), radius=(0.225, 0.232, 0.225), colour=colour)
    for y in (0.02, 0.47):
        b.sphere("cap", "plastic", at=(0, y, 0), radius=(0.06, 0.02, 0.06), colour="white")
    b.sphere("valve", "plastic", at=(0.03, 0.485, 0), radius=0.014, colour="red")


@object_class("candle", size=(0.34, 0.5, 0.2), place="on_top")
def candle(b: Builder, look: str) -> None:
    wax, brass = b.palette(b.choice(["cream", "red", "white"])), b.palette(b.choice(["gold", "copper", "metal"]))
    n = b.choice([1, 3])
    b.lathe("holder", "metal", profile=[(0, 0), (0.1, 0), (0.09, 0.02), (0.02, 0.04), (0.02, 0.13), (0.05, 0.15), (0, 0.15)], colour=brass)
    if n == 3:
        b.box("holder", "metal", at=(0, 0.11, 0), size=(0.28, 0.025, 0.025), colour=brass)
    for x in (0.0,) if n == 1 else (-0.13, 0.0, 0.13):
        high = b.uniform(0.16, 0.24)
        b.disc("holder", "metal", at=(x, 0.14, 0), radius=0.045, height=0.015, colour=brass)
        b.cylinder("wax", "plain", at=(x, 0.15, 0), radius=0.028, height=high, colour=wax)
        b.lathe(
            "flame", "light", at=(x, 0.16 + high, 0), profile=[(0, 0), (0.022, 0.025), (0.012, 0.06), (0, 0.1)], colour="orange", glow=1.2
        )


@object_class("bottle", size=(0.3, 0.36, 0.2), place="on_top")
def bottle(b: Builder, look: str) -> None:
    for x, z in ((-0.07, 0.02), (0.09, -0.02))[: b.integer(1, 2)]:
        glass = b.palette(b.choice(["green", "brown", "blue", "dark", "red"]), vary=1)
        b.lathe("body", "ceramic", at=(x, 0, z), colour=glass,
                profile=[(0, 0), (0.05, 0), (0.055, 0.02), (0.055, 0.18), (0.02, 0.25), (0.018, 0.33), (0, 0.33)])  # fmt: skip
        b.cylinder("label", "paper", at=(x, 0.06, z), radius=0.057, height=0.08, colour=b.palette(b.choice(["cream", "yellow", "white"])))
        b.cylinder("cork", "wood", at=(x, 0.32, z), radius=0.02, height=0.035, colour="straw")
        b.cylinder("neck", "ceramic", at=(x, 0.295, z), radius=0.025, height=0.02, colour=shade(glass, 0.2))
