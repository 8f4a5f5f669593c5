"""Worlds: SceneWorld as it is shipped, or edited in what appears where and in what else tells its scenes.

In the shipped world only objects tell the scenes.  What makes object detectors emerge?  One edit changes one cause and
leaves the rest::

    world = read_world().without_diagnosticity("lamp")       # lamps say nothing about the room, and are as many as before
    world = read_world().make_diagnostic("plant", scenes=["bathroom", "office", "kitchen", "nursery", "bookstore", "bedroom"])
    world = read_world().scale_frequency("bed", 0.5)
    world = read_world().tell_by("texture", objects=False)   # walls, floors, grounds and skies tell the scenes, objects do not

A world is a value: an edit returns another world, and two worlds with the same edits are equal.  Pictures are drawn
from the same seeds in all worlds.  What an image contains besides the edited objects stays the same, and an image whose
contents stay the same is the same to the last bit.  Where an object comes or goes the others find new places: a gap
where a bed stood would still say that this is a bedroom.

Frequencies are those of the contents.  Some objects find no place in a picture, and many large ones that come into a
room which is full already find none more often: of two to four washing machines 1% in laundromats, 17% elsewhere.
`check` counts them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError, close_names
from scenelens.sceneworld.place.cues import CUES, NO_CUE, Cue
from scenelens.sceneworld.truth import Chance, as_table, draw_contents, scene_categories, scene_contents, scene_setting
from scenelens.sceneworld.world import stable_seed

__all__ = ["MixedChance", "SceneWorld", "read_world"]

#: The name of an edit, then what it was called with: plain strings, numbers and tuples, so that JSON can hold it.
Edit = tuple[Any, ...]


@dataclass(frozen=True)
class MixedChance:
    """How often an object appears, where lines of the table were scaled or mixed.

    Attributes
    ----------
    parts : tuple of (float, Chance)
        Weights and lines of the table: an image takes its number of instances from one of them.
    """

    parts: tuple[tuple[float, Chance], ...]

    @property
    def presence(self) -> float:
        """Share of the images, 0..1, that contain the object at all."""
        return math.fsum(weight * chance.presence for weight, chance in self.parts)

    @property
    def expected(self) -> float:
        """Mean number of instances per image of the scene category."""
        return math.fsum(weight * chance.expected for weight, chance in self.parts)

    def draw_number(self, rng: np.random.Generator) -> int:
        """Draw the number of instances of an image that contains the object.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of the random numbers.

        Returns
        -------
        int
            At least 1.
        """
        shares = np.array([weight * chance.presence for weight, chance in self.parts])
        chance = self.parts[int(rng.choice(len(shares), p=shares / shares.sum()))][1]
        return int(rng.integers(chance.fewest, chance.most + 1))

    def has_numbers_of(self, chance: Chance) -> bool:
        """Whether images that contain the object contain as many as by one line of the table.

        Parameters
        ----------
        chance : Chance
            The line.

        Returns
        -------
        bool
            Whether the numbers are the same.
        """
        return {(one.fewest, one.most) for _, one in self.parts} == {(chance.fewest, chance.most)}


#: category -> object (or look) -> chance: a `Chance` as shipped, a `MixedChance` where it was edited.
Contents = dict[str, dict[str, Chance | MixedChance]]


@dataclass(frozen=True)
class SceneWorld:
    """A world: what appears where, and what besides objects tells the scenes. `read_world` gives the shipped one.

    Attributes
    ----------
    edits : tuple of tuple
        What was changed, in order: the name of the method, then its arguments. Empty for the shipped world.

    Examples
    --------
    >>> world = SceneWorld().without_diagnosticity("bed")
    >>> world.contents("bedroom")["bed"].presence == world.contents("kitchen")["bed"].presence
    True
    >>> world == SceneWorld().without_diagnosticity("bed") != SceneWorld()
    True
    """

    edits: tuple[Edit, ...] = ()

    # ---- edits

    def without_diagnosticity(self, *objects: str) -> SceneWorld:
        """Let objects appear equally often in every scene of their group, and as often in all as before.

        The groups are the indoor and the outdoor scenes. In every scene of a group, an object's number of instances is
        drawn as in a randomly chosen scene of the group, so that its numbers keep their distribution, too.

        Parameters
        ----------
        *objects : str
            Object classes; all of them if none is named.

        Returns
        -------
        SceneWorld
            The edited world.

        Raises
        ------
        SceneLensError
            If there is no such object.
        """
        return self._edited("without_diagnosticity", *objects)

    def make_diagnostic(self, name: str, scenes: Sequence[str]) -> SceneWorld:
        """Let an object appear in some scenes only, equally often in each, and as often in all as before.

        Parameters
        ----------
        name : str
            Object class.
        scenes : sequence of str
            The scene categories in which it appears.

        Returns
        -------
        SceneWorld
            The edited world.

        Raises
        ------
        SceneLensError
            If there is no such object or scene, the object never appears in such scenes (indoors, outdoors), or so few
            scenes cannot hold it.
        """
        return self._edited("make_diagnostic", name, tuple(scenes))

    def scale_frequency(self, name: str, factor: float) -> SceneWorld:
        """Let an object appear more or less often, by one factor in all scenes.

        Parameters
        ----------
        name : str
            Object class.
        factor : float
            Factor on the share of images that contain it; 0 removes it.

        Returns
        -------
        SceneWorld
            The edited world.

        Raises
        ------
        SceneLensError
            If there is no such object, the factor is negative, or a scene would contain the object in more than all images.
        """
        return self._edited("scale_frequency", name, float(factor))

    def tell_by(self, cue: str, objects: bool = True) -> SceneWorld:
        """Let something besides objects tell the scenes: the paper's rival explanations.

        Texture and colour are taken from what the shipped world draws at random for all categories, so that only the
        connection with the category is new; views come from wider ranges. Two calls give two cues.

        Parameters
        ----------
        cue : {'texture', 'layout', 'colour'}
            ``"texture"``: each category has materials of its own, for wall and floor, or ground and sky.
            ``"layout"``: views and places of objects. ``"colour"``: the palette of the whole picture and its light.
        objects : bool, optional
            Whether objects go on telling the scenes (default True). If not, all of them appear as
            `without_diagnosticity` says.

        Returns
        -------
        SceneWorld
            The edited world.

        Raises
        ------
        SceneLensError
            If there is no such cue.
        """
        return self._edited("tell_by", cue, bool(objects))

    def _edited(self, name: str, *arguments: object) -> SceneWorld:
        world = SceneWorld((*self.edits, (name, *arguments)))
        _contents(world.edits)  # raises on what cannot be
        return world

    # ---- what pictures are drawn from

    def contents(self, category: str) -> dict[str, Chance | MixedChance]:
        """Every object that a scene category may contain, with its chance.

        Parameters
        ----------
        category : str
            One of `scene_categories()`.

        Returns
        -------
        dict of str to Chance or MixedChance
            Keys are object classes, or one look of a class (``"tent/camping"``).

        Raises
        ------
        SceneLensError
            If there is no such category.
        """
        scene_setting(category)  # raises on an unknown category
        return _contents(self.edits)[category]

    def truth_table(self) -> pd.DataFrame:
        """The world's table, in the form of `sceneworld.truth_table`.

        Returns
        -------
        pandas.DataFrame
            One row per scene category and object: ``scene``, ``setting``, ``object``, ``look``, ``presence``, ``expected``.

        Examples
        --------
        >>> table = SceneWorld().scale_frequency("bed", 0.5).truth_table()
        >>> float(table.query("scene == 'bedroom' and object == 'bed'").presence.iloc[0])
        0.47
        """
        return as_table(_contents(self.edits))

    def draw_contents(self, category: str, seed: int) -> list[str]:
        """Draw the objects of one image.

        Parameters
        ----------
        category : str
            One of `scene_categories()`.
        seed : int
            Seed of the image.

        Returns
        -------
        list of str
            Names of the objects, each repeated as often as the image contains it; never empty. Objects whose chance is
            the shipped one are those of the shipped world's image.
        """
        rng = np.random.default_rng(stable_seed("contents", category, seed))
        shipped, own = scene_contents(category), self.contents(category)
        if own == shipped:
            return draw_contents(category, rng)
        edited = [name for name, chance in own.items() if chance != shipped.get(name)]
        others = {name: np.random.default_rng(stable_seed("contents", category, seed, name)) for name in edited}
        while True:  # as in the shipped world, an empty draw is repeated
            drawn = [name for name, number in _draw_once(shipped, own, rng, others) for _ in range(number)]
            if drawn:
                return drawn

    def draws_as_shipped(self, category: str, seed: int) -> bool:
        """Whether an image is the shipped world's, to the last bit.

        Parameters
        ----------
        category : str
            One of `scene_categories()`.
        seed : int
            Seed of the image.

        Returns
        -------
        bool
            Whether it has the shipped world's contents, and nothing else tells its scene.
        """
        return self.cue(category) == NO_CUE and self.draw_contents(category, seed) == SceneWorld().draw_contents(category, seed)

    def cue(self, category: str) -> Cue:
        """What besides objects tells a scene category.

        Parameters
        ----------
        category : str
            One of `scene_categories()`.

        Returns
        -------
        Cue
            The cue, which the stage and the places of objects are drawn with.

        Raises
        ------
        SceneLensError
            If there is no such category.
        """
        group = _group(scene_setting(category))
        kinds = frozenset(edit[1] for edit in self.edits if edit[0] == "tell_by")
        return Cue(kinds, group.index(category), len(group)) if kinds else NO_CUE


def read_world(edits: str | Iterable[Sequence[Any]] = ()) -> SceneWorld:
    """Read a world from its edits; without any, the world as it is shipped.

    Parameters
    ----------
    edits : str or iterable of sequence, optional
        `SceneWorld.edits`, as tuples, as lists or as JSON, such as a model card holds them (default none).

    Returns
    -------
    SceneWorld
        The world.

    Raises
    ------
    SceneLensError
        If they are no edits of a world.

    Examples
    --------
    >>> read_world('[["scale_frequency", "bed", 0.5]]') == read_world().scale_frequency("bed", 0.5)
    True
    """
    world = SceneWorld()
    try:
        given: Iterable[Sequence[Any]] = json.loads(edits) if isinstance(edits, str) else edits
        for name, *arguments in given:
            if name not in _EDITS:
                raise SceneLensError(f"a world has no edit named {name!r}; {close_names(str(name), _EDITS)}")
            world = getattr(world, name)(*arguments)
    except SceneLensError:  # a ValueError, too, and says all itself
        raise
    except (TypeError, ValueError) as error:
        raise SceneLensError(f"{edits!r} are no edits of a world ({error}); SceneWorld.edits has their form.") from None
    return world


# ---- what edits do to the table


def _diagnosticity_removed(contents: Contents, *objects: str) -> None:
    """Change the contents in place: every line of the objects becomes the mean over its group."""
    for name in objects:
        _check_object(name, contents)
    for setting in ("indoor", "outdoor"):
        group = _group(setting)
        keys = dict.fromkeys(key for category in group for key in contents[category])
        for key in keys:
            if not objects or _class_of(key) in objects:
                mean = _mixed([contents[category].get(key) for category in group], 1 / len(group))
                for category in group:
                    contents[category][key] = mean


def _made_diagnostic(contents: Contents, name: str, scenes: Sequence[str]) -> None:
    """Change the contents in place: all lines of the object move to the scenes."""
    _check_object(name, contents)
    scenes = list(dict.fromkeys(scenes))
    if not scenes:
        raise SceneLensError(f"make_diagnostic({name!r}) needs a scene in which {name} appears.")
    for scene in scenes:
        setting = scene_setting(scene)
        if not any(_class_of(key) == name for category in _group(setting) for key in contents[category]):
            raise SceneLensError(f"{name} never appears {setting}s, so it cannot be made diagnostic of {scene}.")
    keys = dict.fromkeys(key for entries in contents.values() for key in entries if _class_of(key) == name)
    for key in keys:  # one look of the object, or any
        moved = _mixed([entries.pop(key, None) for entries in contents.values()], 1 / len(scenes))
        if moved.presence > 1:
            least, most = math.ceil(moved.presence * len(scenes)), math.floor(100 / moved.presence) / 100
            few = f"{len(scenes)} scene{'s' * (len(scenes) > 1)}"
            raise SceneLensError(
                f"{name} is too frequent for {few}: name at least {least}, or call scale_frequency({name!r}, {most:g}) first."
            )
        for scene in scenes:
            contents[scene][key] = moved


def _frequency_scaled(contents: Contents, name: str, factor: float) -> None:
    """Change the contents in place: the object's presence times a factor."""
    _check_object(name, contents)
    if not 0 <= factor < math.inf:
        raise SceneLensError(f"factor = {factor:g} of scale_frequency is negative or not finite.")
    for category, entries in contents.items():
        for key in [key for key in entries if _class_of(key) == name]:
            scaled = _mixed([entries[key]], factor)
            if scaled.presence > 1:
                most = math.floor(100 / entries[key].presence) / 100
                raise SceneLensError(f"{name} cannot be {factor:g} times as frequent in {category}: at most {most} times.")
            entries[key] = scaled
            if not scaled.presence:
                del entries[key]


def _told_by(contents: Contents, cue: str, objects: bool) -> None:
    """Change the contents in place: without objects' diagnosticity, unless objects go on telling the scenes."""
    if cue not in CUES:
        raise SceneLensError(f"scenes cannot be told by {cue!r}; {close_names(str(cue), CUES)}")
    if not objects:
        _diagnosticity_removed(contents)


_EDITS: dict[str, Callable[..., None]] = {
    "without_diagnosticity": _diagnosticity_removed,
    "make_diagnostic": _made_diagnostic,
    "scale_frequency": _frequency_scaled,
    "tell_by": _told_by,
}


@cache
def _contents(edits: tuple[Edit, ...]) -> Contents:
    contents: Contents = {category: dict(scene_contents(category)) for category in scene_categories()}
    for name, *arguments in edits:
        _EDITS[name](contents, *arguments)
    return contents


def _mixed(lines: Iterable[Chance | MixedChance | None], weight: float) -> MixedChance:
    """Some lines, each with a weight; None stands for a line that is missing, of an object that never appears."""
    weights: dict[Chance, float] = {}
    for line in lines:
        parts = line.parts if isinstance(line, MixedChance) else ((1.0, line),) if line is not None else ()
        for share, chance in parts:
            weights[chance] = weights.get(chance, 0.0) + share * weight
    return MixedChance(tuple((share, chance) for chance, share in weights.items()))


def _draw_once(
    shipped: dict[str, Chance],
    own: dict[str, Chance | MixedChance],
    rng: np.random.Generator,
    others: dict[str, np.random.Generator],
) -> Iterable[tuple[str, int]]:
    """Draw (object, number of instances), the shipped world's objects in its order and with its random numbers.

    Whether an edited object is there is decided by the same number as in the shipped world, so that an object that
    becomes rarer leaves images and comes into none. What that number does not decide comes from `others`.
    """
    for name in {**shipped, **own}:
        line, chance, number, share = shipped.get(name), own.get(name), 0, 1.0
        if line is not None:
            share = rng.random()
            number = int(rng.integers(line.fewest, line.most + 1)) if share < line.presence else 0
        if isinstance(chance, MixedChance):
            share = share if line is not None else others[name].random()
            keeps = number and line is not None and chance.has_numbers_of(line)
            number = 0 if share >= chance.presence else number if keeps else chance.draw_number(others[name])
        yield name, number if chance is not None else 0


def _group(setting: str) -> list[str]:
    """The scene categories of a setting, in the table's order."""
    return [category for category in scene_categories() if scene_setting(category) == setting]


def _class_of(key: str) -> str:
    """The object class of a line of the table, ``"tent"`` of ``"tent/camping"``."""
    return key.partition("/")[0]


def _check_object(name: str, contents: Contents) -> None:
    known = {_class_of(key): None for entries in contents.values() for key in entries}
    if name not in known:
        raise SceneLensError(f"no object named {name!r} appears in this world; {close_names(str(name), list(known))}")
