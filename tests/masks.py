"""What tests of masks share."""

from __future__ import annotations

import numpy as np


def jaccard(mask: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return np.count_nonzero(mask & other) / np.count_nonzero(mask | other)
