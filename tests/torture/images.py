"""Photographs: every format and colour model, whole or damaged, decoded twice and by Pillow alone."""

from __future__ import annotations

import contextlib
import io
import random
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from scenelens.errors import SceneLensError
from scenelens.images import ImageFrame, load_image, load_mask
from tests.torture.kind import Files, Kind, expect, expect_sentence
from tests.torture.mutate import damaged, scattered

_MODES = {
    "jpg": ["RGB", "L", "CMYK"],
    "png": ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"],
    "gif": ["P", "L"],
    "bmp": ["RGB", "L", "P", "1"],
    "tif": ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16", "F", "I", "YCbCr"],
    "webp": ["RGB", "RGBA"],
    "ppm": ["RGB", "L", "1"],
}
_FORMAT = {"jpg": "JPEG", "tif": "TIFF"}
_DEEP = ("I;16", "I", "F")
_SMALL = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM")


def photograph(rng: random.Random) -> tuple[str, bytes]:
    """An image file: its name and content, 1 to 30 pixels high and wide."""
    ending = rng.choice(list(_MODES))
    mode, size = rng.choice(_MODES[ending]), (rng.randint(1, 30), rng.randint(1, 30))
    noise = np.random.default_rng(rng.getrandbits(32)).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    if mode in _DEEP:
        top = {"F": 1.0}.get(mode, 65535)
        values = noise[..., 0].astype(float) / 255 * rng.choice([top, 255, 3])
        picture = Image.fromarray(values.astype({"F": np.float32, "I": np.int32}.get(mode, np.uint16)))
    elif mode != "RGB":
        picture = picture.convert("RGB" if mode not in ("RGBA", "LA") else "RGBA").convert(mode)
    if mode in ("RGBA", "LA"):
        picture.putalpha(Image.fromarray(noise[..., 1]))
    options: dict = {}
    if ending in ("jpg", "png", "tif", "webp") and rng.random() < 0.5:
        exif = Image.Exif()
        exif[0x0112] = rng.randrange(10)
        options["exif"] = exif.tobytes()
    if ending == "tif":
        options["compression"] = rng.choice(["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
    out = io.BytesIO()
    with contextlib.suppress(OSError, ValueError, KeyError, RuntimeError):  # libtiff does not have all pairs
        picture.save(out, _FORMAT.get(ending, ending.upper()), **options)
    if not out.getvalue():
        return photograph(rng)
    return f"a.{ending}", out.getvalue()


class Images(Kind):
    """Each input is one file; the judge is Pillow without any of our code."""

    name, share = "images", 3.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.said = ""  # the last error
        self.check({"a.png": photograph(random.Random(0))[1]})

    def make(self, rng: random.Random) -> Files:
        name, content = photograph(rng)
        how = rng.random()
        if how < 0.4:
            content = scattered(content, rng)
        elif how < 0.6:
            content = damaged(content, rng)
        elif how < 0.65:
            content = content[: rng.randrange(20)] + rng.randbytes(rng.randrange(60))
        return {name: content}

    def check(self, files: Files) -> None:
        ((name, content),) = files.items()
        path = self.write(self.folder / name, content)
        image = self._tried(load_image, path)
        again = self._tried(lambda path: load_image(path, content), path)
        both = (image is None) == (again is None)
        expect(both, f"a file and its content in memory are not both readable: {self.said}")
        frame = self._tried(ImageFrame.of, path)
        for colours in (True, False):
            self._tried(lambda path: load_mask(path, ImageFrame((4, 4)), colours), path)  # noqa: B023
        path.unlink()
        if image is None:
            return
        expect(image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3, "no RGB of 8 bits")
        expect(np.array_equal(image, again), "a file and its content in memory differ")
        expect(frame is not None and frame.size == image.shape[:2], "the header's size is not the image's")
        right = _by_pillow(content)
        expect(right is None or np.array_equal(image, right), "other pixels than Pillow's")

    def _tried(self, read, path: Path):
        try:
            return read(path)
        except SceneLensError as error:
            expect_sentence(str(error), path.name)
            self.said = str(error)
            return None


def _by_pillow(content: bytes) -> np.ndarray | None:
    """The pixels by Pillow; None for colour models that Pillow does not turn into RGB by our rules."""
    with Image.open(io.BytesIO(content)) as file:
        if file.mode in ("RGBA", "LA", "PA", "F") or file.mode.startswith("I") or "transparency" in file.info:
            return None
        try:
            return np.asarray(ImageOps.exif_transpose(file).convert("RGB"))
        except Exception:  # Pillow's own way to turn reads more of a damaged tag than the orientation
            return None
