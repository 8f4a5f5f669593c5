"""The fast way to occlude: one pass without an occluder, then windows, a block of occluders at a time."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scenelens.networks import Slide, Step
from scenelens.receptive_fields.occlusion.plan import Axis, Geometry, _AxisPlan
from scenelens.receptive_fields.occlusion.records import (
    Discrepancy,
    Patches,
    Place,
    Wanted,
)
from scenelens.receptive_fields.occlusion.steps import _window_steps
from scenelens.receptive_fields.occlusion.windows import Windows, _Original

#: Floats that the windows of one batch of occluders may take, together. On a CPU little enough to stay in the
#: caches near the cores; on a GPU as much as keeps it busy.
_FLOATS = {"cpu": 6_000_000, "cuda": 400_000_000}
_WORTHWHILE = 200_000  # floats of a block that starting another thread is worth


class _WindowedLayer:
    """A layer whose steps are known, ready to be occluded by windows.

    Parameters
    ----------
    target : Step
        The step at which the layer's response is read.
    shape : tuple of int
        (channels, H, W) of the images.
    """

    def __init__(self, target: Step, shape: tuple[int, ...]) -> None:
        self.geometry = Geometry(target.ancestors(), target.name, shape)
        # a watch depends on units and not on the image: images that follow each other share it
        self._watch = functools.lru_cache(maxsize=4)(
            lambda units: _Watch(target, np.array(units), self.geometry, shape)
        )

    def discrepancies(self, x: Tensor, patches: Patches, wanted: list[Wanted]) -> list[Discrepancy]:
        """Occlude one image.

        Parameters
        ----------
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
        peaks, whole = self._peaks(x, sorted({unit for unit, place in wanted if place is None}))
        places = [(unit, place or peaks[unit]) for unit, place in wanted]
        found: dict[tuple[int, Place], Discrepancy] = {}
        # units that are read at one place share the windows: the backward cone is the place's
        for place in dict.fromkeys(place for _, place in places):
            watch = self._watch(tuple(sorted({unit for unit, at in places if at == place})))
            originals = whole.get(watch) or watch.originals(x, place)
            found |= {(one.unit, place): one for one in watch.discrepancies(originals, patches, place)}
        return [found[one] for one in places]

    def _peaks(self, x: Tensor, units: list[int]) -> tuple[dict[int, Place], dict[_Watch, Any]]:
        """Where units peak; and the pass it took, which serves again if they all peak at one place."""
        if not units:
            return {}, {}
        watch = self._watch(tuple(units))
        originals = watch.originals(x)
        places = Discrepancy.peak_places(watch.response(originals))
        return dict(zip(units, places, strict=True)), {watch: originals}


class _Watch:
    """Some units of one layer, watched while an occluder moves over an image.

    Parameters
    ----------
    target : Step
        The step at which the layer's response is read.
    units : numpy.ndarray
        (n,) sorted unit numbers.
    geometry : Geometry
        The maps of the target and of all it depends on.
    shape : tuple of int
        (channels, H, W) of the image.
    """

    def __init__(self, target: Step, units: np.ndarray, geometry: Geometry, shape: tuple[int, ...]) -> None:
        self.target, self.units, self.input_size = target, units, (shape[1], shape[2])
        self.steps, self.geometry, self.sizes = geometry.steps, geometry, geometry.sizes
        self.made = _window_steps(geometry, units)
        self.channels = {name: made.channels for name, made in self.made.items()}
        self.channels |= {one.name: np.arange(shape[0]) for one in self.steps if one.kind == "input"}
        self._parts = functools.lru_cache(maxsize=8)(self._make_parts)  # places come back, image after image
        self.last_use = {before.name: step.name for step in self.steps for before in step.inputs}

    def discrepancies(self, originals: dict[str, Any], patches: Patches, place: Place) -> list[Discrepancy]:
        """How much each watched unit changes at a place under every occluder.

        Parameters
        ----------
        originals : dict
            What `originals` gave, for this place or for the whole map.
        patches : Patches
            The occluders.
        place : tuple of int
            (row, column) of the target's map.

        Returns
        -------
        list of Discrepancy
            In the order of the watched units.
        """
        peaks = self._peaks(originals, place)
        # occluders that no block computes cannot change the units at this place: zero is exact for them
        changed = peaks.new_zeros(*patches.grid(self.input_size), len(self.units))
        for rows, columns, values in self._responses(originals, patches, place):
            at = torch.from_numpy(rows)[:, None], torch.from_numpy(columns)[None]
            changed[at] = (values - peaks).abs_()
        maps = changed.permute(2, 0, 1).contiguous().cpu().numpy()
        return [Discrepancy(maps[n], int(unit), place, float(peaks[n])) for n, unit in enumerate(self.units)]

    # ---- the image without an occluder -----------------------------------------------------------

    def originals(self, image: Tensor, place: Place | None = None) -> dict[str, Any]:
        """The pass without an occluder.

        Parameters
        ----------
        image : torch.Tensor
            (channels, H, W), as the network takes it.
        place : tuple of int, optional
            Compute only what this position of the target depends on; by default the target's whole map.

        Returns
        -------
        dict
            Step name -> `_Original`, or a tensor (1, ...) where positions mean nothing.
        """
        spans = [self.geometry.needs(axis, None if place is None else place[axis]) for axis in (0, 1)]
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
            found[step.name] = _Original.of(values, rows, columns)
        return found

    def _original(self, step: Step, found: dict[str, Any], rows: Any, columns: Any) -> Tensor:
        # By the same steps as the windows, not by the module: so that an occluder that changes nothing gives
        # the same rounding, and a difference of exactly zero.
        made = self.made[step.name]
        part = self.geometry.reads(step, rows, columns)
        pieces = [
            self.taken(step, number, found[before.name].crop(*part, made.pad_value))
            for number, before in enumerate(step.inputs)
        ]
        positions = [np.arange(*span)[None] for span in (rows, columns)]
        return made(pieces, bias=True, counts=self.counts(step, *positions))[0]

    def response(self, originals: dict[str, Any]) -> Tensor:
        """The watched units' responses without an occluder.

        Parameters
        ----------
        originals : dict
            What `originals` gave.

        Returns
        -------
        torch.Tensor
            Float (units, h, w), of the part of the map that `originals` holds; (units, 1, 1) for a layer
            without positions.
        """
        value = originals[self.target.name]
        if isinstance(value, _Original):
            return value.map[..., self.own(value.map)].permute(2, 0, 1)
        value = value[0, _as_tensor(self.units, value)]
        return value.reshape(len(self.units), *(value.shape[1:] or (1, 1)))

    def _peaks(self, originals: dict[str, Any], place: Place) -> Tensor:
        """(units,) the responses at a place without an occluder."""
        part = originals[self.target.name]
        first = (part.rows[0], part.columns[0]) if isinstance(part, _Original) else (0, 0)
        return self.response(originals)[:, place[0] - first[0], place[1] - first[1]]

    # ---- channels and counts, for the original and for windows -----------------------------------

    def own(self, like: Tensor) -> Tensor:
        """Where the watched units are among the target's channels (see `WindowStep.channels`).

        Parameters
        ----------
        like : torch.Tensor
            A tensor on the device that is wanted.

        Returns
        -------
        torch.Tensor
            int64 (units,).
        """
        return _as_tensor(np.searchsorted(self.channels[self.target.name], self.units), like)

    def taken(self, step: Step, number: int, piece: Tensor) -> Tensor:
        """Of an input's windows, the channels that a step takes.

        Parameters
        ----------
        step : Step
            The step that reads.
        number : int
            Which of its inputs.
        piece : torch.Tensor
            Float (B, h, w, channels), the input's windows.

        Returns
        -------
        torch.Tensor
            Float (B, h, w, channels taken).
        """
        have, taken = self.channels[step.inputs[number].name], self.made[step.name].takes[number]
        # what is taken is part of what is there, both sorted: equal numbers are the same channels
        if len(have) == len(taken):
            return piece
        return piece.index_select(-1, _as_tensor(np.searchsorted(have, taken), piece))

    def counts(self, step: Step, rows: np.ndarray, columns: np.ndarray) -> tuple[Tensor, Tensor] | None:
        """For average pooling: how many positions each window counts, per axis; None for other steps.

        Parameters
        ----------
        step : Step
            The step.
        rows, columns : numpy.ndarray
            Positions (n_y, h) and (n_x, w) of the step's windows.

        Returns
        -------
        tuple of torch.Tensor or None
            Float (n_y * n_x, h) and (n_y * n_x, w).
        """
        if not isinstance(step.module, nn.AvgPool2d):
            return None
        size = self.sizes[step.inputs[0].name]
        down, across = (_counted(step, axis, size[axis], at) for axis, at in enumerate((rows, columns)))
        return (
            torch.from_numpy(np.repeat(down, len(columns), axis=0)),
            torch.from_numpy(np.tile(across, (len(rows), 1))),
        )

    # ---- the occluders ---------------------------------------------------------------------------

    def _responses(
        self, originals: dict[str, Any], patches: Patches, place: Place
    ) -> Iterator[tuple[np.ndarray, np.ndarray, Tensor]]:
        """The units' responses at a place under each occluder that can change them.

        Yields (rows, columns, values): indices (n_y,) and (n_x,) into the grid of occluders, and float (n_y,
        n_x, units).
        """
        device = patches.values.device.type
        threads = torch.get_num_threads() if device == "cpu" else 1
        dense = sum(value.numel() for value in originals.values() if isinstance(value, Tensor))
        extent, starts = tuple(patches.values.shape[:2]), patches.starts(self.input_size)
        down, across = self._parts(place, extent, starts, dense, device, threads)

        def block(plans: tuple[_AxisPlan, _AxisPlan]) -> tuple[np.ndarray, np.ndarray, Tensor]:
            rows, columns = (plan.occluders for plan in plans)
            values = _Block(self, originals, plans).run(patches, place)
            return rows, columns, values.view(len(rows), len(columns), -1)

        yield from _at_once(block, [(rows, columns) for rows in down for columns in across], threads)

    def _make_parts(
        self, place: Place, extent: tuple[int, ...], starts: Any, dense: int, device: str, threads: int
    ) -> list[list[_AxisPlan]]:
        """Both axes cut into parts. A block, a part of the rows by one of the columns, is computed at once.

        Blocks are small for three reasons: they have to fit in memory; neighbours' windows are hardly larger
        than each occluder's own; and all threads should have work.
        """
        axes = [Axis(self.geometry, axis, place[axis], extent[axis], starts[axis]) for axis in (0, 1)]
        n = len(axes[0].occluders) * len(axes[1].occluders)
        if not n:
            return [[], []]
        # one plan for all occluders has the longest windows: an upper bound of what one occluder takes
        plans = [axis.plan(slice(None)) for axis in axes]
        windows = sum(plans[0].size[k] * plans[1].size[k] * len(c) for k, c in self.channels.items())
        each = windows + dense + sum(self._whole(step) for step in self.steps if step.name not in self.sizes)
        # two blocks per thread even out their lengths; below `_WORTHWHILE` a thread costs more than it saves
        share = max(_WORTHWHILE, each * n // (2 * threads)) if threads > 1 else each * n
        side = max(1, int((min(_FLOATS.get(device, _FLOATS["cpu"]), share) / each) ** 0.5))
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
            # inference mode belongs to a thread, so each call enters it anew
            yield from pool.map(torch.inference_mode()(call), blocks)
    finally:
        torch.set_num_threads(threads)


def _cut(axis: Axis, side: int) -> list[_AxisPlan]:
    """Parts of about `side` occluders each."""
    n = len(axis.occluders)
    edges = np.linspace(0, n, -(-n // side) + 1).round().astype(int)
    return [axis.plan(slice(low, high)) for low, high in itertools.pairwise(edges)]


def _counted(step: Step, axis: int, length: int, at: np.ndarray) -> np.ndarray:
    """How many positions of the input the windows at (n, h) count along an axis, by torch's rules for
    edges."""
    slide, pool = step.slide or Slide((1, 1)), step.module
    first = at * slide.stride[axis] - slide.padding[axis]
    # a window that was rounded up past the padding does not count what lies beyond it, even with
    # count_include_pad
    last = np.minimum(first + slide.kernel[axis], length + slide.padding[axis])
    if not pool.count_include_pad:  # type: ignore[union-attr]
        first, last = np.maximum(first, 0), np.minimum(last, length)
    return (last - first).astype(np.float32)


def _as_tensor(index: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(index).to(like.device)


def _dense(value: Any) -> Any:
    return value.map.permute(2, 0, 1)[None] if isinstance(value, _Original) else value


class _Block:
    """The windows of one block of occluders, from the image up to the target."""

    def __init__(self, watch: _Watch, originals: dict[str, Any], plans: tuple[_AxisPlan, _AxisPlan]) -> None:
        self.watch, self.originals, self.plans = watch, originals, plans
        self.found: dict[str, Any] = {}

    def run(self, patches: Patches, place: Place) -> Tensor:
        """The units' responses at the place, (occluders, units)."""
        for step in self.watch.steps:
            self.found[step.name] = self._step(step, patches)
            # windows are dropped after their last reader: only a few steps' are in memory at a time
            for before in dict.fromkeys(step.inputs):
                if self.watch.last_use[before.name] == step.name:
                    del self.found[before.name]
        target = self.watch.target.name
        if target in self.watch.sizes:
            at = [np.full((len(plan.occluders), 1), place[plan.axis]) for plan in self.plans]
            there = self.found[target].values_at(self.originals[target], *at)[:, 0, 0]
            return there[:, self.watch.own(there)]
        there = self.found[target][:, _as_tensor(self.watch.units, self.found[target])]
        return there[..., place[0], place[1]] if there.ndim == 4 else there.flatten(1)

    def _step(self, step: Step, patches: Patches) -> Any:
        if step.kind == "input":
            starts = [plan.starts[step.name] for plan in self.plans]
            return Windows(patches.at(*starts), *starts)
        if step.name in self.watch.sizes:
            return self._windows(step)
        return step.call(*[self._whole(before) for before in step.inputs])

    def _whole(self, before: Step) -> Any:
        """The whole maps (occluders, channels, H, W) of a step, or what it gave if it has no positions."""
        if before.name not in self.watch.sizes:
            return self.found[before.name]
        size = self.watch.sizes[before.name]
        everywhere = [np.tile(np.arange(size[plan.axis]), (len(plan.occluders), 1)) for plan in self.plans]
        windows, original = self.found[before.name], self.originals[before.name]
        return windows.values_at(original, *everywhere).permute(0, 3, 1, 2)

    def _windows(self, step: Step) -> Windows:
        made = self.watch.made[step.name]
        own = [plan.covered(step) for plan in self.plans]
        values = made(
            [self._read(step, number) for number in range(len(step.inputs))],
            spread=tuple(plan.padding(step) for plan in self.plans),
            counts=self.watch.counts(step, *own),
            alone=self._alone(step),
        )
        if made.linear:  # a convolution was given differences to the original, and gave differences
            original = self.originals[step.name]
            values.view(-1, values.shape[-1]).add_(original.table.index_select(0, original.index(*own)))
        return Windows(values, *[plan.starts[step.name] for plan in self.plans])

    def _alone(self, step: Step) -> bool:
        """Whether a step may overwrite its input: it is the last reader, and the input's values are its own.

        A pointwise step (identity, dropout) may hand on the very tensor it was given, which others still
        read; and the input step's values may be a view of the occluder itself.
        """
        before = step.inputs[0]
        return self.watch.last_use[before.name] == step.name and before.kind not in ("pointwise", "input")

    def _read(self, step: Step, number: int) -> Tensor:
        """What a step is computed from: its input's windows, as wide as it needs them."""
        made, before = self.watch.made[step.name], step.inputs[number].name
        at = [plan.read(step) for plan in self.plans]
        windows, original = self.found[before], self.originals[before]
        if made.linear:
            piece = windows.changes_at(original, *at)
        elif windows.cover(*at) and not (step.slide and self._leaves_the_map(before, at)):
            piece = windows.values
        else:
            piece = windows.values_at(original, *at, made.pad_value)
        return self.watch.taken(step, number, piece)

    def _leaves_the_map(self, before: str, at: list[np.ndarray]) -> bool:
        """Whether positions lie outside of a map. A convolution's windows may hold something there, where a
        pooling must find its padding."""
        size = self.watch.sizes[before]
        return any(bool((one < 0).any() or (one >= size[axis]).any()) for axis, one in enumerate(at))
