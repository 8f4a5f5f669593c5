"""The plain way to occlude: one whole forward pass for each occluder.

It is what the fast way in `scenelens.receptive_fields.occlusion.occlude` is held against, and what remains for networks that cannot be
followed step by step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scenelens.receptive_fields.occlusion.windows import Windows

#: MERGED DOC: The windows of one block of occluders, computed step by step from the image up to the watched layer.


@dataclass(frozen=True)
class Discrepancy:
    """How much one unit's response changed under each occluder.

    Attributes
    ----------
    map : (n_y, n_x) float32, |original - occluded| at `place`; (73, 73) for 11x11 px, stride 3, 227 px. The
        value belongs to the occluder's centre, pixel ``stride * i + (size - 1) / 2``.
    unit : the unit's number.
    place : (row, col) in the layer's map where the response was watched.
    peak : the response there without occluder.
    """

    map: np.ndarray
    unit: int
    place: Place
    peak: float


Place = tuple[int, int]


@dataclass(frozen=True)
class Patches:
    """The occluders: one patch, moved over the image.

    Attributes
    ----------
    values : (h, w, 3) float, what the network is given under the patch, up to `background`.
    background : (H, W, 3) float, what a network adds to each pixel whatever its value (minus its mean
        image), or None.
    stride : pixels between neighbouring occluders.
    """

    values: Tensor
    background: Tensor | None
    stride: int

    def grid(self, image: Tensor) -> tuple[int, int]:
        """How many occluders, none cut off, stand on an image (C, H, W): rows, columns.

        >>> Patches(torch.zeros(11, 11, 3), None, 3).grid(torch.zeros(3, 227, 227))
        (73, 73)
        """
        height, width = self.values.shape[:2]
        return (image.shape[1] - height) // self.stride + 1, (image.shape[2] - width) // self.stride + 1

    def windows(self, rows: np.ndarray, columns: np.ndarray) -> Windows:
        """The image's windows for occluders whose first rows and columns are given."""
        height, width = self.values.shape[:2]
        n = len(rows) * len(columns)
        values = self.values.expand(n, -1, -1, -1)
        if self.background is not None:
            y = as_tensor(rows[:, None] + np.arange(height), self.values)
            x = as_tensor(columns[:, None] + np.arange(width), self.values)
            behind = self.background[y[:, None, :, None], x[None, :, None, :]]
            values = values + behind.view(n, height, width, -1)
        return Windows(values.contiguous(), rows, columns)


def as_tensor(index: np.ndarray, like: Tensor) -> Tensor:
    """An index array as a tensor on another tensor's device."""
    return torch.from_numpy(index).to(like.device)
