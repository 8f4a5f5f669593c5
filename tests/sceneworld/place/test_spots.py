"""Footprints and boxes, compared with other ways of computing them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelens.sceneworld.place.spots import covered, footprint, overlap
from scenelens.sceneworld.place.stages import build_stage
from tests.sceneworld.place.plain_places import Spot, in_frame, screen_box, share_wall

metres = st.floats(-3, 3)
side = st.floats(0.1, 3)
feet = st.builds(footprint, metres, metres, side, side, st.floats(-180, 180))


def corners(foot):
    x, z, w, d, c, s = foot
    return np.array(
        [
            (x + p * w * c + q * d * s, z - p * w * s + q * d * c)
            for p, q in ((1, 1), (1, -1), (-1, -1), (-1, 1))
        ]
    )


def inside(points, foot):
    x, z, w, d, c, s = foot
    along, across = (points - (x, z)) @ (c, -s), (points - (x, z)) @ (s, c)
    return (abs(along) < w) & (abs(across) < d)


@settings(max_examples=150, deadline=None)
@given(feet, feet)
def test_overlap_agrees_with_sampled_points(a, b):
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 41)] * 2), -1).reshape(-1, 2)
    x, z, w, d, c, s = a
    points = np.stack(
        [x + grid[:, 0] * w * c + grid[:, 1] * d * s, z - grid[:, 0] * w * s + grid[:, 1] * d * c], 1
    )
    assert overlap(a, b, 0) or not inside(points, b).any()
    assert overlap(a, b, 0) == overlap(b, a, 0)
    if not overlap(a, b, 0.02):
        assert not inside(corners(b), a).any()


def apart(a, b, gap):
    """Whether an axis of either rectangle separates their corners by `gap` metres."""
    for foot, other in ((a, b), (b, a)):
        c, s = foot[4:]
        for axis in ((c, -s), (s, c)):
            mine, theirs = corners(foot) @ axis, corners(other) @ axis
            if max(theirs.min() - mine.max(), mine.min() - theirs.max()) > gap:
                return True
    return False


@settings(max_examples=300, deadline=None)
@given(feet, feet, st.sampled_from((-0.02, 0.01, 0.04, 0.5)))
def test_overlap_is_the_lack_of_a_separating_axis(a, b, gap):
    assert overlap(a, b, gap + 1e-6) or apart(a, b, gap)
    assert not overlap(a, b, gap - 1e-6) or not apart(a, b, gap)


def test_a_gap_is_respected():
    a, b = footprint(0, 0, 2, 1, 0), footprint(2.05, 0, 2, 1, 0)
    assert not overlap(a, b, 0.0)
    assert overlap(a, b, 0.1)


@pytest.mark.parametrize("setting", ["indoor", "outdoor"])
def test_a_screen_box_holds_the_blocks_corners_as_the_camera_projects_them(setting):
    stage = build_stage(setting, 3)
    foot = footprint(0.4, 4.0, 1.2, 0.7, 35)
    box, ahead = screen_box(stage.view, foot, 0.2, 1.5)
    seen = [stage.camera.project((x, y, z)) for x, z in corners(foot) for y in (0.2, 1.7)]
    columns, rows = [p[0] for p in seen], [p[1] for p in seen]
    assert np.allclose(box, (min(columns), min(rows), max(columns), max(rows)))
    assert np.isclose(ahead, stage.camera.project((0.4, 0.2, 4.0))[2])


def test_nothing_behind_the_viewer_has_a_box():
    stage = build_stage("outdoor", 0)
    assert screen_box(stage.view, footprint(0, -5, 1, 1, 0), 0, 1) == (None, 0.0)


def test_shares_covered_and_in_the_frame():
    assert covered((0, 0, 10, 10), (20, 0, 30, 10)) == 0
    assert covered((0, 0, 10, 10), (-5, -5, 15, 15)) == 1
    assert covered((0, 0, 10, 10), (5, 5, 15, 15)) == 0.25
    assert in_frame((-10, 0, 10, 10)) == 0.5


def test_things_share_a_wall_only_on_the_same_one():
    a = Spot((0, 0, 1, 1), 1, wall="back", stretch=(0, 1, 1, 2))
    b = Spot((0, 0, 1, 1), 1, wall="back", stretch=(1.02, 1, 2, 2))
    c = Spot((0, 0, 1, 1), 1, wall="left", stretch=(0, 1, 1, 2))
    assert share_wall(a, b, 0.05)
    assert not share_wall(a, b, 0.01)
    assert not share_wall(a, c, 0.05)
