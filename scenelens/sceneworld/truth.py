"""Which object appears in which scene, and how often: the truth about SceneWorld, read from ``world.toml``.

The table is the only connection between a scene's category and its picture.  Because the table is known, every
claim about a network trained on SceneWorld (which objects emerge as detectors, how frequent and how informative
they are) can be compared with the way the world was made.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError, close_names

__all__ = [
    "Chance", "as_table", "common_objects", "draw_contents", "read_chance", "scene_categories", "scene_contents", "scene_setting",
    "truth_table",
]  # fmt: skip

TABLE = Path(__file__).with_name("world.toml")
_CHANCE = re.compile(r"^(\d+(?:\.\d+)?)%(?: (\d+)(?:-(\d+))?)?$")


@dataclass(frozen=True)
class Chance:
    """How often an object appears in the images of one scene category, and in what number.

    Attributes
    ----------
    presence : float
        Share of the images, 0..1, that contain the object at all.
    fewest : int, optional
        Least number of instances in an image that contains the object (default 1).
    most : int, optional
        Greatest number of instances in such an image (default 1); every number in between is equally likely.
    """

    presence: float
    fewest: int = 1
    most: int = 1

    @property
    def expected(self) -> float:
        """Mean number of instances per image of the scene category."""
        return self.presence * (self.fewest + self.most) / 2

    def draw(self, rng: np.random.Generator) -> int:
        """Draw the number of instances for one image.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of the random numbers.

        Returns
        -------
        int
            Number of instances; 0 if the image does not contain the object.
        """
        return int(rng.integers(self.fewest, self.most + 1)) if rng.random() < self.presence else 0


def read_chance(text: str) -> Chance:
    """Read one entry of the table, ``"60%"`` or ``"60% 1-3"``.

    Parameters
    ----------
    text : str
        The entry: a percentage, then optionally a number of instances or a range of numbers.

    Returns
    -------
    Chance
        The entry as numbers.

    Raises
    ------
    SceneLensError
        If the text has another form.

    Examples
    --------
    >>> read_chance("60% 1-3")
    Chance(presence=0.6, fewest=1, most=3)
    """
    match = _CHANCE.match(text)
    if not match:
        raise SceneLensError(f"{TABLE.name}: {text!r} is not of the form '60%' or '60% 1-3'")
    share, fewest, most = match.groups()
    return Chance(float(share) / 100, int(fewest or 1), int(most or fewest or 1))


@cache
def common_objects(setting: str) -> frozenset[str]:
    """Objects that may appear in every scene of a setting and therefore say little about the category.

    Parameters
    ----------
    setting : {'indoor', 'outdoor'}
        Kind of scene.

    Returns
    -------
    frozenset of str
        Names of object classes.

    Examples
    --------
    >>> "person" in common_objects("indoor"), "bed" in common_objects("indoor")
    (True, False)
    """
    return frozenset(tomllib.loads(TABLE.read_text("utf-8"))["everywhere"][setting])


@cache
def _table() -> tuple[dict[str, str], dict[str, dict[str, Chance]]]:
    """Read ({category: setting}, {category: {object: Chance}}), common objects included."""
    raw = tomllib.loads(TABLE.read_text("utf-8"))
    settings, contents = {}, {}
    for category, lines in raw["scenes"].items():
        setting = lines.pop("setting")
        # A scene's own line replaces the common one at the common one's place in the order. The order matters: random
        # numbers are drawn for one entry after the other, so another order would give other contents.
        entries = {**raw["everywhere"][setting], **lines}
        settings[category] = setting
        contents[category] = {name: read_chance(text) for name, text in entries.items()}
    return settings, contents


def scene_categories() -> list[str]:
    """The scene categories, in the order of the table; indoor categories come first.

    Returns
    -------
    list of str
        Names of the categories.

    Examples
    --------
    >>> scene_categories()[:3]
    ['bedroom', 'nursery', 'living_room']
    """
    return list(_table()[0])


def scene_setting(category: str) -> str:
    """Whether a scene category is indoors or outdoors.

    Parameters
    ----------
    category : str
        One of `scene_categories()`.

    Returns
    -------
    str
        ``"indoor"`` or ``"outdoor"``.

    Raises
    ------
    SceneLensError
        If there is no such category.

    Examples
    --------
    >>> scene_setting("harbor")
    'outdoor'
    """
    _check_category(category)
    return _table()[0][category]


def scene_contents(category: str) -> dict[str, Chance]:
    """Every object that a scene category may contain, with its chance.

    Parameters
    ----------
    category : str
        One of `scene_categories()`.

    Returns
    -------
    dict of str to Chance
        Keys are object classes, or one look of a class (``"tent/camping"``).

    Raises
    ------
    SceneLensError
        If there is no such category.

    Examples
    --------
    >>> scene_contents("bedroom")["bed"].presence
    0.94
    """
    _check_category(category)
    return _table()[1][category]


def truth_table() -> pd.DataFrame:
    """The whole table: every scene category with every object that it may contain.

    Returns
    -------
    pandas.DataFrame
        One row per scene category and object: ``scene``, ``setting``, ``object``, ``look`` (an empty string if any
        look may appear), ``presence`` (share of the images, 0..1) and ``expected`` (mean number of instances per image).

    Examples
    --------
    >>> float(truth_table().query("scene == 'harbor' and object == 'boat'").expected.iloc[0].round(2))
    2.76
    """
    return as_table(_table()[1])


def as_table(contents: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """A world's contents as a table.

    Parameters
    ----------
    contents : mapping of str to mapping of str to Chance
        Scene category -> object, or look -> how often it appears.

    Returns
    -------
    pandas.DataFrame
        In the form of `truth_table`.
    """
    rows = [
        (category, scene_setting(category), *name.partition("/")[::2], chance.presence, chance.expected)
        for category, entries in contents.items()
        for name, chance in entries.items()
    ]
    return pd.DataFrame(rows, columns=["scene", "setting", "object", "look", "presence", "expected"])


def draw_contents(category: str, rng: np.random.Generator) -> list[str]:
    """Draw the objects of one image of a scene category.

    Parameters
    ----------
    category : str
        One of `scene_categories()`.
    rng : numpy.random.Generator
        Source of the random numbers.

    Returns
    -------
    list of str
        Names of the objects, each repeated as often as the image contains it; never empty.
    """
    while True:  # an image without any object would belong to no category, so an empty draw is repeated
        drawn = [name for name, chance in scene_contents(category).items() for _ in range(chance.draw(rng))]
        if drawn:
            return drawn


def _check_category(category: str) -> None:
    if category not in _table()[0]:
        raise SceneLensError(f"no scene named {category!r}; {close_names(category, _table()[0])}")
