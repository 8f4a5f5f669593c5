"""The file of answers: no answer is lost or counted twice, and every disk error is one sentence."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from scenelens.errors import SceneLensError
from scenelens.labels.store import VERSION, LabelStore
from scenelens.labels.table import COLUMNS

ANSWER = {
    "network": "scene",
    "layer": "pool5",
    "unit": 3,
    "annotator": "Ada",
    "concept": "bed",
    "type": "object",
}


@pytest.fixture
def store(tmp_path) -> LabelStore:
    return LabelStore(tmp_path / "some" / "labels.db")


def test_nothing_is_made_before_the_first_answer(store):
    assert store.labels().empty
    assert not store.path.parent.exists()


def test_an_answer_reads_back_as_it_was_given(store):
    store.add(**ANSWER, precision=0.5, n_images=57, details='{"marked": [1]}')
    store.add(**(ANSWER | {"unit": 4}))
    table = LabelStore(store.path).labels()
    assert tuple(table.columns) == COLUMNS
    first, second = table.to_dict("records")
    assert first | {"when": ""} == ANSWER | {"precision": 0.5, "n_images": 57, "source": "people", "when": ""}
    assert second["precision"] != second["precision"]
    assert pd.Timestamp(first["when"]).tzinfo is not None
    assert store.history().details.tolist() == ['{"marked": [1]}', ""]
    assert store.progress("Ada") == {("scene", "pool5", 3), ("scene", "pool5", 4)}
    assert store.progress("Bob") == set()


def test_the_latest_answer_counts_and_earlier_ones_are_stored(store):
    store.add(**ANSWER)
    store.add(**(ANSWER | {"concept": "sofa"}))
    assert store.labels().concept.tolist() == ["sofa"]
    assert store.history().concept.tolist() == ["bed", "sofa"]
    assert len(store) == 2


@pytest.mark.parametrize(
    "bad", [{"type": "thing"}, {"precision": 2}, {"concept": " "}, {"annotator": ""}, {"unit": -1}]
)
def test_a_bad_answer_is_refused_and_not_written(store, bad):
    with pytest.raises(SceneLensError):
        store.add(**(ANSWER | bad))
    assert len(store) == 0


def test_files_merge_once_however_often_and_with_their_history(tmp_path, store):
    other = LabelStore(tmp_path / "other.db")
    for concept in ("bed", "bunk"):
        other.add(**(ANSWER | {"annotator": "Bob", "concept": concept}))
    store.add(**ANSWER)
    assert store.merge(other, other.path) == 2
    assert store.merge(other) == 0
    assert sorted(store.labels().concept) == ["bed", "bunk"]
    assert len(store) == 3
    assert other.merge(store) == 1


def test_merging_a_broken_file_changes_nothing(tmp_path, store):
    store.add(**ANSWER)
    good = LabelStore(tmp_path / "good.db")
    good.add(**(ANSWER | {"annotator": "Bob"}))
    (tmp_path / "bad.db").write_bytes(b"not a database at all" * 50)
    with pytest.raises(SceneLensError, match=r"bad\.db: it is not a database"):
        store.merge(good, tmp_path / "bad.db")
    with pytest.raises(SceneLensError, match="no file"):
        store.merge(tmp_path / "missing.db")
    assert len(store) == 1


def test_export_holds_the_answers_and_no_formulas(tmp_path, store):
    store.add(**(ANSWER | {"concept": "=HYPERLINK(1)"}), precision=0.25)
    store.add(**(ANSWER | {"concept": 'a "big", bed', "annotator": "Ünal"}))
    table = pd.read_csv(store.export_csv(tmp_path / "out.csv"))
    assert table.concept.tolist() == ["'=HYPERLINK(1)", 'a "big", bed']
    assert table.annotator.tolist() == ["Ada", "Ünal"]
    assert table.precision[0] == 0.25
    assert len(pd.read_csv(store.export_csv(tmp_path / "all.csv", history=True))) == 2


def test_several_threads_write_at_once(store):
    def work(name: str) -> None:
        own = LabelStore(store.path)
        for unit in range(5):
            own.add(**(ANSWER | {"annotator": name, "unit": unit}))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, ["a", "b", "c", "d"]))
    assert len(store.labels()) == 20


WRITER = """
import sys
from scenelens.labels import LabelStore
store = LabelStore(sys.argv[1])
for unit in range(10_000):
    store.add(network="scene", layer="pool5", unit=unit, annotator="Ada", concept="bed", type="object")
    print(unit, flush=True)
"""


def test_a_killed_process_loses_no_answer_it_had_accepted(store):
    command = [sys.executable, "-c", WRITER, str(store.path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        accepted = [int(process.stdout.readline()) for _ in range(3)]
        time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        accepted += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    units = LabelStore(store.path).labels().unit.tolist()
    assert units[: len(accepted)] == accepted
    assert len(units) - len(accepted) in (0, 1)  # the one it could not tell us of any more
    store.add(**(ANSWER | {"annotator": "Bob"}))


def test_a_newer_version_is_refused(store):
    store.add(**ANSWER)
    with sqlite3.connect(store.path) as database:
        database.execute(f"PRAGMA user_version={VERSION + 1}")
    for refused in (lambda: LabelStore(store.path), store.labels, lambda: store.add(**ANSWER)):
        with pytest.raises(SceneLensError, match="newer scenelens"):
            refused()


def test_the_database_of_another_program_is_not_changed(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE notes (text)")
    content = path.read_bytes()
    with pytest.raises(SceneLensError, match="another program"):
        LabelStore(path)
    assert path.read_bytes() == content


def test_a_full_disk_is_reported_and_the_answer_can_be_given_again(store, monkeypatch):
    store.add(**ANSWER)
    connect = LabelStore._connect

    def small(self, write):
        database = connect(self, write)
        database.execute("PRAGMA max_page_count=1")  # SQLite takes the present size where that is larger
        return database

    with monkeypatch.context() as patched:
        patched.setattr(LabelStore, "_connect", small)
        with pytest.raises(SceneLensError, match=r"the disk is full.*give it again"):
            store.add(**(ANSWER | {"unit": 5}), details="x" * 100_000)
    assert len(store) == 1
    store.add(**(ANSWER | {"unit": 5}), details="x" * 100_000)
    assert store.labels().unit.tolist() == [3, 5]


def test_a_read_only_file_can_be_read_and_says_why_it_cannot_be_written(store, monkeypatch):
    store.add(**ANSWER)
    connect = LabelStore._connect
    monkeypatch.setattr(LabelStore, "_connect", lambda self, write: connect(self, False))
    assert LabelStore(store.path).labels().concept.tolist() == ["bed"]
    with pytest.raises(SceneLensError, match="read-only"):
        store.add(**ANSWER)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SceneLensError, match="not written"):
        LabelStore(tmp_path / "file" / "labels.db").add(**ANSWER)
