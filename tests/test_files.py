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
from scenelens.files import (
    ArrayFile,
    cache_key,
    csv_file,
    digest,
    file_name,
    stable_text,
    write_whole,
)
from tests.hostile_names import CELLS, HOSTILE, mixtures

JSON = {"pack": lambda value: json.dumps(value).encode(), "unpack": json.loads}


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
    about, found = ArrayFile.unpack(ArrayFile.pack({"n": 3, "list": [1, None]}, arrays))
    assert about == {"n": 3, "list": [1, None]}
    assert list(found) == ["a", "b"]
    for name, value in arrays.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype


def test_packed_arrays_are_the_files_of_before(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, about=np.frombuffer(b'{"n": 1}', np.uint8), x=np.arange(3))
    assert path.read_bytes() == ArrayFile.pack({"n": 1}, {"x": np.arange(3)})


@given(st.data())
def test_any_damaged_archive_counts_as_unreadable_or_is_still_whole(data):
    content = bytearray(ArrayFile.pack({"n": 1}, {"x": np.arange(50), "y": np.zeros((3, 4))}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    try:
        _, arrays = ArrayFile.unpack(bytes(content))
    except files.UNREADABLE:
        return
    assert isinstance(arrays, dict)


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
