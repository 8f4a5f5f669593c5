"""The unit browser in a real browser: every control moved once, on a tiny study."""

from __future__ import annotations

import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.notebook_page import pixels, type_value
from tests.tiny_study import write_tiny_study

CODE = """
import scenelens as sl
from scenelens import browse_units

browse_units(sl.open_study("tiny/study.toml"), "scene", "conv4")
"""


@pytest.fixture(scope="module")
def notebook(run_code, lab):
    write_tiny_study(lab.root / "tiny")
    return run_code(CODE)


def choose(notebook, css_class, option):
    """Pick an option of a dropdown; return once the picture has changed."""
    select = notebook.widget(css_class).locator("select")
    notebook.change("sl-mosaic", lambda: select.select_option(option))


def drawn(notebook, unit):
    """Wait until a unit's picture is there; where drawing takes long, the line names the unit before."""
    expect(notebook.status()).to_contain_text(re.compile(f"{unit}.*peaks from"))


def test_it_shows_the_units_images(notebook):
    expect(notebook.status()).to_contain_text("conv4:0 of the scene network · 12 of 20 images · peaks from")
    width, height, _ = pixels(notebook.widget("sl-mosaic"))
    assert (width, height) == (6 * 176 - 8, 2 * 200 - 8)


def test_the_arrows_step_through_the_units_and_back(notebook):
    picture = notebook.widget("sl-mosaic")
    first = pixels(picture)
    notebook.widget("sl-next").click()
    drawn(notebook, "conv4:1 ")
    expect(notebook.widget("sl-unit").locator(".widget-readout")).to_have_text("1")
    assert pixels(picture) != first
    notebook.widget("sl-previous").click()
    drawn(notebook, "conv4:0 ")
    assert pixels(picture) == first


def test_the_slider_by_key_and_by_number(notebook):
    handle = notebook.widget("sl-unit").locator(".noUi-handle")
    handle.press("ArrowRight")
    expect(notebook.status()).to_contain_text("conv4:1 ")
    readout = notebook.widget("sl-unit").locator(".widget-readout")
    type_value(readout, "17")
    expect(notebook.status()).to_contain_text("conv4:17 ")
    type_value(readout, "999")  # the last unit there is
    expect(notebook.status()).to_contain_text("conv4:47 ")


def test_held_keys_end_at_the_right_unit(notebook):
    type_value(notebook.widget("sl-unit").locator(".widget-readout"), "30")
    expect(notebook.status()).to_contain_text("conv4:30 ")
    handle = notebook.widget("sl-unit").locator(".noUi-handle")
    for _ in range(8):
        handle.press("ArrowLeft")
    expect(notebook.status()).to_contain_text("conv4:22 ")
    expect(notebook.widget("sl-unit").locator(".widget-readout")).to_have_text("22")


def test_another_layer_keeps_the_unit_where_it_can(notebook):
    choose(notebook, "sl-layer", "pool5")
    expect(notebook.status()).to_contain_text("pool5:22 of the scene network")
    choose(notebook, "sl-layer", "conv1")
    expect(notebook.status()).to_contain_text("conv1:11 of the scene network")


def test_the_other_network(notebook):
    choose(notebook, "sl-network", "object")
    expect(notebook.status()).to_contain_text("conv1:11 of the object network")
    choose(notebook, "sl-layer", "fc7")
    expect(notebook.status()).to_contain_text("a peak has no place")


def test_the_number_of_images(notebook):
    choose(notebook, "sl-n", "6")
    expect(notebook.status()).to_contain_text("6 of 20 images")
    assert pixels(notebook.widget("sl-mosaic"))[1] == 192


def test_arrows_and_slider_end_at_the_same_unit(notebook):
    type_value(notebook.widget("sl-unit").locator(".widget-readout"), "15")
    expect(notebook.status()).to_contain_text("fc7:15 ")
    notebook.widget("sl-next").click()
    notebook.widget("sl-previous").click()
    expect(notebook.status()).to_contain_text("fc7:14 ")


def test_undo_and_the_code_for_this_view(notebook):
    notebook.widget("sl-undo").click()
    expect(notebook.status()).to_contain_text("fc7:15 ")
    notebook.widget("sl-code").click()
    code = "sl.browse_units(study, 'object', 'fc7', 15, n=6)"
    expect(notebook.widget("sl-code-text")).to_contain_text(code)
    notebook.widget("sl-reset").click()
    expect(notebook.status()).to_contain_text("conv4:0 of the scene network · 12 of")


def test_picture_and_numbers_become_files(notebook):
    notebook.widget("sl-png").click()
    expect(notebook.status()).to_contain_text("scene conv4 0.png")
    notebook.widget("sl-csv").click()
    expect(notebook.status()).to_contain_text("scene conv4 0.csv")
    root = notebook.lab.root
    with Image.open(root / "scene conv4 0.png") as picture:
        assert picture.size == (6 * 176 - 8, 2 * 200 - 8)
    assert (root / "scene conv4 0.csv").read_text().splitlines()[1].startswith("scene,conv4,0,1,")


def test_nothing_leaves_a_narrow_view(notebook):
    assert notebook.leaves_view("sl-browse-units", 700) == []


def test_nothing_is_asked_outside_and_no_script_fails(notebook):
    assert notebook.outside_requests() == []
    assert notebook.script_errors == []
