"""The bench itself: every kind of fault is counted once, and its smallest input can be repeated."""

import json
import os
import random
import signal
import sys
import time

import numpy as np
import pytest

from scenelens.errors import SceneLensError
from tests.copies import run_in_copy
from tests.torture import driver, mutate
from tests.torture.__main__ import main
from tests.torture.kind import Foreign, Kind, Wrong, expect, expect_report, expect_sentence
from tests.torture.kinds import KINDS


class Fake(Kind):
    """Inputs are numbers as text; `fault` meets those that can be divided by 7."""

    name, share = "fake", 1.0

    def __init__(self, folder):
        super().__init__(folder)
        self.number = 0

    def make(self, rng):
        return {"number.txt": b"x" * rng.randint(1, 50)}

    def check(self, files):
        self.number += 1
        self.kills += 1
        time.sleep(0.001)
        if self.number % 7 == 0:
            self.fault()

    def fault(self):
        pass


class Raises(Fake):
    name = "raises"

    def fault(self):
        raise KeyError("x")


class Sentence(Fake):
    name = "sentence"

    def fault(self):
        raise SceneLensError("a kind catches the sentences that it expects.")


class Differs(Fake):
    name = "differs"

    def fault(self):
        expect(False, "other numbers")


class Hangs(Fake):
    name = "hangs"

    def fault(self):
        time.sleep(60)


class Crashes(Fake):
    name = "crashes"

    def fault(self):
        os.kill(os.getpid(), signal.SIGSEGV)


class Hungry(Fake):
    name = "hungry"

    def fault(self):
        np.ones(40 << 20, np.uint8)


class NotReady(Fake):
    name = "not ready"

    def __init__(self, folder):
        raise ZeroDivisionError


@pytest.fixture(autouse=True)
def _large_process(monkeypatch):
    """Workers are copies of this process, which holds what other tests have left."""
    monkeypatch.setattr(driver, "MOST_MB", 100_000)


def rows(kinds, folder, seconds=0.7):
    bench = driver.Bench(kinds, 0, folder, 2, lambda _: None)
    return {row.kind: row for row in bench.run(seconds)}


def counts(row):
    return {name: getattr(row, name) > 0 for name in ("foreign", "wrong", "hangs", "crashes")}


@pytest.mark.parametrize(
    ("kind", "fault"),
    [(Raises, "foreign"), (Sentence, "foreign"), (Differs, "wrong"), (Hangs, "hangs"), (Crashes, "crashes")],
)
def test_each_fault_is_counted_and_can_be_repeated(tmp_path, monkeypatch, kind, fault):
    if kind is Hangs:  # a crash is not to be taken for a hang on a busy machine
        monkeypatch.setattr(driver, "HANG", 0.2)
    row = rows([kind], tmp_path)[kind.name]
    assert counts(row) == {name: name == fault for name in ("foreign", "wrong", "hangs", "crashes")}
    assert row.bad
    assert row.inputs >= 7
    (about,) = (tmp_path / "found").glob("*/about.json")
    note = json.loads(about.read_text())
    assert note["repeat"].startswith(f"python -m tests.torture --seed 0 --repeat {kind.name}:")
    assert note["bytes"] == (about.parent / "number.txt").stat().st_size
    assert "fault" in (about.parent / "error.txt").read_text()  # the function of that name


def test_without_a_fault_all_is_well(tmp_path):
    row = rows([Fake], tmp_path)["fake"]
    assert not row.bad
    assert row.inputs == row.kills > 7
    assert list((tmp_path / "found").iterdir()) == []
    assert "fake" in driver.table([row])


MEASURED = """
import sys
from pathlib import Path
from tests.torture import driver
from tests.torture.test_bench import Fake, Hungry, rows
plain, hungry = rows([Fake, Hungry], Path(sys.argv[1])).values()
assert hungry.peak > plain.peak + 30
driver.MOST_MB = hungry.peak
assert hungry.bad
assert not plain.bad
"""


def test_memory_is_measured(tmp_path):
    """In a process of its own: a copy of this one keeps the largest size that this one ever had."""
    assert run_in_copy(MEASURED, str(tmp_path)) == 0


def test_a_kind_that_cannot_be_prepared_is_a_fault(tmp_path):
    assert rows([NotReady], tmp_path)["not ready"].bad


def test_a_row_of_a_report_that_holds_an_exception_is_foreign():
    expect_report(["a.xml: 3 points are outside", "Error in the name of an object: x"])
    with pytest.raises(Foreign):
        expect_report(["fine", "KeyError: 'x'"])
    with pytest.raises(Wrong):
        expect_sentence("two\nlines")
    with pytest.raises(Wrong):
        expect_sentence("no name", "a.xml")


@pytest.mark.parametrize("how", mutate.DAMAGE)
def test_each_damage_changes_a_file(how):
    data = bytes(range(1, 200))
    assert all(mutate.damaged(data, random.Random(n), how) != data for n in range(200))


def test_kinds_have_names_of_their_own():
    names = [kind.name for kind in KINDS]
    assert len(set(names)) == len(names)
    assert all(names)


_PLAIN = [kind for kind in KINDS if not kind.checked and kind.name.partition(":")[0] not in ("kill", "race")]


@pytest.mark.parametrize("kind", _PLAIN, ids=lambda kind: kind.name)
def test_a_number_repeats_an_input(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("SCENELENS_DATA", "")  # some kinds set it
    one = kind(tmp_path)
    made = [one.make(random.Random(number)) for number in range(10)]
    one.check(made[0])
    assert [one.make(random.Random(number)) for number in range(10)] == made
    assert len({str(files) for files in made}) > 3


def test_the_command_prints_a_table(tmp_path, monkeypatch, capsys):
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "SCENELENS_CONFIG"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    command = ["--minutes", "0.01", "--only", "Caffe", "--folder", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["torture", *command])
    assert main() == 0
    assert "wrong results" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["torture", "--repeat", "Caffe:3"])
    assert main() == 0
    assert capsys.readouterr().out == "No fault.\n"
