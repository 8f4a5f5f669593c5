import torch
from torch import nn

from scenelens.networks.hooks import record
from scenelens.networks.layers import _LayerTable
from scenelens.networks.reach import theoretical_rf
from scenelens.networks.torchvision_shim import load_torchvision
from scenelens.networks.tracing import trace

IMAGES = torch.randn(5, 3, 12, 12)


def _net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2))


def test_points_tell_place_order_and_shape():
    points = trace(_net(), IMAGES)
    assert {layer: point.path for layer, point in points.items()} == {"0": "2", "1": "1", "2": "2", "3": "3"}
    assert points["0"].shape == (4, 10, 10)
    assert points["0"].order < points["3"].order


def test_a_functional_relu_is_seen_and_a_module_behind_it_is_not_taken_for_it():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu = nn.Conv2d(3, 4, 3), nn.ReLU()

        def forward(self, x):
            return self.relu(torch.nn.functional.relu(self.conv(x)) - 1)

    point = trace(Net(), IMAGES)["conv"]
    assert (point.path, point.then.names) == ("conv", ["relu"])


def test_training_flags_and_statistics_survive():
    net = _net().train()
    net[3].eval()
    mean = net[1].running_mean.clone()
    trace(net, IMAGES)
    assert torch.equal(net[1].running_mean, mean)
    assert [child.training for child in net] == [True, True, True, False]


def test_a_reused_relu_is_told_apart_by_its_calls():
    torch.manual_seed(1)
    net = load_torchvision().models.resnet18(num_classes=4).eval()
    points = trace(net, torch.zeros(1, 3, 64, 64))
    assert (points["layer1.0.conv1"].path, points["layer1.0.conv1"].call) == ("layer1.0.relu", 0)
    assert points["layer1.0.conv2"].path == "layer1.0.bn2"  # then comes the addition
    with torch.inference_mode(), record(net, ["layer1.0.conv1", "layer1.0"]) as acts:
        net(torch.randn(1, 3, 64, 64))
    assert acts["layer1.0.conv1"].min() >= 0
    assert not torch.equal(acts["layer1.0.conv1"], acts["layer1.0"])


def test_a_block_that_runs_twice_is_two_blocks_each_with_its_own_layers():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, x):
            return x + self.b(self.a(x).relu())

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.block, self.pool = nn.Conv2d(3, 4, 3), Block(), nn.MaxPool2d(2)
            self.fc = nn.Linear(4, 2)

        def forward(self, x):
            for _ in range(3):
                x = self.block(x if x.shape[1] == 4 else self.stem(x))
            return self.fc(self.pool(x).mean((2, 3)))

    net = Net().eval()
    table = _LayerTable.find(net, trace(net, IMAGES))
    inner = [f"block.{layer}{call}" for call in ("", "#2", "#3") for layer in ("a", "b")]
    assert list(table.layer) == [
        "stem", *inner[:2], "block", *inner[2:4], "block#2", *inner[4:], "block#3", "pool", "fc",
    ]  # fmt: skip
    assert _LayerTable.spread(table, 4) == ["stem", "block", "block#3", "pool"]
    with torch.no_grad(), record(net, ["block", "block#3", "block.a#2"]) as acts:
        net(IMAGES)
        first = net.block(net.stem(IMAGES))
        assert torch.equal(acts["block"], first)
        assert torch.equal(acts["block.a#2"], net.block.a(first).relu())
        assert torch.equal(acts["block#3"], net.block(net.block(first)))
    fields = [theoretical_rf(net, layer, (12, 12)).size for layer in ("stem", "block", "block#2", "block#3")]
    assert fields == [3, 7, 11, 15]


def test_a_network_in_a_wrapper_has_the_layers_of_the_network():
    class Wrapper(nn.Module):
        def __init__(self, backbone):
            super().__init__()
            self.backbone = backbone

        def forward(self, x):
            return self.backbone(x).softmax(1)

    resnet = load_torchvision().models.resnet18(num_classes=4).eval()
    tables = [
        _LayerTable.find(net, trace(net, torch.zeros(1, 3, 64, 64))) for net in (resnet, Wrapper(resnet))
    ]
    assert list(tables[1].layer) == [f"backbone.{layer}" for layer in tables[0].layer]
    assert _LayerTable.deepest_map(tables[1]) == "backbone.layer4.1"
