"""The kit itself, on the small notebooks of tests/notebooks: every control moved once, errors seen."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.notebook_page import pixels, type_value


@pytest.fixture(scope="module")
def notebook(open_notebook):
    return open_notebook("tests/notebooks/good.ipynb").run_all()


def test_slider_by_key_changes_the_picture(notebook):
    image = notebook.widget("t-picture")
    assert pixels(image)[:2] == (120, 60)
    before, src = pixels(image), image.get_attribute("src")
    notebook.page.locator(".noUi-handle").press("ArrowRight")
    expect(notebook.status()).to_have_text("unit 8")
    expect(image).not_to_have_attribute("src", src)
    assert pixels(image) != before
    notebook.page.locator(".noUi-handle").press("ArrowLeft")
    expect(notebook.status()).to_have_text("unit 7")


def test_typed_values_are_clamped_or_refused(notebook):
    readout = notebook.page.locator(".widget-readout")
    type_value(readout, "3")
    expect(notebook.status()).to_have_text("unit 3")
    type_value(readout, "999")
    expect(notebook.status()).to_have_text("unit 9")
    type_value(readout, "abc")
    expect(readout).to_have_text("9")


def test_dropdown(notebook):
    layer = notebook.page.get_by_role("combobox", name="layer")
    layer.select_option("pool2")
    expect(notebook.status()).to_have_text("pool2")


def test_nothing_is_asked_outside_and_no_script_fails(notebook):
    assert notebook.outside_requests() == []
    assert notebook.script_errors == []


def test_a_guarded_callback_shows_its_error(open_notebook):
    page = open_notebook("tests/notebooks/fails_in_callback.ipynb").run_all()
    page.page.locator(".noUi-handle").press("ArrowRight")
    expect(page.status()).to_contain_text("ValueError: no such <unit>")


def test_a_failing_cell_is_an_error_here(open_notebook):
    with pytest.raises(AssertionError, match="KeyError: 'lamp'"):
        open_notebook("tests/notebooks/fails_in_cell.ipynb").run_all()
