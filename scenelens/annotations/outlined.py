"""Annotations that are outlines: one photograph's objects with polygons, and how they become pixels.

Every format with polygons is read into these classes, so one piece of code paints all of them. What had to be
repaired in a file is noted in the annotation's report and never dropped silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from scenelens.annotations.file_checks import Repair
from scenelens.annotations.filling import _FilledOutlines
from scenelens.annotations.instances import InstanceAnnotations
from scenelens.annotations.interface import Instance, LabelMap, Shape
from scenelens.annotations.polygons import Polygon, _extent
from scenelens.errors import SceneLensError
from scenelens.images import ImageFrame

_MOST_PAINTED = 1_000_000_000  # pixels that the boxes of one photograph's outlines may have in all

# Painted before everything else: annotators let these outlines continue behind the objects in front of them.
_BACKGROUND = frozenset(
    (
        "carpet",
        "ceiling",
        "floor",
        "grass",
        "ground",
        "pavement",
        "road",
        "sand",
        "sea",
        "sidewalk",
        "sky",
        "snow",
        "wall",
        "water",
    )
)

_Patch = tuple[tuple[slice, slice], np.ndarray]  # a polygon's bounding box, and the pixels inside


@dataclass(frozen=True)
class AnnotatedObject:
    """One object, or one visible piece of it.

    Attributes
    ----------
    name : str
        What it is, in lower case and without states.
    polygons : tuple of numpy.ndarray
        (n, 2) float each, x and y in pixels.
    raw_name : str, optional
        The name as it is in the file.
    instance : int, optional
        Pieces of one object share this number.
    part_of : int, optional
        The instance of the object that this one is a part of (a wheel of a car), or None.
    states : tuple of str, optional
        The words that were taken off the name's end, such as ("sitting", "crop").
    attributes : str, optional
        Further words of the annotator.
    """

    name: str
    polygons: tuple[np.ndarray, ...]
    raw_name: str = ""
    instance: int | None = None
    part_of: int | None = None
    states: tuple[str, ...] = ()
    attributes: str = ""

    def shape_repairs(self, size: Shape | None) -> list[str]:
        """What is unusual about the outlines.

        Parameters
        ----------
        size : tuple of int or None
            (H, W) of the photograph; None where it is not known.

        Returns
        -------
        list of str
            'crosses itself' or 'not searched', 'outside', both or none.
        """
        crossing = [Polygon(polygon).crosses_itself() for polygon in self.polygons]
        kinds = ["crosses itself"] if any(crossing) else ["not searched"] if None in crossing else []
        # A point on the very edge is no fault: half a pixel, or one pixel in files that count from 1.
        if size and any(_is_outside(polygon, size) for polygon in self.polygons):
            kinds.append("outside")
        return kinds


def _is_outside(polygon: np.ndarray, size: Shape) -> bool:
    left, top, right, bottom = _extent(np.ascontiguousarray(polygon, np.float64))
    return min(left, top) < -1 or right > size[1] + 0.5 or bottom > size[0] + 0.5


@dataclass(frozen=True)
class Annotation:
    """What people outlined on one photograph.

    Attributes
    ----------
    filename : str
        The photograph's file name.
    folder : str
        Its folder within the data set.
    size : tuple of int or None
        (H, W) that the polygons were drawn on; None where the file does not say.
    objects : tuple of AnnotatedObject
        The objects that have an area.
    report : tuple of Repair, optional
        What was repaired or left out.
    """

    filename: str
    folder: str
    size: tuple[int, int] | None
    objects: tuple[AnnotatedObject, ...]
    report: tuple[Repair, ...] = field(default=(), repr=False)

    @property
    def wholes(self) -> list[AnnotatedObject]:
        """The objects that are not a part of another one."""
        return [one for one in self.objects if one.part_of is None]

    def drawn_on(self, photograph: Shape) -> Annotation:
        """The same annotation with a `size` that can be trusted.

        A missing size becomes the photograph's. A stated size is kept, unless the polygons exceed it by more
        than 2% and fit the photograph: then its numbers were swapped or mistyped.

        Parameters
        ----------
        photograph : tuple of int
            The photograph's (H, W).

        Returns
        -------
        Annotation
            With a size; a size that was replaced is noted in the report.
        """
        if self.size is None or self.size == photograph:
            return replace(self, size=photograph)
        if not self.fits(self.size) and self.fits(photograph):
            note = Repair("imagesize mistrusted", f"{self.size} stated, {photograph} found")
            return replace(self, size=photograph, report=(*self.report, note))
        return self

    def fits(self, size: Shape) -> bool:
        """Whether the outlines lie within a frame, or exceed it by at most 2%.

        Parameters
        ----------
        size : tuple of int
            (H, W) of the frame.

        Returns
        -------
        bool
            True for an annotation without outlines.
        """
        points = [polygon.max(0) for one in self.objects for polygon in one.polygons]
        reach = np.max(points, axis=0)[::-1] if points else np.zeros(2)
        return bool((reach <= 1.02 * np.array(size)).all())

    def paint(self, objects: Sequence[AnnotatedObject], shape: Shape) -> np.ndarray:
        """Paint objects over each other.

        The order is: background names first, then larger objects before smaller ones. An object inside
        another one is smaller, so it is on top.

        Parameters
        ----------
        objects : sequence of AnnotatedObject
            Some of `objects`.
        shape : tuple of int
            (H, W) of the result.

        Returns
        -------
        numpy.ndarray
            (H, W) int32; k + 1 where the k-th object of the list is on top, 0 where there is none.

        Raises
        ------
        SceneLensError
            If the outlines have so many pixels in all that painting them would take minutes.
        """
        return self._painted(objects, range(1, len(objects) + 1), shape)

    def _painted(self, objects: Sequence[AnnotatedObject], values: Sequence[int], shape: Shape) -> np.ndarray:
        """As `paint`, with a value for each object."""
        owners = [k for k, one in enumerate(objects) for _ in one.polygons]
        filled = _FilledOutlines(
            [
                Polygon(polygon).placed(shape, self.size or shape)
                for one in objects
                for polygon in one.polygons
            ],
            shape,
        )
        self._check_painted(filled.n_pixels)
        areas = [0] * len(objects)
        for k, area in zip(owners, filled.areas().tolist(), strict=True):
            areas[k] += area
        place = {k: place for place, k in enumerate(_paint_order([one.name for one in objects], areas))}
        order = sorted(range(len(owners)), key=lambda outline: place[owners[outline]])
        return filled.paint(order, [values[k] for k in owners])

    def _check_painted(self, n_pixels: int) -> None:
        if n_pixels > _MOST_PAINTED:
            raise SceneLensError(
                f"the outlines of {self.filename or 'this photograph'} have more than {_MOST_PAINTED:,} "
                "pixels in all, one over the other; take a smaller photograph or leave the annotation out."
            )

    def _patches(self, one: AnnotatedObject, shape: Shape) -> list[_Patch]:
        return [Polygon(polygon).patch(shape, self.size or shape) for polygon in one.polygons]


def _paint_order(names: Sequence[str], areas: Sequence[float]) -> list[int]:
    """In which order objects are painted over each other; the annotations do not say it reliably.

    Of ties the first of the list comes first. An object that lies more than 90% inside another one needs no
    rule of its own: if the other does not lie in it too, it is the smaller one and comes later.

    >>> _paint_order(["lamp", "wall", "table"], [4, 9, 20])
    [1, 2, 0]
    """
    return sorted(range(len(names)), key=lambda i: (names[i] not in _BACKGROUND, -areas[i], i))


def rasterise(
    annotation: Annotation, shape: Shape | None = None, visible: bool = True
) -> dict[str, np.ndarray]:
    """An annotation's objects as masks.

    Parameters
    ----------
    annotation : Annotation
        As `parse_annotation` returns it.
    shape : tuple of int, optional
        (H, W) of the masks; polygons are rescaled to it (default: the size they were drawn on).
    visible : bool, optional
        True (default) gives each pixel to one object only, the one on top: background names are painted
        first, then larger objects before smaller ones. False gives every object its whole outline.

    Returns
    -------
    dict of str to numpy.ndarray
        A bool mask (H, W) for each object name; instances of one name are joined, and parts of other objects
        are left out. Pixels that no polygon covers are in no mask. A name that is wholly covered has an empty
        mask.

    Raises
    ------
    SceneLensError
        If the annotation has no size; see `Annotation.drawn_on`.

    Examples
    --------
    >>> wall = AnnotatedObject("wall", (np.array([(-.5, -.5), (3.5, -.5), (3.5, 3.5), (-.5, 3.5)]),))
    >>> lamp = AnnotatedObject("lamp", (np.array([(.5, .5), (2.5, .5), (2.5, 2.5), (.5, 2.5)]),))
    >>> masks = rasterise(Annotation("a.jpg", "", (4, 4), (lamp, wall)))
    >>> {name: int(mask.sum()) for name, mask in masks.items()}
    {'lamp': 4, 'wall': 12}
    """
    if annotation.size is None:
        raise SceneLensError(
            f"the annotation of {annotation.filename or 'this photograph'} does not say how large the "
            "photograph is; give its size first: annotation.drawn_on((height, width))."
        )
    size = shape or annotation.size
    names = list(dict.fromkeys(one.name for one in annotation.wholes))
    if visible:
        ids, instances = _paint_instances(annotation, annotation.wholes, size)
        found = LabelMap.by_name(ids, instances).masks()
        return {name: found.get(name, np.zeros(size, bool)) for name in names}
    masks = {name: np.zeros(size, bool) for name in names}
    for one in annotation.wholes:
        for box, inside in annotation._patches(one, size):
            masks[one.name][box] |= inside
    return masks


class PolygonAnnotations(InstanceAnnotations):
    """All of `Annotations` for a format that gives an image's polygons; see `InstanceAnnotations`."""

    kinds: tuple[str, ...] = ("objects", "parts")

    def annotation(self, image: str) -> Annotation:
        """One image's annotation. A format implements this.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        Annotation
            With a size that can be trusted; see `Annotation.drawn_on`.
        """
        raise NotImplementedError

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
            The instances on the image, parts of other objects left out.
        """
        annotation = self.annotation(image)
        return _paint_instances(annotation, annotation.wholes, shape or self.size(image))

    def label_map(self, image: str, kind: str = "objects", shape: Shape | None = None) -> LabelMap:
        """The objects, or the parts of objects, as codes by name.

        Parameters
        ----------
        image : str
            The image's id.
        kind : str, optional
            'objects' (default) or 'parts'.
        shape : tuple of int, optional
            (H, W) of the map (default: the photograph's size).

        Returns
        -------
        LabelMap
            A code for each pixel, and the codes' names.
        """
        if kind != "parts":
            return super().label_map(image, kind, shape)
        annotation = self.annotation(image)
        parts = [one for one in annotation.objects if one.part_of is not None]
        return LabelMap.by_name(*_paint_instances(annotation, parts, shape or self.size(image)))

    def repairs(self, image: str) -> list[tuple[str, str]]:
        """What had to be repaired in an image's annotation.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        list of tuple of str
            (kind, detail) of each repair; `REPAIRS` explains the kinds.
        """
        return [(note.kind, note.detail) for note in self.annotation(image).report]

    #: Whether the tool that writes the format shows photographs turned as the camera's tag says.
    _turns_photographs = False

    def _placed(self, annotation: Annotation, image: str) -> Annotation:
        """What was read, in the pixels of the photograph as it is shown, with a size that can be trusted.

        Outlines of a photograph that the camera's tag turns are turned too; `scenelens.images` says when.
        """
        frame = self._frame(image)
        if frame.orientation == 1:
            return annotation.drawn_on(frame.size)
        of_stored, certain = self._belongs_to_stored(annotation, frame)
        if not certain:
            how = "stored" if of_stored else "shown"
            note = Repair("turned", f"orientation {frame.orientation}; taken as drawn on the pixels as {how}")
            annotation = replace(annotation, report=(*annotation.report, note))
        if of_stored:
            annotation = _turned(annotation.drawn_on(frame.stored), frame.orientation)
        return annotation.drawn_on(frame.size)

    def _belongs_to_stored(self, annotation: Annotation, frame: ImageFrame) -> tuple[bool, bool]:
        """Whether outlines were drawn on a turned photograph's stored pixels, and whether that is sure."""
        swapped = frame.orientation >= 5 and frame.stored[0] != frame.stored[1]
        if annotation.size is not None:
            stored = frame.belongs_to_stored(annotation.size)
            return (stored, True) if swapped else (stored and not self._turns_photographs, False)
        fits = annotation.fits(frame.stored), annotation.fits(frame.size)
        return fits == (True, False), swapped and fits[0] != fits[1]


def _turned(annotation: Annotation, orientation: int) -> Annotation:
    frame = ImageFrame(annotation.size or (0, 0), orientation)
    objects = [
        replace(one, polygons=tuple(frame.turned_points(polygon) for polygon in one.polygons))
        for one in annotation.objects
    ]
    return replace(annotation, size=frame.size, objects=tuple(objects))


def _paint_instances(
    annotation: Annotation, objects: list[AnnotatedObject], shape: Shape
) -> tuple[np.ndarray, list[Instance]]:
    """Painted objects, with the pieces of one instance under one number."""
    found = [Instance(one.name, k if one.instance is None else one.instance) for k, one in enumerate(objects)]
    distinct = {one: code for code, one in enumerate(dict.fromkeys(found), start=1)}
    return annotation._painted(objects, [distinct[one] for one in found], shape), list(distinct)
