"""`scenelens seeds`: trains what is missing, measures each pair once, goes on after a stop."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import replace

import pandas as pd
import pytest

from scenelens.errors import SceneLensError
from scenelens.sceneworld import dataset, training
from scenelens.sceneworld.tasks import named_task
from scenelens.sceneworld.training import SHORT
from scenelens.seeds import command, measuring, read_seeds
from scenelens.seeds import tables as seed_tables
from scenelens.studies import StudyFile
from tests.annotated_study import annotated_study
from tests.seeds.made_up_tables import rows

_TINY = replace(SHORT, width=1 / 16, fc=8, bfloat16=True)
_CLASSES = {"scene": ["attic", "beach", "cave"], "object": ["apple", "ball"]}


def write_network(folder, name, seed=0):
    """A network with random weights, and its card, as a training writes them."""
    kind = name.split("_")[0]
    recipe = replace(_TINY, seed=seed)
    model = training._network_in_training(len(_CLASSES[kind]), recipe)
    model = training._finished_network(model, len(_CLASSES[kind]), recipe)
    folder.mkdir(parents=True, exist_ok=True)
    card = training._model_card(named_task(kind), model, recipe, 112_000, 150, 60.0) | {
        "classes": _CLASSES[kind]
    }
    training._write(folder / name, model, card)


@pytest.fixture
def trained(tmp_path):
    """A folder with two networks of each kind."""
    for seed in (0, 1):
        for kind in _CLASSES:
            write_network(tmp_path / "networks", f"{kind}_{seed}", 10 * seed + len(kind))
    return tmp_path / "networks"


@pytest.fixture
def made_up_measures(monkeypatch):
    """Made-up numbers in place of measured ones; the networks that were measured, in order."""
    measured: list[list[str]] = []

    def made_of(study):
        names, made = set(study.networks), rows(1)
        del made["seen"]
        for own in made.values():
            own[:] = [{k: v for k, v in row.items() if k != "seed"} for row in own if row["network"] in names]
        return made

    def measure(study):
        networks = study.file.data["networks"]
        measured.append([str(networks[name].get("weights", name)) for name in study.networks])
        return {name: own for name, own in made_of(study).items() if name != "fields"}

    def fields(study):
        measured.append(["fields"])
        return {"fields": made_of(study)["fields"]}

    monkeypatch.setattr(command, "_measure_fields", fields)
    monkeypatch.setattr(command, "_measure_study", measure)
    monkeypatch.setattr(command.os, "nice", lambda n: n, raising=False)
    return measured


def run(trained, out, *words):
    assert command._main(["--no-training", "--networks", str(trained), "--out", str(out), *words]) == 0


def test_a_stop_between_networks_loses_nothing(trained, tmp_path, made_up_measures, monkeypatch):
    run(trained, tmp_path / "whole")
    for path in (trained / "measured").iterdir():
        path.unlink()
    made_up_measures.clear()
    measure = command._measure_study

    def stops(study):
        if len(made_up_measures) == 1:
            raise KeyboardInterrupt
        return measure(study)

    monkeypatch.setattr(command, "_measure_study", stops)
    with pytest.raises(KeyboardInterrupt):
        run(trained, tmp_path / "parts")
    assert not (tmp_path / "parts").exists()  # half of the tables would look whole
    monkeypatch.setattr(command, "_measure_study", measure)
    run(trained, tmp_path / "parts")
    assert len(made_up_measures) == 6  # two pairs, two untrained networks, two times fields, in both calls
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "parts" / path.name).read_bytes() == path.read_bytes()


def test_a_network_that_was_trained_anew_is_measured_anew(trained, tmp_path, made_up_measures):
    run(trained, tmp_path / "out")
    write_network(trained, "scene_1", seed=77)
    run(trained, tmp_path / "out")
    names = [one[0].rpartition("/")[2].removesuffix(".safetensors") for one in made_up_measures]
    assert names[:6] == ["scene_0", "scene_1", "untrained", "untrained", "fields", "fields"]
    assert names[6:] == ["scene_1", "fields"]


def test_other_rules_of_labelling_measure_anew(trained, tmp_path, made_up_measures, monkeypatch):
    run(trained, tmp_path / "out", "--seeds", "0")
    run(trained, tmp_path / "out", "--seeds", "0")
    assert len(made_up_measures) == 3
    monkeypatch.setattr(command, "LABELS_VERSION", command.LABELS_VERSION + 1)
    run(trained, tmp_path / "out", "--seeds", "0")
    assert len(made_up_measures) == 6


def test_a_pair_is_measured_and_then_an_untrained_network(trained, tmp_path, made_up_measures):
    run(trained, tmp_path / "out", "--seeds", "1")
    names = [[name.rpartition("/")[2] for name in one] for one in made_up_measures]
    assert names == [["scene_1.safetensors", "object_1.safetensors"], ["untrained"], ["fields"]]
    assert read_seeds(tmp_path / "out").networks.network.tolist() == ["scene", "object", "untrained"]


def test_an_untrained_network_has_the_architecture_and_the_classes_of_the_trained_one(trained, tmp_path):
    template = StudyFile.read(StudyFile.find("sceneworld"))
    study = measuring._control_of(template, trained / "scene_1.json", 1, tmp_path)
    network = study.networks["untrained"]
    assert network.layer_shape("pool5")[0] == 16
    assert list(network.classes) == _CLASSES["scene"]
    other = measuring._control_of(template, trained / "scene_1.json", 2, tmp_path).networks["untrained"]
    assert network.weights_hash != other.weights_hash


def test_what_is_missing_is_left_out_and_said(trained, tmp_path, made_up_measures, capsys):
    (trained / "object_1.json").unlink()
    run(trained, tmp_path / "out")
    assert read_seeds(tmp_path / "out").networks.seed.unique().tolist() == [0]
    assert "seed 1: not both networks are trained" in capsys.readouterr().err
    with pytest.raises(SceneLensError, match="nothing was measured"):
        run(tmp_path / "nowhere", tmp_path / "out")


def test_the_source_of_the_tables_is_written(trained, tmp_path, made_up_measures):
    run(trained, tmp_path / "out")
    about = read_seeds(tmp_path / "out").about
    assert about["seeds"]["recipe"]["width"] == 1 / 16
    assert "seed" not in about["seeds"]["recipe"]
    cards = {
        name: json.loads((trained / f"{name}.json").read_text("utf-8")) for name in ("scene_0", "object_1")
    }
    assert about["seeds"]["weights"]["scene_0"] == cards["scene_0"]["weights_hash"]
    assert about["seeds"]["weights"]["object_1"] == cards["object_1"]["weights_hash"]
    table = read_seeds(tmp_path / "out").networks.set_index(["network", "seed"])
    assert table.loc[("scene", 1), "held_out_right"] == 150  # of the card, not of the images


def test_a_relative_folder_starts_where_the_command_is_called(
    trained, tmp_path, made_up_measures, monkeypatch
):
    caches, measure = [], command._measure_study

    def measures(study):
        caches.append(study.cache)
        return measure(study)

    monkeypatch.setattr(command, "_measure_study", measures)
    monkeypatch.chdir(tmp_path)
    run("networks", "out", "--seeds", "0")
    assert caches == [tmp_path / "networks" / "cache"] * 2
    assert (tmp_path / "out" / "about.json").exists()


def test_two_recipes_are_not_mixed(trained, tmp_path, made_up_measures):
    card = json.loads((trained / "object_1.json").read_text("utf-8"))
    card["recipe"]["passes"] += 1
    (trained / "object_1.json").write_text(json.dumps(card))
    with pytest.raises(SceneLensError, match="not trained with one recipe"):
        run(trained, tmp_path / "out")


def test_networks_on_the_way_become_a_table_of_their_own(trained, tmp_path, made_up_measures):
    for seen in (4000, 64000):
        write_network(tmp_path / "work", f"scene_seen_{seen:07d}", seen)
    write_network(tmp_path / "work", "object_seen_0064000", 9)
    run(trained, tmp_path / "out", "--seen", str(tmp_path / "work"))
    seen = read_seeds(tmp_path / "out").seen
    assert seen[["network", "seen"]].values.tolist() == [["scene", 4000], ["scene", 64000], ["object", 64000]]
    assert set(read_seeds(tmp_path / "out").about["seen"]["weights"]) == {
        *("scene_seen_0004000", "scene_seen_0064000", "object_seen_0064000")
    }


def test_a_later_run_keeps_what_it_does_not_measure(trained, tmp_path, made_up_measures):
    out, way = tmp_path / "out", tmp_path / "work"
    write_network(way, "scene_seen_0064000", 3)
    run(trained, out, "--seen", str(way))
    before = read_seeds(out)
    for name, seen in (("object", 4000), ("object", 64000)):
        write_network(tmp_path / "later", f"{name}_seen_{seen:07d}", seen)
    run(tmp_path / "nothing", out, "--seen", str(tmp_path / "later"))
    after = read_seeds(out)
    assert after.seen[["network", "seen"]].values.tolist() == [
        *(["scene", 64000], ["object", 4000], ["object", 64000])
    ]
    pd.testing.assert_frame_equal(after.networks, before.networks)
    assert after.about["seeds"] == before.about["seeds"]
    assert set(after.about["seen"]["weights"]) == {
        *("scene_seen_0064000", "object_seen_0004000", "object_seen_0064000")
    }


def test_another_version_of_the_renderer_may_draw_the_same_pictures():
    old, now = "f0e87f8ebbe7b633", {"made": {"n_scenes": 2}, "code": dataset._code_key()}
    assert command.same_world(now | {"code": old}, now)
    assert not command.same_world(now | {"code": "unknown"}, now)
    assert not command.same_world(now | {"made": {"n_scenes": 3}, "code": old}, now)


@pytest.mark.parametrize(("part", "message"), [("world", "other pictures"), ("seen", "another recipe")])
def test_tables_of_another_world_or_recipe_are_not_mixed(part, message, trained, tmp_path, made_up_measures):
    write_network(tmp_path / "work", "scene_seen_0064000", 3)
    words = (trained, tmp_path / "out", "--seen", str(tmp_path / "work"))
    run(*words)
    about = json.loads((tmp_path / "out" / "about.json").read_text("utf-8"))
    about[part]["made" if part == "world" else "recipe"] = {"n_scenes": 1}
    (tmp_path / "out" / "about.json").write_text(json.dumps(about))
    seed_tables._read.cache_clear()  # the file was changed by hand
    with pytest.raises(SceneLensError, match=message):
        run(*words)


def test_a_card_that_is_none_is_one_sentence(trained, tmp_path, made_up_measures):
    (trained / "scene_0.json").write_text("[]")
    with pytest.raises(SceneLensError, match=r"scene_0\.json is no model card"):
        run(trained, tmp_path / "out")


def test_what_is_missing_is_trained_with_one_recipe(trained, tmp_path, made_up_measures, monkeypatch):
    (trained / "object_1.json").unlink()
    recipes, calls = [], []

    def runs(words, check):
        calls.append(words[3:5])
        training.main(words[4:])
        return subprocess.CompletedProcess(words, 0)

    def trains(kind, recipe, work, out, *, keep_pictures, name, world):
        recipes.append(recipe)
        write_network(out, name, recipe.seed)

    monkeypatch.setattr(command.subprocess, "run", runs)
    monkeypatch.setattr(training, "train", trains)
    words = ["--networks", str(trained), "--out", str(tmp_path / "out"), "--seeds", "0", "1", "2"]
    assert command._main(words) == 0
    assert calls == [["train", "object"], ["train", "scene"], ["train", "object"]]
    assert recipes == [replace(SHORT, width=0.25, bfloat16=True, seed=seed) for seed in (1, 2, 2)]


def test_a_training_that_fails_ends_the_command(tmp_path, made_up_measures, monkeypatch):
    monkeypatch.setattr(command.subprocess, "run", lambda words, check: subprocess.CompletedProcess(words, 2))
    with pytest.raises(SceneLensError, match="the scene network of seed 0 was not trained"):
        command._main(["--networks", str(tmp_path), "--out", str(tmp_path / "out")])


# ---- measured in earnest, on tiny networks


def test_tiny_networks_are_measured_by_the_workbooks_functions(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "FIELD_IMAGES", 1)
    monkeypatch.setattr(measuring, "FIELD_UNITS", 1)
    study = annotated_study(tmp_path / "study")
    for kind in _CLASSES:
        write_network(tmp_path, f"{kind}_0", len(kind))
    cards = {kind: tmp_path / f"{kind}_0.json" for kind in _CLASSES}
    template = StudyFile.read(study.file.path)
    made = measuring.study_of(template, cards, tmp_path / "cache")
    found = measuring._measure_study(made)
    by_name = {row["network"]: row for row in found["networks"]}
    assert list(by_name) == ["scene", "object"]
    assert (by_name["scene"]["images"], by_name["object"]["images"]) == (27, 18)
    for row in found["networks"]:
        assert 0 <= row["right"] <= row["images"]
        assert 0 <= row["detectors"] <= row["units"] == 16
        labels = made.automatic_labels(row["network"]).shown_often(10).labels(least_images=0)
        assert row["mean_iou"] == pytest.approx(labels[labels.layer == "pool5"].iou.sum() / 16)
    layers = {(row["network"], row["layer"]) for row in found["layers"]}
    assert layers == {(n, la) for n in by_name for la in ("pool1", "pool2", "conv3", "conv4", "pool5", "fc7")}
    sizes = measuring._measure_fields(made)["fields"]
    assert {(row["network"], row["layer"]) for row in sizes} == {
        (name, layer) for name in by_name for layer in ("pool1", "pool2", "conv4", "pool5")
    }
    assert all(row["n"] <= 1 and (math.isnan(row["mean"]) or row["mean"] > 0) for row in sizes)
