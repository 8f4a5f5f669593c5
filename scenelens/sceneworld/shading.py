"""The colour of every pixel: brush texture, pattern, warm light and cool shadow, as numba kernels.

Each output pixel covers 2x2 samples of the depth buffer. Samples of the same surface (same primitive, same smooth
side) are shaded once, at their mean place, and weighted by their number: anti-aliased edges at the price of one
shade per pixel. Label maps take the surface with most samples, the nearest on a tie.

Light changes slowly, paint does not. Where 2x2 pixels show one surface, the light is computed once, in their
middle, and read between the middles of neighbours; each pixel adds its own paint. Where every second such block
finds nearly the same light, the blocks between them take the mean; at outlines, the light of the next block.
"""

from __future__ import annotations

import numpy as np

from scenelens.sceneworld.brushwork import FINE, broad_spots, near_edge, patches, spots
from scenelens.sceneworld.nearness import openness_at
from scenelens.sceneworld.noise import kernel
from scenelens.sceneworld.painting import MIXED, paint_at, paint_image
from scenelens.sceneworld.sky import sky_at
from scenelens.sceneworld.surfaces import corners_at, light_on, normal_of, place_of, surface_at

__all__ = ["ENVIRONMENT", "shade_image"]

# Numbers of the environment vector, by name.
NAMES = """lx ly lz lr lg lb skyr skyg skyb gndr gndg gndb fogr fogg fogb fog zenr zeng zenb cloud outdoor bias reach
seed"""
ENVIRONMENT = {name: i for i, name in enumerate(NAMES.split())}
ALIKE, ALIKE_TEXTURE = 0.07, 0.04  # lights and brush textures (times their strength) that differ by less are interpolated
QUARTER = np.float32(0.25)
NOTHING = -3  # a block outside the picture
# What a mixed block keeps of each of its surfaces: light in 0 to 7, share of the sun, openness, whether lit and painted.
SHARE, OPEN, LIT, PAINTED, COLOUR = 8, 9, 10, 11, 12


@kernel
def gather(x, y, ids, keys, middles, tri, key, at_x, at_y):
    """The four samples of a pixel, where a hand that trembles puts them; True if all show the same surface."""
    left, top = middles[0, y, x] - 1, middles[1, y, x] - 1
    tri[0], tri[1], tri[2], tri[3] = ids[top, left], ids[top, left + 1], ids[top + 1, left], ids[top + 1, left + 1]
    at_x[0], at_y[0] = left + 1.0, top + 1.0
    key[0] = keys[tri[0]]
    if tri[0] == tri[1] and tri[0] == tri[2] and tri[0] == tri[3]:
        return True
    for k in range(1, 4):
        key[k] = keys[tri[k]]
    if key[0] == key[1] and key[0] == key[2] and key[0] == key[3]:
        return True
    for k in range(4):
        at_x[k], at_y[k] = left + (k & 1) + 0.5, top + (k >> 1) + 0.5
    return False


@kernel
def beside(x, y, key, blocks, lights, out):
    """Take the light of a block next to block (x, y) that is lit and shows the surface; False: there is none."""
    for j in range(max(0, y - 1), min(blocks.shape[0] - 1, y + 1) + 1):
        for i in range(x, x + 3):
            if blocks[j, i] == key:
                for c in range(8):
                    out[c] = lights[j, i, c]
                return True
    return False


@kernel
def slot_of(key, known, lights):
    """Which of the four places of this block holds what is known of a surface: an empty one if none does."""
    slot = 0
    while slot < 3 and known[slot] != key and known[slot] != MIXED:
        slot += 1
    if known[slot] != key:
        known[slot] = key
        lights[slot, SHARE] = lights[slot, OPEN] = -1.0
        lights[slot, LIT] = lights[slot, PAINTED] = 0.0
    return slot


@kernel
def light_sample(i, kind, group, bevel, p, n, m, uvw, sx, sy, near, drawn, traits, lens, sun, open_, depth, lit):
    """Light on a sample, into lit; what changes slowly (nearness, shadow, broad texture) is kept there for the next."""
    view, focal, centre = lens
    env, shadow, light = sun
    row, prim = drawn[3][i], drawn[4][i]
    trait, px = traits[int(row[13])], 2.0 / (near * focal)
    if lit[OPEN] < 0:
        lit[OPEN] = openness_at(open_, depth, sx, sy, near)
        lit[6], lit[7] = patches(row, prim, m), broad_spots(row, prim, trait, m, px)
    ray = ((sx - centre) / focal, (centre - sy) / focal, 1.0)
    lit[SHARE] = light_on(
        row, prim, kind, group, trait, p, n, m, uvw, ray, near, px, lit[OPEN], lit[SHARE], env, shadow, light, view, lit,
    )  # fmt: skip
    lit[LIT] = 0.0 if bevel else 1.0


@kernel
def shade_sample(t, key, sx, sy, drawn, meshes, traits, lens, sun, open_, depth, lit, lights, blocks):
    """Colour of triangle t at sample position (sx, sy), into lit[COLOUR:]. lit: what this block knows of its surface."""
    i, kind, group, corners, w, near = corners_at(t, sx, sy, drawn, meshes)
    row, prim, mesh = drawn[3][i], drawn[4][i], int(drawn[3][i, 12])
    trait, px = traits[int(row[13])], 2.0 / (near * lens[1])
    p, m, uvw = place_of(w, corners, prim, meshes[1][mesh], meshes[2][mesh], meshes[3])
    n = (0.0, 0.0, 0.0)
    bevel = kind % 10 == 2 and near_edge(row, prim, group, m, px)
    if not bevel and lit[LIT] == 0 and beside(int(sx * 0.25), int(sy * 0.25), key, blocks, lights, lit):
        lit[LIT] = lit[OPEN] = 1.0
    if bevel or lit[LIT] == 0 or row[14] > 0:
        n = normal_of(w, corners, prim, meshes[4])
    if bevel or lit[LIT] == 0:
        light_sample(i, kind, group, bevel, p, n, m, uvw, sx, sy, near, drawn, traits, lens, sun, open_, depth, lit)
    small = lit[7] if px * prim[21] < FINE else spots(row, prim, trait, m, px)
    paint_at(row, prim, trait, kind % 10, n, m, uvw, px, sx, sy, lit[6], small, lit, lit[COLOUR:])


@kernel
def light_block(t, x, y, drawn, meshes, traits, lens, sun, open_, lit):
    """Light in the middle of a block of one surface into lit (8,), 6 and 7: its texture; False where light changes fast."""
    view, focal, centre = lens
    env, shadow, light = sun
    sx, sy = 4.0 * x + 2.0, 4.0 * y + 2.0
    if t < 0:
        sky_at(sx, sy, lens, env, lit)
        lit[3:] = 0.0  # what another picture left there would be compared
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
def shade_pixel(x, y, tri, key, at_x, at_y, drawn, meshes, traits, lens, sun, open_, depth, known, slots, lights, blocks, image):
    """Colour of a pixel from its four samples; the triangle that shows most in it."""
    best, best_depth, best_k = 0, -1.0, 0
    for k in range(4):
        count, mean_x, mean_y, first = 0, 0.0, 0.0, True
        for m in range(4):
            if key[m] == key[k]:
                first = first and m >= k
                count += 1
                mean_x += at_x[m]
                mean_y += at_y[m]
        if not first:
            continue
        near = shade_part(
            tri[k], key[k], count, mean_x / count, mean_y / count, drawn, meshes, traits, lens, sun, open_, depth, known, slots,
            lights, blocks, image[y, x],
        )  # fmt: skip
        if count > best or (count == best and near > best_depth):
            best, best_depth, best_k = count, near, k
    return tri[best_k]


@kernel
def shade_part(t, key, count, sx, sy, drawn, meshes, traits, lens, sun, open_, depth, known, slots, lights, blocks, out):
    """Add the colour of `count` samples of a pixel to out, shaded at their mean place; returns 1 / depth, 0 for the sky.

    A single sample takes the colour that the surface had last in this block.
    """
    lit, e = slots[slot_of(key, known, slots)], drawn[0][t]
    near = max(1e-6, (e[0] * sx + e[1] * sy + e[2]) + (e[3] * sx + e[4] * sy + e[5]) + (e[6] * sx + e[7] * sy + e[8])) if t >= 0 else 0.0
    if count > 1 or lit[PAINTED] == 0:
        lit[PAINTED] = 1.0
        if t < 0:
            sky_at(sx, sy, lens, sun[0], lit[COLOUR:])
        else:
            shade_sample(t, key, sx, sy, drawn, meshes, traits, lens, sun, open_, depth, lit, lights, blocks)
    for c in range(3):
        out[c] += 0.25 * count * lit[COLOUR + c]
    return near


@kernel
def one_triangle(x, y, ids):
    """Whether all samples that a block's pixels may take, however the hand trembles, show the same triangle."""
    left, top = 4 * x - 1, 4 * y - 1
    if left < 0 or top < 0 or left + 6 > ids.shape[1] or top + 6 > ids.shape[0]:
        return False
    t, other = ids[top, left], 0
    if ids[top + 5, left + 5] != t or ids[top + 5, left] != t or ids[top, left + 5] != t:
        return False
    for j in range(6):
        for i in range(6):
            other |= ids[top + j, left + i] ^ t
    return other == 0


@kernel
def block_surface(x, y, size, ids, keys, middles, tri, key, at_x, at_y, shown):
    """The surface that all pixels of a block show, or MIXED; shown (S, S): the triangle of each pixel."""
    if one_triangle(x, y, ids):
        t = ids[4 * y, 4 * x]
        shown[2 * y, 2 * x] = shown[2 * y, 2 * x + 1] = shown[2 * y + 1, 2 * x] = shown[2 * y + 1, 2 * x + 1] = t
        return keys[t]
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
def mean_light(x, y, blocks, lights, strength):
    """Give an odd block the mean light of the even blocks around it, if they show its surface and are lit alike.

    strength: of the brush texture. Returns 2 if done, 1 if the texture differs and is still to be found, 0 if not done.
    """
    dx, dy, key, last = x & 1, y & 1, blocks[y, x + 1], blocks.shape[0] - 1
    if x + dx > last or y + dy > last:
        return 0
    left, top, right, low = x + 1 - dx, y - dy, x + 1 + dx, y + dy
    if blocks[top, left] != key or blocks[low, right] != key or blocks[top, right] != key or blocks[low, left] != key:
        return 0
    a, b, c, d, out = lights[top, left], lights[low, right], lights[top, right], lights[low, left], lights[y, x + 1]
    for n in range(6):
        if abs(a[n] - b[n]) > ALIKE or abs(c[n] - d[n]) > ALIKE or abs(a[n] - c[n]) > ALIKE:
            return 0
    for n in range(8):
        out[n] = QUARTER * (a[n] + b[n] + c[n] + d[n])
    for n in range(6, 8):
        if max(abs(a[n] - b[n]), max(abs(c[n] - d[n]), abs(a[n] - c[n]))) * strength > ALIKE_TEXTURE:
            return 1
    return 2


@kernel
def texture_block(t, x, y, drawn, meshes, traits, focal, out):
    """The brush texture in the middle of a block, into out 6 and 7."""
    i, _, _, corners, w, near = corners_at(t, 4.0 * x + 2.0, 4.0 * y + 2.0, drawn, meshes)
    row, prim, mesh = drawn[3][i], drawn[4][i], int(drawn[3][i, 12])
    m = place_of(w, corners, prim, meshes[1][mesh], meshes[2][mesh], meshes[3])[1]
    out[6], out[7] = patches(row, prim, m), broad_spots(row, prim, traits[int(row[13])], m, 2.0 / (near * focal))


@kernel
def shade_block(
    x, y, ids, keys, names, middles, scratch_i, scratch_f, drawn, meshes, traits, lens, sun, open_, depth, lights, blocks, shown,
    fine, image,
):  # fmt: skip
    """Colour of the pixels of a mixed block. shown: the triangle that shows most; fine (2S, 2S): object of each sample."""
    tri, key, known, at_x, at_y = scratch_i[0], scratch_i[1], scratch_i[2], scratch_f[0], scratch_f[1]
    for k in range(4):
        known[k] = MIXED
    for k in range(4):
        px, py = 2 * x + (k & 1), 2 * y + (k >> 1)
        if px < shown.shape[0] and py < shown.shape[0]:
            same = gather(px, py, ids, keys, middles, tri, key, at_x, at_y)
            image[py, px, 0] = image[py, px, 1] = image[py, px, 2] = 0.0
            for m in range(4):
                fine[2 * py + (m >> 1), 2 * px + (m & 1)] = names[tri[m], 0]
            if same:
                shown[py, px] = tri[0]
                shade_part(
                    tri[0], key[0], 4, at_x[0], at_y[0], drawn, meshes, traits, lens, sun, open_, depth, known, scratch_f[2:],
                    lights, blocks, image[py, px],
                )  # fmt: skip
            else:
                shown[py, px] = shade_pixel(
                    px, py, tri, key, at_x, at_y, drawn, meshes, traits, lens, sun, open_, depth, known, scratch_f[2:],
                    lights, blocks, image,
                )  # fmt: skip


@kernel
def light_blocks(even, shown, drawn, meshes, traits, lens, sun, open_, lights, blocks, lit):
    """Light on the blocks of one surface: first those of even row and column, then the others. Fast changes: MIXED."""
    for y in range(blocks.shape[0]):
        for x in range(blocks.shape[0]):
            if (x & 1 == 0 and y & 1 == 0) != even or blocks[y, x + 1] == MIXED:
                continue
            t = shown[2 * y, 2 * x]
            if not even:
                known = mean_light(x, y, blocks, lights, traits[int(drawn[3][drawn[1][t], 13]), 1] if t >= 0 else 1.0)
                if known == 1 and t >= 0:
                    texture_block(t, x, y, drawn, meshes, traits, lens[1], lights[y, x + 1])
                if known > 0:
                    continue
            if light_block(t, x, y, drawn, meshes, traits, lens, sun, open_, lit):
                for c in range(8):
                    lights[y, x + 1, c] = lit[c]
            else:
                blocks[y, x + 1] = MIXED


@kernel
def find_blocks(size, ids, keys, middles, scratch_i, scratch_f, shown, blocks):
    """The surface that each block shows, or MIXED; a column at either side shows nothing."""
    for y in range(blocks.shape[0]):
        blocks[y, 0] = blocks[y, blocks.shape[1] - 1] = NOTHING
        for x in range(blocks.shape[0]):
            blocks[y, x + 1] = block_surface(
                x, y, size, ids, keys, middles, scratch_i[0], scratch_i[1], scratch_f[0], scratch_f[1], shown,
            )  # fmt: skip


@kernel
def name_pixels(shown, blocks, names, labels, fine):
    """The label maps, and the object of each sample of the blocks of one surface."""
    for y in range(shown.shape[0]):
        for x in range(shown.shape[0]):
            t = shown[y, x]
            for k in range(3):
                labels[k, y, x] = names[t, k]
            if blocks[y >> 1, (x >> 1) + 1] != MIXED:
                for k in range(4):
                    fine[2 * y + (k >> 1), 2 * x + (k & 1)] = names[t, 0]


@kernel
def shade_mixed(
    ids, keys, names, middles, scratch_i, scratch_f, drawn, meshes, traits, lens, sun, open_, depth, lights, blocks, shown, fine, image,
):  # fmt: skip
    """Colour of the pixels of all mixed blocks."""
    for y in range(blocks.shape[0]):
        for x in range(blocks.shape[0]):
            if blocks[y, x + 1] == MIXED:
                shade_block(
                    x, y, ids, keys, names, middles, scratch_i, scratch_f, drawn, meshes, traits, lens, sun, open_, depth,
                    lights, blocks, shown, fine, image,
                )  # fmt: skip


def shade_image(drawn, meshes, traits, lens, sun, seen, names, middles, buffers, labels) -> None:
    """Fill the linear RGB image, the label maps (3, S, S), and the object of each sample.

    drawn: edges, owner and mesh face of each triangle, instance table, `primitive_frames`. meshes: kinds, low corners,
    inverse extents, vertices, normals, first vertex, faces and smooth sides. lens: view, focal length, middle. sun:
    environment, shadow map, light. seen: depth, triangle and openness of each sample. names: number of the surface of
    each triangle (triangles + 1) and its object, part and material (triangles + 1, 3); the last row is the sky's.
    middles (2, S, S): sample column and row of the middle of each pixel. buffers: image (S, S, 3) and object of each
    sample (2S, 2S), to be filled, and working space (for these kernels allocate nothing): shown (S, S), the triangle
    that shows most in each pixel; lights (B, B + 2, 8), the same again (8, B, B + 2) and blocks (B, B + 2), B blocks of
    2x2 pixels a side and one column more at either side; work (20, 2B) float32.
    """
    depth, ids, open_ = seen
    keys, labelled = names
    image, fine, shown, lights, planes, blocks, work = buffers
    scratch_i, scratch_f = np.empty((3, 4), np.int64), np.empty((7, 16))
    find_blocks(len(image), ids, keys, middles, scratch_i, scratch_f, shown, blocks)
    for even in (True, False):
        light_blocks(even, shown, drawn, meshes, traits, lens, sun, open_, lights, blocks, scratch_f[6])
    paint_image(shown, middles, drawn, meshes, traits, lens[1], lights, planes, blocks, work, image)
    shade_mixed(
        ids, keys, labelled, middles, scratch_i, scratch_f, drawn, meshes, traits, lens, sun, open_, depth, lights, blocks, shown,
        fine, image,
    )  # fmt: skip
    name_pixels(shown, blocks, labelled, labels, fine)
