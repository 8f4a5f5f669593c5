"""Files written atomically, packed arrays, and the keys that say what a cached result depends on.

A result that takes minutes to compute is written to a file whose name contains a key: a hash over everything
the result depends on. `scenelens.caches` reads and writes these files.

>>> cache_key({"version": 1, "n": 3})
'6e47d440b6a5758b'
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import socket
import struct
import time
import tokenize
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scenelens.errors import SceneLensError
from scenelens.sentences import one_line

_DAY = 24 * 60 * 60  # seconds

_LONGEST_NAME = 100  # bytes of a file's name that come from a name; most file systems allow 255 in all
# What some file system does not allow in a name, or takes for something else than a name.
_NOT_IN_FILES = re.compile(r'[/\\:*?"<>|]')
# Devices of Windows: also with an ending, and with a small raised digit.
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³])\s*(\..*)?", re.IGNORECASE)
#: Seconds between tries to move a file. Windows refuses while another program reads the old one.
_TRIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_FORMULA = "=+-@\t\r\n"  # a spreadsheet takes a text that begins with one of these for a formula

# What reading a file that is missing, damaged, or of another kind raises: the file system (OSError), JSON and
# NumPy (ValueError), a missing or wrong entry (KeyError to IndexError), and a damaged .npz archive, which
# may claim to be encrypted (RuntimeError) or packed in an unknown way (NotImplementedError, a RuntimeError).
# NumPy reads the header of an array as Python text (TokenError, SyntaxError; XML's ParseError is one, too).
UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    SyntaxError,
    ArithmeticError,
)


def file_name(name: str) -> str:
    """Return a name as a part of a path: one file or folder, never a way to another place.

    Parameters
    ----------
    name : str
        The name, such as that of a network or a study.

    Returns
    -------
    str
        The name itself where any file system allows it. Otherwise characters that are not allowed are
        replaced, and a few digits of a hash follow, so that different names stay different.

    Examples
    --------
    >>> file_name("conv5")
    'conv5'
    >>> file_name("../up")
    '..-up-8c722b8a'
    """
    plain = _NOT_IN_FILES.sub("-", one_line(name, longest=len(name))).strip(" ")
    plain = plain.encode()[:_LONGEST_NAME].decode(errors="ignore")
    if plain == name and name.strip(".") and not name.endswith(".") and not _RESERVED.fullmatch(name):
        return name
    if _RESERVED.fullmatch(plain):  # an ending does not make a device a file
        plain = plain.replace(".", "-", 1)
    return f"{plain}-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:8]}"


def csv_file(table: pd.DataFrame) -> bytes:
    """Return a table as a CSV file that a spreadsheet opens without computing anything.

    Spreadsheets take a text that begins with = + - or @ for a formula, so such texts get a ' in front.

    Parameters
    ----------
    table : pandas.DataFrame
        The table; its index is not written.

    Returns
    -------
    bytes
        The file, in UTF-8.

    Examples
    --------
    >>> csv_file(pd.DataFrame({"concept": ["lamp", "=1+1"], "n": [3, -4]})).decode().split()
    ['concept,n', 'lamp,3', "'=1+1,-4"]
    """
    # Numbers are written as they are: -4 is no formula.
    texts = table.select_dtypes(exclude="number").columns
    safe = table.assign(**{name: table[name].map(_no_formula) for name in texts})
    return safe.rename(columns=_no_formula).to_csv(index=False).encode(errors="replace")


def _no_formula(cell: Any) -> Any:
    """A cell with a ' before a text that a spreadsheet could take for a formula.

    >>> _no_formula("-2"), _no_formula("lamp"), _no_formula(-2)
    ("'-2", 'lamp', -2)
    """
    if not isinstance(cell, str):
        return cell
    # Spaces and marks without a glyph may stand in front; a full-width sign counts as the sign.
    first = one_line(cell, longest=len(cell)).lstrip()[:1]
    risky = cell[:1] in tuple(_FORMULA) or unicodedata.normalize("NFKC", first) in tuple(_FORMULA)
    # A bare carriage return would not be quoted, and begins a new row.
    cell = cell.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{cell}" if risky else cell


def cache_key(parts: Mapping[str, Any] | Sequence[Any], digits: int = 16, more: bytes = b"") -> str:
    """Return a key that names everything a cached result depends on.

    Parameters
    ----------
    parts : mapping or sequence
        Values that JSON can express. The order of a mapping's names does not count. The order of a sequence
        counts, and so does that of mappings inside it: existing cache files were named in this way.
    digits : int, optional
        Length of the key, at most 64.
    more : bytes, optional
        Bytes that count after the parts, such as the digests of many files.

    Returns
    -------
    str
        The first `digits` hexadecimal digits of a SHA-256.

    Examples
    --------
    >>> cache_key({"weights": "a", "n": 3}) == cache_key({"n": 3, "weights": "a"})
    True
    >>> cache_key([1, "a"]) == cache_key(["a", 1])
    False
    """
    text = json.dumps(parts, sort_keys=isinstance(parts, Mapping))
    return digest(text.encode() + more)[:digits]


class ArrayFile:
    """The content of a compressed .npz file with arrays and a JSON value."""

    @staticmethod
    def pack(
        about: Any,
        arrays: Mapping[str, np.ndarray],
        default: Callable[[Any], Any] | None = None,
        compressed: bool = True,
    ) -> bytes:
        """Return arrays and a JSON value as the bytes of one .npz file; see `unpack`.

        Parameters
        ----------
        about : object
            A value that JSON can express. It becomes the array ``about``, uint8.
        arrays : mapping of str to numpy.ndarray
            The arrays by name, none of them called ``about``.
        default : callable, optional
            Turns values that JSON cannot express into values that it can, as in `json.dumps`.
        compressed : bool, optional
            Whether the arrays are compressed (default), which takes far longer.

        Returns
        -------
        bytes
            The file's content.
        """
        target = io.BytesIO()
        text = np.frombuffer(json.dumps(about, default=default).encode(), np.uint8)
        everything: dict[str, Any] = {"about": text, **arrays}
        (np.savez_compressed if compressed else np.savez)(target, **everything)
        return target.getvalue()

    @staticmethod
    def unpack(content: bytes) -> tuple[Any, dict[str, np.ndarray]]:
        """Return the JSON value and the arrays in the bytes that `pack` made.

        Parameters
        ----------
        content : bytes
            The file's content.

        Returns
        -------
        about : object
            The JSON value.
        arrays : dict of str to numpy.ndarray
            The arrays by name, in their order. Pickled objects are refused.

        Raises
        ------
        UNREADABLE
            If the content is damaged or of another kind.

        Examples
        --------
        >>> about, arrays = ArrayFile.unpack(ArrayFile.pack({"layer": "pool5"}, {"peaks": np.arange(3)}))
        >>> about["layer"], arrays["peaks"].tolist()
        ('pool5', [0, 1, 2])
        """
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return json.loads(arrays.pop("about").tobytes()), arrays


def write_whole(path: Path, content: bytes, durable: bool = False) -> None:
    """Write a file atomically: a reader sees the old content or the new one, never a part of it.

    The content is written next to the file and then moved over it. Folders that are missing are made. If the
    process is killed, the old file stays.

    Parameters
    ----------
    path : Path
        The file to write or to replace.
    content : bytes
        Its content.
    durable : bool, optional
        Wait until the content is on the disk, so that it survives a power failure. For thousands of files
        that can be made again this takes too long, so the default is False.

    Raises
    ------
    OSError
        If the file cannot be written; nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "new", "a.txt"), b"hello")
    ...     Path(folder, "new", "a.txt").read_bytes()
    b'hello'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Drafts.of(path)
    try:
        with open(draft, "xb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Drafts.move(draft, path)
    finally:
        draft.unlink(missing_ok=True)


class Drafts:
    """Files and folders that are prepared under another name and then renamed, and what is left of them."""

    @staticmethod
    def of(path: Path) -> Path:
        """Return a new name next to a file or folder, under which its next content is prepared.

        The name says the process and a digest of the machine's name, so that `sweep` knows whether its
        writer still runs. Two threads, or two containers with the same process number, never get the same
        name.

        Parameters
        ----------
        path : Path
            The file or folder that will be made or replaced.

        Returns
        -------
        Path
            ``.<name>.<process>-<machine>-<random>`` in the same folder.
        """
        # A name of the greatest length that file systems allow (255 bytes) leaves no room for more.
        return path.with_name(f".{path.name[:120]}.{os.getpid()}-{_machine()}-{secrets.token_hex(6)}")

    @staticmethod
    def move(draft: Path, path: Path) -> None:
        """Give a draft its name, in one step.

        Windows refuses to replace a file while another program reads it, such as a second notebook or a virus
        scanner. That takes a moment, so the move is tried again for about a second.

        Parameters
        ----------
        draft : Path
            The file or folder that was prepared.
        path : Path
            Its name. A file that has the name is replaced.

        Raises
        ------
        OSError
            If it cannot be moved.
        """
        for seconds in _TRIES:
            try:
                os.replace(draft, path)
                return
            except PermissionError:
                time.sleep(seconds)
        os.replace(draft, path)

    @staticmethod
    def sweep(folder: Path) -> None:
        """Remove what killed processes left in a folder: their drafts, but not those of a process that runs.

        Parameters
        ----------
        folder : Path
            The folder. It need not exist, and folders in it are not searched.
        """
        with contextlib.suppress(OSError):
            for draft in folder.glob(".*.[0-9]*"):
                if _is_left_over(draft):
                    if draft.is_dir():
                        shutil.rmtree(draft, ignore_errors=True)
                    else:
                        draft.unlink(missing_ok=True)


def _machine() -> str:
    return digest(socket.gethostname())[:8]


# What `Drafts.of` makes, and what earlier versions made of the files and folders of a cache. Other hidden
# files may end in a number, too, and are not ours.
_DRAFT = re.compile(r".+\.(?P<process>\d+)-(?P<machine>[0-9a-f]{8})-[0-9a-f]{12}")
_EARLIER_DRAFT = re.compile(r".+(\.json|\.npz|-[0-9a-f]{16})\.(?P<process>\d+)")


def _is_left_over(draft: Path) -> bool:
    found = _DRAFT.fullmatch(draft.name) or _EARLIER_DRAFT.fullmatch(draft.name)
    if found is None:
        return False
    # A process of another machine cannot be asked whether it runs: its draft is kept for a day.
    if found.groupdict().get("machine", _machine()) != _machine():
        return time.time() - draft.stat().st_mtime > _DAY
    return not _runs(int(found["process"]))


def _runs(process: int) -> bool:
    # It takes long to import, and there is rarely a draft. On Windows os.kill would end the process.
    import psutil

    try:
        return psutil.pid_exists(process)
    except OverflowError:
        return False


def replace_file(path: str | Path, content: bytes, durable: bool = False) -> None:
    """Write a file atomically, as `write_whole`, but raise a SceneLensError where it cannot be written.

    Parameters
    ----------
    path : str or Path
        The file to write or to replace.
    content : bytes
        Its content.
    durable : bool, optional
        Wait until the content is on the disk.

    Raises
    ------
    SceneLensError
        If the file cannot be written; the sentence names the file and the cause.
    """
    try:
        write_whole(Path(path), content, durable)
    except OSError as error:
        raise SceneLensError(
            f"{path} cannot be written ({error.strerror}); free space or choose a folder."
        ) from None


def read_text(path: str | Path) -> str:
    """Read a text file in UTF-8 or UTF-16, with or without the mark that some editors write at its beginning.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    str
        Its text, without the mark; lines end in ``\\n``.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is written in another encoding; the text says how to go on.

    Examples
    --------
    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "names.txt"
    >>> _ = file.write_bytes("Küche".encode("utf-16"))
    >>> read_text(file)
    'Küche'
    """
    content = Path(path).read_bytes()
    two = "utf-16" if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else ""
    if not two and len(content) > 1 and 0 in content[:2] and content[:2] != b"\0\0":
        two = "utf-16-be" if content[0] == 0 else "utf-16-le"  # ASCII in two bytes, without a mark
    try:
        return content.decode(two or "utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not in UTF-8; save it again with the encoding UTF-8") from error


def digest(content: str | bytes) -> str:
    """Return the SHA-256 of a text (as UTF-8) or of bytes.

    Parameters
    ----------
    content : str or bytes
        What is hashed.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> digest("a") == digest(b"a")
    True
    """
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def stable_text(value: Any) -> str:
    """Return a text that is equal exactly where two values are equal, on every machine.

    Parameters
    ----------
    value : object
        A dataclass, mapping, list, tuple, array, tensor, or anything with a stable ``repr``. Mappings count
        in sorted order. Arrays count in full, because the ``repr`` of a long array leaves numbers out.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> long = np.zeros(5000)
    >>> other = long.copy()
    >>> other[2500] = 1
    >>> repr(long) == repr(other), stable_text(long) == stable_text(other)
    (True, False)
    """
    if is_dataclass(value) and not isinstance(value, type):
        # A field that was added later counts only where it says something: older texts stay as they were.
        pairs = [
            (one.name, getattr(value, one.name))
            for one in fields(value)
            if not (one.metadata.get("added later") and getattr(value, one.name) == one.default)
        ]
        return f"{type(value).__name__}{stable_text(pairs)}"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key!r}:{stable_text(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(stable_text(one) for one in value) + "]"
    if hasattr(value, "detach"):  # a torch tensor, without importing torch
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        raw = np.ascontiguousarray(value)
        return f"array({raw.dtype},{raw.shape},{digest(raw.tobytes())})"
    return repr(value)
