"""One unit's empirical receptive field: discrepancy maps, re-centred and averaged (section 3.2 of the
paper)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from scenelens.reach import RF

TABLE = ["unit", "n_images", "size", "low", "high", "theoretical", "share", "peak", "reason"]


@dataclass(frozen=True)
class EmpiricalRF:
    """What one unit uses of the image, from its discrepancy maps.

    Attributes
    ----------
    layer, unit : whose it is.
    maps : (n, n_y, n_x) float32 discrepancy maps of the images on which the unit responds at all.
    places, peaks, centers : of each such image the peak's (row, col) in the layer's map, its height, and its
        theoretical centre (row, col) in pixels: (n, 2), (n,), (n, 2).
    images : (n,) which of the images given these are.
    input_size : (H, W) in pixels.
    occluder, stride : (height, width) of the occluder, and the distance between neighbours, in pixels.
    theoretical : what the unit could see at most.
    asked : how many images were asked for.
    """

    layer: str
    unit: int
    maps: np.ndarray
    places: np.ndarray
    peaks: np.ndarray
    centers: np.ndarray
    images: np.ndarray
    input_size: tuple[int, int]
    occluder: tuple[int, int]
    stride: int
    theoretical: RF
    asked: int

    @cached_property
    def map(self) -> np.ndarray:
        """(H, W) float32, the re-centred average; NaN where no occluder's centre came to lie in any image.

        Pixel ((H - 1) / 2, (W - 1) / 2) is the theoretical centre.
        """
        return _average(*_sums(self._moved))

    @cached_property
    def _moved(self) -> np.ndarray:
        moved = [self.recentered(n) for n in range(len(self.maps))]
        return np.stack(moved or [np.full(self.input_size, np.nan, np.float32)])

    def recentered(self, n: int) -> np.ndarray:
        """(H, W) float32: the nth image's map, moved; NaN where no occluder's centre came to lie.

        Between the centres of occluders values are interpolated bilinearly, beyond the outermost ones
        nothing is known. So a peak at the image's border leaves a part of the field unseen, and the average
        counts only what was seen.
        """
        n_y, n_x = self.maps.shape[1:]
        axes = [self._axis(0, n_y, self.centers[n, 0]), self._axis(1, n_x, self.centers[n, 1])]
        moved = axes[0] @ np.nan_to_num(self.maps[n]) @ axes[1].T
        return moved.astype(np.float32)

    def _axis(self, axis: int, n: int, center: float) -> np.ndarray:
        return _interpolation(n, self.input_size[axis], center, self.occluder[axis], self.stride)

    @cached_property
    def mask(self) -> np.ndarray:
        """(H, W) bool: where the average is at least half of its maximum."""
        return _half(self.map)

    @cached_property
    def size(self) -> float:
        """Side in pixels of the square of the same area as `mask`; NaN for a unit without a field (see
        `reason`)."""
        return _size(self.map)

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95% bootstrap interval of `size` over the images, 200 resamples; NaN with fewer than two images."""
        return self.bootstrap()

    def bootstrap(
        self, n_resamples: int = 200, seed: int = 0, confidence: float = 0.95
    ) -> tuple[float, float]:
        """The interval in which `size` lies when the images are drawn anew, with replacement."""
        n = len(self.maps)
        if n < 2 or self.reason:
            return (math.nan, math.nan)
        draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_resamples)
        sizes = [_size(_average(*_sums(self._moved[draw > 0], draw[draw > 0]))) for draw in draws]
        low, high = np.nanquantile(sizes, [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(low), float(high)

    @property
    def reason(self) -> str:
        """Why there is no field, in words; empty where there is one."""
        if not len(self.maps):
            return f"unit {self.unit} of {self.layer} is silent on all images given"
        if not np.nanmax(self.map) > 0:
            return f"no occluder changes unit {self.unit} of {self.layer} at its peaks"
        return ""

    def convergence(self) -> pd.DataFrame:
        """How the estimate settles with the number of images: for K = 1 ... n the field of the first K
        images.

        Returns
        -------
        DataFrame : n_images (K), size (pixels), similarity (correlation of its map with that of all images).
        """
        rows = []
        for k in range(1, len(self.maps) + 1):
            average = _average(*_sums(self._moved[:k]))
            rows.append((k, _size(average), _correlation(average, self.map)))
        return pd.DataFrame(rows, columns=["n_images", "size", "similarity"])

    @property
    def row(self) -> dict[str, Any]:
        """This unit's line in a table: see `rf_table`."""
        theoretical = float(np.mean(self.theoretical.size))
        values = (self.unit, len(self.maps), self.size, *self.interval, theoretical, self.size / theoretical)
        peak = float(self.peaks.max()) if len(self.peaks) else math.nan
        return dict(zip(TABLE, (*values, peak, self.reason), strict=True))


def _interpolation(n: int, length: int, center: float, occluder: int, stride: int) -> np.ndarray:
    """(length, n) weights: from values at occluders' centres to pixels of the moved axis; NaN rows where
    nothing is known."""
    pixel = np.arange(length) - (length - 1) / 2 + center
    at = (pixel - (occluder - 1) / 2) / stride
    weights = np.maximum(0.0, 1 - np.abs(at[:, None] - np.arange(n)))
    weights[(at < 0) | (at > n - 1)] = np.nan
    return weights


def _sums(moved: np.ndarray, times: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Sum over images and how many there are for each pixel, each image counted `times`."""
    times = np.ones(len(moved)) if times is None else times
    seen = ~np.isnan(moved)
    return np.tensordot(times, np.where(seen, moved, 0), 1), np.tensordot(times, seen, 1)


def _average(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums / counts).astype(np.float32)


def _half(average: np.ndarray) -> np.ndarray:
    highest = np.nanmax(average) if not np.isnan(average).all() else math.nan
    return average >= highest / 2 if highest > 0 else np.zeros(average.shape, bool)


def _size(average: np.ndarray) -> float:
    area = int(_half(average).sum())
    return math.sqrt(area) if area else math.nan


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    both = ~(np.isnan(one) | np.isnan(other))
    a, b = one[both], other[both]
    return float(np.corrcoef(a, b)[0, 1]) if a.size > 1 and a.std() > 0 and b.std() > 0 else math.nan
