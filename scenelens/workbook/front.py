"""What a notebook says about itself on its first page: title, section, minutes, goals."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nbformat import NotebookNode

HEADING = re.compile(r"^#\s+(.+)$", re.MULTILINE)
SECTION = re.compile(r"\b[Ss]ections?\s+([\d.]*\d)")
MINUTES = re.compile(r"\b(\d+)\s*min")
BULLET = re.compile(r"^\s*(?:[-*]|\d+\.)\s+(.+(?:\n {2,}\S.*)*)$", re.MULTILINE)
MARKUP = re.compile(r"[*_`]+|\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True)
class Front:
    """The front of one notebook; what it does not say is empty, or 0 for the minutes."""

    title: str
    section: str
    minutes: int
    goals: tuple[str, ...]


def read_front(notebook: NotebookNode, name: str) -> Front:
    """Read title, section of the paper, minutes and goals from the markdown before the first code cell.

    The title is the first ``# heading`` (`name` where there is none), the goals are the first list.

    Examples
    --------
    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> text = "# Two networks\\n\\nSection 2 of the paper · 25 minutes\\n\\n- see *both* networks"
    >>> read_front(new_notebook(cells=[new_markdown_cell(text)]), "02_two_networks")
    Front(title='Two networks', section='2', minutes=25, goals=('see both networks',))
    """
    text = _opening(notebook)
    title = HEADING.search(text)
    return Front(
        title=_plain(title[1]) if title else name,
        section=_first(SECTION, text),
        minutes=int(_first(MINUTES, text) or 0),
        goals=tuple(_plain(goal) for goal in BULLET.findall(_first_list(text))),
    )


def _opening(notebook: NotebookNode) -> str:
    """The markdown up to the first code cell, or to the second heading."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            break
        cells.append(cell.source)
    return re.split(r"^##\s(?!.*[Gg]oal)", "\n\n".join(cells), maxsplit=1, flags=re.MULTILINE)[0]


def _first_list(text: str) -> str:
    found = BULLET.search(text)
    return re.split(r"\n\s*\n(?!\s*[-*\d])", text[found.start() :], maxsplit=1)[0] if found else ""


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def _plain(text: str) -> str:
    return " ".join(MARKUP.sub(lambda found: found[1] or "", text).split())
