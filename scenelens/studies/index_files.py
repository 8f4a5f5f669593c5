"""The index on disk: Zarr arrays in blocks of images; each block has a marker once it is safely written.

    <folder>/inputs.json        what the index depends on (its key is the hash of it)
    <folder>/images.json        [image id, digest of the file] per row of every array
    <folder>/arrays/            a Zarr 3 group: <layer>/peak, /place, /sum (n_images, units), or <layer>/value
    <folder>/done/000012.json   block 12 is complete: its images, those that were skipped and why, its seconds
    <folder>/lock               locked by the process that builds

A block is one chunk in every array. Chunks are written here and not through Zarr, for two reasons. Each is
first made durable (fsync) and then moved into place, so a marker never announces data that a crash could
still lose. And it takes a twentieth of the time. Any Zarr 3 reader opens the group: a chunk is the plain
little-endian bytes of its numbers.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import zarr

from scenelens.errors import SceneLensError
from scenelens.files import write_whole

_DTYPES = {
    "peak": np.dtype("<f4"),
    "place": np.dtype("<i4"),
    "sum": np.dtype("<f4"),
    "value": np.dtype("<f4"),
}
#: Kind of array -> what the rows of images that could not be read contain.
_FILLS: dict[str, float | int] = {"peak": np.nan, "place": -1, "sum": np.nan, "value": np.nan}


class IndexFiles:
    """The folder of one index: create it, write blocks, list the finished ones, read an array.

    Parameters
    ----------
    folder : str or pathlib.Path
        A folder that `IndexFiles.create` made.

    Attributes
    ----------
    folder : pathlib.Path
        The folder.
    inputs : dict
        What the index depends on (see `index_key.index_inputs`).
    images : list of str
        Image ids, one per row.
    block : int
        Images per block.
    arrays : dict of str to zarr.Array
        The arrays by name, such as 'pool5/peak'.

    Raises
    ------
    SceneLensError
        If the folder contains no index.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.inputs: dict[str, Any] = json.loads((self.folder / "inputs.json").read_text())
            rows = json.loads((self.folder / "images.json").read_text())
            self._group = zarr.open_group(self.folder / "arrays", mode="r")
        except (OSError, ValueError) as error:
            raise SceneLensError(f"{self.folder} contains no index; study.index(...) builds one.") from error
        self.images: list[str] = [image for image, _ in rows]
        self.block: int = self.inputs["blocks"][0]
        self.arrays: dict[str, zarr.Array] = {
            f"{layer}/{kind}": array
            for layer, group in self._group.groups()
            for kind, array in group.arrays()
        }

    @classmethod
    def create(
        cls,
        folder: Path,
        inputs: Mapping[str, Any],
        digests: Sequence[tuple[str, str]],
        layers: Mapping[str, tuple[int, int, int]],
    ) -> IndexFiles:
        """Make an index without any block; where the folder exists, open it.

        Parameters
        ----------
        folder : pathlib.Path
            The folder to make.
        inputs : mapping
            What the index depends on, as `index_key.index_inputs` gives it.
        digests : sequence of tuple of str
            (image id, digest of its file) per image, in order.
        layers : mapping of str to tuple of int
            Per layer (units, rows, columns). A layer whose map is 1x1 stores its value, others store peak,
            position and sum.

        Returns
        -------
        IndexFiles
            The open folder.

        Raises
        ------
        SceneLensError
            If the folder exists and contains no index.
        OSError
            If the folder cannot be written.
        """
        if folder.exists():
            return cls(folder)
        # Everything is laid out under another name and renamed in one step: a folder that exists is complete.
        draft = folder.with_name(f".{folder.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        write_whole(draft / "inputs.json", json.dumps(inputs, indent=1).encode(), durable=True)
        rows = json.dumps([list(pair) for pair in digests]).encode()
        write_whole(draft / "images.json", rows, durable=True)
        group = zarr.open_group(draft / "arrays", mode="w")
        for layer, (units, *shape) in layers.items():
            for kind in ("value",) if shape == [1, 1] else ("peak", "place", "sum"):
                group.create_array(
                    f"{layer}/{kind}",
                    shape=(len(digests), units),
                    chunks=(inputs["blocks"][0], units),
                    dtype=_DTYPES[kind],
                    fill_value=_FILLS[kind],
                    compressors=None,  # activations hardly shrink, and chunks are written without Zarr
                    chunk_key_encoding={"name": "default", "separator": "."},  # one folder per array
                    attributes={"map": shape, "axes": ["image", "unit"]},
                )
        with contextlib.suppress(OSError):  # another process was faster: its folder has the same content
            os.replace(draft, folder)
        shutil.rmtree(draft, ignore_errors=True)
        return cls(folder)

    @property
    def n_blocks(self) -> int:
        """Number of blocks; the last one may be shorter.

        Returns
        -------
        int
            At least 1.
        """
        return -(-len(self.images) // self.block)

    def rows(self, number: int) -> range:
        """The rows (images) of one block.

        Parameters
        ----------
        number : int
            Number of the block, from 0.

        Returns
        -------
        range
            Row numbers in every array.
        """
        return range(number * self.block, min((number + 1) * self.block, len(self.images)))

    def empty_block(self, number: int) -> dict[str, np.ndarray]:
        """The content of a block in which no image could be read.

        Parameters
        ----------
        number : int
            Number of the block, from 0.

        Returns
        -------
        dict of str to numpy.ndarray
            Per array, (images in the block, units).
        """
        n = len(self.rows(number))
        return {
            name: np.full((n, array.shape[1]), _FILLS[_kind(name)], _DTYPES[_kind(name)])
            for name, array in self.arrays.items()
        }

    def _chunk_path(self, name: str, number: int) -> Path:
        key = self.arrays[name].metadata.encode_chunk_key((number, 0))
        return self.folder / "arrays" / name / key

    def _marker(self, number: int) -> Path:
        return self.folder / "done" / f"{number:06d}.json"

    def write_block(self, number: int, values: Mapping[str, np.ndarray], note: Mapping[str, Any]) -> None:
        """Write a block to disk: its chunks first, and once they are durable its marker.

        Parameters
        ----------
        number : int
            Number of the block, from 0.
        values : mapping of str to numpy.ndarray
            Per array, (images in the block, units); exactly the index's arrays.
        note : mapping
            JSON values for the marker ('skipped': [[image, reason], ...], 'seconds').

        Raises
        ------
        OSError
            If a file cannot be written; the block then stays unfinished.
        """
        for name, array in self.arrays.items():
            kind = _kind(name)
            chunk = np.full(array.chunks, _FILLS[kind], _DTYPES[kind])  # Zarr's last chunk has full size, too
            chunk[: len(values[name])] = values[name]
            write_whole(self._chunk_path(name, number), chunk.tobytes(), durable=True)
        rows = self.rows(number)
        marker = json.dumps({"images": [rows.start, rows.stop], **note}).encode()
        write_whole(self._marker(number), marker, durable=True)

    def finished(self) -> dict[int, dict[str, Any]]:
        """The notes of all finished blocks.

        Returns
        -------
        dict of int to dict
            Per finished block the note in its marker. A block with a missing or shortened chunk is not
            finished.
        """
        notes = {}
        for number in range(self.n_blocks):
            try:
                note = json.loads(self._marker(number).read_text())
            except (OSError, ValueError):
                continue
            if all(self._is_whole(name, number) for name in self.arrays):
                notes[number] = note
        return notes

    def missing(self) -> list[int]:
        """The blocks that are not finished.

        Returns
        -------
        list of int
            Their numbers, in order.
        """
        finished = self.finished()
        return [number for number in range(self.n_blocks) if number not in finished]

    def _is_whole(self, name: str, number: int) -> bool:
        array = self.arrays[name]
        try:
            size = self._chunk_path(name, number).stat().st_size
        except OSError:
            return False
        return size == int(np.prod(array.chunks)) * array.dtype.itemsize

    def read(self, name: str) -> np.ndarray:
        """Read one whole array, of an index whose blocks are all finished.

        Parameters
        ----------
        name : str
            A name in `arrays`.

        Returns
        -------
        numpy.ndarray
            (n_images, units).
        """
        return np.asarray(self.arrays[name][:])

    def sweep(self) -> None:
        """Remove temporary files that a killed process left. Call it only while you have the `lock`."""
        for draft in self.folder.rglob(".*.[0-9]*"):
            draft.unlink(missing_ok=True)

    @contextlib.contextmanager
    def lock(self, say: Callable[[str], None]) -> Iterator[None]:
        """Let one process build at a time; others wait, and say so. The lock of a killed process is released.

        Parameters
        ----------
        say : callable
            Takes the sentence that says what is waited for.

        Yields
        ------
        None
            While this process has the lock.
        """
        lock = filelock.FileLock(self.folder / "lock")
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            say(f"Another process is building {self.folder.name}; waiting for it.")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @staticmethod
    @contextlib.contextmanager
    def disk_errors(folder: Path, kept: Callable[[], str] | None = None) -> Iterator[None]:
        """Turn an error of the disk into one sentence that says what is not lost and what to do.

        Parameters
        ----------
        folder : pathlib.Path
            Where files are written.
        kept : callable, optional
            Says how many blocks are finished; called only when there is an error.

        Yields
        ------
        None
            For the block of statements that write.

        Raises
        ------
        SceneLensError
            In place of an OSError.
        """
        try:
            yield
        except OSError as error:
            # Windows has no quota error; there a full disk is always ENOSPC.
            full = error.errno in (errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC)
            what = "The disk is full" if full else f"The disk refused ({error.strerror or error})"
            safe = f" {kept()}" if kept else ""
            way = "Free some space" if full else "Put that right"
            raise SceneLensError(
                f"{what} while writing the index in {folder}.{safe} {way}, or set SCENELENS_CACHE to a "
                "folder elsewhere, and run the same line again."
            ) from error


def _kind(name: str) -> str:
    """'peak' of 'pool5/peak'; a layer's own name may have slashes."""
    return name.rsplit("/", 1)[1]
