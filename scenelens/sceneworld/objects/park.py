"""Street furniture, playgrounds and fairs: from a traffic cone to a roller coaster."""

from __future__ import annotations

from math import cos, pi, radians, sin

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.palette import shade
from scenelens.sceneworld.registry import object_class

UPRIGHT = (90, 0, 0)  # stands a ring or a disc on its edge, facing the viewer
BRIGHT = ("red", "yellow", "blue", "green", "orange", "purple", "pink")


@object_class("ferris_wheel", size=(8.0, 9.4, 3.0), place="far")
def ferris_wheel(b: Builder, look: str) -> None:
    paint, hub, r, n = b.palette(b.choice(["red", "blue", "accent", "white"]), vary=1), 5.0, 3.7, 10
    for z in (-0.55, 0.55):
        for radius in (r, r * 0.62):
            b.ring("wheel", "metal", at=(0, hub, z), radius=radius, tube=0.1, rotate=UPRIGHT, colour=paint)
        for x in (-2.2, 2.2):
            b.rod("support", "metal", start=(x, 0, z * 2), stop=(0, hub, z * 1.3), radius=0.14, colour="white")
    for i in range(n):
        a = 2 * pi * i / n
        x, y = r * cos(a), hub + r * sin(a)
        b.rod("spoke", "metal", start=(0, hub, 0), stop=(x, y, 0), radius=0.06, colour="white")
        b.cushion("gondola", "metal", at=(x, y - 0.95, 0), size=(0.9, 0.7, 0.9), power=0.5, colour=b.palette(BRIGHT[i % 7]))
        b.cone("gondola", "metal", at=(x, y - 0.28, 0), r0=0.52, r1=0.06, height=0.34, colour="white")
    b.cylinder("hub", "metal", at=(0, hub, -0.8), radius=0.45, height=1.6, rotate=UPRIGHT, colour="yellow")
    b.box("platform", "wood", size=(5.4, 0.25, 2.6), colour="brown")


@object_class("carousel", size=(6.0, 5.2, 6.0), place="far")
def carousel(b: Builder, look: str) -> None:
    first, second = b.palette(b.choice(["red", "accent", "blue", "pink"]), vary=1), b.palette("cream")
    b.cylinder("platform", "wood", radius=2.8, height=0.35, colour="brown")
    b.cylinder(
        "column", "paint", at=(0, 0.35, 0), radius=0.65, height=2.6, colour=second, pattern="stripes", colour2="gold", pattern_size=0.4
    )
    b.lathe("roof", "cloth", at=(0, 2.95, 0), profile=[(2.95, 0), (1.7, 0.75), (0.6, 1.45), (0, 1.85)], colour=first, colour2=second,
            pattern="stripes", pattern_size=1.1)  # fmt: skip
    b.cylinder(
        "trim", "paint", at=(0, 2.65, 0), radius=2.95, height=0.34, colour=second, colour2="gold", pattern="zigzag", pattern_size=0.4
    )
    b.sphere("finial", "metal", at=(0, 4.9, 0), radius=0.16, colour="gold")
    for i in range(7):
        a = 2 * pi * i / 7 + 0.3
        x, z, up = 2.1 * cos(a), 2.1 * sin(a), b.uniform(-0.15, 0.2)
        b.rod("pole", "metal", start=(x, 0.35, z), stop=(x, 2.8, z), radius=0.045, colour="gold")
        with b.at(x, 1.0 + up, z, ry=-57.3 * a):
            coat = b.palette(b.choice(["white", "brown", "grey", "pink", "cream"]))
            b.cushion("horse", "paint", at=(0, 0, 0), size=(0.34, 0.42, 1.0), colour=coat)
            b.rod("horse", "paint", start=(0, 0.3, -0.38), stop=(0, 0.82, -0.62), radius=0.13, end_radius=0.1, colour=coat)
            b.rod("horse", "paint", start=(0, 0.84, -0.56), stop=(0, 0.66, -0.92), radius=0.1, soft=True, colour=coat)
            b.cushion("saddle", "leather", at=(0, 0.34, 0.02), size=(0.38, 0.14, 0.4), colour=b.palette(BRIGHT[i]))
            for z0, swing in ((-0.36, -0.3), (0.36, 0.3)):
                b.rod("horse", "paint", start=(0, 0.1, z0), stop=(0, -0.42, z0 + swing), radius=0.07, colour=coat)


@object_class("roller_coaster", size=(11.0, 6.2, 3.4), place="far")
def roller_coaster(b: Builder, look: str) -> None:
    paint, legs = b.palette(b.choice(["red", "yellow", "blue", "purple"]), vary=1), b.palette(b.choice(["white", "grey", "cream"]))

    def height(x: float) -> float:
        return 2.9 + 2.3 * sin(1.15 * x - 0.4) * (0.85 - 0.05 * x)

    xs = [-5.0 + 10.0 * i / 14 for i in range(15)]
    for z in (-0.45, 0.45):
        b.tube("track", "metal", path=[(x, height(x), z) for x in xs], radius=0.11, colour=paint)
    for i, x in enumerate(xs):
        b.box("track", "metal", at=(x, height(x) - 0.06, 0), size=(0.14, 0.1, 1.0), colour=paint)
        if i % 2 == 0:
            for z in (-0.5, 0.5):
                b.rod("support", "wood", start=(x, 0, 1.7 * z), stop=(x, height(x), z), radius=0.075, colour=legs)
            b.rod("support", "wood", start=(x, height(x) * 0.45, -0.62), stop=(x, height(x) * 0.45, 0.62), radius=0.06, colour=legs)
        if i % 2 == 0 and i < 14:
            far = xs[i + 2]
            b.rod("support", "wood", start=(x, 0.1, -0.8), stop=(far, min(height(far), height(x)) * 0.8, -0.6), radius=0.05, colour=legs)
    for k in range(3):
        x = -3.4 + 0.95 * k
        tilt = 57.3 * 1.15 * 2.3 * cos(1.15 * x - 0.4) * 0.8
        b.box("car", "metal", at=(x, height(x) + 0.12, 0), size=(0.85, 0.5, 0.9), rotate=(0, 0, max(-50, min(50, tilt))), colour=BRIGHT[k])
        b.sphere("rider", "skin", at=(x - 0.05, height(x) + 0.8, -0.15), radius=0.17)


@object_class("swing", size=(3.0, 2.5, 1.6), place="ground")
def swing(b: Builder, look: str) -> None:
    paint, n = b.palette(b.choice(BRIGHT), vary=1), 2
    for x in (-1.45, 1.45):
        for z in (-0.75, 0.75):
            b.rod("frame", "metal", start=(x, 0, z), stop=(x * 0.95, 2.4, 0), radius=0.065, colour=paint)
    b.rod("frame", "metal", start=(-1.45, 2.4, 0), stop=(1.45, 2.4, 0), radius=0.075, colour=paint)
    for i in range(n):
        x, lean = -0.62 + 1.24 * i, b.uniform(-0.35, 0.35)
        for side in (-0.24, 0.24):
            b.rod("chain", "metal", start=(x + side, 2.4, 0), stop=(x + side, 0.6, lean), radius=0.022, colour="dark")
        b.box("seat", "rubber", at=(x, 0.56, lean), size=(0.58, 0.06, 0.24), colour=b.palette(b.choice(["red", "blue", "yellow"])))


@object_class("slide", size=(2.9, 2.2, 1.1), place="ground")
def slide(b: Builder, look: str) -> None:
    paint, frame = b.palette(b.choice(BRIGHT), vary=1), b.palette(b.choice(BRIGHT), vary=1)
    b.box("platform", "metal", at=(0.75, 1.5, 0), size=(0.75, 0.08, 0.75), colour=frame)
    path = [((0.42, 1.52), (-0.25, 1.05)), ((-0.25, 1.05), (-0.9, 0.5)), ((-0.9, 0.5), (-1.5, 0.28))]
    for (x0, y0), (x1, y1) in path:
        tilt = 57.3 * (y0 - y1) / (x0 - x1)
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
        b.box("chute", "plastic", at=(middle[0], middle[1] - 0.03, 0), size=(1.0 * abs(x1 - x0) / cos(radians(min(tilt, 50))), 0.06, 0.56),
              rotate=(0, 0, tilt), colour=paint)  # fmt: skip
        for z in (-0.3, 0.3):
            b.rod("chute", "plastic", start=(x0, y0 + 0.1, z), stop=(x1, y1 + 0.1, z), radius=0.07, colour=shade(paint, -0.1))
    for z in (-0.35, 0.35):
        b.rod("post", "metal", start=(0.42, 0, z), stop=(0.42, 2.1, z), radius=0.05, colour=frame)
        b.rod("post", "metal", start=(1.1, 0, z), stop=(1.1, 2.1, z), radius=0.05, colour=frame)
        b.rod("ladder", "metal", start=(1.6, 0, z * 0.8), stop=(1.12, 1.55, z * 0.8), radius=0.045, colour=frame)
        b.box("rail", "metal", at=(0.76, 1.95, z), size=(0.75, 0.07, 0.07), colour=frame)
    for i in range(4):
        b.box("ladder", "metal", at=(1.5 - 0.11 * i, 0.25 + 0.36 * i, 0), size=(0.09, 0.05, 0.58), colour="grey")
    b.rod("post", "metal", start=(-1.3, 0, 0), stop=(-1.3, 0.3, 0), radius=0.05, colour=frame)


@object_class("bench", size=(1.7, 0.9, 0.6), place="ground")
def bench(b: Builder, look: str) -> None:
    wood, iron = b.palette(b.choice(["wood", "green", "darkwood", "brown"]), vary=1), b.palette(b.choice(["dark", "black", "grey"]))
    for x in (-0.68, 0.68):
        b.box("leg", "metal", at=(x, 0, -0.2), size=(0.07, 0.45, 0.08), colour=iron)
        b.box("leg", "metal", at=(x, 0, 0.2), size=(0.07, 0.9, 0.08), rotate=(6, 0, 0), colour=iron)
        b.box("arm", "metal", at=(x, 0.62, -0.02), size=(0.09, 0.05, 0.5), colour=iron)
        b.box("arm", "metal", at=(x, 0.42, -0.24), size=(0.06, 0.22, 0.06), colour=iron)
    for i in range(4):
        b.box("seat", "wood", at=(0, 0.43, -0.22 + 0.135 * i), size=(1.65, 0.045, 0.11), colour=wood)
    for i in range(3):
        b.box("backrest", "wood", at=(0, 0.55 + 0.13 * i, 0.225 + 0.014 * i), size=(1.65, 0.1, 0.04), rotate=(6, 0, 0), colour=wood)


@object_class("fence", looks=("picket", "rail"), size={"picket": (3.0, 1.1, 0.2), "rail": (3.6, 1.25, 0.2)}, place="ground")
def fence(b: Builder, look: str) -> None:
    if look == "picket":
        paint = b.palette(b.choice(["white", "cream", "accent2"]))
        for y in (0.3, 0.75):
            b.box("rail", "wood", at=(0, y, 0.03), size=(3.0, 0.09, 0.05), colour=paint)
        for i in range(11):
            b.extrude("picket", "wood", outline="gable", at=(-1.4 + 0.28 * i, 0.02, 0), size=(0.17, 1.02, 0.05), colour=paint)
        return
    wood = b.palette(b.choice(["wood", "brown", "darkwood"]), vary=1)
    for x in (-1.7, 0.0, 1.7):
        b.box("post", "wood", at=(x, 0, 0), size=(0.16, 1.25, 0.16), colour=wood)
    for y in (0.32, 0.68, 1.02):
        b.box("rail", "wood", at=(0, y, -0.08), size=(3.6, 0.12, 0.06), rotate=(0, 0, b.uniform(-1.2, 1.2)), colour=shade(wood, 0.12))


@object_class("traffic_light", size=(0.6, 3.2, 0.5), place="ground")
def traffic_light(b: Builder, look: str) -> None:
    lit = b.integer(0, 2)
    b.cylinder("base", "metal", radius=0.18, height=0.15, colour="dark")
    b.cylinder("pole", "metal", radius=0.075, height=2.2, colour=b.palette(b.choice(["grey", "dark", "yellow"])))
    b.box("case", "metal", at=(0, 2.1, 0), size=(0.48, 1.2, 0.34), colour="dark", round=0.05)
    for i, colour in enumerate(("green", "yellow", "red")):
        y = 2.3 + 0.38 * i
        b.sphere("lamp", "glass", at=(0, y, -0.17), radius=(0.15, 0.15, 0.06), colour=colour, glow=1.1 if i == lit else 0.1)
        b.box("visor", "metal", at=(0, y + 0.14, -0.24), size=(0.36, 0.04, 0.2), colour="dark")


@object_class("sign", size=(0.9, 2.3, 0.2), place="ground")
def sign(b: Builder, look: str) -> None:
    b.cylinder("post", "metal", radius=0.045, height=2.2, colour=b.palette(b.choice(["grey", "metal", "white"])))
    shape, colour = b.choice(
        [("circle", "red"), ("triangle", "red"), ("circle", "blue"), ("diamond", "yellow"), ("square", "blue"), ("square", "green")]
    )
    outline = shape if shape != "square" else [(-0.5, 0), (0.5, 0), (0.5, 1), (-0.5, 1)]
    paint = b.palette(colour)
    b.extrude("plate", "metal", outline=outline, at=(0, 1.45, -0.06), size=(0.88, 0.86, 0.04), colour=paint)
    inner = "white" if colour == "red" else shade(paint, 0.65)
    b.extrude("plate", "metal", outline=outline, at=(0, 1.56, -0.085), size=(0.62, 0.6, 0.03), colour=inner)
    b.extrude(
        "symbol",
        "metal",
        outline=b.choice(["arrow", "cross", "heart", "star", "fish"]),
        at=(0, 1.68, -0.11),
        size=(0.28, 0.32, 0.02),
        colour="dark",
    )


@object_class("traffic_cone", size=(0.5, 0.75, 0.5), place="ground")
def traffic_cone(b: Builder, look: str) -> None:
    b.box("base", "rubber", size=(0.5, 0.06, 0.5), colour="dark")
    for i, (colour, r0, r1) in enumerate(
        (("orange", 0.2, 0.155), ("white", 0.155, 0.12), ("orange", 0.12, 0.08), ("white", 0.08, 0.055), ("orange", 0.055, 0.025))
    ):
        b.cone("cone", "plastic", at=(0, 0.06 + 0.14 * i, 0), r0=r0, r1=r1, height=0.142, colour=colour)
    b.sphere("tip", "plastic", at=(0, 0.76, 0), radius=0.03, colour="orange")
