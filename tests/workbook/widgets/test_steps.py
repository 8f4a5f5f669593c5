"""Pictures of widgets that were drawn in advance; tests/browser/test_pages.py steps through them."""

from __future__ import annotations

import base64
import io
import json
import re
from html import unescape
from types import SimpleNamespace

import ipywidgets
import nbformat
import numpy as np
import pytest
from ipywidgets.embed import dependency_state
from PIL import Image

from scenelens.errors import SceneLensError
from scenelens.workbook.page_body import Body
from scenelens.workbook.running import WIDGET_VIEW, Run, _take_steps
from scenelens.workbook.widgets import root as module
from scenelens.workbook.widgets.root import WidgetRoot
from scenelens.workbook.widgets.status import Status
from scenelens.workbook.widgets.steps import DRAW_STEPS, STEPS
from scenelens.workbook.widgets.unit_view import encode
from tests.hostile_names import SCRIPTS
from tests.page_parts import Parts


class Greys(WidgetRoot):
    """A widget whose picture is as bright as unit and threshold say."""

    def __init__(self, words: str = "grey") -> None:
        self.words, self.model = words, SimpleNamespace(unit=17, threshold=0.5)
        self.picture = ipywidgets.Image(value=encode(np.zeros((8, 8, 3), np.uint8)), format="jpeg")
        slider = ipywidgets.IntSlider(description="Unit", value=17, max=31).add_class("sl-unit")
        box = ipywidgets.Dropdown(description="Network", options=["scene"])
        parts = [slider, box, ipywidgets.Button(description="Press"), Status("as it was"), self.picture]
        super().__init__("sl-greys", parts)

    def page_steps(self):
        return {"unit": [3, 17], "threshold": [0.2, 0.5, 0.8]}

    def draw_step(self, unit, threshold):
        picture = np.full((8, 8, 3), round(10 * unit + 50 * threshold), np.uint8)
        return picture, f"{self.words} {unit} {threshold}"


def shown(widget, monkeypatch, drawn="1"):
    """The metadata of the widget's own output."""
    found = []
    monkeypatch.setattr(module, "display", lambda data, raw, metadata=None: found.append(metadata))
    monkeypatch.setenv(DRAW_STEPS, drawn)
    widget._ipython_display_()
    return found[0]


@pytest.fixture
def greys():
    made = Greys()
    yield made
    made.close()


def test_every_combination_is_drawn_in_order_and_the_widgets_own_is_first(greys, monkeypatch):
    saved = shown(greys, monkeypatch)[STEPS]
    assert saved["axes"] == [
        {"name": "unit", "stops": ["3", "17"], "first": 1},
        {"name": "threshold", "stops": ["0.2", "0.5", "0.8"], "first": 1},
    ]
    expected = [(unit, threshold) for unit in (3, 17) for threshold in (0.2, 0.5, 0.8)]
    assert [view["words"] for view in saved["views"]] == [f"grey {u} {t}" for u, t in expected]
    pictures = [Image.open(io.BytesIO(base64.b64decode(view["picture"]))) for view in saved["views"]]
    for picture, (unit, threshold) in zip(pictures, expected, strict=True):
        assert abs(picture.getpixel((4, 4))[0] - round(10 * unit + 50 * threshold)) <= 3
    json.dumps(saved)  # a notebook can store it


def test_a_reader_of_the_notebook_waits_for_none_of_them(greys, monkeypatch):
    monkeypatch.setattr(Greys, "draw_step", None)
    assert shown(greys, monkeypatch, drawn="") == {}


def test_a_widget_that_cannot_draw_them_is_shown_without(greys, monkeypatch):
    def fail(*_, **__):
        raise SceneLensError("no image could be read.")

    monkeypatch.setattr(Greys, "draw_step", fail)
    assert shown(greys, monkeypatch) == {}


def test_a_widget_without_a_choice_is_shown_without(greys, monkeypatch):
    monkeypatch.setattr(Greys, "page_steps", lambda self: {"unit": [17], "threshold": [0.5]})
    assert shown(greys, monkeypatch) == {}


def run_of(widget, monkeypatch):
    """A run whose notebook shows the widget."""
    data = {WIDGET_VIEW: {"model_id": widget.model_id}}
    output = nbformat.v4.new_output("display_data", data, metadata=shown(widget, monkeypatch))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("greys", outputs=[output])])
    state = {
        "application/vnd.jupyter.widget-state+json": {
            "state": dependency_state([widget], drop_defaults=False)
        }
    }
    notebook.metadata["widgets"] = json.loads(json.dumps(state))
    return Run("a", notebook, 1.0, steps=_take_steps(notebook))


def test_they_are_no_part_of_the_notebook(greys, monkeypatch):
    run = run_of(greys, monkeypatch)
    assert list(run.steps) == [greys.model_id]
    assert STEPS not in run.file().decode()


CODE = """
import ipywidgets, numpy as np
from types import SimpleNamespace
from scenelens.workbook import WidgetRoot

class Greys(WidgetRoot):
    def page_steps(self):
        return {"unit": [3, 17]}

    def draw_step(self, unit):
        return np.full((8, 8, 3), unit, np.uint8), f"unit {unit}"

greys = Greys("sl-greys", [ipywidgets.Label("a widget")])
greys.model, greys.picture = SimpleNamespace(unit=17), greys.children[-1]
greys
"""


def test_they_are_drawn_when_a_notebook_is_run_for_its_page(tmp_path):
    path = tmp_path / "greys.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)]), path)
    run = Run.of(path)
    assert run.problems == []
    (saved,) = run.steps.values()
    assert [view["words"] for view in saved["views"]] == ["unit 3", "unit 17"]
    assert STEPS not in run.file().decode()
    assert '<p role="status">unit 17</p>' in Body.of(run.notebook, run.name, run.steps).html


def test_a_page_has_all_pictures_and_shows_one_with_its_sentence(greys, monkeypatch):
    run = run_of(greys, monkeypatch)
    html = Body.of(run.notebook, run.name, run.steps).html
    images = re.findall(r"<img [^>]*>", html)
    assert len(images) == 6
    assert [" hidden " in image for image in images] == [True, True, True, True, False, True]
    assert "grey 17 0.5" in re.search(r'<p role="status">(.*?)</p>', html)[1]
    assert 'alt="The widget&#x27;s picture, unit 17, threshold 0.5"' in images[4]
    assert "drawn in advance" in html


def test_a_page_lacks_what_the_sliders_replace_and_what_needs_a_kernel(greys, monkeypatch):
    run = run_of(greys, monkeypatch)
    text = Parts(Body.of(run.notebook, run.name, run.steps).html).text
    assert "Network" in text
    assert "Press" not in text
    assert "as it was" not in text
    without = Parts(Body.of(run.notebook, run.name).html).text
    assert "Press" in without
    assert "as it was" in without


@pytest.mark.parametrize("words", SCRIPTS)
def test_their_sentences_are_text(words, monkeypatch):
    greys = Greys(words)
    run = run_of(greys, monkeypatch)
    html = Body.of(run.notebook, run.name, run.steps).html
    assert Parts(html).scripts == []
    assert f"{words} 17 0.5" in Parts(html).text
    found = [unescape(one) for one in re.findall(r'data-words="([^"]*)"', html)]
    assert found == [f"{words} {unit} {threshold}" for unit in (3, 17) for threshold in (0.2, 0.5, 0.8)]
    greys.close()
