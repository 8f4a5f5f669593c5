"""The glossary: words that a reader may not know yet, explained once, in ``notebooks/glossary.md``.

The notebooks link to its headings, as to each other; JupyterLab opens the file, and the page runner makes a
page of it. It is Markdown: a heading for each word, below it other forms of the word in italics, and one to
three sentences.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from scenelens.files import read_text
from scenelens.installation import HERE

GLOSSARY_PAGE = "glossary.html"
_FILE = "glossary.md"
_ENTRY = re.compile(r"^## (.+?)\n+(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_ALSO = re.compile(r"^\*Also: (.+?)\.?\*\s*", re.DOTALL)


class _Entry(NamedTuple):
    """One word of the glossary: its heading, other forms of it, and what it means."""

    word: str
    also: tuple[str, ...]
    text: str

    @property
    def anchor(self) -> str:
        """What stands behind # in a link to the entry: JupyterLab and nbconvert make it of the heading."""
        return self.word.replace(" ", "-")


def _source() -> str:
    """The glossary's file."""
    return read_text(HERE.notebooks / _FILE)


def _entries(source: str) -> list[_Entry]:
    """The entries of a glossary, in their order.

    >>> first, second = _entries("## SVM\\n\\n*Also: linear SVM.* A cut.\\n\\n## Null\\n\\nNothing.\\n")
    >>> first
    _Entry(word='SVM', also=('linear SVM',), text='A cut.')
    >>> second.anchor, second.text
    ('Null', 'Nothing.')
    """
    found = []
    for word, body in _ENTRY.findall(source):
        also = _ALSO.match(body)
        text = " ".join(body[also.end() :].split() if also else body.split())
        forms = tuple(" ".join(one.split()) for one in also[1].split(",")) if also else ()
        found.append(_Entry(word, tuple(f.strip() for f in forms), text))
    return found
