"""What is annotated on a set of photographs, in whatever format it was stored.

`Annotations` is the interface that the rest of the package builds on: pixels of one image, and a table of the
objects of all images. A new format subclasses `InstanceAnnotations`, which does all but read one file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import cv2
import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError

Shape = tuple[int, int]

_MOST_MASKED = 4_000_000_000  # bytes of all masks of one image


class Instance(NamedTuple):
    """One object on an image.

    Attributes
    ----------
    name : str
        What it is.
    instance : int
        Its number among the objects of the image.
    """

    name: str
    instance: int


class LabelMap(NamedTuple):
    """A code for each pixel, and what the codes mean.

    Attributes
    ----------
    codes : numpy.ndarray
        (H, W) int32; 0 is unlabelled.
    names : mapping of int to str
        The name of each code.
    """

    codes: np.ndarray
    names: Mapping[int, str]

    @classmethod
    def by_name(cls, ids: np.ndarray, instances: Sequence[Instance]) -> LabelMap:
        """Join the instances of each name.

        Parameters
        ----------
        ids : numpy.ndarray
            (H, W) int; k + 1 where the k-th instance is, 0 for none.
        instances : sequence of Instance
            The instances on the image.

        Returns
        -------
        LabelMap
            Codes number the names in alphabetical order, from 1.

        Examples
        --------
        >>> LabelMap.by_name(np.array([[0, 1, 2]]), [Instance("lamp", 0), Instance("bed", 1)]).names
        {1: 'bed', 2: 'lamp'}
        """
        names = sorted({one.name for one in instances})
        numbers = {name: code for code, name in enumerate(names, start=1)}
        codes = np.array([0, *(numbers[one.name] for one in instances)], dtype=np.int32)
        return cls(codes[ids], dict(enumerate(names, start=1)))

    def masks(self) -> dict[str, np.ndarray]:
        """The pixels of each name that occurs.

        Returns
        -------
        dict of str to numpy.ndarray
            A bool mask (H, W) for each name.

        Raises
        ------
        SceneLensError
            If all masks together would not fit in memory.
        """
        present = {int(code) for code in np.unique(self.codes)}
        if len(present) * self.codes.size > _MOST_MASKED:
            raise SceneLensError(
                f"{len(present)} masks of {self.codes.size:,} pixels do not fit in memory; take smaller "
                "ones, such as masks(image, shape=(500, 500)), or use label_map."
            )
        return {name: self.codes == code for code, name in self.names.items() if code in present}

    def resized(self, shape: Shape | None) -> LabelMap:
        """Resize the map. Every pixel takes the code of the nearest one, so no new codes arise.

        Parameters
        ----------
        shape : tuple of int or None
            The new (H, W); None returns the map as it is.

        Returns
        -------
        LabelMap
            The map at the new size, with the same names.
        """
        if shape is None or self.codes.shape == tuple(shape):
            return self
        # INTER_NEAREST_EXACT compares pixel centres; INTER_NEAREST is off by up to half a pixel.
        codes = cv2.resize(self.codes, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST_EXACT)
        return LabelMap(codes, self.names)


@runtime_checkable
class Annotations(Protocol):
    """Annotated photographs. An image's id is its path below their folder, with forward slashes.

    Attributes
    ----------
    images : list of str
        The ids of all annotated images.
    """

    images: list[str]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of label maps: some of 'objects', 'parts', 'materials'."""
        ...

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def path(self, image: str) -> Path:
        """The photograph's file.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        pathlib.Path
            The file.
        """

    def scene(self, image: str) -> str:
        """The scene category of an image.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        str
            The category.
        """

    def size(self, image: str) -> Shape:
        """The photograph's size.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        tuple of int
            (H, W) in pixels.
        """

    def masks(self, image: str, shape: Shape | None = None) -> dict[str, np.ndarray]:
        """The visible pixels of each object.

        Parameters
        ----------
        image : str
            The image's id.
        shape : tuple of int, optional
            (H, W) of the masks (default: the photograph's size).

        Returns
        -------
        dict of str to numpy.ndarray
            A bool mask (H, W) for each object name.
        """

    def label_map(self, image: str, kind: str = "objects", shape: Shape | None = None) -> LabelMap:
        """One of the image's label maps.

        Parameters
        ----------
        image : str
            The image's id.
        kind : str, optional
            One of `kinds` (default 'objects').
        shape : tuple of int, optional
            (H, W) of the map (default: the photograph's size).

        Returns
        -------
        LabelMap
            A code for each pixel, and the codes' names.
        """

    def objects(self) -> pd.DataFrame:
        """All annotated objects.

        Returns
        -------
        pandas.DataFrame
            One row per instance: ``image``, ``category``, ``object`` (str), ``instance`` (int), ``area``
            (int, visible pixels), ``share`` (float, of the image, 0..1).
        """

    def report(self) -> pd.DataFrame:
        """What was repaired, left out or unreadable.

        Returns
        -------
        pandas.DataFrame
            One row per note: ``image``, ``kind``, ``detail`` (str).
        """
