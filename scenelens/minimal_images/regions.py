"""An image's segments, wherever they come from: every pixel belongs to exactly one (section 3.1).

`scenelens.minimal_images.segmentation` finds them in the image itself or in annotations; a reader may bring a label map or
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
from scenelens.networks import Preprocessing, crop_centre

REST = "unlabelled"  # what no polygon and no mask covers


@dataclass(frozen=True)
class Regions:
    """Segments that cover an image, each pixel in exactly one.

    Attributes
    ----------
    labels : (H, W) int32, 0 ... n - 1.
    names : one per segment; several may share one (two chairs).
    kinds : 'region', 'edge' or 'object', one per segment.
    source : how they were found, in words.

    Examples
    --------
    >>> halves = Regions.from_labels([[3, 3, 7, 7]])
    >>> len(halves), halves.labels.tolist(), halves.shares.tolist()
    (2, [[0, 0, 1, 1]], [0.5, 0.5])
    """

    labels: np.ndarray
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    source: str

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> Shape:
        """(H, W) in pixels."""
        return self.labels.shape[0], self.labels.shape[1]

    @cached_property
    def shares(self) -> np.ndarray:
        """(n,) float64: each segment's share of the pixels, 0..1."""
        return np.bincount(self.labels.ravel(), minlength=len(self)) / self.labels.size

    def mask(self, kept: Sequence[bool] | np.ndarray) -> np.ndarray:
        """Where the kept segments are: (n,) bool -> (H, W) bool."""
        return np.asarray(kept, dtype=bool)[self.labels]

    @property
    def hash(self) -> str:
        """Names the division, for provenance and caches: the sha256 of labels and names."""
        content = repr((self.shape, self.names, self.kinds)).encode()
        return hashlib.sha256(content + self.labels.astype("<i4").tobytes()).hexdigest()

    @classmethod
    def from_labels(
        cls,
        labels: Any,
        names: Mapping[int, str] | None = None,
        kinds: Mapping[int, str] | None = None,
        source: str = "the caller's label map",
    ) -> Regions:
        """Regions from a label map: whole numbers (H, W), any values; numbered anew in increasing order.

        Parameters
        ----------
        names, kinds : of the label map's values; a value without a name is called 'region 7', of kind
            'region'.
        """
        labels = np.asarray(labels)
        if labels.ndim != 2 or labels.size == 0 or labels.dtype.kind not in "iu":
            raise SceneLensError(
                f"a label map is (H, W) whole numbers, one per segment; got {labels.dtype} {labels.shape}."
            )
        values, ours = np.unique(labels, return_inverse=True)
        named, kind = names or {}, kinds or {}
        return cls(
            ours.reshape(labels.shape).astype(np.int32),
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
        """Regions from bool (H, W) masks, by name or in a list.

        Parameters
        ----------
        rest : what no mask covers becomes a region of its own, called 'unlabelled'; else it is an error.

        Raises
        ------
        SceneLensError : masks of several sizes, masks that overlap or leave pixels out, no mask.

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
        labels = np.where(covered, stack.argmax(0), len(stack))
        return cls.from_labels(labels, dict(enumerate([*named, REST])), source=source)

    def within(self, preprocessing: Preprocessing) -> Regions:
        """The segments of a photograph, resized and cropped as the network frames the photograph.

        Segments that the crop leaves out, or that are too thin to be met by a pixel, are gone.
        """
        height, width = preprocessing.resized(self.shape)
        labels = self.labels
        if labels.shape != (height, width):
            labels = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        labels = crop_centre(labels, preprocessing.size)
        return Regions.from_labels(
            labels, dict(enumerate(self.names)), dict(enumerate(self.kinds)), self.source
        )


def _checked_masks(masks: dict[str, np.ndarray]) -> np.ndarray:
    """(n, H, W) bool, of one size and without overlaps."""
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


def as_regions(regions: Any) -> Regions:
    """What a caller means by regions: `Regions`, a label map (H, W), or masks in a dict or a list.

    >>> as_regions(np.array([[0, 1]])).names
    ('region 0', 'region 1')
    """
    if isinstance(regions, Regions):
        return regions
    if isinstance(regions, Mapping) or (isinstance(regions, list | tuple) and np.ndim(regions[:1]) == 3):
        return Regions.from_masks(regions)
    found = np.asarray(regions)
    return Regions.from_masks(list(found)) if found.ndim == 3 else Regions.from_labels(found)
