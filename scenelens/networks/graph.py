"""What a torch module does to an image, step by step: the graph behind receptive fields and occlusion.

torch.fx takes the graph from the live module, so a network needs no description other than its code. Each
step has a kind, which says how it moves positions: a window that slides over the map (`Slide`), a function of
each position alone, a sum or a stack of branches, something behind which there are no positions any more
(flatten, a fully connected layer), or something unknown. Only this file decides which kind a module is.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from scenelens.errors import SceneLensError, close_names
from scenelens.networks.following import Untraceable, _caller, _looks, _read_nodes, _trace, _Tracer
from scenelens.networks.overwriting import (
    DROPOUTS,
    _drops_at_random,
    _Tensors,
    _written_nodes,
)
from scenelens.networks.points import Point, _Traced
from scenelens.networks.tracing import ACTIVATIONS, trace

_POINTWISE = (*ACTIVATIONS, nn.Identity, *DROPOUTS, nn.Hardtanh, nn.Hardsigmoid)
_WHOLE = (nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.LayerNorm, nn.Softmax, nn.LogSoftmax)
_SLIDING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def _max_pool(
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> nn.Module:
    """The module for a functional max pooling, whose arguments have another order."""
    return nn.MaxPool2d(kernel_size, stride or None, padding, dilation, return_indices, ceil_mode)


# Functional forms of modules. Their arguments after the input are the module's, in the module's order.
_AS_MODULE: dict[Any, Callable[..., nn.Module]] = {
    F.relu: nn.ReLU,
    torch.relu: nn.ReLU,
    F.relu6: nn.ReLU6,
    F.leaky_relu: nn.LeakyReLU,
    F.gelu: nn.GELU,
    F.silu: nn.SiLU,
    torch.sigmoid: nn.Sigmoid,
    torch.tanh: nn.Tanh,
    F.dropout: lambda *args, **options: nn.Identity(),
    F.max_pool2d: _max_pool,
    torch.max_pool2d: _max_pool,
    F.avg_pool2d: nn.AvgPool2d,
    F.adaptive_avg_pool2d: nn.AdaptiveAvgPool2d,
    F.adaptive_max_pool2d: nn.AdaptiveMaxPool2d,
    F.local_response_norm: nn.LocalResponseNorm,
}
_METHODS: dict[str, Any] = {"relu": F.relu, "relu_": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
_METHODS |= {"add": operator.add, "add_": operator.add}
_ADDS = (operator.add, operator.iadd, torch.add)
_CATS = (torch.cat, torch.concat, torch.concatenate)


@dataclass(frozen=True)
class Slide:
    """How a window slides over a map, as in a convolution or a pooling.

    Attributes
    ----------
    kernel : tuple of int
        (rows, columns) of the window, in positions that it reads.
    stride : tuple of int
        Positions from one place of the window to the next.
    padding : tuple of int
        Positions added on every side of the map.
    dilation : tuple of int
        Distance between the positions that the window reads.
    ceil : bool
        Whether the number of places is rounded up, as in Caffe's poolings.

    Examples
    --------
    >>> Slide((3, 3), (2, 2)).out_size((55, 55))
    (27, 27)
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    ceil: bool = False

    def extent(self, axis: int) -> int:
        """Return how far the window reaches along an axis.

        Parameters
        ----------
        axis : int
            0 for rows, 1 for columns.

        Returns
        -------
        int
            Positions of the input from the first to the last that it reads, both included.
        """
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def out_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the size of the map that this step gives, by torch's rule for rounding up.

        Parameters
        ----------
        size : tuple of int
            (rows, columns) of the map that it reads.

        Returns
        -------
        tuple of int
            (rows, columns) of the map that it gives.
        """
        return (self._out(size[0], 0), self._out(size[1], 1))

    def _out(self, n: int, axis: int) -> int:
        stride, pad = self.stride[axis], self.padding[axis]
        room = n + 2 * pad - self.extent(axis)
        out = -(-room // stride) + 1 if self.ceil else room // stride + 1
        # torch leaves out a window that would start in the padding behind the map.
        return out - 1 if self.ceil and (out - 1) * stride >= n + pad else out


def _nothing(*values: Any) -> None:
    """What an input step calls; its value is the image."""


@dataclass(eq=False)
class Step:
    """One step of a graph.

    Attributes
    ----------
    name : str
        Unique within its graph.
    kind : str
        How it moves positions: ``'input'``, ``'slide'``, ``'pointwise'``, ``'norm'`` (a function of all
        channels at one position), ``'add'``, ``'cat'``, ``'whole'`` (it mixes all positions or removes them,
        as a fully connected layer does), or ``'unknown'``.
    inputs : list of Step
        The steps whose values it reads; one that is read twice, as in ``a + a``, stands there twice.
    module : torch.nn.Module or None
        The module that does it; None for input, add, cat, and for functions that have no module.
    slide : Slide or None
        The window, for kind ``'slide'``.
    what : str
        Its name in messages.
    call : callable
        The step itself: takes the values of `inputs`, in their order, and returns its own value.
    unclear : str
        Why only a whole forward pass of the network gives its value: a sentence. Empty for nearly all steps.
    still : callable
        Takes nothing; returns whether the network's modules, their code, modes and attributes are still those
        from which the step was made. Weights do not count.
    """

    name: str
    kind: str
    inputs: list[Step] = field(default_factory=list)
    module: nn.Module | None = None
    slide: Slide | None = None
    what: str = ""
    call: Callable[..., Any] = _nothing
    unclear: str = ""
    still: Callable[[], bool] = bool

    def ancestors(self) -> list[Step]:
        """Return the steps that this one depends on, itself included, in the order in which they run.

        Returns
        -------
        list of Step
            The steps, from the input on.

        Examples
        --------
        >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        >>> [one.kind for one in layer_step(net, "1").ancestors()]
        ['input', 'slide', 'pointwise']
        """
        found: dict[int, Step] = {}

        def visit(one: Step) -> None:
            if id(one) not in found:
                for before in one.inputs:
                    visit(before)
                found[id(one)] = one

        visit(self)
        return list(found.values())


def _spoken(name: str) -> str:
    """A function's name, the same for its forms in place, as a module, and among torch's own operations."""
    plain = name.replace("_", "").lower()
    return {"relu6": "hardtanh", "clip": "clamp", "prelukernel": "prelu", "imul": "mul", "iadd": "add"}.get(
        plain, plain
    )


class _Graph:
    """The steps of a module, in the order in which they run, and which of them is which layer.

    >>> graph = _Graph(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()))
    >>> [step.kind for step in graph.steps], graph.step("0", call=0).kind
    (['input', 'slide', 'pointwise', 'whole'], 'slide')
    """

    def __init__(self, module: nn.Module) -> None:
        # The module itself is not kept: `_graph_of` keeps a graph only as long as its module lives.
        self.modules = {path: child for path, child in module.named_modules() if path}
        self.looks = _looks(module)
        self.steps: list[Step] = []
        tracer = _Tracer()
        nodes, self._constants = _trace(tracer, module)
        self._tensors = _Tensors()
        self._calls = tracer.calls
        owner = weakref.ref(module)
        for at, node in enumerate(nodes):
            if node.op != "output":
                self._enter(at, node, owner)
        given = nodes[-1].args[0] if nodes and nodes[-1].op == "output" else None
        #: The step whose value the module returns; None where it returns several.
        self.end: Step | None = self._tensors.held(given) if isinstance(given, fx.Node) else None

    def step(self, path: str, call: int = 0, then: Sequence[str] = ()) -> Step:
        """The step whose value the module at a path returns at its nth call (from 0); or the one that these
        operations, the layer's activation function, make of it."""
        if (path, call) not in self._calls:
            raise Untraceable(f"{path!r} gives no tensor when the network is followed step by step.")
        node, before = self._calls[path, call]
        return self._behind(self._tensors.held(node, before), [_spoken(name) for name in then])

    def _behind(self, step: Step, names: list[str]) -> Step:
        """The step that operations of these names make of a step and of constants alone."""
        behind = {id(step)}
        known = names and step in self.steps
        for one in self.steps[self.steps.index(step) + 1 :] if known else []:
            alone = all(
                id(each) in behind or not (each.inputs or each.kind == "input") for each in one.inputs
            )
            follows = alone and any(id(each) in behind for each in one.inputs)
            if names and follows and _spoken(one.what.partition(" ")[0]) == names[0]:
                step, names = one, names[1:]
                behind.add(id(one))
        if names:
            raise Untraceable(f"the activation function behind {step.what} is not found among the steps.")
        return step

    def _enter(self, at: int, node: fx.Node, owner: weakref.ref) -> None:
        inputs = [self._tensors.held(one) for one in _read_nodes(node)]
        module = self.modules.get(str(node.target)) if node.op == "call_module" else None
        step = self._step(node, inputs)
        step.call = _caller(node, owner, module, self._constants)
        step.unclear = step.unclear or _unclear(node, step, module)
        step.still = lambda: _looks(owner()) == self.looks
        self.steps.append(step)

        def changed(before: Step) -> Step:
            text = f"{step.what} writes over a tensor that is read again as another one ({before.what})."
            return Step(
                f"{before.name} after {step.name}", "unknown", [before, step], what=step.what, unclear=text
            )

        for tensor in self._tensors.enter(at, node, step, module):
            self._tensors.change(at, tensor, changed)

    def _step(self, node: fx.Node, inputs: list[Step]) -> Step:
        if node.op == "placeholder":
            first = not any(step.kind == "input" for step in self.steps)
            return Step(node.name, "input" if first else "unknown", what="the image")
        if node.op == "call_module":
            return _module_step(node.name, self.modules[str(node.target)], inputs)
        if node.op == "get_attr":
            return Step(node.name, "unknown", what=f"the tensor {node.target}")
        return _function_step(node, inputs)


def _unclear(node: fx.Node, step: Step, module: nn.Module | None) -> str:
    """Why a step's value is not known unless the whole network runs; empty where it is."""
    if _drops_at_random(node, module):
        return f"{step.what} draws random numbers in every pass."
    if isinstance(module, _BATCH_NORMS) and (module.training or module.running_mean is None):
        return f"{step.what} normalises by all images of a pass."
    if module is not None and module.training and next(module.buffers(), None) is not None:
        return f"{step.what} changes in every pass, because it is in training mode."
    if any(one.op == "get_attr" for one in _written_nodes(node, module)):
        return f"{step.what} changes a tensor of the network in every pass."
    return ""


# Tracing a deep network takes a tenth of a second, and it would be repeated for each of its layers.
_GRAPHS: weakref.WeakKeyDictionary[nn.Module, _Graph] = weakref.WeakKeyDictionary()


def _graph_of(module: nn.Module) -> _Graph:
    """The module's graph, traced anew only where the module looks different from last time."""
    known = _GRAPHS.get(module)
    if known is None or known.looks != _looks(module):
        known = _GRAPHS[module] = _Graph(module)
    return known


def _module_step(name: str, module: nn.Module, inputs: list[Step]) -> Step:
    what = f"{type(module).__name__} ({name})"
    slide = _slide(module) if isinstance(module, _SLIDING) else None
    if len(inputs) != 1 or not _is_torchs_own(module):
        return Step(name, "unknown", inputs, module, what=what)
    return Step(name, "slide" if slide else _kind(module), inputs, module, slide, what)


def _is_torchs_own(module: nn.Module) -> bool:
    """Whether a module does what its class in torch does."""
    own = getattr(module.forward, "__func__", None) is type(module).forward
    return own and type(module).forward.__module__.startswith("torch.nn.")


def _kind(module: nn.Module) -> str:
    if isinstance(module, _POINTWISE):
        return "pointwise"
    if isinstance(module, nn.BatchNorm2d) and module.running_mean is None:
        return "unknown"  # it normalises by the images of the batch
    if isinstance(module, nn.BatchNorm2d | nn.LocalResponseNorm):
        return "norm"
    return "whole" if isinstance(module, (*_WHOLE, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)) else "unknown"


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[-1]))


def _slide(module: Any) -> Slide | None:
    """The window of a convolution or a pooling; None where it is not one window with zeros around the map."""
    padding = module.padding
    if isinstance(padding, str):
        padding = 0 if padding == "valid" else _same(module)
    if padding is None or getattr(module, "padding_mode", "zeros") != "zeros":
        return None
    if getattr(module, "return_indices", False):
        return None
    stride = module.stride if module.stride is not None else module.kernel_size
    dilation = getattr(module, "dilation", 1)
    ceil = bool(getattr(module, "ceil_mode", False))
    return Slide(_pair(module.kernel_size), _pair(stride), _pair(padding), _pair(dilation), ceil)


def _same(conv: nn.Conv2d) -> tuple[int, int] | None:
    """The padding of padding='same'; None where it is one position more on one side than on the other."""
    totals = [d * (k - 1) for d, k in zip(_pair(conv.dilation), _pair(conv.kernel_size), strict=True)]
    return None if any(total % 2 for total in totals) else (totals[0] // 2, totals[1] // 2)


def _function_step(node: fx.Node, inputs: list[Step]) -> Step:
    target = _METHODS.get(str(node.target), node.target) if node.op == "call_method" else node.target
    what = f"{getattr(target, '__name__', target)} ({node.name})"
    plain = not any(isinstance(one, fx.Node) for one in (*node.args[1:], *node.kwargs.values()))
    if target in _AS_MODULE and plain:
        step = _module_step(node.name, _AS_MODULE[target](*node.args[1:], **node.kwargs), inputs)
        step.what = what
        return step
    if target in _ADDS and len(node.args) == 2 and len(inputs) == 2 and not node.kwargs:
        return Step(node.name, "add", inputs, what=what)
    parts = node.args[0] if node.args else None
    if (
        target in _CATS
        and isinstance(parts, list | tuple)
        and len(parts) == len(inputs)
        and _along_channels(node)
    ):
        return Step(node.name, "cat", inputs, what=what)
    whole = target in (torch.flatten, torch.mean, "flatten", "view", "reshape", "mean")
    return Step(node.name, "whole" if whole else "unknown", inputs, what=what)


def _along_channels(node: fx.Node) -> bool:
    axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", node.kwargs.get("axis", 0))
    return axis in (1, -3)


def layer_step(network: _Traced | nn.Module, layer: str, sample: torch.Tensor | None = None) -> Step:
    """Return the step whose value `record` gives for a layer: behind its activation function.

    Parameters
    ----------
    network : Network or torch.nn.Module
        A network, or any torch module.
    layer : str
        The layer's name; a module path where a module is given.
    sample : torch.Tensor, optional
        (1, C, H, W) image with which a module is traced. By default a module path means just that module's
        output.

    Returns
    -------
    Step
        The step; its ``inputs`` lead back to the image.

    Raises
    ------
    SceneLensError
        If there is no such layer, or torch.fx cannot follow the module (`Untraceable`).
    """
    if not isinstance(network, nn.Module):
        return _step_at(network.module, network.points[network.module_path(layer)])
    known, (path, _, call) = [path for path, _ in network.named_modules() if path], layer.partition("#")
    if path not in known:
        raise SceneLensError(f"no layer named {layer!r}; {close_names(layer, known)}.")
    if sample is None:
        return _graph_of(network).step(path, int(call or 1) - 1)
    return _step_at(network, trace(network, sample)[layer])


def _step_at(module: nn.Module, point: Point) -> Step:
    """The step whose value is read at a point; one that is read in another layout is not followed."""
    if point.layout is not None and point.layout.order is not None:
        raise Untraceable(
            f"what {point.path} gives has its positions elsewhere than in its last two dimensions."
        )
    return _graph_of(module).step(point.path, point.call, point.then.names if point.then else ())
