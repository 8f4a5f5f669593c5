"""One unit for all widgets of a notebook, in a browser: taken on screen, and offered to the next widget."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.annotated_study import annotated_study
from tests.browser.notebook_page import NotebookPage, type_value

CODE = """
import ipywidgets
import scenelens as sl

study = sl.open_study("tiny_shared/study.toml")
found = sl.interventions.ablation_effects(study, numbers=(1,), draws=1, progress=False)
first = [sl.browse_units(study), sl.interventions.switch_units(found)]
rest = ipywidgets.VBox()
more = ipywidgets.Button(description="more").add_class("t-more")


def show(_):
    view = sl.localization.localize_image(study)
    view.model.least = 0.0
    rest.children = [sl.browse_units(study, "object").add_class("t-next"), view]


more.on_click(show)
display(*first, more, rest)
"""


@pytest.fixture(scope="module")
def notebook(run_code, lab):
    (lab.root / "tiny_shared").mkdir()
    annotated_study(lab.root / "tiny_shared", 16)
    return run_code(CODE)


def status(notebook: NotebookPage, widget: str) -> Locator:
    return notebook.page.locator(f".{widget} .scenelens-status .widget-html-content")


def test_a_unit_that_is_browsed_is_marked_among_the_switches(notebook):
    page = notebook.page
    type_value(page.locator(".sl-browse-units .sl-unit .widget-readout"), "31")
    expect(status(notebook, "sl-switch-units")).to_contain_text("pool5:31")
    expect(page.locator(".sl-switch-units .sl-unit-31")).to_contain_text("▸ 31")


def test_a_unit_that_is_switched_off_is_browsed(notebook):
    button = notebook.page.locator(".sl-units button").first
    number = button.inner_text().split()[0]
    button.click()
    expect(status(notebook, "sl-browse-units")).to_contain_text(f"pool5:{number} of the scene network")
    expect(notebook.page.locator(".sl-offer:visible")).to_have_count(0)


def test_the_next_widgets_offer_the_unit(notebook):
    page = notebook.page
    number = page.locator(".sl-units button", has_text="▸").inner_text().split()[1]
    notebook.widget("t-more").click()
    offer = page.locator(".t-next .sl-offer")
    expect(offer).to_have_text(f"Show pool5:{number} of scene", timeout=120_000)
    offer.click()
    expect(status(notebook, "t-next")).to_contain_text(f"pool5:{number} of the scene network")
    expect(offer).to_be_hidden()
    page.locator(".sl-localize-image .sl-offer").click()
    expect(status(notebook, "sl-localize-image")).to_contain_text(f"pool5:{number}", timeout=60_000)


def test_no_script_fails(notebook):
    assert notebook.script_errors == []
