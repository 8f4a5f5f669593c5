"""Which objects are on which images: the one table that frequency and informativeness are both read from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from scenelens.annotations import Annotations, read_folding
from scenelens.errors import SceneLensError, close_names


@dataclass(frozen=True)
class ObjectPresence:
    """Objects by images.

    Attributes
    ----------
    images : ids, one per row. categories : their scene categories, '' where nobody said.
    objects : folded names in alphabetical order, one per column.
    instances : (images, objects) int, how many of the object are on the image.
    area : (images, objects) float, its share of the image's pixels, 0..1.
    """

    images: tuple[str, ...]
    categories: tuple[str, ...]
    objects: tuple[str, ...]
    instances: np.ndarray
    area: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """(images, objects) bool."""
        return self.instances > 0


def object_presence(
    annotated: Annotations | ObjectPresence,
    images: Iterable[str] | None = None,
    fold: Callable[[str], str] | None = None,
) -> ObjectPresence:
    """Count the objects on annotated images, by folded names.

    Parameters
    ----------
    annotated : a set of annotated images; a presence passes through as it is.
    images : ids to count on; without it all. An image without any object counts as an image.
    fold : raw name to object; without it the package's table, `object_folding.read_folding`.

    Raises
    ------
    SceneLensError : no images, or one that is not annotated (close names are given).

    Examples
    --------
    >>> seen = ObjectPresence(("a",), ("den",), ("bed",), np.array([[2]]), np.array([[0.5]]))
    >>> object_presence(seen) is seen, seen.present.tolist()
    (True, [[True]])
    """
    if isinstance(annotated, ObjectPresence):
        return annotated
    ids = list(annotated.images if images is None else images)
    _check(ids, annotated.images)
    table = annotated.objects()
    table = table[table.image.isin(set(ids))]
    fold = fold or read_folding()
    names = table.object.map({name: fold(name) for name in table.object.unique()}).astype(str)
    objects = tuple(sorted(names.unique()))
    rows = table.image.map({image: k for k, image in enumerate(ids)}).to_numpy(int)
    columns = names.map({name: k for k, name in enumerate(objects)}).to_numpy(int)
    instances, area = np.zeros((len(ids), len(objects)), int), np.zeros((len(ids), len(objects)))
    np.add.at(instances, (rows, columns), 1)
    np.add.at(area, (rows, columns), table["share"].to_numpy(float))
    categories = tuple(annotated.scene(image) for image in ids)
    return ObjectPresence(tuple(ids), categories, objects, instances, area)


def _check(ids: Sequence[str], known: Sequence[str]) -> None:
    if not ids:
        raise SceneLensError("there are no annotated images to count objects on.")
    strangers = set(ids) - set(known)
    if strangers:
        image = min(strangers)
        raise SceneLensError(f"no annotated image {image!r}; {close_names(image, known)}.")
