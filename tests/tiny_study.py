"""A whole study in a few files: two tiny random CaffeNets and two dozen noisy pictures. For any test that
needs one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

STUDY = """
name = "tiny"

[networks.scene]
architecture = "caffenet"
width = 0.125
fc = 16
seed = 1
classes = ["attic", "beach", "cave"]

[networks.object]
architecture = "caffenet"
width = 0.125
fc = 16
seed = 2
classes = ["apple", "ball"]

[[images]]
path = "photos/scene"
source = "scene-centric"

[[images]]
path = "photos/object"
source = "object-centric"

[cache]
path = "cache"
"""


def write_tiny_study(folder: Path, per_category: int = 4) -> Path:
    """Write study.toml and its pictures (3 scene and 2 object categories, 60x80 px) and return the file's
    path."""
    rng = np.random.default_rng(0)
    for category in ("scene/attic", "scene/beach", "scene/cave", "object/apple", "object/ball"):
        place = folder / "photos" / category
        place.mkdir(parents=True)
        for number in range(per_category):
            blocks = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
            Image.fromarray(blocks.repeat(10, 0).repeat(10, 1)).save(place / f"{number}.png")
    path = folder / "study.toml"
    path.write_text(STUDY)
    return path
