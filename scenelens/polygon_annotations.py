"""From outlines to pixels: objects painted over each other, for every format with polygons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenelens.annotated_objects import AnnotatedObject, Annotation
from scenelens.annotations import Instance, InstanceAnnotations, LabelMap, Shape, by_name
from scenelens.errors import SceneLensError
from scenelens.polygons import paint_order, polygon_patch, rescale

Patch = tuple[tuple[slice, slice], np.ndarray]


def rasterise(
    annotation: Annotation, shape: Shape | None = None, visible: bool = True
) -> dict[str, np.ndarray]:
    """An annotation's objects as masks.

    Parameters
    ----------
    annotation : as `parse_annotation` gives it.
    shape : (H, W) of the masks; polygons are rescaled from the size they were drawn on, which None takes.
    visible : give a pixel to one object only, the one painted last (`polygons.paint_order`: background names
        first, then larger before smaller); False gives every object all of its outline.

    Returns
    -------
    dict from object name to bool (H, W), instances of one name joined; parts of other objects are left out.
    What no polygon covers is in no mask. A name that is wholly covered has an empty mask.

    Examples
    --------
    >>> wall = AnnotatedObject("wall", (np.array([(-.5, -.5), (3.5, -.5), (3.5, 3.5), (-.5, 3.5)]),))
    >>> lamp = AnnotatedObject("lamp", (np.array([(.5, .5), (2.5, .5), (2.5, 2.5), (.5, 2.5)]),))
    >>> masks = rasterise(Annotation("a.jpg", "", (4, 4), (lamp, wall)))
    >>> {name: int(mask.sum()) for name, mask in masks.items()}
    {'lamp': 4, 'wall': 12}
    """
    objects = wholes(annotation)
    size = _shape(annotation, shape)
    masks = {one.name: np.zeros(size, bool) for one in objects}
    if visible:
        ids = paint(annotation, objects, size)
        for number, one in enumerate(objects, start=1):
            masks[one.name] |= ids == number
        return masks
    for one in objects:
        for box, inside in _patches(annotation, one, size):
            masks[one.name][box] |= inside
    return masks


def wholes(annotation: Annotation) -> list[AnnotatedObject]:
    """The objects that are not a part of another one."""
    return [one for one in annotation.objects if one.part_of is None]


def paint(annotation: Annotation, objects: Sequence[AnnotatedObject], shape: Shape) -> np.ndarray:
    """Objects painted over each other: (H, W) int32, k + 1 where the k-th of the list is on top, else 0."""
    patches = [_patches(annotation, one, shape) for one in objects]
    areas = [sum(int(inside.sum()) for _, inside in pieces) for pieces in patches]
    ids = np.zeros(shape, np.int32)
    for k in paint_order([one.name for one in objects], areas):
        for box, inside in patches[k]:
            ids[box][inside] = k + 1
    return ids


def _patches(annotation: Annotation, one: AnnotatedObject, shape: Shape) -> list[Patch]:
    size = annotation.size or shape
    return [polygon_patch(rescale(polygon, size, shape), shape) for polygon in one.polygons]


def _shape(annotation: Annotation, shape: Shape | None) -> Shape:
    if annotation.size is None:
        raise SceneLensError(
            f"the annotation of {annotation.filename or 'this photograph'} does not say how large the "
            "photograph is; give its size first: annotation.drawn_on((height, width))."
        )
    return shape or annotation.size


class PolygonAnnotations(InstanceAnnotations):
    """All of `Annotations` for a format that gives one image's polygons (`annotation`)."""

    kinds: tuple[str, ...] = ("objects", "parts")

    def annotation(self, image: str) -> Annotation:
        """One image's annotation, with a size that can be trusted."""
        raise NotImplementedError

    def instances(self, image: str, shape: Shape | None = None) -> tuple[np.ndarray, list[Instance]]:
        """Which instance each pixel shows; see `InstanceAnnotations.instances`."""
        annotation = self.annotation(image)
        return self._painted(annotation, wholes(annotation), shape or self.size(image))

    def label_map(self, image: str, kind: str = "objects", shape: Shape | None = None) -> LabelMap:
        """Objects, or the parts of objects, as codes by name."""
        if kind != "parts":
            return super().label_map(image, kind, shape)
        annotation = self.annotation(image)
        parts = [one for one in annotation.objects if one.part_of is not None]
        return by_name(*self._painted(annotation, parts, shape or self.size(image)))

    def repairs(self, image: str) -> list[tuple[str, str]]:
        """The annotation's report."""
        return [(note.kind, note.detail) for note in self.annotation(image).report]

    @staticmethod
    def _painted(
        annotation: Annotation, objects: list[AnnotatedObject], shape: Shape
    ) -> tuple[np.ndarray, list[Instance]]:
        """Painted objects, with the pieces of one instance under one number."""
        ids = paint(annotation, objects, shape)
        things = [
            Instance(one.name, k if one.instance is None else one.instance) for k, one in enumerate(objects)
        ]
        distinct = list(dict.fromkeys(things))
        codes = np.array([0, *(distinct.index(thing) + 1 for thing in things)], dtype=np.int32)
        return codes[ids], distinct
