"""Presences made up by hand: which objects are on which images, without any image."""

from __future__ import annotations

import numpy as np

from scenelens.emergence.presence import ObjectPresence


def presence(rows: list[tuple[str, tuple[str, ...]]]) -> ObjectPresence:
    """From (category, objects) per image; an object named twice is there twice. Every instance covers .1."""
    objects = tuple(sorted({name for _, names in rows for name in names}))
    counts = np.array([[names.count(one) for one in objects] for _, names in rows]).reshape(len(rows), -1)
    ids = tuple(str(k) for k in range(len(rows)))
    return ObjectPresence(ids, tuple(category for category, _ in rows), objects, counts, 0.1 * counts)
