"""ADE20K's JSON and colour masks behind the interface that SUN's annotations have."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from scenelens.annotations.ade20k import ADE20K
from scenelens.annotations.colour_masks import ColourMasks
from scenelens.annotations.interface import Annotations
from scenelens.errors import SceneLensError

H, W = 40, 60
FACADE = {
    "unlabelled": [0, 0, 0],
    "building": [128, 0, 0],
    "car": [128, 0, 128],
    "door": [128, 128, 0],
    "pavement": [128, 128, 128],
    "road": [128, 64, 0],
    "sky": [0, 128, 128],
    "vegetation": [0, 128, 0],
    "window": [0, 0, 128],
}


def ade_object(number: int, name: str, box: tuple[float, float, float, float], **more) -> dict:
    left, top, right, bottom = box
    polygon = {"x": [left, right, right, left], "y": [top, top, bottom, bottom]}
    parts = {"ispartof": more.pop("ispartof", []), "hasparts": [], "part_level": 0}
    return {
        "id": number,
        "name": name,
        "raw_name": name,
        "crop": "0",
        "polygon": polygon,
        "parts": parts,
    } | more


@pytest.fixture
def ade(tmp_path) -> Path:
    """One bathroom: a wall, a sink whose faucet is a part, a point, and an object without a name."""
    Image.new("RGB", (W, H)).save(tmp_path / "a.jpg")
    objects = [
        ade_object(0, "sink", (9.5, 9.5, 29.5, 29.5), crop="1", attributes=["white"]),
        ade_object(1, "wall, partition", (-0.5, -0.5, 59.5, 39.5)),
        ade_object(2, "faucet", (11.5, 11.5, 15.5, 15.5), ispartof=0),
        ade_object(3, "plug", (0, 0, 0, 0), polygon={"x": 5, "y": 6}),
        ade_object(4, "", (39.5, 9.5, 43.5, 13.5)),
    ]
    content = {"imsize": [H, W, 3], "scene": ["indoor", "home or hotel", "bathroom"], "object": objects}
    (tmp_path / "a.json").write_text(json.dumps({"annotation": content}))
    return tmp_path


def test_ade20k(ade):
    annotated = ADE20K(ade)
    assert isinstance(annotated, Annotations)
    assert annotated.images == ["a.jpg"]
    assert annotated.scene("a.jpg") == "bathroom"
    masks = annotated.masks("a.jpg")
    assert {name: int(m.sum()) for name, m in masks.items()} == {"sink": 400, "unnamed": 16, "wall": 1984}
    assert annotated.label_map("a.jpg", "parts").masks()["faucet"].sum() == 16
    assert sorted(annotated.report()["kind"]) == ["no area", "no name"]
    sink = annotated.annotation("a.jpg").objects[0]
    assert (sink.states, sink.attributes, sink.instance) == (("crop",), "white", 0)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_ade20k_outlines_turn_with_the_photograph(ade, orientation):
    upright = ADE20K(ade).masks("a.jpg")
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (W, H)).save(ade / "a.jpg", exif=exif)
    turned = ADE20K(ade)
    assert turned.size("a.jpg") == ((W, H) if orientation > 4 else (H, W))
    turns = {3: 2, 6: 3, 8: 1}[orientation]  # quarters against the clock
    for name, mask in turned.masks("a.jpg").items():
        np.testing.assert_array_equal(mask, np.rot90(upright[name], turns))


def test_ade20k_table(ade):
    table = ADE20K(ade).objects()
    assert table["category"].unique().tolist() == ["bathroom"]
    assert table.set_index("object")["area"].to_dict() == {"sink": 400, "wall": 1984, "unnamed": 16}


@pytest.mark.parametrize("text", ["{", "[]", '{"annotation": {}}', '{"annotation": null}'])
def test_a_broken_ade20k_file(ade, text):
    (ade / "a.json").write_text(text)
    with pytest.raises(SceneLensError, match=r"a\.json is not an ADE20K annotation"):
        ADE20K(ade).masks("a.jpg")
    assert ADE20K(ade).report()["kind"].tolist() == ["unreadable"]


def test_no_ade20k_file(ade):
    (ade / "a.json").unlink()
    with pytest.raises(SceneLensError, match="contains no ADE20K annotation"):
        ADE20K(ade)


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "latin-1"])
def test_ade20k_in_other_encodings(ade, codec):
    text = json.dumps(
        {"annotation": {"object": [ade_object(0, "fenêtre", (0, 0, 9, 9))]}}, ensure_ascii=False
    )
    (ade / "a.json").write_bytes(text.encode(codec))
    assert list(ADE20K(ade).masks("a.jpg")) == ["fenêtre"]
    assert ("text encoding" in ADE20K(ade).report().kind.tolist()) == (codec == "latin-1")


@pytest.fixture
def coloured(tmp_path) -> Path:
    mask = np.zeros((H, W, 3), np.uint8)
    mask[:10], mask[10:20], mask[20:22] = (128, 0, 0), (128, 0, 128), (1, 2, 3)
    for folder, suffix, image in (("images", "jpg", np.zeros_like(mask)), ("labels", "png", mask)):
        path = tmp_path / folder / "street" / f"a.{suffix}"
        path.parent.mkdir(parents=True)
        Image.fromarray(image).save(path)
    return tmp_path


def test_colour_masks(coloured):
    annotated = ColourMasks(coloured, FACADE)
    assert isinstance(annotated, Annotations)
    assert annotated.scene("street/a.jpg") == "street"
    masks = annotated.masks("street/a.jpg")
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {"building": 600, "car": 600}
    assert annotated.objects()["object"].tolist() == ["building", "car"]
    assert annotated.report().values.tolist() == [
        ["street/a.jpg", "unknown colour", "(1, 2, 3) in 120 pixels"]
    ]
    assert annotated.masks("street/a.jpg", (20, 30))["car"].sum() == 150


@pytest.mark.parametrize("colours", [{}, {"unlabelled": [0, 0, 0]}, {"a": [1, 2]}, {"a": [1, 2, 999]}])
def test_wrong_colours(coloured, colours):
    with pytest.raises(SceneLensError, match="colour"):
        ColourMasks(coloured, colours)


def test_colour_masks_that_are_missing_or_broken(coloured):
    (coloured / "labels/street/a.png").write_bytes(b"no png")
    with pytest.raises(SceneLensError, match=r"a\.png is unreadable"):
        ColourMasks(coloured, FACADE).masks("street/a.jpg")
    (coloured / "labels/street/a.png").unlink()
    with pytest.raises(SceneLensError, match="contains no mask"):
        ColourMasks(coloured, FACADE)


def test_real_bathrooms_agree_with_the_masks_that_came_with_them(real):
    annotated = ADE20K(real / "ade20k_indoor")
    assert len(annotated) == 20
    shares = [agreement(annotated, image, real / "ade20k_indoor") for image in annotated.images]
    assert min(shares) > 0.88
    assert np.mean(shares) > 0.97
    assert set(annotated.report()["kind"]) == {"crosses itself"}


def agreement(annotated: ADE20K, image: str, root: Path) -> float:
    """The share of pixels whose class is the same in the painted polygons and in ADE20K's own mask."""
    mask = cv2.imread(str(root / "masks" / image.replace(".jpg", "_seg.png")))
    expected = mask[..., 2].astype(int) // 10 * 256 + mask[..., 1]
    content = json.loads((root / "annotations_full" / image.replace(".jpg", ".json")).read_text())
    classes = {one["id"]: one["name_ndx"] for one in content["annotation"]["object"]}
    annotation = annotated.annotation(image)
    things = annotation.wholes
    painted = annotation.paint(things, expected.shape)
    return float((np.array([0, *(classes[one.instance] for one in things)])[painted] == expected).mean())


def test_real_street_masks_are_covered_by_nine_colours(real):
    annotated = ColourMasks(real / "facade", FACADE)
    assert len(annotated) == 120
    assert annotated.report().empty
    table = annotated.objects().groupby("object")["area"].sum()
    assert table["building"] == 4_607_166
    assert table["door"] == 97_170
