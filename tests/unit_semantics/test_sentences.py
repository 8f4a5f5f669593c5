"""Sentences about labels: they say what the tables say, and go on where a source is missing."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from scenelens.errors import CannotAnswerError
from scenelens.studies.study import open_study
from scenelens.unit_semantics.sentences import (
    compare_labels,
    describe_agreement,
    describe_comparison,
    describe_counts_by_rule,
    describe_levels,
    describe_names,
    describe_score,
)
from scenelens.unit_semantics.sources import LabelSet, automatic_set
from tests.annotated_study import annotated_study
from tests.made_up_labels import made_up_answers

MISSING = LabelSet("nothing", missing="Not installed: fetch it.")


def automatic(measure="iou", n_units=6):
    """One label a unit: even ones of the scene network are lamps, all others walls of low IoU."""
    rows = []
    for network in ("scene", "object"):
        for unit in range(n_units):
            lamp = network == "scene" and unit % 2 == 0
            name, kind = ("lamp", "object") if lamp else ("wall", "region or surface")
            rows.append((network, "pool5", unit, name, kind, 0.3, 0.2 if lamp else 0.01))
    columns = ["network", "layer", "unit", "concept", "type", "precision", "iou"]
    who = {"annotator": "automatic (iou)", "source": "automatic"}
    labels = pd.DataFrame(rows, columns=columns).assign(**who)
    units = {("scene", "pool5"): n_units, ("object", "pool5"): n_units}
    return LabelSet("automatic labels", labels, units, measure, 0.04)


@pytest.mark.parametrize("read", [
    describe_agreement, describe_counts_by_rule,
    lambda one: describe_score(one, one, "worker 1"),
    lambda one: describe_comparison(one, automatic()),
    lambda one: describe_comparison(made_up_answers(), one),
    lambda one: describe_score(one, automatic()), lambda one: compare_labels(made_up_answers(), one),
])  # fmt: skip
def test_a_missing_source_is_said(read):
    with pytest.raises(CannotAnswerError, match=r"^Not installed: fetch it\.$"):
        read(MISSING)


def test_agreement_of_the_released_workers(released):
    text = describe_agreement(released)
    assert "scene network, pool5: all agree on a unit's type in 23% (95% interval 18–29%, n = 256)" in text
    assert "object network, pool5: all agree on a unit's type in 26%" in text
    assert "alpha 0.2" in text


def test_one_annotator_cannot_agree_with_anybody():
    assert describe_agreement(automatic()).count("no unit has two answers yet") == 2


def test_counts_by_rule_of_the_released_answers(released):
    text = describe_counts_by_rule(released)
    assert (
        "*any*: **103** in the scene network, **75** in the object network; the scene network is 11 points "
        "higher than the object network (40% against 29%, n = 256 each; 95% interval of the difference 3 to"
        in text
    )
    assert (
        "*majority*: **59** in the scene network, **30** in the object network; the scene network is 11"
        in text
    )
    assert "as if the units were drawn from all that such a training would make" in text
    assert "by 4 of 4 rules" in text


def test_one_label_a_unit_needs_no_rule():
    text = describe_counts_by_rule(automatic())
    assert "**3** in the scene network, **0** in the object network" in text
    assert "rule" not in text


def test_one_network_cannot_be_compared():
    both = automatic()
    one = LabelSet("half", both.labels[both.labels.network == "scene"], {("scene", "pool5"): 6}, "iou", 0.04)
    with pytest.raises(CannotAnswerError, match="about one network only, scene"):
        describe_counts_by_rule(one)
    assert "50%" in describe_levels(one, MISSING)
    assert "difference" not in describe_levels(one)
    with pytest.raises(CannotAnswerError, match="Not installed"):
        describe_levels(MISSING)


@pytest.mark.parametrize("share", [0, 3, 6])
def test_equal_shares_are_no_difference(share):
    """As many units of high meaning in both networks: none, half of them, all."""
    labels = automatic()
    lamp = {"concept": "lamp", "type": "object", "iou": 0.2}
    table = labels.labels.assign(concept="wall", type="region or surface", iou=0.01)
    table.loc[table.unit < share, list(lamp)] = list(lamp.values())
    same = replace(labels, labels=table)
    assert "No difference is shown between the scene network and the object network" in describe_levels(same)
    assert "higher than" not in describe_levels(same)


def test_two_networks_of_other_names():
    names = {"scene": "mine", "object": "yours"}
    both = automatic()
    units = {(names[network], layer): n for (network, layer), n in both.units.items()}
    other = replace(both, labels=both.labels.replace({"network": names}), units=units)
    assert "The mine network is 50 points higher than the yours network (50% against 0%" in describe_levels(
        other
    )
    assert "**3** in the mine network, **0** in the yours network" in describe_counts_by_rule(other)


def test_sets_about_different_units_are_not_compared():
    ours = made_up_answers(layers=("pool5",))
    theirs = automatic()
    apart = replace(theirs, labels=theirs.labels.assign(unit=theirs.labels.unit + 100))
    with pytest.raises(CannotAnswerError, match="about different units"):
        compare_labels(ours, apart)


def test_levels_of_this_study_and_of_the_paper(released):
    text = describe_levels(automatic(), released)
    mine, paper, limit = text.splitlines()
    assert limit.startswith(
        "- **Networks compared: 1 scene network, 1 object network.** All units of a layer are"
    )
    assert "scene network 50%" in mine
    assert "object network 0%" in mine
    assert "The scene network is 50 points higher than the object network (50% against 0%, n = 6 each" in mine
    assert "scene network 30% of all 256" in paper
    assert "The scene network is 18 points higher than the object network" in paper


def test_the_control_is_described_where_a_study_has_one(tmp_path):
    study = annotated_study(tmp_path, per_category=5)
    missing = automatic_set(study, networks=["untrained"])
    with pytest.raises(CannotAnswerError, match=r"no network 'untrained'.*\[networks\.untrained\]"):
        describe_levels(missing)
    text = study.file.path.read_text()
    again = text.replace("[[images]]", '[networks.untrained]\narchitecture = "caffenet"\nwidth = 0.125\n'
                         'fc = 16\nseed = 9\nclasses = ["attic", "beach"]\n\n[[images]]', 1)  # fmt: skip
    study.file.path.write_text(again)
    said = describe_levels(automatic_set(open_study(study.file.path), networks=["untrained"]))
    assert "untrained network" in said
    assert "of all 32" in said
    assert "a network with random weights, of the same architecture" in said
    study.file.path.write_text(
        again.replace('"caffenet"\nwidth = 0.125\nfc = 16\nseed = 9', '"squeezenet1_1"\nseed = 9')
    )
    said = describe_levels(automatic_set(open_study(study.file.path), networks=["untrained"]))
    assert "of another architecture (SqueezeNet, while the scene network is a CaffeNet)" in said


def test_how_sure_names_are_by_hand():
    """Three units: chosen 0.3, 0.2, 0.1, judged 0.2, 0.1, 0.1; one of them has two names."""
    labels = automatic()
    table = labels.labels[(labels.labels.network == "scene") & (labels.labels.unit < 3)].assign(
        iou=[0.2, 0.1, 0.1], iou_chosen=[0.3, 0.2, 0.1], same_name=[1.0, 0.5, 0.75],
        names=[("lamp",), ("lamp", "wall"), ("wall",)],
    )  # fmt: skip
    said = describe_names(replace(labels, labels=table))
    assert "scene network, pool5, 3 of 6 units with a name: mean IoU **0.133** on images that did not" in said
    assert "0.2 on those that did" in said
    assert "the same name as all of them in 75% of the cases. 1 of the 3 have two or more" in said
    assert "object network: no unit of pool5 has a name." in said
    with pytest.raises(CannotAnswerError, match="no measure chose these names"):
        describe_names(made_up_answers())


def test_the_count_on_the_images_that_chose_stands_beside():
    labels = automatic()
    both = labels.labels.assign(iou_chosen=0.2, iou=0.01)
    said = describe_levels(replace(labels, labels=both))
    assert "scene network 0% of all 6" in said
    assert "On the images that chose the names it would be 50% (scene) and 0% (object)." in said


def test_people_and_machine_are_compared(released, dissected):
    table = compare_labels(released, dissected, n=5)
    assert table.columns.tolist() == ["worker 1", "worker 2", "worker 3", "Network Dissection"]
    assert len(table) == 5
    text = describe_comparison(released, dissected)
    assert text.count("n = 256") == 2


def test_an_automatic_label_that_shares_a_word():
    text = describe_comparison(made_up_answers(layers=("pool5",)), automatic())
    assert "scene network: the automatic concept shares a word with at least one person's in 100%" in text


def test_where_several_have_answered_the_reader_says_who():
    answers = made_up_answers(layers=("pool5",))
    asked = describe_score(answers, automatic())
    assert asked.startswith("Whose answers? worker 1, worker 2, worker 3 have answered: give the name")
    alone = replace(answers, labels=answers.labels[answers.labels.annotator == "worker 3"])
    assert describe_score(alone, automatic()).startswith("**worker 3** compared with automatic labels")


def test_a_reader_is_not_scored_against_answers_about_other_networks(released):
    own = made_up_answers(layers=("pool5",))
    said = describe_score(own, released, "worker 1")
    assert said.startswith("Nothing to score: the published answers are about the paper's own object network")
    with pytest.raises(CannotAnswerError, match="about different networks"):
        compare_labels(own, released)


def test_a_student_is_scored_by_name():
    answers = made_up_answers(layers=("pool5",))
    named = describe_score(answers, automatic(), "worker 2")
    assert named.startswith("**worker 2** compared with automatic labels, 12 units")
    assert "no answers by 'Bob'" in describe_score(answers, automatic(), "Bob")


def test_a_released_worker_is_compared_with_the_other_two(released):
    text = describe_score(released, released, "worker 1", "scene")
    assert text.startswith("**worker 1** compared with the other annotators, 256 units")
    table = released.of("scene").pivot(index="unit", columns="annotator", values="type")
    shared = (table.iloc[:, 1:].eq(table.iloc[:, 0], axis=0)).to_numpy().mean()
    assert f"agrees with {100 * shared:.0f}% of the others' answers" in text
    apart = (table.iloc[:, 1] == table.iloc[:, 2]).mean()
    assert f"one of them agrees with {100 * apart:.0f}% of the rest" in text
