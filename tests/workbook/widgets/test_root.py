"""The outermost box of every widget; tests/browser/test_command_keys.py sees it in both Jupyters."""

from __future__ import annotations

import html.parser
import inspect

import ipywidgets
import pytest

import scenelens.interventions.widget
import scenelens.localization.widget
import scenelens.minimal_images.widget
import scenelens.unit_semantics.widget
from scenelens.workbook.snapshots import _snapshot
from scenelens.workbook.widgets.root import WidgetRoot
from scenelens.workbook.widgets.unit_view import UnitView


class _Tags(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def root():
    made = WidgetRoot("sl-example", [ipywidgets.Label("a label")], gone="More.")
    yield made
    made.close()


def test_the_style_sheet_sets_the_attribute_on_the_root(root):
    tags = _Tags()
    tags.feed(root.children[0].value)
    assert [tag for tag, _ in tags.found] == ["style"]
    handler = tags.found[0][1]["onload"]
    assert "'data-lm-suppress-shortcuts'" in handler
    assert handler.rstrip().endswith("dress();")  # nothing in it ended the attribute too early


def test_the_sentence_about_the_kernel_is_hidden_until_the_kernel_has_gone(root):
    lost = root.children[1]
    assert lost.layout.display == "none"
    assert ".jupyter-widgets-disconnected > .scenelens-lost" in root.children[0].value
    assert lost.value.endswith("Run its cell again to go on. More.")


def test_a_page_has_neither(root):
    models = {}
    for part in (root, *root.children):
        for widget in (part, part.layout):
            state = {k: v for k, v in widget.get_state().items() if isinstance(v, str | list | tuple | None)}
            models[widget.model_id] = {"model_name": widget._model_name, "state": state}
    still = _snapshot(root.model_id, models)
    assert "a label" in still
    assert "onload" not in still
    assert "kernel" not in still


def test_every_widget_of_the_workbook_has_such_a_root():
    sections = (scenelens.interventions, scenelens.localization, scenelens.minimal_images)
    rooms = [room.widget for room in (*sections, scenelens.unit_semantics)]
    for room in rooms:
        views = [
            one for _, one in inspect.getmembers(room, inspect.isclass) if one.__module__ == room.__name__
        ]
        views = [one for one in views if issubclass(one, ipywidgets.DOMWidget)]
        assert views
        assert all(issubclass(one, WidgetRoot) for one in views)
    assert issubclass(UnitView, WidgetRoot)
