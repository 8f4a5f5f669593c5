"""What a minimal image costs, compared with the plain way: python -m benchmarks.minimal_images

The plain way zeroes the gradients of one more segment, solves the Poisson equation anew and runs the network
on that one picture, for every candidate of every step. It solves by cosine transforms (scipy.fft), by a
sparse factorisation made once (scipy's SuperLU), and by one made anew each time. Half-width CaffeNet, 40
segments, 227 px. With transforms the plain way runs to the end, and the removals are compared; with
factorisations it is timed on some candidates, and their pictures are compared. All in one run. Writes
build/bench/minimal_images.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.fft
import scipy.sparse as sparse
import torch
from PIL import Image
from scipy.sparse.linalg import splu

from scenelens.minimal_images import MinimalImage, Regions, minimal_image, segment_image
from scenelens.minimal_images.gradient_domain import forward_differences
from scenelens.networks import CaffeNet, Network

OUT = Path(__file__).parents[1] / "build" / "bench"
SIDE = 227
# Solving anew by a sparse factorisation means factorising again, as a plain spsolve does. With factors that
# are made once, no ratio of 40 is possible: the network's own passes leave a factor of about 6.
WANTED = {"transforms": 4.0, "factorised anew": 40.0, "network share": 0.8}
Solver = Callable[[np.ndarray], np.ndarray]


def picture(seed: int) -> np.ndarray:
    """Noise at several scales, with the detail of a photograph."""
    rng = np.random.default_rng(seed)
    noise = [rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for side in (4, 16, 64)]
    scaled = [np.asarray(Image.fromarray(one).resize((SIDE, SIDE))) for one in noise]
    return np.average(scaled, axis=0, weights=(4, 2, 1)).astype(np.uint8)


def by_transforms(right: np.ndarray) -> np.ndarray:
    """(H, W, 3) right-hand sides of the normal equations -> pictures of mean 0."""
    spectrum = scipy.fft.dctn(right, axes=(0, 1), workers=-1)
    return scipy.fft.idctn(spectrum / eigenvalues(right.shape[:2]), axes=(0, 1), workers=-1)


@lru_cache
def eigenvalues(shape: tuple[int, int]) -> np.ndarray:
    rows, columns = (2 - 2 * np.cos(np.pi * np.arange(n) / n) for n in shape)
    found = rows[:, None] + columns
    found[0, 0] = np.inf
    return found[..., None]


def laplacian(shape: tuple[int, int]) -> sparse.csc_matrix:
    """The normal equations, with the first pixel fixed, which makes them solvable."""
    lines = [sparse.diags([-1.0, 1.0], [0, 1], shape=(n - 1, n)) for n in shape]
    squares = [line.T @ line for line in lines]
    whole = sparse.kron(squares[0], sparse.eye(shape[1])) + sparse.kron(sparse.eye(shape[0]), squares[1])
    first = sparse.coo_matrix(([1.0], ([0], [0])), shape=whole.shape)
    return sparse.csc_matrix(whole + first)


@lru_cache
def factors(shape: tuple[int, int]) -> object:
    return splu(laplacian(shape), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})


def by_factors(right: np.ndarray) -> np.ndarray:
    found = factors(right.shape[:2]).solve(right.reshape(-1, 3)).reshape(right.shape)
    return found - found.mean((0, 1))


def by_new_factors(right: np.ndarray) -> np.ndarray:
    factors.cache_clear()
    return by_factors(right)


def plain_picture(image: np.ndarray, kept: np.ndarray, segment_map: np.ndarray, solve: Solver) -> np.ndarray:
    down, right = (one * kept[segment_map][..., None] for one in forward_differences(image))
    adjoint = -np.diff(down, axis=0, prepend=0) - np.diff(right, axis=1, prepend=0)
    found = solve(adjoint) + image.mean((0, 1))
    return np.clip(np.floor(found + 0.5), 0, 255).astype(np.uint8)


def candidates(removed: list[int], n: int) -> list[np.ndarray]:
    """The choices of segments that a search with these removals looks at, in its order."""
    kept, found = np.ones(n, bool), []
    for segment in removed:
        for candidate in np.flatnonzero(kept):
            found.append(kept & (np.arange(n) != candidate))
        kept[segment] = False
    return found


def plain_search(network: Network, image: np.ndarray, regions: Regions, solve: Solver) -> list[int]:
    """The removals of the plain way."""
    target = int(network(image, framed=True).argmax())
    kept, removed = np.ones(len(regions), bool), []
    while kept.any():
        tried = np.flatnonzero(kept)
        logits = []
        for candidate in tried:
            choice = kept & (np.arange(len(kept)) != candidate)
            logits.append(network(plain_picture(image, choice, regions.segment_map, solve), framed=True)[0])
        scores = torch.stack(logits).double()
        best = int(scores.log_softmax(1)[:, target].argmax())
        kept[tried[best]] = False
        removed.append(int(tried[best]))
        if int(scores[best].argmax()) != target:
            break
    return removed


class NetworkClock:
    """Seconds spent inside a network's forward passes."""

    def __init__(self, network: Network) -> None:
        self.seconds = self._start = 0.0
        self.handles = [
            network.module.register_forward_pre_hook(self._begin),
            network.module.register_forward_hook(self._end),
        ]

    def _begin(self, *_: object) -> None:
        self._start = time.perf_counter()

    def _end(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._start


def timed_ours(network: Network, image: np.ndarray, regions: Regions) -> tuple[MinimalImage, float, float]:
    """The result, seconds in all, and the network's share of them."""
    clock = NetworkClock(network)
    start = time.perf_counter()
    found = minimal_image(network, image, regions)
    seconds = time.perf_counter() - start
    for handle in clock.handles:
        handle.remove()
    return found, seconds, clock.seconds / seconds


def timed_sample(
    network: Network, image: np.ndarray, regions: Regions, tried: list[np.ndarray], solve: Solver
) -> tuple[float, int]:
    """Seconds per candidate, and by how many grey levels the pictures differ from the transforms'."""
    start = time.perf_counter()
    pictures = [plain_picture(image, kept, regions.segment_map, solve) for kept in tried]
    for one in pictures:
        network(one, framed=True)
    seconds = (time.perf_counter() - start) / len(tried)
    others = [plain_picture(image, kept, regions.segment_map, by_transforms) for kept in tried]
    differences = [np.abs(a.astype(int) - b).max() for a, b in zip(pictures, others, strict=True)]
    return seconds, int(max(differences))


def measure(network: Network, seed: int, quick: bool) -> dict:
    image = picture(seed)
    regions = segment_image(image)
    found, ours, share = timed_ours(network, image, regions)
    removed = found.steps.removed[1:].tolist()
    tried = candidates(removed, len(regions))
    rng = np.random.default_rng(seed)
    some = [tried[k] for k in rng.choice(len(tried), min(len(tried), 8), replace=False)]
    row = {"segments": len(regions), "removed": len(removed), "candidates": len(tried)}
    row |= {"ours": ours, "network share": share}
    if quick:
        row["transforms"] = timed_sample(network, image, regions, some, by_transforms)[0] * len(tried)
    else:
        start = time.perf_counter()
        plain = plain_search(network, image, regions, by_transforms)
        row |= {"transforms": time.perf_counter() - start, "same": plain == removed}
    for name, solve, n in (("factorised once", by_factors, 8), ("factorised anew", by_new_factors, 2)):
        seconds, difference = timed_sample(network, image, regions, some[:n], solve)
        row |= {name: seconds * len(tried), f"{name}, grey levels": difference}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="time the plain way on a few candidates only")
    options = parser.parse_args()
    print(f"about {(15 if options.quick else 60) * options.images} s on two cores", flush=True)
    torch.manual_seed(0)
    network = Network(CaffeNet(20, width=0.5, fc=512))
    minimal_image(network, picture(99), segment_image(picture(99), 4, 0))  # warm up
    factors((SIDE, SIDE))
    rows = [measure(network, seed, options.quick) for seed in range(options.images)]
    ways = [name for name in rows[0] if name in ("transforms", "factorised once", "factorised anew")]
    ratios = {way: statistics.median(row[way] / row["ours"] for row in rows) for way in ways}
    share = statistics.median(row["network share"] for row in rows)
    print(f"half-width CaffeNet, {SIDE} px, {torch.get_num_threads()} threads; seconds per minimal image")
    for row in rows:
        print(
            "  " + ", ".join(f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())
        )
    for way, ratio in ratios.items():
        goal = f" (wanted: at least {WANTED[way]:.0f})" if way in WANTED else ""
        print(f"plain, {way} / ours: {ratio:.1f}{goal}")
    print(f"the network's forward pass: {share:.0%} of our time (wanted: at least 80%)")
    print("same kept set: " + ("not compared" if options.quick else str(all(row["same"] for row in rows))))
    OUT.mkdir(parents=True, exist_ok=True)
    result = {"rows": rows, "ratios": ratios, "network_share": share, "wanted": WANTED}
    result |= {"threads": torch.get_num_threads(), "cpus": os.cpu_count(), "torch": torch.__version__}
    (OUT / "minimal_images.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
