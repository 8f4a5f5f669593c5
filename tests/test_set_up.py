"""What the README promises: its commands exist, its example is Python, and every dependency is pinned."""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from types import ModuleType

import pytest
import yaml

import scenelens as sl
from tests.requirements_gate import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def fenced(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def names(requirements: list[str]) -> set[str]:
    found = (re.match(r"[\w-]+", line) for line in requirements)
    return {match[0].lower().replace("_", "-") for match in found if match}


def test_every_command_of_the_readme_is_a_verb_of_the_makefile():
    promised = set(re.findall(r"\bmake ([a-z-]+)", README)) - {"beforehand"}
    verbs = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
    assert {"workbook", "lab", "test"} <= promised <= verbs


def test_no_verb_hides_a_failure():
    recipes = [line for line in MAKEFILE.splitlines() if line.startswith("\t")]
    assert not [line for line in recipes if line.startswith("\t-") or "|| true" in line]
    assert "-euo pipefail" in MAKEFILE


@pytest.mark.parametrize("example", fenced("python"))
def test_the_readmes_example_is_python(example):
    ast.parse(example)


@pytest.mark.parametrize("example", fenced("toml"))
def test_the_readmes_study_is_a_study(example, tmp_path):
    from scenelens.studies.study_file import StudyFile

    (tmp_path / "my_study.toml").write_text(example)
    assert set(StudyFile.read(tmp_path / "my_study.toml").data["networks"]) == {"scene", "object"}


def test_every_declared_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    declared = [*project["dependencies"], *(line for extra in extras for line in extra)]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in pins if line and not line.startswith("#")]
    assert names(declared) - {"scenelens"} <= names(pinned)
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pinned)


def test_conda_gets_what_make_installs():
    packages = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    by_pip = next(entry["pip"] for entry in packages if isinstance(entry, dict))
    torch_pin = re.search(r"^torch==.*$", (ROOT / "constraints.txt").read_text("utf-8"), flags=re.MULTILINE)
    assert by_pip == [torch_pin[0], "-c constraints.txt", "-e ."]
    assert "-c constraints.txt -e .\n" in MAKEFILE
    assert "-c constraints.txt -e '.[dev]'\n" in MAKEFILE


def test_every_name_of_the_readmes_table_exists():
    offered = README.partition("## What `sl` offers")[2].partition("\n## ")[0]
    rows = [line for line in offered.splitlines() if line.startswith("| ") and "`sl." in line]
    assert len(rows) >= 12
    for row in rows:
        room = sl
        for name in re.findall(r"`([\w.]+)(?:\([^`]*)?`", row):
            if name.startswith("sl."):
                value = functools.reduce(getattr, name.split(".")[1:], sl)
                room = value if isinstance(value, ModuleType) else room
            elif name.startswith("."):  # a method of the world that the row makes
                assert hasattr(sl.sceneworld.SceneWorld, name[1:]), name
            elif not name.endswith("..."):  # which stands for several
                assert hasattr(room, name), f"{name} of {room.__name__}"
