"""Image files: find them in folders, and read them as arrays, uint8 RGB (H, W, 3), 0..255."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from scenelens.errors import SceneLensError

_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})


def load_image(path: str | Path) -> np.ndarray:
    """Read an image file, whatever its colour model.

    Parameters
    ----------
    path : str or Path
        Any file that Pillow reads. Greyscale, palette, CMYK and 16-bit images are converted. Transparent
        pixels are laid on white. The camera's orientation tag is followed. Of an animation the first frame
        counts.

    Returns
    -------
    numpy.ndarray
        uint8 RGB (H, W, 3).

    Raises
    ------
    SceneLensError
        If the file is missing, unreadable, truncated, or so large that it may be an attack.

    Examples
    --------
    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "grey.png"
    >>> Image.new("L", (1, 1), 7).save(file)
    >>> load_image(file).tolist()
    [[[7, 7, 7]]]
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                return np.asarray(_rgb(ImageOps.exif_transpose(file)))
    except FileNotFoundError as error:
        raise SceneLensError(f"there is no image {path}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise SceneLensError(f"the image {path} has too many pixels; scale it down first.") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, MemoryError) as error:
        # Pillow's plug-ins raise all of these on broken files
        raise SceneLensError(
            f"the image {path} is unreadable or truncated ({error}); replace or remove it."
        ) from error


def load_upload(name: str, content: bytes) -> np.ndarray:
    """Read an image file that is in memory, as a reader uploads it.

    Parameters
    ----------
    name : str
        The file's name, for the sentence of an error.
    content : bytes
        The file's content; see `load_image`.

    Returns
    -------
    numpy.ndarray
        uint8 RGB (H, W, 3).

    Raises
    ------
    SceneLensError
        If the content is no image that can be read.

    Examples
    --------
    >>> load_upload("holiday.jpg", b"no picture")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: the image holiday.jpg is unreadable or truncated ...
    """
    return load_image(_NamedBytes(name, content))  # type: ignore[arg-type]


class _NamedBytes(io.BytesIO):
    """Bytes whose ``str()`` is their file's name, so that `load_image` names it in its errors."""

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(content)
        self.file_name = name

    def __str__(self) -> str:
        return self.file_name


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        # Pillow cuts 16 bits to 8 when it converts, which gives white; so they are scaled before.
        values = np.asarray(image, dtype=np.float64)
        if image.mode != "F" and values.max(initial=0) > 255:
            values = values / 257
        image = Image.fromarray(np.clip(values.round(), 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        picture = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return image.convert("RGB")


def find_images(folder: str | Path) -> list[Path]:
    """Find all image files below a folder; hidden files and folders are left out.

    Parameters
    ----------
    folder : str or Path
        Where to look, including its subfolders.

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
        raise SceneLensError(
            f"the folder of images {folder} does not exist; check the path in the study.toml."
        )
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _ENDINGS
        and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    ]
    if not found:
        raise SceneLensError(f"the folder {folder} holds no image ({', '.join(sorted(_ENDINGS))}).")
    return sorted(found)


def category_of(path: Path, folder: Path, by: str = "folder") -> str:
    """Return an image's category, from its folder or from its file's name.

    Parameters
    ----------
    path : Path
        The image's file.
    folder : Path
        The folder of all images.
    by : {'folder', 'file name'}, optional
        Where the category stands: the path of the image's folder within `folder` (default), or the file's
        name without its ending and without ImageNet's number.

    Returns
    -------
    str
        The category.

    Examples
    --------
    >>> category_of(Path("photos/l/lamp/a.jpg"), Path("photos"))
    'l/lamp'
    >>> category_of(Path("photos/n01440764_tench.jpg"), Path("photos"), by="file name")
    'tench'
    """
    if by == "file name":
        return re.sub(r"^n\d{8}_", "", path.stem)
    return path.relative_to(folder).parent.as_posix()


def spread(paths: Iterable[Path], folder: Path, by: str, limit: int) -> list[Path]:
    """Choose at most `limit` images, from the categories in turn, so that every category keeps about as many.

    Parameters
    ----------
    paths : iterable of Path
        The images' files.
    folder : Path
        The folder of all images; see `category_of`.
    by : {'folder', 'file name'}
        Where the category stands; see `category_of`.
    limit : int
        How many images to choose.

    Returns
    -------
    list of Path
        The chosen files, sorted by path.
    """
    piles: dict[str, list[Path]] = {}
    for path in paths:
        piles.setdefault(category_of(path, folder, by), []).append(path)
    ranked = [(place, path) for pile in piles.values() for place, path in enumerate(pile)]
    return sorted(path for _, path in sorted(ranked)[:limit])
