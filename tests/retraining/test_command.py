"""`scenelens interventions`: trains what is missing, measures each network once, goes on after a stop."""

from __future__ import annotations

import json
import math
import subprocess

import pandas as pd
import pytest

from scenelens.errors import SceneLensError
from scenelens.retraining import command, edit_effects, measuring, read_retraining
from scenelens.retraining.plan import _plan
from scenelens.sceneworld import training
from scenelens.sceneworld.tasks import named_task
from scenelens.seeds import study_of
from scenelens.studies import StudyFile
from tests.annotated_study import annotated_study
from tests.seeds.test_command import _TINY

RUNS = {run.name: run for run in _plan()}


def write_network(folder, run, weights_seed, classes=None):
    """A network with random weights, and its card, as a training writes them."""
    task = named_task(run.task)
    classes = list(classes or task.classes)
    recipe = training.replace(_TINY, seed=weights_seed)
    model = training._network_in_training(len(classes), recipe)
    model = training._finished_network(model, len(classes), recipe)
    folder.mkdir(parents=True, exist_ok=True)
    card = training._model_card(task, model, recipe, 112_000, 150, 60.0, run.world) | {"classes": classes}
    training._write(folder / run.name, model, card)


@pytest.fixture
def made_up_measures(monkeypatch):
    """Made-up numbers in place of measured ones; the networks that were measured, in order."""
    measured: list[str] = []

    def measure(study):
        weights = study.file.data["networks"]["scene"]["weights"]
        measured.append(weights.rpartition("/")[2].removesuffix(".safetensors"))
        row = {"network": "scene", "layer": "pool5", "units": 16, "detectors": 5, "objects": 2}
        row |= {"by_category": 1.5, "mean_iou": 0.02, "ap": 0.3, "ap_chance": 0.1, "ap_objects": 2}
        own = {
            "object": "cat",
            "units": len(measured),
            "ap": 0.1 * len(measured),
            "ap_chance": 0.1,
            "images": 9,
        }
        return {"networks": [row], "objects": [own]}

    monkeypatch.setattr(command, "_measure_network", measure)
    monkeypatch.setattr(command.os, "nice", lambda n: n, raising=False)
    monkeypatch.setattr(command, "_expected_seconds", lambda missing: 60.0 * len(missing))
    return measured


@pytest.fixture
def trained(tmp_path):
    names = ("unchanged_0", "unchanged_1", "more_frequent_cat", "task_light")
    for i, name in enumerate(names):
        write_network(tmp_path / "networks", RUNS[name], i)
    return tmp_path / "networks"


def run(folder, out, *words):
    return command._main(["--networks", str(folder), "--out", str(out), *words])


def test_what_is_there_is_measured_once_and_written(trained, tmp_path, made_up_measures, capsys):
    for _ in range(2):
        assert run(trained, tmp_path / "out", "--no-training") == 0
    assert made_up_measures == ["unchanged_0", "unchanged_1", "more_frequent_cat", "task_light"]
    assert "unchanged_2 is not trained, so it is left out" in capsys.readouterr().err
    tables = read_retraining(tmp_path / "out")
    assert tables.networks.run.tolist() == made_up_measures
    assert tables.networks.task.tolist() == ["scene"] * 3 + ["light"]
    assert tables.networks.classes.tolist() == [24, 24, 24, 3]
    assert tables.networks.held_out_right.tolist() == [150] * 4
    (edit,) = tables.edits.to_dict("records")
    assert (edit["object"], edit["units"]) == ("cat", 3)
    units = edit_effects(tables).set_index("measure").loc["units"]
    assert (units.change, len(units.before)) == (1.5, 2)
    card = json.loads((trained / "more_frequent_cat.json").read_text("utf-8"))
    about = tables.about["runs"]["more_frequent_cat"]
    assert about["weights"] == card["weights_hash"]
    assert about["edits"] == [["scale_frequency", "cat", 4.0]]
    assert "seed" not in tables.about["recipe"]


def test_a_stop_between_networks_loses_nothing(trained, tmp_path, made_up_measures, monkeypatch):
    measure = command._measure_network

    def stops(study):
        if len(made_up_measures) == 2:
            raise KeyboardInterrupt
        return measure(study)

    monkeypatch.setattr(command, "_measure_network", stops)
    with pytest.raises(KeyboardInterrupt):
        run(trained, tmp_path / "out", "--no-training")
    assert read_retraining(tmp_path / "out").networks.run.tolist() == ["unchanged_0", "unchanged_1"]
    monkeypatch.setattr(command, "_measure_network", measure)
    run(trained, tmp_path / "out", "--no-training")
    assert len(made_up_measures) == 4


def test_another_machine_goes_on_with_the_tables_alone(trained, tmp_path, made_up_measures, capsys):
    """Weights stay where they were made; the tables say which networks need no training any more."""
    out = tmp_path / "out"
    run(trained, out, "--no-training")
    before = read_retraining(out)
    elsewhere = tmp_path / "elsewhere"
    write_network(elsewhere, RUNS["unchanged_2"], 7)
    capsys.readouterr()
    assert run(elsewhere, out, "--plan") == 0
    shown = capsys.readouterr()
    assert "20 networks" in shown.err
    assert not any("to be trained" in line for line in shown.out.splitlines() if line.startswith("unchanged"))
    run(elsewhere, out, "--no-training")
    assert made_up_measures[4:] == ["unchanged_2"]
    after = read_retraining(out)
    assert after.networks.run.tolist() == [
        "unchanged_0", "unchanged_1", "unchanged_2", "more_frequent_cat", "task_light",
    ]  # fmt: skip
    kept = after.networks[after.networks.run != "unchanged_2"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before.networks)
    assert edit_effects(after).before.map(len).tolist() == [3, 3]
    assert after.edits.units.tolist() == before.edits.units.tolist()
    assert after.about["runs"]["task_light"] == before.about["runs"]["task_light"]
    assert set(after.about["runs"]) == set(after.networks.run)


@pytest.mark.parametrize(("part", "value", "words"), [
    ("recipe", {"epochs": 1}, "another recipe"),
    ("rules", {}, "other rules"),
    ("world", {"made": {"seed": 1}, "code": "x"}, "other pictures"),
])  # fmt: skip
def test_tables_of_another_recipe_or_world_are_not_mixed(
    trained, tmp_path, made_up_measures, part, value, words
):
    out = tmp_path / "out"
    run(trained, out, "--no-training")
    about = json.loads((out / "about.json").read_text("utf-8"))
    (out / "about.json").write_text(json.dumps(about | {part: value}), "utf-8")
    read_retraining.__globals__["_read"].cache_clear()
    before = (out / "networks.csv").read_bytes()
    write_network(tmp_path / "elsewhere", RUNS["unchanged_2"], 7)
    with pytest.raises(SceneLensError, match=words):
        run(tmp_path / "elsewhere", out, "--no-training")
    assert (out / "networks.csv").read_bytes() == before


def test_what_is_missing_is_trained_in_the_order_of_the_plan_and_tidied(
    tmp_path, made_up_measures, monkeypatch
):
    calls = []

    def runs(words, check):
        parsed = dict(zip(words[5::2], words[6::2], strict=False))
        assert words[3] == "train"
        calls.append((words[4], parsed["--name"]))
        run_ = RUNS[parsed["--name"]]
        assert (words[4], parsed["--edits"], parsed["--seed"]) == (run_.task, run_.edits, str(run_.seed))
        assert {"--bfloat16", "--keep-pictures"} <= set(words)
        work = tmp_path / "networks/work"
        (work / "pictures").mkdir(parents=True, exist_ok=True)
        for name in ("scene_16000_00000.npy", "scene-12ab_16000_00000.npy"):
            (work / "pictures" / name).touch()
        for name in (f"{run_.name}_seen_0000875.json", f"{run_.name}.checkpoint"):
            (work / name).touch()
        write_network(tmp_path / "networks", run_, len(calls))
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(command.subprocess, "run", runs)
    words = ("--kinds", "unchanged", "frequency", "task")
    assert run(tmp_path / "networks", tmp_path / "out", *words) == 0
    wanted = [(one.task, one.name) for one in RUNS.values() if one.kind in words]
    assert calls == wanted
    assert made_up_measures == [name for _, name in wanted]
    left = sorted(path.name for path in (tmp_path / "networks/work").rglob("*") if path.is_file())
    assert left == ["scene_16000_00000.npy"]
    run(tmp_path / "networks", tmp_path / "out", *words)
    assert len(calls) == len(wanted)


def test_the_words_are_those_of_the_training(tmp_path, made_up_measures, monkeypatch):
    """The command line that is put together is one that `scenelens train` understands."""
    given = []

    def trains(kind, recipe, work, out, *, keep_pictures, name, world):
        given.append((kind, recipe, name, world, keep_pictures))
        write_network(out, RUNS[name], recipe.seed)

    def runs(words, check):
        training.main(words[4:])
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(training, "train", trains)
    monkeypatch.setattr(command.subprocess, "run", runs)
    run(tmp_path / "networks", tmp_path / "out", "--kinds", "unchanged", "cue", "task")
    for kind, recipe, name, world, keep in given:
        wanted = RUNS[name]
        assert (kind, recipe.seed, world, keep) == (wanted.task, wanted.seed, wanted.world, True)
        assert (recipe.width, recipe.bfloat16, recipe.n_images, recipe.passes) == (0.25, True, 16_000, 7)


def test_the_plan_is_shown_with_its_duration_and_nothing_is_done(trained, tmp_path, made_up_measures, capsys):
    assert run(trained, tmp_path / "out", "--plan") == 0
    shown = capsys.readouterr()
    assert "21 networks takes about 21 min" in shown.err
    lines = {line.split()[0]: line for line in shown.out.splitlines()}
    assert lines.keys() == RUNS.keys()
    assert "to be trained" in lines["texture_alone"]
    assert "to be" not in lines["task_light"]
    assert not made_up_measures
    assert not (tmp_path / "out").exists()


def test_a_network_of_another_plan_is_refused(trained, tmp_path, made_up_measures):
    path = trained / "more_frequent_cat.json"
    card = json.loads(path.read_text("utf-8"))
    card["data"]["edits"] = [["scale_frequency", "cat", 3.0]]
    path.write_text(json.dumps(card), "utf-8")
    with pytest.raises(SceneLensError, match="of another plan"):
        run(trained, tmp_path / "out", "--no-training")


def test_two_recipes_are_not_mixed(trained, tmp_path, made_up_measures):
    path = trained / "task_light.json"
    card = json.loads(path.read_text("utf-8"))
    card["recipe"]["passes"] += 1
    path.write_text(json.dumps(card), "utf-8")
    with pytest.raises(SceneLensError, match="not trained with one recipe"):
        run(trained, tmp_path / "out", "--no-training")


def test_without_an_unchanged_network_there_is_nothing_to_compare(trained, tmp_path, made_up_measures):
    with pytest.raises(SceneLensError, match="nothing to compare"):
        run(trained, tmp_path / "out", "--no-training", "--kinds", "task")


def test_a_training_that_fails_ends_the_command(tmp_path, made_up_measures, monkeypatch):
    monkeypatch.setattr(command.subprocess, "run", lambda words, check: subprocess.CompletedProcess(words, 2))
    with pytest.raises(SceneLensError, match="the network unchanged_0 was not trained"):
        run(tmp_path / "networks", tmp_path / "out")


# ---- measured in earnest, on tiny networks


@pytest.mark.parametrize("name", ["unchanged_0", "task_setting"])
def test_a_tiny_network_is_measured_by_the_workbooks_functions(tmp_path, name):
    study = annotated_study(tmp_path / "study", per_category=24)
    write_network(tmp_path, RUNS[name], 5)
    template = StudyFile.read(study.file.path)
    made = study_of(template, {"scene": tmp_path / f"{name}.json"}, tmp_path / "cache")
    found = measuring._measure_network(made)
    (row,) = found["networks"]
    assert (row["layer"], row["units"]) == ("pool5", 16)
    detected = {one["object"]: one["units"] for one in found["objects"]}
    assert sum(detected.values()) == row["detectors"] <= 16
    assert sum(n > 0 for n in detected.values()) == row["objects"]
    labels = made.automatic_labels("scene").shown_often(10).labels(least_images=0)
    assert row["mean_iou"] == pytest.approx(labels[labels.layer == "pool5"].iou.sum() / 16)
    aps = [one["ap"] for one in found["objects"] if not math.isnan(one["ap"])]
    assert len(aps) == row["ap_objects"]
    assert aps
    assert all(0 <= ap <= 1 for ap in aps)
    assert row["ap"] == pytest.approx(sum(aps) / len(aps))
