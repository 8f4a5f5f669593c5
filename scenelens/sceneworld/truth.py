"""Which object appears in which scene, and how often: the world's known truth, read from ``world.toml``.

The table is the only thing that ties a scene's category to its picture.  Because it is known, every
claim about a network trained on the world (which objects emerge, how frequent and how informative they
are) can be checked against the way the world was made.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError, close_names

SEEN = 30  # pixels of an object that count as seeing it
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


def realised_table(n_images: int = 20, first_seed: int = 0) -> pd.DataFrame:
    """`truth_table` held against pictures: what finds no place, or is hidden, makes the two differ.

    Parameters
    ----------
    n_images : pictures to be rendered of every scene.
    first_seed : seed of the first of them.

    Returns
    -------
    DataFrame: scene, object, drawn and seen (shares of the pictures, 0..1: the table asked for the object; at
    least `SEEN` pixels show it), instances and lost (numbers over all the pictures).
    """
    from tqdm.auto import tqdm

    rows = []
    for category in tqdm(scene_categories(), desc="scenes", disable=None):
        counts: dict[str, list[int]] = {}
        for seed in range(first_seed, first_seed + n_images):
            _count(category, seed, counts)
        rows += [(category, name, *values) for name, values in sorted(counts.items())]
    table = pd.DataFrame(rows, columns=["scene", "object", "drawn", "seen", "instances", "lost"])
    return table.assign(drawn=table.drawn / n_images, seen=table.seen / n_images)


def _count(category: str, seed: int, counts: dict[str, list[int]]) -> None:
    """Add one picture's objects to {object: [pictures that ask for it, that show it, instances, lost]}."""
    from scenelens.sceneworld.scenes import compose_scene

    scene = compose_scene(category, seed)
    asked = [name.partition("/")[0] for name in scene.contents]
    seen = {name for name, mask in scene.picture.masks().items() if mask.sum() >= SEEN}
    for name in set(asked):
        values = counts.setdefault(name, [0, 0, 0, 0])
        more = (1, name in seen, asked.count(name), scene.left_out.count(name))
        values[:] = [a + b for a, b in zip(values, more, strict=True)]


def main() -> None:
    """Print the table and how the pictures keep to it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--images", type=int, default=20, help="pictures of every scene")
    given = parser.parse_args()
    found = realised_table(given.images)
    asked = truth_table().groupby(["scene", "object"], sort=False).presence.max().rename("table")
    found = found.join(asked, on=["scene", "object"])
    columns = found.sort_values(["scene", "table"], ascending=[True, False])[
        ["scene", "object", "table", "drawn", "seen", "instances", "lost"]
    ]
    print(columns.to_string(index=False, float_format="{:.2f}".format))
    print(f"{given.images} pictures of each scene. Of {found.instances.sum()} instances {found.lost.sum()} found no place:",
          f"{found.lost.sum() / found.instances.sum():.1%}.")  # fmt: skip


def _known(category: str) -> None:
    if category not in _table()[0]:
        raise SceneLensError(f"no scene named {category!r}; {close_names(category, _table()[0])}")


if __name__ == "__main__":
    main()
