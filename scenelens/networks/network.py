"""A Network: a torch module that knows its preprocessing, its class names and its layers, so that callers
need not.

Any torch module works. Most come from a study (`scenelens.open_study`), which names an architecture and a
weights file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from scenelens.errors import SceneLensError, close_names
from scenelens.networks.layers import find_layers, spread_layers
from scenelens.networks.preprocessing import Preprocessing, checked_image
from scenelens.networks.reach import theoretical_rf
from scenelens.networks.tracing import Point, trace
from scenelens.networks.weights import weights_hash

BATCH = 64


class Network:
    """A module ready to look at images, with its table of named layers (section 2, Table 1).

    Parameters
    ----------
    module : any torch module that maps (N, 3, H, W) to (N, n_classes); put into eval mode.
    name : its part in the study: 'scene', 'object', 'untrained'.
    classes : class names in the order of its outputs; numbered names without them.
    preprocessing : how it wants its pictures.

    Attributes
    ----------
    module, name, classes, preprocessing : as given.
    input_size : (H, W) of the frame it sees.
    card : its model card, a dict; empty where none came with the class names.

    Examples
    --------
    >>> from scenelens.networks import CaffeNet
    >>> net = Network(CaffeNet(3, width=1 / 8, fc=16), "scene", ["attic", "beach", "cave"])
    >>> list(net.layers.layer)
    ['conv1', 'pool1', 'conv2', 'pool2', 'conv3', 'conv4', 'conv5', 'pool5', 'fc6', 'fc7', 'fc8']
    >>> net.layer_shape("pool5")
    (32, 6, 6)
    >>> net(np.zeros((2, 240, 320, 3), np.uint8)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        module: nn.Module,
        name: str = "network",
        classes: Sequence[str] | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        self.module = module.eval()
        self.name = name
        self.card: dict[str, Any] = {}
        self.preprocessing = preprocessing or Preprocessing()
        self.input_size = self.preprocessing.size
        outputs = self._output_shape()
        if classes is not None and len(classes) != outputs:
            raise SceneLensError(f"network {name!r} has {outputs} outputs but {len(classes)} class names.")
        self.classes = list(classes) if classes is not None else [f"class {n}" for n in range(outputs)]

    def __repr__(self) -> str:
        return f"Network({self.name!r}, {type(self.module).__name__}, {len(self.classes)} classes)"

    def _output_shape(self) -> int:
        try:
            with torch.no_grad():
                logits = self.module(self._example())
        except (RuntimeError, ValueError, TypeError) as error:
            raise SceneLensError(
                f"network {self.name!r} does not run on an input of shape "
                f"{tuple(self._example().shape)}: {error}"
            ) from error
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            raise SceneLensError(f"network {self.name!r} does not return one row of class scores per image.")
        return logits.shape[1]

    def _example(self) -> Tensor:
        return torch.zeros(1, 3, *self.input_size, device=self.device)

    @property
    def device(self) -> torch.device:
        """Where the weights lie; images are moved there."""
        return next((value.device for value in self.module.parameters()), torch.device("cpu"))

    # ---- layers
    # -------------------------------------------------------------------------------------------------

    @cached_property
    def points(self) -> dict[str, Point]:
        """Where each module's value is read in a forward pass: module path -> `scenelens.networks.tracing.Point`."""
        return trace(self.module, self._example())

    @cached_property
    def _table(self) -> pd.DataFrame:
        return find_layers(self.module, self.points)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """One row per layer in the order they run: layer, module, units, map, rf_size, rf_stride, rf_start,
        kind.

        ``map`` is (height, width), (1, 1) for fully connected layers. Receptive fields are the theoretical
        ones in pixels of the frame; rf_start is the centre of the first unit's. They are NaN where the module
        cannot be analysed.
        """
        table = self._table.copy()
        fields = [self._receptive_field(layer) for layer in table.layer]
        for column, values in zip(
            ("rf_size", "rf_stride", "rf_start"), zip(*fields, strict=True), strict=True
        ):
            table[column] = list(values)
        return table

    def _receptive_field(self, layer: str) -> tuple[Any, Any, Any]:
        try:
            field = theoretical_rf(self, layer)
        except SceneLensError:
            return (float("nan"),) * 3
        return field.size, field.stride, field.start

    @cached_property
    def _paths(self) -> dict[str, str]:
        return dict(zip(self._table.layer, self._table.module, strict=True))

    def module_path(self, layer: str) -> str:
        """The path in ``module`` of a layer in the table, or of any other module given by its path."""
        known = self._paths
        if layer in known:
            return known[layer]
        if layer in self.points:
            return layer
        raise SceneLensError(
            f"no layer named {layer!r} in network {self.name!r}; {close_names(layer, known)}. "
            "See network.layers."
        )

    def layer_shape(self, layer: str) -> tuple[int, int, int]:
        """(units, height, width) of a layer's value for one image; (units, 1, 1) for fully connected
        layers."""
        shape = self.points[self.module_path(layer)].shape
        return shape if len(shape) == 3 else (shape[0], 1, 1)

    def main_layers(self, n: int = 6) -> list[str]:
        """A short list of layers spread over the depth, in order, for tables and menus.

        The paper's pool1, pool2, conv3, conv4, pool5 and fc7 where the network has them; else n layers and
        blocks.
        """
        return spread_layers(self._table, n)

    # ---- images
    # -------------------------------------------------------------------------------------------------

    def show_input(self, image: np.ndarray) -> np.ndarray:
        """The picture the network sees: uint8 RGB (h, w, 3) -> uint8 RGB (H, W, 3) of exactly
        `input_size`."""
        return self.preprocessing.frame(image)

    def prepare(self, images: np.ndarray | Iterable[np.ndarray], framed: bool = False) -> Tensor:
        """Images as the network's input, float32 (N, 3, H, W).

        Parameters
        ----------
        images : one uint8 RGB image (h, w, 3), several (N, h, w, 3), or a list of images of any sizes.
        framed : they come from `show_input` (occluded, cut up ...): neither resize nor crop them again.
        """
        if isinstance(images, np.ndarray) and images.ndim == 4 and framed:
            frames = checked_frames(images)
        else:
            several = [images] if isinstance(images, np.ndarray) and images.ndim == 3 else list(images)
            if not several:
                raise SceneLensError("there is no image to prepare: the list is empty.")
            frames = np.stack([checked_image(one) if framed else self.show_input(one) for one in several])
        return self.preprocessing.tensor(frames).to(self.device)

    @torch.no_grad()
    def __call__(self, images: Any, framed: bool = False) -> Tensor | None:
        """Logits, float32 (N, n_classes), without gradients.

        Parameters
        ----------
        images : what `prepare` takes, or a float tensor (N, 3, H, W) that it returned.
        framed : see `prepare`.

        Returns
        -------
        Tensor; None inside ``record(...)``, where the pass stops behind the deepest layer asked for. More
        than 64 images run in batches, except inside ``record``, which lends the values of one batch.
        """
        recording = "forward" in self.module.__dict__
        if isinstance(images, Tensor):
            batches = [images] if recording else list(images.split(BATCH))
            return _joined([self.module(batch) for batch in batches])
        if isinstance(images, np.ndarray) and images.ndim == 3:
            images = images[None]
        n = len(images) if recording else BATCH
        starts = range(0, len(images), n) if len(images) else [0]
        return _joined([self.module(self.prepare(images[at : at + n], framed)) for at in starts])

    def predict(self, images: Any, top: int = 5, framed: bool = False) -> pd.DataFrame:
        """The most probable classes of each image.

        Returns
        -------
        DataFrame : image (number in the list), rank (1 ... top), predicted (class name), probability (0..1).
        """
        logits = self(images, framed)
        if logits is None:
            raise SceneLensError("predict needs the whole network; call it outside of record(...).")
        best = logits.float().softmax(1).topk(min(top, len(self.classes)))
        return pd.DataFrame(
            {
                "image": np.repeat(np.arange(len(logits)), best.values.shape[1]),
                "rank": np.tile(np.arange(1, best.values.shape[1] + 1), len(logits)),
                "predicted": [self.classes[number] for number in best.indices.flatten().tolist()],
                "probability": best.values.flatten().cpu().numpy(),
            }
        )

    @cached_property
    def weights_hash(self) -> str:
        """The sha256 of the weights, the name under which results are kept."""
        return weights_hash(self.module)


def checked_frames(frames: np.ndarray) -> np.ndarray:
    """Frames (N, H, W, 3), checked as `checked_image` does one by one."""
    if len(frames) == 0:
        raise SceneLensError("there is no image to prepare: the list is empty.")
    checked_image(frames[0])
    return frames


def _joined(logits: list[Tensor | None]) -> Tensor | None:
    whole = [one for one in logits if one is not None]
    return torch.cat(whole) if whole else None
