"""What figures and widgets of section 3.2 show of a field: heat over an image, patches, what a unit sees.

Plain functions from arrays to pictures; nothing here runs a network.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from matplotlib import colormaps

from scenelens.errors import SceneLensError

HEAT = "magma"  # even in lightness, so it reads in grey and to every kind of colour vision
DIM = 0.25  # what is left of a picture's light outside a mask


def heat(values: np.ndarray, top: float | None = None) -> np.ndarray:
    """A map (h, w) as colours, uint8 RGB (h, w, 3): 0 dark, `top` (the map's maximum) light; unknown grey.

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
    return (colormaps[HEAT](np.arange(256))[:, :3] * 255).astype(np.uint8)


def map_in_frame(
    values: np.ndarray, frame: tuple[int, int], occluder: tuple[int, int], stride: int
) -> np.ndarray:
    """A discrepancy map (n_y, n_x) at the pixels of the frame, float32 (H, W): each occluder's centre gives
    its value to the pixels nearest to it; NaN along the edges, where no centre comes.

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


def over(image: np.ndarray, values: np.ndarray, strength: float = 0.85) -> np.ndarray:
    """A map (H, W) laid over an image of that size: the higher the value, the more of its colour, the rest in
    grey, dimmed. uint8 RGB (H, W, 3).

    Raises
    ------
    SceneLensError : sizes that differ.
    """
    if image.shape[:2] != values.shape:
        raise SceneLensError(f"a map of {values.shape} does not lie on an image of {image.shape[:2]}.")
    grey = image.mean(axis=2, keepdims=True).repeat(3, 2) * 0.6
    top = np.nanmax(values) if not np.isnan(values).all() else 0.0
    share = np.nan_to_num(values / top) if top > 0 else np.zeros(values.shape)
    weight = (strength * np.sqrt(np.clip(share, 0, 1)))[..., None]
    colors = heat(np.nan_to_num(values), float(top))
    return np.rint(grey * (1 - weight) + colors * weight).astype(np.uint8)


def dimmed(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """An image with only what lies inside a mask (H, W) bool in full light. uint8 RGB (H, W, 3).

    Examples
    --------
    >>> dimmed(np.full((1, 2, 3), 200, np.uint8), np.array([[True, False]]))[0, :, 0].tolist()
    [200, 50]
    """
    if image.shape[:2] != mask.shape:
        raise SceneLensError(f"a mask of {mask.shape} does not lie on an image of {image.shape[:2]}.")
    return np.where(mask[..., None], image, np.rint(image * DIM)).astype(np.uint8)


def patch(image: np.ndarray, center: tuple[float, float], side: float) -> np.ndarray:
    """The square of an image around a centre (row, col); white where it reaches beyond the image.

    Parameters
    ----------
    side : pixels, at least 8 are shown.

    Examples
    --------
    >>> patch(np.zeros((20, 20, 3), np.uint8), (0, 10), 9)[:, :, 0].mean(axis=1).tolist()
    [255.0, 255.0, 255.0, 255.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    n = max(8, round(side)) if side == side else 8
    top, left = (round(c - (n - 1) / 2) for c in center)
    page = np.full((n, n, 3), 255, np.uint8)
    rows, columns = (
        slice(max(0, at), max(0, min(length, at + n)))
        for at, length in ((top, image.shape[0]), (left, image.shape[1]))
    )
    part = image[rows, columns]
    page[
        rows.start - top : rows.start - top + part.shape[0],
        columns.start - left : columns.start - left + part.shape[1],
    ] = part
    return page
