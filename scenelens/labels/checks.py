"""Whether a measure notices that a concept's labels are wrong: the two tests of NeuronEval.

A measure that says how well a concept explains a unit must fall where the concept's labels become wrong. In
the first test a random half of the labels is lost; in the second, as many false ones are added at random. A
measure that stays as it is could be raised by a concept that is too narrow or too broad, so it may not choose
a label. After Oikarinen, Yan and Weng, Evaluating Neuron Explanations: A Unified Framework with Sanity Checks
(ICML 2025), who find that of the measures in use only correlation, cosine similarity, average precision, F1
and IoU pass both.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scenelens.labels.halves import _overlap
from scenelens.metrics import average_precision

#: The tests: half of the labels lost, as many false labels added.
TESTS = ("half lost", "as many added")
#: A measure falls where it loses more than this share of its range.
LEAST_FALL = 0.001

_MEASURES = ("iou", "f1", "correlation", "share_of_ceiling", "coverage", "above_chance")


def _ideal_unit(share: float = 0.05, n: int = 1000) -> pd.DataFrame:
    """The two tests for a unit that is active exactly where its concept is: every measure begins at 1.

    Parameters
    ----------
    share : float, optional
        The share of the pixels, and of the images, that the concept has, 0..0.5 (default 0.05).
    n : int, optional
        How many images the average precision is computed on (default 1000).

    Returns
    -------
    pandas.DataFrame
        One row per measure and test: ``measure``, ``test``, ``ideal`` (the value after the test).
    """
    active = shared = truth = np.array([share])
    rows = [
        (name, test, float(value[0]))
        for test in TESTS
        for name, value in _wrong_labels(shared, active, truth, 1.0, test).items()
    ]
    images = round(n * share)
    peaks = np.arange(n) < images  # the unit responds to the images of its concept, equally to all of them
    added = peaks | (np.arange(n) >= n - images)
    present = {TESTS[0]: np.arange(n) < images // 2, TESTS[1]: added}
    rows += [("ap", test, average_precision(present[test], peaks.astype(float))) for test in TESTS]
    # Half of the pixels of an active area leave none that is more than half on the concept.
    rows += [("precision", TESTS[0], 0.0), ("precision", TESTS[1], 1.0)]
    return pd.DataFrame(rows, columns=["measure", "test", "ideal"])


def _wrong_labels(
    shared: np.ndarray, active: np.ndarray, truth: np.ndarray, n_pixels: float, test: str
) -> dict[str, np.ndarray]:
    """Measures of pixels as they are to be expected after a test; over millions of pixels chance evens out.

    Parameters
    ----------
    shared : numpy.ndarray
        (units,) active pixels on the concept.
    active : numpy.ndarray
        (units,) active pixels.
    truth : numpy.ndarray
        (units,) pixels of the concept.
    n_pixels : float
        All pixels.
    test : str
        One of `TESTS`; '' changes nothing.

    Returns
    -------
    dict of str to numpy.ndarray
        (units,) for each measure of pixels.
    """
    if test == TESTS[0]:
        shared, truth = shared / 2, truth / 2
    elif test == TESTS[1]:
        # Each pixel without the label gets it with the same probability, so that the labels double.
        shared = shared + (active - shared) * truth / (n_pixels - truth)
        truth = 2 * truth
    found = _overlap(shared, active, truth, n_pixels)
    return {name: found[name] for name in _MEASURES}


def _real_units(shared: np.ndarray, active: np.ndarray, truth: np.ndarray, n_pixels: float) -> pd.DataFrame:
    """The two tests for units and the concepts that fit them best.

    Parameters
    ----------
    shared : numpy.ndarray
        (units,) active pixels on the unit's concept.
    active : numpy.ndarray
        (units,) active pixels, above 0.
    truth : numpy.ndarray
        (units,) pixels of the unit's concept, at most half of all.
    n_pixels : float
        All pixels.

    Returns
    -------
    pandas.DataFrame
        One row per measure and test: ``measure``, ``test``, ``n`` (units), ``before`` and ``after`` (means
        over units), ``falls`` (the share of the units for which the measure falls by more than 0.1% of its
        range over all units).
    """
    before, rows = _wrong_labels(shared, active, truth, n_pixels, ""), []
    for test in TESTS:
        after = _wrong_labels(shared, active, truth, n_pixels, test)
        rows += [(name, test, *_falls(before[name], after[name])) for name in _MEASURES]
    return pd.DataFrame(rows, columns=["measure", "test", "n", "before", "after", "falls"])


def _precision_falls(precision: np.ndarray) -> pd.DataFrame:
    """The two tests for precision, the share of a unit's top images that the concept fits.

    An image fits if more than half of the active area lies on the concept. With half of the labels lost at
    most half of the area does, so no image fits. With labels added an image that fits still fits.

    Parameters
    ----------
    precision : numpy.ndarray
        (units,) with the true labels.

    Returns
    -------
    pandas.DataFrame
        As of `_real_units`; how much precision rises is not counted, so ``after`` is NaN in the second test.
    """
    n, before, after, share = _falls(precision, np.zeros(len(precision)))
    rows = [("precision", TESTS[0], n, before, after, share), ("precision", TESTS[1], n, before, np.nan, 0.0)]
    return pd.DataFrame(rows, columns=["measure", "test", "n", "before", "after", "falls"])


def _falls(before: np.ndarray, after: np.ndarray) -> tuple[int, float, float, float]:
    """For how many units a measure falls.

    Parameters
    ----------
    before : numpy.ndarray
        (units,) the measure with the true labels.
    after : numpy.ndarray
        (units,) with the wrong ones.

    Returns
    -------
    n : int
        The units.
    before : float
        The mean with the true labels; NaN without a unit.
    after : float
        The mean with the wrong ones.
    falls : float
        The share of the units for which the measure falls by more than 0.1% of its range.

    Examples
    --------
    >>> _falls(np.array([0.5, 0.2]), np.array([0.25, 0.2]))
    (2, 0.35, 0.225, 0.5)
    """
    if not len(before):
        return 0, np.nan, np.nan, np.nan
    span = np.ptp(np.concatenate([before, after]))
    fell = after < before - LEAST_FALL * span
    return len(before), float(before.mean()), float(after.mean()), float((fell & (span > 0)).mean())
