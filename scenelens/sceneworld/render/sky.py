"""The painted sky: a gradient with clouds."""

from __future__ import annotations

import math

from scenelens.sceneworld.render.noise import fbm2, inner, noise2

__all__ = ["sky_at"]


@inner
def _sky_colour(env, dx, dy, dz, out):
    """A gradient from horizon to zenith with soft painted clouds."""
    up = dy / math.sqrt(dx * dx + dy * dy + dz * dz)
    t = min(1.0, max(0.0, up * 1.6 + 0.05))
    t = math.sqrt(t)
    seed = int(env[23])
    # Clouds lie in a plane high above, so they get smaller towards the horizon; 0.16 stops this before they become noise.
    plane = 1.0 / (max(up, 0.0) + 0.16)
    body = fbm2(dx * plane * 0.9 + seed % 31, dz * plane * 1.4 + up * 3, seed)
    cover = min(1.0, max(0.0, (body - 0.30 + env[19]) * 2.6)) * min(1.0, max(0.0, up * 7 + 0.25))
    # Noise at a shifted place varies the brightness inside a cloud independently of the cloud's outline.
    u, v = dx * plane * 0.9 + seed % 31 + 0.12, dz * plane * 1.4 + up * 3 + 0.2
    lift = 0.62 + 0.5 * noise2(u, v, seed) + 0.25 * noise2(2.03 * u + 5.1, 2.03 * v + 9.7, seed + 7)
    lift = min(1.0, max(0.0, lift))
    for c in range(3):
        base = env[12 + c] + (env[16 + c] - env[12 + c]) * t
        white = 0.55 * env[12 + c] + 0.45 * (0.72 + 0.28 * lift) * (0.5 + 0.5 * env[3 + c] / max(env[3], env[5]))
        white *= 0.86 + 0.2 * lift
        out[c] = base + (white * 1.12 - base) * cover * 0.85


@inner
def sky_at(sx, sy, lens, env, out):
    """Colour of the sky at a sample position."""
    view, focal, centre = lens
    x, y = (sx - centre) / focal, (centre - sy) / focal
    dx, dy = view[0] * x + view[3] * y + view[6], view[1] * x + view[4] * y + view[7]
    _sky_colour(env, dx, dy, view[2] * x + view[5] * y + view[8], out)
