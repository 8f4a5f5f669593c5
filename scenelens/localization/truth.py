"""Annotated images together with what a network makes of them: which concepts they show where, and layers'
maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property, partial

import numpy as np
from numba import njit

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError
from scenelens.labels import AnnotatedFrame, ConceptMaps, LayerMaps, Maps
from scenelens.localization.shared_frames import _SharedFrames
from scenelens.networks import Network
from scenelens.progress import Announcer, read_ahead
from scenelens.unfinished import Packed, Unfinished


class ImageConcepts:
    """What an annotated image shows, by the names of its concepts.

    Parameters
    ----------
    annotated : AnnotatedFrame
        The image's frame and its concepts as maps of numbers.
    numbers : dict of str to list of int
        Each concept's numbers, by its plain name, and by its kind and plain name (``"parts/leg"``).
    vocabulary : frozenset of str, optional
        Plain names of all concepts that the image's set of annotations ever names; None if there is one set.
    """

    def __init__(
        self,
        annotated: AnnotatedFrame,
        numbers: dict[str, list[int]],
        vocabulary: frozenset[str] | None = None,
    ) -> None:
        self.annotated, self._numbers, self._vocabulary = annotated, numbers, vocabulary

    def in_vocabulary(self, concept: str) -> bool:
        """Return whether the image's annotators would have named a concept if it were there.

        Of several sets of annotations, one may know nine classes and another a hundred. That a lamp is not
        named where lamps are never named says nothing.

        Parameters
        ----------
        concept : str
            The concept's name.

        Returns
        -------
        bool
            Whether its absence from the annotations means its absence from the image.
        """
        return self._vocabulary is None or ImageConcepts.plain_name(concept) in self._vocabulary

    @cached_property
    def _present(self) -> set[int]:
        return set(np.unique(self.annotated.shown.members).tolist())

    def _numbers_here(self, concept: str, kind: str) -> list[int]:
        """The numbers under which a concept is on this image."""
        name = ImageConcepts.plain_name(concept)
        known = self._numbers.get(f"{kind}/{name}" if kind else name, [])
        return [number for number in known if number in self._present]

    def contains(self, concept: str, kind: str = "", where: tuple[slice, slice] | None = None) -> bool:
        """Return whether a concept is on the image, or on a part of it.

        Parameters
        ----------
        concept : str
            The concept's name.
        kind : str, optional
            The kind of concept, such as ``"objects"``; by default any.
        where : tuple of slice, optional
            Rows and columns of the frame; by default all.

        Returns
        -------
        bool
            Whether any pixel shows it.
        """
        numbers = self._numbers_here(concept, kind)
        if where is None or not numbers:
            return bool(numbers)
        return bool(self._shows(numbers)[self.annotated.shown.places[where]].any())

    def mask(self, concept: str, kind: str = "") -> np.ndarray:
        """Return the pixels of the frame that show a concept.

        Parameters
        ----------
        concept : str
            The concept's name.
        kind : str, optional
            The kind of concept, such as ``"objects"``; by default any.

        Returns
        -------
        numpy.ndarray
            (H, W) bool.
        """
        numbers, places = self._numbers_here(concept, kind), self.annotated.shown.places
        if not numbers:  # most concepts are not on the image
            return np.zeros(places.shape, bool)
        return np.asarray(self._shows(numbers)[places])

    def in_cells(
        self, concepts: Sequence[tuple[str, str]], rows: np.ndarray, columns: np.ndarray
    ) -> np.ndarray:
        """Return in which cells of a grid concepts show.

        Parameters
        ----------
        concepts : sequence of tuple of str
            (concept, kind), as in `contains`.
        rows : numpy.ndarray
            (h, 2) int64, the first pixel row of the cells of each row of the grid, and the one after the
            last.
        columns : numpy.ndarray
            (w, 2) int64, the same for columns.

        Returns
        -------
        numpy.ndarray
            (concepts, h, w) bool, whether any pixel of the cell shows the concept.
        """
        places, members = self.annotated.shown
        found = np.zeros((len(concepts), len(rows) * len(columns)), bool)
        seen = np.zeros((len(members), found.shape[1]), np.bool_)
        _see(places, rows, columns, seen)
        for k, (concept, kind) in enumerate(concepts):
            numbers = self._numbers_here(concept, kind)
            if numbers:  # most concepts are not on the image
                found[k] = seen[self._shows(numbers)].any(0)
        return found.reshape(len(concepts), len(rows), len(columns))

    def _shows(self, numbers: list[int]) -> np.ndarray:
        """Which of the image's combinations have one of these concepts, (combinations,) bool."""
        return np.asarray(np.isin(self.annotated.shown.members, numbers).any(1))

    @classmethod
    def batches(
        cls,
        network: Network,
        annotations: Annotations,
        layers: list[str],
        images: list[str],
        progress: bool = True,
        work: Unfinished | None = None,
        state: Callable[[], tuple[Packed, Packed]] | None = None,
        shared: _SharedFrames | None = None,
    ) -> Iterator[tuple[list[str], list[ImageConcepts], Maps]]:
        """Run a network over annotated images, batch by batch.

        Images that cannot be read are left out; ``study.annotations.report()`` lists them.

        Parameters
        ----------
        network : Network
            The network.
        annotations : Annotations
            What is where on the images.
        layers : list of str
            The layers whose maps are wanted.
        images : list of str
            Ids in `annotations`.
        progress : bool, optional
            Whether to show a progress bar (default True).
        work : Unfinished, optional
            Keeps what was found of the images so far; those that an earlier process finished are left out.
        state : callable, optional
            Gives what was found so far, as `Unfinished.save` takes it; called between batches.
        shared : _SharedFrames, optional
            The frames of these annotations that are kept for several networks.

        Yields
        ------
        names : list of str
            Ids of the batch's N images.
        concepts : list of ImageConcepts
            What each of them shows.
        maps : dict of str to numpy.ndarray
            Layer -> (N, units, h, w) float32.
        """
        shared = shared or _SharedFrames(annotations)
        concepts = shared.concepts(network)
        say = Announcer(progress)
        forward, words = LayerMaps(network, layers, say), _Vocabularies(annotations)
        work = work or Unfinished(None, "")
        done = work.done
        with say.bar(len(images), f"{network.name} network, annotated images") as bar:
            bar.update(done)
            for names, annotated, skipped in read_ahead(partial(shared.frame, network), images[done:]):
                if names:
                    numbers, frames = _numbers(concepts), [one.frame for one in annotated]
                    found = [
                        cls(one, numbers, words.of(name)) for name, one in zip(names, annotated, strict=True)
                    ]
                    yield names, found, forward.of([annotations.path(name) for name in names], frames)
                bar.update(len(names) + len(skipped))
                done += len(names) + len(skipped)
                if work.due and state is not None:
                    work.save(done, *state())
        work.check_files()

    @classmethod
    def read(
        cls, network: Network, annotations: Annotations, images: Sequence[str]
    ) -> Iterator[tuple[str, ImageConcepts]]:
        """Read annotated images without running the network. Those that cannot be read are left out.

        Parameters
        ----------
        network : Network
            The network whose frames they are cut to.
        annotations : Annotations
            What is where on the images.
        images : sequence of str
            Ids in `annotations`.

        Yields
        ------
        name : str
            The image's id.
        concepts : ImageConcepts
            What it shows.
        """
        shared, words = _SharedFrames(annotations), _Vocabularies(annotations)
        for name in images:
            with suppress(SceneLensError, OSError):
                annotated = shared.frame(network, name)
                yield name, cls(annotated, _numbers(shared.concepts(network)), words.of(name))

    @staticmethod
    def plain_name(concept: str) -> str:
        """Return a concept's name in small letters, with spaces for underscores.

        Parameters
        ----------
        concept : str
            The name.

        Returns
        -------
        str
            The plain name.

        Examples
        --------
        >>> ImageConcepts.plain_name("Roller_coaster")
        'roller coaster'
        """
        return concept.strip().lower().replace("_", " ")


class _Vocabularies:
    """Which names each of several joined sets of annotations ever uses."""

    def __init__(self, annotations: Annotations) -> None:
        self._sets = dict(getattr(annotations, "sets", {}))
        self._words = {name: self._all(one) for name, one in self._sets.items()}

    @staticmethod
    def _all(annotations: Annotations) -> frozenset[str]:
        named = {ImageConcepts.plain_name(name) for name in annotations.objects().object.unique()}
        for kind in _SharedFrames.kinds(annotations):
            if kind != "objects":  # parts and materials are not in the table of objects
                for image in annotations.images:
                    # What cannot be read has no names; the report says which files that are.
                    with suppress(SceneLensError):
                        names = annotations.label_map(image, kind).names.values()
                        named |= {ImageConcepts.plain_name(name) for name in names}
        return frozenset(named)

    def of(self, image: str) -> frozenset[str] | None:
        """The names that an image's set uses; None where there is one set."""
        return self._words[image.partition("/")[0]] if self._sets else None


@njit(cache=True, nogil=True)
def _see(places, rows, columns, seen):
    """Mark which combination of concepts shows in which cell; `seen` is (combinations, cells)."""
    for i in range(len(rows)):
        for j in range(len(columns)):
            for y in range(rows[i, 0], rows[i, 1]):
                for x in range(columns[j, 0], columns[j, 1]):
                    seen[places[y, x], i * len(columns) + j] = True


def _numbers(concepts: ConceptMaps) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, row in enumerate(concepts.concepts.itertuples(), start=1):
        found.setdefault(ImageConcepts.plain_name(row.concept), []).append(number)
        found.setdefault(f"{row.kind}/{ImageConcepts.plain_name(row.concept)}", []).append(number)
    return found
