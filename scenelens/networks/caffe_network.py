"""A torch module from a .caffemodel file: its layers in the file's own order, with the file's own settings.

Caffe's networks of one name differ. BVLC's AlexNet normalises before it pools, its CaffeNet after; other
files have other strides, groups or poolings. A file states all of it, so the module is built as the file
says. What is not understood is refused: a network that is nearly right gives numbers that look right.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scenelens.errors import SceneLensError
from scenelens.networks.caffe import _CaffeFile, _Layer

#: Layers that bring photographs in.
_INPUTS = {
    "Data", "ImageData", "HDF5Data", "MemoryData", "WindowData", "DummyData", "Input", "Python",
}  # fmt: skip
#: Layers that measure how well training goes, or turn scores into probabilities at the end.
_ENDS = {
    "Accuracy", "ArgMax", "EuclideanLoss", "HingeLoss", "InfogainLoss", "MultinomialLogisticLoss", "Silence",
    "SigmoidCrossEntropyLoss", "Softmax", "SoftmaxWithLoss",
}  # fmt: skip
_ADD = 1  # of the ways in which Eltwise joins maps


class _Concat(nn.Module):
    """Maps side by side, as channels."""

    def forward(self, *maps: Tensor) -> Tensor:
        return torch.cat(maps, 1)


class _Add(nn.Module):
    """The sum of maps."""

    def forward(self, *maps: Tensor) -> Tensor:
        whole = maps[0]
        for one in maps[1:]:
            whole = whole + one
        return whole


class _CaffeModule(nn.Module):
    """The layers of a .caffemodel file, in its order; each reads and writes values by their names."""

    def __init__(self, layers: list[_Layer], modules: list[nn.Module], source: str) -> None:
        super().__init__()
        self.note, self.left_out = "", set[str]()  # the names of layers that lead to no scores
        self._steps: list[tuple[str, tuple[str, ...], str, bool]] = []
        self._source, self._last, flat = source, layers[-1].top[0], set[str]()
        for layer, module in zip(layers, modules, strict=True):
            name = layer.name
            if hasattr(self, name):
                raise SceneLensError(f"two of its layers are called {name!r}, or the name is reserved")
            self.add_module(name, module)
            first = isinstance(module, nn.Linear) and layer.bottom[0] not in flat
            if isinstance(module, nn.Linear | nn.Flatten) or layer.bottom[0] in flat:
                flat.add(layer.top[0])
            self._steps.append((name, tuple(layer.bottom), layer.top[0], first))

    def extra_repr(self) -> str:
        return "\n".join(f"{name}: {', '.join(reads)} -> {writes}" for name, reads, writes, _ in self._steps)

    def forward(self, x: Tensor) -> Tensor:
        values = {self._source: x}
        for name, reads, writes, flatten in self._steps:
            inputs = [values[one] for one in reads]
            module = self.get_submodule(name)
            values[writes] = module(inputs[0].flatten(1) if flatten else inputs[0], *inputs[1:])
        return values[self._last]


class _Settings:
    """The settings of one layer; each field must be asked for, so that none is overlooked."""

    def __init__(self, layer: _Layer) -> None:
        self.layer, self.left = layer, dict(layer.settings)

    def whole(self, field: int, default: int) -> int:
        values = self.several(field)
        if len(values) > 1:
            raise self.error(f"the setting {field} stands several times")
        return values[0] if values else default

    def several(self, field: int) -> list[int]:
        values: list[int] = []
        for one in self.left.pop(field, []):
            values += [one] if isinstance(one, int) else _packed(one)
        return values

    def number(self, field: int, default: float) -> float:
        values = self.left.pop(field, [])
        if not values:
            return default
        # The shortest number that has these 32 bits, such as 0.0001.
        return float(str(np.float32(struct.unpack("<f", bytes(values[-1]))[0])))  # type: ignore[arg-type]

    def ignore(self, *fields: int) -> None:
        for field in fields:
            self.left.pop(field, None)

    def sides(self, both: int, high: int, wide: int, default: int) -> tuple[int, int]:
        """(height, width) of a size that is stated for both together, or for each."""
        together = self.several(both)
        if len(together) > 2:
            raise self.error("it has more than two dimensions")
        known = (together * 2)[:2] if together else [default, default]
        return self.whole(high, known[0]), self.whole(wide, known[1])

    def done(self) -> None:
        if self.left:
            raise self.error(f"its setting {min(self.left)} is not known")

    def error(self, what: str) -> SceneLensError:
        return SceneLensError(f"the layer {self.layer.name!r} of the type {self.layer.kind}: {what}")


def _packed(data: memoryview) -> list[int]:
    values, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append(value)
            value = shift = 0
    return values


def _same(sides: tuple[int, int]) -> Any:
    return sides[0] if sides[0] == sides[1] else sides


def _convolution(layer: _Layer, say: _Settings) -> nn.Module:
    bias = bool(say.whole(2, 1))
    n_out, groups = say.whole(1, 0), say.whole(5, 1)
    padding, kernel = say.sides(3, 9, 10, 0), say.sides(4, 11, 12, 0)
    stride, dilation = say.sides(6, 13, 14, 1), say.several(18) or [1]
    say.ignore(7, 8, 15, 17)  # how weights are drawn, and which program computes
    if say.whole(16, 1) != 1:
        raise say.error("its axis is not that of channels")
    weight = _weight(layer, say, 2 if bias else 1)
    if weight.ndim != 4 or weight.shape[0] != n_out or weight.shape[2:] != kernel or n_out % groups:
        raise say.error(f"its weights have the shape {weight.shape}, which is not what its settings say")
    return nn.Conv2d(
        weight.shape[1] * groups, n_out, kernel, stride, padding, _same((dilation[0], dilation[-1])),
        groups, bias,
    )  # fmt: skip


def _weight(layer: _Layer, say: _Settings, n: int) -> np.ndarray:
    if len(layer.blobs) != n:
        raise say.error(f"it has {len(layer.blobs)} arrays of weights in place of {n}")
    return layer.blobs[0]


def _fully_connected(layer: _Layer, say: _Settings) -> nn.Module:
    n_out, bias = say.whole(1, 0), bool(say.whole(2, 1))
    say.ignore(3, 4)
    if say.whole(5, 1) != 1 or say.whole(6, 0):
        raise say.error("its axis or its order of weights is another one")
    shape = _weight(layer, say, 2 if bias else 1).shape
    if shape[-2:-1] != (n_out,) or len(shape) not in (2, 4):
        raise say.error(f"its weights have the shape {shape}, which is not what its settings say")
    return nn.Linear(shape[-1], n_out, bias)


def _pooling(layer: _Layer, say: _Settings) -> nn.Module:
    how, everywhere = say.whole(1, 0), say.whole(12, 0)
    kernel, stride, padding = say.sides(2, 5, 6, 0), say.sides(3, 7, 8, 1), say.sides(4, 9, 10, 0)
    ceil = say.whole(13, 0) == 0
    say.ignore(11)
    if how not in (0, 1):
        raise say.error("it pools at random")
    if everywhere:
        return nn.AdaptiveAvgPool2d(1) if how else nn.AdaptiveMaxPool2d(1)
    if any(pad * 2 > side or step > side for side, step, pad in zip(kernel, stride, padding, strict=True)):
        raise say.error("its windows leave gaps or lie outside of the map")
    pool = nn.AvgPool2d if how else nn.MaxPool2d
    return pool(_same(kernel), _same(stride), _same(padding), ceil_mode=ceil)


def _normalisation(layer: _Layer, say: _Settings) -> nn.Module:
    size, alpha, beta, k = say.whole(1, 5), say.number(2, 1.0), say.number(3, 0.75), say.number(5, 1.0)
    say.ignore(6)
    if say.whole(4, 0) or size % 2 == 0:
        raise say.error("it normalises within a channel, or over an even number of channels")
    return nn.LocalResponseNorm(size, alpha, beta, k)


def _rectifier(layer: _Layer, say: _Settings) -> nn.Module:
    slope = say.number(1, 0.0)
    say.ignore(2)
    return nn.LeakyReLU(slope) if slope else nn.ReLU()


def _concat(layer: _Layer, say: _Settings) -> nn.Module:
    if say.whole(2, 1) != 1 or say.whole(1, 1) != 1:
        raise say.error("it joins another axis than that of channels")
    return _Concat()


def _sum(layer: _Layer, say: _Settings) -> nn.Module:
    say.ignore(3)
    if say.whole(1, _ADD) != _ADD:
        raise say.error("it does not add")
    return _Add()


def _dropout(layer: _Layer, say: _Settings) -> nn.Module:
    say.ignore(2)
    return nn.Dropout(say.number(1, 0.5))


_BUILDERS: dict[str, Callable[[_Layer, _Settings], nn.Module]] = {
    "Concat": _concat,
    "Convolution": _convolution,
    "Dropout": _dropout,
    "Eltwise": _sum,
    "Flatten": lambda layer, say: nn.Flatten(),
    "InnerProduct": _fully_connected,
    "LRN": _normalisation,
    "Pooling": _pooling,
    "ReLU": _rectifier,
    "Sigmoid": lambda layer, say: nn.Sigmoid(),
    "Split": lambda layer, say: nn.Identity(),
    "TanH": lambda layer, say: nn.Tanh(),
}


def _built(layer: _Layer) -> nn.Module:
    say = _Settings(layer)
    builder = _BUILDERS.get(layer.kind)
    if builder is None:
        raise say.error("such layers are not known")
    several = layer.kind in ("Concat", "Eltwise")
    if len(layer.top) != 1 or not layer.bottom or (len(layer.bottom) > 1 and not several):
        raise say.error(f"it reads {layer.bottom} and writes {layer.top}")
    module = builder(layer, say)
    say.done()
    return module


def _states_its_layers(path: Path) -> bool:
    """Whether a file has more than weights: layers without any, such as poolings."""
    return any(not layer.blobs for layer in _CaffeFile(path)._layers())


def _caffe_network(path: Path) -> nn.Module:
    """The network that a .caffemodel file states, with random weights."""
    try:
        stated = _CaffeFile(path)._layers()
        layers, source = _needed(stated)
        module = _CaffeModule(layers, [_built(layer) for layer in layers], source)
    except SceneLensError as error:
        raise SceneLensError(
            f"the network in {path} is not built, because it would not be the same: {error}. Write it as a "
            "torch module, and name it by factory."
        ) from error
    names = ", ".join(layer.name for layer in layers if layer.kind not in ("ReLU", "Dropout"))
    module.note = f"built as {path.name} says, in its order: {names}"
    module.left_out = {layer.name for layer in stated} - {layer.name for layer in layers}
    return module


def _needed(layers: list[_Layer]) -> tuple[list[_Layer], str]:
    """The layers that lead to the scores, and the name of what the first of them reads."""
    kept = [one for one in layers if one.kind not in _INPUTS | _ENDS and not one.training]
    kept = [step for one in kept for step in _split(one)]
    if not kept:
        raise SceneLensError("it has no layers")
    if not all(layer.name for layer in kept):
        raise SceneLensError("it has layers without names, as Caffe wrote them before 2013")
    measured = {name for one in layers if one.kind in _ENDS for name in one.bottom}
    last, wanted = kept[-1], set(kept[-1].bottom)
    needed = [last]
    for layer in reversed(kept[:-1]):
        if set(layer.top) & wanted:
            needed.insert(0, layer)
            # A layer that writes in place leaves the name to the one before it.
            wanted = (wanted - set(layer.top)) | set(layer.bottom)
        elif not set(layer.top) & {name for one in kept for name in one.bottom} | measured & set(layer.top):
            raise SceneLensError(f"it has several outputs, {layer.top} and {last.top}")
    dropped = {name for one in layers if one.kind in _ENDS or one.training for name in one.top}
    if len(wanted) != 1 or wanted & dropped:
        raise SceneLensError(f"what its layers read is not known: {', '.join(sorted(wanted))}")
    return needed, wanted.pop()


def _split(layer: _Layer) -> list[_Layer]:
    """A layer that writes its input under several names, as one step for each."""
    if layer.kind != "Split":
        return [layer]
    return [layer._replace(name=f"{layer.name}_{n}", top=[top]) for n, top in enumerate(layer.top)]
