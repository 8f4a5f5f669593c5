"""COCO's JSON: one file for a folder of photographs, with polygons, run-length masks and boxes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

import numpy as np

from scenelens.annotations.file_checks import MOST_OBJECTS, Repair, _FileChecks
from scenelens.annotations.interface import Instance, LabelMap, Shape
from scenelens.annotations.names import _plain_text, normalise_name
from scenelens.annotations.outlined import AnnotatedObject, Annotation, PolygonAnnotations
from scenelens.annotations.polygons import mask_to_polygons
from scenelens.annotations.sources import SourceFile
from scenelens.errors import SceneLensError

_MOST_BYTES = 1 << 30  # of the file: COCO's own has 470 MB
_MOST_NUMBER = 2**53  # of images and categories: some tools take a hash
_MOST_PIXELS = 50_000_000  # of a run-length mask
_MOST_NAMED = 20  # unknown numbers that the report names
_PHOTOGRAPHS = ("images", "JPEGImages", "train2017", "val2017", "train2014", "val2014")
_FOLDERS = ("annotations", "labels")


class _Coco(PolygonAnnotations):
    """Photographs with one JSON file in COCO's form: images, annotations, categories.

    Polygons, run-length masks (as numbers or as text) and boxes are read; a crowd is one object. Several
    polygons of an annotation are pieces of one object. Of a panoptic file the masks are read, PNG files in a
    folder of its name next to it. Photographs of the file that are not in the folder are counted in the
    report.

    Parameters
    ----------
    root : str or pathlib.Path
        The folder. Photographs lie in root/images, root/val2017 or the like, or below root; the JSON below
        root/annotations or root.
    cache : str or pathlib.Path, optional
        A folder for the table of objects.
    images : str or pathlib.Path, optional
        The folder of the photographs, where it is another.
    labels : str or pathlib.Path, optional
        The JSON file, where there are several, or its folder.
    """

    # Programs that write the format turn photographs as the camera's tag says.
    _turns_photographs = True

    def __init__(
        self,
        root: str | Path,
        cache: str | Path | None = None,
        images: str | Path | None = None,
        labels: str | Path | None = None,
    ) -> None:
        root, notes = Path(root), list[tuple[str, str, str]]()
        self._file = _json_file(Path(labels or SourceFile.subfolder(root, *_FOLDERS) or root))
        content = self._content()
        base = Path(images or SourceFile.subfolder(root, *_PHOTOGRAPHS) or root)
        photographs = self._photographs_below(base, notes)
        self._entries = _matched(content, photographs)
        if not self._entries:
            raise SceneLensError(
                f"{self._file} describes no image of {base}{_first_name(content)}; name their folder: "
                "images = '...'."
            )
        missing = len(content.images) - len(self._entries)
        if missing:
            notes.append(
                (self._file.name, "no photograph", f"{missing} images of the file are not in {base}")
            )
        if not content.certain:
            notes.append((self._file.name, "text encoding", "neither UTF-8 nor marked; read as Latin-1"))
        notes += [(one, "not annotated", str(self._file)) for one in photographs if one not in self._entries]
        there = {image: photographs[image] for image in self._entries}
        self._masks = _panoptic_masks(self._file, content, self._entries)
        super().__init__(there, dict.fromkeys(there, self._file), cache, notes)

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
        found = _parsed(self._file, SourceFile(self._file).stamp(), self._entries[image])
        return self._placed(found, image)

    def instances(self, image: str, shape: Shape | None = None) -> tuple[np.ndarray, list[Instance]]:
        """Which instance each pixel shows.

        Parameters
        ----------
        image : str
            The image's id.
        shape : tuple of int, optional
            (H, W) of the result (default: the photograph's size).

        Returns
        -------
        ids : numpy.ndarray
            (H, W) int32; k + 1 where the k-th instance is visible, 0 for none.
        instances : list of Instance
            The instances on the image.
        """
        if image not in self._masks:
            return super().instances(image, shape)
        segments = self._segments(image)
        found, places = self._panoptic(image)
        known = {number: k for k, number in enumerate(segments, start=1)}
        codes = np.array([known.get(number, 0) for number in found.tolist()], np.int32)
        ids = LabelMap(codes[places], {}).resized(shape or self.size(image)).codes
        return ids, [Instance(name, k) for k, name in enumerate(segments.values())]

    def repairs(self, image: str) -> list[tuple[str, str]]:
        """What had to be repaired in an image's annotation.

        Parameters
        ----------
        image : str
            The image's id.

        Returns
        -------
        list of tuple of str
            (kind, detail) of each repair; 'unknown segment' for a number in a panoptic mask that the file
            does not describe.
        """
        notes = super().repairs(image)
        if image in self._masks:
            known = self._segments(image)
            strange = [
                number for number in self._panoptic(image)[0].tolist() if number and number not in known
            ]
            notes += [("unknown segment", str(number)) for number in strange[:_MOST_NAMED]]
        return notes

    def label_files(self) -> list[Path]:
        """The masks of a panoptic file.

        Returns
        -------
        list of pathlib.Path
            The files.
        """
        return list(self._masks.values())

    def _table_files(self) -> list[Path]:
        return self.label_files()

    def _segments(self, image: str) -> dict[int, str]:
        """The name of each segment of a panoptic mask, by its number."""
        content, found = self._content(), dict[int, str]()
        for item in content.objects.get(self._entries[image], []):
            stated = item.get("segments_info")
            for one in stated if isinstance(stated, list) else ():
                number = _FileChecks.number(one.get("id"), 1 << 24) if isinstance(one, dict) else None
                if number is not None:
                    found[number] = normalise_name(content.name_of(one))[0] or "unnamed"
        return found

    def _panoptic(self, image: str) -> tuple[np.ndarray, np.ndarray]:
        """The numbers in a panoptic mask, and for each pixel (H, W) the place of its number among them."""
        mask = SourceFile(self._masks[image]).mask(self._frame(image), colours=True)
        packed = mask.astype(np.int32) @ np.array([1, 256, 65536], np.int32)
        found, places = np.unique(packed, return_inverse=True)
        return found, places.reshape(packed.shape)

    def _content(self) -> _Content:
        return _read(self._file, SourceFile(self._file).stamp())


class _Content(NamedTuple):
    """What the file says.

    Attributes
    ----------
    images : dict of int or str to dict
        The entry of each image, by its number.
    objects : dict of int or str to list of dict
        The annotations of each image, by the image's number.
    names : dict of int or str to str
        The name of each category, by its number.
    certain : bool
        Whether the file's encoding is certain.
    """

    images: dict[int | str, dict[str, Any]]
    objects: dict[int | str, list[dict[str, Any]]]
    names: dict[int | str, str]
    certain: bool

    def name_of(self, item: Mapping[str, Any]) -> str:
        """The name of an annotation's category; '' where it has none that the file knows."""
        number = _number(item.get("category_id"))
        return "" if number is None else self.names.get(number, "")


def _first_name(content: _Content) -> str:
    """The name of the first image of a file, as a part of a sentence; '' for none."""
    name = next((_plain_text(entry.get("file_name")) for entry in content.images.values()), "")
    return f" (its first is {name!r})" if name else ""


def _json_file(place: Path) -> Path:
    """The only JSON file of a folder that could be one of COCO's; an error that names several."""
    if place.is_file():
        return place
    found = [path for path in sorted(place.rglob("*")) if path.suffix.lower() == ".json"]
    likely = [path for path in found if "instances" in path.name.lower()] or found
    if len(likely) == 1:
        return likely[0]
    names = ", ".join(path.relative_to(place).as_posix() for path in likely[:5])
    many = f"several: {names}; name one: labels = '...'" if likely else "none"
    raise SceneLensError(f"{place} needs one JSON file of COCO's and contains {many}.")


# Several sets may share a file's photographs; one file of COCO's fills gigabytes.
@lru_cache(maxsize=2)
def _read(path: Path, changed: tuple[int, int]) -> _Content:
    """The content of a file; `changed` is its stamp: one that was edited is read again."""
    content, certain = SourceFile(path).json("COCO's JSON", _MOST_BYTES)
    parts = [content.get(key) if isinstance(content, dict) else None for key in ("images", "annotations")]
    if not all(isinstance(part, list) for part in parts):
        raise SceneLensError(f"{path} is not COCO's JSON: it needs lists of images and of annotations.")
    images, annotations = ([one for one in part or () if isinstance(one, dict)] for part in parts)
    if annotations and all("caption" in one and "category_id" not in one for one in annotations[:10]):
        raise SceneLensError(f"{path} is COCO's file of captions, which name no objects; take the instances.")
    objects: dict[int | str, list[dict[str, Any]]] = {}
    for one in annotations:
        if (number := _number(one.get("image_id"))) is not None:
            objects.setdefault(number, []).append(one)
    categories = content.get("categories")
    named = _numbered(categories if isinstance(categories, list) else [])
    names = {number: _plain_text(one.get("name")) for number, one in named.items()}
    return _Content(_numbered(images), objects, names, certain)


def _number(value: object) -> int | str | None:
    """What an image or a category is known by: a number, or a text. "7" is 7, as programs mix the two."""
    if not isinstance(value, str):
        return _FileChecks.number(value, _MOST_NUMBER)
    text = _plain_text(value)
    return int(text) if re.fullmatch(r"0|[1-9][0-9]{0,14}", text) else text


def _numbered(items: Iterable[Any]) -> dict[int | str, dict[str, Any]]:
    found: dict[int | str, dict[str, Any]] = {}
    for item in items:
        number = _number(item.get("id")) if isinstance(item, dict) else None
        if number is not None:
            found.setdefault(number, item)
    return found


def _panoptic_masks(path: Path, content: _Content, entries: Mapping[str, int | str]) -> dict[str, Path]:
    """The mask of each photograph that a panoptic file describes."""
    found: dict[str, Path] = {}
    for image, number in entries.items():
        for item in content.objects.get(number, []):
            name = PureWindowsPath(_plain_text(item.get("file_name"), 4096)).name
            if isinstance(item.get("segments_info"), list) and name:
                found[image] = path.with_suffix("") / name
    return found


def _matched(content: _Content, photographs: Mapping[str, Path]) -> dict[str, int | str]:
    """The number of each photograph in the file: by its path below the folder, or else by its name.

    The spelling counts where two names differ in nothing else.
    """
    names: dict[str, list[str]] = {}
    for image in photographs:
        name = image.rpartition("/")[2]
        for spelling in {name, SourceFile.spelling(name)}:
            names.setdefault(spelling, []).append(image)
    found: dict[str, int | str] = {}
    for number, entry in content.images.items():
        stated = PureWindowsPath(_plain_text(entry.get("file_name"), 4096)).as_posix()
        name = stated.rpartition("/")[2]
        alike = (
            [stated] if stated in photographs else names.get(name) or names.get(SourceFile.spelling(name), [])
        )
        if len(alike) == 1:
            found.setdefault(alike[0], number)
    return {image: found[image] for image in sorted(found)}


# An image's masks and report are often read in a row; run-length masks take long to become outlines.
@lru_cache(maxsize=256)
def _parsed(path: Path, changed: tuple[int, int], number: int | str) -> Annotation:
    """The annotation of one image of a file; `changed` is the file's stamp."""
    content = _read(path, changed)
    entry, items = content.images.get(number), content.objects.get(number, [])
    if entry is None:
        raise SceneLensError(f"{path} no longer describes image {number}; open the annotations again.")
    notes: list[Repair] = []
    size = _FileChecks.size(entry.get("height"), entry.get("width"))
    if size is None:
        notes.append(Repair("imagesize", "height and width"))
    allowance, objects = _FileChecks(), list[AnnotatedObject]()
    for place, item in enumerate(items[:MOST_OBJECTS]):
        if isinstance(item.get("segments_info"), list):
            continue  # of a panoptic file
        raw = content.name_of(item)
        label = f"annotation {_plain_text(item.get('id')) or place} ({raw or 'no name'})"
        polygons = _outlines(item, size, label, notes, allowance)
        if not polygons:
            continue
        name, states = normalise_name(raw)
        if not name:
            notes.append(Repair("no name", label))
        states = (*states, "crowd") if item.get("iscrowd") == 1 else states
        one = AnnotatedObject(name or "unnamed", polygons, raw, place, None, states)
        notes += [Repair(kind, label) for kind in one.shape_repairs(size)]
        objects.append(one)
    notes += allowance.notes(len(items))
    name = PureWindowsPath(_plain_text(entry.get("file_name"), 4096)).name
    return Annotation(name, "", size, tuple(objects), tuple(notes))


def _outlines(
    item: Mapping[str, Any],
    size: tuple[int, int] | None,
    label: str,
    notes: list[Repair],
    allowance: _FileChecks,
) -> tuple[np.ndarray, ...]:
    """The outlines of one annotation; none where it has no area, which is noted."""
    stated = item.get("segmentation")
    if isinstance(stated, Mapping):
        read = _run_lengths(stated, size)
        if read is None:
            notes.append(Repair("bad mask", label))
        elif not allowance.takes(n_pixels=read.n_pixels):
            return ()
        found = [] if read is None else mask_to_polygons(read.mask(), tolerance=0)
        found = [one + (read.left, 0) for one in found] if read else found
        if not allowance.takes(sum(map(len, found))):
            return ()
    else:
        lists = stated if isinstance(stated, list) else []
        if lists and not any(isinstance(one, list) for one in lists):
            lists = [lists]  # a single outline without the list around it
        if not allowance.takes(sum(len(one) for one in lists if isinstance(one, list)) // 2):
            return ()
        pairs = (_pairs(one, label, notes) for one in lists)
        found = [one for one in pairs if one is not None]
    if not found and (box := _box(item.get("bbox"))) is not None:
        notes.append(Repair("box", label))
        found = [box]
    if not found:
        notes.append(Repair("no area", label))
    return tuple(found)


def _pairs(numbers: object, label: str, notes: list[Repair]) -> np.ndarray | None:
    """x, y, x, y, ... as an outline. Their zero is the corner of the first pixel, ours its centre."""
    if not isinstance(numbers, list) or len(numbers) < 6 or len(numbers) % 2:
        return None
    outline = _FileChecks.outline([*zip(numbers[::2], numbers[1::2], strict=True)], label, notes)
    return None if outline is None else outline - 0.5


def _box(numbers: object) -> np.ndarray | None:
    """The corners of left, top, width, height."""
    if not isinstance(numbers, list) or len(numbers) != 4:
        return None
    found = _FileChecks.finite_points([numbers[:2], numbers[2:]], "", [])
    if len(found) != 2:
        return None
    (left, top), (width, height) = found
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    return _FileChecks.outline(np.array(corners) - 0.5, "", [])


class _Runs(NamedTuple):
    """A run-length mask: where its runs of 1 begin and end, counted down the columns from `left` on.

    Only the columns between its first and last pixel are made, so that many small objects of a large
    photograph take little time.
    """

    left: int
    shape: tuple[int, int]
    starts: np.ndarray
    ends: np.ndarray

    @property
    def n_pixels(self) -> int:
        return self.shape[0] * self.shape[1]

    def mask(self) -> np.ndarray:
        """The columns from `left` on, bool (H, W)."""
        steps = np.zeros(self.n_pixels + 1, np.int8)
        steps[self.starts] += 1
        np.subtract.at(steps, self.ends, 1)  # a run may begin where another one ends
        return np.cumsum(steps[:-1], dtype=np.int8).astype(bool).reshape(self.shape[::-1]).T


def _run_lengths(stated: Mapping[str, Any], size: tuple[int, int] | None) -> _Runs | None:
    """The runs of a mask, 0 and 1 in turn down the columns; None where they do not fit its size.

    Every count is checked before any pixel is made.
    """
    shape = stated.get("size")
    own = _FileChecks.size(*shape) if isinstance(shape, list) and len(shape) == 2 else None
    if own is None or own[0] * own[1] > _MOST_PIXELS or size not in (None, own):
        return None
    counts = stated.get("counts")
    runs = _from_text(counts) if isinstance(counts, str) else _from_list(counts)
    if runs is None or (runs < 0).any() or (runs > own[0] * own[1]).any() or runs.sum() != own[0] * own[1]:
        return None
    ends = np.cumsum(runs)
    ones = np.flatnonzero(runs[1::2]) * 2 + 1
    if not len(ones):
        return _Runs(0, (own[0], 0), ones, ones)
    left, right = int(ends[ones[0] - 1]) // own[0], (int(ends[ones[-1]]) - 1) // own[0] + 1
    before = left * own[0]
    return _Runs(left, (own[0], right - left), ends[ones - 1] - before, ends[ones] - before)


def _from_list(counts: object) -> np.ndarray | None:
    whole = isinstance(counts, list) and all(type(n) is int and 0 <= n <= _MOST_PIXELS for n in counts)
    return np.array(counts, np.int64) if whole else None


def _from_text(text: str) -> np.ndarray | None:
    """The counts of COCO's text: five bits a character, a sixth where more follow, from the lowest.

    From the fourth on, a count is the difference to the one before the last.

    >>> _from_text("52203").tolist()
    [5, 2, 2, 2, 5]
    """
    try:
        codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError:
        return None
    ends = np.flatnonzero(codes < 32)
    if not len(codes) or (codes < 0).any() or (codes > 63).any() or ends[-1:].tolist() != [len(codes) - 1]:
        return None
    starts = np.concatenate([[0], ends[:-1] + 1])
    length = ends - starts + 1
    if length.max() > 6:  # 30 bits are more than a photograph has pixels
        return None
    place = np.arange(len(codes)) - np.repeat(starts, length)
    values = np.add.reduceat((codes & 31) << (5 * place), starts)
    # The highest bit of the last character is the sign.
    values -= np.where(codes[ends] & 16, 1 << (5 * length), 0)
    for first in (1, 2):
        values[first::2] = np.cumsum(values[first::2])
    return values
