"""One geometry of positions: against the three ways in which it was written before, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.grid import Grid, interpolate
from scenelens.networks.network import Network
from scenelens.networks.preprocessing import Preprocessing
from scenelens.networks.reach import RF

# Centres of receptive fields are whole or half pixels, strides whole; even grids have any stride.
STARTS = st.one_of(st.integers(-40, 80).map(lambda n: n / 2), st.floats(-20, 40))
STRIDES = st.one_of(st.integers(1, 64).map(float), st.floats(0.5, 64))
GRIDS = st.builds(lambda *v: Grid(v[:2], v[2:]), STARTS, STARTS, STRIDES, STRIDES)
SHAPES = st.tuples(st.integers(1, 13), st.integers(1, 13))
FRAME = (57, 44)


def tent_weights(n, length, first, step):
    """Bilinear weights as masks of segmentations were made: what `interpolated` called `_bilinear`."""
    at = np.clip((np.arange(length) - first) / (step or 1), 0, n - 1)
    return np.maximum(0.0, 1 - np.abs(at[:, None] - np.arange(n)))


def cell_weights(along, n):
    """Bilinear weights as active areas were made: what was `pixel_weights`."""
    cell = np.repeat(np.arange(n), np.diff(along.first))
    weights = np.zeros((len(along.share), n))
    pixels = np.arange(len(along.share))
    weights[pixels, cell] = 1 - along.share
    weights[pixels, np.minimum(cell + 1, n - 1)] += along.share
    return weights


@settings(deadline=None)
@given(GRIDS, SHAPES)
def test_weights_are_bit_for_bit_those_of_segmentations(grid, shape):
    for side, one in enumerate(grid.axes(shape, FRAME)):
        before = tent_weights(shape[side], FRAME[side], grid.start[side], grid.stride[side])
        np.testing.assert_array_equal(one.weights(), before)


@settings(deadline=None)
@given(GRIDS, SHAPES)
def test_weights_are_those_of_active_areas_up_to_half_a_bit(grid, shape):
    """One is 1 - (1 - x) where the other is x: the same number but for the rounding of 1 - x."""
    for n, one in zip(shape, grid.axes(shape, FRAME), strict=True):
        assert np.abs(one.weights() - cell_weights(one, n)).max() <= 2**-53


@settings(deadline=None)
@given(st.integers(-40, 80), st.integers(0, 6), SHAPES)
def test_weights_of_fields_with_a_stride_of_a_power_of_two_are_equal_to_the_bit(start, power, shape):
    for n, one in zip(shape, Grid((start / 2,) * 2, (2.0**power,) * 2).axes(shape, FRAME), strict=True):
        np.testing.assert_array_equal(one.weights(), cell_weights(one, n))


@settings(deadline=None)
@given(GRIDS, SHAPES, st.integers(0, 10**6), st.floats(0.01, 1.5))
def test_masks_are_those_of_before(grid, shape, seed, level):
    """Above a level as for active areas, from a level on as for segmentations."""
    values = np.random.default_rng(seed).normal(0.3, 1, shape).astype(np.float32)
    axes = grid.axes(shape, FRAME)
    pixels = interpolate(values, axes)
    rows, columns = (cell_weights(*pair) for pair in zip(axes, shape, strict=True))
    active = rows @ values.astype(float) @ columns.T
    clear = np.abs(active - level) > 1e-12
    np.testing.assert_array_equal((pixels > level)[clear], (active > level)[clear])
    rows, columns = (tent_weights(*one) for one in zip(shape, FRAME, grid.start, grid.stride, strict=True))
    segmented = rows @ values @ columns.T
    np.testing.assert_array_equal(pixels, segmented)
    np.testing.assert_array_equal((pixels >= level) & (pixels > 0), (segmented >= level) & (segmented > 0))


@settings(deadline=None)
@given(GRIDS, SHAPES)
def test_every_pixels_weights_sum_to_one(grid, shape):
    for one in grid.axes(shape, FRAME):
        np.testing.assert_allclose(one.weights().sum(1), 1, rtol=1e-15)
        assert ((one.share >= 0) & (one.share < 1)).all()


def test_a_field_that_sees_everything_counts_at_every_pixel():
    field = RF(size=9, stride=0, start=4)
    assert field.grid.axes((1, 1), (9, 9))[0].weights().tolist() == [[1.0]] * 9
    assert interpolate(np.array([[2.0]]), field.grid.axes((1, 1), (9, 9))).tolist() == [[2.0] * 9] * 9


def test_a_fields_grid_has_its_centers():
    field = RF(size=(11, 7), stride=(4, 8), start=(5, 3.5))
    assert field.grid.center(2, 1) == field.center(2, 1) == (13, 11.5)


# ---- a layer's grid


class Odd(nn.Module):
    """Its convolution's field is not known: what runs before it has no reach."""

    def __init__(self):
        super().__init__()
        self.see, self.fc = nn.Conv2d(3, 2, 2, 2), nn.Linear(8, 3)

    def forward(self, x):
        x = self.see(torch.fft.fft2(x).abs())
        return self.fc(x.flatten(1))


@pytest.fixture(scope="module")
def odd():
    return Network(Odd(), preprocessing=Preprocessing(size=(4, 4)))


@pytest.fixture(scope="module")
def paper():
    return Network(CaffeNet(3, width=1 / 8, fc=16))


def test_unknown_fields_are_spread_evenly(odd):
    layer = odd.layers.layer[0]
    assert odd.field(layer) is None
    assert odd.grid(layer) == Grid((0.5, 0.5), (2.0, 2.0))
    places = {how: odd.axes(layer, how)[0].share.tolist() for how in ("receptive field", "resize")}
    assert places["resize"] == places["receptive field"] == [0.0, 0.25, 0.75, 0.0]


def test_a_layers_axes_are_those_of_its_grid(paper):
    for layer in ("conv1", "pool2", "pool5"):
        axes = paper.grid(layer).axes(paper.layer_shape(layer)[1:], paper.input_size)
        for mine, its in zip(paper.axes(layer), axes, strict=True):
            np.testing.assert_array_equal(mine.share, its.share)
            np.testing.assert_array_equal(mine.first, its.first)


def test_resized_maps_lie_as_an_image_that_is_enlarged(paper):
    rows, _ = paper.axes("pool5", "resize")
    expected, _ = Grid(((227 / 6 - 1) / 2,) * 2, (227 / 6,) * 2).axes((6, 6), (227, 227))
    np.testing.assert_array_equal(rows.share, expected.share)


def test_a_layer_without_a_map_counts_everywhere(paper):
    assert interpolate(np.array([[3.0]]), paper.axes("fc7")).shape == (227, 227)
    assert paper.field("fc7") is None
    with pytest.raises(SceneLensError, match="no map"):
        paper.grid("fc7")


def test_an_unknown_placement_is_an_error(paper):
    with pytest.raises(SceneLensError, match="receptive field"):
        paper.axes("pool5", "somewhere")
