"""Poisson reconstruction against a sparse solver that shares no code with it, and sums that are exact."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import spsolve

from scenelens.errors import SceneLensError
from scenelens.minimal_images.gradient_domain import _adjoint, _GradientBases, _solve
from tests.minimal_images.poisson import basis, integrate


def difference_matrix(height: int, width: int) -> sparse.csr_matrix:
    """Every pair of neighbours a row: first all steps down, then all steps to the right, as index lists."""
    numbers = np.arange(height * width).reshape(height, width)
    pairs = [(numbers[:-1], numbers[1:]), (numbers[:, :-1], numbers[:, 1:])]
    here, there = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    rows = np.arange(len(here))
    values = np.ones(len(here))
    shape = (len(here), height * width)
    return sparse.csr_matrix((values, (rows, there)), shape) - sparse.csr_matrix(
        (values, (rows, here)), shape
    )


def sparse_picture(image: np.ndarray, owned: np.ndarray) -> np.ndarray:
    """The image with only the differences of `owned` pixels: normal equations with the mean fixed."""
    height, width = owned.shape
    matrix = difference_matrix(height, width)
    origin = np.concatenate([owned[:-1].ravel(), owned[:, :-1].ravel()])  # a difference is the first pixel's
    n = height * width
    ones = sparse.csr_matrix(np.ones((1, n)))
    system = sparse.bmat([[matrix.T @ matrix, ones.T], [ones, None]], format="csc")
    planes = []
    for channel in np.moveaxis(image.astype(float), 2, 0):
        wanted = (matrix @ channel.ravel()) * origin
        right = np.append(matrix.T @ wanted, channel.sum())
        planes.append(spsolve(system, right)[:n].reshape(height, width))
    return np.stack(planes, 2)


@st.composite
def cut_images(draw) -> tuple[np.ndarray, np.ndarray]:
    height, width = draw(st.integers(1, 9)), draw(st.integers(2, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps = draw(st.sampled_from([2, 4, 256]))
    image = rng.integers(0, steps, (height, width, 3)) * (255 // (steps - 1))
    return image.astype(np.uint8), rng.integers(0, draw(st.integers(1, 6)), (height, width))


def test_one_row_by_hand():
    image = np.array([[[0], [10], [30]]]).repeat(3, 2).astype(np.uint8)
    bases = _GradientBases(image, np.array([[0, 1, 1]]))
    # without the step of 10 the row is flat and then steps by 20; its mean stays 40 / 3
    means = np.array([20, 20, 80]) / 3
    np.testing.assert_array_equal(bases.picture([False, True])[0, :, 0], np.rint(means))
    np.testing.assert_allclose(basis(bases, 0)[0, :, 0], np.array([-20, 10, 10]) / 3, atol=1e-5)


def test_a_step_belongs_to_the_upper_or_left_pixel():
    image = np.zeros((2, 2, 3), np.uint8)
    image[1] = 100
    bases = _GradientBases(image, np.array([[0, 0], [1, 1]]))
    assert bases.has_gradient.tolist() == [True, False]
    assert (bases.picture([True, False]) == image).all()
    assert (bases.picture([False, True]) == 50).all()


def test_differences_of_two_and_three_axes_agree():
    image = np.random.default_rng(0).normal(size=(5, 4, 2))
    for both, one in zip(
        _GradientBases.forward_differences(image),
        _GradientBases.forward_differences(image[:, :, 1]),
        strict=True,
    ):
        np.testing.assert_array_equal(both[:, :, 1], one)


@given(cut_images())
@settings(max_examples=40, deadline=None)
def test_bases_equal_a_sparse_solver(case):
    image, segment_map = case
    bases = _GradientBases(image, segment_map)
    for segment in range(len(bases)):
        expected = sparse_picture(image, segment_map == segment)
        np.testing.assert_allclose(basis(bases, segment) + bases.means, expected, atol=2e-4)


@given(cut_images(), st.integers(0, 63))
@settings(max_examples=40, deadline=None)
def test_pictures_equal_solving_anew(case, bits):
    image, segment_map = case
    bases = _GradientBases(image, segment_map)
    kept = np.array([bool(bits >> k & 1) for k in range(len(bases))])
    expected = np.clip(sparse_picture(image, kept[segment_map]), 0, 255)
    assert np.abs(bases.picture(kept) - expected).max() <= 0.5 + 1e-3


@given(cut_images())
@settings(max_examples=40, deadline=None)
def test_all_segments_are_the_image(case):
    image, segment_map = case
    bases = _GradientBases(image, segment_map)
    np.testing.assert_array_equal(bases.picture(np.ones(len(bases), bool)), image)


@given(cut_images(), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_removal_is_the_same_bit_for_bit_whatever_the_order(case, random):
    image, segment_map = case
    bases = _GradientBases(image, segment_map)
    kept = np.ones(len(bases), bool)
    for segment in random.sample(range(len(bases)), len(bases)):
        picture = bases.without(kept, np.array([segment]))[0]
        kept[segment] = False
        np.testing.assert_array_equal(picture, bases.picture(kept))


def test_a_sawtooth_does_not_overflow():
    """Keeping only the steps up makes a ramp a hundred times steeper than any image."""
    image = np.zeros((3, 101, 3), np.uint8)
    image[:, 1::2] = 255
    segment_map = np.tile(np.arange(101) % 2, (3, 1))
    bases = _GradientBases(image, segment_map)
    assert np.ptp(basis(bases, 0)) == pytest.approx(50 * 255, abs=1)
    assert (bases.picture([True, True]) == image).all()
    assert bases.picture([True, False])[0, [0, -1], 0].tolist() == [0, 255]


def test_the_frame_of_the_paper_against_the_fast_transform():
    image = np.random.default_rng(1).integers(0, 256, (227, 227, 3), dtype=np.uint8)
    owned = np.zeros((227, 227), bool)
    owned[40:90, 100:200] = True
    down, right = (one * owned[..., None] for one in _GradientBases.forward_differences(image))
    expected = integrate(down, right)
    planes = _solve(_adjoint(down.transpose(2, 0, 1), right.transpose(2, 0, 1)), owned.shape)
    np.testing.assert_allclose(planes.transpose(1, 2, 0), expected, atol=1e-8)
    np.testing.assert_allclose(basis(_GradientBases(image, owned.astype(int)), 1), expected, atol=1e-4)


def test_a_number_that_no_pixel_has_is_an_empty_segment():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    bases = _GradientBases(image, np.array([[0, 0], [2, 2]]))
    assert len(bases) == 3
    assert not bases.has_gradient[1]


@pytest.mark.parametrize(
    "segment_map", [np.zeros((3, 4), int), np.zeros((4, 4)), np.full((4, 4), -1), np.zeros((4, 4, 1), int)]
)
def test_arrays_that_are_no_segment_map(segment_map):
    with pytest.raises(SceneLensError, match="segment numbers are whole numbers"):
        _GradientBases(np.zeros((4, 4, 3), np.uint8), segment_map)


@pytest.mark.parametrize("kept", [[True], [1, 0], [True, True, True]])
def test_kept_that_does_not_fit(kept):
    bases = _GradientBases(np.zeros((2, 2, 3), np.uint8), np.array([[0, 1], [0, 1]]))
    with pytest.raises(SceneLensError, match="for each of 2 segments"):
        bases.picture(kept)


def test_what_is_no_image_is_refused():
    with pytest.raises(SceneLensError, match="uint8 RGB"):
        _GradientBases(np.zeros((2, 2, 3)), np.zeros((2, 2), int))
