"""A few objects that set the style: chair, table, lamp, bed, tree, house."""

from __future__ import annotations

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.palette import shade
from scenelens.sceneworld.registry import object_class


@object_class("chair", looks=("dining", "armchair"), size={"dining": (0.5, 0.95, 0.5), "armchair": (0.9, 0.95, 0.85)})
def chair(b: Builder, look: str) -> None:
    if look == "dining":
        seat, back = 0.45, b.uniform(0.42, 0.52)
        for x in (-0.19, 0.19):
            b.rod("leg", "wood", start=(x * 1.1, 0, -0.2), stop=(x, seat, -0.17), radius=0.02, end_radius=0.026)
            b.rod("leg", "wood", start=(x * 1.1, 0, 0.22), stop=(x, seat, 0.18), radius=0.02, end_radius=0.026)
            b.rod("back", "wood", start=(x, seat, 0.18), stop=(x * 0.95, seat + back, 0.25), radius=0.023)
        b.box("seat", "wood", at=(0, seat, 0), size=(0.46, 0.035, 0.44))
        b.cushion("cushion", "cloth", at=(0, seat + 0.03, -0.01), size=(0.42, 0.06, 0.4), power=0.4, colour="accent")
        for i in range(3):
            y = seat + back * (0.35 + 0.28 * i)
            b.box("back", "wood", at=(0, y, 0.2 + 0.09 * (y - seat)), size=(0.4, 0.07, 0.025))
    else:
        cloth = b.palette(b.choice(["accent", "accent2", "cloth"]))
        pattern = b.choice(["none", "none", "dots", "flowers"])
        for x in (-0.34, 0.34):
            for z in (-0.3, 0.3):
                b.cone("leg", "wood", at=(x, 0, z), r0=0.02, r1=0.035, height=0.14, colour="darkwood")
            b.cushion("arm", "cloth", at=(x * 1.12, 0.12, -0.02), size=(0.2, 0.5, 0.78), power=0.45, colour=cloth)
        b.cushion("base", "cloth", at=(0, 0.12, 0), size=(0.82, 0.26, 0.78), power=0.3, colour=shade(cloth, -0.12))
        b.cushion("back", "cloth", at=(0, 0.2, 0.28), size=(0.82, 0.78, 0.24), power=0.4, rotate=(8, 0, 0), colour=cloth,
                  pattern=pattern, colour2="cream")  # fmt: skip
        b.cushion("seat", "cloth", at=(0, 0.36, -0.06), size=(0.6, 0.14, 0.62), power=0.4, colour=shade(cloth, 0.12))


@object_class("table", looks=("dining", "round"), size={"dining": (1.5, 0.75, 0.85), "round": (1.0, 0.74, 1.0)})
def table(b: Builder, look: str) -> None:
    if look == "dining":
        for x in (-0.66, 0.66):
            for z in (-0.34, 0.34):
                b.cone("leg", "wood", at=(x, 0, z), r0=0.028, r1=0.045, height=0.7)
        b.box("apron", "wood", at=(0, 0.62, 0), size=(1.38, 0.09, 0.74), colour=b.colour("wood", "wood"))
        b.box("top", "wood", at=(0, 0.71, 0), size=(1.5, 0.04, 0.85), round=0.02)
    else:
        b.lathe("leg", "wood", profile=[(0, 0), (0.3, 0), (0.28, 0.04), (0.07, 0.1), (0.05, 0.3), (0.08, 0.45), (0.05, 0.7), (0, 0.7)])
        b.disc("top", "wood", at=(0, 0.7, 0), radius=0.52, height=0.035)
        if b.chance(0.5):
            cloth = b.palette("cloth")
            b.cone("cloth", "cloth", at=(0, 0.45, 0), r0=0.58, r1=0.53, height=0.29, colour=cloth, colour2="cream",
                   pattern=b.choice(["checks", "stripes", "none"]), pattern_size=0.08)  # fmt: skip
    b.top(0.75, 0.9 if look == "round" else 1.4, 0.6)


@object_class(
    "lamp",
    looks=("floor", "table", "pendant"),
    size={"floor": (0.5, 1.6, 0.5), "table": (0.34, 0.55, 0.34), "pendant": (0.5, 0.9, 0.5)},
    place={"floor": "floor", "table": "on_top", "pendant": "ceiling"},
)
def lamp(b: Builder, look: str) -> None:
    shade_colour = b.palette(b.choice(["cream", "accent2", "accent"]))
    glow = b.uniform(0.25, 0.5)
    metal = b.choice(["metal", "gold", "dark"])
    if look == "floor":
        b.cylinder("base", "metal", radius=0.17, height=0.03, colour=metal)
        b.cylinder("pole", "metal", at=(0, 0.03, 0), radius=0.014, height=1.32, colour=metal)
        b.cone("shade", "cloth", at=(0, 1.28, 0), r0=0.26, r1=0.16, height=0.32, colour=shade_colour, glow=glow)
    elif look == "table":
        body = b.palette(b.choice(["accent", "accent3", "ceramic"]))
        b.lathe("base", "ceramic", colour=body,
                profile=[(0, 0), (0.09, 0), (0.1, 0.02), (0.06, 0.05), (0.115, 0.14), (0.11, 0.2), (0.03, 0.28), (0.02, 0.33), (0, 0.33)])  # fmt: skip
        b.cone("shade", "cloth", at=(0, 0.3, 0), r0=0.17, r1=0.11, height=0.22, colour=shade_colour, glow=glow)
    else:
        b.cylinder("cord", "metal", at=(0, -0.55, 0), radius=0.008, height=0.55, colour="dark")
        b.lathe("shade", "metal", at=(0, -0.8, 0), colour=shade_colour, closed=False, glow=0.1,
                profile=[(0.25, 0), (0.22, 0.08), (0.13, 0.18), (0.04, 0.22), (0.03, 0.27)])  # fmt: skip
        b.sphere("bulb", "light", at=(0, -0.74, 0), radius=0.06, glow=1.2)


@object_class("bed", looks=("double", "single"), size={"double": (1.6, 1.1, 2.1), "single": (1.0, 1.0, 2.0)}, place="against_wall")
def bed(b: Builder, look: str) -> None:
    w = 1.6 if look == "double" else 0.95
    cover = b.palette(b.choice(["accent", "accent2", "cloth"]))
    wood = b.palette(b.choice(["wood", "darkwood", "white"]))
    high = b.uniform(0.85, 1.1)
    b.box("frame", "wood", at=(0, 0.12, 0), size=(w, 0.18, 2.0), colour=wood)
    for x in (-w / 2 + 0.06, w / 2 - 0.06):
        for z in (-0.93, 0.93):
            b.cone("leg", "wood", at=(x, 0, z), r0=0.03, r1=0.045, height=0.14, colour=wood)
    b.box("headboard", "wood", at=(0, 0.12, 1.0), size=(w + 0.06, high, 0.07), colour=wood, round=0.03)
    b.cushion("mattress", "cloth", at=(0, 0.28, 0), size=(w - 0.03, 0.22, 1.95), power=0.22, colour="white")
    b.cushion("blanket", "cloth", at=(0, 0.3, -0.28), size=(w + 0.07, 0.25, 1.44), power=0.2, colour=cover, colour2="cream",
              pattern=b.choice(["none", "stripes", "checks", "flowers"]), pattern_size=b.uniform(0.12, 0.24))  # fmt: skip
    b.cushion("blanket", "cloth", at=(0, 0.49, 0.36), size=(w + 0.05, 0.08, 0.26), power=0.3, colour=shade(cover, 0.35))
    for x in (-0.38, 0.38) if look == "double" else (0.0,):
        b.cushion("pillow", "cloth", at=(x, 0.47, 0.7), size=(0.62, 0.17, 0.42), power=0.45, rotate=(-14, b.uniform(-6, 6), 0),
                  colour="white")  # fmt: skip


@object_class("tree", looks=("broadleaf", "conifer"), size={"broadleaf": (3.4, 5.0, 3.4), "conifer": (2.4, 5.5, 2.4)}, place="ground")
def tree(b: Builder, look: str) -> None:
    if look == "broadleaf":
        b.cone("trunk", "bark", r0=0.24, r1=0.13, height=2.6)
        leaf = b.palette("leaf", vary=0.9)
        for i in range(b.integer(5, 7)):
            turn, high = i * 2.4 + b.uniform(-0.4, 0.4), b.uniform(2.5, 4.0)
            out = 1.05 if i else 0.0
            b.rod("branch", "bark", start=(0, 1.8, 0), stop=(out * _cos(turn) * 0.7, high - 0.3, out * _sin(turn) * 0.7), radius=0.08, end_radius=0.04)
            r = b.uniform(0.8, 1.1) if i else 1.25
            b.blob("crown", "leaves", at=(out * _cos(turn), high if i else 3.6, out * _sin(turn)), radius=(r, r * 0.86, r), bumps=0.4,
                   colour=shade(leaf, b.uniform(-0.12, 0.14)))  # fmt: skip
    else:
        b.cone("trunk", "bark", r0=0.16, r1=0.1, height=1.2)
        green, tiers = b.palette("needle", vary=0.9), b.integer(4, 5)
        for i in range(tiers):
            t = i / tiers
            b.cone("crown", "leaves", at=(0, 0.8 + 4.2 * t, 0), r0=1.25 * (1 - t) + 0.22, r1=0.0, height=1.9 - 0.7 * t,
                   rotate=(0, 50 * i, 0), colour=shade(green, 0.07 * i), pattern_size=0.2)  # fmt: skip


@object_class("house", looks=("cottage", "townhouse"), size={"cottage": (6.0, 5.2, 5.0), "townhouse": (5.0, 8.0, 5.0)}, place="ground")
def house(b: Builder, look: str) -> None:
    tall = look == "townhouse"
    w, h, d = (4.6, 5.4, 4.6) if tall else (5.6, 2.8, 4.6)
    wall = b.choice(["plaster", "brick", "wood"]) if not tall else b.choice(["plaster", "brick", "stone"])
    b.box("wall", wall, size=(w, h, d), colour=b.palette("wall") if wall == "plaster" else None,
          pattern="planks" if wall == "wood" else None, pattern_size=0.3 if wall == "wood" else None)  # fmt: skip
    b.wedge("roof", "tile", at=(0, h, 0), size=(w + 0.7, 2.3, d + 0.7), colour="roof", pattern="shingles", pattern_size=0.45)
    b.box("chimney", "brick", at=(w * 0.28, h + 0.9, 0.5), size=(0.55, 1.9, 0.55))
    b.box("door", "wood", at=(0 if not tall else -w * 0.28, 0, -d / 2 - 0.02), size=(0.95, 2.0, 0.08), colour="accent3")
    b.sphere("door", "metal", at=(0.32 if not tall else 0.32 - w * 0.28, 1.0, -d / 2 - 0.1), radius=0.05, colour="gold")
    for level in range(2 if tall else 1):
        for x in (-w * 0.31, w * 0.31):
            if tall and level == 0 and x < 0:
                continue
            _window(b, x, 0.95 + 2.6 * level, -d / 2)
            for z in (-1.0, 1.0):
                with b.at(0, 0, 0, ry=90):
                    _window(b, z, 0.95 + 2.6 * level, -w / 2)


def _window(b: Builder, x: float, y: float, z: float) -> None:
    b.box("window", "wood", at=(x, y, z - 0.02), size=(1.15, 1.25, 0.1), colour="white")
    b.box("window", "ceramic", at=(x, y + 0.08, z - 0.05), size=(0.98, 1.08, 0.08), colour="glass")
    b.box("window", "wood", at=(x, y + 0.08, z - 0.08), size=(0.06, 1.08, 0.06), colour="white")
    b.box("window", "wood", at=(x, y + 0.58, z - 0.08), size=(0.98, 0.06, 0.06), colour="white")


def _cos(turn: float) -> float:
    from math import cos

    return cos(turn)


def _sin(turn: float) -> float:
    from math import sin

    return sin(turn)
