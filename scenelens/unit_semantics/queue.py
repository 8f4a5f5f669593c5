"""Which units a person annotates, and in which order.

The order is random, so that nobody prefers the units that look best.
The same seed gives the same order on every machine. An instructor gives everyone the same queue to see how
far people agree, or a different part of it to each person to get through more units.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from scenelens.errors import CannotAnswerError, SceneLensError
from scenelens.studies import Study
from scenelens.unit_semantics.task import LEAST_FITTING, N_CATCH
from scenelens.workbook import deepest_map_layer

Unit = tuple[str, str, int]  # network, layer, unit


def active_units(study: Study, network: str, layer: str) -> list[Unit]:
    """A layer's units that can be named: they respond to enough images.

    Parameters
    ----------
    study : Study
        An open study.
    network : str
        The network's name in the study.
    layer : str
        The layer's name.

    Returns
    -------
    list of tuple
        (network, layer, unit) each, in the order of the units. A unit is in the list if it responds to at
        least 10 images.

    Raises
    ------
    SceneLensError
        If the study has no such network or layer; CannotAnswerError where no unit can be named: the study
        has too few images for 10 that fit and 3 catch trials, or no unit responds to so many.
    """
    study.layer_row(network, layer)  # raises on an unknown layer
    peaks = study.index(network).peaks(layer)
    known = int(np.isfinite(peaks[:, 0]).sum())
    if known < LEAST_FITTING + N_CATCH:
        raise CannotAnswerError(
            f"a unit is named by {LEAST_FITTING} images that it responds to and {N_CATCH} catch trials, "
            "and the study "
            f"has {known} image{'' if known == 1 else 's'} that can be read: add some, so that there are "
            f"{LEAST_FITTING + N_CATCH} or more."
        )
    enough = (peaks > 0).sum(axis=0) >= LEAST_FITTING
    if not enough.any():
        raise CannotAnswerError(
            f"no unit of the {network} network's {layer} responds to {LEAST_FITTING} of the {known} "
            "images, which "
            "a name takes: look at the network's weights and preprocessing, or choose an earlier layer."
        )
    return [(network, layer, int(unit)) for unit in np.flatnonzero(enough)]


def unit_queue(
    units: Iterable[Unit], n: int | None = None, seed: int = 0, part: tuple[int, int] = (0, 1)
) -> list[Unit]:
    """Units in a random order.

    Parameters
    ----------
    units : iterable of tuple
        (network, layer, unit) each; their order and repetitions do not matter.
    n : int, optional
        Length of the whole queue (default all units).
    seed : int, optional
        Seed of the order; the same seed gives the same queue (default 0).
    part : tuple of int, optional
        (k, parts): of the queue only every parts-th unit, from the k-th on (from 0). Parts do not overlap
        (default (0, 1), the whole queue).

    Returns
    -------
    list of tuple
        (network, layer, unit) each.

    Raises
    ------
    SceneLensError
        If there are no units, if `n` is below 1, or if there is no such part.

    Examples
    --------
    >>> units = [("scene", "pool5", unit) for unit in range(6)]
    >>> both = unit_queue(units, part=(0, 2)) + unit_queue(units, part=(1, 2))
    >>> sorted(both) == units and unit_queue(units) == unit_queue(units[::-1])
    True
    """
    # Sorted first, so that the order depends on the set of units and the seed alone.
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


def _default_queue(study: Study, n: int, seed: int) -> list[Unit]:
    """`n` random units of the deepest main layers with a map of the trained networks."""
    units: list[Unit] = []
    why = None
    for name in study.networks.compared:
        try:
            units += active_units(study, name, deepest_map_layer(study.networks[name]))
        except CannotAnswerError as error:
            why = why or error
    if why and not units:
        raise why
    return unit_queue(units, n, seed)
