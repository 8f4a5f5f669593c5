"""From light to paint: an ink line where objects meet, soft vignette, paper grain, and screen values."""

from __future__ import annotations

import numpy as np

from scenelens.sceneworld.noise import kernel

__all__ = ["MIDDLES", "PAPER", "finish", "screen_values"]


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


def paper_grain(size: int) -> np.ndarray:
    """Texture of watercolour paper, (size, size) float32 about 0."""
    fine = np.random.default_rng(3).normal(size=(size, size)) * 0.35
    return (0.5 * _smooth((size, size), 2, 1) + 0.35 * _smooth((size, size), 5, 2) + fine).astype(np.float32)


def pixel_middles(size: int) -> np.ndarray:
    """Sample column and row of each pixel's middle, (2, size, size) int16: a hand-drawn outline strays by up to a sample."""
    wobble = np.stack([np.rint(_smooth((size, size), 9, seed) * 1.2) for seed in (4, 5)])
    return np.clip(2 * np.mgrid[:size, :size][::-1] + wobble + 1, 1, 2 * size - 1).astype(np.int16)


def screen_values(n: int = 4096) -> np.ndarray:
    """Table from linear light in [0, 2) to sRGB 0..255 with a soft shoulder, (n,) uint8."""
    light = np.arange(n) / n * 2
    knee = 0.62
    soft = knee + (1 - knee) * np.tanh((light - knee) / (1 - knee) * 0.85)
    light = np.where(light < knee, light, soft)
    screen = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.clip(np.rint(screen * 255), 0, 255).astype(np.uint8)


def vignette(size: int) -> np.ndarray:
    """Brightness towards the corners, (size, size) float32: 1 in the middle."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size - 0.5
    return (1.0 - 0.45 * np.maximum(0.0, np.hypot(x, y) - 0.38)).astype(np.float32)


PAPER = vignette(227) * (1.0 + 0.028 * paper_grain(227))
MIDDLES = pixel_middles(227)
SCREEN = screen_values()
ONE, ZERO, COOL = np.float32(1), np.float32(0), np.float32(0.3)  # COOL: how much bluer ink makes what it darkens


@kernel
def ink_line(fine, x, y, ink):
    """Light left by the ink line at pixel (x, y): 1 where its samples and those around show one object."""
    last, centre, other = fine.shape[0] - 1, fine[2 * y, 2 * x], 0
    for j in range(max(0, 2 * y - 1), min(last, 2 * y + 2) + 1):
        for i in range(max(0, 2 * x - 1), min(last, 2 * x + 2) + 1):
            other += fine[j, i] != centre
    share = other / 16.0
    return np.float32(1.0 - ink * min(1.0, 4.0 * share * (1.0 - share)))


@kernel
def ink_row(fine, y, ink, work):
    """Darken the factors on a row of pixels (on all light, on blue light) where objects meet."""
    last, factor, blue = fine.shape[0] - 1, work[0], work[1]
    above, middle, below = fine[max(0, 2 * y - 1)], fine[2 * y], fine[min(last, 2 * y + 2)]
    for x in range(factor.shape[0]):
        centre, left, right = middle[2 * x], max(0, 2 * x - 1), min(last, 2 * x + 2)
        if ((above[left] ^ centre) | (above[right] ^ centre) | (below[left] ^ centre) | (below[right] ^ centre)) != 0:
            line = ink_line(fine, x, y, ink)
            factor[x] *= line
            blue[x] *= line * (ONE + (ONE - line) * COOL)


@kernel
def finish(image, fine, paper, screen, tint, exposure, ink, work, out):
    """Write uint8 (S, S, 3) from linear light (3, S, S); fine (2S, 2S) holds the object of each sample; work (2, S)."""
    steps, top = np.float32(0.5 * screen.shape[0] * exposure), np.float32(screen.shape[0] - 1)
    factor, blue, cool = work[0], work[1], np.float32(tint[2])
    for y in range(paper.shape[0]):
        grain, row = paper[y], out[y]
        for x in range(np.uint64(factor.shape[0])):
            factor[x] = steps * grain[x]
            blue[x] = steps * grain[x] * cool
        ink_row(fine, y, ink, work)
        for c in range(3):
            light, much, share = image[c, y], factor if c < 2 else blue, np.float32(tint[c]) if c < 2 else ONE
            for x in range(np.uint64(factor.shape[0])):
                light[x] = min(top, max(ZERO, light[x] * much[x] * share))
        red, green, blues = image[0, y], image[1, y], image[2, y]
        for x in range(factor.shape[0]):
            row[x, 0] = screen[np.uint64(np.int32(red[x]))]
            row[x, 1] = screen[np.uint64(np.int32(green[x]))]
            row[x, 2] = screen[np.uint64(np.int32(blues[x]))]
