"""Several sets of annotated images as one, each in a format of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from scenelens.annotations.interface import Annotations, Instance, LabelMap, Shape
from scenelens.errors import SceneLensError, close_names


class JoinedAnnotations:
    """Several sets of annotated images as one. An image's id is "<set>/<its id in the set>".

    A concept that a set's annotations never name counts as absent from its images. A vocabulary of nine
    classes has no lamps, and a lamp on such an image is missed. Where that matters, use the single sets.

    Parameters
    ----------
    sets : mapping of str to Annotations
        The sets by name, none of them empty.

    Attributes
    ----------
    sets : dict of str to Annotations
        The sets by name.
    images : list of str
        The ids of all images, set after set.
    kinds : tuple of str
        The kinds of label maps that any of the sets has.

    Raises
    ------
    SceneLensError
        If there are no sets.

    Examples
    --------
    >>> JoinedAnnotations({})
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: there are no annotations to join; give at least one set.
    """

    def __init__(self, sets: Mapping[str, Annotations]) -> None:
        if not sets:
            raise SceneLensError("there are no annotations to join; give at least one set.")
        self.sets = dict(sets)
        self._homes = {f"{name}/{image}": (name, image) for name, one in sets.items() for image in one.images}
        self.images = list(self._homes)
        self.kinds = tuple(dict.fromkeys(kind for one in sets.values() for kind in one.kinds))

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[str]:
        return iter(self.images)

    def home(self, image: str) -> tuple[Annotations, str]:
        """The set that an image belongs to.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        annotations : Annotations
            The set.
        image : str
            The image's id in the set.
        """
        if image not in self._homes:
            raise SceneLensError(f"no annotated image {image!r}; {close_names(image, self._homes)}.")
        name, own = self._homes[image]
        return self.sets[name], own

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
        one, own = self.home(image)
        return one.path(own)

    def scene(self, image: str) -> str:
        """The scene category of an image.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        str
            The category; '' where the set has none.
        """
        one, own = self.home(image)
        return one.scene(own)

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
        one, own = self.home(image)
        return one.size(own)

    def masks(self, image: str, shape: Shape | None = None) -> dict[str, np.ndarray]:
        """The visible pixels of each object.

        Parameters
        ----------
        image : str
            The image's id.
        shape : tuple of int, optional
            (H, W) of the result (default: the photograph's size).

        Returns
        -------
        dict of str to numpy.ndarray
            A bool mask (H, W) for each object name.
        """
        one, own = self.home(image)
        return one.masks(own, shape)

    def label_map(self, image: str, kind: str = "objects", shape: Shape | None = None) -> LabelMap:
        """One of the image's label maps.

        Parameters
        ----------
        image : str
            The image's id.
        kind : str, optional
            One of `kinds` (default 'objects').
        shape : tuple of int, optional
            (H, W) of the result (default: the photograph's size).

        Returns
        -------
        LabelMap
            All pixels are unlabelled where the image's set has no map of this kind.
        """
        one, own = self.home(image)
        if kind in self.kinds and kind not in one.kinds:
            return LabelMap(np.zeros(shape or one.size(own), np.int32), {})
        return one.label_map(own, kind, shape)

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
            The instances on the image.
        """
        one, own = self.home(image)
        return one.instances(own, shape)  # type: ignore[attr-defined]

    def objects(self) -> pd.DataFrame:
        """All objects of all sets.

        Returns
        -------
        pandas.DataFrame
            One row per instance; see `Annotations.objects`.
        """
        return self._joined({name: one.objects() for name, one in self.sets.items()})

    def report(self) -> pd.DataFrame:
        """What was repaired, left out or unreadable in any set.

        Returns
        -------
        pandas.DataFrame
            One row per note; see `Annotations.report`.
        """
        return self._joined({name: one.report() for name, one in self.sets.items()})

    @staticmethod
    def _joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        # pandas warns when empty tables are joined; one is kept so that the columns are there.
        named = [table.assign(image=f"{name}/" + table.image) for name, table in tables.items()]
        return pd.concat([table for table in named if len(table)] or named[:1], ignore_index=True)
