"""A file of an open study is deleted or replaced: each call answers, or says one sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from scenelens.errors import SceneLensError
from scenelens.labels.dissect import label_networks
from scenelens.studies import behaviour
from scenelens.studies.study import Study, open_study
from tests.annotated_study import annotated_study

MEAN = 'preprocessing = { size = [227, 227], resize_to = 230, mean_image = "mean.npy" }\nclasses = ["attic"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A study whose network has a mean image, and everything that is computed of it."""
    root = tmp_path_factory.mktemp("whole") / "study"
    annotated_study(root, 2)
    np.save(root / "mean.npy", np.full((3, 230, 230), 100, np.float32))
    text = (root / "study.toml").read_text().replace('classes = ["attic"', MEAN, 1)
    (root / "study.toml").write_text(text)
    for call in calls(open_study(root / "study.toml")):
        call()
    return root


def calls(study: Study) -> list:
    annotations, network = study.annotations, study.networks["scene"]
    image = annotations.images[0]
    return [
        lambda: study.load_image(str(study.images.image[0])),
        lambda: study.index("scene").top_images("pool5", 0, 3),
        annotations.objects,
        annotations.report,
        lambda: annotations.masks(image),
        lambda: annotations.size(image),
        lambda: study.automatic_labels("scene").labels(),
        lambda: label_networks([network], annotations, [["conv1"]], progress=False),
        lambda: network.prepare([np.zeros((240, 240, 3), np.uint8)]),
        lambda: behaviour.network_variant(network, study.cache / "labels"),
    ]


GONE = [
    "mean.npy",
    "study.toml",
    "world",
    "world/Images",
    "world/Annotations",
    "world/Images/scene/attic/0.png",
    "world/Annotations/scene/attic/0.xml",
    "cache",
    "cache/index",
    "cache/labels",
    "cache/index/digests.json",
    "cache/index/scene-*/inputs.json",
    "cache/index/scene-*/done/000000.json",
    "cache/index/scene-*/arrays/pool5/peak/c.0.0",
    "cache/index/behaviour/*.npz",
    "cache/labels/*.npz",
]


def take_away(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def put_another_kind(path: Path) -> None:
    """A folder where a file was, and a file where a folder was."""
    was_file = path.is_file()
    take_away(path)
    path.mkdir() if was_file else path.write_bytes(b"something else")


@pytest.mark.parametrize("change", [take_away, put_another_kind])
@pytest.mark.parametrize("pattern", GONE)
def test_every_call_answers_or_says_one_sentence(folder, tmp_path, pattern, change):
    root = shutil.copytree(folder, tmp_path / "study")
    study = open_study(root / "study.toml")
    every = calls(study)  # opens annotations and networks
    study.index("scene")
    change(next(root.glob(pattern)))
    said = []
    for call in every:
        try:
            call()
        except SceneLensError as error:
            said.append(str(error))
    assert not any("\n" in text for text in said)
