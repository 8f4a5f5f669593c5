"""Build the torch module of a network from the name of its architecture."""

from __future__ import annotations

from typing import Any

from torch import nn

from scenelens.errors import SceneLensError, close_names
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.torchvision_shim import load_torchvision


def build_module(architecture: str, n_classes: int, **options: Any) -> nn.Module:
    """Build an architecture by its name, with random weights.

    Parameters
    ----------
    architecture : str
        ``"caffenet"``, the paper's (see `CaffeNet`), or the name of any classifier in torchvision.
    n_classes : int
        How many classes it tells apart.
    **options : object
        Further options of the architecture, such as ``width`` and ``fc`` of CaffeNet.

    Returns
    -------
    torch.nn.Module
        The module.

    Raises
    ------
    SceneLensError
        If there is no architecture of that name.

    Examples
    --------
    >>> type(build_module("squeezenet1_1", 10)).__name__
    'SqueezeNet'
    """
    if architecture == "caffenet":
        return CaffeNet(n_classes, **options)
    models = load_torchvision().models
    known = models.list_models(module=models)
    if architecture not in known:
        raise SceneLensError(
            f"no architecture {architecture!r}; {close_names(architecture, ['caffenet', *known])}."
        )
    if architecture in ("googlenet", "inception_v3"):
        # Without side branches, whose outputs come in addition to the logits; and torchvision warns if
        # init_weights is left out.
        options = {"init_weights": True, "aux_logits": False, **options}
    return models.get_model(architecture, weights=None, num_classes=n_classes, **options)
