import numpy as np
import pytest
import torch
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.hooks import record, responses, unit_maps
from scenelens.networks.network import Network
from scenelens.networks.preprocessing import Preprocessing


class Counter(nn.Module):
    """Counts how often it runs."""

    def __init__(self):
        super().__init__()
        self.n = 0

    def forward(self, x):
        self.n += 1
        return x


def _net() -> nn.Sequential:
    torch.manual_seed(0)
    conv, head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)
    return nn.Sequential(
        conv, nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2), head, Counter()
    ).eval()


IMAGES = torch.randn(5, 3, 12, 12)


def _hooks_on(module: nn.Module) -> int:
    return sum(len(one._forward_hooks) + len(one._forward_pre_hooks) for one in module.modules())


@torch.no_grad()
def test_a_convolution_is_read_behind_its_activation():
    net = _net()
    with record(net, ["0", "4"]) as acts:
        net(IMAGES)
    rectified = net[:3](IMAGES)
    assert torch.equal(acts["0"], rectified)  # though the ReLU works in place
    assert torch.equal(acts["4"], net[:5](IMAGES))  # nothing follows: raw


def test_values_are_detached_copies():
    net = _net()
    with record(net, "3") as acts:
        net(IMAGES)
    first = acts["3"]
    assert not first.requires_grad
    kept = first.clone()
    with record(net, "3") as again:
        net(IMAGES * 2)
    assert torch.equal(first, kept)
    assert not torch.equal(again["3"], first)


@torch.no_grad()
def test_the_pass_stops_behind_the_deepest_layer_and_only_inside_the_block():
    net = _net()
    with record(net, ["3"]) as acts:
        assert net(IMAGES) is None
        assert net[5].n == 0  # this pass did not run it, and of the trace nothing shows
    assert acts["3"].shape == (5, 4, 5, 5)
    assert net(IMAGES) is not None
    assert net[5].n == 1


@torch.no_grad()
def test_a_nested_record_does_not_cut_the_outer_one_short():
    net = _net()
    with record(net, "4") as outer:
        with record(net, "0") as inner:
            net(IMAGES)
        assert inner["0"].shape[1] == 4
        assert outer["4"].shape[1] == 2
        net(IMAGES * 0)
        assert torch.equal(outer["4"], net[:5](IMAGES * 0))


def test_hooks_go_whatever_happens():
    net = _net()
    with pytest.raises(RuntimeError), record(net, ["0"]):
        net(torch.zeros(1, 7, 12, 12))  # seven channels do not fit
    with pytest.raises(ZeroDivisionError), record(net, ["0"]):
        net(IMAGES * (1 / 0))
    assert _hooks_on(net) == 0
    assert "forward" not in net.__dict__
    assert net(IMAGES).shape == (5, 2, 3, 3)


def test_an_addition_in_place_is_no_activation():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu = nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.conv(x)
            y += x
            return self.relu(y)

    net = Residual().eval()
    with torch.no_grad(), record(net, ["conv", "relu"]) as acts:
        net(IMAGES)
        assert torch.equal(acts["conv"], net.conv(IMAGES))
        assert torch.equal(acts["relu"], (net.conv(IMAGES) + IMAGES).relu())


def test_keep_takes_the_place_of_the_copy():
    net = _net()
    with (
        torch.no_grad(),
        record(net, ["0", "3"], keep=lambda layer, value: (layer, value.amax((2, 3)))) as acts,
    ):
        net(IMAGES)
        assert acts["3"][0] == "3"
        assert torch.equal(acts["3"][1], net[:4](IMAGES).amax((2, 3)))


def test_unknown_and_missing_layers():
    net = nn.Sequential()
    net.add_module("pool5", nn.MaxPool2d(2))
    with (
        pytest.raises(SceneLensError, match=r"no layer named 'pol5'; close names: pool5"),
        record(net, "pol5"),
    ):
        pass
    with pytest.raises(SceneLensError, match="at least one"), record(net, []):
        pass
    with record(net, "pool5") as acts, pytest.raises(SceneLensError, match="nothing is recorded for 'pool5'"):
        _ = acts["pool5"]


def test_a_layer_that_gives_no_tensor():
    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    net = nn.Sequential(Pair())
    with pytest.raises(SceneLensError, match="gives no tensor"), record(net, "0"):
        net(IMAGES)
    assert _hooks_on(net) == 0


def test_a_network_is_recorded_by_the_papers_names(tiny_network):
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3), dtype=np.uint8)
    with record(tiny_network, ["conv5", "pool5", "fc7"]) as acts:
        assert tiny_network(images) is None
    assert acts["pool5"].shape == (2, 32, 6, 6)
    assert torch.equal(torch.nn.functional.max_pool2d(acts["conv5"], 3, 2), acts["pool5"])
    assert acts["fc7"].shape == (2, 16)
    assert acts["fc7"].min() >= 0
    with (
        pytest.raises(SceneLensError, match=r"close names: pool5.*See network.layers"),
        record(tiny_network, "pol5"),
    ):
        pass


@torch.no_grad()
def test_a_pass_that_is_not_stopped_returns_its_logits():
    net = _net()
    with record(net, "0", stop=False) as acts:
        logits = net(IMAGES)
        assert acts["0"].shape == (5, 4, 10, 10)
    assert torch.equal(logits, net(IMAGES))
    assert _hooks_on(net) == 0


@torch.no_grad()
def test_images_of_another_size_are_traced_anew():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch, self.fc = nn.Conv2d(3, 4, 4, 4), nn.Linear(4, 5)

        def forward(self, x):
            return self.fc(self.patch(x).flatten(2).transpose(1, 2)).mean(1)

    net = Tokens().eval()
    with record(net, "fc") as acts:
        for side in (8, 12, 8):
            net(torch.zeros(2, 3, side, side))
            assert acts["fc"].shape == (2, 5, side // 4, side // 4)


# ---- one unit's maps


def test_one_units_maps_are_those_of_the_whole_layer():
    network = Network(CaffeNet(3, width=1 / 8, fc=16))
    frames = np.random.default_rng(0).integers(0, 256, (34, 227, 227, 3), dtype=np.uint8)
    with record(network, "pool2") as acts:
        network(frames, framed=True)
    maps = unit_maps(network, "pool2", 5, list(frames))  # in two batches
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, acts["pool2"][:, 5], atol=1e-5)
    np.testing.assert_allclose(maps[3], responses(network, "pool2", 5, frames[3]), atol=1e-5)
    assert unit_maps(network, "fc7", 0, frames[:2]).shape == (2, 1, 1)
    assert len(unit_maps(network, "pool2", 5, [])) == 0


# ---- unusual passes


class Pieces(nn.Module):
    """Its convolution runs on pieces of the batch."""

    def __init__(self, size):
        super().__init__()
        self.size, self.conv, self.fc = size, nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x):
        maps = torch.cat([self.conv(one) for one in x.split(self.size)])
        return self.fc(maps.relu().mean((2, 3)))


@pytest.mark.parametrize("size", [1, 2])
def test_a_layer_that_gets_a_piece_of_the_batch_is_refused_in_one_sentence(size):
    net = Pieces(size).eval()
    with record(net, "conv") as acts:
        net(torch.ones(1, 3, 8, 8))
        assert acts["conv"].shape == (1, 4, 6, 6)
        with pytest.raises(SceneLensError, match=f"'conv' gives {size} rows for 5 images"):
            net(torch.ones(5, 3, 8, 8))
    with record(net, "fc") as acts:
        net(torch.ones(5, 3, 8, 8))
    assert acts["fc"].shape == (5, 2)


class Merged(nn.Module):
    """Tokens of all images stand in one long list for a while."""

    def __init__(self, windows):
        super().__init__()
        self.windows = windows
        self.conv, self.inner, self.fc = nn.Conv2d(3, 4, 4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        tokens = self.conv(x).flatten(2).transpose(1, 2)
        rows = tokens.reshape(-1, 4, 4) if self.windows else tokens.reshape(-1, 4)
        return self.fc(self.inner(rows).reshape(tokens.shape)).mean(1)


@pytest.mark.parametrize("windows", [False, True])
def test_tokens_that_count_as_images_are_refused_and_found_again_behind(windows):
    net = Merged(windows).eval()
    refused = pytest.raises(SceneLensError, match="not one number for each image, unit and position")
    with refused, record(net, "inner"):
        net(torch.ones(1, 3, 16, 16))
    x = torch.rand(3, 3, 16, 16)
    with record(net, "fc") as acts:
        net(x)
    inner = net.inner(net.conv(x).permute(0, 2, 3, 1))
    torch.testing.assert_close(acts["fc"], net.fc(inner).permute(0, 3, 1, 2))
    assert list(Network(net, preprocessing=Preprocessing(size=(16, 16))).layers.layer) == ["conv", "fc"]


class Inside(nn.Module):
    """A convolution inside a context of torch."""

    def __init__(self, context):
        super().__init__()
        self.context, self.conv = context, nn.Conv2d(3, 4, 3)

    def forward(self, x):
        with self.context():
            return self.conv(x).relu()


@pytest.mark.parametrize("context", [torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)])
def test_layers_inside_contexts_of_torch_are_recorded_in_single_precision(context):
    net, x = nn.Sequential(Inside(context), nn.AdaptiveAvgPool2d(1)).eval(), torch.rand(2, 3, 8, 8)
    with record(net, "0.conv") as acts, torch.no_grad():
        net(x)
        expected = net[0](x)
    assert acts["0.conv"].dtype == torch.float32
    assert responses(net, "0.conv", 1, x[0]).dtype == np.float32
    assert torch.equal(acts["0.conv"], expected.float())
