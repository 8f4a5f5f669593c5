"""Pixels of blocks that show several surfaces, sample by sample.

Samples of the same surface (same primitive, same smooth side) are shaded once a pixel, at their mean place, and
weighted by their number: anti-aliased edges at the price of one shade a pixel and surface. What changes slowly is
found once a block and surface, or taken from a block beside.
"""

from __future__ import annotations

from scenelens.sceneworld.render.blocks import gather
from scenelens.sceneworld.render.brushwork import FINE, broad_spots, near_edge, patches, spots
from scenelens.sceneworld.render.nearness import openness_at
from scenelens.sceneworld.render.noise import kernel
from scenelens.sceneworld.render.painting import EDGE, MIXED, paint_at
from scenelens.sceneworld.render.sky import sky_at
from scenelens.sceneworld.render.surfaces import corners_at, light_on, normal_of, place_of

__all__ = ["shade_mixed"]

# What a mixed block keeps of each of its surfaces: light in 0 to 7, share of the sun, openness, whether lit and painted.
SHARE, OPEN, LIT, PAINTED, COLOUR = 8, 9, 10, 11, 12


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
def shade_part(t, key, count, sx, sy, drawn, meshes, traits, lens, sun, open_, depth, known, slots, lights, blocks, out):
    """Add the colour of `count` samples of a pixel to out, shaded at their mean place.

    A single sample takes the colour that the surface had last in this block.
    """
    lit = slots[slot_of(key, known, slots)]
    if count > 1 or lit[PAINTED] == 0:
        lit[PAINTED] = 1.0
        if t < 0:
            sky_at(sx, sy, lens, sun[0], lit[COLOUR:])
        else:
            shade_sample(t, key, sx, sy, drawn, meshes, traits, lens, sun, open_, depth, lit, lights, blocks)
    for c in range(3):
        out[c] += 0.25 * count * lit[COLOUR + c]


@kernel
def find_parts(tri, key, at_x, at_y, parts, at):
    """Samples of a pixel joined where they show one surface: triangle, surface and number into parts, mean place into at."""
    n = 0
    for k in range(4):
        j = 0
        while j < n and parts[1, j] != key[k]:
            j += 1
        if j == n:
            parts[0, n], parts[1, n], parts[2, n], at[0, n], at[1, n] = tri[k], key[k], 0, 0.0, 0.0
            n += 1
        parts[2, j] += 1
        at[0, j] += at_x[k]
        at[1, j] += at_y[k]
    for j in range(n):
        at[0, j] /= parts[2, j]
        at[1, j] /= parts[2, j]
    return n


@kernel
def nearness_of(t, sx, sy, drawn):
    """1 / depth of a triangle at a sample position, 0 for the sky."""
    e = drawn[0][t]
    near = (e[0] * sx + e[1] * sy + e[2]) + (e[3] * sx + e[4] * sy + e[5]) + (e[6] * sx + e[7] * sy + e[8])
    return max(1e-6, near) if t >= 0 else 0.0


@kernel
def largest(n, parts, at, drawn):
    """The triangle of the part with most samples, the nearest of several."""
    best = 0
    for j in range(1, n):
        if parts[2, j] > parts[2, best] or (
            parts[2, j] == parts[2, best]
            and nearness_of(parts[0, j], at[0, j], at[1, j], drawn) > nearness_of(parts[0, best], at[0, best], at[1, best], drawn)
        ):
            best = j
    return parts[0, best]


@kernel
def part_pixel(px, py, ids, keys, names, middles, ints, floats, drawn, shown, fine):
    """Find the parts of a pixel of a mixed block, their number; name its samples and what shows most in it."""
    tri, key, parts, at_x, at_y, at = ints[0], ints[1], ints[3:], floats[0], floats[1], floats[2:]
    same = gather(px, py, ids, keys, middles, tri, key, at_x, at_y)
    for m in range(4):
        fine[2 * py + (m >> 1), 2 * px + (m & 1)] = names[tri[m], 0]
    if same:
        parts[0, 0], parts[1, 0], parts[2, 0], at[0, 0], at[1, 0] = tri[0], key[0], 4, at_x[0], at_y[0]
        shown[py, px] = tri[0]
        return 1
    n = find_parts(tri, key, at_x, at_y, parts, at)
    shown[py, px] = largest(n, parts, at, drawn)
    return n


@kernel
def whole_pixel(px, py, keys, middles, ints, floats, shown):
    """`part_pixel` where it is known that all samples show one surface; they are named already."""
    t = shown[py, px]
    ints[3, 0], ints[4, 0], ints[5, 0], floats[2, 0], floats[3, 0] = t, keys[t], 4, middles[0, py, px], middles[1, py, px]
    return 1


@kernel
def shade_block(
    x, y, ids, keys, names, middles, ints, floats, slots, drawn, meshes, traits, lens, sun, open_, depth, lights, blocks, shown, fine,
    image,
):  # fmt: skip
    """Colour of the pixels of a mixed block. shown: the triangle that shows most; fine (2S, 2S): object of each sample."""
    known, parts, at = ints[2], ints[3:], floats[2:]
    for k in range(4):
        known[k] = MIXED
    for k in range(4):
        px, py = 2 * x + (k & 1), 2 * y + (k >> 1)
        if px < shown.shape[0] and py < shown.shape[0]:
            if blocks[y, x + 1] == MIXED:
                n = part_pixel(px, py, ids, keys, names, middles, ints, floats, drawn, shown, fine)
            else:
                n = whole_pixel(px, py, keys, middles, ints, floats, shown)
            image[0, py, px] = image[1, py, px] = image[2, py, px] = 0.0
            for j in range(n):
                shade_part(
                    parts[0, j], parts[1, j], parts[2, j], at[0, j], at[1, j], drawn, meshes, traits, lens, sun, open_, depth,
                    known, slots, lights, blocks, image[:, py, px],
                )  # fmt: skip


@kernel
def shade_mixed(
    ids, keys, names, middles, ints, floats, slots, drawn, meshes, traits, lens, sun, open_, depth, lights, blocks, shown, fine, image,
):  # fmt: skip
    """Colour of the pixels of all mixed blocks and those of edges.

    Working space: ints (6, 4): triangles, surfaces, surfaces known, parts; floats (4, 4): places of samples and parts;
    slots (4, 16): what is known of a block's surfaces.
    """
    for y in range(blocks.shape[0]):
        for x in range(blocks.shape[0]):
            if blocks[y, x + 1] == MIXED or blocks[y, x + 1] == EDGE:
                shade_block(
                    x, y, ids, keys, names, middles, ints, floats, slots, drawn, meshes, traits, lens, sun, open_, depth,
                    lights, blocks, shown, fine, image,
                )  # fmt: skip
