"""What was published about the units of the paper's own networks, which comes with the package."""

import pandas as pd
import pytest

from scenelens import paper
from scenelens.emergence.figures.published import published_counts
from scenelens.emergence.published import _published_labels, _published_shares, describe_published
from scenelens.emergence.published import published_units as units_of
from scenelens.labels.table import check_labels
from tests.figure_checks import assert_well_set


def made_up(n_scene: int, n_object: int) -> dict[str, pd.DataFrame]:
    """Network Dissection's kind of labels: so many units of an IoU of .1, one of .01."""
    rows = [("scene", k, f"thing {'abcde'[k % 5]}", 0.1) for k in range(n_scene)]
    rows += [("object", k, "dogs" if k % 2 else "dog", 0.1) for k in range(n_object)]
    rows += [("scene", 255, "bed", 0.01), ("object", 255, "bed", 0.01)]
    table = pd.DataFrame(rows, columns=["network", "unit", "concept", "iou"])
    return {"Network Dissection": check_labels(table.assign(layer="conv5", type="object"))}


def test_shares_are_of_all_units():
    table = _published_shares(units_of(made_up(128, 32))).set_index("network")
    assert table.detectors.to_dict() == {"scene": 128, "object": 32}
    assert table["none"].to_dict() == {"scene": 128, "object": 224}
    assert table.objects.to_dict() == {"scene": 5, "object": 1}  # dog and dogs are one
    assert table.share.to_dict() == {"scene": 0.5, "object": 0.125}
    assert table.low["scene"] == table.high["scene"] == 0.5  # all units are counted: no interval


def test_whichever_way_it_falls():
    more = describe_published(units_of(made_up(128, 32)))
    assert "The scene network is 38 points higher than the object network (95% interval" in more
    assert "no difference is shown" in describe_published(units_of(made_up(64, 60))).lower()


@pytest.fixture(scope="module")
def labels():
    return _published_labels()


def test_the_published_counts(labels):
    units = units_of(labels)
    table = _published_shares(units).set_index(["source", "network"])
    assert table.detectors["Network Dissection"].to_dict() == {"scene": 64, "object": 32}
    assert table.objects["Network Dissection"].to_dict() == {"scene": 30, "object": 17}
    assert table.detectors["released answers", "scene"] > 2 * table.detectors["released answers", "object"]
    text = describe_published(units)
    assert text.count("points higher than the object network (95% interval of the difference") == 2
    assert "64 units over 30 classes, and 32 over 17" in text


def test_two_rules_for_the_same_network_are_the_papers_numbers_here(labels):
    table = _published_shares(units_of(labels)).set_index(["source", "network"])
    for name, (detectors, n) in paper.MAJORITY_OBJECTS.items():
        row = table.loc["released answers", name]
        assert (row.detectors, row.n) == (detectors, n)


def test_single_objects_stand_beside_the_papers_counts(labels):
    text = describe_published(units_of(labels))
    assert "lamp 3 and 7 in the scene network (the paper: 6), person 5 and 12 in the scene" in text
    assert "dog 20 and 29 in the object network (the paper: 23)." in text
    assert "Units for one object" not in describe_published(units_of(made_up(64, 60)))


def test_the_published_figures(labels):
    units = units_of(labels)
    for source in labels:
        plate = published_counts(units, source)
        assert_well_set(plate)
        assert "Places205-AlexNet" in plate.caption
