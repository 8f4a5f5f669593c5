"""Section 4.1 for a whole small study: two random networks, boxes for objects, and what is said of them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from scenelens.emergence import sentences, study_emergence
from scenelens.emergence.detectors import OBJECTS, DetectorRule
from scenelens.emergence.study_emergence import measure_emergence, rules_compared
from scenelens.emergence.tables import correlations
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.labels.automatic import LEAST_IMAGES
from scenelens.labels.store import LabelStore
from scenelens.labels.table import check_labels
from scenelens.sentences import words
from scenelens.studies.study import open_study
from tests.annotated_study import annotated_study
from tests.tiny_study import write_tiny_study

EASY = DetectorRule.by_measure("iou", 0.0)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("emergence"))


@pytest.fixture(scope="module")
def found(study):
    return measure_emergence(study, EASY, 5)


def test_all_tables_agree(found):
    assert found.networks == ["scene", "object"]
    assert set(found.layers.values()) == {"pool5"}
    assert found.rule == "IoU above 0"
    assert (found.units.layer == "pool5").all()
    counts = found.of("scene").object.value_counts()
    table = found.table.set_index("object")
    assert counts.to_dict() == table.units_scene[table.units_scene > 0].to_dict()
    deepest = found.on_scenes.set_index("network")
    assert deepest.detectors.to_dict() == found.units.network.value_counts().to_dict()
    assert (found.shares.detectors + found.shares["none"] == found.shares.n).all()


def test_a_rule_is_applied_once_and_labels_are_checked_once(study, monkeypatch):
    calls = {"object_units": 0, "_check_units": 0}

    def counted(name):
        function = getattr(study_emergence, name)

        def call(*arguments, **options):
            calls[name] += 1
            return function(*arguments, **options)

        monkeypatch.setattr(study_emergence, name, call)

    for name in calls:
        counted(name)
    found = measure_emergence(study, EASY, 5)
    assert calls == {"object_units": 2, "_check_units": 1}  # on all images, and on scenes
    rules = rules_compared(found).rule.nunique()
    assert calls == {"object_units": 2 + rules, "_check_units": 1}


def test_frequency_is_that_of_the_annotated_scenes(found):
    """Nine images a scene: two beds in an attic, two rocks in a cave, a lamp everywhere."""
    assert found.frequency.set_index("object").instances.to_dict() == {
        "lamp": 27, "bed": 18, "rock": 18, "boat": 9, "sand": 9, "window": 9,
    }  # fmt: skip
    assert found.zipf.n_images == 27


def test_informativeness_is_known_beforehand(found):
    told = found.informative.categories.set_index("category")
    assert told.object.to_dict() == {"attic": "bed", "beach": "boat", "cave": "rock"}
    assert (told.ap == 1).all()
    assert found.table.set_index("object").informativeness.to_dict() == {
        "bed": 1, "boat": 1, "rock": 1, "lamp": 0, "sand": 0, "window": 0,
    }  # fmt: skip
    assert found.why_not == ""


def test_correlations_for_both_networks_and_both_choices_of_objects(found):
    kinds = found.correlations.groupby(["network", "objects"]).n.first()
    assert kinds["scene", "all"] == 6
    assert kinds["object", "detected"] == (found.table.units_object > 0).sum()


def test_concepts_on_too_few_images_are_no_labels(study):
    labels = study.automatic_labels("scene")
    rare = labels.concepts.assign(images=np.arange(len(labels.concepts)))
    kept = replace(labels, concepts=rare).shown_often(3)
    assert kept.concepts.images.min() == 3
    assert len(kept.concepts) == len(rare) - 3
    whole, part = (one.measures("pool5") for one in (labels, kept))
    for name, values in whole.items():
        np.testing.assert_array_equal(values[:, 3:], part[name])


def test_objects_that_no_label_can_name_do_not_count(study):
    """Lamps are on all 27 scenes, everything else on nine. With lamps as the only labels no other object can
    have units, so no other one takes part in the correlation."""
    few = measure_emergence(study, EASY, least_images=10)
    assert few.table.object.tolist() == ["lamp"]
    assert len(few.frequency) == 6
    assert few.which == "objects on at least 10 scenes"
    with pytest.raises(CannotAnswerError, match="1 object: too few for a correlation"):
        sentences.describe_correlations(few)
    assert rules_compared(few).objects.max() <= 1


def test_other_rules_are_compared(found):
    table = rules_compared(found)
    assert table.rule.unique().tolist() == [
        "of all concepts, IoU above 0.04", "of objects, IoU above 0.04", "of objects, AP above 0.5",
        "of objects on 25% of the scenes or fewer, AP above 0.5",
    ]  # fmt: skip
    own = table[table.network == "scene"].set_index("rule")
    assert own.by_chance.tolist() == [False, False, True, False]
    assert own.chance.iloc[2] == 1.0  # the lamp is on every scene
    assert own.chance.iloc[3] <= 0.25
    assert (table.detectors + table["none"] == table.n).all()
    starts = ("of all concepts", "of objects, IoU")
    narrow, wide = (table[table.rule.str.startswith(starting)] for starting in starts)
    assert (wide.detectors.to_numpy() >= narrow.detectors.to_numpy()).all()


@pytest.mark.parametrize("most", [0.99, 1 / 3, 0.2])
def test_common_objects_may_be_left_out_of_the_ap(found, most):
    """The lamp is on all 27 images, so that the AP of every unit is 1; the bed and others are on 9."""
    scenes = found.scenes["scene"]
    share = (scenes.concepts.set_index("concept").images / scenes.n_images["scenes"]).groupby(level=0).max()
    assert share["lamp"] == 1.0
    assert share["bed"] == pytest.approx(1 / 3)
    assert "lamp" in set(scenes.labels("ap").concept)
    chosen = set(scenes.labels("ap", OBJECTS, most_shown=most).concept)
    assert {name for name in chosen if share[name] > most + 1e-9} == set()
    assert bool(chosen) == (share.min() <= most)


def test_what_detectors_detect_is_on_so_many_images(found):
    """By hand for one rule: each unit's object, and the share of the 27 images that show it."""
    row = rules_compared(found).query("network == 'scene'").iloc[1]
    labels = found.scenes["scene"].labels("iou", OBJECTS).query("iou > 0.04")
    shown = {"lamp": 1.0, **dict.fromkeys(("bed", "window", "boat", "sand", "rock"), 1 / 3)}
    assert row.detectors == len(labels) > 0
    assert row.on_images == pytest.approx(labels.concept.map(shown).mean())


def test_a_finer_measure_than_informativeness(found):
    table = correlations(found.table, against=("frequency", "ap")).set_index(["measure", "against"])
    ap = found.informative.objects.set_index("object").ap
    assert table.r["pearson", "ap"] == pytest.approx(
        np.corrcoef(found.table.units_scene, found.table.object.map(ap))[0, 1]
    )
    assert ("spearman", "difference") in table.index


def answers(unit: int = 0, **change) -> pd.DataFrame:
    rows = [{"network": "scene", "layer": "pool5", "unit": unit, "annotator": "Ada", "concept": "beds",
             "type": "object", "precision": 0.9, "source": "people", "when": "2026-01-01"}]  # fmt: skip
    return check_labels(pd.DataFrame(rows).assign(**change))


def with_answers(study, monkeypatch, table: pd.DataFrame) -> None:
    monkeypatch.setattr(LabelStore, "labels", lambda self, *a, **k: table)
    assert study.answers.labels() is table


def test_peoples_answers_are_used(study, monkeypatch):
    with_answers(study, monkeypatch, answers())
    told = measure_emergence(study, "majority")
    assert told.of("scene")[["unit", "object"]].values.tolist() == [[0, "bed"]]
    assert rules_compared(told).rule.iloc[-1] == "majority of people, precision at least 0.75"


@pytest.mark.parametrize(("change", "said"), [
    ({"layer": "pol5"}, "a layer 'pol5', which the scene network does not have; close names: pool5"),
    ({"network": "scen"}, "labels of a network 'scen', which is none of these; close names: scene"),
])  # fmt: skip
def test_answers_about_something_else_raise(study, monkeypatch, change, said):
    with_answers(study, monkeypatch, answers(**change))
    with pytest.raises(SceneLensError, match=said):
        measure_emergence(study)


def test_the_sentences_have_the_numbers(found):
    text = sentences.describe_units(found)
    row = found.on_scenes[found.on_scenes.network == "scene"].iloc[0]
    assert f"**The scene network**, pool5: {row.detectors} units detect {row.objects} objects" in text
    assert f"{row['none']} detect none" in text
    assert "115 of the 256" in text
    assert "27 images with 6 objects (world)" in text
    assert "3 of 3 scene categories" in sentences.describe_informative(found)
    text = sentences.describe_correlations(found)
    assert "(0.54): r =" in text
    assert "(0.84): r =" in text
    assert "only 3 scene categories count" in text
    assert "nan" not in text


def gap(scene: float, other: float) -> pd.DataFrame:
    rows = [("scene", "pool5", 128, scene), ("object", "pool5", 128, other)]
    table = pd.DataFrame(rows, columns=["network", "layer", "n", "share"])
    detectors = (128 * table.share).round().astype(int)
    return table.assign(low=0.0, high=1.0, detectors=detectors, none=128 - detectors, objects=1)


@pytest.mark.parametrize(("shares", "said"), [
    (gap(0.6, 0.2), "object: the scene network is 40 points higher than the object network (95%"),
    (gap(0.6, 0.2), "points), as in the paper."),
    (gap(0.2, 0.6), "object: the object network is 40 points higher than the scene network (95%"),
    (gap(0.2, 0.6), "points). The paper found the opposite."),
    (gap(0.3, 0.35), "object: no difference is shown between the scene network and the object network (95%"),
])  # fmt: skip
def test_whichever_way_it_falls(found, shares, said):
    assert said in sentences.describe_units(replace(found, on_scenes=shares)).splitlines()[0]


@pytest.mark.parametrize(("low", "high", "said"), [
    (0.1, 0.5, "informativeness matters more than frequency for the units of this one network."),
    (-0.5, -0.1, "frequency matters more than informativeness for the units of this one network."),
    (-0.1, 0.1, "do not decide"),
])  # fmt: skip
def test_the_difference_decides(found, low, high, said):
    table = found.correlations.copy()
    table.loc[table.against == "difference", ["low", "high", "r", "reason"]] = (low, high, 0.0, "")
    assert said in sentences.describe_correlations(replace(found, correlations=table))


@pytest.mark.parametrize(("r", "paper", "said"), [
    (-0.13, 0.54, True), (0.13, 0.54, False), (0.13, -0.54, True), (0.0, 0.54, False),
])  # fmt: skip
def test_the_opposite_sign_is_said(found, r, paper, said):
    table = found.correlations.copy()
    one = (table.against == "frequency") & (table.measure == "pearson")
    table.loc[one, ["r", "paper", "reason"]] = (r, paper, "")
    text = sentences.describe_correlations(replace(found, correlations=table)).splitlines()[0]
    assert f"({paper:.2f}): r =" in text
    assert ("the sign is the opposite of the paper's" in text) == said


def with_objects(found, units, informativeness):
    table = found.table.assign(units_scene=units, informativeness=np.asarray(informativeness, float))
    return sentences.describe_correlations(replace(found, table=table))


def test_what_speaks_against_only_informative_objects_is_said(found):
    """Six objects: three tell a scene, of which two have no unit; of the other three, two have one."""
    text = with_objects(found, [0, 2, 0, 5, 1, 0], [1, 1, 1, 0, 0, 0])
    names = found.table.object.tolist()
    assert "Of the 3 objects that identify a scene best, 2 have no unit in the scene network." in text
    assert f"Of the 3 others, 2 have one or more; most units: {names[3]} 5, {names[4]} 1." in text
    assert "**Informativeness is 0 or 1 here** (3 objects have 1)" in text
    highest = np.corrcoef([0, 0, 0, 1, 2, 5], [0, 0, 0, 1, 1, 1])[0, 1]
    assert f"r would be {highest:.2f}." in text
    clean = with_objects(found, [3, 2, 4, 0, 0, 0], [2, 1, 1, 0, 0, 0])
    assert "identify a scene best, 0 have no unit" in clean
    assert "Of the 3 others, 0 have one." in clean
    assert "Informativeness is 0 or 1" not in clean


def test_two_rules_and_one_network_of_each_kind_are_said(found):
    text = sentences.describe_units(found)
    assert "counts 64 of 256 units (25%)" in text
    assert "were released 81 (32%)" in text
    assert "1 scene network, 1 object network.** All units of a layer are counted" in text


def test_units_and_objects_of_other_images_are_said(found):
    text = sentences.describe_correlations(found)
    assert "Units, frequency and informativeness are counted on the same 27 scenes." in text
    by_people = sentences.describe_correlations(replace(found, counts_scenes=False))
    assert "People named the units; frequency and informativeness are counted on 27 scenes." in by_people
    text = sentences.describe_units(found)
    judged = found.shares.query("network == 'scene' and layer == 'pool5'").detectors.iloc[0]
    assert "close-up" not in text
    # All images show scenes here, so both counts are the same.
    assert f"Judged on scenes that did not choose the label: {judged}." in text
    close_ups = found.chance.assign(images="all", detectors=17, judged=np.nan)
    chance = pd.concat([found.chance, close_ups], ignore_index=True)
    some = replace(found, seen=replace(found.seen, images=("a", "b")), chance=chance)
    said = f"Where the 25 close-ups of objects count, too: 17, or {judged} judged on images"
    assert said in sentences.describe_units(some)


def test_constant_counts_are_said_and_are_no_nan(study):
    """No unit exceeds an IoU of 2, so every object has 0 units."""
    none = measure_emergence(study, DetectorRule.by_measure("iou", 2.0), 5)
    with pytest.raises(CannotAnswerError, match="the number of units is 0 for all of 6 objects"):
        sentences.describe_correlations(none)
    assert "0 units detect 0 objects" in sentences.describe_units(none)


def test_without_scene_categories_the_rest_goes_on(study, monkeypatch):
    monkeypatch.setattr(type(study.annotations), "scene", lambda self, image: "")
    monkeypatch.setattr(study, "images", study.images.assign(category=""), raising=False)
    found = measure_emergence(study, EASY, 5)
    assert found.informative is None
    for ask in (sentences.describe_informative, lambda found: found.categories):
        with pytest.raises(CannotAnswerError, match="none of the annotated images has a scene category"):
            ask(found)
    text = sentences.describe_correlations(found)
    assert "no correlation: the informativeness is not known" in text
    assert "**With frequency**, the" in text or "no correlation: the number" in text


def test_a_study_without_annotations_says_so(tmp_path):
    with pytest.raises(CannotAnswerError, match=r"no annotations.*an \[annotations\] table"):
        measure_emergence(open_study(write_tiny_study(tmp_path)))


# ---- small studies


@pytest.mark.parametrize(("per_category", "most"), [(1, 3), (4, 12)])
def test_a_name_needs_enough_images(tmp_path, per_category, most):
    """A lamp is on every scene: three scenes in all, or twelve. Ten of them must show one object."""
    small = annotated_study(tmp_path, per_category)
    if most >= 2 * LEAST_IMAGES:
        assert measure_emergence(small).table.object.tolist() == ["lamp"]
        return
    with pytest.raises(
        CannotAnswerError, match=f"more than {most} of the {most} annotated images.*annotate 10"
    ):
        measure_emergence(small)


def test_annotations_that_name_nothing(study, monkeypatch):
    labels = {name: study.automatic_labels(name) for name in study.networks}
    bare = {
        name: replace(one, concepts=one.concepts.assign(type="texture or material"))
        for name, one in labels.items()
    }
    monkeypatch.setattr(type(study), "automatic_labels", lambda self, name: bare[name])
    with pytest.raises(CannotAnswerError, match="name no object on their 27 images"):
        measure_emergence(study)


def test_a_network_without_any_label_is_in_the_table(study, monkeypatch):
    """All units of the object network are dead: none of them detects anything, and that is said."""
    labels = {name: study.automatic_labels(name) for name in study.networks}
    one = labels["object"]
    dead = {
        layer: replace(
            counts, active=np.zeros_like(counts.active), thresholds=np.full_like(counts.thresholds, np.inf)
        )
        for layer, counts in one.counts.items()
    }
    labels["object"] = replace(one, counts=dead)
    monkeypatch.setattr(type(study), "automatic_labels", lambda self, name: labels[name])
    found = measure_emergence(study, EASY, 5)
    row = found.share("object")
    assert (row.detectors, row["none"], row.n) == (0, 32, 32)
    assert "**The object network**, pool5: 0 units detect 0 objects" in sentences.describe_units(found)
    assert rules_compared(found).query("network == 'object'").detectors.tolist() == [0, 0, 0, 0]


def test_a_network_that_the_study_lacks(found):
    for ask in (found.of, found.share, found.correlated):
        with pytest.raises(CannotAnswerError, match=r"no network 'untrained'.*\[networks\.untrained\]"):
            ask("untrained")
    with pytest.raises(SceneLensError, match="close names: scene"):
        found.of("scenes")


@pytest.mark.parametrize("n", [3, 9, 10])
def test_few_images_do_not_decide_between_networks(found, n):
    few = {name: replace(one, n_images=n) for name, one in found.automatic.items()}
    text = sentences.describe_units(replace(found, automatic=few, on_scenes=gap(0.6, 0.2)))
    assert ("points higher than the object network" in text) == (n == 10)
    assert (f"{n} annotated images do not show which network has more" in text) == (n < 10)


def test_two_networks_of_other_names(found):
    study = SimpleNamespace(
        networks=SimpleNamespace(compared=["mine", "yours"], main="mine"),
        annotation_sets=found.study.annotation_sets,
    )
    names = {"scene": "mine", "object": "yours"}
    shares = gap(0.6, 0.2).replace(names)
    one = found.automatic["scene"]
    other = replace(
        found,
        study=study,
        on_scenes=shares,
        shares=shares,
        chance=found.chance.replace(names),
        automatic={"mine": one, "yours": one},
        layers=dict.fromkeys(("mine", "yours"), "pool5"),
    )
    text = sentences.describe_units(other)
    assert "the mine network is 40 points higher than the yours network (95% interval" in text
    assert "as in the paper" not in text


@pytest.mark.parametrize("n", [3, 4, 5])
def test_a_handful_of_objects_decides_nothing(found, n):
    """Five objects have 120 orders, of which two are perfect: with fewer none would be rare enough."""
    table = found.correlations.copy()
    table["n"] = n
    table.loc[table.against == "difference", ["low", "high", "r", "reason"]] = (0.1, 0.5, 0.3, "")
    text = sentences.describe_correlations(replace(found, correlations=table))
    assert ("informativeness matters more" in text) == (n == 5)
    assert (f"From {n} objects nothing follows" in text) == (n < 5)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_one_or_two_scene_categories_decide_nothing(found, n):
    table = found.correlations.copy()
    table.loc[table.against == "difference", ["low", "high", "r", "reason"]] = (0.1, 0.5, 0.3, "")
    categories = found.informative.categories.copy()
    categories.loc[categories.index[n:], "reason"] = "left out"
    few = replace(found, correlations=table, informative=replace(found.informative, categories=categories))
    text = sentences.describe_correlations(few)
    assert ("informativeness matters more" in text) == (n == 3)
    assert ("nothing follows" in text) == (n < 3)
    assert ("From 1 scene category nothing" in text) == (n == 1)


def test_an_interval_that_contains_chance_is_said(found):
    categories = found.informative.categories.assign(low=0.2, base=0.1)
    sure = replace(found, informative=replace(found.informative, categories=categories))
    assert "contains chance" not in sentences.describe_informative(sure)
    categories.loc[categories.index[0], "base"] = 0.3
    unsure = replace(found, informative=replace(found.informative, categories=categories))
    name = words(categories.category.iloc[0])
    assert f"may show no such object, for: {name}." in sentences.describe_informative(unsure)


def test_a_set_of_one_image_is_one_image(found, monkeypatch):
    monkeypatch.setattr(type(found.study.annotations), "__len__", lambda self: 1)
    assert "1 image with 6 objects" in sentences.describe_units(found)


def test_no_interval_is_no_sentence_about_one(found):
    table = found.correlations.assign(low=np.nan, high=np.nan)
    text = sentences.describe_correlations(replace(found, correlations=table))
    assert "nan" not in text
    assert "no interval" in text
    assert "The interval" not in text
