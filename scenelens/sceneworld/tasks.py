"""What a network can be trained to tell on SceneWorld's pictures: the paper asks which other tasks grow detectors.

Most tasks have the same pictures as scene recognition, with other labels.  All are one answer among some classes, so
that one recipe trains them all.  Whether a picture contains each of many objects would be another kind of answer;
``main_object`` asks for the object that covers most of the picture instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from scenelens.errors import SceneLensError, close_names
from scenelens.sceneworld.objects import object_classes
from scenelens.sceneworld.registry import OBJECTS
from scenelens.sceneworld.scenes import Scene
from scenelens.sceneworld.truth import scene_categories, scene_setting

__all__ = ["TASKS", "Task", "named_task", "note_scene"]

#: The names of the tasks; the first two are those of the embedded networks.
TASKS = ("scene", "object", "setting", "light", "main_object", "rotation")
_LIGHTS = ("noon", "afternoon", "golden hour")  # thirds of `Light.warmth`, equally frequent
_NOTHING = "nothing"  # the main object of a picture in which no object can be seen


@dataclass(frozen=True)
class Task:
    """A question about pictures.

    Attributes
    ----------
    name : str
        One of `TASKS`.
    classes : tuple of str
        The possible answers.
    pictures : str
        ``"scene"`` or ``"object"``: what the pictures show.
    label : callable
        (numbers, notes) -> labels: the numbers of some pictures, (n,) int, and what `note_scene` said of each, (n, 2)
        int; the labels are (n,) int.
    turns : bool
        Whether each picture is turned by as many right angles as its label says, anew each time that it is shown.
    """

    name: str
    classes: tuple[str, ...]
    pictures: str
    label: Callable[[np.ndarray, np.ndarray], np.ndarray]
    turns: bool = False


@cache
def named_task(name: str) -> Task:
    """A task by its name.

    Parameters
    ----------
    name : {'scene', 'object', 'setting', 'light', 'main_object', 'rotation'}
        ``"scene"``: the category. ``"object"``: the one object of an object-centric picture. ``"setting"``: indoors or
        outdoors. ``"light"``: the time of day. ``"main_object"``: the class of objects that covers most of a scene.
        ``"rotation"``: by how many right angles a scene was turned, which needs no label of the scene.

    Returns
    -------
    Task
        The task.

    Raises
    ------
    SceneLensError
        If there is no such task.

    Examples
    --------
    >>> named_task("setting").label(np.array([0, 23, 24]), np.zeros((3, 2), int)).tolist()
    [0, 1, 0]
    """
    categories, n = tuple(scene_categories()), len(scene_categories())
    settings = np.array([scene_setting(category) != "indoor" for category in categories], int)
    looks = tuple(object_classes())
    known = {
        "scene": Task("scene", categories, "scene", lambda numbers, notes: numbers % n),
        "object": Task("object", looks, "object", lambda numbers, notes: numbers % len(looks)),
        "setting": Task("setting", ("indoor", "outdoor"), "scene", lambda numbers, notes: settings[numbers % n]),
        "light": Task("light", _LIGHTS, "scene", lambda numbers, notes: notes[:, 1]),
        "main_object": Task("main_object", (*_main_objects(), _NOTHING), "scene", lambda numbers, notes: notes[:, 0]),
        # Categories take turns, so every category has all four turns.
        "rotation": Task("rotation", ("0", "90", "180", "270"), "scene", lambda numbers, notes: numbers // n % 4, turns=True),
    }
    if name not in known:
        raise SceneLensError(f"no task named {name!r}; {close_names(name, known)}")
    return known[name]


def note_scene(scene: Scene) -> tuple[int, int]:
    """Note what is asked of a scene besides its category.

    Parameters
    ----------
    scene : Scene
        The scene.

    Returns
    -------
    main_object : int
        The class of objects with the most pixels, as a class of the task; the first of equals.
    light : int
        The time of day, as a class of the task.
    """
    areas = {name: int(mask.sum()) for name, mask in scene.picture.masks().items()}
    names: Sequence[str] = _main_objects()
    largest = max(sorted(areas), key=areas.__getitem__, default=_NOTHING)
    main = names.index(largest) if largest in names else len(names)
    return main, min(int(scene.light.warmth * len(_LIGHTS)), len(_LIGHTS) - 1)


def _main_objects() -> tuple[str, ...]:
    return tuple(sorted(OBJECTS))
