"""Cached results: files that end in their checksum, are verified when read, and are made again if damaged.

A result that takes minutes to compute is written to a file whose name contains a key of everything that it
depends on (`scenelens.files.cache_key`). `cached` reads that file where it exists and is whole; otherwise it
computes the result and writes the file. A damaged file costs time only: it is renamed to ``<name>.damaged``,
a sentence on stderr says so, and the result is computed again. A folder that cannot be written costs time
only, too: the result is returned and not kept.

The last line of a file is the CRC-32 of all bytes before it: 32 bits, written as spaces and tabs. Every
reader of JSON and of .npz files ignores such a line, so earlier versions of this package read these files,
too. Files of earlier versions have no such line. They are not used, because nobody can say whether they are
whole, and their results are computed again.

``scenelens caches`` lists, verifies and prunes the files below a folder. ``seal`` adds checksums to
files of earlier versions, for a reader who trusts them.

>>> import tempfile
>>> path = Path(tempfile.mkdtemp(), "squares.json")
>>> cached(path, lambda: [1, 4, 9], pack=lambda value: json.dumps(value).encode(), unpack=json.loads)
[1, 4, 9]
>>> cached(path, lambda: 1 / 0, pack=lambda value: json.dumps(value).encode(), unpack=json.loads)
[1, 4, 9]
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import io
import json
import os
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import filelock
import numpy as np

from scenelens.files import Drafts, digest, write_whole
from scenelens.installation import HERE
from scenelens.progress import say_on_stderr

T = TypeVar("T")

#: Ends the name of the folder in which work keeps its state until its file is written; see `unfinished`.
UNFINISHED = ".unfinished"

_SEAL = 1 + 32 + 1  # bytes of the last line: a line end, one byte for each bit, a line end
_BITS = bytes.maketrans(b"01", b" \t")
#: What was already said, and the folders whose leftovers were already removed: once per process is enough.
_SAID: set[str] = set()
_SWEPT: set[Path] = set()
_NOT_KEPT: set[Path] = set()


def cached(
    path: Path | None, make: Callable[[], T], pack: Callable[[T], bytes], unpack: Callable[[bytes], T]
) -> T:
    """Return the result in a cache file; where it cannot be read, compute it and write the file.

    Where two threads or processes need the same result at the same time, one computes it and the others wait.

    Parameters
    ----------
    path : Path or None
        The cache file. Its name must contain a key of everything the result depends on; see `cache_key`.
        None computes the result and writes nothing.
    make : callable
        Computes the result; called without arguments, only where the file cannot be read.
    pack : callable
        Turns the result into the file's bytes.
    unpack : callable
        Turns the file's bytes into the result. What it raises, for example a ValueError where the content
        does not make sense, means that the file is damaged.

    Returns
    -------
    object
        What `unpack` or `make` returned. A result that cannot be written is returned all the same.

    Examples
    --------
    >>> cached(None, lambda: 5, pack=lambda n: b"%d" % n, unpack=int)
    5
    """
    if path is None:
        return make()
    found = read_cached(path, unpack)
    if found is not None:
        return found
    with one_writer(path):
        found = read_cached(path, unpack)  # another process may have made it while this one waited
        if found is None:
            found = make()
            keep(path, pack(found))
    return found


def read_cached(
    path: Path, unpack: Callable[[bytes], T], aside: bool = True, checksum: bool | None = None
) -> T | None:
    """Return the result in a cache file, or None where the file is missing or damaged.

    Parameters
    ----------
    path : Path
        The cache file.
    unpack : callable
        Turns the file's bytes, without the checksum, into the result; see `cached`.
    aside : bool, optional
        Whether a damaged file is renamed to ``<name>.damaged`` (default). Data that come with a study are
        not renamed.
    checksum : bool, optional
        Whether a file must have a checksum. By default a file that may be renamed must; a wrong checksum is
        never accepted.

    Returns
    -------
    object or None
        What `unpack` returned. None where the file is missing or cannot be opened, where its checksum is
        wrong or missing, and where `unpack` raised an error; the last two are said on stderr.

    Examples
    --------
    >>> read_cached(Path("no such folder/file"), json.loads) is None
    True
    """
    if aside:
        _sweep_once(path.parent)
    try:
        content = path.read_bytes()
    except OSError:
        return None
    try:
        body = _unsealed(content)
        found = unpack(body)
    except Exception as error:
        # Whatever a library makes of wrong bytes, the answer is the same: the file is of no use.
        set_aside(path, error, aside)
        return None
    if len(body) == len(content) and (aside if checksum is None else checksum):
        _say_once(
            f"{path.parent} has results of an earlier version, without checksums; they are computed again. "
            f"If you trust them, stop and run `{HERE.call('caches', 'seal', path.parent)}` first."
        )
        return None
    # Left by a process that was killed after it had written the result.
    shutil.rmtree(path.with_name(path.name + UNFINISHED), ignore_errors=True)
    return found


def keep(path: Path, content: bytes, durable: bool = False) -> bool:
    """Write a cache file with its checksum; where that is impossible, say so once and go on.

    The state of the work that led to it is removed; see `unfinished`.

    Parameters
    ----------
    path : Path
        The cache file.
    content : bytes
        Its content, without the checksum.
    durable : bool, optional
        Wait until the content is on the disk.

    Returns
    -------
    bool
        Whether the file was written.
    """
    _sweep_once(path.parent)
    try:
        write_whole(path, sealed(content), durable)
    except OSError as error:
        say_not_kept(path.parent, error)
        return False
    shutil.rmtree(path.with_name(path.name + UNFINISHED), ignore_errors=True)
    return True


def say_not_kept(folder: Path, error: OSError) -> None:
    """Say, once for neighbouring folders, that results are used but not kept.

    Parameters
    ----------
    folder : Path
        The folder that cannot be written.
    error : OSError
        The cause.
    """
    if any(folder == one or folder in one.parents or one in folder.parents for one in _NOT_KEPT):
        return
    # A study's results lie in several folders of one parent; one sentence is enough for all of them.
    _NOT_KEPT.update([folder, folder.parent])
    _say_once(
        f"results cannot be kept in {folder} ({error.strerror or error}); they are used all the same, and "
        "computed again next time. Set SCENELENS_CACHE to a folder that can be written."
    )


def _say_once(text: str) -> None:
    """Write a sentence to stderr, unless this process already has."""
    if text not in _SAID:
        _SAID.add(text)
        say_on_stderr(text)


def sealed(content: bytes) -> bytes:
    """Return a file's content followed by the line with its checksum.

    Parameters
    ----------
    content : bytes
        The content.

    Returns
    -------
    bytes
        The bytes to write; see `_unsealed`.

    Examples
    --------
    >>> _unsealed(sealed(b"[1, 2]"))
    b'[1, 2]'
    """
    return content + b"\n" + f"{zlib.crc32(content):032b}".encode().translate(_BITS) + b"\n"


def _unsealed(content: bytes) -> bytes:
    """Return a file's content without its checksum, which is verified.

    Parameters
    ----------
    content : bytes
        The bytes of the file.

    Returns
    -------
    bytes
        The content; all bytes where there is no checksum.

    Raises
    ------
    ValueError
        If the checksum is not that of the content.
    """
    body, line = content[:-_SEAL], content[-_SEAL:]
    if line == sealed(body)[-_SEAL:]:
        return body
    # The line itself may be damaged. As many spaces still tell it from data, which never end in them.
    if sum(byte in b" \t\n" for byte in line) > _SEAL // 2:
        raise ValueError("its checksum is wrong")
    return content


def set_aside(path: Path, error: object, rename: bool = True) -> None:
    """Say that a cache file is damaged, and rename it, so that it is made again.

    Parameters
    ----------
    path : Path
        The file.
    error : object
        What is wrong with it.
    rename : bool, optional
        Whether to rename it to ``<name>.damaged``.
    """
    moved = ""
    if rename:
        with contextlib.suppress(OSError):  # in a folder that cannot be written it stays where it is
            os.replace(path, path.with_name(f"{path.name}.damaged"))
            moved = f"; it is now called {path.name}.damaged"
    why = str(error) or type(error).__name__
    _say_once(f"{path} is damaged ({why.splitlines()[0]}) and not used{moved}.")


def _sweep_once(folder: Path) -> None:
    if folder not in _SWEPT:
        _SWEPT.add(folder)
        Drafts.sweep(folder)


@contextlib.contextmanager
def one_writer(path: Path) -> Iterator[None]:
    """Let one thread of one process make a file, and others wait until it is made.

    The lock lies in the machine's folder for temporary files, not in the cache, which may be read-only. It
    only saves work: files are written atomically, so that two machines that make the same file do no harm.

    Parameters
    ----------
    path : Path
        The file that will be made.

    Yields
    ------
    None
        While no other process of this machine makes the file.
    """
    lock = filelock.FileLock(_lock_folder() / f"{digest(str(path.absolute()))[:24]}.lock", thread_local=False)
    try:
        Path(lock.lock_file).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            say_on_stderr(f"Another process or thread is computing {path.name}; waiting for it.")
            lock.acquire()
    except OSError:  # no lock, so perhaps the same work twice
        yield
        return
    try:
        yield
    finally:
        # Removed while it is locked: there would be as many empty files as results. Windows does not let an
        # open file be removed; there filelock removes it when it is released.
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


def _lock_folder() -> Path:
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such name in a container
        user = str(os.getuid()) if hasattr(os, "getuid") else "reader"
    return Path(tempfile.gettempdir(), f"scenelens-locks-{digest(user)[:8]}")


# ---- scenelens caches


def _main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scenelens caches", description="Look after the files of cached results."
    )
    parser.add_argument("what", choices=["list", "verify", "prune", "seal"], help="what to do")
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=HERE.build / "cache",
        help="a study's cache folder, such as build/cache/sceneworld (default: %(default)s)",
    )
    parser.add_argument("--days", type=float, help="prune: also what was not used for so many days")
    given = parser.parse_args(arguments)
    if not given.folder.is_dir():
        print(f"{given.folder} is no folder; a study's cache is build/cache/<name>.", file=sys.stderr)
        return 2
    files = sorted(path for path in given.folder.rglob("*") if path.is_file())
    return {"list": _list, "verify": _verify, "prune": _prune, "seal": _seal}[given.what](given, files)


def _list(given: argparse.Namespace, files: list[Path]) -> int:
    by_folder: dict[str, list[int]] = {}
    for path in files:
        parts = path.relative_to(given.folder).parts
        by_folder.setdefault("/".join(parts[: min(2, len(parts) - 1)]) or ".", []).append(path.stat().st_size)
    for name, sizes in by_folder.items():
        print(f"{sum(sizes) / 1e6:10.1f} MB {len(sizes):7,} files  {name}")
    return 0


def _verify(given: argparse.Namespace, files: list[Path]) -> int:
    """Compare every checksum: that at the end of a file, and those that a marker has of an index's chunks."""
    damaged = missing = 0
    for path in filter(_ends_in_checksum, files):
        try:
            content = path.read_bytes()
            body = _unsealed(content)
            missing += body == content
            if path.parent.name == "done":
                _verify_chunks(path, json.loads(body).get("crc32", {}))
        except (OSError, ValueError, AttributeError) as error:
            damaged += 1
            print(f"{path}: {error}")
    print(f"{len(files):,} files, {damaged} damaged, {missing} of an earlier version without a checksum")
    return 1 if damaged else 0


def _ends_in_checksum(path: Path) -> bool:
    """Whether a file should: no file of an index but its markers, and nothing that was set aside."""
    own = path.parent.name == "done" or not any((up / "inputs.json").exists() for up in path.parents[:5])
    return own and path.suffix in (".json", ".npz")


def _verify_chunks(marker: Path, checksums: dict[str, int]) -> None:
    for name, checksum in checksums.items():
        if zlib.crc32((marker.parent.parent / name).read_bytes()) != checksum:
            raise ValueError(f"the checksum of {name} is wrong")


def _seal(given: argparse.Namespace, files: list[Path]) -> int:
    """Add checksums to files of earlier versions that can be read; whether they are right, nobody knows."""
    sealed_now = damaged = 0
    for path in filter(_ends_in_checksum, files):
        try:
            content = path.read_bytes()
            if _unsealed(content) == content:
                write_whole(path, sealed(_checked(path, content)))
                sealed_now += 1
        except Exception as error:  # libraries raise many kinds of errors on damaged files
            damaged += 1
            print(f"{path}: {error}")
    print(f"{sealed_now:,} files have a checksum now, {damaged} could not be read")
    return 1 if damaged else 0


def _checked(path: Path, content: bytes) -> bytes:
    """The content of a file that can be read; that of a marker with the checksums of its block's chunks."""
    if path.suffix == ".npz":
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            [file[name] for name in file.files]  # compares the archive's own checksums
        return content
    value = json.loads(content.decode().partition("\n")[0] if b"\n" in content else content)
    if path.parent.name != "done":
        return content
    folder = path.parent.parent
    chunks = sorted((folder / "arrays").rglob(f"c.{int(path.stem)}.0"))
    checksums = {one.relative_to(folder).as_posix(): zlib.crc32(one.read_bytes()) for one in chunks}
    return json.dumps(value | {"crc32": checksums}).encode()


def _prune(given: argparse.Namespace, files: list[Path]) -> int:
    """Remove what was set aside, what killed processes left, and (on request) what is old."""
    for folder in {path.parent for path in files}:
        Drafts.sweep(folder)
    removed = freed = 0
    for path in files:
        if not path.is_file():
            continue
        stat = path.stat()
        old = given.days is not None and time.time() - max(stat.st_mtime, stat.st_atime) > given.days * 86400
        if path.name.endswith(".damaged") or old:
            path.unlink()
            removed, freed = removed + 1, freed + stat.st_size
    print(f"{removed:,} files removed, {freed / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
