"""Processes that render, and that end when the process that started them ends."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process

import cv2

__all__ = ["cores", "render_pool"]


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def render_pool(workers: int) -> ProcessPoolExecutor:
    """Processes for rendering.

    Parameters
    ----------
    workers : int
        Number of processes.

    Returns
    -------
    concurrent.futures.ProcessPoolExecutor
        The pool. Its processes end with this one, even if it is killed: a killed process cannot tell them to stop, and
        each would keep 150 MB of memory and the lock on the world.
    """
    # Forked processes inherit the compiled kernels.
    context = get_context("fork" if sys.platform == "linux" else "spawn")
    return ProcessPoolExecutor(workers, context, initializer=_begin)


def _begin() -> None:
    cv2.setNumThreads(0)  # OpenCV's own threads would only compete with the other processes
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # This waits for the end of the parent on any system, unlike signals of the kernel or a look at the parent's number.
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
