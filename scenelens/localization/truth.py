"""Annotated images together with what a network makes of them: which concepts they show where, and layers'
maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property

import numpy as np

from scenelens.annotations import Annotations
from scenelens.errors import SceneLensError
from scenelens.labels import AnnotatedFrame, ConceptMaps, LayerMaps, Maps
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

    @staticmethod
    def kinds(annotations: Annotations) -> list[str]:
        """Return the kinds of concepts that have a place in an image and that people outlined.

        Parameters
        ----------
        annotations : Annotations
            The annotations.

        Returns
        -------
        list of str
            Some of ``"objects"``, ``"parts"``, ``"materials"``.
        """
        return [kind for kind in ("objects", "parts", "materials") if kind in annotations.kinds]

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

        Yields
        ------
        names : list of str
            Ids of the batch's N images.
        concepts : list of ImageConcepts
            What each of them shows.
        maps : dict of str to numpy.ndarray
            Layer -> (N, units, h, w) float32.
        """
        concepts = ConceptMaps(annotations, network, cls.kinds(annotations))
        say = Announcer(progress)
        forward, words = LayerMaps(network, layers, say), _Vocabularies(annotations)
        work = work or Unfinished(None, "")
        done = work.done
        with say.bar(len(images), f"{network.name} network, annotated images") as bar:
            bar.update(done)
            for names, annotated, skipped in read_ahead(concepts.annotated_frame, images[done:]):
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
        for kind in ImageConcepts.kinds(annotations):
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


def _numbers(concepts: ConceptMaps) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, row in enumerate(concepts.concepts.itertuples(), start=1):
        found.setdefault(ImageConcepts.plain_name(row.concept), []).append(number)
        found.setdefault(f"{row.kind}/{ImageConcepts.plain_name(row.concept)}", []).append(number)
    return found
