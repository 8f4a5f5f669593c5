"""Where in an image a unit is active, in pixels (Figure 5 of the paper).

A unit's responses lie on its layer's coarse map. The paper brings them to pixels with the unit's own
empirical receptive field, placed at every position above a threshold. Network Dissection later used bilinear
interpolation, which needs no receptive field but ignores how large it is. Both are here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from scenelens.errors import CannotAnswerError, SceneLensError, close_names
from scenelens.installation import HERE
from scenelens.networks import Network, interpolate, responses
from scenelens.receptive_fields.atlas import Atlas
from scenelens.receptive_fields.field import EmpiricalRF
from scenelens.sentences import percent
from scenelens.studies import top_images

_WAYS = ("receptive field", "bilinear")


@dataclass(frozen=True)
class _Segmentation:
    """Where a unit is active in one image.

    Attributes
    ----------
    mask : numpy.ndarray
        bool (H, W), in pixels of the image as the network sees it; ``np.asarray`` of the whole gives it too.
    level : float
        The response from which the unit is active, in the layer's own units.
    rule : str
        How the level was chosen, in words.
    way : str
        'receptive field' or 'bilinear'.
    positions : int
        At how many positions of the layer's map the unit is active.
    peak : float
        The unit's highest response in this image.
    """

    mask: np.ndarray
    level: float
    rule: str
    way: str
    positions: int
    peak: float

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.mask, dtype=dtype)

    def __str__(self) -> str:
        share = 100 * self.mask.mean()
        return f"{share:.1f}% of the image; {self.rule} (response >= {self.level:.3g}); {self.way}"


def segment_unit(
    network: Network | nn.Module,
    rf: EmpiricalRF,
    image: np.ndarray,
    threshold: float = 0.5,
    way: str = "receptive field",
    *,
    level: float | None = None,
) -> _Segmentation:
    """Find where a unit is active in an image.

    Parameters
    ----------
    network : Network or torch.nn.Module
        The network that `rf` was estimated on.
    rf : EmpiricalRF
        The unit's empirical receptive field, which also says which unit it is.
    image : numpy.ndarray
        uint8 RGB (h, w, 3).
    threshold : float, optional
        A share of the unit's peak over the images of `rf`, above 0 and at most 1 (default 0.5).
    way : str, optional
        'receptive field' (default), the paper's way: the union of the unit's field, ``rf.mask``, centred at
        every position above the threshold. 'bilinear', Network Dissection's way: the responses interpolated
        to pixels, and those above the threshold.
    level : float, optional
        The response from which the unit counts as active, in place of `threshold`.

    Returns
    -------
    _Segmentation
        ``.mask`` (H, W) bool, and what it was made with.

    Raises
    ------
    SceneLensError
        If `way` or `threshold` is unknown or out of range, or the unit has no receptive field.

    Notes
    -----
    Section 3.2, Figure 5. A unit is never active at a position whose response is 0, whatever the threshold.
    With 'bilinear' a position's response lies at its theoretical centre; pixels beyond the outermost centres
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
    if way not in _WAYS:
        raise SceneLensError(f"unknown way={way!r}; {close_names(way, _WAYS)}.")
    if not len(rf.peaks) or (way == _WAYS[0] and math.isnan(rf.size)):
        raise SceneLensError(f"a unit without a receptive field cannot be segmented: {rf.reason}.")
    rule = "as given"
    if level is None:
        if not 0 < threshold <= 1:
            text = "a share of the peak is above 0 and at most 1, such as 0.5."
            raise SceneLensError(f"threshold={threshold}: {text}")
        peak = float(rf.peaks.max())
        level, rule = threshold * peak, f"{percent(threshold)} of the unit's peak {peak:.3g} over its images"
    values = responses(network, rf.layer, rf.unit, image)
    active = (values >= level) & (values > 0)
    if way == _WAYS[0]:
        mask = rf.placed_at(active)
    else:
        pixels = interpolate(values, rf.theoretical.grid.axes(values.shape, rf.input_size))
        mask = (pixels >= level) & (pixels > 0)
    return _Segmentation(mask, level, rule, way, int(active.sum()), float(values.max()))


def segment_examples(atlas: Atlas, n: int = 4, threshold: float = 0.5) -> pd.DataFrame:
    """Segment the top images of one unit of each layer of each network, for Figure 5.

    Parameters
    ----------
    atlas : Atlas
        The atlas of a study. Of each layer the first unit that has a field is taken, in random order.
    n : int, optional
        Top images per unit.
    threshold : float, optional
        A share of the unit's peak over the images of its field (default 0.5).

    Returns
    -------
    pandas.DataFrame
        One row per image: ``network``, ``depth``, ``layer``, ``unit``, ``image`` (its id), ``threshold``,
        ``frame`` (uint8 (H, W, 3), as the network sees it) and ``mask`` (bool (H, W)).

    Raises
    ------
    SceneLensError
        If no unit has been measured yet.
    """
    rows = []
    for depth, network, layer in atlas.layers():
        part = atlas.parts[network]
        fields = [field for field in part.sample(layer) if not field.reason]
        for field in fields[:1]:
            about = {"network": network, "depth": depth, "layer": layer, "unit": field.unit}
            for top in top_images(atlas.study, network, layer, field.unit, n):
                image = atlas.study.load_image(top.image)
                mask = segment_unit(part.network, field, image, threshold).mask
                more = {"image": top.image, "threshold": threshold, "frame": top.frame, "mask": mask}
                rows.append(about | more)
    if not rows:
        raise CannotAnswerError(
            f"no unit has a receptive field yet: call atlas.grow(2), or run {HERE.call('atlas')}."
        )
    return pd.DataFrame(rows)
