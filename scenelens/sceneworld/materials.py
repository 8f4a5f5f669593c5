"""What things are made of: the names of materials (labels of pixels), and how each is painted.

A material is a row of numbers: the size and strength of its brush texture, how far the texture is stretched along the
grain, how it shines.  A pattern (stripes, bricks, a picture) is drawn over it with the second colour; some materials have
a pattern of their own.  `render.patterns` draws the patterns.
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
    """How a material is painted.

    Attributes
    ----------
    grain : float
        Size of the brush texture in metres.
    strength : float
        Contrast of the brush texture, 0..1.
    stretch : float
        Elongation of the texture along the longest side of the primitive.
    shine : float
        Strength of highlight and mirror image, 0..1.
    gloss : float
        Sharpness of the highlight (exponent).
    wrap : float
        How far light reaches round to the side that is turned away, 0..1: large for cloth, leaves, skin.
    speckle : float
        Contrast from pixel to pixel, 0..1.
    pattern : str
        Its own pattern, one of `PATTERNS`.
    size : float
        Size of a pattern cell in metres.
    colour : str
        Its own colour, a role of the palette.
    second : str
        Role of the second colour; empty: the first colour, darker.
    """

    grain: float = 0.12
    strength: float = 0.10
    stretch: float = 1.0
    shine: float = 0.0
    gloss: float = 12.0
    wrap: float = 0.15
    speckle: float = 0.0
    pattern: str = "none"
    size: float = 0.1
    colour: str = "paint"
    second: str = ""


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
# One row per material for the kernels: grain, strength, stretch, shine, gloss, wrap, speckle, whether it is glass.
MATERIAL_TABLE = np.array(
    [(m.grain, m.strength, m.stretch, m.shine, m.gloss, m.wrap, m.speckle, float(name == "glass"))
     for name, m in MATERIALS.items()]
)  # fmt: skip

# A pattern's number is its place in this list; the kernels know it by number.
PATTERNS: tuple[str, ...] = (
    "none", "stripes", "bands", "checks", "dots", "grain", "planks", "bricks", "tiles", "shingles", "dapple", "blades",
    "ripples", "picture", "text", "windows", "zigzag", "flowers", "border", "spines",
)  # fmt: skip
