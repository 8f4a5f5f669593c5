"""Meshes: closed, outward, of the size they promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelens.errors import SceneLensError
from scenelens.sceneworld import shapes
from scenelens.sceneworld.outlines import OUTLINES, extruded, outline_points


def volume(mesh: shapes.Mesh) -> float:
    """Signed volume by the divergence theorem: positive if the faces turn outward."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


SOLIDS = {
    "box": (shapes.box(), 1.0, 0.0),
    "cylinder": (shapes.revolved(1.0, 1.0, 40), math.pi, 0.02),
    "cone": (shapes.revolved(1.0, 0.0, 40), math.pi / 3, 0.02),
    "sphere": (shapes.sphere(40), 4 * math.pi / 3, 0.04),
    "dome": (shapes.sphere(40, 0.5), 2 * math.pi / 3, 0.04),
    "torus": (shapes.torus(0.25, 60, 30), 2 * math.pi**2 * 0.25**2, 0.03),
    "wedge": (shapes.wedge(), 0.5, 0.0),
    "hip roof": (shapes.wedge(0.0), 1 / 3, 0.0),
    "capsule": (shapes.capsule(0.5, 40), math.pi / 6, 0.08),
    "tube": (shapes.tube(((0, 0, 0), (0, 0, 1), (0, 0, 2)), 0.1, 40), 0.02 * math.pi, 0.02),
}


@pytest.mark.parametrize("name", SOLIDS)
def test_solids_are_closed_outward_and_of_known_volume(name):
    mesh, expected, slack = SOLIDS[name]
    assert volume(mesh) == pytest.approx(expected, rel=slack + 1e-9)


@pytest.mark.parametrize("outline", sorted(OUTLINES))
def test_slab_has_the_outlines_area_as_volume(outline):
    x, y = np.array(outline_points(outline)).T
    area = abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2
    assert volume(extruded(outline_points(outline))) == pytest.approx(area, rel=1e-9)


@given(st.lists(st.floats(0.1, 2.0), min_size=3, max_size=12))
def test_any_star_shaped_outline_is_cut_without_loss(radii):
    turn = np.arange(len(radii)) * 2 * math.pi / len(radii)
    points = tuple(
        zip((np.array(radii) * np.cos(turn)).tolist(), (np.array(radii) * np.sin(turn)).tolist(), strict=True)
    )
    x, y = np.array(points).T
    area = np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2
    assert volume(extruded(points)) == pytest.approx(area, rel=1e-6, abs=1e-9)


def test_normals_are_unit_length_and_outward_on_a_ball():
    ball = shapes.sphere(20)
    assert np.allclose(np.linalg.norm(ball.normals, axis=1), 1)
    assert (np.einsum("ij,ij->i", ball.normals, ball.vertices) > 0.95).all()


def test_a_misspelt_outline_is_named_with_its_neighbours():
    with pytest.raises(SceneLensError, match="star"):
        outline_points("starr")
