"""How paint lies on one point of a surface: pattern, brush texture, specks, and the normal bent by edges and ripples.

Parameters that return in all functions: row, a row of the instance table; prim, of `surfaces.primitive_frames`; traits, of
`materials.MATERIAL_TABLE`; kind and group, the mesh's kind and the smoothing group; m and uvw, the place, see
`surfaces.place_of`; n, the normal; px, the size of a pixel in metres at that distance.
"""

from __future__ import annotations

import math

from scenelens.sceneworld.render.noise import hash01, inner, noise2, noise3
from scenelens.sceneworld.render.patterns import pattern_value

__all__ = ["FINE", "bent", "broad_spots", "near_edge", "patches", "pattern_at", "spots", "tint"]


FINE = 0.33  # spots of brush texture per pixel; finer texture (spots under three pixels) is computed for every pixel


@inner
def _layout(kind, n, m, uvw, extent):
    """Where a point lies on its face: p right and q up in metres, u and v in 0..1, and the face's width and height.

    Turned primitives are unrolled; on others the face is the one of the box that the normal points to.
    """
    ax, ay, az = abs(n[0]), abs(n[1]), abs(n[2])
    if kind == 1 and ay < 0.85:
        turn = math.atan2(m[2], m[0])
        return turn * 0.25 * (extent[0] + extent[2]), m[1], turn * 0.159155 + 0.5, uvw[1], 3.14 * extent[0], extent[1]
    if ay >= ax and ay >= az:
        return m[0], m[2], uvw[0], uvw[2], extent[0], extent[2]
    if ax >= az:
        return m[2], m[1], uvw[2], uvw[1], extent[2], extent[1]
    return m[0], m[1], uvw[0], uvw[1], extent[0], extent[1]


@inner
def _bend(m, half, limit):
    """Tilt of the normal near a box edge: m from -half to half. Edges catch light without any triangles of their own."""
    r = min(limit, 0.4 * half)  # thin boards keep a flat middle
    d = half - abs(m)
    if d >= r:
        return 0.0
    t = 1 - max(0.0, d) / r
    return (0.75 if m > 0 else -0.75) * t * t


@inner
def near_edge(row, prim, group, m, px):
    """Whether a point of a box lies so near an edge of its face that the normal changes within a pixel or so.

    There light changes fast, and a block must not be lit once in its middle.
    """
    limit, axis = max(row[25], 0.9 * px) + 1.2 * px, group // 2
    return (
        (axis != 0 and 0.5 * prim[15] - abs(m[0]) < limit)
        or (axis != 1 and 0.5 * prim[16] - abs(m[1] - 0.5 * prim[16]) < limit)
        or (axis != 2 and 0.5 * prim[17] - abs(m[2]) < limit)
    )


@inner
def bent(row, prim, kind, group, n, m, uvw, px):
    """The normal n, bent near the edges of a box and by the ripples of water."""
    n0, n1, n2 = n
    if kind == 2:
        # At least about a pixel wide, so that far edges do not flicker between samples. The six faces of a box are its
        # smoothing groups, two per axis.
        limit, axis = max(row[25], 0.9 * px), group // 2
        if axis != 0:
            n0 += _bend(m[0], 0.5 * prim[15], limit)
        if axis != 1:
            n1 += _bend(m[1] - 0.5 * prim[16], 0.5 * prim[16], limit)
        if axis != 2:
            n2 += _bend(m[2], 0.5 * prim[17], limit)
    elif row[14] == 12:  # the pattern of ripples
        seed, per = int(row[26]), 1.0 / row[24]
        p, q = _layout(kind, n, m, uvw, (prim[15], prim[16], prim[17]))[:2]
        n0 += 0.10 * noise2(p * 2.1 * per, q * 5.0 * per, seed)
        n2 += 0.16 * noise2(p * 1.3 * per, q * 6.0 * per, seed + 4)
    return n0, n1, n2


@inner
def patches(row, prim, m):
    """The broad part of the brush texture, in [-1, 1].

    Noise in space, not on the surface: it has no seams, whatever the shape. The seed shifts it, so that primitives
    differ.
    """
    offset = (int(row[26]) & 1023) * 0.37
    return noise3(m[0] * prim[18] * 0.31 + 7, m[1] * prim[19] * 0.31 + offset, m[2] * prim[20] * 0.31)


@inner
def spots(row, prim, traits, m, px):
    """The small part of the brush texture, in [-1, 1]; 0 where it would change no pixel by a grey level."""
    fine = px * prim[21]
    if traits[1] < 0.006 * (1.0 + fine * fine):
        return 0.0
    return noise3(m[0] * prim[18] + (int(row[26]) & 1023) * 0.37, m[1] * prim[19], m[2] * prim[20])


@inner
def broad_spots(row, prim, traits, m, px):
    """`spots` where they are so broad that they can be interpolated between blocks of pixels, with room to spare; else 0."""
    return spots(row, prim, traits, m, px) if px * prim[21] < 1.5 * FINE else 0.0


@inner
def pattern_at(row, prim, kind, n, m, uvw, px):
    """Share of the second colour and factor on lightness of the pattern at a point."""
    pattern = int(row[14])
    p, q, u, v, wide, high = _layout(kind, n, m, uvw, (prim[15], prim[16], prim[17]))
    if wide > high and (pattern == 5 or pattern == 6):  # wood grain and planks run along the longer side
        p, q = q, p
    return pattern_value(pattern, p, q, u, v, row[24], px, int(row[26]))


@inner
def tint(row, prim, traits, kind, n, m, uvw, px, sx, sy, broad, small):
    """Share of the second colour, factor on lightness, and drift towards warm or cool; broad, small: `patches` and `spots`.

    Texture finer than a pixel fades out, 1 / (1 + fine ** 2): it would only be noise that changes from picture to picture.
    """
    seed, pattern = int(row[26]), int(row[14])
    share, tone = 0.0, 1.0
    if pattern > 0:
        share, tone = pattern_at(row, prim, kind, n, m, uvw, px)
    fine = px * prim[21]
    tone *= 1.0 + traits[1] * (0.65 * small / (1.0 + fine * fine) + 0.6 * broad)
    if traits[6] > 0:
        tone *= 1.0 + traits[6] * (hash01(int(sx), int(sy), seed) - 0.5)
    return share, tone, 0.35 * traits[1] * broad + 0.02 * small
