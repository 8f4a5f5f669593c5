"""Kitchen and shop: cupboard, stove, refrigerator, counter, basket."""

from __future__ import annotations

from math import cos, sin

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.objects.joinery import front, knob, pull
from scenelens.sceneworld.palette import hex_colour, shade
from scenelens.sceneworld.registry import object_class


@object_class("cupboard", size=(1.22, 1.85, 0.56), place="against_wall")
def cupboard(b: Builder, look: str) -> None:
    """A kitchen dresser: doors and drawers below, plates and cups on open shelves above."""
    w, wood = b.uniform(1.0, 1.2), b.palette(b.choice(["wood", "white", "accent2", "accent3", "cream"]))
    knobs, z = b.choice(["gold", "metal", "white"]), -0.24
    b.box("base", "wood", at=(0, 0, 0.02), size=(w - 0.06, 0.09, 0.42), colour=shade(wood, -0.4))
    b.box("body", "wood", at=(0, 0.08, 0), size=(w, 0.78, 0.48), colour=wood)
    b.box("top", "wood", at=(0, 0.86, -0.01), size=(w + 0.06, 0.045, 0.53),
          colour=b.choice(["wood", "darkwood"]))  # fmt: skip
    for side in (-1, 1):
        x = side * w / 4
        front(b, "door", x, 0.11, z, w / 2 - 0.03, 0.52, wood)
        knob(b, side * 0.07, 0.42, z - 0.03, colour=knobs)
        front(b, "drawer", x, 0.66, z, w / 2 - 0.03, 0.18, wood, margin=0.035)
        knob(b, x, 0.75, z - 0.03, colour=knobs)
        b.box("side", "wood", at=(side * (w / 2 - 0.04), 0.9, 0.1), size=(0.05, 0.86, 0.26), colour=wood)
    b.box("back", "wood", at=(0, 0.9, 0.21), size=(w - 0.08, 0.86, 0.03), colour=shade(wood, -0.2),
          pattern="planks")  # fmt: skip
    b.box("cornice", "wood", at=(0, 1.74, 0.08), size=(w + 0.06, 0.09, 0.34), colour=wood, round=0.03)
    for y in (1.15, 1.46):
        b.box("shelf", "wood", at=(0, y, 0.11), size=(w - 0.1, 0.03, 0.24), colour=wood)
    _crockery(b, w - 0.16)
    b.top(0.91, 0.7, 0.16, z=-0.14)


def _crockery(b: Builder, w: float) -> None:
    """Plates leaning on the shelves, cups below."""
    rim, cup = b.choice(["blue", "accent", "accent3"]), b.palette(b.choice(["accent", "accent2", "red"]))
    for y, n in ((1.18, 4), (1.49, 3)):
        for i in range(n):
            x = w * ((i + 0.5) / n - 0.5)
            if i == n - 1 and y < 1.4:
                b.lathe("cup", "ceramic", at=(x, y, 0.06), profile=_POT, colour=cup)
                continue
            b.disc("plate", "ceramic", at=(x, y + 0.11, 0.15), radius=0.105, height=0.012, rotate=(-80, 0, 0),
                   colour=rim)  # fmt: skip
            b.disc("plate", "ceramic", at=(x, y + 0.11, 0.138), radius=0.075, height=0.012,
                   rotate=(-80, 0, 0), colour="white")  # fmt: skip


_POT = ((0, 0), (0.07, 0), (0.1, 0.06), (0.1, 0.12), (0.06, 0.15), (0.02, 0.18), (0, 0.18))


@object_class("stove", size=(0.66, 1.1, 0.64), place="against_wall")
def stove(b: Builder, look: str) -> None:
    """A cooker: oven door with a window, knobs in a row, rings on top, often a pot."""
    body = b.palette(b.choice(["white", "white", "cream", "metal", "accent2", "red"]))
    dark, z = b.palette("black"), -0.3
    b.box("foot", "metal", at=(0, 0, 0.02), size=(0.58, 0.08, 0.52), colour=dark)
    b.box("body", "paint", at=(0, 0.07, 0), size=(0.64, 0.79, 0.6), colour=body, round=0.025)
    b.box("top", "metal", at=(0, 0.855, -0.01), size=(0.66, 0.025, 0.62), colour=b.choice(["black", "metal"]))
    b.box("back", "paint", at=(0, 0.86, 0.28), size=(0.64, b.uniform(0.12, 0.24), 0.04), colour=body)
    b.box("drawer", "paint", at=(0, 0.09, z - 0.005), size=(0.59, 0.13, 0.03), colour=shade(body, -0.08))
    b.box("door", "paint", at=(0, 0.24, z - 0.01), size=(0.59, 0.44, 0.05), colour=shade(body, 0.15),
          round=0.02)  # fmt: skip
    b.box("window", "ceramic", at=(0, 0.31, z - 0.035), size=(0.42, 0.22, 0.02), colour=dark, round=0.02)
    if b.chance(0.4):
        b.box("window", "light", at=(0, 0.33, z - 0.042), size=(0.34, 0.13, 0.015), colour="orange",
              glow=0.35)  # fmt: skip
    pull(b, (-0.24, 0.61, z - 0.07), (0.24, 0.61, z - 0.07), radius=0.018, colour="metal")
    b.box("panel", "metal", at=(0, 0.71, z - 0.005), size=(0.62, 0.12, 0.03),
          colour=b.choice(["metal", "black"]))  # fmt: skip
    for i in range(5):
        b.cylinder("knob", "plastic", at=(-0.24 + 0.12 * i, 0.77, z - 0.02), radius=0.032, height=0.04,
                   rotate=(-90, 0, 0), colour="red" if i == 2 else "white")  # fmt: skip
    for x in (-0.16, 0.16):
        for depth in (-0.16, 0.13):
            b.ring("burner", "metal", at=(x, 0.885, depth), radius=0.09, tube=0.016, colour="dark")
    if b.chance(0.75):
        _pot(b, b.choice([-0.16, 0.16]), 0.9, b.choice([-0.16, 0.13]))


def _pot(b: Builder, x: float, y: float, z: float) -> None:
    colour = b.palette(b.choice(["accent", "red", "metal", "blue", "copper"]))
    if b.chance(0.5):
        b.cylinder("pot", "metal", at=(x, y, z), radius=0.115, height=0.14, colour=colour)
        b.dome("pot", "metal", at=(x, y + 0.14, z), radius=(0.12, 0.04, 0.12), colour=shade(colour, 0.2))
        b.sphere("pot", "metal", at=(x, y + 0.195, z), radius=0.022, colour="black")
        pull(b, (x - 0.17, y + 0.1, z), (x + 0.17, y + 0.1, z), radius=0.014, colour="black")
    else:
        b.lathe("kettle", "metal", at=(x, y, z), profile=[(0, 0), (0.12, 0), (0.125, 0.05), (0.08, 0.14),
                (0.03, 0.16), (0, 0.16)], colour=colour)  # fmt: skip
        b.rod("kettle", "metal", start=(x + 0.08, y + 0.06, z), stop=(x + 0.17, y + 0.14, z), radius=0.025,
              end_radius=0.014, colour=colour)  # fmt: skip
        b.ring("kettle", "plastic", at=(x, y + 0.15, z), radius=0.08, tube=0.013, rotate=(90, 0, 0),
               colour="black")  # fmt: skip


@object_class("refrigerator", size=(0.76, 1.75, 0.72), place="against_wall")
def refrigerator(b: Builder, look: str) -> None:
    """A fridge with a small freezer door above or below, long handles, and magnets and notes on it."""
    h, z = b.uniform(1.55, 1.8), -0.3
    body = b.palette(b.choice(["white", "white", "metal", "cream", "accent", "accent2", "red"]))
    b.box("base", "metal", at=(0, 0, 0.02), size=(0.66, 0.08, 0.56), colour="black")
    b.box("body", "paint", at=(0, 0.07, 0.02), size=(0.74, h - 0.07, 0.58), colour=shade(body, -0.06),
          round=0.05)  # fmt: skip
    split = b.choice([0.36, 0.66, 0.7])
    low, high = (h - 0.12) * split, (h - 0.12) * (1 - split)
    hinge = b.choice([-1, 1])
    for y, tall, where in ((0.09, low, low - 0.36), (0.115 + low, high, 0.06)):
        b.box("door", "paint", at=(0, y, z - 0.02), size=(0.74, tall - 0.015, 0.07), colour=body, round=0.04)
        handle = y + max(0.06, where if tall > 0.7 else 0.08)
        pull(b, (hinge * 0.29, handle, z - 0.085), (hinge * 0.29, handle + min(0.34, tall - 0.16), z - 0.085),
             radius=0.02, colour="metal")  # fmt: skip
    tall, foot = (low, 0.09) if low > high else (high, 0.115 + low)
    for i in range(b.integer(1, 3)):
        x, y = -hinge * b.uniform(0.0, 0.24), foot + tall * (0.4 + 0.17 * i)
        b.box("note", "paper", at=(x, y, z - 0.056), size=(0.12, 0.13, 0.008),
              rotate=(0, 0, b.uniform(-12, 12)), round=0, colour=b.choice(["yellow", "pink", "paper"]),
              pattern=b.choice(["text", "picture"]), colour2="blue")  # fmt: skip
        b.sphere("magnet", "plastic", at=(x, y + 0.12, z - 0.065), radius=0.02,
                 colour=b.choice(["red", "blue", "green"]))  # fmt: skip
    b.box("badge", "metal", at=(-hinge * 0.22, h - 0.13, z - 0.058), size=(0.13, 0.03, 0.01), colour="metal")


@object_class("counter", size=(1.96, 1.35, 0.7))
def counter(b: Builder, look: str) -> None:
    """A shop counter with a worktop, a till and a bell or a jar of sweets."""
    wood = b.palette(b.choice(["wood", "darkwood", "white", "accent", "accent3"]))
    top = b.choice(["wood", "stone", "darkwood", "cream"])
    b.box("base", "wood", at=(0, 0, 0.03), size=(1.76, 0.1, 0.52), colour=shade(wood, -0.45))
    b.box("body", "wood", at=(0, 0.09, 0), size=(1.84, 0.87, 0.56), colour=wood)
    n = b.choice([3, 4])
    for i in range(n):
        front(b, "panel", 1.8 * ((i + 0.5) / n - 0.5), 0.14, -0.28, 1.8 / n - 0.04, 0.76, wood, margin=0.08)
    b.box("top", "stone" if top in ("stone", "cream") else "wood", at=(0, 0.95, -0.02),
          size=(1.96, 0.06, 0.7), colour=top, round=0.025)  # fmt: skip
    side = b.choice([-1, 1])
    _till(b, side * 0.6)
    if b.chance(0.6):
        b.lathe("jar", "ceramic", at=(-side * 0.62, 1.01, -0.05), profile=_JAR, colour="glass")
        b.cylinder("sweets", "food", at=(-side * 0.62, 1.02, -0.05), radius=0.094, height=0.13, colour="red",
                   colour2="yellow", pattern="dots", pattern_size=0.05)  # fmt: skip
        b.disc("lid", "metal", at=(-side * 0.62, 1.235, -0.05), radius=0.075, height=0.03, colour="red")
    else:
        b.disc("bell", "wood", at=(-side * 0.6, 1.01, -0.16), radius=0.075, height=0.02, colour="darkwood")
        b.dome("bell", "metal", at=(-side * 0.6, 1.03, -0.16), radius=0.065, colour="gold")
        b.sphere("bell", "metal", at=(-side * 0.6, 1.105, -0.16), radius=0.015, colour="gold")
    b.top(1.01, 0.6, 0.4)


_JAR = ((0, 0), (0.09, 0), (0.105, 0.03), (0.105, 0.18), (0.06, 0.22), (0, 0.22))


def _till(b: Builder, x: float) -> None:
    metal = b.palette(b.choice(["metal", "accent2", "copper", "dark"]))
    b.box("till", "metal", at=(x, 1.01, 0.02), size=(0.4, 0.1, 0.38), colour=shade(metal, -0.2))
    b.wedge("till", "metal", at=(x, 1.1, 0.04), size=(0.38, 0.2, 0.32), lean=0.6, colour=metal)
    b.box("till", "metal", at=(x, 1.26, 0.13), size=(0.34, 0.15, 0.1), colour=metal, round=0.03)
    b.box("display", "paper", at=(x, 1.295, 0.075), size=(0.22, 0.08, 0.015), colour="paper", colour2="dark",
          pattern="text")  # fmt: skip
    for row in range(2):
        for i in range(4):
            b.sphere("key", "plastic", at=(x - 0.12 + 0.08 * i, 1.16 + 0.06 * row, -0.09 + 0.08 * row),
                     radius=0.022, colour=("white", "red")[(row + i) % 3 == 0])  # fmt: skip
    b.sphere("till", "metal", at=(x, 1.06, -0.18), radius=0.018, colour="gold")


BOW = tuple((cos(t), 1.05 * sin(t), 0.0) for t in (0, 0.5, 1.0, 1.57, 2.14, 2.64, 3.1416))  # of unit radius


@object_class("basket", size=(0.62, 0.56, 0.56))
def basket(b: Builder, look: str) -> None:
    """A woven basket of fruit, bread or linen, with a bow to carry it by or two grips."""
    straw, high, r = b.palette("straw", vary=0.9), b.uniform(0.2, 0.34), b.uniform(0.22, 0.26)
    b.cone("side", "straw", r0=r * 0.78, r1=r, height=high, colour=straw, colour2=shade(straw, -0.3),
           pattern="checks", pattern_size=0.045)  # fmt: skip
    b.ring("rim", "straw", at=(0, high, 0), radius=r, tube=0.026, colour=shade(straw, -0.12))
    b.ring("rim", "straw", at=(0, 0.02, 0), radius=r * 0.79, tube=0.02, colour=shade(straw, -0.25))
    if b.chance(0.6):
        with b.at(0, high, 0, scale=r):
            b.tube("handle", "straw", path=BOW, radius=0.085, colour=shade(straw, -0.18))
    else:
        for side in (-1, 1):
            b.ring("handle", "straw", at=(side * r, high + 0.03, 0), radius=0.07, tube=0.018,
                   rotate=(90, 90, 0), colour=shade(straw, -0.18))  # fmt: skip
    _contents(b, high, r)


def _contents(b: Builder, y: float, r: float) -> None:
    what, first = b.choice(["linen", "linen", "fruit", "bread"]), b.palette(b.choice(["accent", "accent2"]))
    crust = hex_colour(b.choice(["#b9783c", "#c98d4e", "#a8682f"]))
    for i in range(6):
        turn, out = 1.05 * i + 0.4, 0.56 * r
        at = (out * cos(turn), y + 0.02, out * sin(turn))
        if what == "linen" and i % 2:
            b.cushion("linen", "cloth", at=(at[0], y - 0.05, at[2]), size=(1.2 * r, 0.2, 0.95 * r), power=0.6,
                      rotate=(0, 60 * i, 12), colour=("white", first, "accent3")[i // 2], pattern=("none",
                      "stripes", "none")[i // 2], pattern_size=0.06)  # fmt: skip
        elif what == "fruit":
            b.sphere("fruit", "food", at=(at[0], y + 0.03, at[2]), radius=0.42 * r,
                     colour=b.choice(["red", "orange", "green", "yellow"]))  # fmt: skip
        elif what == "bread" and i < 4:
            b.cushion("bread", "food", at=(-0.6 * r + 0.4 * r * i, y - 0.12, 0.03), size=(0.11, 0.42, 0.11),
                      power=0.7, rotate=(-18, 0, 22 - 15 * i), colour=crust, colour2=shade(crust, 0.3),
                      pattern="bands", pattern_size=0.06)  # fmt: skip
