"""The figures of section 3.1: what is drawn where, and that no word leaves the page or runs into another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from scenelens import paper
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.minimal_images import figures
from scenelens.minimal_images.cut_image import CutImage
from scenelens.minimal_images.regions import Regions
from scenelens.minimal_images.retention_search import Retention, _ImageRetention
from scenelens.minimal_images.search import simplify
from scenelens.workbook import network_color
from scenelens.workbook.tiles import RIGHT, WRONG
from tests.figure_checks import assert_well_set, words_of
from tests.minimal_images.test_cut_image import grid
from tests.small_network import photograph, small_network


def said(plate) -> set[str]:
    return {text for text, _ in words_of(plate)}


@pytest.fixture(scope="module")
def cut():
    return CutImage(small_network(), photograph(3), grid(3, 4))


def test_borders_are_white_and_the_rest_is_the_image(cut):
    drawn = figures._outlined(cut.frame, cut.regions)
    changed = (drawn != cut.frame).any(2)
    assert (drawn[changed] == 255).all()
    assert changed.any()
    assert not changed[1:7, 1:7].any()  # inside the first box of 8x8


def test_two_ways_to_cut(cut):
    plate = figures.segmentations(cut.frame, {"objects": cut.regions, "halves": Regions.of(grid(1, 2))})
    assert_well_set(plate)
    assert {"objects: 12 segments", "halves: 2 segments", "the image"} <= said(plate)


def test_the_removal_ends_with_the_minimal_image_and_the_one_too_many(cut):
    found = simplify(cut)
    assert not found.steps.correct.iloc[-1]  # the case in question
    plate = figures.removal(cut, found)
    assert_well_set(plate)
    frames = [axes.spines["left"].get_edgecolor()[:3] for axes in plate.axes[:-1]]
    assert frames == [to_rgb(RIGHT)] * (len(frames) - 1) + [to_rgb(WRONG)]
    lines = [axes.spines["left"].get_linestyle() for axes in plate.axes[:-1]]
    assert lines[:-1] == ["-"] * (len(lines) - 1)
    assert lines[-1] != "-"  # who sees no colours sees dashes, and another sign
    signs = [len(axes.lines[1].get_marker().vertices) for axes in plate.axes[:-1]]
    assert signs == [3] * (len(signs) - 1) + [4]
    words = said(plate)
    assert f"{len(found.steps) - 2} removed" in words
    assert any(word.startswith("now: ") for word in words)
    line = plate.axes[-1].lines[0]
    np.testing.assert_allclose(line.get_ydata(), found.steps.score)


def _missed() -> CutImage:
    """An image of a class that the network does not predict."""
    network = small_network()
    wrong = next(c for c in network.classes if c != network.predict(photograph(3), top=1).predicted[0])
    return CutImage(network, photograph(3), grid(3, 4), wrong)


def test_nothing_to_remove_is_said():
    cut = _missed()
    plate = figures.removal(cut, simplify(cut))
    assert "nothing to simplify" in plate.caption


def test_figure_2(cut):
    found = simplify(cut)
    plate = figures.figure_2_pairs([("cut by objects", found), ("cut by regions", found), ("by hand", found)])
    assert_well_set(plate)
    assert len(plate.axes) == 6
    assert sum("12 segments" in word for word, _ in words_of(plate)) == 3


def test_figure_2_says_which_images_are_not_recognised(cut):
    missed = simplify(_missed())
    assert missed.reason
    plate = figures.figure_2_pairs([("by hand", missed), ("by hand", missed)])
    assert_well_set(plate)
    assert sum(word == f"{missed.target}: not recognised" for word, _ in words_of(plate)) == 2
    assert "recognises none of these images" in plate.caption
    assert "still recognised" not in plate.caption
    mixed = figures.figure_2_pairs([("by hand", missed), ("by hand", simplify(cut))]).caption
    assert "still recognised" in mixed
    assert "nothing was removed" in mixed


@pytest.mark.parametrize(("n", "title"), [(1, "One way"), (2, "Two ways"), (3, "3 ways")])
def test_the_title_counts_the_ways_that_are_drawn(cut, n, title):
    plate = figures.segmentations(cut.frame, {f"way {k}": cut.regions for k in range(n)})
    assert_well_set(plate)
    assert f"{title} to cut an image" in said(plate)


def retention(category: str, kept: int) -> Retention:
    """Ten images with a bed and a lamp; `kept` of them keep the bed, none the lamp."""
    images = [
        _ImageRetention(
            str(k), "", ("bed", "lamp"), (0.25, 0.75), (k < kept, False), (True, True), (True, True)
        )
        for k in range(10)
    ]
    return Retention(category, category, tuple(images), {})


def test_retention_bars(monkeypatch):
    monkeypatch.setitem(paper.RETENTION, "attic", {"bed": 0.4})
    scene = [retention("attic", 7), retention("beach_house", 3), retention("cave", 10)]
    found = {"scene": scene, "object": [retention(one.category, 5) for one in scene]}
    plate = figures.retention_bars(found)
    assert_well_set(plate)
    words = said(plate)
    assert {"attic", "beach house", "images: 10, 10"} <= words
    panel = plate.axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["bed (10)", "lamp (10)"]
    shares = {line.get_color(): list(line.get_xdata()) for line in panel.lines if line.get_marker() == "o"}
    assert shares == {network_color("scene"): [0.7, 0.0], network_color("object"): [0.5, 0.0]}
    assert "until another class is more probable" in plate.caption
    half = {name: [replace(one, rule="half") for one in retentions] for name, retentions in found.items()}
    assert "until the score falls below half of what it was" in figures.retention_bars(half).caption
    (diamond,) = (line for line in panel.lines if line.get_marker() == "D")
    assert list(diamond.get_xdata()) == [0.4]


def test_a_network_that_knows_few_of_the_images_has_no_point():
    few = replace(retention("attic", 7), per_image=retention("attic", 7).per_image[:4])
    plate = figures.retention_bars({"scene": [retention("attic", 7)], "object": [few]})
    colors = {
        line.get_color() for line in plate.axes[0].lines if line.get_marker() == "o" and len(line.get_xdata())
    }
    assert colors == {network_color("scene")}


def test_a_category_without_an_object_to_count_is_no_empty_panel():
    none = Retention("cave", "cave", (_ImageRetention("a", "not classified as cave", (), (), (), ()),), {})
    plate = figures.retention_bars({"scene": [retention("attic", 7), none]})
    assert_well_set(plate)
    assert "no object in 5 of them" in said(plate) | {text.get_text() for text in plate.axes[1].texts}
    assert not plate.axes[1].axison
    with pytest.raises(CannotAnswerError, match="recognises too few of the annotated images"):
        figures.retention_bars({"scene": [none, none]})


def test_no_retention_to_draw():
    with pytest.raises(SceneLensError, match="no retention to draw"):
        figures.retention_bars({})
