"""Images that are certainly those whose digests are in an index's key, also if a file changes meanwhile.

A file may be replaced while an index is built, and put back before the end. Its row would then be wrong for
good, under a key that looks right. The size, the identity and both time stamps of a file, before and after it
is read, show that nobody touched it since its digest was taken; this costs a few microseconds. Otherwise the
file is read, and its digest is compared.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from scenelens.errors import SceneLensError

_TRIES = 3


class ImageChangedError(Exception):
    """An image is not the one in the key. No SceneLensError: it must not count as unreadable."""


class ImageSource:
    """Loads images, and notices those that changed since their digests were taken.

    Parameters
    ----------
    ids : iterable of str
        The images' ids.
    paths : iterable of str or pathlib.Path
        Their files.
    load : callable
        From an id to uint8 RGB, (H, W, 3).
    """

    def __init__(
        self, ids: Iterable[str], paths: Iterable[str | Path], load: Callable[[str], np.ndarray]
    ) -> None:
        self._paths = {str(image): str(path) for image, path in zip(ids, paths, strict=True)}
        # Before the digests are taken: a change while they are taken shows, too.
        self._stamps = {image: _stamp(path) for image, path in self._paths.items()}
        self._load = load
        self._digests: dict[str, str] = {}

    def expect(self, digests: Sequence[tuple[str, str]]) -> None:
        """Take the digests that the images must have.

        Parameters
        ----------
        digests : sequence of tuple of str
            (image id, digest); see `scenelens.caches.image_digests`.
        """
        self._digests = dict(digests)

    def load(self, image: str) -> np.ndarray:
        """Load one image.

        Parameters
        ----------
        image : str
            Its id.

        Returns
        -------
        numpy.ndarray
            uint8 RGB, (H, W, 3).

        Raises
        ------
        SceneLensError
            If the image cannot be read.
        OSError
            If the image cannot be read.
        ImageChangedError
            If it is not the image whose digest was taken, and also not after a few tries.
        """
        for _ in range(_TRIES):
            before = _stamp(self._paths[image])
            failure = None
            try:
                picture = self._load(image)
            except (SceneLensError, OSError) as error:
                failure = error
            if self._is_expected(image, before, failure):
                if failure is not None:
                    raise failure
                return picture
        raise ImageChangedError(image)

    def _is_expected(self, image: str, before: tuple[int, ...], failure: Exception | None) -> bool:
        path = self._paths[image]
        if before != _stamp(path):
            return False
        # A failure may have another cause than the file, such as a network drive that is away for a moment.
        if before == self._stamps[image] and failure is None:
            return True
        return _digest(path) == self._digests[image] and before == _stamp(path)


def _stamp(path: str) -> tuple[int, ...]:
    try:
        stat = os.stat(path)
    except OSError:
        return ()
    # The time of the last change of the file's entry (ctime) cannot be set by programs, unlike mtime.
    return stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns


def _digest(path: str) -> str:
    try:
        if not os.path.isfile(path):  # reading a pipe would wait for ever
            return "missing"
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "missing"
