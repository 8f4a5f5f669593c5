"""How many cores this process may use, and processes that end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import threading


def _cores() -> int:
    """How many cores this process may use, which may be fewer than the machine has.

    >>> _cores() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end_with_parent() -> None:
    """Let this process of `multiprocessing` end when its parent ends, even if that one is killed."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    # This waits for the parent's end on any system, unlike signals of the kernel or a look at its number.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
