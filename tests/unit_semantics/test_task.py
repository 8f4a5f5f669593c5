"""The annotation task: which images are shown and where, how they are segmented, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelens.errors import SceneLensError
from scenelens.labels.table import TYPES
from scenelens.networks.hooks import responses
from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.unit_segmentation import segment_unit
from scenelens.studies.study import open_study
from scenelens.unit_semantics.task import (
    LEAST_FITTING,
    Answer,
    _AnnotationTask,
    _TaskImage,
    annotation_task,
)
from scenelens.workbook.pictures import dimmed
from tests.made_up_fields import MadeUp
from tests.tiny_study import write_tiny_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return open_study(write_tiny_study(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def task(study):
    return annotation_task(study, "scene", "pool5", 3)


def made_up(n: int = 20, catch: tuple[int, ...] = (2, 5, 11)) -> _AnnotationTask:
    frame, mask = np.zeros((4, 4, 3), np.uint8), np.ones((4, 4), bool)
    images = tuple(_TaskImage(str(k), frame, mask, 1.0, k in catch) for k in range(n))
    return _AnnotationTask("scene", "pool5", 3, images, "whole image")


# ---- which images


def test_the_highest_are_shown_best_first_among_catch_trials_from_the_lowest(study, task):
    peaks = study.index("scene").peaks("pool5")[:, 3]
    real = [one.image for one in task.images if not one.catch]
    assert real == study.index("scene").top_images("pool5", 3, 17).image.tolist()
    assert [one.peak for one in task.images if not one.catch] == sorted(peaks, reverse=True)[:17]
    assert sorted(one.peak for one in task.images if one.catch) == sorted(peaks)[:3]
    assert (len(task), len(task.catch), task.n_real) == (20, 3, 17)


def test_a_smaller_task_leaves_images_out(study):
    task = annotation_task(study, "scene", "pool5", 3, n_images=14, n_catch=2)
    lowest = np.sort(study.index("scene").peaks("pool5")[:, 3])[:2]
    assert (len(task), task.n_real) == (14, 12)
    np.testing.assert_array_equal(np.sort([one.peak for one in task.images if one.catch]), lowest)


def test_ties_among_the_lowest_responses_are_drawn_at_random(study):
    peaks = study.index("scene").peaks("fc7")
    silent = (peaks == 0).sum(axis=0)
    unit = int(np.flatnonzero((silent >= 5) & (silent <= 10))[0])
    drawn = {
        frozenset(
            one.image for one in annotation_task(study, "scene", "fc7", unit, seed=seed).images if one.catch
        )
        for seed in range(6)
    }
    assert len(drawn) > 1
    ids = study.index("scene").images["image"]
    assert set().union(*drawn) <= set(ids[peaks[:, unit] == 0])


def test_places_depend_on_the_seed_and_the_unit_alone(study, task):
    again = annotation_task(study, "scene", "pool5", 3)
    assert [one.image for one in again.images] == [one.image for one in task.images]
    assert again.catch == task.catch
    others = {annotation_task(study, "scene", "pool5", 3, seed=seed).catch for seed in range(1, 5)}
    others |= {annotation_task(study, "scene", "pool5", unit).catch for unit in (4, 5)}
    assert len(others | {task.catch}) > 4


@pytest.mark.parametrize(("unit", "words"), [
    (("scene", "pool5", 32), "units 0 to 31, not 32"),
    (("scene", "pol5", 3), "close names: pool5"),
    (("scenes", "pool5", 3), "close names: scene"),
])  # fmt: skip
def test_an_unknown_unit_raises(study, unit, words):
    with pytest.raises(SceneLensError, match=words):
        annotation_task(study, *unit)


def test_a_unit_that_responds_to_too_little_cannot_be_named(study):
    responding = (study.index("scene").peaks("fc7") > 0).sum(axis=0)
    unit = int(np.flatnonzero(responding < LEAST_FITTING)[0])
    with pytest.raises(SceneLensError, match=f"fc7:{unit} .* responds to {responding[unit]} of 20 images"):
        annotation_task(study, "scene", "fc7", unit)


# ---- how they are segmented


def test_without_a_field_the_responses_are_interpolated(study, task):
    network, images = study.networks["scene"], [one for one in task.images if not one.catch]
    assert task.way == "bilinear"
    field = MadeUp()(
        network, "pool5", 3, [study.load_image(images[0].image)], 1, places=[(0, 0)], progress=False
    )
    for one in (images[0], images[-1]):
        level = min(0.5 * images[0].peak, 0.9 * one.peak)
        expected = segment_unit(network, field, study.load_image(one.image), way="bilinear", level=level)
        np.testing.assert_array_equal(one.mask, expected.mask)
        assert one.mask.any()


def test_with_a_field_it_is_placed_where_the_unit_is_active(study, tmp_path, monkeypatch):
    monkeypatch.setattr("scenelens.receptive_fields.network_atlas.estimate_rf", MadeUp())
    monkeypatch.setattr(study, "cache", tmp_path)
    atlas = Atlas(study, 3)
    field = atlas.part("scene").field("pool2", 5, progress=False)
    task = annotation_task(atlas, "scene", "pool2", 5)
    top = next(one for one in task.images if not one.catch)
    assert task.way == "receptive field"
    level = 0.5 * top.peak
    expected = segment_unit(study.networks["scene"], field, study.load_image(top.image), level=level)
    np.testing.assert_array_equal(top.mask, expected.mask)


def test_a_low_image_is_lit_where_its_own_peak_is(study):
    task = annotation_task(study, "scene", "conv4", 7)
    real = [one for one in task.images if not one.catch]
    assert real[-1].peak < 0.55 * real[0].peak  # or else this shows nothing
    values = responses(study.networks["scene"], "conv4", 7, study.load_image(real[-1].image))
    assert values.max() == pytest.approx(real[-1].peak, rel=1e-5)
    assert real[-1].mask.any()


def test_a_catch_trial_borrows_a_real_images_region(task):
    real = {one.mask.tobytes() for one in task.images if not one.catch}
    assert all(one.mask.tobytes() in real for one in task.images if one.catch)


def test_a_fully_connected_unit_sees_the_whole_image(study):
    task = annotation_task(
        study, "scene", "fc7", int(np.argmax((study.index("scene").peaks("fc7") > 0).sum(0)))
    )
    assert task.way == "whole image"
    assert all(one.mask.all() for one in task.images)


def test_tiles_are_dark_outside_the_region(task):
    one = task.images[0]
    side = one.frame.shape[0]
    np.testing.assert_array_equal(task.tiles(side)[0], dimmed(one.frame, one.mask))
    assert {picture.shape for picture in task.tiles(40)} == {(40, 40, 3)}


# ---- what is refused

GOOD = Answer("lamp", frozenset({2, 5, 11, 0}), "object")


@pytest.mark.parametrize(("change", "words"), [
    ({"concept": ""}, "The concept is empty"),
    ({"concept": " ... "}, "The concept is empty"),
    ({"type": ""}, "No type is chosen"),
    ({"type": "thing"}, "No type is chosen"),
    ({"marked": frozenset({2, 5})}, "not marked: look at all 20 again"),
    ({"marked": frozenset()}, "not marked"),
    ({"marked": frozenset({2, 5, 11, *range(12, 20)})}, "Only 9 images would fit"),
    ({"marked": frozenset(range(20))}, "Only 0 images would fit"),
])  # fmt: skip
def test_what_the_paper_refused_is_refused_in_one_sentence(change, words):
    answer = Answer(**{"concept": GOOD.concept, "marked": GOOD.marked, "type": GOOD.type} | change)
    sentence = made_up().refusal(answer)
    assert words in sentence
    assert sentence.count(".") == 1


def test_a_full_answer_is_accepted():
    assert made_up().refusal(GOOD) == ""
    ten_fit = Answer("lamp", frozenset({2, 5, 11, *range(12, 19)}), "scene")
    assert made_up().fitting(ten_fit.marked) == 10
    assert made_up().refusal(ten_fit) == ""


def test_precision_counts_real_images_only():
    task = made_up()
    assert task.precision(()) == 1.0
    assert task.precision({2, 5, 11}) == 1.0
    assert task.precision({2, 5, 11, 0, 1}) == pytest.approx(15 / 17)


@given(st.frozensets(st.integers(0, 19)), st.sampled_from(TYPES), st.sampled_from(["bed", "red things"]))
def test_accepted_means_all_catch_trials_and_ten_fitting(marked, kind, concept):
    task = made_up()
    accepted = task.refusal(Answer(concept, marked, kind)) == ""
    unmarked = [place for place in range(20) if place not in marked]
    assert accepted == ({2, 5, 11}.isdisjoint(unmarked) and len(unmarked) >= 10)
    if accepted:
        assert task.precision(marked) == len(unmarked) / 17
