"""Empirical receptive fields: hand-computed averages, sizes and intervals, and their edge cases."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.networks.hooks import record, responses
from scenelens.networks.network import Network
from scenelens.networks.preprocessing import Preprocessing
from scenelens.networks.reach import RF
from scenelens.receptive_fields.estimate import estimate_rf
from scenelens.receptive_fields.field import DiscrepancyMaps, EmpiricalRF


def box(kernel: int = 5, stride: int = 1) -> nn.Module:
    """One unit that adds up kernel x kernel pixels: every one of them counts the same."""
    net = nn.Sequential(nn.Conv2d(1, 1, kernel, stride, bias=False), nn.ReLU())
    nn.init.ones_(net[0].weight)
    return net


def field_of(maps: np.ndarray, centers, side: int, occluder: int = 1, stride: int = 1) -> EmpiricalRF:
    n = len(maps)
    centers = np.array(centers, float).reshape(-1, 2)
    evidence = DiscrepancyMaps(
        np.asarray(maps, np.float32), centers, (side, side), (occluder, occluder), stride
    )
    return evidence.field(
        "conv",
        0,
        RF(5, 1, 2),
        places=np.zeros((n, 2), int),
        peaks=np.ones(n, np.float32),
        images=np.arange(n),
        asked=n,
    )


ONE_PIXEL = {"occluder": np.zeros((1, 1, 1)), "stride": 1}


def test_a_unit_that_uses_all_it_sees_has_its_theoretical_size() -> None:
    images = [torch.ones(1, 21, 21) + 0.01 * torch.rand(1, 21, 21) for _ in range(4)]
    rf = estimate_rf(box(5), "0", 0, images, n_images=4, **ONE_PIXEL)
    assert rf.size == 5
    rows, columns = np.nonzero(rf.mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 12, 8, 12)  # round pixel (10, 10)
    assert rf.interval == (5, 5)


def test_the_field_is_where_the_weights_are_not_only_how_large() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 5, bias=False))
    weight = torch.zeros(1, 1, 5, 5)
    weight[0, 0, 0, 3] = 1  # two rows above and one column right of the centre
    net[0].weight.data = weight
    images = [torch.rand(1, 21, 21) for _ in range(5)]
    rf = estimate_rf(net, "0", 0, images, n_images=5, **ONE_PIXEL)
    assert np.argwhere(rf.mask).tolist() == [[8, 11]]
    assert rf.size == 1


def test_recentring_moves_the_centre_of_each_map_into_the_middle() -> None:
    maps = np.zeros((2, 9, 9))
    maps[0, 2, 3] = maps[1, 6, 6] = 1
    rf = field_of(maps, [(2, 3), (6, 6)], side=9)
    for n in (0, 1):
        assert np.argwhere(rf.evidence.recentered(n) == 1).tolist() == [[4, 4]]
    assert rf.map[4, 4] == 1
    assert np.nansum(rf.map) == 1


def test_only_what_was_seen_is_averaged() -> None:
    """Image 1 is centred at its corner: half of the field lies outside, and is not counted there."""
    maps = np.stack([np.full((5, 5), 2.0), np.full((5, 5), 4.0)])
    rf = field_of(maps, [(2, 2), (0, 0)], side=5)
    expected = np.full((5, 5), 2.0)
    expected[2:, 2:] = 3.0
    np.testing.assert_array_equal(rf.map, expected)
    alone = field_of(maps[1:], [(0, 0)], side=5)
    assert np.isnan(alone.map[:2]).all()
    assert alone.size == 3  # 3 x 3 pixels were seen, all at the maximum


def test_values_belong_to_the_occluders_centres_and_are_interpolated_between() -> None:
    """Occluders of 3 px every 2 px on 9 px: centres at 1, 3, 5, 7."""
    maps = np.zeros((1, 4, 4))
    maps[0, 1, 2] = 8
    rf = field_of(maps, [(4, 4)], side=9, occluder=3, stride=2)
    assert rf.map[3, 5] == 8
    assert rf.map[3, 4] == rf.map[2, 5] == 4
    assert rf.map[4, 4] == 2
    assert rf.map[3, 3] == rf.map[1, 5] == 0
    assert np.isnan(rf.map[0]).all()
    assert np.isnan(rf.map[:, 8]).all()


def test_a_fields_size_is_the_side_of_the_square_of_equal_area() -> None:
    maps = np.zeros((1, 11, 11))
    maps[0, 3:5, 2:10] = 1.0
    maps[0, 6, 6] = 0.5
    maps[0, 8, 8] = 0.49
    assert field_of(maps, [(5, 5)], side=11).size == pytest.approx(math.sqrt(17))


def test_half_pixel_centres_as_even_kernels_have_them() -> None:
    images = [torch.ones(1, 20, 20) + 0.01 * torch.rand(1, 20, 20) for _ in range(3)]
    rf = estimate_rf(box(4), "0", 0, images, n_images=3, **ONE_PIXEL)
    assert rf.theoretical == RF(4, 1, 1.5)
    assert rf.size == 4
    assert np.argwhere(rf.mask).min() == 8
    assert np.argwhere(rf.mask).max() == 11


def test_the_interval_holds_the_size_and_widens_when_images_disagree() -> None:
    rng = np.random.default_rng(0)
    alike, apart = np.zeros((8, 15, 15)), np.zeros((8, 15, 15))
    alike[:, 5:10, 5:10] = 1 + 0.01 * rng.random((8, 5, 5))
    for n in range(8):
        apart[n, 7 - n % 7 : 8 + n % 7, 7 - n % 7 : 8 + n % 7] = 1
    same, other = (field_of(maps, [(7, 7)] * 8, side=15) for maps in (alike, apart))
    for rf in (same, other):
        low, high = rf.interval
        assert low <= rf.size <= high
    assert same.interval[0] == same.interval[1]
    assert other.interval[1] - other.interval[0] > 2
    assert other.evidence.size_interval(seed=1) == other.evidence.size_interval(seed=1)


def test_the_bootstrap_equals_averaging_the_drawn_images_one_by_one() -> None:
    rng = np.random.default_rng(3)
    maps, centers = rng.random((4, 7, 7)) ** 4, rng.integers(0, 7, (4, 2))
    rf = field_of(maps, centers, side=7)
    draws = np.random.default_rng(5).multinomial(4, np.full(4, 0.25), size=20)
    sizes = []
    for draw in draws:
        numbers = np.repeat(np.arange(4), draw)
        sizes.append(field_of(maps[numbers], centers[numbers], side=7).size)
    assert rf.evidence.size_interval(20, seed=5) == pytest.approx(tuple(np.quantile(sizes, [0.025, 0.975])))


def test_convergence_ends_at_the_whole_estimate() -> None:
    rng = np.random.default_rng(1)
    rf = field_of(rng.random((6, 9, 9)), [(4, 4)] * 6, side=9)
    curve = rf.evidence.convergence()
    assert list(curve.n_images) == [1, 2, 3, 4, 5, 6]
    assert curve["size"].iloc[-1] == rf.size
    assert curve.similarity.iloc[-1] == pytest.approx(1)
    first = field_of(rf.evidence.maps[:1], rf.evidence.centers[:1], side=9)
    assert curve["size"].iloc[0] == first.size


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 4))
def test_adding_a_constant_factor_changes_nothing(seed: int, n: int, stride: int) -> None:
    rng = np.random.default_rng(seed)
    side = 12
    count = (side - 3) // stride + 1
    maps, centers = rng.random((n, count, count)), rng.uniform(0, side, (n, 2))
    one, other = (field_of(maps * k, centers, side, 3, stride) for k in (1, 8))
    np.testing.assert_array_equal(one.mask, other.mask)
    np.testing.assert_array_equal(np.isnan(one.map), np.isnan(other.map))


# ---- the unit's images ---------------------------------------------------------------------------------


def test_of_more_images_those_with_the_highest_peaks_are_taken() -> None:
    images = [torch.full((1, 15, 15), value) for value in (1.0, 5.0, 0.0, 3.0)]
    rf = estimate_rf(box(), "0", 0, images, n_images=2, **ONE_PIXEL)
    assert rf.images.tolist() == [1, 3]
    assert rf.peaks.tolist() == [125, 75]


def test_images_that_leave_the_unit_silent_are_left_out() -> None:
    images = [torch.ones(1, 15, 15), torch.zeros(1, 15, 15)]
    rf = estimate_rf(box(), "0", 0, images, n_images=2, **ONE_PIXEL)
    assert rf.images.tolist() == [0]
    assert rf.asked == 2


def test_a_dead_unit_has_no_field_and_says_why() -> None:
    net = box()
    nn.init.constant_(net[0].weight, -1.0)
    rf = estimate_rf(net, "0", 0, [torch.ones(1, 15, 15)] * 3, n_images=3, **ONE_PIXEL)
    assert math.isnan(rf.size)
    assert np.isnan(rf.interval).all()
    assert np.isnan(rf.map).all()
    assert rf.map.shape == (15, 15)
    assert not rf.mask.any()
    assert rf.evidence.convergence().empty
    assert rf.row["reason"] == "unit 0 of 0 is silent on all images given"
    assert math.isnan(rf.row["size"])


def test_a_unit_that_no_occluder_changes_says_so() -> None:
    rf = field_of(np.zeros((2, 9, 9)), [(4, 4)] * 2, side=9)
    assert math.isnan(rf.size)
    assert "no occluder changes" in rf.reason


def test_fewer_images_than_asked_are_averaged_and_it_is_said() -> None:
    with pytest.warns(UserWarning, match="25 images were wanted and 2 given"):
        rf = estimate_rf(box(), "0", 0, [torch.rand(1, 15, 15) + 1] * 2, **ONE_PIXEL)
    assert len(rf.evidence.maps) == 2


def test_no_image_is_an_error() -> None:
    with pytest.raises(SceneLensError, match="needs images"):
        estimate_rf(box(), "0", 0, [])


def test_places_are_one_for_each_image() -> None:
    with pytest.raises(SceneLensError, match="1 places for 2 images"):
        estimate_rf(box(), "0", 0, [torch.ones(1, 9, 9)] * 2, 2, places=[(0, 0)])


def test_known_places_save_the_search(tiny_network: Network) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (227, 227, 3), dtype=np.uint8) for _ in range(2)]
    with record(tiny_network, "pool2") as acts:
        tiny_network(images)
    unit = int(acts["pool2"].amax((0, 2, 3)).argmax())  # one that is not silent
    searched = estimate_rf(tiny_network, "pool2", unit, images, n_images=2, stride=27)
    given = estimate_rf(tiny_network, "pool2", unit, images, 2, places=searched.places, stride=27)
    assert len(searched.evidence.maps) == 2
    maps = searched.evidence.maps
    np.testing.assert_allclose(maps, given.evidence.maps, atol=1e-5 * maps.max())
    assert (searched.places == given.places).all()
    assert searched.map.shape == (227, 227)
    for image, place, peak in zip(images, searched.places, searched.peaks, strict=True):
        values = responses(tiny_network, "pool2", unit, image)
        assert tuple(place) == np.unravel_index(values.argmax(), values.shape)
        assert peak == pytest.approx(values.max(), rel=1e-5)


def test_a_fully_connected_unit_is_centred_on_the_image(tiny_network: Network) -> None:
    image = np.random.default_rng(0).integers(0, 256, (227, 227, 3), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rf = estimate_rf(tiny_network, "fc8", 1, [image], 1, stride=54)
    assert rf.evidence.centers.tolist() == [[113, 113]]
    assert rf.theoretical.size == 227
    assert rf.size > 0


def test_an_unknown_unit_is_an_error(tiny_network: Network) -> None:
    image = np.zeros((227, 227, 3), np.uint8)
    with pytest.raises(SceneLensError, match="units 0 to 11, not 999"):
        estimate_rf(tiny_network, "pool1", 999, [image], 1)
    with pytest.raises(SceneLensError, match="units 0 to 11, not 999"):
        responses(tiny_network, "pool1", 999, image)


# ---- networks whose units see the whole image, or of which it is not known what they see


class Squeezed(nn.Module):
    """A convolution of 5 x 5 pixels, whose responses are scaled by one number for the whole image."""

    def __init__(self, scale):
        super().__init__()
        self.conv, self.scale, self.last = nn.Conv2d(3, 1, 5, 2, bias=False), scale, nn.Identity()
        nn.init.ones_(self.conv.weight)

    def forward(self, x):
        x = self.conv(x)
        return self.last(nn.functional.avg_pool2d(x * self.scale(x), 1)).mean((2, 3))


def images_of(side: int) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [draw.integers(100, 120, (side, side, 3), dtype=np.uint8) for _ in range(2)]


PATCH = {"occluder": np.zeros((3, 3, 3), np.uint8), "stride": 2}


def test_behind_a_squeeze_the_field_is_measured_and_the_whole_image_is_possible() -> None:
    module = Squeezed(lambda x: 1 + 0 * x.mean((2, 3), keepdim=True))
    network = Network(module, preprocessing=Preprocessing(size=(31, 31)))
    field = estimate_rf(network, "last", 0, images_of(31), 2, **PATCH)
    assert field.theoretical.whole
    assert (field.theoretical.size, field.theoretical.stride, field.theoretical.start) == (31, 2, 2)
    assert 4 <= field.size <= 8  # half of the maximum, of 5 pixels and the occluder's
    same = estimate_rf(network, "conv", 0, images_of(31), 2, **PATCH)
    assert not same.theoretical.whole
    np.testing.assert_allclose(field.map, same.map, atol=1e-5)
    read = EmpiricalRF.unpack(EmpiricalRF.pack([field]))[0][0]
    assert read.theoretical.whole
    assert read.size == pytest.approx(field.size)


def test_where_the_reach_is_not_known_the_field_is_measured_around_evenly_spread_positions() -> None:
    class Sorted(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 1, 4, 4)

        def forward(self, x):
            return self.conv(torch.fft.ifft2(torch.fft.fft2(x)).real).mean((2, 3))

    torch.manual_seed(0)
    network = Network(Sorted(), preprocessing=Preprocessing(size=(32, 32)))
    assert network.layers.rf_size.isna().all()
    field = estimate_rf(network, "conv", 0, images_of(32), 2, **PATCH)
    assert field.theoretical.whole
    assert field.theoretical.center(1, 2) == (5.5, 9.5)
    assert 3 <= field.size <= 8
    middle = np.argwhere(field.mask).mean(0)
    np.testing.assert_allclose(middle, (15.5, 15.5), atol=1.5)


def test_tokens_have_fields_too() -> None:
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch, self.fc, self.head = nn.Conv2d(3, 4, 8, 8), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.fc(self.patch(x).flatten(2).transpose(1, 2)).mean(1))

    network = Network(Tokens(), preprocessing=Preprocessing(size=(32, 32)))
    for weight in network.module.parameters():
        nn.init.ones_(weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        field = estimate_rf(network, "fc", 1, images_of(32), 2, **PATCH)
    assert (field.theoretical.size, field.theoretical.start) == (8, 3.5)
    assert 6 <= field.size <= 12


def test_what_cannot_be_measured_is_refused_before_the_work() -> None:
    class Counted(Squeezed):
        passes = 0

        def forward(self, x):
            Counted.passes += 1
            return super().forward(x)

    module = Counted(lambda x: torch.fft.fft2(x).abs())
    network = Network(module, preprocessing=Preprocessing(size=(31, 31)))
    _ = network.layers
    Counted.passes = 0
    with pytest.raises(SceneLensError, match="no layer named 'lst'"):
        estimate_rf(network, "lst", 0, images_of(31), 2, **PATCH)
    assert Counted.passes == 0
