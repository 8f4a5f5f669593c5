"""What automatic labels cost: python -m benchmarks.label_units

Counting alone: the same seeded maps and label maps are counted in three ways that take turns. "Light" does
what Network Dissection's light version does: per image and for every active unit, it resizes the map,
thresholds it, and compares the mask with each concept's. "Dense" resizes all maps at once and multiplies two
matrices (once, on a fifth of the images). "Sparse" is this package's way. All three must find the same IoU.

The whole pass: `label_networks` with five layers of a CaffeNet is compared with the forward pass alone over
the same images; in both a thread reads the images ahead. Writes build/bench/label_units.json.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from PIL import Image

from scenelens.annotations import Instance, InstanceAnnotations
from scenelens.images import load_image
from scenelens.labels import label_networks
from scenelens.labels.tally import Tally
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.grid import Grid
from scenelens.networks.network import Network
from scenelens.progress import read_ahead

OUT = Path(__file__).parents[1] / "build" / "bench"
SIDE, UNITS, MAP, CONCEPTS, QUANTILE = 224, 256, 13, 20, 0.005
LAYERS = ["pool1", "pool2", "conv3", "conv4", "pool5"]
FASTER, WITHIN = 4.0, 1.3  # wanted


def make_maps(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smooth rectified maps (n, units, h, w), thresholds (units,), label maps (n, side, side, 1)."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(n, UNITS, MAP, MAP)).astype(np.float32)
    for one in noise.reshape(-1, MAP, MAP):
        cv2.GaussianBlur(one, (0, 0), 1.0, dst=one)
    maps = np.maximum(noise, 0)
    thresholds = np.quantile(maps.swapaxes(0, 1).reshape(UNITS, -1), 1 - QUANTILE, axis=1).astype(np.float32)
    blocks = rng.integers(1, CONCEPTS + 1, (n, 8, 8)).astype(np.uint8)
    codes = np.stack([cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) for one in blocks])
    return maps, thresholds, codes[..., None].astype(np.int32)


def light(maps: np.ndarray, thresholds: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    active, shared = np.zeros(UNITS, np.int64), np.zeros((UNITS, CONCEPTS + 1), np.int64)
    for values, labels in zip(maps, codes[..., 0], strict=True):
        masks = {concept: labels == concept for concept in np.unique(labels)}
        for unit in np.flatnonzero(values.max((1, 2)) > thresholds):
            resized = Image.fromarray(values[unit]).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            region = np.asarray(resized) > thresholds[unit]
            active[unit] += region.sum()
            for concept, mask in masks.items():
                shared[unit, concept] += np.count_nonzero(mask & region)
    return active, shared


def dense(maps: np.ndarray, thresholds: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    active, shared = np.zeros(UNITS, np.int64), np.zeros((UNITS, CONCEPTS + 1), np.int64)
    for values, labels in zip(torch.from_numpy(maps), torch.from_numpy(codes[..., 0]), strict=True):
        how = {"size": (SIDE, SIDE), "mode": "bilinear", "align_corners": False}
        resized = torch.nn.functional.interpolate(values[None], **how)[0]
        region = (resized > torch.from_numpy(thresholds)[:, None, None]).flatten(1).float()
        one_hot = torch.nn.functional.one_hot(labels.flatten().long(), CONCEPTS + 1).float()
        shared += (region @ one_hot).long().numpy()
        active += region.sum(1).long().numpy()
    return active, shared


def sparse(maps: np.ndarray, thresholds: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tally, slots = Tally.empty(UNITS, 60, 1), np.zeros(CONCEPTS + 1, int)
    stride = SIDE / MAP
    axes = Grid(((stride - 1) / 2,) * 2, (stride, stride)).axes((MAP, MAP), (SIDE, SIDE))
    for values, labels in zip(maps, codes, strict=True):
        tally.count(values, thresholds, labels, 0, slots, axes)
    return tally.active, tally.shared[:, : CONCEPTS + 1]


def iou(active: np.ndarray, shared: np.ndarray, codes: np.ndarray) -> np.ndarray:
    truth = np.bincount(codes.ravel(), minlength=CONCEPTS + 1)
    return (shared / (active[:, None] + truth - shared))[:, 1:]


WAYS = {"light": light, "dense": dense, "sparse": sparse}


def measure_counting(n: int, rounds: int) -> tuple[pd.DataFrame, dict[str, float]]:
    """Milliseconds per image, by clock and processor; the largest difference of IoU from the light way's."""
    maps, thresholds, codes = make_maps(n)
    sparse(maps[:1], thresholds, codes[:1])  # compiled
    rows, found = [], {}
    for turn in range(rounds):
        for name in ("light", "sparse")[:: 1 if turn % 2 else -1]:
            row, found[name] = timed(name, maps, thresholds, codes)
            rows.append(row | {"turn": turn})
    few = slice(max(1, n // 5))  # the dense way once, on a fifth: no goal hangs on its time
    row, dense_iou = timed("dense", maps[few], thresholds, codes[few])
    light_iou = timed("light", maps[few], thresholds, codes[few])[1]
    apart = {"sparse": _apart(found["sparse"], found["light"]), "dense": _apart(dense_iou, light_iou)}
    return pd.DataFrame([*rows, row | {"turn": 0}]), apart


def timed(
    name: str, maps: np.ndarray, thresholds: np.ndarray, codes: np.ndarray
) -> tuple[dict[str, object], np.ndarray]:
    """One way's milliseconds per image, and its IoU."""
    clock, processor = time.perf_counter(), time.process_time()
    found = iou(*WAYS[name](maps, thresholds, codes), codes)
    spent = np.array([time.perf_counter() - clock, time.process_time() - processor]) / len(maps) * 1e3
    return {"way": name, "clock": spent[0], "processor": spent[1]}, found


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max())


class Blocks(InstanceAnnotations):
    """JPEGs with the detail of photographs, each divided into 64 blocks of twenty objects."""

    def __init__(self, folder: Path, n: int) -> None:
        rng = np.random.default_rng(0)
        self.numbers = {}
        for number in range(n):
            noise = [rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for side in (4, 16, 64)]
            scaled = [cv2.resize(one, (227, 227)) for one in noise]
            mixed = np.average(scaled, axis=0, weights=(4, 2, 1)).astype(np.uint8)
            image = f"room{number % 5}/{number:05d}.jpg"
            (folder / image).parent.mkdir(exist_ok=True)
            cv2.imwrite(str(folder / image), mixed)
            self.numbers[image] = rng.integers(0, CONCEPTS, (8, 8))
        paths = {image: folder / image for image in self.numbers}
        super().__init__(paths, paths)

    def instances(
        self, image: str, shape: tuple[int, int] | None = None
    ) -> tuple[np.ndarray, list[Instance]]:
        height, width = shape or (227, 227)
        ids = cv2.resize(
            self.numbers[image].astype(np.uint8) + 1, (width, height), interpolation=cv2.INTER_NEAREST
        )
        return ids.astype(np.int32), [Instance(f"thing {k}", k) for k in range(CONCEPTS)]


def bare(network: Network, annotations: Blocks) -> None:
    """Read, prepare, run to the deepest layer; keep nothing."""
    paths = [str(annotations.path(image)) for image in annotations]
    for _, frames, _ in read_ahead(lambda path: network.show_input(load_image(path)), paths):
        network(np.stack(frames), framed=True)


def measure_pass(n: int, rounds: int) -> pd.DataFrame:
    """One row per turn and way: clock and processor in milliseconds per image."""
    network = Network(CaffeNet(20))
    rows = []
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        images = Blocks(Path(folder), n)
        ways: dict[str, Callable[[], object]] = {
            "bare": lambda: bare(network, images),
            "labels": lambda: label_networks([network], images, [LAYERS], progress=False),
        }
        label_networks([network], images, [LAYERS], list(images)[:4], progress=False)  # compiled
        for turn in range(rounds):
            for name in list(ways)[:: 1 if turn % 2 else -1]:
                clock, processor = time.perf_counter(), time.process_time()
                ways[name]()
                spent = np.array([time.perf_counter() - clock, time.process_time() - processor]) / n * 1e3
                rows.append({"turn": turn, "way": name, "clock": spent[0], "processor": spent[1]})
    return pd.DataFrame(rows)


def ratio(turns: pd.DataFrame, above: str, below: str) -> dict[str, float]:
    """Median over turns, compared in pairs: what else the machine was doing then fell on both."""
    pairs = turns.set_index(["turn", "way"]).unstack("way")
    return {how: float((pairs[how][above] / pairs[how][below]).median()) for how in ("clock", "processor")}


def show(turns: pd.DataFrame, said: str, ratios: dict[str, float], wanted: str) -> None:
    print(turns.groupby("way")[["clock", "processor"]].median().round(2).to_string())
    print(
        f"{said}: {ratios['clock']:.2f} by the clock, {ratios['processor']:.2f} of processor time ({wanted})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"about {0.15 * options.images * options.rounds:.0f} s on two cores")
    counting, apart = measure_counting(options.images, options.rounds)
    faster = ratio(counting, "light", "sparse")
    print(
        f"{UNITS} units of {MAP}x{MAP}, {CONCEPTS} concepts, {SIDE} px, {options.images} images; ms per image"
    )
    show(counting, "light / sparse", faster, f"wanted: at least {FASTER}")
    print("largest difference of IoU from light:", {name: f"{value:.1e}" for name, value in apart.items()})
    OUT.mkdir(parents=True, exist_ok=True)
    whole = measure_pass(options.images, options.rounds)
    times = ratio(whole, "labels", "bare")
    show(whole, "whole pass / bare forward pass", times, f"wanted: at most {WITHIN}")
    found = {"images": options.images, "faster": faster, "apart": apart, "times": times}
    found |= {"counting": counting.to_dict("records"), "pass": whole.to_dict("records")}
    found |= {"torch": torch.__version__, "cpus": os.cpu_count()}
    (OUT / "label_units.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
