"""scenelens: see object detectors emerge inside scene networks.

The helper package of the workbook on *Object Detectors Emerge in Deep Scene CNNs* (Zhou, Khosla, Lapedriza,
Oliva, Torralba; ICLR 2015). A notebook writes ``import scenelens as sl`` and calls one function with a name
the paper uses. Importing is cheap: torch and its kin are loaded when the first name that needs them is used.

>>> import scenelens as sl
>>> sl.SceneLensError.__mro__[1]
<class 'ValueError'>
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from scenelens.errors import SceneLensError

__version__ = "0.1.0"

#: Public name -> the module it lives in. Loaded on first use.
_HOMES = {
    "open_study": "studies",
    "Study": "studies",
    "Network": "networks",
    "Preprocessing": "networks",
    "CaffeNet": "caffenet",
    "fold_batch_norm": "caffenet",
    "record": "hooks",
    "ActivationIndex": "index",
    "theoretical_rf": "receptive_fields",
    "estimate_rf": "receptive_fields",
    "discrepancy_map": "occlusion",
    "segment_unit": "unit_segmentation",
    "segment_image": "segmentation",
    "regions_from_annotation": "segmentation",
    "Regions": "regions",
    "minimal_image": "minimal_images",
    "CutImage": "cut_image",
    "retention": "survival",
    "localize": "localization",
    "Localizer": "localization",
    "read_amt": "released_labels",
    "read_netdissect": "released_labels",
    "unit_types": "labels",
    "object_frequency": "frequency",
    "informative_objects": "informativeness",
    "unit_counts": "emergence",
    "correlations": "emergence",
    "parse_annotation": "sun",
    "rasterise": "sun",
}

__all__ = ["SceneLensError", "__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(importlib.import_module(f"scenelens.{_HOMES[name]}"), name)
        globals()[name] = value  # so that the next use is a plain look-up
        return value
    if not name.startswith("_") and importlib.util.find_spec(f"scenelens.{name}") is not None:
        return importlib.import_module(f"scenelens.{name}")
    raise AttributeError(f"scenelens has no {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOMES))
