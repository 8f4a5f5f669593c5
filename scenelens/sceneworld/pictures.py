"""The pictures that networks are trained on, rendered in groups, kept on disk while they are needed.

A renderer never runs out of pictures, but a disk is full soon: groups that are no longer needed leave it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from scenelens.sceneworld.objects import object_classes
from scenelens.sceneworld.render.pipeline import SIZE
from scenelens.sceneworld.scenes import compose_scene
from scenelens.sceneworld.studio import render_object
from scenelens.sceneworld.tasks import Task, note_scene
from scenelens.sceneworld.truth import scene_categories
from scenelens.sceneworld.world import stable_seed
from scenelens.sceneworld.worlds import SceneWorld

__all__ = ["Group", "Pictures", "Source", "begin_rendering"]

_SHIPPED = SceneWorld()


@dataclass(frozen=True)
class Source:
    """Where pictures come from: what they show, in which world, with which seeds.

    Attributes
    ----------
    kind : str
        ``"scene"`` or ``"object"``.
    first_seed : int
        The seed of picture 0.
    world : SceneWorld
        The world of scenes.
    """

    kind: str
    first_seed: int
    world: SceneWorld = _SHIPPED

    @property
    def name(self) -> str:
        """A name for files, another one for each world."""
        mark = f"-{stable_seed(self.world.edits):016x}" if self.kind == "scene" and self.world.edits else ""
        return f"{self.kind}{mark}"

    def is_shipped(self, i: int) -> bool:
        """Whether picture ``i`` is the shipped world's, to the last bit: most pictures of a world with one edit are.

        Parameters
        ----------
        i : int
            Its number, from 0.

        Returns
        -------
        bool
            Whether it is.
        """
        category = scene_categories()[i % len(scene_categories())]
        return self.kind == "object" or self.world.draws_as_shipped(category, self.first_seed + i)

    def render(self, i: int) -> tuple[np.ndarray, tuple[int, int]]:
        """Render picture ``i``: classes take turns, and every picture has its own seed.

        Parameters
        ----------
        i : int
            Its number, from 0.

        Returns
        -------
        image : numpy.ndarray
            (227, 227, 3) uint8.
        notes : tuple of int
            What `note_scene` says of a scene; zeros for an object.
        """
        if self.kind == "object":
            names = object_classes()
            return render_object(names[i % len(names)], self.first_seed + i)[0], (0, 0)
        categories = scene_categories()
        scene = compose_scene(categories[i % len(categories)], self.first_seed + i, world=self.world)
        return scene.image, note_scene(scene)


@dataclass(frozen=True)
class Group:
    """Some pictures.

    Attributes
    ----------
    numbers : numpy.ndarray
        (n,) int, their numbers.
    images : numpy.ndarray
        (n, 227, 227, 3) uint8, mapped from a file.
    notes : numpy.ndarray
        (n, 2) int, see `tasks.note_scene`.
    """

    numbers: np.ndarray
    images: np.ndarray
    notes: np.ndarray

    def labels(self, task: Task) -> np.ndarray:
        """The right answers of a task.

        Parameters
        ----------
        task : Task
            The task.

        Returns
        -------
        numpy.ndarray
            (n,) int64.
        """
        return task.label(self.numbers, self.notes).astype(np.int64)


def begin_rendering(path: Path, source: Source, numbers: range, pool: Executor) -> Callable[[], Group]:
    """Start to render pictures, and return how to get them.

    They are rendered once, and then read from files. The images' file gets its name when all is complete: a run that was
    stopped renders them again. Where the same pictures of the shipped world lie in the folder, those that an edit leaves
    as they are are copied.

    Parameters
    ----------
    path : pathlib.Path
        The file of the images. What was noted of them goes next to it.
    source : Source
        Where they come from.
    numbers : range
        The numbers of the pictures.
    pool : concurrent.futures.Executor
        Processes that render.

    Returns
    -------
    callable
        Called without arguments it waits for the pictures, and returns a `Group`.
    """
    if _is_there(path):
        return partial(_read, path, numbers)
    shipped = path.with_name(path.name.replace(source.name, source.kind, 1))
    known = _read(shipped, numbers) if shipped != path and _is_there(shipped) else None
    is_same = [known is not None and source.is_shipped(i) for i in numbers]
    rendered = pool.map(source.render, [i for i, same in zip(numbers, is_same, strict=True) if not same], chunksize=8)

    def finish() -> Group:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.npy")
        images = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=(len(numbers), SIZE, SIZE, 3))
        notes = np.zeros((len(numbers), 2), np.int16)
        for i, same in enumerate(is_same):
            images[i], notes[i] = (known.images[i], known.notes[i]) if known is not None and same else next(rendered)
        images.flush()
        del images  # Windows moves no file that is in use
        with _notes_path(path).open("wb") as file:
            np.save(file, notes)
        unfinished.replace(path)
        return _read(path, numbers)

    return finish


def _notes_path(path: Path) -> Path:
    return path.with_suffix(".notes")


def _is_there(path: Path) -> bool:
    return path.exists() and _notes_path(path).exists()


def _read(path: Path, numbers: range) -> Group:
    with _notes_path(path).open("rb") as file:
        notes = np.load(file)
    return Group(np.array(numbers), np.load(path, mmap_mode="r"), notes)


class Pictures:
    """Pictures for training, one group after another; groups that are no longer needed leave the disk.

    Parameters
    ----------
    source : Source
        Where they come from.
    numbers : callable
        Number of a group -> the numbers of its pictures, a range.
    folder : pathlib.Path
        Where they are kept.
    mark : str
        What tells these groups from those of another size.
    pool : concurrent.futures.Executor
        Processes that render.
    keep : bool
        Whether they stay on disk.
    """

    def __init__(self, source: Source, numbers: Callable[[int], range], folder: Path, mark: str, pool: Executor, keep: bool) -> None:
        self._source, self._numbers, self._folder, self._mark = source, numbers, folder, mark
        self._pool, self._keep = pool, keep
        self._begun: dict[int, Callable[[], Group]] = {}
        self._groups: dict[int, Group] = {}

    def _path(self, group: int) -> Path:
        return self._folder / f"{self._source.name}_{self._mark}_{group:05d}.npy"

    def begin(self, window: range) -> None:
        """Start to render what a window needs.

        Parameters
        ----------
        window : range
            Numbers of groups.
        """
        for group in window:
            if group not in self._begun:
                self._begun[group] = begin_rendering(self._path(group), self._source, self._numbers(group), self._pool)

    def of(self, window: range) -> list[Group]:
        """The groups of a window; those before it are forgotten.

        Parameters
        ----------
        window : range
            Numbers of groups.

        Returns
        -------
        list of Group
            The groups.
        """
        self.begin(window)
        for group in [number for number in self._groups if number < window.start]:
            del self._groups[group]
            if not self._keep:
                self._remove(group)
        for group in window:
            if group not in self._groups:
                self._groups[group] = self._begun[group]()
        return [self._groups[group] for group in window]

    def _remove(self, group: int) -> None:
        for path in (self._path(group), _notes_path(self._path(group))):
            path.unlink(missing_ok=True)
