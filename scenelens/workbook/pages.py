"""Writes executed notebooks as plain pages: one file each, an index, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat import NotebookNode
from PIL import Image
from pygments.formatters import HtmlFormatter

from scenelens.files import replace_file
from scenelens.workbook.front import read_front
from scenelens.workbook.problems import widget_models
from scenelens.workbook.running import Run
from scenelens.workbook.snapshots import image_bytes, snapshot

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
FIGURES = {"image/png", "image/jpeg"}
THUMBNAIL = (640, 360)  # pixels, at most
HEADINGS = re.compile(r"^#+\s+(.+)$", re.MULTILINE)
NOTEBOOK_LINK = re.compile(r'href="(?!https?:)([^"#]+)\.ipynb(#[^"]*)?"')
TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("scenelens.workbook"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def write_pages(runs: Sequence[Run], folder: Path, study: str) -> Path:
    """Write ``NAME.html`` for every run, and ``index.html``, into `folder`; return the index's path.

    Widgets become still pictures of their last state, links between notebooks lead to their pages, and each
    page knows its neighbours. `study` is the name shown as the study the notebooks were run on.
    """
    cards = [_card(run) for run in runs]
    shared = {"style": Markup(style_sheet()), "study": study, "cards": cards}
    for place, run in enumerate(runs):
        page = TEMPLATES.get_template("page.html.j2").render(
            shared,
            card=cards[place],
            before=cards[place - 1] if place else None,
            after=cards[place + 1] if place + 1 < len(cards) else None,
            body=Markup(body(run.notebook)),
        )
        replace_file(folder / f"{run.name}.html", page.encode())
    total = sum(run.seconds for run in runs)
    index = TEMPLATES.get_template("index.html.j2").render(shared, total=total)
    replace_file(folder / "index.html", index.encode())
    return folder / "index.html"


def body(notebook: NotebookNode) -> str:
    """Return the cells of an executed notebook as HTML without head, scripts or prompts.

    Examples
    --------
    >>> from nbformat.v4 import new_markdown_cell, new_notebook
    >>> notebook = new_notebook(cells=[new_markdown_cell("See [the next](02_two_networks.ipynb).")])
    >>> 'href="02_two_networks.html"' in body(notebook)
    True
    """
    exporter = HTMLExporter(
        template_name="basic",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        require_js_url="",
        mathjax_url="",
        preprocessors=[CoalesceStreamsPreprocessor(enabled=True)],  # of a progress bar, the last line
    )
    html, _ = exporter.from_notebook_node(_without_scripts(notebook))
    return NOTEBOOK_LINK.sub(r'href="\1.html\2"', html)


def style_sheet() -> str:
    """Return the CSS of all pages, code colours for light and dark included."""
    light = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    sheet = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}\n{sheet}"


def _without_scripts(notebook: NotebookNode) -> NotebookNode:
    """A copy in which every widget is its still picture, and every figure has words beside it."""
    copy, models = deepcopy(notebook), widget_models(notebook)
    _describe_figures(copy)
    for output in _outputs(copy):
        view = output.get("data", {}).pop(WIDGET_VIEW, None)
        if view:
            output["data"]["text/html"] = snapshot(view["model_id"], models)
    copy.metadata.pop("widgets", None)
    return copy


def _describe_figures(notebook: NotebookNode) -> None:
    """Give figures the heading they stand under as their text for those who cannot see them."""
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = (HEADINGS.findall(cell.source) or [heading])[-1]
        for output in cell.get("outputs", ()):
            for kind in FIGURES.intersection(output.get("data", {})):
                output.metadata.setdefault(kind, {}).setdefault("alt", f"Figure: {heading}")


def _outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


def _card(run: Run) -> dict[str, Any]:
    """What the index and the neighbours show of a notebook."""
    return {
        "front": read_front(run.notebook, run.name),
        "page": f"{run.name}.html",
        "seconds": run.seconds,
        "problems": run.problems,
        "thumbnail": _thumbnail(run.notebook),
    }


def _thumbnail(notebook: NotebookNode) -> str:
    """The notebook's first figure, small, as a data: URL; without one its first widget's image, or ''."""
    shown = (output.get("data", {}) for output in _outputs(notebook))
    figures = [base64.b64decode(data[kind]) for data in shown for kind in FIGURES if kind in data]
    pictures = figures or image_bytes(widget_models(notebook))
    if not pictures:
        return ""
    small = Image.open(io.BytesIO(pictures[0])).convert("RGBA")
    white = Image.new("RGBA", small.size, "white")
    small = Image.alpha_composite(white, small).convert("RGB")
    small.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
