"""What finding objects costs on top of naming the scene: python -m benchmarks.localization

The network is a CaffeNet of half width. Every unit of pool2, conv4 and pool5 is labelled and calibrated, and
active at half a per cent of its positions. "Bare" is the forward pass alone, from the image to the class
scores;
"localize" is the same with boxes, as tables. The two take turns, image by image; then the same is measured in
batches of 32. Writes build/bench/localization.json.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch

from scenelens.localization.calibration import Calibration, Curve
from scenelens.localization.localizer import Localizer
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.hooks import record
from scenelens.networks.network import Network

OUT = Path(__file__).parents[1] / "build" / "bench"
LAYERS, CONCEPTS, BATCH, QUANTILE = ("pool2", "conv4", "pool5"), 40, 32, 0.005
WITHIN = 1.25  # times the bare pass: the goal


def images_with_detail(n: int, side: int = 227) -> list[np.ndarray]:
    """Images with coarse and fine detail, uint8 RGB."""
    rng = np.random.default_rng(0)
    noise = [[rng.integers(0, 256, (k, k, 3), dtype=np.uint8) for k in (4, 16, 64)] for _ in range(n)]
    scaled = [[cv2.resize(one, (side, side)) for one in several] for several in noise]
    return [np.average(one, axis=0, weights=(4, 2, 1)).astype(np.uint8) for one in scaled]


def ready(images: list[np.ndarray]) -> Localizer:
    """A localizer with made-up names and measured thresholds."""
    torch.manual_seed(0)
    network = Network(CaffeNet(20, width=0.5, fc=512), "scene")
    rng, rows = np.random.default_rng(0), []
    with record(network, LAYERS) as acts:
        network(images)
    for layer in LAYERS:
        for unit, values in enumerate(acts[layer].transpose(0, 1).flatten(1).numpy()):
            threshold = float(np.quantile(values, 1 - QUANTILE))
            rows.append((layer, unit, f"thing {rng.integers(CONCEPTS)}", "object", threshold))
    labels = pd.DataFrame(rows, columns=["layer", "unit", "concept", "type", "threshold"])
    curves = tuple(Curve.of([0.0, t, 2 * t + 1e-6], [0.1, 0.4, 0.8]) for t in labels.threshold)
    calibration = Calibration("scene", str(network.weights_hash), labels, curves)
    return Localizer(network, labels.assign(network="scene"), calibration)


def measure(ways: dict[str, Callable[[], object]], rounds: int, per: int) -> pd.DataFrame:
    """Milliseconds per image: one row per turn, one column per way; they take turns."""
    for way in ways.values():
        way()  # compiled, warm
    rows = []
    for turn in range(rounds):
        row = {}
        for name in list(ways)[:: 1 if turn % 2 else -1]:
            start = time.perf_counter()
            ways[name]()
            row[name] = (time.perf_counter() - start) / per * 1e3
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=150)
    options = parser.parse_args()
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    images = images_with_detail(BATCH)
    localizer = ready(images)
    network, turn = localizer.network, iter(range(10**9))

    def one_of(way: Callable[[np.ndarray], object]) -> Callable[[], object]:
        return lambda: way(images[next(turn) % BATCH])

    def localize(image: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
        seen = localizer(image)
        return seen.scene, seen.boxes

    def localize_all() -> list[pd.DataFrame]:
        return [part for seen in localizer.several(images) for part in (seen.scene, seen.boxes)]

    single = measure({"bare": one_of(network), "localize": one_of(localize)}, options.rounds, 1)
    many = measure(
        {"bare": lambda: network(images), "localize": localize_all}, max(3, options.rounds // 15), BATCH
    )
    boxes = float(np.mean([len(seen.boxes) for seen in localizer.several(images)]))
    found = {
        "boxes": boxes,
        "units": len(localizer.labels),
        "torch": torch.__version__,
        "cpus": os.cpu_count(),
    }
    print(f"{len(localizer.labels)} labelled units, {boxes:.0f} boxes per image; ms per image, medians")
    for name, turns in (("batch 1", single), ("batch 32", many)):
        ratio = float((turns.localize / turns.bare).median())
        low, high = np.quantile(turns.localize / turns.bare, [0.25, 0.75])
        medians = turns.median()
        print(f"{name:9} bare {medians.bare:7.2f}  localize {medians.localize:7.2f}  ratio {ratio:.2f}"
              f" (quartiles {low:.2f}-{high:.2f}; wanted: at most {WITHIN})")  # fmt: skip
        found[name] = {**medians.to_dict(), "ratio": ratio, "quartiles": [float(low), float(high)]}
    per_image = found["batch 32"]["localize"] / found["batch 1"]["localize"]
    print(f"an image in a batch costs {per_image:.2f} of an image alone (wanted: at most 1)")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "localization.json").write_text(json.dumps(found | {"per_image": per_image}, indent=1))


if __name__ == "__main__":
    main()
