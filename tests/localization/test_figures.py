"""The figures of section 4.2: what is drawn where, and that no word leaves the page or runs into another."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.patches import Rectangle

from scenelens.errors import CannotAnswerError
from scenelens.localization import figures, tables
from scenelens.localization.localizer import Localization
from scenelens.localization.study_localizers import open_localizers
from scenelens.metrics import reliability
from tests.annotated_study import annotated_study
from tests.figure_checks import assert_well_set, words_of


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"), 16)


@pytest.fixture(scope="module")
def found(study):
    return open_localizers(study)


def localization(n=3) -> Localization:
    """An image with n boxes at pool5 and none at pool2."""
    boxes = pd.DataFrame(
        {
            "layer": "pool5", "concept": [f"washing machine {k}" for k in range(n)], "type": "object",
            "confidence": np.linspace(0.9, 0.3, n), "estimate": 0.95, "images": 12, "by_category": 0.1,
            "here": 4, "here_right": [int(k > 0) for k in range(n)],
            "top": 50.0, "left": 60.0, "bottom": 120.0, "right": 150.0,
            "row": 97.0, "col": 97.0, "unit": range(n), "units": [(k,) for k in range(n)],
            "response": 1.0,
        }
    )  # fmt: skip
    frame = np.full((227, 227, 3), 90, np.uint8)
    logits = np.array([3.0, 2.0, 1.0, 0.0, 0.0, 0.0], np.float32)
    classes = pd.array([f"scene_{k}" for k in range(6)], dtype="str")
    return Localization(frame, logits, classes, boxes.to_dict("list"))


def test_figure_10_shows_scores_and_boxes_of_each_layer():
    plate = figures.figure_10_reading(localization(), ["pool2", "pool5"])
    assert len(plate.axes) == 3
    words = [text for text, _ in words_of(plate)]
    assert "no unit above its threshold" in words
    assert "3 of 3 boxes" in words
    assert plate.axes[0].texts[0].get_text().endswith("scene 0")
    assert len(plate.axes[0].texts) == 5
    tags = [text.get_text() for text in plate.axes[2].texts]
    assert len(tags) == 3
    assert tags == ["washing machine 0? 90% · 12", "washing machine 1 60% · 12", "washing machine 2 30% · 12"]
    outlines = [one for one in plate.axes[2].patches if isinstance(one, Rectangle) and not one.get_fill()]
    assert {one.get_bbox().bounds for one in outlines} == {(60.0, 50.0, 90.0, 70.0)}
    assert_well_set(plate)


def test_figure_10_leaves_out_what_is_not_sure():
    plate = figures.figure_10_reading(localization(), ["pool5"], least=0.5)
    assert len(plate.axes[1].texts) == 2


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), min_size=1, max_size=8))
def test_names_have_room_of_their_own(corners):
    taken = []
    for top, left in corners:
        box = SimpleNamespace(top=top, left=left, bottom=min(227, top + 40), right=min(227, left + 40))
        x, y = figures._room_for(box, (50.0, 10.0), (227, 227), taken)
        assert 0 <= x <= 227 - 50
        assert 0 <= y <= 227 - 10
        for a, b, w, h in taken:
            assert x >= a + w or a >= x + 50 or y >= b + h - 1e-6 or b >= y + 10 - 1e-6
        taken.append((x, y, 50.0, 10.0))


def test_figure_11a_shows_the_best_case_and_its_numbers(study, found):
    plate = figures.figure_11a_segmentations(tables.best_cases(study, found["scene"], n=2))
    table = found["scene"].named_objects().head(2)
    assert len(plate.axes) == len(table)
    words = [text for text, _ in words_of(plate)]
    for row in table.itertuples():
        assert row.concept in words
        assert any(one.startswith(f"J {100 * row.jaccard:.0f}% (") for one in words)
        assert any(one.startswith(f"AP {100 * row.ap:.0f}% (") for one in words)
    if "bed" in set(table.concept):
        assert "paper: J 25%, AP 81%" in words
    assert "12 test images" in plate.caption
    assert_well_set(plate)


def test_figure_11bc_has_curves_and_a_histogram_per_network(found):
    plate = figures.figure_11bc_precision(found)
    assert len(plate.axes) == 1 + len(found)
    named = found["scene"].named_objects()
    assert len(plate.axes[0].get_lines()) == min(6, len(named))
    table = tables.compare_networks(found).set_index("network")
    for axes, name in zip(plate.axes[1:], found, strict=True):
        counts = sum(bar.get_height() for bar in axes.containers[0])
        assert counts == table.objects[name]
        assert axes.get_lines()[0].get_xdata()[0] == pytest.approx(table.ap[name])
    assert_well_set(plate)


def test_figure_10_marks_what_is_wrong_and_what_is_doubtful():
    right = pd.Series([True, False, pd.NA], dtype="boolean")
    plate = figures.figure_10_reading(localization(), ["pool5"], right=right)
    colors = [text.get_color() for text in plate.axes[1].texts]
    assert colors == ["black", "white", "black"]  # nobody knows of the last
    styles = [one.get_linestyle() for one in plate.axes[1].patches if not one.get_fill()]
    assert styles == ["-"] * 4 + ["--"] * 2  # the first box is drawn last
    assert "Black names: wrong" in plate.caption
    assert "Black names" not in figures.figure_10_reading(localization(), ["pool5"]).caption
    assert_well_set(plate)


def test_reliability_has_a_point_per_group_of_boxes(found):
    plate = figures.reliability_figure(found)
    assert len(plate.axes) == len(found)
    for axes, name in zip(plate.axes, found, strict=True):
        points = axes.containers[0].lines[0].get_xydata()
        boxes = found[name].scores.boxes
        table = reliability(boxes.estimate, boxes.right)
        np.testing.assert_allclose(points, table[["confidence", "right"]])
        shown, crosses = axes.lines[-2].get_xydata(), axes.lines[-1].get_xydata()
        assert (shown[:, 0] <= points[:, 0]).all()
        np.testing.assert_array_equal(shown[:, 1], points[:, 1])
        np.testing.assert_array_equal(crosses[:, 0], points[:, 0])
    assert_well_set(plate)


def test_a_network_whose_units_have_no_names_gets_a_sentence(study, found):
    class Nameless:
        localizer = found["scene"].localizer

        def objects(self, intervals):
            return found["scene"].objects(intervals=intervals)

        def named_objects(self):
            return found["scene"].named_objects().head(0)

    with pytest.raises(CannotAnswerError, match="no unit of the scene network has the name of an object"):
        tables.best_cases(study, Nameless())


def test_no_box_at_all_is_a_sentence(found):
    bare = replace(found["scene"].scores, boxes=found["scene"].scores.boxes.head(0))
    nothing = {"scene": replace(found["scene"], scores=bare)}
    with pytest.raises(CannotAnswerError, match="no box whose confidence could be checked"):
        figures.reliability_figure(nothing)
    assert figures.reliability_figure(nothing | {"object": found["object"]}).axes
