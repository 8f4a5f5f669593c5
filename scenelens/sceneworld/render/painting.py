"""Paint on the pixels in blocks of one surface: each its own pattern and texture, under light interpolated between blocks.

Each row of pixels is divided twice:

- *runs* of one surface are coloured at once: they have one material, one pattern, one seed;
- *stretches* of one triangle inside a run are laid out at once: along a stretch, places and depths follow from a few
  numbers that grow linearly.

The light of the whole row comes first.  Everything is written as short loops over float32 rows, many pixels at a time.  One
by one, as in `mixed`, the same pixels would take much longer.
"""

from __future__ import annotations

import math

import numpy as np

from scenelens.sceneworld.render.brushwork import FINE, pattern_at, tint
from scenelens.sceneworld.render.noise import hash01, inlined, inner, kernel, noise3_row
from scenelens.sceneworld.render.patterns import WOVEN, pattern_row
from scenelens.sceneworld.render.surfaces import along, flat_map, surface_at

__all__ = ["EDGE", "MIXED", "paint_at", "paint_image"]

# What `blocks` holds instead of a surface: the block shows several surfaces, or its light changes fast. `mixed` shades both.
MIXED, EDGE = -2, -4
_STRETCH = 48  # pixels of a stretch at most: its texture detail is chosen once, at the stretch's middle distance
# Typed constants: a Python 1 or 2.0 would widen the arithmetic to 64 bits, half as many pixels at a time.
_NINE, _THREE, _ONE, _NONE = np.float32(9), np.float32(3), np.float32(1), np.float32(0)
_HALF, _FAINT, _TINY = np.float32(0.5), np.float32(0.02), np.float32(1e-6)


@inner
def paint_at(row, prim, traits, kind, n, m, uvw, px, sx, sy, broad, small, lit, out):
    """Colour of a surface point under the light `lit` (strength, gleam), into out (3,)."""
    # Drift makes a tone warmer (more red, less blue) or cooler: brush strokes of one colour are never mixed quite alike.
    share, tone, drift = tint(row, prim, traits, kind, n, m, uvw, px, sx, sy, broad, small)
    for c in range(3):
        colour = (row[15 + c] + (row[18 + c] - row[15 + c]) * share) * tone * (1.0 + drift * (1 - c))
        out[c] = colour * lit[c] + lit[3 + c]


@inner
def _weigh(mine, next_to, above, corner, out):
    """Weights (4, blocks) for the light of blocks, those next to them, above them and across the corner.

    A pixel's middle lies a quarter of a block away from the block's middle: bilinear weights are 9, 3, 3 and 1 sixteenths.
    Neighbours of another surface get 0, and the rest is scaled up to a sum of 1: light does not leak over edges.
    """
    own, side, over, across = out[0], out[1], out[2], out[3]
    for i in range(np.uint64(mine.shape[0])):
        a = _THREE if next_to[i] == mine[i] else _NONE
        b = _THREE if above[i] == mine[i] else _NONE
        c = _ONE if corner[i] == mine[i] else _NONE
        k = _ONE / (_NINE + a + b + c)
        own[i], side[i], over[i], across[i] = _NINE * k, a * k, b * k, c * k


@inner
def _blend(here, there, left, right, out):
    """One number of the light of a row of pixels from two rows of blocks; left, right: weights for even and odd pixels."""
    n = here.shape[0]
    a, b, c, d, e, f = here[: n - 2], here[1 : n - 1], here[2:], there[: n - 2], there[1 : n - 1], there[2:]
    l0, l1, l2, l3, r0, r1, r2, r3 = left[0], left[1], left[2], left[3], right[0], right[1], right[2], right[3]
    # Even and odd pixels in one step, because they read the same three blocks of each row.
    for i in range(np.uint64(n - 2)):
        out[2 * i] = b[i] * l0[i] + a[i] * l1[i] + e[i] * l2[i] + d[i] * l3[i]
        out[2 * i + 1] = b[i] * r0[i] + c[i] * r1[i] + e[i] * r2[i] + f[i] * r3[i]


@inner
def _light_row(y, lights, blocks, weights, lit):
    """Light of a row of pixels, interpolated between the middles of the blocks around that show the same surface.

    lights and blocks have a column more on either side; weights (8, at least blocks); lit (8, pixels).
    """
    # Upper pixels of a block look at the row of blocks above, lower ones at the row below.
    n, j = blocks.shape[1], y >> 1
    v = min(blocks.shape[0] - 1, max(0, j + 2 * (y & 1) - 1))
    mine, above = blocks[j, 1 : n - 1], blocks[v]
    _weigh(mine, blocks[j, : n - 2], above[1 : n - 1], above[: n - 2], weights[:4])
    _weigh(mine, blocks[j, 2:], above[1 : n - 1], above[2:], weights[4:])
    for k in range(8):
        _blend(lights[k, j], lights[k, v], weights[:4], weights[4:], lit[k])


@inner
def _copy_row(x, stop, row, out):
    """Copy a stretch of a row."""
    for k in range(np.uint64(x), np.uint64(stop)):
        out[k] = row[k]


@inner
def _place_row(y, x, stop, t, drawn, meshes, middles, work):
    """Places m along a stretch of one triangle into work 1 to 3, their distance into work 4.

    The coefficients are found in float64 at the first pixel; float32 steps from there are exact enough, since a stretch is
    short. From the corner of the picture they would not be.
    """
    columns, rows, (across, up, deep, close) = middles[0, y], middles[1, y], flat_map(t, drawn, meshes)
    sx, sy = np.float64(columns[x]), np.float64(rows[x])
    a, b, c = np.float32(along(across, sx, sy)), np.float32(across[0]), np.float32(across[1])
    d, e, f = np.float32(along(up, sx, sy)), np.float32(up[0]), np.float32(up[1])
    g, h, i = np.float32(along(deep, sx, sy)), np.float32(deep[0]), np.float32(deep[1])
    j, k, n = np.float32(along(close, sx, sy)), np.float32(close[0]), np.float32(close[1])
    m0, m1, m2, away, left, top = work[1], work[2], work[3], work[4], np.float32(sx), np.float32(sy)
    for o in range(np.uint64(x), np.uint64(stop)):
        u, v = np.float32(columns[o]) - left, np.float32(rows[o]) - top
        # The one division per pixel: 1 / depth is linear along the row, depth is not.
        far = _ONE / max(_TINY, j + k * u + n * v)
        m0[o], m1[o], m2[o] = (a + b * u + c * v) * far, (d + e * u + f * v) * far, (g + h * u + i * v) * far
        away[o] = far


@inner
def _grain_row(x, stop, row, prim, work):
    """The small part of the brush texture, in [-1, 1], at the places of a stretch, into work 0."""
    m0, m1, m2, a, b, c = work[1], work[2], work[3], work[5], work[6], work[7]
    d, e, f, offset = np.float32(prim[18]), np.float32(prim[19]), np.float32(prim[20]), np.float32((int(row[26]) & 1023) * 0.37)
    for i in range(np.uint64(x), np.uint64(stop)):
        a[i], b[i], c[i] = m0[i] * d + offset, m1[i] * e, m2[i] * f
    noise3_row(x, stop, work)


@inner
def _small_row(y, x, stop, t, faint, broad, drawn, meshes, middles, lit, work):
    """The small part of the brush texture along a stretch, into work 0.

    Too faint to see: none. Broad: interpolated between blocks, like the light. Else: computed for each pixel.
    """
    if faint:
        work[0, x:stop] = _NONE
    elif broad:
        _copy_row(x, stop, lit[7], work[0])
    else:
        i = drawn[1][t]
        _place_row(y, x, stop, t, drawn, meshes, middles, work)
        _grain_row(x, stop, drawn[3][i], drawn[4][i], work)


@inner
def _lay_plain(y, x, stop, t, drawn, meshes, trait, focal, middles, lit, work):
    """Lightness and drift of colour along a stretch of one triangle that has no pattern, into work 1 and 0."""
    e, prim, small, tone, wide = drawn[0][t], drawn[4][drawn[1][t]], work[0], work[1], lit[6]
    # Distance and texture detail are those of the stretch's middle: (x + stop) / 2 in pixels is x + stop in samples.
    near = (e[0] + e[3] + e[6]) * (x + stop) + (e[1] + e[4] + e[7]) * (2 * y + 1) + e[2] + e[5] + e[8]
    fine = 2.0 * prim[21] / (max(1e-6, near) * focal)
    # A contrast below 0.006 changes no pixel by a grey level (see `brushwork.spots`): such texture is left out.
    _small_row(y, x, stop, t, trait[1] < 0.006 * (1.0 + fine * fine), fine < FINE, drawn, meshes, middles, lit, work)
    spotted, broad, drift = np.float32(0.65 * trait[1] / (1.0 + fine * fine)), np.float32(0.6 * trait[1]), np.float32(0.35 * trait[1])
    for k in range(np.uint64(x), np.uint64(stop)):
        tone[k] = _ONE + spotted * small[k] + broad * wide[k]
        small[k] = drift * wide[k] + _FAINT * small[k]


@inner
def _colour_plain(y, x, stop, row, trait, middles, lit, work, image):
    """Colour of a run of pixels, of what `_lay_plain` has laid there."""
    seed, small, tone = int(row[26]), work[0], work[1]
    if trait[6] > 0:
        columns, rows, strength = middles[0, y], middles[1, y], np.float32(trait[6])
        for k in range(np.uint64(x), np.uint64(stop)):
            tone[k] *= _ONE + strength * (np.float32(hash01(columns[k], rows[k], seed)) - _HALF)
    # Three channels written out: a loop over channels would read tone and texture three times.
    r, g, b, red, green, blue = np.float32(row[15]), np.float32(row[16]), np.float32(row[17]), image[0, y], image[1, y], image[2, y]
    l0, l1, l2, l3, l4, l5 = lit[0], lit[1], lit[2], lit[3], lit[4], lit[5]
    for k in range(np.uint64(x), np.uint64(stop)):
        red[k] = r * tone[k] * (_ONE + small[k]) * l0[k] + l3[k]
        green[k] = g * tone[k] * l1[k] + l4[k]
        blue[k] = b * tone[k] * (_ONE - small[k]) * l2[k] + l5[k]


@inner
def _cells_row(x, stop, row, prim, kind, n, work, rows):
    """Places along a stretch in cells of its pattern, into rows 0 and 1; the same rules as `brushwork._layout`."""
    ax, ay, az, size, pattern = abs(n[0]), abs(n[1]), abs(n[2]), row[24], int(row[14])
    a, b = rows[0], rows[1]
    if kind == 1 and ay < 0.85:
        m0, m1, m2, girth = work[1], work[2], work[3], 0.25 * (prim[15] + prim[17])
        a, b = (b, a) if 3.14 * prim[15] > prim[16] and (pattern == 5 or pattern == 6) else (a, b)
        # In float64, as `layout` computes it: the seam of an angle must lie at the same pixel in both.
        for k in range(np.uint64(x), np.uint64(stop)):
            a[k] = math.atan2(np.float64(m2[k]), np.float64(m0[k])) * girth / size
            b[k] = m1[k] / size
    else:
        first, second = (0, 2) if ay >= ax and ay >= az else (2, 1) if ax >= az else (0, 1)
        if prim[15 + first] > prim[15 + second] and (pattern == 5 or pattern == 6):
            first, second = second, first
        p, q = work[1 + first], work[1 + second]
        for k in range(np.uint64(x), np.uint64(stop)):
            a[k], b[k] = p[k] / size, q[k] / size


@inner
def _fade_row(x, stop, size, focal, away, rows):
    """Size of pixels in cells, and how much of the pattern's contrast is left, into rows 2 and 3."""
    f, fade = rows[2], rows[3]
    for k in range(np.uint64(x), np.uint64(stop)):
        f[k] = 2.0 * away[k] / focal / size
        fade[k] = 1.0 / (1.0 + 3 * f[k] * f[k])


@inner
def _figure_row(x, stop, row, prim, kind, low, per, n, focal, work, rows):
    """An ornament along a stretch, pixel by pixel, into rows 4 and 5: too many branches for vector instructions."""
    for k in range(x, stop):
        m = (np.float64(work[1, k]), np.float64(work[2, k]), np.float64(work[3, k]))
        uvw = ((m[0] * prim[12] - low[0]) * per[0], (m[1] * prim[13] - low[1]) * per[1], (m[2] * prim[14] - low[2]) * per[2])
        rows[4, k], rows[5, k] = pattern_at(row, prim, kind, n, m, uvw, 2.0 * work[4, k] / focal)


@inner
def _colour_pattern(y, x, stop, row, cells, trait, focal, middles, lit, work, rows, image):
    """Colour of a run of pixels whose pattern lies in rows 4 and 5; rows[9] is overwritten."""
    small, wide, away, share, tone, drift = work[0], lit[6], work[4], rows[4], rows[5], rows[9]
    seed, strength, speckle, columns, down = int(row[26]), trait[1], trait[6], middles[0, y], middles[1, y]
    for k in range(np.uint64(x), np.uint64(stop)):
        fine = 2.0 * away[k] / focal * cells
        tone[k] *= 1.0 + strength * (0.65 * small[k] / (1.0 + fine * fine) + 0.6 * wide[k])
    if speckle > 0:
        for k in range(np.uint64(x), np.uint64(stop)):
            tone[k] *= 1.0 + speckle * (hash01(np.int64(columns[k]), np.int64(down[k]), seed) - 0.5)
    for k in range(np.uint64(x), np.uint64(stop)):
        drift[k] = 0.35 * strength * wide[k] + 0.02 * small[k]
    for c in range(3):
        one, other, out, light, shine = row[15 + c], row[18 + c] - row[15 + c], image[c, y], lit[c], lit[3 + c]
        for k in range(np.uint64(x), np.uint64(stop)):
            out[k] = (one + other * share[k]) * tone[k] * (1.0 + drift[k] * (1 - c)) * light[k] + shine[k]


@inner
def _lay_pattern(y, x, stop, t, drawn, meshes, trait, focal, middles, lit, work, rows):
    """Brush texture along a stretch of one triangle into work 0, and its places in the pattern into rows 0 and 1.

    For ornaments the finished pattern, into rows 4 and 5.
    """
    i, kind, _, _, _, _, n, near = surface_at(t, float(x + stop), 2.0 * y + 1.0, drawn, meshes)
    row, prim, mesh = drawn[3][i], drawn[4][i], int(drawn[3][i, 12])
    fine = 2.0 / (near * focal) * prim[21]
    _place_row(y, x, stop, t, drawn, meshes, middles, work)
    if trait[1] < 0.006 * (1.0 + fine * fine):
        work[0, x:stop] = _NONE
    elif fine < FINE:
        _copy_row(x, stop, lit[7], work[0])
    else:
        _grain_row(x, stop, row, prim, work)
    if row[14] <= WOVEN:
        _cells_row(x, stop, row, prim, kind % 10, n, work, rows)
    else:
        _figure_row(x, stop, row, prim, kind % 10, meshes[1][mesh], meshes[2][mesh], n, focal, work, rows)


@inlined
def _paint_run(y, x, end, shown, drawn, meshes, traits, focal, middles, lit, work, rows, places, image):
    """Colour of a run of pixels of one surface: laid out triangle by triangle, then coloured at once."""
    i = drawn[1][shown[y, x]]
    row, prim, first = drawn[3][i], drawn[4][i], x
    trait, pattern = traits[int(row[13])], int(row[14])
    while x < end:
        t, stop, limit = shown[y, x], x + 1, min(end, x + _STRETCH)
        while stop < limit and shown[y, stop] == t:
            stop += 1
        if pattern == 0:
            _lay_plain(y, x, stop, t, drawn, meshes, trait, focal, middles, lit, work)
        else:
            _lay_pattern(y, x, stop, t, drawn, meshes, trait, focal, middles, lit, work, rows)
        x = stop
    if pattern == 0:
        _colour_plain(y, first, end, row, trait, middles, lit, work, image)
    else:
        if pattern <= WOVEN:
            _fade_row(first, end, row[24], focal, work[4], rows)
            pattern_row(pattern, first, end, int(row[26]), rows, places)
        _colour_pattern(y, first, end, row, prim[21], trait, focal, middles, lit, work, rows, image)


@inlined
def _paint_row(y, shown, blocks, middles, drawn, meshes, traits, focal, lit, work, rows, places, image):
    """Colour of the pixels of a row that lie in blocks of one surface."""
    x, size, here = np.int64(0), shown.shape[0], blocks[y >> 1, 1:]
    # x is no literal 0: for a literal, numba would compile this and all that it calls a second time.
    while x < size:
        key, end = here[x >> 1], x + 2
        while end < size and here[end >> 1] == key:  # two pixels per block
            end += 2
        end = min(end, size)
        if key != MIXED and key != EDGE:
            if shown[y, x] < 0:
                for c in range(3):
                    _copy_row(x, end, lit[c], image[c, y])
            else:
                _paint_run(y, x, end, shown, drawn, meshes, traits, focal, middles, lit, work, rows, places, image)
        x = end


@inner
def _spread(lights, planes):
    """Lights (rows, columns, 8) as eight planes (8, rows, columns).

    Blocks are lit one by one, so their eight numbers lie together; interpolation runs along rows of one number.
    """
    for y in range(lights.shape[0]):
        for n in range(8):
            here, there = lights[y], planes[n, y]
            for x in range(np.uint64(lights.shape[1])):
                there[x] = here[x, n]


@kernel
def paint_image(shown, middles, drawn, meshes, traits, focal, lights, planes, blocks, work, rows, places, image):
    """Colour of all pixels in blocks of one surface; pixels of other blocks are left as they are.

    work: (25, 2 blocks) float32, 8 of light, 9 of texture, 8 of weights; rows (ROWS, 2 blocks) and places (2 blocks,): of patterns.
    """
    _spread(lights, planes)
    for y in range(image.shape[1]):
        _light_row(y, planes, blocks, work[17:], work[:8])
        _paint_row(y, shown, blocks, middles, drawn, meshes, traits, focal, work[:8], work[8:17], rows, places, image)
