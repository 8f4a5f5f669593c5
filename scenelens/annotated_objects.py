"""One photograph's annotation in memory: objects with outlines, and the report of what had to be repaired.

Every format with polygons is read into these classes, so that one piece of code paints them all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from scenelens.polygons import crosses_itself

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
