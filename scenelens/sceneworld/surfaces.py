"""One surface point under the one light: texture, shadow, nearness of other surfaces, shine, haze."""

from __future__ import annotations

import math

import numpy as np

from scenelens.sceneworld.materials import pattern_value
from scenelens.sceneworld.nearness import openness_at
from scenelens.sceneworld.noise import hash01, kernel, noise2, noise3
from scenelens.sceneworld.raster import to_light

__all__ = ["primitive_frames", "surface"]


def primitive_frames(table: np.ndarray, extents: np.ndarray, traits: np.ndarray) -> np.ndarray:
    """What shading needs of each primitive, (primitives, 22): 9 numbers of its rotation, scale of its axes, their
    inverse, its size in metres, texture cells per metre along the axes (fewer along the grain), the same without grain.
    """
    affine = table[:, :12].reshape(-1, 3, 4)[:, :, :3]
    scale = np.sqrt((affine**2).sum(1))
    size = extents * scale
    cells = np.repeat(1 / traits[:, :1], 3, axis=1)
    cells[np.arange(len(table)), size.argmax(1)] /= traits[:, 2]
    turn = (affine / scale[:, None, :]).reshape(-1, 9)
    return np.concatenate([turn, scale, 1 / scale, size, cells, 1 / traits[:, :1]], 1)


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
    open_corners = 0
    for k in range(4):
        if shadow[j - 1 + 3 * (k & 1), i - 1 + 3 * (k >> 1)] >= z:
            open_corners += 1
    middle = shadow[j, i] >= z
    if open_corners == 0 and not middle:
        return 0.0
    if open_corners == 4 and middle:
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
def layout(kind, group, n, m, uvw, extent):
    """Where a point lies on its face: p right and q up in metres, u and v in 0..1, and the face's width and height."""
    ax, ay, az = abs(n[0]), abs(n[1]), abs(n[2])
    if kind == 1 and ay < 0.85:
        turn = math.atan2(m[2], m[0])
        return turn * 0.25 * (extent[0] + extent[2]), m[1], turn * 0.159155 + 0.5, uvw[1], 3.14 * extent[0], extent[1]
    if ay >= ax and ay >= az:
        return m[0], m[2], uvw[0], uvw[2], extent[0], extent[2]
    if ax >= az:
        return m[2], m[1], uvw[2], uvw[1], extent[2], extent[1]
    return m[0], m[1], uvw[0], uvw[1], extent[0], extent[1]


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
def texture(row, prim, traits, kind, group, n, m, uvw, px, sx, sy):
    """Share of the second colour, factor on lightness, warm-cool drift, and the normal bent by edges and ripples."""
    extent = (prim[15], prim[16], prim[17])
    p, q, u, v, wide, high = layout(kind, group, n, m, uvw, extent)
    seed, pattern = int(row[26]), int(row[14])
    share, tone = 0.0, 1.0
    if pattern > 0:
        if wide > high and (pattern == 5 or pattern == 6):
            p, q = q, p
        share, tone = pattern_value(pattern, p, q, u, v, row[24], px, seed)
    gx, gy, gz, fine = m[0] * prim[18], m[1] * prim[19], m[2] * prim[20], px * prim[21]
    offset = (seed & 1023) * 0.37
    a = noise3(gx + offset, gy, gz)
    b = noise3(gx * 0.31 + 7, gy * 0.31 + offset, gz * 0.31)
    tone *= 1.0 + traits[1] * (0.65 * a / (1.0 + fine * fine) + 0.6 * b)
    if traits[6] > 0:
        tone *= 1.0 + traits[6] * (hash01(int(sx), int(sy), seed) - 0.5)
    n0, n1, n2 = n
    if kind == 2:
        limit, axis = max(row[25], 0.9 * px), group // 2
        if axis != 0:
            n0 += bend(m[0], 0.5 * extent[0], limit)
        if axis != 1:
            n1 += bend(m[1] - 0.5 * extent[1], 0.5 * extent[1], limit)
        if axis != 2:
            n2 += bend(m[2], 0.5 * extent[2], limit)
    elif pattern == 12:
        n0 += 0.10 * noise2(p * 2.1 / row[24], q * 5.0 / row[24], seed)
        n2 += 0.16 * noise2(p * 1.3 / row[24], q * 6.0 / row[24], seed + 4)
    return share, tone, 0.35 * traits[1] * b + 0.02 * a, n0, n1, n2


@kernel
def surface(
    row, prim, kind, low, inverse_extent, group, traits, p, n, world_p, ray, near, env, shadow, light, depth, sx, sy,
    view, focal, open_, out,
):  # fmt: skip
    """Colour of one surface point into out (3,), linear RGB.

    p, n: place and normal in the mesh's own frame; ray: viewing ray (x, y, 1) in camera space; near: 1 / depth.
    """
    m = (p[0] * prim[9], p[1] * prim[10], p[2] * prim[11])
    n0, n1, n2 = n[0] * prim[12], n[1] * prim[13], n[2] * prim[14]
    k = 1.0 / math.sqrt(n0 * n0 + n1 * n1 + n2 * n2 + 1e-20)
    uvw = ((p[0] - low[0]) * inverse_extent[0], (p[1] - low[1]) * inverse_extent[1], (p[2] - low[2]) * inverse_extent[2])
    px = 2.0 / (near * focal)
    share, tone, drift, n0, n1, n2 = texture(row, prim, traits, kind % 10, group, (n0 * k, n1 * k, n2 * k), m, uvw, px, sx, sy)
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
    if kind >= 10 and facing < 0:
        k, facing = -k, -facing
    wx, wy, wz, facing = wx * k, wy * k, wz * k, max(0.0, facing)
    cos_l = wx * env[0] + wy * env[1] + wz * env[2]
    direct = max(0.0, (cos_l + traits[5]) / (1.0 + traits[5]))
    if direct > 0:
        direct *= lit(shadow, light, world_p, (wx, wy, wz), env[21])
    ao = openness_at(open_, depth, sx, sy, near)
    up = 0.5 + 0.5 * wy
    fill = max(0.0, -wx * env[0] - wz * env[2]) * 0.22
    shine = traits[3]
    high_light, mirror, seen = 0.0, 0.0, 0.0
    if shine > 0:
        hx, hy, hz = env[0] + vx, env[1] + vy, env[2] + vz
        k = 1.0 / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-9)
        high_light = shine * 0.55 * max(0.0, (wx * hx + wy * hy + wz * hz) * k) ** traits[4] * min(1.0, direct * 3)
        mirror = min(0.6, 0.7 * shine * (0.25 + 0.75 * (1 - facing) ** 3))
        seen = min(1.0, max(0.0, 0.5 + 1.4 * (2 * facing * wy - vy)))
    haze = 1.0 - math.exp(-env[15] * length / near) if env[15] > 0 else 0.0
    for c in range(3):
        colour = row[15 + c] + (row[18 + c] - row[15 + c]) * share
        colour *= tone * (1.0 + drift * (1 - c))
        ambient = env[9 + c] + (env[6 + c] - env[9 + c]) * up + fill * env[6 + c]
        glow = colour * (ambient * ao + env[3 + c] * direct * (0.55 + 0.45 * ao))
        if shine > 0:
            around = (env[9 + c] * 0.8 + (env[6 + c] * 1.5 - env[9 + c] * 0.8) * seen) * ao
            tint = 0.35 + 0.65 * colour if shine > 0.6 else 1.0
            glow += (around * tint - glow * 0.8) * mirror + high_light * env[3 + c]
        glow += colour * row[23]
        out[c] = glow + (env[12 + c] - glow) * haze
