"""The annotation task in a real browser: every control moved once, wrong answers refused, right ones kept."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from playwright.sync_api import expect

from scenelens.labels.store import LabelStore
from scenelens.studies.study import open_study
from scenelens.unit_semantics.task import annotation_task
from tests.browser.notebook_page import pixels
from tests.tiny_study import write_tiny_study

UNITS = [("scene", "pool5", 4), ("object", "pool5", 1), ("scene", "conv4", 7)]
CODE = f"""
import threading

import ipywidgets
import scenelens as sl
from scenelens.labels import LabelStore
from scenelens.unit_semantics import annotate_units

study = sl.open_study("tiny_annotate/study.toml")
view = annotate_units(study, {UNITS}, store=LabelStore("tiny_annotate/labels.db"))
threads = ipywidgets.HTML()
threads.add_class("t-threads")
seen = set()

def note(change):
    seen.add(threading.current_thread().name)
    threads.value = ", ".join(sorted(seen))

view.model.observe(note)
ipywidgets.VBox([view, threads])
"""


@pytest.fixture(scope="module")
def study(lab):
    return open_study(write_tiny_study(lab.root / "tiny_annotate"))


@pytest.fixture(scope="module")
def store(lab):
    return LabelStore(lab.root / "tiny_annotate" / "labels.db")


@pytest.fixture(scope="module")
def notebook(run_code, study):
    return run_code(CODE)


def field(notebook, name):
    return notebook.widget(f"sl-{name}").locator("input")


def focused(notebook, name):
    """Wait until the field of that name has the focus."""
    expect(field(notebook, name)).to_be_focused()


def catch_trials(study, place):
    return sorted(annotation_task(study, *UNITS[place]).catch)


def progress(notebook):
    return notebook.widget("sl-progress").locator(".widget-html-content")


def test_it_shows_the_images_with_their_numbers(notebook):
    expect(notebook.widget("sl-tile")).to_have_count(20)
    expect(notebook.widget("sl-tile-20")).to_have_text("20")
    first, box = notebook.widget("sl-tile").first, notebook.widget("sl-tile").nth(1).bounding_box()
    assert pixels(first.locator("img"))[:2] == (176, 176)
    assert box["width"] == pytest.approx(box["height"], abs=1.5)
    assert box["width"] >= 80
    expect(progress(notebook)).to_have_text("unit 1 of 3 · 0 answered")
    sheet = notebook.widget("sl-sheet").evaluate(
        "e => [e.scrollWidth <= e.clientWidth, e.scrollHeight <= e.clientHeight]"
    )
    assert sheet == [True, True]  # nothing hides behind a scroll bar


def test_enter_goes_on_from_field_to_field(notebook):
    field(notebook, "annotator").fill("Ada")
    field(notebook, "annotator").press("Enter")
    focused(notebook, "concept")
    notebook.page.keyboard.type("red blocks")
    notebook.page.keyboard.press("Enter")
    focused(notebook, "marks")


def test_what_is_refused_is_said_and_stays(notebook, store):
    notebook.widget("sl-accept").click()
    expect(notebook.status()).to_contain_text("No type is chosen")
    notebook.widget("sl-types").get_by_role("button", name="object", exact=True).click()
    notebook.widget("sl-accept").click()
    expect(notebook.status()).to_contain_text("Some images that do not belong here are not marked")
    expect(notebook.widget("scenelens-status")).to_have_class(re.compile("sl-refused"))
    expect(field(notebook, "concept")).to_have_value("red blocks")
    assert not store.path.exists()


def test_an_image_is_marked_by_a_click_by_space_and_by_number(notebook, study):
    catch = catch_trials(study, 0)
    notebook.widget(f"sl-tile-{catch[0] + 1}").click()
    expect(field(notebook, "marks")).to_have_value(str(catch[0] + 1))
    button = notebook.widget(f"sl-tile-{catch[1] + 1}")
    button.focus()
    notebook.page.keyboard.press("Space")
    expect(button).to_have_class(re.compile("mod-active"))
    expect(field(notebook, "marks")).to_have_value(", ".join(str(place + 1) for place in catch[:2]))
    numbers = ", ".join(str(place + 1) for place in catch)
    field(notebook, "marks").fill(numbers)
    field(notebook, "marks").press("Enter")
    expect(notebook.widget(f"sl-tile-{catch[2] + 1}")).to_have_class(re.compile("mod-active"))
    expect(notebook.page.locator(".sl-tile .mod-active")).to_have_count(3)


def test_a_right_answer_is_on_disk_when_the_next_unit_shows(notebook, store):
    picture = notebook.widget("sl-tile").first.locator("img")
    before = picture.get_attribute("src")
    notebook.widget("sl-accept").click()
    expect(picture).not_to_have_attribute("src", before, timeout=60_000)
    row = store.labels().iloc[0]
    assert row[["network", "layer", "unit", "annotator", "concept", "type"]].tolist() == [
        "scene", "pool5", 4, "Ada", "red blocks", "object",
    ]  # fmt: skip
    assert (row.precision, row.n_images) == (1.0, 17)
    expect(notebook.status()).to_contain_text("saved: pool5:4 of the scene network is 'red blocks'")
    expect(progress(notebook)).to_have_text("unit 2 of 3 · 1 answered")
    expect(notebook.page.locator(".sl-tile .mod-active")).to_have_count(0)
    focused(notebook, "concept")


def test_the_next_unit_by_keyboard_alone(notebook, study, store):
    keyboard = notebook.page.keyboard
    keyboard.type("a corner")
    keyboard.press("Enter")
    focused(notebook, "marks")
    keyboard.type(" ".join(str(place + 1) for place in catch_trials(study, 1)))
    for _ in range(6):  # past scene, object, region, part and texture
        keyboard.press("Tab")
    keyboard.press("Space")
    expect(notebook.widget("sl-types").locator(".mod-active")).to_have_text("simple element or colour")
    keyboard.press("Tab")
    expect(notebook.widget("sl-accept")).to_be_focused()
    keyboard.press("Enter")
    expect(progress(notebook)).to_have_text("unit 3 of 3 · 2 answered", timeout=60_000)
    assert store.labels().concept.tolist() == ["red blocks", "a corner"]


def test_back_and_forth_through_the_queue(notebook):
    notebook.widget("sl-previous").click()
    expect(progress(notebook)).to_contain_text("unit 2 of 3 · 2 answered · answered before")
    expect(field(notebook, "concept")).to_have_value("a corner")
    expect(notebook.page.locator(".sl-tile .mod-active")).to_have_count(3)
    notebook.widget("sl-next").click()
    expect(progress(notebook)).to_have_text("unit 3 of 3 · 2 answered")
    expect(field(notebook, "concept")).to_have_value("")


def test_a_unit_is_found_by_the_persons_own_words(notebook):
    notebook.widget("sl-find").locator("input").fill("corner")
    notebook.widget("sl-find").locator("input").press("Enter")
    found = notebook.widget("sl-found").locator("select")
    expect(found.locator("option")).to_have_text(["1 unit", "2 answered: a corner"])
    found.select_option(index=1)
    expect(progress(notebook)).to_contain_text("unit 2 of 3 · 2 answered · answered before")
    notebook.widget("sl-show").locator("select").select_option("open")
    notebook.widget("sl-find").locator("input").fill("")
    notebook.widget("sl-find").locator("input").press("Enter")
    expect(found.locator("option")).to_have_text(["1 unit", "3 open"])
    found.select_option(index=1)
    expect(progress(notebook)).to_have_text("unit 3 of 3 · 2 answered")


def test_undo_takes_back_what_was_done_last(notebook):
    tile = notebook.widget("sl-tile-4")
    tile.click()
    expect(tile).to_have_attribute("aria-pressed", "true")
    notebook.widget("sl-undo").click()
    expect(tile).to_have_attribute("aria-pressed", "false")
    expect(field(notebook, "marks")).to_have_value("")


def test_what_has_to_be_pressed_stands_above_the_images(notebook):
    images = notebook.widget("sl-sheet").bounding_box()["y"]
    for name in ("sl-accept", "sl-undo", "sl-find", "scenelens-status"):
        box = notebook.widget(name).bounding_box()
        assert box["y"] + box["height"] <= images, name


def test_nothing_leaves_a_narrow_view(notebook):
    assert notebook.leaves_view("sl-annotate", 700) == []


def test_the_images_become_larger(notebook):
    handle = notebook.widget("sl-size").locator(".noUi-handle")
    before = notebook.widget("sl-tile").first.bounding_box()["width"]
    for _ in range(8):
        handle.press("ArrowRight")
    expect(handle).to_have_attribute("aria-valuenow", "152")
    notebook.page.wait_for_function(
        "width => document.querySelector('.sl-tile').getBoundingClientRect().width > width", arg=before + 30
    )


def test_the_table_can_be_exported(notebook, store):
    notebook.widget("sl-export").click()
    expect(notebook.status()).to_contain_text("2 answers written to")
    assert pd.read_csv(store.path.with_suffix(".csv")).concept.tolist() == ["red blocks", "a corner"]


def test_what_the_reader_did_was_handled_in_order_in_one_thread(notebook):
    expect(notebook.widget("t-threads").locator(".widget-html-content")).to_have_text("MainThread")


def test_no_request_leaves_the_machine_and_no_script_fails(notebook):
    assert notebook.outside_requests() == []
    assert notebook.script_errors == []
