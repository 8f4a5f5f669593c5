"""Colour terms of typical colours; elements of images that were drawn with one of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scenelens.errors import SceneLensError
from scenelens.labels.colours_and_elements import (
    _COLOURS,
    _ELEMENTS,
    _colour_map,
    _element_map,
    _name_colours,
)

# CSS colours whose names leave no doubt about the term.
KNOWN = {
    "black": [(0, 0, 0), (20, 20, 20), (10, 5, 8)],
    "grey": [(128, 128, 128), (80, 82, 80), (190, 190, 190)],
    "white": [(255, 255, 255), (240, 240, 245)],
    "red": [(255, 0, 0), (178, 34, 34), (139, 0, 0), (220, 20, 60)],
    "orange": [(255, 165, 0), (255, 140, 0), (230, 120, 30)],
    "brown": [(139, 69, 19), (101, 67, 33), (92, 64, 51)],
    "yellow": [(255, 255, 0), (255, 215, 0), (240, 230, 60)],
    "green": [(0, 128, 0), (0, 255, 0), (34, 139, 34), (107, 142, 35)],
    "blue": [(0, 0, 255), (65, 105, 225), (135, 206, 235), (0, 0, 128)],
    "purple": [(128, 0, 128), (148, 0, 211), (102, 51, 153)],
    "pink": [(255, 192, 203), (255, 105, 180), (255, 182, 193)],
}


def test_every_basic_term_names_the_colours_it_names_in_english():
    assert sorted(KNOWN) == sorted(_COLOURS)
    for term, colours in KNOWN.items():
        named = [_COLOURS[number] for number in _name_colours(np.array(colours, np.uint8))]
        assert named == [term] * len(colours), term


def test_the_map_follows_the_definition_and_covers_every_pixel():
    ramp = (np.arange(32) * 8 + 4).astype(np.uint8)
    image = np.stack([*np.meshgrid(ramp, ramp, indexing="ij"), np.full((32, 32), 100, np.uint8)], -1)
    codes = _colour_map(image).codes
    assert np.array_equal(codes, _name_colours(np.where([True, True, False], image, 100)) + 1)
    assert codes.min() >= 1


def lines(angle: float, profile) -> np.ndarray:
    """A picture whose lightness depends on the distance to the middle, across a direction in degrees."""
    y, x = np.mgrid[-24:25, -24:25].astype(float)
    distance = x * np.sin(np.radians(angle)) + y * np.cos(np.radians(angle))
    return np.repeat(profile(distance)[..., None], 3, -1).clip(0, 255).astype(np.uint8)


DIRECTIONS = {"horizontal": 0, "rising": 45, "vertical": 90, "falling": 135}


@pytest.mark.parametrize(("direction", "angle"), DIRECTIONS.items())
@pytest.mark.parametrize("turn", [-15, 0, 15])
@pytest.mark.parametrize("sign", [-1, 1])
def test_an_edge_has_the_direction_it_runs_in(direction, angle, turn, sign):
    found = _element_map(lines(angle + turn, lambda d: 128 + sign * 100 * np.tanh(d)))
    assert found.names[found.codes[24, 24]] == f"{direction} edge"


@pytest.mark.parametrize(("direction", "angle"), DIRECTIONS.items())
@pytest.mark.parametrize("turn", [-15, 0, 15])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_line_has_the_direction_it_runs_in(direction, angle, turn, sign):
    found = _element_map(lines(angle + turn, lambda d: 128 + sign * 100 * np.exp(-(d**2) / 8)))
    assert found.names[found.codes[24, 24]] == f"{direction} line"


@pytest.mark.parametrize(("name", "inside"), [("light blob", 230), ("dark blob", 20)])
def test_a_spot_is_a_blob(name, inside):
    image = np.full((49, 49, 3), 128, np.uint8)
    cv2.circle(image, (24, 24), 3, (inside,) * 3, -1)
    found = _element_map(image)
    assert found.names[found.codes[24, 24]] == name


@given(st.integers(0, 255))
@settings(max_examples=10, deadline=None)
def test_a_plain_image_has_no_element(value):
    assert not _element_map(np.full((16, 16, 3), value, np.uint8)).codes.any()


def test_weak_contrast_is_no_element_and_strong_contrast_is_one():
    assert not _element_map(lines(0, lambda d: 128 + 2 * np.sign(d))).codes.any()
    assert _element_map(lines(0, lambda d: 128 + 40 * np.sign(d))).codes.any()


@given(arrays(np.uint8, (12, 12, 3), elements=st.integers(0, 255)))
@settings(max_examples=20, deadline=None)
def test_turning_an_image_turns_its_elements(image):
    swap = {"horizontal": "vertical", "vertical": "horizontal"}
    upright, turned = (_element_map(one).masks() for one in (image, np.rot90(image).copy()))
    for name in ("horizontal edge", "vertical line", "light blob"):
        direction, kind = name.split()
        other = f"{swap.get(direction, direction)} {kind}"
        here = np.rot90(upright.get(name, np.zeros((12, 12), bool)))
        assert np.mean(here != turned.get(other, np.zeros((12, 12), bool))) < 0.05  # ties at 22.5 degrees


def test_other_arrays_are_refused():
    for wrong in (np.zeros((4, 4)), np.zeros((4, 4, 3))):
        with pytest.raises(SceneLensError):
            _colour_map(wrong)
        with pytest.raises(SceneLensError):
            _name_colours(wrong)
        with pytest.raises(SceneLensError):
            _element_map(wrong)
    assert len(_ELEMENTS) == 10
