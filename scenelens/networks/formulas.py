"""What a layer's output becomes, number by number: its activation function, as it was seen in a forward pass.

A ReLU may be a module, a function, or a formula of several operations. `_Start` finds where a layer's value
is complete, and `_Formula` computes it again from what a module returned, by the same operations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from scenelens.networks.aten import _op_name
from scenelens.networks.positions import _Places


@dataclass(eq=False)
class _Node:
    """One operation of the pass, on constants, or on one layer's output and constants."""

    func: Any  # None for what a layer returned
    args: tuple = ()
    options: dict = field(default_factory=dict)
    item: int | None = None  # which of several results
    order: int = 0
    start: _Start | None = None  # the layer whose output it is computed from; None for a constant
    kind: str = "same"  # 'start', 'same' (a straight line), 'norm' or 'bent' (an activation function)
    parents: list[_Node] = field(default_factory=list)
    outputs: list[tuple[str, int, int]] = field(default_factory=list)  # (path, call, order) that returned it
    places: _Places | None = None


@dataclass(frozen=True)
class _Parameter:
    """A parameter or buffer in a formula, by its name: its value may change."""

    name: str


@dataclass(eq=False)
class _Start:
    """One output of a layer with weights, and what is computed from it alone, number by number."""

    keys: list[str]
    shape: tuple[int, ...]
    nodes: list[_Node] = field(default_factory=list)
    apart: set[int] = field(default_factory=set)  # ids of nodes that are no activation: see `_Watch._meet`

    def end(self) -> _Node:
        """Where the layer's value is complete: behind its activation function, else behind its BatchNorm."""
        for node in self.nodes:
            if node.kind == "bent" and id(node) not in self.apart and not self._rejoins(node):
                return self._scaled(self._undone(node))
        norms = [node for node in self.nodes if node.kind in ("start", "norm")]
        return norms[-1]

    def _rejoins(self, node: _Node) -> bool:
        """Whether a later operation needs this one and the layer's output again, as in x * sigmoid(x)."""
        below = {id(node)}
        for one in self.nodes[self.nodes.index(node) + 1 :]:
            inside = [id(parent) in below for parent in one.parents]
            if any(inside) and not all(inside):
                return True
            if any(inside):
                below.add(id(one))
        return False

    def _undone(self, node: _Node) -> _Node:
        """With what undoes an exponential, as in log(1 + exp(x)) and 1 / (1 + exp(-x))."""
        at = node
        while _op_name(node.func) in ("exp", "expm1"):
            then = [one for one in self.nodes if one.parents == [at]]
            if len(then) != 1:
                break
            at = then[0]
            if _op_name(at.func) in ("log", "log1p", "reciprocal"):
                return at
            if at.kind != "same":
                break
        return node

    def _scaled(self, node: _Node) -> _Node:
        """With the factor at the end of a formula, as in x * relu6(x + 3) / 6."""
        if len({id(one) for one in node.parents}) > 1 or node.parents[0].kind != "start":
            for one in self.nodes:
                plain = one.func is not None and _op_name(one.func) in ("mul", "div")
                if (
                    one.parents == [node]
                    and plain
                    and not isinstance(one.args[1], Tensor | _Node | _Parameter)
                ):
                    return one
        return node


class _Formula:
    """Computes a layer's value from what a module returned, by the same operations as in the pass."""

    def __init__(self, base: _Node, end: _Node) -> None:
        self.base, self.end = base, end

    @property
    def names(self) -> list[str]:
        """The operations on the layer's output, in the order in which they run."""
        found: dict[int, _Node] = {}

        def visit(node: _Node) -> None:
            if node is not self.base and id(node) not in found:
                for one in node.parents:
                    visit(one)
                found[id(node)] = node

        visit(self.end)
        return [_op_name(node.func) for node in found.values()]

    def of(self, output: Tensor, module: nn.Module) -> Tensor:
        """The value."""
        known: dict[int, Any] = {id(self.base): output}

        def get(one: Any) -> Any:
            if isinstance(one, _Parameter):
                parent, _, name = one.name.rpartition(".")
                return getattr(module.get_submodule(parent), name)
            if isinstance(one, list | tuple):
                return type(one)(get(each) for each in one)
            if isinstance(one, Tensor):
                return one.to(output.device)
            if not isinstance(one, _Node):
                return one
            if one.func is None:
                return output  # it gives only its shape and type
            if id(one) not in known:
                args = [get(each) for each in one.args]
                if one.func._schema.is_mutable:
                    args[0] = args[0].clone()  # the network, too, keeps what it needs again
                value = one.func(*args, **{k: get(v) for k, v in one.options.items()})
                known[id(one)] = value if one.item is None else value[one.item]
            return known[id(one)]

        with torch.no_grad():
            return get(self.end)
