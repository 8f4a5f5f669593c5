"""A verdict follows from outcomes, outcomes from numbers, and every card says what it rests on."""

import math
import re
from dataclasses import replace
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelens import paper
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.intervals import difference_interval, wilson_interval
from scenelens.interventions import ablation_curve
from scenelens.paper import PAIR
from scenelens.seeds import SeedTables
from scenelens.studies import open_study
from scenelens.unit_semantics import LabelSet
from scenelens.verdict import results, section_2, section_3, section_4, section_later
from scenelens.verdict.claims import (
    DEPENDS,
    DIFFERS,
    HOLDS,
    PIXELS,
    PLAIN,
    UNTESTED,
    VERDICTS,
    _Claim,
    _Finding,
    _Number,
    _Row,
    _verdict,
)  # fmt: skip
from scenelens.verdict.figures import paper_and_ours
from scenelens.verdict.trainings import _from_tables, _of_package
from scenelens.verdict.verdicts import _CLAIMS, Verdicts, _Cards, _judged, judge_claims
from tests.figure_checks import assert_well_set
from tests.hostile_names import FORMULAS, SCRIPTS
from tests.interventions.made_up_effects import made_up_effects
from tests.page_parts import Parts
from tests.requirements_gate import ROOT
from tests.retraining.made_up_tables import made_up as made_up_retraining
from tests.seeds.made_up_tables import rows as rows_of_trainings
from tests.tiny_study import write_tiny_study

OUTCOMES = st.lists(st.sampled_from([True, False, None]), max_size=5)
NUMBERS = (
    _Number("bed", 0.87, 0.9, 0.8, 0.95, n="20 images"),
    _Number("r", 0.54, -0.13, -0.3, 0.1, PLAIN, "97 objects"),
    _Number("pool5", 72.0, 37.5, unit=PIXELS, n="128 units"),
)


def claim(about="Beds", judge=None, **given):
    words = {"key": "beds", "section": "3.1", "text": "Bedrooms keep beds.", "rule": "Holds if so."}
    look = ("03_1_minimal_images", "What scenes keep")
    return _Claim(about=about, look=look, judge=judge, **(words | given))


def row(*outcomes, place=1, numbers=NUMBERS, about="Beds", reason="", **given):
    finding = (
        None
        if reason
        else _Finding(dict(zip("abcde", outcomes, strict=False)), numbers, {"image": 20}, **given)
    )
    return _Row(place, claim(about), finding, reason, {"scene": 1, "object": 1})


# ---- from outcomes to a verdict


@given(OUTCOMES)
def test_a_verdict_depends_on_the_outcomes_and_not_on_their_order_or_number(outcomes):
    found = _verdict(outcomes)
    assert found in VERDICTS
    assert found == _verdict(outcomes[::-1]) == _verdict(outcomes * 2)
    if found in (HOLDS, DIFFERS):
        assert len(set(outcomes)) == 1
    if found == UNTESTED:
        assert set(outcomes) <= {None}


@given(OUTCOMES.filter(lambda one: {True, False} <= set(one)))
def test_rules_that_disagree_are_always_said(outcomes):
    assert _verdict(outcomes) == DEPENDS


def test_a_number_knows_whether_the_papers_lies_inside():
    assert NUMBERS[0].inside is True
    assert NUMBERS[1].inside is False
    assert NUMBERS[2].inside is None
    assert [one.shown(one.ours) for one in NUMBERS] == ["90%", "-0.13", "37.5 px"]
    assert [one.between for one in NUMBERS] == ["80–95%", "-0.30 to 0.10", ""]
    assert _Number("all", 1.0, 2.0, 2.0, 2.0).between == ""  # nothing was drawn at random


# ---- the claims


def test_claims_have_keys_of_their_own_and_lead_to_headings_that_exist():
    keys = [one.key for one in _CLAIMS]
    assert len(keys) == len(set(keys)) >= 25
    for one in _CLAIMS:
        notebook, heading = one.look
        cells = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", 4).cells
        headings = {line for cell in cells for line in re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)}
        assert heading in headings, one.key
        assert one.text.endswith(".")
        assert one.rule.endswith(".")


def test_every_claim_of_the_paper_with_a_number_quotes_it():
    said = " ".join(one.text for one in _CLAIMS)
    for share in (
        paper.SCENE_ACCURACY["scene"],
        paper.SCENE_ACCURACY["object"],
        paper.OBJECT_ACCURACY["object"],
    ):
        assert f"{100 * share:.1f}%" in said
    for (network, layer), share in paper.PREFERENCE.items():
        assert f"{100 * share:.0f}%" in said, (network, layer)
    for sizes in (paper.RF_SIZES, paper.RF_SIZES_OBJECT):
        assert all(f"{size:.1f}" in said for size in sizes.values())
    for r in paper.EMERGENCE_CORRELATION.values():
        assert f"r = {r:.2f}" in said
    none, of = paper.NO_OBJECT["pool5"]
    assert f"{100 * (1 - none / of):.0f}%" in said
    assert f"{none} detect none" in said


class Stub(SimpleNamespace):
    """Results that were not measured; a claim may ask for no others."""

    rendered = False

    def need_pair(self):
        pass

    need_scene_network = need_pair


def preference(scene, other, layers=("pool1", "conv4", "fc7"), images=4000):
    """A table of `layer_preference` with so many single objects among the 100 strongest of each layer."""
    rows = []
    for depth, layer in enumerate(layers):
        for network, counts in (("scene", scene), ("object", other)):
            low, high = wilson_interval(counts[depth], 100)
            ends = (
                difference_interval(counts[depth], 100, scene[depth], 100)
                if network == "object"
                else (np.nan,) * 2
            )
            row = (network, depth, layer, counts[depth] / 100, low, high, 100, images, 0.5, np.nan)
            rows.append((*row, *ends))
    columns = ["network", "depth", "layer", "share", "low", "high", "n", "images", "chance", "paper"]
    return pd.DataFrame(rows, columns=[*columns, "difference_low", "difference_high"])


def outcome(judge, **known):
    found = judge(Stub(**{name: lambda value=value: value for name, value in known.items()}))
    return _verdict(found.outcomes.values()), found


@pytest.mark.parametrize(("scene", "other", "deepest", "parting"), [
    ((50, 30, 10), (50, 60, 90), HOLDS, HOLDS),  # from conv4 on, as in the paper
    ((50, 50, 10), (50, 50, 90), HOLDS, DIFFERS),  # at the deepest layer only
    ((10, 10, 10), (90, 90, 90), HOLDS, DIFFERS),  # from the first layer on
    ((50, 60, 90), (50, 30, 10), DIFFERS, DIFFERS),  # the other way round
    ((50, 50, 50), (50, 50, 50), UNTESTED, DIFFERS),  # nowhere
])  # fmt: skip
def test_which_images_layers_prefer(scene, other, deepest, parting):
    table = preference(scene, other)
    assert outcome(section_2._deepest, preference=table)[0] == deepest
    assert outcome(section_2._parting, preference=table)[0] == parting


def test_where_the_order_is_reversed_it_is_said():
    text = outcome(section_2._parting, preference=preference((90, 30, 10), (50, 60, 90)))[1].text
    assert text == "Here the two differ from conv4 on; in pool1 the scene network has more single objects."


def test_few_images_say_nothing_about_a_layer():
    with pytest.raises(CannotAnswerError, match="with 100 images in all"):
        outcome(section_2._deepest, preference=preference((50, 50, 10), (50, 50, 90), images=100))


@pytest.mark.parametrize(("first", "last", "verdict"), [(80, 0, HOLDS), (0, 80, DIFFERS), (50, 50, UNTESTED)])
def test_early_layers_share_images_or_do_not(first, last, verdict):
    rows = []
    for depth, shared in enumerate((first, last)):
        for network, start in (("scene", 0), ("object", 100 - shared)):
            rows += [(network, depth, f"layer{depth}", f"{k}.png") for k in range(start, start + 100)]
    top = pd.DataFrame(rows, columns=["network", "depth", "layer", "image"])
    found = outcome(section_2._overlap, strongest=top, preference=preference((50, 50, 50), (50, 50, 50)))
    assert found[0] == verdict
    assert [one.ours for one in found[1].numbers] == [first / 100, last / 100]


def accuracies(scene, other, n=1000):
    rows = [
        ("scene", name, k / n, *wilson_interval(k, n), n, 0.05)
        for name, k in zip(PAIR, (scene, other), strict=True)
    ]
    table = pd.DataFrame(rows, columns=["task", "features", "share", "low", "high", "n", "chance"])
    low, high = difference_interval(scene, n, other, n)
    return table.assign(paper=[0.5, 0.408], categories=20, difference_low=low, difference_high=high)


@pytest.mark.parametrize(
    ("scene", "other", "verdict"), [(860, 400, HOLDS), (400, 860, DIFFERS), (500, 505, UNTESTED)]
)
def test_whose_features_serve_scenes(scene, other, verdict):
    found = outcome(section_2._served, served=accuracies(scene, other))
    assert found[0] == verdict
    assert "18% in the paper" in found[1].text


def sizes(**means):
    """A complete table 2: the mean sizes of each network's pool1, pool2, conv4, pool5."""
    rows = []
    for network, own in means.items():
        for depth, (layer, mean) in enumerate(zip(paper.RF_SIZES, own, strict=True)):
            theory = section_3._THEORETICAL[layer]
            theirs = {"scene": paper.RF_SIZES, "object": paper.RF_SIZES_OBJECT}[network][layer]
            rows.append((network, depth, layer, theory, mean, mean, mean, 64, 64, 0, mean / theory, theirs))
    names = [
        "network",
        "depth",
        "layer",
        "theoretical",
        "mean",
        "low",
        "high",
        "n",
        "units",
        "silent",
        "share",
        "paper",
    ]
    table = pd.DataFrame(rows, columns=names)
    return pd.concat([table.assign(cut=cut) for cut in (0.25, 0.5)])


@pytest.mark.parametrize(("scene", "other", "size", "smaller", "falls", "alike"), [
    ((17.8, 37.4, 60, 72), (17.9, 36.7, 60.4, 70.3), HOLDS, HOLDS, HOLDS, HOLDS),  # the paper's own
    ((10, 25, 32, 37), (10, 25, 36, 43), DIFFERS, HOLDS, HOLDS, DIFFERS),
    ((20, 37, 60, 72), (18, 37, 60, 71), DIFFERS, DIFFERS, HOLDS, DIFFERS),  # one layer larger than possible
    ((5, 37, 60, 150), (5, 37, 60, 150), DIFFERS, HOLDS, DIFFERS, HOLDS),  # the share rises
])  # fmt: skip
def test_sizes_of_fields(scene, other, size, smaller, falls, alike):
    table = sizes(scene=scene, object=other)
    judges = (section_3._sizes, section_3._smaller, section_3._falls, section_3._alike)
    assert [outcome(judge, sizes=table)[0] for judge in judges] == [size, smaller, falls, alike]


def test_a_claim_about_fields_may_depend_on_where_they_end():
    half, tenth = (sizes(scene=sides, object=sides)[:8] for sides in ((9, 25, 32, 37), (20, 50, 82, 94)))
    both = pd.concat([half.assign(cut=0.5), tenth.assign(cut=0.1)])
    assert outcome(section_3._smaller, sizes=both)[0] == DEPENDS
    found = outcome(section_3._falls, sizes=both)
    assert found[0] == HOLDS
    assert list(found[1].outcomes) == ["ends at 50%", "ends at 10%"]


def test_a_sample_of_units_decides_by_its_interval():
    table = sizes(scene=(17.8, 37.4, 60, 72), object=(17.9, 36.7, 60.4, 70.3)).assign(n=2)
    for low, high, verdict in ((-1, 1, HOLDS), (1, 2, DIFFERS), (math.nan, math.nan, UNTESTED)):
        sample = table.assign(low=table["mean"] + low, high=table["mean"] + high)
        assert outcome(section_3._sizes, sizes=sample)[0] == verdict
    assert outcome(section_3._alike, sizes=sample)[0] == UNTESTED


def kept(*rows):
    table = pd.DataFrame(
        [(name, n, k / n, *wilson_interval(k, n), 0.2) for name, k, n in rows],
        columns=["object", "n", "share", "low", "high", "by_chance"],
    )
    return SimpleNamespace(table=table, counted=[None] * 25)


@pytest.mark.parametrize(("rows", "verdict"), [
    ([("bed", 22, 24), ("wall", 7, 25)], HOLDS),
    ([("bed", 2, 24), ("wall", 7, 25)], DIFFERS),
    ([("bed", 22, 24), ("wall", 0, 4)], HOLDS),  # four walls say nothing
])  # fmt: skip
def test_what_bedrooms_keep(rows, verdict):
    found = section_3._kept(Stub(retention=lambda category, rule: kept(*rows)), "bedroom")
    assert _verdict(found.outcomes.values()) == verdict
    assert "window" in found.text


def test_what_is_kept_may_depend_on_the_rule_of_stopping():
    by_rule = {"class": kept(("bed", 22, 24)), "half": kept(("bed", 2, 24))}
    found = section_3._kept(Stub(retention=lambda category, rule: by_rule[rule]), "bedroom")
    assert _verdict(found.outcomes.values()) == DEPENDS
    assert [one.what for one in found.numbers] == [
        "bed, class lost", "bed, half the score lost",
    ]  # fmt: skip


def test_an_object_on_too_few_images_is_not_compared():
    with pytest.raises(CannotAnswerError, match="on 5 images"):
        section_3._kept(Stub(retention=lambda category, rule: kept(("bed", 4, 4))), "bedroom")


def detectors(**rules):
    rows = [(rule, name, 128, k) for rule, both in rules.items() for name, k in zip(PAIR, both, strict=True)]
    return pd.DataFrame(rows, columns=["rule", "network", "n", "detectors"])


def test_a_rule_that_chance_passes_decides_nothing(monkeypatch):
    rules = detectors(a=(70, 20), b=(128, 128)).assign(by_chance=[False, False, True, True])
    monkeypatch.setattr(results.emergence, "rules_compared", lambda found: rules)
    known = results._Results(SimpleNamespace())
    monkeypatch.setattr(known, "emergence", lambda: None)
    assert known.by_rules().rule.tolist() == ["a", "a"]


@pytest.mark.parametrize(("rules", "share", "more"), [
    ({"a": (70, 20), "b": (72, 30)}, HOLDS, HOLDS),
    ({"a": (70, 20), "b": (120, 30)}, DEPENDS, HOLDS),
    ({"a": (10, 60), "b": (20, 90)}, DIFFERS, DIFFERS),
    ({"a": (70, 20), "b": (20, 70)}, DEPENDS, DEPENDS),
])  # fmt: skip
def test_detectors_by_several_rules(rules, share, more):
    known = {"by_rules": detectors(**rules), "emergence": SimpleNamespace(n_annotated=500)}
    assert outcome(section_4._detecting, **known)[0] == share
    assert outcome(section_4._more_detectors, **known)[0] == more


@pytest.mark.parametrize(("by_two", "by_one", "verdict"), [
    ((6, 9, 23), (0, 0, 0), HOLDS),
    ((3, 5, 20), (5, 6, 9), DEPENDS),
    ((0, 0, 0), (1, 1, 1), DIFFERS),
])  # fmt: skip
def test_the_papers_own_units_for_one_object(by_two, by_one, verdict):
    """So many units are named by two people, and so many others by one."""
    rows = []
    for (network, name), two, one in zip(paper.UNITS_FOR, by_two, by_one, strict=True):
        rows += [(network, "pool5", k, f"a {name}", who) for k in range(two) for who in ("A", "B")]
        rows += [(network, "pool5", 300 + k, f"{name}s", "A") for k in range(one)]
        rows += [(network, "conv4", k, name, "A") for k in range(50)]
    names = ["network", "layer", "unit", "concept", "annotator"]
    released = LabelSet("answers", pd.DataFrame(rows, columns=names))
    assert outcome(section_4._single_objects, released=released)[0] == verdict


def boxes(right, sure):
    """A hundred boxes of pool5, of which so many are right, and ten confident ones."""
    table = pd.DataFrame({"layer": "pool5", "confidence": 0.1, "right": np.arange(1000) < right})
    more = pd.DataFrame({"layer": "pool5", "confidence": 0.9, "right": np.arange(100) < sure})
    scores = SimpleNamespace(boxes=pd.concat([table, more]), images=["a.png"])
    return {"scene": SimpleNamespace(scores=scores, localizer=SimpleNamespace(layers=["conv4", "pool5"]))}


@pytest.mark.parametrize(
    ("right", "sure", "verdict"), [(900, 90, HOLDS), (100, 10, DIFFERS), (100, 90, DEPENDS)]
)
def test_boxes_of_one_forward_pass(right, sure, verdict):
    assert outcome(section_4._one_pass, localizers=boxes(right, sure))[0] == verdict


# ---- after the paper


@pytest.mark.parametrize(("without", "verdict", "comparisons"), [
    ((), HOLDS, 6),
    (("cue",), HOLDS, 4),
    (("frequency", "cue"), HOLDS, 2),
    (tuple(f"everywhere_{name}" for name in ("barn", "blackboard", "lighthouse"))
     + ("diagnostic_cat", "diagnostic_rug", "frequency"), DEPENDS, 4),
])  # fmt: skip
def test_why_objects_emerge(tmp_path, without, verdict, comparisons):
    """One object alone has no interval, so what it says is open."""
    found = outcome(section_later._because, retrained=made_up_retraining(tmp_path, without))
    assert found[0] == verdict
    assert len(found[1].numbers) == comparisons
    assert ("comparisons are missing" in found[1].text) == (comparisons < 6)
    assert not found[1].fair


def test_why_objects_emerge_cannot_be_told_without_an_edited_world(tmp_path):
    tables = made_up_retraining(tmp_path, ("diagnosticity", "frequency", "cue"))
    with pytest.raises(CannotAnswerError, match="no network of an edited world"):
        section_later._because(Stub(retrained=lambda: tables))


def test_single_units_matter_to_their_own_class():
    """Of six made-up images four lose their class without its unit; without another's, one in eight times."""
    found = section_later._single_units(Stub(ablation=lambda: made_up_effects(labelled=False)))
    own, apart, whole = found.numbers
    curve = ablation_curve(made_up_effects(labelled=False))
    row = curve[(curve.k == 1) & (curve.whose == "own")].iloc[0]
    other = curve[(curve.k == 1) & (curve.whose == "other")].iloc[0]
    assert own.ours == row.change == 0.5
    assert apart.ours == pytest.approx(own.ours - other.change)
    assert whole.ours < own.ours
    assert found.cases == {"image": 6, "unit": 5, "category": 3}


def test_twenty_units_of_a_class(monkeypatch):
    """The balanced accuracies without a unit are 0.75, 0.625 and 0.5; with all units 0.875, 1 and 0.75."""
    found = made_up_effects(labelled=False)
    with pytest.raises(CannotAnswerError, match="too few here for a mean"):
        section_later._twenty_units(Stub(ablation=lambda: found))
    one = (found.runs.way == "effect") & (found.runs.k == 1)
    found = replace(found, runs=found.runs.assign(k=found.runs.k.where(~one, 20)))
    monkeypatch.setattr(section_later, "_FEWEST_CATEGORIES", 3)
    finding = section_later._twenty_units(Stub(ablation=lambda: found))
    without, whole = finding.numbers
    assert finding.outcomes == {"mean balanced accuracy": without.low <= 0.53}
    assert (without.ours, whole.ours) == pytest.approx((0.625, 0.875))
    assert without.paper == 0.53
    assert without.low < without.ours < without.high
    assert without.n == "3 categories"
    monkeypatch.setattr(paper, "WITHOUT_TWENTY", 0.4)  # much less is left there than here
    assert section_later._twenty_units(Stub(ablation=lambda: found)).outcomes == {
        "mean balanced accuracy": False
    }


def test_nothing_is_switched_off_for_the_verdict(tmp_path):
    found = results._Results(open_study(write_tiny_study(tmp_path, 8)))
    with pytest.raises(CannotAnswerError, match="notebook 05 does that"):
        found.ablation()
    with pytest.raises(CannotAnswerError, match="only the package's own world"):
        found.retrained()


# ---- what cannot be tested


def test_a_claim_that_cannot_be_tested_says_why():
    def judge(results):
        raise CannotAnswerError("this study has no beds.")

    finding, reason = _judged(claim(judge=judge), None)
    assert finding is None
    one = _Row(7, claim(), finding, reason)
    assert one.verdict == UNTESTED
    assert str(_Cards((one,))) == "7 (Beds): cannot be tested here, because this study has no beds."
    assert "This study has no beds." in _Cards((one,))._repr_html_()


def test_an_error_of_another_kind_is_no_verdict():
    def judge(results):
        raise SceneLensError("the cache is damaged.")

    with pytest.raises(SceneLensError, match="damaged"):
        _judged(claim(judge=judge), None)


# ---- what is shown

FOUR = Verdicts(
    "A study",
    (
        row(True, place=1, about="Beds"),
        row(False, place=2, about="Lamps"),
        row(True, False, place=3, about="Doors", fair=False, why="other doors"),
        row(place=4, about="Ghosts", reason="nobody has seen one."),
    ),
)


def test_the_table_has_a_row_for_each_claim_and_one_for_each_number():
    table = FOUR.table
    assert table.verdict.tolist() == [HOLDS, DIFFERS, DEPENDS, UNTESTED]
    assert table.reason.tolist() == ["", "", "", "nobody has seen one."]
    assert table.cases[0] == "20 images, 1 scene network, 1 object network"
    assert len(FOUR.numbers) == 9
    assert [FOUR.count(one) for one in VERDICTS] == [1, 1, 1, 1]


def test_what_differs_is_said_first_with_the_numbers_farthest_apart():
    lines = FOUR.describe().splitlines()
    assert [re.search(r"\*\*(.+?)\*\*", line)[1] for line in lines] == [
        "Differs from the paper", "Depends on the rule", "Holds", "Not tested here",
    ]  # fmt: skip
    assert "2 lamps (r: the paper 0.54, here -0.13)" in lines[0]


def test_the_conclusion_counts_and_names_the_limit():
    text = FOUR.conclude()
    assert (
        "Of the paper's 4 claims 3 can be tested here: 1 differs, 1 depends on the rule, and 1 holds" in text
    )
    assert "In 2 of the 3 like is compared with like, and of these 1 holds (50%)" in text
    assert "1 scene network and 1 object network, each trained once" in text


def test_nothing_to_test_is_said_in_one_sentence():
    assert Verdicts("", FOUR.rows[3:]).conclude().startswith("**None of the 1 claims")


def test_cards_of_a_section_and_of_an_unknown_one():
    assert len(FOUR.cards("3.1").rows) == 4
    assert FOUR.cards("4.1").rows == ()
    with pytest.raises(SceneLensError, match=r"no section '3\.9'"):
        FOUR.cards("3.9")


def test_a_card_shows_both_numbers_the_rule_and_where_to_look():
    html = FOUR.cards()._repr_html_()
    parts = Parts(html)
    assert parts.scripts == []
    for text in ("87%", "90%", "80–95%", "20 images", "Holds if so.", "Not fair", "Other doors.", "differs"):
        assert text in html
    assert html.count("03_1_minimal_images.ipynb#What-scenes-keep") == 4


@pytest.mark.parametrize("name", [*SCRIPTS, *FORMULAS])
def test_a_card_shows_names_as_text(name):
    number = _Number(name, 0.5, 0.4, 0.3, 0.6, n=name)
    one = row(True, False, numbers=(number,), text=name, why=name)
    html = _Cards((one, row(reason=name)))._repr_html_()
    assert Parts(html).scripts == []
    assert "<img" not in html


def test_the_figure_shows_every_pair_of_numbers():
    plate = paper_and_ours(FOUR)
    assert_well_set(plate)
    assert "9 numbers of 3 claims" in plate.caption
    with pytest.raises(CannotAnswerError, match="nothing to draw"):
        paper_and_ours(Verdicts("", FOUR.rows[3:]))


# ---- further trainings


TRAININGS = pd.DataFrame(
    {
        "claim": "beds",
        "network": ["scene"] * 5 + ["object"] * 5,
        "seed": [*range(5)] * 2,
        "value": np.linspace(0, 0.9, 10),
    }
)


def test_further_trainings_are_said_on_their_card():
    one = _Row(1, claim(), FOUR.rows[0].finding, "", {"scene": 1, "object": 1}, TRAININGS)
    said = "from other random starts: 5 scene networks from 0% to 40%, 5 object networks from 50% to 90%."
    assert said in str(_Cards((one,)))
    assert said in _Cards((one,))._repr_html_()
    assert "further trainings were measured" in Verdicts("", (one,)).conclude()


@pytest.mark.parametrize(("table", "sentence"), [
    (TRAININGS.drop(columns="seed"), "no column 'seed'"),
    (TRAININGS.assign(claim="bed"), "no claim 'bed'"),
])  # fmt: skip
def test_a_table_of_trainings_that_does_not_fit_is_told(table, sentence):
    with pytest.raises(SceneLensError, match=sentence):
        judge_claims(SimpleNamespace(networks=["scene"], title=""), table)


def test_the_packages_tables_of_trainings_go_to_their_claims():
    """The made-up tables have 50 to 58 detectors of 100 units, and 20 to 28."""
    tables = SeedTables(**{name: pd.DataFrame(own) for name, own in rows_of_trainings().items()}, about={})
    found = _from_tables(tables)
    assert set(found.claim) <= {one.key for one in _CLAIMS}
    values = found.groupby(["claim", "network"]).value.agg(list)
    assert values["more-detectors", "object"] == [0.2, 0.22, 0.24, 0.26, 0.28]
    assert values["detectors", "scene"] == [0.5, 0.52, 0.54, 0.56, 0.58]
    assert ("detectors", "object") not in values
    assert values["deepest", "object"] == [1.0] * 5
    assert values["rather-informative", "scene"] == pytest.approx([0.6, 0.62, 0.64, 0.66, 0.68])


def test_another_study_has_no_trainings_of_the_package():
    assert _of_package(SimpleNamespace(shipped_folder=None, name="mine")).empty
