"""What every figure is checked for: its words lie on the page, and none runs into another."""

from __future__ import annotations

import itertools


def words_of(plate):
    """(text, box in pixels) of every word that is drawn, tick labels included."""
    plate.canvas.draw()
    texts = list(plate.texts)
    for axes in plate.axes:
        ticks = [*axes.get_xticklabels(which="both"), *axes.get_yticklabels(which="both")]
        texts += [*axes.texts, *(tick for tick in ticks if tick.get_visible())]
    return [(t.get_text(), t.get_window_extent()) for t in texts if t.get_text().strip()]


def assert_well_set(plate):
    """Every word lies on the page; no two words lie on each other."""
    page = plate.bbox
    words = words_of(plate)
    for text, box in words:
        assert page.x0 - 1 <= box.x0, text
        assert box.x1 <= page.x1 + 1, text
        assert page.y0 - 1 <= box.y0, text
        assert box.y1 <= page.y1 + 1, text
    for (one, a), (other, b) in itertools.combinations(words, 2):
        width = min(a.x1, b.x1) - max(a.x0, b.x0)
        height = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert width <= 1 or height <= 2, f"{one!r} runs into {other!r}"
