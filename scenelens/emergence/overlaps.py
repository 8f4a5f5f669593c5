"""What the units of one layer share with every concept, image by image: for scenes alone, and to be shuffled.

The labels of units count all annotated images together. Section 4.1 is about scenes, so here the counts of
scenes are kept apart. And to know which overlaps need the right image, the annotations must be dealt out
anew. For that each image is kept on a grid of pixels: where each unit is active, and which concepts are
there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations
from scenelens.errors import CannotAnswerError
from scenelens.labels import (
    N_FOLDS,
    AnnotatedFrame,
    AutomaticLabels,
    ConceptMaps,
    LayerMaps,
    Maps,
    Tally,
    deal_folds,
)
from scenelens.networks import Network
from scenelens.progress import Announcer, read_ahead
from scenelens.studies import Study
from scenelens.unfinished import Packed, Unfinished

_SIDE = 57  # the grid has at most so many rows and columns
_SAMPLED = 10_000  # images that are kept for shuffling, at most
_PARTS = 1 + N_FOLDS  # close-ups are part 0; scenes are dealt into folds, see `labels.halves`


class _Pictures(NamedTuple):
    """The annotated images in random order, and which of them may swap their annotations.

    Attributes
    ----------
    images : list of str
        Their ids in the annotations.
    scene : numpy.ndarray
        (n,) bool, whether each shows a scene.
    source : numpy.ndarray
        (n,) int, the number of its set of annotations and kind of images.
    category : numpy.ndarray
        (n,) int, the number of its scene category, or of the object of a close-up; -1 where it is not known.
    part : numpy.ndarray
        (n,) int, the part in which it is counted, below `_PARTS`: 0 for close-ups, from 1 for scenes.
    """

    images: list[str]
    scene: np.ndarray
    source: np.ndarray
    category: np.ndarray
    part: np.ndarray

    @classmethod
    def of(cls, study: Study, seed: int = 0) -> _Pictures:
        """Divide a study's annotated images.

        Parameters
        ----------
        study : Study
            An open study with annotations.
        seed : int, optional
            Of the order (default 0).

        Returns
        -------
        _Pictures
            Of all annotated images.
        """
        known = study.need_annotations()
        order = np.random.default_rng(seed).permutation(len(known.images))
        images, scenes = [known.images[k] for k in order], set(study.scene_images())
        several = len(study.annotation_sets) > 1
        sets = [image.partition("/")[0] if several else "" for image in images]
        sources = [(name, image in scenes) for name, image in zip(sets, images, strict=True)]
        categories = _categories(study, known)
        kinds = [(*source, categories.get(image, "")) for source, image in zip(sources, images, strict=True)]
        shows = np.array([image in scenes for image in images], bool)
        unknown = np.array([not kind[-1] for kind in kinds], bool)
        folds = deal_folds([image for image in images if image in scenes])
        parts = np.array([1 + folds[image] if image in scenes else 0 for image in images], np.int64)
        return cls(images, shows, _numbers(sources), np.where(unknown, -1, _numbers(kinds)), parts)


def _categories(study: Study, known: Annotations) -> dict[str, str]:
    """The scene category of each scene, and the object of each close-up, where they are known."""
    listed = dict(zip(study.images.image, study.images.category, strict=True))
    found = {study.annotated(image): category for image, category in listed.items()}
    found |= {image: known.scene(image) for image in known.images if known.scene(image)}
    try:
        return found | study.scene_categories()
    except CannotAnswerError:
        return found


def _numbers(names: Sequence[tuple]) -> np.ndarray:
    """A number for each different name, in the order in which they turn up."""
    numbers = {name: k for k, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], np.int64)


@dataclass
class _Shown:
    """What images show: each concept's pixels, and the concepts on the grid.

    Attributes
    ----------
    concepts : pandas.DataFrame
        One row per concept: ``concept``, ``kind``, ``type``.
    pixels : numpy.ndarray
        (parts, concepts + 1) int64, the pixels of each concept in full resolution; column 0 is no concept.
    present : numpy.ndarray
        (images, concepts) bool, whether each image shows the concept.
    places : numpy.ndarray
        (images, points) int32, the row of `members` of each pixel of the grid.
    members : numpy.ndarray
        (rows, kinds) int32, the numbers of concepts of each combination, 0 for none.
    scenes : numpy.ndarray
        (images,) int32, the concept that the whole image shows, 0 for none.
    """

    concepts: pd.DataFrame
    pixels: np.ndarray
    present: np.ndarray
    places: np.ndarray
    members: np.ndarray
    scenes: np.ndarray


@dataclass
class _Overlaps:
    """What one layer's units share with the concepts.

    Attributes
    ----------
    layer : str
        The layer.
    active : numpy.ndarray
        (parts, units) int64, active pixels in full resolution.
    shared : numpy.ndarray
        (parts, units, concepts + 1) int64, those on each concept; column 0 is no concept.
    peaks : numpy.ndarray
        (images, units) float32, the highest response.
    points : numpy.ndarray
        (n,) int32, the active pixels of the grid, image after image, in each unit after unit.
    starts : numpy.ndarray
        (images * units + 1,) int64, where each of these begins in `points`.
    """

    layer: str
    active: np.ndarray
    shared: np.ndarray
    peaks: np.ndarray
    points: np.ndarray
    starts: np.ndarray


def _count_overlaps(
    networks: Mapping[str, Network],
    automatic: Mapping[str, AutomaticLabels],
    annotations: Annotations,
    pictures: _Pictures,
    path: Path | None = None,
    progress: bool = True,
) -> tuple[_Pictures, _Shown, dict[str, _Overlaps]]:
    """Go through the annotated images once, for networks that see the same frame.

    Parameters
    ----------
    networks : mapping of str to Network
        The networks.
    automatic : mapping of str to AutomaticLabels
        Their labels; the thresholds and the layers come from these.
    annotations : Annotations
        The annotated images.
    pictures : _Pictures
        How they are divided.
    path : pathlib.Path, optional
        The cache file of the result. A killed process's work is continued next to it.
    progress : bool, optional
        Whether a bar is shown (default True).

    Returns
    -------
    pictures : _Pictures
        Those that could be read.
    shown : _Shown
        What they show.
    overlaps : dict of str to _Overlaps
        What each network's units share with it.
    """
    first = next(iter(networks))
    concepts = ConceptMaps(annotations, networks[first])
    known = automatic[first].concepts
    concepts.order = list(zip(known.kind, known.concept, strict=True))
    say = Announcer(progress)
    work = Unfinished(path, "overlaps", list(networks), AutomaticLabels.stamps(annotations))
    counts = _Counts(concepts, pictures)
    n_kinds = len(concepts.kinds)
    layers = {name: _LayerCounts(net, automatic[name], say, n_kinds) for name, net in networks.items()}
    counts.restore(work, layers)
    with say.bar(len(pictures.images), f"overlaps of {', '.join(networks)}") as bar:
        bar.update(work.done)
        pace, done = say.pace(bar), work.done
        for names, frames, skipped in read_ahead(concepts.annotated_frame, pictures.images[done:]):
            counts.add(names, frames, layers, annotations)
            done += len(names) + len(skipped)
            pace(len(names) + len(skipped))
            if work.due:
                work.save(done, counts.state(layers), counts.news(layers))
    work.check_files()
    if not counts.names:
        raise CannotAnswerError("none of the annotated images could be read.")
    return counts.result(layers)


class _Rows:
    """Arrays that grow by a row or more for each image; those since the latest state on disk are known."""

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []
        self._kept = 0

    def news(self) -> np.ndarray:
        fresh, self._kept = self.parts[self._kept :], len(self.parts)
        return np.concatenate(fresh) if fresh else np.zeros(0, np.int32)

    def all(self) -> np.ndarray:
        return np.concatenate(self.parts) if self.parts else np.zeros(0, np.int32)

    def restore(self, part: np.ndarray) -> None:
        if len(part):
            self.parts.append(part)
            self._kept = len(self.parts)


class _LayerCounts:
    """The counts of one network's layer."""

    def __init__(self, network: Network, automatic: AutomaticLabels, say: Announcer, n_kinds: int) -> None:
        self.layer = automatic.layers[-1]
        self.thresholds = automatic.counts[self.layer].thresholds
        self.forward = LayerMaps(network, [self.layer], say, room=0)
        self.axes = network.axes(self.layer)
        units = len(self.thresholds)
        self.tally = Tally.empty(units, 1, n_kinds, _PARTS)
        self.sampled = 0
        rows, columns = (axis.weights() for axis in self.axes)
        self.rows, self.columns = rows[:: _step(len(rows))], columns[:: _step(len(columns))].T
        self.peaks, self.points, self.lengths = _Rows(), _Rows(), _Rows()

    def add(self, maps: np.ndarray, image: AnnotatedFrame, part: int, concepts: ConceptMaps) -> None:
        """Add one image, counted exactly in full resolution, and its active pixels on the grid."""
        n, scene = len(concepts), image.scene
        self.tally.make_room(n)
        peaks = maps.reshape(len(maps), -1).max(1)
        how = {"peaks": peaks, "fold": part}
        self.tally.count(maps, self.thresholds, image.shown, scene, concepts.slots(n), self.axes, **how)
        self.peaks.parts.append(peaks[None])
        if self.sampled == _SAMPLED:
            return
        self.sampled += 1
        live = np.flatnonzero(peaks > self.thresholds)
        values = (self.rows @ maps[live].astype(float) @ self.columns).astype(np.float32)
        values = values.reshape(len(live), len(self.rows) * self.columns.shape[1])
        units, points = np.nonzero(values > self.thresholds[live, None])
        self.points.parts.append(points.astype(np.int32))
        self.lengths.parts.append(np.bincount(live[units], minlength=len(maps)).astype(np.int32))

    def state(self) -> dict[str, np.ndarray]:
        return {"active": self.tally.fold_active, "shared": self.tally.fold_shared}

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.tally.fold_active, self.tally.fold_shared = arrays["active"], arrays["shared"]

    def rows_by_name(self) -> Iterator[tuple[str, _Rows]]:
        return iter((("peaks", self.peaks), ("points", self.points), ("lengths", self.lengths)))

    def result(self, n_concepts: int) -> _Overlaps:
        self.tally.make_room(n_concepts)
        active, shared = self.tally.fold_active, self.tally.fold_shared[:, :, : n_concepts + 1]
        starts = np.concatenate([[0], np.cumsum(self.lengths.all(), dtype=np.int64)])
        return _Overlaps(self.layer, active, shared, self.peaks.all(), self.points.all(), starts)


def _step(side: int) -> int:
    """Every which pixel of a side lies on the grid.

    >>> _step(227), _step(57), _step(1)
    (4, 1, 1)
    """
    return -(-side // _SIDE)


@dataclass
class _Counts:
    """What the images show, as far as the pass has come."""

    concepts: ConceptMaps
    pictures: _Pictures
    names: list[str] = field(default_factory=list)
    pixels: np.ndarray = field(default_factory=lambda: np.zeros((_PARTS, 1), np.int64))

    def __post_init__(self) -> None:
        self.part = dict(zip(self.pictures.images, self.pictures.part.tolist(), strict=True))
        self.places, self.members, self.scenes = _Rows(), _Rows(), _Rows()
        self.shown, self.ends = _Rows(), _Rows()
        self._n_members = self._kept = 0

    def add(
        self,
        names: Sequence[str],
        frames: Sequence[AnnotatedFrame],
        layers: Mapping[str, _LayerCounts],
        annotations: Annotations,
    ) -> None:
        """Add a batch of images for all networks."""
        pictures = [one.frame for one in frames]
        maps: dict[str, Iterator[Maps]] = {
            name: one.forward.take(names, pictures, annotations) for name, one in layers.items()
        }
        for name, image in zip(names, frames, strict=True):
            self._see(name, image)
            for network, one in layers.items():
                one.add(next(maps[network])[one.layer], image, self.part[name], self.concepts)

    def _see(self, name: str, image: AnnotatedFrame) -> None:
        n, (height, width) = len(self.concepts), image.frame.shape[:2]
        areas = image.shown.areas(n)
        areas[image.scene] += height * width
        areas[0] = 0
        self.pixels = np.pad(self.pixels, ((0, 0), (0, n + 1 - self.pixels.shape[1])))
        self.pixels[self.part[name]] += areas
        shown = np.flatnonzero(self.concepts.present(areas, height * width))
        grid = image.shown.places[:: _step(height), :: _step(width)]
        rows, places = np.unique(grid, return_inverse=True)
        self.names.append(name)
        self.shown.parts.append(shown[shown > 0].astype(np.int32))
        self.ends.parts.append(np.array([(shown > 0).sum()], np.int32))
        if len(self.names) > _SAMPLED:
            return
        self.scenes.parts.append(np.array([image.scene], np.int32))
        self.places.parts.append((places.reshape(1, -1) + self._n_members).astype(np.int32))
        self.members.parts.append(image.shown.members[rows].astype(np.int32))
        self._n_members += len(rows)

    def _rows(self) -> dict[str, _Rows]:
        return {name: getattr(self, name) for name in ("places", "members", "scenes", "shown", "ends")}

    def state(self, layers: Mapping[str, _LayerCounts]) -> Packed:
        """What is replaced with each state on disk."""
        arrays = {"pixels": self.pixels}
        for k, one in enumerate(layers.values()):
            arrays |= {f"{k} {name}": values for name, values in one.state().items()}
        return self.concepts.order, arrays

    def news(self, layers: Mapping[str, _LayerCounts]) -> Packed:
        """What is added with each state on disk."""
        arrays = {name: rows.news() for name, rows in self._rows().items()}
        for k, one in enumerate(layers.values()):
            arrays |= {f"{k} {name}": rows.news() for name, rows in one.rows_by_name()}
        fresh, self._kept = self.names[self._kept :], len(self.names)
        return fresh, arrays

    def restore(self, work: Unfinished, layers: Mapping[str, _LayerCounts]) -> None:
        """Take over what an earlier process counted."""
        if not work.done:
            return
        self.concepts.order, arrays = work.total
        self.pixels = arrays["pixels"]
        for k, one in enumerate(layers.values()):
            one.restore({name.partition(" ")[2]: a for name, a in arrays.items() if name.startswith(f"{k} ")})
        for names, part in work.parts:
            self.names += names
            for name, rows in self._rows().items():
                rows.restore(part[name])
            for k, one in enumerate(layers.values()):
                for name, rows in one.rows_by_name():
                    rows.restore(part[f"{k} {name}"])
                one.sampled += len(part[f"{k} lengths"]) // len(one.thresholds)
        self._kept, self._n_members = len(self.names), len(self.members.all())

    def result(self, layers: Mapping[str, _LayerCounts]) -> tuple[_Pictures, _Shown, dict[str, _Overlaps]]:
        n = len(self.concepts)
        present = np.zeros((len(self.names), n), bool)
        present[np.repeat(np.arange(len(self.names)), self.ends.all()), self.shown.all() - 1] = True
        pixels = np.pad(self.pixels, ((0, 0), (0, n + 1 - self.pixels.shape[1])))
        shown = _Shown(
            self.concepts.concepts, pixels, present, self.places.all(), self.members.all(), self.scenes.all()
        )
        at = {image: k for k, image in enumerate(self.pictures.images)}
        read = np.array([at[name] for name in self.names])
        pictures = _Pictures(self.names, *(values[read] for values in self.pictures[1:]))
        return pictures, shown, {name: one.result(n) for name, one in layers.items()}
