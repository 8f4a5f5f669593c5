# ruff: noqa: E402, F401
"""Imports what notebooks need, once: the process that imports this file is copied for each kernel.

Nothing else imports it (see `kernels`). It loads every public name of the package, and with them torch,
pandas, matplotlib and the others. A room that cannot be imported is left out: the notebook that needs it will
say why.
"""

import os

_BEFORE = dict(os.environ)  # before libraries write into it

import contextlib
import gc
import importlib
import types

import ipykernel.ipkernel
import ipywidgets
import matplotlib.backends.backend_agg
import sklearn.linear_model  # the package imports these three where they are used
import sklearn.model_selection
import sklearn.svm


def _load(door: types.ModuleType) -> None:
    """Load all that a lazy module offers, and what the modules among it offer."""
    for name in dir(door):
        found = None
        with contextlib.suppress(Exception):
            found = getattr(door, name)
        if isinstance(found, types.ModuleType) and found.__name__ == f"{door.__name__}.{name}":
            _load(found)


# By its name: the rooms above this one are not what this one is built on.
_load(importlib.import_module("scenelens"))
#: What libraries write into the environment when they are imported.
ENVIRONMENT = {name: value for name, value in os.environ.items() if _BEFORE.get(name) != value}
gc.collect()
gc.freeze()  # collections in a copy leave these objects alone, so that copies go on sharing their memory
