import json

import pytest

from scenelens.errors import SceneLensError
from scenelens.networks.class_names import read_class_names, same_class


@pytest.mark.parametrize(
    ("name", "text", "names"),
    [
        ("c.txt", "attic\nbeach\n\n", ["attic", "beach"]),
        (
            "c.txt",
            "/b/bow_window/indoor 1\n/a/abbey 0\n",
            ["abbey", "bow_window/indoor"],
        ),  # the numbers decide
        ("c.txt", "n01440764 tench, Tinca tinca\nn01443537 goldfish", ["tench, Tinca tinca", "goldfish"]),
        ("c.txt", "n01440764 tench, Tinca tinca 0\n/a/airfield 1", ["tench, Tinca tinca", "airfield"]),
        ("c.json", json.dumps(["a", "b"]), ["a", "b"]),
        ("c.json", json.dumps({"1": ["n2", "b"], "0": ["n1", "a"]}), ["a", "b"]),
        ("c.json", json.dumps({"10": "k", **{str(n): "x" for n in range(10)}}), ["x"] * 10 + ["k"]),
        ("card.json", json.dumps({"accuracy": 0.9, "classes": ["a", "b"]}), ["a", "b"]),
    ],
)
def test_all_the_forms(tmp_path, name, text, names):
    (tmp_path / name).write_text(text)
    assert read_class_names(tmp_path / name) == names


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("c.txt", "", "no class names"),
        ("c.txt", "/a/abbey 0\n/b/bar 2\n", "gaps"),
        ("c.txt", "/a/abbey 0\n/b/bar 0\n", "gaps or twice"),
        ("c.json", "{", "not a JSON file"),
        ("c.json", '{"a": 1}', "no class names"),
    ],
)
def test_broken_files_are_named(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(SceneLensError, match=sentence) as caught:
        read_class_names(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(SceneLensError, match="cannot be read"):
        read_class_names(tmp_path / "none.txt")
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SceneLensError, match="cannot be read"):
        read_class_names(tmp_path / "x.txt")


def test_the_real_lists(real):
    places = read_class_names(real / "classes" / "categories_places365.txt")
    assert (len(places), places[0], places[-1]) == (365, "airfield", "zen_garden")
    assert len(read_class_names(real / "classes" / "categories_hybrid1365.txt")) == 1365


@pytest.mark.parametrize(
    ("category", "name", "same"),
    [
        ("great_white_shark", "great white shark, white shark", True),
        ("white_shark", "great white shark, white shark", True),
        ("shark", "great white shark, white shark", False),
        ("Football field", "football_field", True),
        ("lamp/floor", "lamp_floor", True),
        ("desert", "desert/sand", False),
        ("n01440764_tench", "tench, Tinca tinca", True),
    ],
)
def test_same_class(category, name, same):
    assert same_class(category, name) is same
