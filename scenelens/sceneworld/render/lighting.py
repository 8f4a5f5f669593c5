"""The light of a picture: its direction and colour, and the cool light in the shadows."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np

from scenelens.sceneworld.palette import Colour, mix, oklch

__all__ = ["Light"]


@dataclass(frozen=True)
class Light:
    """The light of one picture; it does not depend on what is in the picture.

    Attributes
    ----------
    azimuth : float
        Direction in degrees: 0 from behind the viewer, positive from the right.
    elevation : float
        Degrees above the horizon.
    colour : tuple of float
        Colour of the light, linear RGB.
    sky, ground : tuple of float
        Colours of the diffuse light from above and from below.
    horizon, zenith : tuple of float
        Colours of the painted sky.
    clouds : float
        From -0.4 (clear) to 0.4 (covered).
    warmth : float
        From 0 (noon, or a hazy day) to 1 (golden morning). The colours follow from it; the renderer does not read it.
    """

    azimuth: float = 40.0
    elevation: float = 45.0
    colour: Colour = (0.95, 0.86, 0.70)
    sky: Colour = (0.42, 0.46, 0.56)
    ground: Colour = (0.30, 0.26, 0.24)
    horizon: Colour = (0.86, 0.84, 0.78)
    zenith: Colour = (0.36, 0.54, 0.76)
    clouds: float = 0.0
    warmth: float = 0.5

    @property
    def direction(self) -> np.ndarray:
        """Unit vector from the picture towards the light, (3,)."""
        a, e = math.radians(self.azimuth), math.radians(self.elevation)
        return np.array([math.sin(a) * math.cos(e), math.sin(e), -math.cos(a) * math.cos(e)])

    @classmethod
    def sample(cls, rng: random.Random) -> Light:
        """Draw the light of one picture: golden morning, noon, or a soft hazy day; from the left or the right.

        Parameters
        ----------
        rng : random.Random
            Source of the random numbers.

        Returns
        -------
        Light
            The light. The warmer its colour, the cooler and bluer the shadows, as outdoors.
        """
        side = 1 if rng.random() < 0.5 else -1
        warmth, strength = rng.random(), 0.80 + 0.22 * rng.random()
        key = mix(oklch(0.99, 0.030, 90), oklch(0.93, 0.085, 70), warmth)
        cool = oklch(0.80, 0.040 + 0.025 * warmth, 255 + 25 * rng.random())
        fill = 0.74 + 0.14 * rng.random()
        zenith_hue = 235 + 20 * rng.random()
        return cls(
            azimuth=side * (22 + 48 * rng.random()),
            elevation=34 + 24 * rng.random(),
            colour=tuple(v * strength for v in key),  # type: ignore[arg-type]
            sky=tuple(v * fill for v in cool),  # type: ignore[arg-type]
            ground=tuple(v * 0.58 for v in mix(key, cool, 0.35)),  # type: ignore[arg-type]
            horizon=mix(oklch(0.93, 0.030, 210), oklch(0.92, 0.065, 75), warmth),
            zenith=oklch(0.66 + 0.12 * rng.random(), 0.075 + 0.03 * rng.random(), zenith_hue),
            clouds=-0.25 + 0.5 * rng.random(),
            warmth=warmth,
        )
