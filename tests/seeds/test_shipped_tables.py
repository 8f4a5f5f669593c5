"""The tables that come with the package: complete, small, and what the sentences and figures say."""

from __future__ import annotations

import json
import re

import pytest

from scenelens.installation import HERE
from scenelens.paper import PAIR
from scenelens.seeds import describe_seeds, describe_seen, figures, read_seeds
from scenelens.seeds.spread import MEASURES, _seed_values
from scenelens.seeds.tables import COLUMNS, _shipped_folder
from tests.figure_checks import assert_well_set


@pytest.fixture(scope="module")
def shipped():
    return read_seeds()


def test_shipped_tables_are_small():
    files = list(_shipped_folder().iterdir())
    assert {path.name for path in files} == {*(f"{name}.csv" for name in COLUMNS), "about.json"}
    assert sum(path.stat().st_size for path in files) < 40_000


def test_every_shipped_network_is_in_every_table(shipped):
    named = set(zip(shipped.networks.network, shipped.networks.seed, strict=True))
    trained = {one for one in named if one[0] != "untrained"}
    assert {one[0] for one in named} == {"scene", "object", "untrained"}
    for table, wanted in ((shipped.layers, named), (shipped.fields, trained)):
        assert set(zip(table.network, table.seed, strict=True)) == wanted
    assert set(zip(shipped.objects.network, shipped.objects.seed, strict=True)) <= named
    weights = shipped.about["seeds"]["weights"]
    assert set(weights) == {f"{kind}_{seed}" for kind, seed in trained}


def test_shipped_counts_fit_each_other(shipped):
    for table in (shipped.networks, shipped.seen):
        for part, whole in (("right", "images"), ("held_out_right", "held_out"), ("detectors", "units")):
            known = table[table[part].notna()]
            assert (known[part] <= known[whole]).all()
        assert (table.boxes_right.fillna(0) <= table.boxes.fillna(0)).all()
    deepest = shipped.networks.merge(shipped.layers, on=["network", "seed", "layer"], suffixes=("", "_layer"))
    assert len(deepest) == len(shipped.networks)
    assert (deepest.units == deepest.units_layer).all()
    counted = shipped.objects.groupby(["network", "seed"]).units.agg(["sum", "size"])
    for row in shipped.networks.itertuples():
        own = counted.loc[(row.network, row.seed)] if row.detectors else {"sum": 0, "size": 0}
        assert (row.detectors, row.objects) == (own["sum"], own["size"])


def test_the_workbooks_own_pair_was_measured_on_its_way(shipped):
    about, text = shipped.about, describe_seen(shipped)
    for kind in PAIR:
        card = json.loads((HERE.data / "sceneworld" / f"{kind}.json").read_text("utf-8"))
        assert about["seen"]["weights"][f"{kind}_seen_{card['presentations']:07d}"] == card["weights_hash"]
        assert card["presentations"] == about["seen"]["presentations"]
        assert {"seed": card["recipe"]["seed"], **about["seen"]["recipe"]} == card["recipe"]
        assert f"- {kind} network: after 7,168 pictures" in text


def test_the_source_of_shipped_tables_is_complete(shipped):
    about = shipped.about
    assert about["command"] == "make seeds"
    assert about["world"]["made"] == {"n_scenes": 2000, "n_objects": 2000, "seed": 0}
    assert about["seeds"]["recipe"]["width"] == 0.25
    assert "/" not in json.dumps(about["seeds"])  # no path of the machine that made them
    assert {len(one) for one in about["seeds"]["weights"].values()} == {64}


@pytest.mark.parametrize("measure", MEASURES)
def test_the_shipped_tables_are_what_the_sentences_say(measure, embedded):
    """The lowest and the highest network of each kind in the text, found again in the CSV files."""
    values = _seed_values(read_seeds(), measure)
    lines = [line for line in describe_seeds(measure, embedded).splitlines() if line.startswith("- ")]
    groups = [found for _, found in values[values.network != "untrained"].groupby("depth", sort=True)]
    assert len(lines) == len(groups)
    for line, found in zip(lines, groups, strict=True):
        assert found.layer.iloc[0] in line
        for kind in ("scene", "object"):
            own = found[found.network == kind].value
            number = r"(-?\d+(?:\.\d+)?)"
            low, unit, high = re.search(rf"\b{kind} {number}(%| px|)(?: to {number})?", line).groups()
            scale, digits = {"%": (100, 0), " px": (1, 1), "": (1, 2)}[unit]
            ends = [round(scale * one, digits) for one in (own.min(), own.max())]
            assert [float(low), float(high or low)] == pytest.approx(ends)


@pytest.mark.parametrize("measure", MEASURES)
def test_shipped_tables_are_drawn(measure, embedded):
    assert_well_set(figures.figure_seeds(measure, embedded))
