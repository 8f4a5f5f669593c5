"""A study's annotations: one folder or several, each in a format of its own, behind one interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from scenelens.annotations.interface import Annotations, Instance, LabelMap, Shape
from scenelens.errors import SceneLensError, close_names


class JoinedAnnotations:
    """Several sets of annotated images as one; an image is called "<set>/<its id in the set>".

    What a set's annotations never name counts as absent from its images: a vocabulary of nine classes says
    nothing of lamps, and a lamp on such an image is missed. Ask the single sets where that matters.

    Parameters
    ----------
    sets : name to annotations, two or more, none of them empty.

    Examples
    --------
    >>> JoinedAnnotations({})
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: there are no annotations to join; give one set at least.
    """

    def __init__(self, sets: Mapping[str, Annotations]) -> None:
        if not sets:
            raise SceneLensError("there are no annotations to join; give one set at least.")
        self.sets = dict(sets)
        self._homes = {f"{name}/{image}": (name, image) for name, one in sets.items() for image in one.images}
        self.images = list(self._homes)
        # the label maps that any of the sets has
        self.kinds = tuple(dict.fromkeys(kind for one in sets.values() for kind in one.kinds))

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[str]:
        return iter(self.images)

    def home(self, image: str) -> tuple[Annotations, str]:
        """The set that an image belongs to, and its id there."""
        if image not in self._homes:
            raise SceneLensError(f"no annotated image {image!r}; {close_names(image, self._homes)}.")
        name, own = self._homes[image]
        return self.sets[name], own

    def path(self, image: str) -> Path:
        """Where the photograph lies."""
        one, own = self.home(image)
        return one.path(own)

    def scene(self, image: str) -> str:
        """The scene category, empty where the set has none."""
        one, own = self.home(image)
        return one.scene(own)

    def size(self, image: str) -> Shape:
        """The photograph's (H, W)."""
        one, own = self.home(image)
        return one.size(own)

    def masks(self, image: str, shape: Shape | None = None) -> dict[str, np.ndarray]:
        """Object name to bool (H, W) mask; see `Annotations.masks`."""
        one, own = self.home(image)
        return one.masks(own, shape)

    def label_map(self, image: str, kind: str = "objects", shape: Shape | None = None) -> LabelMap:
        """One of the image's label maps; wholly unlabelled where its set has none of this kind."""
        one, own = self.home(image)
        if kind in self.kinds and kind not in one.kinds:
            return LabelMap(np.zeros(shape or one.size(own), np.int32), {})
        return one.label_map(own, kind, shape)

    def instances(self, image: str, shape: Shape | None = None) -> tuple[np.ndarray, list[Instance]]:
        """Which instance each pixel shows; see `InstanceAnnotations.instances`."""
        one, own = self.home(image)
        return one.instances(own, shape)  # type: ignore[attr-defined]

    def objects(self) -> pd.DataFrame:
        """One row per instance of any set; see `Annotations.objects`."""
        return self._joined({name: one.objects() for name, one in self.sets.items()})

    def report(self) -> pd.DataFrame:
        """What was repaired, left out or unreadable in any set."""
        return self._joined({name: one.report() for name, one in self.sets.items()})

    @staticmethod
    def _joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        named = [table.assign(image=f"{name}/" + table.image) for name, table in tables.items()]
        return pd.concat([table for table in named if len(table)] or named[:1], ignore_index=True)
