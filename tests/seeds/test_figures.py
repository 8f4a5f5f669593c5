"""Figures of several trainings: a line or a ring for every network, thick for the embedded pair alone."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from scenelens.seeds import figures
from tests.figure_checks import assert_well_set, words_of
from tests.seeds.made_up_tables import made_up


def _own():
    return pd.DataFrame(
        {"network": ["scene", "object"], "layer": "pool5", "share": [0.53, 0.3], "ap": [0.4, 0.1]}
    )


def _drawn(plate, thick=2.0):
    lines = [line for line in plate.axes[0].lines if line.get_linestyle() == "-"]
    return [line for line in lines if line.get_linewidth() < thick], [
        line for line in lines if line.get_linewidth() >= thick
    ]


def test_every_network_has_its_line(tmp_path, embedded):
    plate = figures.figure_seeds("detectors", embedded, _own(), made_up(tmp_path))
    thin, thick = _drawn(plate)
    assert len(thin) == 15
    assert sorted(round(line.get_ydata()[-1], 2) for line in thin)[-5:] == [0.50, 0.52, 0.54, 0.56, 0.58]
    assert [line.get_ydata().tolist() for line in thick] == [[0.53], [0.3]]
    assert_well_set(plate)


def test_another_studys_pair_is_not_drawn(tmp_path, tiny):
    plate = figures.figure_seeds("detectors", tiny, _own(), made_up(tmp_path))
    assert _drawn(plate)[1] == []
    assert "Thick" not in plate.caption


def test_every_network_has_its_ring(tmp_path, embedded):
    plate = figures.figure_seeds("ap", embedded, _own(), made_up(tmp_path))
    rings = [one.get_offsets() for one in plate.axes[0].collections]
    assert sum(len(one) for one in rings) == 17
    assert plate.caption.endswith("Dashed: chance, 9%.")
    assert_well_set(plate)


def test_four_panels_over_pictures_seen(tmp_path):
    plate = figures.figure_seen(made_up(tmp_path))
    assert len(plate.axes) == 4
    solid = [line for line in plate.axes[1].lines if line.get_linestyle() == "-"]
    assert [line.get_ydata()[-1] for line in solid] == [40 / 64, 10 / 64]
    assert "1,000" in {text for text, _ in words_of(plate)}
    assert_well_set(plate)


@pytest.mark.parametrize("n", [1, 2, 5, 7, 8])
def test_points_on_the_way_have_room_for_their_numbers(n, tmp_path):
    tables = made_up(tmp_path)
    first = tables.seen.iloc[:1]
    way = pd.concat([first.assign(seen=458_752 // 2**k) for k in range(n)], ignore_index=True)
    plate = figures.figure_seen(replace(tables, seen=way))
    assert "459,000" in {text for text, _ in words_of(plate)}
    assert_well_set(plate)


def test_nothing_measured_is_an_empty_figure(tmp_path, embedded):
    tables = made_up(tmp_path, n=0, seen=False)
    assert "nothing was measured" in figures.figure_seen(tables).caption
    assert figures.figure_seeds("detectors", embedded, None, tables).axes[0].lines[:] == []
