"""Living room: sofa, armchair, fireplace."""

from __future__ import annotations

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.objects.joinery import legs
from scenelens.sceneworld.palette import shade
from scenelens.sceneworld.registry import object_class

# The stones over a fire: a straight upper edge, a round one below.
ARCH = ((-0.5, 1), (-0.5, 0), (-0.42, 0.42), (-0.2, 0.7), (0, 0.76), (0.2, 0.7), (0.42, 0.42), (0.5, 0),
        (0.5, 1))  # fmt: skip


@object_class("sofa", size=(2.2, 0.9, 1.0), place="against_wall")
def sofa(b: Builder, look: str) -> None:
    """A sofa for two or three with loose cushions, perhaps a throw over one arm."""
    seats = b.choice([2, 3, 3])
    w, high = (1.3, 1.75)[seats - 2], b.uniform(0.62, 0.74)
    cloth = b.palette(b.choice(["accent", "accent2", "accent3", "cloth", "leather"]))
    look_of = {"colour2": shade(cloth, 0.4), "pattern": b.choice(["none", "none", "stripes", "flowers"]),
               "pattern_size": 0.16}  # fmt: skip
    legs(b, w + 0.1, 0.7, 0.14, radius=0.04, colour="darkwood")
    b.cushion("base", "cloth", at=(0, 0.12, 0), size=(w + 0.14, 0.28, 0.86), power=0.25,
              colour=shade(cloth, -0.15))  # fmt: skip
    b.cushion("back", "cloth", at=(0, 0.16, 0.34), size=(w + 0.2, high, 0.26), power=0.3, rotate=(6, 0, 0),
              colour=cloth)  # fmt: skip
    for side in (-1, 1):
        b.cushion("arm", "cloth", at=(side * (w / 2 + 0.1), 0.12, -0.02), size=(0.24, 0.52, 0.9), power=0.4,
                  colour=cloth)  # fmt: skip
    for i in range(seats):
        x, each = w * ((i + 0.5) / seats - 0.5), w / seats
        b.cushion("seat", "cloth", at=(x, 0.35, -0.09), size=(each, 0.17, 0.68), power=0.35,
                  colour=shade(cloth, 0.1), **look_of)  # fmt: skip
        b.cushion("back", "cloth", at=(x, 0.46, 0.2), size=(each, 0.42, 0.2), power=0.4, rotate=(12, 0, 0),
                  colour=shade(cloth, 0.06), **look_of)  # fmt: skip
    for side in (-1, 1):
        if b.chance(0.75):
            b.cushion("pillow", "cloth", at=(side * (w / 2 - 0.24), 0.5, -0.02), size=(0.4, 0.4, 0.16),
                      power=0.5, rotate=(14, side * -16, side * b.uniform(-25, 25)),
                      colour=b.choice(["cream", "accent", "accent2", "yellow"]),
                      pattern=b.choice(["none", "dots", "checks", "zigzag"]), pattern_size=0.11)  # fmt: skip
    if b.chance(0.4):
        b.cushion("throw", "cloth", at=(b.choice([-1, 1]) * (w / 2 + 0.1), 0.2, -0.12),
                  size=(0.29, 0.47, 0.46), power=0.35, colour="accent2", pattern="checks",
                  pattern_size=0.12)  # fmt: skip


@object_class("armchair", size=(0.95, 1.0, 0.9))
def armchair(b: Builder, look: str) -> None:
    """A deep chair for one, with fat arms; some have ears and a high back."""
    cloth = b.palette(b.choice(["accent", "accent2", "accent3", "cloth", "leather"]))
    eared = b.chance(0.5)
    look_of = {"colour2": "cream", "pattern": b.choice(["none", "none", "dots", "flowers", "stripes"]),
               "pattern_size": 0.13}  # fmt: skip
    legs(b, 0.66, 0.62, 0.15, radius=0.04, colour="darkwood")
    b.cushion("base", "cloth", at=(0, 0.13, 0), size=(0.82, 0.26, 0.78), power=0.3,
              colour=shade(cloth, -0.15))  # fmt: skip
    b.cushion("back", "cloth", at=(0, 0.2, 0.27), size=(0.8 - 0.06 * eared, 0.76 + 0.12 * eared, 0.24),
              power=0.42, rotate=(9, 0, 0), colour=cloth, **look_of)  # fmt: skip
    for x in (-0.39, 0.39):
        b.cushion("arm", "cloth", at=(x, 0.13, -0.03), size=(0.2, 0.5, 0.8), power=0.42, colour=cloth)
        if eared:
            b.cushion("ear", "cloth", at=(x * 0.95, 0.52, 0.2), size=(0.14, 0.5, 0.36), power=0.5,
                      rotate=(9, 0, 0), colour=cloth)  # fmt: skip
    b.cushion("seat", "cloth", at=(0, 0.36, -0.09), size=(0.6, 0.16, 0.64), power=0.4,
              colour=shade(cloth, 0.08), **look_of)  # fmt: skip
    if b.chance(0.6):
        b.cushion("pillow", "cloth", at=(b.uniform(-0.06, 0.06), 0.5, 0.05), size=(0.4, 0.36, 0.15),
                  power=0.5, rotate=(16, 0, b.uniform(-25, 25)),
                  colour=b.choice(["cream", "accent2", "yellow"]))  # fmt: skip


@object_class("fireplace", size=(1.76, 1.2, 0.8), place="against_wall")
def fireplace(b: Builder, look: str) -> None:
    """A fire on logs between two pillars, under a mantelpiece that things can stand on."""
    stuff = b.choice(["brick", "brick", "stone", "plaster"])
    wood = b.palette(b.choice(["wood", "darkwood", "white"]))
    wall = b.palette({"brick": "brick", "stone": "stone", "plaster": "white"}[stuff])
    for x in (-0.6, 0.6):
        b.box("pillar", stuff, at=(x, 0, 0), size=(0.36, 1.05, 0.46), colour=wall)
        b.box("pillar", stuff, at=(x, 0, -0.02), size=(0.4, 0.14, 0.5), colour=shade(wall, -0.15))
    b.box("lintel", stuff, at=(0, 0.84, 0), size=(1.56, 0.26, 0.46), colour=wall)
    b.extrude("arch", "brick", outline=ARCH, at=(0, 0.62, -0.16), size=(0.88, 0.24, 0.16),
              colour=shade(wall, -0.2))  # fmt: skip
    b.box("mantel", "wood", at=(0, 1.1, -0.03), size=(1.76, 0.09, 0.58), colour=wood, round=0.03)
    b.box("firebox", "stone", at=(0, 0, 0.17), size=(0.86, 0.86, 0.06), colour=shade(b.palette("dark"), -0.4))
    b.box("hearth", "stone", at=(0, 0, -0.2), size=(1.7, 0.05, 0.72), colour="stone")
    for side in (-1, 1):
        b.rod("log", "bark", start=(side * 0.26, 0.1, 0.02), stop=(side * -0.2, 0.17, -0.1), radius=0.06,
              colour="bark")  # fmt: skip
    b.rod("log", "bark", start=(-0.24, 0.24, 0.0), stop=(0.26, 0.22, -0.06), radius=0.055, colour="bark")
    flames = ((-0.15, 0.3, 0.2, "red"), (0.15, 0.34, 0.22, "orange"), (0, 0.44, 0.28, "orange"))
    for x, high, wide, colour in flames:
        b.extrude("fire", "light", outline="drop", at=(x, 0.2, -0.06),
                  size=(wide, high * b.uniform(0.9, 1.15), 0.04), colour=colour, glow=0.7, rotate=(0, 0,
                  b.uniform(-8, 8)))  # fmt: skip
    b.extrude("fire", "light", outline="drop", at=(0.01, 0.2, -0.09), size=(0.15, 0.25, 0.03),
              colour="yellow", glow=1.0)  # fmt: skip
    b.top(1.19, 1.5, 0.36)
