"""Which object appears in which scene, and how often: the world's known truth, read from ``world.toml``.

The table is the only thing that ties a scene's category to its picture.  Because it is known, every
claim about a network trained on the world (which objects emerge, how frequent and how informative they
are) can be checked against the way the world was made.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError, close_names

TABLE = Path(__file__).with_name("world.toml")
_CHANCE = re.compile(r"^(\d+(?:\.\d+)?)%(?: (\d+)(?:-(\d+))?)?$")


@dataclass(frozen=True)
class Chance:
    """How an object appears in a scene: in which share of its images, and how many there then are."""

    presence: float
    fewest: int = 1
    most: int = 1

    @property
    def expected(self) -> float:
        """Instances per image of the scene, on average."""
        return self.presence * (self.fewest + self.most) / 2

    def draw(self, rng: np.random.Generator) -> int:
        """How many there are in one image; 0 where it is absent."""
        return int(rng.integers(self.fewest, self.most + 1)) if rng.random() < self.presence else 0


def read_chance(text: str) -> Chance:
    """Read one entry of the table, ``"60%"`` or ``"60% 1-3"``.

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
    """The objects that appear in every ``"indoor"`` or ``"outdoor"`` scene and so say little.

    >>> "person" in common_objects("indoor"), "bed" in common_objects("indoor")
    (True, False)
    """
    return frozenset(tomllib.loads(TABLE.read_text())["everywhere"][setting])


@cache
def _table() -> tuple[dict[str, str], dict[str, dict[str, Chance]]]:
    """({category: setting}, {category: {object: Chance}}), objects that are everywhere included."""
    raw = tomllib.loads(TABLE.read_text())
    settings, contents = {}, {}
    for category, lines in raw["scenes"].items():
        setting = lines.pop("setting")
        entries = {**raw["everywhere"][setting], **lines}
        settings[category] = setting
        contents[category] = {name: read_chance(text) for name, text in entries.items()}
    return settings, contents


def scene_categories() -> list[str]:
    """The scene categories, in the table's order; indoor ones first.

    >>> scene_categories()[:3]
    ['bedroom', 'nursery', 'living_room']
    """
    return list(_table()[0])


def scene_setting(category: str) -> str:
    """``"indoor"`` or ``"outdoor"``.

    >>> scene_setting("harbor")
    'outdoor'
    """
    _known(category)
    return _table()[0][category]


def scene_contents(category: str) -> dict[str, Chance]:
    """Every object (or look of one: "tent/camping") a scene may hold, with its chance.

    >>> scene_contents("bedroom")["bed"].presence
    0.94
    """
    _known(category)
    return _table()[1][category]


def truth_table() -> pd.DataFrame:
    """The whole table, tidy: scene, setting, object, look (or ""), presence (0..1), expected instances per image.

    >>> float(truth_table().query("scene == 'harbor' and object == 'boat'").expected.iloc[0].round(2))
    2.76
    """
    rows = [
        (category, setting, *name.partition("/")[::2], chance.presence, chance.expected)
        for category, setting in _table()[0].items()
        for name, chance in _table()[1][category].items()
    ]
    return pd.DataFrame(rows, columns=["scene", "setting", "object", "look", "presence", "expected"])


def draw_contents(category: str, rng: np.random.Generator) -> list[str]:
    """The objects of one image of the scene, each as often as it appears; an empty draw is drawn again."""
    while True:
        drawn = [name for name, chance in scene_contents(category).items() for _ in range(chance.draw(rng))]
        if drawn:
            return drawn


def _known(category: str) -> None:
    if category not in _table()[0]:
        raise SceneLensError(f"no scene named {category!r}; {close_names(category, _table()[0])}")
