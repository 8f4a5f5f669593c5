"""All annotated concepts of an image as numbers for the pixels of the network's frame.

One image has several maps, one for each kind of concept, because a pixel may show at once a bed, its pillow,
cloth, red and a horizontal edge. Within a kind a pixel shows one concept, so each kind is one map of numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations, LabelMap, Shape
from scenelens.errors import SceneLensError, close_names
from scenelens.images import load_image
from scenelens.labels.colours_and_elements import MEASURED_MAPS
from scenelens.labels.kept_maps import _KeptMaps
from scenelens.labels.table import _concept_type
from scenelens.labels.tally import _Combinations
from scenelens.networks import Network, Preprocessing

#: The kind of concept that stands for whole images.
SCENES = "scenes"
# Kinds of concepts as annotations name them, and what `_concept_type` calls them.
_ANNOTATED = {"objects": "object", "parts": "part", "materials": "material"}
# The share of the frame from which a concept counts as present. Nearly every image has some grey pixels, so
# colours and elements need more than one pixel; for annotated concepts one is enough.
_PRESENT = {"colours": 0.05, "elements": 0.05}


class AnnotatedFrame(NamedTuple):
    """One image with all its concepts.

    Attributes
    ----------
    frame : numpy.ndarray
        (H, W, 3) uint8 RGB, what the network sees.
    shown : _Combinations
        Which combination of concepts each pixel shows, as numbers of concepts, 0 for none.
    scene : int
        The number of the concept that the whole image shows, 0 for none.
    """

    frame: np.ndarray
    shown: _Combinations
    scene: int

    @property
    def codes(self) -> np.ndarray:
        """(H, W, kinds) int32, numbers of concepts, 0 for none."""
        return np.asarray(self.shown.members[self.shown.places])


class ConceptMaps:
    """Numbers all concepts of annotated images from 1, in the order in which they turn up.

    Parameters
    ----------
    annotations : Annotations
        The annotated images.
    network : Network
        The concepts are mapped to the pixels of its frame.
    kinds : sequence of str, optional
        Some of 'scenes', 'objects', 'parts', 'materials', 'colours', 'elements' (default: all that these
        annotations have).

    Attributes
    ----------
    kinds : tuple of str
        The kinds that have a map, in the order of the maps' last axis.
    scenes : bool
        Whether the image's scene is a concept.

    Raises
    ------
    SceneLensError
        If these annotations do not have one of the kinds.
    """

    def __init__(
        self, annotations: Annotations, network: Network, kinds: Sequence[str] | None = None
    ) -> None:
        available = [SCENES, *(kind for kind in _ANNOTATED if kind in annotations.kinds), *MEASURED_MAPS]
        for kind in kinds or ():
            if kind not in available:
                raise SceneLensError(f"no concepts of kind {kind!r} here; {close_names(kind, available)}.")
        chosen = [kind for kind in available if kinds is None or kind in kinds]
        if not chosen:
            raise SceneLensError(f"kinds is empty: take some of {', '.join(available)}.")
        self.annotations, self.network = annotations, network
        self.kinds = tuple(kind for kind in chosen if kind != SCENES)
        self.scenes = SCENES in chosen
        self._numbers: dict[tuple[str, str], int] = {}
        # Images are read ahead in a thread, so this list grows while the counts of earlier images are made.
        self._order: list[tuple[str, str]] = []
        self._least: list[float] = []  # for each concept, the share of the frame from which it is present

    def __len__(self) -> int:
        """How many concepts have turned up so far."""
        return len(self._order)

    @property
    def concepts(self) -> pd.DataFrame:
        """One row per concept, in the order of their numbers (from 1): ``concept``, ``kind``, ``type``."""
        kinds = {SCENES: "scene", **_ANNOTATED}
        rows = [(name, kind, _concept_type(kinds.get(kind, "color"), name)) for kind, name in self._order]
        return pd.DataFrame(rows, columns=["concept", "kind", "type"])

    @property
    def order(self) -> list[tuple[str, str]]:
        """(kind, name) of every concept, in the order of their numbers; may be set before the first image."""
        return list(self._order)

    @order.setter
    def order(self, concepts: Sequence[Sequence[str]]) -> None:
        self._order = [(kind, name) for kind, name in concepts]
        self._numbers = {concept: number for number, concept in enumerate(self._order, start=1)}
        self._least = [_PRESENT.get(kind, 0.0) for kind, _ in self._order]

    def annotated_frame(self, image: str) -> AnnotatedFrame:
        """Read one image with its concepts.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        AnnotatedFrame
            The frame, the maps and the scene.

        Raises
        ------
        SceneLensError
            If the image or its annotation cannot be read.
        """
        path, kept = self.annotations.path(image), _KeptMaps.of(self.network)
        if kept is not None:
            frame, shape = kept.frame(path, functools.partial(load_image, path))
        else:
            photograph = load_image(path)
            frame, shape = self.network.show_input(photograph), photograph.shape[:2]
        size = self.network.preprocessing.resized(shape)
        annotated = [kind for kind in self.kinds if kind not in MEASURED_MAPS]
        maps = [self._map(kind, image, frame, size) for kind in annotated]
        for kind in self.kinds[len(annotated) :]:  # these come last
            measure = MEASURED_MAPS[kind]
            maps.append(measure(frame) if kept is None else kept.frames.measured(path, kind, frame, measure))
        places, codes = _Combinations.of_maps([one.codes for one in maps], frame.shape[:2])
        # There are few combinations and many pixels, so the combinations' codes are numbered.
        for k, (kind, found) in enumerate(zip(self.kinds, maps, strict=True)):
            codes[:, k] = self._numbered(kind, codes[:, k], found)
        scene = self.annotations.scene(image) if self.scenes and _is_scene_image(image) else ""
        number = self._number(SCENES, scene) if scene else 0
        return AnnotatedFrame(frame, _Combinations(places, codes), number)

    def _map(self, kind: str, image: str, frame: np.ndarray, size: Shape) -> LabelMap:
        """The label map of one kind that people annotate, with the codes that its source gives."""
        found = self.annotations.label_map(image, kind, size)
        # The map takes the photograph's way to the frame: resized, then cropped.
        codes = Preprocessing.crop_centre(found.resized(size).codes, frame.shape[:2])
        return LabelMap(codes, found.names)

    def _numbered(self, kind: str, codes: np.ndarray, found: LabelMap) -> np.ndarray:
        """Numbers of concepts for the codes in the frame. A name without a pixel there gets no number."""
        table = np.zeros(int(codes.max(initial=0)) + 1, np.int32)
        for code in np.unique(codes).tolist():
            if code in found.names:
                table[code] = self._number(kind, found.names[code])
        return table[codes]

    def _number(self, kind: str, name: str) -> int:
        if (kind, name) not in self._numbers:
            self._least.append(_PRESENT.get(kind, 0.0))
            self._order.append((kind, name))
            self._numbers[kind, name] = len(self._order)
        return self._numbers[kind, name]

    def slots(self, n: int) -> np.ndarray:
        """The place of each concept's kind among the maps.

        Parameters
        ----------
        n : int
            How many concepts, from number 1 on.

        Returns
        -------
        numpy.ndarray
            (n + 1,) int; scenes have the place after the last map. Entry 0 stands for no concept.
        """
        places = {kind: place for place, kind in enumerate((*self.kinds, SCENES))}
        return np.array([0, *(places[kind] for kind, _ in self._order[:n])])

    def present(self, areas: np.ndarray, n_pixels: int) -> np.ndarray:
        """Which concepts an image shows.

        Parameters
        ----------
        areas : numpy.ndarray
            (concepts + 1,) int, the pixels of each concept in the frame.
        n_pixels : int
            The pixels of the frame.

        Returns
        -------
        numpy.ndarray
            (concepts + 1,) bool.
        """
        shares = [0.0, *self._least[: len(areas) - 1]]
        return areas >= np.maximum(np.array(shares) * n_pixels, 1)


def _is_scene_image(image: str) -> bool:
    """Whether an image shows a scene, by its id: not if it lies in a folder of object-centric images.

    >>> _is_scene_image("scene/airport/1.jpg"), _is_scene_image("object/airplane/1.jpg")
    (True, False)
    >>> _is_scene_image("object/ball/beach/1.jpg")
    False
    """
    return "object" not in PurePosixPath(image).parts[:-2]
