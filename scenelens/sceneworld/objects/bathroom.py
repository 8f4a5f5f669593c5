"""Bathroom and laundry: sink, bathtub, toilet, washing machine."""

from __future__ import annotations

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.objects.joinery import front, knob, pull, stretched
from scenelens.sceneworld.palette import Colour, shade
from scenelens.sceneworld.registry import object_class

# Profiles run up the outside, over the rim and down the inside: bowls that can be looked into.
BASIN = ((0, 0), (0.1, 0), (0.25, 0.1), (0.3, 0.19), (0.3, 0.22), (0.26, 0.22), (0.21, 0.13), (0.06, 0.07),
         (0, 0.07))  # fmt: skip
TUB = ((0, 0), (0.5, 0), (0.62, 0.08), (0.72, 0.4), (0.8, 0.45), (0.8, 0.49), (0.7, 0.49), (0.66, 0.42),
       (0.56, 0.12), (0, 0.09))  # fmt: skip
BOWL = ((0, 0), (0.14, 0), (0.12, 0.1), (0.13, 0.18), (0.21, 0.34), (0.22, 0.39), (0.15, 0.39), (0.1, 0.25),
        (0, 0.22))  # fmt: skip


@object_class("sink", size=(0.66, 1.1, 0.52), place="against_wall")
def sink(b: Builder, look: str) -> None:
    """A washbasin on a pedestal, or let into a cabinet with doors; tap, two wheels and often soap."""
    white = b.palette(b.choice(["ceramic", "ceramic", "ceramic", "accent2"]), vary=0.5)
    if b.chance(0.55):
        b.lathe("pedestal", "ceramic", at=(0, 0, 0.04), colour=shade(white, -0.06),
                profile=[(0, 0), (0.17, 0), (0.15, 0.05), (0.085, 0.14), (0.075, 0.45), (0.13, 0.66),
                (0, 0.66)])  # fmt: skip
    else:
        wood = b.palette(b.choice(["wood", "white", "accent3"]))
        b.box("cabinet", "wood", at=(0, 0, 0.02), size=(0.6, 0.7, 0.42), colour=wood)
        for side in (-1, 1):
            front(b, "door", side * 0.145, 0.09, -0.19, 0.28, 0.58, wood)
            knob(b, side * 0.05, 0.42, -0.22)
        b.box("cabinet", "wood", at=(0, 0.69, 0.0), size=(0.66, 0.05, 0.5), colour=shade(white, -0.05),
              round=0.02)  # fmt: skip
    with stretched(b, 1.05, 1.0, 0.78, at=(0, 0.64, -0.02)):
        b.lathe("basin", "ceramic", profile=BASIN, colour=white)
        b.disc("water", "water", at=(0, 0.1, 0), radius=0.14, height=0.005)
    b.box("ledge", "ceramic", at=(0, 0.79, 0.2), size=(0.6, 0.08, 0.12), colour=white, round=0.03)
    _tap(b, 0.87, 0.19, b.choice(["metal", "metal", "gold"]))
    if b.chance(0.6):
        b.cushion("soap", "plastic", at=(0.22, 0.86, 0.15), size=(0.1, 0.045, 0.07), power=0.6,
                  colour=b.choice(["pink", "green", "yellow"]))  # fmt: skip
    if b.chance(0.5):
        b.box("splashback", "tile", at=(0, 0.86, 0.25), size=(0.66, 0.3, 0.02), colour2="white",
              pattern_size=0.11, round=0)  # fmt: skip


def _tap(b: Builder, y: float, z: float, metal: str) -> None:
    b.tube("tap", "metal", path=((0, 0, 0), (0, 0.16, 0), (0, 0.2, -0.05), (0, 0.2, -0.12), (0, 0.14, -0.15)),
           radius=0.022, at=(0, y, z), colour=metal)  # fmt: skip
    for x in (-0.12, 0.12):
        b.cylinder("tap", "metal", at=(x, y, z), radius=0.018, height=0.05, colour=metal)
        b.sphere("tap", "metal", at=(x, y + 0.065, z), radius=(0.036, 0.022, 0.036),
                 colour="red" if x > 0 else "blue")  # fmt: skip


@object_class("bathtub", size=(1.7, 0.85, 0.85), place="against_wall")
def bathtub(b: Builder, look: str) -> None:
    """A bath: free on claw feet, or cased in tiles; taps at one end, foam and perhaps a duck."""
    outside = b.palette(b.choice(["white", "white", "accent", "accent2", "cloth"]))
    cased, side = b.chance(0.35), b.choice([-1, 1])
    if cased:
        b.box("casing", "tile", size=(1.72, 0.45, 0.84), pattern_size=0.14)
        b.box("casing", "ceramic", at=(0, 0.45, 0), size=(1.76, 0.04, 0.88), colour="ceramic")
    else:
        for x in (-0.5, 0.5):
            for z in (-0.24, 0.24):
                b.rod("foot", "metal", start=(x * 1.1, 0.04, z * 1.15), stop=(x, 0.24, z), radius=0.035,
                      end_radius=0.06, colour="gold")  # fmt: skip
                b.sphere("foot", "metal", at=(x * 1.1, 0.04, z * 1.2), radius=0.045, colour="gold")
    with stretched(b, 1.04, 1.0, 0.5, at=(0, 0.14, 0)):
        b.lathe("tub", "ceramic", profile=TUB, colour="ceramic" if cased else outside)
        if not cased:
            b.lathe("rim", "ceramic", at=(0, 0.44, 0), profile=((0.7, 0), (0.82, 0.02), (0.82, 0.06),
                    (0.7, 0.065)), colour="white")  # fmt: skip
        b.disc("water", "water", at=(0, 0.36, 0), radius=0.66, height=0.01)
    _foam(b, side)
    b.tube("tap", "metal", path=((0, 0, 0), (0, 0.2, 0), (0, 0.27, 0.03), (0, 0.27, 0.12), (0, 0.2, 0.16)),
           radius=0.026, at=(side * 0.74, 0.55, 0), rotate=(0, side * -90, 0),
           colour=b.choice(["metal", "gold"]))  # fmt: skip
    for z in (-0.1, 0.1):
        b.sphere("tap", "metal", at=(side * 0.76, 0.68, z), radius=0.04, colour="red" if z > 0 else "blue")


def _foam(b: Builder, side: int) -> None:
    for i in range(b.integer(2, 5)):
        r = b.uniform(0.1, 0.18)
        b.blob("foam", "snow", at=(-side * (0.5 - 0.17 * i), 0.55, b.uniform(-0.14, 0.12)),
               radius=(r, r * 0.7, r), bumps=0.3)  # fmt: skip
    if b.chance(0.5):
        with b.at(side * 0.3, 0.52, -0.06, ry=b.uniform(-60, 60)):
            b.cushion("duck", "rubber", size=(0.18, 0.11, 0.13), power=0.8, colour="yellow")
            b.sphere("duck", "rubber", at=(-0.06, 0.14, 0), radius=0.06, colour="yellow")
            b.cone("duck", "rubber", at=(-0.105, 0.135, 0), r0=0.022, height=0.05, rotate=(0, 0, 90),
                   colour="orange")  # fmt: skip


@object_class("toilet", size=(0.5, 0.95, 0.72), place="against_wall")
def toilet(b: Builder, look: str) -> None:
    """A toilet: bowl, seat, lid open or shut, cistern with a lever or a button."""
    white = b.palette(b.choice(["ceramic", "ceramic", "ceramic", "accent2", "pink"]), vary=0.4)
    seat, is_open = b.palette(b.choice(["white", "wood", "darkwood", "accent"])), b.chance(0.6)
    with stretched(b, 0.95, 1.0, 1.2, at=(0, 0, -0.1)):
        b.lathe("bowl", "ceramic", profile=BOWL, colour=white)
        b.disc("water", "water", at=(0, 0.28, 0), radius=0.1, height=0.005)
        b.lathe("seat", "wood", at=(0, 0.385, 0), profile=((0.14, 0), (0.235, 0), (0.24, 0.02), (0.225, 0.04),
                (0.15, 0.04), (0.14, 0.02)), colour=seat)  # fmt: skip
    b.box("bowl", "ceramic", at=(0, 0.26, 0.14), size=(0.3, 0.14, 0.2), colour=white, round=0.04)
    if is_open:
        b.extrude("lid", "wood", outline="circle", at=(0, 0.4, 0.14), size=(0.43, 0.44, 0.03),
                  rotate=(3, 0, 0), colour=shade(seat, -0.06))  # fmt: skip
    else:
        with stretched(b, 0.95, 1.0, 1.2, at=(0, 0.425, -0.1)):
            b.disc("lid", "wood", radius=0.235, height=0.035, colour=shade(seat, 0.12))
    b.box("cistern", "ceramic", at=(0, 0.4, 0.27), size=(0.46, 0.38, 0.17), colour=white, round=0.05)
    b.box("cistern", "ceramic", at=(0, 0.77, 0.265), size=(0.5, 0.05, 0.2), colour=shade(white, 0.2),
          round=0.025)  # fmt: skip
    if b.chance(0.5):
        pull(b, (-0.2, 0.72, 0.16), (-0.11, 0.7, 0.15), radius=0.018)
    else:
        b.disc("button", "metal", at=(0, 0.82, 0.26), radius=0.04, height=0.02)
    if b.chance(0.4):
        b.cylinder("paper", "paper", at=(0.14, 0.82, 0.26), radius=0.055, height=0.1)


@object_class("washing_machine", size=(0.64, 0.9, 0.62), place="against_wall")
def washing_machine(b: Builder, look: str) -> None:
    """A front loader: a round window with washing behind it, a dial, buttons and a soap drawer."""
    body, z, y = b.palette(b.choice(["white", "white", "cream", "metal", "accent2"])), -0.29, 0.4
    for x in (-0.25, 0.25):
        for depth in (-0.22, 0.22):
            b.cylinder("foot", "rubber", at=(x, 0, depth), radius=0.03, height=0.05)
    b.box("body", "paint", at=(0, 0.04, 0), size=(0.62, 0.83, 0.58), colour=body, round=0.03)
    b.box("top", "paint", at=(0, 0.86, 0), size=(0.64, 0.03, 0.6), colour=shade(body, -0.12))
    b.box("panel", "plastic", at=(0, 0.7, z - 0.005), size=(0.6, 0.14, 0.02),
          colour=b.choice(["grey", "dark", "accent"]))  # fmt: skip
    b.box("drawer", "plastic", at=(-0.19, 0.72, z - 0.015), size=(0.18, 0.1, 0.02), colour=shade(body, 0.2))
    b.cylinder("dial", "plastic", at=(0.2, 0.77, z - 0.01), radius=0.045, height=0.035, rotate=(-90, 0, 0),
               colour="white")  # fmt: skip
    b.box("dial", "plastic", at=(0.2, 0.77, z - 0.045), size=(0.01, 0.04, 0.01), colour="red")
    for i in range(3):
        b.sphere("button", "plastic", at=(-0.04 + 0.065 * i, 0.77, z - 0.015), radius=0.02,
                 colour=("green", "yellow", "red")[i])  # fmt: skip
    _door(b, y, z, body)
    b.top(0.89, 0.4, 0.3)


def _door(b: Builder, y: float, z: float, body: Colour) -> None:
    rim = b.choice(["metal", "dark", "metal", "accent"])
    b.disc("door", "metal", at=(0, y, z + 0.01), radius=0.225, height=0.03, rotate=(-90, 0, 0),
           colour=shade(body, -0.25))  # fmt: skip
    b.ring("door", "metal", at=(0, y, z - 0.02), radius=0.19, tube=0.035, rotate=(90, 0, 0), colour=rim)
    b.dome("window", "ceramic", at=(0, y, z - 0.02), radius=(0.175, 0.035, 0.175), rotate=(-90, 0, 0),
           colour=shade(b.palette("blue"), -0.5))  # fmt: skip
    b.cushion("washing", "cloth", at=(-0.02, y - 0.15, z - 0.045), size=(0.25, 0.14, 0.05), power=0.7,
              colour="accent")  # fmt: skip
    b.cushion("washing", "cloth", at=(0.06, y - 0.09, z - 0.055), size=(0.15, 0.13, 0.05), power=0.7,
              colour="accent2", colour2="white", pattern="stripes", pattern_size=0.05)  # fmt: skip
    b.box("handle", "plastic", at=(0.2, y - 0.05, z - 0.065), size=(0.035, 0.1, 0.03), colour="white")
