"""People, their animals, and the teddy bear."""

from __future__ import annotations

from scenelens.sceneworld.builder import Builder
from scenelens.sceneworld.palette import Colour, shade
from scenelens.sceneworld.registry import object_class


@object_class(
    "person",
    looks=("woman", "man", "child"),
    size={"woman": (0.6, 1.68, 0.4), "man": (0.65, 1.8, 0.4), "child": (0.5, 1.2, 0.35)},
    place="floor",
)
def person(b: Builder, look: str) -> None:
    skin, hair = b.palette("skin"), b.palette(b.choice(["hair", "dark", "straw", "grey" if look != "child" else "hair"]), vary=1)
    top = b.palette(b.choice(["accent", "accent2", "red", "blue", "cream", "green", "yellow"]), vary=1)
    below = b.palette(b.choice(["dark", "blue", "brown", "accent3", "grey"]), vary=1)
    with b.at(scale={"woman": 0.95, "man": 1.03, "child": 0.68}[look]):
        skirt = b.chance({"woman": 0.65, "man": 0.0, "child": 0.3}[look])
        _legs(b, skin if skirt else below)
        if skirt:
            b.lathe("skirt", "cloth", profile=[(0.27, 0.48), (0.25, 0.6), (0.15, 1.02), (0, 1.02)], colour=below,
                    pattern=b.choice(["none", "dots", "stripes"]), colour2="cream", pattern_size=0.08)  # fmt: skip
        b.cushion("body", "cloth", at=(0, 0.84, 0), size=(0.42 if look == "man" else 0.36, 0.62, 0.25), power=0.6, colour=top,
                  pattern=b.choice(["none", "none", "bands", "checks"]), colour2="cream", pattern_size=0.09)  # fmt: skip
        _arms(b, top, skin)
        b.cylinder("neck", "skin", at=(0, 1.42, 0), radius=0.055, height=0.1, colour=skin)
        _head(b, look, skin, hair, 1.15 if look == "child" else 1.0)


def _legs(b: Builder, trousers: Colour) -> None:
    stride, shoe = b.uniform(-0.12, 0.12), b.palette(b.choice(["dark", "brown", "red", "white"]))
    for side in (-1, 1):
        z = side * stride
        b.rod("leg", "cloth", start=(side * 0.09, 0.9, 0), stop=(side * 0.11, 0.06, z), radius=0.088, end_radius=0.062, colour=trousers)
        b.cushion("shoe", "leather", at=(side * 0.11, 0, z - 0.05), size=(0.12, 0.1, 0.27), colour=shoe)


def _arms(b: Builder, sleeve: Colour, skin: Colour) -> None:
    for side in (-1, 1):
        out, ahead = b.uniform(0.26, 0.36), b.uniform(-0.22, 0.05)
        elbow = (side * out, 1.1, ahead * 0.3)
        lift = b.uniform(0.78, 0.98) if b.chance(0.8) else 1.45
        b.rod("arm", "cloth", start=(side * 0.18, 1.38, 0), stop=elbow, radius=0.068, end_radius=0.055, soft=True, colour=sleeve)
        hand = (side * (out + 0.03), lift, ahead)
        b.rod("arm", "skin", start=elbow, stop=hand, radius=0.045, soft=True, colour=skin)
        b.sphere("hand", "skin", at=hand, radius=0.055, colour=skin)


def _head(b: Builder, look: str, skin: Colour, hair: Colour, big: float) -> None:
    y = 1.62
    b.sphere("head", "skin", at=(0, y, 0), radius=(0.125 * big, 0.155 * big, 0.135 * big), colour=skin)
    b.sphere("hair", "hair", at=(0, y + 0.05 * big, 0.035), radius=(0.14 * big, 0.14 * big, 0.13 * big), colour=hair)
    if look == "woman":
        b.sphere("hair", "hair", at=(0, y - 0.1, 0.085), radius=(0.15, 0.22, 0.075), colour=hair)
    for side in (-1, 1):
        b.sphere("eye", "rubber", at=(side * 0.045, y + 0.01, -0.125 * big), radius=0.017, colour="black")
    b.sphere("nose", "skin", at=(0, y - 0.03, -0.138 * big), radius=0.022, colour=shade(skin, -0.1))
    b.box("mouth", "skin", at=(0, y - 0.085 * big, -0.122 * big), size=(0.06, 0.014, 0.02), colour="red")
    if look == "man" and b.chance(0.4):
        b.sphere("hair", "hair", at=(0, y - 0.1, -0.06), radius=(0.1, 0.07, 0.075), colour=hair)
    if b.chance(0.25):
        hat = b.palette(b.choice(["accent", "red", "straw", "dark"]))
        b.disc("hat", "cloth", at=(0, y + 0.1 * big, 0), radius=0.22 * big, height=0.02, colour=hat)
        b.cylinder("hat", "cloth", at=(0, y + 0.1 * big, 0), radius=0.14 * big, height=0.11, colour=hat)


def _four_paws(b: Builder, coat: Colour, xs: tuple[float, float], z: float, high: float, thick: float) -> None:
    for x in xs:
        for side in (-z, z):
            b.rod("leg", "fur", start=(x, high, side), stop=(x, 0.04, side), radius=thick, end_radius=thick * 0.8, colour=coat)
            b.sphere("paw", "fur", at=(x - 0.02, 0.035, side), radius=(thick * 1.3, 0.04, thick), colour=shade(coat, 0.35))


@object_class("cat", size=(0.75, 0.55, 0.3), place="floor")
def cat(b: Builder, look: str) -> None:
    coat = b.palette(b.choice(["orange", "grey", "black", "cream", "brown"]), vary=1)
    b.cushion("body", "fur", at=(0.03, 0.16, 0), size=(0.5, 0.24, 0.21), power=0.7, colour=coat, pattern=b.choice(["none", "stripes"]),
              pattern_size=0.07, colour2=shade(coat, -0.4))  # fmt: skip
    _four_paws(b, coat, (-0.14, 0.18), 0.07, 0.25, 0.04)
    b.sphere("head", "fur", at=(-0.26, 0.42, 0), radius=(0.12, 0.11, 0.12), colour=coat)
    for side in (-1, 1):
        b.cone("ear", "fur", at=(-0.25, 0.49, side * 0.07), r0=0.05, height=0.12, rotate=(side * 12, 0, 0), colour=coat)
        b.sphere("eye", "rubber", at=(-0.355, 0.44, side * 0.05), radius=0.02, colour="green")
    b.sphere("nose", "skin", at=(-0.385, 0.4, 0), radius=0.018, colour="pink")
    b.rod("tail", "fur", start=(0.26, 0.32, 0), stop=(0.4, 0.45, 0.02), radius=0.035, soft=True, colour=coat)
    b.rod("tail", "fur", start=(0.4, 0.45, 0.02), stop=(0.36, 0.66, 0.02), radius=0.03, soft=True, colour=coat)


@object_class("dog", size=(1.0, 0.8, 0.35), place="floor")
def dog(b: Builder, look: str) -> None:
    coat = b.palette(b.choice(["brown", "straw", "white", "dark", "leather"]), vary=1)
    patch = shade(coat, -0.4)
    b.cushion("body", "fur", at=(0.06, 0.3, 0), size=(0.72, 0.33, 0.28), power=0.7, colour=coat)
    b.sphere("patch", "fur", at=(0.15, 0.5, -0.03), radius=(0.2, 0.14, 0.13), colour=patch)
    _four_paws(b, coat, (-0.18, 0.3), 0.09, 0.42, 0.055)
    b.rod("neck", "fur", start=(-0.22, 0.52, 0), stop=(-0.36, 0.66, 0), radius=0.11, soft=True, colour=coat)
    b.sphere("head", "fur", at=(-0.38, 0.7, 0), radius=(0.16, 0.14, 0.13), colour=coat)
    b.rod("muzzle", "fur", start=(-0.44, 0.67, 0), stop=(-0.6, 0.64, 0), radius=0.075, soft=True, colour=shade(coat, 0.3))
    b.sphere("nose", "leather", at=(-0.64, 0.67, 0), radius=0.035, colour="black")
    for side in (-1, 1):
        b.sphere("ear", "fur", at=(-0.33, 0.66, side * 0.14), radius=(0.07, 0.14, 0.035), colour=patch)
        b.sphere("eye", "rubber", at=(-0.49, 0.75, side * 0.075), radius=0.022, colour="black")
    b.ring(
        "collar", "leather", at=(-0.29, 0.58, 0), radius=0.115, tube=0.02, rotate=(0, 0, 45), colour=b.palette(b.choice(["red", "blue"]))
    )
    b.rod("tail", "fur", start=(0.4, 0.52, 0), stop=(0.56, 0.74, 0), radius=0.04, end_radius=0.02, colour=coat)


@object_class("teddy_bear", size=(0.45, 0.55, 0.4), place="on_top")
def teddy_bear(b: Builder, look: str) -> None:
    fur = b.palette(b.choice(["brown", "straw", "leather", "cream", "pink"]), vary=1)
    light = shade(fur, 0.45)
    b.sphere("body", "fur", at=(0, 0.17, 0.02), radius=(0.15, 0.17, 0.13), colour=fur)
    b.sphere("tummy", "fur", at=(0, 0.16, -0.07), radius=(0.1, 0.12, 0.06), colour=light)
    b.sphere("head", "fur", at=(0, 0.4, 0), radius=0.135, colour=fur)
    b.sphere("muzzle", "fur", at=(0, 0.37, -0.11), radius=(0.065, 0.05, 0.05), colour=light)
    b.sphere("nose", "leather", at=(0, 0.39, -0.16), radius=0.022, colour="black")
    for side in (-1, 1):
        b.sphere("ear", "fur", at=(side * 0.11, 0.51, 0.01), radius=(0.055, 0.055, 0.03), colour=fur)
        b.sphere("ear", "fur", at=(side * 0.11, 0.51, -0.02), radius=(0.032, 0.032, 0.02), colour=light)
        b.sphere("eye", "rubber", at=(side * 0.05, 0.43, -0.12), radius=0.018, colour="black")
        b.rod("arm", "fur", start=(side * 0.11, 0.27, 0), stop=(side * 0.22, 0.14, -0.08), radius=0.055, soft=True, colour=fur)
        b.rod("leg", "fur", start=(side * 0.08, 0.07, -0.02), stop=(side * 0.13, 0.06, -0.22), radius=0.065, soft=True, colour=fur)
        b.sphere("paw", "fur", at=(side * 0.135, 0.065, -0.27), radius=(0.05, 0.055, 0.02), colour=light)
    if b.chance(0.5):
        b.box("bow", "cloth", at=(0, 0.26, -0.12), size=(0.14, 0.05, 0.03), colour=b.palette(b.choice(["red", "blue", "accent"])))
