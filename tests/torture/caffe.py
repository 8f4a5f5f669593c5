"""Caffe's weights and mean images: both layouts, unknown fields, sizes beyond all memory, damaged bytes."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from scenelens.errors import SceneLensError
from scenelens.networks.caffe import _CaffeFile
from tests.caffe_files import blob, field, model, varint
from tests.torture.kind import Files, Kind, expect, expect_sentence
from tests.torture.mutate import PROTOBUF, damaged, scattered

_UNKNOWN = [field(13, 7), field(29, b"\x08\x01"), field(2000, b""), varint(77 << 3 | 5) + b"1234",
            varint(78 << 3 | 1) + b"12345678"]  # fmt: skip
_HUGE = [2**64, 2**63, 2**62, 2**32, 0, 1, 4]


def arrays(rng: random.Random) -> dict[str, list[np.ndarray]]:
    """A few layers with a weight and a bias, or without either."""
    made = np.random.default_rng(rng.getrandbits(32))
    found = {}
    for number in range(rng.randint(1, 4)):
        shape = rng.choice([(2, 3, 2, 2), (3, 2), (1, 1, 4, 5), (4,), (1, 1, 1, 1)])
        both = [made.normal(size=shape).astype(np.float32), made.normal(size=shape[0]).astype(np.float32)]
        found[rng.choice([f"conv{number}", f"a/b{number}", f"日本{number}"])] = both[
            : rng.choice([0, 1, 2, 2])
        ]
    return found


class Caffe(Kind):
    """A file that was not damaged comes back as it was written, whatever unknown fields it has."""

    name = "Caffe"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.check(self.make(random.Random(0)))

    def make(self, rng: random.Random) -> Files:
        seed, old, packed = rng.getrandbits(32), rng.random() < 0.5, rng.random() < 0.8
        name, content = "a.caffemodel", model(arrays(random.Random(seed)), old, packed)
        if rng.random() < 0.3:
            name, content = "a.binaryproto", blob(self._mean(seed), old, packed)
        content = rng.choice([b"", *_UNKNOWN]) + content + rng.choice([b"", *_UNKNOWN])
        how = rng.random()
        if how < 0.1:
            sizes = [rng.choice(_HUGE) for _ in range(rng.choice([1, 2, 4, 70]))]
            shape = field(7, field(1, b"".join(map(varint, sizes)))) + field(5, rng.randbytes(16))
            content = shape if name == "a.binaryproto" else field(100, field(1, b"x") + field(7, shape))
        elif how < 0.5:
            content = scattered(content, rng, 4, rng.choice([PROTOBUF, range(256)]))
        elif how < 0.7:
            content = damaged(content, rng)
        whole = {} if how < 0.7 else {"whole.txt": str(seed).encode()}
        return {name: content} | whole

    def _mean(self, seed: int) -> np.ndarray:
        made = np.random.default_rng(seed)
        return made.uniform(0, 255, (1, 3, *made.integers(1, 6, 2))).astype(np.float32)

    def check(self, files: Files) -> None:
        name, content = next(iter(files.items()))
        path, is_mean = self.write(self.folder / name, content), name.endswith("proto")
        try:
            found = {"mean": _CaffeFile(path).mean()} if is_mean else _CaffeFile(path).weights()
        except SceneLensError as error:
            expect_sentence(str(error), name)
            found = {}
        for value in found.values():
            expect(
                value.dtype == np.float32 and value.nbytes <= len(content), "an array larger than its file"
            )
        if "whole.txt" in files:
            self._compare(found, int(files["whole.txt"]), is_mean)

    def _compare(self, found: dict[str, np.ndarray], seed: int, is_mean: bool) -> None:
        right = {"mean": self._mean(seed)[0]} if is_mean else {}
        for name, both in () if is_mean else arrays(random.Random(seed)).items():
            right |= {f"{name}.{part}": one for part, one in zip(("weight", "bias"), both, strict=False)}
        expect(set(found) == set(right), "other layers than those of the file")
        for name, value in right.items():
            expect(np.array_equal(found[name].ravel(), value.ravel()), "other numbers than those of the file")
