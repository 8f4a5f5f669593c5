"""Plurals and synonyms fold into one name, by a table that a reader may edit and may break."""

import pandas as pd
import pytest

from scenelens.annotations.names import Folding
from scenelens.errors import SceneLensError
from scenelens.sceneworld.truth import truth_table


@pytest.mark.parametrize(("raw", "object_"), [
    ("paintings", "painting"), ("ferris_wheel", "ferris wheel"), ("person sitting crop", "person"),
    ("windowpane", "window"), ("Light House", "lighthouse"), ("lighthouses", "lighthouse"),
    ("windowpane, window", "window"), ("dog, face, nose, eyes, fur", "dog"), ("glass", "glass"),
    ("picture", "picture"), ("tree's", "tree"), ("ancient, building", "building"), (", ,", ""),
])  # fmt: skip
def test_names_fold(raw, object_):
    assert Folding.read()(raw) == object_


def test_folding_twice_changes_nothing():
    fold = Folding.read()
    for name in fold._homes:
        assert fold(fold(name)) == fold(name)


def test_the_objects_of_the_embedded_world_stay_apart():
    """A table that folds two of its objects together would change every count."""
    names = sorted(truth_table().object.unique())
    assert [Folding.read()(name) for name in names] == [name.replace("_", " ") for name in names]


def test_labels_are_folded():
    labels = pd.DataFrame({"concept": ["trees", "Tree", "sea"], "unit": [1, 2, 3]})
    assert Folding.read().concepts(labels).concept.tolist() == ["tree", "tree", "sea"]


def test_a_name_on_two_lines_raises():
    with pytest.raises(SceneLensError, match="'cot' stands under 'bed' and under 'crib'"):
        Folding({"bed": ["cot"], "crib": ["cot"]})
    with pytest.raises(SceneLensError, match="one object"):
        Folding({"bed": ["crib"], "crib": []})


@pytest.mark.parametrize(("text", "said"), [
    ('painting = "paintings"', "must be a list"), ("painting = [1]", "must be a list"),
    ("painting [", "is not valid TOML"),
])  # fmt: skip
def test_a_broken_table_names_its_file(tmp_path, text, said):
    path = tmp_path / "names.toml"
    path.write_text(text)
    with pytest.raises(SceneLensError, match=said) as caught:
        Folding.read(path)
    assert "names.toml" in str(caught.value)


def test_no_table_and_no_text(tmp_path):
    with pytest.raises(SceneLensError, match=r"nowhere\.toml cannot be read"):
        Folding.read(tmp_path / "nowhere.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SceneLensError, match=r"bytes\.toml is not valid TOML"):
        Folding.read(tmp_path / "bytes.toml")


def test_a_readers_own_table(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('vehicle = ["car", "bus"]\n')
    fold = Folding.read(path)
    assert (fold("CAR"), fold("trees"), len(fold)) == ("vehicle", "trees", 3)
