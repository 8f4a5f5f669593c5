"""The index on disk: Zarr arrays in blocks of images, each block with a marker once it is safely there.

    <folder>/inputs.json        what the index depends on (its key is the hash of it)
    <folder>/images.json        [image id, digest of the file] per row of every array
    <folder>/arrays/            a Zarr 3 group: <layer>/peak, /place, /sum (n_images, units), or <layer>/value
    <folder>/done/000012.json   block 12 is complete: its images, those that were skipped and why, its seconds

A block is one chunk in every array. Chunks are written here and not through Zarr, for two reasons: each is
made durable (fsync) and then moved into place, so that a marker never speaks of data that a crash could
still lose; and it takes a twentieth of the time. Any Zarr 3 reader opens the group: a chunk is the plain
little-endian bytes of its numbers.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from scenelens.errors import SceneLensError
from scenelens.files import write_whole

DTYPES = {"peak": np.dtype("<f4"), "place": np.dtype("<i4"), "sum": np.dtype("<f4"), "value": np.dtype("<f4")}
#: What stands in the rows of images that could not be read.
FILLS: dict[str, float | int] = {"peak": np.nan, "place": -1, "sum": np.nan, "value": np.nan}


class IndexFiles:
    """One index's folder: create it, write blocks, list the finished ones, read an array.

    Parameters
    ----------
    folder : a folder that `IndexFiles.create` made.

    Attributes
    ----------
    inputs : what the index depends on (see `index_key.index_inputs`).
    images : list of image ids, one per row.
    block : images per block.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.inputs: dict[str, Any] = json.loads((self.folder / "inputs.json").read_text())
            rows = json.loads((self.folder / "images.json").read_text())
            self._group = zarr.open_group(self.folder / "arrays", mode="r")
        except (OSError, ValueError) as error:
            raise SceneLensError(f"{self.folder} holds no index; study.index(...) builds one.") from error
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
        """Lay out an index without any block; where the folder is already there, open it.

        Parameters
        ----------
        layers : per layer (units, rows, columns); one whose map is 1x1 keeps its value, others peak, place
            and sum.
        """
        if folder.exists():
            return cls(folder)
        draft = folder.with_name(f".{folder.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        write_whole(draft / "inputs.json", json.dumps(inputs, indent=1).encode(), durable=True)
        write_whole(
            draft / "images.json", json.dumps([list(pair) for pair in digests]).encode(), durable=True
        )
        group = zarr.open_group(draft / "arrays", mode="w")
        for layer, (units, *shape) in layers.items():
            for kind in ("value",) if shape == [1, 1] else ("peak", "place", "sum"):
                group.create_array(
                    f"{layer}/{kind}",
                    shape=(len(digests), units),
                    chunks=(inputs["blocks"][0], units),
                    dtype=DTYPES[kind],
                    fill_value=FILLS[kind],
                    compressors=None,
                    chunk_key_encoding={"name": "default", "separator": "."},  # one folder per array
                    attributes={"map": shape, "axes": ["image", "unit"]},
                )
        with contextlib.suppress(OSError):  # another process was first: its folder is as good as ours
            os.replace(draft, folder)
        shutil.rmtree(draft, ignore_errors=True)
        return cls(folder)

    @property
    def n_blocks(self) -> int:
        """Number of blocks, the last one possibly shorter."""
        return -(-len(self.images) // self.block)

    def rows(self, number: int) -> range:
        """The rows (images) of one block."""
        return range(number * self.block, min((number + 1) * self.block, len(self.images)))

    def empty_block(self, number: int) -> dict[str, np.ndarray]:
        """Per array, the (images in the block, units) of a block in which no image could be read."""
        n = len(self.rows(number))
        return {
            name: np.full((n, array.shape[1]), FILLS[name.rsplit("/", 1)[1]], DTYPES[name.rsplit("/", 1)[1]])
            for name, array in self.arrays.items()
        }

    def _chunk_path(self, name: str, number: int) -> Path:
        key = self.arrays[name].metadata.encode_chunk_key((number, 0))
        return self.folder / "arrays" / name / key

    def _marker(self, number: int) -> Path:
        return self.folder / "done" / f"{number:06d}.json"

    def write_block(self, number: int, values: Mapping[str, np.ndarray], note: Mapping[str, Any]) -> None:
        """Put a block on disk: its chunks first, and once they are durable its marker.

        Parameters
        ----------
        values : per array name, (images in the block, units); exactly the index's arrays.
        note : JSON values kept in the marker ('skipped': [[image, reason], ...], 'seconds').
        """
        for name, array in self.arrays.items():
            kind = name.rsplit("/", 1)[1]
            chunk = np.full(array.chunks, FILLS[kind], DTYPES[kind])  # edge chunks have full size in Zarr
            chunk[: len(values[name])] = values[name]
            path = self._chunk_path(name, number)
            write_whole(path, chunk.tobytes(), durable=True)
        self._mark(number, note)

    def _mark(self, number: int, note: Mapping[str, Any]) -> None:
        marker = self._marker(number)
        rows = self.rows(number)
        write_whole(marker, json.dumps({"images": [rows.start, rows.stop], **note}).encode(), durable=True)

    def finished(self) -> dict[int, dict[str, Any]]:
        """Per finished block its marker's note; a block whose chunks are gone or cut short is none."""
        notes = {}
        for number in range(self.n_blocks):
            try:
                note = json.loads(self._marker(number).read_text())
            except (OSError, ValueError):
                continue
            if all(self._is_whole(name, number) for name in self.arrays):
                notes[number] = note
        return notes

    def _is_whole(self, name: str, number: int) -> bool:
        array = self.arrays[name]
        try:
            size = self._chunk_path(name, number).stat().st_size
        except OSError:
            return False
        return size == int(np.prod(array.chunks)) * array.dtype.itemsize

    def read(self, name: str) -> np.ndarray:
        """One whole array (n_images, units). Only for an index whose blocks are all finished."""
        return np.asarray(self.arrays[name][:])

    def take_blocks(self, other: IndexFiles) -> int:
        """Copy the finished blocks of `other` that are missing here; returns how many."""
        if other.inputs != self.inputs:
            raise SceneLensError(f"{other.folder} is an index of something else and cannot be merged here.")
        missing = sorted(other.finished().keys() - self.finished().keys())
        notes = other.finished()
        for number in missing:
            for name in self.arrays:
                path = self._chunk_path(name, number)
                write_whole(path, other._chunk_path(name, number).read_bytes(), durable=True)
            self._mark(number, {k: v for k, v in notes[number].items() if k != "images"})
        return len(missing)

    def sweep(self) -> None:
        """Remove drafts that a killed process left behind. Call it with the lock held."""
        for draft in self.folder.rglob(".*.[0-9]*"):
            draft.unlink(missing_ok=True)

    @contextlib.contextmanager
    def lock(self, say: Any) -> Iterator[None]:
        """Let one process build at a time; the others wait and say so. A killed process lets go by itself."""
        try:
            import fcntl
        except (
            ImportError
        ):  # no such locks here: two builders would write the same blocks twice, to the same effect
            yield
            return
        with open(self.folder / "lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                say(f"Another process is building {self.folder.name}; waiting for it.")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


@contextlib.contextmanager
def disk_errors(folder: Path, kept: Any = None) -> Iterator[None]:
    """Turn an error of the disk into one sentence that says what is kept.

    Parameters
    ----------
    folder : where the writing goes on.
    kept : a function that says how many blocks are kept, called when needed; or None.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC)
        what = "The disk is full" if full else f"The disk refused ({error.strerror or error})"
        safe = f" {kept()}" if kept else ""
        way = "Free some space" if full else "Put that right"
        raise SceneLensError(
            f"{what} while writing the index in {folder}.{safe} {way}, or set SCENELENS_CACHE to a folder "
            "elsewhere, and run the same line again."
        ) from error
