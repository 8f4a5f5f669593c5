"""What the three formats of annotations have in common: a damaged file next to a whole one, and a judge."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from PIL import Image

from scenelens.annotations.instances import InstanceAnnotations
from scenelens.errors import SceneLensError
from tests.torture.kind import Files, Kind, expect, expect_report, expect_sentence

H, W = 40, 48
BOX = [(10.5, 10.5), (30.5, 10.5), (30.5, 25.5), (10.5, 25.5)]
_CLOSE = 1e-9  # pixels


def number(rng: random.Random) -> float:
    """A coordinate: mostly on the photograph, sometimes beyond it, sometimes beyond all kernels."""
    how = rng.random()
    if how < 0.6:
        return round(rng.uniform(-5, 55), rng.choice([0, 1, 3]))
    if how < 0.7:
        return rng.choice([-0.5, 0.0, 0.5, W - 0.5, H - 0.5, H, W, 1e-300, -0.0])
    return rng.choice([1, -1]) * 10 ** rng.uniform(0, rng.choice([4, 7, 20, 308]))


def outline(rng: random.Random) -> list[tuple[float, float]]:
    """A few points, or many."""
    return [(number(rng), number(rng)) for _ in range(rng.choice([0, 1, 2, 3, 3, 4, 4, 5, 9, 40]))]


def inside(
    points: list[tuple[float, float]], shape: tuple[int, int] = (H, W)
) -> tuple[np.ndarray, np.ndarray]:
    """The pixels inside an outline by the even-odd rule: each centre is compared with each edge.

    The second mask has the pixels whose centres lie on an edge, where the last digit decides.
    """
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])[None]
    odd, close = np.zeros(shape, bool), np.zeros(shape, bool)
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], *points[:1]], strict=True):
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        for end in (y0, y1):  # an end on a row of centres is exact
            close |= (abs(rows - end) < _CLOSE) & (rows != end)
        if y0 == y1:
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            crossing = x0 + (rows - y0) * (x1 - x0) / (y1 - y0)
        odd ^= (rows >= y0) & (rows < y1) & (columns >= crossing)
        close |= abs(columns - crossing) < _CLOSE
    return odd, close


class Annotated(Kind):
    """A folder with two annotated photographs. Of a.jpg the annotation is damaged, and z.jpg stays whole."""

    share = 1.5
    source = ""  # the damaged file, below the folder

    def open(self, cache: Path | None = None) -> InstanceAnnotations:
        """The folder, opened by the format's own reader."""
        raise NotImplementedError

    def ready(self, whole: bytes) -> None:
        """Read both photographs undamaged once, which also compiles the kernels."""
        self.write(self.folder / self.source, whole)
        self.opened = self.open()
        self.damaged, self.other = self.opened.images
        masks = self.opened.masks(self.other)
        self.areas = {name: int(mask.sum()) for name, mask in masks.items()}
        expect(self.areas, "the whole annotation has no object")
        self.check({"whole": whole})

    def check(self, files: Files) -> None:
        """Neither the table nor the report stops; they agree with the masks; the other image stays."""
        (content,) = files.values()
        self.write(self.folder / self.source, content)
        opened = self.opened
        table, report = opened.objects(), opened.report()
        expect_report(report.detail.tolist())
        other = table[table.image == self.other]
        expect(dict(zip(other.object, other.area, strict=True)) == self.areas, "another image changed")
        opened.scene(self.damaged)
        found = self._masks(opened)
        own = table[table.image == self.damaged]
        sums = own.groupby("object").area.sum().to_dict()
        unreadable = ((report.image == self.damaged) & (report.kind == "unreadable")).any()
        expect((found is None) == unreadable, "masks() and report() differ about a file that is unreadable")
        areas = {name: int(mask.sum()) for name, mask in (found or {}).items()}
        expect(areas == sums, "masks() and objects() differ")
        self.judge(files, found)

    def _masks(self, opened: InstanceAnnotations) -> dict[str, np.ndarray] | None:
        try:
            return opened.masks(self.damaged)
        except SceneLensError as error:
            expect_sentence(str(error), Path(self.source).name)
            return None

    def judge(self, files: Files, found: dict[str, np.ndarray] | None) -> None:
        """Compare with another way of reading, where the input allows one."""


def photographs(folder: Path, *names: str) -> None:
    """Black photographs of H by W pixels."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (W, H)).save(folder / name)


def same_mask(found: dict[str, np.ndarray] | None, name: str, points: list[tuple[float, float]]) -> None:
    """Raise `Wrong` unless the only object has the pixels that the judge finds."""
    if any(abs(value) > 1e6 for point in points for value in point):
        return  # far points are cut off, and the rounding of the judge differs
    nothing = np.zeros((H, W), bool)
    right, close = inside(points) if len(points) > 2 else (nothing, nothing)
    mask = (found or {}).get(name, nothing)
    expect((mask == right)[~close].all(), "an outline has other pixels than the judge finds")
