"""Figures 6, 7 and 8: their numbers are the tables', and no word leaves the page or runs into another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from scenelens.errors import CannotAnswerError
from scenelens.labels.table import GROUPS
from scenelens.unit_semantics import tables
from scenelens.unit_semantics.evidence import collect_evidence
from scenelens.unit_semantics.figures import answers, units
from scenelens.unit_semantics.sources import LabelSet, automatic_set
from scenelens.workbook.pictures import dimmed
from scenelens.workbook.style import network_color
from scenelens.workbook.tiles import RIGHT, WRONG
from tests.annotated_study import annotated_study
from tests.figure_checks import assert_well_set, words_of
from tests.made_up_labels import made_up_answers

MISSING = LabelSet("nothing", missing="Not installed: fetch it.")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return annotated_study(tmp_path_factory.mktemp("annotated"), per_category=10)


@pytest.fixture(scope="module")
def live(study):
    return automatic_set(study)


def words(plate):
    return [text for text, _ in words_of(plate)]


def lines(axes):
    """Network to the heights of its line."""
    found = {to_hex(line.get_color()): line for line in axes.get_lines() if len(line.get_xdata()) > 2}
    return {name: found[network_color(name)].get_ydata() for name in ("scene", "object")}


@pytest.mark.parametrize("draw", [
    units.figure_6_answers, answers.figure_7_precision, answers.figure_7_levels, answers.figure_8_types,
    lambda labels: units.figure_6_units(labels, []),
])  # fmt: skip
def test_an_empty_set_gives_its_sentence(draw):
    with pytest.raises(CannotAnswerError, match=r"^Not installed: fetch it\.$"):
        draw(MISSING)


def test_precision_is_drawn_as_counted(released):
    plate = answers.figure_7_precision(released)
    table = answers._layer_precision(released)
    drawn = lines(plate.axes[0])
    for network in ("scene", "object"):
        np.testing.assert_allclose(drawn[network], table[table.network == network].precision)
    assert round(drawn["scene"][-1], 3) == 0.778
    assert "n = 1,376 units" in words(plate)
    assert [line.get_ydata()[0] for line in plate.axes[0].get_lines() if len(line.get_xdata()) == 2] == [0.75]
    assert_well_set(plate)


@pytest.mark.parametrize(("rule", "objects"), [("any", 103), ("majority", 59), ("most precise", 73)])
def test_levels_are_drawn_as_counted(released, rule, objects):
    plate = answers.figure_7_levels(released, rule)
    table = tables.level_counts(released, rule)
    for axes, network in zip(plate.axes, ("scene", "object"), strict=False):
        mine = table[table.network == network].sort_values(["level", "depth"])
        full = [bar.get_height() for bars in axes.containers[1::2] for bar in bars]
        wanted = [mine[mine.level == level].share.tolist() for level in tables.LEVEL_NAMES]
        np.testing.assert_allclose(full, np.concatenate(wanted))
        said = [text.get_text() for text in axes.texts]
        assert said == [str(n) for level in tables.LEVEL_NAMES for n in mine[mine.level == level].n]
    assert f"Rule: {rule}" in plate.caption
    high = table[(table.network == "scene") & (table.layer == "pool5") & (table.level == "high")].n.iloc[0]
    assert high >= objects
    assert str(high) in words(plate)
    assert_well_set(plate)


def test_precision_of_automatic_labels_is_of_images_that_did_not_choose(live, released):
    """Figure 7a draws the judged precision, below the one of the images that chose, and says so."""
    plate = answers.figure_7_precision(live)
    assert "Only images count that did not choose the name" in plate.caption
    assert "did not choose" not in answers.figure_7_precision(released).caption
    drawn = lines(plate.axes[0])["scene"]
    means = live.labels[live.labels.network == "scene"].groupby("layer", sort=False)
    np.testing.assert_allclose(drawn, means.precision.mean())
    assert means.precision_chosen.mean().mean() > means.precision.mean().mean()


def test_a_long_set_of_names_is_shortened_to_its_line():
    assert units._names_line(("bed", "sofa")) == "bed or sofa"
    assert units._names_line(("blackboard", "blackboard: writing")) == "blackboard or 1 other"


def test_types_are_drawn_as_counted(released):
    plate = answers.figure_8_types(released)
    table = tables.type_shares(released)
    assert len(plate.axes) == 6
    for axes, kind in zip(plate.axes, GROUPS.values(), strict=True):
        for network, heights in lines(axes).items():
            rows = table[(table.network == network) & (table.type == kind)]
            np.testing.assert_allclose(heights, rows.share)
    objects = lines(plate.axes[list(GROUPS).index("objects")])
    assert (round(768 * objects["scene"][-1]), round(768 * objects["object"][-1])) == (293, 265)
    assert set(GROUPS) <= set(words(plate))
    assert "whatever their precision" in plate.caption
    assert_well_set(plate)
    assert_well_set(answers.figure_8_types(released, "unanimous"))


def test_answers_show_both_sides_of_the_line(released, dissected):
    plate = units.figure_6_answers(released, dissected, "scene", n=3)
    said = words(plate)
    assert sum(text.startswith("Network Dissection: ") for text in said) == 6
    names = [text for text in said if text.startswith("pool5:")]
    means = released.of("scene").groupby("unit").precision.mean()
    shown = [means[int(name.split()[0].removeprefix("pool5:"))] for name in names]
    assert [mean >= 0.75 for mean in shown] == [True] * 3 + [False] * 3
    bars = [axes.patches[1].get_width() for axes in plate.axes]
    assert len(bars) == 18
    assert np.mean(bars[:9]) == pytest.approx(np.mean(shown[:3]))
    assert_well_set(plate)
    assert_well_set(units.figure_6_answers(released, None, "object", n=2))


def test_answers_where_all_fit():
    labels = made_up_answers(precision=0.9)
    plate = units.figure_6_answers(labels)
    assert len([text for text in words(plate) if text.startswith("pool5:")]) == 3
    assert_well_set(plate)


def test_units_show_where_they_are_active_and_whether_that_fits(study, live):
    shown = collect_evidence(live, study, "scene", n_units=1, n_images=3)
    plate = units.figure_6_units(live, shown)
    row, first = shown[0].label, shown[0].images
    assert (row.layer, row.iou) == ("pool1", live.of("scene", "pool1").iou.max())
    judged = [axes.spines["left"].get_visible() for axes in plate.axes]
    assert judged == [one.fits is not None for unit in shown for one in unit.images]
    signs = [
        {RIGHT: True, WRONG: False}[to_hex(axes.lines[0].get_color())] for axes in plate.axes if axes.lines
    ]
    assert signs == [one.fits for unit in shown for one in unit.images if one.fits is not None]
    drawn = np.asarray(plate.axes[0].images[0].get_array())
    assert abs(drawn.mean() - dimmed(first[0].top.frame, first[0].mask).mean()) < 1
    assert f"pool1:{row.unit}" in words(plate)
    assert "without people" in plate.caption
    assert "by IoU" in plate.caption
    assert_well_set(plate)


def test_the_labels_of_all_units_are_looked_up_once(study, live, monkeypatch):
    looked_up = []
    look_up = type(study).automatic_labels
    monkeypatch.setattr(
        type(study), "automatic_labels", lambda self, name: looked_up.append(name) or look_up(self, name)
    )
    assert len(collect_evidence(live, study, "scene", n_units=2, n_images=1)) > 2
    assert looked_up == ["scene"]


def test_a_network_without_labels_gives_a_sentence(study, live):
    with pytest.raises(CannotAnswerError, match=r"no network 'untrained'.*\[networks\.untrained\]"):
        collect_evidence(live, study, "untrained")
    one = replace(live, labels=live.labels[live.labels.network == "scene"])
    with pytest.raises(CannotAnswerError, match="no unit of the object network has a label"):
        collect_evidence(one, study, "object")
    deep = replace(live, labels=live.labels[live.labels.layer == live.deepest("scene")])
    assert {shown.label.layer for shown in collect_evidence(deep, study, n_units=1, n_images=2)} == {"pool5"}


@pytest.mark.parametrize("names", [("scene",), ("scene", "object", "mine"), ("a", "b", "c", "d")])
@pytest.mark.parametrize(
    "draw", [answers.figure_7_precision, answers.figure_7_levels, answers.figure_8_types]
)
def test_any_number_of_networks(draw, names):
    """Each network has its points and its name."""
    labels = made_up_answers(n_units=2)
    own = labels.labels[labels.labels.network == "scene"]
    both = pd.concat([own.assign(network=name) for name in names], ignore_index=True)
    of = {(name, layer): 2 for name in names for layer in labels.layers("scene")}
    plate = draw(LabelSet("made up", both, of))
    said = [text.get_text() for text in plate.texts]
    assert all(f"{name} network" in said for name in names)
    if draw is answers.figure_7_precision:
        assert len(plate.axes[0].containers) == len(names)


@pytest.mark.parametrize("draw", [
    answers.figure_7_precision, answers.figure_7_levels, answers.figure_8_types,
])  # fmt: skip
def test_live_figures_are_well_set_and_say_that_labels_are_automatic(live, draw):
    plate = draw(live)
    assert "without people" in plate.caption
    assert "Rule" not in plate.caption
    assert_well_set(plate)


@pytest.mark.parametrize("draw", [
    answers.figure_7_precision, answers.figure_7_levels, answers.figure_8_types,
])  # fmt: skip
def test_networks_with_other_layers_are_numbered(draw):
    labels = made_up_answers()
    renamed = labels.labels.assign(layer=labels.labels.layer.where(
        labels.labels.network == "scene", "features." + labels.labels.layer.str[-1]))  # fmt: skip
    units = {(network, layer if network == "scene" else f"features.{layer[-1]}"): n
             for (network, layer), n in labels.units.items()}  # fmt: skip
    plate = draw(LabelSet("made up", renamed, units))
    assert "object network: 1 features.1, 2 features.3, 3 features.5" in plate.caption
    assert_well_set(plate)


@pytest.mark.parametrize("draw", [
    answers.figure_7_precision, answers.figure_7_levels, answers.figure_8_types,
])  # fmt: skip
def test_long_names_of_layers_stay_on_the_page(draw):
    labels, start = made_up_answers(), "encoder.layers.encoder_layer_0.features."
    units = {(network, start + layer): n for (network, layer), n in labels.units.items()}
    plate = draw(LabelSet("made up", labels.labels.assign(layer=start + labels.labels.layer), units))
    assert_well_set(plate)
    assert any("…" in text for text, _ in words_of(plate))


def test_types_that_no_label_could_have_are_not_drawn_as_zero(live):
    assert "texture or material" in live.lacking
    plate = answers.figure_8_types(live)
    for axes, kind in zip(plate.axes, GROUPS.values(), strict=True):
        told = [text.get_text() for text in axes.texts]
        assert told == (["none to choose from"] if kind in live.lacking else [])
        assert bool(axes.get_lines()) == (kind not in live.lacking)


def test_one_persons_few_answers_are_drawn():
    labels = made_up_answers(n_units=1, layers=("pool5",))
    one = LabelSet("your answers", labels.labels[:1], {("scene", "pool5"): 128})
    for draw in (answers.figure_7_precision, answers.figure_7_levels, answers.figure_8_types):
        assert_well_set(draw(one))
