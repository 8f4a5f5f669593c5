"""The SUN layout: painting, writing and reading back, a folder of annotated photographs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scenelens.annotations.interface import Annotations
from scenelens.annotations.labelme import parse_annotation
from scenelens.annotations.outlined import AnnotatedObject, Annotation, rasterise
from scenelens.annotations.polygons import mask_to_polygons
from scenelens.annotations.sun import (
    AnnotatedImages,
    _parsed,
    write_annotation,
    write_label_map,
    write_legend,
)
from scenelens.errors import SceneLensError
from scenelens.images import ImageFrame, load_image
from tests.masks import jaccard

H, W = 40, 60


def square(top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def thing(name: str, mask: np.ndarray, **more) -> AnnotatedObject:
    return AnnotatedObject(name, tuple(mask_to_polygons(mask)), **more)


ROOM = {"wall": np.ones((H, W), bool), "bed": square(10, 10, 20), "pillow": square(12, 12, 5)}


@pytest.fixture
def world(tmp_path) -> Path:
    """Two photographs of a bedroom with the same room, one unannotated, and one lone annotation."""
    for name in ("one", "two", "three"):
        path = tmp_path / f"Images/b/bedroom/{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (W, H)).save(path)
    for name in ("one", "two", "lone"):
        objects = [thing(key, mask) for key, mask in ROOM.items()]
        write_annotation(
            tmp_path / f"Annotations/b/bedroom/{name}.xml", f"{name}.jpg", "b/bedroom", (H, W), objects
        )
    return tmp_path


def test_visible_pixels_and_whole_outlines():
    annotation = Annotation("a.jpg", "", (H, W), tuple(thing(k, m) for k, m in reversed(ROOM.items())))
    visible, whole = rasterise(annotation), rasterise(annotation, visible=False)
    assert {name: mask.sum() for name, mask in visible.items()} == {"pillow": 25, "bed": 375, "wall": 2000}
    assert {name: mask.sum() for name, mask in whole.items()} == {"pillow": 25, "bed": 400, "wall": 2400}


def test_masks_of_another_size_and_without_a_size():
    annotation = Annotation("a.jpg", "", (H, W), (thing("bed", ROOM["bed"]),))
    assert rasterise(annotation, (2 * H, 2 * W))["bed"].sum() == 1600
    with pytest.raises(SceneLensError, match="drawn_on"):
        rasterise(Annotation("a.jpg", "", None, ()))


def test_round_trip_through_xml(tmp_path):
    blob = np.hypot(*np.mgrid[-20:20, -30:30]) < 15
    blob[18:22, 28:32] = False
    pieces = square(0, 0, 6) | square(20, 40, 9)
    objects = [
        thing("rug & mat", blob),
        thing("car", pieces, instance=7, attributes="red"),
        thing("wheel", square(22, 42, 3), part_of=7),
    ]
    write_annotation(tmp_path / "a.xml", "a.jpg", "b/bedroom", (H, W), objects)
    annotation = parse_annotation(tmp_path / "a.xml")
    assert annotation.report == ()
    assert (annotation.size, annotation.folder) == ((H, W), "b/bedroom")
    assert [one.instance for one in annotation.objects if one.name == "car"] == [7, 7]
    assert annotation.objects[1].attributes == "red"
    assert annotation.objects[-1].part_of == 7
    masks = rasterise(annotation, visible=False)
    assert jaccard(masks["rug & mat"], blob) > 0.95
    assert jaccard(masks["car"], pieces) == 1
    assert "wheel" not in masks


def test_a_folder_of_annotated_photographs(world):
    annotated = AnnotatedImages(world)
    assert isinstance(annotated, Annotations)
    assert list(annotated) == annotated.images == ["b/bedroom/one.jpg", "b/bedroom/two.jpg"]
    assert len(annotated) == 2
    assert annotated.scene("b/bedroom/one.jpg") == "bedroom"
    assert annotated.size("b/bedroom/one.jpg") == (H, W)
    masks = annotated.masks("b/bedroom/two.jpg")
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {"bed": 375, "pillow": 25, "wall": 2000}
    assert annotated.masks("b/bedroom/two.jpg", (10, 20))["wall"].shape == (10, 20)


def test_the_table_of_objects_and_the_report(world):
    annotated = AnnotatedImages(world)
    table = annotated.objects()
    assert table.columns.tolist() == ["image", "category", "object", "instance", "area", "share"]
    assert table[table.image == "b/bedroom/one.jpg"].set_index("object")["area"].to_dict() == {
        "wall": 2000,
        "bed": 375,
        "pillow": 25,
    }
    assert table.groupby("image")["share"].sum().tolist() == pytest.approx([1, 1])
    assert sorted(annotated.report()["kind"]) == ["no photograph", "not annotated"]


def test_pieces_of_one_instance_are_one_row(world):
    pair = [thing("chair", square(0, 0, 4) | square(9, 9, 4), instance=5), thing("chair", square(30, 30, 4))]
    write_annotation(world / "Annotations/b/bedroom/one.xml", "one.jpg", "b/bedroom", (H, W), pair)
    table = AnnotatedImages(world).objects().query("image == 'b/bedroom/one.jpg'")
    assert table["area"].tolist() == [32, 16]


def test_the_table_is_cached_until_an_annotation_changes(world, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    first = AnnotatedImages(world, cache).objects()
    with monkeypatch.context() as patch:
        patch.setattr("scenelens.annotations.sun.parse_annotation", lambda path: pytest.fail("read again"))
        again = AnnotatedImages(world, cache)
        assert again.objects().equals(first)
        assert len(again.report()) == 2
    write_annotation(
        world / "Annotations/b/bedroom/one.xml", "one.jpg", "", (H, W), [thing("bed", ROOM["bed"])]
    )
    assert len(AnnotatedImages(world, cache).objects()) == 4
    next(cache.glob("*.json")).write_text("[")
    assert len(AnnotatedImages(world, cache).objects()) == 4


def test_a_copied_folder_is_not_read_again(world, tmp_path, monkeypatch):
    """Its files have other time stamps; its report names its own files."""
    cache, copy = tmp_path / "cache", tmp_path / "copy"
    first = AnnotatedImages(world, cache).objects()
    for name in ("Images", "Annotations"):
        shutil.copytree(world / name, copy / name)
    for path in copy.rglob("*.*"):
        os.utime(path, (1, 1))
    monkeypatch.setattr("scenelens.annotations.sun.parse_annotation", lambda path: pytest.fail("read again"))
    copied = AnnotatedImages(copy, cache)
    pd.testing.assert_frame_equal(copied.objects(), first)
    assert copied.report().kind.tolist() == ["not annotated", "no photograph"]
    assert all(detail.startswith(str(copy)) for detail in copied.report().detail)


def test_another_content_counts_under_the_same_time_stamp(world, tmp_path):
    """An annotation of the same length, and a photograph of another size: outlines are drawn at its size."""
    cache = tmp_path / "cache"
    first = AnnotatedImages(world, cache).objects()
    path = world / "Annotations/b/bedroom/one.xml"
    stamp = path.stat().st_mtime_ns
    path.write_text(path.read_text().replace(">bed<", ">cot<"))
    os.utime(path, ns=(stamp, stamp))
    _parsed.cache_clear()  # as in another process
    assert set(AnnotatedImages(world, cache).objects().object) == set(first.object) | {"cot"}
    path = world / "Images/b/bedroom/one.jpg"
    Image.new("RGB", (2 * W, 2 * H)).save(path)
    assert AnnotatedImages(world, cache).objects().area.sum() == (4 + 1) * H * W


def test_a_photograph_that_leads_nowhere_is_reported(world, tmp_path):
    path = world / "Images/b/bedroom/one.jpg"
    path.unlink()
    path.symlink_to(tmp_path / "gone.jpg")
    report = AnnotatedImages(world, tmp_path / "cache").report().set_index("kind")
    assert report.image["unreadable"] == "b/bedroom/one.jpg"


def test_a_damaged_table_is_made_again(world, tmp_path):
    cache = tmp_path / "cache"
    first = AnnotatedImages(world, cache).objects()
    (kept,) = cache.glob("objects-*.json")
    content = kept.read_bytes()
    kept.write_bytes(content[:40])
    pd.testing.assert_frame_equal(AnnotatedImages(world, cache).objects(), first)
    assert kept.read_bytes() == content


def test_a_table_cached_by_time_stamps_is_used(world, tmp_path, monkeypatch):
    """As it was written before content was the key, with the notes of the folder in its report."""
    cache = tmp_path / "cache"
    annotated = AnnotatedImages(world, cache)
    objects, report = annotated.objects(), annotated.report()
    (kept,) = cache.glob("objects-*.json")
    content = kept.read_bytes()
    kept.unlink()
    listing = []
    for name in ("one", "two"):
        stat = (world / f"Annotations/b/bedroom/{name}.xml").stat()
        listing.append((f"b/bedroom/{name}.jpg", stat.st_size, stat.st_mtime_ns))
    key = hashlib.sha256(repr(("AnnotatedImages", 1, listing)).encode()).hexdigest()[:16]
    tables = [table.to_dict("split", index=False) for table in (objects, report)]
    (cache / f"objects-{key}.json").write_text(json.dumps(tables))
    monkeypatch.setattr("scenelens.annotations.sun.parse_annotation", lambda path: pytest.fail("read again"))
    again = AnnotatedImages(world, cache)
    pd.testing.assert_frame_equal(again.objects(), objects)
    pd.testing.assert_frame_equal(again.report(), report)
    assert kept.read_bytes() == content


def test_a_broken_annotation_is_named_and_the_others_counted(world):
    (world / "Annotations/b/bedroom/one.xml").write_text("<annotation><obj")
    annotated = AnnotatedImages(world)
    assert annotated.objects()["image"].unique().tolist() == ["b/bedroom/two.jpg"]
    report = annotated.report().set_index("kind")
    assert "one.xml" in report.loc["unreadable", "detail"]
    with pytest.raises(SceneLensError, match=r"one\.xml"):
        annotated.masks("b/bedroom/one.jpg")


def test_many_annotations_say_how_long_they_take(world, capsys):
    xml = (world / "Annotations/b/bedroom/one.xml").read_text()
    for k in range(100):
        Image.new("RGB", (W, H)).save(world / f"Images/b/bedroom/{k}.jpg")
        (world / f"Annotations/b/bedroom/{k}.xml").write_text(xml)
    assert len(AnnotatedImages(world).objects()) == 306
    assert "Reading 102 annotations takes about" in capsys.readouterr().out


def test_label_maps_from_files(world):
    codes = np.zeros((H, W), int)
    codes[:5], codes[5:9] = 300, 2
    write_label_map(world, "b/bedroom/one.jpg", "materials", codes)
    write_legend(world, "materials", {2: "wood", 300: "cloth", 4: "stone"})
    annotated = AnnotatedImages(world)
    assert annotated.kinds == ("objects", "parts", "materials")
    found = annotated.label_map("b/bedroom/one.jpg", "materials")
    assert (found.codes == codes).all()
    assert {name: int(mask.sum()) for name, mask in found.masks().items()} == {"wood": 240, "cloth": 300}
    assert annotated.label_map("b/bedroom/one.jpg", "materials", (8, 12)).codes.shape == (8, 12)
    with pytest.raises(SceneLensError, match=r"no image .*two_materials\.png"):
        annotated.label_map("b/bedroom/two.jpg", "materials")


def test_parts_from_polygons(world):
    objects = [thing("car", square(5, 5, 20), instance=1), thing("wheel", square(18, 8, 5), part_of=1)]
    write_annotation(world / "Annotations/b/bedroom/one.xml", "one.jpg", "", (H, W), objects)
    annotated = AnnotatedImages(world)
    assert annotated.masks("b/bedroom/one.jpg")["car"].sum() == 400
    assert annotated.label_map("b/bedroom/one.jpg", "parts").masks()["wheel"].sum() == 25


def test_refusals(world, tmp_path):
    annotated = AnnotatedImages(world)
    with pytest.raises(SceneLensError, match=r"close names: b/bedroom/one.jpg"):
        annotated.masks("b/bedroom/on.jpg")
    with pytest.raises(SceneLensError, match="close names: parts"):
        annotated.label_map("b/bedroom/one.jpg", "part")
    with pytest.raises(SceneLensError, match="nowhere"):
        AnnotatedImages(tmp_path / "nowhere")
    with pytest.raises(SceneLensError, match="65535"):
        write_label_map(world, "a.jpg", "parts", np.array([[-1]]))
    (world / "Labels").mkdir()
    (world / "Labels/parts.json").write_text('["leg"]')
    with pytest.raises(SceneLensError, match=r"parts\.json is not a legend"):
        AnnotatedImages(world).label_map("b/bedroom/one.jpg", "parts")


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_a_legend_with_a_byte_order_mark(world, codec):
    annotated = AnnotatedImages(world)
    write_label_map(world, annotated.images[0], "parts", np.ones(annotated.size(annotated.images[0]), int))
    (world / "Labels/parts.json").write_bytes('{"1": "jambe à gauche"}'.encode(codec))
    assert list(annotated.label_map(annotated.images[0], "parts").masks()) == ["jambe à gauche"]


def test_photographs_without_any_annotation(tmp_path):
    (tmp_path / "Images").mkdir()
    Image.new("RGB", (5, 5)).save(tmp_path / "Images/a.png")
    with pytest.raises(SceneLensError, match="contains no annotation"):
        AnnotatedImages(tmp_path)


def test_a_full_disk_leaves_the_old_annotation(world, monkeypatch):
    path = world / "Annotations/b/bedroom/one.xml"
    before = path.read_bytes()
    monkeypatch.setattr(
        "os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(SceneLensError, match=r"one\.xml cannot be written"):
        write_annotation(path, "one.jpg", "", (H, W), [])
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 3


def test_a_real_street(real):
    with Image.open(real / "labelme/example.jpg") as photograph:
        size = (photograph.height, photograph.width)
    masks = rasterise(parse_annotation(real / "labelme/example.xml").drawn_on(size))
    total = sum(mask.astype(int) for mask in masks.values())
    assert total.max() == 1
    assert total.mean() > 0.95
    assert masks["road"].mean() == pytest.approx(0.2565, abs=0.01)
    assert masks["car"][470, 500]  # the door of the dark car in front


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("stated", ["stored", "shown", "half of stored", "none"])
def test_outlines_turn_with_the_photograph(tmp_path, orientation, stated):
    exif = Image.Exif()
    exif[0x0112] = orientation
    mask = square(4, 10, 16)
    path = tmp_path / "Images/b/one.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(np.repeat(255 * mask[..., None].astype(np.uint8), 3, 2)).save(path, exif=exif)
    shown = load_image(path)[..., 0] > 0
    drawn = {"shown": shown, "half of stored": mask[::2, ::2]}.get(stated, mask)
    if stated == "shown" and orientation < 5:
        drawn = mask  # both have one size, so this counts as the stored pixels
    outlined = shown if stated == "none" else drawn
    xml = tmp_path / "Annotations/b/one.xml"
    write_annotation(xml, "one.png", "b", outlined.shape, [thing("bed", outlined)])
    if stated == "none":
        xml.write_text(re.sub("<nrows>[0-9]+", "<nrows>", xml.read_text()))
    write_label_map(tmp_path, "b/one.png", "parts", drawn)
    write_legend(tmp_path, "parts", {1: "pillow"})
    found = AnnotatedImages(tmp_path)
    assert found.size("b/one.png") == shown.shape
    np.testing.assert_array_equal(found.masks("b/one.png")["bed"], shown)
    np.testing.assert_array_equal(found.label_map("b/one.png", "parts").masks()["pillow"], shown)
    said = "turned" in found.report().kind.tolist()
    # By 7 and 8 the outline comes to lie where only the photograph as shown has pixels.
    assert said == (orientation in (2, 3, 4) or (orientation in (5, 6) and stated == "none"))


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_outlines_without_a_size_belong_to_the_only_pixels_that_they_fit(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name, wide in (("stored", True), ("shown", False)):
        drawn = np.zeros((20, 40) if wide else (40, 20), bool)
        drawn[15:19, 30:38] = wide
        drawn[30:38, 3:9] = not wide
        path = tmp_path / f"Images/b/{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 20)).save(path, exif=exif)
        write_annotation(
            tmp_path / f"Annotations/b/{name}.xml", path.name, "b", (1, 1), [thing("bed", drawn)]
        )
        xml = tmp_path / f"Annotations/b/{name}.xml"
        xml.write_text(re.sub("<imagesize>.*</imagesize>", "", xml.read_text()))
        found = AnnotatedImages(tmp_path)
        expected = ImageFrame((20, 40), orientation).turned(drawn) if wide else drawn
        np.testing.assert_array_equal(found.masks(f"b/{name}.png")["bed"], expected)
    assert "turned" not in found.report().kind.tolist()


def test_a_tag_that_is_changed_makes_the_table_anew(tmp_path):
    """A photograph that is turned by another tag has as many bytes, and perhaps the same size."""
    path = tmp_path / "Images/b/a.png"
    path.parent.mkdir(parents=True)
    drawn = np.zeros((40, 20), bool)
    drawn[25:, :] = True

    def areas(orientation: int) -> list[int]:
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.new("L", (40, 20)).save(path, exif=exif)
        return AnnotatedImages(tmp_path, tmp_path / "cache").objects().area.tolist()

    write_annotation(tmp_path / "Annotations/b/a.xml", "a.png", "b", (40, 20), [thing("bed", drawn)])
    first = areas(6)
    assert first == [300]
    assert areas(1) != first
    assert areas(6) == first
