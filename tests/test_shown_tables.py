"""How a data frame is shown: the form of its columns, in a notebook's shell, and never its numbers."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from scenelens.shown_tables import show_tables, table_html
from tests.page_parts import Parts

RAW = pd.DataFrame(
    {
        "layer_name": ["conv1", "a_b"],
        "map": [(11, 11), (55, 55)],
        "mean": [10.065965, 9.5],
        "iou": [0.1234567, np.nan],
        "removed": [-1, 3],
        "whole": [4.0, 12.0],
        "fits": [True, False],
        "note": ["", None],
    }
)
TAGS = {"div", "style", "table", "thead", "tbody", "tr", "th", "td", "p"}


def rows(table):
    """The words of each row."""
    lines = re.findall(r"<tr>(.*?)</tr>", table_html(table), re.DOTALL)
    return [[unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line)] for line in lines]


def notes(table):
    return re.findall(r'<p class="note">(.*?)</p>', table_html(table))


def test_a_raw_table_gets_one_form():
    found = rows(RAW)
    assert found[0] == ["layer name", "map", "mean", "IoU", "removed", "whole", "fits", "note"]
    assert found[1] == ["conv1", "11 × 11", "10.1", "0.123", "−1", "4", "yes", ""]
    assert found[2] == ["a_b", "55 × 55", "9.5", "–", "3", "12", "no", "–"]
    assert notes(RAW) == ["– stands where nothing was measured, or nothing applies."]
    assert notes(RAW.drop(columns=["iou", "note"])) == []


def test_the_data_frame_keeps_its_numbers():
    table = RAW.copy()
    table_html(table)
    pd.testing.assert_frame_equal(table, RAW)


def test_an_interval_stands_behind_its_estimate():
    table = pd.DataFrame(
        {
            "n": [3, 4],
            "r": [0.36, -0.1234567],
            "low": [0.21, np.nan],
            "high": [0.52, 1],
            "p": [0.01, 0.0004567],
        }
    )
    assert rows(table) == [
        ["n", "r [low, high]", "p"],
        ["3", "0.360 [0.210, 0.520]", "0.010"],
        ["4", "−0.123", "<0.001"],
    ]
    both = {"ap": [0.5], "ap_low": [0.4], "ap_high": [0.6], "ap_paper": [0.55]}
    assert rows(pd.DataFrame(both)) == [["AP [low, high]", "AP paper"], ["50% [40–60%]", "55%"]]


def test_what_was_counted_in_full_has_no_interval():
    counted = pd.DataFrame({"share": [0.4, 0.29], "low": [0.4, 0.29], "high": [0.4, 0.29]})
    assert rows(counted) == [["share"], ["40%"], ["29%"]]


@pytest.mark.parametrize(
    "columns",
    [
        {"price": [5.0], "low": [6.0], "high": [7.0]},  # no estimate lies between them
        {"name": ["a"], "low": [6.0], "high": [7.0]},
        {"price": [6.5], "low": [6.0], "volume": [9.0], "high": [7.0]},
        {"price": [6.5], "low": ["a"], "high": ["b"]},
    ],
)
def test_what_is_no_interval_stays_in_columns_of_its_own(columns):
    assert rows(pd.DataFrame(columns))[0] == list(columns)


def test_shares_are_per_cent_where_they_can_be_shares():
    table = pd.DataFrame({"half_share": [0.9984, 0.5], "share": [12.5, 0.5], "shares": [0.25, 0.5]})
    assert rows(table)[1:] == [["99.8%", "12.5", "0.25"], ["50%", "0.5", "0.50"]]


def test_a_function_may_name_the_units_of_its_columns():
    table = pd.DataFrame({"left": [0.5], "change": [-0.284], "size": [31.2578]})
    table.attrs["units"] = {"left": "share", "change": "points", "size": "px"}
    found = rows(table.sort_values("left").head(1))
    assert found == [["left", "change (points)", "size (px)"], ["50%", "−28.4", "31.3"]]


@pytest.mark.parametrize("units", [[(8, 11, 12), (153, 171), (64,)], [(153, 171), (1, 2), (3, 4)]])
def test_two_units_are_no_sides_of_a_map(units):
    found = rows(pd.DataFrame({"map": [(3, 4), (55, 55), (6, 7)], "units": units}))
    assert [row[1] for row in found[1:]] == [", ".join(map(str, one)) for one in units]
    assert found[2][0] == "55 × 55"


def test_headings_are_headings_and_numbers_stand_right():
    html = table_html(RAW.groupby("layer_name")[["mean"]].mean())
    assert '<th scope="col">layer name</th><th scope="col" class="number">mean</th>' in html
    assert '<th scope="row">conv1</th><td class="number">10.1</td>' in html
    assert "<th></th>" not in html


def test_row_numbers_go_and_an_index_that_says_something_stays():
    assert "<th" not in table_html(RAW).partition("<tbody>")[2]
    assert '<th scope="row">7</th>' in table_html(pd.Series({3: 5, 7: 2}, name="n").to_frame())


def test_names_in_several_levels_reach_over_their_columns_and_rows():
    wide = RAW.assign(n=1).pivot_table(index=["layer_name", "removed"], columns="fits", values=["n", "mean"])
    html = table_html(pd.concat([wide, wide.rename(index={-1: 5})]).sort_index())
    assert '<th scope="col" colspan="2">mean</th>' in html
    assert '<th scope="rowgroup" rowspan="2">conv1</th>' in html
    assert Parts(html).text.count("conv1") == 1


def test_of_a_long_table_both_ends_are_shown():
    long = pd.DataFrame({"n": range(1234), "square": np.arange(1234.0) ** 2})
    found = rows(long)
    assert len(found) == 1 + 5 + 1 + 5
    assert found[6] == ["…", "…"]
    assert found[-1] == ["1233", "1,520,289"]
    assert notes(long) == ["The first 5 and the last 5 of 1,234 rows."]
    with pd.option_context("display.max_rows", None):
        assert len(rows(long)) == 1 + 1234
    assert notes(long.head(0)) == ["There is no row."]


def test_of_a_wide_table_both_ends_are_shown():
    wide = pd.DataFrame({f"c{k}": [k] for k in range(50)})
    with pd.option_context("display.max_columns", 20):
        assert rows(wide)[0] == [*(f"c{k}" for k in range(10)), "…", *(f"c{k}" for k in range(40, 50))]


@pytest.mark.parametrize("name", ["<b>x</b>", "a|b", "&amp;", "x</td></tr></table><script>1</script>"])
def test_names_are_text(name):
    table = pd.DataFrame({name: [name, (name,)], "n": [1, 2]}, index=[name, "b"]).rename_axis(name)
    parts = Parts(table_html(table))
    assert parts.scripts == []
    assert parts.text.count(name) == 5


_VALUES = st.one_of(
    *(st.floats(), st.integers(), st.text(), st.none(), st.booleans(), st.dates()),
    st.lists(st.floats() | st.text()),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_VALUES, _VALUES, st.floats()), max_size=4))
def test_any_table_can_be_shown(values):
    table = pd.DataFrame(values, columns=["low", "high", "share"])
    assert Parts(table_html(table)).tags <= TAGS
    assert len(rows(table)) == 1 + len(values)


# ---- in a notebook


@pytest.fixture
def shell():
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def shown(shell, table):
    # A terminal shows text alone; a notebook's kernel turns the other forms on.
    shell.display_formatter.formatters["text/html"].enabled = True
    return shell.display_formatter.format(table)[0].get("text/html")


def test_a_notebook_shows_this_form_and_raw_values_in_other_ways(shell):
    show_tables()
    show_tables()  # opening a second study changes nothing
    assert shown(shell, RAW) == table_html(RAW)
    assert "10.065965" in RAW.style.to_html()
    assert "10.065965" in str(RAW)
    shell.display_formatter.formatters["text/html"].pop(pd.DataFrame)  # as the docstring says
    assert "10.065965" in shown(shell, RAW)


def test_a_form_that_the_reader_chose_stays(shell):
    shell.display_formatter.formatters["text/html"].for_type(pd.DataFrame, lambda _: "mine")
    show_tables()
    assert shown(shell, RAW) == "mine"


def test_a_data_frame_of_another_kind_shows_itself(shell):
    class Map(pd.DataFrame):
        def _repr_html_(self):
            return "a map"

    show_tables()
    assert shown(shell, Map({"a": [1]})) == "a map"


def test_a_reader_can_do_without_html(shell):
    show_tables()
    with pd.option_context("display.notebook_repr_html", False):
        assert shown(shell, RAW) is None
