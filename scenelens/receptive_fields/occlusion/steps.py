"""The steps of a network, cut down to the channels that a few units depend on, and run on windows.

A unit of conv4 in one of two groups sees half of conv3, and a unit of pool2 one channel of conv2: most of
the arithmetic of a full pass is spent on channels that cannot matter. Each class here does one kind of step
for the channels it was asked for. Windows are channels-last, (B, h, w, channels),
so that a position's channels are copied in one go.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scenelens.networks import Step

Counts = tuple[Tensor, Tensor]


class WindowStep:
    """A step that acts on each position alone, for the channels `wanted`: the base of the others.

    Attributes
    ----------
    channels : the channels it gives, sorted; all those wanted, at times a few more.
    takes : for each input, the channels it has to be given, in that order.
    linear : it works on differences to the original as on values, up to a constant.
    pad_value : what stands outside the map.
    """

    linear = False
    pad_value = 0.0

    def __init__(self, step: Step, wanted: np.ndarray, n_inputs: list[int]) -> None:
        self.step, self.channels = step, wanted
        self.takes = [wanted] * len(step.inputs)
        self.module = _careful(step.module)

    def __call__(self, windows: list[Tensor], **_: Any) -> Tensor:
        """From each input's windows (B, h, w, its `takes`) to this step's, (B, h', w', channels)."""
        return self.module(windows[0])  # type: ignore[misc]


def _careful(module: nn.Module | None) -> nn.Module | None:
    """The module in eval mode, and never writing over its input."""
    if module is None or next(module.children(), None) is not None:
        return module
    twin = copy.copy(module)
    twin.training = False
    if getattr(twin, "inplace", False):
        twin.inplace = False  # type: ignore[assignment]
    return twin


class Rectify(WindowStep):
    """ReLU, over its input: nobody else reads it."""

    def __call__(self, windows: list[Tensor], alone: bool = False, **_: Any) -> Tensor:
        """As in the base class; `alone` where no other step needs the input any more."""
        return windows[0].clamp_(min=0) if alone else windows[0].clamp(min=0)


class PRectify(WindowStep):
    """PReLU, whose slopes belong to channels."""

    def __init__(self, step: Step, wanted: np.ndarray, n_inputs: list[int]) -> None:
        super().__init__(step, wanted, n_inputs)
        slopes = step.module.weight.detach()  # type: ignore[union-attr, operator]
        self.slopes = slopes[torch.from_numpy(wanted).to(slopes.device)] if len(slopes) > 1 else slopes

    def __call__(self, windows: list[Tensor], **_: Any) -> Tensor:
        """As in the base class."""
        return torch.where(windows[0] >= 0, windows[0], windows[0] * self.slopes)


class Convolve(WindowStep):
    """A convolution: only the wanted outputs, only the inputs of the groups they are in."""

    linear = True

    def __init__(self, step: Step, wanted: np.ndarray, n_inputs: list[int]) -> None:
        super().__init__(step, wanted, n_inputs)
        conv: Any = step.module
        n_out, n_in = conv.out_channels // conv.groups, conv.in_channels // conv.groups
        groups, within = np.unique(wanted // n_out), np.unique(wanted % n_out)
        self.channels = (groups[:, None] * n_out + within).ravel()
        self.takes = [(groups[:, None] * n_in + np.arange(n_in)).ravel()]
        self.groups, self.dilation, self.stride = len(groups), conv.dilation, conv.stride
        chosen = torch.from_numpy(self.channels).to(conv.weight.device)
        everything = len(self.channels) == conv.out_channels
        weight = conv.weight.detach() if everything else conv.weight.detach()[chosen]
        self.weight = weight.contiguous(memory_format=torch.channels_last)
        self.matrix = self.weight.permute(2, 3, 1, 0).reshape(-1, len(self.channels))
        self.bias = None if conv.bias is None else conv.bias.detach()[chosen]

    def __call__(
        self, windows: list[Tensor], spread: tuple[int, int] = (0, 0), bias: bool = False, **_: Any
    ) -> Tensor:
        """As in the base class, `spread` zeros around the windows; without bias, since differences have
        none."""
        constant = self.bias if bias else None
        if self.groups == 1 and not any(spread):
            return self._multiply(windows[0], constant)
        x = windows[0].permute(0, 3, 1, 2)
        y = F.conv2d(x, self.weight, constant, self.stride, spread, self.dilation, self.groups)
        return y.permute(0, 2, 3, 1).contiguous()

    def _multiply(self, x: Tensor, constant: Tensor | None) -> Tensor:
        """The same as one matrix product: on windows this small twice as fast as the library's
        convolution."""
        (n, height, width, _), (n_out, n_in, *kernel) = x.shape, self.weight.shape
        size = [
            (length - d * (k - 1) - 1) // s + 1
            for length, k, s, d in zip((height, width), kernel, self.stride, self.dilation, strict=True)
        ]
        each, row, column, channel = x.stride()
        steps: tuple[int, ...] = (each, row * self.stride[0], column * self.stride[1])
        steps += (row * self.dilation[0], column * self.dilation[1], channel)
        patches = x.as_strided((n, *size, *kernel, n_in), steps).reshape(-1, self.matrix.shape[0])
        y = patches @ self.matrix if constant is None else torch.addmm(constant, patches, self.matrix)
        return y.view(n, *size, n_out)


class Pool(WindowStep):
    """Max pooling, or average pooling with the sums divided by what each window holds."""

    def __init__(self, step: Step, wanted: np.ndarray, n_inputs: list[int]) -> None:
        super().__init__(step, wanted, n_inputs)
        self.average = isinstance(step.module, nn.AvgPool2d)
        self.pad_value = 0.0 if self.average else -torch.inf

    def __call__(self, windows: list[Tensor], counts: Counts | None = None, **_: Any) -> Tensor:
        """As in the base class; `counts` (B or 1, h') and (B or 1, w') for average pooling."""
        slide: Any = self.step.slide
        x = windows[0].permute(0, 3, 1, 2)
        if not self.average:
            highest = F.max_pool2d(x, slide.kernel, slide.stride, 0, slide.dilation)
            return highest.permute(0, 2, 3, 1).contiguous()
        sums = F.avg_pool2d(x, slide.kernel, slide.stride, divisor_override=1).permute(0, 2, 3, 1)
        rows, columns = counts  # type: ignore[misc]
        divisor: int | None = self.step.module.divisor_override  # type: ignore[union-attr, assignment]
        return sums / (divisor or (rows[:, :, None] * columns[:, None, :])[..., None])


class Scale(WindowStep):
    """BatchNorm as it stands after training: one factor and one constant per channel."""

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


class LocalResponse(WindowStep):
    """Local response normalisation across channels: the sum of squares is a product with a band matrix."""

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
        self.same = len(taken) == len(wanted)

    def __call__(self, windows: list[Tensor], **_: Any) -> Tensor:
        """As in the base class."""
        x, norm = windows[0], self.norm
        band, own = self.band.to(x), self.own.to(x.device)
        sums = ((x * x) @ band).add_(norm.k)
        if norm.beta == 0.75:  # everybody's choice, and roots are ten times faster than powers
            factor = sums.rsqrt_()
            factor *= factor.sqrt()
        else:
            factor = sums.pow_(-norm.beta)
        return factor.mul_(x if self.same else x.index_select(-1, own))


class Add(WindowStep):
    """The sum of two branches, as at the end of a residual block."""

    def __call__(self, windows: list[Tensor], **_: Any) -> Tensor:
        """As in the base class."""
        return windows[0] + windows[1]


class Concatenate(WindowStep):
    """The channels of several branches behind each other, as at the end of SqueezeNet's Fire."""

    def __init__(self, step: Step, wanted: np.ndarray, n_inputs: list[int]) -> None:
        super().__init__(step, wanted, n_inputs)
        ends = np.cumsum(n_inputs)
        begins = ends - np.array(n_inputs)
        # a branch that nobody wants gives one channel all the same: no step has to do without channels
        idle = [b for b, e in zip(begins, ends, strict=True) if not ((wanted >= b) & (wanted < e)).any()]
        self.channels = wanted = np.union1d(wanted, np.array(idle, int))
        self.takes = [wanted[(wanted >= b) & (wanted < e)] - b for b, e in zip(begins, ends, strict=True)]

    def __call__(self, windows: list[Tensor], **_: Any) -> Tensor:
        """As in the base class."""
        return torch.cat(windows, dim=-1)


KINDS: dict[type[nn.Module], type[WindowStep]] = {
    nn.Conv2d: Convolve,
    nn.MaxPool2d: Pool,
    nn.AvgPool2d: Pool,
    nn.ReLU: Rectify,
    nn.PReLU: PRectify,
    nn.BatchNorm2d: Scale,
    nn.LocalResponseNorm: LocalResponse,
}


def window_step(step: Step, wanted: np.ndarray, n_inputs: list[int]) -> WindowStep:
    """The step for the wanted channels; `n_inputs` are its inputs' numbers of channels."""
    if step.kind in ("add", "cat"):
        return (Add if step.kind == "add" else Concatenate)(step, wanted, n_inputs)
    found = [kind for module, kind in KINDS.items() if isinstance(step.module, module)]
    return (found[0] if found else WindowStep)(step, wanted, n_inputs)


def n_channels(steps: list[Step], sizes: dict[str, Any], n_image: int) -> dict[str, int]:
    """Step name -> channels of its map, for the steps in `sizes`."""
    channels: dict[str, int] = {}
    for step in steps:
        if step.name not in sizes:
            continue
        before = [channels[one.name] for one in step.inputs]
        if isinstance(step.module, nn.Conv2d):
            channels[step.name] = step.module.out_channels
        elif step.kind == "cat":
            channels[step.name] = sum(before)
        else:
            channels[step.name] = before[0] if before else n_image
    return channels


def window_steps(
    steps: list[Step], sizes: dict[str, Any], target: str, units: np.ndarray, n_image: int
) -> dict[str, WindowStep]:
    """Step name -> the step cut down to what `units` of the target depend on; the image's own step is not
    among them."""
    channels = n_channels(steps, sizes, n_image)
    wanted: dict[str, list[np.ndarray]] = {target: [units]}
    made: dict[str, WindowStep] = {}
    for step in reversed(steps):
        if step.name not in sizes:
            for before in step.inputs:
                wanted.setdefault(before.name, []).append(np.arange(channels.get(before.name, 0)))
        elif step.inputs:
            union = np.unique(np.concatenate(wanted[step.name]))
            made[step.name] = window_step(step, union, [channels[one.name] for one in step.inputs])
            for before, taken in zip(step.inputs, made[step.name].takes, strict=True):
                wanted.setdefault(before.name, []).append(taken)
    return made
