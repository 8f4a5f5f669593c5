"""SceneWorld: a world of scenes made of objects, drawn by the page, with every pixel's truth known.

Scenes hold what one table says (`truth_table`), and nothing else ties a category to its pictures::

    from scenelens import sceneworld
    image, masks = sceneworld.render_scene("bedroom", seed=3)       # masks["bed"]: bool (227, 227)
    image, masks = sceneworld.render_object("lamp/floor", seed=3)   # one object, large and alone

Names load their modules when first used: the renderer is compiled then, which takes a moment.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenelens.sceneworld.dataset import ensure_world
    from scenelens.sceneworld.scenes import compose_scene, render_background, render_scene
    from scenelens.sceneworld.studio import render_object
    from scenelens.sceneworld.truth import scene_categories, truth_table

__all__ = [
    "compose_scene",
    "ensure_world",
    "object_classes",
    "render_background",
    "render_object",
    "render_scene",
    "scene_categories",
    "truth_table",
]

_HOMES = {
    "compose_scene": "scenes",
    "ensure_world": "dataset",
    "render_background": "scenes",
    "render_object": "studio",
    "render_scene": "scenes",
    "scene_categories": "truth",
    "truth_table": "truth",
}


def object_classes() -> list[str]:
    """The fine-grained classes of objects, every appearance one of them.

    >>> "lamp/floor" in object_classes(), "bed/bunk" in object_classes()
    (True, True)
    """
    importlib.import_module(f"{__name__}.objects")  # registers them
    return list(importlib.import_module(f"{__name__}.registry").look_names())


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
