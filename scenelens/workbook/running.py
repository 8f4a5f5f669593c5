"""Runs one notebook from beginning to end, in a new kernel, and finds what is wrong with the result.

Jupyter counts a notebook as executed when every cell ran. A reader also meets errors that no cell raised: in
a widget's callback, in a thread, in an Output widget. `Run.of` looks for all of them.
"""

from __future__ import annotations

import html
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from scenelens.errors import SceneLensError
from scenelens.workbook.kernels import _NotebookKernel
from scenelens.workbook.widgets.status import ERROR_CLASS
from scenelens.workbook.widgets.steps import DRAW_STEPS, STEPS
from scenelens.workbook.widgets.still import STILL

_WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_BUSY, _IDLE = "iopub.status.busy", "iopub.status.idle"  # nbclient's notes of when a cell began and ended
_TRACEBACK = "Traceback (most recent call last)"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_TAGS = re.compile(r"<[^>]+>")


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
        What is wrong with it, one sentence each.
    steps : dict of str to dict
        By the id of a widget's model, the pictures that it has drawn in advance for its page. They are no
        part of the notebook: it has the widget.
    """

    name: str
    notebook: NotebookNode
    seconds: float
    problems: list[str] = field(default_factory=list)
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)

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
        _drop_stills(notebook)
        steps = _take_steps(notebook)
        return cls(path.stem, notebook, seconds, unfinished + _find_problems(notebook), steps)

    def file(self) -> bytes:
        """The executed notebook as a file.

        Returns
        -------
        bytes
            What an .ipynb file holds.
        """
        return nbformat.writes(self.notebook).encode()

    def cell_seconds(self) -> list[tuple[int, float, str]]:
        """How long each code cell took.

        Returns
        -------
        list of (int, float, str)
            The cell's number in the notebook, from 1; seconds; its first line.

        Examples
        --------
        >>> Run("empty", nbformat.v4.new_notebook(), 0.0).cell_seconds()
        []
        """
        found = []
        for number, cell in enumerate(self.notebook.cells, start=1):
            noted = cell.metadata.get("execution", {})
            if {_BUSY, _IDLE} <= set(noted):
                seconds = datetime.fromisoformat(noted[_IDLE]) - datetime.fromisoformat(noted[_BUSY])
                found.append((number, seconds.total_seconds(), cell.source.partition("\n")[0]))
        return found

    @staticmethod
    def widget_models(notebook: NotebookNode) -> dict[str, dict[str, Any]]:
        """The saved widget models of a notebook.

        Parameters
        ----------
        notebook : nbformat.NotebookNode
            An executed notebook, with its widgets' state.

        Returns
        -------
        dict of str to dict
            By model id: ``model_name``, ``state`` and, for bytes such as an image's, ``buffers``. Empty for a
            notebook without widgets.

        Examples
        --------
        >>> import nbformat
        >>> Run.widget_models(nbformat.v4.new_notebook())
        {}
        """
        return notebook.metadata.get("widgets", {}).get(_WIDGET_STATE, {}).get("state", {})


def _drop_stills(notebook: NotebookNode) -> None:
    """Take the still pictures out that stand under widgets: the widgets' states are stored here."""
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [one for one in cell.outputs if one.get("metadata", {}).get("scenelens") != STILL]


def _take_steps(notebook: NotebookNode) -> dict[str, dict[str, Any]]:
    """Take the pictures out that widgets have drawn for their page; return them by the widget's id."""
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            drawn = output.get("metadata", {}).pop(STEPS, None)
            if drawn and WIDGET_VIEW in output.data:
                found[output.data[WIDGET_VIEW]["model_id"]] = drawn
    return found


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
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise SceneLensError(f"{path} is not a Jupyter notebook of format 4: {reason}") from error


def _execute(notebook: NotebookNode, folder: Path, timeout: float) -> list[str]:
    """Execute in place; return the problems that the outputs do not show."""
    client = NotebookClient(notebook, km=_NotebookKernel(), timeout=timeout, store_widget_state=True)
    # An empty profile: start-up files of the user's own could change what a notebook shows. The other
    # variable switches off a debugger's warning, which would be printed into the first cell.
    with tempfile.TemporaryDirectory(prefix="scenelens-profile-") as profile:
        env = {**os.environ, "IPYTHONDIR": profile, "PYDEVD_DISABLE_FILE_VALIDATION": "1", DRAW_STEPS: "1"}
        try:
            client.execute(cwd=str(folder), env=env, cleanup_kc=True)
        except CellExecutionError:
            return []  # the error is among the cell's outputs, where _find_problems finds it
        except CellTimeoutError:
            return [f"a cell ran longer than {timeout:.0f} s."]
        except DeadKernelError:
            return ["its kernel died, as it does when memory runs out."]
    return []


def _find_problems(notebook: NotebookNode) -> list[str]:
    """The problems that a reader of this executed notebook would meet, one sentence each.

    They are: errors among the outputs of cells (unless the cell is tagged ``raises-exception``), tracebacks
    printed to stderr, errors captured by Output widgets, status lines that show an error, and a notebook that
    runs no code or shows nothing.

    >>> _find_problems(nbformat.v4.new_notebook())
    ['it is empty: no code cell was run.']
    """
    return [*_empty(notebook), *_cell_errors(notebook), *_widget_errors(notebook)]


def _empty(notebook: NotebookNode) -> Iterator[str]:
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    if not any(cell.get("execution_count") for cell in code):
        yield "it is empty: no code cell was run."
    elif not any(cell.outputs for cell in code):
        yield "it is empty: its code cells show nothing at all."


def _cell_errors(notebook: NotebookNode) -> Iterator[str]:
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or "raises-exception" in cell.metadata.get("tags", []):
            continue
        for output in cell.outputs:
            if output.output_type == "error":
                yield f"cell {number} failed: {_sentence(output)}"
            elif output.output_type == "stream" and _TRACEBACK in output.text:
                yield f"cell {number} printed a traceback: {_last_line(output.text)}"


def _widget_errors(notebook: NotebookNode) -> Iterator[str]:
    for model in Run.widget_models(notebook).values():
        state = model["state"]
        for output in state.get("outputs", ()):
            if output["output_type"] == "error":
                yield f"a widget's callback failed, captured by an Output widget: {_sentence(output)}"
            elif _TRACEBACK in output.get("text", ""):
                yield f"an Output widget shows a traceback: {_last_line(output['text'])}"
        if ERROR_CLASS in state.get("_dom_classes", ()) and state.get("value"):
            # The status line is HTML: a sign and the sentence in bold, then advice, then the traceback.
            sentence = state["value"].partition("<details")[0].partition("</b>")[0]
            text = html.unescape(_TAGS.sub(" ", sentence)).strip().removeprefix("⚠").strip()
            yield f"a widget's status line shows an error: {text}"


def _sentence(error: Mapping[str, Any]) -> str:
    return _last_line(f"{error['ename']}: {error['evalue']}".strip())


def _last_line(text: str) -> str:
    # A traceback ends with the error's type and message; IPython colours it.
    return _ANSI.sub("", text).strip().splitlines()[-1]
