"""Smooth noise for painted surfaces: one small table of random values, looked up with smooth interpolation.

Kernels in this package are compiled by numba and cached on disk; numba notices a change in the file a kernel is
in, but not in kernels it calls. After editing one of them, remove the package's `__pycache__`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["NOISE", "fbm2", "hash01", "kernel", "noise2", "noise3"]

# Sums keep their order ("reassoc" is left out): else the compiler gathers table entries by vector instructions that
# many processors execute slowly since their security fixes. Kernels allocate nothing, so they need not count references.
FAST = {"nnan", "ninf", "nsz", "arcp", "contract", "afn"}
kernel = njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy", _nrt=False, forceinline=True)
NOISE = np.random.default_rng(20150507).random((32, 32, 32)).astype(np.float32) * 2 - 1


@kernel
def hash01(a: int, b: int, c: int) -> float:
    """A repeatable pseudo-random number in [0, 1) of three integers."""
    h = (a * 73856093) ^ (b * 19349663) ^ (c * 83492791)
    h = (h ^ (h >> 13)) & 0x7FFFFFFF
    h = (h * 1274126177) & 0x7FFFFFFF
    h = h ^ (h >> 15)
    return (h & 0xFFFFF) / 1048576.0


@kernel
def noise3(x, y, z):
    """Value noise in [-1, 1] with period 32, trilinear on smoothed fractions."""
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    x, y, z = x - fx, y - fy, z - fz
    x, y, z = x * x * (3 - 2 * x), y * y * (3 - 2 * y), z * z * (3 - 2 * z)
    i, j, k = int(fx) & 31, int(fy) & 31, int(fz) & 31
    i1, j1, k1 = (i + 1) & 31, (j + 1) & 31, (k + 1) & 31
    a = NOISE[i, j, k] + (NOISE[i, j, k1] - NOISE[i, j, k]) * z
    b = NOISE[i, j1, k] + (NOISE[i, j1, k1] - NOISE[i, j1, k]) * z
    c = NOISE[i1, j, k] + (NOISE[i1, j, k1] - NOISE[i1, j, k]) * z
    d = NOISE[i1, j1, k] + (NOISE[i1, j1, k1] - NOISE[i1, j1, k]) * z
    a = a + (b - a) * y
    c = c + (d - c) * y
    return a + (c - a) * x


@kernel
def noise2(x, y, slice_):
    """Value noise in [-1, 1] on one slice of the table."""
    fx, fy = math.floor(x), math.floor(y)
    x, y = x - fx, y - fy
    x, y = x * x * (3 - 2 * x), y * y * (3 - 2 * y)
    i, j = int(fx) & 31, int(fy) & 31
    i1, j1 = (i + 1) & 31, (j + 1) & 31
    k = slice_ & 31
    a = NOISE[k, i, j] + (NOISE[k, i, j1] - NOISE[k, i, j]) * y
    b = NOISE[k, i1, j] + (NOISE[k, i1, j1] - NOISE[k, i1, j]) * y
    return a + (b - a) * x


@kernel
def fbm2(x, y, slice_):
    """Four octaves of 2-D noise, about [-1, 1]."""
    total, gain = 0.0, 0.55
    for octave in range(4):
        total += gain * noise2(x, y, slice_ + octave * 7)
        x, y, gain = x * 2.03 + 5.1, y * 2.03 + 9.7, gain * 0.5
    return total
