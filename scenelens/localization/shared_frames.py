"""Annotated frames of the same images, drawn once for all networks that see the same frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from scenelens.annotations import Annotations
from scenelens.labels import AnnotatedFrame, ConceptMaps
from scenelens.networks import Network
from scenelens.unfinished import Stamp

_ROOM = 256 << 20  # bytes of frames and label maps in memory; those of 1,300 images


class _SharedFrames:
    """Draws label maps, and keeps them for the next network as far as they fit in memory.

    Parameters
    ----------
    annotations : Annotations
        What is where on the images.
    room : int, optional
        How many bytes may be kept (default 256 MiB).
    """

    def __init__(self, annotations: Annotations, room: int = _ROOM) -> None:
        self.annotations, self._free, self._room = annotations, room, room
        self._stamps: Mapping[Path, Stamp] = {}
        self._made: dict[object, tuple[ConceptMaps, dict[str, AnnotatedFrame]]] = {}

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

    def expect(self, stamps: Mapping[Path, Stamp]) -> None:
        """Forget all that was kept if a file has changed since.

        Parameters
        ----------
        stamps : mapping of pathlib.Path to tuple of int
            What the annotations' files look like now; see `AutomaticLabels.stamps`.
        """
        if stamps != self._stamps:
            self._made, self._free, self._stamps = {}, self._room, stamps

    def concepts(self, network: Network) -> ConceptMaps:
        """Return the numbers of the concepts in the frames that a network sees.

        Parameters
        ----------
        network : Network
            The network.

        Returns
        -------
        ConceptMaps
            Shared with the other networks that see the same frames.
        """
        return self._of(network)[0]

    def frame(self, network: Network, image: str) -> AnnotatedFrame:
        """Return an image with its concepts, as a network sees it.

        Parameters
        ----------
        network : Network
            The network.
        image : str
            The image's id.

        Returns
        -------
        AnnotatedFrame
            The frame and its label maps.

        Raises
        ------
        SceneLensError
            If the image or its annotation cannot be read.
        """
        concepts, kept = self._of(network)
        if image in kept:
            found = kept[image]
            return found._replace(shown=found.shown._replace(places=found.shown.places.astype(np.int32)))
        found = concepts.annotated_frame(image)
        # An image has few combinations of concepts, so a byte or two of each number are enough.
        small = np.min_scalar_type(max(len(found.shown.members) - 1, 0))
        places = found.shown.places.astype(small)
        if self._free >= found.frame.nbytes + places.nbytes:
            self._free -= found.frame.nbytes + places.nbytes
            kept[image] = found._replace(shown=found.shown._replace(places=places))
        return found

    def _of(self, network: Network) -> tuple[ConceptMaps, dict[str, AnnotatedFrame]]:
        seen = network.preprocessing.framing
        if seen not in self._made:
            kinds = _SharedFrames.kinds(self.annotations)
            self._made[seen] = ConceptMaps(self.annotations, network, kinds), {}
        return self._made[seen]
