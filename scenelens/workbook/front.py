"""A notebook's title, section of the paper, minutes and goals, for the workbook's table of contents."""

from __future__ import annotations

import re
from typing import Any

from nbformat import NotebookNode

_HEADING = re.compile(r"^#\s+(.+)$", re.MULTILINE)
_SECTION = re.compile(r"\b[Ss]ections?\s+([\d.]*\d)")
_MINUTES = re.compile(r"\b(\d+)\s*min")
_BULLET = re.compile(r"^\s*(?:[-*]|\d+\.)\s+(.+(?:\n {2,}\S.*)*)$", re.MULTILINE)
_MARKUP = re.compile(r"[*_`]+|\[([^\]]*)\]\([^)]*\)")


def read_front(notebook: NotebookNode, name: str) -> dict[str, Any]:
    """Read title, section, minutes and goals from the markdown before the first code cell.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The notebook.
    name : str
        The title of a notebook without a heading.

    Returns
    -------
    dict
        ``title`` (the first ``# heading``), ``section`` (of the paper, such as '3.1', or ''), ``minutes``
        (int, 0 if the notebook does not say) and ``goals`` (the first list, a list of str).

    Examples
    --------
    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> text = "# Two networks\\n\\nSection 2 of the paper · 25 minutes\\n\\n- see *both* networks"
    >>> read_front(new_notebook(cells=[new_markdown_cell(text)]), "02_two_networks")
    {'title': 'Two networks', 'section': '2', 'minutes': 25, 'goals': ['see both networks']}
    """
    text = _opening(notebook)
    title = _HEADING.search(text)
    return {
        "title": _plain(title[1]) if title else name,
        "section": _first(_SECTION, text),
        "minutes": int(_first(_MINUTES, text) or 0),
        "goals": [_plain(goal) for goal in _BULLET.findall(_first_list(text))],
    }


def _opening(notebook: NotebookNode) -> str:
    """The markdown before the first code cell, or before the second heading that is not "Goals"."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            break
        cells.append(cell.source)
    return re.split(r"^##\s(?!.*[Gg]oal)", "\n\n".join(cells), maxsplit=1, flags=re.MULTILINE)[0]


def _first_list(text: str) -> str:
    found = _BULLET.search(text)
    return re.split(r"\n\s*\n(?!\s*[-*\d])", text[found.start() :], maxsplit=1)[0] if found else ""


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def _plain(text: str) -> str:
    return " ".join(_MARKUP.sub(lambda found: found[1] or "", text).split())
