"""Which units of each layer respond most to an image, for the page of the image.

Peaks of different units cannot be compared: one unit's 3 is another's maximum. So units are ordered by the
share of all images to which they respond less than to this one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scenelens.microscope.shards import _rounded

#: Images whose units lie in one script.
BLOCK = 200


def _below(peaks: np.ndarray) -> np.ndarray:
    """For each image and unit, the share of the images with a lower peak.

    Parameters
    ----------
    peaks : numpy.ndarray
        (images, units) float; NaN for images that could not be read.

    Returns
    -------
    numpy.ndarray
        (images, units) float, 0..1; NaN where the peak is. Equal peaks have equal shares.

    Examples
    --------
    >>> _below(np.array([[1.0], [3.0], [1.0], [2.0]]))[:, 0].tolist()
    [0.0, 0.75, 0.0, 0.5]
    """
    read = ~np.isnan(peaks).any(1)
    found = np.full(peaks.shape, np.nan)
    for unit in range(peaks.shape[1]):
        own = peaks[read, unit]
        found[read, unit] = np.searchsorted(np.sort(own), own) / max(len(own), 1)
    return found


def _responding(peaks: np.ndarray, places: np.ndarray, n: int = 3) -> list[list[list[Any]]]:
    """The units of a layer that respond most to each image.

    Parameters
    ----------
    peaks : numpy.ndarray
        (images, units) float.
    places : numpy.ndarray
        (images, units, 2) int, row and column of the peak in the layer's map.
    n : int, optional
        How many units (default 3).

    Returns
    -------
    list of list of list
        For each image [unit, peak, row, column, share of the images with a lower peak]; of units with equal
        shares first the one whose peak is nearest to its own maximum. Units that do not respond are left out.
    """
    below = _below(peaks)
    with np.errstate(invalid="ignore", divide="ignore"):
        nearness = np.nan_to_num(peaks / np.nanmax(peaks, axis=0), nan=-1.0, posinf=-1.0, neginf=-1.0)
    found = []
    for k in range(len(peaks)):
        order = np.lexsort((-nearness[k], -np.nan_to_num(below[k], nan=-1.0)))[:n]
        kept = [unit for unit in order if peaks[k, unit] > 0]
        found.append(
            [
                [
                    int(unit),
                    _rounded(peaks[k, unit], 3),
                    *map(int, places[k, unit]),
                    _rounded(below[k, unit], 4),
                ]
                for unit in kept
            ]
        )
    return found
