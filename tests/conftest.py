"""How the tests are run: in which order, in an environment of their own, with little waste."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: The files that take longest, which start first: then two processes end at about the same time. The first
#: one compiles SceneWorld's renderer where that was not done yet; no other process should do it meanwhile.
LONGEST = (
    "scenelens/sceneworld/scenes.py",
    "tests/matrix/test_first_half.py",
    "tests/matrix/test_second_half.py",
    "tests/browser/test_hostile_pages.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Load the fixtures, and with them torch, but not where other processes run the tests."""
    if config.getoption("dist", "no") == "no" or hasattr(config, "workerinput"):
        # jsonschema, which reads notebooks, would take a second to build grammars for a format of addresses.
        sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
        config.pluginmanager.import_plugin("tests.fixtures")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    places = {ROOT / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish() -> None:
    """What was imported stays. Looking through it for garbage again and again took a tenth of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """What a file of tests or a whole study leaves in circles is freed: it may hold large arrays."""
    if nextitem is None or nextitem.path != item.path or "matrix" in item.path.parts:
        gc.collect()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No variable or setting of the person who runs the tests may choose a study or a cache for them."""
    for name in ("SCENELENS_STUDY", "SCENELENS_CACHE", "SCENELENS_DATA", "SCENELENS_HOME", "SCENELENS_TRUST"):
        # Not by `monkeypatch`: its `undo` would bring back what a command in an earlier test has set.
        os.environ.pop(name, None)
    monkeypatch.setenv("SCENELENS_CONFIG", str(tmp_path_factory.getbasetemp() / "no settings"))
