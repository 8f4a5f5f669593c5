import threading
import time

import pytest
from tqdm import tqdm

from scenelens import progress
from scenelens.errors import SceneLensError
from scenelens.progress import Announcer, read_ahead, run_ahead, say_on_stderr, spoken_time


def test_results_come_in_order_and_only_a_few_jobs_ahead():
    begun = []
    results = run_ahead(lambda job: begun.append(job) or job, range(20), ahead=2)
    for n, result in enumerate(results):
        assert result == n
        assert len(begun) <= n + 3
    assert begun == list(range(20))


def test_jobs_are_done_in_one_other_thread():
    names = set(run_ahead(lambda _: threading.current_thread().name, range(5)))
    assert len(names) == 1
    assert threading.current_thread().name not in names


def test_an_error_comes_at_its_job():
    results = run_ahead(lambda job: 1 / job, [1, 0])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_who_stops_early_does_not_wait_for_all_jobs():
    begun = []
    results = run_ahead(lambda job: begun.append(job) or time.sleep(0.01), range(100))
    next(results)
    results.close()
    assert len(begun) <= 4


def test_images_that_cannot_be_loaded_are_listed():
    def load(image):
        if image == "b":
            raise SceneLensError("broken")
        return image.upper()

    assert list(read_ahead(load, ["a", "b", "c"])) == [(["a", "c"], ["A", "C"], [("b", "broken")])]
    many = [str(k) for k in range(progress.BATCH + 1)]
    assert [len(names) for names, _, _ in read_ahead(load, many)] == [progress.BATCH, 1]
    assert list(read_ahead(load, [])) == []


def test_pace_says_once_how_long_the_rest_takes(capsys, monkeypatch):
    clock = iter([0.0, 30.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    with tqdm(total=1000, desc="index") as bar:
        pace = Announcer(True).pace(bar, "You can interrupt it.")
        for _ in range(6):
            pace(10)
    assert "index: 960 images to go, about 16 min. You can interrupt it.\n" in capsys.readouterr().err


def test_only_long_work_is_announced(capsys):
    Announcer(True).estimate(4, "Labelling")
    Announcer(False).estimate(400, "Labelling")
    assert capsys.readouterr().err == ""
    Announcer(True).estimate(200, "Labelling")
    assert capsys.readouterr().err == "Labelling takes about 3 min.\n"


@pytest.mark.parametrize(("seconds", "text"), [(1, "5 s"), (97, "95 s"), (120, "2 min"), (7200, "2.0 h")])
def test_spoken_time(seconds, text):
    assert spoken_time(seconds) == text


@pytest.mark.parametrize("name", ["\x1b[2J", "a\rb", "\x07", "\u202ex", "\ud800", "\x9b31m"])
def test_no_name_controls_the_terminal(name, capsys):
    say_on_stderr(f"cannot read {name}:\nthe second line")
    said = capsys.readouterr().err
    assert not {"\x1b", "\r", "\x07", "\u202e", "\ud800", "\x9b"} & set(said)
    assert said.splitlines()[1] == "the second line"
