"""What follows a layer, run alone: equal to whole passes, or refused."""

import pytest
import torch
from torch import nn

from scenelens.networks import (
    CaffeNet,
    Network,
    Preprocessing,
    Untraceable,
    ablate,
    load_torchvision,
    record,
    run_rest,
)

SIZE = Preprocessing(size=(64, 64))


def _seeded(make, **how):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return Network(make(), "scene", **how)


def _check(network, layer, unit=1):
    """The rest gives the whole network's logits, also with a unit changed; the values stay as they are."""
    images = torch.randn(3, 3, *network.input_size, generator=torch.Generator().manual_seed(0))
    with record(network, layer, stop=False) as acts:
        logits = network(images)
    values = acts[layer].clone()
    torch.testing.assert_close(run_rest(network, layer, values), logits)
    assert torch.equal(values, acts[layer])
    with ablate(network, layer, unit, 0.3):
        wanted = network(images)
    values[:, unit] = 0.3
    torch.testing.assert_close(run_rest(network, layer, values), wanted)


@pytest.mark.parametrize("layer", ["conv1", "pool2", "conv5", "pool5", "fc6", "fc8"])
def test_the_rest_of_the_papers_network(layer):
    _check(_seeded(lambda: CaffeNet(4, width=1 / 8, fc=16)), layer)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("squeezenet1_1", "features.12"),
        ("resnet18", "layer4.1"),
        ("resnet18", "layer3.0"),
        ("vgg11", "features.15"),
        ("mobilenet_v3_small", "features.8"),
        ("densenet121", "features.denseblock4"),
    ],
)
def test_the_rest_of_torchvisions_networks(name, layer):
    network = _seeded(lambda: getattr(load_torchvision().models, name)(num_classes=4), preprocessing=SIZE)
    if layer not in list(network.layers.layer):
        layer = network.deepest_map()
    _check(network, layer)


class Past(nn.Module):
    """A layer past which the image goes on by itself; and numbers that are drawn behind it."""

    def __init__(self, noise=False):
        super().__init__()
        self.conv, self.noise = nn.Conv2d(3, 3, 3, padding=1), noise

    def forward(self, x):
        y = self.conv(x)
        return nn.functional.dropout(y, training=True).mean((2, 3)) if self.noise else (y + x).mean((2, 3))


def test_a_way_past_the_layer_is_refused():
    with pytest.raises(Untraceable, match="also reads the image by a way past it"):
        run_rest(_seeded(Past, preprocessing=SIZE), "conv", torch.zeros(1, 3, 64, 64))


def test_random_numbers_behind_the_layer_are_refused():
    network = _seeded(lambda: Past(noise=True), preprocessing=SIZE)
    with pytest.raises(Untraceable, match="draws random numbers"):
        run_rest(network, "conv", torch.zeros(1, 3, 64, 64))


def test_hooks_are_refused():
    network = _seeded(lambda: CaffeNet(4, width=1 / 8, fc=16))
    values = torch.zeros(1, 32, 6, 6)
    with ablate(network, "fc7", [0]), pytest.raises(Untraceable, match="hooks change"):
        run_rest(network, "pool5", values)
    assert run_rest(network, "pool5", values).shape == (1, 4)
