"""One annotation file in LabelMe's XML or Pascal VOC's, read in spite of the errors that such files contain.

A LabelMe XML contains, for one photograph, objects with a name and a polygon. Real files have many errors:
names contain states ("person sitting crop"), polygons have one point, the image's size is missing or wrong.
`parse_annotation` repairs what can mean only one thing, leaves out the rest, and notes both in the
annotation's `report` (`file_checks.REPAIRS` lists the kinds).

Pascal VOC's XML is alike, with boxes in place of polygons. It is known by its <size>; its boxes count pixels
from 1 and include the last one.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element

import numpy as np

from scenelens.annotations.duplicates import _without_duplicates
from scenelens.annotations.file_checks import MOST_OBJECTS, Repair, _FileChecks
from scenelens.annotations.names import _plain_text, normalise_name
from scenelens.annotations.outlined import AnnotatedObject, Annotation
from scenelens.annotations.safe_xml import _xml_root
from scenelens.annotations.sources import SourceFile
from scenelens.errors import SceneLensError

# Characters that XML forbids, as they are or written as &#x1; or &#1;.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"
    "|&#(?:x0*(?:[0-8bcef]|1[0-9a-f])|0*(?:[0-8]|1[124-9]|2\\d|3[01]));",
    re.I,
)
_FORBIDDEN_ASCII = bytes(code for code in range(32) if code not in b"\t\n\r")
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)")
_DECLARATION = re.compile(r"\s*<\?xml.*?\?>")
# Outlines as nearly all files have them, <polygon><pt><x>1</x><y>2</y></pt>..., shortened to one attribute:
# <polygon _points="1;2|..."/>. A tree without an element for each number is made in a third of the time.
_SHORTER = (
    ("</y></pt><pt><x>", "|"),
    ("</x><y>", ";"),
    ("<polygon><pt><x>", '<polygon _points="'),
    ("</y></pt></polygon>", '"/>'),
)
_POINT = "[-+.0-9e]*+;[-+.0-9e]*+"
_SHORTENED = re.compile(rf'<polygon _points="({_POINT}(?:\|{_POINT})*+)"/>')
# Where a text has one of these already, or where a tag may be no tag (comments, CDATA), nothing is shortened.
_UNSURE = ("<!", "<?", ";", "|", "_points")
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
    content = source if isinstance(source, bytes) else SourceFile(source).read()
    with _no_collections():
        return _annotation(content, where)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Python's search for garbage is off meanwhile.

    A tree has thousands of elements and no cycles. The search begins again and again while they are made, and
    takes three times as long as making them.
    """
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def _annotation(content: bytes, where: str) -> Annotation:
    notes: list[Repair] = []
    root = _root(content, where, notes)
    size = _size(root, notes)
    objects = _without_duplicates(list(_objects(root, size, notes)), notes)
    folder = unquote(_plain_text(_text(root, "folder"))).replace("\\", "/").strip("/")
    filename = unquote(_plain_text(_text(root, "filename"))).replace("\\", "/").rpartition("/")[2]
    return Annotation(filename, folder.removeprefix(_ARCHIVE), size, tuple(objects), tuple(notes))


def _root(data: bytes, where: str, notes: list[Repair]) -> Element:
    """The XML's root. Errors that make an XML parser stop are repaired first."""
    text, certain = SourceFile.decoded(data)
    if not certain:
        notes.append(Repair("text encoding", where))
    # The text is decoded already, whatever encoding it declares.
    declared = _DECLARATION.match(text)
    text = text[declared.end() :] if declared else text
    if not _is_plain(text):
        for pattern, to, kind in (
            (_FORBIDDEN, "", "control characters"),
            (_BARE_AMPERSAND, "&amp;", "bare ampersand"),
        ):
            text, found = pattern.subn(to, text)
            if found:
                notes.append(Repair(kind, f"{found} times"))
    root = _tree(text, where)
    if root.tag != "annotation":
        raise SceneLensError(
            f"{where} is not a LabelMe annotation: it begins with <{root.tag}>, not <annotation>."
        )
    return root


def _tree(text: str, where: str) -> Element:
    """The root of a text's tree, its outlines shortened where that surely means the same."""
    shortened = _shortened(text)
    if shortened is not None:
        try:
            return _xml_root(shortened, where)
        except SceneLensError:
            pass  # the error of the text as it is names the right place
    return _xml_root(text, where)


def _shortened(text: str) -> str | None:
    """The text with shortened outlines; None where an outline is written in another way.

    >>> point = "<pt><x>1</x><y>2.5</y></pt>"
    >>> _shortened(f"<object><polygon>{point * 2}</polygon></object>")
    '<object><polygon _points="1;2.5|1;2.5"/></object>'
    >>> _shortened(f"<object><polygon>{point} {point}</polygon></object>")
    """
    if any(mark in text for mark in _UNSURE):
        return None
    short = text
    for long, mark in _SHORTER:
        short = short.replace(long, mark)
    # Every place that was shortened must be one of a whole outline.
    found = _SHORTENED.findall(short)
    whole = "".join(found)
    n = len(found)
    sure = (
        n == text.count(_SHORTER[2][0]) == text.count(_SHORTER[3][0])
        and short.count(";") == whole.count(";")
        and short.count("|") == whole.count("|")
    )
    return short if sure else None


def _is_plain(text: str) -> bool:
    """Whether a text surely needs no repair: a quick test, which nearly all files pass."""
    if "&" in text or not text.isascii():
        return False
    content = text.encode("ascii")
    return len(content.translate(None, _FORBIDDEN_ASCII)) == len(content)


def _text(element: Element, tag: str) -> str:
    """The first text of a sub-element that is not blank (tags may be repeated), or ''."""
    for child in element.findall(tag):
        text = (child.text or "").strip()
        if text:
            return text
    return ""


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _is_voc(root: Element) -> bool:
    return root.find("size") is not None and root.find("imagesize") is None


def _size(root: Element, notes: list[Repair]) -> tuple[int, int] | None:
    tags = ("size/height", "size/width") if _is_voc(root) else ("imagesize/nrows", "imagesize/ncols")
    texts = [_text(root, tag) for tag in tags]
    size = _FileChecks.size(*map(_number, texts))
    if size is None:
        notes.append(Repair("imagesize", "/".join(_plain_text(text) or "-" for text in texts)))
    return size


def _objects(root: Element, size: tuple[int, int] | None, notes: list[Repair]) -> Iterator[AnnotatedObject]:
    """The objects that have an area; the others are noted."""
    elements, voc = root.findall("object"), _is_voc(root)
    allowance, numbers = _FileChecks(), _instances(elements)
    free = max((number for number, _ in numbers), default=0) + 1
    for index, element in enumerate(elements[:MOST_OBJECTS]):
        raw = _plain_text(_text(element, "name"))
        label = f"object {index} ({raw or 'no name'})"
        if _text(element, "deleted") not in ("", "0"):
            notes.append(Repair("deleted", label))
            continue
        if not allowance.takes(sum(map(_n_points, element.findall("polygon")))):
            continue
        polygons = tuple(_polygons(element, label, notes, voc))
        if not polygons:
            notes.append(Repair("no area", label))
            continue
        name, states = normalise_name(raw)
        if not name:
            notes.append(Repair("no name", label))
        instance, part_of = numbers[index]
        attributes = _plain_text(_text(element, "attributes"))
        one = AnnotatedObject(name or "unnamed", polygons, raw, instance, part_of, states, attributes)
        notes += [Repair(kind, label) for kind in one.shape_repairs(size)]
        yield one
        for part in element.findall("part") if voc else ():
            outline = _box(part, voc)
            if outline is not None and allowance.takes(len(outline)):
                kind = normalise_name(_text(part, "name"))[0] or "unnamed"
                yield AnnotatedObject(kind, (outline,), _text(part, "name"), free, instance)
                free += 1
    notes += allowance.notes(len(elements))


def _instances(elements: list[Element]) -> list[tuple[int, int | None]]:
    """For each object its instance number, and that of the object it is a part of, or None."""
    numbers = _FileChecks.free_numbers(
        _FileChecks.number(_number(_text(element, "instance"))) for element in elements
    )
    by_id = {_text(element, "id"): number for element, number in zip(elements, numbers, strict=True)}
    by_id.pop("", None)
    return [(n, by_id.get(_text(e, "parts/ispartof"))) for e, n in zip(elements, numbers, strict=True)]


def _polygons(element: Element, label: str, notes: list[Repair], voc: bool) -> Iterator[np.ndarray]:
    """The object's polygons that have an area. Video annotations have one for each time; the first counts."""
    outlines = element.findall("polygon")
    times = [_number(_text(outline, "t")) for outline in outlines]
    if len(set(times)) > 1:
        notes.append(Repair("frames", label))
        first = min(time for time in times if time is not None)
        outlines = [outline for outline, time in zip(outlines, times, strict=True) if time in (first, None)]
    read = [_FileChecks.outline(_points(outline), label, notes) for outline in outlines]
    points = [polygon for polygon in read if polygon is not None]
    if not points and (box := _box(element, voc)) is not None:
        notes.append(Repair("mask file" if _text(element, "segm/mask") else "box", label))
        points = [box]
    yield from points


def _n_points(outline: Element) -> int:
    """How many points the outline has; all its elements count, since all take time to read."""
    short = outline.get("_points")
    return len(outline) if short is None else short.count(";")


def _points(outline: Element) -> np.ndarray:
    """The outline's points, with NaN where a number is missing."""
    short = outline.get("_points")
    if short is None:
        return _as_numbers([(pt.findtext("x"), pt.findtext("y")) for pt in outline.findall("pt")])
    texts = short.replace("|", ";").split(";")
    try:
        return np.fromiter(map(float, texts), np.float64, len(texts)).reshape(-1, 2)
    except ValueError:
        return _as_numbers(list(zip(texts[::2], texts[1::2], strict=True)))


def _as_numbers(texts: Sequence[tuple[str | None, str | None]]) -> np.ndarray:
    try:
        return np.array(texts, dtype=np.float64).reshape(-1, 2)  # fast; nearly all files have no bad point
    except (TypeError, ValueError):
        return np.array([[_number(text) for text in pair] for pair in texts], dtype=np.float64)


def _box(element: Element, voc: bool) -> np.ndarray | None:
    """The corners of <segm><box>, <bndbox> or <box>, or None."""
    # From the first pixel's centre at 1, with whole pixels, to the centre at 0 and the pixels' edges.
    before, behind = (-1.5, -0.5) if voc else (0, 0)
    for path in ("segm/box", "bndbox", "box"):
        left, top, right, bottom = (
            _number(_text(element, f"{path}/{tag}")) for tag in ("xmin", "ymin", "xmax", "ymax")
        )
        if left is None or top is None or right is None or bottom is None:
            continue
        x0, y0, x1, y1 = left + before, top + before, right + behind, bottom + behind
        if x0 != x1 and y0 != y1:
            return _FileChecks.outline([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], "box", [])
    return None
