"""Every unit's peak in every image, on disk, and the detection AP that follows from the peaks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numba import njit

from scenelens.errors import SceneLensError
from scenelens.labels.layer_maps import Maps


class Peaks:
    """Every unit's peak in every image, in a temporary file.

    AP needs all peaks of a unit in order. In memory they would grow with the number of images (1376 units and
    100,000 images are half a gigabyte), so they wait in a file.

    Parameters
    ----------
    path : pathlib.Path
        The file; it is replaced.
    """

    def __init__(self, path: Path) -> None:
        self.file = open(path, "wb", buffering=1 << 20)  # noqa: SIM115  closed by `ap`

    def add(self, peaks: np.ndarray) -> None:
        """Add one image, or several.

        Parameters
        ----------
        peaks : numpy.ndarray
            (units,) or (images, units) float32, the units of all layers in the same order for all images.
        """
        with self._full_disk_as_sentence():
            self.file.write(peaks.tobytes())

    @contextlib.contextmanager
    def _full_disk_as_sentence(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SceneLensError(
                f"{self.file.name} cannot store the units' peaks ({error.strerror}); free some space, or set "
                "TMPDIR to another folder."
            ) from None

    def ap(
        self,
        shapes: dict[str, tuple[int, int, int]],
        shown: Sequence[np.ndarray],
        n_concepts: int,
        parts: Sequence[np.ndarray],
    ) -> Maps:
        """Average precision of every unit's peak for every concept's presence. Call it once, at the end.

        Parameters
        ----------
        shapes : dict of str to tuple of int
            (units, h, w) of each layer, in the order of the maps.
        shown : sequence of numpy.ndarray
            For every image the numbers (from 0) of the concepts that it shows.
        n_concepts : int
            How many concepts there are.
        parts : sequence of numpy.ndarray
            Sets of images, (n_images,) bool each.

        Returns
        -------
        dict of str to numpy.ndarray
            (parts, units, n_concepts) float64 for each layer; NaN for a concept that no image of the part
            shows.
        """
        with self._full_disk_as_sentence():
            self.file.close()
        units = [shape[0] for shape in shapes.values()]
        peaks = np.memmap(self.file.name, np.float32, "r").reshape(len(shown), sum(units))
        columns = np.split(np.arange(sum(units)), np.cumsum(units)[:-1])
        found = {
            layer: np.full((len(parts), n, n_concepts), np.nan)
            for layer, n in zip(shapes, units, strict=True)
        }
        for k, part in enumerate(parts):
            chosen = np.flatnonzero(part).tolist()
            present = [shown[image] for image in chosen]
            starts, joined = (
                np.cumsum([0, *map(len, present)]),
                np.concatenate([*present, np.zeros(0, np.int32)]),
            )
            for layer, own in zip(shapes, columns, strict=True):
                values = np.asarray(peaks[:, own[0] : own[-1] + 1])[chosen]
                found[layer][k] = _presence_ap(values, starts, joined, n_concepts)
        return found


def presence_ap(peaks: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Measure how well a unit's peak tells the images that show a concept, for all units and concepts.

    Parameters
    ----------
    peaks : numpy.ndarray
        (images, units) float, the highest response of each unit in each image.
    present : numpy.ndarray
        (images, concepts) bool, whether each image shows each concept.

    Returns
    -------
    numpy.ndarray
        (units, concepts) float64, the average precision 0..1; equal peaks are one step. NaN for a concept
        that no image shows.

    Examples
    --------
    >>> presence_ap(np.array([[3.0], [2.0]]), np.array([[False, False], [True, False]]))
    array([[0.5, nan]])
    """
    starts = np.append(0, np.cumsum(present.sum(1)))
    return _presence_ap(peaks, starts, np.nonzero(present)[1].astype(np.int32), present.shape[1])


def _presence_ap(peaks: np.ndarray, starts: np.ndarray, shown: np.ndarray, n_concepts: int) -> np.ndarray:
    """Average precision as `metrics.average_precision`, for all units and concepts at once.

    Sorting is the expensive part. It depends on the unit only, so all concepts of a unit share it.

    Parameters
    ----------
    peaks : (n_images, units) float.
    starts : (n_images + 1,) int, where each image's concepts start in `shown`.
    shown : int, the numbers from 0 of the concepts that the images show, image after image.
    n_concepts : how many concepts there are.

    Returns
    -------
    (units, n_concepts) float64; NaN for a concept that no image shows.

    Examples
    --------
    >>> _presence_ap(np.array([[3.0], [2.0]]), np.array([0, 0, 1]), np.array([0]), 2)
    array([[0.5, nan]])
    """
    positives = np.bincount(shown, minlength=n_concepts).astype(float)
    positives[positives == 0] = np.nan
    columns = (np.ascontiguousarray(peaks[:, unit]) for unit in range(peaks.shape[1]))
    rows = [_ap(values, np.argsort(-values, kind="stable"), starts, shown, n_concepts) for values in columns]
    return np.array(rows).reshape(len(rows), n_concepts) / positives


@njit(cache=True, nogil=True)
def _ap(values, order, starts, shown, n_concepts):
    """The sum over the steps of (precision times positives gained) for each concept.

    Images of equal peaks are one step: a threshold cannot separate them.
    """
    hits, gained, total = np.zeros(n_concepts), np.zeros(n_concepts), np.zeros(n_concepts)
    i = 0
    while i < len(order):
        j = i
        # The step has at least one image, also for a peak that equals nothing, not even itself (NaN).
        while j < len(order) and (j == i or values[order[j]] == values[order[i]]):
            for at in range(starts[order[j]], starts[order[j] + 1]):
                hits[shown[at]] += 1
                gained[shown[at]] += 1
            j += 1
        # Only concepts that the step's images show have gained anything; these are visited again, and the
        # first visit clears the gain.
        for k in range(i, j):
            for at in range(starts[order[k]], starts[order[k] + 1]):
                concept = shown[at]
                total[concept] += gained[concept] * hits[concept] / j
                gained[concept] = 0
        i = j
    return total
