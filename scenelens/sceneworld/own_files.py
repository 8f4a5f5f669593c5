"""Which files of a world's folder SceneWorld wrote: only these are ever deleted or replaced.

A finished world has a record of its files, ``sceneworld-files.json``: path -> digest of the content. A file that differs
from the record was changed by its reader. It is moved into the folder ``changed``, never deleted. Files that SceneWorld
did not write stay where they are.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from scenelens.caches import read_cached
from scenelens.errors import SceneLensError
from scenelens.files import replace_file

__all__ = ["check_folder_is_free", "record_files", "remove_files", "set_files_aside", "sweep_drafts"]

_FOLDERS = ("Images", "Annotations", "Labels")
_RECORD = "sceneworld-files.json"
_SET_ASIDE = "changed"
_DRAFT = re.compile(r"\.(.+\.(?:jpg|xml|png|json))\..+")  # how `write_whole` calls a file that is not complete


def check_folder_is_free(root: Path) -> None:
    """Check that a folder in which SceneWorld has not rendered yet contains no images or annotations.

    Parameters
    ----------
    root : pathlib.Path
        The folder; it need not exist.

    Raises
    ------
    SceneLensError
        If it is a file, or there is anything in its folders Images, Annotations or Labels.
    """
    if root.exists() and not root.is_dir():
        raise SceneLensError(f"{root} is a file, not a folder for SceneWorld's images; choose another folder.")
    for name in _FOLDERS:
        folder = root / name
        first = folder if folder.is_symlink() or folder.is_file() else _first_file(folder)
        if first is not None:
            raise SceneLensError(
                f"{root} holds files that SceneWorld did not write, such as {first}; choose another folder, "
                "so that none of them is replaced."
            )


def _first_file(folder: Path) -> Path | None:
    return next((path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()), None)


def record_files(root: Path, names: Iterable[str]) -> None:
    """Write the record of a world's files. Without it, `remove_files` goes by the time of the last change.

    Parameters
    ----------
    root : pathlib.Path
        The world's folder.
    names : iterable of str
        The paths of its files, relative to `root`.
    """
    record = {name: _digest(root / name) for name in names}
    replace_file(root / _RECORD, json.dumps(record, indent=0).encode())


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def remove_files(root: Path, names: Iterable[str], finished_at: float | None) -> int:
    """Delete files that SceneWorld wrote; move those that their reader has changed since.

    Parameters
    ----------
    root : pathlib.Path
        The world's folder.
    names : iterable of str
        The paths of the files that SceneWorld wrote, relative to `root`.
    finished_at : float or None
        When the world was finished, in seconds. A world without a record, as earlier versions left it, has no other
        sign of a changed file than a later time. None for an unfinished world.

    Returns
    -------
    int
        How many files were moved into the folder ``changed``.
    """
    record = _read_record(root)
    moved = 0
    for name in [*dict.fromkeys([*names, *record])]:
        path = root / name
        if not path.is_file() or not _is_inside(root, path):
            continue
        if _is_changed(path, record.get(name), finished_at):
            moved += set_files_aside(root, [name])
        else:
            path.unlink()
    (root / _RECORD).unlink(missing_ok=True)
    _remove_empty_folders(root)
    return moved


def _read_record(root: Path) -> dict[str, str]:
    found = read_cached(root / _RECORD, json.loads, aside=False)
    if not isinstance(found, dict):
        return {}
    # The record is a file like any other, and may have been written by anyone.
    return {name: digest for name, digest in found.items() if name.split("/")[0] in _FOLDERS and ".." not in name}


def _is_inside(root: Path, path: Path) -> bool:
    """Whether a file really lies in the folder: a reader may have put a link in place of Images."""
    return not path.is_symlink() and path.resolve().is_relative_to(root.resolve())


def _is_changed(path: Path, digest: str | None, finished_at: float | None) -> bool:
    if digest is not None:
        return _digest(path) != digest
    return finished_at is not None and path.stat().st_mtime > finished_at + 1  # some disks count whole seconds


def set_files_aside(root: Path, names: Iterable[str]) -> int:
    """Move files that are about to be replaced, but are not SceneWorld's, into the folder ``changed``.

    Parameters
    ----------
    root : pathlib.Path
        The world's folder.
    names : iterable of str
        Paths relative to `root`; those without a file are left out.

    Returns
    -------
    int
        How many files were moved.
    """
    there = [name for name in names if os.path.lexists(root / name)]
    for name in there:
        target = root / _SET_ASIDE / name
        number = 0
        while os.path.lexists(target):  # from an earlier time
            number += 1
            target = (root / _SET_ASIDE / name).with_suffix(f".{number}{Path(name).suffix}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(root / name, target)
    return len(there)


def _remove_empty_folders(root: Path) -> None:
    for top in _FOLDERS:
        for folder, _, _ in os.walk(root / top, topdown=False):
            with contextlib.suppress(OSError):  # not empty
                os.rmdir(folder)


def sweep_drafts(root: Path, names: Iterable[str]) -> None:
    """Remove the incomplete files that a killed process left next to a world's files.

    Parameters
    ----------
    root : pathlib.Path
        The world's folder. No other process may be rendering into it.
    names : iterable of str
        The paths of the world's files, relative to `root`.
    """
    own = {root / name for name in (*names, _RECORD)}
    for folder in {path.parent for path in own}:
        for draft in folder.glob(".*"):
            match = _DRAFT.fullmatch(draft.name)
            if match and folder / match[1] in own:
                with contextlib.suppress(OSError):
                    draft.unlink()
