"""The window of all that is known of units, in a real browser: every part opened, and one unit followed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.annotated_study import annotated_study
from tests.browser.barriers import barriers

CODE = """
import scenelens as sl

study = sl.open_study("tiny_explored/study.toml")
sl.explore(study)
"""


@pytest.fixture(scope="module")
def notebook(run_code, lab):
    (lab.root / "tiny_explored").mkdir()
    annotated_study(lab.root / "tiny_explored", 16)
    return run_code(CODE)


def known(notebook):
    return notebook.widget("sl-known")


def part(notebook, name):
    notebook.widget("sl-part").get_by_role("button", name=name).click()
    expect(status(notebook)).to_contain_text(f": {name}")


def status(notebook):
    """The line of the window; the browser of units in it has its own."""
    return notebook.page.locator(".sl-explore > .scenelens-status")


def test_it_begins_with_names(notebook):
    expect(status(notebook)).to_contain_text("pool5:0 of the scene network")
    expect(known(notebook)).to_contain_text("automatic, by IoU")
    assert barriers(notebook.page, ".sl-explore") == []


def test_another_unit_is_known_below(notebook):
    notebook.change("sl-mosaic", notebook.widget("sl-browse-units").locator(".sl-next").click)
    expect(status(notebook)).to_contain_text("pool5:1 of the scene network")


def test_a_similar_unit_is_one_click_away(notebook):
    part(notebook, "similar units")
    first = known(notebook).locator("button").first
    layer, unit = first.inner_text().split(" ")[0].split(":")
    notebook.change("sl-mosaic", first.click)
    expect(status(notebook)).to_contain_text(f"{layer}:{unit} of the scene network")
    assert barriers(notebook.page, ".sl-explore") == []


def test_an_image_names_the_units_that_respond_to_it(notebook):
    part(notebook, "one image")
    expect(known(notebook).locator("img")).to_be_visible()
    expect(known(notebook)).to_contain_text("that respond most to this image")
    known(notebook).locator("select").select_option(index=1)
    expect(known(notebook).locator("button").first).to_be_visible()
    assert barriers(notebook.page, ".sl-explore") == []


def test_units_are_pinned_and_compared(notebook):
    part(notebook, "pins")
    known(notebook).locator(".sl-pin").click()
    expect(known(notebook).locator(".sl-pin")).to_have_text("Unpin this unit")
    expect(known(notebook).locator("img")).to_be_visible()
    assert barriers(notebook.page, ".sl-explore") == []


def test_the_field_is_that_of_the_unit(notebook):
    part(notebook, "names")
    notebook.widget("sl-browse-units").locator(".sl-layer select").select_option("pool5")
    part(notebook, "receptive field")
    expect(known(notebook).locator(".sl-field")).to_be_visible()


def test_nothing_leaves_a_narrow_view_and_no_script_fails(notebook):
    assert notebook.leaves_view("sl-explore", 700) == []
    assert notebook.outside_requests() == []
    assert notebook.script_errors == []
