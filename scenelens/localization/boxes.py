"""From a layer's map to boxes in the picture: where units fire, within their receptive fields.

Neighbouring positions at which a unit fires belong together. Each stands for the unit's field, a square as
large as the field that was measured; the box is what these squares span. Several units may find the same
thing, so boxes of one concept that lie on each other become one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numba import njit

from scenelens.networks import Network
from scenelens.receptive_fields import EmpiricalRF

#: Layer -> unit -> its empirical field.
Fields = Mapping[str, Mapping[int, "EmpiricalRF"]]
#: What a unit is taken to use of what it could see, where its field was not measured: of the theoretical side
#: about what Table 2 of the paper found at pool2 to pool5 (.56, .46 and .37).
ASSUMED_SHARE = 0.5
#: Boxes of one concept become one where they share at least this part of the smaller.
OVERLAP = 0.5


def field_boxes(
    network: Network, layer: str, units: Sequence[int], fields: Mapping[int, EmpiricalRF] | None = None
) -> np.ndarray:
    """Each unit's field as a square around a position's centre: (units, 4) float, top, left, bottom, right.

    Parameters
    ----------
    fields : unit -> its empirical field, for those that were measured. Such a field's square has its area,
        around its centre of gravity. For the others the middle half of the theoretical field is taken.
    """
    whole = np.array(network.input_size, float)
    rows = network.layers[network.layers.layer == layer]
    size = np.broadcast_to(rows.iloc[0]["rf_size"], 2) if len(rows) else np.full(2, np.nan)
    side = np.where(np.isfinite(size), np.minimum(size, whole), whole) * ASSUMED_SHARE
    boxes = np.tile(np.concatenate([-side / 2, side / 2]), (len(units), 1))
    for k, unit in enumerate(units):
        field = (fields or {}).get(int(unit))
        if field is not None and not field.reason and field.mask.any():
            middle = np.argwhere(field.mask).mean(0) - (np.array(field.mask.shape) - 1) / 2
            boxes[k] = np.concatenate([middle - field.size / 2, middle + field.size / 2])
    return boxes


@njit(cache=True, nogil=True)
def find_boxes(maps, chosen, thresholds, fields, start, stride, frame):
    """One box for each group of touching positions (also by a corner) at which a unit is above its threshold.

    Parameters
    ----------
    maps : (units, h, w) float32. chosen : (k,) int64, the units to look at.
    thresholds : (k,) float32, theirs. fields : (k, 4), theirs, from `field_boxes`.
    start, stride : the layer's grid. frame : (H, W) in pixels, as floats.

    Returns
    -------
    owner : (n,) int64, number of the unit in `chosen`. response : (n,) float32, the group's highest.
    places : (n, 2) int64, where in the map that is. boxes : (n, 4) float64, top, left, bottom, right in pixel
        edges, cut off at the frame.
    """
    h, w = maps.shape[1:]
    most = len(chosen) * ((h + 1) // 2) * ((w + 1) // 2)  # groups do not touch
    owner, response = np.empty(most, np.int64), np.empty(most, np.float32)
    places, boxes = np.empty((most, 2), np.int64), np.empty((most, 4))
    free, stack, span = np.empty((h, w), np.bool_), np.empty((h * w, 2), np.int64), np.empty(4, np.int64)
    n = 0
    for k in range(len(chosen)):
        values = maps[chosen[k]]
        if not _mark(values, thresholds[k], free):
            continue
        for i in range(h):
            for j in range(w):
                if free[i, j]:
                    owner[n], places[n] = k, _group(values, free, i, j, stack, span)
                    response[n] = values[places[n, 0], places[n, 1]]
                    for edge in range(4):  # rows, columns, rows, columns
                        at = start[edge % 2] + stride[edge % 2] * span[edge] + 0.5 + fields[k, edge]
                        least, largest = (0.0, frame[edge % 2] - 1) if edge < 2 else (1.0, frame[edge % 2])
                        boxes[n, edge] = min(max(at, least), largest)
                    n += 1
    return owner[:n], response[:n], places[:n], boxes[:n]


@njit(cache=True, nogil=True)
def _mark(values, threshold, free):
    """Mark in `free` where a map is above a threshold; how many positions are."""
    n = 0
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            free[i, j] = values[i, j] > threshold
            n += free[i, j]
    return n


@njit(cache=True, nogil=True)
def _group(values, free, i, j, stack, span):
    """Take the group of touching free positions around (i, j); its highest place. `span` gets its extent."""
    best = np.array((i, j))
    span[0], span[1], span[2], span[3] = i, j, i, j
    stack[0], free[i, j], n = (i, j), False, 1
    while n:
        n -= 1
        y, x = stack[n]
        span[0], span[1], span[2], span[3] = (
            min(span[0], y),
            min(span[1], x),
            max(span[2], y),
            max(span[3], x),
        )
        if values[y, x] > values[best[0], best[1]]:
            best[0], best[1] = y, x
        for b in range(max(0, y - 1), min(len(free), y + 2)):
            for a in range(max(0, x - 1), min(free.shape[1], x + 2)):
                if free[b, a]:
                    stack[n], free[b, a] = (b, a), False
                    n += 1
    return best


@njit(cache=True, nogil=True)
def merge_boxes(boxes, concepts, confidence, overlap):
    """Boxes of one concept that lie on each other become one.

    The rule: the most confident box takes all that share with it at least `overlap` of the smaller box's
    area; its edges become their mean, weighted by confidence. Then the most confident of the rest, and so
    on.

    Parameters
    ----------
    boxes : (n, 4) top, left, bottom, right. concepts : (n,) int64. confidence : (n,) float64.

    Returns
    -------
    leader : (n,) int64, the box that took each one (its own number for the leaders).
    merged : (n, 4) float64, the new edges of the leaders; those of the others mean nothing.
    """
    n = len(boxes)
    leader, merged = np.full(n, -1, np.int64), boxes.copy()
    order = np.argsort(-confidence, kind="mergesort")
    order = order[np.argsort(concepts[order], kind="mergesort")]  # concept by concept
    for place in range(n):
        first = order[place]
        if leader[first] >= 0:
            continue
        weight = max(confidence[first], 1e-6)
        leader[first], merged[first] = first, weight * boxes[first]
        for k in order[place + 1 :]:  # whatever is more confident has been taken, or leads
            if concepts[k] != concepts[first]:
                break
            if leader[k] < 0 and _shared(boxes[first], boxes[k]) >= overlap:
                leader[k] = first
                share = max(confidence[k], 1e-6)
                weight += share
                for edge in range(4):
                    merged[first, edge] += share * boxes[k, edge]
        merged[first] /= weight
    return leader, merged


@njit(cache=True, nogil=True)
def _shared(one, other):
    """The part of the smaller box that lies on the other one, 0..1."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    if height <= 0 or width <= 0:
        return 0.0
    areas = (one[2] - one[0]) * (one[3] - one[1]), (other[2] - other[0]) * (other[3] - other[1])
    return height * width / max(min(areas[0], areas[1]), 1e-9)
