"""Queues of units: the same for everyone with the same seed, parts that do not overlap, no dead units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.studies.study import open_study
from scenelens.unit_semantics.queue import _default_queue, active_units, unit_queue
from scenelens.unit_semantics.task import annotation_task
from scenelens.unit_semantics.widget import annotate_units
from tests.tiny_study import write_tiny_study

UNITS = [(network, "pool5", unit) for network in ("scene", "object") for unit in range(15)]


@given(st.integers(0, 99), st.integers(1, 7), st.integers(1, 40))
def test_the_parts_make_up_the_queue_and_do_not_overlap(seed, parts, n):
    whole = unit_queue(UNITS, n, seed)
    split = [unit_queue(UNITS, n, seed, (k, parts)) for k in range(parts)]
    assert sorted(unit for part in split for unit in part) == sorted(whole)
    assert len(set(whole)) == len(whole) == min(n, len(UNITS))
    assert max(map(len, split)) - min(map(len, split)) <= 1


def test_a_queue_depends_on_the_set_of_units_and_the_seed_alone():
    assert unit_queue(UNITS) == unit_queue([*reversed(UNITS), UNITS[0], ("scene", "pool5", np.int64(3))])
    assert unit_queue(UNITS) != unit_queue(UNITS, seed=1)
    assert unit_queue(UNITS)[:5] == unit_queue(UNITS, 5)
    assert unit_queue(UNITS) != UNITS  # in random order


@pytest.mark.parametrize(("wanted", "words"), [
    ({"units": []}, "needs units"),
    ({"units": UNITS, "n": 0}, "at least 1"),
    ({"units": UNITS, "part": (2, 2)}, "from 0 to 1"),
    ({"units": UNITS, "part": (-1, 2)}, "from 0 to 1"),
])  # fmt: skip
def test_what_makes_no_queue_raises(wanted, words):
    with pytest.raises(SceneLensError, match=words):
        unit_queue(**wanted)


def test_active_units_are_those_that_can_be_annotated(tmp_path):
    study = open_study(write_tiny_study(tmp_path))
    active = {unit for _, _, unit in active_units(study, "scene", "fc7")}
    assert 0 < len(active) < 16
    for unit in range(16):
        if unit in active:
            assert annotation_task(study, "scene", "fc7", unit).n_real >= 10
        else:
            with pytest.raises(SceneLensError, match="too few"):
                annotation_task(study, "scene", "fc7", unit)
    with pytest.raises(SceneLensError, match="close names"):
        active_units(study, "scene", "fc77")


# ---- studies without a unit to name


@pytest.mark.parametrize(("per_category", "n"), [(1, 5), (2, 10)])
def test_too_few_photographs(tmp_path, per_category, n):
    """Thirteen are needed; five categories have one or two each."""
    study = open_study(write_tiny_study(tmp_path, per_category))
    for ask in (
        lambda: active_units(study, "scene", "pool5"),
        lambda: _default_queue(study, 5, 0),
        lambda: annotate_units(study),
    ):
        with pytest.raises(CannotAnswerError, match=rf"the study has {n} images.*13 or more"):
            ask()


def test_dead_units_are_said_and_another_network_is_asked(tiny_study, monkeypatch):
    peaks = type(tiny_study.index("scene")).peaks
    dead = {"scene"}

    def silent(index, layer):
        found = peaks(index, layer)
        return np.zeros_like(found) if index is tiny_study.index("scene") or "object" in dead else found

    monkeypatch.setattr(type(tiny_study.index("scene")), "peaks", silent)
    with pytest.raises(
        CannotAnswerError, match="no unit of the scene network's pool5 responds to 10 of the 20"
    ):
        active_units(tiny_study, "scene", "pool5")
    assert {network for network, _, _ in _default_queue(tiny_study, 5, 0)} == {"object"}
    dead.add("object")
    with pytest.raises(CannotAnswerError, match="no unit of the scene network"):
        _default_queue(tiny_study, 5, 0)
