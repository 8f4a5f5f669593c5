"""Run what follows a layer, from the layer's values on: what an intervention there needs of a network.

Whoever switches off units of one layer, again and again for the same images, would compute all layers below
it each time for nothing. So the steps of the forward pass (see `graph`) are run from the layer on.

Often the first of them is linear: a fully connected layer, or a convolution. It is also by far the largest
one behind the last map. Then it is run once for all images, and a change of some units is added to what it
gave: only the weights that these units have there are multiplied.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from scenelens.networks.ablation import ablated
from scenelens.networks.following import Untraceable
from scenelens.networks.graph import Step, _graph_of, layer_step
from scenelens.networks.points import _Traced


class Rest:
    """What follows a layer, ready to be run many times.

    It is that of the network as it was when this was made.

    Parameters
    ----------
    network : Network
        The network.
    layer : str
        The layer's name; see `Network.layers`.

    Raises
    ------
    Untraceable
        If the steps cannot be followed, if another way leads from the image past the layer, if a step behind
        it draws random numbers, and where hooks or `ablate` change the network.
    SceneLensError
        If there is no such layer.

    Notes
    -----
    Methods that were replaced on a module are not noticed. Who relies on this compares one result with a
    whole pass.

    Examples
    --------
    >>> from scenelens.networks import Network, Preprocessing, record
    >>> module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.Flatten())
    >>> net, images = Network(module, preprocessing=Preprocessing(size=(8, 8))), torch.rand(2, 3, 8, 8)
    >>> with record(net, "0", stop=False) as acts:
    ...     logits = net(images)
    >>> rest = Rest(net, "0")
    >>> torch.equal(rest(acts["0"]), logits)
    True

    Unit 3 is switched off:

    >>> off = acts["0"].clone()
    >>> off[:, 3] = 0
    >>> changed = rest.changed(rest.begin(acts["0"]), [3], (off - acts["0"])[:, [3]])
    >>> torch.allclose(changed, rest(off))
    True
    """

    def __init__(self, network: _Traced, layer: str) -> None:
        module = network.module
        if ablated(module) or any(one._forward_hooks or one._forward_pre_hooks for one in module.modules()):
            raise Untraceable("hooks change what the network does, so it is not run from a layer on.")
        end = _graph_of(module).end
        if end is None:
            raise Untraceable("the network returns more than one tensor.")
        self._start, self._end = layer_step(network, layer), end
        self._steps = _between(self._start, end, layer)
        shape = network.points[network.module_path(layer)].shape
        self._linear = _linear(self._start, self._steps, shape) if shape else None

    def __call__(self, values: Tensor) -> Tensor:
        """Run it.

        Parameters
        ----------
        values : torch.Tensor
            The layer's values, (N, units, h, w) or (N, units), as `record` gives them, perhaps changed. They
            stay as they are.

        Returns
        -------
        torch.Tensor
            What the network returns, such as logits (N, n_classes).
        """
        return self._run({id(self._start): values}, self._end)

    def begin(self, values: Tensor) -> Tensor | None:
        """Run it as far as it is linear.

        Parameters
        ----------
        values : torch.Tensor
            As for a call.

        Returns
        -------
        torch.Tensor or None
            What `changed` takes: (N, ...). None where the first step is not linear, and no change can be
            added to what it gives.
        """
        return None if self._linear is None else self._run({id(self._start): values}, self._linear)

    def changed(self, begun: Tensor, units: Sequence[int], difference: Tensor) -> Tensor:
        """Run it with some units changed, on images for which it was begun.

        Parameters
        ----------
        begun : torch.Tensor
            Of `begin`, or some of its rows. It stays as it is.
        units : sequence of int
            The units; none of them twice.
        difference : torch.Tensor
            (N, number of units, h, w), or (N, number of units): their new values minus those before.

        Returns
        -------
        torch.Tensor
            As of a call with the new values, but for the rounding of float32.
        """
        assert self._linear is not None
        with torch.no_grad():
            moved = _weighed(self._linear.module, list(units), difference)
            moved += begun
        return self._run({id(self._linear): moved}, self._end)

    def _run(self, known: dict[int, Any], end: Step) -> Tensor:
        """The value of a step, from the value of an earlier one on."""
        with torch.no_grad():
            for step in self._steps:
                if id(end) in known:
                    break
                if id(step) not in known and all(id(one) in known for one in step.inputs):
                    known[id(step)] = step.call(*(known[id(one)] for one in step.inputs))
        return known[id(end)]


def _linear(start: Step, steps: list[Step], shape: Sequence[int]) -> Step | None:
    """The fully connected layer or the convolution to which all of a layer's values go, and nowhere else.

    Between the two there may be steps that change nothing, such as a dropout that is switched off, or that
    only write the values, of this shape for one image, in one row.
    """
    at, in_a_row = start, len(shape) == 1
    while True:
        readers = [step for step in steps if any(one is at for one in step.inputs)]
        if len(readers) != 1 or len(readers[0].inputs) != 1:
            return None
        at, module = readers[0], readers[0].module
        if at.kind == "slide" and isinstance(module, nn.Conv2d):
            return at if module.groups == 1 else None
        if at.kind == "whole" and isinstance(module, nn.Linear):
            return at if in_a_row and module.in_features == math.prod(shape) else None
        if not in_a_row and _flattens(at, shape):
            in_a_row = True
        elif not _keeps(at):
            return None


def _keeps(step: Step) -> bool:
    off = isinstance(step.module, nn.Dropout | nn.Dropout2d) and not step.module.training
    return off or isinstance(step.module, nn.Identity)


def _flattens(step: Step, shape: Sequence[int]) -> bool:
    """Whether a step writes each image's values in one row, tried on numbers that are all different."""
    if step.kind != "whole":
        return False
    values = torch.arange(2.0 * math.prod(shape)).reshape(2, *shape)
    try:
        with torch.no_grad():
            found = step.call(values)
    except (RuntimeError, TypeError, ValueError):  # it may be made for another device, or be anything else
        return False
    return isinstance(found, Tensor) and torch.equal(found, values.flatten(1))


def _weighed(module: Any, units: list[int], difference: Tensor) -> Tensor:
    """What a linear step makes of a difference in some of its channels."""
    if isinstance(module, nn.Conv2d):
        return module._conv_forward(difference, module.weight[:, units], None)
    weight = module.weight
    if difference.ndim > 2:  # the units' maps, one behind the other
        each = difference[0, 0].numel()
        weight = weight.reshape(len(weight), -1, each)[:, units].flatten(1)
    else:
        weight = weight[:, units]
    return nn.functional.linear(difference.flatten(1), weight)


def _between(start: Step, end: Step, layer: str) -> list[Step]:
    """The steps from a layer on, in the order in which they run, without the layer's own."""
    found: dict[int, Step] = {}
    met = False

    def visit(one: Step) -> None:
        nonlocal met
        met = met or one is start
        if one is start or id(one) in found:
            return
        if one.kind == "input":
            raise Untraceable(f"what follows {layer!r} also reads the image by a way past it.")
        if one.unclear:
            raise Untraceable(one.unclear)
        for before in one.inputs:
            visit(before)
        found[id(one)] = one

    visit(end)
    if not met:
        raise Untraceable(f"what the network returns does not depend on {layer!r}.")
    return list(found.values())
