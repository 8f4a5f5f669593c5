"""Room for arrays in a file without a name, which disappears with its process."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import numpy as np

from scenelens.progress import say_on_stderr


class _ScratchSpace:
    """A scratch file that arrays are appended to; threads may share it.

    Parameters
    ----------
    folder : pathlib.Path
        Where the file is made.
    most : int
        Its largest size in bytes.
    what : str
        What is kept there, in the plural: the sentence about a full disk names it.

    Raises
    ------
    OSError
        If no file can be made there.
    """

    def __init__(self, folder: Path, most: int, what: str) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  see `close`
        self._end, self._most, self._what = 0, most, what
        self._lock = threading.Lock()

    def close(self) -> None:
        """Give the room back."""
        self._file.close()

    def has_room(self, n_bytes: int) -> bool:
        """Return whether so many bytes more may be written.

        Parameters
        ----------
        n_bytes : int
            The number of bytes.

        Returns
        -------
        bool
            False for good, once the disk was full.
        """
        return self._end + n_bytes <= self._most

    def add(self, array: np.ndarray) -> int | None:
        """Append an array, as far as there is room.

        Parameters
        ----------
        array : numpy.ndarray
            Any shape and type, contiguous.

        Returns
        -------
        int or None
            Where its first byte lies; None where it was not kept. A full disk is said once.
        """
        with self._lock:
            if not self.has_room(array.nbytes):
                return None
            try:
                self._file.seek(self._end)
                if self._file.write(array.data.cast("B")) != array.nbytes:
                    return None
            except OSError as error:
                self._most = 0
                reason = error.strerror or error
                say_on_stderr(f"{self._what} are computed again instead of kept ({reason}).")
                return None
            place, self._end = self._end, self._end + array.nbytes
        return place

    def read(self, place: int, into: np.ndarray) -> bool:
        """Read an array.

        Parameters
        ----------
        place : int
            Where its first byte lies.
        into : numpy.ndarray
            Of its shape and type, contiguous; filled in place.

        Returns
        -------
        bool
            Whether all of it was there.
        """
        with self._lock:
            self._file.seek(place)
            return self._file.readinto(into.data.cast("B")) == into.nbytes
