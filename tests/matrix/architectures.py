"""The architectures of the matrix, as narrow as they can be. A study's folder gets a copy of this file."""

from functools import partial

import torch
from torch import nn

from scenelens.networks.caffenet import CaffeNet
from scenelens.networks.torchvision_shim import load_torchvision

load_torchvision()  # before the next lines: some builds of torch and torchvision need help to load together
from torchvision.models.efficientnet import EfficientNet, MBConvConfig  # noqa: E402
from torchvision.models.resnet import BasicBlock, ResNet  # noqa: E402
from torchvision.models.swin_transformer import SwinTransformer  # noqa: E402

SCENES, OBJECTS = 3, 2  # classes of the two networks


def _seeded(build, n_classes, seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build(n_classes)
        for one in module.modules():  # fresh statistics are all 0 and 1, which no trained network has
            if isinstance(one, nn.BatchNorm2d):
                one.running_var.uniform_(0.5, 2.0)
        return module


class NarrowCaffeNet(CaffeNet):
    """A CaffeNet with a sixteenth of the channels, for images of 99 pixels: the paper's has 227."""

    def __init__(self, n_classes):
        super().__init__(n_classes, width=1 / 16, fc=16)
        self.fc6 = nn.Linear(16 * 2 * 2, 16)


class NarrowResNet(ResNet):
    """A ResNet18 with an eighth of the channels; its layers have the usual names."""

    def __init__(self, n_classes):
        super().__init__(BasicBlock, [2, 2, 2, 2], n_classes)
        self.inplanes = 8
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8)
        for number in range(4):
            layer = self._make_layer(BasicBlock, 8 * 2**number, 2, stride=1 if number == 0 else 2)
            setattr(self, f"layer{number + 1}", layer)
        self.fc = nn.Linear(64, n_classes)


def _efficientnet(n_classes):
    setting = [
        MBConvConfig(1, 3, 1, 8, 8, 1),
        MBConvConfig(2, 3, 2, 8, 8, 2),
        MBConvConfig(2, 5, 2, 8, 16, 2),
        MBConvConfig(2, 3, 2, 16, 16, 1),
    ]
    norm = partial(nn.BatchNorm2d, eps=1e-3)
    return EfficientNet(setting, 0.2, num_classes=n_classes, norm_layer=norm, last_channel=32)


def _swin(n_classes):
    return SwinTransformer([4, 4], 16, [1, 1, 2, 1], [1, 2, 4, 8], [4, 4], num_classes=n_classes)


caffenet_scene = partial(_seeded, NarrowCaffeNet, SCENES, 1)
caffenet_object = partial(_seeded, NarrowCaffeNet, OBJECTS, 2)
caffenet_untrained = partial(_seeded, NarrowCaffeNet, SCENES, 3)
resnet18_scene = partial(_seeded, NarrowResNet, SCENES, 1)
resnet18_object = partial(_seeded, NarrowResNet, OBJECTS, 2)
resnet18_untrained = partial(_seeded, NarrowResNet, SCENES, 3)
efficientnet_b0_scene = partial(_seeded, _efficientnet, SCENES, 1)
efficientnet_b0_object = partial(_seeded, _efficientnet, OBJECTS, 2)
efficientnet_b0_untrained = partial(_seeded, _efficientnet, SCENES, 3)
swin_t_scene = partial(_seeded, _swin, SCENES, 1)
swin_t_object = partial(_seeded, _swin, OBJECTS, 2)
swin_t_untrained = partial(_seeded, _swin, SCENES, 3)
