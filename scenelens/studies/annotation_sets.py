"""The formats of annotations that a study may name, and what opens a folder of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scenelens.annotations import ADE20K, AnnotatedImages, Annotations, ColourMasks


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
