"""Finding photographs: every image file below a folder, and what to say about files that cannot be read.

Links are followed. Each folder and each file is listed once, under its own name where it has one below the
folder and otherwise under the link's, so a loop of links ends and no photograph counts twice.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import features

from scenelens.errors import SceneLensError
from scenelens.sentences import one_line

# What Pillow may try. None of these runs a program or opens another file or the network, as EPS, WMF or
# FPX may. A photograph in several sizes (MPO) is read as the JPEG it begins with.
_ALLOWED = ("JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP", "AVIF", "JPEG2000")
_LIBRARIES = {
    "WEBP": "webp",
    "AVIF": "avif",
    "JPEG2000": "jpg_2000",
}  # that Pillow may have been built without
#: The formats that are read on this machine, by Pillow's names.
FORMATS = tuple(one for one in _ALLOWED if one not in _LIBRARIES or features.check(_LIBRARIES[one]))
#: The ending of an image's file, in lower case -> its format.
ENDINGS = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".mpo"), "JPEG"),
    **dict.fromkeys((".png", ".apng"), "PNG"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "PPM"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".avif", ".avifs"), "AVIF"),
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"), "JPEG2000"),
    **dict.fromkeys((".heic", ".heif", ".heics", ".heifs", ".hif"), "HEIF"),
    ".bmp": "BMP",
    ".gif": "GIF",
    ".webp": "WEBP",
}

# Images that are often among photographs and are not read: raw files of cameras (of some, Pillow would read
# the tiny preview), drawings, layered images.
_OTHER_IMAGES = re.compile(
    r"\.(3fr|arw|cr2|cr3|crw|dng|erf|kdc|mrw|nef|nrw|orf|pef|raf|raw|rw2|sr2|srw|x3f"
    r"|ai|cdr|emf|eps|svg|wmf|exr|hdr|icns|ico|jxl|jxr|pcx|psb|psd|qoi|sgi|tga|xcf)"
)
# What looks like an ending and is none: IMG.0001, "st. pancras 3"
_ENDING = re.compile(r"\.[a-z][a-z0-9_~-]{0,7}|\.3fr|\.7z", re.I)
_SAID: set[str] = set()  # sentences about folders, each said once


def find_images(folder: str | Path, left_out: list[tuple[str, str]] | None = None) -> list[Path]:
    """Find all image files below a folder; hidden files and folders are left out.

    A file without an ending counts where it is an image. Links to files and folders are followed; each file
    is listed once.

    Parameters
    ----------
    folder : str or Path
        Where to look, including its subfolders.
    left_out : list of tuple of str, optional
        Takes the path below the folder, and the reason, of every image that cannot be read because of its
        format, and of every folder that cannot be opened. By default one sentence on stderr counts them.

    Returns
    -------
    list of Path
        The files, sorted by path.

    Raises
    ------
    SceneLensError
        If the folder is missing or has no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file and no folder" if folder.exists() else "does not exist"
        raise SceneLensError(f"the folder of images {folder} {what}; check the path in the study.toml.")
    closed: list[str] = []
    sorter = _Sorter()
    found = [path for path in _files_below(folder, closed) if sorter.is_image(path)]
    sorter.others += [(Path(path), "folder (cannot be opened; change its permissions)") for path in closed]
    if not found:
        raise SceneLensError(
            f"the folder {folder} holds no image that can be read ({', '.join(FORMATS)}){sorter.counted()}."
        )
    if left_out is not None:
        left_out += [(path.relative_to(folder).as_posix(), why) for path, why in sorted(sorter.others)]
    elif sorter.others:
        _say_once(f"{folder}{sorter.counted()}.")
    return sorted(found)


def real_paths(paths: Iterable[Path]) -> list[str]:
    """Follow all links.

    Following the links of a folder once, and not for each of its files, makes this five times as fast.

    Parameters
    ----------
    paths : iterable of pathlib.Path
        The paths.

    Returns
    -------
    list of str
        The paths without links, in the same order.

    Examples
    --------
    >>> real_paths([Path("photos/../photos/a.jpg")]) == [os.path.realpath("photos/a.jpg")]
    True
    """
    folders: dict[str, str] = {}
    found = []
    for path in map(os.fspath, paths):
        folder, name = os.path.split(path)
        # On Windows a file's own name may be written in several ways, too.
        if os.name == "nt" or name in ("", ".", "..") or os.path.islink(path):
            found.append(os.path.realpath(path))
            continue
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        found.append(os.path.join(folders[folder], name))
    return found


class _Sorter:
    """Which files are images, and why others that look like images are left out."""

    def __init__(self) -> None:
        self.others: list[tuple[Path, str]] = []  # the file or folder, and the reason

    def is_image(self, path: Path) -> bool:
        """Whether it is listed: by its ending, or by its content where it has none."""
        ending = path.suffix.lower()
        if ENDINGS.get(ending) in FORMATS:
            return True
        if ending in ENDINGS or _OTHER_IMAGES.fullmatch(ending):
            self.others.append((path, f"{ending} (Pillow cannot read this format; convert to JPEG)"))
            return False
        return not _ENDING.fullmatch(ending) and _opens(path)

    def counted(self) -> str:
        """How many files were left out, by reason, as the rest of a sentence; '' for none."""
        if not self.others:
            return ""
        counts = Counter(why for _, why in self.others).most_common()
        total = "1 file was" if len(self.others) == 1 else f"{len(self.others)} files were"
        return f": {total} left out: {', '.join(f'{n} {why}' for why, n in counts)}"


# How files of the formats begin.
_BEGINNING = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|BM....\0\0\0\0|P[1-6]\s[\d#\s]|II\*\0|MM\0\*|RIFF....WEBP"
    rb"|....ftypavi[fs]|\0\0\0\x0cjP  \r\n|\xff\x4f\xff\x51",
    re.S,
)


def _opens(path: Path) -> bool:
    """Whether a file begins as an image does. Its other bytes are read when it is used."""
    try:
        if not path.is_file():  # reading a pipe would wait for ever
            return False
        with path.open("rb") as file:
            return _BEGINNING.match(file.read(32)) is not None
    except OSError:
        return False


def _say_once(text: str) -> None:
    if text not in _SAID:
        _SAID.add(text)
        print(one_line(text, longest=len(text)), file=sys.stderr, flush=True)


def _files_below(folder: Path, closed: list[str]) -> Iterator[Path]:
    """Every file that is not hidden, each once. Folders that cannot be opened are added to `closed`."""
    folders, links = {os.path.realpath(folder)}, list[str]()
    own = list(_walk(str(folder), folders, links, closed))
    yield from map(Path, own)
    known = {os.path.realpath(path) for path in own} if links else set()
    while links:
        # In an order that is the same on every system; links that are found behind a link come last.
        now, links = sorted(links), []
        for link in now:
            for path in _linked(link, folders, links, closed):
                if (real := os.path.realpath(path)) not in known:
                    known.add(real)
                    yield Path(path)


def _linked(link: str, folders: set[str], links: list[str], closed: list[str]) -> Iterable[str]:
    """The files that a link leads to: itself, or those of a folder that was not listed yet."""
    target = os.path.realpath(link)
    if not os.path.isdir(target):
        return [link]
    here = os.path.realpath(os.path.dirname(link))
    # A folder that contains the link would be listed within itself.
    if target in folders or f"{here}{os.sep}".startswith(target.rstrip(os.sep) + os.sep):
        return []
    folders.add(target)
    return _walk(link, folders, links, closed)


def _walk(folder: str, folders: set[str], links: list[str], closed: list[str]) -> Iterable[str]:
    """Files below a folder that are no links; the links are added to `links`, the folders to `folders`."""
    pending = [folder]
    while pending:
        here = pending.pop()
        try:
            entries = list(os.scandir(here))
        except OSError:
            closed.append(here)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                links.append(entry.path)
            elif not entry.is_dir():
                yield entry.path
            elif (real := os.path.realpath(entry.path)) not in folders:
                folders.add(real)
                pending.append(entry.path)
