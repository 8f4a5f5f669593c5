"""The package works in folders of any name, and by the rules of Windows and macOS.

The same study is used twice: in a plain folder, and in one whose name and photographs have every character
that a shell, a pattern, a URL or another system takes for something else, under the rules of Windows.
"""

from __future__ import annotations

import hashlib
import html
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from scenelens.__main__ import _main as command_line
from scenelens.analysis import UnitAnalysis
from scenelens.files import file_name
from scenelens.labels import LabelStore
from scenelens.studies import Study, open_study
from scenelens.unit_semantics.session import _AnnotationSession
from scenelens.workbook.__main__ import main as workbook
from tests.annotated_study import annotated_study
from tests.requirements_gate import ROOT
from tests.windows_rules import collisions, illegal, windows_rules

#: Letters with a mark, composed and decomposed: macOS hands out the second form.
COMPOSED, DECOMPOSED = "\u00e9", "e\u0301"
#: A folder of Linux or macOS.
ODD = f'-it\'s 50%25 "[m*i?n!e]" #1 q=a&b;c {COMPOSED} {DECOMPOSED} 漢字 {{x}} $HOME `id` <b> a\\b'
#: How names of photographs begin and end, as Windows allows them. The number between is their order.
BEGINNING = "-rf [ab] "
ENDINGS = ["50%25 ", "it's ", COMPOSED, DECOMPOSED, "#1&b;c", "{x} $HOME", "漢字" * 30]


def odd_photographs(folder: Path) -> None:
    """Give each photograph of the annotated study, and its annotation, such a name."""
    for number, category in enumerate(sorted((folder / "world" / "Images").glob("*/*"))):
        for place, file in enumerate(sorted(category.iterdir())):
            new = f"{BEGINNING}{file.stem}{ENDINGS[(number + place) % len(ENDINGS)]}"
            xml = folder / "world" / "Annotations" / category.relative_to(folder / "world" / "Images")
            xml = xml / f"{file.stem}.xml"
            if xml.exists():
                text = xml.read_text("utf-8").replace(file.name, f"{new}.png".replace("&", "&amp;"))
                (xml.parent / f"{new}.xml").write_text(text, "utf-8")
                xml.unlink()
            file.rename(file.with_name(f"{new}.png"))


@dataclass
class Used:
    """What came out of the main ways of using a study."""

    study: Study
    digests: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)

    def add(self, name: str, values: object) -> None:
        self.digests[name] = hashlib.sha256(np.asarray(values).tobytes()).hexdigest()


def use(folder: Path, odd: bool) -> Used:
    """Prepare a study as `make workbook` does, answer a question, and write files for others."""
    path = annotated_study(folder, 4).file.path
    if odd:
        odd_photographs(folder)
    study = open_study(path)
    used = Used(study)
    for name in ("scene", "object"):
        used.add(f"{name} peaks", study.index(name).peaks("pool5"))
        used.add(f"{name} order", study.index(name).top_images("pool5", 3, 5)[["peak"]].to_numpy())
        # Over all images: which of them judge a name depends on what they are called.
        labels = study.automatic_labels(name)
        used.add(f"{name} labels", np.concatenate([labels.table(layer).iou for layer in labels.layers]))
    used.files["answers"] = answered(study)
    units = UnitAnalysis(study, "scene")
    out = folder / "for others"
    used.files["labels"] = units.write_labels(out)
    used.files["overlay"] = units.write_overlay(out / "a unit.svg", "pool5", 3)
    used.files["csv"] = study.answers.export_csv(out / "answers.csv")
    return used


def answered(study: Study) -> Path:
    """Begin an answer, go on with it in a new session, save it, and merge it into another file."""
    session = _AnnotationSession(study, [("scene", "pool5", 3)], "Ann")
    session.concept = "a lamp"
    again = _AnnotationSession(study, [("scene", "pool5", 3)], "Ann")
    assert again.concept == "a lamp"
    again.type = "object"
    again.mark_all(sorted(again.task().catch))
    assert again.accept()
    other = LabelStore(study.answers.path.with_name("of the class.db"))
    assert other.merge(study.answers) == 1
    assert other.labels().concept.tolist() == ["a lamp"]
    return other.path


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """The study in a plain folder, in an odd one, and what the rules of Windows refused."""
    plain, odd = tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("odd") / ODD
    (odd / "temporary").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch, windows_rules(odd) as refused:
        patch.setattr(tempfile, "tempdir", str(odd / "temporary"))
        found = use(odd, odd=True)
    return use(plain / "mine", odd=False), found, refused


def test_results_are_the_same_in_any_folder(used):
    plain, odd, _ = used
    assert odd.digests == plain.digests
    assert {path.name for path in odd.study.images.path} != {path.name for path in plain.study.images.path}


def test_windows_would_have_allowed_everything(used):
    # filelock itself removes its file there, once it is closed.
    assert [one for one in used[2] if not one.endswith(".lock")] == []


def test_every_file_has_a_name_of_its_own_on_any_system(used):
    _, odd, _ = used
    folder = odd.study.file.path.parent
    assert collisions(odd.study.cache) == []
    names = {one for path in folder.rglob("*") for one in path.relative_to(folder).parts}
    assert not [one for one in names if illegal(one)]
    assert file_name("aux") != "aux"


# ---- commands


def test_a_notebook_in_an_odd_folder_becomes_a_page(used, tmp_path, monkeypatch):
    study, place = used[1].study.file.path, tmp_path / ODD
    place.mkdir()
    names = ["01 it's 50%25 #1 [a] é.ipynb", '02 ?q=a&b;c <b> "x".ipynb']
    for name in names:
        shutil.copy(ROOT / "tests/notebooks/good.ipynb", place / name)
    monkeypatch.setenv("SCENELENS_STUDY", str(study))
    pages = place / "the pages"
    assert workbook([str(place), "--out", str(pages), "--study", str(study)]) == 0
    for page in pages.glob("*.html"):
        links = re.findall(r'href="([^"#][^"]*)"', page.read_text("utf-8"))
        files = [unquote(html.unescape(link).partition("#")[0]) for link in links if "://" not in link]
        # The notebook itself names one that is not among these.
        assert {file for file in files if not (pages / file).is_file()} <= {"fails_in_cell.html"}
        assert len(files) > 1
    assert {path.name for path in pages.glob("*.html")} >= {"index.html", "glossary.html"}
    assert len(list(pages.glob("*.html"))) == len(names) + 3  # the index, the glossary and the search


def test_the_notebooks_are_copied_into_an_odd_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command_line(["notebooks", f"./{ODD}"]) == 0
    assert {path.name for path in (tmp_path / ODD).glob("*.ipynb")} == {
        path.name for path in (ROOT / "notebooks").glob("*.ipynb")
    }


def test_a_study_of_odd_photographs_is_begun(tmp_path, capsys):
    place = tmp_path / ODD
    path = annotated_study(place / "old", 2).file.path
    odd_photographs(path.parent)
    words = ["--scene-network", "caffenet", "--scene-classes", str(place / "classes #1.txt")]
    (place / "classes #1.txt").write_text("attic\nbeach\ncave\n", encoding="utf-8")
    photographs = path.parent / "world" / "Images" / "scene"
    new = place / "a new, 'one'.toml"
    status = command_line(["new-study", str(new), *words, "--scenes", str(photographs)])
    assert status == 0, capsys.readouterr().err
    found = open_study(new).images
    assert len(found) == 6
    assert set(found.category) == {"attic", "beach", "cave"}
