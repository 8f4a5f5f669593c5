"""One unit's empirical receptive field: discrepancy maps, re-centred and averaged (section 3.2 of the
paper)."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.networks import RF

#: MERGED DOC: Receptive fields as they are kept on disk: the average and the numbers of a unit, in a few kilobytes.
#
# An `EmpiricalRF` fresh from occlusion holds every image's discrepancy map. For the atlas of all units its
# average is enough: cut to what the unit can see, sampled at no more than 64 points a side, in 255 steps. The
# region of at least half the maximum, the size and its interval are kept exactly as they were measured.
#


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


SAMPLES = 64  # of the average along one side, at most
UNSEEN, STEPS = 255, 254  # codes: where nothing is known, and the average's maximum
PER_UNIT = ("average", "top", "half", "size", "interval", "peaks", "places", "images", "reason")
_COMMON = ("layer", "input_size", "occluder", "stride", "theoretical", "asked")


@dataclass(frozen=True)
class KeptRF(EmpiricalRF):
    """An empirical receptive field read back: `map` to a few pixels, everything else as it was measured.

    It serves wherever an `EmpiricalRF` does, except for what needs the single images' maps: `recentered`,
    `bootstrap` and `convergence` say so.

    Attributes
    ----------
    kept_map : (H, W) float32; 0 beyond the unit's theoretical reach.
    kept_mask : (H, W) bool, where the average is at least half of its maximum, to the pixel.
    kept_size : pixels. kept_interval : its 95% interval. kept_reason : why there is no field, or ''.
    """

    kept_map: np.ndarray
    kept_mask: np.ndarray
    kept_size: float
    kept_interval: tuple[float, float]
    kept_reason: str

    @cached_property
    def map(self) -> np.ndarray:
        """(H, W) float32, the re-centred average; NaN where no occluder's centre came to lie in any image."""
        return self.kept_map

    @cached_property
    def mask(self) -> np.ndarray:
        """(H, W) bool: where the average is at least half of its maximum."""
        return self.kept_mask

    @cached_property
    def size(self) -> float:
        """Side in pixels of the square of equal area, from the full maps."""
        return self.kept_size

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95% bootstrap interval of `size` over the images, from the full maps."""
        return self.kept_interval

    @property
    def reason(self) -> str:
        """Why there is no field, in words; empty where there is one."""
        return self.kept_reason

    @property
    def row(self) -> dict[str, Any]:
        """This unit's line in a table: see `scenelens.receptive_fields.estimate.rf_table`."""
        return super().row | {"n_images": len(self.peaks)}

    def recentered(self, n: int) -> np.ndarray:
        """Raise SceneLensError: the single maps were not kept."""
        raise self._only_the_average()

    def bootstrap(
        self, n_resamples: int = 200, seed: int = 0, confidence: float = 0.95
    ) -> tuple[float, float]:
        """Raise SceneLensError: the single maps were not kept; `interval` was."""
        raise self._only_the_average()

    def convergence(self) -> pd.DataFrame:
        """Raise SceneLensError: the single maps were not kept."""
        raise self._only_the_average()

    def _only_the_average(self) -> SceneLensError:
        return SceneLensError(
            f"of {self.layer}:{self.unit} the average was kept and not the single maps; "
            "scenelens.estimate_rf makes them again."
        )


def pack(fields: Sequence[EmpiricalRF], about: dict[str, Any] | None = None) -> bytes:
    """Fields of one layer as the bytes of one compressed .npz file.

    Parameters
    ----------
    fields : of one layer, estimated in the same way.
    about : plain JSON values to keep beside them.

    Raises
    ------
    SceneLensError : no field.

    Examples
    --------
    >>> pack([])
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: there is no receptive field to keep.
    """
    if not fields:
        raise SceneLensError("there is no receptive field to keep.")
    common = {name: getattr(fields[0], name) for name in _COMMON}
    common["theoretical"] = [fields[0].theoretical.size, *_rest(fields[0].theoretical)]
    asked = common["asked"] = max(field.asked for field in fields)
    arrays = [_arrays(field, asked) for field in fields]
    stacked = {name: np.stack([one[name] for one in arrays]) for name in PER_UNIT}
    target = io.BytesIO()
    text = json.dumps({"about": about or {}, "common": common})
    units = np.array([field.unit for field in fields], np.int32)
    everything: dict[str, Any] = {"json": np.array(text), "unit": units, **stacked}
    np.savez_compressed(target, **everything)
    return target.getvalue()


def unpack(content: bytes, source: str | Path = "the file") -> tuple[list[KeptRF], dict[str, Any]]:
    """The fields in the bytes that `pack` made, and what was kept beside them.

    Raises
    ------
    SceneLensError : broken or foreign bytes; the sentence names `source`.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            notes = json.loads(str(file["json"]))
            columns = {name: file[name] for name in (*PER_UNIT, "unit")}
        common = _common(notes["common"])
        rows = [{name: column[k] for name, column in columns.items()} for k in range(len(columns["unit"]))]
        return [_field(common, row) for row in rows], notes["about"]
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise SceneLensError(f"{source} holds no receptive fields that can be read ({error}).") from None


def sample_lines(reach: float, margin: float, length: int) -> np.ndarray:
    """The pixels of one axis at which an average is kept: what a unit can see and a margin, at even
    distances.

    Parameters
    ----------
    reach : theoretical size along the axis. margin : beyond it on either side. length : the frame's. All in
        pixels.

    Examples
    --------
    >>> sample_lines(19, 8, 227)[[0, -1]], len(sample_lines(195, 8, 227))
    (array([ 95, 131]), 54)
    """
    middle, half = (length - 1) / 2, math.ceil(reach / 2 + margin)
    first, last = max(0, math.floor(middle - half)), min(length - 1, math.ceil(middle + half))
    step = math.ceil((last - first + 1) / SAMPLES)
    return np.unique(np.append(np.arange(first, last + 1, step), last))


def size_interval(field: EmpiricalRF, n_resamples: int = 200, seed: int = 0) -> tuple[float, float]:
    """95% bootstrap interval of a field's size over its images, in pixels: `EmpiricalRF.bootstrap`'s, from
    the same draws, but a block of resamples at a time and only where some image changed anything."""
    n = len(field.peaks)
    if isinstance(field, KeptRF) or n < 2 or field.reason:
        return field.interval
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_resamples).astype(np.float32)
    moved = np.stack([field.recentered(k) for k in range(n)]).reshape(n, -1)
    moved = moved[:, np.nan_to_num(moved).max(axis=0) > 0]
    seen, moved = (~np.isnan(moved)).astype(np.float32), np.nan_to_num(moved)
    areas = [_half_areas(some @ moved, some @ seen) for some in np.array_split(draws, 8)]
    low, high = np.nanquantile(np.sqrt(np.concatenate(areas)), [0.025, 0.975])
    return float(low), float(high)


def _half_areas(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(resamples,) pixels of at least half of the highest average; NaN where a resample saw nothing."""
    average = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    top = average.max(axis=1, keepdims=True)
    return np.where(top[:, 0] > 0, (average >= top / 2).sum(axis=1), np.nan)


def _rest(field: RF) -> list[Any]:
    return [field.stride, field.start]


def _lines(common: dict[str, Any]) -> list[np.ndarray]:
    size = common["theoretical"].size
    sizes = size if isinstance(size, tuple) else (size, size)
    margins = [side / 2 + common["stride"] for side in common["occluder"]]  # an occluder may only touch
    return [sample_lines(sizes[k], margins[k], common["input_size"][k]) for k in (0, 1)]


def _inside(lines: list[np.ndarray]) -> tuple[slice, slice]:
    """All pixels between the first and the last line of both axes."""
    rows, columns = lines
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _arrays(field: EmpiricalRF, asked: int) -> dict[str, np.ndarray]:
    """What is kept of one unit; images it does not respond to leave NaN and -1 behind."""
    kept = np.full(asked, np.nan, np.float32)
    places, images = np.full((asked, 2), -1, np.int16), np.full(asked, -1, np.int16)
    n = len(field.peaks)
    kept[:n], places[:n], images[:n] = field.peaks, field.places, field.images
    return {
        **_encoded(field),
        "size": np.array(field.size, np.float32),
        "interval": np.array(size_interval(field), np.float32),
        "peaks": kept,
        "places": places,
        "images": images,
        "reason": np.array(field.reason),
    }


def _encoded(field: EmpiricalRF) -> dict[str, np.ndarray]:
    """The average in steps of its maximum, the maximum, and the region of half of it as bits."""
    lines = _lines(
        {name: getattr(field, name) for name in ("theoretical", "occluder", "input_size", "stride")}
    )
    average = field.map[np.ix_(*lines)]
    top = 0.0 if field.reason else float(np.nanmax(field.map))
    codes = np.full(average.shape, UNSEEN, np.uint8)
    seen = ~np.isnan(average)
    codes[seen] = np.rint(average[seen] / top * STEPS) if top > 0 else 0
    return {
        "average": codes,
        "top": np.array(top, np.float32),
        "half": np.packbits(field.mask[_inside(lines)]),
    }


def _common(notes: dict[str, Any]) -> dict[str, Any]:
    pair = [tuple(value) if isinstance(value, list) else value for value in notes["theoretical"]]
    sizes = {name: tuple(notes[name]) for name in ("input_size", "occluder")}
    return {**notes, **sizes, "theoretical": RF(*pair)}


def _field(common: dict[str, Any], row: dict[str, Any]) -> KeptRF:
    n = int((row["images"] >= 0).sum())
    places = row["places"][:n].astype(int)
    centers = np.array([common["theoretical"].center(*place) for place in places], float).reshape(-1, 2)
    return KeptRF(
        **common,
        unit=int(row["unit"]),
        maps=np.zeros((0, 1, 1), np.float32),
        places=places,
        peaks=row["peaks"][:n],
        centers=centers,
        images=row["images"][:n].astype(int),
        kept_map=_decoded(common, row["average"], float(row["top"])),
        kept_mask=_mask(common, row["half"]),
        kept_size=float(row["size"]),
        kept_interval=(float(row["interval"][0]), float(row["interval"][1])),
        kept_reason=str(row["reason"]),
    )


def _decoded(common: dict[str, Any], codes: np.ndarray, top: float) -> np.ndarray:
    values = np.where(codes == UNSEEN, np.nan, codes / np.float32(STEPS) * np.float32(top))
    whole, lines = np.zeros(common["input_size"], np.float32), _lines(common)
    whole[_inside(lines)] = _between(lines[1], _between(lines[0], values).T).T
    return whole


def _mask(common: dict[str, Any], bits: np.ndarray) -> np.ndarray:
    whole = np.zeros(common["input_size"], bool)
    part = whole[_inside(_lines(common))]
    part[:] = np.unpackbits(bits, count=part.size).reshape(part.shape)
    return whole


def _between(lines: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (n, m) at n lines -> (pixels, m) at every pixel from the first line to the last, linearly."""
    pixels = np.arange(lines[0], lines[-1] + 1)
    left = np.clip(np.searchsorted(lines, pixels, side="right") - 1, 0, max(0, len(lines) - 2))
    right = np.minimum(left + 1, len(lines) - 1)
    share = ((pixels - lines[left]) / np.maximum(1, lines[right] - lines[left]))[:, None]
    # where a line is hit exactly, its neighbour does not count, known or not
    low, high = np.where(share == 1, 0, values[left]), np.where(share == 0, 0, values[right])
    return low * (1 - share) + high * share
