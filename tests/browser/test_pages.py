"""The pages in a browser, opened from disk: figures enlarge, sections are found, nothing is cut off."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Browser, Page

from scenelens.shown_tables import table_html
from scenelens.workbook.pages import write_pages
from scenelens.workbook.running import _WIDGET_STATE, WIDGET_VIEW, Run
from scenelens.workbook.style import Plate
from scenelens.workbook.widgets.steps import _Steps
from tests.browser.barriers import barriers
from tests.browser.waiting import until

pytestmark = pytest.mark.browser
NARROW, WIDE = 390, 1280


def cell(data, metadata=None):
    output = new_output("execute_result", data=data, metadata=metadata or {}, execution_count=1)
    return new_code_cell("show()", execution_count=1, outputs=[output])


def figure(title):
    data, about = Plate(title, 2.0, "n = 100 images.")._repr_mimebundle_()
    data = {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in data.items()}
    return cell(data, about)


WIDGET = {
    "box": {"model_name": "VBoxModel", "state": {"children": ["IPY_MODEL_unit", "IPY_MODEL_picture"]}},
    "unit": {"model_name": "IntSliderModel", "state": {"value": 5, "_dom_classes": ["sl-unit"]}},
    "picture": {"model_name": "ImageModel", "state": {}},
}


def steps():
    """Pictures of two units at three thresholds, as a widget draws them."""
    values = {"unit": [3, 5], "threshold": [0.2, 0.5, 0.8]}
    drawn = _Steps(
        values, lambda unit, threshold: (np.full((40, 400, 3), 20 * unit, np.uint8), f"{unit} at {threshold}")
    )
    return drawn.saved("picture", {"unit": 5, "threshold": 0.5})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    table = pd.DataFrame({f"a_long_heading_{k}": ["10.065965"] for k in range(14)})
    first = [new_markdown_cell("# One\n\nSection 2 of the paper"), figure("Lamps"), figure("Beds")]
    first += [new_markdown_cell(f"## Part {k}\n\n" + "Some words. " * 150) for k in range(4)]
    first += [cell({"text/html": table_html(table)}), new_markdown_cell("## Last\n\nA zebra. " + "x" * 200)]
    first.append(cell({WIDGET_VIEW: {"model_id": "box"}}))
    notebook = new_notebook(cells=first)
    notebook.metadata["widgets"] = {_WIDGET_STATE: {"state": WIDGET}}
    runs = [Run("02_one", notebook, 1.0, steps={"box": steps()})]
    runs.append(
        Run("03_2_two", new_notebook(cells=[new_markdown_cell("# Two\n\n## Zebra `<b>`\n\nMore.")]), 1.0)
    )
    place = tmp_path_factory.mktemp("pages")
    write_pages(runs, place, "A study")
    return place


@pytest.fixture(params=[WIDE, NARROW])
def page(chromium: Browser, request) -> Iterator[Page]:
    scheme = "dark" if request.param == NARROW else "light"
    context = chromium.new_context(viewport={"width": request.param, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.did = []
    page.on("request", lambda one: page.did.append(one.url))
    page.on("console", lambda one: page.did.append(one.text) if one.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.did.append(str(error)))
    yield page
    outside = [one for one in page.did if not one.startswith(("file:", "data:image/"))]
    context.close()
    assert outside == []


def test_nothing_is_wider_than_the_window_and_a_wide_table_scrolls(page, folder):
    for path in sorted(folder.glob("*.html")):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path.name
    page.goto((folder / "02_one.html").as_uri())
    table = page.get_by_role("region", name="Table 02.1")
    before, inside = table.evaluate("one => [one.scrollLeft, one.scrollWidth > one.clientWidth]")
    assert inside
    table.focus()
    page.keyboard.press("ArrowRight")
    until(page, "before => document.querySelector('.scroll').scrollLeft > before", arg=before)


def test_a_figure_is_enlarged_and_let_go_with_mouse_and_keyboard(page, folder):
    page.goto((folder / "02_one.html").as_uri())
    dialog = page.get_by_role("dialog")
    page.locator("figure img").first.click()
    assert "Lamps" in dialog.locator(".about").inner_text()
    if page.viewport_size["width"] == NARROW:
        dialog.get_by_role("button", name="Fit").click()
    page.keyboard.press("ArrowRight")
    assert "Beds" in dialog.locator(".about").inner_text()
    fitted = dialog.locator("img").bounding_box()["width"]
    dialog.get_by_role("button", name="Larger").click()
    least = 800 if page.viewport_size["width"] == NARROW else 1150
    assert dialog.locator("img").bounding_box()["width"] >= max(least, fitted)
    page.keyboard.press("Escape")
    assert dialog.count() == 0
    page.get_by_role("button", name="Enlarge Figure 02.2").focus()
    page.keyboard.press("Enter")
    assert "Beds" in dialog.locator(".about").inner_text()
    dialog.get_by_role("button", name="Close").click()
    assert page.evaluate("document.activeElement.className") == "enlarge"  # back where the reader was


def test_in_a_narrow_window_a_figure_opens_large_where_it_was_tapped_and_can_be_moved(page, folder):
    page.goto((folder / "02_one.html").as_uri())
    image, frame = page.locator("figure img").first, page.get_by_role("dialog").locator(".frame")
    box = image.bounding_box()
    image.click(position={"x": 0.9 * box["width"], "y": 0.5 * box["height"]})
    moved, room = frame.evaluate("one => [one.scrollLeft, one.scrollWidth - one.clientWidth]")
    if page.viewport_size["width"] != NARROW:
        assert (moved, room) == (0, 0)
        return
    assert room > 400
    assert moved > 0.8 * room
    held = frame.bounding_box()
    middle = held["y"] + min(60, held["height"] / 2)
    page.mouse.move(100, middle)
    page.mouse.down()
    page.mouse.move(300, middle, steps=4)
    page.mouse.up()
    assert frame.evaluate("one => one.scrollLeft") == pytest.approx(moved - 200, abs=3)
    assert page.get_by_role("dialog").get_by_role("button", name="Fit").count() == 1  # a drag is no click
    page.get_by_role("dialog").get_by_role("button", name="Fit").click()
    assert frame.evaluate("one => one.scrollWidth <= one.clientWidth")


def test_pictures_of_a_widget_are_stepped_through_with_keys_and_arrows(page, folder):
    page.goto((folder / "02_one.html").as_uri())
    box, status = page.locator(".steps"), page.locator(".steps").get_by_role("status")
    assert status.inner_text() == "5 at 0.5"
    threshold = box.get_by_role("slider", name="Threshold")
    threshold.focus()
    page.keyboard.press("ArrowRight")
    assert status.inner_text() == "5 at 0.8"
    assert threshold.get_attribute("aria-valuetext") == "0.8"
    assert box.get_by_role("button", name="Threshold: on").is_disabled()
    box.get_by_role("button", name="Unit: back").click()
    assert status.inner_text() == "3 at 0.8"
    assert box.get_by_role("slider", name="Unit").evaluate("one => one === document.activeElement")
    (image,) = box.locator("img:visible").all()
    assert image.get_attribute("alt").endswith("unit 3, threshold 0.8")
    box.get_by_role("button", name="Enlarge").click()
    dialog = page.get_by_role("dialog")
    assert dialog.locator(".about").inner_text() == "3 at 0.8"
    assert dialog.locator("img").is_visible()


STILL = "document.querySelector('.moving img').currentSrc === document.querySelector('.moving source').srcset"


def test_a_reader_can_stop_the_moving_picture_and_let_it_move_again(page, folder):
    page.goto((folder / "index.html").as_uri())
    until(page, f"() => !({STILL})")
    page.get_by_role("button", name="Stop").click()
    until(page, f"() => {STILL}")
    page.get_by_role("button", name="Play").click()
    until(page, f"() => !({STILL})")


def test_nothing_moves_for_a_reader_who_wants_nothing_to_move(chromium, folder):
    for script in (True, False):
        context = chromium.new_context(reduced_motion="reduce", java_script_enabled=script)
        page = context.new_page()
        page.goto((folder / "index.html").as_uri())
        image = page.locator(".moving img")
        assert image.evaluate("one => one.currentSrc") == page.locator(".moving source").get_attribute(
            "srcset"
        )
        assert page.get_by_role("button", name="Play").count() == script
        context.close()


def test_no_barrier_on_any_page(page, folder):
    for path in sorted(folder.glob("*.html")):
        page.goto(path.as_uri())
        assert barriers(page) == [], path.name
    page.goto((folder / "02_one.html").as_uri())
    page.locator("figure img").first.click()
    assert barriers(page) == []


def test_the_contents_lead_to_sections_and_say_which_one_is_read(page, folder):
    page.goto((folder / "02_one.html").as_uri())
    if page.viewport_size["width"] == NARROW:
        page.get_by_text("Contents", exact=True).click()
    page.locator(".contents:visible").get_by_role("link", name="Part 2").click()
    until(page, "() => Math.abs(document.getElementById('Part-2').getBoundingClientRect().top) < 140")
    until(page, "() => document.querySelector('.contents [aria-current]')?.textContent === 'Part 2'")


def test_a_word_is_found_in_all_notebooks(page, folder):
    page.goto((folder / "02_one.html").as_uri())
    if page.viewport_size["width"] == NARROW:
        page.get_by_role("link", name="Search").first.click()
        page.locator("main input").fill("zebra")
    else:
        page.locator("header input").fill("zebra")
        page.keyboard.press("Enter")
    until(page, "() => document.getElementById('found')?.textContent === '2 sections with “zebra”'")
    titles = page.locator("#results a").all_inner_texts()
    assert titles == ["03.2 Two · Zebra <b>", "02 One · Last"]  # what has it in its title comes first
    assert page.locator("#results mark").first.inner_text() == "zebra"
    page.locator("#results a").nth(1).click()
    until(page, "() => location.hash === '#Last'")
    page.goto((folder / "search.html").as_uri() + "#q=%3Cimg%20src%3Dx%3E")
    assert page.locator("#found").inner_text() == "No section has “<img src=x>”."


def test_without_the_script_everything_is_there_to_be_read(chromium, folder):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "search.html").as_uri())
    assert page.locator("#results li").count() >= 8
    page.goto((folder / "02_one.html").as_uri())
    assert page.locator("figure img").count() == 2
    assert page.locator(".steps img:visible").count() == 1
    assert page.locator(".steps").get_by_role("status").inner_text() == "5 at 0.5"
    assert page.get_by_role("slider").count() == 0
    assert page.get_by_role("button").count() == 0
    context.close()
