"""Labels for all units without a person: each unit's active region beside every annotated concept.

Network Dissection's protocol: a unit is active where its interpolated map exceeds a threshold that only 0.5%
of its responses exceed; its label is the concept with which these pixels overlap best. Images stream through
the network once. Of each there remains what `active_pixels` counts, and one number per unit, the peak, which
waits in a temporary file for the detection AP. Memory does not grow with the number of images, but for a few
bytes each.

The thresholds must be known before anything can be counted, so they come first, from a seeded sample of the
images (all of them, where there are no more than the sample holds). The sample's maps are kept in memory as
far as they fit, and then need no second forward pass.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError, close_names
from scenelens.labels.automatic import AutomaticLabels, LayerCounts, presence_ap
from scenelens.labels.concept_maps import AnnotatedFrame, ConceptMaps
from scenelens.labels.layer_maps import KEPT_BYTES, LayerMaps, Maps
from scenelens.labels.tally import Tally, count
from scenelens.networks import Axis, Network, map_axes
from scenelens.progress import BATCH, Announcer, read_ahead

#: MERGED DOC: The pass over annotated images in which automatic labels are counted, for one network or several at once.
#
# Sentences an image's annotations takes longer than a network's forward pass, so networks that see the same frame
# share it. Of each image there remain counts, a few bytes on what it shows, and the units' peaks in a file.
#


SAMPLE = 512  # images that the thresholds come from
TOP = 60  # images that people were shown; precision is a share of these


def label_units(
    network: Network,
    annotations: Annotations,
    layers: Sequence[str] | None = None,
    images: Sequence[str] | None = None,
    **how: Any,
) -> AutomaticLabels:
    """Measure every unit of some layers beside every concept that the images' annotations hold.

    Parameters
    ----------
    network, annotations : what is looked at, and through which truth.
    layers : without it, those of `network.main_layers()` that have maps.
    images : ids in `annotations`; without it all.
    how : quantile, kinds, sample, n_top, placement, seed, progress; see `label_networks`.

    Returns
    -------
    AutomaticLabels : all counts and measures; `.labels()` gives each unit's best concept.

    Raises
    ------
    SceneLensError : a layer without a map or that is not there, no readable image, a quantile outside 0..1.

    Notes
    -----
    Section 3.3 asks people; this is what Bau, Zhou, Khosla, Oliva and Torralba did later (CVPR 2017). One
    pass over the images; those of the sample whose maps did not fit in 256 MB go through the network a second
    time.

    Examples
    --------
    >>> label_units(None, None, quantile=5)
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: quantile=5 is a share of the responses, above 0 ...
    """
    return label_networks([network], annotations, [layers], images, **how)[0]


def label_networks(
    networks: Sequence[Network],
    annotations: Annotations,
    layers: Sequence[Sequence[str] | None] | None = None,
    images: Sequence[str] | None = None,
    quantile: float = 0.005,
    kinds: Sequence[str] | None = None,
    sample: int = SAMPLE,
    n_top: int = TOP,
    placement: str = "receptive field",
    seed: int = 0,
    progress: bool = True,
) -> list[AutomaticLabels]:
    """`label_units` of several networks; those that see the same frame share one reading of the annotations,
    which takes longer than a network.

    Parameters
    ----------
    networks, annotations : what is looked at, and through which truth.
    layers : of each network; without it, those of its `main_layers()` that have maps.
    images : ids in `annotations`; without it all.
    quantile : share of a unit's responses, over all positions and images, that lie above its threshold.
    kinds : of concepts, see `ConceptMaps`; without it all there are.
    sample : images that the thresholds come from, chosen by `seed`.
    n_top : images of the highest peaks, over which `precision` is a share.
    placement : where a map's positions lie in the frame: 'receptive field', at the centres of their
        theoretical receptive fields; 'resize', evenly, as an image is resized (Network Dissection Lite).

    Returns
    -------
    list of AutomaticLabels, each what `label_units` gives for its network alone.

    Raises
    ------
    SceneLensError : as `label_units`.
    """
    if not 0 < quantile < 1:
        raise SceneLensError(
            f"quantile={quantile} is a share of the responses, above 0 and below 1, such as 0.005."
        )
    if min(sample, n_top) < 1:
        raise SceneLensError(f"sample={sample} and n_top={n_top} are numbers of images, 1 or more.")
    asked = layers or [None] * len(networks)
    chosen = [_layers(network, names) for network, names in zip(networks, asked, strict=True)]
    ids = _images(annotations, images)
    order = [ids[k] for k in np.random.default_rng(seed).permutation(len(ids))]
    how = {"sample": min(sample, len(order)), "placement": placement, "seed": seed}
    found: dict[int, AutomaticLabels] = {}
    for numbers in _same_frames(networks):
        shown = ShownConcepts(ConceptMaps(annotations, networks[numbers[0]], kinds))
        say, room = Announcer(progress), KEPT_BYTES // len(numbers)
        with tempfile.TemporaryDirectory(prefix="scenelens-") as folder:
            counts = []
            for k in numbers:
                forward = LayerMaps(networks[k], chosen[k], say, room)
                thresholds = forward.activation_thresholds(annotations, order[:sample], quantile)
                axes = {layer: map_axes(networks[k], layer, placement) for layer in chosen[k]}
                peaks, n_kinds = Peaks(Path(folder) / str(k)), len(shown.concepts.kinds)
                counts.append(UnitCounts(forward, thresholds, axes, peaks, n_top, n_kinds))
            count_all(counts, shown, order)
            found |= {k: one.result(shown, quantile, how) for k, one in zip(numbers, counts, strict=True)}
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


class Peaks:
    """Every unit's peak in every image, in a file."""

    def __init__(self, path: Path) -> None:
        self.file = open(path, "wb", buffering=1 << 20)  # noqa: SIM115  closed by `ap`

    def add(self, maps: Maps) -> None:
        """Take one image's peaks."""
        with self._room():
            self.file.write(np.concatenate([one.max((1, 2)) for one in maps.values()]).tobytes())

    @contextlib.contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SceneLensError(
                f"{self.file.name} cannot hold the units' peaks ({error.strerror}); free some space, or set "
                "TMPDIR to another folder."
            ) from None

    def ap(
        self, shapes: dict[str, tuple[int, int, int]], shown: Sequence[np.ndarray], n_concepts: int
    ) -> Maps:
        """Layer to (units, n_concepts) average precision; nothing can be added any more.

        Parameters
        ----------
        shown : of every image, the numbers (from 0) of the concepts it shows.
        """
        with self._room():
            self.file.close()
        starts, present = np.cumsum([0, *map(len, shown)]), np.concatenate(shown)
        units = [shape[0] for shape in shapes.values()]
        peaks = np.memmap(self.file.name, np.float32, "r").reshape(len(shown), sum(units))
        columns = np.split(np.arange(sum(units)), np.cumsum(units)[:-1])
        found = (
            presence_ap(peaks[:, part[0] : part[-1] + 1], starts, present, n_concepts) for part in columns
        )
        return dict(zip(shapes, found, strict=True))


class ShownConcepts:
    """Which concepts the images show, and on how many pixels."""

    def __init__(self, concepts: ConceptMaps) -> None:
        self.concepts = concepts
        self.shown: list[np.ndarray] = []  # of every image, the numbers (from 0) of its concepts
        self.skipped: list[tuple[str, str]] = []
        self.areas = np.zeros(1, np.int64)

    def add(self, looked: AnnotatedFrame) -> None:
        """Take one image."""
        n, (height, width) = len(self.concepts), looked.codes.shape[:2]
        areas = np.bincount(looked.codes.ravel(), minlength=n + 1)
        areas[looked.scene] += height * width
        areas[0] = 0
        self.areas = np.pad(self.areas, (0, n + 1 - len(self.areas))) + areas
        shown = self.concepts.present(areas, height * width)
        self.shown.append(np.flatnonzero(shown[1:]).astype(np.int32))

    def table(self) -> pd.DataFrame:
        """One row per concept, with its pixels and images over all."""
        shown = np.bincount(np.concatenate(self.shown), minlength=len(self.concepts))
        return self.concepts.concepts.assign(pixels=self.areas[1:], images=shown)


class UnitCounts:
    """Everything that is counted of one network's units in a pass over the images."""

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

    def count(self, names: Sequence[str], looked: Sequence[AnnotatedFrame], concepts: ConceptMaps) -> None:
        """Take some images."""
        n = len(concepts)
        slots = concepts.slots(n)
        for tally in self.tallies.values():
            tally.make_room(n)
        for one, maps in zip(looked, self.forward.take(names, [o.frame for o in looked]), strict=True):
            for layer, tally in self.tallies.items():
                levels, axes = self.thresholds[layer], self.axes[layer]
                count(tally, maps[layer], levels, one.codes, one.scene, slots, axes)
            self.peaks.add(maps)

    def result(self, shown: ShownConcepts, quantile: float, how: dict[str, Any]) -> AutomaticLabels:
        """All counts and measures; nothing can be counted any more."""
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
        fits = tally.top_fits.reshape(len(tally.active), -1)
        fitting = np.stack([np.bincount(row, minlength=n + 1) for row in fits])[:, 1:]
        return LayerCounts(self.thresholds[layer], tally.active, tally.shared[:, 1 : n + 1], fitting, ap)


def count_all(counts: Sequence[UnitCounts], shown: ShownConcepts, images: list[str]) -> None:
    """Go through the images once, for all networks."""
    say, start, done = counts[0].forward.say, time.perf_counter(), 0
    names_of_networks = ", ".join(one.forward.network.name for one in counts)
    with say.bar(len(images), f"labels of {names_of_networks}") as bar:
        for names, looked, skipped in read_ahead(shown.concepts.annotated_frame, images):
            shown.skipped += skipped
            for image in looked:
                shown.add(image)
            for one in counts:
                one.count(names, looked, shown.concepts)
            done += len(names) + len(skipped)
            bar.update(len(names) + len(skipped))
            if done == BATCH:
                say.estimate((time.perf_counter() - start) * (len(images) / done - 1), "Labelling the rest")
