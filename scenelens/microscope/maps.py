"""What the units of a network do on their top images: their maps, from one pass over these images.

A map is stored in 255 steps of the unit's highest peak. The page lays it over the image, interpolated as
`scenelens.networks.interpolate` does it, and shows where the unit is above its threshold.
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
from scenelens.microscope.ranks import _Shown
from scenelens.networks import record
from scenelens.progress import Announcer, read_ahead
from scenelens.studies import Study
from scenelens.unfinished import Unfinished

_STEPS = 255


@dataclass
class _LayerMaps:
    """The maps of one layer's units on their top images.

    Attributes
    ----------
    top : numpy.ndarray
        (units, n) int, rows of the images.
    highest : numpy.ndarray
        (units,) float, each unit's highest peak, which is step 255.
    maps : numpy.ndarray
        (units, n, h, w) uint8.
    """

    top: np.ndarray
    highest: np.ndarray
    maps: np.ndarray
    _uses: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @classmethod
    def empty(cls, peaks: np.ndarray, top: np.ndarray, shape: tuple[int, int]) -> _LayerMaps:
        """Maps of zeros, to be filled.

        Parameters
        ----------
        peaks : numpy.ndarray
            (images, units) float.
        top : numpy.ndarray
            (units, n) int, rows of the images.
        shape : tuple of int
            The map's size.

        Returns
        -------
        _LayerMaps
            The maps.
        """
        highest = np.array([peaks[rows[0], unit] if len(rows) else 0.0 for unit, rows in enumerate(top)])
        found = cls(top, highest, np.zeros((*top.shape, *shape), np.uint8))
        for row in np.unique(top):
            units, ranks = np.nonzero(top == row)
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
            (m, h, w) uint8.
        """
        units, ranks = self._uses.get(row, (np.zeros(0, int),) * 2)
        scale = np.where(self.highest[units] > 0, self.highest[units], np.inf)[:, None, None]
        steps = np.clip(np.rint(_STEPS * values[units] / scale), 0, _STEPS).astype(np.uint8)
        return units * self.top.shape[1] + ranks, steps

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
            n times h times w bytes.
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
        layer: _LayerMaps.empty(peaks, shown.top, network.layer_shape(layer)[1:])
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
