"""Annotations that are coloured masks: in each mask a colour stands for a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from scenelens.annotations.interface import Instance, InstanceAnnotations, LabelMap, Shape
from scenelens.errors import SceneLensError
from scenelens.images import load_mask

_UNLABELLED = "unlabelled"  # the name of a colour that stands for nothing


class ColourMasks(InstanceAnnotations):
    """Photographs in root/images with masks in root/labels: the same name, .png, a colour for each class.

    A class is one instance per image, because a mask does not say where one window ends and the next begins.
    Pixels of a colour without a name are unlabelled, and counted in the report.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder.
    colours : mapping of str to sequence of int
        The (R, G, B) of each class, 0..255. Name a colour 'unlabelled' if it stands for no class.
    cache : str or pathlib.Path, optional
        A folder for the table of objects (default: the table stays in memory only).

    Raises
    ------
    SceneLensError
        If there is no class, a colour is wrong, or no photograph has a mask.
    """

    def __init__(
        self, root: str | Path, colours: Mapping[str, Sequence[int]], cache: str | Path | None = None
    ) -> None:
        root = Path(root)
        self.colours = {name: _packed_colour(name, colour) for name, colour in colours.items()}
        if not set(self.colours) - {_UNLABELLED}:
            raise SceneLensError(f"the masks of {root} need colours: the name and (R, G, B) of each class.")
        found = self._photographs_below(root / "images")
        sources = {image: (root / "labels" / image).with_suffix(".png") for image in found}
        there = {image: path for image, path in sources.items() if path.exists()}
        if not there:
            raise SceneLensError(
                f"{root / 'labels'} contains no mask of any photograph in {root / 'images'}."
            )
        notes = [(image, "not annotated", str(sources[image])) for image in found if image not in there]
        super().__init__({image: found[image] for image in there}, there, cache, notes)

    def instances(self, image: str, shape: Shape | None = None) -> tuple[np.ndarray, list[Instance]]:
        """Which class each pixel shows.

        Parameters
        ----------
        image : str
            The image's id.
        shape : tuple of int, optional
            (H, W) of the result (default: the photograph's size).

        Returns
        -------
        ids : numpy.ndarray
            (H, W) int32; k + 1 where the k-th class is, 0 for none.
        instances : list of Instance
            One for each class, also for those that are not on the image.
        """
        packed = self._packed(image)
        names = [name for name in self.colours if name != _UNLABELLED]
        codes = np.zeros(packed.shape, np.int32)
        for code, name in enumerate(names, start=1):
            codes[packed == self.colours[name]] = code
        codes = LabelMap(codes, {}).resized(shape or self.size(image)).codes
        return codes, [Instance(name, 0) for name in names]

    def repairs(self, image: str) -> list[tuple[str, str]]:
        """The colours that have no name.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        list of tuple of str
            ('unknown colour', the colour and its number of pixels).
        """
        values, counts = np.unique(self._packed(image), return_counts=True)
        known = set(self.colours.values())
        return [
            ("unknown colour", f"{(v >> 16, v >> 8 & 255, v & 255)} in {n} pixels")
            for v, n in zip(values.tolist(), counts.tolist(), strict=True)
            if v not in known
        ]

    def _packed(self, image: str) -> np.ndarray:
        """The mask with each pixel's colour as one number, R * 65536 + G * 256 + B."""
        self._check_image(image)
        mask = load_mask(self.sources[image], self._frame(image), colours=True)
        return mask.astype(np.int32) @ np.array([65536, 256, 1], np.int32)


def _packed_colour(name: str, colour: Sequence[int]) -> int:
    values = list(colour)
    if len(values) != 3 or not all(isinstance(v, int) and 0 <= v <= 255 for v in values):
        raise SceneLensError(f"the colour of {name!r} is (R, G, B), whole numbers in 0..255, not {colour!r}.")
    return values[0] * 65536 + values[1] * 256 + values[2]
