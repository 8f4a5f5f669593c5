"""Taking an image apart in a real browser: every control moved once."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.notebook_page import pixels
from tests.tiny_study import write_tiny_study

CODE = """
import numpy as np
import scenelens as sl

study = sl.open_study("tiny_apart/study.toml")
image = study.load_image(study.images.image[0])
segment_map = np.arange(60)[:, None] // 20 * 4 + np.arange(80)[None] // 20
sl.minimal_images.take_apart(sl.CutImage(study.networks["scene"], image, segment_map))
"""


@pytest.fixture(scope="module")
def notebook(run_code, lab):
    write_tiny_study(lab.root / "tiny_apart")
    return run_code(CODE)


def changed(notebook, act):
    notebook.change("sl-apart", act)


def test_it_shows_both_pictures_and_a_button_for_each_segment(notebook):
    expect(notebook.status()).to_contain_text("100% of the pixels kept")
    assert pixels(notebook.widget("sl-apart"))[:2] == (810, 400)
    expect(notebook.widget("sl-segments").locator("button")).to_have_count(12)


def test_a_segment_goes_and_comes_back(notebook):
    button = notebook.widget("sl-segment-3")
    changed(notebook, button.click)
    expect(notebook.status()).to_contain_text("92% of the pixels kept")
    changed(notebook, button.click)
    expect(notebook.status()).to_contain_text("100% of the pixels kept")


def test_the_slider_and_back(notebook):
    handle = notebook.widget("sl-step").locator(".noUi-handle")
    changed(notebook, lambda: handle.press("ArrowRight"))
    expect(notebook.status()).not_to_contain_text("100% of the pixels kept")
    expect(notebook.status()).to_contain_text("step 1 of the search")
    changed(notebook, notebook.widget("sl-all").click)
    expect(notebook.status()).to_contain_text("100% of the pixels kept")
    expect(notebook.widget("sl-step").locator(".widget-readout")).to_have_text("0")


def test_a_choice_by_hand_is_no_step_of_the_search(notebook):
    readout = notebook.widget("sl-step").locator(".widget-readout")
    for number in (1, 2, 3, 4):  # some of these are not what the search removes first
        changed(notebook, notebook.widget(f"sl-segment-{number}").click)
    expect(notebook.status()).to_contain_text("your own choice")
    expect(readout).to_be_hidden()
    for _ in range(4):
        changed(notebook, notebook.widget("sl-undo").click)
    expect(readout).to_have_text("0")


def test_a_segment_is_found_by_its_name(notebook):
    field, found = notebook.widget("sl-find").locator("input"), notebook.widget("sl-found").locator("select")
    field.fill("region 5")
    field.press("Enter")
    expect(found.locator("option")).to_have_text(["1 segment", "6 region 5 · 8%"])
    changed(notebook, lambda: found.select_option(index=1))
    expect(notebook.widget("sl-segment-6")).to_have_text("▸ 6")
    expect(notebook.status()).to_contain_text("segment 6, region 5: 8% of the pixels")
    changed(notebook, notebook.widget("sl-undo").click)
    expect(notebook.widget("sl-segment-6")).to_have_text("6")


def test_nothing_leaves_a_narrow_view(notebook):
    assert notebook.leaves_view("sl-take-apart", 700) == []


def test_a_file_that_is_no_photograph_is_refused_where_the_reader_looks(notebook, tmp_path):
    (tmp_path / "notes.txt").write_text("no photograph")
    with notebook.page.expect_file_chooser() as chooser:
        notebook.widget("sl-upload").click()
    chooser.value.set_files(tmp_path / "notes.txt")
    expect(notebook.status()).to_contain_text("the image notes.txt is unreadable")
    assert "object at 0x" not in notebook.status().inner_text()
    picture = notebook.widget("sl-apart").bounding_box()
    assert notebook.status().bounding_box()["y"] < picture["y"]
    expect(notebook.widget("sl-upload")).not_to_contain_text("(1)")


def test_a_photograph_of_the_readers_own(notebook, tmp_path):
    rng = np.random.default_rng(5)
    blocks = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8).repeat(20, 0).repeat(20, 1)
    Image.fromarray(blocks).save(tmp_path / "mine.png")

    def upload():
        with notebook.page.expect_file_chooser() as chooser:
            notebook.widget("sl-upload").click()
        chooser.value.set_files(tmp_path / "mine.png")

    changed(notebook, upload)
    expect(notebook.widget("sl-segment-13")).to_be_visible(timeout=60_000)


def test_no_request_leaves_the_machine_and_no_script_fails(notebook):
    assert notebook.outside_requests() == []
    assert notebook.script_errors == []
