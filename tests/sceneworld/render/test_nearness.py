"""Openness from the depth buffer: a plane is open, a corner is not; rows of cells give what cells give."""

import math

import numpy as np
import pytest

from scenelens.sceneworld.render import nearness

CELLS, FOCAL, CENTRE = 24, 120.0, 47.0


def openness(depth, reach):
    planes = np.full((3, CELLS, CELLS), 7, np.float32)
    work, at = np.full((9, CELLS), 7, np.float32), np.full((2, CELLS), 7, np.int32)
    nearness.openness(depth, FOCAL, CENTRE, reach, *planes, work, at)
    return planes


def room(height=1.0, back=4.0):
    """1 / depth of a floor `height` below the eye, up to a wall `back` metres ahead."""
    below = (np.arange(4 * CELLS - 2)[:, None] + 0.5 - CENTRE) / FOCAL
    near = np.maximum(below / height, 1 / back)
    return np.repeat(near, 4 * CELLS - 2, axis=1).astype(np.float32)


def one_cell(depth, i, j, reach):
    """The same by plain arithmetic in double precision, for one cell (column i, row j)."""
    last = len(depth) - 1
    x, y = min(last, 4 * i + 2), min(last, 4 * j + 2)
    near = float(depth[y, x])
    radius = min(44.0, FOCAL * reach * near)
    if radius < 2.5:
        return 1.0

    def ray(u, v):
        return np.array([(u + 0.5 - CENTRE) / FOCAL, (CENTRE - v - 0.5) / FOCAL, 1.0])

    def calmer(dx, dy):
        back = 1 - near / float(depth[max(0, y - dy), max(0, x - dx)])
        ahead = near / float(depth[min(last, y + dy), min(last, x + dx)]) - 1
        return min(back, ahead, key=abs)

    along = [ray(x + 3, y) * (1 + calmer(3, 0)) - ray(x, y), ray(x, y + 3) * (1 + calmer(0, 3)) - ray(x, y)]
    normal = np.cross(*along)
    normal *= -math.copysign(1 / np.linalg.norm(normal), normal @ ray(x, y))
    hidden = 0.0
    for across, up in nearness.SPIRAL[:, j & 3, :, i].astype(float).T:
        u, v = (int(min(last, max(0.0, p))) for p in (x + 0.5 + radius * across, y + 0.5 - radius * up))
        step = ray(u, v) * near / float(depth[v, u]) - ray(x, y)
        rise, d2 = step @ normal - 0.004, step @ step + 1e-7
        hidden += max(0.0, 1 - 0.6 * d2 / (reach * near) ** 2) * max(0.0, rise) / math.sqrt(d2)
    return max(0.0, 1 - 0.52 * hidden)


def test_a_wall_before_the_eye_is_open():
    depth = np.full((4 * CELLS - 2, 4 * CELLS - 2), 0.5, np.float32)
    assert np.allclose(openness(depth, 0.4)[2], 1.0)


def test_the_corner_of_floor_and_wall_is_darker_than_both():
    rows = openness(room(), 0.8)[2].mean(1)
    corner = round((CENTRE + FOCAL / 4) / 4)
    assert rows[corner - 1 : corner + 1].min() < 0.9
    assert rows[:8].min() > 0.99
    assert rows[corner - 1 : corner + 1].min() < rows[-3:].min()


@pytest.mark.parametrize("reach", [0.05, 0.4, 1.5])
def test_rows_of_cells_give_what_single_cells_give(reach):
    depth = room()
    depth[20:60, 30:50] = 0.6  # something stands there
    raw, near, _ = openness(depth, reach)
    alone = np.array([[one_cell(depth, i, j, reach) for i in range(CELLS)] for j in range(CELLS)])
    # A tap on the border of two samples may fall to either side: single against double precision.
    assert (np.abs(raw - alone) < 1e-4).mean() > 0.99
    assert np.array_equal(near[:-1, :-1], depth[2::4, 2::4][: CELLS - 1, : CELLS - 1])


def test_the_mean_keeps_to_its_side_of_a_step():
    depth = np.full((4 * CELLS - 2, 4 * CELLS - 2), 0.2, np.float32)
    depth[:, 48:] = 1.0
    raw, near, mean = openness(depth, 0.8)
    for row, column in ((9, 12), (9, 11), (0, 0), (CELLS - 1, CELLS - 1)):
        rows, columns = slice(max(0, row - 2), row + 2), slice(max(0, column - 2), column + 2)
        alike = np.abs(near[rows, columns] - near[row, column]) < 0.08 * near[row, column]
        assert mean[row, column] == pytest.approx(raw[rows, columns][alike].mean(), rel=1e-5)
