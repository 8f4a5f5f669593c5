"""Whether an outline crosses itself: the search for two edges that properly cross."""

from __future__ import annotations

import numpy as np
from numba import njit

_SHORT = 250  # edges up to which all pairs cost less than sorting
_PAIRS_PER_EDGE = 2000  # how many pairs of edges the search may compare, for each edge


def _has_crossing(points: np.ndarray) -> bool | None:
    """Whether two edges of a closed outline properly cross.

    Parameters
    ----------
    points : numpy.ndarray
        (n, 2) float64, C-contiguous and finite, x and y in pixels.

    Returns
    -------
    bool or None
        None where the search would take too long; see `Polygon.crosses_itself`.

    Examples
    --------
    >>> _has_crossing(np.array([(0.0, 0.0), (4.0, 4.0), (4.0, 0.0), (0.0, 4.0)]))
    True
    """
    edges = _edges_passed_once(points)
    if len(edges) <= _SHORT:
        return bool(_any_crossing(edges, 0, len(edges) ** 2, False))
    # Only edges whose extents overlap can cross. Edges sorted along x or y have them next to each other. The
    # axis with fewer overlaps is taken, so that the cost grows with an outline's length and not with the
    # square of it.
    along = _by_start(edges, 0), _by_start(edges, 1)
    axis = int(_overlaps(along[1], 1) < _overlaps(along[0], 0))
    found = _any_crossing(along[axis], axis, _PAIRS_PER_EDGE * len(edges), True)
    return None if found < 0 else bool(found)


def _by_start(edges: np.ndarray, axis: int) -> np.ndarray:
    return edges[np.argsort(np.minimum(edges[:, axis], edges[:, axis + 2]), kind="stable")]


def _overlaps(edges: np.ndarray, axis: int) -> int:
    """How many pairs of edges, sorted by their start along an axis, overlap along it."""
    ends = edges[:, axis], edges[:, axis + 2]
    return int(np.searchsorted(np.minimum(*ends), np.maximum(*ends), side="right").sum())


@njit(cache=True, nogil=True)
def _edges_passed_once(points: np.ndarray) -> np.ndarray:
    """The edges (x0, y0, x1, y1) of an outline whose reverse is not an edge of it.

    An edge whose reverse is there too is a slit to a hole: rounding would let it seem to cross.
    """
    n = len(points)
    edges, kept, n_kept = np.empty((n, 4)), np.empty((n, 4)), 0
    for i in range(n):
        after = i + 1 if i + 1 < n else 0
        for k in range(2):  # number by number: numba takes a second to compile what copies rows
            edges[i, k], edges[i, 2 + k] = points[i, k], points[after, k]
    # A hash table of all edges, each once: it takes time in proportion to their number.
    places, table = _places(edges), np.full(4 * n, -1, np.int64)
    for i in range(n):
        table[_place_of(edges, table, places[i], edges[i, 0], edges[i, 1], edges[i, 2], edges[i, 3])] = i
    for i in range(n):
        reverse = _place_of(edges, table, places[i], edges[i, 2], edges[i, 3], edges[i, 0], edges[i, 1])
        if table[reverse] < 0:
            for k in range(4):
                kept[n_kept, k] = edges[i, k]
            n_kept += 1
    return kept[:n_kept]


@njit(cache=True, nogil=True)
def _places(edges: np.ndarray) -> np.ndarray:
    """Where the search for each edge begins in a table of four times as many places, by its coordinates.

    An edge and its reverse begin at the same place.
    """
    places = np.empty(len(edges), np.int64)
    bits = (edges + 0.0).view(np.uint64)  # -0.0 becomes 0.0, which it is equal to
    for i in range(len(edges)):
        both = _mixed(_mixed(bits[i, 0]) + bits[i, 1]) + _mixed(_mixed(bits[i, 2]) + bits[i, 3])
        places[i] = both % np.uint64(4 * len(edges))
    return places


@njit(cache=True, nogil=True)
def _mixed(bits: np.uint64) -> np.uint64:
    """The last step of the hash function MurmurHash3: every bit of the result depends on all of them."""
    bits = (bits ^ (bits >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    bits = (bits ^ (bits >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return bits ^ (bits >> np.uint64(33))


@njit(cache=True, nogil=True)
def _place_of(
    edges: np.ndarray, table: np.ndarray, at: int, x0: float, y0: float, x1: float, y1: float
) -> int:
    """The place of an edge in the table, or the free place where it belongs."""
    while table[at] >= 0:
        edge = edges[table[at]]
        if edge[0] == x0 and edge[1] == y0 and edge[2] == x1 and edge[3] == y1:
            break
        at = at + 1 if at + 1 < len(table) else 0
    return at


@njit(cache=True, nogil=True)
def _any_crossing(edges: np.ndarray, axis: int, at_most: int, is_sorted: bool) -> int:
    """Whether any two edges (x0, y0, x1, y1) have each other's ends strictly on both sides: 1 or 0.

    Edges that are sorted by their start along the axis are compared with those only that they overlap along
    it. After `at_most` pairs the answer is -1.
    """
    other = 1 - axis
    for i in range(len(edges)):
        x0, y0, x1, y1 = edges[i]
        start, end = min(edges[i, axis], edges[i, axis + 2]), max(edges[i, axis], edges[i, axis + 2])
        low, high = min(edges[i, other], edges[i, other + 2]), max(edges[i, other], edges[i, other + 2])
        for j in range(i + 1, len(edges)):
            u0, v0, u1, v1 = edges[j]
            if min(edges[j, axis], edges[j, axis + 2]) > end:
                if is_sorted:
                    break
                continue
            at_most -= 1
            if at_most < 0:
                return -1
            if max(edges[j, axis], edges[j, axis + 2]) < start:
                continue
            if min(edges[j, other], edges[j, other + 2]) > high:
                continue
            if max(edges[j, other], edges[j, other + 2]) < low:
                continue
            a, b, c, d = x1 - x0, y1 - y0, u1 - u0, v1 - v0
            # The cross products of one edge with the two ends of the other have opposite signs.
            across = (a * (v0 - y0) - b * (u0 - x0)) * (a * (v1 - y0) - b * (u1 - x0)) < 0
            if across and (c * (y0 - v0) - d * (x0 - u0)) * (c * (y1 - v0) - d * (x1 - u0)) < 0:
                return 1
    return 0
