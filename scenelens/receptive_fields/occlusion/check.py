"""Compare the fast way with whole passes on a few occluders, before it is trusted with a layer.

The fast way follows from what the steps of a network are known to do. If any of that were wrong, the map
would be wrong without a word. So at a layer's first use a few occluders are computed by both ways: one where
the watched unit looks, and others at the image's edges and in a corner; read at the watched place and in two
corners of the map.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from scenelens.networks import Step
from scenelens.receptive_fields.occlusion.records import Discrepancy, Patches, Place, Wanted
from scenelens.receptive_fields.occlusion.run import _WindowedLayer
from scenelens.receptive_fields.occlusion.whole import _WholePasses

#: How much the two ways may differ: a share of the unit's highest response, and of the layer's.
_OF_UNIT, _OF_LAYER = 1e-3, 1e-5


def _difference(
    fast: _WindowedLayer,
    whole: _WholePasses,
    x: Tensor,
    patches: Patches,
    wanted: Wanted,
    original: Tensor,
) -> str:
    """How the fast way differs from whole passes on an image, in one sentence; empty where it does not.

    Parameters
    ----------
    fast : _WindowedLayer
        The fast way.
    whole : _WholePasses
        The plain way.
    x : torch.Tensor
        The image, (channels, H, W), as the module takes it.
    patches : Patches
        The occluders, of which a few are taken.
    wanted : tuple
        The unit and the place that are watched; place None for the unit's peak.
    original : torch.Tensor
        The layer's values for the image, (units, h, w).

    Returns
    -------
    str
        The sentence.
    """
    unit, place = _telling(original, wanted)
    corners = [(original.shape[1] - 1, original.shape[2] - 1), (0, 0)]
    wanted_here: list[Wanted] = [(unit, one) for one in dict.fromkeys([place, *corners])]
    few = _few(fast, patches, place, (x.shape[1], x.shape[2]))
    plain = whole.discrepancies(x, few, wanted_here)
    try:
        found = fast.discrepancies(x, few, wanted_here)
    except Exception as error:
        return f"The fast way fails at layer {whole.layer!r} ({type(error).__name__}: {error})."
    highest = max(float(original[unit].abs().max()), *(float(one.map.max()) for one in plain))
    allowed = _OF_UNIT * highest + _OF_LAYER * float(original.abs().max())
    worst = max(_apart(one, other) for one, other in zip(found, plain, strict=True))
    if worst <= allowed:
        return ""
    share = worst / max(highest, 1e-30)
    return f"The fast way and whole passes differ at layer {whole.layer!r} by {share:.1%} of the response."


def _telling(original: Tensor, wanted: Wanted) -> tuple[int, Place]:
    """The watched unit and place; where the response is zero, the loudest unit and its peak tell more."""
    unit, place = wanted
    loudness = original.abs().flatten(1).amax(1)
    if loudness[unit] < 1e-3 * loudness.max():
        unit, place = int(loudness.argmax()), None
    if place is None or not bool(original[unit, place[0], place[1]]):
        place = Discrepancy.peak_places(original[unit].abs()[None])[0]
    return unit, place


def _few(fast: _WindowedLayer, patches: Patches, place: Place, size: tuple[int, int]) -> Patches:
    """Four occluders: where the place looks, at the lower edge, at the right edge, and in their corner."""
    starts = []
    for axis in (0, 1):
        low, high = fast.geometry.seen(axis, place[axis])
        last = size[axis] - patches.values.shape[axis]
        middle = min(max(0, (low + high - patches.values.shape[axis]) // 2), last)
        starts.append(tuple(sorted({middle, last})))
    return dataclasses.replace(patches, some=(starts[0], starts[1]))


def _apart(one: Discrepancy, other: Discrepancy) -> float:
    """The largest difference of two results; infinite where only one of them is finite."""
    apart = max(abs(one.peak - other.peak), float(abs(one.map - other.map).max()))
    return apart if apart == apart else float("inf")


def _marks(steps: list[Step]) -> list[Any]:
    """What changes when a tensor is changed that the steps use: where it lies, its version, and its bits."""
    tensors: list[Tensor] = []
    for step in steps:
        if step.module is not None:
            tensors += [*step.module.parameters(), *step.module.buffers()]
        elif step.kind == "unknown" and not step.inputs:
            value = step.call()
            tensors += [value] if isinstance(value, Tensor) else []
    return [_mark(one) for one in tensors]


def _mark(tensor: Tensor) -> tuple[Any, ...]:
    flat = tensor.detach().reshape(-1)
    words = {4: torch.int32, 8: torch.int64, 2: torch.int16}.get(flat.element_size(), torch.uint8)
    # assigning to `.data` leaves the version as it was, so the bits are added up, too
    total = int(flat.view(words).sum(dtype=torch.int64)) if flat.numel() else 0
    version = -1 if tensor.is_inference() else tensor._version
    return (tensor.data_ptr(), version, tuple(tensor.shape), total)
