import torch
from torch import nn

from scenelens.networks.hooks import record
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


def test_a_functional_relu_is_not_seen_and_so_the_value_is_raw():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu = nn.Conv2d(3, 4, 3), nn.ReLU()

        def forward(self, x):
            return self.relu(torch.nn.functional.relu(self.conv(x)) - 1)

    assert trace(Net(), IMAGES)["conv"].path == "conv"


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
