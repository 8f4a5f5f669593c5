"""The plain way to occlude: one whole forward pass for each occluder.

It judges the fast way (see `scenelens.receptive_fields.occlusion`), and it serves networks whose steps cannot
be followed.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from scenelens.networks import Network, module_of, record
from scenelens.receptive_fields.occlusion.records import Discrepancy, Patches, Wanted, peak_places

_BATCH = 64  # occluded images per forward pass


def plain_discrepancies(
    network: Network | nn.Module, layer: str, x: Tensor, patches: Patches, wanted: list[Wanted]
) -> list[Discrepancy]:
    """Occlude by one forward pass (up to the layer) for each occluder.

    The caller sets eval mode and switches gradients off.

    Parameters
    ----------
    network : Network or torch.nn.Module
        The network.
    layer : str
        The layer whose units are watched.
    x : torch.Tensor
        The image, (channels, H, W), as the module takes it.
    patches : Patches
        The occluders.
    wanted : list of tuple
        (unit, place) for each result; place None for the unit's peak.

    Returns
    -------
    list of Discrepancy
        In the order of `wanted`.
    """
    module = module_of(network)
    n_y, n_x = patches.grid((x.shape[1], x.shape[2]))
    with record(network, layer) as acts:
        module(x[None])
        original = _mapped(acts[layer])[0]
        places = [place or peak_places(original[unit][None])[0] for unit, place in wanted]
        rows = []
        for first in range(0, n_y * n_x, _BATCH):
            module(_occluded(x, patches, range(first, min(n_y * n_x, first + _BATCH)), n_x))
            values = _mapped(acts[layer])
            rows.append([values[:, unit, y, x] for (unit, _), (y, x) in zip(wanted, places, strict=True)])
    found = []
    for number, ((unit, _), place) in enumerate(zip(wanted, places, strict=True)):
        peak = original[unit, place[0], place[1]]
        changed = (torch.cat([row[number] for row in rows]) - peak).abs()
        found.append(Discrepancy(changed.view(n_y, n_x).cpu().numpy(), unit, place, float(peak)))
    return found


def _occluded(x: Tensor, patches: Patches, numbers: range, n_x: int) -> Tensor:
    """Copies of the image, each under the occluder of its number, counted row by row."""
    height, width = patches.values.shape[:2]
    images = x.repeat(len(numbers), 1, 1, 1)
    for image, number in zip(images, numbers, strict=True):
        top, left = number // n_x * patches.stride, number % n_x * patches.stride
        patch = patches.at(np.array([top]), np.array([left]))[0]
        image[:, top : top + height, left : left + width] = patch.permute(2, 0, 1)
    return images


def _mapped(values: Tensor) -> Tensor:
    """(N, units, h, w), also where a layer has no positions."""
    return values if values.ndim == 4 else values.flatten(1)[:, :, None, None]
