"""Automatic segments follow an image's edges; annotated ones people's polygons, whatever the format."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from scenelens.annotations.ade20k import ADE20K
from scenelens.annotations.instances import InstanceAnnotations
from scenelens.annotations.interface import Instance, LabelMap
from scenelens.errors import SceneLensError
from scenelens.images import load_image
from scenelens.minimal_images.segmentation import _joined, regions_from_annotation, segment_image


def quarters() -> np.ndarray:
    """Four flat colours, their corner at (30, 50)."""
    image = np.zeros((60, 90, 3), np.uint8)
    image[:30, :50], image[:30, 50:], image[30:, :50], image[30:, 50:] = (
        (200, 40, 40),
        (40, 200, 40),
        (40, 40, 200),
        (220, 220, 60),
    )
    return image


def test_regions_are_the_four_colours():
    found = segment_image(quarters(), n_regions=4, n_edges=0)
    assert len(found) == 4
    for region in range(4):
        colours = np.unique(quarters()[found.segment_map == region], axis=0, return_counts=True)[1]
        assert colours.max() > 0.93 * colours.sum()
    assert found.segment_map[0, 0] == 0
    assert found.segment_map[0, -1] == 1  # numbered in reading order


def test_edges_hold_the_steps():
    found = segment_image(quarters(), n_regions=4, n_edges=4)
    assert found.kinds.count("edge") == 4
    edges = found.mask([kind == "edge" for kind in found.kinds])
    assert edges.mean() < 0.2
    assert edges[:, 49].mean() > 0.9
    assert edges[29].mean() > 0.9


def test_the_strongest_edge_comes_first():
    image = np.full((40, 90, 3), 100, np.uint8)
    image[:, 30:], image[:, 60:] = 110, 250
    found = segment_image(image, n_regions=3, n_edges=2)
    strongest = found.names.index("edge 0")
    assert np.flatnonzero((found.segment_map == strongest).any(0)).mean() == pytest.approx(59.5, abs=2)


@given(
    st.integers(0, 999), st.integers(2, 12), st.integers(0, 5), st.sampled_from([(30, 40), (7, 5), (2, 2)])
)
@settings(max_examples=12, deadline=None)
def test_every_pixel_in_one_segment_and_the_same_every_time(seed, n_regions, n_edges, shape):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = segment_image(image, n_regions, n_edges)
    assert found.shape == shape
    assert (found.shares > 0).all()
    assert found.kinds.count("region") <= n_regions
    assert found.kinds.count("edge") <= n_edges
    assert found.hash == segment_image(image, n_regions, n_edges).hash


def test_regions_hang_together():
    rng = np.random.default_rng(3)
    blocks = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8).repeat(12, 0).repeat(12, 1)
    found = segment_image(blocks, n_regions=12, n_edges=0)
    assert len(found) == 12
    assert all(label(found.segment_map == region, np.ones((3, 3)))[1] == 1 for region in range(12))


def test_an_image_without_anything_on_it():
    found = segment_image(np.full((50, 50, 3), 128, np.uint8), n_regions=5, n_edges=5)
    assert 2 <= len(found) <= 5
    assert "edge" not in found.kinds


@pytest.mark.parametrize("numbers", [{"n_regions": 1}, {"n_edges": -1}, {"edge_width": 1}])
def test_numbers_out_of_range(numbers):
    with pytest.raises(SceneLensError, match="take at least 2 regions"):
        segment_image(quarters(), **numbers)


# ---- annotations ---------------------------------------------------------------------------------------


class Painted(InstanceAnnotations):
    """One photograph, 'room/a.png', of a wall (0) with two lamps (1, 2) and a hole that no outline covers."""

    def __init__(self, tmp_path) -> None:
        super().__init__({"room/a.png": tmp_path / "a.png"}, {})
        self.codes = np.ones((8, 8), np.int32)
        self.codes[1:4, 1:4], self.codes[5:7, 5:7], self.codes[0, 7] = 2, 3, 0

    def instances(self, image, shape=None):
        self._check_image(image)
        things = [Instance("wall", 0), Instance("lamp", 1), Instance("lamp", 2), Instance("hidden", 3)]
        return self.codes, things


def test_objects_and_what_no_outline_covers(tmp_path):
    found = regions_from_annotation(Painted(tmp_path), "room/a.png")
    assert found.names == ("unlabelled", "wall", "lamp", "lamp")  # what is wholly covered is no segment
    assert set(found.kinds) == {"object"}
    np.testing.assert_array_equal(found.segment_map, Painted(tmp_path).codes)


def test_things_by_name(tmp_path):
    found = regions_from_annotation(Painted(tmp_path), "room/a.png", by="name")
    assert sorted(found.names) == ["lamp", "unlabelled", "wall"]
    assert found.shares[found.names.index("lamp")] == 13 / 64


def test_annotations_that_know_names_only(tmp_path):
    class Names:
        def label_map(self, image, kind, shape):
            return LabelMap(np.array([[1, 2], [1, 2]], np.int32), {1: "sky", 2: "sea"})

    assert regions_from_annotation(Names(), "a").names == ("sky", "sea")


@pytest.mark.parametrize(
    ("at_most", "names"),
    [
        (60, ["car", "car", "person", "person", "person"]),
        (5, ["car", "car", "person", "person", "person"]),
        (4, ["car", "car", "person", "person"]),
        (3, ["car", "car", "person"]),
        (2, ["car", "person"]),
        (1, ["car", "person"]),
    ],
)
def test_the_smallest_things_are_taken_together(at_most, names):
    codes = np.repeat(np.arange(1, 6), [9, 8, 7, 6, 5])[None]  # cars of 9 and 7 px, people of 8, 6 and 5
    things = ["car", "person", "car", "person", "person"]
    joined, named = _joined(codes, things, at_most)
    assert sorted(named[code] for code in np.unique(joined)) == names
    assert all(named[new] == things[old - 1] for new, old in zip(joined.ravel(), codes.ravel(), strict=True))
    assert joined[0, 0] == 1  # the largest keeps its own


def test_bad_questions(tmp_path):
    with pytest.raises(SceneLensError, match="by='colour'"):
        regions_from_annotation(Painted(tmp_path), "room/a.png", by="colour")
    with pytest.raises(SceneLensError, match="close names: room/a"):
        regions_from_annotation(Painted(tmp_path), "room/b.png")


# ---- real photographs ----------------------------------------------------------------------------------


def test_real_photographs_with_polygons(real):
    annotations = ADE20K(real / "ade20k_indoor")
    image = annotations.images[0]
    found = regions_from_annotation(annotations, image)
    masks = annotations.masks(image)
    assert found.shape == annotations.size(image)
    for name, mask in masks.items():
        np.testing.assert_array_equal(found.mask([one == name for one in found.names]), mask)
    assert set(found.names) - {"unlabelled"} == {name for name, mask in masks.items() if mask.any()}


def test_real_photographs_without(real):
    photograph = load_image(sorted((real / "photos" / "scene").rglob("*.jpg"))[0])
    found = segment_image(photograph[:200, :200])
    assert found.kinds.count("region") == 30
    assert 1 <= found.kinds.count("edge") <= 10
    assert found.hash == replace(found).hash


def test_many_objects_are_joined_as_few_are():
    """The largest that fit stay separate: by trying every number, from all down."""
    rng = np.random.default_rng(0)
    for n, at_most in ((1, 3), (7, 4), (40, 12), (40, 60), (300, 60)):
        names = [f"thing {k}" for k in rng.integers(0, 9, n)]
        codes = rng.integers(0, n + 1, (30, 30)) if n < 100 else np.arange(900).reshape(30, 30) % (n + 1)
        areas = np.bincount(codes.ravel(), minlength=n + 1)
        order = [k for k in np.argsort(-areas[1:], kind="stable") + 1 if areas[k]]
        fits = [s for s in range(len(order) + 1) if s + len({names[k - 1] for k in order[s:]}) + 1 <= at_most]
        found, _ = _joined(codes, names, at_most)
        separate = max(fits, default=0)
        kept = [k for k in order[:separate] if (found[codes == k] == k).all()]
        assert len(kept) == separate
        assert len(set(np.unique(found)) - {0}) == separate + len({names[k - 1] for k in order[separate:]})
