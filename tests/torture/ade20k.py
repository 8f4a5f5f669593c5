"""Annotations in ADE20K's JSON: other types and numbers at any place, damaged text."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from scenelens.annotations.ade20k import ADE20K
from tests.torture.annotations import BOX, Annotated, H, W, outline, photographs, same_mask
from tests.torture.kind import Files
from tests.torture.mutate import edited_text, misplaced


def ade(points: list[tuple[float, float]], **more: Any) -> dict[str, Any]:
    """One object as ADE20K has it."""
    xs, ys = zip(*points, strict=True) if points else ((), ())
    return {"id": 0, "name": "wall", "polygon": {"x": list(xs), "y": list(ys)}, "parts": {}} | more


PARTS = {"hasparts": [], "ispartof": 0, "part_level": 0}
WHOLE = {
    "annotation": {
        "filename": "a.jpg",
        "folder": "x",
        "imsize": [H, W, 3],
        "scene": ["indoor", "den"],
        "object": [
            ade(BOX, raw_name="wall, brick", attributes=[]),
            ade(BOX[:3], id=1, name="lamp", parts=PARTS, crop="0", depth_ordering_rank=1),
        ],
    }
}


class JSON(Annotated):
    """The file of a.jpg is new each time; a third of the files has one plain outline, which has a judge."""

    name, share, source = "ADE20K JSON", 2.0, "a.json"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        photographs(folder, "a.jpg", "z.jpg")
        (folder / "z.json").write_text(json.dumps(WHOLE))
        self.ready(json.dumps(WHOLE).encode())

    def open(self, cache=None):
        return ADE20K(self.folder, cache)

    def make(self, rng: random.Random) -> Files:
        how = rng.random()
        if how < 0.3:
            table: Any = {"annotation": {"imsize": [H, W, 3], "object": [ade(outline(rng))]}, "judge": True}
        else:
            table = (
                WHOLE if how < 0.6 else misplaced(WHOLE, rng, [outline(rng), "bed", ade(BOX), [ade(BOX)] * 9])
            )
        text = json.dumps(table).encode()
        return {"a.json": edited_text(text, rng) if 0.3 <= how < 0.45 or how > 0.9 else text}

    def judge(self, files: Files, found: dict[str, np.ndarray] | None) -> None:
        (text,) = files.values()
        if text.endswith(b'"judge": true}'):
            polygon = json.loads(text)["annotation"]["object"][0]["polygon"]
            same_mask(found, "wall", list(zip(polygon["x"], polygon["y"], strict=True)))


class CheckedJSON(JSON):
    """The same with bounds checks in all kernels: a step out of an array is an IndexError."""

    name, share, checked = "bounds: JSON", 0.7, True
