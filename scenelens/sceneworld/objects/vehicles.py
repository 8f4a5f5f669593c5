"""Things that carry people: drawn side on, nose to the left."""

from __future__ import annotations

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.palette import Colour, shade
from scenelens.sceneworld.registry import object_class

UPRIGHT = (90, 0, 0)  # stands a ring or a disc on its edge, facing the viewer


def wheels(b: Builder, xs: tuple[float, ...], half_width: float, radius: float, width: float = 0.16) -> None:
    """A pair of wheels with hubs at each x, their treads at z = +-half_width."""
    for x in xs:
        for z in (-half_width - width / 2, half_width - width / 2):
            b.cylinder("wheel", "rubber", at=(x, radius, z), radius=radius, height=width, rotate=UPRIGHT)
        b.disc("hub", "metal", at=(x, radius, -half_width - width / 2 - 0.012), radius=radius * 0.55, rotate=UPRIGHT)


def panes(b: Builder, n: int, left: float, step: float, y: float, size: tuple[float, float], z: float) -> None:
    """A row of windows on both long sides of a vehicle."""
    tinted = shade(b.palette("glass"), -0.55)
    for i in range(n):
        for side in (-z, z):
            b.box("window", "glass", at=(left + i * step, y, side), size=(*size, 0.06), colour=tinted)


def lights(b: Builder, x: float, y: float, z: float, part: str = "headlight", colour: str = "light") -> None:
    """A lamp on either side of a vehicle's end."""
    for side in (-z, z):
        b.sphere(part, "glass", at=(x, y, side), radius=(0.05, 0.09, 0.11), colour=colour, glow=0.5)


@object_class("car", looks=("sedan", "van"), size={"sedan": (4.2, 1.45, 1.7), "van": (4.4, 2.0, 1.8)}, place="ground")
def car(b: Builder, look: str) -> None:
    paint = b.palette(b.choice(["accent", "accent2", "red", "blue", "cream", "paint"]), vary=1)
    tall = look == "van"
    body = [(-0.5, 0.05), (-0.49, 0.5), (-0.44, 0.62), (-0.22, 0.7), (0.42, 0.72), (0.49, 0.62), (0.5, 0.05)]
    cabin = [(-0.5, 0), (-0.28, 0.92), (-0.2, 1), (0.26, 1), (0.36, 0.9), (0.5, 0)]
    if tall:
        body = [(-0.5, 0.05), (-0.49, 0.42), (-0.4, 0.5), (0.5, 0.52), (0.5, 0.05)]
        cabin = [(-0.5, 0), (-0.38, 0.9), (-0.34, 1), (0.47, 1), (0.5, 0.94), (0.5, 0)]
    base, long = (0.95, 2.4) if not tall else (0.88, 3.85)
    b.extrude("body", "metal", outline=body, at=(0, 0.24, 0), size=(4.2, 1.0, 1.66), colour=paint)
    x = 0.15 if not tall else 0.18
    b.extrude("cabin", "metal", outline=cabin, at=(x, base - 0.08, 0), size=(long, 0.62 if not tall else 1.05, 1.5), colour=paint)
    wide, n = (0.86, 2) if not tall else (1.0, 3)
    panes(
        b, n, x - wide * (n - 1) / 2 - 0.04, wide + 0.06, base + (0.02 if not tall else 0.3), (wide - 0.12, 0.42 if not tall else 0.5), 0.75
    )
    b.box("windscreen", "glass", at=(x - long * 0.41, base + 0.03, 0), size=(0.05, 0.5 if not tall else 0.78, 1.3),
          rotate=(0, 0, -40 if not tall else -17), colour="dark")  # fmt: skip
    wheels(b, (-1.3, 1.25), 0.8, 0.38, 0.2)
    b.box("bumper", "metal", at=(-2.1, 0.28, 0), size=(0.1, 0.16, 1.6), colour="grey")
    b.box("bumper", "metal", at=(2.1, 0.28, 0), size=(0.1, 0.16, 1.6), colour="grey")
    b.box("door", "metal", at=(0.0, 0.55, -0.84), size=(0.2, 0.04, 0.04), colour=shade(paint, -0.4))
    lights(b, -2.07, 0.68, 0.58)
    lights(b, 2.07, 0.72, 0.62, "taillight", "red")


@object_class("bus", size=(8.5, 2.9, 2.4), place="ground")
def bus(b: Builder, look: str) -> None:
    paint = b.palette(b.choice(["red", "yellow", "green", "blue", "orange"]), vary=1)
    b.box("body", "metal", at=(0, 0.35, 0), size=(8.4, 1.1, 2.3), colour=paint, round=0.15)
    b.box("body", "metal", at=(0, 1.4, 0), size=(8.3, 1.25, 2.24), colour="cream", round=0.15)
    b.box("roof", "metal", at=(0, 2.6, 0), size=(8.2, 0.22, 2.1), colour=paint, round=0.1)
    b.box("stripe", "metal", at=(0, 1.36, 0), size=(8.44, 0.1, 2.34), colour=shade(paint, -0.35))
    panes(b, 6, -2.65, 1.14, 1.6, (0.96, 0.78), 1.12)
    b.box("door", "glass", at=(-3.72, 0.5, -1.14), size=(0.72, 1.9, 0.06), colour=shade(paint, 0.5))
    b.box("windscreen", "glass", at=(-4.16, 1.5, 0), size=(0.05, 0.95, 2.0), colour="dark")
    wheels(b, (-2.7, 2.6), 1.05, 0.48, 0.22)
    lights(b, -4.2, 0.75, 0.85)


@object_class("truck", size=(6.2, 2.8, 2.2), place="ground")
def truck(b: Builder, look: str) -> None:
    paint, load = b.palette(b.choice(["red", "blue", "green", "orange", "accent"]), vary=1), b.palette("paint", vary=1)
    cab = [(-0.5, 0), (-0.5, 0.45), (-0.36, 0.95), (-0.28, 1), (0.5, 1), (0.5, 0)]
    b.box("chassis", "metal", at=(0.1, 0.5, 0), size=(6.0, 0.18, 1.7), colour="dark")
    b.extrude("cab", "metal", outline=cab, at=(-2.15, 0.55, 0), size=(1.8, 1.75, 2.0), colour=paint)
    panes(b, 1, -2.2, 1, 1.4, (0.85, 0.65), 1.0)
    b.box("windscreen", "glass", at=(-2.97, 1.45, 0), size=(0.05, 0.72, 1.7), rotate=(0, 0, -17))
    if b.chance(0.5):
        b.box("box", "metal", at=(0.95, 0.7, 0), size=(4.1, 2.05, 2.1), colour=load, pattern="stripes", pattern_size=0.5,
              colour2=shade(load, 0.12))  # fmt: skip
    else:
        for z in (-1, 1):
            b.box("box", "wood", at=(0.95, 0.7, z), size=(4.1, 0.8, 0.1), pattern="planks", rotate=(0, 0, 0))
        b.box("box", "wood", at=(0.95, 0.68, 0), size=(4.1, 0.1, 2.0))
        b.blob("load", "soil", at=(0.95, 1.0, 0), radius=(1.8, 0.75, 0.9), bumps=0.3)
    b.box("bumper", "metal", at=(-3.06, 0.45, 0), size=(0.12, 0.24, 1.9))
    wheels(b, (-2.15, 1.0, 2.15), 0.88, 0.48, 0.24)
    lights(b, -3.07, 0.85, 0.75)


@object_class("tractor", size=(3.4, 2.5, 1.9), place="ground")
def tractor(b: Builder, look: str) -> None:
    paint = b.palette(b.choice(["red", "green", "blue", "orange"]), vary=1)
    b.box("engine", "metal", at=(-0.75, 0.75, 0), size=(1.5, 0.62, 0.7), colour=paint, round=0.08)
    b.box("grille", "metal", at=(-1.5, 0.82, 0), size=(0.06, 0.45, 0.55), colour="dark")
    b.box("chassis", "metal", at=(0.1, 0.6, 0), size=(2.2, 0.22, 0.5), colour="dark")
    b.cylinder("exhaust", "metal", at=(-1.0, 1.35, 0.2), radius=0.05, height=0.8, colour="dark")
    for z in (-0.55, 0.55):
        b.rod("cab", "metal", start=(0.0, 1.1, z), stop=(0.1, 2.2, z), radius=0.045, colour="dark")
        b.rod("cab", "metal", start=(1.15, 1.1, z), stop=(1.1, 2.2, z), radius=0.045, colour="dark")
        b.cylinder("wheel", "rubber", at=(0.72, 0.82, z * 1.45 - 0.18), radius=0.82, height=0.36, rotate=UPRIGHT)
        b.cylinder("wheel", "rubber", at=(-1.15, 0.42, z - 0.12), radius=0.42, height=0.24, rotate=UPRIGHT)
    b.disc("hub", "metal", at=(0.72, 0.82, -0.99), radius=0.45, rotate=UPRIGHT, colour="yellow")
    b.disc("hub", "metal", at=(-1.15, 0.42, -0.68), radius=0.2, rotate=UPRIGHT, colour="yellow")
    b.box("roof", "metal", at=(0.58, 2.18, 0), size=(1.4, 0.12, 1.35), colour=paint, round=0.05)
    b.box("fender", "metal", at=(0.75, 1.58, 0), size=(1.2, 0.08, 1.75), colour=paint, round=0.03)
    b.box("seat", "leather", at=(0.7, 1.15, 0), size=(0.45, 0.5, 0.5), colour="dark")
    b.ring("steering wheel", "rubber", at=(0.05, 1.5, 0), radius=0.2, tube=0.03, rotate=(0, 0, 55))
    lights(b, -1.5, 1.15, 0.25)


@object_class("train", size=(11.0, 3.2, 2.5), place="ground")
def train(b: Builder, look: str) -> None:
    paint = b.palette(b.choice(["green", "red", "blue", "accent"]), vary=1)
    for z in (-0.75, 0.75):
        b.box("rail", "metal", at=(0, 0.06, z), size=(13, 0.1, 0.09), colour="grey")
    for i in range(9):
        b.box("sleeper", "wood", at=(-5.6 + 1.4 * i, 0, 0), size=(0.26, 0.07, 2.1), colour="darkwood")
    # a steam engine ...
    b.cylinder("boiler", "metal", at=(-4.6, 1.5, 0), radius=0.72, height=2.4, rotate=(0, 0, -90), colour=paint)
    b.disc("boiler", "metal", at=(-4.66, 1.5, 0), radius=0.62, height=0.08, rotate=(0, 0, 90), colour="dark")
    b.cone("chimney", "metal", at=(-4.1, 2.1, 0), r0=0.15, r1=0.28, height=0.75, colour="dark")
    b.dome("dome", "metal", at=(-3.1, 2.15, 0), radius=0.26, colour="gold")
    b.box("cab", "metal", at=(-1.65, 0.7, 0), size=(1.35, 2.1, 1.9), colour=paint, round=0.05)
    b.box("roof", "metal", at=(-1.6, 2.8, 0), size=(1.7, 0.12, 2.1), colour="dark", round=0.05)
    b.box("window", "glass", at=(-1.65, 1.75, -0.95), size=(0.7, 0.65, 0.05))
    b.wedge("cowcatcher", "metal", at=(-4.95, 0.2, 0), size=(0.9, 0.55, 1.5), colour="red", ridge=1.0)
    b.box("chassis", "metal", at=(-2.9, 0.62, 0), size=(4.0, 0.22, 1.5), colour="dark")
    wheels(b, (-4.2, -3.2, -2.2, -1.4), 0.75, 0.44, 0.12)
    # ... and a coach
    coach = b.palette(b.choice(["cream", "accent2", "orange"]), vary=1)
    b.box("coach", "metal", at=(2.55, 0.7, 0), size=(6.4, 1.1, 2.1), colour=paint, round=0.06)
    b.box("coach", "metal", at=(2.55, 1.8, 0), size=(6.4, 1.0, 2.08), colour=coach, round=0.06)
    b.box("roof", "metal", at=(2.55, 2.8, 0), size=(6.6, 0.2, 2.2), colour="grey", round=0.1)
    panes(b, 6, 0.15, 0.98, 1.85, (0.72, 0.72), 1.03)
    wheels(b, (0.4, 1.3, 3.8, 4.7), 0.75, 0.36, 0.12)


@object_class("airplane", size=(10.0, 3.6, 9.0), place="ground")
def airplane(b: Builder, look: str) -> None:
    paint = b.palette(b.choice(["red", "blue", "accent", "orange", "green"]), vary=1)
    b.sphere("fuselage", "metal", at=(-2.2, 1.7, 0), radius=(2.4, 0.78, 0.78), colour="white")
    b.cone("fuselage", "metal", at=(-2.2, 1.7, 0), r0=0.78, r1=0.22, height=6.6, rotate=(0, 0, -90), colour="white")
    b.box("stripe", "metal", at=(-0.9, 1.6, 0), size=(4.6, 0.16, 1.5), colour=paint)
    for i in range(6):
        b.sphere("window", "glass", at=(-2.9 + 0.75 * i, 1.98, -0.64 + 0.05 * i), radius=(0.17, 0.17, 0.06), colour="blue")
    b.sphere("cockpit", "glass", at=(-3.75, 2.0, 0), radius=(0.55, 0.36, 0.5), colour="dark")
    for side in (-1, 1):
        wing = [(-0.5, 0), (0.42, 0), (0.5, 1), (0.2, 1)]
        b.extrude("wing", "metal", outline=wing, at=(-0.3, 1.4, side * 0.4), size=(2.3, 4.2, 0.12), colour="grey",
                  rotate=(90 * side, 0, 0))  # fmt: skip
        b.cylinder("engine", "metal", at=(-0.9, 1.1, side * 1.8), radius=0.36, height=1.3, rotate=(0, 0, -90), colour=paint)
        b.disc("engine", "metal", at=(-0.92, 1.1, side * 1.8), radius=0.28, rotate=(0, 0, 90), colour="dark")
        b.extrude("tailplane", "metal", outline=wing, at=(3.9, 1.95, side * 0.15), size=(1.1, 1.7, 0.08), colour=paint,
                  rotate=(90 * side, 0, 0))  # fmt: skip
    b.extrude("fin", "metal", outline=[(-0.5, 0), (0.5, 0), (0.5, 1), (0.15, 1)], at=(3.8, 1.8, 0), size=(1.7, 1.8, 0.14), colour=paint)
    for x, z in ((-3.2, 0), (0.3, -0.9), (0.3, 0.9)):
        b.rod("landing gear", "metal", start=(x, 0.3, z), stop=(x, 1.2, z), radius=0.07)
        b.cylinder("wheel", "rubber", at=(x, 0.3, z - 0.1), radius=0.3, height=0.2, rotate=UPRIGHT)


@object_class("boat", looks=("sail", "row"), size={"sail": (4.6, 5.6, 1.7), "row": (3.4, 0.95, 1.3)}, place="water")
def boat(b: Builder, look: str) -> None:
    paint = b.palette(b.choice(["red", "blue", "accent", "white", "green"]), vary=1)
    long, high, wide = (4.4, 0.85, 1.5) if look == "sail" else (3.3, 0.65, 1.2)
    hull = [(-0.5, 1), (-0.36, 0.28), (-0.28, 0), (0.34, 0), (0.44, 0.3), (0.47, 0.95)]
    b.extrude("hull", "wood", outline=hull, size=(long, high, wide * 0.72), colour=paint, pattern="planks", pattern_size=0.2)
    b.extrude("hull", "wood", outline=hull, size=(long * 0.86, high * 0.98, wide), colour=paint, pattern="planks", pattern_size=0.2)
    b.box("rim", "wood", at=(-0.02 * long, high * 0.93, 0), size=(long * 0.86, 0.08, wide * 1.04), colour=shade(paint, 0.5))
    b.box("deck", "wood", at=(-0.02 * long, high * 0.95, 0), size=(long * 0.8, 0.07, wide * 0.86), colour="wood")
    if look == "row":
        for x in (-0.6, 0.3, 1.05):
            b.box("bench", "wood", at=(x, high, 0), size=(0.3, 0.06, wide * 0.95), colour="straw")
        for side in (-1, 1):
            b.rod("oar", "wood", start=(0.1, high + 0.1, side * 0.4), stop=(1.1, 0.12, side * 1.35), radius=0.035)
            b.box("oar", "wood", at=(1.15, 0.02, side * 1.42), size=(0.16, 0.34, 0.05), rotate=(side * 40, 0, 30))
        return
    _rigging(b, high, b.palette(b.choice(["cream", "white", "accent2", "orange"]), vary=1), paint)


def _rigging(b: Builder, deck: float, sail: Colour, paint: Colour) -> None:
    b.box("cabin", "wood", at=(0.85, deck, 0), size=(1.15, 0.45, 0.9), colour="cream")
    b.sphere("window", "glass", at=(0.85, deck + 0.24, -0.45), radius=(0.13, 0.13, 0.04), colour="blue")
    b.cylinder("mast", "wood", at=(-0.3, deck, 0), radius=0.055, height=4.6)
    b.rod("boom", "wood", start=(-0.3, deck + 0.55, 0), stop=(1.9, deck + 0.55, 0), radius=0.04)
    main = [(-0.5, 0), (0.5, 0), (0.12, 0.42), (-0.28, 0.8), (-0.5, 1)]
    b.extrude("sail", "cloth", outline=main, at=(0.78, deck + 0.6, 0), size=(2.1, 3.8, 0.04), colour=sail,
              pattern=b.choice(["none", "bands"]), pattern_size=0.8, colour2=shade(sail, 0.3))  # fmt: skip
    b.extrude("sail", "cloth", outline=[(-0.5, 0), (0.5, 0.02), (0.5, 1), (0.1, 0.4)], at=(-1.15, deck + 0.3, 0),
              size=(1.6, 3.6, 0.04), colour=shade(sail, 0.3))  # fmt: skip
    b.extrude("flag", "cloth", outline=[(-0.5, 0), (0.5, 0.5), (-0.5, 1)], at=(0.0, deck + 4.3, 0), size=(0.6, 0.3, 0.02), colour=paint)


@object_class("bicycle", size=(1.75, 1.1, 0.55), place="ground")
def bicycle(b: Builder, look: str) -> None:
    paint = b.palette(b.choice(["red", "blue", "accent", "green", "yellow"]), vary=1)
    for x in (-0.56, 0.56):
        b.ring("wheel", "rubber", at=(x, 0.34, 0), radius=0.31, tube=0.03, rotate=UPRIGHT)
        b.disc("hub", "metal", at=(x, 0.34, -0.03), radius=0.05, height=0.06, rotate=UPRIGHT)
        for turn in (0, 45, 90, 135):
            b.box("spoke", "metal", at=(x, 0.34, 0), size=(0.56, 0.012, 0.012), rotate=(0, 0, turn))
    joints = {"head": (-0.42, 0.78, 0), "seat": (0.22, 0.76, 0), "pedal": (0.02, 0.32, 0), "back": (0.56, 0.34, 0)}
    for start, stop in (("head", "seat"), ("head", "pedal"), ("seat", "pedal"), ("pedal", "back"), ("seat", "back")):
        b.rod("frame", "metal", start=joints[start], stop=joints[stop], radius=0.026, colour=paint)
    b.rod("fork", "metal", start=(-0.56, 0.34, 0), stop=(-0.38, 0.98, 0), radius=0.024, colour=paint)
    b.rod("handlebar", "metal", start=(-0.36, 1.0, -0.27), stop=(-0.36, 1.0, 0.27), radius=0.022, colour="dark")
    b.cushion("saddle", "leather", at=(0.27, 0.84, 0), size=(0.3, 0.09, 0.18), colour="dark")
    b.rod("saddle", "metal", start=joints["seat"], stop=(0.26, 0.86, 0), radius=0.02)
    b.ring("pedal", "metal", at=(0.02, 0.32, -0.05), radius=0.09, tube=0.015, rotate=UPRIGHT)
    if b.chance(0.4):
        b.box("basket", "straw", at=(-0.56, 0.8, 0), size=(0.28, 0.22, 0.34))
