"""The figures of section 4.1: what is drawn where, and that no word leaves the page or runs into another."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from scenelens import paper
from scenelens.emergence.figures import units as unit_figures
from scenelens.emergence.figures.correlations import correlation_bars, correlation_points
from scenelens.emergence.figures.published import published_counts
from scenelens.emergence.frequency import _Zipf
from scenelens.emergence.study_emergence import _correlations, measure_emergence
from scenelens.emergence.views import detector_views
from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.workbook.style import network_color
from tests.annotated_study import annotated_study
from tests.emergence.test_study_emergence import EASY
from tests.figure_checks import assert_well_set, words_of


def said(plate) -> set[str]:
    return {text for text, _ in words_of(plate)}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return measure_emergence(annotated_study(tmp_path_factory.mktemp("figures"), per_category=4), EASY, 0)


def many(found, n: int = 60):
    """The same with so many objects that some must be left out."""
    names = [f"object {k}" for k in range(n)]
    columns = {"units_scene": [max(0, 40 - k) for k in range(n)], "units_object": [k % 3 for k in range(n)]}
    table = pd.DataFrame({"object": names, **columns, "frequency": range(0, 50 * n, 50)})
    table = table.assign(images=1, area=0.1)
    table["informativeness"], table["ap"] = [int(k % 4 == 0) for k in range(n)], 0.5
    return replace(found, table=table, correlations=_correlations(table, ["scene", "object"]))


def test_zipf(found):
    plate = unit_figures.zipf(found)
    assert_well_set(plate)
    law, points = plate.axes[0].lines
    assert points.get_ydata().tolist() == found.frequency.instances.tolist()
    assert law.get_ydata().sum() == pytest.approx(found.frequency.instances.sum())
    assert f"on {found.zipf.n_images} annotated" in plate.caption
    assert {"lamp", "12", "100%"} <= said(plate)


def test_figure_9_units(found):
    plate = unit_figures.figure_9_units(found, detector_views(found, n_objects=3, n_units=2, n_images=2))
    assert_well_set(plate)
    counts = found.of("scene").object.value_counts()
    lines = sum(min(2, count) for count in sorted(counts, reverse=True)[:3])
    assert len(plate.axes) == lines
    words = said(plate)
    best = found.of("scene").sort_values("score", ascending=False).iloc[0]
    assert counts.index[0] in words
    assert f"{counts.max()} units, 2 shown" in words
    assert f":{best.unit}" in words or best.object not in sorted(counts.index)[:3]
    assert "of the 32 units of pool5" in plate.caption


def test_no_detectors_is_a_sentence(found):
    none = replace(found, units=found.units[:0])
    plate = unit_figures.figure_9_units(none, detector_views(none))
    assert_well_set(plate)
    assert "No unit of pool5 detects an object by this rule." in said(plate)


def test_images_next_to_each_other():
    black, grey = np.zeros((4, 5, 3), np.uint8), np.full((4, 5, 3), 9, np.uint8)
    joined = unit_figures._strip([black, grey], 0.4)
    assert joined.shape == (4, 12, 3)
    assert joined[0, :, 0].tolist() == [0] * 5 + [255] * 2 + [9] * 5


def test_figure_9_counts_has_the_tables_numbers(found):
    plate = unit_figures.figure_9_counts(found)
    assert_well_set(plate)
    units, frequency, telling = plate.axes[:3]
    shown = found.table[(found.table.units_scene + found.table.units_object) > 0]
    widths = {network: [bar.get_width() for bar in bars] for network, bars in
              zip(("scene", "object"), units.containers, strict=True)}  # fmt: skip
    assert widths == {name: shown[f"units_{name}"].tolist() for name in widths}
    for network, bars in zip(("scene", "object"), units.containers, strict=True):
        assert to_hex(bars[0].get_facecolor()) == network_color(network)
    assert [bar.get_width() for bar in frequency.containers[0]] == shown.frequency.tolist()
    assert [bar.get_width() for bar in telling.containers[0]] == shown.informativeness.tolist()


def test_figure_9_counts_with_more_objects_than_fit(found):
    plate = unit_figures.figure_9_counts(many(found), n=20, n_missed=3)
    assert_well_set(plate)
    words = said(plate)
    assert {"object 0", "object 19"} <= words
    assert "object 20" not in words
    assert "Not shown:" in plate.caption


def test_the_counts_without_informativeness(found):
    table = found.table.assign(informativeness=np.nan)
    plate = unit_figures.figure_9_counts(
        replace(found, table=table, informative=None, why_not="no categories.")
    )
    assert_well_set(plate)
    assert "No object can tell scenes apart: no categories." in plate.caption
    assert "nan" not in " ".join(said(plate))


def test_detectors_by_layer(found):
    plate = unit_figures.detectors_by_layer(found)
    assert_well_set(plate)
    drawn = [line.get_ydata() for line in plate.axes[0].lines]
    for network in ("scene", "object"):
        shares = found.shares[found.shares.network == network].share.tolist()
        assert any(len(y) == len(shares) and np.allclose(y, shares) for y in drawn)
    none, units = paper.NO_OBJECT["pool5"]
    assert any(np.allclose(y, [1 - none / units]) for y in drawn)


def test_detectors_by_layer_takes_long_names(found):
    for own in ("", found.shares.network):
        shares = found.shares.assign(layer="encoder.layers.encoder_layer_" + own + found.shares.layer)
        assert_well_set(unit_figures.detectors_by_layer(replace(found, shares=shares)))


def test_heights_that_come_too_near_move_apart():
    assert unit_figures._apart([1.0, 0.0, 0.05], 0.2) == [1.0, 0.0, 0.2]


@pytest.mark.parametrize("network", ["scene", "object"])
def test_correlation_points(found, network):
    crowded = many(found)
    plate = correlation_points(crowded, network)
    assert_well_set(plate)
    for axes, name in zip(plate.axes, ("frequency", "informativeness"), strict=True):
        (points,) = axes.lines
        assert points.get_ydata().tolist() == crowded.table[f"units_{network}"].tolist()
        assert np.abs(points.get_xdata() - crowded.table[name]).max() < 0.15
    assert any("the paper: 0.84" in word for word in said(plate)) == (network == "scene")


def test_no_correlation_is_no_nan(found):
    table = found.table.assign(units_scene=0)
    constant = replace(found, table=table, correlations=_correlations(table, ["scene", "object"]))
    plate = correlation_bars(constant)  # the object network's units are not all the same
    assert_well_set(plate)
    assert "nan" not in " ".join(said(plate))
    with pytest.raises(CannotAnswerError, match="the number of units is 0 for all of 6 objects"):
        correlation_points(constant)
    nothing = replace(constant, correlations=constant.correlations.assign(reason="0 units"))
    with pytest.raises(CannotAnswerError, match="scene network go with nothing"):
        correlation_bars(nothing)


def test_correlation_bars(found):
    plate = correlation_bars(many(found))
    assert_well_set(plate)
    assert len(plate.axes) == 4
    diamonds = [line.get_xdata()[0] for line in plate.axes[0].lines if line.get_marker() == "D"]
    assert diamonds == pytest.approx([0.54, 0.84, 0.30])
    assert not [line for line in plate.axes[2].lines if line.get_marker() == "D"]  # the object network's
    assert {"all objects, n = 60", "difference"} <= said(plate)


def test_one_network_only(found):
    alone = replace(found, automatic={"scene": found.automatic["scene"]},
                    correlations=found.correlations.query("network == 'scene'"),
                    readings=found.readings.query("network == 'scene'"))  # fmt: skip
    for plate in (
        unit_figures.figure_9_counts(alone),
        correlation_bars(alone),
        correlation_bars(alone, True),
    ):
        assert_well_set(plate)


def test_published_counts():
    rows = [("scene", f"thing {k}") for k in range(40)] + [("scene", "tree")] * 3 + [("object", "dog")] * 5
    units = pd.DataFrame(rows, columns=["network", "object"]).assign(source="people", rule="by people")
    plate = published_counts(units, "people", n=12)
    assert_well_set(plate)
    assert {"tree", "3"} <= said(plate)
    first = "43 units over 41 objects in the scene network (Places205-AlexNet), 17% of all 256"
    assert first in plate.caption
    assert "5 units over 1 object in the object network" in plate.caption
    assert "30 more objects" in plate.caption


def test_a_source_that_the_table_does_not_have():
    units = pd.DataFrame(columns=["source", "rule", "network", "object"])
    with pytest.raises(SceneLensError, match="no units of 'Network Dissection'; sources: none"):
        published_counts(units, "Network Dissection")


@pytest.mark.parametrize("names", [("scene",), ("scene", "object", "untrained"), ("a", "b", "c", "d")])
def test_any_number_of_networks(found, names):
    """Each network has its bars, its line and its correlations; no name lies on another."""
    one = found.automatic["scene"]
    table = found.table.rename(columns={"units_scene": "units"}).drop(columns="units_object")
    table = table.assign(**{f"units_{name}": table.units + k for k, name in enumerate(names)})
    rows = found.correlations.query("network == 'scene'")
    shares = found.shares.query("network == 'scene'")
    study = SimpleNamespace(networks=SimpleNamespace(compared=list(names), main=names[0]))
    many = replace(
        found,
        study=study,
        automatic=dict.fromkeys(names, one),
        layers=dict.fromkeys(names, "pool5"),
        table=table,
        shares=pd.concat([shares.assign(network=name) for name in names]),
        on_scenes=pd.concat([found.on_scenes.head(1).assign(network=name) for name in names]),
        chance=pd.concat([found.chance.head(1).assign(network=name) for name in names]),
        correlations=pd.concat([rows.assign(network=name) for name in names]),
    )
    for draw in (unit_figures.figure_9_counts, unit_figures.detectors_by_layer, correlation_bars):
        plate = draw(many)
        assert_well_set(plate)
        assert all(any(name in text for text in said(plate)) for name in names)
    assert f"What the {names[0]} network's detectors go with" in said(correlation_points(many))


def test_one_object_and_no_law(found):
    """A law about ranks needs two objects; without one there is no exponent to tell."""
    law = _Zipf(np.nan, np.nan, np.nan, np.nan, 1, 27)
    plate = unit_figures.zipf(replace(found, zipf=law, frequency=found.frequency.head(1)))
    assert "nan" not in plate.caption
    assert "needs two objects or more" in plate.caption
    assert "nan" not in unit_figures.zipf(replace(found, zipf=_Zipf(0.5, np.nan, np.nan, 0.9, 2, 1))).caption
