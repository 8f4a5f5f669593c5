"""A study's own code runs only where its reader has said so."""

import hashlib
import io
import json
import os
import py_compile
import shutil
import site
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from scenelens import prepare
from scenelens.errors import SceneLensError
from scenelens.studies import trust
from scenelens.studies.study import open_study
from scenelens.studies.study_file import StudyFile
from scenelens.studies.trust import StudyTrust
from scenelens.workbook import __main__ as workbook
from scenelens.workbook.running import Run
from tests.tiny_study import write_tiny_study

CODE = """
from pathlib import Path
Path({ran!r}).write_text("ran")
from scenelens.networks import CaffeNet
def build():
    return CaffeNet(3, width=1 / 8, fc=16)
"""


@pytest.fixture(autouse=True)
def _own_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("SCENELENS_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setenv("SCENELENS_TRUST", "")


@pytest.fixture
def ran(tmp_path):
    """The file that the study's code writes when it runs."""
    return tmp_path / "ran"


@pytest.fixture
def path(tmp_path, ran):
    return with_factory(tmp_path / "study", ran)


def with_factory(folder, ran, factory="net.py:build"):
    path = write_tiny_study(folder, per_category=1)
    (folder / "net.py").write_text(CODE.format(ran=str(ran)))
    set_factory(path, factory)
    return path


def set_factory(path, factory):
    text = path.read_text()
    start, end = text.index("[networks.scene]\n") + len("[networks.scene]\n"), text.index("[networks.object]")
    path.write_text(text[:start] + f"factory = {json.dumps(factory)}\n\n" + text[end:])


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_opening_runs_no_code_and_without_a_terminal_the_answer_is_no(path, ran):
    study = open_study(path)
    assert list(study.networks) == ["scene", "object"]
    study.networks["object"]
    with pytest.raises(SceneLensError) as caught:
        study.networks["scene"]
    code = path.parent / "net.py"
    for said in (str(code), digest(code), f"scenelens trust --study {path}"):
        assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not ran.exists()


def test_the_command_in_the_sentence_says_yes_until_the_file_changes(path, ran, capsys):
    assert prepare.main(["trust", "--study", str(path)]) == 0
    assert digest(path.parent / "net.py") in capsys.readouterr().out
    assert not ran.exists()  # a yes does not run the code
    open_study(path).networks["scene"]
    assert ran.read_text() == "ran"
    moved = path.parent.parent / "moved"
    shutil.move(path.parent, moved)
    open_study(moved).networks["scene"]  # the same content elsewhere
    with (moved / "net.py").open("a") as file:
        file.write("# changed\n")
    with pytest.raises(SceneLensError, match="not allowed"):
        open_study(moved).networks["scene"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("answer", "runs"), [("y\n", True), ("yes\n", True), ("\n", False), ("n\n", False), ("", False)]
)
def test_a_terminal_is_asked_once(path, ran, monkeypatch, answer, runs):
    asked = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", asked)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    if not runs:
        with pytest.raises(SceneLensError, match="not allowed"):
            open_study(path).networks["scene"]
    else:
        open_study(path).networks["scene"]
        monkeypatch.setattr(sys, "stdin", Terminal(""))
        open_study(path).networks["scene"]  # remembered
    assert asked.getvalue().count("Run it?") == 1
    assert digest(path.parent / "net.py") in asked.getvalue()
    assert ran.exists() == runs


def test_a_kernel_has_no_terminal(path, ran, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    with pytest.raises(SceneLensError, match="not allowed"):
        open_study(path).networks["scene"]
    assert not ran.exists()


def test_trust_of_a_command_holds_for_the_processes_that_it_starts(path, ran, capsys):
    StudyTrust(StudyFile.read(path)).require(trusted=True)
    assert digest(path.parent / "net.py") in capsys.readouterr().err
    code = f"import scenelens as sl; sl.open_study({str(path)!r}).networks['scene']"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
    assert ran.exists()
    assert not (path.parent.parent / "settings").exists()  # for this time only


@pytest.mark.parametrize("main", [workbook.main, lambda words: prepare.main(["study", *words])])
def test_commands_refuse_in_one_sentence_before_they_begin(path, ran, main, capsys):
    assert main(["--study", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "not allowed" in said
    assert not ran.exists()


@pytest.mark.parametrize("value", ["1", "yes", "all", "*", "0" * 64])
def test_the_variable_takes_hashes_and_no_wholesale_yes(path, ran, monkeypatch, value):
    monkeypatch.setenv("SCENELENS_TRUST", value)
    with pytest.raises(SceneLensError, match="not allowed"):
        open_study(path).networks["scene"]
    assert not ran.exists()


@pytest.mark.parametrize("key", ["trust = true", "[trust]\nyes = true", "[networks.scene]\ntrust = true"])
def test_a_study_cannot_say_yes_for_itself(path, key):
    text = path.read_text()
    path.write_text(text.replace("[networks.scene]", key) if "networks" in key else f"{key}\n{text}")
    with pytest.raises(SceneLensError, match=r"unknown key|cannot be read"):
        open_study(path)


def test_code_outside_of_the_folder_is_refused_at_once(tmp_path, path, ran):
    outside = tmp_path / "outside.py"
    shutil.move(path.parent / "net.py", outside)
    (path.parent / "link.py").symlink_to(outside)
    for factory in (
        "../outside.py:build",
        f"{outside}:build",
        "link.py:build",
        "photos/../../outside.py:build",
    ):
        set_factory(path, factory)
        for use in (open_study, lambda path: StudyTrust(StudyFile.read(path)).remember()):
            with pytest.raises(SceneLensError, match="neither in the study's folder"):
                use(path)
    assert not ran.exists()


@pytest.mark.parametrize(
    "factory", ["os:getcwd", "net:build", "no_such:f", "torch.nothing:f", "a\0.py:f", "../:f", ":f"]
)
def test_only_installed_packages_are_modules(path, monkeypatch, factory):
    monkeypatch.chdir(path.parent)
    monkeypatch.syspath_prepend(str(path.parent))  # so that net.py could be imported
    set_factory(path, factory)
    with pytest.raises(SceneLensError, match=r"factory = "):
        open_study(path)


def test_a_function_of_an_installed_package(path, ran, tmp_path, monkeypatch):
    package = tmp_path / "site" / "nets_of_a_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    shutil.move(path.parent / "net.py", package / "tiny.py")
    monkeypatch.setattr(site, "getusersitepackages", lambda: str(tmp_path / "site"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    set_factory(path, "nets_of_a_package.tiny:build")
    study = open_study(path)
    with pytest.raises(SceneLensError, match="not allowed") as caught:
        study.networks["scene"]
    assert digest(package / "tiny.py") in str(caught.value)
    assert not ran.exists()
    StudyTrust(study.file).remember()
    assert len(study.networks["scene"].classes) == 3


def test_what_was_read_is_what_runs(tmp_path, path, ran):
    """A .pyc that belongs to another source is not used, even if its time and size fit."""
    code = path.parent / "net.py"
    harmless = code.read_text().replace(".write_text", ".exists() or print")
    hostile = harmless.replace('print("ran")', "mkdir(     )")
    assert len(harmless) == len(hostile)
    code.write_text(hostile)
    os.utime(code, (10**9, 10**9))
    py_compile.compile(str(code))
    code.write_text(harmless)
    os.utime(code, (10**9, 10**9))
    StudyTrust(StudyFile.read(path)).remember()
    open_study(path).networks["scene"]
    assert not ran.exists()


@pytest.mark.parametrize(
    "body", ["raise SystemExit(3)", "1 / 0", "def build(:", "import no_such_module", "x = '\0'"]
)
def test_code_that_fails_is_one_sentence(path, body):
    (path.parent / "net.py").write_text(body)
    StudyTrust(StudyFile.read(path)).remember()
    with pytest.raises(SceneLensError, match="failed"):
        open_study(path).networks["scene"]


def test_studies_of_the_checkout_are_trusted_and_others_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(trust, "__file__", str(tmp_path / "checkout/scenelens/studies/trust.py"))
    checkout, ran = tmp_path / "checkout", tmp_path / "ran"
    for place, trusted in [("tests/mine", True), ("elsewhere", False), ("data/studies", True)]:
        path = with_factory(checkout / place, ran)
        (checkout / "pyproject.toml").write_text("")
        if trusted:
            open_study(path).networks["scene"]
        else:
            with pytest.raises(SceneLensError, match="not allowed"):
                open_study(path).networks["scene"]
        assert ran.exists() == trusted
        ran.unlink(missing_ok=True)
    (checkout / "tests" / "linked").symlink_to(checkout / "elsewhere")
    with pytest.raises(SceneLensError, match="not allowed"):
        open_study(checkout / "tests" / "linked").networks["scene"]
    monkeypatch.setenv("SCENELENS_DATA", str(checkout / "elsewhere"))
    with pytest.raises(SceneLensError, match="not allowed"):
        open_study(checkout / "elsewhere").networks["scene"]


def test_studies_of_a_wheel_are_trusted_and_what_lies_beside_it_is_not(tmp_path, monkeypatch):
    package, ran = tmp_path / "site-packages/scenelens", tmp_path / "ran"
    monkeypatch.setattr(trust, "__file__", str(package / "studies/trust.py"))
    path = with_factory(package / "data/studies", ran)
    open_study(path).networks["scene"]
    assert ran.exists()
    ran.unlink()
    (package.parent / "pyproject.toml").write_text("")  # makes no checkout of it
    for place in ("tests/mine", "data/studies"):
        path = with_factory(package.parent / place, ran)
        with pytest.raises(SceneLensError, match="not allowed"):
            open_study(path).networks["scene"]
        assert not ran.exists()


def test_damaged_settings_trust_nothing(path, tmp_path):
    StudyTrust(StudyFile.read(path)).remember()
    settings = tmp_path / "settings/trusted.json"
    for content in ("[]", "{", "null", json.dumps([digest(path.parent / "net.py")])):
        settings.write_text(content)
        with pytest.raises(SceneLensError, match="not allowed"):
            open_study(path).networks["scene"]
    StudyTrust(StudyFile.read(path)).remember()
    open_study(path).networks["scene"]


def test_settings_lie_in_the_readers_own_folder(monkeypatch):
    monkeypatch.delenv("SCENELENS_CONFIG")
    assert trust._settings().name == "trusted.json"
    assert Path.cwd() not in trust._settings().parents


def test_in_a_notebook_the_code_does_not_run_and_the_sentence_says_how(path, ran, tmp_path):
    notebook = nbformat.v4.new_notebook()
    code = f"import scenelens as sl\nsl.open_study({str(path)!r}).networks['scene']"
    notebook.cells = [nbformat.v4.new_code_cell(code)]
    nbformat.write(notebook, tmp_path / "asks.ipynb")
    (problem,) = Run.of(tmp_path / "asks.ipynb").problems
    assert digest(path.parent / "net.py") in problem
    assert f"scenelens trust --study {path}" in problem
    assert not ran.exists()
    StudyTrust(StudyFile.read(path)).remember()
    assert Run.of(tmp_path / "asks.ipynb").problems == []
    assert ran.exists()
