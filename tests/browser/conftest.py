"""Fixtures for tests in a real browser: the system's Chromium, a private JupyterLab, notebooks opened in it.

pytest-playwright is not used: its session-wide Playwright leaves an event loop running in the main thread,
which breaks every later asyncio.run() of the session. Here Playwright ends with the last test of this folder.
So one process runs all of them, one after the other (``tests/conftest.py``), and they share the browser, the
server and the pages' cache; a test that runs a notebook without a browser does so in another thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.notebook_page import NotebookPage
from tests.browser.servers import Lab
from tests.requirements_gate import ROOT, require_browser

# Playwright passes the rest. This one makes sure that no name but 127.0.0.1 resolves.
CHROMIUM_ARGUMENTS = ["--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
KERNEL = {
    "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"},
    "language_info": {"name": "python"},
}


# As long as a page waits for anything else. The five seconds that are usual are too few for a page's first
# widget while another process has the processor.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = require_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab(tmp_path_factory) -> Iterator[Lab]:
    root, state = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("jupyter")
    with Lab(root, state) as server:
        yield server


@pytest.fixture(scope="package")
def lab_pages(chromium: Browser) -> Iterator[BrowserContext]:
    """Where notebooks are opened: one for all tests, because its first page costs seconds."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1400})
    yield context
    context.close()


@pytest.fixture(scope="module")
def open_notebook(lab_pages: BrowserContext, lab: Lab) -> Iterator[Callable[[str], NotebookPage]]:
    """Open a copy of a notebook, given by its path below the project, in a page of its own."""
    opened = []

    def open_one(path: str) -> NotebookPage:
        opened.append(NotebookPage(lab_pages.new_page(), lab).open(lab.serve(ROOT / path)))
        return opened[-1]

    yield open_one
    for notebook in opened:
        notebook.close()


@pytest.fixture(scope="module")
def run_code(open_notebook, tmp_path_factory) -> Callable[[str], NotebookPage]:
    """Run a notebook of one cell, given by its code, in its own page."""

    def run(code: str) -> NotebookPage:
        folder = tmp_path_factory.mktemp("cell")
        path = (
            folder / f"{folder.name}.ipynb"
        )  # an unused name: the lab reuses the kernel of a notebook of the same name
        nbformat.write(new_notebook(cells=[new_code_cell(code.strip(), id="cell")], metadata=KERNEL), path)
        return open_notebook(path).run_all()

    return run


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep a picture of the page when a test of it fails."""
    report = (yield).get_result()
    if report.when != "call" or not report.failed:
        return
    folder = Path(ROOT, "test-results")
    for value in getattr(item, "funcargs", {}).values():
        if isinstance(value, NotebookPage):
            folder.mkdir(exist_ok=True)
            value.page.screenshot(path=folder / f"{item.name}.png")
