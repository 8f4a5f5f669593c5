"""Runs one notebook from beginning to end, in a new kernel of the Python that runs this code."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from scenelens.errors import SceneLensError
from scenelens.workbook.problems import find_problems


@dataclass
class Run:
    """One executed notebook.

    Attributes
    ----------
    name : str
        The notebook's name, without ``.ipynb``.
    notebook : nbformat.NotebookNode
        The notebook with its outputs and its widgets' state.
    seconds : float
        How long it ran.
    problems : list of str
        What is wrong with it, one sentence each (see `find_problems`).
    """

    name: str
    notebook: NotebookNode
    seconds: float
    problems: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path, timeout: float = 600) -> Run:
        """Execute a notebook, and look for problems in it.

        The kernel starts in the notebook's own folder, as in JupyterLab, and without the user's IPython
        profile. The file is not changed.

        Parameters
        ----------
        path : pathlib.Path
            The notebook.
        timeout : float, optional
            Seconds that each cell may take (default 600).

        Returns
        -------
        Run
            The executed notebook, with its widgets' state.

        Raises
        ------
        SceneLensError
            If `path` is no notebook. A notebook that fails raises nothing: see ``Run.problems``.
        """
        notebook = _read_notebook(path)
        started = time.perf_counter()
        unfinished = _execute(notebook, path.parent, timeout)
        seconds = time.perf_counter() - started
        return cls(path.stem, notebook, seconds, unfinished + find_problems(notebook))


class _OwnPython(KernelSpecManager):
    """Offers one kernel, this process's Python, and not the kernels that the user has registered.

    A registered "python3" may be another environment, without this package or with another version of it.
    """

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The spec of a kernel run by ``sys.executable``; `kernel_name` has no effect."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
        return KernelSpec(argv=argv, display_name="Python 3 (ipykernel)", language="python")


def _read_notebook(path: Path) -> NotebookNode:
    """Read a notebook of format 4; raise SceneLensError if the file is missing or is no notebook.

    Examples
    --------
    >>> from pathlib import Path
    >>> _read_notebook(Path("no_such.ipynb"))
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: cannot read the notebook no_such.ipynb: No such file or directory.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        return notebook
    except OSError as error:
        raise SceneLensError(f"cannot read the notebook {path}: {error.strerror}.") from error
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise SceneLensError(f"{path} is not a Jupyter notebook of format 4: {reason}") from error


def _execute(notebook: NotebookNode, folder: Path, timeout: float) -> list[str]:
    """Execute in place; return the problems that the outputs do not show."""
    kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=_OwnPython())
    client = NotebookClient(notebook, km=kernel, timeout=timeout, store_widget_state=True)
    # An empty profile: start-up files of the user's own could change what a notebook shows. The other
    # variable switches off a debugger's warning, which would be printed into the first cell.
    with tempfile.TemporaryDirectory(prefix="scenelens-profile-") as profile:
        env = {**os.environ, "IPYTHONDIR": profile, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        try:
            client.execute(cwd=str(folder), env=env)
        except CellExecutionError:
            return []  # the error is among the cell's outputs, where find_problems finds it
        except CellTimeoutError:
            return [f"a cell ran longer than {timeout:.0f} s."]
        except DeadKernelError:
            return ["its kernel died, as it does when memory runs out."]
    return []
