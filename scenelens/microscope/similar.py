"""Units that respond to the same images, for all units of a layer at once.

`UnitAnalysis.similar_units` answers the same question for one unit; the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scenelens.microscope.shards import _rounded
from scenelens.studies import Study

_Place = tuple[str, str]  # a network and a layer


class _Correlations:
    """Correlations of a study's units over its images.

    Parameters
    ----------
    study : Study
        The open study.
    networks : sequence of str
        The networks whose main layers are searched.
    """

    def __init__(self, study: Study, networks: Sequence[str]) -> None:
        self._study = study
        self.places = [(name, layer) for name in networks for layer in study.networks[name].main_layers()]
        self._peaks: dict[_Place, np.ndarray] = {}

    def _of(self, place: _Place) -> np.ndarray:
        if place not in self._peaks:
            self._peaks[place] = self._study.index(place[0]).peaks(place[1])
        return self._peaks[place]

    def similar(self, network: str, layer: str, n: int = 6) -> list[list[list[Any]]]:
        """The most similar units of each network, for every unit of a layer.

        Parameters
        ----------
        network : str
            The layer's network.
        layer : str
            The layer.
        n : int, optional
            How many units of each network (default 6).

        Returns
        -------
        list of list of list
            For each unit [network, layer, unit, r], network by network, the highest r first; r is the Pearson
            correlation of the two units' peaks over the images. Empty for a unit that responds equally to
            all images.
        """
        own = self._study.index(network).peaks(layer)
        found: list[list[list[Any]]] = [[] for _ in range(own.shape[1])]
        for name in dict.fromkeys(name for name, _ in self.places):
            places = [place for place in self.places if place[0] == name]
            r = np.concatenate([_pearson(own, self._of(place)) for place in places], axis=1)
            units = [(*place, unit) for place in places for unit in range(self._of(place).shape[1])]
            if (network, layer) in places:
                first = units.index((network, layer, 0))
                np.fill_diagonal(r[:, first : first + own.shape[1]], np.nan)  # a unit is similar to itself
            r = np.where(np.isfinite(r), r, -np.inf)
            for unit, order in enumerate(np.argsort(-r, axis=1, kind="stable")[:, :n]):
                found[unit] += [[*units[k], _rounded(r[unit, k], 3)] for k in order if r[unit, k] > -np.inf]
        return found


def _pearson(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Correlation of each column of one array with each of another; NaN where a column never changes.

    >>> one = np.array([[0.0, 1], [1, 1], [2, 1]], np.float32)
    >>> _pearson(one, one[::-1]).round(6).tolist()
    [[-1.0, nan], [nan, nan]]
    """
    read = ~(np.isnan(own).any(1) | np.isnan(other).any(1))
    a, b = (_standardised(one[read]) for one in (own, other))
    return np.asarray(a.T @ b)


def _standardised(values: np.ndarray) -> np.ndarray:
    centred = values.astype(float) - values.mean(0, dtype=float)
    norm = np.sqrt((centred**2).sum(0))
    # Equal float32 numbers may leave a rest of 1e-17 when their mean is taken away.
    changes = np.ptp(values, axis=0) > 0 if len(values) else np.zeros(values.shape[1], bool)
    return np.divide(centred, norm, out=np.full(centred.shape, np.nan), where=changes & (norm > 0))
