"""One unit's empirical receptive field, how it is made from discrepancy maps, and how it is stored.

Section 3.2 of the paper moves each image's discrepancy map until the theoretical centre of the unit's peak
lies in the middle, and averages the maps. The region of at least half of the average's maximum is the field.
Its size is the side of a square of the same area.

`DiscrepancyMaps` contains the maps and computes all of this. `EmpiricalRF` is the result.

`EmpiricalRF.pack` writes the records of one layer as the bytes of one file, a few kilobytes per unit, and
`EmpiricalRF.unpack` reads them. The single images' maps would take megabytes, so they are not stored. The
average is cut to what the unit can see (beyond that it is zero), sampled at no more than 64 points along a
side, and stored in 255 steps. The region, the size and its interval are stored exactly as they were measured.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.files import UNREADABLE
from scenelens.networks import RF

_SAMPLES = 64  # of the average along one side, at most
_UNSEEN, _STEPS = 255, 254  # codes: where nothing is known, and the average's maximum
_PER_UNIT = ("average", "top", "half", "size", "interval", "peaks", "places", "images", "reason")
HALF = 0.5  # the share of the maximum at which a field is measured; the paper gives none
_COMMON = ("layer", "input_size", "occluder", "stride", "theoretical", "asked")


@dataclass(frozen=True)
class EmpiricalRF:
    """What one unit uses of the image.

    Attributes
    ----------
    layer : str
        The unit's layer.
    unit : int
        The unit's number.
    map : numpy.ndarray
        float32 (H, W), the average of the re-centred discrepancy maps. Pixel ((H - 1) / 2, (W - 1) / 2) is
        the theoretical centre. NaN where no occluder's centre came to lie in any image. Of a field that was
        stored: to about 0.2% of the maximum at the sampled points, linear between them.
    mask : numpy.ndarray
        bool (H, W), where the average is at least half of its maximum.
    size : float
        Side in pixels of the square of the same area as `mask`; NaN for a unit without a field.
    interval : tuple of float
        95% bootstrap interval of `size` over the images; NaN with fewer than two images.
    reason : str
        Why there is no field, in words; empty where there is one.
    places : numpy.ndarray
        int (n, 2), for each image on which the unit responds the peak's (row, column) in the layer's map.
    peaks : numpy.ndarray
        float32 (n,), the unit's response there.
    images : numpy.ndarray
        int (n,), which of the images given these are.
    input_size : tuple of int
        (H, W) of the images in pixels.
    occluder : tuple of int
        (height, width) of the occluder in pixels.
    stride : int
        Pixels between neighbouring occluders.
    theoretical : RF
        The theoretical receptive field: what the unit could see at most.
    asked : int
        How many images the estimate was to use.
    evidence : DiscrepancyMaps or None
        The single images' maps; None for a field that was stored.
    """

    layer: str
    unit: int
    map: np.ndarray
    mask: np.ndarray
    size: float
    interval: tuple[float, float]
    reason: str
    places: np.ndarray
    peaks: np.ndarray
    images: np.ndarray
    input_size: tuple[int, int]
    occluder: tuple[int, int]
    stride: int
    theoretical: RF
    asked: int
    evidence: DiscrepancyMaps | None = None

    def side(self, cut: float) -> float:
        """Side of the square that is as large as the region of at least a share of the average's maximum.

        Parameters
        ----------
        cut : float
            The share, in 0..1. At `HALF` the side is `size`.

        Returns
        -------
        float
            Pixels; NaN for a unit without a field.
        """
        if cut == HALF or self.reason:
            return self.size
        return math.sqrt(int((self.map >= cut / HALF * self._half_level()).sum())) or math.nan

    def _half_level(self) -> float:
        """Half of the average's maximum.

        The points at which a stored map was sampled may have missed its maximum. But the region of half of it
        was stored exactly, so the level is the one that gives the stored map a region of the same size: it
        lies between the lowest value inside and the highest outside.
        """
        if self.evidence is not None:
            return HALF * float(np.nanmax(self.map))
        known = np.sort(self.map[~np.isnan(self.map)])
        place = len(known) - min(len(known) - 1, int(self.mask.sum()))
        return float(known[place - 1 : place + 1].mean())

    @property
    def maps(self) -> np.ndarray:
        """float32 (n, n_y, n_x), each image's discrepancy map; SceneLensError for a field that was stored."""
        return self._measured().maps

    @property
    def centers(self) -> np.ndarray:
        """float (n, 2), the theoretical centre (row, column) of each image's peak in pixels; as `maps`."""
        return self._measured().centers

    def _measured(self) -> DiscrepancyMaps:
        if self.evidence is None:
            raise SceneLensError(
                f"the stored field of {self.layer}:{self.unit} has no maps of single images; "
                "`sl.estimate_rf` measures them anew."
            )
        return self.evidence

    def placed_at(self, active: np.ndarray) -> np.ndarray:
        """Place the field at every active position; what lies beyond the image is cut off.

        Parameters
        ----------
        active : numpy.ndarray
            bool (h, w), positions of the layer's map.

        Returns
        -------
        numpy.ndarray
            bool (H, W), in pixels of the image as the network sees it: the union of the placed fields.
        """
        mask = np.zeros(self.input_size, bool)
        rows, columns = (np.flatnonzero(self.mask.any(axis)) for axis in (1, 0))
        field = self.mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        corner = np.array([rows[0], columns[0]]) - (np.array(self.input_size) - 1) / 2
        for place in np.argwhere(active):
            # + 0.5 and floor: centres may lie between pixels, and round() would go to even ones
            top, left = np.floor(self.theoretical.center(*place) + corner + 0.5).astype(int)
            _stamp(mask, field, top, left)
        return mask

    @property
    def row(self) -> dict[str, Any]:
        """This unit's line in a table: unit, n_images, size, low, high, theoretical (pixels), share (size /
        theoretical), peak (the highest over the images) and reason."""
        theoretical = float(np.mean(self.theoretical.size))
        low, high = self.interval
        return {
            "unit": self.unit,
            "n_images": len(self.peaks),
            "size": self.size,
            "low": low,
            "high": high,
            "theoretical": theoretical,
            "share": self.size / theoretical,
            "peak": float(self.peaks.max()) if len(self.peaks) else math.nan,
            "reason": self.reason,
        }

    @staticmethod
    def pack(fields: Sequence[EmpiricalRF], about: dict[str, Any] | None = None) -> bytes:
        """Store fields of one layer as the bytes of one compressed .npz file.

        Parameters
        ----------
        fields : sequence of EmpiricalRF
            Fields of one layer, estimated in the same way.
        about : dict, optional
            Plain JSON values to store with them, such as what the fields depend on.

        Returns
        -------
        bytes
            The file's content.

        Raises
        ------
        SceneLensError
            If there is no field.

        Examples
        --------
        >>> EmpiricalRF.pack([])
        Traceback (most recent call last):
        ...
        scenelens.errors.SceneLensError: no receptive field to store: give at least one.
        """
        if not fields:
            raise SceneLensError("no receptive field to store: give at least one.")
        common = {name: getattr(fields[0], name) for name in _COMMON}
        reach = fields[0].theoretical
        common["theoretical"] = [reach.size, reach.stride, reach.start, *([True] if reach.whole else [])]
        asked = common["asked"] = max(field.asked for field in fields)
        arrays = [_arrays(field, asked) for field in fields]
        target = io.BytesIO()
        everything: dict[str, Any] = {
            "json": np.array(json.dumps({"about": about or {}, "common": common})),
            "unit": np.array([field.unit for field in fields], np.int32),
            **{name: np.stack([one[name] for one in arrays]) for name in _PER_UNIT},
        }
        np.savez_compressed(target, **everything)
        return target.getvalue()

    @staticmethod
    def unpack(content: bytes, source: str | Path = "the file") -> tuple[list[EmpiricalRF], dict[str, Any]]:
        """Read the bytes that `pack` made.

        Parameters
        ----------
        content : bytes
            The file's content.
        source : str or Path, optional
            What the error message names as the place of the bytes.

        Returns
        -------
        fields : list of EmpiricalRF
            The fields, without `evidence`.
        about : dict
            What was stored with them.

        Raises
        ------
        SceneLensError
            If the content is damaged or of another kind.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                notes = json.loads(str(file["json"]))
                columns = {name: file[name] for name in (*_PER_UNIT, "unit")}
            common = _common(notes["common"])
            rows = [
                {name: column[k] for name, column in columns.items()} for k in range(len(columns["unit"]))
            ]
            return [_field(common, row) for row in rows], notes["about"]
        except UNREADABLE as error:
            raise SceneLensError(f"{source} holds no receptive fields that can be read ({error}).") from None


@dataclass(frozen=True)
class DiscrepancyMaps:
    """The single images' discrepancy maps of one unit, and the field that they give.

    Attributes
    ----------
    maps : numpy.ndarray
        float32 (n, n_y, n_x), one for each image on which the unit responds.
    centers : numpy.ndarray
        float (n, 2), the theoretical centre (row, column) of each image's peak in pixels.
    input_size : tuple of int
        (H, W) of the images in pixels.
    occluder : tuple of int
        (height, width) of the occluder in pixels.
    stride : int
        Pixels between neighbouring occluders.
    """

    maps: np.ndarray
    centers: np.ndarray
    input_size: tuple[int, int]
    occluder: tuple[int, int]
    stride: int

    def field(
        self,
        layer: str,
        unit: int,
        theoretical: RF,
        *,
        places: np.ndarray,
        peaks: np.ndarray,
        images: np.ndarray,
        asked: int,
    ) -> EmpiricalRF:
        """Average the maps and measure the field.

        Parameters
        ----------
        layer : str
            The unit's layer.
        unit : int
            The unit's number.
        theoretical : RF
            Its theoretical receptive field.
        places : numpy.ndarray
            int (n, 2), the peaks' (row, column) in the layer's map.
        peaks : numpy.ndarray
            float32 (n,), the responses there.
        images : numpy.ndarray
            int (n,), which of the images given these are.
        asked : int
            How many images the estimate was to use.

        Returns
        -------
        EmpiricalRF
            The field, with these maps as its `evidence`.
        """
        return EmpiricalRF(
            layer, unit, self.average, _half(self.average), _size(self.average), self.size_interval(),
            self._reason(layer, unit), places, peaks, images, self.input_size, self.occluder, self.stride,
            theoretical, asked, self,
        )  # fmt: skip

    @cached_property
    def average(self) -> np.ndarray:
        """float32 (H, W), the average of the re-centred maps; see `EmpiricalRF.map`."""
        return _average(self._moved)

    @cached_property
    def _moved(self) -> np.ndarray:
        moved = [self.recentered(n) for n in range(len(self.maps))]
        return np.stack(moved or [np.full(self.input_size, np.nan, np.float32)])

    def recentered(self, n: int) -> np.ndarray:
        """Move one image's map until the theoretical centre of its peak lies in the middle.

        Between the centres of occluders values are interpolated linearly along each axis. Beyond the
        outermost centres nothing is known. So a peak at the image's border leaves a part of the field unseen,
        and the average counts only what was seen.

        Parameters
        ----------
        n : int
            Which image.

        Returns
        -------
        numpy.ndarray
            float32 (H, W); NaN where no occluder's centre came to lie.
        """
        # interpolation is separable: one matrix per axis does the whole map, and NaN rows spread by
        # themselves
        rows, columns = (
            _interpolation(
                self.maps.shape[1 + axis],
                self.input_size[axis],
                self.centers[n, axis],
                self.occluder[axis],
                self.stride,
            )
            for axis in (0, 1)
        )
        return (rows @ np.nan_to_num(self.maps[n]) @ columns.T).astype(np.float32)

    def size_interval(self, n_resamples: int = 200, seed: int = 0) -> tuple[float, float]:
        """95% bootstrap interval of the field's size: the images are drawn anew, with replacement.

        Parameters
        ----------
        n_resamples : int, optional
            How many times the images are drawn (default 200).
        seed : int, optional
            Seed of the draws.

        Returns
        -------
        tuple of float
            (low, high) in pixels; NaN with fewer than two images, or without a field.
        """
        n = len(self.maps)
        if n < 2 or not np.nanmax(self.average) > 0:
            return (math.nan, math.nan)
        # A resample is a row of counts, so all averages are one matrix product. Pixels that no image changed
        # never reach half of a maximum: leaving them out saves most of the work for small fields.
        draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_resamples)
        moved = self._moved.reshape(n, -1)
        moved = moved[:, np.nan_to_num(moved).max(axis=0) > 0]
        seen, moved = (~np.isnan(moved)).astype(np.float32), np.nan_to_num(moved)
        blocks = np.array_split(draws.astype(np.float32), 8)  # to stay small in memory
        areas = np.concatenate([_half_areas(some @ moved, some @ seen) for some in blocks])
        low, high = np.nanquantile(np.sqrt(areas), [0.025, 0.975])
        return float(low), float(high)

    def convergence(self) -> pd.DataFrame:
        """How the estimate settles as images are added, in their order.

        Returns
        -------
        pandas.DataFrame
            One row for each number of images: ``n_images`` (1 to n), ``size`` (pixels, of the field of the
            first n_images images), ``similarity`` (correlation of its map with that of all images).
        """
        rows = []
        for k in range(1, len(self.maps) + 1):
            average = _average(self._moved[:k])
            rows.append((k, _size(average), _correlation(average, self.average)))
        return pd.DataFrame(rows, columns=["n_images", "size", "similarity"])

    def _reason(self, layer: str, unit: int) -> str:
        if not len(self.maps):
            return f"unit {unit} of {layer} is silent on all images given"
        if not np.nanmax(self.average) > 0:
            return f"no occluder changes unit {unit} of {layer} at its peaks"
        return ""


def _stamp(mask: np.ndarray, field: np.ndarray, top: int, left: int) -> None:
    """Set the part of `mask` that `field` covers when its first pixel lies at (top, left)."""
    down, across = max(0, -top), max(0, -left)
    part = mask[max(0, top) : max(0, top + field.shape[0]), max(0, left) : max(0, left + field.shape[1])]
    part |= field[down : down + part.shape[0], across : across + part.shape[1]]


def _interpolation(n: int, length: int, center: float, occluder: int, stride: int) -> np.ndarray:
    """(length, n) weights: from values at occluders' centres to pixels of the moved axis; NaN rows where
    nothing is known."""
    pixel = np.arange(length) - (length - 1) / 2 + center
    at = (pixel - (occluder - 1) / 2) / stride
    weights = np.maximum(0.0, 1 - np.abs(at[:, None] - np.arange(n)))
    weights[(at < 0) | (at > n - 1)] = np.nan
    return weights


def _average(moved: np.ndarray) -> np.ndarray:
    """float32 (H, W), each pixel's mean over the images that saw it; NaN where none did."""
    seen, times = ~np.isnan(moved), np.ones(len(moved))
    sums, counts = (np.tensordot(times, one, 1) for one in (np.where(seen, moved, 0), seen))  # in float64
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums / counts).astype(np.float32)


def _half(average: np.ndarray) -> np.ndarray:
    """bool (H, W), where an average is at least half of its maximum."""
    highest = np.nanmax(average) if not np.isnan(average).all() else math.nan
    return average >= HALF * highest if highest > 0 else np.zeros(average.shape, bool)


def _size(average: np.ndarray) -> float:
    area = int(_half(average).sum())
    return math.sqrt(area) if area else math.nan


def _half_areas(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(resamples,) pixels of at least half of the highest average; NaN where a resample saw nothing."""
    average = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
    top = average.max(axis=1, keepdims=True)
    return np.where(top[:, 0] > 0, (average >= top / 2).sum(axis=1), np.nan)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    both = ~(np.isnan(one) | np.isnan(other))
    a, b = one[both], other[both]
    return float(np.corrcoef(a, b)[0, 1]) if a.size > 1 and a.std() > 0 and b.std() > 0 else math.nan


# ---- stored fields -------------------------------------------------------------------------------------


def _arrays(field: EmpiricalRF, asked: int) -> dict[str, np.ndarray]:
    """What is stored of one unit. Units respond to different numbers of images: NaN and -1 fill up."""
    peaks = np.full(asked, np.nan, np.float32)
    places, images = np.full((asked, 2), -1, np.int16), np.full(asked, -1, np.int16)
    n = len(field.peaks)
    peaks[:n], places[:n], images[:n] = field.peaks, field.places, field.images
    return {
        **_encoded(field),
        "size": np.array(field.size, np.float32),
        "interval": np.array(field.interval, np.float32),
        "peaks": peaks,
        "places": places,
        "images": images,
        "reason": np.array(field.reason),
    }


def _encoded(field: EmpiricalRF) -> dict[str, np.ndarray]:
    """The average in steps of its maximum, the maximum, and the region of half of it as bits."""
    lines = _lines(field.theoretical, field.occluder, field.stride, field.input_size)
    average = field.map[np.ix_(*lines)]
    top = 0.0 if field.reason else float(np.nanmax(field.map))
    codes = np.full(average.shape, _UNSEEN, np.uint8)
    seen = ~np.isnan(average)
    codes[seen] = np.rint(average[seen] / top * _STEPS) if top > 0 else 0
    return {
        "average": codes,
        "top": np.array(top, np.float32),
        "half": np.packbits(field.mask[_inside(lines)]),
    }


def _common(notes: dict[str, Any]) -> dict[str, Any]:
    pair = [tuple(value) if isinstance(value, list) else value for value in notes["theoretical"]]
    sizes = {name: tuple(notes[name]) for name in ("input_size", "occluder")}
    return {**notes, **sizes, "theoretical": RF(pair[0], pair[1], pair[2], len(pair) > 3)}


def _field(common: dict[str, Any], row: dict[str, Any]) -> EmpiricalRF:
    lines = _lines(common["theoretical"], common["occluder"], common["stride"], common["input_size"])
    n = int((row["images"] >= 0).sum())
    return EmpiricalRF(
        **common,
        unit=int(row["unit"]),
        map=_decoded(common["input_size"], lines, row["average"], float(row["top"])),
        mask=_mask(common["input_size"], lines, row["half"]),
        size=float(row["size"]),
        interval=(float(row["interval"][0]), float(row["interval"][1])),
        reason=str(row["reason"]),
        places=row["places"][:n].astype(int),
        peaks=row["peaks"][:n],
        images=row["images"][:n].astype(int),
    )


def _lines(
    theoretical: RF, occluder: tuple[int, int], stride: int, input_size: tuple[int, int]
) -> list[np.ndarray]:
    """The rows and columns of pixels at which an average is stored."""
    size = theoretical.size
    sizes = size if isinstance(size, tuple) else (size, size)
    margins = [side / 2 + stride for side in occluder]  # an occluder changes the unit when it only touches
    return [_sample_lines(sizes[k], margins[k], input_size[k]) for k in (0, 1)]


def _sample_lines(reach: float, margin: float, length: int) -> np.ndarray:
    """The pixels of one axis, `length` in all, at which an average is stored: the `reach` of the unit in the
    middle and a margin on either side, at even distances."""
    middle, half = (length - 1) / 2, math.ceil(reach / 2 + margin)
    first, last = max(0, math.floor(middle - half)), min(length - 1, math.ceil(middle + half))
    step = math.ceil((last - first + 1) / _SAMPLES)
    # the last pixel is added where the steps miss it, so that nothing has to be extrapolated
    return np.unique(np.append(np.arange(first, last + 1, step), last))


def _inside(lines: list[np.ndarray]) -> tuple[slice, slice]:
    """All pixels between the first and the last line of both axes."""
    rows, columns = lines
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _decoded(
    input_size: tuple[int, int], lines: list[np.ndarray], codes: np.ndarray, top: float
) -> np.ndarray:
    values = np.where(codes == _UNSEEN, np.nan, codes / np.float32(_STEPS) * np.float32(top))
    whole = np.zeros(input_size, np.float32)
    whole[_inside(lines)] = _between(lines[1], _between(lines[0], values).T).T
    return whole


def _mask(input_size: tuple[int, int], lines: list[np.ndarray], bits: np.ndarray) -> np.ndarray:
    whole = np.zeros(input_size, bool)
    part = whole[_inside(lines)]
    part[:] = np.unpackbits(bits, count=part.size).reshape(part.shape)
    return whole


def _between(lines: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (n, m) at n lines -> (pixels, m) at every pixel from the first line to the last, linearly."""
    pixels = np.arange(lines[0], lines[-1] + 1)
    left = np.clip(np.searchsorted(lines, pixels, side="right") - 1, 0, max(0, len(lines) - 2))
    right = np.minimum(left + 1, len(lines) - 1)
    share = ((pixels - lines[left]) / np.maximum(1, lines[right] - lines[left]))[:, None]
    # where a line is hit exactly, its neighbour does not count, known or not: 0 * NaN would be NaN
    low, high = np.where(share == 1, 0, values[left]), np.where(share == 0, 0, values[right])
    return low * (1 - share) + high * share
