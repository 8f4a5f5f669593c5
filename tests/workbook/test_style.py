"""A plate draws every text as it stands, whatever the text is."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
import pytest

from scenelens.workbook.style import Plate, _drawable, _wrapped
from scenelens.workbook.tiles import contact_sheet, fit
from scenelens.workbook.world import object_table
from tests.hostile_names import CELLS, FORMULAS, HOSTILE, SCRIPTS, SHAPES, mixtures


def a_plate_with(*names: str) -> Plate:
    """Names in every place that a figure has for words."""
    plate = Plate(names[0], 3.0, " ".join(names))
    axes = plate.axes_at(1, 0, 3, 1.2)
    for place, name in enumerate(names):
        plate.words(0, 0.3 * place, name)
        axes.plot([0, 1], [1, place], label=name)
        axes.text(0, place, name)
        axes.annotate(name, (0, 1))
    axes.legend(title=names[0])
    axes.set(title=names[-1], xlabel=names[0], ylabel=names[-1])
    axes.set_xticks(range(len(names)), names)
    axes.set(yticks=range(len(names)))
    axes.set_yticklabels(names)
    return plate


@pytest.mark.parametrize("kind", [SCRIPTS, FORMULAS, SHAPES[:10], SHAPES[10:], CELLS, mixtures(12)])
def test_any_name_is_drawn_anywhere_without_a_warning(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert a_plate_with(*kind).encode(dpi=30)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_is_drawn_as_it_is_written(name):
    plate = Plate("", 1.0)
    plate.words(0, 0, name)
    plate.encode(dpi=30)
    (text,) = (one for one in plate.texts if one.get_text())
    assert text.get_text() == name
    assert not text.get_parse_math()


def test_powers_of_ten_are_still_formulas():
    plate = Plate("", 2.0)
    axes = plate.axes_at(1, 0, 3, 1.5)
    axes.loglog([1, 1000], [1, 100])
    plate.encode(dpi=30)
    assert "$\\mathdefault{10^{1}}$" in [label.get_text() for label in axes.get_xticklabels()]
    assert all(label.get_parse_math() for label in axes.get_xticklabels())


def test_a_plate_is_the_same_each_time_it_is_drawn():
    plate = a_plate_with("$a$ 漢\u202e")
    assert plate.encode(dpi=40) == plate.encode(dpi=40)


@pytest.mark.parametrize("text", ["bedroom", "19–52%, n = 27", "mean ± s.d.", "two\nlines", "−1"])
def test_ordinary_text_stays_as_it_is(text):
    assert _drawable(text) == text


@pytest.mark.parametrize("name", [*HOSTILE, *mixtures(30)])
def test_any_name_has_a_width_and_fits(name):
    assert Plate.text_width(name) >= 0
    assert Plate.text_width(fit(name, 1.0)) <= 1.0


def test_a_word_wider_than_the_page_is_cut_and_loses_nothing():
    lines = _wrapped("a " + "W" * 500, 3.0)
    assert "".join(lines).replace(" ", "") == "a" + "W" * 500
    assert max(map(Plate.text_width, lines)) <= 3.0


def test_very_long_names_take_no_time():
    started = time.perf_counter()
    contact_sheet([np.zeros((8, 8, 3), np.uint8)], ["w" * 1_000_000], title="$" * 2000).encode(dpi=30)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("name", FORMULAS)
def test_the_table_of_objects_takes_any_name(name):
    assert object_table(pd.DataFrame({name: [0.5], "b": [1.0]}, index=[name])).encode(dpi=30)
