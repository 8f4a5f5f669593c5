"""Which units a person annotates, and in which order: drawn by lot, so that nobody picks the pretty ones.

The same seed gives the same order on every machine. An instructor gives everyone the same queue to see how
far people agree, or each a part of it to get through more units.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from scenelens.errors import SceneLensError
from scenelens.studies import Study, layer_row
from scenelens.unit_semantics.task import LEAST_FITTING, N_CATCH

Unit = tuple[str, str, int]  # network, layer, unit


def lively_units(study: Study, network: str, layer: str) -> list[Unit]:
    """A layer's units that can be named: they respond to enough images, and there are others besides.

    Returns
    -------
    list of (network, layer, unit), in the order of the units.

    Raises
    ------
    SceneLensError : no such network or layer.
    """
    layer_row(study, network, layer)
    peaks = study.index(network).peaks(layer)
    known = int(np.isfinite(peaks[:, 0]).sum())
    enough = (peaks > 0).sum(axis=0) >= LEAST_FITTING
    return [
        (network, layer, int(unit)) for unit in np.flatnonzero(enough) if known >= LEAST_FITTING + N_CATCH
    ]


def unit_queue(
    units: Iterable[Unit], n: int | None = None, seed: int = 0, part: tuple[int, int] = (0, 1)
) -> list[Unit]:
    """Units in an order drawn by lot.

    Parameters
    ----------
    units : (network, layer, unit) each; their order and repetitions do not matter.
    n : the first so many; None for all.
    seed : of the lot; who has the same seed has the same queue.
    part : (k, parts): of these units only every parts-th, from the k-th on (from 0): parts do not overlap.

    Raises
    ------
    SceneLensError : no units, n below 1, a part there is not.

    Examples
    --------
    >>> units = [("scene", "pool5", unit) for unit in range(6)]
    >>> both = unit_queue(units, part=(0, 2)) + unit_queue(units, part=(1, 2))
    >>> sorted(both) == units and unit_queue(units) == unit_queue(units[::-1])
    True
    """
    pool = sorted({(str(network), str(layer), int(unit)) for network, layer, unit in units})
    k, parts = part
    if not pool:
        raise SceneLensError("a queue needs units: none were given.")
    if n is not None and n < 1:
        raise SceneLensError(f"n counts units and must be at least 1, not {n}.")
    if not 0 <= k < parts:
        raise SceneLensError(f"part={part}: the parts of {parts} count from 0 to {parts - 1}.")
    order = np.random.default_rng(seed).permutation(len(pool))[:n]
    return [pool[at] for at in order[k::parts]]
