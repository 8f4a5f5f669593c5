"""Run what follows a layer, from the layer's values on: what an intervention there needs of a network.

Whoever switches off units of one layer, again and again for the same images, would compute all layers below
it each time for nothing. So the steps of the forward pass (see `graph`) are run from the layer on.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scenelens.networks.ablation import ablated
from scenelens.networks.following import Untraceable
from scenelens.networks.graph import Step, _graph_of, layer_step
from scenelens.networks.points import _Traced


def run_rest(network: _Traced, layer: str, values: Tensor) -> Tensor:
    """Run what follows a layer.

    Parameters
    ----------
    network : Network
        The network.
    layer : str
        The layer's name; see `Network.layers`.
    values : torch.Tensor
        The layer's values, (N, units, h, w) or (N, units), as `record` gives them, perhaps changed. They stay
        as they are.

    Returns
    -------
    torch.Tensor
        What the network returns, such as logits (N, n_classes).

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
    >>> from torch import nn
    >>> from scenelens.networks import Network, Preprocessing, record
    >>> module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    >>> net, images = Network(module, preprocessing=Preprocessing(size=(8, 8))), torch.rand(2, 3, 8, 8)
    >>> with record(net, "0", stop=False) as acts:
    ...     logits = net(images)
    >>> torch.equal(run_rest(net, "0", acts["0"]), logits)
    True
    """
    module = network.module
    if ablated(module) or any(one._forward_hooks or one._forward_pre_hooks for one in module.modules()):
        raise Untraceable("hooks change what the network does, so it is not run from a layer on.")
    start, end = layer_step(network, layer), _graph_of(module).end
    if end is None:
        raise Untraceable("the network returns more than one tensor.")
    known: dict[int, Any] = {id(start): values}
    with torch.no_grad():
        for step in _between(start, end, layer):
            known[id(step)] = step.call(*(known[id(one)] for one in step.inputs))
    return known[id(end)]


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
