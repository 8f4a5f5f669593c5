"""A study's annotations: one folder or several, each in a format of its own, behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scenelens.annotations import ADE20K, AnnotatedImages, Annotations, ColourMasks
from scenelens.errors import close_names
from scenelens.studies.study_file import StudyFile


def _sun(root: Path, cache: Path, entry: Mapping[str, Any]) -> Annotations:
    return AnnotatedImages(root, cache)


def _ade20k(root: Path, cache: Path, entry: Mapping[str, Any]) -> Annotations:
    return ADE20K(root, cache)


def _colour_mask(root: Path, cache: Path, entry: Mapping[str, Any]) -> Annotations:
    return ColourMasks(root, entry.get("colours", {}), cache)


#: Format of annotations -> what opens a folder of them, given a folder to cache in and the study's table.
#: Add to it to bring another format.
ANNOTATION_FORMATS: dict[str, Callable[[Path, Path, Mapping[str, Any]], Annotations]] = {
    "sun": _sun,
    "ade20k": _ade20k,
    "colour-mask": _colour_mask,
}


def set_name(entry: Mapping[str, Any]) -> str:
    """What an [[annotations]] table is called: its key ``name``, or else its folder's name.

    >>> set_name({"root": "photos/facade"})
    'facade'
    """
    return entry.get("name") or Path(entry["root"]).name


def open_sets(file: StudyFile, cache: Path) -> dict[str, Annotations]:
    """Open every annotated folder that a study names, in the file's order; none is an empty dict.

    Raises
    ------
    SceneLensError : an unknown format (close names are given), a missing folder, one without annotations, a
        name given twice.
    """
    opened: dict[str, Annotations] = {}
    for entry in file.annotations:
        opener = ANNOTATION_FORMATS.get(entry["format"])
        if opener is None:
            close = close_names(entry["format"], ANNOTATION_FORMATS)
            raise file.error("annotations", f"format = {entry['format']!r} is unknown; {close}.")
        name = set_name(entry)
        if name in opened:
            raise file.error("annotations", f"two sets are called {name!r}; give each its own name.")
        opened[name] = opener(file.existing("annotations", entry["root"]), cache, entry)
    return opened
