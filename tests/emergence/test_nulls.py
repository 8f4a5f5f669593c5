"""Detectors on scenes and with shuffled annotations: against counts by hand, plain loops, and labels."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelens.emergence import nulls, overlaps
from scenelens.emergence.detectors import DetectorRule
from scenelens.emergence.nulls import (
    _groups,
    _of_network,
    _partners,
    _reached,
    _scene_counts,
    _shared,
)
from scenelens.emergence.overlaps import _Overlaps, _Pictures, _Shown
from tests.annotated_study import annotated_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("nulls"))


@pytest.fixture(scope="module")
def automatic(study):
    return {name: study.automatic_labels(name) for name in study.networks}


@pytest.fixture(scope="module")
def counted(study, automatic):
    return _scene_counts(study, automatic, 5, progress=False)


# ---- the pass over the images


def test_scenes_alone_are_counted_as_labels_count_all_images(counted, automatic):
    """In this study all annotated images show scenes, so both must be equal: the labels are the judge."""
    for name, one in counted.items():
        judge = automatic[name].shown_often(5)
        assert one.concepts.concept.tolist() == judge.concepts.concept.tolist()
        assert one.concepts.pixels.tolist() == judge.concepts.pixels.tolist()
        assert one.concepts.images.tolist() == judge.concepts.images.tolist()
        measures = judge.measures("pool5")
        np.testing.assert_array_equal(one.iou, measures["iou"])
        np.testing.assert_allclose(one.ap, measures["ap"])
        labels = judge.labels("iou", least_images=0).query("layer == 'pool5'")
        np.testing.assert_allclose(one.judged[labels.unit], labels.iou, rtol=1e-6)
        assert one.n_images == {"scenes": 27, "all": 27}


def test_close_ups_are_counted_apart(study, automatic, monkeypatch):
    caves = [image for image in study.annotations.images if "cave" in image]
    others = [image for image in study.annotations.images if "cave" not in image]
    monkeypatch.setattr(type(study), "scene_images", lambda self: others)
    found = _scene_counts(study, automatic, 5, progress=False)["scene"]
    assert found.n_images == {"scenes": 18, "all": 27}
    pictures = _Pictures.of(study)
    assert set(np.array(pictures.images)[~pictures.scene]) == set(caves)
    assert "rock" not in found.concepts.concept.tolist()  # it is in caves only
    assert not set(pictures.source[pictures.scene]) & set(pictures.source[~pictures.scene])
    assert sorted(pictures.part[pictures.scene]) == sorted(
        [*range(1, 11), *range(1, 9)]
    )  # of 18, in 10 folds
    assert not pictures.part[~pictures.scene].any()


def test_an_interrupted_pass_goes_on_and_finds_the_same(study, automatic, counted, tmp_path, monkeypatch):
    networks, pictures = dict(study.networks.items()), _Pictures.of(study)
    arguments = (networks, automatic, study.annotations, pictures, tmp_path / "x.npz", False)
    monkeypatch.setattr(overlaps.Unfinished, "due", True)
    monkeypatch.setattr("scenelens.progress.BATCH", 8)
    whole = overlaps._count_overlaps(networks, automatic, study.annotations, pictures, None, False)
    add, calls = overlaps._Counts.add, []

    def interrupted(self, *given):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(1)
        add(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(overlaps._Counts, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            overlaps._count_overlaps(*arguments)
    with monkeypatch.context() as patch:
        patch.setattr(
            overlaps._Counts,
            "add",
            lambda self, names, *given: (calls.append(len(names)), add(self, names, *given)),
        )
        again = overlaps._count_overlaps(*arguments)
    assert sum(calls[2:]) == 27 - 16
    assert again[0].images == whole[0].images
    for name in ("pixels", "present", "places", "members", "scenes"):
        np.testing.assert_array_equal(getattr(again[1], name), getattr(whole[1], name))
    for network in networks:
        for name in ("active", "shared", "peaks", "points", "starts"):
            np.testing.assert_array_equal(getattr(again[2][network], name), getattr(whole[2][network], name))


def test_the_result_is_cached(study, automatic, counted, monkeypatch):
    monkeypatch.setattr(nulls, "_count_overlaps", None)
    again = _scene_counts(study, automatic, 5)
    for name, one in counted.items():
        np.testing.assert_array_equal(again[name].p, one.p)
        assert again[name].objects == one.objects
        assert {key: values.tolist() for key, values in again[name].passed.items()} == {
            key: values.tolist() for key, values in one.passed.items()
        }


# ---- shuffling


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(0, 99))
def test_annotations_stay_within_their_group(groups, seed):
    groups = np.array(groups)
    partners = _partners(groups, np.random.default_rng(seed))
    assert sorted(partners) == list(range(len(groups)))
    assert (groups[partners] == groups).all()


def test_all_permutations_are_as_likely():
    rng = np.random.default_rng(0)
    found = [tuple(_partners(np.zeros(3, int), rng)) for _ in range(6000)]
    _, counts = np.unique(found, axis=0, return_counts=True)
    assert len(counts) == 6
    assert abs(counts - 1000).max() < 120  # four standard deviations


def made_up(seed: int = 0, images: int = 6, units: int = 3, points: int = 5):
    """A few images with two kinds of concepts, at random; shown as arrays and as plain lists."""
    rng = np.random.default_rng(seed)
    active = rng.random((images, units, points)) < 0.4
    codes = np.stack([rng.integers(0, 3, (images, points)), rng.choice([0, 3, 4], (images, points))], -1)
    members = codes.reshape(-1, 2).astype(np.int32)
    places = np.arange(images * points, dtype=np.int32).reshape(images, points)
    scenes = rng.choice([0, 5], images).astype(np.int32)
    lengths = active.sum(-1).ravel()
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return active, codes, places, members, scenes, np.nonzero(active)[2].astype(np.int32), starts


@pytest.mark.parametrize("seed", range(5))
def test_shared_points_against_plain_loops(seed):
    active, codes, places, members, scenes, points, starts = made_up(seed)
    images, units, _ = active.shape
    partners, parts = np.random.default_rng(seed).permutation(images), np.arange(images) % 2
    found = np.zeros((2, units, 6), np.int64)
    _shared(points, starts, places, members, scenes, partners, parts, found)
    judge = np.zeros_like(found)
    for image in range(images):
        for unit in range(units):
            for point in np.flatnonzero(active[image, unit]):
                for concept in (*codes[partners[image], point], scenes[partners[image]]):
                    judge[parts[image], unit, concept] += 1
    np.testing.assert_array_equal(found[..., 1:], judge[..., 1:])


@pytest.mark.parametrize("seed", range(5))
def test_how_often_shuffles_reach_the_right_annotations_against_plain_loops(seed):
    active, codes, _, _, _, points, starts = made_up(seed)
    images, units, _ = active.shape
    rng = np.random.default_rng(seed)
    objects, partners, chosen = (
        codes[..., 0].astype(np.int32),
        np.array([rng.permutation(images) for _ in range(7)]),
        np.array([0, 2, 3]),
    )

    def shared(order):
        found = np.zeros((units, 3), int)
        for image in chosen:
            for unit, point in zip(*np.nonzero(active[image]), strict=True):
                found[unit, objects[order[image], point]] += 1
        return found

    own, reached = shared(np.arange(images)), np.zeros((units, 3), np.int64)
    total = np.zeros_like(reached)
    _reached(points, starts, objects, partners, own, chosen, reached, total)
    each = np.array([shared(order) for order in partners])
    np.testing.assert_array_equal(reached, (each >= own).sum(0))
    np.testing.assert_array_equal(total, each.sum(0))


def planted(n: int = 8) -> tuple[_Overlaps, _Shown, _Pictures]:
    """Two categories with n images of twelve points each, and three units.

    A bed stands anywhere in bedrooms, a sea is in the last four points of all beaches. Unit 0 is active on
    the bed itself, unit 1 where the sea always is, unit 2 at points that have nothing to do with either.
    """
    rng, images = np.random.default_rng(0), 2 * n
    codes, active = np.zeros((images, 12), np.int32), np.zeros((images, 3, 12), bool)
    for image in range(images):
        if image < n:
            bed = rng.permutation(12)[:3]
            codes[image, bed], active[image, 0, bed] = 1, True
        else:
            codes[image, 8:], active[image, 1, 8:] = 2, True
        active[image, 2, rng.integers(12)] = True
    concepts = pd.DataFrame({"concept": ["bed", "sea"], "kind": "objects", "type": "object"})
    part = 1 + np.arange(images) % 4  # no close-up, and four folds of scenes
    every = [codes[part == one] for one in range(5)]
    pixels = np.stack([np.bincount(one.ravel(), minlength=3) for one in every])
    present = np.stack([(codes == one).any(1) for one in (1, 2)], 1)
    places = np.arange(codes.size, dtype=np.int32).reshape(codes.shape)
    shown = _Shown(concepts, pixels, present, places, codes.reshape(-1, 1), np.zeros(images, np.int32))
    shared = np.zeros((5, 3, 3), np.int64)
    for fold, concept in np.ndindex(5, 3):
        own = (codes == concept) & (part == fold)[:, None]
        shared[fold, :, concept] = (active & own[:, None]).sum((0, 2))
    counts = np.stack([active[part == fold].sum((0, 2)) for fold in range(5)])
    starts = np.concatenate([[0], np.cumsum(active.sum(2).ravel())]).astype(np.int64)
    peaks = active.any(2).astype(np.float32)
    layer = _Overlaps("pool5", counts, shared, peaks, np.nonzero(active)[2].astype(np.int32), starts)
    groups = np.repeat([0, 1], n)
    names = [str(k) for k in range(images)]
    return layer, shown, _Pictures(names, np.ones(images, bool), 0 * groups, groups, part)


def test_the_two_nulls_tell_a_detector_from_knowledge_of_the_place():
    layer, shown, pictures = planted()
    found = _of_network("scene", layer, shown, pictures, 5)
    assert found.iou[0].tolist() == [1, 0]
    assert found.iou[1].tolist() == [0, 1]
    assert found.judged[:2].tolist() == [1, 1]  # each finds its object in every fold
    assert found.judged[2] < np.nanmax(found.iou[2])
    within, source = found.passed["scenes category"], found.passed["scenes source"]
    assert (within[:, 1] == 1).all()  # the sea is in the same place on every beach
    assert within[:, 0].max() < 0.6  # beds move
    assert source[:, 1].max() < 1
    tests = found.tests().set_index(["unit", "object"])
    assert found.null == "category"
    assert tests.p[0, "bed"] == 1 / 1000
    assert tests.p[1, "sea"] == 1
    assert tests.expected[1, "sea"] == 1
    assert 0.05 < tests.expected[0, "bed"] < 0.4
    assert tests.adjusted[0, "bed"] == pytest.approx(6 / 1000)  # the smallest of six p-values
    rule = DetectorRule.by_measure("iou", 0.9)
    assert found.detectors(rule).concept.tolist() == ["bed", "sea"]
    assert found.by_chance("scenes", 0.9)["category"] == 1
    assert found.tested(found.detectors(rule)) == {"tested": 6, "remain": 1, "stronger": 1}


def test_a_concept_that_is_no_object_wins_and_the_unit_is_no_detector():
    layer, shown, pictures = planted()
    shown.concepts.loc[1, "type"] = "texture or material"
    found = _of_network("scene", layer, shown, pictures, 5)
    assert (found.passed["scenes category"][:, 1] == 0).all()
    assert found.objects == ("bed",)


@pytest.mark.parametrize(("category", "why"), [
    ([0] * 5 + [1] * 5, ""),
    ([0] * 5 + [1] * 4, "5 of 9 annotated images of scenes belong to a category with 5 of them or more"),
    ([-1] * 9, "0 of 9 annotated images"),
    ([0] * 9 + [1], ""),  # nine of ten
])  # fmt: skip
def test_small_or_unknown_categories_cannot_be_shuffled(category, why):
    n = len(category)
    pictures = _Pictures([""] * n, np.ones(n, bool), np.zeros(n, int), np.array(category), np.ones(n, int))
    groups, reason = _groups(pictures, "category")
    assert why in reason
    assert (reason == "") == (why == "")
    assert len(np.unique(groups[np.array(category) == 1])) <= 1
    assert _groups(pictures, "source")[1] == ""


def test_too_few_images_cannot_be_shuffled_at_all():
    pictures = _Pictures([""] * 4, np.ones(4, bool), np.zeros(4, int), np.full(4, -1), np.ones(4, int))
    assert "fewer than 5" in _groups(pictures, "source")[1]


def test_without_a_null_there_is_no_p_value():
    layer, shown, pictures = planted(2)
    found = _of_network("scene", layer, shown, pictures, 2)
    assert found.null == ""
    assert found.passed == {}
    assert np.isnan(found.p).all()
    assert found.tests().adjusted.isna().all()
    chance = found.by_chance("scenes", 0.04)
    assert np.isnan(chance["category"])
    assert np.isnan(chance["source_high"])


def test_any_number_of_threads_counts_the_same(monkeypatch):
    """The shuffles are drawn before, one after the other."""
    layer, shown, pictures = planted()
    packed = []
    for threads in (1, 3):
        monkeypatch.setattr(nulls.torch, "get_num_threads", lambda threads=threads: threads)
        packed.append(nulls._pack([_of_network("scene", layer, shown, pictures, 5)]))
    assert packed[0] == packed[1]


def test_another_rule_has_no_null():
    rule = DetectorRule.by_measure("ap", 0.5)
    assert nulls._chance_table({}, rule, {}).empty
    assert nulls._chance_table({}, SimpleNamespace(measure="iou", types=("scene",)), {}).empty
