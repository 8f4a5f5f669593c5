"""Where things lie, in a checkout and from a wheel, and how the commands are called there."""

import ast
import os
import re
import shlex
import sys
from pathlib import Path

import platformdirs
import pytest

from scenelens import installation
from scenelens.installation import HERE, Installation
from tests.requirements_gate import ROOT


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("SCENELENS_HOME", "SCENELENS_DATA", "SCENELENS_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def wheel(tmp_path):
    """A package as a wheel installs it."""
    (tmp_path / "site-packages/scenelens/data/studies").mkdir(parents=True)
    return Installation(tmp_path / "site-packages/scenelens")


@pytest.fixture
def checkout(tmp_path):
    """A package in a clone of the repository."""
    folder = tmp_path / "check out"
    (folder / "scenelens").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    return Installation(folder / "scenelens")


def user(kind):
    return getattr(platformdirs, f"user_{kind}_path")("scenelens", appauthor=False)


def test_a_checkout_has_everything_below_its_root(checkout):
    root = checkout.package.parent
    assert HERE.is_checkout
    assert HERE.root == ROOT
    assert checkout.is_checkout
    assert checkout.writes_data
    assert checkout.data == root / "data"
    assert checkout.notebooks == root / "notebooks"
    assert checkout.build == root / "build"
    assert checkout.answers == root / "answers"
    assert checkout.published == root / "data" / "published"


def test_a_wheel_writes_to_the_users_folders(wheel):
    assert not wheel.is_checkout
    assert not wheel.writes_data
    assert wheel.data == wheel.package / "data"
    assert wheel.notebooks == wheel.package / "notebooks"
    assert wheel.build == user("cache")
    assert wheel.answers == user("data") / "answers"
    assert wheel.published == wheel.package / "data" / "published"
    assert wheel.settings == user("config")


def test_a_pyproject_beside_a_wheel_makes_no_checkout(wheel):
    (wheel.package.parent / "pyproject.toml").touch()
    assert not wheel.is_checkout


@pytest.mark.parametrize("where", ["wheel", "checkout"])
def test_one_variable_moves_all_that_is_written(request, monkeypatch, tmp_path, where):
    here = request.getfixturevalue(where)
    data = here.data
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCENELENS_HOME", "my home")  # absolute, because notebooks run in another folder
    home = tmp_path / "my home"
    assert (here.build, here.answers) == (home / "build", home / "answers")
    assert here.settings == home / "settings"
    assert here.data == data


def test_a_folder_of_data_has_the_rest_beside_it(wheel, monkeypatch, tmp_path):
    monkeypatch.setenv("SCENELENS_DATA", str(tmp_path / "other/data"))
    assert wheel.writes_data
    assert (wheel.build, wheel.answers) == (tmp_path / "other/build", tmp_path / "other/answers")
    assert wheel.published == wheel.package / "data" / "published"  # what came along


@pytest.mark.parametrize("given", [None, "elsewhere"])
def test_a_wheel_keeps_compiled_code_with_its_caches(wheel, checkout, monkeypatch, given):
    monkeypatch.setenv("NUMBA_CACHE_DIR", given or "")
    if given is None:
        monkeypatch.delenv("NUMBA_CACHE_DIR")
    checkout.place_compiled_code()
    assert os.environ.get("NUMBA_CACHE_DIR") == given
    wheel.place_compiled_code()
    assert os.environ["NUMBA_CACHE_DIR"] == (given or str(wheel.build / "compiled"))


# ---- how commands are called


def test_a_checkout_says_make(checkout, monkeypatch):
    monkeypatch.setattr(installation.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert checkout.call("atlas") == "make atlas"
    assert checkout.call("workbook", study="my study.toml") == "make workbook 'STUDY=my study.toml'"


@pytest.mark.parametrize("where", ["wheel", "checkout"])
def test_without_make_the_command_is_named(request, monkeypatch, where, tmp_path):
    here = request.getfixturevalue(where)
    python = tmp_path / "bin" / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    found = {"scenelens": str(python.with_name("scenelens"))}
    monkeypatch.setattr(installation.shutil, "which", found.get)
    assert here.call("atlas") == "scenelens atlas"
    assert here.call("lab", study="my study.toml") == "scenelens lab --study 'my study.toml'"
    found.clear()
    assert here.call("atlas") == f"{python} -m scenelens atlas"


def test_what_make_does_not_offer_is_called_by_the_checkouts_python(checkout, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(checkout.root / ".venv"))
    monkeypatch.setattr(sys, "executable", str(checkout.root / ".venv/bin/python"))
    assert checkout.call("caches", "list") == ".venv/bin/python -m scenelens caches list"
    assert checkout.install("timm") == ".venv/bin/python -m pip install -c constraints.txt -e '.[timm]'"


def test_the_line_for_an_extra_fits_a_wheel(wheel):
    assert wheel.install("timm") == f"{shlex.quote(sys.executable)} -m pip install 'scenelens[timm]'"


def sentences(tree):
    """The texts of a module that are no docstrings."""
    said = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    bodies = [
        node.body[0] for node in ast.walk(tree) if isinstance(getattr(node, "body", None), list) and node.body
    ]
    docstrings = {id(one.value) for one in bodies if isinstance(one, ast.Expr)}
    return [node.value for node in said if id(node) not in docstrings]


def test_sentences_ask_how_commands_are_called():
    only_here = re.compile(r"make (atlas|lab|workbook|train)\b|python -m scenelens|\.venv/")
    found = {
        f"{path.relative_to(HERE.package)}: {text}"
        for path in HERE.package.rglob("*.py")
        for text in sentences(ast.parse(path.read_text(encoding="utf-8")))
        if only_here.search(text)
    }
    # In the card of the networks, how they were made.
    commands = ("make train", "make train ARGS=--long")
    assert found == {f"sceneworld/training.py: {command}" for command in commands}


def test_paths_of_shipped_studies_follow_the_installation(monkeypatch, tmp_path):
    from scenelens.studies import StudyFile

    monkeypatch.setenv("SCENELENS_HOME", str(tmp_path))
    study = StudyFile.read(StudyFile.find("sceneworld"))
    assert study.resolve(study.data["generator"]["root"]) == (tmp_path / "build/sceneworld").resolve()
    assert study.resolve("elsewhere") == Path(study.path.parent, "elsewhere").resolve()
