"""Image files: found in folders, read as what the package calls an image, uint8 RGB (H, W, 3)."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from scenelens.errors import SceneLensError

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})


def load_image(path: str | Path) -> np.ndarray:
    """One image file as uint8 RGB (H, W, 3), whatever colour model it is kept in.

    Parameters
    ----------
    path : any file Pillow reads. Greyscale, palette, CMYK and 16-bit pictures are converted, transparent
        pixels are laid on white, the camera's orientation tag is followed; of an animation the first frame
        counts.

    Raises
    ------
    SceneLensError : the file is missing, unreadable, truncated, or so large that it looks like an attack.

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
    """An image file that is in memory, as a reader uploads it; otherwise as `load_image`.

    Examples
    --------
    >>> load_upload("holiday.jpg", b"no picture")
    Traceback (most recent call last):
    ...
    scenelens.errors.SceneLensError: the image holiday.jpg is unreadable or truncated ...
    """
    return load_image(_NamedBytes(name, content))  # type: ignore[arg-type]


class _NamedBytes(io.BytesIO):
    """Bytes that are called by their file's name in a message."""

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(content)
        self.file_name = name

    def __str__(self) -> str:
        return self.file_name


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits and more
        values = np.asarray(image, dtype=np.float64)
        if image.mode != "F" and values.max(initial=0) > 255:
            values = values / 257
        image = Image.fromarray(np.clip(values.round(), 0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        picture = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return image.convert("RGB")


def find_images(folder: str | Path) -> list[Path]:
    """All image files below a folder, sorted by path; hidden files and folders are left out.

    Raises
    ------
    SceneLensError : the folder is missing or holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SceneLensError(
            f"the folder of images {folder} does not exist; check the path in the study.toml."
        )
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in ENDINGS
        and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    ]
    if not found:
        raise SceneLensError(f"the folder {folder} holds no image ({', '.join(sorted(ENDINGS))}).")
    return sorted(found)


def category_of(path: Path, folder: Path, by: str = "folder") -> str:
    """An image's category: the folder it lies in, or (by = "file name") its name without ImageNet's number.

    >>> category_of(Path("photos/l/lamp/a.jpg"), Path("photos"))
    'l/lamp'
    >>> category_of(Path("photos/n01440764_tench.jpg"), Path("photos"), by="file name")
    'tench'
    """
    if by == "file name":
        return re.sub(r"^n\d{8}_", "", path.stem)
    return path.relative_to(folder).parent.as_posix()


def spread(paths: Iterable[Path], folder: Path, by: str, limit: int) -> list[Path]:
    """At most `limit` images, dealt from the categories in turn, so that none is lost while others are kept
    whole."""
    piles: dict[str, list[Path]] = {}
    for path in paths:
        piles.setdefault(category_of(path, folder, by), []).append(path)
    ranked = [(place, path) for pile in piles.values() for place, path in enumerate(pile)]
    return sorted(path for _, path in sorted(ranked)[:limit])
