"""`make` hands a study's path and the words of ARGS on to the command `scenelens`, as they are."""

import os
import shutil
import subprocess

import pytest

from tests.hostile_paths import PATHS
from tests.requirements_gate import ROOT


@pytest.fixture
def checkout(tmp_path):
    """A folder with the Makefile, and a Python that only says how it was called."""
    folder = tmp_path / """check out's 50%25 "[m*i?n!e]" #1 q=a&b;c é {x} $HOME `id` <b> a\\b"""
    (folder / ".venv/bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    python = folder / ".venv/bin/python"
    python.write_text('#!/bin/bash\nprintf "%s\\n" "$SCENELENS_STUDY" "$@" ---\n')
    python.chmod(0o755)
    for stamp in ("scenelens-ready", "scenelens-dev-ready"):
        (folder / ".venv" / stamp).touch()
    return folder


def make(checkout, *words, **variables):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SCENELENS_", "MAKE"))}
    command = ["make", "--no-print-directory", "-s", *words]
    done = subprocess.run(
        command, cwd=checkout, env=env | variables, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [call.splitlines() for call in done.stdout.split("---\n") if call], done.stderr


@pytest.mark.parametrize("path", [*PATHS, "sceneworld", ""])
@pytest.mark.parametrize("target", ["workbook", "lab", "atlas"])
def test_any_path_of_a_study_reaches_the_commands(checkout, target, path):
    for words, variables in ([f"STUDY={path}"], {}), ([], {"SCENELENS_STUDY": path}):
        calls, _ = make(checkout, target, *words, **variables)
        assert {call[0] for call in calls} == {path}
        assert [call[3] for call in calls] == (["atlas", "retention"] if target == "atlas" else [target])


def test_words_are_handed_on(checkout):
    calls, _ = make(checkout, "atlas", "ARGS=--minutes 30")
    assert calls[0][1:] == ["-m", "scenelens", "atlas", "--minutes", "30"]
    assert make(checkout, "train", "ARGS=scene --epochs 2")[0][0][3:] == ["train", "scene", "--epochs", "2"]


def test_trust_is_handed_on(checkout):
    for target in ("workbook", "atlas"):
        assert all(call[-1] == "--trust" for call in make(checkout, target, "TRUST=1")[0])
        assert not any("--trust" in call for call in make(checkout, target)[0])


def test_readers_do_not_wait_for_what_tests_need(checkout):
    for stamp in (".venv/scenelens-ready", ".venv/scenelens-dev-ready"):
        (checkout / stamp).unlink()
    (checkout / ".venv/bin/pip").write_text("")
    (checkout / ".venv/bin/pip").chmod(0o755)
    installed, _ = make(checkout, "workbook")
    assert not any(".[dev]" in word for call in installed for word in call)
    checks, _ = make(checkout, "bench")
    assert [call[-1] for call in checks] == [".[dev]", "bench"]


def test_python_may_lie_in_a_folder_with_spaces(checkout, tmp_path):
    (checkout / ".venv/scenelens-ready").unlink()
    python = tmp_path / "Program Files" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/bash\nprintf "%s " "$@" > .venv/made\n')
    python.chmod(0o755)
    make(checkout, "lab", f"PYTHON={python}")
    assert (checkout / ".venv/made").read_text() == "-m venv .venv "
