"""The published labels have the numbers that are known of them; broken files of every kind."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat, savemat

from scenelens.errors import SceneLensError
from scenelens.labels.annotator_agreement import Agreement
from scenelens.labels.published import ROLES, read_amt, read_netdissect
from scenelens.labels.table import TYPES, concept_type, unit_types
from scenelens.unit_semantics.sentences import _side_by_side
from scenelens.unit_semantics.tables import _type_counts
from tests.requirements_gate import require_real

NETWORKS = ("places205-alexnet", "imagenet-alexnet")
POOL5 = {  # answers per type; agreement of all three; mean precision
    "places205-alexnet": ([125, 293, 130, 95, 41, 84], 0.2305, 0.778),
    "imagenet-alexnet": ([29, 265, 42, 151, 61, 220], 0.2617, 0.712),
}


@lru_cache
def released(network: str) -> pd.DataFrame:
    return read_amt(require_real("unit_annotation", f"unitAnnotation_{network}.mat"))


@pytest.mark.parametrize("network", NETWORKS)
def test_the_released_answers_count_as_published(network):
    labels = released(network)
    shares = loadmat(require_real("unit_annotation", f"unitAnnotation_{network}.mat"))["layerAverageCount"]
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
    return require_real("netdissect", f"caffe_reference_{name}.csv")


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
    assert {concept_type(kind, "x") for kind in ("scene", "object", "part", "texture", "color")} == {
        TYPES[k] for k in (0, 1, 3, 4, 5)
    }
    assert concept_type("material", "grass") == "texture or material"
    assert concept_type("object", "grass") == "region or surface"
    with pytest.raises(SceneLensError, match="no kind"):
        concept_type("smell", "rose")


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


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file" + bytes(200), b"a,b\n1,2\n"])
def test_a_file_of_another_kind(tmp_path, content):
    for name, read in (("a.mat", read_amt), ("a.csv", read_netdissect)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SceneLensError, match=name):
            read(tmp_path / name)
