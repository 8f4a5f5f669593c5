"""The search for objects that were drawn twice, against a comparison of all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from scenelens.annotations.duplicates import _repeated


def plain(names: np.ndarray, summaries: np.ndarray, margins: np.ndarray) -> list[bool]:
    """Each object is compared with every earlier one that is no repetition."""
    twice: list[bool] = []
    for k in range(len(names)):
        close = (np.abs(summaries[:k] - summaries[k]) <= margins[k]).all(axis=1) & (names[:k] == names[k])
        twice.append(bool((close & ~np.array(twice, bool)).any()))
    return twice


def boxes(rng: np.random.Generator, n: int, spread: float, step: float) -> tuple[np.ndarray, ...]:
    """Summaries of n objects in few groups. Their numbers are multiples of `step`, so margins are met."""
    side = 10 ** rng.uniform(-3, 6, 4)[rng.integers(0, 4, n)]
    low = rng.uniform(-2, 2, (4, 2))[rng.integers(0, 4, n)] * side[:, None]
    numbers = np.column_stack([low, low + side[:, None] * rng.uniform(0.2, 1, (4, 2))[rng.integers(0, 4, n)]])
    numbers = np.column_stack([numbers, side]) + rng.uniform(-spread, spread, (n, 5)) * side[:, None]
    numbers = np.round(numbers / side[:, None] / step) * step * side[:, None] if step else numbers
    numbers[:, 2:4] = np.maximum(numbers[:, 2:4], numbers[:, :2] + 0.01 * side[:, None])
    return numbers, 0.02 * (numbers[:, 2:4] - numbers[:, :2]).max(axis=1)


@pytest.mark.parametrize("spread", [0, 0.005, 0.02, 0.1])
@pytest.mark.parametrize("step", [0, 0.01, 0.02])
def test_repetitions_are_found_as_by_comparing_all_pairs(spread, step):
    rng = np.random.default_rng(int(1000 * spread) + int(100 * step))
    n_found = 0
    for n in [1, 2, 3, 8, 40, 200] * 6:
        summaries, margins = boxes(rng, n, spread, step)
        names = rng.integers(0, rng.choice([1, 3]), n)
        found = _repeated(names, summaries, margins)
        assert found.tolist() == plain(names, summaries, margins)
        n_found += int(found.sum())
    assert n_found or spread > 0.05  # so far apart, hardly any two are the same


def test_many_objects_that_begin_at_one_place_are_compared_with_few():
    """Of 40,000 all pairs would be compared in minutes, and few are close."""
    corners = np.zeros((40_000, 5))
    corners[:, 1] = 3 * np.arange(40_000)
    corners[:, 2:4] = corners[:, :2] + 9
    corners[:, 4] = 8
    names, margins = np.zeros(40_000, np.int64), np.full(40_000, 0.18)
    assert not _repeated(names, corners, margins).any()
    again = np.concatenate([corners, corners[:7]])
    found = _repeated(np.zeros(40_007, np.int64), again, np.full(40_007, 0.18))
    assert np.flatnonzero(found).tolist() == list(range(40_000, 40_007))
