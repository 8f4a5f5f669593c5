"""Where all units of a layer fire in an image, counted against all concepts, without making a single mask.

A unit fires at the pixels where its map, interpolated bilinearly, exceeds its threshold. Counting its pixels
by concept is a product of two matrices, (units, pixels) of noughts and ones by (pixels, concepts), and both
are nearly empty: a unit fires at one pixel in two hundred. So the product is summed up sparsely. Between four
neighbours of the map no pixel exceeds the largest of them, so whole cells fall out after one comparison; what
remains is interpolated and counted pixel by pixel, with the arithmetic of an image resized in 32-bit floats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from scenelens.networks import Axis


@dataclass
class Tally:
    """What is counted for one layer, over all images.

    Attributes
    ----------
    active : (units,) int64 pixels above threshold.
    shared : (units, concepts + 1) int64 of them that lie on each concept (0 is no concept).
    top_peaks : (units, n) float32, the highest peaks so far, in no order; -inf where there is none yet.
    top_fits : (units, n, kinds + 1) int32, for each of these images the concept of each kind that more than
        the wanted share of the active pixels lies on, 0 for none; last the image's scene.
    """

    active: np.ndarray
    shared: np.ndarray
    top_peaks: np.ndarray
    top_fits: np.ndarray

    @classmethod
    def empty(cls, units: int, n_top: int, kinds: int) -> Tally:
        """A tally of nothing yet; room for concepts is made as they turn up."""
        return cls(
            np.zeros(units, np.int64),
            np.zeros((units, 64), np.int64),
            np.full((units, n_top), -np.inf, np.float32),
            np.zeros((units, n_top, kinds + 1), np.int32),
        )

    def make_room(self, concepts: int) -> None:
        """Have columns for concepts up to this number, doubling them so that this is rarely needed."""
        have = self.shared.shape[1]
        if concepts >= have:
            more = max(concepts + 1, 2 * have) - have
            self.shared = np.pad(self.shared, ((0, 0), (0, more)))


def count(
    tally: Tally,
    maps: np.ndarray,
    thresholds: np.ndarray,
    codes: np.ndarray,
    scene: int,
    slots: np.ndarray,
    axes: tuple[Axis, Axis],
    fits: float = 0.5,
) -> None:
    """Add one image to a layer's tally.

    Parameters
    ----------
    maps : (units, h, w) float32.
    thresholds : (units,) float32; a pixel is active above it, not at it.
    codes : (H, W, kinds) int32 numbers of concepts, 0 for none; the tally must have room for them.
    scene : the number of the image's scene, 0 for none; all active pixels lie on it.
    slots : (concepts + 1,) int, the place in `top_fits` of every concept's kind.
    axes : of rows and columns.
    fits : a concept fits the image where more than this share of its active pixels lies on it; at least 0.5,
        so that one concept of a kind fits at most.

    Examples
    --------
    >>> from scenelens.networks.grid import axis
    >>> tally = Tally.empty(1, 1, 1)
    >>> codes = np.zeros((1, 3, 1), np.int32); codes[0, 2] = 5
    >>> maps = np.array([[[0.0, 1.0]]], np.float32)
    >>> count(tally, maps, np.float32([0.4]), codes, 0, np.zeros(6, int),
    ...       (axis(1, 1, 0, 1), axis(2, 3, 0, 2)))
    >>> int(tally.active[0]), int(tally.shared[0, 5])
    (2, 1)
    """
    rows, columns = axes
    _count(
        *(np.ascontiguousarray(maps, np.float32), thresholds, codes, scene, slots),
        *(rows.first, rows.share, columns.first, columns.share),
        *(tally.active, tally.shared, tally.top_peaks, tally.top_fits, fits),
    )


@njit(cache=True, nogil=True)
def _count(
    maps,
    thresholds,
    codes,
    scene,
    slots,
    first_y,
    share_y,
    first_x,
    share_x,
    active,
    shared,
    peaks,
    top_fits,
    fits,
):
    found = np.zeros(shared.shape[1], np.int64)  # of one unit in this image
    upper, lower = np.empty(codes.shape[1], np.float32), np.empty(codes.shape[1], np.float32)
    for unit in range(len(maps)):
        peak = maps[unit].max()
        n = 0
        if peak > thresholds[unit]:
            n = _region(
                maps[unit],
                thresholds[unit],
                codes,
                first_y,
                share_y,
                first_x,
                share_x,
                upper,
                lower,
                found,
            )
            found[0] = 0
            if scene:
                found[scene] += n
            active[unit] += n
        slot = peaks[unit].argmin()
        enters = peak > peaks[unit, slot]
        if enters:
            peaks[unit, slot] = peak
            top_fits[unit, slot] = 0
        if n:
            _settle(n, found, shared[unit], slots, enters, top_fits[unit, slot], fits)


@njit(cache=True, nogil=True)
def _region(values, threshold, codes, first_y, share_y, first_x, share_x, upper, lower, found):
    """Count one unit's active pixels by concept, cell after cell of its map; returns how many there are."""
    h, w = values.shape
    kinds = codes.shape[2]
    n = 0
    for i in range(h):
        below = min(i + 1, h - 1)
        for j in range(w):
            right = min(j + 1, w - 1)
            a, b, c, d = values[i, j], values[i, right], values[below, j], values[below, right]
            if not (a > threshold or b > threshold or c > threshold or d > threshold):
                continue
            start, end = first_x[j], first_x[j + 1]
            for x in range(start, end):
                upper[x] = a * (1 - share_x[x]) + b * share_x[x]
                lower[x] = c * (1 - share_x[x]) + d * share_x[x]
            for y in range(first_y[i], first_y[i + 1]):
                down = share_y[y]
                for x in range(start, end):
                    if np.float32(upper[x] * (1 - down) + lower[x] * down) > threshold:
                        n += 1
                        for kind in range(kinds):
                            found[codes[y, x, kind]] += 1
    return n


@njit(cache=True, nogil=True)
def _settle(n, found, shared, slots, enters, fitting, fits):
    """Move one unit's counts of one image to the totals, and note what fits; `found` is zero again."""
    for concept in range(1, len(slots)):
        if found[concept]:
            shared[concept] += found[concept]
            if enters and found[concept] > fits * n:
                fitting[slots[concept]] = concept
            found[concept] = 0
