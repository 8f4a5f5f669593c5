"""What is wrong with an executed notebook, one sentence per problem.

Jupyter counts a notebook as executed when every cell ran. A reader also meets errors that no cell raised: in
a widget's callback, in a thread, in an Output widget. This module looks for all of them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nbformat import NotebookNode

from scenelens.workbook.widgets.status import ERROR_CLASS

_WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
_TRACEBACK = "Traceback (most recent call last)"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_TAGS = re.compile(r"<[^>]+>")


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
    >>> widget_models(nbformat.v4.new_notebook())
    {}
    """
    return notebook.metadata.get("widgets", {}).get(_WIDGET_STATE, {}).get("state", {})


def find_problems(notebook: NotebookNode) -> list[str]:
    """The problems that a reader of this executed notebook would meet.

    They are: errors among the outputs of cells (unless the cell is tagged ``raises-exception``), tracebacks
    printed to stderr, errors captured by Output widgets, status lines that show an error, and a notebook that
    runs no code or shows nothing.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        An executed notebook, with its widgets' state.

    Returns
    -------
    list of str
        One sentence per problem; empty if there is none.

    Examples
    --------
    >>> import nbformat
    >>> find_problems(nbformat.v4.new_notebook())
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
    for model in widget_models(notebook).values():
        state = model["state"]
        for output in state.get("outputs", ()):
            if output["output_type"] == "error":
                yield f"a widget's callback failed, captured by an Output widget: {_sentence(output)}"
            elif _TRACEBACK in output.get("text", ""):
                yield f"an Output widget shows a traceback: {_last_line(output['text'])}"
        if ERROR_CLASS in state.get("_dom_classes", ()) and state.get("value"):
            # The status line is HTML: the sentence in bold, then the traceback in <details>.
            text = html.unescape(_TAGS.sub(" ", state["value"].partition("<details")[0])).strip()
            yield f"a widget's status line shows an error: {text}"


def _sentence(error: Mapping[str, Any]) -> str:
    return _last_line(f"{error['ename']}: {error['evalue']}".strip())


def _last_line(text: str) -> str:
    # A traceback ends with the error's type and message; IPython colours it.
    return _ANSI.sub("", text).strip().splitlines()[-1]
