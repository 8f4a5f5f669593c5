"""Which tensors of a forward pass share memory, and what they hold after an operation has written over them.

A forward pass may write over a tensor that it reads again under another name: an in-place ReLU in front of a
shortcut, ``a += b`` while another variable still holds ``a``, or ``x[:, :4] = y``. Each node of a torch.fx
graph stands for the tensor as it was when the node ran. So the graph alone says nothing about what a later
reader finds in it. Here the nodes are gone through in their order, and each reader gets the step whose value
it really sees.
"""

from __future__ import annotations

import inspect
import operator
from collections import defaultdict
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

IN_PLACE_OPERATORS = (
    *("iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow"),
    *("iand", "ior", "ixor", "ilshift", "irshift"),
)
_OPERATORS = {getattr(operator, name) for name in IN_PLACE_OPERATORS}
# What gives a tensor with memory of its own. Of anything else it is assumed that it may share its inputs'.
_NEW_FUNCTIONS = {operator.add, operator.sub, operator.mul, operator.truediv, operator.neg, operator.matmul}
_NEW_FUNCTIONS |= {torch.add, torch.sub, torch.mul, torch.div, torch.matmul, torch.bmm, torch.clone}
_NEW_FUNCTIONS |= {torch.cat, torch.concat, torch.concatenate, torch.stack, torch.mean, torch.sum}
_NEW_FUNCTIONS |= {F.relu, torch.relu, F.relu6, F.leaky_relu, F.gelu, F.silu, F.hardswish, F.hardsigmoid}
_NEW_FUNCTIONS |= {torch.sigmoid, torch.tanh, F.softmax, torch.softmax, F.conv2d, F.linear, F.layer_norm}
_NEW_FUNCTIONS |= {F.max_pool2d, torch.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.batch_norm}
_NEW_FUNCTIONS |= {F.local_response_norm}
_NEW_METHODS = {"add", "sub", "mul", "div", "matmul", "clone", "mean", "sum", "relu", "sigmoid", "tanh"}
_NEW_METHODS |= {"softmax", "amax", "clamp", "exp", "sqrt", "rsqrt", "pow", "square", "abs"}
_NEW_MODULES: tuple[type[nn.Module], ...] = (
    nn.Linear,
    nn.LocalResponseNorm,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.Softmax,
    nn.LogSoftmax,
)
_NEW_MODULES += (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU)
_NEW_MODULES += (nn.Mish, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Softplus, nn.Sigmoid, nn.Tanh)
_NEW_MODULES += (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, nn.AvgPool2d)
_NEW_MODULES += (nn.BatchNorm1d, nn.BatchNorm2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
_DROPOUT_FUNCTIONS = {
    F.dropout,
    F.dropout1d,
    F.dropout2d,
    F.dropout3d,
    F.alpha_dropout,
    F.feature_alpha_dropout,
}
_NUMBERS = {"size", "dim", "numel", "ndimension", "item", "stride"}
_NUMBER_ATTRIBUTES = {"shape", "ndim", "dtype", "device"}


def _drops_at_random(node: fx.Node, module: nn.Module | None) -> bool:
    """Return whether a step is a dropout that is switched on.

    Parameters
    ----------
    node : torch.fx.Node
        The node of the step.
    module : torch.nn.Module or None
        The module that it calls.

    Returns
    -------
    bool
        False for a dropout in eval mode, for one with probability 0, and for any other step.
    """
    if isinstance(module, DROPOUTS):
        return module.training and module.p > 0
    if node.target not in _DROPOUT_FUNCTIONS:
        return False
    options = _arguments(node)
    return bool(options.get("training", True)) and options.get("p", 0.5) != 0


def _written_nodes(node: fx.Node, module: nn.Module | None) -> list[fx.Node]:
    """Return the nodes whose tensors a step writes over.

    Parameters
    ----------
    node : torch.fx.Node
        The node of the step.
    module : torch.nn.Module or None
        The module that it calls.

    Returns
    -------
    list of torch.fx.Node
        Empty for nearly all steps.
    """
    out = node.kwargs.get("out")
    found = [out] if isinstance(out, fx.Node) else []
    first = node.args[0] if node.args else node.kwargs.get("input")
    if isinstance(first, fx.Node) and _writes(node, module) and not _is_number(first):
        found.append(first)
    return found


def _writes(node: fx.Node, module: nn.Module | None) -> bool:
    """Whether a step writes over its first argument."""
    if node.op == "call_module":
        return bool(getattr(module, "inplace", False)) and not isinstance(module, DROPOUTS)
    if node.op not in ("call_function", "call_method"):
        return False
    if node.target in _DROPOUT_FUNCTIONS:
        return False
    name = str(node.target) if node.op == "call_method" else getattr(node.target, "__name__", "")
    if name.startswith("__"):
        return name.strip("_") in (*IN_PLACE_OPERATORS, "setitem")
    if node.target in _OPERATORS or node.target is operator.setitem or name.endswith("_"):
        return True
    return node.op == "call_function" and bool(_arguments(node).get("inplace", False))


def _arguments(node: fx.Node) -> dict[str, Any]:
    """A function's arguments by name, as far as its signature is known."""
    try:
        names = inspect.signature(node.target).bind(*node.args, **node.kwargs)  # type: ignore[arg-type]
    except (TypeError, ValueError):  # a function of C++ has no signature
        return dict(node.kwargs)
    return names.arguments


def _is_number(node: fx.Node) -> bool:
    """Whether a node is a size or a number computed from sizes; Python's numbers are never written over."""
    if node.op == "call_method":
        return node.target in _NUMBERS
    if node.op != "call_function":
        return False
    if node.target is getattr:
        return node.args[1] in _NUMBER_ATTRIBUTES
    plain = getattr(node.target, "__module__", "") in ("_operator", "builtins", "math")
    before = node.all_input_nodes
    return plain and bool(before) and all(_is_number(one) for one in before)


def _hands_on(node: fx.Node, module: nn.Module | None) -> bool:
    """Whether a step returns the very tensor that it was given."""
    if isinstance(module, (nn.Identity, *DROPOUTS)):
        return not _drops_at_random(node, module)
    return node.target in _DROPOUT_FUNCTIONS and not _drops_at_random(node, module)


def _is_new(node: fx.Node, module: nn.Module | None) -> bool:
    """Whether a step's value surely has memory of its own."""
    if node.op in ("placeholder", "get_attr") or _is_number(node):
        return True
    if node.op == "call_module":
        return isinstance(module, _NEW_MODULES) and not getattr(module, "return_indices", False)
    return node.target in (_NEW_METHODS if node.op == "call_method" else _NEW_FUNCTIONS)


class _Tensors:
    """What each tensor of a forward pass holds, while its steps are gone through in their order.

    Nodes that are the same tensor share a number. Tensors that may share memory (a view and its base) share a
    group: writing over one of them changes the others in a way that is not followed further.
    """

    def __init__(self) -> None:
        self._tensor: dict[fx.Node, int] = {}
        self._group: dict[int, int] = {}
        self._members: dict[int, set[int]] = defaultdict(set)
        self._held: dict[int, list[tuple[int, Any]]] = {}

    def held(self, node: fx.Node, before: int | None = None) -> Any:
        """Return the step whose value a node's tensor holds.

        Parameters
        ----------
        node : torch.fx.Node
            The node.
        before : int, optional
            As it was before the step of this number ran; by default now.

        Returns
        -------
        Step
            The step.
        """
        steps = self._held[self._tensor[node]]
        known = [step for at, step in steps if before is None or at < before]
        return (known or [steps[0][1]])[-1]

    def enter(self, at: int, node: fx.Node, step: Any, module: nn.Module | None) -> list[int]:
        """Note a step's value.

        Parameters
        ----------
        at : int
            The step's number.
        node : torch.fx.Node
            Its node.
        step : Step
            The step.
        module : torch.nn.Module or None
            The module that it calls.

        Returns
        -------
        list of int
            Tensors that it changed in a way that is not followed: name them with `change`.
        """
        written = [self._tensor[one] for one in _written_nodes(node, module)]
        for tensor in written:
            self._held[tensor].append((at, step))
        if written or _hands_on(node, module):
            self._tensor[node] = written[0] if written else self._tensor[node.all_input_nodes[0]]
        else:
            tensor = self._tensor[node] = self._group[len(self._group)] = len(self._group)
            self._held[tensor] = [(at, step)]
            self._members[tensor].add(tensor)
            for one in [] if _is_new(node, module) else node.all_input_nodes:
                self._join(tensor, self._tensor[one])
        near = {other for tensor in written for other in self._members[self._group[tensor]]}
        return sorted(near - set(written))

    def change(self, at: int, tensor: int, made: Any) -> None:
        """Say which step stands for a tensor that was written over through another one.

        Parameters
        ----------
        at : int
            The number of the step that wrote.
        tensor : int
            One of those that `enter` returned.
        made : callable
            From the step that the tensor held to the step that it holds from now on.
        """
        held = self._held[tensor]
        held.append((at, made(held[-1][1])))

    def _join(self, one: int, other: int) -> None:
        low, high = sorted((self._group[one], self._group[other]))
        if low != high:
            for member in self._members.pop(high):
                self._group[member] = low
                self._members[low].add(member)
