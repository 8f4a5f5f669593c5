"""What follows a layer, run alone: equal to whole passes, or refused."""

import pytest
import torch
from torch import nn

from scenelens.networks import (
    CaffeNet,
    Network,
    Preprocessing,
    Rest,
    Untraceable,
    ablate,
    load_torchvision,
    record,
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
    torch.testing.assert_close(Rest(network, layer)(values), logits)
    assert torch.equal(values, acts[layer])
    with ablate(network, layer, unit, 0.3):
        wanted = network(images)
    values[:, unit] = 0.3
    torch.testing.assert_close(Rest(network, layer)(values), wanted)
    return _check_changed(network, layer, acts[layer], unit, wanted)


def _check_changed(network, layer, before, unit, wanted):
    """A change that is added to the first linear step gives the same; whether there is one."""
    rest = Rest(network, layer)
    begun = rest.begin(before)
    if begun is None:
        return False
    kept, units = begun.clone(), [unit, 0]
    difference = torch.stack([0.3 - before[:, unit], torch.zeros_like(before[:, 0])], 1)
    found = rest.changed(begun, units, difference)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert torch.equal(begun, kept)
    return True


@pytest.mark.parametrize(
    ("layer", "linear"),
    [("conv1", False), ("pool2", False), ("conv5", False), ("pool5", True), ("fc6", True), ("fc8", False)],
)
def test_the_rest_of_the_papers_network(layer, linear):
    assert _check(_seeded(lambda: CaffeNet(4, width=1 / 8, fc=16)), layer) == linear


@pytest.mark.parametrize(
    ("name", "layer", "linear"),
    [
        ("squeezenet1_1", "features.12", True),
        ("resnet18", "layer4.1", False),  # an average comes first
        ("resnet18", "layer3.0", False),  # two ways lead on
        ("vgg11", "features.15", True),
        ("mobilenet_v3_small", "features.8", True),
        ("densenet121", "features.denseblock4", False),
    ],
)
def test_the_rest_of_torchvisions_networks(name, layer, linear):
    network = _seeded(lambda: getattr(load_torchvision().models, name)(num_classes=4), preprocessing=SIZE)
    if layer not in list(network.layers.layer):
        layer = network.deepest_map()
    assert _check(network, layer) == linear


class Rows(nn.Module):
    """A map that is written in rows in some way before it is weighed."""

    def __init__(self, write, weigh, axes):
        super().__init__()
        self.conv, self.write, self.weigh, self.axes = nn.Conv2d(3, 4, 3, stride=32), write, weigh, axes

    def forward(self, x):
        found = self.weigh(self.write(self.conv(x)))
        return found.mean(self.axes) if self.axes else found


@pytest.mark.parametrize(
    ("write", "weigh", "axes", "linear"),
    [
        (lambda x: torch.flatten(x, 1), lambda: nn.Linear(16, 5), (), True),
        (lambda x: x.view(-1, 16), lambda: nn.Linear(16, 5), (), True),
        (lambda x: torch.flatten(x.mean((2, 3)), 1), lambda: nn.Linear(4, 5), (), False),
        (lambda x: torch.flatten(x, 2), lambda: nn.Linear(4, 5), 1, False),  # over the positions of a unit
        (lambda x: x, lambda: nn.Linear(2, 5), (1, 2), False),  # over the columns
        (lambda x: x, lambda: nn.Conv2d(4, 6, 2, padding=1), (2, 3), True),
        (lambda x: x, lambda: nn.Conv2d(4, 6, 2, padding=1, padding_mode="circular"), (2, 3), False),
        (lambda x: x, lambda: nn.Conv2d(4, 6, 2, groups=2), (2, 3), False),
        (lambda x: nn.functional.max_pool2d(x, 1), lambda: nn.Conv2d(4, 6, 2), (2, 3), False),
    ],
    ids=["rows", "view", "means", "positions", "columns", "window", "circular", "groups", "pooling"],
)
def test_the_first_step_is_linear_in_units_or_is_not_taken_for_it(write, weigh, axes, linear):
    assert _check(_seeded(lambda: Rows(write, weigh(), axes), preprocessing=SIZE), "conv") == linear


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
        Rest(_seeded(Past, preprocessing=SIZE), "conv")(torch.zeros(1, 3, 64, 64))


def test_random_numbers_behind_the_layer_are_refused():
    network = _seeded(lambda: Past(noise=True), preprocessing=SIZE)
    with pytest.raises(Untraceable, match="draws random numbers"):
        Rest(network, "conv")(torch.zeros(1, 3, 64, 64))


def test_hooks_are_refused():
    network = _seeded(lambda: CaffeNet(4, width=1 / 8, fc=16))
    values = torch.zeros(1, 32, 6, 6)
    with ablate(network, "fc7", [0]), pytest.raises(Untraceable, match="hooks change"):
        Rest(network, "pool5")(values)
    assert Rest(network, "pool5")(values).shape == (1, 4)
