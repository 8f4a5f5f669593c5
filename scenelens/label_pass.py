"""The pass over annotated images in which automatic labels are counted, for one network or several at once.

Reading an image's annotations takes longer than a network's forward pass, so networks that see the same frame
share it. Of each image there remain counts, a few bytes on what it shows, and the units' peaks in a file.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens.active_pixels import Axis, Tally, count
from scenelens.automatic_labels import AutomaticLabels, LayerCounts, presence_ap
from scenelens.concept_maps import ConceptMaps, Looked
from scenelens.errors import SceneLensError
from scenelens.layer_maps import BATCH, LayerMaps, Maps, read_ahead


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

    def add(self, looked: Looked) -> None:
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

    def count(self, names: Sequence[str], looked: Sequence[Looked], concepts: ConceptMaps) -> None:
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
        for names, looked, skipped in read_ahead(shown.concepts.look, images):
            shown.skipped += skipped
            for image in looked:
                shown.add(image)
            for one in counts:
                one.count(names, looked, shown.concepts)
            done += len(names) + len(skipped)
            bar.update(len(names) + len(skipped))
            if done == BATCH:
                say.estimate((time.perf_counter() - start) * (len(images) / done - 1), "Labelling the rest")
