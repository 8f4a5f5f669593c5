"""The images that a study.toml lists: their ids, categories and splits, and the files that they mean."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from scenelens.images import find_images

#: Folders of these names, where there are no others beside them, are splits of a data set and no categories.
_SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}


def _category_of(path: Path, folder: Path, by: str) -> str:
    """An image's category: the path of its folder, or (by "file name") its name without ImageNet's number.

    An image that lies in the listed folder itself has none.

    >>> _category_of(Path("photos/l/lamp/a.jpg"), Path("photos"), "folder")
    'l/lamp'
    >>> _category_of(Path("photos/a.jpg"), Path("photos"), "folder")
    ''
    >>> files = [Path("photos/n01440764_tench.jpg"), Path("photos/n01440764_10026.JPEG")]
    >>> [_category_of(file, Path("photos"), "file name") for file in files]
    ['tench', 'n01440764']
    """
    if by == "file name":
        # In ImageNet's own files the number of the class is all that tells: n01440764_10026.JPEG.
        found = re.fullmatch(r"(n\d{8})_(?:\d+(?:_n\d{8})?|(.+))", path.stem)
        return (found[2] or found[1]) if found else path.stem
    return "/".join(path.relative_to(folder).parts[:-1])


def _ids(paths: Iterable[Path], folders: Sequence[Path]) -> list[str]:
    """The ids of images: their paths below the folder that all [[images]] share.

    A study that is copied to another machine keeps its ids, and with them its cached results.

    >>> _ids([Path("photos/a/1.jpg")], [Path("photos/a"), Path("photos/b")])
    ['a/1.jpg']
    """
    try:
        base = Path(os.path.commonpath(folders))
    except ValueError:  # on several drives of Windows
        return [path.as_posix().replace(":", "", 1) for path in paths]
    return [path.relative_to(base).as_posix() for path in paths]


def _without_splits(categories: list[str]) -> tuple[list[str] | None, list[str]]:
    """The splits and the categories of images whose uppermost folders are all splits of a data set.

    >>> _without_splits(["train/attic", "val/attic", "val/cave"])
    (['train', 'val', 'val'], ['attic', 'attic', 'cave'])
    >>> _without_splits(["train/attic", "station"])
    (None, ['train/attic', 'station'])
    """
    tops = [one.partition("/")[0] for one in categories]
    if not tops or not {one.lower() for one in tops} <= _SPLITS:
        return None, categories
    return tops, [one.partition("/")[2] for one in categories]


def _without_letters(categories: list[str]) -> dict[str, str]:
    """Categories as they are called: in Places' layout each lies in a folder of its first letter.

    >>> _without_letters(["a/abbey", "d/desert/sand"])
    {'a/abbey': 'abbey', 'd/desert/sand': 'desert/sand'}
    >>> _without_letters(["a/abbey", "b/abbey"])
    {'a/abbey': 'a/abbey', 'b/abbey': 'b/abbey'}
    """
    short = {one: re.sub(r"^(\w)/(?=\1)", "", one, flags=re.IGNORECASE) for one in categories}
    lettered = all(one != name for one, name in short.items() if one)
    return short if lettered else {one: one for one in categories}


def _spread(paths: Iterable[Path], folder: Path, by: str, limit: int) -> list[Path]:
    """At most `limit` images, from the categories in turn, so that every category keeps about as many."""
    piles: dict[str, list[Path]] = {}
    for path in paths:
        piles.setdefault(_category_of(path, folder, by), []).append(path)
    ranked = [(place, path) for pile in piles.values() for place, path in enumerate(pile)]
    return sorted(path for _, path in sorted(ranked)[:limit])


def _listed(entry: dict, folder: Path) -> pd.DataFrame:
    """The rows of one [[images]] table, without ids."""
    by, names = entry.get("category", "folder"), entry.get("categories", {})
    paths = find_images(folder)
    if "limit" in entry:
        paths = _spread(paths, folder, by, entry["limit"])
    categories = [_category_of(path, folder, by) for path in paths]
    splits, inner = _without_splits(categories) if by == "folder" else (None, categories)
    short = _without_letters(inner) if by == "folder" else {}
    called = [short.get(one, one) for one in inner]
    return pd.DataFrame(
        {
            "path": paths,
            "source": entry["source"],
            "category": [
                names.get(written, names.get(one, one))
                for written, one in zip(categories, called, strict=True)
            ],
            "split": entry.get("split") or splits or "test",
        }
    )
