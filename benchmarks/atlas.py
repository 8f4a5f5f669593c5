"""How long the atlas of SceneWorld takes, predicted from a sample: python -m benchmarks.atlas [--against DIR]

The atlas measures each unit on its 25 top images. Units of a layer that share an image share the pass. Of
each layer some images are drawn at random, an image of three units three times as often as that of one. Each
is occluded for all its units together, and then for each unit alone: here, or with --against by another
checkout of scenelens, in a process of its own. What the maps of a unit become, its field, is timed on one
unit. From this follows the time of the whole atlas, in processor seconds, which other work on the machine
hardly touches.

How far the maps of both ways differ is said, too: as a share of a map's highest value.

A whole run is `scenelens atlas` (it can be stopped, and goes on where it was). Writes build/bench/atlas.json.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import time
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

import scenelens as sl
from scenelens.receptive_fields import Occlusion, open_atlas

OUT = Path(__file__).parents[1] / "build" / "bench"
Pairs = list[tuple[int, tuple[int, int]]]


class Worker:
    """Occludes images for units alone or together, and says how long that took."""

    def __init__(self, study: str, threads: int) -> None:
        torch.set_num_threads(threads)
        warnings.simplefilter("ignore")
        self.study, self.layers = sl.open_study(study), {}

    def maps(self, network: str, layer: str, image: str, pairs: Pairs, together: bool) -> tuple[float, Any]:
        """Processor seconds, and the maps."""
        pixels = self.study.load_image(image)
        if (network, layer) not in self.layers:
            occlusion = self.layers[network, layer] = Occlusion(self.study.networks[network], layer)
            occlusion.of(pixels, [pairs[0][0]], [pairs[0][1]])  # compares two ways, once for each layer
        occlusion, began = self.layers[network, layer], time.process_time()
        groups = [pairs] if together else [[pair] for pair in pairs]
        found = [one for some in groups for one in occlusion.of(pixels, *zip(*some, strict=True))]
        return time.process_time() - began, [one.map for one in found]

    def serve(self) -> None:
        """Answer what comes from the process that began this one."""
        # a pipe of its own: libraries may print
        answers, sys.stdout = sys.stdout.buffer, sys.stderr
        while True:
            try:
                asked = pickle.load(sys.stdin.buffer)
            except EOFError:
                return
            pickle.dump(self.maps(*asked), answers)
            answers.flush()


class Elsewhere:
    """A worker of another checkout, in a process of its own."""

    def __init__(self, checkout: Path, study: str, threads: int) -> None:
        command = [sys.executable, __file__, "--worker", "--study", study, "--threads", str(threads)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=checkout,
            env=os.environ | {"PYTHONPATH": str(checkout)},
        )

    def maps(self, *asked: Any) -> tuple[float, Any]:
        """As `Worker.maps`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        pickle.dump(asked, self.process.stdin)
        self.process.stdin.flush()
        return pickle.load(self.process.stdout)


def images_of(study: Any, network: str, layer: str, n_images: int) -> dict[str, Pairs]:
    """Image -> the units that have it among their highest, and the places of their peaks there."""
    part = open_atlas(study, n_images).part(network)
    found = defaultdict(list)
    for unit in range(part.units(layer)):
        top = study.index(network).top_images(layer, unit, n_images)
        top = top[top["peak"] != 0]
        for image, row, column in zip(top["image"], top["row"], top["col"], strict=True):
            found[str(image)].append((unit, (int(row), int(column))))
    return dict(found)


def field_seconds(study: Any, network: str, layer: str, n_images: int) -> float:
    """Processor seconds for what a unit's maps become."""
    part = open_atlas(study, n_images).part(network)
    found = part.compute(layer, part.example(layer), progress=False, n_images=2)
    began = time.process_time()
    maps = np.repeat(found.maps, n_images, axis=0)[:n_images]
    evidence = type(found.evidence)(
        maps, np.repeat(found.centers, n_images, axis=0)[: len(maps)],
        found.input_size, found.occluder, found.stride,
    )  # fmt: skip
    evidence.field(layer, 0, found.theoretical, places=found.places, peaks=found.peaks,
                   images=found.images, asked=n_images)  # fmt: skip
    return time.process_time() - began


def measure(study: Any, here: Worker, other: Worker | Elsewhere, network: str, layer: str, args: Any) -> dict:
    images = images_of(study, network, layer, args.images)
    rng, pairs = np.random.default_rng(0), sum(map(len, images.values()))
    names = sorted(images)
    chance = np.array([len(images[name]) for name in names]) / pairs
    some = rng.choice(names, min(args.sample, len(names)), replace=False, p=chance)
    together = alone = apart = 0.0
    same = total = sampled = 0
    for image in map(str, some):
        took, new = here.maps(network, layer, image, images[image], True)
        together += took / len(new)
        took, old = other.maps(network, layer, image, images[image], False)
        alone += took / len(old)
        sampled += len(new)
        for one, two in zip(new, old, strict=True):
            apart = max(apart, float(np.abs(one - two).max() / max(two.max(), 1e-30)))
            same, total = same + int((one == two).sum()), total + one.size
    units = study.networks[network].layer_shape(layer)[0]
    return {
        "network": network, "layer": layer, "units": units, "images": len(images), "pairs": pairs,
        "sampled": sampled,
        "together": together / len(some) * pairs, "alone": alone / len(some) * pairs,
        "fields": field_seconds(study, network, layer, args.images) * units,
        "apart": apart, "same": same / total,
    }  # fmt: skip


def show(row: dict) -> None:
    print(
        f"{row['network']:7} {row['layer']:6} {row['units']:5} {row['pairs']:6} {row['images']:6} "
        f"{row['pairs'] / row['images']:7.2f} {row['alone']:9,.0f} {row['together']:9,.0f} "
        f"{row['alone'] / max(row['together'], 1e-9):6.2f} {row['fields']:7,.0f} "
        f"{row['apart']:8.0e} {row['same']:7.1%}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", default="sceneworld")
    parser.add_argument("--images", type=int, default=25, help="K")
    parser.add_argument("--sample", type=int, default=6, help="images of each layer that are measured")
    parser.add_argument("--against", type=Path, help="another checkout, whose way is 'alone'")
    parser.add_argument("--layers", nargs="*", default=[], help="only these")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    here = Worker(args.study, args.threads)
    if args.worker:
        here.serve()
        return
    other = here if args.against is None else Elsewhere(args.against.resolve(), args.study, args.threads)
    print(
        "network layer  units  pairs images sharing     alone  together  ratio  fields    apart   equal"
        f"   (processor seconds; load {os.getloadavg()[0]:.1f})"
    )
    rows = []
    for _, network, layer in open_atlas(here.study, args.images).layers():
        if not args.layers or layer in args.layers:
            rows.append(measure(here.study, here, other, network, layer, args))
            show(rows[-1])
    old, new = (sum(row[way] + row["fields"] for row in rows) for way in ("alone", "together"))
    print(f"whole, two cores: {old / 120:.0f} minutes alone, {new / 120:.0f} together, {old / new:.2f} times")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "atlas.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
