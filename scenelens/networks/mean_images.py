"""Mean images, which Caffe's networks subtract from every photograph: .binaryproto or .npy files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scenelens.errors import SceneLensError
from scenelens.networks.caffe import _CaffeFile


def _read_mean_image(path: str) -> np.ndarray:
    """A mean image: float32 (3, height, width), 0..255, in the file's order of channels."""
    mean = _CaffeFile(path).mean() if path.endswith(".binaryproto") else _read_npy(path)
    if mean.ndim != 3 or mean.shape[0] != 3 or 0 in mean.shape:
        raise SceneLensError(f"the mean image {path} has shape {mean.shape}; expected (3, height, width).")
    mean = mean.astype(np.float32)
    if not np.isfinite(mean).all():
        raise SceneLensError(f"the mean image {path} has numbers that are not finite; make it again.")
    return mean


def _read_npy(path: str) -> np.ndarray:
    if not Path(path).is_file():
        raise SceneLensError(f"there is no mean image {path}; check the path.")
    try:
        # Mapped, so that a header that states a huge array is compared with the file's length first.
        mean = np.load(path, allow_pickle=False, mmap_mode="r")
    except Exception as error:
        raise SceneLensError(
            f"{path} is not a whole .npy file; save the mean image by numpy.save."
        ) from error
    if not isinstance(mean, np.ndarray) or mean.dtype.kind not in "fiu":
        raise SceneLensError(f"{path} holds no array of numbers; save the mean image by numpy.save.")
    return mean
