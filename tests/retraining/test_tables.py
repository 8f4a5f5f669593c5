"""The tables of retrained networks: edits are compared by hand, tables written and read again."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from scenelens.errors import CannotAnswerError
from scenelens.retraining import read_retraining
from scenelens.retraining.tables import COLUMNS, _edited_objects, _write_retraining


def network(run, kind, seed=0, name="", **more):
    row = dict.fromkeys(COLUMNS["networks"], 1)
    edits = f'[["scale_frequency", "{name}", 4.0]]' if name else ""
    return row | {
        **{"run": run, "kind": kind, "task": "scene", "seed": seed, "object": name, "edits": edits},
        **{"layer": "pool5", "mean_iou": 0.031, "ap": 0.5, **more},
    }


def score(run, name, units, ap=math.nan, chance=math.nan):
    return {"run": run, "object": name, "units": units, "ap": ap, "ap_chance": chance, "images": math.nan}


NETWORKS = [
    network("unchanged_0", "unchanged", 0),
    network("unchanged_1", "unchanged", 1),
    network("unchanged_2", "unchanged", 2),
    network("more_frequent_cat", "frequency", 0, "cat"),
    network("rarer_washing_machine", "frequency", 1, "washing_machine"),
    network("texture_alone", "cue"),
]
OBJECTS = [
    score("unchanged_0", "cat", 1, 0.2, 0.1),
    score("unchanged_1", "cat", 3, 0.4, 0.1),
    score("more_frequent_cat", "cat", 4, 0.55, 0.1),
    score("unchanged_1", "washing machine", 2, 0.9, 0.05),
]
EXPECTED = {"more_frequent_cat": 1, "rarer_washing_machine": -1}


def test_an_edited_object_has_the_values_of_its_own_network():
    found = _edited_objects(pd.DataFrame(NETWORKS), pd.DataFrame(OBJECTS), EXPECTED).set_index("run")
    assert found.index.tolist() == ["more_frequent_cat", "rarer_washing_machine"]
    cat = found.loc["more_frequent_cat"]
    assert (cat.units, cat.ap, cat.ap_chance, cat.expected) == (4, 0.55, 0.1, 1)
    machine = found.loc["rarer_washing_machine"]  # without a row of its own: no unit, and no AP
    assert machine.units == 0
    assert math.isnan(machine.ap)


def test_tables_are_read_as_they_were_written(tmp_path):
    rows = {"networks": NETWORKS, "objects": OBJECTS}
    rows["expected"] = [{"run": run, "expected": sign} for run, sign in EXPECTED.items()]
    paths = _write_retraining(rows, {"command": "make interventions"}, tmp_path)
    assert sorted(path.name for path in paths) == ["about.json", "edits.csv", "networks.csv", "objects.csv"]
    tables = read_retraining(tmp_path)
    assert tables.about == {"command": "make interventions"}
    assert tables.networks.run.tolist() == [row["run"] for row in NETWORKS]
    assert tables.networks["object"].tolist() == [row["object"] for row in NETWORKS]
    assert tables.networks.seed.dtype.kind == "i"
    assert tables.objects.units.tolist() == [1, 3, 4, 2]
    assert tables.edits.loc[0, "ap"] == pytest.approx(0.55)


@pytest.mark.parametrize("damage", ["missing", "column"])
def test_a_damaged_table_is_one_sentence(tmp_path, damage):
    rows = {"networks": NETWORKS, "objects": OBJECTS}
    _write_retraining(
        rows | {"expected": [{"run": r, "expected": s} for r, s in EXPECTED.items()]}, {}, tmp_path
    )
    path = tmp_path / "edits.csv"
    if damage == "missing":
        path.unlink()
    else:
        path.write_text("run,kind\n", "utf-8")
    with pytest.raises(CannotAnswerError, match="interventions"):
        read_retraining(tmp_path)
