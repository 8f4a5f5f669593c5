"""Image files, read as arrays, uint8 RGB (H, W, 3), 0..255.

Every image file of the package is opened by `_opened`: photographs, masks, label maps and uploads. It accepts
regular files of a few formats and of a limited size, because Pillow by itself would run PostScript, wait for
ever at a pipe, or fill the memory.

**Orientation.** A camera that was held upright writes the pixels as they came and a tag that says how to turn
them. `load_image`, `ImageFrame.of` and `load_mask` follow the tag, so a photograph, its size and its masks
agree. Annotations belong either to the pixels as they are stored, and are turned with them, or to the
photograph as it is shown. Where the tag swaps height and width, the size that an annotation states, or the
shape that a mask has, tells which. Where it mirrors the photograph or turns it by 180 degrees, both have one
size, and the pixels as they are stored are meant. A mask's own tag comes before both. Outlines without a size
belong to the photograph as it is shown; see `ImageFrame.belongs_to_stored`.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from scenelens.errors import SceneLensError
from scenelens.image_folders import FORMATS
from scenelens.image_folders import find_images as find_images  # where readers look for it

_MAX_BYTES = 2**29
_MAX_PIXELS = 89_478_485  # Pillow's own limit: 256 MB as RGB
# Many pixels in few bytes are an attack or damage: the densest real files, 8-bit PNGs, have 1032 in a byte.
_LARGE, _PIXELS_PER_BYTE = 2**24, 1100
_STRIP = 2**22  # pixels converted at once, so that a large image needs little more memory than itself
_DARK = 17  # an image of more than 8 bits that is darker everywhere was hardly meant to be black


class ImageFrame(NamedTuple):
    """The size of an image file, and how its stored pixels are turned before they are shown.

    Attributes
    ----------
    stored : tuple of int
        (H, W) of the pixels as they are in the file.
    orientation : int
        The camera's tag, 1..8; 1 leaves the pixels as they are.

    Examples
    --------
    >>> upright = ImageFrame((2, 3), 6)
    >>> upright.size
    (3, 2)
    >>> upright.turned(np.array([[1, 2, 3], [4, 5, 6]])).tolist()
    [[4, 1], [5, 2], [6, 3]]
    >>> upright.turned_points(np.array([(0.0, 0.0)])).tolist()
    [[1.0, 0.0]]
    """

    stored: tuple[int, int]
    orientation: int = 1

    @classmethod
    def of(cls, path: str | Path, content: bytes | None = None) -> ImageFrame:
        """Read the size and the orientation of an image from its header.

        Parameters
        ----------
        path : str or Path
            The image file; see `load_image`.
        content : bytes, optional
            The file's content where it is in memory; see `load_image`.

        Returns
        -------
        ImageFrame
            Its ``size`` is (H, W) of what `load_image` returns.

        Raises
        ------
        SceneLensError
            If the file is no image that `load_image` would open.
        """
        with _opened(path, content) as file:
            return _frame(file)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the image as it is shown."""
        return self.stored[::-1] if self.orientation >= 5 else self.stored

    def belongs_to_stored(self, stated: tuple[int, int] | None) -> bool:
        """Whether annotations of a stated size must be turned with the image.

        Parameters
        ----------
        stated : tuple of int or None
            (H, W) that an annotation states or that a mask has; None where it states none.

        Returns
        -------
        bool
            True for an image that is turned, unless no size is stated, or the image is upright where its
            stored pixels are wide, or wide where they are upright, and `stated` is so too.

        Examples
        --------
        >>> upright = ImageFrame((2, 3), 6)
        >>> [upright.belongs_to_stored(size) for size in ((2, 3), (3, 2), None)]
        [True, False, False]
        """
        if self.orientation == 1 or stated is None:
            return False
        height, width = self.size
        as_shown = (stated[0] - stated[1]) * (height - width) > 0
        return not (self.orientation >= 5 and as_shown)

    def turned(self, pixels: np.ndarray) -> np.ndarray:
        """Turn an array from the stored pixels to those that are shown.

        Parameters
        ----------
        pixels : numpy.ndarray
            (H, W, ...).

        Returns
        -------
        numpy.ndarray
            (H, W, ...) or (W, H, ...), contiguous.
        """
        if self.orientation >= 5:
            pixels = pixels.swapaxes(0, 1)
        upside_down, mirrored = _FLIPS[self.orientation]
        return np.ascontiguousarray(pixels[:: -1 if upside_down else 1, :: -1 if mirrored else 1])

    def turned_points(self, points: np.ndarray) -> np.ndarray:
        """Turn points from the stored pixels to those that are shown.

        Parameters
        ----------
        points : numpy.ndarray
            (n, 2) float, x and y in pixels; the centre of the first pixel is (0, 0).

        Returns
        -------
        numpy.ndarray
            (n, 2) float.
        """
        if self.orientation >= 5:
            points = points[:, ::-1]
        upside_down, mirrored = _FLIPS[self.orientation]
        height, width = self.size
        x, y = points[:, 0], points[:, 1]
        return np.column_stack([width - 1 - x if mirrored else x, height - 1 - y if upside_down else y])


# For each orientation, after height and width are swapped (5..8): whether rows and columns are reversed.
_FLIPS = {
    1: (False, False),
    2: (False, True),
    3: (True, True),
    4: (True, False),
    5: (False, False),
    6: (False, True),
    7: (True, True),
    8: (True, False),
}


def load_image(path: str | Path, content: bytes | None = None) -> np.ndarray:
    """Read an image file, whatever its colour model.

    Parameters
    ----------
    path : str or Path
        A JPEG, PNG, GIF, BMP, PPM, TIFF, WebP, AVIF or JPEG 2000 file. Greyscale, palette and CMYK images
        are converted. Transparent pixels are laid on white. The camera's orientation tag is followed. Of an
        animation the first frame counts.
    content : bytes, optional
        The file's content where it is in memory, as after an upload; `path` then is its name in an error.

    Returns
    -------
    numpy.ndarray
        uint8 RGB (H, W, 3).

    Raises
    ------
    SceneLensError
        If the file is missing, unreadable, truncated, no regular file, of another format, or so large that
        it may be an attack; or if its brightness cannot be scaled to 8 bits, see Notes.

    Notes
    -----
    Whole numbers of more than 8 bits are taken as they are where all are in 0..255; otherwise 65535 is white.
    Of decimal numbers 1 is white where all are in 0..1, and 255 where all are in 0..255. An image that has
    other values, or that would become nearly black by this rule though it has values above 0, is refused.

    Examples
    --------
    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "grey.png"
    >>> Image.new("L", (1, 1), 7).save(file)
    >>> load_image(file).tolist()
    [[[7, 7, 7]]]
    >>> load_image("holiday.jpg", b"no image")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: the image holiday.jpg is unreadable or truncated ...
    """
    with _opened(path, content) as file:
        # Pillow cuts 16 bits per colour to 8 without a word; only the list of tiles tells, before loading.
        deep = any(_is_deep(*tile) for tile in file.tile)
        frame = _frame(file)
        return _turned(file, frame, _rgb(file, path, deep))


def load_mask(
    path: str | Path, frame: ImageFrame, colours: bool = False, content: bytes | None = None
) -> np.ndarray:
    """Read a mask or a label map of a photograph.

    Parameters
    ----------
    path : str or Path
        The mask's file.
    frame : ImageFrame
        The photograph's, from `ImageFrame.of`. A mask with an orientation tag is turned by its own; a mask
        without one is turned with the photograph where it belongs to the photograph's stored pixels.
    colours : bool, optional
        True reads colours; False (default) reads codes: the values of a greyscale file, or the indexes of a
        file with a palette.
    content : bytes, optional
        The file's content where it is in memory; see `load_image`.

    Returns
    -------
    numpy.ndarray
        uint8 RGB (H, W, 3), or the codes, int32 (H, W), as the file has them.

    Raises
    ------
    SceneLensError
        If the file is no image that `load_image` would open, or has colours where codes are needed.
    """
    with _opened(path, content) as file:
        # Pillow spreads grey values of 2 and 4 bits over 0..255; only the tiles tell, before loading.
        bits = {"L;2": 2, "L;4": 4}.get(str(file.tile[0][3]) if file.tile else "", 8)
        own = _frame(file)
        pixels = np.asarray(file.convert("RGB")) if colours else _mask_codes(file, path, bits)
        if own.orientation == 1 and frame.belongs_to_stored(own.stored):
            return frame.turned(pixels)
        return _turned(file, own, pixels)


def _mask_codes(file: ImageFile.ImageFile, path: str | Path, bits: int) -> np.ndarray:
    """The codes of a mask as its file has them, int32 (H, W)."""
    if file.mode in ("1", "L", "P") or file.mode.startswith("I"):
        codes = np.asarray(file).astype(np.int32)
        return codes // (255 // (2**bits - 1)) if file.mode == "L" else codes
    if file.mode in ("RGB", "LA", "RGBA"):
        # Some programs save grey values three times, or with a channel of transparency.
        values = np.asarray(file.convert("RGB"))
        if (values == values[..., :1]).all():
            return values[..., 0].astype(np.int32)
    raise SceneLensError(
        f"the label map {path} has colours; save its codes as a greyscale or palette PNG, or read it as a "
        "colour-mask."
    )


@contextlib.contextmanager
def _opened(path: str | Path, content: bytes | None = None) -> Iterator[ImageFile.ImageFile]:
    """An image whose header was read and found harmless; whatever goes wrong with it is one sentence."""
    try:
        with contextlib.ExitStack() as stack:
            stream: Any = stack.enter_context(_regular(path) if content is None else io.BytesIO(content))
            length = _checked_length(path, stream)
            file = stack.enter_context(Image.open(stream, formats=FORMATS))
            # Pillow reports up to twice its limit as a warning only.
            pixels = file.width * file.height
            most = min(_MAX_PIXELS, Image.MAX_IMAGE_PIXELS or _MAX_PIXELS)
            if pixels > most or pixels > max(_LARGE, length * _PIXELS_PER_BYTE):
                raise Image.DecompressionBombError
            yield file
    except SceneLensError:
        raise
    except FileNotFoundError as error:
        raise SceneLensError(f"there is no image {path}; check the path.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise SceneLensError(f"the image {path} has too many pixels; scale it down first.") from error
    except UnidentifiedImageError as error:
        raise SceneLensError(
            f"the image {path} is unreadable or truncated ({_what_else(path, content)}); replace or "
            "remove it."
        ) from error
    except Exception as error:
        # Pillow's plug-ins raise nearly every kind of error on broken files
        raise SceneLensError(
            f"the image {path} is unreadable or truncated ({_short(error)}); replace or remove it."
        ) from error


# What a file that is no image begins with, and what it then is.
_OTHERS = (
    (rb"....ftyp(heic|heix|heim|heis|hevc|mif1|msf1)", "a HEIC image, which Pillow cannot read: convert it"),
    (rb"version https://git-lfs", "a pointer of git-LFS instead of the image: run `git lfs pull`"),
    (rb"\s*<(!doctype html|html|head|body)", "a web page that was saved in the image's place"),
    (rb"%PDF|%!PS", "a PDF or PostScript document"),
    (rb"(II\*\0....CR|FUJIFILMCCD|....ftypcrx)", "a camera's raw file: convert it"),
)


def _what_else(path: str | Path, content: bytes | None) -> str:
    """What a file is that Pillow did not identify, by its first bytes."""
    head = content
    if head is None:
        with _regular(path) as stream:
            head = stream.read(64)
    if not head[:64].strip(b"\0"):
        return "it is empty" if not head else "its bytes are zeros"
    known = (what for start, what in _OTHERS if re.match(start, head[:64], re.I | re.S))
    return next(known, f"no image in {', '.join(FORMATS)} format")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


class _Bounded(io.BufferedReader):
    """A file of which no more is read than there is.

    A damaged image may ask for 4 GB of a file of 100 bytes, and Python would reserve them before it reads.
    """

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, os.fstat(self.fileno()).st_size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def _regular(path: str | Path) -> io.BufferedReader:
    """The opened file. Opening does not wait for a pipe's other end; what was opened is then checked."""
    flags = sum(getattr(os, name, 0) for name in ("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"))
    number = os.open(path, flags)
    if stat.S_ISREG(os.fstat(number).st_mode):
        return _Bounded(io.FileIO(number))
    os.close(number)
    raise SceneLensError(f"the image {path} is no regular file but a folder, pipe or device; remove it.")


def _checked_length(path: str | Path, stream: Any) -> int:
    length = stream.seek(0, io.SEEK_END)
    if length > _MAX_BYTES:
        raise SceneLensError(
            f"the image {path} has more than {_MAX_BYTES // 2**20} MB; scale it down or compress it."
        )
    stream.seek(0)
    return length


def _frame(file: ImageFile.ImageFile) -> ImageFrame:
    if file.format == "PNG" and _has_late_chunks(file):
        file.load()
    # Not the PNG reader's own method, which decodes all pixels first. A broken tag does not make a
    # photograph unreadable; it is then shown as it is stored.
    orientation = None
    with contextlib.suppress(Exception):
        orientation = Image.Image.getexif(file).get(ExifTags.Base.Orientation)
    if not isinstance(orientation, int) or orientation not in _FLIPS:
        orientation = 1
    stored = (file.height, file.width)
    if orientation != 1 and file.format == "TIFF":
        file.load()  # this turns the pixels, see _turned
        stored = (file.width, file.height) if orientation >= 5 else (file.height, file.width)
    return ImageFrame(stored, orientation)


def _turned(file: ImageFile.ImageFile, frame: ImageFrame, pixels: np.ndarray) -> np.ndarray:
    # Of all its formats Pillow follows the orientation of TIFF only.
    return pixels if frame.orientation == 1 or file.format == "TIFF" else frame.turned(pixels)


def _has_late_chunks(file: ImageFile.ImageFile) -> bool:
    """Whether a PNG has chunks after its pixels, where some programs write the orientation."""
    stream: Any = file.fp
    here = stream.tell()
    stream.seek(8)
    pixels = late = False
    while len(header := stream.read(8)) == 8:
        kind = header[4:]
        late |= pixels and kind not in (b"IDAT", b"fdAT", b"fcTL", b"IEND")
        pixels |= kind == b"IDAT"
        stream.seek(int.from_bytes(header[:4], "big") + 4, io.SEEK_CUR)
    stream.seek(here)
    return late


def _rgb(file: ImageFile.ImageFile, path: str | Path, deep: bool) -> np.ndarray:
    """The pixels as uint8 RGB (H, W, 3), checked where the file has more bits (`deep`)."""
    file.load()
    white = _white(file, path) if file.mode == "F" or file.mode.startswith("I") else None
    rows = max(1, _STRIP // file.width)
    if rows >= file.height:
        pixels = np.asarray(_as_rgb(file, white))
    else:
        pixels = np.empty((file.height, file.width, 3), np.uint8)
        for top in range(0, file.height, rows):
            box = (0, top, file.width, min(file.height, top + rows))
            pixels[top : top + rows] = np.asarray(_as_rgb(file.crop(box), white))
    if pixels.max() < _DARK and (deep if white is None else np.asarray(file).any()):
        raise SceneLensError(
            f"the image {path} has more than 8 bits per pixel and would be nearly black with 8; save it with "
            "values in 0..255."
        )
    return pixels


def _is_deep(codec: str, extents: Any, offset: int, args: Any) -> bool:
    return ";16" in repr(args) or (codec == "ppm" and args[1] > 255)


def _white(file: ImageFile.ImageFile, path: str | Path) -> float:
    """The value that is white in a greyscale image of more than 8 bits; see the notes of `load_image`."""
    values = np.asarray(file)
    low, high = float(values.min()), float(values.max())
    for white in (1.0, 255.0) if file.mode == "F" else (255.0, 65535.0):
        if low >= 0 and high <= white:
            return white
    scales = "0..1 or 0..255" if file.mode == "F" else "0..255 or 0..65535"
    raise SceneLensError(
        f"the image {path} has values in {low:g}..{high:g}; save it with values in {scales}."
    )


def _as_rgb(image: Image.Image, white: float | None) -> Image.Image:
    if white is not None:
        values = np.asarray(image, dtype=np.float64)
        # 65535 / 255 and 255 / 255 are whole numbers, so that rounding is the same for every reader
        values = values * 255 if white == 1 else values / (white / 255)
        return Image.fromarray(values.round().astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        picture = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return image.convert("RGB")
