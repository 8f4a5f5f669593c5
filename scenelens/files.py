"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from scenelens.errors import SceneLensError


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
