"""One annotation file in LabelMe's XML, read in spite of the errors that such files contain.

A LabelMe XML contains, for one photograph, objects with a name and a polygon. Real files have many errors:
names contain states ("person sitting crop"), polygons have one point, the image's size is missing or wrong.
`parse_annotation` repairs what can mean only one thing, leaves out the rest, and notes both in the
annotation's `report` (`outlined.REPAIRS` lists the kinds).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree as ElementTree
import numpy as np
from defusedxml import DefusedXmlException

from scenelens.annotations.names import normalise_name
from scenelens.annotations.outlined import (
    AnnotatedObject,
    Annotation,
    Repair,
)
from scenelens.annotations.polygons import has_area
from scenelens.errors import SceneLensError

# Characters that XML forbids, as they are or written as &#x1; or &#1;.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
    "|&#(?:x0*(?:[0-8bcef]|1[0-9a-f])|0*(?:[0-8]|1[124-9]|2\\d|3[01]));",
    re.I,
)
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)")
_ARCHIVE = "users/antonio/static_sun_database/"  # the SUN database's folder on LabelMe's server


def parse_annotation(source: str | Path | bytes) -> Annotation:
    """Read a LabelMe / SUN annotation.

    Parameters
    ----------
    source : str, pathlib.Path or bytes
        A path, or the file's content.

    Returns
    -------
    Annotation
        The objects that have an area, in the file's order, and the report of repairs.

    Raises
    ------
    SceneLensError
        If the file is missing, is not XML even after repairs, or is not a LabelMe annotation.

    Examples
    --------
    >>> xml = b"<annotation><filename>a.jpg</filename><object><name>person sitting crop</name><polygon>"
    >>> xml += b"".join(b"<pt><x>%d</x><y>%d</y></pt>" % p for p in [(0, 0), (9, 0), (9, 9)])
    >>> annotation = parse_annotation(xml + b"</polygon></object></annotation>")
    >>> annotation.objects[0].name, annotation.objects[0].states
    ('person', ('sitting', 'crop'))
    >>> [repair.kind for repair in annotation.report]
    ['imagesize']
    """
    where = "the annotation" if isinstance(source, bytes) else str(source)
    notes: list[Repair] = []
    root = _root(_bytes(source), where, notes)
    size = _size(root, notes)
    objects = _without_duplicates(list(_objects(root, size, notes)), notes)
    folder = unquote(_text(root, "folder")).replace("\\", "/").strip("/")
    filename = unquote(_text(root, "filename")).replace("\\", "/").rpartition("/")[2]
    return Annotation(filename, folder.removeprefix(_ARCHIVE), size, tuple(objects), tuple(notes))


def _bytes(source: str | Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise SceneLensError(
            f"{source} cannot be read ({error.strerror}); check the path to the annotation."
        ) from None


def _root(data: bytes, where: str, notes: list[Repair]) -> Element:
    """The XML's root. Errors that make an XML parser stop are repaired first."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
        notes.append(Repair("text encoding", where))
    # The declaration may name another encoding than the one that worked.
    text = re.sub(r"^\s*<\?xml.*?\?>", "", text)
    for pattern, to, kind in (
        (_FORBIDDEN, "", "control characters"),
        (_BARE_AMPERSAND, "&amp;", "bare ampersand"),
    ):
        text, found = pattern.subn(to, text)
        if found:
            notes.append(Repair(kind, f"{found} times"))
    root = _parsed(text, where)
    if root.tag != "annotation":
        raise SceneLensError(
            f"{where} is not a LabelMe annotation: it begins with <{root.tag}>, not <annotation>."
        )
    return root


def _parsed(text: str, where: str) -> Element:
    try:
        return ElementTree.fromstring(text, forbid_dtd=True)
    except ParseError as error:
        raise SceneLensError(
            f"{where} is not readable XML ({error}); repair the file or leave it out."
        ) from None
    except DefusedXmlException:  # entities that expand to gigabytes, or that read files of this machine
        raise SceneLensError(
            f"{where} declares its own XML entities, which annotations never need; leave it out."
        ) from None


def _text(element: Element, tag: str) -> str:
    """The first text of a sub-element that is not blank (tags may be repeated), or ''."""
    found = (child.text.strip() for child in element.findall(tag) if child.text)
    return next((text for text in found if text), "")


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _size(root: Element, notes: list[Repair]) -> tuple[int, int] | None:
    texts = [_text(root, f"imagesize/{tag}") for tag in ("nrows", "ncols")]
    numbers = [number for number in map(_number, texts) if number is not None and number >= 1]
    if len(numbers) < 2:
        notes.append(Repair("imagesize", "/".join(text or "-" for text in texts)))
        return None
    return int(numbers[0]), int(numbers[1])


def _objects(root: Element, size: tuple[int, int] | None, notes: list[Repair]) -> Iterator[AnnotatedObject]:
    """The objects that have an area; the others are noted."""
    numbers = _instances(root)
    for index, element in enumerate(root.findall("object")):
        raw = _text(element, "name")
        label = f"object {index} ({raw or 'no name'})"
        if _text(element, "deleted") not in ("", "0"):
            notes.append(Repair("deleted", label))
            continue
        polygons = tuple(_polygons(element, label, notes))
        if not polygons:
            notes.append(Repair("no area", label))
            continue
        name, states = normalise_name(raw)
        if not name:
            notes.append(Repair("no name", label))
        instance, part_of = numbers[index]
        one = AnnotatedObject(
            name or "unnamed", polygons, raw, instance, part_of, states, _text(element, "attributes")
        )
        notes += [Repair(kind, label) for kind in one.shape_repairs(size)]
        yield one


def _without_duplicates(objects: list[AnnotatedObject], notes: list[Repair]) -> list[AnnotatedObject]:
    """Each object once. Annotators drew some objects twice, so outlines need not be equal point by point.

    Two objects are the same if they have one name and their boxes and lengths of outline differ by at most
    2% of the larger side.
    """
    kept: list[tuple[AnnotatedObject, np.ndarray]] = []
    for one in objects:
        points = np.concatenate(one.polygons)
        length = sum(np.hypot(*(p - np.roll(p, 1, axis=0)).T).sum() for p in one.polygons)
        # A quarter of the outline's length is about a side, so one margin fits all five numbers.
        summary = np.array([*points.min(0), *points.max(0), length / 4])
        margin = 0.02 * (points.max(0) - points.min(0)).max()
        if any(one.name == other.name and (abs(summary - s) <= margin).all() for other, s in kept):
            notes.append(Repair("duplicate", f"{one.raw_name} at {points.min(0).round().tolist()}"))
        else:
            kept.append((one, summary))
    return [one for one, _ in kept]


def _instances(root: Element) -> list[tuple[int, int | None]]:
    """For each object its instance number, and that of the object it is a part of, or None."""
    elements = root.findall("object")
    own = [_number(_text(element, "instance")) for element in elements]
    # Objects without an <instance> get numbers that no other object has.
    free = int(max((n for n in own if n is not None), default=-1)) + 1
    numbers = [free + i if n is None else int(n) for i, n in enumerate(own)]
    by_id = {_text(element, "id"): number for element, number in zip(elements, numbers, strict=True)}
    by_id.pop("", None)
    return [(n, by_id.get(_text(e, "parts/ispartof"))) for e, n in zip(elements, numbers, strict=True)]


def _polygons(element: Element, label: str, notes: list[Repair]) -> Iterator[np.ndarray]:
    """The object's polygons that have an area. Video annotations have one for each time; the first counts."""
    outlines = element.findall("polygon")
    times = [_number(_text(outline, "t")) for outline in outlines]
    if len(set(times)) > 1:
        notes.append(Repair("frames", label))
        first = min(time for time in times if time is not None)
        outlines = [outline for outline, time in zip(outlines, times, strict=True) if time in (first, None)]
    points = [_points(outline, label, notes) for outline in outlines]
    points = [polygon for polygon in points if len(polygon) and has_area(polygon)]
    if not points and (box := _box(element)) is not None:
        notes.append(Repair("box", label))
        points = [box]
    yield from points


def _points(outline: Element, label: str, notes: list[Repair]) -> np.ndarray:
    texts = [(pt.findtext("x"), pt.findtext("y")) for pt in outline.findall("pt")]
    try:
        points = np.array(texts, dtype=np.float64).reshape(-1, 2)  # fast; nearly all files have no bad point
    except (TypeError, ValueError):
        points = np.array([[_number(text) for text in pair] for pair in texts], dtype=np.float64)
    good = np.isfinite(points).all(axis=1)
    notes.extend([Repair("bad point", label)] * int((~good).sum()))
    return points[good]


def _box(element: Element) -> np.ndarray | None:
    """The corners of <segm><box>, <bndbox> or <box>, or None."""
    for path in ("segm/box", "bndbox", "box"):
        left, top, right, bottom = (
            _number(_text(element, f"{path}/{tag}")) for tag in ("xmin", "ymin", "xmax", "ymax")
        )
        if None not in (left, top, right, bottom) and left != right and top != bottom:
            return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)
    return None
