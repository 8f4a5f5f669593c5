"""Kernels for notebooks: clean processes, which on Linux find torch and this package already imported.

The imports of a notebook take a kernel several seconds. On Linux one process does them once (`preloaded`),
and each kernel is a copy of that process, made by the fork server of `multiprocessing`. That process runs no
cell and no network, so a copy is as clean as a new kernel: it has its own variables, warnings, figures and
random numbers. On macOS copying a process is not safe, and Windows cannot do it: there, a kernel is a new
process.

A kernel ends with the process that started it, however that one ended.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from queue import Empty
from typing import Any

import matplotlib
import numpy as np
import pandas
from ipykernel.kernelapp import IPKernelApp
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from scenelens.processes import end_with_parent

_COPIES = sys.platform == "linux"  # whether a kernel is a copy of a process that has imported everything
_PRELOADED = "scenelens.workbook.preloaded"
_INLINE = "module://matplotlib_inline.backend_inline"  # ipykernel's choice for the figures of pyplot
_ASK_EVERY = 0.5  # seconds


class _NotebookKernel(AsyncKernelManager):
    """Starts and ends one kernel of this Python; what `nbclient` calls a kernel manager.

    Examples
    --------
    >>> _NotebookKernel().kernel_spec.argv[1:3]
    ['-m', 'ipykernel_launcher']
    """

    def __init__(self) -> None:
        super().__init__(kernel_name="python3", kernel_spec_manager=_OwnPython())
        self.kernel_id = f"notebook-{id(self)}"
        self.provisioner = _Provisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)

    def client(self, **options: Any) -> AsyncKernelClient:  # type: ignore[override]
        """Make a client that misses no answer (see `_PatientChannel`).

        Parameters
        ----------
        **options
            As of `jupyter_client.manager.AsyncKernelManager.client`.

        Returns
        -------
        jupyter_client.asynchronous.AsyncKernelClient
            The client.
        """
        client = super().client(**options)
        client.shell_channel_class = _PatientChannel
        return client

    @staticmethod
    def prepare() -> None:
        """Begin the imports that all kernels share, where they can be shared; return before they are done."""
        if _COPIES:
            from multiprocessing import forkserver  # Windows has none

            _copying()
            with contextlib.suppress(OSError):  # kernels are new processes then
                forkserver.ensure_running()

    @staticmethod
    def kill_all() -> None:
        """Kill all kernels of this process, from any thread. The notebooks that they run fail."""
        for process in list(_STARTED):
            if process.poll() is None:
                process.kill()


class _OwnPython(KernelSpecManager):
    """Offers one kernel, this process's Python, and not the kernels that the user has registered.

    A registered "python3" may be another environment, without this package or with another version of it.
    """

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The spec of a kernel run by ``sys.executable``; `kernel_name` has no effect."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
        return KernelSpec(argv=argv, display_name="Python 3 (ipykernel)", language="python")


class _PatientChannel(AsyncZMQSocketChannel):
    """Waits for messages, and looks for them again and again while it waits.

    nbclient sends a message while it waits on the same channel whenever an Output widget changes. Sending
    may take away the signal that wakes the waiting (a socket of ZeroMQ gives it once). The answer to the cell
    would then be found only at the end of the cell's time limit.
    """

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # type: ignore[override]
        """The next message; raises Empty after `timeout` seconds."""
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            left = max(0.0, end - time.monotonic())
            try:
                return await super().get_msg(min(left, _ASK_EVERY))
            except Empty:
                if left == 0:
                    raise


class _Provisioner(LocalProvisioner):
    """Starts a kernel's process: a copy of the preloaded one where that is possible."""

    process: Any

    async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
        """Start the kernel that `cmd` describes, with the folder and environment in `options`."""
        self.process = _copied(cmd, options) if _COPIES else None
        if self.process is None:
            await super().launch_kernel(cmd, **options)
        else:
            self.pid = self.process.pid
        _STARTED.add(self.process)
        return self.connection_info


def _copied(cmd: list[str], options: dict[str, Any]) -> _Copy | None:
    """The kernel that `cmd` describes as a copy; None where the system makes none.

    It makes none where the path of TMPDIR is longer than a socket's may be, which is about 75 characters.
    """
    try:
        return _Copy(cmd[cmd.index("-f") :], str(options["cwd"]), options["env"])
    except OSError:
        return None


class _Copy:
    """A copied kernel's process, with the methods of `subprocess.Popen` that jupyter_client calls."""

    stdin = stdout = stderr = None

    def __init__(self, words: Sequence[str], folder: str, env: dict[str, str]) -> None:
        self._process = _start(_run_kernel, list(words), folder, dict(env))

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if not (hasattr(os, "getpgid") and hasattr(os, "killpg") and hasattr(os, "kill")):
            return  # never on Linux
        # Its children too, once it leads its group; before that, its group is the fork server's.
        with contextlib.suppress(ProcessLookupError):  # it has ended
            if os.getpgid(self.pid) == self.pid:
                os.killpg(self.pid, number)
            else:
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if hasattr(signal, "SIGKILL"):
            self.send_signal(signal.SIGKILL)


#: The processes of kernels, as long as somebody holds them.
_STARTED: weakref.WeakSet[Any] = weakref.WeakSet()
_STARTING = threading.Lock()


def _copying() -> Any:
    """What starts processes as copies of the preloaded one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOADED])
    return context


def _start(task: Callable[..., object], *arguments: Any) -> BaseProcess:
    """Call `task` in a new copy of the preloaded process, which is made first if there is none."""
    process: BaseProcess = _copying().Process(target=task, args=arguments)
    with _STARTING:
        # A new process imports the program that is running, if multiprocessing finds it. A kernel must not.
        program = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            process.start()
        finally:
            sys.modules["__main__"] = program
    return process


def _run_kernel(words: Sequence[str], folder: str, env: dict[str, str]) -> None:
    """Be a kernel, in a new copy of the preloaded process, until it is told to end.

    Parameters
    ----------
    words : sequence of str
        The words of ``python -m ipykernel_launcher``.
    folder : str
        Where the kernel starts.
    env : dict of str to str
        Its environment.
    """
    multiprocessing.set_start_method(None, force=True)  # the usual one, not the one that made this process
    if hasattr(os, "setsid"):
        os.setsid()  # so that a signal to the kernel reaches the processes that it starts, and no others
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(getattr(sys.modules.get(_PRELOADED), "ENVIRONMENT", {}) | env)
    sys.argv[1:] = words
    atexit._clear()  # what was registered belongs to the process that was copied
    end_with_parent()
    # These two look for a notebook when they are imported, which was before there was one.
    pandas.set_option("display.max_columns", 20)
    matplotlib.rcParams["backend"] = env.get("MPLBACKEND") or _INLINE
    np.random.seed()  # otherwise all copies would draw the same numbers
    try:
        IPKernelApp.launch_instance(list(words), parent_handle=os.getppid())
    finally:
        atexit._run_exitfuncs()  # multiprocessing does not call them in a copy
