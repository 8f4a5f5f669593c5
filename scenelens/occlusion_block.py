"""The windows of one block of occluders, computed step by step from the image up to the watched layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from scenelens.module_graph import Step
from scenelens.occlusion_plan import AxisPlan, reads
from scenelens.occlusion_windows import Windows, read_changes, read_values

if TYPE_CHECKING:
    from scenelens.occlusion_run import Watch

Place = tuple[int, int]


@dataclass(frozen=True)
class Patches:
    """The occluders: one patch, moved over the image.

    Attributes
    ----------
    values : (h, w, 3) float, what the network is given under the patch, up to `background`.
    background : (H, W, 3) float, what a network adds to each pixel whatever its value (minus its mean
        image), or None.
    stride : pixels between neighbouring occluders.
    """

    values: Tensor
    background: Tensor | None
    stride: int

    def grid(self, image: Tensor) -> tuple[int, int]:
        """How many occluders, none cut off, stand on an image (C, H, W): rows, columns.

        >>> Patches(torch.zeros(11, 11, 3), None, 3).grid(torch.zeros(3, 227, 227))
        (73, 73)
        """
        height, width = self.values.shape[:2]
        return (image.shape[1] - height) // self.stride + 1, (image.shape[2] - width) // self.stride + 1

    def windows(self, rows: np.ndarray, columns: np.ndarray) -> Windows:
        """The image's windows for occluders whose first rows and columns are given."""
        height, width = self.values.shape[:2]
        n = len(rows) * len(columns)
        values = self.values.expand(n, -1, -1, -1)
        if self.background is not None:
            y = as_tensor(rows[:, None] + np.arange(height), self.values)
            x = as_tensor(columns[:, None] + np.arange(width), self.values)
            behind = self.background[y[:, None, :, None], x[None, :, None, :]]
            values = values + behind.view(n, height, width, -1)
        return Windows(values.contiguous(), rows, columns)


class Block:
    """The windows of one block of occluders, from the image up to the target."""

    def __init__(self, watch: Watch, originals: dict[str, Any], plans: tuple[AxisPlan, AxisPlan]) -> None:
        self.watch, self.originals, self.plans = watch, originals, plans
        self.found: dict[str, Any] = {}

    def run(self, patches: Patches, place: Place) -> Tensor:
        """The units' responses at the place, (occluders, units)."""
        for step in self.watch.steps:
            self.found[step.name] = self._step(step, patches)
            for before in step.inputs:
                if self.watch.last_use[before.name] == step.name:
                    del self.found[before.name]
        target = self.watch.target.name
        if target in self.watch.sizes:
            at = [np.full((self._n(axis), 1), place[axis]) for axis in (0, 1)]
            there = read_values(self.found[target], self.originals[target], at[0], at[1])[:, 0, 0]
            return there[:, self.watch.own(there)]
        there = self.found[target][:, as_tensor(self.watch.units, self.found[target])]
        return there[..., place[0], place[1]] if there.ndim == 4 else there.flatten(1)

    def _n(self, axis: int) -> int:
        return len(self.plans[axis].occluders)

    def _starts(self, step: Step) -> list[np.ndarray]:
        return [plan.starts[step.name] for plan in self.plans]

    def _step(self, step: Step, patches: Patches) -> Any:
        if step.kind == "input":
            return patches.windows(*self._starts(step))
        if step.name in self.watch.sizes:
            return self._windows(step)
        return step.call(*[self._whole(before) for before in step.inputs])

    def _whole(self, before: Step) -> Any:
        """The whole maps (occluders, channels, H, W) of a step, or what it gave if it has no positions."""
        if before.name not in self.watch.sizes:
            return self.found[before.name]
        size = self.watch.sizes[before.name]
        everywhere = [np.tile(np.arange(size[axis]), (self._n(axis), 1)) for axis in (0, 1)]
        windows, original = self.found[before.name], self.originals[before.name]
        return read_values(windows, original, everywhere[0], everywhere[1]).permute(0, 3, 1, 2)

    def _windows(self, step: Step) -> Windows:
        made, starts = self.watch.made[step.name], self._starts(step)
        own = [
            start[:, None] + np.arange(plan.size[step.name])
            for start, plan in zip(starts, self.plans, strict=True)
        ]
        options = {
            "spread": tuple(_spread(step, axis, self.plans[axis]) for axis in (0, 1)),
            "counts": self.watch.counts(step, *own),
            "alone": self._alone(step),
        }
        values = made([self._read(step, number, starts) for number in range(len(step.inputs))], **options)
        if made.linear:  # what it gave are differences
            original = self.originals[step.name]
            values.view(-1, values.shape[-1]).add_(original.table.index_select(0, original.index(*own)))
        return Windows(values, *starts)

    def _alone(self, step: Step) -> bool:
        """Whether a step may overwrite its input: it is the last reader, and the input is no other's output
        passed on."""
        before = step.inputs[0]
        return self.watch.last_use[before.name] == step.name and before.kind not in ("pointwise", "input")

    def _read(self, step: Step, number: int, starts: list[np.ndarray]) -> Tensor:
        """What a step is computed from: its input's windows, as wide as it needs them."""
        made, before = self.watch.made[step.name], step.inputs[number].name
        at = [
            _positions(step, axis, plan, start)
            for axis, (plan, start) in enumerate(zip(self.plans, starts, strict=True))
        ]
        windows, original = self.found[before], self.originals[before]
        if made.linear:
            piece = read_changes(windows, original, at[0], at[1])
        elif windows.cover(*at):
            piece = windows.values
        else:
            piece = read_values(windows, original, at[0], at[1], made.pad_value)
        return self.watch.columns(step, number, piece)


def _spread(step: Step, axis: int, plan: AxisPlan) -> int:
    return step.slide.extent(axis) - 1 if step.slide and step.name in plan.spread else 0


def _positions(step: Step, axis: int, plan: AxisPlan, start: np.ndarray) -> np.ndarray:
    """(n, length) positions of the input that a step's windows (n,) are computed from."""
    if step.name in plan.spread and step.slide:
        first = start - step.slide.padding[axis] + _spread(step, axis, plan)
        return first[:, None] + np.arange(plan.size[step.inputs[0].name])
    low, high = reads(step, (0, plan.size[step.name]), axis)
    stride = step.slide.stride[axis] if step.slide else 1
    return (start * stride + low)[:, None] + np.arange(high - low)


def as_tensor(index: np.ndarray, like: Tensor) -> Tensor:
    """An index array as a tensor on another tensor's device."""
    return torch.from_numpy(index).to(like.device)
