"""The JSON files of labelme, the desktop program: polygons, rectangles, circles and small masks."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from scenelens.annotations.file_checks import MOST_OBJECTS, Repair, _FileChecks
from scenelens.annotations.names import _plain_text, normalise_name
from scenelens.annotations.outlined import AnnotatedObject, Annotation, PolygonAnnotations
from scenelens.annotations.polygons import mask_to_polygons
from scenelens.annotations.sources import SourceFile
from scenelens.errors import SceneLensError
from scenelens.images import ImageFrame, load_mask

_MOST_BYTES = 128 << 20  # of one file, which may hold its photograph as text, too
_MOST_MASK = 50_000_000  # pixels of a small mask
_LARGEST_RADIUS = 1e6
_CORNERS = 64  # of the polygon that a circle becomes


class _LabelmeJson(PolygonAnnotations):
    """Photographs with the JSON files of labelme, next to them or in another folder.

    Polygons, rectangles, circles and masks are read. Shapes without an area (points, lines) are left out and
    named in the report. Shapes of one label and one group are pieces of one object.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder of the photographs (or root/images) and of the JSON files (or root/annotations).
    cache, images, labels
        As for `AnnotatedImages`.
    """

    _reads_in_processes = True

    # The program turns a photograph as the camera's tag says, before anything is drawn on it.
    _turns_photographs = True

    def __init__(
        self,
        root: str | Path,
        cache: str | Path | None = None,
        images: str | Path | None = None,
        labels: str | Path | None = None,
    ) -> None:
        root, notes = Path(root), list[tuple[str, str, str]]()
        base = Path(images or SourceFile.subfolder(root, "images", "JPEGImages") or root)
        other = labels or SourceFile.subfolder(root, "annotations", "labels", "json")
        places = [Path(labels)] if labels else [base, *([Path(other)] if other else [])]
        found = self._photographs_below(base, notes)
        sources = SourceFile.pairs(found, places, ".json")
        sources |= _by_path_inside(found, sources, places)
        if not sources:
            raise SceneLensError(
                f"{' and '.join(map(str, places))} contain no annotation (.json) of any image in {base}."
            )
        notes += [
            (image, "not annotated", str(path)) for image, path in found.items() if image not in sources
        ]
        known = set(sources.values())
        lone = (path for place in places for path in sorted(place.rglob("*.json")) if path not in known)
        notes += [(path.name, "no photograph", str(path)) for path in dict.fromkeys(lone)]
        super().__init__({image: found[image] for image in sources}, sources, cache, notes)

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
        return self._placed(_parsed(source, SourceFile(source).stamp()), image)


def _by_path_inside(
    photographs: Mapping[str, Path], known: Mapping[str, Path], places: list[Path]
) -> dict[str, Path]:
    """Files whose name is not the photograph's, by the path that they state."""
    taken, found = set(known.values()), dict[str, Path]()
    if len(known) == len(photographs):
        return found
    names: dict[str, list[str]] = {}
    for image in photographs:
        names.setdefault(SourceFile.spelling(image.rpartition("/")[2]), []).append(image)
    for path in (path for place in places for path in sorted(place.rglob("*.json")) if path not in taken):
        try:
            content, _ = SourceFile(path).json("a labelme annotation", _MOST_BYTES)
        except SceneLensError:
            continue  # a file beside the annotations; nothing says that it is one
        stated = content.get("imagePath") if isinstance(content, dict) else None
        name = SourceFile.spelling(PureWindowsPath(_plain_text(stated)).name)  # knows / and \
        images = [image for image in names.get(name, ()) if image not in known and image not in found]
        if len(images) == 1:
            found[images[0]] = path
    return found


# As for LabelMe's XML; see `scenelens.annotations.sun`.
@lru_cache(maxsize=4096)
def _parsed(path: Path, changed: tuple[int, int]) -> Annotation:
    """The annotation in a file; `changed` is its stamp: one that was edited is read again."""
    content, certain = SourceFile(path).json("a labelme annotation", _MOST_BYTES)
    shapes = content.get("shapes") if isinstance(content, dict) else None
    if not isinstance(shapes, list):
        raise SceneLensError(f"{path} is not a labelme annotation (it has no list of shapes); leave it out.")
    notes = [] if certain else [Repair("text encoding", path.name)]
    size = _FileChecks.size(content.get("imageHeight"), content.get("imageWidth"))
    if size is None:
        notes.append(Repair("imagesize", "imageHeight and imageWidth"))
    objects = tuple(_objects(shapes, notes))
    for one in objects:
        notes += [Repair(kind, f"{one.instance} ({one.raw_name})") for kind in one.shape_repairs(size)]
    name = PureWindowsPath(_plain_text(content.get("imagePath"))).name
    return Annotation(name, "", size, objects, tuple(notes))


def _objects(shapes: list[Any], notes: list[Repair]) -> list[AnnotatedObject]:
    """The objects that have an area; the others are noted."""
    allowance, found = _FileChecks(), list[AnnotatedObject]()
    groups: dict[tuple[str, int], int] = {}
    for number, shape in enumerate(shapes[:MOST_OBJECTS]):
        if not isinstance(shape, Mapping):
            notes.append(Repair("not an object", f"shape {number}"))
            continue
        raw = _plain_text(shape.get("label"))
        label = f"shape {number} ({raw or 'no name'})"
        polygons = _polygons(shape, label, notes, allowance)
        if not polygons:
            continue
        name, states = normalise_name(raw)
        if not name:
            notes.append(Repair("no name", label))
        group = _FileChecks.number(shape.get("group_id"))
        instance = number if group is None else groups.setdefault((name, group), number)
        words = _plain_text(shape.get("description"))
        found.append(AnnotatedObject(name or "unnamed", polygons, raw, instance, None, states, words))
    notes += allowance.notes(len(shapes))
    return found


def _polygons(
    shape: Mapping[str, Any], label: str, notes: list[Repair], allowance: _FileChecks
) -> tuple[np.ndarray, ...]:
    """The outlines of a shape; none where it has no area, which is noted."""
    points, kind = shape.get("points"), shape.get("shape_type") or "polygon"
    if not isinstance(points, list) or not allowance.takes(len(points)):
        notes += [] if isinstance(points, list) else [Repair("no area", label)]
        return ()
    corners = _FileChecks.finite_points(points, label, notes)
    if kind == "mask":
        found = _mask_outlines(shape.get("mask"), corners, allowance)
    else:
        makers = {"rectangle": _rectangle, "circle": _circle, "polygon": _same, "oriented_rectangle": _same}
        maker = makers.get(kind) if isinstance(kind, str) else None
        found = [] if maker is None else [maker(corners)]
    # Its coordinates begin at the corner of the first pixel, ours at the centre.
    outlines = [_FileChecks.outline(one - 0.5, label, []) for one in found]
    polygons = tuple(one for one in outlines if one is not None)
    if not polygons:
        notes.append(Repair("no area", f"{label}: {_plain_text(kind) or 'another shape'}"))
    return polygons


def _same(corners: np.ndarray) -> np.ndarray:
    return corners


def _rectangle(corners: np.ndarray) -> np.ndarray:
    """Two opposite corners, or all of them, as a polygon."""
    if len(corners) != 2:
        return corners
    (left, top), (right, bottom) = corners
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def _circle(corners: np.ndarray) -> np.ndarray:
    """A centre and a point of the edge as a polygon of the same area as the circle."""
    if len(corners) != 2:
        return np.zeros((0, 2))
    radius = float(np.hypot(*(np.clip(corners[1] - corners[0], -_LARGEST_RADIUS, _LARGEST_RADIUS))))
    step = 2 * np.pi / _CORNERS
    angles = np.arange(_CORNERS) * step
    radius *= np.sqrt(step / np.sin(step))
    return corners[0] + radius * np.column_stack([np.cos(angles), np.sin(angles)])


def _mask_outlines(text: object, corners: np.ndarray, allowance: _FileChecks) -> list[np.ndarray]:
    """A small mask, a PNG written as text, whose first pixel lies at the first point."""
    if not isinstance(text, str) or not len(corners) or not re.fullmatch(r"[A-Za-z0-9+/=\s]*", text):
        return []
    try:
        content = base64.b64decode(text)
        size = ImageFrame.of("the mask", content).size
        if size[0] * size[1] > _MOST_MASK or not allowance.takes(n_pixels=size[0] * size[1]):
            return []
        mask = load_mask("the mask", ImageFrame(size), content=content) > 0
    except (SceneLensError, binascii.Error):
        return []
    found = mask_to_polygons(mask, tolerance=0)
    if not allowance.takes(sum(map(len, found))):
        return []
    return [outline + 0.5 + np.floor(corners[0]) for outline in found]
