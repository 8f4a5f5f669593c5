import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenelens.errors import SceneLensError
from scenelens.installation import HERE
from scenelens.studies.study_file import StudyFile, _study_names
from tests.tiny_study import STUDY, write_tiny_study
from tests.torture.mutate import NASTY, places, replaced, toml_file
from tests.torture.study_toml import KEYS, WHOLE, use


def changed(old: str, new: str) -> str:
    assert old in STUDY
    return STUDY.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (changed("name =", "nmae ="), "unknown key 'nmae'; close names: name"),
        (changed("width", "widht"), r"\[networks.scene\]: unknown key 'widht'; close names: width"),
        (changed("path =", "paht ="), r"\[images, number 1\]: unknown key 'paht'; close names: path"),
        (changed("[cache]\npath", "[cache]\nfolder"), r"\[cache\]: unknown key 'folder'"),
        (
            changed("fc = 16", 'fc = "16"'),
            r"fc = '16' is of the wrong type; expected a whole number, 1 to 65,536, without quotes",
        ),
        (changed("fc = 16", "fc = true"), "wrong type"),
        (changed('source = "scene-centric"', 'source = "scene-centred"'), "close names: scene-centric"),
        (changed('source = "scene-centric"\n', ""), "the key 'source' is missing"),
        (
            changed('source = "scene-centric"', 'source = "scene-centric"\nlimit = 0'),
            "limit = 0 is not allowed; expected a whole number, 1 to",
        ),
        (changed('source = "scene-centric"', 'source = "scene-centric"\ncategory = "name"'), "file name"),
        (changed("seed = 1\n", ""), "either weights, or a seed"),
        (changed("seed = 1", 'seed = 1\nweights = "w.pth"'), "either weights, or a seed"),
        (changed("seed = 1", 'seed = 1\nfactory = "a.py:b"'), "either an architecture or a factory"),
        (changed('architecture = "caffenet"\n', ""), "either an architecture or a factory"),
        (changed('classes = ["attic", "beach", "cave"]\n', ""), "'classes' is missing"),
        (STUDY + "[networks.scene.preprocessing]\nmaen = [1, 2, 3]", "unknown key 'maen'; close names: mean"),
        (STUDY + "[annotations]\nroot = 'x'", "the key 'format' is missing"),
        ("networks = 3\nimages = []", "wrong type"),
        ("networks = {}\nimages = []", "at least one network"),
        ("networks = {a = 1}\nimages = []", "expected a table"),
        ("", "the key 'networks' is missing"),
        ("name = ", "cannot be read"),
    ],
)
def test_errors_in_the_file_are_named(tmp_path, text, sentence):
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(SceneLensError, match=sentence) as caught:
        StudyFile.read(path)
    assert str(path) in str(caught.value)


def test_a_study_has_a_name(tmp_path):
    path = tmp_path / "mine" / "study.toml"
    path.parent.mkdir()
    path.write_text(STUDY)
    assert StudyFile.read(path).name == "tiny"
    path.write_text(changed('name = "tiny"', ""))
    assert StudyFile.read(path).name == "mine"
    other = path.with_name("yours.toml")
    other.write_text(changed('name = "tiny"', ""))
    assert StudyFile.read(other).name == "yours"


def test_finding_a_study(tmp_path, monkeypatch):
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    assert StudyFile.find(path) == StudyFile.find(str(path)) == StudyFile.find(tmp_path) == path
    embedded = HERE.data / "studies" / "sceneworld.toml"
    assert StudyFile.find("sceneworld") == StudyFile.find(None) == embedded
    monkeypatch.setenv("SCENELENS_STUDY", str(path))
    assert StudyFile.find(None) == path
    with pytest.raises(SceneLensError, match="no study file"):
        StudyFile.find(tmp_path / "none.toml")
    with pytest.raises(SceneLensError, match="no study named 'scene world'; close names: sceneworld"):
        StudyFile.find("scene world")


def test_every_study_of_the_package_is_valid():
    assert "sceneworld" in _study_names()
    for name in _study_names():
        assert StudyFile.read(StudyFile.find(name)).name == name


def test_the_data_folder_can_be_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("SCENELENS_DATA", str(tmp_path))
    assert _study_names() == []
    with pytest.raises(SceneLensError, match="there are none"):
        StudyFile.find("sceneworld")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (STUDY + "[networks.scene.preprocessing]\nsize = [1]", r"size = \[1\] is not allowed"),
        (STUDY + "[networks.scene.preprocessing]\nsize = [1, 'a']", "size = .* is not allowed"),
        (STUDY + "[networks.scene.preprocessing]\nsize = -3", "1 to 10,000"),
        (STUDY + "[networks.scene.preprocessing]\nsize = 99999999999", "1 to 10,000"),
        (STUDY + "[networks.scene.preprocessing]\nresize_to = []", "resize_to = .* is not allowed"),
        (STUDY + "[networks.scene.preprocessing]\nmean = ['a', 'b', 'c']", "three numbers"),
        (STUDY + "[networks.scene.preprocessing]\nstd = [1, nan, 1]", "three numbers"),
        (STUDY + "[networks.scene.preprocessing]\nwhite = inf", "white = inf is not allowed"),
        (STUDY + f"[networks.scene.preprocessing]\nstd = [1, {10**400}, 1]", "three numbers"),
        (STUDY + '[networks.scene.preprocessing]\nmean_image = ""', "a path"),
        (changed('classes = ["apple", "ball"]', "classes = -99999"), "classes = -99999 is not allowed"),
        (changed('classes = ["apple", "ball"]', "classes = []"), "is not allowed"),
        (changed('classes = ["apple", "ball"]', "classes = [1.5]"), "is not allowed"),
        (changed('classes = ["apple", "ball"]', "classes = [[1]]"), "is not allowed"),
        (changed("width = 0.125", "width = nan"), "width = nan is not allowed"),
        (changed("width = 0.125", "width = 1e300"), "at most 8"),
        (changed("fc = 16", "fc = 0"), "fc = 0 is not allowed"),
        (changed("seed = 1", f"seed = {2**64}"), "seed = .* is not allowed"),
        (changed("fc = 16", "fc = 16\nrename = {a = 1}"), "from text to text"),
        (
            changed('source = "scene-centric"', 'source = "scene-centric"\ncategories = {a = [1]}'),
            "text to text",
        ),
        (changed('path = "photos/scene"', r'path = "a\u0000b"'), "a path"),
        (STUDY + "[generator]\nkind = 'sceneworld'\nroot = 'x'\nn_scenes = -1", "0 to 1,000,000"),
        (changed("[cache]", "[cache.path]"), "wrong type"),
        ("name = 1979-05-27", "wrong type; expected a name in quotes"),
        ("a = " + "[" * 100_000, "too deep"),
        ("fc = " + "9" * 5000, "cannot be read"),
        ("x" * 5000 + " = 1", "unknown key 'xxx"),
    ],
)
def test_values_that_nothing_can_use_are_named(tmp_path, text, sentence):
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(SceneLensError, match=sentence) as caught:
        StudyFile.read(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "/etc/x",
        "a/../b",
        r"a\..\b",
        r"\\host\x",
        "~",
        "..",
        ".",
        ".hidden",
        "",
        " ",
        "a\n",
        "C:x",
        "x" * 300,
    ],
)
def test_names_are_names_and_not_paths(tmp_path, name):
    path, quoted = tmp_path / "study.toml", json.dumps(name)
    for text in (
        changed('name = "tiny"', f"name = {quoted}"),
        changed("[networks.object]", f"[networks.{quoted}]"),
        STUDY + f"[annotations]\nname = {quoted}\nroot = '.'\nformat = 'sun'",
        STUDY + f"[[annotations]]\nname = {quoted}\nroot = '.'\nformat = 'sun'",
    ):
        path.write_text(text)
        with pytest.raises(SceneLensError, match="not a path"):
            StudyFile.read(path)


@pytest.mark.parametrize(
    "name", ['Ada\'s "photos", 2nd', "Häuser 日本", "<img src=x>", "$x$", "javascript:alert(1)"]
)
def test_other_names_are_allowed(tmp_path, name):
    path = tmp_path / "study.toml"
    path.write_text(changed('name = "tiny"', f"name = {json.dumps(name)}"))
    assert StudyFile.read(path).name == name


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
    | st.sampled_from(["", "..", "\0", "~nobody", "imagenet", "caffe", "x" * 300, "sun", "a.py:f", "photos"])
    | st.dates(),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=4), values, max_size=3),
    max_leaves=6,
)  # fmt: skip


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    return write_tiny_study(tmp_path_factory.mktemp("fuzzed"), per_category=1)


def use_changed(path, place, value):
    """Use the study in which one value is another one; only a SceneLensError may come of it."""
    path.write_bytes(toml_file(replaced(WHOLE, place, value)))
    with contextlib.suppress(SceneLensError):
        use(path)


@pytest.mark.parametrize("place", [place for place in places(WHOLE) if place], ids=str)
def test_no_value_at_any_place_raises_a_foreign_error(fuzzed, place):
    for value in NASTY:
        use_changed(fuzzed, place, value)


@given(st.data())
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_study_file_raises_a_foreign_error(fuzzed, data):
    place = data.draw(st.sampled_from([place for place in places(WHOLE) if place]))
    if isinstance(place[-1], str) and data.draw(st.booleans()):
        place = (*place[:-1], data.draw(st.sampled_from(KEYS)))
    use_changed(fuzzed, place, data.draw(VALUES))
