"""Work that was begun: what it has found so far lies on disk, so that a killed process loses only seconds.

Long work over many images keeps its state every few seconds, next to the file of its result. The same call in
a new process goes on there, and arrives at the same bits. When the result is written, the state is removed
(see `scenelens.caches.keep`).

A state has two kinds of numbers. Those of the first kind are replaced each time, such as counts. Those of the
second kind are added, such as a row for each image: they would take longer and longer to write.

The work also watches the files that it reads. A file that changes meanwhile, and is put back before the end,
would otherwise leave wrong numbers under a key that looks right.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp(), "labels.npz")
>>> Unfinished(path, "counts").save(32, ({"n": 5}, {}), ([], {"peaks": np.ones(32)}))
>>> begun = Unfinished(path, "counts")
>>> begun.done, begun.total, [len(arrays["peaks"]) for _, arrays in begun.parts]
(32, ({'n': 5}, {}), [32])
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scenelens.caches import UNFINISHED, keep, read_cached
from scenelens.errors import SceneLensError
from scenelens.files import ArrayFile

#: Seconds between two states on disk: what a killed process loses at most, besides the batch it is in.
_EVERY = 10.0
_FORGOTTEN = 7 * 24 * 60 * 60  # seconds after which unfinished work is removed

#: A JSON value and arrays by name.
Packed = tuple[Any, dict[str, np.ndarray]]
#: What tells whether a file was touched; see `Unfinished.stamp`.
Stamp = tuple[int, ...]


class Unfinished:
    """What long work over a list of images has found so far.

    Parameters
    ----------
    path : pathlib.Path or None
        The cache file of the result; its name has a key of all that the work depends on. None keeps nothing.
    what : str
        The name of this work, where several lead to one result.
    about : object, optional
        A JSON value. The state of work with another value is not used.
    stamps : mapping of pathlib.Path to tuple of int, optional
        The files that the work reads, and the `stamp` of each when the key was made.

    Attributes
    ----------
    done : int
        How many images an earlier process has finished; 0 where there is nothing to go on from.
    total : tuple of (object, dict of str to numpy.ndarray)
        Its latest numbers of the first kind.
    parts : list of tuple of (object, dict of str to numpy.ndarray)
        All its numbers of the second kind, in order.
    """

    def __init__(
        self, path: Path | None, what: str, about: Any = None, stamps: Mapping[Path, Stamp] | None = None
    ) -> None:
        self._folder = None if path is None else path.with_name(path.name + UNFINISHED)
        self._what, self._about, self._stamps = what, about, dict(stamps or {})
        self.done, self.total, self.parts = 0, (None, {}), []  # type: int, Packed, list[Packed]
        self._starts: list[int] = []
        self._saved = time.monotonic()
        if self._folder is not None:
            _remove_forgotten(self._folder.parent)
            self._restore()

    def _restore(self) -> None:
        state = self._read("state")
        if state is None or state[0]["about"] != self._about:
            return
        (head, arrays), starts = state, state[0]["starts"]
        parts = [self._read(f"{start:09d}") for start in starts]
        whole = [part for part in parts if part is not None]
        if len(whole) == len(starts):  # otherwise a part is damaged, and the work begins anew
            self.done, self.total, self.parts = head["done"], (head["value"], arrays), whole
            self._starts = starts

    def _read(self, name: str) -> Packed | None:
        return read_cached(self._file(name), ArrayFile.unpack)

    def _file(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{self._what}-{name}.npz"

    @property
    def due(self) -> bool:
        """Whether the latest state is some seconds old, so that it is time to `save`."""
        return self._folder is not None and time.monotonic() - self._saved >= _EVERY

    def save(self, done: int, total: Packed, part: Packed) -> None:
        """Keep the state.

        Parameters
        ----------
        done : int
            How many images are finished.
        total : tuple of (object, dict of str to numpy.ndarray)
            The numbers of the first kind: a JSON value, and arrays.
        part : tuple of (object, dict of str to numpy.ndarray)
            Those of the second kind since the latest state.

        Raises
        ------
        SceneLensError
            If a file has changed since the key was made.
        """
        self.check_files()  # a state never has numbers from a file that changed
        if self._folder is None:
            return
        start, head = self.done, {"about": self._about, "done": done, "value": total[0]}
        self._starts.append(start)
        # The state is written last: it never names a part that is not there.
        if not (
            self._write(f"{start:09d}", *part)
            and self._write("state", head | {"starts": self._starts}, total[1])
        ):
            self._folder = None  # `keep` has said so; the work goes on without it
        self.done, self._saved = done, time.monotonic()

    def _write(self, name: str, value: Any, arrays: dict[str, np.ndarray]) -> bool:
        # Compressing takes longer than writing. NumPy's numbers become JSON's.
        content = ArrayFile.pack(value, arrays, default=lambda number: number.item(), compressed=False)
        return keep(self._file(name), content)

    def remove(self) -> None:
        """Remove the state where no single file is the result; `scenelens.caches.keep` does it otherwise."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def check_files(self) -> None:
        """Check that no file was touched since the key was made; call it before a result is returned.

        Raises
        ------
        SceneLensError
            If one was.
        """
        changed = [path for path, before in self._stamps.items() if Unfinished.stamp(path) != before]
        if changed:
            more = f" (and {len(changed) - 1} more files)" if len(changed) > 1 else ""
            raise SceneLensError(
                f"{changed[0]}{more} changed while it was in use. What was finished before is kept; run the "
                "same line again when the files stay as they are."
            )

    @staticmethod
    def stamp(path: str | Path) -> Stamp:
        """What tells whether a file was touched, without reading it.

        Parameters
        ----------
        path : str or pathlib.Path
            The file.

        Returns
        -------
        tuple of int
            Its size, its identity and both of its times; empty for a missing file.
        """
        try:
            found = os.stat(path)
        except (OSError, ValueError):  # a name with a NUL is a ValueError
            return ()
        # The time of the last change of the file's entry (ctime) cannot be set by programs, unlike mtime.
        return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def _remove_forgotten(folder: Path) -> None:
    """Remove the unfinished work that nobody went on with, for example because the images have changed."""
    with contextlib.suppress(OSError):
        for old in folder.glob(f"*{UNFINISHED}"):
            if time.time() - old.stat().st_mtime > _FORGOTTEN:
                shutil.rmtree(old, ignore_errors=True)
