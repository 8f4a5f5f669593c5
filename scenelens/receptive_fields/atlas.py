"""The atlas: the empirical receptive fields of a study's units, each computed once and cached.

A unit's field takes thousands of occluded images, so the workbook never computes one twice. ``make atlas``
(``scenelens atlas``) measures the units of both networks in random order and can be stopped
at any time: the units measured by then are a fair sample of their layer. What is cached is used; what is not
is computed when it is needed, with a progress bar. A cached field is valid only if everything it depends on
is unchanged: weights, preprocessing, images, and the way it was estimated.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from scenelens.caches import read_cached
from scenelens.errors import SceneLensError, close_names
from scenelens.installation import HERE
from scenelens.progress import say_on_stderr
from scenelens.receptive_fields.field import EmpiricalRF
from scenelens.receptive_fields.network_atlas import _NetworkAtlas
from scenelens.studies import Study

_LONGEST = 240.0  # seconds that one unit may take in a notebook, by estimate; a cell may run for ten minutes
_LIVE_IMAGES = 5  # K where no atlas comes with the study: what a laptop can do while its reader waits


def open_atlas(study: Study, n_images: int | None = None, default: int = _LIVE_IMAGES) -> Atlas:
    """Open the atlas of a study's trained networks.

    Parameters
    ----------
    study : Study
        An open study.
    n_images : int, optional
        How many top images a field is averaged over, K in the paper. By default as many as for the atlas that
        comes with the study.
    default : int, optional
        That number where no atlas comes with the study (default 5).

    Returns
    -------
    Atlas
        The atlas; nothing is computed yet.
    """
    return Atlas(study, n_images or _shipped_images(study) or default)


class Atlas:
    """The empirical receptive fields of a study's networks; get it from `open_atlas`.

    Parameters
    ----------
    study : Study
        An open study.
    n_images : int
        How many top images a field is averaged over, K in the paper.

    Attributes
    ----------
    parts : dict
        Network's name -> `_NetworkAtlas`, of the trained networks: `StudyNetworks.compared`.
    """

    def __init__(self, study: Study, n_images: int) -> None:
        self.study, self.n_images = study, n_images
        self.parts = {name: _NetworkAtlas(study, name, n_images) for name in study.networks.compared}

    def pairs(self) -> pd.DataFrame:
        """Which layers are compared.

        Returns
        -------
        pandas.DataFrame
            One row for each depth: ``depth`` (0 is the earliest layer), and a column of layer names for each
            network.
        """
        lists = {name: part.layers for name, part in self.parts.items()}
        count = min(len(layers) for layers in lists.values())
        table = pd.DataFrame({"depth": range(count)})
        for name, layers in lists.items():
            # the longer list is thinned evenly, so that both begin and end at their first and last layer
            table[name] = [layers[k] for k in np.linspace(0, len(layers) - 1, count).round().astype(int)]
        return table

    def example_layer(self, network: str) -> str:
        """A layer to look at first: the second one compared, or the first where that one would take long.

        Parameters
        ----------
        network : str
            A network of the atlas.

        Returns
        -------
        str
            The layer's name.

        Raises
        ------
        SceneLensError
            If the atlas has no such network; CannotAnswerError, too, where the study could have it.
        """
        part = self.part(network)
        first, *more = map(str, self.pairs()[network].iloc[:2])
        quick = [layer for layer in more if part.estimate(layer, n_images=25) <= _LONGEST]
        return quick[0] if quick else first

    def layers(self) -> list[tuple[int, str, str]]:
        """The layers that are compared, one by one.

        Returns
        -------
        list of tuple
            (depth, network, layer), by depth and then by network.
        """
        rows = self.pairs().to_dict("records")
        return [(int(row["depth"]), name, str(row[name])) for row in rows for name in self.parts]

    def part(self, network: str) -> _NetworkAtlas:
        """One network's atlas.

        Parameters
        ----------
        network : str
            A trained network of the study.

        Returns
        -------
        _NetworkAtlas
            Its part of the atlas.

        Raises
        ------
        SceneLensError
            If the atlas has no such network; CannotAnswerError, too, where the study could have it.
        """
        _ = self.study.networks[network]
        if network not in self.parts:
            near = close_names(network, self.parts)
            raise SceneLensError(f"the atlas has no network {network!r}; {near}.")
        return self.parts[network]

    def grow(self, n: int | None = None, seconds: float | None = None, sure: int = 1) -> int:
        """Compute the fields that are missing, with a progress bar.

        Parameters
        ----------
        n : int, optional
            Only each layer's first `n` units in random order; by default all.
        seconds : float, optional
            Begin no unit that would end later than this, judged by the time of its layer's last unit; by
            default there is no limit. What was computed is cached.
        sure : int, optional
            This many units of each layer are computed whatever the time (default 1), unless a limit is given
            and one unit would take longer than four minutes: such layers are left out, and named on stderr.

        Returns
        -------
        int
            How many units were computed.
        """
        cached = {(name, layer): self.parts[name].cached(layer) for _, name, layer in self.layers()}
        todo = [one for one in self._rounds(n) if one[3] not in cached[one[1], one[2]]]
        if seconds is not None:
            todo = self._without_slow_layers(todo, cached)
        if not todo:
            return 0
        limit = "" if seconds is None else f", for {seconds:.0f} s at most once {sure} of each layer is there"
        say_on_stderr(f"{len(todo)} receptive fields to compute on {self.n_images} images each{limit}.")
        ends = time.monotonic() + (float("inf") if seconds is None else seconds)
        took: dict[tuple[str, str], float] = {}  # of each layer's last unit, in seconds
        together = self._together(todo)
        done = 0
        for k, network, layer, unit in tqdm(todo, desc="receptive fields", unit="unit", smoothing=0.05):
            began = time.monotonic()
            if k >= sure and began + took.get((network, layer), 0.0) > ends:
                continue  # no break: another layer's unit is faster, and may still fit in
            self.parts[network].field(layer, unit, progress=False, together=together[network, layer])
            took[network, layer] = time.monotonic() - began
            done += 1
        return done

    def _together(self, todo: list[Any]) -> dict[tuple[str, str], Any]:
        """The units of each layer, to be measured together."""
        units: dict[tuple[str, str], list[int]] = {}
        for _, network, layer, unit in todo:
            units.setdefault((network, layer), []).append(unit)
        return {
            (name, layer): self.parts[name].together(layer, some) for (name, layer), some in units.items()
        }

    def _without_slow_layers(self, todo: list[Any], cached: dict[Any, Any]) -> list[Any]:
        """Leave out layers of which no unit is there and one would take longer than a cell should."""
        empty = {(network, layer) for _, network, layer, _ in todo if not cached[network, layer]}
        slow = {
            one: took for one in sorted(empty) if (took := self.parts[one[0]].estimate(one[1])) > _LONGEST
        }
        for (network, layer), took in slow.items():
            say_on_stderr(
                f"A unit of {layer} of the {network} network would take about {took / 60:.0f} minutes, so "
                f"this layer is left out; {HERE.call('atlas')} measures it."
            )
        return [one for one in todo if one[1:3] not in slow]

    def _rounds(self, n: int | None = None) -> Iterable[tuple[int, str, str, int]]:
        """(round, network, layer, unit): in each round the next unit of every layer of every network.

        Round by round, not layer by layer, so that all layers have equally many units when the work stops.
        """
        orders = {(name, layer): self.parts[name].order(layer) for _, name, layer in self.layers()}
        longest = max(len(order) for order in orders.values())
        for k in range(longest if n is None else min(n, longest)):
            for (name, layer), order in orders.items():
                if k < len(order):
                    yield k, name, layer, int(order[k])

    def table(self) -> pd.DataFrame:
        """How many units of each layer have been measured.

        Returns
        -------
        pandas.DataFrame
            One row per layer and network: ``network``, ``depth``, ``layer``, ``units`` (of the layer),
            ``cached`` (units measured), ``n_images`` (K).
        """
        rows = []
        for depth, name, layer in self.layers():
            part = self.parts[name]
            rows.append((name, depth, layer, part.units(layer), len(part.cached(layer))))
        columns = ["network", "depth", "layer", "units", "cached"]
        return pd.DataFrame(rows, columns=columns).assign(n_images=self.n_images)

    def ship(self) -> list[Path]:
        """Write the cached fields next to the study's own data, one small file per layer.

        Returns
        -------
        list of Path
            The files written.

        Raises
        ------
        SceneLensError
            If the study does not lie in data/studies, so that nothing is shipped with it, or if a file cannot
            be written.
        """
        folder = self.study.shipped_folder
        if folder is None:
            cache = self.study.cache / "atlas"
            raise SceneLensError(
                f"study {self.study.name!r} lies outside data/studies: its atlas stays in {cache}."
            )
        return [path for part in self.parts.values() for path in part.ship(folder)]


def _shipped_images(study: Study) -> int | None:
    """K of the atlas that comes with the study, if one does."""
    folder = study.shipped_folder
    for path in sorted(folder.glob("*.npz")) if folder else []:
        found = read_cached(path, EmpiricalRF.unpack, aside=False, checksum=True)
        number = found[1].get("inputs", {}).get("n_images") if found else None
        if number:
            return int(number)
    return None
