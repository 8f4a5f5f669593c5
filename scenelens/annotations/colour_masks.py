"""Annotations that do not lie in the SUN layout: ADE20K's JSON, and masks in which a colour is a class.

Both answer to `scenelens.annotations.interface.Annotations`, so nothing that is built on annotations asks for the
format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from scenelens.annotations.interface import (
    Instance,
    InstanceAnnotations,
    Shape,
    photographs_below,
    resize_codes,
)
from scenelens.errors import SceneLensError

UNLABELLED = "unlabelled"  # the name of a colour that stands for nothing


class ColourMasks(InstanceAnnotations):
    """Photographs in root/images with masks in root/labels, same name, .png, a colour for each class.

    A class is one instance per image, for a mask does not say where one window ends. Pixels of a colour that
    has no name are unlabelled, and counted in the report.

    Parameters
    ----------
    root : the folder.
    colours : class name to (R, G, B); name a colour 'unlabelled' if it stands for nothing.
    cache : where the table of objects is kept; None keeps it in memory.
    """

    def __init__(
        self, root: str | Path, colours: Mapping[str, Sequence[int]], cache: str | Path | None = None
    ) -> None:
        root = Path(root)
        self.colours = {name: _packed_colour(name, colour) for name, colour in colours.items()}
        if not set(self.colours) - {UNLABELLED}:
            raise SceneLensError(f"the masks of {root} need colours: the name and (R, G, B) of each class.")
        found = photographs_below(root / "images")
        sources = {image: (root / "labels" / image).with_suffix(".png") for image in found}
        there = {image: path for image, path in sources.items() if path.exists()}
        if not there:
            raise SceneLensError(f"{root / 'labels'} holds no mask of any photograph in {root / 'images'}.")
        notes = [(image, "not annotated", str(sources[image])) for image in found if image not in there]
        super().__init__({image: found[image] for image in there}, there, cache, notes)

    def instances(self, image: str, shape: Shape | None = None) -> tuple[np.ndarray, list[Instance]]:
        """Which class each pixel shows; see `InstanceAnnotations.instances`."""
        packed = self._packed(image)
        names = [name for name in self.colours if name != UNLABELLED]
        codes = np.zeros(packed.shape, np.int32)
        for code, name in enumerate(names, start=1):
            codes[packed == self.colours[name]] = code
        return resize_codes(codes, shape or self.size(image)), [Instance(name, 0) for name in names]

    def repairs(self, image: str) -> list[tuple[str, str]]:
        """The colours that have no name, with their number of pixels."""
        values, counts = np.unique(self._packed(image), return_counts=True)
        known = set(self.colours.values())
        return [
            ("unknown colour", f"{(v >> 16, v >> 8 & 255, v & 255)} in {n} pixels")
            for v, n in zip(values.tolist(), counts.tolist(), strict=True)
            if v not in known
        ]

    def _packed(self, image: str) -> np.ndarray:
        """The mask with each pixel's colour as one number, R * 65536 + G * 256 + B."""
        self._known(image)
        mask = cv2.imread(str(self._sources[image]), cv2.IMREAD_COLOR_RGB)
        if mask is None:
            raise SceneLensError(f"{self._sources[image]} is no readable image; replace it or leave it out.")
        return mask.astype(np.int32) @ np.array([65536, 256, 1], np.int32)


def _packed_colour(name: str, colour: Sequence[int]) -> int:
    values = list(colour)
    if len(values) != 3 or not all(isinstance(v, int) and 0 <= v <= 255 for v in values):
        raise SceneLensError(f"the colour of {name!r} is (R, G, B), whole numbers in 0..255, not {colour!r}.")
    return values[0] * 65536 + values[1] * 256 + values[2]
