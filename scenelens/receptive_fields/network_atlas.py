"""One network's part of the atlas: where the fields of its units are stored, and when they are still valid.

A field depends on weights, preprocessing, images, and the way it was estimated. All of it enters the name of
the folder in which the network's fields are cached. Of the images only the names enter, because reading
thousands of files to hash them would take longer than reading the fields. That the pixels are the same, too,
is checked by the unit's peaks: other pixels give other peaks.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scenelens import paper
from scenelens.caches import keep, read_cached, sealed
from scenelens.files import cache_key, digest, file_name, replace_file
from scenelens.networks import Network
from scenelens.progress import say_on_stderr
from scenelens.receptive_fields.estimate import estimate_rf
from scenelens.receptive_fields.field import EmpiricalRF
from scenelens.receptive_fields.occlusion.occlude import SIZE, STRIDE, Occlusion
from scenelens.receptive_fields.occlusion.records import Discrepancy, Place
from scenelens.receptive_fields.together import _Together
from scenelens.studies import Study, network_variant
from scenelens.unfinished import Unfinished

_METHOD = 1  # raise it when the way a field is estimated changes its numbers
_PEAKS_AGREE = 0.01  # relative; the last digits of a response differ between machines

#: What a message calls each thing that a field depends on.
_SPOKEN = {
    "method": "the way fields are estimated",
    "architecture": "the network's architecture",
    "weights": "the network's weights",
    "preprocessing": "the preprocessing",
    "images": "the images",
    "n_images": "the number of images per unit",
    "occluder": "the occluder",
}


class _NetworkAtlas:
    """The empirical receptive fields of one network's units.

    Parameters
    ----------
    study : Study
        An open study.
    name : str
        The network's name in the study.
    n_images : int
        How many top images a field is averaged over, K in the paper.

    Attributes
    ----------
    layers : list of str
        The layers that the atlas measures. `field` serves any layer with a map.
    """

    def __init__(self, study: Study, name: str, n_images: int) -> None:
        self.study, self.name, self.n_images = study, name, n_images
        self.network = study.networks[name]
        self.layers = _atlas_layers(self.network)
        # By variant of the network, and by layer.
        self._fields: dict[tuple[str, str], dict[int, EmpiricalRF]] = {}

    @property
    def _variant(self) -> str:
        return network_variant(self.network, self.study.cache / "atlas")

    @property
    def inputs(self) -> dict[str, Any]:
        """Everything a field depends on, plain JSON; the images by their names."""
        network, variant = self.network, self._variant
        return {
            "method": _METHOD,
            "architecture": digest(repr(network.module)),
            "weights": str(network.weights_hash),
            "preprocessing": digest(network.preprocessing.key_text()),
            "images": digest(json.dumps(list(self.study.images["image"]))),
            "n_images": self.n_images,
            "occluder": [SIZE, STRIDE, 0],  # side and stride in pixels, seed of the noise
            **({"variant": variant} if variant else {}),
        }

    @property
    def folder(self) -> Path:
        """The folder of this network's cached fields, one small file per unit."""
        return self.study.cache / "atlas" / f"{file_name(self.name)}-{cache_key(self.inputs)}"

    def units(self, layer: str) -> int:
        """How many units a layer has.

        Parameters
        ----------
        layer : str
            The layer's name.

        Returns
        -------
        int
            Number of units.
        """
        return self.network.layer_shape(layer)[0]

    def order(self, layer: str) -> np.ndarray:
        """The order in which the atlas measures a layer's units: random, and always the same.

        A random order makes the first n units a fair sample of the layer, whenever the work is stopped.

        Parameters
        ----------
        layer : str
            The layer's name.

        Returns
        -------
        numpy.ndarray
            int (units,), a permutation of the unit numbers.
        """
        return np.random.default_rng(0).permutation(self.units(layer))

    def example(self, layer: str) -> int:
        """The first unit in this order that responds to any image.

        Parameters
        ----------
        layer : str
            The layer's name.

        Returns
        -------
        int
            The unit's number; the first of all where no unit responds.
        """
        highest = np.nanmax(self.study.index(self.name).peaks(layer), axis=0)
        order = self.order(layer)
        return int(next((unit for unit in order if highest[unit] > 0), order[0]))

    def cached(self, layer: str) -> dict[int, EmpiricalRF]:
        """The fields of a layer that are there and valid; nothing is computed.

        Parameters
        ----------
        layer : str
            The layer's name.

        Returns
        -------
        dict
            Unit -> `EmpiricalRF`, from the study's own data and from the cache.

        Raises
        ------
        SceneLensError
            If there is no such layer.
        """
        key = (self._variant, layer)
        if key not in self._fields:
            self.units(layer)  # raises on an unknown layer
            found = [*self._shipped(layer), *self._in_cache(layer)]
            valid = self._valid(layer, found) if found else []
            self._fields[key] = {field.unit: field for field in valid}
        return self._fields[key]

    def sample(self, layer: str) -> list[EmpiricalRF]:
        """The cached fields of a layer's first units in random order, up to the first that is missing.

        This is a fair sample. Units that a reader chose, beyond that, do not enter it.

        Parameters
        ----------
        layer : str
            The layer's name.

        Returns
        -------
        list of EmpiricalRF
            In random order; all units where the layer is complete.
        """
        cached, fields = self.cached(layer), []
        for unit in self.order(layer):
            if int(unit) not in cached:
                break
            fields.append(cached[int(unit)])
        return fields

    def field(
        self, layer: str, unit: int, progress: bool = True, together: _Together | None = None
    ) -> EmpiricalRF:
        """A unit's field: the cached one, or else computed now and cached.

        Parameters
        ----------
        layer : str
            The layer's name.
        unit : int
            The unit's number.
        progress : bool, optional
            Whether to show a progress bar.
        together : _Together, optional
            Units that are measured together, this one among them; see `together`.

        Returns
        -------
        EmpiricalRF
            The field, without the single images' maps.

        Raises
        ------
        SceneLensError
            If there is no such layer or unit.
        """
        cached = self.cached(layer)
        if unit not in cached:
            path = self.folder / file_name(layer) / f"{unit}.npz"
            found = self.compute(layer, unit, progress, keep_at=path, together=together)
            content = EmpiricalRF.pack([found], {"inputs": self.inputs})
            if together is not None:
                together.save()
            keep(path, content)
            # through the file's format, so that the first caller gets what all later ones get
            cached[unit] = EmpiricalRF.unpack(content)[0][0]
        if together is not None:
            together.finished(unit)
        return cached[unit]

    def together(self, layer: str, units: Sequence[int]) -> _Together | None:
        """Units of a layer that will be measured together, which takes about half of the time.

        Parameters
        ----------
        layer : str
            The layer's name.
        units : sequence of int
            Unit numbers.

        Returns
        -------
        _Together or None
            What `field` takes; None for a single unit.
        """
        if len(units) < 2:
            return None
        tops = {unit: self._tops(layer, unit, self.n_images) for unit in units}
        return _Together(Occlusion(self.network, layer), tops, self.folder / file_name(layer) / "together")

    def predict(self, layer: str, units: Sequence[int]) -> float:
        """About how long some units of a layer take together, measured on two images.

        Parameters
        ----------
        layer : str
            The layer's name.
        units : sequence of int
            Unit numbers.

        Returns
        -------
        float
            Seconds; 0 where there is nothing to measure.
        """
        together = self.together(layer, units)
        if together is None:
            return sum(self.estimate(layer) for _ in units)
        images = together.images
        if not images:
            return 0.0
        # the first time compares both ways on a few occluders, and is no measure
        some = np.random.default_rng(0).choice(images, 2)
        times = [together.seconds(name, self.study.load_image(name)) for name in map(str, some)]
        return times[-1] * len(images)

    def _tops(self, layer: str, unit: int, n_images: int) -> list[tuple[str, Place]]:
        """A unit's top images, and the places of its peaks there."""
        top = self.study.index(self.name).top_images(layer, unit, n_images)
        # images on which the unit is silent would be left out anyway; a unit silent on all keeps one, so that
        # its field can say so
        top = top[top["peak"] != 0] if (top["peak"] != 0).any() else top[:1]
        return [
            (str(image), (int(row), int(column)))
            for image, row, column in zip(top["image"], top["row"], top["col"], strict=True)
        ]

    def estimate(self, layer: str, n_images: int | None = None) -> float:
        """About how long a unit's field takes.

        Parameters
        ----------
        layer : str
            The layer's name.
        n_images : int, optional
            How many images; by default as many as for the atlas.

        Returns
        -------
        float
            Seconds, judged by one forward pass.
        """
        image = self.study.load_image(self.study.index(self.name).layer_top_images(layer, 1)["image"].iloc[0])
        return (n_images or self.n_images) * Occlusion(self.network, layer).estimate(image)

    def compute(
        self,
        layer: str,
        unit: int,
        progress: bool = True,
        n_images: int | None = None,
        keep_at: Path | None = None,
        together: _Together | None = None,
    ) -> EmpiricalRF:
        """Compute a unit's field, with the single images' maps; the field is not cached.

        Parameters
        ----------
        layer : str
            The layer's name.
        unit : int
            The unit's number.
        progress : bool, optional
            Whether to show a progress bar.
        n_images : int, optional
            How many top images to average over; by default as many as for the atlas.
        keep_at : pathlib.Path, optional
            The file that the field will be cached in. The maps so far are kept next to it every few seconds,
            and a call after a killed one goes on from there.
        together : _Together, optional
            Units that are measured together, this one among them; it keeps the maps.

        Returns
        -------
        EmpiricalRF
            The field, with `EmpiricalRF.evidence`.
        """
        tops = self._tops(layer, unit, n_images or self.n_images)
        images = [self.study.load_image(name) for name, _ in tops]
        places = [place for _, place in tops]
        about = digest(b"".join(image.tobytes() for image in images) + repr(places).encode())
        shared = functools.partial(_one, together, unit, tops, images) if together is not None else None
        work, n = Unfinished(None if shared else keep_at, "maps", about), len(images)
        return estimate_rf(
            self.network, layer, unit, images, n, places=places, progress=progress, work=work, measured=shared
        )

    def ship(self, folder: Path) -> list[Path]:
        """Write each layer's cached fields to one file.

        Parameters
        ----------
        folder : Path
            Where the files go.

        Returns
        -------
        list of Path
            The files written.
        """
        paths = []
        for layer in self.layers:
            fields = [field for _, field in sorted(self.cached(layer).items())]
            if fields:
                paths.append(folder / f"{file_name(f'{self.name}-{layer}')}.npz")
                replace_file(paths[-1], sealed(EmpiricalRF.pack(fields, {"inputs": self.inputs})))
        return paths

    def _shipped(self, layer: str) -> list[EmpiricalRF]:
        """The layer's fields that come with the study, if they were made with the same inputs."""
        folder = self.study.shipped_folder
        path = folder / f"{file_name(f'{self.name}-{layer}')}.npz" if folder else None
        if path is None or not path.exists():
            return []
        found = read_cached(path, EmpiricalRF.unpack, aside=False, checksum=True)
        fields, about = found or ([], {})
        before, now = about.get("inputs", {}), self.inputs
        differ = [words for name, words in _SPOKEN.items() if before.get(name) != now[name]]
        differ += ["what the network computes"] if before.get("variant") != now.get("variant") else []
        if fields and differ:
            say_on_stderr(f"the atlas in {path} is not used; these have changed: {', '.join(differ)}.")
            return []
        return fields

    def _in_cache(self, layer: str) -> list[EmpiricalRF]:
        paths = sorted((self.folder / file_name(layer)).glob("*.npz"))
        found = [read_cached(path, EmpiricalRF.unpack) for path in paths]
        return [field for one in found if one is not None for field in one[0]]

    def _valid(self, layer: str, fields: Sequence[EmpiricalRF]) -> list[EmpiricalRF]:
        """Those whose peaks are still the highest in the index: the same pixels gave them."""
        peaks = np.nan_to_num(self.study.index(self.name).peaks(layer), nan=-np.inf)
        top = -np.sort(-peaks, axis=0)[: self.n_images]
        valid = [one for one in fields if one.unit < top.shape[1] and _agree(one.peaks, top[:, one.unit])]
        if len(valid) < len(fields):
            text = f"{len(fields) - len(valid)} fields of {layer} of the {self.name} network are not used: "
            say_on_stderr(text + "the units' peaks have changed since, so the images must have.")
        return valid


def _one(
    together: _Together,
    unit: int,
    tops: Sequence[tuple[str, Place]],
    images: Sequence[np.ndarray],
    number: int,
) -> Discrepancy:
    """The map of one of a unit's images."""
    name, place = tops[number]
    return together.of(name, images[number], unit, place)


def _atlas_layers(network: Network) -> list[str]:
    """The layers whose units the atlas measures: Table 2's where the network has them, else four main layers
    that have a map, early ones first."""
    if set(paper.RF_SIZES) <= set(network.layers.layer):
        return list(paper.RF_SIZES)
    usable = [layer for layer in network.main_layers(6) if network.layer_shape(layer)[1:] != (1, 1)]
    places = np.linspace(0, len(usable) - 1, min(4, len(usable))).round().astype(int)
    return [usable[k] for k in places]


def _agree(cached: np.ndarray, now: np.ndarray) -> bool:
    """Whether cached peaks are the highest now, best first, up to rounding; zeros were left out."""
    now = now[np.isfinite(now) & (now != 0)]
    return len(cached) == len(now) and np.allclose(-np.sort(-cached), now, rtol=_PEAKS_AGREE, atol=1e-6)
