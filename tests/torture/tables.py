"""Lists of class names, published tables and mean images: other layouts, other types, damaged bytes."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import savemat

from scenelens.errors import SceneLensError
from scenelens.labels.published import read_amt, read_netdissect
from scenelens.labels.table import COLUMNS
from scenelens.networks.class_names import ClassNames
from scenelens.networks.preprocessing import Preprocessing
from tests.hostile_names import mixtures
from tests.torture.kind import Files, Kind, expect, expect_sentence
from tests.torture.mutate import NASTY, damaged, edited_text, misplaced, scattered

_WORDS = [
    "bed",
    "art_gallery",
    "crane",
    "crane",
    "tench, Tinca tinca",
    "日本",
    "T-shirt",
    "a b",
    "Çatalhöyük",
]
_DEEP = [b"[" * 5000, b"{'a':" * 3000, b"(" * 200, b"-" * 5000 + b"1", b"[" + b"1," * 9 + b"'" * 9]


class Lists(Kind):
    """A plain list comes back as it was written; any other is a list, or one sentence that names the file."""

    name = "class lists"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.check(self.make(random.Random(0)))

    def make(self, rng: random.Random) -> Files:
        plain = [f"{word} {n}x" for n, word in enumerate(rng.choices(_WORDS, k=rng.randint(1, 9)))]
        if rng.random() < 0.2:
            return {"plain.txt": "\n".join(plain).encode(), "names.json": json.dumps(plain).encode()}
        names = plain if rng.random() < 0.6 else mixtures(rng.randint(1, 5), rng.getrandbits(32))
        ending, text = self._list(names, rng)
        content, how = (
            text.encode(rng.choice(["utf-8", "utf-8", "utf-16", "utf-8-sig"]), "replace"),
            rng.random(),
        )
        if how < 0.4:
            content = edited_text(content, rng)
        elif how < 0.5:
            content = rng.choice([damaged(content, rng), rng.choice(_DEEP), rng.randbytes(30)])
        return {f"classes{ending}": content}

    def _list(self, names: list[str], rng: random.Random) -> tuple[str, str]:
        numbered = {str(n): name for n, name in enumerate(names)}
        start, between = rng.choice([0, 1, 7]), rng.choice([" ", ",", ": ", "\t", ";"])
        lines = [f"{n}{between}{name}" for n, name in enumerate(names, start)]
        behind = [f"/{name[:1]}/{name} {n}" for n, name in enumerate(names)]
        table = {"classes": names, "id2label": numbered, "label2id": dict(zip(names, range(9), strict=False))}
        made = [
            (".txt", "\n".join(rng.choice([names, lines, behind, lines + behind]))),
            (".csv", "index,name\n" + "\n".join(f'{n},"{name}"' for n, name in enumerate(names))),
            (
                ".json",
                json.dumps(rng.choice([names, numbered, {"id2label": numbered}, misplaced(table, rng)])),
            ),
            (".txt", rng.choice(["", "classes = "]) + repr(rng.choice([names, dict(enumerate(names))]))),
        ]
        return rng.choice(made)

    def check(self, files: Files) -> None:
        name, content = next(iter(files.items()))
        path = self.write(self.folder / name, content)
        try:
            found = ClassNames.read(path)
        except SceneLensError as error:
            expect_sentence(str(error), name)
            expect(name != "plain.txt", "a plain list is refused")
            return
        names = list(found)
        expect(
            names and all(isinstance(one, str) for one in names),
            "a list without names, or names of another type",
        )
        for one in names[:9]:
            found.find(one)
        if name == "plain.txt":
            expect(names == json.loads(files["names.json"]), "another list than the file's")


_KINDS = ("object", "color", "material", "scene", "texture", "part")
_FIELDS = ("label", "truth", "activation", "intersect", "iou")


class Published(Kind):
    """Tables of the paper's own networks, and mean images, as others wrote them."""

    name = "published tables"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for name in ("a.csv", "a.mat", "mean.npy"):
            self.check({name: self._content(name, random.Random(1))})

    def _content(self, name: str, rng: random.Random) -> bytes:
        made, out = np.random.default_rng(rng.getrandbits(32)), io.BytesIO()
        if name == "mean.npy":
            shape = rng.choice([(3, 5, 6)] * 3 + [(1, 3, 4, 4), (4, 4, 3), (3, 0, 2), (), (2,), (3, 1, 1)])
            kind = rng.choice(["<f4", ">f8", "u1", "<i8", "?", "<c8", "<f2", "U3", "<M8[s]"])
            np.save(out, np.abs(made.normal(100, 20, shape)).astype(np.int64).astype(kind))
        elif name == "a.mat":
            cells = np.empty((2, 9), object)
            for at in np.ndindex(*cells.shape):
                words = ["bed", "日本", "", np.array([[]])] if rng.random() < 0.1 else ["bed"]
                cells[at] = [
                    rng.choice(words),
                    rng.choice([1, 2, 6, 6, 9] if rng.random() < 0.1 else [1, 6]),
                    0.5,
                ][at[1] % 3]
            layers = np.empty((1, 2), object)
            layers[0, 0], layers[0, 1] = cells, "pool5"
            savemat(
                out,
                {"layerAnnotation": layers if rng.random() < 0.9 else cells},
                do_compression=rng.random() < 0.5,
            )
        else:
            table = pd.DataFrame({"unit": [1, 2], "category": ["part", "scene"], "label": "x", "score": 0.5})
            for kind in _KINDS:
                for field in _FIELDS:
                    values = [
                        rng.choice([7, 0.25, *(NASTY if rng.random() < 0.02 else [])]) for _ in range(2)
                    ]
                    table[f"{kind}-{field}"] = ["bed-c", "den-s"] if field == "label" else values
            return table.to_csv(index=False).encode(errors="replace")
        return out.getvalue()

    def make(self, rng: random.Random) -> Files:
        name = rng.choice(["a.csv", "a.mat", "mean.npy"])
        content, how = self._content(name, rng), rng.random()
        if how < 0.4:
            content = edited_text(content, rng) if name == "a.csv" else scattered(content, rng)
        elif how < 0.5:
            content = damaged(content, rng)
        return {name: content}

    def check(self, files: Files) -> None:
        ((name, content),) = files.items()
        path = self.write(self.folder / name, content)
        try:
            if name == "mean.npy":
                how = Preprocessing(size=(4, 4), mean_image=str(path))
                ready = how.tensor(np.zeros((1, 4, 4, 3), np.uint8))
                expect(
                    ready.shape == (1, 3, 4, 4) and bool(ready.isfinite().all()),
                    "a mean image that is no image",
                )
                return
            table = read_amt(path) if name == "a.mat" else read_netdissect(path)
        except SceneLensError as error:
            expect_sentence(str(error), name)
            return
        expect(set(COLUMNS) <= set(table.columns), "a table without its columns")
