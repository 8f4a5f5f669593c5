"""Runs code in a process of its own, without the seconds that its imports take."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

from scenelens.workbook.kernels import _COPIES, _start
from tests.requirements_gate import ROOT


def run_in_copy(code: str, *arguments: str, timeout: float = 100) -> int:
    """Run code as ``python -c`` does, and return the exit status; minus the signal's number if it was killed.

    The process is a copy of the one that notebooks' kernels are copied from: the package is imported there,
    and nothing was called.
    """
    if not _COPIES:
        return subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, timeout=timeout).returncode
    process = _start(_run, code, list(arguments), dict(os.environ))
    process.join(timeout)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"the code was not done after {timeout} s:\n{code}")
    return process.exitcode


def _run(code: str, arguments: list[str], env: dict[str, str]) -> None:
    multiprocessing.set_start_method(None, force=True)  # the usual one, not the one that made this process
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<copy>", "exec"), {"__name__": "__main__"})
