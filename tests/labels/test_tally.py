"""The sparse count against dense masks: an image resized, a threshold, and sums over masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scenelens.labels import tally as tally_module
from scenelens.labels.tally import Tally, _Combinations
from scenelens.networks.grid import Grid, interpolate


def resize_axes(maps, shape):
    stride = tuple(length / n for n, length in zip(maps.shape[1:], shape, strict=True))
    return Grid(tuple((one - 1) / 2 for one in stride), stride).axes(maps.shape[1:], shape)


def dense(maps, thresholds, codes, n_concepts):
    """Active pixels and (units, concepts + 1) shared ones, from whole resized maps."""
    resized = [
        np.asarray(Image.fromarray(one).resize(codes.shape[1::-1], Image.Resampling.BILINEAR)) for one in maps
    ]
    masks = np.stack(resized) > thresholds[:, None, None]
    shared = np.zeros((len(maps), n_concepts + 1), int)
    for concept in range(1, n_concepts + 1):
        shared[:, concept] = (masks & (codes == concept).any(-1)).sum((1, 2))
    return masks.sum((1, 2)), shared


def tallied(maps, thresholds, codes, axes, n, scene=0, slots=None, n_top=3):
    tally = Tally.empty(len(maps), n_top, codes.shape[2])
    tally.make_room(n)
    tally.count(maps, thresholds, codes, scene, np.zeros(n + 1, int) if slots is None else slots, axes)
    return tally


@pytest.mark.parametrize("shape", [(13, 13), (6, 6), (3, 5), (1, 1), (1, 4)])
@pytest.mark.parametrize("size", [(56, 56), (53, 47)])
def test_counts_equal_those_of_resized_images(shape, size):
    rng = np.random.default_rng(sum(shape))
    maps = (rng.random((8, *shape)) ** 4).astype(np.float32)
    thresholds = np.quantile(maps, 0.9, axis=(1, 2)).astype(np.float32)
    codes = np.stack([rng.integers(0, 4, size), rng.integers(4, 7, size)], -1).astype(np.int32)
    tally = tallied(maps, thresholds, codes, resize_axes(maps, size), 6)
    active, shared = dense(maps, thresholds, codes, 6)
    assert tally.active.tolist() == active.tolist()
    assert np.array_equal(tally.shared[:, 1:7], shared[:, 1:])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.99), st.sampled_from([(33.0, 32.0), (2.5, 6.0), (-5.0, 9.5)]))
def test_a_maps_positions_may_lie_anywhere(seed, level, place):
    start, stride = place
    rng = np.random.default_rng(seed)
    maps = rng.random((3, 6, 5)).astype(np.float32)
    codes = rng.integers(0, 3, (40, 60, 1)).astype(np.int32)
    thresholds = np.full(3, level, np.float32)
    axes = Grid((start, start), (stride, stride)).axes((6, 5), (40, 60))
    tally = tallied(maps, thresholds, codes, axes, 2)
    near = 0
    for unit, values in enumerate(interpolate(one, axes) for one in maps):
        mask = values > level
        near = int((np.abs(values - level) < 1e-6).sum())  # rounding may decide these either way
        assert abs(tally.active[unit] - mask.sum()) <= near
        assert abs(tally.shared[unit, 2] - (mask & (codes[..., 0] == 2)).sum()) <= near


def test_a_unit_at_its_threshold_is_not_active():
    tally = tallied(
        np.ones((1, 2, 2), np.float32),
        np.float32([1]),
        np.ones((4, 4, 1), np.int32),
        resize_axes(np.ones((1, 2, 2)), (4, 4)),
        1,
    )
    assert tally.active[0] == 0
    assert not tally.shared.any()


def test_the_scene_holds_all_active_pixels_and_what_fits_is_noted():
    maps = np.ones((1, 2, 2), np.float32)
    codes = np.full((4, 4, 2), 1, np.int32)
    codes[..., 1] = [[2], [2], [3], [3]]  # half and half: neither is more than half
    slots = np.array([0, 0, 1, 1, 2])
    tally = tallied(maps, np.float32([0]), codes, resize_axes(maps, (4, 4)), 4, scene=4, slots=slots)
    assert tally.shared[0, :5].tolist() == [0, 16, 8, 8, 16]
    assert tally.top_fits[0, tally.top_peaks[0].argmax()].tolist() == [1, 0, 4]


def test_only_the_highest_peaks_stay_and_an_earlier_one_wins_a_tie():
    tally = Tally.empty(1, 2, 1)
    axes = Grid((0, 0), (1, 1)).axes((1, 1), (1, 1))
    slots = np.array([0, 0, 0, 0, 0])
    tally.make_room(4)
    for concept, peak in ((1, 3.0), (2, 1.0), (3, 2.0), (4, 2.0)):
        codes = np.full((1, 1, 1), concept, np.int32)
        tally.count(np.full((1, 1, 1), peak, np.float32), np.float32([0.5]), codes, 0, slots, axes)
    assert sorted(tally.top_peaks[0]) == [2, 3]
    assert sorted(tally.top_fits[0, :, 0]) == [1, 3]


def test_an_image_without_active_pixels_fits_no_concept():
    tally = Tally.empty(1, 2, 1)
    axes = Grid((0, 0), (1, 1)).axes((1, 1), (1, 1))
    codes = np.ones((1, 1, 1), np.int32)
    for peak in (1.0, 9.0):
        tally.count(np.full((1, 1, 1), peak, np.float32), np.float32([5]), codes, 0, np.array([0, 0]), axes)
    assert sorted(zip(tally.top_peaks[0], tally.top_fits[0, :, 0], strict=True)) == [(1, 0), (9, 1)]


def test_room_for_concepts_grows_and_the_counts_stay():
    tally = Tally.empty(2, 1, 1)
    tally.fold_shared[0, 1, 63] = 7
    tally.make_room(64)
    assert tally.shared.shape[1] > 64
    assert tally.shared[1, 63] == 7


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (6, 6)])
def test_the_area_is_what_labelling_counts(shape):
    rng = np.random.default_rng(1)
    values = rng.random(shape).astype(np.float32)
    axes = Grid((3.0, -2.0), (7.0, 9.0)).axes((shape[0], shape[1]), (40, 50))
    tally = Tally.empty(1, 1, 1)
    tally.count(values[None], np.float32([0.6]), np.zeros((40, 50, 1), np.int32), 0, np.zeros(1, int), axes)
    area = interpolate(values, axes) > np.float32(0.6)
    assert area.shape == (40, 50)
    assert abs(int(area.sum()) - int(tally.active[0])) <= 1  # 64 bits here, 32 there


@pytest.mark.parametrize("most", [1 << 24, 10])  # with tables of pairs, and by sorting where they are large
@pytest.mark.parametrize("kinds", [0, 1, 3])
def test_combinations_are_those_that_pixels_show(kinds, most, monkeypatch):
    monkeypatch.setattr(tally_module, "_MOST_PAIRS", most)
    codes = np.random.default_rng(kinds).integers(0, 5, (7, 9, kinds)).astype(np.int32)
    found = _Combinations.of(codes)
    assert np.array_equal(found.members[found.places], codes)
    assert len(found.members) == len({tuple(one) for one in codes.reshape(63, kinds).tolist()})
    assert found.areas(6)[1:].tolist() == np.bincount(codes.ravel(), minlength=7)[1:].tolist()
