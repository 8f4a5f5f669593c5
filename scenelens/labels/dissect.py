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
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError, close_names
from scenelens.files import digest
from scenelens.labels.automatic import AutomaticLabels, LayerCounts
from scenelens.labels.concept_maps import AnnotatedFrame, ConceptMaps
from scenelens.labels.halves import _FoldCounts, _Folds, deal_folds
from scenelens.labels.layer_maps import KEPT_BYTES, LayerMaps, Maps
from scenelens.labels.peaks import Peaks
from scenelens.labels.tally import Tally
from scenelens.networks import Network
from scenelens.progress import BATCH, Announcer, read_ahead, say_on_stderr
from scenelens.unfinished import Packed, Unfinished

_SAMPLE = 512  # images that the thresholds come from
_TALLY = tuple(one.name for one in fields(Tally))
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
    keep_at: Sequence[Path] | None = None,
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
    keep_at : sequence of pathlib.Path, optional
        The cache file of each network's labels. The counts so far are kept next to it every few seconds, and
        a call after a killed one goes on from there.

    Returns
    -------
    list of AutomaticLabels
        All counts and measures of each network; `.labels()` gives each unit's best concept.

    Raises
    ------
    SceneLensError
        If a layer is unknown or has no map, no image can be read, an option is out of range, or a file of the
        images or annotations changed meanwhile.

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
    kept: Sequence[Path | None] = keep_at or [None] * len(networks)
    jobs = [_Job(*one, annotations, order, options) for one in zip(networks, chosen, kept, strict=True)]
    found: dict[int, AutomaticLabels] = {}
    for numbers in _in_one_pass(jobs):
        found |= zip(numbers, _label_group([jobs[k] for k in numbers]), strict=True)
    return [found[k] for k in range(len(networks))]


class _Job:
    """One network that is to be labelled, and what an earlier process has done of it."""

    def __init__(
        self,
        network: Network,
        layers: list[str],
        kept: Path | None,
        annotations: Annotations,
        order: list[str],
        options: _Options,
    ) -> None:
        self.network, self.layers = network, layers
        self.annotations, self.order, self.options = annotations, order, options
        self.folds = deal_folds(order)
        stamps = AutomaticLabels.stamps(annotations)
        about = [layers, digest(repr((order, options)))]
        self.thresholds, self.counts = (
            Unfinished(kept, what, about, stamps) for what in ("thresholds", "counts")
        )


def _in_one_pass(jobs: Sequence[_Job]) -> list[list[int]]:
    """The jobs' numbers, in groups that see the same frame of a photograph, and are equally far."""
    groups: dict[object, list[int]] = {}
    for k, job in enumerate(jobs):
        groups.setdefault((job.network.preprocessing.framing, job.counts.done), []).append(k)
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


def _label_group(jobs: Sequence[_Job]) -> list[AutomaticLabels]:
    """Label networks that see the same frame, each with its layers."""
    order, options, annotations = jobs[0].order, jobs[0].options, jobs[0].annotations
    shown = _ShownConcepts(ConceptMaps(annotations, jobs[0].network, options.kinds), jobs[0].folds)
    say, room = Announcer(options.progress), KEPT_BYTES // len(jobs)
    with tempfile.TemporaryDirectory(prefix="scenelens-") as folder:
        counts = []
        for k, job in enumerate(jobs):
            forward = LayerMaps(job.network, job.layers, say, room)
            counts.append(_UnitCounts(job, forward, Peaks(Path(folder) / str(k)), len(shown.concepts.kinds)))
        done = jobs[0].counts.done
        if done:
            shown.restore(jobs[0].counts)
        if done and options.progress:
            say_on_stderr(f"{done:,} of {len(order):,} images were counted earlier; the others follow.")
        for one in counts:
            one.prepare()
        _count_all(counts, shown, order)
        how = {
            "sample": min(options.sample, len(order)),
            "placement": options.placement,
            "seed": options.seed,
        }
        return [one.result(shown, options.quantile, how) for one in counts]


class _ShownConcepts:
    """Which concepts the images show, and on how many pixels, in each fold."""

    def __init__(self, concepts: ConceptMaps, folds: Mapping[str, int]) -> None:
        self.concepts, self._folds = concepts, folds
        self.shown: list[np.ndarray] = []  # for every image the numbers (from 0) of its concepts
        self.folds: list[int] = []  # and its fold
        self.skipped: list[tuple[str, str]] = []
        self.areas = np.zeros((1 + max(folds.values()), 1), np.int64)

    def add(self, name: str, image: AnnotatedFrame) -> None:
        """Add one image."""
        n, (height, width) = len(self.concepts), image.frame.shape[:2]
        areas = image.shown.areas(n)
        areas[image.scene] += height * width
        areas[0] = 0
        # New concepts may have turned up since the last image.
        self.areas = np.pad(self.areas, ((0, 0), (0, n + 1 - self.areas.shape[1])))
        self.areas[self._folds[name]] += areas
        shown = self.concepts.present(areas, height * width)
        self.shown.append(np.flatnonzero(shown[1:]).astype(np.int32))
        self.folds.append(self._folds[name])

    def state(self) -> dict[str, Any]:
        """What `restore` needs besides `news`, as a JSON value."""
        return {"order": self.concepts.order, "areas": self.areas.tolist()}

    def news(self, images: int, skipped: int) -> Packed:
        """What is known of the images after the first ones, and after the first skipped ones."""
        shown = self.shown[images:]
        ends = np.cumsum([len(one) for one in shown], dtype=np.int64)
        arrays = {"shown": _joined(shown, np.int32), "ends": ends}
        return self.skipped[skipped:], arrays | {"folds": np.array(self.folds[images:], np.int32)}

    def restore(self, work: Unfinished) -> None:
        """Take over what an earlier process found."""
        self.concepts.order = work.total[0]["order"]
        self.areas = np.array(work.total[0]["areas"], np.int64)
        for skipped, arrays in work.parts:
            self.skipped += [(image, reason) for image, reason in skipped]
            self.folds += arrays["folds"].tolist()
            self.shown += np.split(arrays["shown"], arrays["ends"][:-1]) if len(arrays["ends"]) else []

    def table(self) -> pd.DataFrame:
        """One row per concept, with its pixels and images over all."""
        folds = self.by_fold()
        return self.concepts.concepts.assign(pixels=folds.pixels.sum(0), images=folds.images.sum(0))

    def by_fold(self) -> _Folds:
        """The pixels and images of each concept in each fold."""
        n, of_image = len(self.areas), np.array(self.folds, int)
        images = np.zeros((n, len(self.concepts)), np.int64)
        of_concept = np.repeat(of_image, [len(one) for one in self.shown])
        np.add.at(images, (of_concept, np.concatenate(self.shown)), 1)
        return _Folds(self.areas[:, 1:], images, np.bincount(of_image, minlength=n))


def _joined(arrays: Sequence[np.ndarray], dtype: Any) -> np.ndarray:
    """The arrays as one; an empty one where there are none."""
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype)


class _UnitCounts:
    """Everything that is counted for one network's units in a pass over the images."""

    def __init__(self, job: _Job, forward: LayerMaps, peaks: Peaks, n_kinds: int) -> None:
        self.job, self.forward, self.peaks = job, forward, peaks
        self.axes = {layer: job.network.axes(layer, job.options.placement) for layer in job.layers}
        self.n_top = job.options.n_top
        self.n_folds = 1 + max(job.folds.values())
        most = (1 + len(job.folds) // self.n_folds) * int(np.prod(job.network.input_size))
        self.tallies = {
            layer: Tally.empty(shape[0], self.n_top, n_kinds, self.n_folds, most)
            for layer, shape in forward.shapes.items()
        }
        self.thresholds: Maps = {}
        self._fresh: list[np.ndarray] = []  # the peaks of each image since the latest state on disk
        self._kept = (0, 0)  # how many images and skipped images that state has

    def prepare(self) -> None:
        """Take over what an earlier process counted, or find the thresholds."""
        job, sample = self.job, self.job.order[: self.job.options.sample]
        if job.counts.done:
            self._restore(job.counts)
        else:
            quantile = job.options.quantile
            self.thresholds = self.forward.activation_thresholds(
                job.annotations, sample, quantile, job.thresholds
            )
        self.forward.cache_again(job.annotations, sample[job.counts.done :])

    def _restore(self, work: Unfinished) -> None:
        about, arrays = work.total
        self.forward.chosen = about["chosen"]
        for k, layer in enumerate(self.tallies):
            self.thresholds[layer] = arrays[f"{k} thresholds"]
            self.tallies[layer] = Tally(*(arrays[f"{k} {name}"] for name in _TALLY))
        for _, part in work.parts:
            self.peaks.add(part["peaks"])
        self._kept = (
            sum(len(part["ends"]) for _, part in work.parts),
            sum(len(one) for one, _ in work.parts),
        )

    def keep(self, done: int, shown: _ShownConcepts) -> None:
        """Write the state to disk."""
        self.job.counts.save(done, self._state(shown), self._news(shown))

    def _state(self, shown: _ShownConcepts) -> Packed:
        arrays = {f"{k} thresholds": self.thresholds[layer] for k, layer in enumerate(self.tallies)}
        for k, tally in enumerate(self.tallies.values()):
            arrays |= {f"{k} {name}": getattr(tally, name) for name in _TALLY}
        return shown.state() | {"chosen": self.forward.chosen}, arrays

    def _news(self, shown: _ShownConcepts) -> Packed:
        skipped, arrays = shown.news(*self._kept)
        self._kept, fresh = (len(shown.shown), len(shown.skipped)), self._fresh
        self._fresh = []
        return skipped, arrays | {"peaks": np.stack(fresh) if fresh else np.zeros((0, 0), np.float32)}

    def count(self, names: Sequence[str], images: Sequence[AnnotatedFrame], concepts: ConceptMaps) -> None:
        """Add some images."""
        n = len(concepts)
        slots = concepts.slots(n)
        for tally in self.tallies.values():
            tally.make_room(n)
        frames = [one.frame for one in images]
        taken = self.forward.take(names, frames, self.job.annotations)
        for name, one, maps in zip(names, images, taken, strict=True):
            highest = {layer: values.reshape(len(values), -1).max(1) for layer, values in maps.items()}
            for layer, tally in self.tallies.items():
                levels, axes = self.thresholds[layer], self.axes[layer]
                how = {"peaks": highest[layer], "fold": self.job.folds[name]}
                tally.count(maps[layer], levels, one.shown, one.scene, slots, axes, **how)
            peaks = np.concatenate(list(highest.values()))
            self.peaks.add(peaks)
            self._fresh.append(peaks)

    def result(self, shown: _ShownConcepts, quantile: float, how: dict[str, Any]) -> AutomaticLabels:
        """All counts and measures. Nothing can be counted afterwards."""
        n_images, n = len(shown.shown), len(shown.concepts)
        if not n_images:
            raise SceneLensError(f"no image could be read; the first: {shown.skipped[0][1]}")
        self.job.counts.check_files()
        first = np.array(shown.folds) < self.n_folds // 2
        ap = self.peaks.ap(self.forward.shapes, shown.shown, n, (np.ones(n_images, bool), first, ~first))
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
            folds=shown.by_fold(),
        )

    def _layer(self, layer: str, tally: Tally, ap: np.ndarray, n: int) -> LayerCounts:
        tally.make_room(n)
        shared = tally.fold_shared[:, :, 1 : n + 1]
        fitting, top = self._fitting(tally, n)
        folds = _FoldCounts(tally.fold_active, shared, fitting, top, ap[1:].astype(np.float32))
        totals = tally.active, shared.sum(0, dtype=np.int64), fitting.sum(0, dtype=np.int64)
        return LayerCounts(self.thresholds[layer], *totals, ap[0], folds)

    def _fitting(self, tally: Tally, n: int) -> tuple[np.ndarray, np.ndarray]:
        """In how many of a unit's top images each concept fits, and how many these are, in each fold."""
        units = np.arange(len(tally.top_folds))[:, None]
        fitting = np.zeros((self.n_folds, len(units), n + 1), np.int32)
        top = np.zeros((self.n_folds, len(units)), np.int32)
        there = tally.top_folds >= 0
        np.add.at(top, (tally.top_folds[there], np.broadcast_to(units, there.shape)[there]), 1)
        for kind in range(tally.top_fits.shape[2]):
            np.add.at(fitting, (tally.top_folds, units, tally.top_fits[:, :, kind]), there)
        return fitting[:, :, 1:], top  # column 0 is no concept


def _count_all(counts: Sequence[_UnitCounts], shown: _ShownConcepts, images: list[str]) -> None:
    """Go through the images that are left once, for all networks."""
    say, start, first = counts[0].forward.say, time.perf_counter(), counts[0].job.counts.done
    names_of_networks, done = ", ".join(one.forward.network.name for one in counts), first
    with say.bar(len(images), f"labels of {names_of_networks}") as bar:
        bar.update(first)
        for names, annotated, skipped in read_ahead(shown.concepts.annotated_frame, images[first:]):
            shown.skipped += skipped
            for name, image in zip(names, annotated, strict=True):
                shown.add(name, image)
            for one in counts:
                one.count(names, annotated, shown.concepts)
            done += len(names) + len(skipped)
            bar.update(len(names) + len(skipped))
            if counts[0].job.counts.due:  # all together, so that all can go on together
                for one in counts:
                    one.keep(done, shown)
            if done - first == BATCH:  # the first batch is enough for an estimate
                seconds = time.perf_counter() - start
                say.estimate(seconds * (len(images) - done) / BATCH, "Labelling the rest")
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
