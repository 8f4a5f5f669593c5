"""Tables in a notebook: their HTML shows every name as text."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from scenelens.shown_tables import table_html
from scenelens.workbook.widgets.status import Status
from tests.hostile_names import HOSTILE, mixtures
from tests.page_parts import Parts
from tests.requirements_gate import ROOT

TAGS = {"div", "style", "table", "thead", "tbody", "tr", "th", "td", "p"}


def test_a_table_shows_names_as_text_in_cells_and_headings():
    names = [name for name in [*HOSTILE, *mixtures(30)] if "\ud800" not in name]
    table = pd.DataFrame({name: [name] for name in names}, index=[names[0]]).rename_axis(names[1], axis=1)
    for one in (table, table.rename_axis(names[2]).T, table.set_index([names[0], names[1]])):
        shown = Parts(table_html(one))
        assert shown.tags <= TAGS
        assert shown.scripts == []
    pivot = pd.DataFrame({"a": names, "b": names[::-1], "n": 1}).pivot_table(
        index="a", columns="b", values="n"
    )
    assert Parts(table_html(pivot)).tags <= TAGS


def test_no_notebook_styles_a_table_by_itself():
    """Else its form would be another one than that of all other tables, and its names would not be text."""
    sources = [
        "".join(cell["source"])
        for path in (ROOT / "notebooks").glob("*.ipynb")
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    assert [source for source in sources if re.search(r"\.style\b|\.round\(|to_html", source)] == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_status_line_shows_names_as_text(name):
    status = Status(name)
    assert Parts(status.value).tags == set()
    status.error(ValueError(name))
    assert Parts(status.value).tags <= {"b", "details", "summary", "pre"}
