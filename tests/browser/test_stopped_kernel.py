"""A widget whose kernel was shut down says so; so does one in a notebook that is opened again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.servers import DONE

CODE = f"""
import ipywidgets
from IPython.display import display
from scenelens.workbook.widgets.root import WidgetRoot

display(WidgetRoot("sl-example", [ipywidgets.Button(description="next")]))
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
