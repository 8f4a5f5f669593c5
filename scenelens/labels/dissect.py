"""Automatic labels for all units: each unit's active region is compared with every annotated concept.

This is Network Dissection's protocol. A unit is active where its interpolated map exceeds a threshold that
only 0.5% of its responses exceed, and its label is the concept that overlaps best with these pixels. Images
go through the network once. Of each image only counts remain (`Tally`), a few bytes on what it shows, and one
number per unit, the peak, which waits in a temporary file for the detection AP. So memory hardly grows with
the number of images.

The thresholds must be known before anything can be counted. They come from a random sample of the images (all
images, if the sample is large enough). The sample's maps are cached as far as they fit in memory, and then
need no second forward pass.

Reading an image's annotations takes longer than a network's forward pass, so networks that see the same frame
share it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError, close_names
from scenelens.labels.automatic import AutomaticLabels, LayerCounts
from scenelens.labels.concept_maps import AnnotatedFrame, ConceptMaps
from scenelens.labels.layer_maps import KEPT_BYTES, LayerMaps, Maps
from scenelens.labels.peaks import Peaks
from scenelens.labels.tally import Tally
from scenelens.networks import Axis, Network
from scenelens.progress import BATCH, Announcer, read_ahead, say_on_stderr

_SAMPLE = 512  # images that the thresholds come from
_TOP = 60  # images that people were shown; precision is a share of these


class _Options(NamedTuple):
    """The arguments of `label_networks` that are the same for all networks."""

    quantile: float
    kinds: Sequence[str] | None
    sample: int
    n_top: int
    placement: str
    seed: int
    progress: bool


def label_networks(
    networks: Sequence[Network],
    annotations: Annotations,
    layers: Sequence[Sequence[str] | None] | None = None,
    images: Sequence[str] | None = None,
    quantile: float = 0.005,
    kinds: Sequence[str] | None = None,
    sample: int = _SAMPLE,
    n_top: int = _TOP,
    placement: str = "receptive field",
    seed: int = 0,
    progress: bool = True,
) -> list[AutomaticLabels]:
    """Measure every unit of some layers against every concept that the images' annotations contain.

    Parameters
    ----------
    networks : sequence of Network
        The networks. Those that see the same frame share one pass over the annotations.
    annotations : Annotations
        The annotated images.
    layers : sequence of (sequence of str or None), optional
        The layers of each network (default, and for None: those of its `main_layers()` that have maps).
    images : sequence of str, optional
        Ids in `annotations` (default: all).
    quantile : float, optional
        The share of a unit's responses, over all positions and images, that lie above its threshold (default
        0.005).
    kinds : sequence of str, optional
        Kinds of concepts, see `ConceptMaps` (default: all).
    sample : int, optional
        How many images the thresholds come from (default 512).
    n_top : int, optional
        How many images of the highest peaks `precision` is a share of (default 60).
    placement : str, optional
        Where a map's positions lie in the frame. 'receptive field' (default): at the centres of their
        theoretical receptive fields. 'resize': evenly, as an image is resized (Network Dissection Lite).
    seed : int, optional
        Chooses the sample, and the order of the images (default 0).
    progress : bool, optional
        Whether bars are shown (default True).

    Returns
    -------
    list of AutomaticLabels
        All counts and measures of each network; `.labels()` gives each unit's best concept.

    Raises
    ------
    SceneLensError
        If a layer is unknown or has no map, no image can be read, or an option is out of range.

    Notes
    -----
    Section 3.3 of the paper asks people; this is what Bau, Zhou, Khosla, Oliva and Torralba did later (CVPR
    2017). Images of the sample whose maps did not fit in 256 MiB go through the network a second time.

    Examples
    --------
    >>> label_networks([], None, quantile=5)
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: quantile=5 is a share of the responses, above 0 ...
    """
    if not 0 < quantile < 1:
        raise SceneLensError(
            f"quantile={quantile} is a share of the responses, above 0 and below 1, such as 0.005."
        )
    if min(sample, n_top) < 1:
        raise SceneLensError(f"sample={sample} and n_top={n_top} are numbers of images, 1 or more.")
    named = layers or [None] * len(networks)
    chosen = [_layers(network, names) for network, names in zip(networks, named, strict=True)]
    ids = _images(annotations, images)
    order = [ids[k] for k in np.random.default_rng(seed).permutation(len(ids))]
    options = _Options(quantile, kinds, sample, n_top, placement, seed, progress)
    found: dict[int, AutomaticLabels] = {}
    for numbers in _same_frames(networks):
        group = [(networks[k], chosen[k]) for k in numbers]
        found |= zip(numbers, _label_group(group, annotations, order, options), strict=True)
    return [found[k] for k in range(len(networks))]


def _same_frames(networks: Sequence[Network]) -> list[list[int]]:
    """The networks' numbers, in groups that see the same frame of a photograph."""
    groups: dict[object, list[int]] = {}
    for k, network in enumerate(networks):
        groups.setdefault(network.preprocessing.framing, []).append(k)
    return list(groups.values())


def _layers(network: Network, layers: Sequence[str] | None) -> list[str]:
    names = list(network.main_layers() if layers is None else layers)
    flat = [name for name in names if network.layer_shape(name)[1:] == (1, 1)]
    if flat and layers is not None:
        raise SceneLensError(f"layer {flat[0]!r} has no map, so no region; take one whose map is not (1, 1).")
    chosen = [name for name in names if name not in flat]
    if not chosen:
        raise SceneLensError("no layer to label; name some that have maps, see network.layers.")
    return chosen


def _images(annotations: Annotations, images: Sequence[str] | None) -> list[str]:
    ids = list(annotations if images is None else images)
    known = set(annotations.images)
    for image in ids:
        if image not in known:
            raise SceneLensError(f"no annotated image {image!r}; {close_names(image, annotations.images)}.")
    if not ids:
        raise SceneLensError("there are no annotated images to label units with.")
    return ids


def _label_group(
    group: list[tuple[Network, list[str]]], annotations: Annotations, order: list[str], options: _Options
) -> list[AutomaticLabels]:
    """Label networks that see the same frame, each with its layers."""
    shown = _ShownConcepts(ConceptMaps(annotations, group[0][0], options.kinds))
    say, room = Announcer(options.progress), KEPT_BYTES // len(group)
    with tempfile.TemporaryDirectory(prefix="scenelens-") as folder:
        counts = []
        for k, (network, layers) in enumerate(group):
            forward = LayerMaps(network, layers, say, room)
            thresholds = forward.activation_thresholds(annotations, order[: options.sample], options.quantile)
            axes = {layer: network.axes(layer, options.placement) for layer in layers}
            peaks, n_kinds = Peaks(Path(folder) / str(k)), len(shown.concepts.kinds)
            counts.append(_UnitCounts(forward, thresholds, axes, peaks, options.n_top, n_kinds))
        _count_all(counts, shown, order)
        how = {
            "sample": min(options.sample, len(order)),
            "placement": options.placement,
            "seed": options.seed,
        }
        return [one.result(shown, options.quantile, how) for one in counts]


class _ShownConcepts:
    """Which concepts the images show, and on how many pixels."""

    def __init__(self, concepts: ConceptMaps) -> None:
        self.concepts = concepts
        self.shown: list[np.ndarray] = []  # for every image the numbers (from 0) of its concepts
        self.skipped: list[tuple[str, str]] = []
        self.areas = np.zeros(1, np.int64)

    def add(self, image: AnnotatedFrame) -> None:
        """Add one image."""
        n, (height, width) = len(self.concepts), image.codes.shape[:2]
        areas = np.bincount(image.codes.ravel(), minlength=n + 1)
        areas[image.scene] += height * width
        areas[0] = 0
        # New concepts may have turned up since the last image.
        self.areas = np.pad(self.areas, (0, n + 1 - len(self.areas))) + areas
        shown = self.concepts.present(areas, height * width)
        self.shown.append(np.flatnonzero(shown[1:]).astype(np.int32))

    def table(self) -> pd.DataFrame:
        """One row per concept, with its pixels and images over all."""
        shown = np.bincount(np.concatenate(self.shown), minlength=len(self.concepts))
        return self.concepts.concepts.assign(pixels=self.areas[1:], images=shown)


class _UnitCounts:
    """Everything that is counted for one network's units in a pass over the images."""

    def __init__(
        self,
        forward: LayerMaps,
        thresholds: Maps,
        axes: dict[str, tuple[Axis, Axis]],
        peaks: Peaks,
        n_top: int,
        n_kinds: int,
    ) -> None:
        self.forward, self.thresholds, self.axes, self.peaks = forward, thresholds, axes, peaks
        self.n_top = n_top
        shapes = forward.shapes.items()
        self.tallies = {layer: Tally.empty(shape[0], n_top, n_kinds) for layer, shape in shapes}

    def count(self, names: Sequence[str], images: Sequence[AnnotatedFrame], concepts: ConceptMaps) -> None:
        """Add some images."""
        n = len(concepts)
        slots = concepts.slots(n)
        for tally in self.tallies.values():
            tally.make_room(n)
        frames = [one.frame for one in images]
        for one, maps in zip(images, self.forward.take(names, frames), strict=True):
            for layer, tally in self.tallies.items():
                levels, axes = self.thresholds[layer], self.axes[layer]
                tally.count(maps[layer], levels, one.codes, one.scene, slots, axes)
            self.peaks.add(maps)

    def result(self, shown: _ShownConcepts, quantile: float, how: dict[str, Any]) -> AutomaticLabels:
        """All counts and measures. Nothing can be counted afterwards."""
        n_images, n = len(shown.shown), len(shown.concepts)
        if not n_images:
            raise SceneLensError(f"no image could be read; the first: {shown.skipped[0][1]}")
        ap = self.peaks.ap(self.forward.shapes, shown.shown, n)
        counts = {layer: self._layer(layer, tally, ap[layer], n) for layer, tally in self.tallies.items()}
        network = self.forward.network
        return AutomaticLabels(
            network=network.name,
            concepts=shown.table(),
            counts=counts,
            n_images=n_images,
            n_pixels=n_images * int(np.prod(network.input_size)),
            n_top=min(self.n_top, n_images),
            quantile=quantile,
            skipped=tuple(shown.skipped),
            provenance=how | {"weights": network.weights_hash, "n_images": n_images, "quantile": quantile},
        )

    def _layer(self, layer: str, tally: Tally, ap: np.ndarray, n: int) -> LayerCounts:
        tally.make_room(n)
        # In how many of a unit's top images each concept fits; column 0 is no concept.
        fits = tally.top_fits.reshape(len(tally.active), -1)
        fitting = np.stack([np.bincount(row, minlength=n + 1) for row in fits])[:, 1:]
        return LayerCounts(self.thresholds[layer], tally.active, tally.shared[:, 1 : n + 1], fitting, ap)


def _count_all(counts: Sequence[_UnitCounts], shown: _ShownConcepts, images: list[str]) -> None:
    """Go through the images once, for all networks."""
    say, start, done = counts[0].forward.say, time.perf_counter(), 0
    names_of_networks = ", ".join(one.forward.network.name for one in counts)
    with say.bar(len(images), f"labels of {names_of_networks}") as bar:
        for names, annotated, skipped in read_ahead(shown.concepts.annotated_frame, images):
            shown.skipped += skipped
            for image in annotated:
                shown.add(image)
            for one in counts:
                one.count(names, annotated, shown.concepts)
            done += len(names) + len(skipped)
            bar.update(len(names) + len(skipped))
            if done == BATCH:  # the first batch is enough for an estimate
                say.estimate((time.perf_counter() - start) * (len(images) / done - 1), "Labelling the rest")
    if shown.skipped and say.progress:
        say_on_stderr(_left_out(shown.skipped, len(images)))


def _left_out(skipped: list[tuple[str, str]], n: int) -> str:
    """Which images could not be read, as a sentence.

    >>> _left_out([("a.jpg", "there is no image a.jpg.")], 36)
    '1 of 36 images could not be read and counts nowhere: a.jpg (there is no image a.jpg.)'
    """
    first = "; ".join(f"{image} ({reason})" for image, reason in skipped[:3])
    more = f"; and {len(skipped) - 3} more, see .skipped" if len(skipped) > 3 else ""
    counts = "count" if len(skipped) > 1 else "counts"
    return f"{len(skipped)} of {n} images could not be read and {counts} nowhere: {first}{more}"
