"""The index on disk: Zarr arrays in blocks of images; each block has a marker once it is safely written.

    <folder>/inputs.json        what the index depends on (its key is the hash of it)
    <folder>/images.json        [image id, digest of the file] per row of every array
    <folder>/arrays/            a Zarr 3 group: <layer>/peak, /place, /sum (n_images, units), or <layer>/value
    <folder>/done/000012.json   block 12 is complete: its images, those that were skipped and why, its seconds
                                and the CRC-32 of each of its chunks; the last line is the marker's own
    <folder>/lock               locked by the process that builds

A block is one chunk in every array. Chunks are written here and not through Zarr, for two reasons. Each is
first made durable (fsync) and then moved into place, so a marker never announces data that a crash could
still lose. And it takes a twentieth of the time. Any Zarr 3 reader opens the group: a chunk is the plain
little-endian bytes of its numbers. The checksums are verified whenever an array is read.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import json
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import zarr

from scenelens.caches import read_cached, say_not_kept, sealed, set_aside
from scenelens.errors import SceneLensError
from scenelens.files import UNREADABLE, Drafts, write_whole

_DTYPES = {
    "peak": np.dtype("<f4"),
    "place": np.dtype("<i4"),
    "sum": np.dtype("<f4"),
    "value": np.dtype("<f4"),
}
#: Kind of array -> what the rows of images that could not be read contain.
_FILLS: dict[str, float | int] = {"peak": np.nan, "place": -1, "sum": np.nan, "value": np.nan}


class _IndexFiles:
    """The folder of one index: create it, write blocks, list the finished ones, read an array.

    Parameters
    ----------
    folder : str or pathlib.Path
        A folder that `_IndexFiles.create` made.

    Attributes
    ----------
    folder : pathlib.Path
        The folder.
    inputs : dict
        What the index depends on (see `index_key._index_inputs`).
    images : list of str
        Image ids, one per row.
    block : int
        Images per block.
    arrays : dict of str to _IndexArray
        The layouts of the arrays by name, such as 'pool5/peak'.

    Raises
    ------
    SceneLensError
        If the folder contains no index.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            inputs = json.loads((Path(folder) / "inputs.json").read_text("utf-8"))
            rows = json.loads((Path(folder) / "images.json").read_text("utf-8"))
            self._know(Path(folder), inputs, [image for image, _ in rows], _read_layout(Path(folder)))
        except UNREADABLE as error:
            raise SceneLensError(f"{folder} contains no index; study.index(...) builds one.") from error

    def _know(
        self, folder: Path, inputs: Mapping[str, Any], images: list[str], arrays: dict[str, _IndexArray]
    ) -> None:
        self.folder, self.inputs, self.images, self.arrays = folder, dict(inputs), images, arrays
        self.block: int = inputs["blocks"][0]
        #: Blocks with a chunk that turned out to be damaged; they count as missing until they are written.
        self.damaged: set[int] = set()
        #: Computes the missing blocks, where somebody can; `read` calls it when it finds a damaged one.
        self.rebuild: Callable[[], None] | None = None

    @classmethod
    def create(
        cls,
        folder: Path,
        inputs: Mapping[str, Any],
        digests: Sequence[tuple[str, str]],
        layers: Mapping[str, tuple[int, int, int]],
    ) -> _IndexFiles:
        """Make an index without any block; where the folder exists, open it, and repair what describes it.

        Parameters
        ----------
        folder : pathlib.Path
            The folder to make.
        inputs : mapping
            What the index depends on, as `index_key._index_inputs` gives it.
        digests : sequence of tuple of str
            (image id, digest of its file) per image, in order.
        layers : mapping of str to tuple of int
            Per layer (units, rows, columns). A layer whose map is 1x1 stores its value, others store peak,
            position and sum.

        Returns
        -------
        _IndexFiles
            The open folder.

        Raises
        ------
        OSError
            If the folder has to be made and cannot be written.
        """
        arrays = _layout(len(digests), inputs["blocks"][0], layers)
        described = {
            "inputs.json": json.dumps(inputs, indent=1).encode(),
            "images.json": json.dumps([list(pair) for pair in digests]).encode(),
        }
        if folder.exists():
            _repair(folder, described, arrays)
        else:
            # Everything is laid out under another name and renamed in one step: a folder that exists is
            # complete.
            draft = Drafts.of(folder)
            for name, content in described.items():
                write_whole(draft / name, content, durable=True)
            _write_layout(draft / "arrays", arrays)
            with contextlib.suppress(OSError):  # another process was faster: its folder has the same content
                Drafts.move(draft, folder)
            shutil.rmtree(draft, ignore_errors=True)
        # All of this is known, so nothing that the disk may have damaged is read.
        files = cls.__new__(cls)
        files._know(folder, inputs, [str(image) for image, _ in digests], arrays)
        return files

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
        return self.folder / "arrays" / name / f"c.{number}.0"

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
        checksums = {}
        for name, array in self.arrays.items():
            kind = _kind(name)
            chunk = np.full(array.chunks, _FILLS[kind], _DTYPES[kind])  # Zarr's last chunk has full size, too
            chunk[: len(values[name])] = values[name]
            path, content = self._chunk_path(name, number), chunk.tobytes()
            write_whole(path, content, durable=True)
            checksums[path.relative_to(self.folder).as_posix()] = zlib.crc32(content)
        rows = self.rows(number)
        marker = json.dumps({"images": [rows.start, rows.stop], **note, "crc32": checksums}).encode()
        write_whole(self._marker(number), sealed(marker), durable=True)
        self.damaged.discard(number)

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
            note = read_cached(self._marker(number), functools.partial(self._unpack_note, number))
            if number not in self.damaged and note and self._is_whole(number):
                notes[number] = note
        return notes

    def _unpack_note(self, number: int, content: bytes) -> dict[str, Any]:
        note, rows = json.loads(content), self.rows(number)
        if note["images"] != [rows.start, rows.stop]:
            raise ValueError("a marker of other images")
        note["skipped"] = [(str(image), str(reason)) for image, reason in note["skipped"]]
        return note

    def missing(self) -> list[int]:
        """The blocks that are not finished.

        Returns
        -------
        list of int
            Their numbers, in order.
        """
        finished = self.finished()
        return [number for number in range(self.n_blocks) if number not in finished]

    def _is_whole(self, number: int) -> bool:
        try:
            return all(
                self._chunk_path(name, number).stat().st_size == array.n_bytes
                for name, array in self.arrays.items()
            )
        except OSError:
            return False

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

        Raises
        ------
        SceneLensError
            If a chunk is missing or has another checksum than when it was written, and `rebuild` is not set.
            The chunk is set aside, and its block counts as missing from now on.
        """
        found = self._read_verified(name)
        if self.damaged and self.rebuild is not None:
            self.rebuild()
            found = self._read_verified(name)
        if self.damaged:
            raise SceneLensError(
                f"{len(self.damaged)} blocks in {self.folder} are damaged; open the index with "
                "study.index(...), which computes them again."
            )
        return found

    def _read_verified(self, name: str) -> np.ndarray:
        array, notes = self.arrays[name], self.finished()
        whole = np.empty(array.shape, array.dtype)
        for number in range(self.n_blocks):
            path, rows = self._chunk_path(name, number), self.rows(number)
            chunk = self._verified_chunk(path, notes.get(number), array.n_bytes)
            if chunk is None:
                self.damaged.add(number)
            else:
                values = np.frombuffer(chunk, array.dtype).reshape(array.chunks)
                whole[rows.start : rows.stop] = values[: len(rows)]
        return whole

    def _verified_chunk(self, path: Path, note: dict[str, Any] | None, n_bytes: int) -> bytes | None:
        try:
            content = path.read_bytes()
        except OSError:
            return None
        known = (note or {}).get("crc32", {}).get(path.relative_to(self.folder).as_posix())
        if len(content) == n_bytes and known == zlib.crc32(content):
            return content
        set_aside(path, "its checksum is wrong" if note else "its block has no marker")
        return None

    def sweep(self) -> None:
        """Remove temporary files that a killed process left. Call it only while you have the `lock`."""
        Drafts.sweep(self.folder)
        for draft in self.folder.rglob(".*.[0-9]*"):
            if draft.is_file():
                draft.unlink(missing_ok=True)

    def try_lock(self) -> None:
        """Find out whether the folder can be written.

        Raises
        ------
        OSError
            If it cannot.
        """
        lock = filelock.FileLock(self.folder / "lock")
        with contextlib.suppress(filelock.Timeout):  # another process writes there, so that it can be written
            lock.acquire(blocking=False)
            lock.release()

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

    @staticmethod
    def open_or_borrow(
        folder: Path,
        inputs: Mapping[str, Any],
        digests: Sequence[tuple[str, str]],
        layers: Mapping[str, tuple[int, int, int]],
    ) -> _IndexFiles:
        """Make or open an index, as `create` does; where nothing can be written, in a temporary folder.

        Parameters
        ----------
        folder : pathlib.Path
            The folder.
        inputs : mapping
            See `_IndexFiles.create`.
        digests : sequence of tuple of str
            See `_IndexFiles.create`.
        layers : mapping of str to tuple of int
            See `_IndexFiles.create`.

        Returns
        -------
        _IndexFiles
            The open folder.

        Raises
        ------
        OSError
            If the disk is full.
        """
        Drafts.sweep(folder.parent)
        try:
            return _IndexFiles.create(folder, inputs, digests, layers)
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
            say_not_kept(folder.parent, error)
            return _IndexFiles.create(_temporary_folder() / folder.name, inputs, digests, layers)

    def build_where_writable(self, build: Callable[[], None]) -> None:
        """Build what is missing; where the folder cannot be written, in a temporary copy, which is used then.

        Parameters
        ----------
        build : callable
            Computes and writes the missing blocks.

        Raises
        ------
        SceneLensError
            If the disk is full; see `disk_errors`.
        """
        try:
            self.try_lock()
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
            say_not_kept(self.folder.parent, error)
            copy = _temporary_folder() / self.folder.name
            if self.folder.is_dir():  # otherwise the whole folder was replaced while the index was open
                shutil.copytree(self.folder, copy, ignore=shutil.ignore_patterns("lock", ".*"))
            copy.mkdir(exist_ok=True)
            self.folder = copy
        build()


@dataclass(frozen=True)
class _IndexArray:
    """The layout of one array of an index.

    Attributes
    ----------
    shape : tuple of int
        (images, units).
    chunks : tuple of int
        (images per block, units).
    dtype : numpy.dtype
        Little-endian.
    map : tuple of int
        (rows, columns) of the layer's map.
    """

    shape: tuple[int, int]
    chunks: tuple[int, int]
    dtype: np.dtype
    map: tuple[int, int]

    @property
    def n_bytes(self) -> int:
        """Bytes of one chunk.

        Returns
        -------
        int
            Also of the last chunk.
        """
        return self.chunks[0] * self.chunks[1] * self.dtype.itemsize


def _layout(n_images: int, block: int, layers: Mapping[str, tuple[int, int, int]]) -> dict[str, _IndexArray]:
    return {
        f"{layer}/{kind}": _IndexArray((n_images, units), (block, units), _DTYPES[kind], (high, wide))
        for layer, (units, high, wide) in layers.items()
        for kind in (("value",) if (high, wide) == (1, 1) else ("peak", "place", "sum"))
    }


def _write_layout(folder: Path, arrays: Mapping[str, _IndexArray]) -> None:
    group = zarr.open_group(folder, mode="w")
    for name, array in arrays.items():
        group.create_array(
            name,
            shape=array.shape,
            chunks=array.chunks,
            dtype=array.dtype,
            fill_value=_FILLS[_kind(name)],
            compressors=None,  # activations hardly shrink, and chunks are written without Zarr
            chunk_key_encoding={"name": "default", "separator": "."},  # one folder per array
            attributes={"map": list(array.map), "axes": ["image", "unit"]},
        )


def _read_layout(folder: Path) -> dict[str, _IndexArray]:
    """What Zarr's files say about the arrays, in any order."""
    found = {}
    for layer, group in zarr.open_group(folder / "arrays", mode="r").groups():
        for kind, array in group.arrays():
            map_shape: Any = array.attrs["map"]
            shape, chunks = (array.shape[0], array.shape[1]), (array.chunks[0], array.chunks[1])
            found[f"{layer}/{kind}"] = _IndexArray(shape, chunks, array.dtype, (map_shape[0], map_shape[1]))
            if not np.array_equal(array.fill_value, _FILLS[kind], equal_nan=True):
                raise ValueError(f"{layer}/{kind} is filled with {array.fill_value}")
    return found


_NOT_THIS = "it does not describe this index"


def _repair(folder: Path, described: Mapping[str, bytes], arrays: Mapping[str, _IndexArray]) -> None:
    """Write the files that describe an index anew where they are damaged; its blocks stay valid.

    Their content is known, so in a folder that cannot be written the damage does no harm.
    """
    with contextlib.suppress(OSError):
        for name, content in described.items():
            path = folder / name
            if not _says(path, content):
                set_aside(path, _NOT_THIS, rename=False)  # all of it is known
                write_whole(path, content, durable=True)
        try:
            whole = _read_layout(folder) == arrays
        except Exception:  # Zarr raises many kinds of errors on damaged files
            whole = False
        if not whole:
            draft = Drafts.of(folder / "layout")
            _write_layout(draft, arrays)
            for made in draft.rglob("zarr.json"):
                path = folder / "arrays" / made.relative_to(draft)
                if not _says(path, made.read_bytes()):
                    set_aside(path, _NOT_THIS, rename=False)
                    write_whole(path, made.read_bytes(), durable=True)
            shutil.rmtree(draft, ignore_errors=True)


def _says(path: Path, content: bytes) -> bool:
    """Whether a JSON file has this content, in whatever layout of spaces and names."""
    try:
        return bool(json.loads(path.read_bytes()) == json.loads(content))
    except (OSError, ValueError, RecursionError):
        return False


def _kind(name: str) -> str:
    """'peak' of 'pool5/peak'; a layer's own name may have slashes."""
    return name.rsplit("/", 1)[1]


#: The disk does not let anything be written there, however much space is free.
_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


def _temporary_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="scenelens-index-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
