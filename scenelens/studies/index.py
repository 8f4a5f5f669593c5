"""The activation index: how strongly each unit of a network responds to each image of a study, computed once.

Sections 2 and 3 of the paper need, again and again, the images to which a unit or a layer responds most
strongly. The index answers without another forward pass. Per image and unit it has the peak, its position,
and the sum over the map; for fully connected layers it has the value. The index lies on disk (see
`index_files`). A build that was interrupted or killed is continued, and a change of the inputs is noticed
(see `index_key`).
"""

from __future__ import annotations

import functools
import glob
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens.caches import read_cached
from scenelens.errors import SceneLensError, close_names
from scenelens.files import cache_key, file_name
from scenelens.intervals import wilson_interval
from scenelens.metrics import all_equal
from scenelens.networks import Network, NonFinite
from scenelens.progress import say_on_stderr
from scenelens.studies.behaviour import network_variant
from scenelens.studies.image_source import _ImageSource
from scenelens.studies.index_build import _build_blocks
from scenelens.studies.index_files import (
    _IndexFiles,
)
from scenelens.studies.index_key import _index_inputs

#: Images per forward pass, and images per block on disk. A killed build loses at most one block, about a
#: second of work. Both numbers are part of the index's key.
BATCH, BLOCK = 32, 256

#: Part of the key -> what a sentence calls it.
_IN_WORDS = {
    "format": "the index's own format",
    "architecture": "the network's architecture",
    "weights": "the network's weights",
    "preprocessing": "the preprocessing",
    "images": "the images",
    "n_images": "the number of images",
    "layers": "the layers",
    "blocks": "the block or batch size",
    "versions": "the library versions",
}


class ActivationIndex:
    """Peaks, positions and sums of every unit over every image; open one with `study.index(network)`.

    Parameters
    ----------
    files : _IndexFiles
        The folder that the index lies in, with all its blocks finished.
    images : pandas.DataFrame
        One row per image, in the index's order: ``image`` and, for `layer_preference`, ``source``.
    network : str, optional
        The network's name, for messages.

    Attributes
    ----------
    layers : list of str
        Names of the layers in the index.
    images : pandas.DataFrame
        The table given.
    skipped : pandas.DataFrame
        ``image`` and ``reason`` of the images that could not be read. Their rows hold NaN (position -1), and
        they never appear in a result.
    """

    def __init__(
        self,
        files: _IndexFiles,
        images: pd.DataFrame,
        network: str = "network",
    ) -> None:
        self.images = images.reset_index(drop=True)
        self.network = network
        self.layers: list[str] = list(files.inputs["layers"])
        self._files = files
        # A widget needs the same layer at every click, and an array is read in one piece: a few stay in
        # memory.
        self._read = functools.lru_cache(maxsize=6)(self._checked)
        notes = files.finished()
        rows = [pair for number in sorted(notes) for pair in notes[number]["skipped"]]
        self.skipped = pd.DataFrame(rows, columns=["image", "reason"])
        self._was_read = ~self.images["image"].isin(self.skipped["image"]).to_numpy()

    def _checked(self, name: str) -> np.ndarray:
        """An array of the files. Earlier versions stored numbers that are not finite without an error."""
        values = self._files.read(name)
        # A sum is not finite if a number is not; it needs no memory.
        if values.dtype.kind == "f" and not np.isfinite(values.sum(dtype=np.float64)):
            units = np.flatnonzero(~np.isfinite(values[self._was_read]).all(0))
            if len(units):
                raise NonFinite.error(self.network, name.rpartition("/")[0], units.tolist())
        return values

    def __repr__(self) -> str:
        size = f"{len(self.images):,} images, {len(self.layers)} layers"
        return f"<ActivationIndex of {self.network}: {size}>"

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
        progress: bool = True,
    ) -> ActivationIndex:
        """Open the index of a network over some images, and compute first what is missing.

        Parameters
        ----------
        network : Network
            The network.
        images : pandas.DataFrame
            One row per image: ``image`` (a unique id) and ``path`` (its file, whose content is part of the
            key).
        cache_dir : str or pathlib.Path
            The folder of all indexes, each in a folder of its own. An older index of other inputs stays
            there.
        load : callable
            From an image's id to uint8 RGB, (H, W, 3). It raises SceneLensError or OSError where the image
            cannot be read.
        layers : iterable of str, optional
            Names of layers; by default all of `network.layers`.
        batch_size : int, optional
            Images per forward pass. It is part of the key.
        block_size : int, optional
            Images per block on disk, at least `batch_size`. It is part of the key.
        progress : bool, optional
            Whether to show a progress bar on stderr, and sentences about the time, changed inputs and skipped
            images.

        Returns
        -------
        ActivationIndex
            The complete index.

        Raises
        ------
        SceneLensError
            If there is no image, a layer is unknown, or the disk is full (finished blocks stay valid).

        Notes
        -----
        A build that was killed continues after its last finished block, and arrives at bit-identical arrays
        on the same machine with the same number of threads.
        """
        names = _known_layers(network, layers)
        _check_request(images, batch_size, block_size)
        say = say_on_stderr if progress else _say_nothing
        cache = Path(cache_dir)
        source = _ImageSource(images["image"], images["path"], load)
        digests = source.expect(cache / "digests.json")
        inputs = _index_inputs(network, digests, names, block_size, batch_size)

        shapes = {name: network.layer_shape(name) for name in names}
        with _IndexFiles.disk_errors(cache):
            folder = _folder(cache, network, inputs, say)
            files = _IndexFiles.open_or_borrow(folder, inputs, digests, shapes)

        def rebuild() -> None:
            paths = dict(zip(files.images, map(Path, images["path"]), strict=True))
            files.build_where_writable(
                lambda: _build(network, files, source.load, names, progress, say, paths)
            )

        files.rebuild = rebuild
        if files.missing():
            rebuild()
        index = cls(files, images, network.name)
        if len(index.skipped):
            n = f"{len(index.skipped)} of {len(images):,}"
            say(f"{n} images could not be read and are left out: see index.skipped.")
        return index

    @staticmethod
    def folder_name(
        network: Network, images: pd.DataFrame, cache_dir: str | Path, load: Callable[[str], np.ndarray]
    ) -> str:
        """Return the name of the folder that `build` would use, and build nothing.

        It depends on the content of every image and on the network, so it also names what else is computed
        of these.

        Parameters
        ----------
        network : Network
            The network.
        images : pandas.DataFrame
            As for `build`.
        cache_dir : str or pathlib.Path
            As for `build`.
        load : callable
            As for `build`.

        Returns
        -------
        str
            The name.

        Raises
        ------
        SceneLensError
            If there is no image.
        """
        _check_request(images, BATCH, BLOCK)
        cache = Path(cache_dir)
        with _IndexFiles.disk_errors(cache):
            digests = _ImageSource(images["image"], images["path"], load).expect(cache / "digests.json")
            inputs = _index_inputs(network, digests, _known_layers(network, None), BLOCK, BATCH)
            return _folder(cache, network, inputs, _say_nothing).name

    @property
    def folder(self) -> Path:
        """The index's folder.

        Returns
        -------
        pathlib.Path
            In the cache; a temporary folder where the cache cannot be written.
        """
        return self._files.folder

    def _array(self, layer: str, kind: str) -> np.ndarray:
        """One stored array. It is shared in memory, so public methods return copies of it."""
        if layer not in self.layers:
            raise SceneLensError(f"the index has no layer {layer!r}; {close_names(layer, self.layers)}.")
        return self._read(f"{layer}/{kind if self._has_map(layer) else 'value'}")

    def _has_map(self, layer: str) -> bool:
        return f"{layer}/peak" in self._files.arrays

    def map_shape(self, layer: str) -> tuple[int, int]:
        """The size of a layer's map.

        Parameters
        ----------
        layer : str
            A name in `layers`.

        Returns
        -------
        tuple of int
            (rows, columns); (1, 1) for a fully connected layer.

        Raises
        ------
        SceneLensError
            If the index has no such layer.
        """
        self._array(layer, "peak")
        name = f"{layer}/peak" if self._has_map(layer) else f"{layer}/value"
        return self._files.arrays[name].map

    def peaks(self, layer: str) -> np.ndarray:
        """Each unit's peak in each image.

        Parameters
        ----------
        layer : str
            A name in `layers`.

        Returns
        -------
        numpy.ndarray
            (n_images, units), float32; the unit's value in a fully connected layer; NaN for skipped images.

        Raises
        ------
        SceneLensError
            If the index has no such layer.
        """
        return self._array(layer, "peak").copy()

    def places(self, layer: str) -> np.ndarray:
        """The position of each unit's peak in each image.

        Parameters
        ----------
        layer : str
            A name in `layers`.

        Returns
        -------
        numpy.ndarray
            (n_images, units, 2), int32: (row, col) in the layer's map, the first position in reading order if
            several share the peak. (0, 0) in fully connected layers, (-1, -1) for skipped images.

        Raises
        ------
        SceneLensError
            If the index has no such layer.
        """
        if not self._has_map(layer):
            missing = np.isnan(self._array(layer, "value"))
            return np.repeat(np.where(missing, -1, 0).astype(np.int32)[..., None], 2, axis=2)
        flat = self._array(layer, "place")
        row, col = np.divmod(flat, self.map_shape(layer)[1])
        return np.where(flat[..., None] < 0, -1, np.stack([row, col], axis=2)).astype(np.int32)

    def sums(self, layer: str) -> np.ndarray:
        """The sum over each unit's map in each image.

        Parameters
        ----------
        layer : str
            A name in `layers`.

        Returns
        -------
        numpy.ndarray
            (n_images, units), float32, summed in float32; the value in a fully connected layer; NaN for
            skipped images.

        Raises
        ------
        SceneLensError
            If the index has no such layer.
        """
        return self._array(layer, "sum").copy()

    def values(self, layer: str) -> np.ndarray:
        """A fully connected layer's responses: the feature vector of each image.

        Parameters
        ----------
        layer : str
            A name in `layers`, of a layer without a map.

        Returns
        -------
        numpy.ndarray
            (n_images, units), float32; NaN for skipped images.

        Raises
        ------
        SceneLensError
            If the index has no such layer, or the layer has a map; use `peaks` or `sums` then.
        """
        if layer in self.layers and self._has_map(layer):
            shape = self.map_shape(layer)
            raise SceneLensError(f"{layer} has a map of {shape} positions: take peaks or sums.")
        return self._array(layer, "value").copy()

    def layer_scores(self, layer: str) -> np.ndarray:
        """A layer's response to each image, summed over units and positions (section 2 of the paper).

        Parameters
        ----------
        layer : str
            A name in `layers`.

        Returns
        -------
        numpy.ndarray
            (n_images,), float64; NaN for skipped images.

        Raises
        ------
        SceneLensError
            If the index has no such layer.
        """
        return self._array(layer, "sum").sum(axis=1, dtype=np.float64)

    def top_images(self, layer: str, unit: int, n: int = 60, among: Any = None) -> pd.DataFrame:
        """The images with a unit's highest peaks.

        Parameters
        ----------
        layer : str
            A name in `layers`.
        unit : int
            A unit of the layer, from 0.
        n : int, optional
            How many images (default: 60, as in the paper's section 3.3). The result is shorter where fewer
            images can be read.
        among : array_like of bool, optional
            (n_images,): the images that may appear, such as those of one split or source. By default all may.

        Returns
        -------
        pandas.DataFrame
            ``rank`` (from 0), ``image``, ``peak``, ``row`` and ``col`` (position of the peak in the layer's
            map). Equal peaks stand in the order of the images. A unit with the same peak in all images has
            a further column ``note``, which says so.

        Raises
        ------
        SceneLensError
            If there is no such layer or unit, `n` is below 1, or `among` has another shape.
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
        table = pd.DataFrame({"rank": np.arange(len(order)), **columns})
        return _noted(table, peaks if among is None else peaks[np.asarray(among)], "unit")

    def _unit(self, layer: str, unit: int, kind: str) -> np.ndarray:
        found = self._array(layer, kind)
        if not 0 <= unit < found.shape[1]:
            raise SceneLensError(f"{layer} has units 0 to {found.shape[1] - 1}, not {unit}.")
        return found[:, unit]

    def layer_top_images(self, layer: str, n: int = 100, among: Any = None) -> pd.DataFrame:
        """The images with a layer's highest `layer_scores`.

        Parameters
        ----------
        layer : str
            A name in `layers`.
        n : int, optional
            How many images (default: 100, as in the paper's section 2).
        among : array_like of bool, optional
            (n_images,): the images that may appear. By default all may.

        Returns
        -------
        pandas.DataFrame
            ``rank`` (from 0), ``image``, ``score``. Equal scores stand in the order of the images. A layer
            with the same score on all images has a further column ``note``, which says so.

        Raises
        ------
        SceneLensError
            If there is no such layer, `n` is below 1, or `among` has another shape.
        """
        scores = self.layer_scores(layer)
        order = _highest(scores, n, among)
        images = self.images["image"].to_numpy()[order]
        table = pd.DataFrame({"rank": np.arange(len(order)), "image": images, "score": scores[order]})
        return _noted(table, scores if among is None else scores[np.asarray(among)], "layer")

    def layer_preference(self, layer: str, n: int = 100) -> pd.DataFrame:
        """Which kind of image a layer prefers: the share of each source in its top `n` images (Figure 1).

        Parameters
        ----------
        layer : str
            A name in `layers`.
        n : int, optional
            How many images count (default: 100, as in the paper).

        Returns
        -------
        pandas.DataFrame
            One row per source, in alphabetical order: ``layer``, ``source``, ``n`` (images counted),
            ``count``, ``share``, ``low`` and ``high`` (95% Wilson interval), ``chance`` (the source's share
            of all readable images). Shares are fractions.

        Raises
        ------
        SceneLensError
            If there is no such layer, or `n` is below 1.

        Notes
        -----
        A layer's score on an image is the sum over all its units and positions. A layer whose scores are all
        equal has no preference: its shares are NaN, and a further column ``note`` says why. Where images tie
        for the last places, sources count in proportion; see `_share_of_top`.
        """
        scores = self.layer_scores(layer)
        table = _share_of_top(scores, list(self.images["source"].astype(str)), n)
        table = table.rename(columns={"group": "source"})
        table.insert(0, "layer", layer)
        return _noted(table, scores, "layer")


def _highest(scores: np.ndarray, n: int, among: Any = None) -> np.ndarray:
    """Rows of the `n` highest scores, ties in row order; NaN rows and rows outside `among` never appear."""
    if n < 1:
        raise SceneLensError(f"n counts images and must be at least 1, not {n}.")
    allowed = ~np.isnan(scores)
    if among is not None:
        among = np.asarray(among)
        # Row numbers instead of booleans would be used as a mask without any error, and select other images.
        if among.dtype != bool or among.shape != scores.shape:
            got = f"{among.dtype}{among.shape}"
            raise SceneLensError(f"among must be {len(scores)} booleans, one per image, not {got}.")
        allowed &= among
    rows = np.flatnonzero(allowed)
    # Stable, so that ties keep the order of the images: the result is the same on every machine.
    return rows[np.argsort(-scores[rows], kind="stable")[:n]]


def _noted(table: pd.DataFrame, scores: np.ndarray, what: str) -> pd.DataFrame:
    """The table, with a note where equal scores give no order."""
    if not all_equal(scores):
        return table
    kind = "dead" if np.nanmax(scores) == 0 else "constant"
    return table.assign(note=f"{kind} {what}: it responds equally to all images, so their order says nothing")


def _say_nothing(text: str) -> None:
    pass


def _known_layers(network: Network, layers: Iterable[str] | None) -> list[str]:
    """The layers to index: those given, or all of the network's."""
    known = list(network.layers["layer"])
    chosen = known if layers is None else list(layers)
    for layer in chosen:
        if layer not in known:
            close = close_names(layer, known)
            raise SceneLensError(f"no layer named {layer!r}; {close}. See network.layers.")
    if not chosen:
        raise SceneLensError("an index needs at least one layer; see network.layers.")
    return chosen


def _check_request(images: pd.DataFrame, batch: int, block: int) -> None:
    """Refuse an empty table, repeated ids, and sizes that do not fit, before anything is computed."""
    if not len(images):
        raise SceneLensError("an index needs at least one image; the table of images is empty.")
    repeated = images["image"][images["image"].duplicated()]
    if len(repeated):
        raise SceneLensError(
            f"image ids must be unique; {repeated.iloc[0]!r} is in the table more than once."
        )
    if not 1 <= batch <= block:
        raise SceneLensError(f"batch_size must lie between 1 and block_size ({block}), not {batch}.")


def _build(
    network: Network,
    files: _IndexFiles,
    load: Any,
    layers: list[str],
    progress: bool,
    say: Any,
    paths: Mapping[str, Path],
) -> None:
    with files.lock(say):
        files.sweep()
        # Another process may have finished blocks while this one waited for the lock: look again.
        _build_blocks(network, files, load, layers, files.missing(), paths, progress)


def _folder(cache: Path, network: Network, inputs: dict[str, Any], say: Any) -> Path:
    """The folder for these inputs; where it is new and the network has an older one, say what changed."""
    variant = network_variant(network, cache)
    folder = cache / "-".join(filter(None, [file_name(network.name), cache_key(inputs), variant]))
    earlier = max(
        cache.glob(f"{glob.escape(file_name(network.name))}-*/inputs.json"),
        key=lambda path: path.stat().st_mtime_ns,
        default=None,
    )
    if not folder.exists() and earlier is not None:
        before = read_cached(earlier, json.loads, aside=False)
        parts = _changed_parts(before, inputs) if isinstance(before, dict) else []
        what = ", ".join(parts) or ("what the network computes" if variant else "its inputs")
        say(
            f"The index of {network.name} is built again: {what} changed. "
            f"The old one stays in {earlier.parent}."
        )
    return folder


def _changed_parts(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Which inputs differ between two indexes, one phrase each; both as `_index_inputs` gives them.

    >>> _changed_parts({"weights": "a", "n_images": 3}, {"weights": "b", "n_images": 4})
    ["the network's weights", 'the number of images (3, now 4)']
    >>> _changed_parts({"versions": {"torch": "2.12"}}, {"versions": {"torch": "2.13"}})
    ['the library versions (torch 2.12, now 2.13)']
    """
    parts = []
    for name, words in _IN_WORDS.items():
        before, now = old.get(name), new.get(name)
        if before == now:
            continue
        if name == "n_images":
            words += f" ({before}, now {now})"
        elif name == "versions" and isinstance(before, dict) and isinstance(now, dict):
            moved = [f"{lib} {before.get(lib)}, now {now[lib]}" for lib in now if now[lib] != before.get(lib)]
            words += f" ({'; '.join(moved)})"
        parts.append(words)
    return parts


def _share_of_top(scores: np.ndarray, groups: Sequence[Any], n: int = 100) -> pd.DataFrame:
    """Return which groups the highest scores come from, compared with chance (section 2, Figure 1).

    Edge cases: images whose score is NaN do not take part. With fewer than n images all of them count. Where
    all scores are equal nothing is preferred, and the shares are NaN. Where several images tie for the last
    places, each group counts in proportion to its part of them, so that the order of the images decides
    nothing.

    Parameters
    ----------
    scores : array_like
        (n_images,) numbers, such as an index's `layer_scores`.
    groups : sequence
        (n_images,) what each image belongs to, such as its source.
    n : int, optional
        How many of the highest scores count (default 100).

    Returns
    -------
    pandas.DataFrame
        One row per group in sorted order: ``group``, ``n`` (int, images counted in all), ``count`` (of this
        group; a fraction only after a tie), ``share`` (float, 0..1), ``low`` and ``high`` (its Wilson
        interval, 95%), ``chance`` (float, the group's share of all images that take part).

    Raises
    ------
    SceneLensError
        If scores and groups differ in length, or n is below 1.

    Examples
    --------
    >>> _share_of_top([9, 8, 1, 0], ["scene", "object", "scene", "scene"], n=2)[["group", "share", "chance"]]
        group  share  chance
    0  object    0.5    0.25
    1   scene    0.5    0.75
    """
    values, names = np.asarray(scores, dtype=float), np.asarray(groups, dtype=object)
    if values.shape != names.shape or values.ndim != 1:
        raise SceneLensError(f"one group for each score; got shapes {names.shape} and {values.shape}.")
    if n < 1:
        raise SceneLensError(f"the top of a list has at least one entry, not {n}.")
    kept = ~np.isnan(values)
    values, names = values[kept], names[kept]
    groups = sorted(set(names), key=str)
    rows = [_share(group, values, names == group, min(n, len(values))) for group in groups]
    return pd.DataFrame(rows, columns=["group", "n", "count", "share", "low", "high"]).assign(
        chance=[np.count_nonzero(names == group) / len(names) for group in groups]
    )


def _share(group: Any, values: np.ndarray, members: np.ndarray, n: int) -> dict[str, Any]:
    """One group's share of the n highest values."""
    if all_equal(values):
        return {"group": group, "n": n, "count": 0, "share": np.nan, "low": np.nan, "high": np.nan}
    last = np.partition(values, -n)[-n]
    above, tied = values > last, values == last
    places = n - np.count_nonzero(above)
    k: float = int(np.count_nonzero(above & members))
    if places == np.count_nonzero(tied):
        k += int(np.count_nonzero(tied & members))
    else:
        k += float(places * np.count_nonzero(tied & members) / np.count_nonzero(tied))
    low, high = wilson_interval(k, n)
    return {"group": group, "n": n, "count": k, "share": k / n, "low": low, "high": high}
