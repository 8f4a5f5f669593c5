"""What Windows and macOS do in another way, tested on Linux: one place at a time."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scenelens import caches, files, installation
from scenelens.caches import cached, read_cached
from scenelens.files import Drafts, file_name, write_whole
from scenelens.installation import Installation
from scenelens.studies import open_study
from tests.hostile_names import HOSTILE, mixtures
from tests.requirements_gate import ROOT
from tests.tiny_study import write_tiny_study
from tests.windows_rules import NO_MODULES, NO_NAMES, illegal, windows_rules

SOURCES = sorted((ROOT / "scenelens").rglob("*.py"))
JSON = {"pack": lambda value: json.dumps(value).encode(), "unpack": json.loads}


# ---- what the code names


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def used_names(node: ast.AST, asked: frozenset[str] = frozenset()) -> Iterator[str]:
    """'os.fork' for each name of a module that is used where nobody asked whether it is there."""
    if isinstance(node, ast.FunctionDef | ast.IfExp | ast.If):
        asked |= {
            f"{call.args[0].id}.{call.args[1].value}"
            for call in ast.walk(node)
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "hasattr"
            if isinstance(call.args[0], ast.Name) and isinstance(call.args[1], ast.Constant)
        }
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        name = f"{node.value.id}.{node.attr}"
        if name not in asked:
            yield name
    if isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{one.name}" for one in node.names)
    for child in ast.iter_child_nodes(node):
        yield from used_names(child, asked)


def imported(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "attr", getattr(node.func, "id", "")), node


def has(call: ast.Call, keyword: str) -> bool:
    return any(one.arg in (keyword, None) for one in call.keywords)


def test_nothing_is_used_that_windows_lacks():
    for path in SOURCES:
        tree = parsed(path)
        assert not imported(tree) & NO_MODULES, path
        assert not set(used_names(tree)) & NO_NAMES, path
        called = {name for name, _ in calls(tree)}
        assert not called & {"symlink_to", "hardlink_to", "lchmod"}, path


def test_the_search_finds_such_names():
    assert {"os.fork"} == set(used_names(ast.parse("os.fork()"))) & NO_NAMES
    assert {"os.kill"} == set(used_names(ast.parse("from os import kill"))) & NO_NAMES
    assert not set(used_names(ast.parse("os.fork() if hasattr(os, 'fork') else 0"))) & NO_NAMES
    assert imported(ast.parse("def f():\n    import fcntl")) & NO_MODULES


def test_no_path_of_one_system_is_written_into_the_code():
    roots = ("/tmp", "/proc", "/dev/", "/etc/", "/usr/", "/var/", "/home/", "C:")
    for path in SOURCES:
        texts = (node.value for node in ast.walk(parsed(path)) if isinstance(node, ast.Constant))
        assert not [text for text in texts if isinstance(text, str) and text.startswith(roots)], path


def test_processes_start_in_a_way_that_the_code_chose():
    """Otherwise it would be another one on each system, and another one since Python 3.14."""
    for path in SOURCES:
        for name, call in calls(parsed(path)):
            if name == "ProcessPoolExecutor":
                assert len(call.args) > 1 or has(call, "mp_context"), path
            if name in ("get_context", "set_start_method"):
                assert call.args, path
                chosen = getattr(call.args[0], "value", None)
                # Copies of a process are for Linux alone.
                assert "fork" not in str(chosen) or 'sys.platform == "linux"' in path.read_text("utf-8"), path


def test_text_has_an_encoding():
    """Where none is given, Windows takes the one of its country."""
    for path in SOURCES:
        lines = [call.lineno for name, call in calls(parsed(path)) if lacks_encoding(name, call)]
        assert not lines, path


def lacks_encoding(name: str, call: ast.Call) -> bool:
    if has(call, "encoding"):
        return False
    plain = isinstance(call.func, ast.Name)
    if name in ("read_text", "write_text"):  # our own read_text is a plain function
        return not plain and len(call.args) < (1 if name == "read_text" else 2)
    if name == "open" and plain:
        mode = call.args[1].value if len(call.args) > 1 and isinstance(call.args[1], ast.Constant) else "r"
        return "b" not in mode
    return name in ("run", "Popen", "check_output") and has(call, "text")


@pytest.mark.parametrize(
    ("code", "lacks"),
    [
        ("path.read_text()", True),
        ("read_text(path)", False),
        ("path.read_text('utf-8')", False),
        ("path.write_text(text)", True),
        ("open(path)", True),
        ("open(path, 'xb')", False),
        ("subprocess.run([], text=True)", True),
    ],
)
def test_the_search_finds_text_without_an_encoding(code, lacks):
    ((name, call),) = calls(ast.parse(code))
    assert lacks_encoding(name, call) == lacks


def test_doors_are_in_ascii():
    """lazy_loader reads them in the encoding of the country on Windows."""
    for path in (ROOT / "scenelens").rglob("*.pyi"):
        assert path.read_bytes().isascii(), path


# ---- files


def test_the_rules_are_held(tmp_path):
    with windows_rules(tmp_path) as refused, open(tmp_path / "a", "wb"):
        with pytest.raises(PermissionError):
            (tmp_path / "a").unlink()
        (tmp_path / "b").mkdir()
        with pytest.raises(PermissionError):
            os.replace(tmp_path / "b", tmp_path / "a")
        for name in ("what?", "aux", "com1.txt", "end.", "end ", "a" * 256):
            with pytest.raises(OSError, match="no such name"):
                (tmp_path / name).mkdir()
    assert len(refused) == 8
    (tmp_path / "aux").mkdir()


@pytest.mark.parametrize(
    "name",
    [
        "con",
        "AUX.txt",
        "aux.x ",
        "COM²",
        "conin$",
        "nul .txt",
        "a:b",
        "why?",
        "end.",
        "end ",
        "a\\b",
        "*",
        "|",
    ],
)
def test_names_become_files_of_windows_too(name, tmp_path):
    assert illegal(name)
    assert not illegal(file_name(name))
    with windows_rules(tmp_path):
        write_whole(tmp_path / file_name(name), b"x")


@pytest.mark.parametrize("before", ["", "aux", "con.", " nul ", "com1.tar"])
def test_no_name_becomes_a_file_that_windows_refuses(before):
    names = [f"{before}{name}" for name in [*HOSTILE, *mixtures(200)]]
    assert not [name for name in names if illegal(file_name(name))]


def test_a_file_that_another_program_reads_for_a_moment_is_replaced(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_whole(path, b"old")
    reader = path.open("rb")
    waited = []
    monkeypatch.setattr(files.time, "sleep", lambda seconds: (waited.append(seconds), reader.close()))
    with windows_rules(tmp_path) as refused:
        write_whole(path, b"new")
    assert (path.read_bytes(), len(waited), len(refused)) == (b"new", 1, 1)


def test_a_file_that_another_program_keeps_open_stays_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_whole(path, b"old")
    monkeypatch.setattr(files.time, "sleep", lambda seconds: None)
    with windows_rules(tmp_path), path.open("rb"), pytest.raises(PermissionError):
        write_whole(path, b"new")
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"old"]


def test_one_thread_computes_a_result_by_the_rules_of_windows(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(caches.tempfile, "tempdir", str(tmp_path / "temporary"))
    made, begun = [], threading.Barrier(4)

    def use(_):
        begun.wait()
        return cached(tmp_path / "a.json", lambda: made.append(1) or [1], **JSON)

    with windows_rules(tmp_path), ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, range(4))) == [[1]] * 4
    assert len(made) == 1


def test_drafts_of_processes_that_run_are_kept_and_others_removed(tmp_path):
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True)
    mine = Drafts.of(tmp_path / "a.json")
    gone = mine.with_name(mine.name.replace(f".{os.getpid()}-", f".{int(ended.stdout)}-"))
    for path in (mine, gone):
        path.write_bytes(b"half")
    with windows_rules(tmp_path) as refused:
        assert read_cached(tmp_path / "a.json", json.loads) is None
    assert list(tmp_path.iterdir()) == [mine]
    assert refused == []


def test_photographs_may_lie_on_two_drives(tmp_path, monkeypatch):
    def two_drives(paths):
        raise ValueError("Paths don't have the same drive")

    study = open_study(write_tiny_study(tmp_path))
    monkeypatch.setattr(os.path, "commonpath", two_drives)
    assert study.images.image.tolist() == [path.as_posix() for path in study.images.path]
    assert study.load_image(study.images.image[0]).shape == (60, 80, 3)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_study_file_of_a_windows_editor_is_read(tmp_path, line_end, encoding):
    path = write_tiny_study(tmp_path)
    text = path.read_text("utf-8").replace("attic", "café")
    path.write_bytes(text.replace("\n", line_end).encode(encoding))
    (tmp_path / "photos/scene/attic").rename(tmp_path / "photos/scene/café")
    assert open_study(path).networks["scene"].classes[0] == "café"


def test_names_are_printed_where_the_console_has_no_such_characters(tmp_path):
    """A file or pipe on Windows takes the country's characters only, and a name of Linux may be no text."""
    for name in ("漢字 é", "half \udcff"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.json").write_bytes(b"")
    for command in (["caches", "list", str(tmp_path)], ["caches", "list", str(tmp_path / "no 漢字")]):
        for encoding in ("cp1252", "ascii", "utf-8"):
            env = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
            words = [sys.executable, "-m", "scenelens", *command]
            done = subprocess.run(words, env=env, capture_output=True, timeout=120)
            assert b"Traceback" not in done.stderr, done.stderr
            assert b"\\u6f22" in done.stdout + done.stderr or encoding == "utf-8"


def test_commands_are_quoted_for_the_shells_of_windows(tmp_path, monkeypatch):
    monkeypatch.setattr(installation.sys, "platform", "win32")
    monkeypatch.setattr(installation.sys, "executable", "C:\\my python\\python.exe")
    here = Installation(tmp_path / "scenelens")
    assert here.call("trust", study="my study.toml").endswith(' -m scenelens trust --study "my study.toml"')
    assert here.install("timm") == '"C:\\my python\\python.exe" -m pip install scenelens[timm]'
