"""Patterns (`materials.PATTERNS`), at one point and along a row of pixels.

A pattern gives two numbers: the share of the second colour, and a factor on lightness.  Patterns are laid out in metres on
the surface, and fade where they are too fine to see: every edge is as soft as a pixel is wide (``px``, ``f``), and contrast
falls off when a whole cell is smaller than a few pixels.  Without this, far walls would show moire.

`pattern_value` is the definition.  `pattern_row` computes the same along a row, many pixels at a time, for patterns up to
`WOVEN`, which are the common ones.  A test compares the two.

Rows of work (10, pixels): place right and up in cells (0, 1), size of a pixel in cells and fading (2, 3), share of the second
colour and factor on lightness (4, 5), places of noise and its values (6 to 8), one more (9).  Each loop reads and writes few
rows: before using vector instructions the compiler checks at run time that the rows do not overlap, and it gives up where
there are too many pairs.
"""

from __future__ import annotations

import math

import numpy as np

from scenelens.sceneworld.render.noise import hash01, inner, kernel, noise2, noise2_row

__all__ = ["ROWS", "WOVEN", "pattern_row", "pattern_value"]

ROWS = 10
WOVEN = 12  # patterns up to this one are repeated in cells, and `pattern_row` knows them; the others are ornaments


@inner
def _line(x, width, px):
    """How much of a pixel lies on a line of the given width at every integer x; px: size of the pixel in the same unit."""
    d = abs(x - math.floor(x + 0.5))
    soft = px + 1e-6
    cover = (width * 0.5 - d) / soft + 0.5
    cover = min(1.0, max(0.0, cover))
    return cover * min(1.0, width / soft + 0.2)  # a line thinner than a pixel covers a part of it at most


@inner
def _square(x, px):
    """A square wave of period 1, blurred by the size of a pixel, px; 0.5 where it is too fine to see."""
    d = abs(x - math.floor(x) - 0.5) - 0.25
    soft = px + 1e-6
    wave = min(1.0, max(0.0, d / soft + 0.5))
    fade = 1.0 / (1.0 + 4 * px * px * px)
    return 0.5 + (wave - 0.5) * fade


@kernel
def pattern_value(pattern, p, q, u, v, size, px, seed):
    """Share of the second colour (0..1) and factor on lightness, at (p, q) metres and at (u, v) in 0..1 of the face.

    The dimensions of planks, bricks and tiles are shares of `size`; `hash01` of a cell's indices gives each its own tone.
    """
    x, y, f = p / size, q / size, px / size
    fade = 1.0 / (1.0 + 3 * f * f)
    # The order is that of PATTERNS: 1 stripes, 2 bands, 3 checks, 4 dots.
    if pattern == 1:
        return _square(x, f), 1.0
    if pattern == 2:
        return _square(y, f), 1.0
    if pattern == 3:
        a, b = _square(x * 0.5, f * 0.5), _square(y * 0.5, f * 0.5)
        return a * (1 - b) + b * (1 - a), 1.0
    if pattern == 4:
        row = math.floor(y)
        dx, dy = x + 0.5 * (int(row) & 1), y - row - 0.5  # every second row is shifted by half a cell
        dx = dx - math.floor(dx) - 0.5
        d = math.sqrt(dx * dx + dy * dy)
        return min(1.0, max(0.0, (0.28 - d) / (f + 0.02) + 0.5)) * fade, 1.0
    if pattern == 5:  # wood grain along q
        wave = x * 1.6 + 0.9 * noise2(x * 0.7, y * 0.11, seed) + hash01(seed, 1, 2)
        return 0.0, 1.0 - 0.13 * fade * (0.5 + 0.5 * math.sin(6.283 * wave)) ** 3
    if pattern == 6:  # planks running along q
        i = math.floor(x)
        shift = hash01(int(i), seed, 3)
        j = math.floor(y * 0.12 + shift)
        tone = 0.88 + 0.24 * hash01(int(i), int(j), seed)
        gap = max(_line(x, 0.05, f), _line(y * 0.12 + shift, 0.006, f * 0.12))
        streak = noise2(x * 5.0, y * 0.4 + 7 * shift, seed) * 0.06 * fade
        return 0.0, (tone + streak) * (1 - 0.5 * gap)
    if pattern == 7:  # bricks: 2.6 courses per length
        row = math.floor(y * 2.6)
        shift = 0.5 * (int(row) & 1)
        i = math.floor(x + shift)
        tone = 1 + (hash01(int(i), int(row), seed) - 0.5) * 0.32 * fade
        gap = max(_line(x + shift, 0.06, f), _line(y * 2.6, 0.15, f * 2.6))
        return 0.8 * gap, tone
    if pattern == 8:  # tiles
        tone = 1 + (hash01(math.floor(x), math.floor(y), seed) - 0.5) * 0.12 * fade
        return 0.75 * max(_line(x, 0.045, f), _line(y, 0.045, f)), tone
    if pattern == 9:  # shingles
        row = math.floor(y)
        shift = 0.5 * (int(row) & 1)
        i = math.floor(x + shift)
        tone = 1 + (hash01(int(i), int(row), seed) - 0.5) * 0.30 * fade
        # Each row lies in the shadow of the row above it.
        under = 1 - 0.30 * fade * max(0.0, 1 - 3.0 * (y - row))
        return 0.0, tone * under * (1 - 0.3 * _line(x + shift, 0.07, f))
    if pattern == 10:  # dapple: dabs of a loaded brush
        n = noise2(x, y, seed) + 0.6 * noise2(x * 2.3 + 3, y * 2.3, seed + 5)
        return 0.0, 1.0 + fade * 0.36 * min(1.0, max(-1.0, 2.2 * n))
    if pattern == 11:  # blades
        tuft, patch = noise2(x * 2.6, y * 1.1, seed), noise2(x * 0.21, y * 0.21, seed + 3)
        return 0.0, 1.0 + 0.22 * fade * tuft + 0.10 * patch
    if pattern == 12:  # ripples
        n = noise2(x * 0.5, y * 2.2, seed) + 0.5 * noise2(x * 1.2, y * 4.0, seed + 9)
        return min(1.0, max(0.0, (n - 0.55) * 2.5)) * 0.7 * fade, 1.0 + 0.12 * n
    return _ornament(pattern, x, y, u, v, f, seed)


@inner
def _ornament(pattern, x, y, u, v, f, seed):
    """Patterns that fill one face, or whose cells carry a figure."""
    if pattern == 13:  # a picture: horizon, sun, hills
        horizon = 0.32 + 0.25 * hash01(seed, 7, 1) + 0.10 * noise2(u * 3.1, 0.5, seed)
        dx, dy = u - 0.2 - 0.6 * hash01(seed, 7, 2), v - 0.62 - 0.2 * hash01(seed, 7, 3)
        if dx * dx + dy * dy < 0.012:
            return 0.0, 1.35
        dabs = noise2(u * 9, v * 9, seed + 2)
        return (0.9 if v < horizon else 0.15 + 0.15 * v), 1.0 + 0.16 * dabs
    if pattern == 14:  # lines of writing
        j = math.floor(v * 9)
        inside = 0.1 < u < 0.55 + 0.38 * hash01(int(j), seed, 4) and 0.08 < v < 0.94
        word = noise2(u * 22, j * 3.7, seed) > -0.45
        return (0.75 if inside and word and 0.3 < v * 9 - j < 0.72 else 0.0), 1.0
    if pattern == 15:  # windows of a far building
        i, j = math.floor(x), math.floor(y)
        du, dv = abs(x - i - 0.5), abs(y - j - 0.5)
        tone = 0.75 + 0.5 * hash01(int(i), int(j), seed)
        return (1.0 if du < 0.27 and dv < 0.33 else 0.0), (tone if du < 0.27 and dv < 0.33 else 1.0)
    if pattern == 16:  # zigzag
        return _square(y + 0.5 * abs(x - math.floor(x) - 0.5) * 2, f * 1.5), 1.0
    if pattern == 17:  # scattered flowers
        i, j = math.floor(x), math.floor(y)
        dx = x - i - 0.25 - 0.5 * hash01(int(i), int(j), seed)
        dy = y - j - 0.25 - 0.5 * hash01(int(j), int(i), seed + 1)
        petal = 0.17 + 0.05 * math.cos(5 * math.atan2(dy, dx))
        return min(1.0, max(0.0, (petal - math.sqrt(dx * dx + dy * dy)) / (f + 0.03) + 0.5)), 1.0
    if pattern == 18:  # a border round the face
        d = min(min(u, 1 - u), min(v, 1 - v))
        return (1.0 if 0.05 < d < 0.11 else 0.0), 1.0
    if pattern == 19:  # book spines side by side
        i = math.floor(x)
        tone = 0.6 + 0.8 * hash01(int(i), seed, 2)
        band = 0.6 if 0.72 < v < 0.8 else 0.0
        return max(band, 1.0 if hash01(int(i), 5, seed) > 0.6 else 0.0), tone * (1 - 0.5 * _line(x, 0.1, f))
    return 0.0, 1.0


@inner
def _fill_row(x, stop, value, out):
    """The same value along a stretch, from x to stop.

    Columns are unsigned here and in all loops below: for signed ones the compiler must allow for Python's negative indices,
    and gives up vector instructions.
    """
    for k in range(np.uint64(x), np.uint64(stop)):
        out[k] = value


@inner
def _noise_row(x, stop, wide, high, along, slice_, rows, places, out):
    """Noise at (wide * x + along, high * y) cells, into out."""
    a, b, u, v = rows[0], rows[1], rows[6], rows[7]
    for k in range(np.uint64(x), np.uint64(stop)):
        u[k], v[k] = a[k] * wide + along, b[k] * high
    noise2_row(x, stop, u, v, slice_, places, out)


@inner
def _checks_row(x, stop, rows):
    """Pattern 3, checks, along a stretch."""
    a, b, f, share = rows[0], rows[1], rows[2], rows[4]
    for k in range(np.uint64(x), np.uint64(stop)):
        u, v = _square(a[k] * 0.5, f[k] * 0.5), _square(b[k] * 0.5, f[k] * 0.5)
        share[k] = u * (1 - v) + v * (1 - u)


@inner
def _waves_row(x, stop, a, f, share):
    """Patterns 1 and 2, stripes and bands, along a stretch; a: the place across them."""
    for k in range(np.uint64(x), np.uint64(stop)):
        share[k] = _square(a[k], f[k])


@inner
def _dots_row(x, stop, rows):
    """Pattern 4, dots, along a stretch."""
    a, b, f, fade, share = rows[0], rows[1], rows[2], rows[3], rows[4]
    for k in range(np.uint64(x), np.uint64(stop)):
        row = math.floor(b[k])
        dx, dy = a[k] + 0.5 * (int(row) & 1), b[k] - row - 0.5
        dx = dx - math.floor(dx) - 0.5
        d = math.sqrt(dx * dx + dy * dy)
        share[k] = min(1.0, max(0.0, (0.28 - d) / (f[k] + 0.02) + 0.5)) * fade[k]


@inner
def _grain_pattern_row(x, stop, seed, rows, places):
    """Pattern 5, grain, along a stretch."""
    a, fade, tone, found, turn = rows[0], rows[3], rows[5], rows[8], hash01(seed, 1, 2)
    _noise_row(x, stop, 0.7, 0.11, 0.0, seed, rows, places, found)
    for k in range(np.uint64(x), np.uint64(stop)):
        tone[k] = 1.0 - 0.13 * fade[k] * (0.5 + 0.5 * math.sin(6.283 * (a[k] * 1.6 + 0.9 * found[k] + turn))) ** 3


@inner
def _planks_row(x, stop, seed, rows, places):
    """Pattern 6, planks, along a stretch."""
    a, b, f, fade, gap, tone, u, v, streak, shift = (
        rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6], rows[7], rows[8], rows[9],
    )  # fmt: skip
    # Four short loops instead of one: each touches few rows, see above.
    for k in range(np.uint64(x), np.uint64(stop)):
        shift[k] = hash01(math.floor(a[k]), seed, 3)
    for k in range(np.uint64(x), np.uint64(stop)):
        u[k], v[k] = a[k] * 5.0, b[k] * 0.4 + 7 * shift[k]
    noise2_row(x, stop, u, v, seed, places, streak)
    for k in range(np.uint64(x), np.uint64(stop)):
        gap[k] = max(_line(a[k], 0.05, f[k]), _line(b[k] * 0.12 + shift[k], 0.006, f[k] * 0.12))
    for k in range(np.uint64(x), np.uint64(stop)):
        one = 0.88 + 0.24 * hash01(math.floor(a[k]), math.floor(b[k] * 0.12 + shift[k]), seed)
        tone[k] = (one + streak[k] * 0.06 * fade[k]) * (1 - 0.5 * gap[k])


@inner
def _bricks_row(x, stop, seed, rows):
    """Pattern 7, bricks, along a stretch."""
    a, b, f, fade, share, tone = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
    for k in range(np.uint64(x), np.uint64(stop)):
        row = math.floor(b[k] * 2.6)
        i = math.floor(a[k] + 0.5 * (int(row) & 1))
        tone[k] = 1 + (hash01(int(i), int(row), seed) - 0.5) * 0.32 * fade[k]
    for k in range(np.uint64(x), np.uint64(stop)):
        shift = 0.5 * (math.floor(b[k] * 2.6) & 1)
        share[k] = 0.8 * max(_line(a[k] + shift, 0.06, f[k]), _line(b[k] * 2.6, 0.15, f[k] * 2.6))


@inner
def _tiles_row(x, stop, seed, rows):
    """Pattern 8, tiles, along a stretch."""
    a, b, f, fade, share, tone = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
    for k in range(np.uint64(x), np.uint64(stop)):
        tone[k] = 1 + (hash01(math.floor(a[k]), math.floor(b[k]), seed) - 0.5) * 0.12 * fade[k]
    for k in range(np.uint64(x), np.uint64(stop)):
        share[k] = 0.75 * max(_line(a[k], 0.045, f[k]), _line(b[k], 0.045, f[k]))


@inner
def _shingles_row(x, stop, seed, rows):
    """Pattern 9, shingles, along a stretch."""
    a, b, f, fade, tone = rows[0], rows[1], rows[2], rows[3], rows[5]
    for k in range(np.uint64(x), np.uint64(stop)):
        row = math.floor(b[k])
        shift = 0.5 * (int(row) & 1)
        one = 1 + (hash01(math.floor(a[k] + shift), int(row), seed) - 0.5) * 0.30 * fade[k]
        under = 1 - 0.30 * fade[k] * max(0.0, 1 - 3.0 * (b[k] - row))
        tone[k] = one * under * (1 - 0.3 * _line(a[k] + shift, 0.07, f[k]))


@inner
def _dapple_row(x, stop, seed, rows, places):
    """Pattern 10, dapple, along a stretch."""
    fade, tone, found = rows[3], rows[5], rows[8]
    _noise_row(x, stop, 1.0, 1.0, 0.0, seed, rows, places, tone)
    _noise_row(x, stop, 2.3, 2.3, 3.0, seed + 5, rows, places, found)
    for k in range(np.uint64(x), np.uint64(stop)):
        tone[k] = 1.0 + fade[k] * 0.36 * min(1.0, max(-1.0, 2.2 * (tone[k] + 0.6 * found[k])))


@inner
def _blades_row(x, stop, seed, rows, places):
    """Pattern 11, blades, along a stretch."""
    fade, tone, found = rows[3], rows[5], rows[8]
    _noise_row(x, stop, 2.6, 1.1, 0.0, seed, rows, places, found)
    for k in range(np.uint64(x), np.uint64(stop)):
        tone[k] = 1.0 + 0.22 * fade[k] * found[k]
    _noise_row(x, stop, 0.21, 0.21, 0.0, seed + 3, rows, places, found)
    for k in range(np.uint64(x), np.uint64(stop)):
        tone[k] += 0.10 * found[k]


@inner
def _ripples_row(x, stop, seed, rows, places):
    """Pattern 12, ripples, along a stretch."""
    fade, share, tone, found = rows[3], rows[4], rows[5], rows[8]
    _noise_row(x, stop, 0.5, 2.2, 0.0, seed, rows, places, tone)
    _noise_row(x, stop, 1.2, 4.0, 0.0, seed + 9, rows, places, found)
    for k in range(np.uint64(x), np.uint64(stop)):
        n = tone[k] + 0.5 * found[k]
        share[k] = min(1.0, max(0.0, (n - 0.55) * 2.5)) * 0.7 * fade[k]
        tone[k] = 1.0 + 0.12 * n


@kernel
def pattern_row(pattern, x, stop, seed, rows, places):
    """Share of the second colour and factor on lightness along a stretch, of a pattern up to WOVEN, into rows 4 and 5."""
    # What a pattern leaves alone is filled here: lightness by 1, the share of the second colour by 0.
    if pattern <= 4:
        _fill_row(x, stop, 1.0, rows[5])
    if pattern == 1 or pattern == 2:
        _waves_row(x, stop, rows[pattern - 1], rows[2], rows[4])
    elif pattern == 3:
        _checks_row(x, stop, rows)
    elif pattern == 4:
        _dots_row(x, stop, rows)
    elif pattern == 5:
        _grain_pattern_row(x, stop, seed, rows, places)
    elif pattern == 6:
        _planks_row(x, stop, seed, rows, places)
    elif pattern == 7:
        _bricks_row(x, stop, seed, rows)
    elif pattern == 8:
        _tiles_row(x, stop, seed, rows)
    elif pattern == 9:
        _shingles_row(x, stop, seed, rows)
    elif pattern == 10:
        _dapple_row(x, stop, seed, rows, places)
    elif pattern == 11:
        _blades_row(x, stop, seed, rows, places)
    elif pattern == 12:
        _ripples_row(x, stop, seed, rows, places)
    if pattern == 5 or pattern == 6 or 9 <= pattern <= 11:
        _fill_row(x, stop, 0.0, rows[4])
