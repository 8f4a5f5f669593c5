"""Paint on the pixels of one surface: each its own pattern and brush texture, under light read between blocks."""

from __future__ import annotations

import numpy as np

from scenelens.sceneworld.brushwork import spots, tint
from scenelens.sceneworld.noise import hash01, kernel
from scenelens.sceneworld.surfaces import along, flat_map, surface_at

__all__ = ["MIXED", "WEIGHTS", "paint_at", "paint_image"]

MIXED = -2  # a block that shows several surfaces
WEIGHTS = np.array([9 / 16, 3 / 16, 1 / 16], np.float32)  # bilinear, a quarter of the way to the next block


@kernel
def paint_at(row, prim, traits, kind, n, m, uvw, px, sx, sy, broad, small, lit, out):
    """Colour of a surface point under the light `lit` (strength, gleam), into out (3,)."""
    share, tone, drift = tint(row, prim, traits, kind, n, m, uvw, px, sx, sy, broad, small)
    for c in range(3):
        colour = (row[15 + c] + (row[18 + c] - row[15 + c]) * share) * tone * (1.0 + drift * (1 - c))
        out[c] = colour * lit[c] + lit[3 + c]


@kernel
def between(lights, blocks, x, y, out):
    """Light at a pixel between the middles of the four blocks around it, as far as they show the same surface."""
    last = blocks.shape[0] - 1
    i, j = x >> 1, y >> 1
    u, v = min(last, max(0, i + 2 * (x & 1) - 1)), min(last, max(0, j + 2 * (y & 1) - 1))
    key = blocks[j, i]
    if blocks[j, u] == key and blocks[v, i] == key and blocks[v, u] == key:
        for n in range(8):
            out[n] = WEIGHTS[0] * lights[j, i, n] + WEIGHTS[1] * (lights[j, u, n] + lights[v, i, n]) + WEIGHTS[2] * lights[v, u, n]
        return
    a, b, c = 3.0 * (blocks[j, u] == key), 3.0 * (blocks[v, i] == key), 1.0 * (blocks[v, u] == key)
    k = 1.0 / (9.0 + a + b + c)
    for n in range(8):
        out[n] = k * (9.0 * lights[j, i, n] + a * lights[j, u, n] + b * lights[v, i, n] + c * lights[v, u, n])


@kernel
def place_in(size, shift):
    """Sample column or row of a pixel's middle, where a hand that trembles puts it."""
    return min(2 * size - 1, max(1, shift + 1))


@kernel
def paint_block(x, y, shown, wobble, drawn, meshes, traits, focal, lights, blocks, lit, image):
    """Colour of the pixels of a block of one surface under the light between it and its neighbours."""
    size, t = shown.shape[0], shown[2 * y, 2 * x]
    i, kind, _, _, m, uvw, n, _ = surface_at(t, 4.0 * x + 2.0, 4.0 * y + 2.0, drawn, meshes)
    row, prim, mesh = drawn[3][i], drawn[4][i], int(drawn[3][i, 12])
    trait, low, per = traits[int(row[13])], meshes[1][mesh], meshes[2][mesh]
    across, up, deep, close = flat_map(t, drawn, meshes)
    for k in range(4):
        px, py = 2 * x + (k & 1), 2 * y + (k >> 1)
        if px < size and py < size:
            between(lights, blocks, px, py, lit)
            sx, sy = place_in(size, 2 * px + wobble[py, px, 0]), place_in(size, 2 * py + wobble[py, px, 1])
            far = 1.0 / max(1e-6, along(close, sx, sy))
            m = (along(across, sx, sy) * far, along(up, sx, sy) * far, along(deep, sx, sy) * far)
            uvw = ((m[0] * prim[12] - low[0]) * per[0], (m[1] * prim[13] - low[1]) * per[1], (m[2] * prim[14] - low[2]) * per[2])
            wide = 2.0 * far / focal
            small = lit[7] if wide * prim[21] < 0.33 else spots(row, prim, trait, m, wide)
            paint_at(row, prim, trait, kind % 10, n, m, uvw, wide, sx, sy, lit[6], small, lit, image[py, px])


@kernel
def paint_plain(x, y, shown, wobble, drawn, meshes, traits, focal, lights, blocks, lit, image):
    """As paint_block, where the surface has no pattern."""
    size, t = shown.shape[0], shown[2 * y, 2 * x]
    row, prim = drawn[3][drawn[1][t]], drawn[4][drawn[1][t]]
    trait, seed = traits[int(row[13])], int(row[26])
    across, up, deep, close = flat_map(t, drawn, meshes)
    px = 2.0 / (max(1e-6, along(close, 4.0 * x + 2.0, 4.0 * y + 2.0)) * focal)
    fine = px * prim[21]
    faint = trait[1] < 0.006 * (1.0 + fine * fine)
    spotted, broad = 0.65 * trait[1] / (1.0 + fine * fine), 0.6 * trait[1]
    for k in range(4):
        u, v = 2 * x + (k & 1), 2 * y + (k >> 1)
        if u < size and v < size:
            between(lights, blocks, u, v, lit)
            sx, sy = place_in(size, 2 * u + wobble[v, u, 0]), place_in(size, 2 * v + wobble[v, u, 1])
            small = 0.0 if faint else lit[7]
            if not faint and fine >= 0.33:
                far = 1.0 / max(1e-6, along(close, sx, sy))
                small = spots(row, prim, trait, (along(across, sx, sy) * far, along(up, sx, sy) * far, along(deep, sx, sy) * far), px)
            tone, drift = 1.0 + spotted * small + broad * lit[6], 0.35 * trait[1] * lit[6] + 0.02 * small
            if trait[6] > 0:
                tone *= 1.0 + trait[6] * (hash01(sx, sy, seed) - 0.5)
            for c in range(3):
                image[v, u, c] = row[15 + c] * tone * (1.0 + drift * (1 - c)) * lit[c] + lit[3 + c]


@kernel
def paint_sky(x, y, lights, blocks, lit, image):
    """Colour of the pixels of a block that shows the sky."""
    for k in range(4):
        px, py = 2 * x + (k & 1), 2 * y + (k >> 1)
        if px < image.shape[1] and py < image.shape[0]:
            between(lights, blocks, px, py, lit)
            for c in range(3):
                image[py, px, c] = lit[c]


@kernel
def paint_image(shown, wobble, drawn, meshes, traits, focal, lights, blocks, lit, image):
    """Colour of all pixels in blocks of one surface."""
    for y in range(blocks.shape[0]):
        for x in range(blocks.shape[0]):
            if blocks[y, x] == MIXED:
                continue
            if shown[2 * y, 2 * x] < 0:
                paint_sky(x, y, lights, blocks, lit, image)
            elif drawn[3][drawn[1][shown[2 * y, 2 * x]], 14] == 0:
                paint_plain(x, y, shown, wobble, drawn, meshes, traits, focal, lights, blocks, lit, image)
            else:
                paint_block(x, y, shown, wobble, drawn, meshes, traits, focal, lights, blocks, lit, image)
