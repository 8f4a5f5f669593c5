"""Objects that annotators drew twice are taken once."""

from __future__ import annotations

import numpy as np
from numba import njit

from scenelens.annotations.crossings import _mixed
from scenelens.annotations.file_checks import Repair
from scenelens.annotations.outlined import AnnotatedObject
from scenelens.annotations.polygons import _extent


def _without_duplicates(objects: list[AnnotatedObject], notes: list[Repair]) -> list[AnnotatedObject]:
    """Each object once. Annotators drew some objects twice, so outlines need not be equal point by point.

    Two objects are the same if they have one name and their boxes and lengths of outline differ by at most
    2% of the larger side.
    """
    codes = {name: code for code, name in enumerate(dict.fromkeys(one.name for one in objects))}
    if len(codes) == len(objects):
        return objects
    names = np.array([codes[one.name] for one in objects], np.int64)
    alone = np.bincount(names) == 1
    summaries = np.array([_summary(one, bool(alone[codes[one.name]])) for one in objects])
    margins = 0.02 * (summaries[:, 2:4] - summaries[:, :2]).max(axis=1)
    twice = _repeated(names, summaries, margins)
    for k in np.flatnonzero(twice).tolist():
        notes.append(Repair("duplicate", f"{objects[k].raw_name} at {summaries[k, :2].round().tolist()}"))
    return [one for one, again in zip(objects, twice.tolist(), strict=True) if not again]


def _summary(one: AnnotatedObject, alone: bool) -> tuple[float, ...]:
    """The object's box (left, top, right, bottom), and a quarter of its outlines' length, about a side.

    So one margin fits all five numbers. An object of a name that is `alone` is compared with no other.
    """
    boxes = [_extent(polygon) for polygon in one.polygons]
    lows, highs = ([box[side : side + 2] for box in boxes] for side in (0, 2))
    length = 0 if alone else sum(_length(polygon) for polygon in one.polygons)
    return *map(min, zip(*lows, strict=True)), *map(max, zip(*highs, strict=True)), length / 4


def _length(p: np.ndarray) -> float:
    return np.hypot(*(p - np.concatenate([p[-1:], p[:-1]])).T).sum()


@njit(cache=True, nogil=True)
def _repeated(names: np.ndarray, summaries: np.ndarray, margins: np.ndarray) -> np.ndarray:
    """Which objects are the same as an earlier one that is not itself a repetition.

    Objects that are the same lie in one cell, or in cells next to each other, of a grid of five dimensions,
    one for each number of the summaries. The cells grow with the objects: their width is 5 times 2 ** scale,
    where 2 ** scale is the margin rounded down, so each object is looked for in at most two cells of each
    dimension. All cells are in one hash table, so this takes time in proportion to the number of objects.
    """
    n, n_parts = summaries.shape
    twice = np.zeros(n, np.bool_)
    heads, following = np.full(2 * n, -1, np.int64), np.full(n, -1, np.int64)
    low, high, cell = np.empty(n_parts), np.empty(n_parts), np.empty(n_parts)
    for k in range(n):
        # Of two that are the same, the sides, and so the margins, differ by at most 4%; a little more is
        # searched, for rounding.
        for scale in range(_scale(0.95 * margins[k]), _scale(1.05 * margins[k]) + 1):
            width = 5 * 2.0**scale
            for part in range(n_parts):
                reach = 1.001 * margins[k] + 1e-15 * abs(summaries[k, part])
                low[part] = np.floor((summaries[k, part] - reach) / width)
                high[part] = np.floor((summaries[k, part] + reach) / width)
            for which in range(1 << n_parts):
                other = -1
                for part in range(n_parts):
                    upper = which >> part & 1
                    cell[part] = high[part] if upper else low[part]
                    if upper and high[part] == low[part]:
                        break
                else:
                    other = heads[_cell_place(names[k], scale, cell, len(heads))]
                while other >= 0 and not twice[k]:
                    twice[k] = names[other] == names[k] and _is_close(
                        summaries[other], summaries[k], margins[k]
                    )
                    other = following[other]
        if not twice[k]:
            scale = _scale(margins[k])
            place = _cell_place(names[k], scale, np.floor(summaries[k] / (5 * 2.0**scale)), len(heads))
            heads[place], following[k] = k, heads[place]
    return twice


@njit(cache=True, nogil=True)
def _scale(margin: float) -> int:
    """The power of 2 that is as large as a margin, rounded down."""
    return int(np.floor(np.log2(max(margin, 1e-12))))


@njit(cache=True, nogil=True)
def _cell_place(name: int, scale: int, cell: np.ndarray, n: int) -> np.int64:
    """The place of a cell in a hash table of n places."""
    hashed = _mixed(np.uint64(name) * np.uint64(4096) + np.uint64(scale + 2048))
    for number in cell:
        hashed = _mixed(hashed + np.uint64(np.int64(number)))
    return np.int64(hashed % np.uint64(n))


@njit(cache=True, nogil=True)
def _is_close(a: np.ndarray, b: np.ndarray, margin: float) -> bool:
    close = True
    for part in range(len(a)):
        close = close and abs(a[part] - b[part]) <= margin
    return close
