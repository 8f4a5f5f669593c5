"""Scenes: a stage, the objects its category asks for, and the picture of them."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from scenelens.errors import SceneLensError, close_names
from scenelens.sceneworld import objects  # noqa: F401  (registers every object class)
from scenelens.sceneworld.place.layout import Layout
from scenelens.sceneworld.place.placing import place_all
from scenelens.sceneworld.place.stages import Stage, build_stage
from scenelens.sceneworld.registry import OBJECTS
from scenelens.sceneworld.render.pipeline import Rendered, render
from scenelens.sceneworld.truth import common_objects, draw_contents, scene_setting
from scenelens.sceneworld.world import stable_seed

__all__ = ["Scene", "compose_scene", "render_background", "render_scene"]


@dataclass
class Scene:
    """A picture of a category with all that is known about it.

    picture : image and label maps.  contents : the objects drawn from the world's table.  left_out : those
    of them that found no place.
    """

    category: str
    picture: Rendered
    contents: list[str]
    left_out: list[str]

    @property
    def image(self) -> np.ndarray:
        """(227, 227, 3) uint8 RGB."""
        return self.picture.image


def compose_scene(category: str, seed: int, without: Collection[str] = ()) -> Scene:
    """Draw a scene, with every label map.

    Parameters
    ----------
    category : one of `scene_categories()`.
    seed : int; the same category and seed give the same picture.
    without : names of objects to take away (with what stands on them); everything else stays exactly where it
        is, so that two pictures differ only by the objects and by their shadows.

    Examples
    --------
    >>> scene = compose_scene("bedroom", seed=1)
    >>> scene.image.shape
    (227, 227, 3)
    """
    for name in without:
        if name not in OBJECTS:
            raise SceneLensError(f"no object class named {name!r}; {close_names(name, OBJECTS)}")
    stage = build_stage(scene_setting(category), seed)
    contents = draw_contents(category, np.random.default_rng(stable_seed("contents", category, seed)))
    rng = random.Random(stable_seed("layout", category, seed))
    layout = place_all(stage, contents, rng, common_objects(stage.setting))
    _take_away(stage, layout, without)
    return Scene(category, render(stage.world, stage.camera, stage.light), contents, layout.left_out)


def _take_away(stage: Stage, layout: Layout, without: Collection[str]) -> None:
    """Drop the rows of some objects, and of what stands on them, after everything has found its place."""
    gone = {o.id for o in layout.placed if o.name in without}
    rows = {row for o in layout.placed if o.id in gone or o.parent in gone for row in range(*o.rows)}
    stage.world.rows = [row for i, row in enumerate(stage.world.rows) if i not in rows]


def render_scene(category: str, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A picture of a scene and where its objects are.

    Returns
    -------
    image : (227, 227, 3) uint8 RGB.
    masks : {object name: bool (227, 227)}, only objects that can be seen; all instances together.

    Examples
    --------
    >>> image, masks = render_scene("beach", seed=3)
    >>> image.dtype, all(mask.shape == (227, 227) for mask in masks.values())
    (dtype('uint8'), True)
    """
    picture = compose_scene(category, seed).picture
    return picture.image, picture.masks()


def render_background(category: str, seed: int) -> np.ndarray:
    """The same picture with nothing in it: what the category must not be told by, (227, 227, 3) uint8."""
    stage = build_stage(scene_setting(category), seed)
    return render(stage.world, stage.camera, stage.light).image
