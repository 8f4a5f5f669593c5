from .dataset import ensure_world, same_pictures
from .objects import object_classes
from .scenes import compose_scene, render_background, render_scene
from .studio import render_object
from .training import Recipe, train
from .truth import scene_categories, truth_table
from .worlds import SceneWorld, read_world

__all__ = [
    "Recipe",
    "SceneWorld",
    "compose_scene",
    "ensure_world",
    "object_classes",
    "read_world",
    "render_background",
    "render_object",
    "render_scene",
    "same_pictures",
    "scene_categories",
    "train",
    "truth_table",
]
