"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from scenelens.errors import SceneLensError


def replace_file(path: str | Path, content: bytes, durable: bool = False) -> None:
    """Write a file beside its place and move it there in one step; its folder is made where it is missing.

    A reader, or a process that is killed, sees the old file or the new one. Nothing is forced to the disk
    unless it must be `durable`: for thousands of files that can be made again, waiting costs too much.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_file(Path(folder, "new", "a.txt"), b"hello")
    ...     Path(folder, "new", "a.txt").read_bytes()
    b'hello'
    """
    path = Path(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(draft, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SceneLensError(
            f"{path} cannot be written ({error.strerror}); free space or choose a folder."
        ) from None
