"""A palette per image: a few hues that go together, from which everything in the picture takes its colour.

Colours are linear RGB triples in [0, 1], because the renderer computes with light, not with screen values.  Hues are
chosen in OKLCH, a colour space in which equal steps look equal: one ground hue, accents placed around it by a classical
colour scheme, and natural colours (wood, leaf, water) shifted a little towards the ground hue, so that the colours of
one picture go together.
"""

from __future__ import annotations

import math
import random

from scenelens.errors import SceneLensError, close_names

__all__ = ["ROLES", "Colour", "Palette", "hex_colour", "mix", "oklch", "shade"]

Colour = tuple[float, float, float]

# Hues of the three accents in degrees from the ground hue.
_SCHEMES = {
    "analogous": (30, -30, 60),
    "complement": (180, 30, 205),
    "split": (150, 210, 25),
    "triad": (120, 240, 30),
}

# role: lightness, chroma, hue in degrees (None: the ground hue; 'a', 'b', 'c': the scheme's accents), spread of lightness
ROLES: dict[str, tuple[float, float, float | str | None, float]] = {
    "wall": (0.84, 0.045, None, 0.05),
    "floor": (0.62, 0.065, 62, 0.07),
    "ceiling": (0.93, 0.018, 85, 0.02),
    "accent": (0.60, 0.150, "a", 0.08),
    "accent2": (0.68, 0.120, "b", 0.08),
    "accent3": (0.52, 0.110, "c", 0.08),
    "cloth": (0.66, 0.085, "b", 0.10),
    "cream": (0.92, 0.035, 85, 0.03),
    "white": (0.95, 0.012, 80, 0.02),
    "grey": (0.62, 0.012, 260, 0.10),
    "dark": (0.30, 0.025, 275, 0.05),
    "black": (0.22, 0.012, 280, 0.03),
    "red": (0.57, 0.180, 28, 0.05),
    "orange": (0.70, 0.155, 55, 0.05),
    "yellow": (0.84, 0.150, 88, 0.04),
    "green": (0.58, 0.120, 145, 0.07),
    "blue": (0.56, 0.115, 250, 0.07),
    "purple": (0.50, 0.110, 310, 0.06),
    "pink": (0.75, 0.105, 5, 0.05),
    "brown": (0.42, 0.070, 50, 0.06),
    "wood": (0.60, 0.085, 62, 0.08),
    "darkwood": (0.41, 0.065, 50, 0.05),
    "bark": (0.43, 0.045, 55, 0.05),
    "straw": (0.80, 0.095, 86, 0.04),
    "leaf": (0.58, 0.120, 133, 0.08),
    "needle": (0.44, 0.080, 155, 0.05),
    "grass": (0.66, 0.108, 125, 0.06),
    "petal": (0.74, 0.140, "a", 0.08),
    "soil": (0.45, 0.055, 52, 0.05),
    "sand": (0.85, 0.070, 80, 0.03),
    "stone": (0.68, 0.018, 75, 0.08),
    "rock": (0.56, 0.022, 55, 0.08),
    "brick": (0.55, 0.100, 38, 0.05),
    "mortar": (0.80, 0.020, 75, 0.03),
    "tile": (0.86, 0.035, "b", 0.05),
    "plaster": (0.88, 0.035, 78, 0.04),
    "roof": (0.50, 0.100, 32, 0.07),
    "road": (0.48, 0.010, 270, 0.04),
    "pavement": (0.74, 0.015, 75, 0.05),
    "snow": (0.96, 0.012, 245, 0.01),
    "water": (0.62, 0.085, 225, 0.06),
    "sky": (0.78, 0.085, 235, 0.04),
    "metal": (0.70, 0.012, 250, 0.08),
    "gold": (0.76, 0.125, 85, 0.04),
    "copper": (0.60, 0.095, 48, 0.05),
    "glass": (0.80, 0.035, 215, 0.04),
    "plastic": (0.64, 0.140, "c", 0.08),
    "paint": (0.70, 0.095, "a", 0.08),
    "paper": (0.93, 0.025, 88, 0.02),
    "leather": (0.44, 0.075, 45, 0.07),
    "rubber": (0.28, 0.010, 280, 0.03),
    "ceramic": (0.92, 0.020, 90, 0.03),
    "hair": (0.36, 0.055, 50, 0.12),
    "fur": (0.58, 0.075, 60, 0.12),
    "food": (0.72, 0.120, 65, 0.07),
    "light": (0.95, 0.070, 88, 0.02),
    "carpet": (0.58, 0.090, "a", 0.08),
    "mountain": (0.56, 0.055, 265, 0.05),
    "hill": (0.62, 0.090, 135, 0.06),
}
_SKINS = (
    (0.86, 0.045, 55),
    (0.80, 0.060, 58),
    (0.70, 0.075, 60),
    (0.58, 0.075, 55),
    (0.46, 0.060, 50),
    (0.37, 0.045, 48),
)


def oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """Convert an OKLCH colour to linear RGB.

    The numbers are those of the definition: Ottosson (2020), https://bottosson.github.io/posts/oklab/.

    Parameters
    ----------
    lightness : float
        Perceived lightness, 0..1.
    chroma : float
        Strength of the colour, about 0..0.25.
    hue : float
        Hue in degrees.

    Returns
    -------
    tuple of float
        Linear RGB, clipped to [0.005, 1]: nothing real is completely black.

    Examples
    --------
    >>> [round(v, 2) for v in oklch(1.0, 0.0, 0)]
    [1.0, 1.0, 1.0]
    """
    angle = math.radians(hue)
    a, b = chroma * math.cos(angle), chroma * math.sin(angle)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    mid = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * mid + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * mid - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * mid + 1.7076147010 * short
    return (
        0.005 if red < 0.005 else 1.0 if red > 1.0 else red,
        0.005 if green < 0.005 else 1.0 if green > 1.0 else green,
        0.005 if blue < 0.005 else 1.0 if blue > 1.0 else blue,
    )


def hex_colour(text: str) -> Colour:
    """Convert a screen colour to linear RGB (the sRGB transfer function).

    Parameters
    ----------
    text : str
        ``"#rrggbb"``.

    Returns
    -------
    tuple of float
        Linear RGB, 0..1.
    """
    values = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return tuple(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)  # type: ignore[return-value]


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Mix two colours.

    Parameters
    ----------
    first, second : tuple of float
        Linear RGB.
    share : float
        0 gives the first colour, 1 the second.

    Returns
    -------
    tuple of float
        Linear RGB.
    """
    (a, b, c), (d, e, f) = first, second
    return a + (d - a) * share, b + (e - b) * share, c + (f - c) * share


def shade(colour: Colour, change: float) -> Colour:
    """Make a colour lighter or darker.

    Parameters
    ----------
    colour : tuple of float
        Linear RGB.
    change : float
        0..1 towards white, -1..0 towards black.

    Returns
    -------
    tuple of float
        Linear RGB.
    """
    if change > 0:
        return mix(colour, (1.0, 1.0, 1.0), change)
    red, green, blue = colour
    return red * (1 + change), green * (1 + change), blue * (1 + change)


class Palette:
    """The colours of one image.

    Parameters
    ----------
    rng : random.Random
        Source of the random numbers; the palette does not depend on what is in the picture.
    hue : float, optional
        The ground hue in degrees (default: drawn).

    Examples
    --------
    >>> import random
    >>> palette = Palette(random.Random(1))
    >>> len(palette("accent", random.Random(2)))
    3
    """

    def __init__(self, rng: random.Random, hue: float | None = None) -> None:
        drawn = rng.random() * 360
        self.hue = drawn if hue is None else hue
        self.scheme = list(_SCHEMES)[int(rng.random() * len(_SCHEMES))]
        self.accents = dict(zip("abc", (self.hue + turn for turn in _SCHEMES[self.scheme]), strict=True))
        self.chroma = 0.8 + 0.35 * rng.random()
        self.lightness = -0.02 + 0.05 * rng.random()
        self.pull = 0.04 + 0.10 * rng.random()
        # One shift of lightness per role and picture: all wood of a picture is alike, that of two pictures is not.
        self._shift = {role: rng.random() * 2 - 1 for role in ROLES}

    def __call__(self, role: str, rng: random.Random, vary: float = 0.25) -> Colour:
        """The picture's colour for a role, with a little variation (vary 0: none, 1: the role's whole range)."""
        if role == "skin":
            return oklch(*_SKINS[int(rng.random() * len(_SKINS))])
        if role not in ROLES:
            raise SceneLensError(f"no palette colour named {role!r}; {close_names(role, [*ROLES, 'skin'])}")
        lightness, chroma, hue, spread = ROLES[role]
        lightness += spread * (self._shift[role] + vary * (rng.random() * 2 - 1)) + self.lightness
        turn = 6 * (rng.random() * 2 - 1) * vary
        return oklch(lightness, chroma * self.chroma, self._hue(hue) + turn)

    def _hue(self, hue: float | str | None) -> float:
        if hue is None:
            return self.hue
        if isinstance(hue, str):
            return self.accents[hue]
        # A natural colour moves a part of the way to the ground hue, by the shorter arc, and at most 16 degrees: leaves
        # stay green in a red picture.
        gap = (self.hue - hue + 180) % 360 - 180
        pull = gap * self.pull
        return hue + (-16.0 if pull < -16.0 else 16.0 if pull > 16.0 else pull)
