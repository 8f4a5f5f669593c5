"""The colour of every pixel: brush texture, pattern, warm light and cool shadow, as one numba kernel.

Each output pixel covers 2x2 samples of the depth buffer. Samples of the same surface (same primitive, same smooth
side) are shaded once, at their mean place, and weighted by their number: anti-aliased edges at the price of one
shade per pixel. Label maps take the surface with most samples, the nearest on a tie.
"""

from __future__ import annotations

import math

import numpy as np

from scenelens.sceneworld.materials import pattern_value
from scenelens.sceneworld.noise import fbm2, hash01, kernel, noise2, noise3
from scenelens.sceneworld.raster import to_light

__all__ = ["ENVIRONMENT", "shade_image"]

# Numbers of the environment vector, by name.
ENVIRONMENT = {
    name: i
    for i, name in enumerate(
        "lx ly lz lr lg lb skyr skyg skyb gndr gndg gndb fogr fogg fogb fog zenr zeng zenb cloud outdoor bias reach seed".split()
    )
}
SKY = -1
# Eight taps on a spiral, and sixteen turns of it that neighbouring pixels share out.
_k = np.arange(8)
TAPS = (np.sqrt((_k + 0.6) / 8) * np.array([np.cos(2.399963 * _k), np.sin(2.399963 * _k)])).T.copy()
_turn = np.random.default_rng(8).permutation(16).reshape(4, 4) * (2 * np.pi / 16)
SPIN = np.stack([np.cos(_turn), np.sin(_turn)], -1)


@kernel
def lit(shadow, light, p, n, bias):
    """Share of the light that reaches a point: 3x3 neighbouring texels, interpolated; 1 outside the map."""
    q = (p[0] + n[0] * bias, p[1] + n[1] * bias, p[2] + n[2] * bias)
    x, y, z = to_light(light, q)
    x, y = x - 0.5, y - 0.5
    size = shadow.shape[0]
    if x < 2 or y < 2 or x >= size - 3 or y >= size - 3:
        return 1.0
    i, j = int(x), int(y)
    fx, fy = x - i, y - j
    z -= bias * 0.6
    if (
        shadow[j - 1, i - 1] >= z
        and shadow[j + 2, i + 2] >= z
        and shadow[j - 1, i + 2] >= z
        and shadow[j + 2, i - 1] >= z
    ):
        if shadow[j, i] >= z and shadow[j + 1, i + 1] >= z:
            return 1.0
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


@kernel
def openness(depth, sx, sy, view_p, view_n, focal, cx, cy, reach):
    """How much of the surroundings is open (1) or hidden by near surfaces (towards 0): 8 taps in screen space."""
    radius = min(44.0, max(3.0, focal * reach / view_p[2]))
    i, j = int(sy) & 3, int(sx) & 3
    c, s = SPIN[i, j, 0] * radius, SPIN[i, j, 1] * radius
    size = depth.shape[0]
    hidden = 0.0
    for k in range(8):
        x = int(sx + c * TAPS[k, 0] - s * TAPS[k, 1])
        y = int(sy + s * TAPS[k, 0] + c * TAPS[k, 1])
        if x < 0 or y < 0 or x >= size or y >= size or depth[y, x] <= 0:
            continue
        z = 1.0 / depth[y, x]
        vx, vy, vz = (
            (x + 0.5 - cx) / focal * z - view_p[0],
            (cy - y - 0.5) / focal * z - view_p[1],
            z - view_p[2],
        )
        d2 = vx * vx + vy * vy + vz * vz
        rise = vx * view_n[0] + vy * view_n[1] + vz * view_n[2] - 0.01 * view_p[2] * 0.3
        if rise > 0:
            near = max(0.0, 1.0 - d2 / (reach * reach * 1.6))
            hidden += near * rise / math.sqrt(d2 + 1e-6)
    return max(0.0, 1.0 - 0.30 * hidden)


@kernel
def sky_colour(env, dx, dy, dz, out):
    """A gradient from horizon to zenith with soft painted clouds and a glow towards the light."""
    up = dy / math.sqrt(dx * dx + dy * dy + dz * dz)
    t = min(1.0, max(0.0, up * 1.6 + 0.05))
    t = math.sqrt(t)
    seed = int(env[23])
    plane = 1.0 / (max(up, 0.0) + 0.16)
    body = fbm2(dx * plane * 0.9 + seed % 31, dz * plane * 1.4 + up * 3, seed)
    cover = min(1.0, max(0.0, (body - 0.30 + env[19]) * 2.6)) * min(1.0, max(0.0, up * 7 + 0.25))
    lift = min(
        1.0,
        max(
            0.0, 0.62 + 0.9 * fbm2(dx * plane * 0.9 + seed % 31 + 0.12, dz * plane * 1.4 + up * 3 + 0.2, seed)
        ),
    )
    for c in range(3):
        base = env[12 + c] + (env[16 + c] - env[12 + c]) * t
        white = 0.55 * env[12 + c] + 0.45 * (0.72 + 0.28 * lift) * (
            0.5 + 0.5 * env[3 + c] / max(env[3], env[5])
        )
        white *= 0.86 + 0.2 * lift
        out[c] = base + (white * 1.12 - base) * cover * 0.85


@kernel
def surface(
    row, kind, mesh_low, mesh_extent, group, traits, p, n, world_p, eye, px, env, shadow, light, depth, sx, sy,
    view, focal, cx, cy, out,
):  # fmt: skip
    """Colour of one surface point. p, n: place and normal in the mesh's own frame; px: metres per output pixel."""
    two_sided = kind >= 10
    kind = kind % 10
    s0 = math.sqrt(row[0] ** 2 + row[4] ** 2 + row[8] ** 2)
    s1 = math.sqrt(row[1] ** 2 + row[5] ** 2 + row[9] ** 2)
    s2 = math.sqrt(row[2] ** 2 + row[6] ** 2 + row[10] ** 2)
    mx, my, mz = p[0] * s0, p[1] * s1, p[2] * s2
    ex, ey, ez = mesh_extent[0] * s0, mesh_extent[1] * s1, mesh_extent[2] * s2
    n0, n1, n2 = n[0] / s0, n[1] / s1, n[2] / s2
    k = 1.0 / math.sqrt(n0 * n0 + n1 * n1 + n2 * n2 + 1e-20)
    n0, n1, n2 = n0 * k, n1 * k, n2 * k
    ax, ay, az = abs(n0), abs(n1), abs(n2)
    # Layout of patterns on the face: p to the right, q up, in metres; u, v in 0..1.
    ux, uy, uz = (
        (p[0] - mesh_low[0]) / mesh_extent[0],
        (p[1] - mesh_low[1]) / mesh_extent[1],
        (p[2] - mesh_low[2]) / mesh_extent[2],
    )
    if kind == 1 and ay < 0.85:
        turn = math.atan2(p[2], p[0])
        pp, qq, u, v, wide, high = turn * 0.25 * (ex + ez), my, turn * 0.159155 + 0.5, uy, 3.14 * ex, ey
    elif ay >= ax and ay >= az:
        pp, qq, u, v, wide, high = mx, mz, ux, uz, ex, ez
    elif ax >= az:
        pp, qq, u, v, wide, high = mz, my, uz, uy, ez, ey
    else:
        pp, qq, u, v, wide, high = mx, my, ux, uy, ex, ey
    seed = int(row[26])
    pattern = int(row[14])
    if (pattern == 5 or pattern == 6) and wide > high:
        pp, qq = qq, pp
    share, tone = 0.0, 1.0
    if pattern > 0:
        share, tone = pattern_value(pattern, pp, qq, u, v, row[24], px, seed)
    # Brush texture: value and a slight warm-cool drift.
    grain, stretch = traits[0], traits[2]
    gx, gy, gz = 1.0 / grain, 1.0 / grain, 1.0 / grain
    if ey >= ex and ey >= ez:
        gy /= stretch
    elif ex >= ez:
        gx /= stretch
    else:
        gz /= stretch
    fine = 1.0 / (1.0 + (px / grain) ** 2)
    offset = (seed & 1023) * 0.37
    a = noise3(mx * gx + offset, my * gy, mz * gz)
    b = noise3(mx * gx * 0.31 + 7, my * gy * 0.31 + offset, mz * gz * 0.31)
    brush = traits[1] * (0.65 * a * fine + 0.6 * b)
    brush += traits[6] * (hash01(int(sx), int(sy), seed) - 0.5)
    tone *= 1.0 + brush
    drift = 0.35 * traits[1] * b + 0.02 * a
    # Rounded edges of boxes catch the light.
    if kind == 2:
        limit = max(row[25], 0.9 * px)
        axis = group // 2
        h0, h1, h2 = 0.5 * s0, 0.5 * s1, 0.5 * s2
        if axis != 0:
            n0 += bend(mx, h0, limit)
        if axis != 1:
            n1 += bend(my - h1, h1, limit)
        if axis != 2:
            n2 += bend(mz, h2, limit)
    if pattern == 12:
        n0 += 0.10 * noise2(pp * 2.1 / row[24], qq * 5.0 / row[24], seed)
        n2 += 0.16 * noise2(pp * 1.3 / row[24], qq * 6.0 / row[24], seed + 4)
    wx = row[0] / s0 * n0 + row[1] / s1 * n1 + row[2] / s2 * n2
    wy = row[4] / s0 * n0 + row[5] / s1 * n1 + row[6] / s2 * n2
    wz = row[8] / s0 * n0 + row[9] / s1 * n1 + row[10] / s2 * n2
    k = 1.0 / math.sqrt(wx * wx + wy * wy + wz * wz + 1e-20)
    wx, wy, wz = wx * k, wy * k, wz * k
    vx, vy, vz = eye[0] - world_p[0], eye[1] - world_p[1], eye[2] - world_p[2]
    far = math.sqrt(vx * vx + vy * vy + vz * vz)
    vx, vy, vz = vx / far, vy / far, vz / far
    if two_sided and wx * vx + wy * vy + wz * vz < 0:
        wx, wy, wz = -wx, -wy, -wz
    facing = max(0.0, wx * vx + wy * vy + wz * vz)
    # Light.
    cos_l = wx * env[0] + wy * env[1] + wz * env[2]
    wrap = traits[5]
    direct = max(0.0, (cos_l + wrap) / (1.0 + wrap))
    if direct > 0:
        direct *= lit(shadow, light, world_p, (wx, wy, wz), env[21])
    view_n = (
        view[0] * wx + view[1] * wy + view[2] * wz,
        view[3] * wx + view[4] * wy + view[5] * wz,
        view[6] * wx + view[7] * wy + view[8] * wz,
    )
    z = -(view[6] * vx + view[7] * vy + view[8] * vz) * far
    view_p = ((sx - cx) / focal * z, (cy - sy) / focal * z, z)
    ao = openness(depth, sx, sy, view_p, view_n, focal, cx, cy, env[22])
    up = 0.5 + 0.5 * wy
    fill = max(0.0, -wx * env[0] - wz * env[2]) * 0.22
    shine, gloss = traits[3], traits[4]
    high_light, mirror = 0.0, 0.0
    if shine > 0:
        hx, hy, hz = env[0] + vx, env[1] + vy, env[2] + vz
        k = 1.0 / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-9)
        high_light = shine * max(0.0, (wx * hx + wy * hy + wz * hz) * k) ** gloss * min(1.0, direct * 3)
        mirror = shine * (0.25 + 0.75 * (1 - facing) ** 3)
    reflect_y = 2 * facing * wy - vy
    haze = 1.0 - math.exp(-env[15] * far)
    for c in range(3):
        colour = row[15 + c] + (row[18 + c] - row[15 + c]) * share
        colour *= tone * (1.0 + drift * (1 - c))
        ambient = env[9 + c] + (env[6 + c] - env[9 + c]) * up + fill * env[6 + c]
        glow = colour * (ambient * ao + env[3 + c] * direct * (0.55 + 0.45 * ao))
        if mirror > 0:
            t = min(1.0, max(0.0, 0.5 + 1.4 * reflect_y))
            seen = (env[9 + c] * 0.8 + (env[6 + c] * 1.5 - env[9 + c] * 0.8) * t) * ao
            tint = 0.35 + 0.65 * colour if shine > 0.6 else 1.0
            glow += (seen * tint - glow * 0.8) * min(0.6, mirror * 0.7)
        glow += high_light * env[3 + c] * 0.55 + colour * row[23]
        out[c] = glow + (env[12 + c] - glow) * haze


@kernel
def bend(m, half, limit):
    """Tilt of the normal near a box edge: m from -half to half."""
    r = min(limit, 0.4 * half)
    d = half - abs(m)
    if d >= r:
        return 0.0
    t = 1 - max(0.0, d) / r
    return (0.75 if m > 0 else -0.75) * t * t


@kernel
def shade_image(
    table, kinds, lows, extents, vertices, normals, vertex_start, faces, groups, edges, owner, face, depth, ids,
    wobble, traits, view, focal, cx, cy, env, shadow, light, image, objects, parts, materials, fine,
):  # fmt: skip
    """Fill image (S, S, 3) linear RGB, the label maps (S, S), and fine (2S, 2S): object of each sample."""
    size = image.shape[0]
    last = 2 * size - 1
    eye = (view[9], view[10], view[11])
    tri = np.empty(4, np.int32)
    key = np.empty(4, np.int64)
    at_x, at_y = np.empty(4), np.empty(4)
    colour = np.zeros(3)
    for y in range(size):
        for x in range(size):
            for k in range(4):
                sx, sy = 2 * x + (k & 1), 2 * y + (k >> 1)
                sx = min(last, max(0, sx + wobble[sy, sx, 0]))
                sy = min(last, max(0, sy + wobble[sy, 2 * x + (k & 1), 1]))
                t = ids[sy, sx]
                tri[k] = t
                key[k] = -1 if t < 0 else owner[t] * 64 + groups[face[t]]
                at_x[k], at_y[k] = sx + 0.5, sy + 0.5
                fine[2 * y + (k >> 1), 2 * x + (k & 1)] = SKY if t < 0 else int(table[owner[t], 21])
            best, best_depth, best_k = 0, -1.0, 0
            image[y, x, 0] = image[y, x, 1] = image[y, x, 2] = 0.0
            for k in range(4):
                count, mean_x, mean_y, first = 0, 0.0, 0.0, True
                for m in range(4):
                    if key[m] == key[k]:
                        if m < k:
                            first = False
                        count += 1
                        mean_x += at_x[m]
                        mean_y += at_y[m]
                if not first:
                    continue
                mean_x, mean_y = mean_x / count, mean_y / count
                near = 0.0
                rx, ry = (mean_x - cx) / focal, (cy - mean_y) / focal
                t = tri[k]
                if t < 0:
                    sky_colour(
                        env, view[0] * rx + view[3] * ry + view[6], view[1] * rx + view[4] * ry + view[7],
                        view[2] * rx + view[5] * ry + view[8], colour,
                    )  # fmt: skip
                else:
                    e = edges[t]
                    w0 = e[0] * mean_x + e[1] * mean_y + e[2]
                    w1 = e[3] * mean_x + e[4] * mean_y + e[5]
                    w2 = e[6] * mean_x + e[7] * mean_y + e[8]
                    near = w0 + w1 + w2
                    if near < 1e-6:
                        near = 1e-6
                    w0, w1, w2 = w0 / near, w1 / near, w2 / near
                    i = owner[t]
                    row = table[i]
                    mesh = int(row[12])
                    f = face[t]
                    a, b, c = (
                        vertex_start[mesh] + faces[f, 0],
                        vertex_start[mesh] + faces[f, 1],
                        vertex_start[mesh] + faces[f, 2],
                    )
                    p = (
                        w0 * vertices[a, 0] + w1 * vertices[b, 0] + w2 * vertices[c, 0],
                        w0 * vertices[a, 1] + w1 * vertices[b, 1] + w2 * vertices[c, 1],
                        w0 * vertices[a, 2] + w1 * vertices[b, 2] + w2 * vertices[c, 2],
                    )
                    n = (
                        w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0],
                        w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1],
                        w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2],
                    )
                    world_p = (
                        row[0] * p[0] + row[1] * p[1] + row[2] * p[2] + row[3],
                        row[4] * p[0] + row[5] * p[1] + row[6] * p[2] + row[7],
                        row[8] * p[0] + row[9] * p[1] + row[10] * p[2] + row[11],
                    )
                    surface(
                        row, kinds[mesh], lows[mesh], extents[mesh], groups[f], traits[int(row[13])], p, n, world_p,
                        eye, 2.0 / (near * focal), env, shadow, light, depth, mean_x, mean_y, view, focal, cx, cy, colour,
                    )  # fmt: skip
                for c in range(3):
                    image[y, x, c] += 0.25 * count * colour[c]
                if count > best or (count == best and near > best_depth):
                    best, best_depth, best_k = count, near, k
            t = tri[best_k]
            objects[y, x] = SKY if t < 0 else int(table[owner[t], 21])
            parts[y, x] = -1 if t < 0 else int(table[owner[t], 22])
            materials[y, x] = -1 if t < 0 else int(table[owner[t], 13])
