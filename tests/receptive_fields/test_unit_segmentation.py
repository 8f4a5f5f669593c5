"""Segmentation by a unit's receptive field and by interpolation: masks that can be drawn by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.receptive_fields.estimate import estimate_rf
from scenelens.receptive_fields.field import EmpiricalRF
from scenelens.receptive_fields.unit_segmentation import segment_unit

SIDE = 21


@pytest.fixture(scope="module")
def net() -> nn.Module:
    """One unit that adds up 3x3 pixels, at every other pixel: centres 1, 3, 5 ... 19."""
    net = nn.Sequential(nn.Conv2d(1, 1, 3, 2, bias=False), nn.ReLU())
    nn.init.ones_(net[0].weight)
    return net


@pytest.fixture(scope="module")
def rf(net: nn.Module) -> EmpiricalRF:
    images = [torch.ones(1, SIDE, SIDE)] * 2
    return estimate_rf(net, "0", 0, images, 2, occluder=np.zeros((1, 1, 1)), stride=1, places=[(5, 5)] * 2)


def picture(*dots: tuple[int, int]) -> torch.Tensor:
    image = torch.zeros(1, SIDE, SIDE)
    for row, col in dots:
        image[0, row, col] = 9.0
    return image


def around(*centers: tuple[int, int]) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    for row, col in centers:
        mask[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2] = True
    return mask


def test_the_field_is_set_down_at_every_position_that_fires(net: nn.Module, rf: EmpiricalRF) -> None:
    assert rf.size == 3
    found = segment_unit(net, rf, picture((7, 9), (15, 3)), threshold=0.5)
    np.testing.assert_array_equal(found.mask, around((7, 9), (15, 3)))
    assert found.positions == 2
    assert found.peak == 9
    np.testing.assert_array_equal(np.asarray(found), found.mask)


def test_overlapping_fields_are_united(net: nn.Module, rf: EmpiricalRF) -> None:
    found = segment_unit(net, rf, picture((7, 8)), threshold=0.5)  # seen by the positions at columns 7 and 9
    np.testing.assert_array_equal(found.mask, around((7, 7), (7, 9)))


def test_fields_are_cut_off_at_the_images_edge(net: nn.Module, rf: EmpiricalRF) -> None:
    maps = np.pad(rf.evidence.maps, ((0, 0), (0, 0), (4, 0)))[:, :, :SIDE]
    far = replace(rf.evidence, maps=maps).field(
        rf.layer, rf.unit, rf.theoretical, places=rf.places, peaks=rf.peaks, images=rf.images, asked=rf.asked
    )
    assert far.mask.sum() == 9
    found = segment_unit(net, far, picture((1, 19), (9, 9)), threshold=0.5)  # 4 px to the right: 23, and 13
    np.testing.assert_array_equal(found.mask, around((9, 13)))


def test_thresholds_are_shares_of_the_peak_over_the_images(net: nn.Module, rf: EmpiricalRF) -> None:
    assert rf.peaks.max() == 9
    image = picture((7, 9)) * 0.5
    assert segment_unit(net, rf, image, threshold=0.5).positions == 1
    assert segment_unit(net, rf, image, threshold=0.51).positions == 0
    assert not segment_unit(net, rf, image, threshold=0.51).mask.any()
    found = segment_unit(net, rf, image, threshold=0.5)
    assert found.level == 4.5
    assert "50% of the unit's peak 9" in found.rule


def test_silence_never_fires(net: nn.Module, rf: EmpiricalRF) -> None:
    for way in ("receptive field", "bilinear"):
        found = segment_unit(net, rf, picture(), level=0.0, way=way)
        assert not found.mask.any()
        assert found.positions == 0


def test_bilinear_interpolates_between_the_positions_centres(net: nn.Module, rf: EmpiricalRF) -> None:
    """9 at the centre (7, 9), zero at its neighbours two pixels away: half of it one pixel away, a quarter
    diagonally."""
    image = picture((7, 9))
    found = segment_unit(net, rf, image, level=4.5, way="bilinear")
    expected = np.zeros((SIDE, SIDE), bool)
    expected[7, 8:11] = expected[6:9, 9] = True
    np.testing.assert_array_equal(found.mask, expected)
    whole = segment_unit(net, rf, image, level=2.25, way="bilinear")
    np.testing.assert_array_equal(whole.mask, around((7, 9)))


def test_bilinear_goes_on_beyond_the_outermost_centres(net: nn.Module, rf: EmpiricalRF) -> None:
    found = segment_unit(net, rf, picture((1, 1)), level=9.0, way="bilinear")
    assert np.argwhere(found.mask).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_bilinear_equals_torch_where_the_grids_agree() -> None:
    """Centres at 0.5, 2.5, ... are those of a map enlarged twice without aligned corners."""
    net = nn.Sequential(nn.AvgPool2d(2))
    torch.manual_seed(0)
    image = torch.rand(1, 16, 16)
    rf = estimate_rf(net, "0", 0, [image], 1, occluder=np.zeros((1, 1, 1)), stride=1)
    enlarged = nn.functional.interpolate(net(image[None]), scale_factor=2, mode="bilinear")[0, 0].numpy()
    for level in (0.3, 0.5, 0.7):
        found = segment_unit(net, rf, image, level=level, way="bilinear")
        np.testing.assert_array_equal(found.mask, enlarged >= level)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"way": "bilinaer"}, "close names: bilinear"),
        ({"threshold": 0.0}, "above 0 and at most 1"),
        ({"threshold": 1.5}, "above 0 and at most 1"),
    ],
)
def test_wrong_input_is_one_sentence(net: nn.Module, rf: EmpiricalRF, options: dict, text: str) -> None:
    with pytest.raises(SceneLensError, match=text):
        segment_unit(net, rf, picture((3, 3)), **options)


def test_a_dead_unit_segments_nothing_and_says_why(net: nn.Module) -> None:
    rf = estimate_rf(net, "0", 0, [picture()], 1, occluder=np.zeros((1, 1, 1)), stride=1)
    with pytest.raises(SceneLensError, match="silent on all images"):
        segment_unit(net, rf, picture((3, 3)))
