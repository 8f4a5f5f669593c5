"""What a kind of input is, and what the bench calls a fault."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from pathlib import Path

#: One input: names of files and their contents. A schedule of kills is a JSON file.
Files = dict[str, bytes]

#: How an exception that is not ours looks in a row of the report of repairs.
_FOREIGN = re.compile(r"^[A-Z]\w*(Error|Exception|Warning|Interrupt|Exit): ")


class Wrong(Exception):
    """The result is not that of the undamaged input, or not that of a computation from nothing."""


class Foreign(Exception):
    """Something failed with another exception than a SceneLensError, which was caught on its way."""


class Kind:
    """One kind of input. A subclass prepares what all its inputs need in ``__init__``.

    ``make`` may depend on nothing but `rng` and the preparation, so that a number repeats an input.
    """

    #: Its name in the table, its part of the time, and whether Numba's bounds checks are compiled in.
    name = ""
    share = 1.0
    checked = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kills = 0
        #: To be called between the parts of a long input, so that the watchdog measures each of them.
        self.step: Callable[[], None] = lambda: None
        self._written = 0

    def make(self, rng: random.Random) -> Files:
        """An input."""
        raise NotImplementedError

    def check(self, files: Files) -> None:
        """Give it to the package. Raise `Wrong`, `Foreign`, or what the package raised and should not."""
        raise NotImplementedError

    def write(self, path: Path, content: bytes) -> Path:
        """Write a file whose time stamp differs from that of all earlier ones: clocks of file systems are
        coarse, and two inputs in one tick are no fault of the package."""
        path.write_bytes(content)
        self._written += 1
        os.utime(path, ns=(self._written * 1_000_000, self._written * 1_000_000))
        return path


def expect(right: object, text: str) -> None:
    """Raise `Wrong` with this text unless something holds."""
    if not right:
        raise Wrong(text)


def expect_sentence(text: str, *words: str) -> None:
    """Raise `Wrong` unless an error is one line of bounded length that has these words."""
    expect("\n" not in text and len(text) < 2000, f"an error of {len(text)} characters or several lines")
    expect(all(word in text for word in words), f"an error does not name {words}")


def expect_report(details: list[str]) -> None:
    """Raise `Foreign` for a row of a report that holds an exception instead of a sentence."""
    for detail in details:
        if _FOREIGN.match(detail):
            raise Foreign(detail)
