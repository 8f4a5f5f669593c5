"""The published labels have the numbers that are known of them; broken files of every kind."""

from __future__ import annotations

import random
import struct
import zlib
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat, savemat

from scenelens.errors import SceneLensError
from scenelens.installation import HERE
from scenelens.labels.annotator_agreement import Agreement
from scenelens.labels.matlab import _read_mat
from scenelens.labels.published import ROLES, read_amt, read_netdissect
from scenelens.labels.table import TYPES, _concept_type, unit_types
from scenelens.unit_semantics.sentences import _side_by_side
from scenelens.unit_semantics.tables import _type_counts
from tests.torture.mutate import damaged, scattered

NETWORKS = ("places205-alexnet", "imagenet-alexnet")
POOL5 = {  # answers per type; agreement of all three; mean precision
    "places205-alexnet": ([125, 293, 130, 95, 41, 84], 0.2305, 0.778),
    "imagenet-alexnet": ([29, 265, 42, 151, 61, 220], 0.2617, 0.712),
}


@lru_cache
def released(network: str) -> pd.DataFrame:
    return read_amt(HERE.published / "unit_annotation" / f"unitAnnotation_{network}.mat")


@pytest.mark.parametrize("network", NETWORKS)
def test_the_released_answers_count_as_published(network):
    labels = released(network)
    file = HERE.published / "unit_annotation" / f"unitAnnotation_{network}.mat"
    shares = loadmat(file)["layerAverageCount"]
    assert len(labels) == 3 * (96 + 256 + 384 + 384 + 256)
    counts = _type_counts(labels)
    assert [layer for _, layer in counts.index] == ["pool1", "pool2", "conv3", "conv4", "pool5"]
    assert np.array_equal(counts.div(counts.sum(axis=1), axis=0).to_numpy(), shares)
    assert counts.loc[(network, "pool5")].tolist() == POOL5[network][0]
    pool5 = labels.query("layer == 'pool5'")  # three answers for every unit, so their mean is the units'
    assert round(pool5.precision.mean(), 3) == POOL5[network][2]
    whole = labels.precision * 57
    assert np.allclose(whole, whole.round())
    assert ROLES[network] in ("scene", "object")


@pytest.mark.parametrize("network", NETWORKS)
def test_workers_rarely_agree_on_the_type(network):
    pool5 = released(network).query("layer == 'pool5'")
    found = Agreement.of(pool5, n_resamples=200)
    assert found.unanimous == pytest.approx(POOL5[network][1], abs=1e-4)
    assert (found.n_units, found.n_answers) == (256, 768)
    assert found.low < found.alpha < found.high < 0.5


@pytest.mark.parametrize(("rule", "objects"), [("any", (103, 75)), ("majority", (59, 30))])
def test_the_headline_depends_on_the_rule(rule, objects):
    for network, number in zip(NETWORKS, objects, strict=True):
        types = unit_types(released(network).query("layer == 'pool5'"), rule, 0.75)
        assert (types.type == "object").sum() == number


def test_people_and_network_dissection_number_units_alike():
    people = released(NETWORKS[0]).query("layer == 'pool5'")
    table = _side_by_side(people, read_netdissect(dissected("places205"), layer="pool5"))
    assert len(table) == 256
    car = table.loc[(NETWORKS[0], "pool5", 86)]  # unit 87 of the file, which counts from 1
    assert [text.lower() for text in car] == ["car (object)"] * 4


def dissected(name: str):
    return HERE.published / "netdissect" / f"caffe_reference_{name}.csv"


def test_network_dissections_numbers():
    best = read_netdissect(dissected("places205")).set_index("unit")
    assert best.index.tolist() == list(range(256))
    assert best.loc[208, ["concept", "type", "layer"]].tolist() == ["grass", "region or surface", "conv5"]
    assert best.loc[208, "iou"] == pytest.approx(2760311 / (13100838 + 4017464 - 2760311))
    assert best.loc[208, "coverage"] == pytest.approx(2760311 / 4017464)
    assert best.precision.isna().all()
    every = read_netdissect(dissected("places205"), best_only=False)
    assert every.groupby("unit").size().eq(6).all()
    assert every.query("category == 'scene'").concept.str.endswith("-s").sum() == 0
    assert every.groupby("unit").iou.max().equals(best.iou.sort_index())


def test_types_of_concepts():
    assert {_concept_type(kind, "x") for kind in ("scene", "object", "part", "texture", "color")} == {
        TYPES[k] for k in (0, 1, 3, 4, 5)
    }
    assert _concept_type("material", "grass") == "texture or material"
    assert _concept_type("object", "grass") == "region or surface"
    with pytest.raises(SceneLensError, match="no kind"):
        _concept_type("smell", "rose")


# ----------------------------------------------------------------------------------------- files made by hand


def mat(path, table, layer="pool5", name="layerAnnotation"):
    cells = np.empty((1, 2), dtype=object)
    cells[0] = [table, np.array([layer], dtype=object)]
    savemat(path, {name: cells})
    return path


def row(*answers):
    cells = np.empty((1, 9), dtype=object)
    cells[0] = [value for answer in answers for value in answer]
    return cells


def test_a_table_made_by_hand_reads_back(tmp_path):
    table = row((" bed ", 2, 0.5), ("room", 1, 1), ("red", 6, 0))
    labels = read_amt(mat(tmp_path / "unitAnnotation_mine.mat", table))
    assert labels.network.unique().tolist() == ["mine"]
    assert labels.concept.tolist() == ["bed", "room", "red"]
    assert labels.type.tolist() == ["object", "scene", "simple element or colour"]
    assert labels.precision.tolist() == [0.5, 1, 0]


@pytest.mark.parametrize(
    ("table", "name", "words"),
    [
        (row(("bed", 7, 0.5), ("room", 1, 1), ("red", 6, 0)), "layerAnnotation", "type 7"),
        (row(("bed", 2, 1.5), ("room", 1, 1), ("red", 6, 0)), "layerAnnotation", "0..1"),
        (row(("", 2, 0.5), ("room", 1, 1), ("red", 6, 0)), "layerAnnotation", "None|word"),
        (np.zeros((4, 5)), "layerAnnotation", r"\(4, 5\), not \(units, 9\)"),
        (np.zeros((4, 9)), "somethingElse", r"found somethingElse \(1, 2\)"),
    ],
)
def test_another_layout_says_what_was_found(tmp_path, table, name, words):
    with pytest.raises(SceneLensError, match=words):
        read_amt(mat(tmp_path / "a.mat", table, name=name))


def same(ours, scipys) -> bool:
    """Whether two values are alike, cell by cell; SciPy's texts are arrays of str, too."""
    if ours.dtype == object:
        pairs = zip(ours.ravel(), scipys.ravel(), strict=True)
        return ours.shape == scipys.shape and all(same(one, other) for one, other in pairs)
    if ours.dtype.kind == "U":
        return ours.tolist() == scipys.tolist()
    return ours.shape == scipys.shape and np.array_equal(ours, scipys, equal_nan=True)


@pytest.mark.parametrize("packed", [False, True])
def test_arrays_of_every_kind_are_read_as_by_scipy(tmp_path, packed):
    cells = np.empty((2, 3), object)
    cells[:] = [["bed", np.arange(6).reshape(2, 3), np.zeros((0, 0))], ["日本", 2.5, np.array([[1, np.nan]])]]
    values = {"cells": cells, "text": "two words", "numbers": np.arange(24.0).reshape(2, 3, 4), "x": 3}
    values |= {f"kind_{kind}": np.array([[1, 2], [3, 250]]).astype(kind) for kind in ("i1", "u2", "f4", "u8")}
    savemat(tmp_path / "a.mat", values, do_compression=packed)
    ours, scipys = _read_mat((tmp_path / "a.mat").read_bytes()), loadmat(tmp_path / "a.mat")
    assert set(values) == set(ours)
    for name in values:
        assert same(ours[name], scipys[name]), name


@pytest.mark.parametrize("network", NETWORKS)
def test_released_files_are_read_as_by_scipy(network):
    path = HERE.published / "unit_annotation" / f"unitAnnotation_{network}.mat"
    ours, scipys = _read_mat(path.read_bytes()), loadmat(path)
    for name in ours:
        assert same(ours[name], scipys[name]), name


def test_structs_are_left_out_and_other_arrays_are_read(tmp_path):
    savemat(tmp_path / "a.mat", {"struct": {"a": 1}, "x": 2})
    found = _read_mat((tmp_path / "a.mat").read_bytes())
    assert found["struct"] is None
    assert found["x"].tolist() == [[2]]


@pytest.mark.parametrize("packed", [False, True])
def test_no_damage_ends_the_interpreter_and_all_is_one_sentence(tmp_path, packed):
    """Some of these files end the whole process where SciPy reads them."""
    path, rng, said = tmp_path / "a.mat", random.Random(0), []
    cells = np.empty((1, 2), object)
    cells[0] = [row(("bed", 2, 0.5), ("room", 1, 1), ("red", 6, 0)), np.array(["pool5"], object)]
    savemat(path, {"layerAnnotation": cells}, do_compression=packed)
    whole = path.read_bytes()
    for n in range(600):
        path.write_bytes(scattered(whole, rng) if n % 2 else damaged(whole, rng))
        try:
            assert len(read_amt(path)) == 3
        except SceneLensError as error:
            said.append("a.mat" in str(error))
    assert len(said) > 300
    assert all(said)


def test_an_array_that_unpacks_to_more_than_anything_is_refused(tmp_path):
    bomb = zlib.compress(bytes(200 << 20), 9)
    element = struct.pack("<II", 15, len(bomb)) + bomb
    (tmp_path / "a.mat").write_bytes(bytes(124) + b"\0\1IM" + element)
    with pytest.raises(SceneLensError, match="larger than anything"):
        read_amt(tmp_path / "a.mat")


def netdissect(**changed) -> pd.DataFrame:
    table = pd.DataFrame({"unit": [1, 2], "category": ["part", "scene"]})
    for kind in ("object", "color", "material", "scene", "texture", "part"):
        table[f"{kind}-label"] = "bed"
        for field in ("activation", "intersect", "iou"):
            table[f"{kind}-{field}"] = 0.5
    return table.assign(**changed)


def test_a_table_without_units_is_one_sentence(tmp_path):
    netdissect()[:0].to_csv(tmp_path / "a.csv")
    with pytest.raises(SceneLensError, match=r"a\.csv has no unit"):
        read_netdissect(tmp_path / "a.csv")


def test_a_table_of_network_dissection_made_by_hand(tmp_path):
    netdissect().to_csv(tmp_path / "a.csv")
    labels = read_netdissect(tmp_path / "a.csv")
    assert labels.unit.tolist() == [0, 1]
    assert labels.coverage.tolist() == [1, 1]


@pytest.mark.parametrize(
    "changed",
    [
        {"unit": [1, "x"]},
        {"unit": [1, 2.5]},
        {"unit": [1, 10**400]},
        {"category": ["part", None]},
        {"category": ["part", "smell"]},
        {"scene-iou": [0.5, "den-s"]},
        {"scene-activation": [1, 10**400]},
        {"scene-intersect": [1, "{'a': 1}"]},
        {"scene-iou": [0.5, None]},
    ],
)
def test_cells_of_network_dissection_that_are_no_measure_are_one_sentence(tmp_path, changed):
    netdissect(**changed).to_csv(tmp_path / "a.csv")
    with pytest.raises(SceneLensError, match=r"a\.csv: row 2 of the table"):
        read_netdissect(tmp_path / "a.csv")


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file" + bytes(200), b"a,b\n1,2\n"])
def test_a_file_of_another_kind(tmp_path, content):
    for name, read in (("a.mat", read_amt), ("a.csv", read_netdissect)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SceneLensError, match=name):
            read(tmp_path / name)
