"""The activation index: what every unit of a network did on every image of a study, computed once.

Sections 2 and 3 of the paper ask again and again which images drive a unit or a layer hardest. The index
answers without another forward pass: per image and unit it keeps the peak, its place and the sum over the
map (for fully connected layers the value). It lives on disk (see `index_files`), survives being killed, and
knows when its inputs changed (`index_key`).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError, close_names
from scenelens.files import image_digests
from scenelens.metrics import share_of_top
from scenelens.networks import Network
from scenelens.progress import say_on_stderr
from scenelens.studies.index_files import IndexFiles, disk_errors
from scenelens.studies.index_key import changed_parts, index_inputs, index_key

#: MERGED DOC: What is asked of an index before anything is computed: layers, images, sizes, and the folder for it.


#: Images per forward pass, and images per block on disk: about a second of work to lose when killed.
BATCH, BLOCK = 32, 256


class ActivationIndex:
    """Peaks, places and sums of every unit over every image; open one with `study.index(network)`.

    Parameters
    ----------
    files : the folder it is kept in.
    images : DataFrame with one row per image in the index's order; 'image' and, for `layer_preference`,
        'source'.
    network : the network's name, for messages.

    Attributes
    ----------
    layers : list of the names of the layers it holds.
    images : the DataFrame given.
    skipped : DataFrame (image, reason) of the images that could not be read. Their rows hold NaN (place -1),
        and they never appear in a result.
    folder : Path of its folder, for `merge` on another machine.
    """

    def __init__(self, files: IndexFiles, images: pd.DataFrame, network: str = "network") -> None:
        self.images = images.reset_index(drop=True)
        self.network = network
        self.folder: Path = files.folder
        self.layers: list[str] = list(files.inputs["layers"])
        self._files = files
        self._read = functools.lru_cache(maxsize=6)(files.read)  # a widget asks for the same layer many times
        self._refresh()

    def _refresh(self) -> None:
        self._notes = self._files.finished()
        rows = [pair for number in sorted(self._notes) for pair in self._notes[number]["skipped"]]
        self.skipped = pd.DataFrame(rows, columns=["image", "reason"])
        self._read.cache_clear()

    def __repr__(self) -> str:
        size = f"{len(self.images):,} images, {len(self.layers)} layers"
        state = "" if self.is_complete else f", {len(self._notes)} of {self._files.n_blocks} blocks"
        return f"<ActivationIndex of {self.network}: {size}{state}>"

    @classmethod
    def build(
        cls,
        network: Network,
        images: pd.DataFrame,
        cache_dir: str | Path,
        *,
        load: Callable[[str], np.ndarray],
        layers: Iterable[str] | None = None,
        batch_size: int = BATCH,
        block_size: int = BLOCK,
        shard: tuple[int, int] = (0, 1),
        progress: bool = True,
    ) -> ActivationIndex:
        """Open the index of a network over some images, computing what is not there yet.

        Parameters
        ----------
        network : the network; all layers of `network.layers` unless `layers` names some.
        images : DataFrame with 'image' (unique id) and 'path' (its file, whose content goes into the key).
        cache_dir : folder that holds indexes, one folder each; an older one of other inputs is left alone.
        load : image id -> uint8 RGB (H, W, 3), raising SceneLensError or OSError where the image is
            unreadable.
        batch_size, block_size : images per forward pass and per block; both are part of the key.
        shard : (part, parts): compute only every parts-th block, for several machines; `merge` brings them
            together.
        progress : bar, and sentences about time, changed inputs and skipped images, on stderr.

        Raises
        ------
        SceneLensError : no image, an unknown layer, a full disk (finished blocks are kept).

        Notes
        -----
        A run that was killed goes on behind its last finished block and arrives at bit-identical arrays on
        the same machine with the same number of threads.
        """
        names = known_layers(network, layers)
        check_request(images, batch_size, block_size, shard)
        say = say_on_stderr if progress else _say_nothing
        cache = Path(cache_dir)
        with disk_errors(cache):
            digests = image_digests(images["image"], images["path"], cache / "digests.json")
            inputs = index_inputs(network, digests, names, block_size, batch_size)
            files = open_files(cache, network, inputs, digests, names, say)
        index = cls(files, images, network.name)
        todo = range(shard[0], files.n_blocks, shard[1])
        if set(todo) - index._notes.keys():
            index._compute(network, load, todo, progress, say)
        if len(index.skipped):
            n = f"{len(index.skipped)} of {len(images):,}"
            say(f"{n} images could not be read and are left out: see index.skipped.")
        return index

    def _compute(self, network: Network, load: Any, todo: range, progress: bool, say: Any) -> None:
        from scenelens.studies.index_build import (
            build_blocks,  # torch only when there is something to compute
        )

        with self._files.lock(say):
            self._files.sweep()
            missing = [number for number in todo if number not in self._files.finished()]
            build_blocks(network, self._files, load, self.layers, missing, progress)
        self._refresh()

    def merge(self, parts: Iterable[str | Path]) -> ActivationIndex:
        """Take over the finished blocks of other folders of the same index (`.folder` of a shard); returns
        itself.

        Raises
        ------
        SceneLensError : a folder is no index, or one of other inputs; the sentence says which differ.
        """
        for part in parts:
            other = IndexFiles(part)
            if other.inputs != self._files.inputs:
                differ = ", ".join(changed_parts(self._files.inputs, other.inputs))
                raise SceneLensError(f"{part} cannot be merged into {self.folder}: {differ} differ.")
            with self._files.lock(say_on_stderr), disk_errors(self.folder):
                self._files.take_blocks(other)
        self._refresh()
        return self

    @property
    def is_complete(self) -> bool:
        """Whether every block is finished; a shard's index is not until its others are merged in."""
        return len(self._notes) == self._files.n_blocks

    def _array(self, layer: str, kind: str) -> np.ndarray:
        if layer not in self.layers:
            raise SceneLensError(f"the index holds no layer {layer!r}; {close_names(layer, self.layers)}.")
        if not self.is_complete:
            raise SceneLensError(
                f"the index in {self.folder} has {len(self._notes)} of {self._files.n_blocks} blocks: merge "
                "the other shards with index.merge([...]), or build it without shard."
            )
        return self._read(f"{layer}/{kind if self._has_map(layer) else 'value'}")

    def _has_map(self, layer: str) -> bool:
        return f"{layer}/peak" in self._files.arrays

    def map_shape(self, layer: str) -> tuple[int, int]:
        """(rows, columns) of a layer's map; (1, 1) for a fully connected layer."""
        self._array(layer, "peak")
        name = f"{layer}/peak" if self._has_map(layer) else f"{layer}/value"
        shape: Any = self._files.arrays[name].attrs["map"]
        return int(shape[0]), int(shape[1])

    def peaks(self, layer: str) -> np.ndarray:
        """(n_images, units) float32: each unit's peak in each image (its value in fully connected layers)."""
        return self._array(layer, "peak").copy()

    def places(self, layer: str) -> np.ndarray:
        """(n_images, units, 2) int32: (row, col) of the peak in the layer's map, the first if it ties.

        (0, 0) in fully connected layers, (-1, -1) for skipped images.
        """
        if not self._has_map(layer):
            missing = np.isnan(self._array(layer, "value"))
            return np.repeat(np.where(missing, -1, 0).astype(np.int32)[..., None], 2, axis=2)
        flat = self._array(layer, "place")
        row, col = np.divmod(flat, self.map_shape(layer)[1])
        return np.where(flat[..., None] < 0, -1, np.stack([row, col], axis=2)).astype(np.int32)

    def sums(self, layer: str) -> np.ndarray:
        """(n_images, units) float32: the sum over each unit's map, in float32; values without a map."""
        return self._array(layer, "sum").copy()

    def values(self, layer: str) -> np.ndarray:
        """(n_images, units) float32: a fully connected layer's response, the feature vector of each image.

        Raises
        ------
        SceneLensError : the layer has a map; take `peaks` or `sums`.
        """
        if layer in self.layers and self._has_map(layer):
            raise SceneLensError(f"{layer} has a map of {self.map_shape(layer)} places: take peaks or sums.")
        return self._array(layer, "value").copy()

    def layer_scores(self, layer: str) -> np.ndarray:
        """(n_images,) float64: the response summed over units and positions (section 2); NaN if skipped."""
        return self._array(layer, "sum").sum(axis=1, dtype=np.float64)

    def top_images(self, layer: str, unit: int, n: int = 60, among: Any = None) -> pd.DataFrame:
        """The images with a unit's highest peaks.

        Parameters
        ----------
        layer, unit : which unit (from 0).
        n : how many; fewer come back where there are fewer readable images. 60 in the paper's section 3.3.
        among : optional (n_images,) bool, the images that may appear (one split, one source).

        Returns
        -------
        DataFrame : rank (from 0), image, peak, row, col (place of the peak in the layer's map). Equal peaks
        stand in the order of the images.
        """
        peaks, place = self._unit(layer, unit, "peak"), self._unit(layer, unit, "place")
        order = _highest(peaks, n, among)
        flat = place[order].astype(int) if self._has_map(layer) else np.zeros(len(order), int)
        row, col = np.divmod(flat, self.map_shape(layer)[1])
        columns = {
            "image": self.images["image"].to_numpy()[order],
            "peak": peaks[order],
            "row": row,
            "col": col,
        }
        return pd.DataFrame({"rank": np.arange(len(order)), **columns})

    def _unit(self, layer: str, unit: int, kind: str) -> np.ndarray:
        found = self._array(layer, kind)
        if not 0 <= unit < found.shape[1]:
            raise SceneLensError(f"{layer} has units 0 to {found.shape[1] - 1}, not {unit}.")
        return found[:, unit]

    def layer_top_images(self, layer: str, n: int = 100, among: Any = None) -> pd.DataFrame:
        """The images with a layer's highest `layer_scores`: rank, image, score; ties by image order."""
        scores = self.layer_scores(layer)
        order = _highest(scores, n, among)
        images = self.images["image"].to_numpy()[order]
        return pd.DataFrame({"rank": np.arange(len(order)), "image": images, "score": scores[order]})

    def layer_preference(self, layer: str, n: int = 100) -> pd.DataFrame:
        """Which kind of image a layer prefers: the share of each source among its `n` highest scores (Figure
        1).

        Returns
        -------
        DataFrame : one row per source in alphabetical order: layer, source, n (images counted), count,
        share, low, high (95% Wilson interval), chance (the source's share of all readable images).

        Notes
        -----
        A layer's score on an image is the sum over all its units and positions; equal scores stand in the
        order of the images. A layer that never responds to anything is therefore decided by that order.
        """
        table = share_of_top(self.layer_scores(layer), list(self.images["source"].astype(str)), n)
        table = table.rename(columns={"group": "source"})
        table.insert(0, "layer", layer)
        return table


def _highest(scores: np.ndarray, n: int, among: Any = None) -> np.ndarray:
    """Rows of the `n` highest scores, ties in row order; NaN rows and rows outside `among` never appear."""
    if n < 1:
        raise SceneLensError(f"n counts images and must be at least 1, not {n}.")
    allowed = ~np.isnan(scores)
    if among is not None:
        among = np.asarray(among)
        if among.dtype != bool or among.shape != scores.shape:
            got = f"{among.dtype}{among.shape}"
            raise SceneLensError(f"among must be {len(scores)} booleans, one per image, not {got}.")
        allowed &= among
    rows = np.flatnonzero(allowed)
    return rows[np.argsort(-scores[rows], kind="stable")[:n]]


def _say_nothing(text: str) -> None:
    pass


def known_layers(network: Network, layers: Iterable[str] | None) -> list[str]:
    """The layers to index: those asked for, or all of the network's."""
    known = list(network.layers["layer"])
    chosen = known if layers is None else list(layers)
    for layer in chosen:
        if layer not in known:
            raise SceneLensError(
                f"no layer named {layer!r}; {close_names(layer, known)}. See network.layers."
            )
    if not chosen:
        raise SceneLensError("an index needs at least one layer; see network.layers.")
    return chosen


def check_request(images: pd.DataFrame, batch: int, block: int, shard: tuple[int, int]) -> None:
    """Refuse an empty table, repeated ids, and sizes or shards that make no sense."""
    if not len(images):
        raise SceneLensError("an index needs at least one image; the table of images is empty.")
    repeated = images["image"][images["image"].duplicated()]
    if len(repeated):
        raise SceneLensError(
            f"image ids must be unique; {repeated.iloc[0]!r} stands in the table more than once."
        )
    if not 1 <= batch <= block:
        raise SceneLensError(f"batch_size must lie between 1 and block_size ({block}), not {batch}.")
    if not 0 <= shard[0] < shard[1]:
        raise SceneLensError(f"shard is (part, parts) with 0 <= part < parts, not {shard}.")


def open_files(
    cache: Path, network: Network, inputs: dict[str, Any], digests: Sequence[Any], layers: list[str], say: Any
) -> IndexFiles:
    """The folder for these inputs; where it is new and others of this network are there, say what changed."""
    folder = cache / f"{network.name}-{index_key(inputs)}"
    earlier = max(
        cache.glob(f"{network.name}-*/inputs.json"), key=lambda path: path.stat().st_mtime_ns, default=None
    )
    if not folder.exists() and earlier is not None:
        parts = changed_parts(json.loads(earlier.read_text()), inputs)
        say(
            f"The index of {network.name} is built anew: {', '.join(parts)} changed. "
            f"The old one stays in {earlier.parent}."
        )
    shapes = {name: network.layer_shape(name) for name in layers}
    return IndexFiles.create(folder, inputs, digests, shapes)
