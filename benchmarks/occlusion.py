"""Cost of an occlusion map, compared with captum and the plain loop: python -m benchmarks.occlusion

The unit that responds most at the centre of its layer's map, one image, 11x11 px of noise, stride 3: 5,329
occluders at 227 px.
Both run on the same network, cut off behind the layer, in one process, with the same number of threads.
captum gets the batch size that is best for it on a hundred occluders, and on SqueezeNet is timed on these
alone. The limit is arithmetic: the multiply-adds of whole passes over those at positions an occluder can
change and the unit can see, all channels counted; channels that the unit cannot see are left out by ours, so
the limit can be passed, and by more where captum spends longer on a multiply-add. Writes
build/bench/occlusion.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from captum.attr import Occlusion as Captum
from torch import nn

from scenelens.networks import CaffeNet, layer_step, load_torchvision
from scenelens.receptive_fields.occlusion.occlude import Occlusion
from scenelens.receptive_fields.occlusion.plan import Axis, Geometry

OUT = Path(__file__).parents[1] / "build" / "bench"
SIZE, STRIDE = 11, 3
BATCHES = (1, 16, 64)
WANTED = {"pool1": 5000, "pool2": 800, "conv4": 80, "pool5": 16}


@dataclass
class Row:
    """One layer: seconds per image and unit on the clock, processor seconds, and what follows from them."""

    network: str
    layer: str
    unit: int
    ours: float
    ours_first: float
    captum: float
    captum_batch: int
    speedup: float
    wanted: float | None
    ours_processor: float
    captum_processor: float
    processor_speedup: float
    limit: float
    error: float


class Where(NamedTuple):
    """The unit that is watched, and where in its layer's map."""

    unit: int
    place: tuple[int, int]


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


def cases(which: list[str]) -> list[tuple[str, str, nn.Module, int]]:
    torch.manual_seed(0)
    found = [("CaffeNet", layer, caffenet_until(layer), 227) for layer in WANTED]
    features = load_torchvision().models.squeezenet1_1(weights=None).eval().features
    found += [("SqueezeNet 1.1", f"features.{n}", features[: n + 1], 224) for n in (3, 6, 9, 12)]
    return [one for one in found if not which or one[1] in which]


def timed(call: Callable[[], object], device: str) -> tuple[float, float]:
    """Seconds on the clock and of processor time."""
    clock, processor = time.perf_counter(), time.process_time()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - clock, time.process_time() - processor


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


def captum_best(net: nn.Module, image: torch.Tensor, where: Where, device: str) -> tuple[int, float]:
    """The best batch size, and clock seconds per occluder with it: the window's size does not matter for the
    time."""
    coarse = image.shape[1] // 10 + 1
    captum_run(net, image, where, 16, coarse, coarse)
    tried = {
        batch: min(
            timed(lambda batch=batch: captum_run(net, image, where, batch, coarse, coarse), device)[0]
            for _ in range(2)
        )
        for batch in (BATCHES if device == "cpu" else (64, 512, 1024))
    }
    best = min(tried, key=lambda batch: tried[batch])
    n = -(-(image.shape[1] - coarse) // coarse) + 1
    return best, tried[best] / n**2


def limit(net: nn.Module, image: torch.Tensor, where: Where) -> float:
    """Multiply-adds of whole passes over those that can matter."""
    target = layer_step(net, str(len(net) - 1), image[None])
    geometry = Geometry(target.ancestors(), target.name, tuple(image.shape))
    starts = [range(0, image.shape[axis + 1] - SIZE + 1, STRIDE) for axis in (0, 1)]
    axes = [Axis(geometry, axis, where.place[axis], SIZE, starts[axis]) for axis in (0, 1)]
    whole = matter = 0.0
    for step in geometry.steps:
        if isinstance(step.module, nn.Conv2d):
            weights = step.module.weight.numel()
            whole += weights * float(
                np.prod([len(axis.offsets) * geometry.sizes[step.name][axis.axis] for axis in axes])
            )
            widths = [
                np.maximum(0, np.subtract(*axis.changed[step.name][::-1]))[axis.occluders] for axis in axes
            ]
            matter += weights * float(widths[0].sum()) * float(widths[1].sum())
    return whole / matter


def worst_error(net: nn.Module, layer: str, image: torch.Tensor, where: Where, patch: np.ndarray) -> float:
    """Largest difference to the plain loop on 289 occluders, as a share of the response."""
    coarse = Occlusion(net, layer, patch, stride=13)
    ours = coarse.of(image, [where.unit], [where.place])[0]
    plain = coarse.plainly(image, [where.unit], [where.place])[0]
    return float(np.abs(ours.map - plain.map).max() / max(abs(plain.peak), plain.map.max(), 1e-6))


def measure(network: str, layer: str, net: nn.Module, side: int, args: argparse.Namespace) -> Row:
    net = net.to(args.device)
    images = torch.randn(args.repeats + 1, 3, side, side, device=args.device)
    path, patch = str(len(net) - 1), np.random.default_rng(0).normal(size=(SIZE, SIZE, 3))
    where = loudest_at_centre(net, images[:1])
    ours = Occlusion(net, path, patch, STRIDE)
    times = [
        timed(lambda image=image: ours.of(image, [where.unit], [where.place]), args.device)
        for image in images
    ]
    clock, processor = (statistics.median(column) for column in zip(*times[1:], strict=True))
    with torch.inference_mode():  # cases() has set eval mode
        batch, each = captum_best(net, images[0], where, args.device)
        if args.quick or network != "CaffeNet":
            whole = each * ((side - SIZE) // STRIDE + 1) ** 2
            theirs = (whole, whole * torch.get_num_threads())
        else:
            theirs = timed(lambda: captum_run(net, images[0], where, batch, SIZE, STRIDE), args.device)
    return Row(
        network, layer, where.unit, clock, times[0][0], theirs[0], batch, theirs[0] / clock,
        WANTED.get(layer),
        processor, theirs[1], theirs[1] / processor, limit(net, images[0], where),
        worst_error(net, path, images[0], where, patch),
    )  # fmt: skip


def show(row: Row) -> None:
    wanted = f", wanted {row.wanted:,.0f}x" if row.wanted else ""
    print(
        f"{row.network} {row.layer}: {row.ours * 1e3:,.1f} ms (first {row.ours_first * 1e3:,.0f}), "
        f"captum {row.captum:,.1f} s at {row.captum_batch} a pass: {row.speedup:,.0f}x{wanted}; "
        f"{row.speedup / row.limit:.0%} of the limit {row.limit:,.0f}x; "
        f"processor {row.ours_processor * 1e3:,.1f} ms, {row.captum_processor:,.1f} s: "
        f"{row.processor_speedup:,.0f}x; "
        f"error {row.error:.0e}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("layers", nargs="*", help="only these layers, e.g. pool2 conv4")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="captum's time from a hundred occluders, not from all (so on SqueezeNet)",
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="images; the median counts")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = []
    for case in cases(args.layers):
        rows.append(measure(*case, args))
        show(rows[-1])
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process, captum included: {megabytes:,.0f} MB")
    OUT.mkdir(parents=True, exist_ok=True)
    setting = {
        "device": args.device,
        "threads": args.threads,
        "torch": torch.__version__,
        "quick": args.quick,
    }
    result = {**setting, "peak_megabytes": megabytes, "rows": [asdict(row) for row in rows]}
    (OUT / f"occlusion-{args.device}.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
