"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenelens.errors import SceneLensError

#: MERGED DOC: study.toml: read and checked key by key, so that a slip of the pen ends in a sentence and not in a wrong
# result.
#: MERGED DOC: What an index depends on: if one of these changes, the numbers in it are no longer true.
#
# The key of an index is a hash over the network's weights and architecture, its preprocessing, the pixels of
# every image in their order, the layers asked for, and the versions of the libraries that computed it. Images
# count by what is in the files, not by their time stamps, so a copied folder, another checkout or a second
# machine arrives at the same key; the digests are remembered beside the index by (size, time stamp), so that
# an unchanged folder is not read twice.
#


def write_whole(path: Path, content: bytes, durable: bool = False) -> None:
    """Write a file beside its place and move it there in one step; its folder is made where it is missing.

    A reader, or a process that is killed, sees the old file or the new one. Nothing is forced to the disk
    unless it must be `durable`: for thousands of files that can be made again, waiting costs too much.

    Raises
    ------
    OSError : the file cannot be written; nothing is left behind.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "new", "a.txt"), b"hello")
    ...     Path(folder, "new", "a.txt").read_bytes()
    b'hello'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(draft, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def replace_file(path: str | Path, content: bytes, durable: bool = False) -> None:
    """As `write_whole`, for what a reader asked for: a file that cannot be written ends in one sentence."""
    try:
        write_whole(Path(path), content, durable)
    except OSError as error:
        raise SceneLensError(
            f"{path} cannot be written ({error.strerror}); free space or choose a folder."
        ) from None


def data_folder() -> Path:
    """The folder data/ beside the package, or the one that the variable SCENELENS_DATA names."""
    given = os.environ.get("SCENELENS_DATA")
    return Path(given) if given else Path(__file__).resolve().parents[1] / "data"


def digest_text(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def stable_text(value: Any) -> str:
    """A text that is equal exactly where two values are equal; arrays count in full (their repr leaves
    numbers out).

    Examples
    --------
    >>> long = np.zeros(5000)
    >>> other = long.copy()
    >>> other[2500] = 1
    >>> repr(long) == repr(other), stable_text(long) == stable_text(other)
    (True, False)
    """
    if is_dataclass(value) and not isinstance(value, type):
        pairs = [(one.name, getattr(value, one.name)) for one in fields(value)]
        return f"{type(value).__name__}{stable_text(pairs)}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key!r}:{stable_text(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(stable_text(one) for one in value) + "]"
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        raw = np.ascontiguousarray(value)
        return f"array({raw.dtype},{raw.shape},{hashlib.sha256(raw.tobytes()).hexdigest()})"
    return repr(value)


def image_digests(ids: Iterable[str], paths: Iterable[str | Path], memory: Path) -> list[tuple[str, str]]:
    """(image id, SHA-256 of the file) for every image; a missing file counts as 'missing'.

    Parameters
    ----------
    ids, paths : one id and one file per image.
    memory : a JSON file where digests are remembered by (size, time of the last change in ns).
    """
    known = _remembered(memory)
    fresh: dict[str, list[Any]] = {}
    digests = []
    for image, path in zip(ids, paths, strict=True):
        name = str(Path(path).absolute())
        fresh[name] = _stamped_digest(name, known.get(name))
        digests.append((str(image), fresh[name][2]))
    if any(known.get(name) != entry for name, entry in fresh.items()):
        write_whole(memory, json.dumps(known | fresh).encode())
    return digests


def _remembered(memory: Path) -> dict[str, list[Any]]:
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _stamped_digest(name: str, known: list[Any] | None) -> list[Any]:
    try:
        stat = os.stat(name)
        if known and known[:2] == [stat.st_size, stat.st_mtime_ns]:
            return known
        with open(name, "rb") as file:
            return [stat.st_size, stat.st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest()]
    except OSError:
        return [0, 0, "missing"]
