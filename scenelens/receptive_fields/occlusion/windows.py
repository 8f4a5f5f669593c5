"""Sentences windows: from what was computed for each occluder where it changed something, else from the
original's maps.

Rows and columns of windows are given by numpy index arrays, because every index is the sum of a row's part
and a column's part: planning costs little, and the copying is left to torch, on whatever device the maps are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Span = tuple[int, int]


@dataclass
class Original:
    """A map of the pass over the image without occluder, or the part of it that can matter.

    Attributes
    ----------
    table : (h * w + 2, channels), a row per position; the last two stand for what is outside: zeros, and
        minus infinity.
    rows, columns : [low, high) of the map that it holds.
    """

    table: Tensor
    rows: Span
    columns: Span

    @classmethod
    def of(cls, values: Tensor, rows: Span, columns: Span) -> Original:
        """From a map (h, w, channels)."""
        outside = values.new_zeros(2, values.shape[-1])
        outside[1] = -torch.inf
        return cls(torch.cat([values.reshape(-1, values.shape[-1]), outside]), rows, columns)

    @property
    def map(self) -> Tensor:
        """The map (h, w, channels)."""
        height, width = self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]
        return self.table[:-2].reshape(height, width, -1)

    def crop(self, rows: Span, columns: Span, pad_value: float) -> Tensor:
        """(1, h, w, channels) of any part, with `pad_value` where the part lies outside."""
        parts, pads = [], []
        for (low, high), (first, last) in ((rows, self.rows), (columns, self.columns)):
            parts.append(slice(max(low, first) - first, max(0, min(high, last) - first)))
            pads.append((max(0, min(high, first) - low), max(0, high - max(low, last))))
        inside = self.map[parts[0], parts[1]]
        return F.pad(inside, (0, 0, *pads[1], *pads[0]), value=pad_value)[None]

    def index(self, rows: np.ndarray, columns: np.ndarray, outside: int = -2) -> Tensor:
        """Rows of `table` for windows at positions rows (n_y, h) and columns (n_x, w), as (n_y * n_x * h *
        w,)."""
        y, x = rows - self.rows[0], columns - self.columns[0]
        width = self.columns[1] - self.columns[0]
        index = (y * width)[:, None, :, None] + x[None, :, None, :]
        good_y, good_x = (rows >= self.rows[0]) & (rows < self.rows[1]), (x >= 0) & (x < width)
        if not (good_y.all() and good_x.all()):
            index[~(good_y[:, None, :, None] & good_x[None, :, None, :])] = len(self.table) + outside
        return torch.from_numpy(index.ravel()).to(self.table.device)


@dataclass
class Windows:
    """What occluders changed in one map: the occluders of a block of the grid, n_y rows of n_x each.

    Attributes
    ----------
    values : (n_y * n_x, h, w, channels).
    rows, columns : (n_y,), (n_x,) where each window starts.
    """

    values: Tensor
    rows: np.ndarray
    columns: np.ndarray

    def positions(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows (n_y, h) and columns (n_x, w) of the map that the windows cover."""
        height, width = self.values.shape[1:3]
        return self.rows[:, None] + np.arange(height), self.columns[:, None] + np.arange(width)

    def cover(self, rows: np.ndarray, columns: np.ndarray) -> bool:
        """Whether these are the very positions, (n_y, h) and (n_x, w), that the windows cover."""
        same_shape = (rows.shape[1], columns.shape[1]) == tuple(self.values.shape[1:3])
        return (
            same_shape
            and np.array_equal(rows[:, 0], self.rows)
            and np.array_equal(columns[:, 0], self.columns)
        )


def read_values(
    windows: Windows, original: Original, rows: np.ndarray, columns: np.ndarray, pad: float = 0.0
) -> Tensor:
    """Values at the positions rows (n_y, h) and columns (n_x, w), as (n_y * n_x, h, w, channels).

    What the occluder changed comes from its window, everything else from the original; `pad` (0 or minus
    infinity) stands outside the map.
    """
    outside = -2 if pad == 0 else -1
    values = original.table.index_select(0, original.index(rows, columns, outside))
    into, source = _overlap(windows, original, rows, columns)
    values.index_copy_(0, into, _flat(windows.values).index_select(0, source))
    return values.view(-1, rows.shape[1], columns.shape[1], values.shape[-1])


def read_changes(windows: Windows, original: Original, rows: np.ndarray, columns: np.ndarray) -> Tensor:
    """As `read_values`, but the difference to the original: zero wherever the occluder changed nothing."""
    index = original.index(rows, columns)
    if windows.cover(rows, columns):
        changes = _flat(windows.values) - original.table.index_select(0, index)
        inside = index < len(original.table) - 2
        if not bool(inside.all()):
            changes *= inside[:, None]
    else:
        into, source = _overlap(windows, original, rows, columns)
        changes = original.table.new_zeros(len(index), original.table.shape[1])
        old = original.table.index_select(0, index.index_select(0, into))
        changes.index_copy_(0, into, _flat(windows.values).index_select(0, source).sub_(old))
    return changes.view(-1, rows.shape[1], columns.shape[1], changes.shape[-1])


def _flat(values: Tensor) -> Tensor:
    return values.reshape(-1, values.shape[-1])


def _overlap(
    windows: Windows, original: Original, rows: np.ndarray, columns: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Where the wanted positions lie inside the windows: rows of the flat result, and rows of the flat
    windows."""
    height, width = windows.values.shape[1:3]
    n_x, h, w = len(columns), rows.shape[1], columns.shape[1]
    y, i, from_y = _inside(rows, windows.rows, height, original.rows)
    x, j, from_x = _inside(columns, windows.columns, width, original.columns)
    into = ((y * n_x * h + i) * w)[:, None] + (x * h * w + j)[None, :]
    source = ((y * n_x * height + from_y) * width)[:, None] + (x * height * width + from_x)[None, :]
    device = windows.values.device
    return torch.from_numpy(into.ravel()).to(device), torch.from_numpy(source.ravel()).to(device)


def _inside(
    positions: np.ndarray, starts: np.ndarray, size: int, span: Span
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of positions (n, length): which occluder, which of its wanted positions, and which of its window's."""
    within = positions - starts[:, None]
    occluder, wanted = np.nonzero(
        (within >= 0) & (within < size) & (positions >= span[0]) & (positions < span[1])
    )
    return occluder, wanted, within[occluder, wanted]
