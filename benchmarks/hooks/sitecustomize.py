"""Python loads this module first in every process of `benchmarks.workbook`: it notes the stages.

The stages are functions of scenelens, named in the environment variable SCENELENS_STAGES. Each is wrapped
when its module is imported, so scenelens itself has no line for being measured. Compilations by numba are
noted in every process, with the processor time of the thread that compiled.
"""

from __future__ import annotations

import functools
import importlib.machinery
import inspect
import json
import os
import sys
import time

_LOG = os.environ.get("SCENELENS_STAGE_LOG", "")
# Only commands of scenelens have stages. Other processes, such as kernels, call the same functions for
# results that exist by then.
_IS_COMMAND = sys.orig_argv[1:2] == ["-m"] and sys.orig_argv[2].startswith("scenelens")
_STAGES = json.loads(os.environ.get("SCENELENS_STAGES", "[]")) if _IS_COMMAND else []
_PROCESS = os.getpid()


def _note(**row) -> None:
    line = json.dumps({"process": os.getpid(), **row}) + "\n"
    with open(_LOG, "a") as file:  # one short write, so that lines of several processes do not mix
        file.write(line)


def _staged(function, stage: str):
    """The function, which notes when it begins and ends; {names} in `stage` are its arguments."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        if os.getpid() != _PROCESS:  # a forked process has this module, too
            return function(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        begin = time.monotonic()
        try:
            return function(*args, **kwargs)
        finally:
            _note(kind="stage", name=stage.format(**bound.arguments), begin=begin, end=time.monotonic())

    return wrapped


def _wrap_stages(module) -> None:
    for name, path, stage in _STAGES:
        if name == module.__name__:
            *owners, last = path.split(".")
            owner = functools.reduce(getattr, owners, module)
            found = inspect.getattr_static(owner, last)
            kind = type(found) if isinstance(found, (classmethod, staticmethod)) else None
            wrapped = _staged(found.__func__ if kind else found, stage)
            setattr(owner, last, kind(wrapped) if kind else wrapped)
            _note(kind="hook", name=stage)


def _listen_to_numba(events) -> None:
    class Compilations(events.Listener):
        begun: list[float] = []

        def on_start(self, event) -> None:
            self.begun.append(time.thread_time())

        def on_end(self, event) -> None:
            spent = time.thread_time() - self.begun.pop()
            function = event.data["dispatcher"].py_func
            _note(kind="kernel", name=f"{function.__module__}.{function.__qualname__}", seconds=spent,
                  inner=len(self.begun), end=time.monotonic())  # fmt: skip

    events.register("numba:compile", Compilations())


class _Finder:
    """Finds modules as Python does, and looks at those that are measured once they are loaded."""

    def find_spec(self, name, path=None, target=None):
        if name != "numba.core.event" and all(name != stage[0] for stage in _STAGES):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module) -> None:
            execute(module)
            _listen_to_numba(module) if name == "numba.core.event" else _wrap_stages(module)

        spec.loader.exec_module = exec_module
        return spec


if _LOG and _IS_COMMAND:
    _note(kind="start", begin=time.monotonic())
if _LOG:
    sys.meta_path.insert(0, _Finder())
