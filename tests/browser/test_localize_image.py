"""The localization widget in a real browser: every control moved once."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.annotated_study import annotated_study
from tests.browser.notebook_page import pixels, type_value

CODE = """
import scenelens as sl

study = sl.open_study("tiny_localize/study.toml")
view = sl.localization.localize_image(study)
view.model.least = 0.0
for image in view.model.paths:
    view.model.choose(image=image)
    if len(view.model.boxes()):
        break
view
"""


@pytest.fixture(scope="module")
def notebook(run_code, lab):
    (lab.root / "tiny_localize").mkdir()
    annotated_study(lab.root / "tiny_localize", 16)
    return run_code(CODE)


def changed(notebook, act):
    notebook.change("sl-reading", act)


def test_it_shows_the_image_the_scores_and_a_button_per_box(notebook):
    expect(notebook.status()).to_contain_text("boxes at pool5")
    assert pixels(notebook.widget("sl-reading"))[:2] == (810, 440)
    expect(notebook.widget("sl-box-1")).to_be_visible()


def test_a_box_shows_its_unit(notebook):
    changed(notebook, notebook.widget("sl-box-1").click)
    expect(notebook.status()).to_contain_text("pool5:")
    expect(notebook.status()).to_contain_text(re.compile(r"by \d+ calibration images?"))
    expect(notebook.widget("sl-unit-picture")).to_be_visible()
    assert pixels(notebook.widget("sl-unit-picture"))[1] == 152


def test_the_threshold_by_number_and_by_key(notebook):
    readout = notebook.widget("sl-least").locator(".widget-readout")
    changed(notebook, lambda: type_value(readout, "1"))
    expect(notebook.status()).to_contain_text(re.compile(r" 0 of \d+ boxes at pool5"))
    expect(notebook.widget("sl-box-1")).to_be_hidden()
    expect(notebook.widget("sl-unit-picture")).to_be_hidden()
    changed(notebook, lambda: type_value(readout, "0"))
    expect(notebook.widget("sl-box-1")).to_be_visible()
    notebook.widget("sl-least").locator(".noUi-handle").press("ArrowRight")
    expect(readout).to_have_text("0.05")


def test_another_layer_and_the_other_network(notebook):
    notebook.widget("sl-layer").locator("select").select_option("pool2")
    expect(notebook.status()).to_contain_text("pool2")
    changed(notebook, lambda: notebook.widget("sl-network").locator("select").select_option("object"))
    expect(notebook.status()).to_contain_text(re.compile("apple|ball"))


def test_another_folder_and_image(notebook):
    folder = notebook.widget("sl-folder").locator("select")
    changed(notebook, lambda: folder.select_option("object/ball"))
    expect(notebook.status()).to_contain_text("0.png")
    readout = notebook.widget("sl-number").locator(".widget-readout")
    changed(notebook, lambda: type_value(readout, "5"))
    handle = notebook.widget("sl-number").locator(".noUi-handle")
    changed(notebook, lambda: handle.press("ArrowRight"))
    expect(readout).to_have_text("6")


def test_an_image_is_found_by_what_is_annotated_on_it(notebook):
    field, found = notebook.widget("sl-find").locator("input"), notebook.widget("sl-found").locator("select")
    field.fill("window")
    field.press("Enter")
    expect(found.locator("option")).to_have_count(17, timeout=60_000)  # all attics, and their number
    expect(found.locator("option").nth(1)).to_contain_text("· window 25%")
    changed(notebook, lambda: found.select_option(index=3))
    folder = notebook.widget("sl-folder").locator("select")
    expect(folder.locator("option:checked")).to_have_text("scene/attic")
    changed(notebook, notebook.widget("sl-undo").click)
    expect(folder.locator("option:checked")).to_have_text("object/ball")


def test_nothing_leaves_a_narrow_view(notebook):
    assert notebook.leaves_view("sl-localize-image", 700) == []


def test_a_photograph_of_the_readers_own(notebook, tmp_path):
    rng = np.random.default_rng(5)
    blocks = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8).repeat(20, 0).repeat(20, 1)
    Image.fromarray(blocks).save(tmp_path / "mine.png")

    def upload():
        with notebook.page.expect_file_chooser() as chooser:
            notebook.widget("sl-upload").click()
        chooser.value.set_files(tmp_path / "mine.png")

    changed(notebook, upload)
    expect(notebook.status()).to_contain_text("mine.png")
    folder = notebook.widget("sl-folder").locator("select")
    assert folder.evaluate("one => one.selectedOptions[0].label").replace("\xa0", " ") == "my photos"
    changed(notebook, lambda: folder.select_option("object/ball"))
    changed(notebook, lambda: folder.select_option("my photos"))
    expect(notebook.status()).to_contain_text("mine.png")


def test_no_request_leaves_the_machine_and_no_script_fails(notebook):
    assert notebook.outside_requests() == []
    assert notebook.script_errors == []
