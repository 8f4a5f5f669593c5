"""The explorer of receptive fields in a real browser: every control moved once, on a tiny study."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.notebook_page import pixels, type_value
from tests.tiny_study import write_tiny_study

CODE = """
import scenelens as sl
from scenelens.receptive_fields import Atlas, explore_fields
from scenelens.receptive_fields import live

live._QUICK = 0.0  # whole fields only at the button, however fast the machine is
atlas = Atlas(sl.open_study("tiny_fields/study.toml"), n_images=2)
explore_fields(atlas, "scene", "pool1", atlas.part("scene").example("pool1"))
"""


@pytest.fixture(scope="module")
def notebook(run_code, lab):
    write_tiny_study(lab.root / "tiny_fields")
    return run_code(CODE)


def changed(notebook, act):
    notebook.change("sl-field", act)


def test_it_shows_four_panels_and_what_is_missing(notebook):
    expect(notebook.status()).to_contain_text("its average is not in the atlas: about")
    assert pixels(notebook.widget("sl-field"))[:2] == (4 * 266 - 10, 256 + 26)


def test_the_button_computes_the_average(notebook):
    button = notebook.widget("sl-compute")
    changed(notebook, button.click)
    expect(notebook.status()).to_contain_text("of 19 px possible, from 2 images")
    expect(button).to_be_disabled()


def test_the_threshold_by_key(notebook):
    handle = notebook.widget("sl-threshold").locator(".noUi-handle")
    changed(notebook, lambda: handle.press("ArrowRight"))
    expect(notebook.widget("sl-threshold").locator(".widget-readout")).to_have_text("0.55")
    type_value(notebook.widget("sl-threshold").locator(".widget-readout"), "0.1")
    expect(notebook.widget("sl-threshold").locator(".widget-readout")).to_have_text("0.10")


def test_another_image(notebook):
    image = notebook.widget("sl-image").locator("select")
    changed(notebook, lambda: image.select_option("3"))
    expect(notebook.status()).to_contain_text("image 3, peak")


def test_units_by_arrow_and_by_number(notebook):
    changed(notebook, notebook.widget("sl-next").click)
    changed(notebook, notebook.widget("sl-previous").click)
    expect(notebook.status()).to_contain_text("from 2 images")
    readout = notebook.widget("sl-unit").locator(".widget-readout")
    changed(notebook, lambda: type_value(readout, "7"))
    expect(notebook.status()).to_contain_text("pool1:7 of the scene network")
    handle = notebook.widget("sl-unit").locator(".noUi-handle")
    changed(notebook, lambda: handle.press("ArrowRight"))
    expect(notebook.status()).to_contain_text("pool1:8 of the scene network")


def test_another_layer_and_the_other_network(notebook):
    layer = notebook.widget("sl-layer").locator("select")
    changed(notebook, lambda: layer.select_option("conv1"))
    expect(notebook.status()).to_contain_text("conv1:8 of the scene network")
    network = notebook.widget("sl-network").locator("select")
    changed(notebook, lambda: network.select_option("object"))
    expect(notebook.status()).to_contain_text("conv1:8 of the object network")


def test_nothing_is_asked_outside_and_no_script_fails(notebook):
    assert notebook.outside_requests() == []
    assert notebook.script_errors == []
