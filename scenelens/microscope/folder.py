"""The folder of the microscope: what is in it, in which order it is made, and what is not made again."""

from __future__ import annotations

import contextlib
import importlib.resources
import json
import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError, close_names
from scenelens.files import cache_key, csv_file, digest, file_name, replace_file
from scenelens.installation import HERE
from scenelens.microscope.concepts import _concept_rows
from scenelens.microscope.frames import _check_webp, _cut, _encoded, _Frames
from scenelens.microscope.maps import _map_bytes, _measure_maps
from scenelens.microscope.names import _all_labels, _thresholds
from scenelens.microscope.ranks import _Shown, _top_rows
from scenelens.microscope.responding import BLOCK, _responding
from scenelens.microscope.shards import _is_valid, _rounded, _write_script
from scenelens.microscope.similar import _Correlations
from scenelens.microscope.units import _field, _measured_costs, _measured_fields, _unit_values
from scenelens.networks import record
from scenelens.progress import say_on_stderr
from scenelens.receptive_fields import open_atlas
from scenelens.sentences import one_line
from scenelens.studies import Study
from scenelens.unfinished import Unfinished
from scenelens.workbook import network_color

_VERSION = 2  # raise it when what a script holds changes
_UNITS = "units.json"
_STATIC = ("index.html", "microscope.css", "microscope.js")
_OTHERS = 6  # images of the middle of a unit's order, and as many of its end
_ON_CARDS = 4  # top images that stand for a unit
_MOST_TOP = 60  # as in section 3.3 of the paper
_SAMPLE = 16  # images that tell time and size beforehand
_UNIT_BYTES = 3500  # of a unit's script without its maps and images, about
_LICENCES = (
    "The photographs, networks and labels keep the licences of the study they come from. These pages and "
    "their script are part of scenelens, under the MIT licence."
)


@dataclass(frozen=True)
class _Outlook:
    """What will be written, before it is.

    Attributes
    ----------
    units : int
        Units in all layers.
    images : int
        Image files.
    bytes : float
        Size of the folder.
    seconds : float
        How long the images and maps that are missing take.
    """

    units: int
    images: int
    bytes: float
    seconds: float

    def __str__(self) -> str:
        minutes = f"{self.seconds / 60:.1f} minutes" if self.seconds >= 60 else f"{self.seconds:.0f} s"
        return (
            f"{self.units:,} units, {self.images:,} images: about {self.bytes / 1e6:.0f} MB in all, and "
            f"{minutes} for what is not there yet (both from {_SAMPLE} images of each network)."
        )


def write_microscope(
    study: Study,
    folder: str | Path | None = None,
    layers: Sequence[str] | None = None,
    networks: Sequence[str] | None = None,
    top: int = 24,
    pixels: int = 240,
    command: str = "",
    progress: bool = True,
) -> Path:
    """Write the pages of every unit of a study's networks; what is there and valid is not made again.

    Size and time are said first. A run that was stopped goes on where it was.

    Parameters
    ----------
    study : Study
        The open study. Its index and its labels are made first where they are missing.
    folder : str or pathlib.Path, optional
        Where the pages are written (default: ``microscope`` in the folder of everything that can be made
        again, and in it a folder for each study but the first).
    layers : sequence of str, optional
        Layers (default: each network's main layers). A network without any of them is left out.
    networks : sequence of str, optional
        Names in `Study.networks` (default: all).
    top : int, optional
        Top images of a unit, 12 to 60 (default 24).
    pixels : int, optional
        The longer side of the images, 64 to 512 (default 240); smaller frames stay as they are.
    command : str, optional
        The command line, which the page of provenance shows.
    progress : bool, optional
        Whether to say size and time and to show progress bars, on stderr (default True).

    Returns
    -------
    pathlib.Path
        The page to open, ``index.html``.

    Raises
    ------
    SceneLensError
        If there is no such network or layer, a number is out of its range, or a file cannot be written.
    """
    if not 12 <= top <= _MOST_TOP:
        raise SceneLensError(f"a unit is shown with 12 to {_MOST_TOP} top images, not {top}.")
    if not 64 <= pixels <= 512:
        raise SceneLensError(f"images may be 64 to 512 pixels wide, not {pixels}.")
    _check_webp()
    place = _default_folder(study) if folder is None else Path(folder)
    _check_own(place)
    chosen = _chosen_layers(study, layers, networks)
    work = _Work(study, place, chosen, top, pixels, command, progress)
    if progress:
        say_on_stderr(f"Writing {place}")
        say_on_stderr(work.at_most())
        say_on_stderr(str(work.outlook()))
    return work.write()


def _default_folder(study: Study) -> Path:
    name = "microscope" if study.name == "sceneworld" else f"microscope-{file_name(study.name)}"
    return HERE.build / name


def _check_own(folder: Path) -> None:
    """Raise where the page would replace a page that this program did not write."""
    page = folder / "index.html"
    if page.exists() and not (folder / "microscope.js").exists():
        raise SceneLensError(f"{page} is there and is no microscope: choose another folder.")


def _chosen_layers(
    study: Study, layers: Sequence[str] | None, networks: Sequence[str] | None
) -> dict[str, list[str]]:
    """The layers of each network, in the order in which they run."""
    names = list(study.networks) if networks is None else list(dict.fromkeys(networks))
    found: dict[str, list[str]] = {}
    known: set[str] = set()
    for name in names:
        network = study.networks[name]
        own = list(network.layers.layer)
        known |= set(own)
        wanted = network.main_layers() if layers is None else layers
        kept = [layer for layer in own if layer in wanted]
        if kept:
            found[name] = kept
    for layer in layers or ():
        if layer not in known:
            raise SceneLensError(f"no network has a layer {layer!r}; {close_names(layer, known)}.")
    if not found:
        raise SceneLensError("there is no layer to show: name layers of the study's networks.")
    return found


class _Work:
    """One run of the command.

    Parameters
    ----------
    study : Study
        The open study.
    folder : pathlib.Path
        Where the pages are written.
    layers : dict of str to list of str
        The layers of each network.
    top : int
        Top images of a unit.
    pixels : int
        The longer side of the images.
    command : str
        The command line.
    progress : bool
        Whether to show progress.
    """

    def __init__(
        self,
        study: Study,
        folder: Path,
        layers: dict[str, list[str]],
        top: int,
        pixels: int,
        command: str,
        progress: bool,
    ) -> None:
        self.study, self.folder, self.layers = study, folder, layers
        self.top, self.pixels, self.command, self.progress = top, pixels, command, progress
        self._begun = time.perf_counter()
        self._places = [(name, layer) for name, own in layers.items() for layer in own]
        self._correlations = _Correlations(study, list(layers))
        self._effects: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._tried: dict[str, tuple[float, float]] = {}

    # ---- what everything depends on

    @cached_property
    def _frames(self) -> dict[str, _Frames]:
        study, images = self.study, self.folder / "images"
        return {
            name: _Frames.of(study.networks[name], study.index(name), images, self.pixels)
            for name in self.layers
        }

    @cached_property
    def _labels(self) -> pd.DataFrame:
        return _all_labels(self.study, list(self.layers))

    @cached_property
    def _atlas(self) -> Any:
        return open_atlas(self.study)

    def _labels_of(self, place: tuple[str, str]) -> pd.DataFrame:
        labels = self._labels
        return labels[(labels.network == place[0]) & (labels.layer == place[1])]

    def _fields_of(self, place: tuple[str, str]) -> Any:
        return _measured_fields(self._atlas, *place)

    def _effects_of(self, place: tuple[str, str]) -> dict[int, dict[str, Any]]:
        if place not in self._effects:
            self._effects[place] = _measured_costs(self.study, *place)
        return self._effects[place]

    def _key(self, place: tuple[str, str]) -> str:
        """The key of a layer's script: units are compared with those of all networks."""
        if place not in self._keys:
            self._keys[place] = self._new_key(place)
        return self._keys[place]

    def _new_key(self, place: tuple[str, str]) -> str:
        labels = self._labels_of(place).drop(columns="when")
        fields = [[unit, repr(one.size)] for unit, one in sorted(self._fields_of(place).items())]
        return cache_key(
            {
                "version": _VERSION,
                "place": place,
                "indexes": [self.study.index(name).folder.name for name in self.layers],
                "labels": digest(labels.to_csv(index=False).encode(errors="surrogatepass")),
                "fields": fields,
                "effects": [
                    [unit, *map(repr, one.values())] for unit, one in self._effects_of(place).items()
                ],
                "numbers": [self.top, _OTHERS],
            }
        )

    def _script(self, place: tuple[str, str]) -> Path:
        return self.folder / "data" / f"{file_name('-'.join(place))}.js"

    def _shown(self, place: tuple[str, str]) -> tuple[np.ndarray, _Shown]:
        return _top_rows(self.study.index(place[0]), place[1], self.top, _OTHERS)

    def _missing(self, name: str) -> list[str]:
        """The layers of a network whose script or images are not there."""
        return [
            layer
            for layer in self.layers[name]
            if not _is_valid(self._script((name, layer)), self._key((name, layer)))
            or self._frames[name].missing(self._shown((name, layer))[1].images())
        ]

    # ---- beforehand

    def at_most(self) -> str:
        """The size in a sentence, before the indexes are opened, which may have to be made.

        Returns
        -------
        str
            As if every image of the study were shown.
        """
        units = sum(self.study.networks[name].layer_shape(layer)[0] for name, layer in self._places)
        frames = {_cut(self.study.networks[name]): self._try(name)[1] for name in self.layers}
        images = len(self.study.images) * len(frames)
        size = sum(map(self._script_bytes, self._places)) + len(self.study.images) * sum(frames.values())
        return (
            f"{units:,} units and at most {images:,} images: {size / 1e6:.0f} MB at most. The networks' "
            "indexes and labels are made first where they are missing, and say how long it takes."
        )

    def outlook(self) -> _Outlook:
        """Measure on a few images how long the work takes, and how large the folder becomes.

        Returns
        -------
        _Outlook
            From as many images of each network as `_SAMPLE`, spread over all of the study.
        """
        size, seconds, units = 0.0, 0.0, 0
        files: dict[str, tuple[set[int], float]] = {}
        for name, layers in self.layers.items():
            rows: set[int] = set()
            todo = self._missing(name)
            for layer in layers:
                peaks, shown = self._shown((name, layer))
                units += peaks.shape[1]
                fields, each = self._try_fields((name, layer))
                size += self._script_bytes((name, layer)) + fields
                seconds += each * (layer in todo)
                rows |= set(shown.images().tolist())
            each, bytes_each = self._try(name)
            missing = {row for layer in todo for row in self._shown((name, layer))[1].images().tolist()}
            seconds += each * len(missing)
            before = files.get(self._frames[name].name, (set(), 0.0))[0]
            files[self._frames[name].name] = (before | rows, bytes_each)
        size += sum(len(rows) * each for rows, each in files.values())
        return _Outlook(units, sum(len(rows) for rows, _ in files.values()), size, seconds)

    def _try_fields(self, place: tuple[str, str]) -> tuple[float, float]:
        """Bytes and seconds of a layer's measured receptive fields, from a few of them."""
        start = time.perf_counter()
        fields = list(self._fields_of(place).values())
        found = time.perf_counter() - start
        sample = fields[:: max(1, len(fields) // _SAMPLE)]
        sizes = [len(json.dumps(_field(one))) for one in sample]
        if not sizes:
            return 0.0, found
        # They are looked up for the key, for the script, and here.
        seconds = (time.perf_counter() - start - found) / len(sizes) * len(fields) + 2 * found
        return float(np.mean(sizes)) * len(fields), seconds

    def _script_bytes(self, place: tuple[str, str]) -> float:
        """Bytes of a layer's script without its measured receptive fields, about."""
        units, *shape = self.study.networks[place[0]].layer_shape(place[1])
        mapped = min(self.top + _OTHERS, len(self.study.images)) if shape != [1, 1] else 0
        return units * (_map_bytes(*shape) * mapped * 4 / 3 + _UNIT_BYTES)

    def _try(self, name: str) -> tuple[float, float]:
        """Seconds and bytes of one image of a network, measured on a few."""
        if name not in self._tried:
            self._tried[name] = self._new_try(name)
        return self._tried[name]

    def _new_try(self, name: str) -> tuple[float, float]:
        network, ids = self.study.networks[name], self.study.images.image
        start = time.perf_counter()
        images = []
        for row in np.unique(np.linspace(0, len(ids) - 1, _SAMPLE).round().astype(int)):
            with contextlib.suppress(SceneLensError, OSError):  # an image that cannot be read is left out
                images.append(network.show_input(self.study.load_image(ids.iat[row])))
        if not images:
            return 0.0, 0.0
        sizes = [len(_encoded(image, self.pixels)) for image in images]
        with record(network, self.layers[name], keep=lambda _, value: None):
            network(np.stack(images), framed=True)
        return (time.perf_counter() - start) / len(images), float(np.mean(sizes))

    # ---- the work

    def write(self) -> Path:
        """Write everything that is missing, and the page last.

        Returns
        -------
        pathlib.Path
            The page.
        """
        for name in self.layers:
            missing = self._missing(name)
            if missing:
                self._write_layers(name, missing)
        self._write_blocks()
        self._remove_old()
        _write_script(self.folder / "data" / "study.js", cache_key([time.time()]), self._about())
        units = {
            name: {layer: int(self.study.networks[name].layer_shape(layer)[0]) for layer in own}
            for name, own in self.layers.items()
        }
        # For the pages of the workbook: which units have an address here.
        replace_file(self.folder / _UNITS, (json.dumps({"units": units}, indent=1) + "\n").encode())
        static = importlib.resources.files("scenelens.microscope") / "static"
        for file in _STATIC[::-1]:
            replace_file(self.folder / file, (static / file).read_bytes())
        return self.folder / "index.html"

    def _write_layers(self, name: str, layers: list[str]) -> None:
        shown = {layer: self._shown((name, layer)) for layer in layers}
        keys = {layer: self._key((name, layer)) for layer in layers}
        about = cache_key([*keys.values(), self._frames[name].name])
        state = self.folder / "data" / f"{file_name(name)}-maps"
        maps = _measure_maps(self.study, name, self._frames[name], shown, (state, about), self.progress)
        for layer, (peaks, chosen) in shown.items():
            place = (name, layer)
            labels, fields = self._labels_of(place), self._fields_of(place)
            similar = self._correlations.similar(*place)
            units = _unit_values(
                self.study,
                place,
                peaks,
                chosen,
                maps.get(layer),
                labels,
                _thresholds(self.study, *place),
                similar,
                fields,
                self._effects_of(place),
            )
            table = _table(place, units, self.study)
            replace_file(self._script(place).with_suffix(".csv"), csv_file(table))
            value = {"kind": "layer", "network": one_line(name), "layer": one_line(layer), "units": units}
            _write_script(self._script(place), keys[layer], value)
        Unfinished(state, "maps").remove()

    def _write_blocks(self) -> None:
        """Write which units respond to each image, a script for some images each."""
        n = len(self.study.images)
        starts = range(0, n, BLOCK)
        key = cache_key([_VERSION, [list(place) + [self._key(place)] for place in self._places], n])
        paths = {start: self.folder / "data" / f"images-{start // BLOCK}.js" for start in starts}
        missing = [start for start, path in paths.items() if not _is_valid(path, key)]
        if not missing:
            return
        found = []
        for name, layer in self._places:
            index = self.study.index(name)
            found.append(_responding(index.peaks(layer), index.places(layer)))
        for start in missing:
            units = [one[start : start + BLOCK] for one in found]
            _write_script(paths[start], key, {"kind": "images", "block": start // BLOCK, "units": units})

    def _remove_old(self) -> None:
        """Remove the images and scripts of earlier runs that nothing uses any more."""
        used = {frames.name for frames in self._frames.values()}
        for old in (self.folder / "images").glob("*"):
            if old.is_dir() and len(old.name) == 16 and old.name not in used:
                shutil.rmtree(old, ignore_errors=True)
        scripts = {self._script(place).stem for place in self._places}
        blocks = {f"images-{k}" for k in range(-(-len(self.study.images) // BLOCK))}
        for script in (self.folder / "data").glob("*.js"):
            if script.stem not in scripts | blocks | {"study"}:
                script.unlink(missing_ok=True)
                script.with_suffix(".csv").unlink(missing_ok=True)

    # ---- what all pages need

    def _about(self) -> dict[str, Any]:
        study, images = self.study, self.study.images
        categories, sources = pd.Categorical(images.category), pd.Categorical(images.source)
        return {
            "kind": "study",
            "title": one_line(study.title),
            "open": _opened(study),
            "made": self._made(),
            "top": self.top,
            "block": BLOCK,
            "networks": [self._network(name) for name in self.layers],
            "places": [[one_line(name), one_line(layer)] for name, layer in self._places],
            "concepts": _concept_rows(study),
            "images": {
                "ids": _image_names(images.image),
                "category": categories.codes.tolist(),
                "categories": [one_line(name) for name in categories.categories],
                "source": sources.codes.tolist(),
                "sources": [one_line(name) for name in sources.categories],
            },
        }

    def _made(self) -> dict[str, Any]:
        found = self.study.provenance()
        return {
            "study": one_line(found["study"]),
            "images": found["n_images"],
            "versions": found["versions"],
            "date": date.today().isoformat(),
            "command": one_line(self.command, 1000),
            "seconds": round(time.perf_counter() - self._begun),
            "bytes": sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()),
            "licences": _LICENCES,
            "skipped": len(self.study.index(next(iter(self.layers))).skipped),
        }

    def _network(self, name: str) -> dict[str, Any]:
        network, frames = self.study.networks[name], self._frames[name]
        return {
            "name": one_line(name),
            "color": network_color(name),
            "size": list(network.input_size),
            "weights": str(network.weights_hash),
            "licence": one_line(network.card.get("licence", "")),
            "classes": [one_line(one) for one in network.classes],
            "images": f"images/{frames.name}",
            "shown": frames.written(len(self.study.images)),
            "layers": [self._layer((name, layer)) for layer in self.layers[name]],
        }

    def _layer(self, place: tuple[str, str]) -> dict[str, Any]:
        name, layer = place
        network = self.study.networks[name]
        units, high, wide = network.layer_shape(layer)
        found: dict[str, Any] = {
            "name": one_line(layer),
            "units": units,
            "file": f"data/{self._script(place).name}",
            "names": self._names(place, units),
            "tops": self._shown(place)[1].top[:, :_ON_CARDS].tolist(),
        }
        if (high, wide) != (1, 1):
            grid, field = network.grid(layer), network.field(layer)
            found |= {"map": [high, wide], "start": list(grid.start), "stride": list(grid.stride)}
            if field is not None and not field.whole:
                found["field"] = np.broadcast_to(field.size, 2).tolist()
        return found

    def _names(self, place: tuple[str, str], units: int) -> list[Any]:
        """For each unit [concept, type, score, same_name] of its first label; 0 for a unit without one."""
        names: list[Any] = [0] * units
        labels = self._labels_of(place)
        first = labels[labels.by == "iou"] if (labels.by == "iou").any() else labels[labels.by == ""]
        for one in first.to_dict("records"):
            score = one["iou"] if one["by"] else one["precision"]
            same = _rounded(one["same_name"], 3) if one["by"] else None
            known = None if pd.isna(score) else _rounded(score, 3)
            names[int(one["unit"])] = [one_line(one["concept"]), one_line(one["type"]), known, same]
        return names


def _image_names(ids: Iterable[str]) -> list[str]:
    """The names of images in addresses; one whose line was used before has its row behind it.

    >>> _image_names(["a", "b", "a\u200b"])
    ['a', 'b', 'a (2)']
    """
    first: dict[str, int] = {}
    names = [one_line(image) for image in ids]
    return [
        name if first.setdefault(name, row) == row else f"{name} ({row})" for row, name in enumerate(names)
    ]


def _opened(study: Study) -> str:
    """How a line of code names the study: a study of the package by its name, another by its file."""
    return study.name if study.shipped_folder is not None else one_line(study.file.path.name)


def _table(place: tuple[str, str], units: list[dict[str, Any]], study: Study) -> pd.DataFrame:
    """The units of a layer for a CSV file: a row for each label, and one for a unit without any."""
    ids = study.images.image
    rows = []
    for unit, one in enumerate(units):
        about = {"network": place[0], "layer": place[1], "unit": unit, "threshold": one["threshold"]}
        about |= {"peak": one["top"][0][1], "top_image": ids.iat[one["top"][0][0]]} if one["top"] else {}
        names = ("who", "concept", "type", "score", "same_name", "precision", "low", "high", "n")
        for label in one["labels"] or [{}]:
            rows.append(about | {name: label.get(name) for name in names})
    return pd.DataFrame(rows)
