"""The random numbers of a `random.Random`, for kernels: bit for bit those that Python would draw.

A kernel cannot call a Random.  It gets a supply of the generator's 32-bit words, and the functions below turn words into
numbers by the formulas of Python's own methods.  So pictures do not depend on whether a place was drawn in a kernel.
"""

from __future__ import annotations

import math
import random

import numpy as np
from numba import njit

__all__ = ["Draws", "below", "exact", "gauss", "share", "uniform"]

# No fast mathematics here: the numbers must equal Python's to the last bit. Only kernels call these functions, so the
# wrappers for calls from Python and C are not compiled, which saves start-up time.
exact = njit(nogil=True, error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
_PER = 1.0 / 9007199254740992.0  # 2 ** -53: Random.random has 53 random bits
_SUPPLY = 1024  # words to draw beyond what is needed now: one large request is much faster than many small ones


class Draws:
    """The numbers of a Random, for kernels, in the order in which the Random would draw them.

    Parameters
    ----------
    rng : random.Random
        The generator. Words are taken from it in advance, so it must not be used for anything else afterwards.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._words = np.empty(0, np.uint32)
        self._at = np.zeros(2, np.int64)
        self._spare = np.zeros(1)

    def ready(self, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Prepare a supply of words.

        Parameters
        ----------
        most : int
            Number of words that must be available.

        Returns
        -------
        words : numpy.ndarray
            (n,) uint32.
        at : numpy.ndarray
            (2,) int64: number of words used up; whether a second normal number is waiting.
        spare : numpy.ndarray
            (1,) float64: that number.
        """
        if len(self._words) - self._at[0] < most:
            # getrandbits fills its result word by word from the low end, so little-endian bytes are the words in order.
            more = self._rng.getrandbits(32 * (most + _SUPPLY)).to_bytes(4 * (most + _SUPPLY), "little")
            self._words = np.concatenate([self._words[self._at[0] :], np.frombuffer(more, np.uint32)])
            self._at[0] = 0
        return self._words, self._at, self._spare


@exact
def _word(draws):
    """The next 32 random bits."""
    words, at, _ = draws
    at[0] += 1
    return np.int64(words[(at[0] - 1) % words.size])  # modulo: a kernel must never read outside the array


@exact
def share(draws):
    """A number in [0, 1), as `Random.random`: 27 bits of one word and 26 of the next."""
    high = _word(draws) >> 5
    return (high * 67108864.0 + (_word(draws) >> 6)) * _PER


@exact
def uniform(draws, low, high):
    """A number between low and high, as `Random.uniform`."""
    return low + (high - low) * share(draws)


@exact
def below(draws, n):
    """A whole number below n, as `Random.randrange(n)`, and the index that `Random.choice` takes.

    Too large numbers are drawn again, as Python does: a remainder would prefer small numbers.
    """
    bits = 0
    while n >> bits:
        bits += 1
    found = n
    while found >= n:
        found = _word(draws) >> (32 - bits)
    return found


@exact
def gauss(draws, sigma):
    """A normal number, as `Random.gauss(0, sigma)`: the Box-Muller method gives two at a time, one waits for the next call."""
    _, at, spare = draws
    if at[1]:
        at[1] = 0
        return spare[0] * sigma
    turn = share(draws) * (2.0 * math.pi)
    far = math.sqrt(-2.0 * math.log(1.0 - share(draws)))
    at[1], spare[0] = 1, math.sin(turn) * far
    return math.cos(turn) * far * sigma
