"""The file of answers: no answer is lost or counted twice, and every disk error is one sentence."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from scenelens.errors import SceneLensError
from scenelens.labels.store import VERSION, LabelStore
from scenelens.labels.table import COLUMNS, current

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


def test_two_people_of_one_name_are_asked_about(tmp_path, store):
    """Answers of a second Ada would replace the first one's where both have named a unit."""
    store.add(**ANSWER)
    other = LabelStore(tmp_path / "row2.db")
    for unit in (ANSWER["unit"], ANSWER["unit"] + 1):
        other.add(**(ANSWER | {"concept": "sofa", "unit": unit}))
    who = ANSWER["annotator"]
    asked = rf"'{who}' has 1 answers here and 2 others in row2\.db: one person or two\?"
    with pytest.raises(SceneLensError, match=asked):
        store.merge(other)
    assert len(store) == 1
    assert store.merge(other, apart=[who]) == 2
    assert sorted(set(store.labels().annotator)) == [who, f"{who} (row2)"]
    assert len(store.labels()) == 3  # nobody's answer is lost
    other.add(**(ANSWER | {"concept": "lamp"}))
    assert store.merge(other) == 1  # it is known by now whose file that is
    assert len(store.labels()) == 3
    one = LabelStore(tmp_path / "one.db")
    one.add(**ANSWER)
    assert one.merge(other, same=[who]) == 3
    assert set(one.labels().annotator) == {who}


def test_one_person_with_two_files_of_the_same_beginning_is_not_asked_about(tmp_path, store):
    store.add(**ANSWER)
    copy = LabelStore(tmp_path / "copy.db")
    assert copy.merge(store) == 1
    copy.add(**(ANSWER | {"unit": 99}))
    assert store.merge(copy) == 1


def test_two_files_with_one_name_that_is_new_here_are_asked_about(tmp_path, store):
    files = [LabelStore(tmp_path / f"row{k}.db") for k in (1, 2)]
    for file in files:
        file.add(**ANSWER)
    with pytest.raises(SceneLensError, match="one person or two"):
        store.merge(*files)
    assert len(store) == 0
    assert store.merge(*files, apart=[ANSWER["annotator"]]) == 2
    assert store.labels().annotator.nunique() == 2


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


def test_a_file_whose_writer_was_killed_before_the_first_answer_is_empty(store):
    store.path.parent.mkdir()
    with contextlib.closing(store._connect(write=True)) as database:
        database.execute("PRAGMA journal_mode=WAL")
    assert store.path.stat().st_size
    assert LabelStore(store.path).labels().empty
    assert store.progress("Ada") == set()
    store.add(**ANSWER)
    assert len(store) == 1


def test_an_answer_that_breaks_the_schema_names_the_file(store):
    store.add(**ANSWER)
    with contextlib.closing(sqlite3.connect(store.path)) as database:
        database.execute("UPDATE answers SET type = 'e8411c'")
        database.commit()
    with pytest.raises(SceneLensError, match=r"labels\.db: it is damaged"):
        store.labels()


def test_a_message_of_sqlite_that_is_no_text_is_damage(store, monkeypatch):
    store.add(**ANSWER)

    def damaged(*_):
        b"\x81".decode()

    monkeypatch.setattr(LabelStore, "_check_version", damaged)
    with pytest.raises(SceneLensError, match=r"labels\.db: it is damaged"):
        LabelStore(store.path)


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


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("when", None),
        ("written", b"x"),
        ("unit", "three"),
        ("precision", "much"),
        ("concept", 5),
        ("details", b""),
    ],
)
def test_a_cell_of_another_type_is_damage(store, column, value, old):
    """SQLite stores any type in any column, so a damaged file can have one."""
    store.add(**ANSWER)
    with contextlib.closing(sqlite3.connect(store.path)) as database:
        text = database.execute("SELECT sql FROM sqlite_master").fetchone()[0].replace("NOT NULL", "")
        for kind in ("TEXT", "INTEGER", "REAL"):
            text = text.replace(f" {kind}", "")
        database.executescript(f"ALTER TABLE answers RENAME TO other; {text}; "
                               "INSERT INTO answers SELECT * FROM other; DROP TABLE other")  # fmt: skip
        database.execute(f'UPDATE answers SET "{column}" = ?', [value])
        if old and column != "written":
            database.execute("UPDATE answers SET written = ''")
        database.commit()
    for use in (store.labels, store.history, lambda: store.merge(store.path)):
        with pytest.raises(SceneLensError, match=r"labels\.db: it is damaged"):
            use()
    if old and column != "written":
        with pytest.raises(SceneLensError, match=r"labels\.db: it is damaged"):
            store.add(**ANSWER)


# ---- the order of answers


class _Clock:
    """In place of `datetime` in the store: a clock that shows what it is set to."""

    shown = 0

    @classmethod
    def now(cls, zone) -> datetime:
        return datetime.fromtimestamp(cls.shown, zone)


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr("scenelens.labels.store.datetime", _Clock)
    return _Clock


def test_a_corrected_answer_counts_when_the_clock_was_set_back(store, clock):
    for shown, concept in ((2_000_000_000, "bed"), (1_000_000_000, "sofa"), (1_500_000_000, "couch")):
        clock.shown = shown
        store.add(**(ANSWER | {"concept": concept}))
    assert store.labels().concept.tolist() == ["couch"]
    assert current(store.history()).concept.tolist() == ["couch"]
    assert store.history().concept.tolist() == ["bed", "sofa", "couch"]
    assert [when[:4] for when in store.history().when] == ["2033", "2001", "2017"]


def test_a_time_given_by_the_caller_does_not_change_the_order(store):
    for when, concept in (("2026-01-02", "bed"), ("2026-01-01", "sofa"), ("", "couch")):
        store.add(**(ANSWER | {"concept": concept}), when=when)
        assert store.labels().concept.tolist() == [concept]


def test_answers_of_one_moment_count_in_the_order_of_writing(store, clock):
    for concept in ("bed", "sofa", "couch"):
        store.add(**(ANSWER | {"concept": concept}))
    assert store.labels().concept.tolist() == ["couch"]


def test_merged_files_keep_their_own_order_and_are_compared_by_time(tmp_path, store, clock):
    other = LabelStore(tmp_path / "other.db")
    for at, shown, unit, concept in (
        (other, 300, 1, "first, by a clock that was fast"), (other, 100, 1, "corrected"),
        (other, 400, 2, "earlier"), (store, 500, 2, "later"),
    ):  # fmt: skip
        clock.shown = shown
        at.add(**(ANSWER | {"unit": unit, "concept": concept}))
    store.merge(other, same=["Ada"])
    assert store.labels().set_index("unit").concept.to_dict() == {1: "corrected", 2: "later"}
    clock.shown = 50
    store.add(**(ANSWER | {"unit": 1, "concept": "corrected again"}))
    assert store.labels().set_index("unit").concept[1] == "corrected again"


def test_whatever_the_clock_shows_the_last_answer_counts(store, clock):
    rng, last = random.Random(5), {}
    for number in range(60):
        clock.shown, unit = rng.randrange(2_000_000_000), rng.randrange(4)
        last[unit] = f"concept {number}"
        store.add(**(ANSWER | {"unit": unit, "concept": last[unit]}))
    assert store.labels().set_index("unit").concept.to_dict() == last
    assert store.history().concept.tolist() == [f"concept {number}" for number in range(60)]


_OLD = """
CREATE TABLE answers (
    number INTEGER PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE,
    network TEXT NOT NULL, layer TEXT NOT NULL, unit INTEGER NOT NULL, annotator TEXT NOT NULL,
    concept TEXT NOT NULL, type TEXT NOT NULL, precision REAL, n_images INTEGER NOT NULL,
    source TEXT NOT NULL, "when" TEXT NOT NULL, details TEXT NOT NULL
);
PRAGMA application_id=6087141;
PRAGMA user_version=1;
PRAGMA journal_mode=WAL;
"""
_OLD_ANSWERS = [
    ("a", 1, "Ada", "bed", 0.5, "2026-03-02T10:00:00.000000+00:00", '{"marked": ["x"]}'),
    ("b", 1, "Ada", "sofa", None, "2026-03-01T10:00:00.000000+00:00", ""),
    ("c", 2, "Ünal", 'a "big" bed', 1.0, "", ""),
]


def _add_as_before(path, rows):
    with contextlib.closing(sqlite3.connect(path)) as database:
        for identity, unit, annotator, concept, precision, when, details in rows:
            database.execute(
                "INSERT OR IGNORE INTO answers (identity, network, layer, unit, annotator, concept, type, "
                'precision, n_images, source, "when", details) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)',
                (identity, "scene", "pool5", unit, annotator, concept, "object", precision, 9, "people", when,
                 details),
            )  # fmt: skip
        database.commit()


@pytest.fixture
def old(tmp_path):
    """A file as versions before the order of writing made it."""
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as database:
        database.executescript(_OLD)
    _add_as_before(tmp_path / "old.db", _OLD_ANSWERS)
    return LabelStore(tmp_path / "old.db")


def test_an_old_file_is_read_in_the_order_of_writing(old):
    assert old.labels().concept.tolist() == ["sofa", 'a "big" bed']
    assert old.history().identity.tolist() == ["a", "b", "c"]


def test_an_old_file_is_converted_without_loss_and_old_programs_still_write_to_it(old):
    before = old.history()
    old.add(**(ANSWER | {"unit": 1, "concept": "couch"}))
    pd.testing.assert_frame_equal(old.history().iloc[:3], before)
    assert old.labels().set_index("unit").concept.to_dict() == {1: "couch", 2: 'a "big" bed'}
    late = ("d", 1, "Ada", "settee", 0.25, "2020-01-01T00:00:00.000000+00:00", "")
    _add_as_before(old.path, [late])
    assert old.labels().set_index("unit").concept[1] == "settee"
    old.add(**(ANSWER | {"unit": 7}))
    assert old.history().identity.tolist()[:3] == ["a", "b", "c"]
    assert old.history().concept.tolist() == ["bed", "sofa", 'a "big" bed', "couch", "settee", "bed"]
    with contextlib.closing(sqlite3.connect(old.path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)


def test_an_old_file_can_be_merged(old, store):
    store.add(**(ANSWER | {"unit": 9}))
    assert store.merge(old.path, same=["Ada"]) == 3
    assert store.labels().set_index("unit").concept.to_dict() == {1: "sofa", 2: 'a "big" bed', 9: "bed"}
    assert store.merge(old.path) == 0


def test_a_copy_of_the_file_alone_has_the_last_answer(store, tmp_path):
    store.add(**ANSWER)
    with contextlib.closing(sqlite3.connect(store.path)) as reader:  # it keeps the log from being removed
        reader.execute("SELECT * FROM answers").fetchall()
        store.add(**(ANSWER | {"unit": 4}))
        (tmp_path / "copy.db").write_bytes(store.path.read_bytes())
    assert LabelStore(tmp_path / "copy.db").labels().unit.tolist() == [3, 4]


# ---- what is not written is said


def test_an_answer_without_details_is_written(store):
    identity = store.add(**ANSWER, details=None)
    assert store.history()[["identity", "details"]].values.tolist() == [[identity, ""]]


@pytest.mark.parametrize(("more", "words"), [
    ({"details": {"marked": [1]}}, "details is a text, and not dict"), ({"details": b"x"}, "not bytes"),
    ({"concept": None}, "a concept"), ({"concept": ["bed"]}, "not list"), ({"concept": "\ud800"}, "half a"),
    ({"annotator": None}, "annotator's name"), ({"annotator": float("nan")}, "not float"),
    ({"network": None}, "needs its network"), ({"layer": ""}, "needs its layer"), ({"type": {}}, "not dict"),
    ({"unit": 2**63}, "whole number from 0 on"), ({"unit": None}, "whole number"), ({"unit": []}, "number"),
    ({"n_images": -1}, "number"), ({"n_images": 2.5}, "whole number"), ({"n_images": float("inf")}, "number"),
    ({"precision": "much"}, "precision"), ({"precison": 0.9}, "has no 'precison'"),
    ({"identity": "a"}, "has no 'identity'"), ({"when": 2026}, "when is a text"),
])  # fmt: skip
def test_whatever_cannot_be_written_as_it_is_is_refused(store, more, words):
    with pytest.raises(SceneLensError, match=words):
        store.add(**(ANSWER | more))
    assert len(store) == 0


def test_an_accepted_answer_is_always_one_row_more():
    """Whatever is given: either a sentence, or exactly one more row with these values."""
    rng = random.Random(3)
    odd = [
        None,
        "",
        " ",
        "bed",
        "=1",
        "\x00",
        "\ud800",
        0,
        3,
        -1,
        2.5,
        2**70,
        float("nan"),
        True,
        b"x",
        [],
        {},
    ]
    with tempfile.TemporaryDirectory() as folder:
        store, count = LabelStore(Path(folder, "labels.db")), 0
        for _ in range(150):
            given = ANSWER | {rng.choice([*COLUMNS, "details", "other"]): rng.choice(odd) for _ in range(2)}
            with contextlib.suppress(SceneLensError):
                identity = store.add(**given)
                count += 1
                assert store.history().identity.iloc[-1] == identity
            assert len(store) == count


def test_a_table_never_replaces_answers(tmp_path):
    stores = [LabelStore(tmp_path / name) for name in ("one.db", "two.db")]
    for store in stores:
        store.add(network="scene", layer="pool5", unit=1, annotator="Ada", concept="bed", type="object")
    (tmp_path / "link.csv").symlink_to(tmp_path / "one.db")
    for path in (stores[0].path, stores[1].path, tmp_path / "link.csv"):
        with pytest.raises(SceneLensError, match="choose another file"):
            stores[0].export_csv(path)
    assert [len(store) for store in stores] == [1, 1]
    stores[0].export_csv(tmp_path / "table.csv")
    stores[0].export_csv(tmp_path / "table.csv")  # an earlier table is replaced


@pytest.mark.parametrize("reading", [False, True])
def test_a_copy_of_the_file_alone_has_every_answer(tmp_path, reading):
    store = LabelStore(tmp_path / "one.db")
    answer = {"network": "scene", "layer": "pool5", "annotator": "Ada", "concept": "bed", "type": "object"}
    store.add(unit=0, **answer)
    other = sqlite3.connect(store.path)  # holds the file open, so that closing it does not end the log
    if reading:
        other.execute("SELECT count(*) FROM answers").fetchone()
    for unit in range(1, 4):
        store.add(unit=unit, **answer)
        shutil.copy(store.path, tmp_path / "copy.db")
        assert len(LabelStore(tmp_path / "copy.db")) == unit + 1
        (tmp_path / "copy.db").unlink()
    other.close()
