"""The colour of every pixel: brush texture, pattern, warm light and cool shadow, as numba kernels.

Each output pixel covers 2x2 samples of the depth buffer. Samples of the same surface (same primitive, same smooth
side) are shaded once, at their mean place, and weighted by their number: anti-aliased edges at the price of one
shade per pixel. Label maps take the surface with most samples, the nearest on a tie.

Light changes slowly, paint does not. Where 2x2 pixels show one surface, the light is computed once, in their
middle, and read between the middles of neighbours; each pixel adds its own paint. Where every second such block
finds nearly the same light, the blocks between them take the mean; at outlines, the light of the next block.
"""

from __future__ import annotations

from scenelens.sceneworld.brushwork import near_edge, patches, spots
from scenelens.sceneworld.nearness import openness_at
from scenelens.sceneworld.noise import kernel
from scenelens.sceneworld.painting import MIXED, WEIGHTS, paint_at, paint_image
from scenelens.sceneworld.sky import sky_at
from scenelens.sceneworld.surfaces import light_on, surface_at

__all__ = ["ENVIRONMENT", "shade_image"]

# Numbers of the environment vector, by name.
NAMES = """lx ly lz lr lg lb skyr skyg skyb gndr gndg gndb fogr fogg fogb fog zenr zeng zenb cloud outdoor bias reach
seed"""
ENVIRONMENT = {name: i for i, name in enumerate(NAMES.split())}
SKY = -1
ALIKE = 0.05  # lights that differ by less are interpolated


@kernel
def gather(x, y, size, ids, keys, wobble, tri, key, at_x, at_y):
    """The four samples of a pixel, where a hand that trembles puts them; True if all show the same surface."""
    left = min(size - 2, max(0, 2 * x + wobble[y, x, 0]))
    top = min(size - 2, max(0, 2 * y + wobble[y, x, 1]))
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
def beside(x, y, key, blocks):
    """Number (row * width + column) of a block next to block (x, y) that is lit and shows the surface; -1: none."""
    last = blocks.shape[0] - 1
    for j in range(max(0, y - 1), min(last, y + 1) + 1):
        for i in range(max(0, x - 1), min(last, x + 1) + 1):
            if blocks[j, i] == key:
                return j * (last + 1) + i
    return -1


@kernel
def shade_sample(t, key, sx, sy, drawn, meshes, traits, lens, sun, open_, depth, known, lights, lit_blocks, out):
    """Colour of triangle t (or the sky) at sample position (sx, sy); returns 1 / depth.

    known (4,), lights (4, 8): surfaces lit in this block already, and their light. lit_blocks: keys and lights of all.
    """
    view, focal, centre = lens
    env, shadow, light = sun
    if t < 0:
        sky_at(sx, sy, lens, env, out)
        return 0.0
    i, kind, group, p, m, uvw, n, near = surface_at(t, sx, sy, drawn, meshes)
    row, prim = drawn[3][i], drawn[4][i]
    trait, px = traits[int(row[13])], 2.0 / (near * focal)
    slot = 0
    while slot < 3 and known[slot] != key and known[slot] != MIXED:
        slot += 1
    lit = lights[slot]
    if known[slot] != key:
        bevel = kind % 10 == 2 and near_edge(row, prim, group, m, px)
        other = -1 if bevel else beside(int(sx * 0.25), int(sy * 0.25), key, lit_blocks[0])
        if other >= 0:
            width = lit_blocks[0].shape[0]
            for c in range(8):
                lit[c] = lit_blocks[1][other // width, other % width, c]
        else:
            ray, ao = ((sx - centre) / focal, (centre - sy) / focal, 1.0), openness_at(open_, depth, sx, sy, near)
            light_on(row, prim, kind, group, trait, p, n, m, uvw, ray, near, px, ao, env, shadow, light, view, lit)
            lit[6] = patches(row, prim, m)
        if not bevel:
            known[slot] = key
    paint_at(row, prim, trait, kind % 10, n, m, uvw, px, sx, sy, lit[6], spots(row, prim, trait, m, px), lit, out)
    return near


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
        row, prim, kind, group, traits[int(row[13])], p, n, m, uvw, ray, near, px, open_[y, x], env, shadow, light, view, lit,
    )  # fmt: skip
    lit[6], lit[7] = patches(row, prim, m), spots(row, prim, traits[int(row[13])], m, px)
    return True


@kernel
def shade_pixel(
    x, y, same, tri, key, at_x, at_y, drawn, meshes, traits, lens, sun, open_, depth, known, lights, lit_blocks, colour, image,
):  # fmt: skip
    """Colour of a pixel from its samples; the triangle that shows most in it."""
    image[y, x, 0] = image[y, x, 1] = image[y, x, 2] = 0.0
    best, best_depth, best_k = 0, -1.0, 0
    for k in range(1 if same else 4):
        count, mean_x, mean_y, first = 0, 0.0, 0.0, True
        if same:
            count, mean_x, mean_y = 4, 4 * at_x[0], 4 * at_y[0]
        else:
            for m in range(4):
                if key[m] == key[k]:
                    first = first and m >= k
                    count += 1
                    mean_x += at_x[m]
                    mean_y += at_y[m]
        if not first:
            continue
        near = shade_sample(
            tri[k], key[k], mean_x / count, mean_y / count, drawn, meshes, traits, lens, sun, open_, depth, known, lights,
            lit_blocks, colour,
        )  # fmt: skip
        for c in range(3):
            image[y, x, c] += 0.25 * count * colour[c]
        if count > best or (count == best and near > best_depth):
            best, best_depth, best_k = count, near, k
    return tri[best_k]


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
def block_surface(x, y, size, ids, keys, wobble, tri, key, at_x, at_y, shown):
    """The surface that all pixels of a block show, or MIXED; shown (S, S): the triangle of each pixel."""
    if one_triangle(x, y, ids):
        t = ids[4 * y, 4 * x]
        shown[2 * y, 2 * x] = shown[2 * y, 2 * x + 1] = shown[2 * y + 1, 2 * x] = shown[2 * y + 1, 2 * x + 1] = t
        return keys[t]
    first = keys[-1]
    for k in range(4):
        px, py = 2 * x + (k & 1), 2 * y + (k >> 1)
        if px < size and py < size:
            same = gather(px, py, 2 * size, ids, keys, wobble, tri, key, at_x, at_y)
            first = key[0] if k == 0 else first
            if not same or key[0] != first:
                return MIXED
            shown[py, px] = tri[0]
    return first


@kernel
def mean_light(x, y, blocks, lights):
    """Give an odd block the mean light of the even blocks around it, if they show its surface and are lit alike."""
    dx, dy, key, last = x & 1, y & 1, blocks[y, x], blocks.shape[0] - 1
    if x + dx > last or y + dy > last:
        return False
    left, top, right, low = x - dx, y - dy, x + dx, y + dy
    if blocks[top, left] != key or blocks[low, right] != key or blocks[top, right] != key or blocks[low, left] != key:
        return False
    a, b, c, d, out = lights[top, left], lights[low, right], lights[top, right], lights[low, left], lights[y, x]
    for n in range(8):
        limit = ALIKE if n < 6 else 0.2
        if abs(a[n] - b[n]) > limit or abs(c[n] - d[n]) > limit or abs(a[n] - c[n]) > limit:
            return False
    for n in range(8):
        out[n] = WEIGHTS[2] * 4 * (a[n] + b[n] + c[n] + d[n])
    return True


@kernel
def shade_block(
    x, y, ids, keys, names, wobble, scratch_i, scratch_f, drawn, meshes, traits, lens, sun, open_, depth, lights, blocks, shown,
    fine, image,
):  # fmt: skip
    """Colour of the pixels of a mixed block. shown: the triangle that shows most; fine (2S, 2S): object of each sample."""
    tri, key, at_x, at_y, colour = scratch_i[0], scratch_i[1], scratch_f[0], scratch_f[1], scratch_f[2]
    size = shown.shape[0]
    for k in range(4):
        scratch_i[2, k] = MIXED
    for k in range(4):
        px, py = 2 * x + (k & 1), 2 * y + (k >> 1)
        if px < size and py < size:
            same = gather(px, py, 2 * size, ids, keys, wobble, tri, key, at_x, at_y)
            for m in range(4):
                fine[2 * py + (m >> 1), 2 * px + (m & 1)] = names[tri[m], 0]
            shown[py, px] = shade_pixel(
                px, py, same, tri, key, at_x, at_y, drawn, meshes, traits, lens, sun, open_, depth, scratch_i[2], scratch_f[3:],
                (blocks, lights), colour, image,
            )  # fmt: skip


@kernel
def light_blocks(even, shown, drawn, meshes, traits, lens, sun, open_, lights, blocks):
    """Light on the blocks of one surface: first those of even row and column, then the others. Fast changes: MIXED."""
    for y in range(blocks.shape[0]):
        for x in range(blocks.shape[0]):
            if (x & 1 == 0 and y & 1 == 0) != even or blocks[y, x] == MIXED:
                continue
            if not even and mean_light(x, y, blocks, lights):
                continue
            if not light_block(shown[2 * y, 2 * x], x, y, drawn, meshes, traits, lens, sun, open_, lights[y, x]):
                blocks[y, x] = MIXED


@kernel
def shade_image(
    table, prims, kinds, lows, inverse_extents, vertices, normals, vertex_start, faces, groups, edges, owner, face, depth,
    ids, wobble, traits, view, focal, centre, env, shadow, light, image, labels, fine, keys, names, shown, lights, blocks,
    scratch_i, scratch_f, light_here, open_,
):  # fmt: skip
    """Fill image (S, S, 3) linear RGB, the label maps (3, S, S), and fine (2S, 2S): object of each sample.

    keys (triangles + 1): number of the surface of each triangle; names (triangles + 1, 3): its object, part and
    material; the last row is the sky's. Working space, for these kernels allocate nothing: shown (S, S), the triangle
    that shows most in each pixel; lights (B, B, 8) and blocks (B, B), B blocks of 2x2 pixels a side; scratch_i (3, 4)
    int64, scratch_f (7, 8) float64 and light_here (8,) float32.
    """
    size = image.shape[0]
    drawn = (edges, owner, face, table, prims)
    meshes = (kinds, lows, inverse_extents, vertices, normals, vertex_start, faces, groups)
    lens, sun = (view, focal, centre), (env, shadow, light)
    for y in range(blocks.shape[0]):
        for x in range(blocks.shape[0]):
            blocks[y, x] = block_surface(x, y, size, ids, keys, wobble, scratch_i[0], scratch_i[1], scratch_f[0], scratch_f[1], shown)
    for k in range(2):
        light_blocks(k == 0, shown, drawn, meshes, traits, lens, sun, open_, lights, blocks)
    paint_image(shown, wobble, drawn, meshes, traits, focal, lights, blocks, light_here, image)
    for y in range(blocks.shape[0]):
        for x in range(blocks.shape[0]):
            if blocks[y, x] == MIXED:
                shade_block(
                    x, y, ids, keys, names, wobble, scratch_i, scratch_f, drawn, meshes, traits, lens, sun, open_, depth,
                    lights, blocks, shown, fine, image,
                )  # fmt: skip
    for y in range(size):
        for x in range(size):
            t = shown[y, x]
            for k in range(3):
                labels[k, y, x] = names[t, k]
            if blocks[y >> 1, x >> 1] != MIXED:
                for k in range(4):
                    fine[2 * y + (k >> 1), 2 * x + (k & 1)] = names[t, 0]
