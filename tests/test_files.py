import csv
import hashlib
import io
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelens import files
from scenelens.errors import SceneLensError
from scenelens.files import (
    cache_key,
    cached,
    csv_file,
    digest,
    file_name,
    pack_arrays,
    read_cached,
    stable_text,
    unpack_arrays,
    write_whole,
)
from tests.hostile_names import CELLS, HOSTILE, mixtures

JSON = {"pack": lambda value: json.dumps(value).encode(), "unpack": json.loads}


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
    assert json.loads(path.read_bytes()) == {"value": 3}


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


def test_a_file_that_cannot_be_written_ends_in_a_sentence(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SceneLensError, match=r"file/a.json cannot be written \(.+\); free space"):
        cached(tmp_path / "file" / "a.json", lambda: 1, **JSON)


def test_a_folder_in_the_files_place_counts_as_unreadable(tmp_path):
    assert read_cached(tmp_path, json.loads) is None


def test_a_write_that_fails_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_whole(path, b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_bytes() == b"old"


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {"a": np.arange(6, dtype=np.int16).reshape(2, 3), "b": np.array([np.nan, 1.5])}
    about, found = unpack_arrays(pack_arrays({"n": 3, "list": [1, None]}, arrays))
    assert about == {"n": 3, "list": [1, None]}
    assert list(found) == ["a", "b"]
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype


def test_packed_arrays_are_the_files_of_before(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, about=np.frombuffer(b'{"n": 1}', np.uint8), x=np.arange(3))
    assert path.read_bytes() == pack_arrays({"n": 1}, {"x": np.arange(3)})


@given(st.data())
def test_any_damaged_archive_counts_as_unreadable_or_is_still_whole(data):
    content = bytearray(pack_arrays({"n": 1}, {"x": np.arange(50), "y": np.zeros((3, 4))}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    try:
        _, arrays = unpack_arrays(bytes(content))
    except files.UNREADABLE:
        return
    assert isinstance(arrays, dict)


def test_pickles_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, about=np.frombuffer(b"1", np.uint8), x=np.array([{}], object))
    assert read_cached(path, unpack_arrays) is None


def test_keys_are_those_of_the_files_that_exist():
    parts = [1, {"b": 2, "a": 1}, "x"]
    assert cache_key(parts, 24) == hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
    assert (
        cache_key(parts, 20, b"more") == hashlib.sha256(json.dumps(parts).encode() + b"more").hexdigest()[:20]
    )
    named = {"b": 2, "a": [1]}
    assert cache_key(named) == hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16]


def test_digest_of_text_and_bytes():
    assert digest("é") == digest("é".encode()) == hashlib.sha256("é".encode()).hexdigest()


def test_stable_text_counts_every_number():
    a, b = np.zeros(5000), np.zeros(5000)
    b[2500] = 1
    assert stable_text([a]) != stable_text([b])
    assert stable_text({"b": 1, "a": 2}) == stable_text({"a": 2, "b": 1})


def test_digests_are_remembered_until_a_file_changes(tmp_path):
    photo, memory = tmp_path / "a.png", tmp_path / "memory.json"
    photo.write_bytes(b"one")
    first = files.image_digests(["a"], [photo], memory)
    assert first == [("a", hashlib.sha256(b"one").hexdigest())]
    memory.write_text(memory.read_text().replace(first[0][1], "remembered"))
    assert files.image_digests(["a"], [photo], memory) == [("a", "remembered")]
    photo.write_bytes(b"other")
    assert files.image_digests(["a"], [photo], memory)[0][1] == hashlib.sha256(b"other").hexdigest()
    assert files.image_digests(["b"], [Path(tmp_path, "none.png")], memory) == [("b", "missing")]


PATHS = [".", "..", "../../x", "/etc/passwd", "C:\\x", "CON", "a.", "NUL.txt"]


@pytest.mark.parametrize("name", [*HOSTILE, *mixtures(50), *PATHS])
def test_a_file_name_is_one_part_of_a_path_that_can_be_written(name, tmp_path):
    made = file_name(name)
    assert Path(made).name == made
    assert made not in ("", ".", "..")
    assert len(made.encode()) <= 120
    (tmp_path / f"{made}.txt").write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == [f"{made}.txt"]


def test_different_names_have_different_files_and_ordinary_ones_keep_theirs():
    names = list(dict.fromkeys([*HOSTILE, *mixtures(200), "a/b", "a-b", "a:b"]))
    assert len({file_name(name) for name in names}) == len(names)
    for name in ("scene", "sceneworld", "conv5", "inception_4a", "features.0", "my study", "Große-1"):
        assert file_name(name) == name


def rows_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


@pytest.mark.parametrize("cell", CELLS)
def test_no_cell_of_a_csv_file_is_a_formula(cell):
    table = pd.DataFrame({cell: [cell, "lamp"], "n": [-1, 2]})
    rows = rows_of(csv_file(table))
    assert rows[0][0] == rows[1][0] == "'" + cell.replace("\r", "\n")
    assert rows[1][1] == "-1"
    assert rows[2] == ["lamp", "2"]


def test_no_mixture_of_names_is_a_formula_and_every_cell_keeps_its_place():
    names = mixtures(300)
    rows = rows_of(csv_file(pd.DataFrame({"a": names, "b": "end"})))
    assert [row[1] for row in rows] == ["b", *["end"] * len(names)]
    assert not [row[0] for row in rows if row[0].lstrip()[:1] in tuple("=+-@")]
