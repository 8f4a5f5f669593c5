"""Further processes that help this one with a long list of jobs, such as annotations to read.

A helper is a new process of Python. It needs about a second to begin. It works in the same way on every
system, and does not run the reader's program again, as the processes of `multiprocessing` may. It gets jobs
through a pipe, and ends when that pipe closes, so it never outlives this process, even one that is killed.
Meanwhile this process does jobs, too. If a helper fails, this process does the job that the helper had begun.

>>> list(_shared_out(sum, [[1, 2], [3, 4]], helpers=0))
[3, 7]
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from scenelens.processes import cores

Job = TypeVar("Job")
Result = TypeVar("Result")

#: Seconds until a helper has begun.
START = 1.0
_MOST_HELPERS = 3
# What the helper runs; it finds packages where this process does.
_PROGRAM = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from scenelens.annotations.reader_processes import _help; _help(sys.stdin.buffer, sys.stdout.buffer)"
)
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}


def _helpers_for(seconds: float) -> int:
    """How many helpers pay for work that takes this process so many seconds alone.

    Parameters
    ----------
    seconds : float
        The duration.

    Returns
    -------
    int
        0..3, and never more processes than this machine has cores for this one.

    Examples
    --------
    >>> _helpers_for(1.5)
    0
    """
    return min(cores() - 1, int(seconds / (2 * START)), _MOST_HELPERS)


def _shared_out(
    work: Callable[[Job], Result], jobs: Sequence[Job], helpers: int
) -> Generator[Result, None, None]:
    """Do jobs in this process and in helpers.

    Parameters
    ----------
    work : callable
        Does one job. It is pickled for the helpers, and so are jobs and results.
    jobs : sequence
        The jobs.
    helpers : int
        The number of helpers; 0 does all in this process.

    Yields
    ------
    object
        What `work` returned, in the order of the jobs.
    """
    shared = _Shared(len(jobs))
    threads = [threading.Thread(target=_lead, args=(shared, work, jobs), daemon=True) for _ in range(helpers)]
    for thread in threads:
        thread.start()
    try:
        for number in range(len(jobs)):
            while not shared.has(number):
                if (own := shared.take()) is None:
                    shared.wait()
                else:
                    shared.put(own, work(jobs[own]))
            yield shared.results.pop(number)
    finally:
        shared.end()
        for thread in threads:
            thread.join()


class _Shared:
    """Which jobs are left, and the results of those that are done."""

    def __init__(self, n: int) -> None:
        self._left = list(range(n))[::-1]
        self._news = threading.Condition()
        self._ended = False
        self.results: dict[int, Any] = {}
        self.processes: list[subprocess.Popen] = []

    def has(self, number: int) -> bool:
        with self._news:
            return number in self.results

    def take(self) -> int | None:
        """The number of the next job; None where none is left."""
        with self._news:
            return self._left.pop() if self._left and not self._ended else None

    def put(self, number: int, result: Any) -> None:
        with self._news:
            self.results[number] = result
            self._news.notify_all()

    def give_back(self, number: int) -> None:
        """A job that was taken, and will not be done, is the next one again."""
        with self._news:
            self._left.append(number)
            self._news.notify_all()

    def wait(self) -> None:
        with self._news:
            self._news.wait(0.05)  # on Windows, waiting for longer could not be interrupted

    def add(self, process: subprocess.Popen) -> None:
        with self._news:
            self.processes.append(process)
            if self._ended:
                process.kill()

    def end(self) -> None:
        """No job is begun any more, and the helpers end at once."""
        with self._news:
            self._ended = True
            for process in self.processes:
                process.kill()


def _lead(shared: _Shared, work: Callable, jobs: Sequence[Any]) -> None:
    """Give jobs to one helper, in a thread, until none is left or the helper fails."""
    number = None
    # Whatever goes wrong, this process does the job itself; an error in the job is raised here then.
    with suppress(Exception), _started() as process:
        shared.add(process)
        assert process.stdin is not None
        assert process.stdout is not None
        _send(process.stdin, sys.path, work)
        pickle.load(process.stdout)  # it has begun
        while (number := shared.take()) is not None:
            _send(process.stdin, jobs[number])
            shared.put(number, pickle.load(process.stdout))
        process.stdin.close()
    if number is not None:
        shared.give_back(number)


def _started() -> subprocess.Popen:
    flags = sum(getattr(subprocess, name, 0) for name in ("CREATE_NO_WINDOW", "CREATE_NEW_PROCESS_GROUP"))
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM],  # -P: a pickle.py that lies in this folder is not imported
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | _ONE_THREAD,
        creationflags=flags,
    )


def _send(pipe: Any, *values: object) -> None:
    for value in values:
        pickle.dump(value, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def _help(jobs: Any, results: Any) -> None:
    """What a helper does: the jobs that come, until the pipe closes."""
    gc.freeze()  # what was imported stays: the search for garbage need not look at it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that it helps is interrupted, and ends it
    sys.stdout = sys.stderr  # nothing that is printed may come between the results
    with suppress(EOFError, BrokenPipeError):
        work = pickle.load(jobs)
        _send(results, None)
        while True:
            _send(results, work(pickle.load(jobs)))
