"""Reading annotations, compared with the loop that one would write first: python -m benchmarks.annotations

That loop reads each XML file with defusedxml, fills its polygons with scikit-image, paints them over each
other and counts the pixels of each object. It repairs nothing, notes nothing, and believes the size that a
file states. Ours is the whole way to the table of objects: repairs and their report, the search for
duplicates and crossings, the photographs' own sizes. It runs once in one process and once as readers get it,
with a second process. All three take turns, several times, and the medians are compared.

The annotations are SceneWorld's, where it is rendered (build/sceneworld, or --root), or else made-up ones of
the same kind: 8 objects of 85 points each. The result is written to build/bench/annotations.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import defusedxml.ElementTree
import numpy as np
import pandas as pd
from PIL import Image
from skimage.draw import polygon

from scenelens.annotations import AnnotatedImages, AnnotatedObject, instances, sun, write_annotation

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "bench"
WANTED = 6.0  # seconds for 4,000 annotations, on two cores
SIDE = 227


def make_annotations(root: Path, n: int) -> None:
    """n photographs of one colour, with outlines as uneven as SceneWorld's."""
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 85, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    (root / "Images").mkdir(parents=True)
    (root / "Annotations").mkdir()
    for number in range(n):
        Image.new("RGB", (SIDE, SIDE)).save(root / f"Images/{number:05d}.jpg")
        objects = []
        for k in range(8):
            radii = rng.uniform(10, 70) * rng.uniform(0.9, 1.1, (85, 1))
            outline = (rng.uniform(0, SIDE, 2) + circle * radii).round() + 0.5
            objects.append(AnnotatedObject(f"object {'abcdefgh'[k]}", (outline,)))
        path = root / f"Annotations/{number:05d}.xml"
        write_annotation(path, f"{number:05d}.jpg", "", (SIDE, SIDE), objects)


def usual(root: Path) -> int:
    """The loop that one would write first; the number of objects that show."""
    n_objects = 0
    for path in sorted((root / "Annotations").rglob("*.xml")):
        tree = defusedxml.ElementTree.parse(path, forbid_dtd=True).getroot()
        size = int(tree.findtext("imagesize/nrows")), int(tree.findtext("imagesize/ncols"))
        ids = np.zeros(size, np.int32)
        for number, element in enumerate(tree.iter("object"), start=1):
            points = [(float(pt.findtext("x")), float(pt.findtext("y"))) for pt in element.iter("pt")]
            xs, ys = zip(*points, strict=True)
            ids[polygon(ys, xs, size)] = number
        n_objects += int((np.bincount(ids.ravel())[1:] > 0).sum())
    return n_objects


def _no_helpers(seconds: float) -> int:
    return 0


def ours(root: Path, helpers: bool) -> int:
    sun._parsed.cache_clear()
    instances._frame_of.cache_clear()
    alone = contextlib.nullcontext() if helpers else mock.patch.object(instances, "_helpers_for", _no_helpers)
    with alone, contextlib.redirect_stdout(None):
        return len(AnnotatedImages(root).objects())


def timed(way: Callable[[Path], int], root: Path) -> tuple[float, float]:
    """Seconds on the clock and of processor time, that of further processes included."""

    def spent() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + children.ru_utime + children.ru_stime

    clock, processor = time.perf_counter(), spent()
    way(root)
    return time.perf_counter() - clock, spent() - processor


WAYS: dict[str, Callable[[Path], int]] = {
    "the usual way": usual,
    "ours, one process": lambda root: ours(root, helpers=False),
    "ours": lambda root: ours(root, helpers=True),
}


def measure(root: Path, rounds: int) -> pd.DataFrame:
    """One row per turn and way: turn, way, clock, processor (seconds)."""
    rows = []
    AnnotatedImages(root).instances(AnnotatedImages(root).images[0])  # loads the kernels
    for turn in range(rounds):
        for way in list(WAYS)[:: 1 if turn % 2 else -1]:
            clock, processor = timed(WAYS[way], root)
            rows.append({"turn": turn, "way": way, "clock": clock, "processor": processor})
    return pd.DataFrame(rows)


def report(root: Path, rounds: int) -> None:
    n = len(AnnotatedImages(root))
    print(f"about {0.02 * n * rounds:.0f} s on two cores")
    turns = measure(root, rounds)
    table = turns.groupby("way", sort=False)[["clock", "processor"]].median().loc[list(WAYS)]
    table["files per second"] = n / table.clock
    # Turns are compared in pairs: whatever else the machine was doing then slowed both.
    pairs = turns.set_index(["turn", "way"]).unstack("way")
    ratio = {
        how: float((pairs[how]["the usual way"] / pairs[how]["ours"]).median())
        for how in ("clock", "processor")
    }
    print(f"{n} annotations; median seconds")
    print(table.round(2).to_string())
    print(
        f"the usual way / ours: {ratio['clock']:.2f} by the clock, {ratio['processor']:.2f} of processor time"
    )
    seconds = float(table.clock["ours"]) * 4000 / n
    print(f"4,000 annotations: {seconds:.1f} s (wanted: at most {WANTED:.0f} on two cores)")
    found = {"annotations": n, "ratio": ratio, "seconds": seconds, "wanted": WANTED}
    found |= {"turns": turns.to_dict("records"), "cpus": os.cpu_count(), "load": os.getloadavg()[0]}
    (OUT / "annotations.json").write_text(json.dumps(found, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="a folder in the SUN layout (default: build/sceneworld)")
    parser.add_argument("--images", type=int, default=1000, help="how many to make up where there is none")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    world = options.root or ROOT / "build" / "sceneworld"
    if options.root or (world / "Annotations").is_dir():
        report(world, options.rounds)
        return
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        make_annotations(Path(folder) / "made", options.images)
        report(Path(folder) / "made", options.rounds)


if __name__ == "__main__":
    main()
