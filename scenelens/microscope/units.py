"""All that the pages show of one layer's units, as JSON values."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from scenelens.errors import SceneLensError
from scenelens.interventions import measured_effects, unit_effects
from scenelens.microscope.maps import _LayerMaps
from scenelens.microscope.names import _disagree, _label_rows
from scenelens.microscope.ranks import COUNTED, _category_shares, _histogram, _Shown, _shown_rows
from scenelens.microscope.shards import _rounded
from scenelens.networks import Network, record
from scenelens.receptive_fields import Atlas, EmpiricalRF
from scenelens.sentences import one_line
from scenelens.studies import Study

_FIELD_SAMPLES = 64  # of a field along one side, at most
_MOST_WEIGHTS = 6  # classes that a unit speaks for, and as many that it speaks against


def _unit_values(
    study: Study,
    place: tuple[str, str],
    peaks: np.ndarray,
    shown: _Shown,
    maps: _LayerMaps | None,
    labels: pd.DataFrame,
    thresholds: Sequence[float] | None,
    similar: Sequence[Any],
    fields: dict[int, EmpiricalRF],
    effects: dict[int, dict[str, Any]],
) -> list[dict[str, Any]]:
    """What the pages show of each unit of a layer.

    Parameters
    ----------
    study : Study
        The open study.
    place : tuple of str
        The network and the layer.
    peaks : numpy.ndarray
        (images, units) float.
    shown : _Shown
        The images that are shown.
    maps : _LayerMaps or None
        The units' maps on their top and middle images; None for a layer without maps.
    labels : pandas.DataFrame
        The layer's labels, from `_all_labels`.
    thresholds : sequence of float or None
        The response that each unit exceeds where it is active.
    similar : sequence
        Each unit's similar units.
    fields : dict of int to EmpiricalRF
        The receptive fields that were measured.
    effects : dict of int to dict
        What it costs to lose a unit, where it was measured.

    Returns
    -------
    list of dict
        One for each unit.
    """
    name, layer = place
    places = study.index(name).places(layer)
    categories = pd.Categorical(study.images.category)
    counted = _Shown.of(peaks, COUNTED, 1).top
    weights = _class_weights(study.networks[name], layer, study.load_image(study.images.image.iat[0]))
    by_unit = dict(list(labels.groupby("unit")))
    found = []
    for unit in range(peaks.shape[1]):
        own, at = peaks[:, unit], places[:, unit]
        threshold = None if thresholds is None else float(thresholds[unit])
        rows = _label_rows(by_unit[unit]) if unit in by_unit else []
        one = {
            "top": _shown_rows(shown.top[unit], own, at),
            "middle": _shown_rows(shown.middle[unit], own, at),
            "lowest": _shown_rows(shown.lowest[unit], own, at),
            "spread": _histogram(own, threshold),
            "threshold": None if threshold is None else _rounded(threshold),
            "categories": _category_shares(counted[unit], categories),
            "counted": counted.shape[1],
            "labels": rows,
            "disagree": unit in by_unit and _disagree(by_unit[unit]),
            "similar": similar[unit],
        }
        if maps is not None:
            one["maps" if maps.lit is None else "masks"] = maps.text(unit)
        if unit in fields:
            one["field"] = _field(fields[unit])
        if unit in effects:
            one["effect"] = effects[unit]
        if weights is not None:
            one["weights"] = _strongest(weights[:, unit])
        found.append(one)
    return found


def _field(field: EmpiricalRF) -> dict[str, Any]:
    """A measured field within the box that its unit could see.

    Returns
    -------
    dict
        ``size`` in pixels and its ``interval``, ``images`` that it was averaged over, ``reason`` why there is
        none; ``box`` (side in pixels of the theoretical field), ``side`` (points of ``map`` along one side)
        and ``map`` (base64, 0..255 of the maximum).
    """
    found: dict[str, Any] = {"images": len(field.images), "reason": one_line(field.reason)}
    if field.reason or not np.isfinite(field.size):
        return found
    box = float(np.max(field.theoretical.size))
    middle = (np.array(field.input_size) - 1) / 2
    side = min(_FIELD_SAMPLES, max(2, round(box)))
    offsets = (np.arange(side) + 0.5) * box / side - box / 2
    rows, cols = (np.rint(middle[k] + offsets).astype(int) for k in (0, 1))
    inside = [(at >= 0) & (at < length) for at, length in zip((rows, cols), field.input_size, strict=True)]
    values = np.zeros((side, side))
    values[np.ix_(*inside)] = np.nan_to_num(field.map[np.ix_(rows[inside[0]], cols[inside[1]])])
    steps = np.clip(np.rint(255 * values / max(float(np.nanmax(field.map)), 1e-12)), 0, 255).astype(np.uint8)
    return found | {
        "size": _rounded(field.size, 3),
        "interval": [_rounded(end, 3) for end in field.interval],
        "box": _rounded(box),
        "side": side,
        "map": base64.b64encode(steps.tobytes()).decode(),
    }


def _measured_fields(atlas: Atlas, name: str, layer: str) -> dict[int, EmpiricalRF]:
    """The fields of a layer that were measured already; nothing is computed."""
    part = atlas.parts.get(name)
    return part.cached(layer) if part is not None and layer in part.layers else {}


def _measured_costs(study: Study, name: str, layer: str) -> dict[int, dict[str, Any]]:
    """What it costs to lose each unit of a layer, where `scenelens.interventions` measured it already.

    Returns
    -------
    dict of int to dict
        By unit: ``most`` and ``most_of`` (the category whose mean log-probability falls most without the
        unit, and by how much), ``all`` (the fall of the accuracy over ``n`` images that chose nothing), and
        ``category``, ``own``, ``accuracy`` for the category that its label points to, where there is one.
    """
    found = None
    with contextlib.suppress(SceneLensError):  # the images show no two categories of the network
        found = measured_effects(study, name, layer)
    if found is None:
        return {}
    costs = {}
    for row in unit_effects(found).to_dict("records"):
        one: dict[str, Any] = {key: _rounded(row[key], 3) for key in ("most", "all", "own", "accuracy")}
        texts = {key: one_line(row[key]) for key in ("most_of", "category")}
        costs[int(row["unit"])] = one | texts | {"n": len(found.images), "own_n": int(row["n"])}
    return costs


def _strongest(weights: np.ndarray) -> list[list[Any]]:
    """The classes with the highest and with the lowest weights: [number of the class, weight]."""
    order = np.argsort(-weights, kind="stable")
    chosen = (
        order if len(order) <= 2 * _MOST_WEIGHTS else np.r_[order[:_MOST_WEIGHTS], order[-_MOST_WEIGHTS:]]
    )
    return [[int(k), _rounded(weights[k], 3)] for k in chosen]


def _class_weights(network: Network, layer: str, image: np.ndarray) -> np.ndarray | None:
    """How much each unit of a layer adds to each class, where a layer of weights leads from one to the other.

    Whether it does is tried on an image: the weights times the units' responses (their means, where they have
    a map), plus the bias, must be the scores of the classes.

    Parameters
    ----------
    network : Network
        The network.
    layer : str
        The layer.
    image : numpy.ndarray
        uint8 RGB (h, w, 3).

    Returns
    -------
    numpy.ndarray or None
        (classes, units) float; None where other layers lie between.
    """
    units = network.layer_shape(layer)[0]
    last = [one for one in network.module.modules() if isinstance(one, torch.nn.Linear)][-1:]
    if not last or tuple(last[0].weight.shape) != (len(network.classes), units):
        return None
    with torch.no_grad(), record(network, layer, stop=False) as acts:
        scores = network(image)
        value = acts[layer].float()
        means = value.mean((2, 3)) if value.ndim == 4 else value
        mine = last[0](means.to(last[0].weight.dtype))
    if scores is None or not torch.allclose(mine.float(), scores.float(), rtol=1e-3, atol=1e-3):
        return None
    return np.asarray(last[0].weight.detach().float().cpu().numpy())
