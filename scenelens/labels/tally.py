"""Counting where all units of a layer are active in an image, by concept, without making masks.

A unit is active at the pixels where its map, interpolated bilinearly, exceeds its threshold. Counting its
pixels by concept is a product of two matrices: (units, pixels) of zeros and ones times (pixels, concepts).
Both are nearly empty, because a unit is active at one pixel in two hundred, so the product is summed only
where both are not zero. Between four neighbouring positions of the map no pixel exceeds the largest of the
four, so one comparison excludes a whole cell. The other cells are interpolated and counted pixel by pixel,
with the arithmetic of an image that is resized in 32-bit floats.

A pixel shows several concepts at once, one of each kind, but an image has few different combinations of them.
So an active pixel is counted once, for its combination, and the concepts get their counts at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from scenelens.networks import Axis

_MOST_PAIRS = 1 << 24  # entries of a table of pairs


class _Combinations(NamedTuple):
    """The combinations of concepts that pixels of one image show.

    Attributes
    ----------
    places : numpy.ndarray
        (H, W) int32, the number of each pixel's combination.
    members : numpy.ndarray
        (combinations, kinds) int32, the concept of each kind, 0 for none.
    """

    places: np.ndarray
    members: np.ndarray

    @classmethod
    def of(cls, codes: np.ndarray) -> _Combinations:
        """Number the combinations in the order in which pixels show them.

        Parameters
        ----------
        codes : numpy.ndarray
            (H, W, kinds) int32, numbers of concepts, 0 for none.

        Returns
        -------
        _Combinations
            Of these pixels.

        Examples
        --------
        >>> _Combinations.of(np.array([[[7, 0], [7, 2], [7, 0]]], np.int32)).places.tolist()
        [[0, 1, 0]]
        """
        return cls.of_maps(np.moveaxis(codes, 2, 0), codes.shape[:2])

    @classmethod
    def of_maps(cls, maps: Sequence[np.ndarray] | np.ndarray, shape: tuple[int, ...]) -> _Combinations:
        """Number the combinations of several maps.

        Parameters
        ----------
        maps : sequence of numpy.ndarray
            (H, W) int32 for each kind.
        shape : tuple of int
            (H, W).

        Returns
        -------
        _Combinations
            Of these pixels.
        """
        columns = [np.ascontiguousarray(one, np.int32).ravel() for one in maps]
        pixels = int(np.prod(shape))
        places, first, n = np.zeros(pixels, np.int32), np.zeros(pixels, np.int32), min(1, pixels)
        for column in columns:
            n_codes = int(column.max(initial=0)) + 1
            if n * n_codes > _MOST_PAIRS:
                pairs = places * np.int64(n_codes) + column
                _, rows, inverse = np.unique(pairs, return_index=True, return_inverse=True)
                places, n = inverse.astype(np.int32), len(rows)
                first[:n] = rows
            else:
                n = _join(places, first, column, np.full(n * n_codes, -1, np.int32), n_codes)
        members = [column[first[:n]] for column in columns]
        return cls(places.reshape(shape), np.stack(members, 1) if members else np.zeros((n, 0), np.int32))

    def areas(self, n: int) -> np.ndarray:
        """How many pixels show each concept.

        Parameters
        ----------
        n : int
            The highest number of a concept.

        Returns
        -------
        numpy.ndarray
            (n + 1,) int64; entry 0 stands for no concept.
        """
        found = np.zeros(n + 1, np.int64)
        np.add.at(found, self.members, np.bincount(self.places.ravel(), minlength=len(self.members))[:, None])
        return found


@njit(cache=True, nogil=True)
def _join(places, first, codes, numbers, n_codes):
    """Number the pairs of a place and a code, in place; note each pair's first pixel; return how many."""
    n = 0
    for pixel in range(len(places)):
        pair = places[pixel] * n_codes + codes[pixel]
        if numbers[pair] < 0:
            numbers[pair] = n
            first[n] = pixel
            n += 1
        places[pixel] = numbers[pair]
    return n


@dataclass
class Tally:
    """What is counted for one layer, in each fold of the images.

    Attributes
    ----------
    fold_active : numpy.ndarray
        (folds, units) int64, the active pixels: those above the threshold.
    fold_shared : numpy.ndarray
        (folds, units, concepts + 1) int32 or int64, the active pixels on each concept; column 0 is no
        concept.
    top_peaks : numpy.ndarray
        (units, n) float32, the highest peaks so far, in no order; -inf where there is none yet.
    top_fits : numpy.ndarray
        (units, n, kinds + 1) int32. For the image of each peak and for each kind of concept, the concept that
        more than half of the active pixels lie on, 0 for none; the image's scene is last.
    top_folds : numpy.ndarray
        (units, n) int32, the fold of the image of each peak; -1 where there is none yet.
    """

    fold_active: np.ndarray
    fold_shared: np.ndarray
    top_peaks: np.ndarray
    top_fits: np.ndarray
    top_folds: np.ndarray

    @classmethod
    def empty(cls, units: int, n_top: int, kinds: int, folds: int = 1, most: int = 1 << 40) -> Tally:
        """Return a tally in which nothing is counted yet.

        Parameters
        ----------
        units : int
            The layer's units.
        n_top : int
            How many of the highest peaks are remembered.
        kinds : int
            How many kinds of concepts have maps.
        folds : int, optional
            How many folds the images are dealt into (default 1).
        most : int, optional
            The pixels of all images of the largest fold: where they fit, small numbers are enough.

        Returns
        -------
        Tally
            With room for 63 concepts; see `make_room`.
        """
        return cls(
            np.zeros((folds, units), np.int64),
            np.zeros((folds, units, 64), np.int32 if most < 1 << 31 else np.int64),
            np.full((units, n_top), -np.inf, np.float32),
            np.zeros((units, n_top, kinds + 1), np.int32),
            np.full((units, n_top), -1, np.int32),
        )

    @property
    def active(self) -> np.ndarray:
        """(units,) int64, the active pixels of all folds."""
        return np.asarray(self.fold_active.sum(0))

    @property
    def shared(self) -> np.ndarray:
        """(units, concepts + 1) int64, the active pixels on each concept, of all folds."""
        return np.asarray(self.fold_shared.sum(0, dtype=np.int64))

    def make_room(self, concepts: int) -> None:
        """Make columns for more concepts.

        Parameters
        ----------
        concepts : int
            The highest number of a concept.
        """
        have = self.fold_shared.shape[2]
        if concepts >= have:
            # Doubling the columns keeps the copies rare: new concepts turn up in most of the first images.
            more = max(concepts + 1, 2 * have) - have
            self.fold_shared = np.pad(self.fold_shared, ((0, 0), (0, 0), (0, more)))

    def count(
        self,
        maps: np.ndarray,
        thresholds: np.ndarray,
        codes: np.ndarray | _Combinations,
        scene: int,
        slots: np.ndarray,
        axes: tuple[Axis, Axis],
        fits: float = 0.5,
        peaks: np.ndarray | None = None,
        fold: int = 0,
    ) -> None:
        """Add one image.

        Parameters
        ----------
        maps : numpy.ndarray
            (units, h, w) float32, the layer's maps.
        thresholds : numpy.ndarray
            (units,) float32; a pixel is active above the threshold, not at it.
        codes : numpy.ndarray or _Combinations
            (H, W, kinds) int32, numbers of concepts, 0 for none; or what was made of them, where several
            layers are counted. `make_room` must have been called for them.
        scene : int
            The number of the image's scene, 0 for none; all active pixels lie on it.
        slots : numpy.ndarray
            (concepts + 1,) int, the place of each concept's kind in `top_fits`.
        axes : tuple of Axis
            Where the map's positions lie in the frame, for rows and for columns.
        fits : float, optional
            A concept fits the image if more than this share of its active pixels lies on it (default 0.5).
            It must be at least 0.5, so that at most one concept of a kind fits.
        peaks : numpy.ndarray, optional
            (units,) float32, the highest value of each map, where it is known.
        fold : int, optional
            The image's fold (default 0).

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
        shown = codes if isinstance(codes, _Combinations) else _Combinations.of(codes)
        maps = np.ascontiguousarray(maps, np.float32)
        _count(
            maps,
            maps.reshape(len(maps), -1).max(1) if peaks is None else peaks,
            thresholds,
            shown.places,
            shown.members,
            scene,
            slots,
            rows.first,
            rows.share,
            columns.first,
            columns.share,
            self.fold_active[fold],
            self.fold_shared[fold],
            self.top_peaks,
            self.top_fits,
            self.top_folds,
            fold,
            fits,
        )


@njit(cache=True, nogil=True)
def _count(
    maps,
    maxima,
    thresholds,
    places,
    members,
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
    top_folds,
    fold,
    fits,
):
    """Count all units in one image; the arguments are those of `Tally.count` and the tally's arrays."""
    found = np.zeros(len(members), np.int64)  # one unit's pixels by combination in this image
    touched = np.empty(len(members), np.int64)  # the combinations among them
    by_concept, seen = np.zeros(shared.shape[1], np.int64), np.empty(shared.shape[1], np.int64)
    upper, lower = np.empty(places.shape[1], np.float32), np.empty(places.shape[1], np.float32)
    above = np.empty(places.shape[1], np.bool_)
    for unit in range(len(maps)):
        peak = maxima[unit]
        n = m = 0
        if peak > thresholds[unit]:
            n, m = _region(
                maps[unit],
                thresholds[unit],
                places,
                first_y,
                share_y,
                first_x,
                share_x,
                upper,
                lower,
                above,
                found,
                touched,
            )
            active[unit] += n
        # The lowest of the highest peaks so far makes room. An equal peak does not replace it, so of ties the
        # earlier image stays, and the result does not depend on how images are cut into batches.
        slot = _lowest(peaks[unit])
        enters = peak > peaks[unit, slot]
        if enters:
            peaks[unit, slot] = peak
            top_folds[unit, slot] = fold
            top_fits[unit, slot] = 0
        if n:
            k = _by_concept(found, touched, m, members, scene, n, by_concept, seen)
            _settle(n, by_concept, seen, k, shared[unit], slots, enters, top_fits[unit, slot], fits)


@njit(cache=True, nogil=True)
def _lowest(values):
    """The place of the lowest value, the first of several."""
    place = 0
    for k in range(1, len(values)):
        if values[k] < values[place]:
            place = k
    return place


@njit(cache=True, nogil=True)
def _region(
    values, threshold, places, first_y, share_y, first_x, share_x, upper, lower, above, found, touched
):
    """Count one unit's active pixels by combination; return their number, and that of the combinations.

    The last row and column of cells lie beyond the last position, where its value continues.
    """
    h, w = values.shape
    n = m = 0
    for i in range(h):
        below = min(i + 1, h - 1)
        j = 0
        while j < w:
            # Bilinear interpolation never exceeds the four corners, so most cells end here.
            if not _exceeds(values, threshold, i, below, j, w):
                j += 1
                continue
            first = j
            while j < w and _exceeds(values, threshold, i, below, j, w):
                j += 1
            # Neighbouring cells together. Along x first, for their upper and lower edge, then along y: as
            # images are resized.
            high = _along(values, i, first, j, first_x, share_x, upper)
            low = _along(values, below, first, j, first_x, share_x, lower)
            for y in range(first_y[i], first_y[i + 1]):
                down = share_y[y]
                if np.float32(high * (1 - down) + low * down) > threshold:  # else no pixel of the row does
                    _compare(upper, lower, down, threshold, first_x[first], first_x[j], above)
                    more, m = _add(above, places, y, first_x[first], first_x[j], found, touched, m)
                    n += more
    return n, m


# Unsigned numbers of pixels: the compiler then knows that no index counts from the end of an array, and turns
# the loops into instructions for several pixels at once.


@njit(cache=True, nogil=True)
def _along(values, i, first, last, first_x, share_x, edge):
    """Interpolate a row of positions, cells `first` to `last`; return the highest of them."""
    high = values[i, first]
    for j in range(first, last):
        left, right = values[i, j], values[i, min(j + 1, values.shape[1] - 1)]
        high = max(high, left, right)
        for x in range(np.uintp(first_x[j]), np.uintp(first_x[j + 1])):
            edge[x] = left * (1 - share_x[x]) + right * share_x[x]
    return high


@njit(cache=True, nogil=True)
def _compare(upper, lower, down, threshold, start, end, above):
    for x in range(np.uintp(start), np.uintp(end)):
        above[x] = np.float32(upper[x] * (1 - down) + lower[x] * down) > threshold


@njit(cache=True, nogil=True)
def _add(above, places, y, start, end, found, touched, m):
    """Add a row of pixels, neighbours of one combination together."""
    n, x, last = np.int64(0), np.uintp(start), np.uintp(end)
    one, row = np.uintp(1), np.uintp(y)
    while x < last:
        if not above[x]:
            x += one
            continue
        place, begun = np.uintp(places[row, x]), x
        while x < last and above[x] and places[row, x] == place:
            x += one
        if found[place] == 0:
            touched[m] = place
            m += 1
        found[place] += np.int64(x - begun)
        n += np.int64(x - begun)
    return n, m


@njit(cache=True, nogil=True)
def _exceeds(values, threshold, i, below, j, w):
    """Whether a corner of a cell exceeds the threshold."""
    right = min(j + 1, w - 1)
    return (
        values[i, j] > threshold
        or values[i, right] > threshold
        or values[below, j] > threshold
        or values[below, right] > threshold
    )


@njit(cache=True, nogil=True)
def _by_concept(found, touched, m, members, scene, n, by_concept, seen):
    """Give the counts of the combinations to their concepts, and clear `found`; return how many concepts.

    All active pixels lie on the image's scene.
    """
    k = 0
    if scene:
        by_concept[scene] = n
        seen[0] = scene
        k = 1
    for t in range(m):
        place = touched[t]
        for kind in range(members.shape[1]):
            concept = members[place, kind]
            if concept:
                if by_concept[concept] == 0:
                    seen[k] = concept
                    k += 1
                by_concept[concept] += found[place]
        found[place] = 0
    return k


@njit(cache=True, nogil=True)
def _settle(n, by_concept, seen, k, shared, slots, enters, fitting, fits):
    """Add one unit's counts of one image to the totals, note which concepts fit, and clear `by_concept`."""
    for t in range(k):
        concept = seen[t]
        shared[concept] += by_concept[concept]
        if enters and by_concept[concept] > fits * n:
            fitting[slots[concept]] = concept
        by_concept[concept] = 0
