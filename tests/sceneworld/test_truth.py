"""The world's table: what it says, that its objects exist, that their frequencies fall off like Zipf's."""

import numpy as np
import pytest

import scenelens.sceneworld.objects  # noqa: F401  (registers the classes)
from scenelens.errors import SceneLensError
from scenelens.sceneworld.registry import OBJECTS, resolve
from scenelens.sceneworld.truth import (
    Chance,
    common_objects,
    draw_contents,
    read_chance,
    scene_categories,
    scene_contents,
    scene_setting,
    truth_table,
)


def test_the_world_is_as_large_as_it_claims():
    table = truth_table()
    assert table.scene.nunique() >= 20
    assert table.object.nunique() >= 50
    assert {"bedroom", "art_gallery", "amusement_park", "bookstore"} <= set(scene_categories())
    assert set(table.setting) == {"indoor", "outdoor"}


def test_every_name_in_the_table_is_an_object_that_can_be_drawn():
    for row in truth_table().itertuples():
        resolve(f"{row.object}/{row.look}" if row.look else row.object)


def test_every_object_has_a_place_in_some_scene():
    assert set(OBJECTS) == set(truth_table().object)


def test_an_entry_of_the_table_is_read():
    assert read_chance("60%") == Chance(0.6, 1, 1)
    assert read_chance("7.5% 3") == Chance(0.075, 3, 3)
    assert read_chance("50% 1-4").expected == 1.25


@pytest.mark.parametrize("text", ["60", "60% 1-", "often", "", "-5%"])
def test_a_bad_entry_is_named(text):
    with pytest.raises(SceneLensError, match=r"world\.toml"):
        read_chance(text)


def test_an_unknown_scene_gets_close_names():
    with pytest.raises(SceneLensError, match="bedroom"):
        scene_contents("bedrom")


def test_contents_are_drawn_as_often_as_the_table_says():
    rng = np.random.default_rng(0)
    drawn = [draw_contents("harbor", rng) for _ in range(2000)]
    for name, chance in scene_contents("harbor").items():
        presence = np.mean([name in contents for contents in drawn])
        assert abs(presence - chance.presence) < 4 * np.sqrt(chance.presence * (1 - chance.presence) / 2000)
    boats = [contents.count("boat") for contents in drawn if "boat" in contents]
    assert {min(boats), max(boats)} == {2, 4}


def test_frequencies_fall_off_like_zipfs_law():
    """log(frequency) is close to a falling straight line in log(rank), as counts of objects in SUN are."""
    frequency = truth_table().groupby("object").expected.sum().sort_values(ascending=False).to_numpy()
    rank = np.log(np.arange(1, len(frequency) + 1))
    slope, start = np.polyfit(rank, np.log(frequency), 1)
    rest = np.log(frequency) - (start + slope * rank)
    r2 = 1 - rest.var() / np.log(frequency).var()
    assert -1.5 < slope < -0.6
    assert r2 > 0.85


def test_objects_are_common_characteristic_or_shared_by_several_scenes():
    table = truth_table()
    scenes = table.groupby("object").scene.nunique()
    assert scenes["person"] == len(scene_categories())
    assert scenes["washing_machine"] == 1
    several = [name for name, n in scenes.items() if 2 <= n <= 6 and name not in common_objects("indoor")]
    assert len(several) >= 10


def test_setting_of_a_scene():
    assert scene_setting("bedroom") == "indoor"
    assert scene_setting("beach") == "outdoor"
