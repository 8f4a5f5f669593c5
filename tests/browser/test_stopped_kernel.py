"""A widget whose kernel was shut down says so; so does one in a notebook that is opened again."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from playwright.sync_api import expect

from tests.browser.notebook_page import pixels
from tests.browser.servers import DONE

CODE = f"""
import ipywidgets
from IPython.display import display
import numpy as np
from scenelens.workbook import WidgetRoot, encode

image = ipywidgets.Image(value=encode(np.full((40, 60, 3), 90, np.uint8)), format="jpeg")
display(WidgetRoot("sl-example", [ipywidgets.Button(description="next"), image], gone="More."))
print({DONE!r})
"""


@pytest.fixture(scope="module")
def notebook(run_code):
    return run_code(CODE)


def choose(notebook, menu: str, entry: str) -> None:
    notebook.page.get_by_role("menuitem", name=menu, exact=True).click()
    notebook.page.get_by_role("menuitem", name=entry).first.click()


def test_a_kernel_that_was_shut_down_is_said(notebook):
    lost = notebook.widget("scenelens-lost")
    expect(lost).to_be_hidden()
    expect(notebook.widget("scenelens-still")).to_be_hidden()
    choose(notebook, "Kernel", "Shut Down Kernel")
    expect(lost).to_be_visible(timeout=30_000)
    expect(lost).to_contain_text("Run its cell again")


def test_a_notebook_that_is_opened_again_says_it_too(notebook):
    notebook.save()
    notebook.page.reload()
    expect(notebook.widget("scenelens-lost")).to_be_visible(timeout=60_000)


def test_after_the_cell_was_run_again_nothing_is_said(notebook):
    notebook.run_all()
    expect(notebook.widget("sl-example")).to_be_visible(timeout=60_000)
    expect(notebook.widget("scenelens-lost")).to_be_hidden(timeout=60_000)
    expect(notebook.widget("scenelens-still")).to_be_hidden()


def test_without_the_widgets_states_a_still_picture_is_shown(notebook):
    """What most readers have: JupyterLab stores no states, and the kernel has gone."""
    notebook.save()
    content = nbformat.read(notebook.lab.root / notebook.name, as_version=4)
    content.metadata.pop("widgets")
    nbformat.write(content, notebook.lab.root / "asleep.ipynb")
    NotebookNotary(data_dir=str(notebook.lab.state / "data")).sign(content)  # it is the reader's own
    notebook.open("asleep.ipynb")
    still = notebook.widget("scenelens-still")
    expect(still).to_be_visible(timeout=60_000)
    expect(still).to_contain_text("the widget is asleep. Run its cell to wake it. More.")
    assert pixels(still.locator("img"))[:2] == (60, 40)
    notebook.page.wait_for_timeout(500)
    for sentence in ("model not found", "Loading widget"):
        assert not any(one.is_visible() for one in notebook.page.get_by_text(sentence).all())
    notebook.run_all()
    expect(notebook.widget("sl-example")).to_be_visible(timeout=60_000)
    expect(still).to_be_hidden()
