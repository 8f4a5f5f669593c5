"""Imports torchvision also where its compiled operators cannot load. Take torchvision from here.

A CPU build of torch together with torchvision's wheel from the Python index is a common pair, and then
torchvision's compiled library does not load. The import of torchvision fails, because it registers a shape
rule for ``torchvision::nms``, an operator that does not exist. It is enough to declare the two operators:
models, transforms and weights work. Only the detection operators themselves are missing, and scenelens uses
none of them. Where torchvision's library loads, nothing is changed.

>>> hasattr(load_torchvision().models, "squeezenet1_1")
True
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import torch

_SCHEMAS = tuple(
    f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor" for name in ("nms", "qnms")
)

# Declarations exist only as long as their Library object does.
_library: torch.library.Library | None = None


def load_torchvision() -> ModuleType:
    """Import torchvision, after declaring its operators where its compiled library does not load.

    It is a function and not an import at the top, because torchvision takes a second to import and most
    networks do without it.

    Returns
    -------
    module
        torchvision.
    """
    _declare_missing_operators()
    return importlib.import_module("torchvision")


def _declare_missing_operators() -> None:
    """Declare ``torchvision::nms`` and ``torchvision::qnms`` unless torchvision itself does so."""
    global _library
    if "torchvision" in sys.modules or _compiled_operators_load():
        return
    _library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        _library.define(schema)


def _compiled_operators_load() -> bool:
    """Load torchvision's compiled library, and say whether that worked with this torch."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return True  # torchvision is not installed: its own import error says so best
    folder = Path(next(iter(spec.submodule_search_locations)))
    libraries = [file for end in ("so", "pyd", "dylib") for file in folder.glob(f"_C.{end}")]
    libraries = libraries or list(folder.glob("_C*.so")) + list(folder.glob("_C*.pyd"))
    try:
        for library in libraries:
            torch.ops.load_library(str(library))
    except (OSError, RuntimeError):
        return False
    return hasattr(torch.ops.torchvision, "nms")
