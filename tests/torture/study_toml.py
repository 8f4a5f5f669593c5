"""study.toml: other values, types and names at any place, and damaged text."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

from scenelens.errors import SceneLensError
from scenelens.networks.build import build_module
from scenelens.studies.schema import STUDY_SCHEMA
from scenelens.studies.study import open_study
from tests.hostile_names import mixtures
from tests.tiny_study import STUDY, write_tiny_study
from tests.torture.kind import Files, Kind, expect, expect_sentence
from tests.torture.mutate import edited_text, misplaced, toml_file

#: A study with every table of the schema.
WHOLE = tomllib.loads(
    STUDY
    + """
[[annotations]]
name = "mine"
root = "photos"
format = "colour-mask"
colours = {wall = [1, 2, 3]}
[networks.scene.preprocessing]
size = 64
resize = "exact"
resize_to = [64, 64]
channels = "BGR"
white = 255.0
mean = [1, 2, 3]
std = [1, 1, 1]
[labels]
store = "answers.db"
"""
)
KEYS = sorted({key for table in STUDY_SCHEMA.values() for key in table.keys})
_VALUES = ["imagenet", "caffe", "sun", "ade20k", "a.py:f", "os:system", "photos", "../x", "/etc", "resnet18",
           "C:x", "con", "~", "a\nb", 0.125, 16, -1, 2**40, {"a": "b"}, [0.5] * 3]  # fmt: skip


def use(path: Path) -> None:
    """Use the study, unless a SceneLensError says why not."""
    study = open_study(path)
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    expect(list(study.networks) == list(table["networks"]), "other networks than those of the file")
    expect(study.cache.is_absolute(), "the cache is no absolute path")
    if "path" not in table.get("cache", {}):
        expect(study.cache.is_relative_to(path.parent), "a name moved the cache")
    if "store" not in table.get("labels", {}):
        expect(study.answers.path.is_relative_to(path.parent), "a name moved the answers")
    for name, network in study.file.data["networks"].items():
        if network.get("width", 1) == 0.125 and network.get("fc") == 16:  # others may take long
            study.networks[name]
    expect(study.annotation_sets or not study.file.annotation_tables(), "annotations are left out")


class TOML(Kind):
    """Either one sentence that names the file, or a study that has what the file says."""

    name = "study TOML"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        # Some levels deep, so that no ".." leads to the files of another process.
        self.path = write_tiny_study(folder / "one" / "two" / "three", per_category=1)
        self.text = toml_file(WHOLE)
        self.names = mixtures(50)
        use(self.path)
        build_module("resnet18", 2)  # imports what takes seconds

    def make(self, rng: random.Random) -> Files:
        if rng.random() < 0.25:
            return {"study.toml": edited_text(rng.choice([self.text, STUDY.encode()]), rng)}
        table = misplaced(WHOLE, rng, [*_VALUES, *self.names])
        if rng.random() < 0.3:
            inner = rng.choice([one for one in (table, *table.values()) if isinstance(one, dict) and one])
            inner[rng.choice([*KEYS, *self.names])] = rng.choice(
                [*_VALUES, inner.pop(rng.choice(list(inner)))]
            )
        return {"study.toml": toml_file(table)}

    def check(self, files: Files) -> None:
        self.write(self.path, files["study.toml"])
        try:
            use(self.path)
        except SceneLensError as error:
            expect_sentence(str(error))
