"""Paint on the pixels of one surface: each its own pattern and brush texture, under light read between blocks.

Row by row of pixels: first the light of the row, many pixels at a time, then stretches of one triangle after another.
"""

from __future__ import annotations

import numpy as np

from scenelens.sceneworld.brushwork import FINE, tint
from scenelens.sceneworld.noise import hash01, kernel, noise3
from scenelens.sceneworld.surfaces import along, flat_map, surface_at

__all__ = ["MIXED", "paint_at", "paint_image"]

MIXED = -2  # a block that shows several surfaces
STRETCH = 48  # pixels at most that are painted at a time
NINE, THREE, ONE, NONE = np.float32(9), np.float32(3), np.float32(1), np.float32(0)


@kernel
def paint_at(row, prim, traits, kind, n, m, uvw, px, sx, sy, broad, small, lit, out):
    """Colour of a surface point under the light `lit` (strength, gleam), into out (3,)."""
    share, tone, drift = tint(row, prim, traits, kind, n, m, uvw, px, sx, sy, broad, small)
    for c in range(3):
        colour = (row[15 + c] + (row[18 + c] - row[15 + c]) * share) * tone * (1.0 + drift * (1 - c))
        out[c] = colour * lit[c] + lit[3 + c]


@kernel
def weigh(mine, beside, above, corner, out):
    """Weights (4, blocks) of the light of blocks, of those beside, above and across the corner: 0 for other surfaces."""
    own, side, over, across = out[0], out[1], out[2], out[3]
    for i in range(np.uint64(mine.shape[0])):
        a = THREE if beside[i] == mine[i] else NONE
        b = THREE if above[i] == mine[i] else NONE
        c = ONE if corner[i] == mine[i] else NONE
        k = ONE / (NINE + a + b + c)
        own[i], side[i], over[i], across[i] = NINE * k, a * k, b * k, c * k


@kernel
def blend(here, there, left, right, out):
    """Light of a row of pixels from that of two rows of blocks; left, right: the weights of even and odd pixels."""
    n = here.shape[0]
    a, b, c, d, e, f = here[: n - 2], here[1 : n - 1], here[2:], there[: n - 2], there[1 : n - 1], there[2:]
    l0, l1, l2, l3, r0, r1, r2, r3 = left[0], left[1], left[2], left[3], right[0], right[1], right[2], right[3]
    for i in range(np.uint64(n - 2)):
        out[2 * i] = b[i] * l0[i] + a[i] * l1[i] + e[i] * l2[i] + d[i] * l3[i]
        out[2 * i + 1] = b[i] * r0[i] + c[i] * r1[i] + e[i] * r2[i] + f[i] * r3[i]


@kernel
def light_row(y, lights, blocks, weights, lit):
    """Light of a row of pixels between the middles of the blocks around, as far as they show the same surface.

    lights and blocks have a column more on either side; weights (8, at least blocks); lit (8, pixels).
    """
    n, j = blocks.shape[1], y >> 1
    v = min(blocks.shape[0] - 1, max(0, j + 2 * (y & 1) - 1))
    mine, above = blocks[j, 1 : n - 1], blocks[v]
    weigh(mine, blocks[j, : n - 2], above[1 : n - 1], above[: n - 2], weights[:4])
    weigh(mine, blocks[j, 2:], above[1 : n - 1], above[2:], weights[4:])
    for k in range(8):
        blend(lights[k, j], lights[k, v], weights[:4], weights[4:], lit[k])


@kernel
def grain_row(y, x, stop, row, prim, t, drawn, meshes, middles, out):
    """The small part of the brush texture along a stretch of one triangle, in [-1, 1]."""
    across, up, deep, close = flat_map(t, drawn, meshes)
    a, b, c = out[1], out[2], out[3]
    columns, rows, offset = middles[0, y], middles[1, y], (int(row[26]) & 1023) * 0.37
    for i in range(np.uint64(x), np.uint64(stop)):
        sx, sy = np.float64(columns[i]), np.float64(rows[i])
        far = 1.0 / max(1e-6, along(close, sx, sy))
        a[i] = along(across, sx, sy) * far * prim[18] + offset
        b[i] = along(up, sx, sy) * far * prim[19]
        c[i] = along(deep, sx, sy) * far * prim[20]
    for i in range(x, stop):
        out[0, i] = noise3(a[i], b[i], c[i])


@kernel
def paint_plain(y, x, stop, t, drawn, meshes, traits, focal, middles, lit, work, image):
    """Colour of a stretch of one triangle that has no pattern."""
    e, i = drawn[0][t], drawn[1][t]
    row, prim = drawn[3][i], drawn[4][i]
    trait, seed, small = traits[int(row[13])], int(row[26]), work[0]
    near = (e[0] + e[3] + e[6]) * (x + stop) + (e[1] + e[4] + e[7]) * (2 * y + 1) + e[2] + e[5] + e[8]
    fine = 2.0 * prim[21] / (max(1e-6, near) * focal)
    if trait[1] < 0.006 * (1.0 + fine * fine):
        for k in range(x, stop):
            small[k] = 0.0
    elif fine < FINE:
        for k in range(x, stop):
            small[k] = lit[7, k]
    else:
        grain_row(y, x, stop, row, prim, t, drawn, meshes, middles, work)
    spotted, broad, tone = 0.65 * trait[1] / (1.0 + fine * fine), 0.6 * trait[1], work[1]
    for k in range(np.uint64(x), np.uint64(stop)):
        tone[k] = 1.0 + spotted * small[k] + broad * lit[6, k]
        small[k] = 0.35 * trait[1] * lit[6, k] + 0.02 * small[k]
    if trait[6] > 0:
        for k in range(x, stop):
            tone[k] *= 1.0 + trait[6] * (hash01(middles[0, y, k], middles[1, y, k], seed) - 0.5)
    r, g, b, line = np.float32(row[15]), np.float32(row[16]), np.float32(row[17]), image[y]
    for k in range(x, stop):
        line[k, 0] = r * tone[k] * (ONE + small[k]) * lit[0, k] + lit[3, k]
        line[k, 1] = g * tone[k] * lit[1, k] + lit[4, k]
        line[k, 2] = b * tone[k] * (ONE - small[k]) * lit[2, k] + lit[5, k]


@kernel
def paint_pattern(y, x, stop, t, drawn, meshes, traits, focal, middles, lit, image):
    """As paint_plain, where the surface has a pattern."""
    i, kind, _, _, m, uvw, n, near = surface_at(t, x + stop, 2.0 * y + 1.0, drawn, meshes)
    row, prim, mesh = drawn[3][i], drawn[4][i], int(drawn[3][i, 12])
    trait, low, per, light = traits[int(row[13])], meshes[1][mesh], meshes[2][mesh], lit[:, x]
    across, up, deep, close = flat_map(t, drawn, meshes)
    faint = trait[1] < 0.006 * (1.0 + (2.0 * prim[21] / (near * focal)) ** 2)
    offset = (int(row[26]) & 1023) * 0.37
    for k in range(x, stop):
        sx, sy = np.float64(middles[0, y, k]), np.float64(middles[1, y, k])
        far = 1.0 / max(1e-6, along(close, sx, sy))
        m = (along(across, sx, sy) * far, along(up, sx, sy) * far, along(deep, sx, sy) * far)
        uvw = ((m[0] * prim[12] - low[0]) * per[0], (m[1] * prim[13] - low[1]) * per[1], (m[2] * prim[14] - low[2]) * per[2])
        wide, light, small = 2.0 * far / focal, lit[:, k], 0.0
        if not faint:
            small = light[7]
            if wide * prim[21] >= FINE:
                small = noise3(m[0] * prim[18] + offset, m[1] * prim[19], m[2] * prim[20])
        paint_at(row, prim, trait, kind % 10, n, m, uvw, wide, sx, sy, light[6], small, light, image[y, k])


@kernel
def paint_row(y, shown, blocks, middles, drawn, meshes, traits, focal, lit, work, image):
    """Colour of the pixels of a row that lie in blocks of one surface."""
    x, size, here = 0, shown.shape[0], blocks[y >> 1, 1:]
    while x < size:
        t, stop = shown[y, x], x + 1
        if here[x >> 1] == MIXED:
            x = (x | 1) + 1
            continue
        limit = min(size, x + STRETCH)
        while stop < limit and shown[y, stop] == t and here[stop >> 1] != MIXED:
            stop += 1
        if t < 0:
            for k in range(x, stop):
                image[y, k, 0], image[y, k, 1], image[y, k, 2] = lit[0, k], lit[1, k], lit[2, k]
        elif drawn[3][drawn[1][t], 14] == 0:
            paint_plain(y, x, stop, t, drawn, meshes, traits, focal, middles, lit, work, image)
        else:
            paint_pattern(y, x, stop, t, drawn, meshes, traits, focal, middles, lit, image)
        x = stop


@kernel
def spread(lights, planes):
    """Lights (rows, columns, 8) as eight planes (8, rows, columns)."""
    for y in range(lights.shape[0]):
        for x in range(lights.shape[1]):
            for n in range(8):
                planes[n, y, x] = lights[y, x, n]


@kernel
def paint_image(shown, middles, drawn, meshes, traits, focal, lights, planes, blocks, work, image):
    """Colour of all pixels in blocks of one surface. work: (20, 2 blocks) float32, 8 of light, 4 of texture, 8 of weights."""
    spread(lights, planes)
    for y in range(image.shape[0]):
        light_row(y, planes, blocks, work[12:], work[:8])
        paint_row(y, shown, blocks, middles, drawn, meshes, traits, focal, work[:8], work[8:12], image)
