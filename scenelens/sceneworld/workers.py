"""Processes that render, and that end when the process that started them ends."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2

__all__ = ["cores", "render_pool"]

_LOOK_EVERY = 0.5  # seconds between two looks at whether the parent is still there


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
    return ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(os.getpid(),))


def _begin(parent: int) -> None:
    cv2.setNumThreads(0)  # OpenCV's own threads would only compete with the other processes
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    # A process whose parent has died gets another parent. This holds on Linux and macOS, unlike signals of the kernel.
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY)
    os._exit(1)
