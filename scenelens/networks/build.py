"""A Network: a torch module that knows its preprocessing, its class names and its layers, so that callers
need not.

Any torch module works. Most come from a study (`scenelens.open_study`), which names an architecture and a
weights file.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from torch import nn

from scenelens.errors import SceneLensError, close_names
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.torchvision_shim import load_torchvision


def build_module(architecture: str, n_classes: int, **options: Any) -> nn.Module:
    """An architecture by name with fresh weights: 'caffenet' (options width, fc), or any torchvision
    classifier.

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
    extra = {"init_weights": True} if architecture in ("googlenet", "inception_v3") else {}
    if extra:
        extra["aux_logits"] = False
    return models.get_model(architecture, weights=None, num_classes=n_classes, **extra, **options)


def module_from_factory(factory: str, folder: Path) -> nn.Module:
    """The module that a function in a reader's own Python file returns; ``factory`` is
    ``"file.py:function"``.

    This runs that file. A study names a factory only where its author trusts the file as their own code.
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
