"""Polygons against scikit-image, masks to polygons and back, painting order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage.draw import polygon as skimage_polygon

from scenelens.annotations.outlined import _paint_order
from scenelens.annotations.polygons import (
    Polygon,
    _as_polygon,
    _polygon_mask,
    _rescale,
    mask_to_polygons,
)
from scenelens.errors import SceneLensError
from tests.masks import jaccard

SHAPE = (24, 31)


def union(polygons: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    return sum((_polygon_mask(one, shape) for one in polygons), np.zeros(shape, bool))


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-9, 40), st.floats(-9, 40)), min_size=3, max_size=9))
def test_any_polygon_as_scikit_image_fills_it(points):
    points = _as_polygon(points) + [0.123, 0.0456]  # off the pixel centres, where the two may differ by rule
    expected = np.zeros(SHAPE, bool)
    expected[skimage_polygon(points[:, 1], points[:, 0], SHAPE)] = True
    near = np.abs(points - np.round(points)).min() < 1e-6
    assert near or (_polygon_mask(points, SHAPE) == expected).all()


def test_a_pixel_belongs_to_one_of_two_polygons_that_share_an_edge():
    left, right = [(0, 0), (2, 0), (2, 4), (0, 4)], [(2, 0), (4, 0), (4, 4), (2, 4)]
    a, b = _polygon_mask(left, (6, 6)), _polygon_mask(right, (6, 6))
    assert not (a & b).any()
    assert (a | b).sum() == 16


def test_a_bow_tie_has_two_wings_and_a_double_turn_a_hole():
    bow = [(0, 0), (8, 8), (8, 0), (0, 8)]
    mask = _polygon_mask(bow, (9, 9))
    assert mask[4, 1]
    assert mask[4, 7]
    assert not mask[1, 4]
    ring = [(0, 0), (9, 0), (9, 9), (0, 9), (0, 0), (3, 3), (6, 3), (6, 6), (3, 6), (3, 3)]
    assert not _polygon_mask(ring, (10, 10))[4, 4]


def test_what_reaches_outside_is_clipped():
    assert _polygon_mask([(-99, -99), (99, -99), (99, 99), (-99, 99)], SHAPE).all()
    box, inside = Polygon([(50, 50), (60, 50), (60, 60)]).patch(SHAPE)
    assert inside.size == 0
    assert np.zeros(SHAPE)[box].shape == inside.shape


@pytest.mark.parametrize("bad", [[], [1, 2, 3], [(0, 0), (1, np.nan), (2, 2)], [(0, 0, 0)]])
def test_no_polygon(bad):
    with pytest.raises(SceneLensError, match="polygon"):
        _polygon_mask(bad, SHAPE)


def test_points_and_lines_have_no_area_but_a_bow_tie_has():
    assert not Polygon([(3, 3)]).has_area()
    assert not Polygon([(3, 3), (3, 3), (3, 3)]).has_area()
    assert not Polygon([(0, 0), (2, 4), (1, 2)]).has_area()
    assert Polygon([(0, 0), (8, 8), (8, 0), (0, 8)]).has_area()


def test_crossing_differs_from_touching_and_from_a_slit():
    assert Polygon([(0, 0), (4, 4), (4, 0), (0, 4)]).crosses_itself()
    assert not Polygon([(0, 0), (2, 2), (4, 0), (4, 4), (2, 2), (0, 4)]).crosses_itself()
    ring = np.ones((9, 9), bool)
    ring[3:6, 3:6] = False
    assert not Polygon(mask_to_polygons(ring)[0]).crosses_itself()
    circle = np.linspace(0, 2 * np.pi, 3000, endpoint=False)
    assert not Polygon(np.column_stack([np.cos(circle), np.sin(circle)])).crosses_itself()


def test_every_mask_of_three_by_three_comes_back_exactly():
    for bits in range(512):
        mask = np.array([bits >> k & 1 for k in range(9)], bool).reshape(3, 3)
        assert (union(mask_to_polygons(mask, tolerance=0), (3, 3)) == mask).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(0.05, 0.95))
def test_speckles_come_back_exactly(seed, fill):
    mask = np.random.default_rng(seed).random(SHAPE) < fill
    assert (union(mask_to_polygons(mask, tolerance=0), SHAPE) == mask).all()


@pytest.mark.parametrize("seed", range(8))
def test_blobs_come_back_with_few_points(seed):
    field = gaussian_filter(np.random.default_rng(seed).normal(size=(227, 227)), 8 + seed)
    mask = field > np.quantile(field, 0.8)
    exact, simple = mask_to_polygons(mask, tolerance=0), mask_to_polygons(mask)
    assert jaccard(union(simple, mask.shape), mask) > 0.95
    assert sum(map(len, simple)) < 0.8 * sum(map(len, exact))


def test_thin_and_tiny_masks_keep_their_pixels():
    mask = np.zeros((12, 12), bool)
    mask[np.arange(12), np.arange(12)] = True
    mask[0, 11] = True
    assert jaccard(union(mask_to_polygons(mask), mask.shape), mask) > 0.95
    assert len(mask_to_polygons(mask, min_area=2)) == 1
    assert mask_to_polygons(np.zeros((3, 3))) == []
    with pytest.raises(SceneLensError, match="two dimensions"):
        mask_to_polygons(np.zeros((3, 3, 3)))


def test_holes_within_pieces_within_holes():
    mask = np.ones((15, 15), bool)
    mask[2:13, 2:13] = False
    mask[4:11, 4:11] = True
    mask[6:9, 6:9] = False
    mask[13, 3] = False
    polygons = mask_to_polygons(mask, tolerance=0)
    assert len(polygons) == 2
    assert (union(polygons, mask.shape) == mask).all()


def test_rescaling_keeps_the_image_edges_and_the_share():
    polygon = [(-0.5, -0.5), (4.5, -0.5), (4.5, 9.5), (-0.5, 9.5)]
    large = _rescale(polygon, (10, 10), (40, 60))
    assert _polygon_mask(polygon, (10, 10)).mean() == _polygon_mask(large, (40, 60)).mean() == 0.5


def test_background_is_painted_first_then_the_larger():
    names, areas = ["person", "floor", "bus", "sky", "person"], [5, 100, 50, 900, 5]
    assert _paint_order(names, areas) == [3, 1, 2, 0, 4]
