"""The segments of an image, wherever they come from: every pixel belongs to exactly one (section 3.1).

`scenelens.minimal_images.segment_image` finds them in the image itself, and `regions_from_annotation` takes
them from annotations. A reader may also bring a segment map, an array of one segment number per pixel, or
masks of any origin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from scenelens.annotations import Shape
from scenelens.errors import SceneLensError
from scenelens.networks import Preprocessing

REST = "unlabelled"  # the name of what no outline and no mask covers


@dataclass(frozen=True)
class Regions:
    """Segments that cover an image, each pixel in exactly one.

    Attributes
    ----------
    segment_map : numpy.ndarray
        (H, W) int32, the segment number 0 ... n - 1 of each pixel.
    names : tuple of str
        One name per segment; several segments may share a name (two chairs).
    kinds : tuple of str
        'region', 'edge' or 'object', one per segment.
    source : str
        How the segments were found, in words.

    Examples
    --------
    >>> halves = Regions.from_map([[3, 3, 7, 7]])
    >>> len(halves), halves.segment_map.tolist(), halves.shares.tolist()
    (2, [[0, 0, 1, 1]], [0.5, 0.5])
    """

    segment_map: np.ndarray
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    source: str

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> Shape:
        """(H, W) in pixels."""
        return self.segment_map.shape[0], self.segment_map.shape[1]

    @cached_property
    def shares(self) -> np.ndarray:
        """(n,) float64: each segment's share of the pixels, 0..1."""
        return np.bincount(self.segment_map.ravel(), minlength=len(self)) / self.segment_map.size

    def mask(self, kept: Sequence[bool] | np.ndarray) -> np.ndarray:
        """Return the pixels of the kept segments.

        Parameters
        ----------
        kept : sequence of bool
            (n,), which segments are kept.

        Returns
        -------
        numpy.ndarray
            (H, W) bool.
        """
        return np.asarray(kept, dtype=bool)[self.segment_map]

    @property
    def hash(self) -> str:
        """SHA-256 of segment map, names and kinds, in hexadecimal; identifies the division in cache keys."""
        content = repr((self.shape, self.names, self.kinds)).encode()
        # "<i4" gives the same bytes on machines of either byte order.
        return hashlib.sha256(content + self.segment_map.astype("<i4").tobytes()).hexdigest()

    @classmethod
    def of(cls, regions: Any) -> Regions:
        """Return regions from any of the forms in which a caller may give them.

        Parameters
        ----------
        regions : Regions, array_like, mapping or sequence
            `Regions`; a segment map (H, W), see `from_map`; or masks in a dict, a list or one array
            (n, H, W), see `from_masks`.

        Returns
        -------
        Regions
            The same segments.

        Raises
        ------
        SceneLensError
            If a segment map or masks cannot be used; see `from_map` and `from_masks`.

        Examples
        --------
        >>> Regions.of(np.array([[0, 1]])).names
        ('region 0', 'region 1')
        """
        if isinstance(regions, Regions):
            return regions
        # A list of lists of numbers is a segment map; a list of two-dimensional masks is not.
        if isinstance(regions, Mapping) or (isinstance(regions, list | tuple) and np.ndim(regions[:1]) == 3):
            return cls.from_masks(regions)
        found = np.asarray(regions)
        return cls.from_masks(list(found)) if found.ndim == 3 else cls.from_map(found)

    @classmethod
    def from_map(
        cls,
        segment_map: Any,
        names: Mapping[int, str] | None = None,
        kinds: Mapping[int, str] | None = None,
        source: str = "the caller's segment map",
    ) -> Regions:
        """Return regions from a segment map of any whole numbers, numbered anew in increasing order.

        Parameters
        ----------
        segment_map : array_like
            (H, W) whole numbers of any values; pixels with the same number form a segment.
        names : mapping of int to str, optional
            Names by the map's numbers; a number without a name is called 'region 7'.
        kinds : mapping of int to str, optional
            Kinds by the map's numbers; 'region' by default.
        source : str, optional
            How the segments were found, in words.

        Returns
        -------
        Regions
            The segments.

        Raises
        ------
        SceneLensError
            If the map is empty, not two-dimensional, or not of whole numbers.
        """
        given = np.asarray(segment_map)
        if given.ndim != 2 or given.size == 0 or given.dtype.kind not in "iu":
            raise SceneLensError(
                "a segment map is (H, W) whole numbers, the number of each pixel's segment; "
                f"got {given.dtype} {given.shape}."
            )
        values, numbers = np.unique(given, return_inverse=True)
        named, kind = names or {}, kinds or {}
        return cls(
            numbers.reshape(given.shape).astype(np.int32),
            tuple(named.get(int(value), f"region {value}") for value in values),
            tuple(kind.get(int(value), "region") for value in values),
            source,
        )

    @classmethod
    def from_masks(
        cls,
        masks: Mapping[str, np.ndarray] | Sequence[np.ndarray],
        rest: bool = False,
        source: str = "the caller's masks",
    ) -> Regions:
        """Return regions from one mask per segment.

        Parameters
        ----------
        masks : mapping of str to numpy.ndarray, or sequence of numpy.ndarray
            bool (H, W) masks, by name or in a list.
        rest : bool, optional
            True makes a region called 'unlabelled' of what no mask covers; by default that is an error.
        source : str, optional
            How the segments were found, in words.

        Returns
        -------
        Regions
            The segments, in the order of the masks.

        Raises
        ------
        SceneLensError
            If there is no mask, if masks differ in size or overlap, or if they leave pixels out.

        Examples
        --------
        >>> Regions.from_masks({"bed": np.array([[1, 1, 0]])})
        Traceback (most recent call last):
        ...
        scenelens.errors.SceneLensError: 1 of 3 pixels are in no mask; rest=True makes ...
        """
        named = dict(masks) if isinstance(masks, Mapping) else {f"region {k}": m for k, m in enumerate(masks)}
        stack = _checked_masks({name: np.asarray(mask) for name, mask in named.items()})
        covered = stack.any(0)
        if not covered.all() and not rest:
            raise SceneLensError(
                f"{np.count_nonzero(~covered)} of {covered.size} pixels are in no mask; rest=True makes them "
                "a region of their own."
            )
        numbers = np.where(covered, stack.argmax(0), len(stack))
        return cls.from_map(numbers, dict(enumerate([*named, REST])), source=source)

    def within(self, preprocessing: Preprocessing) -> Regions:
        """Return the segments of a photograph, resized and cropped as a network frames the photograph.

        The result lacks segments that lie outside the crop, or that are too thin for a pixel of the frame.

        Parameters
        ----------
        preprocessing : Preprocessing
            How the network frames photographs.

        Returns
        -------
        Regions
            The segments of the frame.
        """
        height, width = preprocessing.resized(self.shape)
        numbers = self.segment_map
        if numbers.shape != (height, width):
            # Nearest neighbour, because a number between two segment numbers means a third segment. "Exact"
            # samples at the centres of pixels, as the resizing of the photograph does.
            numbers = cv2.resize(numbers, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        numbers = Preprocessing.crop_centre(numbers, preprocessing.size)
        return Regions.from_map(
            numbers, dict(enumerate(self.names)), dict(enumerate(self.kinds)), self.source
        )


def _checked_masks(masks: dict[str, np.ndarray]) -> np.ndarray:
    """Return masks as one array (n, H, W) bool, of one size and without overlaps."""
    if not masks:
        raise SceneLensError("there is no mask: give at least two, or let segment_image find regions.")
    first, shape = next((name, mask.shape) for name, mask in masks.items())
    for name, mask in masks.items():
        if mask.ndim != 2 or mask.shape != shape:
            raise SceneLensError(
                f"masks are (H, W) and of one size; {name!r} is {mask.shape} and {first!r} {shape}."
            )
    stack = np.stack([mask.astype(bool) for mask in masks.values()])
    twice = stack.sum(0) > 1
    if twice.any():
        here = [name for name, mask in zip(masks, stack, strict=True) if mask[twice].any()]
        raise SceneLensError(
            f"masks overlap in {np.count_nonzero(twice)} pixels ({', '.join(map(repr, here[:4]))}): decide "
            "which one lies on top, as regions_from_annotation does."
        )
    return stack
