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
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scenelens.active_pixels import Axis, Tally, axis, count
from scenelens.annotations import Annotations
from scenelens.automatic_labels import AutomaticLabels, LayerCounts, presence_ap
from scenelens.concept_maps import ConceptMaps, Looked
from scenelens.errors import SceneLensError, close_names
from scenelens.layer_maps import BATCH, Announcer, LayerMaps, Maps, read_ahead

if TYPE_CHECKING:
    from scenelens.networks import Network

SAMPLE = 512  # images that the thresholds come from
TOP = 60  # images that people were shown; precision is a share of these


def label_units(
    network: Network,
    annotations: Annotations,
    layers: Sequence[str] | None = None,
    images: Sequence[str] | None = None,
    quantile: float = 0.005,
    kinds: Sequence[str] | None = None,
    sample: int = SAMPLE,
    n_top: int = TOP,
    placement: str = "receptive field",
    seed: int = 0,
    progress: bool = True,
) -> AutomaticLabels:
    """Measure every unit of some layers beside every concept that the images' annotations hold.

    Parameters
    ----------
    network, annotations : what is looked at, and through which truth.
    layers : without it, those of `network.main_layers()` that have maps.
    images : ids in `annotations`; without it all.
    quantile : share of a unit's responses, over all positions and images, that lie above its threshold.
    kinds : of concepts, see `ConceptMaps`; without it all there are.
    sample : images that the thresholds come from, chosen by `seed`.
    n_top : images of the highest peaks, over which `precision` is a share.
    placement : where a map's positions lie in the frame: 'receptive field', at the centres of their
        theoretical receptive fields; 'resize', evenly, as an image is resized (Network Dissection Lite).

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
    if not 0 < quantile < 1:
        raise SceneLensError(
            f"quantile={quantile} is a share of the responses, above 0 and below 1, such as 0.005."
        )
    if min(sample, n_top) < 1:
        raise SceneLensError(f"sample={sample} and n_top={n_top} are numbers of images, 1 or more.")
    chosen = _layers(network, layers)
    ids = _images(annotations, images)
    order = [ids[k] for k in np.random.default_rng(seed).permutation(len(ids))]
    concepts = ConceptMaps(annotations, network, None if kinds is None else list(kinds))
    axes = {layer: map_axes(network, layer, placement) for layer in chosen}
    say = Announcer(progress)
    forward = LayerMaps(network, chosen, say)
    thresholds = forward.calibrate(annotations, order[:sample], quantile)
    with tempfile.TemporaryDirectory(prefix="scenelens-") as folder:
        run = _Run(forward, concepts, thresholds, axes, _Peaks(Path(folder)), n_top)
        run.count_all(order)
        return run.result(quantile, {"sample": min(sample, len(order)), "placement": placement, "seed": seed})


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


def map_axes(network: Network, layer: str, placement: str = "receptive field") -> tuple[Axis, Axis]:
    """Where a layer's positions lie in the frame, for rows and for columns; see `label_units`."""
    if placement not in ("receptive field", "resize"):
        raise SceneLensError(f"no placement {placement!r}; take 'receptive field' or 'resize'.")
    shape, size = network.layer_shape(layer)[1:], network.input_size
    strides = [length / n for length, n in zip(size, shape, strict=True)]
    starts = [(stride - 1) / 2 for stride in strides]
    if placement == "receptive field":
        row = network.layers.set_index("layer").loc[layer] if layer in set(network.layers.layer) else None
        if (
            row is not None and not np.isnan(np.atleast_1d(row.rf_stride)).any()
        ):  # else as an image is resized
            strides, starts = (np.broadcast_to(value, 2).tolist() for value in (row.rf_stride, row.rf_start))
    rows, columns = (axis(*place) for place in zip(shape, size, starts, strides, strict=True))
    return rows, columns


class _Peaks:
    """Every unit's peak in every image, and which concepts each image shows; the peaks lie in a file."""

    def __init__(self, folder: Path) -> None:
        self.file = open(folder / "peaks", "wb", buffering=1 << 20)  # noqa: SIM115  closed by `ap`
        self.shown: list[np.ndarray] = []

    def add(self, maps: Maps, shown: np.ndarray) -> None:
        """Take one image's peaks and the numbers (from 0) of the concepts it shows."""
        with self._room():
            self.file.write(np.concatenate([one.max((1, 2)) for one in maps.values()]).tobytes())
        self.shown.append(shown.astype(np.int32))

    @contextlib.contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SceneLensError(
                f"{self.file.name} cannot hold the units' peaks ({error.strerror}); free some space, or set "
                "TMPDIR to another folder."
            ) from None

    def ap(self, shapes: dict[str, tuple[int, int, int]], n_concepts: int) -> Maps:
        """Layer to (units, n_concepts) average precision; nothing can be added any more."""
        with self._room():
            self.file.close()
        starts, shown = np.cumsum([0, *map(len, self.shown)]), np.concatenate(self.shown)
        units = [shape[0] for shape in shapes.values()]
        peaks = np.memmap(self.file.name, np.float32, "r").reshape(len(self.shown), sum(units))
        columns = np.split(np.arange(sum(units)), np.cumsum(units)[:-1])
        found = (presence_ap(peaks[:, part[0] : part[-1] + 1], starts, shown, n_concepts) for part in columns)
        return dict(zip(shapes, found, strict=True))


@dataclass
class _Run:
    """The pass in which everything is counted."""

    forward: LayerMaps
    concepts: ConceptMaps
    thresholds: Maps
    axes: dict[str, tuple[Axis, Axis]]
    peaks: _Peaks
    n_top: int
    skipped: list[tuple[str, str]] = field(default_factory=list)
    areas: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))

    def __post_init__(self) -> None:
        n_kinds = len(self.concepts.kinds)
        shapes = self.forward.shapes.items()
        self.tallies = {layer: Tally.empty(shape[0], self.n_top, n_kinds) for layer, shape in shapes}

    def count_all(self, images: list[str]) -> None:
        say, start, done = self.forward.say, time.perf_counter(), 0
        with say.bar(len(images), f"labels of {self.forward.network.name}") as bar:
            for names, looked, skipped in read_ahead(self.concepts.look, images):
                self.skipped += skipped
                for one, maps in zip(
                    looked, self.forward.take(names, [o.frame for o in looked]), strict=True
                ):
                    self._count(one, maps)
                done += len(names) + len(skipped)
                bar.update(len(names) + len(skipped))
                if done == BATCH:
                    say.estimate(
                        (time.perf_counter() - start) * (len(images) / done - 1), "Labelling the rest"
                    )

    def _count(self, looked: Looked, maps: Maps) -> None:
        n = len(self.concepts)
        slots = self.concepts.slots(n)
        for layer, tally in self.tallies.items():
            tally.make_room(n)
            count(
                tally,
                maps[layer],
                self.thresholds[layer],
                looked.codes,
                looked.scene,
                slots,
                self.axes[layer],
            )
        areas = np.bincount(looked.codes.ravel(), minlength=n + 1)
        areas[looked.scene] += looked.codes.shape[0] * looked.codes.shape[1]
        areas[0] = 0
        self.areas = np.pad(self.areas, (0, n + 1 - len(self.areas))) + areas
        shown = self.concepts.present(areas, looked.frame.shape[0] * looked.frame.shape[1])
        self.peaks.add(maps, np.flatnonzero(shown[1:]))

    def result(self, quantile: float, how: dict[str, Any]) -> AutomaticLabels:
        n_images, n = len(self.peaks.shown), len(self.concepts)
        if not n_images:
            raise SceneLensError(f"no image could be read; the first: {self.skipped[0][1]}")
        shown = np.bincount(np.concatenate(self.peaks.shown), minlength=n)
        concepts = self.concepts.concepts.assign(pixels=self.areas[1:], images=shown)
        n_top = min(self.n_top, n_images)
        ap = self.peaks.ap(self.forward.shapes, n)
        counts = {layer: self._layer(layer, tally, ap[layer], n) for layer, tally in self.tallies.items()}
        network = self.forward.network
        how |= {"weights": network.weights_hash, "n_images": n_images, "quantile": quantile}
        pixels = n_images * int(np.prod(network.input_size))
        skipped = tuple(self.skipped)
        return AutomaticLabels(
            network.name, concepts, counts, n_images, pixels, n_top, quantile, skipped, how
        )

    def _layer(self, layer: str, tally: Tally, ap: np.ndarray, n: int) -> LayerCounts:
        tally.make_room(n)
        fits = tally.top_fits.reshape(len(tally.active), -1)
        fitting = np.stack([np.bincount(row, minlength=n + 1) for row in fits])[:, 1:]
        return LayerCounts(self.thresholds[layer], tally.active, tally.shared[:, 1 : n + 1], fitting, ap)
