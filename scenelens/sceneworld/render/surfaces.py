"""One point of a surface and the light on it: its place, shadow, openness, shine, haze.

The light on a point is two colours, strength and gleam: the point then shows `paint * strength + gleam`.  This separation
lets the light be computed once per block of pixels, although every pixel has its own paint.
"""

from __future__ import annotations

import math

from scenelens.sceneworld.render.brushwork import bent
from scenelens.sceneworld.render.noise import inner, kernel
from scenelens.sceneworld.render.raster import to_light

__all__ = ["along", "corners_at", "flat_map", "light_on", "normal_of", "place_of", "primitive_frames", "surface_at"]


@kernel
def primitive_frames(table, extents, traits, out):
    """What shading needs of each primitive, into out (primitives, 22).

    Columns: 0-8 its rotation, 9-11 the scale of its axes, 12-14 their inverse, 15-17 its size in metres, 18-20 texture cells
    per metre along the axes (fewer along the grain), 21 the same without grain. extents (meshes, 3): sides of the boxes round
    the meshes; traits: the material's row of each primitive. Computed once, because every block and pixel needs them.
    """
    for i in range(table.shape[0]):
        a, mesh, prim, cells = table[i], int(table[i, 12]), out[i], 1.0 / traits[i, 0]
        for c in range(3):
            scale = math.sqrt(a[c] * a[c] + a[4 + c] * a[4 + c] + a[8 + c] * a[8 + c])
            prim[c], prim[3 + c], prim[6 + c] = a[c] / scale, a[4 + c] / scale, a[8 + c] / scale
            prim[9 + c], prim[12 + c], prim[15 + c], prim[18 + c] = scale, 1.0 / scale, extents[mesh, c] * scale, cells
        # The grain of wood runs along the longest side.
        longest = 0 if prim[15] >= max(prim[16], prim[17]) else 1 if prim[16] >= prim[17] else 2
        prim[18 + longest] = cells / traits[i, 2]
        prim[21] = cells


@inner
def _light_share(shadow, light, p, n, bias):
    """Share of the light that reaches a point, 0..1; 1 outside the shadow map.

    The mean over a square of 3x3 texels round the point: shadows get soft edges instead of steps.
    """
    # The point is moved towards its open side, or it would be hidden by its own surface: a texel is much wider than a point.
    q = (p[0] + n[0] * bias, p[1] + n[1] * bias, p[2] + n[2] * bias)
    x, y, z = to_light(light, q)
    x, y = x - 0.5, y - 0.5
    size = shadow.shape[0]
    if x < 2 or y < 2 or x >= size - 3 or y >= size - 3:
        return 1.0
    i, j = int(x), int(y)
    fx, fy = x - i, y - j
    z -= bias * 0.6
    # Most points are fully lit or fully in shadow. Where the four corners and the middle of the neighbourhood agree, the
    # other eleven texels are not read.
    open_corners = 0
    for k in range(4):
        if shadow[j - 1 + 3 * (k & 1), i - 1 + 3 * (k >> 1)] >= z:
            open_corners += 1
    middle = shadow[j, i] >= z
    if open_corners == 0 and not middle:
        return 0.0
    if open_corners == 4 and middle:
        return 1.0
    # The square of side 3 covers 4x4 texels, those at the border in part: full weight inside, fractions at the ends.
    total = 0.0
    for dy in range(-1, 3):
        wy = 1.0 - fy if dy == -1 else (fy if dy == 2 else 1.0)
        row = 0.0
        for dx in range(-1, 3):
            wx = 1.0 - fx if dx == -1 else (fx if dx == 2 else 1.0)
            if shadow[j + dy, i + dx] >= z:
                row += wx
        total += row * wy
    return total / 9.0


@inner
def _weights_at(e, sx, sy):
    """Barycentric weights of a sample position in a triangle, correct in perspective, and 1 / depth (see `raster`)."""
    w0, w1, w2 = e[0] * sx + e[1] * sy + e[2], e[3] * sx + e[4] * sy + e[5], e[6] * sx + e[7] * sy + e[8]
    near = max(1e-6, w0 + w1 + w2)
    far = 1.0 / near
    return w0 * far, w1 * far, w2 * far, near


@inner
def place_of(w, corners, prim, low, inverse_extent, vertices):
    """The place that weights w give: p in the mesh's own frame, m in metres, uvw in 0..1 of the box round the mesh.

    Textures are laid out in m, so that bricks are equally large on long and short walls; figures that fill a face in uvw.
    """
    a, b, c = corners
    w0, w1, w2 = w
    p = (
        w0 * vertices[a, 0] + w1 * vertices[b, 0] + w2 * vertices[c, 0],
        w0 * vertices[a, 1] + w1 * vertices[b, 1] + w2 * vertices[c, 1],
        w0 * vertices[a, 2] + w1 * vertices[b, 2] + w2 * vertices[c, 2],
    )
    m = (p[0] * prim[9], p[1] * prim[10], p[2] * prim[11])
    return p, m, ((p[0] - low[0]) * inverse_extent[0], (p[1] - low[1]) * inverse_extent[1], (p[2] - low[2]) * inverse_extent[2])


@inner
def normal_of(w, corners, prim, normals):
    """Unit normal that weights w give, in the mesh's own frame.

    Normals transform with the inverse of the scale: a flattened ball is steeper at its side than a round one.
    """
    a, b, c = corners
    w0, w1, w2 = w
    n0 = (w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0]) * prim[12]
    n1 = (w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1]) * prim[13]
    n2 = (w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2]) * prim[14]
    k = 1.0 / math.sqrt(n0 * n0 + n1 * n1 + n2 * n2 + 1e-20)
    return n0 * k, n1 * k, n2 * k


@inner
def light_on(row, prim, kind, group, traits, p, n, m, uvw, ray, near, px, ao, share, env, shadow, light, view, out):
    """Into out: strength of the light on the paint (0..2) and the gleam added to it (3..5), linear RGB.

    n: unit normal in the mesh's own frame; ray: viewing ray (x, y, 1) in camera space; ao: openness; share: of the
    light that reaches the point, if known, else -1. Returns the share if it was needed: neighbours can use it again.
    """
    n0, n1, n2 = bent(row, prim, kind % 10, group, n, m, uvw, px)
    wx = prim[0] * n0 + prim[1] * n1 + prim[2] * n2
    wy = prim[3] * n0 + prim[4] * n1 + prim[5] * n2
    wz = prim[6] * n0 + prim[7] * n1 + prim[8] * n2
    k = 1.0 / math.sqrt(wx * wx + wy * wy + wz * wz + 1e-20)
    length = math.sqrt(ray[0] * ray[0] + ray[1] * ray[1] + 1.0)
    shorter = -1.0 / length
    vx = (view[0] * ray[0] + view[3] * ray[1] + view[6]) * shorter
    vy = (view[1] * ray[0] + view[4] * ray[1] + view[7]) * shorter
    vz = (view[2] * ray[0] + view[5] * ray[1] + view[8]) * shorter
    facing = (wx * vx + wy * vy + wz * vz) * k
    if kind >= 10 and facing < 0:  # the back of a sheet: its normal points away from us
        k, facing = -k, -facing
    wx, wy, wz, facing = wx * k, wy * k, wz * k, max(0.0, facing)
    # Wrapped light: soft materials are lit a little beyond the edge where light comes along the surface.
    direct = max(0.0, (wx * env[0] + wy * env[1] + wz * env[2] + traits[5]) / (1.0 + traits[5]))
    if direct > 0:
        if share < 0:
            share = _light_share(shadow, light, _moved(row, p), (wx, wy, wz), env[21])
        direct *= share
    # Without direct light a surface sees sky above and ground below, mixed by its slope, and a weak fill light from
    # opposite the sun, so that shadow sides keep their form.
    up = 0.5 + 0.5 * wy
    fill = max(0.0, -wx * env[0] - wz * env[2]) * 0.22
    sun = direct * (0.55 + 0.45 * ao)
    for c in range(3):
        out[c] = (env[9 + c] + (env[6 + c] - env[9 + c]) * up + fill * env[6 + c]) * ao + env[3 + c] * sun
        out[3 + c] = 0.0
    if traits[3] > 0:
        _gleam(traits[3], traits[4], env, (wx, wy, wz), (vx, vy, vz), facing, direct, ao, out)
    # Haze moves the colour towards the horizon's, the more the farther away; light of its own (row 23) is added before.
    haze = 1.0 - math.exp(-env[15] * length / near) if env[15] > 0 else 0.0
    for c in range(3):
        out[c] = (out[c] + row[23]) * (1.0 - haze)
        out[3 + c] += (env[12 + c] - out[3 + c]) * haze
    return share


@inner
def _moved(row, p):
    """Where a primitive's frame puts a point of its mesh: its place in the world."""
    return (
        row[0] * p[0] + row[1] * p[1] + row[2] * p[2] + row[3],
        row[4] * p[0] + row[5] * p[1] + row[6] * p[2] + row[7],
        row[8] * p[0] + row[9] * p[1] + row[10] * p[2] + row[11],
    )


@inner
def _gleam(shine, gloss, env, n, v, facing, direct, ao, out):
    """What a shining surface mirrors: the light (a highlight) and the surroundings (sky above, ground below)."""
    hx, hy, hz = env[0] + v[0], env[1] + v[1], env[2] + v[2]
    k = 1.0 / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-9)
    spot = max(0.0, (n[0] * hx + n[1] * hy + n[2] * hz) * k)
    high_light = 0.0
    if spot > 0.5 and direct > 0:
        high_light = shine * 0.55 * spot**gloss * min(1.0, direct * 3)
    # Seen at a flat angle everything mirrors more (Fresnel's law, in Schlick's form with a cube).
    edge = 1.0 - facing
    mirror = min(0.6, 0.7 * shine * (0.25 + 0.75 * edge * edge * edge))
    seen = min(1.0, max(0.0, 0.5 + 1.4 * (2 * facing * n[1] - v[1])))
    # Metals colour what they mirror, other materials do not.
    through, paint = (0.35, 0.65) if shine > 0.6 else (1.0, 0.0)
    for c in range(3):
        around = (env[9 + c] * 0.8 + (env[6 + c] * 1.5 - env[9 + c] * 0.8) * seen) * ao * mirror
        out[c] = out[c] * (1.0 - 0.8 * mirror) + around * paint
        out[3 + c] = around * through + high_light * env[3 + c]


@inner
def flat_map(t, drawn, meshes):
    """m / depth and 1 / depth of triangle t, each as (per column, per row, constant) over sample positions.

    Both are linear over the picture, and their quotient is the place m. So a row of pixels needs a few additions and one
    division per pixel, instead of weights and corners.
    """
    e, i, f = drawn[0][t], drawn[1][t], drawn[2][t]
    mesh, prim, vertices, faces = int(drawn[3][i, 12]), drawn[4][i], meshes[3], meshes[6]
    start = meshes[5][mesh]
    a, b, c = vertices[start + faces[f, 0]], vertices[start + faces[f, 1]], vertices[start + faces[f, 2]]
    x, y, z = prim[9], prim[10], prim[11]
    return (
        (x * (e[0] * a[0] + e[3] * b[0] + e[6] * c[0]), x * (e[1] * a[0] + e[4] * b[0] + e[7] * c[0]),
         x * (e[2] * a[0] + e[5] * b[0] + e[8] * c[0])),
        (y * (e[0] * a[1] + e[3] * b[1] + e[6] * c[1]), y * (e[1] * a[1] + e[4] * b[1] + e[7] * c[1]),
         y * (e[2] * a[1] + e[5] * b[1] + e[8] * c[1])),
        (z * (e[0] * a[2] + e[3] * b[2] + e[6] * c[2]), z * (e[1] * a[2] + e[4] * b[2] + e[7] * c[2]),
         z * (e[2] * a[2] + e[5] * b[2] + e[8] * c[2])),
        (e[0] + e[3] + e[6], e[1] + e[4] + e[7], e[2] + e[5] + e[8]),
    )  # fmt: skip


@inner
def along(line, x, y):
    """A value of `flat_map` at a sample position."""
    return line[0] * x + line[1] * y + line[2]


@inner
def corners_at(t, sx, sy, drawn, meshes):
    """Primitive, mesh kind, smoothing group, corners and weights of triangle t at a sample position, and 1 / depth."""
    w0, w1, w2, near = _weights_at(drawn[0][t], sx, sy)
    i, f = drawn[1][t], drawn[2][t]
    mesh, faces = int(drawn[3][i, 12]), meshes[6]
    start = meshes[5][mesh]
    corners = (start + faces[f, 0], start + faces[f, 1], start + faces[f, 2])
    return i, meshes[0][mesh], meshes[7][f], corners, (w0, w1, w2), near


@inner
def surface_at(t, sx, sy, drawn, meshes):
    """The point of triangle t at a sample position: primitive, mesh kind, smoothing group, p, m, uvw, normal, 1 / depth."""
    i, kind, group, corners, w, near = corners_at(t, sx, sy, drawn, meshes)
    mesh, prim = int(drawn[3][i, 12]), drawn[4][i]
    p, m, uvw = place_of(w, corners, prim, meshes[1][mesh], meshes[2][mesh], meshes[3])
    return i, kind, group, p, m, uvw, normal_of(w, corners, prim, meshes[4]), near
