"""Theoretical receptive fields: published numbers, and the support of a gradient as a second
implementation."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.networks import Network, Preprocessing, load_torchvision
from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.reach import RF, theoretical_rf

models = load_torchvision().models


CAFFENET = {  # layer: (size, stride, first centre), Table 2 of the paper and the authors' notes
    "conv1": (11, 4, 5),
    "pool1": (19, 8, 9),
    "conv2": (51, 8, 9),
    "pool2": (67, 16, 17),
    "conv3": (99, 16, 17),
    "conv4": (131, 16, 17),
    "conv5": (163, 16, 17),
    "pool5": (195, 32, 33),
}
VGG_CONVS = [3, 5, 10, 14, 24, 32, 40, 60, 76, 92, 132, 164, 196]
VGG_POOLS = [6, 16, 44, 100, 212]


@pytest.fixture(scope="module")
def caffenet() -> CaffeNet:
    return CaffeNet(3, width=1 / 8, fc=16)


def vgg16(**_: object) -> nn.Module:
    """Its convolutions alone, with a sixteenth of the channels, which do not count for what a unit sees."""
    return models.vgg.make_layers([one if one == "M" else one // 16 for one in models.vgg.cfgs["D"]])


def names(module: nn.Module, kind: type[nn.Module]) -> list[str]:
    return [path for path, child in module.named_modules() if isinstance(child, kind)]


@pytest.mark.parametrize("layer", CAFFENET)
def test_caffenet_has_the_published_fields(caffenet: CaffeNet, layer: str) -> None:
    assert theoretical_rf(caffenet, layer) == RF(*CAFFENET[layer])


@pytest.mark.parametrize("layer", ["relu1", "norm1", "drop6"])
def test_functions_of_one_position_reach_no_further(caffenet: CaffeNet, layer: str) -> None:
    before = {"relu1": "conv1", "norm1": "pool1", "drop6": "fc6"}[layer]
    size = (227, 227)
    assert theoretical_rf(caffenet, layer, size) == theoretical_rf(caffenet, before, size)


def test_a_fully_connected_unit_sees_the_whole_image(caffenet: CaffeNet) -> None:
    assert theoretical_rf(caffenet, "fc6", (227, 227)) == RF(227, 0, 113)
    with pytest.raises(SceneLensError, match="input_size"):
        theoretical_rf(caffenet, "fc6")


def test_torchvision_alexnet_has_caffenets_fields_shifted_by_its_padding() -> None:
    net = models.alexnet(weights=None)
    layers = names(net.features, nn.Conv2d | nn.MaxPool2d)
    found = [theoretical_rf(net, f"features.{layer}") for layer in layers]
    expected = list(CAFFENET.values())
    assert [one.size for one in found] == [size for size, _, _ in expected]
    assert [one.stride for one in found] == [stride for _, stride, _ in expected]
    assert [one.start for one in found] == [3, 7, 7, 15, 15, 15, 15, 31]
    assert theoretical_rf(net, "avgpool", (224, 224)) == found[-1]  # pools 6 x 6 to 6 x 6
    pooled = theoretical_rf(
        net, "avgpool", (448, 448)
    )  # 13 x 13 to 6 x 6: windows of 3, 2.17 positions apart
    assert pooled.stride == pytest.approx(32 * 13 / 6)
    assert 195 + 2 * 32 <= pooled.size <= 195 + 3 * 32


def test_vgg16_has_the_published_sizes() -> None:
    net = vgg16()
    assert [theoretical_rf(net, layer).size for layer in names(net, nn.Conv2d)] == VGG_CONVS
    assert [theoretical_rf(net, layer).size for layer in names(net, nn.MaxPool2d)] == VGG_POOLS


@pytest.mark.parametrize(
    ("build", "sizes"),
    [
        (models.resnet18, {"layer1": 43, "layer2": 99, "layer3": 211, "layer4": 435}),
        (models.resnet50, {"layer1": 35, "layer2": 91, "layer3": 267, "layer4": 427}),
        (models.googlenet, {"inception3a": 43, "inception3b": 59, "inception4a": 107, "inception5b": 379}),
    ],
)
def test_branches_take_the_union_and_give_the_published_sizes(build, sizes: dict[str, int]) -> None:
    options = {"init_weights": False} if build is models.googlenet else {}
    net = build(weights=None, **options)
    assert {layer: theoretical_rf(net, layer).size for layer in sizes} == sizes


def linearised(net: nn.Module) -> nn.Module:
    """The same wiring with every path open: no ReLU, averages for maxima, all weights 1, nothing
    normalised."""
    net = copy.deepcopy(net).double().eval()
    for path, child in list(net.named_modules()):
        if isinstance(child, nn.MaxPool2d):
            new = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
        elif isinstance(child, nn.ReLU | nn.BatchNorm2d | nn.Dropout | nn.LocalResponseNorm):
            new = nn.Identity()
        else:
            continue
        parent, _, name = path.rpartition(".")
        setattr(net.get_submodule(parent), name, new)
    for parameter in net.parameters():
        nn.init.constant_(parameter, 1.0 / parameter[0].numel())
    return net


def gradient_support(net: nn.Module, layer: str, side: int) -> tuple[tuple[int, int], int]:
    """(top, bottom) pixels that the middle position of a layer sees, and which position that is."""
    kept = {}

    def keep(module, inputs, out):
        kept["out"] = out
        raise StopIteration  # what lies behind takes most of the time

    hook = net.get_submodule(layer).register_forward_hook(keep)
    image = torch.ones(1, 3, side, side, dtype=torch.double, requires_grad=True)  # no ReLU closes
    with pytest.raises(StopIteration):
        net(image)
    hook.remove()
    middle = kept["out"].shape[2] // 2
    kept["out"][0, :, middle, middle].sum().backward()
    rows = torch.nonzero(image.grad[0].abs().sum((0, 2))).ravel()
    return (int(rows[0]), int(rows[-1])), middle


@pytest.mark.parametrize(
    ("build", "layers", "side"),
    [
        (lambda weights: models.alexnet(weights=weights).features, ["2", "8", "12"], 257),
        (vgg16, ["9", "23"], 161),
        (models.resnet18, ["maxpool", "layer1", "layer2.0"], 161),
        (models.resnet50, ["layer1.1", "layer2"], 161),
        (models.googlenet, ["inception3a", "inception4a"], 193),
        (models.squeezenet1_1, ["features.0", "features.3", "features.7", "features.12"], 321),
    ],
)
def test_the_field_is_the_gradients_support(build, layers: list[str], side: int) -> None:
    options = {"init_weights": False, "aux_logits": False} if build is models.googlenet else {}
    with torch.random.fork_rng(devices=[]):
        net = linearised(build(weights=None, **options))
    for layer in layers:
        (top, bottom), place = gradient_support(net, layer, side)
        field = theoretical_rf(net, layer)
        assert 0 < top < bottom < side - 1, "the image must be larger than the field"
        assert bottom - top + 1 == field.size, layer
        assert (top + bottom) / 2 == field.center(place, place)[0], layer


def test_rows_and_columns_may_differ() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, (3, 5), stride=(1, 2)), nn.MaxPool2d(2))
    assert theoretical_rf(net, "1") == RF((4, 7), (2, 4), (1.5, 3))
    assert theoretical_rf(net, "1").center(1, 1) == (3.5, 7)


def test_dilation_widens() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 3, dilation=4, padding=4))
    assert theoretical_rf(net, "0") == RF(9, 1, 0)


def test_a_wrong_layer_gets_close_names() -> None:
    with pytest.raises(SceneLensError, match="close names: pool5"):
        theoretical_rf(CaffeNet(3, width=1 / 8, fc=16), "pol5")


class _Unknown(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.fft2(x).abs()


class _Deciding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x) if x.sum() > 0 else x


def test_what_is_not_understood_is_said() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), _Unknown(), nn.Conv2d(4, 4, 3))
    assert theoretical_rf(net, "0").size == 3
    with pytest.raises(SceneLensError, match=r"reach of .*fft"):
        theoretical_rf(net, "2")
    with pytest.raises(SceneLensError, match="does not run on an image"):
        theoretical_rf(_Deciding(), "conv")  # the image is black


def test_strides_that_disagree_where_branches_meet_are_said() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fast, self.slow = nn.Conv2d(3, 3, 3, 2), nn.Conv2d(3, 3, 3)
            self.last = nn.Conv2d(3, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            fast = self.fast(x)
            return self.last(fast + self.slow(x)[:, :, : fast.shape[2], : fast.shape[3]])

    with pytest.raises(SceneLensError, match="different strides"):
        theoretical_rf(Odd(), "last")


# ---- a field at a position, and from the table of layers


@pytest.mark.parametrize(("place", "box"), [
    ((0, 0), (0.0, 0.0, 11.0, 11.0)),  # conv1's first unit: rows and columns 0 to 10
    ((27, 0), (108.0, 0.0, 119.0, 11.0)),
    ((55, 54), (220.0, 216.0, 227.0, 227.0)),
])  # fmt: skip
def test_the_box_is_the_field_cut_off_at_the_edges(place, box) -> None:
    assert RF(11, 4, 5).box(*place, (227, 227)) == box


def test_a_box_over_the_whole_frame_is_not_drawn() -> None:
    assert RF(500, 32, 100).box(0, 0, (227, 227)) is None


def test_rows_and_columns_may_have_their_own_geometry() -> None:
    field = RF((7, 9), (8, 4), (3, 5))
    assert field.center(1, 2) == (11.0, 13.0)
    assert field.box(1, 2, (99, 99)) == (8.0, 9.0, 15.0, 18.0)


def test_a_layer_without_places_has_no_field() -> None:
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    network = Network(net, preprocessing=Preprocessing(size=(8, 8)))
    assert network.field("0") == RF(3, 1, 1)
    assert [network.field(layer) for layer in ("1", "3")] == [None, None]
