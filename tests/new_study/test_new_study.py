"""The command that begins a study: what it finds out, what it writes, and that what it writes opens."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from scenelens.__main__ import _main
from scenelens.errors import CannotAnswerError
from scenelens.minimal_images import choose_categories
from scenelens.networks import PRESETS, Preprocessing
from scenelens.new_study import begin_study
from scenelens.new_study.draft import _quoted, _StudyDraft, _value
from scenelens.new_study.trial import _PreparationTrial, _same, _ways
from scenelens.studies.study import open_study
from tests.annotated_study import annotated_study

COLOURS = {"red": (220, 30, 40), "green": (40, 200, 30), "blue": (30, 40, 230), "yellow": (230, 220, 20)}


class ByColour(nn.Module):
    """Right only for BGR pixels from 0 to 255 less Caffe's mean: a network with a preparation of its own."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 3, 1, bias=False), nn.Linear(3, 4)
        centre = torch.tensor([one[::-1] for one in COLOURS.values()]) - torch.tensor(PRESETS["caffe"].mean)
        with torch.no_grad():
            self.conv.weight[:] = torch.eye(3).reshape(3, 3, 1, 1)
            self.fc.weight[:] = 2 * centre  # the nearest centre has the highest score
            self.fc.bias[:] = -(centre**2).sum(1)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))


FACTORY = "from tests.new_study.test_new_study import ByColour\n\n\ndef build():\n    return ByColour()\n"


def photographs(folder: Path, n: int = 8, names=tuple(COLOURS)) -> Path:
    rng = np.random.default_rng(0)
    for name, colour in zip(names, COLOURS.values(), strict=False):
        (folder / name).mkdir(parents=True)
        for k in range(n):
            noise = rng.integers(-20, 21, (40, 50, 3))
            Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(
                folder / name / f"{k}.png"
            )
    return folder


@pytest.fixture
def colours(tmp_path):
    """A factory, its classes and photographs."""
    (tmp_path / "net.py").write_text(FACTORY)
    (tmp_path / "classes.txt").write_text("\n".join(COLOURS))
    photographs(tmp_path / "photos")
    return tmp_path


def given(folder: Path, *more: str) -> list[str]:
    network = ["--scene-network", f"{folder}/net.py:build", "--scene-classes", f"{folder}/classes.txt"]
    return [str(folder / "mine.toml"), *network, "--scenes", str(folder / "photos"), "--trust", *more]


# ---- the preparation


def test_the_right_preparation_is_found_and_written(colours, capsys):
    assert begin_study(given(colours)) == 0
    how = open_study(colours / "mine.toml").networks["scene"].preprocessing
    assert how.channels == "BGR"
    assert how.white == 255
    text = (colours / "mine.toml").read_text()
    said = capsys.readouterr().out
    assert "Tried on 32 photographs: right on 100% (89–100%)" in " ".join(said.split())
    assert "# Tried on 32 photographs: right on 100%" in text


def test_where_no_folder_is_a_class_nothing_is_concluded(colours, capsys):
    (colours / "classes.txt").write_text("oak\nash\nelm\nfir\n")
    assert begin_study(given(colours)) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Not tried: no folder of photographs has the name of exactly one of its classes." in said
    assert "a class for 0 of these 4 categories" in said
    assert "It has none for red, green, blue, yellow" in said.replace(
        "blue, green, red, yellow", "red, green, blue, yellow"
    )


def test_classes_of_one_name_are_told_apart_by_what_can_be_pasted(colours, capsys):
    (colours / "classes.txt").write_text("red\ngreen\nblue\nred\n")
    assert begin_study(given(colours)) == 0
    said = capsys.readouterr().out
    assert 'categories = { "red" = "red (0)" }' in said
    with (colours / "mine.toml").open("a") as file:
        file.write('categories = { "red" = "red (0)" }\n')
    study = open_study(colours / "mine.toml")
    meant = set(study.images.category) - {"green", "blue", "yellow"}
    assert [study.networks["scene"].class_names.find(one) for one in meant] == [[0]]


def test_no_better_than_chance_is_said(colours, capsys):
    # The classes in another order: whatever the preparation, the network is wrong.
    (colours / "classes.txt").write_text("green\nblue\nyellow\nred\n")
    assert begin_study(given(colours)) == 0
    assert "That is not better than chance (25%)" in capsys.readouterr().out


def test_an_untrained_network_is_not_tried(tmp_path, capsys):
    photographs(tmp_path / "photos")
    words = ["--scene-network", "squeezenet1_1", "--scene-classes", "4", "--scenes", str(tmp_path / "photos")]
    assert begin_study([str(tmp_path / "mine.toml"), *words]) == 0
    text = (tmp_path / "mine.toml").read_text()
    assert "seed = 0" in text
    assert "untrained, so no way of preparing photographs can be tried" in text
    network = open_study(tmp_path / "mine.toml").networks["scene"]
    assert network.preprocessing == PRESETS["imagenet"]


def test_only_what_is_known_of_a_network_is_written(tmp_path, capsys):
    photographs(tmp_path / "photos")
    object_words = ["--object-network", "squeezenet1_1", "--object-classes", "imagenet"]
    flat = ["--objects", str(tmp_path / "photos")]
    assert begin_study([str(tmp_path / "one.toml"), *object_words, *flat]) == 0
    text = (tmp_path / "one.toml").read_text()
    assert "# Random weights, in the place of a network that was trained on objects.\n" in text
    assert "for comparison" not in text
    assert "weights: random (seed 0), so it has learnt nothing" in capsys.readouterr().out
    scene_words = ["--scene-network", "squeezenet1_1", "--scene-classes", "4"]
    assert begin_study([str(tmp_path / "two.toml"), *scene_words, *object_words, *flat]) == 0
    assert "trained on objects, for comparison.\n" in (tmp_path / "two.toml").read_text()


def test_the_outlook_on_minimal_images_is_the_notebook_s_own_rule(tmp_path, capsys):
    """An object network alone has minimal images of what its photographs show."""
    for folder, answer in (("tench", "yes  03_1: minimal"), ("no such class", "no   03_1: not minimal")):
        photos = photographs(tmp_path / folder / "photos", names=(folder, "another"))
        words = ["--object-network", "squeezenet1_1", "--object-classes", "imagenet"]
        words += ["--objects", str(photos)]
        assert begin_study([str(tmp_path / folder / "mine.toml"), *words]) == 0
        assert answer in capsys.readouterr().out
        study = open_study(tmp_path / folder / "mine.toml")
        if folder == "tench":
            assert choose_categories(study) == ["tench"]
        else:
            with pytest.raises(CannotAnswerError):
                choose_categories(study)


def test_the_ways_differ_from_each_other_and_cover_the_usual_mistakes():
    ways = dict(_ways(PRESETS["imagenet"]))
    found = list(ways.values())
    assert len(found) == len({repr(one) for one in found}) > 10
    for k, one in enumerate(found):
        assert not any(_same(one, other) for other in found[:k])
    for how in (
        PRESETS["imagenet"],
        replace(PRESETS["caffe"], size=(224, 224), resize="short side", resize_to=256),
        replace(PRESETS["imagenet"], mean=(0, 0, 0), std=(1, 1, 1)),
        replace(PRESETS["imagenet"], mean=(0.5,) * 3, std=(0.5,) * 3),
    ):
        assert any(_same(one, how) for one in found), how
    assert {(one.channels, one.white) for one in found} == {
        ("RGB", 1.0), ("RGB", 255.0), ("BGR", 1.0), ("BGR", 255.0)
    }  # fmt: skip


# ---- what is written


def test_categories_may_stand_in_the_names_of_files(colours):
    flat = colours / "flat"
    flat.mkdir()
    for path in (colours / "photos").rglob("*.png"):
        path.rename(flat / f"{path.parent.name}.png" if path.stem == "0" else path)
    words = [one.replace(f"{colours}/photos", str(flat)) for one in given(colours)]
    assert begin_study(words) == 0
    study = open_study(colours / "mine.toml")
    assert sorted(study.images.category) == sorted(COLOURS)


def test_annotations_are_recognised(tmp_path, capsys):
    study = annotated_study(tmp_path / "s", per_category=2)
    world = study.file.path.parent / "world"
    words = ["--scene-network", "caffenet", "--scene-classes", "3", "--scenes", f"{world}/Images/scene"]
    assert begin_study([str(tmp_path / "mine.toml"), *words, "--annotations", str(world)]) == 0
    found = open_study(tmp_path / "mine.toml")
    assert found.annotations is not None
    assert len(found.annotations.images) == 6
    said = capsys.readouterr().out
    assert "looks like annotations of the format sun" in said
    assert "Only 6 photographs are annotated" in said
    assert "yes  04_1: which objects emerge." in said
    assert "but  Only 6 photographs" in said
    assert "no   Only" not in said


def test_masks_without_names_are_left_for_the_reader(colours, capsys):
    (colours / "masks" / "labels").mkdir(parents=True)
    (colours / "masks" / "images").mkdir()
    for folder in ("labels", "images"):
        Image.new("RGB", (20, 20), "red").save(colours / "masks" / folder / "a.png")
    assert begin_study(given(colours, "--annotations", str(colours / "masks"))) == 0
    text = (colours / "mine.toml").read_text()
    assert "# colours = { sky" in text
    assert open_study(colours / "mine.toml").annotations is None
    assert (
        "no   04_1: not which objects emerge, which needs annotations of objects." in capsys.readouterr().out
    )


def test_paths_below_the_study_are_relative_and_others_absolute(tmp_path):
    draft = _StudyDraft(tmp_path / "here" / "mine.toml")
    assert draft._relative(tmp_path / "here" / "a b" / "c") == "a b/c"
    assert draft._relative(tmp_path / "there") == str(tmp_path / "there")


def test_links_keep_the_names_that_the_reader_gave(tmp_path):
    """photos/scenes may be a link to a disk: the file says photos/scenes, so that it stays right."""
    here, disk = tmp_path / "here", tmp_path / "disk"
    disk.mkdir()
    (here / "photos").mkdir(parents=True)
    (here / "photos" / "scenes").symlink_to(disk)
    (tmp_path / "also_here").symlink_to(here)
    assert _StudyDraft(here / "mine.toml")._relative(here / "photos" / "scenes") == "photos/scenes"
    assert _StudyDraft(here / "mine.toml")._relative(here / "photos" / ".." / "photos") == "photos"
    # The study's folder by one name, the photographs' by another.
    assert _StudyDraft(tmp_path / "also_here" / "mine.toml")._relative(here / "photos") == "photos"


def test_a_linked_folder_is_written_as_it_was_given(tmp_path):
    photographs(tmp_path / "disk")
    (tmp_path / "photos").symlink_to(tmp_path / "disk")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "photos").symlink_to(tmp_path / "disk")
    words = ["--object-network", "squeezenet1_1", "--object-classes", "4"]
    file = tmp_path / "study" / "mine.toml"
    assert begin_study([str(file), *words, "--objects", str(tmp_path / "study" / "photos")]) == 0
    assert 'path = "photos"' in file.read_text()
    assert len(open_study(file).images) == 32


@pytest.mark.parametrize("name", ['a "quoted" one', "C:\\photos\\new", "厨房 café", "tab\there", "\x7f'\"'"])
def test_any_text_is_written_as_toml(name):
    import tomllib

    assert tomllib.loads(f"a = {_quoted(name)}")["a"] == name
    assert tomllib.loads(f"a = {_value((1.5, 2, name))}")["a"] == [1.5, 2, name]


def test_a_folder_with_quotes_and_spaces_opens_again(tmp_path):
    place = photographs(tmp_path / "my \"own\" 'photos' 厨房")
    words = ["--object-network", "squeezenet1_1", "--object-classes", "4", "--objects", str(place)]
    assert begin_study([str(tmp_path / "mine.toml"), *words]) == 0
    assert len(open_study(tmp_path / "mine.toml").images) == 32


def test_weights_are_loaded_before_anything_is_written(tmp_path, capsys):
    save_file({"other.weight": torch.zeros(3)}, tmp_path / "w.safetensors")
    photographs(tmp_path / "photos")
    words = ["--scene-network", "squeezenet1_1", "--scene-weights", str(tmp_path / "w.safetensors")]
    more = ["--scene-classes", "4", "--scenes", str(tmp_path / "photos")]
    assert begin_study([str(tmp_path / "mine.toml"), *words, *more]) == 2
    assert capsys.readouterr().err.startswith("new-study: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "w.safetensors"]


# ---- what cannot be used


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["mine.txt"], r"mine\.txt should end in \.toml"),
        (["nowhere/mine.toml"], r"the folder nowhere does not exist"),
        (["mine.toml"], "a study needs a network"),
        (["mine.toml", "--scene-network", "squeezenet1_1"], "the scene network needs its classes"),
        (
            ["mine.toml", "--scene-network", "squeezenet1_1", "--scene-classes", "4"],
            "a study needs photographs",
        ),
        (
            ["mine.toml", "--scene-network", "squeezenet1_1", "--scene-classes", "4", "--scenes", "none"],
            "there is no folder none",
        ),
        (
            ["mine.toml", "--scene-network", "squeezenet1_1", "--scene-classes", "4", "--scenes", "empty"],
            "holds no image",
        ),
        (["mine.toml", "--scene-network", "net.py:build"], r"there is no file net\.py"),
        (
            ["mine.toml", "--scene-network", "squeezenet1_1", "--scene-weights", "w.pth"],
            r"there is no file w\.pth for weights",
        ),
        (
            ["mine.toml", "--scene-network", "squezenet1_1", "--scene-classes", "4", "--scenes", "photos"],
            "close names: squeezenet1_1",
        ),
        (
            [
                *("mine.toml", "--scene-network", "squeezenet1_1", "--scene-classes", "4"),
                *("--scenes", "photos", "--annotations", "empty"),
            ],
            "none of its files looks like annotations",
        ),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_nothing_is_written(
    tmp_path, monkeypatch, capsys, words, sentence
):
    photographs(tmp_path / "photos", n=2)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert begin_study(words) == 2
    error = capsys.readouterr().err
    assert re.search(sentence, error)
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "photos"]


def test_a_file_is_not_replaced_unless_one_says_so(colours, capsys):
    (colours / "mine.toml").write_text("mine")
    assert begin_study(given(colours)) == 2
    assert "exists already" in capsys.readouterr().err
    assert (colours / "mine.toml").read_text() == "mine"
    assert begin_study(given(colours, "--force")) == 0


def test_what_is_missing_is_asked_for_at_a_terminal(colours, monkeypatch, capsys):
    answers = iter(["", "squeezenet1_1", "", "4", "", str(colours / "photos"), ""])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert begin_study([str(colours / "mine.toml")]) == 0
    study = open_study(colours / "mine.toml")
    assert list(study.networks) == ["object"]
    assert set(study.images.source) == {"object-centric"}


def test_an_interrupted_dialogue_writes_nothing(tmp_path, monkeypatch, capsys):
    def stop(question):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", stop)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert begin_study([str(tmp_path / "mine.toml")]) == 2
    assert "stopped; nothing was written" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_it_is_a_command():
    run = [sys.executable, "-m", "scenelens"]
    shown = subprocess.run([*run, "new-study", "--help"], capture_output=True, text=True, check=True)
    assert "--scene-network" in shown.stdout
    assert "example:" in shown.stdout
    assert _main(["new-studdy"]) == 2


def test_a_trial_without_photographs_proposes_the_usual_way():
    import pandas as pd

    usual = Preprocessing()
    assert _PreparationTrial(pd.DataFrame(), {"x": usual}, "x", 3).best is usual
