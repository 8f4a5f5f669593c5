"""One photograph's annotation in memory: objects with outlines, and the report of what had to be repaired.

Every format with polygons is read into these classes, so that one piece of code paints them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from scenelens.annotations.interface import Instance, InstanceAnnotations, LabelMap, Shape, by_name
from scenelens.annotations.polygons import crosses_itself, paint_order, polygon_patch, rescale
from scenelens.errors import SceneLensError

#: MERGED DOC: From outlines to pixels: objects painted over each other, for every format with polygons.


REPAIRS = {
    "text encoding": "the file is not UTF-8; read as Latin-1",
    "control characters": "characters that XML forbids were taken out",
    "bare ampersand": "an & that begins no entity was read as an ampersand",
    "deleted": "the object is marked deleted and was left out",
    "no name": "the object has no name; called 'unnamed'",
    "no area": "no polygon, or only points on one line; the object was left out",
    "box": "the object has a box in place of a polygon; the box's corners were taken",
    "frames": "several polygons of several points in time; those of the first were taken",
    "bad point": "a point without two numbers was left out",
    "crosses itself": "the outline crosses itself; filled by the even-odd rule",
    "outside": "points outside the frame; what lies inside was kept",
    "duplicate": "the same object is there twice; kept once",
    "imagesize": "the size of the image is missing or no number",
    "imagesize mistrusted": "the polygons fit the photograph, not the stated size; its own was taken",
}


class Repair(NamedTuple):
    """One note of a report: its kind (a key of `REPAIRS`) and what it was about."""

    kind: str
    detail: str


@dataclass(frozen=True)
class AnnotatedObject:
    """One object, or one visible piece of it.

    Attributes
    ----------
    name : what it is, lower case and without states; `raw_name` is what the file says.
    polygons : (n, 2) float arrays of x and y in pixels.
    instance : pieces of one thing share this number.
    part_of : the instance of the object this one is a part of (a wheel of a car), or None.
    states : the words taken off the name's end, such as ("sitting", "crop").
    """

    name: str
    polygons: tuple[np.ndarray, ...]
    raw_name: str = ""
    instance: int | None = None
    part_of: int | None = None
    states: tuple[str, ...] = ()
    attributes: str = ""


@dataclass(frozen=True)
class Annotation:
    """What people marked on one photograph.

    Attributes
    ----------
    size : (H, W) that the polygons were drawn on, None where the file does not say.
    report : what was repaired or left out.
    """

    filename: str
    folder: str
    size: tuple[int, int] | None
    objects: tuple[AnnotatedObject, ...]
    report: tuple[Repair, ...] = field(default=(), repr=False)

    def drawn_on(self, photograph: tuple[int, int]) -> Annotation:
        """The same annotation with a `size` that can be trusted, given the photograph's (H, W).

        A missing size is the photograph's. A stated size stands, unless the polygons leave it by more than 2%
        and fit the photograph: then somebody swapped or mistyped the numbers.
        """
        if self.size is None or self.size == photograph:
            return replace(self, size=photograph)
        points = [polygon.max(0) for one in self.objects for polygon in one.polygons]
        reach = np.max(points, axis=0)[::-1] if points else np.zeros(2)
        fits = [(reach <= 1.02 * np.array(size)).all() for size in (self.size, photograph)]
        if fits == [False, True]:
            note = Repair("imagesize mistrusted", f"{self.size} stated, {photograph} found")
            return replace(self, size=photograph, report=(*self.report, note))
        return self


def note_shapes(
    polygons: tuple[np.ndarray, ...], size: tuple[int, int] | None, label: str, notes: list[Repair]
) -> None:
    """Note outlines that cross themselves or leave the frame."""
    if any(crosses_itself(polygon) for polygon in polygons):
        notes.append(Repair("crosses itself", label))
    # The very edge (half a pixel, or one for files that count from 1) is no fault.
    if size and any(
        (polygon < -1).any() or (polygon > np.array(size[::-1]) + 0.5).any() for polygon in polygons
    ):
        notes.append(Repair("outside", label))


def without_duplicates(objects: list[AnnotatedObject], notes: list[Repair]) -> list[AnnotatedObject]:
    """Each object once: same name, and boxes and lengths of outline that agree within a few percent."""
    kept: list[tuple[AnnotatedObject, np.ndarray]] = []
    for one in objects:
        points = np.concatenate(one.polygons)
        length = sum(np.hypot(*(p - np.roll(p, 1, axis=0)).T).sum() for p in one.polygons)
        summary = np.array([*points.min(0), *points.max(0), length / 4])
        margin = 0.02 * (points.max(0) - points.min(0)).max()
        if any(one.name == other.name and (abs(summary - s) <= margin).all() for other, s in kept):
            notes.append(Repair("duplicate", f"{one.raw_name} at {points.min(0).round().tolist()}"))
        else:
            kept.append((one, summary))
    return [one for one, _ in kept]


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
