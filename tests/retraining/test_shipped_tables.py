"""The tables of retrained networks that come with the package: whole, small, and of the plan."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from scenelens.installation import HERE
from scenelens.retraining import read_retraining
from scenelens.retraining.plan import _plan
from scenelens.retraining.tables import COLUMNS, _edited_objects, _shipped_folder
from scenelens.studies import open_study


@pytest.fixture(scope="module")
def shipped():
    return read_retraining()


def test_the_files_are_those_of_the_tables_and_small():
    files = list(_shipped_folder().iterdir())
    assert {path.name for path in files} == {*(f"{name}.csv" for name in COLUMNS), "about.json"}
    assert sum(path.stat().st_size for path in files) < 200_000


def test_every_network_is_one_of_the_plan(shipped):
    plan = {run.name: run for run in _plan()}
    for row in shipped.networks.to_dict("records"):
        assert plan[row["run"]].row().items() <= row.items()
        assert row["held_out_right"] <= row["held_out"]
        own = shipped.objects[shipped.objects.run == row["run"]]
        assert own.units.sum() == row["detectors"]
    assert set(shipped.objects.run) == set(shipped.networks.run) == set(shipped.about["runs"])


def test_three_unchanged_networks_are_there(shipped):
    assert shipped.networks[shipped.networks.kind == "unchanged"].seed.tolist() == [0, 1, 2]


def test_the_edited_objects_are_those_of_the_other_tables(shipped):
    expected = {run.name: run.expected for run in _plan()}
    again = _edited_objects(shipped.networks, shipped.objects, expected)
    pd.testing.assert_frame_equal(again, shipped.edits, check_dtype=False, atol=2e-4)


def test_their_source_is_complete(shipped):
    assert shipped.about["recipe"]["width"] == 0.25
    assert shipped.about["world"]["made"] == {"n_scenes": 2000, "n_objects": 2000, "seed": 0}
    assert {len(one["weights"]) for one in shipped.about["runs"].values()} == {64}
    assert "/" not in json.dumps(shipped.about["runs"])  # no path of the machine that made them


def test_the_networks_that_come_with_the_package_are_those_that_were_measured(shipped):
    study = open_study("retrained")
    assert list(study.networks) == ["texture", "rotation", "light"]
    for name, run in zip(study.networks, ("texture_alone", "task_rotation", "task_light"), strict=True):
        card = json.loads((HERE.data / "sceneworld" / "retrained" / f"{run}.json").read_text("utf-8"))
        about = shipped.about["runs"][run]
        assert study.networks[name].weights_hash == card["weights_hash"] == about["weights"]
        assert study.networks[name].classes == card["classes"]
        assert card["data"].get("edits", []) == about["edits"]
        layers = study.networks[name].layers
        row = shipped.networks.set_index("run").loc[run]
        assert card["held_out"]["top1"] == pytest.approx(row.held_out_right / row.held_out)
        assert (row.classes, row.units) == (
            len(card["classes"]),
            int(layers.units[layers.layer == "pool5"].iloc[0]),
        )


def test_the_networks_that_come_with_the_package_are_small():
    sizes = [path.stat().st_size for path in (HERE.data / "sceneworld" / "retrained").glob("*.safetensors")]
    assert len(sizes) == 3
    assert max(sizes) < 3_300_000
