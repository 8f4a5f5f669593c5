"""Music: piano, drum kit."""

from __future__ import annotations

from math import cos, radians, sin

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.objects.joinery import legs
from scenelens.sceneworld.palette import Colour, shade
from scenelens.sceneworld.registry import object_class

# The grand's case seen from above: keyboard below, the straight bass side on the left, the bow on the right.
BOW = ((-0.5, 0), (0.5, 0), (0.5, 0.34), (0.46, 0.48), (0.36, 0.58), (0.22, 0.66), (0.12, 0.75), (0.04, 0.88),
       (-0.08, 0.97), (-0.24, 1), (-0.4, 0.97), (-0.5, 0.88))  # fmt: skip


@object_class(
    "piano",
    looks=("upright", "grand"),
    size={"upright": (1.5, 1.3, 0.7), "grand": (1.55, 1.8, 1.8)},
    place={"upright": "against_wall", "grand": "floor"},
)
def piano(b: Builder, look: str) -> None:
    """An upright piano, or a grand with its lid propped open."""
    wood = b.palette(b.choice(["black", "darkwood", "wood", "darkwood" if look == "upright" else "black",
                     "white"]))  # fmt: skip
    if look == "upright":
        _upright(b, wood)
    else:
        _grand(b, wood)


def _keyboard(b: Builder, y: float, z: float, w: float) -> None:
    b.box("keys", "plastic", at=(0, y, z), size=(w, 0.035, 0.16), colour="paper", colour2="grey",
          pattern="stripes", pattern_size=w / 12)  # fmt: skip
    n = 14
    for i in range(n):
        if i % 7 not in (2, 6):
            b.box("keys", "plastic", at=(w * ((i + 1) / n - 0.5), y + 0.025, z + 0.03),
                  size=(w / n * 0.55, 0.025, 0.1), colour="black", casts=False)  # fmt: skip


def _sheet(b: Builder, y: float, z: float) -> None:
    for x in (-0.13, 0.13):
        b.box("sheet", "paper", at=(x, y, z), size=(0.24, 0.3, 0.01), rotate=(14, 0, 0), pattern="text",
              round=0)  # fmt: skip


def _upright(b: Builder, wood: Colour) -> None:
    high = b.uniform(1.15, 1.3)
    b.box("case", "wood", at=(0, 0, 0.12), size=(1.46, high, 0.38), colour=wood, round=0.02)
    b.box("lid", "wood", at=(0, high, 0.1), size=(1.52, 0.045, 0.46), colour=shade(wood, 0.08), round=0.02)
    b.box("panel", "wood", at=(0, 0.9, -0.08), size=(1.3, high - 1.0, 0.02), colour=shade(wood, 0.14))
    b.box("panel", "wood", at=(0, 0.16, -0.08), size=(1.3, 0.4, 0.02), colour=shade(wood, 0.14))
    b.box("keybed", "wood", at=(0, 0.6, -0.2), size=(1.46, 0.09, 0.32), colour=wood, round=0.02)
    b.box("keybed", "wood", at=(0, 0.6, -0.352), size=(1.48, 0.12, 0.03), colour=shade(wood, 0.1))
    for x in (-0.69, 0.69):
        b.box("arm", "wood", at=(x, 0.6, -0.19), size=(0.09, 0.22, 0.34), colour=wood, round=0.03)
        b.lathe("leg", "wood", at=(x, 0, -0.29), profile=((0, 0), (0.05, 0), (0.035, 0.08), (0.055, 0.4),
                (0.04, 0.6), (0, 0.6)), colour=wood)  # fmt: skip
    _keyboard(b, 0.69, -0.24, 1.26)
    for x in (-0.12, 0, 0.12):
        b.box("pedal", "metal", at=(x, 0.06, -0.14), size=(0.05, 0.025, 0.16), colour="gold")
    b.box("stand", "wood", at=(0, 0.88, -0.11), size=(0.7, 0.03, 0.06), colour=shade(wood, -0.15))
    _sheet(b, 0.9, -0.12)
    b.top(high + 0.045, 1.2, 0.3, z=0.12)


def _grand(b: Builder, wood: Colour) -> None:
    b.extrude("case", "wood", outline=BOW, at=(0, 0.73, -0.62), size=(1.48, 1.5, 0.3), rotate=(90, 0, 0),
              colour=wood)  # fmt: skip
    b.extrude("strings", "metal", outline=BOW, at=(0, 0.885, -0.4), size=(1.34, 1.22, 0.02),
              rotate=(90, 0, 0), colour="gold", colour2="copper", pattern="stripes",
              pattern_size=0.07)  # fmt: skip
    for x, z in ((-0.6, -0.55), (0.6, -0.5), (-0.2, 0.66)):
        b.lathe("leg", "wood", at=(x, 0, z), profile=((0, 0), (0.05, 0), (0.035, 0.08), (0.06, 0.42),
                (0.08, 0.6), (0, 0.6)), colour=wood)  # fmt: skip
    b.box("keybed", "wood", at=(0, 0.6, -0.74), size=(1.48, 0.1, 0.3), colour=wood, round=0.02)
    for x in (-0.7, 0.7):
        b.box("arm", "wood", at=(x, 0.62, -0.73), size=(0.1, 0.24, 0.3), colour=wood, round=0.03)
    _keyboard(b, 0.7, -0.77, 1.26)
    b.box("stand", "wood", at=(0, 0.88, -0.5), size=(0.72, 0.22, 0.025), rotate=(12, 0, 0), colour=wood)
    _sheet(b, 0.92, -0.53)
    with b.at(-0.74, 0.9, -0.36, rz=38):
        b.extrude("lid", "wood", outline=BOW, at=(0.74, 0, 0), size=(1.5, 1.26, 0.035), rotate=(90, 0, 0),
                  colour=shade(wood, 0.1))  # fmt: skip
    b.rod("prop", "wood", start=(0.56, 0.86, -0.1), stop=(0.3, 1.7, -0.05), radius=0.016, colour=wood)
    b.box("pedal", "wood", at=(0, 0.1, -0.3), size=(0.2, 0.5, 0.05), colour=wood)
    for x in (-0.06, 0.06):
        b.box("pedal", "metal", at=(x, 0.08, -0.38), size=(0.045, 0.025, 0.16), colour="gold")


@object_class("drum_kit", size=(2.0, 1.4, 1.25))
def drum_kit(b: Builder, look: str) -> None:
    """A bass drum with a sign on its skin, two toms, a floor tom, a snare and three cymbals."""
    shell = b.palette(b.choice(["accent", "accent2", "red", "blue", "accent3"]))
    metal, r = b.choice(["metal", "metal", "gold"]), b.uniform(0.29, 0.34)
    with b.at(0, r + 0.02, -0.15, rx=-90):
        _drum(b, r, 0.42, shell, metal)
        if b.chance(0.75):
            b.extrude("sign", "paint", outline=b.choice(["star", "heart", "star", "diamond"]),
                      at=(0, 0.43, -r * 0.6), size=(r * 1.1, r * 1.15, 0.012), rotate=(90, 0, 0),
                      colour=shell)  # fmt: skip
    for side in (-1, 1):
        b.rod("stand", "metal", start=(side * 0.26, 0.25, -0.42), stop=(side * 0.36, 0, -0.52), radius=0.014,
              colour=metal)  # fmt: skip
        b.rod("stand", "metal", start=(0, 2 * r, 0), stop=(side * 0.2, 2 * r + 0.16, 0), radius=0.016,
              colour=metal)  # fmt: skip
        with b.at(side * 0.21, 2 * r + 0.06, -0.02, rx=-18):
            _drum(b, 0.18, 0.2, shell, metal)
    for x, y, radius, high in ((0.62, 0.2, 0.23, 0.4), (-0.58, 0.42, 0.19, 0.15)):
        with b.at(x, y, -0.05):
            _drum(b, radius, high, shell, metal)
            for turn in (40, 160, 280):
                dx, dz = radius * cos(radians(turn)), radius * sin(radians(turn))
                b.rod("stand", "metal", start=(dx, -y, dz), stop=(dx, 0.15, dz), radius=0.012, colour=metal)
    for x, y, z, radius in ((-0.62, 1.2, 0.12, 0.25), (0.66, 1.26, 0.12, 0.28), (-0.88, 0.8, -0.1, 0.18)):
        _cymbal(b, x, y + b.uniform(-0.06, 0.06), z, radius, metal)
    b.lathe("seat", "leather", at=(0, 0.5, 0.5), profile=((0, 0), (0.16, 0), (0.17, 0.05), (0.13, 0.09),
            (0, 0.1)), colour="black")  # fmt: skip
    with b.at(0, 0, 0.5):
        legs(b, 0.05, 0.05, 0.5, radius=0.014, splay=3.5, part="seat", material="metal", colour=metal)


def _drum(b: Builder, radius: float, high: float, shell: Colour, metal: str) -> None:
    """A drum with its skin on top, in the present frame."""
    b.cylinder("drum", "plastic", radius=radius, height=high, colour=shell)
    b.cylinder("skin", "paper", at=(0, high, 0), radius=radius * 0.94, height=0.008, colour="white")
    for y in (0.01, high):
        b.ring("hoop", "metal", at=(0, y, 0), radius=radius, tube=0.018, colour=metal)


def _cymbal(b: Builder, x: float, y: float, z: float, radius: float, metal: str) -> None:
    b.cylinder("stand", "metal", at=(x, 0, z), radius=0.013, height=y, colour=metal)
    for dx in (-0.14, 0.14):
        b.rod("stand", "metal", start=(x, 0.28, z), stop=(x + dx, 0, z - 0.1), radius=0.012, colour=metal)
    with b.at(x, y, z, rx=-16, rz=8 if x > 0 else -8):
        b.lathe("cymbal", "metal", profile=((0, 0), (radius, 0), (0.25 * radius, 0.025),
                (0.18 * radius, 0.05), (0, 0.06)), colour="gold")  # fmt: skip
