import pytest
import torch
from torch import nn

from scenelens.networks.build import build_module
from scenelens.networks.layers import _kind_of, _LayerTable
from scenelens.networks.tracing import trace


def table_of(module: nn.Module, side: int = 64):
    return _LayerTable.find(module, trace(module.eval(), torch.zeros(1, 3, side, side)))


def test_caffenet_has_the_papers_names(tiny_network):
    table = tiny_network.layers
    assert list(table.layer) == [
        "conv1",
        "pool1",
        "conv2",
        "pool2",
        "conv3",
        "conv4",
        "conv5",
        "pool5",
        "fc6",
        "fc7",
        "fc8",
    ]
    assert list(table.layer) == list(table.module)
    assert table["map"].tolist() == [(s, s) for s in (55, 27, 27, 13, 13, 13, 13, 6, 1, 1, 1)]
    assert table.units.tolist() == [12, 12, 32, 32, 48, 48, 32, 32, 16, 16, 3]
    rf = table.set_index("layer").rf_size
    assert rf[["pool1", "pool2", "conv4", "pool5"]].tolist() == [19, 67, 131, 195]  # the paper's section 3.2


def test_an_alexnet_gets_the_papers_names_at_its_own_paths():
    # torchvision's, with few channels: two Sequentials and an adaptive pooling that changes nothing
    def conv(n_in, n_out, *more):
        return [nn.Conv2d(n_in, n_out, 3, *more, padding=1), nn.ReLU(inplace=True)]

    def pool():
        return [nn.MaxPool2d(2)]

    features = conv(3, 4, 2) + pool() + conv(4, 5) + pool() + conv(5, 6) + conv(6, 7) + conv(7, 8) + pool()
    head = [
        nn.Dropout(),
        nn.Linear(32, 9),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(9, 9),
        nn.ReLU(),
        nn.Linear(9, 2),
    ]
    net = nn.Sequential()
    net.add_module("features", nn.Sequential(*features))
    net.add_module("avgpool", nn.AdaptiveAvgPool2d(2))
    net.add_module("flat", nn.Flatten())
    net.add_module("classifier", nn.Sequential(*head))
    table = table_of(net, 32).set_index("layer").module
    assert " ".join(table.index) == "conv1 pool1 conv2 pool2 conv3 conv4 conv5 pool5 fc6 fc7 fc8"
    wanted = ["features.0", "features.12", "classifier.1", "classifier.6"]
    assert table.loc[["conv1", "pool5", "fc6", "fc8"]].tolist() == wanted


def test_squeezenet_has_fire_modules_as_blocks():
    table = table_of(build_module("squeezenet1_1", 4)).set_index("layer")
    assert table.loc["features.3"].kind == "block"
    assert table.loc["features.3"].units == 128
    assert table.loc["features.3.squeeze"].kind == "conv"
    layers = list(table.index)
    assert (
        layers.index("features.3.expand3x3") < layers.index("features.3") < layers.index("features.4.squeeze")
    )


@pytest.mark.parametrize(
    ("name", "block"),
    [("resnet18", "layer1.0"), ("googlenet", "inception3a"), ("mobilenet_v2", "features.3")],
)
def test_blocks_of_other_networks(name, block):
    table = table_of(build_module(name, 4)).set_index("layer")
    assert table.loc[block].kind == "block"
    assert list(table.index[:1]) in (["conv1"], ["features.0"])  # conv, norm and activation: one layer


def test_a_convolution_wrapped_with_its_norm_is_one_layer_under_the_wrappers_name():
    class Conv(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn, self.act = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.LeakyReLU(0.5)

        def forward(self, x):
            return self.act(self.bn(self.conv(x)))

    table = table_of(nn.Sequential(Conv(), nn.Sequential(Conv(), nn.MaxPool2d(2))))
    assert table[["layer", "kind"]].values.tolist() == [["0", "conv"], ["1.0", "conv"], ["1.1", "pool"]]


def test_kinds():
    kinds = [_kind_of(one) for one in (nn.Conv2d(1, 1, 1), nn.AvgPool2d(2), nn.Linear(1, 1), nn.ReLU())]
    assert kinds == ["conv", "pool", "fc", None]


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18", "densenet121"])
@pytest.mark.parametrize("n", [1, 3, 6])
def test_a_short_list_runs_through_the_depth_and_leaves_the_classes_out(name, n):
    table = table_of(build_module(name, 4))
    chosen = _LayerTable.spread(table, n)
    places = [list(table.layer).index(layer) for layer in chosen]
    assert len(chosen) == n
    assert places == sorted(set(places))
    assert n == 1 or places[0] == 0
    assert _LayerTable.deepest_map(table) in chosen
    assert 4 not in table.set_index("layer").units[chosen].tolist()


def test_a_short_list_of_a_network_with_one_layer():
    assert _LayerTable.spread(table_of(nn.Sequential(nn.Conv2d(3, 4, 1)))) == ["0"]


def test_layers_of_somebodys_own_class_are_known_by_what_they_do():
    class OwnConv(nn.Module):
        def __init__(self, n_in, n_out):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(n_out, n_in, 3, 3))

        def forward(self, x):
            weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
            return torch.conv2d(x, weight, padding=1)

    class OwnLinear(nn.Module):
        def __init__(self, n_in, n_out):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(n_in, n_out))

        def forward(self, x):
            return x @ self.weight

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.fc = OwnConv(3, 4), OwnConv(4, 5), OwnLinear(5, 2)

        def forward(self, x):
            return self.fc(torch.relu(self.b(torch.relu(self.a(x)))).mean((2, 3)))

    net = Net().eval()
    points = trace(net, torch.zeros(1, 3, 16, 16))
    table = _LayerTable.find(net, points)
    assert table[["layer", "kind", "units"]].values.tolist() == [
        ["a", "conv", 4],
        ["b", "conv", 5],
        ["fc", "fc", 2],
    ]
    assert points["b"].then.names == ["relu"]
    assert _LayerTable.deepest_map(table) == "b"
