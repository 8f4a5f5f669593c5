"""An image as the sum of its segments, in the gradient domain (section 3.1 of the paper).

Cutting a segment out and leaving a hole puts a new edge into the picture, to which networks respond. So a
segment is not painted over: the differences between its pixels are set to zero, and the picture that has the
remaining differences is found. Where a segment was, its surroundings flow together smoothly.

Finding that picture is a Poisson equation with Neumann borders, which the cosine transform solves at once.
And it is linear: every segment has a picture of its own, its basis, and an image is its mean colour plus the
sum of its segments' bases. They are solved for once; after that, removing a segment is a subtraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numba import njit
from scipy.fft import dct
from scipy.ndimage import find_objects

from scenelens.errors import SceneLensError
from scenelens.networks import checked_image


def forward_differences(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much the next pixel is brighter, downwards and to the right.

    Parameters
    ----------
    image : (H, W) or (H, W, C), any numbers.

    Returns
    -------
    (down, right), float64 of the image's shape; the last row of `down` and the last column of `right` are 0.

    Examples
    --------
    >>> down, right = forward_differences(np.array([[1, 2], [4, 8]]))
    >>> down.tolist(), right.tolist()
    ([[3.0, 6.0], [0.0, 0.0]], [[1.0, 0.0], [4.0, 0.0]])
    """
    values = np.asarray(image, dtype=np.float64)
    down, right = np.zeros_like(values), np.zeros_like(values)
    np.subtract(values[1:], values[:-1], out=down[:-1])
    np.subtract(values[:, 1:], values[:, :-1], out=right[:, :-1])
    return down, right


def integrate(down: np.ndarray, right: np.ndarray, mean: float | np.ndarray = 0.0) -> np.ndarray:
    """The picture whose forward differences come nearest to the given ones, in the sense of least squares.

    Parameters
    ----------
    down, right : (H, W) or (H, W, C), as `forward_differences` gives them; they need not fit together.
    mean : the picture's mean, a number or one for each channel: differences do not tell it.

    Returns
    -------
    float64 of the same shape; not clipped to 0..255.

    Raises
    ------
    SceneLensError : the two have different shapes.

    Examples
    --------
    >>> image = np.array([[1.0, 2, 3], [4, 8, 5]])
    >>> integrate(*forward_differences(image), image.mean()).round(9).tolist()
    [[1.0, 2.0, 3.0], [4.0, 8.0, 5.0]]
    """
    down, right = np.asarray(down, float), np.asarray(right, float)
    if down.shape != right.shape or down.ndim not in (2, 3) or 0 in down.shape:
        raise SceneLensError(f"differences are two arrays of one shape; got {down.shape} and {right.shape}.")
    planes = [np.moveaxis(one.reshape(*one.shape[:2], -1), 2, 0) for one in (down, right)]
    found = _poisson(down.shape[:2]).solve(_adjoint(*planes))
    return np.moveaxis(found, 0, 2).reshape(down.shape) + mean


class _Poisson:
    """Least squares on a grid of one shape, with cosine transforms as matrices.

    At the sizes of networks' frames matrices are quicker than fast transforms, above all at the paper's 227
    pixels, a prime; and a small segment's forward transform needs only a few of their columns.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.rows, self.columns = (dct(np.eye(n), axis=0, norm="ortho") for n in shape)  # (frequency, pixel)
        by_row, by_column = (2 - 2 * np.cos(np.pi * np.arange(n) / n) for n in shape)
        eigenvalues = by_row[:, None] + by_column
        eigenvalues[0, 0] = np.inf  # the mean, which differences do not tell
        self.inverse = 1 / eigenvalues

    def solve(self, planes: np.ndarray, top: int = 0, left: int = 0) -> np.ndarray:
        """Right-hand sides (C, h, w), zero outside the box at (top, left) -> pictures (C, H, W) of mean 0."""
        rows = self.rows[:, top : top + planes.shape[1]]
        columns = self.columns[:, left : left + planes.shape[2]]
        spectrum = rows @ planes @ columns.T * self.inverse
        return self.rows.T @ spectrum @ self.columns


_poisson = lru_cache(maxsize=4)(_Poisson)


def _adjoint(down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The transposed differences (C, h, w): the right-hand side of the normal equations."""
    planes = -down - right
    planes[:, 1:] += down[:, :-1]
    planes[:, :, 1:] += right[:, :, :-1]
    return planes


class GradientBases:
    """One basis per segment: an image is its mean colour and the sum of its segments' bases.

    The bases are kept as whole numbers, small fractions of a grey level, so that sums are exact: a set of
    kept segments gives one and the same picture, bit for bit, in whatever order the others were removed.

    Parameters
    ----------
    image : uint8 RGB (H, W, 3).
    labels : int (H, W), which segment each pixel belongs to, 0 ... n - 1. A pixel's differences to its lower
        and to its right neighbour are its segment's.

    Attributes
    ----------
    means : (3,) float64, the image's mean colour, which every picture has before it is clipped.
    fixed : (n, 3, H, W) int32, the bases in steps of ``2 ** -shift`` grey levels.
    alive : (n,) bool; False for a segment without any difference, whose removal changes nothing.

    Raises
    ------
    SceneLensError : labels of another size or kind.

    Notes
    -----
    Section 3.1. 40 segments at 227 px take 25 MB. Pictures are clipped to 0..255 at the very end, when
    everything that is kept has been added up.

    Examples
    --------
    >>> image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    >>> bases = GradientBases(image, np.array([[0, 0, 1, 1]] * 4))
    >>> bool((bases.picture([True, True]) == image).all())
    True
    >>> bases.picture([False, False])[0, 0].tolist()  # the mean colour, halves rounded up
    [23, 24, 25]
    """

    def __init__(self, image: np.ndarray, labels: np.ndarray) -> None:
        image, labels = checked_image(image), np.asarray(labels)
        if labels.shape != image.shape[:2] or labels.dtype.kind not in "iu" or labels.min() < 0:
            raise SceneLensError(
                f"labels are whole numbers from 0 on, (H, W) = {image.shape[:2]} as the image's; "
                f"got {labels.dtype} {labels.shape}."
            )
        self.shape = image.shape[:2]
        self.means = image.mean((0, 1))
        bases = _bases(image, labels)
        reach = np.abs(bases).sum(0).max() + self.means.max() + 1  # no sum leaves it, whatever is kept
        self.shift = 30 - int(np.ceil(np.log2(reach)))
        self.fixed = np.rint(np.ldexp(bases, self.shift)).astype(np.int32)
        self.alive = self.fixed.any((1, 2, 3))
        self._flat = np.rint(np.ldexp(self.means, self.shift)).astype(np.int32)[:, None, None]

    def __len__(self) -> int:
        return len(self.fixed)

    def basis(self, segment: int) -> np.ndarray:
        """One segment's own picture in grey levels, float64 (H, W, 3) of mean 0."""
        return np.ldexp(self.fixed[segment].astype(float), -self.shift).transpose(1, 2, 0)

    def picture(self, kept: Sequence[bool] | np.ndarray) -> np.ndarray:
        """The image with only some segments, uint8 RGB (H, W, 3).

        Parameters
        ----------
        kept : (n,) bool.
        """
        return self.pictures(np.asarray(kept)[None])[0]

    def pictures(self, kept: np.ndarray) -> np.ndarray:
        """The image with several choices of segments: (N, n) bool -> uint8 RGB (N, H, W, 3)."""
        sums = np.stack([self._sum(one) for one in kept])
        nothing = np.zeros((1, 3, *self.shape), np.int32)
        found = [self._rounded(one, nothing, np.zeros(1, np.int64)) for one in sums]
        return np.concatenate(found)

    def without(self, kept: Sequence[bool] | np.ndarray, segments: np.ndarray) -> np.ndarray:
        """For each of some kept segments the picture without it too.

        Parameters
        ----------
        kept : (n,) bool. segments : (N,) numbers of segments, all of them kept.

        Returns
        -------
        uint8 RGB (N, H, W, 3), laid out in planes, as networks take it.
        """
        return self._rounded(self._sum(np.asarray(kept)), self.fixed, np.asarray(segments, np.int64))

    def _sum(self, kept: np.ndarray) -> np.ndarray:
        if kept.shape != (len(self),) or kept.dtype != bool:
            raise SceneLensError(
                f"kept says for each of {len(self)} segments True or False; got {kept.dtype} {kept.shape}."
            )
        total = np.zeros((3, *self.shape), np.int32) + self._flat
        for segment in np.flatnonzero(kept):
            total += self.fixed[segment]
        return total

    def _rounded(self, total: np.ndarray, bases: np.ndarray, which: np.ndarray) -> np.ndarray:
        planes = np.empty((len(which), *total.shape), np.uint8)
        flat = total.ravel(), bases.reshape(len(bases), -1)
        _subtract(*flat, which, self.shift, planes.reshape(len(which), -1))
        return planes.transpose(0, 2, 3, 1)


@njit(cache=True, nogil=True)
def _subtract(total: np.ndarray, bases: np.ndarray, which: np.ndarray, shift: int, out: np.ndarray) -> None:
    """out[n] = total - bases[which[n]], rounded to grey levels and clipped to 0..255; all (..., pixels)."""
    half = np.int32(1 << (shift - 1))
    for n in range(len(which)):
        basis, picture = bases[which[n]], out[n]
        for i in range(len(total)):
            value = (total[i] - basis[i] + half) >> shift
            picture[i] = min(max(value, 0), 255)


def _bases(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """One picture per segment, float64 (n, 3, H, W); only the box around a segment is transformed."""
    down, right = (np.moveaxis(one, 2, 0) for one in forward_differences(image))
    solver = _poisson(labels.shape)
    boxes = find_objects(labels + 1)
    bases = np.zeros((len(boxes), 3, *labels.shape))
    for segment, box in enumerate(boxes):
        if box is not None:
            wider = tuple(slice(side.start, side.stop + 1) for side in box)  # a difference touches two pixels
            own = labels[wider] == segment
            planes = _adjoint(down[(slice(None), *wider)] * own, right[(slice(None), *wider)] * own)
            bases[segment] = solver.solve(planes, wider[0].start, wider[1].start)
    return bases
