"""Smooth noise for painted surfaces, and how the kernels of this package are compiled.

Noise is a small table of random values, read with smooth interpolation ("value noise").  A table of 32 x 32 x 32 float32
values stays in the processor's cache, and reading it is cheaper than hashing the corners of a cell.

Kernels are compiled by numba and cached on disk.  Numba notices a change in the file of a kernel, but not in the kernels
that it calls: after editing one of them, delete the cache (``make clean``, or the `__pycache__` folders).
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["NOISE", "fbm2", "hash01", "inlined", "inner", "kernel", "noise2", "noise2_row", "noise3", "noise3_row"]

# Fast mathematics without "reassoc": sums keep their order. With it, the compiler would read table entries by gather
# instructions, which many processors execute slowly since their security fixes (Downfall, 2023). There are no NaNs or
# infinities in a picture ("nnan", "ninf"), division by a constant may become a product ("arcp"), and so on.
# _nrt=False: kernels allocate nothing, so references need not be counted. error_model: division by zero raises nothing.
# forceinline: kernels are small and called per pixel. no_cfunc_wrapper: no kernel is called from C.
_FAST = {"nnan", "ninf", "nsz", "arcp", "contract", "afn"}
kernel = njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy", _nrt=False, forceinline=True, no_cfunc_wrapper=True)
# The same for functions that only kernels call. Without the wrapper for calls from Python they are compiled sooner, and they
# need no file of their own in the cache.
inner = njit(nogil=True, fastmath=_FAST, error_model="numpy", _nrt=False, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
# The same for large functions that are called in one place. LLVM optimises a function again in each kernel that calls it, and
# again in what calls that; numba itself inlines these before, so that there is one level less. It takes a third of the time.
inlined = njit(nogil=True, fastmath=_FAST, error_model="numpy", _nrt=False, inline="always", no_cpython_wrapper=True, no_cfunc_wrapper=True)
NOISE = np.random.default_rng(20150507).random((32, 32, 32)).astype(np.float32) * 2 - 1
# The table again, with its first entries repeated at the far ends, and flat. The neighbours of an entry then lie at fixed
# distances, also across the border, and no index needs a modulus.
_SIDE = 33
_TABLE = np.pad(NOISE, (0, 1), mode="wrap").ravel()
# Typed constants: a Python 1 or 2.0 would widen the arithmetic to 64 bits, half as many values at a time.
_NEXT, _DOWN, _AWAY = np.uint64(1), np.uint64(_SIDE), np.uint64(_SIDE * _SIDE)
_TWO, _THREE, _PERIOD, _WIDE = np.float32(2), np.float32(3), np.float32(32), np.float32(_SIDE)


@inner
def hash01(a: int, b: int, c: int) -> float:
    """A pseudo-random number in [0, 1) that depends on three integers only.

    For bricks, planks and specks: the number of a cell is known wherever the cell is met. Large primes mix the integers, shifts
    and products spread the bits; masks keep the value non-negative, so that Python and numba agree.
    """
    h = (a * 73856093) ^ (b * 19349663) ^ (c * 83492791)
    h = (h ^ (h >> 13)) & 0x7FFFFFFF
    h = (h * 1274126177) & 0x7FFFFFFF
    h = h ^ (h >> 15)
    return (h & 0xFFFFF) / 1048576.0


@inner
def _corner(i, j, k):
    """The place of entry (i, j, k) in the table; whole numbers of any size, taken modulo 32.

    Unsigned: the compiler then need not allow for Python's negative indices.
    """
    return np.uint64((int(i) & 31) * _SIDE * _SIDE + (int(j) & 31) * _SIDE + (int(k) & 31))


@inner
def _between(o, x, y, z):
    """The table between entry o and its seven neighbours, at smoothed fractions of float32: along z, then y, then x."""
    a, b = _TABLE[o], _TABLE[o + _DOWN]
    c, d = _TABLE[o + _AWAY], _TABLE[o + _AWAY + _DOWN]
    a += (_TABLE[o + _NEXT] - a) * z
    b += (_TABLE[o + _DOWN + _NEXT] - b) * z
    c += (_TABLE[o + _AWAY + _NEXT] - c) * z
    d += (_TABLE[o + _AWAY + _DOWN + _NEXT] - d) * z
    a += (b - a) * y
    c += (d - c) * y
    return a + (c - a) * x


@inner
def _smooth(x):
    """A smoothed fraction in 0..1, float32: level at both ends, so that no cell border can be seen."""
    return x * x * (_THREE - _TWO * x)


@inner
def noise3(x, y, z):
    """Value noise in [-1, 1] with period 32, trilinear on smoothed fractions."""
    fx, fy, fz = np.floor(x), np.floor(y), np.floor(z)
    return _between(_corner(fx, fy, fz), _smooth(np.float32(x - fx)), _smooth(np.float32(y - fy)), _smooth(np.float32(z - fz)))


@inner
def noise3_row(x, stop, work):
    """`noise3` of the places in work 5 to 7, into work 0, from x to stop; work (9, n) float32, rows 5 to 8 are overwritten.

    In two loops: arithmetic can be done for many places at a time, table lookups cannot.
    """
    u, v, w, index, out = work[5], work[6], work[7], work[8], work[0]
    for i in range(np.uint64(x), np.uint64(stop)):
        a, b, c = np.floor(u[i]), np.floor(v[i]), np.floor(w[i])
        u[i], v[i], w[i] = _smooth(u[i] - a), _smooth(v[i] - b), _smooth(w[i] - c)
        # The modulus in float32: numba converts to 64-bit integers, for which processors without AVX-512 have no vector
        # instruction. It is exact, because all numbers are whole and below 2 ** 24.
        a, b, c = a - _PERIOD * np.floor(a / _PERIOD), b - _PERIOD * np.floor(b / _PERIOD), c - _PERIOD * np.floor(c / _PERIOD)
        index[i] = (a * _WIDE + b) * _WIDE + c
    for i in range(x, stop):
        out[i] = _between(np.uint64(np.int64(index[i])), u[i], v[i], w[i])


@inner
def _between_two(o, x, y):
    """`_between` on one slice of the table."""
    a, b = _TABLE[o], _TABLE[o + _DOWN]
    a += (_TABLE[o + _NEXT] - a) * y
    b += (_TABLE[o + _DOWN + _NEXT] - b) * y
    return a + (b - a) * x


@inner
def noise2(x, y, slice_):
    """Value noise in [-1, 1] on one slice of the table."""
    fx, fy = np.floor(x), np.floor(y)
    return _between_two(_corner(slice_, fx, fy), _smooth(np.float32(x - fx)), _smooth(np.float32(y - fy)))


@inner
def noise2_row(x, stop, u, v, slice_, places, out):
    """`noise2` of the places (u, v), which are overwritten, into out, from x to stop; places: working space, integers."""
    for i in range(np.uint64(x), np.uint64(stop)):
        a, b = np.floor(u[i]), np.floor(v[i])
        u[i], v[i] = _smooth(np.float32(u[i] - a)), _smooth(np.float32(v[i] - b))
        places[i] = (int(slice_) & 31) * _SIDE * _SIDE + (int(a) & 31) * _SIDE + (int(b) & 31)
    for i in range(np.uint64(x), np.uint64(stop)):
        out[i] = _between_two(np.uint64(places[i]), np.float32(u[i]), np.float32(v[i]))


@inner
def fbm2(x, y, slice_):
    """Four octaves of 2-D noise, about [-1, 1]: each twice as fine and half as strong as the one before.

    2.03 and the shifts keep the cells of the octaves from lying on top of each other.
    """
    total, gain = 0.0, 0.55
    for octave in range(4):
        total += gain * noise2(x, y, slice_ + octave * 7)
        x, y, gain = x * 2.03 + 5.1, y * 2.03 + 9.7, gain * 0.5
    return total
