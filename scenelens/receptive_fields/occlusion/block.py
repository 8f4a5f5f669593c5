"""One block of occluders: the windows of neighbouring occluders, computed together, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from scenelens.networks import Step
from scenelens.receptive_fields.occlusion.plan import _AxisPlan
from scenelens.receptive_fields.occlusion.records import Patches, Place
from scenelens.receptive_fields.occlusion.watch import _as_index, _Watch
from scenelens.receptive_fields.occlusion.windows import _Windows


class _Block:
    """The windows of one block of occluders, from the image up to the target.

    Parameters
    ----------
    watch : _Watch
        The steps, and their channels.
    originals : dict
        Step name -> its values without an occluder.
    plans : tuple of _AxisPlan
        The windows along both axes.
    begun : dict, optional
        Step name -> windows that other blocks read, too.
    """

    def __init__(
        self,
        watch: _Watch,
        originals: dict[str, Any],
        plans: tuple[_AxisPlan, _AxisPlan],
        begun: dict[str, Any] | None = None,
    ) -> None:
        self.watch, self.originals, self.plans = watch, originals, plans
        self.begun = frozenset(begun or {})
        self.found: dict[str, Any] = dict(begun or {})

    def run(self, patches: Patches) -> dict[str, Any]:
        """Compute the steps, and give the windows of those that are read later."""
        for step in self.watch.steps:
            self.found[step.name] = self._step(step, patches)
            # windows are dropped after their last reader: only a few steps' are in memory at a time
            for before in dict.fromkeys(step.inputs):
                if self.watch.last_use[before.name] == step.name:
                    del self.found[before.name]
        return self.found

    def responses(self, patches: Patches, place: Place) -> Tensor:
        """The units' responses at the place, (occluders, units)."""
        self.run(patches)
        target = self.watch.target.name
        if target in self.watch.sizes:
            at = [np.full((len(plan.occluders), 1), place[plan.axis]) for plan in self.plans]
            there = self.found[target].values_at(self.originals[target], *at)[:, 0, 0]
            return there[:, self.watch.own(there)]
        there = self.found[target][:, _as_index(self.watch.units, self.found[target])]
        return there[..., place[0], place[1]] if there.ndim == 4 else there.flatten(1)

    def _step(self, step: Step, patches: Patches) -> Any:
        if step.kind == "input":
            starts = [plan.starts[step.name] for plan in self.plans]
            return _Windows(patches.at(*starts), *starts)
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

    def _windows(self, step: Step) -> _Windows:
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
        return _Windows(values, *[plan.starts[step.name] for plan in self.plans])

    def _alone(self, step: Step) -> bool:
        """Whether a step may overwrite its input: it is the last reader, and the input's values are its own.

        A pointwise step (identity, dropout) may hand on the very tensor it was given, which others still
        read; and the input step's values may be a view of the occluder itself.
        """
        before = step.inputs[0]
        last = self.watch.last_use[before.name] == step.name and before.name not in self.begun
        return last and before.kind not in ("pointwise", "input")

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
