"""What runs in the bench's processes: one input after the other, and a word about each to the driver.

``python -m tests.torture.worker`` starts such a process anew, where bounds checks must be compiled in before
anything is imported. All other workers are forks of the driver, which has imported everything.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from scenelens.errors import SceneLensError
from tests.torture.kind import Files, Foreign, Kind, Wrong

CRASH, SAY_WHERE = "crash.txt", signal.SIGUSR1  # the driver asks a worker that hangs where it is
_MEMORY = 3 << 30  # bytes of addresses beyond those at the start: the machine is safe, and 1 GB is measured


@dataclass(frozen=True)
class Order:
    """What a worker has to do.

    `first` is the number of the first input; `seconds` is how long it may go on; `saved` is the number of an
    input that ended the worker before, `fault` what it did, and `stack` where.
    """

    kind: str
    seed: int
    first: int
    seconds: float
    folder: str
    found: str
    saved: int = -1
    fault: str = ""
    stack: str = ""


class Worker:
    """One process; `run` returns when the time is over."""

    def __init__(self, order: Order, out: int, kind: type[Kind]) -> None:
        self.order, self.out, self.kind = order, out, kind

    def say(self, *words: object) -> None:
        """Send one line to the driver."""
        os.write(self.out, (" ".join(map(str, words)) + "\n").encode())

    def run(self) -> None:
        """Prepare, then check inputs until the time is over."""
        order, end = self.order, time.monotonic() + self.order.seconds
        _limit_memory()
        try:
            kind = self.kind(Path(order.folder))
        except BaseException as error:
            self._fault("foreign", -1, {}, error)
            self.say("end")
            return
        kind.step = lambda: self.say("step")
        self.say("ready")
        if order.saved >= 0:
            save(order, order.saved, order.fault, kind.make(_random(order, order.saved)), order.stack)
        number = order.first
        while number == order.first or time.monotonic() < end:
            self._one(kind, number)
            number += 1
        self.say("peak", _peak())
        self.say("end")

    def _one(self, kind: Kind, number: int) -> None:
        files, before = Files(), kind.kills
        self.say("start", number)
        try:
            files = kind.make(_random(self.order, number))
            kind.check(files)
        except Wrong as error:
            self._fault("wrong", number, files, error)
        except BaseException as error:
            self._fault("foreign", number, files, error)
        self.say("done", number, kind.kills - before)
        if number % 50 == 0:
            self.say("peak", _peak())

    def _fault(self, what: str, number: int, files: Files, error: BaseException) -> None:
        self.say("fault", what)
        place = re.sub(r"[\d.,]+", "N", f"{_place(error)} {error}")[:70] if what == "wrong" else _place(error)
        save(self.order, number, f"{what} {place}", files, "".join(traceback.format_exception(error)))


def save(order: Order, number: int, fault: str, files: Files, text: str) -> None:
    """Store an input and how to repeat it, unless a smaller one with the same fault is there."""
    folder = Path(order.found, re.sub(r"[^\w.-]+", "-", f"{order.kind} {fault}").strip("-")[:120])
    size, about = sum(map(len, files.values())), folder / "about.json"
    if about.exists() and json.loads(about.read_text())["bytes"] <= size:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "error.txt").write_text(text, errors="replace")
    repeat = f"python -m tests.torture --seed {order.seed} --repeat {order.kind}:{number}"
    about.write_text(json.dumps({"fault": fault, "bytes": size, "repeat": repeat}, indent=1))


def repeat(name: str, seed: int, number: int, folder: Path) -> None:
    """Check one input in this process; whatever it does, it does here."""
    kind = _kind(name)(folder)
    kind.check(kind.make(_random(Order(name, seed, number, 0, "", ""), number)))


def _kind(name: str) -> type[Kind]:
    from tests.torture.kinds import KINDS  # here, because some kinds start processes that import this file

    return next(kind for kind in KINDS if kind.name == name)


def _random(order: Order, number: int) -> random.Random:
    return random.Random(f"{order.seed} {order.kind} {number}")


def _place(error: BaseException) -> str:
    """The kind of an exception and the last line of the package that it passed."""
    if isinstance(error, Foreign):
        return str(error)[:60]
    if isinstance(error, Wrong):
        return ""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if "scenelens/" in one.filename]
    where = f"{Path(frames[-1].filename).name} {frames[-1].lineno}" if frames else ""
    said = f" {error}"[:40] if isinstance(error, SceneLensError) else ""
    return f"{type(error).__name__} {where}{said}"


def _limit_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, hard))


def _peak() -> int:
    """The largest memory of this process and of its children so far, in MB."""
    own = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(int(own[1]) if own else 0, children) >> 10


def stack(order: Order) -> str:
    """Where a worker was when it ended or hung, as far as it could say; what it did in any case."""
    file = Path(order.folder, CRASH)
    text = file.read_text(errors="replace") if file.exists() else ""
    return text.partition("\nExtension modules")[0][-8000:] or "no stack"


def begin(order: Order, out: int, kind: type[Kind] | None = None) -> None:
    """Run a worker in this process, quietly, and end the process."""
    status = 1
    try:
        quiet = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(quiet, number)
        crash = open(Path(order.folder, CRASH), "a")  # noqa: SIM115 (open until the process ends)
        faulthandler.enable(crash)
        faulthandler.register(SAY_WHERE, crash)
        # tqdm's own lock is shared with forks, and stays locked where one of them is killed while it has it.
        tqdm.set_lock(threading.RLock())
        try:
            Worker(order, out, kind or _kind(order.kind)).run()
            status = 0
        except BaseException:
            traceback.print_exc(file=crash)  # a fault of the bench itself, such as in `make`
            crash.flush()
    finally:
        os._exit(status)


if __name__ == "__main__":
    begin(Order(**json.loads(sys.argv[2])), int(sys.argv[1]))
