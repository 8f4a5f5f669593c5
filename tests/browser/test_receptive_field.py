"""The explorer of receptive fields in a real browser: every control moved once, on a tiny study."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.notebook_page import pixels, type_value
from tests.tiny_study import write_tiny_study

CODE = """
import time

import ipywidgets
import scenelens as sl
from scenelens.receptive_fields import Atlas, explore_fields
from scenelens.receptive_fields import live

live._QUICK = 0.0  # whole fields only at the button, however fast the machine is
atlas = Atlas(sl.open_study("tiny_fields/study.toml"), n_images=2)
view = explore_fields(atlas, "scene", "pool1", atlas.part("scene").example("pool1"))
said = ipywidgets.HTML().add_class("t-said")
fast = type(view.model)._make_map


def slow(model, *key):
    time.sleep(model.pause)
    said.value = f"{said.value} {key[2]}"
    return fast(model, *key)


type(view.model).pause, type(view.model)._make_map = 0, slow
pause = ipywidgets.FloatText().add_class("t-pause")
pause.observe(lambda change: setattr(view.model, "pause", change["new"]), "value")
ipywidgets.VBox([view, pause, said])
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
    expect(button).to_have_text("The average is there")
    assert button.evaluate("one => one.scrollWidth <= one.clientWidth")  # nothing of it is cut off


def test_the_threshold_by_key(notebook):
    handle = notebook.widget("sl-threshold").locator(".noUi-handle")
    changed(notebook, lambda: handle.press("ArrowRight"))
    expect(notebook.widget("sl-threshold").locator(".widget-readout")).to_have_text("0.55")
    expect(handle).to_have_attribute("aria-valuenow", "0.55")  # not rounded to 0.6
    expect(notebook.status()).to_contain_text("of the image is lit at 55% of the peak or more")
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


def test_ten_clicks_compute_the_last_unit_behind_what_is_there(notebook):
    type_value(notebook.widget("t-pause").locator("input"), "0.6")
    before = len(notebook.widget("t-said").inner_text().split())
    changed(notebook, notebook.widget("sl-previous").click)
    # The new unit's image and a busy sign are there before its map is.
    expect(notebook.status()).to_contain_text("conv1:7 of the object network · computing")
    expect(notebook.widget("scenelens-status")).to_have_class(re.compile("scenelens-busy"))
    expect(notebook.status()).to_contain_text("conv1:7 of the object network · image")
    for _ in range(7):
        notebook.widget("sl-previous").click()
    expect(notebook.status()).to_contain_text("conv1:0 of the object network · image")
    expect(notebook.widget("scenelens-status")).not_to_have_class(re.compile("scenelens-busy"))
    computed = notebook.widget("t-said").inner_text().split()[before:]
    assert computed[0] == "7"
    assert computed[-1] == "0"
    assert len(computed) <= 5  # of eight units that were clicked through


def test_nothing_leaves_a_narrow_view(notebook):
    assert notebook.leaves_view("sl-explore-fields", 700) == []


def test_nothing_is_asked_outside_and_no_script_fails(notebook):
    assert notebook.outside_requests() == []
    assert notebook.script_errors == []
