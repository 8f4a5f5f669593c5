"""`make` hands a study's path on as it is, and says what it means to run as root."""

import os
import shutil
import subprocess

import pytest

from tests.requirements_gate import ROOT

PATHS = [
    "my study.toml",
    'it\'s "mine".toml',
    "a$b $(id) `id`.toml",
    "Häuser/日本 é.toml",
    "a;b & c #1.toml",
    "[1]*?.toml",
]


@pytest.fixture
def checkout(tmp_path):
    """A folder with the Makefile, and a Python that only says how it was called."""
    folder = tmp_path / "check out's"
    (folder / ".venv/bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    python = folder / ".venv/bin/python"
    python.write_text('#!/bin/bash\nprintf "%s\\n" "$SCENELENS_STUDY" "$@" ---\n')
    python.chmod(0o755)
    (folder / ".venv/scenelens-ready").touch()
    return folder


def make(checkout, *words, **variables):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SCENELENS_", "MAKE"))}
    command = ["make", "--no-print-directory", "-s", *words]
    done = subprocess.run(
        command, cwd=checkout, env=env | variables, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [call.splitlines() for call in done.stdout.split("---\n") if call], done.stderr


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("target", ["workbook", "lab", "atlas"])
def test_any_path_of_a_study_reaches_the_commands(checkout, target, path):
    (checkout / path).parent.mkdir(exist_ok=True)
    (checkout / path).touch()
    for words, variables in ([f"STUDY={path}"], {}), ([], {"SCENELENS_STUDY": path}):
        calls, _ = make(checkout, target, *words, **variables)
        assert {call[0] for call in calls} == {str(checkout / path)}
        assert target == "lab" or all(call[-2:] == ["--study", str(checkout / path)] for call in calls)
        assert len(calls) == (1 if target == "lab" else 2)


def test_an_absolute_path_and_a_name_stay_as_they_are(checkout, tmp_path):
    for study in (str(tmp_path / "no such.toml"), "sceneworld", ""):
        calls, _ = make(checkout, "atlas", f"STUDY={study}", "ARGS=--minutes 30")
        assert all("--study" in call for call in calls) == bool(study)
        assert [call[0] for call in calls] == [study] * 2
    assert calls[0][1:] == ["-m", "scenelens.prepare", "atlas", "--minutes", "30"]


def test_trust_is_handed_on(checkout):
    for target in ("workbook", "atlas"):
        assert all(call[-1] == "--trust" for call in make(checkout, target, "TRUST=1")[0])
        assert not any("--trust" in call for call in make(checkout, target)[0])


@pytest.mark.parametrize(("uid", "warned"), [("0", True), ("1000", False)])
def test_root_is_warned(checkout, tmp_path, uid, warned):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "id").write_text(f"#!/bin/sh\necho {uid}\n")
    (tools / "id").chmod(0o755)
    calls, said = make(checkout, "lab", PATH=f"{tools}:{os.environ['PATH']}")
    assert ("--allow-root" in calls[0]) == warned
    assert ("Warning: you are root" in said) == warned
