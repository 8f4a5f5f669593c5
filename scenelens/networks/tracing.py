"""One watched forward pass: where each layer's value is read, in which order, and of which shape.

In the paper, a unit's response is the rectified one. So the value of a convolution or of a fully connected
layer is read behind its BatchNorm and its activation function, where these follow it directly. Whether they
do is observed in a forward pass, by the tensors that modules take and return: names of modules and their
order in the file say nothing reliable about it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

# Functions of single numbers, behind which a convolution's response is read.
ACTIVATIONS: tuple[type[nn.Module], ...] = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
)
ACTIVATIONS += (nn.Hardswish, nn.Softplus, nn.Sigmoid, nn.Tanh)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


@dataclass(frozen=True)
class Point:
    """Where a layer's value is read: the output of a module at one of its calls.

    Attributes
    ----------
    path : str
        The module's path.
    call : int
        Which of its calls in one forward pass, from 0.
    order : int
        The call's number among all calls of all modules in one forward pass.
    shape : tuple of int
        The shape of the value for one image, without N.
    """

    path: str
    call: int
    order: int
    shape: tuple[int, ...]


class Traced(Protocol):
    """What the other files of this room need of a `Network`; stated here, so that they need not import it.

    Attributes
    ----------
    module : torch.nn.Module
        The network as torch knows it.
    input_size : tuple of int
        (height, width) of the frame it sees, in pixels.
    """

    module: nn.Module
    input_size: tuple[int, int]

    @property
    def points(self) -> dict[str, Point]:
        """Module path -> where its value is read."""

    def module_path(self, layer: str) -> str:
        """Return the path of a layer's module; see `Network.module_path`.

        Parameters
        ----------
        layer : str
            The layer's name, or a module path.

        Returns
        -------
        str
            The module path.
        """

    def __call__(self, images: Any, framed: bool = False) -> Tensor | None:
        """Run the network; see `Network`."""


class _Tracer:
    """Watches one forward pass and notes where each module's value is to be read."""

    def __init__(self, module: nn.Module) -> None:
        self.points: dict[str, Point] = {}
        self.calls: dict[str, int] = {}
        self.order = 0
        # id of an output -> (the output itself, its version, the layers whose value it is so far). Keeping
        # the output itself makes sure that no later tensor gets the same id.
        self.open: dict[int, tuple[Tensor, int, list[str]]] = {}
        self.following: dict[str, list[str]] = {}
        self.module = module

    def hooks(self) -> Iterator[Any]:
        for path, child in self.module.named_modules():
            if path:
                yield child.register_forward_pre_hook(self._before(path))
                yield child.register_forward_hook(self._after(path))

    def _before(self, path: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple) -> None:
            if inputs and isinstance(module, _BATCH_NORMS + ACTIVATIONS):
                tensor, version, layers = self.open.get(id(inputs[0]), (None, -1, []))
                # A changed version means that something was added in place in between (a residual): then
                # this module does not follow the layer directly.
                self.following[path] = layers if tensor is not None and tensor._version == version else []

        return hook

    def _after(self, path: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple, output: Any) -> None:
            call = self.calls[path] = self.calls.get(path, -1) + 1
            self.order += 1
            if not isinstance(output, Tensor):
                return
            point = Point(path, call, self.order, tuple(output.shape[1:]))
            self.points.setdefault(path, point)
            layers = self.following.pop(path, [])
            for layer in layers:
                self.points[layer] = point
            if isinstance(module, _WEIGHTED) and call == 0:
                layers = [path]
            if isinstance(module, _WEIGHTED + _BATCH_NORMS):
                self.open[id(output)] = (output, output._version, layers)

        return hook


# Modules that are being traced at the moment: recorders must not react to these forward passes.
TRACED: set[int] = set()


def trace(module: nn.Module, *inputs: Any, **options: Any) -> dict[str, Point]:
    """Run one image through a module in eval mode, and note where each layer's value is to be read.

    Parameters
    ----------
    module : torch.nn.Module
        Any module; its training flags stay as they are.
    *inputs : object
        What its forward pass takes; of tensors only the first image is used.
    **options : object
        Named arguments of its forward pass, in the same way.

    Returns
    -------
    dict of str to Point
        Module path -> where its value is read; only modules that ran and returned a tensor. A module that
        runs several times in one forward pass counts at its first call.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2))
    >>> {layer: point.path for layer, point in trace(net, torch.zeros(1, 3, 8, 8)).items()}
    {'0': '1', '1': '1', '2': '2'}
    """
    tracer = _Tracer(module)
    flags = {child: child.training for child in module.modules()}
    TRACED.add(id(module))
    with torch.inference_mode(False), torch.no_grad(), contextlib.ExitStack() as stack:
        stack.callback(TRACED.discard, id(module))
        stack.callback(_restore, flags)
        for handle in tracer.hooks():
            stack.callback(handle.remove)
        module.eval()
        one = [value[:1].clone() if isinstance(value, Tensor) else value for value in inputs]
        module(*one, **{k: v[:1].clone() if isinstance(v, Tensor) else v for k, v in options.items()})
    return tracer.points


def _restore(flags: dict[nn.Module, bool]) -> None:
    for child, training in flags.items():
        child.training = training
