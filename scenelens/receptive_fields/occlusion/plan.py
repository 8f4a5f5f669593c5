"""The geometry of occlusion: which part of each map an occluder can change, and the unit can see.

An occluder changes a small window of the image. Every sliding step (a convolution, a pooling) widens that
window a little: the forward cone. Of each map, only what the one watched position depends on matters: the
backward cone. The overlap of both is all that has to be computed. It is one interval per step, occluder and
axis: rows and columns never mix in a convolution or a pooling, so each axis is planned on its own, and a
window is the product of two intervals.

All occluders of a block get windows of one length per step, the longest of the exact ones, so that they can
be computed in one batch. An interval that would end outside the backward cone is moved inside. A window that
is larger than needed costs time and never correctness: what is computed in it is exact wherever it lies
inside the backward cone, and nothing reads the rest.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import nn

from scenelens.networks import Slide, Step

Span = tuple[int, int]
_Shape = tuple[int, int, int]


class _Geometry:
    """The maps of a layer and of all steps it depends on, for one size of image.

    Parameters
    ----------
    steps : list of Step
        The watched step and all it depends on, in the order they run.
    target : str
        Name of the watched step.
    shape : tuple of int
        (channels, H, W) of the image.

    Attributes
    ----------
    sizes : dict
        Step name -> (height, width) of its map, for the steps whose positions still mean something. The other
        steps (see `scenelens.networks.Step`: kinds 'whole' and 'unknown', sums of maps of different shape,
        and all that follows from them) have to be computed from whole maps.
    channels : dict
        Step name -> channels of its map, for the same steps.
    axis : callable
        As `_Axis`, without its first argument; what it made is kept.
    """

    def __init__(self, steps: list[Step], target: str, shape: tuple[int, ...]) -> None:
        self.steps, self.target = steps, target
        shapes = _map_shapes(steps, (shape[0], shape[1], shape[2]))
        self.sizes = {name: (height, width) for name, (_, height, width) in shapes.items()}
        self.channels = {name: channels for name, (channels, _, _) in shapes.items()}
        # positions come back, image after image
        self.axis = functools.lru_cache(maxsize=512)(functools.partial(_Axis, self))

    def seen(self, axis: int, place: int) -> Span:
        """Which pixels a position of the target depends on.

        Parameters
        ----------
        axis : int
            0 for rows, 1 for columns.
        place : int
            The position along this axis.

        Returns
        -------
        tuple of int
            [low, high).
        """
        return self.needs(axis, (place, place + 1))[
            next(step.name for step in self.steps if step.kind == "input")
        ]

    def needs(self, axis: int, span: Span | None) -> dict[str, Span]:
        """The backward cone: what of each map some positions of the target depend on.

        Parameters
        ----------
        axis : int
            0 for rows, 1 for columns.
        span : tuple of int or None
            [low, high) of the positions along this axis; None for the target's whole map.

        Returns
        -------
        dict
            Step name -> [low, high).
        """
        lengths = self.lengths(axis)
        need = {self.target: span or (0, lengths.get(self.target, 1))}
        # from the target back to the image: a step's need is known once all its readers have been seen
        for step in reversed(self.steps):
            for before in step.inputs:
                if before.name in lengths:
                    length = lengths[before.name]
                    # a step without positions reads all of its inputs
                    low, high = _reads(step, need[step.name], axis) if step.name in lengths else (0, length)
                    # at least one position, also where a window lies wholly in the padding
                    low = min(max(0, low), length - 1)
                    high = max(low + 1, min(length, high))
                    old = need.get(before.name, (low, high))
                    need[before.name] = (min(low, old[0]), max(high, old[1]))
        return need

    def reads(self, step: Step, rows: Span, columns: Span) -> tuple[Span, Span]:
        """Which part of its input's map a step reads.

        Parameters
        ----------
        step : Step
            A step that has positions.
        rows, columns : tuple of int
            [low, high) of its own map.

        Returns
        -------
        tuple of tuple of int
            Rows and columns [low, high) of the input, padding included.
        """
        return _reads(step, rows, 0), _reads(step, columns, 1)

    def lengths(self, axis: int) -> dict[str, int]:
        """The maps' lengths along an axis.

        Parameters
        ----------
        axis : int
            0 for rows, 1 for columns.

        Returns
        -------
        dict
            Step name -> length, for the steps in `sizes`.
        """
        return {name: size[axis] for name, size in self.sizes.items()}


def _map_shapes(steps: list[Step], image: _Shape) -> dict[str, _Shape]:
    shapes: dict[str, _Shape] = {}
    for step in steps:
        before = [shapes[one.name] for one in step.inputs if one.name in shapes]
        shape = image if step.kind == "input" else None
        if before and len(before) == len(step.inputs):
            shape = _map_shape(step, before)
        if shape:
            shapes[step.name] = shape
    return shapes


def _map_shape(step: Step, before: list[_Shape]) -> _Shape | None:
    """The shape of a step's map from those that it reads; None where it has no positions."""
    channels, *size = before[0]
    if len({shape[1:] for shape in before}) > 1 or not _keeps_positions(step, (size[0], size[1])):
        return None
    if step.kind == "cat":
        return (sum(shape[0] for shape in before), *before[0][1:])
    if len(set(before)) > 1:  # one channel, for example, that is added to all channels
        return None
    out = step.slide.out_size((size[0], size[1])) if step.slide else before[0][1:]
    return (step.module.out_channels if isinstance(step.module, nn.Conv2d) else channels, *out)


def _keeps_positions(step: Step, size: tuple[int, int]) -> bool:
    if step.kind != "whole":
        return step.kind != "unknown"
    wanted = getattr(step.module, "output_size", None)  # adaptive pooling to the size that is there already
    wanted = (wanted, wanted) if isinstance(wanted, int) else wanted
    same = wanted is not None and all(w in (None, n) for w, n in zip(wanted, size, strict=True))
    return same and not getattr(step.module, "return_indices", False)


def _reads(step: Step, span: Span, axis: int) -> Span:
    """[low, high) of the input that a span of a step's output is computed from, padding included.

    >>> _reads(Step("conv", "slide", slide=Slide((3, 3), padding=(1, 1))), (0, 2), axis=0)
    (-1, 3)
    """
    if step.slide is None:
        return span
    stride, pad = step.slide.stride[axis], step.slide.padding[axis]
    return (span[0] * stride - pad, (span[1] - 1) * stride - pad + step.slide.extent(axis))


@dataclass
class _AxisPlan:
    """The windows along one axis for some neighbouring occluders.

    Attributes
    ----------
    axis : int
        0 for rows, 1 for columns.
    occluders : numpy.ndarray
        (n,) indices into the grid of occluders along this axis.
    starts : dict
        Step name -> (n,) first position of each window.
    size : dict
        Step name -> the windows' common length.
    spread : set of str
        Names of the convolutions that compute all outputs that a changed input reaches (padding k - 1). All
        other steps read all inputs that their output window needs (no padding).
    """

    axis: int
    occluders: np.ndarray
    starts: dict[str, np.ndarray] = field(default_factory=dict)
    size: dict[str, int] = field(default_factory=dict)
    spread: set[str] = field(default_factory=set)

    def only(self, steps: frozenset[str]) -> _AxisPlan:
        """The plan of some steps.

        Parameters
        ----------
        steps : frozenset of str
            Their names.

        Returns
        -------
        _AxisPlan
            Without the others.
        """
        starts = {name: value for name, value in self.starts.items() if name in steps}
        size = {name: value for name, value in self.size.items() if name in steps}
        return _AxisPlan(self.axis, self.occluders, starts, size, self.spread & steps)

    def covered(self, step: Step) -> np.ndarray:
        """The positions of a step's map that its windows cover.

        Parameters
        ----------
        step : Step
            A step that has positions.

        Returns
        -------
        numpy.ndarray
            (n, length), a row per occluder.
        """
        return self.starts[step.name][:, None] + np.arange(self.size[step.name])

    def padding(self, step: Step) -> int:
        """How many zeros a step puts around its windows: 0 unless it spreads.

        Parameters
        ----------
        step : Step
            A step that has positions.

        Returns
        -------
        int
            Positions on either side.
        """
        return step.slide.extent(self.axis) - 1 if step.slide and step.name in self.spread else 0

    def read(self, step: Step) -> np.ndarray:
        """The positions of a step's input that its windows are computed from.

        Parameters
        ----------
        step : Step
            A step that has positions.

        Returns
        -------
        numpy.ndarray
            (n, length), a row per occluder.
        """
        start = self.starts[step.name]
        if step.name in self.spread and step.slide:
            first = start - step.slide.padding[self.axis] + self.padding(step)
            return first[:, None] + np.arange(self.size[step.inputs[0].name])
        low, high = _reads(step, (0, self.size[step.name]), self.axis)
        stride = step.slide.stride[self.axis] if step.slide else 1
        return (start * stride + low)[:, None] + np.arange(high - low)


class _Axis:
    """Both cones along one axis, for all occluders.

    Parameters
    ----------
    geometry : _Geometry
        The maps of the watched step and of all it depends on.
    axis : int
        0 for rows, 1 for columns.
    span : tuple of int
        [low, high) of the watched positions along this axis; (0, 1) for a target without positions.
    length : int
        Pixels of an occluder along this axis.
    starts : sequence of int
        First pixel of every occluder.

    Attributes
    ----------
    offsets : numpy.ndarray
        As `starts`.
    changed : dict
        Step name -> (low, high), both (occluders,): the interval of its map that each occluder changes and
        the target depends on; empty where high <= low.
    occluders : numpy.ndarray
        (n,) the occluders that can change the target at these positions. All others change nothing.
    """

    def __init__(
        self, geometry: _Geometry, axis: int, span: Span, length: int, starts: Sequence[int]
    ) -> None:
        self.axis, self.length = axis, length
        self.steps = [step for step in geometry.steps if step.name in geometry.sizes]
        self.need = geometry.needs(axis, span)
        self.offsets = np.array(starts)
        self.changed = _changed(self.steps, axis, self.need, self.offsets, length)
        # a target without positions (a fully connected layer) may be changed by every occluder
        low, high = self.changed.get(geometry.target, (0 * self.offsets, 0 * self.offsets + 1))
        self.occluders = np.flatnonzero(high > low)

    @functools.cached_property
    def widths(self) -> np.ndarray:
        """int (steps, occluders), the length of the interval that each occluder changes."""
        return np.array([np.maximum(0, np.subtract(*self.changed[step.name][::-1])) for step in self.steps])

    def plan(self, occluders: np.ndarray, begun: _AxisPlan | None = None) -> _AxisPlan:
        """The windows of some of `occluders`, as small as these allow.

        Parameters
        ----------
        occluders : numpy.ndarray
            Some of `occluders`. Neighbours have windows of nearly the same length, so a few of them waste
            little.
        begun : _AxisPlan, optional
            A plan of the same occluders, whose steps are taken as they are.

        Returns
        -------
        _AxisPlan
            Their windows.
        """
        plan = _AxisPlan(self.axis, occluders)
        if begun is not None:
            plan.starts, plan.size, plan.spread = dict(begun.starts), dict(begun.size), set(begun.spread)
        for step in self.steps:
            if step.name in plan.starts:
                continue
            if step.kind == "input":
                plan.starts[step.name], plan.size[step.name] = self.offsets[occluders], self.length
            else:
                low, high = self.changed[step.name]
                _plan_step(plan, step, self.need[step.name], low[occluders], high[occluders])
        return plan


def _changed(
    steps: list[Step], axis: int, need: dict[str, Span], offsets: np.ndarray, length: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The overlap of both cones: step name -> bounds (low, high) of what each occluder changes."""
    changed: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for step in steps:
        if step.kind == "input":
            low, high = offsets, offsets + length
        elif step.slide is not None:
            low, high = _reached(step.slide, *changed[step.inputs[0].name], axis)
        else:
            low, high = _hull([changed[before.name] for before in step.inputs])
        # cut to the backward cone at every step, not only at the end: so that no step is wider than it must
        # be
        first, last = need[step.name]
        changed[step.name] = (np.maximum(low, first), np.minimum(high, last))
    return changed


def _reached(slide: Slide, low: np.ndarray, high: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The outputs [low, high) of a sliding step whose windows touch the inputs [low, high); empty stays
    empty."""
    stride, pad, extent = slide.stride[axis], slide.padding[axis], slide.extent(axis)
    first = -((extent - 1 - pad - low) // stride)  # the first window whose last input is at low or behind
    last = (high - 1 + pad) // stride
    return first, np.where(high > low, last + 1, first)


def _hull(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The smallest interval around several; an empty one does not count, wherever it lies."""
    far = np.iinfo(np.int64).max // 2  # beyond any position, and still safe to add to
    lows = [np.where(high > low, low, far) for low, high in parts]
    highs = [np.where(high > low, high, -far) for low, high in parts]
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _plan_step(plan: _AxisPlan, step: Step, need: Span, low: np.ndarray, high: np.ndarray) -> None:
    """Add one step's windows to a plan whose earlier steps are there."""
    first, last = need
    size = int(max(1, (high - low).max()))
    before = step.inputs[0].name
    if step.kind == "slide" and _spreads(step, plan.axis, plan.size[before], size):
        slide = step.slide or Slide((1, 1))
        wider = slide.extent(plan.axis) - 1
        plan.spread.add(step.name)
        plan.starts[step.name] = plan.starts[before] + slide.padding[plan.axis] - wider
        plan.size[step.name] = plan.size[before] + wider
        return
    if step.slide is None and len(step.inputs) == 1:
        # A ReLU or a normalisation moves nothing. With the very same windows it can work in place, and
        # `_Windows.cover` sees that nothing has to be copied.
        plan.starts[step.name], plan.size[step.name] = plan.starts[before], plan.size[before]
        return
    # An occluder that changes nothing here still needs a window, to be in the batch: anywhere inside the
    # cone. `max(first, ...)`: where the common length is more than the cone, the window begins at its start.
    plan.starts[step.name] = np.clip(np.where(high > low, low, first), first, max(first, last - size))
    plan.size[step.name] = size


def _spreads(step: Step, axis: int, n_in: int, n_out: int) -> bool:
    """Whether to spread the changed inputs over all outputs they reach, not to gather each output's inputs.

    Both give the same numbers: a convolution is linear, so it may be run on the changes alone, with zeros
    around them. Spreading reads fewer positions where few inputs have changed (the first layers). It needs
    stride 1, where every input reaches the same outputs.
    """
    slide = step.slide or Slide((1, 1))
    return isinstance(step.module, nn.Conv2d) and slide.stride[axis] == 1 and n_in < n_out
