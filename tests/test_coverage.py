"""How often intervals cover the truth: exactly where the distribution is known, else simulated from a seed.

An interval of 95% should cover it in 93 to 97% of the samples. The heavy-tailed samples are made like the
table of section 4.1: 97 objects, most of them without a unit, and frequencies of which a few are large.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm, rankdata

from scenelens.intervals import (
    bca_interval,
    bootstrap_interval,
    correlation_interval,
    difference_interval,
    paired_difference_interval,
    wilson_interval,
)

OBJECTS = 97


def share_of(covered):
    return float(np.mean(list(covered)))


@pytest.mark.parametrize(("n", "p"), [(60, 0.2), (100, 0.3), (100, 0.55), (512, 0.05)])
def test_wilson_covers_exactly(n, p):
    ends = np.array([wilson_interval(k, n) for k in range(n + 1)])
    covered = (ends[:, 0] <= p) & (p <= ends[:, 1])
    assert 0.93 < binom.pmf(np.arange(n + 1), n, p) @ covered < 0.97


@pytest.mark.parametrize(
    ("n1", "p1", "n2", "p2"), [(40, 0.3, 30, 0.55), (35, 0.1, 45, 0.2), (40, 0.5, 40, 0.5)]
)
def test_the_difference_of_shares_covers_exactly(n1, p1, n2, p2):
    likely = np.outer(binom.pmf(np.arange(n1 + 1), n1, p1), binom.pmf(np.arange(n2 + 1), n2, p2))
    covered = np.zeros_like(likely)
    for (k1, k2), weight in np.ndenumerate(likely):
        if weight > 1e-7:
            low, high = difference_interval(k1, n1, k2, n2)
            covered[k1, k2] = low <= p1 - p2 <= high
    assert 0.93 < (likely * covered).sum() < 0.97


@pytest.mark.parametrize("interval", [bca_interval, bootstrap_interval])
def test_bootstraps_cover_a_sum(interval):
    """A moderately skewed one: of 40 values of a gamma distribution."""
    rng = np.random.default_rng(1)
    ends = (interval(rng.gamma(4, 1, 40), np.sum, n_resamples=250) for _ in range(1000))
    assert 0.93 <= share_of(low <= 160 <= high for low, high in ends) <= 0.97


def test_the_difference_of_pairs_covers():
    """Whether each of two networks is right on the same images; easy images are easy for both."""
    rng, true = np.random.default_rng(2), norm.cdf(1) - norm.cdf(0.2)
    easy = rng.normal(0, 0.7, (1000, 40))
    first, second = (rng.normal(easy, np.sqrt(1 - 0.7**2)) < end for end in (1, 0.2))
    pairs = zip(first.astype(float), second.astype(float), strict=True)
    ends = (paired_difference_interval(*pair, n_resamples=250) for pair in pairs)
    assert 0.93 <= share_of(low - 1e-12 <= true <= high + 1e-12 for low, high in ends) <= 0.97


@pytest.mark.parametrize(("images", "boxes", "p"), [(150, 45, 0.1), (40, 5, 0.5), (20, 4, 0.3)])
def test_boxes_of_images_cover_where_boxes_alone_do_not(images, boxes, p):
    """The share of right boxes differs from image to image (beta distributed, correlation 0.3)."""
    rng = np.random.default_rng(3)
    n = 1 + rng.negative_binomial(2, 2 / (1 + boxes), (3000, images))
    k = rng.binomial(n, rng.beta(p * 7 / 3, (1 - p) * 7 / 3, n.shape))
    clustered = share_of(low <= p <= high for low, high in map(wilson_interval, k, n))
    alone = share_of(low <= p <= high for low, high in map(wilson_interval, k.sum(1), n.sum(1)))
    assert 0.93 <= clustered <= 0.97
    assert alone < 0.85


def heavy_tailed(rng, samples, n=OBJECTS, slope=0.0):
    """Units and frequencies of n objects each; with a slope, the rarer objects have the units."""
    frequency = rng.lognormal(0, 1.2, (samples, n))
    chance = 0.4 / (1 + frequency) if slope else np.full(frequency.shape, 0.23)
    units = np.where(rng.random(frequency.shape) < chance, rng.geometric(0.32, frequency.shape), 0)
    return units.astype(float), frequency


def pearson(x, y):
    """Of the last axis; NaN where one is constant."""
    u, v = (one - one.mean(-1, keepdims=True) for one in (x, y))
    with np.errstate(invalid="ignore"):
        return (u * v).sum(-1) / np.sqrt((u * u).sum(-1) * (v * v).sum(-1))


def percentile(x, y, rng, draws=300):
    chosen = rng.integers(len(x), size=(draws, len(x)))
    return np.nanquantile(pearson(x[chosen], y[chosen]), [0.025, 0.975])


@pytest.mark.parametrize("slope", [False, True])
@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_a_heavy_tailed_correlation_is_covered(method, slope):
    """Also where the percentile bootstrap is far too narrow, so that it leaves out 0 without reason."""
    rng = np.random.default_rng(4)
    x, y = heavy_tailed(rng, 1, 200_000, slope)
    both = (rankdata(x, axis=-1), rankdata(y, axis=-1)) if method == "spearman" else (x, y)
    true = float(pearson(*both)[0])
    samples = list(zip(*heavy_tailed(rng, 250, slope=slope), strict=True))
    found = [correlation_interval(x, y, method, n_permutations=199) for x, y in samples]
    assert share_of(low <= true <= high for low, high, _ in found) >= 0.93
    if not slope:  # nothing is there: a test of 5% says otherwise in about 5%
        assert share_of(p <= 0.05 for *_, p in found) <= 0.09
    if method == "pearson":
        narrow = (percentile(x, y, rng) for x, y in samples)
        assert share_of(low <= true <= high for low, high in narrow) < 0.91
