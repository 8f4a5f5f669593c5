"""The colour of every pixel: brush texture, pattern, warm light and cool shadow, as one numba kernel.

Each output pixel covers 2x2 samples of the depth buffer. Samples of the same surface (same primitive, same smooth
side) are shaded once, at their mean place, and weighted by their number: anti-aliased edges at the price of one
shade per pixel. Label maps take the surface with most samples, the nearest on a tie.
"""

from __future__ import annotations

import math

from scenelens.sceneworld.noise import fbm2, kernel, noise2
from scenelens.sceneworld.surfaces import surface

__all__ = ["ENVIRONMENT", "shade_image"]

# Numbers of the environment vector, by name.
NAMES = """lx ly lz lr lg lb skyr skyg skyb gndr gndg gndb fogr fogg fogb fog zenr zeng zenb cloud outdoor bias reach
seed"""
ENVIRONMENT = {name: i for i, name in enumerate(NAMES.split())}
SKY = -1


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
    u, v = dx * plane * 0.9 + seed % 31 + 0.12, dz * plane * 1.4 + up * 3 + 0.2
    lift = 0.62 + 0.5 * noise2(u, v, seed) + 0.25 * noise2(2.03 * u + 5.1, 2.03 * v + 9.7, seed + 7)
    lift = min(1.0, max(0.0, lift))
    for c in range(3):
        base = env[12 + c] + (env[16 + c] - env[12 + c]) * t
        white = 0.55 * env[12 + c] + 0.45 * (0.72 + 0.28 * lift) * (0.5 + 0.5 * env[3 + c] / max(env[3], env[5]))
        white *= 0.86 + 0.2 * lift
        out[c] = base + (white * 1.12 - base) * cover * 0.85


@kernel
def gather(x, y, size, ids, owner, face, groups, table, wobble, tri, key, at_x, at_y, fine):
    """The four samples of a pixel, where a hand that trembles puts them; True if all show the same surface."""
    left = min(size - 2, max(0, 2 * x + wobble[y, x, 0]))
    top = min(size - 2, max(0, 2 * y + wobble[y, x, 1]))
    tri[0], tri[1], tri[2], tri[3] = ids[top, left], ids[top, left + 1], ids[top + 1, left], ids[top + 1, left + 1]
    at_x[0], at_y[0] = left + 1.0, top + 1.0
    if tri[0] == tri[1] and tri[0] == tri[2] and tri[0] == tri[3]:
        seen = SKY if tri[0] < 0 else int(table[owner[tri[0]], 21])
        key[0] = key[1] = key[2] = key[3] = -1 if tri[0] < 0 else owner[tri[0]] * 64 + groups[face[tri[0]]]
        fine[2 * y, 2 * x] = fine[2 * y, 2 * x + 1] = fine[2 * y + 1, 2 * x] = fine[2 * y + 1, 2 * x + 1] = seen
        return True
    for k in range(4):
        t = tri[k]
        key[k] = -1 if t < 0 else owner[t] * 64 + groups[face[t]]
        fine[2 * y + (k >> 1), 2 * x + (k & 1)] = SKY if t < 0 else int(table[owner[t], 21])
    if key[0] == key[1] and key[0] == key[2] and key[0] == key[3]:
        return True
    for k in range(4):
        at_x[k], at_y[k] = left + (k & 1) + 0.5, top + (k >> 1) + 0.5
    return False


@kernel
def shade_sample(
    t, sx, sy, table, prims, kinds, lows, inverse_extents, vertices, normals, vertex_start, faces, groups, edges, owner,
    face, depth, traits, view, focal, centre, env, shadow, light, open_, colour,
):  # fmt: skip
    """Colour of triangle t (or the sky) at sample position (sx, sy); returns 1 / depth."""
    ray = ((sx - centre) / focal, (centre - sy) / focal, 1.0)
    if t < 0:
        dx = view[0] * ray[0] + view[3] * ray[1] + view[6]
        dy = view[1] * ray[0] + view[4] * ray[1] + view[7]
        sky_colour(env, dx, dy, view[2] * ray[0] + view[5] * ray[1] + view[8], colour)
        return 0.0
    e = edges[t]
    w0, w1, w2 = e[0] * sx + e[1] * sy + e[2], e[3] * sx + e[4] * sy + e[5], e[6] * sx + e[7] * sy + e[8]
    near = max(1e-6, w0 + w1 + w2)
    far = 1.0 / near
    w0, w1, w2 = w0 * far, w1 * far, w2 * far
    i, f = owner[t], face[t]
    row = table[i]
    mesh = int(row[12])
    start = vertex_start[mesh]
    a, b, c = start + faces[f, 0], start + faces[f, 1], start + faces[f, 2]
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
        row, prims[i], kinds[mesh], lows[mesh], inverse_extents[mesh], groups[f], traits[int(row[13])], p, n, world_p, ray,
        near, env, shadow, light, depth, sx, sy, view, focal, open_, colour,
    )  # fmt: skip
    return near


@kernel
def shade_image(
    table, prims, kinds, lows, inverse_extents, vertices, normals, vertex_start, faces, groups, edges, owner, face, depth,
    ids, wobble, traits, view, focal, centre, env, shadow, light, image, objects, parts, materials, fine, scratch_i,
    scratch_f, open_,
):  # fmt: skip
    """Fill image (S, S, 3) linear RGB, the label maps (S, S), and fine (2S, 2S): object of each sample.

    scratch_i (2, 4) int64 and scratch_f (3, 4) float64 are working space: these kernels allocate nothing.
    """
    size = image.shape[0]
    tri, key, at_x, at_y, colour = scratch_i[0], scratch_i[1], scratch_f[0], scratch_f[1], scratch_f[2]
    for y in range(size):
        for x in range(size):
            same = gather(x, y, 2 * size, ids, owner, face, groups, table, wobble, tri, key, at_x, at_y, fine)
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
                    tri[k], mean_x / count, mean_y / count, table, prims, kinds, lows, inverse_extents, vertices, normals,
                    vertex_start, faces, groups, edges, owner, face, depth, traits, view, focal, centre, env, shadow, light,
                    open_, colour,
                )  # fmt: skip
                for c in range(3):
                    image[y, x, c] += 0.25 * count * colour[c]
                if count > best or (count == best and near > best_depth):
                    best, best_depth, best_k = count, near, k
            t = tri[best_k]
            objects[y, x] = SKY if t < 0 else int(table[owner[t], 21])
            parts[y, x] = -1 if t < 0 else int(table[owner[t], 22])
            materials[y, x] = -1 if t < 0 else int(table[owner[t], 13])
