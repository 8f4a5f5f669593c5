"""What a torch module does to an image, step by step: the graph behind receptive fields and occlusion.

torch.fx takes the graph from the live module, so a network needs no description other than its code. Each
step has a kind, which says how it moves positions: a window that slides over the map (`Slide`), a function of
each position alone, a sum or a stack of branches, something behind which there are no positions any more
(flatten, a fully connected layer), or something unknown. Only this file decides which kind a module is.
"""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from scenelens.errors import SceneLensError, close_names
from scenelens.networks.tracing import ACTIVATIONS, Traced, trace

_POINTWISE = (*ACTIVATIONS, nn.Identity, nn.Dropout, nn.Dropout2d, nn.AlphaDropout, nn.Hardtanh)
_WHOLE = (nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.LayerNorm, nn.Softmax, nn.LogSoftmax)
_SLIDING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
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
    F.max_pool2d: nn.MaxPool2d,
    torch.max_pool2d: nn.MaxPool2d,
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


class Untraceable(SceneLensError):
    """torch.fx cannot follow a module's forward pass, so its steps are not known."""


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
        The steps whose values it reads.
    module : torch.nn.Module or None
        The module that does it; None for input, add, cat, and for functions that have no module.
    slide : Slide or None
        The window, for kind ``'slide'``.
    what : str
        Its name in messages.
    call : callable
        The step itself: takes the values of `inputs`, in their order, and returns its own value.
    """

    name: str
    kind: str
    inputs: list[Step] = field(default_factory=list)
    module: nn.Module | None = None
    slide: Slide | None = None
    what: str = ""
    call: Callable[..., Any] = _nothing

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


class _Graph:
    """The steps of a module, in the order in which they run, and which of them is which layer.

    >>> graph = _Graph(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()))
    >>> [step.kind for step in graph.steps], graph.step("0", call=0).kind
    (['input', 'slide', 'pointwise', 'whole'], 'slide')
    """

    def __init__(self, module: nn.Module) -> None:
        # The module itself is not kept: `_graph_of` keeps a graph only as long as its module lives.
        self.modules = {path: child for path, child in module.named_modules() if path}
        tracer = _Tracer()
        nodes = _trace(tracer, module)
        self._steps: dict[fx.Node, Step] = {}
        for node in nodes:
            if node.op != "output":
                self._steps[node] = self._step(node)
                self._steps[node].call = _caller(node, module)
        self._calls = tracer.calls

    @property
    def steps(self) -> list[Step]:
        """All steps, in the order in which they run."""
        return list(self._steps.values())

    def step(self, path: str, call: int = 0) -> Step:
        """The step whose value the module at a path returns at its nth call (from 0)."""
        return self._steps[self._calls[path, call]]

    def _step(self, node: fx.Node) -> Step:
        inputs = [self._steps[one] for one in node.all_input_nodes]
        if node.op == "placeholder":
            return Step(node.name, "input", what="the image")
        if node.op == "call_module":
            return _module_step(node.name, self.modules[str(node.target)], inputs)
        if node.op == "get_attr":
            return Step(node.name, "unknown", what=f"the tensor {node.target}")
        return _function_step(node, inputs)


# Tracing a deep network takes a tenth of a second, and it would be repeated for each of its layers.
_GRAPHS: weakref.WeakKeyDictionary[nn.Module, tuple[list[int], _Graph]] = weakref.WeakKeyDictionary()


def _graph_of(module: nn.Module) -> _Graph:
    """The module's graph, traced anew only where the module has other children or methods than last time."""
    # A forward method may be replaced on the class or on the instance.
    children = [
        each
        for child in module.modules()
        for each in (id(child), id(type(child).forward), id(child.__dict__.get("forward")))
    ]
    known = _GRAPHS.get(module)
    if known is None or known[0] != children:
        known = _GRAPHS[module] = (children, _Graph(module))
    return known[1]


class _Tracer(fx.Tracer):
    """Traces, and notes which node holds what each module (leaf or not) returned at each of its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[tuple[str, int], fx.Node] = {}

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """As in torch.fx; notes the node of the value."""
        value = super().call_module(m, forward, args, kwargs)
        if isinstance(value, fx.Proxy):
            path = self.path_of_module(m)
            self.calls[path, sum(known == path for known, _ in self.calls)] = value.node
        return value


def _trace(tracer: _Tracer, module: nn.Module) -> list[fx.Node]:
    flags = {child: child.training for child in module.modules()}
    module.eval()  # without dropout and side branches, which only training has
    try:
        return list(tracer.trace(module).nodes)
    except Exception as error:
        raise Untraceable(
            f"the forward pass of {type(module).__name__} cannot be followed step by step ({error}): "
            "it decides by values, or takes other inputs than one batch of images."
        ) from error
    finally:
        for child, training in flags.items():
            child.training = training


def _caller(node: fx.Node, root: nn.Module) -> Callable[..., Any]:
    """A function from the values of a node's inputs to its own; it holds the root module by a weak reference,
    so that a graph does not keep its module in memory."""
    owner, inputs = weakref.ref(root), node.all_input_nodes

    def call(*values: Any) -> Any:
        known = dict(zip(inputs, values, strict=True))
        args = fx.node.map_arg(node.args, known.__getitem__)
        options = fx.node.map_arg(node.kwargs, known.__getitem__)
        if node.op == "call_function":
            return node.target(*args, **options)  # type: ignore[operator]
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **options)
        held = operator.attrgetter(str(node.target))(owner())
        return held(*args, **options) if node.op == "call_module" else held

    return call


def _module_step(name: str, module: nn.Module, inputs: list[Step]) -> Step:
    what = f"{type(module).__name__} ({name})"
    if isinstance(module, _SLIDING) and getattr(module, "padding_mode", "zeros") == "zeros":
        return Step(name, "slide", inputs, module, _slide(module), what)
    return Step(name, _kind(module), inputs, module, what=what)


def _kind(module: nn.Module) -> str:
    if isinstance(module, _POINTWISE):
        return "pointwise"
    if isinstance(module, nn.BatchNorm2d) and module.running_mean is None:
        return "unknown"  # it normalises by the images of the batch
    if isinstance(module, nn.BatchNorm2d | nn.LocalResponseNorm):
        return "norm"
    return "whole" if isinstance(module, (*_WHOLE, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)) else "unknown"


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _slide(module: Any) -> Slide:
    padding = module.padding
    if isinstance(padding, str):
        padding = 0 if padding == "valid" else _same(module)
    stride = module.stride if module.stride is not None else module.kernel_size
    dilation = getattr(module, "dilation", 1)
    ceil = bool(getattr(module, "ceil_mode", False))
    return Slide(_pair(module.kernel_size), _pair(stride), _pair(padding), _pair(dilation), ceil)


def _same(conv: nn.Conv2d) -> tuple[int, int]:
    totals = [d * (k - 1) for d, k in zip(_pair(conv.dilation), _pair(conv.kernel_size), strict=True)]
    if any(total % 2 for total in totals):
        raise SceneLensError(
            "padding='same' with an even kernel pads one side more: give the padding in numbers."
        )
    return (totals[0] // 2, totals[1] // 2)


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
    if target in _CATS and _along_channels(node) and len(inputs) == len(node.args[0]):  # type: ignore[arg-type]
        return Step(node.name, "cat", inputs, what=what)
    whole = target in (torch.flatten, torch.mean, "flatten", "view", "reshape", "mean")
    return Step(node.name, "whole" if whole else "unknown", inputs, what=what)


def _along_channels(node: fx.Node) -> bool:
    axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", node.kwargs.get("axis", 0))
    return axis in (1, -3)


def layer_step(network: Traced | nn.Module, layer: str, sample: torch.Tensor | None = None) -> Step:
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
        point = network.points[network.module_path(layer)]
        return _graph_of(network.module).step(point.path, point.call)
    known = [path for path, _ in network.named_modules() if path]
    if layer not in known:
        raise SceneLensError(f"no layer named {layer!r}; {close_names(layer, known)}.")
    if sample is None:
        return _graph_of(network).step(layer)
    point = trace(network, sample)[layer]
    return _graph_of(network).step(point.path, point.call)
