"""The depth buffer: which samples a triangle covers, which of two is in front, at what depth."""

import numpy as np
import pytest

from scenelens.sceneworld.render import raster
from scenelens.sceneworld.render.camera import Camera
from scenelens.sceneworld.shapes import Mesh, assemble

SIZE = 40


def sheet(*triangles) -> Mesh:
    """A mesh of loose triangles seen from both sides."""
    points = np.array([p for t in triangles for p in t], float)
    return assemble([(points, np.arange(len(points)).reshape(-1, 3))], closed=False)


def rows():
    """Working space for the rows of a triangle."""
    return np.empty((2, SIZE), np.int64), np.empty(SIZE)


def draw(mesh: Mesh, stipple: bool = False, eye=(0, 0, 0), target=(0, 0, 1)):
    """Depth and ids of one mesh seen with a 90 degree camera: at depth z the picture is 2z wide."""
    camera = Camera(eye, target, fov=90)
    table = np.zeros((1, 28))
    table[0, :12] = (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
    n = len(mesh.faces)
    edges, owner, face, box = (
        np.empty((n, 9)),
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty((n, 4), np.int32),
    )
    zero, one = np.array([0]), np.array([len(mesh.faces)])
    view, focal, half = camera.view(), camera.focal(SIZE), SIZE / 2
    seen = raster.setup_triangles(
        table, zero, one, mesh.faces, np.array([mesh.closed]), zero, mesh.vertices, view, focal, half, half,
        edges, owner, face, box,
    )  # fmt: skip
    depth, ids = np.empty((SIZE, SIZE), np.float32), np.empty((SIZE, SIZE), np.int32)
    raster.clear(depth, ids, np.empty((2, 2), np.float32))
    raster.draw(seen, edges, owner, box, np.array([stipple]), depth, ids, *rows())
    return depth, ids


def test_a_triangle_covers_exactly_the_samples_inside_it():
    # At depth 1 one pixel is 2 / 40 wide: corners at columns and rows (10, 10), (30, 10), (10, 30).
    mesh = sheet([(-0.5, 0.5, 1), (0.5, 0.5, 1), (-0.5, -0.5, 1)])
    depth, ids = draw(mesh)
    row, column = np.mgrid[:SIZE, :SIZE] + 0.5
    inside = (column > 10) & (row > 10) & (column + row < 40 - 1e-6)
    on_edge = np.isclose(column + row, 40)
    assert np.array_equal((ids == 0)[~on_edge], inside[~on_edge])
    assert np.allclose(depth[inside], 1.0)


def test_the_nearer_triangle_wins_whatever_the_order():
    near = [(-0.5, 0.5, 1), (0.5, 0.5, 1), (-0.5, -0.5, 1)]
    far = [(-4, 4, 4), (4, 4, 4), (-4, -4, 4)]
    for mesh, front in ((sheet(near, far), 0), (sheet(far, near), 1)):
        depth, ids = draw(mesh)
        assert ids[15, 15] == front
        assert ids[2, 2] == 1 - front
        assert depth[2, 2] == pytest.approx(0.25)


def test_depth_is_interpolated_in_perspective():
    # A floor one metre below the eye: a sample s pixels under the horizon lies at depth focal / s.
    floor = sheet(
        [(-50, -1, -5), (50, -1, -5), (50, -1, 100)], [(-50, -1, -5), (50, -1, 100), (-50, -1, 100)]
    )
    depth, ids = draw(floor)
    for row in (25, 30, 39):
        assert (ids[row] >= 0).all()
        assert depth[row, 20] == pytest.approx((row + 0.5 - 20) / 20, rel=1e-5)
    assert (ids[:19] == -1).all()


def test_nothing_behind_the_eye_is_drawn():
    _, ids = draw(sheet([(-5, 5, -1), (5, 5, -1), (-5, -5, -1)]))
    assert (ids == -1).all()


def test_stippled_glass_covers_every_other_sample():
    _, ids = draw(
        sheet([(-9, 9, 1), (9, 9, 1), (-9, -9, 1)], [(9, 9, 1), (-9, -9, 1), (9, -9, 1)]), stipple=True
    )
    row, column = np.mgrid[:SIZE, :SIZE]
    assert np.array_equal(ids >= 0, (row + column) % 2 == 0)


def test_two_triangles_that_share_an_edge_leave_no_gap():
    a, b, c, d = (-0.73, 0.61, 1.3), (0.67, 0.71, 1.1), (0.59, -0.66, 1.7), (-0.69, -0.58, 1.9)
    whole = draw(sheet([a, b, c], [a, c, d]))[1] >= 0
    for row in whole:
        covered = np.flatnonzero(row)
        assert not len(covered) or row[covered[0] : covered[-1] + 1].all()


def mosaic(corners, n):
    """The parallelogram of three corners (origin, right end, low end) as 2 n n triangles."""
    origin, right, low = np.array(corners, float)
    steps = np.linspace(0, 1, n + 1)

    def at(i, j):
        return origin + steps[i] * (right - origin) + steps[j] * (low - origin)

    cells = [(at(i, j), at(i + 1, j), at(i, j + 1), at(i + 1, j + 1)) for i in range(n) for j in range(n)]
    return [t for a, b, c, d in cells for t in ((a, b, c), (b, d, c))]


def test_triangles_smaller_than_a_sample_cover_what_large_ones_cover():
    corners = (-0.73, 0.61, 1.3), (0.67, 0.71, 1.1), (-0.69, -0.58, 1.9)
    fine, coarse = (draw(sheet(*mosaic(corners, n))) for n in (70, 1))
    assert (fine[1] >= 0).sum() > 300
    assert np.array_equal(fine[1] >= 0, coarse[1] >= 0)
    assert np.allclose(fine[0], coarse[0], rtol=1e-4)


def test_a_caster_shades_the_texels_behind_it_at_its_own_distance():
    points = np.array(
        [(3.2, 4.1, 2.0), (33.7, 7.3, 5.0), (8.1, 35.6, 3.0)]
    )  # texels and metres in the light's frame
    table, shadow, zero = np.zeros((1, 28)), np.full((SIZE, SIZE), 1e9, np.float32), np.array([0])
    table[0, 27] = 1
    faces, closed = np.array([[0, 1, 2]], np.int32), np.array([False])
    raster.draw_shadow(table, zero, np.array([1]), faces, closed, zero, points, shadow, *rows())
    row, column = np.mgrid[:SIZE, :SIZE] + 0.5
    corners = np.concatenate([points[:, :2].T, np.ones((1, 3))])
    weights = np.linalg.solve(corners, np.stack([column.ravel(), row.ravel(), np.ones(SIZE**2)]))
    inside, outside = (
        (side.reshape(SIZE, SIZE)) for side in ((weights > 0.02).all(0), (weights < -1e-3).any(0))
    )
    far = (weights.T @ points[:, 2]).reshape(SIZE, SIZE)
    assert np.allclose(shadow[inside], far[inside], rtol=1e-5)
    assert (shadow[outside] > 1e8).all()


def test_casters_smaller_than_a_texel_shade_what_large_ones_shade():
    corners = (-0.73, 0.61, 1.3), (0.67, 0.71, 1.1), (-0.69, -0.58, 1.9)
    fine, coarse = (cast(mosaic(corners, n)) for n in (70, 1))
    assert (coarse < 1e8).sum() > 300
    assert np.array_equal(fine < 1e8, coarse < 1e8)
    assert np.allclose(fine, coarse, rtol=1e-4)


def cast(triangles):
    """The shadow map (SIZE, SIZE) of triangles whose corners are (x, y, distance), x and y from -1 to 1."""
    points = np.array(triangles).reshape(-1, 3) * (SIZE / 2, SIZE / 2, 1) + (SIZE / 2, SIZE / 2, 0)
    faces = np.arange(len(points), dtype=np.int32).reshape(-1, 3)
    table, shadow, zero = np.zeros((1, 28)), np.full((SIZE, SIZE), 1e9, np.float32), np.array([0])
    table[0, 27] = 1
    raster.draw_shadow(
        table, zero, np.array([len(faces)]), faces, np.array([False]), zero, points, shadow, *rows()
    )
    return shadow
