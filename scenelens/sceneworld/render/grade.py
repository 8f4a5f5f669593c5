"""The finish: an ink line where objects meet, darker corners, the grain of paper, and screen values.

The ink line needs no line drawing: a pixel whose surroundings of 4x4 samples show two objects in equal parts lies on an
outline.  The share of other objects s gives the darkness 4 s (1 - s), which is smooth and one to two pixels wide.
"""

from __future__ import annotations

import numpy as np

from scenelens.sceneworld.render.noise import inner, kernel

__all__ = ["MIDDLES", "PAPER", "SCREEN", "finish"]


def _smooth(shape: tuple[int, ...], cell: int, seed: int) -> np.ndarray:
    """Smooth noise in [-1, 1] of the given shape: random values on a coarse grid, bilinearly enlarged."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((shape[0] // cell + 2, shape[1] // cell + 2)) * 2 - 1
    y, x = np.arange(shape[0]) / cell, np.arange(shape[1]) / cell
    i, j = y.astype(int), x.astype(int)
    fy, fx = (y - i)[:, None], (x - j)[None]
    top = coarse[i][:, j] * (1 - fx) + coarse[i][:, j + 1] * fx
    low = coarse[i + 1][:, j] * (1 - fx) + coarse[i + 1][:, j + 1] * fx
    return top * (1 - fy) + low * fy


def _paper_grain(size: int) -> np.ndarray:
    """Texture of watercolour paper, (size, size) float32 round 0; the same for all pictures."""
    fine = np.random.default_rng(3).normal(size=(size, size)) * 0.35
    return (0.5 * _smooth((size, size), 2, 1) + 0.35 * _smooth((size, size), 5, 2) + fine).astype(np.float32)


def _pixel_middles(size: int) -> np.ndarray:
    """Sample column and row of each pixel's middle, (2, size, size) int16.

    Smooth noise shifts them by up to a sample, so that outlines look drawn by hand. Labels are read at the same places.
    """
    wobble = np.stack([np.rint(_smooth((size, size), 9, seed) * 1.2) for seed in (4, 5)])
    return np.clip(2 * np.mgrid[:size, :size][::-1] + wobble + 1, 1, 2 * size - 1).astype(np.int16)


def _screen_values(n: int = 4096) -> np.ndarray:
    """Table from linear light in [0, 2) to sRGB 0..255, (n,) uint8.

    Light above the knee is compressed, as on film: bright places keep their form and colour instead of turning white. A table,
    because a power per pixel and channel is slow.
    """
    light = np.arange(n) / n * 2
    knee = 0.62
    soft = knee + (1 - knee) * np.tanh((light - knee) / (1 - knee) * 0.85)
    light = np.where(light < knee, light, soft)
    screen = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.clip(np.rint(screen * 255), 0, 255).astype(np.uint8)


def _vignette(size: int) -> np.ndarray:
    """Brightness towards the corners, (size, size) float32: 1 in the middle."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size - 0.5
    return (1.0 - 0.45 * np.maximum(0.0, np.hypot(x, y) - 0.38)).astype(np.float32)


PAPER = _vignette(227) * (1.0 + 0.028 * _paper_grain(227))
MIDDLES = _pixel_middles(227)
SCREEN = _screen_values()
_ONE, _ZERO, _COOL = np.float32(1), np.float32(0), np.float32(0.3)  # COOL: how much bluer ink makes what it darkens


@inner
def _split(row, even, odd):
    """The samples at even and at odd columns of a row: for vector instructions neighbours must lie together."""
    for x in range(np.uint64(even.shape[0])):
        even[x], odd[x] = row[np.uint64(2) * x], row[np.uint64(2) * x + np.uint64(1)]


@inner
def _differ(a, b, c, d, here):
    """How many of four samples show another object."""
    return np.int16(a != here) + np.int16(b != here) + np.int16(c != here) + np.int16(d != here)


@inner
def _count_others(above, upper, lower, below, others):
    """How many of the 4x4 samples in and around each pixel show another object; 0 where the four corners do not.

    Another object than the pixel's first sample. The corners are what `_count_at` tests first; both must agree. above, upper,
    lower, below: four rows of samples, each split (2, S). Pixels at either end are left out.
    """
    stop = others.shape[0]
    # Pixel x covers the samples 2x and 2x + 1, and its surroundings 2x - 1 to 2x + 2: odd, even, odd, even. In rows that are
    # split into even and odd samples these are four plain slices, so one loop compares a whole row.
    left, middle, right, out = slice(0, stop - 2), slice(1, stop - 1), slice(2, stop), others[1 : stop - 1]
    here = upper[0, middle]
    a0, a1, a2, a3 = above[1, left], above[0, middle], above[1, middle], above[0, right]
    b0, b2, b3 = upper[1, left], upper[1, middle], upper[0, right]
    c0, c1, c2, c3 = lower[1, left], lower[0, middle], lower[1, middle], lower[0, right]
    d0, d1, d2, d3 = below[1, left], below[0, middle], below[1, middle], below[0, right]
    for x in range(np.uint64(stop - 2)):
        h = here[x]  # all sixteen are compared even where the corners agree: a branch would end the vector instructions
        corners = (a0[x] != h) | (a3[x] != h) | (d0[x] != h) | (d3[x] != h)
        first, second = _differ(a0[x], a1[x], a2[x], a3[x], h), _differ(b0[x], h, b2[x], b3[x], h)
        third, last = _differ(c0[x], c1[x], c2[x], c3[x], h), _differ(d0[x], d1[x], d2[x], d3[x], h)
        out[x] = first + second + third + last if corners else 0


@inner
def _count_at(fine, x, y):
    """As `_count_others`, for one pixel, also at the border of the picture: beyond it there are no other objects."""
    last, here, other = fine.shape[0] - 1, fine[2 * y, 2 * x], 0
    top, low, left, right = max(0, 2 * y - 1), min(last, 2 * y + 2), max(0, 2 * x - 1), min(last, 2 * x + 2)
    # Far from any outline, which is nearly everywhere, four comparisons are enough.
    if ((fine[top, left] ^ here) | (fine[top, right] ^ here) | (fine[low, left] ^ here) | (fine[low, right] ^ here)) == 0:
        return 0
    for j in range(top, low + 1):
        for i in range(left, right + 1):
            other += fine[j, i] != here
    return other


@inner
def _count_row(fine, y, halves, others):
    """`_count_at` for a row of pixels, many at a time.

    halves (4, 2, S): the last four rows of samples, split, in a ring; the upper ones are there from the row before.
    """
    size = others.shape[0]
    if 0 < y < size - 1:
        # Each row of pixels needs two new rows of samples; the first one needs all four.
        for j in range(2 * y + 1 if y > 1 else 1, 2 * y + 3):
            _split(fine[j], halves[j & 3, 0], halves[j & 3, 1])
        j = 2 * y
        _count_others(halves[(j - 1) & 3], halves[j & 3], halves[(j + 1) & 3], halves[(j + 2) & 3], others)
        others[0], others[size - 1] = _count_at(fine, 0, y), _count_at(fine, size - 1, y)
    else:
        for x in range(size):
            others[x] = _count_at(fine, x, y)


@inner
def _ink_row(others, ink, factor, blue):
    """Darken the factors on a row of pixels (on all light, on blue light) where objects meet."""
    for x in range(np.uint64(others.shape[0])):
        # Ink is bluish: blue light is darkened a little less than the rest.
        share = others[x] / 16.0
        line = np.float32(1.0 - ink * min(1.0, 4.0 * share * (1.0 - share)))
        factor[x] *= line
        blue[x] *= line * (_ONE + (_ONE - line) * _COOL)


@kernel
def finish(image, fine, paper, screen, tint, exposure, ink, work, halves, places, out):
    """Write uint8 (S, S, 3) from linear light (3, S, S); fine (2S, 2S) holds the object of each sample.

    Working space: work (2, S) float32, halves (5, 2, S) int16, places (3, S) int32.
    """
    steps, top = np.float32(0.5 * screen.shape[0] * exposure), np.float32(screen.shape[0] - 1)
    factor, blue, cool, others = work[0], work[1], np.float32(tint[2]), halves[4, 0]
    for y in range(paper.shape[0]):
        grain, row = paper[y], out[y]
        for x in range(np.uint64(factor.shape[0])):
            factor[x] = steps * grain[x]
            blue[x] = steps * grain[x] * cool
        _count_row(fine, y, halves, others)
        _ink_row(others, ink, factor, blue)
        for c in range(3):
            # Light becomes a place in the table of screen values. What is brighter than its end is white.
            light, much, share, place = image[c, y], factor if c < 2 else blue, np.float32(tint[c]) if c < 2 else _ONE, places[c]
            for x in range(np.uint64(factor.shape[0])):
                place[x] = np.int32(min(top, max(_ZERO, light[x] * much[x] * share)))
        red, green, blues = places[0], places[1], places[2]
        # A loop of its own: table lookups would keep the loops above from using vector instructions.
        for x in range(factor.shape[0]):
            row[x, 0] = screen[np.uint64(red[x])]
            row[x, 1] = screen[np.uint64(green[x])]
            row[x, 2] = screen[np.uint64(blues[x])]
