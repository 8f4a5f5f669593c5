"""How a photograph becomes a network's input: a frame is cut from it, then its pixels are scaled.

The two steps are separate, because receptive fields, occluders and overlays all work on the frame: the uint8
image of exactly the size that the network takes. Only the second step needs channel order, mean and scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from scenelens.errors import SceneLensError, close_names
from scenelens.files import digest, stable_text
from scenelens.networks.mean_images import _read_mean_image
from scenelens.networks.torchvision_shim import load_torchvision

_MOST_PIXELS = 10_000  # of a side of the frame
_RESIZES = ("exact", "short side")
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def _are_sides(values: object, n: int = 1) -> bool:
    return (
        isinstance(values, tuple | list)
        and len(values) == n
        and all(isinstance(one, Integral) and 0 < int(one) <= _MOST_PIXELS for one in values)
    )


def _is_finite(value: Real) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:  # a whole number beyond the largest float
        return False


def _are_finite(values: object, n: int = 3) -> bool:
    return (
        isinstance(values, tuple | list)
        and len(values) == n
        and all(isinstance(one, Real) and _is_finite(one) for one in values)
    )


@dataclass(frozen=True)
class Preprocessing:
    """How one network's images are prepared.

    Attributes
    ----------
    size : tuple of int
        (height, width) in pixels of the frame that the network sees.
    resize : {'exact', 'short side'}
        ``"exact"`` resizes the photograph to ``resize_to``, whatever its shape; ``"short side"`` keeps its
        shape and makes the shorter side that long. Then the frame is cropped from the centre.
    resize_to : tuple of int, int or None
        (height, width), or one number for a square or for the short side; None takes ``size``. For
        ``"short side"`` the height counts.
    channels : {'RGB', 'BGR'}
        The order of the channels; ``"BGR"`` for networks from Caffe.
    white : float
        The value of a white pixel, 1.0 or 255.0.
    mean : tuple of float
        One number per channel, in the network's channel order and on the scale of ``white``.
    mean_image : str or None
        Path of a mean image (.binaryproto or .npy, (3, h, w), 0..255, in the network's channel order). It is
        resized to ``resize_to`` and cropped like the photograph, and used in place of ``mean``.
    std : tuple of float
        One number per channel, on the scale of ``white``.
    interpolation : {'bilinear', 'bicubic'}
        How pixels are computed where the photograph is resized, always with anti-aliasing.

    Raises
    ------
    SceneLensError
        If a value is not allowed, or if ``resize_to`` is smaller than the frame.

    Notes
    -----
    A pixel p (0..255) becomes ``(p * white / 255 - mean) / std``. The paper's authors resize to 227x227
    without keeping the shape when they study units, and so does the default.

    Examples
    --------
    >>> how = Preprocessing(size=(2, 2), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    >>> how.tensor(how.frame(np.full((9, 7, 3), 255, np.uint8))[None])[0, :, 0, 0]
    tensor([1., 1., 1.])
    """

    size: tuple[int, int] = (227, 227)
    resize: str = "exact"
    resize_to: tuple[int, int] | int | None = None
    channels: str = "RGB"
    white: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    mean_image: str | None = None
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    interpolation: str = field(default="bilinear", metadata={"added later": True})

    def __post_init__(self) -> None:
        one_side = _are_sides([self.resize_to])
        if not _are_sides(self.size, 2) or not (
            self.resize_to is None or one_side or _are_sides(self.resize_to, 2)
        ):
            raise SceneLensError(
                f"size = {self.size!r} and resize_to = {self.resize_to!r} are (height, width), whole numbers "
                f"in 1..{_MOST_PIXELS}."
            )
        if self.resize not in _RESIZES:
            raise SceneLensError(
                f"resize = {self.resize!r} is unknown; {close_names(self.resize, _RESIZES)}."
            )
        if self.interpolation not in _FILTERS:
            close = close_names(self.interpolation, _FILTERS)
            raise SceneLensError(f"interpolation = {self.interpolation!r} is unknown; {close}.")
        if self.channels not in ("RGB", "BGR"):
            raise SceneLensError(f"channels = {self.channels!r} is unknown; take 'RGB' or 'BGR'.")
        if not (_are_finite(self.mean) and _are_finite(self.std) and all(self.std)):
            raise SceneLensError("mean and std take three numbers each, one per channel, and no std of 0.")
        if not _are_finite([self.white], 1):
            raise SceneLensError(f"white = {self.white!r} is the value of a white pixel, 1.0 or 255.0.")
        to = self._resize_to()
        needed = self.size if self.resize == "exact" else (max(self.size),) * 2
        if to[0] < needed[0] or to[1] < needed[1]:
            raise SceneLensError(
                f"resize_to = {self.resize_to} is smaller than the frame {self.size}: enlarge it."
            )

    def _resize_to(self) -> tuple[int, int]:
        to = self.resize_to if self.resize_to is not None else self.size
        return (to, to) if isinstance(to, int) else (to[0], to[1])

    @property
    def framing(self) -> tuple[object, ...]:
        """What decides which frame is cut from a photograph; networks that share it see the same frame."""
        how = (self.size, self.resize, self._resize_to())
        return how if self.interpolation == "bilinear" else (*how, self.interpolation)

    def resized(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return the size to which a photograph is resized, before the frame is cropped from it.

        Label maps and segments of a photograph must be resized by the same rule, so that they fit the pixels
        that the network sees.

        Parameters
        ----------
        shape : tuple of int
            (height, width) of the photograph, in pixels.

        Returns
        -------
        tuple of int
            (height, width) after resizing.

        Examples
        --------
        >>> Preprocessing((224, 224), resize="short side", resize_to=256).resized((400, 500))
        (256, 320)
        """
        height, width = self._resize_to()
        if self.resize == "short side":
            scale = height / min(shape)
            # Rounding must not make the short side a pixel shorter.
            return max(height, round(shape[0] * scale)), max(height, round(shape[1] * scale))
        return height, width

    def frame(self, image: np.ndarray) -> np.ndarray:
        """Cut the frame that the network sees from a photograph.

        Resizing is with anti-aliasing. An image that has the size already is not changed.

        Parameters
        ----------
        image : numpy.ndarray
            uint8 RGB (h, w, 3), of any size.

        Returns
        -------
        numpy.ndarray
            uint8 RGB (H, W, 3) of exactly `size`.

        Raises
        ------
        SceneLensError
            If the image is not uint8 RGB.
        """
        image = Preprocessing.checked_image(image)
        height, width = self.resized((image.shape[0], image.shape[1]))
        if image.shape[:2] != (height, width):
            image = np.asarray(Image.fromarray(image).resize((width, height), _FILTERS[self.interpolation]))
        return Preprocessing.crop_centre(image, self.size)

    @staticmethod
    def checked_image(image: np.ndarray) -> np.ndarray:
        """Return an image after checking that it is uint8 RGB.

        Parameters
        ----------
        image : numpy.ndarray
            What is to be checked.

        Returns
        -------
        numpy.ndarray
            The same, uint8 RGB (H, W, 3).

        Raises
        ------
        SceneLensError
            If its dtype or shape is another one.
        """
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise SceneLensError(
                f"an image is uint8 RGB (H, W, 3), 0..255; got {image.dtype} {image.shape}. "
                "scenelens.images.load_image reads files that way."
            )
        return image

    @staticmethod
    def crop_centre(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Return the middle of an array; an odd margin leaves one pixel more at the lower and right edge.

        Parameters
        ----------
        image : numpy.ndarray
            (H, W, ...).
        size : tuple of int
            The wanted (height, width), not larger than (H, W).

        Returns
        -------
        numpy.ndarray
            A view (height, width, ...).
        """
        top, left = ((have - want) // 2 for have, want in zip(image.shape[:2], size, strict=True))
        return image[top : top + size[0], left : left + size[1]]

    def tensor(self, frames: np.ndarray) -> torch.Tensor:
        """Turn frames into the network's input.

        Parameters
        ----------
        frames : numpy.ndarray
            uint8 RGB (N, H, W, 3), of exactly `size`.

        Returns
        -------
        torch.Tensor
            float32 (N, 3, H, W).

        Raises
        ------
        SceneLensError
            If the frames have another size.
        """
        if frames.shape[1:] != (*self.size, 3):
            raise SceneLensError(
                f"frames have shape {frames.shape}; expected (N, {self.size[0]}, {self.size[1]}, 3)."
            )
        if self.channels == "BGR":
            frames = frames[..., ::-1]
        x = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2))).float()
        return x.mul_(self.white / 255).sub_(self._mean()).div_(torch.tensor(self.std).reshape(3, 1, 1))

    @classmethod
    def of_timm(cls, config: Mapping[str, Any] | None) -> Preprocessing:
        """Return the preprocessing of one of timm's networks, as its own configuration says.

        Parameters
        ----------
        config : mapping
            The module's ``pretrained_cfg``.

        Returns
        -------
        Preprocessing
            The same frame and numbers as timm's own transform.

        Raises
        ------
        SceneLensError
            If there is no configuration, or if it says something that is not offered here.

        Examples
        --------
        >>> how = Preprocessing.of_timm({"input_size": (3, 224, 224), "crop_pct": 0.875})
        >>> how.size, how.resize, how.resize_to
        ((224, 224), 'short side', 256)
        """
        if not config or len(config.get("input_size", ())) != 3:
            raise SceneLensError("the module is none of timm's (it has no pretrained_cfg): give a table.")
        channels, height, width = config["input_size"]
        mode = config.get("crop_mode") or "center"
        if channels != 3 or mode not in ("center", "squash"):
            raise SceneLensError(f"timm's crop mode {mode!r} with {channels} channels is not offered here.")
        share = config.get("crop_pct") or 0.875
        squash = mode == "squash" or height != width
        to = (math.floor(height / share), math.floor(width / share)) if squash else math.floor(height / share)
        return cls(
            size=(height, width),
            resize="exact" if squash else "short side",
            resize_to=to,
            mean=tuple(config.get("mean") or _IMAGENET.mean),
            std=tuple(config.get("std") or _IMAGENET.std),
            interpolation=config.get("interpolation") or "bilinear",
        )

    @classmethod
    def of_torchvision(cls, architecture: str, weights: str = "") -> tuple[Preprocessing, str]:
        """Return the preprocessing that torchvision's weights of an architecture were published with.

        Parameters
        ----------
        architecture : str
            A classifier's name in torchvision.
        weights : str, optional
            The name of the file of weights: torchvision's own tell which of several they are.

        Returns
        -------
        how : Preprocessing
            As these weights need it; by default the first weights of the architecture.
        which : str
            The weights' name in torchvision; with "assumed" where the file does not tell.

        Examples
        --------
        >>> how, which = Preprocessing.of_torchvision("resnet50", "resnet50-11ad3fa6.pth")
        >>> how.size, how.resize_to, which
        ((224, 224), 232, 'IMAGENET1K_V2')
        """
        known = list(load_torchvision().models.get_model_weights(architecture))
        own = next((one for one in known if one.url.rpartition("/")[2] == Path(weights).name), None)
        chosen = own or known[0]
        says = chosen.transforms()
        side = says.crop_size[0]
        how = cls(
            size=(side, side),
            resize="short side",
            resize_to=says.resize_size[0],
            mean=tuple(says.mean),
            std=tuple(says.std),
            interpolation=says.interpolation.value,
        )
        return how, chosen.name if own else f"{chosen.name}, assumed"

    def words(self) -> str:
        """Return the preprocessing as a part of a sentence.

        Returns
        -------
        str
            Such as ``"short side to 256, 224 x 224 pixels, RGB, 0 to 1, minus 0.5, 0.5, 0.5"``.
        """
        to = self._resize_to()
        first = f"short side to {to[0]}, " if self.resize == "short side" else ""
        first = first or ("" if to == self.size else f"resized to {to[0]} x {to[1]}, ")
        parts = [f"{first}{self.size[0]} x {self.size[1]} pixels, {self.channels}, 0 to {self.white:g}"]
        if self.mean_image:
            parts.append(f"minus {Path(self.mean_image).name}")
        elif any(self.mean):
            parts.append(f"minus {', '.join(f'{one:g}' for one in self.mean)}")
        parts += [f"divided by {', '.join(f'{one:g}' for one in self.std)}"] * (set(self.std) != {1.0})
        return ", ".join([*parts, *([self.interpolation] if self.interpolation != "bilinear" else [])])

    def key_text(self) -> str:
        """Return a text that is equal exactly where two preprocessings do the same, for keys of results.

        Returns
        -------
        str
            The mean image counts by the content of its file, and not by where it lies.

        Raises
        ------
        SceneLensError
            If the file of the mean image cannot be read.
        """
        if self.mean_image is None:
            return stable_text(self)
        return stable_text((replace(self, mean_image=None), self.mean_digest))

    @property
    def mean_digest(self) -> str:
        """The SHA-256 of the mean image's file as it is now; empty where there is none.

        Raises
        ------
        SceneLensError
            If the file cannot be read.
        """
        if self.mean_image is None:
            return ""
        try:
            return digest(Path(self.mean_image).read_bytes())
        except OSError as error:
            raise SceneLensError(
                f"the mean image {self.mean_image} cannot be read ({error.strerror}); put the file back."
            ) from None

    def _mean(self) -> torch.Tensor:
        if self.mean_image is None:
            return torch.tensor(self.mean, dtype=torch.float32).reshape(3, 1, 1)
        mean = _mean_frame(self.mean_image, self._resize_to(), self.size, _changed(self.mean_image))
        return torch.from_numpy(mean) * (self.white / 255)


# What torchvision's ImageNet networks were trained with.
_IMAGENET = Preprocessing(
    size=(224, 224), resize="short side", resize_to=256, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)
# What BVLC's CaffeNet was trained with; the frame is that of the paper's authors for their work on units.
_CAFFE = Preprocessing(size=(227, 227), channels="BGR", white=255.0, mean=(104.007, 116.669, 122.679))

PRESETS = {"imagenet": _IMAGENET, "caffe": _CAFFE}


def _changed(path: str) -> tuple[int, int]:
    """Size and time of a file, which may be replaced while the network is open; zeros where it is missing."""
    try:
        stat = Path(path).stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=8)
def _mean_frame(
    path: str, resize_to: tuple[int, int], size: tuple[int, int], changed: tuple[int, int]
) -> np.ndarray:
    """The part of a mean image that belongs to the frame: float32 (3, H, W), 0..255.

    `changed` (size and time of the file) makes a replaced file be read again.
    """
    mean = _read_mean_image(path)
    channels = [Image.fromarray(channel) for channel in mean]
    if mean.shape[1:] != resize_to:
        channels = [one.resize(resize_to[::-1], Image.Resampling.BILINEAR) for one in channels]
    return np.ascontiguousarray(
        Preprocessing.crop_centre(np.stack([np.asarray(one) for one in channels], -1), size).transpose(
            2, 0, 1
        )
    )
