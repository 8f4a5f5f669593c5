"""The row that finds things by what they are called, with made-up things; each widget's test has its own."""

from __future__ import annotations

import pytest

from scenelens.errors import SceneLensError
from scenelens.workbook.widgets.find_row import _MOST, FindRow
from scenelens.workbook.widgets.status import Status

NAMES = {0: "bed", 1: "lamp", 2: "bed"}


class Searched:
    """A search that can be counted."""

    def __init__(self):
        self.asked, self.taken = [], []
        self.names = dict(NAMES)

    def __call__(self, text, shown, order):
        self.asked.append((text, shown, order))
        return [(f"{k} {name}", k) for k, name in self.names.items() if text in name]


@pytest.fixture
def search():
    return Searched()


@pytest.fixture
def row(search):
    made = FindRow(
        search, search.taken.append, Status(), "segment", shown=("all", "kept"), orders=("number",)
    )
    yield made
    made.close()


def options(row):
    return list(row.controls["found"].options)


def test_nothing_is_looked_for_before_the_row_is_used(row, search):
    row.follow(1, "an image")
    row.follow(2, "another image")
    assert search.asked == []
    assert options(row) == [("look for one", -1)]


def test_what_is_found_can_be_picked_and_what_is_shown_is_marked(row, search):
    row.follow(2)
    row.controls["find"].value = "bed"
    assert search.asked == [("bed", "all", "number")]
    assert options(row) == [("2 segments", -1), ("0 bed", 0), ("2 bed", 2)]
    assert row.controls["found"].value == 2
    assert search.taken == []  # to mark it is not to pick it
    row.controls["found"].value = 0
    assert search.taken == [0]
    row.follow(1)
    assert row.controls["found"].value == -1
    row.controls["show"].value = "kept"
    assert search.asked[-1] == ("bed", "kept", "number")


def test_another_place_is_searched_anew(row, search):
    row.controls["find"].value = "lamp"
    assert options(row)[0] == ("1 segment", -1)
    search.names[7] = "lamp"
    row.follow(None)
    assert options(row)[0] == ("1 segment", -1)  # the same place: nothing is searched
    row.follow(7, "another image")
    assert options(row)[0] == ("2 segments", -1)
    assert row.controls["found"].value == 7
    assert search.taken == []


def test_a_choice_of_one_is_no_choice(row):
    assert [one._dom_classes[0] for one in row.children] == ["sl-find", "sl-show", "sl-found"]


def test_a_long_list_ends_and_says_so(row, search):
    search.names = dict.fromkeys(range(_MOST + 1), "lamp")
    row.controls["find"].value = "la"
    assert len(options(row)) == 1 + _MOST
    assert options(row)[0][0] == f"{_MOST + 1:,} segments, the first {_MOST:,} listed"


def test_a_search_that_fails_says_why_on_the_status_line(search):
    def broken(*_):
        raise SceneLensError("the annotations of attic/0.png cannot be read: replace the file.")

    status = Status()
    row = FindRow(broken, search.taken.append, status)
    with pytest.raises(SceneLensError):
        row.controls["find"].value = "bed"
    assert status.failed
    assert "attic/0.png cannot be read" in status.value
    assert "scenelens-busy" not in status._dom_classes
    row.close()
