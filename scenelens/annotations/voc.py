"""Pascal VOC: an XML file of boxes for each photograph, and masks of classes and of objects for some."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scenelens.annotations.colour_masks import _class_table, _codes
from scenelens.annotations.interface import Instance, LabelMap, Shape
from scenelens.annotations.sources import SourceFile
from scenelens.annotations.sun import AnnotatedImages
from scenelens.errors import SceneLensError

_CLASSES = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike "
    "person pottedplant sheep sofa train tvmonitor"
)
_NOT_AN_OBJECT = (0, 255)  # of the masks of objects: background, and pixels that are hard to tell


class _Voc(AnnotatedImages):
    """Photographs with Pascal VOC's XML, and masks where it has some.

    Photographs lie in root/JPEGImages (or images, or root), XML files in root/Annotations (or next to the
    photographs). A photograph with a mask in root/SegmentationClass is read from that and, where it is there,
    from the mask in root/SegmentationObject; the others from the boxes of their XML, which are painted whole.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder.
    classes : mapping, sequence, str or pathlib.Path, optional
        The names of the values in SegmentationClass (default: Pascal VOC's 20).
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
        self._names = _class_table(classes or _CLASSES.split(), root)
        super().__init__(root, cache, images, labels)
        of_classes, of_objects = (
            SourceFile.subfolder(self.root, name) for name in ("SegmentationClass", "SegmentationObject")
        )
        self._classes = SourceFile.pairs(self._photographs, [of_classes], ".png") if of_classes else {}
        self._objects = SourceFile.pairs(self._photographs, [of_objects], ".png") if of_objects else {}

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
        pairs = classes.astype(np.int64) * 65536 + numbers
        # Pixels without a class have no instance, whatever the other mask says.
        pairs[~np.isin(classes, [code for code, name in self._names.items() if name != "unlabelled"])] = 0
        found, ids = np.unique(pairs, return_inverse=True)
        instances = [Instance(self._names[pair >> 16], pair & 65535) for pair in found.tolist() if pair]
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
        known = {*self._names, 0, 255}
        strange = [(c, n) for c, n in zip(codes.tolist(), counts.tolist(), strict=True) if c not in known]
        return notes + [("unknown code", f"{code} in {n} pixels") for code, n in strange[:20]]

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
        return sorted(self._names.items())

    def _legends(self) -> dict[str, dict[int, str] | str]:
        return {}

    def _masks(self, image: str) -> tuple[np.ndarray, np.ndarray]:
        """The class of each pixel, and the number of its object, 0 where nothing tells it."""
        frame = self._frame(image)
        classes = _codes(self._classes[image], frame)
        if image not in self._objects:
            return classes, np.zeros_like(classes)
        numbers = _codes(self._objects[image], frame)
        if numbers.shape != classes.shape:
            raise SceneLensError(
                f"{self._classes[image]} and {self._objects[image]} have different sizes; make one anew."
            )
        numbers[np.isin(numbers, _NOT_AN_OBJECT)] = 0
        return classes, numbers
