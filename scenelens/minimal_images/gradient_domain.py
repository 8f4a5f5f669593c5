"""An image as the sum of its segments, in the gradient domain (section 3.1 of the paper).

A segment that is cut out leaves a hole, and the border of the hole is a new edge, to which networks respond.
So a segment is not painted over. Instead the differences between its neighbouring pixels are set to zero, and
the image whose differences come nearest to the remaining ones is computed. Where the segment was, its
surroundings then blend smoothly.

That image solves a Poisson equation with Neumann borders: nothing is known about pixels beyond the image, so
no difference across its border counts. Two facts make the solution cheap.

- Cosine waves are the eigenvectors of this equation on a rectangle. A discrete cosine transform (DCT)
  therefore solves it directly: transform, divide by the eigenvalues, transform back.
- The equation is linear, so the solution for a sum of differences is the sum of the solutions. The equation
  is solved once for the differences of each segment. The solution is called the segment's basis. Any choice
  of segments is the mean colour of the image plus the sum of their bases; removing one more is a subtraction.

The search for a minimal image looks at hundreds of choices of segments, so the second fact is what makes it
take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numba import njit
from scipy.fft import dct
from scipy.ndimage import find_objects

from scenelens.errors import SceneLensError
from scenelens.networks import Preprocessing


class _GradientBases:
    """One basis per segment: an image is its mean colour plus the sum of the bases of its segments.

    Parameters
    ----------
    image : numpy.ndarray
        uint8 RGB (H, W, 3).
    segment_map : numpy.ndarray
        int (H, W), the number 0 ... n - 1 of the segment that each pixel belongs to. The differences between
        a pixel and its lower and right neighbours belong to the segment of that pixel.

    Attributes
    ----------
    shape : tuple of int
        (H, W) in pixels.
    means : numpy.ndarray
        (3,) float64, the mean colour of the image, which every picture has before it is clipped.
    fixed_point : numpy.ndarray
        (n, 3, H, W) int32, the bases in steps of ``2 ** -shift`` grey levels.
    shift : int
        Number of binary digits after the point in `fixed_point`.
    has_gradient : numpy.ndarray
        (n,) bool; False for a segment without any difference, whose removal changes nothing.

    Raises
    ------
    SceneLensError
        If the segment map has another size than the image, or does not hold whole numbers from 0 on.

    Notes
    -----
    Section 3.1. The bases of 40 segments at 227 px take 25 MB. Pictures are clipped to 0..255 at the very
    end, when everything that is kept has been added up.

    Examples
    --------
    >>> image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    >>> bases = _GradientBases(image, np.array([[0, 0, 1, 1]] * 4))
    >>> bool((bases.picture([True, True]) == image).all())
    True
    >>> bases.picture([False, False])[0, 0].tolist()  # the mean colour, halves rounded up
    [23, 24, 25]
    """

    @staticmethod
    def forward_differences(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return by how much the next pixel is brighter, downwards and to the right.

        Parameters
        ----------
        image : numpy.ndarray
            (H, W) or (H, W, C), any numbers.

        Returns
        -------
        down : numpy.ndarray
            float64 of the image's shape: the pixel below minus the pixel itself; 0 in the last row.
        right : numpy.ndarray
            float64 of the image's shape: the pixel to the right minus the pixel itself; 0 in the last column.

        Examples
        --------
        >>> down, right = _GradientBases.forward_differences(np.array([[1, 2], [4, 8]]))
        >>> down.tolist(), right.tolist()
        ([[3.0, 6.0], [0.0, 0.0]], [[1.0, 0.0], [4.0, 0.0]])
        """
        values = np.asarray(image, dtype=np.float64)
        down, right = np.zeros_like(values), np.zeros_like(values)
        np.subtract(values[1:], values[:-1], out=down[:-1])
        np.subtract(values[:, 1:], values[:, :-1], out=right[:, :-1])
        return down, right

    def __init__(self, image: np.ndarray, segment_map: np.ndarray) -> None:
        image, segment_map = Preprocessing.checked_image(image), np.asarray(segment_map)
        wanted, kind = image.shape[:2], segment_map.dtype.kind
        if segment_map.shape != wanted or kind not in "iu" or segment_map.min() < 0:
            raise SceneLensError(
                f"segment numbers are whole numbers from 0 on, (H, W) = {wanted} like the image; "
                f"got {segment_map.dtype} {segment_map.shape}."
            )
        self.shape = wanted
        self.means = image.mean((0, 1))
        bases = _bases(image, segment_map)
        # The bases are stored as fixed-point integers because sums of integers are exact. A set of segments
        # then gives the same picture bit for bit, in whatever order the others were removed; with floats, the
        # order of the additions would change last digits, and so the scores of a search.
        # No partial sum can exceed the sum of all absolute values. The point is placed so that this sum still
        # fits into 31 bits; the 1 leaves room for rounding.
        largest = np.abs(bases).sum(0).max() + self.means.max() + 1
        self.shift = 30 - int(np.ceil(np.log2(largest)))
        self.fixed_point = np.rint(np.ldexp(bases, self.shift)).astype(np.int32)
        self.has_gradient = self.fixed_point.any((1, 2, 3))
        self._mean_plane = np.rint(np.ldexp(self.means, self.shift)).astype(np.int32)[:, None, None]

    def __len__(self) -> int:
        return len(self.fixed_point)

    def picture(self, kept: Sequence[bool] | np.ndarray) -> np.ndarray:
        """Return the image with only some of its segments.

        Parameters
        ----------
        kept : sequence of bool
            (n,), which segments are kept.

        Returns
        -------
        numpy.ndarray
            uint8 RGB (H, W, 3).
        """
        return self.pictures(np.asarray(kept)[None])[0]

    def pictures(self, kept: np.ndarray) -> np.ndarray:
        """Return the image with several choices of its segments.

        Parameters
        ----------
        kept : numpy.ndarray
            (N, n) bool, one choice per row.

        Returns
        -------
        numpy.ndarray
            uint8 RGB (N, H, W, 3).
        """
        nothing = np.zeros((1, 3, *self.shape), np.int32)
        found = [self._rounded(self._sum(one), nothing, np.zeros(1, np.int64)) for one in kept]
        return np.concatenate(found)

    def without(self, kept: Sequence[bool] | np.ndarray, segments: np.ndarray) -> np.ndarray:
        """Return one picture per candidate: the kept segments without that candidate.

        Parameters
        ----------
        kept : sequence of bool
            (n,), which segments are kept.
        segments : numpy.ndarray
            (N,) the numbers of the candidates, all of them among the kept segments.

        Returns
        -------
        numpy.ndarray
            uint8 RGB (N, H, W, 3), a view of planes (N, 3, H, W), the order in which networks take them.
        """
        # The sum over the kept segments is formed once. Each candidate then costs one subtraction.
        return self._rounded(self._sum(np.asarray(kept)), self.fixed_point, np.asarray(segments, np.int64))

    def _sum(self, kept: np.ndarray) -> np.ndarray:
        if kept.shape != (len(self),) or kept.dtype != bool:
            raise SceneLensError(
                f"kept says for each of {len(self)} segments True or False; got {kept.dtype} {kept.shape}."
            )
        total = np.zeros((3, *self.shape), np.int32) + self._mean_plane
        for segment in np.flatnonzero(kept):
            total += self.fixed_point[segment]
        return total

    def _rounded(self, total: np.ndarray, bases: np.ndarray, which: np.ndarray) -> np.ndarray:
        planes = np.empty((len(which), *total.shape), np.uint8)
        flat = total.ravel(), bases.reshape(len(bases), -1)
        _subtract(*flat, which, self.shift, planes.reshape(len(which), -1))
        return planes.transpose(0, 2, 3, 1)


# Compiled, because NumPy would write an array of a batch's size for each of subtraction, rounding, clipping
# and conversion. One pass over the pixels takes 0.9 ms for 32 pictures of 227 px, where NumPy takes 29 ms.
@njit(cache=True, nogil=True)
def _subtract(total: np.ndarray, bases: np.ndarray, which: np.ndarray, shift: int, out: np.ndarray) -> None:
    """out[n] = total - bases[which[n]], rounded to grey levels and clipped to 0..255; all (..., pixels)."""
    half = np.int32(1 << (shift - 1))  # added before the shift, which rounds down: halves are rounded up
    for n in range(len(which)):
        basis, picture = bases[which[n]], out[n]
        for i in range(len(total)):
            value = (total[i] - basis[i] + half) >> shift
            picture[i] = min(max(value, 0), 255)


def _bases(image: np.ndarray, segment_map: np.ndarray) -> np.ndarray:
    """Return the basis of each segment, float64 (n, 3, H, W), in grey levels, of mean 0."""
    down, right = (np.moveaxis(one, 2, 0) for one in _GradientBases.forward_differences(image))
    boxes = find_objects(segment_map + 1)  # which skips 0
    bases = np.zeros((len(boxes), 3, *segment_map.shape))
    for segment, box in enumerate(boxes):
        if box is None:  # a number that no pixel has: its basis stays 0
            continue
        # Only the box around a segment is transformed: outside it the right-hand side is 0. The box is one
        # pixel wider below and to the right, because a difference touches two pixels.
        wider = tuple(slice(side.start, side.stop + 1) for side in box)
        own = segment_map[wider] == segment
        planes = _adjoint(down[(slice(None), *wider)] * own, right[(slice(None), *wider)] * own)
        bases[segment] = _solve(planes, segment_map.shape, wider[0].start, wider[1].start)
    return bases


def _adjoint(down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Apply the transposed difference operator, (C, h, w).

    "Nearest to the given differences" means least squares. The normal equations of ``D x = d`` are
    ``D'D x = D'd``: D'D is the Laplacian with Neumann borders, and this is D'd, the right-hand side.
    """
    planes = -down - right
    planes[:, 1:] += down[:, :-1]
    planes[:, :, 1:] += right[:, :, :-1]
    return planes


def _solve(planes: np.ndarray, shape: tuple[int, int], top: int = 0, left: int = 0) -> np.ndarray:
    """Solve the Poisson equation for right-hand sides (C, h, w) that are 0 outside their box at (top, left).

    Returns pictures (C, H, W) of mean 0: differences do not determine the mean.
    """
    rows, columns, inverse = _cosine_waves(shape)
    # The forward transform needs only those columns of the matrices that meet the box.
    box_rows = rows[:, top : top + planes.shape[1]]
    box_columns = columns[:, left : left + planes.shape[2]]
    spectrum = box_rows @ planes @ box_columns.T * inverse
    return rows.T @ spectrum @ columns


@lru_cache(maxsize=4)
def _cosine_waves(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the cosine transforms of rows and columns as matrices, and the inverse eigenvalues.

    At the sizes of networks' frames, matrices are quicker than fast transforms: 227, the paper's size, is a
    prime, for which fast transforms are slow, and a small segment needs only a few columns (see `_solve`).
    """
    rows, columns = (dct(np.eye(n), axis=0, norm="ortho") for n in shape)  # (frequency, pixel)
    by_row, by_column = (2 - 2 * np.cos(np.pi * np.arange(n) / n) for n in shape)
    eigenvalues = by_row[:, None] + by_column
    # The constant wave has the eigenvalue 0. Its inverse is set to 0, which makes the mean of the solution 0.
    eigenvalues[0, 0] = np.inf
    return rows, columns, 1 / eigenvalues
