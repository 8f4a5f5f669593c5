"""The cells of an executed notebook as HTML: text with sections, numbered figures and tables, folded code.

A figure has its title and its caption as text, whatever is drawn in the image, so that a reader can search
them and a phone can break their lines. Code stands behind what it shows, folded: who reads looks first at the
figure. What was printed while a cell ran, such as how far it was, is no part of the page.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape, unescape
from typing import Any

from nbconvert.filters import Highlight2HTML, ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from PIL import Image

from scenelens.shown_tables import TABLE_CLASS
from scenelens.workbook.running import WIDGET_VIEW, Run
from scenelens.workbook.snapshots import _snapshot

IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_HEADING = re.compile(r"<h([1-6])>(.*?)</h\1>", re.DOTALL)
_HEADING_LINE = re.compile(r"^#+\s+(.+)$", re.MULTILINE)
_TAGS = re.compile(r"<[^>]*>")
_NUMBER = re.compile(r"^(\d\d)(?:_(\d))?_")
_MARKUP = re.compile(r"[*_`]+|\[([^\]]*)\]\([^)]*\)")
# A line of a progress bar; a sentence that says how long something takes.
_BAR = re.compile(r"\d+%\||\d+(?:/\d+)?(?: [^\W\d]+)? ?\[\d\d:|\bit/s\b")
_OUTLOOK = re.compile(r"\btakes (?:up to )?about \d| to go, about \d")
#: A data frame as `scenelens.shown_tables` writes it. Its rules are for JupyterLab; the page has its own.
_TABLE = re.compile(rf'<div class="{TABLE_CLASS}"><style>[^<]*</style>(.*)</div>', re.DOTALL)
_TITLE_OF_PAPER = re.compile(r"\b(Figure|Table) (\d+)")


@dataclass
class Section:
    """A part of a page under one heading, for the contents and for the search.

    Attributes
    ----------
    anchor : str
        Its address within the page.
    title : str
        The heading.
    level : int
        2 or 3; 1 for what stands before the first section.
    text : str
        All words of the section.
    """

    anchor: str
    title: str
    level: int
    text: str = ""


@dataclass
class Body:
    """What a page shows of one notebook.

    Attributes
    ----------
    html : str
        The cells.
    sections : list of Section
        The sections in order.
    paper : dict of str to str
        For "Figure 6" or "Table 2" of the paper, the anchor of where this page draws it.
    """

    html: str = ""
    sections: list[Section] = field(default_factory=list)
    paper: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, notebook: NotebookNode, name: str = "", steps: Mapping[str, Mapping[str, Any]] | None = None
    ) -> Body:
        """Write the cells of a notebook.

        Parameters
        ----------
        notebook : nbformat.NotebookNode
            The executed notebook.
        name : str, optional
            Its name: figures of ``03_2_...`` are numbered 03.2.1, 03.2.2 and so on.
        steps : mapping, optional
            ``Run.steps``.

        Returns
        -------
        Body
            The cells without scripts.
        """
        return _Writer(notebook, name, steps or {}).write()


def _notebook_number(name: str) -> str:
    """The number with which a notebook's name begins.

    Parameters
    ----------
    name : str
        The name.

    Returns
    -------
    str
        Such as "03.2"; '' where it begins with none.

    Examples
    --------
    >>> _notebook_number("03_2_receptive_fields"), _notebook_number("06_verdict"), _notebook_number("mine")
    ('03.2', '06', '')
    """
    found = _NUMBER.match(name)
    return ".".join(part for part in found.groups() if part) if found else ""


def plain(text: str) -> str:
    """Markdown without its markup.

    Parameters
    ----------
    text : str
        The Markdown.

    Returns
    -------
    str
        One line of words.
    """
    return " ".join(_MARKUP.sub(lambda found: found[1] or "", text).split())


class _Writer:
    """Writes one notebook; it counts figures, tables and anchors."""

    def __init__(self, notebook: NotebookNode, name: str, steps: Mapping[str, Mapping[str, Any]]) -> None:
        self.notebook, self.models, self.steps = notebook, Run.widget_models(notebook), steps
        self.number = _notebook_number(name)
        self.counts = {"Figure": 0, "Table": 0}
        self.anchors: set[str] = set()
        self.heading, self.titled = "", False
        self.body = Body(sections=[Section("", "", 1)])

    def write(self) -> Body:
        parts = []
        for cell in self.notebook.cells:
            if cell.cell_type == "markdown":
                parts.append(self._markdown_cell(cell))
            elif cell.cell_type == "code":
                parts.append(self._code_cell(cell))
        self.body.html = "\n".join(parts)
        for section in self.body.sections:
            section.text = " ".join(section.text.split())
        return self.body

    # ---- text

    def _markdown_cell(self, cell: NotebookNode) -> str:
        self.heading = plain((_HEADING_LINE.findall(cell.source) or [self.heading])[-1])
        html = _markdown(cell.source, cell.get("attachments", {}))
        return f'<div class="words">{self._with_anchors(html)}</div>'

    def _with_anchors(self, html: str) -> str:
        """Give every heading an address and a link to it; note it for the contents."""
        out, last = [], 0
        for found in _HEADING.finditer(html):
            self._note(html[last : found.start()])
            level, title = int(found[1]), " ".join(unescape(_TAGS.sub("", found[2])).split())
            anchor = self._anchor(title.replace(" ", "-"))
            out.append(html[last : found.start()])
            sign = "" if level == 1 else _LINK.format(escape(anchor), escape(title))
            # The notebook's number belongs to its name, by which all links call it.
            number = f"{self.number} " if level == 1 and self.number and not self.titled else ""
            self.titled |= level == 1
            out.append(f'<h{level} id="{escape(anchor)}" tabindex="-1">{number}{found[2]}{sign}</h{level}>')
            if 1 < level < 4:
                self.body.sections.append(Section(anchor, title, level))
            for kind, number in _TITLE_OF_PAPER.findall(title):
                self.body.paper.setdefault(f"{kind} {number}", anchor)
            last = found.end()
        self._note(html[last:])
        return "".join([*out, html[last:]])

    def _anchor(self, wanted: str) -> str:
        anchor, n = wanted, 1
        while anchor in self.anchors:
            n += 1
            anchor = f"{wanted}-{n}"
        self.anchors.add(anchor)
        return anchor

    def _note(self, html: str) -> None:
        self.body.sections[-1].text += " " + unescape(_TAGS.sub(" ", html))

    # ---- code and what it shows

    def _code_cell(self, cell: NotebookNode) -> str:
        shown = [html for output in cell.outputs if (html := self._output(output))]
        code = _code(cell.source) if cell.source.strip() else ""
        is_read = any(_is_read(output) for output in cell.outputs)
        if is_read and code:
            code = f'<details class="code"><summary>Code</summary>{code}</details>'
        return f'<div class="cell">{"".join([*shown, code] if is_read else [code, *shown])}</div>'

    def _output(self, output: NotebookNode) -> str:
        kind = output.output_type
        if kind == "stream":
            return self._printed(output)
        if kind == "error":
            lines = "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
            return f'<pre class="error">{ansi2html(lines)}</pre>'
        data, about = output.get("data", {}), output.get("metadata", {})
        if WIDGET_VIEW in data:
            widget = data[WIDGET_VIEW]["model_id"]
            return _snapshot(widget, self.models, self.heading, self.steps.get(widget))
        if "text/html" in data:
            return self._html(_joined(data["text/html"]))
        if "text/markdown" in data:
            html = self._with_anchors(_markdown(_joined(data["text/markdown"])))
            return f'<div class="said">{html}</div>'
        for image in (*IMAGES, "image/svg+xml"):
            if image in data:
                return self._figure(image, _joined(data[image]), about)
        text = _joined(data.get("text/plain", ""))
        self._note(escape(text))
        return f"<pre>{ansi2html(text)}</pre>" if text else ""

    def _printed(self, output: NotebookNode) -> str:
        lines = _joined(output.text).replace("\r\n", "\n").split("\n")
        if output.name == "stderr":
            lines = [line.rpartition("\r")[2] for line in lines]
            lines = [line for line in lines if line.strip() and not _BAR.search(line)]
        text = "\n".join(line for line in lines if not _OUTLOOK.search(line))
        if not text.strip():
            return ""
        return f'<pre class="{escape(output.name)}">{ansi2html(text)}</pre>'

    def _html(self, html: str) -> str:
        found = _TABLE.fullmatch(html)
        self._note(found[1] if found else html)
        if not found:
            named = 'role="region" tabindex="0" aria-label="Output"'
            return f'<div class="html" {named}>{html}</div>' if html.strip() else ""
        label, anchor = self._label("Table")
        caption = f'<p class="caption"><b>{label}.</b> {escape(self.heading)}</p>'
        named = f'role="region" tabindex="0" aria-label="{label}: {escape(self.heading)}"'
        return f'<div class="table" id="{anchor}">{caption}<div class="scroll" {named}>{found[1]}</div></div>'

    def _label(self, kind: str) -> tuple[str, str]:
        """The next number of a kind, and its anchor."""
        self.counts[kind] += 1
        number = f"{self.number}.{self.counts[kind]}" if self.number else str(self.counts[kind])
        return f"{kind} {number}", self._anchor(f"{kind.lower()}-{number}")

    def _figure(self, kind: str, content: str, about: Mapping[str, Any]) -> str:
        about = about.get(kind, {})
        words = about.get("scenelens", {})
        label, anchor = self._label("Figure")
        caption = words.get("caption") or (about.get("alt") if not words else "") or ""
        title = words.get("title", "") or ("" if caption else self.heading)
        text = " ".join(filter(None, (title and f"<b>{_sentence(title)}</b>", escape(caption))))
        self._note(text)
        for which, number in _TITLE_OF_PAPER.findall(title):
            self.body.paper.setdefault(f"{which} {number}", anchor)
        # The caption follows in words: what stands for the image needs no more than its title.
        alt = f"{label}: {title or self.heading or caption}"
        image = _image(kind, content, alt, about)
        return (
            f'<figure id="{anchor}">{image}<figcaption><a class="number" href="#{anchor}">{label}.</a> '
            f"{text}</figcaption></figure>"
        )


_LINK = '<a class="anchor" href="#{}" aria-label="Link to the section {}">#</a>'


def _sentence(title: str) -> str:
    return escape(title if title.endswith((".", "?", "!", ":")) else f"{title}.")


def _is_read(output: NotebookNode) -> bool:
    """Whether an output is a figure, a table, a widget or a sentence, and not what a program prints."""
    data = output.get("data", {})
    return any(kind in data for kind in (*IMAGES, "image/svg+xml", "text/html", "text/markdown", WIDGET_VIEW))


def _joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else str(text)


def _markdown(source: str, attachments: Mapping[str, Any] | None = None) -> str:
    renderer = IPythonRenderer(escape=False, attachments=dict(attachments or {}), exclude_anchor_links=True)
    return MarkdownWithMath(renderer=renderer).render(source)


def _code(source: str) -> str:
    return f'<div class="input">{Highlight2HTML(pygments_lexer="ipython3")(source)}</div>'


def _image(kind: str, content: str, alt: str, about: Mapping[str, Any]) -> str:
    """An image in the page, without the head and foot that only repeat what the caption says."""
    size = [int(about[side]) for side in ("width", "height") if str(about.get(side, "")).isdigit()]
    if kind == "image/svg+xml":
        content = base64.b64encode(content.encode()).decode()
    pixels = image_size(kind, content)
    head, foot = (about.get("scenelens", {}).get("words") or [0, 0])[:2]
    style = ""
    if pixels and 0 < head + foot < pixels[1]:
        shape = f"{pixels[0]} / {pixels[1] - head - foot}"
        style = (
            f"aspect-ratio: {shape}; object-fit: cover; object-position: 0 {100 * head / (head + foot):.2f}%"
        )
    elif pixels:
        style = f"aspect-ratio: {pixels[0]} / {pixels[1]}"
    width = f' width="{size[0]}"' if size else ""
    return (
        f'<img alt="{escape(alt)}"{width} style="{style}" '
        f'src="data:{kind};base64,{escape("".join(content.split()))}">'
    )


def image_size(kind: str, content: str) -> tuple[int, int] | None:
    """Width and height of an image in a notebook.

    Parameters
    ----------
    kind : str
        Its type, such as ``"image/png"``.
    content : str
        The file in base64.

    Returns
    -------
    tuple of int or None
        Pixels; None where they cannot be read.
    """
    try:
        with Image.open(
            io.BytesIO(base64.b64decode(content)), formats=("PNG", "JPEG", "GIF", "WEBP")
        ) as image:
            return image.size
    except (OSError, ValueError):
        return None


def outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    """All outputs of a notebook.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The notebook.

    Yields
    ------
    nbformat.NotebookNode
        An output.
    """
    for cell in notebook.cells:
        yield from cell.get("outputs", ())
