"""What each unit of a layer peaks at on the annotated images, and which of these show a concept.

Annotated photographs are often among the study's images, whose index exists already. Where some of them are
not, an index over the annotated images is built next to it, once.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

from scenelens.annotations import Folding
from scenelens.emergence import ObjectPresence
from scenelens.errors import CannotAnswerError, SceneLensError, close_names
from scenelens.images import load_image
from scenelens.studies import ActivationIndex, Study


class _AnnotatedPeaks:
    """The peaks of a network's units on a study's annotated images.

    Parameters
    ----------
    study : Study
        The open study.
    network : str
        A name in `Study.networks`.

    Attributes
    ----------
    images : list of str
        Ids of the annotated images, in the order of the rows of `of`.

    Raises
    ------
    CannotAnswerError
        If the study has no annotations.
    """

    def __init__(self, study: Study, network: str) -> None:
        self._annotations = study.need_annotations()
        self.study, self.network = study, network
        self.images, self._fold = study.scene_images(), Folding.read()
        listed = {annotated: image for image in study.images.image if (annotated := study.annotated(image))}
        self._listed = [listed.get(image, "") for image in self.images]

    @cached_property
    def index(self) -> ActivationIndex:
        """The index that holds the annotated images: the study's, or one of their own."""
        if all(self._listed):
            return self.study.index(self.network)
        annotations = self._annotations
        table = pd.DataFrame({"image": self.images, "path": [annotations.path(one) for one in self.images]})
        return ActivationIndex.build(
            self.study.networks[self.network],
            table.assign(source="annotated"),
            self.study.cache / "index-annotated",
            load=lambda image: load_image(annotations.path(image)),
        )

    @cached_property
    def rows(self) -> np.ndarray:
        """(images,) int: each image's row in `index`."""
        place = {image: row for row, image in enumerate(self.index.images.image)}
        names = self._listed if all(self._listed) else self.images
        return np.array([place[name] for name in names])

    def of(self, layer: str) -> np.ndarray:
        """Each unit's peak on each annotated image.

        Parameters
        ----------
        layer : str
            A layer of the network.

        Returns
        -------
        numpy.ndarray
            (images, units) float32; NaN for images that could not be read.
        """
        return self.index.peaks(layer)[self.rows]

    @cached_property
    def _shown(self) -> ObjectPresence:
        return ObjectPresence.of(self._annotations, self.images, self._fold)

    def presence(self, concept: str) -> tuple[np.ndarray, np.ndarray]:
        """Which annotated images show a concept, and on which its absence is known.

        Parameters
        ----------
        concept : str
            The object's name, in any of its forms that the table of object names folds into one.

        Returns
        -------
        present : numpy.ndarray
            (images,) bool.
        known : numpy.ndarray
            (images,) bool: whether the image's set of annotations ever names the concept. A set with a
            vocabulary of nine classes says nothing about lamps.

        Raises
        ------
        SceneLensError
            If no annotation names the concept; close names are given.
        """
        name, shown = self._fold(concept), self._shown
        if name not in shown.objects:
            raise SceneLensError(f"no annotated image shows {concept!r}; {close_names(name, shown.objects)}.")
        column = shown.objects.index(name)
        return shown.present[:, column], shown.judged[:, column]

    def halves(self, concept: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Split the images on which a concept's presence is known into two random halves.

        Images with and without the concept are split separately, so that both halves have both.

        Parameters
        ----------
        concept : str
            The object's name.
        seed : int, optional
            Seed of the split (default 0).

        Returns
        -------
        present : numpy.ndarray
            (images,) bool.
        chosen : numpy.ndarray
            Rows of the half on which units are chosen.
        judged : numpy.ndarray
            Rows of the half on which they are judged.

        Raises
        ------
        CannotAnswerError
            If fewer than two images show the concept, or fewer than two do not.
        """
        present, known = self.presence(concept)
        read = known & ~np.isnan(self.index.peaks(self.index.layers[0])[self.rows]).any(1)
        rng, chosen, judged = np.random.default_rng(seed), [], []
        for shown, verb in ((True, "show"), (False, "do not show")):
            rows = rng.permutation(np.flatnonzero(read & (present == shown)))
            if len(rows) < 2:
                raise CannotAnswerError(
                    f"{len(rows)} of the {read.sum()} annotated images {verb} {concept!r}: units are chosen "
                    "on one half and judged on the other, so at least 2 with it and 2 without it are needed."
                )
            chosen.append(rows[: len(rows) // 2])
            judged.append(rows[len(rows) // 2 :])
        return present, np.concatenate(chosen), np.concatenate(judged)
