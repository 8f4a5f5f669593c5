"""Processes that render, and that end when the process that started them ends."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2

from scenelens.processes import cores, end_with_parent

__all__ = ["cores", "render_pool"]


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
    end_with_parent()
