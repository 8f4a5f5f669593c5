"""Cache files: verified when read, set aside when damaged, used when they cannot be kept."""

import json
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from scenelens import caches
from scenelens.caches import cached, read_cached
from scenelens.files import ArrayFile, Drafts
from scenelens.installation import HERE
from tests.torture.mutate import DAMAGE, damaged

JSON = {"pack": lambda value: json.dumps(value).encode(), "unpack": json.loads}


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch):
    monkeypatch.setattr(caches, "_SAID", set())
    monkeypatch.setattr(caches, "_NOT_KEPT", set())


def forbidden():
    raise AssertionError("the result was computed again")


def test_a_result_is_computed_once(tmp_path):
    path = tmp_path / "new" / "a.json"
    assert cached(path, lambda: [1, 2], **JSON) == [1, 2]
    assert cached(path, forbidden, **JSON) == [1, 2]
    assert list(path.parent.iterdir()) == [path]  # no draft is left


@pytest.mark.parametrize("content", [b"", b"[1, 2", b"\xff\xfe", b"{}"])
def test_a_damaged_file_is_replaced(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    how = {"pack": JSON["pack"], "unpack": lambda content: json.loads(content)["value"]}
    assert cached(path, lambda: {"value": 3}, **how) == {"value": 3}
    assert cached(path, forbidden, **JSON) == {"value": 3}
    assert path.with_name("a.json.damaged").read_bytes() == content


def test_content_that_makes_no_sense_is_replaced(tmp_path):
    def unpack(content):
        value = json.loads(content)
        if value < 0:
            raise ValueError
        return value

    path = tmp_path / "a.json"
    path.write_bytes(b"-1")
    assert cached(path, lambda: 2, JSON["pack"], unpack) == 2
    assert cached(path, forbidden, JSON["pack"], unpack) == 2


def test_a_result_may_be_false(tmp_path):
    path = tmp_path / "a.json"
    assert cached(path, list, **JSON) == []
    assert cached(path, forbidden, **JSON) == []


def test_without_a_path_nothing_is_written():
    assert cached(None, lambda: 4, pack=forbidden, unpack=forbidden) == 4


def test_an_error_while_computing_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError):
        cached(tmp_path / "a.json", lambda: 1 / 0, **JSON)
    assert not list(tmp_path.iterdir())


def test_a_result_that_cannot_be_kept_is_returned_and_said_once(tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    for name in ("a.json", "b.json"):
        assert cached(tmp_path / "file" / name, lambda: [1], **JSON) == [1]
    said = capsys.readouterr().err
    assert said.count("cannot be kept") == 1
    assert "SCENELENS_CACHE" in said


def test_a_folder_in_the_files_place_counts_as_unreadable(tmp_path):
    assert read_cached(tmp_path, json.loads) is None


def test_pickles_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, about=np.frombuffer(b"1", np.uint8), x=np.array([{}], object))
    assert read_cached(path, ArrayFile.unpack) is None


# ---- checksums


def packed():
    rng = np.random.default_rng(0)
    return {
        "json": (json.dumps([{"object": "lamp", "area": n * 7} for n in range(40)]).encode(), json.loads),
        "npz": (
            ArrayFile.pack({"n": 1}, {"x": rng.random(50, np.float32), "y": np.zeros((3, 4))}),
            ArrayFile.unpack,
        ),
        "text": (b"12", int),
    }


@pytest.mark.parametrize("kind", packed())
@pytest.mark.parametrize("damage", DAMAGE)
def test_no_damage_is_used_without_a_word(tmp_path, kind, damage, capsys):
    content, unpack = packed()[kind]
    whole = caches.sealed(content)
    rng = random.Random(1)
    for n in range(100):
        changed = damaged(whole, rng, damage)
        # The whole content without its checksum is a file of an earlier version; half a number is a number.
        if changed[: len(content)] == content or (kind == "text" and damage == "cut"):
            continue
        path = tmp_path / f"{n}.cache"
        path.write_bytes(changed)
        assert read_cached(path, unpack) is None
        assert capsys.readouterr().err or n
        # What has lost its whole checksum may look like a file of an earlier version, and keeps its name.
        assert path.exists() != path.with_name(f"{n}.cache.damaged").exists()


def test_files_of_earlier_versions_have_no_checksum_and_are_not_used(tmp_path, capsys):
    for kind, (content, unpack) in packed().items():
        (tmp_path / kind).write_bytes(content)
        assert read_cached(tmp_path / kind, unpack) is None
    said = capsys.readouterr().err
    assert said.count("without checksums") == 1  # once for a folder
    assert f"scenelens caches seal {tmp_path}" in said
    path = tmp_path / "text"
    assert cached(path, lambda: 13, lambda n: b"%d" % n, int) == 13
    assert read_cached(path, int) == 13


def test_sealed_files_of_earlier_versions_are_used(tmp_path, capsys):
    for kind, (content, _) in packed().items():
        (tmp_path / f"a.{kind}").write_bytes(content)
    (tmp_path / "half.json").write_bytes(b"[1,")
    (tmp_path / "half.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:-9])
    assert caches._main(["seal", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "half.json: " in said
    assert "half.npz: " in said
    assert "2 files have a checksum now, 2 could not be read" in said
    for kind in ("json", "npz"):
        content, unpack = packed()[kind]
        assert str(read_cached(tmp_path / f"a.{kind}", unpack)) == str(unpack(content))
    assert caches._main(["verify", str(tmp_path)]) == 0
    assert "2 of an earlier version" in capsys.readouterr().out


def test_data_that_come_with_a_study_need_a_checksum_where_the_caller_says_so(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"[1]")
    assert read_cached(path, json.loads, aside=False) == [1]
    assert read_cached(path, json.loads, aside=False, checksum=True) is None
    path.write_bytes(caches.sealed(b"[1]").replace(b"1", b"2"))
    assert read_cached(path, json.loads, aside=False) is None
    assert path.exists()


def test_the_packages_own_results_have_checksums():
    files = [path for path in HERE.data.rglob("*") if path.suffix == ".npz" or path.name == "retention.json"]
    assert len(files) >= 9
    for path in files:
        content = path.read_bytes()
        assert len(caches._unsealed(content)) < len(content), path.name


@pytest.mark.parametrize("error", [KeyError("x"), SyntaxError("x"), ZeroDivisionError(), AssertionError()])
def test_whatever_a_damaged_file_raises_it_is_set_aside(tmp_path, error, capsys):
    def unpack(content):
        raise error

    path = tmp_path / "a.json"
    path.write_bytes(b"{}")
    assert cached(path, lambda: 3, JSON["pack"], unpack) == 3
    assert capsys.readouterr().err.count("is damaged") == 1


def test_a_damaged_file_that_cannot_be_renamed_is_not_used(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_bytes(b"[1")

    def refused(*_):
        raise PermissionError(13, "Read-only file system")

    monkeypatch.setattr(os, "replace", refused)
    assert cached(path, lambda: [1, 2], **JSON) == [1, 2]


# ---- several writers


def test_two_threads_write_one_file(tmp_path):
    path = tmp_path / "a.json"
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda n: caches.keep(path, b"[%d]" % n), range(400)))
    assert read_cached(path, json.loads)[0] in range(400)
    assert list(tmp_path.iterdir()) == [path]


def test_containers_with_one_process_number_write_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: 7)
    drafts = {Drafts.of(tmp_path / "a.json") for _ in range(1000)}
    assert len(drafts) == 1000


def test_one_thread_computes_what_several_need(tmp_path):
    made = []

    def make():
        made.append(1)
        time.sleep(0.1)
        return [1]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: cached(tmp_path / "a.json", make, **JSON), range(4)))
    assert found == [[1]] * 4
    assert len(made) == 1


def test_drafts_of_killed_processes_are_removed(tmp_path, monkeypatch):
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True)
    pid = int(ended.stdout)
    mine, elsewhere = Drafts.of(tmp_path / "a.json"), tmp_path / f".a.json.{pid}-00000000-0123456789ab"
    old = [tmp_path / f".a.json.{pid}", Path(str(mine).replace(f".{os.getpid()}-", f".{pid}-"))]
    others = [mine, elsewhere, tmp_path / ".gitignore", tmp_path / ".notes.2024-05", tmp_path / ".python.3"]
    for path in [*old, *others]:
        path.write_bytes(b"half")
    assert read_cached(tmp_path / "a.json", json.loads) is None
    assert sorted(tmp_path.iterdir()) == sorted(others)


# ---- scenelens caches


def test_the_command_lists_verifies_and_prunes(tmp_path, capsys):
    folder = tmp_path / "minimal"
    caches.keep(folder / "a.json", b"[1]")
    caches.keep(folder / "b.json", b"[2]")
    assert caches._main(["list", str(tmp_path)]) == 0
    assert "2 files  minimal" in capsys.readouterr().out
    assert caches._main(["verify", str(tmp_path)]) == 0
    (folder / "b.json").write_bytes((folder / "b.json").read_bytes().replace(b"2", b"3", 1))
    assert caches._main(["verify", str(tmp_path)]) == 1
    assert "b.json: its checksum is wrong" in capsys.readouterr().out
    assert read_cached(folder / "b.json", json.loads) is None
    assert caches._main(["prune", str(tmp_path)]) == 0
    assert [path.name for path in folder.iterdir()] == ["a.json"]
    assert caches._main(["list", str(tmp_path / "none")]) == 2
