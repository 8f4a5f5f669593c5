"""What a torch module does to an image, step by step: the graph that receptive fields and occlusion are
worked out on.

The graph is taken from the live module by torch.fx, so a network needs no description beside its code. Every
step is told by what it does to positions: a window that slides over the map (`Slide`), a function of each
position alone, a sum or a stack of branches, or something for which positions mean nothing any more
(flatten, a fully connected layer) or that is not understood. Deciding what a module is happens here and
nowhere else.
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

POINTWISE = (*ACTIVATIONS, nn.Identity, nn.Dropout, nn.Dropout2d, nn.AlphaDropout, nn.Hardtanh)
WHOLE = (nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.LayerNorm, nn.Softmax, nn.LogSoftmax)
SLIDING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
#: Functions that are modules in other clothes; their arguments behind the input are the module's, in its
#: order.
AS_MODULE: dict[Any, Callable[..., nn.Module]] = {
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
METHODS: dict[str, Any] = {"relu": F.relu, "relu_": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
METHODS |= {"add": operator.add, "add_": operator.add}
ADDS = (operator.add, operator.iadd, torch.add)
CATS = (torch.cat, torch.concat, torch.concatenate)


@dataclass(frozen=True)
class Slide:
    """How a window slides over a map: (rows, columns) each of kernel, stride, padding, dilation.

    >>> Slide((3, 3), (2, 2)).out_size((55, 55))
    (27, 27)
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    ceil: bool = False

    def extent(self, axis: int) -> int:
        """Positions of the input from the window's first to its last, along an axis."""
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def out_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The map's size behind this step, by torch's rule for rounding up."""
        return (self._out(size[0], 0), self._out(size[1], 1))

    def _out(self, n: int, axis: int) -> int:
        stride, pad = self.stride[axis], self.padding[axis]
        room = n + 2 * pad - self.extent(axis)
        out = -(-room // stride) + 1 if self.ceil else room // stride + 1
        # a window that would start in the padding behind the map is left out
        return out - 1 if self.ceil and (out - 1) * stride >= n + pad else out


class Untraceable(SceneLensError):
    """torch.fx cannot follow the module's forward pass, so its steps are not known."""


def _nothing(*values: Any) -> None:
    """What an input step calls: it has no value but the image's."""


@dataclass(eq=False)
class Step:
    """One step of a graph.

    Attributes
    ----------
    name : unique within its graph.
    kind : 'input', 'slide', 'pointwise', 'norm' (a function of all channels at one position), 'add', 'cat',
        'whole' (positions mix or vanish, as in a fully connected layer), or 'unknown'.
    inputs : the steps whose maps it reads.
    module : the torch module that does it; None for input, add, cat, and for functions no module stands for.
    slide : kernel, stride and so on, for kind 'slide'.
    call : the step itself: from the values of `inputs`, in their order, to its own.
    what : the words to name it by in a message.
    """

    name: str
    kind: str
    inputs: list[Step] = field(default_factory=list)
    module: nn.Module | None = None
    slide: Slide | None = None
    what: str = ""
    call: Callable[..., Any] = _nothing


class Graph:
    """The steps of a module, in the order they run, and where its layers stand among them.

    Parameters
    ----------
    module : any torch module of one input (N, C, H, W) that torch.fx can trace.

    Raises
    ------
    Untraceable : (a SceneLensError) torch.fx cannot follow the module's forward pass.

    Examples
    --------
    >>> graph = Graph(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()))
    >>> [step.kind for step in graph.steps], graph.step("0", call=0).kind
    (['input', 'slide', 'pointwise', 'whole'], 'slide')
    """

    def __init__(self, module: nn.Module) -> None:
        # without the module itself: `graph_of` keeps graphs only as long as their module lives
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
        """All steps, in the order they run."""
        return list(self._steps.values())

    def step(self, path: str, call: int = 0) -> Step:
        """The step that gives what the module at a path returns when called for the nth time."""
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


#: Tracing takes a tenth of a second for a deep network, and its layers are asked about one by one.
_GRAPHS: weakref.WeakKeyDictionary[nn.Module, tuple[list[int], Graph]] = weakref.WeakKeyDictionary()


def graph_of(module: nn.Module) -> Graph:
    """The module's graph, traced once for as long as it holds the same children.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3))
    >>> graph_of(net) is graph_of(net)
    True
    """
    children = [id(child) for child in module.modules()]
    known = _GRAPHS.get(module)
    if known is None or known[0] != children:
        known = _GRAPHS[module] = (children, Graph(module))
    return known[1]


class _Tracer(fx.Tracer):
    """Traces, and notes which node holds what each module (leaf or not) returned at each of its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[tuple[str, int], fx.Node] = {}

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """As in torch.fx, keeping the books."""
        value = super().call_module(m, forward, args, kwargs)
        if isinstance(value, fx.Proxy):
            path = self.path_of_module(m)
            self.calls[path, sum(known == path for known, _ in self.calls)] = value.node
        return value


def _trace(tracer: _Tracer, module: nn.Module) -> list[fx.Node]:
    flags = {child: child.training for child in module.modules()}
    module.eval()  # dropout and side branches that only training has
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
    """A function from the values of a node's inputs to its own; it does not keep the root module alive."""
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
    if isinstance(module, SLIDING) and getattr(module, "padding_mode", "zeros") == "zeros":
        return Step(name, "slide", inputs, module, _slide(module), what)
    return Step(name, _kind(module), inputs, module, what=what)


def _kind(module: nn.Module) -> str:
    if isinstance(module, POINTWISE):
        return "pointwise"
    if isinstance(module, nn.BatchNorm2d) and module.running_mean is None:
        return "unknown"  # it normalises by the batch
    if isinstance(module, nn.BatchNorm2d | nn.LocalResponseNorm):
        return "norm"
    return "whole" if isinstance(module, (*WHOLE, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)) else "unknown"


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
    target = METHODS.get(str(node.target), node.target) if node.op == "call_method" else node.target
    what = f"{getattr(target, '__name__', target)} ({node.name})"
    plain = not any(isinstance(one, fx.Node) for one in (*node.args[1:], *node.kwargs.values()))
    if target in AS_MODULE and plain:
        step = _module_step(node.name, AS_MODULE[target](*node.args[1:], **node.kwargs), inputs)
        step.what = what
        return step
    if target in ADDS and len(node.args) == 2 and len(inputs) == 2 and not node.kwargs:
        return Step(node.name, "add", inputs, what=what)
    if target in CATS and _along_channels(node) and len(inputs) == len(node.args[0]):  # type: ignore[arg-type]
        return Step(node.name, "cat", inputs, what=what)
    whole = target in (torch.flatten, torch.mean, "flatten", "view", "reshape", "mean")
    return Step(node.name, "whole" if whole else "unknown", inputs, what=what)


def _along_channels(node: fx.Node) -> bool:
    axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", node.kwargs.get("axis", 0))
    return axis in (1, -3)


def module_of(network: Traced | nn.Module) -> nn.Module:
    """The torch module of a scenelens Network, or the module itself."""
    return network if isinstance(network, nn.Module) else network.module


def layer_step(network: Traced | nn.Module, layer: str, sample: torch.Tensor | None = None) -> Step:
    """The step at which a layer's response is read, as `scenelens.networks.hooks.record` reads it: behind its
    activation function.

    Parameters
    ----------
    network : a Network, or any torch module (then `layer` is a module path).
    layer : the layer's name.
    sample : (1, C, H, W) image a bare module is tried with; without it a module path means just that
        module's output.

    Raises
    ------
    SceneLensError : no such layer (close names are given), or a module torch.fx cannot follow.
    """
    if not isinstance(network, nn.Module):
        point = network.points[network.module_path(layer)]
        return graph_of(network.module).step(point.path, point.call)
    known = [path for path, _ in network.named_modules() if path]
    if layer not in known:
        raise SceneLensError(f"no layer named {layer!r}; {close_names(layer, known)}.")
    if sample is None:
        return graph_of(network).step(layer)
    point = trace(network, sample)[layer]
    return graph_of(network).step(point.path, point.call)


def ancestors(step: Step) -> list[Step]:
    """The steps a step depends on, itself included, in the order they run.

    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    >>> [one.kind for one in ancestors(layer_step(net, "1"))]
    ['input', 'slide', 'pointwise']
    """
    found: dict[int, Step] = {}

    def visit(one: Step) -> None:
        if id(one) not in found:
            for before in one.inputs:
                visit(before)
            found[id(one)] = one

    visit(step)
    return list(found.values())
