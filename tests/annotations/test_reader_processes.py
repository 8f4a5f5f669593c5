"""Processes that help this one: results stay in order if one fails, and none outlives this process."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from scenelens.annotations import AnnotatedImages, JoinedAnnotations, instances
from scenelens.annotations.reader_processes import _helpers_for, _shared_out
from tests.labelme_xml import annotation_xml, object_xml

JOBS = list(range(12))


def until(found, seconds: float = 60) -> bool:
    """Wait until something holds; False where it does not hold in time."""
    end = time.monotonic() + seconds
    while not found():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def doubled(folder: Path, parent: int, job: int) -> int:
    """Twice the number. The parent waits until a helper has begun a job, and has said so in a file."""
    if os.getpid() != parent:
        (folder / f"{job}-{os.getpid()}").touch()
    else:
        assert until(lambda: any(folder.iterdir()))
    return 2 * job


def fails_in_helpers(folder: Path, parent: int, job: int) -> int:
    doubled(folder, parent, job)
    if os.getpid() != parent:
        os._exit(3)
    return 2 * job


def raises_in_helpers(folder: Path, parent: int, job: int) -> int:
    doubled(folder, parent, job)
    if os.getpid() != parent:
        print("this is no result")
        raise ValueError("only in a helper")
    return 2 * job


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError:
        return True
    # One that has ended and was not waited for, because its parent was killed, may still be listed.
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


def helpers(folder: Path) -> set[int]:
    return {int(path.name.partition("-")[2]) for path in folder.iterdir()}


@pytest.mark.parametrize("work", [doubled, fails_in_helpers, raises_in_helpers])
@pytest.mark.parametrize("n", [1, 2])
def test_results_come_in_order_whatever_happens_to_a_helper(tmp_path, work, n):
    found = list(_shared_out(partial(work, tmp_path, os.getpid()), JOBS, n))
    assert found == [2 * job for job in JOBS]
    assert all(gone(process) for process in helpers(tmp_path))


def test_work_that_cannot_be_sent_is_done_here():
    assert list(_shared_out(lambda job: 2 * job, JOBS, 1)) == [2 * job for job in JOBS]
    assert list(_shared_out(str, [], 1)) == []


def test_what_fails_here_fails_and_ends_the_helpers(tmp_path):
    parent = os.getpid()
    read = _shared_out(partial(doubled, tmp_path, parent), [*JOBS, "x" * 9, [], None], 1)
    with pytest.raises(TypeError, match="NoneType"):
        list(read)
    assert all(gone(process) for process in helpers(tmp_path))


def test_who_stops_early_ends_the_helpers(tmp_path):
    read = _shared_out(partial(doubled, tmp_path, os.getpid()), range(10_000), 1)
    assert next(read) == 0
    read.close()
    assert all(gone(process) for process in helpers(tmp_path))


# A shell lets the programs that it runs in the background ignore SIGINT.
KILLED = """
import signal, sys
from functools import partial
from pathlib import Path
from scenelens.annotations.reader_processes import _shared_out
from tests.annotations.test_reader_processes import endless
signal.signal(signal.SIGINT, signal.default_int_handler)
list(_shared_out(partial(endless, Path(sys.argv[1])), range(10), 1))
"""


def endless(folder: Path, job: int) -> None:
    (folder / f"{job}-{os.getpid()}").touch()
    time.sleep(0.2 if job else 100)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of other systems")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_helper_outlives_the_process_that_it_helps(tmp_path, how):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        assert until(lambda: len(helpers(tmp_path)) == 2)
        process.send_signal(how)
        assert process.wait(60) != 0
    assert until(lambda: all(gone(one) for one in helpers(tmp_path)))


def test_helpers_pay_for_long_work_on_several_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert [_helpers_for(seconds) for seconds in (0, 1.9, 2, 4.5, 1e6)] == [0, 0, 1, 2, 3]
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert _helpers_for(1e6) == 0


@pytest.fixture
def many(tmp_path, monkeypatch):
    """A folder of 40 photographs, of which some are unreadable, read with a helper."""
    for k in range(40):
        (tmp_path / "Images").mkdir(exist_ok=True)
        Image.new("RGB", (60, 50)).save(tmp_path / f"Images/{k:02d}.png")
        (tmp_path / "Annotations").mkdir(exist_ok=True)
        xml = annotation_xml(object_xml("bed"), object_xml(f"lamp {k}"), size=None) if k % 7 else "<a"
        (tmp_path / f"Annotations/{k:02d}.xml").write_text(xml)
    monkeypatch.setattr(instances, "_MANY", 2)
    return tmp_path


def test_tables_and_reports_are_the_same_with_helpers(many, monkeypatch, capsys):
    tables = []
    for n, part in ((0, 1), (1, 1), (2, 16)):
        monkeypatch.setattr(instances, "_helpers_for", lambda _, n=n: n)
        monkeypatch.setattr(instances, "_PART", part)
        annotations = JoinedAnnotations({"a": AnnotatedImages(many, many / f"cache{n}")})
        tables.append((annotations.objects(), annotations.report()))
    for table, report in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0][0])
        pd.testing.assert_frame_equal(report, tables[0][1])
    assert len({path.read_bytes() for path in many.glob("cache*/objects-*.json")}) == 1
    assert "Reading 40 annotations takes about" in capsys.readouterr().out


def test_a_readers_own_format_is_read_in_this_process(many, monkeypatch):
    class Own(AnnotatedImages):
        def _rows(self, image):
            self.seen = [*getattr(self, "seen", []), image]
            return super()._rows(image)

    monkeypatch.setattr(instances, "_helpers_for", lambda _: pytest.fail("helpers were asked for"))
    own = Own(many)
    own.objects()
    assert set(own.seen) == set(own.images)


def test_a_helper_imports_nothing_that_lies_in_the_readers_folder(tmp_path, monkeypatch):
    (tmp_path / "pickle.py").write_text("open('run', 'w').close()", encoding="utf-8")
    (tmp_path / "begun").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])
    work = partial(doubled, tmp_path / "begun", os.getpid())
    assert list(_shared_out(work, JOBS, helpers=1)) == [2 * job for job in JOBS]
    assert not (tmp_path / "run").exists()


def test_what_others_have_frozen_stays_frozen(many):
    """The notebooks' kernels share what they have frozen, and search for garbage as often as before."""
    gc.freeze()
    frozen, thresholds = gc.get_freeze_count(), gc.get_threshold()
    assert len(AnnotatedImages(many).objects()) > 0
    assert gc.get_freeze_count() > 0.9 * frozen  # a few of these objects may have been freed
    assert gc.get_threshold() == thresholds
