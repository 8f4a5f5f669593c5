"""Soft darkening where surfaces come near each other: under a bed, in a corner, between leaves.

Openness is the share of the sky above a surface that near surfaces leave free.  It is estimated from the depth buffer alone
(screen-space ambient occlusion), once per cell of 4x4 samples: a few *taps* look at the depth around the cell, on a spiral.
Six taps are few; so the spiral is turned differently in each of 4x4 neighbouring cells, and the values of 4x4 cells are
averaged afterwards: together they have looked at 96 places.  Averages and lookups leave out cells at another depth, so that
darkness does not leak over the outline of a thing.

All lengths are in units of the cell's own distance, which saves a division per tap.
"""

from __future__ import annotations

import math

import numpy as np

from scenelens.sceneworld.render.noise import inner, kernel

__all__ = ["openness", "openness_at"]

_TAPS = 6
_STEP = 3  # samples between the places whose depths give the normal
_k = np.arange(_TAPS)
_turn = np.random.default_rng(8).permutation(16).reshape(4, 1, 4) * (2 * np.pi / 16)
_angle, _far = 2.399963 * _k[:, None] + _turn, np.sqrt((_k[:, None] + 0.6) / 6)
# 2.399963: the golden angle, which spreads points evenly over a disc; the square root makes equal areas equally dense.
# Taps (x, y: 2, row of cells modulo 4, tap, column of cells) in units of the radius, repeated for all columns of a picture.
SPIRAL = np.tile(np.stack([_far * np.cos(_angle), -_far * np.sin(_angle)]), 64).astype(np.float32)
_ONE, _NONE, _HALF = np.float32(1), np.float32(0), np.float32(0.5)
# _SLACK: what rises less above the surface is the surface itself. _LIKE: relative difference up to which depths are alike.
_SLACK, _TINY, _TINIEST, _LIKE = np.float32(0.004), np.float32(1e-7), np.float32(1e-20), np.float32(0.08)
_WIDEST = np.float32(44)  # samples from a cell to the farthest tap; near things would look at half of the picture


@inner
def _read_row(depth, y, near, work):
    """The depths that a row of cells sees into near, and those _STEP samples left, right, above, below into work 0 to 3."""
    last, left, right, above, below = depth.shape[0] - 1, work[0], work[1], work[2], work[3]
    # At the borders of the picture the sample at the border stands for those beyond it.
    here, up, down = depth[y], depth[max(0, y - _STEP)], depth[min(last, y + _STEP)]
    for i in range(near.shape[0]):
        x = min(last, 4 * i + 2)
        near[i], above[i], below[i] = here[x], up[x], down[x]
        left[i], right[i] = here[max(0, x - _STEP)], here[min(last, x + _STEP)]


@inner
def _slope(here, back, ahead):
    """Relative change of depth from a sample to its neighbour: the smaller of both sides, for the other may be an edge."""
    a, b = _ONE - here / back, here / ahead - _ONE
    return a if abs(a) < abs(b) else b


@inner
def _face_row(depth, y, focal, centre, reach, near, work):
    """What a row of cells sees, into work: 0 to 2 the normal, 3 the radius of taps, 4 the fading, 5 and 6 its rays."""
    _read_row(depth, y, near, work)
    per, ry, most = np.float32(1.0 / focal), np.float32((centre - y - 0.5) / focal), np.float32(focal * reach)
    step, faint, middle, w = np.float32(_STEP) * per, np.float32(0.6 / (reach * reach)), np.float32(centre), work
    for i in range(np.uint64(near.shape[0])):
        # All lengths are in units of our own distance; rx, ry, 1 is our place.
        here, rx = near[i], (w[8, i] - middle) * per
        zx, zy = _slope(here, w[0, i], w[1, i]), _slope(here, w[2, i], w[3, i])
        # Two tangents, to the right and upwards; their cross product is the normal, turned towards the viewer.
        ax, ay, az = step * (_ONE + zx) + rx * zx, ry * zx, zx
        bx, by, bz = rx * zy, ry * zy - step * (_ONE + zy), zy
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        k = _ONE / np.float32(math.sqrt(nx * nx + ny * ny + nz * nz + _TINIEST))
        k = -k if nx * rx + ny * ry + nz > _NONE else k
        w[0, i], w[1, i], w[2, i] = nx * k, ny * k, nz * k
        # The radius is `reach` metres, seen from here. What lies farther away counts less and less, and nothing beyond it.
        w[3, i] = min(_WIDEST, most * here)
        w[4, i] = faint / (here * here)
        w[5, i], w[6, i] = rx, ry


@inner
def _take_tap(depth, y, across, up, work, at):
    """Where a row of cells looks with one tap, into at (2, S) int32: column and row; the depth there into work[7].

    In two loops: arithmetic can be done for many cells at a time, lookups cannot.
    """
    last = np.float32(depth.shape[0] - 1)
    radius, place, columns, rows, found = work[3], work[8], at[0], at[1], work[7]
    middle = np.float32(y + 0.5)
    for i in range(np.uint64(radius.shape[0])):
        columns[i] = np.int32(min(last, max(_NONE, place[i] + radius[i] * across[i])))
        rows[i] = np.int32(min(last, max(_NONE, middle - radius[i] * up[i])))
    for i in range(np.uint64(radius.shape[0])):
        found[i] = depth[rows[i], columns[i]]


@inner
def _add_tap(focal, centre, near, work, at, hidden):
    """Add to hidden the share of the sky that the surface found by a tap takes away.

    It hides the more, the higher it stands over our surface, and the less, the farther away it is.
    """
    nx, ny, nz, fade, rx, ry, found = work[0], work[1], work[2], work[4], work[5], work[6], work[7]
    columns, rows, per, middle = at[0], at[1], np.float32(1.0 / focal), np.float32(centre)
    for i in range(np.uint64(near.shape[0])):
        # The vector from our place to what the tap found; z is its depth in units of ours.
        z = near[i] / found[i]
        vx = (np.float32(columns[i]) + _HALF - middle) * per * z - rx[i]
        vy = (middle - np.float32(rows[i]) - _HALF) * per * z - ry[i]
        vz = z - _ONE
        rise = vx * nx[i] + vy * ny[i] + vz * nz[i] - _SLACK
        d2 = vx * vx + vy * vy + vz * vz + _TINY
        hidden[i] += max(_NONE, _ONE - d2 * fade[i]) * max(_NONE, rise) / np.float32(math.sqrt(d2))


@inner
def _like(there, here):
    """1 where two depths are alike, else 0; a number and not a condition, for vector instructions."""
    return _ONE if abs(there - here) < _LIKE * here else _NONE


@inner
def _average(raw, near, here, total, weight):
    """Add the raw values of one row of cells, of like depth as `here`, over columns -2 to 1, to total and weight."""
    size = raw.shape[0]
    n0, n1, n2, n3 = near[: size - 3], near[1 : size - 2], near[2 : size - 1], near[3:]
    v0, v1, v2, v3 = raw[: size - 3], raw[1 : size - 2], raw[2 : size - 1], raw[3:]
    mine, out, count = here[2 : size - 1], total[2 : size - 1], weight[2 : size - 1]
    for i in range(np.uint64(size - 3)):
        a, b, c, d = _like(n0[i], mine[i]), _like(n1[i], mine[i]), _like(n2[i], mine[i]), _like(n3[i], mine[i])
        out[i] = out[i] + a * v0[i] + b * v1[i] + c * v2[i] + d * v3[i]
        count[i] = count[i] + a + b + c + d
    for i in (0, 1, size - 1):  # at the ends the row of neighbours is shorter
        for k in range(max(0, i - 2), min(size, i + 2)):
            a = _like(near[k], here[i])
            total[i] += a * raw[k]
            weight[i] += a


@kernel
def openness(depth, focal, centre, reach, raw, near, out, work, at):
    """Fill out (S, S) for depth (about 4S, 4S): the raw values averaged over the 4x4 cells around, of like depth.

    1 is open, towards 0 enclosed within `reach` metres. Working space: raw, near (S, S), the values and the depths of
    the cells; work (9, S) float32, at (2, S) int32. Row by row, so that the compiler can take many cells at a time.
    """
    size, last = out.shape[0], depth.shape[0] - 1
    for i in range(size):
        work[8, i] = min(last, 4 * i + 2) + 0.5
    for y in range(size):
        hidden, v = raw[y], min(last, 4 * y + 2)
        _face_row(depth, v, focal, centre, reach, near[y], work)
        hidden[:] = _NONE
        for t in range(_TAPS):
            _take_tap(depth, v, SPIRAL[0, y & 3, t], SPIRAL[1, y & 3, t], work, at)
            _add_tap(focal, centre, near[y], work, at, hidden)
        for i in range(size):
            # A radius of less than 2.5 samples is too small to measure anything: open.
            hidden[i] = 1.0 if work[3, i] < 2.5 else max(0.0, 1.0 - 0.52 * hidden[i])
    # The average is a second pass, since each cell needs the raw values of the rows below, too.
    for y in range(size):
        total, weight = out[y], work[0]
        total[:] = _NONE
        weight[:] = _NONE
        for j in range(max(0, y - 2), min(size, y + 2)):
            _average(raw[j], near[j], near[y], total, weight)
        for i in range(np.uint64(size)):
            total[i] /= weight[i]


@inner
def openness_at(open_, depth, sx, sy, near):
    """Openness at a sample position, interpolated between those of the four cells around it that lie at a like depth."""
    size, last = open_.shape[0], depth.shape[0] - 1
    i, j = int(sx * 0.25), int(sy * 0.25)
    # On the same surface as its own cell, which is the usual case, one lookup is enough.
    if abs(depth[min(last, 4 * j + 2), min(last, 4 * i + 2)] - near) < 0.02 * near:
        return open_[j, i]
    gx, gy = min(size - 1.001, max(0.0, sx * 0.25 - 0.5)), min(size - 1.001, max(0.0, sy * 0.25 - 0.5))
    i, j = int(gx), int(gy)
    fx, fy = gx - i, gy - j
    total, weight = 0.0, 1e-6
    for k in range(4):
        u, v = k & 1, k >> 1
        w = (fx if u else 1.0 - fx) * (fy if v else 1.0 - fy) + 1e-4
        if abs(depth[min(last, 4 * (j + v) + 2), min(last, 4 * (i + u) + 2)] - near) < 0.1 * near:
            total += w * open_[j + v, i + u]
            weight += w
    return total / weight if weight > 1e-5 else 1.0
