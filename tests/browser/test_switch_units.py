"""Switching units off in a real browser: every control moved once."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.notebook_page import pixels
from tests.tiny_study import write_tiny_study

CODE = """
import scenelens as sl

study = sl.open_study("tiny_switched/study.toml")
found = sl.interventions.ablation_effects(study, numbers=(1, 4), draws=1, progress=False)
sl.interventions.switch_units(found)
"""


@pytest.fixture(scope="module")
def notebook(run_code, lab):
    write_tiny_study(lab.root / "tiny_switched", 8)
    return run_code(CODE)


def units(notebook):
    return notebook.widget("sl-units").locator("button")


def changed(notebook, act):
    notebook.change("sl-ablated", act)


def test_it_shows_the_image_the_scores_and_a_button_for_each_unit(notebook):
    expect(notebook.status()).to_contain_text("all units are on")
    assert pixels(notebook.widget("sl-ablated"))[:2] == (810, 400)
    expect(notebook.widget("sl-scores").locator("tr")).to_have_count(3)  # the network's classes
    assert 1 < units(notebook).count() <= 20


def test_a_unit_goes_off_and_comes_back(notebook):
    units(notebook).first.click()
    expect(notebook.status()).to_contain_text("1 unit off")
    units(notebook).first.click()
    expect(notebook.status()).to_contain_text("all units are on")


def test_the_slider_switches_the_first_units_off(notebook):
    handle = notebook.widget("sl-first").locator(".noUi-handle")
    handle.press("ArrowRight")
    expect(notebook.status()).to_contain_text("1 unit off")
    handle.press("ArrowRight")
    expect(notebook.status()).to_contain_text("2 units off")
    struck = notebook.widget("sl-units").locator("button.scenelens-off")
    expect(struck).to_have_count(2)
    expect(struck.first).to_have_css("text-decoration-line", "line-through")  # not by its colour alone
    expect(struck.first).to_have_attribute("aria-pressed", "false")


def test_the_minimal_image_stands_beside_the_image(notebook):
    changed(notebook, notebook.widget("sl-minimal").click)
    expect(notebook.status()).to_contain_text("2 units off")


def test_another_image(notebook):
    changed(notebook, lambda: notebook.widget("sl-image").locator("select").select_option(index=1))
    expect(notebook.status()).to_contain_text("2 units off")


def test_a_unit_is_found_and_marked(notebook):
    found = notebook.widget("sl-found").locator("select")
    notebook.widget("sl-order").locator("select").select_option("name")
    expect(found.locator("option")).to_have_count(33)  # 32 units, and their number
    offered = {text.split()[0] for text in units(notebook).all_inner_texts()}
    number = next(str(unit) for unit in range(32) if str(unit) not in offered)
    found.select_option(index=int(number) + 1)  # the units have no names here: they come by their numbers
    button = notebook.widget("sl-units").locator("button", has_text="▸")
    expect(button).to_have_count(1)
    expect(button).to_contain_text(number)
    expect(notebook.status()).to_contain_text("2 units off · ")
    expect(notebook.status()).to_contain_text(f"pool5:{number}")
    expect(button).to_have_attribute("aria-pressed", "true")  # a unit that is offered anew is on
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(notebook.status()).to_contain_text("3 units off")


def test_undo_code_and_files(notebook):
    notebook.widget("sl-undo").click()
    expect(notebook.status()).to_contain_text("2 units off")
    notebook.widget("sl-code").click()
    expect(notebook.widget("sl-code-text")).to_contain_text("sl.interventions.switch_units(found)")
    notebook.widget("sl-png").click()
    expect(notebook.status()).to_contain_text("2 units off.png")
    notebook.widget("sl-csv").click()
    expect(notebook.status()).to_contain_text("2 units off.csv")
    assert len(list(notebook.lab.root.glob("scene pool5 * 2 units off.*"))) == 2


def test_nothing_leaves_a_narrow_view_and_the_status_stands_above_the_picture(notebook):
    assert notebook.leaves_view("sl-switch-units", 700) == []
    status = notebook.widget("scenelens-status").bounding_box()
    assert status["y"] + status["height"] <= notebook.widget("sl-ablated").bounding_box()["y"] + 1


def test_another_category_begins_with_all_units_on(notebook):
    before = units(notebook).all_inner_texts()
    changed(notebook, lambda: notebook.widget("sl-target").locator("select").select_option(index=1))
    expect(notebook.status()).to_contain_text("all units are on")
    assert units(notebook).all_inner_texts() != before  # in another order


def test_no_request_leaves_the_machine_and_no_script_fails(notebook):
    assert notebook.outside_requests() == []
    assert notebook.script_errors == []
