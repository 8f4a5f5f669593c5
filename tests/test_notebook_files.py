"""Notebooks are copied, and what a reader has changed stays."""

import pytest

from scenelens import notebook_files
from scenelens.errors import SceneLensError
from scenelens.installation import HERE, Installation
from scenelens.notebook_files import _copy_notebooks, own_notebooks

NAMES = sorted(path.name for path in HERE.notebooks.glob("*.ipynb"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.ipynb")}


def test_all_notebooks_are_copied(tmp_path):
    (said,) = _copy_notebooks(tmp_path / "new/my work", force=False)
    assert said == f"{len(NAMES)} notebooks written into {tmp_path / 'new/my work'}."
    assert contents(tmp_path / "new/my work") == contents(HERE.notebooks)
    assert _copy_notebooks(tmp_path / "new/my work", force=False)[0].startswith("0 notebooks")


def test_a_changed_notebook_stays_unless_forced(tmp_path):
    _copy_notebooks(tmp_path, force=False)
    (tmp_path / NAMES[0]).write_text("mine")
    (tmp_path / NAMES[1]).unlink()
    assert _copy_notebooks(tmp_path, force=False) == [
        f"1 notebook written into {tmp_path}.",
        f"{NAMES[0]} is kept: it was changed there. --force replaces it.",
    ]
    assert (tmp_path / NAMES[0]).read_text() == "mine"
    assert _copy_notebooks(tmp_path, force=True) == [f"1 notebook written into {tmp_path}."]
    assert contents(tmp_path) == contents(HERE.notebooks)


def test_a_file_of_the_same_name_that_is_no_copy_stays(tmp_path):
    (tmp_path / NAMES[0]).write_text("somebody else's")
    assert len(_copy_notebooks(tmp_path, force=False)) == 2
    assert (tmp_path / NAMES[0]).read_text() == "somebody else's"


@pytest.mark.parametrize("record", [None, "{", "[]"])
def test_an_unchanged_copy_of_an_earlier_version_is_replaced(tmp_path, monkeypatch, record):
    earlier = tmp_path / "scenelens"
    (earlier / "notebooks").mkdir(parents=True)
    (earlier / "data").mkdir()
    for name in NAMES:
        (earlier / "notebooks" / name).write_text("earlier")
    with monkeypatch.context() as patch:
        patch.setattr(notebook_files, "HERE", Installation(earlier))
        _copy_notebooks(tmp_path / "copies", force=False)
    if record is None:
        _copy_notebooks(tmp_path / "copies", force=False)
        assert contents(tmp_path / "copies") == contents(HERE.notebooks)
    else:  # nothing is known any more, so all of them may be changed
        (tmp_path / "copies/.scenelens-notebooks.json").write_text(record)
        assert len(_copy_notebooks(tmp_path / "copies", force=False)) == 1 + len(NAMES)


def test_notebooks_are_not_copied_onto_themselves_or_onto_a_file(tmp_path):
    (tmp_path / "file").touch()
    for place in (HERE.notebooks, tmp_path / "file"):
        with pytest.raises(SceneLensError, match="choose another"):
            _copy_notebooks(place, force=True)


def test_a_checkout_uses_its_own_and_a_wheel_copies_once(tmp_path, monkeypatch, capsys):
    assert own_notebooks() == HERE.notebooks
    wheel = tmp_path / "scenelens"
    (wheel / "data").mkdir(parents=True)
    (wheel / "notebooks").mkdir()
    (wheel / "notebooks/a.ipynb").write_text("a")
    monkeypatch.setattr(notebook_files, "HERE", Installation(wheel))
    monkeypatch.chdir(tmp_path)
    assert (own_notebooks() / "a.ipynb").read_text() == "a"
    assert "1 notebook written" in capsys.readouterr().out
    own_notebooks()
    assert capsys.readouterr().out == ""
