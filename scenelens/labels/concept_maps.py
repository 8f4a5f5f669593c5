"""Every annotated concept of an image as numbered pixels in the network's frame, for automatic labels.

One image has several maps, one for each kind of concept, since a pixel may show at once a bed, its pillow,
cloth, red and a horizontal edge. Within a kind a pixel shows one concept, so a kind is one map of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd

from scenelens.annotations import Annotations, LabelMap, Shape, resize_codes
from scenelens.errors import SceneLensError, close_names
from scenelens.images import load_image
from scenelens.labels.colours_and_elements import colour_map, element_map
from scenelens.labels.table import concept_type
from scenelens.networks import Network, crop_centre

#: Kinds of concepts as annotations name them, and what `concept_type` calls them.
ANNOTATED = {"objects": "object", "parts": "part", "materials": "material"}
MEASURED = {"colours": colour_map, "elements": element_map}
SCENES = "scenes"
#: A share of the frame from which a concept counts as present; of what is annotated, one pixel is enough.
PRESENT = {"colours": 0.05, "elements": 0.05}


class AnnotatedFrame(NamedTuple):
    """One image with all its concepts.

    Attributes
    ----------
    frame : uint8 RGB (H, W, 3), what the network sees.
    codes : (H, W, kinds) int32, numbers of concepts, 0 for none.
    scene : number of the concept that the whole image is, 0 for none.
    """

    frame: np.ndarray
    codes: np.ndarray
    scene: int


class ConceptMaps:
    """Numbers all concepts of annotated images, in the order in which they turn up, from 1.

    Parameters
    ----------
    annotations : any `scenelens.annotations.interface.Annotations`.
    network : its frame is the pixels' grid.
    kinds : some of 'scenes', 'objects', 'parts', 'materials', 'colours', 'elements'; without it all.

    Attributes
    ----------
    kinds : the kinds with a map, in the order of the maps' last axis.
    scenes : whether the image's scene is a concept.

    Raises
    ------
    SceneLensError : a kind that these annotations do not have.
    """

    def __init__(
        self, annotations: Annotations, network: Network, kinds: Sequence[str] | None = None
    ) -> None:
        there = [SCENES, *(kind for kind in ANNOTATED if kind in annotations.kinds), *MEASURED]
        for kind in kinds or ():
            if kind not in there:
                raise SceneLensError(f"no concepts of kind {kind!r} here; {close_names(kind, there)}.")
        chosen = [kind for kind in there if kinds is None or kind in kinds]
        if not chosen:
            raise SceneLensError(f"kinds is empty: take some of {', '.join(there)}.")
        self.annotations, self.network = annotations, network
        self.kinds = tuple(kind for kind in chosen if kind != SCENES)
        self.scenes = SCENES in chosen
        self._numbers: dict[tuple[str, str], int] = {}
        self._order: list[tuple[str, str]] = []  # grows while another thread reads

    def __len__(self) -> int:
        """How many concepts have turned up so far."""
        return len(self._order)

    @property
    def concepts(self) -> pd.DataFrame:
        """One row per concept, in the order of their numbers (from 1): concept, kind, type."""
        rows = [(name, kind, self._type(kind, name)) for kind, name in self._order]
        return pd.DataFrame(rows, columns=["concept", "kind", "type"])

    def annotated_frame(self, image: str) -> AnnotatedFrame:
        """One image's frame, maps and scene.

        Raises
        ------
        SceneLensError : the image or its annotation cannot be read.
        """
        photograph = load_image(self.annotations.path(image))
        frame = self.network.show_input(photograph)
        size = resized(self.network, photograph.shape[:2])
        maps = [self._numbered(kind, self._map(kind, image, frame, size)) for kind in self.kinds]
        codes = np.stack(maps, -1) if maps else np.zeros((*frame.shape[:2], 0), np.int32)
        scene = self.annotations.scene(image) if self.scenes and _is_scene_image(image) else ""
        return AnnotatedFrame(frame, np.ascontiguousarray(codes), self._number(SCENES, scene) if scene else 0)

    def _map(self, kind: str, image: str, frame: np.ndarray, size: Shape) -> LabelMap:
        if kind in MEASURED:
            return MEASURED[kind](frame)
        found = self.annotations.label_map(image, kind, size)
        codes = crop_centre(resize_codes(found.codes, size), frame.shape[:2])
        return LabelMap(codes, found.names)

    def _numbered(self, kind: str, found: LabelMap) -> np.ndarray:
        """The map's codes as numbers of concepts; names that no pixel shows get no number."""
        present = np.flatnonzero(np.bincount(found.codes.ravel()))
        table = np.zeros(int(found.codes.max(initial=0)) + 1, np.int32)
        for code in present.tolist():
            if code in found.names:
                table[code] = self._number(kind, found.names[code])
        return table[found.codes]

    def _number(self, kind: str, name: str) -> int:
        if (kind, name) not in self._numbers:
            self._order.append((kind, name))
            self._numbers[kind, name] = len(self._order)
        return self._numbers[kind, name]

    def slots(self, n: int) -> np.ndarray:
        """The place of each concept's kind among the maps, scenes last: (n + 1,) int, the first for none."""
        places = {kind: place for place, kind in enumerate((*self.kinds, SCENES))}
        return np.array([0, *(places[kind] for kind, _ in self._order[:n])])

    @staticmethod
    def _type(kind: str, name: str) -> str:
        return concept_type({SCENES: "scene", **ANNOTATED}.get(kind, "color"), name)

    def present(self, areas: np.ndarray, n_pixels: int) -> np.ndarray:
        """Which concepts an image shows: (concepts + 1,) bool, from their areas in pixels."""
        least = np.array(
            [1.0, *(PRESENT.get(kind, 0) * n_pixels for kind, _ in self._order[: len(areas) - 1])]
        )
        return areas >= np.maximum(least, 1)


def _is_scene_image(image: str) -> bool:
    """Whether an image's category is a scene, going by its id: not in a folder of objects' portraits.

    >>> _is_scene_image("scene/airport/1.jpg"), _is_scene_image("object/airplane/1.jpg")
    (True, False)
    >>> _is_scene_image("object/ball/beach/1.jpg")
    False
    """
    return "object" not in PurePosixPath(image).parts[:-2]


def resized(network: Network, size: Shape) -> Shape:
    """(H, W) to which the network's preprocessing resizes a photograph, before it crops the frame."""
    return network.preprocessing.resized(size)
