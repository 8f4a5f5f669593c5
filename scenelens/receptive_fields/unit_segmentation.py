"""Where in an image a unit fires, in pixels (Figure 5 of the paper).

A unit's responses live on its layer's coarse map. The paper brings them to pixels by the unit's own
empirical receptive field, set down at every position above a threshold; Network Dissection later did it by
bilinear interpolation, which needs no receptive field but ignores how large it is. Both are here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from scenelens.errors import SceneLensError, close_names
from scenelens.networks import Network, interpolate, responses
from scenelens.receptive_fields.field import EmpiricalRF

WAYS = ("receptive field", "bilinear")


@dataclass(frozen=True)
class Threshold:
    """A response above which a unit counts as firing, and how it was chosen.

    >>> Threshold(1.5, "half of the peak").value
    1.5
    """

    value: float
    rule: str


@dataclass(frozen=True)
class Segmentation:
    """Where a unit fires in one image.

    Attributes
    ----------
    mask : (H, W) bool, in pixels of the frame the network sees; ``np.asarray`` of the whole gives it too.
    threshold : the response above which it fires, with the rule it comes from.
    way : 'receptive field' or 'bilinear'.
    positions : how many positions of the layer's map fire.
    peak : the unit's highest response in this image.
    """

    mask: np.ndarray
    threshold: Threshold
    way: str
    positions: int
    peak: float

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.mask, dtype=dtype)

    def __str__(self) -> str:
        share = 100 * self.mask.mean()
        level = f"{self.threshold.rule} (response >= {self.threshold.value:.3g})"
        return f"{share:.1f}% of the image; {level}; {self.way}"


def share_of_peak(share: float, peak: float) -> Threshold:
    """A threshold as a share of a unit's peak over a set of images.

    >>> share_of_peak(0.5, 8.0).value
    4.0
    """
    if not 0 < share <= 1:
        raise SceneLensError(f"threshold={share}: a share of the peak is above 0 and at most 1, such as 0.5.")
    return Threshold(share * peak, f"{share:.0%} of the unit's peak {peak:.3g} over its images")


def top_quantile(
    network: Network | nn.Module, layer: str, unit: int, images: Iterable[np.ndarray], share: float = 0.005
) -> Threshold:
    """The response that a unit exceeds at only a share of all positions of a set of images (Network
    Dissection's rule).

    Parameters
    ----------
    images : uint8 RGB (h, w, 3) each.
    share : of the positions, between 0 and 1; 0.005 in Network Dissection.
    """
    if not 0 < share < 1:
        raise SceneLensError(f"share={share}: a share of the positions lies between 0 and 1, such as 0.005.")
    values = [responses(network, layer, unit, image).ravel() for image in images]
    if not values:
        raise SceneLensError("a quantile needs images: none were given.")
    value = float(np.quantile(np.concatenate(values), 1 - share))
    return Threshold(value, f"top {share:.2%} of the positions of {len(values)} images")


def segment_unit(
    network: Network | nn.Module,
    rf: EmpiricalRF,
    image: np.ndarray,
    threshold: float | Threshold = 0.5,
    way: str = "receptive field",
) -> Segmentation:
    """Where a unit fires in an image.

    Parameters
    ----------
    network : the network that `rf` was estimated on.
    rf : the unit's empirical receptive field, which also says which unit it is.
    image : uint8 RGB (h, w, 3).
    threshold : a share of the unit's peak over the images of `rf`, or a `Threshold` (see `top_quantile`).
    way : 'receptive field', the paper's: the union of the unit's field, ``rf.mask``, centred at every
        position above the threshold; 'bilinear', Network Dissection's: the responses interpolated to pixels,
        and those above the threshold.

    Returns
    -------
    Segmentation : `.mask` (H, W) bool, and what it was made with.

    Raises
    ------
    SceneLensError : a way or threshold there is not, a unit without a receptive field.

    Notes
    -----
    Section 3.2, Figure 5. A position whose response is 0 never fires, whatever the threshold. With
    'bilinear' a position's response stands at its theoretical centre; pixels beyond the outermost centres
    take the nearest one's value.

    Examples
    --------
    >>> import torch
    >>> from scenelens.receptive_fields.estimate import estimate_rf
    >>> net = nn.Sequential(nn.Conv2d(1, 1, 3, bias=False))
    >>> _ = nn.init.ones_(net[0].weight)
    >>> image = torch.zeros(1, 15, 15)
    >>> image[0, 4, 6] = 1.0
    >>> rf = estimate_rf(net, "0", 0, [image], n_images=1, occluder=np.zeros((1, 1, 1)), stride=1)
    >>> segment_unit(net, rf, image, threshold=0.5, way="bilinear").mask.sum()
    np.int64(9)
    """
    if way not in WAYS:
        raise SceneLensError(f"no way of segmenting named {way!r}; {close_names(way, WAYS)}.")
    if not len(rf.peaks) or (way == WAYS[0] and math.isnan(rf.size)):
        raise SceneLensError(f"there is nothing to segment with: {rf.reason}.")
    if not isinstance(threshold, Threshold):
        threshold = share_of_peak(threshold, float(rf.peaks.max()))
    values = responses(network, rf.layer, rf.unit, image)
    fires = (values >= threshold.value) & (values > 0)
    if way == WAYS[0]:
        mask = union_of_fields(rf, fires)
    else:
        axes = rf.theoretical.grid.axes(values.shape, rf.input_size)
        pixels = interpolate(values, axes)
        mask = (pixels >= threshold.value) & (pixels > 0)
    return Segmentation(mask, threshold, way, int(fires.sum()), float(values.max()))


def union_of_fields(rf: EmpiricalRF, fires: np.ndarray) -> np.ndarray:
    """The unit's field at every position that fires; what lies beyond the image is cut off.

    Parameters
    ----------
    fires : (h, w) bool, positions of the layer's map.

    Returns
    -------
    (H, W) bool, pixels of the frame.
    """
    mask = np.zeros(rf.input_size, bool)
    rows, columns = (np.flatnonzero(rf.mask.any(axis)) for axis in (1, 0))
    field = rf.mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    corner = np.array([rows[0], columns[0]]) - (np.array(rf.input_size) - 1) / 2
    for place in np.argwhere(fires):
        top, left = np.floor(rf.theoretical.center(*place) + corner + 0.5).astype(int)
        _stamp(mask, field, top, left)
    return mask


def _stamp(mask: np.ndarray, field: np.ndarray, top: int, left: int) -> None:
    down, across = max(0, -top), max(0, -left)
    part = mask[max(0, top) : max(0, top + field.shape[0]), max(0, left) : max(0, left + field.shape[1])]
    part |= field[down : down + part.shape[0], across : across + part.shape[1]]
