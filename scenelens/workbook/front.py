"""A notebook's title, section of the paper, minutes and goals, for the workbook's table of contents."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nbformat import NotebookNode

_HEADING = re.compile(r"^#\s+(.+)$", re.MULTILINE)
_SECTION = re.compile(r"\b[Ss]ections?\s+([\d.]*\d)")
_MINUTES = re.compile(r"\b(\d+)\s*min")
_BULLET = re.compile(r"^\s*(?:[-*]|\d+\.)\s+(.+(?:\n {2,}\S.*)*)$", re.MULTILINE)
_MARKUP = re.compile(r"[*_`]+|\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Front:
    """What the first cells of a notebook say about it.

    Attributes
    ----------
    title : str
        The title.
    section : str
        Section of the paper, such as '3.1'; '' if the notebook names none.
    minutes : int
        How long the notebook takes; 0 if it does not say.
    goals : tuple of str
        What a reader learns; may be empty.
    """

    title: str
    section: str
    minutes: int
    goals: tuple[str, ...]


def read_front(notebook: NotebookNode, name: str) -> Front:
    """Read title, section, minutes and goals from the markdown before the first code cell.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The notebook.
    name : str
        The title of a notebook without a heading.

    Returns
    -------
    Front
        The title is the first ``# heading``, the goals are the first list.

    Examples
    --------
    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> text = "# Two networks\\n\\nSection 2 of the paper · 25 minutes\\n\\n- see *both* networks"
    >>> read_front(new_notebook(cells=[new_markdown_cell(text)]), "02_two_networks")
    Front(title='Two networks', section='2', minutes=25, goals=('see both networks',))
    """
    text = _opening(notebook)
    title = _HEADING.search(text)
    return Front(
        title=_plain(title[1]) if title else name,
        section=_first(_SECTION, text),
        minutes=int(_first(_MINUTES, text) or 0),
        goals=tuple(_plain(goal) for goal in _BULLET.findall(_first_list(text))),
    )


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
