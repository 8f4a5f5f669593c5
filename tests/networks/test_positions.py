"""Where units and positions lie in what a layer gives, however the network arranges its tensors.

Fields are compared with the support of a gradient, and values with what the layer gives by hand.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.networks import Network, Preprocessing, record, theoretical_rf
from scenelens.networks.layers import _LayerTable
from scenelens.networks.tracing import trace

SIDE = 40
IMAGES = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def conv(*args, **options) -> nn.Conv2d:
    return nn.Conv2d(*args, bias=False, **options)


class Open(nn.Module):
    """A forward function of some layers; all weights are positive, so that no path closes."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.steps = forward
        for name, layer in layers.items():
            self.add_module(name, layer)
        for weight in self.parameters():
            nn.init.uniform_(weight, 0.5, 1)

    def forward(self, x):
        return self.steps(self, x)


def support(net: nn.Module, layer: str, place: tuple[int, int]) -> list[tuple[int, int]]:
    """(first, last) row and column that a position sees, by the gradient."""
    image = torch.ones(1, 3, SIDE, SIDE, requires_grad=True)
    kept = {}
    handle = net.get_submodule(layer).register_forward_hook(lambda m, i, out: kept.update(out=out))
    net(image)
    handle.remove()
    points = trace(net, image)[layer]
    points.layout.of(kept["out"])[0, :, place[0], place[1]].sum().backward()
    seen = image.grad[0].abs().sum(0) > 0
    return [(int(torch.nonzero(one)[0]), int(torch.nonzero(one)[-1])) for one in (seen.any(1), seen.any(0))]


def channels_last(net, x):
    x = net.a(x).permute(0, 2, 3, 1)
    return net.last(net.b((x + 1).permute(0, 3, 1, 2)).permute(0, 2, 3, 1))


def merged_patches(net, x):
    x = net.a(x).permute(0, 2, 3, 1)
    parts = [x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    return net.last(net.norm(torch.cat(parts, -1)))


def merged_by_reshape(net, x):
    x = net.a(x).permute(0, 2, 3, 1)
    n, high, wide, units = x.shape
    x = x.reshape(n, high // 2, 2, wide // 2, 2, units).permute(0, 1, 3, 2, 4, 5).flatten(3)
    return net.last(x)


def patches_by_reshape(net, x):
    x = x.reshape(len(x), 3, 10, 4, 10, 4).permute(0, 2, 4, 1, 3, 5).flatten(3)
    return net.last(x)


EXACT = {
    "padded by a function": Open(
        lambda net, x: net.last(F.pad(net.a(x), (0, 1, 2, 1))), a=conv(3, 2, 3, stride=2), last=conv(2, 2, 3)
    ),
    "padding='same', even": Open(
        lambda net, x: net.last(net.a(x)), a=conv(3, 2, 4, padding="same"), last=conv(2, 2, 2, padding="same")
    ),
    "cropped and joined": Open(
        lambda net, x: net.last(torch.cat([net.a(x)[:, :, 1:-1, 1:-1], net.b(x)], 1)),
        a=conv(3, 2, 3),
        b=conv(3, 2, 5),
        last=conv(4, 2, 3, stride=3),
    ),
    "functional": Open(
        lambda net, x: net.last(F.avg_pool2d(F.conv2d(x, net.a.weight, stride=2, dilation=2), 3, 2, 1)),
        a=conv(3, 2, 3),
        last=conv(2, 2, 1),
    ),
    "gated by its other half": Open(
        lambda net, x: net.last(F.glu(net.a(x), 1)), a=conv(3, 4, 3, stride=2), last=conv(2, 2, 3)
    ),
    "gated, channels last": Open(
        lambda net, x: net.last(F.glu(net.a(x).permute(0, 2, 3, 1))), a=conv(3, 4, 5), last=nn.Linear(2, 3)
    ),
    "pixel unshuffle": Open(
        lambda net, x: net.last(F.pixel_unshuffle(net.a(x), 2)),
        a=conv(3, 2, 3, padding=1),
        last=conv(8, 2, 3),
    ),
    "channels last": Open(channels_last, a=conv(3, 4, 3, stride=2), b=conv(4, 4, 5), last=nn.Linear(4, 5)),
    "patches merged by slices": Open(
        merged_patches, a=conv(3, 4, 4, stride=4), norm=nn.Identity(), last=nn.Linear(16, 5)
    ),
    "patches merged by a reshape": Open(merged_by_reshape, a=conv(3, 4, 4, stride=4), last=nn.Linear(16, 5)),
    "patches by a reshape": Open(patches_by_reshape, last=nn.Linear(48, 5)),
    "adaptive, divisible": Open(
        lambda net, x: net.last(F.adaptive_avg_pool2d(net.a(x), 5)),
        a=conv(3, 2, 4, stride=4),
        last=conv(2, 2, 2),
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_the_field_is_the_gradients_support_whatever_the_arrangement(name):
    net = EXACT[name].eval()
    point = trace(net, IMAGES)["last"]
    field, place = theoretical_rf(net, "last", (SIDE, SIDE)), tuple(n // 2 for n in point.shape[1:])
    seen = support(net, "last", place)
    assert min(seen[0][0], seen[1][0], SIDE - 1 - seen[0][1], SIDE - 1 - seen[1][1]) > 0
    assert [last - first + 1 for first, last in seen] == [field.size] * 2
    assert tuple((first + last) / 2 for first, last in seen) == field.center(*place)


BOUNDS = {  # windows that do not move on evenly: the field contains what is seen
    "transposed": Open(
        lambda net, x: net.last(net.up(net.a(x))),
        a=conv(3, 2, 3, stride=4),
        up=nn.ConvTranspose2d(2, 2, 3, 2, bias=False),
        last=conv(2, 2, 1),
    ),
    "nearest": Open(
        lambda net, x: net.last(F.interpolate(net.a(x), scale_factor=2)),
        a=conv(3, 2, 4, stride=4),
        last=conv(2, 2, 1),
    ),
    "bilinear": Open(
        lambda net, x: net.last(F.interpolate(net.a(x), scale_factor=2, mode="bilinear")),
        a=conv(3, 2, 4, stride=4),
        last=conv(2, 2, 1),
    ),
    "adaptive": Open(
        lambda net, x: net.last(F.adaptive_avg_pool2d(net.a(x), 4)),
        a=conv(3, 2, 4, stride=4),
        last=conv(2, 2, 1),
    ),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_the_field_contains_the_gradients_support(name):
    net = BOUNDS[name].eval()
    field, shape = theoretical_rf(net, "last", (SIDE, SIDE)), trace(net, IMAGES)["last"].shape
    for place in [(y, x) for y in range(1, shape[1] - 1) for x in (1, shape[2] // 2)]:
        for center, (first, last) in zip(field.center(*place), support(net, "last", place), strict=True):
            assert center - field.size / 2 <= first + 0.5
            assert center + field.size / 2 >= last + 0.5
    assert field.size < SIDE


class Gate(nn.Module):
    """Squeeze and excitation behind a convolution."""

    def __init__(self):
        super().__init__()
        self.conv, self.down, self.up = nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)
        self.last = nn.Conv2d(4, 5, 3)

    def forward(self, x):
        x = self.conv(x)
        return self.last(x * torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3), keepdim=True)))))).mean(
            (2, 3)
        )


@pytest.mark.parametrize("act", [
    lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)),
    lambda x: F.group_norm(x, 2),
    lambda x: F.instance_norm(x),
    lambda x: F.layer_norm(x, x.shape[1:]),
    lambda x: x * x.flatten(2).softmax(-1).view_as(x),
    lambda x: x + F.adaptive_avg_pool2d(x, 1),
    lambda x: x * x.mean(3, keepdim=True).sigmoid() * x.mean(2, keepdim=True).sigmoid(),
    lambda x: torch.cat([x, x.mean((2, 3), keepdim=True).expand_as(x)], 1)[:, ::2],
])  # fmt: skip
def test_behind_a_global_branch_a_unit_sees_the_whole_image_and_keeps_its_place(act):
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2), Open(lambda _, x: act(x)), nn.Conv2d(4, 5, 3, 2)).eval()
    field = theoretical_rf(net, "2", (SIDE, SIDE))
    assert field.whole
    assert (field.size, field.stride, field.start) == (SIDE, 4, 3)
    assert field.box(1, 1, (SIDE, SIDE)) is None
    assert not theoretical_rf(net, "0", (SIDE, SIDE)).whole


def test_a_squeezed_networks_table_says_the_whole_image():
    network = Network(Gate(), preprocessing=Preprocessing(size=(SIDE, SIDE)))
    table = network.layers.set_index("layer")
    assert table.rf_size.tolist() == [3, SIDE, SIDE, SIDE]
    assert network.field("last").whole
    assert network.grid("last") == ((3, 3), (2, 2))
    assert network.field("down") is None  # one value for the whole image


class Tokens(nn.Module):
    """A small transformer with tokens that are no positions before or behind those of the patches."""

    def __init__(self, n=1, first=True, batch_first=True):
        super().__init__()
        self.patch, self.n, self.first, self.batch_first = nn.Conv2d(3, 6, 8, 8), n, first, batch_first
        self.extra, self.place = nn.Parameter(torch.randn(1, n, 6)), nn.Parameter(torch.randn(1, 25, 6))
        self.fc1, self.fc2, self.norm = nn.Linear(6, 12), nn.Linear(12, 6), nn.LayerNorm(6)
        self.block = nn.TransformerEncoderLayer(6, 2, 8, batch_first=batch_first)
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2) + self.place
        extra = self.extra.expand(len(x), -1, -1)
        x = torch.cat([extra, x] if self.first else [x, extra], 1)
        x = x + self.fc2(F.gelu(self.fc1(self.norm(x))))
        x = self.block(x) if self.batch_first else self.block(x.transpose(0, 1)).transpose(0, 1)
        return self.head(x.mean(1))


@torch.no_grad()
@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_tokens_are_positions_and_class_tokens_are_left_out(n, first, batch_first):
    net = Tokens(n, first, batch_first).eval()
    with record(net, ["patch", "fc1", "block", "head"], stop=False) as acts:
        logits = net(IMAGES)
    tokens = net.patch(IMAGES).flatten(2).transpose(1, 2) + net.place
    by_hand = F.gelu(net.fc1(net.norm(tokens)))
    assert torch.allclose(acts["fc1"], by_hand.transpose(1, 2).unflatten(2, (5, 5)), atol=1e-6)
    assert acts["block"].shape == (3, 6, 5, 5)
    assert torch.equal(acts["head"], logits)
    table = _LayerTable.find(net, trace(net, IMAGES)).set_index("layer")
    assert table.loc["fc1", ["units", "map"]].tolist() == [12, (5, 5)]
    assert table.loc["head", "map"] == (1, 1)
    assert _LayerTable.deepest_map(table.reset_index()) == "block"
    assert theoretical_rf(net, "fc1", (SIDE, SIDE)).size == 8
    assert theoretical_rf(net, "block", (SIDE, SIDE)).whole


@torch.no_grad()
def test_channels_last_values_are_moved_first():
    net = EXACT["channels last"].eval()
    with record(net, ["b", "last"]) as acts:
        net(IMAGES)
    assert acts["b"].shape == (3, 4, 15, 15)
    assert torch.equal(acts["last"], net(IMAGES).permute(0, 3, 1, 2))


def test_what_is_not_one_value_per_unit_and_position_is_refused_in_a_sentence():
    def windows(net, x):
        x = net.a(x).reshape(len(x), 4, 2, 5, 2, 5).permute(0, 2, 4, 3, 5, 1).reshape(-1, 25, 4)
        heads = net.heads(net.fc(x).reshape(len(x), 25, 2, 2))
        x = heads.reshape(-1, 2, 2, 5, 5, 4).permute(0, 1, 3, 2, 4, 5).reshape(-1, 10, 10, 4)
        return net.back(x).mean((1, 2))

    net = Open(
        windows, a=conv(3, 4, 4, stride=4), fc=nn.Linear(4, 4), heads=nn.Identity(), back=nn.Linear(4, 3)
    )
    network = Network(net, preprocessing=Preprocessing(size=(SIDE, SIDE)))
    assert list(network.layers.layer) == ["a", "back"]
    assert network.layers["map"].tolist() == [(10, 10)] * 2
    with record(network, "fc"), pytest.raises(SceneLensError, match=r"'fc' is not read: .*unit and position"):
        network(IMAGES)
    with pytest.raises(SceneLensError, match="not read"):
        network.layer_shape("heads")


def test_a_token_mixing_layer_is_refused_and_the_block_around_it_is_read():
    class Mixer(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix, self.back, self.fc = nn.Linear(25, 7), nn.Linear(7, 25), nn.Linear(6, 6)

        def forward(self, x):
            x = x + self.back(self.mix(x.transpose(1, 2)).relu()).transpose(1, 2)
            return x + self.fc(x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch, self.mixer, self.head = nn.Conv2d(3, 6, 8, 8), Mixer(), nn.Linear(6, 2)

        def forward(self, x):
            return self.head(self.mixer(self.patch(x).flatten(2).transpose(1, 2)).mean(1))

    network = Network(Net(), preprocessing=Preprocessing(size=(SIDE, SIDE)))
    table = network.layers.set_index("layer")
    assert "mixer.mix" not in table.index
    assert table.loc["mixer", ["units", "map"]].tolist() == [6, (5, 5)]
    assert network.field("mixer").whole
    assert network.deepest_map() == "mixer"


STEPS = {  # of a random network; each takes the network, its kth convolution and two channels
    "conv": lambda net, m, x: m(x),
    "pool": lambda net, m, x: F.avg_pool2d(x, 3, padding=1, ceil_mode=True),
    "pad": lambda net, m, x: m(F.pad(x, (1, 1, 0, 2))),
    "crop": lambda net, m, x: m(x[:, :, 1:, 1:-1]),
    "channels last": lambda net, m, x: m(net.mix(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)),
    "residual": lambda net, m, x: m(x + F.avg_pool2d(x, 3, 1, 1)),
    "concatenation": lambda net, m, x: m(torch.cat([x, F.avg_pool2d(x, 3, 1, 1)], 1)[:, ::2]),
    "flat and back": lambda net, m, x: m(
        x.flatten(2).transpose(1, 2).contiguous().transpose(1, 2).view_as(x)
    ),
    "split": lambda net, m, x: m(torch.cat(x.split(1, 1)[::-1], 1)),
}


def test_random_networks_see_what_the_gradient_says():
    compared = 0
    for seed in range(60):
        draw = torch.Generator().manual_seed(seed)

        def pick(*options, draw=draw):
            return options[int(torch.randint(len(options), (), generator=draw))]

        names = [pick(*STEPS) for _ in range(pick(1, 2, 3))]
        layers = {
            f"c{k}": conv(2, 2, pick(1, 2, 3), stride=pick(1, 2), padding=pick(0, 1), dilation=pick(1, 2))
            for k in range(len(names))
        }

        def forward(net, x, names=names):
            x = net.first(x)
            for k, name in enumerate(names):
                x = STEPS[name](net, getattr(net, f"c{k}"), x)
            return net.last(x)

        mix = nn.Linear(2, 2, bias=False)
        net = Open(
            forward, first=conv(3, 2, 3, stride=pick(1, 2)), last=conv(2, 2, 1), mix=mix, **layers
        ).eval()
        field = theoretical_rf(net, "last", (SIDE, SIDE))
        place = tuple(n // 2 for n in trace(net, IMAGES)["last"].shape[1:])
        sizes = field.size if isinstance(field.size, tuple) else (field.size,) * 2
        for side, center, (first, last) in zip(
            sizes, field.center(*place), support(net, "last", place), strict=True
        ):
            low, high = center - (side - 1) / 2, center + (side - 1) / 2
            assert low <= first <= last <= high, (seed, names)
            if (
                low > 0
            ):  # inside the image; at the other end padding may stand in for pixels that strides miss
                assert low == first, (seed, names)
                compared += 1
    assert compared > 40
