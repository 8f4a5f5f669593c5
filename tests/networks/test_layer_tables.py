"""The layers of many architectures: which is the deepest with a map, and of what size.

The modules are built without numbers (on torch's meta device), so that even large ones are traced quickly.
"""

from __future__ import annotations

import math

import pytest
import torch

from scenelens.networks import load_torchvision
from scenelens.networks.layers import _LayerTable
from scenelens.networks.reach import theoretical_rf
from scenelens.networks.tracing import trace

# name: (deepest layer, side of its map, its units, rows of the table, its theoretical size at 224 px)
TABLES = {
    "alexnet": ("pool5", 6, 256, 11, 195),
    "vgg11": ("features.20", 7, 512, 16, 150),
    "vgg16": ("features.30", 7, 512, 21, 212),
    "resnet18": ("layer4.1", 7, 512, 31, 435),
    "resnet50": ("layer4.2", 7, 2048, 72, 427),
    "densenet121": ("features.denseblock4", 7, 1024, 132, 2071),
    "googlenet": ("inception5b", 7, 1024, 81, 379),
    "inception_v3": ("Mixed_7c", 5, 2048, 109, 1311),
    "squeezenet1_0": ("features.12", 13, 512, 38, 155),
    "squeezenet1_1": ("features.12", 13, 512, 38, 207),
    "mobilenet_v2": ("features.18", 7, 1280, 70, 491),
    "mobilenet_v3_small": ("features.12", 7, 576, 75, "whole"),
    "efficientnet_b0": ("features.8", 7, 1280, 115, "whole"),
    "shufflenet_v2_x0_5": ("conv5.0", 7, 1024, 74, 527),
    "mnasnet0_5": ("layers.14", 7, 1280, 69, 843),
    "convnext_tiny": ("features.7.2", 7, 768, 78, 1688),
    "swin_t": ("features.7.1", 7, 768, 42, "whole"),
    "swin_v2_t": ("features.7.1", 7, 768, 42, "whole"),
    "vit_b_16": ("encoder.layers.encoder_layer_11", 14, 768, 38, "whole"),
    "maxvit_t": ("blocks.3.layers.1", 7, 512, 106, "whole"),
    "timm resnet10t": ("layer4.0", 7, 512, 24, 199),
    "timm mixer_s16_224": ("blocks.7", 14, 512, 26, "whole"),
    "timm vit_tiny_patch16_224": ("blocks.11", 14, 192, 62, "whole"),
    "timm deit_tiny_distilled_patch16_224": ("blocks.11", 14, 192, 63, "whole"),
    "timm convnext_atto": ("stages.3.blocks.1", 7, 320, 55, 1136),
    "timm poolformer_s12": ("stages.3.blocks.1", 7, 512, 54, "whole"),
    "timm mobilevit_xxs": ("final_conv", 7, 320, 48, "whole"),
    "timm coatnet_nano_rw_224": ("stages.3.blocks.2", 7, 512, 104, "whole"),
    "timm hiera_tiny_224": ("blocks.11", 7, 768, 65, "whole"),
    "timm swin_tiny_patch4_window7_224": ("layers.3.blocks.1", 7, 768, 45, "whole"),
}


class _Traced:
    """What `theoretical_rf` needs of a network."""

    def __init__(self, module):
        self.module, self.input_size = module, (224, 224)
        self.points = trace(module, torch.zeros(1, 3, 224, 224, device="meta"))

    def module_path(self, layer):
        return layer


def module_of(name: str) -> torch.nn.Module:
    models = load_torchvision().models
    with torch.device("meta"):
        if name.startswith("timm "):
            timm = pytest.importorskip("timm")
            return timm.create_model(name.removeprefix("timm "), pretrained=False).eval()
        options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        return models.get_model(name, weights=None, **options).eval()


@pytest.mark.parametrize("name", TABLES)
def test_the_deepest_layer_with_a_map(name):
    deepest, side, units, rows, reach = TABLES[name]
    network = _Traced(module_of(name))
    table = _LayerTable.find(network.module, network.points)
    assert _LayerTable.deepest_map(table) == deepest
    found = table.set_index("layer").loc[deepest]
    assert (found["map"], found["units"], len(table)) == ((side, side), units, rows)
    main = _LayerTable.spread(table)
    assert deepest in main
    assert main == sorted(main, key=list(table.layer).index)
    field = theoretical_rf(network, found["module"])
    assert field.size == (224 if reach == "whole" else reach)
    assert field.whole == (reach == "whole")
    fields = [theoretical_rf(network, path) for path in table.module]  # none is unknown
    assert all(math.isfinite(one.stride) for one in fields)
