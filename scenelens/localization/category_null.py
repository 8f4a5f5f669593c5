"""What the scene alone would give: how often boxes would be right on other images of the same category.

A unit that knows kitchens, and where in a kitchen the stove usually stands, is often right about stoves
without having seen one. So a box is also compared with the annotations of the *other* images of its category,
at the same place. What it gets right there it owes to the category. Only what it gets right beyond that share
is evidence of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scenelens.localization.boxes import LabelledUnits
from scenelens.localization.truth import ImageConcepts


class _CategoryNull:
    """Counts, for each category, on how many images a concept shows in each cell.

    Parameters
    ----------
    units : LabelledUnits
        The units whose concepts and layers count.

    Attributes
    ----------
    pairs : list of tuple of str
        The (concept, kind) pairs of the units, each once.
    pair_of : numpy.ndarray
        (n,) int64, for each row of ``units.table`` its number in `pairs`.
    """

    def __init__(self, units: LabelledUnits) -> None:
        self.units, table = units, units.table
        tags = list(zip(table.concept, table.kind, strict=True))
        numbers = {pair: k for k, pair in enumerate(dict.fromkeys(tags))}
        self.pairs = list(numbers)
        self.pair_of = np.array([numbers[tag] for tag in tags], np.int64)
        self._shown: dict[str, dict[str, np.ndarray]] = {}
        self._known: dict[str, np.ndarray] = {}

    def add(self, category: str, concepts: ImageConcepts) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Count one image.

        Parameters
        ----------
        category : str
            Its scene category; '' where it has none, which is not counted.
        concepts : ImageConcepts
            What it shows.

        Returns
        -------
        known : numpy.ndarray
            (pairs,) bool, whether the image's annotators would have named the concept.
        shown : dict of str to numpy.ndarray
            Layer -> (pairs, h, w) bool, whether the concept shows in the cell of each position.
        """
        known = np.array([concepts.in_vocabulary(concept) for concept, _ in self.pairs], bool)
        shown = {layer: concepts.in_cells(self.pairs, *one.cells) for layer, one in self.units.layers.items()}
        if category:
            if category not in self._shown:
                self._shown[category] = {layer: one.astype(np.int32) * 0 for layer, one in shown.items()}
                self._known[category] = np.zeros(len(self.pairs), np.int32)
            self._known[category] += known
            for layer, one in shown.items():
                self._shown[category][layer] += one & known[:, None, None]
        return known, shown

    def shares(
        self, categories: np.ndarray, rows: np.ndarray, places: np.ndarray, right: np.ndarray
    ) -> np.ndarray:
        """Return how often boxes would be right on the other images of their image's category.

        Parameters
        ----------
        categories : numpy.ndarray
            (n,) str, the category of each box's image.
        rows : numpy.ndarray
            (n,) int64, each box's row of ``units.table``.
        places : numpy.ndarray
            (n, 2) int64, (row, column) of its strongest position in the layer's map.
        right : numpy.ndarray
            (n,) bool, whether the box is right on its own image, which does not count here.

        Returns
        -------
        numpy.ndarray
            (n,) float64 in 0..1; NaN where no other image of the category was counted.
        """
        found, pairs = np.full(len(rows), np.nan), self.pair_of[rows]
        for category, known in self._known.items():
            here = categories == category
            for layer, one in self.units.layers.items():
                own = np.flatnonzero(here & np.isin(rows, one.rows))
                number, (y, x), others = pairs[own], places[own].T, known[pairs[own]] - 1
                hits = self._shown[category][layer][number, y, x] - right[own]
                found[own[others > 0]] = hits[others > 0] / others[others > 0]
        return found

    def state(self) -> tuple[list[str], dict[str, np.ndarray]]:
        """Return all that was counted, for `restore`.

        Returns
        -------
        categories : list of str
            Those counted so far.
        arrays : dict of str to numpy.ndarray
            Their counts.
        """
        arrays: dict[str, np.ndarray] = {}
        for k, category in enumerate(self._shown):
            arrays[f"known {k}"] = self._known[category]
            arrays |= {f"shown {k} {layer}": one for layer, one in self._shown[category].items()}
        return list(self._shown), arrays

    def restore(self, categories: Sequence[str], arrays: Mapping[str, Any]) -> None:
        """Take over what was counted before.

        Parameters
        ----------
        categories : sequence of str
            What `state` returned first.
        arrays : mapping of str to numpy.ndarray
            What `state` returned second; other entries are left alone.
        """
        for k, category in enumerate(categories):
            self._known[category] = arrays[f"known {k}"].copy()
            self._shown[category] = {
                layer: arrays[f"shown {k} {layer}"].copy() for layer in self.units.layers
            }
