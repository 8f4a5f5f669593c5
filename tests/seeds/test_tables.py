"""The tables: written and read again, refused where they are damaged, and those of the package."""

from __future__ import annotations

from dataclasses import fields

import pandas as pd
import pytest

from scenelens.errors import CannotAnswerError
from scenelens.seeds import SeedTables, read_seeds
from scenelens.seeds.tables import COLUMNS, _write_seeds
from tests.seeds.made_up_tables import made_up, rows, seen_rows


def test_what_is_written_is_read(tmp_path):
    tables, made = made_up(tmp_path), rows() | {"seen": seen_rows()}
    for name, columns in COLUMNS.items():
        wanted = pd.DataFrame(made[name], columns=columns)
        pd.testing.assert_frame_equal(getattr(tables, name), wanted, check_dtype=False)


def test_whole_numbers_are_written_as_such(tmp_path):
    made_up(tmp_path)
    text = (tmp_path / "layers.csv").read_text("utf-8")
    assert "scene,0,1,pool5,0.5,100,0.5,100,50\n" in text
    assert "scene,0,2,fc7,0.0,100,0.5,,\n" in text  # no map: the cells are empty


def test_a_table_that_is_not_made_again_stays(tmp_path):
    made_up(tmp_path)
    before = (tmp_path / "networks.csv").read_bytes()
    _write_seeds({"seen": []}, {"study": "sceneworld"}, tmp_path)
    assert (tmp_path / "networks.csv").read_bytes() == before
    assert read_seeds(tmp_path).seen.empty


@pytest.mark.parametrize("name", ["about.json", "networks.csv", "seen.csv"])
@pytest.mark.parametrize("damage", ["missing", "empty", "foreign"])
def test_damaged_tables_are_one_sentence(tmp_path, name, damage):
    made_up(tmp_path)
    path = tmp_path / name
    path.unlink()
    if damage != "missing":
        path.write_text("" if damage == "empty" else "a,b\n1,2\n")
    read_seeds.__globals__["_read"].cache_clear()
    with pytest.raises(
        CannotAnswerError, match=r"networks of several trainings .* (make seeds|scenelens seeds)"
    ):
        read_seeds(tmp_path)


def test_the_attributes_are_the_tables():
    assert [one.name for one in fields(SeedTables)] == [*COLUMNS, "about"]
