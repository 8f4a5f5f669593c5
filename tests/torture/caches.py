"""Caches with flipped bits, zeros, cut and missing files: results are those of the undamaged cache."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.torture.kind import Files, Kind, expect
from tests.torture.mutate import DAMAGE, damaged
from tests.torture.results import described, restore, result, snapshot
from tests.torture.small_study import write_small_study


class Cache(Kind):
    """One result of a small study. Each input damages one or two of its files."""

    of, per_category = "", 3

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        write_small_study(folder, self.per_category)
        self.right = result(self.of, folder)
        self.cache = folder / "cache"
        # A second time, because the first reader of a cache may note the time stamps of what it found there.
        expect(result(self.of, folder) == self.right, "a cached result differs from the computed one")
        self.whole = snapshot(self.cache)

    def make(self, rng: random.Random) -> Files:
        names = rng.sample(sorted(self.whole), min(len(self.whole), rng.choice([1, 1, 1, 2])))
        plan = [[name, rng.choice([*DAMAGE, "missing"]), rng.getrandbits(32)] for name in names]
        return described({"damage": plan, "twice": rng.random() < 0.1})

    def check(self, files: Files) -> None:
        restore(self.cache, self.whole)
        plan = json.loads(files["input.json"])
        for name, how, seed in plan["damage"]:
            path = self.cache / name
            if how == "missing":
                path.unlink()
            else:
                path.write_bytes(damaged(self.whole[name], random.Random(seed), how))
        for _ in range(1 + plan["twice"]):
            expect(result(self.of, self.folder) == self.right, f"a damaged cache ({self.of}) was used")


class CacheIndex(Cache):
    """The chunks, markers and lists of an activation index."""

    name, of, share = "cache: index", "index", 6.0


class CacheObjects(Cache):
    """The table of objects."""

    name, of, share = "cache: objects", "objects", 3.0


class CacheLabels(Cache):
    """The arrays of the automatic labels, and what they are made from."""

    name, of, share = "cache: labels", "labels", 4.0


class CacheAtlas(Cache):
    """The fields of an atlas, and the index that says whether they are valid."""

    name, of, share = "cache: atlas", "atlas", 3.0


class CacheLocalization(Cache):
    """The calibration of the localizer, and the labels and fields that it is made from."""

    name, of, share = "cache: localization", "localization", 2.0
    per_category = 12  # names need images that choose and others that judge


class CacheMinimal(Cache):
    """The searches for minimal images."""

    name, of, share = "cache: minimal images", "minimal images", 4.0
