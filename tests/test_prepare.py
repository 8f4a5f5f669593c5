"""The command line that does the long work before the notebooks."""

import pytest

from scenelens.prepare import main
from scenelens.receptive_fields import open_atlas
from scenelens.studies import open_study
from tests.annotated_study import annotated_study
from tests.tiny_study import write_tiny_study


@pytest.fixture
def path(tmp_path):
    """The file of a study without annotations."""
    return write_tiny_study(tmp_path)


def test_study_builds_the_index_of_every_network(path):
    assert main(["study", "--study", str(path)]) == 0
    folders = {folder.name.partition("-")[0] for folder in (path.parent / "cache" / "index").glob("*-*")}
    assert folders == {"scene", "object"}
    assert not (path.parent / "cache" / "labels").exists()


def test_study_measures_a_field_of_every_layer(path):
    assert main(["study", "--study", str(path)]) == 0
    table = open_atlas(open_study(path)).table()
    assert (table.cached == 1).all()
    assert open_atlas(open_study(path)).grow(1) == 0


def test_study_labels_the_units_of_every_network_where_images_are_annotated(tmp_path):
    study = annotated_study(tmp_path, per_category=2)
    assert main(["study", "--study", str(study.file.path)]) == 0
    files = {file.name.partition("-")[0] for file in (study.cache / "labels").glob("*.npz")}
    assert files == {"scene", "object"}


def test_a_second_run_computes_nothing(path):
    def written():
        files = (path.parent / "cache" / "index").rglob("*")
        return {file: file.stat().st_mtime_ns for file in files if file.is_file()}

    main(["study", "--study", str(path)])
    before = written()
    assert main(["study", "--study", str(path)]) == 0
    assert written() == before


def test_the_environment_chooses_the_study(path, monkeypatch):
    monkeypatch.setenv("SCENELENS_STUDY", str(path))
    assert main(["study"]) == 0
    assert (path.parent / "cache" / "index").is_dir()


def test_atlas_measures_units_of_every_layer_and_prints_their_sizes(path, capsys):
    assert main(["atlas", "--study", str(path), "--images", "2", "--units", "1"]) == 0
    printed, said = capsys.readouterr()
    cache = open_study(path).cache / "atlas"
    assert f"stored in {cache}" in printed
    for layer in ("pool1", "pool5"):
        assert layer in printed
        assert list(cache.rglob(f"{layer}/*.npz"))
    assert "will take about" in said


@pytest.mark.parametrize("command", ["study", "atlas", "retention"])
def test_an_unknown_study_is_one_sentence(command, capsys):
    assert main([command, "--study", "sceneword"]) == 2
    printed, said = capsys.readouterr()
    assert printed == ""
    name = "prepare" if command == "study" else command
    assert said.startswith(f"{name}: no study named 'sceneword'; close names: sceneworld.")
    assert len(said.splitlines()) == 1


def test_an_unknown_command_lists_the_commands(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["studies"])
    assert caught.value.code == 2
    assert "study" in capsys.readouterr().err
