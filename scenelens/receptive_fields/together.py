"""Discrepancy maps of many units of one layer, measured together: units that share an image share the pass.

Two or three units of a layer have the same image among their top 25. What occluders change in the early maps
of that image is the same for all of them. So at its first use an image is occluded for all the units
that are wanted, and what the others will need is kept: in memory, and on disk until the last unit is
finished.

Which units share a pass is always the same, in whatever order units are asked for, and after a kill, too: an
image that no finished unit needed is not measured yet, and one that was measured is on disk. So the last bits
of a map, which depend on what is computed together, stay the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenelens.files import digest
from scenelens.receptive_fields.occlusion.occlude import Occlusion
from scenelens.receptive_fields.occlusion.records import Discrepancy, Place
from scenelens.unfinished import Unfinished


@dataclass(frozen=True)
class _Kept:
    """A discrepancy map without the zeros around it, and the digest of the image that it was measured on."""

    part: np.ndarray
    corner: Place
    shape: tuple[int, int]
    place: Place
    peak: float
    pixels: str

    @classmethod
    def of(cls, found: Discrepancy, pixels: str) -> _Kept:
        """Cut off the zeros: most occluders change nothing."""
        changed = found.map != 0
        spans = [np.flatnonzero(changed.any(axis)) for axis in (1, 0)]
        (top, bottom), (left, right) = ((s[0], s[-1] + 1) if len(s) else (0, 0) for s in spans)
        shape = (found.map.shape[0], found.map.shape[1])
        part = found.map[top:bottom, left:right].copy()  # a view would keep the whole map
        return cls(part, (int(top), int(left)), shape, found.place, found.peak, pixels)

    def whole(self, unit: int) -> Discrepancy:
        """The same bits as before."""
        values = np.zeros(self.shape, np.float32)
        (top, left), (height, width) = self.corner, self.part.shape
        values[top : top + height, left : left + width] = self.part
        return Discrepancy(values, unit, self.place, self.peak)


class _Together:
    """The maps of some units of a layer.

    Parameters
    ----------
    occlusion : Occlusion
        The layer.
    wanted : mapping of int to sequence of (str, tuple of int)
        Unit -> its images' names, and the place of its peak in each.
    path : pathlib.Path or None
        Where the maps so far are kept on disk; None keeps nothing.
    """

    def __init__(
        self, occlusion: Occlusion, wanted: Mapping[int, Sequence[tuple[str, Place]]], path: Path | None
    ) -> None:
        self._occlusion, self._units = occlusion, set(wanted)
        self._sharing: dict[str, list[tuple[int, Place]]] = {}  # image -> the units that need it
        for unit in sorted(wanted):
            for name, place in wanted[unit]:
                self._sharing.setdefault(name, []).append((unit, place))
        self._found: dict[tuple[str, int], _Kept] = {}
        self._new: list[tuple[str, int]] = []  # what is not on disk yet
        self._work = Unfinished(path, "maps")
        self._count = self._work.done
        for about, arrays in self._work.parts:
            self._restore(about, arrays["values"])

    @property
    def images(self) -> list[str]:
        """Names of the images that are not measured yet."""
        known = {name for name, _ in self._found}
        return [name for name in self._sharing if name not in known]

    def seconds(self, name: str, image: np.ndarray) -> float:
        """How long an image takes, by measuring it for the units that share it; nothing is kept.

        Parameters
        ----------
        name : str
            The image's name.
        image : numpy.ndarray
            uint8 (H, W, 3), the image.

        Returns
        -------
        float
            Seconds on the clock.
        """
        units, places = zip(*self._sharing[name], strict=True)
        began = time.perf_counter()
        self._occlusion.of(image, units, places)
        return time.perf_counter() - began

    def of(self, name: str, image: np.ndarray, unit: int, place: Place) -> Discrepancy:
        """One unit's map of one image; measured now with those of the other units, or there already.

        Parameters
        ----------
        name : str
            The image's name.
        image : numpy.ndarray
            uint8 (H, W, 3), the image.
        unit : int
            One of the units that are wanted.
        place : tuple of int
            (row, column) of its peak.

        Returns
        -------
        Discrepancy
            The map.
        """
        pixels = digest(repr(image.shape).encode() + image.tobytes())
        known = self._found.get((name, unit))
        if known is None or known.pixels != pixels or known.place != place:
            self._measure(name, image, pixels)
        return self._found[name, unit].whole(unit)

    def _measure(self, name: str, image: np.ndarray, pixels: str) -> None:
        units, places = zip(*self._sharing[name], strict=True)
        for found in self._occlusion.of(image, units, places):
            key = (name, found.unit)
            self._found[key] = _Kept.of(found, pixels)
            self._new.append(key)
        if self._work.due:
            self.save()

    def save(self) -> None:
        """Keep what was measured since the last time; before a unit is finished, so that its images are."""
        if not self._new:
            return
        kept = [(*key, self._found[key]) for key in self._new]
        about = [
            (name, unit, *one.corner, *one.part.shape, *one.shape, *one.place, one.peak, one.pixels)
            for name, unit, one in kept
        ]
        self._count += len(kept)
        values = np.concatenate([one.part.ravel() for _, _, one in kept])
        self._work.save(self._count, (None, {}), (about, {"values": values}))
        self._new.clear()

    def _restore(self, about: Any, values: np.ndarray) -> None:
        first = 0
        for name, unit, top, left, height, width, n_y, n_x, row, column, peak, pixels in about:
            part = values[first : first + height * width].reshape(height, width)
            first += height * width
            if unit in self._units:
                kept = _Kept(part, (top, left), (n_y, n_x), (row, column), peak, pixels)
                self._found[name, unit] = kept

    def finished(self, unit: int) -> None:
        """Forget a unit whose field is stored; after the last one nothing stays on disk.

        Parameters
        ----------
        unit : int
            The unit.
        """
        self._units.discard(unit)
        for key in [key for key in self._found if key[1] == unit]:
            del self._found[key]
        if not self._units:
            self._work.remove()
