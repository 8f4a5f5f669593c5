"""The files that annotations come from: read whole, within limits, and only where they are files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

from scenelens.errors import SceneLensError
from scenelens.images import ImageFrame, load_mask

_MOST_BYTES = 16 << 20  # of a text file of outlines or names: 250,000 points with all their digits
_MOST_PIXELS = 50_000_000  # of a mask: reading it takes about 12 bytes for each


class SourceFile:
    """One file of outlines, names or a mask, which may be missing, damaged or no file at all.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path

    def read(self) -> bytes:
        """The content of an annotation's file.

        Returns
        -------
        bytes
            Its content, at most 16 MB.

        Raises
        ------
        SceneLensError
            If there is no such file, it cannot be read, or it is too large.
        """
        path = Path(self.path)
        try:
            _check_regular(path)
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
            reason = getattr(error, "strerror", None) or error
            raise SceneLensError(
                f"{path} cannot be read ({reason}); check the path to the annotation."
            ) from None
        if len(content) > _MOST_BYTES:
            raise SceneLensError(
                f"{path} has more than {_MOST_BYTES >> 20} MB, too much for one photograph's annotation; "
                "split it or leave it out."
            )
        return content

    def stamp(self) -> tuple[int, int]:
        """What tells cheaply whether a file was changed.

        Returns
        -------
        tuple of int
            Its size in bytes and the time of its last change in ns; (-1, -1) for a missing file.
        """
        try:
            found = os.stat(self.path)
        except (OSError, ValueError):
            return -1, -1
        return found.st_size, found.st_mtime_ns

    def digest(self) -> bytes | None:
        """The SHA-256 of a file of any length.

        Returns
        -------
        bytes or None
            32 bytes; None where the file is missing, is not a file, or cannot be read.
        """
        try:
            _check_regular(Path(self.path))
            with open(self.path, "rb") as file:
                return hashlib.file_digest(file, "sha256").digest()
        except (OSError, ValueError):
            return None

    def mask_size(self, photograph: ImageFrame) -> tuple[int, int]:
        """A mask's size, from the header of its file alone, where it fits its photograph.

        Parameters
        ----------
        photograph : ImageFrame
            The size and orientation of the photograph.

        Returns
        -------
        tuple of int
            (H, W) in pixels, turned as the photograph is.

        Raises
        ------
        SceneLensError
            If it is not an image, has more than 50 million pixels, or has another shape than the photograph.
            A mask of another scale will do.
        """
        own, shown = ImageFrame.of(self.path), photograph.size
        # `load_mask` turns a mask without a tag of its own as it turns the photograph.
        turns = own.orientation == 1 and photograph.belongs_to_stored(own.stored)
        size = ImageFrame(own.stored, photograph.orientation).size if turns else own.size
        if size[0] * size[1] > _MOST_PIXELS:
            raise SceneLensError(
                f"{self.path} has {size[0]} x {size[1]} pixels, more than {_MOST_PIXELS:,}; scale it and its "
                "photograph down."
            )
        if not _same_shape(size, shown):
            raise SceneLensError(
                f"{self.path} has {size[0]} x {size[1]} pixels and its photograph {shown[0]} x {shown[1]}, "
                "which is another shape (rows x columns); make the mask anew or leave it out."
            )
        return size

    def mask(self, photograph: ImageFrame, colours: bool = False) -> np.ndarray:
        """A mask that fits its photograph.

        Parameters
        ----------
        photograph : ImageFrame
            The size and orientation of the photograph.
        colours : bool, optional
            True reads colours, False (default) codes; see `scenelens.images.load_mask`.

        Returns
        -------
        numpy.ndarray
            uint8 RGB (H, W, 3), or int32 codes (H, W), of the mask's own size.

        Raises
        ------
        SceneLensError
            If it cannot be read or does not fit; see `mask_size`.
        """
        self.mask_size(photograph)  # before anything is decoded: a small file can have billions of pixels
        return load_mask(self.path, photograph, colours)


def _check_regular(path: Path) -> None:
    """Refuse what is not a file. Opening a pipe would wait for ever, and a device has no end."""
    if path.exists() and not path.is_file():
        raise OSError(0, "not a file")


def _same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one is the other scaled: the sides are in proportion within a pixel.

    >>> _same_shape((4, 6), (400, 601)), _same_shape((4, 6), (6, 4))
    (True, False)
    """
    small, large = sorted((size, other))
    scale = large[1] / small[1]
    return abs(small[0] * scale - large[0]) < scale or size == other
