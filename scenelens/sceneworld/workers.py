"""Processes that render, and that end when the process that started them ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import cv2

from scenelens.processes import cores, end_with_parent

__all__ = ["cores", "render_pool"]


@contextmanager
def render_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes for rendering, in a ``with`` block.

    Parameters
    ----------
    workers : int
        Number of processes.

    Yields
    ------
    concurrent.futures.ProcessPoolExecutor
        The pool. Its processes end with this one, even if it is killed: a killed process cannot tell them to stop, and
        each would keep 150 MB of memory and the lock on the world. Whoever leaves the block early waits for no picture
        that is not begun.
    """
    # Forked processes inherit the compiled kernels.
    context = get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    # Ctrl-C, or a notebook's stop button, reaches all processes at once: the first one tells the others to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)  # OpenCV's own threads would only compete with the other processes
    end_with_parent()
