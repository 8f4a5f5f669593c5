"""From light to paint: an ink line where objects meet, soft vignette, paper grain, and screen values."""

from __future__ import annotations

import numpy as np

from scenelens.sceneworld.noise import kernel

__all__ = ["PAPER", "WOBBLE", "finish", "screen_values"]


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


def hand_wobble(size: int) -> np.ndarray:
    """By how many samples (x, y) a hand-drawn outline strays at each pixel, (size, size, 2) int8, at most 1."""
    return np.stack([np.rint(_smooth((size, size), 9, seed) * 1.2) for seed in (4, 5)], -1).astype(np.int8)


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
WOBBLE = hand_wobble(227)
SCREEN = screen_values()


@kernel
def finish(image, fine, paper, screen, tint, exposure, ink, out):
    """Write uint8 (S, S, 3) from linear light (S, S, 3); fine (2S, 2S) holds the object of each sample."""
    size = image.shape[0]
    last = 2 * size - 1
    for y in range(size):
        for x in range(size):
            centre, other = fine[2 * y, 2 * x], 0
            low_y, high_y, low_x, high_x = max(0, 2 * y - 1), min(last, 2 * y + 2), max(0, 2 * x - 1), min(last, 2 * x + 2)
            for k in range(4):
                if fine[high_y if k & 1 else low_y, high_x if k & 2 else low_x] != centre:
                    other += 1
            line = 1.0
            if other > 0:
                other = 0
                for j in range(low_y, high_y + 1):
                    for i in range(low_x, high_x + 1):
                        if fine[j, i] != centre:
                            other += 1
                share = other / 16.0
                line = 1.0 - ink * min(1.0, 4.0 * share * (1.0 - share))
            k = exposure * line * paper[y, x]
            for c in range(3):
                value = image[y, x, c] * k * tint[c] * (1.0 if c < 2 else 1.0 + (1.0 - line) * 0.3)
                out[y, x, c] = screen[min(screen.shape[0] - 1, max(0, int(value * 0.5 * screen.shape[0])))]
