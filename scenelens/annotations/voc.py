"""Pascal VOC: an XML file of boxes for each photograph, and masks of classes and of objects for some."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from scenelens.annotations.colour_masks import EMPTY_CODES, UNLABELLED, _class_table
from scenelens.annotations.interface import Instance, LabelMap, Shape
from scenelens.annotations.outlined import Annotation
from scenelens.annotations.sources import MOST_CODE, SourceFile
from scenelens.annotations.sun import AnnotatedImages
from scenelens.errors import SceneLensError
from scenelens.images import ImageFrame

_CLASSES = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike "
    "person pottedplant sheep sofa train tvmonitor"
)


class _Voc(AnnotatedImages):
    """Photographs with Pascal VOC's XML, and masks where it has some.

    Photographs lie in root/JPEGImages (or images, or root), XML files in root/Annotations (or next to the
    photographs). A photograph with a mask in root/SegmentationClass is read from that and, where it is there,
    from the mask in root/SegmentationObject; the others from the boxes of their XML, which are painted whole.
    Masks may have indexes, or the colours of Pascal VOC or of root/labelmap.txt, as CVAT writes them.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder.
    classes : mapping, sequence, str or pathlib.Path, optional
        The names of the values in SegmentationClass (default: those in root/labelmap.txt or
        root/class_names.txt, or else Pascal VOC's 20).
    cache, images, labels
        As for `AnnotatedImages`.
    """

    _folders = (("JPEGImages", "images"), ("Annotations", "labels", "xml"))
    # Programs that write the format today turn photographs as the camera's tag says.
    _turns_photographs = True

    def __init__(
        self,
        root: str | Path,
        classes: object = None,
        cache: str | Path | None = None,
        images: str | Path | None = None,
        labels: str | Path | None = None,
    ) -> None:
        names, self._colours = _label_map(Path(root))
        self._names = _class_table(classes or names, root)
        self._classes: dict[str, Path] = {}
        self._objects: dict[str, Path] = {}
        super().__init__(root, cache, images, labels)

    def _found(self, photographs: Mapping[str, Path], place: Path) -> dict[str, Path]:
        folders = [
            SourceFile.subfolder(self.root, *names)
            for names in (("SegmentationClassPNG", "SegmentationClass"), ("SegmentationObject",))
        ]
        self._classes, self._objects = (
            SourceFile.pairs(photographs, [folder], ".png") if folder else {} for folder in folders
        )
        return self._classes | SourceFile.pairs(photographs, [place], ".xml")

    def annotation(self, image: str) -> Annotation:
        """One image's annotation: the boxes.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        Annotation
            Without objects for a photograph that has masks alone.
        """
        self._check_image(image)
        if self.sources[image] == self._classes.get(image):
            return Annotation(Path(image).name, "", self.size(image), ())
        return super().annotation(image)

    def instances(self, image: str, shape: Shape | None = None) -> tuple[np.ndarray, list[Instance]]:
        """Which instance each pixel shows.

        Parameters
        ----------
        image : str
            The image's id.
        shape : tuple of int, optional
            (H, W) of the result (default: the photograph's size).

        Returns
        -------
        ids : numpy.ndarray
            (H, W) int32; k + 1 where the k-th instance is visible, 0 for none.
        instances : list of Instance
            Without a mask of objects, all of a class are one.
        """
        if image not in self._classes:
            return super().instances(image, shape)
        classes, numbers = self._masks(image)
        named = [code for code, name in self._names.items() if name != UNLABELLED]
        # One number for each pair of class and object. Pixels without a class have no object either.
        pairs = classes.astype(np.int64) * (MOST_CODE + 1) + numbers + 1
        pairs[~np.isin(classes, named)] = 0
        found, ids = np.unique(pairs, return_inverse=True)
        split = (divmod(pair - 1, MOST_CODE + 1) for pair in found.tolist() if pair)
        instances = [Instance(self._names[code], number) for code, number in split]
        first = 0 if found[0] == 0 else 1  # of the numbers: 0 is for pixels of no object
        numbered = LabelMap((ids.reshape(pairs.shape) + first).astype(np.int32), {})
        return numbered.resized(shape or self.size(image)).codes, instances

    def repairs(self, image: str) -> list[tuple[str, str]]:
        """What had to be repaired in an image's annotation.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        list of tuple of str
            (kind, detail) of each repair; 'unknown code' for values of the mask without a name.
        """
        if image not in self._classes:
            return super().repairs(image)
        notes = [note for note in super().repairs(image) if note[0] != "box"]
        codes, counts = np.unique(self._masks(image)[0], return_counts=True)
        known = {*self._names, *EMPTY_CODES}
        strange = [(c, n) for c, n in zip(codes.tolist(), counts.tolist(), strict=True) if c not in known]
        notes += [("unknown code", f"{code} in {n} pixels") for code, n in strange[:20]]
        return notes + SourceFile(self._classes[image]).mask_repairs(self._frame(image))

    def label_files(self) -> list[Path]:
        """The masks.

        Returns
        -------
        list of pathlib.Path
            The files, those of classes first.
        """
        return [*self._classes.values(), *self._objects.values()]

    def _table_files(self) -> list[Path]:
        return self.label_files()

    def _settings(self) -> object:
        return [sorted(self._names.items()), sorted(self._colours.items())]

    def _legends(self) -> dict[str, dict[int, str] | str]:
        return {}

    def _masks(self, image: str) -> tuple[np.ndarray, np.ndarray]:
        """The class of each pixel, and the number of its object, 0 where nothing tells it."""
        frame = self._frame(image)
        classes = _values(self._classes[image], frame, self._colours)
        if image not in self._objects:
            return classes, np.zeros_like(classes)
        numbers = _values(self._objects[image], frame, _colour_map())
        if numbers.shape != classes.shape:
            raise SceneLensError(
                f"{self._classes[image]} and {self._objects[image]} have different sizes; make one anew."
            )
        numbers[np.isin(numbers, EMPTY_CODES)] = 0
        return classes, numbers


def _values(path: Path, frame: ImageFrame, colours: Mapping[int, int]) -> np.ndarray:
    """The values of a mask, int32; of a mask of colours, those that the colours stand for."""
    try:
        return SourceFile(path).mask(frame)
    except SceneLensError:
        mask = SourceFile(path).mask(frame, colours=True)  # raises, too, where colours are not the cause
    packed = mask.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    values = np.full(1 << 24, MOST_CODE, np.int32)  # a code that has no name, for the report
    values[list(colours)] = list(colours.values())
    return values[packed]


@cache
def _colour_map() -> dict[int, int]:
    """Pascal VOC's colours, R * 65536 + G * 256 + B, and their values: three bits of a value a time.

    >>> hex(next(colour for colour, value in _colour_map().items() if value == 15))
    '0xc08080'
    """
    found = {}
    for value in range(256):
        channels = [0, 0, 0]
        for place in range(8):
            for channel in range(3):
                channels[channel] |= (value >> (3 * place + channel) & 1) << (7 - place)
        found[channels[0] << 16 | channels[1] << 8 | channels[2]] = value
    return found


def _label_map(root: Path) -> tuple[object, dict[int, int]]:
    """The classes that a folder names in a file of its own, and the values of the masks' colours."""
    if (root / "labelmap.txt").is_file():
        text = SourceFile.decoded(SourceFile(root / "labelmap.txt").read())[0]
        rows = re.findall(r"^([^#:\n]+):\s*(\d{1,3}),(\d{1,3}),(\d{1,3})", text, re.M)
        colours = [min(int(r), 255) << 16 | min(int(g), 255) << 8 | min(int(b), 255) for _, r, g, b in rows]
        # An index mask has Pascal VOC's indexes or counts the lines; both agree in the order of the file.
        return dict(enumerate(row[0] for row in rows)), {colour: k for k, colour in enumerate(colours)}
    names = root / "class_names.txt"
    return (names if names.is_file() else _CLASSES.split()), _colour_map()
