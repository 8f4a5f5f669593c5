"""Bedroom and nursery: bed, crib, wardrobe."""

from __future__ import annotations

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.objects.joinery import front, knob, legs, pull
from scenelens.sceneworld.palette import Colour, shade
from scenelens.sceneworld.registry import object_class

PLANK = ((-0.5, 0), (0.5, 0), (0.5, 1), (-0.5, 1))


@object_class(
    "bed",
    looks=("double", "bunk", "four_poster"),
    size={"double": (1.7, 1.1, 2.15), "bunk": (2.1, 1.75, 1.2), "four_poster": (2.0, 2.2, 2.3)},
    place="against_wall",
)
def bed(b: Builder, look: str) -> None:
    """A double bed, a bunk bed with a ladder, or a bed with four posts and a canopy."""
    wood = b.palette(b.choice(["wood", "wood", "darkwood", "white"]))
    cover = b.palette(b.choice(["accent", "accent2", "accent3", "cloth"]))
    {"double": _double, "bunk": _bunk, "four_poster": _four_poster}[look](b, wood, cover)


def _double(b: Builder, wood: Colour, cover: Colour) -> None:
    high, outline = b.uniform(0.85, 1.1), b.choice(["box", "arch", "bars"])
    legs(b, 1.48, 1.88, 0.14, radius=0.05, colour=wood)
    if outline == "bars":
        b.rod("headboard", "metal", start=(-0.82, high, 1.02), stop=(0.82, high, 1.02), radius=0.03,
              colour="gold", soft=True)  # fmt: skip
        for i in range(7):
            b.box("headboard", "metal", at=(-0.78 + 0.26 * i, 0.1, 1.02), size=(0.035, high - 0.1, 0.035),
                  colour="gold")  # fmt: skip
    else:
        b.extrude("headboard", "wood", outline="arch" if outline == "arch" else PLANK, at=(0, 0.12, 1.02),
                  size=(1.68, high, 0.07), colour=wood)  # fmt: skip
    b.box("footboard", "wood", at=(0, 0.1, -1.02), size=(1.66, b.uniform(0.3, 0.45), 0.05), colour=wood,
          round=0.03)  # fmt: skip
    b.box("frame", "wood", at=(0, 0.12, 0), size=(1.6, 0.18, 2.0), colour=wood)
    _bedding(b, 1.6, 2.0, 0.28, cover, (-0.38, 0.38))


def _bedding(b: Builder, width: float, length: float, y: float, cover: Colour, pillows: tuple[float, ...]) -> None:
    """Mattress, blanket with a turned-down edge and pillows; the head end at +z."""
    pattern, size = b.choice(["none", "stripes", "checks", "flowers", "dots"]), b.uniform(0.14, 0.24)
    b.cushion("mattress", "cloth", at=(0, y, 0), size=(width - 0.03, 0.22, length - 0.05), power=0.22,
              colour="white")  # fmt: skip
    b.cushion("blanket", "cloth", at=(0, y + 0.02, -0.14 * length), size=(width + 0.06, 0.25, 0.7 * length),
              power=0.2, colour=cover, colour2="cream", pattern=pattern, pattern_size=size)  # fmt: skip
    b.cushion("blanket", "cloth", at=(0, y + 0.21, 0.18 * length), size=(width + 0.05, 0.08, 0.26), power=0.3,
              colour=shade(cover, 0.45))  # fmt: skip
    for x in pillows:
        b.cushion("pillow", "cloth", at=(x, y + 0.19, 0.36 * length), size=(0.64, 0.18, 0.44), power=0.45,
                  rotate=(-16, b.uniform(-6, 6), 0), colour="white")  # fmt: skip


def _bunk(b: Builder, wood: Colour, cover: Colour) -> None:
    for x in (-1.02, 1.02):
        for z in (-0.44, 0.44):
            b.box("post", "wood", at=(x, 0, z), size=(0.08, 1.72, 0.08), colour=wood)
        for y in (0.55, 1.5):
            b.box("end", "wood", at=(x, y, 0), size=(0.04, 0.16, 0.86), colour=wood)
    for y, own in ((0.26, cover), (1.06, b.palette(b.choice(["accent", "accent2", "accent3"])))):
        for z in (-0.44, 0.44):
            b.box("frame", "wood", at=(0, y - 0.04, z), size=(2.0, 0.17, 0.04), colour=shade(wood, 0.08))
        with b.at(0, y, 0, ry=90):
            _bedding(b, 0.84, 1.94, 0, own, (0.0,))
    b.box("rail", "wood", at=(-0.27, 1.45, -0.44), size=(1.5, 0.08, 0.03), colour=wood)
    for x in (-0.75, -0.25, 0.25):
        b.box("rail", "wood", at=(x, 1.22, -0.44), size=(0.05, 0.25, 0.03), colour=wood)
    _ladder(b, 0.68, wood)


def _ladder(b: Builder, x: float, wood: Colour) -> None:
    for dx in (-0.17, 0.17):
        b.rod("ladder", "wood", start=(x + dx, 0, -0.7), stop=(x + dx, 1.6, -0.5), radius=0.028,
              colour=shade(wood, -0.12))  # fmt: skip
    for i in range(5):
        b.box("ladder", "wood", at=(x, 0.2 + 0.27 * i, -0.68 + 0.034 * i), size=(0.34, 0.035, 0.06),
              colour=shade(wood, -0.12))  # fmt: skip


def _four_poster(b: Builder, wood: Colour, cover: Colour) -> None:
    drape = b.palette(b.choice(["cream", "accent2", "accent3", "white"]))
    b.box("frame", "wood", at=(0, 0.2, 0), size=(1.64, 0.2, 2.0), colour=wood)
    b.extrude("headboard", "wood", outline="arch", at=(0, 0.2, 1.0), size=(1.6, 1.05, 0.06), colour=wood)
    _bedding(b, 1.6, 2.0, 0.38, cover, (-0.38, 0.38))
    for x in (-0.84, 0.84):
        for z in (-0.98, 0.98):
            b.cylinder("post", "wood", at=(x, 0, z), radius=0.045, height=2.0, colour=wood)
            b.sphere("post", "wood", at=(x, 2.12, z), radius=0.06, colour=wood)
            b.cone("curtain", "cloth", at=(x * 0.97, 1.05, z * 0.97), r0=0.07, r1=0.19, height=0.92,
                   colour=drape)  # fmt: skip
            b.cone("curtain", "cloth", at=(x * 0.97, 0.3, z * 0.97), r0=0.15, r1=0.07, height=0.75,
                   colour=drape)  # fmt: skip
    b.box("canopy", "cloth", at=(0, 1.98, 0), size=(1.78, 0.06, 2.06), colour=shade(drape, -0.1))
    scallop = tuple((-0.5 + i / 12, 0.0 if i % 2 else 0.35) for i in range(13))
    edge = ((-0.5, 1), *scallop, (0.5, 1))
    for z in (-1.0, 1.0):
        b.extrude("canopy", "cloth", outline=edge, at=(0, 1.78, z), size=(1.78, 0.24, 0.04), colour=cover)
    for x in (-0.87, 0.87):
        b.extrude("canopy", "cloth", outline=edge, at=(x, 1.78, 0), size=(2.06, 0.24, 0.04),
                  rotate=(0, 90, 0), colour=cover)  # fmt: skip


@object_class("crib", size=(1.3, 1.5, 0.75), place="against_wall")
def crib(b: Builder, look: str) -> None:
    """A baby's bed with bars on both sides and stars on a mobile."""
    wood = b.palette(b.choice(["white", "wood", "cream", "accent2"]))
    end = b.choice(["heart", "star", "circle"])
    legs(b, 1.16, 0.6, 0.3, radius=0.035, colour=wood)
    for x in (-0.6, 0.6):
        b.extrude("end", "wood", outline="arch", at=(x, 0.18, 0), size=(0.66, 0.88, 0.045), rotate=(0, 90, 0),
                  colour=wood)  # fmt: skip
        b.extrude("end", "wood", outline=end, at=(x, 0.66, 0), size=(0.18, 0.18, 0.06), rotate=(0, 90, 0),
                  colour="accent")  # fmt: skip
    for z, n in ((-0.3, 9), (0.3, 7)):
        b.box("rail", "wood", at=(0, 0.84, z), size=(1.2, 0.06, 0.05), colour=wood)
        b.box("rail", "wood", at=(0, 0.24, z), size=(1.2, 0.07, 0.05), colour=wood)
        for i in range(n):
            b.box("bar", "wood", at=(1.12 * ((i + 0.5) / n - 0.5), 0.3, z), size=(0.032, 0.56, 0.03),
                  colour=shade(wood, 0.1))  # fmt: skip
    b.cushion("mattress", "cloth", at=(0, 0.3, 0), size=(1.14, 0.14, 0.54), power=0.25, colour="white")
    b.cushion("blanket", "cloth", at=(-0.16, 0.36, 0), size=(0.8, 0.13, 0.56), power=0.25, colour="accent2",
              colour2="white", pattern=b.choice(["dots", "checks", "flowers"]),
              pattern_size=0.12)  # fmt: skip
    b.cushion("pillow", "cloth", at=(0.4, 0.42, 0), size=(0.28, 0.1, 0.4), power=0.45, colour="cream")
    _mobile(b)


def _mobile(b: Builder) -> None:
    b.tube("mobile", "metal", path=((0.5, 0.85, 0.3), (0.48, 1.35, 0.3), (0.35, 1.48, 0.2), (0.1, 1.5, 0.05)),
           radius=0.014, colour="white")  # fmt: skip
    for i, (x, z) in enumerate(((-0.1, -0.05), (0.1, -0.12), (0.26, 0.08), (0.02, 0.14))):
        y = 1.22 - 0.05 * (i % 2)
        b.box("mobile", "metal", at=(x, y + 0.1, z), size=(0.008, 0.26 + 0.05 * (i % 2), 0.008),
              colour="grey")  # fmt: skip
        b.extrude("mobile", "cloth", outline=b.choice(["star", "heart", "crescent"]), at=(x, y, z),
                  size=(0.15, 0.15, 0.03), rotate=(0, b.uniform(-25, 25), 0), colour=("yellow", "accent",
                  "accent2", "accent3")[i])  # fmt: skip


@object_class("wardrobe", size=(1.42, 2.15, 0.66), place="against_wall")
def wardrobe(b: Builder, look: str) -> None:
    """A cupboard for clothes: two tall doors, one perhaps with a mirror, drawers below, a cornice above."""
    w, h, z = b.uniform(1.05, 1.35), b.uniform(1.85, 2.0), -0.28
    wood = b.palette(b.choice(["wood", "wood", "darkwood", "white", "accent2"]))
    metal, low = b.choice(["gold", "metal", "dark"]), b.choice([0.0, 0.3])
    for x in (-w / 2 + 0.08, w / 2 - 0.08):
        for depth in (-0.22, 0.22):
            b.sphere("foot", "wood", at=(x, 0.06, depth), radius=0.065, colour=shade(wood, -0.25))
    b.box("body", "wood", at=(0, 0.1, 0), size=(w, h - 0.1, 0.56), colour=wood)
    b.box("base", "wood", at=(0, 0.09, -0.01), size=(w + 0.05, 0.08, 0.6), colour=shade(wood, -0.15))
    b.box("cornice", "wood", at=(0, h, -0.02), size=(w + 0.12, 0.09, 0.64), colour=shade(wood, -0.12),
          round=0.03)  # fmt: skip
    if b.chance(0.4):
        b.extrude("cornice", "wood", outline="half", at=(0, h + 0.08, -0.2), size=(w * 0.7, 0.14, 0.05),
                  colour=shade(wood, 0.05))  # fmt: skip
    mirror = b.choice([-1, 0, 1])
    for side in (-1, 1):
        x, foot = side * w / 4, 0.2 + low
        front(b, "door", x, foot, z, w / 2 - 0.02, h - foot - 0.05, wood, margin=0.08)
        if side == mirror:
            b.box("mirror", "ceramic", at=(x, foot + 0.11, z - 0.035),
                  size=(w / 2 - 0.24, h - foot - 0.27, 0.02), colour="glass")  # fmt: skip
        pull(b, (side * 0.06, 1.0, z - 0.06), (side * 0.06, 1.18, z - 0.06), colour=metal)
        if low:
            front(b, "drawer", x, 0.19, z, w / 2 - 0.02, low - 0.01, wood, margin=0.05)
            knob(b, x, 0.19 + low / 2, z - 0.04, colour=metal)
