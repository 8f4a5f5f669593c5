"""Some units of a layer, and the part of the network that they depend on: channels, and the image's maps."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scenelens.networks import Slide, Step
from scenelens.receptive_fields.occlusion.plan import Span, _Geometry
from scenelens.receptive_fields.occlusion.records import Place
from scenelens.receptive_fields.occlusion.steps import _window_steps
from scenelens.receptive_fields.occlusion.windows import _Original


class _Watch:
    """Some units of one layer, watched while an occluder moves over an image.

    Parameters
    ----------
    target : Step
        The step at which the layer's response is read.
    units : numpy.ndarray
        (n,) sorted unit numbers.
    geometry : _Geometry
        The maps of the target and of all it depends on.
    shape : tuple of int
        (channels, H, W) of the image.
    """

    def __init__(self, target: Step, units: np.ndarray, geometry: _Geometry, shape: tuple[int, ...]) -> None:
        self.target, self.units, self.input_size = target, units, (shape[1], shape[2])
        self.steps, self.geometry, self.sizes = geometry.steps, geometry, geometry.sizes
        self.made = _window_steps(geometry, units)
        self.channels = {name: made.channels for name, made in self.made.items()}
        self.channels |= {one.name: np.arange(shape[0]) for one in self.steps if one.kind == "input"}
        self.last_use = {before.name: step.name for step in self.steps for before in step.inputs}

    # ---- the image without an occluder -----------------------------------------------------------

    def until(self, early: frozenset[str]) -> _Watch:
        """These steps only; `after` has the others.

        Parameters
        ----------
        early : frozenset of str
            Names of steps.

        Returns
        -------
        _Watch
            Of the same units.
        """
        twin = copy.copy(self)
        twin.steps = [step for step in self.steps if step.name in early]
        return twin

    def after(self, early: frozenset[str], watch: _Watch) -> _Watch:
        """The other steps, which read what `watch` gives of the early ones.

        Parameters
        ----------
        early : frozenset of str
            Names of steps.
        watch : _Watch
            It watches these units and others: it may give more channels.

        Returns
        -------
        _Watch
            Of the same units.
        """
        twin = copy.copy(self)
        twin.steps = [step for step in self.steps if step.name not in early]
        twin.channels = self.channels | {name: watch.channels[name] for name in early}
        return twin

    def originals(
        self, image: Tensor, spans: tuple[Span, Span] | None = None, begun: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The pass without an occluder.

        Parameters
        ----------
        image : torch.Tensor
            (channels, H, W), as the network takes it.
        spans : tuple of tuple of int, optional
            Compute only what these rows and columns [low, high) of the target depend on; by default the
            target's whole map.
        begun : dict, optional
            The values of earlier steps.

        Returns
        -------
        dict
            Step name -> `_Original`, or a tensor (1, ...) where positions mean nothing.
        """
        needs = [self.geometry.needs(axis, None if spans is None else spans[axis]) for axis in (0, 1)]
        found: dict[str, Any] = dict(begun or {})
        for step in self.steps:
            if step.name not in self.sizes:
                found[step.name] = step.call(*[_dense(found[before.name]) for before in step.inputs])
                continue
            rows, columns = needs[0][step.name], needs[1][step.name]
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
        value = value[0, _as_index(self.units, value)]
        return value.reshape(len(self.units), *(value.shape[1:] or (1, 1)))

    def peaks(self, originals: dict[str, Any], place: Place) -> Tensor:
        """The watched units' responses at a place without an occluder.

        Parameters
        ----------
        originals : dict
            What `originals` gave.
        place : tuple of int
            (row, column) of the target's map.

        Returns
        -------
        torch.Tensor
            Float (units,).
        """
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
        return _as_index(np.searchsorted(self.channels[self.target.name], self.units), like)

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
        return piece.index_select(-1, _as_index(np.searchsorted(have, taken), piece))

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

    def whole(self, step: Step) -> int:
        """Floats of the whole maps that a step without positions reads.

        Parameters
        ----------
        step : Step
            A step without positions.

        Returns
        -------
        int
            How many.
        """
        names = [before.name for before in step.inputs if before.name in self.sizes]
        return sum(int(np.prod(self.sizes[name])) * len(self.channels[name]) for name in names)


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


def _as_index(index: np.ndarray, like: Tensor) -> Tensor:
    """Indices as a tensor on another tensor's device.

    Parameters
    ----------
    index : numpy.ndarray
        Whole numbers.
    like : torch.Tensor
        A tensor on the device that is wanted.

    Returns
    -------
    torch.Tensor
        int64, of the same shape.
    """
    return torch.from_numpy(index).to(like.device)


def _dense(value: Any) -> Any:
    return value.map.permute(2, 0, 1)[None] if isinstance(value, _Original) else value
