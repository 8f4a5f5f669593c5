"""What is wrong with an executed notebook, each problem one sentence."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nbformat import NotebookNode

ERROR_CLASS = "scenelens-error"  # scenelens.workbook.widgets.status marks a line that shows an error with it
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
TRACEBACK = "Traceback (most recent call last)"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
TAGS = re.compile(r"<[^>]+>")


def widget_models(notebook: NotebookNode) -> dict[str, dict[str, Any]]:
    """Return the saved widget models of a notebook, by model id; empty where it shows no widget.

    Each is a mapping with ``model_name``, ``state`` and, for bytes such as an image's, ``buffers``.

    Examples
    --------
    >>> import nbformat
    >>> widget_models(nbformat.v4.new_notebook())
    {}
    """
    return notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})


def find_problems(notebook: NotebookNode) -> list[str]:
    """Return what a reader of this executed notebook would stumble over; an empty list where all is well.

    Looked for are errors among the outputs of cells (unless the cell is tagged ``raises-exception``),
    tracebacks printed to stderr, errors captured by Output widgets, status lines that show an error,
    and a notebook that runs no code or shows nothing.

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
            elif output.output_type == "stream" and TRACEBACK in output.text:
                yield f"cell {number} printed a traceback: {_last_line(output.text)}"


def _widget_errors(notebook: NotebookNode) -> Iterator[str]:
    for model in widget_models(notebook).values():
        state = model["state"]
        for output in state.get("outputs", ()):
            if output["output_type"] == "error":
                yield f"a widget's callback failed, captured by an Output widget: {_sentence(output)}"
            elif TRACEBACK in output.get("text", ""):
                yield f"an Output widget shows a traceback: {_last_line(output['text'])}"
        if ERROR_CLASS in state.get("_dom_classes", ()) and state.get("value"):
            text = html.unescape(TAGS.sub(" ", state["value"].partition("<details")[0])).strip()
            yield f"a widget's status line shows an error: {text}"


def _sentence(error: Mapping[str, Any]) -> str:
    return _last_line(f"{error['ename']}: {error['evalue']}".strip())


def _last_line(text: str) -> str:
    return ANSI.sub("", text).strip().splitlines()[-1]
