"""Compare the table of truth with rendered scenes: ``python -m scenelens.sceneworld.check --images 20``.

`truth.truth_table` says how often an object should appear in a scene.  A picture can fall short of it for two
reasons: the object found no place in the layout, or other objects hide it.  This module counts both.
"""

from __future__ import annotations

import argparse

import pandas as pd
from tqdm.auto import tqdm

from scenelens.sceneworld.scenes import compose_scene
from scenelens.sceneworld.truth import scene_categories
from scenelens.sceneworld.worlds import SceneWorld, read_world

__all__ = ["main", "realised_table"]

_SHIPPED = SceneWorld()
VISIBLE = 30  # pixels of an object from which on it counts as seen


def realised_table(n_images: int = 20, first_seed: int = 0, world: SceneWorld = _SHIPPED) -> pd.DataFrame:
    """Count how often objects appear in rendered scenes, for comparison with `truth_table`.

    Parameters
    ----------
    n_images : int, optional
        Number of pictures to render of every scene category (default 20).
    first_seed : int, optional
        Seed of the first picture; the others have the seeds that follow (default 0).
    world : SceneWorld, optional
        The world (default: as it is shipped).

    Returns
    -------
    pandas.DataFrame
        One row per scene category and object: ``scene``, ``object``, ``drawn`` (share of the pictures, 0..1, whose
        contents include the object), ``seen`` (share of the pictures in which at least `VISIBLE` pixels show it),
        ``instances`` (number of instances drawn in all pictures) and ``lost`` (number of those without a place).
    """
    rows = []
    for category in tqdm(scene_categories(), desc="scenes", disable=None):
        counts: dict[str, list[int]] = {}
        for seed in range(first_seed, first_seed + n_images):
            _count(category, seed, counts, world)
        rows += [(category, name, *values) for name, values in sorted(counts.items())]
    table = pd.DataFrame(rows, columns=["scene", "object", "drawn", "seen", "instances", "lost"])
    return table.assign(drawn=table.drawn / n_images, seen=table.seen / n_images)


def _count(category: str, seed: int, counts: dict[str, list[int]], world: SceneWorld) -> None:
    """Add one picture to {object: [pictures that draw it, pictures that show it, instances, lost instances]}."""
    scene = compose_scene(category, seed, world=world)
    drawn = [name.partition("/")[0] for name in scene.contents]
    seen = {name for name, mask in scene.picture.masks().items() if mask.sum() >= VISIBLE}
    for name in set(drawn):
        values = counts.setdefault(name, [0, 0, 0, 0])
        more = (1, name in seen, drawn.count(name), scene.left_out.count(name))
        values[:] = [a + b for a, b in zip(values, more, strict=True)]


def main() -> None:
    """Print the table of truth next to the shares measured on rendered scenes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--images", type=int, default=20, help="pictures of every scene")
    parser.add_argument("--edits", default="[]", help='edits of the world as JSON, such as [["scale_frequency", "bed", 0.5]]')
    given = parser.parse_args()
    world = read_world(given.edits)
    found = realised_table(given.images, world=world)
    presence = world.truth_table().groupby(["scene", "object"], sort=False).presence.max().rename("table")
    found = found.join(presence, on=["scene", "object"])
    columns = found.sort_values(["scene", "table"], ascending=[True, False])[
        ["scene", "object", "table", "drawn", "seen", "instances", "lost"]
    ]
    print(columns.to_string(index=False, float_format="{:.2f}".format))
    print(f"{given.images} pictures of each scene. Of {found.instances.sum()} instances {found.lost.sum()} found no place:",
          f"{found.lost.sum() / found.instances.sum():.1%}.")  # fmt: skip


if __name__ == "__main__":
    main()
