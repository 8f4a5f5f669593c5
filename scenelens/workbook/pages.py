"""Writes executed notebooks as web pages: one file each, an index, a search. They load nothing from anywhere.

Text of a study is escaped where it is shown (`sentences`, `shown_tables`, the widgets, Jinja here).
Should any of it come through as markup all the same, it does nothing: each page tells the browser to run one
script only, that of `pages.js`, known by its hash, to load nothing but the images in the page itself, and to
send nothing. Without that script every text and every figure is there.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import jinja2
from markupsafe import Markup
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from PIL import Image
from pygments.formatters import HtmlFormatter

from scenelens.files import replace_file
from scenelens.installation import HERE
from scenelens.sentences import one_line
from scenelens.workbook.glossary import GLOSSARY_PAGE, _source
from scenelens.workbook.page_body import IMAGES, Body, _notebook_number, outputs, plain
from scenelens.workbook.page_links import (
    SEARCH_PAGE,
    Microscope,
    _figure_links,
    _link_texts,
    _section_links,
    _unit_links,
)
from scenelens.workbook.running import Run

_MOVING = HERE.root / "docs" / "in_ten_seconds"  # .webp, _still.webp and .json
_THUMBNAIL = (640, 360)  # pixels, at most
# A Content-Security-Policy. Styles may stand in the page; of scripts only the one with this hash may run.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{}'; base-uri 'none'; "
    "form-action 'none'"
)
# A notebook's front: its title, section of the paper, minutes and goals.
_TITLE = re.compile(r"^#\s+(.+)$", re.MULTILINE)
_PLACE = re.compile(r"^([^#\n]*\S) · (?:about )?\d+ min", re.MULTILINE)
_SECTION = re.compile(r"^Sections?\s+([\d.]*\d)")
_MINUTES = re.compile(r"\b(\d+)\s*min")
_ITEM = r"\s*(?:[-*]|\d+\.)\s"
_BULLET = re.compile(rf"^{_ITEM}+(.+(?:\n(?!{_ITEM}).*\S.*)*)$", re.MULTILINE)
_PAGE_LINK = re.compile(r'<a href="(?!https?:)([^"#]+\.ipynb|glossary\.md)(#[^"]*)?">(.*?)</a>', re.DOTALL)
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("scenelens.workbook"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_CITATION = """@inproceedings{{zhou2015object,
  title = {{Object Detectors Emerge in Deep Scene CNNs}},
  author = {{Zhou, Bolei and Khosla, Aditya and Lapedriza, Agata and Oliva, Aude and Torralba, Antonio}},
  booktitle = {{International Conference on Learning Representations}},
  year = {{2015}}
}}
@software{{scenelens,
  title = {{scenelens: a workbook in which object detectors emerge inside scene networks}},
  author = {{{{scenelens authors}}}},
  version = {{{version}}}
}}
"""


def write_pages(runs: Sequence[Run], folder: Path, study: str, microscope: Path | None = None) -> Path:
    """Write a page for every notebook, one for the glossary, one for the search, and an index.

    Widgets are shown as they were at the end. Links between notebooks lead to their pages, names of units to
    the microscope, sections and figures of the paper to the notebook about them; a link to a page that is not
    there becomes plain text.

    Parameters
    ----------
    runs : sequence of Run
        The executed notebooks, in the order of the index.
    folder : pathlib.Path
        Where ``NAME.html``, ``glossary.html``, ``search.html`` and ``index.html`` are written.
    study : str
        Title of the study that the notebooks were run on: it stands at the top of each page.
    microscope : pathlib.Path, optional
        The folder of the study's microscope, if there is one.

    Returns
    -------
    pathlib.Path
        The index.

    Raises
    ------
    SceneLensError
        If a page cannot be written.
    """
    cards = [_card(run, folder) for run in runs]
    bodies = [Body.of(run.notebook, run.name, run.steps) for run in runs]
    glossary = Body.of(new_notebook(cells=[new_markdown_cell(_source())]))
    units = None if microscope is None else Microscope.read(microscope, _address(microscope, folder))
    shared = {**_shared(units), "study": one_line(study), "cards": cards}
    linker = _Linker.of(cards, bodies, folder, units)
    for place, (run, body) in enumerate(zip(runs, bodies, strict=True)):
        around = {
            "before": cards[place - 1] if place else None,
            "after": cards[place + 1] if place + 1 < len(cards) else None,
        }
        html = Markup(linker.link(body.html, cards[place]["page"]))
        own = {"card": cards[place], "sections": body.sections, "body": html, **around}
        _write(folder / f"{run.name}.html", "page.html.j2", shared, own)
    words = {"front": {"title": "Glossary"}, "page": GLOSSARY_PAGE}
    html = Markup(linker.link(glossary.html, GLOSSARY_PAGE))
    own = {"card": words, "sections": glossary.sections, "body": html}
    _write(folder / GLOSSARY_PAGE, "page.html.j2", shared, own)
    pages = [
        {"page": card["page"], "title": card["front"]["title"], "sections": _told(body)}
        for card, body in zip([*cards, words], [*bodies, glossary], strict=True)
    ]
    n = sum(len(page["sections"]) for page in pages)
    _write(folder / SEARCH_PAGE, "search.html.j2", shared, {"pages": pages, "n": n})
    total = sum(run.seconds for run in runs)
    _write(folder / "index.html", "index.html.j2", shared, {"total": total, "moving": _moving_picture()})
    return folder / "index.html"


def _write(path: Path, template: str, shared: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    page = _TEMPLATES.get_template(template).render(shared, **own)
    replace_file(path, page.encode(errors="replace"))


def _shared(units: Microscope | None) -> dict[str, Any]:
    """What all pages have in common."""
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {
        # Markup: Jinja would write its quotes as &#39;, the same to a browser but hard to read.
        "policy": Markup(_POLICY.format(digest)),
        "style": Markup(_style_sheet()),
        "script": Markup(script),
        # By its name: the package's own door stands above this room.
        "citation": _CITATION.format(version=importlib.import_module("scenelens").__version__),
        "lab": HERE.call("lab"),
        "microscope": units and {"page": units.page, "example": _example(units)},
        "microscope_command": HERE.call("microscope"),
        "workbook_command": HERE.call("workbook"),
        "glossary": GLOSSARY_PAGE,
    }


def _moving_picture() -> dict[str, str] | None:
    """The picture with which the index begins, as docs/pictures.py has drawn it; None where it is not there.

    It moves, unless the reader wants nothing to move: for them there is a still one.
    """
    try:
        words = json.loads(_MOVING.with_name(f"{_MOVING.name}.json").read_bytes())
        files = {
            name: _MOVING.with_name(f"{_MOVING.name}{ending}.webp").read_bytes()
            for name, ending in (("moving", ""), ("still", "_still"))
        }
    except OSError:
        return None
    return words | {
        name: "data:image/webp;base64," + base64.b64encode(file).decode() for name, file in files.items()
    }


def _example(units: Microscope) -> str:
    """A unit of the microscope, as texts write it."""
    layers = next(iter(units.units.values()))
    return f"{list(layers)[-1]}:0"


def _address(microscope: Path, folder: Path) -> str:
    """The address of a folder, as seen from the pages."""
    try:
        return quote(Path(os.path.relpath(microscope.resolve(), folder.resolve())).as_posix())
    except ValueError:  # another drive
        return microscope.resolve().as_uri()


def _told(body: Body) -> list[Any]:
    return [section for section in body.sections if section.text or section.title]


class _Linker(NamedTuple):
    """What links a page may have: to pages that are there, to sections and figures of the paper, to units."""

    pages: frozenset[str]
    sections: Mapping[str, str]
    figures: Mapping[str, str]
    units: Microscope | None

    @classmethod
    def of(
        cls,
        cards: Sequence[Mapping[str, Any]],
        bodies: Sequence[Body],
        folder: Path,
        units: Microscope | None,
    ) -> _Linker:
        """Collect where everything is that a text may speak of."""
        there = {path.name for path in folder.glob("*.html")}
        pages = there | {unquote(card["page"]) for card in cards} | {GLOSSARY_PAGE}
        sections: dict[str, str] = {}
        figures: dict[str, str] = {}
        for card, body in zip(cards, bodies, strict=True):
            if card["front"]["section"]:
                sections.setdefault(card["front"]["section"], card["page"])
            for name, anchor in body.paper.items():
                figures.setdefault(name, f"{card['page']}#{quote(anchor)}")
        return cls(frozenset(pages), sections, figures, units)

    def link(self, html: str, page: str) -> str:
        """Add all links to a page's cells."""
        html = _PAGE_LINK.sub(self._page_link, html)
        links = [_unit_links(self.units)] if self.units else []
        own = {name: address.removeprefix(page) for name, address in self.figures.items()}
        others = {number: other for number, other in self.sections.items() if other != page}
        return _link_texts(html, *links, _figure_links(own), _section_links(others))

    def _page_link(self, found: re.Match[str]) -> str:
        page = _page(found[1])
        return f'<a href="{page}{found[2] or ""}">{found[3]}</a>' if unquote(page) in self.pages else found[3]


def _page(file: str) -> str:
    """The page of a notebook, or of the glossary.

    >>> _page("02_two_networks.ipynb"), _page("glossary.md")
    ('02_two_networks.html', 'glossary.html')
    """
    return f"{file.rpartition('.')[0]}.html"


@cache
def _script() -> str:
    """The script of all pages."""
    return Path(__file__).with_name("pages.js").read_text(encoding="utf-8")


def _style_sheet() -> str:
    """The CSS of all pages, with the colours of code for light and dark screens."""
    # Styles of whose colours all can be read on the pages' background for code.
    light = HtmlFormatter(style="xcode").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    sheet = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n{sheet}"


def _card(run: Run, folder: Path) -> dict[str, Any]:
    """What the index and the pages before and after show of a notebook."""
    file = f"{run.name}.ipynb"
    front = _read_front(run.notebook, run.name)
    return {
        "front": front,
        # Quoted: a name such as "javascript:x" would be an address of its own.
        "page": quote(f"{run.name}.html"),
        "seconds": run.seconds,
        "problems": run.problems,
        "notebook": quote(file) if (folder / file).is_file() else "",
        "thumbnail": _thumbnail(run.notebook),
        "thumbnail_alt": f"The first figure of {front['title']}",
    }


def _read_front(notebook: NotebookNode, name: str) -> dict[str, Any]:
    """Read title, place, section, minutes and goals from the markdown before the first code cell.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The notebook.
    name : str
        The title of a notebook without a heading.

    Returns
    -------
    dict
        ``title`` (the first ``# heading``), ``place`` (what it is about, in its own words, such as 'All
        claims of the paper', or ''), ``section`` (of the paper, such as '3.1', or ''), ``minutes`` (int, 0
        if the notebook does not say) and ``goals`` (the first list, a list of str).

    Examples
    --------
    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> text = "# Two networks\\n\\nSection 2 of the paper · 25 minutes\\n\\n- see *both* networks"
    >>> _read_front(new_notebook(cells=[new_markdown_cell(text)]), "02_two_networks")
    {'title': '02 Two networks', 'place': 'Section 2 of the paper', 'section': '2', 'minutes': 25,
     'goals': ['see both networks']}
    """
    text = _opening(notebook)
    title = _TITLE.search(text)
    number, place = _notebook_number(name), _first(_PLACE, text)
    return {
        # As the notebooks call each other: "03.2 Receptive fields".
        "title": f"{number} {plain(title[1])}".strip() if title else name,
        "place": place,
        "section": _first(_SECTION, place),
        "minutes": int(_first(_MINUTES, text) or 0),
        "goals": [plain(goal) for goal in _BULLET.findall(_first_list(text))],
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


def _thumbnail(notebook: NotebookNode) -> str:
    """The notebook's first figure, small, as a data: URL; if it has none, its first widget's image, or ''."""
    figures = (
        (output.data[kind], output.get("metadata", {}).get(kind, {}))
        for output in outputs(notebook)
        for kind in IMAGES
        if kind in output.get("data", {})
    )
    first = next(figures, None)
    pictures = [base64.b64decode(first[0])] if first else _widget_images(notebook)
    if not pictures:
        return ""
    small = Image.open(io.BytesIO(pictures[0]), formats=("PNG", "JPEG", "GIF", "WEBP")).convert("RGBA")
    head, foot = (first[1].get("scenelens", {}).get("words") if first else None) or (0, 0)
    if 0 < head + foot < small.height:  # too small to be read here
        small = small.crop((0, head, small.width, small.height - foot))
    # JPEG knows no transparency: without the white page beneath, transparent parts would be black.
    white = Image.new("RGBA", small.size, "white")
    small = Image.alpha_composite(white, small).convert("RGB")
    small.thumbnail(_THUMBNAIL, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _widget_images(notebook: NotebookNode) -> list[bytes]:
    """The files of the images in all widgets, in the order of the models."""
    models = Run.widget_models(notebook).values()
    buffers = [b for m in models if m["model_name"] == "ImageModel" for b in m.get("buffers", ())]
    return [base64.b64decode(b["data"]) for b in buffers if b["path"] == ["value"]]
