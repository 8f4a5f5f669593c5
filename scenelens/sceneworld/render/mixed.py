"""Pixels of blocks that show several surfaces, sample by sample.

In each pixel the samples of one surface (same primitive, same smoothing group) are shaded together, at their mean place, and
weighted by their number.  Edges are smooth then, at the price of one shading per pixel and surface instead of four.  What
changes slowly (light, shadow, openness) is computed once per block and surface, or taken from a neighbouring block.
"""

from __future__ import annotations

from scenelens.sceneworld.render.blocks import gather
from scenelens.sceneworld.render.brushwork import FINE, broad_spots, near_edge, patches, spots
from scenelens.sceneworld.render.nearness import openness_at
from scenelens.sceneworld.render.noise import inlined, inner, kernel
from scenelens.sceneworld.render.painting import EDGE, MIXED, paint_at
from scenelens.sceneworld.render.sky import sky_at
from scenelens.sceneworld.render.surfaces import corners_at, light_on, normal_of, place_of

__all__ = ["shade_mixed"]

# What a mixed block remembers of each of its surfaces, columns of `slots`: light and texture in 0 to 7, the share of direct
# light, openness, whether it is lit, whether it has been painted, and the last colour (12 to 14).
_SHARE, _OPEN, _LIT, _PAINTED, _COLOUR = 8, 9, 10, 11, 12


@inner
def _neighbour_light(x, y, key, blocks, lights, out):
    """Take the light of a block next to block (x, y) that is lit and shows the surface; False if there is none.

    `blocks` and `lights` have one column more at the left, so that block x stands at x + 1.
    """
    for j in range(max(0, y - 1), min(blocks.shape[0] - 1, y + 1) + 1):
        for i in range(x, x + 3):
            if blocks[j, i] == key:
                for c in range(8):
                    out[c] = lights[j, i, c]
                return True
    return False


@inner
def _slot_of(key, known, lights):
    """Which of the four slots of this block belongs to a surface; a new surface gets an empty slot, or else the last.

    A block seldom shows more than four surfaces; the fifth then displaces the fourth, which is shaded anew when it returns.
    """
    slot = 0
    while slot < 3 and known[slot] != key and known[slot] != MIXED:
        slot += 1
    if known[slot] != key:
        known[slot] = key
        lights[slot, _SHARE] = lights[slot, _OPEN] = -1.0
        lights[slot, _LIT] = lights[slot, _PAINTED] = 0.0
    return slot


@inner
def _light_sample(i, kind, group, bevel, p, n, m, uvw, sx, sy, near, drawn, traits, lens, sun, open_, depth, lit):
    """Light on a sample, into lit; what changes slowly (openness, shadow, broad texture) stays there for the next sample.

    On a bevel the normal changes from sample to sample, so its light is computed each time (_LIT stays 0), but not its shadow.
    """
    view, focal, centre = lens
    env, shadow, light = sun
    row, prim = drawn[3][i], drawn[4][i]
    trait, px = traits[int(row[13])], 2.0 / (near * focal)
    if lit[_OPEN] < 0:  # the first sample of this surface in the block pays for what all of them share
        lit[_OPEN] = openness_at(open_, depth, sx, sy, near)
        lit[6], lit[7] = patches(row, prim, m), broad_spots(row, prim, trait, m, px)
    ray = ((sx - centre) / focal, (centre - sy) / focal, 1.0)
    lit[_SHARE] = light_on(
        row, prim, kind, group, trait, p, n, m, uvw, ray, near, px, lit[_OPEN], lit[_SHARE], env, shadow, light, view, lit,
    )  # fmt: skip
    # lit[0:6] hold light now; marked as valid for the next sample only where the normal is the same all over the block.
    lit[_LIT] = 0.0 if bevel else 1.0


@inner
def _shade_sample(t, key, sx, sy, drawn, meshes, traits, lens, sun, open_, depth, lit, lights, blocks):
    """Colour of triangle t at sample position (sx, sy), into lit[_COLOUR:]. lit: the slot of its surface.

    The normal is computed only where it is needed: for light of its own, or to lay out a pattern.
    """
    i, kind, group, corners, w, near = corners_at(t, sx, sy, drawn, meshes)
    row, prim, mesh = drawn[3][i], drawn[4][i], int(drawn[3][i, 12])
    trait, px = traits[int(row[13])], 2.0 / (near * lens[1])
    p, m, uvw = place_of(w, corners, prim, meshes[1][mesh], meshes[2][mesh], meshes[3])
    n = (0.0, 0.0, 0.0)
    # Three sources of light, the cheapest first: an earlier sample of this block, a neighbouring block, a computation.
    bevel = kind % 10 == 2 and near_edge(row, prim, group, m, px)
    if not bevel and lit[_LIT] == 0 and _neighbour_light(int(sx * 0.25), int(sy * 0.25), key, blocks, lights, lit):
        lit[_LIT] = lit[_OPEN] = 1.0
    if bevel or lit[_LIT] == 0 or row[14] > 0:
        n = normal_of(w, corners, prim, meshes[4])
    if bevel or lit[_LIT] == 0:
        _light_sample(i, kind, group, bevel, p, n, m, uvw, sx, sy, near, drawn, traits, lens, sun, open_, depth, lit)
    # Broad texture was found with the light; fine texture differs from pixel to pixel.
    small = lit[7] if px * prim[21] < FINE else spots(row, prim, trait, m, px)
    paint_at(row, prim, trait, kind % 10, n, m, uvw, px, sx, sy, lit[6], small, lit, lit[_COLOUR:])


@inner
def _shade_part(t, key, count, sx, sy, drawn, meshes, traits, lens, sun, open_, depth, known, slots, lights, blocks, out):
    """Add the colour of `count` samples of a pixel to out, shaded at their mean place.

    A single sample weighs a quarter: it takes the colour that the surface had last in this block.
    """
    lit = slots[_slot_of(key, known, slots)]
    if count > 1 or lit[_PAINTED] == 0:
        lit[_PAINTED] = 1.0
        if t < 0:  # the sky's light is its colour
            sky_at(sx, sy, lens, sun[0], lit[_COLOUR:])
        else:
            _shade_sample(t, key, sx, sy, drawn, meshes, traits, lens, sun, open_, depth, lit, lights, blocks)
    for c in range(3):
        out[c] += 0.25 * count * lit[_COLOUR + c]


@inner
def _find_parts(tri, key, at_x, at_y, parts, at):
    """Group the samples of a pixel by surface: triangle, surface and number into parts, mean place into at; their number."""
    # At most four samples, so a linear search is the fastest.
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


@inner
def _nearness_of(t, sx, sy, drawn):
    """1 / depth of a triangle at a sample position, 0 for the sky."""
    # For the sky, t = -1, this reads the weights of some triangle; the result is discarded below.
    e = drawn[0][t]
    near = (e[0] * sx + e[1] * sy + e[2]) + (e[3] * sx + e[4] * sy + e[5]) + (e[6] * sx + e[7] * sy + e[8])
    return max(1e-6, near) if t >= 0 else 0.0


@inner
def _largest(n, parts, at, drawn):
    """The triangle of the part with most samples, of ties the nearest: it names the pixel in the label maps."""
    best = 0
    for j in range(1, n):
        if parts[2, j] > parts[2, best] or (
            parts[2, j] == parts[2, best]
            and _nearness_of(parts[0, j], at[0, j], at[1, j], drawn) > _nearness_of(parts[0, best], at[0, best], at[1, best], drawn)
        ):
            best = j
    return parts[0, best]


@inner
def _part_pixel(px, py, ids, keys, names, middles, ints, floats, drawn, shown, fine):
    """Find the parts of a pixel in a mixed block; note its samples' objects and the triangle that shows most; the number of parts."""
    tri, key, parts, at_x, at_y, at = ints[0], ints[1], ints[3:], floats[0], floats[1], floats[2:]
    same = gather(px, py, ids, keys, middles, tri, key, at_x, at_y)
    for m in range(4):
        fine[2 * py + (m >> 1), 2 * px + (m & 1)] = names[tri[m], 0]
    if same:
        parts[0, 0], parts[1, 0], parts[2, 0], at[0, 0], at[1, 0] = tri[0], key[0], 4, at_x[0], at_y[0]
        shown[py, px] = tri[0]
        return 1
    n = _find_parts(tri, key, at_x, at_y, parts, at)
    shown[py, px] = _largest(n, parts, at, drawn)
    return n


@inner
def _whole_pixel(px, py, keys, middles, ints, floats, shown):
    """As `_part_pixel`, for a pixel of an EDGE block: one surface, and its samples' objects are noted already."""
    t = shown[py, px]
    ints[3, 0], ints[4, 0], ints[5, 0], floats[2, 0], floats[3, 0] = t, keys[t], 4, middles[0, py, px], middles[1, py, px]
    return 1


@inlined
def _shade_block(
    x, y, ids, keys, names, middles, ints, floats, slots, drawn, meshes, traits, lens, sun, open_, depth, lights, blocks, shown, fine,
    image,
):  # fmt: skip
    """Colour of the pixels of a mixed block. shown: the triangle that shows most; fine (2S, 2S): object of each sample."""
    # What is known belongs to one block only: MIXED (no surface's number) marks its slots as empty.
    known, parts, at = ints[2], ints[3:], floats[2:]
    for k in range(4):
        known[k] = MIXED
    for k in range(4):
        px, py = 2 * x + (k & 1), 2 * y + (k >> 1)
        if px < shown.shape[0] and py < shown.shape[0]:
            if blocks[y, x + 1] == MIXED:
                n = _part_pixel(px, py, ids, keys, names, middles, ints, floats, drawn, shown, fine)
            else:
                n = _whole_pixel(px, py, keys, middles, ints, floats, shown)
            # Colours are added up over the surfaces; the working memory still holds another picture.
            image[0, py, px] = image[1, py, px] = image[2, py, px] = 0.0
            for j in range(n):
                _shade_part(
                    parts[0, j], parts[1, j], parts[2, j], at[0, j], at[1, j], drawn, meshes, traits, lens, sun, open_, depth,
                    known, slots, lights, blocks, image[:, py, px],
                )  # fmt: skip


@kernel
def shade_mixed(
    ids, keys, names, middles, ints, floats, slots, drawn, meshes, traits, lens, sun, open_, depth, lights, blocks, shown, fine, image,
):  # fmt: skip
    """Colour of the pixels in all MIXED and EDGE blocks.

    Working space: ints (6, 4): triangles, surfaces, surfaces known, parts; floats (4, 4): places of samples and parts;
    slots (4, 16): what is known of a block's surfaces, see above.
    """
    for y in range(blocks.shape[0]):
        for x in range(blocks.shape[0]):
            if blocks[y, x + 1] == MIXED or blocks[y, x + 1] == EDGE:
                _shade_block(
                    x, y, ids, keys, names, middles, ints, floats, slots, drawn, meshes, traits, lens, sun, open_, depth,
                    lights, blocks, shown, fine, image,
                )  # fmt: skip
