"""Counting by hand what is kept, and a whole run over a few annotated pictures, cached and read again."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scenelens.annotations.outlined import AnnotatedObject
from scenelens.annotations.polygons import mask_to_polygons
from scenelens.annotations.sun import AnnotatedImages, write_annotation
from scenelens.errors import SceneLensError
from scenelens.intervals import wilson_interval
from scenelens.minimal_images.cut_image import CutImage
from scenelens.minimal_images.retention_search import (
    Retention,
    _ImageRetention,
    _retention_table,
    _RetentionSearch,
    retention,
)
from scenelens.minimal_images.search import minimal_image
from scenelens.minimal_images.segmentation import regions_from_annotation
from tests.minimal_images.test_cut_image import grid
from tests.small_network import SIZE, photograph, small_network

BED = _ImageRetention(
    "a", "", ("bed", "wall", "bed"), (0.25, 0.5, 0.25), (False, False, True), (False, True, False)
)
LAMP = _ImageRetention("b", "", ("bed", "unlabelled"), (0.5, 0.5), (False, True), (True, False))


def test_the_table_by_hand():
    table = _retention_table([BED, LAMP]).set_index("object")
    assert list(table.index) == ["bed", "wall"]  # what no outline covers is no object
    bed = table.loc["bed"]
    assert (bed.n, bed.kept, bed.share, bed.area) == (2, 1, 0.5, 0.5)
    assert (bed.low, bed.high) == wilson_interval(1, 2)
    assert (bed.random, bed.random_low, bed.random_high) == (0.5, *wilson_interval(1, 2))
    assert bed.by_chance == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert (table.loc["wall"].share, table.loc["wall"].random) == (0, 1)


def test_no_image_no_object():
    table = _retention_table([])
    assert len(table) == 0
    assert "by_chance" in table


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=7))
@settings(max_examples=30, deadline=None)
def test_chance_is_the_share_of_all_choices(segments):
    names, kept = zip(*segments, strict=True)
    one = _ImageRetention("x", "", names, (1 / len(names),) * len(names), kept, kept)
    choices = list(combinations(names, sum(kept)))
    for name in set(names):
        assert one.chance(name) == pytest.approx(sum(name in choice for choice in choices) / len(choices))
        assert one.keeps(name, kept) == any(k for n, k in segments if n == name)


@pytest.fixture
def annotated(tmp_path) -> AnnotatedImages:
    """Eight pictures of 'attic' in the SUN layout, four boxes each (two named 'bed'), and one 'beach'."""
    for number in range(9):
        folder = "attic" if number < 8 else "beach"
        (tmp_path / "Images" / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(photograph(number)).save(tmp_path / "Images" / folder / f"{number}.png")
        boxes = [grid(2, 2) == k for k in range(3)]  # no outline covers the fourth quarter
        things = [
            AnnotatedObject(name, tuple(mask_to_polygons(box)))
            for name, box in zip(("bed", "lamp", "bed"), boxes, strict=True)
        ]
        path = tmp_path / "Annotations" / folder / f"{number}.xml"
        write_annotation(path, f"{number}.png", folder, SIZE, things)
    return AnnotatedImages(tmp_path)


def test_a_run_counts_what_single_searches_find(annotated):
    network = small_network()
    found = retention(network, annotated, "attic", progress=False)
    assert len(found.per_image) == 8
    kept = []
    for image in annotated.images[:8]:
        regions = regions_from_annotation(annotated, image)
        single = minimal_image(network, annotated.path(image), regions, "attic")
        reason = next(one.reason for one in found.per_image if one.image == image)
        assert reason == single.reason
        if single.simplified:
            kept.append({name for name, here in zip(regions.names, single.kept, strict=True) if here})
    assert 0 < len(kept) == len(found.counted)
    lamp = found.table.set_index("object").loc["lamp"]
    assert (lamp.n, lamp.kept) == (len(kept), sum("lamp" in names for names in kept))
    assert lamp.area == pytest.approx(0.25)
    assert set(found.table.object) == {"bed", "lamp"}
    assert found.images.image.tolist() == annotated.images[:8]
    assert found.provenance["n_images"] == 8


def test_the_rule_of_half_counts_what_single_searches_find(annotated):
    network = small_network()
    found = retention(network, annotated, "attic", progress=False, rule="half")
    by_class = retention(network, annotated, "attic", progress=False)
    assert found.per_image == by_class.per_image  # one search serves both
    assert found.rule == "half"
    for one in found.counted:
        regions = regions_from_annotation(annotated, one.image)
        single = minimal_image(network, annotated.path(one.image), regions, "attic", rule="half")
        assert one.half == tuple(single.kept.tolist())
    kept = sum(one.keeps("lamp", one.half) for one in found.counted)
    lamp = found.table.set_index("object").loc["lamp"]
    assert (lamp.n, lamp.kept) == (len(found.counted), kept)
    assert math.isnan(lamp.random)
    assert lamp.by_chance == pytest.approx(np.mean([sum(one.half) / 4 for one in found.counted]))
    assert found.images.kept.sum() == sum(sum(one.half) for one in found.counted)
    with pytest.raises(SceneLensError, match="no rule 'haf'; close names: half"):
        retention(network, annotated, "attic", progress=False, rule="haf")


def test_what_is_said_of_the_empty_picture_is_what_the_network_says_of_one_colour(annotated):
    network = small_network()
    found = retention(network, annotated, "attic", progress=False)
    for one in found.counted:
        frame = network.show_input(np.asarray(Image.open(annotated.path(one.image))))
        flat = np.broadcast_to(np.floor(frame.mean((0, 1)) + 0.5).astype(np.uint8), frame.shape)
        assert one.empty == network.predict(flat, framed=True).predicted[0]
    assert found.images["empty"].tolist() == [one.empty for one in found.per_image]


def test_results_by_one_rule_serve_that_rule_only(annotated, monkeypatch):
    network = small_network()
    found = retention(network, annotated, "attic", progress=False)
    known = {one.image: replace(one, half=(), empty="") for one in found.counted}
    searched = []
    search = _RetentionSearch._search
    monkeypatch.setattr(
        _RetentionSearch,
        "_search",
        lambda self, image, *what: searched.append(image) or search(self, image, *what),
    )
    assert retention(network, annotated, "attic", known=known, progress=False).table.equals(found.table)
    assert not set(searched) & set(known)
    again = retention(network, annotated, "attic", known=known, progress=False, rule="half")
    assert set(searched) >= set(known)
    assert again.per_image == found.per_image


def test_pixels_by_chance_are_the_share_of_the_segments():
    """Two of three segments are kept: any two hold, on average, two thirds of the pixels."""
    one = _ImageRetention("a", "", ("a", "b", "c"), (0.7, 0.2, 0.1), (True, False, True), (True,) * 3)
    images = Retention("x", "x", (one, _ImageRetention("b", "unreadable")), {}).images
    assert images.by_chance.tolist() == [pytest.approx(2 / 3), 0]
    pairs = [sum(pair) for pair in combinations(one.shares, 2)]
    assert images.by_chance[0] == pytest.approx(np.mean(pairs))


def test_what_is_done_is_not_done_again(annotated, tmp_path, monkeypatch):
    network, cache = small_network(), tmp_path / "cache"
    first = retention(network, annotated, "attic", cache=cache, progress=False)
    assert len(list(cache.glob("minimal-*.json"))) == 8

    def never(*_):
        raise AssertionError("searched again")

    with monkeypatch.context() as patch:
        patch.setattr(CutImage, "__init__", never)
        assert retention(network, annotated, "attic", cache=cache, progress=False) == first
        with pytest.raises(AssertionError, match="searched again"):
            retention(network, annotated, "attic", cache=cache, seed=1, progress=False)
        with pytest.raises(AssertionError, match="searched again"):
            retention(small_network(1), annotated, "attic", cache=cache, progress=False)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"image": 3, "colour": 4}'])
def test_a_damaged_cached_search_is_done_again(annotated, tmp_path, content):
    network, cache = small_network(), tmp_path / "cache"
    first = retention(network, annotated, "attic", n_images=1, cache=cache, progress=False)
    (path,) = cache.glob("*.json")
    whole = json.loads(path.read_text())
    path.write_text(content)
    assert retention(network, annotated, "attic", n_images=1, cache=cache, progress=False) == first
    assert json.loads(path.read_text()) == whole


def test_random_orders_differ_between_images(annotated):
    found = retention(small_network(), annotated, "attic", progress=False)
    again = retention(small_network(), annotated, "attic", progress=False)
    assert found == again
    others = [retention(small_network(), annotated, "attic", seed=s, progress=False) for s in range(1, 6)]
    assert any(other.per_image != found.per_image for other in others)
    assert all([o.greedy for o in other.per_image] == [o.greedy for o in found.per_image] for other in others)


def test_images_that_cannot_count_are_named(annotated):
    path = annotated.path("attic/0.png")
    path.write_bytes(path.read_bytes()[:200])
    write_annotation(annotated.root / "Annotations" / "attic" / "1.xml", "1.png", "attic", SIZE, [])
    images = retention(small_network(), annotated, "attic", progress=False).images.set_index("image")
    assert images.reason["attic/0.png"].startswith("unreadable")
    assert images.reason["attic/1.png"] == "one segment only"
    assert images.kept["attic/0.png"] == 0


def test_a_few_images_spread_over_all(annotated):
    found = retention(small_network(), annotated, "attic", n_images=3, progress=False)
    assert [one.image for one in found.per_image] == ["attic/0.png", "attic/2.png", "attic/5.png"]


def test_the_time_is_said_beforehand(annotated, capsys):
    retention(small_network(), annotated, "attic")
    assert "Simplifying 8 images takes up to about" in capsys.readouterr().out


def test_no_time_is_said_where_nothing_is_left_to_do(annotated, capsys, tmp_path):
    """Also not of images that the network does not recognise: that was found out by the first run."""
    network = small_network()
    first = retention(network, annotated, "attic", target="beach", cache=tmp_path)
    assert any(one.reason for one in first.per_image)
    assert "Simplifying 8 images" in capsys.readouterr().out
    assert retention(network, annotated, "attic", target="beach", cache=tmp_path) == first
    said = capsys.readouterr()
    assert "Simplifying" not in said.out
    assert "minimal images of" not in said.err  # nor is there a bar


def test_bad_questions(annotated):
    network = small_network()
    with pytest.raises(SceneLensError, match="no annotated image shows a 'atic'; close names: attic"):
        retention(network, annotated, "atic")
    with pytest.raises(SceneLensError, match="at least one image"):
        retention(network, annotated, "attic", n_images=0)
    with pytest.raises(SceneLensError, match="has no class 'kitchen'"):
        retention(network, annotated, "attic", target="kitchen")
    assert retention(network, annotated, "beach", target="cave", progress=False).target == "cave"


def test_shares_of_segments_are_the_frames(annotated):
    found = retention(small_network(), annotated, "attic", progress=False)
    for one in found.counted:
        assert math.isclose(sum(one.shares), 1)
        np.testing.assert_allclose(one.area("bed"), 0.5)
