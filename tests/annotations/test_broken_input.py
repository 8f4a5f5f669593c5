"""Annotations that are broken, hostile or changed: no file stops the set, and no kernel fails on one."""

from __future__ import annotations

import cProfile
import json
import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scenelens.annotations.ade20k import ADE20K
from scenelens.annotations.colour_masks import ColourMasks
from scenelens.annotations.labelme import parse_annotation
from scenelens.annotations.outlined import rasterise
from scenelens.annotations.polygons import Polygon, _polygon_mask, mask_to_polygons
from scenelens.annotations.sun import AnnotatedImages, write_label_map, write_legend
from scenelens.errors import SceneLensError
from tests.labelme_xml import annotation_xml, object_xml
from tests.torture.mutate import damaged, edited_text

H, W = 100, 120
BOX = [(10.5, 10.5), (60.5, 10.5), (60.5, 50.5), (10.5, 50.5)]
COLOURS = {"road": [128, 64, 0], "sky": [0, 128, 128]}


def ade(points, **more) -> dict:
    xs, ys = zip(*points, strict=True)
    return {"id": 0, "name": "wall", "polygon": {"x": list(xs), "y": list(ys)}, "parts": {}} | more


def write_ade(root: Path, content: object, image: str = "a.jpg") -> None:
    Image.new("RGB", (W, H)).save(root / image)
    text = content if isinstance(content, str) else json.dumps({"annotation": content})
    (root / image).with_suffix(".json").write_text(text)


def write_sun(root: Path, xml: str | bytes, image: str = "b/bedroom/a.jpg") -> Path:
    photograph, source = root / "Images" / image, (root / "Annotations" / image).with_suffix(".xml")
    for path in (photograph, source):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (W, H)).save(photograph)
    source.write_bytes(xml.encode() if isinstance(xml, str) else xml)
    return source


def write_masks(root: Path, mask: np.ndarray, size: tuple[int, int] = (H, W), name: str = "a") -> Path:
    for folder in ("images", "labels"):
        (root / folder).mkdir(exist_ok=True)
    Image.new("RGB", size[::-1]).save(root / "images" / f"{name}.jpg")
    Image.fromarray(mask).save(root / "labels" / f"{name}.png")
    return root / "labels" / f"{name}.png"


def half_sky(height: int = H, width: int = W) -> np.ndarray:
    mask = np.full((height, width, 3), COLOURS["road"], np.uint8)
    mask[: height // 2] = COLOURS["sky"]
    return mask


# Points that are too far for the kernels' whole numbers, and how many pixels the outlines have: with
# fractions instead of floats.
FAR = [
    ([(0, 0), (0, 1e19), (50, 0)], 5000),
    ([(0, 0), (1e19, 0), (0, 50)], 6000),
    ([(0, 0), (1e300, 0), (0, 50)], 6000),
    ([(0, 0), (1e19, 1e19), (0, 1e19)], 5050),
    ([(-1e19, -1e19), (1e19, -1e19), (1e19, 1e19), (-1e19, 1e19)], 12000),
    ([(10.5, 10.5), (60.5, 10.5), (60.5, 1e308), (10.5, 1e308)], 50 * 89),
    ([(0, 0), (2e19, 1e19), (0, 1e19)], None),
    ([(1e19, 1e19), (2e19, 1e19), (1e19, 3e19)], 0),
]


@pytest.mark.parametrize(("points", "area"), FAR)
def test_far_points_are_cut_off_before_any_kernel(tmp_path, points, area):
    xml = annotation_xml(object_xml("wall", points))
    annotation = parse_annotation(xml.encode())
    found = rasterise(annotation).get("wall", np.zeros((H, W), bool))
    assert (found == _polygon_mask(points, (H, W))).all()
    write_ade(tmp_path, {"object": [ade(points)]})
    other = ADE20K(tmp_path).masks("a.jpg").get("wall", np.zeros((H, W), bool))
    assert (found == other).all()
    assert area is None or abs(int(found.sum()) - area) <= H
    if area != 0:
        assert "outside" in [repair.kind for repair in annotation.report]


def test_a_far_point_keeps_the_direction_of_its_edges():
    near = _polygon_mask([(0, 0), (1000, 500), (0, 500)], (H, W))
    assert (_polygon_mask([(0, 0), (2e19, 1e19), (0, 1e19)], (H, W)) == near).all()
    assert (_polygon_mask([(0, 1e19), (2e19, 1e19), (0, 0)], (H, W)) == near).all()


@pytest.mark.parametrize(
    "size", [("1e308", "1e308"), ("inf", "5"), ("1e9", "1e9"), ("-3", "4"), ("nan", "4")]
)
def test_a_size_that_no_photograph_has(size):
    annotation = parse_annotation(annotation_xml(object_xml("bed", BOX), size=size).encode())
    assert annotation.size is None
    assert rasterise(annotation.drawn_on((H, W)))["bed"].sum() == 2000


BROKEN_OBJECTS = [
    None,
    7,
    "wall",
    [],
    {},
    ade(BOX, polygon=[1, 2]),
    ade(BOX, polygon={"x": [[1, 2], [3]], "y": [1, 2]}),
    ade(BOX, polygon={"x": [{}, 1, 2], "y": [1, 2, 3]}),
    ade(BOX, polygon={"x": [10**400, 1, 2], "y": [1, 2, 3]}),
    ade(BOX, polygon={"x": "123", "y": "123"}),
    ade(BOX, polygon={"x": [1, 2, 3], "y": [1, 2]}),
]


def test_broken_objects_of_ade20k_are_rows_of_the_report(tmp_path):
    write_ade(tmp_path, {"object": [*BROKEN_OBJECTS, ade(BOX, name="bed", id=10**30)]})
    annotated = ADE20K(tmp_path)
    assert {name: int(mask.sum()) for name, mask in annotated.masks("a.jpg").items()} == {"bed": 2000}
    kinds = annotated.report().kind.value_counts()
    assert kinds["not an object"] == 4
    assert kinds["no area"] == 7


@pytest.mark.parametrize(
    "more",
    [
        {"parts": [1]},
        {"parts": {"ispartof": {"a": 1}}},
        {"attributes": 5},
        {"attributes": [[1], {}]},
        {"name": ["wall"], "raw_name": {"a": 1}},
        {"name": "\ud800wall"},
        {"id": [1]},
        {"id": float("nan")},
        {"crop": []},
    ],
)
def test_odd_values_of_ade20k_do_no_harm(tmp_path, more):
    write_ade(tmp_path, {"object": [ade(BOX, **more)], "imsize": {}, "scene": {"a": 1}, "folder": [1]})
    annotated = ADE20K(tmp_path, tmp_path / "cache")
    (mask,) = annotated.masks("a.jpg").values()
    assert mask.sum() == 2000
    annotated.objects().to_csv().encode()
    assert annotated.scene("a.jpg") == ""


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"annotation":' * 5000,
        "9" * 10_000,
        '{"annotation": [1]}',
        '{"annotation": {"object": 5}}',
        "",
    ],
)
def test_a_broken_file_of_ade20k_stops_neither_the_table_nor_the_scenes(tmp_path, text):
    write_ade(tmp_path, {"object": [ade(BOX)]})
    write_ade(tmp_path, text, "b.jpg")
    annotated = ADE20K(tmp_path)
    assert annotated.objects().image.tolist() == ["a.jpg"]
    assert annotated.report().kind.tolist() == ["unreadable"]
    assert [annotated.scene(image) for image in annotated] == ["", ""]
    with pytest.raises(SceneLensError, match=r"b\.json"):
        annotated.masks("b.jpg")


def test_deep_nesting_in_xml(tmp_path):
    write_sun(tmp_path, annotation_xml(object_xml("bed", BOX)))
    write_sun(tmp_path, "<annotation>" + "<a>" * 200_000, "b/bedroom/b.jpg")
    write_sun(
        tmp_path, "<annotation>" + "<a>" * 50_000 + "</a>" * 50_000 + "</annotation>", "b/bedroom/c.jpg"
    )
    assert AnnotatedImages(tmp_path).objects().image.tolist() == ["b/bedroom/a.jpg"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_in_place_of_an_annotation_or_a_mask(tmp_path):
    source = write_sun(tmp_path, annotation_xml(object_xml("bed", BOX)))
    source.unlink()
    os.mkfifo(source)
    assert AnnotatedImages(tmp_path, tmp_path / "cache").report().kind.tolist() == ["unreadable"]
    mask = write_masks(tmp_path, half_sky())
    mask.unlink()
    os.mkfifo(mask)
    assert ColourMasks(tmp_path, COLOURS, tmp_path / "cache").report().kind.tolist() == ["unreadable"]


def test_an_annotation_of_too_many_bytes(tmp_path):
    write_sun(tmp_path, b"<annotation>" + b" " * (17 << 20))
    report = AnnotatedImages(tmp_path).report()
    assert report.kind.tolist() == ["unreadable"]
    assert "more than 16 MB" in report.detail[0]


def test_a_format_that_fails_in_its_own_way_stops_nothing(tmp_path, monkeypatch):
    write_sun(tmp_path, annotation_xml(object_xml("bed", BOX)))
    monkeypatch.setattr(AnnotatedImages, "annotation", lambda *_: {}["missing"])
    annotated = AnnotatedImages(tmp_path)
    assert annotated.objects().empty
    assert annotated.report().detail.tolist() == ["KeyError: 'missing'"]


def test_long_names_are_cut_off(tmp_path):
    write_sun(tmp_path, annotation_xml(object_xml("bed " * 100_000, BOX)))
    assert len(AnnotatedImages(tmp_path).objects().object[0]) <= 200


@pytest.mark.parametrize("seed", range(3))
def test_mutated_files_of_every_format(tmp_path, seed):
    rng = random.Random(seed)
    ade_text = json.dumps(
        {
            "annotation": {
                "imsize": [H, W, 3],
                "scene": ["indoor", "den"],
                "object": [ade(BOX), ade(BOX, id=1)],
            }
        }
    ).encode()
    xml = annotation_xml(object_xml("bed", BOX), object_xml("lamp", extra="<id>3</id>")).encode()
    source = write_sun(tmp_path, xml)
    png = write_masks(tmp_path, half_sky())
    png_bytes = png.read_bytes()
    (tmp_path / "images" / "a.json").write_bytes(ade_text)
    sets = [ADE20K(tmp_path), AnnotatedImages(tmp_path), ColourMasks(tmp_path, COLOURS)]
    for _ in range(60):
        (tmp_path / "images" / "a.json").write_bytes(edited_text(ade_text, rng))
        source.write_bytes(edited_text(xml, rng))
        png.write_bytes(edited_text(png_bytes, rng))
        for annotated in sets:
            for image in annotated:
                annotated.scene(image)
                with suppress(SceneLensError):
                    annotated.masks(image)
            annotated.objects()
            annotated.report()


def test_photographs_and_annotations_that_change_while_a_set_is_open(tmp_path):
    source = write_sun(tmp_path, annotation_xml(object_xml("bed", BOX)))
    annotated = AnnotatedImages(tmp_path, tmp_path / "cache")
    image = annotated.images[0]

    def agree() -> dict[str, int]:
        table = annotated.objects().set_index("object")["area"].to_dict()
        assert table == {name: int(mask.sum()) for name, mask in annotated.masks(image).items()}
        return table

    assert agree() == {"bed": 2000}
    source.write_text(annotation_xml(object_xml("cot", BOX)))
    assert agree() == {"cot": 2000}
    Image.new("RGB", (2 * W, 2 * H)).save(annotated.path(image))
    assert agree() == {"cot": 8000}
    source.unlink()
    assert annotated.objects().empty
    with pytest.raises(SceneLensError, match="cannot be read"):
        annotated.masks(image)


def test_a_photograph_replaced_by_one_of_the_same_length(tmp_path):
    """Turned by 90 degrees, a bitmap has as many bytes and as many pixels as before."""
    write_sun(tmp_path, annotation_xml(object_xml("bed", BOX), size=None), "b/bedroom/a.bmp")
    path = tmp_path / "Images/b/bedroom/a.bmp"
    assert AnnotatedImages(tmp_path, tmp_path / "cache").objects().area.tolist() == [2000]
    length = path.stat().st_size
    Image.new("RGB", (40, 300)).save(path)
    assert path.stat().st_size == length
    assert AnnotatedImages(tmp_path, tmp_path / "cache").objects().area.tolist() == [29 * 40]


def test_an_old_table_by_time_stamps_is_not_used_for_a_newer_photograph(tmp_path):
    source = write_sun(tmp_path, annotation_xml(object_xml("bed", BOX)))
    cache = tmp_path / "cache"
    annotated = AnnotatedImages(tmp_path, cache)
    tables = [table.to_dict("split", index=False) for table in (annotated.objects(), annotated.report())]
    key = annotated._hashed([(annotated.images[0], source.stat().st_size, source.stat().st_mtime_ns)])
    for path in cache.glob("*.json"):
        path.unlink()
    (cache / f"objects-{key}.json").write_text(json.dumps(tables))
    Image.new("RGB", (2 * W, 2 * H)).save(annotated.path(annotated.images[0]))
    assert AnnotatedImages(tmp_path, cache).objects().area.tolist() == [8000]


def test_the_colours_are_part_of_the_key(tmp_path):
    write_masks(tmp_path, half_sky())
    cache = tmp_path / "cache"
    assert ColourMasks(tmp_path, COLOURS, cache).objects().object.tolist() == ["road", "sky"]
    renamed = {"street": COLOURS["road"], "sky": COLOURS["sky"]}
    assert ColourMasks(tmp_path, renamed, cache).objects().object.tolist() == ["street", "sky"]
    swapped = {"road": COLOURS["sky"], "sky": COLOURS["road"]}
    table = ColourMasks(tmp_path, swapped, cache)
    assert table.objects().object.tolist() == ["road", "sky"]
    assert table.masks("a.jpg")["road"][0].all()
    fewer = ColourMasks(tmp_path, {"sky": COLOURS["sky"]}, cache)
    assert fewer.objects().object.tolist() == ["sky"]
    assert fewer.report().kind.tolist() == ["unknown colour"]


def test_a_legend_that_changes_while_a_set_is_open(tmp_path):
    write_sun(tmp_path, annotation_xml(object_xml("bed", BOX)))
    annotated = AnnotatedImages(tmp_path)
    image = annotated.images[0]
    write_label_map(tmp_path, image, "materials", np.ones((H, W), int))
    write_legend(tmp_path, "materials", {1: "wood"})
    assert set(annotated.label_map(image, "materials").masks()) == {"wood"}
    write_legend(tmp_path, "materials", {1: "cloth"})
    assert set(annotated.label_map(image, "materials").masks()) == {"cloth"}


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": "b"}', '{"1": ["leg"]}', "[" * 100_000, '{"1": 5}'])
def test_a_broken_legend_is_a_row_of_the_report(tmp_path, text):
    write_sun(tmp_path, annotation_xml(object_xml("bed", BOX)))
    annotated = AnnotatedImages(tmp_path)
    (tmp_path / "Labels").mkdir()
    (tmp_path / "Labels/materials.json").write_text(text)
    assert annotated.kinds == ("objects", "parts")
    report = annotated.report()
    assert report.image.tolist() == ["Labels/materials.json"]
    assert "is not a legend" in report.detail[0]
    with pytest.raises(SceneLensError, match="is not a legend"):
        annotated.label_map(annotated.images[0], "materials")


@pytest.mark.parametrize("shape", [(W, H), (H, W - 2), (H + 7, W), (1, 3), (H // 2, W)])
def test_a_mask_of_another_shape_is_refused(tmp_path, shape):
    write_masks(tmp_path, half_sky(*shape))
    annotated = ColourMasks(tmp_path, COLOURS)
    with pytest.raises(SceneLensError, match="another shape"):
        annotated.masks("a.jpg")
    assert annotated.objects().empty
    assert annotated.report().kind.tolist() == ["unreadable"]


def test_a_mask_of_another_scale_is_reported(tmp_path):
    write_masks(tmp_path, half_sky(H // 2, W // 2))
    annotated = ColourMasks(tmp_path, COLOURS)
    assert annotated.masks("a.jpg")["sky"].sum() == H * W / 2
    assert annotated.report().kind.tolist() == ["mask size"]


def test_a_label_map_of_another_shape_or_scale(tmp_path):
    write_sun(tmp_path, annotation_xml(object_xml("bed", BOX)))
    annotated = AnnotatedImages(tmp_path)
    image = annotated.images[0]
    write_legend(tmp_path, "parts", {1: "leg"})
    assert annotated.report().kind.tolist() == ["no label map"]
    write_label_map(tmp_path, image, "parts", np.ones((W, H), int))
    assert annotated.report().kind.tolist() == ["no label map"]
    assert [path.is_file() for path in annotated.label_files()] == [True, True]
    with pytest.raises(SceneLensError, match="another shape"):
        annotated.label_map(image, "parts")
    write_label_map(tmp_path, image, "parts", np.ones((2 * H, 2 * W), int))
    assert annotated.report().kind.tolist() == ["mask size"]
    write_label_map(tmp_path, image, "parts", np.ones((H, W), int))
    assert annotated.report().empty


@pytest.mark.parametrize(
    "colours",
    [
        {"road": [1, 2, 3], "street": [1, 2, 3]},
        {"road": [1, 2, 3], "unlabelled": [1, 2, 3]},
        {"road": 5},
        {"road": "abc"},
        {"road": [True, 1, 2]},
        ["road"],
    ],
)
def test_colours_that_are_twice_or_wrong(tmp_path, colours):
    write_masks(tmp_path, half_sky())
    with pytest.raises(SceneLensError, match="colour"):
        ColourMasks(tmp_path, colours)


def test_a_photograph_in_a_masks_place_has_a_short_report(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)
    write_masks(tmp_path, noise)
    report = ColourMasks(tmp_path, COLOURS).report()
    assert len(report) == 21
    assert report.kind.iloc[-1] == "more unknown colours"


def test_unknown_colours_are_counted_over_all_strips_of_a_mask(tmp_path, monkeypatch):
    def by_row(array):
        return [slice(row, row + 1) for row in range(len(array))]

    mask = half_sky()
    mask[:, :3] = (1, 2, 3)  # in every row, and two more colours in one row each
    mask[H // 2, 5:7], mask[-1, 5:10] = (0, 0, 9), (0, 0, 8)
    write_masks(tmp_path, mask)
    monkeypatch.setattr(ColourMasks, "_strips", staticmethod(by_row))
    report = ColourMasks(tmp_path, COLOURS).report()
    assert report.detail.tolist() == [
        "(0, 0, 8) in 5 pixels",
        "(0, 0, 9) in 2 pixels",
        f"(1, 2, 3) in {3 * H} pixels",
    ]


def test_a_mask_with_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    png = write_masks(tmp_path, half_sky())
    Image.new("1", (20_000, 9_000)).save(png)
    start = time.process_time()
    report = ColourMasks(tmp_path, COLOURS).report()
    assert report.kind.tolist() == ["unreadable"]
    assert time.process_time() - start < 1


def circle(n: int) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.column_stack([60 + 40 * np.cos(angle), 50 + 40 * np.sin(angle)])


def calls(call, *args) -> int:
    """How many functions a call runs: unlike time, the same on every machine."""
    profile = cProfile.Profile()
    profile.runcall(call, *args)
    return sum(one.callcount for one in profile.getstats())


def seconds(call, *args) -> float:
    start = time.process_time()
    call(*args)
    return time.process_time() - start


def test_a_long_outline_takes_time_in_proportion_to_its_points():
    Polygon(circle(300)).crosses_itself()
    assert seconds(Polygon(circle(100_000)).crosses_itself) < 2
    assert not Polygon(circle(20_000)).crosses_itself()
    bent = circle(20_000)
    bent[[5, 9]] = bent[[9, 5]]
    assert Polygon(bent).crosses_itself()


def test_crossings_are_found_as_by_comparing_all_pairs():
    def plain(points: np.ndarray) -> bool:
        edges = np.concatenate([points, np.roll(points, -1, axis=0)], axis=1)
        edges = [edge for edge in edges.tolist() if [*edge[2:], *edge[:2]] not in edges.tolist()]

        def side(a, p) -> float:
            return (a[2] - a[0]) * (p[1] - a[1]) - (a[3] - a[1]) * (p[0] - a[0])

        pairs = [(a, b) for k, a in enumerate(edges) for b in edges[:k]]
        return any(
            side(a, b[:2]) * side(a, b[2:]) < 0 and side(b, a[:2]) * side(b, a[2:]) < 0 for a, b in pairs
        )

    rng = np.random.default_rng(0)
    for n in [3, 4, 5, 8, 12, 130] * 8:
        points = circle(n) + rng.normal(0, rng.choice([0, 0.3, 3, 30]), (n, 2))
        points = points.round() if rng.random() < 0.5 else points
        assert Polygon(points).crosses_itself() == plain(points)


def test_an_outline_too_intricate_to_search_says_so():
    n = 20_000
    steps = np.arange(n) / n
    comb = np.column_stack([steps * 3 + np.arange(n) % 2 * 100, np.arange(n) % 2 * 100 - steps * 3])
    comb = np.concatenate([comb, [(300, 300), (-300, 300)]])
    assert Polygon(comb).crosses_itself() in (None, True)


def test_many_objects_of_one_name_take_time_in_proportion():
    def xml(n: int) -> bytes:
        corners = np.random.default_rng(n).uniform(0, 90, (n, 2)).tolist()
        return annotation_xml(
            *(object_xml("w", [(x, y), (x + 5, y), (x, y + 5)]) for x, y in corners)
        ).encode()

    parse_annotation(xml(3))
    few, many = calls(parse_annotation, xml(500)), calls(parse_annotation, xml(4000))
    assert many < 9 * few
    few, many = (calls(rasterise, parse_annotation(xml(n))) for n in (500, 4000))
    assert many < 9 * few


def test_objects_and_points_of_one_file_are_counted(monkeypatch):
    monkeypatch.setattr("scenelens.annotations.file_checks._MOST_POINTS", 10)
    annotation = parse_annotation(annotation_xml(*[object_xml(f"w{k}", BOX) for k in range(5)]).encode())
    assert len(annotation.objects) == 2
    assert "3 objects were left out" in annotation.report[-1].detail


def test_outlines_over_outlines_are_limited(monkeypatch):
    annotation = parse_annotation(annotation_xml(*[object_xml(f"w{k}", BOX) for k in range(3)]).encode())
    monkeypatch.setattr("scenelens.annotations.filling._MOST_KEPT", 2500)
    assert sum(mask.sum() for mask in rasterise(annotation).values()) == 2000
    monkeypatch.setattr("scenelens.annotations.outlined._MOST_PAINTED", 5000)
    with pytest.raises(SceneLensError, match="pixels in all"):
        rasterise(annotation)


def test_masks_of_many_pieces_become_polygons_in_time():
    def dots(n: int) -> np.ndarray:
        mask = np.ones((2 * n + 1, 2 * n + 1), bool)
        mask[1::2, 1::2] = False
        mask[:, 1 : 2 * n : 2] = False  # columns, so that there are many pieces
        return mask

    few, many = seconds(mask_to_polygons, dots(40)), seconds(mask_to_polygons, dots(160))
    assert many < 40 * max(few, 0.01)


def test_a_damaged_table_is_noticed_whatever_byte_it_is(tmp_path):
    write_sun(tmp_path, annotation_xml(object_xml("bed", BOX), object_xml("lamp")))
    cache = tmp_path / "cache"
    first = AnnotatedImages(tmp_path, cache).objects()
    (kept,) = cache.glob("objects-*.json")
    content = kept.read_bytes()
    rng = random.Random(0)
    for _ in range(60):
        kept.write_bytes(damaged(content, rng))
        pd.testing.assert_frame_equal(AnnotatedImages(tmp_path, cache).objects(), first)
        assert kept.read_bytes() == content


@pytest.mark.slow
def test_kernels_stay_within_their_arrays(tmp_path):
    """The tests of far points and mutated files once more, with bounds checks compiled in."""
    checked = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    which = "far_points or far_point or mutated or size_that_no_photograph"
    options = ["-q", "-p", "no:cacheprovider", "--noconftest"]  # which would import torch
    command = [sys.executable, "-m", "pytest", *options, "-k", which, __file__]
    done = subprocess.run(command, env=checked, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:]
