"""Follow a module's forward pass with torch.fx: the nodes, what each module returned, and how to run a node.

torch.fx runs the forward method once, with stand-ins for tensors. What it cannot see is taken care of here:
that ``a += b`` writes over ``a``, that the method may change the module itself, and that modules may look
different the next time.
"""

from __future__ import annotations

import inspect
import operator
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from scenelens.errors import SceneLensError
from scenelens.networks.overwriting import IN_PLACE_OPERATORS, _written_nodes
from scenelens.networks.undo import restoring


class Untraceable(SceneLensError):
    """torch.fx cannot follow a module's forward pass, so its steps are not known."""


_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_MODULES_OWN = set(nn.Module().__dict__) - {"training"}


def _looks(module: nn.Module | None) -> list[Any]:
    """What a module's steps follow from: its modules, their code, modes and attributes, without weights."""
    if module is None:
        return []
    code = {kind: _code(kind) for kind in {type(child) for child in module.modules()}}
    return [
        (
            id(child),
            code[type(child)],
            [(name, _look(value)) for name, value in child.__dict__.items() if name not in _MODULES_OWN],
        )
        for child in module.modules()
    ]


def _code(kind: type) -> list[Any]:
    """The functions of a class; of torch's own classes only how they run."""
    found = []
    for one in kind.__mro__[: kind.__mro__.index(nn.Module)]:
        torchs = one.__module__.startswith("torch.nn.")
        names = ["forward"] if torchs else list(vars(one))
        functions = [vars(one)[name] for name in names if name in vars(one)]
        found += [(id(each), id(getattr(each, "__code__", None))) for each in functions if callable(each)]
    return found


def _look(value: Any, depth: int = 2) -> Any:
    if isinstance(value, _PLAIN):
        return repr(value)  # unlike the value itself, NaN is equal to NaN here
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_look(one, depth - 1) for one in value]
    if depth and isinstance(value, dict):
        return [(_look(key, 0), _look(one, depth - 1)) for key, one in value.items()]
    return id(value)


class _Proxy(fx.Proxy):
    """As in torch.fx, but a value that is written over is not taken for a new one.

    Python runs ``a += b`` as ``a = a + b`` where a class has no method of its own for it.
    """

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tracer.create_proxy("call_function", operator.setitem, (self, index, value), {})


def _in_place(name: str) -> Callable[[fx.Proxy, Any], fx.Proxy]:
    def method(self: fx.Proxy, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", getattr(operator, name), (self, other), {})

    return method


for _name in IN_PLACE_OPERATORS:
    setattr(_Proxy, f"__{_name}__", _in_place(_name))


class _Tracer(fx.Tracer):
    """Traces, and notes what each module (leaf or not) returned at each of its calls: the node, and how many
    steps had run by then."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[tuple[str, int], tuple[fx.Node, int]] = {}
        self._counts: Counter[str] = Counter()

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """As in torch.fx."""
        return _Proxy(node, self)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """As in torch.fx; notes the node of the value."""
        value = super().call_module(m, forward, args, kwargs)
        path = self.path_of_module(m)
        if isinstance(value, fx.Proxy):
            self.calls[path, self._counts[path]] = (value.node, len(self.graph.nodes))
        self._counts[path] += 1
        return value


def _trace(tracer: _Tracer, module: nn.Module) -> tuple[list[fx.Node], dict[str, Any]]:
    """The nodes; and the tensors that the forward pass makes itself, by the names that they have here."""
    before, back = set(module.__dict__), restoring(module)
    try:
        with torch.random.fork_rng(devices=[]):
            nodes = list(tracer.trace(module, concrete_args=_defaults(module)).nodes)
        if any(str(node.target).startswith("*") for node in nodes if node.op == "placeholder"):
            raise TypeError("it takes any number of inputs")
        return nodes, {name: value for name, value in module.__dict__.items() if name not in before}
    except Exception as error:
        raise Untraceable(
            f"the forward pass of {type(module).__name__} cannot be followed step by step ({error}): "
            "it decides by values, or takes other inputs than one batch of images."
        ) from error
    finally:
        back()  # the forward method was run, and torch.fx keeps its constants in the module


def _defaults(module: nn.Module) -> dict[str, Any] | None:
    """What the forward method takes besides the images, where it has defaults: it may decide by these."""
    takes = list(inspect.signature(module.forward).parameters.values())[1:]
    return {one.name: one.default for one in takes if one.default is not one.empty} or None


def _read_nodes(node: fx.Node) -> list[fx.Node]:
    """The nodes whose values a node reads, each as often as it reads it."""
    found: list[fx.Node] = []
    fx.node.map_arg((node.args, node.kwargs), lambda one: found.append(one) or one)  # type: ignore[func-returns-value]
    return found


def _caller(
    node: fx.Node, owner: weakref.ref, module: nn.Module | None, constants: dict[str, Any]
) -> Callable[..., Any]:
    """A function from the values of a node's inputs to its own; it holds the root module by a weak reference,
    so that a graph does not keep its module in memory."""
    inputs = _read_nodes(node)
    written = set(_written_nodes(node, module))

    def call(*values: Any) -> Any:
        known = dict(zip(inputs, values, strict=True))
        # others may still need what it would write over
        known |= {one: known[one].clone() for one in written if isinstance(known[one], torch.Tensor)}
        args = fx.node.map_arg(node.args, known.__getitem__)
        options = fx.node.map_arg(node.kwargs, known.__getitem__)
        if node.op == "call_function":
            value = node.target(*args, **options)  # type: ignore[operator]
            return args[0] if node.target is operator.setitem else value
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **options)
        if node.op == "placeholder":
            return args[0] if args else None
        name = str(node.target)
        held = constants[name] if name in constants else operator.attrgetter(name)(owner())
        return held(*args, **options) if node.op == "call_module" else held

    return call
