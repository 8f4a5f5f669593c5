import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelens.errors import SceneLensError
from scenelens.networks.class_names import ClassNames
from scenelens.networks.torchvision_shim import load_torchvision


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
        (
            "c.json",
            json.dumps({"10": "k", **{str(n): "x" for n in range(10)}}),
            [*(f"x ({n})" for n in range(10)), "k"],
        ),
        ("card.json", json.dumps({"accuracy": 0.9, "classes": ["a", "b"]}), ["a", "b"]),
    ],
)
def test_all_the_forms(tmp_path, name, text, names):
    (tmp_path / name).write_text(text)
    assert list(ClassNames.read(tmp_path / name)) == names


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("c.txt", "", "no class names"),
        ("c.txt", "/a/abbey 0\n/b/bar 2\n", "gaps"),
        ("c.txt", "/a/abbey 0\n/b/bar 0\n", "gaps or twice"),
        ("c.json", "{", "not a JSON file .* one name per line"),
        ("data.yaml", "nc: 2\nnames: [a, b]", "more than a list of names"),
        ("c.json", '{"a": "b"}', "no class names"),
    ],
)
def test_broken_files_are_named(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(SceneLensError, match=sentence) as caught:
        ClassNames.read(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(SceneLensError, match="cannot be read"):
        ClassNames.read(tmp_path / "none.txt")
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SceneLensError, match="cannot be read"):
        ClassNames.read(tmp_path / "x.txt")


def test_the_real_lists(real):
    places = ClassNames.read(real / "classes" / "categories_places365.txt")
    assert (len(places), places[0], places[-1]) == (365, "airfield", "zen_garden")
    assert len(ClassNames.read(real / "classes" / "categories_hybrid1365.txt")) == 1365


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
def test_a_category_means_a_class(category, name, same):
    assert bool(ClassNames([name]).find(category)) is same


@pytest.mark.parametrize(
    "names",
    [
        ["厨房", "沙漠", "天空"],
        ["مطبخ", "صحراء", "سماء"],
        ["кухня", "пустыня", "небо"],
        ["ครัว", "ครั", "ทราย"],
        ["🏖️", "🏔️", "🌆", "👩‍🍳", "👨‍🍳"],
        ["???", "!!!", "..."],
        ["C++", "C#", "C"],
        ["かき", "がき"],
    ],
)
def test_names_of_any_script_are_told_apart(names):
    classes = ClassNames(names)
    assert list(classes) == names
    assert [classes.find(name) for name in names] == [[n] for n in range(len(names))]


@pytest.mark.parametrize(
    ("category", "name"),
    [
        (unicodedata.normalize("NFD", "Küche"), "küche"),
        ("STRASSE", "straße"),
        ("ΟΔΟΣ", "οδος"),
        ("living-room", "Living_room"),
        ("living room", "living\u2013room"),
        ("客厅_一", "客厅 一"),
        ("jack_o_lantern", "jack-o'-lantern"),
        ("\ufeffattic", "attic"),
        ("bow_window-indoor", "/b/bow_window/indoor"),
    ],
)
def test_spelling_that_does_not_count(category, name):
    assert ClassNames(["other", name]).find(category) == [1]


@given(st.lists(st.text("abcäé厨房к🏖٣_- ", min_size=1, max_size=4), min_size=1, max_size=8, unique=True))
def test_every_shown_name_means_its_own_class(names):
    classes = ClassNames(names)
    assert len(set(classes)) == len(names)
    for number, name in enumerate(names):
        assert number in classes.find(name)
    for number, name in enumerate(classes):
        assert number in classes.find(name)


def test_two_classes_of_one_name_have_their_numbers():
    classes = ClassNames(["crane", "heron", "Crane"], ["n02012849", "n02009912", "n03126707"])
    assert list(classes) == ["crane (0)", "heron", "Crane (2)"]
    assert classes.find("crane") == [0, 2]
    assert classes.find("crane (2)") == classes.find("n03126707") == classes.find("n03126707_crane") == [2]
    assert classes.find("n09999999") == []
    assert repr(classes) == "3 classes: crane (0) ... Crane (2)"


def test_a_whole_name_counts_before_a_synonym():
    classes = ClassNames(["maillot", "maillot, tank suit", "corn", "ear, spike, corn"])
    assert classes.find("maillot") == [0]
    assert classes.find("tank suit") == [1]
    assert classes.find("Corn") == [2]
    assert ClassNames(["ear, corn", "corn, maize"]).find("corn") == [0, 1]


def test_imagenets_classes_have_their_numbers():
    classes = ClassNames.imagenet()
    assert (len(classes), classes[0], classes[999]) == (1000, "tench", "toilet tissue")
    assert classes.find("n01440764") == [0]
    assert classes.find("n03126707") == [517]
    assert classes.find("cardigan") == [264, 474]
    assert (classes[264], classes[474]) == ("Cardigan (264)", "cardigan (474)")


def test_imagenets_numbers_are_those_of_timm():
    load_torchvision()  # timm imports it
    timm = pytest.importorskip("timm.data")
    assert ClassNames.imagenet().wnids == timm.ImageNetInfo("imagenet-1k").label_names()
