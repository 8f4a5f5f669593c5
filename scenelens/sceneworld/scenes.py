"""Scenes: a stage, the objects of the category, and their picture."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from scenelens.errors import SceneLensError, close_names
from scenelens.sceneworld.place.layout import Layout
from scenelens.sceneworld.place.placing import place_all
from scenelens.sceneworld.place.stages import Stage, build_stage
from scenelens.sceneworld.registry import OBJECTS
from scenelens.sceneworld.render.lighting import Light
from scenelens.sceneworld.render.pipeline import Rendered, render_world
from scenelens.sceneworld.truth import common_objects, scene_setting
from scenelens.sceneworld.world import stable_seed
from scenelens.sceneworld.worlds import SceneWorld

__all__ = ["Scene", "compose_scene", "place_scene", "render_background", "render_scene"]

_SHIPPED = SceneWorld()


@dataclass
class Scene:
    """A picture of a scene category with everything that is known about it.

    Attributes
    ----------
    category : str
        The scene category.
    picture : Rendered
        Image and label maps.
    contents : list of str
        The objects drawn from the table of truth, one entry per instance.
    left_out : list of str
        Classes of the instances for which no place was found.
    light : Light
        The light.
    """

    category: str
    picture: Rendered
    contents: list[str]
    left_out: list[str]
    light: Light

    @property
    def image(self) -> np.ndarray:
        """The image, (227, 227, 3) uint8 RGB."""
        return self.picture.image


def compose_scene(category: str, seed: int, without: Collection[str] = (), world: SceneWorld = _SHIPPED) -> Scene:
    """Render a scene with all label maps.

    Parameters
    ----------
    category : str
        One of `scene_categories()`.
    seed : int
        The same category and seed give the same picture.
    without : collection of str, optional
        Object classes to remove, together with what stands on them (default none). Everything else stays exactly
        where it is, so that two pictures differ by these objects and their shadows only.
    world : SceneWorld, optional
        The world (default: as it is shipped).

    Returns
    -------
    Scene
        The picture and its contents.

    Raises
    ------
    SceneLensError
        If there is no such category or object class.

    Examples
    --------
    >>> scene = compose_scene("bedroom", seed=1)
    >>> scene.image.shape
    (227, 227, 3)
    """
    for name in without:
        if name not in OBJECTS:
            raise SceneLensError(f"no object class named {name!r}; {close_names(name, OBJECTS)}")
    stage, contents, layout = place_scene(category, seed, world)
    _remove(stage, layout, without)
    return Scene(category, render_world(stage.world, stage.camera, stage.light), contents, layout.left_out, stage.light)


def place_scene(category: str, seed: int, world: SceneWorld = _SHIPPED) -> tuple[Stage, list[str], Layout]:
    """Do everything but the rendering of a scene, which takes a twentieth of the time.

    Parameters
    ----------
    category : str
        One of `scene_categories()`.
    seed : int
        The seed of the scene.
    world : SceneWorld, optional
        The world (default: as it is shipped).

    Returns
    -------
    stage : Stage
        The stage with all objects in its world.
    contents : list of str
        The objects drawn from the table of truth, one entry per instance.
    layout : Layout
        What was placed, and what found no place.
    """
    # Stage, contents and layout have random numbers of their own. So the stage cannot depend on the category, and
    # another number of tries in the layout changes nothing else.
    cue = world.cue(category)
    stage = build_stage(scene_setting(category), seed, cue)
    contents = world.draw_contents(category, seed)
    rng = random.Random(stable_seed("layout", category, seed))
    return stage, contents, place_all(stage, contents, rng, common_objects(stage.setting), cue.places)


def _remove(stage: Stage, layout: Layout, without: Collection[str]) -> None:
    """Drop the primitives of some objects, and of what stands on them.

    This happens after everything has found its place: if the objects were missing from the start, others would take
    their places.
    """
    gone = {o.id for o in layout.placed if o.name in without}
    rows = {row for o in layout.placed if o.id in gone or o.parent in gone for row in range(*o.rows)}
    stage.world.rows = [row for i, row in enumerate(stage.world.rows) if i not in rows]


def render_scene(category: str, seed: int, world: SceneWorld = _SHIPPED) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Render a scene and say where its objects are.

    Parameters
    ----------
    category : str
        One of `scene_categories()`.
    seed : int
        The same category and seed give the same picture.
    world : SceneWorld, optional
        The world (default: as it is shipped).

    Returns
    -------
    image : numpy.ndarray
        (227, 227, 3) uint8 RGB.
    masks : dict of str to numpy.ndarray
        For each object class that can be seen, bool (227, 227): the pixels of all its instances.

    Examples
    --------
    >>> image, masks = render_scene("beach", seed=3)
    >>> image.dtype, all(mask.shape == (227, 227) for mask in masks.values())
    (dtype('uint8'), True)
    """
    picture = compose_scene(category, seed, world=world).picture
    return picture.image, picture.masks()


def render_background(category: str, seed: int, world: SceneWorld = _SHIPPED) -> np.ndarray:
    """Render the same scene without any object: a picture that says nothing about the category.

    Parameters
    ----------
    category : str
        One of `scene_categories()`; only its setting (indoor or outdoor) matters, unless the world tells scenes by more
        than objects.
    seed : int
        The seed of the scene.
    world : SceneWorld, optional
        The world (default: as it is shipped).

    Returns
    -------
    numpy.ndarray
        (227, 227, 3) uint8 RGB.
    """
    stage = build_stage(scene_setting(category), seed, world.cue(category))
    return render_world(stage.world, stage.camera, stage.light).image
