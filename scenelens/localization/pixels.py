"""A detector's pixels in one picture: where it fires, and how its scores are distributed.

Maps are interpolated bilinearly between their positions, as automatic labels do it: what is judged is what
was named.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from scenelens.networks import Axis, Network, interpolate, map_axes, record

BINS = 512
STEP = 4  # every fourth pixel of every fourth row is binned: thousands an image, and ten times as fast


def fires(
    network: Network,
    layer: str,
    units: Sequence[int],
    thresholds: Sequence[float] | np.ndarray,
    frame: np.ndarray,
) -> np.ndarray:
    """Where a detector fires in one picture: bool (H, W).

    Parameters
    ----------
    thresholds : of the same units. frame : uint8 RGB (H, W, 3), from `network.show_input`.
    """
    with record(network, layer) as acts:
        network(frame, framed=True)
    scales = np.maximum(np.asarray(thresholds, np.float32), 1e-6)
    values = (acts[layer][0].float().cpu().numpy()[list(units)] / scales[:, None, None]).max(0)
    return interpolate(values, map_axes(network, layer)) > 1.0


def count_scores(
    values: np.ndarray, mask: np.ndarray, axes: tuple[Axis, Axis], bins: np.ndarray, step: int = STEP
) -> tuple[int, int]:
    """Add one image's pixels to a detector's bins, and count those that fire.

    Parameters
    ----------
    values : (h, w) float32, responses as multiples of the threshold. mask : (H, W) bool, the object.
    axes : of rows and columns. bins : (2, n) int64, off and on the object; a score z > 0 goes to bin
        n * z / (1 + z), rounded down, so that the threshold is the middle; 0 and less go to the first.
    step : only every so many rows and columns are binned; all are looked at for what fires.

    Returns
    -------
    (shared, active) : firing pixels on the object, and all firing ones.

    Examples
    --------
    >>> from scenelens.networks.grid import axis
    >>> bins, mask = np.zeros((2, 4), np.int64), np.array([[True, False, False]])
    >>> count_scores(np.array([[3.0, 0.0]]), mask, (axis(1, 1, 0, 1), axis(2, 3, 0, 2)), bins, step=1)
    (1, 2)
    >>> bins.tolist()
    [[1, 0, 1, 0], [0, 0, 0, 1]]
    """
    rows, columns = axes
    found = np.zeros(2, np.int64)
    values = np.ascontiguousarray(values, np.float32)
    corners = (rows.first, rows.share, columns.first, columns.share)
    _count_firing(values, mask, *corners, found)
    _count_bins(values, mask, *corners, bins, step)
    return int(found[0]), int(found[1])


@njit(cache=True, nogil=True)
def _count_firing(values, mask, first_y, share_y, first_x, share_x, found):
    """Pixels above 1, on the object and in all. Most cells have no corner above 1, so no pixel either."""
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
