"""The numbers of a `random.Random` inside kernels: its words, and what the class makes of them."""

from __future__ import annotations

import math
import random

import numpy as np
from numba import njit

__all__ = ["Draws", "below", "exact", "gauss", "share", "uniform"]

# No fast mathematics: numbers are the same as Python's to the last bit. Only kernels call these, so they need no wrappers.
exact = njit(nogil=True, error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
PER = 1.0 / 9007199254740992.0
MANY = 1024  # words drawn at a time


class Draws:
    """What a Random would draw, handed to kernels in the same order, whatever they ask for.

    words, at : what kernels take: 32-bit words (n,) uint32; how many are used up and whether a second gauss is kept,
    (2,) int64, and that gauss, (1,).
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._words = np.empty(0, np.uint32)
        self._at = np.zeros(2, np.int64)
        self._spare = np.zeros(1)

    def ready(self, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For kernels, with at least `most` words."""
        if len(self._words) - self._at[0] < most:
            more = self._rng.getrandbits(32 * (most + MANY)).to_bytes(4 * (most + MANY), "little")
            self._words = np.concatenate([self._words[self._at[0] :], np.frombuffer(more, np.uint32)])
            self._at[0] = 0
        return self._words, self._at, self._spare


@exact
def word(draws):
    """32 bits."""
    words, at, _ = draws
    at[0] += 1
    return np.int64(words[(at[0] - 1) % words.size])  # from the start, should a try ever ask for more than are ready


@exact
def share(draws):
    """`Random.random`."""
    high = word(draws) >> 5
    return (high * 67108864.0 + (word(draws) >> 6)) * PER


@exact
def uniform(draws, low, high):
    """`Random.uniform`."""
    return low + (high - low) * share(draws)


@exact
def below(draws, n):
    """`Random.randrange(n)`; for `Random.choice`, the index."""
    bits = 0
    while n >> bits:
        bits += 1
    found = n
    while found >= n:
        found = word(draws) >> (32 - bits)
    return found


@exact
def gauss(draws, sigma):
    """`Random.gauss(0, sigma)`; they come in pairs."""
    _, at, spare = draws
    if at[1]:
        at[1] = 0
        return spare[0] * sigma
    turn = share(draws) * (2.0 * math.pi)
    far = math.sqrt(-2.0 * math.log(1.0 - share(draws)))
    at[1], spare[0] = 1, math.sin(turn) * far
    return math.cos(turn) * far * sigma
