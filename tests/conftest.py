"""How the tests are run: in which order, in an environment of their own, with little waste."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

import pytest

#: Files and folders that take longest, which start first: then two processes end at about the same time. The
#: first one compiles SceneWorld's renderer where that was not done yet; no other should do it meanwhile.
LONGEST = (
    "scenelens/sceneworld/scenes.py",
    "tests/browser",
    "tests/matrix",
    "tests/sceneworld/test_worlds.py",
)
#: A folder whose tests run in one process, because they share a browser and a server.
TOGETHER = "tests/browser"
#: A file whose tests are shared out one by one, because each takes as long as a usual file.
APART = "tests/matrix/test_notebooks.py"


def pytest_configure(config: pytest.Config) -> None:
    """Load the fixtures, and with them torch, but not where other processes run the tests."""
    if config.getoption("dist", "no") == "no" or hasattr(config, "workerinput"):
        # jsonschema, which reads notebooks, would take a second to build grammars for a format of addresses.
        sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
        config.pluginmanager.import_plugin("tests.fixtures")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    items.sort(key=lambda item: _place(item.nodeid))


def _place(nodeid: str) -> int:
    """The place of a test among the longest; the others come after these, in their own order."""
    found = (place for place, name in enumerate(LONGEST) if nodeid.startswith((f"{name}/", f"{name}::")))
    return next(found, len(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share the tests out by files, where several processes run them; see `TOGETHER` and `APART`."""
    from xdist.scheduler import LoadFileScheduling

    class Shared(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith(f"{TOGETHER}/"):
                return TOGETHER
            return nodeid if nodeid.startswith(f"{APART}::") else super()._split_scope(nodeid)

    return Shared(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """What was imported stays. Looking through it for garbage again and again took a tenth of all time."""
    _free_and_freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """What a file of tests or a whole study leaves in circles is freed: it may hold large arrays."""
    if nextitem is None or nextitem.path != item.path or "matrix" in item.path.parts:
        if "ipywidgets" in sys.modules:
            sys.modules["ipywidgets"].Widget.close_all()  # otherwise it keeps all widgets, and what they show
        _free_and_freeze()


def _free_and_freeze() -> None:
    """Free what nobody holds, and do not look at the rest again: most of it stays to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No variable or setting of the person who runs the tests may choose a study or a cache for them."""
    for name in ("SCENELENS_STUDY", "SCENELENS_CACHE", "SCENELENS_DATA", "SCENELENS_HOME", "SCENELENS_TRUST"):
        # Not by `monkeypatch`: its `undo` would bring back what a command in an earlier test has set.
        os.environ.pop(name, None)
    monkeypatch.setenv("SCENELENS_CONFIG", str(tmp_path_factory.getbasetemp() / "no settings"))
