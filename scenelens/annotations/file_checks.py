"""What files of outlines state, checked before it is used, and the kinds of repairs that reports name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from scenelens.annotations.interface import Shape
from scenelens.annotations.polygons import Polygon

#: The kinds of repairs, and what each means.
REPAIRS = {
    "text encoding": "the file is neither in the encoding it declares nor in UTF-8; read as Latin-1",
    "control characters": "characters that XML forbids were removed",
    "bare ampersand": "an & that begins no entity was read as an ampersand",
    "deleted": "the object is marked deleted and was left out",
    "no name": "the object has no name; called 'unnamed'",
    "no area": "no polygon, or only points on one line; the object was left out",
    "box": "the object has a box instead of a polygon; the box's corners were taken",
    "mask file": "the object's mask is in a file of its own, which is not read; its box was taken",
    "frames": "several polygons of several points in time; those of the first were taken",
    "bad mask": "the run-length mask does not fit its size or the photograph's; it was not read",
    "bad point": "a point without two numbers was left out",
    "crosses itself": "the outline crosses itself; filled by the even-odd rule",
    "not searched": "the outline is too intricate to look for crossings; filled by the even-odd rule",
    "outside": "points outside the frame; the part inside was taken",
    "duplicate": "the same object occurs twice; taken once",
    "imagesize": "the size of the image is missing or not a number",
    "too many": "the file has more objects or points than a photograph can show; the rest was left out",
    "not an object": "the object is not written as one; it was left out",
    "turned": "the camera's tag turns the photograph; nothing tells whether outlines were drawn before that",
    "imagesize mistrusted": "the polygons fit the photograph, not the stated size; its own was taken",
}

MOST_OBJECTS = 50_000  # objects that are read from one file
_MOST_POINTS = 250_000  # points of all their outlines
_MOST_SIDE = 1_000_000  # pixels of a photograph's side, as a file states it
_MOST_NUMBER = 2**31  # an object's own number
_MOST_OF_MASKS = 400_000_000  # pixels that all masks of one file have, each within its box


class Repair(NamedTuple):
    """One note of a report.

    Attributes
    ----------
    kind : str
        A key of `REPAIRS`.
    detail : str
        Which object or text it is about.
    """

    kind: str
    detail: str


class _FileChecks:
    """What one file states, checked before it is used, whatever the file has in its places.

    Each check of a value stands for itself. An object of the class counts how many objects and points may
    still be read from one file, so that no file can fill the memory.
    """

    def __init__(self) -> None:
        self.points, self.pixels, self._refused = _MOST_POINTS, _MOST_OF_MASKS, 0

    def takes(self, n_points: int = 0, n_pixels: int = 0) -> bool:
        """Whether an object is read; it then counts.

        Parameters
        ----------
        n_points : int, optional
            The points of its outlines.
        n_pixels : int, optional
            The pixels of its mask, within the box that is read.

        Returns
        -------
        bool
            False where the file has had more than a photograph can show.
        """
        fits = n_points <= self.points and n_pixels <= self.pixels
        if fits:
            self.points -= n_points
            self.pixels -= n_pixels
        self._refused += not fits
        return fits

    def notes(self, n_objects: int) -> list[Repair]:
        """What was left out, for the report.

        Parameters
        ----------
        n_objects : int
            The objects that the file has.

        Returns
        -------
        list of Repair
            One 'too many', or nothing.
        """
        left = self._refused + max(0, n_objects - MOST_OBJECTS)
        most = f"a photograph has at most {MOST_OBJECTS:,} objects of {_MOST_POINTS:,} points"
        most += f" and masks of {_MOST_OF_MASKS:,} pixels" if self.pixels < _MOST_OF_MASKS else ""
        return [Repair("too many", f"{left} objects were left out: {most}")] if left else []

    @staticmethod
    def outline(points: Sequence | np.ndarray, label: str, notes: list[Repair]) -> np.ndarray | None:
        """An outline that every kernel can work on, whatever the file has in its place.

        Every format's outlines pass through here. Points that are not two finite numbers are left out and
        noted, and what lies out of reach of any photograph is cut off.

        Parameters
        ----------
        points : array_like
            (n, 2), x and y in pixels.
        label : str
            Which object it is, for the report.
        notes : list of Repair
            The report, to which is added.

        Returns
        -------
        numpy.ndarray or None
            (m, 2) float64, at least three points that are not on one line; None where there is no such
            outline.
        """
        outline = Polygon(_FileChecks.finite_points(points, label, notes)).within_reach()
        return outline if len(outline) and Polygon(outline).has_area() else None

    @staticmethod
    def finite_points(points: Sequence | np.ndarray, label: str, notes: list[Repair]) -> np.ndarray:
        """The points that are two finite numbers; the others are noted.

        Parameters
        ----------
        points : array_like
            (n, 2), x and y in pixels.
        label : str
            Which object it is, for the report.
        notes : list of Repair
            The report, to which is added.

        Returns
        -------
        numpy.ndarray
            (m, 2) float64; none where the file has no array of pairs.
        """
        try:
            array = np.asarray(points, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            array = np.zeros(0)
        if array.ndim != 2 or array.shape[1] != 2:
            return np.zeros((0, 2))
        good = np.isfinite(array).all(axis=1)
        if good.all():
            return array
        notes.extend([Repair("bad point", label)] * int((~good).sum()))
        return array[good]

    @staticmethod
    def size(height: object, width: object) -> Shape | None:
        """A photograph's size as a file states it.

        Parameters
        ----------
        height, width : object
            What the file has in their places.

        Returns
        -------
        tuple of int or None
            (H, W), each in 1..1,000,000; None where they are not such numbers.
        """
        numbers = [float(n) for n in (height, width) if _is_number(n) and 1 <= n <= _MOST_SIDE]
        return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None

    @staticmethod
    def number(value: object, most: int = _MOST_NUMBER) -> int | None:
        """An object's own number as a file states it.

        Parameters
        ----------
        value : object
            What the file has in its place.
        most : int, optional
            Numbers of this size and above are not taken (default: those of more than 31 bits).

        Returns
        -------
        int or None
            The number; None where it is not a number, or too large a one.
        """
        return int(value) if _is_number(value) and abs(value) < most else None

    @staticmethod
    def free_numbers(own: Iterable[int | None]) -> list[int]:
        """A number for every object: its own, or else one that no other object has.

        Parameters
        ----------
        own : iterable of int or None
            The objects' own numbers.

        Returns
        -------
        list of int
            As many numbers.

        Examples
        --------
        >>> _FileChecks.free_numbers([7, None, 2, None])
        [7, 9, 2, 11]
        """
        own = list(own)
        free = max((n for n in own if n is not None), default=-1) + 1
        return [free + k if n is None else n for k, n in enumerate(own)]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
