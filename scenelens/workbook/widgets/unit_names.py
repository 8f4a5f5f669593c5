"""What is known of units: the names that images and people give them, and which units never respond."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from scenelens.labels import TYPES
from scenelens.sentences import one_line, words
from scenelens.studies import Study

ANY, NAMED, DEAD = "all", "with a name", "never active"
SHOWN = (ANY, NAMED, *TYPES, DEAD)
ORDERS = ("number", "name", "IoU")
_LONGEST = 90  # characters of a line in a list


class _UnitNames:
    """The names of a study's units, as they are known without computing any: people's, and cached ones.

    Parameters
    ----------
    study : Study
        The open study.
    """

    def __init__(self, study: Study) -> None:
        table = study.known_labels()
        self._study, self._stamp = study, _stamp(study)
        self._table = table if "iou" in table else table.assign(iou=np.nan)
        self._told: dict[tuple[str, str], dict[int, str]] = {}  # of each layer

    @staticmethod
    def of(study: Study) -> _UnitNames:
        """The names of a study, read once for all widgets, and again when people have answered.

        Parameters
        ----------
        study : Study
            The open study.

        Returns
        -------
        _UnitNames
            The names.
        """
        if study not in _READ or _READ[study]._stamp != _stamp(study):
            _READ[study] = _UnitNames(study)
        return _READ[study]

    def about(self, network: str, layer: str, unit: int) -> str:
        """What a unit is called, by whom.

        Parameters
        ----------
        network : str
            The network.
        layer : str
            The layer.
        unit : int
            The unit.

        Returns
        -------
        str
            Such as 'bed (object, IoU 0.12) · Ada: lamp (object)'; '' where nobody has named it.
        """
        if (network, layer) not in self._told:
            said: dict[int, list[str]] = {}
            for row in self._layer(network, layer).itertuples():
                said.setdefault(int(row.unit), []).append(_said(row))
            self._told[network, layer] = {unit: " · ".join(names) for unit, names in said.items()}
        return self._told[network, layer].get(unit, "")

    def label(self, network: str, layer: str, unit: int) -> str:
        """A unit in a list: its number, and what it is called.

        Parameters
        ----------
        network : str
            The network.
        layer : str
            The layer.
        unit : int
            The unit.

        Returns
        -------
        str
            Such as '7 bed (object, IoU 0.12)'; at most 90 characters.
        """
        return f"{unit} {self.about(network, layer, unit)}".rstrip()[:_LONGEST]

    def find(self, network: str, layer: str, text: str, shown: str = ANY, order: str = "number") -> list[int]:
        """The units of a layer that a reader looks for.

        Parameters
        ----------
        network : str
            The network.
        layer : str
            The layer.
        text : str
            A part of the concept's name, in any case of letters; '' for any.
        shown : str, optional
            One of `SHOWN` (default all).
        order : str, optional
            One of `ORDERS` (default by number): by name from a to z, by IoU from the highest on.

        Returns
        -------
        list of int
            The units.
        """
        rows, peaks = self._layer(network, layer), self._study.index(network).peaks(layer)
        never = np.flatnonzero(~(np.nan_to_num(np.asarray(peaks, float)) > 0).any(axis=0))
        if shown == DEAD:
            return [] if text.strip() else never.tolist()
        if text.strip():
            rows = rows[rows.concept.str.casefold().str.contains(text.strip().casefold(), regex=False)]
        if shown in TYPES:
            rows = rows[rows.type == shown]
        if order == "name":
            rows = rows.sort_values("concept", kind="stable")
        if order == "IoU":
            rows = rows.sort_values("iou", ascending=False, kind="stable", na_position="last")
        units = [int(unit) for unit in dict.fromkeys(rows.unit)]
        if order == "number":
            units.sort()
        if shown != ANY or text.strip():
            return units
        rest = set(range(np.asarray(peaks).shape[1])) - set(units)
        return sorted([*units, *rest]) if order == "number" else [*units, *sorted(rest)]

    def _layer(self, network: str, layer: str) -> pd.DataFrame:
        table = self._table
        return table[(table.network == network) & (table.layer == layer)]


#: What was read of each study.
_READ: WeakKeyDictionary[Study, _UnitNames] = WeakKeyDictionary()


def _stamp(study: Study) -> int:
    """It changes when people's answers change."""
    path = study.answers.path
    return path.stat().st_mtime_ns if path.exists() else 0


def _said(row: Any) -> str:
    """One answer about a unit in words."""
    who = "" if row.source == "automatic" else f"{one_line(row.annotator)}: "
    overlap = f", IoU {row.iou:.2f}" if row.iou == row.iou else ""  # NaN is what no image has measured
    return f"{who}{words(row.concept)} ({row.type}{overlap})"
