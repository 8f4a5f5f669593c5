"""Receptive fields without any network: blobs of known size around the peaks of a study's top images."""

from __future__ import annotations

from typing import Any

import numpy as np

from scenelens.networks.hooks import responses
from scenelens.networks.reach import RF, theoretical_rf
from scenelens.receptive_fields.field import DiscrepancyMaps, EmpiricalRF


def blob_field(
    unit: int = 0,
    layer: str = "pool2",
    *,
    theoretical: RF | None = None,
    places: Any = ((6, 6), (6, 9), (3, 6)),
    peaks: Any = (3.0, 2.0, 1.0),
    side: int = 227,
    width: float = 0.12,
) -> EmpiricalRF:
    """A unit whose every map is a round hill at its peak's centre, `width` of the theoretical size wide."""
    reach = theoretical or RF(67, 16, 17)
    n = (side - 11) // 3 + 1
    at = 3 * np.arange(n) + 5.0
    centers = np.array([reach.center(*place) for place in places], float).reshape(-1, 2)
    sigma = width * float(np.mean(reach.size))
    maps = [np.exp(-((at[:, None] - y) ** 2 + (at - x) ** 2) / (2 * sigma**2)) for y, x in centers]
    evidence = DiscrepancyMaps(
        np.array(maps, np.float32).reshape(-1, n, n), centers, (side, side), (11, 11), 3
    )
    return evidence.field(
        layer,
        unit,
        reach,
        places=np.array(places, int).reshape(-1, 2),
        peaks=np.array(peaks, np.float32),
        images=np.arange(len(centers)),
        asked=max(1, len(centers)),
    )


class MadeUp:
    """Stands in for `estimate_rf` where fields are many and their values do not matter; counts its calls."""

    def __init__(self) -> None:
        self.units: list[tuple[str, int]] = []

    def __call__(
        self, network: Any, layer: str, unit: int, images: list, n_images: int, *, places: Any, **how: Any
    ) -> EmpiricalRF:
        self.units.append((layer, unit))
        values = [responses(network, layer, unit, image).max() for image in images]
        alive = [k for k, value in enumerate(values) if value != 0]
        return blob_field(
            unit, layer, theoretical=theoretical_rf(network, layer),
            places=[places[k] for k in alive], peaks=[values[k] for k in alive],
        )  # fmt: skip
