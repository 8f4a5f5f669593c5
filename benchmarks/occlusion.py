"""Cost of an occlusion map beside captum and the machine's limit: python -m benchmarks.occlusion

The unit that responds most at the centre of its layer's map, one image, 11x11 px of noise, stride 3: 5,329
occluders at 227 px. All ways run on the same network, cut off behind the layer, in one process, with the same
number of threads. captum gets the batch size that is best for it on a hundred occluders, and with --quick, as
on SqueezeNet, is timed on these alone.

The limit is this machine's: the multiply-adds at positions that an occluder changes and the unit sees, of the
channels that it depends on, at the speed that torch's conv2d reaches here, in this run, on a large map that
suits it. The share of the limit is that time over ours. It is computed from processor time, too, which other
work on the machine hardly touches: of the two, believe that one where the load is high.

--vgg16 measures one class score of VGG16 under 16x16 px patches, beside whole passes. Nakandala, Kumar and
Papakonstantinou (Incremental and Approximate Inference for Faster Occlusion-based Deep CNN Explanations,
SIGMOD 2019; their tool is Krypton) say in their abstract that their exact way is up to 5 times faster; 5.4x
is the number for VGG16 and a CPU that this is held against. What differs: their processor and version of
torch, and perhaps the size and stride of patches; and trained weights and photographs, on which time does not
depend. With --stride 4 there are 2,809 patches; a larger stride has fewer, of about the same cost each.

Writes build/bench/occlusion-<device>.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from captum.attr import Occlusion as Captum
from torch import nn

from scenelens.networks import CaffeNet, layer_step, load_torchvision
from scenelens.receptive_fields.occlusion.occlude import Occlusion
from scenelens.receptive_fields.occlusion.plan import _Geometry
from scenelens.receptive_fields.occlusion.watch import _Watch

OUT = Path(__file__).parents[1] / "build" / "bench"
SIZE, STRIDE = 11, 3
BATCHES = (1, 16, 64)
WANTED = {"pool1": 5000, "pool2": 800, "conv4": 80, "pool5": 16}
GOAL = {"pool2": 0.5, "conv4": 0.5, "pool5": 0.7}  # shares of the limit
KRYPTON = 5.4  # their exact way on VGG16 and a CPU, times faster than whole passes


class Seconds(NamedTuple):
    """On the clock, and of processor time."""

    clock: float
    processor: float


@dataclass
class Row:
    """One way of computing one layer's map."""

    layer: str
    way: str
    seconds: float
    processor_seconds: float
    ratio: float
    processor_ratio: float
    share: float
    processor_share: float
    note: str
    threads: int
    load: float


class Where(NamedTuple):
    """The unit that is watched, and where in its layer's map."""

    unit: int
    place: tuple[int, int]


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def loudest_at_centre(net: nn.Module, image: torch.Tensor) -> Where:
    """The unit that responds most at the map's centre: one that is silent there would stay silent, and any
    answer be right."""
    with torch.no_grad():
        response = net(image)[0]
    row, column = (n // 2 for n in response.shape[1:])
    return Where(int(response[:, row, column].argmax()), (row, column))


def caffenet_until(layer: str) -> nn.Module:
    children = dict(CaffeNet(10, fc=16).named_children())
    names = list(children)
    last = names.index(layer) + (names[names.index(layer) + 1].startswith("relu"))
    return nn.Sequential(*[children[name] for name in names[: last + 1]]).eval()


def cases(which: list[str]) -> list[tuple[str, nn.Module, int]]:
    torch.manual_seed(0)
    found = [(layer, caffenet_until(layer), 227) for layer in WANTED]
    features = load_torchvision().models.squeezenet1_1(weights=None).eval().features
    found += [(f"SqueezeNet features.{n}", features[: n + 1], 224) for n in (3, 6, 9, 12)]
    return [one for one in found if not which or one[0] in which]


def timed(call: Callable[[], object], device: str) -> Seconds:
    clock, used = time.perf_counter(), time.process_time()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    return Seconds(time.perf_counter() - clock, time.process_time() - used)


def middle(times: list[Seconds]) -> Seconds:
    return Seconds(*(statistics.median(column) for column in zip(*times, strict=True)))


# ---- the limit ------------------------------------------------------------------------------------------


def library_speed(device: str) -> Seconds:
    """Multiply-adds that torch's conv2d does in a second, on the clock and of processor time."""
    generator = torch.Generator().manual_seed(0)
    best = [0.0, 0.0]
    for channels, side, batch in ((256, 28, 8), (192, 13, 32), (128, 56, 4)):
        x = torch.randn(batch, channels, side, side, generator=generator).to(
            device, memory_format=torch.channels_last
        )
        weight = torch.randn(channels, channels, 3, 3, generator=generator).to(
            device, memory_format=torch.channels_last
        )
        work = float(x.numel() * weight[0].numel())
        with torch.inference_mode():
            F.conv2d(x, weight, padding=1)
            for _ in range(5):
                took = timed(lambda x=x, weight=weight: F.conv2d(x, weight, padding=1), device)
                best = [max(old, work / seconds) for old, seconds in zip(best, took, strict=True)]
    return Seconds(*best)


def needed(net: nn.Module, layer: str, image: torch.Tensor, where: Where, size: int, stride: int) -> float:
    """Multiply-adds that a map needs at least: exact windows, and channels that the unit depends on."""
    target = layer_step(net, layer, image[None])
    geometry = _Geometry(target.ancestors(), target.name, tuple(image.shape))
    watch = _Watch(target, np.array([where.unit]), geometry, tuple(image.shape))
    starts = [tuple(range(0, image.shape[axis + 1] - size + 1, stride)) for axis in (0, 1)]
    axes = [geometry.axis(axis, (at, at + 1), size, starts[axis]) for axis, at in enumerate(where.place)]
    total, number = 0.0, len(axes[0].occluders) * len(axes[1].occluders)
    for step in geometry.steps:
        if isinstance(step.module, nn.Linear):
            total += step.module.weight.numel() * number
        elif step.name in watch.made:
            row = axes[0].steps.index(step)
            positions = [float(axis.widths[row, axis.occluders].sum()) for axis in axes]
            total += watch.made[step.name].work * positions[0] * positions[1]
    return total


# ---- captum and the plain loop --------------------------------------------------------------------------


def captum_run(
    net: nn.Module, image: torch.Tensor, where: Where, batch: int, window: int, stride: int
) -> None:
    def unit(x: torch.Tensor) -> torch.Tensor:
        return net(x)[:, where.unit, where.place[0], where.place[1]]

    shape = (image.shape[0], window, window)
    with torch.inference_mode():
        Captum(unit).attribute(
            image[None], shape, (image.shape[0], stride, stride), perturbations_per_eval=batch
        )


def captum_best(net: nn.Module, image: torch.Tensor, where: Where, device: str) -> tuple[int, Seconds]:
    """The best batch size, and seconds per occluder with it: the window's size does not matter here."""
    coarse = image.shape[1] // 10 + 1
    captum_run(net, image, where, 16, coarse, coarse)
    tried = {
        batch: min(
            timed(lambda batch=batch: captum_run(net, image, where, batch, coarse, coarse), device)
            for _ in range(2)
        )
        for batch in (BATCHES if device == "cpu" else (64, 512, 1024))
    }
    best = min(tried, key=lambda batch: tried[batch])
    n = (-(-(image.shape[1] - coarse) // coarse) + 1) ** 2
    return best, Seconds(tried[best].clock / n, tried[best].processor / n)


def worst_error(net: nn.Module, layer: str, image: torch.Tensor, where: Where, patch: np.ndarray) -> float:
    """Largest difference to the plain loop on 289 occluders, as a share of the response."""
    coarse = Occlusion(net, layer, patch, stride=13)
    ours = coarse.of(image, [where.unit], [where.place])[0]
    plain = coarse.plainly(image, [where.unit], [where.place])[0]
    return float(np.abs(ours.map - plain.map).max() / max(abs(plain.peak), plain.map.max(), 1e-6))


# ---- tables ---------------------------------------------------------------------------------------------


def rows_of(layer: str, theirs: Seconds, ours: Seconds, limit: Seconds, notes: tuple[str, str]) -> list[Row]:
    threads, load = torch.get_num_threads(), os.getloadavg()[0]
    found = []
    for way, took, note in zip(
        ("whole passes", "scenelens", "limit"), (theirs, ours, limit), (*notes, ""), strict=True
    ):
        ratios = [one / other for one, other in zip(theirs, took, strict=True)]
        shares = [one / other for one, other in zip(limit, took, strict=True)]
        found.append(Row(layer, way, *took, *ratios, *shares, note, threads, load))
    return found


def measure(layer: str, net: nn.Module, side: int, speed: Seconds, args: argparse.Namespace) -> list[Row]:
    net = net.to(args.device)
    images = torch.randn(args.repeats + 1, 3, side, side, device=args.device)
    path, patch = str(len(net) - 1), np.random.default_rng(0).normal(size=(SIZE, SIZE, 3))
    where = loudest_at_centre(net, images[:1])
    occlusion = Occlusion(net, path, patch, STRIDE)
    times = [
        timed(lambda image=image: occlusion.of(image, [where.unit], [where.place]), args.device)
        for image in images
    ]
    ours = middle(times[1:])
    batch, each = captum_best(net, images[0], where, args.device)
    number = ((side - SIZE) // STRIDE + 1) ** 2
    theirs = Seconds(each.clock * number, each.processor * number)
    if not (args.quick or layer.startswith("Squeeze")):
        theirs = timed(lambda: captum_run(net, images[0], where, batch, SIZE, STRIDE), args.device)
    error = worst_error(net, path, images[0], where, patch)
    work = needed(net, path, images[0], where, SIZE, STRIDE)
    limit = Seconds(work / speed.clock, work / speed.processor)
    wanted = f"; wanted {WANTED[layer]:,}x" if layer in WANTED else ""
    wanted += f" and {GOAL[layer]:.0%} of the limit" if layer in GOAL else ""
    notes = (
        f"captum, {batch} a pass",
        f"unit {where.unit}, first image {times[0].clock * 1e3:,.0f} ms, error {error:.0e}{wanted}",
    )
    return rows_of(layer, theirs, ours, limit, notes)


def measure_vgg16(speed: Seconds, args: argparse.Namespace) -> list[Row]:
    """One class score of VGG16 with random weights, by whole passes and by windows."""
    torch.manual_seed(0)
    net = load_torchvision().models.vgg16(weights=None).eval().to(args.device)
    image = torch.randn(3, 224, 224, device=args.device)
    occlusion = Occlusion(net, "classifier.6", np.zeros((16, 16, 3)), args.stride)
    number = ((224 - 16) // args.stride + 1) ** 2
    occlusion.of(image, [0])  # compares both ways on a few occluders, once
    ours = middle([timed(lambda: occlusion.of(image, [0]), args.device) for _ in range(args.repeats)])
    passes = image.repeat(8, 1, 1, 1)
    with torch.inference_mode():
        net(passes)
        each = middle([timed(lambda: net(passes), args.device) for _ in range(args.repeats)])
    theirs = Seconds(*(one / len(passes) * number for one in each))
    work = needed(net, "classifier.6", image, Where(0, (0, 0)), 16, args.stride)
    limit = Seconds(work / speed.clock, work / speed.processor)
    notes = (f"{len(passes)} a pass, {number} patches", f"published: {KRYPTON}x, exact, on a CPU")
    return rows_of("VGG16 score", theirs, ours, limit, notes)


def show(rows: list[Row]) -> None:
    for row in rows:
        print(
            f"{row.layer:22} {row.way:13} {row.seconds:10.4f} {row.processor_seconds:10.4f} "
            f"{row.ratio:9,.1f} {row.processor_ratio:9,.1f} {row.share:6.0%} {row.processor_share:6.0%} "
            f"{row.threads:3} {row.load:5.1f}  {row.note}",
            flush=True,
        )


HEAD = (
    f"{'layer':22} {'way':13} {'seconds':>10} {'processor':>10} {'ratio':>9} {'by proc.':>9} "
    f"{'share':>6} {'proc.':>6} thr  load  note"
)


def options() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("layers", nargs="*", help="only these layers, e.g. pool2 conv4")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="captum's time from a hundred occluders, not from all (so on SqueezeNet)",
    )
    parser.add_argument("--vgg16", action="store_true", help="one class score of VGG16, nothing else")
    parser.add_argument("--stride", type=int, default=4, help="of VGG16's patches, in pixels")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="images; the median counts")
    return parser.parse_args()


def main() -> None:
    args = options()
    torch.set_num_threads(args.threads)
    speed = library_speed(args.device)
    print(
        f"{processor()}, torch {torch.__version__}, {args.threads} threads; torch's conv2d: "
        f"{2e-9 * speed.clock:,.0f} GFLOP/s on the clock, {2e-9 * speed.processor:,.0f} a processor second"
    )
    print(HEAD)
    rows: list[Row] = []
    for case in [()] if args.vgg16 else cases(args.layers):
        found = measure_vgg16(speed, args) if args.vgg16 else measure(*case, speed, args)
        show(found)
        rows += found
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process, captum included: {megabytes:,.0f} MB")
    OUT.mkdir(parents=True, exist_ok=True)
    setting = {
        "device": args.device,
        "processor": processor(),
        "threads": args.threads,
        "torch": torch.__version__,
        "quick": args.quick,
        "gflops": 2e-9 * speed.clock,
        "gflops_per_processor_second": 2e-9 * speed.processor,
    }
    result = {**setting, "peak_megabytes": megabytes, "rows": [asdict(row) for row in rows]}
    name = f"occlusion-{'vgg16-' if args.vgg16 else ''}{args.device}.json"
    (OUT / name).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
