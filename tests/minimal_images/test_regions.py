"""Segments of any origin: numbered without gaps, covering everything once, framed like the photograph."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelens.errors import SceneLensError
from scenelens.minimal_images.regions import Regions
from scenelens.networks.preprocessing import Preprocessing

LEFT = np.array([[1, 1, 0, 0]] * 2, bool)


def test_numbers_of_any_value():
    found = Regions.from_map(np.array([[-5, 7], [7, 7]]), {7: "bed"}, {7: "object"})
    assert found.segment_map.tolist() == [[0, 1], [1, 1]]
    assert found.names == ("region -5", "bed")
    assert found.kinds == ("region", "object")
    assert found.shares.tolist() == [0.25, 0.75]
    assert found.mask([True, False]).tolist() == [[True, False], [False, False]]


def test_masks_and_their_rest():
    found = Regions.from_masks({"bed": LEFT}, rest=True)
    assert found.names == ("bed", "unlabelled")
    assert (found.segment_map == ~LEFT).all()
    assert Regions.from_masks({"bed": LEFT, "wall": ~LEFT}, rest=True).names == ("bed", "wall")


@pytest.mark.parametrize(
    "given_",
    [
        {"region 0": LEFT, "region 1": ~LEFT},
        [LEFT, ~LEFT],
        np.stack([LEFT, ~LEFT]),
        (~LEFT).astype(np.uint8),
        (~LEFT).astype(int).tolist(),
    ],
)
def test_what_callers_mean_by_regions(given_):
    found = Regions.of(given_)
    assert found.segment_map.tolist() == (~LEFT).astype(int).tolist()
    assert found.names == ("region 0", "region 1")


@pytest.mark.parametrize(
    ("masks", "sentence"),
    [
        ({}, "there is no mask"),
        ({"a": LEFT, "b": LEFT[:1]}, "'b' is"),
        ({"a": LEFT[0]}, "masks are"),
        ({"a": LEFT, "b": LEFT | True}, "overlap in 4 pixels .'a', 'b'"),
        ({"a": LEFT}, "4 of 8 pixels are in no mask"),
    ],
)
def test_masks_that_do_not_divide_the_image(masks, sentence):
    with pytest.raises(SceneLensError, match=sentence):
        Regions.from_masks(masks)


@pytest.mark.parametrize("segment_map", [np.zeros((2, 2)), np.zeros(4, int), np.zeros((0, 4), int), "region"])
def test_arrays_that_are_no_segment_map(segment_map):
    with pytest.raises(SceneLensError, match="a segment map is"):
        Regions.from_map(segment_map)


def test_the_hash_names_the_division():
    one = Regions.from_map(LEFT.astype(int))
    assert one.hash == Regions.from_map(LEFT.astype(np.uint8) * 9, {0: "region 0", 9: "region 1"}).hash
    assert one.hash != Regions.from_map(LEFT.astype(int), {0: "bed"}).hash
    assert one.hash != Regions.from_map(LEFT.T.astype(int)).hash


HOWS = [
    Preprocessing(size=(40, 40)),
    Preprocessing(size=(32, 32), resize_to=(48, 40)),
    Preprocessing(size=(40, 40), resize="short side", resize_to=48),
]


@pytest.mark.parametrize("how", HOWS)
@given(st.integers(0, 99), st.sampled_from([(60, 90), (90, 60), (30, 40), (40, 40)]))
@settings(max_examples=10, deadline=None)
def test_regions_are_framed_like_the_photograph(how, seed, shape):
    """A photograph that shows its own segments in grey, framed, shows the framed segments."""
    blocks = np.random.default_rng(seed).integers(0, 3, (shape[0] // 10, shape[1] // 10))
    segment_map = blocks.repeat(10, 0).repeat(10, 1)
    photograph = (segment_map * 100).astype(np.uint8)[..., None].repeat(3, 2)
    found = Regions.from_map(segment_map).within(how)
    codes = np.array([int(name.split()[1]) for name in found.names])[found.segment_map]
    seen = how.frame(photograph)[..., 0] / 100
    assert found.shape == how.size
    sure = np.abs(seen - np.rint(seen)) < 0.02  # away from borders, where the photograph is blended
    assert sure.mean() > 0.4
    assert (codes == np.rint(seen))[sure].mean() > 0.995


def test_segments_outside_the_crop_are_gone():
    segment_map = np.repeat([0, 1, 2], [5, 20, 5])[None].repeat(20, 0)
    found = Regions.from_map(segment_map, {1: "bed"}).within(
        Preprocessing(size=(20, 20), resize="short side", resize_to=20)
    )
    assert found.names == ("bed",)
