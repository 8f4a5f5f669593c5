"""The annotated images on disk: complete, readable, resumed after a stop, replaced by new code."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from scenelens.annotations.sun import AnnotatedImages
from scenelens.errors import SceneLensError
from scenelens.files import Drafts
from scenelens.sceneworld import dataset
from scenelens.sceneworld.dataset import ensure_world
from scenelens.sceneworld.materials import MATERIAL_NAMES
from scenelens.sceneworld.scenes import compose_scene
from scenelens.sceneworld.studio import render_object
from tests.torture import world as torture_world

FIRST = "scene/bedroom/bedroom_0000"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return ensure_world(tmp_path_factory.mktemp("world"), n_scenes=26, n_objects=4, workers=1)


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_layout_and_the_numbers(world):
    assert len(list((world / "Images/scene").rglob("*.jpg"))) == 26
    assert len(list((world / "Images/object").rglob("*.jpg"))) == 4
    names = {path.name for path in (world / "Images/scene/bedroom").iterdir()}
    assert names == {
        "bedroom_0000.jpg",
        "bedroom_0001.jpg",
    }
    assert json.loads((world / "sceneworld.json").read_text())["finished"]


def test_the_images_are_the_worlds(world):
    image = cv2.imread(str(world / "Images" / f"{FIRST}.jpg"))[:, :, ::-1].astype(int)
    assert abs(image - compose_scene("bedroom", 0).image).mean() < 4  # the loss of JPEG


def test_masks_read_back_are_the_renderers(world):
    found = AnnotatedImages(world)
    assert len(found) == 30
    for image in sorted(
        image for image in found if image.endswith("_0000.jpg") and image.startswith("scene")
    )[:5]:
        category = found.scene(image)
        picture = compose_scene(category, dataset.scene_categories().index(category)).picture
        masks, truth = found.masks(image), picture.masks() | picture.region_masks()
        truth = {
            name.replace("_", " "): mask for name, mask in truth.items()
        }  # as every reader of SUN has it
        for name, mask in truth.items():
            if mask.sum() > 150:
                assert (masks[name] & mask).sum() / (masks[name] | mask).sum() > 0.85, (image, name)
        assert set(masks) <= set(truth)


def test_parts_and_materials_are_written_too(world):
    found, picture = AnnotatedImages(world), compose_scene("bedroom", 0).picture
    assert {"objects", "parts", "materials"} <= set(found.kinds)
    materials = found.label_map(f"{FIRST}.jpg", "materials").masks()
    truth = picture.material_masks()
    assert {name for name, mask in materials.items() if mask.any()} == set(truth)
    assert all((materials[name] == mask).all() for name, mask in truth.items())
    assert set(truth) <= set(MATERIAL_NAMES)
    parts = found.label_map(f"{FIRST}.jpg", "parts").masks()
    for i, (thing, part) in enumerate(picture.parts):
        assert (
            not (picture.part_ids == i).any() or (parts[f"{thing}: {part}"] == (picture.part_ids == i)).all()
        )


def test_object_centric_images_are_filed_under_their_class(world):
    image = next(iter(sorted((world / "Images/object").rglob("*.jpg"))))
    name = image.parent.relative_to(world / "Images/object").as_posix()
    assert name in dataset.object_classes()
    _, masks = render_object(name, dataset.object_classes().index(name))
    found = AnnotatedImages(world).masks(image.relative_to(world / "Images").as_posix())
    assert {name.replace("_", " ") for name in masks} <= set(found)


def test_the_number_of_processes_changes_nothing(world, tmp_path):
    other = ensure_world(tmp_path / "two", n_scenes=26, n_objects=4, workers=2)
    assert contents(other) == contents(world)


def test_finished_images_are_left_alone(world, monkeypatch):
    monkeypatch.setattr(dataset, "_render_all", lambda *_: pytest.fail("rendered again"))
    ensure_world(world, n_scenes=26, n_objects=4)


def test_a_stopped_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    whole = contents(ensure_world(tmp_path / "whole", n_scenes=6, n_objects=0, workers=1))
    render, root, made = dataset._render, tmp_path / "stopped", []

    def stops(folder, job):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(job.image)
        return render(folder, job)

    monkeypatch.setattr(dataset, "_render", stops)
    with pytest.raises(KeyboardInterrupt):
        ensure_world(root, n_scenes=6, n_objects=0, workers=1)
    assert not json.loads((root / "sceneworld.json").read_text())["finished"]
    monkeypatch.setattr(dataset, "_render", lambda folder, job: made.append(job.image) or render(folder, job))
    ensure_world(root, n_scenes=6, n_objects=0, workers=1)
    assert len(made) == len(set(made)) == 6
    assert contents(root) == whole


def test_images_of_another_world_are_replaced(tmp_path, monkeypatch, capsys):
    root = ensure_world(tmp_path, n_scenes=2, n_objects=0, workers=1)
    stale = root / "Images/scene/bedroom/bedroom_0000.jpg"
    fresh = stale.read_bytes()
    stale.write_bytes(b"old")
    monkeypatch.setattr(dataset, "_source_key", lambda: "another")
    monkeypatch.setattr(dataset, "_code_key", lambda: "world")
    ensure_world(root, n_scenes=2, n_objects=0, workers=1)
    assert stale.read_bytes() == fresh
    assert "rendered again" in capsys.readouterr().out


def test_a_changed_comment_replaces_nothing(tmp_path, monkeypatch):
    root = ensure_world(tmp_path, n_scenes=1, n_objects=0, workers=1)
    monkeypatch.setattr(dataset, "_source_key", lambda: "same code, other comments")
    monkeypatch.setattr(dataset, "_render_all", lambda *_: pytest.fail("rendered again"))
    ensure_world(root, n_scenes=1, n_objects=0, workers=1)


@pytest.mark.parametrize("code", sorted(dataset.SAME_PICTURES))
def test_images_of_a_version_that_drew_the_same_are_used_again(tmp_path, monkeypatch, code):
    root = ensure_world(tmp_path, n_scenes=1, n_objects=0, workers=1)
    path = root / "sceneworld.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"code": code, "source": "of that version"}))
    images = contents(root)
    del images[path.relative_to(root)]
    monkeypatch.setattr(dataset, "_render_all", lambda *_: pytest.fail("rendered again"))
    ensure_world(root, n_scenes=1, n_objects=0)
    assert json.loads(path.read_text())["code"] == code  # the version that drew the images
    assert json.loads(path.read_text())["source"] == dataset._source_key()
    assert {name: data for name, data in contents(root).items() if name != path.relative_to(root)} == images


def test_images_of_a_version_that_drew_others_are_not(tmp_path):
    root = ensure_world(tmp_path, n_scenes=1, n_objects=0, workers=1)
    path, stale = root / "sceneworld.json", root / "Images/scene/bedroom/bedroom_0000.jpg"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"code": "0" * 16, "source": "of that version"})
    )
    fresh = stale.read_bytes()
    stale.write_bytes(b"old")
    ensure_world(root, n_scenes=1, n_objects=0, workers=1)
    assert stale.read_bytes() == fresh
    assert json.loads(path.read_text())["code"] == dataset._code_key()


def test_code_changes_the_key_and_comments_do_not():
    same = dataset._without_words('def f():\n    """Say."""\n    return 1  # why\n')
    assert same == dataset._without_words("def f():\n    return 1\n")
    assert same != dataset._without_words("def f():\n    return 2\n")


def test_the_key_is_the_same_in_every_version_of_python():
    nothing = "posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]"
    function = f"FunctionDef(name='f', args=arguments({nothing}), body=[Pass()], decorator_list=[])"
    kept = f"ClassDef(name='A', bases=[], keywords=[], body=[{function}], decorator_list=[])"
    found = dataset._without_words("class A:\n    def f():\n        pass\n")
    assert found == f"Module(body=[{kept}], type_ignores=[])"


def test_numbers_of_the_table_change_the_key_and_its_comments_do_not():
    same = dataset._meaning('# why\nbed = "94%"\n', ".toml")
    assert same == dataset._meaning('bed = "94%"\n', ".toml")
    assert same != dataset._meaning('bed = "93%"\n', ".toml")
    assert dataset._meaning("a = 1\nb = 2\n", ".toml") != dataset._meaning("b = 2\na = 1\n", ".toml")


def test_fewer_images_leave_none_over(tmp_path):
    ensure_world(tmp_path, n_scenes=3, n_objects=0, workers=1)
    ensure_world(tmp_path, n_scenes=1, n_objects=0, workers=1)
    assert len(list(tmp_path.rglob("*.jpg"))) == 1


def test_a_folder_with_other_images_is_refused(tmp_path):
    (tmp_path / "Images").mkdir()
    (tmp_path / "Images/holiday.jpg").write_bytes(b"mine")
    with pytest.raises(SceneLensError, match="choose another folder"):
        ensure_world(tmp_path, n_scenes=1, n_objects=0)
    assert (tmp_path / "Images/holiday.jpg").read_bytes() == b"mine"


def test_a_world_that_another_process_just_began_is_no_foreign_folder(tmp_path, monkeypatch):
    """There was no state when this process looked for it, and there are files when it looks for these."""
    state = {"made": {"n_scenes": 1, "n_objects": 1, "seed": 0}, "code": dataset._code_key()}
    look = dataset.check_folder_is_free

    def begun_meanwhile(root):
        dataset._write_state(root, state, finished=False)
        (root / "Labels").mkdir(exist_ok=True)
        (root / "Labels" / "materials.json").write_text("{}")
        look(root)

    monkeypatch.setattr(dataset, "check_folder_is_free", begun_meanwhile)
    assert dataset._read_state(tmp_path) == {**state, "finished": False}


def test_a_seed_out_of_range_is_refused(tmp_path):
    with pytest.raises(SceneLensError, match="0 to 9"):
        ensure_world(tmp_path, seed=10)


def test_shown_images_were_never_trained_on():
    from scenelens.sceneworld.training import HELD_OUT_SEEDS, TRAIN_SEEDS

    seeds = [job.seed for seed in (0, 9) for job in dataset._jobs(2000, 2000, seed)]
    assert max(seeds) < min(TRAIN_SEEDS, HELD_OUT_SEEDS)


def test_every_pixel_of_the_labels_has_a_code(world):
    codes = cv2.imread(str(world / "Labels" / f"{FIRST}_parts.png"), cv2.IMREAD_UNCHANGED)
    legend = json.loads((world / "Labels/parts.json").read_text())
    assert set(np.unique(codes)) - {0} <= {int(code) for code in legend}


def own(root, **files):
    """Write files of a reader's own, and return their contents."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return files


@pytest.mark.parametrize(
    "names",
    [
        ("Annotations/scene/mine.xml", "Labels/parts.json"),
        ("Labels/legend.json",),
        ("Annotations/scene/bedroom/bedroom_0000.xml",),
        ("Labels/object/lamp/mine_parts.png", "Labels/mine.json"),
        ("Images/scene/.hidden/mine.jpg",),
        ("Images",),
    ],
)
def test_a_folder_with_files_of_a_readers_own_is_refused(tmp_path, names):
    files = own(tmp_path, **dict.fromkeys(names, b"mine"))
    with pytest.raises(SceneLensError, match="did not write"):
        ensure_world(tmp_path, n_scenes=1, n_objects=1, workers=1)
    assert {name: (tmp_path / name).read_bytes() for name in files} == files


def test_a_link_to_a_readers_folder_is_refused(tmp_path):
    files = own(tmp_path, **{"photos/mine.xml": b"mine"})
    (tmp_path / "root").mkdir()
    (tmp_path / "root/Annotations").symlink_to(tmp_path / "photos")
    with pytest.raises(SceneLensError, match="did not write"):
        ensure_world(tmp_path / "root", n_scenes=1, n_objects=0, workers=1)
    assert (tmp_path / "photos/mine.xml").read_bytes() == files["photos/mine.xml"]


@pytest.mark.parametrize(
    "state", [b"[]", b"{}", b'{"made": {"n_scenes": 1}}', b'{"made": 3, "code": "x"}', b"["]
)
def test_a_state_of_another_origin_is_refused(tmp_path, state):
    own(tmp_path, **{"sceneworld.json": state, "Labels/mine.json": b"mine"})
    with pytest.raises(SceneLensError, match="is not SceneWorld's"):
        ensure_world(tmp_path, n_scenes=1, n_objects=0, workers=1)
    assert (tmp_path / "Labels/mine.json").read_bytes() == b"mine"


def test_what_a_reader_adds_to_a_world_or_changes_in_it_is_never_deleted(tmp_path, capsys):
    root = ensure_world(tmp_path, n_scenes=2, n_objects=0, workers=1)
    added = own(
        root,
        **{
            "Images/scene/bedroom/mine.jpg": b"1",
            "Annotations/scene/mine.xml": b"2",
            "Labels/mine.json": b"3",
            "Annotations/scene/bathroom/bathroom_0000.xml": b"a file that a larger world will have",
        },
    )
    corrected = root / "Annotations/scene/bedroom/bedroom_0000.xml"
    corrected.write_bytes(b"corrected")
    ensure_world(root, n_scenes=len(dataset.scene_categories()), n_objects=0, workers=1)
    assert (root / "changed/Annotations/scene/bedroom/bedroom_0000.xml").read_bytes() == b"corrected"
    moved = "Annotations/scene/bathroom/bathroom_0000.xml"
    assert (root / "changed" / moved).read_bytes() == added.pop(moved)
    assert {name: (root / name).read_bytes() for name in added} == added
    assert "2 files there were not as SceneWorld wrote them" in capsys.readouterr().out
    assert b"bedroom" in corrected.read_bytes()


def test_a_world_of_an_earlier_version_has_no_record_and_goes_by_time(tmp_path):
    root = ensure_world(tmp_path, n_scenes=2, n_objects=0, workers=1)
    (root / "sceneworld-files.json").unlink()
    corrected = root / "Annotations/scene/bedroom/bedroom_0000.xml"
    corrected.write_bytes(b"corrected")
    later = (root / "sceneworld.json").stat().st_mtime + 60
    os.utime(corrected, (later, later))
    ensure_world(root, n_scenes=1, n_objects=0, workers=1)
    aside = [path.relative_to(root / "changed") for path in (root / "changed").rglob("*") if path.is_file()]
    assert aside == [corrected.relative_to(root)]


def test_leftovers_of_a_killed_process_are_swept(tmp_path):
    root = ensure_world(tmp_path / "world", n_scenes=1, n_objects=0, workers=1)
    state = json.loads((root / "sceneworld.json").read_text())
    (root / "sceneworld.json").write_text(json.dumps(state | {"finished": False}))
    drafts = own(
        root,
        **{
            "Images/scene/bedroom/.bedroom_0000.jpg.123": b"",
            "Labels/.parts.json.host.1.2": b"",
            ".sceneworld.json.7": b"",
        },
    )
    mine = own(root, **{"Images/scene/bedroom/.mine.jpg.123": b"", "Labels/.notes": b""})
    ensure_world(root, n_scenes=1, n_objects=0, workers=1)
    assert not any((root / name).exists() for name in drafts)
    assert all((root / name).exists() for name in mine)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("moved", [False, True], ids=["before its file is moved", "after it"])
def test_a_process_killed_at_any_of_its_files_leaves_nothing(tmp_path, monkeypatch, moved):
    """A child ends at its first file, at its second, and so on; the next run makes the same world."""
    monkeypatch.setattr(dataset, "_picture", torture_world._picture)  # blocks, drawn in no time
    right = contents(torture_world.render(tmp_path / "right"))
    move, ended = Drafts.move, 0
    while True:
        root, child = tmp_path / str(ended), os.fork()
        if not child:
            left = ended

            def ends(*paths):
                nonlocal left
                if not left and not moved:
                    os._exit(9)
                move(*paths)
                if not left:
                    os._exit(9)
                left -= 1

            monkeypatch.setattr(Drafts, "move", staticmethod(ends))
            torture_world.render(root)
            os._exit(0)
        if not os.waitpid(child, 0)[1]:
            break
        ended += 1
        assert contents(torture_world.render(root)) == right, f"ended at file {ended}"
    assert ended > len([name for name in right if name.suffix == ".jpg"]) * 4


@pytest.mark.parametrize("numbers", [{"n_scenes": -1}, {"n_objects": 10**12}])
def test_numbers_out_of_range_are_refused(tmp_path, numbers):
    with pytest.raises(SceneLensError, match="is not within 0 to 1,000,000"):
        ensure_world(tmp_path, **numbers)


def test_a_root_that_cannot_be_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SceneLensError, match="choose another folder"):
            ensure_world(root, n_scenes=1, n_objects=0)


RENDER = """
import sys, time
from scenelens.sceneworld import dataset
render = dataset._render
def slowly(root, job):
    time.sleep({delay})
    return render(root, job)
dataset._render = slowly
dataset.ensure_world(sys.argv[1], n_scenes=26, n_objects=4, workers={workers})
"""


def start(root, delay, workers):
    code = RENDER.format(delay=delay, workers=workers)
    return subprocess.Popen([sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE, text=True)


def test_two_processes_render_one_world_and_one_of_them_writes(world, tmp_path):
    both = [start(tmp_path / "two", 0.05, 1) for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("waiting for it" in one for one in said) == 1
    assert contents(tmp_path / "two") == contents(world)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_with_a_killed_parent_and_the_next_run_goes_on(world, tmp_path):
    process = start(tmp_path / "killed", 0.1, 2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    assert wait_for(lambda: list((tmp_path / "killed").rglob("*_parts.png")), 60)
    workers = [int(pid) for pid in children.read_text().split()]
    assert len(workers) == 2
    process.kill()
    process.communicate()
    assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 10)
    ensure_world(tmp_path / "killed", n_scenes=26, n_objects=4, workers=1)
    assert contents(tmp_path / "killed") == contents(world)


def wait_for(found, seconds):
    end = time.monotonic() + seconds
    while not found() and time.monotonic() < end:
        time.sleep(0.05)
    return found()
