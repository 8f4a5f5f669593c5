"""What the units of a network do on their top and middle images: their maps, from one pass over these images.

A map is stored in 255 steps of the unit's highest peak. The page lays it over the image, interpolated as
`scenelens.networks.interpolate` does it, and shows where the unit is above its threshold. The maps of the
first layers have more positions than the page has points. Of these only what is lit is stored, one bit for
each point.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scenelens.errors import SceneLensError
from scenelens.microscope.frames import _Frames
from scenelens.microscope.names import _thresholds
from scenelens.microscope.ranks import _Shown
from scenelens.networks import Network, record
from scenelens.progress import Announcer, read_ahead
from scenelens.studies import Study
from scenelens.unfinished import Unfinished

_STEPS = 255
#: Points along each side of the frame at which the page draws what is lit, as in ``microscope.js``.
_POINTS = 112
_MASK_BYTES = _POINTS * _POINTS // 8


@dataclass(frozen=True)
class _Lit:
    """Where the units of a layer are above their thresholds, at points that are spread over the frame.

    Attributes
    ----------
    rows : numpy.ndarray
        (points, h), what each row of the map contributes to each point.
    columns : numpy.ndarray
        (points, w), the same for its columns.
    thresholds : numpy.ndarray
        (units,) float.
    """

    rows: np.ndarray
    columns: np.ndarray
    thresholds: np.ndarray

    @classmethod
    def of(cls, network: Network, layer: str, thresholds: np.ndarray) -> _Lit:
        """The points of a layer.

        Parameters
        ----------
        network : Network
            The network.
        layer : str
            The layer.
        thresholds : numpy.ndarray
            (units,) float.

        Returns
        -------
        _Lit
            The same points as in the page.
        """
        grid, shape = network.grid(layer), network.layer_shape(layer)[1:]
        sides = zip(shape, network.input_size, grid.start, grid.stride, strict=True)
        rows, columns = (_point_weights(*side) for side in sides)
        return cls(rows, columns, thresholds)

    def bits(self, units: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Which points are lit.

        Parameters
        ----------
        units : numpy.ndarray
            (m,) int, the units.
        values : numpy.ndarray
            (m, h, w), their maps.

        Returns
        -------
        numpy.ndarray
            (m, bytes) uint8, one bit for each point, row by row, the first one highest.
        """
        at_points = self.rows @ values.astype(float) @ self.columns.T
        above = at_points > self.thresholds[units, None, None]
        return np.packbits(above.reshape(-1, _POINTS * _POINTS), axis=1)


def _point_weights(n: int, length: int, start: float, stride: float) -> np.ndarray:
    """What n positions contribute to each point along one side, by linear interpolation.

    >>> _point_weights(2, _POINTS, 0.0, 2.0)[:4].tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.0, 1.0]]
    """
    pixels = (np.arange(_POINTS) + 0.5) * length / _POINTS - 0.5
    place = np.clip((pixels - start) / (stride or 1), 0, n - 1)
    return np.maximum(0.0, 1 - np.abs(place[:, None] - np.arange(n)))


@dataclass
class _LayerMaps:
    """The maps of one layer's units on their top images, and then on those of the middle.

    Attributes
    ----------
    shown : numpy.ndarray
        (units, n) int, rows of the images, the one with the highest peak first.
    highest : numpy.ndarray
        (units,) float, each unit's highest peak, which is step 255.
    maps : numpy.ndarray
        (units, n, h, w) uint8, or (units, n, bytes) where only what is lit is stored.
    lit : _Lit or None
        What is lit of maps that are larger than that; None for maps that are stored.
    """

    shown: np.ndarray
    highest: np.ndarray
    maps: np.ndarray
    lit: _Lit | None = None
    _uses: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @classmethod
    def empty(
        cls, peaks: np.ndarray, shown: np.ndarray, shape: tuple[int, int], lit: _Lit | None = None
    ) -> _LayerMaps:
        """Maps of zeros, to be filled.

        Parameters
        ----------
        peaks : numpy.ndarray
            (images, units) float.
        shown : numpy.ndarray
            (units, n) int, rows of the images, the one with the highest peak first.
        shape : tuple of int
            The map's size.
        lit : _Lit, optional
            Store only what is lit (default: store the maps).

        Returns
        -------
        _LayerMaps
            The maps.
        """
        highest = np.array([peaks[rows[0], unit] if len(rows) else 0.0 for unit, rows in enumerate(shown)])
        each = shape if lit is None else (_MASK_BYTES,)
        found = cls(shown, highest, np.zeros((*shown.shape, *each), np.uint8), lit)
        for row in np.unique(shown):
            units, ranks = np.nonzero(shown == row)
            found._uses[int(row)] = units, ranks
        return found

    def steps(self, row: int, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which maps one image fills, and with what.

        Parameters
        ----------
        row : int
            The image's row.
        values : numpy.ndarray
            (units, h, w), the layer's response to it.

        Returns
        -------
        places : numpy.ndarray
            (m,) int, positions in ``maps`` when its first two axes are one.
        steps : numpy.ndarray
            (m, h, w) uint8, or (m, bytes) of what is lit.
        """
        units, ranks = self._uses.get(row, (np.zeros(0, int),) * 2)
        if self.lit is not None:
            return units * self.shown.shape[1] + ranks, self.lit.bits(units, values[units])
        scale = np.where(self.highest[units] > 0, self.highest[units], np.inf)[:, None, None]
        steps = np.clip(np.rint(_STEPS * values[units] / scale), 0, _STEPS).astype(np.uint8)
        return units * self.shown.shape[1] + ranks, steps

    def put(self, places: np.ndarray, steps: np.ndarray) -> None:
        """Fill some maps.

        Parameters
        ----------
        places : numpy.ndarray
            As from `steps`.
        steps : numpy.ndarray
            As from `steps`.
        """
        self.maps.reshape(-1, *self.maps.shape[2:])[places] = steps

    def text(self, unit: int) -> str:
        """A unit's maps in base64.

        Parameters
        ----------
        unit : int
            The unit.

        Returns
        -------
        str
            What is stored of each of the n images, one after the other.
        """
        return base64.b64encode(self.maps[unit].tobytes()).decode()


def _measure_maps(
    study: Study,
    name: str,
    frames: _Frames,
    layers: Mapping[str, tuple[np.ndarray, _Shown]],
    state: tuple[Path, str],
    progress: bool = True,
) -> dict[str, _LayerMaps]:
    """Run a network over the images that are shown of its units, and write these images.

    Parameters
    ----------
    study : Study
        The open study.
    name : str
        The network.
    frames : _Frames
        The images that it sees.
    layers : mapping of str to (numpy.ndarray, _Shown)
        Peaks and shown images of each layer.
    state : tuple of (pathlib.Path, str)
        Where unfinished work lies, and the key of all that it depends on.
    progress : bool, optional
        Whether to show a progress bar (default True).

    Returns
    -------
    dict of str to _LayerMaps
        For the layers with a map.

    Raises
    ------
    SceneLensError
        If an image cannot be read any more, or a file cannot be written.
    """
    network = study.networks[name]
    found = {
        layer: _empty_maps(study, (name, layer), peaks, shown)
        for layer, (peaks, shown) in layers.items()
        if network.layer_shape(layer)[1:] != (1, 1)
    }
    shown = [one.images() for _, one in layers.values()]
    rows = [int(row) for row in np.unique(np.concatenate(shown))] if shown else []
    begun = Unfinished(state[0], "maps", state[1])
    for _, arrays in begun.parts:
        _put(found, arrays)
    say = Announcer(progress)
    part: dict[str, list[np.ndarray]] = {}
    rows = rows[begun.done :]
    done = begun.done

    def load(number: str) -> np.ndarray:
        return frames.load(study, network, int(number))

    with say.bar(len(rows), f"{name}: images and maps") as bar:
        move = say.pace(bar, "You may stop; the next run goes on here.")
        for batch, images, skipped in read_ahead(load, [str(row) for row in rows]):
            if skipped:
                raise SceneLensError(f"an image cannot be used any more: {skipped[0][1]}")
            for layer, values in _responses(network, list(found), images).items():
                for number, one in zip(batch, values, strict=True):
                    places, steps = found[layer].steps(int(number), one)
                    part.setdefault(f"{layer}/places", []).append(places)
                    part.setdefault(f"{layer}/steps", []).append(steps)
            done += len(batch)
            move(len(batch))
            if begun.due:
                arrays = _joined(part, found)
                begun.save(done, ({}, {}), ({}, arrays))
                part = {}
    _put(found, _joined(part, found))
    return found


def _empty_maps(study: Study, place: tuple[str, str], peaks: np.ndarray, shown: _Shown) -> _LayerMaps:
    network, layer = study.networks[place[0]], place[1]
    shape, maps = network.layer_shape(layer)[1:], shown.mapped()
    if _map_bytes(*shape) == shape[0] * shape[1]:
        return _LayerMaps.empty(peaks, maps, shape)
    known = _thresholds(study, *place)
    # As in the page, half of the highest peak where no threshold was measured.
    thresholds = np.nanmax(peaks, axis=0) / 2 if known is None else np.array(known)
    return _LayerMaps.empty(peaks, maps, shape, _Lit.of(network, layer, thresholds))


def _map_bytes(high: int, wide: int) -> int:
    """How many bytes are stored of a map of this size.

    >>> _map_bytes(13, 13), _map_bytes(112, 112)
    (169, 1568)
    """
    return min(high * wide, _MASK_BYTES)


def _joined(part: dict[str, list[np.ndarray]], found: dict[str, _LayerMaps]) -> dict[str, np.ndarray]:
    """What a part of the work has found, which is put into the maps, too."""
    arrays = {key: np.concatenate(values) for key, values in part.items()}
    _put(found, arrays)
    return arrays


def _put(found: dict[str, _LayerMaps], arrays: dict[str, np.ndarray]) -> None:
    for layer, one in found.items():
        if f"{layer}/places" in arrays:
            one.put(arrays[f"{layer}/places"], arrays[f"{layer}/steps"])


def _responses(network: Any, layers: list[str], frames: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The responses of some layers to some frames, each (images, units, h, w)."""
    if not layers:
        return {}
    with torch.no_grad(), record(network, layers, keep=_as_array) as acts:
        network(np.stack(frames), framed=True)
    return dict(acts)


def _as_array(_: str, value: torch.Tensor) -> np.ndarray:
    return value.float().cpu().numpy().copy()
