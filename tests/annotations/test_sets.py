"""A study's annotations: one set, several sets, several formats, and mistakes in study.toml."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenelens.annotations.interface import Annotations
from scenelens.annotations.joined import JoinedAnnotations
from scenelens.annotations.sun import AnnotatedImages
from scenelens.errors import SceneLensError
from scenelens.studies.study import open_study
from tests.labelme_xml import annotation_xml, object_xml
from tests.tiny_study import STUDY, write_tiny_study

TWO_SETS = """
[[annotations]]
root = "rooms"
format = "sun"

[[annotations]]
name = "streets"
root = "masks"
format = "colour-mask"

[annotations.colours]
road = [128, 64, 0]
sky = [0, 128, 128]
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """A tiny study with one room (a lamp in the SUN layout) and one street (half sky, half road)."""
    write_tiny_study(tmp_path)
    for part in ("Images", "Annotations"):
        (tmp_path / "rooms" / part / "bedroom").mkdir(parents=True)
    Image.new("RGB", (120, 100)).save(tmp_path / "rooms" / "Images" / "bedroom" / "a.jpg")
    xml = annotation_xml(object_xml("lamp"))
    (tmp_path / "rooms" / "Annotations" / "bedroom" / "a.xml").write_text(xml)
    for part in ("images", "labels"):
        (tmp_path / "masks" / part).mkdir(parents=True)
    Image.new("RGB", (6, 4)).save(tmp_path / "masks" / "images" / "a.png")
    mask = np.zeros((4, 6, 3), np.uint8)
    mask[:2], mask[2:] = (0, 128, 128), (128, 64, 0)
    Image.fromarray(mask).save(tmp_path / "masks" / "labels" / "a.png")
    return tmp_path


def opened(folder: Path, tables: str):
    path = folder / "study.toml"
    path.write_text(STUDY + tables)
    return open_study(path)


def test_several_sets_are_one(folder):
    study = opened(folder, TWO_SETS)
    assert list(study.annotation_sets) == ["rooms", "streets"]
    both = study.annotations
    assert isinstance(both, JoinedAnnotations)
    assert isinstance(both, Annotations)
    assert len(both) == len(list(both)) == len(study.annotation_sets["rooms"]) + 1
    street = "streets/a.png"
    assert {name: int(mask.sum()) for name, mask in both.masks(street).items()} == {"road": 12, "sky": 12}
    assert both.size(street) == (4, 6)
    assert both.scene(street) == ""
    assert both.path(street) == folder / "masks" / "images" / "a.png"
    ids, things = both.instances(street)
    assert [thing.name for thing in things] == ["road", "sky"]
    assert np.bincount(ids.ravel()).tolist() == [0, 12, 12]
    table = both.objects()
    assert table[table.image == street].object.tolist() == ["road", "sky"]
    assert set(table.image.str.split("/").str[0]) == {"rooms", "streets"}
    assert list(both.report().columns) == ["image", "kind", "detail"]


def test_a_set_without_a_kind_of_map_is_unlabelled_there(folder):
    both = opened(folder, TWO_SETS).annotations
    assert both.kinds == ("objects", "parts")
    empty = both.label_map("streets/a.png", "parts", (2, 3))
    assert empty.codes.shape == (2, 3)
    assert not empty.codes.any()
    assert empty.masks() == {}
    with pytest.raises(SceneLensError, match="'materials'"):
        both.label_map("streets/a.png", "materials")


def test_one_set_is_itself(folder):
    study = opened(folder, '[annotations]\nroot = "rooms"\nformat = "sun"\n')
    assert isinstance(study.annotations, AnnotatedImages)
    assert study.annotation_sets == {"rooms": study.annotations}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"colour-mask"', '"color-mask"', "'color-mask' is unknown; close names: colour-mask"),
        ('name = "streets"', 'name = "rooms"', "two sets are called 'rooms'"),
        ("[128, 64, 0]", "[128, 64]", "the colour of 'road' is \\(R, G, B\\)"),
    ],
)
def test_mistakes_in_the_study(folder, old, new, message):
    with pytest.raises(SceneLensError, match=message):
        _ = opened(folder, TWO_SETS.replace(old, new)).annotations


def test_a_missing_folder_raises_when_the_study_is_opened(folder):
    with pytest.raises(SceneLensError, match="rom does not exist"):
        opened(folder, TWO_SETS.replace('"rooms"', '"rom"'))


def test_an_unknown_image_gets_close_names(folder):
    with pytest.raises(SceneLensError, match=r"close names: streets/a\.png"):
        opened(folder, TWO_SETS).annotations.masks("streets/b.png")


MORE_SETS = """
[[annotations]]
name = "numbered"
root = "masks"
format = "index-mask"
labels = "masks/numbers"
classes = "masks/classes.txt"

[[annotations]]
name = "described"
root = "masks"
format = "coco"
images = "masks/images"
labels = "masks/all.json"
"""


@pytest.fixture
def more(folder) -> Path:
    """The street of `folder` as an index mask and as COCO's JSON, too."""
    (folder / "masks/numbers").mkdir()
    numbers = np.zeros((4, 6), np.uint8)
    numbers[:2] = 3
    Image.fromarray(numbers).save(folder / "masks/numbers/a.png")
    (folder / "masks/classes.txt").write_text("3 sky\n4 road\n")
    runs = {"size": [4, 6], "counts": [0, 4, 20]}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 4, "width": 6}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 2, "segmentation": runs}],
        "categories": [{"id": 2, "name": "pole"}],
    }
    (folder / "masks/all.json").write_text(json.dumps(content))
    return folder


def test_folders_and_classes_of_a_set_are_named_from_the_studys_folder(more):
    study = opened(more, MORE_SETS)
    objects = study.annotations.objects()
    assert objects[["image", "object", "area"]].values.tolist() == [
        ["numbered/a.png", "sky", 12],
        ["described/a.png", "pole", 4],
    ]
    assert study.annotations.report().empty


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"masks/numbers"', '"masks/nubmers"', "nubmers"),
        ('"masks/classes.txt"', '"classes.txt"', r"classes\.txt"),
        ('"masks/all.json"', '"all.json"', r"all\.json"),
        ('"coco"', '"yolo"', r"line \d+.*'yolo' is unknown; .*export it again as COCO"),
        ('"coco"', '"xyz"', "'xyz' is unknown; .*the folder looks like another format"),
    ],
)
def test_what_a_set_names_is_checked_when_the_study_is_opened(more, old, new, message):
    with pytest.raises(SceneLensError, match=message):
        opened(more, MORE_SETS.replace(old, new))


def test_keys_of_another_format_are_refused(more):
    with pytest.raises(SceneLensError, match=r"line .*, number .*: the format 'coco' takes no 'colours'"):
        opened(more, MORE_SETS.replace('labels = "masks/all.json"', "colours = { a = [1, 2, 3] }"))


def test_classes_that_are_edited_change_every_result(more):
    before = opened(more, MORE_SETS).annotation_sets["numbered"]
    assert before.objects().object.tolist() == ["sky"]
    (more / "masks/classes.txt").write_text("3 heaven\n")
    after = opened(more, MORE_SETS).annotation_sets["numbered"]
    assert after.objects().object.tolist() == list(after.masks("a.png")) == ["heaven"]
    assert before.depends_on() != after.depends_on()
