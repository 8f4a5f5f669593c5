"""The files that annotations come from: read whole, within limits, and only where they are files."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scenelens.errors import SceneLensError
from scenelens.image_folders import ENDINGS
from scenelens.images import ImageFrame, load_mask

_MOST_BYTES = 16 << 20  # of a text file of outlines or names: 250,000 points with all their digits
# Encodings of text that files declare. Others that Python knows are slow, or no encodings of text.
_ENCODINGS = re.compile(
    r"ascii|utf-(8|8-sig|16|16-le|16-be|32|32-le|32-be)|iso8859-\d+|cp\d+|koi8-[rut]|gb2312|gbk|gb18030|hz"
    r"|big5|big5hkscs|shift_jis\w*|euc_\w+|iso2022_\w+|johab|mac-\w+|tis-620|ptcp154"
)
# Files that declare the first often hold characters that only the second has; browsers read them so, too.
_WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "cp950",
}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
    (b"{\0", "utf-16-le"),
    (b"\0{", "utf-16-be"),
)
_DECLARED = re.compile(rb"""\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']""")
_MOST_PIXELS = 50_000_000  # of a mask: reading it takes about 12 bytes for each
#: The largest code of a mask or a label map: PNG has at most 16 bits.
MOST_CODE = 65535


class SourceFile:
    """One file of outlines, names or a mask, which may be missing, damaged or no file at all.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path

    def read(self, most: int = _MOST_BYTES) -> bytes:
        """The content of an annotation's file.

        Parameters
        ----------
        most : int, optional
            The number of bytes that it may have (default: 16 MB, for one photograph's annotation).

        Returns
        -------
        bytes
            Its content.

        Raises
        ------
        SceneLensError
            If there is no such file, it cannot be read, or it is too large.
        """
        path = Path(self.path)
        try:
            _check_regular(path)
            with path.open("rb") as file:
                content = file.read(most + 1)
        except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
            reason = getattr(error, "strerror", None) or error
            raise SceneLensError(
                f"{path} cannot be read ({reason}); check the path to the annotation."
            ) from None
        if len(content) > most:
            what = "one photograph's annotation" if most == _MOST_BYTES else "an annotation"
            raise SceneLensError(
                f"{path} has more than {most >> 20} MB, too much for {what}; split it or leave it out."
            )
        return content

    def json(self, what: str, most: int = _MOST_BYTES) -> tuple[Any, bool]:
        """The content of a JSON file, in any encoding that `decoded` reads.

        Parameters
        ----------
        what : str
            What the file should be, such as 'an ADE20K annotation', for the error.
        most : int, optional
            The number of bytes that it may have; see `read`.

        Returns
        -------
        value : object
            The JSON value.
        certain : bool
            Whether its encoding is certain; see `decoded`.

        Raises
        ------
        SceneLensError
            If the file cannot be read, or is no JSON.
        """
        text, certain = self.decoded(self.read(most))
        try:
            return json.loads(text), certain
        except (ValueError, RecursionError, MemoryError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise SceneLensError(
                f"{self.path} is not {what} ({reason}); repair it or leave it out."
            ) from None

    @staticmethod
    def decoded(content: bytes) -> tuple[str, bool]:
        """The text of a file in the encoding that it declares.

        That is the encoding of its byte order mark or of its XML declaration; else UTF-8; else Latin-1, in
        the form that Windows writes.

        Parameters
        ----------
        content : bytes
            The file's content.

        Returns
        -------
        text : str
            The text, without a byte order mark.
        certain : bool
            False where neither what the file declares nor UTF-8 fits its bytes.

        Examples
        --------
        >>> declared = '<?xml version="1.0" encoding="GB2312"?><name>床</name>'
        >>> SourceFile.decoded(declared.encode("gb2312")) == (declared, True)
        True
        >>> SourceFile.decoded("lit à deux".encode("latin-1"))
        ('lit à deux', False)
        """
        for encoding in _encodings(content):
            try:
                return content.decode(encoding).removeprefix("\ufeff"), True
            except (UnicodeError, ValueError):
                continue
        try:
            return content.decode("cp1252"), False
        except UnicodeDecodeError:
            return content.decode("latin-1"), False

    @staticmethod
    def subfolder(root: Path, *names: str) -> Path | None:
        """A folder of one of several names, in any letter case.

        Parameters
        ----------
        root : pathlib.Path
            The folder that it lies in.
        *names : str
            Its possible names; the first that is there counts.

        Returns
        -------
        pathlib.Path or None
            The folder; None where there is none.
        """
        for name in names:
            if (root / name).is_dir():
                return root / name
        found = {path.name.lower(): path for path in sorted(root.iterdir())} if root.is_dir() else {}
        there = (found[name.lower()] for name in names if name.lower() in found)
        return next((path for path in there if path.is_dir()), None)

    @staticmethod
    def spelling(name: str) -> str:
        """A file's name in the spelling by which names are compared that differ in spelling only.

        Some systems change the letter case of names, and macOS writes é as e and an accent.

        Parameters
        ----------
        name : str
            The name, or a path.

        Returns
        -------
        str
            It in lower case, each letter with its accent as one character where there is one.

        Examples
        --------
        >>> SourceFile.spelling("Cafe\N{COMBINING ACUTE ACCENT}.JPG")
        'café.jpg'
        """
        return unicodedata.normalize("NFC", name.lower())

    @staticmethod
    def pairs(photographs: Mapping[str, Path], folders: Sequence[Path], ending: str) -> dict[str, Path]:
        """The file of each photograph's annotation: of the same name, in any spelling, with another ending.

        Parameters
        ----------
        photographs : mapping of str to pathlib.Path
            Photographs by id, their path below their folder.
        folders : sequence of pathlib.Path
            Where the annotations may lie, at the same place below the folder as the photograph below its own.
        ending : str
            The annotations' ending, such as '.xml'.

        Returns
        -------
        dict of str to pathlib.Path
            The file of each photograph that has one; that of the first folder counts.
        """
        found: dict[str, Path] = {}
        listed: dict[Path, dict[str, Path]] = {}
        for image, photograph in photographs.items():
            name = f"{_stem(image)}{ending}"
            for folder in folders:
                path = folder / name
                if not path.exists():
                    if folder not in listed:
                        listed[folder] = _by_spelling(folder, ending)
                    path = listed[folder].get(SourceFile.spelling(name), path)
                if path.exists() and path != photograph:
                    found[image] = path
                    break
        return found

    def stamp(self) -> tuple[int, int]:
        """What tells cheaply whether a file was changed.

        Returns
        -------
        tuple of int
            Its size in bytes and the time of its last change in ns; (-1, -1) for a missing file.
        """
        try:
            found = os.stat(self.path)
        except (OSError, ValueError):
            return -1, -1
        return found.st_size, found.st_mtime_ns

    def digest(self) -> bytes | None:
        """The SHA-256 of a file of any length.

        Returns
        -------
        bytes or None
            32 bytes; None where the file is missing, is not a file, or cannot be read.
        """
        try:
            _check_regular(Path(self.path))
            with open(self.path, "rb") as file:
                return hashlib.file_digest(file, "sha256").digest()
        except (OSError, ValueError):
            return None

    def mask_size(self, photograph: ImageFrame) -> tuple[int, int]:
        """A mask's size, from the header of its file alone, where it fits its photograph.

        Parameters
        ----------
        photograph : ImageFrame
            The size and orientation of the photograph.

        Returns
        -------
        tuple of int
            (H, W) in pixels, turned as the photograph is.

        Raises
        ------
        SceneLensError
            If it is not an image, has more than 50 million pixels, or has another shape than the photograph.
            A mask of another scale will do.
        """
        own, shown = ImageFrame.of(self.path), photograph.size
        # `load_mask` turns a mask without a tag of its own as it turns the photograph.
        turns = own.orientation == 1 and photograph.belongs_to_stored(own.stored)
        size = ImageFrame(own.stored, photograph.orientation).size if turns else own.size
        if size[0] * size[1] > _MOST_PIXELS:
            raise SceneLensError(
                f"{self.path} has {size[0]} x {size[1]} pixels, more than {_MOST_PIXELS:,}; scale it and its "
                "photograph down."
            )
        if not _same_shape(size, shown):
            raise SceneLensError(
                f"{self.path} has {size[0]} x {size[1]} pixels and its photograph {shown[0]} x {shown[1]}, "
                "which is another shape (rows x columns); make the mask anew or leave it out."
            )
        return size

    def mask_repairs(self, photograph: ImageFrame) -> list[tuple[str, str]]:
        """What has to be assumed about how a mask lies on its photograph.

        Parameters
        ----------
        photograph : ImageFrame
            The size and orientation of the photograph.

        Returns
        -------
        list of tuple of str
            One ('turned', what is assumed) where the camera's tag turns the photograph and the mask's shape
            fits both before and after that; else none.
        """
        height, width = photograph.stored
        swaps = photograph.orientation >= 5 and height != width
        if photograph.orientation == 1 or swaps or ImageFrame.of(self.path).orientation != 1:
            return []
        how = f"orientation {photograph.orientation}; the mask was taken as drawn on the pixels as stored"
        return [("turned", how)]

    def mask(self, photograph: ImageFrame, colours: bool = False) -> np.ndarray:
        """A mask that fits its photograph.

        Parameters
        ----------
        photograph : ImageFrame
            The size and orientation of the photograph.
        colours : bool, optional
            True reads colours, False (default) codes; see `scenelens.images.load_mask`.

        Returns
        -------
        numpy.ndarray
            uint8 RGB (H, W, 3), or int32 codes (H, W), of the mask's own size.

        Raises
        ------
        SceneLensError
            If it cannot be read or does not fit (see `mask_size`), or has codes outside 0..65535.
        """
        self.mask_size(photograph)  # before anything is decoded: a small file can have billions of pixels
        found = load_mask(self.path, photograph, colours)
        if not colours and (found.min(initial=0) < 0 or found.max(initial=0) > MOST_CODE):
            raise SceneLensError(
                f"{self.path} has codes outside 0..{MOST_CODE}; save it again as a PNG of 8 or 16 bits."
            )
        return found


def _stem(image: str) -> str:
    """An image's id without the ending of its file; a name such as 2019.12 has none."""
    stem, dot, ending = image.rpartition(".")
    return stem if dot and f".{ending.lower()}" in ENDINGS else image


def _by_spelling(folder: Path, ending: str) -> dict[str, Path]:
    """The files below a folder that have an ending, by their path in the spelling for comparisons."""
    paths = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() == ending)
    return {SourceFile.spelling(path.relative_to(folder).as_posix()): path for path in paths}


def _encodings(content: bytes) -> list[str]:
    """The encodings to try, in order."""
    marked = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)
    if marked:
        return [marked, "utf-8"]
    found = _DECLARED.match(content[:400])
    try:
        declared = codecs.lookup(found[1].decode("ascii")).name if found else "utf-8"
    except LookupError:
        declared = "utf-8"
    if not _ENCODINGS.fullmatch(declared) or declared.startswith(("utf-16", "utf-32")):
        declared = "utf-8"  # text of 16 bits has a mark or zeros, and was found above
    return list(dict.fromkeys([_WIDER.get(declared, declared), declared, "utf-8"]))


def _check_regular(path: Path) -> None:
    """Refuse what is not a file. Opening a pipe would wait for ever, and a device has no end."""
    if path.exists() and not path.is_file():
        raise OSError(0, "not a file")


def _same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one is the other scaled: the sides are in proportion within a pixel.

    >>> _same_shape((4, 6), (400, 601)), _same_shape((4, 6), (6, 4))
    (True, False)
    """
    small, large = sorted((size, other))
    scale = large[1] / small[1]
    return abs(small[0] * scale - large[0]) < scale or size == other
