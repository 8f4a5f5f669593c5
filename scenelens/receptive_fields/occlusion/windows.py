"""Reading windows: a value comes from the window where the occluder changed it, else from the original's map.

Rows and columns of windows are given by numpy index arrays. Each index is the sum of a part that depends on
the row of occluders and a part that depends on the column. So planning is cheap, and the copying, which is
not, is left to torch, on whatever device the maps are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Span = tuple[int, int]


@dataclass
class _Original:
    """A map of the image without an occluder, or the part of it that can matter.

    Attributes
    ----------
    table : torch.Tensor
        Float (h * w + 2, channels), one row per position. The last two rows stand for positions outside of
        the map: zeros (for convolutions and averages) and minus infinity (for maxima).
    rows, columns : tuple of int
        [low, high) of the map that it holds.
    """

    table: Tensor
    rows: Span
    columns: Span

    @classmethod
    def of(cls, values: Tensor, rows: Span, columns: Span) -> _Original:
        """Make one from a map.

        Parameters
        ----------
        values : torch.Tensor
            Float (h, w, channels).
        rows, columns : tuple of int
            [low, high) of the whole map that `values` is.

        Returns
        -------
        _Original
            The map with the two rows for what is outside.
        """
        # two more rows, so that padding is a lookup like any other and needs no branch for each window
        outside = values.new_zeros(2, values.shape[-1])
        outside[1] = -torch.inf
        return cls(torch.cat([values.reshape(-1, values.shape[-1]), outside]), rows, columns)

    @property
    def map(self) -> Tensor:
        """The map, float (h, w, channels)."""
        height, width = self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]
        return self.table[:-2].reshape(height, width, -1)

    def crop(self, rows: Span, columns: Span, pad_value: float) -> Tensor:
        """Any part of the map.

        Parameters
        ----------
        rows, columns : tuple of int
            [low, high) of the part; it may reach beyond the map.
        pad_value : float
            The value outside of the map.

        Returns
        -------
        torch.Tensor
            Float (1, h, w, channels).
        """
        parts, pads = [], []
        for (low, high), (first, last) in ((rows, self.rows), (columns, self.columns)):
            parts.append(slice(max(low, first) - first, max(0, min(high, last) - first)))
            pads.append((max(0, min(high, first) - low), max(0, high - max(low, last))))
        inside = self.map[parts[0], parts[1]]
        return F.pad(inside, (0, 0, *pads[1], *pads[0]), value=pad_value)[None]

    def index(self, rows: np.ndarray, columns: np.ndarray, outside: int = -2) -> Tensor:
        """Rows of `table` for the positions of windows.

        Parameters
        ----------
        rows, columns : numpy.ndarray
            Positions (n_y, h) and (n_x, w) of the windows.
        outside : int, optional
            Which row of `table` stands for what is outside: -2 zeros (default), -1 minus infinity.

        Returns
        -------
        torch.Tensor
            int64 (n_y * n_x * h * w,).
        """
        y, x = rows - self.rows[0], columns - self.columns[0]
        width = self.columns[1] - self.columns[0]
        index = (y * width)[:, None, :, None] + x[None, :, None, :]
        good_y, good_x = (rows >= self.rows[0]) & (rows < self.rows[1]), (x >= 0) & (x < width)
        # most blocks lie inside: then the mask, as large as the index itself, is never made
        if not (good_y.all() and good_x.all()):
            index[~(good_y[:, None, :, None] & good_x[None, :, None, :])] = len(self.table) + outside
        return torch.from_numpy(index.ravel()).to(self.table.device)


@dataclass
class _Windows:
    """What the occluders of one block changed in one map: n_y rows of n_x occluders each.

    Attributes
    ----------
    values : torch.Tensor
        Float (n_y * n_x, h, w, channels).
    rows, columns : numpy.ndarray
        (n_y,) and (n_x,): where each window starts.
    """

    values: Tensor
    rows: np.ndarray
    columns: np.ndarray

    def cover(self, rows: np.ndarray, columns: np.ndarray) -> bool:
        """Whether some positions are exactly those that the windows cover.

        Parameters
        ----------
        rows, columns : numpy.ndarray
            Positions (n_y, h) and (n_x, w).

        Returns
        -------
        bool
            True where nothing would have to be copied.
        """
        same_shape = (rows.shape[1], columns.shape[1]) == tuple(self.values.shape[1:3])
        return (
            same_shape
            and np.array_equal(rows[:, 0], self.rows)
            and np.array_equal(columns[:, 0], self.columns)
        )

    def values_at(
        self, original: _Original, rows: np.ndarray, columns: np.ndarray, pad: float = 0.0
    ) -> Tensor:
        """Values at some positions: from the windows where these cover them, else from the original.

        Parameters
        ----------
        original : _Original
            The same map without an occluder.
        rows, columns : numpy.ndarray
            Positions (n_y, h) and (n_x, w).
        pad : float, optional
            The value outside of the map: 0 (default) or minus infinity.

        Returns
        -------
        torch.Tensor
            Float (n_y * n_x, h, w, channels).
        """
        outside = -2 if pad == 0 else -1
        values = original.table.index_select(0, original.index(rows, columns, outside))
        into, source = self._overlap(original, rows, columns)
        values.index_copy_(0, into, self._flat().index_select(0, source))
        return values.view(-1, rows.shape[1], columns.shape[1], values.shape[-1])

    def changes_at(self, original: _Original, rows: np.ndarray, columns: np.ndarray) -> Tensor:
        """As `values_at`, but the difference to the original: zero wherever the occluder changed nothing.

        Parameters
        ----------
        original : _Original
            The same map without an occluder.
        rows, columns : numpy.ndarray
            Positions (n_y, h) and (n_x, w).

        Returns
        -------
        torch.Tensor
            Float (n_y * n_x, h, w, channels).
        """
        index = original.index(rows, columns)
        if self.cover(rows, columns):  # the common case, without any search for the overlap
            changes = self._flat() - original.table.index_select(0, index)
            inside = index < len(original.table) - 2
            if not bool(inside.all()):
                changes *= inside[:, None]  # what a window holds outside of the map is not a change
        else:
            into, source = self._overlap(original, rows, columns)
            changes = original.table.new_zeros(len(index), original.table.shape[1])
            old = original.table.index_select(0, index.index_select(0, into))
            changes.index_copy_(0, into, self._flat().index_select(0, source).sub_(old))
        return changes.view(-1, rows.shape[1], columns.shape[1], changes.shape[-1])

    def _flat(self) -> Tensor:
        return self.values.reshape(-1, self.values.shape[-1])

    def _overlap(self, original: _Original, rows: np.ndarray, columns: np.ndarray) -> tuple[Tensor, Tensor]:
        """Where the wanted positions lie inside the windows: rows of the flat result, and rows of the flat
        windows."""
        height, width = self.values.shape[1:3]
        n_x, h, w = len(columns), rows.shape[1], columns.shape[1]
        # the search runs along each axis alone (n_y * h + n_x * w positions); only the result is n_y * n_x
        y, i, from_y = _inside(rows, self.rows, height, original.rows)
        x, j, from_x = _inside(columns, self.columns, width, original.columns)
        into = ((y * n_x * h + i) * w)[:, None] + (x * h * w + j)[None, :]
        source = ((y * n_x * height + from_y) * width)[:, None] + (x * height * width + from_x)[None, :]
        device = self.values.device
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
