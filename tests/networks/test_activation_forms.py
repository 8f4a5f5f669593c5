"""A layer is read behind its activation function, in whatever form this is written."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from scenelens.networks.hooks import record
from scenelens.networks.layers import _LayerTable
from scenelens.networks.tracing import trace

IMAGES = torch.randn(3, 3, 12, 12, generator=torch.Generator().manual_seed(0))


class Swish(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Sigmoid()

    def forward(self, x):
        return x * self.gate(x)


def _rounded_relu(x):
    return F.relu((x * 8).round() / 8)


def _half_relu(x):
    return F.relu(x).bfloat16().float()


FORMS = {  # each way of writing it, and the function itself
    "relu": (nn.ReLU(), F.relu),
    "relu, module in place": (nn.ReLU(inplace=True), F.relu),
    "F.relu": (lambda x: F.relu(x), F.relu),
    "F.relu in place": (lambda x: F.relu(x, inplace=True), F.relu),
    "torch.relu_": (torch.relu_, F.relu),
    "x.relu()": (lambda x: x.relu(), F.relu),
    "x.relu_()": (lambda x: x.relu_(), F.relu),
    "x.clamp": (lambda x: x.clamp(min=0), F.relu),
    "x.clamp_": (lambda x: x.clamp_(min=0), F.relu),
    "x.clip": (lambda x: x.clip(0), F.relu),
    "maximum": (lambda x: torch.maximum(x, torch.zeros(())), F.relu),
    "max with zeros_like": (lambda x: torch.max(x, torch.zeros_like(x)), F.relu),
    "where": (lambda x: torch.where(x > 0, x, 0.0), F.relu),
    "mask": (lambda x: x * (x > 0), F.relu),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.2), nn.LeakyReLU(0.2)),
    "leaky_relu_": (lambda x: F.leaky_relu_(x, 0.2), nn.LeakyReLU(0.2)),
    "gelu": (F.gelu, nn.GELU()),
    "gelu by hand": (lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))), nn.GELU()),
    "silu": (F.silu, nn.SiLU()),
    "silu in place": (lambda x: F.silu(x, inplace=True), nn.SiLU()),
    "silu by hand": (lambda x: x * x.sigmoid(), nn.SiLU()),
    "silu by a module of its own": (Swish(), nn.SiLU()),
    "hardswish": (F.hardswish, nn.Hardswish()),
    "hardswish by hand": (lambda x: x * F.relu6(x + 3) / 6, nn.Hardswish()),
    "mish by hand": (lambda x: x * torch.tanh(F.softplus(x)), nn.Mish()),
    "relu6": (F.relu6, nn.ReLU6()),
    "elu": (F.elu, nn.ELU()),
    "selu": (F.selu, nn.SELU()),
    "tanh": (torch.tanh, nn.Tanh()),
    "hardtanh": (F.hardtanh, nn.Hardtanh()),
    "softplus by hand": (lambda x: torch.log(1 + torch.exp(x)), nn.Softplus()),
    "softplus by log1p": (lambda x: torch.log1p(x.exp()), nn.Softplus()),
    "sigmoid by hand": (lambda x: 1 / (1 + torch.exp(-x)), nn.Sigmoid()),
    "relu behind a look for NaN": (lambda x: x if bool((x != x).any()) else F.relu(x), F.relu),
    "relu behind nan_to_num": (lambda x: F.relu(torch.nan_to_num(x)), F.relu),
    "relu of rounded numbers by a line": (lambda x: F.relu((x * 8).round() / 8), _rounded_relu),
    "relu in half precision by a cast": (lambda x: F.relu(x.bfloat16()).float(), _half_relu),
    "threshold": (lambda x: F.threshold(x, 0.3, 0.0), nn.Threshold(0.3, 0.0)),
}


class Net(nn.Module):
    """Two convolutions, the first with a norm, with one activation function, and a pool used twice."""

    def __init__(self, act):
        super().__init__()
        self.conv1, self.bn, self.conv2 = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 5, 3, padding=1)
        self.pool, self.fc, self.act = nn.MaxPool2d(2), nn.Linear(20, 3), act

    def forward(self, x):
        x = self.pool(self.act(self.bn(self.conv1(x))))
        return self.fc(self.pool(self.act(self.conv2(x))).flatten(1))


def net_with(act) -> Net:
    torch.manual_seed(1)
    net = Net(act).eval()
    nn.init.normal_(net.bn.running_mean)
    nn.init.uniform_(net.bn.weight, 0.5, 2)
    return net


@torch.no_grad()
@pytest.mark.parametrize("form", FORMS)
def test_the_same_network_written_either_way_gives_the_same_layers_and_values(form):
    act, function = FORMS[form]
    net = net_with(act)
    table = _LayerTable.find(net, trace(net, IMAGES))
    assert list(table.layer) == ["conv1", "pool", "conv2", "pool#2", "fc"]
    assert table["map"].tolist() == [(10, 10), (5, 5), (5, 5), (2, 2), (1, 1)]
    first = function(net.bn(net.conv1(IMAGES)))
    second = function(net.conv2(net.pool(first)))
    with record(net, list(table.layer), stop=False) as acts:
        logits = net(IMAGES)
    close = torch.allclose if "by" in form else torch.equal
    assert close(acts["conv1"], first)
    assert close(acts["conv2"], second) or torch.allclose(acts["conv2"], second, atol=1e-6)
    assert torch.equal(acts["pool#2"], net.pool(acts["conv2"]))
    assert torch.equal(acts["fc"], logits)
    assert torch.equal(logits, net(IMAGES))


@torch.no_grad()
def test_a_parameter_of_the_activation_is_the_live_one():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.slope = nn.Conv2d(3, 4, 3), nn.Parameter(torch.full((4,), 0.1))

        def forward(self, x):
            return F.prelu(self.conv(x), self.slope).mean((2, 3))

    net = Net().eval()
    with record(net, "conv") as acts:
        net(IMAGES)
        before = acts["conv"]
        net.slope.fill_(0.7)
        net(IMAGES)
        assert torch.equal(acts["conv"], F.prelu(net.conv(IMAGES), net.slope))
        assert not torch.equal(acts["conv"], before)


@torch.no_grad()
def test_a_norm_wrapped_with_its_convolution_and_a_function_behind_it():
    class ConvNorm(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def forward(self, x):
            return self.bn(self.conv(x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = ConvNorm()

        def forward(self, x):
            return F.relu(self.stem(x)).mean((2, 3))

    net = Net().eval()
    nn.init.normal_(net.stem.bn.running_mean)
    assert list(_LayerTable.find(net, trace(net, IMAGES)).layer) == ["stem"]
    with record(net, ["stem", "stem.conv"]) as acts:
        net(IMAGES)
    assert torch.equal(acts["stem"], F.relu(net.stem(IMAGES)))
    assert torch.equal(acts["stem.conv"], acts["stem"])


class _After(nn.Module):
    def __init__(self, after):
        super().__init__()
        self.conv, self.after = nn.Conv2d(3, 3, 3, padding=1), after

    def forward(self, x):
        return self.after(self.conv(x), x).mean((2, 3))


@torch.no_grad()
@pytest.mark.parametrize("after", [
    lambda y, x: F.relu(y + x),  # a residual
    lambda y, x: y.add_(x).relu_(),
    lambda y, x: y * torch.sigmoid(x),  # a gate from elsewhere
    lambda y, x: F.local_response_norm(y, 3),
    lambda y, x: F.relu(F.dropout(y)),  # random in every pass
    lambda y, x: F.relu(F.group_norm(y, 3)),
    lambda y, x: F.max_pool2d(y, 2).relu(),
    lambda y, x: x * (y > 0),  # it only decides about something else
    lambda y, x: torch.where(y > 0, x, -x),
    lambda y, x: 2 * y + 1,  # a straight line
])  # fmt: skip
def test_what_is_no_activation_of_the_layer_alone_does_not_belong_to_it(after):
    net = _After(after).eval()
    with record(net, "conv") as acts:
        net(IMAGES)
    assert torch.equal(acts["conv"], net.conv(IMAGES))


@torch.no_grad()
def test_random_chains_are_read_as_computed_by_hand():
    names = list(FORMS)
    for seed in range(25):
        draw = torch.Generator().manual_seed(seed)

        def pick(n, draw=draw):
            return int(torch.randint(n, (), generator=draw))

        acts = [FORMS[names[pick(len(names))]] for _ in range(3)]
        convs = [nn.Conv2d(3, 3, 1 + 2 * pick(2), padding=pick(2)) for _ in acts]
        norms = [nn.BatchNorm2d(3) if pick(2) else nn.Identity() for _ in acts]

        class Chain(nn.Module):
            def __init__(self, convs=convs, norms=norms, acts=acts):
                super().__init__()
                self.convs, self.norms, self.acts = nn.ModuleList(convs), nn.ModuleList(norms), acts

            def forward(self, x):
                for conv, norm, (act, _) in zip(self.convs, self.norms, self.acts, strict=True):
                    x = act(norm(conv(x)))
                return x.mean((2, 3))

        net, x = Chain().eval(), IMAGES
        layers = [f"convs.{k}" for k in range(3)]
        with record(net, layers) as found:
            net(IMAGES)
        for layer, conv, norm, (_, function) in zip(layers, convs, norms, acts, strict=True):
            x = function(norm(conv(x)))
            assert torch.allclose(found[layer], x, atol=1e-5), (seed, layer)
