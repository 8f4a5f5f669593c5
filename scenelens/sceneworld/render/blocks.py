"""Blocks of 2x2 pixels: which surface they show, and the light on those that show one.

Light changes slowly from place to place, and it is the most expensive part of a pixel (shadow, openness, shine).  It is
computed once per block, in the middle.  Where blocks of even row and column have nearly the same light, the blocks between
them take the mean: three quarters of the blocks in quiet areas.
"""

from __future__ import annotations

import numpy as np

from scenelens.sceneworld.render.brushwork import broad_spots, near_edge, patches
from scenelens.sceneworld.render.noise import inlined, inner, kernel
from scenelens.sceneworld.render.painting import EDGE, MIXED
from scenelens.sceneworld.render.sky import sky_at
from scenelens.sceneworld.render.surfaces import corners_at, light_on, place_of, surface_at

__all__ = ["find_blocks", "gather", "light_blocks"]

_ALIKE, _ALIKE_TEXTURE = 0.07, 0.04  # lights, and brush textures times their strength, that differ by less are averaged
_QUARTER, _NOUGHT = np.float32(0.25), np.float32(0)
_NOTHING = -3  # a block outside the picture


@inner
def gather(x, y, ids, keys, middles, tri, key, at_x, at_y):
    """The four samples of a pixel: triangles, surfaces and places; True if all show the same surface.

    `middles` shifts each pixel by up to a sample, as if a hand had drawn the outlines (see `grade._pixel_middles`). For a pixel
    of one surface only the first triangle, surface and the middle are filled in.
    """
    left, top = middles[0, y, x] - 1, middles[1, y, x] - 1
    tri[0], tri[1], tri[2], tri[3] = ids[top, left], ids[top, left + 1], ids[top + 1, left], ids[top + 1, left + 1]
    at_x[0], at_y[0] = left + 1.0, top + 1.0
    key[0] = keys[tri[0]]
    # Triangles first: comparing them needs no lookup, and in most pixels they are equal.
    if tri[0] == tri[1] and tri[0] == tri[2] and tri[0] == tri[3]:
        return True
    for k in range(1, 4):
        key[k] = keys[tri[k]]
    if key[0] == key[1] and key[0] == key[2] and key[0] == key[3]:
        return True
    # Samples of several surfaces need their own places; for one surface the middle stands for all four.
    for k in range(4):
        at_x[k], at_y[k] = left + (k & 1) + 0.5, top + (k >> 1) + 0.5
    return False


@inner
def _same_row(y, ids, other):
    """Into other: 0 at each column where six rows of samples show a single triangle, in this column and the next.

    Six rows, because a row of blocks covers four, and shifted middles may reach one further at either side. All columns at
    once, so that blocks of one triangle are found without looking at their pixels one by one.
    """
    top = 4 * y - 1
    inside = top >= 0 and top + 6 <= ids.shape[0]
    other[:] = 0 if inside else 1
    if not inside:
        return
    for j in range(6):
        here, below, n = ids[top + j], ids[min(top + j + 1, top + 5)], ids.shape[1] - 1
        left, right = here[:n], here[1:]
        for i in range(np.uint64(n)):
            # XOR and OR instead of comparisons: the compiler makes vector instructions of them, without branches.
            other[i] |= (left[i] ^ right[i]) | (left[i] ^ below[i])


@inner
def _one_triangle(x, other):
    """Whether all samples that a block's pixels may take, wherever their middles are shifted, show the same triangle."""
    k = 4 * x - 1
    return k >= 0 and k + 6 <= other.shape[0] and (other[k] | other[k + 1] | other[k + 2] | other[k + 3] | other[k + 4]) == 0


@inner
def _block_surface(x, y, size, plain, ids, keys, middles, tri, key, at_x, at_y, shown):
    """The surface that all pixels of a block show, or MIXED; shown (S, S): the triangle of each pixel.

    plain: whether its samples are known to show one triangle.
    """
    if plain:
        t = ids[4 * y, 4 * x]  # any of its samples will do
        shown[2 * y, 2 * x] = shown[2 * y, 2 * x + 1] = shown[2 * y + 1, 2 * x] = shown[2 * y + 1, 2 * x + 1] = t
        return keys[t]
    # Blocks at the right and lower border may have one pixel only: 227 is odd.
    first = keys[-1]
    for k in range(4):
        px, py = 2 * x + (k & 1), 2 * y + (k >> 1)
        if px < size and py < size:
            same = gather(px, py, ids, keys, middles, tri, key, at_x, at_y)
            first = key[0] if k == 0 else first
            if not same or key[0] != first:
                return MIXED
            shown[py, px] = tri[0]
    return first


@kernel
def find_blocks(size, ids, keys, middles, other, scratch_i, scratch_f, shown, blocks):
    """The surface that each block shows, or MIXED, into blocks; a column at either side shows _NOTHING.

    Those columns make neighbours outside the picture an ordinary case. other (2S,): working space.
    """
    for y in range(blocks.shape[0]):
        _same_row(y, ids, other)
        blocks[y, 0] = blocks[y, blocks.shape[1] - 1] = _NOTHING
        for x in range(blocks.shape[0]):
            blocks[y, x + 1] = _block_surface(
                x, y, size, _one_triangle(x, other), ids, keys, middles, scratch_i[0], scratch_i[1], scratch_f[0], scratch_f[1],
                shown,
            )  # fmt: skip


@inner
def _mean_light(x, y, blocks, lights, strength):
    """Give an odd block the mean light of the even blocks around it, if they show its surface and are lit alike.

    strength: of the brush texture. Returns 2 if done, 1 if the texture differs and is still to be found, 0 if not done.
    """
    # The even blocks around an odd one: left and right, above and below, or all four across the corners.
    dx, dy, key, last = x & 1, y & 1, blocks[y, x + 1], blocks.shape[0] - 1
    if x + dx > last or y + dy > last:
        return 0
    left, top, right, low = x + 1 - dx, y - dy, x + 1 + dx, y + dy
    if blocks[top, left] != key or blocks[low, right] != key or blocks[top, right] != key or blocks[low, left] != key:
        return 0
    a, b, c, d, out = lights[top, left], lights[low, right], lights[top, right], lights[low, left], lights[y, x + 1]
    most = _NOUGHT  # no early exit: six steps at once are faster than a branch that the processor has to predict
    for n in range(6):
        most = max(most, max(abs(a[n] - b[n]), max(abs(c[n] - d[n]), abs(a[n] - c[n]))))
    if most > _ALIKE:  # a shadow's edge or a strong curve lies between: this block needs its own light
        return 0
    for n in range(8):
        out[n] = _QUARTER * (a[n] + b[n] + c[n] + d[n])
    for n in range(6, 8):
        if max(abs(a[n] - b[n]), max(abs(c[n] - d[n]), abs(a[n] - c[n]))) * strength > _ALIKE_TEXTURE:
            return 1
    return 2


@inner
def _texture_block(t, x, y, drawn, meshes, traits, focal, out):
    """The brush texture in the middle of a block, into out 6 and 7; its light is known already."""
    i, _, _, corners, w, near = corners_at(t, 4.0 * x + 2.0, 4.0 * y + 2.0, drawn, meshes)
    row, prim, mesh = drawn[3][i], drawn[4][i], int(drawn[3][i, 12])
    m = place_of(w, corners, prim, meshes[1][mesh], meshes[2][mesh], meshes[3])[1]
    out[6], out[7] = patches(row, prim, m), broad_spots(row, prim, traits[int(row[13])], m, 2.0 / (near * focal))


@inlined
def _light_block(t, x, y, drawn, meshes, traits, lens, sun, open_, lit):
    """Light in the middle of a block of one surface into lit (8,), 6 and 7: its texture; False where light changes fast."""
    view, focal, centre = lens
    env, shadow, light = sun
    # A block is four samples wide, so its middle lies at the corner of four samples, between its pixels.
    sx, sy = 4.0 * x + 2.0, 4.0 * y + 2.0
    if t < 0:
        sky_at(sx, sy, lens, env, lit)
        lit[3:] = 0.0  # `_mean_light` compares these numbers; they must not be left over from another block
        return True
    i, kind, group, p, m, uvw, n, near = surface_at(t, sx, sy, drawn, meshes)
    row, prim, px = drawn[3][i], drawn[4][i], 2.0 / (near * focal)
    if kind % 10 == 2 and near_edge(row, prim, group, m, px):
        return False
    ray = ((sx - centre) / focal, (centre - sy) / focal, 1.0)
    light_on(
        row, prim, kind, group, traits[int(row[13])], p, n, m, uvw, ray, near, px, open_[y, x], -1.0, env, shadow, light, view, lit,
    )  # fmt: skip
    lit[6], lit[7] = patches(row, prim, m), broad_spots(row, prim, traits[int(row[13])], m, px)
    return True


@kernel
def light_blocks(even, shown, drawn, meshes, traits, lens, sun, open_, lights, blocks, lit):
    """Light on the blocks of one surface, those of even row and column (even=True) or the others.

    Blocks where light changes fast (the bevelled edges of boxes) become EDGE: `mixed` shades their pixels one by one.
    """
    for y in range(blocks.shape[0]):
        for x in range(blocks.shape[0]):
            if (x & 1 == 0 and y & 1 == 0) != even or blocks[y, x + 1] == MIXED:
                continue
            t = shown[2 * y, 2 * x]
            if not even:
                known = _mean_light(x, y, blocks, lights, traits[int(drawn[3][drawn[1][t], 13]), 1] if t >= 0 else 1.0)
                if known == 1 and t >= 0:
                    _texture_block(t, x, y, drawn, meshes, traits, lens[1], lights[y, x + 1])
                if known > 0:
                    continue
            if _light_block(t, x, y, drawn, meshes, traits, lens, sun, open_, lit):
                for c in range(8):
                    lights[y, x + 1, c] = lit[c]
            else:
                blocks[y, x + 1] = EDGE
