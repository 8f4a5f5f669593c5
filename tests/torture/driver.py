"""Share the time among the kinds, start their processes, watch them, and count what they report.

A worker says when an input begins and ends. Nothing is said for too long: the input hangs, and the worker is
killed. The worker ends with a signal: the interpreter crashed. In both cases another worker goes on with the
next input, after it has stored the one that did it.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tests.torture import worker
from tests.torture.kind import Kind
from tests.torture.worker import Order

HANG = 2.0  # seconds that an input, or a part of a long one, may take
_MOST_WAIT = 30.0  # seconds after which it hangs even if other processes had the processor all the time
_PREPARATION = 240.0  # seconds for the preparation of a kind: kernels are compiled there
_IN_MEMORY, _ROOM = "/dev/shm", 256 << 20  # where Linux keeps files in memory; bytes that must be free there
MOST_MB = 1000  # of memory that a worker may need


@dataclass
class Row:
    """What happened to the inputs of one kind."""

    kind: str
    inputs: int = 0
    kills: int = 0
    crashes: int = 0
    foreign: int = 0
    hangs: int = 0
    wrong: int = 0
    peak: int = 0
    seconds: float = 0.0

    @property
    def bad(self) -> bool:
        """Whether there was any fault, or nothing was tried at all."""
        faults = self.crashes + self.foreign + self.hangs + self.wrong
        return faults > 0 or self.peak >= MOST_MB or not self.inputs


class Watched:
    """One running worker, as the driver sees it."""

    def __init__(self, kind: type[Kind], order: Order, row: Row, end: float) -> None:
        self.kind, self.order, self.row, self.end = kind, order, row, end
        self.out, inlet = os.pipe()
        self.pid = _started(kind, order, inlet)
        os.close(inlet)
        self.text, self.number, self.ended, self.hung = b"", order.first - 1, False, False
        self.limit, self._since = _PREPARATION, time.monotonic()
        # By thread: its waits for a processor when the watch began, and the latest. A child that has ended
        # stays in the second: what it waited is still no part of a hang.
        self._before: dict[str, float] | None = {}
        self._waits: dict[str, float] = {}
        self.began = time.monotonic()

    def read(self) -> bool:
        """Take in what the worker said; False when it has ended."""
        piece = os.read(self.out, 1 << 16)
        *lines, self.text = (self.text + piece).split(b"\n")
        for line in lines:
            self._heard(*line.decode().split())
        return bool(piece)

    def _heard(self, word: str, *rest: str) -> None:
        if word == "start":
            self.number, self.limit = int(rest[0]), HANG
        elif word == "done":
            self.row.inputs += 1
            self.row.kills += int(rest[1])
        elif word == "fault":
            setattr(self.row, rest[0], getattr(self.row, rest[0]) + 1)
        elif word == "peak":
            self.row.peak = max(self.row.peak, int(rest[0]))
        self.ended |= word == "end"
        self._since, self._before, self._waits = time.monotonic(), None, {}

    def watch(self) -> None:
        """Kill the worker where its input hangs; time in which others had the processor does not count."""
        silent = time.monotonic() - self._since
        if silent < self.limit / 2:
            return
        self._waits |= _waits(self.pid)
        if self._before is None:  # from half of the limit on, so that millisecond inputs cost nothing
            self._before = dict(self._waits)
        waited = sum(self._waits[thread] - self._before.get(thread, 0.0) for thread in self._waits)
        if silent - waited > self.limit or silent > self.limit + _MOST_WAIT:
            self.hung = True
            os.kill(self.pid, worker.SAY_WHERE)
            time.sleep(0.05)
            os.killpg(self.pid, signal.SIGKILL)

    def finish(self) -> Order | None:
        """Count how the worker ended. The order for the next one, where it ended too early."""
        os.close(self.out)
        _, status = os.waitpid(self.pid, 0)
        self.row.seconds += time.monotonic() - self.began
        stack = worker.stack(self.order)
        shutil.rmtree(self.order.folder, ignore_errors=True)
        if self.ended:
            return None
        self.row.hangs += self.hung
        self.row.crashes += not self.hung
        self.row.inputs += 1
        fault = "hang" if self.hung else f"crash {status}"
        rest = max(0.0, self.end - time.monotonic())
        if self.number < self.order.first and self.order.saved >= 0:
            return None  # it does not even get ready a second time
        number = max(self.number, self.order.first)
        then = {"first": number + 1, "seconds": rest, "saved": number, "fault": fault, "stack": stack}
        return replace(self.order, **then)


def _started(kind: type[Kind], order: Order, out: int) -> int:
    """The number of a new process, the first of a group of its own, that carries out an order."""
    if kind.checked:
        environment = os.environ | {
            "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(Path(order.found).with_name("numba")),
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.torture.worker", str(out), json.dumps(asdict(order))]
        process = subprocess.Popen(command, env=environment, pass_fds=[out], start_new_session=True)
        process.returncode = 0  # the driver waits for it itself
        return process.pid
    pid = os.fork()
    if not pid:
        os.setsid()
        worker.begin(order, out, kind)
    return pid


def _in_memory() -> str | None:
    """A folder whose files lie in memory, or None (the usual one) where there is none with enough room."""
    there = Path(_IN_MEMORY).is_dir() and shutil.disk_usage(_IN_MEMORY).free > _ROOM
    return _IN_MEMORY if there else None


def _waits(pid: int) -> dict[str, float]:
    """Seconds that each thread of a process and of its children waited for a processor so far."""
    found: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").glob("*"):
        try:
            found[task.name] = int((task / "schedstat").read_text().split()[1]) / 1e9
            children = (task / "children").read_text().split()
        except (OSError, IndexError):
            continue
        for child in children:
            found |= _waits(int(child))
    return found


class Bench:
    """All kinds within some minutes.

    Parameters
    ----------
    kinds : sequence of Kind classes
        What is tried.
    seed : int
        Seed of all inputs.
    folder : Path
        Where the offending inputs are stored.
    slots : int
        How many workers run at a time.
    say : callable
        Takes each sentence about the progress.
    """

    def __init__(
        self, kinds: Sequence[type[Kind]], seed: int, folder: Path, slots: int, say: Callable[[str], object]
    ) -> None:
        # Kinds that compile first, then those with the longest shares, so that the slots end together.
        self.kinds = sorted(kinds, key=lambda kind: (not kind.checked, -kind.share))
        self.seed, self.found, self.slots, self.say = seed, folder / "found", slots, say
        self.rows = {kind.name: Row(kind.name) for kind in kinds}
        shutil.rmtree(self.found, ignore_errors=True)
        self.found.mkdir(parents=True)

    def run(self, seconds: float) -> list[Row]:
        """Try all kinds for so many seconds, and at least one input of each; the rows of the table."""
        whole = sum(kind.share for kind in self.kinds)
        shares = [(kind, self.slots * seconds * kind.share / whole) for kind in self.kinds]
        with selectors.DefaultSelector() as selector:
            while shares or selector.get_map():
                while shares and len(selector.get_map()) < self.slots:
                    kind, share = shares.pop(0)
                    order = Order(kind.name, self.seed, 0, share, "", str(self.found))
                    self._start(selector, kind, order, time.monotonic() + share)
                for key, _ in selector.select(0.2):
                    if not key.data.read():
                        self._ended(selector, key.data)
                for key in list(selector.get_map().values()):
                    key.data.watch()
        return list(self.rows.values())

    def _start(self, selector: selectors.BaseSelector, kind: type[Kind], order: Order, end: float) -> None:
        folder = tempfile.mkdtemp(prefix="torture-", dir=_in_memory())
        order = replace(order, folder=folder)
        watched = Watched(kind, order, self.rows[kind.name], end)
        selector.register(watched.out, selectors.EVENT_READ, watched)

    def _ended(self, selector: selectors.BaseSelector, watched: Watched) -> None:
        selector.unregister(watched.out)
        again = watched.finish()
        if again is not None:
            self._start(selector, watched.kind, again, watched.end)
            return
        row = watched.row
        self.say(f"{row.kind}: {row.inputs:,} inputs{', FAULTS' if row.bad else ''}")


def table(rows: Sequence[Row]) -> str:
    """The counts of all kinds and their sums, as text."""
    whole = Row("all")
    for row in rows:
        for name in ("inputs", "kills", "crashes", "foreign", "hangs", "wrong", "seconds"):
            setattr(whole, name, getattr(whole, name) + getattr(row, name))
        whole.peak = max(whole.peak, row.peak)
    head = (
        "kind",
        "inputs",
        "kills",
        "crashes",
        "foreign errors",
        "hangs",
        "wrong results",
        "peak MB",
        "seconds",
    )
    lines = [head, *((*list(asdict(row).values())[:-1], round(row.seconds)) for row in (*rows, whole))]
    texts = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    padded = [
        "  ".join(
            [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        )
        for line in texts
    ]
    return "\n".join([padded[0], "-" * len(padded[0]), *padded[1:-1], "-" * len(padded[0]), padded[-1]])
