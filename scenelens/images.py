"""Image files: find them in folders, and read them as arrays, uint8 RGB (H, W, 3), 0..255."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from scenelens.errors import SceneLensError

_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})


def load_image(path: str | Path, content: bytes | None = None) -> np.ndarray:
    """Read an image file, whatever its colour model.

    Parameters
    ----------
    path : str or Path
        Any file that Pillow reads. Greyscale, palette, CMYK and 16-bit images are converted. Transparent
        pixels are laid on white. The camera's orientation tag is followed. Of an animation the first frame
        counts.
    content : bytes, optional
        The file's content where it is in memory, as after an upload; `path` then is its name in an error.

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
    >>> load_image("holiday.jpg", b"no image")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: the image holiday.jpg is unreadable or truncated ...
    """
    source: Any = path if content is None else _NamedBytes(str(path), content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source) as file:
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
