"""How many cores this process may use, and processes that end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def cores() -> int:
    """Count the cores that this process may use, which may be fewer than the machine has.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> cores() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_with_parent() -> None:
    """Let this process of `multiprocessing` end when its parent ends, even if that one is killed."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    # This waits for the parent's end on any system, unlike signals of the kernel or a look at its number.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end a ``with`` block as an error does, so that what the block opened is closed.

    Yields
    ------
    None
        Meanwhile SIGTERM raises SystemExit, with the exit status that a shell gives for it. Outside the main
        thread, which no signal reaches, nothing changes.
    """

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
