"""Build the torch module of a network: from the name of an architecture, or by a reader's own function."""

from __future__ import annotations

import importlib.util
from pathlib import Path
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


def module_from_factory(factory: str, folder: Path) -> nn.Module:
    """Return the module that a function in a reader's own Python file builds.

    This runs the file, so it must be code that one trusts.

    Parameters
    ----------
    factory : str
        ``"file.py:function"``. The function is called without arguments.
    folder : Path
        The folder that the file's path starts from.

    Returns
    -------
    torch.nn.Module
        The module, in eval mode.

    Raises
    ------
    SceneLensError
        If there is no such file or function, or if it returns something else.
    """
    file, _, function = factory.rpartition(":")
    path = (folder / file).resolve()
    if not path.is_file() or not function:
        raise SceneLensError(
            f"factory = {factory!r}: expected 'file.py:function' with an existing file ({path})."
        )
    spec = importlib.util.spec_from_file_location(f"scenelens_factory_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SceneLensError(f"factory = {factory!r}: {path} is not a Python file.")
    namespace = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(namespace)
    if not hasattr(namespace, function):
        raise SceneLensError(
            f"{path} has no function {function!r}; {close_names(function, vars(namespace))}."
        )
    module = getattr(namespace, function)()
    if not isinstance(module, nn.Module):
        raise SceneLensError(f"{factory} returned {type(module).__name__}, not a torch module.")
    return module.eval()
