"""A study's annotations: one set, several sets, several formats, and mistakes in study.toml."""

from __future__ import annotations

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
