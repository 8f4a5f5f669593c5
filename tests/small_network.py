"""A small random network for tests that ask it about hundreds of pictures: 24x32 pixels, four classes."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from scenelens.networks.network import Network
from scenelens.networks.preprocessing import Preprocessing

SIZE = (24, 32)
CLASSES = ["attic", "beach", "cave", "dune"]


def photograph(seed: int = 0, shape: tuple[int, int] = SIZE) -> np.ndarray:
    """Blocks of 4x4 pixels in random colours."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (-(-shape[0] // 4), -(-shape[1] // 4), 3), dtype=np.uint8)
    return blocks.repeat(4, 0).repeat(4, 1)[: shape[0], : shape[1]]


def small_network(seed: int = 0, **how) -> Network:
    """Convolution, ReLU, coarse pooling and a linear layer, seeded; every class wins on some photographs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(3), nn.Flatten()]
        module = nn.Sequential(*layers, nn.Linear(72, len(CLASSES)))
    module[-1].weight.data *= 8  # scores that tell pictures apart
    network = Network(module, "scene", CLASSES, Preprocessing(**{"size": SIZE, "mean": (0.5,) * 3} | how))
    module[-1].bias.data -= network([photograph(n) for n in range(32)]).mean(0)
    return network
