"""Sentences of several trainings: every number in them is that of a table."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from scenelens.seeds import describe_seeds, describe_seen, figures
from scenelens.studies import open_study
from tests.seeds.made_up_tables import made_up
from tests.tiny_study import write_tiny_study


@pytest.fixture
def tables(tmp_path):
    return made_up(tmp_path)


def _own(scene=0.53, other=0.30):
    return pd.DataFrame({"network": ["scene", "object"], "layer": "pool5", "share": [scene, other]})


def test_both_kinds_their_difference_and_the_least_p(tables, embedded):
    text = describe_seeds("detectors", embedded, _own(), tables)
    assert "5 scene networks, 5 object networks** with a quarter of the paper's channels" in text
    means = "the scene networks' mean is 30 points higher than the object networks' mean"
    shown = "(54% against 24%, n = 5 each; 95% interval of the difference 25 to 35 points)"
    assert f"- pool5: {means} {shown}; scene 50% to 58%; object 20% to 28%; p = 0.0079." in text
    assert "- pool1: all 5 scene 0%; all 5 object 0%: no network differs from another." in text
    assert "never below 0.0079. The interval leaves out 0 at pool5, and contains it in the other 1." in text


def test_where_the_own_pair_lies_is_said_with_its_width(tables, embedded):
    text = describe_seeds("detectors", embedded, _own(), tables)
    assert "half of the paper's channels" in text
    assert "so it is no sixth training" in text
    assert text.endswith(
        "1 of its 2 values lies outside of the range of its kind: pool5 object 30% (20% to 28%)."
    )
    inside = describe_seeds("detectors", embedded, _own(other=0.28), tables)
    assert inside.endswith("Each of its 2 values lies within the range of the others of its kind.")


def test_another_study_hears_of_the_limit_and_how_large_a_spread_can_be(tables, tiny):
    text = describe_seeds("detectors", tiny, _own(), tables)
    assert "Networks compared: 1 scene network, 1 object network" in text
    assert text.endswith("5 scene networks of one recipe differ by up to 8 points at pool5.")
    assert "own pair" not in text


def test_a_study_with_one_network_hears_of_it(tables, tmp_path):
    path = write_tiny_study(tmp_path / "one", per_category=1)
    text = path.read_text("utf-8")
    path.write_text(text[: text.index("[networks.object]")] + text[text.index("[[images]]") :], "utf-8")
    said = describe_seeds("preference", open_study(path), None, tables)
    assert "**This study has one kind of network** (scene)." in said
    assert figures.figure_seeds("preference", open_study(path), None, tables).axes[0].lines


def test_a_difference_that_is_not_shown(tables, embedded):
    alike = tables.networks.assign(right=tables.networks.seed * 10 + 500)
    text = describe_seeds("accuracy", embedded, None, replace(tables, networks=alike))
    assert "The interval contains 0: no difference of the kinds is shown." in text


def test_one_training_of_each_kind_claims_nothing(tmp_path, embedded):
    text = describe_seeds("ap", embedded, None, made_up(tmp_path, n=1))
    assert "1 scene network, 1 object network**" in text
    assert "Two networks of each kind are needed for an interval" in text
    assert "How much of this is chance of one training is not known" in text
    assert "p =" not in text


def test_no_training_at_all(tables, embedded):
    text = describe_seeds("ap", embedded, None, replace(tables, networks=tables.networks[:0]))
    assert "0 scene networks, 0 object networks" in text
    assert "nothing was measured" in text


def test_when_detectors_appear(tables):
    text = describe_seen(tables)
    assert "after 64,000 pictures 70 of 100 images are named right, 40 of 64 units detect an object" in text
    # Half of 40 is 20, which is there after 16,000; half of 10 is 5, and 9 are there after 16,000.
    assert text.count("Half as many detectors as at the end are first there after 16,000 pictures.") == 2
    assert "One training of each kind, so others may differ" in text
    alone = describe_seen(replace(tables, seen=tables.seen.query("network == 'scene'")))
    assert "One training of a scene network, so others may differ" in alone


@pytest.mark.parametrize(("counts", "text"), [
    ((20, 11, 12, 15), "fewer than at first: 20, then 15, after 11 at 4,000 pictures."),
    ((20, 17, 12, 5), "fewer than at first: 20, then 5."),
    ((9, 5, 7, 9), "as many as at first: 9, then 9, after 5 at 4,000 pictures."),
    ((9, 9, 12, 9), "Their number is the same at both ends, and never lower."),
])  # fmt: skip
def test_detectors_may_become_fewer(tables, counts, text):
    own = tables.seen[tables.seen.network == "object"].assign(detectors=counts)
    found = describe_seen(replace(tables, seen=own))
    assert text in found
    assert "Half as many" not in found


def test_nothing_measured_on_the_way(tmp_path):
    assert "was not measured" in describe_seen(made_up(tmp_path, seen=False))
