"""Writes executed notebooks as web pages: one file each, and an index. A page loads nothing from anywhere.

Text of a study is escaped where it is shown (`scenelens.sentences`, pandas, the widgets, Jinja here). Should
any of it come through as markup all the same, it does nothing: each page tells the browser to run no script,
to load nothing but the images in the page itself, and to send nothing.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from PIL import Image
from pygments.formatters import HtmlFormatter

from scenelens.files import replace_file
from scenelens.installation import HERE
from scenelens.sentences import one_line
from scenelens.workbook.glossary import GLOSSARY_PAGE, _source
from scenelens.workbook.running import Run
from scenelens.workbook.snapshots import snapshot

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_FIGURES = {"image/png", "image/jpeg"}
_THUMBNAIL = (640, 360)  # pixels, at most
# A Content-Security-Policy. Only styles may stand in the page; no script may, because the pages need none.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
# A notebook's front: its title, section of the paper, minutes and goals.
_TITLE = re.compile(r"^#\s+(.+)$", re.MULTILINE)
_SECTION = re.compile(r"\b[Ss]ections?\s+([\d.]*\d)")
_MINUTES = re.compile(r"\b(\d+)\s*min")
_BULLET = re.compile(r"^\s*(?:[-*]|\d+\.)\s+(.+(?:\n {2,}\S.*)*)$", re.MULTILINE)
_MARKUP = re.compile(r"[*_`]+|\[([^\]]*)\]\([^)]*\)")
_HEADINGS = re.compile(r"^#+\s+(.+)$", re.MULTILINE)
_PAGE_LINK = re.compile(r'href="(?!https?:)([^"#]+\.ipynb|glossary\.md)(#[^"]*)?"')
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("scenelens.workbook"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def write_pages(runs: Sequence[Run], folder: Path, study: str) -> Path:
    """Write a page for every notebook, one for the glossary, and an index.

    Widgets are shown as they were at the end, links between notebooks lead to their pages, and each page
    links to the one before and the one after.

    Parameters
    ----------
    runs : sequence of Run
        The executed notebooks, in the order of the index.
    folder : pathlib.Path
        Where ``NAME.html``, ``glossary.html`` and ``index.html`` are written.
    study : str
        Title of the study that the notebooks were run on: it stands at the top of each page.

    Returns
    -------
    pathlib.Path
        The index.

    Raises
    ------
    SceneLensError
        If a page cannot be written.
    """
    cards = [_card(run) for run in runs]
    shared = {"policy": _POLICY, "style": Markup(_style_sheet()), "study": one_line(study), "cards": cards}
    for place, run in enumerate(runs):
        page = _TEMPLATES.get_template("page.html.j2").render(
            shared,
            card=cards[place],
            before=cards[place - 1] if place else None,
            after=cards[place + 1] if place + 1 < len(cards) else None,
            body=Markup(_body(run.notebook)),
        )
        replace_file(folder / f"{run.name}.html", page.encode(errors="replace"))
    glossary = new_notebook(cells=[new_markdown_cell(_source())])
    words = {"front": {"title": "Glossary"}, "page": GLOSSARY_PAGE}
    page = _TEMPLATES.get_template("page.html.j2").render(shared, card=words, body=Markup(_body(glossary)))
    replace_file(folder / GLOSSARY_PAGE, page.encode(errors="replace"))
    total = sum(run.seconds for run in runs)
    index = _TEMPLATES.get_template("index.html.j2").render(shared, total=total, lab=HERE.call("lab"))
    replace_file(folder / "index.html", index.encode(errors="replace"))
    return folder / "index.html"


def _body(notebook: NotebookNode) -> str:
    """The cells of an executed notebook as HTML without head, scripts and prompts.

    Examples
    --------
    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> notebook = new_notebook(cells=[new_markdown_cell("See [the next](02_two_networks.ipynb).")])
    >>> 'href="02_two_networks.html"' in _body(notebook)
    True
    """
    exporter = HTMLExporter(
        template_name="basic",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        # nbconvert's template would load both from the internet; our pages have to work without it
        require_js_url="",
        mathjax_url="",
        preprocessors=[CoalesceStreamsPreprocessor(enabled=True)],  # a progress bar leaves its last line
    )
    html, _ = exporter.from_notebook_node(_without_scripts(notebook))
    return _PAGE_LINK.sub(lambda found: f'href="{_page(found[1])}{found[2] or ""}"', html)


def _page(file: str) -> str:
    """The page of a notebook, or of the glossary.

    >>> _page("02_two_networks.ipynb"), _page("glossary.md")
    ('02_two_networks.html', 'glossary.html')
    """
    return f"{file.rpartition('.')[0]}.html"


def _style_sheet() -> str:
    """The CSS of all pages, with the colours of code for light and dark screens."""
    light = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    sheet = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n{sheet}"


def _without_scripts(notebook: NotebookNode) -> NotebookNode:
    """A copy in which every widget is a still view, and every figure has an alternative text."""
    # A copy, because the notebook itself is also stored with its widgets alive.
    copy, models = deepcopy(notebook), Run.widget_models(notebook)
    _describe_figures(copy)
    for output in _outputs(copy):
        view = output.get("data", {}).pop(_WIDGET_VIEW, None)
        if view:
            output["data"]["text/html"] = snapshot(view["model_id"], models)
    copy.metadata.pop("widgets", None)
    return copy


def _describe_figures(notebook: NotebookNode) -> None:
    """Give each figure the heading above it as its alternative text, for readers who cannot see it."""
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = (_HEADINGS.findall(cell.source) or [heading])[-1]
        for output in cell.get("outputs", ()):
            for kind in _FIGURES.intersection(output.get("data", {})):
                output.metadata.setdefault(kind, {}).setdefault("alt", f"Figure: {heading}")


def _outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


def _card(run: Run) -> dict[str, Any]:
    """What the index and the pages before and after show of a notebook."""
    return {
        "front": _read_front(run.notebook, run.name),
        # Quoted: a name such as "javascript:x" would be an address of its own.
        "page": quote(f"{run.name}.html"),
        "seconds": run.seconds,
        "problems": run.problems,
        "thumbnail": _thumbnail(run.notebook),
    }


def _read_front(notebook: NotebookNode, name: str) -> dict[str, Any]:
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
    >>> _read_front(new_notebook(cells=[new_markdown_cell(text)]), "02_two_networks")
    {'title': 'Two networks', 'section': '2', 'minutes': 25, 'goals': ['see both networks']}
    """
    text = _opening(notebook)
    title = _TITLE.search(text)
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


def _thumbnail(notebook: NotebookNode) -> str:
    """The notebook's first figure, small, as a data: URL; if it has none, its first widget's image, or ''."""
    shown = (output.get("data", {}) for output in _outputs(notebook))
    figures = [base64.b64decode(data[kind]) for data in shown for kind in _FIGURES if kind in data]
    pictures = figures or _widget_images(notebook)
    if not pictures:
        return ""
    small = Image.open(io.BytesIO(pictures[0]), formats=("PNG", "JPEG", "GIF", "WEBP")).convert("RGBA")
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
