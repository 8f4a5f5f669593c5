import pytest
import torch
from torch import nn

from scenelens.errors import SceneLensError
from scenelens.networks.caffenet import CaffeNet, fold_batch_norm

# Table 1 and bvlc_reference_caffenet's deploy.prototxt: layer -> (channels, side of the map)
PAPER = {"conv1": (96, 55), "pool1": (96, 27), "conv2": (256, 27), "pool2": (256, 13), "conv3": (384, 13)}
PAPER |= {"conv4": (384, 13), "conv5": (256, 13), "pool5": (256, 6)}
# bvlc_reference_caffenet.caffemodel: the shapes of the weights
WEIGHTS = {"conv1": (96, 3, 11, 11), "conv2": (256, 48, 5, 5), "conv3": (384, 256, 3, 3)}
WEIGHTS |= {"conv4": (384, 192, 3, 3), "conv5": (256, 192, 3, 3)}
WEIGHTS |= {"fc6": (4096, 9216), "fc7": (4096, 4096), "fc8": (1000, 4096)}


@torch.no_grad()
def test_full_width_has_the_papers_shapes():
    net, x = CaffeNet(1000).eval(), torch.zeros(1, 3, 227, 227)
    for name, module in net.named_children():
        if name == "fc6":
            break
        x = module(x)
        if name in PAPER:
            assert tuple(x.shape[1:]) == (PAPER[name][0], PAPER[name][1], PAPER[name][1]), name
    assert {name: tuple(net.get_submodule(name).weight.shape) for name in WEIGHTS} == WEIGHTS
    assert sum(value.numel() for value in net.parameters()) == 60_965_224  # CaffeNet's well-known 61 million


def test_the_order_is_conv_relu_pool_norm():
    names = [name for name, _ in CaffeNet(2, width=1 / 8, fc=4).named_children()]
    assert names[:8] == ["conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2"]
    assert names[-7:] == ["fc6", "relu6", "drop6", "fc7", "relu7", "drop7", "fc8"]


def test_lrn_is_caffes():
    norm = CaffeNet(2, width=1 / 8, fc=4).norm1
    x = torch.zeros(1, 6, 1, 1)
    x[0, 2] = 3.0
    # one channel of 3 in a window of five: x / (1 + 1e-4 / 5 * 9) ** .75
    assert norm(x)[0, 2].item() == pytest.approx(3 / (1 + 1e-4 / 5 * 9) ** 0.75, rel=1e-6)


def test_pooling_rounds_up():
    assert (
        CaffeNet(2, width=1 / 8, fc=4).pool1(torch.zeros(1, 1, 6, 6)).shape[-1] == 3
    )  # Caffe: ceil((6 - 3) / 2) + 1


def _trained(seed: int) -> CaffeNet:
    """A network whose BatchNorms have seen data and have scales of either sign."""
    torch.manual_seed(seed)
    net = CaffeNet(5, width=1 / 8, fc=16, batch_norm=True)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return net.eval()


@torch.no_grad()
def test_folding_keeps_the_function_and_its_source():
    net, x = _trained(0), torch.randn(3, 3, 227, 227)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    folded = fold_batch_norm(net)
    wanted = net(x)
    assert torch.allclose(folded(x), wanted, atol=1e-5 * float(wanted.abs().max()))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@torch.no_grad()
def test_folding_a_network_without_batch_norm_copies_it():
    net, x = CaffeNet(3, width=1 / 8, fc=8).eval(), torch.randn(1, 3, 227, 227)
    assert torch.equal(fold_batch_norm(net)(x), net(x))


@pytest.mark.parametrize("width", [0.001, 3 / 96, -1])
def test_a_width_that_does_not_fit_the_groups(width):
    with pytest.raises(SceneLensError, match="channels"):
        CaffeNet(3, width=width)
