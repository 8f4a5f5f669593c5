"""The plan of retrained networks: each edit changes one cause, and leaves the other as it was."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from scenelens.retraining import duration
from scenelens.retraining.plan import KINDS, _plan
from scenelens.sceneworld import read_world
from scenelens.sceneworld.scenes import place_scene
from scenelens.sceneworld.tasks import named_task
from scenelens.sceneworld.training import SHORT
from scenelens.sceneworld.truth import scene_categories, scene_setting

RUNS = _plan()
EDITED = [run for run in RUNS if run.object]


def presence(world, name):
    """Category -> share of the images with an object, by hand from the contents."""
    found = {}
    for category in scene_categories():
        own = [chance.presence for key, chance in world.contents(category).items() if key == name]
        found[category] = sum(own)
    return found


def spread(world, name):
    """How much the frequency of an object differs between the scenes of a group: the mean share explained."""
    shares = presence(world, name)
    groups = [[shares[c] for c in shares if scene_setting(c) == setting] for setting in ("indoor", "outdoor")]
    return max(np.var(group) / (np.mean(group) * (1 - np.mean(group)) or 1) for group in groups)


def test_there_are_as_many_networks_as_asked_for():
    counts = Counter(run.kind for run in RUNS)
    assert counts == {"unchanged": 3, "diagnosticity": 6, "frequency": 6, "cue": 6, "task": 4}
    assert len({run.name for run in RUNS}) == len(RUNS)
    assert [run.kind for run in RUNS] == sorted((run.kind for run in RUNS), key=KINDS.index)
    assert sorted({run.seed for run in RUNS if run.kind == "unchanged"}) == [0, 1, 2]


@pytest.mark.parametrize("run", EDITED, ids=lambda run: run.name)
def test_an_edit_changes_one_cause(run):
    before, now = (sum(presence(world, run.object).values()) for world in (read_world(), run.world))
    told_before, told_now = (spread(world, run.object) for world in (read_world(), run.world))
    if run.kind == "diagnosticity":
        assert now == pytest.approx(before)
        assert np.sign(told_now - told_before) == run.expected
        assert abs(told_now - told_before) > 0.3
    else:
        assert np.sign(now - before) == run.expected
        shares = presence(run.world, run.object)
        factors = {share / presence(read_world(), run.object)[c] for c, share in shares.items() if share}
        assert max(factors) == pytest.approx(min(factors))


def test_both_causes_are_changed_for_the_same_objects():
    assert Counter(run.object for run in EDITED) == dict.fromkeys({run.object for run in EDITED}, 2)


def test_all_edits_can_be_read_from_a_model_card():
    for run in RUNS:
        assert read_world(json.loads(json.dumps(run.world.edits))) == run.world
        assert named_task(run.task).pictures == "scene"


def test_a_world_with_a_cue_alone_has_objects_that_tell_nothing():
    for run in RUNS:
        if run.kind == "cue":
            told = [run.world.contents(c).keys() for c in scene_categories() if scene_setting(c) == "indoor"]
            assert all(keys == told[0] for keys in told) == run.name.endswith("_alone")


def placed_share(world, name, n=100):
    """Images in which an object found a place, and images of which the contents include it."""
    placed = drawn = 0
    for category in scene_categories():
        if name in world.contents(category):
            for seed in range(n):
                if name in (contents := world.draw_contents(category, seed)):
                    left_out = place_scene(category, seed, world)[2].left_out
                    placed, drawn = placed + (left_out.count(name) < contents.count(name)), drawn + 1
    return placed, drawn


@pytest.mark.slow
def test_objects_find_their_places_in_other_scenes_too():
    """Otherwise an object without diagnosticity would be rarer in pictures than in the table."""
    found = [
        [placed_share(world, run.object) for world in (read_world(), run.world)]
        for run in EDITED
        if run.kind == "diagnosticity"
    ]
    for (before, drawn_before), (now, drawn) in found:
        assert now / drawn == pytest.approx(before / drawn_before, abs=0.05)
    (before, drawn_before), (now, drawn) = np.sum(found, axis=0)
    assert now / drawn == pytest.approx(before / drawn_before, rel=0.02)


# ---- how long it takes


def test_the_duration_is_that_of_the_recipe():
    assert SHORT.n_images + SHORT.n_held_out == duration._PICTURES
    assert SHORT.n_images * SHORT.passes == duration._SHOWN
    assert SHORT.batch == duration._BATCH


def test_pictures_are_rendered_only_where_an_edit_changes_them():
    share = {run.name: duration._share_rendered(run.world) for run in RUNS}
    assert share["unchanged_0"] == share["texture_alone"] == share["colour_and_objects"] == 1
    assert 0 < share["rarer_barn"] < 0.1 < share["more_frequent_rug"] < 0.5


def test_the_duration_adds_up(monkeypatch):
    monkeypatch.setattr(duration, "_seconds_per_picture", lambda: 0.1)
    monkeypatch.setattr(duration, "_seconds_per_step", lambda: 0.2)
    monkeypatch.setattr(duration, "cores", lambda: 2)
    three = [run for run in RUNS if run.kind == "unchanged"]
    wanted = 18_000 * 0.1 / 2 + 3 * (1750 * 0.2 * 1.4 + 100)
    assert duration._expected_seconds(three) == pytest.approx(wanted)
    (texture,) = (run for run in RUNS if run.name == "texture_alone")
    assert duration._expected_seconds([texture]) == pytest.approx(
        2 * 18_000 * 0.1 / 2 + 1750 * 0.2 * 1.4 + 100
    )


def test_steps_and_pictures_take_time():
    assert duration._seconds_per_picture() > 0
    assert duration._seconds_per_step() > 0
