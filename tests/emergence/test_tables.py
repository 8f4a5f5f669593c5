"""Counts and correlations by hand, with scipy as the oracle, and where there is nothing to correlate."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from scenelens import paper
from scenelens.emergence.frequency import object_frequency
from scenelens.emergence.informativeness import informative_objects
from scenelens.emergence.tables import (
    _detector_share,
    _emergence_table,
    _influence,
    _interval_of_difference,
    _labelled_layers,
    correlations,
    unit_counts,
)
from scenelens.errors import SceneLensError
from scenelens.intervals import correlation_interval
from tests.emergence.test_detectors import measured
from tests.emergence.test_informativeness import world
from tests.presence import presence
from tests.small_network import small_network

LABELS = measured([
    (0, "lamp", "object", 0.05), (1, "lamps", "object", 0.2), (2, "bed", "object", 0.1),
    (3, "bed", "object", 0.01),    (4, "wheel", "object part", 0.5), (5, "unicorn", "object", 0.3),
])  # fmt: skip


def test_units_are_counted_per_object_best_first():
    counts = unit_counts(LABELS)
    assert counts[["object", "n_units", "units"]].values.tolist() == [
        ["lamp", 2, (1, 0)], ["bed", 1, (2,)], ["unicorn", 1, (5,)],
    ]  # fmt: skip
    assert set(counts.network) == {"scene"}
    assert set(counts.layer) == {"pool5"}


def test_layers_and_networks_keep_their_order():
    both = pd.concat([LABELS.assign(layer="pool2"), LABELS, LABELS.assign(network="object")])
    counts = unit_counts(both, "iou")
    assert list(dict.fromkeys(zip(counts.network, counts.layer, strict=True))) == [
        ("scene", "pool2"), ("scene", "pool5"), ("object", "pool5"),
    ]  # fmt: skip
    assert unit_counts(LABELS[:0]).empty


def shares(labels, network) -> pd.DataFrame:
    return _detector_share(unit_counts(labels), _labelled_layers(labels), {"scene": network})


def test_units_that_detect_nothing_are_counted_too():
    network = small_network()
    layer = network.layers.layer.iloc[-2]
    units = network.layer_shape(layer)[0]
    row = shares(LABELS[:3].assign(layer=layer), network).iloc[0]
    assert (row.n, row.detectors, row["none"], row.objects) == (units, 3, units - 3, 2)
    assert row.low == row.share == row.high == 3 / units
    empty = shares(LABELS[4:5].assign(layer=layer), network).iloc[0]
    assert (empty.detectors, empty.share, empty["none"]) == (0, 0, units)


def known():
    seen = presence(world())
    return object_frequency(seen), informative_objects(seen)


def test_one_table_of_all_objects():
    """Frequencies by hand: 20 lamps in dens and 10 by the sea, 18 beds, 20 boats."""
    frequency, informative = known()
    counts = {"scene": unit_counts(LABELS), "object": unit_counts(LABELS[2:3])}
    table = _emergence_table(counts, frequency, informative)
    columns = ["object", "units_scene", "units_object", "frequency", "informativeness"]
    assert table[columns].values.tolist() == [
        ["lamp", 2, 0, 30, 0], ["bed", 1, 1, 18, 1], ["unicorn", 1, 0, 0, 0], ["boat", 0, 0, 20, 1],
    ]  # fmt: skip
    assert math.isnan(table.set_index("object").area["unicorn"])  # no image contains it


def test_counts_of_two_layers_at_once_raise():
    counts = unit_counts(pd.concat([LABELS, LABELS.assign(layer="pool2")]))
    with pytest.raises(SceneLensError, match="'lamp' is counted twice for the scene network; give one layer"):
        _emergence_table({"scene": counts}, *known())


def made_up(units, frequency, informativeness) -> pd.DataFrame:
    return pd.DataFrame(
        {"units_scene": units, "frequency": frequency, "informativeness": informativeness}, dtype=float
    )


numbers = st.lists(st.integers(0, 20), min_size=6, max_size=6)


@settings(max_examples=25)
@given(numbers, numbers, numbers)
def test_both_correlations_are_scipys(units, frequency, informativeness):
    assume(min(len(set(column)) for column in (units, frequency, informativeness)) > 1)
    found = correlations(made_up(units, frequency, informativeness), n_resamples=2)
    found = found.set_index(["measure", "against"]).r
    for name, column in (("frequency", frequency), ("informativeness", informativeness)):
        assert found["pearson", name] == pytest.approx(stats.pearsonr(units, column)[0], abs=1e-9)
        assert found["spearman", name] == pytest.approx(stats.spearmanr(units, column)[0], abs=1e-9)
    for measure in ("pearson", "spearman"):
        difference = found[measure, "informativeness"] - found[measure, "frequency"]
        assert found[measure, "difference"] == pytest.approx(difference, abs=1e-9)


def test_the_intervals_hold_what_they_should():
    """Drawn from a known world: r = 0.6 with frequency and 0 with informativeness."""
    rng = np.random.default_rng(0)
    units, noise, other = rng.normal(size=(3, 300))
    table = made_up(units, 0.6 * units + 0.8 * noise, other)
    found = correlations(table, n_resamples=500).set_index(["measure", "against"])
    for measure in ("pearson", "spearman"):
        row = found.loc[measure, "frequency"]
        assert row.low < 0.6 < row.high
        assert row.high - row.low < 0.3
        assert row.p < 0.01
        assert math.isnan(found.loc[measure, "difference"].p)
        gap = found.loc[measure, "difference"]
        assert gap.low < -0.6 < gap.high < 0
    assert found.loc[("pearson", "informativeness")].p > 0.05


def test_interval_and_p_are_the_package_s():
    rng = np.random.default_rng(5)
    units = rng.poisson(2, 40).astype(float)
    table = made_up(units, units + rng.normal(0, 2, 40), rng.poisson(1, 40))
    found = correlations(table, n_resamples=300).set_index(["measure", "against"])
    for measure in ("pearson", "spearman"):
        row = found.loc[measure, "frequency"]
        expected = correlation_interval(table.units_scene, table.frequency, measure, n_permutations=300)
        assert (row.low, row.high, row.p) == expected


def test_the_interval_of_a_difference_by_hand():
    one, other = {"r": 0.5, "low": 0.2, "high": 0.7}, {"r": 0.1, "low": -0.2, "high": 0.5}
    # Independent: 0.4 - root(0.3^2 + 0.4^2) and 0.4 + root(0.2^2 + 0.3^2).
    assert _interval_of_difference(one, other, 0) == pytest.approx((-0.1, 0.4 + math.sqrt(0.13)))
    # They go up and down together entirely: 0.4 - |0.3 - 0.4|, 0.4 + |0.2 - 0.3|.
    assert _interval_of_difference(one, other, 1) == pytest.approx((0.3, 0.5))


def test_the_influence_of_a_case_is_what_leaving_it_out_shows():
    pairs = np.random.default_rng(2).normal(size=(200, 2)) @ [[1, 0.5], [0, 1]]
    r = np.corrcoef(pairs.T)[0, 1]
    without = [np.corrcoef(np.delete(pairs, k, 0).T)[0, 1] for k in range(200)]
    assert np.corrcoef(_influence(pairs, "pearson"), r - np.array(without))[0, 1] > 0.999


def test_one_object_with_units_says_nothing():
    """Of five objects it is the most frequent by chance in one case of five: no correlation is excluded."""
    found = correlations(made_up([3, 0, 0, 0, 0], [5, 4, 3, 2, 1], [1, 0, 0, 0, 0]), n_resamples=500)
    row = found.set_index(["measure", "against"]).loc["pearson", "frequency"]
    assert (row.low, row.high) == (-1, 1)
    assert row.p == pytest.approx(2 / 5, abs=0.06)
    both = [1] + [0] * 29
    rare = correlations(made_up(both, both[::-1], both), n_resamples=500).set_index(["measure", "against"])
    assert rare.reason["pearson", "frequency"] == ""
    assert (rare.low["pearson", "frequency"], rare.high["pearson", "frequency"]) == (-1, 1)


def test_the_papers_numbers_are_in_the_table():
    found = correlations(made_up([1, 2, 3], [1, 3, 2], [2, 1, 3]), n_resamples=2).set_index(
        ["measure", "against"]
    )
    assert found.paper["pearson", "frequency"] == paper.EMERGENCE_CORRELATION["frequency"] == 0.54
    assert found.paper["pearson", "informativeness"] == 0.84
    assert found.paper["pearson", "difference"] == pytest.approx(0.3)
    assert found.paper.loc["spearman"].isna().all()


@pytest.mark.parametrize(("table", "against", "said"), [
    (made_up([2, 2, 2], [1, 2, 3], [1, 2, 3]), "frequency", "the number of units is 2 for all of 3 objects"),
    (made_up([1, 2, 3], [1, 2, 3], [1, 1, 1]), "informativeness", "the informativeness is 1 for all of 3"),
    (made_up([1, 2, 3], [1, 2, 3], [math.nan] * 3), "informativeness", "the informativeness is not known"),
    (made_up([1], [1], [1]), "frequency", "1 object: too few for a correlation"),
    (made_up([], [], []), "frequency", "0 objects: too few"),
])  # fmt: skip
def test_a_correlation_that_does_not_exist_says_why(table, against, said):
    found = correlations(table, n_resamples=5).set_index(["measure", "against"])
    for measure in ("pearson", "spearman"):
        for row in (found.loc[measure, against], found.loc[measure, "difference"]):
            assert said in row.reason
            assert math.isnan(row.r)
            assert math.isnan(row.low)


def test_what_is_known_is_correlated_where_the_other_is_not():
    found = correlations(made_up([1, 2, 3], [3, 2, 1], [math.nan] * 3), n_resamples=5)
    found = found.set_index(["measure", "against"])
    assert found.r["pearson", "frequency"] == pytest.approx(-1)
    assert found.reason["pearson", "frequency"] == ""


def test_an_unknown_column_raises():
    with pytest.raises(SceneLensError, match="no column 'units_scenes'; close names: units_scene"):
        correlations(made_up([1, 2, 3], [1, 2, 3], [1, 2, 3]), of="units_scenes")
