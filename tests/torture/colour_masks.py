"""Annotations that are coloured masks: other colours, shapes and kinds of images, damaged files."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
from PIL import Image

from scenelens.annotations.colour_masks import ColourMasks
from tests.torture.annotations import Annotated, H, W, photographs
from tests.torture.kind import Files, expect
from tests.torture.mutate import damaged, scattered

COLOURS = {"road": [128, 64, 0], "sky": [0, 128, 128], "unlabelled": [0, 0, 0]}
_SHAPES = [(H, W)] * 6 + [(W, H), (H // 2, W // 2), (H * 2, W * 2), (H + 7, W), (1, 1), (H, 1)]
_FORMATS = ["PNG"] * 8 + ["JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM"]


def mask_file(rng: random.Random) -> bytes:
    """A mask of blocks in the classes' colours, and sometimes of others, as a file of some format."""
    shape = rng.choice(_SHAPES)
    known = [*COLOURS.values(), *([[7, 7, 7]] if rng.random() < 0.5 else [])]
    codes = np.random.default_rng(rng.getrandbits(32)).integers(
        0, len(known), (-(-shape[0] // 8), -(-shape[1] // 8))
    )
    pixels = np.array(known, np.uint8)[codes.repeat(8, 0).repeat(8, 1)[: shape[0], : shape[1]]]
    picture = Image.fromarray(pixels)
    how = rng.choice(["RGB"] * 8 + ["P", "L", "RGBA", "1", "I;16"])
    exif = Image.Exif()
    if rng.random() < 0.1:
        exif[0x0112] = rng.randrange(10)
    kind = rng.choice(_FORMATS)
    kept, out = picture.convert(how) if how != "I;16" else picture.convert("I;16"), io.BytesIO()
    if kind in ("JPEG", "WEBP", "PPM", "GIF", "BMP"):
        kept = kept.convert("RGB")
    kept.save(
        out, kind, **({"exif": exif.tobytes()} if kind not in ("GIF", "BMP", "PPM") and len(exif) else {})
    )
    return out.getvalue()


class Masks(Annotated):
    """The mask of a.jpg is new each time. What Pillow reads of it is the judge."""

    name, source = "colour masks", "labels/a.png"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        photographs(folder / "images", "a.jpg", "z.jpg")
        (folder / "labels").mkdir()
        whole = np.full((H, W, 3), COLOURS["road"], np.uint8)
        whole[: H // 2] = COLOURS["sky"]
        Image.fromarray(whole).save(folder / "labels/z.png")
        self.ready((folder / "labels/z.png").read_bytes())

    def open(self, cache=None):
        return ColourMasks(self.folder, COLOURS, cache)

    def make(self, rng: random.Random) -> Files:
        content, how = mask_file(rng), rng.random()
        if how < 0.3:
            return {"a.png": scattered(content, rng)}
        return {"a.png": damaged(content, rng) if how < 0.5 else content}

    def judge(self, files: Files, found: dict[str, np.ndarray] | None) -> None:
        if found is None:
            return
        (content,) = files.values()
        with Image.open(io.BytesIO(content)) as file:
            if file.size != (W, H) or file.getexif().get(0x0112, 1) != 1:
                return
            pixels = np.asarray(file.convert("RGB"))
        for name in ("road", "sky"):
            right = (pixels == COLOURS[name]).all(-1)
            mask = found.get(name, np.zeros((H, W), bool))
            expect((mask == right).all(), "a class has other pixels than those of its colour")
