"""Scenes: equal seeds give equal pictures, masks show objects, backgrounds say nothing about the scene."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scenelens import sceneworld
from scenelens.errors import SceneLensError
from scenelens.intervals import wilson_interval
from scenelens.sceneworld.place.stages import build_stage
from scenelens.sceneworld.scenes import compose_scene, render_background, render_scene
from scenelens.sceneworld.truth import scene_categories, scene_setting

CATEGORIES = scene_categories()


def test_an_image_and_its_masks():
    image, masks = render_scene("bedroom", 3)
    assert image.shape == (227, 227, 3)
    assert image.dtype == np.uint8
    assert masks
    for mask in masks.values():
        assert mask.shape == (227, 227)
        assert mask.dtype == bool
        assert mask.any()


def test_masks_of_different_objects_share_no_pixel_and_regions_take_the_rest():
    scene = compose_scene("market", 5)
    layers = [*scene.picture.masks().values(), *scene.picture.region_masks().values()]
    assert (np.sum(layers, axis=0) == 1).all()


def test_masks_show_only_the_contents():
    for seed, category in enumerate(CATEGORIES):
        scene = compose_scene(category, seed)
        drawn = {name.partition("/")[0] for name in scene.contents}
        assert set(scene.picture.masks()) <= drawn


def test_the_same_seed_gives_the_same_picture_and_another_seed_another():
    first, again, other = (render_scene("beach", seed)[0] for seed in (7, 7, 8))
    assert (first == again).all()
    assert (first != other).any()


def _some_picture(seed):
    return render_scene(CATEGORIES[seed % len(CATEGORIES)], seed)[0]


def test_pictures_do_not_depend_on_processes():
    here = [_some_picture(seed) for seed in range(4)]
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        there = list(pool.map(_some_picture, reversed(range(4))))
    assert all((a == b).all() for a, b in zip(here, reversed(there), strict=True))


def test_a_removed_object_leaves_the_others_where_they_are():
    changed = 0
    for seed in range(12):
        whole = compose_scene("farm", seed)
        masks = whole.picture.masks()
        if "barn" not in masks:
            continue
        without = compose_scene("farm", seed, without=["barn"])
        other = without.picture.masks()
        assert "barn" not in other
        assert other.keys() >= masks.keys() - {"barn"}
        for name in masks.keys() - {"barn"}:  # what the barn hid may become visible, nothing else moves
            assert (masks[name] & ~other[name]).sum() <= 4  # pixels on its edge, shared with the barn
            assert (other[name] & ~masks[name] & ~masks["barn"]).sum() <= 4
        assert without.contents == whole.contents
        changed += 1
    assert changed >= 4


def test_without_nothing_changes_nothing():
    assert (compose_scene("street", 2).image == compose_scene("street", 2, without=["piano"]).image).all()


def test_what_stands_on_a_table_goes_with_it():
    for seed in range(100):
        scene = compose_scene("restaurant", seed)
        on_top = [o for o in scene.picture.objects if o.name == "bottle" and o.at[1] > 0.5]
        if on_top and "counter" not in scene.picture.masks():
            break
    gone = compose_scene("restaurant", seed, without=["table"]).picture
    assert not np.isin(gone.object_ids, [o.id for o in on_top]).any()


def test_an_unknown_name_gets_close_names():
    with pytest.raises(SceneLensError, match="lamp"):
        compose_scene("bedroom", 0, without=["lampp"])
    with pytest.raises(SceneLensError, match="bedroom"):
        render_scene("bedrom", 0)


def test_the_door_shows_its_names_only():
    assert all(getattr(sceneworld, name) for name in sceneworld.__all__)
    assert dir(sceneworld) == sorted(sceneworld.__all__)
    assert len(sceneworld.object_classes()) >= 80
    with pytest.raises(AttributeError, match="scenery"):
        sceneworld.scenery  # noqa: B018


# ----------------------------------------------------------------- backgrounds say nothing about the scene


def test_a_stage_does_not_depend_on_the_category():
    """Two categories of one setting have the very same background."""
    assert (render_background("bedroom", 4) == render_background("kitchen", 4)).all()
    assert build_stage("indoor", 4).camera == build_stage("indoor", 4).camera


def _thumbnails(draw, categories, n):
    """(len(categories) * n, 432) thumbnails of 12 x 12 RGB, each of its own seed, and the labels."""
    labels = np.repeat(np.arange(len(categories)), n)
    images = [draw(categories[label], 50_000 + i) for i, label in enumerate(labels)]
    small = [cv2.resize(image, (12, 12), interpolation=cv2.INTER_AREA).ravel() for image in images]
    return np.array(small, float), labels


def _accuracy_interval(draw, categories, n):
    """95% interval of the cross-validated accuracy of a logistic regression."""
    features, labels = _thumbnails(draw, categories, n)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    right = int((cross_val_predict(model, features, labels, cv=5) == labels).sum())
    return wilson_interval(right, len(labels))


@pytest.mark.parametrize("setting", ["indoor", "outdoor"])
def test_objects_distinguish_the_scenes_and_backgrounds_do_not(setting):
    categories = [c for c in CATEGORIES if scene_setting(c) == setting]
    chance = 1 / len(categories)
    low, _ = _accuracy_interval(render_background, categories, 16)
    assert low <= chance
    low, _ = _accuracy_interval(lambda category, seed: render_scene(category, seed)[0], categories, 16)
    assert low > chance  # with objects the same test finds a difference, so it could have found one above
