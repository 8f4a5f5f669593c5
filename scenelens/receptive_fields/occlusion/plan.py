"""Where an occluder's effect can be, step by step: the geometry behind `scenelens.receptive_fields.occlusion.occlude`.

An occluder changes a small window of the image. Every sliding step widens that window a little (the forward
cone), and of each map only what the one watched position is connected to is of interest (the backward cone).
Their intersection, one interval per step, occluder and axis, is all that has to be computed. Rows and
columns never mix, so each axis is planned on its own and a window is the product of two intervals.

All occluders of a step get windows of one length, the longest of the exact ones, so that they can be
computed in one batch; an interval that would end outside the backward cone is moved inside. A window that is
larger than needed costs time and never correctness: what is computed in it is exact wherever it lies inside
the backward cone, and nothing reads the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from torch import nn

from scenelens.networks import Slide, Step

Span = tuple[int, int]


@dataclass
class AxisPlan:
    """The windows along one axis for some neighbouring occluders.

    Attributes
    ----------
    occluders : (n,) indices into the grid of occluder positions along this axis.
    starts, size : step name -> (n,) first position of each window, and the windows' common length.
    spread : names of convolutions that compute all outputs an input window reaches (padding k - 1); the
        others read all inputs their output window needs (no padding).
    """

    occluders: np.ndarray
    starts: dict[str, np.ndarray] = field(default_factory=dict)
    size: dict[str, int] = field(default_factory=dict)
    spread: set[str] = field(default_factory=set)


def map_sizes(steps: list[Step], input_size: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """Step name -> (height, width) of its map, for all steps whose positions still mean something.

    Steps left out (see `scenelens.networks.graph.Step`: kinds 'whole' and 'unknown', sums of maps of different
    size, and all that follows from them) have to be computed from whole maps.
    """
    sizes: dict[str, tuple[int, int]] = {}
    for step in steps:
        before = [sizes.get(one.name) for one in step.inputs]
        if step.kind == "input":
            sizes[step.name] = input_size
        elif before and before[0] and len(set(before)) == 1 and _keeps_positions(step, before[0]):
            sizes[step.name] = step.slide.out_size(before[0]) if step.slide else before[0]
    return sizes


def _keeps_positions(step: Step, size: tuple[int, int]) -> bool:
    if step.kind != "whole":
        return step.kind != "unknown"
    wanted = getattr(step.module, "output_size", None)  # adaptive pooling to the size that is there already
    wanted = (wanted, wanted) if isinstance(wanted, int) else wanted
    return wanted is not None and all(w in (None, n) for w, n in zip(wanted, size, strict=True))


def needs(steps: list[Step], lengths: dict[str, int], axis: int, target: str, span: Span) -> dict[str, Span]:
    """The backward cone: step name -> [low, high) of its map that `span` of the target's map depends on.

    Steps that are not in `lengths` need the whole of their inputs.
    """
    need = {target: span}
    for step in reversed(steps):
        for before in step.inputs:
            if before.name in lengths:
                length = lengths[before.name]
                low, high = reads(step, need[step.name], axis) if step.name in lengths else (0, length)
                low = min(max(0, low), length - 1)
                high = max(low + 1, min(length, high))
                old = need.get(before.name, (low, high))
                need[before.name] = (min(low, old[0]), max(high, old[1]))
    return need


def reads(step: Step, span: Span, axis: int) -> Span:
    """[low, high) of the input that a span of the output is computed from, padding included.

    >>> reads(Step("conv", "slide", slide=Slide((3, 3), padding=(1, 1))), (0, 2), axis=0)
    (-1, 3)
    """
    if step.slide is None:
        return span
    stride, pad = step.slide.stride[axis], step.slide.padding[axis]
    return (span[0] * stride - pad, (span[1] - 1) * stride - pad + step.slide.extent(axis))


def reached(slide: Slide, low: np.ndarray, high: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The outputs [low, high) of which a sliding step's window touches the inputs [low, high); empty stays
    empty."""
    stride, pad, extent = slide.stride[axis], slide.padding[axis], slide.extent(axis)
    first = -((extent - 1 - pad - low) // stride)  # the first window whose last input is at low or behind
    last = (high - 1 + pad) // stride
    return first, np.where(high > low, last + 1, first)


class Axis:
    """Both cones along one axis.

    Parameters
    ----------
    steps : the target and all it depends on, in the order they run.
    sizes : from `map_sizes`.
    axis : 0 for rows, 1 for columns.
    target, place : name of the watched step, and the watched position along this axis; for a target without
        positions the place is 0.
    grid : (length of an occluder, distance between neighbours), in pixels; the first stands at 0, and none
        is cut off.

    Attributes
    ----------
    occluders : (n,) the occluders that can change the target at the place.
    """

    def __init__(
        self,
        steps: list[Step],
        sizes: dict[str, tuple[int, int]],
        axis: int,
        target: str,
        place: int,
        grid: Span,
    ) -> None:
        self.axis, self.grid = axis, grid
        self.steps = [step for step in steps if step.name in sizes]
        lengths = {name: size[axis] for name, size in sizes.items()}
        self.need = needs(steps, lengths, axis, target, (place, place + 1))
        image = next(step.name for step in steps if step.kind == "input")
        self.offsets = np.arange(0, lengths[image] - grid[0] + 1, grid[1])
        self.changed = _changed(self.steps, axis, self.need, self.offsets, grid[0])
        low, high = self.changed.get(target, (0 * self.offsets, 0 * self.offsets + 1))
        self.occluders = np.flatnonzero(high > low)

    def plan(self, part: slice) -> AxisPlan:
        """The windows of some of `occluders`, as small as these allow."""
        occluders = self.occluders[part]
        plan = AxisPlan(occluders)
        for step in self.steps:
            if step.kind == "input":
                plan.starts[step.name], plan.size[step.name] = self.offsets[occluders], self.grid[0]
            else:
                low, high = self.changed[step.name]
                _plan_step(plan, step, self.axis, self.need[step.name], low[occluders], high[occluders])
        return plan


def _changed(
    steps: list[Step], axis: int, need: dict[str, Span], offsets: np.ndarray, length: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The intersection of both cones: step name -> bounds (low, high) of what each occluder changes."""
    changed: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for step in steps:
        if step.kind == "input":
            low, high = offsets, offsets + length
        elif step.slide is not None:
            low, high = reached(step.slide, *changed[step.inputs[0].name], axis)
        else:
            low, high = _hull([changed[before.name] for before in step.inputs])
        first, last = need[step.name]
        changed[step.name] = (np.maximum(low, first), np.minimum(high, last))
    return changed


def _hull(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    far = np.iinfo(np.int64).max // 2
    lows = [np.where(high > low, low, far) for low, high in parts]
    highs = [np.where(high > low, high, -far) for low, high in parts]
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _plan_step(plan: AxisPlan, step: Step, axis: int, need: Span, low: np.ndarray, high: np.ndarray) -> None:
    first, last = need
    size = int(max(1, (high - low).max()))
    before = step.inputs[0].name
    if step.kind == "slide" and _spreads(step, axis, plan.size[before], size):
        slide = step.slide or Slide((1, 1))
        wider = slide.extent(axis) - 1
        plan.spread.add(step.name)
        plan.starts[step.name] = plan.starts[before] + slide.padding[axis] - wider
        plan.size[step.name] = plan.size[before] + wider
        return
    if step.slide is None and len(step.inputs) == 1:  # nothing moves: the very same windows
        plan.starts[step.name], plan.size[step.name] = plan.starts[before], plan.size[before]
        return
    plan.starts[step.name] = np.clip(np.where(high > low, low, first), first, max(first, last - size))
    plan.size[step.name] = size


def _spreads(step: Step, axis: int, n_in: int, n_out: int) -> bool:
    """Whether it is cheaper to spread the changed inputs over all outputs than to gather each output's
    inputs."""
    slide = step.slide or Slide((1, 1))
    return isinstance(step.module, nn.Conv2d) and slide.stride[axis] == 1 and n_in < n_out
