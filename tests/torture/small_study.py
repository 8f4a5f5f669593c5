"""A study in which everything takes milliseconds: images of 24x32 pixels, and a network of three layers."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from PIL import Image

from scenelens.annotations.outlined import AnnotatedObject
from scenelens.annotations.polygons import mask_to_polygons
from scenelens.annotations.sun import write_annotation
from scenelens.studies.study import Study, open_study
from tests.small_network import SIZE, photograph

OBJECTS = {"attic": ("bed", "lamp", "bed", "window"), "beach": ("boat", "sand", "lamp", None)}

_NETWORK = """
import torch
from torch import nn

def build():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        module = nn.Sequential(
            nn.Conv2d(3, 5, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(175, 2),
        )
        module[-1].weight.data *= 8
        return module
"""

_STUDY = """
name = "small"

[networks.scene]
factory = "network.py:build"
classes = ["attic", "beach"]
preprocessing = {size = [24, 32], mean = [0.5, 0.5, 0.5]}

[[images]]
path = "world/Images"
source = "scene-centric"

[annotations]
root = "world"
format = "sun"

[cache]
path = "cache"
"""


def quarter(number: int) -> np.ndarray:
    """bool (24, 32), one of the four quarters."""
    mask, (height, width) = np.zeros(SIZE, bool), SIZE
    top, left = height // 2 * (number // 2), width // 2 * (number % 2)
    mask[top : top + height // 2, left : left + width // 2] = True
    return mask


def write_small_study(folder: Path, per_category: int = 3) -> Path:
    """Write study.toml, its network, photographs and outlines; the study's code may run in this process."""
    for place, (category, names) in enumerate(OBJECTS.items()):
        things = [
            AnnotatedObject(name, tuple(mask_to_polygons(quarter(k)))) for k, name in enumerate(names) if name
        ]
        for number in range(per_category):
            image = folder / "world/Images" / category / f"{number}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(photograph(per_category * place + number)).save(image)
            xml = (folder / "world/Annotations" / category / image.name).with_suffix(".xml")
            write_annotation(xml, image.name, category, SIZE, things)
    (folder / "network.py").write_text(_NETWORK)
    os.environ["SCENELENS_TRUST"] = hashlib.sha256(_NETWORK.encode()).hexdigest()
    path = folder / "study.toml"
    path.write_text(_STUDY)
    return path


def opened(folder: Path) -> Study:
    """The study, with nothing in memory."""
    return open_study(folder / "study.toml")
