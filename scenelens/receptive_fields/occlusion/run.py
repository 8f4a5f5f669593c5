"""One unit or a few, one image, all occluders: the passes over the original and over the windows."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scenelens.networks import Slide, Step, ancestors
from scenelens.receptive_fields.occlusion.plan import Axis, AxisPlan, map_sizes, needs, reads
from scenelens.receptive_fields.occlusion.records import Patches, Place, as_tensor
from scenelens.receptive_fields.occlusion.steps import WindowStep, window_steps
from scenelens.receptive_fields.occlusion.windows import Original, Windows, read_changes, read_values

#: MERGED DOC: The windows of one block of occluders, computed step by step from the image up to the watched layer.


#: Floats that the windows of one batch of occluders may take, together: on a CPU little enough to stay near
#: the cores.
FLOATS = {"cpu": 6_000_000, "cuda": 400_000_000}
WORTHWHILE = 200_000  # floats of a block that another thread is worth starting for


class Watch:
    """Some units of one layer, watched while an occluder moves over an image.

    Parameters
    ----------
    target : the step at which the layer's response is read.
    units : (n,) sorted unit numbers.
    input_size, n_image : (H, W) of the image and its channels.
    """

    def __init__(self, target: Step, units: np.ndarray, input_size: tuple[int, int], n_image: int) -> None:
        self.target, self.units = target, units
        self.steps = ancestors(target)
        self.sizes = map_sizes(self.steps, input_size)
        self.made: dict[str, WindowStep] = window_steps(self.steps, self.sizes, target.name, units, n_image)
        self.channels = {name: made.channels for name, made in self.made.items()}
        self.channels |= {one.name: np.arange(n_image) for one in self.steps if one.kind == "input"}
        self._parts = functools.lru_cache(maxsize=8)(self._make_parts)  # places come back, image after image
        self.last_use = {before.name: step.name for step in self.steps for before in step.inputs}

    # ---- the original ----------------------------------------------------------------------------

    def originals(self, image: Tensor, place: Place | None = None) -> dict[str, Any]:
        """The pass without occluder: step name -> `Original`, or a tensor (1, ...) where positions mean
        nothing.

        Parameters
        ----------
        image : (C, H, W) as the network takes it.
        place : only what this position of the target depends on; None for the target's whole map.
        """
        spans = [self._needs(axis, None if place is None else place[axis]) for axis in (0, 1)]
        found: dict[str, Any] = {}
        for step in self.steps:
            if step.name not in self.sizes:
                found[step.name] = step.call(*[_dense(found[before.name]) for before in step.inputs])
                continue
            rows, columns = spans[0][step.name], spans[1][step.name]
            if step.kind == "input":
                values = image.permute(1, 2, 0)[slice(*rows), slice(*columns)]
            else:
                values = self._original(step, found, rows, columns)
            found[step.name] = Original.of(values, rows, columns)
        return found

    def _needs(self, axis: int, place: int | None) -> dict[str, tuple[int, int]]:
        lengths = {name: size[axis] for name, size in self.sizes.items()}
        whole = (0, lengths.get(self.target.name, 1))
        return needs(
            self.steps, lengths, axis, self.target.name, whole if place is None else (place, place + 1)
        )

    def _original(self, step: Step, found: dict[str, Any], rows: Any, columns: Any) -> Tensor:
        made = self.made[step.name]
        pieces = []
        for number, before in enumerate(step.inputs):
            piece = found[before.name].crop(reads(step, rows, 0), reads(step, columns, 1), made.pad_value)
            pieces.append(self.columns(step, number, piece))
        positions = [np.arange(*span)[None] for span in (rows, columns)]
        return made(pieces, bias=True, counts=self.counts(step, *positions))[0]

    def response(self, originals: dict[str, Any]) -> Tensor:
        """(units, h, w) of the target without occluder: of the part that `originals` holds, (units, 1, 1) if
        flat."""
        value = originals[self.target.name]
        if isinstance(value, Original):
            return value.map[..., self.own(value.map)].permute(2, 0, 1)
        value = value[0, as_tensor(self.units, value)]
        return value.reshape(len(self.units), *(value.shape[1:] or (1, 1)))

    def peaks(self, originals: dict[str, Any], place: Place) -> Tensor:
        """(units,) the responses at a place without occluder."""
        held = originals[self.target.name]
        first = (held.rows[0], held.columns[0]) if isinstance(held, Original) else (0, 0)
        return self.response(originals)[:, place[0] - first[0], place[1] - first[1]]

    def own(self, like: Tensor) -> Tensor:
        """Where the watched units are among the target's channels."""
        return as_tensor(np.searchsorted(self.channels[self.target.name], self.units), like)

    def columns(self, step: Step, number: int, piece: Tensor) -> Tensor:
        """Of an input's windows (B, h, w, channels), the channels that a step takes."""
        have, taken = self.channels[step.inputs[number].name], self.made[step.name].takes[number]
        if len(have) == len(taken):
            return piece
        return piece.index_select(-1, as_tensor(np.searchsorted(have, taken), piece))

    def counts(self, step: Step, rows: np.ndarray, columns: np.ndarray) -> tuple[Tensor, Tensor] | None:
        """For average pooling: how many positions each window at rows (n_y, h), columns (n_x, w) counts, per
        axis."""
        if not isinstance(step.module, nn.AvgPool2d):
            return None
        size = self.sizes[step.inputs[0].name]
        down, across = (_counted(step, axis, size[axis], at) for axis, at in enumerate((rows, columns)))
        return (
            torch.from_numpy(np.repeat(down, len(columns), axis=0)),
            torch.from_numpy(np.tile(across, (len(rows), 1))),
        )

    # ---- the occluders ---------------------------------------------------------------------------

    def responses(
        self, originals: dict[str, Any], patches: Patches, place: Place
    ) -> Iterator[tuple[np.ndarray, np.ndarray, Tensor]]:
        """The units' responses at a place under each occluder that can change them.

        Yields
        ------
        (rows, columns, values) : indices (n_y,), (n_x,) into the grid of occluders, and (n_y, n_x, units)
        float.
        """
        device = patches.values.device.type
        threads = torch.get_num_threads() if device == "cpu" else 1
        dense = sum(value.numel() for value in originals.values() if isinstance(value, Tensor))
        extent = tuple(patches.values.shape[:2])
        down, across = self._parts(place, extent, patches.stride, dense, device, threads)

        def block(plans: tuple[AxisPlan, AxisPlan]) -> tuple[np.ndarray, np.ndarray, Tensor]:
            rows, columns = (plan.occluders for plan in plans)
            values = Block(self, originals, plans).run(patches, place)
            return rows, columns, values.view(len(rows), len(columns), -1)

        yield from _at_once(block, [(rows, columns) for rows in down for columns in across], threads)

    def _make_parts(
        self, place: Place, extent: tuple[int, int], stride: int, dense: int, device: str, threads: int
    ) -> list[list[AxisPlan]]:
        """Both axes cut into parts. A block, a part of the rows by one of the columns, is computed at once:
        small enough for memory and for windows hardly larger than each occluder's own, so that all threads
        have work."""
        axes = [
            Axis(self.steps, self.sizes, axis, self.target.name, place[axis], (extent[axis], stride))
            for axis in (0, 1)
        ]
        n = len(axes[0].occluders) * len(axes[1].occluders)
        if not n:
            return [[], []]
        plans = [axis.plan(slice(None)) for axis in axes]
        windows = sum(plans[0].size[k] * plans[1].size[k] * len(c) for k, c in self.channels.items())
        each = windows + dense + sum(self._whole(step) for step in self.steps if step.name not in self.sizes)
        share = max(WORTHWHILE, each * n // (2 * threads)) if threads > 1 else each * n
        side = max(1, int((min(FLOATS.get(device, FLOATS["cpu"]), share) / each) ** 0.5))
        return [_cut(axis, side) for axis in axes]

    def _whole(self, step: Step) -> int:
        """Floats of the whole maps that a step without positions reads."""
        names = [before.name for before in step.inputs if before.name in self.sizes]
        return sum(int(np.prod(self.sizes[name])) * len(self.channels[name]) for name in names)


def _at_once(call: Callable[[Any], Any], blocks: list[Any], threads: int) -> Iterator[Any]:
    """The calls' results in order; several blocks at a time, each in one thread, which suits small windows
    better than many threads to a block."""
    if threads < 2 or len(blocks) < 2:
        yield from map(call, blocks)
        return
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(torch.inference_mode()(call), blocks)
    finally:
        torch.set_num_threads(threads)


def _cut(axis: Axis, side: int) -> list[AxisPlan]:
    """Parts of about `side` occluders each."""
    n = len(axis.occluders)
    edges = np.linspace(0, n, -(-n // side) + 1).round().astype(int)
    return [axis.plan(slice(low, high)) for low, high in itertools.pairwise(edges)]


def _counted(step: Step, axis: int, length: int, at: np.ndarray) -> np.ndarray:
    """How many positions of the input the windows at (n, h) count along an axis, by torch's rules for
    edges."""
    slide, pool = step.slide or Slide((1, 1)), step.module
    first = at * slide.stride[axis] - slide.padding[axis]
    last = np.minimum(first + slide.kernel[axis], length + slide.padding[axis])
    if not pool.count_include_pad:  # type: ignore[union-attr]
        first, last = np.maximum(first, 0), np.minimum(last, length)
    return (last - first).astype(np.float32)


def _dense(value: Any) -> Any:
    return value.map.permute(2, 0, 1)[None] if isinstance(value, Original) else value


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
