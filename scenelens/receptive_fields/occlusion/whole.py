"""The plain way to occlude: one whole forward pass of the network for each occluder.

It judges the fast way, and it serves networks whose steps cannot be followed. Every pass begins with the
network as it is: with its hooks and training flags, and with the buffers, attributes and random numbers that
it had before the first pass.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from scenelens.errors import SceneLensError
from scenelens.networks import Network, record, restoring
from scenelens.receptive_fields.occlusion.records import Discrepancy, Patches, Wanted

_BATCH = 64  # occluded images per forward pass, where an image's values do not depend on the others
_AGAIN = 1e-5  # share of the highest value by which two passes of one image may differ
_TOGETHER = 1e-4  # the same for an image alone and beside another one: there the order of sums differs


class _WholePasses:
    """A layer's values from whole passes.

    Parameters
    ----------
    network : Network or torch.nn.Module
        The network.
    layer : str
        The layer.

    Attributes
    ----------
    at_once : int
        How many images go through the network together.
    """

    def __init__(self, network: Network | nn.Module, layer: str) -> None:
        self.network, self.layer = network, layer
        self.module = network if isinstance(network, nn.Module) else network.module
        self.at_once = 1

    def learn(self, x: Tensor) -> str:
        """Find out whether the images of a pass matter to each other.

        Parameters
        ----------
        x : torch.Tensor
            An image (channels, H, W), as the module takes it.

        Returns
        -------
        str
            What is unusual about the network, in one sentence; else empty.
        """
        self.at_once = 1
        first, again = self.values([x[None]], skip=0)[0], self.values([x[None]], skip=1)[0]
        if not _close(first, again, _AGAIN):
            return (
                f"The network is not deterministic: two passes of one image differ at {self.layer!r}, as "
                "behind a dropout that is never switched off. All occluders get the same random numbers."
            )
        other = _another(x)
        try:
            alone = self.values([other[None]])[0]
            both = self.values([torch.stack([x, other])])[0]
        except (RuntimeError, ValueError, TypeError, IndexError, SceneLensError):
            return ""  # it takes single images only, or no such image
        if not _close(both, torch.cat([first, alone]), _TOGETHER):
            return (
                f"At {self.layer!r}, an image's values depend on the other images of its pass, so each "
                "occluded image gets a pass of its own."
            )
        self.at_once = _BATCH
        return ""

    def values(self, batches: Iterable[Tensor], at: tuple | None = None, skip: int = 0) -> list[Tensor]:
        """Run batches of images.

        Parameters
        ----------
        batches : iterable of torch.Tensor
            (N, channels, H, W) each.
        at : tuple, optional
            Units, rows and columns whose values are kept; by default all.
        skip : int, optional
            How many random numbers are drawn before each pass (default 0).

        Returns
        -------
        list of torch.Tensor
            For each batch (N, units, h, w), with h = w = 1 for a layer without positions; where `at` is
            given, (N, values).
        """
        found, back = [], restoring(self.module)
        with record(self.network, self.layer) as acts:
            for batch in batches:
                devices = [batch.device] if batch.is_cuda else []
                try:
                    with torch.random.fork_rng(devices):
                        torch.rand(skip, device=batch.device)
                        self.module(batch.clone())  # it may write over its input
                finally:
                    back()
                values = _mapped(acts[self.layer])
                found.append(values if at is None else values[:, at[0], at[1], at[2]])
        return found

    def discrepancies(self, x: Tensor, patches: Patches, wanted: list[Wanted]) -> list[Discrepancy]:
        """Occlude one image.

        Parameters
        ----------
        x : torch.Tensor
            The image, (channels, H, W), as the module takes it.
        patches : Patches
            The occluders.
        wanted : list of tuple
            (unit, place) for each result; place None for the unit's peak.

        Returns
        -------
        list of Discrepancy
            In the order of `wanted`.
        """
        units, places = [unit for unit, _ in wanted], [place for _, place in wanted]
        if None in places:
            peaked = Discrepancy.peak_places(self.values([x[None]])[0][0][units])
            places = [place or at for place, at in zip(places, peaked, strict=True)]
        known = [place for place in places if place is not None]
        n_y, n_x = patches.grid((x.shape[1], x.shape[2]))
        occluded = (
            _occluded(x, patches, range(first, min(n_y * n_x, first + self.at_once)))
            for first in range(0, n_y * n_x, self.at_once)
        )
        at = units, [row for row, _ in known], [column for _, column in known]
        peaks, *values = self.values(itertools.chain([x[None]], occluded), at)
        changed = (torch.cat(values) - peaks).abs()
        maps = changed.T.reshape(len(wanted), n_y, n_x).cpu().numpy()
        return [Discrepancy(maps[n], unit, known[n], float(peaks[0, n])) for n, unit in enumerate(units)]


def _occluded(x: Tensor, patches: Patches, numbers: range) -> Tensor:
    """Copies of the image, each under the occluder of its number, counted row by row."""
    height, width = patches.values.shape[:2]
    rows, columns = patches.starts((x.shape[1], x.shape[2]))
    images = x.repeat(len(numbers), 1, 1, 1)
    for image, number in zip(images, numbers, strict=True):
        top, left = rows[number // len(columns)], columns[number % len(columns)]
        patch = patches.at(np.array([top]), np.array([left]))[0]
        image[:, top : top + height, left : left + width] = patch.permute(2, 0, 1)
    return images


def _mapped(values: Tensor) -> Tensor:
    """(N, units, h, w), also where a layer has no positions."""
    return values if values.ndim == 4 else values.flatten(1)[:, :, None, None]


def _another(x: Tensor) -> Tensor:
    """An image of the same range that is as different as can be: what depends on it shows."""
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=tuple(x.shape))).to(x)
    return x.flip(1, 2) + noise * (x.std() + x.abs().mean() / 10 + 1e-3)


def _close(one: Tensor, other: Tensor, share: float) -> bool:
    if one.shape != other.shape:
        return False
    return float((one - other).abs().max()) <= share * max(float(one.abs().max()), 1e-30)
