"""Which triangle does each sample show?  Kernels that fill a depth buffer for the camera and one for the light.

Each triangle is described by the inverse of the matrix of its three corners in camera space (Olano & Greer, "Triangle scan
conversion using 2D homogeneous coordinates", 1997).  The rows of the inverse, applied to a viewing ray (x, y, 1), are the
barycentric weights divided by depth, and their sum is 1 / depth.  This has two advantages: triangles that reach behind the
camera need no clipping, and shading can interpolate in perspective from the same nine numbers.

The buffer holds 1 / depth and not depth, because 1 / depth is a linear function of column and row.

Rows are processed in two steps, first the ends of all rows, then the samples of each row.  Both are simple loops that the
compiler turns into vector instructions; a loop that did both would be executed one sample at a time.
"""

from __future__ import annotations

import math

import numpy as np

from scenelens.sceneworld.render.noise import inner, kernel

__all__ = [
    "COLUMNS", "clear", "draw", "draw_shadow", "fit_to_casters", "name_triangles", "place_vertices", "setup_triangles", "to_light",
    "to_texels", "turn_vertices",
]  # fmt: skip

# Columns of the instance table, one row per primitive: its frame (a00 to a23), numbers of mesh, material and pattern, two
# colours, ids of object and part, light of its own, size of a pattern cell, radius of edges, seed, whether it throws a shadow.
_NAMES = """a00 a01 a02 a03 a10 a11 a12 a13 a20 a21 a22 a23 mesh material pattern r1 g1 b1 r2 g2 b2
object part glow size round seed casts"""
COLUMNS = {name: i for i, name in enumerate(_NAMES.split())}
_NEAR = 0.05  # metres; nearer corners count as behind the camera


@kernel
def place_vertices(table, starts, counts, vertices, offsets, out):
    """World positions of every instance's vertices; instance i writes from offsets[i] on.

    Once for all vertices, not per triangle: a vertex belongs to about six triangles, and the shadow map needs them again.
    """
    for i in range(table.shape[0]):
        a = table[i]
        mesh = int(a[12])
        start, o = starts[mesh], offsets[i]
        for k in range(counts[mesh]):
            x, y, z = vertices[start + k, 0], vertices[start + k, 1], vertices[start + k, 2]
            out[o + k, 0] = a[0] * x + a[1] * y + a[2] * z + a[3]
            out[o + k, 1] = a[4] * x + a[5] * y + a[6] * z + a[7]
            out[o + k, 2] = a[8] * x + a[9] * y + a[10] * z + a[11]


@kernel
def setup_triangles(table, face_start, face_count, faces, closed, offsets, world, view, focal, cx, cy, edges, owner, face, box):
    """Prepare each triangle that may be seen: nine weights, its instance, its mesh face and its pixel box; their number.

    Most triangles are dropped here, by the cheapest test that applies: behind the camera, turned away, outside the picture,
    between two samples.
    """
    n = 0
    width, height = 2 * cx, 2 * cy
    for i in range(table.shape[0]):
        mesh, o, a = int(table[i, 12]), offsets[i], table[i]
        flip = _mirrors(a)  # a mirrored frame (a left and a right lamp) turns the order of corners round
        for k in range(face_start[mesh], face_start[mesh] + face_count[mesh]):
            x0, y0, z0 = _to_view(view, world[o + faces[k, 0]])
            x1, y1, z1 = _to_view(view, world[o + faces[k, 1]])
            x2, y2, z2 = _to_view(view, world[o + faces[k, 2]])
            if z0 < _NEAR and z1 < _NEAR and z2 < _NEAR:
                continue
            # The cross product of two corners is a row of the inverse, up to the determinant. The determinant is the volume
            # between eye and triangle; its sign says which side faces the eye.
            ax, ay, az = y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2
            det = x0 * ax + y0 * ay + z0 * az
            if closed[mesh] and (det > 0) != flip:  # the far side of a solid is hidden by its near side
                continue
            if abs(det) < 1e-14:  # seen exactly from the side, or without area: nothing to see, and no inverse
                continue
            # The box of a triangle that reaches behind the camera is the whole picture: the projections of its corners are
            # meaningless, but the weights still decide correctly which samples it covers.
            left, right, top, bottom = 0.0, width, 0.0, height
            if z0 > _NEAR and z1 > _NEAR and z2 > _NEAR:
                u0, u1, u2 = cx + focal * x0 / z0, cx + focal * x1 / z1, cx + focal * x2 / z2
                v0, v1, v2 = cy - focal * y0 / z0, cy - focal * y1 / z1, cy - focal * y2 / z2
                left, right = min(u0, min(u1, u2)), max(u0, max(u1, u2))
                top, bottom = min(v0, min(v1, v2)), max(v0, max(v1, v2))
                if right < 0 or bottom < 0 or left > width or top > height or _between_samples(left, right, top, bottom):
                    continue
            d = 1.0 / det
            _weights(edges[n, 0:3], ax * d, ay * d, az * d, focal, cx, cy)
            _weights(
                edges[n, 3:6],
                (y2 * z0 - z2 * y0) * d,
                (z2 * x0 - x2 * z0) * d,
                (x2 * y0 - y2 * x0) * d,
                focal,
                cx,
                cy,
            )
            _weights(
                edges[n, 6:9],
                (y0 * z1 - z0 * y1) * d,
                (z0 * x1 - x0 * z1) * d,
                (x0 * y1 - y0 * x1) * d,
                focal,
                cx,
                cy,
            )
            # The middle of sample row r lies at r + 0.5. The slack of 0.002 is more than rounding can move an edge.
            owner[n], face[n] = i, k
            box[n, 0], box[n, 1] = max(0, math.floor(left)), min(int(width) - 1, int(right) + 1)
            box[n, 2], box[n, 3] = max(0, math.ceil(top - 0.502)), min(int(height) - 1, math.floor(bottom - 0.498))
            n += 1
    return n


@kernel
def name_triangles(n, owner, face, groups, table, keys, names):
    """Surface number (n + 1) of each triangle, and its object, part and material (n + 1, 3); a last row for the sky: -1.

    A surface is one smoothing group (0..63) of one primitive: samples of one surface are shaded together. The sky is
    triangle -1 everywhere, so that index -1 finds the last row without a special case.
    """
    for t in range(n):
        row = table[owner[t]]
        keys[t] = owner[t] * 64 + groups[face[t]]
        names[t, 0], names[t, 1], names[t, 2] = row[21], row[22], row[13]
    keys[n] = names[n, 0] = names[n, 1] = names[n, 2] = -1


@inner
def _between_samples(left, right, top, bottom):
    """Whether a box lies between the middles of samples, so that none of them can see what is in it."""
    return math.ceil(left - 0.502) > right - 0.498 or math.ceil(top - 0.502) > bottom - 0.498


@inner
def _mirrors(a):
    """Whether an instance's frame turns its mesh inside out: the sign of the determinant."""
    return (a[0] * (a[5] * a[10] - a[6] * a[9]) - a[1] * (a[4] * a[10] - a[6] * a[8]) + a[2] * (a[4] * a[9] - a[5] * a[8])) < 0


@inner
def _to_view(view, p):
    """A world point in camera space: right, up, ahead."""
    x, y, z = p[0] - view[9], p[1] - view[10], p[2] - view[11]
    return (
        view[0] * x + view[1] * y + view[2] * z,
        view[3] * x + view[4] * y + view[5] * z,
        view[6] * x + view[7] * y + view[8] * z,
    )


@inner
def _weights(out, rx, ry, rz, focal, cx, cy):
    """Turn a row over rays into (per column, per row, constant) over sample coordinates, which rasterising needs."""
    out[0] = rx / focal
    out[1] = -ry / focal
    out[2] = rz - rx * cx / focal + ry * cy / focal


@kernel
def draw(n, edges, owner, box, stipple, depth, ids, ends, level):
    """Fill depth (1 / distance, starts far away) and ids (triangle, starts at -1); stippled owners miss every other sample.

    Stippled owners (glass) are half transparent without sorting by depth: every other sample shows what lies behind, and
    the average over the samples of a pixel does the rest. Working space for as many rows as there are: ends (2, S) int64,
    level (S,) float64.
    """
    for t in range(n):
        e, top, thin = edges[t], box[t, 2], stipple[owner[t]]
        count = box[t, 3] + 1 - top
        _cross_rows(e, top, count, float(box[t, 0]), float(box[t, 1]), ends[0], ends[1], level)
        slope = e[0] + e[3] + e[6]
        for j in range(count):
            first, stop, y = ends[0, j], ends[1, j], top + j
            if first >= stop:
                continue
            if thin:
                # Which columns are missed alternates from row to row, as on a chessboard.
                _fill_thin(depth[y], ids[y], first + ((first + y) & 1), stop, level[j], slope, t)
            else:
                _fill(depth[y], ids[y], first, stop, level[j], slope, t)


@inner
def _cross_rows(e, top, count, left, right, first, stop, level):
    """Which samples of the rows from top on lie in a triangle, and 1 / distance at column 0: many rows at a time.

    A row of samples meets a triangle in one stretch, the part in which all three weights are positive.
    """
    # Plain numbers, not array elements: the compiler cannot know that `first` and `stop` are not part of `e`, and would
    # read it again in every step.
    e0, e1, e2, e3, e4, e5, e6, e7, e8 = e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7], e[8]
    w0, w1, w2 = _over(e0), _over(e3), _over(e6)
    for j in range(np.uint64(max(0, count))):
        py = float(np.int64(j) + top) + 0.5
        r0, r1, r2 = e1 * py + e2, e4 * py + e5, e7 * py + e8
        low, high = _span(left, right, e0, w0, r0)
        low, high = _span(low, high, e3, w1, r1)
        low, high = _span(low, high, e6, w2, r2)
        # A little wider than exact: two triangles that share an edge must leave no gap. A sample that both then cover goes
        # to the nearer one.
        first[j], stop[j] = math.ceil(low - 1e-4), math.floor(high + 1e-4) + 1
        level[j] = r0 + r1 + r2


@inner
def _whole(first, stop):
    """The end of a run of samples, rounded up to whole groups of eight.

    The compiler processes eight samples at a time and the remainder singly. Most runs are short, so nearly all samples would
    be remainder; the loops below run over whole groups and skip what is too much.
    """
    return np.uint64(first + ((stop - first + 7) & -8))


@inner
def _fill(near, seen, first, stop, base, slope, t):
    """Put triangle t into a row of samples where it is nearest.

    Columns are unsigned: for signed ones the compiler must allow for Python's negative indices, and gives up vector
    instructions. 0.9998: a later triangle wins a near tie, so that a picture that lies flat on a wall is seen.
    """
    for x in range(np.uint64(first), _whole(first, stop)):
        inverse = base + slope * (np.int64(x) + 0.5)
        if x < np.uint64(stop) and inverse > near[x] * 0.9998:
            near[x] = inverse
            seen[x] = t


@inner
def _fill_thin(near, seen, first, stop, base, slope, t):
    """As `_fill`, for every other sample."""
    for x in range(first, stop, 2):
        inverse = base + slope * (x + 0.5)
        if inverse > near[x] * 0.9998:
            near[x] = inverse
            seen[x] = t


@inner
def _over(a):
    """-1 / a, for `_span`; 0 where a is 0. One division per edge instead of one per row."""
    return -1.0 / a if abs(a) > 1e-15 else 0.0


@inner
def _span(low, high, a, per, r):
    """The part of [low, high] where a * (x + 0.5) + r >= 0; per is `_over` a."""
    if a > 1e-15:
        low = max(low, r * per - 0.5)
    elif a < -1e-15:
        high = min(high, r * per - 0.5)
    elif r < 0:
        high = low - 2
    return low, high


@kernel
def turn_vertices(world, axes, out):
    """Places (vertices, 3) along the light's axes: right, up, ahead."""
    for k in range(np.uint64(world.shape[0])):
        x, y, z = world[k, 0], world[k, 1], world[k, 2]
        out[k, 0] = axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z
        out[k, 1] = axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z
        out[k, 2] = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z


@kernel
def fit_to_casters(table, counts, offsets, turned, low, high):
    """Shrink the light's window (low, high: 2 numbers each, metres) to what casts a shadow, with 10 cm to spare.

    The smaller the window, the finer the texels of the shadow map.
    """
    a0, a1, b0, b1 = 1e9, 1e9, -1e9, -1e9
    for i in range(table.shape[0]):
        if table[i, 27] == 0:
            continue
        for k in range(offsets[i], offsets[i] + counts[int(table[i, 12])]):
            x, y = turned[k, 0], turned[k, 1]
            a0, a1, b0, b1 = min(a0, x), min(a1, y), max(b0, x), max(b1, y)
    if a0 < b0:
        low[0], low[1] = max(low[0], a0 - 0.1), max(low[1], a1 - 0.1)
        high[0], high[1] = min(high[0], b0 + 0.1), min(high[1], b1 + 0.1)


@kernel
def to_texels(turned, light):
    """Turn the first two coordinates of places along the light's axes (vertices, 3) from metres into texels."""
    for k in range(turned.shape[0]):
        turned[k, 0] = (turned[k, 0] - light[9]) * light[11]
        turned[k, 1] = (turned[k, 1] - light[10]) * light[11]


@kernel
def draw_shadow(table, face_start, face_count, faces, closed, offsets, lit, shadow, ends, level):
    """Nearest distance to the light per texel. lit (vertices, 3): all vertices in the light's frame, see `to_light`.

    The light is far away, so its rays are parallel and distance itself is linear over the map. Working space as in `draw`.
    """
    for i in range(table.shape[0]):
        if table[i, 27] == 0:
            continue
        mesh, o, turned = int(table[i, 12]), offsets[i], _mirrors(table[i])
        for k in range(face_start[mesh], face_start[mesh] + face_count[mesh]):
            a, b, c = lit[o + faces[k, 0]], lit[o + faces[k, 1]], lit[o + faces[k, 2]]
            area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
            if closed[mesh] and (area > 0) != turned:  # the side away from the light lies in the shadow of the other
                continue
            _shade_triangle(a, b, c, area, shadow, ends, level)


@inner
def _shade_triangle(a, b, c, area, shadow, ends, level):
    """Put a triangle into the shadow map where it is nearest to the light. area: twice its area, with its sign."""
    x0, y0, z0, x1, y1, z1, x2, y2, z2 = a[0], a[1], a[2], b[0], b[1], b[2], c[0], c[1], c[2]
    size = shadow.shape[0]
    left, right = max(0.0, min(x0, min(x1, x2)) - 0.5), min(size - 1.0, max(x0, max(x1, x2)) - 0.5)
    if abs(area) < 1e-9 or math.ceil(left) > right:  # no area, or between the middles of texels
        return
    low, high = max(0.0, min(y0, min(y1, y2))), min(size - 1.0, max(y0, max(y1, y2)))
    top = max(0, math.ceil(low - 0.502))
    count = max(0, min(size - 1, math.floor(high - 0.498)) + 1 - top)
    # With the sign of the area, the edge functions are positive inside for either order of corners.
    per, s = 1.0 / area, 1.0 if area > 0 else -1.0
    dz_x = ((z1 - z0) * (y2 - y0) - (z2 - z0) * (y1 - y0)) * per
    dz_y = ((z2 - z0) * (x1 - x0) - (z1 - z0) * (x2 - x0)) * per
    e0, e1, e2 = -s * (y1 - y0), -s * (y2 - y1), -s * (y0 - y2)
    w0, w1, w2 = _over(e0), _over(e1), _over(e2)
    for j in range(np.uint64(count)):  # many rows at a time
        py = float(np.int64(j) + top) + 0.5
        low, high = _span(left, right, e0, w0, s * ((x1 - x0) * (py - y0) + (y1 - y0) * x0))
        low, high = _span(low, high, e1, w1, s * ((x2 - x1) * (py - y1) + (y2 - y1) * x1))
        low, high = _span(low, high, e2, w2, s * ((x0 - x2) * (py - y2) + (y0 - y2) * x2))
        ends[0, j], ends[1, j] = math.ceil(low), math.floor(max(-1.0, high)) + 1
        level[j] = z0 + dz_x * (0.5 - x0) + dz_y * (py - y0)
    for j in range(count):
        if ends[0, j] < ends[1, j]:
            _shade_row(shadow[top + j], ends[0, j], ends[1, j], level[j], dz_x)


@inner
def _shade_row(row, first, stop, far, slope):
    """Put a triangle into a row of texels where it is nearest to the light; groups of eight as in `_whole`."""
    for x in range(np.uint64(first), _whole(first, stop)):
        if x < np.uint64(stop):
            row[x] = min(row[x], np.float32(far + slope * np.int64(x)))


@inner
def to_light(light, p):
    """A world point in the light's frame: texel x, texel y, distance along the light in metres."""
    return (
        (light[0] * p[0] + light[1] * p[1] + light[2] * p[2] - light[9]) * light[11],
        (light[3] * p[0] + light[4] * p[1] + light[5] * p[2] - light[10]) * light[11],
        light[6] * p[0] + light[7] * p[1] + light[8] * p[2],
    )


def clear(depth: np.ndarray, ids: np.ndarray, shadow: np.ndarray) -> None:
    """Start a picture: everything 10 km away, no triangle (-1), nothing between the light and any surface."""
    depth.fill(1e-4)
    ids.fill(-1)
    shadow.fill(1e9)
