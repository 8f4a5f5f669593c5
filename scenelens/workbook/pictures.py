"""From arrays to images: maps as colours, maps enlarged to their frame, masked images.

Figures and widgets of several sections use these functions. None of them runs a network.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from matplotlib import colormaps

from scenelens.errors import SceneLensError

_COLORS = "magma"  # lightness grows evenly, so it is clear in grey and for every kind of colour vision
_DIM = 0.25  # share of an image's brightness that is left outside a mask


def heat(values: np.ndarray, top: float | None = None) -> np.ndarray:
    """A map as colours, from dark (0) to light (the maximum).

    Parameters
    ----------
    values : numpy.ndarray
        (h, w), float; NaN where the value is unknown.
    top : float, optional
        The value of the lightest colour; by default the map's maximum.

    Returns
    -------
    numpy.ndarray
        uint8 RGB, (h, w, 3); grey where the value is unknown.

    Examples
    --------
    >>> heat(np.array([[0.0, 1.0, np.nan]]))[0].tolist()
    [[0, 0, 3], [251, 252, 191], [128, 128, 128]]
    """
    known = ~np.isnan(values)
    top = float(values[known].max()) if top is None and known.any() else (top or 0.0)
    scaled = np.clip(np.nan_to_num(values) / top, 0, 1) if top > 0 else np.zeros(values.shape)
    colors = _table()[np.rint(scaled * 255).astype(int)]
    colors[~known] = 128
    return colors


@cache
def _table() -> np.ndarray:
    return (colormaps[_COLORS](np.arange(256))[:, :3] * 255).astype(np.uint8)


def map_in_frame(
    values: np.ndarray, frame: tuple[int, int], occluder: tuple[int, int], stride: int
) -> np.ndarray:
    """A discrepancy map enlarged to the pixels of its frame.

    Parameters
    ----------
    values : numpy.ndarray
        (n_y, n_x): one value per position of the occluder.
    frame : tuple of int
        (H, W) of the frame.
    occluder : tuple of int
        (height, width) of the occluder in pixels.
    stride : int
        Pixels from one position of the occluder to the next.

    Returns
    -------
    numpy.ndarray
        (H, W), float32: each pixel has the value of the nearest occluder centre; NaN along the edges, where
        there is no centre within one stride.

    Examples
    --------
    >>> map_in_frame(np.array([[1.0, 2.0]]), (3, 9), (3, 3), 3)[1].tolist()
    [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, nan, nan, nan]
    """
    picture = np.full(frame, np.nan, np.float32)
    corner = [(side - 1) // 2 - stride // 2 for side in occluder]
    large = np.asarray(values, np.float32).repeat(stride, 0).repeat(stride, 1)
    from_y, from_x = (max(0, -c) for c in corner)
    top, left = (max(0, c) for c in corner)
    part = picture[top : top + large.shape[0] - from_y, left : left + large.shape[1] - from_x]
    part[:] = large[from_y : from_y + part.shape[0], from_x : from_x + part.shape[1]]
    return picture


def dimmed(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """An image that is dark outside a mask.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB, (H, W, 3).
    mask : numpy.ndarray
        bool, (H, W): True where the image stays as it is.

    Returns
    -------
    numpy.ndarray
        uint8 RGB, (H, W, 3).

    Raises
    ------
    SceneLensError
        If the sizes differ.

    Examples
    --------
    >>> dimmed(np.full((1, 2, 3), 200, np.uint8), np.array([[True, False]]))[0, :, 0].tolist()
    [200, 50]
    """
    if image.shape[:2] != mask.shape:
        raise SceneLensError(
            f"the mask is {mask.shape} and the image {image.shape[:2]}; they must have one size."
        )
    return np.where(mask[..., None], image, np.rint(image * _DIM)).astype(np.uint8)
