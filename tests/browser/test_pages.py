"""The pages in a browser, opened from disk: figures enlarge, sections are found, nothing is cut off."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Browser, Page

from scenelens.workbook.pages import write_pages
from scenelens.workbook.running import Run
from scenelens.workbook.style import Plate

pytestmark = pytest.mark.browser
NARROW, WIDE = 390, 1280


def cell(data, metadata=None):
    output = new_output("execute_result", data=data, metadata=metadata or {}, execution_count=1)
    return new_code_cell("show()", execution_count=1, outputs=[output])


def figure(title):
    data, about = Plate(title, 2.0, "n = 100 images.")._repr_mimebundle_()
    data = {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in data.items()}
    return cell(data, about)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    table = pd.DataFrame({f"a_long_heading_{k}": ["10.065965"] for k in range(14)})
    first = [new_markdown_cell("# One\n\nSection 2 of the paper"), figure("Lamps"), figure("Beds")]
    first += [new_markdown_cell(f"## Part {k}\n\n" + "Some words. " * 150) for k in range(4)]
    first += [cell({"text/html": table._repr_html_()}), new_markdown_cell("## Last\n\nA zebra. " + "x" * 200)]
    runs = [Run("02_one", new_notebook(cells=first), 1.0)]
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
    page.wait_for_function("before => document.querySelector('.scroll').scrollLeft > before", arg=before)


def test_a_figure_is_enlarged_and_let_go_with_mouse_and_keyboard(page, folder):
    page.goto((folder / "02_one.html").as_uri())
    dialog = page.get_by_role("dialog")
    page.locator("figure img").first.click()
    assert "Lamps" in dialog.locator(".about").inner_text()
    page.keyboard.press("ArrowRight")
    assert "Beds" in dialog.locator(".about").inner_text()
    fitted = dialog.locator("img").bounding_box()["width"]
    dialog.get_by_role("button", name="Larger").click()
    assert dialog.locator("img").bounding_box()["width"] >= max(1150, fitted)
    page.keyboard.press("Escape")
    assert dialog.count() == 0
    page.get_by_role("button", name="Enlarge Figure 02.2").focus()
    page.keyboard.press("Enter")
    assert "Beds" in dialog.locator(".about").inner_text()
    dialog.get_by_role("button", name="Close").click()
    assert page.evaluate("document.activeElement.className") == "enlarge"  # back where the reader was


def test_the_contents_lead_to_sections_and_say_which_one_is_read(page, folder):
    page.goto((folder / "02_one.html").as_uri())
    if page.viewport_size["width"] == NARROW:
        page.get_by_text("Contents", exact=True).click()
    page.locator(".contents:visible").get_by_role("link", name="Part 2").click()
    page.wait_for_function(
        "() => Math.abs(document.getElementById('Part-2').getBoundingClientRect().top) < 140"
    )
    page.wait_for_function(
        "() => document.querySelector('.contents [aria-current]')?.textContent === 'Part 2'"
    )


def test_a_word_is_found_in_all_notebooks(page, folder):
    page.goto((folder / "02_one.html").as_uri())
    if page.viewport_size["width"] == NARROW:
        page.get_by_role("link", name="Search").first.click()
        page.locator("main input").fill("zebra")
    else:
        page.locator("header input").fill("zebra")
        page.keyboard.press("Enter")
    page.wait_for_function(
        "() => document.getElementById('found')?.textContent === '2 sections with “zebra”'"
    )
    titles = page.locator("#results a").all_inner_texts()
    assert titles == ["03.2 Two · Zebra <b>", "02 One · Last"]  # what has it in its title comes first
    assert page.locator("#results mark").first.inner_text() == "zebra"
    page.locator("#results a").nth(1).click()
    page.wait_for_function("() => location.hash === '#Last'")
    page.goto((folder / "search.html").as_uri() + "#q=%3Cimg%20src%3Dx%3E")
    assert page.locator("#found").inner_text() == "No section has “<img src=x>”."


def test_without_the_script_everything_is_there_to_be_read(chromium, folder):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "search.html").as_uri())
    assert page.locator("#results li").count() >= 8
    page.goto((folder / "02_one.html").as_uri())
    assert page.locator("figure img").count() == 2
    assert page.get_by_role("button").count() == 0
    context.close()
