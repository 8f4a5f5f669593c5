"""What the index costs, compared with a bare forward pass over the same images: python -m benchmarks.index

Bare means: read every image, prepare it, run the network in batches, store nothing. In both, images are read
in a thread ahead of the network, so that neither has an advantage. A third way shows the loop that one would
write first, without that thread. All three take turns, several times, and the medians are compared. The
result is written to build/bench/index.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from scenelens.images import load_image
from scenelens.networks import CaffeNet, Network
from scenelens.progress import run_ahead
from scenelens.studies.index import BATCH, ActivationIndex

OUT = Path(__file__).parents[1] / "build" / "bench"
WANTED = 1.15


def make_pictures(folder: Path, n: int) -> pd.DataFrame:
    """n JPEGs of 227x227 px with the detail of photographs (noise at several scales)."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(n):
        noise = [rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for side in (4, 16, 64)]
        scaled = [np.asarray(Image.fromarray(one).resize((227, 227))) for one in noise]
        path = folder / f"{number:05d}.jpg"
        mixed = np.average(scaled, axis=0, weights=(4, 2, 1)).astype(np.uint8)
        Image.fromarray(mixed).save(path, quality=92)
        rows.append({"image": str(path), "path": str(path), "source": "scene-centric"})
    return pd.DataFrame(rows)


def prepared(network: Network, paths: list[str], ahead: bool) -> Iterator[torch.Tensor]:
    """Batches ready for the network, read ahead in a thread or read when they are needed."""
    parts = [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]

    def read(part: list[str]) -> torch.Tensor:
        return network.prepare([load_image(path) for path in part])

    return run_ahead(read, parts) if ahead else map(read, parts)


def bare(network: Network, paths: list[str], ahead: bool) -> None:
    with torch.no_grad():
        for batch in prepared(network, paths, ahead):
            network.module(batch)


def index(network: Network, images: pd.DataFrame, cache: Path) -> None:
    ActivationIndex.build(network, images, cache, load=load_image, progress=False)


def timed(way: Callable[[Path], None], cache: Path) -> tuple[float, float]:
    """Seconds on the clock and of processor time. What was written is removed afterwards, outside of both."""
    clock, processor = time.perf_counter(), time.process_time()
    way(cache)
    spent = time.perf_counter() - clock, time.process_time() - processor
    shutil.rmtree(cache, ignore_errors=True)
    return spent


def measure(n_images: int, rounds: int) -> pd.DataFrame:
    """One row per turn and way: turn, way, clock, processor (seconds)."""
    network = Network(CaffeNet(20, width=0.5, fc=512))
    OUT.mkdir(parents=True, exist_ok=True)
    rows = []
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        images = make_pictures(Path(folder), n_images)
        paths = list(images.path)
        ways: dict[str, Callable[[Path], None]] = {
            "bare": lambda cache: bare(network, paths, ahead=True),
            "index": lambda cache: index(network, images, cache),
            "bare, reading when needed": lambda cache: bare(network, paths, ahead=False),
        }
        index(network, images[:BATCH], Path(folder) / "cache")  # warm up
        for turn in range(rounds):
            for way in list(ways)[:: 1 if turn % 2 else -1]:
                clock, processor = timed(ways[way], Path(folder) / "cache")
                rows.append({"turn": turn, "way": way, "clock": clock, "processor": processor})
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=768)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"about {0.05 * options.images * options.rounds:.0f} s on two cores")
    turns = measure(options.images, options.rounds)
    table = turns.groupby("way", sort=False)[["clock", "processor"]].median().sort_index()
    # Turns are compared in pairs: whatever else the machine was doing then slowed both.
    pairs = turns.set_index(["turn", "way"]).unstack("way")
    ratio = {how: float((pairs[how]["index"] / pairs[how]["bare"]).median()) for how in table}
    print(f"CaffeNet at half width, 227 px, all 11 layers, {options.images} images; median seconds")
    print(table.round(2).to_string())
    print(
        f"index / bare: {ratio['clock']:.3f} by the clock, {ratio['processor']:.3f} of processor time",
        end=" ",
    )
    print(f"(wanted: at most {WANTED})")
    found = {"images": options.images, "ratio": ratio, "wanted": WANTED, "turns": turns.to_dict("records")}
    found |= {"threads": torch.get_num_threads(), "cpus": os.cpu_count(), "torch": torch.__version__}
    (OUT / "index.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
