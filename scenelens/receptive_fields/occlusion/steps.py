"""The steps of a network, reduced to the channels that a few units depend on, as functions of windows.

A unit of conv4 in one of two groups sees half of conv3's channels, and a unit of pool2 one channel of conv2:
most of the arithmetic of a full pass is spent on channels that cannot matter. Each class here does one kind
of step for the channels that are wanted of it. Windows are channels-last, (B, h, w, channels), so that a
position's channels lie next to each other in memory and are copied at once.
"""

from __future__ import annotations

import copy
import functools
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scenelens.networks import Step
from scenelens.receptive_fields.occlusion.plan import _Geometry

_Counts = tuple[Tensor, Tensor]
#: Outputs and positions of a window from which oneDNN's convolution is faster than a matrix product.
_LANES, _POSITIONS = 16, 4


class _WindowStep:
    """A step that acts on each position alone: the base of the others.

    Parameters
    ----------
    step : Step
        The step of the network's graph.
    wanted : numpy.ndarray
        Sorted numbers of the channels that are wanted.
    n_inputs : list of int
        Channels of each input's whole map.

    Attributes
    ----------
    channels : numpy.ndarray
        Sorted numbers of the channels it gives: all those wanted, at times a few more.
    takes : list of numpy.ndarray
        For each input, the channels it has to be given, in this order.
    linear : bool
        Whether it maps differences to the original to differences (up to its constant, which is left out).
    pad_value : float
        The value outside of the map.
    work : int
        Multiply-adds for one position; 0 where they are few.
    """

    linear = False
    pad_value = 0.0

    def __init__(self, step: Step, wanted: np.ndarray, n_inputs: list[int]) -> None:
        self.step, self.channels = step, wanted
        self.takes = [wanted] * len(step.inputs)
        self.work = 0
        # an adaptive pooling is here only where it changes nothing
        self.module = None if step.kind == "whole" else _careful(step.module)

    def __call__(self, windows: list[Tensor], **_: Any) -> Tensor:
        """From each input's windows (B, h, w, its `takes`) to this step's, (B, h', w', channels)."""
        return windows[0] if self.module is None else self.module(windows[0])


def _careful(module: nn.Module | None) -> nn.Module | None:
    """The module in eval mode, and never writing over its input."""
    if module is None or next(module.children(), None) is not None:
        return module
    twin = copy.copy(module)
    twin.training = False
    if getattr(twin, "inplace", False):
        twin.inplace = False  # type: ignore[assignment]
    return twin


class _Rectify(_WindowStep):
    """ReLU, in place where no other step reads its input."""

    def __call__(self, windows: list[Tensor], alone: bool = False, **_: Any) -> Tensor:
        """As in the base class; `alone`: no other step needs the input any more."""
        return windows[0].clamp_(min=0) if alone else windows[0].clamp(min=0)


class _PRectify(_WindowStep):
    """PReLU, whose slopes belong to channels."""

    def __init__(self, step: Step, wanted: np.ndarray, n_inputs: list[int]) -> None:
        super().__init__(step, wanted, n_inputs)
        slopes = step.module.weight.detach()  # type: ignore[union-attr, operator]
        self.slopes = slopes[torch.from_numpy(wanted).to(slopes.device)] if len(slopes) > 1 else slopes

    def __call__(self, windows: list[Tensor], **_: Any) -> Tensor:
        """As in the base class."""
        return torch.where(windows[0] >= 0, windows[0], windows[0] * self.slopes)


class _Convolve(_WindowStep):
    """A convolution: only the wanted outputs, only the inputs of the groups they are in."""

    linear = True

    def __init__(self, step: Step, wanted: np.ndarray, n_inputs: list[int]) -> None:
        super().__init__(step, wanted, n_inputs)
        conv: Any = step.module
        n_out, n_in = conv.out_channels // conv.groups, conv.in_channels // conv.groups
        # The library wants as many outputs in each group. So each group gives the union of what is wanted in
        # any group: `channels` may be a few more than `wanted`.
        groups, within = np.unique(wanted // n_out), np.unique(wanted % n_out)
        self.channels = (groups[:, None] * n_out + within).ravel()
        self.takes = [(groups[:, None] * n_in + np.arange(n_in)).ravel()]
        self.groups, self.dilation, self.stride = len(groups), conv.dilation, conv.stride
        self.bias = None if conv.bias is None else conv.bias.detach()[self._chosen]
        self.work = len(self.channels) * n_in * conv.kernel_size[0] * conv.kernel_size[1]

    @property
    def _chosen(self) -> Tensor:
        weight: Any = self.step.module.weight  # type: ignore[union-attr]
        return torch.from_numpy(self.channels).to(weight.device)

    @functools.cached_property
    def weight(self) -> Tensor:
        """Float (outputs, inputs of a group, height, width), the wanted outputs' kernels."""
        weight: Any = self.step.module.weight.detach()  # type: ignore[union-attr, operator]
        weight = weight if len(self.channels) == len(weight) else weight[self._chosen]
        return weight.contiguous(memory_format=torch.channels_last)

    @functools.cached_property
    def matrix(self) -> Tensor:
        """The same kernels, (height * width * inputs, outputs)."""
        return self.weight.permute(2, 3, 1, 0).reshape(-1, len(self.channels))

    def __call__(
        self, windows: list[Tensor], spread: tuple[int, int] = (0, 0), bias: bool = False, **_: Any
    ) -> Tensor:
        """As in the base class, with `spread` zeros around the windows; `bias` only for values: differences
        have none."""
        constant = self.bias if bias else None
        if self.groups == 1 and not any(spread) and not self._suits_the_library(windows[0]):
            return self._multiply(windows[0], constant)
        x = windows[0].permute(0, 3, 1, 2)
        y = F.conv2d(x, self.weight, constant, self.stride, spread, self.dilation, self.groups)
        return y.permute(0, 2, 3, 1).contiguous()

    def _suits_the_library(self, x: Tensor) -> bool:
        """Whether the library's convolution is faster than one matrix product.

        oneDNN reads the windows where they lie, and is up to twice as fast as the matrix product, which needs
        a copy. It wants 16 outputs and a few positions; with fewer most of its work is on padding.
        """
        if x.device.type != "cpu" or not torch.backends.mkldnn.is_available():
            return False
        height, width = self._size(x)
        return len(self.channels) >= _LANES and height * width >= _POSITIONS

    def _size(self, x: Tensor) -> list[int]:
        """Height and width of the outputs of windows (B, h, w, channels) without padding."""
        return [
            (length - d * (k - 1) - 1) // s + 1
            for length, k, s, d in zip(
                x.shape[1:3], self.weight.shape[2:], self.stride, self.dilation, strict=True
            )
        ]

    def _multiply(self, x: Tensor, constant: Tensor | None) -> Tensor:
        """The same as one matrix product."""
        # as_strided shows the overlapping kernels' inputs without a copy; the reshape makes the only one
        n, size, (n_out, n_in, *kernel) = len(x), self._size(x), self.weight.shape
        each, row, column, channel = x.stride()
        steps: tuple[int, ...] = (each, row * self.stride[0], column * self.stride[1])
        steps += (row * self.dilation[0], column * self.dilation[1], channel)
        patches = x.as_strided((n, *size, *kernel, n_in), steps).reshape(-1, self.matrix.shape[0])
        y = patches @ self.matrix if constant is None else torch.addmm(constant, patches, self.matrix)
        return y.view(n, *size, n_out)


class _Pool(_WindowStep):
    """Max pooling, or average pooling: sums, divided by how many positions each window counts."""

    def __init__(self, step: Step, wanted: np.ndarray, n_inputs: list[int]) -> None:
        super().__init__(step, wanted, n_inputs)
        self.average = isinstance(step.module, nn.AvgPool2d)
        self.pad_value = 0.0 if self.average else -torch.inf

    def __call__(self, windows: list[Tensor], counts: _Counts | None = None, **_: Any) -> Tensor:
        """As in the base class; `counts` (B or 1, h') and (B or 1, w') for average pooling."""
        slide: Any = self.step.slide
        x = windows[0].permute(0, 3, 1, 2)
        # the windows hold the padding already (see `_Windows.values_at`), so the library adds none
        if not self.average:
            return _highest(_highest(windows[0], 1, slide), 2, slide)
        sums = F.avg_pool2d(x, slide.kernel, slide.stride, divisor_override=1).permute(0, 2, 3, 1)
        rows, columns = counts  # type: ignore[misc]
        divisor: int | None = self.step.module.divisor_override  # type: ignore[union-attr, assignment]
        return sums / (divisor or (rows[:, :, None] * columns[:, None, :])[..., None])


def _highest(x: Tensor, axis: int, slide: Any) -> Tensor:
    """The maxima of sliding windows along an axis of (B, h, w, channels).

    Maxima of rows, and then of columns, take fewer comparisons than those of squares, and the library would
    note where each maximum is, too.
    """
    kernel, stride, dilation = (of[axis - 1] for of in (slide.kernel, slide.stride, slide.dilation))
    n = (x.shape[axis] - dilation * (kernel - 1) - 1) // stride + 1
    every = [slice(None)] * axis
    parts = [
        x[*every, slice(k, k + (n - 1) * stride + 1, stride)] for k in range(0, kernel * dilation, dilation)
    ]
    found = parts[0].contiguous() if kernel == 1 else torch.maximum(*parts[:2])
    for part in parts[2:]:
        torch.maximum(found, part, out=found)
    return found


class _Scale(_WindowStep):
    """BatchNorm in eval mode: one factor and one constant per channel."""

    def __init__(self, step: Step, wanted: np.ndarray, n_inputs: list[int]) -> None:
        super().__init__(step, wanted, n_inputs)
        norm: Any = step.module
        factor = torch.rsqrt(norm.running_var + norm.eps)
        if norm.affine:
            factor = factor * norm.weight.detach()
        constant = -norm.running_mean * factor
        if norm.affine:
            constant = constant + norm.bias.detach()
        chosen = torch.from_numpy(wanted).to(factor.device)
        self.factor, self.constant = factor[chosen], constant[chosen]

    def __call__(self, windows: list[Tensor], **_: Any) -> Tensor:
        """As in the base class."""
        return torch.addcmul(self.constant, windows[0], self.factor)


class _LocalResponse(_WindowStep):
    """Local response normalisation across channels.

    The sum of squares over neighbouring channels is a product with a band matrix, which takes any subset of
    the channels; torch's own module needs all of them. Where all are wanted, a few additions are faster.
    """

    def __init__(self, step: Step, wanted: np.ndarray, n_inputs: list[int]) -> None:
        super().__init__(step, wanted, n_inputs)
        norm: Any = step.module
        self.norm = norm
        low, high = norm.size // 2, (norm.size - 1) // 2
        near = (wanted[:, None] + np.arange(-low, high + 1)).ravel()
        taken = np.unique(near[(near >= 0) & (near < n_inputs[0])])
        self.takes = [taken]
        apart = taken[:, None] - wanted[None, :]
        band = ((apart >= -low) & (apart <= high)) * (norm.alpha / norm.size)
        self.band = torch.from_numpy(band.astype(np.float32))
        self.own = torch.from_numpy(np.searchsorted(taken, wanted))
        self.same, self.whole = len(taken) == len(wanted), len(wanted) == n_inputs[0]

    def _squares(self, x: Tensor) -> Tensor:
        """The sums of squares, times alpha / size."""
        size, n = self.norm.size, x.shape[-1]
        if not self.whole or size < 2:
            return (x * x) @ self.band.to(x)
        squares = F.pad(x * x, (size // 2, (size - 1) // 2))
        sums = squares[..., :n] + squares[..., 1 : n + 1]
        for k in range(2, size):
            sums += squares[..., k : k + n]
        return sums.mul_(self.norm.alpha / size)

    def __call__(self, windows: list[Tensor], **_: Any) -> Tensor:
        """As in the base class."""
        x, norm = windows[0], self.norm
        own = self.own.to(x.device)
        sums = self._squares(x).add_(norm.k)
        if norm.beta == 0.75:  # the usual choice, x^-3/4: two roots are ten times faster than a power
            factor = sums.rsqrt_()
            factor *= factor.sqrt()
        else:
            factor = sums.pow_(-norm.beta)
        return factor.mul_(x if self.same else x.index_select(-1, own))


class _Add(_WindowStep):
    """The sum of two branches, as at the end of a residual block."""

    def __call__(self, windows: list[Tensor], **_: Any) -> Tensor:
        """As in the base class."""
        return windows[0] + windows[1]


class _Concatenate(_WindowStep):
    """The channels of several branches one after another, as at the end of SqueezeNet's Fire."""

    def __init__(self, step: Step, wanted: np.ndarray, n_inputs: list[int]) -> None:
        super().__init__(step, wanted, n_inputs)
        ends = np.cumsum(n_inputs)
        begins = ends - np.array(n_inputs)
        # a branch of which no channel is wanted gives one all the same: an empty tensor would need a branch
        # in every step before it
        idle = [b for b, e in zip(begins, ends, strict=True) if not ((wanted >= b) & (wanted < e)).any()]
        self.channels = wanted = np.union1d(wanted, np.array(idle, int))
        self.takes = [wanted[(wanted >= b) & (wanted < e)] - b for b, e in zip(begins, ends, strict=True)]

    def __call__(self, windows: list[Tensor], **_: Any) -> Tensor:
        """As in the base class."""
        return torch.cat(windows, dim=-1)


_KINDS: dict[type[nn.Module], type[_WindowStep]] = {
    nn.Conv2d: _Convolve,
    nn.MaxPool2d: _Pool,
    nn.AvgPool2d: _Pool,
    nn.ReLU: _Rectify,
    nn.PReLU: _PRectify,
    nn.BatchNorm2d: _Scale,
    nn.LocalResponseNorm: _LocalResponse,
}


def _window_step(step: Step, wanted: np.ndarray, n_inputs: list[int]) -> _WindowStep:
    """The step for the wanted channels; `n_inputs` are its inputs' numbers of channels."""
    if step.kind in ("add", "cat"):
        return (_Add if step.kind == "add" else _Concatenate)(step, wanted, n_inputs)
    found = [kind for module, kind in _KINDS.items() if isinstance(step.module, module)]
    return (found[0] if found else _WindowStep)(step, wanted, n_inputs)


def _window_steps(geometry: _Geometry, units: np.ndarray) -> dict[str, _WindowStep]:
    """Reduce steps to what some units of the target depend on.

    Parameters
    ----------
    geometry : _Geometry
        The watched step and all it depends on; steps that are not in its ``sizes`` are run whole.
    units : numpy.ndarray
        Sorted numbers of the watched units.

    Returns
    -------
    dict
        Step name -> `_WindowStep`, for the steps in `sizes` but the image's own.
    """
    channels, sizes = geometry.channels, geometry.sizes
    wanted: dict[str, list[np.ndarray]] = {geometry.target: [units]}
    made: dict[str, _WindowStep] = {}
    # from the target to the image: what is wanted of a step is known once all its readers are made
    for step in reversed(geometry.steps):
        if step.name not in sizes:  # a whole pass needs all channels
            for before in step.inputs:
                wanted.setdefault(before.name, []).append(np.arange(channels.get(before.name, 0)))
        elif step.inputs:
            union = np.unique(np.concatenate(wanted[step.name]))
            made[step.name] = _window_step(step, union, [channels[one.name] for one in step.inputs])
            for before, taken in zip(step.inputs, made[step.name].takes, strict=True):
                wanted.setdefault(before.name, []).append(taken)
    return made
