"""Kernels with bounds checks compiled in, on studies of random photographs and outlines."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path

import numpy as np
from PIL import Image

from scenelens.annotations.outlined import AnnotatedObject
from scenelens.annotations.sun import write_annotation
from scenelens.errors import SceneLensError
from tests.torture.annotations import outline
from tests.torture.kind import Files, Kind
from tests.torture.results import RESULTS, described, restore, result, snapshot
from tests.torture.small_study import write_small_study


class CheckedResults(Kind):
    """Labels, minimal images and boxes of a study whose outlines are anything; an IndexError is a fault."""

    name, share, checked = "bounds: results", 1.0, True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        write_small_study(folder, 12)  # localizers need images that choose names and others that judge
        self.world = snapshot(folder / "world")
        for name in RESULTS:
            result(name, folder)

    def make(self, rng: random.Random) -> Files:
        outlines = [outline(rng) for _ in range(rng.randint(1, 6))]
        return described({"seed": rng.getrandbits(32), "outlines": outlines, "of": rng.choice(list(RESULTS))})

    def check(self, files: Files) -> None:
        plan = json.loads(files["input.json"])
        rng, pictures = random.Random(plan["seed"]), np.random.default_rng(plan["seed"])
        restore(self.folder / "world", self.world)
        for xml in sorted((self.folder / "world/Annotations").rglob("*.xml")):
            shape = (rng.choice([24, 25, 7]), rng.choice([32, 31, 40]))
            image = (
                self.folder / "world/Images" / xml.relative_to(self.folder / "world/Annotations")
            ).with_suffix(".png")
            Image.fromarray(pictures.integers(0, 256, (*shape, 3), dtype=np.uint8)).save(image)
            points = [np.array(one, float) for one in plan["outlines"] if len(one) > 2 and rng.random() < 0.8]
            things = [AnnotatedObject(rng.choice(["bed", "lamp", "sand"]), (one,)) for one in points]
            write_annotation(xml, image.name, xml.parent.name, shape, things)
        with contextlib.suppress(SceneLensError):  # such as that no unit gets a name
            result(plan["of"], self.folder)
