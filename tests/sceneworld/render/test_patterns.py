"""Patterns along a stretch of pixels are those of its points."""

import numpy as np
import pytest

from scenelens.sceneworld.materials import PATTERNS
from scenelens.sceneworld.render.patterns import ROWS, WOVEN, pattern_row, pattern_value


@pytest.mark.parametrize("pattern", range(1, WOVEN + 1), ids=PATTERNS[1 : WOVEN + 1])
def test_a_stretch_has_the_pattern_of_each_of_its_points(pattern: int) -> None:
    rng, n, size, px, seed = np.random.default_rng(pattern), 61, 0.3, 0.02, 11
    p, q = rng.uniform(-4, 4, n), rng.uniform(-4, 4, n)
    rows = np.full((ROWS, n), np.nan)
    rows[0], rows[1], rows[2] = p / size, q / size, px / size
    rows[3] = 1 / (1 + 3 * rows[2] ** 2)
    pattern_row(pattern, np.int64(3), n - 2, seed, rows, np.empty(n, np.int64))
    expected = [pattern_value(pattern, a, b, 0.5, 0.5, size, px, seed) for a, b in zip(p, q, strict=True)]
    assert rows[4:6, 3 : n - 2] == pytest.approx(np.array(expected).T[:, 3 : n - 2], abs=1e-9)
    assert np.isnan(rows[4:6, :3]).all()
    assert np.isnan(rows[4:6, n - 2 :]).all()
