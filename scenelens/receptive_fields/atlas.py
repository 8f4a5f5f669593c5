"""The atlas: the empirical receptive fields of a study's units, each computed once and kept.

A unit's field takes thousands of occluded images, so the workbook never computes one twice. ``make atlas``
(``python -m scenelens.receptive_fields.atlas``) goes through the units of both networks in an order drawn by lot, and can be
stopped at any time: the units held are then a fair sample of their layer. What is held is used; what is not
is computed when it is asked for, with a bar. A field counts as held only if everything it depends on is
unchanged: weights, preprocessing, images, and the way it was estimated.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from scenelens.errors import SceneLensError, close_names
from scenelens.paper import PAIR
from scenelens.progress import say_on_stderr
from scenelens.receptive_fields.network_atlas import NetworkAtlas, read_fields
from scenelens.studies import Study, shipped_folder

LIVE_IMAGES = 5  # K where no atlas comes with the study: what a laptop can do while its reader waits


def open_atlas(study: Study, n_images: int | None = None) -> Atlas:
    """The atlas of a study's scene and object network.

    Parameters
    ----------
    n_images : over how many top images a field is averaged, K in the paper. None takes what the atlas that
        comes with the study was made with, and 5 where none does.
    """
    return Atlas(study, n_images or shipped_images_per_unit(study) or LIVE_IMAGES)


class Atlas:
    """The fields of both networks; get it from `open_atlas`.

    Attributes
    ----------
    study : the study.
    n_images : K, images per field.
    parts : 'scene' and 'object' -> `NetworkAtlas`.
    """

    def __init__(self, study: Study, n_images: int) -> None:
        self.study, self.n_images = study, n_images
        self.parts = {name: NetworkAtlas(study, name, n_images) for name in PAIR if name in study.networks}

    def pairs(self) -> pd.DataFrame:
        """Which layers are compared: depth (0 is the earliest), and a column of layer names per network."""
        lists = {name: part.layers for name, part in self.parts.items()}
        count = min(len(layers) for layers in lists.values())
        table = pd.DataFrame({"depth": range(count)})
        for name, layers in lists.items():
            table[name] = [layers[k] for k in np.linspace(0, len(layers) - 1, count).round().astype(int)]
        return table

    def part(self, network: str) -> NetworkAtlas:
        """One network's atlas. SceneLensError: there is none of that name."""
        if network not in self.parts:
            near = close_names(network, self.parts)
            raise SceneLensError(f"the atlas has no network {network!r}; {near}.")
        return self.parts[network]

    def rounds(self, n: int | None = None) -> Iterable[tuple[int, str, str, int]]:
        """(round, network, layer, unit): in each round the next unit, by lot, of every layer of every
        network."""
        layers = [
            (name, layer) for row in self.pairs().to_dict("records") for name, layer in named_layers(row)
        ]
        orders = {(name, layer): self.parts[name].order(layer) for name, layer in layers}
        longest = max(len(order) for order in orders.values())
        for k in range(longest if n is None else min(n, longest)):
            for (name, layer), order in orders.items():
                if k < len(order):
                    yield k, name, layer, int(order[k])

    def grow(self, n: int | None = None, seconds: float | None = None, sure: int = 1) -> int:
        """Compute what is not held of each layer's first `n` units by lot (all without `n`), shown by a bar.

        Parameters
        ----------
        seconds : no unit is begun that would end after these, going by the last of its layer; None for no
            limit. What was computed is kept.
        sure : this many units of each layer are computed whatever the time.

        Returns
        -------
        int : how many units were computed.
        """
        todo = [one for one in self.rounds(n) if one[3] not in self.parts[one[1]].held(one[2])]
        if not todo:
            return 0
        limit = "" if seconds is None else f", for {seconds:.0f} s at most once {sure} of each layer is there"
        say_on_stderr(f"{len(todo)} receptive fields to compute on {self.n_images} images each{limit}.")
        ends = time.monotonic() + (float("inf") if seconds is None else seconds)
        took: dict[tuple[str, str], float] = {}  # of each layer's last unit, in seconds
        done = 0
        for k, network, layer, unit in tqdm(todo, desc="receptive fields", unit="unit", smoothing=0.05):
            began = time.monotonic()
            if k >= sure and began + took.get((network, layer), 0.0) > ends:
                continue  # another layer's may still fit in
            self.parts[network].field(layer, unit, progress=False)
            took[network, layer] = time.monotonic() - began
            done += 1
        return done

    def table(self) -> pd.DataFrame:
        """What is held: network, depth, layer, units (of the layer), held, n_images (K)."""
        rows = []
        for row in self.pairs().to_dict("records"):
            for name, layer in named_layers(row):
                part = self.parts[name]
                rows.append((name, row["depth"], layer, part.units(layer), len(part.held(layer))))
        columns = ["network", "depth", "layer", "units", "held"]
        return pd.DataFrame(rows, columns=columns).assign(n_images=self.n_images)

    def ship(self) -> list[Path]:
        """Write what is held beside the study's own data, one small file per layer; returns the files.

        Raises
        ------
        SceneLensError : the study does not lie in data/studies, so nothing is shipped with it; or a file
            cannot be written.
        """
        folder = shipped_folder(self.study)
        if folder is None:
            raise SceneLensError(f"study {self.study.name!r} lies outside data/studies: its atlas stays in "
                                 f"{self.study.cache / 'atlas'}.")  # fmt: skip
        return [path for part in self.parts.values() for path in part.ship(folder)]


def shipped_images_per_unit(study: Study) -> int | None:
    """K of the atlas that comes with the study, if one does."""
    folder = shipped_folder(study)
    for path in sorted(folder.glob("*.npz")) if folder else []:
        number = read_fields(path)[1].get("inputs", {}).get("n_images")
        if number:
            return int(number)
    return None


def named_layers(row: dict[Any, Any]) -> list[tuple[str, str]]:
    return [(name, layer) for name, layer in row.items() if name != "depth"]
