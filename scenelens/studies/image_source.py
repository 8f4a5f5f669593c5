"""Images that are certainly those whose digests are in an index's key, also if a file changes meanwhile.

A file may be replaced while an index is built, and put back before the end. Its row would then be wrong for
good, under a key that looks right. The size, the identity and both time stamps of a file, before and after it
is read, show that nobody touched it since its digest was taken; this costs a few microseconds. Otherwise the
file is read, and its digest is compared.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from scenelens.caches import keep, read_cached
from scenelens.errors import SceneLensError
from scenelens.unfinished import Unfinished

_TRIES = 3


class _ImageSource:
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

    class ChangedError(Exception):
        """An image is not the one in the key. No SceneLensError: it must not count as unreadable."""

    def __init__(
        self, ids: Iterable[str], paths: Iterable[str | Path], load: Callable[[str], np.ndarray]
    ) -> None:
        self._paths = {str(image): str(path) for image, path in zip(ids, paths, strict=True)}
        # Before the digests are taken: a change while they are taken shows, too.
        self._stamps = {image: Unfinished.stamp(path) for image, path in self._paths.items()}
        self._load = load
        self._digests: dict[str, str] = {}

    def expect(self, memory: Path) -> list[tuple[str, str]]:
        """Take the SHA-256 of every image file: what the images must be when they are loaded.

        Images count by what is in the files and not by their time stamps, so a copied folder or another
        checkout has the same digests. The time stamps only decide which files are read again.

        Parameters
        ----------
        memory : pathlib.Path
            A JSON file with the digests known so far: absolute path -> [size in bytes, time of the last
            change in ns, digest].

        Returns
        -------
        list of tuple
            (image id, digest) in the order of the images; the digest of a missing file is ``"missing"``.
        """
        known = read_cached(memory, _unpack_digests) or {}
        fresh: dict[str, list[Any]] = {}
        digests = []
        for image, path in self._paths.items():
            name = str(Path(path).absolute())
            fresh[name] = _stamped_digest(name, known.get(name))
            digests.append((image, fresh[name][2]))
        if any(known.get(name) != entry for name, entry in fresh.items()):
            keep(memory, json.dumps(known | fresh).encode())
        self._digests = dict(digests)
        return digests

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
        _ImageSource.ChangedError
            If it is not the image whose digest was taken, and also not after a few tries.
        """
        for _ in range(_TRIES):
            before = Unfinished.stamp(self._paths[image])
            failure = None
            try:
                picture = self._load(image)
            except (SceneLensError, OSError) as error:
                failure = error
            if self._is_expected(image, before, failure):
                if failure is not None:
                    raise failure
                return picture
        raise self.ChangedError(image)

    def _is_expected(self, image: str, before: tuple[int, ...], failure: Exception | None) -> bool:
        path = self._paths[image]
        if before != Unfinished.stamp(path):
            return False
        # A failure may have another cause than the file, such as a network drive that is away for a moment.
        if before == self._stamps[image] and failure is None:
            return True
        return _digest(path) == self._digests[image] and before == Unfinished.stamp(path)


def _unpack_digests(content: bytes) -> dict[str, list[Any]]:
    known = json.loads(content)
    if not isinstance(known, dict) or not all(isinstance(x, list) and len(x) == 3 for x in known.values()):
        raise ValueError("not a list of digests")
    return known


def _stamped_digest(name: str, known: list[Any] | None) -> list[Any]:
    try:
        stat = os.stat(name)
    except OSError:
        return [0, 0, "missing"]
    if known and known[:2] == [stat.st_size, stat.st_mtime_ns]:
        return known
    found = _digest(name)
    return [0, 0, found] if found == "missing" else [stat.st_size, stat.st_mtime_ns, found]


def _digest(path: str) -> str:
    try:
        if not os.path.isfile(path):  # reading a pipe would wait for ever
            return "missing"
        # file_digest reads in pieces, so that a large file need not fit in memory.
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "missing"
