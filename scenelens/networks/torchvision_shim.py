"""Lets torchvision be imported where its compiled operators cannot load. Take torchvision from here.

A CPU build of torch beside the wheel of torchvision from the Python index is a common pair, and its compiled
library does not load. torchvision then dies on import, because it registers a shape rule for
``torchvision::nms``, an operator that nobody has declared. Declaring the two schemas is enough: models,
transforms and weights work; only the detection operators themselves stay missing, and scenelens uses none.
Where torchvision is whole, nothing is done.

>>> from scenelens.networks import torchvision
>>> hasattr(torchvision.models, "squeezenet1_1")
True
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import torch

SCHEMAS = tuple(
    f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor" for name in ("nms", "qnms")
)

#: Declarations stay alive as long as their Library object does.
_library: torch.library.Library | None = None


def _compiled_operators_load() -> bool:
    """Whether torchvision's compiled library can be loaded beside this torch (this does load it)."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return True  # no torchvision: nothing to mend, and its own import error says so best
    folder = Path(next(iter(spec.submodule_search_locations)))
    libraries = [file for end in ("so", "pyd", "dylib") for file in folder.glob(f"_C.{end}")]
    libraries = libraries or list(folder.glob("_C*.so")) + list(folder.glob("_C*.pyd"))
    try:
        for library in libraries:
            torch.ops.load_library(str(library))
    except (OSError, RuntimeError):
        return False
    return hasattr(torch.ops.torchvision, "nms")


def declare_missing_operators() -> bool:
    """Declare ``torchvision::nms`` and ``torchvision::qnms`` unless they exist; True where that was
    needed."""
    global _library
    if "torchvision" in sys.modules or _compiled_operators_load():
        return False
    library = torch.library.Library("torchvision", "DEF")
    for schema in SCHEMAS:
        library.define(schema)
    _library = library
    return True


mended = declare_missing_operators()

import torchvision  # noqa: E402, F401  (not at the top: only now can it be imported)
