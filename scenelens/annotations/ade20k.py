"""ADE20K's annotations: JSON files of polygons, parts and depth order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from scenelens.annotations.file_checks import MOST_OBJECTS, Repair, _FileChecks
from scenelens.annotations.names import _plain_text, normalise_name
from scenelens.annotations.outlined import AnnotatedObject, Annotation, PolygonAnnotations
from scenelens.annotations.sources import SourceFile
from scenelens.errors import SceneLensError


class ADE20K(PolygonAnnotations):
    """Photographs with ADE20K's JSON of polygons, parts and depth order.

    Photographs lie in root/images, or below root itself. The JSON of each lies next to it, as in the data
    set, or at the same place below root/annotations_full or root/annotations. Of a name's synonyms ("floor,
    flooring") the first is taken. The data set's own masks next to its photographs are not read.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder.
    cache : str or pathlib.Path, optional
        A folder for the table of objects (default: the table stays in memory only).
    images : str or pathlib.Path, optional
        The folder of the photographs (default: root/images, or root).
    labels : str or pathlib.Path, optional
        The folder of the JSON files (default: those named above).

    Raises
    ------
    SceneLensError
        If no photograph has an annotation.

    Notes
    -----
    Objects are painted like LabelMe's (see `Annotation.paint`), not by the file's `depth_ordering_rank`. On
    20 images that order agreed with the data set's own masks in 89% to 99.6% of the pixels (98% on average),
    and the rank in as few as 65%.
    """

    _reads_in_processes = True

    def __init__(
        self,
        root: str | Path,
        cache: str | Path | None = None,
        images: str | Path | None = None,
        labels: str | Path | None = None,
    ) -> None:
        root, notes = Path(root), list[tuple[str, str, str]]()
        base = Path(images or SourceFile.subfolder(root, "images") or root)
        found = self._photographs_below(base, notes)
        places = [Path(labels)] if labels else [base, root / "annotations_full", root / "annotations"]
        sources = SourceFile.pairs(found, places, ".json")
        if not sources:
            raise SceneLensError(
                f"{root} contains no ADE20K annotation: a .json of the same name as a photograph{_old(base)}."
            )
        missing = (image for image in found if image not in sources and not _MASK.search(image))
        notes += [(image, "not annotated", str(found[image])) for image in missing]
        super().__init__({image: found[image] for image in sources}, sources, cache, notes)

    def scene(self, image: str) -> str:
        """The scene category: the last of the file's list ['indoor', 'home or hotel', 'bathroom'].

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        str
            The category; the image's folder where the file has no list or cannot be read, which the report
            says.
        """
        self._check_image(image)
        try:
            named = self._content(image)[0].get("scene")
        except SceneLensError:
            named = None
        last = named[-1] if isinstance(named, list) and named else named
        return _plain_text(last) or super().scene(image)

    def annotation(self, image: str) -> Annotation:
        """One image's annotation.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        Annotation
            With a size that can be trusted; see `Annotation.drawn_on`.
        """
        self._check_image(image)
        source = self.sources[image]
        found = _parsed(source, SourceFile(source).stamp())
        return self._placed(replace(found, filename=Path(image).name), image)

    def _content(self, image: str) -> tuple[dict[str, Any], bool]:
        source = self.sources[image]
        return _ade_content(source, SourceFile(source).stamp())


# The data set's own masks, which lie next to its photographs.
_MASK = re.compile(r"_(seg|parts_\d+)\.png$|/instance_[^/]*\.png$", re.I)


def _old(folder: Path) -> str:
    """What to do with the data set's release of 2016, as the rest of a sentence; '' for other folders."""
    if not any(path.name.lower().endswith("_atr.txt") for path in folder.rglob("*.[tT][xX][tT]")):
        return ""
    return (
        ". It has the files of the release of 2016 (_atr.txt, _seg.png), which are not read: take the "
        "release of 2021, which has the same photographs with JSON"
    )


# An image's scene and annotation are usually read in a row. `changed` is the file's `stamp`: one that was
# edited is read again.
@lru_cache(maxsize=2)
def _ade_content(path: Path, changed: tuple[int, int]) -> tuple[dict[str, Any], bool]:
    """The file's `annotation`, with a list of objects, and whether its encoding is certain."""
    try:
        whole, certain = SourceFile(path).json("an ADE20K annotation")
        content = whole["annotation"]
        objects = content["object"]
        # A file with one object may have it without a list around it.
        content["object"] = [objects] if isinstance(objects, dict) else list(objects)
    except (KeyError, TypeError, IndexError) as error:
        raise SceneLensError(
            f"{path} is not an ADE20K annotation ({type(error).__name__}: {error}); repair it or leave it "
            "out."
        ) from None
    return content, certain


# As for LabelMe's XML; see `scenelens.annotations.sun`.
@lru_cache(maxsize=4096)
def _parsed(path: Path, changed: tuple[int, int]) -> Annotation:
    content, certain = _ade_content(path, changed)
    stated = content.get("imsize")
    notes = [] if certain else [Repair("text encoding", path.name)]
    size = _FileChecks.size(*stated[:2]) if isinstance(stated, list) and len(stated) > 1 else None
    if stated and size is None:
        notes.append(Repair("imagesize", "imsize is not a height and a width"))
    things = _ade_objects(content["object"], notes)
    for one in things:
        label = f"object {one.instance} ({one.name})"
        notes += [Repair(kind, label) for kind in one.shape_repairs(size)]
    return Annotation(path.name, _plain_text(content.get("folder")), size, tuple(things), tuple(notes))


def _ade_objects(items: list[Any], notes: list[Repair]) -> list[AnnotatedObject]:
    """The objects that have an area; the others are noted."""
    allowance, found = _FileChecks(), list[AnnotatedObject]()
    items, n = items[:MOST_OBJECTS], len(items)
    numbers = _FileChecks.free_numbers(_FileChecks.number(_mapping(item).get("id")) for item in items)
    for item, number in zip(items, numbers, strict=True):
        if not isinstance(item, Mapping):
            notes.append(Repair("not an object", f"object {number}"))
        elif allowance.takes(_n_points(_mapping(item.get("polygon")))):
            one = _ade_object(item, number, notes)
            found += [one] if one.polygons else []
    notes += allowance.notes(n)
    return found


def _ade_object(item: Mapping[str, Any], number: int, notes: list[Repair]) -> AnnotatedObject:
    """One object. Where it has no area it gets no polygon, and that is noted."""
    raw = _plain_text(item.get("name")) or _plain_text(item.get("raw_name"))
    name, states = normalise_name(raw.split(",")[0])
    if not name:
        notes.append(Repair("no name", f"object {number}"))
    label = f"object {number} ({raw})"
    polygon = _ade_polygon(_mapping(item.get("polygon")), label, notes)
    if polygon is None:
        notes.append(Repair("no area", label))
    whole = _mapping(item.get("parts")).get("ispartof")
    whole = whole[0] if isinstance(whole, list) and whole else whole
    attributes = item.get("attributes")
    words = attributes if isinstance(attributes, list) else [attributes]
    return AnnotatedObject(
        name or "unnamed",
        () if polygon is None else (polygon,),
        _plain_text(item.get("raw_name")) or raw,
        number,
        _FileChecks.number(whole),
        (*states, "crop") if _plain_text(item.get("crop")) == "1" else states,
        _plain_text(", ".join(filter(None, map(_plain_text, words)))),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object, or an empty one where the file has something else."""
    return value if isinstance(value, Mapping) else {}


def _n_points(polygon: Mapping[str, Any]) -> int:
    xs = polygon.get("x")
    return len(xs) if isinstance(xs, list) else 1


def _ade_polygon(polygon: Mapping[str, Any], label: str, notes: list[Repair]) -> np.ndarray | None:
    xs, ys = polygon.get("x"), polygon.get("y")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        return None
    return _FileChecks.outline([*zip(xs, ys, strict=True)], label, notes)
