"""Every look of every object: drawn the same way each time, seen, made of parts, standing where it says."""

import random

import numpy as np
import pytest

import scenelens.sceneworld.objects  # noqa: F401  (registers the classes)
from scenelens.sceneworld.palette import Palette
from scenelens.sceneworld.registry import look_names, resolve
from scenelens.sceneworld.studio import studio_picture
from scenelens.sceneworld.truth import truth_table
from scenelens.sceneworld.world import World

LOOKS = look_names()
REACHING_OUT = {
    "tent/camping",
    "boat/row",
    "gravestone",
}  # guy ropes, oars, a plot


def drawn(name: str, seed: int) -> World:
    world = World(Palette(random.Random(5)), seed=5)
    world.add(name, (0, 0, 0), seed=seed)
    return world


def corners(world: World) -> np.ndarray:
    """All vertices of a world's primitives, (vertices, 3)."""
    points = []
    for row in world.table():
        vertices = world.meshes[int(row[12])].vertices
        frame = row[:12].reshape(3, 4)
        points.append(vertices @ frame[:, :3].T + frame[:, 3])
    return np.concatenate(points)


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_has_parts_and_draws_the_same_for_the_same_seed(name):
    first, again = drawn(name, 3), drawn(name, 3)
    assert len({part for _, part in first.parts}) >= 2
    np.testing.assert_array_equal(first.table(), again.table())
    assert np.isfinite(first.table()).all()


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_varies_from_instance_to_instance(name):
    tables = [drawn(name, seed).table() for seed in range(4)]
    first = tables[0]
    assert any(other.shape != first.shape or not np.array_equal(other, first) for other in tables[1:])


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_is_about_as_large_as_it_says(name):
    known, look = resolve(name)
    points = np.concatenate([corners(drawn(name, seed)) for seed in range(3)])
    extent = np.ptp(points, axis=0)
    said = np.array(known.sizes[look or known.looks[0]])
    allowed = 3.0 if name in REACHING_OUT else 1.5
    assert (extent < allowed * said + 0.15).all(), (extent.round(2), said)
    assert extent.max() > 0.6 * said.max()


@pytest.mark.parametrize("name", LOOKS)
def test_what_stands_on_the_floor_touches_it(name):
    known, look = resolve(name)
    low = corners(drawn(name, 1))[:, 1].min()
    if known.places[look or known.looks[0]] in ("floor", "against_wall", "on_top", "ground", "far"):
        assert -0.6 * known.sizes[look or known.looks[0]][1] < low < 0.03  # rocks sit in the ground


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_is_seen_in_its_own_picture(name):
    picture = studio_picture(name, seed=2)
    mask = picture.masks()[resolve(name)[0].name]
    assert 0.01 < mask.mean() < 0.9


def test_every_object_of_the_scenes_is_registered():
    for name in sorted(set(truth_table()["object"])):
        resolve(name)
