"""Work that waits until the reader pauses, so that only the last of many clicks is answered in full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

_PAUSE = 0.06  # seconds: the browser shows what is there already, and the next click may come
_BETWEEN = 0.005  # between two steps


class Waiting:
    """One piece of work that waits; a new one takes its place.

    In a kernel, messages of clicks that have come meanwhile are handled first. Where no event loop runs, as
    in a test, work is done at once.

    Examples
    --------
    >>> Waiting().wait(lambda: print("done"))
    done
    """

    def __init__(self) -> None:
        self._next: asyncio.TimerHandle | None = None

    def cancel(self) -> None:
        """Forget what waits."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def wait(self, work: Callable[[], object]) -> None:
        """Do a piece of work after a pause, in place of what waited before.

        Parameters
        ----------
        work : callable
            Without arguments.
        """
        self.cancel()
        loop = _running_loop()
        if loop is None:
            work()
        else:
            self._next = loop.call_later(_PAUSE, work)

    def wait_in_steps(self, steps: Iterator[object]) -> None:
        """Do a long piece of work in short steps, with pauses between them.

        Where no event loop runs, nothing is done.

        Parameters
        ----------
        steps : iterator
            Its next value is asked for at each step.
        """
        self.cancel()
        loop = _running_loop()

        def step() -> None:
            if next(steps, self) is not self and loop is not None:
                self._next = loop.call_later(_BETWEEN, step)

        if loop is not None:
            self._next = loop.call_later(_PAUSE, step)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
