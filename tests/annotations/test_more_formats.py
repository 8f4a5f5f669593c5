"""COCO, Pascal VOC, labelme's JSON, index masks and LabelMe's XML in one folder, behind one interface."""

from __future__ import annotations

import base64
import io
import json
import random
import tomllib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenelens.annotations import ANNOTATION_FORMATS
from scenelens.annotations.coco import _from_text, _run_lengths
from scenelens.annotations.interface import Annotations
from scenelens.errors import SceneLensError
from scenelens.images import ImageFrame
from scenelens.studies import STUDY_SCHEMA
from tests.labelme_xml import annotation_xml, object_xml
from tests.torture.mutate import edited_text, misplaced

H, W = 40, 60


def photograph(path: Path, orientation: int = 1, size: tuple[int, int] = (H, W)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size[::-1]).save(path, exif=exif)
    return path


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def png(path: Path, codes: np.ndarray, palette: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(codes)
    if palette:
        picture = picture.convert("L").convert("P")
        picture = Image.fromarray(codes.astype(np.uint8))
        picture.putpalette(list(np.random.default_rng(0).integers(0, 256, 768)))
    picture.save(path)
    return path


def areas(annotated: Annotations, image: str) -> dict[str, int]:
    assert isinstance(annotated, Annotations)
    found = {name: int(mask.sum()) for name, mask in annotated.masks(image).items()}
    table = annotated.objects()
    assert table[table.image == image].groupby("object")["area"].sum().to_dict() == found
    return found


def box(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[top:bottom, left:right] = True
    return mask


# ---- COCO


def coco_entry(number: int, image: int, category: int, segmentation: object, **more) -> dict:
    return {"id": number, "image_id": image, "category_id": category, "segmentation": segmentation} | more


def corners(left: float, top: float, right: float, bottom: float) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


def coco_file(*entries: dict, images: list | None = None) -> dict:
    described = [{"id": 7, "file_name": "a.jpg", "height": H, "width": W}]
    categories = [{"id": 1, "name": "bed"}, {"id": 90, "name": "potted_plant", "supercategory": "x"}]
    return {"images": images or described, "annotations": list(entries), "categories": categories}


def coco(root: Path, content: dict, **given):
    photograph(root / "images/a.jpg")
    write(root / "annotations/instances.json", content)
    return ANNOTATION_FORMATS["coco"].open(root, **given)


def test_coco_polygons_boxes_and_crowds(tmp_path):
    runs = {"size": [H, W], "counts": [0, 5 * H, H * W - 5 * H]}  # the five columns on the left
    annotated = coco(
        tmp_path,
        coco_file(
            coco_entry(1, 7, 1, [corners(10, 10, 30, 20), corners(40, 10, 50, 20)]),
            coco_entry(2, 7, 90, runs, iscrowd=1),
            coco_entry(3, 7, 1, [], bbox=[10, 30, 20, 5]),
            coco_entry(4, 7, 90, [[1, 2]]),
            coco_entry(5, 8, 1, [corners(0, 0, 5, 5)]),  # an image that is not described
            coco_entry(6, 7, 5, [corners(55, 0, 60, 5)]),  # a category that is not described
            images=[
                {"id": 7, "file_name": "a.jpg", "height": H, "width": W},
                {"id": 9, "file_name": "b.jpg", "height": H, "width": W},
            ],
        ),
    )
    assert annotated.images == ["a.jpg"]
    assert areas(annotated, "a.jpg") == {"bed": 400, "potted plant": 200, "unnamed": 25}
    np.testing.assert_array_equal(annotated.masks("a.jpg")["potted plant"], box(0, 0, 5, H))
    assert annotated.objects().groupby("object").size()["bed"] == 2
    assert sorted(annotated.report().kind) == ["box", "no area", "no name", "no photograph"]
    assert "1 images of the file" in annotated.report().detail[0]
    crowd = annotated.annotation("a.jpg").objects[1]
    assert crowd.states == ("crowd",)


def test_coco_is_read_as_its_own_tools_read_it(tmp_path):
    tools = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    entries, expected = [], []
    for number in range(12):
        points = (rng.uniform(5, 30, (5, 2)) + rng.uniform(0, 10, 2)).round(2)
        mask = tools.decode(tools.frPyObjects([points.ravel().tolist()], H, W))[..., 0] > 0
        if number % 3:
            runs = tools.encode(np.asfortranarray(mask.astype(np.uint8)))
            text = {"size": runs["size"], "counts": runs["counts"].decode()}
            plain = np.diff(np.flatnonzero(np.diff(mask.ravel("F"), prepend=~mask[0, 0], append=2)))
            counts = ([] if not mask[0, 0] else [0]) + plain.tolist()
            entries.append(
                coco_entry(number, number, 1, text if number % 3 == 1 else text | {"counts": counts})
            )
        else:
            entries.append(coco_entry(number, number, 1, [points.ravel().tolist()]))
        expected.append(mask)
        photograph(tmp_path / f"images/{number}.jpg")
    images = [{"id": k, "file_name": f"{k}.jpg", "height": H, "width": W} for k in range(12)]
    annotated = coco(tmp_path, coco_file(*entries, images=images))
    for number, mask in enumerate(expected):
        found = annotated.masks(f"{number}.jpg")["bed"]
        if number % 3:
            np.testing.assert_array_equal(found, mask)
        else:
            assert (found & mask).sum() > 0.9 * (found | mask).sum()


def test_run_lengths_agree_with_cocos_own():
    tools = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(0)
    for _ in range(60):
        height, width = (int(n) for n in rng.integers(1, 70, 2))
        mask = (rng.random((height, width)) < rng.random()).astype(np.uint8)
        runs = tools.encode(np.asfortranarray(mask))
        stated = {"size": [height, width], "counts": runs["counts"].decode()}
        read = _run_lengths(stated, (height, width))
        found = np.zeros_like(mask, bool)
        found[:, read.left : read.left + read.shape[1]] = read.mask()
        np.testing.assert_array_equal(found, mask > 0)


@pytest.mark.parametrize(
    "stated",
    [
        {"size": [H, W], "counts": [H * W + 1]},
        {"size": [H, W], "counts": [-1, H * W + 1]},
        {"size": [H, W], "counts": [2**62, 2**62, 2**62, 2**62]},
        {"size": [H, W], "counts": [1e300]},
        {"size": [H, W], "counts": [True, False]},
        {"size": [H, W], "counts": "~~~~"},
        {"size": [H, W], "counts": "oooooooooooooooooooooooooooooooo0"},
        {"size": [H, W], "counts": "o"},
        {"size": [H, W], "counts": ""},
        {"size": [H, W], "counts": []},
        {"size": [H, W], "counts": "5é"},
        {"size": [H, W], "counts": None},
        {"size": [W, H], "counts": [H * W]},
        {"size": [10**6, 10**6], "counts": [10**12]},
        {"size": [H], "counts": [H]},
        {"size": "x"},
        {},
    ],
)
def test_run_lengths_that_do_not_fit_are_rows_of_the_report(tmp_path, stated):
    assert _run_lengths(stated, (H, W)) is None
    annotated = coco(
        tmp_path, coco_file(coco_entry(1, 7, 1, stated), coco_entry(2, 7, 1, [corners(0, 0, 5, 5)]))
    )
    assert areas(annotated, "a.jpg") == {"bed": 25}
    assert annotated.report().kind.tolist() == ["bad mask", "no area"]


def test_random_texts_are_no_run_lengths_or_sound_ones():
    rng = random.Random(0)
    for _ in range(3000):
        text = "".join(chr(rng.randrange(40, 120)) for _ in range(rng.randrange(12)))
        runs = _from_text(text)
        read = _run_lengths({"size": [6, 5], "counts": text}, None)
        assert read is None or (runs is not None and read.mask().sum() == runs[1::2].sum())


def test_the_pixels_of_all_masks_of_a_photograph_are_limited(tmp_path, monkeypatch):
    small = {"size": [H, W], "counts": [0, H * 3, H * (W - 3)]}
    wide = {"size": [H, W], "counts": [0, H * W]}
    entries = [coco_entry(k, 7, 90, wide if k % 2 else small) for k in range(40)]
    monkeypatch.setattr("scenelens.annotations.file_checks._MOST_OF_MASKS", 2 * H * W)
    annotated = coco(tmp_path, coco_file(*entries))
    assert len(annotated.annotation("a.jpg").objects) == 1 + 20  # what fits is still read
    assert annotated.report().detail[0].startswith("19 objects were left out")


def test_coco_panoptic_masks(tmp_path):
    segments = [{"id": 1, "category_id": 1}, {"id": 70_000, "category_id": 1}, {"id": 300, "category_id": 90}]
    entry = {"image_id": 7, "file_name": "a.png", "segments_info": [*segments, None, {"id": -1}]}
    numbers = np.zeros((H, W), np.int32)
    numbers[:10], numbers[10:20], numbers[20:25], numbers[30:] = 1, 70_000, 300, 9
    colours = np.stack([numbers & 255, numbers >> 8 & 255, numbers >> 16], 2).astype(np.uint8)
    png(tmp_path / "annotations/instances/a.png", colours)
    annotated = coco(tmp_path, coco_file(entry), cache=tmp_path / "cache")
    assert areas(annotated, "a.jpg") == {"bed": 1200, "potted plant": 300}
    table = annotated.objects()
    assert table[table.object == "bed"].set_index("instance").area.to_dict() == {0: 600, 1: 600}
    assert annotated.report().values.tolist() == [["a.jpg", "unknown segment", "9"]]
    (tmp_path / "annotations/instances/a.png").unlink()
    assert annotated.objects().empty
    assert "a.png" in annotated.report().detail[0]


@pytest.mark.parametrize("image", ["val2017/a.jpg", "..\\..\\a.jpg", "/etc/a.jpg", "a.jpg"])
def test_coco_finds_photographs_by_path_or_name(tmp_path, image):
    content = coco_file(
        coco_entry(1, "x1", 1, [corners(0, 0, 5, 5)]), images=[{"id": "x1", "file_name": image}]
    )
    annotated = coco(tmp_path, content)
    assert annotated.images == ["a.jpg"]
    assert areas(annotated, "a.jpg") == {"bed": 25}


@pytest.mark.parametrize("image", [7, "7", 7.0])
@pytest.mark.parametrize("category", [0, "0"])
def test_coco_numbers_may_be_texts(tmp_path, image, category):
    content = coco_file(coco_entry(1, 7, 0, corners(0, 0, 5, 5)))  # one outline without a list around it
    content["images"][0]["id"] = image
    content["categories"].append({"id": category, "name": "lamp"})
    assert areas(coco(tmp_path, content), "a.jpg") == {"lamp": 25}


def test_a_coco_annotation_without_a_category_has_no_name(tmp_path):
    content = coco_file({"id": 1, "image_id": 7, "segmentation": [corners(0, 0, 5, 5)]})
    content["categories"].append({"id": 0, "name": "lamp"})
    assert areas(coco(tmp_path, content), "a.jpg") == {"unnamed": 25}


def test_a_coco_photograph_is_found_in_another_letter_case(tmp_path):
    content = coco_file(coco_entry(1, 7, 1, [corners(0, 0, 5, 5)]))
    content["images"][0]["file_name"] = "p\\A.JPG"
    assert areas(coco(tmp_path, content), "a.jpg") == {"bed": 25}
    content["images"][0]["file_name"] = "b.jpg"
    with pytest.raises(SceneLensError, match=r"describes no image of .*its first is 'b\.jpg'"):
        coco(tmp_path, content)


@pytest.mark.parametrize(("name", "key"), [("index-mask", "classes"), ("colour-mask", "colours")])
def test_masks_need_the_names_of_their_codes(tmp_path, name, key):
    photograph(tmp_path / "images/a.jpg")
    png(tmp_path / "masks/a.png", np.ones((H, W), np.uint8))
    for given in ({}, {key: {}}):
        with pytest.raises(SceneLensError, match=f"needs {key}, such as {key} = "):
            ANNOTATION_FORMATS[name].open(tmp_path, **given)


def test_cocos_other_files_are_named(tmp_path):
    captions = [{"id": 1, "image_id": 7, "caption": "A bed."}]
    with pytest.raises(SceneLensError, match="captions, which name no objects"):
        coco(tmp_path, coco_file() | {"annotations": captions})
    write(tmp_path / "annotations/captions.json", coco_file())
    assert coco(tmp_path, coco_file()).images == ["a.jpg"]
    (tmp_path / "annotations/instances.json").rename(tmp_path / "annotations/more.json")
    with pytest.raises(SceneLensError, match=r"several: captions\.json, more\.json; name one: labels"):
        ANNOTATION_FORMATS["coco"].open(tmp_path)
    chosen = ANNOTATION_FORMATS["coco"].open(tmp_path, labels=tmp_path / "annotations/more.json")
    assert chosen.images == ["a.jpg"]


def test_an_edited_coco_file_is_read_again(tmp_path):
    annotated = coco(
        tmp_path, coco_file(coco_entry(1, 7, 1, [corners(0, 0, 5, 5)])), cache=tmp_path / "cache"
    )
    assert areas(annotated, "a.jpg") == {"bed": 25}
    write(tmp_path / "annotations/instances.json", coco_file(coco_entry(1, 7, 90, [corners(0, 0, 5, 6)])))
    assert areas(annotated, "a.jpg") == {"potted plant": 30}
    assert len(list((tmp_path / "cache").glob("objects-*.json"))) == 2


# ---- labelme


def shape(kind: str | None, points: list, label: str = "bed", **more) -> dict:
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, "flags": {}} | more


def labelme(*shapes: object, image: str = "a.jpg", size: tuple[int, int] | None = (H, W)) -> dict:
    stated = {"imageHeight": size[0], "imageWidth": size[1]} if size else {}
    return {"version": "5.5.0", "flags": {}, "shapes": list(shapes), "imagePath": image} | stated


def mask_text(mask: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def test_labelme_shapes(tmp_path):
    photograph(tmp_path / "a.JPG")
    small = np.ones((4, 6), bool)
    small[1, 1] = False
    content = labelme(
        shape("polygon", [[10, 10], [30, 10], [30, 20], [10, 20]]),
        shape("rectangle", [[50, 30], [40, 20]], "lamp"),
        shape("circle", [[20, 30], [20, 36]], "plate", description="round"),
        shape("mask", [[50, 2], [55, 5]], "cat sitting", mask=mask_text(small)),
        shape("point", [[1, 1]], "dot"),
        shape("linestrip", [[1, 1], [5, 5]], "line"),
        shape(None, [[0, 0], [4, 0], [4, 4], [0, 4]], "old"),
    )
    write(tmp_path / "a.JSON", content)
    annotated = ANNOTATION_FORMATS["labelme-json"].open(tmp_path)
    found = areas(annotated, "a.JPG")
    assert found.pop("plate") == pytest.approx(np.pi * 36, abs=5)
    assert found == {"bed": 200, "lamp": 100, "cat": 23, "old": 16}
    expected = box(50, 2, 56, 6)
    expected[3, 51] = False
    np.testing.assert_array_equal(annotated.masks("a.JPG")["cat"], expected)
    np.testing.assert_array_equal(annotated.masks("a.JPG")["bed"], box(10, 10, 30, 20))
    assert annotated.report().detail.tolist() == ["shape 4 (dot): point", "shape 5 (line): linestrip"]


def test_labelme_groups_are_one_object(tmp_path):
    photograph(tmp_path / "a.jpg")
    pieces = [shape("rectangle", [[k, 0], [k + 5, 5]], group_id=g) for k, g in [(0, 3), (10, 3), (20, None)]]
    write(tmp_path / "a.json", labelme(*pieces, shape("rectangle", [[30, 0], [35, 5]], "lamp", group_id=3)))
    table = ANNOTATION_FORMATS["labelme-json"].open(tmp_path).objects()
    assert table.groupby(["object", "instance"]).area.sum().to_dict() == {
        ("bed", 0): 50,
        ("bed", 2): 25,
        ("lamp", 3): 25,
    }


def test_labelme_files_apart_from_photographs_or_of_other_names(tmp_path):
    photograph(tmp_path / "images/b/a.jpg")
    photograph(tmp_path / "images/b/c.jpg")
    square = shape("rectangle", [[0, 0], [5, 5]])
    write(tmp_path / "annotations/b/a.json", labelme(square))
    write(tmp_path / "annotations/other.json", labelme(square, image="..\\images\\b\\c.jpg"))
    write(tmp_path / "annotations/lone.json", labelme(square, image="d.jpg"))
    annotated = ANNOTATION_FORMATS["labelme-json"].open(tmp_path)
    assert annotated.images == ["b/a.jpg", "b/c.jpg"]
    assert areas(annotated, "b/c.jpg") == {"bed": 25}
    assert annotated.scene("b/c.jpg") == "b"
    assert annotated.report().values.tolist()[0][:2] == ["lone.json", "no photograph"]


BROKEN_SHAPES = [
    None,
    [],
    {},
    shape("polygon", "x"),
    shape("polygon", [[1], [2]]),
    shape("polygon", [[1, "a"], [2, 3], [4, 5]]),
    shape("polygon", [[1, 10**400], [2, 3], [4, 5]]),
    shape("circle", [[1, 1]]),
    shape("circle", [[1, 1], [1, 1]]),
    shape("rectangle", [[1, 1], [1, 1]]),
    shape("mask", [[1, 1], [2, 2]], mask="no png"),
    shape("mask", [[1, 1], [2, 2]], mask=base64.b64encode(b"no png").decode()),
    shape("mask", [], mask=mask_text(np.ones((2, 2), bool))),
    shape({"a": 1}, [[1, 1], [2, 2], [3, 1]]),
    shape("star", [[1, 1], [2, 2], [3, 1]]),
]


def test_broken_shapes_of_labelme_are_rows_of_the_report(tmp_path):
    photograph(tmp_path / "a.jpg")
    far = shape("circle", [[1, 1], [1e300, 1e300]], "far")
    nan = '{"label": "odd", "points": [[NaN, 1], [0, 0], [5, 0], [5, 5]], "shape_type": "polygon"}'
    text = json.dumps(labelme(*BROKEN_SHAPES, far, shape("rectangle", [[20, 0], [25, 5]])))
    write(tmp_path / "a.json", text.replace('"shapes": [', f'"shapes": [{nan}, ', 1))
    annotated = ANNOTATION_FORMATS["labelme-json"].open(tmp_path)
    assert areas(annotated, "a.jpg")["bed"] == 25
    kinds = annotated.report().kind.value_counts()
    assert kinds["not an object"] == 2
    assert kinds["no area"] == len(BROKEN_SHAPES) - 2
    assert kinds["bad point"] == 1


# ---- Pascal VOC


def voc_xml(*objects: str) -> str:
    size = f"<size><width>{W}</width><height>{H}</height><depth>3</depth></size>"
    return f"<annotation><folder>VOC</folder><filename>a.jpg</filename>{size}{''.join(objects)}</annotation>"


def voc_object(name: str, left: int, top: int, right: int, bottom: int, more: str = "") -> str:
    sides = zip(("xmin", "ymin", "xmax", "ymax"), (left, top, right, bottom), strict=True)
    tags = "".join(f"<{tag}>{value}</{tag}>" for tag, value in sides)
    return f"<object><name>{name}</name><bndbox>{tags}</bndbox>{more}</object>"


@pytest.fixture
def voc(tmp_path) -> Path:
    photograph(tmp_path / "JPEGImages/a.jpg")
    head = voc_object("head", 11, 11, 15, 15).replace("object>", "part>")
    objects = [voc_object("person", 11, 11, 30, 40, head), voc_object("chair", 1, 1, 5, 5)]
    write(tmp_path / "Annotations/a.xml", voc_xml(*objects))
    return tmp_path


def test_voc_boxes_count_from_one(voc):
    annotated = ANNOTATION_FORMATS["voc"].open(voc)
    assert areas(annotated, "a.jpg") == {"person": 20 * 30, "chair": 25}
    np.testing.assert_array_equal(annotated.masks("a.jpg")["person"], box(10, 10, 30, 40))
    parts = annotated.label_map("a.jpg", "parts").masks()
    np.testing.assert_array_equal(parts["head"], box(10, 10, 15, 15))
    assert annotated.report().kind.tolist() == ["box", "box"]


def test_voc_masks_where_there_are_some(voc):
    photograph(voc / "JPEGImages/b.jpg")
    write(voc / "Annotations/b.xml", voc_xml(voc_object("chair", 1, 1, 5, 5)))
    classes, numbers = np.zeros((H, W), np.uint8), np.zeros((H, W), np.uint8)
    classes[:10, :20], classes[:10, 20:25], classes[20:30, :10], classes[35:, :] = 15, 255, 9, 77
    numbers[:10, :12], numbers[:10, 12:20], numbers[:10, 20:25], numbers[20:30, :10] = 1, 2, 255, 3
    png(voc / "SegmentationClass/a.png", classes, palette=True)
    annotated = ANNOTATION_FORMATS["voc"].open(voc, cache=voc / "cache")
    assert areas(annotated, "a.jpg") == {"person": 200, "chair": 100}
    assert areas(annotated, "b.jpg") == {"chair": 25}
    assert annotated.report().values.tolist() == [
        ["a.jpg", "unknown code", "77 in 300 pixels"],
        ["b.jpg", "box", "object 0 (chair)"],
    ]
    png(voc / "SegmentationObject/a.png", numbers, palette=True)
    annotated = ANNOTATION_FORMATS["voc"].open(voc, cache=voc / "cache")
    table = annotated.objects()
    people = table[table.object == "person"]
    assert people.set_index("instance").area.to_dict() == {1: 120, 2: 80}
    assert annotated.masks("a.jpg", (20, 30))["person"].sum() == 50
    assert len(annotated.label_files()) == 2
    renamed = ANNOTATION_FORMATS["voc"].open(voc, cache=voc / "cache", classes={15: "man", 9: "seat"})
    assert set(renamed.objects().object) == {"man", "seat", "chair"}


def test_voc_masks_without_xml_and_classes_of_their_own(tmp_path):
    photograph(tmp_path / "JPEGImages/a.jpg")
    codes = np.zeros((H, W), np.uint8)
    codes[:10], codes[10:20] = 1, 2
    png(tmp_path / "SegmentationClassPNG/a.png", codes, palette=True)
    write(tmp_path / "SegmentationClass/a.npy", "")
    write(tmp_path / "class_names.txt", "_background_\nbed\nlamp\n")
    annotated = ANNOTATION_FORMATS["voc"].open(tmp_path)
    assert areas(annotated, "a.jpg") == {"bed": 600, "lamp": 600}
    assert annotated.report().empty
    own = ANNOTATION_FORMATS["voc"].open(tmp_path, classes={"0": "sky", "1": "bed", "2": "lamp"})
    assert areas(own, "a.jpg")["sky"] == 20 * W


@pytest.mark.parametrize("own", [True, False])
def test_voc_masks_of_colours(voc, own):
    """As CVAT writes them, with a file of colours, or in the colours of Pascal VOC."""
    person, chair = ((9, 99, 199), (1, 2, 3)) if own else ((192, 128, 128), (192, 0, 0))
    if own:
        text = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nchair:1,2,3::\nperson:9,99,199:head:\n"
        write(voc / "labelmap.txt", text)
    classes, numbers = np.zeros((H, W, 3), np.uint8), np.zeros((H, W, 3), np.uint8)
    classes[:10, :20], classes[20:30, :10], classes[39, :5] = person, chair, (7, 7, 9)
    numbers[:10, :12], numbers[:10, 12:20], numbers[20:30, :10] = (128, 0, 0), (0, 128, 0), (128, 128, 0)
    png(voc / "SegmentationClass/a.png", classes)
    png(voc / "SegmentationObject/a.png", numbers)
    annotated = ANNOTATION_FORMATS["voc"].open(voc)
    assert areas(annotated, "a.jpg") == {"person": 200, "chair": 100}
    table = annotated.objects().set_index(["object", "instance"]).area
    assert table.to_dict() == {("person", 1): 120, ("person", 2): 80, ("chair", 3): 100}
    assert annotated.report().kind.tolist() == ["unknown code"]


# ---- index masks


@pytest.mark.parametrize("kind", ["grey", "palette", "16 bits", "grey thrice"])
def test_index_masks_of_every_kind_of_png(tmp_path, kind):
    photograph(tmp_path / "images/kitchen/a.jpg")
    codes = np.zeros((H, W), np.uint8)
    codes[:10], codes[10:20], codes[20:22], codes[22:30] = 1, 2, 7, 255
    if kind == "16 bits":
        codes = codes.astype(np.uint16)
        codes[10:20] = 300
    png(tmp_path / "labels/kitchen/a.PNG", codes, kind == "palette")
    if kind == "grey thrice":
        Image.fromarray(codes).convert("RGB").save(tmp_path / "labels/kitchen/a.PNG")
    names = {"1": "wall", "2": "floor", "300": "floor"}
    annotated = ANNOTATION_FORMATS["index-mask"].open(tmp_path, classes=names)
    assert areas(annotated, "kitchen/a.jpg") == {"wall": 600, "floor": 600}
    assert annotated.scene("kitchen/a.jpg") == "kitchen"
    assert annotated.report().values.tolist() == [["kitchen/a.jpg", "unknown code", "7 in 120 pixels"]]


@pytest.mark.parametrize(("bits", "values"), [(1, [0, 1]), (2, [0, 1, 3]), (4, [0, 1, 9, 15])])
def test_index_masks_of_few_bits(tmp_path, bits, values):
    photograph(tmp_path / "images/a.jpg")
    codes = np.resize(values, (H, W)).astype(np.uint8)
    import cv2

    (tmp_path / "labels").mkdir()
    scaled = Image.fromarray(codes * (255 // (2**bits - 1)))
    if bits == 1:
        scaled.convert("1", dither=Image.Dither.NONE).save(tmp_path / "labels/a.png")
    else:
        (tmp_path / "labels/a.png").write_bytes(_grey_png(codes, bits))
    assert cv2.imread(str(tmp_path / "labels/a.png")) is not None
    annotated = ANNOTATION_FORMATS["index-mask"].open(tmp_path, classes={str(v): f"c{v}" for v in values[1:]})
    assert annotated.masks("a.jpg").keys() == {f"c{v}" for v in values[1:]}
    np.testing.assert_array_equal(annotated.masks("a.jpg")["c1"], codes == 1)


def _grey_png(codes: np.ndarray, bits: int) -> bytes:
    """A greyscale PNG of 2 or 4 bits, which Pillow does not write."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = np.unpackbits(codes[..., None], axis=2)[..., 8 - bits :].reshape(len(codes), -1)
    lines = b"".join(b"\0" + np.packbits(row).tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", codes.shape[1], codes.shape[0], bits, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


CLASS_FILES = {
    "numbers.txt": "\ufeff1 wall\n2 potted plant\n\n300 floor\n",
    "commas.txt": "1, wall\n2, potted plant\n300, floor\n",
    "codes.json": '{"1": "wall", "2": "potted plant", "300": "floor"}',
    "names.json": '{"wall": 1, "potted plant": 2, "floor": 300}',
}


@pytest.mark.parametrize(("name", "text"), CLASS_FILES.items())
def test_files_of_classes(tmp_path, name, text):
    photograph(tmp_path / "images/a.jpg")
    png(
        tmp_path / "masks/a.png",
        np.array([[1, 2], [300, 300]], np.uint16).repeat(H // 2, 0).repeat(W // 2, 1),
    )
    annotated = ANNOTATION_FORMATS["index-mask"].open(tmp_path, classes=write(tmp_path / name, text))
    assert areas(annotated, "a.jpg") == {"wall": 600, "potted plant": 600, "floor": 1200}


def test_a_list_of_classes_must_say_where_it_begins(tmp_path):
    photograph(tmp_path / "images/a.jpg")
    png(tmp_path / "labels/a.png", np.ones((H, W), np.uint8))
    opened = ANNOTATION_FORMATS["index-mask"].open
    assert areas(opened(tmp_path, classes=["background", "wall"]), "a.jpg") == {"wall": 2400}
    for given in (["wall", "floor"], write(tmp_path / "classes.txt", "wall\nfloor\n")):
        with pytest.raises(SceneLensError, match="nothing says whether 'wall' is the value 0 or 1"):
            opened(tmp_path, classes=given)
    wrong = [{}, None, {"wall": 70000}, ["void"], 5, {"1": "a", "01": "b"}, [1]]
    for given in wrong:
        with pytest.raises(SceneLensError, match="class"):
            opened(tmp_path, classes=given)


@pytest.mark.parametrize("name", ["classes.txt", "classes.json"])
def test_classes_in_an_unknown_encoding_are_refused(tmp_path, name):
    photograph(tmp_path / "images/a.jpg")
    png(tmp_path / "labels/a.png", np.ones((H, W), np.uint8))
    text = '{"1": "fenêtre"}' if name.endswith("json") else "1 fenêtre"
    for codec in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / name).write_bytes(text.encode(codec))
        found = ANNOTATION_FORMATS["index-mask"].open(tmp_path, classes=tmp_path / name)
        assert areas(found, "a.jpg") == {"fenêtre": H * W}
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(SceneLensError, match="save the file as UTF-8"):
        ANNOTATION_FORMATS["index-mask"].open(tmp_path, classes=tmp_path / name)


@pytest.mark.parametrize("name", ["coco", "labelme-json"])
def test_json_in_an_unknown_encoding_is_a_row_of_the_report(tmp_path, name):
    folder, given = every_format(tmp_path)[name]
    (source,) = set(ANNOTATION_FORMATS[name].open(folder, **given).sources.values())
    source.write_bytes(source.read_text().replace('"bed"', '"lit à deux"').encode("gbk"))
    found = ANNOTATION_FORMATS[name].open(folder, **given)
    assert found.objects().object.tolist() != ["bed"]
    assert found.report().kind.tolist() == ["text encoding"]


def test_classes_are_part_of_every_key(tmp_path):
    photograph(tmp_path / "images/a.jpg")
    png(tmp_path / "labels/a.png", np.ones((H, W), np.uint8))
    keys = set()
    for name in ("wall", "floor"):
        annotated = ANNOTATION_FORMATS["index-mask"].open(tmp_path, tmp_path / "cache", classes={"1": name})
        assert areas(annotated, "a.jpg") == {name: 2400}
        keys.add(annotated.depends_on())
    assert len(keys) == 2


def test_colours_in_an_index_mask_are_refused(tmp_path):
    photograph(tmp_path / "images/a.jpg")
    png(tmp_path / "labels/a.png", np.full((H, W, 3), (1, 2, 3), np.uint8))
    with pytest.raises(SceneLensError, match=r'has colours.*format = "colour-mask" reads it'):
        ANNOTATION_FORMATS["index-mask"].open(tmp_path, classes={"1": "wall"})


def test_index_masks_as_colour_masks_are_refused(tmp_path):
    photograph(tmp_path / "images/a.jpg")
    png(tmp_path / "labels/a.png", np.full((H, W), 3, np.uint8))
    opened = ANNOTATION_FORMATS["colour-mask"].open
    with pytest.raises(SceneLensError, match=r'which has \(3, 3, 3\).*format = "index-mask" reads it'):
        opened(tmp_path, colours={"wall": [1, 2, 3]})
    assert areas(opened(tmp_path, colours={"wall": [3, 3, 3]}), "a.jpg") == {"wall": H * W}


# ---- LabelMe's XML in one folder


@pytest.mark.parametrize("apart", [False, True])
def test_labelme_xml_in_flat_folders(tmp_path, apart):
    photograph(tmp_path / "photos/a.jpg")
    photograph(tmp_path / "photos/b.png")
    place = tmp_path / ("xml" if apart else "photos")
    write(
        place / "a.xml",
        annotation_xml(object_xml("bed", [(9.5, 9.5), (19.5, 9.5), (19.5, 19.5), (9.5, 19.5)])),
    )
    write(place / "B.XML", annotation_xml(object_xml("lamp"), filename="b.png"))
    given = {"labels": place, "images": tmp_path / "photos"} if apart else {}
    annotated = ANNOTATION_FORMATS["labelme"].open(tmp_path if apart else tmp_path / "photos", **given)
    assert annotated.images == ["a.jpg", "b.png"]
    assert areas(annotated, "a.jpg")["bed"] > 0


# ---- all formats alike


def every_format(root: Path, orientation: int = 1, stored: tuple[int, int] = (H, W), drawn=None) -> dict:
    """One photograph in every format, with an object where `drawn` is true, at the size of `drawn`."""
    drawn = box(12, 6, 30, 18) if drawn is None else drawn
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    left, top, right, bottom = (int(v) for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    sides = [(left, top), (right, top), (right, bottom), (left, bottom)]
    height, width = drawn.shape
    folders = {name: root / name for name in ANNOTATION_FORMATS}
    for name, folder in folders.items():
        base = {"sun": "Images/", "voc": "JPEGImages/", "ade20k": "", "labelme": "", "labelme-json": ""}
        photograph(folder / f"{base.get(name, 'images/')}a.jpg", orientation, stored)
    half = [(x - 0.5, y - 0.5) for x, y in sides]
    xml = annotation_xml(object_xml("bed", half), size=(str(height), str(width)))
    write(folders["sun"] / "Annotations/a.xml", xml)
    write(folders["labelme"] / "a.xml", xml)
    content = labelme(shape("polygon", [list(p) for p in sides]), size=(height, width))
    write(folders["labelme-json"] / "a.json", content)
    polygon = {"x": [x for x, _ in half], "y": [y for _, y in half]}
    ade = {"imsize": [height, width, 3], "object": {"id": 0, "name": "bed", "polygon": polygon}}
    write(folders["ade20k"] / "a.json", {"annotation": ade})
    images = [{"id": 1, "file_name": "a.jpg", "height": height, "width": width}]
    entry = coco_entry(1, 1, 1, [corners(left, top, right, bottom)])
    write(folders["coco"] / "instances.json", coco_file(entry, images=images))
    size = f"<size><width>{width}</width><height>{height}</height></size>"
    one = voc_object("bed", left + 1, top + 1, right, bottom)
    write(folders["voc"] / "Annotations/a.xml", f"<annotation>{size}{one}</annotation>")
    png(folders["index-mask"] / "labels/a.png", drawn.astype(np.uint8))
    png(folders["colour-mask"] / "labels/a.png", drawn[..., None] * np.array([9, 90, 9], np.uint8))
    more = {"index-mask": {"classes": {"1": "bed"}}, "colour-mask": {"colours": {"bed": [9, 90, 9]}}}
    return {name: (folder, more.get(name, {})) for name, folder in folders.items()}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_follows_the_cameras_tag(tmp_path, orientation):
    frame = ImageFrame((H, W), orientation)
    shown = np.zeros(frame.size, bool)
    shown[6:18, 12:30] = True
    # Turned by 180 degrees or mirrored, old formats and masks mean the stored pixels; see scenelens.images.
    modern = ("labelme-json", "coco", "voc")
    for name, (folder, given) in every_format(tmp_path, orientation, drawn=shown).items():
        annotated = ANNOTATION_FORMATS[name].open(folder, **given)
        expected = shown if orientation in (1, 5, 6, 7, 8) or name in modern else frame.turned(shown)
        assert annotated.size("a.jpg") == frame.size
        np.testing.assert_array_equal(annotated.masks("a.jpg")["bed"], expected, name)
        # Nothing tells which of two pictures of one size is meant, so the report says what was assumed.
        assert ("turned" in annotated.report().kind.tolist()) == (orientation in (2, 3, 4)), name
    drawn_on_stored = box(12, 6, 30, 18)
    if orientation >= 5:
        for name, (folder, given) in every_format(tmp_path / "2", orientation).items():
            annotated = ANNOTATION_FORMATS[name].open(folder, **given)
            np.testing.assert_array_equal(
                annotated.masks("a.jpg")["bed"], frame.turned(drawn_on_stored), name
            )


@pytest.mark.parametrize("seed", range(2))
def test_mutated_files_of_every_format(tmp_path, seed):
    rng = random.Random(seed)
    for name, (folder, given) in every_format(tmp_path).items():
        annotated = ANNOTATION_FORMATS[name].open(folder, **given)
        (source,) = set(annotated.sources.values())
        good = source.read_bytes()
        for _ in range(40):
            source.write_bytes(edited_text(good, rng))
            with suppress(SceneLensError):
                annotated.masks("a.jpg")
                annotated.label_map("a.jpg")
            with suppress(SceneLensError):
                ANNOTATION_FORMATS[name].open(folder, **given)
            annotated.objects()
            annotated.report()


@pytest.mark.parametrize("name", ["coco", "labelme-json", "ade20k"])
def test_values_of_other_types_at_any_place_of_json(tmp_path, name):
    folder, given = every_format(tmp_path)[name]
    annotated = ANNOTATION_FORMATS[name].open(folder, **given)
    (source,) = set(annotated.sources.values())
    whole, rng = json.loads(source.read_text()), random.Random(0)
    if name == "coco":
        runs = {"size": [H, W], "counts": "52203"}
        whole["annotations"] += [coco_entry(2, 1, 1, runs, bbox=[1, 2, 3, 4], iscrowd=1)]
        whole["images"] += [{"id": 2, "file_name": "b.jpg"}]
        segments = [{"id": 3, "category_id": 1, "iscrowd": 0}]
        whole["annotations"] += [{"image_id": 2, "file_name": "b.png", "segments_info": segments}]
        photograph(folder / "images/b.jpg")
        png(folder / "instances/b.png", np.full((H, W, 3), (3, 0, 0), np.uint8))
    for _ in range(250):
        write(source, misplaced(whole, rng))
        for open_again in (False, True):
            with suppress(SceneLensError):
                one = ANNOTATION_FORMATS[name].open(folder, **given) if open_again else annotated
                one.scene("a.jpg")
                for image in one:
                    one.masks(image)
        annotated.objects().to_csv().encode()
        assert not annotated.report().detail.str.match(r"\w*Error:").any()


def test_a_folder_of_another_format_is_named(tmp_path):
    folders = every_format(tmp_path)
    same = {"sun": {"labelme", "voc"}, "labelme": {"sun", "voc"}, "voc": {"sun", "labelme"}}
    for name, (folder, _) in folders.items():
        for other in ANNOTATION_FORMATS:
            if other == name or other in same.get(name, ()):
                continue
            given = {"index-mask": {"classes": {"1": "a"}}, "colour-mask": {"colours": {"a": [1, 2, 3]}}}
            with pytest.raises(SceneLensError) as raised:
                ANNOTATION_FORMATS[other].open(folder, **given.get(other, {}))
            named = {name, "sun"} if name == "labelme" else {name}
            assert any(f'format = "{one}"' in str(raised.value) for one in named), (name, other)
            assert "\n" not in str(raised.value)


FOREIGN = {
    "a.txt": ("0 0.5 0.5 0.2 0.1\n3 0.1 0.2 0.3 0.4\n", "YOLO"),
    "a.xml": ("<annotations><image id='0'/></annotations>", "CVAT's own XML"),
    "via.json": ('{"a.jpg1": {"filename": "a.jpg", "regions": [{"shape_attributes": {}}]}}', "VGG's VIA"),
}


@pytest.mark.parametrize(("name", "content"), FOREIGN.items())
def test_formats_that_are_not_read_are_named_with_a_converter(tmp_path, name, content):
    text, words = content
    photograph(tmp_path / "a.jpg")
    write(tmp_path / name, text)
    for known in ("coco", "sun", "labelme-json", "voc"):
        with pytest.raises(SceneLensError, match=words):
            ANNOTATION_FORMATS[known].open(tmp_path)


def test_the_readme_lists_every_format_from_the_one_table():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = readme[readme.index("| format | reads | further keys |") :]
    rows = table[: table.index("\n\n")].splitlines()[2:]
    assert rows == [one.row() for one in ANNOTATION_FORMATS.values()]
    for one in ANNOTATION_FORMATS.values():
        example = tomllib.loads(one.example)
        assert set(example) <= {"images", "labels", *one.keys}
        assert all(STUDY_SCHEMA["annotations"].keys[key].rule.allows(value) for key, value in example.items())


def test_roots_that_are_none(tmp_path):
    (tmp_path / "set.zip").write_bytes(b"PK")
    for root, words in (
        ("nowhere", "does not exist"),
        ("set.zip", "is a file and no folder; unpack it first"),
    ):
        with pytest.raises(SceneLensError, match=words):
            ANNOTATION_FORMATS["coco"].open(tmp_path / root)
    with pytest.raises(SceneLensError, match="'sun' takes no 'colours'"):
        ANNOTATION_FORMATS["sun"].open(tmp_path, colours={})


def test_ade20k_of_2016_is_named(tmp_path):
    photograph(tmp_path / "a.jpg")
    write(tmp_path / "a_atr.txt", '001 # 0 # 0 # wall # wall # 0 # ""')
    png(tmp_path / "a_seg.png", np.zeros((H, W, 3), np.uint8))
    with pytest.raises(SceneLensError, match="release of 2016"):
        ANNOTATION_FORMATS["ade20k"].open(tmp_path)


@pytest.mark.parametrize("name", ["A.JPG", "a.jpeg", "a.Jpg", "a.png"])
@pytest.mark.parametrize("ending", [".json", ".JSON"])
@pytest.mark.parametrize("scene", ["bathroom", ["home", "bathroom"], None, [], 7])
def test_ade20k_in_any_letter_case_and_with_missing_parts(tmp_path, name, ending, scene):
    photograph(tmp_path / name)
    photograph(tmp_path / "a_seg.png")
    photograph(tmp_path / "a_parts_1.png")
    thing = {"name": "bed", "polygon": {"x": [0, 9, 9], "y": [0, 0, 9]}}
    content = {"object": thing} if scene is None else {"object": [thing], "scene": scene}
    write(tmp_path / f"{name[0]}{ending}", {"annotation": content})
    annotated = ANNOTATION_FORMATS["ade20k"].open(tmp_path)
    assert annotated.images == [name]
    assert annotated.scene(name) == {"bathroom": "bathroom", "7": "7"}.get(
        str(scene[-1] if isinstance(scene, list) and scene else scene), ""
    )
    assert list(annotated.masks(name)) == ["bed"]
    assert annotated.report().empty


# ---- names from another system


@pytest.mark.parametrize(("disk", "stated"), [("caf\u00e9", "cafe\u0301"), ("cafe\u0301", "caf\u00e9")])
@pytest.mark.parametrize(
    "kind", ["coco", "labelme-json", "labelme-json by its path", "voc", "labelme", "sun"]
)
def test_an_accent_may_be_written_in_another_way(tmp_path, kind, disk, stated):
    """macOS writes é as e and an accent; a data set may have both, made on two systems."""
    place = {"coco": "images", "voc": "JPEGImages", "sun": "Images/bedroom"}.get(kind, ".")
    photograph(tmp_path / place / f"{disk}.jpg")
    square = shape("rectangle", [[0, 0], [5, 5]])
    if kind == "coco":
        content = coco_file(coco_entry(1, 7, 1, [corners(0, 0, 5, 5)]))
        content["images"][0]["file_name"] = f"{stated}.jpg"
        write(tmp_path / "annotations/instances.json", content)
    elif kind.startswith("labelme-json"):
        name = "one" if kind.endswith("path") else stated
        write(tmp_path / f"{name}.json", labelme(square, image=f"{stated}.jpg"))
    elif kind == "voc":
        box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox>"
        text = f"<annotation><object><name>bed</name>{box}</object></annotation>"
        write(tmp_path / "Annotations" / f"{stated}.xml", text)
    else:
        corner = [(0, 0), (5, 0), (5, 5), (0, 5)]
        text = annotation_xml(object_xml("bed", corner), filename=f"{stated}.jpg", size=(str(H), str(W)))
        where = "Annotations/bedroom" if kind == "sun" else "."
        write(tmp_path / where / f"{stated}.xml", text)
    annotated = ANNOTATION_FORMATS[kind.partition(" ")[0]].open(tmp_path)
    (image,) = annotated.images
    assert image.endswith(f"{disk}.jpg")
    assert set(areas(annotated, image)) == {"bed"}
