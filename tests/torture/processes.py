"""Forks of a worker: to be killed at some moment, or to race each other."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.torture.kind import Foreign


class Fork:
    """A child process that does one thing and ends; what it raises is an error of who waits for it."""

    def __init__(self, work: Callable[[], object], folder: Path) -> None:
        self._errors = folder / f"error-{time.monotonic_ns()}.txt"
        self.pid = os.fork()
        if not self.pid:
            status = 1
            try:
                work()
                status = 0
            except BaseException:
                self._errors.write_text(traceback.format_exc())
            finally:
                os._exit(status)

    def killed_after(self, seconds: float) -> bool:
        """Kill it after so many seconds; False where it had ended before."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._ended():
            time.sleep(0.0005)
        os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def wait(self) -> bool:
        """Wait for its end; whether it was killed."""
        status = os.waitpid(self.pid, 0)[1]
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGKILL:
            raise Foreign(f"a process ended with signal {os.WTERMSIG(status)}")
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            text = self._errors.read_text() if self._errors.exists() else "no word"
            raise Foreign(f"{text.strip().splitlines()[-1][:200]}\n{text}")
        return os.WIFSIGNALED(status)

    def _ended(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
