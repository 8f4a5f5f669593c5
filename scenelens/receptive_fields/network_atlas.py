"""One network's part of the atlas: the fields of its units that are held, and when they count as true.

A field depends on weights, preprocessing, images, and the way it was estimated. All of it goes into the key
under which the field is kept; that the images' pixels are the same, too, shows in the unit's peaks.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scenelens import paper
from scenelens.errors import SceneLensError
from scenelens.files import digest, replace_file, stable_text
from scenelens.networks import Network, row_grid
from scenelens.progress import say_on_stderr
from scenelens.receptive_fields.estimate import estimate_rf
from scenelens.receptive_fields.field import EmpiricalRF, pack, unpack
from scenelens.receptive_fields.occlusion.occlude import SIZE, STRIDE
from scenelens.studies import Study, shipped_folder

METHOD = 1  # raise it when the way a field is estimated changes its numbers
PEAKS_AGREE = 0.01  # relative; the last digits of a response differ between machines

#: How each thing a field depends on is spoken of when it changed.
SPOKEN = {
    "method": "the way fields are estimated",
    "architecture": "the network's architecture",
    "weights": "the network's weights",
    "preprocessing": "the preprocessing",
    "images": "the images",
    "n_images": "the number of images per unit",
    "occluder": "the occluder",
}


def atlas_layers(network: Network) -> list[str]:
    """The layers whose units the atlas holds: Table 2's where the network has them, else four main layers
    that have a map and a known theoretical field, early ones first."""
    table = network.layers.set_index("layer")
    if set(paper.RF_SIZES) <= set(table.index):
        return list(paper.RF_SIZES)
    usable = [layer for layer in network.main_layers(6) if row_grid(table.loc[layer])]
    places = np.linspace(0, len(usable) - 1, min(4, len(usable))).round().astype(int)
    return [usable[k] for k in places]


class NetworkAtlas:
    """The fields of one network's units.

    Attributes
    ----------
    layers : the layers the atlas goes through; `field` serves any layer with a map.
    inputs : everything a field depends on, plain JSON.
    """

    def __init__(self, study: Study, name: str, n_images: int) -> None:
        self.study, self.name, self.n_images = study, name, n_images
        self.network = study.networks[name]
        self.layers = atlas_layers(self.network)
        self._held: dict[str, dict[int, EmpiricalRF]] = {}

    @functools.cached_property
    def inputs(self) -> dict[str, Any]:
        """Everything a field depends on. Images count by their names here; that their pixels are the same
        shows in the peaks of each unit, which are compared when a field is read."""
        network = self.network
        return {
            "method": METHOD,
            "architecture": digest(repr(network.module)),
            "weights": str(network.weights_hash),
            "preprocessing": digest(stable_text(network.preprocessing)),
            "images": digest(json.dumps(list(self.study.images["image"]))),
            "n_images": self.n_images,
            "occluder": [SIZE, STRIDE, 0],  # side and stride in pixels, seed of the noise
        }

    @property
    def folder(self) -> Path:
        """Where this network's fields are kept, one small file per unit."""
        key = hashlib.sha256(json.dumps(self.inputs, sort_keys=True).encode()).hexdigest()
        return self.study.cache / "atlas" / f"{self.name}-{key[:16]}"

    def units(self, layer: str) -> int:
        """How many units a layer has."""
        return self.network.layer_shape(layer)[0]

    def order(self, layer: str) -> np.ndarray:
        """The layer's units in the order in which the atlas takes them: by lot, always the same."""
        return np.random.default_rng(0).permutation(self.units(layer))

    def example(self, layer: str) -> int:
        """The first unit by lot that responds to any image; the first of all where none does."""
        highest = np.nanmax(self.study.index(self.name).peaks(layer), axis=0)
        order = self.order(layer)
        return int(next((unit for unit in order if highest[unit] > 0), order[0]))

    def held(self, layer: str) -> dict[int, EmpiricalRF]:
        """Unit -> field, of all that are held and still true."""
        if layer not in self._held:
            self.units(layer)  # an unknown layer is told
            found = [*self._shipped(layer), *self._cached(layer)]
            true = self._true(layer, found) if found else []
            self._held[layer] = {field.unit: field for field in true}
        return self._held[layer]

    def sample(self, layer: str) -> list[EmpiricalRF]:
        """The fields held of the layer's first units by lot, up to the first that is missing: a fair sample,
        whichever units a reader looked at besides."""
        held, fields = self.held(layer), []
        for unit in self.order(layer):
            if int(unit) not in held:
                break
            fields.append(held[int(unit)])
        return fields

    def field(self, layer: str, unit: int, progress: bool = True) -> EmpiricalRF:
        """A unit's field: the one held, or else computed now (with a bar) and kept.

        Raises
        ------
        SceneLensError : no such layer or unit, or the disk is full.
        """
        held = self.held(layer)
        if unit not in held:
            content = pack([self.compute(layer, unit, progress)], {"inputs": self.inputs})
            replace_file(self.folder / layer / f"{unit}.npz", content)
            held[unit] = unpack(content)[0][0]  # the same for whoever asks first and later
        return held[unit]

    def compute(
        self, layer: str, unit: int, progress: bool = True, n_images: int | None = None
    ) -> EmpiricalRF:
        """A unit's field computed anew, with the single images' maps; nothing is kept."""
        top = self.study.index(self.name).top_images(layer, unit, n_images or self.n_images)
        top = top[top["peak"] != 0] if (top["peak"] != 0).any() else top[:1]  # a silent unit: one look
        images = [self.study.load_image(image) for image in top["image"]]
        places = [(int(row), int(col)) for row, col in zip(top["row"], top["col"], strict=True)]
        return estimate_rf(self.network, layer, unit, images, len(images), places=places, progress=progress)

    def ship(self, folder: Path) -> list[Path]:
        """Write each layer's held fields to one file in `folder`; returns the files."""
        paths = []
        for layer in self.layers:
            fields = [field for _, field in sorted(self.held(layer).items())]
            if fields:
                paths.append(folder / f"{self.name}-{layer}.npz")
                replace_file(paths[-1], pack(fields, {"inputs": self.inputs}))
        return paths

    def _shipped(self, layer: str) -> list[EmpiricalRF]:
        folder = shipped_folder(self.study)
        path = folder / f"{self.name}-{layer}.npz" if folder else None
        if path is None or not path.exists():
            return []
        fields, about = read_fields(path)
        differ = [
            words for name, words in SPOKEN.items() if about.get("inputs", {}).get(name) != self.inputs[name]
        ]
        if fields and differ:
            say_on_stderr(f"the atlas in {path} is not used: other than now are {', '.join(differ)}.")
            return []
        return fields

    def _cached(self, layer: str) -> list[EmpiricalRF]:
        paths = sorted((self.folder / layer).glob("*.npz"))
        return [field for path in paths for field in read_fields(path)[0]]

    def _true(self, layer: str, fields: Sequence[EmpiricalRF]) -> list[EmpiricalRF]:
        """Those whose peaks are still the highest in the index: the same pixels gave them."""
        peaks = np.nan_to_num(self.study.index(self.name).peaks(layer), nan=-np.inf)
        top = -np.sort(-peaks, axis=0)[: self.n_images]
        true = [one for one in fields if one.unit < top.shape[1] and _agree(one.peaks, top[:, one.unit])]
        if len(true) < len(fields):
            text = f"{len(fields) - len(true)} fields of {layer} of the {self.name} network are not used: "
            say_on_stderr(text + "the units' peaks have changed since, so the images must have.")
        return true


def read_fields(path: Path) -> tuple[list[EmpiricalRF], dict[str, Any]]:
    """A file's fields and what was noted beside them; none, and a word about it, where it cannot be read."""
    try:
        fields, about = unpack(path.read_bytes(), path)
        return list(fields), about
    except (OSError, SceneLensError) as error:
        say_on_stderr(f"{error}; its units are computed again when they are needed.")
        return [], {}


def _agree(kept: np.ndarray, now: np.ndarray) -> bool:
    """Whether the peaks kept are the highest now, best first, up to rounding; zeros were left out."""
    now = now[np.isfinite(now) & (now != 0)]
    return len(kept) == len(now) and np.allclose(-np.sort(-kept), now, rtol=PEAKS_AGREE, atol=1e-6)
