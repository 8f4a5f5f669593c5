"""Rules that call a unit an object detector, by hand, and on the published labels of the paper's networks."""

from pathlib import Path

import pandas as pd
import pytest

from scenelens import paper
from scenelens.emergence.detectors import (
    OBJECTS,
    DetectorRule,
    _check_units,
    object_units,
)
from scenelens.errors import SceneLensError
from scenelens.labels.published import read_amt, read_netdissect
from scenelens.labels.table import unit_types
from tests.small_network import small_network

REAL = Path(__file__).parents[3] / "shared" / "real"
SOURCES = {"unit_annotation": "github.com/zhoubolei/cnnvisualizer", "netdissect": "CSAILVision/NetDissect"}


def released(folder: str) -> Path:
    if not (REAL / folder).is_dir():
        pytest.skip(f"needs {REAL / folder}, published at {SOURCES[folder]}")
    return REAL / folder


def measured(rows) -> pd.DataFrame:
    """(unit, concept, type, iou) of pool5 of the scene network."""
    table = pd.DataFrame(rows, columns=["unit", "concept", "type", "iou"])
    return table.assign(network="scene", layer="pool5", source="automatic", annotator="automatic (iou)")


def answered(rows) -> pd.DataFrame:
    """(unit, annotator, concept, type, precision), by people."""
    table = pd.DataFrame(rows, columns=["unit", "annotator", "concept", "type", "precision"])
    return table.assign(network="scene", layer="pool5", source="people")


def test_by_iou_the_best_concept_decides_and_must_exceed():
    table = measured([
        (0, "bed", "object", 0.05), (0, "red", "simple element or colour", 0.04),
        (1, "bed", "object", 0.05), (1, "red", "simple element or colour", 0.06),  # a colour suits it better
        (2, "lamp", "object", 0.04),  # reached, not exceeded
        (3, "sky", "region or surface", 0.3), (4, "wheel", "object part", 0.3),
    ])  # fmt: skip
    found = object_units(table, "iou")
    assert found[["unit", "object", "score"]].values.tolist() == [[0, "bed", 0.05], [3, "sky", 0.3]]
    strict = object_units(table, DetectorRule.by_measure("iou", 0.04, types=("object",)))
    assert strict.unit.tolist() == [0]


def test_by_people_the_majority_names_it_and_finds_it_fitting():
    table = answered([
        (0, "a", "trees", "object", 0.9), (0, "b", "Tree", "object", 0.9), (0, "c", "oak", "scene", 0.6),
        (1, "a", "bed", "object", 0.9), (1, "b", "room", "scene", 0.9), (1, "c", "red", "scene", 0.9),
        (2, "a", "bed", "object", 0.5), (2, "b", "bed", "object", 0.5), (2, "c", "bed", "object", 0.5),
    ])  # fmt: skip
    found = object_units(table, "majority")
    assert found[["unit", "object"]].values.tolist() == [[0, "tree"]]
    assert found.score[0] == pytest.approx(0.8)
    assert object_units(table, DetectorRule.by_people(threshold=0.5)).unit.tolist() == [0, 2]
    assert object_units(table, "any").unit.tolist() == [0, 1]
    assert object_units(table, "unanimous").empty


def test_people_and_measures_do_not_mix():
    """An automatic label's precision was counted by a machine: it is no answer of a person."""
    both = pd.concat([measured([(0, "bed", "object", 0.5)]).assign(precision=1.0),
                      answered([(1, "a", "lamp", "object", 1.0)])])  # fmt: skip
    assert object_units(both, "majority").unit.tolist() == [1]
    assert object_units(both, "iou").unit.tolist() == [0]


def test_a_rule_of_ones_own():
    rule = DetectorRule("even units", lambda table: table[table.unit % 2 == 0].assign(score=1.0))
    table = measured([(k, "bed", "object", 0.1) for k in range(5)])
    assert object_units(table, rule).unit.tolist() == [0, 2, 4]


@pytest.mark.parametrize(("rule", "said"), [
    ("iuo", "no rule named 'iuo'; close names: iou"), ("ap", r"these labels have no column 'ap'"),
    (3, "no rule named 3"),
])  # fmt: skip
def test_bad_rules(rule, said):
    with pytest.raises(SceneLensError, match=said):
        object_units(measured([(0, "bed", "object", 0.1)]), rule)


def test_an_unknown_type_raises():
    with pytest.raises(SceneLensError, match="no type 'objects'; close names: object"):
        DetectorRule.by_measure("iou", 0.04, types=("objects",))


def test_nothing_to_detect_is_an_empty_table():
    found = object_units(measured([(0, "red", "simple element or colour", 0.9)]), "iou")
    assert found.empty
    assert found.columns.tolist() == ["network", "layer", "unit", "object", "score"]
    assert object_units(measured([]), "majority").empty


@pytest.mark.parametrize(("change", "said"), [
    ({"network": "objcet"}, "labels of a network 'objcet', which is none of these; close names: object"),
    ({"layer": "22"}, "labels of a layer '22', which the scene network does not have; close names: 2"),
    ({"unit": 10_000}, "a label of 2:10000, but the scene network's 2 has 8 units"),
])  # fmt: skip
def test_labels_of_something_else_raise(change, said):
    networks = {"scene": small_network(), "object": small_network()}
    table = measured([(0, "bed", "object", 0.1)]).assign(layer="2")
    _check_units(table, networks)
    with pytest.raises(SceneLensError, match=said):
        object_units(table.assign(**change), "iou", networks)


def test_published_labels_of_the_papers_networks():
    """Network Dissection at IoU .04: 64 object units over 30 classes in Places205-AlexNet, 32 over 17 in
    ImageNet's."""
    folder = released("netdissect")
    for name, expected in paper.DISSECTED_OBJECTS.items():
        kind = name.removesuffix("-alexnet")
        labels = read_netdissect(folder / f"caffe_reference_{kind}.csv")
        found = object_units(labels, "iou", fold=str)
        assert (len(found), found.object.nunique()) == expected
        assert set(found.network) == {name}


def test_released_answers_of_the_papers_networks():
    """The claim of section 3.3 by the rule: 59 and 30 object units by majority; with surfaces more."""
    folder = released("unit_annotation")
    for name, expected in (("places205", 59), ("imagenet", 30)):
        answers = read_amt(folder / f"unitAnnotation_{name}-alexnet.mat").query("layer == 'pool5'")
        found = object_units(answers, DetectorRule.by_people(types=("object",)))
        assert len(found) == expected
        told = unit_types(answers)
        assert len(object_units(answers, "majority")) == told.type.isin(OBJECTS).sum()
