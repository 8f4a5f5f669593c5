"""Random networks, written in all the ways in which people write them; and maps by whole passes of one image.

A network is a program: each step reads some of the values so far, and gives a new one or writes over an old
one. Two names may hold the same tensor, modules may be called twice, and some steps cannot be traced.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Values = list[Tensor]
Run = Callable[[nn.ModuleList, Values], None]


class Program(nn.Module):
    """Runs its steps, then looks at one value: the layer to occlude is `last`."""

    def __init__(self) -> None:
        super().__init__()
        self.parts, self.steps = nn.ModuleList(), []
        self.register_buffer("seen", torch.zeros(()))
        self.last: nn.Module = nn.Identity()
        self.after: Run | None = None
        self.counts = False

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for step in self.steps:
            step(self.parts, values)
        if self.counts:
            self.seen += 1
            values[-1] = values[-1] * (1 + 0.1 * self.seen)
        out = self.last(values[-1])
        if self.after is not None:  # a tensor may be written over after the layer's value was read
            self.after(self.parts, [*values, out])
        return out.flatten(1).sum(1, keepdim=True)


class Writer:
    """Makes one random program."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        self.image = torch.randn(3, int(self.rng.integers(12, 20)), int(self.rng.integers(12, 20)))
        self.program = Program()
        self.values: Values = [self.image[None].clone()]

    def write(self) -> Program:
        """A program of three to nine steps that runs on the image."""
        steps = USUAL if self.rng.random() < 0.5 else USUAL[:10] + ALL
        for _ in range(int(self.rng.integers(3, 10))):
            self._add(getattr(self, str(self.rng.choice(steps))))
        program = self.program
        channels = self.values[-1].shape[1]
        program.last = [nn.Conv2d(channels, 3, 1), nn.Identity(), nn.ReLU(), nn.ReLU(inplace=True)][
            self.rng.choice(4)
        ]
        if self.rng.random() < 0.3:
            program.after = lambda parts, values: values[-1].mul_(3).add_(1)
        program.counts = self.rng.random() < 0.05
        return program.eval()

    def _add(self, make: Callable[[int], tuple[nn.Module | None, Run] | None]) -> None:
        """Try a step; it stays where it runs and leaves a map of some size."""
        at = int(self.rng.choice([len(self.values) - 1, self.rng.integers(len(self.values))]))
        made = make(at)
        if made is None:
            return
        module, run = made
        parts = self.program.parts
        before = len(parts)
        if module is not None:
            parts.append(module.eval())
        values = [value.clone() for value in self.values]
        try:
            with torch.no_grad():
                run(parts, values)
            fits = all(
                min(one.shape[2:]) > 0 and one.numel() < 40_000 and one.isfinite().all() for one in values
            )
        except RuntimeError:
            fits = False
        if not fits:
            del parts[before:]
            return
        self.program.steps.append(run)
        self.values = [self.image[None].clone()]
        with torch.no_grad():
            for step in self.program.steps:
                step(parts, self.values)

    def _of(self, at: int, module: nn.Module) -> tuple[nn.Module, Run]:
        number = len(self.program.parts)
        return module, lambda parts, values: values.append(parts[number](values[at]))

    def _one(self, *choices):
        return choices[int(self.rng.integers(len(choices)))]

    def _like(self, at: int) -> int:
        """Another value of the same shape, where there is one."""
        same = [n for n, value in enumerate(self.values) if value.shape == self.values[at].shape]
        return int(self.rng.choice(same))

    def _n(self, at: int) -> int:
        return self.values[at].shape[1]

    # ---- modules

    def conv(self, at):
        kernel, dilation = int(self.rng.integers(1, 4)), int(self.rng.integers(1, 3))
        padding = self._one(0, 0, kernel // 2, kernel // 2, "same")
        mode = self._one("zeros", "zeros", "zeros", "reflect", "circular") if padding != 0 else "zeros"
        stride = 1 if padding == "same" else self._one(1, 1, 2)
        n = int(self.rng.integers(2, 6))
        return self._of(at, nn.Conv2d(self._n(at), n, kernel, stride, padding, dilation, padding_mode=mode))

    def same_even(self, at):
        return self._of(at, nn.Conv2d(self._n(at), 3, self._one(2, 4, (2, 3)), padding="same"))

    def transposed(self, at):
        return self._of(at, nn.ConvTranspose2d(self._n(at), 3, 2, 2))

    def again(self, at):
        fits = [
            n for n, part in enumerate(self.program.parts) if getattr(part, "in_channels", 0) == self._n(at)
        ]
        if not fits:
            return None
        number = int(self.rng.choice(fits))
        return None, lambda parts, values: values.append(parts[number](values[at]))

    def pool(self, at):
        kernel, stride, ceil = self._one(2, 3), self._one(1, 2, None), bool(self.rng.random() < 0.5)
        padding = self._one(0, 1)
        if self.rng.random() < 0.5:
            return self._of(at, nn.MaxPool2d(kernel, stride, padding, self._one(1, 2), ceil_mode=ceil))
        return self._of(at, nn.AvgPool2d(kernel, stride, padding, ceil, self._one(True, False)))

    def functional_pool(self, at):
        ceil = self._one(True, False)
        if self.rng.random() < 0.5:
            return None, lambda parts, values: values.append(F.max_pool2d(values[at], 3, 2, 1, 1, ceil))
        return None, lambda parts, values: values.append(torch.max_pool2d(values[at], 3, 2, 0, 1, ceil))

    def indices(self, at):
        number = len(self.program.parts)

        def run(parts, values):
            highest, where = parts[number](values[at])
            values.append(highest + 0.01 * where)

        return nn.MaxPool2d(2, return_indices=True), run

    def norm(self, at):
        n = self._n(at)
        made = self._one(
            nn.BatchNorm2d(n), nn.BatchNorm2d(n), nn.BatchNorm2d(n, track_running_stats=False),
            nn.LocalResponseNorm(3, 0.1), nn.GroupNorm(1, n), nn.InstanceNorm2d(n),
        )  # fmt: skip
        if isinstance(made, nn.BatchNorm2d) and made.running_mean is not None:
            nn.init.normal_(made.running_mean), nn.init.uniform_(made.running_var, 0.5, 2)
        return self._of(at, made)

    def act(self, at):
        made = self._one(
            nn.ReLU(True), nn.ReLU(True), nn.ReLU(), nn.ReLU6(True), nn.SiLU(True), nn.PReLU(self._n(at))
        )
        return self._of(
            at, self._one(made, nn.Hardswish(True), nn.Hardtanh(inplace=True), nn.Dropout(0.5), made)
        )

    def resized(self, at):
        made = self._one(
            nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=0.5, mode="bilinear"), nn.Identity()
        )
        return self._of(at, self._one(made, nn.PixelUnshuffle(2), nn.ZeroPad2d((1, 0, 0, 2)), made))

    def normalised(self, at):
        number = len(self.program.parts)
        made = nn.LayerNorm(self._n(at))
        return made, lambda parts, values: values.append(
            parts[number](values[at].permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        )

    def mixer(self, at):
        number = len(self.program.parts)
        n, size = self._n(at), tuple(self.values[at].shape[2:])

        def run(parts, values):
            values.append(parts[number](values[at].flatten(2)).reshape(-1, n, *size))

        return nn.Linear(size[0] * size[1], size[0] * size[1]), run

    def squeeze(self, at):
        number = len(self.program.parts)
        made = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(self._n(at), self._n(at), 1), nn.Sigmoid())
        return made, lambda parts, values: values.append(values[at] * parts[number](values[at]))

    # ---- functions

    def function(self, at):
        call = self._one(
            *(F.relu, torch.relu, torch.tanh, F.relu_, lambda x: x.relu(), lambda x: x.clamp(min=0)),
            *(
                lambda x: x * 0.5 + 1,
                lambda x: F.dropout(x, training=False),
                lambda x: F.relu(x, inplace=True),
            ),
            *(
                lambda x: x / x.abs().amax(),
                lambda x: x.roll(1, 3),
                lambda x: x.contiguous(),
                lambda x: x[:, :2],
            ),
            *(
                lambda x: x.flip(2),
                lambda x: F.interpolate(x, scale_factor=2),
                lambda x: x - x.mean((2, 3), True),
            ),
            *(lambda x: F.avg_pool2d(x, 2, 1), lambda x: x + x[:, :1], lambda x: x[:, :, 1:]),
            *(lambda x: x.softmax(1), lambda x: torch.einsum("nchw,ndhw->ncd", x, x)[..., None]),
            *(lambda x: x.detach(), lambda x: x.view_as(x)),
        )
        return None, lambda parts, values: values.append(call(values[at]))

    def scalar(self, at):
        if self.rng.random() > 0.1:  # such a program cannot be traced
            return None
        call = self._one(lambda x: x / (1 + x.abs().max().item()), lambda x: x if float(x.sum()) > 0 else -x)
        return None, lambda parts, values: values.append(call(values[at]))

    def rectified(self, at):
        call = self._one(
            F.relu, lambda x: F.relu(x, inplace=True), lambda x: x.relu(), lambda x: x.relu_(), F.silu
        )
        return None, lambda parts, values: values.append(call(values[at]))

    def scaled(self, at):
        norm = nn.BatchNorm2d(self._n(at))
        nn.init.normal_(norm.running_mean), nn.init.uniform_(norm.running_var, 0.5, 2)
        return self._of(at, norm)

    def summed(self, at):
        other = self._like(at)
        return None, lambda parts, values: values.append(values[at] + values[other])

    def two(self, at):
        other = self._like(at)
        call = self._one(
            torch.add, lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a.add(b), torch.maximum
        )
        return None, lambda parts, values: values.append(call(values[at], values[other]))

    def stacked(self, at):
        fits = [n for n, one in enumerate(self.values) if one.shape[2:] == self.values[at].shape[2:]]
        some = [int(n) for n in self.rng.choice(fits, int(self.rng.integers(1, 4)))]
        return None, lambda parts, values: values.append(torch.cat([values[n] for n in [*some, at]], 1))

    # ---- what is written over

    def written(self, at):
        other = self._like(at)
        call = self._one(
            *(
                lambda a, b: a.add_(b),
                lambda a, b: a.mul_(0.5),
                lambda a, b: a.relu_(),
                lambda a, b: a.copy_(b),
            ),
            *(
                lambda a, b: a.clamp_(min=0),
                lambda a, b: a.masked_fill_(b > 1, 0.0),
                lambda a, b: a.data.mul_(2),
            ),
            *(
                lambda a, b: a[:, :1].add_(1),
                lambda a, b: a[:, :, 2:].relu_(),
                lambda a, b: a.view_as(a).sub_(b),
            ),
            lambda a, b: torch.add(a, b, out=a),
            lambda a, b: a.index_put_((torch.tensor([0]),), torch.tensor(0.5)),
        )

        def run(parts, values):
            call(values[at], values[other])
            values.append(values[at])

        return None, run

    def assigned(self, at):
        def run(parts, values):
            values[at][:, :1] = 0.5
            values.append(values[at] * 1)

        return None, run

    def added(self, at):
        """``a += b``, where `values` holds `a` under its old name and, at times, under another one."""
        other = self._like(at)

        def run(parts, values):
            a = values[at]
            a += values[other]
            values.append(a)

        return None, run

    def halves(self, at):
        if self._n(at) < 2:
            return None

        def run(parts, values):
            first, second = values[at].split([1, values[at].shape[1] - 1], 1)
            first.relu_()
            values.append(torch.cat([second, first], 1))

        return None, run

    def named_again(self, at):
        return None, lambda parts, values: values.append(values[at])


ALL = [name for name in vars(Writer) if not name.startswith("_") and name != "write"]
USUAL = [
    "conv",
    "conv",
    "conv",
    "act",
    "act",
    "added",
    "summed",
    "rectified",
    "pool",
    "scaled",
    "stacked",
    "again",
]
USUAL += ["conv", "named_again", "functional_pool"]


def map_by_whole_passes(
    net: nn.Module,
    layer: str,
    image: Tensor,
    patch: np.ndarray,
    stride: int,
    unit: int,
    place: tuple[int, int],
    only_tensors: bool = False,
) -> np.ndarray:
    """A discrepancy map by the definition: every pass takes one image, and a network as it was before.

    A network of which a pass can change `only_tensors` is copied again only when a pass has changed one.
    """
    copies = []

    def response(x: Tensor) -> float:
        state = net.state_dict()
        if not only_tensors or any(
            not torch.equal(state[name], value)
            for last in copies[-1:]
            for name, value in last.state_dict().items()
        ):
            copies.clear()
        if not copies:
            copies.append(copy.deepcopy(net))
        found, fresh = [], copies[-1]
        hook = fresh.get_submodule(layer).register_forward_hook(lambda _, __, out: found.append(out.clone()))
        with torch.no_grad():
            fresh(x[None].clone())
        hook.remove()
        value = found[0][0, unit]
        return float(value if value.ndim == 0 else value[place])

    height, width, _ = patch.shape
    rows = range(0, image.shape[1] - height + 1, stride)
    columns = range(0, image.shape[2] - width + 1, stride)
    changed, original = np.zeros((len(rows), len(columns))), response(image)
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            occluded = image.clone()
            occluded[:, top : top + height, left : left + width] = torch.from_numpy(patch).permute(2, 0, 1)
            changed[i, j] = abs(response(occluded) - original)
    return changed
