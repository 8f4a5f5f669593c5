"""Annotations that are coloured masks: in each mask a colour stands for a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from scenelens.annotations.interface import Instance, InstanceAnnotations, LabelMap, Shape
from scenelens.annotations.sources import SourceFile
from scenelens.errors import SceneLensError

_UNLABELLED = "unlabelled"  # the name of a colour that stands for nothing
_MOST_UNKNOWN = 20  # unknown colours that the report names: a photograph in a mask's place has a million


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
        If there is no class, a colour is wrong, two names have one colour, or no photograph has a mask.
    """

    def __init__(
        self, root: str | Path, colours: Mapping[str, Sequence[int]], cache: str | Path | None = None
    ) -> None:
        root = Path(root)
        self.colours = _packed_colours(colours)
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
        names = [name for name in self.colours if name != _UNLABELLED]
        # A table of all colours: its pages are only touched where the mask has these colours.
        codes = np.zeros(1 << 24, np.int32)
        codes[[self.colours[name] for name in names]] = np.arange(1, len(names) + 1)
        packed = self._packed(image)
        for rows in self._strips(packed):
            packed[rows] = codes[packed[rows]]
        found = LabelMap(packed, {}).resized(shape or self.size(image))
        return found.codes, [Instance(name, 0) for name in names]

    def repairs(self, image: str) -> list[tuple[str, str]]:
        """The colours that have no name, and a mask whose size is not the photograph's.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        list of tuple of str
            ('unknown colour', the colour and its number of pixels) for the 20 colours of most pixels,
            ('more unknown colours', how many others), ('mask size', both sizes).
        """
        packed, size = self._packed(image), self.size(image)
        known = np.zeros(1 << 24, bool)
        known[list(self.colours.values())] = True
        counts, any_unknown = np.zeros(1 << 24, np.int64), False
        for rows in self._strips(packed):
            strange = packed[rows][~known[packed[rows]]]
            np.add.at(counts, strange, 1)
            any_unknown |= strange.size > 0
        unknown = np.flatnonzero(counts) if any_unknown else np.zeros(0, np.int64)
        most = np.sort(unknown[np.argsort(-counts[unknown], kind="stable")][:_MOST_UNKNOWN])
        notes = [("unknown colour", f"{_rgb(v)} in {counts[v]} pixels") for v in most.tolist()]
        if len(unknown) > _MOST_UNKNOWN:
            rest = int(counts[unknown].sum() - counts[most].sum())
            notes.append(("more unknown colours", f"{len(unknown) - len(most)} others in {rest} pixels"))
        if packed.shape != size:
            notes.append(("mask size", f"the mask has {packed.shape}, the photograph {size}; it was resized"))
        return notes

    def _settings(self) -> object:
        return list(self.colours.items())

    def _packed(self, image: str) -> np.ndarray:
        """The mask with each pixel's colour as one number, R * 65536 + G * 256 + B."""
        self._check_image(image)
        mask = SourceFile(self.sources[image]).mask(self._frame(image), colours=True)
        packed = mask[..., 0].astype(np.int32)
        for channel in (1, 2):
            packed <<= 8
            packed |= mask[..., channel]
        return packed


def _rgb(packed: int) -> tuple[int, int, int]:
    return packed >> 16, packed >> 8 & 255, packed & 255


def _packed_colours(colours: Mapping[str, Sequence[int]]) -> dict[str, int]:
    if not isinstance(colours, Mapping):
        raise SceneLensError(f"colours are a table of names and (R, G, B), not {colours!r}.")
    packed: dict[str, int] = {}
    owners: dict[int, str] = {}
    for name, colour in colours.items():
        packed[name] = _packed_colour(name, colour)
        owner = owners.setdefault(packed[name], name)
        if owner != name:
            raise SceneLensError(
                f"{owner!r} and {name!r} have the same colour {tuple(colour)}; a colour stands for one "
                "class, so change or remove one of the two."
            )
    return packed


def _packed_colour(name: str, colour: Sequence[int]) -> int:
    values = list(colour) if isinstance(colour, Sequence) else []
    if len(values) != 3 or not all(type(v) is int and 0 <= v <= 255 for v in values):
        raise SceneLensError(f"the colour of {name!r} is (R, G, B), whole numbers in 0..255, not {colour!r}.")
    return values[0] * 65536 + values[1] * 256 + values[2]
