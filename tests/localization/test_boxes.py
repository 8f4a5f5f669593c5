"""Boxes by hand, and groups of positions compared with scipy's labelling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from scenelens.errors import SceneLensError
from scenelens.localization.boxes import _ASSUMED_SHARE, _field_squares, _find_boxes, _merge_boxes
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.grid import Grid
from scenelens.networks.network import Network
from tests.made_up_fields import blob_field

SQUARE = np.array([[-10.0, -10.0, 10.0, 10.0]])


@pytest.fixture(scope="module")
def network():
    return Network(CaffeNet(3, width=1 / 8, fc=16), "scene", ["attic", "beach", "cave"])


def boxes_of(values, threshold=1.0, fields=SQUARE, frame=(80.0, 80.0)):
    maps = np.asarray(values, np.float32)[None]
    return _find_boxes(
        maps, np.array([0]), np.float32([threshold]), fields, (10.0, 10.0), (20.0, 20.0), frame
    )


def test_only_the_chosen_units_have_boxes():
    maps = np.zeros((3, 4, 4), np.float32)
    maps[0, 0, 0], maps[2, 1, 1], maps[2, 3, 3] = 9, 5, 7
    thresholds, fields = np.float32([1, 6]), np.tile(SQUARE, (2, 1))
    owner, response, places, _ = _find_boxes(
        maps, np.array([1, 2]), thresholds, fields, (10.0, 10.0), (20.0, 20.0), (80.0, 80.0)
    )
    assert owner.tolist() == [1]
    assert response.tolist() == [7]
    assert places.tolist() == [[3, 3]]


def test_touching_positions_give_one_box_by_hand():
    values = [[2, 0, 0, 2], [0, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    owner, response, places, boxes = boxes_of(values)
    assert owner.tolist() == [0, 0]
    assert response.tolist() == [3, 2]  # the two that touch by a corner, then the single one
    assert places.tolist() == [[1, 1], [0, 3]]
    # centres 10 and 30, the field 10 to either side, in pixel edges; the second box is cut off at 80
    assert boxes.tolist() == [[0.5, 0.5, 40.5, 40.5], [0.5, 60.5, 20.5, 80.0]]


def test_at_the_threshold_no_unit_is_active_and_there_may_be_no_box():
    assert len(boxes_of([[1.0, 1.0]])[0]) == 0
    assert boxes_of([[0.0]])[3].shape == (0, 4)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 10**6))
def test_groups_are_those_of_scipy(h, w, seed):
    values = np.random.default_rng(seed).integers(0, 4, (h, w)).astype(np.float32)
    labelled, n = ndimage.label(values > 1, np.ones((3, 3)))
    owner, response, places, boxes = boxes_of(values, frame=(500.0, 500.0))
    assert len(owner) == n
    numbers = [labelled[tuple(place)] for place in places]
    assert sorted(numbers) == list(range(1, n + 1))
    np.testing.assert_array_equal(response, ndimage.maximum(values, labelled, numbers))
    spans = ndimage.find_objects(labelled)
    for box, number in zip(boxes, numbers, strict=True):
        rows, columns = spans[number - 1]
        ends = np.array([rows.start, columns.start, rows.stop - 1, columns.stop - 1])
        np.testing.assert_allclose(box, np.maximum(ends * 20 + 10.5 + SQUARE[0], 0))


def test_the_most_confident_box_takes_those_that_lie_on_it():
    boxes = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [9, 0, 19, 10], [0, 0, 10, 10]], float)
    confidence = np.array([0.25, 0.75, 0.5, 0.9])
    leader, merged = _merge_boxes(boxes, np.array([7, 7, 7, 8]), confidence, 0.5)
    # the second takes the first (8 of 10 rows shared), the third shares 3 of 10 with it, the last is not its
    assert leader.tolist() == [1, 1, 2, 3]
    np.testing.assert_allclose(merged[1], [2 * 0.75, 0, 10 * 0.25 + 12 * 0.75, 10])
    np.testing.assert_allclose(merged[2], boxes[2])


def test_a_small_box_inside_a_large_one_merges():
    boxes = np.array([[0, 0, 100, 100], [40, 40, 50, 50]], float)
    assert _merge_boxes(boxes, np.zeros(2, np.int64), np.array([0.5, 0.4]), 0.5)[0].tolist() == [0, 0]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_merged_boxes_of_a_name_no_longer_lie_on_their_leader(seed, n):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 50, (n, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(1, 40, (n, 2))], 1)
    confidence, concepts = rng.uniform(0.1, 1, n), rng.integers(0, 2, n)
    leader, merged = _merge_boxes(boxes, concepts, confidence, 0.5)
    firsts = np.flatnonzero(leader == np.arange(n))
    assert (leader >= 0).all()
    for k in range(n):
        assert leader[k] in firsts
        assert confidence[leader[k]] >= confidence[k]
        assert concepts[leader[k]] == concepts[k]
        assert merged[leader[k]][0] <= boxes[leader == leader[k]][:, 0].max() + 1e-9


def test_a_layers_grid_is_that_of_its_theoretical_fields(network):
    assert network.grid("pool5") == Grid((33.0, 33.0), (32.0, 32.0))
    with pytest.raises(SceneLensError, match="no map"):
        network.grid("fc7")
    with pytest.raises(SceneLensError, match="pool5"):
        network.grid("pol5")


@pytest.mark.parametrize("place", [(0, 0), (3, 5), (99, 99)])
def test_a_cell_has_a_pixel_even_beyond_the_frame(place):
    rows, columns = Grid((33, 33), (32, 32)).cell(*place, (227, 227))
    assert 0 <= rows.start < rows.stop <= 227
    assert 0 <= columns.start < columns.stop <= 227


def test_a_measured_field_gives_its_square_and_others_half_of_what_they_could_see(network):
    field = blob_field(4, "pool2")
    boxes = _field_squares(network, "pool2", [4, 5], {4: field})
    np.testing.assert_allclose(boxes[0], np.array([-1, -1, 1, 1]) * field.size / 2, atol=1)
    np.testing.assert_allclose(boxes[1], np.array([-1, -1, 1, 1]) * 67 * _ASSUMED_SHARE / 2)
    silent = blob_field(5, "pool2", places=[], peaks=[])
    np.testing.assert_allclose(_field_squares(network, "pool2", [5], {5: silent})[0], boxes[1])
