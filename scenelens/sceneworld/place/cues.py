"""What besides objects may tell a scene category in an edited world: texture, layout, colour.

Texture and colour give each category its own part of what the shipped world draws for all categories alike.  Layout
takes views from wider ranges: the shipped world's cameras differ by less than the shifts of pictures in training.  The
random numbers of everything else stay as they are.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from scenelens.sceneworld.palette import Palette
from scenelens.sceneworld.render.lighting import Light
from scenelens.sceneworld.world import stable_seed

__all__ = ["CUES", "NO_CUE", "Cue"]

CUES = ("texture", "layout", "colour")
_CLOUDS = (-0.25, 0.0, 0.25)  # the clearest sky that `Light.sample` draws, one between, and the most covered
_PITCHES, _ZOOMS = 3, 4  # 12 views: training mirrors and shifts its pictures, so left and right could tell nothing
_T = TypeVar("_T")
Range = tuple[float, float]


@dataclass(frozen=True)
class Cue:
    """What tells one scene category.

    Attributes
    ----------
    kinds : frozenset of str
        Some of `CUES`.
    number : int
        Number of the category in its group, from 0.
    of : int
        Number of categories in the group.
    """

    kinds: frozenset[str]
    number: int
    of: int

    def material(self, options: Sequence[_T], drawn: _T) -> _T:
        """The category's own finish or ground.

        Parameters
        ----------
        options : sequence
            What can be drawn. Two lists of different lengths give 12 categories different pairs.
        drawn : object
            What was drawn, which is used without this cue.

        Returns
        -------
        object
            One of the options.
        """
        options = list(dict.fromkeys(options))
        return options[self.number % len(options)] if "texture" in self.kinds else drawn

    def sky(self, light: Light) -> Light:
        """The light with the category's own cover of clouds.

        Parameters
        ----------
        light : Light
            What was drawn.

        Returns
        -------
        Light
            The light.
        """
        return replace(light, clouds=_CLOUDS[self.number % len(_CLOUDS)]) if "texture" in self.kinds else light

    def palette(self, drawn: Palette) -> Palette:
        """The category's own palette, the same in all of its pictures.

        Parameters
        ----------
        drawn : Palette
            What was drawn, which is used without this cue.

        Returns
        -------
        Palette
            The palette; the ground hues of the categories are evenly spaced.
        """
        if "colour" not in self.kinds:
            return drawn
        return Palette(random.Random(stable_seed("colour", self.number)), hue=360 * self.number / self.of)

    def light(self, drawn: Light) -> Light:
        """The light with the category's own colours, the same in all of its pictures; it comes from where it was drawn.

        Parameters
        ----------
        drawn : Light
            What was drawn, which is used without this cue.

        Returns
        -------
        Light
            The light.
        """
        if "colour" not in self.kinds:
            return drawn
        own = Light.sample(random.Random(stable_seed("light", self.number)))
        return replace(own, azimuth=drawn.azimuth, elevation=drawn.elevation, clouds=drawn.clouds)

    def pitch(self, rng: random.Random, drawn: Range, own: Range) -> float:
        """Draw a number that says how far up or down a camera looks.

        Parameters
        ----------
        rng : random.Random
            Source of the random numbers; one is used.
        drawn : tuple of float
            The range without this cue.
        own : tuple of float
            The range of which the category has a third.

        Returns
        -------
        float
            The number.
        """
        return self._within(rng, drawn, own, self.number % _PITCHES, _PITCHES)

    def zoom(self, rng: random.Random, drawn: Range, own: Range) -> float:
        """Draw a camera's angle of view.

        Parameters
        ----------
        rng : random.Random
            Source of the random numbers; one is used.
        drawn : tuple of float
            The range without this cue.
        own : tuple of float
            The range of which the category has a quarter.

        Returns
        -------
        float
            The angle in degrees.
        """
        return self._within(rng, drawn, own, self.number // _PITCHES % _ZOOMS, _ZOOMS)

    def _within(self, rng: random.Random, drawn: Range, own: Range, part: int, parts: int) -> float:
        if "layout" not in self.kinds:
            return rng.uniform(*drawn)
        low, high = own
        return low + (high - low) * (part + rng.random()) / parts

    @property
    def places(self) -> int | None:
        """Seed of the category's own places, which all of its pictures try first; None without this cue."""
        return self.number if "layout" in self.kinds else None


#: The shipped world: nothing but objects tells a scene.
NO_CUE = Cue(frozenset(), 0, 1)
