"""A study's annotations: one folder or several, each in its own format, behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scenelens.annotations import ADE20K, AnnotatedImages, Annotations, ColourMasks
from scenelens.errors import close_names
from scenelens.studies.study_file import StudyFile, check_name


def _sun(root: Path, cache: Path, entry: Mapping[str, Any]) -> Annotations:
    return AnnotatedImages(root, cache)


def _ade20k(root: Path, cache: Path, entry: Mapping[str, Any]) -> Annotations:
    return ADE20K(root, cache)


def _colour_mask(root: Path, cache: Path, entry: Mapping[str, Any]) -> Annotations:
    return ColourMasks(root, entry.get("colours", {}), cache)


#: Format of annotations -> what opens a folder of them: a function of the folder, a folder to cache in, and
#: the study's [[annotations]] table. Another format needs one more entry.
ANNOTATION_FORMATS: dict[str, Callable[[Path, Path, Mapping[str, Any]], Annotations]] = {
    "sun": _sun,
    "ade20k": _ade20k,
    "colour-mask": _colour_mask,
}


def open_sets(file: StudyFile, cache: Path) -> dict[str, Annotations]:
    """Open every annotated folder that a study names.

    Parameters
    ----------
    file : StudyFile
        The checked study.toml.
    cache : pathlib.Path
        Folder for what is worked out from the annotations.

    Returns
    -------
    dict of str to Annotations
        By name, in the file's order: the table's key ``name``, or else the folder's name. Empty for a study
        without annotations.

    Raises
    ------
    SceneLensError
        If a format is unknown (close names are given), a folder is missing or has no annotations, or two sets
        have the same name.
    """
    opened: dict[str, Annotations] = {}
    for entry in file.annotations:
        opener = ANNOTATION_FORMATS.get(entry["format"])
        if opener is None:
            close = close_names(entry["format"], ANNOTATION_FORMATS)
            raise file.error("annotations", f"format = {entry['format']!r} is unknown; {close}.")
        folder = file.existing("annotations", entry["root"])
        name = entry.get("name") or Path(entry["root"]).name.lstrip(".") or folder.name
        check_name(file, "annotations", name)
        if name in opened:
            raise file.error("annotations", f"two sets are called {name!r}; give each its own name.")
        opened[name] = opener(folder, cache, entry)
    return opened
