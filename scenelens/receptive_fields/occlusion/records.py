"""What the fast and the plain way of occluding share: the occluders, a place in a map, and the result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: A position (row, column) of a layer's map.
Place = tuple[int, int]
#: A unit's number, and the place where its response is read; None for the place of its peak.
Wanted = tuple[int, Place | None]
_Starts = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Discrepancy:
    """How much one unit's response changed under each occluder.

    Attributes
    ----------
    map : numpy.ndarray
        float32 (n_y, n_x), the absolute change of the response at `place`; (73, 73) for an occluder of
        11x11 pixels, stride 3 and an image of 227 pixels. A value belongs to the occluder's centre, pixel
        ``stride * i + (size - 1) / 2``.
    unit : int
        The unit's number.
    place : tuple of int
        (row, column) of the layer's map where the response was read.
    peak : float
        The response there without an occluder.
    """

    map: np.ndarray
    unit: int
    place: Place
    peak: float

    @staticmethod
    def peak_places(responses: Tensor) -> list[Place]:
        """Where each unit has its peak; of ties the first in reading order.

        Parameters
        ----------
        responses : torch.Tensor
            (units, h, w).

        Returns
        -------
        list of tuple of int
            (row, column) for each unit.

        Examples
        --------
        >>> Discrepancy.peak_places(torch.tensor([[[0.0, 3, 1], [3, 0, 0]]]))
        [(0, 1)]
        """
        width = responses.shape[2]
        # numpy documents that argmax gives the first of ties; torch does not, and differs between devices
        flat = responses.flatten(1).cpu().numpy().argmax(1)
        return [(int(at) // width, int(at) % width) for at in flat]


@dataclass(frozen=True)
class Patches:
    """The occluders: one patch, moved over the image.

    Attributes
    ----------
    values : torch.Tensor
        Float (h, w, channels): what the network is given where the patch lies, without `background`.
    background : torch.Tensor or None
        Float (H, W, channels): what the network's preprocessing adds to each pixel whatever its value (a
        mean image that differs from pixel to pixel, subtracted), or None where it adds nothing.
    stride : int
        Pixels between neighbouring occluders. The first lies at pixel 0.
    some : tuple of tuple of int, optional
        The first pixels of the rows and of the columns of occluders, where not all are wanted.
    """

    values: Tensor
    background: Tensor | None
    stride: int
    some: _Starts | None = None

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """How many occluders lie on an image, none of them cut off at its edge.

        Parameters
        ----------
        size : tuple of int
            (H, W) of the image in pixels.

        Returns
        -------
        tuple of int
            Number of rows and of columns of occluders.

        Examples
        --------
        >>> Patches(torch.zeros(11, 11, 3), None, 3).grid((227, 227))
        (73, 73)
        """
        rows, columns = self.starts(size)
        return len(rows), len(columns)

    def starts(self, size: tuple[int, int]) -> _Starts:
        """Where the occluders lie on an image.

        Parameters
        ----------
        size : tuple of int
            (H, W) of the image in pixels.

        Returns
        -------
        tuple of tuple of int
            The first pixel of each row of occluders, and of each column.

        Examples
        --------
        >>> Patches(torch.zeros(3, 4, 3), None, 2).starts((8, 6))
        ((0, 2, 4), (0, 2))
        """
        rows, columns = (range(0, size[axis] - self.values.shape[axis] + 1, self.stride) for axis in (0, 1))
        return self.some or (tuple(rows), tuple(columns))

    def at(self, rows: np.ndarray, columns: np.ndarray) -> Tensor:
        """What the network is given under occluders at some pixels.

        Parameters
        ----------
        rows, columns : numpy.ndarray
            (n_y,) and (n_x,): the first pixel of each row and of each column of occluders.

        Returns
        -------
        torch.Tensor
            Float (n_y * n_x, h, w, channels), row by row.
        """
        height, width = self.values.shape[:2]
        n = len(rows) * len(columns)
        values = self.values.expand(n, -1, -1, -1)
        if self.background is not None:
            device = self.values.device
            y = torch.from_numpy(rows[:, None] + np.arange(height)).to(device)
            x = torch.from_numpy(columns[:, None] + np.arange(width)).to(device)
            behind = self.background[y[:, None, :, None], x[None, :, None, :]]
            values = values + behind.view(n, height, width, -1)
        return values.contiguous()
