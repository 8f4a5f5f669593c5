"""Receptive fields as they are kept on disk: the average and the numbers of a unit, in a few kilobytes.

An `EmpiricalRF` fresh from occlusion holds every image's discrepancy map. For the atlas of all units its
average is enough: cut to what the unit can see, sampled at no more than 64 points a side, in 255 steps. The
region of at least half the maximum, the size and its interval are kept exactly as they were measured.
"""

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
from scenelens.reach import RF
from scenelens.receptive_fields import EmpiricalRF

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
        """This unit's line in a table: see `scenelens.receptive_fields.rf_table`."""
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
