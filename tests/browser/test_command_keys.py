"""Keys that are pressed in a widget stay there: no cell is cut, changed or added, in either Jupyter."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Iterator

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import Locator, expect

from tests.annotated_study import annotated_study
from tests.browser.barriers import barriers
from tests.browser.conftest import KERNEL
from tests.browser.notebook_page import NotebookPage
from tests.requirements_gate import lacking
from tests.tiny_study import write_tiny_study

WIDGETS = {
    "sl-browse-units": "browse_units(study)",
    "sl-explore-fields": """
from scenelens.receptive_fields import Atlas, explore_fields, live
live._QUICK = 0.0
explore_fields(Atlas(study, n_images=2), "scene", "pool1")""",
    "sl-annotate": """
from scenelens.labels import LabelStore
from scenelens.unit_semantics import annotate_units
units = [("scene", "pool5", 4), ("object", "pool5", 1)]
annotate_units(study, units, store=LabelStore(f"keys_{app}/labels.db"))""",
    "sl-take-apart": """
import numpy as np
segment_map = np.arange(60)[:, None] // 20 * 4 + np.arange(80)[None] // 20
image = study.load_image(study.images.image[0])
sl.minimal_images.take_apart(sl.CutImage(study.networks["scene"], image, segment_map))""",
    "sl-localize-image": """
view = sl.localization.localize_image(sl.open_study("keys_boxes/study.toml"))
view.model.least = 0.0
for image in view.model.paths:
    view.model.choose(image=image)
    if len(view.model.boxes()):
        break
view""",
    "sl-switch-units": """
few = sl.interventions.ablation_effects(study, numbers=(1, 4), draws=1, progress=False)
view = sl.interventions.switch_units(few)
view.model.first(1)
view""",
}
# Keys that are commands of the notebook in both applications, one command each.
COMMANDS = (("x",), ("d", "d"), ("m",), ("r",), ("b",), ("a",), ("Shift+m",), ("v",), ("0", "0"))
APPS = ("lab", "notebook")
# What is clicked in each widget: one control of each kind, and the picture, the text and the status line.
CLICKED = {
    "sl-browse-units": ("sl-next", "sl-mosaic", "scenelens-status", "noUi-handle"),
    "sl-explore-fields": ("sl-previous", "sl-compute", "sl-field", "noUi-handle"),
    "sl-annotate": (
        "sl-tile-1",
        "sl-tile-20",
        "sl-types button",
        "sl-accept",
        "sl-export",
        "sl-next",
        "sl-progress",
    ),
    "sl-take-apart": ("sl-segment-3", "sl-all", "sl-upload", "sl-apart", "noUi-handle"),
    "sl-localize-image": ("sl-box-1", "sl-reading", "sl-upload", "noUi-handle"),
    "sl-switch-units": ("sl-units button", "sl-minimal", "sl-ablated", "sl-undo", "noUi-handle"),
}


@pytest.fixture(scope="module")
def studies(lab) -> None:
    (lab.root / "keys_boxes").mkdir()
    annotated_study(lab.root / "keys_boxes", 16)


@pytest.fixture(scope="module", params=APPS)
def notebook(request, lab_pages, lab, studies) -> Iterator[NotebookPage]:
    """All widgets in one notebook, between a text and a last cell, opened in JupyterLab or Notebook."""
    app = request.param
    if app == "notebook" and importlib.util.find_spec("notebook") is None:
        lacking("SCENELENS_REQUIRE_BROWSER", "Notebook 7 is not installed: pip install notebook")
    write_tiny_study(lab.root / f"keys_{app}")
    first = f"import scenelens as sl\napp = {app!r}\nstudy = sl.open_study('keys_{app}/study.toml')"
    codes = [first, *(code.strip() for code in WIDGETS.values())]
    codes[1] = f"sl.{codes[1]}"
    cells = [new_code_cell(code, id=f"cell-{k}") for k, code in enumerate(codes)]
    path = lab.state / f"keys_{app}.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("text", id="text"), *cells], metadata=KERNEL), path)
    page = NotebookPage(lab_pages.new_page(), lab).open(lab.serve(path), app)
    page.page.wait_for_timeout(1000)
    page.script_errors.clear()  # Notebook 7.6 has some of its own while it starts
    yield page.run_all()
    page.close()


def cells(notebook: NotebookPage) -> list[list[str]]:
    """Kind and source of every cell as it is on screen."""
    return notebook.page.locator(".jp-Notebook .jp-Cell").evaluate_all(
        "cells => cells.map(cell => [cell.className.match(/jp-(Code|Markdown|Raw)Cell/)[1],"
        " (cell.querySelector('.cm-content') || cell).innerText])"
    )


def press(notebook: NotebookPage) -> None:
    for keys in COMMANDS:
        for key in keys:
            notebook.page.keyboard.press(key)
        notebook.page.wait_for_timeout(30)


def parts(notebook: NotebookPage, widget: str) -> Iterator[Locator]:
    for name in CLICKED[widget]:
        yield notebook.page.locator(f".{widget} .{name}").first


@pytest.mark.parametrize("widget", WIDGETS)
def test_no_key_changes_a_cell_after_a_click(notebook, widget):
    before = cells(notebook)
    for part in parts(notebook, widget):
        part.scroll_into_view_if_needed()
        part.click(force=True)
        press(notebook)
        notebook.page.keyboard.press("Escape")  # closes a list of options
        assert cells(notebook) == before, part
    expect(notebook.page.locator(".jp-Dialog")).to_have_count(0)  # 0 0 asks whether to restart the kernel


def test_each_root_has_the_attribute_and_can_have_the_focus(notebook):
    for widget in WIDGETS:
        expect(notebook.widget(widget)).to_have_attribute("data-lm-suppress-shortcuts", "true")
        expect(notebook.widget(widget)).to_have_attribute("tabindex", "-1")


def test_the_widgets_own_keys_work(notebook):
    tile = notebook.widget("sl-tile-5")
    tile.focus()
    notebook.page.keyboard.press("Space")
    expect(tile).to_have_class(re.compile("mod-active"))
    notebook.page.keyboard.press("Tab")
    expect(notebook.widget("sl-tile-6")).to_be_focused()
    handle = notebook.page.locator(".sl-browse-units .noUi-handle")
    readout = notebook.page.locator(".sl-browse-units .sl-unit .widget-readout")
    unit = int(readout.inner_text())
    handle.press("ArrowRight")
    expect(readout).to_have_text(str(unit + 1))
    field = notebook.widget("sl-concept").locator("input")
    field.fill("")
    field.press_sequentially("x dd m b 00")
    expect(field).to_have_value("x dd m b 00")


def test_a_cell_still_has_its_keys(notebook):
    """The notebook's own keys are as before where no widget has the focus."""
    before = cells(notebook)
    notebook.page.locator(".jp-Notebook .jp-MarkdownCell").first.click()
    notebook.page.keyboard.press("b")
    expect(notebook.page.locator(".jp-Notebook .jp-Cell")).to_have_count(len(before) + 1)
    notebook.page.keyboard.press("z")
    expect(notebook.page.locator(".jp-Notebook .jp-Cell")).to_have_count(len(before))


def test_the_notebook_can_be_saved_from_a_button(notebook):
    notebook.widget("sl-tile-3").focus()
    notebook.save()
    saved = notebook.lab.root / notebook.name
    assert "widget-view" in json.dumps(json.loads(saved.read_text()))
    press(notebook)
    expect(notebook.page.locator(".jp-Dialog")).to_have_count(0)


def test_no_widget_has_a_barrier_in_a_light_or_a_dark_theme(notebook):
    # A button of each kind is pressed, so that its colours are looked at, too.
    for pressed in (".sl-annotate .sl-tile-8", ".sl-annotate .sl-types button >> nth=2"):
        notebook.page.locator(pressed).click()
    notebook.page.locator(".sl-take-apart .sl-segment-5").click()
    light = barriers(notebook.page, ".scenelens-widget")
    sheet = darken(notebook)
    background = notebook.page.locator(".jp-Notebook").evaluate(
        "one => getComputedStyle(one).backgroundColor"
    )
    dark = barriers(notebook.page, ".scenelens-widget")
    sheet.evaluate("one => one.remove()")
    notebook.page.evaluate("document.body.dataset.jpThemeLight = 'true'")
    for pressed in (".sl-annotate .sl-tile-8", ".sl-take-apart .sl-segment-5"):
        notebook.page.locator(pressed).click()
    assert (light, dark) == ([], [])
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 60  # it was dark


def test_every_control_has_a_name_and_says_its_state(notebook):
    page = notebook.page
    browse = page.locator(".sl-browse-units")
    expect(browse.get_by_role("button", name="The next unit")).to_have_count(1)
    expect(browse.get_by_role("slider", name="Unit")).to_have_attribute(
        "aria-valuetext", browse.locator(".sl-unit .widget-readout").inner_text()
    )
    expect(browse.locator(".sl-mosaic")).to_have_attribute("alt", re.compile("of the scene network"))
    expect(browse.locator(".scenelens-status")).to_have_attribute("role", "status")
    tile = page.locator(".sl-annotate .sl-tile-7")
    before = tile.get_attribute("aria-pressed")
    tile.click()
    expect(tile).to_have_attribute("aria-pressed", "false" if before == "true" else "true")
    tile.click()
    expect(page.locator(".sl-annotate").get_by_role("textbox", name="The concept")).to_have_count(1)
    segment = page.locator(".sl-take-apart .sl-segment-7")
    segment.click()
    expect(segment).to_have_attribute("aria-pressed", "false")
    expect(segment).to_have_css("text-decoration-line", "line-through")  # not by its colour alone
    segment.click()


def darken(notebook):
    """Put JupyterLab's own dark theme over the light one, as its menu does."""
    address = f"{notebook.lab.base}/lab/api/themes/@jupyterlab/theme-dark-extension/index.css"
    sheet = notebook.page.add_style_tag(url=address)
    sheet.evaluate("one => new Promise(done => { one.onload = done; document.body.append(one); })")
    notebook.page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    notebook.page.wait_for_timeout(300)  # colours change over time
    return sheet


def test_a_kernel_that_was_restarted_is_said(notebook):
    lost = notebook.page.locator(".scenelens-lost")
    expect(lost).to_have_count(len(WIDGETS))
    assert not any(one.is_visible() for one in lost.all())
    restart(notebook)
    for one in lost.all():
        expect(one).to_be_visible(timeout=30_000)
        expect(one).to_contain_text("Run its cell again")
    before = cells(notebook)
    notebook.widget("sl-tile-1").click()
    press(notebook)
    assert cells(notebook) == before


def test_what_was_begun_before_the_restart_is_there_again(notebook):
    notebook.run_all()
    expect(notebook.page.locator(".scenelens-lost:visible")).to_have_count(0, timeout=90_000)
    expect(notebook.widget("sl-tile-20")).to_have_class(re.compile("mod-active"))
    expect(notebook.widget("sl-progress")).to_contain_text("unit 1 of 2 · 0 answered · begun: 2")
    notebook.page.locator(".sl-annotate .sl-next").click()
    expect(notebook.widget("sl-concept").locator("input")).to_have_value("x dd m b 00")
    expect(notebook.widget("sl-tile-5")).to_have_class(re.compile("mod-active"))


def restart(notebook: NotebookPage) -> None:
    menu: Callable[[str], Locator] = lambda name: notebook.page.get_by_role("menuitem", name=name)  # noqa: E731
    menu("Kernel").click()
    menu("Restart Kernel…").first.click()
    notebook.page.locator(".jp-Dialog button", has_text="Restart").click()


def test_no_request_leaves_the_machine_and_no_script_fails(notebook):
    assert notebook.outside_requests() == []
    assert notebook.script_errors == []
