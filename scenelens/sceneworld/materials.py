"""What things are made of: the names later sections use as labels, and how each looks when painted.

A material is a row of numbers: how large and strong its brush texture is, how far it is stretched along the
grain, how it shines. A pattern is drawn over it with the second colour (stripes, bricks, a picture); some
materials bring their own. Patterns are laid out in metres on the surface and fade where they are too fine to see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = [
    "MATERIALS",
    "MATERIAL_NAMES",
    "MATERIAL_TABLE",
    "PATTERNS",
    "Material",
    "material_index",
]


@dataclass(frozen=True)
class Material:
    """Look of a material: texture size in metres, strengths from 0 to 1, its own pattern and palette colours."""

    grain: float = 0.12  # size of brush texture, metres
    strength: float = 0.10  # contrast of brush texture
    stretch: float = 1.0  # elongation along the longest side
    shine: float = 0.0  # strength of the highlight
    gloss: float = 12.0  # sharpness of the highlight
    wrap: float = 0.15  # how far light creeps round (cloth, leaves, skin)
    speckle: float = 0.0  # fine grain
    pattern: str = "none"
    size: float = 0.1  # pattern cell, metres
    colour: str = "paint"  # palette role
    second: str = ""  # palette role of the second colour; empty: a darker first colour


MATERIALS: dict[str, Material] = {
    "plain": Material(strength=0.05),
    "paint": Material(shine=0.12, gloss=20, strength=0.07),
    "wood": Material(grain=0.05, strength=0.16, stretch=9, shine=0.08, pattern="grain", size=0.09, colour="wood"),
    "cloth": Material(grain=0.10, strength=0.12, wrap=0.3, speckle=0.10, colour="cloth", second="cream"),
    "brick": Material(grain=0.15, strength=0.16, pattern="bricks", size=0.22, colour="brick", second="mortar", speckle=0.1),
    "stone": Material(grain=0.25, strength=0.20, speckle=0.10, colour="stone"),
    "rock": Material(grain=0.35, strength=0.30, speckle=0.12, colour="rock"),
    "tile": Material(
        grain=0.2,
        strength=0.05,
        shine=0.25,
        gloss=40,
        pattern="tiles",
        size=0.2,
        colour="tile",
        second="white",
    ),
    "plaster": Material(grain=0.6, strength=0.08, speckle=0.03, colour="plaster"),
    "paper": Material(grain=0.1, strength=0.04, wrap=0.25, colour="paper", second="dark"),
    "carpet": Material(grain=0.12, strength=0.10, wrap=0.3, speckle=0.16, colour="carpet", second="cream"),
    "leather": Material(grain=0.12, strength=0.14, shine=0.22, gloss=14, speckle=0.05, colour="leather"),
    "metal": Material(grain=0.2, strength=0.08, shine=0.7, gloss=26, wrap=0.05, colour="metal"),
    "glass": Material(grain=0.5, strength=0.06, shine=0.6, gloss=50, colour="glass"),
    "plastic": Material(strength=0.05, shine=0.3, gloss=30, colour="plastic", second="white"),
    "ceramic": Material(strength=0.04, shine=0.35, gloss=40, wrap=0.2, colour="ceramic", second="blue"),
    "rubber": Material(strength=0.08, shine=0.08, colour="rubber"),
    "leaves": Material(grain=0.16, strength=0.30, wrap=0.45, pattern="dapple", size=0.11, colour="leaf"),
    "bark": Material(grain=0.07, strength=0.30, stretch=5, colour="bark"),
    "grass": Material(grain=0.5, strength=0.13, wrap=0.3, pattern="blades", size=0.12, colour="grass"),
    "flower": Material(grain=0.03, strength=0.14, wrap=0.45, colour="petal"),
    "straw": Material(grain=0.05, strength=0.22, stretch=7, wrap=0.25, colour="straw"),
    "sand": Material(grain=0.8, strength=0.08, speckle=0.08, colour="sand"),
    "soil": Material(grain=0.3, strength=0.18, speckle=0.12, colour="soil"),
    "water": Material(
        grain=1.0,
        strength=0.10,
        shine=0.5,
        gloss=30,
        pattern="ripples",
        size=0.5,
        colour="water",
        second="white",
    ),
    "snow": Material(grain=0.8, strength=0.05, wrap=0.4, speckle=0.03, colour="snow"),
    "road": Material(grain=0.7, strength=0.08, speckle=0.12, colour="road", second="white"),
    "pavement": Material(grain=0.5, strength=0.10, pattern="tiles", size=0.6, colour="pavement", speckle=0.06),
    "skin": Material(grain=0.1, strength=0.05, wrap=0.35, colour="skin"),
    "hair": Material(grain=0.03, strength=0.20, stretch=5, shine=0.12, wrap=0.3, colour="hair"),
    "fur": Material(grain=0.04, strength=0.22, stretch=3, wrap=0.4, speckle=0.10, colour="fur"),
    "feathers": Material(grain=0.05, strength=0.16, stretch=3, wrap=0.35, colour="white"),
    "food": Material(grain=0.05, strength=0.14, wrap=0.3, shine=0.08, colour="food"),
    "light": Material(strength=0.02, colour="light"),
}
MATERIAL_NAMES: tuple[str, ...] = tuple(MATERIALS)
material_index: dict[str, int] = {name: i for i, name in enumerate(MATERIAL_NAMES)}
MATERIAL_TABLE = np.array(
    [(m.grain, m.strength, m.stretch, m.shine, m.gloss, m.wrap, m.speckle, float(name == "glass"))
     for name, m in MATERIALS.items()]
)  # fmt: skip

PATTERNS: tuple[str, ...] = (
    "none", "stripes", "bands", "checks", "dots", "grain", "planks", "bricks", "tiles", "shingles", "dapple", "blades",
    "ripples", "picture", "text", "windows", "zigzag", "flowers", "border", "spines",
)  # fmt: skip
