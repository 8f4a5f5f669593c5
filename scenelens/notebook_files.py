"""The workbook's notebooks, copied to where a reader may change them.

A list of digests beside the copies says how each was written. So a copy that its reader has changed is known,
and is never replaced unless asked; one that nobody has changed is brought up to date.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from scenelens.errors import SceneLensError
from scenelens.files import replace_file
from scenelens.installation import HERE

_LIST = ".scenelens-notebooks.json"


def own_notebooks() -> Path:
    """Find the notebooks that a command takes by itself; without a checkout, copy them to notebooks/ here.

    Returns
    -------
    pathlib.Path
        The folder of a checkout's notebooks, or that of the copies.

    Raises
    ------
    SceneLensError
        If notebooks/ here is no folder.
    """
    if HERE.is_checkout:
        return HERE.notebooks
    folder = Path("notebooks")
    if not any(folder.glob("*.ipynb")):
        print("\n".join(_copy_notebooks(folder, force=False)))
    return folder


def _copy_notebooks(folder: Path, force: bool) -> list[str]:
    """Copy every notebook and the glossary into a folder; return what was done, one sentence a line.

    A copy that its reader has changed stays unless `force` is set.
    """
    if folder.exists() and folder.resolve() == HERE.notebooks.resolve():
        raise SceneLensError(f"{folder} is where the notebooks are; choose another folder.")
    if folder.exists() and not folder.is_dir():
        raise SceneLensError(f"{folder} is no folder; choose another name.")
    known = _written(folder)
    kept, written = [], 0
    for path in [*sorted(HERE.notebooks.glob("*.ipynb")), *HERE.notebooks.glob("*.md")]:
        content = path.read_bytes()
        copy = folder / path.name
        if not force and _is_changed(copy, content, known.get(path.name)):
            kept.append(path.name)
            continue
        written += path.suffix == ".ipynb" and not (copy.is_file() and copy.read_bytes() == content)
        replace_file(copy, content)
        known[path.name] = _digest(content)
    replace_file(folder / _LIST, (json.dumps(known, indent=1) + "\n").encode())
    return list(_report(folder, written, kept))


def _written(folder: Path) -> dict[str, str]:
    """Digests of the copies as they were written; empty where nothing is known."""
    try:
        found = json.loads((folder / _LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_changed(copy: Path, content: bytes, digest: str | None) -> bool:
    """Whether something is there that is neither the notebook nor an earlier copy of it."""
    if not copy.exists():
        return False
    return not copy.is_file() or _digest(copy.read_bytes()) not in (_digest(content), digest)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _report(folder: Path, written: int, kept: list[str]) -> Iterator[str]:
    yield f"{written} notebook{'s' * (written != 1)} written into {folder.absolute()}."
    for name in kept:
        yield f"{name} is kept: it was changed there. --force replaces it."
