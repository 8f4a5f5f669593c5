"""The plain way to occlude: one whole forward pass for each occluder.

It is what the fast way in `scenelens.receptive_fields.occlusion.occlude` is held against, and what remains for networks that cannot be
followed step by step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from scenelens.networks import Network, module_of, record
from scenelens.receptive_fields.occlusion.records import Discrepancy, Patches, Place

Wanted = tuple[int, Place | None]  # a unit, and where it is watched; None for its peak


def peak_places(responses: Tensor) -> list[Place]:
    """The (row, col) of each unit's peak in responses (units, h, w); of equal ones the first in reading
    order.

    >>> peak_places(torch.tensor([[[0.0, 3, 1], [3, 0, 0]]]))
    [(0, 1)]
    """
    width = responses.shape[2]
    flat = responses.flatten(1).cpu().numpy().argmax(1)  # numpy promises the first of equals
    return [(int(at) // width, int(at) % width) for at in flat]


def plain_discrepancies(
    network: Network | nn.Module,
    layer: str,
    x: Tensor,
    patches: Patches,
    wanted: list[Wanted],
    batch: int = 64,
) -> list[Discrepancy]:
    """The plain loop: one whole forward pass (up to the layer) per occluder. For networks that cannot be
    followed, and to hold the fast way against.

    Parameters
    ----------
    x : (C, H, W) as the module takes it.
    patches, wanted : the occluders; unit and place (None for its peak), one pair per result.
    """
    module = module_of(network)
    n_y, n_x = patches.grid(x)
    with exactly(module), record(network, layer) as acts:
        module(x[None])
        original = _mapped(acts[layer])[0]
        places = [place or peak_places(original[unit][None])[0] for unit, place in wanted]
        rows = []
        for first in range(0, n_y * n_x, batch):
            module(_occluded(x, patches, range(first, min(n_y * n_x, first + batch)), n_x))
            values = _mapped(acts[layer])
            rows.append([values[:, unit, y, x] for (unit, _), (y, x) in zip(wanted, places, strict=True)])
    found = []
    for number, ((unit, _), place) in enumerate(zip(wanted, places, strict=True)):
        peak = original[unit, place[0], place[1]]
        changed = (torch.cat([row[number] for row in rows]) - peak).abs()
        found.append(Discrepancy(changed.view(n_y, n_x).cpu().numpy(), unit, place, float(peak)))
    return found


def _occluded(x: Tensor, patches: Patches, numbers: range, n_x: int) -> Tensor:
    height, width = patches.values.shape[:2]
    images = x.repeat(len(numbers), 1, 1, 1)
    for image, number in zip(images, numbers, strict=True):
        top, left = number // n_x * patches.stride, number % n_x * patches.stride
        patch = patches.windows(np.array([top]), np.array([left])).values[0]
        image[:, top : top + height, left : left + width] = patch.permute(2, 0, 1)
    return images


def _mapped(values: Tensor) -> Tensor:
    """(N, units, h, w), also where a layer has no positions."""
    return values if values.ndim == 4 else values.flatten(1)[:, :, None, None]


@contextlib.contextmanager
def exactly(module: nn.Module) -> Iterator[None]:
    """Eval mode, no gradients, and full float32 precision on GPUs, for the length of a with block."""
    flags = {child: child.training for child in module.modules() if child.training}
    cudnn = torch.backends.cudnn
    with torch.inference_mode(), cudnn.flags(cudnn.enabled, cudnn.benchmark, cudnn.deterministic, False):
        module.eval()
        try:
            yield
        finally:
            for child, training in flags.items():
                child.training = training
