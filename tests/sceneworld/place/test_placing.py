"""Where objects are put: nothing stands in another thing, few are left out."""

import math
import random
from collections import Counter
from functools import cache

import numpy as np
import pytest

import scenelens.sceneworld.objects  # noqa: F401  (registers the classes)
from scenelens.sceneworld.place.placing import choose_look, place_all
from scenelens.sceneworld.place.spots import overlap
from scenelens.sceneworld.place.stages import build_stage
from scenelens.sceneworld.registry import OBJECTS
from scenelens.sceneworld.truth import (
    common_objects,
    draw_contents,
    scene_categories,
    scene_contents,
    scene_setting,
)
from scenelens.sceneworld.world import stable_seed
from tests.sceneworld.place.plain_places import spots_of

N = 25


def arranged(category, seed):
    stage = build_stage(scene_setting(category), seed)
    contents = draw_contents(category, np.random.default_rng(stable_seed("contents", category, seed)))
    rng = random.Random(stable_seed("layout", category, seed))
    return contents, place_all(stage, contents, rng, common_objects(stage.setting))


@cache
def many():
    return {c: [arranged(c, seed) for seed in range(N)] for c in scene_categories()}


def test_at_most_eight_in_a_hundred_find_no_place():
    drawn = sum(len(contents) for made in many().values() for contents, _ in made)
    lost = sum(len(layout.left_out) for made in many().values() for _, layout in made)
    assert lost / drawn <= 0.08


def test_characteristic_objects_are_nearly_always_placed():
    for category, made in many().items():
        for name in (n for n, chance in scene_contents(category).items() if chance.presence >= 0.8):
            drawn = sum(name in contents for contents, _ in made)
            there = sum(any(o.name == name.partition("/")[0] for o in layout.placed) for _, layout in made)
            assert drawn - there <= 0.08 * N, (category, name)  # at most 2 of 25


def test_every_object_is_placed_or_listed_as_left_out():
    for made in many().values():
        for contents, layout in made:
            drawn = Counter(name.partition("/")[0] for name in contents)
            assert drawn == Counter(o.name for o in layout.placed) + Counter(layout.left_out)


def test_nothing_stands_in_another_thing():
    for made in many().values():
        for _, layout in made:
            feet = [spot for spot in spots_of(layout) if spot.foot]
            for i, a in enumerate(feet):
                assert not any(a.flat == b.flat and overlap(a.foot, b.foot, -0.05) for b in feet[:i])


def test_things_stay_in_the_room_and_no_boat_is_needed_to_reach_them():
    for category, made in many().items():
        for _, layout in made:
            stage = layout.stage
            for o, spot in zip(layout.placed, spots_of(layout), strict=True):
                if stage.indoor:
                    assert abs(o.at[0]) <= stage.width / 2
                    assert o.at[2] <= stage.depth
                elif stage.water and spot.foot and OBJECTS[o.name].places[o.look] != "water":
                    assert not stage.water[0] < o.at[2] < stage.water[1], (category, o.name)


def test_nothing_stands_right_in_front_of_the_viewer():
    people = [
        spot.screen[3] - spot.screen[1]
        for made in many().values()
        for _, layout in made
        for o, spot in zip(layout.placed, spots_of(layout), strict=True)
        if o.name == "person"
    ]
    assert max(people) <= 0.62 * 227


def test_chairs_next_to_tables_face_them():
    turned = []
    for seed in range(40):
        stage = build_stage("indoor", seed)
        layout = place_all(stage, ["table", "chair"], random.Random(seed))
        chair, table = (next((o for o in layout.placed if o.name == n), None) for n in ("chair", "table"))
        if chair and table and math.dist(chair.at, table.at) < 1.3:
            facing = (-math.sin(math.radians(chair.ry)), -math.cos(math.radians(chair.ry)))
            way = (table.at[0] - chair.at[0], table.at[2] - chair.at[2])
            turned.append((facing[0] * way[0] + facing[1] * way[1]) / math.hypot(*way))
    assert len(turned) >= 20
    assert np.mean(np.array(turned) > 0.8) > 0.9


def test_a_computer_stands_on_the_desk():
    heights = []
    for seed in range(20):
        layout = place_all(build_stage("indoor", seed), ["desk", "computer"], random.Random(seed))
        heights += [o.at[1] for o in layout.placed if o.name == "computer"]
    assert np.mean(np.array(heights) > 0.5) >= 0.9


@pytest.mark.parametrize(("indoor", "never"), [(True, "street"), (False, "floor"), (False, "pendant")])
def test_lamps_belong_where_they_are(indoor, never):
    rng = random.Random(0)
    assert never not in {choose_look("lamp", indoor, rng) for _ in range(60)}


def test_a_table_lamp_needs_a_table():
    rng = random.Random(0)
    assert "table" in {choose_look("lamp", True, rng) for _ in range(60)}
    assert "table" not in {choose_look("lamp", True, rng, hosts=False) for _ in range(60)}
