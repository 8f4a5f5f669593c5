"""Which networks are trained: one for each edit, each task, and each seed of the unchanged world."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scenelens.sceneworld import SceneWorld, read_world

#: Kinds of runs, in the order in which they are trained: all others are compared with the first.
KINDS = ("unchanged", "diagnosticity", "frequency", "cue", "task")
_SEEDS = range(3)
#: Objects that tell one scene in the unchanged world, and that units of several networks in the tables of
#: `seeds` detect. Their diagnosticity is removed, and they become rarer. They find a place in all other
#: scenes, too.
_DIAGNOSTIC = ("blackboard", "lighthouse", "barn")
_RARER = 0.25
#: Objects that are everywhere -> the scenes which they come to tell, and how much more frequent they become.
#: So few scenes hold them all, and no scene has them in more than nine of ten images.
_COMMON = {
    "cat": (("bathroom",), 4.0),
    "rug": (("bathroom", "office", "bookstore", "restaurant"), 2.0),
    "bird": (("market", "playground", "cemetery"), 2.5),
}
_CUES = ("texture", "layout", "colour")
_TASKS = ("setting", "light", "main_object", "rotation")


@dataclass(frozen=True)
class _Run:
    """One network to be trained.

    Attributes
    ----------
    name : str
        Name of its files.
    kind : str
        One of `KINDS`.
    world : SceneWorld
        The world of its pictures.
    task : str
        What it is trained to tell.
    seed : int
        Its random start.
    object : str
        The edited object; '' where no single object is.
    expected : int
        1 where the paper's finding would give the object more detectors than in the unchanged world, -1 where
        fewer, 0 where it says nothing.
    """

    name: str
    kind: str
    world: SceneWorld
    task: str = "scene"
    seed: int = 0
    object: str = ""
    expected: int = 0

    @property
    def edits(self) -> str:
        """The edits of its world, as JSON."""
        return json.dumps(self.world.edits)

    def row(self) -> dict[str, Any]:
        """What identifies it in a table."""
        return {"run": self.name, "kind": self.kind, "task": self.task, "seed": self.seed,
                "object": self.object, "edits": self.edits if self.world.edits else ""}  # fmt: skip


def _plan() -> list[_Run]:
    """All runs, in the order of `KINDS`.

    Returns
    -------
    list of _Run
        The runs; their names differ.
    """
    world = read_world()
    unchanged = [_Run(f"unchanged_{seed}", "unchanged", world, seed=seed) for seed in _SEEDS]
    cues = [_cue(world, cue, objects) for cue in _CUES for objects in (False, True)]
    tasks = [_Run(f"task_{task}", "task", world, task=task) for task in _TASKS]
    return [*unchanged, *_diagnosticity(world), *_frequency(world), *cues, *tasks]


def _diagnosticity(world: SceneWorld) -> Iterator[_Run]:
    """Objects that tell a scene come to tell none, and the other way round; all stay as frequent."""
    for name in _DIAGNOSTIC:
        edited = world.without_diagnosticity(name)
        yield _Run(f"everywhere_{name}", "diagnosticity", edited, object=name, expected=-1)
    for name, (scenes, _) in _COMMON.items():
        edited = world.make_diagnostic(name, scenes)
        yield _Run(f"diagnostic_{name}", "diagnosticity", edited, object=name, expected=1)


def _frequency(world: SceneWorld) -> Iterator[_Run]:
    """The same objects become rarer or more frequent, in the scenes where they are."""
    for name in _DIAGNOSTIC:
        edited = world.scale_frequency(name, _RARER)
        yield _Run(f"rarer_{name}", "frequency", edited, object=name, expected=-1)
    for name, (_, factor) in _COMMON.items():
        edited = world.scale_frequency(name, factor)
        yield _Run(f"more_frequent_{name}", "frequency", edited, object=name, expected=1)


def _cue(world: SceneWorld, cue: str, objects: bool) -> _Run:
    return _Run(f"{cue}_{'and_objects' if objects else 'alone'}", "cue", world.tell_by(cue, objects=objects))
