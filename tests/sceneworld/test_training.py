"""Training in windows of pictures: how often each is seen, and that a stopped run ends in the same place."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scenelens.errors import SceneLensError
from scenelens.sceneworld import pictures, read_world, training, workers
from scenelens.sceneworld.pictures import Group, Source
from scenelens.sceneworld.scenes import compose_scene
from scenelens.sceneworld.tasks import TASKS, Task, named_task, note_scene
from scenelens.sceneworld.training import LONG, SHORT, Recipe

_TINY = Recipe(n_images=40, n_held_out=8, group=16, passes=2, batch=8, width=0.0625, fc=8)


@given(st.integers(1, 200), st.integers(1, 60), st.integers(1, 9))
def test_each_image_is_seen_as_often_as_the_recipe_says(n, group, passes):
    recipe = Recipe(n_images=n, group=group, passes=passes)
    seen = Counter(i for window in recipe.windows for number in window for i in recipe.images(number))
    assert seen == dict.fromkeys(range(n), passes)
    for window in recipe.windows:  # a window is in one piece, and no longer than the passes
        assert 1 <= len(window) <= passes


def test_the_recipes_reach_the_presentations_that_they_name():
    for recipe, wanted in ((LONG, 460_800), (SHORT, 112_000)):
        shown = recipe.batch * sum(map(recipe.steps, recipe.windows))
        assert wanted - recipe.batch * len(recipe.windows) < shown <= wanted


def _shifted(image: np.ndarray, dy: int, dx: int, mirrored: bool) -> np.ndarray:
    """By hand: pad with repeated edges, cut, mirror."""
    padded = np.pad(image, ((8, 8), (8, 8), (0, 0)), mode="edge")
    cut = padded[8 + dy : 8 + dy + 227, 8 + dx : 8 + dx + 227]
    return cut[:, ::-1] if mirrored else cut


def test_images_are_shifted_and_mirrored_as_by_hand():
    images = np.random.default_rng(0).integers(0, 256, (6, 227, 227, 3), dtype=np.uint8)
    found = training._augment(torch.from_numpy(images), np.random.default_rng(3)).numpy()
    rng = np.random.default_rng(3)
    (dy, dx), mirrored = rng.integers(-8, 9, (2, 6)), rng.random(6) < 0.5
    assert mirrored.any()
    assert not mirrored.all()
    for i in range(6):
        np.testing.assert_array_equal(found[i], _shifted(images[i], dy[i], dx[i], mirrored[i]))


def numbered(numbers: range) -> Group:
    """Pictures of one grey, their number."""
    images = np.broadcast_to(np.array(numbers, np.uint8)[:, None, None, None], (len(numbers), 227, 227, 3))
    return Group(np.array(numbers), images, np.zeros((len(numbers), 2), np.int16))


def test_each_image_has_the_label_of_its_number():
    groups = [numbered(range(10, 15)), numbered(range(15, 22))]
    recipe, three = replace(_TINY, batch=4), Task("three", tuple("abc"), "scene", lambda i, notes: i % 3)
    device = torch.device("cpu")
    shown = Counter()
    for x, y in training._batches(groups, three, recipe, np.random.default_rng(0), device):
        numbers = (x[:, 0, 0, 0] + training._MEAN[0]).round().long()
        assert torch.equal(numbers % 3, y)
        shown.update(numbers.tolist())
    assert shown == dict.fromkeys(range(10, 22), 1)


@pytest.fixture
def drawn(monkeypatch):
    """Random pictures instead of rendered ones; the numbers of those that were drawn."""
    numbers: list[int] = []

    def draw(source, i):
        numbers.append(source.first_seed + i)
        rng = np.random.default_rng(source.first_seed + i)
        return rng.integers(0, 256, (227, 227, 3), dtype=np.uint8), (i % 5, i % 3)

    class _Here:
        """A pool without processes."""

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def map(self, function, items, chunksize=1):
            return map(function, items)

    monkeypatch.setattr(pictures.Source, "render", draw)
    monkeypatch.setattr(training, "render_pool", lambda workers: _Here())
    return numbers


def test_a_stopped_run_ends_in_the_same_weights(drawn, tmp_path, monkeypatch):
    whole = training.train("scene", _TINY, tmp_path / "whole", tmp_path / "whole")
    see, calls = training._Training.see, []

    def stops(self, groups, window, watch):
        calls.append(window)
        if len(calls) == 3:
            raise KeyboardInterrupt
        see(self, groups, window, watch)

    monkeypatch.setattr(training._Training, "see", stops)
    with pytest.raises(KeyboardInterrupt):
        training.train("scene", _TINY, tmp_path / "parts", tmp_path / "parts")
    monkeypatch.setattr(training._Training, "see", see)
    parts = training.train("scene", _TINY, tmp_path / "parts", tmp_path / "parts")
    assert parts["weights_hash"] == whole["weights_hash"]
    assert parts["presentations"] == whole["presentations"] == 80


def test_who_watches_is_told_of_each_step_and_the_network_is_the_same(drawn, tmp_path, capsys):
    told = []

    def watch(*at):
        told.append(at)

    alone = training.train("scene", _TINY, tmp_path / "alone", tmp_path / "alone")
    capsys.readouterr()
    watched = training.train("scene", _TINY, tmp_path / "watched", tmp_path / "watched", watch=watch)
    assert watched["weights_hash"] == alone["weights_hash"]
    assert [seen for seen, *_ in told] == list(range(8, 81, 8))
    assert {total for _, total, *_ in told} == {80}
    assert all(loss > 0 and 0 <= right <= 1 for *_, loss, right in told)
    assert capsys.readouterr() == ("", "")
    assert not list((tmp_path / "watched").glob("*_seen_*"))


def test_a_watched_run_that_is_stopped_in_a_step_goes_on_after_its_last_window(drawn, tmp_path):
    whole, told = training.train("scene", _TINY, tmp_path / "whole", tmp_path / "whole"), []

    def stops(seen, *rest):
        told.append(seen)
        if len(told) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train("scene", _TINY, tmp_path / "parts", tmp_path / "parts", watch=stops)
    parts = training.train(
        "scene", _TINY, tmp_path / "parts", tmp_path / "parts", watch=lambda *at: told.append(at[0])
    )
    assert parts["weights_hash"] == whole["weights_hash"]
    assert told[4] <= told[3]  # what was not finished is shown again
    assert told[-1] == 80


def test_every_picture_is_drawn_once_and_none_of_another_set(drawn, tmp_path):
    training.train("scene", _TINY, tmp_path, tmp_path)
    assert sorted(drawn) == [*range(10_000_000, 10_000_040), *range(20_000_000, 20_000_008)]


def test_groups_leave_the_disk_unless_they_are_kept(drawn, tmp_path):
    training.train("scene", _TINY, tmp_path / "a", tmp_path)
    training.train("scene", _TINY, tmp_path / "b", tmp_path, keep_pictures=True)
    assert len(list((tmp_path / "a/pictures").glob("scene_16_*.npy"))) == 1  # the last group
    assert len(list((tmp_path / "b/pictures").glob("scene_16_*.npy"))) == 3


def test_networks_on_the_way_are_written_with_what_they_have_seen(drawn, tmp_path):
    training.train("scene", _TINY, tmp_path, tmp_path / "out", name="scene_4")
    assert (tmp_path / "out/scene_4.safetensors").exists()
    on_the_way = sorted(path.stem for path in tmp_path.glob("scene_4_seen_*.safetensors"))
    # Windows of 16, 32, 24 and 8 images: 40 presentations, half of 80, lie in the second.
    assert on_the_way == ["scene_4_seen_0000016", "scene_4_seen_0000048"]


def test_another_seed_sees_the_same_pictures_and_ends_elsewhere(drawn, tmp_path):
    one = training.train("scene", _TINY, tmp_path, tmp_path, keep_pictures=True, name="scene_0")
    before = len(drawn)
    two = training.train(
        "scene", replace(_TINY, seed=1), tmp_path, tmp_path, keep_pictures=True, name="scene_1"
    )
    assert len(drawn) == before
    assert one["weights_hash"] != two["weights_hash"]


def test_bfloat16_computes_layers_only(drawn, tmp_path):
    recipe = replace(_TINY, bfloat16=True)
    run = training._Training(named_task("light"), recipe)
    inside: list[torch.dtype] = []
    run.model.conv5.register_forward_hook(lambda module, given, out: inside.append(out.dtype))
    run.see([numbered(range(16))], range(1))
    assert set(inside) == {torch.bfloat16}
    for part in (run.model, run.average):
        assert {value.dtype for value in part.state_dict().values()} <= {torch.float32, torch.int64}


def test_a_recipe_is_read_from_the_command_line(drawn, tmp_path):
    tiny = [
        "--n-images",
        "16",
        "--n-held-out",
        "8",
        "--group",
        "16",
        "--passes",
        "1",
        "--batch",
        "8",
        "--width",
        "0.0625",
        "--fc",
        "8",
    ]
    folders = ["--work", str(tmp_path), "--out", str(tmp_path)]
    for flag, wanted in (([], False), (["--bfloat16"], True), (["--no-bfloat16"], False)):
        training.main(["scene", *tiny, *flag, *folders])
        card = json.loads((tmp_path / "scene.json").read_text())
        assert card["recipe"]["bfloat16"] is wanted
        assert card["recipe"]["width"] == 0.0625


# ---- other tasks, other worlds


def test_an_answer_is_one_of_the_classes():
    sizes = {name: len(named_task(name).classes) for name in TASKS}
    assert sizes == {"scene": 24, "object": 113, "setting": 2, "light": 3, "main_object": 83, "rotation": 4}
    numbers = np.arange(500)
    notes = np.stack([numbers % 83, numbers % 3], axis=1)
    for name in TASKS:
        labels = Group(numbers, numbers, notes).labels(named_task(name))
        assert set(labels.tolist()) == set(range(sizes[name]))
    with pytest.raises(SceneLensError, match="rotation"):
        named_task("rotations")


def test_the_main_object_is_the_one_with_most_pixels():
    classes, lights = named_task("main_object").classes, set()
    for seed in range(6):
        scene = compose_scene("farm", seed)
        main, light = note_scene(scene)
        ids = scene.picture.object_ids
        areas = Counter()
        for placed in scene.picture.objects:
            areas[placed.name] += np.count_nonzero(ids == placed.id)
        assert areas[classes[main]] == max(areas.values())
        lights.add(light)
        assert light == int(scene.light.warmth * 3)
    assert len(lights) > 1


def test_warm_light_is_redder():
    """The class is a property of the picture: the light's red over its blue grows with it."""
    lights = [compose_scene("farm", seed).light for seed in range(12)]
    lights.sort(key=lambda light: light.warmth)
    ratio = [light.colour[0] / light.colour[2] for light in lights]
    assert ratio == sorted(ratio)


def test_images_are_turned_as_by_hand():
    images = np.random.default_rng(0).integers(0, 256, (5, 9, 9, 3), dtype=np.uint8)
    turns = [0, 3, 1, 2, 1]
    found = training._turned(torch.from_numpy(images), torch.tensor(turns)).numpy()
    for image, before, turn in zip(found, images, turns, strict=True):
        np.testing.assert_array_equal(image, np.rot90(before, turn))


def test_each_showing_turns_a_picture_anew():
    groups = [
        Group(np.arange(8), np.tile(np.arange(227, dtype=np.uint8)[:, None, None], (8, 1, 227, 3)), None)
    ]
    groups = [replace(groups[0], notes=np.zeros((8, 2), np.int16))]
    recipe, seen = replace(_TINY, batch=8), []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        for x, y in training._batches(groups, named_task("rotation"), recipe, rng, torch.device("cpu")):
            down = x[:, 0, 180, 113] - x[:, 0, 40, 113]  # rows grow darker upwards in the picture as it is
            right = x[:, 0, 113, 180] - x[:, 0, 113, 40]
            turned = torch.stack([down, right, -down, -right]).argmax(0)
            assert torch.equal(turned, y)
            seen.append(tuple(y.tolist()))
    assert len(set(seen)) == 4


@pytest.mark.parametrize("task", ["setting", "light", "main_object", "rotation"])
def test_a_network_is_trained_for_another_task_on_the_same_pictures(drawn, tmp_path, task):
    training.train("scene", _TINY, tmp_path, tmp_path / "out", keep_pictures=True)
    before = len(drawn)
    card = training.train(task, _TINY, tmp_path, tmp_path / "out", keep_pictures=True, name=f"{task}_0")
    assert len(drawn) == before
    assert card["network"] == task
    assert card["classes"] == list(named_task(task).classes)
    assert (tmp_path / f"out/{task}_0.safetensors").exists()


def test_worlds_keep_their_pictures_apart(drawn, tmp_path):
    world = read_world().scale_frequency("bed", 0.5)
    plain = training.train("scene", _TINY, tmp_path, tmp_path, keep_pictures=True)
    card = training.train("scene", _TINY, tmp_path, tmp_path, keep_pictures=True, name="rare", world=world)
    edited = [i for i in (10_000_000, 10_000_024, 20_000_000) if not Source("scene", i, world).is_shipped(0)]
    assert len(drawn) == 48 + len(edited)
    assert read_world(card["data"]["edits"]) == world
    assert "edits" not in plain["data"]
    assert Source("scene", 0, world).name != Source("scene", 0).name == "scene"
    assert Source("object", 0, world).name == "object"


def test_pictures_that_an_edit_leaves_are_copied(drawn, tmp_path):
    """Only pictures with a bed in the shipped world are drawn again where there is none."""
    world = read_world().scale_frequency("bed", 0)
    training.train("scene", _TINY, tmp_path, tmp_path, keep_pictures=True)
    drawn.clear()
    training.train("scene", _TINY, tmp_path, tmp_path, keep_pictures=True, name="bare", world=world)
    contents = {i: read_world().draw_contents("bedroom", i) for i in (10_000_000, 10_000_024, 20_000_000)}
    assert sorted(drawn) == sorted(i for i, names in contents.items() if "bed" in names)
    plain, bare = (Source("scene", 0, one).name for one in (read_world(), world))
    for group in range(3):
        before, now = (np.load(tmp_path / f"pictures/{name}_16_{group:05d}.npy") for name in (plain, bare))
        assert np.array_equal(before, now)  # made-up pictures depend on their seed alone


def test_a_source_renders_its_world():
    bare = read_world().scale_frequency("bed", 0)
    seed = next(s for s in range(0, 240, 24) if "bed" in read_world().draw_contents("bedroom", s))
    now, before = (Source("scene", 0, world).render(seed) for world in (bare, read_world()))
    assert (now[0] != before[0]).any()
    assert np.array_equal(before[0], compose_scene("bedroom", seed).image)


def test_edits_are_read_from_the_command_line(drawn, tmp_path, monkeypatch):
    worlds = []
    monkeypatch.setattr(training, "train", lambda *words, world, **others: worlds.append((words[0], world)))
    edits = '[["tell_by", "colour", false]]'
    training.main(["setting", "light", "--edits", edits])
    training.main(["scene"])
    told = read_world().tell_by("colour", objects=False)
    assert worlds == [("setting", told), ("light", told), ("scene", read_world())]
    with pytest.raises(SceneLensError, match="no edits of a world"):
        training.main(["scene", "--edits", "bed"])
    with pytest.raises(SystemExit):
        training.main(["scene", "light", "--name", "both"])


def test_leaving_early_waits_for_no_picture_that_is_not_begun():
    """200 jobs of a tenth of a second would take ten seconds with two processes."""
    waiting = []

    def leave(pool):
        waiting.extend(pool.submit(time.sleep, 0.1) for _ in range(200))
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt), workers.render_pool(2) as pool:
        leave(pool)
    assert sum(one.cancelled() for one in waiting) > 100


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_stop_button_reaches_the_processes_and_they_leave_it_to_the_first():
    with workers.render_pool(1) as pool:
        number = pool.submit(os.getpid).result()
        os.kill(number, signal.SIGINT)
        assert pool.submit(os.getpid).result() == number
