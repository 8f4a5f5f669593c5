"""Images from their differences by fast cosine transforms, without the code of the package."""

from __future__ import annotations

import numpy as np
import scipy.fft

from scenelens.minimal_images.gradient_domain import _GradientBases


def integrate(down: np.ndarray, right: np.ndarray, mean: float | np.ndarray = 0.0) -> np.ndarray:
    """The image (H, W, C), of a given mean, whose forward differences come nearest to the given ones.

    >>> image = np.array([[[1.0], [2], [3]], [[4], [8], [5]]])
    >>> down, right = np.diff(image, axis=0, append=image[-1:]), np.diff(image, axis=1, append=image[:, -1:])
    >>> integrate(down, right, image.mean()).round(9)[..., 0].tolist()
    [[1.0, 2.0, 3.0], [4.0, 8.0, 5.0]]
    """
    source = np.diff(down, axis=0, prepend=0) + np.diff(right, axis=1, prepend=0)
    spectrum = scipy.fft.dctn(source, axes=(0, 1))
    by_row, by_column = (2 * np.cos(np.pi * np.arange(n) / n) - 2 for n in source.shape[:2])
    eigenvalues = by_row[:, None] + by_column
    eigenvalues[0, 0] = np.inf
    return scipy.fft.idctn(spectrum / eigenvalues[..., None], axes=(0, 1)) + mean


def basis(bases: _GradientBases, segment: int) -> np.ndarray:
    """One segment's basis in grey levels, float64 (H, W, 3) of mean 0."""
    return np.ldexp(bases.fixed_point[segment].astype(float), -bases.shift).transpose(1, 2, 0)
