"""Names that are chosen on one half of the images and judged on the other.

The best of hundreds of concepts is partly lucky: on other images the same concept fits less well, and another
one may be the best. So the images are dealt into ten folds, the counts are kept for each fold, and the folds
are put together to two halves in all 126 ways. In each way, either half chooses a concept, and the other half
says how well it fits. A hash of the image's id decides its fold, so that no order of images matters.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Into how many folds the images are dealt.
N_FOLDS = 10
#: The set of names holds the best one in at least this share of the halves.
CONFIDENCE = 0.95


def deal_folds(images: Sequence[str]) -> dict[str, int]:
    """Deal images into folds of equal size, by a hash of their ids.

    Parameters
    ----------
    images : sequence of str
        The images' ids, in any order.

    Returns
    -------
    dict of str to int
        The fold of each image, from 0. There are ten; fewer, and an even number, where there are fewer
        images; a single one for one image.

    Examples
    --------
    >>> folds = deal_folds(["a", "b", "c"])
    >>> folds == deal_folds(["c", "b", "a"]), sorted(folds.values())
    (True, [0, 0, 1])
    """
    n = min(N_FOLDS, len(images) - len(images) % 2) or 1
    ranked = sorted(images, key=lambda image: hashlib.sha256(image.encode(errors="surrogatepass")).digest())
    return {image: place % n for place, image in enumerate(ranked)}


@dataclass(frozen=True)
class _Folds:
    """What the images of each fold show.

    Attributes
    ----------
    pixels : numpy.ndarray
        (folds, concepts) int64, the pixels of each concept.
    images : numpy.ndarray
        (folds, concepts) int64, the images that show it.
    n_images : numpy.ndarray
        (folds,) int64, all images.
    """

    pixels: np.ndarray
    images: np.ndarray
    n_images: np.ndarray


@dataclass(frozen=True)
class _FoldCounts:
    """One layer's counts in each fold; see `LayerCounts` for their sums.

    Attributes
    ----------
    active : numpy.ndarray
        (folds, units) int64, the active pixels.
    shared : numpy.ndarray
        (folds, units, concepts) int, the active pixels that lie on each concept.
    fitting : numpy.ndarray
        (folds, units, concepts) int, in how many of the unit's top images the concept fits.
    top : numpy.ndarray
        (folds, units) int, how many of the unit's top images the fold has.
    ap : numpy.ndarray
        (2, units, concepts) float32, average precision in the first and the second half of the folds.
    """

    active: np.ndarray
    shared: np.ndarray
    fitting: np.ndarray
    top: np.ndarray
    ap: np.ndarray


def _overlap(
    shared: np.ndarray, active: np.ndarray, truth: np.ndarray, n_pixels: float | np.ndarray
) -> dict[str, np.ndarray]:
    """Compare a unit's active pixels with a concept's; see `AutomaticLabels.measures`.

    Parameters
    ----------
    shared : numpy.ndarray
        Pixels that are both.
    active : numpy.ndarray
        Active pixels; all three arrays have one shape, or are broadcast to it.
    truth : numpy.ndarray
        Pixels of the concept.
    n_pixels : float or numpy.ndarray
        How many pixels all images have.

    Returns
    -------
    dict of str to numpy.ndarray
        'iou', 'f1', 'correlation', 'ceiling', 'share_of_ceiling', 'coverage', 'above_chance', as float64. NaN
        where a measure is not defined.

    Examples
    --------
    >>> found = _overlap(np.array(2), np.array(4), np.array(4), 100)
    >>> round(float(found["iou"]), 3), float(found["f1"]), float(found["coverage"])
    (0.333, 0.5, 0.5)
    """
    shared, active, truth = (np.asarray(one, float) for one in (shared, active, truth))
    with np.errstate(divide="ignore", invalid="ignore"):
        iou = shared / (active + truth - shared)
        ceiling = np.minimum(active, truth) / np.maximum(active, truth)
        coverage, chance = shared / active, truth / n_pixels
        spread = np.sqrt(active * (n_pixels - active)) * np.sqrt(truth * (n_pixels - truth))
        return {
            "iou": iou,
            "f1": 2 * shared / (active + truth),
            "correlation": (n_pixels * shared - active * truth) / spread,
            "ceiling": ceiling,
            "share_of_ceiling": iou / ceiling,
            "coverage": coverage,
            "above_chance": (coverage - chance) / (1 - chance),
        }


#: What `_overlap` measures, in order.
_OVERLAPS = ("iou", "f1", "correlation", "ceiling", "share_of_ceiling", "coverage", "above_chance")
_AT_ONCE = 1 << 21  # numbers of a table of halves, units and concepts: what a processor has near at hand


@dataclass(frozen=True)
class _Judged:
    """What the halves say about the names of a layer's units.

    Attributes
    ----------
    choices : numpy.ndarray
        (halves, units) int, the concept that each half chooses; -1 where none has a value above 0.
    values : dict of str to numpy.ndarray
        For each measure (units,) float64, the mean over the halves of what the other half says about the
        choice. Where nothing was chosen it is 0. NaN where there are no two halves.
    """

    choices: np.ndarray
    values: dict[str, np.ndarray]

    @classmethod
    def of(cls, counts: _FoldCounts, folds: _Folds, pixels: int, by: str, allowed: np.ndarray) -> _Judged:
        """Choose on each half, judge on the other.

        Parameters
        ----------
        counts : _FoldCounts
            Of the layer.
        folds : _Folds
            What the same images show.
        pixels : int
            The pixels of one image.
        by : str
            The measure that chooses: 'iou', 'f1', 'correlation' or 'ap'.
        allowed : numpy.ndarray
            (concepts,) bool, those that may be chosen.

        Returns
        -------
        _Judged
            AP is known for one pair of halves only, the other measures for all.
        """
        halves = _halves(len(folds.n_images))[:, : 1 if by == "ap" else None]
        chosen, judging = (np.concatenate(one) for one in (halves, halves[::-1]))
        places = np.flatnonzero(allowed)
        if not len(chosen) or not len(places):
            nothing = np.full((len(chosen), counts.active.shape[1]), -1)
            return cls(nothing, _mean(dict.fromkeys(_judged(by), nothing * np.nan), nothing))
        choices = _choose(counts, folds, pixels, by, places, chosen)
        return cls(choices, _mean(_judge(counts, folds, pixels, by, choices, judging), choices))

    def same(self, concepts: np.ndarray) -> np.ndarray:
        """In what share of the halves each unit's concept is chosen.

        Parameters
        ----------
        concepts : numpy.ndarray
            (units,) int.

        Returns
        -------
        numpy.ndarray
            (units,) float64, 0..1; NaN without halves.
        """
        return (self.choices == concepts).mean(0) if len(self.choices) else np.full(len(concepts), np.nan)

    def names(self, unit: int) -> list[int]:
        """The smallest set of concepts that has the choice of at least 95% of the halves.

        Parameters
        ----------
        unit : int
            The unit.

        Returns
        -------
        list of int
            The commonest first; of ties the one that turned up first in the images.
        """
        own = self.choices[:, unit]
        concepts, times = np.unique(own[own >= 0], return_counts=True)
        order = np.argsort(-times, kind="stable")
        enough = int(np.searchsorted(np.cumsum(times[order]), CONFIDENCE * len(own) - 1e-9)) + 1
        return [int(concepts[k]) for k in order[:enough]]


def judged_iou(
    active: np.ndarray, shared: np.ndarray, pixels: np.ndarray, n_images: np.ndarray
) -> np.ndarray:
    """Choose each unit's concept by IoU on one half of the images, and judge it on the other; see the module.

    Parameters
    ----------
    active : numpy.ndarray
        (folds, units) int64, the active pixels.
    shared : numpy.ndarray
        (folds, units, concepts) int, those that lie on each concept.
    pixels : numpy.ndarray
        (folds, concepts) int64, the pixels of each concept.
    n_images : numpy.ndarray
        (folds,) int64, the images of each fold.

    Returns
    -------
    numpy.ndarray
        (units,) float64, 0..1: the mean over the halves of the IoU on the other half; 0 where nothing was
        chosen. NaN where there are no two halves.

    Examples
    --------
    A unit that finds its concept in every fold:

    >>> judged_iou(np.full((2, 1), 8), np.full((2, 1, 1), 6), np.full((2, 1), 10), np.ones(2)).tolist()
    [0.5]
    """
    nothing = np.zeros_like(active)
    counts = _FoldCounts(active, shared, np.zeros_like(shared), nothing, np.zeros((2, *shared.shape[1:])))
    folds = _Folds(pixels, np.zeros_like(pixels), n_images)
    # How large images are matters to other measures, not to IoU.
    return _Judged.of(counts, folds, 1, "iou", np.ones(shared.shape[2], bool)).values["iou"]


def _judged(by: str) -> tuple[str, ...]:
    """The measures that are judged."""
    return (*_OVERLAPS, "precision", *(("ap",) if by == "ap" else ()))


def _halves(n: int) -> np.ndarray:
    """All ways to put half of n folds together: (2, ways, n) of 0 and 1, one half and the other.

    >>> _halves(2).tolist(), _halves(1).shape
    ([[[1.0, 0.0]], [[0.0, 1.0]]], (2, 0, 1))
    """
    ways = itertools.combinations(range(1, n), n // 2 - 1) if n > 1 else iter(())
    first = np.array([np.isin(np.arange(n), (0, *way)) for way in ways], float).reshape(-1, n)
    return np.stack([first, 1 - first])


def _choose(
    counts: _FoldCounts, folds: _Folds, pixels: int, by: str, places: np.ndarray, halves: np.ndarray
) -> np.ndarray:
    """(halves, units) the best of some concepts; -1 where none has a value above 0."""
    units = counts.active.shape[1]
    active, truth = halves @ counts.active, halves @ folds.pixels[:, places]
    n_pixels = halves @ folds.n_images * pixels
    step = max(1, _AT_ONCE // (len(halves) * len(places)))
    choices = []
    for start in range(0, units, step):
        some = slice(start, start + step)
        if by == "ap":
            scores = np.nan_to_num(counts.ap[:, some][:, :, places])
        else:
            shared = np.tensordot(halves, counts.shared[:, some][:, :, places], 1)
            scores = _scores(by, shared, active[:, some, None], truth[:, None], n_pixels[:, None, None])
        best = scores.argmax(2)
        high = np.take_along_axis(scores, best[..., None], 2)[..., 0]
        choices.append(np.where((high > 0) & (active[:, some] > 0), places[best], -1))
    return np.concatenate(choices, 1)


def _scores(by: str, shared: np.ndarray, active: np.ndarray, truth: np.ndarray, n: np.ndarray) -> np.ndarray:
    """One measure, without the others of `_overlap`: this takes nearly all of the time."""
    if by == "correlation":
        return np.nan_to_num(_overlap(shared, active, truth, n)["correlation"])
    # By F1 the same concept is the best, since F1 = 2 IoU / (1 + IoU). Without a pixel the union is 0.
    return np.asarray(shared / np.maximum(active + truth - shared, 1))


def _judge(
    counts: _FoldCounts, folds: _Folds, pixels: int, by: str, choices: np.ndarray, halves: np.ndarray
) -> dict[str, np.ndarray]:
    """What halves say about choices: (halves, units) for each measure."""
    units = np.arange(choices.shape[1])

    def chosen(of: np.ndarray) -> np.ndarray:
        return np.einsum("hf,fhu->hu", halves, of[:, units, choices])

    truth = (halves @ folds.pixels)[np.arange(len(halves))[:, None], choices]
    n_pixels = (halves @ folds.n_images * pixels)[:, None]
    found = _overlap(chosen(counts.shared), halves @ counts.active, truth, n_pixels)
    with np.errstate(divide="ignore", invalid="ignore"):
        found["precision"] = chosen(counts.fitting) / (halves @ counts.top)
    if by == "ap":  # the first half is judged by the second, and the other way round
        found["ap"] = np.stack([counts.ap[1 - k][units, own].astype(float) for k, own in enumerate(choices)])
    return found


def _mean(values: dict[str, np.ndarray], choices: np.ndarray) -> dict[str, np.ndarray]:
    """The mean over the halves. A missing name is worth 0; where a value is not defined, it is left out."""
    means = {}
    for name, value in values.items():
        filled = np.where(choices >= 0, value, 0.0)
        known = ~np.isnan(filled)
        with np.errstate(invalid="ignore"):
            means[name] = np.where(known, filled, 0.0).sum(0) / known.sum(0)
    return means
