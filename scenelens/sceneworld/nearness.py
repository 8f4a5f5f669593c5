"""Soft darkening where surfaces come near each other: under a bed, in a corner, between leaves.

Computed from the depth buffer alone, once per 4x4 samples, with a spiral of taps whose turn differs over 4x4 cells
and is averaged away afterwards; shading looks it up smoothly, staying on its own side of depth steps.
"""

from __future__ import annotations

import math

import numpy as np

from scenelens.sceneworld.noise import kernel

__all__ = ["openness", "openness_at"]

_k = np.arange(6)
TAPS = (np.sqrt((_k + 0.6) / 6) * np.array([np.cos(2.399963 * _k), np.sin(2.399963 * _k)])).T.copy()
_turn = np.random.default_rng(8).permutation(16).reshape(4, 4) * (2 * np.pi / 16)
SPIN = np.stack([np.cos(_turn), np.sin(_turn)], -1)
STEP = 3  # samples between the places whose depths give the normal


@kernel
def slope(depth, x, y, dx, dy, near):
    """Relative change of depth from a sample to its neighbour: the calmer of both sides (the other may be an edge)."""
    last = depth.shape[0] - 1
    x0, y0, x1, y1 = max(0, x - dx), max(0, y - dy), min(last, x + dx), min(last, y + dy)
    back, ahead = 1.0 - near / depth[y0, x0], near / depth[y1, x1] - 1.0
    return back if abs(back) < abs(ahead) else ahead


@kernel
def cell_openness(depth, x, y, focal, centre, reach):
    """Openness at one sample: 1 open, towards 0 enclosed within `reach` metres."""
    near = depth[y, x]
    radius = min(44.0, focal * reach * near)
    if radius < 2.5:
        return 1.0
    per = 1.0 / focal
    # All lengths are in units of our own distance; rx, ry, 1 is our place.
    rx, ry = (x + 0.5 - centre) * per, (centre - y - 0.5) * per
    zx, zy = slope(depth, x, y, STEP, 0, near), slope(depth, x, y, 0, STEP, near)
    ax, ay, az = STEP * per * (1 + zx) + rx * zx, ry * zx, zx
    bx, by, bz = rx * zy, -STEP * per * (1 + zy) + ry * zy, zy
    nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    k = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-20)
    if nx * rx + ny * ry + nz > 0:
        k = -k
    nx, ny, nz = nx * k, ny * k, nz * k
    i, j = (y >> 2) & 3, (x >> 2) & 3
    c, s = SPIN[i, j, 0] * radius, SPIN[i, j, 1] * radius
    last, fade = depth.shape[0] - 1.0, 0.6 / (reach * reach * near * near)
    hidden = 0.0
    for t in range(6):
        sx = int(min(last, max(0.0, x + 0.5 + c * TAPS[t, 0] - s * TAPS[t, 1])))
        sy = int(min(last, max(0.0, y + 0.5 + s * TAPS[t, 0] + c * TAPS[t, 1])))
        z = near / depth[sy, sx]
        vx, vy, vz = (sx + 0.5 - centre) * per * z - rx, (centre - sy - 0.5) * per * z - ry, z - 1.0
        rise = vx * nx + vy * ny + vz * nz - 0.004
        d2 = vx * vx + vy * vy + vz * vz + 1e-7
        if rise > 0.0 and d2 * fade < 1.0:
            hidden += (1.0 - d2 * fade) * rise / math.sqrt(d2)
    return max(0.0, 1.0 - 0.52 * hidden)


@kernel
def openness(depth, focal, centre, reach, raw, near, out):
    """Fill out (S, S) for depth (about 4S, 4S): the raw values averaged over the 4x4 cells around, of like depth.

    raw, near (S, S): working space, the values and the depths of the cells.
    """
    size, last = out.shape[0], depth.shape[0] - 1
    for y in range(size):
        for x in range(size):
            near[y, x] = depth[min(last, 4 * y + 2), min(last, 4 * x + 2)]
            raw[y, x] = cell_openness(depth, min(last, 4 * x + 2), min(last, 4 * y + 2), focal, centre, reach)
    for y in range(size):
        for x in range(size):
            here, total, weight = near[y, x], np.float32(0.0), np.float32(0.0)
            like = np.float32(0.08) * here
            for j in range(max(0, y - 2), min(size, y + 2)):
                for i in range(max(0, x - 2), min(size, x + 2)):
                    k = np.float32(abs(near[j, i] - here) < like)
                    total += k * raw[j, i]
                    weight += k
            out[y, x] = total / weight


@kernel
def openness_at(open_, depth, sx, sy, near):
    """Openness at a sample position, from the four cells around it that lie at a like depth."""
    size, last = open_.shape[0], depth.shape[0] - 1
    i, j = int(sx * 0.25), int(sy * 0.25)
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
