"""A layer's point: where its value is read in a forward pass, of which shape it is, and what it sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from scenelens.errors import SceneLensError
from scenelens.networks.formulas import _Formula, _Node, _Start
from scenelens.networks.positions import _Layout, _layout_of, _Places, _Span


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
        When the value is there, counted in calls and operations of one forward pass.
    shape : tuple of int
        The shape of the value for one image, without N: (units, h, w) or (units,). Empty where the module's
        output is not one value per image, unit and position; `raw` is its shape then.
    raw : tuple of int
        The shape of the module's output for one image.
    read : int
        When the module returns, counted as `order`.
    inside : tuple of str
        The modules that were running when this one was called, outermost first.
    made : int
        Which operation made the module's output: modules that return the same tensor have the same.
    kind : str
        ``'conv'`` or ``'fc'`` for a module of somebody's own class that does this with its own weights.
    """

    path: str
    call: int
    order: int
    shape: tuple[int, ...]
    raw: tuple[int, ...] = field(default=(), compare=False)
    read: int = field(default=0, compare=False)
    inside: tuple[str, ...] = field(default=(), compare=False)
    made: int = field(default=-1, compare=False)
    kind: str = field(default="", compare=False)
    then: _Formula | None = field(default=None, compare=False, repr=False)
    layout: _Layout | None = field(default=None, compare=False, repr=False)
    spans: tuple[_Span, _Span] | None = field(default=None, compare=False, repr=False)

    def value(self, output: Tensor, module: nn.Module) -> Tensor:
        """Return the layer's value: behind its activation function, units first.

        Parameters
        ----------
        output : torch.Tensor
            What the module at `path` returned.
        module : torch.nn.Module
            The whole network.

        Returns
        -------
        torch.Tensor
            (N, units, h, w) or (N, units), in single precision or more.
        """
        value = output if self.then is None else self.then.of(output, module)
        if value.dtype in (torch.float16, torch.bfloat16):
            value = value.float()
        return value if self.layout is None else self.layout.of(value)

    def refusal(self, layer: str) -> SceneLensError:
        """Return why a layer cannot be read that has no `shape`.

        Parameters
        ----------
        layer : str
            Its name.

        Returns
        -------
        SceneLensError
            One sentence, for raising.
        """
        shape = ", ".join(map(str, ("N", *self.raw)))
        return SceneLensError(
            f"layer {layer!r} is not read: what it gives, of shape ({shape}), is not one number "
            "for each image, unit and position; take another, see network.layers."
        )


class _Traced(Protocol):
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
        """Module path, with ``#n`` for its nth call -> where its value is read."""

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


def _point(
    path: str,
    call: int,
    order: int,
    read: int,
    places: _Places | None,
    shape: Sequence[int],
    then: _Formula | None = None,
) -> Point:
    found = _layout_of(places, shape)
    layout, spans = found if found else (None, None)
    size = layout.shape if layout else ()
    return Point(path, call, order, size, tuple(shape[1:]), read, (), -1, "", then, layout, spans)


def _reading(start: _Start, end: _Node, raw: Point) -> Point:
    """Where a layer's value is read: at the module that returns it, or at one before it with a formula."""
    places = end.places
    if end.kind == "start":
        return raw
    if end.outputs:
        path, call, order = end.outputs[0]
        found = _point(path, call, order, order, places, start.shape)
        return replace(found, inside=raw.inside, made=raw.made, kind=raw.kind)
    bases = [node for node in start.nodes[: start.nodes.index(end)] if node.outputs and _leads_to(node, end)]
    path, call, read = bases[-1].outputs[0]
    found = _point(path, call, end.order, read, places, start.shape, _Formula(bases[-1], end))
    return replace(found, inside=raw.inside, made=raw.made, kind=raw.kind)


def _leads_to(base: _Node, end: _Node) -> bool:
    """Whether an end is computed from this node and constants alone."""
    if end is base:
        return True
    return bool(end.parents) and all(_leads_to(base, one) for one in end.parents)
