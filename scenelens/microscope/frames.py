"""The images of the pages: each is written once, as the networks that cut the same frame see it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from scenelens.errors import SceneLensError
from scenelens.files import cache_key, read_text, replace_file, stable_text
from scenelens.networks import Network
from scenelens.studies import ActivationIndex, Study

_QUALITY = 75  # of WebP
_IN_FOLDER = 1000  # files


@dataclass(frozen=True)
class _Frames:
    """The images of one way to cut a frame from a photograph.

    Attributes
    ----------
    name : str
        The folder's name: a key of the photographs and of how they are cut.
    folder : pathlib.Path
        Where the images are.
    pixels : int
        The longer side of an image; smaller frames stay as they are.
    """

    name: str
    folder: Path
    pixels: int

    @classmethod
    def of(cls, network: Network, index: ActivationIndex, images: Path, pixels: int) -> _Frames:
        """The images that a network sees.

        Parameters
        ----------
        network : Network
            The network; what happens to colours after the frame is cut does not count.
        index : ActivationIndex
            Its index, which knows the content of the photographs.
        images : pathlib.Path
            The folder of all images.
        pixels : int
            The longer side of an image.

        Returns
        -------
        _Frames
            Equal for networks that see the same pixels.
        """
        inputs = json.loads(read_text(index.folder / "inputs.json"))
        name = cache_key([_cut(network), inputs["images"], pixels, _QUALITY])
        return cls(name, images / name, pixels)

    def path(self, row: int) -> Path:
        """The file of one image.

        Parameters
        ----------
        row : int
            The image's row in `Study.images`.

        Returns
        -------
        pathlib.Path
            The file, which need not exist yet.
        """
        return self.folder / str(row // _IN_FOLDER) / f"{row}.webp"

    def missing(self, rows: Iterable[int]) -> list[int]:
        """The images that are not written yet; a file is there whole or not at all.

        Parameters
        ----------
        rows : iterable of int
            Rows in `Study.images`.

        Returns
        -------
        list of int
            Those without a file.
        """
        return [int(row) for row in rows if not self.path(int(row)).exists()]

    def written(self, n: int) -> str:
        """Which images have a file: only those that some unit is shown with.

        Parameters
        ----------
        n : int
            How many images the study has.

        Returns
        -------
        str
            Base64 of one bit for each image, the first one highest.
        """
        there = np.ones(n, bool)
        there[self.missing(range(n))] = False
        return base64.b64encode(np.packbits(there).tobytes()).decode()

    def load(self, study: Study, network: Network, row: int) -> np.ndarray:
        """An image's frame; its file is written on the way if it is missing.

        Parameters
        ----------
        study : Study
            The open study.
        network : Network
            A network that sees these frames.
        row : int
            The image's row in `Study.images`.

        Returns
        -------
        numpy.ndarray
            uint8 RGB (H, W, 3).

        Raises
        ------
        SceneLensError
            If the image cannot be read, or its file cannot be written.
        """
        frame = network.show_input(study.load_image(study.images.image.iat[row]))
        path = self.path(row)
        if not path.exists():
            replace_file(path, _encoded(frame, self.pixels))
        return frame


def _cut(network: Network) -> str:
    """How a network cuts its frame from a photograph; equal for networks that see the same pixels."""
    how = network.preprocessing
    return stable_text((how.size, how.resize, how.resize_to, how.interpolation, network.input_size))


def _encoded(frame: np.ndarray, pixels: int) -> bytes:
    """A frame, uint8 RGB (H, W, 3), as a WebP file whose longer side is at most so many pixels."""
    small = Image.fromarray(frame)
    small.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    small.save(content, "WEBP", quality=_QUALITY)
    return content.getvalue()


def _check_webp() -> None:
    from PIL import features  # only this command needs it

    if not features.check("webp"):
        raise SceneLensError("this Pillow cannot write WebP: pip install --force-reinstall pillow.")
