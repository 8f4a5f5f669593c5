"""What happens to a photograph before a network sees it: a frame is cut, then its pixels become numbers.

The two steps are kept apart, because receptive fields, occluders and overlays all work on the frame: the
uint8 picture of exactly the size the network takes. Only the second step knows about channel order, mean and
scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from scenelens.errors import SceneLensError, close_names
from scenelens.networks.caffe import read_mean

RESIZES = ("exact", "short side")


@dataclass(frozen=True)
class Preprocessing:
    """How one network wants its pictures.

    Parameters
    ----------
    size : (height, width) in pixels of the frame the network sees.
    resize : ``"exact"`` squashes the photograph to ``resize_to``; ``"short side"`` keeps its shape and makes
        the shorter side that long.
    resize_to : (height, width), or one number for a square or for the short side; without it, ``size``. Of
        (height, width) the height is the short side's length. The frame is then cropped from the centre.
    channels : ``"RGB"`` or ``"BGR"`` (networks from Caffe).
    white : the value of a white pixel, 1.0 or 255.0.
    mean : one number per channel, in the network's channel order and on ``white``'s scale.
    mean_image : path of a mean image (.binaryproto or .npy, (3, h, w), 0..255, in the network's channel
        order); it is resized to ``resize_to`` and cropped like the photograph. Takes the place of ``mean``.
    std : one number per channel, on ``white``'s scale.

    Notes
    -----
    A pixel p (0..255) becomes ``(p * white / 255 - mean) / std``. The authors squash to 227x227 for their
    unit work, and so does the default.

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

    def __post_init__(self) -> None:
        if self.resize not in RESIZES:
            raise SceneLensError(f"resize = {self.resize!r} is unknown; {close_names(self.resize, RESIZES)}.")
        if self.channels not in ("RGB", "BGR"):
            raise SceneLensError(f"channels = {self.channels!r} is unknown; take 'RGB' or 'BGR'.")
        if len(self.mean) != 3 or len(self.std) != 3 or not all(self.std):
            raise SceneLensError("mean and std take three numbers each, one per channel, and no std of 0.")
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
        """What decides which frame is cut from a photograph: networks with the same see the same picture."""
        return self.size, self.resize, self._resize_to()

    def resized(self, shape: tuple[int, int]) -> tuple[int, int]:
        """(H, W) to which a photograph of some (h, w) is resized, before the frame is cropped from it.

        Whatever lies on a photograph (label maps, segments) goes by this rule too, or it lies beside the
        pixels that the network sees.

        Examples
        --------
        >>> Preprocessing((224, 224), resize="short side", resize_to=256).resized((400, 500))
        (256, 320)
        """
        height, width = self._resize_to()
        if self.resize == "short side":
            scale = height / min(shape)
            return max(height, round(shape[0] * scale)), max(height, round(shape[1] * scale))
        return height, width

    def frame(self, image: np.ndarray) -> np.ndarray:
        """The picture the network sees: uint8 RGB (h, w, 3) of any size -> uint8 RGB (H, W, 3) of exactly
        `size`.

        Resizing is bilinear with anti-aliasing; a picture that has the size already is not touched.
        """
        image = checked_image(image)
        height, width = self.resized((image.shape[0], image.shape[1]))
        if image.shape[:2] != (height, width):
            image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
        return crop_centre(image, self.size)

    def tensor(self, frames: np.ndarray) -> torch.Tensor:
        """Frames, uint8 RGB (N, H, W, 3), as the network's input: float32 (N, 3, H, W)."""
        if frames.shape[1:] != (*self.size, 3):
            raise SceneLensError(
                f"frames have shape {frames.shape}; expected (N, {self.size[0]}, {self.size[1]}, 3)."
            )
        if self.channels == "BGR":
            frames = frames[..., ::-1]
        x = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2))).float()
        return x.mul_(self.white / 255).sub_(self._mean()).div_(torch.tensor(self.std).reshape(3, 1, 1))

    def _mean(self) -> torch.Tensor:
        if self.mean_image is None:
            return torch.tensor(self.mean, dtype=torch.float32).reshape(3, 1, 1)
        mean = _mean_frame(self.mean_image, self._resize_to(), self.size)
        return torch.from_numpy(mean) * (self.white / 255)


#: What torchvision's ImageNet networks were trained with.
IMAGENET = Preprocessing(
    size=(224, 224), resize="short side", resize_to=256, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)
#: What BVLC's CaffeNet was trained with, framed as the paper's authors did for their work on units.
CAFFE = Preprocessing(size=(227, 227), channels="BGR", white=255.0, mean=(104.007, 116.669, 122.679))

PRESETS = {"imagenet": IMAGENET, "caffe": CAFFE}


def checked_image(image: np.ndarray) -> np.ndarray:
    """The image itself if it is what the package calls an image, uint8 RGB (H, W, 3); else a
    SceneLensError."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise SceneLensError(
            f"an image is uint8 RGB (H, W, 3), 0..255; got {image.dtype} {image.shape}. "
            "scenelens.images.load_image reads files that way."
        )
    return image


def crop_centre(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle (h, w) pixels of an array (H, W, ...)."""
    top, left = ((have - want) // 2 for have, want in zip(image.shape[:2], size, strict=True))
    return image[top : top + size[0], left : left + size[1]]


@lru_cache(maxsize=8)
def _mean_frame(path: str, resize_to: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """A mean image's part under the frame: float32 (3, H, W), 0..255."""
    mean = read_mean(Path(path)) if path.endswith(".binaryproto") else np.load(path, allow_pickle=False)
    if mean.ndim != 3 or mean.shape[0] != 3:
        raise SceneLensError(f"the mean image {path} has shape {mean.shape}; expected (3, height, width).")
    channels = [Image.fromarray(channel.astype(np.float32)) for channel in mean]
    if mean.shape[1:] != resize_to:
        channels = [one.resize(resize_to[::-1], Image.Resampling.BILINEAR) for one in channels]
    return np.ascontiguousarray(
        crop_centre(np.stack([np.asarray(one) for one in channels], -1), size).transpose(2, 0, 1)
    )
