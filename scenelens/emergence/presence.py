"""Which objects are on which images: the one table that frequency and informativeness are computed from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from scenelens.annotations import Annotations, Folding
from scenelens.errors import CannotAnswerError, SceneLensError, close_names


@dataclass(frozen=True)
class ObjectPresence:
    """How many of each object are on each image.

    Attributes
    ----------
    images : tuple of str
        Image ids, one per row.
    categories : tuple of str
        The images' scene categories, '' where it is not known.
    objects : tuple of str
        Folded object names in alphabetical order, one per column.
    instances : numpy.ndarray
        (images, objects) int, the number of instances.
    area : numpy.ndarray
        (images, objects) float, the object's share of the image's pixels, 0..1.
    known : numpy.ndarray, optional
        (images, objects) bool, whether the image's annotators name the object at all; by default all do. Of
        several sets of annotations one may know nine classes: that no lamp is named there says nothing.
    """

    images: tuple[str, ...]
    categories: tuple[str, ...]
    objects: tuple[str, ...]
    instances: np.ndarray
    area: np.ndarray
    known: np.ndarray | None = None

    @property
    def judged(self) -> np.ndarray:
        """(images, objects) bool: where a missing object means that it is not there."""
        return np.ones(self.instances.shape, bool) if self.known is None else self.known

    @property
    def present(self) -> np.ndarray:
        """(images, objects) bool: whether the object is on the image."""
        return self.instances > 0

    @classmethod
    def of(
        cls,
        annotated: Annotations | ObjectPresence,
        images: Iterable[str] | None = None,
        fold: Callable[[str], str] | None = None,
    ) -> ObjectPresence:
        """Count the objects on annotated images, by folded names.

        Parameters
        ----------
        annotated : Annotations or ObjectPresence
            A set of annotated images. An `ObjectPresence` is returned as it is.
        images : iterable of str, optional
            Ids of the images to count on (default all). An image without any object counts as an image.
        fold : callable, optional
            Raw name to object name (default: the package's table, `scenelens.annotations.Folding.read`).

        Returns
        -------
        ObjectPresence
            One row per image, one column per object.

        Raises
        ------
        SceneLensError
            If there are no images, or if one of them is not annotated.

        Examples
        --------
        >>> seen = ObjectPresence(("a",), ("den",), ("bed",), np.array([[2]]), np.array([[0.5]]))
        >>> ObjectPresence.of(seen) is seen, seen.present.tolist()
        (True, [[True]])
        """
        if isinstance(annotated, ObjectPresence):
            return annotated
        ids = list(annotated.images if images is None else images)
        _check_annotated(ids, annotated.images)
        table = annotated.objects()
        table = table[table.image.isin(set(ids))]
        fold = fold or Folding.read()
        names = table.object.map({name: fold(name) for name in table.object.unique()}).astype(str)
        objects = tuple(sorted(names.unique()))
        rows = table.image.map({image: k for k, image in enumerate(ids)}).to_numpy(int)
        columns = names.map({name: k for k, name in enumerate(objects)}).to_numpy(int)
        instances, area = np.zeros((len(ids), len(objects)), int), np.zeros((len(ids), len(objects)))
        # add.at and not +=: an image may show the same object several times, and += would count it once.
        np.add.at(instances, (rows, columns), 1)
        np.add.at(area, (rows, columns), table["share"].to_numpy(float))
        categories = tuple(annotated.scene(image) for image in ids)
        return cls(tuple(ids), categories, objects, instances, area, _known(annotated, ids, objects, fold))


def _known(
    annotated: Annotations, ids: Sequence[str], objects: Sequence[str], fold: Callable[[str], str]
) -> np.ndarray | None:
    """Which objects the annotators of each image name anywhere; None where there is one set."""
    sets = getattr(annotated, "sets", {})
    if len(sets) < 2:
        return None
    words = {name: {fold(raw) for raw in one.objects().object.unique()} for name, one in sets.items()}
    rows = {name: np.array([one in known for one in objects], bool) for name, known in words.items()}
    return np.array([rows[image.partition("/")[0]] for image in ids]).reshape(len(ids), len(objects))


def _check_annotated(ids: Sequence[str], known: Sequence[str]) -> None:
    if not ids:
        raise CannotAnswerError(
            "no annotated image shows a scene, so there is nothing to count objects on: annotate some that "
            "are not listed as object-centric."
        )
    strangers = set(ids) - set(known)
    if strangers:
        image = min(strangers)
        raise SceneLensError(f"no annotated image {image!r}; {close_names(image, known)}.")
