"""A study in which every name tries to run something: all notebooks run, and their pages do nothing."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Browser, Page

from scenelens.sentences import Sentences
from scenelens.workbook.pages import write_pages
from scenelens.workbook.running import Run
from scenelens.workbook.widgets.root import _KEYS
from tests.hostile_names import CODE, NAMES, SCRIPTS, hostile_study
from tests.matrix.notebook_cells import quicker
from tests.page_parts import Parts, page_parts, rendered
from tests.requirements_gate import ROOT

NOTEBOOKS = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
POLICY = '<meta http-equiv="Content-Security-Policy"'


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Run]:
    """Every notebook, run on the hostile study; each layer has one receptive field."""
    study = hostile_study(tmp_path_factory.mktemp("hostile") / "study")
    copies = tmp_path_factory.mktemp("notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCENELENS_STUDY", str(study.file.path))
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
        with ThreadPoolExecutor(1) as thread:  # in this one, Playwright's event loop may be running
            done = thread.map(Run.of, [quick_copy(name, copies) for name in NOTEBOOKS])
            return dict(zip(NOTEBOOKS, done, strict=True))


def quick_copy(name: str, folder: Path) -> Path:
    """A notebook that shows all that it usually shows, of fewer receptive fields."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = quicker(cell.source, units=1)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


@pytest.fixture(scope="module")
def pages(runs, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    write_pages(list(runs.values()), folder, NAMES["tiny"])
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_notebook_runs_whatever_the_names_are(runs, name):
    assert runs[name].problems == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_output_of_a_notebook_holds_a_script(runs, name):
    """JupyterLab runs what an output holds, so the outputs themselves must be clean, not only the pages."""
    for cell in runs[name].notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            assert Parts(data.get("text/html", "")).scripts == []
            assert rendered(Sentences(data.get("text/markdown", ""))).scripts == []
    for model in Run.widget_models(runs[name].notebook).values():
        if model["model_name"] in ("HTMLModel", "HTMLMathModel"):
            # The package's own handler, which keeps keys in a widget, holds no name.
            value = model["state"].get("value", "").replace(f'onload="{_KEYS}"', "")
            assert Parts(value).scripts == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [*NOTEBOOKS, "index", "search"])
def test_no_page_holds_a_script_but_its_own_and_all_forbid_another(pages, name):
    html = (pages / f"{name}.html").read_text(encoding="utf-8")
    assert page_parts(pages / f"{name}.html").scripts == []
    assert html.index(POLICY) < html.index("<title>")  # nothing of a study stands before it


@pytest.mark.slow
def test_the_names_are_there_to_be_read(pages):
    text = "".join(Parts(path.read_text(encoding="utf-8")).text for path in pages.glob("*.html"))
    for name in ("tiny", "bed", "lamp", "boat", "attic"):
        assert NAMES[name] in text


def act(page: Page, address: str) -> list[str]:
    """Open a page, move over and click what can be clicked, and return what it did."""
    did: list[str] = []
    page.on("dialog", lambda dialog: (did.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: did.append(request.url))
    page.goto(address)
    did.clear()
    for tag in ("details", "[onclick]", "a[href^='javascript']", "[onmouseover]"):
        for found in page.locator(tag).all():
            found.dispatch_event("mouseover")
            found.dispatch_event("click")
    page.wait_for_timeout(200)
    did += [page.title()] if page.title() == "run" else []
    return [one for one in did if not one.startswith("data:image/")]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def address(tmp_path) -> Iterator[str]:
    """Where a server shows the files of tmp_path."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("name", [*NOTEBOOKS, "index"])
def test_the_pages_do_nothing_in_a_browser(pages, page, name):
    assert act(page, (pages / f"{name}.html").as_uri()) == []


def raw_notebook() -> Run:
    """Outputs that nobody escaped, as a reader's own cell may make them."""
    data = [{"text/html": name} for name in SCRIPTS]
    outputs = [new_output("display_data", data=one) for one in data]
    cells = [new_markdown_cell("# Raw"), new_code_cell("x", execution_count=1, outputs=outputs)]
    return Run("raw", new_notebook(cells=cells), 1.0)


@pytest.mark.browser
def test_even_what_nobody_escaped_does_nothing_in_a_page(page, tmp_path, address):
    write_pages([raw_notebook()], tmp_path, "sceneworld")
    assert act(page, f"{address}/raw.html") == []


@pytest.mark.browser
def test_without_the_policy_it_would_run(page, tmp_path, address):
    write_pages([raw_notebook()], tmp_path, "sceneworld")
    html = (tmp_path / "raw.html").read_text(encoding="utf-8")
    assert CODE in html
    (tmp_path / "open.html").write_text(html.replace(POLICY, "<meta name=none"), encoding="utf-8")
    assert "run" in act(page, f"{address}/open.html")


@pytest.mark.browser
def test_a_notebook_called_like_a_script_is_a_file(page, tmp_path):
    run = Run(f"javascript:{CODE}", raw_notebook().notebook, 1.0)
    write_pages([run, run], tmp_path, "sceneworld")
    page.goto((tmp_path / "index.html").as_uri())
    assert page.locator(".card a").first.evaluate("link => link.protocol") == "file:"


LIVE = """
import scenelens as sl
study = sl.open_study("hostile/study.toml")
display(sl.describe_study(study), study.images[["image", "category"]].head())
presence = sl.object_presence(study)
display(sl.object_table(presence), sl.describe_presence(presence), presence)
display(sl.browse_units(study, "scene", "pool5", 1))
"""


@pytest.mark.slow
@pytest.mark.browser
def test_names_are_text_in_jupyterlab_too(lab, run_code):
    hostile_study(lab.root / "hostile", 2)
    notebook = run_code(LIVE)
    outputs = notebook.page.locator(".jp-OutputArea-output")
    assert NAMES["tiny"] in outputs.first.inner_text()
    made = (
        "script, iframe, svg[onload], [onerror], [onclick], [onmouseover], a[href^=javascript], mjx-container"
    )
    assert outputs.locator(made).count() == 0
    assert notebook.page.title() != "run"
    assert notebook.script_errors == []
