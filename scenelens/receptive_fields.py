"""Receptive fields: what of the image a unit uses, measured by occlusion (section 3.2 of the paper).

A discrepancy map says for one image where occluders change a unit's response. Units respond at different
places in different images, so each map is moved until the theoretical centre of its peak lies in the middle;
the average over the unit's top images is its empirical receptive field. `scenelens.reach` says how large it
could be at most.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from scenelens.errors import SceneLensError
from scenelens.hooks import record
from scenelens.occlusion import STRIDE, Discrepancy, Occlusion, Place
from scenelens.reach import RF, theoretical_rf

if TYPE_CHECKING:
    from scenelens.networks import Network

__all__ = ["RF", "EmpiricalRF", "estimate_rf", "estimate_rfs", "rf_table", "theoretical_rf"]

N_IMAGES = 25  # K in the paper
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


def estimate_rf(
    network: Network | nn.Module,
    layer: str,
    unit: int,
    images: Sequence[np.ndarray] | Iterable[np.ndarray],
    n_images: int = N_IMAGES,
    *,
    places: Sequence[Place] | None = None,
    occluder: np.ndarray | None = None,
    stride: int = STRIDE,
    seed: int = 0,
    progress: bool = False,
) -> EmpiricalRF:
    """A unit's empirical receptive field (Figure 3; its size is what Table 2 lists).

    Parameters
    ----------
    network, layer, unit : the unit.
    images : uint8 RGB (h, w, 3) each, the unit's top images, best first, as `ActivationIndex.top_images`
        names them. Of more than `n_images` those with the highest peaks are taken.
    n_images : how many images to average over.
    places : for each image the peak's (row, col) in the layer's map, where known (the index knows it).
    occluder, stride, seed : see `scenelens.discrepancy_map`.
    progress : show a bar.

    Returns
    -------
    EmpiricalRF : `.map` (H, W), `.size` in pixels with `.interval`, `.maps`, `.centers` and more. A unit
        that responds to none of the images has size NaN and says so in `.reason`.

    Raises
    ------
    SceneLensError : no image, an unknown layer or unit.

    Notes
    -----
    K in the paper is `n_images`. Images on which the unit's peak is exactly 0 are left out (`.images` names
    those kept). Of equal peaks in one image the first in reading order counts. The size is the side of the
    square of equal area to {map >= half of its maximum}.

    Examples
    --------
    >>> net = nn.Sequential(nn.Conv2d(3, 1, 5, bias=False), nn.ReLU())
    >>> _ = nn.init.ones_(net[0].weight)
    >>> images = torch.rand(4, 3, 33, 33)
    >>> rf = estimate_rf(net, "0", 0, images, occluder=np.zeros((1, 1, 3)), stride=1)
    >>> rf.map.shape, rf.theoretical.size
    ((33, 33), 5)
    """
    occlusion = Occlusion(network, layer, occluder, stride, seed)
    return _estimate(occlusion, unit, list(images), n_images, places, progress)


def estimate_rfs(
    network: Network | nn.Module,
    layer: str,
    units: Sequence[int],
    images_of: Callable[[int], Iterable[np.ndarray]],
    n_images: int = N_IMAGES,
    *,
    stride: int = STRIDE,
    seed: int = 0,
    progress: bool = True,
) -> dict[int, EmpiricalRF]:
    """The empirical receptive fields of several units of a layer: unit -> `EmpiricalRF`.

    Parameters
    ----------
    images_of : unit -> its top images, best first; called when the unit's turn comes.
    progress : a bar, and before it about how long it will take, measured on one image.

    Other parameters are `estimate_rf`'s; `rf_table` makes a table of the result.
    """
    occlusion, found = Occlusion(network, layer, None, stride, seed), {}
    for number, unit in enumerate(tqdm(units, desc=f"fields of {layer}", unit="unit", disable=not progress)):
        images = list(images_of(unit))
        if number == 0 and progress and images:
            began = time.perf_counter()
            occlusion.of(images[0], [unit])
            minutes = (time.perf_counter() - began) * n_images * len(units) / 60
            tqdm.write(f"{len(units)} units of {layer} on {n_images} images each: about {minutes:.1f} min")
        found[unit] = _estimate(occlusion, unit, images, n_images, None, False)
    return found


def rf_table(fields: Iterable[EmpiricalRF]) -> pd.DataFrame:
    """One row per unit: unit, n_images, size and its 95% interval low and high (pixels), theoretical
    (pixels), share (size / theoretical), peak (the highest over the images), reason (why size is NaN; else
    empty)."""
    return pd.DataFrame([field.row for field in fields], columns=TABLE)


def _estimate(
    occlusion: Occlusion,
    unit: int,
    images: list,
    n_images: int,
    places: Sequence[Place] | None,
    progress: bool,
) -> EmpiricalRF:
    if not images:
        raise SceneLensError(
            "a receptive field needs images: give the unit's top images, see index.top_images."
        )
    if places is not None and len(places) != len(images):
        raise SceneLensError(f"{len(places)} places for {len(images)} images: give one (row, col) for each.")
    if len(images) > n_images:
        chosen = _highest(occlusion, unit, images, n_images)
    else:
        chosen = list(range(len(images)))
        if len(images) < n_images:
            text = f"{n_images} images were asked for and {len(images)} given: the average is over these."
            warnings.warn(text, stacklevel=3)
    found = []
    for number in tqdm(chosen, desc=f"{occlusion.layer}:{unit}", unit="image", disable=not progress):
        place = None if places is None else places[number]
        found.append((number, occlusion.of(images[number], [unit], [place])[0]))
    return _field(occlusion, unit, images[0], [one for one in found if one[1].peak != 0], n_images)


def _field(
    occlusion: Occlusion, unit: int, image: Any, found: list[tuple[int, Discrepancy]], asked: int
) -> EmpiricalRF:
    network = occlusion.network
    size = tuple(image.shape[-2:]) if isinstance(network, nn.Module) else network.input_size
    field = theoretical_rf(network, occlusion.layer, size)
    seen = [one for _, one in found]
    n_y, n_x = ((size[axis] - occlusion.occluder.shape[axis]) // occlusion.stride + 1 for axis in (0, 1))
    return EmpiricalRF(
        layer=occlusion.layer,
        unit=int(unit),
        maps=np.stack([one.map for one in seen]) if seen else np.zeros((0, n_y, n_x), np.float32),
        places=np.array([one.place for one in seen], int).reshape(-1, 2),
        peaks=np.array([one.peak for one in seen], np.float32),
        centers=np.array([field.center(*one.place) for one in seen], float).reshape(-1, 2),
        images=np.array([number for number, _ in found], int),
        input_size=size,
        occluder=occlusion.occluder.shape[:2],
        stride=occlusion.stride,
        theoretical=field,
        asked=asked,
    )


def _highest(occlusion: Occlusion, unit: int, images: list, n: int) -> list[int]:
    """Which images have a unit's n highest peaks, highest first."""
    peaks = [float(responses(occlusion.network, occlusion.layer, unit, image).max()) for image in images]
    return [int(one) for one in np.argsort(-np.array(peaks), kind="stable")[:n]]


def responses(network: Network | nn.Module, layer: str, unit: int, image: Any) -> np.ndarray:
    """One unit's responses to one image over the layer's map: float32 (h, w), (1, 1) for fully connected
    layers."""
    with torch.no_grad(), record(network, layer) as acts:
        network(
            torch.as_tensor(image, dtype=torch.float32)[None] if isinstance(network, nn.Module) else image
        )
    values = acts[layer][0]
    if not 0 <= unit < len(values):
        raise SceneLensError(f"layer {layer!r} has units 0 to {len(values) - 1}, and no unit {unit}.")
    return np.atleast_2d(values[unit].cpu().numpy())


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
