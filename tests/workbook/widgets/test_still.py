"""The still picture under a widget; tests/browser/test_stopped_kernel.py sees it in JupyterLab."""

from __future__ import annotations

import ipywidgets
import nbformat
import numpy as np
import pytest

from scenelens.workbook.running import _drop_stills
from scenelens.workbook.widgets import root as module
from scenelens.workbook.widgets.root import WidgetRoot
from scenelens.workbook.widgets.still import STILL
from scenelens.workbook.widgets.unit_view import encode
from tests.page_parts import Parts


@pytest.fixture
def outputs(monkeypatch):
    """What a widget puts into a cell: data and metadata of each output."""
    shown = []
    monkeypatch.setattr(module, "display", lambda data, raw, metadata=None: shown.append((data, metadata)))
    picture = ipywidgets.Image(value=encode(np.zeros((8, 8, 3), np.uint8)), format="jpeg")
    root = WidgetRoot("sl-example", [ipywidgets.Label("<script>run()</script>"), picture], gone="More.")
    root._ipython_display_()
    yield root, shown
    root.close()


def test_the_widget_comes_first_and_then_its_picture(outputs):
    root, ((live, _), (still, about)) = outputs
    assert live["application/vnd.jupyter.widget-view+json"]["model_id"] == root.model_id
    assert live["text/plain"] == "A widget of scenelens: run this cell."
    assert about == {"scenelens": STILL}
    parts = Parts(still["text/html"])
    assert "<script>run()</script>" in parts.text  # as text
    assert parts.scripts == []
    assert "Run its cell to wake it. More." in parts.text
    assert '<img alt="The widget as it was"' in still["text/html"]
    assert still["text/html"].count("data:image/jpeg;base64,") == 1


def test_the_widgets_own_sheet_hides_its_own_picture_only(outputs):
    root, (_, (still, _)) = outputs
    name = root._still.hidden.split(" ")[0][1:]
    assert f"{name} " in still["text/html"].replace('"', " ")
    assert root._still.hidden in root.children[0].value
    other = WidgetRoot("sl-example", [])
    assert name not in other.children[0].value
    other.close()


def test_an_executed_notebook_has_no_still_pictures():
    """Its widgets' states are stored, and pages show these."""
    outputs = [
        nbformat.v4.new_output("display_data", {"text/plain": "1"}),
        nbformat.v4.new_output("display_data", {"text/html": "2"}, metadata={"scenelens": STILL}),
    ]
    cells = [nbformat.v4.new_code_cell("x", outputs=outputs), nbformat.v4.new_markdown_cell("y")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    _drop_stills(notebook)
    assert [one.data for one in notebook.cells[0].outputs] == [{"text/plain": "1"}]
