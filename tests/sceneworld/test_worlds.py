"""Edited worlds: counts keep what an edit does not ask for, pictures too; rival cues tell scenes, alone."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from scenelens import sceneworld
from scenelens.errors import SceneLensError
from scenelens.intervals import wilson_interval
from scenelens.sceneworld import dataset, read_world, render_background, render_scene
from scenelens.sceneworld.place.stages import build_stage
from scenelens.sceneworld.scenes import place_scene
from scenelens.sceneworld.truth import scene_categories, scene_contents, scene_setting

CATEGORIES = scene_categories()
GROUPS = {name: [c for c in CATEGORIES if scene_setting(c) == name] for name in ("indoor", "outdoor")}
OBJECTS = sorted(set(sceneworld.truth_table().object))
SHIPPED = read_world()
LAMPS = SHIPPED.without_diagnosticity("lamp")
FEW_PEOPLE = SHIPPED.scale_frequency("person", 0.4)
EDITED = {
    "lamp": LAMPS,
    "bed": SHIPPED.scale_frequency("bed", 0.5),
    "person": FEW_PEOPLE.make_diagnostic("person", scenes=["office", "market", *GROUPS["outdoor"][:4]]),
    "tent": SHIPPED.without_diagnosticity("tent"),
}
CUES = ("texture", "layout", "colour")


def totals(world, setting=None):
    """(sum of presence, sum of instances) per object and look."""
    table = world.truth_table()
    table = table if setting is None else table[table.setting == setting]
    return table.groupby(["object", "look"])[["presence", "expected"]].sum()


def presence(world, name):
    """Category -> presence of an object, 0 where it never appears."""
    table = world.truth_table()
    own = table[table.object == name].groupby("scene").presence.sum()
    return own.reindex(CATEGORIES, fill_value=0.0)


# ---- the shipped world is what it was


def test_the_shipped_world_is_drawn_as_before_there_were_edits():
    digest = hashlib.sha256()
    for i, category in enumerate(CATEGORIES):
        stage, contents, layout = place_scene(category, 100 + i)
        rows = [[round(float(value), 6) for value in row] for row in stage.world.table()]
        rows = [[0.0 if value == 0 else value for value in row] for row in rows]
        camera = [round(float(value), 6) for value in stage.camera.view()]
        digest.update(repr((contents, layout.left_out, rows, camera, round(stage.light.azimuth, 6))).encode())
    assert digest.hexdigest() == "aeb01ddc53b3891ccdd6b460acecf320416c30f5fc1e506875a767c8e2f8b75d"


def test_a_world_without_edits_is_the_shipped_one():
    assert SHIPPED.truth_table().equals(sceneworld.truth_table())
    assert SHIPPED == read_world([]) == pickle.loads(pickle.dumps(SHIPPED))
    assert all(SHIPPED.contents(category) == scene_contents(category) for category in CATEGORIES)


# ---- what edits do to the table


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(OBJECTS))
def test_an_object_without_diagnosticity_is_as_frequent_as_before(name):
    world = SHIPPED.without_diagnosticity(name)
    for setting, group in GROUPS.items():
        now, before = totals(world, setting), totals(SHIPPED, setting)
        assert np.allclose(now, before.reindex(now.index), rtol=1e-9)
        assert np.ptp(presence(world, name)[group]) < 1e-12
    for category in CATEGORIES:  # nothing else has changed
        rest = [
            {key: chance for key, chance in one.contents(category).items() if key.split("/")[0] != name}
            for one in (world, SHIPPED)
        ]
        assert rest[0] == rest[1]


def test_no_object_tells_a_scene_in_a_world_without_diagnosticity():
    world = SHIPPED.without_diagnosticity()
    assert np.allclose(totals(world), totals(SHIPPED), rtol=1e-9)
    for group in GROUPS.values():
        assert len({tuple(sorted(world.contents(c).items(), key=str)) for c in group}) == 1


def test_a_diagnostic_object_appears_in_its_scenes_only():
    scenes = ["office", "market", *GROUPS["outdoor"][:4]]
    world = EDITED["person"]
    now = presence(world, "person")
    assert set(now[now > 0].index) == set(scenes)
    assert np.ptp(now[scenes]) < 1e-12
    assert np.allclose(totals(world).loc["person"], 0.4 * totals(SHIPPED).loc["person"], rtol=1e-9)


def test_a_look_stays_a_look():
    world = SHIPPED.make_diagnostic("tent", ["beach", "farm"])
    assert {"tent/circus", "tent/camping"} <= set(world.contents("farm"))
    assert not {key for key in world.contents("campsite") if key.startswith("tent")}


def test_a_scaled_object_is_that_much_more_frequent():
    world = SHIPPED.scale_frequency("lamp", 1.5)
    assert np.allclose(totals(world).loc["lamp"], 1.5 * totals(SHIPPED).loc["lamp"])
    assert np.allclose(presence(world, "lamp"), 1.5 * presence(SHIPPED, "lamp"))
    assert not presence(SHIPPED.scale_frequency("lamp", 0), "lamp").any()


def test_edits_follow_each_other():
    world = SHIPPED.scale_frequency("bed", 0.5).without_diagnosticity("bed")
    assert np.allclose(presence(world, "bed")[GROUPS["indoor"]], 0.94 / 2 / 12)
    assert [edit[0] for edit in world.edits] == ["scale_frequency", "without_diagnosticity"]
    assert read_world(json.dumps(world.edits)) == world == read_world(json.loads(json.dumps(world.edits)))
    cue = SHIPPED.make_diagnostic("bed", ["kitchen"]).tell_by("colour", objects=False)
    assert read_world(json.dumps(cue.edits)) == cue


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda w: w.without_diagnosticity("lampp"), "lamp"),
        (lambda w: w.scale_frequency("bed", 2), r"bed cannot be 2 times .* in bedroom: at most 1\.06"),
        (lambda w: w.scale_frequency("bed", -1), "negative"),
        (lambda w: w.scale_frequency("bed", float("nan")), "not finite"),
        (lambda w: w.make_diagnostic("person", ["office"]), "at least 14, or call scale_frequency"),
        (lambda w: w.make_diagnostic("boat", ["office"]), "never appears indoors"),
        (lambda w: w.make_diagnostic("bed", ["bedrom"]), "bedroom"),
        (lambda w: w.make_diagnostic("bed", []), "needs a scene"),
        (lambda w: w.tell_by("smell"), "texture"),
        (lambda w: read_world([["explode"]]), "^a world has no edit named 'explode'"),
        (lambda w: read_world([1]), "no edits of a world"),
        (lambda w: read_world([["scale_frequency", "bed", "often"]]), "no edits of a world"),
        (lambda w: read_world([["tell_by", ["texture"]]]), "no edits of a world"),
        (lambda w: read_world("[["), "no edits of a world"),
        (lambda w: read_world([["scale_frequency"]]), "no edits of a world"),
        (lambda w: w.contents("bedrom"), "bedroom"),
    ],
)
def test_what_cannot_be_is_one_sentence(edit, match):
    with pytest.raises(SceneLensError, match=match):
        edit(SHIPPED)


# ---- what edits do to images


@pytest.mark.parametrize("name", EDITED)
def test_other_objects_are_the_same_in_every_image(name):
    world, changed = EDITED[name], 0
    for category in CATEGORIES:
        for seed in range(40):
            now, before = (one.draw_contents(category, seed) for one in (world, SHIPPED))
            others = [[one for one in drawn if one.split("/")[0] != name] for drawn in (now, before)]
            assert others[0] == others[1] or not others[1]
            changed += now != before
    assert changed


@pytest.mark.parametrize("name", EDITED)
def test_an_image_that_the_edit_does_not_concern_is_the_same(name):
    world = EDITED[name]
    never = [c for c in CATEGORIES if not presence(world, name)[c] + presence(SHIPPED, name)[c]]
    same = [(c, seed) for c in never for seed in range(3)]
    same += [
        (c, seed)
        for c in CATEGORIES[::5]
        for seed in range(8)
        if world.draw_contents(c, seed) == SHIPPED.draw_contents(c, seed)
    ]
    assert same
    for category, seed in same:
        rows = [place_scene(category, seed, one)[0].world.rows for one in (world, SHIPPED)]
        assert rows[0] == rows[1]
    category, seed = same[0]
    assert np.array_equal(render_scene(category, seed, world)[0], render_scene(category, seed)[0])


def test_where_the_object_goes_the_background_stays():
    seed = next(s for s in range(99) if "bed" not in EDITED["bed"].draw_contents("bedroom", s))
    assert "bed" in SHIPPED.draw_contents("bedroom", seed)
    image, masks = render_scene("bedroom", seed, EDITED["bed"])
    assert "bed" not in masks
    assert not np.array_equal(image, render_scene("bedroom", seed)[0])
    assert np.array_equal(
        render_background("bedroom", seed, EDITED["bed"]), render_background("bedroom", seed)
    )


def test_a_rarer_object_comes_into_no_image():
    for seed in range(200):
        if "bed" in EDITED["bed"].draw_contents("bedroom", seed):
            assert "bed" in SHIPPED.draw_contents("bedroom", seed)


def drawn_shares(world, name, n):
    """Share of the images of each category, of n each, that contain an object; and the instances in all."""
    shares, instances = {}, 0
    for category in CATEGORIES:
        counts = Counter()
        for seed in range(n):
            number = sum(key.split("/")[0] == name for key in world.draw_contents(category, seed))
            counts[number > 0] += 1
            instances += number
        shares[category] = counts[True] / n
    return np.array([shares[c] for c in CATEGORIES]), instances


@pytest.mark.parametrize("name", EDITED)
def test_images_contain_what_the_table_says(name):
    n, world = 150, EDITED[name]
    shares, instances = drawn_shares(world, name, n)
    expected = presence(world, name).to_numpy()
    assert (np.abs(shares - expected) < 4.5 * np.sqrt(expected * (1 - expected) / n) + 1e-9).all()
    wanted = n * totals(world).loc[name].expected.sum()
    assert abs(instances - wanted) < 5 * np.sqrt(2 * wanted)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lamp", "chair", "plant", "person"])
def test_frequencies_are_kept_to_two_per_cent(name):
    world = SHIPPED.without_diagnosticity(name)
    now, instances = drawn_shares(world, name, 1500)
    before, instances_before = drawn_shares(SHIPPED, name, 1500)
    assert now.mean() == pytest.approx(before.mean(), rel=0.02)
    assert instances == pytest.approx(instances_before, rel=0.02)
    for group in GROUPS.values():  # and they say nothing: the spread is that of 1500 draws
        own = now[[CATEGORIES.index(c) for c in group]]
        assert own.std() < 2 * np.sqrt(own.mean() * (1 - own.mean()) / 1500) + 1e-9


def test_images_of_an_edited_world_are_rendered_into_a_folder(tmp_path):
    bare = SHIPPED
    for name in ("bed", "lamp"):
        bare = bare.scale_frequency(name, 0)
    root = dataset.ensure_world(tmp_path, n_scenes=1, n_objects=0, workers=1, world=bare)
    state = json.loads((root / "sceneworld.json").read_text("utf-8"))
    assert read_world(state["made"]["edits"]) == bare
    first = (root / "Images/scene/bedroom/bedroom_0000.jpg").read_bytes()
    dataset.ensure_world(tmp_path, n_scenes=1, n_objects=0, workers=1, world=bare)
    dataset.ensure_world(tmp_path, n_scenes=1, n_objects=0, workers=1)
    assert "edits" not in json.loads((root / "sceneworld.json").read_text("utf-8"))["made"]
    assert (root / "Images/scene/bedroom/bedroom_0000.jpg").read_bytes() != first


# ---- rival cues


def stages(cue, setting, seed):
    group = GROUPS[setting]
    return [build_stage(setting, seed, SHIPPED.tell_by(cue).cue(category)) for category in group]


def shapes(stage):
    return [row[:13] for row in stage.world.rows]


def hues(stage):
    return stage.world.palette.hue, stage.light.colour, stage.light.zenith


def materials(stage):
    return [row[13:] for row in stage.world.rows], stage.light.clouds


@pytest.mark.parametrize("setting", GROUPS)
@pytest.mark.parametrize("seed", range(3))
def test_a_cue_changes_what_it_names_and_nothing_else(setting, seed):
    plain = build_stage(setting, seed)
    for stage in stages("texture", setting, seed):
        assert (stage.camera, hues(stage)) == (plain.camera, hues(plain))
        assert [row[:12] for row in stage.world.rows] == [row[:12] for row in plain.world.rows]
    for stage in stages("layout", setting, seed):
        assert (stage.world.rows, hues(stage)) == (plain.world.rows, hues(plain))
    for stage in stages("colour", setting, seed):
        assert (stage.camera, shapes(stage), stage.light.clouds) == (
            plain.camera,
            shapes(plain),
            plain.light.clouds,
        )
        assert stage.light.azimuth == plain.light.azimuth


@pytest.mark.parametrize("setting", GROUPS)
def test_every_category_has_its_own_cue(setting):
    told = {
        "texture": {repr(materials(stage)) for stage in stages("texture", setting, 0)},
        "layout": {repr(stage.camera) for stage in stages("layout", setting, 0)},
        "colour": {stage.world.palette.hue for stage in stages("colour", setting, 0)},
    }
    assert {cue: len(one) for cue, one in told.items()} == dict.fromkeys(CUES, 12)


def test_two_cues_add_up():
    both = SHIPPED.tell_by("texture").tell_by("layout").cue("kitchen")
    stage = build_stage("indoor", 2, both)
    only = {cue: build_stage("indoor", 2, SHIPPED.tell_by(cue).cue("kitchen")) for cue in CUES}
    assert stage.camera == only["layout"].camera
    assert stage.world.rows == only["texture"].world.rows


def directions(world, category):
    """In which direction the first thing stands, and how it looks, in 30 pictures."""
    placed = [place_scene(category, seed, world) for seed in range(30)]
    first = [layout.placed[0] for _, _, layout in placed]
    looks = {
        repr(stage.world.rows[slice(*one.rows)]) for (stage, _, _), one in zip(placed, first, strict=True)
    }
    return np.array([one.at[0] / one.at[2] for one in first]), looks


def test_objects_have_places_of_the_category_and_looks_of_their_own():
    within = {}
    for world in (SHIPPED.without_diagnosticity(), SHIPPED.tell_by("layout", objects=False)):
        found = [directions(world, category) for category in GROUPS["outdoor"][:4]]
        assert all(len(looks) == 30 for _, looks in found)
        at = np.array([where for where, _ in found])
        within[world] = at.std(axis=1).mean() / at.std()
    anywhere, own = within.values()
    assert anywhere > 0.9 > 0.8 > own


def accuracy_interval(world, categories, n, draw=lambda *scene: render_scene(*scene)[0]):
    """95% interval of the cross-validated accuracy of a logistic regression on thumbnails of 16 x 16."""
    labels = np.repeat(np.arange(len(categories)), n)
    images = [draw(categories[label], 60_000 + i, world) for i, label in enumerate(labels)]
    small = [cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA).ravel() for image in images]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    right = int((cross_val_predict(model, np.array(small, float), labels, cv=4) == labels).sum())
    return wilson_interval(right, len(labels))


@pytest.mark.parametrize("cue", CUES)
def test_thumbnails_tell_scenes_by_a_cue_without_any_object(cue):
    categories = GROUPS["indoor" if cue == "texture" else "outdoor"][:4]
    low, _ = accuracy_interval(SHIPPED.tell_by(cue), categories, 12, render_background)
    assert low > 1 / 4


def test_thumbnails_do_not_tell_scenes_where_nothing_does():
    low, _ = accuracy_interval(SHIPPED.without_diagnosticity(), GROUPS["indoor"][:4], 16)
    assert low <= 1 / 4


@pytest.mark.slow
@pytest.mark.parametrize("setting", GROUPS)
@pytest.mark.parametrize("cue", CUES)
def test_thumbnails_tell_all_scenes_by_a_cue(cue, setting):
    low, _ = accuracy_interval(SHIPPED.tell_by(cue, objects=False), GROUPS[setting], 16)
    assert low > 1 / 12


@pytest.mark.slow
@pytest.mark.parametrize("setting", GROUPS)
def test_thumbnails_tell_no_scene_where_nothing_does(setting):
    low, _ = accuracy_interval(SHIPPED.without_diagnosticity(), GROUPS[setting], 24)
    assert low <= 1 / 12
