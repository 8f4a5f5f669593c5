"""The command `scenelens`: its help, its errors, its exit status, and what it calls."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scenelens import __main__ as command
from scenelens.errors import SceneLensError
from tests.hostile_paths import PATHS
from tests.requirements_gate import ROOT

HEAVY = {"torch", "numpy", "pandas", "matplotlib", "numba", "IPython", "jupyterlab", "nbconvert"}


@pytest.fixture
def called(monkeypatch):
    """The functions of commands, replaced: a list of (function, words)."""
    calls = []

    def loaded(function):
        return lambda words: calls.append((function, words)) or 0

    monkeypatch.setattr(command, "_loaded", loaded)
    monkeypatch.setenv("SCENELENS_STUDY", "")
    return calls


@pytest.mark.parametrize(
    "words", [["--help"], [], ["--version"], ["notebooks", "--help"], ["data", "--help"]]
)
def test_help_loads_no_heavy_library(words):
    code = (
        "import sys; from scenelens.__main__ import _main\n"
        f"try: _main({words!r})\nexcept SystemExit: pass\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_every_command(capsys):
    assert command._main([]) == 2
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in command._COMMANDS)
    assert "scenelens new-study my_study.toml" in shown


def test_an_unknown_command_is_one_sentence(capsys):
    assert command._main(["workbok"]) == 2
    said = capsys.readouterr().err
    assert said == "scenelens: there is no command 'workbok'; close names: workbook.\n"


def test_a_command_of_the_checkout_is_not_offered_elsewhere(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "HERE", command.HERE.__class__(tmp_path / "scenelens"))
    assert command._main(["bench"]) == 2
    assert command._main([]) == 2
    assert "other libraries" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "function", "given"),
    [
        (["atlas", "--minutes", "3"], "prepare:main", ["atlas", "--minutes", "3"]),
        (["prepare"], "prepare:main", ["study"]),
        (["trust", "--study", "x.toml"], "prepare:main", ["trust", "--study", "x.toml"]),
        (["caches", "verify", "build"], "caches:_main", ["verify", "build"]),
        (["new-study", "x.toml"], "new_study:begin_study", ["x.toml"]),
        (["train", "scene"], "sceneworld.training:main", ["scene"]),
    ],
)
def test_words_reach_the_function(called, words, function, given):
    assert command._main(words) == 0
    assert called == [(function, given)]


@pytest.mark.parametrize("name", [name for name in command._COMMANDS if name != "bench"])
def test_every_function_exists_and_knows_its_help(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        command._main([name, "--help"])
    assert stopped.value.code == 0
    assert f"usage: scenelens {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (SceneLensError("no study named 'x'."), 2, "atlas: no study named 'x'.\n"),
        (KeyboardInterrupt(), 130, "\natlas: stopped. What was finished is kept.\n"),
    ],
)
def test_an_error_and_an_interruption_are_one_line(monkeypatch, capsys, error, status, said):
    def fails(words):
        raise error

    monkeypatch.setattr(command, "_loaded", lambda function: fails)
    assert command._main(["atlas"]) == status
    assert capsys.readouterr().err == said


def test_an_error_that_a_library_makes_of_an_interruption_is_one(monkeypatch, capsys):
    def fails(words):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("no compiled object yet") from None

    monkeypatch.setattr(command, "_loaded", lambda function: fails)
    monkeypatch.setenv("SCENELENS_STUDY", "")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    try:
        assert command._main(["atlas"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "\natlas: stopped. What was finished is kept.\n"
    monkeypatch.setattr(command, "_loaded", lambda function: lambda words: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # a fault of ours is no interruption
        command._main(["atlas"])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process could answer")
def test_sigterm_ends_what_the_command_has_started(tmp_path):
    """Ctrl-C reaches all processes of a terminal, and SIGTERM the command alone."""
    child = "import os, time; open('pid', 'w').write(f'{os.getpid()} is up'); time.sleep(60)"
    code = f"import sys; from scenelens.__main__ import _run_python; sys.exit(_run_python('-c', {child!r}))"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=env) as one:
        said = tmp_path / "pid"
        while not (said.exists() and "up" in said.read_text()):
            assert one.poll() is None
            time.sleep(0.02)
        started = int(said.read_text().split()[0])
        one.terminate()
        assert one.wait(60) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(started, 0)


def test_a_reader_that_leaves_is_no_error():
    code = "import sys; from scenelens.__main__ import _main; sys.exit(_main(['data']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as one:
        one.stdout.close()
        assert one.wait(60) == 141
        assert one.stderr.read() == ""


# ---- a study's path


@pytest.mark.parametrize("path", PATHS)
def test_any_path_of_a_study_starts_from_this_folder(monkeypatch, tmp_path, path):
    monkeypatch.chdir(tmp_path)
    for given in (path, None):
        monkeypatch.setenv("SCENELENS_STUDY", "" if given else path)
        command._name_study(given)
        assert os.environ["SCENELENS_STUDY"] == str(tmp_path / path)


def test_a_name_stays_a_name_and_a_folder_with_a_study_is_a_path(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("sceneworld").mkdir()
    Path("mine/study.toml").touch()
    for given, means in (("sceneworld", "sceneworld"), ("mine", str(tmp_path / "mine")), ("~/x", "~/x")):
        command._name_study(given)
        assert os.environ["SCENELENS_STUDY"] == means
    monkeypatch.setenv("SCENELENS_STUDY", "")
    command._name_study(None)
    assert os.environ["SCENELENS_STUDY"] == ""


# ---- JupyterLab


@pytest.mark.parametrize(("uid", "warned"), [(0, True), (1000, False)])
def test_root_is_warned(monkeypatch, capsys, uid, warned):
    started = []
    monkeypatch.setattr(
        command.runpy, "run_module", lambda name, **more: started.append((name, *sys.argv[1:]))
    )
    monkeypatch.setattr(command.os, "getuid", lambda: uid, raising=False)
    monkeypatch.setenv("SCENELENS_STUDY", "")
    monkeypatch.setattr(sys, "argv", [])
    assert command._main(["lab", "--port", "9999", "--study", "sceneworld", "--no-browser"]) == 0
    ((name, notebook, *others),) = started
    assert (name, *others[:3]) == ("jupyterlab", "--port", "9999", "--no-browser")
    assert Path(notebook) == ROOT / "notebooks" / "00_start_here.ipynb"
    assert ("--allow-root" in others) == ("Warning: you are root" in capsys.readouterr().err) == warned
    assert os.environ["SCENELENS_STUDY"] == "sceneworld"


def test_a_notebook_or_folder_can_be_named(monkeypatch, tmp_path, capsys):
    started = []
    monkeypatch.setattr(command.runpy, "run_module", lambda name, **more: started.append(sys.argv[1:]))
    monkeypatch.setattr(command.os, "getuid", lambda: 1000, raising=False)
    monkeypatch.setattr(sys, "argv", [])
    assert command._main(["lab", str(tmp_path), "--port", "9999"]) == 0
    assert started == [[str(tmp_path), "--port", "9999"]]
    assert command._main(["lab", str(tmp_path / "none.ipynb")]) == 2
    assert "there is no notebook or folder" in capsys.readouterr().err


# ---- files


def test_where_files_are_is_said(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SCENELENS_HOME", str(tmp_path / "my home"))
    (tmp_path / "my home/answers").mkdir(parents=True)
    (tmp_path / "my home/answers/a.db").write_bytes(bytes(2_000_000))
    assert command._main(["data"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"answers         2.0 MB  {tmp_path / 'my home/answers'}" in lines
    assert len(lines) == 7
