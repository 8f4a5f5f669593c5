"""A detector's pixels by hand, and compared with whole masks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelens.localization.scored_detector import BINS, _count_scores
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.grid import Grid, interpolate
from scenelens.networks.network import Network


def test_pixels_are_counted_by_hand():
    # scores 3, 1.5 and 0 along a row; the first pixel is the object's; 3 / 4, 1.5 / 2.5 of four bins
    bins = np.zeros((2, 4), np.int64)
    how = Grid((0, 0), (1, 2)).axes((1, 2), (1, 3))
    assert _count_scores(np.array([[3.0, 0.0]]), np.array([[True, False, False]]), how, bins, step=1) == (
        1,
        2,
    )
    assert bins.tolist() == [[1, 0, 1, 0], [0, 0, 0, 1]]


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6))
def test_counting_is_as_with_whole_masks(h, w, seed):
    rng = np.random.default_rng(seed)
    values = np.maximum(rng.normal(0.3, 1, (h, w)), -1).astype(np.float32)
    mask, how = rng.random((30, 40)) < 0.4, Grid((2.5, 3.0), (30 / h, 40 / w)).axes((h, w), (30, 40))
    bins, step = np.zeros((2, BINS), np.int64), int(rng.integers(1, 5))
    shared, active = _count_scores(values, mask, how, bins, step)
    whole = interpolate(values, how)
    clear = np.abs(whole - 1) > 1e-5  # rounding may move a pixel over the threshold
    assert (whole[clear] > 1).sum() <= active <= (whole[clear] > 1).sum() + (~clear).sum()
    assert (whole[clear & mask] > 1).sum() <= shared <= (whole[clear & mask] > 1).sum() + (~clear).sum()
    for side, truth in zip(bins, (~mask, mask), strict=True):
        some = np.maximum(whole[::step, ::step][truth[::step, ::step]], 0)
        expected = np.bincount((BINS * some / (1 + some)).astype(int), minlength=BINS)
        assert side.sum() == len(some)
        assert np.abs(side.cumsum() - expected.cumsum()).max() <= 2  # rounding at the edges of bins


def test_the_deepest_positions_of_a_side_weigh_one():
    rows, columns = map_axes_of_small()
    assert np.allclose(rows.weights().sum(1), 1)
    assert np.allclose(columns.weights().sum(1), 1)


def map_axes_of_small():
    return Network(CaffeNet(3, width=1 / 8, fc=16)).axes("pool5")
