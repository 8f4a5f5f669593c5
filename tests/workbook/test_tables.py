"""Tables in a notebook: pandas' HTML shows every name as text."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from scenelens.workbook.widgets.status import Status
from tests.hostile_names import HOSTILE, mixtures
from tests.page_parts import Parts
from tests.requirements_gate import ROOT

TAGS = {"div", "style", "table", "thead", "tbody", "tr", "th", "td", "p"}


def test_a_table_shows_names_as_text_in_cells_and_headings():
    names = [name for name in [*HOSTILE, *mixtures(30)] if "\ud800" not in name]
    table = pd.DataFrame({name: [name] for name in names}, index=[names[0]]).rename_axis(names[1], axis=1)
    shown = Parts(table.rename_axis(names[2]).T.to_html(notebook=True))
    assert shown.tags <= TAGS
    assert shown.scripts == []
    pivot = pd.DataFrame({"a": names, "b": names[::-1], "n": 1}).pivot_table(
        index="a", columns="b", values="n"
    )
    assert Parts(pivot._repr_html_()).tags <= TAGS


def test_every_styled_table_of_the_notebooks_is_escaped():
    sources = [
        "".join(cell["source"])
        for path in (ROOT / "notebooks").glob("*.ipynb")
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    styled = [source for source in sources if re.search(r"\.style\b", source)]
    assert styled
    assert [source for source in styled if 'escape="html"' not in source] == []


def test_a_styled_table_shows_names_as_text():
    names = [name for name in HOSTILE if "\ud800" not in name]
    styled = pd.DataFrame({"layer": names}).style.format(na_rep="–", escape="html").hide(axis="index")
    shown = Parts(styled.to_html())
    assert shown.tags <= TAGS
    assert shown.scripts == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_status_line_shows_names_as_text(name):
    status = Status(name)
    assert Parts(status.value).tags == set()
    status.error(ValueError(name))
    assert Parts(status.value).tags <= {"b", "details", "summary", "pre"}
