"""A detector whose success is measured: one unit or several, its map, and its pixels in one image.

Maps are interpolated bilinearly between their positions, as for automatic labels, so that exactly the regions
are scored by which the units got their names.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from scenelens.localization.boxes import _LayerUnits
from scenelens.networks import Axis, Network, interpolate, record

BINS = 512  # of a detector's scores
# Every fourth pixel of every fourth row is binned: still thousands per image, and ten times as fast.
# Neighbouring pixels have nearly the same score, since they are interpolated between the same positions.
_STEP = 4


class ScoredDetector(NamedTuple):
    """One unit or several, whose success as a detector of an object is to be measured.

    Not to be confused with the rules of section 4.1, which decide whether a unit counts as a detector at all.

    Attributes
    ----------
    concept : str
        The object that it is to detect.
    kind : str
        The kind of concept in the annotations, such as ``"objects"``.
    how : str
        ``"unit"``, one unit that has this name; ``"best unit"`` of the whole layer, by IoU; or ``"union"``,
        all units that have this name.
    layer : str
        The units' layer.
    units : tuple of int
        Their numbers in the layer.
    thresholds : tuple of float
        Their thresholds.
    """

    concept: str
    kind: str
    how: str
    layer: str
    units: tuple[int, ...]
    thresholds: tuple[float, ...]

    def responses(self, maps: np.ndarray) -> np.ndarray:
        """Return the detector's map: at every position, the highest response as a multiple of the threshold.

        Parameters
        ----------
        maps : numpy.ndarray
            (all units of the layer, h, w) float32, one image's maps.

        Returns
        -------
        numpy.ndarray
            (h, w) float32.
        """
        scales = np.maximum(np.array(self.thresholds, np.float32), 1e-6)  # a silent unit's threshold is 0
        return np.asarray((maps[list(self.units)] / scales[:, None, None]).max(0))

    def active_pixels(self, network: Network, frame: np.ndarray, layer: _LayerUnits) -> np.ndarray:
        """Return where the detector is active in an image; runs the network.

        Parameters
        ----------
        network : Network
            The network.
        frame : numpy.ndarray
            uint8 RGB (H, W, 3), from ``network.show_input``.
        layer : _LayerUnits
            The detector's layer.

        Returns
        -------
        numpy.ndarray
            (H, W) bool.
        """
        with record(network, self.layer) as activations:
            network(frame, framed=True)
        maps = activations[self.layer][0].float().cpu().numpy()
        return interpolate(self.responses(maps), layer.axes) > 1

    def count_pixels(
        self, maps: np.ndarray, mask: np.ndarray, layer: _LayerUnits, bins: np.ndarray
    ) -> tuple[int, int, float]:
        """Count the pixels of one image by the detector's score.

        Parameters
        ----------
        maps : numpy.ndarray
            (all units of the layer, h, w) float32, one image's maps.
        mask : numpy.ndarray
            (H, W) bool, the pixels of the object.
        layer : _LayerUnits
            The detector's layer.
        bins : numpy.ndarray
            (2, n) int64, pixels off and on the object by score; changed in place. A score z > 0, in
            thresholds, goes to bin n * z / (1 + z), rounded down, so that the threshold, z = 1, is in the
            middle. Others go to the first bin. Only every fourth pixel of every fourth row is counted here.

        Returns
        -------
        shared : int
            Active pixels on the object, counted among all pixels.
        active : int
            Active pixels, counted among all pixels.
        peak : float
            The highest score at a position of the map.
        """
        values = self.responses(maps)
        return *_count_scores(values, mask, layer.axes, bins), values.max()


def _count_scores(
    values: np.ndarray, mask: np.ndarray, axes: tuple[Axis, Axis], bins: np.ndarray, step: int = _STEP
) -> tuple[int, int]:
    """See `ScoredDetector.count_pixels`; `values` is the detector's map (h, w), in thresholds.

    >>> from scenelens.networks import Grid
    >>> bins, mask = np.zeros((2, 4), np.int64), np.array([[True, False, False]])
    >>> axes = Grid((0, 0), (1, 2)).axes((1, 2), (1, 3))
    >>> _count_scores(np.array([[3.0, 0.0]]), mask, axes, bins, step=1)
    (1, 2)
    >>> bins.tolist()
    [[1, 0, 1, 0], [0, 0, 0, 1]]
    """
    rows, columns = axes
    found = np.zeros(2, np.int64)
    values = np.ascontiguousarray(values, np.float32)
    corners = (rows.first, rows.share, columns.first, columns.share)
    _count_active(values, mask, *corners, found)
    _count_bins(values, mask, *corners, bins, step)
    return int(found[0]), int(found[1])


@njit(cache=True, nogil=True)
def _count_active(values, mask, first_y, share_y, first_x, share_x, found):
    """Count pixels above 1: `found` gets those on the object, and all.

    Between four positions no interpolated pixel exceeds the largest of them. Most cells have no corner above
    1, so one comparison each is enough.
    """
    h, w = values.shape
    for i in range(h):
        for j in range(w):
            below, right = min(i + 1, h - 1), min(j + 1, w - 1)
            a, b, c, d = values[i, j], values[i, right], values[below, j], values[below, right]
            if a <= 1 and b <= 1 and c <= 1 and d <= 1:
                continue
            for y in range(first_y[i], first_y[i + 1]):
                left, end = a * (1 - share_y[y]) + c * share_y[y], b * (1 - share_y[y]) + d * share_y[y]
                for x in range(first_x[j], first_x[j + 1]):
                    if left * (1 - share_x[x]) + end * share_x[x] > 1:
                        found[1] += 1
                        found[0] += int(mask[y, x])


@njit(cache=True, nogil=True)
def _count_bins(values, mask, first_y, share_y, first_x, share_x, bins, step):
    """Add every `step`-th pixel of every `step`-th row to `bins`; the cell (i, j) moves along with the
    pixel."""
    h, w = values.shape
    n = bins.shape[1]
    i = 0
    for y in range(0, mask.shape[0], step):
        while first_y[i + 1] <= y:
            i += 1
        below, down, j = min(i + 1, h - 1), share_y[y], 0
        for x in range(0, mask.shape[1], step):
            while first_x[j + 1] <= x:
                j += 1
            right, across = min(j + 1, w - 1), share_x[x]
            left = values[i, j] * (1 - down) + values[below, j] * down
            z = left * (1 - across) + (values[i, right] * (1 - down) + values[below, right] * down) * across
            bins[int(mask[y, x]), min(int(n * z / (1 + z)), n - 1) if z > 0 else 0] += 1
