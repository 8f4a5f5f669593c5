"""Read MATLAB 5 files of cells, texts and numbers, such as the paper's released answers.

A reader of our own, because SciPy's ends the whole process on some damaged files. Nothing here trusts a
length or a size that a file states.

A file is a header of 128 bytes and then elements. Each has a type, a length and as many bytes, filled up to
8; a short one has all of it in 8 bytes. An array is an element of elements: its class, its sizes, its name,
and its numbers, or one array for each cell.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_CODES = {16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _CHAR = 1, 4
_FIRST_NUMERIC, _LAST_NUMERIC = 6, 15
_MOST = 64 << 20  # bytes of an unpacked element: the released answers have 3 million
_MOST_LETTER = 0xFFFF  # MATLAB's letters have 16 bits
_DEEPEST = 8  # cells in cells


class _Element(NamedTuple):
    kind: int
    data: memoryview


def _read_mat(content: bytes) -> dict[str, Any]:
    """Read the arrays of a MATLAB 5 file.

    Parameters
    ----------
    content : bytes
        The file's content.

    Returns
    -------
    dict of str to object
        Each array by name. A cell array is an object array, a text an array of one str (of none, where it is
        empty). None stands for an array of any other class, such as a struct.

    Raises
    ------
    ValueError
        If it is no such file, or not whole.

    Examples
    --------
    >>> _read_mat(b"MATLAB")
    Traceback (most recent call last):
    ...
    ValueError: it has no header of MATLAB 5
    """
    marks = {b"IM": "<", b"MI": ">"}
    order = marks.get(content[_HEADER - 2 : _HEADER])
    if order is None:
        raise ValueError("it has no header of MATLAB 5")
    found: dict[str, Any] = {}
    for element in _elements(memoryview(content)[_HEADER:], order):
        for inner in _unpacked(element, order):
            if inner.kind == _MATRIX:
                name, value = _array(inner.data, order, 0)
                found[name] = value
    return found


def _unpacked(element: _Element, order: str) -> Iterator[_Element]:
    if element.kind != _COMPRESSED:
        yield element
        return
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(element.data, _MOST)
    except zlib.error as error:
        raise ValueError(f"an array cannot be unpacked: {error}") from error
    if not unpacker.eof:
        raise ValueError("an array is cut off, or larger than anything here")
    yield from _elements(memoryview(data), order)


def _elements(data: memoryview, order: str) -> Iterator[_Element]:
    words, at = struct.Struct(f"{order}II"), 0
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("an element is cut off")
        first, second = words.unpack_from(data, at)
        if first >> 16:  # a short element: its length stands before its type
            kind, length, start, end = first & 0xFFFF, first >> 16, at + 4, at + 8
        else:
            kind, length, start = first, second, at + 8
            end = start + length + (0 if kind == _COMPRESSED else -length % 8)
        if start + length > min(end, len(data)):
            raise ValueError("an element is longer than the file")
        yield _Element(kind, data[start : start + length])
        at = end


def _array(data: memoryview, order: str, depth: int) -> tuple[str, Any]:
    """An array's name and value."""
    parts = list(_elements(data, order))
    if len(parts) < 3 or depth > _DEEPEST:
        raise ValueError("an array has no sizes or no name")
    flags, sizes, name, *rest = parts
    kind = int(_numbers(flags, order)[0]) & 0xFF if flags.data else 0
    shape = tuple(int(size) for size in _numbers(sizes, order))
    text = bytes(name.data).decode("ascii", "replace")
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError("an array has other sizes than rows and columns")
    if kind == _CELL:
        return text, _cells(rest, shape, order, depth)
    if kind == _CHAR:
        return text, _text(rest, order)
    if _FIRST_NUMERIC <= kind <= _LAST_NUMERIC and rest:
        values = _numbers(rest[0], order)
        if values.size != math.prod(shape):
            raise ValueError("an array has more or fewer numbers than it says")
        return text, values.reshape(shape, order="F")
    return text, None


def _cells(parts: list[_Element], shape: tuple[int, ...], order: str, depth: int) -> np.ndarray:
    if len(parts) != math.prod(shape):
        raise ValueError("a cell array has more or fewer cells than it says")
    cells = np.empty(len(parts), object)
    for at, part in enumerate(parts):
        # An empty cell may be an element without content.
        cells[at] = _array(part.data, order, depth + 1)[1] if part.data else np.zeros((0, 0))
    return cells.reshape(shape, order="F")


def _text(parts: list[_Element], order: str) -> np.ndarray:
    if not parts or not parts[0].data:
        return np.zeros(0, "U1")
    element = parts[0]
    if element.kind in _CODES:
        endian = "" if element.kind == 16 else "-le" if order == "<" else "-be"
        return np.array([bytes(element.data).decode(_CODES[element.kind] + endian)])
    codes = _numbers(element, order).astype(np.int64)
    if codes.size and not 0 <= codes.min() <= codes.max() <= _MOST_LETTER:
        raise ValueError("a text has codes of no letter")
    return np.array(["".join(map(chr, codes.tolist()))])


def _numbers(element: _Element, order: str) -> np.ndarray:
    kind = _NUMBERS.get(element.kind)
    if kind is None:
        raise ValueError(f"an element has the type {element.kind}, which is not one of numbers")
    return np.frombuffer(element.data, f"{order}{kind}").astype(kind)
