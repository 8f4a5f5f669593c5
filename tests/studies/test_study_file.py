import pytest

from scenelens.errors import SceneLensError
from scenelens.files import data_folder
from scenelens.studies.study_file import StudyFile, _find_study, _study_names
from tests.tiny_study import STUDY


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
        (changed("fc = 16", 'fc = "16"'), r"fc = '16' is of the wrong type; expected int"),
        (changed("fc = 16", "fc = true"), "wrong type"),
        (changed('source = "scene-centric"', 'source = "scene-centred"'), "close names: scene-centric"),
        (changed('source = "scene-centric"\n', ""), "the key 'source' is missing"),
        (changed('source = "scene-centric"', 'source = "scene-centric"\nlimit = 0'), "leaves no image"),
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
    assert _find_study(path) == _find_study(str(path)) == _find_study(tmp_path) == path
    assert _find_study("sceneworld") == _find_study(None) == data_folder() / "studies" / "sceneworld.toml"
    monkeypatch.setenv("SCENELENS_STUDY", str(path))
    assert _find_study(None) == path
    with pytest.raises(SceneLensError, match="no study file"):
        _find_study(tmp_path / "none.toml")
    with pytest.raises(SceneLensError, match="no study named 'scene world'; close names: sceneworld"):
        _find_study("scene world")


def test_every_study_of_the_package_is_valid():
    assert "sceneworld" in _study_names()
    for name in _study_names():
        assert StudyFile.read(name).name == name


def test_the_data_folder_can_be_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("SCENELENS_DATA", str(tmp_path))
    assert _study_names() == []
    with pytest.raises(SceneLensError, match="there are none"):
        _find_study("sceneworld")
