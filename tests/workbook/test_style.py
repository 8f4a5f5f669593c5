"""A plate draws every text as it stands, whatever the text is."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.text import Text

from scenelens.workbook import style
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


@pytest.mark.parametrize("room", [0.3, 0.7, 1.5])
@pytest.mark.parametrize("name", [
    "conv5", "encoder.layers.encoder_layer_11", "features.denseblock4.denselayer16.conv2", "x" * 99_999, ".",
])  # fmt: skip
def test_a_layers_name_keeps_its_end(name, room):
    cut = Plate.layer_name(name, room)
    assert Plate.text_width(cut) <= room
    assert name.endswith(cut.lstrip("…")) or cut == name
    assert cut == name if Plate.text_width(name[-200:]) <= room else cut.startswith("…")


def test_a_word_wider_than_the_page_is_cut_and_loses_nothing():
    lines = _wrapped("a " + "W" * 500, 3.0)
    assert "".join(lines).replace(" ", "") == "a" + "W" * 500
    assert max(map(Plate.text_width, lines)) <= 3.0


def test_very_long_names_take_no_time():
    started = time.process_time()
    contact_sheet([np.zeros((8, 8, 3), np.uint8)], ["w" * 1_000_000], title="$" * 2000).encode(dpi=30)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("name", FORMULAS)
def test_the_table_of_objects_takes_any_name(name):
    assert object_table(pd.DataFrame({name: [0.5], "b": [1.0]}, index=[name])).encode(dpi=30)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a font of squares for some letters; the fonts of before are back afterwards."""

    def install(letters: str, name: str = "Squares", file: str = "squares.ttf") -> None:
        builder = FontBuilder(1000, isTTF=True)
        glyphs = [".notdef", *(f"u{ord(c):X}" for c in letters)]
        builder.setupGlyphOrder(glyphs)
        builder.setupCharacterMap({ord(c): f"u{ord(c):X}" for c in letters})
        pen = TTGlyphPen(None)
        for step, point in enumerate([(0, 0), (0, 800), (800, 800), (800, 0)]):
            (pen.lineTo if step else pen.moveTo)(point)
        pen.closePath()
        square = pen.glyph()
        builder.setupGlyf(dict.fromkeys(glyphs, square))
        builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 0)))
        builder.setupHorizontalHeader(ascent=900, descent=-100)
        builder.setupNameTable({"familyName": name, "styleName": "Regular"})
        builder.setupOS2()
        builder.setupPost()
        builder.save(tmp_path / file)
        font_manager.fontManager.addfont(tmp_path / file)

    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    style._other_font.cache_clear()
    style._say_what_lacks.cache_clear()
    yield install
    style._other_font.cache_clear()


def _drawn(plate: Plate) -> set[str]:
    plate.encode(dpi=40)
    return {text.get_text() for text in plate.findobj(Text)}


@pytest.mark.parametrize("name", ["厨房", "a 厨 b", "ሀለ", "क़ि"])
def test_letters_of_any_script_are_drawn_in_a_font_that_has_them(installed, capsys, name):
    installed("厨房ሀለक़ि")
    table = pd.DataFrame({name: [0.5], "sky": [1.0]}, index=[name])
    plate = object_table(table, title=name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert name in _drawn(plate)
    assert not any("\ufffd" in text for text in _drawn(plate))
    assert capsys.readouterr().err == ""


def test_the_font_with_most_of_the_letters_is_taken(installed):
    installed("厨", "A few", "few.ttf")
    installed("厨房沙漠", "More", "more.ttf")
    installed("厨房沙漠", "Last Resort", "boxes.ttf")
    assert style._other_font(frozenset(map(ord, "厨房"))).name == "More"


def test_letters_that_no_font_has_are_said_once(installed, capsys):
    plate = contact_sheet([np.zeros((4, 4, 3), np.uint8)] * 2, ["厨房", "沙漠"])
    assert "\ufffd\ufffd" in _drawn(plate)
    assert _drawn(plate)
    said = capsys.readouterr().err
    assert said.count("no installed font has them") == 1
    assert "Install a font for their script" in said
