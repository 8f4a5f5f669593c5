"""Which category a photograph is of, by the folders it lies in, as data sets lay them out."""

import json

import numpy as np
import pytest
from PIL import Image

from scenelens.studies.study import open_study
from scenelens.two_networks import own_accuracy
from scenelens.workbook import describe_study
from tests.tiny_study import STUDY, write_tiny_study


def study_of(folder, layout: dict[str, str], classes: list[str], more: str = ""):
    """The tiny study with other scene photographs: path -> content, and other classes."""
    path = write_tiny_study(folder, 1)
    for one in (folder / "photos" / "scene").rglob("*.png"):
        one.unlink()
    for n, place in enumerate(layout):
        file = folder / "photos" / "scene" / place
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(n).integers(0, 256, (30, 40, 3), np.uint8)).save(file)
    text = STUDY.replace('["attic", "beach", "cave"]', json.dumps(classes, ensure_ascii=False))
    path.write_text(text.replace('"photos/scene"\n', f'"photos/scene"\n{more}\n'))
    return open_study(path)


LAYOUTS = {
    "plain": ("abbey/1.png", "kitchen/1.png", "desert/sand/1.png"),
    "places": ("a/abbey/1.png", "k/kitchen/1.png", "d/desert/sand/1.png"),
    "capitals": ("A/abbey/1.png", "K/Kitchen/1.png", "D/desert/sand/1.png"),
    "splits": ("train/abbey/1.png", "val/kitchen/1.png", "val/desert/sand/1.png"),
    "split, places": ("val/a/abbey/1.png", "val/k/kitchen/1.png", "val/d/desert/sand/1.png"),
    "numbers": ("n00000001/1.png", "n00000002/1.png", "n00000003/1.png"),
    "numbers, names": ("n00000001_abbey/1.png", "n00000002-kitchen/1.png", "n00000003 desert sand/1.png"),
    "spaces": ("Abbey/1.png", "KITCHEN/1.png", "desert-sand/1.png"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_categories(tmp_path, layout):
    study = study_of(tmp_path, dict.fromkeys(LAYOUTS[layout]), ["abbey", "desert/sand", "kitchen"])
    if layout.startswith("numbers"):
        lines = "n00000001 abbey\nn00000003 desert/sand\nn00000002 kitchen\n"
        (tmp_path / "classes.txt").write_text(lines)
        path = study.file.path
        path.write_text(path.read_text().replace('["abbey", "desert/sand", "kitchen"]', '"classes.txt"', 1))
        study = open_study(path)
    names = study.networks["scene"].class_names
    scenes = study.images[study.images.source == "scene-centric"]
    found = {
        path.parent.name[-4:].lower(): names.find(one)
        for path, one in zip(scenes.path, scenes.category, strict=True)
    }
    assert sorted(found.values()) == [[0], [1], [2]]
    row = own_accuracy(study).set_index("network").loc["scene"]
    assert (row["n"], row["unknown"], row["shared"]) == (3, [], {})


@pytest.mark.parametrize(
    "layout",
    [
        ("a/abbey/1.png", "b/beach/1.png", "attic/1.png"),
        ("a/abbey/1.png", "b/church/1.png"),
        ("a/1.png", "b/1.png"),
    ],
)
def test_a_letter_that_is_a_category_stays_one(tmp_path, layout):
    study = study_of(tmp_path, dict.fromkeys(layout), ["x", "y", "z"])
    scenes = study.images[study.images.source == "scene-centric"]
    assert sorted(scenes.category) == sorted(one.rpartition("/")[0] for one in layout)


def test_splits_are_named(tmp_path):
    layout = ("train/abbey/1.png", "train/beach/1.png", "val/abbey/1.png")
    study = study_of(tmp_path, dict.fromkeys(layout), ["abbey", "beach", "z"])
    scenes = study.images[study.images.source == "scene-centric"]
    assert list(scenes.split) == ["train", "train", "val"]
    assert "By split (train: 2, val: 1)" in str(describe_study(study))


def test_a_category_is_renamed_by_either_of_its_names(tmp_path):
    layout = dict.fromkeys(("a/abbey/1.png", "c/crane/1.png"))
    for written in ("crane", "c/crane"):
        more = f'categories = {{ "{written}" = "crane (2)" }}'
        study = study_of(tmp_path / written.replace("/", "-"), layout, ["abbey", "crane", "crane"], more)
        row = own_accuracy(study).set_index("network").loc["scene"]
        assert (row["n"], row["categories"], row["shared"]) == (2, 2, {})
