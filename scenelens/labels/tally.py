"""Counting where all units of a layer are active in an image, by concept, without making masks.

A unit is active at the pixels where its map, interpolated bilinearly, exceeds its threshold. Counting its
pixels by concept is a product of two matrices: (units, pixels) of zeros and ones times (pixels, concepts).
Both are nearly empty, because a unit is active at one pixel in two hundred, so the product is summed only
where both are not zero. Between four neighbouring positions of the map no pixel exceeds the largest of the
four, so one comparison excludes a whole cell. The other cells are interpolated and counted pixel by pixel,
with the arithmetic of an image that is resized in 32-bit floats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from scenelens.networks import Axis


@dataclass
class Tally:
    """What is counted for one layer over all images.

    Attributes
    ----------
    active : numpy.ndarray
        (units,) int64, the active pixels: those above the threshold.
    shared : numpy.ndarray
        (units, concepts + 1) int64, the active pixels on each concept; column 0 is no concept.
    top_peaks : numpy.ndarray
        (units, n) float32, the highest peaks so far, in no order; -inf where there is none yet.
    top_fits : numpy.ndarray
        (units, n, kinds + 1) int32. For the image of each peak and for each kind of concept, the concept that
        more than half of the active pixels lie on, 0 for none; the image's scene is last.
    """

    active: np.ndarray
    shared: np.ndarray
    top_peaks: np.ndarray
    top_fits: np.ndarray

    @classmethod
    def empty(cls, units: int, n_top: int, kinds: int) -> Tally:
        """Return a tally in which nothing is counted yet.

        Parameters
        ----------
        units : int
            The layer's units.
        n_top : int
            How many of the highest peaks are remembered.
        kinds : int
            How many kinds of concepts have maps.

        Returns
        -------
        Tally
            With room for 63 concepts; see `make_room`.
        """
        return cls(
            np.zeros(units, np.int64),
            np.zeros((units, 64), np.int64),
            np.full((units, n_top), -np.inf, np.float32),
            np.zeros((units, n_top, kinds + 1), np.int32),
        )

    def make_room(self, concepts: int) -> None:
        """Make columns for more concepts.

        Parameters
        ----------
        concepts : int
            The highest number of a concept.
        """
        have = self.shared.shape[1]
        if concepts >= have:
            # Doubling the columns keeps the copies rare: new concepts turn up in most of the first images.
            more = max(concepts + 1, 2 * have) - have
            self.shared = np.pad(self.shared, ((0, 0), (0, more)))

    def count(
        self,
        maps: np.ndarray,
        thresholds: np.ndarray,
        codes: np.ndarray,
        scene: int,
        slots: np.ndarray,
        axes: tuple[Axis, Axis],
        fits: float = 0.5,
    ) -> None:
        """Add one image.

        Parameters
        ----------
        maps : numpy.ndarray
            (units, h, w) float32, the layer's maps.
        thresholds : numpy.ndarray
            (units,) float32; a pixel is active above the threshold, not at it.
        codes : numpy.ndarray
            (H, W, kinds) int32, numbers of concepts, 0 for none. `make_room` must have been called for them.
        scene : int
            The number of the image's scene, 0 for none; all active pixels lie on it.
        slots : numpy.ndarray
            (concepts + 1,) int, the place of each concept's kind in `top_fits`.
        axes : tuple of Axis
            Where the map's positions lie in the frame, for rows and for columns.
        fits : float, optional
            A concept fits the image if more than this share of its active pixels lies on it (default 0.5).
            It must be at least 0.5, so that at most one concept of a kind fits.

        Examples
        --------
        >>> from scenelens.networks.grid import Grid
        >>> tally = Tally.empty(1, 1, 1)
        >>> codes = np.zeros((1, 3, 1), np.int32); codes[0, 2] = 5
        >>> maps = np.array([[[0.0, 1.0]]], np.float32)
        >>> tally.count(maps, np.float32([0.4]), codes, 0, np.zeros(6, int),
        ...             Grid((0, 0), (1, 2)).axes((1, 2), (1, 3)))
        >>> int(tally.active[0]), int(tally.shared[0, 5])
        (2, 1)
        """
        rows, columns = axes
        _count(
            np.ascontiguousarray(maps, np.float32),
            thresholds,
            codes,
            scene,
            slots,
            rows.first,
            rows.share,
            columns.first,
            columns.share,
            self.active,
            self.shared,
            self.top_peaks,
            self.top_fits,
            fits,
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
    """Count all units in one image; the arguments are those of `Tally.count` and the tally's arrays."""
    found = np.zeros(shared.shape[1], np.int64)  # one unit's pixels by concept in this image
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
        # The lowest of the highest peaks so far makes room. An equal peak does not replace it, so of ties the
        # earlier image stays, and the result does not depend on how images are cut into batches.
        slot = peaks[unit].argmin()
        enters = peak > peaks[unit, slot]
        if enters:
            peaks[unit, slot] = peak
            top_fits[unit, slot] = 0
        if n:
            _settle(n, found, shared[unit], slots, enters, top_fits[unit, slot], fits)


@njit(cache=True, nogil=True)
def _region(values, threshold, codes, first_y, share_y, first_x, share_x, upper, lower, found):
    """Count one unit's active pixels by concept, cell after cell of its map; return their number.

    The last row and column of cells lie beyond the last position, where its value continues.
    """
    h, w = values.shape
    kinds = codes.shape[2]
    n = 0
    for i in range(h):
        below = min(i + 1, h - 1)
        for j in range(w):
            right = min(j + 1, w - 1)
            a, b, c, d = values[i, j], values[i, right], values[below, j], values[below, right]
            # Bilinear interpolation never exceeds the four corners, so most cells end here.
            if not (a > threshold or b > threshold or c > threshold or d > threshold):
                continue
            start, end = first_x[j], first_x[j + 1]
            # Along x first, for the cell's upper and lower edge, then along y: as images are resized.
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
    """Add one unit's counts of one image to the totals, note which concepts fit, and clear `found`."""
    for concept in range(1, len(slots)):
        if found[concept]:
            shared[concept] += found[concept]
            if enters and found[concept] > fits * n:
                fitting[slots[concept]] = concept
            found[concept] = 0
