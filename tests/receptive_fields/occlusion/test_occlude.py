"""Windowed occlusion equals the plain loop, one whole forward pass per occluder, on whatever network we can
think of."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from scenelens.errors import SceneLensError
from scenelens.networks import load_torchvision
from scenelens.networks.network import Network
from scenelens.networks.preprocessing import Preprocessing
from scenelens.receptive_fields.occlusion import occlude, shared
from scenelens.receptive_fields.occlusion.occlude import Occlusion, _noise_occluder, discrepancy_map
from scenelens.receptive_fields.occlusion.records import Discrepancy

models = load_torchvision().models


TOLERANCE = 1e-4  # of the largest response


def both_ways(
    network: nn.Module | Network, layer: str, image, units, places=None, **options
) -> tuple[list, list]:
    occlusion = Occlusion(network, layer, **options)
    return occlusion.of(image, units, places), occlusion.plainly(image, units, places)


def check_equal(fast: list, plain: list) -> None:
    assert len(fast) == len(plain)
    for one, other in zip(fast, plain, strict=True):
        assert one.unit == other.unit
        assert one.place == other.place
        assert one.map.shape == other.map.shape
        scale = max(abs(other.peak), float(np.abs(other.map).max()), 1e-3)
        assert abs(one.peak - other.peak) <= TOLERANCE * scale
        np.testing.assert_allclose(one.map, other.map, rtol=0, atol=TOLERANCE * scale)


# ---- random networks -----------------------------------------------------------------------------------


class Fire(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(n_in, 2, 1)
        self.one, self.three = nn.Conv2d(2, n_out // 2, 1), nn.Conv2d(2, n_out - n_out // 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.squeeze(x))
        return torch.cat([self.one(x).relu(), torch.relu(self.three(x))], 1)


class Residual(nn.Module):
    def __init__(self, n: int, stride: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(n, n, 3, stride, 1, bias=False), nn.BatchNorm2d(n)
        self.second = nn.Conv2d(n, n, 3, 1, 1)
        self.relu = nn.ReLU(inplace=True)
        self.down = nn.Conv2d(n, n, 1, stride) if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.down is None else self.down(x)
        out = self.second(self.relu(self.norm(self.first(x))))
        out += identity
        return self.relu(out)


@dataclass
class Case:
    network: nn.Module
    image: Tensor
    occluder: np.ndarray
    stride: int
    place: tuple[int, int] | None
    layer: str


@st.composite
def layers(draw, n: int) -> tuple[list[nn.Module], int]:
    """Some modules that take n channels, and how many come out."""
    kind = draw(st.sampled_from(["conv", "conv", "conv", "max", "avg", "lrn", "norm", "fire", "residual"]))
    if kind == "conv":
        kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
        stride, dilation = draw(st.tuples(st.integers(1, 3), st.integers(1, 3))), draw(st.integers(1, 2))
        padding = draw(st.tuples(st.integers(0, kernel[0] - 1), st.integers(0, kernel[1] - 1)))
        groups, n_out = (2, 4) if n % 2 == 0 and draw(st.booleans()) else (1, draw(st.integers(1, 6)))
        conv = nn.Conv2d(n, n_out, kernel, stride, padding, dilation, groups, bias=draw(st.booleans()))
        after = draw(st.sampled_from([[], [nn.ReLU()], [nn.ReLU(True)], [nn.PReLU(n_out)], [nn.Sigmoid()]]))
        return [conv, *after], n_out
    if kind in ("max", "avg"):
        kernel, stride, ceil = draw(st.integers(2, 3)), draw(st.integers(1, 3)), draw(st.booleans())
        padding = draw(st.integers(0, kernel // 2))
        if kind == "max":
            return [nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)], n
        return [nn.AvgPool2d(kernel, stride, padding, ceil, draw(st.booleans()))], n
    if kind == "lrn":
        return [
            nn.LocalResponseNorm(draw(st.integers(1, 5)), 0.1, draw(st.sampled_from([0.75, 0.5])), 1.0)
        ], n
    if kind == "fire":
        return [Fire(n, 4)], 4
    return [nn.BatchNorm2d(n) if kind == "norm" else Residual(n, draw(st.integers(1, 2)))], n


@st.composite
def cases(draw) -> Case:
    torch.manual_seed(draw(st.integers(0, 10_000)))
    modules, n = [], 3
    for _ in range(draw(st.integers(1, 5))):
        more, n = draw(layers(n))
        modules += more
    network = nn.Sequential(*modules)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean), nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.weight), nn.init.normal_(module.bias)
    size = draw(st.tuples(st.integers(18, 34), st.integers(18, 34)))
    image = torch.randn(3, *size)
    try:
        with torch.no_grad():
            shape = network.eval()(image[None]).shape
    except RuntimeError:  # the maps have become smaller than a kernel
        shape = (0, 0, 0, 0)
    if 0 in shape:
        network, shape = nn.Sequential(nn.Conv2d(3, 2, 3)), (1, 2, size[0] - 2, size[1] - 2)
    corners = [(0, 0), (0, shape[3] - 1), (shape[2] - 1, 0), (shape[2] - 1, shape[3] - 1)]
    anywhere = st.tuples(st.integers(0, shape[2] - 1), st.integers(0, shape[3] - 1))
    occluder = np.random.default_rng(0).normal(
        size=(*draw(st.tuples(st.integers(1, 9), st.integers(1, 9))), 3)
    )
    place = draw(st.one_of(st.none(), st.sampled_from(corners), anywhere))
    return Case(network, image, occluder, draw(st.integers(1, 6)), place, str(len(network) - 1))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(cases())
def test_equals_the_plain_loop_on_random_networks(case: Case) -> None:
    n = sum(1 for _ in range(1))
    with torch.no_grad():
        n = case.network(case.image[None]).shape[1]
    units = [0, n - 1]
    options = {"occluder": case.occluder, "stride": case.stride}
    check_equal(*both_ways(case.network, case.layer, case.image, units, [case.place] * 2, **options))


# ---- networks people use -------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["conv1", "norm1", "pool2", "conv3", "conv4", "pool5", "fc6", "fc8"])
def test_caffenet(tiny_network: Network, layer: str) -> None:
    image = np.random.default_rng(1).integers(0, 256, (227, 227, 3), dtype=np.uint8)
    height, width = tiny_network.layer_shape(layer)[1:] if layer != "norm1" else (27, 27)
    places = [None, (0, 0), (height - 1, width // 2)]
    check_equal(*both_ways(tiny_network, layer, image, [2, 0, 2], places, stride=27))


@pytest.mark.parametrize(
    ("build", "layers"),
    [
        (models.squeezenet1_1, ["features.3", "features.6", "features.9.squeeze"]),
        (models.resnet18, ["layer1.1", "layer2.0.conv2", "layer3.1"]),
        (models.mobilenet_v3_small, ["features.0", "features.1.block.0"]),
    ],
)
def test_torchvisions_networks(build, layers: list[str]) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build(weights=None).eval()
        image = torch.randn(3, 96, 128)
    for layer in layers:
        options = {"occluder": np.full((11, 7, 3), 0.5), "stride": 13}
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # nothing here may fall back
            check_equal(*both_ways(network, layer, image, [0, 5], [None, (1, 2)], **options))


# ---- exact by hand -------------------------------------------------------------------------------------


def test_a_convolution_by_hand() -> None:
    """One 2x2 convolution with weights 1 2 / 3 4, pixels 1 ... 9, watched at (1, 0), occluder 1x1 of value
    0."""
    net = nn.Sequential(nn.Conv2d(1, 1, 2, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[[[1.0, 2], [3, 4]]]]))
    image = torch.arange(1.0, 10).reshape(1, 3, 3)
    options = {"occluder": np.zeros((1, 1, 1)), "stride": 1}
    found = discrepancy_map(net, "0", 0, image, place=(1, 0), **options)
    # the response is 1*4 + 2*5 + 3*7 + 4*8 = 67; each occluded pixel takes its own term away
    np.testing.assert_array_equal(found, [[0, 0, 0], [4, 10, 0], [21, 32, 0]])
    # without a place it is the peak's, (1, 1): 1*5 + 2*6 + 3*8 + 4*9
    np.testing.assert_array_equal(
        discrepancy_map(net, "0", 0, image, **options), [[0, 0, 0], [0, 5, 12], [0, 24, 36]]
    )


def test_a_maximum_by_hand() -> None:
    net = nn.Sequential(nn.MaxPool2d(2))
    image = torch.tensor([[[5.0, 1, 0, 0], [3, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]])
    found = discrepancy_map(net, "0", 0, image, occluder=np.zeros((1, 1, 1)), stride=1)
    expected = np.zeros((4, 4))
    expected[0, 0] = 2  # without the 5 the maximum is 3; no other pixel matters
    np.testing.assert_array_equal(found, expected)


def test_an_occluder_wider_than_the_stride_covers_its_own_pixels_only() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False))
    nn.init.ones_(net[0].weight)
    found = discrepancy_map(
        net, "0", 0, torch.ones(1, 7, 7), occluder=np.zeros((3, 3, 1)), stride=2, place=(3, 3)
    )
    np.testing.assert_array_equal(found, [[0, 0, 0], [0, 1, 0], [0, 0, 0]])  # occluders at 0, 2, 4


def test_of_equal_peaks_the_first_in_reading_order_counts() -> None:
    assert Discrepancy.peak_places(torch.tensor([[[0.0, 2], [2, 2]], [[1, 1], [1, 1]]])) == [(0, 1), (0, 0)]


# ---- what must not matter ------------------------------------------------------------------------------


def test_neither_batch_size_nor_threads_change_the_result(tiny_network: Network, monkeypatch) -> None:
    image = np.random.default_rng(2).integers(0, 256, (227, 227, 3), dtype=np.uint8)
    expected = discrepancy_map(tiny_network, "conv4", 3, image)
    assert expected.max() > 0
    threads = torch.get_num_threads()
    for floats, n in ((20_000, 1), (1_000_000_000, 3)):
        monkeypatch.setitem(shared._FLOATS, "cpu", floats)
        torch.set_num_threads(n)
        try:
            found = discrepancy_map(tiny_network, "conv4", 3, image)
        finally:
            torch.set_num_threads(threads)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * expected.max())


def test_several_units_at_once_are_each_alone(tiny_network: Network) -> None:
    image = np.random.default_rng(3).integers(0, 256, (227, 227, 3), dtype=np.uint8)
    places = [(1, 2), None, (1, 2), (4, 4)]
    together = Occlusion(tiny_network, "pool5", stride=9).of(image, [7, 7, 30, 7], places)
    for one, place in zip(together, places, strict=True):
        alone = discrepancy_map(tiny_network, "pool5", one.unit, image, stride=9, place=place)
        np.testing.assert_allclose(one.map, alone, atol=1e-5 * max(1, alone.max()))


def test_modes_and_weights_are_left_as_they_were() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.ReLU(), nn.Conv2d(4, 2, 3)
    ).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    discrepancy_map(net, "4", 1, torch.randn(3, 20, 20), occluder=np.zeros((3, 3, 3)))
    assert all(child.training for child in net.modules())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert not any(child._forward_hooks for child in net.modules())


# ---- pictures ------------------------------------------------------------------------------------------


def picture_network(**preprocessing) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        module = nn.Sequential(
            nn.Conv2d(3, 4, 5, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(4, 5, 3, padding=1)
        )
        module = nn.Sequential(module, nn.Flatten(), nn.Linear(5 * 11 * 11, 2))
    return Network(module, "small", ["a", "b"], Preprocessing(size=(50, 50), **preprocessing))


def occluded_by_hand(
    network: Network, layer: str, unit: int, image: np.ndarray, patch: np.ndarray, stride: int
):
    from scenelens.networks.hooks import record

    frame, rows = network.show_input(image), range(0, 50 - len(patch) + 1, stride)
    frames = [frame]
    for top in rows:
        for left in rows:
            frames.append(frame.copy())
            frames[-1][top : top + len(patch), left : left + len(patch)] = patch
    with record(network, layer) as acts:
        network(np.stack(frames), framed=True)
    values = acts[layer][:, unit].numpy()
    place = np.unravel_index(values[0].argmax(), values[0].shape)
    return np.abs(values[1:, *place] - values[0][place]).reshape(len(rows), len(rows))


@pytest.mark.parametrize("mean_image", [False, True])
def test_the_occluder_is_pasted_into_the_picture_before_it_is_prepared(tmp_path, mean_image: bool) -> None:
    """Channel order, scale and a mean image that differs from pixel to pixel, against pasting into the frame
    itself."""
    options = {"mean": (104.0, 117.0, 123.0)}
    rng = np.random.default_rng(5)
    if mean_image:
        np.save(tmp_path / "mean.npy", rng.uniform(80, 150, (3, 50, 50)).astype(np.float32))
        options = {"mean_image": str(tmp_path / "mean.npy")}
    network = picture_network(channels="BGR", white=255.0, std=(2.0, 1.0, 3.0), **options)
    image = rng.integers(0, 256, (70, 90, 3), dtype=np.uint8)
    for patch in (_noise_occluder(7, 9), np.full((9, 9, 3), 128, np.uint8)):
        found = discrepancy_map(network, "0.3", 2, image, occluder=patch, stride=5)
        by_objects = occluded_by_hand(network, "0.3", 2, image, patch, 5)
        np.testing.assert_allclose(found, by_objects, atol=1e-4 * by_objects.max())


def test_the_papers_grid(tiny_network: Network) -> None:
    image = np.full((227, 227, 3), 90, np.uint8)
    image[90:130, 60:100] = 200
    found = discrepancy_map(tiny_network, "pool2", 5, image)
    assert found.shape == (73, 73)
    assert found.dtype == np.float32
    assert (found >= 0).all()
    assert found.max() > 0


def test_the_seed_makes_the_noise() -> None:
    assert np.array_equal(_noise_occluder(3), _noise_occluder(3))
    assert not np.array_equal(_noise_occluder(3), _noise_occluder(4))


# ---- what is not understood, and what is wrong ---------------------------------------------------------


class Fourier(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft2(x).abs()


class Deciding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) if float(x.sum()) > -1e9 else x


@pytest.mark.parametrize(
    ("network", "layer", "text"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), Fourier(), nn.Conv2d(4, 2, 3)), "2", "fft2.*is not understood"),
        (nn.Sequential(Fourier(), nn.Conv2d(3, 2, 3)), "1", "fft2.*is not understood"),
        (Deciding(), "conv", "cannot be followed"),
    ],
)
def test_falls_back_to_whole_passes_and_says_so_once(network: nn.Module, layer: str, text: str) -> None:
    occlude._say_once.cache_clear()
    image, options = torch.randn(3, 16, 18), {"occluder": np.ones((3, 3, 3)), "stride": 4}
    with pytest.warns(UserWarning, match=text):
        fast, plain = both_ways(network, layer, image, [1, 0], **options)
    check_equal(fast, plain)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Occlusion(network, layer, **options).of(image, [0])


def test_padding_that_is_not_zero_is_not_taken_for_zero() -> None:
    occlude._say_once.cache_clear()
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU(), nn.Conv2d(4, 2, 3))
    with pytest.warns(UserWarning, match="Conv2d .* is not understood"):
        check_equal(*both_ways(net, "2", torch.randn(3, 14, 14), [1], [(0, 0)], occluder=np.ones((3, 3, 3))))


@pytest.mark.parametrize(
    ("options", "call", "text"),
    [
        ({"layer": "pol5"}, {}, "close names: pool5"),
        ({}, {"units": [64]}, "units 0 to 31, not 64"),
        ({}, {"units": [-1]}, "not -1"),
        ({}, {"places": [(6, 0)]}, "outside 'pool5'"),
        ({"occluder": np.zeros((228, 11, 3), np.uint8)}, {}, "does not fit into an image of .227, 227."),
        ({"occluder": np.zeros((11, 11), np.uint8)}, {}, "an occluder is an array"),
        ({"occluder": np.zeros((11, 11, 3))}, {}, "uint8"),
        ({"stride": 0}, {}, "at least 1 pixel"),
    ],
)
def test_wrong_input_is_one_sentence(tiny_network: Network, options: dict, call: dict, text: str) -> None:
    image = np.zeros((227, 227, 3), np.uint8)
    with pytest.raises(SceneLensError, match=text):
        Occlusion(tiny_network, **{"layer": "pool5"} | options).of(image, **{"units": [0]} | call)


@pytest.mark.parametrize("before", [False, True])
def test_a_hook_counts(before):
    """The windows know the modules' own steps only, so a network with hooks is run as a whole."""
    torch.manual_seed(0)
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.Flatten(), nn.Linear(2000, 2)
    )
    network = Network(module, preprocessing=Preprocessing(size=(24, 24)))
    places = [(4, 5)] * 2
    once = Occlusion(network, "2", np.full((5, 5, 3), 90, np.uint8), stride=4).of(image, [0, 3], places)
    if before:
        module[2].register_forward_pre_hook(lambda module, inputs: (inputs[0] * 3,))
    else:
        module[2].register_forward_hook(lambda module, inputs, output: output * 3)
    hooked = Occlusion(network, "2", np.full((5, 5, 3), 90, np.uint8), stride=4)
    occlude._say_once.cache_clear()
    with pytest.warns(UserWarning, match="has hooks"):
        found = hooked.of(image, [0, 3], places)
    check_equal(found, hooked.plainly(image, [0, 3], places))
    assert all(
        a.map.shape == b.map.shape and not np.allclose(a.map, b.map) for a, b in zip(once, found, strict=True)
    )
