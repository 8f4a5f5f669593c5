"""Whole pictures: labels where things are, shadows on the far side of the light, the same picture twice."""

import random

import numpy as np
import pytest

from scenelens.errors import SceneLensError
from scenelens.sceneworld.materials import MATERIAL_NAMES
from scenelens.sceneworld.palette import Palette
from scenelens.sceneworld.registry import OBJECTS, object_class
from scenelens.sceneworld.render.camera import Camera
from scenelens.sceneworld.render.lighting import Light
from scenelens.sceneworld.render.pipeline import SIZE, _memory, render_world
from scenelens.sceneworld.studio import render_object, studio_picture
from scenelens.sceneworld.world import World, region_id

CAMERA = Camera((0, 2.0, -6.0), (0, 0.5, 0), 45)


@pytest.fixture(scope="module", autouse=True)
def post():
    @object_class("test_post", size=(0.3, 1.5, 0.3), place="ground")
    def draw(b, look):
        b.box("foot", "stone", size=(0.3, 0.75, 0.3))
        b.box("head", "wood", at=(0, 0.75, 0), size=(0.3, 0.75, 0.3))

    yield
    del OBJECTS["test_post"]


def scene(*posts, seed=5):
    world = World(Palette(random.Random(3)), seed)
    world.surface("sand", "sand", (0, 0, 10), (60, 40), "up")
    for at in posts:
        world.add("test_post", at)
    return world


def test_labels_lie_where_the_camera_projects_the_object():
    picture = render_world(scene((1.0, 0, 0)), CAMERA, Light())
    for height, part, material in ((0.4, "foot", "stone"), (1.1, "head", "wood")):
        column, row, _ = CAMERA.project((1.0, height, -0.15))
        at = int(row), int(column)
        assert picture.objects[picture.object_ids[at]].name == "test_post"
        assert picture.parts[picture.part_ids[at]] == ("test_post", part)
        assert MATERIAL_NAMES[picture.material_ids[at]] == material
    assert picture.object_ids[-1, 5] == region_id("sand")
    assert picture.object_ids[0, 5] == region_id("sky")


def test_masks_cover_the_projected_box():
    mask = render_world(scene((0, 0, 0)), CAMERA, Light()).masks()["test_post"]
    corners = [CAMERA.project((x, y, -0.15))[:2] for x in (-0.15, 0.15) for y in (0, 1.5)]
    columns, rows = np.array(corners).T
    seen_rows, seen_columns = np.nonzero(mask)
    assert abs(seen_columns.min() - columns.min()) < 3
    assert abs(seen_columns.max() - columns.max()) < 3
    assert abs(seen_rows.max() - rows.max()) < 3


def test_the_front_object_hides_the_one_behind():
    picture = render_world(scene((0, 0, 0), (0, 0, 3)), CAMERA, Light())
    column, row, _ = CAMERA.project((0, 0.7, -0.15))
    assert picture.object_ids[int(row), int(column)] == 0


@pytest.mark.parametrize("azimuth", [60, -60])
def test_the_shadow_falls_away_from_the_light(azimuth):
    light = Light(azimuth=azimuth, elevation=45)
    with_post, without = (
        render_world(scene(*posts), CAMERA, light).image.astype(float) for posts in (((0, 0, 0),), ())
    )
    darker = (without - with_post).mean(2)
    away = -1 if azimuth > 0 else 1
    values = {}
    for side in (away, -away):
        # The shadow of the post's middle: 0.75 m high, so 0.75 m away from the light along the ground.
        x, z = side * 0.75 * np.sin(np.radians(60)), 0.75 * np.cos(np.radians(60))
        column, row, _ = CAMERA.project((x, 0, z))
        values[side] = darker[int(row) - 1 : int(row) + 2, int(column) - 1 : int(column) + 2].mean()
    assert values[away] > 25
    assert abs(values[-away]) < 8


def test_the_same_world_gives_the_same_picture():
    first, second = (render_world(scene((0.5, 0, 1)), CAMERA, Light()) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.part_ids, second.part_ids)
    other = render_world(scene((0.5, 0, 1), seed=6), CAMERA, Light())
    assert not np.array_equal(first.image, other.image)


def test_nothing_of_an_earlier_picture_is_left():
    first = render_world(scene((0.5, 0, 1)), CAMERA, Light())
    for buffer in _memory.buffers:
        buffer[...] = np.arange(buffer.size).reshape(buffer.shape) % 97
    again = render_world(scene((0.5, 0, 1)), CAMERA, Light())
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.part_ids, again.part_ids)


def test_an_object_alone_is_large_and_repeatable():
    image, masks = render_object("test_post", 7)
    again, _ = render_object("test_post", 7)
    assert image.shape == (SIZE, SIZE, 3)
    assert image.dtype == np.uint8
    assert np.array_equal(image, again)
    assert set(masks) == {"test_post"}
    rows, columns = np.nonzero(masks["test_post"])
    assert max(np.ptp(rows), np.ptp(columns)) > SIZE / 2


def test_region_and_material_masks_add_up_to_the_picture():
    picture = studio_picture("test_post", 3)
    total = sum(m.sum() for m in picture.region_masks().values()) + sum(
        m.sum() for m in picture.masks().values()
    )
    assert total == SIZE * SIZE
    sky = (picture.object_ids == region_id("sky")).sum()
    assert sum(m.sum() for m in picture.material_masks().values()) == SIZE * SIZE - sky


def test_a_hidden_object_has_no_mask():
    world = scene((0, 0, 0))
    world.add("test_post", (0, 0, -20))
    assert 1 not in np.unique(render_world(world, CAMERA, Light()).object_ids)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda world: world.add("test_pots", (0, 0, 0)), "test_post"),
        (lambda world: world.surface("sandd", "sand", (0, 0, 0), (1, 1)), "sand"),
        (lambda world: world.surface("sand", "sandd", (0, 0, 0), (1, 1)), "sand"),
        (lambda world: world.surface("sand", "sand", (0, 0, 0), (1, 1), "upp"), "up"),
        (lambda world: world.region("hill").box("x", "wood", size=(1, 1, 1), pattern="plank"), "planks"),
        (lambda world: world.region("hill").box("x", "wood", size=(1, 1, 1), colour="accentt"), "accent"),
    ],
)
def test_a_wrong_name_is_answered_with_a_close_one(break_it, words):
    with pytest.raises(SceneLensError, match=words):
        break_it(scene())
