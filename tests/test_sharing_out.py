"""How tests are shared out among processes: the longest first, a browser's together, long ones one by one."""

import ast

from tests.conftest import APART, LONGEST, TOGETHER, _place
from tests.requirements_gate import ROOT


def test_the_named_files_and_folders_exist():
    assert all((ROOT / name).exists() for name in (*LONGEST, TOGETHER, APART))


def test_the_longest_come_first_in_their_order():
    ids = ["tests/test_a.py::b", f"{APART}::c[x::y]", "tests/browser/test_kit.py::d", f"{LONGEST[0]}::e"]
    assert sorted(ids, key=_place) == ids[::-1]
    assert _place("tests/browser_of_units.py::f") == len(LONGEST)


def test_nobody_outside_starts_a_browser():
    """Its loop would stay in a process that runs other tests: see tests/browser/conftest.py."""
    for path in (ROOT / "tests").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {one.module for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)}
        assert "playwright.sync_api" not in names or TOGETHER in path.as_posix(), path
