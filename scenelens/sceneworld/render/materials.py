"""What things are made of: the names later sections use as labels, and how each looks when painted.

A material is a row of numbers: how large and strong its brush texture is, how far it is stretched along the
grain, how it shines. A pattern is drawn over it with the second colour (stripes, bricks, a picture); some
materials bring their own. Patterns are laid out in metres on the surface and fade where they are too fine to see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scenelens.sceneworld.render.noise import hash01, kernel, noise2

__all__ = [
    "MATERIALS",
    "MATERIAL_NAMES",
    "MATERIAL_TABLE",
    "PATTERNS",
    "Material",
    "material_index",
    "pattern_value",
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


@kernel
def line(x, width, px):
    """Coverage of a line of the given width at every integer x, blurred by the footprint px (same unit)."""
    d = abs(x - math.floor(x + 0.5))
    soft = px + 1e-6
    cover = (width * 0.5 - d) / soft + 0.5
    cover = min(1.0, max(0.0, cover))
    return cover * min(1.0, width / soft + 0.2)


@kernel
def square(x, px):
    """A square wave of period 1, blurred by the footprint px; 0.5 where too fine to see."""
    d = abs(x - math.floor(x) - 0.5) - 0.25
    soft = px + 1e-6
    wave = min(1.0, max(0.0, d / soft + 0.5))
    fade = 1.0 / (1.0 + 4 * px * px * px)
    return 0.5 + (wave - 0.5) * fade


@kernel
def pattern_value(pattern, p, q, u, v, size, px, seed):
    """Share of the second colour (0..1) and a factor on lightness, at (p, q) metres, (u, v) in 0..1 of the face."""
    x, y, f = p / size, q / size, px / size
    fade = 1.0 / (1.0 + 3 * f * f)
    if pattern == 1:
        return square(x, f), 1.0
    if pattern == 2:
        return square(y, f), 1.0
    if pattern == 3:
        a, b = square(x * 0.5, f * 0.5), square(y * 0.5, f * 0.5)
        return a * (1 - b) + b * (1 - a), 1.0
    if pattern == 4:
        row = math.floor(y)
        dx, dy = x + 0.5 * (int(row) & 1), y - row - 0.5
        dx = dx - math.floor(dx) - 0.5
        d = math.sqrt(dx * dx + dy * dy)
        return min(1.0, max(0.0, (0.28 - d) / (f + 0.02) + 0.5)) * fade, 1.0
    if pattern == 5:  # wood grain along q
        wave = x * 1.6 + 0.9 * noise2(x * 0.7, y * 0.11, seed) + hash01(seed, 1, 2)
        return 0.0, 1.0 - 0.13 * fade * (0.5 + 0.5 * math.sin(6.283 * wave)) ** 3
    if pattern == 6:  # planks running along q
        i = math.floor(x)
        shift = hash01(int(i), seed, 3)
        j = math.floor(y * 0.12 + shift)
        tone = 0.88 + 0.24 * hash01(int(i), int(j), seed)
        gap = max(line(x, 0.05, f), line(y * 0.12 + shift, 0.006, f * 0.12))
        streak = noise2(x * 5.0, y * 0.4 + 7 * shift, seed) * 0.06 * fade
        return 0.0, (tone + streak) * (1 - 0.5 * gap)
    if pattern == 7:  # bricks
        row = math.floor(y * 2.6)
        shift = 0.5 * (int(row) & 1)
        i = math.floor(x + shift)
        tone = 1 + (hash01(int(i), int(row), seed) - 0.5) * 0.32 * fade
        gap = max(line(x + shift, 0.06, f), line(y * 2.6, 0.15, f * 2.6))
        return 0.8 * gap, tone
    if pattern == 8:  # tiles
        tone = 1 + (hash01(math.floor(x), math.floor(y), seed) - 0.5) * 0.12 * fade
        return 0.75 * max(line(x, 0.045, f), line(y, 0.045, f)), tone
    if pattern == 9:  # shingles
        row = math.floor(y)
        shift = 0.5 * (int(row) & 1)
        i = math.floor(x + shift)
        tone = 1 + (hash01(int(i), int(row), seed) - 0.5) * 0.30 * fade
        under = 1 - 0.30 * fade * max(0.0, 1 - 3.0 * (y - row))
        return 0.0, tone * under * (1 - 0.3 * line(x + shift, 0.07, f))
    if pattern == 10:  # dapple: dabs of a loaded brush
        n = noise2(x, y, seed) + 0.6 * noise2(x * 2.3 + 3, y * 2.3, seed + 5)
        return 0.0, 1.0 + fade * 0.36 * min(1.0, max(-1.0, 2.2 * n))
    if pattern == 11:  # blades
        tuft, patch = noise2(x * 2.6, y * 1.1, seed), noise2(x * 0.21, y * 0.21, seed + 3)
        return 0.0, 1.0 + 0.22 * fade * tuft + 0.10 * patch
    if pattern == 12:  # ripples
        n = noise2(x * 0.5, y * 2.2, seed) + 0.5 * noise2(x * 1.2, y * 4.0, seed + 9)
        return min(1.0, max(0.0, (n - 0.55) * 2.5)) * 0.7 * fade, 1.0 + 0.12 * n
    return ornament(pattern, x, y, u, v, f, seed)


@kernel
def ornament(pattern, x, y, u, v, f, seed):
    """Patterns that fill one face or carry a figure."""
    if pattern == 13:  # a picture: horizon, sun, hills
        horizon = 0.32 + 0.25 * hash01(seed, 7, 1) + 0.10 * noise2(u * 3.1, 0.5, seed)
        dx, dy = u - 0.2 - 0.6 * hash01(seed, 7, 2), v - 0.62 - 0.2 * hash01(seed, 7, 3)
        if dx * dx + dy * dy < 0.012:
            return 0.0, 1.35
        dabs = noise2(u * 9, v * 9, seed + 2)
        return (0.9 if v < horizon else 0.15 + 0.15 * v), 1.0 + 0.16 * dabs
    if pattern == 14:  # lines of writing
        j = math.floor(v * 9)
        inside = 0.1 < u < 0.55 + 0.38 * hash01(int(j), seed, 4) and 0.08 < v < 0.94
        word = noise2(u * 22, j * 3.7, seed) > -0.45
        return (0.75 if inside and word and 0.3 < v * 9 - j < 0.72 else 0.0), 1.0
    if pattern == 15:  # windows of a far building
        i, j = math.floor(x), math.floor(y)
        du, dv = abs(x - i - 0.5), abs(y - j - 0.5)
        tone = 0.75 + 0.5 * hash01(int(i), int(j), seed)
        return (1.0 if du < 0.27 and dv < 0.33 else 0.0), (tone if du < 0.27 and dv < 0.33 else 1.0)
    if pattern == 16:  # zigzag
        return square(y + 0.5 * abs(x - math.floor(x) - 0.5) * 2, f * 1.5), 1.0
    if pattern == 17:  # scattered flowers
        i, j = math.floor(x), math.floor(y)
        dx = x - i - 0.25 - 0.5 * hash01(int(i), int(j), seed)
        dy = y - j - 0.25 - 0.5 * hash01(int(j), int(i), seed + 1)
        petal = 0.17 + 0.05 * math.cos(5 * math.atan2(dy, dx))
        return min(1.0, max(0.0, (petal - math.sqrt(dx * dx + dy * dy)) / (f + 0.03) + 0.5)), 1.0
    if pattern == 18:  # a border round the face
        d = min(min(u, 1 - u), min(v, 1 - v))
        return (1.0 if 0.05 < d < 0.11 else 0.0), 1.0
    if pattern == 19:  # book spines side by side
        i = math.floor(x)
        tone = 0.6 + 0.8 * hash01(int(i), seed, 2)
        band = 0.6 if 0.72 < v < 0.8 else 0.0
        return max(band, 1.0 if hash01(int(i), 5, seed) > 0.6 else 0.0), tone * (1 - 0.5 * line(x, 0.1, f))
    return 0.0, 1.0
